//! From a publisher to its subscribers: how long an event is on its way, and whether any is lost.
//! Beside it stands what the machine needs to write the same bytes to as many sockets and have them
//! read by the same subscribers; of the largest round not, because both ends would be in this
//! process, which may not open so many files.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use ayni_protocol::VerifiedEvent;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::plain::Plain;
use super::wire::{self, Frames, Talk};
use super::{Bench, Corpus, Report};

/// Events published in each round, ten a second.
const EVENTS: usize = 50;
const PAUSE: Duration = Duration::from_millis(100);
/// How long the last of them may be on its way.
const PATIENCE: Duration = Duration::from_secs(30);
/// Sockets up to which the machine's own pace is measured.
const BY_HAND_MAX: usize = 1_000;
/// Connections opened at a time, so that a listener's backlog is enough.
const OPENING: usize = 64;

/// Measures live delivery to 1, to 1,000 and to many subscribers.
pub fn measure(bench: &Bench, report: &mut Report<'_>) -> Result<()> {
    for (round, subscribers) in (20..).zip([1, 1_000, bench.subscribers]) {
        let notes = notes(round)?;
        if subscribers <= BY_HAND_MAX {
            let plain = by_hand(&notes, subscribers)?;
            row(report, &format!("machine: the same bytes to {subscribers} sockets"), &plain);
        }
        let delays = by_relay(bench, &notes, subscribers)?;
        row(report, &format!("live, {subscribers} subscribers: median"), &delays);
    }
    Ok(())
}

fn row(report: &mut Report<'_>, name: &str, delays: &[Duration]) {
    let [half, most, last] = [50, 99, 100].map(|percent| percentile(delays, percent));
    let remark = format!("99 % within {:.2} ms, all within {:.2} ms", ms(most), ms(last));
    report.row(name, ms(half), "ms", remark);
}

/// What is published in a round.
fn notes(round: u64) -> Result<Vec<VerifiedEvent>> {
    let events = Corpus::new(round).events(0, u64::try_from(EVENTS * 3)?);
    Ok(events.into_iter().filter(|event| event.kind.0 == 1).take(EVENTS).collect())
}

fn ms(delay: Duration) -> f64 {
    delay.as_secs_f64() * 1e3
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(at).copied().unwrap_or_default()
}

/// When each event was sent.
type Sent = Arc<Mutex<Vec<Instant>>>;

/// A relay publishes to so many subscribers, and one that does not read.
fn by_relay(bench: &Bench, notes: &[VerifiedEvent], subscribers: usize) -> Result<Vec<Duration>> {
    let subject = bench.subject()?;
    let mut talk = Talk::open(&subject.url)?;
    let mut deaf = Talk::open(&subject.url)?;
    let mut frame = Vec::new();
    wire::text(r#"["REQ","deaf",{"limit":0}]"#, &mut frame);
    deaf.send(&frame)?;
    deliver(&subject.url, subscribers, notes, |event| {
        let mut frame = Vec::new();
        wire::text(&format!("[\"EVENT\",{}]", event.json()), &mut frame);
        talk.send(&frame)
    })
}

/// Nothing but writing, to as many sockets.
fn by_hand(notes: &[VerifiedEvent], subscribers: usize) -> Result<Vec<Duration>> {
    let mut plain = Plain::listen()?;
    let url = plain.url.clone();
    deliver(&url, subscribers, notes, |event| {
        plain.publish(&format!("[\"EVENT\",\"live\",{}]", event.json()))
    })
}

/// Publishes to so many subscribers; gives every delay, sorted.
fn deliver(
    url: &str,
    subscribers: usize,
    notes: &[VerifiedEvent],
    mut publish: impl FnMut(&VerifiedEvent) -> Result<()>,
) -> Result<Vec<Duration>> {
    let sent = Sent::default();
    let runtime = tokio::runtime::Runtime::new()?;
    let hearing = runtime.block_on(subscribe(url, subscribers, notes.len(), &sent))?;
    for event in notes {
        std::thread::sleep(PAUSE);
        sent.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
        publish(event)?;
    }
    let heard = async { tokio::time::timeout(PATIENCE, hearing.join_all()).await };
    let heard = runtime.block_on(heard).context("some subscriber did not hear every event")?;
    let mut delays = heard.into_iter().collect::<Result<Vec<_>>>()?.concat();
    if delays.len() != subscribers * notes.len() {
        bail!("{} of {} deliveries came", delays.len(), subscribers * notes.len());
    }
    delays.sort_unstable();
    Ok(delays)
}

/// Opens all conversations; each then hears so many events and gives their delays.
async fn subscribe(
    url: &str,
    subscribers: usize,
    count: usize,
    sent: &Sent,
) -> Result<JoinSet<Result<Vec<Duration>>>> {
    let mut hearing = JoinSet::new();
    let begun = Arc::new(Barrier::new(OPENING + 1));
    for first in (0..subscribers).step_by(OPENING) {
        let together = OPENING.min(subscribers - first);
        let begun = match together {
            OPENING => Arc::clone(&begun),
            fewer => Arc::new(Barrier::new(fewer + 1)),
        };
        for _ in 0..together {
            let (url, sent, begun) = (url.to_owned(), Arc::clone(sent), Arc::clone(&begun));
            hearing.spawn(async move {
                let opened = open(&url).await;
                begun.wait().await;
                hear(opened?, count, &sent).await
            });
        }
        begun.wait().await;
    }
    Ok(hearing)
}

/// A conversation whose subscription is open.
async fn open(url: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(wire::authority(url)?).await?;
    stream.set_nodelay(true)?;
    stream.write_all(wire::request(url)?.as_bytes()).await?;
    let mut head = Vec::new();
    while wire::answer_end(&head)?.is_none() {
        head.push(stream.read_u8().await?);
    }
    let mut frame = Vec::new();
    wire::text(r#"["REQ","live",{"kinds":[1],"limit":0}]"#, &mut frame);
    stream.write_all(&frame).await?;
    let (mut frames, mut open) = (Frames::default(), false);
    let mut buffer = vec![0; 512];
    while !open {
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            bail!("the relay hung up");
        }
        let bytes = buffer.get(..read).unwrap_or_default();
        frames.feed(bytes, |payload| open |= payload.starts_with(b"[\"EOSE\""));
    }
    Ok(stream)
}

async fn hear(mut stream: TcpStream, count: usize, sent: &Sent) -> Result<Vec<Duration>> {
    let mut frames = Frames::default();
    let mut buffer = vec![0; 4_096];
    let mut delays = Vec::with_capacity(count);
    while delays.len() < count {
        let read = stream.read(&mut buffer).await?;
        let now = Instant::now();
        if read == 0 {
            bail!("the relay closed a subscriber");
        }
        frames.feed(buffer.get(..read).unwrap_or_default(), |payload| {
            if payload.starts_with(b"[\"EVENT\"") {
                let sent = sent.lock().unwrap_or_else(PoisonError::into_inner);
                let sent = sent.get(delays.len()).copied();
                delays.extend(sent.map(|sent| now.duration_since(sent)));
            }
        });
    }
    Ok(delays)
}
