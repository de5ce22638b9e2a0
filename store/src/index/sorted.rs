//! Slots in the order of scans, oldest first, so that the newest, which come most, go at the end.
//!
//! Numbers of 4 bytes in blocks of at most 512: an event that comes late moves half a block, not
//! the list. The times and ids that order them stand in the slots.

use super::slots::{Age, SlotId, Slots};

/// Slots in a block.
const BLOCK: usize = 512;
/// Slots at the end of a block that are looked at first.
const NEAR: usize = 16;

/// A sorted list of slots.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sorted {
    /// None is empty, each ends before the next begins.
    blocks: Vec<Vec<SlotId>>,
    len: usize,
}

impl Sorted {
    /// How many there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a slot, whose content is already there.
    pub fn add(&mut self, id: SlotId, slots: &Slots) {
        let age = slots.age(id);
        // The usual case: the newest of all. One look at another slot, which is likely a wait for
        // memory, is all it takes.
        if self.newest().is_none_or(|newest| slots.age(newest) < age) {
            return self.push(id);
        }
        let at = self.block_of(age, slots);
        let Some(block) = self.blocks.get_mut(at) else { return };
        self.len += 1;
        let place = place_from_end(block, age, slots);
        if block.len() < BLOCK {
            return block.insert(place, id);
        }
        let mut upper = block.split_off(BLOCK / 2);
        match place.checked_sub(BLOCK / 2) {
            Some(place) => upper.insert(place, id),
            None => block.insert(place, id),
        }
        self.blocks.insert(at + 1, upper);
    }

    /// Adds a slot that is newer than all that are there.
    pub fn push(&mut self, id: SlotId) {
        self.len += 1;
        match self.blocks.last_mut().filter(|block| block.len() < BLOCK) {
            Some(block) => block.push(id),
            None => self.blocks.push(vec![id]),
        }
    }

    fn newest(&self) -> Option<SlotId> {
        self.blocks.last().and_then(|block| block.last()).copied()
    }

    /// Takes a slot out, whose content is still there.
    pub fn remove(&mut self, id: SlotId, slots: &Slots) {
        let age = slots.age(id);
        let at = self.block_of(age, slots);
        let Some(block) = self.blocks.get_mut(at) else { return };
        let place = place_from_end(block, age, slots);
        if block.get(place) != Some(&id) {
            return;
        }
        block.remove(place);
        self.len -= 1;
        if block.is_empty() {
            self.blocks.remove(at);
        }
    }

    /// The newest that `within` holds for, as a run to older ones. `within` is true up to an age.
    pub fn run(&self, slots: &Slots, within: impl Fn(Age) -> bool) -> Run<'_> {
        let begins_within =
            |block: &Vec<SlotId>| block.first().is_some_and(|id| within(slots.age(*id)));
        let blocks = self.blocks.partition_point(begins_within);
        let (older, last) = match self.blocks.get(..blocks).and_then(<[_]>::split_last) {
            Some((last, older)) => (older, last.as_slice()),
            None => (&[][..], &[][..]),
        };
        let place = last.partition_point(|id| within(slots.age(*id)));
        Run { older, block: last.get(..place).unwrap_or_default() }
    }

    /// All of it, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = SlotId> + '_ {
        self.blocks.iter().flatten().copied()
    }

    /// A list of what is already in order.
    pub fn from_ordered(slots: &[SlotId]) -> Self {
        Self { blocks: slots.chunks(BLOCK).map(<[_]>::to_vec).collect(), len: slots.len() }
    }

    /// Bytes it takes beyond itself.
    pub fn bytes(&self) -> usize {
        let slots: usize = self.blocks.iter().map(Vec::capacity).sum();
        slots * size_of::<SlotId>() + self.blocks.capacity() * size_of::<Vec<SlotId>>()
    }

    /// The block that holds `age`, or would.
    fn block_of(&self, age: Age, slots: &Slots) -> usize {
        // The usual case first: the newest of all.
        let newest_begins = self.blocks.last().and_then(|block| block.first());
        if newest_begins.is_some_and(|id| slots.age(*id) <= age) {
            return self.blocks.len() - 1;
        }
        let begins_before =
            |block: &Vec<SlotId>| block.first().is_some_and(|id| slots.age(*id) <= age);
        self.blocks.partition_point(begins_before).saturating_sub(1)
    }
}

/// How many slots of a block are older. What comes late mostly comes a little late, so its end is
/// looked at first.
fn place_from_end(block: &[SlotId], age: Age, slots: &Slots) -> usize {
    let older = |id: &SlotId| slots.age(*id) < age;
    let near = block.len().saturating_sub(NEAR);
    match block.split_at_checked(near) {
        Some((_, end)) if end.first().is_some_and(older) => near + end.partition_point(older),
        Some((front, _)) => front.partition_point(older),
        None => 0,
    }
}

/// Slots from newer to older.
#[derive(Debug, Clone, Default)]
pub struct Run<'a> {
    older: &'a [Vec<SlotId>],
    block: &'a [SlotId],
}

impl Run<'_> {
    /// A run of a single slot.
    pub const fn one(slot: &SlotId) -> Run<'_> {
        Run { older: &[], block: std::slice::from_ref(slot) }
    }
}

impl Iterator for Run<'_> {
    type Item = SlotId;

    fn next(&mut self) -> Option<SlotId> {
        loop {
            if let Some((last, rest)) = self.block.split_last() {
                self.block = rest;
                return Some(*last);
            }
            let (last, older) = self.older.split_last()?;
            self.older = older;
            self.block = last;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::slots::Slot;
    use super::*;
    use ayni_protocol::{EventId, Kind};
    use proptest::prelude::*;

    fn slot(time: u64, number: u32) -> Slot {
        let mut id = [0; 32];
        id[..4].copy_from_slice(&number.to_be_bytes());
        let (id, kind) = (EventId(id), Kind(1));
        Slot { id, created_at: time, segment: 1, offset: 0, author: 0, kind, expires: false }
    }

    /// Newest first, ties lowest id first.
    fn expected(slots: &Slots, of: &[SlotId], until: u64) -> Vec<SlotId> {
        let mut of = of.to_vec();
        of.retain(|id| slots.age(*id).0 <= until);
        of.sort_by_key(|id| std::cmp::Reverse(slots.age(*id)));
        of
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]
        #[test]
        fn whatever_the_order_of_arrival_runs_are_in_order(
            times in prop::collection::vec(0_u64..40, 0..1_500),
            rising in any::<bool>(),
            gone in prop::collection::vec(any::<prop::sample::Index>(), 0..700),
            until in 0_u64..41,
        ) {
            let mut times = times;
            if rising {
                times.sort_unstable();
            }
            let (mut slots, mut sorted) = (Slots::default(), Sorted::default());
            let mut live = Vec::new();
            for (number, time) in (0..).zip(&times) {
                let id = slots.add(slot(*time, number));
                sorted.add(id, &slots);
                live.push(id);
            }
            for index in gone {
                if !live.is_empty() {
                    let id = live.swap_remove(index.index(live.len()));
                    sorted.remove(id, &slots);
                    sorted.remove(id, &slots);
                }
            }
            prop_assert_eq!(sorted.len(), live.len());
            let run: Vec<_> = sorted.run(&slots, |age| age.0 <= until).collect();
            prop_assert_eq!(run, expected(&slots, &live, until));
            let ordered: Vec<_> = sorted.iter().collect();
            let copy = Sorted::from_ordered(&ordered);
            prop_assert!(copy.iter().eq(ordered));
        }
    }
}
