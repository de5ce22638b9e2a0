//! Who may see what: the one question that a store has to ask somebody else.

use ayni_protocol::Kind;

/// Whether events of this kind are shown only to those whom they concern.
///
/// Direct messages and gift wraps are (NIP-04, NIP-17, NIP-59): only their parties may know of
/// them, in an answer, in a count and in a reconciliation alike. For such kinds a store asks the
/// caller's `visible`, which costs reading the event; all other kinds are for everyone.
#[must_use]
pub const fn is_restricted(kind: Kind) -> bool {
    kind.is_private()
}

#[cfg(test)]
mod tests {
    use ayni_protocol::kind;

    use super::*;

    #[test]
    fn only_messages_between_people_are_restricted() {
        assert!(is_restricted(kind::GIFT_WRAP) && is_restricted(kind::DIRECT_MESSAGE));
        assert!(!is_restricted(kind::NOTE));
        assert!(!is_restricted(kind::ORDER));
    }
}
