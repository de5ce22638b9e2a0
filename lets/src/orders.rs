//! The orders of one account, by number.
//!
//! Nearly all of them count, one at each number, and those are a plain list. Whatever else there
//! is (what has not come so far, forks, what waits for an earlier number) stands beside it.

use ayni_protocol::EventId;

use crate::few::Few;

/// The orders of one account.
#[derive(Debug, Clone, Default)]
pub struct Orders {
    /// Certified orders from number 0 on, without a gap; of several at one number the lowest id.
    chain: Vec<EventId>,
    /// All others, and how far they have come.
    others: Few<(u64, EventId), Reached>,
}

/// How far an order has come.
#[derive(Debug, Clone, Copy, Default)]
struct Reached {
    /// It lacks nothing but witnesses.
    sound: bool,
    /// A witness attested it.
    attested: bool,
    /// It counts.
    certified: bool,
}

impl Orders {
    /// First number without a certified order.
    pub fn next_seq(&self) -> u64 {
        u64::try_from(self.chain.len()).unwrap_or(u64::MAX)
    }

    /// The order that the next one must name: of two certified ones the lowest id.
    pub fn last(&self) -> Option<EventId> {
        self.chain.last().copied()
    }

    /// Notes that an order lacks nothing but witnesses; false where that was known, or it counts.
    pub fn note_sound(&mut self, seq: u64, id: EventId) -> bool {
        if self.in_chain(seq) == Some(id) {
            return false;
        }
        let reached = self.others.or_default((seq, id));
        let fresh = !reached.sound && !reached.certified;
        reached.sound = true;
        fresh
    }

    /// Notes that a witness attested an order.
    pub fn note_attested(&mut self, seq: u64, id: EventId) {
        if self.in_chain(seq) != Some(id) {
            self.others.or_default((seq, id)).attested = true;
        }
    }

    /// Books that an order counts.
    pub fn certify(&mut self, seq: u64, id: EventId) {
        self.others.remove(&(seq, id));
        let is_next = seq == self.next_seq();
        let beside = match usize::try_from(seq).ok().and_then(|seq| self.chain.get_mut(seq)) {
            Some(first) if id == *first => return,
            Some(first) if id < *first => std::mem::replace(first, id),
            _ => id,
        };
        if is_next {
            self.grow();
            self.chain.push(id);
        } else {
            *self.others.or_default((seq, beside)) =
                Reached { certified: true, ..Reached::default() };
        }
        if self.others.is_empty() {
            return;
        }
        // A gap may be closed now.
        let mut next = self.next_seq();
        while let Some(id) = self.certified_at(next).min() {
            self.others.remove(&(next, id));
            self.grow();
            self.chain.push(id);
            next = self.next_seq();
        }
    }

    /// Makes room for a few more, and a quarter ahead: lists that double leave a quarter of the memory
    /// of a hundred thousand accounts unused.
    fn grow(&mut self) {
        if self.chain.len() == self.chain.capacity() {
            self.chain.reserve_exact(self.chain.len() / 4 + 2);
        }
    }

    /// Whether another order than this one is known of at its number, which is rare.
    pub fn is_contested(&self, seq: u64, id: EventId) -> bool {
        let alone =
            self.others.is_at_most(&(seq, id)) || self.beside(seq, |_| true).all(|it| it == id);
        !alone || self.in_chain(seq).is_some_and(|certified| certified != id)
    }

    /// Brings into the processor's cache what the next order will ask for; says something about it,
    /// so that it has to be looked at.
    pub fn touch(&self) -> u8 {
        self.chain.last().and_then(|id| id.0.last()).map_or(0, |byte| *byte)
    }

    /// Orders that count at this number, by id.
    pub fn certified_at(&self, seq: u64) -> impl Iterator<Item = EventId> {
        self.in_chain(seq).into_iter().chain(self.beside(seq, |reached| reached.certified))
    }

