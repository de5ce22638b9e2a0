//! Holds: an amount that is reserved in one currency until a place in another is used.
//!
//! A hold is an order that names a *slot*: a number on the clearing account in the other currency.
//! At most one order is ever certified at a number, so the hold has one outcome for every reader,
//! without a clock and without anybody who coordinates: if the order there cites the hold as its
//! `commit`, the hold is posted and pays; if it is any other order, the hold is void and the amount
//! is free again. A community whose witnesses certify both cheats; then the post counts, because
//! money only moves forward.
//!
//! The outcome is read from the other currency's book where its events came, or from a resolution
//! (kind 4758) that carries the certificate. Both only ever add, so they agree.

use std::collections::BTreeSet;
use std::sync::Arc;

use ayni_protocol::shape::{parsed, unsigned};
use ayni_protocol::{Address, Draft, EventId, Malformed, PublicKey, Shape};
use ayni_witness::Fact;

use crate::entry::{Body, Entry};
use crate::ledger::Ledger;
use crate::{Agreement, Order};

/// A number on an account in a currency: the place that decides a hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot {
    /// The currency.
    pub currency: Address,
    /// The clearing account.
    pub account: PublicKey,
    /// Its number.
    pub seq: u64,
}

/// What became of a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The slot is not used yet: the amount is reserved.
    Pending,
    /// The slot was used for something else: the amount is free again.
    Void,
    /// The slot was used for it: it is paid.
    Posted,
}

/// A counted hold.
#[derive(Debug, Clone)]
pub(crate) struct Hold {
    pub order: Arc<Entry>,
    pub outcome: Outcome,
}

impl Slot {
    const FORM: &'static str = "slot, a currency, an account and a number";

    pub(crate) fn read(shape: Shape<'_>, name: &'static str) -> Result<Option<Self>, Malformed> {
        let Some(tag) = shape.optional(name)? else { return Ok(None) };
        let part = |at| tag.get(at).ok_or(Malformed::BadTag(name, Self::FORM));
        if part(1)? != "slot" {
            return Err(Malformed::BadTag(name, Self::FORM));
        }
        Ok(Some(Self {
            currency: parsed(part(2)?, name, Self::FORM)?,
            account: parsed(part(3)?, name, Self::FORM)?,
            seq: unsigned(part(4)?, name)?,
        }))
    }

    pub(crate) fn write(&self, draft: Draft, name: &str) -> Draft {
        let (currency, account) = (self.currency.to_string(), self.account.to_string());
        draft.tag([name, "slot", &currency, &account, &self.seq.to_string()])
    }

    /// The place of an order.
    pub(crate) fn of(entry: &Entry, order: &Order) -> Self {
        Self { currency: order.currency.clone(), account: entry.speaker(), seq: order.seq }
    }
}

impl Ledger {
    /// Reserves what a counted hold holds, and looks whether its slot was used.
    pub(crate) fn count_hold(&mut self, entry: &Entry, order: &Order, slot: &Slot) -> Vec<Fact> {
        let book = self.books.entry(order.currency.clone()).or_default();
        let account = book.accounts.or_default(entry.speaker());
        account.held = account.held.saturating_add(order.total());
        let hold = Hold { order: Arc::new(entry.clone()), outcome: Outcome::Pending };
        self.holds.insert(entry.id, hold);
        self.open_holds.insert(entry.id);
        self.slots.entry(slot.clone()).or_default().insert(entry.id);
        let used = self.certified_at(slot);
        used.into_iter().flat_map(|by| self.resolve(entry.id, by)).collect()
    }

    /// What the holds on an order's place come to, once it counts.
    pub(crate) fn use_slot(&mut self, entry: &Entry, order: &Order) -> Vec<Fact> {
        let Some(waiting) = self.slots.get(&Slot::of(entry, order)).cloned() else {
            return Vec::new();
        };
        let by = order.extra().commit;
        waiting.into_iter().flat_map(|hold| self.resolve(hold, by)).collect()
    }

    /// Orders certified at a place, by the hold that each commits.
    fn certified_at(&self, slot: &Slot) -> Vec<Option<EventId>> {
        let book = self.books.get(&slot.currency);
        let account = book.and_then(|book| book.accounts.get(&slot.account));
        let orders = account.into_iter().flat_map(|account| account.orders.certified_at(slot.seq));
        let commit = |id: EventId| match &self.known.entry(&id)?.body {
            Body::Order(order) => Some(order.extra().commit),
            _ => None,
        };
        orders.filter_map(commit).collect()
    }

    /// Ends a hold whose slot was used by an order that commits `by`.
    pub(crate) fn resolve(&mut self, id: EventId, by: Option<EventId>) -> Option<Fact> {
        let reached = if by == Some(id) { Outcome::Posted } else { Outcome::Void };
        let hold = self.holds.get_mut(&id)?;
        let before = hold.outcome;
        if reached <= before {
            return None;
        }
        hold.outcome = reached;
        self.untold.insert(id);
        let entry = Arc::clone(&hold.order);
        let Body::Order(order) = &entry.body else { return None };
        if before == Outcome::Pending {
            self.open_holds.remove(&id);
            let book = self.books.entry(order.currency.clone()).or_default();
            let account = book.accounts.or_default(entry.speaker());
            account.held = account.held.saturating_sub(order.total());
        }
        if reached != Outcome::Posted {
            return None;
        }
        let number = self.known.number_of(id);
        self.post(number, &entry, order)
    }

    /// What became of a hold; nothing where the order is none or does not count.
    #[must_use]
    pub fn hold_outcome(&self, id: &EventId) -> Option<Outcome> {
        self.holds.get(id).map(|hold| hold.outcome)
    }

    /// The agreements on trade of a currency that hold now.
    pub fn agreements(&self, currency: &Address) -> impl Iterator<Item = &Agreement> {
        let all = self.books.get(currency).into_iter().flat_map(|book| book.agreements.values());
        all.filter_map(|versions| versions.values().next_back().map(|agreement| &**agreement))
    }

    /// The holds of an account that reserve something now.
    #[must_use]
    pub fn open_holds_of(&self, currency: &Address, account: &PublicKey) -> BTreeSet<EventId> {
        let of = |id: &&EventId| {
            self.holds.get(id).is_some_and(|hold| {
                hold.order.speaker() == *account && hold.order.currency().as_ref() == Some(currency)
            })
        };
        self.open_holds.iter().filter(of).copied().collect()
    }
}

#[cfg(test)]
mod tests;
