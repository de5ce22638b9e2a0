//! A backend in memory, plain enough to be believed: every question is a scan with the one
//! `Filter::matches`.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock};

use ayni_protocol::kind::{self, Class};
use ayni_protocol::{
    EventId, Filter, Kind, Prefix, PublicKey, Rejection, Timestamp, VerifiedEvent,
};
use ayni_relay::{Accepted, Asker, Backend, Page, Receipt, Source, Stored, Verdict, Viewer};

/// The time in tests, unless they set another.
pub const NOW: Timestamp = 1_700_000_000;

/// Looking for this kind takes for ever.
pub const ENDLESS: Kind = Kind(40_404);

/// Hands an event and its position on, and tells to how many.
pub type Publisher = Box<dyn Fn(&VerifiedEvent, Option<u64>) -> usize + Send + Sync>;

/// Events in the order of storing.
pub struct Memory {
    events: Mutex<Vec<(u64, VerifiedEvent)>>,
    last: AtomicU64,
    /// What the clock shows.
    pub now: AtomicU64,
    /// Whether strangers may read.
    pub members_only: bool,
    /// Who is told of what was stored.
    pub publisher: OnceLock<Publisher>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            events: Mutex::default(),
            last: AtomicU64::new(0),
            now: AtomicU64::new(NOW),
            members_only: false,
            publisher: OnceLock::new(),
        }
    }
}

impl Memory {
    /// Stores an event, replacing what it replaces, and gives its position; nothing for an
    /// ephemeral one.
    pub fn store(&self, event: &VerifiedEvent) -> Option<u64> {
        let mut events = self.events.lock().unwrap();
        let class = event.kind.class();
        if class == Class::Ephemeral {
            return None;
        }
        if class != Class::Regular {
            events.retain(|(_, old)| {
                let same_d =
                    class == Class::Replaceable || kind::identifier(old) == kind::identifier(event);
                old.kind != event.kind || old.pubkey != event.pubkey || !same_d
            });
        }
        let position = self.last.load(Relaxed) + 1;
        events.push((position, event.clone()));
        self.last.store(position, Relaxed);
        Some(position)
    }

    fn matching(&self, filter: &Filter, asker: &Asker<'_>) -> Vec<(u64, VerifiedEvent)> {
        let endless = filter.kinds.as_ref().is_some_and(|kinds| kinds.contains(&ENDLESS));
        while endless && asker.may_go_on() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        let now = self.now();
        let fresh = |event: &VerifiedEvent| event.expiration().is_none_or(|at| at > now);
        let mut found: Vec<_> = self
            .events
            .lock()
            .unwrap()
            .iter()
            .filter(|(_, event)| {
                filter.matches(event) && asker.viewer.may_see(event) && fresh(event)
            })
            .cloned()
            .collect();
        found.sort_by_key(|(_, event)| (std::cmp::Reverse(event.created_at), event.id));
        found
    }

    fn judge(&self, event: &VerifiedEvent, source: &Source) -> Verdict {
        assert!(source.keys.iter().collect::<BTreeSet<_>>().len() == source.keys.len());
        if event.content == "no" {
            return Err(Rejection::new(Prefix::Blocked, "not with this content"));
        }
        if self.contains(&event.id) {
            return Ok(Accepted::duplicate());
        }
        let position = self.store(event);
        let told = self.publisher.get().map_or(0, |publisher| publisher(event, position));
        if position.is_none() && told == 0 {
            return Err(Accepted::unheard());
        }
        Ok(Accepted::stored())
    }
}

impl Backend for Memory {
    fn now(&self) -> Timestamp {
        self.now.load(Relaxed)
    }

    fn contains(&self, id: &EventId) -> bool {
        self.events.lock().unwrap().iter().any(|(_, event)| event.id == *id)
    }

    fn submit(&self, event: VerifiedEvent, source: Source, receipt: Receipt) {
        receipt.give(self.judge(&event, &source));
    }

    fn query(&self, filter: &Filter, limit: usize, asker: &Asker<'_>) -> Page {
        let mut found = self.matching(filter, asker);
        let exhausted = found.len() <= limit;
        found.truncate(limit);
        let stored = |(position, event): (u64, VerifiedEvent)| Stored {
            json: event.json().to_owned().into(),
            position,
        };
        Page { events: found.into_iter().map(stored).collect(), exhausted }
    }

    fn count(&self, filter: &Filter, asker: &Asker<'_>) -> usize {
        self.matching(filter, asker).len()
    }

    fn authors(&self, filter: &Filter, asker: &Asker<'_>, each: &mut dyn FnMut(&PublicKey)) {
        self.matching(filter, asker).iter().for_each(|(_, event)| each(&event.pubkey));
    }

    fn items(&self, filter: &Filter, cap: usize, asker: &Asker<'_>) -> Vec<(Timestamp, EventId)> {
        let found = self.matching(filter, asker);
        let mut items: Vec<_> =
            found.into_iter().map(|(_, event)| (event.created_at, event.id)).collect();
        items.sort_unstable();
        items.truncate(cap);
        items
    }

    fn last_position(&self) -> u64 {
        self.last.load(Relaxed)
    }

    fn may_read(&self, viewer: &Viewer) -> Result<(), Rejection> {
        if self.members_only && viewer.keys.is_empty() {
            return Err(Rejection::new(Prefix::AuthRequired, "members only"));
        }
        Ok(())
    }
}
