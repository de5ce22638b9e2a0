//! The draw: winners from a list of lots and a round that nobody could know (protocol section 4).
//!
//! Raffles, ties in votes and sortition of panels all use it. Anyone who has the box and the round
//! draws the same winners. Picking costs the logarithm of the list, so that an organiser's number
//! of prizes or reserves cannot make it slow.

use std::collections::BTreeMap;

use ayni_protocol::{EventId, PublicKey};
use sha2::{Digest, Sha256};

use crate::merkle;

/// What may win: a ticket, an option of a tied vote, a member of a panel.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lot {
    /// The entry that wins.
    pub id: EventId,
    /// Whose it is.
    pub key: PublicKey,
    /// How many units it holds; its chance is in proportion.
    pub quantity: u32,
}

/// What leaves the pool with a winner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Every lot of the winner's key.
    Person,
    /// The winning lot.
    Ticket,
    /// One unit of the winning lot.
    Unit,
}

/// Where the randomness of a draw starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seed(pub [u8; 32]);

/// Who won.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drawn {
    /// The winner of each prize, the first prize first. Fewer than prizes where the pool ran dry.
    pub winners: Vec<EventId>,
    /// Who comes next, in order.
    pub reserves: Vec<EventId>,
}

impl Seed {
    /// The seed of one draw: the subject, its list ([`list_root`]) and units ([`units`]), and the
    /// beacon's chain, round and randomness.
    #[must_use]
    pub fn new(
        subject: EventId,
        list_root: [u8; 32],
        units: u64,
        chain_hash: [u8; 32],
        round: u64,
        randomness: [u8; 32],
    ) -> Self {
        let hash = Sha256::new()
            .chain_update(b"cn/draw/v1")
            .chain_update([0])
            .chain_update(subject.0)
            .chain_update(list_root)
            .chain_update(units.to_be_bytes())
            .chain_update(chain_hash)
            .chain_update(round.to_be_bytes())
            .chain_update(randomness);
        Self(hash.finalize().into())
    }

    /// The numbers `v` of section 4, one after another, without end.
    fn numbers(self) -> impl Iterator<Item = u128> {
        (0_u64..).map(move |counter| {
            let block: [u8; 32] = Sha256::new()
                .chain_update(self.0)
                .chain_update(counter.to_be_bytes())
                .finalize()
                .into();
            block.iter().take(16).fold(0, |number, byte| number << 8 | u128::from(*byte))
        })
    }
}

/// Root over the lots sorted by id; a leaf is `id || key || u32be(quantity)`.
#[must_use]
pub fn list_root(lots: &[Lot]) -> [u8; 32] {
    merkle::root(sorted(lots).iter().map(|lot| {
        [lot.id.0.as_slice(), lot.key.0.as_slice(), &lot.quantity.to_be_bytes()].concat()
    }))
}

/// How many units the lots hold together.
#[must_use]
pub fn units(lots: &[Lot]) -> u64 {
    lots.iter().map(|lot| u64::from(lot.quantity)).sum()
}

/// Draws `prizes` winners, then `reserves`, removing each by `scope`. Lots may come in any order.
#[must_use]
pub fn draw(seed: &Seed, lots: &[Lot], scope: Scope, prizes: usize, reserves: usize) -> Drawn {
    let mut pool = Pool::new(sorted(lots), scope);
    let mut numbers = seed.numbers();
    let winners: Vec<_> = (0..prizes).map_while(|_| pool.take(&mut numbers)).collect();
    let reserves = (0..reserves).map_while(|_| pool.take(&mut numbers)).collect();
    Drawn { winners, reserves }
}

fn sorted(lots: &[Lot]) -> Vec<&Lot> {
    let mut lots: Vec<_> = lots.iter().collect();
    lots.sort_unstable();
    lots
}

/// An index below `left` without bias, or nothing where `number` is one of the few at the end of
/// the range that would favour small indices.
pub(crate) fn unbiased(number: u128, left: u64) -> Option<u64> {
    let left = u128::from(left);
    let surplus = (u128::MAX.checked_rem(left)? + 1) % left;
    if number > u128::MAX - surplus {
        return None;
    }
    u64::try_from(number % left).ok()
}

/// The lots with units left, as a Fenwick tree: sums of ranges, so that finding the lot that holds
/// the n-th unit and removing units both cost a logarithm.
struct Pool<'a> {
    lots: Vec<&'a Lot>,
    scope: Scope,
    /// Units left of each lot.
    left: Vec<u64>,
    /// `sums[i]` covers the `lowest_bit(i + 1)` lots that end with lot `i`.
    sums: Vec<u64>,
    /// Units left in all.
    total: u64,
    by_key: BTreeMap<PublicKey, Vec<usize>>,
}

impl<'a> Pool<'a> {
    fn new(lots: Vec<&'a Lot>, scope: Scope) -> Self {
        let left: Vec<u64> = lots.iter().map(|lot| u64::from(lot.quantity)).collect();
        let mut sums = left.clone();
        for at in 0..sums.len() {
            let sum = sums.get(at).copied().unwrap_or(0);
            if let Some(parent) = sums.get_mut(above(at)) {
                *parent += sum;
            }
        }
        let mut by_key: BTreeMap<PublicKey, Vec<usize>> = BTreeMap::new();
        for (at, lot) in lots.iter().enumerate() {
            by_key.entry(lot.key).or_default().push(at);
        }
        Self { total: left.iter().sum(), lots, scope, left, sums, by_key }
    }

