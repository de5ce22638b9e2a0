//! The rules of one vote: how ballots are marked, what they may spend, and what passes.
//!
//! This is everything a tally needs to know of a proposal (protocol section 5), as plain values
//! that anyone can write down by hand. Times, keys and texts are deliberately absent.

use serde::{Deserialize, Serialize};

use crate::words::words;

/// Options a proposal may have.
pub const OPTIONS_MAX: usize = 64;
/// Votes a member may give or take on one option, whatever their credits.
pub const VOTES_MAX: i32 = 1_000;
/// All of something, in basis points.
pub const BASIS_POINTS: u32 = 10_000;

words! {
    /// How a ballot is marked and counted.
    Method, "quadratic, single, approval, ranked, budget", {
        /// Votes for and against, whose squares are paid out of the voter's credits.
        Quadratic => "quadratic",
        /// One option.
        Single => "single",
        /// Any number of options.
        Approval => "approval",
        /// Options in order of preference, counted by Schulze's method with winning votes.
        Ranked => "ranked",
        /// Quadratic ballots; options are taken by score while their cost fits the budget.
        Budget => "budget",
    }
}

words! {
    /// What becomes of a tie for the first place.
    Tie, "status-quo, lot", {
        /// Nothing passes.
        StatusQuo => "status-quo",
        /// The beacon draws one of them.
        Lot => "lot",
    }
}

words! {
    /// Whether members may have another member's ballot copied.
    DelegationRule, "none, copy", {
        /// Whoever does not vote does not vote.
        None => "none",
        /// A delegator who does not vote casts the delegate's ballot, scaled to their own credits.
        Copy => "copy",
    }
}

words! {
    /// Whether ballots can be read before the close.
    Privacy, "open, tlock", {
        /// Anyone can read them at once.
        Open => "open",
        /// Encrypted to a round of the beacon.
        Tlock => "tlock",
    }
}

impl Method {
    /// Whether votes are paid for with credits.
    #[must_use]
    pub const fn spends(self) -> bool {
        matches!(self, Self::Quadratic | Self::Budget)
    }
}

/// Something that can be voted for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProposalOption {
    /// 1 to 16 of `a-z` and `0-9`.
    pub id: String,
    /// What people read.
    pub label: String,
    /// What it costs, in the unit of the proposal's budget.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<u64>,
}

/// The rules of one vote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// How ballots are marked and counted.
    pub method: Method,
    /// 1 to [`OPTIONS_MAX`], ids distinct.
    pub options: Vec<ProposalOption>,
    /// Least votes on an option, at most 0. Only where votes are paid for.
    pub min: i32,
    /// Most votes on an option, at least 0. Only where votes are paid for.
    pub max: i32,
    /// What may be spent in all, where the method is `budget`.
    pub budget: u64,
    /// Heads that must vote, in basis points of the roster.
    pub quorum: u32,
    /// Share of the votes on an option that must be in favour, in basis points.
    pub pass: Option<u32>,
    /// What becomes of a tie.
    pub tie: Tie,
    /// Whether ballots are copied to delegators.
    pub delegation: DelegationRule,
}

impl Rules {
    /// The place of an option in the order of the proposal.
    #[must_use]
    pub fn place(&self, option: &str) -> Option<usize> {
        self.options.iter().position(|candidate| candidate.id == option)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_written() {
        for method in Method::ALL {
            assert_eq!(method.as_str().parse(), Ok(*method));
            assert_eq!(serde_json::to_value(method).unwrap(), method.as_str());
        }
        for tie in Tie::ALL {
            assert_eq!(tie.as_str().parse(), Ok(*tie));
            assert_eq!(serde_json::to_value(tie).unwrap(), tie.as_str());
        }
        for rule in DelegationRule::ALL {
            assert_eq!(rule.as_str().parse(), Ok(*rule));
        }
        for privacy in Privacy::ALL {
            assert_eq!(privacy.as_str().parse(), Ok(*privacy));
        }
        let wrong = "Quadratic".parse::<Method>().unwrap_err().to_string();
        assert_eq!(wrong, "expected one of: quadratic, single, approval, ranked, budget");
    }
}
