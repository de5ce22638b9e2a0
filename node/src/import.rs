//! Events as JSON lines, the format other relays use: out of a store, and into one.
//!
//! What comes from a file enters by the same door as what comes from a stranger: shape, size, id
//! and signature are checked, and a line that fails is counted and named, never half-stored.

use std::fmt;
use std::io::{BufRead, Write};
use std::time::Duration;

use anyhow::{Context as _, Result};
use ayni_protocol::{Event, Filter, VerifiedEvent};
use ayni_store::{DiskStore, Outcome, Position, Store as _};
use indicatif::ProgressBar;

use crate::admission;
use crate::clock;
use crate::config::Config;
use crate::management::Rulebook;
use crate::verify;

/// Lines verified and stored with one sync.
const BATCH: usize = 4_096;
/// Refused lines that are named one by one.
const NAMED: usize = 20;

/// What became of the lines of a file.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Imported {
    stored: u64,
    known: u64,
    superseded: u64,
    refused: u64,
    /// The first refused lines: number and reason.
    reasons: Vec<(u64, String)>,
}

/// Reads events into a store.
///
/// # Errors
/// Where the file cannot be read or the store cannot be written. What was stored before stays.
pub fn import(
    lines: impl BufRead,
    store: &DiskStore,
    config: &Config,
    rulebook: &Rulebook,
) -> Result<Imported> {
    let mut imported = Imported::default();
    let progress = progress();
    let mut batch = Vec::with_capacity(BATCH);
    for (number, line) in (1_u64..).zip(lines.lines()) {
        let line = line.with_context(|| format!("line {number} cannot be read"))?;
        if line.trim().is_empty() {
            continue;
        }
        match check(&line, config, rulebook) {
            Ok(event) => batch.push(event),
            Err(reason) => imported.refuse(number, reason),
        }
        progress.inc(1);
        if batch.len() == BATCH {
            imported.store(store, &mut batch)?;
        }
    }
    imported.store(store, &mut batch)?;
    progress.finish_and_clear();
    Ok(imported)
}

/// What the operator removed stays away, wherever it comes from.
fn check(line: &str, config: &Config, rulebook: &Rulebook) -> Result<VerifiedEvent, String> {
    let event = verify::believed(line)?;
    if !event.kind.is_economy() {
        rulebook.event_is_not_banned(&event.id).map_err(|rejection| rejection.to_string())?;
    }
    admission::lasting(&event, &config.limits).map_err(|rejection| rejection.to_string())?;
    Ok(event)
}

/// A bar with a rate on a terminal, nothing elsewhere.
fn progress() -> ProgressBar {
    let progress = ProgressBar::no_length();
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

    fn store(&mut self, store: &DiskStore, batch: &mut Vec<VerifiedEvent>) -> Result<()> {
        for outcome in store.append(batch, clock::now())? {
            match outcome {
                Outcome::Stored(_) => self.stored += 1,
                Outcome::Duplicate => self.known += 1,
                _ => self.superseded += 1,
            }
        }
        batch.clear();
        Ok(())
    }

    /// The counts and the first refused lines.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "stored": self.stored,
            "known": self.known,
            "superseded": self.superseded,
            "refused": self.refused,
            "reasons": self.reasons.iter().map(|(line, reason)| {
                serde_json::json!({"line": line, "reason": reason})
            }).collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for Imported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} stored, {} known already, {} replaced, deleted or expired, {} refused",
            self.stored, self.known, self.superseded, self.refused
        )?;
        for (line, reason) in &self.reasons {
            write!(f, "\n  line {line}: {reason}")?;
        }
        Ok(())
    }
}

/// Writes every event that matches, one a line, in the order they were accepted.
///
/// # Errors
/// Where `out` cannot be written.
pub fn export(store: &DiskStore, filter: Option<&Filter>, out: &mut impl Write) -> Result<()> {
    let mut written = Ok(());
    store.scan(Position(0), &mut |_, json| {
        let wanted = filter
            .is_none_or(|filter| Event::parse(json).is_ok_and(|event| filter.matches(&event)));
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
