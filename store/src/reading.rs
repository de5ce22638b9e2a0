//! Reading the segments of a journal: the longest valid prefix of each, several at once.
//!
//! Segments are independent, so as many threads as there are processors read and check them; they
//! are handed on in their order while later ones still come from the disk.
//!
//! Deliberately absent: what they are together, and what becomes of a damaged head (`recovery.rs`).

use std::collections::BTreeMap;
use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use bytes::Bytes;

use crate::disk::{Disk, SegmentFile};
use crate::frame::{self, Broken, Frame, long, narrow};
use crate::index::build::Arrivals;
use crate::journal::{HEAD, Head, NoHead};
use crate::keyed::HashKey;
use crate::recovery::{Dropped, Mark};
use crate::{Fault, Position};

/// Bytes read at once.
const READ_BYTES: usize = 1 << 20;

/// Bytes of all segments up to which one thread reads them.
const ALONE_BYTES: u64 = if cfg!(test) { 10_000 } else { 1 << 20 };

/// A segment, opened.
pub struct Part {
    pub number: u32,
    pub view: Bytes,
    pub bytes: u64,
    /// The place that the next event has at least.
    pub next: Position,
    pub dropped: Option<Dropped>,
    pub arrivals: Option<Arrivals>,
    /// Only of the last one, which is written on.
    pub file: Option<Box<dyn SegmentFile>>,
}

/// What reading a segment needs.
pub struct Reading {
    pub disk: Arc<dyn Disk>,
    pub segment_bytes: u64,
    pub key: HashKey,
    /// Whether to note what the index needs.
    pub gathers: bool,
}

/// What becomes of a segment that was read: its number, how many follow, and itself; nothing of one
/// with a damaged head.
pub type Each<'a> = dyn FnMut(u32, usize, Result<Option<Part>, Fault>) -> Result<(), Fault> + 'a;

impl Reading {
    /// Opens all segments, several at once, and hands each on in their order.
    pub fn all(&self, numbers: &[u32], mark: &Mark, each: &mut Each<'_>) -> Result<(), Fault> {
        let count = numbers.len();
        let open = |at: usize| {
            let number = numbers.get(at)?;
            Some((*number, count - at - 1, self.segment(*number, mark, at + 1 == count)))
        };
        // A thread costs as much as reading some hundred KiB.
        if self.segment_bytes.saturating_mul(long(count)) < ALONE_BYTES {
            let all = (0..count).filter_map(open);
            return all.into_iter().try_for_each(|(number, left, part)| each(number, left, part));
        }
        let threads = thread::available_parallelism().map_or(1, NonZero::get).min(count);
        let next = AtomicUsize::new(0);
        let (done, parts) = mpsc::channel();
        thread::scope(|scope| {
            for _ in 0..threads {
                let (done, next, open) = (done.clone(), &next, &open);
                scope.spawn(move || {
                    // Nobody takes it once something failed.
                    while let Some(part) = open(next.fetch_add(1, Ordering::Relaxed))
                        && done.send(part).is_ok()
                    {}
                });
            }
            drop(done);
            in_order(parts, count, each)
        })
    }

    /// Opens one segment, keeps what is whole, and maps it.
    fn segment(&self, number: u32, mark: &Mark, is_last: bool) -> Result<Option<Part>, Fault> {
        let path = self.disk.path(number);
        let mut file = self.disk.open(number).map_err(Fault::at(&path, "open"))?;
        let head = read_head(&*file).map_err(Fault::at(&path, "read"))?;
        let head = head.ok().filter(|head| head.key == self.key && head.number == number);
        let Some(head) = head else { return Ok(None) };
        let from = mark.ends.get(&number).copied().unwrap_or_else(|| long(HEAD));
        let mut checked = self.check(&*file, from).map_err(Fault::at(&path, "read"))?;
        let cut = checked.end < file.len();
        let dropped = if cut { Some(self.cut(number, &mut *file, &checked)?) } else { None };
        let next = head.next.max(Position(checked.last.0 + 1));
        let arrivals = checked.arrivals.take();
        self.show(Part { dropped, arrivals, next, ..Part::of(number) }, file, is_last).map(Some)
    }

    /// Maps a segment; the last one is written on.
    pub fn show(
        &self,
        part: Part,
        mut file: Box<dyn SegmentFile>,
        is_last: bool,
    ) -> Result<Part, Fault> {
        let path = self.disk.path(part.number);
        let capacity = if is_last { self.segment_bytes } else { file.len() };
        let view = file.view(capacity).map_err(Fault::at(&path, "map"))?;
        Ok(Part { view, bytes: file.len(), file: is_last.then_some(file), ..part })
    }

    /// Reads frames from `from` on, until one is not whole.
    pub fn check(&self, file: &dyn SegmentFile, from: u64) -> io::Result<Checked> {
        let arrivals = self.gathers.then(|| Arrivals::new(self.key));
        let mut checked = Checked { end: from, last: Position(0), torn: false, arrivals };
        check(file, &mut checked)?;
        Ok(checked)
    }

