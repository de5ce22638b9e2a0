//! What the council can be asked, for pages, programs and the other rooms.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ayni_protocol::{EventId, Part, PublicKey, Ruling};

use crate::acts::Acts;
use crate::council::Council;
use crate::custom::{InForce, points};
use crate::entry::{Body, Consent, Merit};
use crate::fact::{Charter, Decision, Instance, Roster, Round, Subject, Value};

/// How far the witnesses have come with a proposal or raffle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The subject.
    pub subject: Arc<Subject>,
    /// Witnesses of whom an attestation is known.
    pub attested_by: BTreeSet<PublicKey>,
    /// What is decided on the box; two values are a dispute.
    pub close: Vec<Arc<Decision>>,
    /// What is decided on the outcome; two values are a dispute.
    pub outcome: Vec<Arc<Decision>>,
    /// Whether two values of one instance were decided.
    pub is_disputed: bool,
}

impl Council {
    /// Steps in which one key said two things in one attempt: whose, which attempt, the steps.
    pub fn torn(&self) -> impl Iterator<Item = (PublicKey, u32, [EventId; 2])> {
        self.decisions.torn.iter().map(|((whose, attempt), steps)| (*whose, *attempt, *steps))
    }

    /// Every community, by the id of its first charter.
    pub fn communities(&self) -> impl Iterator<Item = EventId> {
        self.charters.communities()
    }

    /// A charter version that counts.
    #[must_use]
    pub fn charter(&self, id: &EventId) -> Option<&Arc<Charter>> {
        self.charters.get(id)
    }

    /// Every version of a community's charter that counts, by id.
    pub fn charters(&self, community: EventId) -> impl Iterator<Item = &Arc<Charter>> {
        self.charters.versions(community)
    }

    /// The charter in force: the last version that counts, and of two that follow the same one the
    /// one with the lower id.
    #[must_use]
    pub fn charter_in_force(&self, community: EventId) -> Option<&Arc<Charter>> {
        self.charters.in_force(community)
    }

    /// The statutes of a charter version: its text for people.
    #[must_use]
    pub fn statutes(&self, charter: &EventId) -> Option<&str> {
        match &self.entry(charter)?.body {
            Body::Charter(text) => Some(&text.statutes),
            _ => None,
        }
    }

    /// Whether any charter that counts names this key as community, steward or witness.
    #[must_use]
    pub fn is_office(&self, key: &PublicKey) -> bool {
        self.charters.is_office(key)
    }

    /// What is known of approvals.
    #[must_use]
    pub const fn acts(&self) -> &Acts {
        &self.acts
    }

    /// A decided roster, by the id of its first part.
    #[must_use]
    pub fn roster(&self, id: &EventId) -> Option<&Arc<Roster>> {
        self.rosters.get(id)
    }

    /// Every decided roster of a community.
    pub fn rosters(&self, community: EventId) -> impl Iterator<Item = &Arc<Roster>> {
        self.rosters.all().filter(move |roster| roster.community == community)
    }

    /// The configuration in force: each key with its value and the event that set it.
    #[must_use]
    pub fn settings(&self, community: EventId) -> BTreeMap<String, InForce> {
        self.customs.settings(community)
    }

    /// The setting in force last and its version, for the next one to follow.
    #[must_use]
    pub fn last_setting(&self, community: EventId) -> Option<(EventId, u64)> {
        self.customs.head(community)
    }

    /// A member's merit points, all awards together.
    #[must_use]
    pub fn merit(&self, community: EventId, member: PublicKey) -> i64 {
        points(self.merit_awards(community, member).map(|(_, award)| award))
    }

    /// A member's merit awards, by event.
    pub fn merit_awards(
        &self,
        community: EventId,
        member: PublicKey,
    ) -> impl Iterator<Item = (EventId, &Merit)> {
        let awards = self.customs.merits(community, member).into_iter().flatten();
        awards.map(|(id, award)| (*id, award))
    }

    /// What a member consented to, by event.
    pub fn consents(
        &self,
        community: EventId,
        member: PublicKey,
    ) -> impl Iterator<Item = (EventId, &Consent)> {
        let consents = self.customs.consents(community, member).into_iter().flatten();
        consents.map(|(id, consent)| (*id, consent))
    }

