//! Reading the journal back as events, for a state that is folded from it.
//!
//! A community's books are a small part of what its relay keeps, so an event is parsed only if its
//! kind is wanted, and the kind stands in the head of its frame.

use ayni_protocol::{Kind, VerifiedEvent};

use crate::{DiskStore, Position};

impl DiskStore {
    /// Every live event of a wanted kind, in the order they were accepted.
    pub fn replay(&self, wanted: impl Fn(Kind) -> bool, mut each: impl FnMut(&VerifiedEvent)) {
        self.walk(&|frame| wanted(frame.kind), Position(0), &mut |frame| {
            if let Some(event) = frame.text().and_then(VerifiedEvent::from_own_journal) {
                each(&event);
            }
            true
        });
    }
}

#[cfg(test)]
mod tests {
    use ayni_protocol::{Draft, Keys, kind};

    use super::*;
    use crate::Store as _;

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
