//! An account's statement: what went in and out, with the running balance.
//!
//! Lines are sorted by `created_at`, then id. That time is what authors wrote and decides nothing,
//! but every node sorts by it alike, so every node prints the same statement; the last balance is
//! the account's whatever the order.

use ayni_protocol::{Address, EventId, PublicKey, Timestamp};
use serde::Serialize;

use crate::book::{Account, Book};
use crate::entry::{Body, Entry};
use crate::ledger::Ledger;
use crate::{Charge, Money, Order};

/// One line of a statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// When it was signed, as its author says.
    pub at: Timestamp,
    /// The order or charge.
    pub id: EventId,
    /// `payment`, `refund` or `charge`.
    pub what: &'static str,
    /// Number of the order on the paying account, or of the charge.
    pub seq: u64,
    /// The other side of a payment; none for charges.
    pub counterparty: Option<PublicKey>,
    /// What the account gained; below zero what it gave.
    pub amount: Money,
    /// How much of it, without sign, was levies: paid by the payer, or received by a treasury.
    pub levy: Money,
    /// What the account held after it.
    pub balance: Money,
    /// The memo as it was signed, or the charge's note.
    pub memo: String,
    /// The request it answers.
    pub request: Option<EventId>,
    /// The order it gives back.
    pub refund_of: Option<EventId>,
    /// The reason of a charge.
    pub reason: Option<&'static str>,
    /// The listing or cause it is for.
    pub purpose: Option<String>,
}

impl Ledger {
    /// An account's statement: every line from `from` on and before `to`. The running balance
    /// starts from everything earlier.
    #[must_use]
    pub fn statement_of(
        &self,
        currency: &Address,
        account: &PublicKey,
        from: Timestamp,
        to: Timestamp,
    ) -> Vec<Line> {
        let Some(book) = self.books.get(currency) else { return Vec::new() };
        let found = book.account(account);
        let entries = found.map(|found| self.history(found)).unwrap_or_default();
        let mut balance = 0_i128;
        let lines = entries.into_iter().filter_map(|entry| {
            let mut line = line(book, account, entry)?;
            balance = balance.saturating_add(line.amount.minor);
            line.balance.minor = balance;
            Some(line)
        });
        lines.filter(|line| (from..to).contains(&line.at)).collect()
    }

    /// The orders and charges that touch an account, in the order of a statement.
    pub(crate) fn history(&self, account: &Account) -> Vec<&Entry> {
        let entries = account.history.iter().filter_map(|number| self.known.entry_at(*number));
        let mut entries: Vec<_> = entries.map(|entry| &**entry).collect();
        entries.sort_unstable_by_key(|entry| (entry.created_at, entry.id));
        entries.dedup_by_key(|entry| entry.id);
        entries
    }
}

fn line(book: &Book, account: &PublicKey, entry: &Entry) -> Option<Line> {
    let none = Money::new(0, book.scale()?);
    let blank = Line {
        at: entry.created_at,
        id: entry.id,
        what: "payment",
        seq: 0,
        counterparty: None,
        amount: none,
        levy: none,
        balance: none,
        memo: String::new(),
        request: None,
        refund_of: None,
        reason: None,
        purpose: None,
    };
    match &entry.body {
        Body::Order(order) => Some(order_line(&blank, account, &entry.speaker(), order)),
        Body::Charge(charge) => Some(charge_line(&blank, account, charge)),
        _ => None,
    }
}

fn order_line(blank: &Line, account: &PublicKey, payer: &PublicKey, order: &Order) -> Line {
    let pays = account == payer;
    let mine = |leg: &&ayni_witness::Leg| pays || leg.account == *account;
    let sum = |legs: &mut dyn Iterator<Item = &ayni_witness::Leg>| -> i128 {
        legs.map(|leg| i128::from(leg.minor)).sum()
    };
    let amount = sum(&mut order.legs.iter().filter(mine));
    let levy = sum(&mut order.legs.iter().filter(mine).filter(|leg| leg.purpose == "levy"));
    let scale = blank.amount.scale;
    Line {
        what: if order.extra().refund.is_some() { "refund" } else { "payment" },
        seq: order.seq,
        counterparty: if pays { order.payee().copied() } else { Some(*payer) },
        amount: Money::new(if pays { -amount } else { amount }, scale),
        levy: Money::new(levy, scale),
        memo: order.memo.clone(),
        request: order.extra().request,
        refund_of: order.extra().refund,
        purpose: order.extra().purpose.as_ref().map(ToString::to_string),
        ..blank.clone()
    }
}

fn charge_line(blank: &Line, account: &PublicKey, charge: &Charge) -> Line {
    let effect = charge.effects().get(account).copied().unwrap_or_default();
    Line {
        what: "charge",
        seq: charge.cseq,
        amount: Money::new(effect, blank.amount.scale),
        memo: charge.note.clone(),
        reason: Some(charge.cause.as_str()),
        ..blank.clone()
    }
}
