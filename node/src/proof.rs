//! What a stranger needs to check one thing alone: an event and everything it rests on.
//!
//! An event rests on what it names (`e` and `epoch` tags), on its community's charters, on the
//! currency it names, and on what others say of it: attestations, approvals, policies of the
//! accounts it moves, and for votes and raffles what the witnesses received, attested and decided.
//! Folding what is found, and nothing else, gives the same ruling of it as the whole book has.

use std::collections::{BTreeSet, VecDeque};

use ayni_protocol::{Event, EventId, Filter, Kind, Tag, kind};

/// Events in a proof at most.
pub const EVENTS_MAX: usize = 20_000;
/// Events that say something of one event, at most.
const ABOUT_MAX: usize = 5_000;

/// Kinds that may be proved.
pub const PROVABLE: [Kind; 7] = [
    kind::ORDER,
    kind::CHARGE,
    kind::BALLOT,
    kind::TICKET,
    kind::PROPOSAL,
    kind::RAFFLE,
    kind::MERIT,
];

/// Where events are found.
pub trait Shelf {
    /// One event.
    fn event(&self, id: &EventId) -> Option<Event>;
    /// Events that match, at most so many.
    fn matching(&self, filter: &Filter, limit: usize) -> Vec<Event>;
}

/// An event and everything it rests on, in the order of time; none where it is not there, or where
/// there are more than [`EVENTS_MAX`].
#[must_use]
pub fn gather(shelf: &impl Shelf, id: &EventId) -> Option<Vec<Event>> {
    let mut known: BTreeSet<EventId> = BTreeSet::from([*id]);
    let mut asked: BTreeSet<String> = BTreeSet::new();
    let mut waiting = VecDeque::from([shelf.event(id)?]);
    let mut found = Vec::new();
    while let Some(event) = waiting.pop_front() {
        for next in rests_on(shelf, &event, &mut asked) {
            if known.insert(next.id) {
                waiting.push_back(next);
            }
        }
        found.push(event);
        if known.len() > EVENTS_MAX {
            return None;
        }
    }
    found.sort_by_key(|event| (event.created_at, event.id));
    Some(found)
}

/// What one event rests on. A question that was asked before brings nothing new.
fn rests_on(shelf: &impl Shelf, event: &Event, asked: &mut BTreeSet<String>) -> Vec<Event> {
    let mut found: Vec<Event> = named(event).iter().filter_map(|id| shelf.event(id)).collect();
    for filter in about(event) {
        if asked.insert(filter.to_json()) {
            found.extend(shelf.matching(&filter, ABOUT_MAX));
        }
    }
    found.retain(|about| about.kind.is_economy() && !is_beside(about, &event.id));
    found
}

/// Whether an attestation only mentions this event, such as the policy it was judged by. Others'
/// payments under the same policy prove nothing about this one.
fn is_beside(about: &Event, id: &EventId) -> bool {
    let id = id.to_string();
    let mentions = about.tags.named("e").find(|tag| tag.value() == Some(&id));
    about.kind == kind::ATTESTATION && mentions.is_some_and(|tag| tag.get(3).is_some())
}

/// The events that this one names. An attestation was asked for by what it is about; what else it is
/// about, such as payments of others, and all that its witness signed before, proves nothing here.
fn named(event: &Event) -> Vec<EventId> {
    let names: &[&str] = match event.kind {
        kind::ATTESTATION => &["epoch", "h"],
        _ => &["e", "epoch", "h", "rules", "exec"],
    };
    let tags = names.iter().flat_map(|name| event.tags.named(name));
    tags.filter_map(|tag| tag.value()?.parse().ok()).collect()
}

/// The questions whose answers say something of this event.
fn about(event: &Event) -> Vec<Filter> {
    let of = |kinds: &[Kind]| Filter {
        kinds: Some(kinds.iter().copied().collect()),
        ..Filter::default()
    };
    let tagged = |kinds: &[Kind], letter: u8, value: &str| Filter {
        tags: vec![(letter, [value.to_owned()].into())],
        ..of(kinds)
    };
    let value = |name: &'static str| event.tags.named(name).find_map(Tag::value);
    let mut filters = Vec::new();
    if event.kind != kind::ATTESTATION && event.kind != kind::RECEIPT {
        filters.push(tagged(&[kind::ATTESTATION], b'e', &event.id.to_string()));
    }
    if let Some(community) = value("h") {
        filters.push(tagged(&[kind::CHARTER], b'h', community));
    }
    let currency = value("a").and_then(|text| text.parse::<ayni_protocol::Address>().ok());
    if let Some(currency) = currency.filter(|address| address.kind == kind::CURRENCY) {
        let mut shown = tagged(&[kind::CURRENCY], b'd', &currency.identifier);
        shown.authors = Some([currency.author].into());
        let text = currency.to_string();
        filters.extend([shown, tagged(&[kind::RULES], b'a', &text)]);
        for account in accounts(event) {
            let mut policies = tagged(&[kind::POLICY], b'a', &text);
            policies.tags.push((b'p', [account].into()));
            filters.push(policies);
        }
    }
    if [kind::PROPOSAL, kind::RAFFLE, kind::ROSTER, kind::CHARTER].contains(&event.kind) {
        let id = event.id.to_string();
        let of_box =
            [kind::RECEIPT, kind::BOX_ATTESTATION, kind::DECISION, kind::TALLY, kind::DRAW];
        filters.extend([tagged(&of_box, b's', &id), tagged(&of_box, b'e', &id)]);
        if event.kind == kind::RAFFLE {
            filters.push(tagged(&[kind::TICKET], b'e', &id));
        }
        if event.kind == kind::PROPOSAL {
            filters.push(tagged(&[kind::BALLOT, kind::DELEGATION], b'e', &id));
        }
    }
    if event.kind == kind::ROSTER {
        filters.push(Filter { authors: Some([event.pubkey].into()), ..of(&[kind::ROSTER]) });
    }
    filters
}

/// The accounts that an event moves, in hex.
fn accounts(event: &Event) -> BTreeSet<String> {
    if event.kind != kind::ORDER && event.kind != kind::CHARGE {
        return BTreeSet::new();
    }
    let tags = ["leg", "debit", "credit", "from"].into_iter();
    let tags = tags.flat_map(|name| event.tags.named(name)).filter_map(Tag::value);
    tags.map(str::to_owned).chain([event.pubkey.to_string()]).collect()
}
