//! A disk in memory, as plain as can be: nothing on it ever fails.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use ayni_store::{Disk, SegmentFile};
use bytes::Bytes;

/// The bytes of each segment.
pub type Segments = BTreeMap<u32, Vec<u8>>;
type File = Arc<Mutex<Vec<u8>>>;

/// The disk. Clones are the same one.
#[derive(Clone, Default)]
pub struct MemoryDisk(Arc<Mutex<Files>>);

#[derive(Default)]
struct Files {
    segments: BTreeMap<u32, File>,
    drafts: BTreeMap<u32, File>,
}

impl MemoryDisk {
    /// A disk with these segments.
    pub fn of(segments: Segments) -> Self {
        let file = |(number, bytes)| (number, Arc::new(Mutex::new(bytes)));
        let segments = segments.into_iter().map(file).collect();
        Self(Arc::new(Mutex::new(Files { segments, drafts: BTreeMap::new() })))
    }

    /// What is on it.
    pub fn segments(&self) -> Segments {
        let bytes = |(number, file): (&u32, &File)| (*number, file.lock().unwrap().clone());
        self.files().segments.iter().map(bytes).collect()
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        self.0.lock().unwrap()
    }
}

impl Disk for MemoryDisk {
    fn segments(&self) -> io::Result<Vec<u32>> {
        Ok(self.files().segments.keys().copied().collect())
    }

    fn open(&self, number: u32) -> io::Result<Box<dyn SegmentFile>> {
        let files = self.files();
        let file = files.segments.get(&number).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(MemorySegment(Arc::clone(file))))
    }

    fn create(&self, number: u32) -> io::Result<Box<dyn SegmentFile>> {
        self.files().segments.insert(number, File::default());
        self.open(number)
    }

    fn draft(&self, number: u32) -> io::Result<Box<dyn SegmentFile>> {
        let file = File::default();
        self.files().drafts.insert(number, Arc::clone(&file));
        Ok(Box::new(MemorySegment(file)))
    }

    fn adopt(&self, number: u32) -> io::Result<()> {
        let mut files = self.files();
        let draft = files.drafts.remove(&number).ok_or(io::ErrorKind::NotFound)?;
        files.segments.insert(number, draft);
        Ok(())
    }

    fn remove(&self, number: u32) -> io::Result<()> {
        self.files().segments.remove(&number);
        Ok(())
    }

    fn discard(&self, number: u32) -> io::Result<()> {
        self.files().drafts.remove(&number);
        Ok(())
    }

    fn sync_names(&self) -> io::Result<()> {
        Ok(())
    }

    fn set_aside(&self, number: u32, _bytes: &[u8]) -> io::Result<PathBuf> {
        Ok(format!("{number}.dropped").into())
    }

    fn path(&self, number: u32) -> PathBuf {
        format!("{number}.seg").into()
    }
}

struct MemorySegment(File);

impl SegmentFile for MemorySegment {
    fn len(&self) -> u64 {
        u64::try_from(self.0.lock().unwrap().len()).unwrap()
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.lock().unwrap().extend(bytes);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.0.lock().unwrap().truncate(usize::try_from(len).unwrap());
        Ok(())
    }

    fn read(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let bytes = self.0.lock().unwrap();
        let rest = bytes.get(usize::try_from(at).unwrap()..).unwrap_or_default();
        let length = rest.len().min(into.len());
        into[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    fn view(&mut self, _capacity: u64) -> io::Result<Bytes> {
        Ok(Bytes::copy_from_slice(&self.0.lock().unwrap()))
    }
}
