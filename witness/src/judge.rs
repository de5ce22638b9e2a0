//! What becomes of an event of the council, given what is known.
//!
//! Every rule here looks only at the event itself and at things that never change again once they
//! are so; a rule that fails is checked before anything that may yet come is waited for, or else
//! waits for a premise whose verdict is final. So the verdict on an event is the same in whatever
//! order its premises came.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ayni_protocol::{EventId, Part, Premise, PublicKey, Ruling};

use crate::acts::Standing;
use crate::charter;
use crate::council::{Council, Wake};
use crate::custom::follows;
use crate::digest::{adopt_digest, box_digest, closes_digest, result_digest, void_digest};
use crate::entry::{
    Action, BeaconRound, Body, BoxAttestation, CharterText, Choice, Entry, Named, RosterPart,
    Setting, Step,
};
use crate::fact::{Charter, Instance, Roster, Round, Value};
use crate::reason::Reason;
use crate::{merkle, roster};

/// Why an event does not count.
pub(crate) enum Stop {
    /// It never will.
    Void(Reason),
    /// Not yet; it is judged again when one of these comes.
    Waits(Premise, Vec<Wake>),
}

/// What an event that counts brings about, beyond what it says itself.
pub(crate) enum Effect {
    Nothing,
    Charter(Arc<Charter>),
    Roster(Arc<Roster>),
    Value(Value),
    Round(Round),
}

type Judged<T> = Result<T, Stop>;

fn ensure(holds: bool, reason: Reason) -> Judged<()> {
    if holds { Ok(()) } else { Err(Stop::Void(reason)) }
}

fn waits<T>(premise: Premise, on: impl Into<Vec<Wake>>) -> Judged<T> {
    Err(Stop::Waits(premise, on.into()))
}

impl Council {
    /// Judges an entry by what is known now.
    pub(crate) fn judge(&self, entry: &Entry) -> Judged<Effect> {
        match &entry.body {
            Body::Charter(text) => {
                self.judge_charter(entry, text).map(Arc::new).map(Effect::Charter)
            }
            Body::Roster(part) if part.part == 1 => {
                self.judge_roster(entry, part).map(Arc::new).map(Effect::Roster)
            }
            Body::Roster(part) => self.judge_later_part(entry, part),
            Body::Receipt(receipt) => {
                self.witness_of(entry.author, receipt.subject, receipt.community)?;
                Ok(Effect::Nothing)
            }
            Body::Attestation(of) => {
                self.witness_of(entry.author, of.subject, of.community)?;
                Ok(Effect::Nothing)
            }
            Body::Step(step) => self.judge_step(entry.author, step),
            Body::Beacon(round) => self.judge_beacon(round).map(Effect::Round),
            Body::Consent(consent) => {
                if self.charters.get(&consent.community).is_none() {
                    return unknown_community(consent.community);
                }
                Ok(Effect::Nothing)
            }
            Body::Setting(setting) => self.judge_setting(entry, setting),
            Body::Merit(merit) => {
                self.stands(entry, merit.community, true)?;
                Ok(Effect::Nothing)
            }
        }
    }

    fn judge_charter(&self, entry: &Entry, text: &CharterText) -> Judged<Charter> {
        let beacon_is_known = text.beacon.as_ref().is_none_or(|chain| self.known.allows(chain));
        ensure(beacon_is_known, Reason::UnknownBeacon)?;
        let Some(previous) = text.previous else {
            return Ok(charter::of_text(entry.id, entry.id, entry.author, text));
        };
        let before = self.counted_charter(previous.charter)?;
        ensure(before.community == previous.community, Reason::OtherCommunity)?;
        self.stands(entry, previous.community, false)?;
        if !self.decisions.is_adopted(&entry.id, Instance::Charter) {
            let decided = Wake::Decided(entry.id, Instance::Charter);
            return waits(Premise::Decision, [decided]);
        }
        Ok(charter::of_text(entry.id, before.community, before.community_key, text))
    }

    /// The first part of a roster stands for the whole: its approval is the roster's.
    fn judge_roster(&self, entry: &Entry, part: &RosterPart) -> Judged<Roster> {
        self.stands(entry, part.community, false)?;
        let later = self.rosters.named_first(&entry.id).unwrap_or_default();
        let adopted = self.decisions.is_adopted(&entry.id, Instance::Roster);
        match self.rows(entry, part, later).filter(|_| adopted) {
            Some(rows) => Ok(Roster { id: entry.id, community: part.community, rows }),
            None => waits(Premise::Decision, [Wake::Decided(entry.id, Instance::Roster)]),
        }
    }

