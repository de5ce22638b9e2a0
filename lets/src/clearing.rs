//! What a clearing account's agent signs: quotes for those who ask, for every hold on its next
//! number the order that completes it, or one that makes it void, and once that is certified, the
//! resolution that tells readers who do not follow the other currency how the hold ended.
//!
//! The agent keeps nothing in mind: what it owes next follows from the ledger alone. So one that was
//! interrupted between two steps, or lost its memory, goes on where the events say it stopped. The
//! one rule it must keep is the witness's: what it signed is stored before it is shown.

use ayni_protocol::{Address, Amount, Draft, EventId, Prefix, PublicKey, Timestamp};

use crate::book::{Account, Book, Epoch};
use crate::entry::{Body, Entry};
use crate::hold::Slot;
use crate::judge::Verdict;
use crate::ledger::Ledger;
use crate::order::Terms;
use crate::resolution::Resolved;
use crate::{Agreement, Ask, Order, Outcome, Quote};

/// How long a quote is good, in seconds.
const QUOTE_SECS: u64 = 600;
/// How old a question may be that is answered still, in seconds.
const ASK_SECS: u64 = 600;

/// A hold that came to an end, and what proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The hold.
    pub hold: EventId,
    /// Its currency.
    pub currency: Address,
    /// The community that keeps it.
    pub community: EventId,
    /// The order that was certified at the hold's slot.
    pub order: EventId,
    /// Its certificate: enough attestations under one version of the rules.
    pub attestations: Vec<EventId>,
}

impl Ledger {
    /// The holds that the clearing account `me` decided and of which nobody has told, by a
    /// resolution that counts or `me` by any. Who holds the events named makes one of them.
    #[must_use]
    pub fn untold(&self, me: &PublicKey) -> Vec<Ended> {
        self.untold.iter().filter_map(|id| self.ended(*id, me)).collect()
    }

    fn ended(&self, hold: EventId, me: &PublicKey) -> Option<Ended> {
        let held = self.holds.get(&hold)?;
        let Body::Order(order) = &held.order.body else { return None };
        let slot = order.extra().hold.as_ref().filter(|slot| slot.account == *me)?;
        let is_told = |it: &&Resolved| self.told.contains(&(*me, hold, **it));
        let mut said = Resolved::ALL.iter().filter(is_told);
        if said.any(|it| it.outcome() == held.outcome) {
            return None;
        }
        let book = self.books.get(&slot.currency)?;
        let decided = |id: &EventId| match self.known.entry(id).map(|entry| &entry.body) {
            Some(Body::Order(by)) => {
                (by.extra().commit == Some(hold)) == (held.outcome == Outcome::Posted)
            }
            _ => false,
        };
        let by = book.accounts.get(me)?.orders.certified_at(slot.seq).find(decided)?;
        let attestations = self.certificate(&slot.currency, &by)?;
        let (currency, community) = (order.currency.clone(), held.order.community);
        Some(Ended { hold, currency, community, order: by, attestations })
    }

    /// What the clearing account `me` signs next at time `now`, if anything. As with a witness's
    /// duties there is one at a time: sign it, apply it, ask again.
    #[must_use]
    pub fn next_clearing(&self, me: &PublicKey, now: Timestamp) -> Option<Draft> {
        let completing = self.open_holds.iter().find_map(|id| self.complete(*id, me, now));
        completing.or_else(|| self.asks.iter().rev().find_map(|id| self.quote(*id, me, now)))
    }

    /// The order for a hold whose slot is this account's next number and free.
    fn complete(&self, id: EventId, me: &PublicKey, now: Timestamp) -> Option<Draft> {
        let Body::Order(held) = &self.holds.get(&id)?.order.body else { return None };
        let slot = held.extra().hold.as_ref().filter(|slot| slot.account == *me)?;
        let (book, epoch, account) = self.clearing_account(&slot.currency, me)?;
        if account.orders.next_seq() != slot.seq || self.is_used(account, slot.seq) {
            return None;
        }
        let previous = account.orders.last().or_else(|| book.first_rules())?;
        let order = self.commit_of(id, held, previous, epoch);
        let order = match order.map(|order| self.would_be_attested(&order, epoch, me, now)) {
            Some(Attested::Yes(order)) => *order,
            Some(Attested::NotYet) => return None,
            Some(Attested::No) | None => {
                Order::void(slot.currency.clone(), epoch.id, slot.seq, previous)
            }
        };
        Some(Body::from(order).draft(&epoch.community))
    }

