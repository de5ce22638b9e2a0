//! `ayni pay`, `balance`, `statement` and `member`: the books, as members and stewards use them.

use anyhow::{Context as _, Result, bail};
use ayni_lets::{AccountType, Body, Ledger, Memo, Order, Policy, Rules, Status, Terms};
use ayni_protocol::{Amount, Keys, Part as _, PublicKey, Scale};
use clap::{Args, Subcommand};
use rust_decimal::Decimal;
use serde_json::Value;

use super::place::Place;
use super::{Common, show};
use crate::keys;

#[derive(Args)]
pub struct Pay {
    /// Whom: a short name, an npub or hex
    who: String,
    /// How much, with all decimals of the currency, such as 4.50
    amount: String,
    /// A note to the payee
    #[arg(long, default_value = "")]
    memo: String,
    /// The account that pays, where it is not your key's own
    #[arg(long, value_name = "WHO")]
    from: Option<String>,
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
        /// member, organisation, community or cause
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
    /// List the accounts
    List,
}

impl Pay {
    pub fn run(self, common: &Common) -> Result<()> {
        let keys = common.keys()?;
        let place = Place::of(common)?;
        let payee = place.who(&self.who)?;
        let payer = match &self.from {
            Some(name) => place.who(name)?,
            None => keys.public(),
        };
        if payer == payee {
            bail!("you cannot pay yourself");
        }
        let order = order(&place, &self, payer, payee, &keys)?;
        let draft = Body::from(order).draft(&place.community.id);
        let (event, _) = place.publish(draft, &keys).map_err(|error| self.hinted(&place, error))?;
        let state: Value = place.client.get(&format!("/api/v1/orders/{}", event.id))?;
        let state = state.get("state").and_then(Value::as_str).unwrap_or("unknown").to_owned();
        if common.json {
            return show::json(&serde_json::json!({"id": event.id, "state": state}));
        }
        show::line(format!("Paid {} to {} ({state}).", self.amount, self.who))
    }
}

impl Pay {
    /// A refusal of the amount's spelling, with the spelling that was probably meant.
    fn hinted(&self, place: &Place, error: anyhow::Error) -> anyhow::Error {
        let in_force = place.rules().ok();
        let meant = in_force.and_then(|known| spelt(&self.amount, known.rules.scale));
        match meant.filter(|_| error.to_string().starts_with("amount:")) {
            Some(meant) => anyhow::anyhow!("{error}; did you mean {meant}?"),
            None => error,
        }
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
fn order(
    place: &Place,
    pay: &Pay,
    payer: PublicKey,
    payee: PublicKey,
    keys: &Keys,
) -> Result<Order> {
    let amount = Amount::parse(&pay.amount)?;
    let (mut order, memo) = priced(place, payer, payee, amount.minor, amount.scale)?;
    order.seq = pay.seq.unwrap_or(order.seq);
    order.from = (payer != keys.public()).then_some(payer);
    order.memo = match memo {
        Memo::Public => pay.memo.clone(),
        Memo::Private if pay.memo.is_empty() => String::new(),
        Memo::Private => sealed(keys, &payee, &pay.memo)?,
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
fn sealed(keys: &Keys, payee: &PublicKey, memo: &str) -> Result<String> {
    let secret = nostr_sdk::SecretKey::from_slice(&keys.secret())?;
    let payee = nostr_sdk::PublicKey::from_slice(&payee.0)?;
    let version = nostr_sdk::nips::nip44::Version::V2;
    Ok(nostr_sdk::nips::nip44::encrypt(&secret, &payee, memo, version)?)
}

/// The account somebody names, or the key's own.
fn named(common: &Common, place: &Place, who: Option<&str>) -> Result<PublicKey> {
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
        let path = place.currency_path(&format!("/accounts/{account}/statement"));
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
    ];
    let found = types.into_iter().find(|known| known.as_str() == name);
    found.with_context(|| {
        format!("{name} is no type of account: use member, organisation, community or cause")
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
