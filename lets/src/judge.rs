//! What a witness says to an order, before it signs (protocol section 3).
//!
//! Pure: the same order, ledger and time give the same verdict. The order is judged before it is
//! applied, because node and witness store an order and its attestation in one write.
//! The checks come in the order of the protocol, and the first that fails is the answer, in words
//! for the one who wants to pay.
//!
//! One thing comes before all others: an order that was attested stays attested. Whoever sends it
//! again gets the same attestation, even if the account was suspended since.

use ayni_protocol::{Amount, EventId, PublicKey, Rejection, Timestamp, VerifiedEvent};
use ayni_witness::Payout;

use crate::account::{Ability, AccountType, Status};
use crate::attestation::{About, Repeat};
use crate::book::{Account, Book, Epoch, Version};
use crate::entry::{Body, Entry};
use crate::known::Signature;
use crate::ledger::Ledger;
use crate::ready::Ready;
use crate::request::Answer;
use crate::rules::Enforce;
use crate::succession::Carried;
use crate::{Money, Order, Policy, Refusal, levy};

/// Seconds after an order's `created_at` that the other witnesses leave to the home witness.
const HOME_PATIENCE_SECS: u64 = 30;

/// What a witness says to an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It signs this attestation, and stores it with the order in one write.
    Attest(Box<Ready>),
    /// It has signed already: this attestation.
    Already(EventId),
    /// It is no witness of this currency: others decide.
    NotMine,
    /// It does not sign yet, for this reason, which passes: the order is stored, and waits.
    Later(Rejection),
    /// It does not sign.
    Refuse(Rejection),
}

impl Ledger {
    /// The verdict of witness `me` on an order that was not applied yet, at time `now`.
    #[must_use]
    pub fn judge(&self, event: &VerifiedEvent, me: &PublicKey, now: Timestamp) -> Verdict {
        match Entry::read(event) {
            Ok(entry) => self.judge_entry(&entry, me, now),
            Err(malformed) => Verdict::Refuse(Refusal::Misshapen(malformed).into()),
        }
    }

    /// The same of an order that was read.
    #[must_use]
    pub fn judge_entry(&self, entry: &Entry, me: &PublicKey, now: Timestamp) -> Verdict {
        match self.hear(entry, me, now) {
            Ok(verdict) => verdict,
            Err(refusal) if refusal.passes() => Verdict::Later(refusal.into()),
            Err(refusal) => Verdict::Refuse(refusal.into()),
        }
    }

    pub(crate) fn hear(
        &self,
        entry: &Entry,
        me: &PublicKey,
        now: Timestamp,
    ) -> Result<Verdict, Refusal> {
        let Body::Order(order) = &entry.body else { return Err(Refusal::NotAnOrder) };
        let book = self.books.get(&order.currency).ok_or(Refusal::RulesUnknown)?;
        let current = book.current().ok_or(Refusal::RulesUnknown)?;
        if let Some(attestation) = self.signed_in(&entry.id, me, &current.id) {
            return Ok(Verdict::Already(attestation));
        }
        let before = self.signed_by(&entry.id, me).map(Verdict::Already);
        if !current.charter.is_witness(me) {
            return Ok(before.unwrap_or(Verdict::NotMine));
        }
        let earlier = book.earlier().find(|epoch| epoch.id == order.epoch);
        let epoch = earlier.unwrap_or(current);
        let hearing = Hearing { ledger: self, book, current, epoch, me, now, entry, order };
        if let Some(any) = hearing.certificate() {
            return Ok(Verdict::Already(any));
        }
        match hearing.decide() {
            // What it attested under rules that are gone can be certified no more.
            Err(refusal) if refusal != Refusal::RulesChanged => before.ok_or(refusal),
            said => said,
        }
    }

    /// The attestation of `target` that `witness` signed under these rules, if it counts.
    pub(crate) fn signed_in(
        &self,
        target: &EventId,
        witness: &PublicKey,
        epoch: &EventId,
    ) -> Option<EventId> {
        let mut all = self.known.signatures(target);
        let of = |signed: &Signature| signed.witness == *witness && signed.epoch == *epoch;
        all.find(of).map(|signed| signed.attestation)
    }

