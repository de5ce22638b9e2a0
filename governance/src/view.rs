//! Views: everything a page needs to draw a vote, as plain values with JSON names.
//!
//! What is shown before the box is decided is a forecast over all entries seen so far, and says so
//! with `provisional`. Ids, keys and digests are hex, times unix seconds, shares basis points.

use std::borrow::Cow;

use ayni_protocol::{EventId, PublicKey, Timestamp, hex};
use serde::Serialize;

use crate::assembly::{Assembly, Case, Counted};
use crate::entry::Translation;
use crate::proposal::Title;
use crate::rules::{BASIS_POINTS, DelegationRule, Method, Privacy, Tie};
use crate::state::State;
use crate::tally::Verdict;

/// A proposal that counts, and how it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProposalView {
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
    /// The question, in the language that binds.
    pub title: String,
    /// Code of that language.
    pub lang: String,
    /// The question in further languages, as its author wrote it.
    pub also: Vec<Title>,
    /// Why, in Markdown.
    pub text: String,
    /// How ballots are marked and counted.
    pub method: Method,
    /// What can be voted for, in the author's order, with scores.
    pub options: Vec<OptionView>,
    /// Least votes on an option.
    pub min: i32,
    /// Most votes on an option.
    pub max: i32,
    /// What may be spent in all, where the method is `budget`.
    pub budget: Option<u64>,
    /// Heads that must vote, in basis points.
    pub quorum: u32,
    /// The same as a number of heads.
    pub quorum_heads: u64,
    /// Share in favour that must be reached.
    pub pass: Option<u32>,
    /// What becomes of a tie.
    pub tie: Tie,
    /// Whether ballots are copied to delegators.
    pub delegation: DelegationRule,
    /// Whether ballots can be read before the close.
    pub privacy: Privacy,
    /// From when ballots are cast.
    pub opens: Timestamp,
    /// Until when ballots are cast.
    pub closes: Timestamp,
    /// How much later a witness may still receive them, in seconds.
    pub grace: u64,
    /// The round that draws a tie.
    pub unlock: Option<u64>,
    /// The act that counts once this has passed.
    pub exec: Option<EventId>,
    /// Where it stands.
    pub state: State,
    /// The witnesses' word, where they voided it.
    pub void_reason: Option<String>,
    /// Whether the numbers below may still change: the witnesses have not sealed a result.
    pub provisional: bool,
    /// Heads on the roster.
    pub eligible: u64,
    /// Ballots and delegations seen, in the box or not.
    pub entries: u64,
    /// Heads whose vote counts, abstentions and copies included.
    pub turnout: u64,
    /// Heads who abstained.
    pub abstained: u64,
    /// Heads whose vote was copied.
    pub delegated: u64,
    /// Whether enough heads voted.
    pub quorum_met: bool,
    /// The options that pass; none where nothing does.
    pub outcome: Vec<String>,
    /// Options tied for the first place, where a lot decides.
    pub tied: Vec<String>,
    /// Ballots that count for nothing.
    pub spoiled: Vec<SpoiledView>,
    /// Who voted what. Only in the view of one proposal.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub votes: Vec<VoteView>,
    /// What the witnesses sealed as the box.
    pub box_digest: Option<String>,
    /// What they sealed as the outcome.
    pub outcome_digest: Option<String>,
    /// The canonical tally, once the box is counted.
    pub tally: Option<String>,
    /// SHA-256 of the canonical tally.
    pub result: Option<String>,
    /// Translations, which bind nobody.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub translations: Vec<TranslationView>,
}

/// An option and what it got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OptionView {
    /// Its id.
    pub id: String,
    /// What people read.
    pub label: String,
    /// What it costs.
    pub cost: Option<u64>,
    /// Sum of votes; ballots choosing it; or how many others it beats.
    pub score: i64,
    /// Votes or ballots in favour.
    pub favour: i64,
    /// Votes or ballots against, as a positive number.
    pub against: i64,
    /// Whether it passes as things stand.
    pub passes: bool,
}

/// A ballot that counts for nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SpoiledView {
    /// Whose it is.
    pub voter: PublicKey,
    /// The event.
    pub ballot: Option<EventId>,
    /// Why, as a stable word.
    pub code: &'static str,
    /// Why, as a sentence.
    pub reason: String,
}

/// A vote that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VoteView {
    /// Whose it is.
    pub voter: PublicKey,
    /// The ballot; nothing where the vote is copied.
    pub ballot: Option<EventId>,
    /// Whose ballot was copied.
    pub copied_from: Option<PublicKey>,
    /// A number for each option in the proposal's order; nothing for an abstention.
    pub marks: Option<Vec<i32>>,
}

/// A translation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TranslationView {
    /// The event.
    pub id: EventId,
    /// Who translated.
    pub author: PublicKey,
    /// The title.
    pub title: String,
    /// The language.
    pub lang: String,
    /// Labels of options, by id.
    pub options: Vec<(String, String)>,
    /// The text.
    pub text: String,
}

impl Assembly {
    /// Every proposal of a community that counts, the latest close first.
    #[must_use]
    pub fn proposals(&self, community: &EventId, now: Timestamp) -> Vec<ProposalView> {
        let of_community = |case: &&Case| case.proposal.community == *community;
        let mut all: Vec<_> =
            self.cases.values().filter(of_community).map(|case| self.view(case, now)).collect();
        all.sort_by_key(|view| (std::cmp::Reverse(view.closes), view.id));
        all
    }