    fn judge_later_part(&self, entry: &Entry, part: &RosterPart) -> Judged<Effect> {
        match self.acts.standing(entry.id, entry.author, part.community, false) {
            Standing::Void => return Err(Stop::Void(Reason::NotTheCommunity)),
            Standing::Waiting(Premise::Event(_)) => return unknown_community(part.community),
            Standing::Waiting(_) | Standing::Counts => {}
        }
        if self.rosters.is_part(&entry.id) {
            return Ok(Effect::Nothing);
        }
        waits(Premise::Decision, [Wake::Part(entry.id)])
    }

    fn judge_setting(&self, entry: &Entry, setting: &Setting) -> Judged<Effect> {
        if let Some(id) = setting.previous {
            self.counted(id)?;
            let Some(Body::Setting(previous)) = self.entry(&id).map(|entry| &entry.body) else {
                return Err(Stop::Void(Reason::PremiseVoid));
            };
            ensure(previous.community == setting.community, Reason::OtherCommunity)?;
            ensure(follows(setting, previous), Reason::WrongVersion)?;
        }
        self.stands(entry, setting.community, false)?;
        Ok(Effect::Nothing)
    }

    fn judge_beacon(&self, beacon: &BeaconRound) -> Judged<Round> {
        let Some(chain) = self.chains.get(&beacon.chain) else {
            return waits(Premise::Earlier, [Wake::Chain(beacon.chain)]);
        };
        // A round has one signature, so one that is known need not be verified again.
        let known = self.rounds.get(&(beacon.chain, beacon.round));
        let round = match known {
            Some(round) => (round.signature == beacon.signature).then(|| round.clone()),
            None => chain.verify(beacon.round, &beacon.signature),
        };
        round.ok_or(Stop::Void(Reason::WrongSignature))
    }

    fn judge_step(&self, author: PublicKey, step: &Step) -> Judged<Effect> {
        let panel = self.panel(author, step)?;
        match &step.action {
            Action::Ready(_) => Ok(Effect::Nothing),
            Action::Propose(choice) => {
                self.proposes(author, step, &panel)?;
                self.value(step, choice, &panel, false).map(Effect::Value)
            }
            Action::Seal(choice) => self.value(step, choice, &panel, true).map(Effect::Value),
        }
    }

    /// The charters that decide this and in which the author holds a seat.
    fn panel(&self, author: PublicKey, step: &Step) -> Judged<Vec<Arc<Charter>>> {
        match step.instance {
            Instance::Close | Instance::Outcome => {
                let charter = self.witness_of(author, step.subject, step.community)?;
                Ok(vec![Arc::clone(charter)])
            }
            Instance::Charter => {
                let Body::Charter(text) = &self.arrived(step.subject)?.body else {
                    return Err(Stop::Void(Reason::NothingToDecide));
                };
                let previous = text.previous.ok_or(Stop::Void(Reason::NothingToDecide))?;
                let before = self.counted_charter(previous.charter)?;
                ensure(before.community == step.community, Reason::OtherCommunity)?;
                ensure(before.is_witness(&author), Reason::NotAWitness)?;
                Ok(vec![Arc::clone(before)])
            }
            Instance::Handover => {
                let Some((community, charter)) = self.rules.get(&step.subject) else {
                    return waits(Premise::Event(step.subject), [Wake::Subject(step.subject)]);
                };
                ensure(*community == step.community, Reason::OtherCommunity)?;
                let charter = self.counted_charter(*charter)?;
                ensure(charter.is_witness(&author), Reason::NotAWitness)?;
                Ok(vec![Arc::clone(charter)])
            }
            Instance::Roster => {
                let Body::Roster(part) = &self.arrived(step.subject)?.body else {
                    return Err(Stop::Void(Reason::NothingToDecide));
                };
                ensure(part.part == 1, Reason::NothingToDecide)?;
                ensure(part.community == step.community, Reason::OtherCommunity)?;
                let versions = self.charters.versions(part.community);
                let seats: Vec<_> = versions.filter(|it| it.is_witness(&author)).cloned().collect();
                if seats.is_empty() {
                    // A later charter may yet give its author a seat.
                    return waits(Premise::Decision, [Wake::Community(part.community)]);
                }
                Ok(seats)
            }
        }
    }

