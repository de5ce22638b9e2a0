//! A Nostr relay as a library: a pure session inside a tokio server.
//!
//! [`session::Session`] knows the protocol and nothing else: parsed messages, verdicts, query
//! answers and live events go in; frames and work to be done come out. Around it stand the shell's
//! few parts: [`Relay::serve`] accepts sockets, a connection's task turns bytes into inputs and
//! outputs into bytes, a small pool checks signatures, and one inverted index finds out who wants
//! an event. What is stored, and who may write it, is the [`Backend`]'s: the relay asks through
//! that trait and keeps nothing on disk itself.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # async fn example<B: ayni_relay::Backend>(backend: B) -> std::io::Result<()> {
//! use ayni_relay::{InformationDoor, Relay, Settings};
//!
//! let relay = Relay::new(Arc::new(backend), Settings::default());
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:7777").await?;
//! let door = InformationDoor::new(&relay.information());
//! relay.serve(listener, door, std::future::pending()).await;
//! # Ok(())
//! # }
//! ```
//!
//! Deliberately absent: storage, replaceable and deletion semantics, write policy, TLS (a reverse
//! proxy's work) and compression of frames.

mod asking;
mod audience;
mod backend;
mod connection;
mod door;
mod fanout;
mod frames;
mod head;
mod information;
mod inquiry;
pub mod laws;
mod line;
mod reader;
mod receipt;
mod relay;
mod seats;
mod serve;
pub mod session;
mod settings;
mod statistics;
mod turns;
mod verifier;

pub use backend::{Accepted, Asker, Backend, Page, Source, Stored, Viewer};
pub use door::{HttpDoor, InformationDoor, Replayed};
pub use fanout::Index;
pub use information::Information;
pub use receipt::{Receipt, Verdict};
pub use relay::Relay;
pub use settings::{AuthMode, Settings};
pub use statistics::{Statistics, VERBS};

#[cfg(test)]
extern crate self as ayni_relay;
#[cfg(test)]
#[path = "../tests/world/memory.rs"]
mod memory;
