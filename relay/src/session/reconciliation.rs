//! Finding out what two sides do not share (NIP-77), the answering half.
//!
//! A session is opened over the events that match one filter *and that its viewer may see*, so a
//! reconciliation tells nobody of an event that a REQ would not show. How many sessions, how many
//! events each and how many bytes a message: all of it is in the limits. The subscription ids of
//! reconciliations are a name space of their own.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use ayni_protocol::{EventId, Limits, Prefix, Rejection, Timestamp, json, wire};
use negentropy::{Bound, Error, Id, Item, Negentropy, NegentropyStorageBase};

/// The least that the algorithm allows for one message, bytes.
const MESSAGE_BYTES_MIN: u64 = 4_096;
/// Items that are looked at between two pauses.
const SLICE: usize = 4_096;

/// Events held by all reconciliations of a relay together. Each takes forty bytes while its
/// session is open, so they are claimed before it opens.
#[derive(Debug, Clone, Default)]
pub struct Pool(Arc<AtomicUsize>);

/// A part of the [`Pool`], given back when dropped.
#[derive(Debug)]
pub struct Claim {
    pool: Pool,
    events: usize,
}

impl Pool {
    /// Claims room for `events`, if the whole stays within what one connection may hold at most.
    ///
    /// # Errors
    /// `rate-limited:` where others hold too much already.
    pub fn claim(&self, events: usize, limits: &Limits) -> Result<Claim, Rejection> {
        let most = limits.reconciliations.saturating_mul(limits.reconciliation_events);
        let claim = Claim { pool: self.clone(), events };
        if self.0.fetch_add(events, Relaxed).saturating_add(events) > most {
            let sentence = "too many reconciliations are under way; try again later";
            return Err(Rejection::new(Prefix::RateLimited, sentence));
        }
        Ok(claim)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.pool.0.fetch_sub(self.events, Relaxed);
    }
}

/// One open session: the events it covers.
#[derive(Debug)]
pub struct Reconciliation {
    items: Box<[(Timestamp, EventId)]>,
    message_bytes: u64,
    _claim: Claim,
}

impl Reconciliation {
    /// A session over `items`, ascending by time and then id.
    #[must_use]
    pub fn new(items: Vec<(Timestamp, EventId)>, claim: Claim, limits: &Limits) -> Self {
        let message_bytes = limits.reconciliation_bytes.max(MESSAGE_BYTES_MIN);
        // What was collected and left out again takes no room.
        Self { items: items.into_boxed_slice(), message_bytes, _claim: claim }
    }

    /// Answers one message of the other side, which says all that there is to know of it. `go_on` is
    /// asked every few thousand items; after a no there is no answer.
    ///
    /// # Errors
    /// `invalid:` for a message that is none.
    pub fn answer(&self, message: &[u8], go_on: &dyn Fn() -> bool) -> Result<Vec<u8>, Rejection> {
        let sliced = Sliced { items: &self.items, left: Cell::new(SLICE), go_on };
        Negentropy::owned(sliced, self.message_bytes)
            .and_then(|mut negentropy| negentropy.reconcile(message))
            .map_err(|error| Rejection::invalid(format!("no negentropy message: {error}")))
    }
}

/// A session's items, looked at with pauses.
struct Sliced<'a> {
    items: &'a [(Timestamp, EventId)],
    left: Cell<usize>,
    go_on: &'a dyn Fn() -> bool,
}

impl Sliced<'_> {
    fn item(&self, at: usize) -> Option<Item> {
        let (time, id) = self.items.get(at)?;
        Some(Item::with_timestamp_and_id(*time, Id::from_byte_array(id.0)))
    }

    /// Counts an item, and pauses after some.
    fn may_go_on(&self) -> bool {
        match self.left.get().checked_sub(1) {
            Some(left) => {
                self.left.set(left);
                true
            }
            None => {
                self.left.set(SLICE);
                (self.go_on)()
            }
        }
    }
}

