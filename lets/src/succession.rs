//! How rules follow rules while payments are under way (protocol section 3, "Epochs").
//!
//! New rules may name another charter, and so other witnesses. Before these attest anything, a
//! quorum of the witnesses before them must have closed: said, as the last word of their log under
//! the old rules, that they attest nothing more there. Which closes hold is decided by those who
//! closed ([`ayni_witness::Handover`]), so that everybody goes by the same logs. Any certificate
//! under the old rules shares an honest witness with those closes: whoever holds their logs knows
//! every order that was certified, or still may be. Such an order goes first at its place: the new
//! witnesses attest that same event, or nothing there. Any other has to be signed again.
//!
//! Readers need none of this: to them a certificate is a quorum of one epoch, whenever it comes.

use std::collections::BTreeMap;
use std::sync::Arc;

use ayni_protocol::{EventId, PublicKey};
use ayni_witness::Handover;

use crate::attestation::About;
use crate::book::{Account, Book, Close, Epoch};
use crate::entry::Body;
use crate::ledger::Ledger;
use crate::ready::Ready;

/// What of earlier rules is under way at a place of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carried {
    /// Nothing that could still be certified.
    Nothing,
    /// This order and no other.
    Only(EventId),
    /// Several orders, of which any may be certified.
    Several,
}

impl Ledger {
    /// The close that witness `me` owes: its word that it attests nothing more under rules that
    /// others have followed.
    pub(crate) fn next_close(&self, me: &PublicKey) -> Option<Ready> {
        self.books.values().find_map(|book| {
            let open = |epoch: &&Arc<Epoch>| {
                epoch.charter.is_witness(me) && !book.has_closed(&epoch.id, me)
            };
            let epoch = book.earlier().find(open)?;
            Some(epoch.ready(About::Close))
        })
    }

    /// Whether witnesses may attest under the rules in force: of all earlier ones it is fixed which
    /// closes hold, and what their witnesses attested is here.
    pub(crate) fn is_opened(&self, book: &Book) -> bool {
        let mut earlier = book.earlier();
        earlier.all(|epoch| self.holding(book, epoch).is_some())
    }

