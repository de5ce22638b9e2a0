//! Proposals (kind 4712): what is put to the vote, and how.
//!
//! [`ProposalSpec`] is what its author writes, in a file or a form; [`Proposal`] is the signed
//! event. Every rule about the form of a proposal stands in [`ProposalSpec::check`], so a program
//! can show an author what is wrong before anything is signed.
//!
//! Deliberately absent: whether the author may propose and whether charter and roster exist. That
//! depends on other events, and [`crate::Assembly`] asks it.

use ayni_protocol::shape::{parsed, signed, unsigned};
use ayni_protocol::{Event, EventId, Malformed, PublicKey, Shape, Tag, Timestamp};
use ayni_witness::Charter;
use serde::{Deserialize, Serialize};

use crate::rules::{
    BASIS_POINTS, DelegationRule, Method, OPTIONS_MAX, Privacy, ProposalOption, Rules, Tie,
    VOTES_MAX,
};

/// Longest id of an option, in characters.
pub const OPTION_ID_MAX: usize = 16;
/// Greatest cost or budget, as great as an amount may be.
pub const COST_MAX: u64 = 1_000_000_000_000_000;
/// Times stay below 2^53, so that every JSON reader holds them exactly.
const TIME_MAX: u64 = 1 << 53;

/// A proposal as a signed event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The event.
    pub id: EventId,
    /// Who proposes.
    pub author: PublicKey,
    /// When, as the author says.
    pub created_at: Timestamp,
    /// The community.
    pub community: EventId,
    /// The charter whose witnesses decide.
    pub charter: EventId,
    /// The roster of those who may vote.
    pub roster: EventId,
    /// What is proposed.
    pub spec: ProposalSpec,
}

/// What is proposed, as its author writes it. Times are unix seconds, shares basis points.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProposalSpec {
    /// The question, in the language that binds.
    pub title: String,
    /// Code of that language; may be empty.
    #[serde(default)]
    pub lang: String,
    /// The question in further languages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Title>,
    /// Why, in Markdown.
    #[serde(default)]
    pub text: String,
    /// How ballots are marked and counted.
    pub method: Method,
    /// What can be voted for. One option is a question, for or against.
    #[serde(alias = "option")]
    pub options: Vec<ProposalOption>,
    /// Least votes on an option, from -1000 to 0; -1000 where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<i32>,
    /// Most votes on an option, from 0 to 1000; 1000 where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<i32>,
    /// What may be spent in all, where the method is `budget`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<u64>,
    /// Heads that must vote.
    #[serde(default)]
    pub quorum: u32,
    /// Share in favour that must be reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pass: Option<u32>,
    /// What becomes of a tie.
    #[serde(default = "status_quo")]
    pub tie: Tie,
    /// Whether ballots are copied to delegators.
    #[serde(default = "no_delegation")]
    pub delegation: DelegationRule,
    /// Whether ballots can be read before the close.
    #[serde(default = "open_ballots")]
    pub privacy: Privacy,
    /// From when ballots are cast.
    pub opens: Timestamp,
    /// Until when ballots are cast.
    pub closes: Timestamp,
    /// How much later a witness may still receive them, in seconds.
    #[serde(default)]
    pub grace: u64,
    /// The round that unlocks sealed ballots or draws lots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unlock: Option<u64>,
    /// The act that counts once this has passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exec: Option<EventId>,
}

/// A title in one language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Title {
    /// The text.
    pub text: String,
    /// Code of its language.
    pub lang: String,
}

const fn status_quo() -> Tie {
    Tie::StatusQuo
}

const fn no_delegation() -> DelegationRule {
    DelegationRule::None
}

const fn open_ballots() -> Privacy {
    Privacy::Open
}

