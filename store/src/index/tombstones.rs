//! What authors deleted, by target and author, so that it does not come back (NIP-09).
//!
//! A deletion names ids and addresses; it counts only for events of its own author. So the author
//! is part of the key: a stranger who names an event that has not come yet deletes nothing.

use std::collections::{BTreeMap, BTreeSet};

use ayni_protocol::{Address, Event, EventId, PublicKey, Timestamp};

use crate::rules::{self, Target};

/// What was deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tombstones {
    /// Ids, with whose deletion it was.
    pub(super) ids: BTreeSet<(EventId, PublicKey)>,
    /// Every version up to this time.
    pub(super) addresses: BTreeMap<Address, Timestamp>,
}

impl Tombstones {
    /// Remembers what a deletion names.
    pub fn bury(&mut self, deletion: &Event) {
        for target in rules::targets(deletion) {
            match target {
                Target::Id(id) => {
                    self.ids.insert((id, deletion.pubkey));
                }
                Target::Address(address) => {
                    let until = self.addresses.entry(address).or_default();
                    *until = (*until).max(deletion.created_at);
                }
            }
        }
    }

    /// Whether somebody who may has deleted this event.
    pub fn cover(&self, event: &Event) -> bool {
        rules::is_deletable(event.kind)
            && (rules::deleters(event).any(|author| self.ids.contains(&(event.id, author)))
                || rules::address(event)
                    .is_some_and(|address| self.cover_address(&address, event.created_at)))
    }

    /// Whether a version, known by its id and time only, was deleted by the author of its address.
    pub fn cover_version(&self, address: &Address, time: Timestamp, id: EventId) -> bool {
        rules::is_deletable(address.kind)
            && (self.ids.contains(&(id, address.author)) || self.cover_address(address, time))
    }

    fn cover_address(&self, address: &Address, time: Timestamp) -> bool {
        self.addresses.get(address).is_some_and(|until| time <= *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ayni_protocol::{Draft, Keys, VerifiedEvent, kind};

    fn keys(secret: u8) -> Keys {
        Keys::from_secret([secret; 32]).unwrap()
    }

    fn deletion(secret: u8, tag: [&str; 2], time: Timestamp) -> VerifiedEvent {
        Draft::new(kind::DELETION).tag(tag).sign(&keys(secret), time, [0; 32])
    }

    #[test]
    fn a_stranger_deletes_nothing() {
        let note = Draft::new(kind::NOTE).sign(&keys(1), 10, [0; 32]);
        let mut tombstones = Tombstones::default();
        tombstones.bury(&deletion(2, ["e", &note.id.to_string()], 20));
        assert!(!tombstones.cover(&note));
        tombstones.bury(&deletion(1, ["e", &note.id.to_string()], 20));
        assert!(tombstones.cover(&note));
    }

    #[test]
    fn an_address_is_deleted_up_to_the_time_of_the_deletion() {
        let version =
            |time| Draft::new(kind::LISTING).tag(["d", "x"]).sign(&keys(1), time, [0; 32]);
        let address = format!("30402:{}:x", keys(1).public());
        let mut tombstones = Tombstones::default();
        tombstones.bury(&deletion(1, ["a", &address], 20));
        tombstones.bury(&deletion(1, ["a", &address], 15));
        assert!(tombstones.cover(&version(20)));
        assert!(!tombstones.cover(&version(21)));
    }
}