    /// The closes of an epoch that hold, once that is fixed and their logs are here.
    fn holding<'a>(
        &'a self,
        book: &'a Book,
        epoch: &'a Epoch,
    ) -> Option<Vec<(EventId, &'a Close)>> {
        if closes_by_itself(epoch) {
            let first = first_of_each(self.whole_closes(book, epoch));
            return (first.len() == epoch.charter.witnesses.len()).then_some(first);
        }
        let decided = self.handovers.get(&epoch.id).filter(|decided| decided.len() == 1)?;
        let closes = book.closes.get(&epoch.id)?;
        let named = decided.first()?.iter();
        named
            .map(|id| Some((*id, closes.get(id).filter(|close| self.is_whole(*id, close))?)))
            .collect()
    }

    /// The closes of an epoch up to which the log of their witness is here, with all it names.
    fn whole_closes<'a>(
        &'a self,
        book: &'a Book,
        epoch: &'a Epoch,
    ) -> impl Iterator<Item = (EventId, &'a Close)> {
        let closes = book.closes.get(&epoch.id).into_iter().flatten();
        closes.map(|(id, close)| (*id, close)).filter(|(id, close)| self.is_whole(*id, close))
    }

    fn is_whole(&self, id: EventId, close: &Close) -> bool {
        let log = self.logs.get(&close.witness).zip(self.known.number(&id));
        log.is_some_and(|(log, id)| log.is_whole(close.index, id))
    }

    /// Whether a witness's statement is one of those that a later one of it fixes.
    fn is_before(
        &self,
        witness: &PublicKey,
        (index, id): (u64, EventId),
        (last_index, last): (u64, EventId),
    ) -> bool {
        let numbers = self.known.number(&id).zip(self.known.number(&last));
        let log = self.logs.get(witness).zip(numbers);
        log.is_some_and(|(log, (id, last))| log.is_before((index, id), (last_index, last)))
    }

    /// What witness `me` knows of every handover that is still to be decided.
    #[must_use]
    pub fn handovers(&self, me: &PublicKey) -> Vec<Handover> {
        let mut owed = Vec::new();
        for book in self.books.values() {
            let open = book.earlier().filter(|epoch| {
                epoch.charter.is_witness(me)
                    && !closes_by_itself(epoch)
                    && !self.handovers.contains_key(&epoch.id)
            });
            owed.extend(open.filter_map(|epoch| self.handover(book, epoch)));
        }
        owed
    }

    fn handover(&self, book: &Book, epoch: &Epoch) -> Option<Handover> {
        let known = first_of_each(self.whole_closes(book, epoch));
        let since = known.iter().map(|(_, close)| close.created_at).min()?;
        let closes = known.into_iter().map(|(id, _)| id).collect();
        Some(Handover { rules: epoch.id, closes, since })
    }

    /// What of earlier rules is under way at this place.
    pub(crate) fn carried(&self, book: &Book, account: &Account, seq: u64) -> Carried {
        let mut live = account
            .orders
            .pending_at(seq)
            .filter(|order| book.earlier().any(|epoch| self.may_yet_count(book, epoch, order)));
        match (live.next(), live.next()) {
            (None, _) => Carried::Nothing,
            (Some(order), None) => Carried::Only(order),
            (Some(_), Some(_)) => Carried::Several,
        }
    }

    /// Whether an order that does not count was signed under rules that are gone, and is not carried
    /// over: nobody attests it any more.
    pub(crate) fn has_lapsed(&self, id: &EventId) -> bool {
        let Some(entry) = self.known.entry(id) else { return false };
        let Body::Order(order) = &entry.body else { return false };
        let Some(book) = self.books.get(&order.currency) else { return false };
        let is_old = book.earlier().any(|epoch| epoch.id == order.epoch);
        is_old && self.is_opened(book) && {
            let account = book.accounts.get(&entry.speaker());
            let carried = account.map(|account| self.carried(book, account, order.seq));
            !matches!(carried, Some(Carried::Only(first)) if first == *id)
                && !matches!(carried, Some(Carried::Several))
        }
    }

    /// Whether an order may be certified in an earlier epoch: by those of its closers that signed it
    /// before they closed, by all that did not close, and by as many liars as the charter bears. They
    /// are enough where `signed + (n - closed) + (2q - n - 1) >= q`.
    fn may_yet_count(&self, book: &Book, epoch: &Epoch, order: &EventId) -> bool {
        let Some(holding) = self.holding(book, epoch) else { return false };
        let signatures = || self.known.signatures(order);
        let signed = holding.iter().filter(|(id, close)| {
            let mut own =
                signatures().filter(|it| it.witness == close.witness && it.epoch == epoch.id);
            own.any(|it| {
                self.is_before(&close.witness, (it.index, it.attestation), (close.index, *id))
            })
        });
        signed.count().saturating_add(epoch.charter.quorum) > holding.len()
    }
}

impl Book {
    /// The counted rules that others have followed.
    pub fn earlier(&self) -> impl Iterator<Item = &Arc<Epoch>> {
        self.epochs.values().rev().skip(1)
    }

    /// Whether a witness said that it attests nothing more under these rules.
    pub fn has_closed(&self, epoch: &EventId, witness: &PublicKey) -> bool {
        let mut closes = self.closes.get(epoch).into_iter().flatten();
        closes.any(|(_, close)| close.witness == *witness)
    }
}

/// One close of each witness: of one that closed twice the earlier one.
fn first_of_each<'a>(
    closes: impl Iterator<Item = (EventId, &'a Close)>,
) -> Vec<(EventId, &'a Close)> {
    let mut first = BTreeMap::new();
    for (id, close) in closes {
        let held = first.entry(close.witness).or_insert((id, close));
        if (close.index, id) < (held.1.index, held.0) {
            *held = (id, close);
        }
    }
    first.into_values().collect()
}

/// Whether all witnesses have to close, so that there is nothing to decide about whose closes hold.
fn closes_by_itself(epoch: &Epoch) -> bool {
    epoch.charter.quorum >= epoch.charter.witnesses.len()
}

#[cfg(test)]
mod tests;
