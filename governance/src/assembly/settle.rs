//! From the decided box to the certified result.
//!
//! Each step is taken as soon as its premises are there, whichever of them comes last, and only
//! once: the box is decided, all of it is here, a tie's round is here, the result is decided.

use std::sync::Arc;

use ayni_protocol::{Draft, EventId, Premise, Ruling, Timestamp, hex};
use ayni_witness::{Fact, Instance, Value};

use super::{Assembly, Case};
use crate::draft;
use crate::entry::Published;
use crate::outcome::{SealedBox, outcome};
use crate::reason::Reason;
use crate::state::State;
use crate::tally::Verdict;

impl Assembly {
    /// Notes which events of a decided box are still to come.
    pub(super) fn open_box(&mut self, id: EventId) {
        let Some(case) = self.cases.get_mut(&id).filter(|case| case.missing.is_none()) else {
            return;
        };
        let Some((_, ids)) = self.ground.sealed(id) else { return };
        let absent: Vec<_> = ids.iter().filter(|id| !self.rulings.contains_key(id)).collect();
        case.missing = Some(absent.len());
        for entry in absent {
            self.waits.boxed.entry(*entry).or_default().push(id);
        }
    }

    /// An event of a box has come.
    pub(super) fn arrived(&mut self, entry: EventId, facts: &mut Vec<Fact>) {
        for id in self.waits.boxed.remove(&entry).unwrap_or_default() {
            if let Some(missing) = self.cases.get_mut(&id).and_then(|case| case.missing.as_mut()) {
                *missing = missing.saturating_sub(1);
            }
            self.settle(id, facts);
        }
    }

    /// Takes every step that can be taken.
    pub(super) fn settle(&mut self, id: EventId, facts: &mut Vec<Fact>) {
        self.count_box(id);
        self.draw_outcome(id, facts);
        self.rule_on_tallies(id);
        self.mandate(id, facts);
    }

    fn count_box(&mut self, id: EventId) {
        let Some(case) = self.cases.get_mut(&id) else { return };
        let Some((_, ids)) = self.ground.sealed(id) else { return };
        if case.missing == Some(0) && case.counted.is_none() {
            case.counted = Some(case.count(&self.papers, ids));
        }
    }

    fn draw_outcome(&mut self, id: EventId, facts: &mut Vec<Fact>) {
        let Some(case) = self.cases.get_mut(&id).filter(|case| case.outcome.is_none()) else {
            return;
        };
        let (Some(counted), Some((decision, _))) = (&case.counted, self.ground.sealed(id)) else {
            return;
        };
        let place = case.charter.beacon.as_ref().map(|chain| chain.hash);
        let place = place.zip(case.proposal.spec.unlock);
        let round = place.and_then(|(chain, round)| self.ground.round(chain, round));
        let sealed = SealedBox { digest: decision.digest, ballots: &counted.ballots };
        case.outcome = outcome(&case.proposal, sealed, &counted.count, round);
        match (&case.outcome, place) {
            (Some(outcome), _) => {
                facts.push(Fact::Result { subject: id, result: outcome.result });
            }
            (None, Some(place)) => self.waits.round.entry(place).or_default().push(id),
            (None, None) => {}
        }
    }

    /// The ruling on a published tally, once its proposal is a case.
    pub(super) fn rule_on_tally(
        &self,
        proposal: EventId,
        tally: &Published,
    ) -> Option<Ruling<Reason>> {
        let case = self.cases.get(&proposal)?;
        let closed = self.ground.decided(proposal, Instance::Close).map(|decided| &decided.value);
        Some(match (&case.outcome, closed) {
            _ if tally.community != case.proposal.community => Ruling::Void(Reason::OtherCommunity),
            (Some(outcome), _) if outcome.result == tally.content_hash => Ruling::Counted,
            (Some(_), _) => Ruling::Void(Reason::ResultDiffers),
            (None, Some(Value::Void(_))) => Ruling::Void(Reason::ProposalVoid),
            (None, _) => Ruling::Waiting(Premise::Decision),
        })
    }

