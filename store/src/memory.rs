//! The reference: a vector, asked from end to end, with no index, no disk and no cleverness.
//!
//! It is the judge of the store on disk: where the two differ, one of them is wrong, and it is
//! more likely to be the quick one. Useful besides where a test needs a store.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use ayni_protocol::kind::{self, Class};
use ayni_protocol::{Event, EventId, Filter, PublicKey, Timestamp, VerifiedEvent, relay_url};
use bytes::Bytes;

use crate::query::is_restricted;
use crate::rules::{self, Target};
use crate::{Fault, Outcome, Page, Position, Reader, Store, Stored};

/// Events in a vector.
#[derive(Debug, Default)]
pub struct MemoryStore {
    kept: RwLock<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    last: Position,
    /// In order of acceptance.
    events: Vec<(Position, VerifiedEvent)>,
    /// Our own addresses, by which a request to vanish names us.
    own: BTreeSet<String>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store of a relay with these addresses, by which requests to vanish name it.
    #[must_use]
    pub fn with_urls(urls: &[String]) -> Self {
        let own = urls.iter().filter_map(|url| relay_url::normalised(url)).collect();
        Self { kept: RwLock::new(Kept { own, ..Kept::default() }) }
    }

    /// Another store with the same events.
    #[cfg(test)]
    pub(crate) fn copy(&self) -> Self {
        let Kept { last, events, own } = &*self.read();
        let kept = Kept { last: *last, events: events.clone(), own: own.clone() };
        Self { kept: RwLock::new(kept) }
    }

    fn read(&self) -> RwLockReadGuard<'_, Kept> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// All matches, newest first.
    fn matches(
        &self,
        filter: &Filter,
        now: Timestamp,
        reader: &dyn Reader,
    ) -> Vec<(Position, VerifiedEvent)> {
        let is_answer = |event: &Event| {
            !is_expired(event, now)
                && filter.matches(event)
                && (!is_restricted(event.kind) || reader.may_see(event))
        };
        let kept = self.read();
        let mut all: Vec<_> =
            kept.events.iter().filter(|(_, event)| is_answer(event)).cloned().collect();
        all.sort_by_key(|(_, event)| (Reverse(event.created_at), event.id));
        all
    }
}

fn is_expired(event: &Event, now: Timestamp) -> bool {
    rules::expires_at(event).is_some_and(|expires_at| expires_at <= now)
}

/// Whether `deletion` takes `event` out.
fn deletes(deletion: &Event, event: &Event) -> bool {
    deletion.kind == kind::DELETION
        && rules::is_deletable(event.kind)
        && rules::targets(deletion).any(|target| match target {
            Target::Id(id) => {
                id == event.id && rules::deleters(event).any(|key| key == deletion.pubkey)
            }
            Target::Address(address) => {
                rules::address(event) == Some(address) && event.created_at <= deletion.created_at
            }
        })
}

impl Kept {
    fn add(&mut self, event: &VerifiedEvent, now: Timestamp) -> Outcome {
        if event.kind.class() == Class::Ephemeral {
            return Outcome::Ephemeral;
        }
        if is_expired(event, now) {
            return Outcome::Expired;
        }
        if self.events.iter().any(|(_, other)| other.id == event.id) {
            return Outcome::Duplicate;
        }
        let bars =
            |other: &Event| rules::vanishes(other, &self.own) && rules::takes_along(other, event);
        if self.events.iter().any(|(_, other)| bars(other)) {
            return Outcome::Vanished;
        }
        if self.events.iter().any(|(_, other)| deletes(other, event)) {
            return Outcome::Deleted;
        }
        let version = |event: &Event| (event.created_at, event.id);
        let address = rules::address(event);
        let stands = |other: &Event| address.is_some() && rules::address(other) == address;
        let mut others = self.events.iter().filter(|(_, other)| stands(other));
        if others.any(|(_, other)| !rules::supersedes(version(event), version(other))) {
            return Outcome::Superseded;
        }
        let vanishes = rules::vanishes(event, &self.own);
        self.events.retain(|(_, other)| {
            let goes_along = vanishes && rules::takes_along(event, other);
            !(stands(other) || deletes(event, other) || goes_along)
        });
        self.last.0 += 1;
        self.events.push((self.last, event.clone()));
        Outcome::Stored(self.last)
    }
}

fn stored((position, event): &(Position, VerifiedEvent)) -> Stored {
    Stored { json: Bytes::copy_from_slice(event.json().as_bytes()), position: *position }
}

impl Store for MemoryStore {
    fn append(&self, batch: &[VerifiedEvent], now: Timestamp) -> Result<Vec<Outcome>, Fault> {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        Ok(batch.iter().map(|event| kept.add(event, now)).collect())
    }

    fn remove(&self, ids: &[EventId]) -> Result<usize, Fault> {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        let before = kept.events.len();
        let named = |event: &Event| ids.contains(&event.id) && rules::is_deletable(event.kind);
        kept.events.retain(|(_, event)| !named(event));
        let removed = before - kept.events.len();
        // A removal takes a place in the order, as an event does.
        kept.last.0 += u64::from(removed > 0);
        Ok(removed)
    }

    fn contains(&self, id: &EventId) -> bool {
        self.read().events.iter().any(|(_, event)| event.id == *id)
    }

    fn get(&self, id: &EventId, now: Timestamp) -> Option<Stored> {
        let kept = self.read();
        let found = kept.events.iter().find(|(_, event)| event.id == *id)?;
        (!is_expired(&found.1, now)).then(|| stored(found))
    }

    fn query(&self, filter: &Filter, limit: usize, now: Timestamp, reader: &dyn Reader) -> Page {
        if limit == 0 {
            return Page { events: Vec::new(), exhausted: filter.matches_nothing() };
        }
        let all = self.matches(filter, now, reader);
        Page { events: all.iter().take(limit).map(stored).collect(), exhausted: all.len() <= limit }
    }

    fn count(&self, filter: &Filter, now: Timestamp, reader: &dyn Reader) -> usize {
        self.matches(filter, now, reader).len()
    }

    fn authors(
        &self,
        filter: &Filter,
        now: Timestamp,
        reader: &dyn Reader,
        each: &mut dyn FnMut(&PublicKey),
    ) {
        self.matches(filter, now, reader).iter().for_each(|(_, event)| each(&event.pubkey));
    }

    fn items(
        &self,
        filter: &Filter,
        cap: usize,
        now: Timestamp,
        reader: &dyn Reader,
    ) -> Vec<(Timestamp, EventId)> {
        let all = self.matches(filter, now, reader);
        let newest = all.iter().take(cap.saturating_add(1));
        let mut items: Vec<_> = newest.map(|(_, event)| (event.created_at, event.id)).collect();
        items.sort_unstable();
        items
    }

    fn last_position(&self) -> Position {
        self.read().last
    }

    fn scan(&self, from: Position, each: &mut dyn FnMut(Position, &str) -> bool) {
        let events = self.read().events.clone();
        for (position, event) in events.iter().filter(|(position, _)| *position >= from) {
            if !each(*position, event.json()) {
                return;
            }
        }
    }

    fn len(&self) -> usize {
        self.read().events.len()
    }
}
