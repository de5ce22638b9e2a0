//! What a witness states about orders, each of which counts by itself.
//!
//! A statement about several orders is the same as one about each: where one of them has not come,
//! or is not what the witness says it is, the others count all the same. So nobody's payment rests
//! on another's.

use ayni_protocol::{Number, Ruling};

use crate::attestation::{ORDERS_MAX, Repeat, Statement};
use crate::entry::{Body, Entry};
use crate::evaluate::Held;
use crate::fork::Case;
use crate::known::Signature;
use crate::ledger::Ledger;

/// How far what is said of one order has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Counts,
    Waits,
    Void,
}

impl Ledger {
    /// Looks at a statement about orders that is not settled. What counts of it is not taken back;
    /// to count it again changes nothing.
    pub(crate) fn look_at_orders(
        &mut self,
        number: Number,
        entry: &Entry,
        statement: &Statement,
        work: &mut Vec<Number>,
    ) -> Result<(), Held> {
        let (said, held) = self.weigh_orders(entry, statement);
        let orders = || statement.orders().iter().zip(&said);
        for (repeat, said) in orders() {
            if *said == Said::Counts {
                self.count_repeat(number, entry, statement, repeat, work);
            }
            self.note_unseen(entry, statement, repeat, *said == Said::Waits);
        }
        let is = |what: Said| orders().any(|(_, said)| *said == what);
        let (waits, counts) = (is(Said::Waits), is(Said::Counts));
        self.logs.entry(entry.author).or_default().lacks(statement.log.index, waits);
        match held {
            // It counts, and is looked at again for the rest.
            Some(held) if waits && counts => Err(Held { ruling: Ruling::Counted, ..held }),
            Some(held) if !counts => Err(held),
            _ => Ok(()),
        }
    }

    /// What is said of each order, and what holds back those that do not count; where some wait and
    /// some are void, what the first waits for.
    fn weigh_orders(
        &self,
        entry: &Entry,
        statement: &Statement,
    ) -> ([Said; ORDERS_MAX], Option<Held>) {
        let (mut all, mut sum) = ([Said::Counts; ORDERS_MAX], None::<Held>);
        let epoch = self.stated_under(entry, statement);
        for (repeat, said) in statement.orders().iter().zip(&mut all) {
            let weighed = match &epoch {
                Ok(epoch) => self.weigh_repeat(statement, repeat, epoch),
                Err(held) => Err(held.clone()),
            };
            let Err(held) = weighed else { continue };
            *said = if held.keys.is_empty() { Said::Void } else { Said::Waits };
            match &mut sum {
                Some(sum) if *said == Said::Waits => {
                    if matches!(sum.ruling, Ruling::Void(_)) {
                        sum.ruling = held.ruling;
                    }
                    sum.keys.extend(held.keys);
                }
                Some(_) => {}
                None => sum = Some(held),
            }
        }
        (all, sum)
    }

    /// Keeps the index of what is said about orders that have not come.
    fn note_unseen(&mut self, entry: &Entry, statement: &Statement, repeat: &Repeat, waits: bool) {
        let place = || {
            let currency = statement.currency.clone();
            (currency, repeat.payer, repeat.seq, entry.author, repeat.order)
        };
        if waits {
            self.unseen.insert(place());
        } else if !self.unseen.is_empty() {
            self.unseen.remove(&place());
        }
    }

    fn count_repeat(
        &mut self,
        number: Number,
        entry: &Entry,
        statement: &Statement,
        repeat: &Repeat,
        work: &mut Vec<Number>,
    ) {
        let target = self.known.number_of(repeat.order);
        if self.known.sign(target, number, &Signature::of(entry, statement)) {
            self.note_attested(target, entry, statement, repeat);
            work.push(target);
        }
    }

    /// An attested order takes its place, uses up its `pay` id, and may show a witness's fork.
    fn note_attested(
        &mut self,
        target: Number,
        entry: &Entry,
        statement: &Statement,
        repeat: &Repeat,
    ) {
        let Repeat { payer, seq, order, .. } = *repeat;
        let (currency, epoch) = (&statement.currency, &statement.epoch);
        let Some(book) = self.books.get_mut(currency) else { return };
        let account = book.accounts.or_default(payer);
        account.orders.note_attested(seq, order);
        if account.orders.is_contested(seq, order) {
            let others: Vec<_> = account.orders.attested_at(seq).collect();
            let mut others = others.into_iter().filter(|other| *other != order);
            let other = others.find(|id| self.signed_in(id, &entry.author, epoch).is_some());
            self.note_fork(Case::Attest, currency, entry.author, seq, order, other);
        }
        if let Some(Body::Order(body)) = self.known.entry_at(target).map(|entry| &entry.body)
            && let Some(pay) = body.extra().pay
        {
            self.paid.entry(pay).or_default().insert(order);
        }
    }
}
