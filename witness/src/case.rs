//! A case: what the witnesses have on one proposal or raffle (protocol section 4, steps 1 and 2).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ayni_protocol::{EventId, PublicKey};

use crate::fact::{Charter, Subject};

/// Everything that was handed in on one subject. The subject itself may come last.
#[derive(Debug, Clone, Default)]
pub(crate) struct Case {
    pub subject: Option<Arc<Subject>>,
    /// Valid entries and their units.
    pub entries: BTreeMap<EventId, u64>,
    /// Reasons for which it has to be voided.
    pub failures: BTreeSet<String>,
    /// Results that this node computed: one, unless witnesses cheated and decided two boxes.
    pub results: BTreeSet<[u8; 32]>,
    /// Which entries each witness received in time.
    pub received: BTreeMap<PublicKey, BTreeSet<EventId>>,
    /// The other entries, by seat, so that a witness need not compare all at every step. Empty
    /// until subject and charter are known.
    unreceived: BTreeMap<PublicKey, BTreeSet<EventId>>,
    /// Attestation events, by witness.
    pub attestations: BTreeMap<PublicKey, BTreeSet<EventId>>,
}

impl Case {
    /// Notes an entry. Two facts on one entry agree; the larger would win, whichever came first.
    pub fn add_entry(&mut self, entry: EventId, units: u64) {
        let held = self.entries.entry(entry).or_default();
        *held = units.max(*held);
        for (seat, missing) in &mut self.unreceived {
            if !self.received.get(seat).is_some_and(|received| received.contains(&entry)) {
                missing.insert(entry);
            }
        }
    }

    /// Notes what a witness received.
    pub fn add_receipt(&mut self, witness: PublicKey, entries: &BTreeSet<EventId>) {
        self.received.entry(witness).or_default().extend(entries);
        if let Some(missing) = self.unreceived.get_mut(&witness) {
            for entry in entries {
                missing.remove(entry);
            }
        }
    }

    /// Notes who the witnesses are, once subject and charter are known.
    pub fn seat(&mut self, charter: &Charter) {
        for seat in &charter.witnesses {
            let received = self.received.get(&seat.key);
            let entries = self.entries.keys().copied();
            let missing = entries.filter(|id| !received.is_some_and(|ids| ids.contains(id)));
            self.unreceived.insert(seat.key, missing.collect());
        }
    }

    /// Entries that this witness holds no receipt for.
    pub fn unreceived_by(&self, witness: &PublicKey) -> impl Iterator<Item = EventId> {
        self.unreceived.get(witness).into_iter().flatten().copied()
    }

    /// Units of these entries together.
    pub fn units(&self, of: &BTreeSet<EventId>) -> u64 {
        of.iter()
            .filter_map(|id| self.entries.get(id))
            .fold(0, |sum, units| sum.saturating_add(*units))
    }
}

/// Every case.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cases {
    by_subject: BTreeMap<EventId, Case>,
    by_charter: BTreeMap<EventId, BTreeSet<EventId>>,
    /// Cases in which something may remain to be done.
    pub open: BTreeSet<EventId>,
    /// Receipts of an entry, by witness.
    pub receipts: BTreeMap<EventId, BTreeSet<(PublicKey, EventId)>>,
}

impl Cases {
    pub fn get(&self, subject: &EventId) -> Option<&Case> {
        self.by_subject.get(subject)
    }

    pub fn at(&mut self, subject: EventId) -> &mut Case {
        self.by_subject.entry(subject).or_default()
    }

    /// The subject, if its fact has come.
    pub fn subject(&self, id: &EventId) -> Option<&Arc<Subject>> {
        self.by_subject.get(id)?.subject.as_ref()
    }

    /// Opens the case of a subject; `charter` is its charter, if that counts already.
    pub fn open(&mut self, subject: &Arc<Subject>, charter: Option<&Charter>) {
        let case = self.at(subject.id);
        if case.subject.is_some() {
            return;
        }
        case.subject = Some(Arc::clone(subject));
        if let Some(charter) = charter {
            case.seat(charter);
        }
        self.by_charter.entry(subject.charter).or_default().insert(subject.id);
        self.open.insert(subject.id);
    }

    /// A charter has come to count: its cases have seats now.
    pub fn seat(&mut self, charter: &Charter) {
        for subject in self.by_charter.get(&charter.id).into_iter().flatten() {
            if let Some(case) = self.by_subject.get_mut(subject) {
                case.seat(charter);
            }
        }
    }

    /// Every subject, by id.
    pub fn subjects(&self) -> impl Iterator<Item = &Arc<Subject>> {
        self.by_subject.values().filter_map(|case| case.subject.as_ref())
    }
}
