//! Currencies, accounts, statements, orders.

use std::fmt::Write as _;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use ayni_lets::statement::Line;
use ayni_protocol::{Address, PublicKey, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{event_id, public_key};
use crate::book::Book;
use crate::http::Shared;
use crate::http::answer::{self, Problem};

/// The address of a currency, as people write it.
pub fn address(text: &str) -> Result<Address, Problem> {
    text.parse().map_err(|_| {
        Problem::bad_request(format!(
            "{text} is no currency: its address has the form 37470:KEY:NAME"
        ))
    })
}

/// No such currency.
pub fn no_currency(address: &Address) -> Problem {
    Problem::not_found(format!("no currency {address} is known here"))
}

/// A currency: how it is written, the rules in force, its totals.
#[utoipa::path(get, path = "/api/v1/currencies/{address}", params(("address" = String, Path, description = "37470:KEY:NAME")),
    responses((status = 200, description = "definition, rules, totals"), (status = 404)))]
pub async fn one(
    State(shared): State<Shared>,
    Path(text): Path<String>,
    request: HeaderMap,
) -> Result<Response, Problem> {
    let address = address(&text)?;
    let view = shared.reading().ledger.currency(&address);
    let view = view.ok_or_else(|| no_currency(&address))?;
    let mut view = json!(view);
    if let Some(members) = view.as_object_mut() {
        members.insert("address".into(), text.into());
    }
    Ok(answer::json(&request, &view))
}

/// An account: its balance, what it may still spend, where its next order stands.
#[utoipa::path(get, path = "/api/v1/currencies/{address}/accounts/{key}",
    params(("address" = String, Path), ("key" = String, Path, description = "hex or npub")),
    responses((status = 200, description = "the account"), (status = 404)))]
pub async fn account(
    State(shared): State<Shared>,
    Path((text, key)): Path<(String, String)>,
    request: HeaderMap,
) -> Result<Response, Problem> {
    let (address, key) = (address(&text)?, public_key(&key)?);
    let view = shared.reading().ledger.account(&address, &key);
    let view = view.ok_or_else(|| no_account(&key))?;
    Ok(answer::json(&request, &view))
}

fn no_account(key: &PublicKey) -> Problem {
    Problem::not_found(format!("{key} has no account in this currency"))
}

/// Which part of a statement, and in what form.
#[derive(Deserialize)]
pub struct Period {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    format: Option<String>,
}

/// An account's entries with the running balance, oldest first; CSV where asked for.
#[utoipa::path(get, path = "/api/v1/currencies/{address}/accounts/{key}/statement",
    params(("address" = String, Path), ("key" = String, Path), ("from" = Option<u64>, Query), ("to" = Option<u64>, Query),
        ("format" = Option<String>, Query, description = "csv for a table")),
    responses((status = 200, description = "entries"), (status = 404)))]
pub async fn statement(
    State(shared): State<Shared>,
    Path((text, key)): Path<(String, String)>,
    Query(period): Query<Period>,
    request: HeaderMap,
) -> Result<Response, Problem> {
    let (address, key) = (address(&text)?, public_key(&key)?);
    let book = shared.reading();
    let account = book.ledger.account(&address, &key).ok_or_else(|| no_account(&key))?;
    let (from, to) = (period.from.unwrap_or(0), period.to.unwrap_or(Timestamp::MAX));
    let lines = book.ledger.statement_of(&address, &key, from, to);
    if period.format.as_deref() == Some("csv") || answer::wants(&request, "text/csv") {
        let mut answer =
            answer::tagged(&request, "text/csv; charset=utf-8", csv(&book, &address, &lines));
        let name = format!("attachment; filename=\"statement-{}.csv\"", file_name(&account.code));
        if let Ok(name) = HeaderValue::from_str(&name) {
            answer.headers_mut().insert(header::CONTENT_DISPOSITION, name);
        }
        return Ok(answer);
    }
    let entries: Vec<Value> = lines.iter().map(entry).collect();
    Ok(answer::json(&request, &json!({"account": key, "currency": text, "entries": entries})))
}

fn file_name(code: &str) -> String {
    code.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect()
}

fn entry(line: &Line) -> Value {
    json!({
        "id": line.id,
        "time": line.at,
        "type": line.what,
        "seq": line.seq,
        "counterparty": line.counterparty,
        "memo": line.memo,
        "amount": line.amount,
        "levy": line.levy,
        "balance": line.balance,
        "reason": line.reason,
        "refund_of": line.refund_of,
    })
}

/// A statement as a table: date, order, what, with whom, memo, debit, credit, levy, balance.
fn csv(book: &Book, address: &Address, lines: &[Line]) -> String {
    let mut table = String::from("date,id,type,counterparty,memo,debit,credit,levy,balance\r\n");
    for line in lines {
        let name = line.counterparty.map(|key| {
            let account = book.ledger.account(address, &key);
            account
                .map(|account| account.code)
                .filter(|code| !code.is_empty())
                .unwrap_or_else(|| key.to_string())
        });
        let amount = line.amount.to_string();
        let (debit, credit) = match amount.strip_prefix('-') {
            Some(debit) => (debit, ""),
            None => ("", amount.as_str()),
        };
        // Writing to a String cannot fail.
        let _ = write!(
            table,
            "{},{},{},{},{},{debit},{credit},{},{}\r\n",
            date(line.at),
            line.id,
            line.what,
            cell(&name.unwrap_or_default()),
            cell(&line.memo),
            line.levy,
            line.balance,
        );
    }
    table
}

/// A cell that no spreadsheet takes for a formula, and no comma breaks.
fn cell(text: &str) -> String {
    let guarded = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    if guarded.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", guarded.replace('"', "\"\""))
    } else {
        guarded
    }
}

/// `2026-11-21T13:05:00Z`, by the proleptic Gregorian calendar.
fn date(at: Timestamp) -> String {
    let (days, secs) = (at / 86_400, at % 86_400);
    // Howard Hinnant's days-to-civil, for days since 0000-03-01.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        secs / 3_600,
        secs / 60 % 60,
        secs % 60
    )
}

/// How far an order has come.
#[utoipa::path(get, path = "/api/v1/orders/{id}", params(("id" = String, Path)),
    responses((status = 200, description = "state: unknown, waiting, refused, attested or certified; reason; attestations")))]
pub async fn order(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    request: HeaderMap,
) -> Result<Response, Problem> {
    let id = event_id(&id)?;
    let view = shared.reading().ledger.order_state(&id);
    Ok(answer::json(&request, &view))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_the_calendars() {
        let cases = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_266_300, "2026-11-21T13:05:00Z"),
        ];
        for (at, expected) in cases {
            assert_eq!(date(at), expected);
        }
    }

    #[test]
    fn a_memo_is_never_a_formula() {
        assert_eq!(cell("=HYPERLINK(\"x\")"), "\"'=HYPERLINK(\"\"x\"\")\"");
        assert_eq!(cell("honey, two jars"), "\"honey, two jars\"");
        assert_eq!(cell("bread"), "bread");
    }
}
