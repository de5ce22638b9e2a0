//! The market: what members offer and want, whom it fits, and how balanced their trade is.
//!
//! Three questions, each answered from facts that are handed in: *what is there?* ([`Listing`],
//! [`shelf`]), *who could trade with whom?* ([`fit`], [`ring`]), and *does what is given come
//! back?* ([`reciprocity`]). What is found is a suggestion: nothing here moves a balance, and no
//! figure of it ever decides about a limit or a vote.
//!
//! Deliberately absent: the ledger, whose trades and balances come in as [`Trade`] and [`Account`];
//! clocks; and fractions that round differently on two machines. Ratios are [`Share`]s, in
//! millionths and rounded down, so that every node prints the same figure.

pub mod board;
pub mod fit;
pub mod flow;
pub mod laws;
pub mod listing;
pub mod reciprocity;
pub mod ring;
pub mod share;
pub mod shelf;
pub mod spread;
pub mod tell;

#[cfg(test)]
mod testing;

pub use board::Board;
pub use fit::Fit;
pub use flow::{Account, Flows, Trade, Window};
pub use listing::{Listing, Price, Side, Status};
pub use reciprocity::{Community, Member, Report};
pub use ring::Ring;
pub use share::{Ratio, Share};
