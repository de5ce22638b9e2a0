//! The store that a node runs on: the journal, the index over it, and the state beside it.
//!
//! One writer at a time judges a batch, writes and syncs it, and only then lets the index see it;
//! the lock of the index is never held while the disk works. Readers hold that lock for a slice of
//! a scan, so the longest of scans delays neither the writer nor other readers by more than that.
//!
//! Deliberately absent: threads, but for those that work at a start. Whoever calls
//! waits, and a server calls from where it may wait.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use ayni_protocol::{Event, EventId, Filter, PublicKey, Timestamp, VerifiedEvent, relay_url};

use crate::disk::{self, Disk, RealDisk};
use crate::frame::{self, long, narrow};
use crate::index::Index;
use crate::index::build::Build;
use crate::index::scan::{Question, Slice};
use crate::index::slots::Slot;
use crate::index::snapshot;
use crate::intake::Intake;
use crate::journal::{HEAD, Journal, Placed};
use crate::recovery::{self, Mark, Recovery};
use crate::rules;
use crate::state::Beside;
use crate::{Fault, Outcome, Page, Position, Reader, State, Store, Stored};

/// Candidates that a scan looks at before it lets others in. Few in tests, so that they pause.
const SLICE: usize = if cfg!(test) { 3 } else { 4_096 };
/// Events of somebody who vanished that are taken out before readers are let in again.
const SWEEP: usize = if cfg!(test) { 3 } else { 512 };

/// Events of one removal, with one sync.
const REMOVED: usize = 512;

/// Bytes of memory that are kept to put the frames of a batch together.
const FRAMES_KEPT: usize = 4 << 20;

/// How a store is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Bytes after which a segment is closed and the next begun.
    pub segment_bytes: u32,
    /// Whether to keep a snapshot of the index from one run to the next.
    pub snapshots: bool,
    /// The relay's own addresses: a request to vanish that names one of them is heard (NIP-62). What
    /// was heard stays so when they change.
    pub urls: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { segment_bytes: 256 << 20, snapshots: true, urls: Vec::new() }
    }
}

/// The store on disk.
pub struct DiskStore {
    folder: PathBuf,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) writer: Mutex<Writer>,
    index: RwLock<Index>,
    /// The place of the last event that queries see.
    last: AtomicU64,
    pub(crate) state: Beside,
    /// Our own addresses, normalised.
    pub(crate) own: BTreeSet<String>,
    /// Held by a compaction, so that there is one at a time.
    pub(crate) compacting: Mutex<()>,
    /// Dropped last: nobody else may work here while this is open.
    _lock: Option<File>,
}

/// The end of the journal.
pub(crate) struct Writer {
    pub journal: Journal,
    pub next: Position,
    /// Whether anything changed since the last snapshot.
    pub changed: bool,
    /// Where frames are put together; empty between batches.
    frames: Vec<u8>,
}

impl DiskStore {
    /// Opens the store in a data folder, or begins one: `journal/`, `sled/` and `lock` in it.
    ///
    /// # Errors
    /// [`Fault::Locked`] where another process has it open, [`Fault::Newer`] where a later release
    /// wrote it, and what the disk says. A torn or damaged end is no error: see [`Recovery`].
    pub fn open(data_dir: &Path) -> Result<(Self, Recovery), Fault> {
        Self::open_with(data_dir, &Options::default())
    }

    /// As [`DiskStore::open`], kept otherwise.
    ///
    /// # Errors
    /// As [`DiskStore::open`].
    pub fn open_with(data_dir: &Path, options: &Options) -> Result<(Self, Recovery), Fault> {
        fs::create_dir_all(data_dir).map_err(Fault::at(data_dir, "create"))?;
        let lock = disk::lock(&data_dir.join("lock"))?;
        let folder = data_dir.join("journal");
        let disk = RealDisk::new(&folder).map_err(Fault::at(&folder, "open"))?;
        let state = if options.snapshots { Beside::at(data_dir)? } else { Beside::default() };
        let (mut store, recovery) =
            Self::open_on(Arc::new(disk), u64::from(options.segment_bytes), state.get().cloned())?;
        store.state = state;
        store.folder = folder;
        store._lock = Some(lock);
        Ok((store.answering_to(&options.urls), recovery))
    }

