//! The index of words, asked and kept.
//!
//! Its thread takes what processor time is left: in a rush of events it works a tenth of the time
//! and falls behind, and makes up for it afterwards.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use ayni_protocol::search::KINDS;
use ayni_protocol::{Event, EventId, Filter, VerifiedEvent};
use ayni_relay::{Asker, Page, Stored};
use ayni_search::{Entry, Fault, Search};
use ayni_store::{DiskStore, Position, Store as _};

use crate::clock;

/// Stored events that wait for the thread. Beyond that it reads them from the store.
const WAITING_MAX: usize = 1_024;
/// Events indexed in one step.
const BATCH_MAX: usize = 256;
/// Events that are looked at each time whether they are still there.
const SWEPT: u32 = 512;
/// How often the thread looks whether it missed anything.
const LOOK_AFTER: Duration = Duration::from_secs(1);
/// How long it rests where the index cannot be written.
const REST: Duration = Duration::from_secs(10);
/// Events stored during one step, from which on the node has more urgent things to do.
const RUSH: u64 = 32;
/// In a rush it rests so many times as long as it works, and catches up when the rush is over.
const REST_IN_RUSH: u32 = 9;
/// The longest of those rests.
const REST_IN_RUSH_MAX: Duration = Duration::from_secs(1);
/// How long a question waits for what was stored before it to be indexed.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often it looks.
const GLANCE: Duration = Duration::from_millis(2);
/// How often it looks during a rest whether the node stops.
const NAP: Duration = Duration::from_millis(20);

/// Asks the index, and tells its thread what happens. Cheap to clone.
#[derive(Clone)]
pub struct Seeker {
    index: Arc<Search>,
    store: Arc<DiskStore>,
    notes: SyncSender<Note>,
    told: Arc<Told>,
    stopping: Arc<AtomicBool>,
}

/// What there was to tell the thread, as positions. Most events of a busy community are payments,
/// which have no words: they cost the thread nothing.
struct Told {
    /// The last event of any kind.
    heard: AtomicU64,
    /// The last that has words.
    last: AtomicU64,
    /// The last of those for which there was no room.
    lost: AtomicU64,
}

/// What the thread is told.
enum Note {
    Stored(u64, VerifiedEvent),
    Stop,
}

/// One look through the whole index for what has left the store.
#[derive(Default)]
struct Round {
    /// Where it goes on; nought where it has not begun.
    next: u64,
    /// How many places held no event any more when it began.
    gone: u64,
}

/// Opens the index in a node's folder and starts its thread.
///
/// # Errors
/// Where neither can be had.
pub fn begin(data: &Path, store: &Arc<DiskStore>) -> Result<Option<(Seeker, JoinHandle<()>)>> {
    let before = store.last_position().0;
    let index = Search::open(&data.join("search.sqlite"), before)
        .context("cannot open the search index")?;
    let (notes, told) = sync_channel(WAITING_MAX);
    let seeker = Seeker {
        index: Arc::new(index),
        store: Arc::clone(store),
        notes,
        told: Arc::new(Told { heard: before.into(), last: before.into(), lost: before.into() }),
        stopping: Arc::default(),
    };
    let keeper = seeker.clone();
    let thread =
        std::thread::Builder::new().name("search".into()).spawn(move || keeper.keep(&told))?;
    Ok(Some((seeker, thread)))
}

impl Seeker {
    /// An event was stored. Never waits; hears of every event once, in their order.
    pub fn hear(&self, event: &VerifiedEvent, position: u64) {
        if KINDS.contains(&event.kind) {
            self.told.last.store(position, Release);
            // Whatever finds no room is read from the store.
            if self.notes.try_send(Note::Stored(position, event.clone())).is_err() {
                self.told.lost.store(position, Release);
            }
        }
        self.told.heard.store(position, Release);
    }

    /// The best `limit` events that the filter's search finds, that its other conditions meet, and
    /// that whoever asks may see. What was stored before is among them, or the page is not said to be
    /// all: a subscription hears only of what comes afterwards.
    #[must_use]
    pub fn query(&self, filter: &Filter, limit: usize, asker: &Asker<'_>) -> Page {
        let conditions = Filter { search: None, ..filter.clone() };
        let mut page = Page { events: Vec::new(), exhausted: true };
        let all_indexed = self.has_indexed(self.store.last_position().0, asker);
        let now = clock::now();
        let done = self.index.find(filter, &|| asker.may_go_on(), &mut |found| {
            // What the store has no more leaves with the next sweep.
            let Some(stored) = self.store.get(&found.id, now) else { return true };
            let event = str::from_utf8(&stored.json).ok().and_then(|json| Event::parse(json).ok());
            if !event
                .is_some_and(|event| conditions.matches(&event) && asker.viewer.may_see(&event))
            {
                return asker.may_go_on();
            }
            page.exhausted = page.events.len() < limit;
            if page.exhausted {
                page.events.push(Stored { json: stored.json, position: stored.position.0 });
            }
            page.exhausted
        });
        match done {
            Ok(left_out) => page.exhausted &= all_indexed && !left_out,
            Err(fault) => {
                tracing::warn!(%fault, "a search was not answered in full");
                page.exhausted = false;
            }
        }
        page
    }

