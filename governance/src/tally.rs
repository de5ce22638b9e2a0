//! The count of one vote, pure and over plain values, so that anyone can audit it.
//!
//! Rules, credits, ballots and delegations go in, every score and every spoiled ballot comes out.
//! Which ballots those are was decided before (the box), and which of one voter's ballots stands
//! too. Nothing here is a float: shares are compared by multiplying.

use std::collections::BTreeMap;

use crate::copying::copied;
use crate::mark::{Choice, Spoiled, Vote, mark};
use crate::ranked;
use crate::rules::{BASIS_POINTS, DelegationRule, Method, Rules};

/// Everything a vote came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count<K> {
    /// Heads on the roster.
    pub eligible: u64,
    /// Votes that count, by voter: abstentions and copied ones too. Their number is the turnout.
    pub votes: BTreeMap<K, CountedVote<K>>,
    /// Ballots that count for nothing, by voter.
    pub spoiled: BTreeMap<K, Spoiled>,
    /// What each option got, in the proposal's order.
    pub scores: Vec<Score>,
    /// Whether enough heads voted.
    pub quorum_met: bool,
    /// What passes.
    pub verdict: Verdict,
}

/// A vote that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountedVote<K> {
    /// The vote, already scaled.
    pub vote: Vote,
    /// Whose ballot it was copied from; nothing for an own ballot.
    pub copied_from: Option<K>,
}

/// What an option got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Score {
    /// The option.
    pub option: String,
    /// Sum of votes; ballots choosing it; or, where options are ranked, how many others it beats.
    pub score: i64,
    /// Votes in favour; ballots choosing or ranking it.
    pub favour: i64,
    /// Votes against, as a positive number; ballots that voted but left it out.
    pub against: i64,
}

/// What passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// These options, in the order in which they were taken; none where nothing passes.
    Settled(Vec<String>),
    /// One of these, in order of id, and a lot says which.
    Lot(Vec<String>),
}

impl<K> Count<K> {
    /// Heads whose vote counts, abstentions included.
    #[must_use]
    pub fn turnout(&self) -> u64 {
        number(self.votes.len())
    }

    /// Heads whose vote is an abstention.
    #[must_use]
    pub fn abstained(&self) -> u64 {
        number(self.votes.values().filter(|cast| cast.vote == Vote::Abstention).count())
    }

    /// Heads whose vote was copied.
    #[must_use]
    pub fn delegated(&self) -> u64 {
        number(self.votes.values().filter(|cast| cast.copied_from.is_some()).count())
    }
}

/// Counts a vote.
///
/// `credits` is the roster; ballots and delegations of anyone else are passed over. `ballots` and
/// `delegates` hold one entry a voter, the one that stands.
#[must_use]
pub fn tally<K: Ord + Copy>(
    rules: &Rules,
    credits: &BTreeMap<K, u32>,
    ballots: &BTreeMap<K, Choice>,
    delegates: &BTreeMap<K, K>,
) -> Count<K> {
    let own: BTreeMap<K, Result<Vote, Spoiled>> = ballots
        .iter()
        .filter_map(|(voter, choice)| Some((*voter, mark(rules, choice, *credits.get(voter)?))))
        .collect();
    let mut votes: BTreeMap<K, CountedVote<K>> = own
        .iter()
        .filter_map(|(voter, vote)| {
            Some((*voter, CountedVote { vote: vote.clone().ok()?, copied_from: None }))
        })
        .collect();
    if rules.delegation == DelegationRule::Copy {
        votes.extend(delegates.keys().filter_map(|delegator| {
            let (vote, from) = copied(rules, credits, &own, delegates, *delegator)?;
            Some((*delegator, CountedVote { vote, copied_from: Some(from) }))
        }));
    }
    let spoiled = own.iter().filter_map(|(voter, vote)| Some((*voter, *vote.as_ref().err()?)));
    let eligible = number(credits.len());
    let needed = u128::from(eligible) * u128::from(rules.quorum);
    let quorum_met = u128::from(number(votes.len())) * u128::from(BASIS_POINTS) >= needed;
    let marks: Vec<&[i32]> = votes.values().filter_map(|cast| cast.vote.marks()).collect();
    let (scores, leaders) = scored(rules, &marks);
    let verdict = if quorum_met { verdict(rules, &scores, &leaders) } else { Verdict::NOTHING };
    Count { eligible, spoiled: spoiled.collect(), scores, quorum_met, verdict, votes }
}