    fn proposes(&self, author: PublicKey, step: &Step, panel: &[Arc<Charter>]) -> Judged<()> {
        let has_turn = |charter: &Arc<Charter>| {
            charter::proposer(charter, step.subject, step.attempt) == Some(author)
        };
        if panel.iter().any(has_turn) {
            return Ok(());
        }
        match step.instance {
            Instance::Roster => waits(Premise::Decision, [Wake::Community(step.community)]),
            _ => Err(Stop::Void(Reason::NotTheProposer)),
        }
    }

    /// The value of a step, its digest recomputed. A seal may leave out what a proposal named.
    fn value(
        &self,
        step: &Step,
        choice: &Choice,
        panel: &[Arc<Charter>],
        is_seal: bool,
    ) -> Judged<Value> {
        let fits = |digest| ensure(digest == choice.digest, Reason::WrongDigest);
        match &choice.named {
            Named::Void(reason) => {
                fits(void_digest(step.subject, reason))?;
                Ok(Value::Void(reason.clone()))
            }
            Named::Adopt(parts) => {
                fits(adopt_digest(step.subject))?;
                if step.instance == Instance::Roster {
                    self.whole_roster(step, choice, parts, is_seal)?;
                }
                Ok(Value::Adopt)
            }
            Named::Box(named) if named.is_empty() && is_seal => {
                match self.decisions.boxes.get(&(step.subject, choice.digest)) {
                    Some(ids) => Ok(Value::Box(Arc::clone(ids))),
                    None => unnamed(step, choice),
                }
            }
            Named::Box(named) => {
                let ids = self.boxed(step.subject, panel, named)?;
                fits(box_digest(step.subject, &ids))?;
                Ok(Value::Box(Arc::new(ids)))
            }
            Named::Result => self.result(step, choice),
            Named::Closes(closes) => {
                fits(closes_digest(step.subject, closes))?;
                Ok(Value::Closes(Arc::new(closes.clone())))
            }
        }
    }

    /// A result counts if this node computed it. One that it did not compute waits rather than
    /// being void, because a second, disputed box might yet give it.
    fn result(&self, step: &Step, choice: &Choice) -> Judged<Value> {
        let results = self.cases.get(&step.subject).map(|case| &case.results);
        results
            .into_iter()
            .flatten()
            .find(|result| result_digest(step.subject, **result) == choice.digest)
            .map(|result| Value::Result(*result))
            .ok_or_else(|| Stop::Waits(Premise::Decision, vec![Wake::Result(step.subject)]))
    }

    /// Whether the named parts make the roster whole.
    fn whole_roster(
        &self,
        step: &Step,
        choice: &Choice,
        parts: &[EventId],
        is_seal: bool,
    ) -> Judged<()> {
        let first = self.arrived(step.subject)?;
        let Body::Roster(part) = &first.body else {
            return Err(Stop::Void(Reason::NothingToDecide));
        };
        if parts.is_empty() && part.total > 1 && is_seal {
            let named = self.rosters.named_first(&step.subject).is_some();
            return if named { Ok(()) } else { unnamed(step, choice) };
        }
        for id in parts {
            self.arrived(*id)?;
        }
        ensure(self.rows(first, part, parts).is_some(), Reason::WrongParts)
    }

    /// The rows of a roster, from its first part and its later ones.
    pub(crate) fn rows(
        &self,
        first: &Entry,
        part: &RosterPart,
        later: &[EventId],
    ) -> Option<BTreeMap<PublicKey, crate::fact::RosterRow>> {
        let mut parts = vec![(first.author, part)];
        for id in later {
            let entry = self.entry(id)?;
            let Body::Roster(part) = &entry.body else { return None };
            parts.push((entry.author, part));
        }
        roster::joined(&parts)
    }

    /// Every id that enough of the named attestations list: `ceil(q / 2)` of at least q.
    fn boxed(
        &self,
        subject: EventId,
        panel: &[Arc<Charter>],
        named: &BTreeSet<EventId>,
    ) -> Judged<BTreeSet<EventId>> {
        let charter = panel.first().ok_or(Stop::Void(Reason::NotAWitness))?;
        let mut lists: BTreeMap<PublicKey, Vec<&BoxAttestation>> = BTreeMap::new();
        for id in named {
            self.counted(*id)?;
            match self.entry(id) {
                Some(Entry { author, body: Body::Attestation(of), .. }) => {
                    ensure(of.subject == subject, Reason::WrongAttestation)?;
                    lists.entry(*author).or_default().push(of);
                }
                _ => return Err(Stop::Void(Reason::WrongAttestation)),
            }
        }
        let mut listings: BTreeMap<EventId, usize> = BTreeMap::new();
        let witnesses = lists.len();
        for parts in lists.into_values() {
            let ids = attested(parts).ok_or(Stop::Void(Reason::WrongAttestation))?;
            for id in ids {
                *listings.entry(id).or_default() += 1;
            }
        }
        ensure(witnesses >= charter.quorum, Reason::TooFewAttestations)?;
        let enough = charter.inclusion();
        Ok(listings.into_iter().filter(|(_, by)| *by >= enough).map(|(id, _)| id).collect())
    }

