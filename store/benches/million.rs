//! What a store of a million events costs: `cargo bench -p ayni-store`, or with `-- 200000`.
//!
//! Times are those of one run, printed with what the machine itself needs beside them. Signatures
//! are left out: the events have true ids, and the store looks at no signature.

#![expect(
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "figures for people; a run that cannot go on should stop"
)]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Instant;

use ayni_protocol::{Event, EventId, Filter, Kind, PublicKey, Tags, Timestamp, VerifiedEvent, hex};
use ayni_store::{DiskStore, Store, everyone};
use fastrand::Rng;
use rustix::fs::{Advice, fadvise};

/// Events of one sync.
const BATCH: usize = 256;
const NOW: Timestamp = 2_000_000_000;

/// Small numbers far more often than great ones, as with authors and hashtags.
fn skewed(dice: &mut Rng, sides: u64) -> u64 {
    let most = dice.u64(..sides) + 1;
    dice.u64(..most)
}

fn main() {
    let count = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(1_000_000);
    let folder = tempfile::tempdir().expect("a folder for the run");
    let mut dice = Rng::with_seed(88_172_645_463_325_252);
    let events: Vec<_> = (0..count).map(|number| made(number, &mut dice)).collect();
    let json: usize = events.iter().map(|event| event.json().len()).sum();
    println!("{count} events, {} bytes of JSON each", json / events.len());

    let (store, _) = DiskStore::open(folder.path()).expect("a new store");
    let took = timed(|| {
        for batch in events.chunks(BATCH) {
            store.append(batch, NOW).expect("room on the disk");
        }
    });
    row("append, 256 a sync", format!("{:.0} events/s", per_second(count, took)));
    let bytes = store.journal_bytes();
    row("disk over JSON", format!("{:.3}", ratio(bytes, json)));
    row("index", format!("{} bytes/event", store.index_bytes() / events.len()));
    queries(&store, &events, &mut dice);
    row("snapshot and close", format!("{:.2} s", timed(|| drop(store))));
    restarts(folder.path());
}

/// Starts, each in a process that already has the pages of the journal in memory.
fn restarts(folder: &Path) {
    let mut opened = None;
    let took = timed(|| opened = Some(DiskStore::open(folder).expect("a store")));
    let (store, recovery) = opened.take().expect("a store");
    row("start with a snapshot", format!("{took:.2} s ({recovery})"));
    drop(store);
    std::fs::remove_dir_all(folder.join("sled")).expect("a folder to remove");
    forget(folder);
    let read = timed(|| {
        for path in segments(folder) {
            std::hint::black_box(std::fs::read(path).expect("bytes"));
        }
    });
    row("reading the journal once", format!("{read:.2} s"));
    forget(folder);
    let took = timed(|| opened = Some(DiskStore::open(folder).expect("a store")));
    row("start without", format!("{took:.2} s, {:.2} times that", took / read));
}

fn segments(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(folder.join("journal")).expect("a journal");
    entries.map(|entry| entry.expect("a segment").path())
}

/// Lets the machine forget the journal's bytes, so that they are read from the disk.
fn forget(folder: &Path) {
    for path in segments(folder) {
        let file = File::open(path).expect("a segment");
        file.sync_all().expect("a disk");
        fadvise(&file, 0, None, Advice::DontNeed).expect("advice");
    }
}

