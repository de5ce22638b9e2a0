//! Proof of work (NIP-13): how many leading zero bits an id has, and how many its author set out
//! to find.
//!
//! The target must be written into the event. Otherwise whoever signs a million notes without any
//! work at all would be let in with the one that happens to begin with twenty zeros.

use ayni_protocol::{Event, EventId, Prefix, Rejection, Tag};

/// Leading zero bits of an id.
#[must_use]
pub fn difficulty(id: &EventId) -> u32 {
    let zeros = id.0.iter().take_while(|byte| **byte == 0).count();
    let next = id.0.get(zeros).map_or(0, |byte| byte.leading_zeros());
    u32::try_from(zeros).unwrap_or(0) * 8 + next
}

/// Whether the event has at least this much work in it, and was meant to.
///
/// # Errors
/// What is missing.
pub fn check(event: &Event, wanted: u32) -> Result<(), Rejection> {
    if wanted == 0 {
        return Ok(());
    }
    let promised = |tag: Tag<'_>| tag.get(2)?.parse::<u32>().ok();
    let target = event.tags.named("nonce").find_map(promised);
    let sentence = match target {
        None => format!("add a nonce tag that commits to a difficulty of {wanted} (NIP-13)"),
        Some(target) if target < wanted => {
            format!("the nonce tag commits to {target} bits; {wanted} are needed here")
        }
        Some(_) => {
            let found = difficulty(&event.id);
            if found >= wanted {
                return Ok(());
            }
            format!("the id begins with {found} zero bits; {wanted} are needed here")
        }
    };
    Err(Rejection::new(Prefix::Pow, sentence))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of NIP-13, whose id has 21 zero bits and whose author promised 20.
    const MINED: &str = r#"{"id":"000006d8c378af1779d2feebc7603a125d99eca0ccf1085959b307f64e5dd358","pubkey":"a48380f4cfcc1ad5378294fcac36439770f9c878dd880ffa94bb74ea54a6f243","created_at":1651794653,"kind":1,"tags":[["nonce","776797","20"]],"content":"It's just me mining my own business","sig":"284622fc0a3f4f1303455d5175f7ba962a3300d136085b9566801bc2e0699de0c7e31e44c81fb40ad9049173742e904713c3594a1da0fc5d2382a25c11aba977"}"#;

    fn says(json: &str, wanted: u32) -> String {
        check(&Event::parse(json).unwrap(), wanted)
            .err()
            .map_or_else(String::new, |r| r.to_string())
    }

    #[test]
    fn zero_bits_are_counted_to_the_end() {
        assert_eq!(difficulty(&EventId([0; 32])), 256);
        assert_eq!(difficulty(&EventId([0xff; 32])), 0);
        assert_eq!(difficulty(&Event::parse(MINED).unwrap().id), 21);
    }

    #[test]
    fn what_was_promised_counts_and_not_luck() {
        assert_eq!(says(MINED, 0), "");
        assert_eq!(says(MINED, 20), "");
        assert!(says(MINED, 21).starts_with("pow: the nonce tag commits to 20 bits; 21"));
        let promised_more = MINED.replace(r#""20""#, r#""30""#);
        assert!(says(&promised_more, 22).starts_with("pow: the id begins with 21 zero bits; 22"));
        let unpromised = MINED.replace(r#","20""#, "");
        assert!(says(&unpromised, 5).starts_with("pow: add a nonce tag"));
    }
}
