//! One other node, as a state machine that owns no socket.
//!
//! Whoever drives it calls a `handle_*` for everything that happens and then drains
//! [`Peer::poll_transmit`] and [`Peer::poll_event`]; [`Peer::poll_timeout`] says when to call
//! [`Peer::handle_timeout`] at the latest. One connection exists at a time: after
//! [`Transmit::Close`] or [`Peer::handle_disconnected`] the next comes with [`Transmit::Connect`].

use std::collections::VecDeque;

use ayni_protocol::{Event, EventId, Prefix, Rejection, Timestamp, VerifiedEvent};

use crate::backoff::Backoff;
use crate::inbox::{Came, Inbox};
use crate::outbox::Outbox;
use crate::session::{Session, Stage, batch_name};
use crate::wire::{self, RelayMessage};
use crate::{Millis, PeerState, PeerStatus, Terms};

/// What the driver is to do with the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transmit {
    /// Connect, then [`Peer::handle_connected`] or [`Peer::handle_disconnected`].
    Connect,
    /// Send this text.
    Text(String),
    /// Send this event of ours, by [`wire::event_json`]; if it is gone, [`Peer::handle_absent`].
    Upload(EventId),
    /// Sign this challenge with the node key (NIP-42), then [`Peer::handle_signed`].
    Authenticate {
        /// What to sign.
        challenge: String,
    },
    /// Send a WebSocket ping; the pong is [`Peer::handle_alive`].
    Ping,
    /// Close the connection. The machine has already left it.
    Close {
        /// Why, as a sentence.
        reason: String,
    },
}

/// What the driver is to do with its own node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerEvent {
    /// Call [`Peer::handle_items`] with everything held of the scope.
    ItemsWanted,
    /// An event of the peer, as it was sent: never believed before it passed our own door. Answer
    /// with [`Peer::handle_stored`], [`Peer::handle_refused`] or [`Peer::handle_forged`].
    Received(Box<Event>),
}

/// One peer.
#[derive(Debug)]
pub struct Peer {
    pub(crate) terms: Terms,
    pub(crate) link: Link,
    pub(crate) inbox: Inbox,
    pub(crate) outbox: Outbox,
    pub(crate) transmits: VecDeque<Transmit>,
    pub(crate) events: VecDeque<PeerEvent>,
    pub(crate) backoff: Backoff,
    pub(crate) last_error: Option<String>,
    pub(crate) sent: u64,
    received: u64,
    in_step_at: Option<Millis>,
}

#[derive(Debug)]
pub enum Link {
    Down { retry_at: Millis },
    Connecting,
    Up(Box<Session>),
}

impl Link {
    pub fn session(&mut self) -> Option<&mut Session> {
        match self {
            Self::Up(session) => Some(session),
            _ => None,
        }
    }
}

