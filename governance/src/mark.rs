//! From what a ballot says to the vote it casts, or the reason it is spoiled.
//!
//! A spoiled ballot counts for nothing and is listed with its reason. It is never clipped or
//! repaired: a node that guessed what somebody meant would be voting for them.

use std::fmt;

use serde::Serialize;

use crate::rules::{Method, Rules, VOTES_MAX};

/// What a ballot (kind 4713) says, before anyone asks whether it may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// `["v", option, votes]…`: votes, 1, or a rank, by method.
    Votes(Vec<(String, i32)>),
    /// `["abstain"]`: counts for the turnout only.
    Abstain,
    /// `["enc", "tlock-1", round]`: encrypted to a round of the beacon.
    Sealed {
        /// The round that unlocks it.
        round: u64,
    },
}

/// A vote that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vote {
    /// Present, and no more.
    Abstention,
    /// One number for each option, in the proposal's order; 0 where the ballot is silent.
    Marks(Vec<i32>),
}

/// Why a ballot counts for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Spoiled {
    /// It names an option that the proposal does not have.
    UnknownOption,
    /// It names an option twice.
    OptionRepeated,
    /// A number is beyond what the method or the proposal allows.
    OutOfBounds,
    /// The squares of its votes sum to more than the voter's credits.
    Overspent,
    /// The method wants exactly one option.
    NotOneChoice,
    /// It is sealed, and the proposal takes open ballots.
    WrongForm,
}

impl Spoiled {
    /// Every reason, in the order of this file.
    pub const ALL: &'static [Self] = &[
        Self::UnknownOption,
        Self::OptionRepeated,
        Self::OutOfBounds,
        Self::Overspent,
        Self::NotOneChoice,
        Self::WrongForm,
    ];

    /// The word in the tally.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::UnknownOption => "UnknownOption",
            Self::OptionRepeated => "OptionRepeated",
            Self::OutOfBounds => "OutOfBounds",
            Self::Overspent => "Overspent",
            Self::NotOneChoice => "NotOneChoice",
            Self::WrongForm => "WrongForm",
        }
    }
}

impl fmt::Display for Spoiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownOption => "the ballot names an option that the proposal does not have",
            Self::OptionRepeated => "the ballot names an option twice",
            Self::OutOfBounds => "a number on the ballot is beyond what the proposal allows",
            Self::Overspent => "the squares of the votes sum to more than the voter's credits",
            Self::NotOneChoice => "the ballot must choose exactly one option",
            Self::WrongForm => "the ballot is sealed, and this proposal takes open ballots",
        })
    }
}

/// The vote that a ballot casts under these rules with these credits.
///
/// # Errors
/// [`Spoiled`], by what is wrong first in the order of its variants.
pub fn mark(rules: &Rules, choice: &Choice, credits: u32) -> Result<Vote, Spoiled> {
    let votes = match choice {
        Choice::Abstain => return Ok(Vote::Abstention),
        Choice::Sealed { .. } => return Err(Spoiled::WrongForm),
        Choice::Votes(votes) => votes,
    };
    let marks = placed(rules, votes)?;
    let (least, most) = bounds(rules);
    if votes.iter().any(|(_, number)| !(least..=most).contains(number)) {
        return Err(Spoiled::OutOfBounds);
    }
    match rules.method {
        Method::Quadratic | Method::Budget if cost(&marks) > u64::from(credits) => {
            Err(Spoiled::Overspent)
        }
        Method::Single if marks.iter().filter(|mark| **mark == 1).count() != 1 => {
            Err(Spoiled::NotOneChoice)
        }
        _ => Ok(Vote::Marks(marks)),
    }
}

/// What marks cost: the sum of their squares (protocol section 5).
#[must_use]
pub fn cost(marks: &[i32]) -> u64 {
    marks.iter().map(|mark| square(*mark)).fold(0, u64::saturating_add)
}

/// A mark's square. 2^62 at most, so it fits.
pub(crate) fn square(mark: i32) -> u64 {
    let size = u64::from(mark.unsigned_abs());
    size.saturating_mul(size)
}

