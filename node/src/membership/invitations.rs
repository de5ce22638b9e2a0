//! Invitations (NIP-43): a code that says until when it is good, sealed so that only this node can
//! have made it.
//!
//! Nothing is kept for a code that was given out, so whoever asks for a million of them costs
//! nothing. What is kept is which were used: each serves once.

use ayni_protocol::{Keys, Prefix, Rejection, Timestamp, hex};
use sha2::{Digest as _, Sha256};

/// Bytes of a seal.
const SEAL_BYTES: usize = 16;

/// Makes and reads invitations.
#[derive(Clone)]
pub struct Invitations {
    key: [u8; 32],
}

impl Invitations {
    /// Those of a node, sealed with a key that is made from its own.
    #[must_use]
    pub fn of(node: &Keys) -> Self {
        let key = Sha256::new().chain_update("ayni invitation").chain_update(node.secret());
        Self { key: key.finalize().into() }
    }

    /// A code that is good until a time. `number` is fresh randomness.
    #[must_use]
    pub fn make(&self, number: [u8; 8], until: Timestamp) -> String {
        let body = format!("{}-{until:x}", hex::encode(&number));
        let seal = self.seal(&body);
        format!("{body}-{seal}")
    }

    /// The number of a code that is good now.
    ///
    /// # Errors
    /// In the words of NIP-43.
    pub fn read(&self, code: &str, now: Timestamp) -> Result<String, Rejection> {
        let refuse = |sentence: &'static str| Rejection::new(Prefix::Restricted, sentence);
        let invalid = || refuse("that is an invalid invite code.");
        let (body, seal) = code.trim().rsplit_once('-').ok_or_else(invalid)?;
        if seal != self.seal(body) {
            return Err(invalid());
        }
        let (number, until) = body.split_once('-').ok_or_else(invalid)?;
        let until = Timestamp::from_str_radix(until, 16).map_err(|_| invalid())?;
        if until < now {
            return Err(refuse("that invite code is expired."));
        }
        Ok(number.to_owned())
    }

    /// Hashed twice, so that nobody can lengthen what was sealed.
    fn seal(&self, body: &str) -> String {
        let inner = Sha256::new().chain_update(self.key).chain_update(body).finalize();
        let outer = Sha256::new().chain_update(self.key).chain_update(inner).finalize();
        hex::encode(outer.get(..SEAL_BYTES).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(byte: u8) -> Invitations {
        Invitations::of(&Keys::from_secret([byte; 32]).unwrap())
    }

    #[test]
    fn a_code_is_good_until_its_time_at_the_node_that_made_it() {
        let code = node(1).make([7; 8], 1_000);
        let says = |node: &Invitations, code: &str, now| {
            node.read(code, now).map_err(|rejection| rejection.to_string())
        };
        assert_eq!(says(&node(1), &code, 1_000), Ok("07".repeat(8)));
        assert_eq!(
            says(&node(1), &code, 1_001),
            Err("restricted: that invite code is expired.".into())
        );
        let invalid = Err("restricted: that is an invalid invite code.".to_owned());
        assert_eq!(says(&node(2), &code, 1_000), invalid);
        let longer = code.replace("-3e8-", "-3e80-");
        assert_ne!(longer, code);
        for forged in [longer.as_str(), "", "-", "--", "x-y-z", &code[1..]] {
            assert_eq!(says(&node(1), forged, 1), invalid, "{forged}");
        }
    }
}
