//! Events as JSON lines, the format other relays use: out of a store, and into one or into a node
//! that runs.
//!
//! What comes from a file enters by the same door as what comes from a stranger: shape, size, id
//! and signature are checked, and a line that fails is counted and named, never half-stored, and
//! stops nothing. One thread reads, as many as there are cores check, and the batches come out in
//! the order of the file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{BufRead, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use ayni_protocol::verify::KnownKeys;
use ayni_protocol::{Event, EventId, Filter, Timestamp, VerifiedEvent};
use ayni_store::{DiskStore, Outcome, Position, Store as _};
use indicatif::{ProgressBar, ProgressStyle};

use crate::admission;
use crate::cli::client::{Client, Receipt};
use crate::clock;
use crate::config::Config;
use crate::management::Rulebook;

/// Lines checked by one thread at a time, and stored with one sync.
const BATCH: usize = 1_024;
/// Bytes of lines after which a batch is full as well: half of what a node takes in one request.
const BATCH_BYTES: usize = 1 << 20;
/// Bytes of a line. The longest event that any limit lets in is far shorter.
const LINE_BYTES_MAX: usize = 16 << 20;
/// Refused lines that are named one by one.
const NAMED: usize = 100;
/// Requests to a running node that are under way at the same time.
const REQUESTS: usize = 4;
/// Authors whose keys a thread keeps ready.
const KEYS_KNOWN: usize = 4_096;

/// Where the events go.
#[derive(Clone, Copy)]
pub enum Door<'a> {
    /// The store of a stopped node, and what its operator banned. Events of any age are taken.
    Store(&'a DiskStore, &'a Rulebook),
    /// A running node, as a client's: it judges them as it judges what is sent now.
    Node(&'a Client),
}

/// What became of the lines of a file.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Imported {
    lines: u64,
    stored: u64,
    known: u64,
    superseded: u64,
    refused: u64,
    /// The first refused lines: number and reason.
    reasons: Vec<(u64, String)>,
    took: Duration,
}

/// Some lines of the file, with the number of the first.
#[derive(Default)]
struct Lines {
    first: u64,
    texts: Vec<Vec<u8>>,
    bytes: usize,
}

/// What a thread found out about them.
#[derive(Default)]
struct Checked {
    bytes: usize,
    events: Vec<VerifiedEvent>,
    imported: Imported,
}

/// Reads events, of which `length` bytes are to be expected, into a store or a node.
///
/// # Errors
/// Where the file cannot be read, the store cannot be written or the node does not answer. What was
/// stored before stays.
pub fn import(
    lines: impl BufRead + Send,
    length: Option<u64>,
    door: Door<'_>,
    config: &Config,
) -> Result<Imported> {
    let began = Instant::now();
    let threads = match door {
        Door::Store(..) => thread::available_parallelism().map_or(1, Into::into),
        Door::Node(_) => REQUESTS,
    };
    let (work, waiting) = sync_channel(2 * threads);
    let (done, results) = sync_channel(2 * threads);
    let waiting = Arc::new(Mutex::new(waiting));
    let mut imported = thread::scope(|scope| {
        let reader = scope.spawn(move || read(lines, &work));
        for _ in 0..threads {
            let (waiting, done) = (Arc::clone(&waiting), done.clone());
            scope.spawn(move || check_all(&waiting, &done, door, config));
        }
        // Only the threads hold the ends of the channels now: when one side stops, all do.
        drop((waiting, done));
        let imported = gather(&results, length, door);
        drop(results);
        let read = reader.join();
        let imported = imported?;
        read.map_err(|_| anyhow::anyhow!("the reader stopped with a bug"))??;
        anyhow::Ok(imported)
    })?;
    imported.took = began.elapsed();
    Ok(imported)
}