    /// The ids that these attestations of one witness list, once all their parts are here.
    pub(crate) fn attested_by(&self, parts: &BTreeSet<EventId>) -> Option<BTreeSet<EventId>> {
        let parts = parts.iter().map(|id| match &self.entry(id)?.body {
            Body::Attestation(of) => Some(of),
            _ => None,
        });
        attested(parts.collect::<Option<_>>()?)
    }

    /// Whether this is the seal of a result that this node did not compute.
    pub(crate) fn is_foreign_result(&self, id: &EventId) -> bool {
        let Some(Entry { author, body: Body::Step(step), .. }) = self.entry(id) else {
            return false;
        };
        let Action::Seal(choice @ Choice { named: Named::Result, .. }) = &step.action else {
            return false;
        };
        self.panel(*author, step).is_ok() && self.result(step, choice).is_err()
    }

    /// The charter of a subject, in which this key holds a seat.
    fn witness_of(
        &self,
        key: PublicKey,
        subject: EventId,
        community: EventId,
    ) -> Judged<&Arc<Charter>> {
        let Some(of) = self.cases.subject(&subject) else {
            return waits(Premise::Event(subject), [Wake::Subject(subject)]);
        };
        ensure(of.community == community, Reason::OtherCommunity)?;
        let charter = self.counted_charter(of.charter)?;
        ensure(charter.community == community, Reason::OtherCommunity)?;
        ensure(charter.is_witness(&key), Reason::NotAWitness)?;
        Ok(charter)
    }

    fn counted_charter(&self, id: EventId) -> Judged<&Arc<Charter>> {
        self.counted(id)?;
        self.charters.get(&id).ok_or(Stop::Void(Reason::PremiseVoid))
    }

    /// That an event counts, or what is in the way.
    fn counted(&self, id: EventId) -> Judged<()> {
        match self.ruling(&id) {
            Some(Ruling::Counted) => Ok(()),
            Some(Ruling::Void(_)) => Err(Stop::Void(Reason::PremiseVoid)),
            Some(Ruling::Waiting(_)) | None => waits(Premise::Event(id), [Wake::Ruled(id)]),
        }
    }

    fn arrived(&self, id: EventId) -> Judged<&Entry> {
        self.entry(&id).ok_or_else(|| Stop::Waits(Premise::Event(id), vec![Wake::Arrived(id)]))
    }

    /// That an act of the community counts (see [`crate::acts`]).
    fn stands(&self, act: &Entry, community: EventId, everyday: bool) -> Judged<()> {
        match self.acts.standing(act.id, act.author, community, everyday) {
            Standing::Counts => Ok(()),
            Standing::Void => Err(Stop::Void(Reason::NotTheCommunity)),
            Standing::Waiting(premise) => {
                waits(premise, [Wake::Act(act.id), Wake::Community(community)])
            }
        }
    }
}

fn unknown_community<T>(community: EventId) -> Judged<T> {
    waits(Premise::Event(community), [Wake::Community(community)])
}

fn unnamed<T>(step: &Step, choice: &Choice) -> Judged<T> {
    waits(Premise::Earlier, [Wake::Named(step.subject, choice.digest)])
}

/// The ids of one witness's attestation, if these are all its parts.
fn attested(mut parts: Vec<&BoxAttestation>) -> Option<BTreeSet<EventId>> {
    parts.sort_by_key(|part| part.part);
    let first = *parts.first()?;
    let mut ids: BTreeSet<EventId> = BTreeSet::new();
    let mut number = 0;
    for part in parts {
        number += 1;
        let belongs = part.part == number
            && (part.total, part.count, part.root) == (first.total, first.count, first.root);
        let sorted = ids.last().zip(part.ids.first()).is_none_or(|(last, next)| last < next);
        if !belongs || !sorted {
            return None;
        }
        ids.extend(&part.ids);
    }
    let whole = number == first.total
        && u64::try_from(ids.len()) == Ok(first.count)
        && merkle::root(ids.iter().map(|id| id.0)) == first.root;
    whole.then_some(ids)
}

#[cfg(test)]
mod tests {
    use ayni_protocol::Draft;

