//! `ayni pay`, `balance`, `statement` and `member`: the books, as members and stewards use them.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use ayni_lets::{AccountType, Body, Ledger, Memo, Order, Rules, Terms};
use ayni_protocol::{Address, Amount, EventId, Keys, Part as _, PublicKey, Scale};
use clap::Args;
use rust_decimal::Decimal;
use serde_json::Value;

use super::patience::patiently;
use super::place::{Account, Place, Waiting, called};
use super::trade::Across;
use super::{Common, awaited, batch, request, show};
use crate::{day, keys};

#[derive(Args)]
pub struct Pay {
    /// Whom: a short name, an npub or hex
    #[arg(required_unless_present_any = ["request", "csv"], conflicts_with = "csv")]
    who: Option<String>,
    /// How much, with all decimals of the currency, such as 4.50
    #[arg(required_unless_present_any = ["request", "csv"], allow_negative_numbers = true)]
    amount: Option<String>,
    /// Pay what somebody asked for: the id of their request, or the beginning of it
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
    #[arg(long, value_name = "AMOUNT", requires = "currency", allow_negative_numbers = true)]
    at_most: Option<String>,
    /// Seconds to wait for the witnesses
    #[arg(long, value_name = "SECS", default_value_t = 10)]
    wait: u64,
    /// Sign although another payment waits at the same number: only one of the two will count
    #[arg(long, conflicts_with_all = ["csv", "currency"])]
    instead: bool,
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
        self.amount.as_deref().map(above_zero).transpose()?;
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
        let asked = self.request.as_deref().map(|id| asked(&place, &payer, id)).transpose()?;
        let (payee, written) = self.whom(&place, asked.as_ref())?;
        above_zero(&written)?;
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
        let Signed { id, state, before } = self.sign(&place, &wish, (payer, payee), &keys)?;
        if common.json {
            let answer = serde_json::json!({"id": id, "state": state, "signed_before": before});
            return show::json(&answer);
        }
        if before {
            show::line("This very payment was under way already; it was not signed again.")?;
        }
        let who = self.who.filter(|_| self.request.is_none()).unwrap_or_else(|| keys::npub(&payee));
        if state == "certified" {
            return show::line(format!("Paid {written} to {who} ({state})."));
        }
        if state == "lapsed" {
            bail!(
                "nothing was paid: the rules changed before enough witnesses had signed; pay again"
            );
        }
        show::line(format!(
            "The payment of {written} to {who} is under way ({state}): not enough witnesses have \
             signed it yet. It is signed once; do not pay again. See `ayni balance`."
        ))
    }

    /// Signs the payment and waits for its witnesses; signs it anew where the rules have changed
    /// meanwhile and it was not carried over. One that waits already is not signed twice.
    fn sign(
        &self,
        place: &Place,
        wish: &Wish,
        (payer, payee): (PublicKey, PublicKey),
        keys: &Keys,
    ) -> Result<Signed> {
        let began = Instant::now();
        let wait = Duration::from_secs(self.wait);
        loop {
            let (order, waiting) = composed(place, wish, payer, payee, keys)?;
            if let Some(waiting) = waiting.as_ref().filter(|_| self.instead) {
                awaited::may_be_replaced(place, waiting)?;
            }
            let (id, before) = match waiting.filter(|_| !self.instead) {
                Some(waiting) if awaited::is_same(place, &waiting, &order)? => (waiting.id, true),
                Some(waiting) => bail!(awaited::still_waits(place, &waiting)),
                None => {
                    let published =
                        place.publish(Body::from(order).draft(&place.community.id), keys);
                    let (event, _) = published
                        .map_err(|error| hinted(&wish.amount.to_string(), place, error))?;
                    (event.id, false)
                }
            };
            let state = settled(place, &id, wait.saturating_sub(began.elapsed()))?;
            if state != "lapsed" || began.elapsed() > wait {
                return Ok(Signed { id, state, before });
            }
        }
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

/// A payment that was signed, and how far it has come.
struct Signed {
    id: EventId,
    state: String,
    /// Whether it was signed by an earlier command.
    before: bool,
}

/// How far an order has come, once its witnesses have signed or the time is over.
fn settled(place: &Place, order: &EventId, wait: Duration) -> Result<String> {
    let mut state = String::new();
    let _ = patiently(wait, "the witnesses to sign", || {
        let view: Value = place.client.get(&format!("/api/v1/orders/{order}"))?;
        view.get("state").and_then(Value::as_str).unwrap_or("unknown").clone_into(&mut state);
        Ok((!matches!(&*state, "waiting" | "attested")).then_some(()))
    })?;
    Ok(state)
}

/// A request: its id, who is to be paid, and how much if it says so.
type Asked = (EventId, PublicKey, Option<String>);

/// A payment request, as it was signed.
fn asked(place: &Place, payer: &PublicKey, named: &str) -> Result<Asked> {
    let id = request::find(place, payer, named)?;
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

/// Refuses what is a number and no amount; other spellings are for the currency to judge.
pub fn above_zero(written: &str) -> Result<()> {
    if Decimal::from_str_exact(written).is_ok_and(|number| number <= Decimal::ZERO) {
        bail!("an amount is above zero, not {written}");
    }
    Ok(())
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
    match composed(place, wish, payer, payee, keys)? {
        (order, None) => Ok(order),
        (_, Some(waiting)) => bail!(awaited::still_waits(place, &waiting)),
    }
}

/// The same, and the order that waits at its number already, where there is one.
fn composed(
    place: &Place,
    wish: &Wish,
    payer: PublicKey,
    payee: PublicKey,
    keys: &Keys,
) -> Result<(Order, Option<Waiting>)> {
    let Amount { minor, scale } = wish.amount;
    let Priced { mut order, memo, waiting } = drawn(place, payer, payee, minor, scale)?;
    order.seq = wish.seq.unwrap_or(order.seq);
    order.memo = match memo {
        Memo::Public => wish.memo.clone(),
        Memo::Private if wish.memo.is_empty() => String::new(),
        Memo::Private => sealed(keys, &payee, &wish.memo)?,
    };
    let order = order.with(|it| {
        it.from = (payer != keys.public()).then_some(payer);
        it.request = wish.request;
        it.purpose.clone_from(&wish.purpose);
    });
    Ok((order, waiting.filter(|_| wish.seq.is_none())))
}

/// The order of `payer` over an amount, without memo, where no other one waits.
pub fn priced(
    place: &Place,
    payer: PublicKey,
    payee: PublicKey,
    gross: i64,
    scale: Scale,
) -> Result<Order> {
    match drawn(place, payer, payee, gross, scale)? {
        Priced { order, waiting: None, .. } => Ok(order),
        Priced { waiting: Some(waiting), .. } => bail!(awaited::still_waits(place, &waiting)),
    }
}

/// An order, how its memo is to be written, and what waits at its number.
struct Priced {
    order: Order,
    memo: Memo,
    waiting: Option<Waiting>,
}

/// The amount goes out with the decimals it was typed with: whether they are right is for the
/// witness to say, in the same words to every client.
fn drawn(
    place: &Place,
    payer: PublicKey,
    payee: PublicKey,
    gross: i64,
    scale: Scale,
) -> Result<Priced> {
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
    let order = Order::new(&terms, &rules)?;
    Ok(Priced { order, memo: rules.memo, waiting: from.waiting })
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
        )?;
        let Some(waiting) = serde_json::from_value::<Account>(view)?.waiting else { return Ok(()) };
        let payee = match waiting.payee {
            Some(key) => called(&place.members()?, &key),
            None => "nobody".into(),
        };
        let Waiting { amount, id, .. } = waiting;
        show::line(format!("A payment of {amount} to {payee} waits for the witnesses ({id})."))
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
            return show::raw(place.client.text(&path, "text/csv")?.trim_end());
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
        show::table(["date", "type", "with", "amount", "balance", "memo"], &rows)
    }
}

fn row(entry: &Value, names: &std::collections::BTreeMap<String, String>) -> [String; 6] {
    let field = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
    let date = entry.get("time").and_then(Value::as_u64).map(day::date).unwrap_or_default();
    let date = date.split('T').next().unwrap_or_default().to_owned();
    let with = field("counterparty");
    let with = names.get(&with).cloned().unwrap_or(with);
    let (mut what, reason) = (field("type"), field("reason"));
    if !reason.is_empty() {
        what = format!("{what}: {reason}");
    }
    [date, what, with, field("amount"), field("balance"), field("memo")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_above_zero() {
        for wrong in ["0", "0.00", "-3", "-0.01"] {
            assert!(above_zero(wrong).is_err(), "{wrong}");
        }
        for other in ["0.01", "3", "1.5", "three", ""] {
            assert!(above_zero(other).is_ok(), "{other}");
        }
    }

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
