//! A disk in memory that knows what a power cut would leave of it, and breaks on demand.
//!
//! A file keeps what was synced; of what was written after that, a cut keeps any part. A name is
//! there after a cut if names were synced since. One call, chosen by number, can be made to fail,
//! and from then on all of them, if the power is cut there.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;

use crate::disk::{Disk, SegmentFile};

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The disk reports an error.
    Error,
    /// The disk is full; a write may have been done in part.
    Full,
    /// The power is cut: this call and all later ones fail.
    Cut,
    /// A write is done in part, so many of 255, and reports an error; any other call just fails.
    Short(u8),
}

impl Trouble {
    /// How much of a write is done that meets it.
    fn part_of(self, length: usize) -> usize {
        match self {
            Self::Short(part) => length * usize::from(part) / 255,
            Self::Error | Self::Full | Self::Cut => length / 2,
        }
    }
}

/// A disk in memory. Clones are the same disk.
#[derive(Clone, Default)]
pub struct RamDisk(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    files: Vec<File>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    calls: usize,
    trouble: Option<(usize, Trouble)>,
    cut: bool,
}

#[derive(Default, Clone)]
struct File {
    bytes: Vec<u8>,
    synced: usize,
    /// A sync failed: another one might succeed without having written anything.
    doubtful: bool,
}

impl RamDisk {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    /// Makes the call with this number fail, counted from now on and from 1.
    pub fn fail_at(&self, call: usize, trouble: Trouble) {
        let mut inner = self.lock();
        inner.calls = 0;
        inner.trouble = Some((call, trouble));
    }

    /// Calls since the last time they were counted from.
    pub fn calls(&self) -> usize {
        self.lock().calls
    }

    /// The disk after a power cut, working again. Of what was not synced, `kept` of 256 parts are
    /// there.
    pub fn after_cut(&self, kept: u8) -> Self {
        let inner = self.lock();
        let survive = |file: &File| {
            let unsynced = file.bytes.len() - file.synced;
            let left = file.synced + unsynced * usize::from(kept) / 255;
            File { bytes: file.bytes[..left].to_vec(), synced: left, doubtful: false }
        };
        let names = if kept.is_multiple_of(2) { &inner.durable_names } else { &inner.names };
        Self(Arc::new(Mutex::new(Inner {
            files: inner.files.iter().map(survive).collect(),
            names: names.clone(),
            durable_names: names.clone(),
            ..Inner::default()
        })))
    }

    /// The same content on a disk that works.
    pub fn repaired(&self) -> Self {
        self.after_cut(255)
    }

    /// Whether a draft lies there.
    pub fn has_draft(&self) -> bool {
        self.lock().names.keys().any(|name| name.ends_with(".draft"))
    }

    /// The bytes of a segment.
    pub fn bytes(&self, number: u32) -> Vec<u8> {
        let inner = self.lock();
        inner
            .names
            .get(&segment(number))
            .map(|file| inner.files[*file].bytes.clone())
            .unwrap_or_default()
    }

    /// The same disk, with other bytes in a segment.
    pub fn with(&self, number: u32, bytes: Vec<u8>) -> Self {
        let copy = self.repaired();
        let file = copy.lock().names[&segment(number)];
        copy.lock().files[file] = File { synced: bytes.len(), bytes, doubtful: false };
        copy
    }

    /// The number of the last segment.
    pub fn last(&self) -> u32 {
        let inner = self.lock();
        inner.names.keys().filter_map(|name| name.strip_suffix(".seg")?.parse().ok()).max().unwrap()
    }

    fn open_named(&self, name: &str) -> io::Result<Box<dyn SegmentFile>> {
        let file = *self.lock().names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(RamSegment { disk: self.clone(), file, shown: 0 }))
    }

    fn create_named(&self, name: &str) -> io::Result<Box<dyn SegmentFile>> {
        let mut inner = self.lock();
        inner.call()?;
        inner.files.push(File::default());
        let file = inner.files.len() - 1;
        inner.names.insert(name.to_owned(), file);
        drop(inner);
        self.open_named(name)
    }
}