impl ProposalSpec {
    /// Whether this is a proposal at all: everything that can be said without other events.
    ///
    /// # Errors
    /// [`Malformed`], naming the tag that the field stands in.
    pub fn check(&self) -> Result<(), Malformed> {
        must(!self.title.is_empty(), "title", "a text that is not empty")?;
        must((1..=OPTIONS_MAX).contains(&self.options.len()), "option", "there 1 to 64 times")?;
        self.options.iter().try_for_each(|option| self.check_option(option))?;
        let mut ids: Vec<&str> = self.options.iter().map(|option| option.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        must(ids.len() == self.options.len(), "option", "named by distinct ids")?;
        let (min, max) = self.bounds();
        must((-VOTES_MAX..=0).contains(&min), "min", "a whole number from -1000 to 0")?;
        must((0..=VOTES_MAX).contains(&max), "max", "a whole number from 0 to 1000")?;
        must(self.quorum <= BASIS_POINTS, "quorum", "basis points, 0 to 10000")?;
        let share = self.pass.is_none_or(|pass| (1..=BASIS_POINTS).contains(&pass));
        must(share, "pass", "basis points, 1 to 10000")?;
        self.check_budget()?;
        self.check_times()
    }

    fn check_option(&self, option: &ProposalOption) -> Result<(), Malformed> {
        let letters = option.id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let length = (1..=OPTION_ID_MAX).contains(&option.id.len());
        must(letters && length, "option", "named by 1 to 16 of a-z and 0-9")?;
        let cost = option.cost.map_or(self.method != Method::Budget, |cost| cost <= COST_MAX);
        must(cost, "option", "given a whole cost up to 10^15 where the method is budget")
    }

    fn check_budget(&self) -> Result<(), Malformed> {
        match self.budget {
            None if self.method == Method::Budget => Err(Malformed::MissingTag("budget")),
            budget => must(budget.unwrap_or(0) <= COST_MAX, "budget", "a whole number up to 10^15"),
        }
    }

    fn check_times(&self) -> Result<(), Malformed> {
        must(self.closes > self.opens, "closes", "later than opens")?;
        must(self.last_receipt() < TIME_MAX, "closes", "before the end of time, 2^53 with grace")?;
        let drawn = self.tie == Tie::Lot || self.privacy == Privacy::Tlock;
        if drawn && self.unlock.is_none() { Err(Malformed::MissingTag("unlock")) } else { Ok(()) }
    }

    /// The rules, as a tally needs them.
    #[must_use]
    pub fn rules(&self) -> Rules {
        let (min, max) = self.bounds();
        Rules {
            method: self.method,
            options: self.options.clone(),
            min,
            max,
            budget: self.budget.unwrap_or(0),
            quorum: self.quorum,
            pass: self.pass,
            tie: self.tie,
            delegation: self.delegation,
        }
    }

    /// The last second at which a witness receives a ballot.
    #[must_use]
    pub const fn last_receipt(&self) -> Timestamp {
        self.closes.saturating_add(self.grace)
    }

    /// The round that draws a tie under this charter, by protocol section 4's formula; nothing
    /// where the charter names no beacon.
    #[must_use]
    pub fn round_under(&self, charter: &Charter) -> Option<u64> {
        let time = self.last_receipt().saturating_add(charter.timings.seal_window);
        charter.beacon.as_ref().map(|chain| chain.round_at_or_after(time))
    }

    fn bounds(&self) -> (i32, i32) {
        (self.min.unwrap_or(-VOTES_MAX), self.max.unwrap_or(VOTES_MAX))
    }
}

impl Proposal {
    /// Reads a proposal.
    ///
    /// # Errors
    /// [`Malformed`]: a tag is missing, repeated or of the wrong form.
    pub fn read(event: &Event) -> Result<Self, Malformed> {
        let shape = Shape::of(event)?;
        Ok(Self {
            id: event.id,
            author: event.pubkey,
            created_at: event.created_at,
            community: shape.community()?,
            charter: shape.marked("charter")?,
            roster: shape.marked("roster")?,
            spec: ProposalSpec::read(shape, event.content.clone())?,
        })
    }
}

impl ProposalSpec {
    fn read(shape: Shape<'_>, text: String) -> Result<Self, Malformed> {
        let mut titles = shape.all("title").map(title_of);
        let first = titles.next().ok_or(Malformed::MissingTag("title"))??;
        let spec = Self {
            title: first.text,
            lang: first.lang,
            also: titles.collect::<Result<_, _>>()?,
            text,
            method: word(shape, "method", "quadratic, single, approval, ranked or budget")?
                .ok_or(Malformed::MissingTag("method"))?,
            options: shape.all("option").map(option_of).collect::<Result<_, _>>()?,
            min: votes(shape, "min")?,
            max: votes(shape, "max")?,
            budget: shape.optional_unsigned("budget")?,
            quorum: shape.unsigned("quorum")?,
            pass: shape.optional_unsigned("pass")?,
            tie: word(shape, "tie", "status-quo or lot")?.unwrap_or(Tie::StatusQuo),
            delegation: word(shape, "delegation", "none or copy")?.unwrap_or(DelegationRule::None),
            privacy: word(shape, "privacy", "open or tlock")?.unwrap_or(Privacy::Open),
            opens: shape.unsigned("opens")?,
            closes: shape.unsigned("closes")?,
            grace: shape.optional_unsigned("grace")?.unwrap_or(0),
            unlock: shape.optional_unsigned("unlock")?,
            exec: shape
                .optional_text("exec")?
                .map(|text| parsed(text, "exec", "the id of an act"))
                .transpose()?,
        };
        spec.check()?;
        Ok(spec)
    }
}

fn must(right: bool, tag: &'static str, form: &'static str) -> Result<(), Malformed> {
    if right { Ok(()) } else { Err(Malformed::BadTag(tag, form)) }
}

/// A tag that holds one word of a closed list and may be left out.
fn word<T: std::str::FromStr>(
    shape: Shape<'_>,
    name: &'static str,
    form: &'static str,
) -> Result<Option<T>, Malformed> {
    shape.optional_text(name)?.map(|text| parsed(text, name, form)).transpose()
}

fn votes(shape: Shape<'_>, name: &'static str) -> Result<Option<i32>, Malformed> {
    shape.optional_text(name)?.map(|text| signed(text, name)).transpose()
}

pub(crate) fn title_of(tag: Tag<'_>) -> Result<Title, Malformed> {
    let text = tag.value().ok_or(Malformed::BadTag("title", "a text and a language"))?;
    Ok(Title { text: text.to_owned(), lang: tag.get(2).unwrap_or("").to_owned() })
}

pub(crate) fn option_of(tag: Tag<'_>) -> Result<ProposalOption, Malformed> {
    const FORM: Malformed = Malformed::BadTag("option", "an id, a label and perhaps a cost");
    Ok(ProposalOption {
        id: tag.value().ok_or(FORM)?.to_owned(),
        label: tag.get(2).ok_or(FORM)?.to_owned(),
        cost: tag.get(3).map(|cost| unsigned(cost, "option")).transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::spec;

    fn says(change: impl FnOnce(&mut ProposalSpec)) -> String {
        let mut spec = spec("quadratic a b");
        change(&mut spec);
        spec.check().map_or_else(|wrong| wrong.to_string(), |()| "fine".into())
    }

    #[test]
    fn what_is_wrong_is_said() {
        let tie = |spec: &mut ProposalSpec| spec.tie = Tie::Lot;
        let cases = [
            (says(|_| ()), "fine"),
            (says(|spec| spec.title.clear()), "title must be a text"),
            (says(|spec| spec.options.clear()), "option must be there 1 to 64"),
            (says(|spec| spec.options[1].id = "a".into()), "distinct"),
            (says(|spec| spec.options[1].id = "A".into()), "a-z and 0-9"),
            (says(|spec| spec.options[1].id = "a".repeat(17)), "a-z and 0-9"),
            (says(|spec| spec.min = Some(1)), "min must be"),
            (says(|spec| spec.max = Some(1_001)), "max must be"),
            (says(|spec| spec.quorum = 10_001), "quorum must be"),
            (says(|spec| spec.pass = Some(0)), "pass must be"),
            (says(|spec| spec.closes = spec.opens), "later than opens"),
            (says(|spec| spec.grace = u64::MAX), "end of time"),
            (says(tie), "needs a tag unlock"),
            (says(|spec| spec.method = Method::Budget), "whole cost"),
        ];
        for (said, expected) in cases {
            assert!(said.contains(expected), "{said} should say {expected}");
        }
        let no_budget = ProposalSpec { budget: None, ..spec("budget a:1") };
        assert_eq!(no_budget.check(), Err(Malformed::MissingTag("budget")));
    }

    #[test]
    fn a_spec_is_short_where_nothing_special_is_wanted() {
        let json = r#"{"title": "New well?", "method": "quadratic", "opens": 10, "closes": 20,
            "options": [{"id": "well", "label": "New well"}]}"#;
        let spec: ProposalSpec = serde_json::from_str(json).unwrap();
        assert_eq!(spec.check(), Ok(()));
        assert_eq!((spec.tie, spec.delegation), (Tie::StatusQuo, DelegationRule::None));
        let typo = json.replace("\"closes\"", "\"qorum\": 1, \"closes\"");
        assert!(serde_json::from_str::<ProposalSpec>(&typo).is_err());
    }
}