fn queries(store: &DiskStore, events: &[VerifiedEvent], dice: &mut Rng) {
    let mut pick = || &events[usize::try_from(dice.u64(..events.len() as u64)).unwrap_or(0)];
    let mut filters = |make: &mut dyn FnMut(&VerifiedEvent) -> String| {
        (0..200).map(|_| Filter::parse(&make(pick())).expect("a filter")).collect::<Vec<_>>()
    };
    let cases = [
        ("one id", filters(&mut |event| format!(r#"{{"ids":["{}"]}}"#, event.id))),
        ("recent 100", filters(&mut |_| "{}".to_owned())),
        ("author", filters(&mut |event| format!(r#"{{"authors":["{}"]}}"#, event.pubkey))),
        ("hashtag", filters(&mut |_| r##"{"#t":["tag3"],"kinds":[1]}"##.to_owned())),
        ("replies", filters(&mut |event| format!(r##"{{"#e":["{}"]}}"##, event.id))),
        (
            "window",
            filters(&mut |event| format!(r#"{{"kinds":[1],"until":{}}}"#, event.created_at)),
        ),
        ("rare in common", filters(&mut |_| r##"{"#t":["tag3"],"kinds":[30402]}"##.to_owned())),
    ];
    for (name, filters) in cases {
        asked(store, name, &filters);
    }
    let followed: Vec<_> = (0..100).map(|number| format!("\"{}\"", author(number * 7))).collect();
    let feed = format!(r#"{{"authors":[{}],"kinds":[1,6]}}"#, followed.join(","));
    asked(store, "feed of 100", &vec![Filter::parse(&feed).expect("a filter"); 200]);
    let took = timed(|| {
        std::hint::black_box(store.count(&Filter::default(), NOW, &everyone));
    });
    row("count of all", format!("{took:.3} s"));
    let took = timed(|| {
        std::hint::black_box(store.items(&Filter::default(), usize::MAX - 1, NOW, &everyone));
    });
    row("items of all", format!("{took:.3} s"));
}

fn asked(store: &DiskStore, name: &str, filters: &[Filter]) {
    let mut found = 0;
    let took = timed(|| {
        for filter in filters {
            found += store.query(filter, 100, NOW, &everyone).events.len();
        }
    });
    let each = took * 1e6 / filters.len() as f64;
    row(name, format!("{each:.1} us, {:.1} events", found as f64 / filters.len() as f64));
}

/// An event of a mixed corpus, with about three tags.
fn made(number: usize, dice: &mut Rng) -> VerifiedEvent {
    let kind = match dice.u64(..100) {
        0..55 => 1,
        55..85 => 7,
        85..90 => 6,
        90..94 => 0,
        94..97 => 30_402,
        _ => 1_111,
    };
    let mut tags = Tags::default();
    for _ in 0..dice.u64(..3) + u64::from(kind == 7) {
        tags.push(["e", &some_hex(dice)]);
        tags.push(["p", &author(skewed(dice, 20_000)).to_string()]);
    }
    for _ in 0..dice.u64(..3) {
        tags.push(["t", &format!("tag{}", skewed(dice, 5_000))]);
    }
    if kind == 30_402 {
        tags.push(["d", &format!("listing{}", dice.u64(..50))]);
    }
    let mut event = Event {
        id: EventId([0; 32]),
        pubkey: author(skewed(dice, 20_000)),
        created_at: 1_700_000_000 + number as u64 / 3 + dice.u64(..20),
        kind: Kind(kind),
        tags,
        content: "a few words of a note ".repeat(usize::try_from(dice.u64(..10)).unwrap_or(0)),
        sig: [7; 64],
    };
    event.id = event.hash();
    VerifiedEvent::from_own_journal(&event.to_json()).expect("an event with its true id")
}

fn author(number: u64) -> PublicKey {
    let mut key = [0x5a; 32];
    key[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    PublicKey(key)
}

fn some_hex(dice: &mut Rng) -> String {
    let mut bytes = [0; 32];
    for chunk in bytes.chunks_mut(8) {
        chunk.copy_from_slice(&dice.u64(..).to_be_bytes());
    }
    hex::encode(&bytes)
}

fn timed(work: impl FnOnce()) -> f64 {
    let begun = Instant::now();
    work();
    begun.elapsed().as_secs_f64()
}

fn per_second(count: usize, took: f64) -> f64 {
    count as f64 / took
}

fn ratio(bytes: u64, of: usize) -> f64 {
    bytes as f64 / of as f64
}

fn row(name: &str, value: impl std::fmt::Display) {
    println!("{name:<28} {value}");
}
