//! Rosters (protocol section 2): the frozen lists of who may vote, with how many credits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ayni_protocol::{EventId, PublicKey};

use crate::entry::RosterPart;
use crate::fact::{Roster, RosterRow};
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

/// Parts as they came, and the rosters that were decided.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rosters {
    parts: BTreeMap<Group, BTreeMap<u32, BTreeSet<EventId>>>,
    /// The later parts of each roster, as steps of its decision named them. There may be several
    /// lists, if a part was published twice; all give the same rows, because all give the root.
    named: BTreeMap<EventId, BTreeSet<Vec<EventId>>>,
    decided: BTreeMap<EventId, Arc<Roster>>,
    decided_parts: BTreeSet<EventId>,
}

/// What the parts of one roster share (protocol section 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    author: PublicKey,
    community: EventId,
    root: [u8; 32],
    total: u32,
}

impl Rosters {
    /// Notes a part that came, whatever will become of it.
    pub fn note(&mut self, id: EventId, author: PublicKey, part: &RosterPart) {
        self.parts.entry(group(author, part)).or_default().entry(part.part).or_default().insert(id);
    }

    /// The parts after `first`, in order, taking the lowest id where one was published twice;
    /// nothing while some are missing.
    pub fn parts_after(&self, author: PublicKey, first: &RosterPart) -> Option<Vec<EventId>> {
        let parts = self.parts.get(&group(author, first))?;
        // Counted before walked: the total is what a stranger wrote.
        let complete = u32::try_from(parts.len()).is_ok_and(|held| held == first.total);
        complete.then(|| parts.values().skip(1).filter_map(BTreeSet::first).copied().collect())
    }

    /// Notes that a step named the later parts of a roster, and that they fit.
    pub fn name(&mut self, roster: EventId, later: &[EventId]) {
        if self.decided.contains_key(&roster) {
            self.decided_parts.extend(later);
        }
        if !later.is_empty() {
            self.named.entry(roster).or_default().insert(later.to_vec());
        }
    }

    /// One list of the later parts of a roster that a step named.
    pub fn named_first(&self, roster: &EventId) -> Option<&[EventId]> {
        self.named.get(roster)?.first().map(Vec::as_slice)
    }

    /// Every later part of a roster that a step named.
    pub fn named(&self, roster: &EventId) -> impl Iterator<Item = EventId> {
        self.named.get(roster).into_iter().flatten().flatten().copied()
    }

    /// Adds a decided roster.
    pub fn add(&mut self, roster: &Arc<Roster>) {
        self.decided.insert(roster.id, Arc::clone(roster));
        let parts: Vec<_> = self.named(&roster.id).collect();
        self.decided_parts.extend(parts);
    }

    /// Whether this is a later part of a decided roster.
    pub fn is_part(&self, id: &EventId) -> bool {
        self.decided_parts.contains(id)
    }

    pub fn get(&self, id: &EventId) -> Option<&Arc<Roster>> {
        self.decided.get(id)
    }

    pub fn all(&self) -> impl Iterator<Item = &Arc<Roster>> {
        self.decided.values()
    }
}

const fn group(author: PublicKey, part: &RosterPart) -> Group {
    Group { author, community: part.community, root: part.root, total: part.total }
}

/// The rows of all parts together, if they are the parts of one roster in order: by one author,
/// numbered from 1 to their total, sorted over all, and of the root that they name.
pub(crate) fn joined(parts: &[(PublicKey, &RosterPart)]) -> Option<BTreeMap<PublicKey, RosterRow>> {
    let (author, first) = parts.first()?;
    let mut rows: BTreeMap<PublicKey, RosterRow> = BTreeMap::new();
    let mut number = 0;
    for (by, part) in parts {
        number += 1;
        let belongs = group(*by, part) == group(*author, first) && part.part == number;
        let sorted = rows.last_key_value().zip(part.rows.first_key_value());
        if !belongs || sorted.is_some_and(|((last, _), (next, _))| last >= next) {
            return None;
        }
        rows.extend(part.rows.iter().map(|(key, row)| (*key, row.clone())));
    }
    (number == first.total && root(&rows) == first.root).then_some(rows)
}