impl Inner {
    /// Counts a call, and fails it where it is its turn.
    fn call(&mut self) -> io::Result<()> {
        self.calls += 1;
        if self.cut {
            return Err(io::Error::other("no power"));
        }
        match self.trouble {
            Some((call, trouble)) if call == self.calls => {
                self.cut = trouble == Trouble::Cut;
                Err(match trouble {
                    Trouble::Full => io::ErrorKind::StorageFull.into(),
                    Trouble::Error | Trouble::Cut | Trouble::Short(_) => io::Error::other("broken"),
                })
            }
            _ => Ok(()),
        }
    }
}

fn segment(number: u32) -> String {
    format!("{number:08}.seg")
}

impl Disk for RamDisk {
    fn segments(&self) -> io::Result<Vec<u32>> {
        let mut inner = self.lock();
        inner.call()?;
        Ok(inner.names.keys().filter_map(|name| name.strip_suffix(".seg")?.parse().ok()).collect())
    }

    fn open(&self, number: u32) -> io::Result<Box<dyn SegmentFile>> {
        self.lock().call()?;
        self.open_named(&segment(number))
    }

    fn create(&self, number: u32) -> io::Result<Box<dyn SegmentFile>> {
        self.create_named(&segment(number))
    }

    fn draft(&self, number: u32) -> io::Result<Box<dyn SegmentFile>> {
        self.create_named(&format!("{number:08}.draft"))
    }

    fn adopt(&self, number: u32) -> io::Result<()> {
        let mut inner = self.lock();
        inner.call()?;
        let file =
            inner.names.remove(&format!("{number:08}.draft")).ok_or(io::ErrorKind::NotFound)?;
        inner.names.insert(segment(number), file);
        drop(inner);
        self.sync_names()
    }

    fn remove(&self, number: u32) -> io::Result<()> {
        let mut inner = self.lock();
        inner.call()?;
        inner.names.remove(&segment(number));
        drop(inner);
        self.sync_names()
    }

    fn discard(&self, number: u32) -> io::Result<()> {
        let mut inner = self.lock();
        inner.call()?;
        inner.names.remove(&format!("{number:08}.draft")).ok_or(io::ErrorKind::NotFound)?;
        Ok(())
    }

    fn sync_names(&self) -> io::Result<()> {
        let mut inner = self.lock();
        inner.call()?;
        inner.durable_names = inner.names.clone();
        Ok(())
    }

    fn set_aside(&self, number: u32, bytes: &[u8]) -> io::Result<PathBuf> {
        let name = format!("{number:08}.dropped");
        self.create_named(&name)?.append(bytes)?;
        Ok(name.into())
    }

    fn path(&self, number: u32) -> PathBuf {
        segment(number).into()
    }
}

struct RamSegment {
    disk: RamDisk,
    file: usize,
    shown: usize,
}

impl RamSegment {
    fn at(&self, place: u64) -> usize {
        usize::try_from(place).unwrap()
    }
}

impl SegmentFile for RamSegment {
    fn len(&self) -> u64 {
        u64::try_from(self.disk.lock().files[self.file].bytes.len()).unwrap()
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut inner = self.disk.lock();
        let done = inner.call();
        // A write that fails may have been done in part.
        let part = inner.trouble.map_or(0, |(_, trouble)| trouble.part_of(bytes.len()));
        let written = if done.is_ok() { bytes.len() } else { part };
        inner.files[self.file].bytes.extend(&bytes[..written]);
        done
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut inner = self.disk.lock();
        let done = inner.call();
        let file = &mut inner.files[self.file];
        assert!(!file.doubtful, "a sync is never retried");
        file.doubtful = done.is_err();
        if done.is_ok() {
            file.synced = file.bytes.len();
        }
        done
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        assert!(self.at(len) >= self.shown, "what was shown is never cut");
        let len = self.at(len);
        let mut inner = self.disk.lock();
        inner.call()?;
        let file = &mut inner.files[self.file];
        file.bytes.truncate(len);
        file.synced = file.synced.min(len);
        Ok(())
    }

    fn read(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut inner = self.disk.lock();
        inner.call()?;
        let bytes = &inner.files[self.file].bytes;
        let rest = &bytes[self.at(at).min(bytes.len())..];
        let length = rest.len().min(into.len());
        into[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    fn view(&mut self, _capacity: u64) -> io::Result<Bytes> {
        let mut inner = self.disk.lock();
        inner.call()?;
        self.shown = inner.files[self.file].bytes.len();
        Ok(Bytes::copy_from_slice(&inner.files[self.file].bytes))
    }
}