impl Vote {
    /// The marks, where it is not an abstention.
    #[must_use]
    pub fn marks(&self) -> Option<&[i32]> {
        match self {
            Self::Marks(marks) => Some(marks),
            Self::Abstention => None,
        }
    }
}

impl Verdict {
    const NOTHING: Self = Self::Settled(Vec::new());
}

/// The scores, and which options lead: the highest, or whom nobody beats.
fn scored(rules: &Rules, ballots: &[&[i32]]) -> (Vec<Score>, Vec<usize>) {
    let mut scores: Vec<Score> = rules
        .options
        .iter()
        .enumerate()
        .map(|(at, option)| {
            let marks =
                ballots.iter().filter_map(|marks| marks.get(at)).map(|mark| i64::from(*mark));
            let sum = |sign: i64| -> i64 {
                marks.clone().map(|mark| (mark * sign).max(0)).fold(0, i64::saturating_add)
            };
            let (favour, against) = if rules.method.spends() {
                (sum(1), sum(-1))
            } else {
                let choosing = marks.clone().filter(|mark| *mark > 0).count();
                (signed(choosing), signed(ballots.len().saturating_sub(choosing)))
            };
            let score = if rules.method.spends() { favour.saturating_sub(against) } else { favour };
            Score { option: option.id.clone(), score, favour, against }
        })
        .collect();
    if rules.method == Method::Ranked {
        let chains = ranked::strongest(&ranked::preferences(scores.len(), ballots.iter().copied()));
        for (score, beaten) in scores.iter_mut().zip(ranked::beaten(&chains)) {
            score.score = beaten;
        }
        return (scores, ranked::winners(&chains));
    }
    let highest = scores.iter().map(|score| score.score).max();
    let leaders = (0..scores.len())
        .filter(|at| scores.get(*at).map(|score| score.score) == highest)
        .collect();
    (scores, leaders)
}

/// What passes, given that enough voted.
fn verdict(rules: &Rules, scores: &[Score], leaders: &[usize]) -> Verdict {
    if rules.method == Method::Budget {
        return Verdict::Settled(affordable(rules, scores));
    }
    let mut passing: Vec<String> = leaders
        .iter()
        .filter_map(|at| scores.get(*at))
        .filter(|score| passes(rules, score))
        .map(|score| score.option.clone())
        .collect();
    passing.sort();
    match (passing.len(), rules.tie) {
        (0 | 1, _) => Verdict::Settled(passing),
        (_, crate::rules::Tie::StatusQuo) => Verdict::NOTHING,
        (_, crate::rules::Tie::Lot) => Verdict::Lot(passing),
    }
}

/// Whether a leading option may pass. On a question with one option, `pass` takes the place of
/// "more for than against"; among several it is asked on top.
fn passes(rules: &Rules, score: &Score) -> bool {
    let ahead = match rules.method {
        Method::Ranked => score.favour > 0,
        _ if rules.options.len() == 1 && rules.pass.is_some() => true,
        _ => score.score > 0,
    };
    ahead && reaches(rules, score)
}

/// Whether the share in favour reaches `pass`. With nobody in favour it never does.
fn reaches(rules: &Rules, score: &Score) -> bool {
    let Some(pass) = rules.pass else { return true };
    let (favour, against) = (i128::from(score.favour), i128::from(score.against));
    favour > 0 && favour * i128::from(BASIS_POINTS) >= i128::from(pass) * (favour + against)
}

/// Options by score, then by id, while their cost fits; only above zero.
fn affordable(rules: &Rules, scores: &[Score]) -> Vec<String> {
    let mut candidates: Vec<(&Score, u64)> = scores
        .iter()
        .zip(rules.options.iter().map(|option| option.cost.unwrap_or(0)))
        .filter(|(score, _)| score.score > 0 && reaches(rules, score))
        .collect();
    candidates.sort_by(|(a, _), (b, _)| b.score.cmp(&a.score).then(a.option.cmp(&b.option)));
    let mut left = rules.budget;
    let mut taken = Vec::new();
    for (score, cost) in candidates {
        if let Some(rest) = left.checked_sub(cost) {
            left = rest;
            taken.push(score.option.clone());
        }
    }
    taken
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
