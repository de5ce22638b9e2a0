//! How rules follow rules while payments are under way (protocol section 3, "Epochs").
//!
//! New rules may name another charter, and so other witnesses. Before these attest anything, a
//! quorum of the witnesses before them must have closed: said, as the last word of their log under
//! the old rules, that they attest nothing more there. Any certificate under the old rules shares an
//! honest witness with that quorum, so whoever holds the logs of those who closed knows every order
//! that was certified, or still may be. Such an order goes first at its place: the new witnesses
//! attest that same event, or nothing there.
//!
//! Readers need none of this: to them a certificate is a quorum of one epoch, whenever it comes.

use std::sync::Arc;

use ayni_protocol::{Draft, EventId, PublicKey};

use crate::attestation::About;
use crate::book::{Account, Book, Epoch};
use crate::ledger::Ledger;

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
    pub(crate) fn next_close(&self, me: &PublicKey) -> Option<Draft> {
        self.books.values().find_map(|book| {
            let open = |epoch: &&Arc<Epoch>| {
                epoch.charter.is_witness(me) && !book.has_closed(&epoch.id, me)
            };
            let epoch = book.earlier().find(open)?;
            Some(self.statement(me, epoch, About::Close))
        })
    }

    /// Whether witnesses may attest under the rules in force: all earlier ones are closed, and what
    /// their witnesses attested is here.
    pub(crate) fn is_opened(&self, book: &Book) -> bool {
        let mut earlier = book.earlier();
        earlier.all(|epoch| self.closers(book, epoch).count() >= epoch.charter.quorum)
    }

    /// The witnesses of an epoch that closed it and whose whole log is here.
    fn closers<'a>(
        &'a self,
        book: &'a Book,
        epoch: &'a Epoch,
    ) -> impl Iterator<Item = &'a PublicKey> {
        let closed = book.closes.get(&epoch.id).into_iter().flatten();
        let whole = |(witness, index): &(&PublicKey, &u64)| {
            self.whole.get(witness).is_some_and(|next| next > index)
                && self.lacking.get(witness).is_none_or(|lacking| *lacking == 0)
        };
        closed.filter(whole).map(|(witness, _)| witness)
    }

    /// What of earlier rules is under way at this place.
    pub(crate) fn carried(&self, book: &Book, account: &Account, seq: u64) -> Carried {
        let mut live = account
            .pending_at(seq)
            .filter(|order| book.earlier().any(|epoch| self.may_yet_count(book, epoch, order)));
        match (live.next(), live.next()) {
            (None, _) => Carried::Nothing,
            (Some(order), None) => Carried::Only(order),
            (Some(_), Some(_)) => Carried::Several,
        }
    }

    /// Whether an order may be certified in an earlier epoch: by the witnesses that closed and had
    /// signed it, by all that did not close, and by as many liars as the charter bears.
    fn may_yet_count(&self, book: &Book, epoch: &Epoch, order: &EventId) -> bool {
        let (mut closed, mut signed) = (0_usize, 0_usize);
        for witness in self.closers(book, epoch) {
            closed = closed.saturating_add(1);
            let has = self.signed_in(order, witness, &epoch.id).is_some();
            signed = signed.saturating_add(usize::from(has));
        }
        let any = self.signatures.get(order).into_iter().flatten();
        if !any.into_iter().any(|signature| signature.epoch == epoch.id) {
            return false;
        }
        let (seats, quorum) = (epoch.charter.witnesses.len(), epoch.charter.quorum);
        let silent = seats.saturating_sub(closed);
        let liars = quorum.saturating_mul(2).saturating_sub(seats).saturating_sub(1);
        signed.saturating_add(silent).saturating_add(liars) >= quorum
    }

    /// Follows a witness's log for as far as it has no gap.
    pub(crate) fn note_whole(&mut self, witness: &PublicKey) {
        let Some(log) = self.logs.get(witness) else { return };
        let next = self.whole.entry(*witness).or_default();
        while log.contains_key(next) {
            *next = next.saturating_add(1);
        }
    }
}

impl Book {
    /// The counted rules that others have followed.
    pub fn earlier(&self) -> impl Iterator<Item = &Arc<Epoch>> {
        self.epochs.values().rev().skip(1)
    }

    /// Whether a witness said that it attests nothing more under these rules.
    pub fn has_closed(&self, epoch: &EventId, witness: &PublicKey) -> bool {
        self.closes.get(epoch).is_some_and(|closed| closed.contains_key(witness))
    }

    /// Books a witness's close, and where in its log it stands.
    pub fn close(&mut self, epoch: EventId, witness: PublicKey, index: u64) {
        let place = self.closes.entry(epoch).or_default().entry(witness).or_insert(index);
        *place = index.min(*place);
    }
}

#[cfg(test)]
mod tests;
