//! A segment file: written at its end, and shown through a memory map.
//!
//! This is the one place of the house with `unsafe`, and here is why it is sound.
//!
//! [`Shown`] hands out the first `len` bytes of a file mapped read-only, as a `&[u8]`. For that
//! the bytes must exist, be readable, and never change while the slice lives:
//!
//! 1. *They are mapped.* `Shown` holds the map by an [`Arc`], so the pages stay mapped as long as
//!    any [`Bytes`] made of it; its length is at least `len` (checked in `view`, and once more in
//!    `as_ref`). A file that is renamed over or removed keeps its pages.
//! 2. *They exist.* The map may be longer than the file, so that it need not be made anew for
//!    every batch; touching a page beyond the end of the file would raise SIGBUS. `view` asks the
//!    operating system for the file's length and shows no more than that.
//! 3. *They never change.* This module is the only one that holds the [`File`]. It writes at
//!    `self.len` and further only, and `self.len >= self.shown` always: `append` adds to `len`,
//!    and `truncate` refuses to go below `shown`, which `view` raises to all that it shows.
//!    Within the process nothing else has the file open for writing; another process of this
//!    program cannot, since the store holds a lock on the folder.
//!
//! Room is made ahead of the end, as written zeros: then a sync need not also make a new file
//! length durable, which on a journalling file system takes ten to a hundred times as long. The
//! zeros are no part of the segment: `len` counts none, and opening a file passes over those at its
//! end. Nothing that is kept ends in a zero byte but perhaps a segment's head, so those bytes are
//! never passed over.
//!
//! What is left is what every program that maps files lives with: someone with the right to write
//! in the data folder can shorten a file under it, and a disk that fails to read a page raises
//! SIGBUS. Both end the process; neither can corrupt what is on the disk.
#![expect(unsafe_code, reason = "a map gives stored bytes without a copy; the proof is above")]

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::Bytes;
use memmap2::{MmapOptions, MmapRaw};

use crate::disk::SegmentFile;
use crate::journal::HEAD;

/// Bytes of room that are made at a time.
const ROOM: u64 = 4 << 20;
/// So many bytes at once need no room ahead: to write them twice costs more than a longer sync.
const MUCH: u64 = 64 << 10;
/// Bytes read at a time to find where zeros begin.
const BLOCK: u64 = 64 << 10;

/// An open segment.
pub struct RealSegment {
    file: File,
    /// Where the next bytes are written.
    len: u64,
    /// Where the file ends: from `len` to here it holds zeros.
    end: u64,
    /// Bytes from the start that views were given of, and that never change again.
    shown: u64,
    map: Option<Arc<MmapRaw>>,
}

impl RealSegment {
    /// A segment of a file that was opened for reading and writing.
    pub fn new(file: File) -> io::Result<Self> {
        let end = file.metadata()?.len();
        let mut segment = Self { file, len: end, end, shown: 0, map: None };
        segment.len = segment.without_zeros()?;
        Ok(segment)
    }

    /// How long the file is without the zeros at its end.
    fn without_zeros(&self) -> io::Result<u64> {
        let least = u64::try_from(HEAD).map_err(io::Error::other)?.min(self.end);
        let mut end = self.end;
        while end > least {
            let start = end.saturating_sub(BLOCK).max(least);
            let mut block = vec![0; usize::try_from(end - start).map_err(io::Error::other)?];
            self.file.read_exact_at(&mut block, start)?;
            if let Some(last) = block.iter().rposition(|byte| *byte != 0) {
                return Ok(start + u64::try_from(last).map_err(io::Error::other)? + 1);
            }
            end = start;
        }
        Ok(least)
    }

    /// Gives room back that was made and not used.
    fn trim(&mut self) -> io::Result<()> {
        if self.end > self.len {
            self.file.set_len(self.len)?;
            self.end = self.len;
        }
        Ok(())
    }

    /// A map of at least `len` bytes, the present one if it is long enough.
    fn map(&mut self, len: usize, capacity: usize) -> io::Result<Arc<MmapRaw>> {
        if let Some(map) = self.map.as_ref().filter(|map| map.len() >= len) {
            return Ok(Arc::clone(map));
        }
        let map = MmapOptions::new().len(len.max(capacity)).map_raw_read_only(&self.file)?;
        let map = Arc::new(map);
        self.map = Some(Arc::clone(&map));
        Ok(map)
    }
}

