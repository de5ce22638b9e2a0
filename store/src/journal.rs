//! The truth on disk: segments of frames, written at the end, one sync for a batch.
//!
//! ```text
//!   00000001.seg   00000002.seg   00000003.seg
//!   ┌────┬───────┐ ┌────┬───────┐ ┌────┬───┐
//!   │head│frames…│ │head│frames…│ │head│fra│──► the active one
//!   └────┴───────┘ └────┴───────┘ └────┴───┘
//!
//!   head   0        8         12       16             24    40         44      48
//!          │ magic  │ version │ number │ next position│ key │ reserved │ crc32c│
//! ```
//!
//! A batch lies in one segment as a whole. If it cannot be written it is cut off again, and the
//! store works on; if it cannot be synced, nobody knows what is on the disk, and the journal takes
//! nothing more (a second sync may succeed without having written anything).
//!
//! The head holds the next position, so that no position is given twice even after the last events
//! were compacted away, and the key of the hashes that the frames hold.
//!
//! The active segment has room made in advance, zeros that are passed over when it is opened, so a
//! copy of the folder at any moment is a backup.

use std::sync::Arc;

use bytes::Bytes;

use crate::disk::{Disk, SegmentFile};
use crate::frame::{PLACES, bytes_at, u32_at, u64_at};
use crate::keyed::HashKey;
use crate::{Fault, Position};

/// Bytes of a segment's head.
pub const HEAD: usize = 48;
/// What every segment begins with.
const MAGIC: [u8; 8] = *b"AYNISEG\n";
/// The format that this release writes.
pub const VERSION: u32 = 1;

/// What a segment says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its number, which its name says too.
    pub number: u32,
    /// The place that the first event in it has at least.
    pub next: Position,
    /// The key of the hashes.
    pub key: HashKey,
}

/// Why bytes are not the head of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoHead {
    /// Too few, changed, or something else.
    Damaged,
    /// Of a later format.
    Newer(u32),
}

impl Head {
    /// The bytes of it.
    pub fn write(&self) -> [u8; HEAD] {
        let mut out = Vec::with_capacity(HEAD);
        out.extend(MAGIC);
        out.extend(VERSION.to_le_bytes());
        out.extend(self.number.to_le_bytes());
        out.extend(self.next.0.to_le_bytes());
        out.extend(self.key.0);
        out.extend([0; 4]);
        out.extend(crc32c::crc32c(&out).to_le_bytes());
        bytes_at(&out, 0)
    }

    /// Reads it.
    pub fn read(bytes: &[u8]) -> Result<Self, NoHead> {
        let (covered, sum) =
            bytes.get(..HEAD).and_then(|head| head.split_at_checked(44)).ok_or(NoHead::Damaged)?;
        if crc32c::crc32c(covered) != u32_at(sum, 0) || !covered.starts_with(&MAGIC) {
            return Err(NoHead::Damaged);
        }
        match u32_at(covered, 8) {
            VERSION if u64_at(covered, 16) >= PLACES => Err(NoHead::Damaged),
            VERSION => Ok(Self {
                number: u32_at(covered, 12),
                next: Position(u64_at(covered, 16)),
                key: HashKey(bytes_at(covered, 24)),
            }),
            newer => Err(NoHead::Newer(newer)),
        }
    }
}

/// Where a batch was written.
pub struct Placed {
    /// In which segment.
    pub segment: u32,
    /// Where its first frame begins.
    pub offset: u32,
    /// The segment up to the end of the batch.
    pub view: Bytes,
}

/// The end of the journal, where it is written.
pub struct Journal {
    disk: Arc<dyn Disk>,
    active: Box<dyn SegmentFile>,
    number: u32,
    key: HashKey,
    segment_bytes: u64,
    poisoned: bool,
}

impl Journal {
    /// A journal that goes on at the end of `active`.
    pub fn new(
        disk: Arc<dyn Disk>,
        active: Box<dyn SegmentFile>,
        number: u32,
        key: HashKey,
        segment_bytes: u64,
    ) -> Self {
        Self { disk, active, number, key, segment_bytes, poisoned: false }
    }

    /// The key of the hashes in its frames.
    pub const fn key(&self) -> HashKey {
        self.key
    }

    /// The segment that is written.
    pub const fn active(&self) -> u32 {
        self.number
    }

