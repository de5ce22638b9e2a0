//! The market: listings with facts about who lists them, figures of reciprocity, suggestions.
//!
//! Each is computed off the threads of sockets, and kept while nothing new is stored.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use ayni_lets::view::CurrencyView;
use ayni_market::reciprocity::PARTNERS_MIN;
use ayni_market::share::Ratio;
use ayni_market::{Community, Listing, Member, Report, Share, Side, Window, shelf};
use ayni_protocol::search::Search;
use ayni_protocol::{Address, PublicKey, Scale};
use ayni_store::Store as _;
use serde::Deserialize;
use serde_json::{Value, json};

use super::currency::{address, mean_mark, no_currency};
use super::public_key;
use crate::book::Book;
use crate::clock;
use crate::http::Shared;
use crate::http::answer::{self, Problem};
use crate::market::{self, Moment, Suggestions};

/// Listings in one answer.
const LISTINGS_MAX: usize = 500;
/// The usual window of figures.
const YEAR_DAYS: u64 = 365;
/// Days that a window may have.
const DAYS_MAX: u64 = 36_500;

/// Which listings are asked for.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(rename = "type")]
    side: Option<String>,
    q: Option<String>,
    category: Option<String>,
    near: Option<String>,
    by: Option<String>,
    all: Option<bool>,
    currency: Option<String>,
}

impl Asked {
    fn query(&self) -> Result<shelf::Query, Problem> {
        let side = self.side.as_deref().map(str::parse::<Side>).transpose();
        let words = self.q.as_deref().map(Search::parse).transpose();
        let words = words.map_err(|rejection| Problem::bad_request(rejection.to_string()))?;
        if self.q.is_some() && words.as_ref().is_some_and(|search| search.words().is_empty()) {
            return Err(Problem::bad_request("q holds no word to look for"));
        }
        Ok(shelf::Query {
            side: side.map_err(Problem::bad_request)?,
            words: words.map(|search| search.words().iter().cloned().collect()).unwrap_or_default(),
            category: self.category.clone(),
            near: self.near.clone(),
            by: self.by.as_deref().map(public_key).transpose()?,
            all: self.all.unwrap_or(false),
        })
    }
}

/// What members offer and want, with facts about each of them: the nearest first where `near` is
/// given, else the newest.
#[utoipa::path(get, path = "/api/v1/listings",
    params(("type" = Option<String>, Query, description = "offer or want"), ("q" = Option<String>, Query, description = "words that must all be there"),
        ("category" = Option<String>, Query), ("near" = Option<String>, Query, description = "a geohash, or the name of a place"),
        ("by" = Option<String>, Query, description = "hex or npub"), ("all" = Option<bool>, Query, description = "also what lapsed, is sold or put aside"),
        ("currency" = Option<String>, Query, description = "address; the first if none")),
    responses((status = 200, description = "listings: type, title, price, categories, place, expires_at, trader")))]
pub async fn listings(
    State(shared): State<Shared>,
    Query(asked): Query<Asked>,
    request: HeaderMap,
) -> Result<Response, Problem> {
    let query = asked.query()?;
    let shown = aside(move || {
        let now = clock::now();
        let Some(currency) = chosen(&shared, asked.currency.as_deref())? else {
            return Ok(Vec::new());
        };
        let report = report(&shared, &currency, YEAR_DAYS);
        let all = shelf(&shared, &currency.address);
        let book = shared.reading();
        let picked = query.pick(&all, now).into_iter().take(LISTINGS_MAX);
        let mut traders: BTreeMap<PublicKey, Value> = BTreeMap::new();
        let mut views = Vec::new();
        for listing in picked {
            let trader = traders.entry(listing.by);
            let trader = trader
                .or_insert_with(|| trader_facts(&shared, &book, &currency, &report, &listing.by));
            views.push(view(listing, trader, now));
        }
        Ok(views)
    });
    Ok(answer::json(&request, &shown.await?))
}

fn view(listing: &Listing, trader: &Value, now: u64) -> Value {
    let price = listing.price.as_ref();
    json!({
        "id": listing.id,
        "address": listing.address().to_string(),
        "name": listing.name,
        "type": listing.side.as_str(),
        "status": if listing.is_lapsed(now) { "lapsed" } else { listing.status.as_str() },
        "title": listing.title,
        "summary": listing.summary,
        "text": listing.text,
        "price": price.map(|price| json!({"amount": price.amount, "unit": price.unit, "per": price.per})),
        "currency": listing.currency.as_ref().map(ToString::to_string),
        "categories": listing.categories,
        "location": listing.location,
        "places": listing.places,
        "pictures": listing.pictures,
        "published_at": listing.published_at.unwrap_or(listing.at),
        "updated_at": listing.at,
        "expires_at": listing.expires_at,
        "trader": trader,
    })
}

