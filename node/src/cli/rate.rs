//! `ayni rate` and `ratings`: what one party of a trade says of the other.

use anyhow::{Context as _, Result, bail};
use ayni_lets::{Body, Ledger, Rating};
use ayni_protocol::{Amount, EventId, Filter, Part as _, PublicKey, Timestamp, kind};
use clap::Args;
use serde_json::Value;

use super::begun::whole;
use super::ledger::named;
use super::place::{Place, tagged};
use super::{Common, show};
use crate::clock;

/// The best mark, in millionths.
const BEST: i64 = 1_000_000;

#[derive(Args)]
pub struct Rate {
    /// The payment: its id, as `ayni statement --csv` shows it
    order: String,
    /// From 0 to 1, such as 0.9
    mark: String,
    /// In words
    #[arg(long, default_value = "")]
    note: String,
}

#[derive(Args)]
pub struct Ratings {
    /// Whose [default: your key's]
    who: Option<String>,
}

/// A mark in millionths.
fn mark(text: &str) -> Result<i64> {
    let read = Amount::parse(text).ok().and_then(|mark| {
        let missing = 10_i64.checked_pow(6_u32.checked_sub(mark.scale.decimals().into())?)?;
        mark.minor.checked_mul(missing)
    });
    let read = read.filter(|mark| *mark <= BEST);
    read.with_context(|| format!("{text} is no mark: it is a number from 0 to 1, such as 0.9"))
}

/// When the key last rated this order; 0 for never.
fn last(place: &Place, by: &PublicKey, order: &EventId) -> Result<Timestamp> {
    let filter = Filter { authors: Some([*by].into()), ..tagged(kind::RATING, b'd', order) };
    let rated = place.events(&filter)?;
    Ok(rated.iter().map(|event| event.created_at).max().unwrap_or_default())
}

impl Rate {
    pub fn run(self, common: &Common) -> Result<()> {
        let keys = common.keys()?;
        let mark = mark(&self.mark)?;
        let place = Place::of(common)?;
        let order = whole(&self.order)?;
        let entry = Ledger::read(&place.event(&order)?)?;
        let payer = entry.speaker();
        let Body::Order(paid) = entry.body else { bail!("{order} is no payment") };
        let payee = paid.payee().copied().context("the payment pays nobody")?;
        let about = match keys.public() {
            own if own == payer => payee,
            own if own == payee => payer,
            _ => bail!("only who paid and who was paid rate a trade"),
        };
        let marks = vec![(mark, String::new())];
        let rating = Rating { order, about, marks, from: None, note: self.note };
        let draft = Body::from(rating).draft(&place.community.id);
        // It must be later than the one it replaces.
        let now = clock::now().max(last(&place, &keys.public(), &order)?.saturating_add(1));
        let event = draft.sign(&keys, now, clock::entropy());
        place.client.publish_one(&event)?;
        if common.json {
            return show::json(&serde_json::json!({"id": event.id}));
        }
        show::line("Your rating is in. A later one of the same trade takes its place.")
    }
}

impl Ratings {
    pub fn run(self, common: &Common) -> Result<()> {
        let place = Place::of(common)?;
        let account = named(common, &place, self.who.as_deref())?;
        let view: Value =
            place.client.get(&place.currency_path(&format!("/accounts/{account}/ratings")))?;
        if common.json {
            return show::json(&view);
        }
        let members = place.members()?;
        let rated = view.get("ratings").and_then(Value::as_array).cloned().unwrap_or_default();
        let text = |at: &Value, path: &str| {
            at.pointer(path)
                .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        };
        let rows: Vec<[String; 3]> = rated
            .iter()
            .map(|rating| {
                let by = text(rating, "/by").unwrap_or_default();
                let member = members.iter().find(|member| member.account.to_string() == by);
                let by = member.map_or(by, |member| member.name.clone());
                let mark = text(rating, "/marks/0/mark").unwrap_or_default();
                [by, mark, text(rating, "/note").unwrap_or_default()]
            })
            .collect();
        show::table(["by", "mark", "note"], &rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_lies_between_nothing_and_one() {
        for (text, expected) in [("0", 0), ("1", BEST), ("0.9", 900_000), ("0.333333", 333_333)] {
            assert_eq!(mark(text).unwrap(), expected, "{text}");
        }
        for wrong in ["1.1", "-1", "5", "good", "0.1234567"] {
            assert!(mark(wrong).unwrap_err().to_string().contains("is no mark"), "{wrong}");
        }
    }
}