    /// The same store, under these addresses.
    pub(crate) fn answering_to(mut self, urls: &[String]) -> Self {
        self.own = urls.iter().filter_map(|url| relay_url::normalised(url)).collect();
        self
    }

    /// The store on any disk.
    pub(crate) fn open_on(
        disk: Arc<dyn Disk>,
        segment_bytes: u64,
        state: Option<State>,
    ) -> Result<(Self, Recovery), Fault> {
        let kept = state.as_ref().and_then(|state| snapshot::load(state, &*disk));
        let mark = kept.as_ref().map_or_else(Mark::default, |(_, mark)| mark.clone());
        let mut build = Build::default();
        let opened = recovery::open(Arc::clone(&disk), segment_bytes, &mark, &mut build)?;
        let still_fits = |(index, mark): &(Index, Mark)| {
            let length = |number| opened.segments.iter().find(|(other, _)| *other == number);
            let holds = |(number, end): (&u32, &u64)| {
                length(*number).is_some_and(|(_, view)| long(view.len()) >= *end)
            };
            index.key() == opened.journal.key() && mark.ends.iter().all(holds)
        };
        if kept.as_ref().is_some_and(|kept| !still_fits(kept)) {
            // Opening repaired something that the snapshot vouched for: read all of it again.
            let Recovery { dropped_bytes, dropped, .. } = opened.recovery;
            return Self::open_on(disk, segment_bytes, None).map(|(mut store, recovery)| {
                store.state = state.into();
                (store, Recovery { dropped_bytes, dropped, ..recovery })
            });
        }
        let from_snapshot = kept.is_some();
        let (mut index, mark) = kept.unwrap_or_else(|| {
            let built = build.finish().unwrap_or_else(|| Index::new(opened.journal.key()));
            (built, Mark::default())
        });
        for (number, view) in opened.segments {
            index.segments.publish(number, view);
        }
        if from_snapshot {
            let numbers: Vec<_> = index.segments.iter().map(|(number, ..)| number).collect();
            for number in numbers {
                let read = mark.ends.get(&number).and_then(|end| u32::try_from(*end).ok());
                index.apply_all(number, read.unwrap_or(narrow(HEAD)));
            }
        }
        index.sweep_all();
        let recovery = Recovery { events: index.len(), from_snapshot, ..opened.recovery };
        let next = opened.next.max(Position(mark.last.0 + 1));
        let (journal, frames) = (opened.journal, Vec::new());
        let writer = Writer { journal, next, changed: !from_snapshot, frames };
        let store = Self {
            folder: PathBuf::new(),
            disk,
            writer: Mutex::new(writer),
            index: RwLock::new(index),
            last: AtomicU64::new(next.0 - 1),
            state: state.into(),
            own: BTreeSet::new(),
            compacting: Mutex::new(()),
            _lock: None,
        };
        Ok((store, recovery))
    }

    /// As [`Store::append`]; but `ahead` is told the outcomes when the batch is written and not yet
    /// synced: soon it will be durable and queries will find it, unless the power fails or the disk.
    ///
    /// # Errors
    /// As [`Store::append`]; `ahead` may have been called then.
    pub fn append_ahead(
        &self,
        batch: &[VerifiedEvent],
        now: Timestamp,
        ahead: &mut dyn FnMut(&[Outcome]),
    ) -> Result<Vec<Outcome>, Fault> {
        let mut writer = self.write()?;
        let mut next = writer.next.0;
        let mut accepted = Vec::with_capacity(batch.len());
        let index = self.read();
        let mut intake = Intake::new(&index, now, &self.own);
        let mut outcomes = Vec::with_capacity(batch.len());
        for event in batch {
            outcomes.push(intake.refuse(event).unwrap_or_else(|| {
                accepted.push(event);
                next += 1;
                Outcome::Stored(Position(next - 1))
            }));
        }
        drop(index);
        if accepted.is_empty() {
            ahead(&outcomes);
            return Ok(outcomes);
        }
        let placed = writer.append(&accepted, &self.own, &mut || ahead(&outcomes))?;
        self.show(placed, writer.next);
        for vanish in accepted.iter().filter(|event| rules::vanishes(event, &self.own)) {
            while self.change().sweep(&vanish.pubkey, vanish.created_at, SWEEP) {}
        }
        Ok(outcomes)
    }

