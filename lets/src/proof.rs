//! Conflicts that nobody has proven yet: what a witness publishes a fraud proof of.
//!
//! Two orders with one number are proven once witnesses attested both. Before that they harm nobody,
//! since the home witness attests one of them, and two devices of one honest member may sign at the
//! same moment.

use std::collections::BTreeMap;

use ayni_protocol::{Address, EventId, PublicKey};

use crate::book::Book;
use crate::entry::Body;
use crate::fork::{Case, Fork};
use crate::ledger::Ledger;

/// Forks that are looked at together.
const AT_ONCE: usize = 1_000;

/// The rules and the account an event is signed under, what it is about, and itself.
type Said = ((EventId, PublicKey), EventId, EventId);

/// Two events that should not both exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The currency in whose books it is.
    pub currency: Address,
    /// What was signed twice.
    pub case: Case,
    /// The two events.
    pub events: [EventId; 2],
}

impl Ledger {
    /// Conflicts in the books of which `me` is a witness, that no proof counts of and that it has
    /// published none of. Where there are many, `page` says which come now.
    #[must_use]
    pub fn unproven(&self, me: &PublicKey, page: u64) -> Vec<Conflict> {
        let pages = u64::try_from(self.forks.len().div_ceil(AT_ONCE).max(1)).unwrap_or(1);
        let page = usize::try_from(page.checked_rem(pages).unwrap_or(0)).unwrap_or(0);
        let forks = self.forks.iter().skip(page.saturating_mul(AT_ONCE)).take(AT_ONCE);
        forks
            .filter_map(|(fork, events)| {
                let currency = self.accuser_of(fork, me)?;
                let ids = events.iter().copied();
                let events = match fork.case {
                    Case::Order => pair(ids.filter_map(|id| self.attested_under(&id))),
                    Case::Attest => pair(ids.flat_map(|id| self.signed_under(id, &fork.whose))),
                    _ => pair(ids.map(|id| ((EventId([0; 32]), fork.whose), id, id))),
                }?;
                Some(Conflict { currency: currency.clone(), case: fork.case, events })
            })
            .collect()
    }

    /// The currency in whose books `me` may prove that a witness said two things in one attempt of
    /// a decision, if that is still to be done.
    #[must_use]
    pub fn unproven_vote(&self, me: &PublicKey, whose: PublicKey, attempt: u32) -> Option<Address> {
        let fork = Fork { case: Case::Vote, currency: None, whose, number: attempt.into() };
        self.accuser_of(&fork, me).cloned()
    }

    /// The currency in which `me` may prove a fork, if that is still to be done.
    fn accuser_of(&self, fork: &Fork, me: &PublicKey) -> Option<&Address> {
        let accused = (*me, fork.case, fork.whose, fork.number);
        if self.accused.contains(&accused) {
            return None;
        }
        let place = (fork.case, fork.whose, fork.number);
        let concerns = |(address, book): &(&Address, &Book)| match &fork.currency {
            Some(currency) => currency == *address,
            None => book.is_witness(&fork.whose),
        };
        let mut books = self.books.iter().filter(concerns);
        let proven = self.books.values().any(|book| book.proven.contains(&place));
        let found = books.find(|(_, book)| book.is_witness(me)).map(|(address, _)| address);
        found.filter(|_| !proven)
    }

    /// An order that some witness attested.
    fn attested_under(&self, id: &EventId) -> Option<Said> {
        let entry = self.known.entry(id)?;
        let Body::Order(order) = &entry.body else { return None };
        self.known.is_signed(id).then(|| ((order.epoch, entry.speaker()), *id, *id))
    }

    /// A witness's attestations of an order.
    fn signed_under(&self, order: EventId, witness: &PublicKey) -> impl Iterator<Item = Said> {
        let (payer, witness) = (self.known.entry(&order).map(|entry| entry.speaker()), *witness);
        let own = self.known.signatures(&order).filter(move |signed| signed.witness == witness);
        own.filter_map(move |signed| Some(((signed.epoch, payer?), order, signed.attestation)))
    }
}

/// The first two events of one account under one and the same rules, about different things. The
/// number alone does not make a place: every account counts its own orders.
fn pair(events: impl Iterator<Item = Said>) -> Option<[EventId; 2]> {
    let mut first = BTreeMap::new();
    for (under, about, id) in events {
        let (other, before) = *first.entry(under).or_insert((about, id));
        if other != about {
            return Some([before, id]);
        }
    }
    None
}
