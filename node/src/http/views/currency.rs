//! Currencies, accounts, statements, orders.

use std::fmt::Write as _;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use ayni_lets::Rating;
use ayni_lets::statement::Line;
use ayni_lets::view::RequestView;
use ayni_market::Share;
use ayni_protocol::{Address, EventId, PublicKey, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{event_id, public_key};
use crate::book::Book;
use crate::clock;
use crate::day;
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

/// A statement as a table: date, order, what, with whom, memo, debit, credit, levy, balance, and a
/// charge's reason.
fn csv(book: &Book, address: &Address, lines: &[Line]) -> String {
    let mut table =
        String::from("date,id,type,counterparty,memo,debit,credit,levy,balance,reason\r\n");
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
            "{},{},{},{},{},{debit},{credit},{},{},{}\r\n",
            day::date(line.at),
            line.id,
            line.what,
            cell(&name.unwrap_or_default()),
            cell(&line.memo),
            line.levy,
            line.balance,
            line.reason.unwrap_or_default(),
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

/// What an account asked for and is asked for, oldest first.
#[utoipa::path(get, path = "/api/v1/currencies/{address}/accounts/{key}/requests",
    params(("address" = String, Path), ("key" = String, Path)),
    responses((status = 200, description = "requests with payee, payer, amount, state: open, expired, paid, declined or cancelled"), (status = 404)))]
pub async fn requests(
    State(shared): State<Shared>,
    Path((text, key)): Path<(String, String)>,
    request: HeaderMap,
) -> Result<Response, Problem> {
    let (address, key) = (address(&text)?, public_key(&key)?);
    let book = shared.reading();
    book.ledger.account(&address, &key).ok_or_else(|| no_account(&key))?;
    let found = book.ledger.requests_of(&address, &key);
    let views: Vec<Value> = found.into_iter().map(|view| timed(view, clock::now())).collect();
    Ok(answer::json(&request, &json!({"account": key, "currency": text, "requests": views})))
}

/// One payment request.
#[utoipa::path(get, path = "/api/v1/requests/{id}", params(("id" = String, Path)),
    responses((status = 200, description = "payee, payer, amount, state, the orders that answer it"), (status = 404)))]
pub async fn request(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    request: HeaderMap,
) -> Result<Response, Problem> {
    let id = event_id(&id)?;
    let view = shared.reading().ledger.request(&id);
    let view = view.ok_or_else(|| Problem::not_found(format!("no request {id} counts here")))?;
    Ok(answer::json(&request, &timed(view, clock::now())))
}

/// A request by this node's clock, which the book does not have.
fn timed(mut view: RequestView, now: Timestamp) -> Value {
    if view.state == "open" && view.expires_at.is_some_and(|at| at <= now) {
        view.state = "expired";
    }
    json!(view)
}

/// What others say of trades with an account.
#[utoipa::path(get, path = "/api/v1/currencies/{address}/accounts/{key}/ratings",
    params(("address" = String, Path), ("key" = String, Path)),
    responses((status = 200, description = "count, mean from 0 to 1, ratings"), (status = 404)))]
pub async fn ratings(
    State(shared): State<Shared>,
    Path((text, key)): Path<(String, String)>,
    request: HeaderMap,
) -> Result<Response, Problem> {
    let (address, key) = (address(&text)?, public_key(&key)?);
    let book = shared.reading();
    book.ledger.account(&address, &key).ok_or_else(|| no_account(&key))?;
    let found = book.ledger.ratings_of(&address, &key);
    let rated: Vec<Value> = found
        .iter()
        .map(|(order, by, rating)| {
            let marks = rating.marks.iter();
            let marks = marks.map(|(mark, what)| json!({"mark": mark_number(*mark), "what": what}));
            let marks: Vec<Value> = marks.collect();
            json!({"order": order, "by": by, "marks": marks, "note": rating.note})
        })
        .collect();
    let (count, mean) = mean_mark(&found);
    let view = json!({
        "account": key, "currency": text, "count": count, "mean": mean, "ratings": rated,
    });
    Ok(answer::json(&request, &view))
}

