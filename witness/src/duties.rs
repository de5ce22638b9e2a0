//! What a witness has to publish now (protocol section 4).
//!
//! Duties are computed from what is known and from the time that is handed in, never remembered:
//! once an event that does a duty is folded, the duty is gone. So a node may ask as often as it
//! likes, and after a crash it goes on where its journal ends. A witness never seals an instance
//! twice, whatever became of its first seal.
//!
//! Deliberately absent: proposing and readiness among several witnesses. Receipts and attestations
//! are everyone's duty; seals are published by a witness that decides alone.

use std::collections::{BTreeMap, BTreeSet};

use ayni_protocol::{Draft, EventId, PublicKey, Timestamp};

use crate::beacon::Chain;
use crate::case::Case;
use crate::council::Council;
use crate::digest::{adopt_digest, box_digest, result_digest, void_digest};
use crate::draft::{self, RECEIPTED_MAX};
use crate::entry::{Body, Choice, Named, Receipt};
use crate::fact::{Charter, Instance, Subject, Value};

/// A case in which `me` holds a seat, with all it takes to see what is due.
struct Seat<'a> {
    council: &'a Council,
    me: &'a PublicKey,
    subject: &'a Subject,
    charter: &'a Charter,
    case: &'a Case,
}

impl Council {
    /// What witness `me` should sign and publish at `now`, in this order. Publishing some and
    /// asking again is always right.
    #[must_use]
    pub fn duties(&self, me: &PublicKey, now: Timestamp) -> Vec<Draft> {
        let mut drafts = self.charter_adoptions(me);
        let rosters = self.candidates.iter().filter(|(of, _)| *of == Instance::Roster);
        drafts.extend(rosters.filter_map(|(_, id)| self.roster_adoption(me, *id)));
        for seat in self.seats(me) {
            seat.duties(now, &mut drafts);
        }
        drafts
    }

    /// When [`Council::duties`] may next have something new to say, if nothing comes in before.
    #[must_use]
    pub fn next_due(&self, me: &PublicKey, now: Timestamp) -> Option<Timestamp> {
        self.seats(me).flat_map(|seat| seat.turning_points()).filter(|at| *at > now).min()
    }

    fn seats<'a>(&'a self, me: &'a PublicKey) -> impl Iterator<Item = Seat<'a>> {
        self.cases.open.iter().filter_map(move |id| {
            let case = self.cases.get(id)?;
            let subject = case.subject.as_deref()?;
            let charter = self.charters.get(&subject.charter)?.as_ref();
            let seated = charter.is_witness(me) && charter.community == subject.community;
            seated.then_some(Seat { council: self, me, subject, charter, case })
        })
    }

    /// Adopts a later charter wherever `me` alone decides and nothing follows the one before yet.
    /// Of several that wait to follow, the one with the lowest id is adopted.
    fn charter_adoptions(&self, me: &PublicKey) -> Vec<Draft> {
        let mut chosen: BTreeMap<EventId, (EventId, &Charter)> = BTreeMap::new();
        let mut settled: BTreeSet<EventId> = BTreeSet::new();
        let candidates = self.candidates.iter().filter(|(of, _)| *of == Instance::Charter);
        for (_, id) in candidates {
            let Some(previous) = self.previous_charter(*id) else { continue };
            if self.has_sealed(me, *id, Instance::Charter) {
                settled.insert(previous.id);
            }
            if decides_alone(me, previous) && !self.charters.is_followed(&previous.id) {
                chosen.entry(previous.id).or_insert((*id, previous));
            }
        }
        chosen
            .into_iter()
            .filter(|(previous, _)| !settled.contains(previous))
            .map(|(_, (id, before))| adoption(before.community, id, Instance::Charter, Vec::new()))
            .collect()
    }

    fn previous_charter(&self, id: EventId) -> Option<&Charter> {
        let Body::Charter(text) = &self.entry(&id)?.body else { return None };
        self.charters.get(&text.previous?.charter).map(AsRef::as_ref)
    }

    /// Adopts a roster whose parts are all here, where `me` alone decides.
    fn roster_adoption(&self, me: &PublicKey, id: EventId) -> Option<Draft> {
        let first = self.entry(&id)?;
        let Body::Roster(part) = &first.body else { return None };
        let charter = self.charters.in_force(part.community)?;
        if !decides_alone(me, charter) || self.has_sealed(me, id, Instance::Roster) {
            return None;
        }
        let later = self.rosters.parts_after(first.author, part)?;
        self.rows(first, part, &later)?;
        Some(adoption(part.community, id, Instance::Roster, later))
    }

    fn has_sealed(&self, me: &PublicKey, subject: EventId, instance: Instance) -> bool {
        self.decisions.sealed_by.contains(&(*me, subject, instance))
    }
}

fn decides_alone(me: &PublicKey, charter: &Charter) -> bool {
    charter.witnesses.len() == 1 && charter.is_witness(me)
}

fn adoption(
    community: EventId,
    subject: EventId,
    instance: Instance,
    later: Vec<EventId>,
) -> Draft {
    let choice = Choice { named: Named::Adopt(later), digest: adopt_digest(subject) };
    draft::seal(community, subject, instance, choice)
}

