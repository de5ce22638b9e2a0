//! Every byte at which a file may end, and every bit that may flip, over the lengths that a disk
//! loses at once: 64 KiB of its end, and 8 KiB.
//!
//! `AYNI_EXHAUSTIVE=1` looks at all of them, in some minutes; otherwise at a part that is spread
//! over the same lengths. `breakage.rs` looks at every place of shorter files.

use std::sync::Arc;

use crate::frame::Frame;
use crate::journal::HEAD;
use crate::testing::ram::RamDisk;
use crate::testing::{NOW, event, ids};
use crate::{DiskStore, Recovery, Store as _};

const SEGMENT_BYTES: u64 = 200_000;
/// How much of the end may be missing.
const CUT: usize = 64 << 10;
/// How much of the end may be damaged.
const FLIPPED: usize = 8 << 10;

fn open(disk: &RamDisk) -> (DiskStore, Recovery) {
    DiskStore::open_on(Arc::new(disk.clone()), SEGMENT_BYTES, None).unwrap()
}

/// Every so manieth place; all where time is given.
fn step(usual: usize) -> usize {
    if std::env::var_os("AYNI_EXHAUSTIVE").is_some() { 1 } else { usual }
}

struct Whole {
    disk: RamDisk,
    bytes: Vec<u8>,
    /// Where the frames of the last segment end; first its head.
    ends: Vec<usize>,
    ids: Vec<ayni_protocol::EventId>,
}

/// A journal of two segments, the last with more than 64 KiB of events long and short.
fn whole() -> Whole {
    let disk = RamDisk::default();
    let (store, _) = open(&disk);
    let mut number = 0_u16;
    while disk.last() < 2 || disk.bytes(2).len() < CUT + 5_000 {
        let words = "word ".repeat(usize::from(number) * 37 % 900);
        store
            .append(&[event(1, 1, 5_000 + u64::from(number), &format!("t={words}"))], NOW)
            .unwrap();
        number += 1;
    }
    let bytes = disk.bytes(2);
    let mut ends = vec![HEAD];
    while let Ok(frame) = Frame::check(&bytes[ends[ends.len() - 1]..]) {
        ends.push(ends[ends.len() - 1] + frame.length);
    }
    assert_eq!(ends.last(), Some(&bytes.len()));
    let ids = ids(&store);
    Whole { disk, bytes, ends, ids }
}

impl Whole {
    /// Opens the journal with another last segment, of which the first so many frames are whole,
    /// and compares what is left with what must be.
    fn check(&self, bytes: Vec<u8>, whole: usize, what: std::fmt::Arguments<'_>) {
        let length = bytes.len();
        let (store, recovery) = open(&self.disk.with(2, bytes));
        let earlier = self.ids.len() - (self.ends.len() - 1);
        assert_eq!(ids(&store), self.ids[..earlier + whole], "{what}");
        let dropped = u64::try_from(length - self.ends[whole]).unwrap();
        assert_eq!(recovery.dropped_bytes, dropped, "{what}");
        assert_eq!(recovery.dropped.len(), usize::from(dropped > 0), "{what}");
    }

    /// How many frames end at a byte or before it.
    fn whole_before(&self, byte: usize) -> usize {
        self.ends.iter().skip(1).filter(|end| **end <= byte).count()
    }
}

#[test]
fn the_last_64_kib_may_end_at_any_byte() {
    let whole = whole();
    let length = whole.bytes.len();
    for cut in (length - CUT..=length).step_by(step(89)) {
        let bytes = whole.bytes[..cut].to_vec();
        whole.check(bytes, whole.whole_before(cut), format_args!("cut at {cut}"));
    }
}

#[test]
fn any_bit_of_the_last_8_kib_may_flip() {
    let whole = whole();
    let length = whole.bytes.len();
    for place in ((length - FLIPPED) * 8..length * 8).step_by(step(97)) {
        let (at, bit) = (place / 8, place % 8);
        let mut bytes = whole.bytes.clone();
        bytes[at] ^= 1 << bit;
        whole.check(bytes, whole.whole_before(at), format_args!("bit {bit} of byte {at}"));
    }
}
