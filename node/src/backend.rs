//! What the relay asks of the node: reading goes to the store, writing to the writer's inbox.

use std::sync::Arc;

use ayni_protocol::{
    Event, EventId, Filter, Prefix, PublicKey, Rejection, Timestamp, VerifiedEvent,
};
use ayni_relay::{Accepted, Page, Source, Stored, Viewer};
use ayni_store::{DiskStore, Store as _};
use tokio::sync::{mpsc, oneshot};

use crate::admission::Origin;
use crate::clock;
use crate::writer::Command;

/// The store and the writer's inbox. Cheap to clone.
#[derive(Clone)]
pub struct Backend {
    store: Arc<DiskStore>,
    inbox: mpsc::Sender<Command>,
}

impl Backend {
    /// A backend over a store and an inbox.
    #[must_use]
    pub const fn new(store: Arc<DiskStore>, inbox: mpsc::Sender<Command>) -> Self {
        Self { store, inbox }
    }

    /// Hands a verified event to the writer and waits until it is durable.
    ///
    /// # Errors
    /// Why it is not stored.
    pub async fn write(&self, event: VerifiedEvent, origin: Origin) -> Result<Accepted, Rejection> {
        let stopping = || Rejection::new(Prefix::Error, "the node is stopping; try again later");
        let (answer, verdict) = oneshot::channel();
        let command = Command::Submit { event, origin, answer };
        // A client that outruns the writer waits here, and so does its socket.
        self.inbox.send(command).await.map_err(|_| stopping())?;
        verdict.await.map_err(|_| stopping())?
    }

    /// The store.
    #[must_use]
    pub const fn store(&self) -> &Arc<DiskStore> {
        &self.store
    }

    /// The writer's inbox.
    #[must_use]
    pub const fn inbox(&self) -> &mpsc::Sender<Command> {
        &self.inbox
    }
}

impl ayni_relay::Backend for Backend {
    fn now(&self) -> Timestamp {
        clock::now()
    }

    fn contains(&self, id: &EventId) -> bool {
        self.store.contains(id)
    }

    async fn submit(&self, event: VerifiedEvent, _source: Source) -> Result<Accepted, Rejection> {
        self.write(event, Origin::Client).await
    }

    fn query(&self, filter: &Filter, limit: usize, viewer: &Viewer) -> Page {
        let visible = |event: &Event| viewer.may_see(event);
        let page = self.store.query(filter, limit, clock::now(), &visible);
        let stored =
            |stored: ayni_store::Stored| Stored { json: stored.json, position: stored.position.0 };
        Page { events: page.events.into_iter().map(stored).collect(), exhausted: page.exhausted }
    }

    fn count(&self, filter: &Filter, viewer: &Viewer) -> usize {
        self.store.count(filter, clock::now(), &|event| viewer.may_see(event))
    }

    fn authors(&self, filter: &Filter, viewer: &Viewer, each: &mut dyn FnMut(&PublicKey)) {
        self.store.authors(filter, clock::now(), &|event| viewer.may_see(event), each);
    }

    fn items(&self, filter: &Filter, cap: usize, viewer: &Viewer) -> Vec<(Timestamp, EventId)> {
        self.store.items(filter, cap, clock::now(), &|event| viewer.may_see(event))
    }

    fn last_position(&self) -> u64 {
        self.store.last_position().0
    }

    fn may_read(&self, _viewer: &Viewer) -> Result<(), Rejection> {
        Ok(())
    }
}
