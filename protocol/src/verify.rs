//! The one door from an event that was sent to an event that is believed.
//!
//! A [`VerifiedEvent`] exists only if its id is the hash of its content and its signature is its
//! author's. Whoever holds one need not check again, and nobody can make one any other way.

use std::sync::Arc;

use secp256k1::{SECP256K1, XOnlyPublicKey, schnorr::Signature};
use sha2::{Digest, Sha256};

use crate::{Event, EventId};

/// Why an event is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The id is not the hash of the content (NIP-01).
    #[error("the id is not the hash of the event")]
    WrongId,
    /// The author's key is not a point of the curve.
    #[error("the pubkey is not a valid key")]
    WrongKey,
    /// The signature is not the author's (BIP-340).
    #[error("the signature does not fit the id and pubkey")]
    WrongSignature,
}

/// An event whose id and signature were checked, with its canonical JSON. Cheap to clone.
#[derive(Debug, Clone)]
pub struct VerifiedEvent(Arc<Verified>);

#[derive(Debug)]
struct Verified {
    event: Event,
    json: Box<str>,
}

impl Event {
    /// Checks the id, then the signature.
    ///
    /// # Errors
    /// [`VerifyError`], by what failed first.
    pub fn verify(self) -> Result<VerifiedEvent, VerifyError> {
        if self.hash() != self.id {
            return Err(VerifyError::WrongId);
        }
        let key = XOnlyPublicKey::from_slice(&self.pubkey.0).map_err(|_| VerifyError::WrongKey)?;
        let message = secp256k1::Message::from_digest(self.id.0);
        let signature =
            Signature::from_slice(&self.sig).map_err(|_| VerifyError::WrongSignature)?;
        SECP256K1
            .verify_schnorr(&signature, &message, &key)
            .map_err(|_| VerifyError::WrongSignature)?;
        Ok(VerifiedEvent::believed(self))
    }

    /// The id its content has (NIP-01), whatever it claims.
    #[must_use]
    pub fn hash(&self) -> EventId {
        EventId(Sha256::digest(self.serialised_for_id()).into())
    }
}

impl VerifiedEvent {
    fn believed(event: Event) -> Self {
        let json = event.to_json().into_boxed_str();
        Self(Arc::new(Verified { event, json }))
    }

    /// An event that [`crate::Draft::sign`] has just signed.
    pub(crate) fn signed_here(event: Event) -> Self {
        Self::believed(event)
    }

    /// Reads back an event that this node verified before it wrote it to its own journal.
    ///
    /// The id is checked again, the signature is not: the journal's checksum stands for it. Only
    /// the store may call this, and a test of the house sees to it.
    #[must_use]
    pub fn from_own_journal(json: &str) -> Option<Self> {
        let event = Event::parse(json).ok()?;
        (event.hash() == event.id).then(|| Self::believed(event))
    }

    /// The canonical JSON, as it is stored and sent.
    #[must_use]
    pub fn json(&self) -> &str {
        &self.0.json
    }
}

impl std::ops::Deref for VerifiedEvent {
    type Target = Event;
    fn deref(&self) -> &Event {
        &self.0.event
    }
}

impl PartialEq for VerifiedEvent {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for VerifiedEvent {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::{Draft, Keys};

    fn signed() -> Event {
        let keys = Keys::from_secret([7; 32]).unwrap();
        let draft = Draft::new(crate::kind::NOTE).tag(["t", "ayni"]).content("hello \u{1} world\n");
        Event::clone(&draft.sign(&keys, 1_700_000_000, [9; 32]))
    }

    #[test]
    fn what_was_signed_is_believed() {
        let event = signed();
        let again = Event::parse(&event.to_json()).unwrap().verify().unwrap();
        assert_eq!(*again, event);
    }

    #[test]
    fn any_change_is_noticed() {
        let wrong_id = Event { content: "other".into(), ..signed() };
        assert_eq!(wrong_id.verify().unwrap_err(), VerifyError::WrongId);
        let mut wrong_signature = signed();
        wrong_signature.sig[5] ^= 1;
        assert_eq!(wrong_signature.verify().unwrap_err(), VerifyError::WrongSignature);
        let mut wrong_key = Event { pubkey: crate::PublicKey([0xff; 32]), ..signed() };
        wrong_key.id = wrong_key.hash();
        assert_eq!(wrong_key.verify().unwrap_err(), VerifyError::WrongKey);
    }
}
