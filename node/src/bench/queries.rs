//! Queries against a full store: each connection asks, waits for the end, and asks again.

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use ayni_protocol::{VerifiedEvent, kind};
use ayni_store::{DiskStore, Store as _};

use super::machine::Machine;
use super::question::Question;
use super::subject::{Folder, Subject};
use super::wire::{self, Talk};
use super::{Bench, Corpus, Report, float};
use crate::clock;

/// Connections that ask at the same time.
const CONNECTIONS: usize = 8;
/// How long each row is measured.
const SPAN: Duration = Duration::from_secs(3);
/// Different filters of a row.
const FILTERS: usize = 512;
/// Events made, and stored, at a time.
const CHUNK: u64 = 20_000;
/// One event in so many is remembered, to ask for it and its like.
const SAMPLE: usize = 50;

/// Measures every row of queries.
pub fn measure(bench: &Bench, machine: &Machine, report: &mut Report<'_>) -> Result<()> {
    let (subject, samples) = filled(bench)?;
    if let Some(bytes) = subject.resident_bytes() {
        let each = float(bytes) / float(bench.stored.max(1));
        let name = format!("memory with {} events", bench.stored);
        report.row(&name, float(bytes) / 1e6, "MB", format!("{each:.0} bytes an event"));
    }
    for (name, filters) in rows(&samples) {
        let asked = ask(&subject.url, &filters)?;
        report.row(
            &format!("query: {name}"),
            asked.rate,
            "queries/s",
            format!(
                "{:.0} events each, {:.0} MB/s, {:.0} % of the socket",
                asked.events,
                asked.bytes / 1e6,
                100.0 * asked.bytes / machine.socket_bytes
            ),
        );
    }
    Ok(())
}

/// A relay with a full store, and a sample of what is in it.
pub fn filled(bench: &Bench) -> Result<(Subject, Vec<VerifiedEvent>)> {
    let corpus = Corpus::new(7);
    let total = u64::try_from(bench.stored)?;
    let starts = (0..total).step_by(usize::try_from(CHUNK)?);
    let chunks = starts.map(|from| corpus.events(from, (from + CHUNK).min(total)));
    let mut samples = Vec::new();
    if let Some(url) = &bench.url {
        for events in chunks {
            if !bench.loaded {
                send(url, &events)?;
            }
            samples.extend(events.into_iter().step_by(SAMPLE));
        }
        return Ok((Subject::at(url)?, samples));
    }
    let folder = Folder::new()?;
    let (store, _) = DiskStore::open(folder.path())?;
    for events in chunks {
        store.append(&events, clock::now())?;
        samples.extend(events.into_iter().step_by(SAMPLE));
    }
    drop(store);
    Ok((Subject::start(&bench.program, folder)?, samples))
}

/// Fills somebody else's relay.
fn send(url: &str, events: &[VerifiedEvent]) -> Result<()> {
    let mut talk = Talk::open(url)?;
    let mut writer = talk.writer()?;
    let mut frames = Vec::new();
    for event in events {
        wire::text(&format!("[\"EVENT\",{}]", event.json()), &mut frames);
    }
    thread::scope(|scope| {
        scope.spawn(move || writer.write_all(&frames));
        let mut waiting = events.len();
        while waiting > 0 {
            talk.hear(|payload| waiting -= usize::from(payload.starts_with(b"[\"OK\"")))?;
        }
        Ok(())
    })
}

