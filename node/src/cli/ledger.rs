//! `ayni pay`, `balance`, `statement` and `member`: the books, as members and stewards use them.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use ayni_lets::{AccountType, Body, Ledger, Memo, Order, Policy, Rules, Status, Terms};
use ayni_protocol::{Address, Amount, EventId, Keys, Part as _, PublicKey, Scale};
use clap::{Args, Subcommand};
use rust_decimal::Decimal;
use serde_json::Value;

use super::place::Place;
use super::trade::Across;
use super::{Common, batch, bring, show};
use crate::{day, keys};

#[derive(Args)]
pub struct Pay {
    /// Whom: a short name, an npub or hex
    #[arg(required_unless_present_any = ["request", "csv"], conflicts_with = "csv")]
    who: Option<String>,
    /// How much, with all decimals of the currency, such as 4.50
    #[arg(required_unless_present_any = ["request", "csv"])]
    amount: Option<String>,
    /// Pay what somebody asked for: the id of their request
    #[arg(long, value_name = "ID", conflicts_with = "csv")]
    request: Option<String>,
    /// The listing or cause it is for: 30402:KEY:NAME, or the name of a listing of the payee's
    #[arg(long = "for", value_name = "LISTING", conflicts_with = "csv")]
    purpose: Option<String>,
    /// Pay every row of a table with the columns to, amount and memo
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Say what the table would pay, and pay nothing
    #[arg(long, requires = "csv")]
    dry_run: bool,
    /// A note to the payee
    #[arg(long, default_value = "")]
    memo: String,
    /// The account that pays, where it is not your key's own
    #[arg(long, value_name = "WHO")]
    from: Option<String>,
    /// Pay in another currency: its address, as `ayni trade list` shows it
    #[arg(long = "in", value_name = "CURRENCY", conflicts_with_all = ["request", "csv", "purpose"])]
    currency: Option<String>,
    /// With --in: the most it may cost in your own currency
    #[arg(long, value_name = "AMOUNT", requires = "currency")]
    at_most: Option<String>,
    /// Sign for this number instead of the account's next
    #[arg(long, hide = true)]
    seq: Option<u64>,
}

#[derive(Args)]
pub struct Who {
    /// Whose account [default: your key's]
    who: Option<String>,
}

#[derive(Args)]
pub struct Statement {
    /// Whose account [default: your key's]
    who: Option<String>,
    /// From this day on: 2026-03-01, or unix seconds
    #[arg(long, value_name = "DAY")]
    from: Option<String>,
    /// Up to the end of this day
    #[arg(long, value_name = "DAY")]
    to: Option<String>,
    /// As a table for a spreadsheet
    #[arg(long)]
    csv: bool,
}

#[derive(Subcommand)]
pub enum Member {
    /// Open an account
    #[command(after_help = "Example: ayni member add npub1… --name ana")]
    Add {
        /// The member's public key
        #[arg(value_name = "NPUB")]
        account: String,
        /// A short name, unique here, by which others pay
        #[arg(long)]
        name: String,
        /// How far below zero it may go, instead of the currency's default
        #[arg(long)]
        limit: Option<String>,
        /// member, organisation, community, cause or clearing
        #[arg(long = "type", value_name = "TYPE", default_value = "member")]
        account_type: String,
        /// A flag, such as id or age18
        #[arg(long = "flag")]
        flags: Vec<String>,
        /// Who invited them
        #[arg(long, value_name = "WHO")]
        inviter: Option<String>,
    },
    /// Change how far below zero an account may go
    Limit {
        /// Whose account
        who: String,
        /// The new limit, such as 40.00
        amount: String,
    },
    /// Suspend an account: it receives, and pays no more
    Suspend {
        /// Whose account
        who: String,
    },
    /// Make a suspended account active again
    Resume {
        /// Whose account
        who: String,
    },
    /// Open accounts and book balances out of CES, Cyclos, IntegralCES or Komunitin
    #[command(
        after_help = "Example: ayni member import balances.csv --from ces --dry-run\nEvery heading \
                      that is understood is in docs/import.md."
    )]
    Import(bring::Import),
    /// List the accounts
    List,
}

/// One payment, as somebody means it.
pub struct Wish {
    /// How much.
    pub amount: Amount,
    /// A note to the payee.
    pub memo: String,
    /// The request it answers.
    pub request: Option<EventId>,
    /// What it is for.
    pub purpose: Option<Address>,
    /// Its number, instead of the account's next.
    pub seq: Option<u64>,
}

impl Wish {
    /// An amount, and nothing else.
    #[must_use]
    pub const fn of(amount: Amount) -> Self {
        Self { amount, memo: String::new(), request: None, purpose: None, seq: None }
    }
}

