//! The mapped segments, by number, with how much of each is still live.

use bytes::Bytes;

use crate::frame::wide;

/// One segment.
#[derive(Debug, Clone, Default)]
struct Segment {
    view: Bytes,
    live_bytes: u64,
}

/// All segments of the journal. Cheap to copy: bytes are shared.
#[derive(Debug, Clone, Default)]
pub struct Segments {
    /// By number; numbers begin at 1, and gaps are rare and stay empty.
    all: Vec<Option<Segment>>,
}

impl Segments {
    /// Shows a segment up to where it is written now.
    pub fn publish(&mut self, number: u32, view: Bytes) {
        let place = wide(number);
        if self.all.len() <= place {
            self.all.resize(place + 1, None);
        }
        if let Some(segment) = self.all.get_mut(place) {
            segment.get_or_insert_default().view = view;
        }
    }

    /// Says how much of a segment is live, before it is shown.
    pub fn expect_live(&mut self, number: u32, live_bytes: u64) {
        self.publish(number, Bytes::new());
        if let Some(Some(segment)) = self.all.get_mut(wide(number)) {
            segment.live_bytes = live_bytes;
        }
    }

    /// Shows a segment that was written anew, with its live bytes.
    pub fn replace(&mut self, number: u32, view: Bytes, live: usize) {
        if let Some(Some(segment)) = self.all.get_mut(wide(number)) {
            *segment = Segment { view, live_bytes: long(live) };
        }
    }

    /// A segment is there no more.
    pub fn forget(&mut self, number: u32) {
        if let Some(segment) = self.all.get_mut(wide(number)) {
            *segment = None;
        }
    }

    /// The bytes of a segment.
    pub fn bytes(&self, number: u32) -> Option<&Bytes> {
        self.all.get(wide(number))?.as_ref().map(|segment| &segment.view)
    }

    /// Every segment: its number, its bytes, and how many bytes of it are live.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Bytes, u64)> {
        (0..).zip(&self.all).filter_map(|(number, segment)| {
            let segment = segment.as_ref()?;
            Some((number, &segment.view, segment.live_bytes))
        })
    }

    /// An event came.
    pub fn gain(&mut self, number: u32, length: usize) {
        if let Some(Some(segment)) = self.all.get_mut(wide(number)) {
            segment.live_bytes = segment.live_bytes.saturating_add(long(length));
        }
    }

    /// An event left.
    pub fn lose(&mut self, number: u32, length: usize) {
        if let Some(Some(segment)) = self.all.get_mut(wide(number)) {
            segment.live_bytes = segment.live_bytes.saturating_sub(long(length));
        }
    }
}

fn long(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