    /// Cuts off what follows the valid prefix.
    fn cut(
        &self,
        number: u32,
        file: &mut dyn SegmentFile,
        checked: &Checked,
    ) -> Result<Dropped, Fault> {
        let path = self.disk.path(number);
        let tail = read_all(file, checked.end).map_err(Fault::at(&path, "read"))?;
        let is_torn = checked.torn && !holds_a_frame(&tail);
        let why =
            if is_torn { "the last write was interrupted" } else { "the checksum does not fit" };
        let dropped = self.drop_bytes(number, checked.end, &tail, why, !is_torn)?;
        file.truncate(checked.end).map_err(Fault::at(&path, "truncate"))?;
        file.sync().map_err(Fault::at(&path, "make durable"))?;
        Ok(dropped)
    }

    pub fn drop_bytes(
        &self,
        number: u32,
        offset: u64,
        tail: &[u8],
        why: &'static str,
        keep: bool,
    ) -> Result<Dropped, Fault> {
        let path = self.disk.path(number);
        let keep = keep && tail.iter().any(|byte| *byte != 0);
        let kept_in = if keep { Some(self.disk.set_aside(number, tail)) } else { None };
        let kept_in = kept_in.transpose().map_err(Fault::at(&path, "set aside the end of"))?;
        Ok(Dropped { segment: path, offset, bytes: long(tail.len()), why, kept_in })
    }
}

/// Hands on what comes in any order by how many follow it, the first first.
fn in_order(
    parts: Receiver<(u32, usize, Result<Option<Part>, Fault>)>,
    count: usize,
    each: &mut Each<'_>,
) -> Result<(), Fault> {
    let mut early = BTreeMap::new();
    let mut left = count;
    for (number, follow, part) in parts {
        early.insert(follow, (number, part));
        while let Some(at) = left.checked_sub(1)
            && let Some((number, part)) = early.remove(&at)
        {
            each(number, at, part)?;
            left = at;
        }
    }
    Ok(())
}

impl Part {
    pub const fn of(number: u32) -> Self {
        Self {
            number,
            view: Bytes::new(),
            bytes: 0,
            next: Position(1),
            dropped: None,
            arrivals: None,
            file: None,
        }
    }
}

/// The valid prefix of a segment.
pub struct Checked {
    /// Where it ends.
    pub end: u64,
    /// The place of its last event; 0 if none was read.
    pub last: Position,
    /// What follows is a frame that was not written to its end.
    pub torn: bool,
    /// What the index needs of it.
    pub arrivals: Option<Arrivals>,
}

/// Reads frames from where the prefix ends so far, until one is not whole.
fn check(file: &dyn SegmentFile, checked: &mut Checked) -> io::Result<()> {
    let mut buffer = Vec::new();
    let mut at = 0;
    loop {
        match Frame::check_whole(buffer.get(at..).unwrap_or_default()) {
            // Places only rise: a frame that was copied to another place is none.
            Ok((frame, identity)) if frame.position > checked.last => {
                if let Some(arrivals) = &mut checked.arrivals {
                    let offset = narrow(usize::try_from(checked.end).unwrap_or(usize::MAX));
                    arrivals.add(&frame, identity, offset);
                }
                checked.last = frame.position;
                checked.end += long(frame.length);
                at += frame.length;
            }
            Ok(_) | Err(Broken::Damaged) => return Ok(()),
            Err(Broken::Short(needed)) => {
                let left = file.len().saturating_sub(checked.end);
                if left < long(needed) {
                    checked.torn = true;
                    return Ok(());
                }
                let left = usize::try_from(left).unwrap_or(usize::MAX);
                buffer.resize(needed.max(READ_BYTES.min(left)), 0);
                let read = file.read(checked.end, &mut buffer)?;
                buffer.truncate(read);
                at = 0;
                if read < needed {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
        }
    }
}

/// Whether a whole frame begins anywhere in it: then it is no batch that a crash interrupted, since
/// nothing is written after an incomplete frame.
fn holds_a_frame(tail: &[u8]) -> bool {
    (1..tail.len()).any(|at| Frame::check(tail.get(at..).unwrap_or_default()).is_ok())
}

pub fn read_head(file: &dyn SegmentFile) -> io::Result<Result<Head, NoHead>> {
    let mut bytes = [0; HEAD];
    let read = file.read(0, &mut bytes)?;
    Ok(Head::read(bytes.get(..read).unwrap_or_default()))
}

pub fn read_all(file: &dyn SegmentFile, from: u64) -> io::Result<Vec<u8>> {
    let left = file.len().saturating_sub(from);
    let mut bytes = vec![0; frame::wide(narrow(usize::try_from(left).unwrap_or(usize::MAX)))];
    let read = file.read(from, &mut bytes)?;
    bytes.truncate(read);
    Ok(bytes)
}