/// Cuts the file into batches, numbered in their order.
fn read(mut lines: impl BufRead, work: &SyncSender<(u64, Lines)>) -> Result<()> {
    let (mut number, mut line) = (0, 1);
    loop {
        let mut batch = Lines { first: line, ..Lines::default() };
        while batch.texts.len() < BATCH && batch.bytes < BATCH_BYTES {
            let mut text = Vec::new();
            let read = lines
                .read_until(b'\n', &mut text)
                .with_context(|| format!("line {line} cannot be read"))?;
            if read == 0 {
                break;
            }
            line += 1;
            batch.bytes += read;
            batch.texts.push(text);
        }
        if batch.texts.is_empty() || work.send((number, batch)).is_err() {
            return Ok(());
        }
        number += 1;
    }
}

/// Checks batch after batch, until there are no more or nobody wants them.
fn check_all(
    waiting: &Mutex<Receiver<(u64, Lines)>>,
    done: &SyncSender<(u64, Result<Checked>)>,
    door: Door<'_>,
    config: &Config,
) {
    let mut keys = KnownKeys::up_to(KEYS_KNOWN);
    loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((number, lines)) = next else { return };
        let checked = match door {
            Door::Store(store, rulebook) => Ok(lines.check(store, config, rulebook, &mut keys)),
            Door::Node(node) => lines.publish(node),
        };
        if done.send((number, checked)).is_err() {
            return;
        }
    }
}

/// Takes the batches in the order of the file, stores them and counts.
fn gather(
    results: &Receiver<(u64, Result<Checked>)>,
    length: Option<u64>,
    door: Door<'_>,
) -> Result<Imported> {
    let progress = progress(length);
    let mut imported = Imported::default();
    let (mut early, mut next) = (BTreeMap::new(), 0);
    for (number, checked) in results {
        early.insert(number, checked);
        while let Some(checked) = early.remove(&next) {
            let Checked { bytes, events, imported: batch } = checked?;
            next += 1;
            imported.add(batch);
            if let Door::Store(store, _) = door {
                imported.store(store, &events)?;
            }
            progress.inc(u64::try_from(bytes).unwrap_or_default());
            progress.set_message(format!("{} lines, {} refused", imported.lines, imported.refused));
        }
    }
    progress.finish_and_clear();
    Ok(imported)
}

impl Lines {
    /// Every line that is not blank, with its number.
    fn numbered(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let texts = (self.first..).zip(&self.texts);
        texts.map(|(number, text)| (number, text.trim_ascii())).filter(|(_, text)| !text.is_empty())
    }

    /// Checks every line for a store.
    fn check(
        &self,
        store: &DiskStore,
        config: &Config,
        rulebook: &Rulebook,
        keys: &mut KnownKeys,
    ) -> Checked {
        let mut checked = Checked { bytes: self.bytes, ..Checked::default() };
        for (number, text) in self.numbered() {
            checked.imported.lines += 1;
            match check(text, store, config, rulebook, keys) {
                Ok(Some(event)) => checked.events.push(event),
                Ok(None) => checked.imported.known += 1,
                Err(reason) => checked.imported.refuse(number, reason),
            }
        }
        checked
    }

    /// Sends every line to a running node.
    fn publish(&self, node: &Client) -> Result<Checked> {
        let mut checked = Checked { bytes: self.bytes, ..Checked::default() };
        let mut sent = Vec::new();
        let mut body = String::new();
        for (number, text) in self.numbered() {
            checked.imported.lines += 1;
            match plain(text) {
                Ok(line) => {
                    body.push_str(line);
                    body.push('\n');
                    sent.push(number);
                }
                Err(reason) => checked.imported.refuse(number, reason),
            }
        }
        let receipts = if sent.is_empty() { Vec::new() } else { node.publish_lines(body)? };
        anyhow::ensure!(receipts.len() == sent.len(), "the node did not answer every line");
        for (number, receipt) in sent.into_iter().zip(receipts) {
            checked.imported.receive(number, receipt);
        }
        Ok(checked)
    }
}

/// A line as text of one event's length.
fn plain(line: &[u8]) -> Result<&str, String> {
    if line.len() > LINE_BYTES_MAX {
        return Err(format!("the line is longer than {LINE_BYTES_MAX} bytes"));
    }
    std::str::from_utf8(line).map_err(|_| "the line is not UTF-8".to_owned())
}