/// How many ratings there are, and the mean of what they say of the whole trade.
pub fn mean_mark(ratings: &[(EventId, PublicKey, &Rating)]) -> (usize, Option<f64>) {
    let marks = ratings.iter().filter_map(|(.., rating)| rating.marks.first());
    let sum: i128 = marks.map(|(mark, _)| i128::from(*mark)).sum();
    let most = i128::try_from(ratings.len()).unwrap_or_default() * 1_000_000;
    let mean = Share::of(sum, most).map(|mean| f64::from(mean.millionths()) / 1e6);
    (ratings.len(), mean)
}

/// A mark in millionths, as a number from 0 to 1.
fn mark_number(mark: i64) -> f64 {
    f64::from(i32::try_from(mark).unwrap_or_default()) / 1e6
}

/// The checkpoint that a witness may sign of the book as it is now.
#[utoipa::path(get, path = "/api/v1/currencies/{address}/checkpoint", params(("address" = String, Path)),
    responses((status = 200, description = "root, accounts, orders, volume"), (status = 404)))]
pub async fn checkpoint(
    State(shared): State<Shared>,
    Path(text): Path<String>,
    request: HeaderMap,
) -> Result<Response, Problem> {
    let address = address(&text)?;
    let found = shared.reading().ledger.checkpoint(&address);
    let found = found.ok_or_else(|| Problem::not_found(format!("no currency {address}")))?;
    let view = json!({
        "root": ayni_protocol::hex::encode(&found.root),
        "accounts": found.accounts,
        "orders": found.orders,
        "volume": found.volume,
    });
    Ok(answer::json(&request, &view))
}

/// What a charge is for.
#[derive(Deserialize)]
pub struct Charged {
    cause: Option<String>,
}

/// Where the next charge stands; with `cause=demurrage` or `fee` what is due by the newest checkpoint.
#[utoipa::path(get, path = "/api/v1/currencies/{address}/next-charge",
    params(("address" = String, Path), ("cause" = Option<String>, Query)),
    responses((status = 200, description = "cseq, prev, basis, parts: debits and credit in minor units"), (status = 404)))]
pub async fn next_charge(
    State(shared): State<Shared>,
    Path(text): Path<String>,
    Query(charged): Query<Charged>,
    request: HeaderMap,
) -> Result<Response, Problem> {
    let address = address(&text)?;
    let book = shared.reading();
    let place = book.ledger.next_charge_place(&address);
    let (cseq, prev) =
        place.ok_or_else(|| Problem::not_found(format!("no currency {address} is known here")))?;
    let cause = charged.cause.and_then(|cause| cause.parse().ok());
    let due = cause.and_then(|cause| book.ledger.periodic(&address, cause));
    let (basis, parts) = due.map_or((None, Vec::new()), |(basis, parts)| (Some(basis), parts));
    let part =
        |(debits, credit): &ayni_lets::periodic::Part| json!({"debits": debits, "credit": credit});
    let parts: Vec<Value> = parts.iter().map(part).collect();
    let view = json!({"cseq": cseq, "prev": prev, "basis": basis, "parts": parts});
    Ok(answer::json(&request, &view))
}

/// The agreements on trade with other currencies.
#[utoipa::path(get, path = "/api/v1/currencies/{address}/agreements", params(("address" = String, Path)),
    responses((status = 200, description = "with, clearing, limit, rate: units here and there; about")))]
pub async fn agreements(
    State(shared): State<Shared>,
    Path(text): Path<String>,
    request: HeaderMap,
) -> Result<Response, Problem> {
    let address = address(&text)?;
    let book = shared.reading();
    let view = |agreement: &ayni_lets::Agreement| {
        json!({
            "with": agreement.with.to_string(),
            "clearing": agreement.clearing,
            "limit": agreement.limit.to_string(),
            "rate": [agreement.here, agreement.there],
            "about": agreement.about,
        })
    };
    let views: Vec<Value> = book.ledger.agreements(&address).map(view).collect();
    Ok(answer::json(&request, &views))
}

/// How far an order has come.
#[utoipa::path(get, path = "/api/v1/orders/{id}", params(("id" = String, Path)),
    responses((status = 200, description = "state: unknown, waiting, attested, certified, refused, or lapsed where its rules are gone and it has to be signed again; reason; attestations; of a hold: pending, void or posted")))]
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
    fn a_memo_is_never_a_formula() {
        assert_eq!(cell("=HYPERLINK(\"x\")"), "\"'=HYPERLINK(\"\"x\"\")\"");
        assert_eq!(cell("honey, two jars"), "\"honey, two jars\"");
        assert_eq!(cell("bread"), "bread");
    }
}
