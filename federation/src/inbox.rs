//! What we lack: wanted, asked for, handed out, and what became of it.
//!
//! Everything that arrives is held against what was asked for. Nothing is asked for while too many
//! events wait at our own door, so a peer fills no memory by answering quickly.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ayni_protocol::{EventId, Filter};

use crate::recent::Recent;
use crate::{Millis, Terms, scope};

/// The downloads of one peer.
#[derive(Debug)]
pub struct Inbox {
    /// Ids to be asked for, in order; those not in `open` any more came another way.
    wanted: VecDeque<EventId>,
    /// Ids wanted or asked for.
    open: BTreeSet<EventId>,
    batches: BTreeMap<u64, Batch>,
    next_batch: u64,
    paused_until: Millis,
    /// Handed out, and not yet answered by our own door; whether they came unasked.
    admitting: BTreeMap<EventId, Came>,
    /// Refused by our own door for good.
    refused: Recent,
    delivered: usize,
    withheld: usize,
}

#[derive(Debug)]
struct Batch {
    left: BTreeSet<EventId>,
    got: usize,
    deadline: Millis,
}

/// How an event came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// Asked for by id or by page.
    Asked,
    /// Live.
    Live,
}

/// What an arriving event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// To be handed out.
    Take,
    /// It is at our door already, or was turned away there.
    Known,
    /// Nobody asked for it.
    Unasked,
    /// Too many wait at our door.
    Full,
}

impl Inbox {
    /// Nothing is wanted yet.
    pub const fn new(terms: &Terms) -> Self {
        Self {
            wanted: VecDeque::new(),
            open: BTreeSet::new(),
            batches: BTreeMap::new(),
            next_batch: 0,
            paused_until: 0,
            admitting: BTreeMap::new(),
            refused: Recent::new(terms.remembered_ids),
            delivered: 0,
            withheld: 0,
        }
    }

    /// A new connection: nothing is asked for any more. What is at our door stays there.
    pub fn disconnected(&mut self) {
        self.wanted.clear();
        self.open.clear();
        self.batches.clear();
        self.paused_until = 0;
        self.delivered = 0;
        self.withheld = 0;
    }

    /// The peer has these and we do not. Whether all of them find room.
    pub fn want(&mut self, ids: impl IntoIterator<Item = EventId>, terms: &Terms) -> bool {
        for id in ids {
            let settled = self.admitting.contains_key(&id) || self.refused.contains(&id);
            if settled || self.open.contains(&id) {
                continue;
            }
            if self.open.len() >= terms.pass_ids_max {
                return false;
            }
            self.open.insert(id);
            self.wanted.push_back(id);
        }
        true
    }

    /// The next REQ to send: its number and filter.
    pub fn next_batch(&mut self, now: Millis, terms: &Terms) -> Option<(u64, Filter)> {
        let room = self.room(terms).min(terms.batch_ids);
        let busy = self.batches.len() >= terms.batches_in_flight || now < self.paused_until;
        if busy || room < terms.batch_ids.min(self.wanted.len()) || self.wanted.is_empty() {
            return None;
        }
        let mut left = BTreeSet::new();
        while left.len() < room {
            let Some(id) = self.wanted.pop_front() else { break };
            if self.open.contains(&id) {
                left.insert(id);
            }
        }
        if left.is_empty() {
            return None;
        }
        let (number, filter) = (self.next_batch, scope::ids(left.clone()));
        self.next_batch += 1;
        self.batches.insert(number, Batch { left, got: 0, deadline: now + terms.answer_ms });
        Some((number, filter))
    }

    /// How many more events our own door takes, those asked for counted as come.
    pub fn room(&self, terms: &Terms) -> usize {
        let asked: usize = self.batches.values().map(|batch| batch.left.len()).sum();
        terms.admitting_max.saturating_sub(self.admitting.len() + asked)
    }

    /// An event came for a batch.
    pub fn delivered(&mut self, number: u64, id: EventId, now: Millis, terms: &Terms) -> Delivery {
        let Some(batch) = self.batches.get_mut(&number) else { return Delivery::Unasked };
        if !batch.left.remove(&id) {
            return Delivery::Unasked;
        }
        batch.got += 1;
        batch.deadline = now + terms.answer_ms;
        self.delivered += 1;
        self.open.remove(&id);
        let before = self.admitting.insert(id, Came::Asked);
        if before.is_none() { Delivery::Take } else { Delivery::Known }
    }

