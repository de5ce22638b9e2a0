//! Who may see what, and how long it may take: what a store has to ask of whoever asks it.

use ayni_protocol::{Event, Kind};

/// Who asks. A function from an event to whether it may be seen is one that waits for ever.
pub trait Reader {
    /// Whether this event of a restricted kind may be shown. Must not call the store.
    fn may_see(&self, event: &Event) -> bool;

    /// Asked between two slices of a scan, while nothing is locked. After false the scan ends, and
    /// its answer is only a part.
    fn may_go_on(&self) -> bool {
        true
    }
}

impl<F: Fn(&Event) -> bool> Reader for F {
    fn may_see(&self, event: &Event) -> bool {
        self(event)
    }
}

/// A reader who may see everything.
#[must_use]
pub const fn everyone(_: &Event) -> bool {
    true
}

/// Whether events of this kind are shown only to those whom they concern.
///
/// Direct messages and gift wraps are (NIP-04, NIP-17, NIP-59): only their parties may know of
/// them, in an answer, in a count and in a reconciliation alike. For such kinds a store asks the
/// caller's [`Reader`], which costs reading the event; all other kinds are for everyone.
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
