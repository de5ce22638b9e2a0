//! A journal with damaged bytes: opening never panics, keeps every event that stood before the
//! first damage of its segment, invents none, and what it leaves opens again without a complaint.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use ayni_protocol::{Draft, VerifiedEvent, kind};
use ayni_store::{DiskStore, Position, Store};

use crate::disk::{MemoryDisk, Segments};
use crate::seed::{NOW, keys};

/// Small, so that a few events make several segments.
const SEGMENT_BYTES: u64 = 1_200;
/// Bytes of a segment's head.
const HEAD: usize = 48;

/// Notes only: what was deleted would live again where its deletion is damaged, and rightly so.
static NOTES: LazyLock<Vec<VerifiedEvent>> = LazyLock::new(|| {
    let note = |number: u8| {
        let draft = Draft::new(kind::NOTE).content(number.to_string());
        let draft = if number % 2 == 0 { draft.tag(["t", "even"]) } else { draft };
        draft.sign(&keys(1), NOW - 20 + u64::from(number), [0; 32])
    };
    (0..8).map(note).collect()
});

/// A whole journal, with where each event's frame ends: segment, offset, id.
static WHOLE: LazyLock<(Segments, Vec<(u32, usize, String)>)> = LazyLock::new(|| {
    let disk = MemoryDisk::default();
    let (store, _) = DiskStore::open_on_disk(Arc::new(disk.clone()), SEGMENT_BYTES).unwrap();
    let mut ends = Vec::new();
    for note in &NOTES[..7] {
        store.append(std::slice::from_ref(note), NOW).unwrap();
        let segments = disk.segments();
        let (number, bytes) = segments.last_key_value().unwrap();
        ends.push((*number, bytes.len(), note.json().to_owned()));
    }
    assert!(disk.segments().len() >= 3, "several segments");
    (disk.segments(), ends)
});

/// A list of damages, five bytes and some more each.
pub fn run(data: &[u8]) {
    let (whole, ends) = &*WHOLE;
    let mut segments = whole.clone();
    let mut harm = Harm::default();
    let mut rest = data;
    while let Some((damage, more)) = rest.split_first_chunk::<5>() {
        rest = more.get(harm.damage(&mut segments, *damage, more)..).unwrap_or_default();
    }
    let disk = MemoryDisk::of(segments);
    let Ok((store, recovery)) = DiskStore::open_on_disk(Arc::new(disk.clone()), SEGMENT_BYTES)
    else {
        // A head may say that a later release wrote it; then nothing is touched.
        assert!(harm.resealed, "only what has a right checksum is taken at its word");
        return;
    };
    let kept = events(&store);
    let unharmed = ends.iter().filter(|(number, end, _)| *end <= harm.whole_up_to(*number));
    if !harm.resealed {
        let known: BTreeSet<&str> = NOTES.iter().map(|note| note.json()).collect();
        assert!(kept.iter().all(|json| known.contains(json.as_str())), "an event was invented");
        for (number, end, json) in unharmed {
            assert!(kept.contains(json), "lost what ends at {end} of segment {number}");
        }
    }
    // A head that lies about positions under a right checksum makes a walk skip segments.
    assert!(harm.resealed || recovery.events == kept.len());
    drop(store);
    again(&disk, &kept, harm.resealed);
}

/// What a first opening left is whole, and goes on from there.
fn again(disk: &MemoryDisk, kept: &[String], resealed: bool) {
    let open = || DiskStore::open_on_disk(Arc::new(disk.clone()), SEGMENT_BYTES).unwrap();
    let (store, recovery) = open();
    assert_eq!(events(&store), kept);
    if !resealed {
        assert_eq!((recovery.dropped_bytes, recovery.dropped), (0, Vec::new()));
    }
    let last = &NOTES[7];
    if store.append(std::slice::from_ref(last), NOW).is_err() {
        assert!(resealed, "a store that opens takes events");
        return;
    }
    drop(store);
    let (store, _) = open();
    assert!(resealed || (store.contains(&last.id) && store.len() == kept.len() + 1));
}

fn events(store: &dyn Store) -> Vec<String> {
    let mut all = Vec::new();
    store.scan(Position(0), &mut |_, json| {
        all.push(json.to_owned());
        true
    });
    all
}

/// What was damaged so far.
#[derive(Default)]
struct Harm {
    /// The first damaged byte of each segment.
    from: BTreeMap<u32, usize>,
    /// Whether a checksum was made right again, so that wrong numbers are believed.
    resealed: bool,
}

impl Harm {
    /// Does one damage and gives how many of the bytes that follow it used.
    fn damage(&mut self, segments: &mut Segments, damage: [u8; 5], more: &[u8]) -> usize {
        let [what, which, low, high, value] = damage;
        let number = 1 + u32::from(which) % 4;
        let bytes = segments.entry(number).or_default();
        let at = usize::from(u16::from_le_bytes([low, high])) % (bytes.len() + 1);
        let some = more.get(..usize::from(value).min(more.len())).unwrap_or_default();
        let before = bytes.clone();
        match what % 8 {
            0 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= value),
            1 => bytes.truncate(at),
            2 => drop(bytes.splice(at..at, some.iter().copied())),
            3 => bytes.iter_mut().skip(at).zip(some).for_each(|(byte, new)| *byte = *new),
            4 => drop(bytes.drain(at..(at + usize::from(value)).min(bytes.len()))),
            5 => bytes.extend(std::iter::repeat_n(0, usize::from(value))),
            6 => drop(segments.remove(&number)),
            _ => self.reseal(bytes, at, value),
        }
        let after = segments.get(&number).map(Vec::as_slice).unwrap_or_default();
        let same = before.iter().zip(after).take_while(|(one, other)| one == other).count();
        if same < before.len().max(after.len()) {
            let from = self.from.entry(number).or_insert(same);
            *from = (*from).min(same);
        }
        if matches!(what % 8, 2 | 3) { some.len() } else { 0 }
    }

    /// Changes a number of a frame or of the head, and makes its checksum right again.
    fn reseal(&mut self, bytes: &mut [u8], at: usize, value: u8) {
        self.resealed = true;
        if at % 4 == 0 {
            let Some(head) = bytes.get_mut(..HEAD) else { return };
            head[8 + at / 4 % 32] = value;
            let sum = crc32c::crc32c(&head[..44]).to_le_bytes();
            head[44..].copy_from_slice(&sum);
            return;
        }
        let length = |bytes: &[u8]| {
            bytes
                .first_chunk::<4>()
                .map(|length| 8 + usize::try_from(u32::from_le_bytes(*length)).unwrap())
        };
        let mut start = HEAD;
        for _ in 0..at / 4 % 4 {
            let Some(length) = bytes.get(start..).and_then(length) else { return };
            start = start.saturating_add(length);
        }
        let Some(rest) = bytes.get_mut(start..) else { return };
        let Some(length) = length(rest).filter(|length| *length <= rest.len() && *length > 40)
        else {
            return;
        };
        let frame = &mut rest[..length];
        let place = 8 + (at / 16) % (length - 8);
        frame[place] = value;
        let sum = crc32c::crc32c_append(crc32c::crc32c(&frame[..4]), &frame[8..]).to_le_bytes();
        frame[4..8].copy_from_slice(&sum);
    }

    fn whole_up_to(&self, number: u32) -> usize {
        self.from.get(&number).copied().unwrap_or(usize::MAX)
    }
}