impl NegentropyStorageBase for Sliced<'_> {
    fn size(&self) -> Result<usize, Error> {
        Ok(self.items.len())
    }

    fn get_item(&self, at: usize) -> Result<Option<Item>, Error> {
        Ok(self.item(at))
    }

    fn iterate(
        &self,
        begin: usize,
        end: usize,
        each: &mut dyn FnMut(Item, usize) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        for at in begin..end {
            let item = self.item(at).filter(|_| self.may_go_on()).ok_or(Error::BadRange)?;
            if !each(item, at)? {
                break;
            }
        }
        Ok(())
    }

    fn find_lower_bound(&self, first: usize, last: usize, bound: &Bound) -> usize {
        let bound = (bound.item.timestamp, EventId(bound.item.id.to_bytes()));
        let range = self.items.get(first..last).unwrap_or_default();
        first + range.partition_point(|item| *item < bound)
    }
}

/// A session and where it stands.
#[derive(Debug)]
struct Open {
    key: u64,
    /// Nothing until the events are collected.
    session: Option<Arc<Reconciliation>>,
    /// Whether an answer is being worked out.
    busy: bool,
    used_at_ms: u64,
}

/// The reconciliations of one connection, by subscription id.
#[derive(Debug, Default)]
pub struct Reconciliations {
    open: BTreeMap<String, Open>,
}

impl Reconciliations {
    /// Makes room for a session under this id. One of the same id must be closed before.
    ///
    /// # Errors
    /// `rate-limited:` where too many are open. NIP-77's `blocked` is about what one filter matches.
    pub fn begin(
        &mut self,
        id: &str,
        key: u64,
        clock_ms: u64,
        limits: &Limits,
    ) -> Result<(), Rejection> {
        if self.open.len() >= limits.reconciliations {
            let most = limits.reconciliations;
            let sentence = format!("at most {most} reconciliations a connection; close one first");
            return Err(Rejection::new(Prefix::RateLimited, sentence));
        }
        let open = Open { key, session: None, busy: true, used_at_ms: clock_ms };
        self.open.insert(id.to_owned(), open);
        Ok(())
    }

    /// The session that a message is for, if it is open and nothing is being worked out for it.
    ///
    /// # Errors
    /// The NEG-ERR to send; the session is to be closed then.
    pub fn use_session(
        &mut self,
        id: &str,
        clock_ms: u64,
    ) -> Result<(u64, Arc<Reconciliation>), String> {
        let Some(open) = self.open.get_mut(id) else { return Err(closed(id)) };
        let session = open.session.as_ref().filter(|_| !open.busy).cloned();
        let Some(session) = session else {
            let sentence = "wait for the answer before the next message";
            return Err(wire::neg_err(id, &Rejection::invalid(sentence)));
        };
        open.busy = true;
        open.used_at_ms = clock_ms;
        Ok((open.key, session))
    }

    /// Closes a session and gives its key, if there is one of this id.
    pub fn close(&mut self, id: &str) -> Option<u64> {
        self.open.remove(id).map(|open| open.key)
    }

    /// Something was worked out for session `key`: what to send, if it is still open.
    pub fn settle(
        &mut self,
        key: u64,
        outcome: Result<(Option<Reconciliation>, Vec<u8>), Rejection>,
    ) -> Option<String> {
        let id = self.open.iter().find(|(_, open)| open.key == key)?.0.clone();
        match outcome {
            Ok((session, message)) => {
                let open = self.open.get_mut(&id)?;
                open.busy = false;
                if let Some(session) = session {
                    open.session = Some(Arc::new(session));
                }
                Some(wire::neg_msg(&id, &message))
            }
            Err(rejection) => {
                self.open.remove(&id);
                Some(wire::neg_err(&id, &rejection))
            }
        }
    }