impl Pay {
    pub fn run(self, common: &Common) -> Result<()> {
        if let Some(table) = &self.csv {
            return batch::run(common, table, self.from.as_deref(), self.dry_run);
        }
        let keys = common.keys()?;
        let place = Place::of(common)?;
        let payer = match &self.from {
            Some(name) => place.who(name)?,
            None => keys.public(),
        };
        if let Some(currency) = &self.currency {
            let (Some(who), Some(amount)) = (&self.who, &self.amount) else {
                bail!("say whom to pay in {currency}, and how much");
            };
            let at_most = self.at_most.as_deref();
            return Across { currency, who, amount, at_most, payer }.pay(common, &place, &keys);
        }
        let asked = self.request.as_deref().map(|id| asked(&place, id)).transpose()?;
        let (payee, written) = self.whom(&place, asked.as_ref())?;
        if payer == payee {
            bail!("you cannot pay yourself");
        }
        let purpose = self.purpose.as_deref().map(|name| purpose(&place, &payee, name));
        let wish = Wish {
            memo: self.memo.clone(),
            request: asked.map(|(id, ..)| id),
            purpose: purpose.transpose()?,
            seq: self.seq,
            ..Wish::of(Amount::parse(&written)?)
        };
        let order = order(&place, &wish, payer, payee, &keys)?;
        let draft = Body::from(order).draft(&place.community.id);
        let published = place.publish(draft, &keys);
        let (event, _) = published.map_err(|error| hinted(&written, &place, error))?;
        let state: Value = place.client.get(&format!("/api/v1/orders/{}", event.id))?;
        let state = state.get("state").and_then(Value::as_str).unwrap_or("unknown").to_owned();
        if common.json {
            return show::json(&serde_json::json!({"id": event.id, "state": state}));
        }
        let who = self.who.filter(|_| self.request.is_none()).unwrap_or_else(|| keys::npub(&payee));
        show::line(format!("Paid {written} to {who} ({state})."))
    }

    /// Whom to pay how much: what was typed, or what was asked for.
    fn whom(&self, place: &Place, asked: Option<&Asked>) -> Result<(PublicKey, String)> {
        let Some((_, payee, sum)) = asked else {
            let who = place.who(self.who.as_deref().unwrap_or_default())?;
            return Ok((who, self.amount.clone().unwrap_or_default()));
        };
        let typed = match (&self.who, &self.amount) {
            (Some(_), Some(_)) => bail!("a request says whom to pay; name at most the amount"),
            (typed, _) => typed.clone(),
        };
        match (sum, typed) {
            (Some(sum), Some(typed)) if *sum != typed => {
                bail!("the request is for {sum}, not {typed}")
            }
            (Some(sum), _) => Ok((*payee, sum.clone())),
            (None, Some(typed)) => Ok((*payee, typed)),
            (None, None) => bail!("the request leaves the amount to you; add it"),
        }
    }
}

/// A request: its id, who is to be paid, and how much if it says so.
type Asked = (EventId, PublicKey, Option<String>);

/// A payment request, as it was signed.
fn asked(place: &Place, named: &str) -> Result<Asked> {
    let id = keys::event_id(named);
    let id =
        id.with_context(|| format!("{named} is no id of a request: see `ayni request list`"))?;
    let entry = Ledger::read(&place.event(&id)?)?;
    let payee = entry.speaker();
    match entry.body {
        Body::Request(request) if request.currency == place.currency => {
            Ok((id, payee, request.amount.map(|amount| amount.to_string())))
        }
        Body::Request(_) => bail!("the request is for another currency"),
        _ => bail!("{named} is no payment request"),
    }
}

