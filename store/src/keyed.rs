//! Hashes under a secret key, so that nobody outside can make two values meet.
//!
//! What an index looks up is a 64-bit SipHash of it. The key is drawn once for a journal and
//! written into the head of every segment, because the hashes of tags are kept in the frames. A
//! hash finds candidates only: what it finds is compared with the event itself.

use std::hash::Hasher as _;

use ayni_protocol::{Address, Event, EventId, Kind, PublicKey};
use siphasher::sip::SipHasher13;

use crate::rules;

/// The secret of one journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashKey(pub [u8; 16]);

impl HashKey {
    /// A key nobody knows.
    pub fn random() -> std::io::Result<Self> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|error| std::io::Error::other(error.to_string()))?;
        Ok(Self(bytes))
    }

    /// A tag by its letter and first value.
    pub fn tag(&self, letter: u8, value: &str) -> u64 {
        self.hash(&[b"t", &[letter], value.as_bytes()])
    }

    /// An author.
    pub fn author(&self, author: &PublicKey) -> u64 {
        self.hash(&[b"p", &author.0])
    }

    /// A kind.
    pub fn kind(&self, kind: Kind) -> u64 {
        self.hash(&[b"k", &kind.0.to_le_bytes()])
    }

    /// An author's events of a kind.
    pub fn author_kind(&self, author: &PublicKey, kind: Kind) -> u64 {
        self.hash(&[b"b", &author.0, &kind.0.to_le_bytes()])
    }

    /// An address.
    pub fn address(&self, address: &Address) -> u64 {
        let kind = address.kind.0.to_le_bytes();
        self.hash(&[b"a", &address.author.0, &kind, address.identifier.as_bytes()])
    }

    /// An id.
    pub fn id(&self, id: &EventId) -> u64 {
        self.hash(&[b"i", &id.0])
    }

    /// What a frame keeps of an event: first its address, if it has one, then its indexed tags,
    /// each once.
    pub fn of_event(&self, event: &Event) -> (bool, Vec<u64>) {
        let mut tags: Vec<_> =
            event.tags.indexed().map(|(letter, value)| self.tag(letter, value)).collect();
        tags.sort_unstable();
        tags.dedup();
        match rules::address(event) {
            None => (false, tags),
            Some(address) => {
                tags.insert(0, self.address(&address));
                (true, tags)
            }
        }
    }

    fn hash(&self, parts: &[&[u8]]) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&self.0);
        parts.iter().for_each(|part| hasher.write(part));
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_hashes_differently_and_under_another_key_too() {
        let (one, two) = (HashKey([1; 16]), HashKey([2; 16]));
        let hashes = [
            one.tag(b't', "a"),
            two.tag(b't', "a"),
            one.tag(b'T', "a"),
            one.tag(b't', "b"),
            one.kind(Kind(1)),
            one.author(&PublicKey([1; 32])),
            one.author_kind(&PublicKey([1; 32]), Kind(1)),
            one.id(&EventId([1; 32])),
            two.id(&EventId([1; 32])),
            one.id(&EventId([2; 32])),
        ];
        let distinct: std::collections::BTreeSet<_> = hashes.iter().collect();
        assert_eq!(distinct.len(), hashes.len());
    }
}
