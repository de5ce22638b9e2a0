//! What a witness has to publish now (protocol section 4).
//!
//! Duties are computed from what is known and from the time that is handed in, never remembered:
//! once an event that does a duty is folded, the duty is gone. So a node may ask as often as it
//! likes, and after a crash it goes on where its journal ends. A witness never seals an instance
//! twice, whatever became of its first seal.
//!
//! A witness that decides alone seals at once. Several come to a value by the steps of
//! [`crate::deliberation`]; what that value may be is said here.

use std::collections::{BTreeMap, BTreeSet};

use ayni_protocol::{Draft, EventId, PublicKey, Timestamp};

use crate::beacon::Chain;
use crate::case::Case;
use crate::council::Council;
use crate::deliberation::{Bench, Opinion};
use crate::digest::{adopt_digest, box_digest, result_digest, void_digest};
use crate::draft::{self, RECEIPTED_MAX};
use crate::entry::{Body, BoxAttestation, Choice, Named, Receipt};
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
        let mut drafts = self.charter_adoptions(me, now);
        let rosters = self.candidates.iter().filter(|(of, _)| *of == Instance::Roster);
        drafts.extend(rosters.filter_map(|(_, id)| self.roster_adoption(me, *id, now)));
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

    /// Adopts a later charter wherever `me` holds a seat and nothing follows the one before yet. Of
    /// several that wait to follow, the one with the lowest id is adopted.
    fn charter_adoptions(&self, me: &PublicKey, now: Timestamp) -> Vec<Draft> {
        let mut chosen: BTreeMap<EventId, (EventId, &Charter)> = BTreeMap::new();
        let mut settled: BTreeMap<EventId, EventId> = BTreeMap::new();
        let candidates = self.candidates.iter().filter(|(of, _)| *of == Instance::Charter);
        for (_, id) in candidates {
            let Some(previous) = self.previous_charter(*id) else { continue };
            if self.has_sealed(me, *id, Instance::Charter) {
                settled.insert(previous.id, *id);
            }
            if previous.is_witness(me) && !self.charters.is_followed(&previous.id) {
                chosen.entry(previous.id).or_insert((*id, previous));
            }
        }
        let adopt = |(previous, (lowest, before)): (EventId, (EventId, &Charter))| {
            let sealed = settled.get(&previous).copied();
            if decides_alone(me, before) {
                let first = sealed.is_none();
                return first
                    .then(|| adoption(before.community, lowest, Instance::Charter, Vec::new()));
            }
            let id = sealed.unwrap_or(lowest);
            self.deliberate_adoption(me, before, id, Instance::Charter, Vec::new(), now)
        };
        chosen.into_iter().filter_map(adopt).collect()
    }

    fn previous_charter(&self, id: EventId) -> Option<&Charter> {
        let Body::Charter(text) = &self.entry(&id)?.body else { return None };
        self.charters.get(&text.previous?.charter).map(AsRef::as_ref)
    }

    /// Adopts a roster whose parts are all here.
    fn roster_adoption(&self, me: &PublicKey, id: EventId, now: Timestamp) -> Option<Draft> {
        let first = self.entry(&id)?;
        let Body::Roster(part) = &first.body else { return None };
        let charter = self.charters.in_force(part.community)?;
        let alone = decides_alone(me, charter);
        if !charter.is_witness(me) || alone && self.has_sealed(me, id, Instance::Roster) {
            return None;
        }
        let later = self.rosters.parts_after(first.author, part)?;
        self.rows(first, part, &later)?;
        if alone {
            return Some(adoption(part.community, id, Instance::Roster, later));
        }
        self.deliberate_adoption(me, charter, id, Instance::Roster, later, now)
    }

    /// The next step on the way to adopting a charter or roster.
    fn deliberate_adoption(
        &self,
        me: &PublicKey,
        charter: &Charter,
        subject: EventId,
        instance: Instance,
        later: Vec<EventId>,
        now: Timestamp,
    ) -> Option<Draft> {
        let since = self.entry(&subject)?.created_at;
        let community = charter.community;
        let bench = Bench { council: self, me, charter, community, subject, instance, since };
        let choice = Choice { named: Named::Adopt(later), digest: adopt_digest(subject) };
        let agrees = |proposed: &Choice| proposed.digest == choice.digest;
        bench.next(&Opinion { wish: Some(choice.clone()), agrees: &agrees }, now)
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
            return drafts.extend(self.deliberate(now));
        }
        if !self.has_sealed(Instance::Close) {
            drafts.extend(self.close(now).map(|choice| self.seal(Instance::Close, choice)));
        } else if !self.has_sealed(Instance::Outcome) {
            drafts.extend(self.outcome(now).map(|choice| self.seal(Instance::Outcome, choice)));
        }
    }

    /// The next step towards the box or, once that is decided, towards the outcome.
    fn deliberate(&self, now: Timestamp) -> Option<Draft> {
        let decisions = &self.council.decisions;
        let is_open = decisions.decided(&self.subject.id, Instance::Close).next().is_none();
        let instance = if is_open { Instance::Close } else { Instance::Outcome };
        let wish = if is_open { self.close(now) } else { self.outcome(now) };
        let agrees = |choice: &Choice| match &choice.named {
            Named::Box(_) => is_open && self.may_box(choice, now),
            // The digest was found among the results that this node computed.
            Named::Result => !is_open,
            Named::Void(reason) if self.case.failures.contains(reason) => is_open,
            Named::Void(_) => wish.as_ref() == Some(choice),
            Named::Adopt(_) | Named::Closes(_) => false,
        };
        let bench = Bench {
            council: self.council,
            me: self.me,
            charter: self.charter,
            community: self.subject.community,
            subject: self.subject.id,
            instance,
            since: self.since(is_open),
        };
        bench.next(&Opinion { wish: wish.clone(), agrees: &agrees }, now)
    }

    /// Whether a proposed box is one that I could have proposed, at another witness's place.
    fn may_box(&self, choice: &Choice, now: Timestamp) -> bool {
        let boxes = &self.council.decisions.boxes;
        let late = self.seal_deadline().is_some_and(|deadline| now > deadline);
        let units = boxes.get(&(self.subject.id, choice.digest)).map(|ids| self.case.units(ids));
        !late
            && self.case.failures.is_empty()
            && units.is_some_and(|units| units >= self.subject.min_units)
    }

    /// When there was something to decide: after the last receipt, or after the round.
    fn since(&self, is_open: bool) -> Timestamp {
        let closed = after(self.subject.last_receipt());
        let round = self.round().map_or(closed, |(_, at)| at.max(closed));
        if is_open { closed } else { round }
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
        let mine = self.lists(self.me);
        if mine.iter().any(|((_, total), parts)| parts.keys().copied().eq(1..=*total)) {
            return;
        }
        let none = BTreeSet::new();
        let received = self.case.received.get(self.me).unwrap_or(&none);
        let parts = draft::box_attestations(self.subject.community, self.subject.id, received);
        let list = parts.first().map(|part| (part.root, part.total));
        // I attested another list before; two lists of one witness would be a lie.
        if mine.keys().any(|other| Some(*other) != list) {
            return;
        }
        let published = |part: &&BoxAttestation| {
            mine.values().any(|published| published.contains_key(&part.part))
        };
        let due = parts.iter().filter(|part| !published(part));
        drafts.extend(due.map(draft::box_attestation));
    }

    /// What a witness attested: lists by root and number of parts, with an event for each part that
    /// is here. A part that was published twice is taken once.
    fn lists(&self, witness: &PublicKey) -> BTreeMap<([u8; 32], u32), BTreeMap<u32, EventId>> {
        let mut lists: BTreeMap<_, BTreeMap<u32, EventId>> = BTreeMap::new();
        for id in self.case.attestations.get(witness).into_iter().flatten() {
            if let Some(Body::Attestation(of)) = self.council.entry(id).map(|it| &it.body) {
                let list = lists.entry((of.root, of.total)).or_default();
                list.entry(of.part).or_insert(*id);
            }
        }
        lists
    }

    /// What I decide on the box, if it is time.
    fn close(&self, now: Timestamp) -> Option<Choice> {
        // A void without a reason could not be read again.
        if let Some(reason) = self.case.failures.iter().find(|reason| !reason.is_empty()) {
            return Some(self.void(reason));
        }
        if now <= self.subject.last_receipt() {
            return None;
        }
        let late = self.seal_deadline().is_some_and(|deadline| now > deadline);
        if late || self.subject.round.is_some() && self.charter.beacon.is_none() {
            return Some(self.void("no-seal"));
        }
        let (attestations, ids) = self.attested()?;
        if self.case.units(&ids) < self.subject.min_units {
            return Some(self.void("min-units"));
        }
        let digest = box_digest(self.subject.id, &ids);
        Some(Choice { named: Named::Box(attestations), digest })
    }

    /// The attestations that are here whole, of at least a quorum of witnesses, and what enough of
    /// them list.
    fn attested(&self) -> Option<(BTreeSet<EventId>, BTreeSet<EventId>)> {
        let mut events = BTreeSet::new();
        let mut listed: BTreeMap<EventId, usize> = BTreeMap::new();
        let mut witnesses = 0;
        for seat in &self.charter.witnesses {
            let whole = self.lists(&seat.key).into_values().find_map(|parts| {
                let parts: BTreeSet<EventId> = parts.into_values().collect();
                Some((self.council.attested_by(&parts)?, parts))
            });
            let Some((ids, parts)) = whole else { continue };
            events.extend(parts);
            ids.into_iter().for_each(|id| *listed.entry(id).or_default() += 1);
            witnesses += 1;
        }
        let enough = self.charter.inclusion();
        let ids = listed.into_iter().filter(|(_, by)| *by >= enough).map(|(id, _)| id).collect();
        (witnesses >= self.charter.quorum).then_some((events, ids))
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::draft;
    use crate::entry::CharterText;
    use crate::fact::{Fact, Timings};
    use crate::testing::{
        FOUNDER, STRANGER, WITNESS, World, beacon, charter, id, key, later, list, roster, vote_in,
    };

    /// A community whose one witness serves, with a vote from 100 to 200 and 10 seconds of grace.
    fn village() -> (World, EventId, EventId) {
        let mut world = World::new();
        let cid = world.found(&[WITNESS]);
        let vote = world.vote(vote_in(cid, cid, 50));
        (world, cid, vote)
    }

    /// The same, where the box has to be sealed by second 250 and round 31 is due at 300.
    fn village_with_a_round() -> (World, EventId) {
        let mut world = World::new();
        let text = CharterText {
            beacon: Some(beacon().0),
            timings: Timings { margin: 50, beacon_deadline: 1_000, ..Timings::default() },
            ..charter(&[WITNESS])
        };
        let cid = world.add(FOUNDER, draft::charter(&text));
        let vote = world.vote(Subject { round: Some(31), ..vote_in(cid, cid, 50) });
        (world, vote)
    }

    #[test]
    fn a_vote_is_received_attested_boxed_and_certified() {
        let (mut world, _, vote) = village();
        world.entry(vote, id(1));
        world.entry(vote, id(2));
        assert!(world.serve(WITNESS, 99).is_empty(), "not yet open");
        assert_eq!(world.serve(WITNESS, 100), ["receipt of 2"]);
        world.entry(vote, id(3));
        assert_eq!(world.serve(WITNESS, 210), ["receipt of 1"]);
        world.entry(vote, id(4));
        assert_eq!(world.serve(WITNESS, 211), ["attestation 1/1 of 3", "Close box"]);
        let counts = world.council.box_of(&vote).unwrap();
        assert_eq!(*counts.as_ref(), BTreeSet::from([id(1), id(2), id(3)]));
        assert!(world.serve(WITNESS, 9_999_999).is_empty(), "open ballots wait for no round");
        world.hear(&Fact::Result { subject: vote, result: [8; 32] });
        assert_eq!(world.serve(WITNESS, 212), ["Outcome result"]);
        let outcome = world.council.decision(&vote, Instance::Outcome).unwrap();
        assert_eq!(outcome.value, Value::Result([8; 32]));
        assert_eq!(world.council.next_due(&key(WITNESS), 0), None);
        assert_eq!(world.council.steps(&vote).count(), 2);
    }

    #[test]
    fn a_vote_without_entries_has_an_empty_box() {
        let (mut world, _, vote) = village();
        assert_eq!(world.serve(WITNESS, 211), ["attestation 1/1 of 0", "Close box"]);
        assert!(world.council.box_of(&vote).unwrap().is_empty());
    }

    #[test]
    fn an_instant_is_never_missed() {
        let (mut world, vote) = village_with_a_round();
        world.entry(vote, id(1));
        let due = |world: &World, now| world.council.next_due(&key(WITNESS), now);
        assert_eq!(due(&world, 0), Some(100));
        assert_eq!(due(&world, 100), Some(211));
        assert_eq!(due(&world, 211), Some(251));
        assert_eq!(due(&world, 251), None);
        world.serve(WITNESS, 100);
        world.serve(WITNESS, 211);
        assert_eq!(due(&world, 211), Some(1_301));
    }

    #[test]
    fn a_failed_subject_is_voided_at_once() {
        let (mut world, _, vote) = village();
        world.entry(vote, id(1));
        for reason in ["withdrawn", "cancelled"] {
            world.hear(&Fact::Failed { subject: vote, reason: reason.into() });
        }
        let done = world.serve(WITNESS, 100);
        assert_eq!(done, ["receipt of 1", "Close void cancelled"], "of two reasons the first word");
        assert!(world.serve(WITNESS, 300).is_empty());
    }

    #[test]
    fn too_few_units_void() {
        let (mut world, cid, _) = village();
        let raffle = world.vote(Subject { min_units: 10, ..vote_in(cid, cid, 51) });
        world.hear(&Fact::Entry { subject: raffle, entry: id(1), units: 4 });
        world.hear(&Fact::Entry { subject: raffle, entry: id(2), units: 5 });
        world.serve(WITNESS, 150);
        // Enough units, but not in time.
        world.hear(&Fact::Entry { subject: raffle, entry: id(3), units: 5 });
        let done = world.serve(WITNESS, 211);
        assert!(done.ends_with(&["Close void min-units".to_owned()]), "{done:?}");
    }

    #[test]
    fn a_box_is_fixed_blind_or_not_at_all() {
        let (mut world, vote) = village_with_a_round();
        world.entry(vote, id(1));
        world.serve(WITNESS, 150);
        let mut late = World { council: world.council.clone(), facts: Vec::new() };
        assert_eq!(world.serve(WITNESS, 250), ["attestation 1/1 of 1", "Close box"]);
        let done = late.serve(WITNESS, 251);
        assert_eq!(done, ["attestation 1/1 of 1", "Close void no-seal"]);
        assert_eq!(late.council.awaited_rounds().len(), 0);
    }

    #[test]
    fn a_round_that_never_comes_voids_the_outcome() {
        let (mut world, vote) = village_with_a_round();
        world.serve(WITNESS, 211);
        let (chain, beacon) = beacon();
        assert_eq!(world.council.awaited_rounds(), BTreeSet::from([(chain.hash, 31)]));
        assert!(world.serve(WITNESS, 1_300).is_empty());
        let mut silent = World { council: world.council.clone(), facts: Vec::new() };
        assert_eq!(silent.serve(WITNESS, 1_301), ["Outcome void no-beacon"]);
        // It came, if late: now only a result is waited for.
        let round = chain.verify(31, &beacon.sign(31)).unwrap();
        world.add(STRANGER, draft::beacon(&round));
        assert!(world.council.awaited_rounds().is_empty());
        assert!(world.serve(WITNESS, 9_999).is_empty());
        world.hear(&Fact::Result { subject: vote, result: [8; 32] });
        assert_eq!(world.serve(WITNESS, 9_999), ["Outcome result"]);
    }

    #[test]
    fn many_entries_take_many_receipts_and_parts() {
        let (mut world, cid, vote) = village();
        let entries: Vec<EventId> =
            (0..2_100_u32).map(|n| EventId(crate::canonical::sha256(n.to_be_bytes()))).collect();
        entries.iter().for_each(|entry| world.entry(vote, *entry));
        let receipts = world.serve(WITNESS, 100);
        assert_eq!(receipts.len(), 5);
        assert_eq!(receipts[4], "receipt of 100");
        // A node that stopped after one part publishes the others only.
        let parts = draft::box_attestations(cid, vote, &entries.iter().copied().collect());
        world.add(WITNESS, draft::box_attestation(&parts[1]));
        assert_eq!(
            world.serve(WITNESS, 211),
            ["attestation 1/3 of 2100", "attestation 3/3 of 2100", "Close box"]
        );
        assert_eq!(world.council.box_of(&vote).unwrap().len(), 2_100);
    }

    #[test]
    fn a_part_that_was_published_twice_is_sealed_once() {
        let (mut world, cid, vote) = village();
        world.entry(vote, id(1));
        world.serve(WITNESS, 100);
        let part = draft::box_attestation(&list(cid, vote, &[id(1)]));
        world.add(WITNESS, part.clone());
        world.put(&part.sign(&crate::testing::keys(WITNESS), 2, [0; 32]));
        assert_eq!(world.serve(WITNESS, 211), ["Close box"]);
    }

    #[test]
    fn a_witness_never_attests_two_lists() {
        let (mut world, cid, vote) = village();
        world.entry(vote, id(1));
        world.serve(WITNESS, 100);
        world.add(WITNESS, draft::box_attestation(&list(cid, vote, &[])));
        assert_eq!(world.serve(WITNESS, 211), ["Close box"], "what it attested, it seals");
        assert!(world.council.box_of(&vote).unwrap().is_empty());
    }

    #[test]
    fn a_later_charter_is_adopted_once() {
        let (mut world, cid, _) = village();
        let texts =
            ["One", "Other"].map(|name| CharterText { name: name.into(), ..charter(&[12]) });
        let mut ids = texts.map(|text| world.add(FOUNDER, later(cid, cid, text)));
        ids.sort();
        assert_eq!(world.serve(WITNESS, 1), ["Charter adopt"]);
        assert_eq!(world.verdict(&ids[0]), "counted");
        assert_eq!(world.verdict(&ids[1]), "waits for a decision");
        assert!(world.serve(12, 1).is_empty(), "only the previous witness adopts");
    }

    #[test]
    fn a_roster_is_adopted_once_it_is_whole() {
        let (mut world, cid, _) = village();
        let [first, second, third] = &roster(cid, &[21, 22, 23], 1)[..] else { panic!("three") };
        world.add(FOUNDER, draft::roster(third));
        let subject = world.add(FOUNDER, draft::roster(first));
        assert!(world.serve(WITNESS, 1).is_empty());
        let part = world.add(FOUNDER, draft::roster(second));
        assert_eq!(world.serve(WITNESS, 1), ["Roster adopt"]);
        assert_eq!(world.verdict(&part), "counted");
        let roster = world.council.roster(&subject).unwrap();
        assert_eq!(roster.rows.keys().copied().collect::<BTreeSet<_>>().len(), 3);
        assert!(world.facts.contains(&Fact::Roster(Arc::clone(roster))));
        assert_eq!(world.council.rosters(cid).count(), 1);
    }

    #[test]
    fn others_have_no_duties() {
        let (mut world, cid, vote) = village();
        world.entry(vote, id(1));
        world.add(FOUNDER, draft::roster(&roster(cid, &[21], 9)[0]));
        for now in [0, 150, 211, 9_999] {
            assert!(world.council.duties(&key(STRANGER), now).is_empty());
        }
        assert_eq!(world.council.next_due(&key(STRANGER), 0), None);
    }

    #[test]
    fn several_witnesses_receive_and_attest() {
        let mut world = World::new();
        let cid = world.found(&[11, 12, 13]);
        let vote = world.vote(vote_in(cid, cid, 50));
        world.entry(vote, id(1));
        assert_eq!(world.serve(12, 150), ["receipt of 1"]);
        assert_eq!(world.serve(12, 211), ["attestation 1/1 of 1"]);
        assert_eq!(world.council.attestations(&vote).count(), 1);
        assert_eq!(world.council.entries(&vote).collect::<Vec<_>>(), [id(1)]);
    }
}
