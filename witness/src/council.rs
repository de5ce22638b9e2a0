//! The council: the fold of charters, rosters, receipts, attestations, decisions and beacons.
//!
//! Every event is judged by what is known ([`crate::judge`]). What waits is filed under what it
//! waits for, and judged again when that comes; so a chain of any length, in any order, costs one
//! look at each event for each thing it waits for, and no recursion.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ayni_protocol::{EventId, Kind, Malformed, Part, Premise, Ruling, VerifiedEvent, kind};

use crate::acts::{Acts, Touched};
use crate::beacon::{Chain, Known};
use crate::case::Cases;
use crate::charter::Charters;
use crate::custom::Customs;
use crate::decision::{Decisions, News, Seal};
use crate::entry::{Action, Body, Choice, Entry, Named, Step};
use crate::fact::{Charter, Fact, Instance, Round, Value};
use crate::judge::{Effect, Stop};
use crate::read;
use crate::reason::Reason;
use crate::roster::Rosters;

/// The part of the economy that decides. See the crate's own words.
#[derive(Debug, Clone)]
pub struct Council {
    pub(crate) known: Known,
    pub(crate) acts: Acts,
    held: BTreeMap<EventId, Held>,
    waiting: BTreeMap<Wake, BTreeSet<EventId>>,
    /// Charter versions and rosters that stand and wait for their decision.
    pub(crate) candidates: BTreeSet<(Instance, EventId)>,
    pub(crate) charters: Charters,
    pub(crate) rosters: Rosters,
    pub(crate) cases: Cases,
    pub(crate) decisions: Decisions,
    pub(crate) customs: Customs,
    pub(crate) chains: BTreeMap<[u8; 32], Chain>,
    pub(crate) rounds: BTreeMap<([u8; 32], u64), Round>,
    /// Rules of currencies that count, with their community and charter.
    pub(crate) rules: BTreeMap<EventId, (EventId, EventId)>,
}

/// An entry and what became of it.
#[derive(Debug, Clone)]
struct Held {
    entry: Arc<Entry>,
    ruling: Ruling<Reason>,
}

/// What a waiting entry is filed under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wake {
    /// This event came.
    Arrived(EventId),
    /// This event's ruling is final.
    Ruled(EventId),
    /// A charter version of this community counts.
    Community(EventId),
    /// This act was approved or mandated.
    Act(EventId),
    /// The fact on this subject, or on these rules, came.
    Subject(EventId),
    /// Something was decided.
    Decided(EventId, Instance),
    /// A decided roster was said to have this part.
    Part(EventId),
    /// A step named what this digest is of.
    Named(EventId, [u8; 32]),
    /// A result of this subject was computed.
    Result(EventId),
    /// This beacon is known.
    Chain([u8; 32]),
}

impl Part for Council {
    type Entry = Entry;
    type Reason = Reason;
    type Fact = Fact;

    const NAME: &'static str = "council";
    const KINDS: &'static [Kind] = &[
        kind::CHARTER,
        kind::ROSTER,
        kind::RECEIPT,
        kind::BOX_ATTESTATION,
        kind::DECISION,
        kind::BEACON,
        kind::CONSENT,
        kind::SETTING,
        kind::MERIT,
    ];

    fn read(event: &VerifiedEvent) -> Result<Entry, Malformed> {
        read::entry(event)
    }

    fn apply(&mut self, entry: Entry, facts: &mut Vec<Fact>) {
        let id = entry.id;
        if self.held.contains_key(&id) {
            return;
        }
        self.note(&entry);
        let ruling = Ruling::Waiting(Premise::Earlier);
        self.held.insert(id, Held { entry: Arc::new(entry), ruling });
        let mut work = self.woken(Wake::Arrived(id));
        work.insert(id);
        self.settle(work, facts);
    }

    fn learn(&mut self, fact: &Fact, facts: &mut Vec<Fact>) {
        let wake = match fact {
            Fact::Approved { .. } | Fact::Mandated { .. } => match self.acts.learn(fact) {
                Touched::Act(act) => Wake::Act(act),
                Touched::Nothing | Touched::Community(_) => return,
            },
            Fact::Subject(subject) => {
                self.cases.open(subject, self.charters.get(&subject.charter).map(AsRef::as_ref));
                Wake::Subject(subject.id)
            }
            Fact::Rules { rules, community, charter } => {
                self.rules.insert(*rules, (*community, *charter));
                Wake::Subject(*rules)
            }
            Fact::Entry { subject, entry, units } => {
                return self.cases.at(*subject).add_entry(*entry, *units);
            }
            Fact::Failed { subject, reason } => {
                self.cases.at(*subject).failures.insert(reason.clone());
                return;
            }
            Fact::Result { subject, result } => {
                self.cases.at(*subject).results.insert(*result);
                Wake::Result(*subject)
            }
            // Its own facts come back to it, and those of the ledger are none of its business.
            _ => return,
        };
        let work = self.woken(wake);
        self.settle(work, facts);
    }

    fn ruling(&self, entry: &EventId) -> Option<Ruling<Reason>> {
        self.held.get(entry).map(|held| held.ruling)
    }

    /// None: protocol section 7 has lines for currencies, proposals and raffles only, and what the
    /// council decides shows in theirs.
    fn digest_lines(&self) -> Vec<String> {
        Vec::new()
    }
}