    /// An event came by another way: live, or on a page.
    pub fn arrived(&mut self, id: EventId, came: Came, terms: &Terms) -> Delivery {
        if self.admitting.contains_key(&id) || self.refused.contains(&id) {
            return Delivery::Known;
        }
        if self.admitting.len() >= terms.admitting_max {
            return Delivery::Full;
        }
        let asked = self.batches.values().any(|batch| batch.left.contains(&id));
        if !asked {
            self.open.remove(&id);
        }
        self.admitting.insert(id, came);
        Delivery::Take
    }

    /// A batch has ended. What it left is asked for again if it brought anything at all, and is
    /// left to the next reconciliation otherwise. Whether the number was one of ours.
    pub fn ended(&mut self, number: u64) -> bool {
        let Some(batch) = self.batches.remove(&number) else { return false };
        if batch.got > 0 {
            self.wanted.extend(batch.left);
        } else {
            self.withheld += batch.left.len();
            batch.left.iter().for_each(|id| _ = self.open.remove(id));
        }
        true
    }

    /// A batch was refused for now: asked for again after a while.
    pub fn postponed(&mut self, number: u64, until: Millis) -> bool {
        let Some(batch) = self.batches.remove(&number) else { return false };
        self.wanted.extend(batch.left);
        self.paused_until = self.paused_until.max(until);
        true
    }

    /// What was refused for now may be asked for at once: we have just authenticated.
    pub const fn release(&mut self) {
        self.paused_until = 0;
    }

    /// Our door took it. How it had come, if it stood there at all.
    pub fn stored(&mut self, id: &EventId) -> Option<Came> {
        self.admitting.remove(id)
    }

    /// Our door turned it away, `for_good` or for now. How it had come, if it stood there at all.
    pub fn refused(&mut self, id: &EventId, for_good: bool) -> Option<Came> {
        if for_good {
            self.refused.insert(*id);
        }
        self.admitting.remove(id)
    }

    /// Events we know to lack.
    pub fn missing(&self) -> usize {
        self.open.len() + self.admitting.len()
    }

    /// Events the peer promised and did not give.
    pub const fn withheld(&self) -> usize {
        self.withheld
    }

    /// Events the peer gave that were asked for by id.
    pub const fn given(&self) -> usize {
        self.delivered
    }

    /// The promises of the last reconciliation count no more.
    pub const fn forget_withheld(&mut self) {
        self.withheld = 0;
        self.delivered = 0;
    }

    /// Events of the peer that our door turned away for good.
    pub fn refused_count(&self) -> usize {
        self.refused.len()
    }

    /// Whether an answer is overdue.
    pub fn overdue(&self, now: Millis) -> bool {
        self.batches.values().any(|batch| batch.deadline <= now)
    }

