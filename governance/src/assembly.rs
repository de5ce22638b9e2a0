//! The assembly: governance as a part of the economy.
//!
//! A proposal waits for its charter, then its roster, then its author's membership, always asked in
//! that order, so that the reason why one is void never depends on what came first. Once it counts
//! it is a *case*: a subject for the witnesses, with ballots and delegations as its entries. The
//! witnesses decide the box; from the box everyone computes the same result; the witnesses decide
//! that as well, and an act that a passed proposal names is mandated.
//!
//! What a reader concludes never depends on a clock. Which ballots came in time is in the decided
//! box alone; a ballot outside of it changes nothing (LateIsLate).
//!
//! Deliberately absent: sealed ballots (`tlock`). Such a proposal is void, and says so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ayni_protocol::kind;
use ayni_protocol::{EventId, Kind, Malformed, Part, Premise, PublicKey, Ruling, VerifiedEvent};
use ayni_witness::{Charter, Fact, Instance, Subject};

use crate::ballot::{Ballot, Delegation, Scope};
use crate::entry::{Entry, Published, Translation};
use crate::proposal::Proposal;
use crate::reason::Reason;
use crate::rules::{DelegationRule, Privacy, Tie};

mod case;
mod ground;
mod settle;

pub(crate) use case::{Case, Counted};
pub(crate) use ground::Ground;

/// Proposals, ballots, delegations and tallies, folded.
#[derive(Debug, Default)]
pub struct Assembly {
    pub(crate) ground: Ground,
    pub(crate) rulings: BTreeMap<EventId, Ruling<Reason>>,
    pub(crate) proposals: BTreeMap<EventId, Arc<Proposal>>,
    pub(crate) cases: BTreeMap<EventId, Case>,
    pub(crate) papers: BTreeMap<EventId, Paper>,
    /// Translations, by what they translate.
    pub(crate) translations: BTreeMap<EventId, Vec<Translation>>,
    /// Counted proposals of a community.
    counted: BTreeMap<EventId, Vec<EventId>>,
    /// Delegations for all proposals, by community and delegator.
    pub(crate) standing: BTreeMap<(EventId, PublicKey), Vec<EventId>>,
    waits: Waits,
}

/// A ballot or delegation: what may be in a box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Paper {
    Ballot(Ballot),
    Delegation(Delegation),
}

/// Who waits for what, by premise, so that a fact wakes only those it concerns.
#[derive(Debug, Default)]
struct Waits {
    charter: BTreeMap<EventId, Vec<EventId>>,
    roster: BTreeMap<EventId, Vec<EventId>>,
    member: BTreeMap<(EventId, PublicKey), Vec<EventId>>,
    /// Entries that name a proposal of which nothing is settled yet.
    proposal: BTreeMap<EventId, Vec<Dependent>>,
    /// Cases whose box holds an event that has not come.
    boxed: BTreeMap<EventId, Vec<EventId>>,
    /// Cases with a tie that waits for a round of a chain.
    round: BTreeMap<([u8; 32], u64), Vec<EventId>>,
}

#[derive(Debug, Clone)]
enum Dependent {
    Paper(EventId),
    Tally(Published),
    Translation(EventId),
}

impl Part for Assembly {
    type Entry = Entry;
    type Reason = Reason;
    type Fact = Fact;

    const NAME: &'static str = "governance";
    const KINDS: &'static [Kind] =
        &[kind::PROPOSAL, kind::BALLOT, kind::DELEGATION, kind::TALLY, kind::TRANSLATION];

    fn read(event: &VerifiedEvent) -> Result<Entry, Malformed> {
        Entry::read(event)
    }

    fn apply(&mut self, entry: Entry, facts: &mut Vec<Fact>) {
        let id = entry.id();
        if self.rulings.contains_key(&id) {
            return;
        }
        match entry {
            Entry::Proposal(proposal) => {
                self.proposals.insert(id, Arc::new(*proposal));
                self.judge(id, facts);
            }
            Entry::Ballot(ballot) => {
                let proposal = ballot.proposal;
                self.papers.insert(id, Paper::Ballot(ballot));
                self.depend(proposal, Dependent::Paper(id), facts);
            }
            Entry::Delegation(delegation) => self.delegate(delegation, facts),
            Entry::Tally(tally) => self.depend(tally.proposal, Dependent::Tally(tally), facts),
            Entry::Translation(translation) => {
                let subject = translation.subject;
                self.translations.entry(subject).or_default().push(translation);
                self.depend(subject, Dependent::Translation(id), facts);
            }
        }
        self.arrived(id, facts);
    }