    use super::*;
    use crate::beacon::Chain;
    use crate::draft;
    use crate::entry::{BeaconRound, Merit};
    use crate::fact::{Fact, Subject};
    use crate::testing::{
        FOUNDER, STRANGER, WITNESS, World, adopt, attestation, beacon, boxed, charter, id, key,
        later, list, receipt, roster, seal, seal_box, setting, step, void, vote_in,
    };

    const CLOSE: Instance = Instance::Close;

    /// A community of three witnesses, two of whom decide, and a vote in it.
    fn council_of_three() -> (World, EventId, EventId) {
        let mut world = World::new();
        let cid = world.found(&[11, 12, 13]);
        let subject = world.vote(vote_in(cid, cid, 50));
        (world, cid, subject)
    }

    fn close(cid: EventId, subject: EventId, action: fn(Choice) -> Action, named: Named) -> Draft {
        step(cid, subject, CLOSE, (action, 1), (named, &boxed(&[id(1)])))
    }

    fn box_of(attestations: &[EventId]) -> Named {
        Named::Box(attestations.iter().copied().collect())
    }

    /// Who proposes in attempt 1.
    fn proposer(subject: EventId) -> u8 {
        let [a, b, c, d, ..] = subject.0;
        11 + u8::try_from((u32::from_be_bytes([a, b, c, d]) + 1) % 3).unwrap()
    }

    #[test]
    fn unknown_beacon() {
        let mut world = World::new();
        let with = |chain| CharterText { beacon: Some(chain), ..charter(&[WITNESS]) };
        let (mut changed, _) = beacon();
        changed.genesis += 1;
        assert_eq!(world.says(FOUNDER, draft::charter(&with(changed))), "UnknownBeacon");
        assert_eq!(world.says(FOUNDER, draft::charter(&with(beacon().0))), "counted");
        assert_eq!(world.says(FOUNDER, draft::charter(&with(Chain::quicknet()))), "counted");
        let mut strict = World { council: Council::new(Default::default()), facts: Vec::new() };
        assert_eq!(strict.says(FOUNDER, draft::charter(&with(beacon().0))), "UnknownBeacon");
    }

    #[test]
    fn other_community() {
        let (mut world, cid, subject) = council_of_three();
        let other = world.add(2, draft::charter(&charter(&[11])));
        assert_eq!(world.says(FOUNDER, later(other, cid, charter(&[11]))), "OtherCommunity");
        assert_eq!(world.says(11, receipt(other, subject, &[id(1)])), "OtherCommunity");
        assert_eq!(world.says(11, void(other, subject, CLOSE, "x")), "OtherCommunity");
        let first = world.add(FOUNDER, setting(cid, 1, None, "a", "1"));
        let second = setting(other, 2, Some(first), "a", "2");
        assert_eq!(world.says(2, second), "OtherCommunity");
    }

    /// A subject that names the charter of another community has no witnesses at all.
    #[test]
    fn other_community_decides_nothing() {
        let (mut world, cid, _) = council_of_three();
        let other = world.add(2, draft::charter(&charter(&[14])));
        let subject = world.vote(vote_in(cid, other, 51));
        assert_eq!(world.says(14, void(cid, subject, CLOSE, "x")), "OtherCommunity");
        assert!(world.serve(14, 5_000).is_empty());
    }

    #[test]
    fn not_the_community() {
        let (mut world, cid, _) = council_of_three();
        let part = &roster(cid, &[21, 22], 1);
        assert_eq!(world.says(STRANGER, later(cid, cid, charter(&[99]))), "NotTheCommunity");
        assert_eq!(world.says(STRANGER, setting(cid, 1, None, "a", "1")), "NotTheCommunity");
        assert_eq!(world.says(STRANGER, draft::roster(&part[0])), "NotTheCommunity");
        assert_eq!(world.says(STRANGER, draft::roster(&part[1])), "NotTheCommunity");
    }

    #[test]
    fn not_a_witness() {
        let (mut world, cid, subject) = council_of_three();
        assert_eq!(world.says(STRANGER, receipt(cid, subject, &[id(1)])), "NotAWitness");
        assert_eq!(world.says(STRANGER, attestation(cid, subject, &[id(1)])), "NotAWitness");
        assert_eq!(world.says(STRANGER, void(cid, subject, CLOSE, "x")), "NotAWitness");
        let next = world.add(FOUNDER, later(cid, cid, charter(&[99])));
        assert_eq!(world.says(STRANGER, adopt(cid, next, Instance::Charter, &[])), "NotAWitness");
    }

