//! What is particular to one connection.

use ayni_protocol::EventId;

use crate::paging::Paging;
use crate::reconcile::Reconciliation;
use crate::{Millis, Terms};

/// The subscription to what comes.
pub const LIVE: &str = "live";
/// The reconciliation (NIP-77 has names of its own).
pub const SYNC: &str = "sync";
/// The subscription to one page.
pub const PAGE: &str = "page";
/// How the subscriptions to events by id begin.
const BATCH: &str = "get-";

/// The subscription of a batch.
pub fn batch_name(number: u64) -> String {
    format!("{BATCH}{number}")
}

/// The batch of a subscription, if it is one.
pub fn batch_number(subscription: &str) -> Option<u64> {
    subscription.strip_prefix(BATCH)?.parse().ok()
}

/// One connection.
#[derive(Debug)]
pub struct Session {
    /// When it was opened.
    pub since: Millis,
    pub stage: Stage,
    /// Whether the live subscription is open, as far as we know.
    pub live: bool,
    /// Whether the peer has not shown that it does not know NIP-77.
    pub negentropy: bool,
    /// How many passes were completed.
    pub passes: u32,
    pub pass: Pass,
    /// How many passes in a row were repeated early.
    pub repeats: u32,
    /// When the next pass begins.
    pub resync_at: Millis,
    pub authentication: Authentication,
    /// Whether the peer refused something for want of authentication.
    pub auth_wanted: bool,
    /// How many challenges were signed.
    pub challenges: u32,
    /// The newest, until it is signed.
    pub challenge: Option<String>,
    /// What should not have come, since the last pass.
    pub strikes: u32,
    pub forgeries: u32,
    /// Live events that our own door stored, and refused.
    pub live_stored: usize,
    pub live_refused: usize,
    /// When the peer last gave a sign of life, and whether it was pinged since.
    pub heard_at: Millis,
    pub pinged: bool,
}

/// Where a reconciliation stands.
#[derive(Debug)]
pub enum Stage {
    /// Waiting for the live subscription to be open.
    Opening(Millis),
    /// Waiting for our own items.
    Gathering,
    /// Exchanging negentropy messages; whether the peer has answered at all yet.
    Reconciling { engine: Box<Reconciliation>, answered: bool, deadline: Millis },
    /// Reading page by page; no deadline while the next page waits for room.
    Paging { paging: Paging, deadline: Option<Millis> },
    /// The difference is known; whether what follows from it was drawn.
    Settled { concluded: bool },
}

/// What one reconciliation brought, to decide whether another is worth while soon.
#[derive(Debug, Default)]
pub struct Pass {
    /// The difference is known.
    pub completed: bool,
    /// Only the share of one pass of it is.
    pub partial: bool,
    /// An event went by that was neither in the items nor told live.
    pub missed: bool,
    /// An event was stored on either side since.
    pub progress: bool,
    /// Our own door refused an event, which may turn.
    pub refused_for_now: bool,
}

/// Where authentication (NIP-42) stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authentication {
    /// Nothing was signed, or it was refused.
    Not,
    /// The driver is signing a challenge.
    Asked,
    /// The OK to this event decides.
    Sent(EventId),
    /// We are who we say.
    Done,
}

impl Session {
    /// A connection that was opened just now.
    pub fn new(now: Millis, terms: &Terms) -> Self {
        Self {
            since: now,
            stage: Stage::Settled { concluded: true },
            live: false,
            negentropy: true,
            passes: 0,
            pass: Pass::default(),
            repeats: 0,
            resync_at: now + terms.resync_ms,
            authentication: Authentication::Not,
            auth_wanted: false,
            challenges: 0,
            challenge: None,
            strikes: 0,
            forgeries: 0,
            live_stored: 0,
            live_refused: 0,
            heard_at: now,
            pinged: false,
        }
    }

    /// When this stage is overdue.
    pub fn deadline(&self) -> Option<Millis> {
        match &self.stage {
            Stage::Opening(deadline) | Stage::Reconciling { deadline, .. } => Some(*deadline),
            Stage::Paging { deadline, .. } => *deadline,
            Stage::Gathering => None,
            Stage::Settled { .. } => Some(self.resync_at),
        }
    }

    /// Makes the next pass begin at the latest then.
    pub fn resync_by(&mut self, at: Millis) {
        self.resync_at = self.resync_at.min(at);
    }
}
