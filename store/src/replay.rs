//! Reading the journal back as events, for a state that is folded from it.
//!
//! A community's books are a small part of what its relay keeps, so an event is parsed only if its
//! kind is wanted, and the kind is read off the canonical JSON without a parse: it stands behind
//! the id, the key and the time, which have their places.

use ayni_protocol::{Kind, VerifiedEvent};

use crate::{DiskStore, Position, Store as _};

/// What stands before the digits of `created_at`: `{"id":"…","pubkey":"…","created_at":`.
const BEFORE_TIME: usize = 7 + 64 + 12 + 64 + 15;

impl DiskStore {
    /// Every live event of a wanted kind, in the order they were accepted.
    pub fn replay(&self, wanted: impl Fn(Kind) -> bool, mut each: impl FnMut(&VerifiedEvent)) {
        self.scan(Position(0), &mut |_, json| {
            if kind_of(json).is_none_or(&wanted)
                && let Some(event) = VerifiedEvent::from_own_journal(json)
                && wanted(event.kind)
            {
                each(&event);
            }
            true
        });
    }
}

/// The kind in canonical JSON; nothing where it does not stand where it should.
fn kind_of(json: &str) -> Option<Kind> {
    let rest = json.get(BEFORE_TIME..)?;
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix(",\"kind\":")?;
    let digits = rest.find(|c: char| !c.is_ascii_digit())?;
    rest.get(..digits)?.parse().ok().map(Kind)
}

#[cfg(test)]
mod tests {
    use ayni_protocol::{Draft, Keys, kind};

    use super::*;

    #[test]
    fn the_kind_is_read_off_canonical_json() {
        let keys = Keys::from_secret([1; 32]).unwrap();
        for number in [0, 7, 4752, 65_535] {
            for time in [0, 1_700_000_000] {
                let event = Draft::new(Kind(number)).sign(&keys, time, [0; 32]);
                assert_eq!(kind_of(event.json()), Some(Kind(number)));
            }
        }
        assert_eq!(kind_of("{}"), None);
    }

    #[test]
    fn only_what_is_wanted_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::from_secret([1; 32]).unwrap();
        let events = [kind::NOTE, kind::CHARTER, kind::NOTE, kind::ORDER]
            .map(|kind| Draft::new(kind).content(kind.to_string()).sign(&keys, 1, [0; 32]));
        let (store, _) = DiskStore::open(folder.path()).unwrap();
        store.append(&events, 1).unwrap();
        let mut read = Vec::new();
        store.replay(Kind::is_economy, |event| read.push(event.kind));
        assert_eq!(read, [kind::CHARTER, kind::ORDER]);
    }
}
