//! The relay itself: what all its connections share, and the few things its owner calls.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;

use ayni_protocol::{VerifiedEvent, kind};

use crate::asking::Scans;
use crate::audience::Audience;
use crate::backend::Backend;
use crate::information::Information;
use crate::line::Line;
use crate::seats::Seats;
use crate::session::Rules;
use crate::session::reconciliation::Pool;
use crate::settings::Settings;
use crate::statistics::{Counters, Statistics, add, sub};
use crate::verifier::Verifier;

/// A Nostr relay over a backend. Cheap to clone.
pub struct Relay<B>(pub(crate) Arc<Shared<B>>);

/// What all connections of a relay share.
pub struct Shared<B> {
    pub backend: Arc<B>,
    pub settings: Settings,
    /// What is said of the relay now; at first what the settings say.
    pub information: RwLock<Information>,
    pub rules: Arc<Rules>,
    pub audience: Audience,
    pub verifier: Verifier,
    pub pool: Pool,
    pub seats: Arc<Seats>,
    pub counters: Arc<Counters>,
    /// Scans that take longer than a moment.
    pub scans: Scans,
    pub next_line: AtomicU64,
}

impl<B> Clone for Relay<B> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<B: Backend> Relay<B> {
    /// A relay over `backend`. Starts its verifier threads; they end with the last clone.
    #[must_use]
    pub fn new(backend: Arc<B>, settings: Settings) -> Self {
        let counters = Arc::new(Counters::default());
        let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self(Arc::new(Shared {
            rules: Arc::new(Rules::new(&settings)),
            verifier: Verifier::new(settings.limits.verify_queue, Arc::clone(&counters)),
            backend,
            information: RwLock::new(settings.info.clone()),
            settings,
            audience: Audience::default(),
            pool: Pool::default(),
            seats: Arc::default(),
            counters,
            scans: Scans::new(cores),
            next_line: AtomicU64::new(1),
        }))
    }

    /// Hands an event to every live subscription that wants it and tells how many those are.
    ///
    /// To be called after the event is stored, for every event stored while the relay serves; and
    /// for ephemeral events, with no position. Never waits for a reader. AUTH events are not handed
    /// out (NIP-42).
    pub fn publish(&self, event: &VerifiedEvent, position: Option<u64>) -> usize {
        self.hand_out(event, position, false)
    }

    /// Like [`Self::publish`], but for an event that is about to be stored at this position: queries
    /// need not find it before [`Self::catch_up`] is called, and whoever subscribes until then is
    /// told of it as well. In the order of positions only among its likes.
    pub fn publish_ahead(&self, event: &VerifiedEvent, position: u64) -> usize {
        self.hand_out(event, Some(position), true)
    }

    /// Queries find all that [`Self::publish_ahead`] was called with.
    pub fn catch_up(&self) {
        self.0.audience.catch_up();
    }

    fn hand_out(&self, event: &VerifiedEvent, position: Option<u64>, ahead: bool) -> usize {
        if event.kind == kind::AUTH {
            return 0;
        }
        let told = self.0.audience.publish(event, position, ahead);
        add(&self.0.counters.delivered, told);
        told
    }

    /// The NIP-11 document, with the limits that are enforced.
    #[must_use]
    pub fn information(&self) -> String {
        let information = self.0.information.read().unwrap_or_else(PoisonError::into_inner);
        information.document(&self.0.settings.limits)
    }

    /// Says something else of the relay from now on.
    pub fn inform(&self, information: Information) {
        *self.0.information.write().unwrap_or_else(PoisonError::into_inner) = information;
    }

    /// What the relay has done so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let count = |open: usize| u64::try_from(open).unwrap_or(u64::MAX);
        Statistics {
            connections: count(self.0.seats.taken()),
            subscriptions: count(self.0.audience.len()),
            ..self.0.counters.read()
        }
    }
}

/// A conversation's mark in what all share, taken away however it ends.
pub struct Presence<'a, B> {
    shared: &'a Shared<B>,
    line: &'a Line,
}

impl<'a, B> Presence<'a, B> {
    /// Marks that a conversation has begun.
    pub fn begin(shared: &'a Shared<B>, line: &'a Line) -> Self {
        add(&shared.counters.conversations, 1);
        Self { shared, line }
    }
}

impl<B> Drop for Presence<'_, B> {
    fn drop(&mut self) {
        self.shared.audience.forget(self.line);
        sub(&self.shared.counters.conversations, 1);
    }
}
