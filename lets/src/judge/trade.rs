//! What a witness asks of the two sides of a trade: the hold in the payer's currency, and the order
//! that completes it in the other.

use super::{Account, Body, EventId, Heard, Hearing, Policy, Refusal};
use crate::account::{Ability, AccountType};
use crate::hold::Slot;
use crate::known::Standing;
use crate::{Agreement, Order, Quote};

impl Hearing<'_> {
    pub(super) fn trade(&self, payer: &Account, own: &Policy, payee: &Policy, gross: i64) -> Heard {
        match (&self.order.extra().hold, self.order.extra().commit) {
            (Some(slot), _) => self.hold(slot, payee, gross),
            (None, Some(hold)) => self.commit(hold, payer, own),
            (None, None) => Ok(()),
        }
    }

    /// A hold is what a quote says that is good still, at the agreement's rate.
    ///
    /// A hold that comes late, or in the middle of a change, must not keep its payer's number for
    /// ever. So it is refused for its quote's time and for the agreement only while nobody attested
    /// it, and for a slot that was used only at the door: of one that is stored already the payer may
    /// not know that. Certified, it is void at once.
    fn hold(&self, slot: &Slot, payee: &Policy, gross: i64) -> Heard {
        let quote = self.order.extra().quote.and_then(|id| self.book.quotes.get(&id));
        let quote = quote.ok_or(Refusal::QuoteUnknown)?;
        let same = quote.payer == self.entry.speaker()
            && quote.slot == *slot
            && slot.currency == quote.to.currency
            && slot.account == payee.account
            && quote.amount.minor == gross;
        if !same {
            return Err(Refusal::QuoteDiffers);
        }
        if !self.is_attested() {
            if quote.until < self.now {
                return Err(Refusal::QuoteExpired);
            }
            self.price(slot, payee, quote, gross)?;
        }
        let there = self.ledger.books.get(&slot.currency);
        let account = there.and_then(|book| book.accounts.get(&slot.account));
        if account.is_some_and(|account| account.orders.next_seq() > slot.seq)
            && self.ledger.known.standing(&self.entry.id) == Standing::Absent
        {
            return Err(Refusal::SlotUsed);
        }
        Ok(())
    }

    /// The price is the agreement's.
    fn price(&self, slot: &Slot, payee: &Policy, quote: &Quote, gross: i64) -> Heard {
        let agreement = self.agreement(&slot.currency, payee)?;
        let price = agreement.price(quote.to.amount).ok_or(Refusal::NoAgreement)?;
        if price == gross {
            return Ok(());
        }
        let (asked, price) = (self.money(gross.into()), self.money(price.into()));
        Err(Refusal::RateDiffers { asked, price })
    }

    /// An order that completes a hold delivers what the quote promised, and stays within what this
    /// community lends the other, as far as nobody attested it: its signer looked at that before, and
    /// its number must not be taken for ever because the agreement changed.
    fn commit(&self, id: EventId, payer: &Account, own: &Policy) -> Heard {
        let hold = self.ledger.holds.get(&id).ok_or(Refusal::HoldUnknown)?;
        let Body::Order(held) = &hold.order.body else { return Err(Refusal::HoldUnknown) };
        let there = self.ledger.books.get(&held.currency).ok_or(Refusal::HoldUnknown)?;
        let quote = held.extra().quote.and_then(|quote| there.quotes.get(&quote));
        let quote = quote.ok_or(Refusal::QuoteUnknown)?;
        if !self.delivers(held, quote) {
            return Err(Refusal::CommitDiffers);
        }
        if self.is_attested() {
            return Ok(());
        }
        let agreement = self.agreement(&held.currency, own)?;
        let left = payer.free().saturating_add(agreement.limit.minor.into());
        let total = self.order.total();
        if total <= left {
            return Ok(());
        }
        Err(Refusal::BeyondTrade { left: self.money(left.max(0)), total: self.money(total) })
    }

    fn delivers(&self, held: &Order, quote: &Quote) -> bool {
        let here = Slot::of(self.entry, self.order);
        let [leg] = self.order.legs.as_slice() else { return false };
        held.extra().hold.as_ref() == Some(&here)
            && self.order.extra().quote == held.extra().quote
            && quote.to.currency == self.order.currency
            && quote.to.account == leg.account
            && quote.to.amount.minor == leg.minor
            && quote.to.amount.scale == self.order.scale
    }

    /// The agreement of this currency with another, where `clearing` is the account it names.
    fn agreement(&self, with: &ayni_protocol::Address, clearing: &Policy) -> Heard<&Agreement> {
        let agreement = self.book.agreement(with).filter(|agreement| {
            agreement.clearing == clearing.account
                && clearing.account_type == AccountType::Clearing
                && clearing.can.contains(&Ability::Trade)
        });
        agreement.map(|agreement| &**agreement).ok_or(Refusal::NoAgreement)
    }
}
