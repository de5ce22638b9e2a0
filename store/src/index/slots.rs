//! What the index knows of each event: 56 bytes, in a table that never moves.
//!
//! Numbers of slots are given again when an event goes, so the table is as long as the most events
//! there ever were. It grows by whole blocks: one long vector would be copied, and be half empty,
//! each time it doubles.

use std::cmp::Reverse;

use ayni_protocol::{EventId, Kind, Timestamp};

use crate::frame::{narrow, wide};

/// The number of a slot.
pub type SlotId = u32;

/// Slots in a block.
const BLOCK: usize = 4_096;

/// One event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// Its id.
    pub id: EventId,
    /// Its time.
    pub created_at: Timestamp,
    /// The segment its frame lies in.
    pub segment: u32,
    /// Where its frame begins.
    pub offset: u32,
    /// The number of its author.
    pub author: u32,
    /// Its kind.
    pub kind: Kind,
    /// Whether its time ends.
    pub expires: bool,
}

/// The order of scans, oldest first: by time, and of one time highest id first. The id stands here as
/// four numbers: of events of one second, the first nearly always decides.
pub type Age = (Timestamp, Reverse<[u64; 4]>);
/// The oldest of all.
const OLDEST: Age = (0, Reverse([u64::MAX; 4]));

impl Slot {
    /// Its place in the order of scans.
    #[inline]
    pub fn age(&self) -> Age {
        let (words, _) = self.id.0.as_chunks::<8>();
        let word = |at: usize| words.get(at).map_or(0, |word| u64::from_be_bytes(*word));
        (self.created_at, Reverse([word(0), word(1), word(2), word(3)]))
    }
}

/// All slots.
#[derive(Debug, Default)]
pub struct Slots {
    blocks: Vec<Vec<Slot>>,
    free: Vec<SlotId>,
}

impl Slots {
    /// Puts an event into a slot.
    pub fn add(&mut self, slot: Slot) -> SlotId {
        if let Some(id) = self.free.pop() {
            if let Some(place) = self.get_mut(id) {
                *place = slot;
            }
            return id;
        }
        match self.blocks.last_mut().filter(|block| block.len() < BLOCK) {
            Some(block) => block.push(slot),
            None => {
                let mut block = Vec::with_capacity(BLOCK);
                block.push(slot);
                self.blocks.push(block);
            }
        }
        narrow(self.places() - 1)
    }

    /// Gives a slot back. Its content stays until it is given again, and nothing may point to it.
    pub fn remove(&mut self, id: SlotId) {
        self.free.push(id);
    }

    /// A slot.
    pub fn get(&self, id: SlotId) -> Option<&Slot> {
        self.blocks.get(wide(id) / BLOCK)?.get(wide(id) % BLOCK)
    }

    /// A slot, to change it.
    pub fn get_mut(&mut self, id: SlotId) -> Option<&mut Slot> {
        self.blocks.get_mut(wide(id) / BLOCK)?.get_mut(wide(id) % BLOCK)
    }

    /// The place of a slot in the order of scans; the oldest of all for one that is not there.
    #[inline]
    pub fn age(&self, id: SlotId) -> Age {
        self.get(id).map_or(OLDEST, Slot::age)
    }

    fn places(&self) -> usize {
        let full = self.blocks.len().saturating_sub(1) * BLOCK;
        full + self.blocks.last().map_or(0, Vec::len)
    }

    /// Bytes it takes.
    pub fn bytes(&self) -> usize {
        self.blocks.len() * BLOCK * size_of::<Slot>() + self.free.capacity() * size_of::<SlotId>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(number: u8) -> Slot {
        let id = EventId([number; 32]);
        let kind = Kind(1);
        Slot { id, created_at: 5, segment: 1, offset: 0, author: 0, kind, expires: false }
    }

    #[test]
    fn numbers_are_given_again() {
        let mut slots = Slots::default();
        let all: Vec<_> = (0..BLOCK + 2).map(|_| slots.add(slot(1))).collect();
        assert_eq!(all.last(), Some(&narrow(BLOCK + 1)));
        slots.remove(7);
        assert_eq!(slots.add(slot(2)), 7);
        assert_eq!(slots.get(7), Some(&slot(2)));
        assert_eq!(slots.add(slot(3)), narrow(BLOCK + 2));
        assert_eq!(slots.get(narrow(BLOCK + 3)), None);
    }

    #[test]
    fn a_slot_is_56_bytes() {
        assert_eq!(size_of::<Slot>(), 56);
    }

    #[test]
    fn of_one_time_the_highest_id_is_the_oldest() {
        assert!(slot(2).age() < slot(1).age());
        assert!(Slot { created_at: 4, ..slot(1) }.age() < slot(2).age());
    }
}
