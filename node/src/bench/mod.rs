//! `ayni bench`: how much a relay on this machine takes and gives, beside what the machine itself
//! can do, measured in the same run.
//!
//! The load comes from this process, the relay runs in a process of its own, on an empty temporary
//! folder, as `ayni run` would start it; so both share the machine, as in every comparison of
//! relays on one computer. With `--url` any other relay is measured by the same load.
//!
//! Figures are for people: read the ratios, the figures change with the hour of the day.
//!
//! Deliberately absent: verdicts. Nothing here fails because something was slow.

mod arrival;
mod corpus;
mod hearing;
mod idle;
mod ingest;
mod live;
mod machine;
mod payments;
mod plain;
mod queries;
mod question;
mod report;
mod scans;
mod subject;
mod wire;

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Result;

pub use corpus::Corpus;
use report::Report;
pub use report::Row;
use subject::Subject;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Part {
    /// Storing events, new ones and known ones, over 1, 4 and 16 connections
    Ingest,
    /// Answers from a full store
    Queries,
    /// Answers from a full store while others ask for the most work that a filter may make
    Scans,
    /// Publisher to subscriber
    Live,
    /// Memory of connections that wait
    Idle,
    /// Payments through the books, each attested
    Payments,
}

/// How it is measured.
#[derive(Debug, Clone)]
pub struct Bench {
    /// Events that are stored in each round of ingest.
    pub events: usize,
    /// Events in the store that answers queries.
    pub stored: usize,
    /// Subscribers of the larger live round.
    pub subscribers: usize,
    /// What is measured; everything where nothing is named.
    pub parts: BTreeSet<Part>,
    /// The program `ayni`, which is run as the relay.
    pub program: PathBuf,
    /// Another relay's address, in place of our own.
    pub url: Option<String>,
    /// Whether it holds the events of the queries already.
    pub loaded: bool,
}

impl Bench {
    /// Runs all that is asked for and gives the figures; `shown` sees each as it comes.
    ///
    /// # Errors
    /// Where a relay cannot be started, or breaks a promise: an event lost, an answer missing.
    pub fn run(&self, shown: &mut dyn FnMut(&Row)) -> Result<Vec<Row>> {
        let mut report = Report::new(shown);
        let machine = machine::measure(&mut report)?;
        if self.measures(Part::Ingest) {
            ingest::measure(self, &machine, &mut report)?;
        }
        if self.measures(Part::Queries) {
            queries::measure(self, &machine, &mut report)?;
        }
        if self.measures(Part::Scans) {
            scans::measure(self, &mut report)?;
        }
        if self.measures(Part::Live) {
            live::measure(self, &mut report)?;
        }
        if self.measures(Part::Idle) {
            idle::measure(self, &mut report)?;
        }
        if self.measures(Part::Payments) {
            payments::measure(self, &machine, &mut report)?;
        }
        Ok(report.rows)
    }

    fn measures(&self, part: Part) -> bool {
        // Many relays neither search nor count: there scans are measured where that is asked for.
        let by_itself = part != Part::Scans || self.url.is_none();
        self.parts.is_empty() && by_itself || self.parts.contains(&part)
    }

    /// The relay that is measured, fresh and empty where it is ours.
    fn subject(&self) -> Result<Subject> {
        match &self.url {
            Some(url) => Subject::at(url),
            None => Subject::start(&self.program, subject::Folder::new()?),
        }
    }
}

/// A count as a number with a fraction.
fn float(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