/// Why a connection ends from our side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fall {
    /// The peer sent what no honest peer sends.
    Lie(&'static str),
    /// It does not answer.
    Silent(&'static str),
}

impl Peer {
    /// A peer not yet connected, to be connected at once. `entropy` decides the jitter of waits.
    #[must_use]
    pub fn new(terms: Terms, entropy: u64, now: Millis) -> Self {
        Self {
            link: Link::Down { retry_at: now },
            inbox: Inbox::new(&terms),
            outbox: Outbox::new(&terms),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            backoff: Backoff::new(entropy),
            last_error: None,
            sent: 0,
            received: 0,
            in_step_at: None,
            terms,
        }
    }

    /// The connection asked for by [`Transmit::Connect`] is open.
    pub fn handle_connected(&mut self, now: Millis) {
        self.leave();
        self.link = Link::Up(Box::new(Session::new(now, &self.terms)));
        self.begin_pass(now);
        self.pump(now);
    }

    /// The connection was lost, or could not be made, and why. Ignored where there is none.
    pub fn handle_disconnected(&mut self, why: &str, now: Millis) {
        if matches!(self.link, Link::Down { .. }) {
            return;
        }
        self.leave();
        self.last_error = Some(why.to_owned());
        self.link = Link::Down { retry_at: now + self.backoff.failed(&self.terms) };
    }

    /// A text message came.
    pub fn handle_message(&mut self, text: &str, now: Millis) {
        let most = self.terms.message_bytes;
        let Some(session) = self.session() else { return };
        session.heard_at = now;
        session.pinged = false;
        let outcome = if text.len() > most {
            Err(Fall::Lie("a message beyond all limits"))
        } else {
            match RelayMessage::parse(text) {
                Ok(message) => self.hear(message, now),
                Err(_) => self.strike("text that is no message of a relay"),
            }
        };
        self.conclude(outcome, now);
    }

    /// A pong came.
    pub fn handle_alive(&mut self, now: Millis) {
        if let Some(session) = self.session() {
            session.heard_at = now;
            session.pinged = false;
        }
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Millis) {
        let outcome = match &self.link {
            Link::Down { retry_at } if *retry_at <= now => {
                self.link = Link::Connecting;
                self.transmits.push_back(Transmit::Connect);
                Ok(())
            }
            Link::Up(_) => self.connection_timeout(now),
            _ => Ok(()),
        };
        self.conclude(outcome, now);
    }

    /// What this node holds of the scope, oldest first; the answer to [`PeerEvent::ItemsWanted`].
    pub fn handle_items(&mut self, items: Vec<(Timestamp, EventId)>, now: Millis) {
        self.gathered(items, now);
        self.pump(now);
    }

    /// An event that was handed out is stored, or was stored already.
    pub fn handle_stored(&mut self, id: &EventId, now: Millis) {
        let came = self.inbox.stored(id);
        self.received = self.received.saturating_add(u64::from(came.is_some()));
        if let (Some(came), Some(session)) = (came, self.session()) {
            session.pass.progress = true;
            session.live_stored += usize::from(came == Came::Live);
        }
        self.pump(now);
    }

    /// An event that was handed out was refused.
    ///
    /// What is malformed or banned is remembered. Any other refusal may turn: the event that lets
    /// this author in, or the order before this one, may still be on its way.
    pub fn handle_refused(&mut self, id: &EventId, why: &Rejection, now: Millis) {
        let for_good = matches!(why.prefix, Prefix::Invalid | Prefix::Blocked | Prefix::Pow);
        let came = self.inbox.refused(id, for_good);
        let most = self.terms.refusals_max;
        let Some(session) = self.session() else { return };
        session.pass.refused_for_now |= came.is_some() && !for_good;
        session.live_refused += usize::from(came == Some(Came::Live));
        let useless = session.live_refused > most && session.live_refused > session.live_stored;
        let outcome =
            if useless { Err(Fall::Lie("events that this node refuses")) } else { Ok(()) };
        self.conclude(outcome, now);
    }

    /// An event that was handed out has a wrong id or signature.
    pub fn handle_forged(&mut self, id: &EventId, now: Millis) {
        self.inbox.refused(id, true);
        let most = self.terms.forgeries_max;
        let Some(session) = self.session() else { return };
        session.forgeries += 1;
        let liar = session.forgeries > most;
        let outcome = if liar { Err(Fall::Lie("forged events")) } else { Ok(()) };
        self.conclude(outcome, now);
    }

    /// This node stored an event, whoever it came from.
    pub fn handle_local(&mut self, id: EventId, now: Millis) {
        if self.session().is_some() {
            self.outbox.offer_new(id);
            self.pump(now);
        }
    }

    /// Some events that this node stored were not told: they are found by reconciliation.
    pub fn handle_missed(&mut self, now: Millis) {
        let at = now + self.terms.retry_ms;
        if let Some(session) = self.session() {
            session.pass.missed = true;
            session.resync_at = session.resync_at.min(at);
        }
    }

    /// An operator wants the sets reconciled now.
    pub fn handle_resync(&mut self, now: Millis) {
        match &mut self.link {
            Link::Up(session) => session.resync_at = now,
            Link::Down { retry_at } => *retry_at = (*retry_at).min(now),
            Link::Connecting => {}
        }
    }

    /// The event of a [`Transmit::Upload`] is not in our store any more.
    pub fn handle_absent(&mut self, id: &EventId, now: Millis) {
        self.outbox.absent(id);
        self.pump(now);
    }

    /// The challenge of a [`Transmit::Authenticate`] was signed.
    pub fn handle_signed(&mut self, signed: &VerifiedEvent, now: Millis) {
        let outcome = self.authenticate(signed.id, signed.json());
        self.conclude(outcome, now);
    }

    /// What to do next with the network.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// What to do next with our own node.
    pub fn poll_event(&mut self) -> Option<PeerEvent> {
        self.events.pop_front()
    }

    /// When [`Peer::handle_timeout`] is to be called at the latest; `now` is the time of the last
    /// call of any `handle_*`.
    #[must_use]
    pub fn poll_timeout(&self, now: Millis) -> Option<Millis> {
        match &self.link {
            Link::Down { retry_at } => Some(*retry_at),
            Link::Connecting => None,
            Link::Up(session) => {
                let silence = self.terms.silence_ms * if session.pinged { 2 } else { 1 };
                let ours = [self.inbox.timeout(now), self.outbox.timeout(now), session.deadline()];
                ours.into_iter().flatten().chain([session.heard_at + silence]).min()
            }
        }
    }

    /// How it stands.
    #[must_use]
    pub fn status(&self, now: Millis) -> PeerStatus {
        let state = self.state();
        let lag_ms = match state {
            PeerState::InStep => Some(0),
            _ => self.in_step_at.map(|at| now.saturating_sub(at)),
        };
        PeerStatus {
            state,
            lag_secs: lag_ms.map(|ms| ms / 1_000),
            missing: self.inbox.missing(),
            missing_there: self.outbox.missing(),
            refused: self.inbox.refused_count(),
            refused_there: self.outbox.refused_count(),
            withheld: self.inbox.withheld(),
            received: self.received,
            sent: self.sent,
            failures: self.backoff.failures(),
            last_error: self.last_error.clone(),
            last_error_at: None,
        }
    }

    fn state(&self) -> PeerState {
        match &self.link {
            Link::Down { .. } => PeerState::Disconnected,
            Link::Connecting => PeerState::Connecting,
            Link::Up(session) => {
                let settled = matches!(session.stage, Stage::Settled { concluded: true })
                    && session.pass.completed
                    && !session.pass.partial
                    && !session.pass.missed;
                let missing = self.inbox.missing() + self.outbox.missing() + self.inbox.withheld();
                if settled && missing == 0 { PeerState::InStep } else { PeerState::Syncing }
            }
        }
    }

    pub(crate) fn session(&mut self) -> Option<&mut Session> {
        self.link.session()
    }

    pub(crate) fn say(&mut self, text: String) {
        self.transmits.push_back(Transmit::Text(text));
    }

    fn connection_timeout(&mut self, now: Millis) -> Result<(), Fall> {
        let Some(session) = self.link.session() else { return Ok(()) };
        let silence = now.saturating_sub(session.heard_at);
        if silence >= self.terms.silence_ms * 2 || self.inbox.overdue(now) {
            return Err(Fall::Silent("no sign of life"));
        }
        if silence >= self.terms.silence_ms && !session.pinged {
            session.pinged = true;
            self.transmits.push_back(Transmit::Ping);
        }
        self.outbox.elapsed(now, &self.terms);
        match session.deadline() {
            Some(deadline) if deadline <= now => self.stage_overdue(now),
            _ => Ok(()),
        }
    }

    fn conclude(&mut self, outcome: Result<(), Fall>, now: Millis) {
        match outcome {
            Ok(()) => self.pump(now),
            Err(fall) => self.fall(fall, now),
        }
    }

    fn fall(&mut self, fall: Fall, now: Millis) {
        self.leave();
        let (reason, wait) = match fall {
            Fall::Lie(what) => (format!("the peer sent {what}"), self.backoff.lied(&self.terms)),
            Fall::Silent(what) => (what.to_owned(), self.backoff.failed(&self.terms)),
        };
        self.link = Link::Down { retry_at: now + wait };
        self.last_error = Some(reason.clone());
        self.transmits.push_back(Transmit::Close { reason });
    }

    /// Forgets everything that belongs to one connection. What is at our own door stays there.
    fn leave(&mut self) {
        self.inbox.disconnected();
        self.outbox.disconnected(&self.terms);
        self.transmits.clear();
        self.events.retain(|event| matches!(event, PeerEvent::Received(_)));
    }

    /// Moves what waits into flight, as far as the windows allow. These bound the queue.
    fn pump(&mut self, now: Millis) {
        if self.session().is_none() {
            return;
        }
        self.ask_for_page(now);
        while let Some((number, filter)) = self.inbox.next_batch(now, &self.terms) {
            self.say(wire::req(&batch_name(number), &filter));
        }
        while let Some(id) = self.outbox.next(now, &self.terms) {
            self.transmits.push_back(Transmit::Upload(id));
        }
        self.conclude_pass(now);
        if self.state() == PeerState::InStep {
            self.in_step_at = Some(now);
        }
    }
}
