//! What the tasks that keep peers in step ask of this node.

use ayni_protocol::{
    Draft, Event, EventId, Filter, Keys, PublicKey, Rejection, Timestamp, VerifiedEvent, kind,
};
use ayni_store::{Store as _, everyone};
use tokio::sync::broadcast;

use crate::admission::Origin;
use crate::backend::Backend;
use crate::clock;
use crate::federate::Local;

/// This node, as its peers' tasks see it.
pub struct LocalNode {
    backend: Backend,
    keys: Keys,
    outbox: broadcast::Sender<EventId>,
}

impl LocalNode {
    /// This node.
    #[must_use]
    pub const fn new(backend: Backend, keys: Keys, outbox: broadcast::Sender<EventId>) -> Self {
        Self { backend, keys, outbox }
    }

    /// The node's key.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        self.keys.public()
    }
}

impl Local for LocalNode {
    fn now(&self) -> Timestamp {
        clock::now()
    }

    fn items(&self, scope: &Filter) -> Vec<(Timestamp, EventId)> {
        self.backend.store().items(scope, usize::MAX - 1, clock::now(), &everyone)
    }

    fn json(&self, id: &EventId) -> Option<String> {
        let stored = self.backend.store().get(id, clock::now())?;
        String::from_utf8(stored.json.to_vec()).ok()
    }

    fn contains(&self, id: &EventId) -> bool {
        self.backend.store().contains(id)
    }

    async fn receive(&self, event: Event, peer: &str) -> Result<(), Rejection> {
        let verified = tokio::task::spawn_blocking(move || event.verify()).await;
        let verified = verified
            .map_err(|error| Rejection::new(ayni_protocol::Prefix::Error, error.to_string()))?
            .map_err(|error| Rejection::invalid(error.to_string()))?;
        let id = verified.id;
        let stored = self.backend.write(verified, Origin::Peer).await;
        if let Err(refusal) = &stored {
            tracing::debug!(%id, peer, %refusal, "an event of a peer was refused");
        }
        stored.map(|_| ())
    }

    fn subscribe(&self) -> broadcast::Receiver<EventId> {
        self.outbox.subscribe()
    }

    fn sign_auth(&self, challenge: &str, relay_url: &str) -> VerifiedEvent {
        Draft::new(kind::AUTH).tag(["relay", relay_url]).tag(["challenge", challenge]).sign(
            &self.keys,
            clock::now(),
            clock::entropy(),
        )
    }

    fn entropy(&self) -> u64 {
        u64::from_le_bytes(clock::entropy())
    }
}
