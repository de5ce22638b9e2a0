//! What a witness owes the community besides answering clients: its word on orders that came by
//! another way or that it had no time to sign, acknowledgements of policies that take something
//! away, its signature under charges, and the checkpoints of others that it can confirm; and the
//! drafts that a node signs.

use ayni_protocol::{Address, Draft, EventId, PublicKey, Timestamp};
use ayni_witness::Payout;

use crate::account::Raise;
use crate::attestation::{About, Log};
use crate::book::{Book, Epoch};
use crate::entry::Body;
use crate::judge::Verdict;
use crate::known::Signature;
use crate::ledger::Ledger;
use crate::log::WitnessLog;
use crate::order::Terms;
use crate::ready::Ready;
use crate::{Charge, Order, Refusal, Rules};

/// Orders that are judged again at a time. Where there are more, each second looks at others, so
/// that orders which can only be refused do not stand before the rest for ever.
const ORDERS_AT_ONCE: usize = 1_000;

impl Ledger {
    /// The next statement that witness `me` owes at time `now`, if any. Each names the one before in the log, so
    /// there is one at a time: sign it, apply it, ask again.
    #[must_use]
    pub fn next_duty(&self, me: &PublicKey, now: Timestamp) -> Option<Draft> {
        let ready = self.next_close(me);
        let ready = ready.or_else(|| self.next_acknowledgement(me));
        let ready = ready.or_else(|| self.next_charge(me));
        let ready = ready.or_else(|| self.next_orders(me, now));
        let statement = ready.map(|ready| ready.draft(self.next_log(me)));
        statement.or_else(|| self.next_checkpoint(me))
    }

    /// A crash may fall between an order and its attestation, and an order may come from a peer
    /// before the account it pays to: such an order is attested as soon as it may be.
    fn next_orders(&self, me: &PublicKey, now: Timestamp) -> Option<Ready> {
        let pages = self.unattested.len().div_ceil(ORDERS_AT_ONCE).max(1);
        let page = u64::try_from(pages).ok().and_then(|pages| now.checked_rem(pages))?;
        let before = usize::try_from(page).ok()?.saturating_mul(ORDERS_AT_ONCE);
        let mut ready: Option<Ready> = None;
        for (id, ()) in self.unattested.iter().skip(before).take(ORDERS_AT_ONCE) {
            let Some(entry) = self.known.entry(id) else { continue };
            if ready.as_ref().is_some_and(|ready| ready.concerns(entry)) {
                continue;
            }
            let Ok(Verdict::Attest(more)) = self.hear(entry, me, now) else { continue };
            match &mut ready {
                None => ready = Some(*more),
                Some(ready) if more.passes_a_limit() && ready.touches(entry) => {}
                Some(ready) if ready.goes_with(&more) => ready.join(*more),
                Some(_) => {}
            }
        }
        ready
    }

    fn next_acknowledgement(&self, me: &PublicKey) -> Option<Ready> {
        self.lowering.iter().find_map(|(currency, id)| {
            let book = self.books.get(currency)?;
            let epoch = book.current().filter(|epoch| epoch.charter.is_witness(me))?;
            let Body::Policy(policy) = &self.known.entry(id)?.body else { return None };
            let account = book.accounts.get(&policy.account)?;
            let version = account.policies.iter().find(|version| version.id == *id)?;
            let owed = version.raises(&book.defaults) != Raise::Yes
                && version.community == epoch.community
                && self.signed_in(id, me, &epoch.id).is_none();
            owed.then(|| epoch.ready(About::Policy(*id)))
        })
    }

    fn next_charge(&self, me: &PublicKey) -> Option<Ready> {
        self.books.values().find_map(|book| {
            let next = book.charges.sound_at(book.charges.next_cseq);
            next.into_iter().find_map(|id| match self.judge_charge(&id, me) {
                Verdict::Attest(ready) => Some(*ready),
                _ => None,
            })
        })
    }

    /// A checkpoint that another witness signed last and that says what the book says now. Where the
    /// book differs something may be on its way, so nothing is said; the next tick asks again.
    fn next_checkpoint(&self, me: &PublicKey) -> Option<Draft> {
        self.books.iter().find_map(|(currency, book)| {
            let epoch = book.current().filter(|epoch| epoch.charter.is_witness(me))?;
            let signed = |root| book.checkpoints.get(root).is_some_and(|by| by.contains(me));
            // The lines are hashed only where they may be the same.
            let others = book.said.iter().filter(|(by, _)| epoch.charter.is_witness(by));
            let others = others.map(|(_, (_, said))| said);
            let mut open =
                others.filter(|said| said.orders == book.orders && !signed(&said.root)).peekable();
            open.peek()?;
            let own = self.checkpoint(currency)?;
            open.any(|said| *said == own).then(|| Body::from(own).draft(&epoch.community))
        })
    }

