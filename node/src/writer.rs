//! The one writer: everything that changes the node goes through its inbox.
//!
//! It takes all that waits, judges each event against the book, adds what the witness has to say,
//! and makes the lot durable with one sync; only then is anything answered, and only then does
//! anybody hear of the economy. Notes go out to subscribers once they are written: they speak for
//! themselves, and the sync takes longer than all the rest of their way. While a batch that
//! changes the book is under way the book is locked, so nobody ever reads a state that a power cut
//! could take back. Most batches of a busy relay are notes, which the book does not know of: for
//! those it is only looked at, and readers go on.
//!
//! If the disk is full the batch is refused and the book is folded again from what is stored. If a
//! sync fails, nothing is certain any more: the writer answers `error:` and the program ends.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use ayni_lets::Ledger;
use ayni_protocol::{Event, EventId, Kind, Prefix, Rejection, Timestamp, VerifiedEvent, kind};
use ayni_relay::{Accepted, Receipt, Verdict};
use ayni_store::{DiskStore, Fault, Outcome, Position, Store as _};
use ayni_witness::beacon::Known;
use tokio::sync::mpsc;

use crate::admission::Origin;
use crate::book::Book;
use crate::clock;
use crate::desk::{Batch, Desk, Moment};

/// How many events one sync may cover.
const BATCH_MAX: usize = 1_024;
/// A batch of so many is part of a rush.
const RUSH: usize = 8;
/// In a rush the writer waits a moment for so many: asking the disk for each handful costs more than
/// all else that is done with them.
const WORTH_A_SYNC: usize = 128;
/// The moment. Whoever sends one event at a time never waits for it.
const MOMENT: Duration = Duration::from_millis(2);

/// How often the log says that the disk is full, however many are refused.
const SAY_AGAIN_SECS: u64 = 60;

/// What is answered to a request to vanish.
const VANISHED: &str = "everything you wrote until then is gone from here and will not be taken \
                        again; what stands in the community's books stays, since others' balances \
                        and votes rest on it";
/// The same, where no books are kept.
const VANISHED_FROM_RELAY: &str = "everything you wrote until then is gone from here and will not \
                                   be taken again";
/// What is answered to whoever brings it back.
const BARRED: &str = "whom this event belongs to asked this relay to forget all that is older";

/// What the writer is asked to do.
pub enum Command {
    /// Store an event, if it is admitted.
    Submit {
        /// The event.
        event: VerifiedEvent,
        /// Where it comes from.
        origin: Origin,
        /// Told when it is durable, or why it is not stored.
        receipt: Receipt,
    },
    /// Time has passed: do what a witness has to do now.
    Tick,
    /// Finish what is in hand and end. Whoever holds a sender holds it for as long as the relay
    /// lives, and the writer's own audience is the relay, so the inbox never closes by itself.
    Stop,
}

impl Command {
    /// Whether this surely changes nothing in the book.
    fn leaves_the_book(&self) -> bool {
        matches!(self, Self::Submit { event, .. } if !event.kind.is_economy())
    }
}

/// Who hears of what was stored.
pub trait Audience: Send + 'static {
    /// An event was stored, or is ephemeral and has no position. Tells how many heard it.
    fn hear(&self, event: &VerifiedEvent, position: Option<u64>) -> usize;

    /// An event will be stored in a moment; queries do not find it yet.
    fn hear_ahead(&self, event: &VerifiedEvent, position: u64);

    /// Queries find all that was heard ahead.
    fn catch_up(&self);

    /// An event is stored, and was heard.
    fn keep(&self, event: &VerifiedEvent, position: u64);
}