/// The filters of every row, as text.
fn rows(samples: &[VerifiedEvent]) -> Vec<(&'static str, Vec<String>)> {
    let mut dice = fastrand::Rng::with_seed(3);
    let mut pick = |of: &dyn Fn(&VerifiedEvent) -> bool| -> Option<&VerifiedEvent> {
        let sides = u64::try_from(samples.len()).unwrap_or(1);
        let tries =
            (0..1_000).filter_map(|_| samples.get(usize::try_from(dice.u64(..sides)).ok()?));
        tries.into_iter().find(|event| of(event))
    };
    let any = |_: &VerifiedEvent| true;
    let mut row = |name, make: &mut dyn FnMut(&mut Pick<'_>) -> Option<String>| {
        (name, (0..FILTERS).filter_map(|_| make(&mut pick)).collect::<Vec<_>>())
    };
    vec![
        row("20 ids", &mut |pick| {
            let ids: Vec<_> = (0..20).filter_map(|_| pick(&any)).map(|e| quoted(&e.id)).collect();
            Some(format!(r#"{{"ids":[{}]}}"#, ids.join(",")))
        }),
        row("one author, kind 1, limit 50", &mut |pick| {
            let author = quoted(&pick(&any)?.pubkey);
            Some(format!(r#"{{"authors":[{author}],"kinds":[1],"limit":50}}"#))
        }),
        row("100 authors, kinds 1 and 6, limit 100", &mut |pick| {
            let authors: Vec<_> =
                (0..100).filter_map(|_| pick(&any)).map(|e| quoted(&e.pubkey)).collect();
            Some(format!(r#"{{"authors":[{}],"kinds":[1,6],"limit":100}}"#, authors.join(",")))
        }),
        row("#e of one event", &mut |pick| tagged(pick(&|e| has(e, "e"))?, "e", "")),
        row("#p, limit 50", &mut |pick| tagged(pick(&|e| has(e, "p"))?, "p", r#","limit":50"#)),
        row("#t, limit 100", &mut |pick| tagged(pick(&|e| has(e, "t"))?, "t", r#","limit":100"#)),
        row("newest 500 of kind 1", &mut |_| Some(r#"{"kinds":[1],"limit":500}"#.to_owned())),
        row("time window, limit 200", &mut |pick| {
            let until = pick(&any)?.created_at;
            let since = until.saturating_sub(86_400);
            Some(format!(r#"{{"since":{since},"until":{until},"limit":200}}"#))
        }),
        row("one addressable", &mut |pick| {
            let event = pick(&|event| event.kind.0 >= 30_000)?;
            let (kind, author) = (event.kind.0, quoted(&event.pubkey));
            let name = kind::identifier(event);
            Some(format!(r##"{{"kinds":[{kind}],"authors":[{author}],"#d":["{name}"]}}"##))
        }),
    ]
}

type Pick<'a> = dyn FnMut(&dyn Fn(&VerifiedEvent) -> bool) -> Option<&'a VerifiedEvent> + 'a;

fn quoted(hex: &impl std::fmt::Display) -> String {
    format!("\"{hex}\"")
}

fn has(event: &VerifiedEvent, name: &str) -> bool {
    event.tags.named(name).next().is_some()
}

fn tagged(event: &VerifiedEvent, name: &str, rest: &str) -> Option<String> {
    let value = event.tags.named(name).next()?.value()?;
    Some(format!(r##"{{"#{name}":["{value}"]{rest}}}"##))
}

/// What a row came to.
struct Asked {
    /// Queries a second.
    rate: f64,
    /// Events of one answer.
    events: f64,
    /// Bytes a second.
    bytes: f64,
}

fn ask(url: &str, filters: &[String]) -> Result<Asked> {
    if filters.is_empty() {
        bail!("the store is too small to ask for this; use more events");
    }
    let questions = filters.iter().enumerate();
    let questions: Vec<_> = questions.map(|(at, filter)| Question::req(at, filter)).collect();
    let (next, begun) = (AtomicUsize::new(0), Instant::now());
    let sums = thread::scope(|scope| {
        let ask = || converse(url, &questions, &next, begun);
        let asking: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(ask)).collect();
        let join = |thread: thread::ScopedJoinHandle<'_, Result<[usize; 3]>>| {
            thread.join().ok().context("a thread of the load broke")?
        };
        asking.into_iter().map(join).collect::<Result<Vec<_>>>()
    })?;
    let took = begun.elapsed().as_secs_f64();
    let [queries, events, bytes] =
        sums.into_iter().fold([0; 3], |a, b| [a[0] + b[0], a[1] + b[1], a[2] + b[2]]);
    Ok(Asked {
        rate: float(queries) / took,
        events: float(events) / float(queries.max(1)),
        bytes: float(bytes / 1_000) * 1e3 / took,
    })
}

/// Asks one query after another; gives queries, events and bytes.
fn converse(
    url: &str,
    questions: &[Question],
    next: &AtomicUsize,
    begun: Instant,
) -> Result<[usize; 3]> {
    let mut talk = Talk::open(url)?;
    let (mut sums, mut frames) = ([0; 3], Vec::new());
    while begun.elapsed() < SPAN {
        let number = next.fetch_add(1, Ordering::Relaxed) % questions.len();
        let Some(question) = questions.get(number) else { break };
        let answer = question.put(&mut talk, &mut frames)?;
        sums = [sums[0] + 1, sums[1] + answer.events, sums[2] + answer.bytes];
    }
    Ok(sums)
}