    /// Writes frames and makes them durable. `first` is the place of the first; `written` is called
    /// between the two.
    ///
    /// On [`Fault::Full`] and other faults of writing nothing of them is left; a fault of syncing
    /// leaves the journal poisoned.
    pub fn append(
        &mut self,
        frames: &[u8],
        first: Position,
        written: &mut dyn FnMut(),
    ) -> Result<Placed, Fault> {
        self.usable()?;
        let length = u64::try_from(frames.len()).unwrap_or(u64::MAX);
        if self.active.len().saturating_add(length) > self.segment_bytes && !self.is_fresh() {
            self.rotate(first)?;
        }
        let start = self.active.len();
        let fits = u32::try_from(start.saturating_add(length)).is_ok();
        let offset = u32::try_from(start).ok().filter(|_| fits);
        let offset = offset.ok_or(Fault::TooLarge { bytes: frames.len() })?;
        let path = self.disk.path(self.number);
        // A disk too full for room in advance may still take what is to be written.
        let _ = self.active.make_room(length);
        if let Err(error) = self.active.append(frames) {
            // What was written in part must not be taken for an event after the next start.
            return match self.active.truncate(start) {
                Ok(()) => Err(Fault::of(&path, "append to", error)),
                Err(_) => self.or_poison(Err(error)).map_err(Fault::fatal(&path, "append to")),
            };
        }
        written();
        let synced = self.active.sync();
        self.or_poison(synced).map_err(Fault::fatal(&path, "make durable"))?;
        let view = self.view().map_err(Fault::fatal(&path, "map"))?;
        Ok(Placed { segment: self.number, offset, view })
    }

    /// The active segment as it is, mapped.
    pub fn view(&mut self) -> std::io::Result<Bytes> {
        let view = self.active.view(self.segment_bytes);
        self.or_poison(view)
    }

    /// Begins a new segment; `next` is the place of the next event. The old one stays active if
    /// the new one cannot be made.
    pub fn rotate(&mut self, next: Position) -> Result<(), Fault> {
        self.usable()?;
        let number = self.number.checked_add(1).ok_or(Fault::Poisoned)?;
        let path = self.disk.path(number);
        let head = Head { number, next, key: self.key };
        let mut fresh = self.disk.create(number).map_err(Fault::at(&path, "create"))?;
        fresh.append(&head.write()).map_err(Fault::at(&path, "begin"))?;
        let synced = fresh.sync().and_then(|()| self.disk.sync_names());
        self.or_poison(synced).map_err(Fault::fatal(&path, "make durable"))?;
        let _ = self.active.close();
        self.active = fresh;
        self.number = number;
        Ok(())
    }

    /// Whether the active segment holds nothing but its head.
    pub fn is_fresh(&self) -> bool {
        self.active.len() <= u64::try_from(HEAD).unwrap_or_default()
    }

    /// Whether nothing more is accepted.
    pub const fn is_poisoned(&self) -> bool {
        self.poisoned
    }

    const fn usable(&self) -> Result<(), Fault> {
        if self.poisoned { Err(Fault::Poisoned) } else { Ok(()) }
    }

    fn or_poison<T>(&mut self, done: std::io::Result<T>) -> std::io::Result<T> {
        self.poisoned |= done.is_err();
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_is_written_and_any_change_is_noticed() {
        let head = Head { number: 3, next: Position(77), key: HashKey([5; 16]) };
        let bytes = head.write();
        assert_eq!(Head::read(&bytes), Ok(head));
        for at in 0..HEAD {
            assert_eq!(Head::read(&bytes[..at]), Err(NoHead::Damaged));
            for bit in 0..8 {
                let mut flipped = bytes;
                flipped[at] ^= 1 << bit;
                assert_eq!(Head::read(&flipped), Err(NoHead::Damaged), "bit {bit} of {at}");
            }
        }
    }

    #[test]
    fn a_later_format_is_not_taken_for_damage() {
        let mut bytes = Head { number: 1, next: Position(1), key: HashKey([5; 16]) }.write();
        bytes[8] = 9;
        let sum = crc32c::crc32c(&bytes[..44]).to_le_bytes();
        bytes[44..].copy_from_slice(&sum);
        assert_eq!(Head::read(&bytes), Err(NoHead::Newer(9)));
    }
}