/// What the writer owns.
pub struct Writer<A> {
    /// What is done with events and with time.
    desk: Desk,
    /// The truth on disk.
    store: Arc<DiskStore>,
    /// The state it folds to.
    book: Arc<RwLock<Book>>,
    /// Who hears of what was stored.
    audience: A,
    /// When the log last said that the disk is full, unix seconds; 0 where it never did.
    said_full: AtomicU64,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Durable {
    Stored,
    /// The disk is full.
    Refused,
}

/// Events to be made durable at once, and who waits for each.
#[derive(Default)]
struct Written {
    events: Vec<VerifiedEvent>,
    receipts: Vec<Option<Receipt>>,
    /// Who sent one of the events once more, and is told so once it is durable.
    again: Vec<Receipt>,
}

/// Folds a store from its beginning.
#[must_use]
pub fn fold(store: &DiskStore, known: Known) -> Book {
    let mut book = Book::new(known);
    book.expect(store.count_of_kinds((0..=u16::MAX).map(Kind).filter(|kind| Book::reads(*kind))));
    let mut coming = Vec::with_capacity(Ledger::AHEAD);
    let each = |page| {
        coming.push(page);
        if coming.len() == Ledger::AHEAD {
            book.take_all(&mut coming);
        }
    };
    store.replay(Book::reads, |event| Book::read(&event), each);
    book.take_all(&mut coming);
    book
}

/// Whether subscribers hear of an event before it is durable. What changes the books does not: a
/// payment that somebody saw stands.
fn goes_ahead(event: &VerifiedEvent) -> bool {
    !event.kind.is_economy()
}

/// Takes all that waits, as far as one batch goes.
fn gather(inbox: &mut mpsc::Receiver<Command>, waiting: &mut Vec<Command>) {
    while waiting.len() < BATCH_MAX
        && let Ok(command) = inbox.try_recv()
    {
        waiting.push(command);
    }
}

fn refused(sentence: &'static str) -> Verdict {
    Err(Rejection::invalid(sentence))
}

impl<A: Audience> Writer<A> {
    /// Of these.
    pub fn new(desk: Desk, store: Arc<DiskStore>, book: Arc<RwLock<Book>>, audience: A) -> Self {
        Self { desk, store, book, audience, said_full: AtomicU64::default() }
    }

    /// Works until it is told to stop, or a fault that nothing can be trusted after.
    ///
    /// # Errors
    /// The fault.
    pub fn run(self, mut inbox: mpsc::Receiver<Command>) -> Result<(), Fault> {
        let mut waiting = Vec::with_capacity(BATCH_MAX);
        let mut rush = false;
        loop {
            waiting.clear();
            match inbox.blocking_recv() {
                Some(command) => waiting.push(command),
                None => return Ok(()),
            }
            gather(&mut inbox, &mut waiting);
            if rush && waiting.len() < WORTH_A_SYNC {
                std::thread::sleep(MOMENT);
                gather(&mut inbox, &mut waiting);
            }
            rush = waiting.len() >= RUSH;
            if self.work(&mut waiting)? {
                return Ok(());
            }
        }
    }

    /// Does what was asked in one durable step; true if this was the last.
    fn work(&self, commands: &mut Vec<Command>) -> Result<bool, Fault> {
        if commands.iter().all(Command::leaves_the_book) {
            let batch = self.admitted(commands.drain(..));
            return self.commit(batch, clock::now()).map(|_| false);
        }
        let now = clock::now();
        let mut book = self.book.write().unwrap_or_else(PoisonError::into_inner);
        let mut batch = Batch::of(commands.len());
        let mut receipts = Vec::with_capacity(batch.stored.capacity());
        let mut again = Vec::new();
        let (mut witnessing, mut stopping) = (false, false);
        for command in commands.drain(..) {
            match command {
                Command::Submit { event, origin, receipt } => {
                    if book.has(&event.id) && batch.holds(&event.id) {
                        again.push(receipt);
                        continue;
                    }
                    witnessing |= event.kind.is_economy() && origin != Origin::Import;
                    match self.take(&mut book, &mut batch, &event, origin) {
                        Ok(()) => {
                            // Whatever was stored before it, such as an attestation, is the node's own.
                            receipts.resize_with(batch.stored.len().saturating_sub(1), || None);
                            receipts.push(Some(receipt));
                        }
                        Err(verdict) => receipt.give(verdict),
                    }
                }
                Command::Tick => witnessing = true,
                Command::Stop => stopping = true,
            }
        }
        if witnessing {
            self.at_desk(|desk, moment| desk.duties(&mut book, &mut batch, moment));
        }
        receipts.resize_with(batch.stored.len(), || None);
        if self.commit(Written { events: batch.stored, receipts, again }, now)? == Durable::Refused
        {
            *book = fold(&self.store, book.chains());
        }
        Ok(stopping)
    }

