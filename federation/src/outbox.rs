//! What the peer lacks: offered, sent, and what it answered.
//!
//! Every EVENT is followed until its OK. What the peer has trouble with comes again later, each
//! time twice as late. What it refuses is not offered again in this connection, except that a
//! refusal which may turn (the author's own admission may still be on its way) is reconsidered once
//! other events have gone through. When the peer asks us to slow down, fewer events are sent at
//! once, and one more for each that it takes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ayni_protocol::{EventId, Prefix};

use crate::backoff::grown;
use crate::recent::Recent;
use crate::{Millis, Terms, wire};

/// The uploads to one peer.
#[derive(Debug)]
pub struct Outbox {
    /// Ids to be sent, in order; those not in `open` any more are not needed.
    queue: VecDeque<EventId>,
    /// Ids queued, in flight or postponed.
    open: BTreeSet<EventId>,
    /// In flight, with the time by which OK is expected.
    flying: BTreeMap<EventId, Millis>,
    /// Postponed, with the time to try again.
    later: BTreeMap<EventId, Millis>,
    /// How often those that were postponed were tried.
    tries: BTreeMap<EventId, u32>,
    refused: Recent,
    /// Refused, but that may turn.
    deferred: BTreeSet<EventId>,
    /// What the peer sent us or took from us lately: not to be echoed.
    has: Recent,
    window: usize,
    paused_until: Millis,
}

/// What the peer's OK meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The peer has it.
    Taken,
    /// Not now.
    Later,
    /// Not before we authenticate (NIP-42).
    AuthRequired,
    /// No.
    Refused,
    /// Nothing of this id was in flight.
    Unasked,
}

impl Outbox {
    /// Nothing to offer yet.
    pub const fn new(terms: &Terms) -> Self {
        Self {
            queue: VecDeque::new(),
            open: BTreeSet::new(),
            flying: BTreeMap::new(),
            later: BTreeMap::new(),
            tries: BTreeMap::new(),
            refused: Recent::new(terms.remembered_ids),
            deferred: BTreeSet::new(),
            has: Recent::new(terms.remembered_ids),
            window: terms.uploads_in_flight,
            paused_until: 0,
        }
    }

    /// A new connection, perhaps to a peer that was restored or reconfigured: all is forgotten.
    pub fn disconnected(&mut self, terms: &Terms) {
        *self = Self::new(terms);
    }

    /// Reconciliation found that the peer lacks these.
    pub fn offer(&mut self, ids: impl IntoIterator<Item = EventId>) {
        for id in ids {
            let refused = self.refused.contains(&id) || self.deferred.contains(&id);
            if !refused && self.open.insert(id) {
                self.queue.push_back(id);
            }
        }
    }

    /// This node stored an event. It is offered unless it came from this very peer.
    pub fn offer_new(&mut self, id: EventId) {
        if !self.has.contains(&id) {
            self.offer([id]);
        }
    }

    /// The peer has shown that it has this event. Whether that is news.
    pub fn peer_has(&mut self, id: EventId) -> bool {
        let news = !self.has.contains(&id);
        self.has.insert(id);
        if !self.flying.contains_key(&id) {
            self.drop_id(&id);
        }
        news
    }

    /// Whether the event is on its way to the peer.
    pub fn is_flying(&self, id: &EventId) -> bool {
        self.flying.contains_key(id)
    }

    /// The next event to send.
    pub fn next(&mut self, now: Millis, terms: &Terms) -> Option<EventId> {
        if now < self.paused_until || self.flying.len() >= self.window {
            return None;
        }
        loop {
            let id = self.queue.pop_front()?;
            if self.open.contains(&id) && !self.flying.contains_key(&id) {
                self.flying.insert(id, now + terms.answer_ms);
                return Some(id);
            }
        }
    }

