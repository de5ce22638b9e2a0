//! The charters that count, and which of them is in force (protocol section 2).
//!
//! Versions form a tree under the first charter. The witnesses of one version decide its follower,
//! and an honest witness adopts only one; should two followers be adopted all the same, the one
//! with the lowest id is in force, so that everyone who holds the same events says the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ayni_protocol::{EventId, PublicKey};

use crate::entry::CharterText;
use crate::fact::Charter;

/// Charter versions that count.
#[derive(Debug, Clone, Default)]
pub(crate) struct Charters {
    by_id: BTreeMap<EventId, Arc<Charter>>,
    by_community: BTreeMap<EventId, BTreeSet<EventId>>,
    followers: BTreeMap<EventId, BTreeSet<EventId>>,
    /// Keys that any version gives an office.
    offices: BTreeSet<PublicKey>,
}

impl Charters {
    /// Adds a version that counts.
    pub fn add(&mut self, charter: &Arc<Charter>) {
        self.by_id.insert(charter.id, Arc::clone(charter));
        self.by_community.entry(charter.community).or_default().insert(charter.id);
        self.offices.insert(charter.community_key);
        self.offices.extend(&charter.stewards);
        self.offices.extend(charter.witnesses.iter().map(|seat| seat.key));
        if let Some(previous) = charter.previous {
            self.followers.entry(previous).or_default().insert(charter.id);
        }
    }

    pub fn get(&self, id: &EventId) -> Option<&Arc<Charter>> {
        self.by_id.get(id)
    }

    pub fn is_office(&self, key: &PublicKey) -> bool {
        self.offices.contains(key)
    }

    /// Every community that has a charter.
    pub fn communities(&self) -> impl Iterator<Item = EventId> {
        self.by_community.keys().copied()
    }

    /// Every version of a community, by id.
    pub fn versions(&self, community: EventId) -> impl Iterator<Item = &Arc<Charter>> {
        let ids = self.by_community.get(&community).into_iter().flatten();
        ids.filter_map(|id| self.by_id.get(id))
    }

    /// Whether a version has a follower that counts.
    pub fn is_followed(&self, id: &EventId) -> bool {
        self.followers.contains_key(id)
    }

    /// The last version, taking the lowest id where two follow one.
    pub fn in_force(&self, community: EventId) -> Option<&Arc<Charter>> {
        let mut id = community;
        while let Some(follower) = self.followers.get(&id).and_then(BTreeSet::first) {
            id = *follower;
        }
        self.by_id.get(&id)
    }
}

/// The charter that an event's text is, of this community.
#[must_use]
pub fn of_text(
    id: EventId,
    community: EventId,
    community_key: PublicKey,
    text: &CharterText,
) -> Charter {
    Charter {
        id,
        community,
        community_key,
        previous: text.previous.map(|previous| previous.charter),
        name: text.name.clone(),
        languages: text.languages.clone(),
        country: text.country.clone(),
        region: text.region.clone(),
        witnesses: text.witnesses.clone(),
        quorum: text.quorum,
        stewards: text.stewards.clone(),
        approvals: text.approvals,
        beacon: text.beacon.clone(),
        timings: text.timings,
    }
}

/// Whose turn it is to propose: witness `(u32be(subject[0..4]) + attempt) mod n` (section 4).
pub(crate) fn proposer(charter: &Charter, subject: EventId, attempt: u32) -> Option<PublicKey> {
    let [a, b, c, d, ..] = subject.0;
    let turn = u64::from(u32::from_be_bytes([a, b, c, d])) + u64::from(attempt);
    let seats = u64::try_from(charter.witnesses.len()).ok()?;
    let seat = usize::try_from(turn.checked_rem(seats)?).ok()?;
    charter.witnesses.get(seat).map(|seat| seat.key)
}