    /// The small state beside the journal; nothing where the store keeps no snapshots, or where the
    /// disk has no room to open it.
    #[must_use]
    pub fn state(&self) -> Option<&State> {
        self.state.get()
    }

    /// Copies the journal into a folder while the store works on. What was accepted before the call
    /// is in it, and a store opened on that folder holds the same events.
    ///
    /// # Errors
    /// What the disk says; also where a journal is in that folder already.
    pub fn backup(&self, to: &Path) -> Result<(), Fault> {
        let folder = to.join("journal");
        fs::create_dir_all(to).map_err(Fault::at(to, "create"))?;
        fs::create_dir(&folder).map_err(Fault::at(&folder, "back up into"))?;
        let segments = self.read().segments.clone();
        for (number, bytes, _) in segments.iter() {
            let path = folder.join(format!("{number:08}.seg"));
            fs::write(&path, bytes).map_err(Fault::at(&path, "write"))?;
            File::open(&path)
                .and_then(|file| file.sync_all())
                .map_err(Fault::at(&path, "make durable"))?;
        }
        crate::disk::sync_folder(&folder).map_err(Fault::at(&folder, "make durable"))
    }

    /// Keeps a snapshot of the index, so that the next start need not read the journal. Done on
    /// drop too, where anything changed.
    ///
    /// # Errors
    /// What sled says. The store works on.
    pub fn snapshot(&self) -> Result<(), Fault> {
        let Some(state) = self.state.needed()? else { return Ok(()) };
        let mut writer = self.write()?;
        let index = self.read();
        let mark = Mark::of(&index.segments, Position(writer.next.0 - 1));
        self.state.forgotten.store(false, Ordering::Release);
        snapshot::keep(state, &index, &mark)?;
        writer.changed = false;
        Ok(())
    }

    /// Whether this is a request to vanish from here (NIP-62), by the addresses in [`Options`].
    #[must_use]
    pub fn heeds(&self, event: &Event) -> bool {
        rules::vanishes(event, &self.own)
    }

    /// Bytes of memory that the index takes, what was deleted aside.
    #[must_use]
    pub fn index_bytes(&self) -> usize {
        self.read().bytes()
    }

    /// Bytes of the journal on disk.
    #[must_use]
    pub fn journal_bytes(&self) -> u64 {
        self.read().segments.iter().map(|(_, bytes, _)| long(bytes.len())).sum()
    }

    /// Bytes of it that hold what is live.
    #[must_use]
    pub fn live_bytes(&self) -> u64 {
        self.read().segments.iter().map(|(_, _, live)| live).sum()
    }

    /// Where the journal lies.
    #[must_use]
    pub fn journal_folder(&self) -> &Path {
        &self.folder
    }

    /// Whether a failed sync, or a write that could not be undone, left nothing to trust: then
    /// nothing more is accepted until the store is opened again.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.writer.lock().map_or(true, |writer| writer.journal.is_poisoned())
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn change(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> Result<MutexGuard<'_, Writer>, Fault> {
        // A writer that panicked may have left the journal and the index apart.
        self.writer.lock().map_err(|_| Fault::Poisoned)
    }