    /// When to look again.
    pub fn timeout(&self, now: Millis) -> Option<Millis> {
        let paused =
            (!self.wanted.is_empty() && self.paused_until > now).then_some(self.paused_until);
        self.batches.values().map(|batch| batch.deadline).chain(paused).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn id(n: u8) -> EventId {
        EventId([n; 32])
    }

    fn terms() -> Terms {
        Terms { batch_ids: 2, batches_in_flight: 2, admitting_max: 5, ..Terms::default() }
    }

    fn asked(inbox: &mut Inbox, now: Millis) -> Option<Vec<u8>> {
        let (_, filter) = inbox.next_batch(now, &terms())?;
        Some(filter.ids.unwrap().iter().map(|id| id.0[0]).collect())
    }

    fn want<const N: usize>(inbox: &mut Inbox, numbers: [u8; N]) {
        assert!(inbox.want(numbers.map(id), &terms()));
    }

    fn live(inbox: &mut Inbox, n: u8) -> Delivery {
        inbox.arrived(id(n), Came::Live, &terms())
    }

    #[test]
    fn what_is_wanted_is_asked_for_once_within_bounds() {
        let mut inbox = Inbox::new(&terms());
        want(&mut inbox, [1, 2, 3, 2, 4, 5]);
        assert_eq!(asked(&mut inbox, 0), Some(vec![1, 2]));
        assert_eq!(asked(&mut inbox, 0), Some(vec![3, 4]));
        assert_eq!(asked(&mut inbox, 0), None, "two are in flight");
        assert_eq!(inbox.missing(), 5);
        assert_eq!(inbox.delivered(0, id(1), 0, &terms()), Delivery::Take);
        assert_eq!(inbox.delivered(0, id(1), 0, &terms()), Delivery::Unasked);
        assert_eq!(inbox.delivered(0, id(3), 0, &terms()), Delivery::Unasked);
        assert_eq!(inbox.delivered(9, id(2), 0, &terms()), Delivery::Unasked);
        assert_eq!(inbox.delivered(0, id(2), 0, &terms()), Delivery::Take);
        assert!(inbox.ended(0));
        assert!(!inbox.ended(0));
        assert_eq!(asked(&mut inbox, 0), Some(vec![5]));
    }

    #[test]
    fn nothing_is_asked_for_while_our_door_is_full() {
        let mut inbox = Inbox::new(&terms());
        assert!([1, 2, 3, 4].into_iter().all(|n| live(&mut inbox, n) == Delivery::Take));
        want(&mut inbox, [5, 6]);
        assert_eq!(asked(&mut inbox, 0), None);
        assert_eq!(inbox.stored(&id(1)), Some(Came::Live));
        assert_eq!(inbox.stored(&id(1)), None);
        assert_eq!(asked(&mut inbox, 0), Some(vec![5, 6]));
        assert_eq!(live(&mut inbox, 7), Delivery::Take);
        assert_eq!(live(&mut inbox, 8), Delivery::Take);
        assert_eq!(live(&mut inbox, 9), Delivery::Full);
        assert_eq!(live(&mut inbox, 8), Delivery::Known);
    }

    #[test]
    fn what_was_asked_for_counts_as_come() {
        let mut inbox = Inbox::new(&terms());
        live(&mut inbox, 1);
        live(&mut inbox, 2);
        want(&mut inbox, [3, 4, 5, 6]);
        assert_eq!(asked(&mut inbox, 0), Some(vec![3, 4]));
        assert_eq!(asked(&mut inbox, 0), None, "one more would fit, and two would not");
        inbox.stored(&id(1));
        assert_eq!(asked(&mut inbox, 0), Some(vec![5, 6]));
    }

    #[test]
    fn a_batch_that_brought_something_goes_on_and_one_that_did_not_is_left() {
        let mut inbox = Inbox::new(&terms());
        want(&mut inbox, [1, 2]);
        asked(&mut inbox, 0);
        inbox.delivered(0, id(1), 0, &terms());
        inbox.ended(0);
        assert_eq!(asked(&mut inbox, 0), Some(vec![2]));
        inbox.ended(1);
        assert_eq!((asked(&mut inbox, 0), inbox.withheld(), inbox.given()), (None, 1, 1));
        want(&mut inbox, [2]);
        assert_eq!(asked(&mut inbox, 0), Some(vec![2]), "the next reconciliation asks again");
    }

    #[test]
    fn what_was_refused_for_good_is_not_wanted_again() {
        let mut inbox = Inbox::new(&terms());
        live(&mut inbox, 1);
        live(&mut inbox, 2);
        assert_eq!(inbox.refused(&id(1), true), Some(Came::Live));
        assert_eq!(inbox.refused(&id(2), false), Some(Came::Live));
        want(&mut inbox, [1, 2]);
        assert_eq!(asked(&mut inbox, 0), Some(vec![2]));
        assert_eq!(live(&mut inbox, 1), Delivery::Known);
        assert_eq!(inbox.refused_count(), 1);
    }

    #[test]
    fn what_came_another_way_is_not_asked_for() {
        let mut inbox = Inbox::new(&terms());
        want(&mut inbox, [1, 2, 3]);
        live(&mut inbox, 1);
        assert_eq!(asked(&mut inbox, 0), Some(vec![2, 3]));
        assert_eq!(live(&mut inbox, 2), Delivery::Take);
        assert_eq!(inbox.delivered(0, id(2), 0, &terms()), Delivery::Known);
    }

    #[test]
    fn no_peer_makes_us_want_without_end() {
        let terms = Terms { pass_ids_max: 2, ..terms() };
        let mut inbox = Inbox::new(&terms);
        assert!(inbox.want([1, 2, 1, 2].map(id), &terms));
        assert!(!inbox.want([2, 3].map(id), &terms));
        assert_eq!(inbox.missing(), 2);
    }

    #[test]
    fn a_postponed_batch_waits() {
        let mut inbox = Inbox::new(&terms());
        want(&mut inbox, [1]);
        asked(&mut inbox, 0);
        assert!(inbox.postponed(0, 100));
        assert_eq!((asked(&mut inbox, 99), inbox.timeout(99)), (None, Some(100)));
        assert_eq!(asked(&mut inbox, 100), Some(vec![1]));
        assert_eq!(inbox.timeout(100), Some(100 + terms().answer_ms));
        assert!(inbox.overdue(100 + terms().answer_ms));
        inbox.disconnected();
        assert_eq!((inbox.missing(), inbox.timeout(0)), (0, None));
    }
}
