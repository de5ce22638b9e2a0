//! What a session sends: text of its own, or an event whose bytes everybody shares.

use std::sync::Arc;

use ayni_protocol::{Timestamp, VerifiedEvent, kind};
use bytes::Bytes;

/// One message to the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A whole text message.
    Text(String),
    /// `head`, then the event's shared JSON, then `]`. The head is made once a subscription, the
    /// JSON once an event, and the three meet in the socket's write buffer.
    Event {
        /// `["EVENT","sub",`
        head: Arc<str>,
        /// The event.
        json: Bytes,
    },
    /// A WebSocket ping.
    Ping,
}

impl Frame {
    /// Bytes of its payload.
    #[must_use]
    pub fn payload_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Event { head, json } => head.len() + json.len() + 1,
            Self::Ping => 0,
        }
    }

    /// Appends the payload.
    pub fn write_payload(&self, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => out.extend_from_slice(text.as_bytes()),
            Self::Event { head, json } => {
                out.extend_from_slice(head.as_bytes());
                out.extend_from_slice(json);
                out.push(b']');
            }
            Self::Ping => {}
        }
    }
}

/// An event on its way to everyone who asked for such.
#[derive(Debug)]
pub struct Live {
    /// The event.
    pub event: VerifiedEvent,
    /// Its JSON, shared with the event itself.
    pub json: Bytes,
    /// Where it is stored; nothing for an ephemeral event.
    pub position: Option<u64>,
    /// When it expires (NIP-40), which ephemeral and economy events never do.
    expires: Option<Timestamp>,
}

/// Lets [`Bytes`] share the JSON inside the event instead of copying it.
struct Json(VerifiedEvent);

impl AsRef<[u8]> for Json {
    fn as_ref(&self) -> &[u8] {
        self.0.json().as_bytes()
    }
}

impl Live {
    /// An event that was just stored at `position`, or is ephemeral.
    #[must_use]
    pub fn new(event: &VerifiedEvent, position: Option<u64>) -> Self {
        Self {
            event: event.clone(),
            json: Bytes::from_owner(Json(event.clone())),
            position,
            expires: lasting_expiration(event),
        }
    }

    /// Whether it has expired by `now`.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

/// When an event expires, where NIP-40 has an effect at all: not on ephemeral kinds, nor on the
/// economy's (protocol section 1).
pub(super) fn lasting_expiration(event: &ayni_protocol::Event) -> Option<Timestamp> {
    let exempt = event.kind.class() == kind::Class::Ephemeral || event.kind.is_economy();
    if exempt { None } else { event.expiration() }
}
