//! Disks that fail, files that are torn, bits that flip: what a store is after each of them.

use std::sync::Arc;

use ayni_protocol::VerifiedEvent;
use expect_test::expect;

use crate::frame::Frame;
use crate::journal::HEAD;
use crate::testing::ram::{RamDisk, Trouble};
use crate::testing::{CROWD, NOW, event, ids, journal, reference, urls};
use crate::{DiskStore, Fault, MemoryStore, Recovery, Store};

const SEGMENT_BYTES: u64 = 3_000;

type Journal = Vec<(u64, String)>;

fn open(disk: &RamDisk) -> Result<(DiskStore, Recovery), Fault> {
    let (store, recovery) = DiskStore::open_on(Arc::new(disk.clone()), SEGMENT_BYTES, None)?;
    Ok((store.answering_to(&urls()), recovery))
}

fn reopened(disk: &RamDisk) -> (Journal, Recovery) {
    let (store, recovery) = open(disk).unwrap();
    // Whatever was found, the store goes on from there.
    let fresh = event(3, 1, 99, &format!("n={}", store.last_position().0));
    store.append(std::slice::from_ref(&fresh), NOW).unwrap();
    let mut all = journal(&store);
    assert_eq!(all.pop().unwrap(), (store.last_position().0, fresh.json().to_owned()));
    (all, recovery)
}

/// What a life of a store is made of.
#[derive(Clone)]
enum Act {
    Append(Vec<VerifiedEvent>),
    /// Takes out every so manieth event that is there.
    Remove(usize),
    Compact,
}

impl Act {
    fn on(&self, store: &dyn Store) -> Result<(), Fault> {
        match self {
            Self::Append(batch) => store.append(batch, NOW).map(drop),
            Self::Remove(every) => {
                let named: Vec<_> = ids(store).into_iter().step_by(*every).collect();
                store.remove(&named).map(drop)
            }
            Self::Compact => Ok(()),
        }
    }

    /// What is left of it if it was not acknowledged: any first part.
    fn parts(&self) -> Vec<Self> {
        match self {
            Self::Append(batch) => {
                (0..=batch.len()).map(|some| Self::Append(batch[..some].to_vec())).collect()
            }
            whole => vec![Self::Compact, whole.clone()],
        }
    }
}

/// A life with several segments, deletions, removals, two who vanish and two compactions.
fn life() -> Vec<Act> {
    let mut batches = CROWD.chunks(5).map(|batch| Act::Append(batch.to_vec()));
    let mut life: Vec<_> = batches.by_ref().take(5).collect();
    life.push(Act::Compact);
    life.extend(batches.by_ref().take(3));
    life.push(Act::Remove(4));
    life.push(Act::Compact);
    life.extend(batches);
    life.push(Act::Remove(7));
    life
}

/// Lives it on a disk with one trouble. Gives the store, what was acknowledged, and the act that
/// nobody knows the end of.
fn live(disk: &RamDisk, call: usize, trouble: Trouble) -> (DiskStore, MemoryStore, Act) {
    let (store, _) = open(disk).unwrap();
    let reference = reference();
    let mut unknown = None;
    disk.fail_at(call, trouble);
    for act in life() {
        let was_poisoned = store.is_poisoned();
        if matches!(act, Act::Compact) {
            let _ = store.compact(NOW);
            continue;
        }
        // What is removed is chosen by what is there, so the reference is asked first.
        let before = reference.copy();
        act.on(&before).unwrap();
        match act.on(&store) {
            Ok(()) => {
                assert!(!was_poisoned || journal(&before) == journal(&reference));
                act.on(&reference).unwrap();
            }
            Err(_) if store.is_poisoned() && unknown.is_none() => unknown = Some(act),
            Err(_) => {}
        }
    }
    (store, reference, unknown.unwrap_or(Act::Compact))
}

#[test]
fn every_call_fails_once_in_every_way() {
    let calls = {
        let disk = RamDisk::default();
        live(&disk, usize::MAX, Trouble::Error);
        disk.calls()
    };
    assert!(calls > 60, "{calls} calls");
    let mut poisoned = 0;
    for call in 1..=calls {
        let short = [0, 1, 254, 255].map(Trouble::Short);
        for trouble in [Trouble::Error, Trouble::Full, Trouble::Cut].into_iter().chain(short) {
            let disk = RamDisk::default();
            let (store, reference, unknown) = live(&disk, call, trouble);
            assert_eq!(journal(&store), journal(&reference), "call {call}, {trouble:?}");
            poisoned += usize::from(store.is_poisoned());
            drop(store);
            for kept in [0, 1, 100, 201, 254, 255] {
                let (after, _) = reopened(&disk.after_cut(kept));
                let possible = |part: &Act| {
                    let all = reference.copy();
                    part.on(&all).unwrap();
                    journal(&all) == after
                };
                assert!(
                    unknown.parts().iter().any(possible),
                    "call {call}, {trouble:?}, {kept} of what was not synced"
                );
            }
        }
    }
    assert!(poisoned > calls, "a cut, and every failed sync");
}

