//! Giving the disk back: segments that hold what is no longer live are written anew without it.
//!
//! What goes are events that were deleted, replaced or have expired. A segment keeps its number and
//! the order of its frames; the new file is made beside it, synced, and renamed over it, so that a
//! crash leaves the one or the other. Readers that hold the old map keep it until they let go.
//!
//! The writer waits only while the active segment is closed and while the index follows the moved
//! frames of one segment. Deletions stay for ever, and with them what they forbid.

use std::sync::PoisonError;
use std::{fmt, io};

use ayni_protocol::Timestamp;
use bytes::Bytes;

use crate::Fault;
use crate::disk::SegmentFile;
use crate::disk_store::DiskStore;
use crate::frame::{Frame, narrow, wide};
use crate::index::slots::SlotId;
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
        let path = self.disk.path(number);
        let live = self.read().live_in(number);
        let mut draft = self.disk.draft(number).map_err(Fault::at(&path, "write anew"))?;
        let (moves, length) =
            copy(old, &live, &mut *draft).map_err(Fault::at(&path, "write anew"))?;
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
