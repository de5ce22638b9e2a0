//! Rosters (protocol section 2): the frozen lists of who may vote, with how many credits.

use std::collections::BTreeMap;

use ayni_protocol::{EventId, PublicKey};

use crate::entry::RosterPart;
use crate::fact::RosterRow;
use crate::merkle;
use crate::read::ROSTER_ROWS_MAX;

/// Root over the rows of a whole roster; a leaf is `key || u32be(credits) || flags`.
#[must_use]
pub fn root(rows: &BTreeMap<PublicKey, RosterRow>) -> [u8; 32] {
    merkle::root(rows.iter().map(|(key, row)| {
        [key.0.as_slice(), &row.credits.to_be_bytes(), flags(row).as_bytes()].concat()
    }))
}

/// A row's flags as they are written and hashed: sorted, joined by commas.
#[must_use]
pub fn flags(row: &RosterRow) -> String {
    row.flags.iter().map(String::as_str).collect::<Vec<_>>().join(",")
}

/// The parts that a whole roster is published in, at least one.
#[must_use]
pub fn parts(community: EventId, rows: &BTreeMap<PublicKey, RosterRow>) -> Vec<RosterPart> {
    let root = root(rows);
    let total = u32::try_from(rows.len().div_ceil(ROSTER_ROWS_MAX).max(1)).unwrap_or(u32::MAX);
    let mut rows = rows.iter().map(|(key, row)| (*key, row.clone()));
    (1..=total)
        .map(|part| {
            let rows = rows.by_ref().take(ROSTER_ROWS_MAX).collect();
            RosterPart { community, part, total, root, rows }
        })
        .collect()
}
