//! Delegation by copying: a delegator who did not vote casts their delegate's vote.
//!
//! Copied, not pooled: under quadratic votes one purse of two members' credits would weigh less
//! than the two members do. The vote is copied hop by hop from the voter who voted back to the
//! delegator and scaled into each one's credits on the way (protocol section 8).

use std::collections::BTreeMap;

use crate::integer::isqrt;
use crate::mark::{Spoiled, Vote, cost, square};
use crate::rules::Rules;

/// How far a vote is copied. A longer chain votes nothing.
pub const HOPS_MAX: usize = 3;

/// The vote a delegator casts, and the voter it was copied from.
///
/// `own` holds everyone with a ballot of their own, spoiled ones too: whoever has one delegates
/// nothing, and nothing is copied through them. At most [`HOPS_MAX`] steps, so a cycle ends.
#[must_use]
pub fn copied<K: Ord + Copy>(
    rules: &Rules,
    credits: &BTreeMap<K, u32>,
    own: &BTreeMap<K, Result<Vote, Spoiled>>,
    delegates: &BTreeMap<K, K>,
    delegator: K,
) -> Option<(Vote, K)> {
    let mut purses = Vec::with_capacity(HOPS_MAX);
    let mut at = delegator;
    while !own.contains_key(&at) {
        if purses.len() == HOPS_MAX {
            return None;
        }
        purses.push(*credits.get(&at)?);
        at = *delegates.get(&at)?;
    }
    // A delegator with an own ballot has nothing copied.
    if purses.is_empty() {
        return None;
    }
    let mut vote = own.get(&at)?.clone().ok()?;
    if let Vote::Marks(marks) = &mut vote
        && rules.method.spends()
    {
        purses.iter().rev().for_each(|purse| scale(marks, *purse));
    }
    Some((vote, at))
}

/// Scales marks down until a purse can pay for them: each becomes `sign(v) * isqrt(v^2 * C / K)`
/// with the whole-number quotient, where `K` is what they cost and `C` the purse.
///
/// The new squares sum to at most `K * C / K`, so never to more than the purse.
pub fn scale(marks: &mut [i32], purse: u32) {
    let (purse, cost) = (u128::from(purse), u128::from(cost(marks)));
    if cost <= purse {
        return;
    }
    for mark in marks {
        // Less than the mark's own square, because the cost is greater than the purse.
        let share = u128::from(square(*mark)) * purse / cost;
        let root = isqrt(u64::try_from(share).unwrap_or(u64::MAX));
        *mark = mark.signum() * i32::try_from(root).unwrap_or(i32::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::rules;

    #[test]
    fn the_published_vector() {
        let vector: serde_json::Value =
            serde_json::from_str(include_str!("../../docs/vectors/witness.json")).unwrap();
        let numbers = |name: &str| -> Vec<i32> {
            serde_json::from_value(vector["delegation"][name].clone()).unwrap()
        };
        let mut marks = numbers("vector");
        assert_eq!(cost(&marks), vector["delegation"]["cost"].as_u64().unwrap());
        let credits = u32::try_from(vector["delegation"]["credits"].as_u64().unwrap()).unwrap();
        scale(&mut marks, credits);
        assert_eq!(marks, numbers("copied"));
    }

    #[test]
    fn what_fits_is_not_scaled() {
        let mut marks = [3, -1];
        scale(&mut marks, 10);
        assert_eq!(marks, [3, -1]);
        scale(&mut marks, 9);
        assert_eq!(marks, [2, 0]);
        scale(&mut marks, 0);
        assert_eq!(marks, [0, 0]);
    }

    /// Everyone has 100 credits but `c`, who has 25; `voter` alone voted `a=10`.
    fn chain(delegations: &[(char, char)], voter: char, who: char) -> Option<(Vec<i32>, char)> {
        let credits = ('a'..='z').map(|key| (key, if key == 'c' { 25 } else { 100 })).collect();
        let own = [(voter, Ok(Vote::Marks(vec![10])))].into();
        let delegates = delegations.iter().copied().collect();
        match copied(&rules("quadratic a"), &credits, &own, &delegates, who)? {
            (Vote::Marks(marks), from) => Some((marks, from)),
            (Vote::Abstention, _) => None,
        }
    }

    #[test]
    fn three_hops_and_no_more() {
        let line = [('a', 'b'), ('b', 'd'), ('d', 'e'), ('e', 'f')];
        assert_eq!(chain(&line, 'e', 'a'), Some((vec![10], 'e')));
        assert_eq!(chain(&line, 'f', 'b'), Some((vec![10], 'f')));
        assert_eq!(chain(&line, 'f', 'a'), None);
    }

    #[test]
    fn each_hop_scales() {
        // The vote shrinks to c's 25 credits and does not grow again on its way to a.
        assert_eq!(chain(&[('a', 'c'), ('c', 'e')], 'e', 'a'), Some((vec![5], 'e')));
    }

    #[test]
    fn a_cycle_votes_nothing() {
        assert_eq!(chain(&[('a', 'b'), ('b', 'a')], 'z', 'a'), None);
        assert_eq!(chain(&[('a', 'a')], 'z', 'a'), None);
    }

    #[test]
    fn an_own_ballot_overrides_and_a_spoiled_one_too() {
        let credits = [('a', 9), ('b', 9)].into();
        let delegates = [('a', 'b')].into();
        let own = [('a', Err(Spoiled::Overspent)), ('b', Ok(Vote::Marks(vec![1])))].into();
        assert_eq!(copied(&rules("quadratic a"), &credits, &own, &delegates, 'a'), None);
        let spoiled = [('b', Err(Spoiled::Overspent))].into();
        assert_eq!(copied(&rules("quadratic a"), &credits, &spoiled, &delegates, 'a'), None);
    }

    #[test]
    fn where_nothing_is_paid_nothing_is_scaled() {
        let credits = [('a', 0), ('b', 0)].into();
        let own = [('b', Ok(Vote::Marks(vec![1, 1])))].into();
        let copy = copied(&rules("approval a b"), &credits, &own, &[('a', 'b')].into(), 'a');
        assert_eq!(copy, Some((Vote::Marks(vec![1, 1]), 'b')));
    }
}
