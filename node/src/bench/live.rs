//! From a publisher to its subscribers: how long an event is on its way to their sockets, and whether
//! any is lost.
//! Beside it stands what the machine needs to write the same bytes to as many sockets and have them
//! read by the same subscribers; of the largest round not, because both ends would be in this
//! process, which may not open so many files.

use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, bail};
use ayni_protocol::VerifiedEvent;

use super::hearing::Hearing;
use super::plain::Plain;
use super::wire::{self, Talk};
use super::{Bench, Corpus, Report};

/// Events published in each round.
const EVENTS: usize = 50;
/// Between two events, where a relay does little: its processors are not asleep.
const LIGHT: Duration = Duration::from_millis(10);
/// Between two events otherwise. Where few subscribe, this also measures how a machine wakes up.
const PAUSE: Duration = Duration::from_millis(100);
/// How long the last of them may be on its way.
const PATIENCE: Duration = Duration::from_secs(30);
/// Sockets up to which the machine's own pace is measured.
const BY_HAND_MAX: usize = 1_000;

/// Measures live delivery to 1, to 1,000 and to many subscribers.
pub fn measure(bench: &Bench, report: &mut Report<'_>) -> Result<()> {
    let rounds = [(1, LIGHT), (1, PAUSE), (1_000, PAUSE), (bench.subscribers, PAUSE)];
    for (round, (subscribers, pause)) in (20..).zip(rounds) {
        let notes = notes(round)?;
        let rate = 1_000 / pause.as_millis();
        if subscribers <= BY_HAND_MAX {
            let plain = by_hand(&notes, pause, subscribers)?;
            report.delays(&format!("machine: {subscribers} sockets, {rate}/s"), &plain);
        }
        let delays = by_relay(bench, &notes, pause, subscribers)?;
        report.delays(&format!("live, {subscribers} subscribers, {rate}/s"), &delays);
    }
    Ok(())
}

/// What is published in a round.
fn notes(round: u64) -> Result<Vec<VerifiedEvent>> {
    let events = Corpus::new(round).events(0, u64::try_from(EVENTS * 3)?);
    Ok(events.into_iter().filter(|event| event.kind.0 == 1).take(EVENTS).collect())
}

/// A relay publishes to so many subscribers, and one that does not read.
fn by_relay(
    bench: &Bench,
    notes: &[VerifiedEvent],
    pause: Duration,
    subscribers: usize,
) -> Result<Vec<Duration>> {
    let subject = bench.subject()?;
    let mut talk = Talk::open(&subject.url)?;
    let mut deaf = Talk::open(&subject.url)?;
    let mut frame = Vec::new();
    wire::text(r#"["REQ","deaf",{"limit":0}]"#, &mut frame);
    deaf.send(&frame)?;
    deliver(&subject.url, subscribers, (notes, pause), |event| {
        let mut frame = Vec::new();
        wire::text(&format!("[\"EVENT\",{}]", event.json()), &mut frame);
        talk.send(&frame)
    })
}

/// Nothing but writing, to as many sockets.
fn by_hand(notes: &[VerifiedEvent], pause: Duration, subscribers: usize) -> Result<Vec<Duration>> {
    let mut plain = Plain::listen()?;
    let url = plain.url.clone();
    deliver(&url, subscribers, (notes, pause), |event| {
        plain.publish(&format!("[\"EVENT\",\"live\",{}]", event.json()))
    })
}

/// Publishes to so many subscribers, with a pause before each event; gives every delay, sorted.
fn deliver(
    url: &str,
    subscribers: usize,
    (notes, pause): (&[VerifiedEvent], Duration),
    mut publish: impl FnMut(&VerifiedEvent) -> Result<()>,
) -> Result<Vec<Duration>> {
    // When each event was sent.
    let sent = Mutex::new(Vec::with_capacity(notes.len()));
    let sent = || sent.lock().unwrap_or_else(PoisonError::into_inner);
    let mut hearing = Hearing::open(url, subscribers)?;
    let patience = PATIENCE + pause * u32::try_from(notes.len())?;
    let mut delays = thread::scope(|scope| {
        let heard = scope.spawn(|| {
            let mut delays = Vec::with_capacity(subscribers * notes.len());
            hearing.hear(subscribers * notes.len(), patience, |number, came| {
                let sent: Option<SystemTime> = sent().get(number).copied();
                delays.extend(sent.and_then(|sent| came.duration_since(sent).ok()));
            })?;
            anyhow::Ok(delays)
        });
        for event in notes {
            thread::sleep(pause);
            sent().push(SystemTime::now());
            publish(event)?;
        }
        heard.join().ok().context("a thread of the load broke")?
    })?;
    if delays.len() != subscribers * notes.len() {
        bail!("{} of {} deliveries came", delays.len(), subscribers * notes.len());
    }
    delays.sort_unstable();
    Ok(delays)
}