    /// Remembers that the right tally was published, or lets one wait for the outcome.
    pub(super) fn file_tally(
        &mut self,
        proposal: EventId,
        tally: Published,
        ruling: Ruling<Reason>,
    ) {
        let Some(case) = self.cases.get_mut(&proposal) else { return };
        case.published |= ruling == Ruling::Counted;
        if matches!(ruling, Ruling::Waiting(_)) {
            case.tallies.push(tally);
        }
    }

    fn rule_on_tallies(&mut self, id: EventId) {
        let Some(case) = self.cases.get_mut(&id) else { return };
        for tally in std::mem::take(&mut case.tallies) {
            if let Some(ruling) = self.rule_on_tally(id, &tally) {
                self.rulings.insert(tally.id, ruling);
                self.file_tally(id, tally, ruling);
            }
        }
    }

    /// Makes the act that a certified pass names count.
    fn mandate(&mut self, id: EventId, facts: &mut Vec<Fact>) {
        let Some(state) = self.cases.get(&id).and_then(|case| self.decided_state(case)) else {
            return;
        };
        let Some(case) = self.cases.get_mut(&id) else { return };
        if let (State::Executed, Some(act), false) = (state, case.proposal.spec.exec, case.mandated)
        {
            case.mandated = true;
            facts.push(Fact::Mandated { act, community: case.proposal.community });
        }
    }

    /// The state that follows from the events alone; nothing before the box is decided.
    pub(crate) fn decided_state(&self, case: &Case) -> Option<State> {
        let id = case.proposal.id;
        if self.ground.is_disputed(id) {
            return Some(State::Disputed);
        }
        if self.ground.voided(id).is_some() {
            return Some(State::Void);
        }
        self.ground.sealed(id)?;
        let Some(ours) = &case.outcome else {
            let tied = case.counted.as_ref().map(|counted| &counted.count.verdict);
            let drawn = matches!(tied, Some(Verdict::Lot(_)));
            return Some(if drawn { State::AwaitingBeacon } else { State::Sealed });
        };
        let decided = self.ground.decided(id, Instance::Outcome).map(|decided| &decided.value);
        Some(match decided {
            None => State::Tallied,
            Some(Value::Result(theirs)) if *theirs == ours.result => {
                match (ours.options.is_empty(), case.proposal.spec.exec) {
                    (true, _) => State::Rejected,
                    (false, None) => State::Certified,
                    (false, Some(_)) => State::Executed,
                }
            }
            Some(_) => State::Disputed,
        })
    }

    /// The state at a time: what the clock says until the events say more.
    pub(crate) fn state_at(&self, case: &Case, now: Timestamp) -> State {
        let spec = &case.proposal.spec;
        self.decided_state(case).unwrap_or(match now {
            now if now < spec.opens => State::Scheduled,
            now if now <= spec.closes => State::Open,
            _ => State::Closing,
        })
    }

    /// The decided digest of the outcome, in hex. In a dispute there is none: which of the two
    /// came first would depend on the reader.
    pub(crate) fn outcome_digest(&self, case: &Case) -> Option<String> {
        let id = case.proposal.id;
        let decided = self.ground.decided(id, Instance::Outcome)?;
        (!self.ground.is_disputed(id)).then(|| hex::encode(&decided.digest))
    }

    /// Proposals whose outcome is known here while nobody has published the tally.
    #[must_use]
    pub fn unpublished(&self) -> Vec<EventId> {
        let unpublished = |case: &&Case| case.outcome.is_some() && !case.published;
        self.cases.values().filter(unpublished).map(|case| case.proposal.id).collect()
    }

    /// The canonical tally (kind 4718) of a proposal whose box is counted, ready to be signed by
    /// anyone.
    #[must_use]
    pub fn tally_of(&self, proposal: &EventId) -> Option<Draft> {
        let case = self.cases.get(proposal)?;
        let outcome = case.outcome.as_ref()?;
        Some(draft::tally(case.proposal.community, *proposal, &outcome.json))
    }

    /// The charter under which a proposal is decided.
    #[must_use]
    pub fn charter_of(&self, proposal: &EventId) -> Option<Arc<ayni_witness::Charter>> {
        self.cases.get(proposal).map(|case| Arc::clone(&case.charter))
    }
}
