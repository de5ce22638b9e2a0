//! Opening a journal: what is whole stays, what is torn goes, and a person is told.
//!
//! Of every segment the longest valid prefix is kept: frames up to the first that is torn or
//! damaged. What follows in that segment is cut off; if it may hold anything but the batch that a
//! crash interrupted, it is kept in a file beside, for a person to look at. A damage inside an
//! older segment does not take the later ones with it, since every frame stands for itself. A
//! damaged head loses no event: the frames behind it are written again under a new head.
//!
//! What a snapshot vouches for is not read again (see [`Mark`]). Without one, all of it is read
//! (`reading.rs`), and what the index needs is noted on the way.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use ayni_protocol::VerifiedEvent;
use bytes::Bytes;

use crate::disk::{Disk, SegmentFile};
use crate::frame::{self, Frame, long, narrow};
use crate::index::Segments;
use crate::index::build::Build;
use crate::journal::{HEAD, Head, Journal, NoHead};
use crate::keyed::HashKey;
use crate::reading::{Part, Reading, read_all, read_head};
use crate::{Fault, Position};

/// What was found when a store was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Events that are live.
    pub events: usize,
    /// Segments of the journal.
    pub segments: usize,
    /// Bytes of them.
    pub bytes: u64,
    /// Bytes that were cut off, all segments together.
    pub dropped_bytes: u64,
    /// Where, and why.
    pub dropped: Vec<Dropped>,
    /// Whether a snapshot of the index was used, so that only what came after it was read.
    pub from_snapshot: bool,
}

/// One thing that was not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// The segment.
    pub segment: PathBuf,
    /// Where in it.
    pub offset: u64,
    /// How many bytes were cut off; 0 where nothing was lost.
    pub bytes: u64,
    /// What was wrong, as a sentence.
    pub why: &'static str,
    /// Where the bytes were put, if they may be worth a look.
    pub kept_in: Option<PathBuf>,
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events, segments, bytes, .. } = self;
        let how = if self.from_snapshot { "from a snapshot" } else { "from the journal" };
        write!(f, "{events} events in {segments} segments, {bytes} bytes, indexed {how}")?;
        for dropped in &self.dropped {
            write!(f, "; {dropped}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { segment, offset, bytes, why, .. } = self;
        write!(f, "{} at byte {offset}: {why}, {bytes} bytes dropped", segment.display())?;
        match &self.kept_in {
            Some(path) => write!(f, " and kept in {}", path.display()),
            None => Ok(()),
        }
    }
}

/// What need not be read again: how long each segment was when a snapshot was taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mark {
    /// Bytes by segment.
    pub ends: BTreeMap<u32, u64>,
    /// The place of the last event then.
    pub last: Position,
    /// Segment, offset and place of the last frame that was in the journal then.
    pub tail: Option<(u32, u32, Position)>,
}

impl Mark {
    /// The mark of a journal as it is. It walks through the last segment.
    pub fn of(segments: &Segments, last: Position) -> Self {
        let mut mark = Self { last, ..Self::default() };
        for (number, bytes, _) in segments.iter() {
            mark.ends.insert(number, long(bytes.len()));
        }
        for (number, bytes, _) in segments.iter().collect::<Vec<_>>().into_iter().rev() {
            let mut at = HEAD;
            while let Some(frame) = bytes.get(at..).and_then(Frame::read) {
                mark.tail = Some((number, narrow(at), frame.position));
                at += frame.length;
            }
            if mark.tail.is_some() {
                break;
            }
        }
        mark
    }

