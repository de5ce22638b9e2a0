//! What a community set, whom it honoured, and what its members agreed to (protocol section 2).
//!
//! Settings form a tree under version 1. Where two follow one, the one with the lowest id is in
//! force, so that everyone who holds the same events reads the same configuration.

use std::collections::BTreeMap;

use ayni_protocol::{EventId, PublicKey};

use crate::entry::{Consent, Merit, Setting};

/// Settings, merit and consents that count.
#[derive(Debug, Clone, Default)]
pub(crate) struct Customs {
    /// By community and what they follow.
    settings: BTreeMap<(EventId, Option<EventId>), BTreeMap<EventId, Setting>>,
    merits: BTreeMap<(EventId, PublicKey), BTreeMap<EventId, Merit>>,
    consents: BTreeMap<(EventId, PublicKey), BTreeMap<EventId, Consent>>,
}

/// A configured value and the event that set it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForce {
    /// The value.
    pub value: String,
    /// The setting (kind 4741) that set it last.
    pub event: EventId,
}

impl Customs {
    pub fn add_setting(&mut self, id: EventId, setting: &Setting) {
        let place = (setting.community, setting.previous);
        self.settings.entry(place).or_default().insert(id, setting.clone());
    }

    pub fn add_merit(&mut self, id: EventId, merit: &Merit) {
        let place = (merit.community, merit.member);
        self.merits.entry(place).or_default().insert(id, merit.clone());
    }

    pub fn add_consent(&mut self, id: EventId, member: PublicKey, consent: &Consent) {
        let place = (consent.community, member);
        self.consents.entry(place).or_default().insert(id, consent.clone());
    }

    /// The settings in force, from version 1 on.
    fn chain(&self, community: EventId) -> impl Iterator<Item = (EventId, &Setting)> {
        let after = move |previous| {
            let (id, setting) = self.settings.get(&(community, previous))?.first_key_value()?;
            Some((*id, setting))
        };
        std::iter::successors(after(None), move |(id, _)| after(Some(*id)))
    }

    pub fn settings(&self, community: EventId) -> BTreeMap<String, InForce> {
        let mut all = BTreeMap::new();
        for (event, setting) in self.chain(community) {
            for (key, value) in &setting.changes {
                all.insert(key.clone(), InForce { value: value.clone(), event });
            }
        }
        all
    }

    /// The last setting in force and its version.
    pub fn head(&self, community: EventId) -> Option<(EventId, u64)> {
        self.chain(community).last().map(|(id, setting)| (id, setting.version))
    }

    pub fn merits(
        &self,
        community: EventId,
        member: PublicKey,
    ) -> Option<&BTreeMap<EventId, Merit>> {
        self.merits.get(&(community, member))
    }

    pub fn consents(
        &self,
        community: EventId,
        member: PublicKey,
    ) -> Option<&BTreeMap<EventId, Consent>> {
        self.consents.get(&(community, member))
    }
}

/// Points of all awards together, summed wide and cut to what fits, so that order cannot matter.
pub(crate) fn points<'a>(awards: impl IntoIterator<Item = &'a Merit>) -> i64 {
    let sum: i128 = awards.into_iter().map(|award| i128::from(award.points)).sum();
    i64::try_from(sum).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX })
}

/// Whether one setting may follow another.
pub(crate) fn follows(setting: &Setting, previous: &Setting) -> bool {
    previous.version.checked_add(1) == Some(setting.version)
}