impl Council {
    /// A council that knows no event yet, and believes the beacons that `known` allows.
    #[must_use]
    pub fn new(known: Known) -> Self {
        let quicknet = Chain::quicknet();
        Self {
            known,
            acts: Acts::default(),
            held: BTreeMap::new(),
            waiting: BTreeMap::new(),
            candidates: BTreeSet::new(),
            charters: Charters::default(),
            rosters: Rosters::default(),
            cases: Cases::default(),
            decisions: Decisions::default(),
            customs: Customs::default(),
            chains: BTreeMap::from([(quicknet.hash, quicknet)]),
            rounds: BTreeMap::new(),
            rules: BTreeMap::new(),
        }
    }

    /// An entry that was applied.
    pub(crate) fn entry(&self, id: &EventId) -> Option<&Entry> {
        self.held.get(id).map(|held| held.entry.as_ref())
    }

    /// Files what is known of an entry by its coming alone.
    fn note(&mut self, entry: &Entry) {
        match &entry.body {
            Body::Roster(part) => self.rosters.note(entry.id, entry.author, part),
            Body::Step(step) => {
                self.decisions.note(entry.id, entry.author, step);
            }
            _ => {}
        }
    }

    /// What waited for this.
    fn woken(&mut self, wake: Wake) -> BTreeSet<EventId> {
        self.waiting.remove(&wake).unwrap_or_default()
    }

    /// Judges these entries, and whatever waited for what they bring about, until nothing changes.
    fn settle(&mut self, mut work: BTreeSet<EventId>, facts: &mut Vec<Fact>) {
        while let Some(id) = work.pop_first() {
            let Some(held) = self.held.get(&id) else { continue };
            if !matches!(held.ruling, Ruling::Waiting(_)) {
                continue;
            }
            let entry = Arc::clone(&held.entry);
            let mut wakes = Vec::new();
            let ruling = match self.judge(&entry) {
                Ok(effect) => {
                    self.count(&entry, effect, facts, &mut wakes);
                    Ruling::Counted
                }
                Err(Stop::Void(reason)) => Ruling::Void(reason),
                Err(Stop::Waits(premise, on)) => {
                    for wake in on {
                        self.waiting.entry(wake).or_default().insert(id);
                    }
                    Ruling::Waiting(premise)
                }
            };
            if !matches!(ruling, Ruling::Waiting(_)) {
                wakes.push(Wake::Ruled(id));
            }
            self.rule(&entry, ruling);
            for wake in wakes {
                work.extend(self.woken(wake));
            }
        }
    }

    fn rule(&mut self, entry: &Entry, ruling: Ruling<Reason>) {
        if let Some(held) = self.held.get_mut(&entry.id) {
            held.ruling = ruling;
        }
        let instance = match &entry.body {
            Body::Charter(_) => Instance::Charter,
            Body::Roster(part) if part.part == 1 => Instance::Roster,
            _ => return,
        };
        if ruling == Ruling::Waiting(Premise::Decision) {
            self.candidates.insert((instance, entry.id));
        } else {
            self.candidates.remove(&(instance, entry.id));
        }
    }

