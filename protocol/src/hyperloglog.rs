//! HyperLogLog registers (NIP-45): how many different authors, in 256 bytes that merge.
//!
//! A client asks several relays, keeps the greatest of each register, and estimates how many
//! authors they know of together. That works only if every relay reads the same place in the same
//! keys, so the place comes from the filter alone: from the first value of its first tag attribute,
//! in the order of the text.
//!
//! Deliberately absent: the estimate, which is the client's.

use sha2::{Digest as _, Sha256};

use crate::hex;
use crate::{Address, PublicKey};

/// How many registers there are.
const COUNT: usize = 256;

/// Where in a public key a filter's registers are read: byte 8 to 23.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offset(u8);

impl Offset {
    /// The place that the first value of a filter's first tag attribute gives: an id or a key as
    /// it is, an address by its key, any other text by its SHA-256.
    #[must_use]
    pub fn of(value: &str) -> Self {
        let bytes: [u8; 32] = hex::decode(value)
            .ok()
            .or_else(|| value.parse::<Address>().ok().map(|address| address.author.0))
            .unwrap_or_else(|| Sha256::digest(value.as_bytes()).into());
        // The character at position 32 of the hex is the high half of byte 16.
        Self((bytes[16] >> 4) + 8)
    }
}

/// The registers, all 0 at first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registers {
    offset: usize,
    bytes: Box<[u8; COUNT]>,
}

impl Registers {
    /// Registers that have seen nobody.
    #[must_use]
    pub fn new(offset: Offset) -> Self {
        Self { offset: usize::from(offset.0), bytes: Box::new([0; COUNT]) }
    }

    /// Sees an author. Seeing one again changes nothing.
    pub fn see(&mut self, author: &PublicKey) {
        let Some((index, rest)) = author.0.get(self.offset..).and_then(<[u8]>::split_first) else {
            return;
        };
        if let Some(register) = self.bytes.get_mut(usize::from(*index)) {
            *register = (*register).max(leading_zeros(rest).saturating_add(1));
        }
    }

    /// The 512 hex characters of an answer to COUNT.
    #[must_use]
    pub fn to_hex(&self) -> String {
        hex::encode(self.bytes.as_slice())
    }
}

/// How many bits are zero before the first that is not. At most 184 are looked at.
fn leading_zeros(bytes: &[u8]) -> u8 {
    let empty = bytes.iter().take_while(|byte| **byte == 0).count();
    let first = bytes.get(empty).map_or(0, |byte| byte.leading_zeros());
    u8::try_from(empty * 8).unwrap_or(u8::MAX).saturating_add(u8::try_from(first).unwrap_or(8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_comes_from_the_first_value() {
        let hex = format!("{}{}{}", "0".repeat(32), "b", "0".repeat(31));
        assert_eq!(Offset::of(&hex), Offset(8 + 11), "an id or a key, as it is");
        assert_eq!(Offset::of(&format!("30023:{hex}:essay: one")), Offset(8 + 11), "an address");
        // 8f5392e46117964c5bdc89299e3afa5643bb…
        assert_eq!(Offset::of("nostr"), Offset(12), "other text, by its hash");
        for odd in [hex.to_uppercase(), format!("30023:{}:x", hex.to_uppercase()), String::new()] {
            let hash = hex::encode(&Sha256::digest(odd.as_bytes()));
            assert_eq!(Offset::of(&odd), Offset::of(&hash), "{odd}");
        }
    }

    #[test]
    fn a_register_keeps_the_longest_run_of_zeros() {
        let seen = |keys: &[(usize, &[u8])]| {
            let mut registers = Registers::new(Offset(8));
            for (at, bytes) in keys {
                let mut key = [0xff; 32];
                key[*at..at + bytes.len()].copy_from_slice(bytes);
                registers.see(&PublicKey(key));
            }
            registers.to_hex()
        };
        let register = |hex: &str, index: usize| hex[index * 2..index * 2 + 2].to_owned();
        let none = seen(&[]);
        assert_eq!((none.len(), none.trim_matches('0')), (512, ""));
        assert_eq!(register(&seen(&[(8, &[7, 0b1000_0000])]), 7), "01");
        assert_eq!(register(&seen(&[(8, &[7, 0b0001_0000])]), 7), "04");
        assert_eq!(register(&seen(&[(8, &[7, 0, 0b0100_0000])]), 7), "0a");
        assert_eq!(register(&seen(&[(8, &[0; 24])]), 0), "b9", "every bit of the rest");
        let both = seen(&[(8, &[7, 0b0001_0000]), (8, &[7, 0b1000_0000]), (8, &[9, 1])]);
        assert_eq!((register(&both, 7), register(&both, 9)), ("04".into(), "08".into()));
        assert_eq!(both.matches("00").count(), 254);
    }
}
