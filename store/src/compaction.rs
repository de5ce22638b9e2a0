//! Giving the disk back: segments that hold what is no longer live are written anew without it.
//!
//! What goes are events that were deleted, replaced or have expired. A segment keeps its number and
//! the order of its frames; the new file is made beside it, synced, and renamed over it, so that a
//! crash leaves the one or the other. Readers that hold the old map keep it until they let go.
//!
//! The writer waits only while the active segment is closed and while the index follows the moved
//! frames of one segment. Deletions stay for ever, and with them what they forbid.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::{fmt, io};

use ayni_protocol::Timestamp;
use bytes::Bytes;

use crate::Fault;
use crate::disk::SegmentFile;
use crate::disk_store::DiskStore;
use crate::frame::{Frame, narrow, wide};
use crate::index::slots::SlotId;
use crate::index::snapshot;
use crate::journal::HEAD;

/// Bytes written at once.
const WRITE_BYTES: usize = 1 << 20;

/// What a compaction did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compaction {
    /// Events that had expired and are gone now.
    pub expired: usize,
    /// Segments written anew.
    pub segments: usize,
    /// Bytes given back.
    pub freed_bytes: u64,
}

impl fmt::Display for Compaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { expired, segments, freed_bytes } = self;
        write!(f, "{freed_bytes} bytes freed in {segments} segments, {expired} events expired")
    }
}

impl DiskStore {
    /// Drops what was deleted, replaced or has expired by `now`. Reading and writing go on.
    ///
    /// # Errors
    /// What the disk says. What was done until then stays done; the rest is left as it was.
    pub fn compact(&self, now: Timestamp) -> Result<Compaction, Fault> {
        let _one_at_a_time = self.compacting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut done = Compaction { expired: self.drop_expired(now), ..Compaction::default() };
        if self.wasteful(u32::MAX).is_empty() {
            return Ok(done);
        }
        // A snapshot says where frames lie, and that is about to change.
        self.forget_snapshot()?;
        let active = self.close_active()?;
        for (number, view) in self.wasteful(active) {
            done.freed_bytes += self.rewrite(number, &view)?;
            done.segments += 1;
        }
        Ok(done)
    }

    /// Says that a snapshot taken before no longer fits.
    fn forget_snapshot(&self) -> Result<(), Fault> {
        if self.state.forgotten.load(Ordering::Acquire) {
            return Ok(());
        }
        self.state.needed()?.map_or(Ok(()), snapshot::forget)?;
        self.state.forgotten.store(true, Ordering::Release);
        Ok(())
    }

    /// Takes out what has expired by `now`, so that it counts as dead; gives how many events. No
    /// trace is written: after a start they are hidden until this is called again.
    pub fn drop_expired(&self, now: Timestamp) -> usize {
        let expired = self.read().expired(now);
        // The writer may have taken some of these out since, and given their slots again.
        let mut index = self.change();
        let still = |id: &SlotId| {
            index.slot(*id).is_some_and(|slot| {
                index.find(&slot.id) == Some(*id) && index.is_expired(slot, now)
            })
        };
        let expired: Vec<_> = expired.into_iter().filter(still).collect();
        expired.into_iter().filter_map(|id| index.remove(id)).count()
    }

    /// Segments before `end` that hold what is no longer live.
    fn wasteful(&self, end: u32) -> Vec<(u32, Bytes)> {
        let index = self.read();
        let wastes = |(number, view, live): (u32, &Bytes, u64)| {
            let frames = u64::try_from(view.len().saturating_sub(HEAD)).unwrap_or_default();
            (live < frames && number < end).then(|| (number, view.clone()))
        };
        index.segments.iter().filter_map(wastes).collect()
    }

    /// Begins a new segment, so that all before it can be written anew; gives its number.
    fn close_active(&self) -> Result<u32, Fault> {
        let mut writer = self.write()?;
        if !writer.journal.is_fresh() {
            let next = writer.next;
            writer.journal.rotate(next)?;
            let number = writer.journal.active();
            let view = writer.journal.view();
            let view = view.map_err(Fault::at(&self.disk.path(number), "map"))?;
            self.change().segments.publish(number, view);
        }
        Ok(writer.journal.active())
    }

    /// Writes the live frames of a closed segment anew; gives how many bytes that saves.
    fn rewrite(&self, number: u32, old: &Bytes) -> Result<u64, Fault> {
        let live = self.read().live_in(number);
        if live.is_empty() {
            return self.drop_segment(number, old);
        }
        let done = self.rewrite_live(number, old, &live);
        if done.is_err() {
            // What the disk had no room for must not keep the room that is left.
            drop(self.disk.discard(number));
        }
        done
    }

