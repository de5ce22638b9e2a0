//! What is kept and what goes: the rules of NIP-01, NIP-09, NIP-40, NIP-59 and NIP-62, as plain
//! functions.
//!
//! Events of the economy are never deleted and never expire (protocol section 1): a balance must
//! not change because a payer regrets. Deletions cannot be deleted, or what they deleted could come
//! back; they go only with all else of their author. Requests to vanish stay for ever.

use std::collections::BTreeSet;

use ayni_protocol::kind::{self, Class};
use ayni_protocol::{Address, Event, EventId, Kind, PublicKey, Timestamp, relay_url};

/// How a request to vanish names every relay (NIP-62).
const ALL_RELAYS: &str = "ALL_RELAYS";

/// When the event's time is over, where it ever is.
pub fn expires_at(event: &Event) -> Option<Timestamp> {
    if is_deletable(event.kind) { event.expiration() } else { None }
}

/// Whether an author may take back, or let expire, events of this kind.
pub fn is_deletable(kind: Kind) -> bool {
    kind != kind::DELETION && is_vanishable(kind)
}

/// Whether events of this kind go when their author vanishes. The request itself stays, so that
/// what it took does not come back.
pub fn is_vanishable(kind: Kind) -> bool {
    kind != kind::VANISH && !kind.is_economy()
}

/// Whether this is a request to vanish from here (NIP-62): one that names all relays, or one of our
/// own addresses, which are [`relay_url::normalised`].
pub fn vanishes(event: &Event, own: &BTreeSet<String>) -> bool {
    event.kind == kind::VANISH
        && event.tags.named("relay").filter_map(ayni_protocol::Tag::value).any(|url| {
            url == ALL_RELAYS || relay_url::normalised(url).is_some_and(|url| own.contains(&url))
        })
}

/// Whether this request to vanish takes the event along: everything of its author up to its time,
/// and gift wraps for them.
pub fn takes_along(vanish: &Event, event: &Event) -> bool {
    is_vanishable(event.kind)
        && event.created_at <= vanish.created_at
        && deleters(event).any(|key| key == vanish.pubkey)
}

/// The address of which only the newest event is kept, where there is one.
pub fn address(event: &Event) -> Option<Address> {
    let identifier = match event.kind.class() {
        Class::Replaceable => "",
        Class::Addressable => kind::identifier(event),
        Class::Regular | Class::Ephemeral => return None,
    };
    Some(Address { kind: event.kind, author: event.pubkey, identifier: identifier.into() })
}

/// Whether `new` takes the place of `old`: later, or of one time with a lower id (NIP-01).
pub fn supersedes(new: (Timestamp, EventId), old: (Timestamp, EventId)) -> bool {
    new.0 > old.0 || new.0 == old.0 && new.1 < old.1
}

/// What a deletion names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// One event, by an `e` tag.
    Id(EventId),
    /// Every version at an address up to the deletion's own time, by an `a` tag.
    Address(Address),
}

/// What this deletion names and its author may delete. Whether a named id is theirs can only be
/// said when that event is seen.
pub fn targets(deletion: &Event) -> impl Iterator<Item = Target> {
    deletion.tags.iter().filter_map(|tag| match tag.name() {
        "e" => tag.value()?.parse().ok().map(Target::Id),
        "a" => {
            let address: Address = tag.value()?.parse().ok()?;
            let has_versions =
                matches!(address.kind.class(), Class::Replaceable | Class::Addressable);
            let may = address.author == deletion.pubkey && is_deletable(address.kind);
            (has_versions && may).then_some(Target::Address(address))
        }
        _ => None,
    })
}

/// Whose deletion of this event counts: its author's, and for a gift wrap, whose author is a key
/// made for the moment, also its recipient's (NIP-59).
pub fn deleters(event: &Event) -> impl Iterator<Item = PublicKey> {
    let wrapped = event.kind == kind::GIFT_WRAP;
    let recipients =
        event.tags.named("p").filter(move |_| wrapped).filter_map(|tag| tag.value()?.parse().ok());
    std::iter::once(event.pubkey).chain(recipients)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ayni_protocol::{Draft, Keys, VerifiedEvent};

    fn signed(draft: Draft, secret: u8) -> VerifiedEvent {
        draft.sign(&Keys::from_secret([secret; 32]).unwrap(), 100, [0; 32])
    }

    #[test]
    fn the_economy_and_deletions_never_expire() {
        let expiring = |kind| signed(Draft::new(kind).tag(["expiration", "7"]), 1);
        assert_eq!(expires_at(&expiring(kind::NOTE)), Some(7));
        assert_eq!(expires_at(&expiring(kind::ORDER)), None);
        assert_eq!(expires_at(&expiring(kind::CURRENCY)), None);
        assert_eq!(expires_at(&expiring(kind::DELETION)), None);
    }

    #[test]
    fn only_a_request_that_names_this_relay_is_one_to_vanish_from_here() {
        let own = [relay_url::normalised("wss://ours.example").unwrap()].into();
        let asked = |kind, urls: &[&str]| {
            let draft = urls.iter().fold(Draft::new(kind), |draft, url| draft.tag(["relay", url]));
            vanishes(&signed(draft, 1), &own)
        };
        assert!(asked(kind::VANISH, &["ALL_RELAYS"]));
        assert!(asked(kind::VANISH, &["wss://other.example", "WSS://Ours.example/"]));
        for urls in [&["wss://other.example"][..], &["all_relays"], &["ours.example"], &[]] {
            assert!(!asked(kind::VANISH, urls), "{urls:?}");
        }
        assert!(!asked(kind::NOTE, &["ALL_RELAYS"]));
    }

    #[test]
    fn of_one_time_the_lowest_id_is_kept() {
        let (low, high) = (EventId([1; 32]), EventId([2; 32]));
        assert!(supersedes((5, low), (5, high)));
        assert!(!supersedes((5, high), (5, low)));
        assert!(!supersedes((5, low), (5, low)));
        assert!(supersedes((6, high), (5, low)));
    }

    #[test]
    fn a_deletion_names_only_what_its_author_may_delete() {
        let keys = Keys::from_secret([1; 32]).unwrap();
        let (own, stranger) = (keys.public(), Keys::from_secret([2; 32]).unwrap().public());
        let id = EventId([9; 32]);
        let deletion = signed(
            Draft::new(kind::DELETION)
                .tag(["e", &id.to_string()])
                .tag(["e", "no id"])
                .tag(["a", &format!("30402:{own}:bike")])
                .tag(["a", &format!("30402:{stranger}:bike")])
                .tag(["a", &format!("37470:{own}:hours")])
                .tag(["a", &format!("1:{own}:")])
                .tag(["a", &format!("0:{own}:")]),
            1,
        );
        let address = |kind, identifier: &str| {
            Target::Address(Address { kind, author: own, identifier: identifier.into() })
        };
        let expected = [Target::Id(id), address(kind::LISTING, "bike"), address(kind::PROFILE, "")];
        assert_eq!(targets(&deletion).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_recipient_may_delete_a_gift_wrap_and_nothing_else() {
        let recipient = Keys::from_secret([2; 32]).unwrap().public();
        let to = |kind| signed(Draft::new(kind).tag(["p", &recipient.to_string()]), 1);
        let wrap = to(kind::GIFT_WRAP);
        assert_eq!(deleters(&wrap).collect::<Vec<_>>(), [wrap.pubkey, recipient]);
        assert_eq!(deleters(&to(kind::NOTE)).count(), 1);
    }
}
