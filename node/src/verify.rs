//! `ayni verify`: the audit that anybody can make, with nothing but the events.
//!
//! It folds the lines of a file into a fresh book, in memory, and says what follows from them:
//! every digest, every vote and raffle with its state, and every void event with its reason. It
//! believes no published result: a tally or draw that differs from what it computed is a mismatch.

use std::fmt;
use std::io::BufRead;

use anyhow::{Context as _, Result};
use ayni_protocol::{Event, VerifiedEvent, hex, kind};
use ayni_witness::beacon::Known;

use crate::book::{Book, Void, Waiting};

/// What the events say.
pub struct Report {
    digest: [u8; 32],
    lines: Vec<String>,
    events: usize,
    waiting: Vec<Waiting>,
    /// Unreadable or forged lines: number and reason.
    forged: Vec<(u64, String)>,
    void: Vec<Void>,
    finding: Finding,
}

/// The worst that was found, which is the exit code (protocol section 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// All that is decided is certified, and every published result equals ours.
    Certified,
    /// Something is still open, or waits for events that the file does not hold.
    Provisional,
    /// A published result differs from ours, or a line is no signed event.
    Mismatch,
    /// Two values were decided for one question.
    Disputed,
}

/// Audits events, one JSON object a line.
///
/// # Errors
/// Where the lines cannot be read at all.
pub fn audit(lines: impl BufRead, insecure_test_chains: bool) -> Result<Report> {
    let mut book = Book::new(Known { insecure_test_chains });
    let mut forged = Vec::new();
    for (number, line) in (1_u64..).zip(lines.lines()) {
        let line = line.with_context(|| format!("line {number} cannot be read"))?;
        if line.trim().is_empty() {
            continue;
        }
        match believed(&line) {
            Ok(event) => book.apply(&event),
            Err(reason) => forged.push((number, reason)),
        }
    }
    Ok(Report::of(&book, forged))
}

/// A line as an event that is believed.
///
/// # Errors
/// Why it is none, as a sentence.
pub fn believed(line: &str) -> Result<VerifiedEvent, String> {
    let event = Event::parse(line).map_err(|error| error.to_string())?;
    event.verify().map_err(|error| error.to_string())
}

impl Report {
    fn of(book: &Book, forged: Vec<(u64, String)>) -> Self {
        let void: Vec<_> = book.void().collect();
        let lines = book.digest_lines();
        let waiting: Vec<_> = book.waiting().collect();
        // What only lacks its author's rights decides nothing: else any member could make the whole
        // community's books look unfinished.
        let lacks = book.lacks(&waiting);
        let differs = void.iter().any(|void| {
            matches!(void.seen.kind, kind::TALLY | kind::DRAW) && void.word == "ResultDiffers"
        });
        let finding = if lines.iter().any(|line| line.contains("|disputed|")) {
            Finding::Disputed
        } else if differs || !forged.is_empty() {
            Finding::Mismatch
        } else if lacks || book.is_open() {
            Finding::Provisional
        } else {
            Finding::Certified
        };
        Self { digest: book.digest(), lines, events: book.len(), waiting, forged, void, finding }
    }

    /// 0 certified, 1 provisional, 2 mismatch, 3 disputed.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self.finding {
            Finding::Certified => 0,
            Finding::Provisional => 1,
            Finding::Mismatch => 2,
            Finding::Disputed => 3,
        }
    }

    /// The whole report for programs.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "digest": hex::encode(&self.digest),
            "finding": self.finding.to_string(),
            "economy_events": self.events,
            "waiting": self.waiting.len(),
            "waits": self.waiting.iter().map(|waiting| serde_json::json!({
                "id": waiting.id, "kind": waiting.seen.kind, "author": waiting.seen.author,
                "for": waiting.premise.to_string(),
            })).collect::<Vec<_>>(),
            "lines": self.lines,
            "forged": self.forged.iter().map(|(line, reason)| {
                serde_json::json!({"line": line, "reason": reason})
            }).collect::<Vec<_>>(),
            "void": self.void.iter().map(|void| serde_json::json!({
                "id": void.id, "kind": void.seen.kind, "reason": void.word,
                "sentence": void.sentence,
            })).collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certified => "certified",
            Self::Provisional => "provisional",
            Self::Mismatch => "mismatch",
            Self::Disputed => "disputed",
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            writeln!(f, "{line}")?;
        }
        for (line, reason) in &self.forged {
            writeln!(f, "line {line} is no signed event: {reason}")?;
        }
        for Waiting { id, seen, premise } in &self.waiting {
            writeln!(f, "waiting {id} (kind {}): {premise}", seen.kind)?;
        }
        for Void { id, seen, word, sentence } in &self.void {
            writeln!(f, "void {id} (kind {}): {word}: {sentence}", seen.kind)?;
        }
        writeln!(
            f,
            "{} economy events, {} waiting, {} void",
            self.events,
            self.waiting.len(),
            self.void.len()
        )?;
        write!(f, "digest {}\n{}", hex::encode(&self.digest), self.finding)
    }
}
