//! Search (NIP-50): the index of words, and the thread that keeps it behind the writer.
//!
//! The writer never waits for it. What is stored is offered to a short queue; where that is full,
//! or the node was started anew, the thread reads what it missed from the store. So an answer may
//! lag behind by moments, and by minutes while an index is made for an old journal.
//!
//! Without the feature `search` the same names are here and do nothing, so that nobody else need
//! ask.

#[cfg(not(feature = "search"))]
mod off;
#[cfg(feature = "search")]
mod on;

#[cfg(not(feature = "search"))]
pub use off::{Seeker, begin};
#[cfg(feature = "search")]
pub use on::{Seeker, begin};

/// Whether a node of this configuration searches.
#[must_use]
pub const fn is_offered(config: &crate::config::Config) -> bool {
    cfg!(feature = "search") && config.relay.search
}
