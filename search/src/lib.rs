//! An index of words beside the journal, which finds the events that NIP-50 asks for.
//!
//! SQLite's FTS5 keeps it, without the texts themselves: for each word where it stands, for each
//! event its place in the journal, its id and the few numbers that most filters name. What is
//! found is looked up in the store, which alone knows what still lives; so an event that was
//! deleted, replaced or has expired is never answered, and its words leave when whoever owns the
//! store looks through the index ([`Search::sweep`]).
//!
//! Nothing in the file is truth. A file that is missing, damaged, of another format or ahead of
//! the journal is made again, and whoever owns the journal fills it from where it ends
//! ([`Search::indexed`]).
//!
//! Deliberately absent: the store, any thread, and the normalisation of words, which live events
//! share (`protocol/src/search.rs`).

mod fault;
mod find;
mod index;
pub mod laws;

pub use fault::Fault;
pub use find::Found;
pub use index::{Entry, Search};