    /// One proposal that counts, with the votes and translations.
    #[must_use]
    pub fn proposal(&self, id: &EventId, now: Timestamp) -> Option<ProposalView> {
        let case = self.cases.get(id)?;
        let mut view = self.view(case, now);
        view.votes = votes(&self.latest_count(case));
        let translations = self.translations.get(id).into_iter().flatten();
        view.translations = translations.map(translation_view).collect();
        view.translations.sort_by_key(|translation| translation.id);
        Some(view)
    }

    /// Where a proposal that counts stands at a time.
    #[must_use]
    pub fn state(&self, proposal: &EventId, now: Timestamp) -> Option<State> {
        self.cases.get(proposal).map(|case| self.state_at(case, now))
    }

    /// The vote credits of a key in a proposal; nothing where it may not vote.
    #[must_use]
    pub fn credits(&self, proposal: &EventId, voter: &PublicKey) -> Option<u32> {
        self.cases.get(proposal)?.roster.rows.get(voter).map(|row| row.credits)
    }

    /// The count of the decided box, or of all entries seen so far.
    fn latest_count<'a>(&self, case: &'a Case) -> Cow<'a, Counted> {
        let forecast = || Cow::Owned(case.count(&self.papers, &case.entries));
        case.counted.as_ref().map_or_else(forecast, Cow::Borrowed)
    }

    fn view(&self, case: &Case, now: Timestamp) -> ProposalView {
        let (proposal, spec) = (&case.proposal, &case.proposal.spec);
        let counted = self.latest_count(case);
        let (count, state) = (&counted.count, self.state_at(case, now));
        let certified = matches!(state, State::Certified | State::Executed | State::Rejected);
        let (outcome, tied) = standing(case, &counted);
        let digest = self.ground.sealed(proposal.id).map(|(decision, _)| decision.digest);
        ProposalView {
            id: proposal.id,
            author: proposal.author,
            created_at: proposal.created_at,
            community: proposal.community,
            charter: proposal.charter,
            roster: proposal.roster,
            title: spec.title.clone(),
            lang: spec.lang.clone(),
            also: spec.also.clone(),
            text: spec.text.clone(),
            method: spec.method,
            options: options(case, &counted, &outcome),
            min: case.rules.min,
            max: case.rules.max,
            budget: spec.budget,
            quorum: spec.quorum,
            quorum_heads: quorum_heads(count.eligible, spec.quorum),
            pass: spec.pass,
            tie: spec.tie,
            delegation: spec.delegation,
            privacy: spec.privacy,
            opens: spec.opens,
            closes: spec.closes,
            grace: spec.grace,
            unlock: spec.unlock,
            exec: spec.exec,
            state,
            void_reason: self.ground.voided(proposal.id).map(str::to_owned),
            provisional: !certified,
            eligible: count.eligible,
            entries: u64::try_from(case.entries.len()).unwrap_or(u64::MAX),
            turnout: count.turnout(),
            abstained: count.abstained(),
            delegated: count.delegated(),
            quorum_met: count.quorum_met,
            outcome,
            tied,
            spoiled: spoiled(&counted),
            votes: Vec::new(),
            box_digest: digest.map(|digest| hex::encode(&digest)),
            outcome_digest: self.outcome_digest(case),
            tally: case.outcome.as_ref().map(|outcome| outcome.json.clone()),
            result: case.outcome.as_ref().map(|outcome| hex::encode(&outcome.result)),
            translations: Vec::new(),
        }
    }
}

/// What passes as things stand, and what is tied.
fn standing(case: &Case, counted: &Counted) -> (Vec<String>, Vec<String>) {
    match (&case.outcome, &counted.count.verdict) {
        (Some(outcome), _) => (outcome.options.clone(), outcome.tied.clone()),
        (None, Verdict::Settled(options)) => (options.clone(), Vec::new()),
        (None, Verdict::Lot(tied)) => (Vec::new(), tied.clone()),
    }
}

fn options(case: &Case, counted: &Counted, outcome: &[String]) -> Vec<OptionView> {
    let options = case.rules.options.iter().zip(&counted.count.scores);
    options
        .map(|(option, score)| OptionView {
            id: option.id.clone(),
            label: option.label.clone(),
            cost: option.cost,
            score: score.score,
            favour: score.favour,
            against: score.against,
            passes: outcome.contains(&option.id),
        })
        .collect()
}

fn spoiled(counted: &Counted) -> Vec<SpoiledView> {
    let spoiled = counted.count.spoiled.iter();
    spoiled
        .map(|(voter, reason)| SpoiledView {
            voter: *voter,
            ballot: counted.ballots.get(voter).copied(),
            code: reason.code(),
            reason: reason.to_string(),
        })
        .collect()
}

fn votes(counted: &Counted) -> Vec<VoteView> {
    let votes = counted.count.votes.iter();
    votes
        .map(|(voter, cast)| VoteView {
            voter: *voter,
            ballot: counted.ballots.get(voter).copied(),
            copied_from: cast.copied_from,
            marks: cast.vote.marks().map(<[i32]>::to_vec),
        })
        .collect()
}

fn translation_view(translation: &Translation) -> TranslationView {
    let labels = translation.options.iter();
    TranslationView {
        id: translation.id,
        author: translation.author,
        title: translation.title.text.clone(),
        lang: translation.title.lang.clone(),
        options: labels.map(|option| (option.id.clone(), option.label.clone())).collect(),
        text: translation.text.clone(),
    }
}

/// The least number of heads that meets a quorum.
fn quorum_heads(eligible: u64, quorum: u32) -> u64 {
    let heads = (u128::from(eligible) * u128::from(quorum)).div_ceil(u128::from(BASIS_POINTS));
    u64::try_from(heads).unwrap_or(u64::MAX)
}