/// A line as an event that may be stored; nothing where it is stored already.
fn check(
    line: &[u8],
    store: &DiskStore,
    config: &Config,
    rulebook: &Rulebook,
    keys: &mut KnownKeys,
) -> Result<Option<VerifiedEvent>, String> {
    let event = Event::parse(plain(line)?).map_err(|error| error.to_string())?;
    // What the operator removed stays away, wherever it comes from.
    if !event.kind.is_economy() {
        rulebook.event_is_not_banned(&event.id).map_err(|rejection| rejection.to_string())?;
    }
    if store.contains(&event.id) {
        return Ok(None);
    }
    let event = event.verify_among(keys).map_err(|error| error.to_string())?;
    admission::lasting(&event, &config.limits).map_err(|rejection| rejection.to_string())?;
    Ok(Some(event))
}

/// A bar with a rate on a terminal, nothing elsewhere.
fn progress(length: Option<u64>) -> ProgressBar {
    let (progress, template) = match length {
        Some(length) => (
            ProgressBar::new(length),
            "{bar:30} {percent}% {binary_bytes_per_sec}, {eta} left, {msg}",
        ),
        None => {
            (ProgressBar::no_length(), "{spinner} {binary_bytes}, {binary_bytes_per_sec}, {msg}")
        }
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        progress.set_style(style);
    }
    progress.enable_steady_tick(Duration::from_millis(200));
    progress
}

impl Imported {
    fn refuse(&mut self, number: u64, reason: String) {
        self.refused += 1;
        if self.reasons.len() < NAMED {
            self.reasons.push((number, reason));
        }
    }

    /// What a running node said of a line.
    fn receive(&mut self, number: u64, receipt: Receipt) {
        if !receipt.accepted {
            self.refuse(number, receipt.message);
        } else if receipt.message.starts_with("duplicate: ") {
            self.known += 1;
        } else {
            self.stored += 1;
        }
    }

    fn add(&mut self, batch: Self) {
        self.lines += batch.lines;
        self.stored += batch.stored;
        self.known += batch.known;
        self.refused += batch.refused;
        let room = NAMED.saturating_sub(self.reasons.len());
        self.reasons.extend(batch.reasons.into_iter().take(room));
    }

    fn store(&mut self, store: &DiskStore, batch: &[VerifiedEvent]) -> Result<()> {
        for outcome in store.append(batch, clock::now())? {
            match outcome {
                Outcome::Stored(_) => self.stored += 1,
                Outcome::Duplicate => self.known += 1,
                _ => self.superseded += 1,
            }
        }
        Ok(())
    }

    /// Whether every line was an event that could be taken.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.refused == 0
    }

    fn per_second(&self) -> u64 {
        let millis = self.took.as_millis().max(1);
        u64::try_from(u128::from(self.lines) * 1_000 / millis).unwrap_or(u64::MAX)
    }

    /// The counts and the first refused lines.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "lines": self.lines,
            "stored": self.stored,
            "known": self.known,
            "superseded": self.superseded,
            "refused": self.refused,
            "lines_per_second": self.per_second(),
            "reasons": self.reasons.iter().map(|(line, reason)| {
                serde_json::json!({"line": line, "reason": reason})
            }).collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for Imported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} stored, {} known already, {} replaced, deleted or expired, {} refused",
            self.stored, self.known, self.superseded, self.refused
        )?;
        let (lines, secs, rate) = (self.lines, self.took.as_secs(), self.per_second());
        write!(f, "{lines} lines in {secs} s, {rate} a second")?;
        for (line, reason) in &self.reasons {
            write!(f, "\n  line {line}: {reason}")?;
        }
        match usize::try_from(self.refused).unwrap_or(usize::MAX) - self.reasons.len() {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}

/// Writes every event that matches, one a line, in the order they were accepted; of a filter's
/// `limit` the newest.
///
/// # Errors
/// Where `out` cannot be written.
pub fn export(store: &DiskStore, filter: Option<&Filter>, out: &mut impl Write) -> Result<()> {
    let newest = filter.and_then(|filter| newest(store, filter));
    let mut written = Ok(());
    store.scan(Position(0), &mut |_, json| {
        let wanted = filter.is_none_or(|filter| {
            let chosen = |event: &Event| {
                newest.as_ref().is_none_or(|newest| newest.contains(&(event.created_at, event.id)))
            };
            Event::parse(json).is_ok_and(|event| filter.matches(&event) && chosen(&event))
        });
        if wanted {
            written = writeln!(out, "{json}");
        }
        written.is_ok()
    });
    match written {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        done => Ok(done?),
    }
}

