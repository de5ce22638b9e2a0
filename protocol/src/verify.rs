//! The one door from an event that was sent to an event that is believed.
//!
//! A [`VerifiedEvent`] exists only if its id is the hash of its content and its signature is its
//! author's. Whoever holds one need not check again, and nobody can make one any other way.

use std::sync::Arc;

use secp256k1::{SECP256K1, XOnlyPublicKey, schnorr::Signature};
use sha2::{Digest, Sha256};

use crate::{Event, EventId, PublicKey};

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
        self.verify_among(&mut KnownKeys::none())
    }

    /// As [`Event::verify`], sparing the work of reading a key that was read before.
    ///
    /// # Errors
    /// As [`Event::verify`].
    pub fn verify_among(self, known: &mut KnownKeys) -> Result<VerifiedEvent, VerifyError> {
        if self.hash() != self.id {
            return Err(VerifyError::WrongId);
        }
        let key = known.read(self.pubkey)?;
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

/// Public keys that were read lately. To read one is to take a square root, an eighth of the work
/// of checking a signature, and most events come from a few authors.
///
/// A table in which each key has one place: who wants to crowd another's key out can, and then that
/// one is read again.
#[derive(Debug)]
pub struct KnownKeys {
    places: Vec<Option<(PublicKey, XOnlyPublicKey)>>,
}

impl KnownKeys {
    /// Remembers up to so many keys, a hundred bytes each.
    #[must_use]
    pub fn up_to(keys: usize) -> Self {
        Self { places: vec![None; keys] }
    }

    /// Remembers none.
    #[must_use]
    pub const fn none() -> Self {
        Self { places: Vec::new() }
    }

    fn read(&mut self, key: PublicKey) -> Result<XOnlyPublicKey, VerifyError> {
        let read = || XOnlyPublicKey::from_slice(&key.0).map_err(|_| VerifyError::WrongKey);
        let place = key.0.last_chunk::<4>().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        let place = usize::try_from(place).unwrap_or(0).checked_rem(self.places.len());
        let Some(place) = place.and_then(|place| self.places.get_mut(place)) else {
            return read();
        };
        match place {
            Some((known, parsed)) if *known == key => Ok(*parsed),
            other => Ok(other.insert((key, read()?)).1),
        }
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
    /// The id is checked again, the signature is not: the journal's checksum stands for it, and for
    /// the text being the canonical JSON that [`VerifiedEvent::json`] gave. Only the store may call
    /// this, and a test of the house sees to it.
    #[must_use]
    pub fn from_own_journal(json: &str) -> Option<Self> {
        let event = Event::parse(json).ok()?;
        (event.hash() == event.id).then(|| Self(Arc::new(Verified { event, json: json.into() })))
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
    fn a_key_that_is_known_is_the_same_key() {
        // One place for all: each crowds the other out.
        let mut known = KnownKeys::up_to(1);
        let by = |secret: u8| {
            let keys = Keys::from_secret([secret; 32]).unwrap();
            Event::clone(&Draft::new(crate::kind::NOTE).sign(&keys, 1, [9; 32]))
        };
        for secret in [1, 1, 2, 1, 2, 2] {
            assert!(by(secret).verify_among(&mut known).is_ok());
            let mut forged = by(secret);
            forged.pubkey = by(3 - secret).pubkey;
            forged.id = forged.hash();
            let error = forged.verify_among(&mut known).unwrap_err();
            assert_eq!(error, VerifyError::WrongSignature);
        }
        let mut nobody = Event { pubkey: PublicKey([0xff; 32]), ..by(1) };
        nobody.id = nobody.hash();
        for _ in 0..2 {
            let error = nobody.clone().verify_among(&mut known).unwrap_err();
            assert_eq!(error, VerifyError::WrongKey);
        }
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
