//! Which events have a tag, an author or a kind: lists of slots by 64-bit hash.
//!
//! Most tags are on one event only (every reply names its own parent), so a list of one is kept in
//! the table itself: 16 bytes.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::slots::{SlotId, Slots};
use super::sorted::{Run, Sorted};
use crate::frame::{narrow, wide};

/// Where the slots of a hash are.
#[derive(Debug, Clone, Copy)]
enum List {
    One(SlotId),
    /// The number of a list.
    Many(u32),
}

/// Lists of slots by hash.
#[derive(Debug, Default)]
pub struct Postings {
    keys: HashTable<(u64, List)>,
    lists: Vec<Sorted>,
    free: Vec<u32>,
}

impl Postings {
    /// Adds a slot to the list of `key`.
    pub fn add(&mut self, key: u64, slot: SlotId, slots: &Slots) {
        match self.keys.entry(key, |(other, _)| *other == key, |(key, _)| *key) {
            Entry::Vacant(place) => {
                place.insert((key, List::One(slot)));
            }
            Entry::Occupied(mut place) => match place.get().1 {
                List::Many(list) => {
                    if let Some(list) = self.lists.get_mut(wide(list)) {
                        list.add(slot, slots);
                    }
                }
                List::One(first) => {
                    let mut list = Sorted::default();
                    list.add(first, slots);
                    list.add(slot, slots);
                    place.get_mut().1 = List::Many(keep(&mut self.lists, &mut self.free, list));
                }
            },
        }
    }

    /// Takes a slot out of the list of `key`.
    pub fn remove(&mut self, key: u64, slot: SlotId, slots: &Slots) {
        let Ok(place) = self.keys.find_entry(key, |(other, _)| *other == key) else { return };
        match place.get().1 {
            List::One(only) if only == slot => {
                place.remove();
            }
            List::One(_) => {}
            List::Many(number) => {
                let Some(list) = self.lists.get_mut(wide(number)) else { return };
                list.remove(slot, slots);
                if list.is_empty() {
                    *list = Sorted::default();
                    self.free.push(number);
                    place.remove();
                }
            }
        }
    }

    /// How many slots the list of `key` has.
    pub fn len(&self, key: u64) -> usize {
        match self.find(key) {
            None => 0,
            Some(List::One(_)) => 1,
            Some(List::Many(list)) => self.lists.get(wide(*list)).map_or(0, Sorted::len),
        }
    }

    /// The list of `key` from the newest that `within` holds for on.
    pub fn run(
        &self,
        key: u64,
        slots: &Slots,
        within: impl Fn(super::slots::Age) -> bool,
    ) -> Run<'_> {
        match self.find(key) {
            None => Run::default(),
            Some(List::One(slot)) if within(slots.age(*slot)) => Run::one(slot),
            Some(List::One(_)) => Run::default(),
            Some(List::Many(list)) => self
                .lists
                .get(wide(*list))
                .map_or_else(Run::default, |list| list.run(slots, within)),
        }
    }

    /// Every key with its slots, oldest first, in no order of keys.
    pub fn iter(&self) -> impl Iterator<Item = (u64, Vec<SlotId>)> + '_ {
        self.keys.iter().map(|(key, list)| match list {
            List::One(slot) => (*key, vec![*slot]),
            List::Many(list) => (
                *key,
                self.lists.get(wide(*list)).map(|list| list.iter().collect()).unwrap_or_default(),
            ),
        })
    }

    /// Room for so many keys.
    pub fn reserve(&mut self, keys: usize) {
        self.keys.reserve(keys, |(key, _)| *key);
    }

    /// How many keys there are.
    pub fn keys(&self) -> usize {
        self.keys.len()
    }

    /// Notes where the blocks of all lists begin, after lists were put in.
    pub fn begin(&mut self, slots: &Slots) {
        self.lists.iter_mut().for_each(|list| list.begin(slots));
    }

    /// Puts a whole list in, for a key that has none. The slots are in order; [`Self::begin`] must
    /// follow before it is asked.
    pub fn put(&mut self, key: u64, ordered: &[SlotId]) {
        let list = match ordered {
            [] => return,
            [only] => List::One(*only),
            many => List::Many(keep(&mut self.lists, &mut self.free, Sorted::from_ordered(many))),
        };
        self.keys.insert_unique(key, (key, list), |(key, _)| *key);
    }

    /// Bytes it takes.
    pub fn bytes(&self) -> usize {
        let lists: usize = self.lists.iter().map(Sorted::bytes).sum();
        self.keys.allocation_size() + self.lists.capacity() * size_of::<Sorted>() + lists
    }

    fn find(&self, key: u64) -> Option<&List> {
        self.keys.find(key, |(other, _)| *other == key).map(|(_, list)| list)
    }
}

/// Puts a list where there is room for it.
fn keep(lists: &mut Vec<Sorted>, free: &mut Vec<u32>, list: Sorted) -> u32 {
    if let Some(number) = free.pop()
        && let Some(place) = lists.get_mut(wide(number))
    {
        *place = list;
        return number;
    }
    lists.push(list);
    narrow(lists.len() - 1)
}