    /// Every proposal and raffle that was handed in.
    pub fn subjects(&self) -> impl Iterator<Item = &Arc<Subject>> {
        self.cases.subjects()
    }

    /// How far the witnesses have come with a subject.
    #[must_use]
    pub fn progress(&self, subject: &EventId) -> Option<Progress> {
        let case = self.cases.get(subject)?;
        let decided = |instance| self.decisions.decided(subject, instance).cloned().collect();
        Some(Progress {
            subject: case.subject.clone()?,
            attested_by: case.attestations.keys().copied().collect(),
            close: decided(Instance::Close),
            outcome: decided(Instance::Outcome),
            is_disputed: self.decisions.is_disputed(subject),
        })
    }

    /// What is decided of an instance: nothing yet, or nothing more where it is disputed.
    #[must_use]
    pub fn decision(&self, subject: &EventId, instance: Instance) -> Option<&Arc<Decision>> {
        let mut decided = self.decisions.decided(subject, instance);
        let decision = decided.next()?;
        decided.next().is_none().then_some(decision)
    }

    /// Whether two values of one instance of a subject were decided.
    #[must_use]
    pub fn is_disputed(&self, subject: &EventId) -> bool {
        self.decisions.is_disputed(subject)
    }

    /// The entries that count, once decided and undisputed.
    #[must_use]
    pub fn box_of(&self, subject: &EventId) -> Option<&Arc<BTreeSet<EventId>>> {
        match &self.decision(subject, Instance::Close)?.value {
            Value::Box(ids) => Some(ids),
            _ => None,
        }
    }

    /// Valid entries of a subject, whether or not a witness received them.
    pub fn entries(&self, subject: &EventId) -> impl Iterator<Item = EventId> {
        self.cases.get(subject).into_iter().flat_map(|case| case.entries.keys().copied())
    }

    /// Receipts of an entry: the witness and the receipt event.
    pub fn receipts(&self, entry: &EventId) -> impl Iterator<Item = (PublicKey, EventId)> {
        self.cases.receipts.get(entry).into_iter().flatten().copied()
    }

    /// Attestation events of a subject that count, with their witness.
    pub fn attestations(&self, subject: &EventId) -> impl Iterator<Item = (PublicKey, EventId)> {
        let by_witness = self.cases.get(subject).into_iter().flat_map(|case| &case.attestations);
        by_witness.flat_map(|(witness, ids)| ids.iter().map(|id| (*witness, *id)))
    }

    /// Steps of the decisions on a subject that count: proposals, readiness and seals.
    pub fn steps(&self, subject: &EventId) -> impl Iterator<Item = EventId> {
        let all = self.decisions.steps.get(subject).into_iter().flatten();
        all.copied().filter(|id| self.ruling(id) == Some(Ruling::Counted))
    }

    /// Results of a subject that a witness sealed and this node did not compute. Such a seal counts
    /// for nothing; that there is one must be shown.
    pub fn foreign_results(&self, subject: &EventId) -> impl Iterator<Item = EventId> {
        let computed = self.cases.get(subject).is_some_and(|case| !case.results.is_empty());
        let all = self.decisions.steps.get(subject).into_iter().flatten();
        all.copied().filter(move |id| computed && self.is_foreign_result(id))
    }

    /// A round of a beacon that is known.
    #[must_use]
    pub fn round(&self, chain: &[u8; 32], round: u64) -> Option<&Round> {
        self.rounds.get(&(*chain, round))
    }

    /// Every known round.
    pub fn rounds(&self) -> impl Iterator<Item = &Round> {
        self.rounds.values()
    }

    /// Rounds that a decided box waits for, as chain and number, for the node to fetch.
    #[must_use]
    pub fn awaited_rounds(&self) -> BTreeSet<([u8; 32], u64)> {
        let open = self.cases.open.iter().filter_map(|id| self.cases.subject(id));
        open.filter(|subject| self.box_of(&subject.id).is_some())
            .filter_map(|subject| {
                let chain = self.charters.get(&subject.charter)?.beacon.as_ref()?;
                Some((chain.hash, subject.round?))
            })
            .filter(|(chain, round)| self.round(chain, *round).is_none())
            .collect()
    }
}
