//! Who may write what: the rules for ordinary events, in the order in which they are asked.
//!
//! Pure. The cheap ones come first; those in [`STANDING`] need to know who the sender is to this
//! community, which may mean waiting for its books. Events of the economy keep their own rules
//! (`admission.rs`): a relay's operator decides who may write notes, not who may pay.

use ayni_protocol::kind::{self, Kind};
use ayni_protocol::{Event, Prefix, PublicKey, Rejection, Timestamp};
use ayni_relay::Source;
use ayni_store::Retention;

use super::work;
use crate::config::{Relay, Write};
use crate::management::Rulebook;

/// Kinds that people need before anybody knows them: who they are, whom they follow, where they
/// can be reached (NIP-01, NIP-02, NIP-65, NIP-17, NIP-EE), and that they want to be forgotten.
const FOR_ALL: &[Kind] = &[
    kind::PROFILE,
    kind::FOLLOWS,
    kind::RELAY_LIST,
    kind::INBOX_RELAYS,
    kind::KEY_PACKAGE_RELAYS,
    kind::VANISH,
];

/// Who somebody is to this relay, from nobody in particular to the most trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Nobody in particular.
    Stranger,
    /// Joined with an invitation (NIP-43).
    Invited,
    /// Has an account in a community of this node, or is allowed by name (NIP-86).
    Member,
    /// A steward, a witness, a community's own key, or an operator.
    Office,
}

/// An event, and what the rules look at besides.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    /// The event.
    pub event: &'a Event,
    /// Where it comes from.
    pub source: &'a Source,
    /// The configuration.
    pub relay: &'a Relay,
    /// The operator's orders.
    pub rulebook: &'a Rulebook,
}