/// The newest events that match, as many as the filter's limit; nothing where it has none.
fn newest(store: &DiskStore, filter: &Filter) -> Option<BTreeSet<(Timestamp, EventId)>> {
    let limit = filter.limit?;
    let mut newest = BTreeSet::new();
    store.scan(Position(0), &mut |_, json| {
        if let Ok(event) = Event::parse(json)
            && filter.matches(&event)
        {
            newest.insert((event.created_at, event.id));
            if newest.len() > limit {
                newest.pop_first();
            }
        }
        true
    });
    Some(newest)
}

#[cfg(test)]
mod tests {
    use ayni_protocol::{Draft, Keys, kind};

    use super::*;

    fn notes(count: u64) -> Vec<String> {
        let keys = Keys::from_secret([1; 32]).unwrap();
        let note = |number: u64| {
            let draft = Draft::new(kind::NOTE).content(number.to_string());
            draft.sign(&keys, 1_700_000_000 + number, [0; 32]).json().to_owned()
        };
        (0..count).map(note).collect()
    }

    fn exported(store: &DiskStore) -> Vec<String> {
        let mut out = Vec::new();
        export(store, None, &mut out).unwrap();
        String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn many_lines_come_out_in_the_order_they_went_in() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = DiskStore::open(folder.path()).unwrap();
        let lines = notes(2 * u64::try_from(BATCH).unwrap() + 7);
        let text = lines.join("\r\n\n");
        let config = Config::default();
        let run = || {
            import(text.as_bytes(), None, Door::Store(&store, &Rulebook::default()), &config)
                .unwrap()
        };
        let first = run();
        assert_eq!((first.stored, first.lines), (2_055, 2_055));
        assert!(first.is_whole());
        assert_eq!(exported(&store), lines);
        let again = run();
        assert_eq!((again.stored, again.known, again.refused), (0, 2_055, 0));
    }

    #[test]
    fn bad_lines_are_named_and_stop_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = DiskStore::open(folder.path()).unwrap();
        let lines = notes(3);
        let forged = lines[1].replace("\"content\":\"1\"", "\"content\":\"2\"");
        let parts: [&[u8]; 7] = [
            lines[0].as_bytes(),
            b"{}",
            b"\xff\xfe",
            b"",
            forged.as_bytes(),
            b"nonsense",
            lines[2].as_bytes(),
        ];
        let text = parts.join(&b'\n');
        let config = Config::default();
        let imported =
            import(text.as_slice(), Some(1), Door::Store(&store, &Rulebook::default()), &config)
                .unwrap();
        let named: Vec<_> = imported.reasons.iter().map(|(line, _)| *line).collect();
        assert_eq!((imported.stored, imported.refused, named), (2, 4, vec![2, 3, 5, 6]));
        assert!(!imported.is_whole());
        assert!(imported.to_string().contains("line 3: the line is not UTF-8"), "{imported}");
        assert_eq!(exported(&store), [lines[0].clone(), lines[2].clone()]);
    }

    #[test]
    fn a_file_that_breaks_off_keeps_what_came_before() {
        struct Broken<'a>(&'a [u8]);
        impl std::io::Read for Broken<'_> {
            fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
                match std::io::Read::read(&mut self.0, into)? {
                    0 => Err(std::io::Error::other("the disk is gone")),
                    read => Ok(read),
                }
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = DiskStore::open(folder.path()).unwrap();
        let text = notes(u64::try_from(BATCH).unwrap()).join("\n") + "\n";
        let broken = std::io::BufReader::new(Broken(text.as_bytes()));
        let done =
            import(broken, None, Door::Store(&store, &Rulebook::default()), &Config::default());
        assert!(done.unwrap_err().to_string().contains("line 1025 cannot be read"));
        assert_eq!(store.len(), BATCH);
    }
}
