//! What the journal asks of a disk, and the real one.
//!
//! The questions are few so that a test can answer every one of them with a fault: see
//! `faulty.rs`. Deliberately absent: reading at random. What was written is read through the map.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::Fault;
use crate::segment::RealSegment;

/// A folder of numbered segments.
pub trait Disk: Send + Sync {
    /// The numbers of the segments that are there, in order.
    fn segments(&self) -> io::Result<Vec<u32>>;
    /// Opens a segment that is there.
    fn open(&self, number: u32) -> io::Result<Box<dyn SegmentFile>>;
    /// Makes an empty segment, in place of what a creation that failed may have left.
    fn create(&self, number: u32) -> io::Result<Box<dyn SegmentFile>>;
    /// Makes an empty file beside a segment, to be adopted in its place.
    fn draft(&self, number: u32) -> io::Result<Box<dyn SegmentFile>>;
    /// Puts the draft of a segment in its place, whole or not at all.
    fn adopt(&self, number: u32) -> io::Result<()>;
    /// Takes a segment away.
    fn remove(&self, number: u32) -> io::Result<()>;
    /// Takes the draft of a segment away, so that what is not adopted takes no room.
    fn discard(&self, number: u32) -> io::Result<()>;
    /// Makes names durable: what was created or adopted is found after a power cut.
    fn sync_names(&self) -> io::Result<()>;
    /// Keeps bytes that recovery drops from a segment, for a person to look at.
    fn set_aside(&self, number: u32, bytes: &[u8]) -> io::Result<PathBuf>;
    /// Where a segment lies, for people.
    fn path(&self, number: u32) -> PathBuf;
}

/// One segment: written at its end, read as a whole.
pub trait SegmentFile: Send {
    /// How many bytes it holds.
    fn len(&self) -> u64;
    /// Writes at the end. On an error some of the bytes may have been written: truncate.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes sure that so many more bytes can be written without the file growing, where that makes
    /// syncs quicker. On an error nothing has changed, and what is appended is written all the same.
    fn make_room(&mut self, _bytes: u64) -> io::Result<()> {
        Ok(())
    }
    /// Nothing more will be written: gives back room that was made. An error is of no consequence.
    fn close(&mut self) -> io::Result<()> {
        Ok(())
    }
    /// Makes what was written durable. Never to be called again after it failed.
    fn sync(&mut self) -> io::Result<()>;
    /// Cuts the end off. What was shown in a view cannot be cut.
    fn truncate(&mut self, len: u64) -> io::Result<()>;
    /// Reads at a place, as many bytes as there are.
    fn read(&self, at: u64, into: &mut [u8]) -> io::Result<usize>;
    /// All of it so far, mapped and not copied; `capacity` is how long it may become.
    fn view(&mut self, capacity: u64) -> io::Result<Bytes>;
}

#[cfg(feature = "testing")]
impl crate::DiskStore {
    /// The store on a disk of the caller's making, without snapshots.
    ///
    /// # Errors
    /// As [`DiskStore::open`].
    #[cfg(feature = "testing")]
    pub fn open_on_disk(
        disk: std::sync::Arc<dyn Disk>,
        segment_bytes: u64,
    ) -> Result<(Self, crate::Recovery), crate::Fault> {
        Self::open_on(disk, segment_bytes, None)
    }
}

/// A folder of the file system.
#[derive(Debug)]
pub struct RealDisk {
    folder: PathBuf,
}

impl RealDisk {
    /// The disk of a folder, which is made if it is not there.
    pub fn new(folder: &Path) -> io::Result<Self> {
        if !folder.is_dir() {
            fs::create_dir_all(folder)?;
            if let Some(above) = folder.parent() {
                sync_folder(above)?;
            }
        }
        let disk = Self { folder: folder.to_owned() };
        disk.remove_drafts()?;
        Ok(disk)
    }

    /// Removes what a compaction that did not come to its end left behind.
    fn remove_drafts(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "draft") {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    fn draft_path(&self, number: u32) -> PathBuf {
        self.folder.join(format!("{number:08}.draft"))
    }
}

impl Disk for RealDisk {
    fn segments(&self) -> io::Result<Vec<u32>> {
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            numbers.extend(number_of(&entry?.path()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn open(&self, number: u32) -> io::Result<Box<dyn SegmentFile>> {
        let file = File::options().read(true).write(true).open(self.path(number))?;
        Ok(Box::new(RealSegment::new(file)?))
    }

    fn create(&self, number: u32) -> io::Result<Box<dyn SegmentFile>> {
        Ok(Box::new(RealSegment::new(empty(&self.path(number))?)?))
    }

    fn draft(&self, number: u32) -> io::Result<Box<dyn SegmentFile>> {
        Ok(Box::new(RealSegment::new(empty(&self.draft_path(number))?)?))
    }

    fn adopt(&self, number: u32) -> io::Result<()> {
        fs::rename(self.draft_path(number), self.path(number))?;
        self.sync_names()
    }

    fn remove(&self, number: u32) -> io::Result<()> {
        match fs::remove_file(self.path(number)) {
            // Gone already, where its name could not be made durable then.
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => self.sync_names(),
        }
    }

    fn discard(&self, number: u32) -> io::Result<()> {
        fs::remove_file(self.draft_path(number))
    }

    fn sync_names(&self) -> io::Result<()> {
        sync_folder(&self.folder)
    }

    fn set_aside(&self, number: u32, bytes: &[u8]) -> io::Result<PathBuf> {
        let free = (1_u32..)
            .map(|attempt| self.folder.join(format!("{number:08}.dropped-{attempt}")))
            .find(|path| !path.exists());
        let path = free.ok_or(io::ErrorKind::AlreadyExists)?;
        fs::write(&path, bytes)?;
        File::open(&path)?.sync_all()?;
        Ok(path)
    }

    fn path(&self, number: u32) -> PathBuf {
        self.folder.join(format!("{number:08}.seg"))
    }
}

/// A new empty file. One that is there is not emptied in place, because it may be mapped.
fn empty(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    File::options().read(true).write(true).create_new(true).open(path)
}

fn number_of(path: &Path) -> Option<u32> {
    let is_segment = path.extension().is_some_and(|extension| extension == "seg");
    if is_segment { path.file_stem()?.to_str()?.parse().ok() } else { None }
}

/// Makes the names in a folder durable.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Takes the lock of a data folder, for as long as the file is open.
pub fn lock(path: &Path) -> Result<File, Fault> {
    let file = File::options().write(true).create(true).truncate(false).open(path);
    let file = file.map_err(Fault::at(path, "open"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Fault::Locked { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(Fault::of(path, "lock", error)),
    }
}
