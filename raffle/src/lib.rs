//! Raffles, tickets, draws, refunds; causes; country gates (protocol section 6).
//!
//! [`Drum`] is the part of the economy that folds raffles. A ticket counts once the witnesses
//! decided the list; the draw follows from that list and a round of a beacon that nobody could
//! know when the list was fixed; and what is paid out of the escrow account, or given back,
//! follows from what was decided. It hears of charters, accounts, payments, decisions and rounds
//! as facts, and tells the witnesses what to decide and the ledger what to certify the same way.
//!
//! Deliberately absent: the clock (only [`Drum::may_sell`], [`Drum::may_announce`] and the views
//! take one, as an argument, and nothing they say is counted); draws without a beacon; the
//! passing on of an unclaimed prize, for which the witnesses have no instance yet.

mod admission;
pub mod causes;
pub mod draft;
mod drum;
pub mod gates;
mod judge;
pub mod laws;
pub mod list;
pub mod payout;
mod people;
mod publish;
pub mod read;
mod reason;
pub mod result;
mod settle;
pub mod spec;
mod state;
pub mod view;

#[cfg(test)]
mod scene;
#[cfg(test)]
mod tests;

pub use admission::YEAR_SECS;
pub use causes::Cause;
pub use drum::Drum;
pub use gates::{Gate, Gates};
pub use list::TicketList;
pub use read::Entry;
pub use reason::Reason;
pub use result::Draw;
pub use spec::{Place, RaffleSpec};
pub use state::State;