    /// The verdict of witness `me` on a charge that was applied.
    #[must_use]
    pub fn judge_charge(&self, id: &EventId, me: &PublicKey) -> Verdict {
        self.hear_charge(id, me).unwrap_or_else(|refusal| Verdict::Refuse(refusal.into()))
    }

    fn hear_charge(&self, id: &EventId, me: &PublicKey) -> Result<Verdict, Refusal> {
        if let Some(attestation) = self.signed_by(id, me).filter(|_| self.is_counted(id)) {
            return Ok(Verdict::Already(attestation));
        }
        let Some(Body::Charge(charge)) = self.known.entry(id).map(|entry| &entry.body) else {
            return Err(Refusal::ChargeUnknown);
        };
        let book = self.books.get(&charge.currency).ok_or(Refusal::RulesUnknown)?;
        let epoch = book.current().ok_or(Refusal::RulesUnknown)?;
        if let Some(attestation) = self.signed_in(id, me, &epoch.id) {
            return Ok(Verdict::Already(attestation));
        }
        if !epoch.charter.is_witness(me) {
            return Ok(Verdict::NotMine);
        }
        if !self.is_opened(book) {
            return Err(Refusal::RulesNotOpened);
        }
        self.hear_sound_charge(id, charge, book, (me, epoch))?;
        Ok(Verdict::Attest(Box::new(epoch.ready(About::Charge(*id)))))
    }

    fn hear_sound_charge(
        &self,
        id: &EventId,
        charge: &Charge,
        book: &Book,
        (me, epoch): (&PublicKey, &Epoch),
    ) -> Result<(), Refusal> {
        let charges = &book.charges;
        let mut rivals = charges.sound_at(charge.cseq).filter(|other| other != id);
        if !charges.sound.contains(&(charge.cseq, *id)) {
            return Err(Refusal::ChargeUnsound);
        }
        let taken = |signed: Signature| signed.witness == *me || signed.epoch != epoch.id;
        if rivals.any(|other| self.known.signatures(&other).any(taken)) {
            return Err(Refusal::ChargePlaceTaken);
        }
        if charge.cseq > charges.next_cseq {
            return Err(Refusal::ChargeGap);
        }
        if charge.cseq < charges.next_cseq || charge.previous != charges.last() {
            return Err(Refusal::ChargeOutOfChain);
        }
        self.hear_basis(id, charge, book)
    }

    /// The next place in the log of witness `me`, as far as its statements came here.
    #[must_use]
    pub fn next_log(&self, me: &PublicKey) -> Log {
        match self.logs.get(me).and_then(WitnessLog::last) {
            None => Log { index: 0, previous: None },
            Some((index, last)) => {
                Log { index: index.saturating_add(1), previous: self.known.id(last) }
            }
        }
    }

    /// What somebody needs to write the next order of `payer`: who pays, whom, how much. Nothing
    /// where the currency or one of the accounts is not known.
    #[must_use]
    pub fn terms(
        &self,
        currency: &Address,
        payer: &PublicKey,
        payee: &PublicKey,
        gross: i64,
    ) -> Option<(Terms, &Rules)> {
        let book = self.books.get(currency)?;
        let epoch = book.current()?;
        let account = book.account(payer)?;
        let levied = |key: &PublicKey| {
            let version = self.in_force(book, book.account(key)?, None)?;
            Some(version.policy.account_type.is_levied())
        };
        let terms = Terms {
            epoch: epoch.id,
            seq: account.orders.next_seq(),
            previous: account.orders.last().or_else(|| book.first_rules())?,
            payee: *payee,
            gross,
            levied: levied(payer)? && levied(payee)?,
        };
        Some((terms, &epoch.rules))
    }

    /// Prescribed payouts that no certified order has made yet.
    pub fn unpaid_payouts(&self) -> impl Iterator<Item = &std::sync::Arc<Payout>> {
        let unpaid = self.payouts.iter().filter(|(pay, _)| !self.paid.contains_key(*pay));
        unpaid.flat_map(|(_, payouts)| payouts)
    }

    /// The order that makes a prescribed payout, to be signed by `signer`; nothing where it may not
    /// sign for the escrow account or the payout was made.
    #[must_use]
    pub fn draft_payout(&self, payout: &Payout, signer: &PublicKey) -> Option<Draft> {
        if self.paid.contains_key(&payout.pay) {
            return None;
        }
        let book = self.books.get(&payout.currency)?;
        let version = self.in_force(book, book.account(&payout.escrow)?, None)?;
        if !version.policy.signers.contains(signer) {
            return None;
        }
        let (terms, rules) =
            self.terms(&payout.currency, &payout.escrow, &payout.to, payout.minor)?;
        let order = Order::new(&Terms { levied: false, ..terms }, rules).ok()?;
        let order = order.with(|it| {
            it.from = (*signer != payout.escrow).then_some(payout.escrow);
            it.refund = payout.refund_of;
            it.pay = Some(payout.pay);
        });
        Some(Body::from(order).draft(&book.current()?.community))
    }
}
