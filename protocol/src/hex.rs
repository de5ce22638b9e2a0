//! Ids, keys and addresses: 32 bytes that people write as 64 lowercase hex digits.
//!
//! NIP-01 allows lowercase only, so upper case is refused rather than folded: two spellings of one
//! key would be two keys to every index that compares text.

use std::fmt;
use std::str::FromStr;

use smol_str::SmolStr;

/// Text that should have been 64 lowercase hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected 64 lowercase hex digits")]
pub struct NotHex;

/// Decodes exactly `N` bytes from `2 * N` lowercase hex digits.
///
/// # Errors
/// [`NotHex`] for any other length or digit, upper case included.
pub fn decode<const N: usize>(text: &str) -> Result<[u8; N], NotHex> {
    // The library takes capitals for digits, and passes over a 0x in front.
    let capitals = text.bytes().fold(false, |any, byte| any | byte.is_ascii_uppercase());
    if text.len() != N.saturating_mul(2) || capitals {
        return Err(NotHex);
    }
    let mut bytes = [0; N];
    const_hex::decode_to_slice(text, &mut bytes).map_err(|_| NotHex)?;
    Ok(bytes)
}

/// Writes bytes as lowercase hex to the end of `out`.
pub fn encode_into(bytes: &[u8], out: &mut String) {
    for some in bytes.chunks(32) {
        let mut digits = [0; 64];
        let digits = digits.get_mut(..some.len() * 2).unwrap_or_default();
        out.push_str(const_hex::encode_to_str(some, digits).unwrap_or_default());
    }
}

/// Bytes as lowercase hex.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    encode_into(bytes, &mut out);
    out
}

macro_rules! thirty_two_bytes {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(pub [u8; 32]);

        impl std::hash::Hash for $name {
            #[inline]
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                // They look random, so one word tells them apart as well as four.
                state.write_u64(u64::from_le_bytes(*self.0.first_chunk().unwrap_or(&[0; 8])));
            }
        }

        impl FromStr for $name {
            type Err = NotHex;
            fn from_str(text: &str) -> Result<Self, NotHex> {
                decode(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&encode(self.0.get(..4).unwrap_or_default()))
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&encode(&self.0))
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

thirty_two_bytes! {
    /// The SHA-256 of an event's canonical serialisation (NIP-01).
    EventId
}
thirty_two_bytes! {
    /// An x-only secp256k1 public key (BIP-340): a member, a node or a community.
    PublicKey
}

/// `kind:pubkey:d`, the name of an addressable event (NIP-01), and so of a currency.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// Kind of the addressed event.
    pub kind: crate::Kind,
    /// Its author.
    pub author: PublicKey,
    /// Its `d` tag; empty for replaceable events. Short ones need no memory of their own.
    pub identifier: SmolStr,
}

/// Text that should have been `kind:pubkey:d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an address of the form kind:pubkey:d")]
pub struct NotAnAddress;

impl FromStr for Address {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let (kind, rest) = text.split_once(':').ok_or(NotAnAddress)?;
        let (author, identifier) = rest.split_at_checked(64).ok_or(NotAnAddress)?;
        let identifier = identifier.strip_prefix(':').ok_or(NotAnAddress)?;
        if kind.len() > 1 && kind.starts_with('0') || kind.starts_with('+') {
            return Err(NotAnAddress);
        }
        Ok(Self {
            kind: crate::Kind(kind.parse().map_err(|_| NotAnAddress)?),
            author: author.parse().map_err(|_| NotAnAddress)?,
            identifier: identifier.into(),
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.kind.0, self.author, self.identifier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upper_case_and_short_hex_are_refused() {
        let lower = "ab".repeat(32);
        assert_eq!(lower.parse::<EventId>().unwrap().to_string(), lower);
        assert_eq!(lower.to_uppercase().parse::<EventId>(), Err(NotHex));
        assert_eq!("ab".repeat(31).parse::<EventId>(), Err(NotHex));
        assert_eq!(format!("0x{}", "ab".repeat(31)).parse::<EventId>(), Err(NotHex));
    }

    #[test]
    fn every_byte_is_written_as_two_digits_and_nothing_else_is_read() {
        let bytes: Vec<u8> = (0..=255).collect();
        let plain: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(encode(&bytes), plain);
        assert_eq!(decode::<256>(&plain).unwrap()[..], bytes);
        for byte in 0..128_u8 {
            let read = u8::from_str_radix(&char::from(byte).to_string(), 16).ok();
            let read = read.filter(|_| !byte.is_ascii_uppercase());
            let digits = |pair: [u8; 2]| decode::<1>(str::from_utf8(&pair).unwrap()).ok();
            assert_eq!(digits([b'0', byte]), read.map(|value| [value]));
            assert_eq!(digits([byte, b'0']), read.map(|value| [value << 4]));
        }
        for length in 0..70 {
            assert_eq!(encode(&bytes[..length]), plain[..length * 2]);
        }
    }

    #[test]
    fn an_address_is_read_as_it_is_written() {
        let text = format!("37470:{}:hours", "cd".repeat(32));
        assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        assert!("037470:ab:x".parse::<Address>().is_err());
        assert!(format!("+1:{}:x", "cd".repeat(32)).parse::<Address>().is_err());
    }
}
