//! Maps by id or key that are only ever asked, never walked.
//!
//! Ids and keys are as good as random already, so hashing one is four multiplications, and finding
//! one of a million costs a line or two of memory where a tree costs twenty. Nothing here is random:
//! the same steps give the same map. Whoever wants many keys to share a place in it has to compute
//! a million signed events for each, and gains a slower lookup.
//!
//! What is walked goes by order of arrival, and that may show nowhere: sort it, or use a tree.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::{EventId, PublicKey};

/// A map by event id.
pub type IdMap<V> = HashMap<EventId, V, BuildHasherDefault<IdHasher>>;

/// A map by key.
pub type KeyMap<V> = HashMap<PublicKey, V, BuildHasherDefault<IdHasher>>;

/// Mixes bytes that are as good as random.
#[derive(Debug, Clone, Copy, Default)]
pub struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        for byte in rest {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, word: u64) {
        // An odd number without pattern: the golden ratio's fraction.
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    // The length of an array, which is always 32.
    fn write_usize(&mut self, _: usize) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_differ_in_one_byte_are_told_apart() {
        let mut map = IdMap::default();
        let ids = (0..32_u8).flat_map(|at| {
            (1..=255_u8).map(move |value| {
                let mut id = [0; 32];
                id[usize::from(at)] = value;
                EventId(id)
            })
        });
        for (number, id) in ids.clone().enumerate() {
            assert_eq!(map.insert(id, number), None);
        }
        assert!(ids.enumerate().all(|(number, id)| map[&id] == number));
        let hashes: std::collections::BTreeSet<u64> = map
            .keys()
            .map(|id| {
                let mut hasher = IdHasher::default();
                std::hash::Hash::hash(id, &mut hasher);
                hasher.finish()
            })
            .collect();
        assert_eq!(hashes.len(), map.len(), "no two share a hash");
    }
}
