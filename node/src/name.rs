//! Short names, by which people are paid, and the letters that stand in no name.

use anyhow::{Result, bail};

use crate::keys;

/// Characters of a short name.
const CHARS_MAX: usize = 64;

/// A short name, without blanks around it.
///
/// # Errors
/// Where it is empty or too long, where nobody could type what they see, or where it would be taken
/// for a key.
pub fn short(typed: &str) -> Result<&str> {
    let name = typed.trim();
    if keys::public(name).is_some() {
        bail!("a short name must not be a public key: payments to it would go to that key");
    }
    if name.is_empty() || name.chars().count() > CHARS_MAX {
        bail!("an account needs a short name of at most {CHARS_MAX} characters");
    }
    if name.contains(is_unseen) {
        bail!("a short name has no control characters, and none that turn the direction of text");
    }
    Ok(name)
}

/// Whether a character moves what stands around it instead of being seen: control characters, line
/// ends, and those that turn the direction of text. With them a memo could paint a false line.
#[must_use]
pub fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_is_short_and_no_key() {
        assert_eq!(short(" ana ").unwrap(), "ana");
        assert_eq!(short(&"é".repeat(64)).unwrap().chars().count(), 64);
        let npub = keys::npub(&keys::generate().public());
        for (wrong, expected) in [
            (String::new(), "needs a short name"),
            ("  ".into(), "needs a short name"),
            ("a".repeat(65), "at most 64"),
            (npub.clone(), "must not be a public key"),
            (format!("nostr:{npub}"), "must not be a public key"),
            ("ab".repeat(32), "must not be a public key"),
            ("a\nb".into(), "no control characters"),
            ("a\u{202e}b".into(), "no control characters"),
        ] {
            let said = short(&wrong).unwrap_err().to_string();
            assert!(said.contains(expected), "{wrong:?}: {said}");
        }
    }
}
