//! What the books say, for people and programs: everything the API shows of a currency.
//!
//! Sums serialise as the protocol's decimal strings, ids and keys as hex. How views are made is in
//! `show.rs`; nothing in either decides anything.

use std::collections::BTreeSet;

use ayni_protocol::{EventId, PublicKey, Timestamp};
use serde::Serialize;

use crate::account::{Ability, AccountType, Status};
use crate::fork::Case;
use crate::{Money, Outcome};

/// A currency: how it is called, its rules, its totals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CurrencyView {
    /// Its address.
    pub currency: String,
    /// The community that keeps it.
    pub community: EventId,
    /// Its name; its `d` tag until the currency event came.
    pub name: String,
    /// Its short code.
    pub code: String,
    /// Its symbol.
    pub symbol: String,
    /// Its decimals.
    pub scale: u8,
    /// What it is for.
    pub about: String,
    /// The rules in force.
    pub rules: RulesView,
    /// Its totals.
    pub totals: Totals,
}

/// The rules in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RulesView {
    /// Their event: what orders name as `epoch`.
    pub id: EventId,
    /// The epoch-0 rules: what an account's first order names as `prev`.
    pub first: EventId,
    /// Their number.
    pub epoch: u64,
    /// Whether witnesses attest under them: those of the rules before have handed over.
    pub opened: bool,
    /// The charter whose witnesses attest.
    pub charter: EventId,
    /// The witnesses.
    pub witnesses: Vec<PublicKey>,
    /// How many of them make a certificate.
    pub quorum: usize,
    /// `hard` or `soft`.
    pub enforce: &'static str,
    /// Default limit.
    pub limit: Money,
    /// Share of credits that the limit grows by, in millionths, and up to where.
    pub earned: Option<(i64, Money)>,
    /// Default maximum.
    pub max: Option<Money>,
    /// Side, parts per million and account of every levy, in order.
    pub levies: Vec<(&'static str, i64, PublicKey)>,
    /// The community's own account.
    pub treasury: Option<PublicKey>,
    /// Flags needed above an amount.
    pub require: Vec<(String, Money)>,
}

/// A currency's totals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Accounts that were ever opened.
    pub accounts: usize,
    /// Certified orders.
    pub orders: u64,
    /// The sum of all their legs.
    pub volume: Money,
    /// The sum of all balances: always zero.
    pub sum: Money,
    /// The most that all active accounts together may owe: the sum of their limits.
    pub max_credit: Money,
    /// What members owe at present, which is what others hold: the sum of balances above zero.
    pub credit_out: Money,
}

/// Where an account stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountView {
    /// The account.
    pub account: PublicKey,
    /// Its currency.
    pub currency: String,
    /// By the policy in force, or `suspended` where a fork was proven.
    pub status: Status,
    /// What it holds; below zero what it owes.
    pub balance: Money,
    /// What it can still pay.
    pub available: Money,
    /// What is reserved.
    pub pending: Money,
    /// How far below zero it may go.
    pub limit: Money,
    /// How high it may rise.
    pub max: Option<Money>,
    /// Number of its next order.
    pub next_seq: u64,
    /// What its next order names as `prev`.
    pub head: EventId,
    /// An order of it that stands at the next number and waits for witnesses.
    pub waiting: Option<WaitingView>,
    /// Version of the policy in force.
    pub policy_v: u64,
    /// The policy in force.
    pub policy: EventId,
    /// The highest counted version: what the next version names as `prev`.
    pub latest_policy: EventId,
    /// All it was paid.
    pub credits_posted: Money,
    /// All it paid.
    pub debits_posted: Money,
    /// What charges gave it, less what they took.
    pub charges: Money,
    /// Whose account it is.
    #[serde(rename = "type")]
    pub account_type: AccountType,
    /// What it may do.
    pub can: BTreeSet<Ability>,
    /// Its flags.
    pub flags: BTreeSet<String>,
    /// Its short name.
    pub code: String,
    /// Keys that may sign for it.
    pub signers: BTreeSet<PublicKey>,
    /// Who invited its member.
    pub inviter: Option<PublicKey>,
    /// Its home witness.
    pub home: Option<PublicKey>,
}

/// An order that has its number and does not count yet: another one at that number would be one
/// too many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WaitingView {
    /// The order.
    pub id: EventId,
    /// Who is to be paid; nobody by a void order.
    pub payee: Option<PublicKey>,
    /// What it takes from the account.
    pub amount: Money,
}

/// How far an order has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OrderState {
    /// It was never seen here.
    Unknown,
    /// It waits for something other than witnesses, or for the first of them.
    Waiting,
    /// It is void.
    Refused,
    /// Its rules are gone, and no witness will sign it any more: it has to be signed again.
    Lapsed,
    /// Some witnesses attested it, not enough.
    Attested,
    /// It counts.
    Certified,
}

/// An order and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OrderView {
    /// How far it has come.
    pub state: OrderState,
    /// Why it is refused, or what it waits for.
    pub reason: Option<String>,
    /// The counted attestations of it, by id.
    pub attestations: BTreeSet<EventId>,
    /// What became of it, where it is a hold that counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<Outcome>,
}

/// A payment request and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequestView {
    /// The request.
    pub id: EventId,
    /// Its currency.
    pub currency: String,
    /// Its community.
    pub community: EventId,
    /// When it was signed.
    pub created_at: Timestamp,
    /// Who asks.
    pub payee: PublicKey,
    /// Who is asked; nobody in particular where none.
    pub payer: Option<PublicKey>,
    /// How much.
    pub amount: Option<String>,
    /// Until when.
    pub expires_at: Option<Timestamp>,
    /// `open`, `paid`, `declined` or `cancelled`. Whether it expired is for the reader's clock.
    pub state: &'static str,
    /// The certified orders that answer it.
    pub orders: BTreeSet<EventId>,
    /// What it is for.
    pub memo: String,
}

/// A fork, and the events at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ForkView {
    /// What was signed twice.
    pub case: Case,
    /// In which currency.
    pub currency: Option<String>,
    /// Whose place it is.
    pub whose: PublicKey,
    /// Number of the place.
    pub number: u64,
    /// The events.
    pub events: BTreeSet<EventId>,
}
