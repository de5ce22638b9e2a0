//! One client's conversation, without a socket, a clock or a thread.
//!
//! Inputs: a message's text, the outcome of a signature check, the backend's verdict on an event,
//! answers to questions, live events, and time. Outputs, taken one by one: [`Work`] for others to
//! do and [`Frame`]s to send. Whoever drives a session must do every piece of work exactly once
//! and bring its outcome back; then every EVENT gets exactly one OK, every REQ an EOSE or CLOSED,
//! every COUNT a COUNT or CLOSED, and no live event is missed or repeated (`laws.rs`).
//!
//! Bounded throughout: what waits is limited by number or bytes, and [`Session::wants_input`] says
//! when the socket should rest. A client that does not read what others cause to be sent to it is
//! closed ([`Farewell::TooSlow`]).

pub mod admission;
pub mod auth;
pub mod budget;
pub mod frame;
pub mod reconciliation;
pub mod subscriptions;

use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use ayni_protocol::wire::{ClientMessage, Complaint};
use ayni_protocol::{
    Event, EventId, Filter, Limits, Prefix, Rejection, Timestamp, VerifiedEvent, wire,
};

use self::auth::Auth;
use self::budget::{Allowance, InFlight, Pulse, Silence};
pub use self::frame::{Frame, Live};
use self::reconciliation::{Reconciliation, Reconciliations};
pub use self::subscriptions::Found;
use self::subscriptions::Subscriptions;
use crate::backend::{Accepted, Source, Viewer};
use crate::settings::{AuthMode, Settings};

/// Questions that are handed out at once, so that a burst of REQs costs one handover.
const QUESTIONS_AT_ONCE: usize = 8;

/// What all sessions of a relay share.
#[derive(Debug)]
pub struct Rules {
    /// The limits.
    pub limits: Limits,
    /// The relay's URLs as AUTH compares them.
    urls: Vec<String>,
    auth: AuthMode,
}

impl Rules {
    /// The rules that settings give.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let urls = settings.public_urls.iter().filter_map(|url| auth::normalised(url)).collect();
        Self { limits: settings.limits.clone(), urls, auth: settings.auth }
    }
}

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
        session: Arc<Mutex<Reconciliation>>,
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

/// The answer to a [`Question`] of the same name.
#[derive(Debug)]
pub enum Answer {
    /// What is stored.
    Stored(u64, Result<Found, Rejection>),
    /// How many match.
    Count(String, Result<usize, Rejection>),
    /// An opened reconciliation and its first answer.
    Opened(u64, Result<(Reconciliation, Vec<u8>), Rejection>),
    /// A further answer.
    Reconciled(u64, Result<Vec<u8>, Rejection>),
}

/// Something for others to do.
#[derive(Debug)]
pub enum Work {
    /// Check id and signature, unless the event is to be stored and its id is known; then
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
}

/// How EVENTs were answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// With OK true.
    pub accepted: usize,
    /// With OK false.
    pub rejected: usize,
}

/// One client's conversation.
#[derive(Debug)]
pub struct Session {
    rules: Arc<Rules>,
    address: IpAddr,
    viewer: Arc<Viewer>,
    auth: Auth,
    allowance: Allowance,
    in_flight: InFlight,
    pulse: Pulse,
    subscriptions: Subscriptions,
    reconciliations: Reconciliations,
    next_key: u64,
    questions: VecDeque<Question>,
    counts_waiting: usize,
    asking: bool,
    work: VecDeque<Work>,
    outbox: VecDeque<Frame>,
    outbox_bytes: usize,
    tally: Tally,
    farewell: Option<Farewell>,
}

impl Session {
    /// A conversation that begins. `challenge` is fresh randomness as text (NIP-42).
    #[must_use]
    pub fn new(rules: Arc<Rules>, address: IpAddr, challenge: String) -> Self {
        let allowance = Allowance::new(&rules.limits);
        let on_connect = rules.auth == AuthMode::OnConnect;
        let mut session = Self {
            rules,
            address,
            viewer: Arc::default(),
            auth: Auth::new(challenge),
            allowance,
            in_flight: InFlight::default(),
            pulse: Pulse::default(),
            subscriptions: Subscriptions::default(),
            reconciliations: Reconciliations::default(),
            next_key: 1,
            questions: VecDeque::new(),
            counts_waiting: 0,
            asking: false,
            work: VecDeque::new(),
            outbox: VecDeque::new(),
            outbox_bytes: 0,
            tally: Tally::default(),
            farewell: None,
        };
        if on_connect {
            session.announce();
        }
        session
    }

