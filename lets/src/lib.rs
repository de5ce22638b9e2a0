//! Mutual credit: currencies, accounts, orders, certificates, the ledger (protocol section 3).
//!
//! [`Ledger`] folds signed events into books. Nothing issues credit: every counted event sums to
//! zero, so the balances of a currency do. An order counts once enough witnesses attested it, and
//! readers check no limits; the witness does, before it signs, in [`Ledger::judge`].
//!
//! Every kind has a file of its own with its fields, its reader and its writer side by side, so
//! that the two cannot drift apart: [`Entry`] is what was read, [`Body::draft`] writes it again.
//!
//! Deliberately absent: clocks, keys and storage. Time comes in as an argument, drafts go out unsigned.

pub mod account;
pub mod agreement;
mod ahead;
pub mod attestation;
mod book;
pub mod charge;
pub mod checkpoint;
mod clearing;
mod count;
pub mod currency;
mod duty;
pub mod entry;
mod evaluate;
mod few;
pub mod fork;
pub mod fraud;
pub mod hold;
pub mod judge;
mod known;
pub mod laws;
pub mod ledger;
pub mod levy;
mod log;
pub mod money;
pub mod order;
mod orders;
pub mod periodic;
pub mod proof;
pub mod quote;
pub mod rating;
pub mod ready;
pub mod reason;
pub mod refusal;
pub mod request;
pub mod resolution;
pub mod rules;
mod show;
mod stated;
pub mod statement;
mod succession;
mod tags;
pub mod trade;
pub mod view;

#[cfg(test)]
mod testing;

pub use account::{Ability, AccountType, Policy, Status};
pub use agreement::Agreement;
pub use attestation::{About, Attestation, Log, Repeat, Statement};
pub use charge::{Cause, Charge};
pub use checkpoint::Checkpoint;
pub use currency::Currency;
pub use entry::{Body, Entry};
pub use fork::{Case, Fork};
pub use fraud::Fraud;
pub use hold::{Outcome, Slot};
pub use judge::Verdict;
pub use ledger::Ledger;
pub use levy::LevyError;
pub use money::Money;
pub use order::{Extra, Order, Terms};
pub use proof::Conflict;
pub use quote::{Ask, Quote, Target};
pub use rating::Rating;
pub use ready::Ready;
pub use reason::Reason;
pub use refusal::Refusal;
pub use request::{Answer, Decline, Request};
pub use resolution::{Resolution, Resolved};
pub use rules::{Demurrage, Enforce, Formula, Levy, Memo, Rules, Side};
pub use trade::Payment;