    /// Lets queries see what was written.
    fn show(&self, placed: Placed, next: Position) {
        let mut index = self.change();
        index.segments.publish(placed.segment, placed.view);
        index.apply_all(placed.segment, placed.offset);
        self.last.store(next.0 - 1, Ordering::Release);
    }

    /// Runs a scan to its end, or until `each` wants no more or the reader no longer waits.
    fn scan_index(
        &self,
        filter: &Filter,
        now: Timestamp,
        reader: &dyn Reader,
        each: &mut dyn FnMut(&Index, &Slot) -> bool,
    ) {
        let question = Question::new(filter, now, reader);
        let mut place = question.start();
        while self.read().slice(&question, &mut place, SLICE, each) == Slice::Pause
            && reader.may_go_on()
        {}
    }
}

impl Writer {
    /// Writes the accepted events of a batch; gives where they are.
    fn append(
        &mut self,
        accepted: &[&VerifiedEvent],
        own: &BTreeSet<String>,
        written: &mut dyn FnMut(),
    ) -> Result<Placed, Fault> {
        let mut frames = std::mem::take(&mut self.frames);
        let key = self.journal.key();
        for (event, position) in accepted.iter().zip(self.next.0..) {
            let vanishes = rules::vanishes(event, own);
            frame::write(event, Position(position), &key, vanishes, &mut frames);
        }
        let placed = self.append_frames(&frames, accepted.len(), written);
        frames.clear();
        frames.shrink_to(FRAMES_KEPT);
        self.frames = frames;
        placed
    }

    /// Writes that events are taken out.
    fn remove(&mut self, ids: &[EventId]) -> Result<Placed, Fault> {
        let mut frame = Vec::new();
        frame::write_removal(ids, self.next, &mut frame);
        self.append_frames(&frame, 1, &mut || {})
    }

    fn append_frames(
        &mut self,
        frames: &[u8],
        count: usize,
        written: &mut dyn FnMut(),
    ) -> Result<Placed, Fault> {
        let placed = self.journal.append(frames, self.next, written)?;
        self.next.0 += long(count);
        self.changed = true;
        Ok(placed)
    }
}

impl Store for DiskStore {
    fn append(&self, batch: &[VerifiedEvent], now: Timestamp) -> Result<Vec<Outcome>, Fault> {
        self.append_ahead(batch, now, &mut |_| {})
    }

    fn remove(&self, ids: &[EventId]) -> Result<usize, Fault> {
        let mut writer = self.write()?;
        let index = self.read();
        let goes = |id: &EventId| {
            let slot = index.find(id).and_then(|slot| index.slot(slot));
            slot.is_some_and(|slot| rules::is_deletable(slot.kind))
        };
        let named: BTreeSet<_> = ids.iter().copied().filter(goes).collect();
        drop(index);
        let named: Vec<_> = named.into_iter().collect();
        for some in named.chunks(REMOVED) {
            let placed = writer.remove(some)?;
            self.show(placed, writer.next);
        }
        Ok(named.len())
    }

    fn contains(&self, id: &EventId) -> bool {
        self.read().find(id).is_some()
    }

    fn get(&self, id: &EventId, now: Timestamp) -> Option<Stored> {
        let index = self.read();
        let slot = index.slot(index.find(id)?)?;
        if index.is_expired(slot, now) { None } else { index.stored(slot) }
    }

    fn query(&self, filter: &Filter, limit: usize, now: Timestamp, reader: &dyn Reader) -> Page {
        if limit == 0 {
            return Page { events: Vec::new(), exhausted: filter.matches_nothing() };
        }
        let mut page = Page { events: Vec::new(), exhausted: true };
        self.scan_index(filter, now, reader, &mut |index, slot| {
            if page.events.len() == limit {
                page.exhausted = false;
                return false;
            }
            page.events.extend(index.stored(slot));
            true
        });
        page
    }

    fn count(&self, filter: &Filter, now: Timestamp, reader: &dyn Reader) -> usize {
        let mut count = 0;
        self.scan_index(filter, now, reader, &mut |_, _| {
            count += 1;
            true
        });
        count
    }