/// What a payment is for: an address, or the name of a listing of the payee's.
fn purpose(place: &Place, payee: &PublicKey, named: &str) -> Result<Address> {
    if let Ok(address) = named.parse() {
        return Ok(address);
    }
    let listed: Value = place.client.get(&format!("/api/v1/listings?by={payee}&all=true"))?;
    let field = |listing: &Value, name: &str| {
        listing.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let listed = listed.as_array().cloned().unwrap_or_default();
    let found = listed
        .iter()
        .find(|listing| field(listing, "name") == named || field(listing, "title") == named);
    let found = found.with_context(|| {
        format!("they list nothing called {named}; see `ayni listing list --by NAME`")
    })?;
    field(found, "address").parse().context("the node's address of the listing")
}

/// A refusal of the amount's spelling, with the spelling that was probably meant.
fn hinted(written: &str, place: &Place, error: anyhow::Error) -> anyhow::Error {
    let in_force = place.rules().ok();
    let meant = in_force.and_then(|known| spelt(written, known.rules.scale));
    match meant.filter(|_| error.to_string().starts_with("amount:")) {
        Some(meant) => anyhow::anyhow!("{error}; did you mean {meant}?"),
        None => error,
    }
}

/// A decimal number as a currency writes it; nothing where it has more decimals than that.
pub fn spelt(text: &str, scale: Scale) -> Option<String> {
    let mut number = Decimal::from_str_exact(text).ok()?;
    let exact = number;
    number.rescale(scale.decimals().into());
    (number == exact && number.is_sign_positive()).then(|| number.to_string())
}

/// The order that pays, written from the account's place and the rules in force.
pub fn order(
    place: &Place,
    wish: &Wish,
    payer: PublicKey,
    payee: PublicKey,
    keys: &Keys,
) -> Result<Order> {
    let Amount { minor, scale } = wish.amount;
    let (mut order, memo) = priced(place, payer, payee, minor, scale)?;
    order.seq = wish.seq.unwrap_or(order.seq);
    order.from = (payer != keys.public()).then_some(payer);
    order.request = wish.request;
    order.purpose = wish.purpose.clone();
    order.memo = match memo {
        Memo::Public => wish.memo.clone(),
        Memo::Private if wish.memo.is_empty() => String::new(),
        Memo::Private => sealed(keys, &payee, &wish.memo)?,
    };
    Ok(order)
}

/// The order of `payer` over an amount, without memo, and how memos are written.
///
/// The amount goes out with the decimals it was typed with: whether they are right is for the
/// witness to say, in the same words to every client.
pub fn priced(
    place: &Place,
    payer: PublicKey,
    payee: PublicKey,
    gross: i64,
    scale: Scale,
) -> Result<(Order, Memo)> {
    let in_force = place.rules()?;
    let (from, to) = (place.account(&payer)?, place.account(&payee)?);
    let rules = Rules { scale, ..in_force.rules };
    let terms = Terms {
        epoch: in_force.id,
        seq: from.next_seq,
        previous: from.head,
        payee,
        gross,
        levied: is_levied(&from.account_type) && is_levied(&to.account_type),
    };
    Ok((Order::new(&terms, &rules)?, rules.memo))
}

fn is_levied(account_type: &str) -> bool {
    AccountType::ALL.iter().any(|known| known.as_str() == account_type && known.is_levied())
}

/// A memo that only payer and payee can read (NIP-44).
pub fn sealed(keys: &Keys, payee: &PublicKey, memo: &str) -> Result<String> {
    let secret = nostr_sdk::SecretKey::from_slice(&keys.secret())?;
    let payee = nostr_sdk::PublicKey::from_slice(&payee.0)?;
    let version = nostr_sdk::nips::nip44::Version::V2;
    Ok(nostr_sdk::nips::nip44::encrypt(&secret, &payee, memo, version)?)
}

/// The account somebody names, or the key's own.
pub fn named(common: &Common, place: &Place, who: Option<&str>) -> Result<PublicKey> {
    match who {
        Some(name) => place.who(name),
        None => Ok(common.keys()?.public()),
    }
}

impl Who {
    pub fn balance(self, common: &Common) -> Result<()> {
        let place = Place::of(common)?;
        let account = named(common, &place, self.who.as_deref())?;
        let view: Value =
            place.client.get(&place.currency_path(&format!("/accounts/{account}")))?;
        if common.json {
            return show::json(&view);
        }
        let field = |name: &str| view.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
        show::table(
            ["balance", "available", "limit", "status"],
            &[[field("balance"), field("available"), field("limit"), field("status")]],
        )
    }
}

impl Statement {
    pub fn run(self, common: &Common) -> Result<()> {
        let place = Place::of(common)?;
        let account = named(common, &place, self.who.as_deref())?;
        let from = self.from.as_deref().map(day::start).transpose()?;
        let to = self.to.as_deref().map(day::end).transpose()?;
        let bounds = [("from", from), ("to", to)].into_iter();
        let bounds = bounds.filter_map(|(name, at)| Some(format!("{name}={}", at?)));
        let bounds = bounds.collect::<Vec<_>>().join("&");
        let path = place.currency_path(&format!("/accounts/{account}/statement?{bounds}"));
        if self.csv {
            return show::line(place.client.text(&path, "text/csv")?.trim_end());
        }
        let view: Value = place.client.get(&path)?;
        if common.json {
            return show::json(&view);
        }
        let entries = view.get("entries").and_then(Value::as_array).cloned().unwrap_or_default();
        let names: std::collections::BTreeMap<String, String> = place
            .members()?
            .into_iter()
            .map(|member| (member.account.to_string(), member.name))
            .collect();
        let rows: Vec<_> = entries.iter().map(|entry| row(entry, &names)).collect();
        show::table(["type", "with", "amount", "balance", "memo"], &rows)
    }
}

fn row(entry: &Value, names: &std::collections::BTreeMap<String, String>) -> [String; 5] {
    let field = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
    let with = field("counterparty");
    let with = names.get(&with).cloned().unwrap_or(with);
    [field("type"), with, field("amount"), field("balance"), field("memo")]
}

impl Member {
    pub fn run(self, common: &Common) -> Result<()> {
        let place = Place::of(common)?;
        match self {
            Self::Add { account, name, limit, account_type, flags, inviter } => {
                let account =
                    keys::public(&account).context("the member's key must be an npub1… or hex")?;
                if place.members()?.iter().any(|member| member.code == name) {
                    bail!("there is an account called {name} already; choose another short name");
                }
                let mut policy = Policy::open(place.currency.clone(), account);
                policy.code = name;
                policy.account_type = openable(&account_type)?;
                policy.limit = limit.as_deref().map(Amount::parse).transpose()?;
                policy.flags = flags.into_iter().collect();
                policy.inviter = inviter.map(|who| place.who(&who)).transpose()?;
                act(common, &place, policy, "opened")
            }
            Self::Limit { who, amount } => {
                let limit = Amount::parse(&amount)?;
                change(common, &place, &who, |policy| policy.limit = Some(limit))
            }
            Self::Suspend { who } => {
                change(common, &place, &who, |policy| policy.status = Status::Suspended)
            }
            Self::Resume { who } => {
                change(common, &place, &who, |policy| policy.status = Status::Active)
            }
            Self::Import(import) => import.run(common),
            Self::List => list(common, &place),
        }
    }
}

/// The types of account that are opened by hand; raffles open their own escrow accounts.
fn openable(name: &str) -> Result<AccountType> {
    let types = [
        AccountType::Member,
        AccountType::Organisation,
        AccountType::Community,
        AccountType::Cause,
        AccountType::Clearing,
    ];
    let found = types.into_iter().find(|known| known.as_str() == name);
    found.with_context(|| {
        format!(
            "{name} is no type of account: use member, organisation, community, cause or clearing"
        )
    })
}

/// Publishes the next version of an account's policy.
fn change(common: &Common, place: &Place, who: &str, with: impl FnOnce(&mut Policy)) -> Result<()> {
    let account = place.account(&place.who(who)?)?;
    let event = place.event(&account.latest_policy)?;
    let Body::Policy(policy) = Ledger::read(&event)?.body else {
        bail!("the node named an event that is no account policy");
    };
    let mut next = policy.next(event.id);
    with(&mut next);
    act(common, place, next, "changed")
}

fn act(common: &Common, place: &Place, policy: Policy, done: &str) -> Result<()> {
    let account = policy.account;
    let draft = Body::from(policy).draft(&place.community.id);
    let (event, _) = place.publish(draft, &common.community_keys()?)?;
    if common.json {
        return show::json(&serde_json::json!({"id": event.id, "account": account}));
    }
    show::line(format!("The account of {} is {done}.", keys::npub(&account)))
}

fn list(common: &Common, place: &Place) -> Result<()> {
    let members = place.members()?;
    if common.json {
        let accounts: Vec<_> = members
            .iter()
            .map(|member| {
                serde_json::json!({
                    "account": member.account, "name": member.name, "code": member.code,
                    "status": member.status, "balance": member.balance,
                })
            })
            .collect();
        return show::json(&serde_json::json!({
            "community": place.community.id, "currency": place.currency.to_string(), "accounts": accounts,
        }));
    }
    let rows: Vec<_> = members
        .into_iter()
        .map(|member| {
            let limit = member.limit.unwrap_or_else(|| "-".into());
            [member.code, member.account_type, member.status, member.balance, limit]
        })
        .collect();
    show::table(["name", "type", "status", "balance", "limit"], &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_spelt_as_the_currency_spells_it() {
        let two = Scale::new(2).unwrap();
        assert_eq!(spelt("1.5", two).as_deref(), Some("1.50"));
        assert_eq!(spelt("7", two).as_deref(), Some("7.00"));
        assert_eq!(spelt("1.500", two).as_deref(), Some("1.50"));
        for unclear in ["1.555", "-1", "a", ""] {
            assert_eq!(spelt(unclear, two), None, "{unclear}");
        }
    }
}