    /// Makes an entry count.
    fn count(
        &mut self,
        entry: &Entry,
        effect: Effect,
        facts: &mut Vec<Fact>,
        wakes: &mut Vec<Wake>,
    ) {
        match (&entry.body, effect) {
            (_, Effect::Charter(charter)) => self.count_charter(&charter, facts, wakes),
            (_, Effect::Roster(roster)) => {
                self.rosters.add(&roster);
                wakes.extend(self.rosters.named(&roster.id).map(Wake::Part));
                facts.push(Fact::Roster(roster));
            }
            (_, Effect::Round(round)) => {
                let known = self.rounds.insert((round.chain, round.round), round.clone());
                facts.extend(known.is_none().then_some(Fact::Beacon(round)));
            }
            (Body::Step(step), Effect::Value(value)) => {
                self.count_step(entry, step, value, facts, wakes);
            }
            (Body::Receipt(receipt), _) => {
                self.cases.at(receipt.subject).add_receipt(entry.author, &receipt.entries);
                for received in &receipt.entries {
                    let receipts = self.cases.receipts.entry(*received).or_default();
                    receipts.insert((entry.author, entry.id));
                }
            }
            (Body::Attestation(of), _) => {
                let case = self.cases.at(of.subject);
                case.attestations.entry(entry.author).or_default().insert(entry.id);
            }
            (Body::Setting(setting), _) => self.customs.add_setting(entry.id, setting),
            (Body::Merit(merit), _) => self.customs.add_merit(entry.id, merit),
            (Body::Consent(consent), _) => {
                self.customs.add_consent(entry.id, entry.author, consent);
            }
            // Nothing more is to be done for a later part of a roster or a step without a value.
            _ => {}
        }
    }

    fn count_charter(
        &mut self,
        charter: &Arc<Charter>,
        facts: &mut Vec<Fact>,
        wakes: &mut Vec<Wake>,
    ) {
        let fact = Fact::Charter(Arc::clone(charter));
        self.acts.learn(&fact);
        self.charters.add(charter);
        self.cases.seat(charter);
        facts.push(fact);
        wakes.push(Wake::Community(charter.community));
        if let Some(chain) = &charter.beacon {
            self.chains.insert(chain.hash, chain.clone());
            wakes.push(Wake::Chain(chain.hash));
        }
        // Seals of a roster may now be enough for the new version.
        for subject in self.decisions.sealed_rosters(charter.community) {
            self.tally(subject, Instance::Roster, facts, wakes);
        }
    }

    fn count_step(
        &mut self,
        entry: &Entry,
        step: &Step,
        value: Value,
        facts: &mut Vec<Fact>,
        wakes: &mut Vec<Wake>,
    ) {
        let (Action::Propose(choice) | Action::Seal(choice)) = &step.action else { return };
        self.note_named(step, choice, &value, wakes);
        if let Action::Seal(_) = step.action {
            self.decisions.add(Seal {
                community: step.community,
                subject: step.subject,
                instance: step.instance,
                attempt: step.attempt,
                digest: choice.digest,
                value,
                witness: entry.author,
            });
            self.tally(step.subject, step.instance, facts, wakes);
        }
    }

    /// Keeps what a step named, for seals that leave it to a proposal.
    fn note_named(&mut self, step: &Step, choice: &Choice, value: &Value, wakes: &mut Vec<Wake>) {
        match (value, &choice.named) {
            (Value::Box(ids), _) => {
                self.decisions.boxes.insert((step.subject, choice.digest), Arc::clone(ids));
            }
            (Value::Adopt, Named::Adopt(parts)) if step.instance == Instance::Roster => {
                self.rosters.name(step.subject, parts);
                wakes.extend(parts.iter().copied().map(Wake::Part));
            }
            _ => return,
        }
        wakes.push(Wake::Named(step.subject, choice.digest));
    }

    fn tally(
        &mut self,
        subject: EventId,
        instance: Instance,
        facts: &mut Vec<Fact>,
        wakes: &mut Vec<Wake>,
    ) {
        let charters = self.deciding(subject, instance);
        let News { decided, disputed } = self.decisions.tally(subject, instance, &charters);
        for decision in decided {
            let is_void = matches!(decision.value, Value::Void(_));
            if instance == Instance::Outcome || instance == Instance::Close && is_void {
                self.cases.open.remove(&subject);
            }
            wakes.push(Wake::Decided(subject, instance));
            facts.push(Fact::Decided(decision));
        }
        if disputed {
            facts.push(Fact::Disputed { subject });
        }
    }

