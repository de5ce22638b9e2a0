//! Who sealed what, and what is decided by it (protocol section 4, step 3).
//!
//! Seals are only ever added, so what is decided stays decided. Two decided digests of one instance
//! need enough cheating witnesses; both are kept and shown.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ayni_protocol::{EventId, PublicKey};

use crate::entry::{Action, Step};
use crate::fact::{Charter, Decision, Instance, Value};

/// An attempt and a digest: what seals have to agree on.
type Agreed = (u32, [u8; 32]);

/// A place that should say one thing: author, subject, instance, step, attempt.
type Said = (PublicKey, EventId, Instance, u8, u32);

/// Every seal that counts, and what the seals decided.
#[derive(Debug, Clone, Default)]
pub(crate) struct Decisions {
    instances: BTreeMap<(EventId, Instance), Sealed>,
    disputed: BTreeSet<EventId>,
    /// Boxes that a step named attestations for, by their digest.
    pub boxes: BTreeMap<(EventId, [u8; 32]), Arc<BTreeSet<EventId>>>,
    /// Rosters that someone sealed, with their community.
    rosters: BTreeSet<(EventId, EventId)>,
    /// Who published a seal, whatever became of it: a witness never seals twice.
    pub sealed_by: BTreeSet<(PublicKey, EventId, Instance)>,
    /// What every author said first in an attempt: propose, ready, seal.
    said: BTreeMap<Said, (EventId, [u8; 32])>,
    /// Steps that say two things in one place: whose, in which attempt.
    pub torn: BTreeMap<(PublicKey, u32), [EventId; 2]>,
    /// Steps, by subject.
    pub steps: BTreeMap<EventId, BTreeSet<EventId>>,
}

#[derive(Debug, Clone, Default)]
struct Sealed {
    seals: BTreeMap<Agreed, (Value, BTreeSet<PublicKey>)>,
    decided: BTreeMap<[u8; 32], Arc<Decision>>,
}

/// A seal that counts.
pub(crate) struct Seal {
    pub community: EventId,
    pub subject: EventId,
    pub instance: Instance,
    pub attempt: u32,
    pub digest: [u8; 32],
    pub value: Value,
    pub witness: PublicKey,
}

/// What a seal or a charter newly brought about.
#[derive(Debug, Default)]
pub(crate) struct News {
    pub decided: Vec<Arc<Decision>>,
    pub disputed: bool,
}

impl Decisions {
    /// Notes a step by its coming alone.
    pub fn note(&mut self, id: EventId, author: PublicKey, step: &Step) {
        self.steps.entry(step.subject).or_default().insert(id);
        let (number, digest) = match &step.action {
            Action::Propose(choice) => (0, choice.digest),
            Action::Ready(Some(digest)) => (1, *digest),
            Action::Ready(None) => return,
            Action::Seal(choice) => (2, choice.digest),
        };
        if number == 2 {
            self.sealed_by.insert((author, step.subject, step.instance));
        }
        let place = (author, step.subject, step.instance, number, step.attempt);
        let (first, said) = *self.said.entry(place).or_insert((id, digest));
        if said != digest {
            self.torn.entry((author, step.attempt)).or_insert([first, id]);
        }
    }

    /// Adds a seal.
    pub fn add(&mut self, seal: Seal) {
        if seal.instance == Instance::Roster {
            self.rosters.insert((seal.community, seal.subject));
        }
        let sealed = self.instances.entry((seal.subject, seal.instance)).or_default();
        let agreed = (seal.attempt, seal.digest);
        let (_, witnesses) =
            sealed.seals.entry(agreed).or_insert_with(|| (seal.value, BTreeSet::new()));
        witnesses.insert(seal.witness);
    }

    /// Decides what enough seats of any of these charters sealed alike.
    pub fn tally(
        &mut self,
        subject: EventId,
        instance: Instance,
        charters: &[Arc<Charter>],
    ) -> News {
        let mut news = News::default();
        let Some(sealed) = self.instances.get_mut(&(subject, instance)) else { return news };
        for ((_, digest), (value, witnesses)) in &sealed.seals {
            let enough = |charter: &Arc<Charter>| {
                witnesses.iter().filter(|key| charter.is_witness(key)).count() >= charter.quorum
            };
            if sealed.decided.contains_key(digest) || !charters.iter().any(enough) {
                continue;
            }
            let value = value.clone();
            let decision = Arc::new(Decision { subject, instance, value, digest: *digest });
            sealed.decided.insert(*digest, Arc::clone(&decision));
            news.decided.push(decision);
        }
        news.disputed = sealed.decided.len() > 1 && self.disputed.insert(subject);
        news
    }

    /// Every decided value, by digest: one, unless witnesses cheated.
    pub fn decided(
        &self,
        subject: &EventId,
        instance: Instance,
    ) -> impl Iterator<Item = &Arc<Decision>> {
        self.instances.get(&(*subject, instance)).into_iter().flat_map(|of| of.decided.values())
    }

    /// Every roster of a community that someone sealed.
    pub fn sealed_rosters(&self, community: EventId) -> Vec<EventId> {
        let all = (community, EventId([0; 32]))..=(community, EventId([0xff; 32]));
        self.rosters.range(all).map(|(_, roster)| *roster).collect()
    }

    /// Whether the subject was adopted.
    pub fn is_adopted(&self, subject: &EventId, instance: Instance) -> bool {
        self.decided(subject, instance).any(|decision| decision.value == Value::Adopt)
    }

    /// Whether two values of one instance were decided.
    pub fn is_disputed(&self, subject: &EventId) -> bool {
        self.disputed.contains(subject)
    }
}