    /// One text message. Gives the place of its verb in [`crate::VERBS`].
    pub fn receive(&mut self, text: &str, now: Timestamp, clock_ms: u64) -> usize {
        self.pulse.heard(clock_ms);
        let allowed = self.allowance.take(clock_ms);
        let message = ClientMessage::parse(text);
        let verb = verb(&message);
        if self.farewell.is_some() {
            return verb;
        }
        match message {
            Err(complaint) => self.complain(complaint),
            Ok(message) if !allowed => self.slow_down(message),
            Ok(message) => self.obey(message, text.len(), now, clock_ms),
        }
        verb
    }

    /// A ping or pong came.
    pub const fn heard(&mut self, clock_ms: u64) {
        self.pulse.heard(clock_ms);
    }

    /// The signature check of an [`Errand`] is done.
    pub fn verified(
        &mut self,
        id: EventId,
        purpose: Purpose,
        weight: usize,
        outcome: Result<VerifiedEvent, Rejection>,
    ) {
        match purpose {
            Purpose::Authenticate => self.authenticated(id, outcome),
            Purpose::Store => {
                let limits = &self.rules.limits;
                let outcome = outcome
                    .and_then(|event| admission::check_length(&event, limits).map(|()| event));
                match outcome {
                    Ok(event) => {
                        let keys = self.viewer.keys.clone();
                        let source = Source { address: self.address, keys };
                        self.work.push_back(Work::Submit { event, source, weight });
                    }
                    Err(rejection) => self.settled(id, weight, Err(rejection)),
                }
            }
        }
    }

    /// The verdict on an event that was to be stored.
    pub fn settled(&mut self, id: EventId, weight: usize, verdict: Result<Accepted, Rejection>) {
        self.in_flight.leave(weight);
        match verdict {
            Ok(accepted) => {
                self.tally.accepted += 1;
                self.say(wire::ok(&id, true, &accepted.message));
            }
            Err(rejection) => self.refuse_event(&id, &rejection),
        }
    }

    /// The answers to all questions of one [`Work::Ask`].
    pub fn answered(&mut self, answers: Vec<Answer>) {
        self.asking = false;
        for answer in answers {
            match answer {
                Answer::Stored(key, Ok(found)) => {
                    // Closed while it was being asked: it may have been watched after all.
                    if !self.subscriptions.found(key, found) {
                        self.work.push_back(Work::Unwatch(key));
                    }
                }
                Answer::Stored(key, Err(rejection)) => {
                    if let Some(name) = self.subscriptions.close_key(key) {
                        self.work.push_back(Work::Unwatch(key));
                        self.close_subscription(&name, &rejection);
                    }
                }
                Answer::Count(name, outcome) => {
                    self.counts_waiting = self.counts_waiting.saturating_sub(1);
                    match outcome {
                        Ok(count) => self.say(wire::count(&name, count)),
                        Err(rejection) => self.close_subscription(&name, &rejection),
                    }
                }
                Answer::Opened(key, outcome) => {
                    let outcome = outcome.map(|(session, message)| (Some(session), message));
                    self.reconciled(key, outcome);
                }
                Answer::Reconciled(key, outcome) => {
                    self.reconciled(key, outcome.map(|message| (None, message)));
                }
            }
        }
    }

    /// A live event that the index found for the subscription `key`.
    pub fn live(&mut self, key: u64, live: &Arc<Live>, now: Timestamp) {
        if self.farewell.is_some() || live.is_expired(now) || !self.viewer.may_see(&live.event) {
            return;
        }
        if let Some(frame) = self.subscriptions.live(key, live) {
            self.push(frame);
        }
        if self.waiting_bytes() > self.rules.limits.outbound_bytes {
            self.end(Farewell::TooSlow);
        }
    }

    /// Time has passed: call at [`Session::deadline_ms`].
    pub fn tick(&mut self, clock_ms: u64) {
        for text in self.reconciliations.expire(clock_ms, &self.rules.limits) {
            self.say(text);
        }
        match self.pulse.look(clock_ms, &self.rules.limits) {
            Silence::Fine => {}
            Silence::Ping => self.outbox.push_back(Frame::Ping),
            Silence::Gone => self.end(Farewell::Idle),
        }
    }

    /// When to [`tick`](Session::tick) next, in milliseconds since the connection began.
    #[must_use]
    pub fn deadline_ms(&self) -> u64 {
        self.pulse.deadline_ms(&self.rules.limits)
    }

