//! Who paid whom, and how balances moved: what figures of reciprocity are computed from.
//!
//! Times are those that authors wrote. They decide nothing here either: a figure over a window
//! says what was signed as lying in it.

use ayni_protocol::{Address, EventId, PublicKey, Timestamp};

use crate::book::Book;
use crate::entry::{Body, Entry};
use crate::ledger::Ledger;

/// One leg of an order that counts, levies left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payment {
    /// When the order was signed, as its author says.
    pub at: Timestamp,
    /// The order.
    pub order: EventId,
    /// Who paid.
    pub from: PublicKey,
    /// Who was paid.
    pub to: PublicKey,
    /// How much, in minor units.
    pub minor: i64,
    /// Whether it gives back an earlier order.
    pub refund: bool,
}

impl Ledger {
    /// Every payment of a currency that counts, by payer and number.
    pub fn payments(&self, currency: &Address) -> impl Iterator<Item = Payment> {
        let accounts = self.books.get(currency).into_iter().flat_map(Book::open_accounts);
        let orders = accounts
            .flat_map(|(payer, account)| account.orders.certified().map(move |id| (*payer, id)));
        orders.flat_map(|(payer, id)| self.legs(payer, id))
    }

    fn legs(&self, from: PublicKey, id: EventId) -> impl Iterator<Item = Payment> {
        let entry = self.known.entry(&id);
        let found = entry.and_then(|entry| match &entry.body {
            Body::Order(order) => Some((entry.created_at, order)),
            _ => None,
        });
        found.into_iter().flat_map(move |(at, order)| {
            let refund = order.extra().refund.is_some();
            let paid = order.legs.iter().filter(|leg| leg.purpose != "levy");
            paid.map(move |leg| Payment {
                at,
                order: id,
                from,
                to: leg.account,
                minor: leg.minor,
                refund,
            })
        })
    }

    /// What an account gained and lost, and when: orders and charges that count, oldest first.
    pub fn changes(
        &self,
        currency: &Address,
        account: &PublicKey,
    ) -> impl Iterator<Item = (Timestamp, i128)> {
        let account = *account;
        let book = self.books.get(currency);
        let found = book.and_then(|book| book.account(&account));
        let history = found.map(|found| self.history(found)).unwrap_or_default();
        history.into_iter().map(move |entry| (entry.created_at, effect(entry, &account)))
    }
}

fn effect(entry: &Entry, account: &PublicKey) -> i128 {
    match &entry.body {
        Body::Order(order) => {
            let pays = entry.speaker() == *account;
            let legs = order.legs.iter().filter(|leg| pays || leg.account == *account);
            let sum: i128 = legs.map(|leg| i128::from(leg.minor)).sum();
            if pays { -sum } else { sum }
        }
        Body::Charge(charge) => charge.effects().get(account).copied().unwrap_or_default(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{World, charge, currency, key, rules};
    use crate::{Levy, Rules, Side};

    #[test]
    fn payments_are_legs_without_levies() {
        let levy = Levy { side: Side::Payer, ppm: 100_000, account: key("fund") };
        let rules = Rules { levies: vec![levy], ..rules(key("sol")) };
        let mut world = World::with(rules, &["ana", "ben", "fund"]);
        let order = world.paid("ana", "ben", 100);
        let found: Vec<_> = world.ledger.payments(&currency()).collect();
        let [payment] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((payment.from, payment.to, payment.minor), (key("ana"), key("ben"), 100));
        assert!(payment.order == order && !payment.refund);
    }

    #[test]
    fn changes_add_up_to_the_balance() {
        let mut world = World::of(&["ana", "ben"]);
        world.paid("ana", "ben", 100);
        world.paid("ben", "ana", 30);
        world.add("sol", charge("ana", "ben", 5));
        for name in ["ana", "ben"] {
            let changes: Vec<_> = world.ledger.changes(&currency(), &key(name)).collect();
            assert_eq!(changes.len(), 3);
            assert!(changes.is_sorted_by_key(|(at, _)| *at));
            assert_eq!(changes.iter().map(|(_, change)| change).sum::<i128>(), world.balance(name));
        }
    }
}
