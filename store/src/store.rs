//! What a store is, whatever keeps it: one trait, and the words it answers in.
//!
//! [`crate::DiskStore`] is the one that a node runs on; [`crate::MemoryStore`] is the plain
//! reference that judges it. Both pass the same suite.

use ayni_protocol::{EventId, Filter, PublicKey, Timestamp, VerifiedEvent};
use bytes::Bytes;

use crate::{Fault, Reader};

/// Place of an event in the order this store accepted it: 1, 2, 3, … Never reused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

/// An event as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its canonical JSON, where possible a view of the journal itself and no copy.
    pub json: Bytes,
    /// Its place in the order of acceptance.
    pub position: Position,
}

/// What became of one event of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is durable, and queries find it.
    Stored(Position),
    /// It was here already.
    Duplicate,
    /// A newer version is here; of two with one time, the lowest id is kept (NIP-01).
    Superseded,
    /// Its author deleted it before (NIP-09), by id or by address.
    Deleted,
    /// Its author, or the recipient of a gift wrap, asked to vanish later than it was made (NIP-62).
    Vanished,
    /// Its time was over when it came (NIP-40).
    Expired,
    /// Its kind is never kept (NIP-01).
    Ephemeral,
}

/// An answer to a query.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The newest matches, newest first; of one time, lowest id first (NIP-01).
    pub events: Vec<Stored>,
    /// Whether nothing older matches. A query for 0 events looks at nothing and says false, unless
    /// its filter can match nothing at all.
    pub exhausted: bool,
}

/// Events, kept.
///
/// The [`Reader`] is asked only about candidates whose kind [`crate::is_restricted`] names, because
/// it costs a parse; all others are visible to everyone.
///
/// Events whose time is over (NIP-40) are not answered by [`Store::get`], [`Store::query`],
/// [`Store::count`], [`Store::authors`] and [`Store::items`]; the others see them until they are compacted away.
pub trait Store: Send + Sync {
    /// Keeps all of the batch with one sync; on return it is durable and queries see it. Duplicates
    /// inside the batch are told apart as if its events had come one after another.
    ///
    /// # Errors
    /// A [`Fault`], and then nothing of the batch is seen by queries. After [`Fault::Full`] the
    /// store works on; after any other the caller should stop.
    fn append(&self, batch: &[VerifiedEvent], now: Timestamp) -> Result<Vec<Outcome>, Fault>;

    /// Takes events out for good, whoever wrote them: what an operator or a rule of retention no
    /// longer keeps. Durable on return, and a start brings none of them back; but an event that is
    /// sent again is taken in again. Events of the economy, deletions and requests to vanish stay.
    /// Gives how many went.
    ///
    /// # Errors
    /// As [`Store::append`].
    fn remove(&self, ids: &[EventId]) -> Result<usize, Fault>;

    /// Whether the event is here.
    fn contains(&self, id: &EventId) -> bool;

    /// One event by its id.
    fn get(&self, id: &EventId, now: Timestamp) -> Option<Stored>;

    /// The newest `limit` matches. The filter's own limit is the caller's to respect.
    fn query(&self, filter: &Filter, limit: usize, now: Timestamp, reader: &dyn Reader) -> Page;

    /// How many events match.
    fn count(&self, filter: &Filter, now: Timestamp, reader: &dyn Reader) -> usize;

    /// Hands on the author of every match, once for each event, in no order.
    fn authors(
        &self,
        filter: &Filter,
        now: Timestamp,
        reader: &dyn Reader,
        each: &mut dyn FnMut(&PublicKey),
    );

    /// Time and id of every match, oldest first and lowest id first, for reconciliation (NIP-77).
    /// Where there are more than `cap`, the newest `cap + 1`, by which the caller knows.
    fn items(
        &self,
        filter: &Filter,
        cap: usize,
        now: Timestamp,
        reader: &dyn Reader,
    ) -> Vec<(Timestamp, EventId)>;

    /// The place of the latest event accepted, 0 where there was none.
    fn last_position(&self) -> Position;

    /// Every live event from place `from` on, in order of acceptance, until `each` returns false.
    fn scan(&self, from: Position, each: &mut dyn FnMut(Position, &str) -> bool);

    /// How many events are here.
    fn len(&self) -> usize;

    /// Whether none are.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
