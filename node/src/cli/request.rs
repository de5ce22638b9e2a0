//! `ayni request`: ask to be paid, see who asks, decline, take back. Paying is `ayni pay --request`.

use anyhow::{Result, bail};
use ayni_lets::{Answer, Body, Decline, Memo, Request};
use ayni_protocol::{Amount, EventId, PublicKey};
use clap::Subcommand;
use serde_json::Value;

use super::begun::{Named, beginning};
use super::ledger::{above_zero, sealed, spelt};
use super::place::Place;
use super::{Common, show};
use crate::clock;

#[derive(Subcommand)]
pub enum Requests {
    /// Ask to be paid, by somebody or by whoever has the code
    #[command(
        after_help = "Example: ayni request ask 3.00 --of ben --memo \"firewood\" --key ana.key"
    )]
    Ask {
        /// How much [default: whatever they give]
        #[arg(allow_negative_numbers = true)]
        amount: Option<String>,
        /// Who is asked [default: whoever pays it]
        #[arg(long, value_name = "WHO")]
        of: Option<String>,
        /// What it is for
        #[arg(long, default_value = "")]
        memo: String,
        /// Days for which it can be paid [default: for ever]
        #[arg(long)]
        days: Option<u64>,
    },
    /// Show what you asked for, and what you are asked for
    List {
        /// Also what was paid, declined or taken back
        #[arg(long)]
        all: bool,
    },
    /// Say that you will not pay
    #[command(
        after_help = "Example: ayni request decline 5f2c… --note \"paid in cash\" --key ben.key"
    )]
    Decline {
        /// The request: its id, a nevent, or the beginning of its id
        request: String,
        /// Why
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Take back what you asked for
    Cancel {
        /// The request: its id, a nevent, or the beginning of its id
        request: String,
    },
}

impl Requests {
    pub fn run(self, common: &Common) -> Result<()> {
        match self {
            Self::Ask { amount, of, memo, days } => {
                ask(common, amount.as_deref(), of.as_deref(), memo, days)
            }
            Self::List { all } => list(common, all),
            Self::Decline { request, note } => answer(common, &request, Answer::Declined, note),
            Self::Cancel { request } => answer(common, &request, Answer::Cancelled, String::new()),
        }
    }
}

fn ask(
    common: &Common,
    amount: Option<&str>,
    of: Option<&str>,
    memo: String,
    days: Option<u64>,
) -> Result<()> {
    amount.map(above_zero).transpose()?;
    let keys = common.keys()?;
    let place = Place::of(common)?;
    let payer = of.map(|name| place.who(name)).transpose()?;
    if payer == Some(keys.public()) {
        bail!("you cannot ask yourself");
    }
    let rules = place.rules()?.rules;
    let amount = amount.map(|text| {
        spelt(text, rules.scale).ok_or_else(|| anyhow::anyhow!("{text} is no amount, such as 4.50"))
    });
    let amount = amount.transpose()?;
    let memo = match (rules.memo, payer) {
        // A code that anybody may pay can be sealed for nobody.
        (Memo::Private, Some(payer)) if !memo.is_empty() => sealed(&keys, &payer, &memo)?,
        _ => memo,
    };
    let request = Request {
        currency: place.currency.clone(),
        payer,
        amount: amount.as_deref().map(Amount::parse).transpose()?,
        expires_at: days.map(|days| clock::now().saturating_add(days.saturating_mul(86_400))),
        from: None,
        memo,
    };
    let draft = Body::from(request).draft(&place.community.id);
    let (event, _) = place.publish(draft, &keys)?;
    if common.json {
        return show::json(&serde_json::json!({"id": event.id}));
    }
    let whom = of.unwrap_or("whoever has this code");
    let sum = amount.unwrap_or_else(|| "anything".to_owned());
    show::lines(format!(
        "Asked {whom} for {sum}: {}\nThey pay with `ayni pay --request {}`.",
        event.id, event.id
    ))
}

/// The requests that concern an account.
fn of_account(place: &Place, account: &PublicKey) -> Result<Vec<Value>> {
    let path = place.currency_path(&format!("/accounts/{account}/requests"));
    let view: Value = place.client.get(&path)?;
    Ok(view.get("requests").and_then(Value::as_array).cloned().unwrap_or_default())
}

fn text(request: &Value, name: &str) -> String {
    request.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn list(common: &Common, all: bool) -> Result<()> {
    let place = Place::of(common)?;
    let own = common.keys()?.public();
    let mut found = of_account(&place, &own)?;
    found.retain(|request| all || text(request, "state") == "open");
    if common.json {
        return show::json(&Value::Array(found));
    }
    if found.is_empty() {
        return show::line("Nobody asks you for anything, and you ask nobody.");
    }
    let members = place.members()?;
    let called = |key: &str| {
        let member = members.iter().find(|member| member.account.to_string() == key);
        member.map_or_else(|| key.to_owned(), |member| member.name.clone())
    };
    let rows: Vec<[String; 6]> = found
        .iter()
        .map(|request| {
            let (payee, payer) = (text(request, "payee"), text(request, "payer"));
            let mine = payee == own.to_string();
            let (direction, other) = if mine { ("you ask", payer) } else { ("you owe", payee) };
            let other = if other.is_empty() { "anybody".to_owned() } else { called(&other) };
            let id = beginning(&text(request, "id"));
            let state = text(request, "state");
            [id, direction.to_owned(), other, text(request, "amount"), state, text(request, "memo")]
        })
        .collect();
    show::table(["id", "", "with", "amount", "state", "memo"], &rows)
}

/// A request that concerns an account, by its id or the beginning of it.
pub fn find(place: &Place, own: &PublicKey, named: &str) -> Result<EventId> {
    let requests = Named { what: "request of yours", list: "ayni request list" };
    requests.id(named, || of_account(place, own))
}

fn answer(common: &Common, named: &str, answer: Answer, note: String) -> Result<()> {
    let keys = common.keys()?;
    let place = Place::of(common)?;
    let own = keys.public();
    let request = find(&place, &own, named)?;
    let asked: Value = place.client.get(&format!("/api/v1/requests/{request}"))?;
    let state = text(&asked, "state");
    if state != "open" && state != "expired" {
        bail!("this request is {state} already");
    }
    let (side, done) = match answer {
        Answer::Declined => ("payer", "declined"),
        Answer::Cancelled => ("payee", "cancelled"),
    };
    if text(&asked, side) != own.to_string() {
        bail!(match answer {
            Answer::Declined => "only whom a request is addressed to declines it",
            Answer::Cancelled => "only who asked takes it back; you may decline it",
        });
    }
    let decline = Decline { currency: place.currency.clone(), request, answer, from: None, note };
    let draft = Body::from(decline).draft(&place.community.id);
    let (event, _) = place.publish(draft, &keys)?;
    if common.json {
        return show::json(&serde_json::json!({"id": event.id, "request": request}));
    }
    show::line(format!("The request is {done}."))
}