#[test]
fn every_call_of_opening_fails_once() {
    let (disk, _, whole) = several_segments();
    let bytes = disk.bytes(2);
    let damaged_head = disk
        .with(2, bytes.iter().enumerate().map(|(at, byte)| byte ^ u8::from(at == 20)).collect());
    let torn = disk.with(disk.last(), disk.bytes(disk.last())[..HEAD + 50].to_vec());
    for (disk, lost) in [(disk, false), (damaged_head, false), (torn, true)] {
        let counted = disk.repaired();
        counted.fail_at(usize::MAX, Trouble::Error);
        open(&counted).unwrap();
        for call in 1..=counted.calls() {
            for trouble in [Trouble::Error, Trouble::Cut] {
                let disk = disk.repaired();
                disk.fail_at(call, trouble);
                assert!(open(&disk).is_err(), "call {call} of opening was not looked at");
                let (after, _) = reopened(&disk.after_cut(0));
                assert_eq!(after == whole, !lost, "call {call}, {trouble:?}");
            }
        }
    }
}

/// A disk with several segments, where the frames of the last one begin, and all that is live.
fn several_segments() -> (RamDisk, Vec<usize>, Journal) {
    let disk = RamDisk::default();
    let (store, _) = open(&disk).unwrap();
    for number in 0..40 {
        store.append(&[event(1, 1, number, &format!("t={number}"))], NOW).unwrap();
    }
    let bytes = disk.bytes(disk.last());
    let mut starts = vec![HEAD];
    while let Ok(frame) = Frame::check(&bytes[starts[starts.len() - 1]..]) {
        starts.push(starts[starts.len() - 1] + frame.length);
    }
    starts.pop();
    assert!(disk.last() > 3 && starts.len() > 2);
    (disk, starts, journal(&store))
}

/// How many frames of the last segment begin and end before a byte.
fn whole_before(starts: &[usize], length: usize, byte: usize) -> usize {
    starts.iter().skip(1).chain([&length]).filter(|end| **end <= byte).count()
}

#[test]
fn a_file_may_end_anywhere() {
    let (disk, starts, whole) = several_segments();
    let bytes = disk.bytes(disk.last());
    let earlier = whole.len() - starts.len();
    for cut in 0..bytes.len() {
        let disk = disk.with(disk.last(), bytes[..cut].to_vec());
        let (after, recovery) = reopened(&disk);
        let kept = earlier + whole_before(&starts, bytes.len(), cut);
        assert_eq!(after, whole[..kept], "cut at {cut}");
        let end = starts.iter().rev().find(|start| **start <= cut).copied().unwrap_or(0);
        let dropped = if cut < HEAD { 0 } else { cut - end };
        assert_eq!(recovery.dropped_bytes, u64::try_from(dropped).unwrap(), "cut at {cut}");
        assert!(recovery.dropped.iter().all(|dropped| dropped.kept_in.is_none()));
    }
}

#[test]
fn any_bit_may_flip() {
    let (disk, starts, whole) = several_segments();
    let bytes = disk.bytes(disk.last());
    let earlier = whole.len() - starts.len();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            let disk = disk.with(disk.last(), flipped);
            let (after, recovery) = reopened(&disk);
            let kept = if at < HEAD {
                starts.len()
            } else {
                starts.iter().filter(|start| **start <= at).count() - 1
            };
            assert_eq!(after, whole[..earlier + kept], "bit {bit} of byte {at}");
            assert_eq!(recovery.dropped.len(), 1);
            // What may have been acknowledged is kept for a person to look at.
            let lost_others = at >= HEAD && kept + 1 < starts.len();
            assert!(!lost_others || recovery.dropped[0].kept_in.is_some());
        }
    }
}

#[test]
fn damage_in_an_older_segment_takes_nothing_of_the_later_ones() {
    let (disk, _, whole) = several_segments();
    let bytes = disk.bytes(2);
    for at in [HEAD, HEAD + 100, bytes.len() - 1] {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        let (after, recovery) = reopened(&disk.with(2, damaged));
        assert_eq!(after.last(), whole.last());
        assert!(after.len() < whole.len());
        assert!(after.iter().all(|event| whole.contains(event)));
        assert!(recovery.dropped[0].kept_in.is_some());
    }
}

