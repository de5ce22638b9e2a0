//! Memory of a relay whose clients wait: connections with one subscription each, and nothing said.

use anyhow::Result;

use super::wire::{self, Talk};
use super::{Bench, Report, float};

/// Connections that wait.
const CONNECTIONS: usize = 5_000;

/// Measures resident bytes for each of them; nothing where it is not our own process.
pub fn measure(bench: &Bench, report: &mut Report<'_>) -> Result<()> {
    let subject = bench.subject()?;
    let Some(before) = subject.resident_bytes() else { return Ok(()) };
    let mut talks = Vec::with_capacity(CONNECTIONS);
    for number in 0..CONNECTIONS {
        let mut talk = Talk::open(&subject.url)?;
        let author = format!("{number:064x}");
        let mut frame = Vec::new();
        wire::text(&format!(r#"["REQ","wait",{{"authors":["{author}"]}}]"#), &mut frame);
        talk.send(&frame)?;
        let mut open = false;
        while !open {
            talk.hear(|payload| open |= payload.starts_with(b"[\"EOSE\""))?;
        }
        talks.push(talk.idle());
    }
    let after = subject.resident_bytes().unwrap_or(before);
    let each = float(after.saturating_sub(before)) / float(talks.len());
    let name = format!("idle connection, of {CONNECTIONS}");
    report.row(&name, each / 1_024.0, "KiB", "with one subscription".into());
    Ok(())
}