    /// Which charter decides a roster no event says, so a later one may yet seat the author.
    #[test]
    fn whoever_gets_a_seat_later_may_have_sealed_a_roster() {
        let mut world = World::new();
        let cid = world.found(&[WITNESS]);
        let first = world.add(FOUNDER, draft::roster(&roster(cid, &[21], 9)[0]));
        let early = world.add(12, adopt(cid, first, Instance::Roster, &[]));
        assert_eq!(world.verdict(&early), "waits for a decision");
        let next = world.add(FOUNDER, later(cid, cid, charter(&[12])));
        world.add(WITNESS, adopt(cid, next, Instance::Charter, &[]));
        assert_eq!(world.verdict(&early), "counted");
        assert_eq!(world.verdict(&first), "counted");
    }

    /// Seats of two charters do not add up; those of any one do.
    #[test]
    fn a_roster_is_decided_by_enough_seats_of_one_charter() {
        let (mut world, cid, _) = council_of_three();
        let first = world.add(FOUNDER, draft::roster(&roster(cid, &[21], 9)[0]));
        let other = world.add(FOUNDER, draft::roster(&roster(cid, &[22], 9)[0]));
        let next = world.add(FOUNDER, later(cid, cid, charter(&[13, 14])));
        for who in [11, 12] {
            world.add(who, adopt(cid, next, Instance::Charter, &[]));
        }
        for (who, roster) in [(11, first), (14, first), (13, other)] {
            assert_eq!(world.says(who, adopt(cid, roster, Instance::Roster, &[])), "counted");
        }
        assert_eq!(world.verdict(&first), "waits for a decision");
        world.add(13, adopt(cid, first, Instance::Roster, &[]));
        assert_eq!(world.verdict(&first), "counted");
        // A seal that counts already is enough for a charter that comes later.
        let last = world.add(FOUNDER, later(cid, next, charter(&[13])));
        assert_eq!(world.verdict(&other), "waits for a decision");
        for who in [13, 14] {
            world.add(who, adopt(cid, last, Instance::Charter, &[]));
        }
        assert_eq!(world.verdict(&other), "counted");
    }

    #[test]
    fn not_the_proposer() {
        let (mut world, cid, subject) = council_of_three();
        let turn = proposer(subject);
        for who in [11, 12, 13] {
            let seen: Vec<_> =
                [11, 12].map(|who| world.add(who, attestation(cid, subject, &[id(1)]))).into();
            let said = world.says(who, close(cid, subject, Action::Propose, box_of(&seen)));
            assert_eq!(said, if who == turn { "counted" } else { "NotTheProposer" });
        }
    }

    #[test]
    fn premise_void() {
        let (mut world, cid, subject) = council_of_three();
        let wrong = world.add(FOUNDER, setting(cid, 3, Some(cid), "a", "1"));
        assert_eq!(world.verdict(&wrong), "PremiseVoid", "a charter is no setting");
        assert_eq!(world.says(FOUNDER, setting(cid, 4, Some(wrong), "a", "1")), "PremiseVoid");
        assert_eq!(world.says(FOUNDER, later(cid, wrong, charter(&[11]))), "PremiseVoid");
        let forged = world.add(STRANGER, attestation(cid, subject, &[id(1)]));
        let sealed = world.says(11, seal_box(cid, subject, &[forged], &[id(1)]));
        assert_eq!(sealed, "PremiseVoid");
    }

    #[test]
    fn wrong_version() {
        let (mut world, cid, _) = council_of_three();
        let first = world.add(FOUNDER, setting(cid, 1, None, "a", "1"));
        assert_eq!(world.says(FOUNDER, setting(cid, 3, Some(first), "a", "2")), "WrongVersion");
        assert_eq!(world.says(FOUNDER, setting(cid, 2, Some(first), "a", "2")), "counted");
    }

    #[test]
    fn nothing_to_decide() {
        let (mut world, cid, _) = council_of_three();
        let parts = roster(cid, &[21, 22], 1);
        world.add(FOUNDER, draft::roster(&parts[0]));
        let second = world.add(FOUNDER, draft::roster(&parts[1]));
        for (subject, instance) in [
            (cid, Instance::Charter),
            (cid, Instance::Roster),
            (second, Instance::Roster),
            (second, Instance::Charter),
        ] {
            assert_eq!(world.says(11, adopt(cid, subject, instance, &[])), "NothingToDecide");
        }
    }

