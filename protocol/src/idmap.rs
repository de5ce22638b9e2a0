//! Maps by id or key, for finding one of a million.
//!
//! Such a lookup costs a line or two of memory, where a tree costs twenty. The order in which a hash
//! map would be walked must show nowhere, so it cannot be: what is listed is sorted.
//!
//! The hash is fixed, because nothing here may be random. Whoever wants many events to share a place
//! has to compute a million hashes for each of them, and gains a slower lookup.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash};

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use crate::rows::Rows;
use crate::{EventId, PublicKey};

/// A map by event id.
pub type IdMap<V> = Lookup<EventId, V>;

/// A map by key.
pub type KeyMap<V> = Lookup<PublicKey, V>;

/// A map that is asked, and never walked in the order of its hashes.
#[derive(Debug, Clone)]
pub struct Lookup<K, V>(HashMap<K, V, FixedState>);

impl<K, V> Default for Lookup<K, V> {
    fn default() -> Self {
        Self(HashMap::default())
    }
}

impl<K: Eq + Hash + Ord, V> Lookup<K, V> {
    /// What lies under a key.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        self.0.get(key)
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.0.get_mut(key)
    }

    /// Whether anything lies under a key.
    #[must_use]
    pub fn contains_key(&self, key: &K) -> bool {
        self.0.contains_key(key)
    }

    /// Lays something under a key; gives what lay there.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.0.insert(key, value)
    }

    /// Takes away what lies under a key.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.0.remove(key)
    }

    /// What lies under a key; where there is nothing, a default is laid there.
    pub fn or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        self.0.entry(key).or_default()
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Everything, by key.
    #[must_use]
    pub fn sorted(&self) -> Vec<(&K, &V)> {
        let mut all: Vec<_> = self.0.iter().collect();
        all.sort_unstable_by_key(|(key, _)| *key);
        all
    }
}

/// Where a key stands in a [`Register`]. It depends on what came first, so nothing depends on it that
/// must be the same everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Number(u32);

/// A map that numbers its keys as they come and forgets none. What names a key often can name its
/// number instead, in four bytes.
#[derive(Debug, Clone)]
pub struct Register<K, V> {
    /// Where each key stands. Half of its hash lies beside the number: a place is found, and the
    /// table grows, without a look at keys that lie far away in memory.
    places: HashTable<(u32, Number)>,
    rows: Rows<(K, V)>,
}

impl<K, V> Default for Register<K, V> {
    fn default() -> Self {
        Self { places: HashTable::new(), rows: Rows::default() }
    }
}

impl<K: Eq + Hash, V> Register<K, V> {
    /// What lies under a key.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        Some(self.at(self.number(key)?)?.1)
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.at_mut(self.number(key)?)
    }

    /// Where a key stands, if it came.
    #[must_use]
    pub fn number(&self, key: &K) -> Option<Number> {
        let half = half_hash(key);
        let found = self.places.find(whole_hash(half), |(other, number)| {
            *other == half && self.at(*number).is_some_and(|(other, _)| other == key)
        });
        found.map(|(_, number)| *number)
    }

    /// The key that stands there, and what lies under it.
    #[must_use]
    pub fn at(&self, number: Number) -> Option<(&K, &V)> {
        self.rows.get(number.place()).map(|(key, value)| (key, value))
    }

    /// What lies under the key that stands there, to change it.
    pub fn at_mut(&mut self, number: Number) -> Option<&mut V> {
        self.rows.get_mut(number.place()).map(|(_, value)| value)
    }

    /// Where a key stands; one that had not come comes now, with a default.
    pub fn enter(&mut self, key: K) -> Number
    where
        V: Default,
    {
        self.number(&key).unwrap_or_else(|| self.begin(key, V::default()))
    }

    /// Lays something under a key; gives what lay there.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        if let Some(number) = self.number(&key) {
            return self.at_mut(number).map(|before| std::mem::replace(before, value));
        }
        self.begin(key, value);
        None
    }

    /// Makes room for so many more keys: a table that grows is written anew.
    pub fn reserve(&mut self, more: usize) {
        self.places.reserve(more, |(half, _)| whole_hash(*half));
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Everything, as it came.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.rows.iter().map(|(key, value)| (key, value))
    }

    /// Gives the next number to a key that had not come.
    fn begin(&mut self, key: K, value: V) -> Number {
        // Four billion keys would need hundreds of gigabytes, so numbers never run out.
        let number = Number(u32::try_from(self.rows.len()).unwrap_or(u32::MAX));
        let half = half_hash(&key);
        let rehash = |(half, _): &(u32, Number)| whole_hash(*half);
        self.places.insert_unique(whole_hash(half), (half, number), rehash);
        self.rows.push((key, value));
        number
    }
}

impl Number {
    fn place(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// What a register keeps of a key's hash.
fn half_hash(key: &impl Hash) -> u32 {
    let hash = FixedState::default().hash_one(key);
    u32::try_from((hash ^ (hash >> 32)) & u64::from(u32::MAX)).unwrap_or_default()
}

/// The hash that the table goes by: it looks at both ends, and so finds the kept half at both.
fn whole_hash(half: u32) -> u64 {
    let half = u64::from(half);
    (half << 32) | half
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// A key keeps its number, and a number its key.
        #[test]
        fn a_register_numbers_keys_as_they_come(keys in prop::collection::vec(0_u8..9, 0..40)) {
            let (mut register, mut plain) = (Register::<EventId, u32>::default(), Vec::new());
            for key in &keys {
                let id = EventId([*key; 32]);
                if !plain.contains(&id) {
                    prop_assert!(register.get(&id).is_none() && register.number(&id).is_none());
                    plain.push(id);
                }
                let number = register.enter(id);
                let times = register.at_mut(number).unwrap();
                *times += 1;
                let times = *times;
                prop_assert_eq!(register.insert(id, times), Some(times));
            }
            prop_assert_eq!((register.len(), register.is_empty()), (plain.len(), plain.is_empty()));
            prop_assert!(register.iter().map(|(id, _)| id).eq(&plain));
            for (at, id) in plain.iter().enumerate() {
                let number = register.number(id).unwrap();
                let times = u32::try_from(keys.iter().filter(|key| id.0[0] == **key).count()).unwrap();
                prop_assert_eq!(number, Number(u32::try_from(at).unwrap()));
                prop_assert_eq!(register.at(number), Some((id, &times)));
                prop_assert_eq!(register.at_mut(number).copied(), Some(times));
                prop_assert_eq!(register.get_mut(id).copied(), Some(times));
            }
        }

        /// It is the tree that it stands for.
        #[test]
        fn a_lookup_is_a_tree(steps in prop::collection::vec((0_u8..8, 0_u8..4, any::<u8>()), 0..60)) {
            let (mut lookup, mut tree) = (IdMap::default(), BTreeMap::new());
            for (key, step, value) in steps {
                let key = EventId([key; 32]);
                match step {
                    0 => prop_assert_eq!(lookup.insert(key, value), tree.insert(key, value)),
                    1 => prop_assert_eq!(lookup.remove(&key), tree.remove(&key)),
                    2 => *lookup.or_default(key) = { *tree.entry(key).or_default() = value; value },
                    _ => prop_assert_eq!(lookup.get_mut(&key), tree.get_mut(&key)),
                }
                prop_assert_eq!(lookup.get(&key), tree.get(&key));
                prop_assert_eq!(lookup.contains_key(&key), tree.contains_key(&key));
                prop_assert_eq!((lookup.len(), lookup.is_empty()), (tree.len(), tree.is_empty()));
                prop_assert!(lookup.sorted().into_iter().eq(&tree));
            }
        }
    }
}