#[test]
fn a_frame_at_a_place_that_is_not_its_own_is_none() {
    let (disk, starts, whole) = several_segments();
    let mut bytes = disk.bytes(disk.last());
    bytes.extend_from_within(starts[0]..starts[1]);
    let (after, recovery) = reopened(&disk.with(disk.last(), bytes));
    assert_eq!(after, whole);
    assert_eq!(recovery.dropped_bytes, u64::try_from(starts[1] - starts[0]).unwrap());
    // Found by the fuzz target `recovery`: the same where the head has to be written again.
    let mut bytes = disk.bytes(1);
    bytes[0] ^= 1;
    bytes.extend_from_within(HEAD..);
    let disk = disk.with(1, bytes);
    let (after, _) = reopened(&disk);
    assert_eq!(after, whole);
    let (_, recovery) = open(&disk).unwrap();
    assert_eq!(recovery.dropped, []);
}

#[test]
fn a_place_beyond_all_counting_is_none() {
    let (disk, _, whole) = several_segments();
    let mut bytes = disk.bytes(1);
    bytes[HEAD + 8..HEAD + 16].fill(0xff);
    let length = Frame::read(&bytes[HEAD..]).unwrap().length;
    let frame = &mut bytes[HEAD..HEAD + length];
    let sum = crc32c::crc32c_append(crc32c::crc32c(&frame[..4]), &frame[8..]).to_le_bytes();
    frame[4..8].copy_from_slice(&sum);
    let (after, recovery) = reopened(&disk.with(1, bytes));
    assert_eq!(recovery.dropped.len(), 1);
    assert!(!after.is_empty() && after.iter().all(|event| whole.contains(event)));
}

#[test]
fn zeros_at_the_end_are_passed_over() {
    let (disk, _, whole) = several_segments();
    let mut bytes = disk.bytes(disk.last());
    bytes.extend([0; 5_000]);
    let (after, recovery) = reopened(&disk.with(disk.last(), bytes));
    assert_eq!(after, whole);
    assert_eq!((recovery.dropped_bytes, recovery.dropped[0].kept_in.clone()), (5_000, None));
}

#[test]
fn a_person_is_told_what_was_dropped() {
    let (disk, starts, _) = several_segments();
    let mut bytes = disk.bytes(disk.last());
    bytes[starts[1] + 9] ^= 1;
    let (_, recovery) = reopened(&disk.with(disk.last(), bytes));
    expect!["36 events in 6 segments, 14756 bytes, indexed from the journal; 00000006.seg at byte 451: the checksum does not fit, 1612 bytes dropped and kept in 00000006.dropped"].assert_eq(&recovery.to_string());
}

#[test]
fn a_segment_of_a_later_release_is_not_touched() {
    let (disk, _, _) = several_segments();
    let mut bytes = disk.bytes(1);
    bytes[8] = 2;
    let sum = crc32c::crc32c(&bytes[..44]).to_le_bytes();
    bytes[44..48].copy_from_slice(&sum);
    let disk = disk.with(1, bytes.clone());
    assert!(matches!(open(&disk), Err(Fault::Newer { version: 2, .. })));
    assert_eq!(disk.bytes(1), bytes);
}

#[test]
fn no_place_is_given_twice_even_when_the_last_events_are_gone() {
    let disk = RamDisk::default();
    let (store, _) = open(&disk).unwrap();
    let note = event(1, 1, 1, &format!("expiration={}", NOW + 1));
    store.append(&[event(1, 1, 2, ""), note], NOW).unwrap();
    let done = store.compact(NOW + 1).unwrap();
    assert_eq!((done.expired, store.len(), store.last_position().0), (1, 1, 2));
    drop(store);
    let (store, _) = open(&disk).unwrap();
    assert_eq!(store.last_position().0, 2);
    store.append(&[event(1, 1, 3, "")], NOW).unwrap();
    assert_eq!(journal(&store).iter().map(|(place, _)| *place).collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn a_reader_keeps_what_it_holds_through_a_compaction() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = DiskStore::open(folder.path()).unwrap();
    let (profile, newer) = (event(1, 0, 1, "n=1"), event(1, 0, 2, "n=2"));
    store.append(std::slice::from_ref(&profile), NOW).unwrap();
    let held = store.get(&profile.id, NOW).unwrap();
    store.append(std::slice::from_ref(&newer), NOW).unwrap();
    assert!(store.compact(NOW).unwrap().freed_bytes > 0);
    assert_eq!(held.json, profile.json());
    assert_eq!(store.get(&newer.id, NOW).unwrap().json, newer.json());
    assert_eq!(store.get(&profile.id, NOW), None);
}
