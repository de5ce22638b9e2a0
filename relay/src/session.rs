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
mod messages;
pub mod reconciliation;
pub mod subscriptions;
pub mod work;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

use ayni_protocol::relay_url::normalised;
use ayni_protocol::wire::{ClientMessage, Complaint};
use ayni_protocol::{EventId, Limits, Prefix, Rejection, Timestamp, VerifiedEvent, wire};

use self::auth::Auth;
use self::budget::{Allowance, InFlight, Pulse, Silence};
pub use self::frame::{Frame, Live};
use self::reconciliation::Reconciliations;
pub use self::subscriptions::Found;
use self::subscriptions::Subscriptions;
pub use self::work::{Answer, Counted, Errand, Farewell, Purpose, Question, Tally, Work};
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
    search: bool,
}

impl Rules {
    /// The rules that settings give.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let urls = settings.public_urls.iter().filter_map(|url| normalised(url)).collect();
        Self { limits: settings.limits.clone(), urls, auth: settings.auth, search: settings.search }
    }
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
        self.allowance.take(self.rules.limits.message_cost_bytes);
        let message = ClientMessage::parse(text);
        let verb = verb(&message);
        if self.farewell.is_some() {
            return verb;
        }
        match message {
            Err(complaint) => self.complain(complaint),
            Ok(message) => self.obey(message, text.len(), now, clock_ms),
        }
        verb
    }

    /// A ping or pong came.
    pub const fn heard(&mut self, clock_ms: u64) {
        self.pulse.heard(clock_ms);
    }

    /// So many bytes were read from the socket, whatever they turn out to be.
    pub fn spend(&mut self, bytes: usize, clock_ms: u64) {
        self.allowance.fill(clock_ms);
        self.allowance.take(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// The signature check of an [`Errand`] is done.
    pub fn verified(
        &mut self,
        id: EventId,
        purpose: Purpose,
        weight: usize,
        outcome: Result<VerifiedEvent, Rejection>,
    ) {
        if outcome.as_ref().is_err_and(|why| why.prefix == Prefix::Invalid) {
            self.mind_junk();
        }
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

    /// The last answers to the questions of one [`Work::Ask`].
    pub fn answered(&mut self, answers: Vec<Answer>) {
        self.answered_so_far(answers);
        self.asking = false;
    }

    /// The first of them, while the others are still being looked for.
    pub fn answered_so_far(&mut self, answers: Vec<Answer>) {
        for answer in answers {
            match answer {
                Answer::Stored(key, Ok(found)) => {
                    // Closed while it was being asked: it may have been watched after all.
                    if !self.subscriptions.found(key, found) {
                        self.work.push_back(Work::Unwatch(key));
                    }
                }
                Answer::Stored(key, Err(rejection)) => {
                    // It may have been watched, and closed since.
                    self.work.push_back(Work::Unwatch(key));
                    if let Some(name) = self.subscriptions.close_key(key) {
                        self.close_subscription(&name, &rejection);
                    }
                }
                Answer::Count(name, outcome) => {
                    self.counts_waiting = self.counts_waiting.saturating_sub(1);
                    match outcome {
                        Ok(Counted { events, registers }) => {
                            self.say(wire::count(&name, events, registers.as_ref()));
                        }
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
        self.allowance.fill(clock_ms);
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
        let silence_ms = self.pulse.deadline_ms(&self.rules.limits);
        self.allowance.overdrawn_until_ms().map_or(silence_ms, |ms| ms.min(silence_ms))
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

    /// The other side says no more: nothing is found out for it any longer, and the events it sent
    /// are still stored and answered.
    pub fn part(&mut self) {
        if self.farewell.is_some() {
            return;
        }
        for (key, _) in self.subscriptions.close_all() {
            self.work.push_back(Work::Unwatch(key));
        }
        drop(self.reconciliations.close_all());
        self.end(Farewell::Theirs);
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

    /// Whether an event of this weight is all that was taken in and has no OK yet.
    #[must_use]
    pub const fn has_only_in_flight(&self, weight: usize) -> bool {
        self.in_flight.is_only(weight)
    }

    /// Says whether whoever checks signatures has time for more than this client's fair share.
    pub const fn set_spare(&mut self, spare: bool) {
        self.in_flight.set_spare(spare);
    }

    /// Whether another message may be read from the socket now.
    #[must_use]
    pub fn wants_input(&self) -> bool {
        let limits = &self.rules.limits;
        self.farewell.is_none()
            && !self.auth.is_checking()
            && self.allowance.overdrawn_until_ms().is_none()
            && self.in_flight.has_room(limits)
            && self.outbox_bytes <= limits.outbound_bytes / 4
    }

    /// The next thing for others to do.
    pub fn next_work(&mut self) -> Option<Work> {
        if let Some(work) = self.work.pop_front() {
            return Some(work);
        }
        if !self.may_ask() {
            return None;
        }
        self.asking = true;
        let count = self.questions.len().min(QUESTIONS_AT_ONCE);
        Some(Work::Ask(self.questions.drain(..count).collect(), Arc::clone(&self.viewer)))
    }

    /// Whether there is something for others to do.
    #[must_use]
    pub fn has_work(&self) -> bool {
        !self.work.is_empty() || self.may_ask()
    }

    /// Whether the next questions may be asked now: those before are answered, and sent.
    fn may_ask(&self) -> bool {
        let room = self.subscriptions.backlog() <= self.rules.limits.max_limit;
        !self.asking && !self.questions.is_empty() && room
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

    /// Who has authenticated.
    #[must_use]
    pub const fn viewer(&self) -> &Arc<Viewer> {
        &self.viewer
    }

    /// How many subscriptions are open.
    #[must_use]
    pub fn subscriptions(&self) -> usize {
        self.subscriptions.count()
    }

    /// How EVENTs were answered since this was last asked.
    pub fn take_tally(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
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

    /// What nobody could use costs more than its bytes, so that sending it is soon slow.
    fn mind_junk(&mut self) {
        self.allowance.take(self.rules.limits.junk_cost_bytes);
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
mod talk;
#[cfg(test)]
mod tests;