    /// The relay stops: everything open is closed, what is under way is still answered.
    pub fn stop(&mut self) {
        if self.farewell.is_some() {
            return;
        }
        let why = Rejection::new(Prefix::Error, "shutting down");
        for (key, name) in self.subscriptions.close_all() {
            self.work.push_back(Work::Unwatch(key));
            self.say(wire::closed(&name, &why));
        }
        for id in self.reconciliations.close_all() {
            self.say(wire::neg_err(&id, &why));
        }
        for question in std::mem::take(&mut self.questions) {
            if let Question::Count { name, .. } = question {
                self.say(wire::closed(&name, &why));
            }
        }
        self.end(Farewell::Stopping);
    }

    /// Why the conversation is to end, once it is. Nothing is asked any more then; what is left in
    /// the outbox may still be sent, except to one that is too slow.
    #[must_use]
    pub const fn farewell(&self) -> Option<Farewell> {
        self.farewell
    }

    /// Whether an EVENT still waits for its OK.
    #[must_use]
    pub const fn owes_verdicts(&self) -> bool {
        !self.in_flight.is_empty()
    }

    /// Whether another message may be read from the socket now.
    #[must_use]
    pub fn wants_input(&self) -> bool {
        let limits = &self.rules.limits;
        self.farewell.is_none()
            && !self.auth.is_checking()
            && self.in_flight.has_room(limits)
            && self.outbox_bytes <= limits.outbound_bytes / 4
    }

    /// The next thing for others to do.
    pub fn next_work(&mut self) -> Option<Work> {
        if let Some(work) = self.work.pop_front() {
            return Some(work);
        }
        let room = self.subscriptions.backlog() <= self.rules.limits.max_limit;
        if self.asking || self.questions.is_empty() || !room {
            return None;
        }
        self.asking = true;
        let count = self.questions.len().min(QUESTIONS_AT_ONCE);
        Some(Work::Ask(self.questions.drain(..count).collect(), Arc::clone(&self.viewer)))
    }

    /// The next frame to send. Answers to queries are drawn only when nothing else waits, so they
    /// are as slow as the reader and are never what fills the outbox.
    pub fn next_frame(&mut self) -> Option<Frame> {
        if self.farewell == Some(Farewell::TooSlow) {
            return None;
        }
        if let Some(frame) = self.outbox.pop_front() {
            self.outbox_bytes = self.outbox_bytes.saturating_sub(frame.payload_bytes());
            return Some(frame);
        }
        let (frame, news) = self.subscriptions.next_frame()?;
        for frame in news {
            self.push(frame);
        }
        Some(frame)
    }

    /// Bytes that wait to be sent, answers to queries aside.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.outbox_bytes + self.subscriptions.held_bytes()
    }

    /// How many subscriptions are open.
    #[must_use]
    pub fn subscriptions(&self) -> usize {
        self.subscriptions.len()
    }

    /// How EVENTs were answered since this was last asked.
    pub fn take_tally(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
    }
}

/// What each message leads to.
impl Session {
    fn obey(&mut self, message: ClientMessage, length: usize, now: Timestamp, clock_ms: u64) {
        match message {
            ClientMessage::Event(event) => self.event(event, length, now),
            ClientMessage::Auth(event) => self.authenticate(event, now),
            ClientMessage::Req(name, filters) => self.request(&name, filters),
            ClientMessage::Count(name, filters) => self.count(name, filters),
            ClientMessage::Close(name) => self.drop_subscription(&name),
            ClientMessage::NegOpen(id, filter, first) => self.open(&id, filter, first, clock_ms),
            ClientMessage::NegMessage(id, message) => self.reconcile(&id, message, clock_ms),
            ClientMessage::NegClose(id) => self.drop_reconciliation(&id),
            ClientMessage::Unknown(_) => {}
        }
    }

    fn event(&mut self, event: Box<Event>, length: usize, now: Timestamp) {
        if let Err(rejection) = admission::check(&event, &self.viewer, &self.rules.limits, now) {
            self.refuse_event(&event.id, &rejection);
            return;
        }
        let weight = length.max(1);
        self.in_flight.enter(weight);
        self.work.push_back(Work::Verify(Errand { event, purpose: Purpose::Store, weight }));
    }

    fn authenticate(&mut self, event: Box<Event>, now: Timestamp) {
        let begun = self.auth.begin(&event, &self.rules.urls, &self.rules.limits, now);
        match begun {
            Ok(()) => {
                let errand = Errand { event, purpose: Purpose::Authenticate, weight: 0 };
                self.work.push_back(Work::Verify(errand));
            }
            Err(rejection) => self.say(wire::ok(&event.id, false, &rejection.to_string())),
        }
    }

