//! The journal, which is the truth on disk, and the index that finds events in it.
//!
//! A batch of verified events is appended to a journal of checksummed frames with one sync; an
//! index in memory, built from the journal and never the other way round, finds them newest first;
//! answers are views of the mapped journal, so that stored bytes are sent as they are. What is in
//! `sled/` beside it makes a start quick and may be deleted at any time.
//!
//! Why so: a sequential log takes ten times as many events a second as any store that keeps its
//! indices on disk, and there is one thing only that must survive, which a person can copy.
//!
//! Deliberately absent: verification (that is `protocol`), who may write or read (`relay`), and any
//! thread or clock: time comes in with every question.

#[cfg(test)]
mod breakage;
mod compaction;
#[cfg(test)]
mod differential;
mod disk;
mod disk_store;
#[cfg(test)]
mod exhaustive;
mod fault;
mod frame;
mod index;
mod intake;
mod journal;
mod keyed;
pub mod laws;
mod memory;
pub mod query;
mod reading;
mod recovery;
mod replay;
mod retention;
mod rules;
mod segment;
mod state;
mod store;
#[cfg(test)]
mod suite;
#[cfg(test)]
mod testing;

pub use compaction::Compaction;
#[cfg(feature = "testing")]
pub use disk::{Disk, SegmentFile};
pub use disk_store::{DiskStore, Options};
pub use fault::Fault;
pub use memory::MemoryStore;
pub use query::{Reader, everyone, is_restricted};
pub use recovery::{Dropped, Recovery};
pub use retention::{Retention, Rule};
pub use state::State;
pub use store::{Outcome, Page, Position, Store, Stored};