    /// Draws one winner and removes it; nothing where no units are left.
    fn take(&mut self, numbers: &mut impl Iterator<Item = u128>) -> Option<EventId> {
        if self.total == 0 {
            return None;
        }
        let unit = numbers.find_map(|number| unbiased(number, self.total))?;
        let at = self.holder(unit);
        let winner: &Lot = self.lots.get(at)?;
        match self.scope {
            Scope::Unit => self.remove(at, 1),
            Scope::Ticket => self.remove(at, u64::MAX),
            Scope::Person => {
                for at in self.by_key.remove(&winner.key).unwrap_or_default() {
                    self.remove(at, u64::MAX);
                }
            }
        }
        Some(winner.id)
    }

    /// The lot that holds this unit, counted from the first lot that has units left.
    fn holder(&self, unit: u64) -> usize {
        let mut before = 0;
        let mut skipped = 0;
        let mut step = self.sums.len().next_power_of_two();
        while step > 0 {
            let sum = (before + step).checked_sub(1).and_then(|at| self.sums.get(at));
            if let Some(sum) = sum.filter(|sum| skipped + **sum <= unit) {
                before += step;
                skipped += sum;
            }
            step /= 2;
        }
        before
    }

    /// Takes up to `units` out of a lot.
    fn remove(&mut self, lot: usize, units: u64) {
        let Some(left) = self.left.get_mut(lot) else { return };
        let units = units.min(*left);
        *left -= units;
        self.total -= units;
        let mut at = lot;
        while let Some(sum) = self.sums.get_mut(at) {
            *sum -= units;
            at = above(at);
        }
    }
}

/// The next range up that covers this one.
const fn above(at: usize) -> usize {
    let place = at + 1;
    place + (place & place.wrapping_neg()) - 1
}

#[cfg(test)]
mod tests {
    use ayni_protocol::hex;
    use serde_json::Value;

    use super::*;
    use crate::canonical::sha256;

    fn tickets() -> Vec<Lot> {
        [1, 3, 2, 5, 1, 1]
            .into_iter()
            .enumerate()
            .map(|(n, quantity)| Lot {
                id: EventId(sha256(format!("ticket-{n}"))),
                key: PublicKey(sha256(format!("buyer-{}", n % 4))),
                quantity,
            })
            .collect()
    }

    fn vectors() -> (Value, Value) {
        let read = |text| serde_json::from_str(text).unwrap();
        (
            read(include_str!("../../docs/vectors/witness.json")),
            read(include_str!("../../docs/vectors/drand-quicknet.json")),
        )
    }

    #[test]
    fn the_vectors_are_drawn_again() {
        let (ours, drand) = vectors();
        let lots = tickets();
        let expected = &ours["draw"];
        assert_eq!(hex::encode(&list_root(&lots)), expected["root"]);
        assert_eq!(units(&lots), expected["units"]);
        let chain = hex::decode(drand["chain"]["chain_hash"].as_str().unwrap()).unwrap();
        for round in [1000, 12_040_883] {
            let rounds = drand["rounds"].as_array().unwrap();
            let beacon = rounds.iter().find(|beacon| beacon["round"] == round).unwrap();
            let randomness = hex::decode(beacon["randomness"].as_str().unwrap()).unwrap();
            let subject = EventId(sha256("raffle-1"));
            let seed = Seed::new(subject, list_root(&lots), 13, chain, round, randomness);
            let expected = &expected[format!("round_{round}")];
            assert_eq!(hex::encode(&seed.0), expected["seed"]);
            let drawn = draw(&seed, &lots, Scope::Person, 2, 1);
            let number = |id: &EventId| lots.iter().position(|lot| lot.id == *id).unwrap();
            let numbers = |ids: &[EventId]| Value::from_iter(ids.iter().map(number));
            assert_eq!(numbers(&drawn.winners), expected["winners"]);
            assert_eq!(numbers(&drawn.reserves), expected["reserves"]);
        }
    }

    #[test]
    fn biased_numbers_are_rejected() {
        // 2^128 mod 3 is 1, so exactly the last number is rejected.
        assert_eq!(unbiased(u128::MAX, 3), None);
        assert_eq!(unbiased(u128::MAX - 1, 3), Some(2));
        assert_eq!(unbiased(u128::MAX, 1 << 20), Some((1 << 20) - 1));
        assert_eq!(unbiased(5, 0), None);
    }

    #[test]
    fn an_empty_pool_has_no_winners() {
        let none = Lot { quantity: 0, ..tickets()[0].clone() };
        assert_eq!(draw(&Seed([0; 32]), &[none], Scope::Person, 3, 3), Drawn::default());
        let drawn = draw(&Seed([0; 32]), &tickets(), Scope::Person, 9, 9);
        assert_eq!((drawn.winners.len(), drawn.reserves.len()), (4, 0));
    }
}