    /// Does something at the desk, now.
    fn at_desk<T>(&self, work: impl FnOnce(&Desk, &mut Moment<'_>) -> T) -> T {
        let now = clock::now();
        let stored = |id: &EventId| {
            let found = self.store.get(id, now)?;
            Event::parse(str::from_utf8(&found.json).ok()?).ok()?.verify().ok()
        };
        let mut entropy = clock::entropy;
        work(&self.desk, &mut Moment { now, entropy: &mut entropy, stored: &stored })
    }

    /// Those of some events that the book does not know of which may be stored.
    fn admitted(&self, commands: impl Iterator<Item = Command>) -> Written {
        let book = self.book.read().unwrap_or_else(PoisonError::into_inner);
        let now = clock::now();
        let mut batch = Written::default();
        for command in commands {
            let Command::Submit { event, origin, receipt } = command else { continue };
            let admitted = self.concerns_us(&event, origin);
            let page = Book::read(&event);
            match admitted.and_then(|()| self.desk.admits(&book, (&event, &page), origin, now)) {
                Ok(_) => {
                    batch.events.push(event);
                    batch.receipts.push(Some(receipt));
                }
                Err(rejection) => receipt.give(Err(rejection)),
            }
        }
        batch
    }

    /// Refuses a request to vanish from other relays only (NIP-62): whoever sent it here should know
    /// that nothing goes.
    fn concerns_us(&self, event: &VerifiedEvent, origin: Origin) -> Result<(), Rejection> {
        if event.kind == kind::VANISH && origin == Origin::Client && !self.store.heeds(event) {
            let sentence = "this request names other relays and nothing goes here; \
                            name this relay's address, or ALL_RELAYS, and sign again";
            return Err(Rejection::invalid(sentence));
        }
        Ok(())
    }

    /// Puts one event on the desk; what is answered at once where it is not stored.
    fn take(
        &self,
        book: &mut Book,
        batch: &mut Batch,
        event: &VerifiedEvent,
        origin: Origin,
    ) -> Result<(), Verdict> {
        if self.store.contains(&event.id) || book.has(&event.id) {
            return Err(Ok(Accepted::duplicate()));
        }
        let taken = self.concerns_us(event, origin).and_then(|()| {
            self.at_desk(|desk, moment| desk.take(book, batch, event, origin, moment))
        });
        taken.map_err(Err)
    }

    /// Makes the batch durable, then tells everyone. What the disk has no room for is refused.
    fn commit(&self, batch: Written, now: Timestamp) -> Result<Durable, Fault> {
        let Written { events, receipts, again } = batch;
        if events.is_empty() {
            return Ok(Durable::Stored);
        }
        let mut ahead = |outcomes: &[Outcome]| {
            for (event, outcome) in events.iter().zip(outcomes) {
                if let Outcome::Stored(Position(position)) = outcome
                    && goes_ahead(event)
                {
                    self.audience.hear_ahead(event, *position);
                }
            }
        };
        match self.store.append_ahead(&events, now, &mut ahead) {
            Ok(outcomes) => {
                self.audience.catch_up();
                for ((event, receipt), outcome) in events.iter().zip(receipts).zip(outcomes) {
                    let verdict = self.tell(event, outcome);
                    if let Some(receipt) = receipt {
                        receipt.give(verdict);
                    }
                }
                again.into_iter().for_each(|receipt| receipt.give(Ok(Accepted::duplicate())));
                Ok(Durable::Stored)
            }
            Err(fault) => {
                let is_full = matches!(fault, Fault::Full { .. });
                if !is_full || now >= self.said_full.load(Relaxed) + SAY_AGAIN_SECS {
                    tracing::error!(%fault, "a batch could not be stored");
                    self.said_full.store(now, Relaxed);
                }
                let sentence = format!("not stored: {fault}");
                for receipt in receipts.into_iter().flatten().chain(again) {
                    receipt.give(Err(Rejection::new(Prefix::Error, sentence.clone())));
                }
                if is_full { Ok(Durable::Refused) } else { Err(fault) }
            }
        }
    }

    /// Tells whoever wants an event that it is stored; gives what its sender is answered.
    fn tell(&self, event: &VerifiedEvent, outcome: Outcome) -> Verdict {
        match outcome {
            Outcome::Stored(Position(position)) => {
                if !goes_ahead(event) {
                    self.audience.hear(event, Some(position));
                }
                self.audience.keep(event, position);
                Ok(if self.store.heeds(event) {
                    let alone = self.desk.config.relay.only;
                    Accepted::info(if alone { VANISHED_FROM_RELAY } else { VANISHED })
                } else {
                    Accepted::stored()
                })
            }
            Outcome::Ephemeral if self.audience.hear(event, None) == 0 => Err(Accepted::unheard()),
            Outcome::Ephemeral => Ok(Accepted::stored()),
            Outcome::Duplicate => Ok(Accepted::duplicate()),
            Outcome::Superseded => refused("a newer version of this event is stored here"),
            Outcome::Deleted => refused("its author deleted this event"),
            Outcome::Vanished => Err(Rejection::new(Prefix::Blocked, BARRED)),
            Outcome::Expired => refused("this event has expired"),
        }
    }
}