    /// Closes what was not used for `idle_secs` and gives the NEG-ERRs to send.
    pub fn expire(&mut self, clock_ms: u64, limits: &Limits) -> Vec<String> {
        let idle_ms = limits.idle_secs.saturating_mul(1_000);
        let expired = self.open.extract_if(.., |_, open| {
            !open.busy && clock_ms.saturating_sub(open.used_at_ms) >= idle_ms
        });
        expired.map(|(id, _)| closed(&id)).collect()
    }

    /// Ids of the open sessions, which are all closed by this.
    pub fn close_all(&mut self) -> Vec<String> {
        std::mem::take(&mut self.open).into_keys().collect()
    }
}

/// NIP-77's own word, which is not one of NIP-01's prefixes.
fn closed(id: &str) -> String {
    let mut text = String::from("[\"NEG-ERR\",");
    json::write_string(id, &mut text);
    text.push_str(",\"closed: this reconciliation is not open; open it again\"]");
    text
}

#[cfg(test)]
mod tests {
    use negentropy::NegentropyStorageVector;
    use proptest::collection::btree_set;
    use proptest::prelude::*;

    use super::*;

    fn opened(items: Vec<(Timestamp, EventId)>) -> Reconciliation {
        let limits = Limits::default();
        let claim = Pool::default().claim(items.len(), &limits).unwrap();
        Reconciliation::new(items, claim, &limits)
    }

    fn sealed(items: impl IntoIterator<Item = (Timestamp, EventId)>) -> NegentropyStorageVector {
        let mut storage = NegentropyStorageVector::new();
        for (time, id) in items {
            storage.insert(time, Id::from_byte_array(id.0)).unwrap();
        }
        storage.seal().unwrap();
        storage
    }

    /// Few times and ids with one beginning, so that bounds fall between ids of one time.
    fn item() -> impl Strategy<Value = (Timestamp, EventId)> {
        (0_u64..512).prop_map(|number| {
            // Scattered, because fingerprints are sums: sets of like ids could have the same.
            let mut dice = number;
            let mut id = [0; 32].map(|_: u8| {
                dice = dice.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
                dice.to_be_bytes()[0]
            });
            id[..2].fill(7);
            (number % 4, EventId(id))
        })
    }

    proptest! {
        /// The items with their pauses are to the algorithm what its own list is, over a whole
        /// conversation.
        #[test]
        fn answers_are_those_of_the_librarys_own_list(
            ours in btree_set(item(), 0..300),
            theirs in btree_set(item(), 0..300),
        ) {
            let session = opened(ours.iter().copied().collect());
            let plain_bytes = Limits::default().reconciliation_bytes;
            let mut plain = Negentropy::owned(sealed(ours.iter().copied()), plain_bytes).unwrap();
            let mut client = Negentropy::owned(sealed(theirs.iter().copied()), 4_096).unwrap();
            let (mut have, mut need) = (Vec::new(), Vec::new());
            let mut message = Some(client.initiate().unwrap());
            while let Some(asked) = message {
                let answer = session.answer(&asked, &|| true).unwrap();
                prop_assert_eq!(&answer, &plain.reconcile(&asked).unwrap());
                message = client.reconcile_with_ids(&answer, &mut have, &mut need).unwrap();
            }
            prop_assert_eq!(need.len(), ours.difference(&theirs).count());
            prop_assert_eq!(have.len(), theirs.difference(&ours).count());
        }
    }

    #[test]
    fn many_items_are_looked_at_with_pauses() {
        let items = (0..20_000_u64).map(|number| {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&number.to_be_bytes());
            (number, EventId(id))
        });
        let session = opened(items.collect());
        let mut client = Negentropy::owned(sealed([]), 0).unwrap();
        let message = client.initiate().unwrap();
        let pauses = Cell::new(0);
        let counted = || {
            pauses.set(pauses.get() + 1);
            true
        };
        session.answer(&message, &counted).unwrap();
        assert!(pauses.get() >= 20_000 / SLICE, "{}", pauses.get());
        assert!(session.answer(&message, &|| false).is_err(), "nobody waits for it");
    }
}