/// What helps to decide whether to trade with somebody.
fn trader_facts(
    shared: &Shared,
    book: &Book,
    currency: &Currency,
    report: &Report,
    key: &PublicKey,
) -> Value {
    let account = book.ledger.account(&currency.address, key);
    let member = report.members.get(key);
    let marks = book.ledger.ratings_of(&currency.address, key);
    let (count, mean) = mean_mark(&marks);
    json!({
        "account": key,
        "name": called(shared, book, &currency.address, key),
        "code": account.as_ref().map(|account| account.code.clone()),
        "status": account.as_ref().map(|account| account.status),
        "flags": account.as_ref().map(|account| account.flags.clone()),
        "balance": account.as_ref().map(|account| account.balance),
        "merit": book.council.merit(currency.view.community, *key),
        "ayni": member.and_then(|member| member.score),
        "partners": member.map_or(0, |member| member.partners),
        "last_trade": member.and_then(|member| member.last_trade),
        "ratings": {"count": count, "mean": mean},
    })
}

/// How many days a window has.
#[derive(Deserialize)]
pub struct Days {
    days: Option<u64>,
}

/// How balanced giving and taking are; formulas by these names are in docs/reciprocity.md.
#[utoipa::path(get, path = "/api/v1/metrics/{address}",
    params(("address" = String, Path, description = "37470:KEY:NAME"), ("days" = Option<u64>, Query, description = "length of the window, 365 if none")),
    responses((status = 200, description = "currency, window, community, members"), (status = 404)))]
pub async fn metrics(
    State(shared): State<Shared>,
    Path(text): Path<String>,
    Query(days): Query<Days>,
    request: HeaderMap,
) -> Result<Response, Problem> {
    let days = days.days.unwrap_or(YEAR_DAYS);
    if days == 0 || days > DAYS_MAX {
        return Err(Problem::bad_request(format!("days is a number from 1 to {DAYS_MAX}")));
    }
    let view = aside(move || {
        let currency = known(&shared, address(&text)?)?;
        let report = report(&shared, &currency, days);
        let book = shared.reading();
        let member = |(key, member): (&PublicKey, &Member)| {
            let name = called(&shared, &book, &currency.address, key);
            member_view(key, &name, member, currency.scale)
        };
        let members: Vec<Value> = report.members.iter().map(member).collect();
        Ok(json!({
            "currency": currency.address.to_string(),
            "window": {"from": report.window.from, "to": report.window.to, "days": days},
            "community": community_view(&report.community, currency.scale),
            "members": members,
        }))
    });
    Ok(answer::json(&request, &view.await?))
}

fn member_view(key: &PublicKey, name: &str, member: &Member, scale: Scale) -> Value {
    json!({
        "account": key,
        "name": name,
        "ayni": member.score,
        "new": member.partners < PARTNERS_MIN,
        "earned": scale.format(member.earned),
        "spent": scale.format(member.spent),
        "partners": member.partners,
        "effective_partners": member.effective_partners.map(ratio),
        "balance_index": member.balance_index.map(number),
        "direct": member.direct.map(number),
        "credit_used": member.credit_used.map(number),
        "last_trade": member.last_trade,
    })
}

/// The community's figures, as JSON.
pub fn community_view(figures: &Community, scale: Scale) -> Value {
    json!({
        "ayni": figures.chi.map(Share::percent),
        "volume": scale.format(figures.volume),
        "trades": figures.trades,
        "accounts": figures.accounts,
        "active": figures.active,
        "only_earning": figures.only_earning,
        "only_spending": figures.only_spending,
        "net_internal_debt": scale.format(figures.net_internal_debt),
        "chi": figures.chi.map(number),
        "dyadic": figures.dyadic.map(number),
        "cyclic": figures.cyclic.map(number),
        "mutual_links": figures.mutual_links.map(number),
        "circulating": figures.circulating.map(number),
        "velocity": figures.velocity.map(ratio),
        "mean_credit": scale.format(figures.mean_credit),
        "gini_merit": figures.gini_merit.map(number),
        "gini_turnover": figures.gini_turnover.map(number),
        "stressed": figures.stressed.map(number),
        "debt_concentration": figures.debt_concentration.map(number),
        "dormant": figures.dormant.map(number),
    })
}

/// Whose suggestions.
#[derive(Deserialize)]
pub struct For {
    #[serde(rename = "for")]
    member: Option<String>,
    currency: Option<String>,
}

/// Who could trade with whom: offers that suit wants, and closed rings of trades, each explained.
#[utoipa::path(get, path = "/api/v1/matches",
    params(("for" = Option<String>, Query, description = "a member, hex or npub; all if none"), ("currency" = Option<String>, Query, description = "address; the first if none")),
    responses((status = 200, description = "fits and rings, what helps balances most first, each with a sentence")))]