    /// Whether all is indexed up to a place, waited for a little.
    fn has_indexed(&self, last: u64, asker: &Asker<'_>) -> bool {
        let began = Instant::now();
        while !self.reaches(last) {
            if began.elapsed() >= PATIENCE || !asker.may_go_on() {
                return false;
            }
            std::thread::sleep(GLANCE);
        }
        true
    }

    fn reaches(&self, position: u64) -> bool {
        // What the index has gone past needs no word; a removal has none to say.
        self.index.indexed() >= position
            || self.told.heard.load(Acquire) >= position
                && self.index.indexed() >= self.told.last.load(Acquire).min(position)
    }

    /// Ends the thread, wherever it is.
    pub fn stop(&self) {
        self.stopping.store(true, Relaxed);
        // A full queue wakes it as well.
        let _ = self.notes.try_send(Note::Stop);
    }

    /// The thread's work. The store is read where something was missed, and not for each event: a
    /// reading begins at the start of a segment.
    fn keep(&self, told: &Receiver<Note>) {
        let (mut done, mut round) = (self.catch_up(), Round::default());
        while !self.stopping.load(Relaxed) {
            done = match done {
                Err(fault) => {
                    tracing::warn!(%fault, "the search index lags behind");
                    self.rest(REST);
                    // What could not be written down was told once: the store has it.
                    self.catch_up()
                }
                Ok(()) => match told.recv_timeout(LOOK_AFTER) {
                    Err(RecvTimeoutError::Disconnected) => return,
                    Err(RecvTimeoutError::Timeout) => {
                        self.catch_up().and_then(|()| self.sweep(&mut round))
                    }
                    Ok(note) => {
                        let more = told.try_iter().take(BATCH_MAX);
                        self.write_down(&std::iter::once(note).chain(more).collect::<Vec<_>>())
                    }
                },
            };
        }
    }

    /// Takes the words of what has left the store out of the index: a few events each time that
    /// nothing else is to do, from the oldest to the newest, where anything left since the last time.
    fn sweep(&self, round: &mut Round) -> Result<(), Fault> {
        let mut gone = round.gone;
        if round.next == 0 {
            // The place first: what comes in between makes this too low, and there is one more round.
            let last = self.store.last_position().0;
            gone = last.saturating_sub(u64::try_from(self.store.len()).unwrap_or(u64::MAX));
            if gone == round.gone {
                return Ok(());
            }
        }
        let mut is_gone = |id: &EventId| !self.store.contains(id);
        let next = self.index.sweep(round.next, SWEPT, &mut is_gone)?.unwrap_or_default();
        *round = Round { next, gone };
        Ok(())
    }

    /// Indexes what was told; if something was not told, that is read from the store.
    fn write_down(&self, notes: &[Note]) -> Result<(), Fault> {
        let indexed = self.index.indexed();
        let missed = self.told.lost.load(Acquire) > indexed;
        let mut entries = Vec::new();
        for note in notes {
            match note {
                Note::Stored(position, event) if *position > indexed && !missed => {
                    entries.push(Entry { position: *position, event });
                }
                Note::Stored(..) | Note::Stop => {}
            }
        }
        if let Some(last) = entries.last().map(|entry| entry.position) {
            self.index(&entries, last)?;
        }
        if missed { self.catch_up() } else { Ok(()) }
    }

    /// Indexes what the store has beyond the index.
    fn catch_up(&self) -> Result<(), Fault> {
        let from = self.index.indexed().saturating_add(1);
        let last = self.store.last_position().0;
        if last < from {
            return Ok(());
        }
        let mut batch = Vec::with_capacity(BATCH_MAX);
        if !self.reaches(last) {
            let mut done = Ok(());
            self.store.scan(Position(from), &mut |Position(position), json| {
                if let Ok(event) = Event::parse(json)
                    && KINDS.contains(&event.kind)
                {
                    batch.push((position, event));
                }
                if batch.len() == BATCH_MAX {
                    done = self.add(&mut batch, position);
                }
                done.is_ok() && !self.stopping.load(Relaxed)
            });
            done?;
            if self.stopping.load(Relaxed) {
                return Ok(());
            }
        }
        self.add(&mut batch, last)
    }

    fn add(&self, batch: &mut Vec<(u64, Event)>, last: u64) -> Result<(), Fault> {
        let entries: Vec<_> =
            batch.iter().map(|(position, event)| Entry { position: *position, event }).collect();
        self.index(&entries, last)?;
        batch.clear();
        Ok(())
    }

    /// Indexes some events. Where others come meanwhile it rests afterwards: that they are stored
    /// soon matters more than that these are found a moment earlier.
    fn index(&self, entries: &[Entry<'_>], last: u64) -> Result<(), Fault> {
        let (began, before) = (Instant::now(), self.store.last_position().0);
        self.index.add(entries, last)?;
        if self.store.last_position().0.saturating_sub(before) >= RUSH {
            self.rest((began.elapsed() * REST_IN_RUSH).min(REST_IN_RUSH_MAX));
        }
        Ok(())
    }

    fn rest(&self, long: Duration) {
        let began = Instant::now();
        while began.elapsed() < long && !self.stopping.load(Relaxed) {
            std::thread::sleep(NAP.min(long.saturating_sub(began.elapsed())));
        }
    }
}
