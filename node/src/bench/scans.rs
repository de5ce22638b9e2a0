//! Honest questions beside the worst that is allowed: how long an answer takes while others ask, one
//! question after another, for as much work as a filter may make.
//!
//! Beside it stands the same with as many threads as there are cores that only count: what the
//! machine itself adds to an answer where it is busy.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use ayni_protocol::VerifiedEvent;

use super::question::Question;
use super::wire::Talk;
use super::{Bench, Report, queries};

/// Connections that ask for the worst, in two rounds.
const ASKERS: [usize; 2] = [1, 4];
/// How long each sort of honest question is asked in a round.
const SPAN: Duration = Duration::from_secs(2);
/// Between two of them.
const PAUSE: Duration = Duration::from_millis(5);
/// How long the relay may take until all words can be found.
const INDEXING: Duration = Duration::from_secs(600);
/// Values of a list up to which a store might look for each of them in the text; and one more.
const FEW: usize = 9;
/// Filters of one REQ.
const FILTERS: usize = 20;

/// Measures honest answers alone, beside busy cores, and beside each of the worst questions.
pub fn measure(bench: &Bench, report: &mut Report<'_>) -> Result<()> {
    let (subject, samples) = queries::filled(bench)?;
    let newest = samples.iter().rev().find(|event| event.kind.0 == 1);
    let newest = newest.context("the store is too small to ask for this; use more events")?;
    let honest = honest(newest);
    wait_for_words(&subject.url, newest)?;
    rows(report, "alone", &answers(&subject.url, &honest)?);
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let busy = beside(cores, &count, || answers(&subject.url, &honest))?;
    rows(report, "machine: beside busy cores", &busy);
    for (name, question) in worst(&samples) {
        let ask = |stop: &AtomicBool| {
            let (mut talk, mut frames) = (Talk::open(&subject.url)?, Vec::new());
            while !stop.load(Ordering::Relaxed) {
                question.put(&mut talk, &mut frames)?;
            }
            Ok(())
        };
        for askers in ASKERS {
            let delays = beside(askers, &ask, || answers(&subject.url, &honest))?;
            rows(report, &format!("beside {askers} x {name}"), &delays);
        }
    }
    Ok(())
}

/// The questions of people: answered at once, on another thread, and from the index of words.
fn honest(note: &VerifiedEvent) -> [(&'static str, Question); 3] {
    let by_author = format!(r#"{{"authors":["{}"],"kinds":[1]"#, note.pubkey);
    [
        ("notes", Question::req(0, &format!(r#"{by_author},"limit":50}}"#))),
        ("count", Question::count(1, &format!("{by_author}}}"))),
        ("search", Question::req(2, r#"{"search":"bicycle repair","kinds":[1],"limit":20}"#)),
    ]
}

/// The most work that can be asked for.
fn worst(samples: &[VerifiedEvent]) -> Vec<(&'static str, Question)> {
    let list = |values: &[String]| format!("[\"{}\"]", values.join("\",\""));
    let many = samples.iter().map(|event| event.pubkey.to_string());
    let many = list(&frequent(many, 1_900));
    let of_tag = |name| {
        let named = samples.iter().flat_map(move |event| event.tags.named(name));
        list(&frequent(named.filter_map(|tag| tag.value().map(str::to_owned)), FEW))
    };
    let (people, topics) = (of_tag("p"), of_tag("t"));
    // Each note with one of the topics has to be parsed, to see whether it names one of the people.
    let both = format!(r##"{{"kinds":[1],"#p":{people},"#t":{topics},"limit":1000}}"##);
    let by_many = format!(r#"{{"authors":{many},"kinds":[1,7]"#);
    let nobody = "ab".repeat(32);
    let req = |filter: &str| Question::req(0, filter);
    vec![
        ("counting everything", Question::count(0, "{}")),
        ("counting 1,900 authors", Question::count(0, &format!("{by_many}}}"))),
        ("reconciling everything", Question::reconciliation(0, "{}")),
        ("people and topics", req(&both)),
        ("people and topics, 20 filters", req(&vec![both.as_str(); FILTERS].join(","))),
        ("the newest, 20 filters", req(&[r#"{"limit":1000}"#; FILTERS].join(","))),
        ("a common word", req(r#"{"search":"bread"}"#)),
        ("a common word, 1,900 authors", req(&format!(r#"{by_many},"search":"bread"}}"#))),
        (
            "a common word, nobody's",
            req(&format!(r#"{{"search":"bread","authors":["{nobody}"]}}"#)),
        ),
    ]
}

/// The values that stand most often, at most so many.
fn frequent(values: impl Iterator<Item = String>, most: usize) -> Vec<String> {
    let mut times = BTreeMap::<_, usize>::new();
    values.for_each(|value| *times.entry(value).or_default() += 1);
    let mut values: Vec<_> = times.into_iter().collect();
    values.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
    values.into_iter().take(most).map(|(value, _)| value).collect()
}

/// Waits until the newest note is found by a word of it, and so all others.
fn wait_for_words(url: &str, newest: &VerifiedEvent) -> Result<()> {
    let word = newest.content.split_whitespace().next().context("a note without words")?;
    let question = Question::req(0, &format!(r#"{{"ids":["{}"],"search":"{word}"}}"#, newest.id));
    let (mut talk, mut frames, begun) = (Talk::open(url)?, Vec::new(), Instant::now());
    loop {
        let answer = question.put(&mut talk, &mut frames)?;
        if answer.events > 0 {
            return Ok(());
        }
        if answer.closed || begun.elapsed() > INDEXING {
            bail!("the relay finds no words, which `scans` needs (NIP-50)");
        }
        thread::sleep(Duration::from_millis(200));
    }
}

/// Does something while so many threads do something else.
fn beside<T>(
    threads: usize,
    other: &(dyn Fn(&AtomicBool) -> Result<()> + Sync),
    work: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let others: Vec<_> = (0..threads).map(|_| scope.spawn(|| other(&stop))).collect();
        let done = work();
        stop.store(true, Ordering::Relaxed);
        for thread in others {
            thread.join().ok().context("a thread of the load broke")??;
        }
        done
    })
}

/// Works without a pause.
fn count(stop: &AtomicBool) -> Result<()> {
    let mut counted = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        counted = std::hint::black_box(counted.wrapping_add(1));
    }
    Ok(())
}

type Delays = Vec<(&'static str, Vec<Duration>)>;

/// How long each of the questions took, sorted.
fn answers(url: &str, questions: &[(&'static str, Question)]) -> Result<Delays> {
    let (mut talk, mut frames) = (Talk::open(url)?, Vec::new());
    let mut all = |(name, question): &(&'static str, Question)| {
        let (mut delays, round) = (Vec::new(), Instant::now());
        while round.elapsed() < SPAN {
            thread::sleep(PAUSE);
            let begun = Instant::now();
            question.put(&mut talk, &mut frames)?;
            delays.push(begun.elapsed());
        }
        delays.sort_unstable();
        Ok((*name, delays))
    };
    questions.iter().map(&mut all).collect()
}

fn rows(report: &mut Report<'_>, when: &str, delays: &Delays) {
    for (name, delays) in delays {
        report.delays(&format!("{name} {when}"), delays);
    }
}