impl SegmentFile for RealSegment {
    fn len(&self) -> u64 {
        self.len
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, self.len)?;
        self.len += u64::try_from(bytes.len()).map_err(io::Error::other)?;
        self.end = self.end.max(self.len);
        Ok(())
    }

    fn make_room(&mut self, bytes: u64) -> io::Result<()> {
        let needed = self.len.saturating_add(bytes);
        if needed <= self.end || bytes >= MUCH {
            return Ok(());
        }
        let zeros = vec![0; usize::try_from(needed + ROOM - self.end).map_err(io::Error::other)?];
        match self.file.write_all_at(&zeros, self.end) {
            Ok(()) => self.end = needed + ROOM,
            Err(error) => {
                // Some zeros may have been written: none of them counts.
                self.file.set_len(self.end)?;
                return Err(error);
            }
        }
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        self.trim()
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        if len < self.shown {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.file.set_len(len)?;
        (self.len, self.end) = (len, len);
        Ok(())
    }

    fn read(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while let Some(rest) = into.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let place = at + u64::try_from(done).map_err(io::Error::other)?;
            match self.file.read_at(rest, place) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn view(&mut self, capacity: u64) -> io::Result<Bytes> {
        let len = usize::try_from(self.len).map_err(io::Error::other)?;
        let capacity = usize::try_from(capacity).map_err(io::Error::other)?;
        if self.file.metadata()?.len() < self.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if len == 0 {
            return Ok(Bytes::new());
        }
        let map = self.map(len, capacity)?;
        self.shown = self.len;
        Ok(Bytes::from_owner(Shown { map, len }))
    }
}

impl Drop for RealSegment {
    fn drop(&mut self) {
        // Zeros that stay are passed over when the file is opened.
        let _ = self.trim();
    }
}

/// The first `len` bytes of a mapped file.
struct Shown {
    map: Arc<MmapRaw>,
    len: usize,
}

impl AsRef<[u8]> for Shown {
    fn as_ref(&self) -> &[u8] {
        let len = self.len.min(self.map.len());
        // SAFETY: the pointer is that of a live read-only map of at least `len` bytes, which
        // `self.map` keeps alive for as long as the borrow; `view` made sure that so many bytes of
        // the file exist, and nothing writes below them again. See the proof above.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr(), len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment() -> RealSegment {
        RealSegment::new(tempfile::tempfile().unwrap()).unwrap()
    }

    #[test]
    fn views_stay_while_the_file_grows() {
        let mut segment = segment();
        assert!(segment.view(1 << 20).unwrap().is_empty());
        segment.append(b"one").unwrap();
        let first = segment.view(1 << 20).unwrap();
        // Over a page boundary, and over the capacity asked for.
        segment.append(&[b'x'; 10_000]).unwrap();
        let second = segment.view(1 << 20).unwrap();
        segment.append(&vec![b'y'; 3 << 20]).unwrap();
        let third = segment.view(1 << 20).unwrap();
        drop(segment);
        assert_eq!(first, "one");
        assert_eq!((second.len(), third.len()), (10_003, 10_003 + (3 << 20)));
        assert!(second[3..].iter().all(|byte| *byte == b'x'));
        assert_eq!(third.last(), Some(&b'y'));
    }

    #[test]
    fn what_was_shown_cannot_be_cut_and_the_rest_can() {
        let mut segment = segment();
        segment.append(b"kept").unwrap();
        let view = segment.view(100).unwrap();
        segment.append(b" torn").unwrap();
        assert!(segment.truncate(3).is_err());
        segment.truncate(4).unwrap();
        segment.append(b"!").unwrap();
        assert_eq!(view, "kept");
        assert_eq!(segment.view(100).unwrap(), "kept!");
    }

    #[test]
    fn room_is_no_part_of_the_segment() {
        let file = tempfile::tempfile().unwrap();
        let head = [0; HEAD];
        let mut segment = RealSegment::new(file.try_clone().unwrap()).unwrap();
        segment.append(&head).unwrap();
        segment.make_room(10).unwrap();
        let physical = || file.metadata().unwrap().len();
        assert_eq!((segment.len(), physical()), (48, 58 + ROOM));
        let reopened = || RealSegment::new(file.try_clone().unwrap()).unwrap().len();
        // A head stays whole even where it ends in zeros. Dropping it gives the room back.
        assert_eq!(reopened(), 48);
        assert_eq!(physical(), 48);
        segment.append(b"0123456789").unwrap();
        segment.make_room(MUCH).unwrap();
        assert_eq!(physical(), 58, "what is written in bulk makes its own room");
        segment.make_room(1).unwrap();
        segment.append(b"x").unwrap();
        assert_eq!(segment.view(1 << 20).unwrap().len(), 59);
        drop(segment);
        assert_eq!((reopened(), physical()), (59, 59));
    }

    #[test]
    fn zeros_within_the_segment_are_kept() {
        let file = tempfile::tempfile().unwrap();
        let mut bytes = vec![7; HEAD];
        bytes.resize(200_000, 0);
        bytes.push(1);
        bytes.resize(500_000, 0);
        file.write_all_at(&bytes, 0).unwrap();
        assert_eq!(RealSegment::new(file).unwrap().len(), 200_001);
    }

    #[test]
    fn a_file_shortened_by_someone_else_is_not_shown() {
        let file = tempfile::tempfile().unwrap();
        let mut segment = RealSegment::new(file.try_clone().unwrap()).unwrap();
        segment.append(b"some bytes").unwrap();
        file.set_len(3).unwrap();
        let error = segment.view(100).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
