//! Making events: a draft, a key, a time and some randomness, all handed in.
//!
//! Deliberately absent: where a key is kept, what time it is, and where randomness comes from.

use std::fmt;

use secp256k1::{Keypair, SECP256K1, SecretKey};

use crate::{Event, EventId, Kind, PublicKey, Tags, Timestamp, VerifiedEvent};

/// A secret key with its public half. Its `Debug` shows the public half only.
#[derive(Clone)]
pub struct Keys {
    pair: Keypair,
}

/// Bytes that are no secret key: zero, or beyond the curve's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("these 32 bytes are not a secret key")]
pub struct NotAKey;

impl Keys {
    /// The keys of a 32-byte secret.
    ///
    /// # Errors
    /// [`NotAKey`] for zero or a number beyond the curve's order.
    pub fn from_secret(secret: [u8; 32]) -> Result<Self, NotAKey> {
        let secret = SecretKey::from_slice(&secret).map_err(|_| NotAKey)?;
        Ok(Self { pair: Keypair::from_secret_key(SECP256K1, &secret) })
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.pair.x_only_public_key().0.serialize())
    }

    /// The secret itself, for writing it to its own file.
    #[must_use]
    pub fn secret(&self) -> [u8; 32] {
        self.pair.secret_bytes()
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", self.public())
    }
}

/// An event before it has an author, a time, an id and a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// What it will be.
    pub kind: Kind,
    /// Its tags.
    pub tags: Tags,
    /// Its text.
    pub content: String,
}

impl Draft {
    /// An empty draft of a kind.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        Self { kind, tags: Tags::default(), content: String::new() }
    }

    /// With one more tag.
    #[must_use]
    pub fn tag<T: AsRef<str>>(mut self, values: impl IntoIterator<Item = T>) -> Self {
        self.tags.push(values);
        self
    }

    /// With this text.
    #[must_use]
    pub fn content(mut self, content: impl Into<String>) -> Self {
        self.content = content.into();
        self
    }

    /// Signs it. `aux` is 32 fresh random bytes (BIP-340); a constant is safe but tells observers
    /// that the same event was signed twice.
    #[must_use]
    pub fn sign(self, keys: &Keys, created_at: Timestamp, aux: [u8; 32]) -> VerifiedEvent {
        let mut event = Event {
            id: EventId([0; 32]),
            pubkey: keys.public(),
            created_at,
            kind: self.kind,
            tags: self.tags,
            content: self.content,
            sig: [0; 64],
        };
        event.id = event.hash();
        let message = secp256k1::Message::from_digest(event.id.0);
        event.sig = *SECP256K1.sign_schnorr_with_aux_rand(&message, &keys.pair, &aux).as_ref();
        VerifiedEvent::signed_here(event)
    }
}