    /// Whether the journal on `disk` still begins with what is marked: every segment is there and
    /// as long, and the last frame is whole and the same.
    pub fn fits(&self, disk: &dyn Disk) -> bool {
        let all = || -> io::Result<bool> {
            let numbers = disk.segments()?;
            let unmarked = |number: &&u32| !self.ends.contains_key(number);
            let oldest_unmarked = numbers.iter().find(unmarked);
            let latest_marked = self.ends.keys().next_back();
            if oldest_unmarked.is_some_and(|number| Some(number) < latest_marked) {
                return Ok(false);
            }
            for (number, end) in &self.ends {
                if !numbers.contains(number) || disk.open(*number)?.len() < *end {
                    return Ok(false);
                }
            }
            self.tail.map_or(Ok(true), |tail| self.tail_fits(disk, tail))
        };
        all().unwrap_or(false)
    }

    fn tail_fits(
        &self,
        disk: &dyn Disk,
        (segment, offset, position): (u32, u32, Position),
    ) -> io::Result<bool> {
        let end = self.ends.get(&segment).copied().unwrap_or_default();
        let length = usize::try_from(end.saturating_sub(u64::from(offset))).unwrap_or(usize::MAX);
        let mut bytes = vec![0; length.min(frame::wide(u32::MAX))];
        disk.open(segment)?.read(u64::from(offset), &mut bytes)?;
        let same = |frame: Frame<'_>| frame.length == length && frame.position == position;
        Ok(Frame::check(&bytes).is_ok_and(same))
    }
}

/// A journal, opened.
pub struct Opened {
    /// Where it goes on.
    pub journal: Journal,
    /// All segments, mapped, in order.
    pub segments: Vec<(u32, Bytes)>,
    /// The place of the next event.
    pub next: Position,
    /// What was found.
    pub recovery: Recovery,
}

/// Opens the journal on `disk`, or begins one. `build` gets what the index needs of every segment,
/// in their order, where no mark says that the index has it.
pub fn open(
    disk: Arc<dyn Disk>,
    segment_bytes: u64,
    mark: &Mark,
    build: &mut Build,
) -> Result<Opened, Fault> {
    let folder = disk.path(1);
    let numbers = disk.segments().map_err(Fault::at(&folder, "list the folder of"))?;
    let mut opening = Opening::new(disk, segment_bytes, &numbers)?;
    let reading = opening.reading(*mark == Mark::default());
    let mut active = None;
    reading.all(&numbers, mark, &mut |number, left, part| {
        let mut part = match part? {
            Some(part) => part,
            None => opening.under_new_head(&reading, number, left == 0)?,
        };
        if let Some(arrivals) = part.arrivals.take() {
            build.settle(number, &part.view, arrivals, left);
        }
        let file = opening.take(part);
        active = file.map(|file| (number, file)).or(active.take());
        Ok(())
    })?;
    let (number, active) = match active {
        Some(active) => active,
        None => (1, opening.begin(1)?),
    };
    Ok(opening.finish(number, active))
}

/// The work of opening, in the order of the segments.
struct Opening {
    disk: Arc<dyn Disk>,
    segment_bytes: u64,
    key: HashKey,
    next: Position,
    segments: Vec<(u32, Bytes)>,
    recovery: Recovery,
}

impl Opening {
    fn new(disk: Arc<dyn Disk>, segment_bytes: u64, numbers: &[u32]) -> Result<Self, Fault> {
        let mut found = None;
        for number in numbers {
            let path = disk.path(*number);
            let file = disk.open(*number).map_err(Fault::at(&path, "open"))?;
            match read_head(&*file).map_err(Fault::at(&path, "read"))? {
                Ok(head) => found = found.or(Some(head.key)),
                Err(NoHead::Newer(version)) => return Err(Fault::Newer { path, version }),
                Err(NoHead::Damaged) => {}
            }
        }
        let fresh = HashKey::random().map_err(Fault::at(&disk.path(1), "draw a key for"))?;
        Ok(Self {
            disk,
            segment_bytes,
            key: found.unwrap_or(fresh),
            next: Position(1),
            segments: Vec::new(),
            recovery: Recovery::default(),
        })
    }

    fn reading(&self, gathers: bool) -> Reading {
        let Self { segment_bytes, key, .. } = *self;
        Reading { disk: Arc::clone(&self.disk), segment_bytes, key, gathers }
    }

