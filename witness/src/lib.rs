//! Charters, and the one decision primitive that fixes every vote, list, roster and charter:
//! attest, decide, draw (protocol sections 2 and 4).
//!
//! [`Council`] is the part of the economy that folds charters, rosters, receipts, box attestations,
//! decision steps and beacons. It does not know what a proposal or a raffle is: those parts hand
//! it a [`Subject`] and its entries as [`Fact`]s, and hear of decisions the same way.
//!
//! Deliberately absent: when a witness acts is the node's business ([`Council::duties`] takes the
//! time as an argument); what a reader concludes never depends on a clock.

pub mod acts;
pub mod beacon;
#[cfg(test)]
mod bodies;
pub mod canonical;
mod case;
pub mod charter;
pub mod council;
pub mod custom;
mod decision;
mod deliberation;
pub mod digest;
pub mod draft;
pub mod draw;
mod duties;
pub mod entry;
pub mod fact;
mod handover;
mod judge;
pub mod laws;
pub mod merkle;
#[cfg(test)]
mod pool;
pub mod read;
pub mod reason;
pub mod roster;
#[cfg(test)]
mod testing;
mod views;

pub use acts::{Acts, Standing, Touched};
pub use beacon::{Chain, Known, TestBeacon};
pub use council::Council;
pub use custom::InForce;
pub use entry::{Body, Entry};
pub use fact::{
    Account, Charter, Decision, Fact, Instance, Leg, Payment, Payout, Roster, RosterRow, Round,
    Subject, Timings, Value, WitnessSeat,
};
pub use handover::Handover;
pub use reason::Reason;
pub use views::Progress;