    fn authors(
        &self,
        filter: &Filter,
        now: Timestamp,
        reader: &dyn Reader,
        each: &mut dyn FnMut(&PublicKey),
    ) {
        self.scan_index(filter, now, reader, &mut |index, slot| {
            index.author(slot).into_iter().for_each(&mut *each);
            true
        });
    }

    fn items(
        &self,
        filter: &Filter,
        cap: usize,
        now: Timestamp,
        reader: &dyn Reader,
    ) -> Vec<(Timestamp, EventId)> {
        let mut items = Vec::new();
        self.scan_index(filter, now, reader, &mut |_, slot| {
            items.push((slot.created_at, slot.id));
            items.len() <= cap
        });
        // Newest first, of one time the lowest id first: turned round, but for the ties.
        items.reverse();
        let ties = items.chunk_by_mut(|one, other| one.0 == other.0);
        ties.filter(|ties| ties.len() > 1).for_each(<[_]>::reverse);
        items
    }

    fn last_position(&self) -> Position {
        Position(self.last.load(Ordering::Acquire))
    }

    fn scan(&self, from: Position, each: &mut dyn FnMut(Position, &str) -> bool) {
        self.walk(&|frame| frame.position >= from, from, &mut |frame| {
            frame.text().is_none_or(|json| each(frame.position, json))
        });
    }

    fn len(&self) -> usize {
        self.read().len()
    }
}

impl Drop for DiskStore {
    fn drop(&mut self) {
        let changed = self.writer.lock().is_ok_and(|writer| writer.changed);
        if changed && let Err(fault) = self.snapshot() {
            tracing::warn!(%fault, "no snapshot of the index; the next start reads the journal");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOW, event, ids, journal};

    fn notes(times: std::ops::Range<u64>) -> Vec<VerifiedEvent> {
        times.map(|time| event(1, 1, time, &format!("t={}", time % 3))).collect()
    }

    #[test]
    fn a_folder_has_one_owner() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = DiskStore::open(folder.path()).unwrap();
        assert!(matches!(DiskStore::open(folder.path()), Err(Fault::Locked { .. })));
        drop(store);
        DiskStore::open(folder.path()).unwrap();
    }