    /// Adds an opened segment to those before it.
    fn take(&mut self, part: Part) -> Option<Box<dyn SegmentFile>> {
        self.next = self.next.max(part.next);
        self.recovery.bytes += part.bytes;
        self.recovery.dropped_bytes += part.dropped.as_ref().map_or(0, |dropped| dropped.bytes);
        self.recovery.dropped.extend(part.dropped);
        self.segments.push((part.number, part.view));
        part.file
    }

    /// Writes the frames of a segment whose head is damaged again, under a new one.
    fn under_new_head(&self, reading: &Reading, number: u32, is_last: bool) -> Result<Part, Fault> {
        let path = self.disk.path(number);
        let file = self.disk.open(number).map_err(Fault::at(&path, "open"))?;
        let bytes = read_all(&*file, 0).map_err(Fault::at(&path, "read"))?;
        let mut frames = Vec::new();
        let mut at = HEAD.min(bytes.len());
        let (mut first, mut last, mut next) = (None, Position(0), self.next);
        while let Ok(frame) = Frame::check(bytes.get(at..).unwrap_or_default()) {
            let event = frame.text().and_then(VerifiedEvent::from_own_journal);
            // Places only rise, here as in a segment whose head is whole.
            if frame.position <= last {
                break;
            }
            match event {
                _ if frame.removes => {
                    let removed: Vec<_> = frame.removed().collect();
                    frame::write_removal(&removed, frame.position, &mut frames);
                }
                Some(event) => {
                    let (position, vanishes) = (frame.position, frame.vanishes);
                    frame::write(&event, position, &self.key, vanishes, &mut frames);
                }
                None => break,
            }
            last = frame.position;
            first = first.or(Some(frame.position));
            next = next.max(Position(frame.position.0 + 1));
            at += frame.length;
        }
        let head = Head { number, next: first.unwrap_or(self.next), key: self.key };
        let mut draft = self.disk.draft(number).map_err(Fault::at(&path, "write anew"))?;
        let written = draft.append(&head.write()).and_then(|()| draft.append(&frames));
        let synced = written.and_then(|()| draft.sync());
        // An empty or short file is a segment whose beginning was interrupted, and no damage.
        let tail = bytes.get(at..).unwrap_or_default();
        let why = "the head was damaged; its events were written again";
        let damaged = bytes.len() >= HEAD;
        let dropped = damaged.then(|| reading.drop_bytes(number, long(at), tail, why, true));
        let dropped = dropped.transpose()?;
        let adopted = synced.and_then(|()| self.disk.adopt(number));
        adopted.map_err(Fault::at(&path, "write anew"))?;
        let checked = reading.check(&*draft, long(HEAD)).map_err(Fault::at(&path, "read"))?;
        let part = Part { next, dropped, arrivals: checked.arrivals, ..Part::of(number) };
        reading.show(part, draft, is_last)
    }

    /// Makes the first segment of a journal.
    fn begin(&mut self, number: u32) -> Result<Box<dyn SegmentFile>, Fault> {
        let path = self.disk.path(number);
        let head = Head { number, next: self.next, key: self.key };
        let mut file = self.disk.create(number).map_err(Fault::at(&path, "create"))?;
        let begun = file.append(&head.write()).and_then(|()| file.sync());
        let named = begun.and_then(|()| self.disk.sync_names());
        named.map_err(Fault::at(&path, "begin"))?;
        let view = file.view(self.segment_bytes).map_err(Fault::at(&path, "map"))?;
        self.recovery.bytes += file.len();
        self.segments.push((number, view));
        Ok(file)
    }

    fn finish(self, number: u32, active: Box<dyn SegmentFile>) -> Opened {
        let recovery = Recovery { segments: self.segments.len(), ..self.recovery };
        let journal = Journal::new(self.disk, active, number, self.key, self.segment_bytes);
        let Self { segments, next, .. } = self;
        Opened { journal, segments, next, recovery }
    }
}
