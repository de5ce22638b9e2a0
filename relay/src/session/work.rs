//! What a session has others do, and how it hears of the outcome.

use std::sync::Arc;

use ayni_protocol::hyperloglog::Registers;
use ayni_protocol::{Event, Filter, Rejection, VerifiedEvent};

use super::reconciliation::Reconciliation;
use super::subscriptions::Found;
use crate::backend::{Source, Viewer};

/// What an event was sent for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To be stored.
    Store,
    /// To authenticate its author here.
    Authenticate,
}

/// An event on its way through the signature check.
#[derive(Debug)]
pub struct Errand {
    /// The event, unbelieved.
    pub event: Box<Event>,
    /// What for.
    pub purpose: Purpose,
    /// What it counts for while it is under way.
    pub weight: usize,
}

/// What a session asks of the backend.
#[derive(Debug)]
pub enum Question {
    /// Put the filters into the live index under this key, then find what is stored.
    Stored {
        /// The subscription's key.
        key: u64,
        /// Its filters.
        filters: Arc<[Filter]>,
        /// Where storing stood when the filters were put into the live index, once they are.
        position: Option<u64>,
    },
    /// Count what matches any of the filters.
    Count {
        /// What the answer is addressed by.
        name: String,
        /// The filters.
        filters: Arc<[Filter]>,
    },
    /// Collect what matches, open a reconciliation over it and answer the first message.
    Open {
        /// The reconciliation's key.
        key: u64,
        /// What it covers.
        filter: Box<Filter>,
        /// The first message.
        message: Vec<u8>,
    },
    /// Answer one more message.
    Reconcile {
        /// The reconciliation's key.
        key: u64,
        /// The reconciliation.
        session: Arc<Reconciliation>,
        /// The message.
        message: Vec<u8>,
    },
}

impl Question {
    /// The answer that refuses it.
    #[must_use]
    pub fn refuse(&self, why: Rejection) -> Answer {
        match self {
            Self::Stored { key, .. } => Answer::Stored(*key, Err(why)),
            Self::Count { name, .. } => Answer::Count(name.clone(), Err(why)),
            Self::Open { key, .. } => Answer::Opened(*key, Err(why)),
            Self::Reconcile { key, .. } => Answer::Reconciled(*key, Err(why)),
        }
    }
}

/// What a COUNT is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// How many events.
    pub events: usize,
    /// What tells of how many authors, where the filter says where to look in their keys.
    pub registers: Option<Registers>,
}

/// The answer to a [`Question`] of the same name.
#[derive(Debug)]
pub enum Answer {
    /// What is stored.
    Stored(u64, Result<Found, Rejection>),
    /// How many match.
    Count(String, Result<Counted, Rejection>),
    /// An opened reconciliation and its first answer.
    Opened(u64, Result<(Reconciliation, Vec<u8>), Rejection>),
    /// A further answer.
    Reconciled(u64, Result<Vec<u8>, Rejection>),
}

/// Something for others to do.
#[derive(Debug)]
pub enum Work {
    /// Check id and signature, unless the event is to be stored and its id is known and right; then
    /// [`Session::verified`] or [`Session::settled`].
    Verify(Errand),
    /// Give it to the backend, then [`Session::settled`].
    Submit {
        /// The event.
        event: VerifiedEvent,
        /// Where from.
        source: Source,
        /// To be handed back.
        weight: usize,
    },
    /// Take the subscription of this key out of the live index, if it is there.
    Unwatch(u64),
    /// Answer these in order, for this viewer, then [`Session::answered`] once for all.
    Ask(Vec<Question>, Arc<Viewer>),
}

/// Why a conversation ends from this side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Farewell {
    /// It does not read what it asked for. Nothing more is sent.
    TooSlow,
    /// It was silent too long.
    Idle,
    /// The relay stops.
    Stopping,
    /// The other side says no more.
    Theirs,
}

/// How EVENTs were answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// With OK true.
    pub accepted: usize,
    /// With OK false.
    pub rejected: usize,
}
