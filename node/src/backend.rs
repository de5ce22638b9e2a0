//! What the relay asks of the node: reading goes to the store, writing to the writer's inbox.

use std::net::IpAddr;
use std::sync::Arc;

use ayni_protocol::{Event, EventId, Filter, PublicKey, Rejection, Timestamp, VerifiedEvent, kind};
use ayni_relay::{Accepted, Asker, Page, Receipt, Source, Stored, Verdict, Viewer};
use ayni_store::{DiskStore, Reader, Store as _};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::admission::Origin;
use crate::clock;
use crate::membership::Membership;
use crate::policy::{Passage, Policy};
use crate::search::Seeker;
use crate::writer::Command;

/// The store, the policy and the writer's inbox. Cheap to clone.
#[derive(Clone)]
pub struct Backend {
    store: Arc<DiskStore>,
    inbox: mpsc::Sender<Command>,
    membership: Arc<Membership>,
    seeker: Option<Seeker>,
}

impl Backend {
    /// A backend over a store and an inbox, and over an index of words where there is one.
    #[must_use]
    pub const fn new(
        store: Arc<DiskStore>,
        inbox: mpsc::Sender<Command>,
        membership: Arc<Membership>,
        seeker: Option<Seeker>,
    ) -> Self {
        Self { store, inbox, membership, seeker }
    }

    /// What a client sends: it is written if the policy lets it.
    ///
    /// # Errors
    /// Why it is not stored.
    pub async fn receive(&self, event: VerifiedEvent, source: &Source) -> Verdict {
        if event.kind == kind::JOIN || event.kind == kind::LEAVE {
            return Box::pin(self.membership.answer(&event, source)).await;
        }
        match self.policy().admit(&event, source).await? {
            Passage::Granted => self.write(event, Origin::Client).await,
            Passage::Pretended => Ok(Accepted::stored()),
        }
    }

    /// Hands a verified event to the writer, whatever the policy says, and waits until it is durable.
    ///
    /// # Errors
    /// Why it is not stored.
    pub async fn write(&self, event: VerifiedEvent, origin: Origin) -> Verdict {
        let (receipt, verdict) = Receipt::awaited();
        // A client that outruns the writer waits here. A writer that has ended drops the command,
        // and with it the receipt, which answers that the node stops.
        let _ = self.inbox.send(Command::Submit { event, origin, receipt }).await;
        verdict.await
    }

    /// As [`Self::write`], for whoever does not wait.
    fn hand_over(&self, event: VerifiedEvent, receipt: Receipt) {
        let command = Command::Submit { event, origin: Origin::Client, receipt };
        if let Err(TrySendError::Full(command)) = self.inbox.try_send(command) {
            let inbox = self.inbox.clone();
            tokio::spawn(async move { inbox.send(command).await });
        }
    }

    /// Who may write.
    #[must_use]
    pub fn policy(&self) -> &Arc<Policy> {
        self.membership.policy()
    }

    /// The store.
    #[must_use]
    pub const fn store(&self) -> &Arc<DiskStore> {
        &self.store
    }

    /// Stored events that match, newest first, whomever they are shown to: for the node's own work.
    #[must_use]
    pub fn stored(&self, filter: &Filter, limit: usize) -> Vec<Event> {
        let page = self.store.query(filter, limit, clock::now(), &|_: &Event| true);
        page.events.iter().filter_map(|stored| parsed(&stored.json)).collect()
    }

    /// A stored event, whomever it is shown to.
    #[must_use]
    pub fn event(&self, id: &EventId) -> Option<Event> {
        parsed(&self.store.get(id, clock::now())?.json)
    }

    /// The writer's inbox.
    #[must_use]
    pub const fn inbox(&self) -> &mpsc::Sender<Command> {
        &self.inbox
    }
}

/// Whoever asks the relay, as the store knows readers.
struct Looker<'a>(&'a Asker<'a>);

impl Reader for Looker<'_> {
    fn may_see(&self, event: &Event) -> bool {
        self.0.viewer.may_see(event)
    }

    fn may_go_on(&self) -> bool {
        self.0.may_go_on()
    }
}

fn parsed(json: &[u8]) -> Option<Event> {
    Event::parse(str::from_utf8(json).ok()?).ok()
}

impl ayni_relay::Backend for Backend {
    fn now(&self) -> Timestamp {
        clock::now()
    }

    fn contains(&self, id: &EventId) -> bool {
        self.store.contains(id)
    }

    fn submit(&self, event: VerifiedEvent, source: Source, receipt: Receipt) {
        let asks_to_belong = event.kind == kind::JOIN || event.kind == kind::LEAVE;
        match if asks_to_belong { None } else { self.policy().admit_at_once(&event, &source) } {
            Some(Ok(())) => self.hand_over(event, receipt),
            Some(Err(rejection)) => receipt.give(Err(rejection)),
            None => {
                let backend = self.clone();
                tokio::spawn(async move { receipt.give(backend.receive(event, &source).await) });
            }
        }
    }

    fn query(&self, filter: &Filter, limit: usize, asker: &Asker<'_>) -> Page {
        if let Some(invitation) = self.membership.invitation(filter, asker.viewer) {
            let json = invitation.json().to_owned().into();
            return Page { events: vec![Stored { json, position: 0 }], exhausted: true };
        }
        if let (Some(_), Some(seeker)) = (&filter.search, &self.seeker) {
            return seeker.query(filter, limit, asker);
        }
        let page = self.store.query(filter, limit, clock::now(), &Looker(asker));
        let stored =
            |stored: ayni_store::Stored| Stored { json: stored.json, position: stored.position.0 };
        Page { events: page.events.into_iter().map(stored).collect(), exhausted: page.exhausted }
    }

    fn count(&self, filter: &Filter, asker: &Asker<'_>) -> usize {
        self.store.count(filter, clock::now(), &Looker(asker))
    }

    fn authors(&self, filter: &Filter, asker: &Asker<'_>, each: &mut dyn FnMut(&PublicKey)) {
        self.store.authors(filter, clock::now(), &Looker(asker), each);
    }

    fn items(&self, filter: &Filter, cap: usize, asker: &Asker<'_>) -> Vec<(Timestamp, EventId)> {
        self.store.items(filter, cap, clock::now(), &Looker(asker))
    }

    fn last_position(&self) -> u64 {
        self.store.last_position().0
    }

    fn welcomes(&self, address: &IpAddr) -> bool {
        !self.policy().management().rulebook().blocked_addresses.contains_key(address)
    }

    fn may_read(&self, _viewer: &Viewer) -> Result<(), Rejection> {
        Ok(())
    }
}
