//! A relay over a list in memory: all that a backend of one's own has to do.
//!
//! `cargo run -p ayni-relay --example in_memory`, then point a Nostr client at
//! ws://127.0.0.1:7777. It keeps the last ten thousand events and forgets them when it ends.
//! Deliberately absent: what a store does besides, such as replacing and deleting.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use ayni_protocol::{EventId, Filter, PublicKey, Rejection, Timestamp, VerifiedEvent};
use ayni_relay::{
    Accepted, Asker, AuthMode, Backend, InformationDoor, Page, Receipt, Relay, Settings, Source,
    Stored, Viewer,
};

const KEPT: usize = 10_000;

#[derive(Default)]
struct Recent {
    /// Each with its place in the order of coming, the latest first.
    events: Mutex<VecDeque<(u64, VerifiedEvent)>>,
    /// Who is told of what came.
    relay: OnceLock<Relay<Self>>,
}

impl Recent {
    fn lock(&self) -> MutexGuard<'_, VecDeque<(u64, VerifiedEvent)>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn matching(&self, filter: &Filter, viewer: &Viewer) -> Vec<(u64, VerifiedEvent)> {
        let (events, now) = (self.lock(), self.now());
        let shown = |event: &VerifiedEvent| {
            let expired = event.expiration().is_some_and(|at| at <= now);
            !expired && filter.matches(event) && viewer.may_see(event)
        };
        let mut found: Vec<_> = events.iter().filter(|(_, event)| shown(event)).cloned().collect();
        found.sort_by_key(|(_, event)| (std::cmp::Reverse(event.created_at), event.id));
        found
    }

    /// Keeps an event and tells everyone.
    fn keep(&self, event: &VerifiedEvent) -> Accepted {
        let mut events = self.lock();
        if events.iter().any(|(_, other)| other.id == event.id) {
            return Accepted::duplicate();
        }
        let position = events.front().map_or(0, |(position, _)| *position) + 1;
        events.push_front((position, event.clone()));
        events.truncate(KEPT);
        // Still under the lock, so that subscribers hear of events in the order of positions.
        if let Some(relay) = self.relay.get() {
            relay.publish(event, Some(position));
        }
        drop(events);
        Accepted::stored()
    }
}

impl Backend for Recent {
    fn now(&self) -> Timestamp {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }

    fn contains(&self, id: &EventId) -> bool {
        self.lock().iter().any(|(_, event)| event.id == *id)
    }

    fn submit(&self, event: VerifiedEvent, _source: Source, receipt: Receipt) {
        receipt.give(Ok(self.keep(&event)));
    }

    fn query(&self, filter: &Filter, limit: usize, asker: &Asker<'_>) -> Page {
        let found = self.matching(filter, asker.viewer);
        let stored = |(position, event): (u64, VerifiedEvent)| {
            let json = event.json().to_owned().into();
            Stored { json, position }
        };
        let exhausted = found.len() <= limit;
        Page { events: found.into_iter().take(limit).map(stored).collect(), exhausted }
    }

    fn count(&self, filter: &Filter, asker: &Asker<'_>) -> usize {
        self.matching(filter, asker.viewer).len()
    }

    fn authors(&self, filter: &Filter, asker: &Asker<'_>, each: &mut dyn FnMut(&PublicKey)) {
        self.matching(filter, asker.viewer).iter().for_each(|(_, event)| each(&event.pubkey));
    }

    fn items(&self, filter: &Filter, cap: usize, asker: &Asker<'_>) -> Vec<(Timestamp, EventId)> {
        let found = self.matching(filter, asker.viewer);
        let item = |(_, event): &(u64, VerifiedEvent)| (event.created_at, event.id);
        let mut items: Vec<_> = found.iter().take(cap).map(item).collect();
        items.sort_unstable();
        items
    }

    fn last_position(&self) -> u64 {
        self.lock().front().map_or(0, |(position, _)| *position)
    }

    fn may_read(&self, _viewer: &Viewer) -> Result<(), Rejection> {
        Ok(())
    }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let backend = Arc::new(Recent::default());
    let settings = Settings {
        public_urls: vec!["ws://127.0.0.1:7777".into()],
        auth: AuthMode::OnDemand,
        ..Settings::default()
    };
    let relay = Relay::new(Arc::clone(&backend), settings);
    // There is none yet, so this cannot fail.
    let _ = backend.relay.set(relay.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:7777").await?;
    let door = InformationDoor::new(&relay.information());
    relay.serve(listener, door, std::future::pending()).await;
    Ok(())
}