/// A rule about an event alone.
type Rule = fn(&Case<'_>) -> Result<(), Rejection>;
/// A rule that also looks at who sends it.
type StandingRule = fn(&Case<'_>, Standing) -> Result<(), Rejection>;

/// What holds for events of the economy, before the rules they have of their own.
pub const ECONOMY: &[Rule] = &[address_is_not_blocked, there_are_books];
/// What holds whoever sends it.
pub const FIRST: &[Rule] =
    &[address_is_not_blocked, is_no_ticket, event_is_not_banned, key_is_not_banned, kind_is_taken];
/// What depends on who sends it.
pub const STANDING: &[StandingRule] = &[may_write, has_worked];

/// Nothing is taken from an address that the operator blocked.
fn address_is_not_blocked(case: &Case<'_>) -> Result<(), Rejection> {
    case.rulebook.address_is_not_blocked(&case.source.address)
}

/// A relay that is only that keeps no events whose meaning it does not watch over.
fn there_are_books(case: &Case<'_>) -> Result<(), Rejection> {
    if !case.relay.only {
        return Ok(());
    }
    let sentence = "this relay keeps no books; send this to a node of the community";
    Err(Rejection::new(Prefix::Restricted, sentence))
}

/// What proves who somebody is, here or elsewhere, must not be kept or handed on.
fn is_no_ticket(case: &Case<'_>) -> Result<(), Rejection> {
    if case.event.kind == kind::AUTH || case.event.kind == kind::HTTP_AUTH {
        let sentence = "events that authenticate somebody are not stored and not passed on";
        return Err(Rejection::invalid(sentence));
    }
    Ok(())
}

fn event_is_not_banned(case: &Case<'_>) -> Result<(), Rejection> {
    case.rulebook.event_is_not_banned(&case.event.id)
}

/// A banned key may still ask to be forgotten.
fn key_is_not_banned(case: &Case<'_>) -> Result<(), Rejection> {
    if case.event.kind == kind::VANISH {
        return Ok(());
    }
    case.rulebook.key_is_not_banned(&case.event.pubkey)
}

fn kind_is_taken(case: &Case<'_>) -> Result<(), Rejection> {
    let (relay, kind) = (case.relay, case.event.kind);
    if case.rulebook.takes(kind, &relay.allowed_kinds, &relay.denied_kinds) {
        return Ok(());
    }
    let sentence = format!("events of kind {kind} are not taken here");
    Err(Rejection::new(Prefix::Blocked, sentence))
}

/// What the next look through the store would take out again is not taken in.
///
/// # Errors
/// The refusal.
pub fn is_still_kept(
    event: &Event,
    retention: &Retention,
    now: Timestamp,
) -> Result<(), Rejection> {
    if !retention.outlived(event.kind, event.created_at, now) {
        return Ok(());
    }
    let kind = event.kind;
    let sentence = format!("events of kind {kind} are kept here for a time, and this one is older");
    Err(Rejection::invalid(sentence))
}

fn may_write(case: &Case<'_>, standing: Standing) -> Result<(), Rejection> {
    let (needed, sentence) = match case.relay.write {
        Write::Open => return Ok(()),
        Write::Invited => (
            Standing::Invited,
            "only members and guests may write here; join with an invitation (NIP-43)",
        ),
        Write::Members => (
            Standing::Member,
            "only members of this community may write here; ask for an account first",
        ),
    };
    if standing >= needed || FOR_ALL.contains(&case.event.kind) {
        return Ok(());
    }
    Err(Rejection::new(Prefix::Restricted, sentence))
}

/// Work is asked of strangers: whoever is known has something else to lose.
fn has_worked(case: &Case<'_>, standing: Standing) -> Result<(), Rejection> {
    if standing > Standing::Stranger || case.event.kind == kind::VANISH {
        return Ok(());
    }
    work::check(case.event, case.relay.min_pow_difficulty)
}

/// Whose standing counts. For most events it is the author's. A gift wrap is signed by a key made
/// for the moment, so it is as good as whoever sends it, or as those whom it is for (NIP-59).
#[must_use]
pub fn answerable(event: &Event, source: &Source) -> Vec<PublicKey> {
    if event.kind != kind::GIFT_WRAP && event.kind != kind::EPHEMERAL_WRAP {
        return vec![event.pubkey];
    }
    let parties = event.tags.named("p").filter_map(|tag| tag.value()?.parse().ok());
    source.keys.iter().copied().chain(parties).collect()
}

/// Whether the rules of [`STANDING`], and the rates, pass this case whoever sent it.
#[must_use]
pub fn passes_anyone(case: &Case<'_>) -> bool {
    is_unhurried(case) && STANDING.iter().all(|rule| rule(case, Standing::Stranger).is_ok())
}

/// Whether no rates bind: on this machine, or where there are none.
#[must_use]
pub fn is_unhurried(case: &Case<'_>) -> bool {
    let relay = case.relay;
    let none = [
        relay.member_events_per_minute,
        relay.member_events_per_day,
        relay.stranger_events_per_minute,
    ] == [0; 3];
    none || case.source.address.is_loopback()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use ayni_protocol::{Draft, Keys, VerifiedEvent};

    use super::*;
    use crate::management::Order;

    fn keys(byte: u8) -> Keys {
        Keys::from_secret([byte; 32]).unwrap()
    }

    fn event(kind: Kind, author: u8) -> VerifiedEvent {
        Draft::new(kind).sign(&keys(author), 100, [0; 32])
    }

    fn far() -> Source {
        Source { address: "203.0.113.7".parse().unwrap(), keys: BTreeSet::new() }
    }

    /// The first refusal, or nothing.
    fn verdict(event: &Event, relay: &Relay, orders: &[Order], standing: Standing) -> String {
        let mut rulebook = Rulebook::default();
        orders.iter().cloned().for_each(|order| rulebook.apply(order));
        let case = Case { event, source: &far(), relay, rulebook: &rulebook };
        let first = FIRST.iter().try_for_each(|rule| rule(&case));
        let all = first.and_then(|()| STANDING.iter().try_for_each(|rule| rule(&case, standing)));
        all.err().map_or_else(String::new, |rejection| rejection.to_string())
    }

    #[test]
    fn each_mode_of_writing_lets_its_people_in() {
        use Standing::{Invited, Member, Stranger};
        let note = event(kind::NOTE, 1);
        let admits = |write, standing| {
            verdict(&note, &Relay { write, ..Relay::default() }, &[], standing).is_empty()
        };
        let table = [
            (Write::Open, [true, true, true]),
            (Write::Invited, [false, true, true]),
            (Write::Members, [false, false, true]),
        ];
        for (write, expected) in table {
            assert_eq!([Stranger, Invited, Member].map(|who| admits(write, who)), expected);
        }
        let closed = Relay { write: Write::Members, ..Relay::default() };
        for kind in FOR_ALL {
            assert_eq!(verdict(&event(*kind, 1), &closed, &[], Stranger), "", "kind {kind}");
        }
        assert!(verdict(&note, &closed, &[], Stranger).starts_with("restricted: only members"));
    }

    #[test]
    fn what_the_operator_ordered_is_obeyed() {
        let (note, open) = (event(kind::NOTE, 1), Relay::default());
        let says = |order: Order| verdict(&note, &open, &[order], Standing::Office);
        let spam = || "spam".to_owned();
        assert_eq!(
            says(Order::BanKey(note.pubkey, spam())),
            "blocked: this key is banned here: spam"
        );
        assert_eq!(
            says(Order::BanEvent(note.id, String::new())),
            "blocked: this event was removed by the operator"
        );
        assert!(
            says(Order::BlockAddress(far().address, spam())).starts_with("blocked: your address")
        );
        assert!(says(Order::DisallowKind(kind::NOTE)).starts_with("blocked: events of kind 1 "));
        let ban = [Order::BanKey(note.pubkey, spam())];
        assert_eq!(verdict(&event(kind::VANISH, 1), &open, &ban, Standing::Stranger), "");
    }

    #[test]
    fn a_relay_alone_takes_nothing_of_the_economy() {
        let (source, rulebook, payment) = (far(), Rulebook::default(), event(kind::ORDER, 1));
        let passes = |only| {
            let relay = &Relay { only, ..Relay::default() };
            let case = Case { event: &payment, source: &source, relay, rulebook: &rulebook };
            ECONOMY.iter().all(|rule| rule(&case).is_ok())
        };
        assert!(passes(false) && !passes(true));
    }

    #[test]
    fn lists_of_kinds_are_obeyed_and_tickets_never_stored() {
        let some = Relay { allowed_kinds: vec![7], ..Relay::default() };
        let says = |kind, relay: &Relay| verdict(&event(kind, 1), relay, &[], Standing::Member);
        assert!(says(kind::NOTE, &some).starts_with("blocked: events of kind 1 "));
        assert_eq!(says(Kind(7), &some), "");
        for ticket in [kind::AUTH, kind::HTTP_AUTH] {
            assert!(says(ticket, &Relay::default()).starts_with("invalid: "));
        }
    }

    #[test]
    fn strangers_work_and_members_need_not() {
        let hard = Relay { min_pow_difficulty: 8, ..Relay::default() };
        let note = event(kind::NOTE, 1);
        assert!(verdict(&note, &hard, &[], Standing::Stranger).starts_with("pow: "));
        assert_eq!(verdict(&note, &hard, &[], Standing::Invited), "");
        assert_eq!(verdict(&event(kind::VANISH, 1), &hard, &[], Standing::Stranger), "");
    }

    #[test]
    fn a_gift_wrap_is_as_good_as_its_sender_or_its_recipient() {
        let (ana, ben) = (keys(2).public(), keys(3).public());
        let wrap =
            Draft::new(kind::GIFT_WRAP).tag(["p", &ben.to_string()]).sign(&keys(1), 100, [0; 32]);
        let source = Source { keys: BTreeSet::from([ana]), ..far() };
        assert_eq!(answerable(&wrap, &source), [ana, ben]);
        let note = event(kind::NOTE, 1);
        assert_eq!(answerable(&note, &source), [note.pubkey]);
    }

    #[test]
    fn nobody_is_looked_up_where_it_makes_no_difference() {
        let (note, rulebook) = (event(kind::NOTE, 1), Rulebook::default());
        let home = Source { address: "127.0.0.1".parse().unwrap(), ..far() };
        let passes = |relay: &Relay, source: &Source| {
            passes_anyone(&Case { event: &note, source, relay, rulebook: &rulebook })
        };
        assert!(passes(&Relay::default(), &home));
        assert!(!passes(&Relay::default(), &far()), "rates bind from afar");
        assert!(!passes(&Relay { write: Write::Members, ..Relay::default() }, &home));
    }
}
