//! Events to sign, from what people mean.
//!
//! Law: what is read from a signed draft is what the draft was made from. So a client that uses
//! these functions cannot announce anything else than it showed.

use ayni_protocol::{Draft, EventId, PublicKey, hex, kind};
use sha2::{Digest, Sha256};

use crate::read::Says;
use crate::spec::{Place, RaffleSpec};

/// A raffle (kind 4730).
#[must_use]
pub fn raffle(spec: &RaffleSpec, place: &Place) -> Draft {
    let mut draft = Draft::new(kind::RAFFLE)
        .content(spec.text.clone())
        .tag(["h", &place.community.to_string()])
        .tag(["e", &place.charter.to_string(), "", "charter"]);
    if let Some(previous) = place.previous {
        draft = draft.tag(["e", &previous.to_string(), "", "prev"]);
    }
    draft = draft.tag(["seq", &place.seq.to_string()]).tag(["draw", &place.round.to_string()]);
    for title in &spec.titles {
        draft = draft.tag(["title", &title.text, &title.lang]);
    }
    for (number, prize) in (1..).zip(&spec.prizes) {
        let number: u32 = number;
        let mut values = vec!["prize".into(), number.to_string(), prize.text.clone()];
        values.extend(prize.share_bp.map(|bp| bp.to_string()));
        draft = draft.tag(values);
    }
    money(terms(draft, spec), spec)
}

fn terms(draft: Draft, spec: &RaffleSpec) -> Draft {
    let optional = [
        ("max-per-person", spec.max_per_person.map(u64::from)),
        ("max-units", spec.max_units),
        ("claim-days", spec.claim_days.map(u64::from)),
        ("min-age", spec.min_age.map(u64::from)),
    ];
    let given = [
        ("min-units", spec.min_units),
        ("opens", spec.opens),
        ("closes", spec.closes),
        ("grace", spec.grace),
        ("reserves", u64::from(spec.reserves)),
    ];
    let optional = optional.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let draft = given
        .into_iter()
        .chain(optional)
        .fold(draft, |draft, (name, value)| draft.tag([name, &value.to_string()]));
    draft.tag(["entropy", spec.entropy.as_str()]).tag(["scope", spec.scope.as_str()])
}

fn money(mut draft: Draft, spec: &RaffleSpec) -> Draft {
    if let Some(currency) = &spec.currency {
        draft = draft.tag(["a", &currency.to_string()]);
    }
    draft = draft.tag(["price", &spec.price.to_string()]);
    if let Some(escrow) = spec.escrow {
        draft = draft.tag(["escrow", &escrow.to_string()]);
    }
    for share in &spec.to {
        draft = draft.tag(["to", &share.account.to_string(), &share.bp.to_string()]);
    }
    if let Some(referral) = spec.referral {
        let (first, second) = (referral.first_bp.to_string(), referral.second_bp.to_string());
        draft = draft.tag(["referral", &first, &second]);
    }
    match &spec.legal {
        Some(legal) => draft.tag(["legal", &legal.country, &legal.permit]),
        None => draft,
    }
}

/// A ticket (kind 4731), paid by `order` unless the raffle is free.
#[must_use]
pub fn ticket(community: EventId, raffle: EventId, quantity: u32, order: Option<EventId>) -> Draft {
    let draft = Draft::new(kind::TICKET)
        .tag(["h", &community.to_string()])
        .tag(["e", &raffle.to_string(), "", "raffle"])
        .tag(["qty", &quantity.to_string()]);
    match order {
        Some(order) => draft.tag(["e", &order.to_string(), "", "pay"]),
        None => draft,
    }
}

/// What an order carries in its `["a", …, "", "for"]` tag so that it can pay for tickets of this
/// raffle and of no other. Optional, and wise: see [`crate::Reason::OrderForAnother`].
#[must_use]
pub fn purpose(organiser: PublicKey, raffle: EventId) -> ayni_protocol::Address {
    ayni_protocol::Address {
        kind: kind::RAFFLE,
        author: organiser,
        identifier: raffle.to_string().into(),
    }
}

/// The draw (kind 4733), from the canonical JSON that [`crate::Drum::result_json`] gives.
#[must_use]
pub fn draw(community: EventId, raffle: EventId, canonical_json: &str) -> Draft {
    Draft::new(kind::DRAW)
        .content(canonical_json)
        .tag(["h", &community.to_string()])
        .tag(["s", &raffle.to_string()])
        .tag(["x", &hex::encode(&Sha256::digest(canonical_json))])
}

/// The ticket list for download (kind 4732), from what [`crate::Drum::list`] gives.
#[must_use]
pub fn list(community: EventId, raffle: EventId, list: &crate::list::TicketList) -> Draft {
    Draft::new(kind::TICKET_LIST)
        .content(list.leaves_base64())
        .tag(["h", &community.to_string()])
        .tag(["s", &raffle.to_string()])
        .tag(["n", &list.lots().len().to_string()])
        .tag(["units", &list.units().to_string()])
        .tag(["root", &hex::encode(list.root())])
}

/// A winner's claim of a prize, or the organiser's note that it was delivered (kind 4734).
#[must_use]
pub fn claim(community: EventId, raffle: EventId, prize: u32, delivered: bool) -> Draft {
    let says = if delivered { Says::Delivered(prize) } else { Says::Claim(prize) };
    note(community, raffle, says)
}

/// The organiser calls the raffle off (kind 4734). Counts if made before it closes.
#[must_use]
pub fn cancel(community: EventId, raffle: EventId) -> Draft {
    note(community, raffle, Says::Cancelled)
}

fn note(community: EventId, raffle: EventId, says: Says) -> Draft {
    let draft =
        Draft::new(kind::CLAIM).tag(["h", &community.to_string()]).tag(["s", &raffle.to_string()]);
    match says {
        Says::Claim(prize) => draft.tag(["prize", &prize.to_string()]),
        Says::Delivered(prize) => {
            draft.tag(["prize", &prize.to_string()]).tag(["status", "delivered"])
        }
        Says::Cancelled => draft.tag(["status", "cancelled"]),
    }
}
