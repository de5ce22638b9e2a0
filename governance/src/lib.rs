//! Proposals, ballots, quadratic and other tallies, delegation (protocol section 5).
//!
//! [`Assembly`] is the part of the economy that folds them: it says which proposals count, hands
//! the witnesses their entries, and computes from a decided box the one result that everyone else
//! computes too. [`tally::tally`] is the count alone, over plain values, for whoever wants to audit
//! a vote without believing anything else here.
//!
//! Deliberately absent: sealed ballots (a proposal with privacy `tlock` is void and says so), and
//! any clock. What a clock decides is asked with the time as an argument, and never counted.

pub mod admission;
pub mod assembly;
pub mod ballot;
pub mod copying;
pub mod draft;
pub mod entry;
pub mod integer;
pub mod laws;
pub mod mark;
pub mod outcome;
pub mod proposal;
pub mod ranked;
pub mod reason;
pub mod rules;
pub mod state;
pub mod tally;
pub mod view;
mod when;
pub mod words;

pub use assembly::Assembly;
pub use ballot::{Ballot, Delegation, Scope};
pub use entry::Entry;
pub use mark::{Choice, Spoiled, Vote};
pub use proposal::{Proposal, ProposalSpec, Title};
pub use reason::Reason;
pub use rules::{DelegationRule, Method, Privacy, ProposalOption, Rules, Tie};
pub use state::State;
pub use view::ProposalView;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod world;
