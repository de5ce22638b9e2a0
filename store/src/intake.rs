//! What becomes of each event of a batch, before anything is written.
//!
//! The index says what was accepted before the batch, and the intake remembers what the batch has
//! accepted so far; together they answer as if events had come one by one. So everything in the
//! journal was accepted, and reading it again needs no second judgement.

use std::collections::{BTreeMap, BTreeSet};

use ayni_protocol::kind::{self, Class};
use ayni_protocol::{Address, Event, EventId, Kind, PublicKey, Timestamp};

use crate::Outcome;
use crate::index::Index;
use crate::index::tombstones::Tombstones;
use crate::rules::{self, Target};

/// A batch on its way in.
pub struct Intake<'a> {
    index: &'a Index,
    now: Timestamp,
    /// Accepted events without an address.
    ids: BTreeSet<EventId>,
    /// The latest accepted version of every address, deleted since or not.
    heads: BTreeMap<Address, (Timestamp, EventId)>,
    tombstones: Tombstones,
    /// What deletions of the batch named by id, and whose deletion it was, until an event of that
    /// id is accepted anew. A request to vanish lifts a tombstone, but brings nothing back.
    gone: BTreeSet<(PublicKey, EventId)>,
    /// Our own addresses, by which a request to vanish names us.
    own: &'a BTreeSet<String>,
}

impl<'a> Intake<'a> {
    /// A batch that comes at `now`.
    pub fn new(index: &'a Index, now: Timestamp, own: &'a BTreeSet<String>) -> Self {
        let (ids, heads, gone) = (BTreeSet::new(), BTreeMap::new(), BTreeSet::new());
        Self { index, now, ids, heads, tombstones: Tombstones::default(), gone, own }
    }

    /// Why an event is not kept; nothing if it is.
    ///
    /// What took an event out is asked for before a duplicate: an event that this very batch
    /// deleted still has its place in the index.
    pub fn refuse(&mut self, event: &Event) -> Option<Outcome> {
        if event.kind.class() == Class::Ephemeral {
            return Some(Outcome::Ephemeral);
        }
        if rules::expires_at(event).is_some_and(|expires_at| expires_at <= self.now) {
            return Some(Outcome::Expired);
        }
        let (before, batch) = (self.index.tombstones(), &self.tombstones);
        if before.bar(event) || batch.bar(event) {
            return Some(Outcome::Vanished);
        }
        if before.cover(event, batch) || batch.cover(event, batch) {
            return Some(Outcome::Deleted);
        }
        match rules::address(event) {
            Some(address) => {
                let version = (event.created_at, event.id);
                // Being the head is being here: a version that was replaced may come back when the
                // one that replaced it is deleted, even in one batch.
                match self.head(&address) {
                    Some(head) if head == version => return Some(Outcome::Duplicate),
                    Some(head) if !rules::supersedes(version, head) => {
                        return Some(Outcome::Superseded);
                    }
                    _ => self.heads.insert(address, version),
                };
            }
            None if self.is_here(event) => return Some(Outcome::Duplicate),
            None => {
                self.ids.insert(event.id);
            }
        }
        for deleter in rules::deleters(event) {
            self.gone.remove(&(deleter, event.id));
        }
        if event.kind == kind::DELETION {
            self.tombstones.bury(event);
            self.gone.extend(rules::targets(event).filter_map(|target| match target {
                Target::Id(id) => Some((event.pubkey, id)),
                Target::Address(_) => None,
            }));
        } else if rules::vanishes(event, self.own) {
            self.tombstones.vanish(event.pubkey, event.created_at);
        }
        None
    }

    /// Whether this very event, which has no address, is kept already.
    fn is_here(&self, event: &Event) -> bool {
        let was_accepted = self.ids.contains(&event.id) || self.index.find(&event.id).is_some();
        was_accepted && !rules::deleters(event).any(|key| self.is_gone(event.kind, key, event.id))
    }

    /// Whether a deletion of this batch took an event out. `deleter` is one whose deletion counts.
    fn is_gone(&self, kind: Kind, deleter: PublicKey, id: EventId) -> bool {
        rules::is_deletable(kind) && self.gone.contains(&(deleter, id))
    }

    /// What stands at an address now.
    fn head(&self, address: &Address) -> Option<(Timestamp, EventId)> {
        let before = || self.index.head(address).map(|slot| (slot.created_at, slot.id));
        let head = self.heads.get(address).copied().or_else(before)?;
        let is_gone = self.is_gone(address.kind, address.author, head.1);
        (!is_gone && !self.tombstones.cover_version(address, head.0)).then_some(head)
    }
}