    fn learn(&mut self, fact: &Fact, facts: &mut Vec<Fact>) {
        if !self.ground.learn(fact) {
            return;
        }
        match fact {
            Fact::Charter(charter) => {
                let woken = self.waits.charter.remove(&charter.id);
                self.judge_all(woken, facts);
            }
            Fact::Roster(roster) => {
                let woken = self.waits.roster.remove(&roster.id);
                self.judge_all(woken, facts);
            }
            Fact::Account(account) if account.active => {
                for key in account.signers.iter().chain([&account.account]) {
                    let woken = self.waits.member.remove(&(account.community, *key));
                    self.judge_all(woken, facts);
                }
            }
            Fact::Beacon(round) => {
                let woken = self.waits.round.remove(&(round.chain, round.round));
                woken.unwrap_or_default().into_iter().for_each(|id| self.settle(id, facts));
            }
            Fact::Decided(decision) => {
                if decision.instance == Instance::Close {
                    self.open_box(decision.subject);
                }
                self.settle(decision.subject, facts);
            }
            _ => {}
        }
    }

    fn ruling(&self, entry: &EventId) -> Option<Ruling<Reason>> {
        self.rulings.get(entry).copied()
    }

    fn digest_lines(&self) -> Vec<String> {
        let lines = self.cases.iter().filter_map(|(id, case)| {
            let state = self.decided_state(case)?;
            let outcome = self.outcome_digest(case).unwrap_or_else(|| "-".into());
            Some(format!("proposal|{id}|{state}|{outcome}"))
        });
        lines.collect()
    }
}

impl Assembly {
    fn judge_all(&mut self, proposals: Option<Vec<EventId>>, facts: &mut Vec<Fact>) {
        proposals.unwrap_or_default().into_iter().for_each(|id| self.judge(id, facts));
    }

    /// Rules on a proposal as far as that is possible, and wakes what waited for the ruling.
    fn judge(&mut self, id: EventId, facts: &mut Vec<Fact>) {
        let Some(proposal) = self.proposals.get(&id).map(Arc::clone) else { return };
        let verdict = self.verdict(&proposal);
        let author = (proposal.community, proposal.author);
        let ruling = match verdict {
            Verdict::Counted => Ruling::Counted,
            Verdict::Void(reason) => Ruling::Void(reason),
            Verdict::NoCharter => {
                self.waits.charter.entry(proposal.charter).or_default().push(id);
                Ruling::Waiting(Premise::Event(proposal.charter))
            }
            Verdict::NoRoster => {
                self.waits.roster.entry(proposal.roster).or_default().push(id);
                Ruling::Waiting(Premise::Event(proposal.roster))
            }
            Verdict::NoMember => {
                self.waits.member.entry(author).or_default().push(id);
                Ruling::Waiting(Premise::Approval)
            }
        };
        self.rulings.insert(id, ruling);
        if ruling == Ruling::Counted {
            self.count_in(&proposal, facts);
        }
        if !matches!(ruling, Ruling::Waiting(_)) {
            let dependents = self.waits.proposal.remove(&id).unwrap_or_default();
            dependents.into_iter().for_each(|dependent| self.depend(id, dependent, facts));
        }
        if ruling == Ruling::Counted {
            self.open_box(id);
            self.settle(id, facts);
        }
    }

    fn verdict(&self, proposal: &Proposal) -> Verdict {
        if proposal.spec.privacy == Privacy::Tlock {
            return Verdict::Void(Reason::SealedNotYet);
        }
        let Some(charter) = self.ground.charters.get(&proposal.charter) else {
            return Verdict::NoCharter;
        };
        if let Err(reason) = under_charter(proposal, charter) {
            return Verdict::Void(reason);
        }
        let Some(roster) = self.ground.rosters.get(&proposal.roster) else {
            return Verdict::NoRoster;
        };
        if roster.community != proposal.community {
            return Verdict::Void(Reason::OtherCommunity);
        }
        let own = charter.community_key == proposal.author;
        if own || self.ground.was_member(proposal.community, proposal.author) {
            Verdict::Counted
        } else {
            Verdict::NoMember
        }
    }

    /// Makes a case of a proposal that counts, and takes in the delegations that stand.
    fn count_in(&mut self, proposal: &Arc<Proposal>, facts: &mut Vec<Fact>) {
        let charter = self.ground.charters.get(&proposal.charter).map(Arc::clone);
        let roster = self.ground.rosters.get(&proposal.roster).map(Arc::clone);
        let (Some(charter), Some(roster)) = (charter, roster) else { return };
        let case = Case::new(Arc::clone(proposal), charter, roster);
        facts.push(Fact::Subject(Arc::new(subject_of(proposal))));
        self.counted.entry(proposal.community).or_default().push(proposal.id);
        if case.rules.delegation == DelegationRule::Copy {
            let standing: Vec<EventId> = case
                .roster
                .rows
                .keys()
                .filter_map(|key| self.standing.get(&(proposal.community, *key)))
                .flatten()
                .copied()
                .collect();
            self.cases.insert(proposal.id, case);
            standing.into_iter().for_each(|paper| self.admit_standing(proposal.id, paper, facts));
        } else {
            self.cases.insert(proposal.id, case);
        }
    }

