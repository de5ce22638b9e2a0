//! Who may see what: the one question that a store has to ask somebody else.

use ayni_protocol::{Kind, kind};

/// Whether events of this kind are shown only to those whom they concern.
///
/// Gift wraps are (NIP-17 and NIP-59): only their recipient may know of them, in an answer, in a
/// count and in a reconciliation alike. For such kinds a store asks the caller's `visible`, which
/// costs reading the event; all other kinds are for everyone.
#[must_use]
pub fn is_restricted(kind: Kind) -> bool {
    kind == kind::GIFT_WRAP
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_gift_wraps_are_restricted() {
        assert!(is_restricted(kind::GIFT_WRAP));
        assert!(!is_restricted(kind::NOTE));
        assert!(!is_restricted(kind::ORDER));
    }
}
