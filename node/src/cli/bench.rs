//! `ayni bench`: how much a relay takes on this machine.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use clap::Args;

use super::{Common, show};
use crate::bench::{self, Part};

/// `ayni bench`
#[derive(Args)]
pub struct Bench {
    /// What to measure; everything if nothing is named
    #[arg(value_enum)]
    parts: Vec<Part>,
    /// Events stored in each round of ingest
    #[arg(long, default_value_t = 100_000)]
    events: usize,
    /// Events in the store that answers queries
    #[arg(long, default_value_t = 100_000)]
    stored: usize,
    /// Subscribers of the larger live round
    #[arg(long, default_value_t = 10_000)]
    subscribers: usize,
    /// Another relay to measure, an empty one: ws://HOST:PORT
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The relay at --url holds the events of `queries` and `scans` already, from a run before
    #[arg(long, requires = "url")]
    loaded: bool,
}

impl Bench {
    pub fn run(self, common: &Common) -> Result<()> {
        let bench = bench::Bench {
            events: self.events,
            stored: self.stored,
            subscribers: self.subscribers,
            parts: BTreeSet::from_iter(self.parts),
            program: std::env::current_exe().context("cannot find this program itself")?,
            url: self.url,
            loaded: self.loaded,
        };
        let json = common.json;
        let rows = bench.run(&mut |row| {
            if !json {
                let _ = show::line(row);
            }
        })?;
        if json { show::json(&serde_json::to_value(&rows)?) } else { Ok(()) }
    }
}
