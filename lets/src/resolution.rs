//! The resolution of a hold (kind 4758): the order that used the hold's slot, with its certificate,
//! for readers who do not follow the other currency.
//!
//! Anybody may publish one, because it proves itself: whether order and attestations are signed and
//! belong together can be seen from it alone, so one that does not hold together is malformed.
//! Whether the attestations are enough is for the other currency's rules and charter to say.

use std::collections::BTreeSet;

use ayni_protocol::shape::parsed;
use ayni_protocol::{Address, Draft, EventId, Malformed, PublicKey, Shape, VerifiedEvent, kind};

use crate::account::words;
use crate::entry::{Body, Entry};
use crate::hold::{Outcome, Slot};
use crate::{Attestation, tags};

/// Events that a resolution may carry: an order, and an attestation of every witness there may be.
const EVENTS_MAX: usize = 32;

words! {
    /// Whether the hold is paid.
    Resolved, "post or void":
    /// The order at the slot commits it.
    Post => "post",
    /// The order at the slot is another.
    Void => "void",
}

impl Resolved {
    /// What becomes of the hold.
    #[must_use]
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::Post => Outcome::Posted,
            Self::Void => Outcome::Void,
        }
    }
}

/// What a resolution says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// The hold's currency.
    pub currency: Address,
    /// The hold.
    pub hold: EventId,
    /// Whether it is paid.
    pub resolved: Resolved,
    /// The place that the order used.
    pub slot: Slot,
    /// The other currency's community.
    pub community: EventId,
    /// The rules under which the witnesses attested the order.
    pub epoch: EventId,
    /// Who attested it.
    pub witnesses: BTreeSet<PublicKey>,
    /// The order and its attestations as canonical JSON, in one list.
    pub proof: String,
}

impl Resolution {
    /// The resolution that an order and its attestations prove.
    ///
    /// # Errors
    /// [`Malformed::BadContent`] where they do not belong together.
    pub fn new(
        currency: Address,
        hold: EventId,
        order: &VerifiedEvent,
        attestations: &[VerifiedEvent],
    ) -> Result<Self, Malformed> {
        let entry = Entry::read(order)?;
        let Body::Order(body) = &entry.body else { return Err(NO_PROOF) };
        let mut signed = attestations.iter().map(|event| attested(&entry, event));
        let (epoch, first) = signed.next().ok_or(NO_PROOF)??;
        let mut witnesses = BTreeSet::from([first]);
        for more in signed {
            let (same, witness) = more?;
            if same != epoch || !witnesses.insert(witness) {
                return Err(NO_PROOF);
            }
        }
        let posts = body.extra().commit == Some(hold);
        let events = std::iter::once(order).chain(attestations).map(VerifiedEvent::json);
        Ok(Self {
            currency,
            hold,
            resolved: if posts { Resolved::Post } else { Resolved::Void },
            slot: Slot::of(&entry, body),
            community: entry.community,
            epoch,
            witnesses,
            proof: format!("[{}]", events.collect::<Vec<_>>().join(",")),
        })
    }

    pub(crate) fn read(shape: Shape<'_>, content: &str) -> Result<Self, Malformed> {
        let resolved: Resolved = parsed(shape.text("op")?, "op", "post or void")?;
        let events = events(content).ok_or(NO_PROOF)?;
        let (order, attestations) = events.split_first().ok_or(NO_PROOF)?;
        let hold = shape.only_unmarked()?;
        let found = Self::new(shape.currency()?, hold, order, attestations)?;
        if found.resolved != resolved {
            return Err(Malformed::BadTag("op", "what the order at the slot says"));
        }
        Ok(Self { proof: content.to_owned(), ..found })
    }

    pub(crate) fn write(&self, draft: Draft) -> Draft {
        tags::in_currency(draft, &self.currency)
            .tag(["e", &self.hold.to_string()])
            .tag(["op", self.resolved.as_str()])
            .content(&self.proof)
    }
}

const NO_PROOF: Malformed =
    Malformed::BadContent("a list of a signed order and attestations of it, by distinct witnesses");

/// The epoch and author of an attestation that repeats this order.
fn attested(order: &Entry, event: &VerifiedEvent) -> Result<(EventId, PublicKey), Malformed> {
    let entry = Entry::read(event)?;
    let (Body::Order(body), Body::Attestation(Attestation::State(statement))) =
        (&order.body, &entry.body)
    else {
        return Err(NO_PROOF);
    };
    let mut repeats = statement.orders().iter();
    let repeats = repeats.any(|repeat| repeat.order == order.id && repeat.is_of(order, body));
    if repeats && statement.currency == body.currency && entry.community == order.community {
        Ok((statement.epoch, entry.author))
    } else {
        Err(NO_PROOF)
    }
}

fn events(content: &str) -> Option<Vec<VerifiedEvent>> {
    let events = tags::events(content)?;
    let sound = events.len() <= EVENTS_MAX
        && events.iter().all(|event| matches!(event.kind, kind::ORDER | kind::ATTESTATION));
    if !sound {
        return None;
    }
    events.into_iter().map(|event| event.verify().ok()).collect()
}
