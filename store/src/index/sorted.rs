//! Slots in the order of scans, oldest first, so that the newest, which come most, go at the end.
//!
//! Numbers of 4 bytes in blocks of at most 512: an event that comes late moves half a block, not
//! the list. The times and ids that order them stand in the slots.

use std::cmp::Reverse;

use ayni_protocol::Timestamp;

use super::slots::{Age, SlotId, Slots};

/// Slots in a block.
const BLOCK: usize = 512;
/// Slots at the end of a block that are looked at first.
const NEAR: usize = 16;

/// A sorted list of slots.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sorted {
    /// None is empty, each ends before the next begins.
    blocks: Vec<Block>,
    len: usize,
}

/// Some slots in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Block {
    /// How old its first slot is, in short, so that to find a block costs no look at slots, which lie
    /// far away in memory. Of an only block it says nothing.
    start: Short,
    ids: Vec<SlotId>,
}

/// The beginning of an [`Age`]. Where two differ, they are ordered as their ages are.
type Short = (Timestamp, Reverse<u64>);

const fn short(age: Age) -> Short {
    let (time, Reverse([first, ..])) = age;
    (time, Reverse(first))
}

impl Block {
    const fn of(ids: Vec<SlotId>) -> Self {
        Self { start: (0, Reverse(0)), ids }
    }

    /// Notes how old the first slot is.
    fn begin(&mut self, slots: &Slots) {
        if let Some(first) = self.ids.first() {
            self.start = short(slots.age(*first));
        }
    }

    fn insert(&mut self, place: usize, id: SlotId, slots: &Slots) {
        self.ids.insert(place, id);
        if place == 0 {
            self.begin(slots);
        }
    }
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
            return self.push(id, slots);
        }
        let at = self.block_of(age, slots);
        let Some(block) = self.blocks.get_mut(at) else { return };
        self.len += 1;
        let place = place_from_end(&block.ids, age, slots);
        if block.ids.len() < BLOCK {
            return block.insert(place, id, slots);
        }
        let mut upper = Block::of(block.ids.split_off(BLOCK / 2));
        match place.checked_sub(BLOCK / 2) {
            Some(place) => upper.ids.insert(place, id),
            None => block.ids.insert(place, id),
        }
        block.begin(slots);
        upper.begin(slots);
        self.blocks.insert(at + 1, upper);
    }

    /// Notes where its blocks begin, after a list of several was made of what is in order.
    pub fn begin(&mut self, slots: &Slots) {
        if self.blocks.len() > 1 {
            self.blocks.iter_mut().for_each(|block| block.begin(slots));
        }
    }

    /// Adds a slot that is newer than all that are there.
    pub fn push(&mut self, id: SlotId, slots: &Slots) {
        self.len += 1;
        match self.blocks.last_mut().filter(|block| block.ids.len() < BLOCK) {
            Some(block) => block.ids.push(id),
            None => {
                if self.blocks.is_empty() {
                    // Most lists never have a second.
                    self.blocks.reserve_exact(1);
                }
                self.blocks.push(Block::of(vec![id]));
                let from = if self.blocks.len() == 2 { 0 } else { self.blocks.len() - 1 };
                self.blocks.iter_mut().skip(from).for_each(|block| block.begin(slots));
            }
        }
    }

    fn newest(&self) -> Option<SlotId> {
        self.blocks.last().and_then(|block| block.ids.last()).copied()
    }

    /// Takes a slot out, whose content is still there.
    pub fn remove(&mut self, id: SlotId, slots: &Slots) {
        let age = slots.age(id);
        let at = self.block_of(age, slots);
        let Some(block) = self.blocks.get_mut(at) else { return };
        let place = place_from_end(&block.ids, age, slots);
        if block.ids.get(place) != Some(&id) {
            return;
        }
        block.ids.remove(place);
        self.len -= 1;
        if block.ids.is_empty() {
            self.blocks.remove(at);
        } else if place == 0 {
            block.begin(slots);
        }
    }

    /// The newest that `within` holds for, as a run to older ones. `within` is true up to an age.
    pub fn run(&self, slots: &Slots, within: impl Fn(Age) -> bool) -> Run<'_> {
        let begins_within =
            |block: &Block| block.ids.first().is_some_and(|id| within(slots.age(*id)));
        let blocks = self.blocks.partition_point(begins_within);
        let (older, last) = match self.blocks.get(..blocks).and_then(<[_]>::split_last) {
            Some((last, older)) => (older, last.ids.as_slice()),
            None => (&[][..], &[][..]),
        };
        let place = last.partition_point(|id| within(slots.age(*id)));
        Run { older, block: last.get(..place).unwrap_or_default() }
    }

    /// All of it, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = SlotId> + '_ {
        self.blocks.iter().flat_map(|block| &block.ids).copied()
    }

    /// A list of what is already in order; [`Self::begin`] must follow before it is asked.
    pub fn from_ordered(ids: &[SlotId]) -> Self {
        let blocks = ids.chunks(BLOCK).map(|ids| Block::of(ids.to_vec()));
        Self { blocks: blocks.collect(), len: ids.len() }
    }

    /// Bytes it takes beyond itself.
    pub fn bytes(&self) -> usize {
        let slots: usize = self.blocks.iter().map(|block| block.ids.capacity()).sum();
        slots * size_of::<SlotId>() + self.blocks.capacity() * size_of::<Block>()
    }

    /// The block that holds `age`, or would.
    fn block_of(&self, age: Age, slots: &Slots) -> usize {
        if self.blocks.len() <= 1 {
            return 0;
        }
        let short = short(age);
        // The usual case first: the newest of all.
        if self.blocks.last().is_some_and(|block| block.start < short) {
            return self.blocks.len() - 1;
        }
        let before = self.blocks.partition_point(|block| block.start < short);
        let (_, rest) = self.blocks.split_at_checked(before).unwrap_or_default();
        let begins_before =
            |block: &&Block| block.ids.first().is_some_and(|id| slots.age(*id) <= age);
        let alike = rest.iter().take_while(|block| block.start == short);
        (before + alike.take_while(begins_before).count()).saturating_sub(1)
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
    older: &'a [Block],
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
            self.block = &last.ids;
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
            let mut copy = Sorted::from_ordered(&ordered);
            copy.begin(&slots);
            let before = copy.clone();
            sorted.iter().take(5).for_each(|id| copy.remove(id, &slots));
            sorted.iter().take(5).for_each(|id| copy.add(id, &slots));
            prop_assert!(copy.iter().eq(before.iter()));
            prop_assert!(copy.iter().eq(ordered));
        }
    }
}