    /// What the quote under a hold promised, where it is still the agreement's price.
    fn commit_of(
        &self,
        id: EventId,
        held: &Order,
        previous: EventId,
        epoch: &Epoch,
    ) -> Option<Order> {
        let payers = self.books.get(&held.currency)?;
        let quote = payers.quotes.get(&held.extra().quote?)?;
        let slot = held.extra().hold.as_ref()?;
        // Witnesses may have followed one that looked at an older agreement.
        let agreement = payers.agreement(&slot.currency)?;
        let agreed = agreement.clearing == slot.account
            && agreement.price(quote.to.amount) == Some(quote.amount.minor);
        let fits = agreed
            && quote.to.currency == slot.currency
            && quote.to.amount.scale == epoch.rules.scale
            && quote.slot == *slot;
        let terms = Terms {
            epoch: epoch.id,
            seq: slot.seq,
            previous,
            payee: quote.to.account,
            gross: quote.to.amount.minor,
            levied: false,
        };
        let order = Order::new(&terms, &epoch.rules).ok().filter(|_| fits)?;
        Some(order.with(|it| {
            it.quote = held.extra().quote;
            it.commit = Some(id);
        }))
    }

    /// Whether a witness of the other currency would sign, by what is known of its book here.
    fn would_be_attested(
        &self,
        order: &Order,
        epoch: &Epoch,
        me: &PublicKey,
        now: Timestamp,
    ) -> Attested {
        let (community, created_at) = (epoch.community, now);
        let body = Body::from(order.clone());
        let entry = Entry { id: EventId([0; 32]), author: *me, created_at, community, body };
        let Some(witness) = self.first_to_sign(order, epoch, me) else { return Attested::NotYet };
        match self.hear(&entry, &witness, now) {
            Ok(Verdict::Attest(_)) => Attested::Yes(Box::new(order.clone())),
            Err(refusal) if refusal.prefix() != Prefix::Missing => Attested::No,
            _ => Attested::NotYet,
        }
    }

    /// The account's home witness.
    fn first_to_sign(&self, order: &Order, epoch: &Epoch, me: &PublicKey) -> Option<PublicKey> {
        let book = self.books.get(&order.currency)?;
        let version = self.in_force(book, book.account(me)?, None)?;
        let home = version.policy.home.filter(|home| epoch.charter.is_witness(home));
        home.or_else(|| epoch.charter.home_of(me))
    }

    /// The answer to a question that is addressed to this account and recent.
    fn quote(&self, id: EventId, me: &PublicKey, now: Timestamp) -> Option<Draft> {
        let entry = self.known.entry(&id)?;
        let Body::Ask(ask) = &entry.body else { return None };
        let recent = entry.created_at.saturating_add(ASK_SECS) >= now;
        if ask.clearing != *me || !recent {
            return None;
        }
        let (book, epoch, _) = self.clearing_account(&ask.currency, me)?;
        let agreement = book.agreement(&ask.to.currency).filter(|held| held.clearing == *me)?;
        let quote = self.quoted(id, ask, entry.speaker(), agreement, now)?;
        Some(Body::from(quote).draft(&epoch.community))
    }

    fn quoted(
        &self,
        id: EventId,
        ask: &Ask,
        payer: PublicKey,
        agreement: &Agreement,
        now: Timestamp,
    ) -> Option<Quote> {
        let (there, ..) = self.clearing_account(&ask.to.currency, &agreement.clearing)?;
        let minor = agreement.price(ask.to.amount)?;
        if !there.has_scale(ask.to.amount.scale) || there.account(&ask.to.account).is_none() {
            return None;
        }
        Some(Quote {
            currency: ask.currency.clone(),
            payer,
            amount: Amount { minor, scale: agreement.limit.scale },
            to: ask.to.clone(),
            slot: self.next_slot(&ask.to.currency, &agreement.clearing)?,
            until: now.saturating_add(QUOTE_SECS),
            ask: Some(id),
        })
    }

    /// The first number of a clearing account at which nothing stands. Several quotes may name it;
    /// the first hold that is completed has it, and the others are void.
    fn next_slot(&self, currency: &Address, me: &PublicKey) -> Option<Slot> {
        let (_, _, account) = self.clearing_account(currency, me)?;
        let mut seq = account.orders.next_seq();
        while self.is_used(account, seq) {
            seq = seq.checked_add(1)?;
        }
        Some(Slot { currency: currency.clone(), account: *me, seq })
    }

    /// Whether some order stands at a number. One that lapsed does not: nobody attests it any more,
    /// so it has to be signed again under the rules that followed.
    fn is_used(&self, account: &Account, seq: u64) -> bool {
        let mut orders = account.orders.sound_at(seq).chain(account.orders.attested_at(seq));
        orders.any(|id| !self.has_lapsed(&id))
    }

    fn clearing_account(
        &self,
        currency: &Address,
        me: &PublicKey,
    ) -> Option<(&Book, &Epoch, &Account)> {
        let book = self.books.get(currency)?;
        Some((book, book.current()?, book.account(me)?))
    }
}

/// What a witness would say.
enum Attested {
    Yes(Box<Order>),
    NotYet,
    No,
}