    /// The peer answered with OK.
    pub fn answered(
        &mut self,
        id: EventId,
        accepted: bool,
        sentence: &str,
        now: Millis,
        terms: &Terms,
    ) -> Answer {
        if self.flying.remove(&id).is_none() {
            return Answer::Unasked;
        }
        let prefix = wire::prefix(sentence);
        if accepted || prefix == Some(Prefix::Duplicate) {
            self.drop_id(&id);
            self.has.insert(id);
            self.window = (self.window + 1).min(terms.uploads_in_flight);
            return Answer::Taken;
        }
        match prefix {
            Some(Prefix::RateLimited) => {
                self.window = (self.window / 2).max(1);
                self.paused_until = self.paused_until.max(now + terms.retry_ms);
                self.postpone(id, now, terms);
                Answer::Later
            }
            // The premise of an order may be among what is still to be sent.
            Some(Prefix::Error | Prefix::Missing | Prefix::Locked) => {
                self.postpone(id, now, terms);
                Answer::Later
            }
            Some(Prefix::AuthRequired) => {
                self.paused_until = self.paused_until.max(now + terms.answer_ms);
                self.postpone(id, now, terms);
                Answer::AuthRequired
            }
            Some(Prefix::Invalid | Prefix::Blocked | Prefix::Pow) | None => {
                self.drop_id(&id);
                self.refused.insert(id);
                Answer::Refused
            }
            Some(_) => {
                self.drop_id(&id);
                if self.deferred.len() < terms.remembered_ids {
                    self.deferred.insert(id);
                }
                Answer::Refused
            }
        }
    }

    fn postpone(&mut self, id: EventId, now: Millis, terms: &Terms) {
        let tries = self.tries.entry(id).or_insert(0);
        let wait = grown(terms.retry_ms, 2, *tries).min(terms.resync_ms);
        *tries = tries.saturating_add(1);
        self.later.insert(id, now + wait);
    }

    fn drop_id(&mut self, id: &EventId) {
        self.open.remove(id);
        self.flying.remove(id);
        self.later.remove(id);
        self.tries.remove(id);
    }

    /// Whether refusals are remembered that may turn.
    pub fn has_deferred(&self) -> bool {
        !self.deferred.is_empty()
    }

    /// Other events have gone through: what was refused and may turn is offered once more.
    pub fn reconsider(&mut self) {
        self.deferred.clear();
    }

    /// The event is gone from our own store.
    pub fn absent(&mut self, id: &EventId) {
        self.drop_id(id);
    }

    /// What was postponed may be tried at once: we have just authenticated.
    pub fn release(&mut self) {
        self.queue.extend(std::mem::take(&mut self.later).into_keys());
        self.paused_until = 0;
    }

    /// Time passed: what is due is queued again, and what was not answered is tried later.
    pub fn elapsed(&mut self, now: Millis, terms: &Terms) {
        let due: Vec<_> = keys_until(&self.later, now);
        for id in due {
            self.later.remove(&id);
            self.queue.push_back(id);
        }
        for id in keys_until(&self.flying, now) {
            self.flying.remove(&id);
            self.postpone(id, now, terms);
        }
    }

    /// Events the peer is known to lack.
    pub fn missing(&self) -> usize {
        self.open.len()
    }

    /// Events the peer refused in this connection.
    pub fn refused_count(&self) -> usize {
        self.refused.len() + self.deferred.len()
    }

    /// When to look again.
    pub fn timeout(&self, now: Millis) -> Option<Millis> {
        let waiting = !self.queue.is_empty() && self.paused_until > now;
        let paused = waiting.then_some(self.paused_until);
        self.flying.values().chain(self.later.values()).copied().chain(paused).min()
    }
}