    fn authenticated(&mut self, id: EventId, outcome: Result<VerifiedEvent, Rejection>) {
        self.auth.end();
        let outcome = outcome.and_then(|event| self.admit_key(&event));
        let message = outcome.as_ref().err().map(ToString::to_string).unwrap_or_default();
        self.say(wire::ok(&id, outcome.is_ok(), &message));
    }

    fn admit_key(&mut self, event: &VerifiedEvent) -> Result<(), Rejection> {
        let mut keys: BTreeSet<_> = self.viewer.keys.clone();
        keys.insert(event.pubkey);
        if keys.len() > self.rules.limits.auth_keys {
            let most = self.rules.limits.auth_keys;
            let sentence = format!("at most {most} keys may authenticate on one connection");
            return Err(Rejection::new(Prefix::Restricted, sentence));
        }
        self.viewer = Arc::new(Viewer { keys });
        Ok(())
    }

    fn request(&mut self, name: &str, filters: Vec<Filter>) {
        self.drop_subscription(name);
        let key = self.fresh_key();
        let limits = &self.rules.limits;
        let opened = check_name(name, limits)
            .and_then(|()| check_filters(&filters, limits))
            .and_then(|()| self.subscriptions.open(name, key, &filters, limits));
        match opened {
            Ok(()) => self.questions.push_back(Question::Stored { key, filters: filters.into() }),
            Err(rejection) => self.close_subscription(name, &rejection),
        }
    }

    fn drop_subscription(&mut self, name: &str) {
        let Some(closed) = self.subscriptions.close(name) else { return };
        self.work.push_back(Work::Unwatch(closed));
        self.questions.retain(|question| match question {
            Question::Stored { key, .. } => *key != closed,
            _ => true,
        });
    }

    fn count(&mut self, name: String, filters: Vec<Filter>) {
        let limits = &self.rules.limits;
        let checked = check_name(&name, limits).and_then(|()| check_filters(&filters, limits));
        let checked = checked.and_then(|()| {
            if self.counts_waiting < limits.subscriptions {
                return Ok(());
            }
            let sentence = "too many COUNTs are waiting for their answer";
            Err(Rejection::new(Prefix::RateLimited, sentence))
        });
        match checked {
            Ok(()) => {
                self.counts_waiting += 1;
                self.questions.push_back(Question::Count { name, filters: filters.into() });
            }
            Err(rejection) => self.close_subscription(&name, &rejection),
        }
    }

    fn open(&mut self, id: &str, filter: Box<Filter>, message: Vec<u8>, clock_ms: u64) {
        self.drop_reconciliation(id);
        let key = self.fresh_key();
        let limits = &self.rules.limits;
        let begun = check_name(id, limits)
            .and_then(|()| check_filters(std::slice::from_ref(&*filter), limits))
            .and_then(|()| self.reconciliations.begin(id, key, clock_ms, limits));
        match begun {
            Ok(()) => self.questions.push_back(Question::Open { key, filter, message }),
            Err(rejection) => self.refuse_reconciliation(id, &rejection),
        }
    }

    fn reconcile(&mut self, id: &str, message: Vec<u8>, clock_ms: u64) {
        match self.reconciliations.use_session(id, clock_ms) {
            Ok((key, session)) => {
                self.questions.push_back(Question::Reconcile { key, session, message });
            }
            Err(text) => {
                self.drop_reconciliation(id);
                self.say(text);
            }
        }
    }

    fn drop_reconciliation(&mut self, id: &str) {
        let Some(closed) = self.reconciliations.close(id) else { return };
        self.questions.retain(|question| match question {
            Question::Open { key, .. } | Question::Reconcile { key, .. } => *key != closed,
            _ => true,
        });
    }

    fn reconciled(
        &mut self,
        key: u64,
        outcome: Result<(Option<Reconciliation>, Vec<u8>), Rejection>,
    ) {
        if let Err(rejection) = &outcome {
            self.announce_for(rejection);
        }
        if let Some(text) = self.reconciliations.settle(key, outcome) {
            self.say(text);
        }
    }

