//! Why an event, a query or a count was refused, in the words of NIP-01.
//!
//! Clients act on the prefix and show people the sentence, so a refusal is one type with both, and
//! the text on the wire is written in one place.

use std::borrow::Cow;
use std::fmt;

macro_rules! prefixes {
    ($($(#[$doc:meta])* $name:ident => $text:literal,)*) => {
        /// The machine-readable first word of a refusal.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Prefix { $($(#[$doc])* $name,)* }

        impl Prefix {
            /// Every prefix, in the order of this file.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The word before the colon.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

prefixes! {
    /// Already stored. Sent with `true`.
    Duplicate => "duplicate",
    /// Too little proof of work (NIP-13).
    Pow => "pow",
    /// The key or the content is banned here.
    Blocked => "blocked",
    /// Too much in too short a time.
    RateLimited => "rate-limited",
    /// Not a well-formed, correctly signed event, or not a well-formed query.
    Invalid => "invalid",
    /// This key may not do this.
    Restricted => "restricted",
    /// An ephemeral event that nobody listened to.
    Mute => "mute",
    /// The relay's own trouble: try again later.
    Error => "error",
    /// Authenticate first (NIP-42).
    AuthRequired => "auth-required",
    /// The query asks for something this relay cannot do.
    Unsupported => "unsupported",
    /// Another order is pending at this place of the account (protocol section 3).
    Locked => "locked",
    /// An earlier order of the account has not arrived.
    Missing => "missing",
    /// The payment would pass a credit limit.
    Limit => "limit",
    /// The account may not do this.
    Policy => "policy",
    /// The order was signed under rules no longer in force.
    Epoch => "epoch",
    /// The amount is not written in the currency's decimals.
    Amount => "amount",
    /// The levy legs differ from the rules' formula.
    Levy => "levy",
    /// The payment request named does not fit.
    Request => "request",
    /// The order's number does not continue the account.
    Seq => "seq",
}

/// A refusal: a prefix for programs, a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// What programs act on.
    pub prefix: Prefix,
    /// What people read: what is wrong and what to do.
    pub sentence: Cow<'static, str>,
}

impl Rejection {
    /// A refusal with its sentence.
    pub fn new(prefix: Prefix, sentence: impl Into<Cow<'static, str>>) -> Self {
        Self { prefix, sentence: sentence.into() }
    }

    /// A refusal in somebody else's words, such as a plugin's: with the prefix they begin with if it
    /// is one, else with `otherwise`.
    #[must_use]
    pub fn quoted(text: &str, otherwise: Prefix) -> Self {
        let split = text.split_once(':').and_then(|(word, sentence)| {
            let known = Prefix::ALL.iter().find(|prefix| prefix.as_str() == word.trim())?;
            Some((*known, sentence.trim()))
        });
        let (prefix, sentence) = split.unwrap_or((otherwise, text.trim()));
        Self::new(prefix, sentence.to_owned())
    }

    /// Shorthand for the commonest refusal.
    pub fn invalid(sentence: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Prefix::Invalid, sentence)
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.prefix.as_str(), self.sentence)
    }
}

impl std::error::Error for Rejection {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_others_keep_their_prefix() {
        let says = |text| Rejection::quoted(text, Prefix::Blocked).to_string();
        assert_eq!(says("rate-limited: slow down"), "rate-limited: slow down");
        assert_eq!(says("no spam"), "blocked: no spam");
        assert_eq!(says("note: no spam"), "blocked: note: no spam");
        assert_eq!(says(""), "blocked: ");
    }
}