    /// The attestation of `target` that `witness` signed, if it counts.
    #[must_use]
    pub fn signed_by(&self, target: &EventId, witness: &PublicKey) -> Option<EventId> {
        let mut all = self.known.signatures(target);
        all.find(|signed| signed.witness == *witness).map(|signed| signed.attestation)
    }

    /// The version of an account's policy that a witness applies: the highest that only gives more
    /// than the one before, or that it or enough others acknowledged. Without `me`, only the others'
    /// word counts.
    pub(crate) fn in_force<'a>(
        &self,
        book: &'a Book,
        account: &'a Account,
        me: Option<&PublicKey>,
    ) -> Option<&'a Version> {
        let binds = |version: &&std::sync::Arc<Version>| {
            version.raises(&book.defaults) == crate::account::Raise::Yes
                || me.is_some_and(|me| self.signed_by(&version.id, me).is_some())
                || self.is_certified(&version.policy.currency, &version.id)
        };
        account.policies.iter().rev().find(binds).map(|version| &**version)
    }

    /// Whether an order-fork of this account was proven and not pardoned since: by a policy that
    /// names a proof of it as its reason.
    pub(crate) fn is_forked(&self, book: &Book, key: &PublicKey, account: &Account) -> bool {
        let mut proven = book.proofs.range((*key, 0)..=(*key, u64::MAX));
        proven.any(|(_, proofs)| {
            let mut versions = account.policies.iter();
            !versions.any(|version| version.policy.causes.iter().any(|id| proofs.contains(id)))
        })
    }
}

/// One order before one witness.
struct Hearing<'a> {
    ledger: &'a Ledger,
    book: &'a Book,
    /// The rules in force, under which the witness signs.
    current: &'a Epoch,
    /// The rules that the order was signed under.
    epoch: &'a Epoch,
    me: &'a PublicKey,
    now: Timestamp,
    entry: &'a Entry,
    order: &'a Order,
}

type Heard<T = ()> = Result<T, Refusal>;

impl<'a> Hearing<'a> {
    /// Some attestation of this order, where it is certified already.
    fn certificate(&self) -> Option<EventId> {
        let counted = self.ledger.is_counted(&self.entry.id);
        let signed = self.ledger.known.signatures(&self.entry.id).filter(|_| counted);
        signed.map(|signed| signed.attestation).min()
    }

    fn decide(&self) -> Heard<Verdict> {
        self.rules()?;
        let (payer, version) = self.payer()?;
        self.escrow(&version.policy)?;
        self.place(payer)?;
        let (mut over, mut filling) = (None, None);
        if !self.order.is_void() {
            let payee = self.legs()?;
            let gross = self.levies(&version.policy, payee)?;
            filling = self.payee_max(payee)?;
            self.requirements(&version.policy)?;
            over = self.limit(payer, &version.policy)?;
            self.request(gross)?;
            self.refund()?;
            self.trade(payer, &version.policy, payee, gross)?;
        }
        self.until()?;
        if !self.ledger.is_opened(self.book) {
            return Err(Refusal::RulesNotOpened);
        }
        self.home(&version.policy)?;
        Ok(Verdict::Attest(Box::new(self.attestation(version, over, filling))))
    }

    fn money(&self, minor: i128) -> Money {
        Money { minor, scale: self.epoch.rules.scale }
    }

    fn rules(&self) -> Heard {
        // Newer rules, for all this witness knows: to sign again under its own would be a fork.
        if self.order.epoch != self.epoch.id {
            return Err(Refusal::RulesUnknown);
        }
        if self.epoch.id != self.current.id {
            if !self.ledger.is_opened(self.book) {
                return Err(Refusal::RulesNotOpened);
            }
            if self.carried() != Carried::Only(self.entry.id) {
                return Err(Refusal::RulesChanged);
            }
        }
        if self.entry.community != self.epoch.community {
            return Err(Refusal::OtherCommunity);
        }
        if !self.order.is_void() && self.order.scale != self.epoch.rules.scale {
            return Err(Refusal::WrongDecimals(self.epoch.rules.scale.decimals()));
        }
        Ok(())
    }

