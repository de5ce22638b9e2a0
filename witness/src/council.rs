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
use crate::fact::{Charter, Fact, Instance, Roster, Round, Value};
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
    /// The fact on this subject came.
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
                self.decisions.steps.entry(step.subject).or_default().insert(entry.id);
                if let Action::Seal(_) = step.action {
                    let seal = (entry.author, step.subject, step.instance);
                    self.decisions.sealed_by.insert(seal);
                }
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
            (_, Effect::Charter(charter)) => self.count_charter(charter, facts, wakes),
            (_, Effect::Roster(roster)) => {
                let roster: Arc<Roster> = Arc::new(roster);
                self.rosters.add(&roster);
                wakes.extend(self.rosters.named(&roster.id).map(Wake::Part));
                facts.push(Fact::Roster(roster));
            }
            (_, Effect::Round(round)) => {
                if self.rounds.insert((round.chain, round.round), round.clone()).is_none() {
                    facts.push(Fact::Beacon(round));
                }
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

    fn count_charter(&mut self, charter: Charter, facts: &mut Vec<Fact>, wakes: &mut Vec<Wake>) {
        let charter = Arc::new(charter);
        let fact = Fact::Charter(Arc::clone(&charter));
        self.acts.learn(&fact);
        self.charters.add(&charter);
        self.cases.seat(&charter);
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

    /// The charters whose witnesses decide this: of a proposal or raffle the one it names, of a
    /// charter the one before, of a roster any version of its community, because a roster names
    /// none and which was in force when it was written only a clock could tell.
    pub(crate) fn deciding(&self, subject: EventId, instance: Instance) -> Vec<Arc<Charter>> {
        let one = |id: EventId| self.charters.get(&id).into_iter().cloned().collect();
        match (instance, self.entry(&subject).map(|entry| &entry.body)) {
            (Instance::Close | Instance::Outcome, _) => {
                self.cases.subject(&subject).map_or_else(Vec::new, |of| one(of.charter))
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
