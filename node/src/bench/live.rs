//! From a publisher to its subscribers: how long an event is on its way, and whether any is lost.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::wire::{self, Frames, Talk};
use super::{Bench, Corpus, Report};

/// Events published in each round, ten a second.
const EVENTS: usize = 50;
const PAUSE: Duration = Duration::from_millis(100);
/// How long the last of them may be on its way.
const PATIENCE: Duration = Duration::from_secs(30);
/// Connections opened at a time, so that a listener's backlog is enough.
const OPENING: usize = 64;

/// Measures live delivery to 1, to 1,000 and to many subscribers.
pub fn measure(bench: &Bench, report: &mut Report<'_>) -> Result<()> {
    for (round, subscribers) in (20..).zip([1, 1_000, bench.subscribers]) {
        let delays = deliver(bench, round, subscribers)?;
        let [half, most, last] = [50, 99, 100].map(|percent| percentile(&delays, percent));
        let remark = format!("99 % within {:.2} ms, all within {:.2} ms", ms(most), ms(last));
        report.row(&format!("live, {subscribers} subscribers: median"), ms(half), "ms", remark);
    }
    Ok(())
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

/// Publishes to so many subscribers, and one that does not read; gives every delay, sorted.
fn deliver(bench: &Bench, round: u64, subscribers: usize) -> Result<Vec<Duration>> {
    let subject = bench.subject()?;
    let events = Corpus::new(round).events(0, u64::try_from(EVENTS * 3)?);
    let notes: Vec<_> = events.into_iter().filter(|event| event.kind.0 == 1).take(EVENTS).collect();
    let sent = Sent::default();
    let mut talk = Talk::open(&subject.url)?;
    let mut deaf = Talk::open(&subject.url)?;
    let mut frame = Vec::new();
    wire::text(r#"["REQ","deaf",{"limit":0}]"#, &mut frame);
    deaf.send(&frame)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let hearing = runtime.block_on(subscribe(&subject.url, subscribers, notes.len(), &sent))?;
    for event in &notes {
        std::thread::sleep(PAUSE);
        let mut frame = Vec::new();
        wire::text(&format!("[\"EVENT\",{}]", event.json()), &mut frame);
        sent.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
        talk.send(&frame)?;
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
