//! What authors deleted, by target and author, so that it does not come back (NIP-09); and who
//! vanished, up to when (NIP-62).
//!
//! A deletion names ids and addresses; it counts only for events of its own author. So the author
//! is part of the key: a stranger who names an event that has not come yet deletes nothing.
//!
//! Who vanishes takes their earlier deletions along. So of each deleted id the time of the latest
//! deletion is kept.

use std::collections::BTreeMap;

use ayni_protocol::{Address, Event, EventId, PublicKey, Timestamp};

use crate::rules::{self, Target};

/// What was deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tombstones {
    /// Whose deletion it was, of which id, with the time of the latest.
    pub(super) ids: BTreeMap<(PublicKey, EventId), Timestamp>,
    /// Every version up to this time.
    pub(super) addresses: BTreeMap<Address, Timestamp>,
    /// Everything of an author up to this time.
    pub(super) vanished: BTreeMap<PublicKey, Timestamp>,
}

impl Tombstones {
    /// Remembers what a deletion names.
    pub fn bury(&mut self, deletion: &Event) {
        for target in rules::targets(deletion) {
            match target {
                Target::Id(id) => {
                    let latest = self.ids.entry((deletion.pubkey, id)).or_default();
                    *latest = (*latest).max(deletion.created_at);
                }
                Target::Address(address) => {
                    let until = self.addresses.entry(address).or_default();
                    *until = (*until).max(deletion.created_at);
                }
            }
        }
    }

    /// Remembers that an author vanished, and forgets what they had deleted until then: those
    /// deletions go too, and what they named is barred by its own time or not at all.
    pub fn vanish(&mut self, author: PublicKey, until: Timestamp) {
        let latest = self.vanished.entry(author).or_default();
        *latest = (*latest).max(until);
        let all = (author, EventId([0; 32]))..=(author, EventId([0xff; 32]));
        let lifted: Vec<_> = self
            .ids
            .range(all)
            .filter(|(_, time)| **time <= until)
            .map(|(deleted, _)| *deleted)
            .collect();
        for deleted in lifted {
            self.ids.remove(&deleted);
        }
    }

    /// Whether an event goes because its author, or a gift wrap because its recipient, vanished.
    pub fn bar(&self, event: &Event) -> bool {
        !self.vanished.is_empty()
            && rules::is_vanishable(event.kind)
            && rules::deleters(event).any(|key| self.is_barred(&key, event.created_at))
    }

    /// Whether somebody who may has deleted this event. `later` holds what came since, and may
    /// have lifted the deletion.
    pub fn cover(&self, event: &Event, later: &Self) -> bool {
        rules::is_deletable(event.kind)
            && (rules::deleters(event).any(|author| self.cover_id(author, event.id, later))
                || rules::address(event)
                    .is_some_and(|address| self.cover_address(&address, event.created_at)))
    }

    /// Whether a version, known by its time only, is gone because the author of its address deleted
    /// all up to some time, or vanished.
    pub fn cover_version(&self, address: &Address, time: Timestamp) -> bool {
        let deleted = rules::is_deletable(address.kind) && self.cover_address(address, time);
        deleted || rules::is_vanishable(address.kind) && self.is_barred(&address.author, time)
    }

    fn is_barred(&self, key: &PublicKey, time: Timestamp) -> bool {
        self.vanished.get(key).is_some_and(|until| time <= *until)
    }

    fn cover_id(&self, author: PublicKey, id: EventId, later: &Self) -> bool {
        self.ids.get(&(author, id)).is_some_and(|time| !later.is_barred(&author, *time))
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
        let (mut tombstones, later) = (Tombstones::default(), Tombstones::default());
        tombstones.bury(&deletion(2, ["e", &note.id.to_string()], 20));
        assert!(!tombstones.cover(&note, &later));
        tombstones.bury(&deletion(1, ["e", &note.id.to_string()], 20));
        assert!(tombstones.cover(&note, &later));
    }

    #[test]
    fn who_vanishes_takes_their_deletions_along() {
        let note = Draft::new(kind::NOTE).sign(&keys(1), 50, [0; 32]);
        let by = |time| deletion(1, ["e", &note.id.to_string()], time);
        let (mut tombstones, mut later) = (Tombstones::default(), Tombstones::default());
        tombstones.bury(&by(20));
        later.vanish(keys(1).public(), 30);
        assert!(!tombstones.cover(&note, &later), "lifted by what came since");
        tombstones.bury(&by(40));
        assert!(tombstones.cover(&note, &later), "a later deletion counts");
        tombstones.vanish(keys(1).public(), 30);
        assert!(tombstones.cover(&note, &later));
        tombstones.vanish(keys(1).public(), 40);
        assert!(!tombstones.cover(&note, &later) && !tombstones.bar(&note));
        tombstones.vanish(keys(1).public(), 50);
        assert!(tombstones.bar(&note));
    }

    #[test]
    fn an_address_is_deleted_up_to_the_time_of_the_deletion() {
        let version =
            |time| Draft::new(kind::LISTING).tag(["d", "x"]).sign(&keys(1), time, [0; 32]);
        let address = format!("30402:{}:x", keys(1).public());
        let mut tombstones = Tombstones::default();
        tombstones.bury(&deletion(1, ["a", &address], 20));
        tombstones.bury(&deletion(1, ["a", &address], 15));
        let later = Tombstones::default();
        assert!(tombstones.cover(&version(20), &later));
        assert!(!tombstones.cover(&version(21), &later));
    }
}
