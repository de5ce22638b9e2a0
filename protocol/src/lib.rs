//! What a signed event is, and what it may say.
//!
//! Everything else in the house stands on this crate: the one parser of events, the one door
//! from [`Event`] to [`VerifiedEvent`], the NIP-01 messages and filters, amounts, limits, and the
//! contract that every part of the economy signs ([`part::Part`]).
//!
//! Deliberately absent: sockets, files, clocks and randomness. Time and entropy are arguments.

pub mod amount;
pub mod event;
pub mod filter;
pub mod hex;
pub mod hyperloglog;
pub mod idmap;
pub mod json;
pub mod kind;
pub mod laws;
pub mod limits;
pub mod part;
pub mod rejection;
pub mod relay_url;
pub mod rows;
pub mod search;
pub mod shape;
pub mod sign;
pub mod verify;
pub mod wire;

pub use amount::{Amount, Scale};
pub use event::{Event, Tag, Tags};
pub use filter::Filter;
pub use hex::{Address, EventId, PublicKey};
pub use idmap::{IdMap, KeyMap, Number, Register};
pub use kind::Kind;
pub use limits::Limits;
pub use part::{Malformed, Part, Premise, Ruling};
pub use rejection::{Prefix, Rejection};
pub use rows::Rows;
pub use shape::Shape;
pub use sign::{Draft, Keys};
pub use verify::{KnownKeys, VerifiedEvent};

/// Unix time in whole seconds, as `created_at` and every deadline of the protocol count it.
pub type Timestamp = u64;