    /// Files a delegation: with its proposal, or with every proposal that it concerns.
    fn delegate(&mut self, delegation: Delegation, facts: &mut Vec<Fact>) {
        let (id, scope) = (delegation.id, delegation.scope);
        let (community, delegator) = (delegation.community, delegation.delegator);
        self.papers.insert(id, Paper::Delegation(delegation));
        match scope {
            Scope::Proposal(proposal) => self.depend(proposal, Dependent::Paper(id), facts),
            Scope::All => {
                // It counts as soon as it is an entry of some vote, so it waits for a roster.
                self.rulings.insert(id, Ruling::Waiting(Premise::Decision));
                self.standing.entry((community, delegator)).or_default().push(id);
                for proposal in self.counted.get(&community).cloned().unwrap_or_default() {
                    self.admit_standing(proposal, id, facts);
                }
            }
        }
    }

    /// Rules on what names a proposal, or lets it wait for the proposal.
    fn depend(&mut self, proposal: EventId, dependent: Dependent, facts: &mut Vec<Fact>) {
        let (id, ruling) = match &dependent {
            Dependent::Paper(id) => (*id, self.rule_on_paper(proposal, *id)),
            Dependent::Tally(tally) => (tally.id, self.rule_on_tally(proposal, tally)),
            Dependent::Translation(id) => {
                (*id, self.cases.contains_key(&proposal).then_some(Ruling::Counted))
            }
        };
        let void = matches!(self.rulings.get(&proposal), Some(Ruling::Void(_)))
            && self.proposals.contains_key(&proposal);
        let ruling = match ruling {
            Some(ruling) => ruling,
            None if void => Ruling::Void(Reason::ProposalVoid),
            None => {
                self.waits.proposal.entry(proposal).or_default().push(dependent);
                self.rulings.insert(id, Ruling::Waiting(Premise::Event(proposal)));
                return;
            }
        };
        self.rulings.insert(id, ruling);
        match dependent {
            Dependent::Paper(paper) if ruling == Ruling::Counted => {
                self.admit(proposal, paper, facts);
            }
            Dependent::Tally(tally) => self.file_tally(proposal, tally, ruling),
            _ => {}
        }
    }

    /// The ruling on a ballot or delegation for one proposal, once that is a case.
    fn rule_on_paper(&self, proposal: EventId, id: EventId) -> Option<Ruling<Reason>> {
        let (case, paper) = (self.cases.get(&proposal)?, self.papers.get(&id)?);
        Some(case.takes(paper).map_or_else(Ruling::Void, |()| Ruling::Counted))
    }

    /// Puts a paper that counts among the entries of a case.
    fn admit(&mut self, proposal: EventId, entry: EventId, facts: &mut Vec<Fact>) {
        let Some(case) = self.cases.get_mut(&proposal) else { return };
        let Some(author) = self.papers.get(&entry).map(Paper::author) else { return };
        if case.admit(entry, author) {
            facts.push(Fact::Entry { subject: proposal, entry, units: 1 });
        }
    }

    /// Puts a delegation for all among the entries of a case that takes it.
    fn admit_standing(&mut self, proposal: EventId, entry: EventId, facts: &mut Vec<Fact>) {
        if self.rule_on_paper(proposal, entry) == Some(Ruling::Counted) {
            self.rulings.insert(entry, Ruling::Counted);
            self.admit(proposal, entry, facts);
        }
    }
}

/// How far a proposal has come.
enum Verdict {
    Counted,
    Void(Reason),
    NoCharter,
    NoRoster,
    NoMember,
}

/// What a proposal's charter asks of it.
pub(crate) fn under_charter(proposal: &Proposal, charter: &Charter) -> Result<(), Reason> {
    let spec = &proposal.spec;
    if charter.community != proposal.community {
        return Err(Reason::OtherCommunity);
    }
    if spec.opens < proposal.created_at.saturating_add(charter.timings.min_notice) {
        return Err(Reason::NoticeTooShort);
    }
    match (spec.tie, spec.round_under(charter)) {
        (Tie::StatusQuo, _) => Ok(()),
        (Tie::Lot, None) => Err(Reason::NoBeacon),
        (Tie::Lot, round) if round == spec.unlock => Ok(()),
        (Tie::Lot, Some(_)) => Err(Reason::WrongRound),
    }
}

fn subject_of(proposal: &Proposal) -> Subject {
    let spec = &proposal.spec;
    Subject {
        id: proposal.id,
        community: proposal.community,
        charter: proposal.charter,
        opens: spec.opens,
        closes: spec.closes,
        grace: spec.grace,
        round: if spec.tie == Tie::Lot { spec.unlock } else { None },
        min_units: 0,
    }
}

impl Paper {
    pub(crate) const fn author(&self) -> PublicKey {
        match self {
            Self::Ballot(ballot) => ballot.voter,
            Self::Delegation(delegation) => delegation.delegator,
        }
    }
}

/// A set of event ids, by its usual name here.
pub(crate) type Ids = BTreeSet<EventId>;

#[cfg(test)]
mod tests;
