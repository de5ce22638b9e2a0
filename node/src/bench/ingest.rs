//! Events in, OKs out: each connection sends as fast as its socket takes, and counts its verdicts.

use std::io::Write as _;
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use ayni_protocol::VerifiedEvent;

use super::machine::Machine;
use super::wire::{self, Talk};
use super::{Bench, Corpus, Report, float};

/// Connections of each round.
const ROUNDS: [usize; 3] = [1, 4, 16];

/// Measures ingest, and how quickly what is known already is said to be.
pub fn measure(bench: &Bench, machine: &Machine, report: &mut Report<'_>) -> Result<()> {
    let count = u64::try_from(bench.events)?;
    for (round, connections) in (1..).zip(ROUNDS) {
        let subject = bench.subject()?;
        let events = Corpus::new(round).events(0, count);
        let json: usize = events.iter().map(|event| event.json().len()).sum();
        let shares = shares(&events, connections);
        let (fresh, refused) = offer(&subject.url, &shares)?;
        if let Some(refusal) = refused.filter(|refusal| !refusal.contains("newer")) {
            bail!("the relay refused an event: {refusal}");
        }
        report.row(
            &format!("ingest, {connections} connections"),
            fresh,
            "events/s",
            format!(
                "{:.0} % of verification, {:.0} MB/s",
                100.0 * fresh / machine.verifications,
                fresh * float(json) / float(events.len().max(1)) / 1e6
            ),
        );
        if let Some(bytes) = subject.journal_bytes() {
            let ratio = float(bytes) / float(json.max(1));
            report.row("  disk over JSON", ratio, "", String::new());
        }
        let (again, _) = offer(&subject.url, &shares)?;
        let remark = format!("{:.1} x ingest", again / fresh);
        report.row(&format!("known events, {connections} connections"), again, "events/s", remark);
    }
    Ok(())
}

/// The frames of each connection, and how many.
pub(super) type Share = (Vec<u8>, usize);

pub(super) fn shares(events: &[VerifiedEvent], connections: usize) -> Vec<Share> {
    let mut shares = vec![Share::default(); connections];
    for event in events {
        // An author has one connection, so that versions of one thing come in their order.
        let which = usize::from(event.pubkey.0[0]) % connections;
        if let Some((frames, count)) = shares.get_mut(which) {
            wire::text(&format!("[\"EVENT\",{}]", event.json()), frames);
            *count += 1;
        }
    }
    shares
}

/// Sends everything and waits for every OK; gives events a second, and a refusal if there was any.
pub(super) fn offer(url: &str, shares: &[Share]) -> Result<(f64, Option<String>)> {
    let talks: Vec<_> = shares.iter().map(|_| Talk::open(url)).collect::<Result<_>>()?;
    let begun = Instant::now();
    let refused = thread::scope(|scope| {
        let mut hearing = Vec::new();
        for (mut talk, (frames, count)) in talks.into_iter().zip(shares) {
            let mut writer = talk.writer()?;
            scope.spawn(move || writer.write_all(frames));
            hearing.push(scope.spawn(move || verdicts(&mut talk, *count)));
        }
        let mut refused = None;
        for heard in hearing {
            let first = heard.join().ok().context("a thread of the load broke")??;
            refused = refused.or(first);
        }
        anyhow::Ok(refused)
    })?;
    let total: usize = shares.iter().map(|(_, count)| count).sum();
    Ok((float(total) / begun.elapsed().as_secs_f64(), refused))
}

/// Waits for so many OKs; gives the first that refused.
fn verdicts(talk: &mut Talk, count: usize) -> Result<Option<String>> {
    let mut waiting = count;
    let mut refused = None;
    while waiting > 0 {
        talk.hear(|payload| {
            if !payload.starts_with(b"[\"OK\"") {
                return;
            }
            waiting = waiting.saturating_sub(1);
            // Behind the verb, the id and its quotes and commas stands the verdict.
            let accepted = payload.get(72..78).is_some_and(|rest| rest.contains(&b't'));
            if !accepted && refused.is_none() {
                refused = Some(String::from_utf8_lossy(payload).into_owned());
            }
        })?;
    }
    Ok(refused)
}