    #[test]
    fn wrong_digest() {
        let (mut world, cid, subject) = council_of_three();
        let seen: Vec<_> =
            [11, 12].map(|who| world.add(who, attestation(cid, subject, &[id(1)]))).into();
        assert_eq!(world.says(11, seal_box(cid, subject, &seen, &[id(2)])), "WrongDigest");
        let other_reason =
            seal(cid, subject, CLOSE, Named::Void("a".into()), &Value::Void("b".into()));
        assert_eq!(world.says(11, other_reason), "WrongDigest");
        let next = world.add(FOUNDER, later(cid, cid, charter(&[11])));
        let no_adoption =
            seal(cid, next, Instance::Charter, Named::Adopt(vec![]), &Value::Void("b".into()));
        assert_eq!(world.says(11, no_adoption), "WrongDigest");
    }

    #[test]
    fn wrong_attestation() {
        let (mut world, cid, subject) = council_of_three();
        let other = world.vote(vote_in(cid, cid, 51));
        let good = world.add(11, attestation(cid, subject, &[id(1)]));
        let elsewhere = world.add(12, attestation(cid, other, &[id(1)]));
        let twice = world.add(11, attestation(cid, subject, &[id(2)]));
        let half =
            crate::entry::BoxAttestation { total: 2, count: 2, ..list(cid, subject, &[id(1)]) };
        let half = world.add(12, draft::box_attestation(&half));
        let receipt = world.add(12, receipt(cid, subject, &[id(1)]));
        for wrong in [[good, elsewhere], [good, twice], [good, half], [good, receipt]] {
            let said = world.says(11, seal_box(cid, subject, &wrong, &[id(1)]));
            assert_eq!(said, "WrongAttestation");
        }
    }

    #[test]
    fn too_few_attestations() {
        let (mut world, cid, subject) = council_of_three();
        let one = world.add(11, attestation(cid, subject, &[id(1)]));
        assert_eq!(world.says(11, seal_box(cid, subject, &[one], &[id(1)])), "TooFewAttestations");
        let who = proposer(subject);
        let none = close(cid, subject, Action::Propose, box_of(&[]));
        assert_eq!(world.says(who, none), "TooFewAttestations");
    }

    #[test]
    fn wrong_parts() {
        let mut world = World::new();
        let cid = world.found(&[WITNESS]);
        let parts: Vec<_> = roster(cid, &[21, 22, 23], 1)
            .iter()
            .map(|part| world.add(FOUNDER, draft::roster(part)))
            .collect();
        let other = world.add(FOUNDER, draft::roster(&roster(cid, &[31, 32], 1)[1]));
        for wrong in [
            &[parts[1]][..],
            &[parts[2], parts[1]],
            &[parts[1], other],
            &[parts[0], parts[1], parts[2]],
        ] {
            let said = world.says(WITNESS, adopt(cid, parts[0], Instance::Roster, wrong));
            assert_eq!(said, "WrongParts");
        }
        let whole = adopt(cid, parts[0], Instance::Roster, &parts[1..]);
        assert_eq!(world.says(WITNESS, whole), "counted");
        for part in &parts {
            assert_eq!(world.verdict(part), "counted");
        }
        assert_eq!(world.council.roster(&parts[0]).unwrap().rows.len(), 3);
    }

    #[test]
    fn wrong_signature() {
        let mut world = World::new();
        let (chain, beacon) = beacon();
        let round = |round: u64, of: u64| BeaconRound {
            chain: chain.hash,
            round,
            signature: beacon.sign(of).try_into().unwrap(),
        };
        let early = world.add(STRANGER, draft::beacon_round(&round(4, 4)));
        assert_eq!(world.verdict(&early), "waits for an earlier event");
        let text = CharterText { beacon: Some(chain.clone()), ..charter(&[WITNESS]) };
        world.add(FOUNDER, draft::charter(&text));
        assert_eq!(world.verdict(&early), "counted");
        let known = world.council.round(&chain.hash, 4).unwrap().clone();
        assert!(world.facts.contains(&Fact::Beacon(known)));
        let before = world.facts.len();
        assert_eq!(world.says(2, draft::beacon_round(&round(4, 4))), "counted");
        assert_eq!(world.says(2, draft::beacon_round(&round(4, 5))), "WrongSignature");
        assert_eq!(world.says(2, draft::beacon_round(&round(7, 5))), "WrongSignature");
        assert_eq!(world.facts.len(), before, "a round is a fact once");
    }