/// The numbers in the proposal's order of options.
fn placed(rules: &Rules, votes: &[(String, i32)]) -> Result<Vec<i32>, Spoiled> {
    let mut marks: Vec<Option<i32>> = vec![None; rules.options.len()];
    let mut repeated = false;
    for (option, number) in votes {
        let place = rules.place(option).and_then(|place| marks.get_mut(place));
        repeated |= place.ok_or(Spoiled::UnknownOption)?.replace(*number).is_some();
    }
    if repeated {
        return Err(Spoiled::OptionRepeated);
    }
    Ok(marks.into_iter().map(Option::unwrap_or_default).collect())
}

/// What one number may be, by method.
fn bounds(rules: &Rules) -> (i32, i32) {
    match rules.method {
        Method::Quadratic | Method::Budget => (rules.min.max(-VOTES_MAX), rules.max.min(VOTES_MAX)),
        Method::Single | Method::Approval => (0, 1),
        Method::Ranked => (1, i32::try_from(rules.options.len()).unwrap_or(i32::MAX)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::rules;

    fn says(rules: &Rules, text: &str, credits: u32) -> Result<Vote, Spoiled> {
        mark(rules, &crate::testing::choice(text), credits)
    }

    fn marks(marks: &[i32]) -> Result<Vote, Spoiled> {
        Ok(Vote::Marks(marks.to_vec()))
    }

    #[test]
    fn a_good_ballot_counts_as_it_is() {
        let rules = rules("quadratic a b c");
        assert_eq!(says(&rules, "c=1 a=7 b=-7", 99), marks(&[7, -7, 1]));
        assert_eq!(says(&rules, "abstain", 0), Ok(Vote::Abstention));
        assert_eq!(says(&rules, "a=0", 0), marks(&[0, 0, 0]));
    }

    #[test]
    fn unknown_option() {
        let rules = rules("quadratic a b");
        assert_eq!(says(&rules, "a=1 x=1", 100), Err(Spoiled::UnknownOption));
        // Named first whatever else is wrong, so that the reason does not depend on the order.
        assert_eq!(says(&rules, "a=99 a=99 x=1", 100), Err(Spoiled::UnknownOption));
    }

    #[test]
    fn option_repeated() {
        assert_eq!(says(&rules("quadratic a b"), "a=1 a=1", 9), Err(Spoiled::OptionRepeated));
        assert_eq!(says(&rules("approval a b"), "a=1 a=1", 9), Err(Spoiled::OptionRepeated));
    }

    #[test]
    fn out_of_bounds() {
        let narrow = Rules { min: 0, max: 3, ..rules("quadratic a b") };
        assert_eq!(says(&narrow, "a=-1", 100), Err(Spoiled::OutOfBounds));
        assert_eq!(says(&narrow, "a=4", 100), Err(Spoiled::OutOfBounds));
        let widest = Rules { min: i32::MIN, max: i32::MAX, ..rules("quadratic a b") };
        assert_eq!(says(&widest, "a=-1001", u32::MAX), Err(Spoiled::OutOfBounds));
        assert_eq!(says(&rules("approval a b"), "a=2", 100), Err(Spoiled::OutOfBounds));
        assert_eq!(says(&rules("single a b"), "a=-1", 100), Err(Spoiled::OutOfBounds));
        assert_eq!(says(&rules("ranked a b"), "a=0", 100), Err(Spoiled::OutOfBounds));
        assert_eq!(says(&rules("ranked a b"), "a=3", 100), Err(Spoiled::OutOfBounds));
    }

    #[test]
    fn overspent() {
        assert_eq!(says(&rules("quadratic a b c"), "a=10 b=1", 100), Err(Spoiled::Overspent));
        assert_eq!(says(&rules("quadratic a b c"), "a=10", 100), marks(&[10, 0, 0]));
        assert_eq!(says(&rules("budget a:1 b:1"), "a=-1 b=1", 1), Err(Spoiled::Overspent));
        assert_eq!(says(&rules("approval a b"), "a=1 b=1", 0), marks(&[1, 1]));
    }

    #[test]
    fn not_one_choice() {
        let rules = rules("single a b");
        assert_eq!(says(&rules, "a=1 b=1", 0), Err(Spoiled::NotOneChoice));
        assert_eq!(says(&rules, "a=0 b=0", 0), Err(Spoiled::NotOneChoice));
        assert_eq!(says(&rules, "a=0 b=1", 0), marks(&[0, 1]));
    }

    #[test]
    fn wrong_form() {
        let sealed = Choice::Sealed { round: 7 };
        assert_eq!(mark(&rules("quadratic a"), &sealed, 9), Err(Spoiled::WrongForm));
    }
}