fn keys_until(times: &BTreeMap<EventId, Millis>, now: Millis) -> Vec<EventId> {
    times.iter().filter(|(_, at)| **at <= now).map(|(id, _)| *id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn id(n: u8) -> EventId {
        EventId([n; 32])
    }

    fn terms() -> Terms {
        Terms { uploads_in_flight: 2, retry_ms: 10, answer_ms: 1_000, ..Terms::default() }
    }

    fn sent(outbox: &mut Outbox, now: Millis) -> Vec<u8> {
        std::iter::from_fn(|| outbox.next(now, &terms())).map(|id| id.0[0]).collect()
    }

    #[test]
    fn events_are_sent_in_order_within_the_window() {
        let mut outbox = Outbox::new(&terms());
        outbox.offer([1, 2, 3, 1].map(id));
        assert_eq!(sent(&mut outbox, 0), [1, 2]);
        assert_eq!(outbox.answered(id(2), true, "", 0, &terms()), Answer::Taken);
        assert_eq!(sent(&mut outbox, 0), [3]);
        assert_eq!(outbox.answered(id(2), true, "", 0, &terms()), Answer::Unasked);
        assert_eq!(outbox.missing(), 2);
    }

    #[test]
    fn what_came_from_the_peer_is_not_echoed() {
        let mut outbox = Outbox::new(&terms());
        assert!(outbox.peer_has(id(1)));
        assert!(!outbox.peer_has(id(1)));
        outbox.offer_new(id(1));
        outbox.offer_new(id(2));
        outbox.offer([3].map(id));
        outbox.peer_has(id(3));
        assert_eq!(sent(&mut outbox, 0), [2]);
        outbox.offer([id(1)]);
        assert_eq!(sent(&mut outbox, 0), [1], "but reconciliation knows better");
    }

    #[test]
    fn what_is_refused_for_now_comes_again_and_later_each_time() {
        let mut outbox = Outbox::new(&terms());
        outbox.offer([id(1)]);
        for (now, due) in [(0, 10), (10, 30), (30, 70)] {
            assert_eq!(sent(&mut outbox, now), [1]);
            let answer = outbox.answered(id(1), false, "error: disk", now, &terms());
            assert_eq!((answer, outbox.timeout(now)), (Answer::Later, Some(due)));
            outbox.elapsed(due - 1, &terms());
            assert_eq!(sent(&mut outbox, due - 1), []);
            outbox.elapsed(due, &terms());
        }
    }

    #[test]
    fn what_is_refused_for_good_is_remembered() {
        let mut outbox = Outbox::new(&terms());
        outbox.offer([id(1)]);
        sent(&mut outbox, 0);
        assert_eq!(outbox.answered(id(1), false, "blocked: no", 0, &terms()), Answer::Refused);
        outbox.offer([id(1)]);
        assert_eq!((sent(&mut outbox, 0), outbox.refused_count()), (vec![], 1));
        outbox.disconnected(&terms());
        outbox.offer([id(1)]);
        assert_eq!(sent(&mut outbox, 0), [1], "until the next connection");
    }

    #[test]
    fn what_may_turn_is_reconsidered_when_told() {
        let mut outbox = Outbox::new(&terms());
        outbox.offer([id(1)]);
        sent(&mut outbox, 0);
        assert_eq!(outbox.answered(id(1), false, "restricted: no", 0, &terms()), Answer::Refused);
        outbox.offer([id(1)]);
        assert_eq!((sent(&mut outbox, 0), outbox.refused_count()), (vec![], 1));
        assert!(outbox.has_deferred());
        outbox.reconsider();
        outbox.offer([id(1)]);
        assert_eq!(sent(&mut outbox, 0), [1]);
    }

    #[test]
    fn a_duplicate_is_taken_whatever_the_flag_says() {
        let mut outbox = Outbox::new(&terms());
        outbox.offer([id(1)]);
        sent(&mut outbox, 0);
        assert_eq!(outbox.answered(id(1), false, "duplicate: x", 0, &terms()), Answer::Taken);
    }

    #[test]
    fn rate_limits_slow_everything_down() {
        let mut outbox = Outbox::new(&terms());
        outbox.offer([1, 2, 3, 4].map(id));
        sent(&mut outbox, 0);
        outbox.answered(id(1), false, "rate-limited: slow", 0, &terms());
        outbox.answered(id(2), true, "", 0, &terms());
        assert_eq!((sent(&mut outbox, 9), outbox.timeout(9)), (vec![], Some(10)));
        assert_eq!(sent(&mut outbox, 10), [3, 4]);
    }

    #[test]
    fn authentication_releases_what_waits_for_it() {
        let mut outbox = Outbox::new(&terms());
        outbox.offer([id(1)]);
        sent(&mut outbox, 0);
        let answer = outbox.answered(id(1), false, "auth-required: who?", 0, &terms());
        assert_eq!((answer, sent(&mut outbox, 0)), (Answer::AuthRequired, vec![]));
        outbox.release();
        assert_eq!(sent(&mut outbox, 0), [1]);
    }

    #[test]
    fn what_is_never_answered_is_tried_again() {
        let mut outbox = Outbox::new(&terms());
        outbox.offer([id(1)]);
        sent(&mut outbox, 0);
        assert_eq!(outbox.timeout(0), Some(1_000));
        outbox.elapsed(1_000, &terms());
        outbox.elapsed(1_010, &terms());
        assert_eq!(sent(&mut outbox, 1_010), [1]);
        outbox.absent(&id(1));
        assert_eq!((outbox.missing(), outbox.timeout(0)), (0, None));
    }
}
