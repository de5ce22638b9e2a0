//! What a node asks before it takes a proposal, a ballot or a delegation from a client.
//!
//! These are sentences for people, said in time: a ballot that nobody could count is refused rather
//! than stored and forgotten. They bind no one else. Events from peers, files and backups are not
//! asked, because what counts is in the box that the witnesses decide, not in a node's clock.

use ayni_protocol::{
    Event, EventId, Malformed, Part, Prefix, PublicKey, Rejection, Ruling, Timestamp, kind,
};
use ayni_witness::Instance;

use crate::assembly::{Assembly, Case, Paper};
use crate::ballot::{Ballot, Delegation, Scope};
use crate::proposal::Proposal;
use crate::reason::Reason;
use crate::rules::{Privacy, Tie};
use crate::when::utc;

/// Ballots and delegations a member may put into one box, and delegations for all in one community.
/// The last one stands, so more are of no use to anyone.
pub const PAPERS_MAX: usize = 64;
/// Proposals a member may have that are not closed yet. The community itself may have more.
pub const PROPOSALS_MAX: usize = 16;

impl Assembly {
    /// Whether a client may publish this ballot (4713) or delegation (4714) now.
    ///
    /// An overspent or otherwise spoiled ballot may be published: it is boxed and listed.
    ///
    /// # Errors
    /// [`Rejection`] with a sentence: malformed, unknown proposal, not on its roster, not open yet,
    /// closed, or too many.
    pub fn may_vote(&self, event: &Event, now: Timestamp) -> Result<(), Rejection> {
        match event.kind {
            kind::BALLOT => {
                let ballot = Ballot::read(event).map_err(malformed)?;
                self.may_enter(ballot.proposal, &Paper::Ballot(ballot), now)
            }
            kind::DELEGATION => {
                let delegation = Delegation::read(event).map_err(malformed)?;
                match delegation.scope {
                    Scope::Proposal(id) => self.may_enter(id, &Paper::Delegation(delegation), now),
                    Scope::All => self.may_delegate(&delegation),
                }
            }
            _ => Err(Rejection::invalid("this is neither a ballot nor a delegation")),
        }
    }

    /// Whether a client may publish this proposal (4712) now.
    ///
    /// # Errors
    /// [`Rejection`] with a sentence: malformed, not a member, an unknown or outdated charter, an
    /// undecided roster, too little notice, a wrong round, or too many.
    pub fn may_propose(&self, event: &Event, now: Timestamp) -> Result<(), Rejection> {
        let proposal = Proposal::read(event).map_err(malformed)?;
        let spec = &proposal.spec;
        if spec.privacy == Privacy::Tlock {
            return Err(Rejection::new(Prefix::Unsupported, Reason::SealedNotYet.sentence()));
        }
        let Some(charter) = self.ground.charters.get(&proposal.charter) else {
            return Err(restricted("the proposal names a charter that this node does not know"));
        };
        if !self.ground.in_force(charter.id) {
            return Err(restricted("a newer charter is in force: name that one in the proposal"));
        }
        let own = charter.community_key == proposal.author;
        if !own && !self.ground.is_member(proposal.community, proposal.author) {
            return Err(restricted("only members with an active account may propose"));
        }
        match self.ground.rosters.get(&proposal.roster) {
            None => return Err(restricted("the roster it names is not decided yet: wait for it")),
            Some(roster) if roster.community != proposal.community => {
                return Err(Rejection::invalid(Reason::OtherCommunity.sentence()));
            }
            Some(_) => {}
        }
        if let Err(reason) = crate::assembly::under_charter(&proposal, charter) {
            return Err(Rejection::invalid(self.explained(&proposal, reason)));
        }
        if spec.closes <= now {
            return Err(Rejection::invalid(format!(
                "the vote would be over: {}",
                utc(spec.closes)
            )));
        }
        if own { Ok(()) } else { self.not_too_many(proposal.author, now) }
    }

