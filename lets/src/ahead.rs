//! What the next entries will ask for is fetched from memory while there is time.
//!
//! In a book of a million orders nearly everything that an order asks for lies far away in memory:
//! its own place, both accounts, the ends of their lists. To fold an order waits for one of them
//! after the other. Whoever folds many entries in a row can look at all of that for the next few of
//! them first, in a loop so tight that a processor waits for many at once. Nothing follows from it.

use std::hint::black_box;

use crate::book::Account;
use crate::entry::{Body, Entry};
use crate::ledger::Ledger;

impl Ledger {
    /// How many entries it pays to look ahead.
    pub const AHEAD: usize = 16;

    /// Makes room for so many entries. It changes nothing, and may be left out.
    pub fn expect(&mut self, more: usize) {
        self.known.expect(more);
    }

    /// Brings near what entries will ask for that are about to be applied. It changes nothing, and
    /// may be left out.
    pub fn look_ahead<'a>(&self, coming: impl Iterator<Item = &'a Entry> + Clone) {
        let mut seen = 0_u8;
        for entry in coming.clone() {
            seen ^= self.known.touch(&entry.id);
            seen ^= self.parties_of(entry).map(|account| u8::from(account.is_open())).sum::<u8>();
        }
        // By now the accounts are here, and say where their lists end.
        for entry in coming {
            seen ^= self.parties_of(entry).fold(0, |seen, account| seen ^ account.touch());
        }
        black_box(seen);
    }

    /// The accounts that a payment changes. An attestation comes soon after its order, and asks for
    /// the same.
    fn parties_of<'a>(&'a self, entry: &'a Entry) -> impl Iterator<Item = &'a Account> {
        let order = match &entry.body {
            Body::Order(order) => Some(&**order),
            _ => None,
        };
        let book = order.and_then(|order| self.books.get(&order.currency));
        let keys = order
            .into_iter()
            .flat_map(|order| std::iter::once(entry.speaker()).chain(order.payee().copied()));
        keys.filter_map(move |key| book?.accounts.get(&key))
    }
}