    /// The charters whose witnesses decide this: of a proposal, raffle or rules the one it names, of a
    /// charter the one before, of a roster any version of its community, because a roster names
    /// none and which was in force when it was written only a clock could tell.
    pub(crate) fn deciding(&self, subject: EventId, instance: Instance) -> Vec<Arc<Charter>> {
        let one = |id: EventId| self.charters.get(&id).into_iter().cloned().collect();
        match (instance, self.entry(&subject).map(|entry| &entry.body)) {
            (Instance::Close | Instance::Outcome, _) => {
                self.cases.subject(&subject).map_or_else(Vec::new, |of| one(of.charter))
            }
            (Instance::Handover, _) => {
                self.rules.get(&subject).map_or_else(Vec::new, |(_, charter)| one(*charter))
            }
            (Instance::Charter, Some(Body::Charter(text))) => {
                text.previous.map_or_else(Vec::new, |previous| one(previous.charter))
            }
            (Instance::Roster, Some(Body::Roster(part))) => {
                self.charters.versions(part.community).cloned().collect()
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use ayni_protocol::{PublicKey, Timestamp};

    use super::*;
    use crate::draft;
    use crate::entry::{CharterText, Consent, Setting};
    use crate::testing::{
        FOUNDER, STRANGER, WITNESS, World, adopt, charter, id, key, later, receipt, setting, void,
        vote_in,
    };

    fn unsigned(id: EventId, author: PublicKey, body: Body) -> Entry {
        const CREATED: Timestamp = 1;
        Entry { id, author, created_at: CREATED, body }
    }

    #[test]
    fn a_charter_makes_a_community() {
        let mut world = World::new();
        let cid = world.found(&[WITNESS]);
        let charter = world.council.charter_in_force(cid).unwrap();
        assert_eq!((charter.id, charter.community), (cid, cid));
        assert_eq!(charter.community_key, key(FOUNDER));
        assert_eq!(world.facts, [Fact::Charter(Arc::clone(charter))]);
        assert_eq!(world.council.communities().collect::<Vec<_>>(), [cid]);
        assert_eq!(world.council.statutes(&cid), Some("We lend a hand."));
        assert!(world.council.is_office(&key(WITNESS)) && !world.council.is_office(&key(STRANGER)));
    }

    #[test]
    fn a_later_charter_counts_once_the_previous_witnesses_decided() {
        let mut world = World::new();
        let cid = world.found(&[11]);
        let third_text = CharterText { name: "Third".into(), ..charter(&[13]) };
        let second_draft = later(cid, cid, charter(&[12]));
        let second = crate::testing::signed(FOUNDER, second_draft.clone()).id;
        // The third comes before the second, and its seal before both.
        let third = world.add(FOUNDER, later(cid, second, third_text));
        let seal_of_third = world.add(12, adopt(cid, third, Instance::Charter, &[]));
        assert_eq!(world.verdict(&third), format!("waits for event {second}"));
        world.add(FOUNDER, second_draft);
        assert_eq!(world.verdict(&second), "waits for a decision");
        assert_eq!(world.verdict(&seal_of_third), format!("waits for event {second}"));
        world.add(11, adopt(cid, second, Instance::Charter, &[]));
        assert_eq!(world.verdict(&third), "counted");
        assert_eq!(world.council.charter_in_force(cid).unwrap().name, "Third");
        assert_eq!(world.council.charters(cid).count(), 3);
    }

    #[test]
    fn of_two_followers_the_lower_id_is_in_force() {
        let mut world = World::new();
        let cid = world.found(&[11]);
        let texts =
            ["One", "Other"].map(|name| CharterText { name: name.into(), ..charter(&[12]) });
        let mut ids = texts.map(|text| world.add(FOUNDER, later(cid, cid, text)));
        for id in ids {
            world.add(11, adopt(cid, id, Instance::Charter, &[]));
        }
        ids.sort();
        assert_eq!(world.council.charter_in_force(cid).unwrap().id, ids[0]);
    }

    #[test]
    fn acts_wait_for_stewards_or_a_mandate() {
        let mut world = World::new();
        let text = CharterText { stewards: [key(3)].into(), approvals: 1, ..charter(&[WITNESS]) };
        let cid = world.add(FOUNDER, draft::charter(&text));
        let approved = world.add(FOUNDER, setting(cid, 1, None, "a", "1"));
        let mandated = world.add(FOUNDER, setting(cid, 2, Some(approved), "a", "2"));
        assert_eq!(world.verdict(&approved), "waits for approval");
        assert_eq!(world.verdict(&mandated), format!("waits for event {approved}"));
        world.hear(&Fact::Approved { act: approved, steward: key(3) });
        assert_eq!(world.verdict(&approved), "counted");
        assert_eq!(world.verdict(&mandated), "waits for approval");
        world.hear(&Fact::Mandated { act: mandated, community: cid });
        assert_eq!(world.verdict(&mandated), "counted");
        assert_eq!(world.council.settings(cid)["a"].value, "2");
    }

    #[test]
    fn settings_fold_along_the_lower_ids() {
        let mut world = World::new();
        let cid = world.found(&[WITNESS]);
        let first = world.add(FOUNDER, setting(cid, 1, None, "name", "Vale"));
        let mut forks =
            ["a", "b"].map(|value| world.add(FOUNDER, setting(cid, 2, Some(first), "fork", value)));
        assert!(forks.iter().all(|fork| world.verdict(fork) == "counted"));
        forks.sort();
        let settings = world.council.settings(cid);
        assert_eq!((settings["name"].event, settings["fork"].event), (first, forks[0]));
        assert_eq!(world.council.last_setting(cid), Some((forks[0], 2)));
    }

    #[test]
    fn what_witnesses_say_waits_for_its_subject_and_charter() {
        let mut world = World::new();
        let cid = crate::testing::signed(FOUNDER, draft::charter(&charter(&[WITNESS]))).id;
        let subject = id(50);
        let said = world.add(WITNESS, receipt(cid, subject, &[id(1)]));
        let sealed = world.add(WITNESS, void(cid, subject, Instance::Close, "x"));
        assert_eq!(world.verdict(&said), format!("waits for event {subject}"));
        world.entry(subject, id(1));
        world.vote(vote_in(cid, cid, 50));
        assert_eq!(world.verdict(&said), format!("waits for event {cid}"));
        assert_eq!(world.found(&[WITNESS]), cid);
        assert_eq!(world.verdict(&said), "counted");
        assert_eq!(world.verdict(&sealed), "counted");
        assert_eq!(world.council.receipts(&id(1)).collect::<Vec<_>>(), [(key(WITNESS), said)]);
    }

    #[test]
    fn consents_are_listed() {
        let mut world = World::new();
        let consent = |community| Consent {
            community,
            text: [7; 32],
            document: "terms".into(),
            version: "2".into(),
            language: "pt".into(),
            country: "PT".into(),
        };
        let cid = world.found(&[WITNESS]);
        let given = world.add(21, draft::consent(&consent(cid)));
        assert_eq!(world.verdict(&given), "counted");
        let listed: Vec<_> = world.council.consents(cid, key(21)).collect();
        assert_eq!(listed, [(given, &consent(cid))]);
        let elsewhere = world.says(21, draft::consent(&consent(id(9))));
        assert_eq!(elsewhere, format!("waits for event {}", id(9)));
    }

    /// BoundedWork: a long chain that comes backwards is folded without recursion, each link once.
    #[test]
    fn a_chain_that_comes_backwards_is_folded() {
        let mut world = World::new();
        let cid = world.found(&[WITNESS]);
        let name = |version: u64| EventId(crate::canonical::sha256(version.to_be_bytes()));
        let links = 20_000;
        for version in (1..=links).rev() {
            let previous = (version > 1).then(|| name(version - 1));
            let changes = [("version".to_owned(), version.to_string())].into();
            let body = Body::Setting(Setting { community: cid, version, previous, changes });
            world.council.apply(unsigned(name(version), key(FOUNDER), body), &mut Vec::new());
        }
        assert_eq!(world.council.last_setting(cid), Some((name(links), links)));
        assert_eq!(world.council.settings(cid)["version"].value, links.to_string());
    }

    #[test]
    fn an_event_that_never_came_has_no_ruling() {
        assert_eq!(World::new().verdict(&id(1)), "unknown");
    }
}