    /// What of earlier rules is under way at the order's place.
    fn carried(&self) -> Carried {
        let account = self.book.accounts.get(&self.entry.speaker());
        account.map_or(Carried::Nothing, |account| {
            self.ledger.carried(self.book, account, self.order.seq)
        })
    }

    /// The account that pays, and the version of its policy that this witness applies.
    fn payer(&self) -> Heard<(&'a Account, &'a Version)> {
        let key = self.entry.speaker();
        let found = self.book.accounts.get(&key).and_then(|account| {
            Some((account, self.ledger.in_force(self.book, account, Some(self.me))?))
        });
        let (account, version) = found.ok_or(Refusal::NoAccount)?;
        let policy = &version.policy;
        if !policy.signers.contains(&self.entry.author) {
            return Err(Refusal::MayNotSign);
        }
        match policy.status {
            Status::Closed => return Err(Refusal::AccountClosed),
            Status::Suspended => return Err(Refusal::AccountSuspended),
            Status::Active => {}
        }
        if self.ledger.is_forked(self.book, &key, account) {
            return Err(Refusal::AccountForked);
        }
        if policy.can.contains(&Ability::Pay) {
            Ok((account, version))
        } else {
            Err(Refusal::MayNotPay)
        }
    }

    /// Escrow pays only what a decided raffle prescribes, and that once.
    fn escrow(&self, policy: &Policy) -> Heard {
        if policy.account_type != AccountType::Escrow {
            return Ok(());
        }
        let prescribed = self.order.extra().pay.and_then(|pay| {
            let payouts = self.ledger.payouts.get(&pay)?;
            payouts.iter().find(|payout| self.is_prescribed(payout)).map(|_| pay)
        });
        let pay = prescribed.ok_or(Refusal::NotPrescribed)?;
        let mut paid = self.ledger.paid.get(&pay).into_iter().flatten();
        if paid.any(|order| *order != self.entry.id) {
            return Err(Refusal::PaidOut);
        }
        Ok(())
    }

    fn is_prescribed(&self, payout: &Payout) -> bool {
        let [leg] = self.order.legs.as_slice() else { return false };
        payout.currency == self.order.currency
            && payout.escrow == self.entry.speaker()
            && payout.to == leg.account
            && payout.minor == leg.minor
            && payout.refund_of == self.order.extra().refund
    }

    /// No other order pending at this place, and the account's chain continued.
    fn place(&self, payer: &Account) -> Heard {
        let (key, seq) = (self.entry.speaker(), self.order.seq);
        let mine = |id: &EventId| self.ledger.signed_in(id, self.me, &self.current.id).is_some();
        let range = (self.order.currency.clone(), key, seq, *self.me, EventId([0; 32]))
            ..=(self.order.currency.clone(), key, seq, *self.me, EventId([0xff; 32]));
        let mut unseen = self.ledger.unseen.range(range);
        if payer.orders.pending_at(seq).any(|id| mine(&id))
            || unseen.any(|(.., order)| *order != self.entry.id)
        {
            return Err(Refusal::PlaceTaken);
        }
        match self.carried() {
            Carried::Only(first) if first != self.entry.id => return Err(Refusal::EarlierFirst),
            Carried::Several => return Err(Refusal::PlaceFrozen),
            Carried::Only(_) | Carried::Nothing => {}
        }
        let next = payer.orders.next_seq();
        if seq > next {
            return Err(Refusal::OrderGap { next });
        }
        if seq < next {
            return Err(Refusal::NumberUsed { seq, next });
        }
        let previous = payer.orders.last().or_else(|| self.book.first_rules());
        if previous == Some(self.order.previous) { Ok(()) } else { Err(Refusal::WrongPrevious) }
    }

