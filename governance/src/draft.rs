//! Writing the events of this part. What these write, [`crate::Entry::read`] reads back as it was.

use ayni_protocol::{Draft, EventId, PublicKey, hex, kind};
use ayni_witness::canonical::sha256;

use crate::ballot::Scope;
use crate::mark::Choice;
use crate::proposal::{ProposalSpec, Title};
use crate::rules::{ProposalOption, Tie};

/// A proposal (kind 4712). Where ties go to lot, `spec.unlock` must be set; see
/// [`ProposalSpec::round_under`] and [`ProposalSpec::check`].
#[must_use]
pub fn proposal(
    community: EventId,
    charter: EventId,
    roster: EventId,
    spec: &ProposalSpec,
) -> Draft {
    let draft = Draft::new(kind::PROPOSAL)
        .content(spec.text.clone())
        .tag(["h", &community.to_string()])
        .tag(["e", &charter.to_string(), "", "charter"])
        .tag(["e", &roster.to_string(), "", "roster"])
        .tag(["title", &spec.title, &spec.lang]);
    let draft = spec.also.iter().fold(draft, title_tag);
    let draft = draft.tag(["method", spec.method.as_str()]);
    let draft = spec.options.iter().fold(draft, option_tag);
    let draft = number(draft, "min", spec.min);
    let draft = number(draft, "max", spec.max);
    let draft = number(draft, "budget", spec.budget);
    let draft = number(draft, "quorum", Some(spec.quorum));
    let draft = number(draft, "pass", spec.pass)
        .tag(["tie", spec.tie.as_str()])
        .tag(["delegation", spec.delegation.as_str()])
        .tag(["privacy", spec.privacy.as_str()]);
    let draft = number(draft, "opens", Some(spec.opens));
    let draft = number(draft, "closes", Some(spec.closes));
    let draft = number(draft, "grace", Some(spec.grace));
    let draft = number(draft, "unlock", spec.unlock);
    number(draft, "exec", spec.exec)
}

impl ProposalSpec {
    /// The same with the round that the charter prescribes, where ties go to lot.
    #[must_use]
    pub fn under(mut self, charter: &ayni_witness::Charter) -> Self {
        if self.tie == Tie::Lot {
            self.unlock = self.round_under(charter);
        }
        self
    }
}

/// A ballot (kind 4713). `content` is a reason for people, or for a sealed ballot its base64.
#[must_use]
pub fn ballot(community: EventId, proposal: EventId, choice: &Choice, content: &str) -> Draft {
    let draft = Draft::new(kind::BALLOT).content(content).tag(["h", &community.to_string()]).tag([
        "e",
        &proposal.to_string(),
        "",
        "proposal",
    ]);
    match choice {
        Choice::Votes(votes) => votes
            .iter()
            .fold(draft, |draft, (option, votes)| draft.tag(["v", option, &votes.to_string()])),
        Choice::Abstain => draft.tag(["abstain"]),
        Choice::Sealed { round } => draft.tag(["enc", "tlock-1", &round.to_string()]),
    }
}

/// A delegation (kind 4714); without delegate, its revocation. A specific one also names its
/// proposal in an `e` tag, because relays index those.
#[must_use]
pub fn delegation(community: EventId, delegate: Option<PublicKey>, scope: Scope) -> Draft {
    let draft = Draft::new(kind::DELEGATION).tag(["h", &community.to_string()]);
    let draft = match delegate {
        Some(delegate) => draft.tag(["p", &delegate.to_string()]),
        None => draft,
    };
    match scope {
        Scope::All => draft.tag(["scope", "all"]),
        Scope::Proposal(id) => {
            draft.tag(["scope", "e", &id.to_string()]).tag(["e", &id.to_string(), "", "proposal"])
        }
    }
}

/// A tally (kind 4718) from its canonical JSON, with the SHA-256 of that in `x`.
#[must_use]
pub fn tally(community: EventId, proposal: EventId, json: &str) -> Draft {
    Draft::new(kind::TALLY)
        .content(json)
        .tag(["h", &community.to_string()])
        .tag(["s", &proposal.to_string()])
        .tag(["x", &hex::encode(&sha256(json))])
}

/// A translation (kind 4721) of a proposal's title, options and text.
#[must_use]
pub fn translation(
    community: EventId,
    subject: EventId,
    title: &Title,
    options: &[ProposalOption],
    text: &str,
) -> Draft {
    let draft = Draft::new(kind::TRANSLATION)
        .content(text)
        .tag(["h", &community.to_string()])
        .tag(["s", &subject.to_string()]);
    options.iter().fold(title_tag(draft, title), option_tag)
}

fn title_tag(draft: Draft, title: &Title) -> Draft {
    draft.tag(["title", &title.text, &title.lang])
}

fn option_tag(draft: Draft, option: &ProposalOption) -> Draft {
    let cost = option.cost.map(|cost| cost.to_string());
    let words = ["option", &option.id, &option.label].into_iter();
    draft.tag(words.chain(cost.as_deref()))
}

fn number<T: ToString>(draft: Draft, name: &str, value: Option<T>) -> Draft {
    match value {
        Some(value) => draft.tag([name, &value.to_string()]),
        None => draft,
    }
}
