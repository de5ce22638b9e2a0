//! A case: a proposal that counts, with its entries and what became of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use ayni_protocol::{EventId, PublicKey, Timestamp};
use ayni_witness::{Charter, Roster};

use super::{Ids, Paper};
use crate::ballot::Scope;
use crate::mark::Choice;
use crate::outcome::Outcome;
use crate::proposal::Proposal;
use crate::reason::Reason;
use crate::rules::{DelegationRule, Rules};
use crate::tally::{Count, tally};

/// A proposal that counts.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) proposal: Arc<Proposal>,
    pub(crate) rules: Rules,
    pub(crate) charter: Arc<Charter>,
    pub(crate) roster: Arc<Roster>,
    /// Every ballot and delegation that is in order, in the box or not.
    pub(crate) entries: Ids,
    /// How many of them each member made.
    made: BTreeMap<PublicKey, usize>,
    /// How many events of the decided box have not come; nothing before the box is decided.
    pub(super) missing: Option<usize>,
    /// The count of the decided box, once all of it is here.
    pub(crate) counted: Option<Counted>,
    /// What that came to, lots drawn.
    pub(crate) outcome: Option<Outcome>,
    /// Published tallies that wait for the outcome.
    pub(super) tallies: Vec<crate::entry::Published>,
    /// Whether somebody published the right tally.
    pub(crate) published: bool,
    /// Whether the act it names was already mandated.
    pub(super) mandated: bool,
}

/// A count, with the ballot that stands for each voter.
#[derive(Debug, Clone)]
pub(crate) struct Counted {
    pub(crate) count: Count<PublicKey>,
    pub(crate) ballots: BTreeMap<PublicKey, EventId>,
}

/// By what one entry of a member goes before another: a specific delegation before one for all,
/// then the later, then the lower id.
type Standing = (bool, Timestamp, std::cmp::Reverse<EventId>);

impl Case {
    pub(super) fn new(proposal: Arc<Proposal>, charter: Arc<Charter>, roster: Arc<Roster>) -> Self {
        Self {
            rules: proposal.spec.rules(),
            proposal,
            charter,
            roster,
            entries: Ids::new(),
            made: BTreeMap::new(),
            missing: None,
            counted: None,
            outcome: None,
            tallies: Vec::new(),
            published: false,
            mandated: false,
        }
    }

    /// Takes in an entry; false where it was in already.
    pub(super) fn admit(&mut self, entry: EventId, author: PublicKey) -> bool {
        let fresh = self.entries.insert(entry);
        if fresh {
            let made = self.made.entry(author).or_default();
            *made = made.saturating_add(1);
        }
        fresh
    }

    /// How many entries a member made.
    pub(crate) fn papers_of(&self, member: &PublicKey) -> usize {
        self.made.get(member).copied().unwrap_or(0)
    }

    /// Whether a ballot or delegation is an entry of this case. What a ballot says is not asked:
    /// spoiled is in the box (protocol section 8).
    pub(crate) fn takes(&self, paper: &Paper) -> Result<(), Reason> {
        let spec = &self.proposal.spec;
        let (community, at) = match paper {
            Paper::Ballot(ballot) => (ballot.community, ballot.created_at),
            Paper::Delegation(delegation) => (delegation.community, delegation.created_at),
        };
        if community != self.proposal.community {
            return Err(Reason::OtherCommunity);
        }
        if let Paper::Delegation(delegation) = paper {
            if self.rules.delegation == DelegationRule::None {
                return Err(Reason::NoDelegation);
            }
            if delegation.delegate.is_some_and(|key| !self.roster.rows.contains_key(&key)) {
                return Err(Reason::DelegateNotOnRoster);
            }
        } else if at < spec.opens {
            // A delegation may stand long before the vote; a ballot may not.
            return Err(Reason::BeforeOpening);
        }
        if at > spec.closes {
            return Err(Reason::AfterClose);
        }
        if self.roster.rows.contains_key(&paper.author()) {
            Ok(())
        } else {
            Err(Reason::NotOnRoster)
        }
    }

    /// Counts these entries; those that are none of this case's are passed over.
    pub(crate) fn count(&self, papers: &BTreeMap<EventId, Paper>, entries: &Ids) -> Counted {
        let mut ballots: BTreeMap<PublicKey, (Standing, &Choice)> = BTreeMap::new();
        let mut delegates: BTreeMap<PublicKey, (Standing, Option<PublicKey>)> = BTreeMap::new();
        for id in self.entries.intersection(entries) {
            match papers.get(id) {
                Some(Paper::Ballot(ballot)) => {
                    let standing = (true, ballot.created_at, std::cmp::Reverse(*id));
                    stand(&mut ballots, ballot.voter, standing, &ballot.choice);
                }
                Some(Paper::Delegation(delegation)) => {
                    let specific = delegation.scope != Scope::All;
                    let standing = (specific, delegation.created_at, std::cmp::Reverse(*id));
                    stand(&mut delegates, delegation.delegator, standing, delegation.delegate);
                }
                None => {}
            }
        }
        let credits = self.roster.rows.iter().map(|(key, row)| (*key, row.credits)).collect();
        let choices = ballots.iter().map(|(key, (_, choice))| (*key, (*choice).clone())).collect();
        let delegates =
            delegates.into_iter().filter_map(|(key, (_, delegate))| Some((key, delegate?)));
        Counted {
            count: tally(&self.rules, &credits, &choices, &delegates.collect()),
            ballots: ballots.into_iter().map(|(key, ((_, _, id), _))| (key, id.0)).collect(),
        }
    }
}

/// Lets an entry take its member's place if it goes before the one that stands there.
fn stand<T>(
    places: &mut BTreeMap<PublicKey, (Standing, T)>,
    member: PublicKey,
    standing: Standing,
    says: T,
) {
    if places.get(&member).is_none_or(|(before, _)| *before < standing) {
        places.insert(member, (standing, says));
    }
}