    /// Whether some witness attested the order. Where things may change that are not the payer's to
    /// know, the others follow the first: refused, the order would keep its payer's number for ever.
    fn is_attested(&self) -> bool {
        self.ledger.known.is_signed(&self.entry.id)
    }

    /// Every account credited exists and may receive, or could when the order was attested; gives the
    /// payee's policy.
    fn legs(&self) -> Heard<&'a Policy> {
        let mut payee = None;
        for leg in &self.order.legs {
            let account = self.book.accounts.get(&leg.account);
            let version = account.and_then(|a| self.ledger.in_force(self.book, a, Some(self.me)));
            let policy = &version.ok_or(Refusal::NoPayee)?.policy;
            let receives =
                policy.status != Status::Closed && policy.can.contains(&Ability::Receive);
            if !receives && !self.is_attested() {
                return Err(Refusal::MayNotReceive);
            }
            payee.get_or_insert(&**policy);
        }
        payee.ok_or(Refusal::NoPayee)
    }

    /// The legs are the levy formula's; gives the price.
    fn levies(&self, payer: &Policy, payee: &Policy) -> Heard<i64> {
        let levied = payer.account_type.is_levied() && payee.account_type.is_levied();
        let gross = levy::gross(&self.epoch.rules, &self.order.legs, levied);
        gross.ok_or(Refusal::WrongLevies)
    }

    /// The payee's balance stays within what it may hold; gives the payee where that is limited.
    fn payee_max(&self, payee: &Policy) -> Heard<Option<PublicKey>> {
        let max = payee.max.map(|max| max.minor).or(self.epoch.rules.max);
        let Some((max, leg)) = max.zip(self.order.legs.first()) else { return Ok(None) };
        let balance = self.book.accounts.get(&leg.account).map_or(0, Account::balance);
        let after = balance.saturating_add(leg.minor.into());
        if after <= i128::from(max) {
            return Ok(Some(leg.account));
        }
        Err(Refusal::AboveMaximum { after: self.money(after), max: self.money(max.into()) })
    }

    /// Amounts that only accounts with a flag may move.
    fn requirements(&self, payer: &Policy) -> Heard {
        let total = self.order.total();
        for (flag, most) in &self.epoch.rules.require {
            let most = i128::from(*most);
            let (shown, flag) = (self.money(most), flag.clone());
            if total > most && !payer.flags.contains(&flag) {
                return Err(Refusal::PayerUnverified { most: shown, flag });
            }
            let large = self.order.legs.iter().filter(|leg| i128::from(leg.minor) > most);
            for leg in large {
                let account = self.book.accounts.get(&leg.account);
                let version =
                    account.and_then(|a| self.ledger.in_force(self.book, a, Some(self.me)));
                if version.is_none_or(|version| !version.policy.flags.contains(&flag)) {
                    return Err(Refusal::PayeeUnverified { most: shown, flag });
                }
            }
        }
        Ok(())
    }

    /// The payer stays within the limit; gives by how much not, where limits do not bind.
    fn limit(&self, payer: &Account, policy: &Policy) -> Heard<Option<Amount>> {
        let limit = self.ledger.limit_of(&self.epoch.rules, payer, policy);
        let available = payer.free().saturating_add(limit);
        let total = self.order.total();
        if total <= available {
            return Ok(None);
        }
        let over = i64::try_from(total.saturating_sub(available)).ok();
        match (self.epoch.rules.enforce, over) {
            (Enforce::Soft, Some(minor)) => {
                Ok(Some(Amount { minor, scale: self.epoch.rules.scale }))
            }
            _ => {
                let left = self.money(available.max(0));
                Err(Refusal::BeyondLimit { left, total: self.money(total) })
            }
        }
    }

    fn until(&self) -> Heard {
        if self.order.extra().until.is_some_and(|until| until < self.now) {
            return Err(Refusal::OrderExpired);
        }
        Ok(())
    }

    /// A named request is for this payer and payee, open, and of this price.
    fn request(&self, gross: i64) -> Heard {
        let Some(id) = self.order.extra().request else { return Ok(()) };
        let asked = self.book.requests.get(&id).ok_or(Refusal::RequestUnknown)?;
        let request = &asked.request;
        if request.payer.is_some_and(|payer| payer != self.entry.speaker()) {
            return Err(Refusal::RequestForAnother);
        }
        if self.order.payee() != Some(&asked.payee) {
            return Err(Refusal::RequestByAnother);
        }
        if asked.answers.values().any(|answer| *answer == Answer::Cancelled) {
            return Err(Refusal::RequestCancelled);
        }
        if !asked.answers.is_empty() {
            return Err(Refusal::RequestDeclined);
        }
        if request.expires_at.is_some_and(|expires| expires < self.now) {
            return Err(Refusal::RequestExpired);
        }
        if request.payer.is_some() && self.book.answered.contains_key(&id) {
            return Err(Refusal::RequestPaid);
        }
        match request.amount {
            Some(asked) if asked.minor != gross => {
                Err(Refusal::RequestPrice { asked, paid: self.money(gross.into()) })
            }
            _ => Ok(()),
        }
    }

    /// A refund goes back the way the order came, and all of them give back no more than it.
    fn refund(&self) -> Heard {
        let Some(id) = self.order.extra().refund else { return Ok(()) };
        let given = self.ledger.known.entry(&id).filter(|_| self.ledger.is_counted(&id));
        let given = given.ok_or(Refusal::NothingToRefund)?;
        let Body::Order(original) = &given.body else { return Err(Refusal::NothingToRefund) };
        let back = original.currency == self.order.currency
            && original.payee() == Some(&self.entry.speaker())
            && self.order.payee() == Some(&given.speaker());
        if !back {
            return Err(Refusal::NothingToRefund);
        }
        let done = self.book.refunded.get(&id).copied().unwrap_or_default();
        let left = original.total().saturating_sub(done);
        if self.order.total() <= left {
            return Ok(());
        }
        Err(Refusal::RefundTooLarge { left: self.money(left) })
    }

    /// Where there are several witnesses, the account's home witness signs first, so that two
    /// devices do not split the others between two payments. If it is away, they go on without it.
    fn home(&self, policy: &Policy) -> Heard {
        let charter = &self.current.charter;
        let named = policy.home.filter(|home| charter.is_witness(home));
        let Some(home) = named.or_else(|| charter.home_of(&policy.account)) else { return Ok(()) };
        let patient = self.now < self.entry.created_at.saturating_add(HOME_PATIENCE_SECS);
        if charter.witnesses.len() == 1 || home == *self.me || !patient {
            return Ok(());
        }
        let waiting = (
            self.order.currency.clone(),
            self.entry.speaker(),
            self.order.seq,
            home,
            self.entry.id,
        );
        let signed = self.ledger.signed_by(&self.entry.id, &home).is_some();
        if signed || self.ledger.unseen.contains(&waiting) {
            return Ok(());
        }
        Err(Refusal::HomeFirst)
    }

    fn attestation(
        &self,
        policy: &Version,
        over: Option<Amount>,
        filling: Option<PublicKey>,
    ) -> Ready {
        let repeat = Repeat {
            order: self.entry.id,
            payer: self.entry.speaker(),
            payee: self.order.payee().copied().unwrap_or_else(|| self.entry.speaker()),
            seq: self.order.seq,
            scale: self.order.scale,
            legs: self.order.legs.clone(),
            policy: policy.id,
            over,
        };
        // What becomes of a hold is proven by attestations of what stands at its slot.
        let clears = policy.policy.account_type == AccountType::Clearing;
        let alone = clears || self.order.extra().hold.is_some();
        let filling = Vec::from_iter(filling);
        Ready { alone, filling, ..self.current.ready(About::Orders(vec![repeat])) }
    }
}

mod trade;

#[cfg(test)]
mod tests;