    /// Orders at this number that lack nothing but witnesses, or not even those.
    pub fn sound_at(&self, seq: u64) -> impl Iterator<Item = EventId> {
        let sound = self.beside(seq, |reached| reached.sound && !reached.certified);
        sound.chain(self.certified_at(seq))
    }

    /// Orders at this number that some witness attested.
    pub fn attested_at(&self, seq: u64) -> impl Iterator<Item = EventId> {
        self.pending_at(seq).chain(self.certified_at(seq))
    }

    /// Orders at this number that some witness attested, and that do not count yet.
    pub fn pending_at(&self, seq: u64) -> impl Iterator<Item = EventId> {
        self.beside(seq, |reached| reached.attested && !reached.certified)
    }

    /// Every order that counts: those without a gap by number, then the others.
    pub fn certified(&self) -> impl Iterator<Item = EventId> {
        let others = self.others.iter().filter(|(_, reached)| reached.certified);
        self.chain.iter().copied().chain(others.map(|((_, id), _)| *id))
    }

    fn in_chain(&self, seq: u64) -> Option<EventId> {
        self.chain.get(usize::try_from(seq).ok()?).copied()
    }

    fn beside(
        &self,
        seq: u64,
        wanted: fn(Reached) -> bool,
    ) -> impl Iterator<Item = EventId> + use<'_> {
        let range = (seq, EventId([0; 32]))..=(seq, EventId([0xff; 32]));
        let all = self.others.range(range);
        all.filter(move |(_, reached)| wanted(**reached)).map(|((_, id), _)| *id)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// It answers as three plain sets would, whatever came first.
        #[test]
        fn orders_are_three_sets(steps in prop::collection::vec((0_u64..5, 0_u8..4, 0_u8..3), 0..40)) {
            let mut orders = Orders::default();
            let (mut sound, mut attested, mut certified) = <(BTreeSet<_>, BTreeSet<_>, BTreeSet<_>)>::default();
            for (seq, number, step) in steps {
                let order = (seq, EventId([number; 32]));
                match step {
                    0 => {
                        let fresh = !certified.contains(&order) && sound.insert(order);
                        prop_assert_eq!(orders.note_sound(order.0, order.1), fresh);
                    }
                    1 => {
                        orders.note_attested(order.0, order.1);
                        attested.insert(order);
                    }
                    _ => {
                        orders.certify(order.0, order.1);
                        certified.insert(order);
                    }
                }
                let contested = [&sound, &attested, &certified].into_iter().flatten();
                let contested = contested.into_iter().any(|it| it.0 == order.0 && it.1 != order.1);
                prop_assert_eq!(orders.is_contested(order.0, order.1), contested);
                let at = |all: &BTreeSet<(u64, EventId)>, seq| -> BTreeSet<EventId> {
                    all.iter().filter(|it| it.0 == seq).map(|it| it.1).collect()
                };
                for seq in 0..5 {
                    let counts = at(&certified, seq);
                    prop_assert!(orders.certified_at(seq).eq(counts.iter().copied()));
                    let now: BTreeSet<_> = orders.sound_at(seq).collect();
                    prop_assert_eq!(now, &at(&sound, seq) | &counts);
                    let now: BTreeSet<_> = orders.attested_at(seq).collect();
                    prop_assert_eq!(now, &at(&attested, seq) | &counts);
                    let now: Vec<_> = orders.pending_at(seq).collect();
                    prop_assert!(now.iter().eq(at(&attested, seq).difference(&counts)));
                }
                let whole = (0..5).take_while(|seq| !at(&certified, *seq).is_empty()).count();
                prop_assert_eq!(orders.next_seq(), u64::try_from(whole).unwrap());
                let last = whole.checked_sub(1).and_then(|last| at(&certified, u64::try_from(last).unwrap()).pop_first());
                prop_assert_eq!(orders.last(), last);
                let mut all: Vec<_> = orders.certified().collect();
                let mut plain: Vec<_> = certified.iter().map(|(_, id)| *id).collect();
                all.sort_unstable();
                plain.sort_unstable();
                prop_assert_eq!(all, plain);
            }
        }
    }
}