    /// Takes away a closed segment in which nothing is live; gives how many bytes that saves.
    fn drop_segment(&self, number: u32, old: &Bytes) -> Result<u64, Fault> {
        let path = self.disk.path(number);
        let mut writer = self.write()?;
        self.disk.remove(number).map_err(Fault::at(&path, "remove"))?;
        self.change().segments.forget(number);
        writer.changed = true;
        Ok(u64::try_from(old.len()).unwrap_or_default())
    }

    fn rewrite_live(&self, number: u32, old: &Bytes, live: &[(u32, SlotId)]) -> Result<u64, Fault> {
        let path = self.disk.path(number);
        let mut draft = self.disk.draft(number).map_err(Fault::at(&path, "write anew"))?;
        let (moves, length) =
            copy(old, live, &mut *draft).map_err(Fault::at(&path, "write anew"))?;
        let view = draft.sync().and_then(|()| draft.view(length));
        let view = view.map_err(Fault::at(&path, "write anew"))?;
        // No snapshot may be taken between the change of the file and that of the index.
        let mut writer = self.write()?;
        self.disk.adopt(number).map_err(Fault::at(&path, "replace"))?;
        self.change().moved(number, view, &moves);
        writer.changed = true;
        Ok(u64::try_from(old.len()).unwrap_or_default().saturating_sub(length))
    }
}

/// A slot, where its frame was, and where it is now.
type Move = (SlotId, u32, u32);

/// Copies the head and the live frames of a segment; gives where they went and the new length.
fn copy(
    old: &Bytes,
    live: &[(u32, SlotId)],
    to: &mut dyn SegmentFile,
) -> io::Result<(Vec<Move>, u64)> {
    let mut moves = Vec::with_capacity(live.len());
    let mut chunk = old.get(..HEAD).unwrap_or_default().to_vec();
    let mut length = chunk.len();
    for (offset, slot) in live {
        let rest = old.get(wide(*offset)..).unwrap_or_default();
        let frame = Frame::read(rest).and_then(|frame| rest.get(..frame.length));
        let frame = frame.ok_or(io::ErrorKind::InvalidData)?;
        moves.push((*slot, *offset, narrow(length)));
        length += frame.len();
        chunk.extend_from_slice(frame);
        if chunk.len() >= WRITE_BYTES {
            to.append(&chunk)?;
            chunk.clear();
        }
    }
    to.append(&chunk)?;
    Ok((moves, u64::try_from(length).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::Store as _;
    use crate::disk::Disk as _;
    use crate::testing::ram::{RamDisk, Trouble};
    use crate::testing::{NOW, event, ids, journal};

    /// Several segments of notes.
    fn filled(disk: &RamDisk) -> DiskStore {
        let (store, _) = DiskStore::open_on(Arc::new(disk.clone()), 3_000, None).unwrap();
        for time in 1..=30 {
            store.append(&[event(1, 1, time, "")], NOW).unwrap();
        }
        assert!(disk.segments().unwrap().len() > 3);
        store
    }

    #[test]
    fn a_segment_in_which_nothing_lives_leaves_no_file() {
        let disk = RamDisk::default();
        let store = filled(&disk);
        let last = ids(&store).pop().unwrap();
        let others: Vec<_> = ids(&store).into_iter().filter(|id| *id != last).collect();
        store.remove(&others).unwrap();
        store.compact(NOW).unwrap();
        assert_eq!(disk.segments().unwrap().len(), 2, "what lives, and the one written to");
        let left = journal(&store);
        store.append(&[event(1, 1, 99, "")], NOW).unwrap();
        drop(store);
        let (store, recovery) = DiskStore::open_on(Arc::new(disk), 3_000, None).unwrap();
        assert!(recovery.dropped.is_empty(), "{recovery}");
        assert_eq!(journal(&store)[..1], left[..]);
        assert_eq!(store.len(), 2);
    }

    #[test]
    fn what_had_no_room_keeps_none() {
        let calls = {
            let disk = RamDisk::default();
            let store = filled(&disk);
            store.remove(&ids(&store)[..1]).unwrap();
            let before = disk.calls();
            store.compact(NOW).unwrap();
            disk.calls() - before
        };
        for call in 1..=calls {
            let disk = RamDisk::default();
            let store = filled(&disk);
            store.remove(&ids(&store)[..1]).unwrap();
            let left = journal(&store);
            disk.fail_at(call, Trouble::Full);
            let done = store.compact(NOW);
            assert!(!disk.has_draft(), "call {call}: {done:?}");
            assert_eq!(journal(&store), left, "call {call}");
        }
    }

    #[test]
    fn what_leaves_while_it_is_copied_is_not_counted_as_live() {
        let store = filled(&RamDisk::default());
        let (number, view) = {
            let index = store.read();
            let (number, view, _) = index.segments.iter().next().unwrap();
            (number, view.clone())
        };
        let live = store.read().live_in(number);
        store.remove(&ids(&store)[..1]).unwrap();
        store.rewrite_live(number, &view, &live).unwrap();
        assert!(store.wasteful(u32::MAX).iter().any(|(other, _)| *other == number));
    }
}