    fn may_enter(&self, id: EventId, paper: &Paper, now: Timestamp) -> Result<(), Rejection> {
        let Some(case) = self.cases.get(&id) else { return Err(self.no_case(id)) };
        let spec = &case.proposal.spec;
        case.takes(paper).map_err(|reason| match reason {
            Reason::BeforeOpening => restricted(not_open(spec.opens)),
            Reason::AfterClose => restricted(closed(spec.closes)),
            Reason::NotOnRoster | Reason::DelegateNotOnRoster | Reason::NoDelegation => {
                restricted(reason.sentence())
            }
            other => Rejection::invalid(other.sentence()),
        })?;
        if matches!(paper, Paper::Ballot(_)) && now < spec.opens {
            return Err(restricted(not_open(spec.opens)));
        }
        let decided = self.ground.decided(id, Instance::Close).is_some();
        if now > spec.last_receipt() || decided {
            return Err(restricted(closed(spec.closes)));
        }
        self.room_in_box(case, paper.author())
    }

    /// The sentence for a proposal that is no case: void, waiting, or never seen.
    fn no_case(&self, id: EventId) -> Rejection {
        if !self.proposals.contains_key(&id) {
            return Rejection::invalid(format!("the proposal {id} is not known here"));
        }
        match self.ruling(&id) {
            Some(Ruling::Void(reason)) => {
                Rejection::invalid(format!("the proposal is void: {reason}"))
            }
            Some(Ruling::Waiting(premise)) => {
                restricted(format!("the proposal does not count yet: it {premise}"))
            }
            _ => Rejection::invalid(format!("the proposal {id} is not known here")),
        }
    }

    fn may_delegate(&self, delegation: &Delegation) -> Result<(), Rejection> {
        let (community, delegator) = (delegation.community, delegation.delegator);
        if !self.ground.is_member(community, delegator) {
            return Err(restricted("only members with an active account may delegate"));
        }
        let standing = self.standing.get(&(community, delegator)).map_or(0, Vec::len);
        if standing < PAPERS_MAX { Ok(()) } else { Err(too_many("delegations for all votes")) }
    }

    fn room_in_box(&self, case: &Case, member: PublicKey) -> Result<(), Rejection> {
        let room = case.papers_of(&member) < PAPERS_MAX;
        if room { Ok(()) } else { Err(too_many("ballots and delegations in this vote")) }
    }

    fn not_too_many(&self, author: PublicKey, now: Timestamp) -> Result<(), Rejection> {
        let pending = |proposal: &&std::sync::Arc<Proposal>| {
            proposal.author == author && proposal.spec.last_receipt() >= now
        };
        let count = self.proposals.values().filter(pending).count();
        if count < PROPOSALS_MAX { Ok(()) } else { Err(too_many("proposals under way")) }
    }

    /// A reason with the numbers that its author needs to mend it.
    fn explained(&self, proposal: &Proposal, reason: Reason) -> String {
        let Some(charter) = self.ground.charters.get(&proposal.charter) else {
            return reason.sentence().into();
        };
        match (reason, proposal.spec.tie) {
            (Reason::NoticeTooShort, _) => {
                let notice = charter.timings.min_notice;
                let earliest = utc(proposal.created_at.saturating_add(notice));
                format!("votes need {notice} seconds of notice: open at {earliest} or later")
            }
            (Reason::WrongRound, Tie::Lot) => {
                let round = proposal.spec.round_under(charter).unwrap_or(0);
                format!("the unlock round must be {round}, the one after close, grace and sealing")
            }
            _ => reason.sentence().into(),
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "map_err hands it over")]
fn malformed(malformed: Malformed) -> Rejection {
    Rejection::invalid(malformed.to_string())
}

fn restricted(sentence: impl Into<std::borrow::Cow<'static, str>>) -> Rejection {
    Rejection::new(Prefix::Restricted, sentence)
}

fn too_many(what: &str) -> Rejection {
    Rejection::new(Prefix::RateLimited, format!("you have too many {what}"))
}

fn not_open(opens: Timestamp) -> String {
    format!("voting is not open yet: it opens at {}", utc(opens))
}

fn closed(closes: Timestamp) -> String {
    format!("voting closed at {}", utc(closes))
}

#[cfg(test)]
mod tests;