pub async fn matches(
    State(shared): State<Shared>,
    Query(asked): Query<For>,
    request: HeaderMap,
) -> Result<Response, Problem> {
    let member = asked.member.as_deref().map(public_key).transpose()?;
    let view = aside(move || {
        let Some(currency) = chosen(&shared, asked.currency.as_deref())? else {
            return Ok(json!({"currency": null, "fits": [], "rings": []}));
        };
        let suggestions = suggestions(&shared, &currency);
        let (fits, rings) = suggestions.of(member.as_ref());
        Ok(json!({"currency": currency.address.to_string(), "fits": fits, "rings": rings}))
    });
    Ok(answer::json(&request, &view.await?))
}

fn suggestions(shared: &Shared, currency: &Currency) -> Arc<Suggestions> {
    let moment = moment(shared, &currency.address);
    shared.market.board.get(moment, || {
        let all = shelf(shared, &currency.address);
        let book = shared.reading();
        let standings = market::standings(&book, &currency.address);
        let names = RefCell::new(BTreeMap::new());
        let name = |key: &PublicKey| {
            let mut names = names.borrow_mut();
            let called = || called(shared, &book, &currency.address, key);
            names.entry(*key).or_insert_with(called).clone()
        };
        let of = (&currency.address, currency.scale);
        market::suggestions(&all, &standings, of, clock::now(), &name)
    })
}

/// Every listing of the members.
fn shelf(shared: &Shared, currency: &Address) -> Arc<Vec<Listing>> {
    shared.market.shelf.get(moment(shared, currency), || {
        market::listings(&shared.backend, &shared.reading(), currency)
    })
}

/// The figures over the last `days`.
pub fn report(shared: &Shared, currency: &Currency, days: u64) -> Arc<Report> {
    let moment = moment(shared, &currency.address);
    // A window ends with the minute, so that what was signed in this second lies in it.
    let to = moment.2.saturating_add(1).saturating_mul(60);
    let window = Window { from: to.saturating_sub(days.saturating_mul(86_400)), to };
    shared.market.report.get((moment, days), || {
        market::report(&shared.reading(), &currency.address, currency.view.community, window)
    })
}

fn moment(shared: &Shared, currency: &Address) -> Moment {
    (currency.clone(), shared.backend.store().last_position().0, clock::now() / 60)
}

/// A currency that is known here.
pub struct Currency {
    /// Its address.
    pub address: Address,
    /// Its decimals.
    pub scale: Scale,
    view: CurrencyView,
}

impl Currency {
    /// Whether this key is a witness of it, by the rules in force.
    #[must_use]
    pub fn is_witnessed_by(&self, key: &PublicKey) -> bool {
        self.view.rules.witnesses.contains(key)
    }
}

/// A currency by its address.
fn known(shared: &Shared, address: Address) -> Result<Currency, Problem> {
    let book = shared.reading();
    let view = book.ledger.currency(&address).ok_or_else(|| no_currency(&address))?;
    let scale = Scale::new(view.scale).ok_or_else(|| no_currency(&address))?;
    Ok(Currency { address, scale, view })
}

/// The named currency, else the first of the node's first community; none where it has none.
fn chosen(shared: &Shared, named: Option<&str>) -> Result<Option<Currency>, Problem> {
    let found = match named {
        Some(text) => Some(address(text)?),
        None => currencies(&shared.reading()).into_iter().next(),
    };
    found.map(|address| known(shared, address)).transpose()
}

/// Every currency, those of the node's first community in front.
#[must_use]
pub fn currencies(book: &Book) -> Vec<Address> {
    let of = |community| {
        book.ledger.currencies().filter(move |address| {
            book.ledger.currency(address).is_some_and(|view| view.community == community)
        })
    };
    book.communities().into_iter().flat_map(of).cloned().collect()
}

/// A currency for the node's own work.
#[must_use]
pub fn currency_of(shared: &Shared, address: &Address) -> Option<Currency> {
    known(shared, address.clone()).ok()
}

/// What a member is called: by their profile, else by their account's short name.
fn called(shared: &Shared, book: &Book, currency: &Address, key: &PublicKey) -> String {
    let code = || book.ledger.account(currency, key).map(|account| account.code);
    let code = || code().filter(|code| !code.is_empty());
    shared
        .profile_name(key)
        .or_else(code)
        .unwrap_or_else(|| key.to_string().chars().take(8).collect())
}

fn number(share: Share) -> f64 {
    f64::from(share.millionths()) / 1e6
}

/// A ratio has at most six decimals, so its text is the number.
fn ratio(ratio: Ratio) -> Value {
    serde_json::from_str(&ratio.to_string()).unwrap_or(Value::Null)
}

/// Does what takes long on a thread of its own.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(Problem::failed(error)),
    }
}