impl Seat<'_> {
    fn duties(&self, now: Timestamp, drafts: &mut Vec<Draft>) {
        if !self.has_sealed(Instance::Close) {
            if (self.subject.opens..=self.subject.last_receipt()).contains(&now) {
                self.receipts(drafts);
            }
            if now > self.subject.last_receipt() {
                self.attestations(drafts);
            }
        }
        if !decides_alone(self.me, self.charter) {
            return;
        }
        if !self.has_sealed(Instance::Close) {
            drafts.extend(self.close(now).map(|choice| self.seal(Instance::Close, choice)));
        } else if !self.has_sealed(Instance::Outcome) {
            drafts.extend(self.outcome(now).map(|choice| self.seal(Instance::Outcome, choice)));
        }
    }

    /// Instants at which something becomes due.
    fn turning_points(&self) -> Vec<Timestamp> {
        let mut points = Vec::new();
        if !self.has_sealed(Instance::Close) {
            points.push(self.subject.opens);
            points.push(after(self.subject.last_receipt()));
            points.extend(self.seal_deadline().map(after));
        } else if !self.has_sealed(Instance::Outcome) {
            points.extend(self.beacon_deadline().map(after));
        }
        points
    }

    fn receipts(&self, drafts: &mut Vec<Draft>) {
        let mut missing = self.case.unreceived_by(self.me);
        loop {
            let entries: BTreeSet<EventId> = missing.by_ref().take(RECEIPTED_MAX).collect();
            if entries.is_empty() {
                return;
            }
            let (community, subject) = (self.subject.community, self.subject.id);
            drafts.push(draft::receipt(&Receipt { community, subject, entries }));
        }
    }

    /// The entries that I received, all parts or those that are still missing.
    fn attestations(&self, drafts: &mut Vec<Draft>) {
        let none = BTreeSet::new();
        let received = self.case.received.get(self.me).unwrap_or(&none);
        let parts = draft::box_attestations(self.subject.community, self.subject.id, received);
        let mut missing: BTreeSet<u32> = parts.iter().map(|part| part.part).collect();
        for id in self.case.attestations.get(self.me).into_iter().flatten() {
            let Some(Body::Attestation(published)) = self.council.entry(id).map(|it| &it.body)
            else {
                continue;
            };
            // I attested another list before; two lists of one witness would be a lie.
            if parts.first().is_none_or(|part| part.root != published.root) {
                return;
            }
            missing.remove(&published.part);
        }
        let due = parts.iter().filter(|part| missing.contains(&part.part));
        drafts.extend(due.map(draft::box_attestation));
    }

    /// What I decide on the box, if it is time.
    fn close(&self, now: Timestamp) -> Option<Choice> {
        if let Some(reason) = self.case.failures.first() {
            return Some(self.void(reason));
        }
        if now <= self.subject.last_receipt() {
            return None;
        }
        let late = self.seal_deadline().is_some_and(|deadline| now > deadline);
        if late || self.subject.round.is_some() && self.charter.beacon.is_none() {
            return Some(self.void("no-seal"));
        }
        let (attestations, ids) = self.own_attestation()?;
        if self.case.units(&ids) < self.subject.min_units {
            return Some(self.void("min-units"));
        }
        let digest = box_digest(self.subject.id, &ids);
        Some(Choice { named: Named::Box(attestations), digest })
    }

    /// The events of my attestation and what they list, once all its parts are here. A part that
    /// was published twice is taken once.
    fn own_attestation(&self) -> Option<(BTreeSet<EventId>, BTreeSet<EventId>)> {
        let mut lists: BTreeMap<[u8; 32], BTreeMap<u32, EventId>> = BTreeMap::new();
        for id in self.case.attestations.get(self.me)? {
            if let Some(Body::Attestation(of)) = self.council.entry(id).map(|it| &it.body) {
                lists.entry(of.root).or_default().entry(of.part).or_insert(*id);
            }
        }
        lists.into_values().find_map(|parts| {
            let events: BTreeSet<EventId> = parts.into_values().collect();
            let ids = self.council.attested_by(&events)?;
            Some((events, ids))
        })
    }

    /// What I decide on the outcome, if it can be said.
    fn outcome(&self, now: Timestamp) -> Option<Choice> {
        let mut decided = self.council.decisions.decided(&self.subject.id, Instance::Close);
        let is_boxed = decided.any(|decision| matches!(decision.value, Value::Box(_)));
        if !is_boxed || self.council.decisions.is_disputed(&self.subject.id) {
            return None;
        }
        if let Some(result) = self.case.results.first() {
            let digest = result_digest(self.subject.id, *result);
            return Some(Choice { named: Named::Result, digest });
        }
        let overdue = self.beacon_deadline().is_some_and(|deadline| now > deadline);
        overdue.then(|| self.void("no-beacon"))
    }

    /// The last second at which a box may be sealed, if it has to be sealed before a round.
    fn seal_deadline(&self) -> Option<Timestamp> {
        Some(self.round()?.1.saturating_sub(self.charter.timings.margin))
    }

    /// The last second at which a round is waited for that has not come.
    fn beacon_deadline(&self) -> Option<Timestamp> {
        let (chain, at) = self.round()?;
        let has_come = self.council.round(&chain.hash, self.subject.round?).is_some();
        (!has_come).then(|| at.saturating_add(self.charter.timings.beacon_deadline))
    }

    /// The beacon and when its round is due.
    fn round(&self) -> Option<(&Chain, Timestamp)> {
        let chain = self.charter.beacon.as_ref()?;
        Some((chain, chain.time_of(self.subject.round?)))
    }

    fn has_sealed(&self, instance: Instance) -> bool {
        self.council.has_sealed(self.me, self.subject.id, instance)
    }

    fn void(&self, reason: &str) -> Choice {
        let digest = void_digest(self.subject.id, reason);
        Choice { named: Named::Void(reason.to_owned()), digest }
    }

    fn seal(&self, instance: Instance, choice: Choice) -> Draft {
        draft::seal(self.subject.community, self.subject.id, instance, choice)
    }
}

/// The first second after.
const fn after(at: Timestamp) -> Timestamp {
    at.saturating_add(1)
}