    #[test]
    fn two_of_three_decide_what_enough_attested() {
        let (mut world, cid, subject) = council_of_three();
        let lists = [(11, vec![id(1)]), (12, vec![id(1), id(2)]), (13, vec![id(1)])];
        let seen = lists.map(|(who, ids)| world.add(who, attestation(cid, subject, &ids)));
        let all = [id(1), id(2)];
        let who = proposer(subject);
        let propose =
            step(cid, subject, CLOSE, (Action::Propose, 1), (box_of(&seen), &boxed(&all)));
        // A seal may come before the proposal that says what it is of.
        let leaning = seal(cid, subject, CLOSE, box_of(&[]), &boxed(&all));
        let one = world.add(12, leaning.clone());
        assert_eq!(world.verdict(&one), "waits for an earlier event");
        assert_eq!(world.says(who, propose), "counted");
        assert_eq!(world.verdict(&one), "counted");
        assert_eq!(world.council.box_of(&subject), None);
        // The same witness again, and another attempt, add nothing.
        let again = step(cid, subject, CLOSE, (Action::Seal, 2), (box_of(&[]), &boxed(&all)));
        assert_eq!(world.says(13, again), "counted");
        assert_eq!(world.council.box_of(&subject), None);
        assert_eq!(world.says(13, leaning), "counted");
        assert_eq!(*world.council.box_of(&subject).unwrap().as_ref(), all.into());
        assert!(!world.council.is_disputed(&subject));
    }

    #[test]
    fn five_witnesses_need_two_listings() {
        let mut world = World::new();
        let cid = world.found(&[11, 12, 13, 14, 15]);
        let subject = world.vote(vote_in(cid, cid, 50));
        let lists = [vec![id(1), id(2), id(9)], vec![id(1), id(2)], vec![id(1)]];
        let seen: Vec<_> = (11..)
            .zip(&lists)
            .map(|(who, ids)| world.add(who, attestation(cid, subject, ids)))
            .collect();
        assert_eq!(world.says(11, seal_box(cid, subject, &seen, &[id(1), id(2)])), "counted");
    }

    #[test]
    fn two_decided_values_are_disputed() {
        let mut world = World::new();
        let cid = world.found(&[WITNESS]);
        let subject = world.vote(vote_in(cid, cid, 50));
        assert_eq!(world.says(WITNESS, void(cid, subject, CLOSE, "a")), "counted");
        assert!(world.council.decision(&subject, CLOSE).is_some());
        assert_eq!(world.says(WITNESS, void(cid, subject, CLOSE, "b")), "counted");
        assert!(world.council.is_disputed(&subject));
        assert_eq!(world.council.decision(&subject, CLOSE), None);
        assert!(world.facts.contains(&Fact::Disputed { subject }));
        assert_eq!(world.council.progress(&subject).unwrap().close.len(), 2);
    }

    #[test]
    fn a_result_that_was_not_computed_here_waits_and_is_shown() {
        let mut world = World::new();
        let cid = world.found(&[WITNESS]);
        let subject = world.vote(Subject { min_units: 0, ..vote_in(cid, cid, 50) });
        let result = |result| Value::Result([result; 32]);
        let sealed = |value| seal(cid, subject, Instance::Outcome, Named::Result, &value);
        let wrong = world.add(WITNESS, sealed(result(7)));
        assert_eq!(world.council.foreign_results(&subject).count(), 0, "nothing to compare with");
        world.hear(&Fact::Result { subject, result: [8; 32] });
        assert_eq!(world.verdict(&wrong), "waits for a decision");
        assert_eq!(world.council.foreign_results(&subject).collect::<Vec<_>>(), [wrong]);
        assert_eq!(world.says(WITNESS, sealed(result(8))), "counted");
        assert_eq!(world.council.decision(&subject, Instance::Outcome).unwrap().value, result(8));
    }

    #[test]
    fn merit_is_an_everyday_act() {
        let mut world = World::new();
        let steward =
            CharterText { stewards: [key(3)].into(), approvals: 1, ..charter(&[WITNESS]) };
        let cid = world.add(FOUNDER, draft::charter(&steward));
        let award = |points| {
            let reason = "cooking".to_owned();
            draft::merit(&Merit { community: cid, member: key(21), points, reason, cause: None })
        };
        assert_eq!(world.says(3, award(5)), "counted");
        assert_eq!(world.says(FOUNDER, award(-7)), "counted");
        assert_eq!(world.says(STRANGER, award(50)), "waits for approval");
        assert_eq!(world.council.merit(cid, key(21)), -2);
        assert_eq!(world.says(3, award(i64::MAX)), "counted");
        assert_eq!(world.says(FOUNDER, award(i64::MAX)), "counted");
        assert_eq!(world.council.merit(cid, key(21)), i64::MAX);
    }
}
