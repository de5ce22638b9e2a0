//! Causes: what people raise money for (kind 33863), and what certified payments gave them.
//!
//! A cause is an addressable event of an ordinary kind, so its author may rewrite it: the newest
//! is shown, by `created_at` and then the lowest id (NIP-01). Nothing is decided by it. What was
//! given is counted from payments that name the cause, and those only add up.

use std::collections::BTreeMap;

use ayni_protocol::{
    Address, EventId, Malformed, PublicKey, Scale, Tag, Timestamp, VerifiedEvent, kind,
};
use ayni_witness::Payment;
use serde::Serialize;

/// A cause as its author describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// The event.
    pub id: EventId,
    /// Who raises money.
    pub author: PublicKey,
    /// Its name among the author's causes: the `d` tag.
    pub identifier: String,
    /// When it was written, as the author says.
    pub created_at: Timestamp,
    /// The community, where it belongs to one.
    pub community: Option<EventId>,
    /// Its title; empty where it has none.
    pub title: String,
    /// Address of a picture.
    pub image: Option<String>,
    /// What it wants to reach, as its author writes it.
    pub goal: Option<String>,
    /// Until when, unix seconds.
    pub deadline: Option<Timestamp>,
    /// What it is about.
    pub text: String,
}

impl Cause {
    /// Reads kind 33863.
    ///
    /// # Errors
    /// [`Malformed`] where there is no `d` tag, or the deadline is no time.
    pub fn read(event: &VerifiedEvent) -> Result<Self, Malformed> {
        let first = |name: &'static str| event.tags.named(name).next().and_then(Tag::value);
        let deadline = first("deadline")
            .map(|text| text.parse().map_err(|_| Malformed::BadTag("deadline", "unix seconds")));
        Ok(Self {
            id: event.id,
            author: event.pubkey,
            identifier: first("d").ok_or(Malformed::MissingTag("d"))?.to_owned(),
            created_at: event.created_at,
            community: first("h").and_then(|text| text.parse().ok()),
            title: first("title").unwrap_or("").to_owned(),
            image: first("image").map(ToOwned::to_owned),
            goal: first("goal").map(ToOwned::to_owned),
            deadline: deadline.transpose()?,
            text: event.content.clone(),
        })
    }

    /// What a payment names to give to it.
    #[must_use]
    pub fn address(&self) -> Address {
        let (author, identifier) = (self.author, self.identifier.as_str().into());
        Address { kind: kind::CAUSE, author, identifier }
    }
}

/// What a cause was given in one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Given {
    /// Minor units in all.
    pub minor: i128,
    /// The currency's decimals.
    pub scale: Scale,
    /// Payments in all.
    pub payments: u64,
}

/// Every cause, and what it was given.
#[derive(Debug, Default)]
pub struct Causes {
    /// By address: the newest, and the ids of all.
    listed: BTreeMap<Address, Cause>,
    ids: BTreeMap<EventId, Address>,
    given: BTreeMap<Address, BTreeMap<Address, Given>>,
}

impl Causes {
    /// Adds a cause, or a newer text of one.
    pub fn add(&mut self, cause: Cause) {
        let address = cause.address();
        self.ids.insert(cause.id, address.clone());
        let newer = self
            .listed
            .get(&address)
            .is_none_or(|listed| (cause.created_at, listed.id) > (listed.created_at, cause.id));
        if newer {
            self.listed.insert(address, cause);
        }
    }

    /// Counts a certified payment that names a cause. The caller hands in each once.
    pub fn give(&mut self, payment: &Payment) {
        let cause = payment.purpose.as_ref().filter(|purpose| purpose.kind == kind::CAUSE);
        let (Some(cause), Some(leg)) = (cause, payment.legs.first()) else { return };
        let given = self
            .given
            .entry(cause.clone())
            .or_default()
            .entry(payment.currency.clone())
            .or_insert(Given { minor: 0, scale: payment.scale, payments: 0 });
        given.minor = given.minor.saturating_add(i128::from(leg.minor));
        given.payments = given.payments.saturating_add(1);
    }

    /// Whether this event was added.
    #[must_use]
    pub fn knows(&self, id: &EventId) -> bool {
        self.ids.contains_key(id)
    }

    /// Every cause, by address, as it is described now.
    pub fn iter(&self) -> impl Iterator<Item = (&Address, &Cause)> {
        self.listed.iter()
    }

    /// What a cause was given, by currency.
    pub fn given(&self, cause: &Address) -> impl Iterator<Item = (&Address, &Given)> {
        self.given.get(cause).into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use ayni_protocol::{Draft, Keys};
    use ayni_witness::Leg;

    use super::*;

    fn cause(title: &str, at: Timestamp) -> Cause {
        let keys = Keys::from_secret([1; 32]).unwrap();
        let draft = Draft::new(kind::CAUSE).tag(["d", "roof"]).tag(["title", title]);
        Cause::read(&draft.tag(["goal", "500"]).sign(&keys, at, [0; 32])).unwrap()
    }

    #[test]
    fn the_newest_text_is_shown_whatever_came_first() {
        let (old, new) = (cause("Old", 1), cause("New", 2));
        for order in [[&old, &new], [&new, &old]] {
            let mut causes = Causes::default();
            order.into_iter().for_each(|cause| causes.add(cause.clone()));
            let titles: Vec<_> = causes.iter().map(|(_, cause)| cause.title.as_str()).collect();
            assert_eq!(titles, ["New"]);
            assert!(causes.knows(&old.id) && causes.knows(&new.id));
        }
    }

    #[test]
    fn payments_that_name_it_add_up() {
        let mut causes = Causes::default();
        let cause = cause("Roof", 1);
        let currency =
            Address { kind: kind::CURRENCY, author: cause.author, identifier: "h".into() };
        for (order, purpose) in [(1, Some(cause.address())), (2, Some(cause.address())), (3, None)]
        {
            causes.give(&Payment {
                order: EventId([order; 32]),
                community: EventId([0; 32]),
                currency: currency.clone(),
                scale: Scale::new(2).unwrap(),
                payer: cause.author,
                legs: vec![Leg { account: cause.author, minor: 250, purpose: String::new() }],
                refund_of: None,
                purpose,
                pay: None,
            });
        }
        let given: Vec<_> = causes.given(&cause.address()).collect();
        assert_eq!(given.len(), 1);
        assert_eq!((given[0].1.minor, given[0].1.payments), (500, 2));
    }

    #[test]
    fn a_cause_needs_a_name() {
        let keys = Keys::from_secret([1; 32]).unwrap();
        let nameless = Draft::new(kind::CAUSE).sign(&keys, 1, [0; 32]);
        assert_eq!(Cause::read(&nameless), Err(Malformed::MissingTag("d")));
    }
}