    #[test]
    fn a_clean_restart_reads_the_snapshot_and_a_lost_sled_folder_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (store, recovery) = DiskStore::open(folder.path()).unwrap();
        assert!(!recovery.from_snapshot);
        store.append(&notes(0..50), NOW).unwrap();
        store.state().unwrap().put("cursors", b"peer", b"7").unwrap();
        let before = journal(&store);
        drop(store);
        let (store, recovery) = DiskStore::open(folder.path()).unwrap();
        assert_eq!((recovery.events, recovery.from_snapshot), (50, true));
        assert_eq!(store.state().unwrap().get("cursors", b"peer").unwrap(), Some(b"7".to_vec()));
        assert_eq!(journal(&store), before);
        drop(store);
        fs::remove_dir_all(folder.path().join("sled")).unwrap();
        let (store, recovery) = DiskStore::open(folder.path()).unwrap();
        assert_eq!((recovery.events, recovery.from_snapshot), (50, false));
        assert_eq!(journal(&store), before);
    }

    #[test]
    fn a_snapshot_of_another_journal_is_passed_over() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (folder, times) in [(&one, 0..50), (&two, 50..100)] {
            DiskStore::open(folder.path()).unwrap().0.append(&notes(times), NOW).unwrap();
        }
        fs::remove_dir_all(one.path().join("sled")).unwrap();
        fs::rename(two.path().join("sled"), one.path().join("sled")).unwrap();
        let (store, recovery) = DiskStore::open(one.path()).unwrap();
        assert!(!recovery.from_snapshot);
        assert_eq!(ids(&store), notes(0..50).iter().map(|note| note.id).collect::<Vec<_>>());
    }

    #[test]
    fn a_damaged_snapshot_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        DiskStore::open(folder.path()).unwrap().0.append(&notes(0..50), NOW).unwrap();
        let state = State::open(folder.path()).unwrap();
        let mut chunk = state.get("index", &0_u32.to_be_bytes()).unwrap().unwrap();
        chunk[40] ^= 1;
        state.put("index", &0_u32.to_be_bytes(), &chunk).unwrap();
        drop(state);
        let (_, recovery) = DiskStore::open(folder.path()).unwrap();
        assert_eq!((recovery.events, recovery.from_snapshot), (50, false));
    }

    #[test]
    fn a_snapshot_does_not_hide_that_the_journal_was_cut_or_repaired() {
        for damage in ["cut", "head"] {
            let folder = tempfile::tempdir().unwrap();
            DiskStore::open(folder.path()).unwrap().0.append(&notes(0..50), NOW).unwrap();
            let path = folder.path().join("journal/00000001.seg");
            let mut bytes = fs::read(&path).unwrap();
            match damage {
                "cut" => bytes.truncate(bytes.len() - 10),
                _ => bytes[20] ^= 1,
            }
            fs::write(&path, bytes).unwrap();
            let (store, recovery) = DiskStore::open(folder.path()).unwrap();
            let expected = if damage == "cut" { 49 } else { 50 };
            assert_eq!((recovery.events, recovery.from_snapshot), (expected, false), "{damage}");
            assert_eq!(recovery.dropped.len(), 1);
            assert_eq!(ids(&store).len(), expected);
            drop(store);
            let (_, recovery) = DiskStore::open(folder.path()).unwrap();
            assert_eq!((recovery.events, recovery.from_snapshot), (expected, true));
        }
    }

    #[test]
    fn a_backup_of_a_running_store_is_a_store() {
        let folder = tempfile::tempdir().unwrap();
        let small = Options { segment_bytes: 5_000, snapshots: true, ..Options::default() };
        let (store, _) = DiskStore::open_with(folder.path(), &small).unwrap();
        store.append(&notes(0..20), NOW).unwrap();
        let to = folder.path().join("backup");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for time in 20..60 {
                    store.append(&notes(time..time + 1), NOW).unwrap();
                }
            });
            store.backup(&to).unwrap();
        });
        let (copy, recovery) = DiskStore::open(&to).unwrap();
        assert_eq!(recovery.dropped_bytes, 0);
        let (copied, all) = (journal(&copy), journal(&store));
        assert!(copied.len() >= 20);
        assert_eq!(copied, all[..copied.len()]);
        assert!(store.backup(&to).is_err(), "a backup is never written over");
    }

    #[test]
    fn readers_and_the_writer_work_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let small = Options { segment_bytes: 20_000, snapshots: false, ..Options::default() };
        let (store, _) = DiskStore::open_with(folder.path(), &small).unwrap();
        let filter = crate::testing::filter("{'#t':['1','2']}");
        let reads = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                for time in 0..200 {
                    let version = event(1, 0, time, "");
                    store.append(&notes(time..time + 1), NOW).unwrap();
                    store.append(&[version], NOW).unwrap();
                    if time % 50 == 49 {
                        store.compact(NOW).unwrap();
                    }
                }
            });
            while !writer.is_finished() {
                let page = store.query(&filter, 1_000, NOW, &crate::everyone);
                assert!(page.events.is_sorted_by_key(|stored| {
                    let event =
                        ayni_protocol::Event::parse(std::str::from_utf8(&stored.json).unwrap())
                            .unwrap();
                    (std::cmp::Reverse(event.created_at), event.id)
                }));
                reads.fetch_add(1, Ordering::Relaxed);
            }
        });
        assert!(reads.into_inner() > 0);
        assert_eq!(store.len(), 201);
        assert_eq!(store.count(&filter, NOW, &crate::everyone), 133);
    }
}