    fn complain(&mut self, complaint: Complaint) {
        match complaint {
            Complaint::Notice(rejection) => self.say(wire::notice(&rejection.to_string())),
            Complaint::Event(id, rejection) => self.refuse_event(&id, &rejection),
            Complaint::Subscription(name, rejection) => {
                self.drop_subscription(&name);
                self.close_subscription(&name, &rejection);
            }
            Complaint::Reconciliation(id, rejection) => {
                self.drop_reconciliation(&id);
                self.refuse_reconciliation(&id, &rejection);
            }
        }
    }

    /// Answers a message that came beyond the allowance. Closing things is always allowed.
    fn slow_down(&mut self, message: ClientMessage) {
        let why = Rejection::new(Prefix::RateLimited, "too many messages; slow down");
        match message {
            ClientMessage::Event(event) => self.refuse_event(&event.id, &why),
            ClientMessage::Auth(event) => self.say(wire::ok(&event.id, false, &why.to_string())),
            ClientMessage::Req(name, _) => {
                self.drop_subscription(&name);
                self.close_subscription(&name, &why);
            }
            ClientMessage::Count(name, _) => self.close_subscription(&name, &why),
            ClientMessage::NegOpen(id, ..) | ClientMessage::NegMessage(id, _) => {
                self.drop_reconciliation(&id);
                self.refuse_reconciliation(&id, &why);
            }
            ClientMessage::Close(name) => self.drop_subscription(&name),
            ClientMessage::NegClose(id) => self.drop_reconciliation(&id),
            ClientMessage::Unknown(_) => {}
        }
    }
}

/// What is said.
impl Session {
    fn refuse_event(&mut self, id: &EventId, why: &Rejection) {
        self.announce_for(why);
        self.tally.rejected += 1;
        self.say(wire::ok(id, false, &why.to_string()));
    }

    fn close_subscription(&mut self, name: &str, why: &Rejection) {
        self.announce_for(why);
        self.say(wire::closed(name, why));
    }

    fn refuse_reconciliation(&mut self, id: &str, why: &Rejection) {
        self.announce_for(why);
        self.say(wire::neg_err(id, why));
    }

    /// A refusal that AUTH would lift comes after the challenge, so that it can be acted upon.
    fn announce_for(&mut self, why: &Rejection) {
        if why.prefix == Prefix::AuthRequired {
            self.announce();
        }
    }

    fn announce(&mut self) {
        if let Some(challenge) = self.auth.announce() {
            let text = wire::auth(challenge);
            self.say(text);
        }
    }

    fn say(&mut self, text: String) {
        self.push(Frame::Text(text));
    }

    fn push(&mut self, frame: Frame) {
        self.outbox_bytes += frame.payload_bytes();
        self.outbox.push_back(frame);
    }

    fn end(&mut self, farewell: Farewell) {
        if self.farewell.is_none() {
            self.farewell = Some(farewell);
            self.questions.clear();
        }
        if farewell == Farewell::TooSlow {
            self.outbox.clear();
            self.outbox_bytes = 0;
        }
    }

    const fn fresh_key(&mut self) -> u64 {
        let key = self.next_key;
        self.next_key += 1;
        key
    }
}

fn check_name(name: &str, limits: &Limits) -> Result<(), Rejection> {
    let most = limits.subscription_id_chars;
    if name.is_empty() || name.chars().nth(most).is_some() {
        let sentence = format!("a subscription id has 1 to {most} characters");
        return Err(Rejection::invalid(sentence));
    }
    Ok(())
}

fn check_filters(filters: &[Filter], limits: &Limits) -> Result<(), Rejection> {
    if filters.len() > limits.filters {
        let sentence = format!("at most {} filters a message", limits.filters);
        return Err(Rejection::invalid(sentence));
    }
    if filters.iter().any(|filter| filter.values() > limits.filter_values) {
        let sentence = format!("at most {} values in one filter", limits.filter_values);
        return Err(Rejection::invalid(sentence));
    }
    Ok(())
}

/// The place of a message's verb in [`crate::VERBS`].
const fn verb(message: &Result<ClientMessage, Complaint>) -> usize {
    match message {
        Ok(ClientMessage::Event(_)) => 0,
        Ok(ClientMessage::Auth(_)) => 1,
        Ok(ClientMessage::Req(..)) => 2,
        Ok(ClientMessage::Count(..)) => 3,
        Ok(ClientMessage::Close(_)) => 4,
        Ok(ClientMessage::NegOpen(..)) => 5,
        Ok(ClientMessage::NegMessage(..)) => 6,
        Ok(ClientMessage::NegClose(_)) => 7,
        Ok(ClientMessage::Unknown(_)) => 8,
        Err(_) => 9,
    }
}

#[cfg(test)]
mod tests;
