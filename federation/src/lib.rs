//! How two nodes come to hold the same events, without a socket in sight.
//!
//! A [`Peer`] is one other node as a state machine in the manner of quinn and Firezone's connlib:
//! whoever owns the socket tells it what happened (`handle_*`) and asks what to do (`poll_*`).
//! Time and entropy are arguments, so the same machine runs in the node and in a simulated world
//! that loses, repeats and reorders what it likes.
//!
//! A connection begins with a live subscription, then the two sets are reconciled (NIP-77, or page
//! by page where the peer does not know it), what we lack is downloaded, what the peer lacks is
//! uploaded, and from then on each side hears at once what the other stores. Every event is handed
//! out as it was sent, to pass the same door as a client's (protocol, principle 4).
//!
//! Deliberately absent: sockets, the store, signatures, and any opinion on what an event means.

mod backoff;
mod hear;
mod inbox;
mod outbox;
mod paging;
mod pass;
mod peer;
mod recent;
mod reconcile;
mod session;
mod status;

pub mod laws;
pub mod scope;
pub mod terms;
pub mod wire;

#[cfg(test)]
mod liars;
#[cfg(test)]
mod world;

pub use peer::{Peer, PeerEvent, Transmit};
pub use status::{PeerState, PeerStatus};
pub use terms::Terms;

/// Milliseconds of a clock that never goes back. Where it starts does not matter.
pub type Millis = u64;
