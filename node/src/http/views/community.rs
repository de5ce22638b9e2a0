//! Communities and their members.

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use ayni_lets::AccountType;
use ayni_protocol::{EventId, hex};
use ayni_witness::Charter;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::event_id;
use crate::book::Book;
use crate::http::Shared;
use crate::http::answer::{self, Problem};

/// Every community of this node.
#[utoipa::path(get, path = "/api/v1/communities", responses((status = 200, description = "id, name, country, region, languages, charter, currencies")))]
pub async fn list(State(shared): State<Shared>, request: HeaderMap) -> Response {
    let book = shared.reading();
    let charters =
        book.communities().into_iter().filter_map(|id| book.council.charter_in_force(id));
    let views: Vec<Value> = charters.map(|charter| summary(&book, charter)).collect();
    answer::json(&request, &views)
}

fn summary(book: &Book, charter: &Charter) -> Value {
    json!({
        "id": charter.community,
        "name": charter.name,
        "country": charter.country,
        "region": charter.region,
        "languages": charter.languages,
        "charter": charter.id,
        "key": charter.community_key,
        "currencies": currencies(book, charter.community),
    })
}

fn currencies(book: &Book, community: EventId) -> Vec<String> {
    let of = |address: &&ayni_protocol::Address| {
        book.ledger.currency(address).is_some_and(|view| view.community == community)
    };
    book.ledger.currencies().filter(of).map(ToString::to_string).collect()
}

/// A community: its charter in force, who decides, what is set, who may vote.
#[utoipa::path(get, path = "/api/v1/communities/{cid}", params(("cid" = String, Path, description = "id of the first charter")),
    responses((status = 200, description = "charter, witnesses, stewards, settings with the event that set each, roster, merits"), (status = 404)))]
pub async fn one(
    State(shared): State<Shared>,
    Path(cid): Path<String>,
    request: HeaderMap,
) -> Result<Response, Problem> {
    let book = shared.reading();
    let charter = charter(&book, &cid)?;
    let mut view = summary(&book, charter);
    if let Some(members) = view.as_object_mut() {
        members.extend(details(&book, charter));
    }
    Ok(answer::json(&request, &view))
}

fn charter<'a>(book: &'a Book, cid: &str) -> Result<&'a Charter, Problem> {
    let cid = event_id(cid)?;
    let charter = book.council.charter_in_force(cid);
    charter
        .map(|charter| &**charter)
        .ok_or_else(|| Problem::not_found(format!("no community {cid} is known here")))
}

fn details(book: &Book, charter: &Charter) -> Map<String, Value> {
    let community = charter.community;
    let settings = book.council.settings(community);
    let settings: Vec<Value> = settings
        .into_iter()
        .map(|(key, set)| json!({"key": key, "value": set.value, "event": set.event}))
        .collect();
    let merits: Map<String, Value> = book
        .ledger
        .members(community)
        .map(|member| {
            (member.account.to_string(), book.council.merit(community, member.account).into())
        })
        .collect();
    let witnesses: Vec<Value> =
        charter.witnesses.iter().map(|seat| json!({"key": seat.key, "url": seat.url})).collect();
    let details = json!({
        "witnesses": witnesses,
        "quorum": charter.quorum,
        "stewards": charter.stewards,
        "approve": charter.approvals,
        "beacon": charter.beacon.as_ref().map(|chain| json!({
            "chain": hex::encode(&chain.hash),
            "genesis": chain.genesis,
            "period": chain.period,
        })),
        "timings": {
            "min_notice": charter.timings.min_notice,
            "seal_window": charter.timings.seal_window,
            "margin": charter.timings.margin,
            "beacon_deadline": charter.timings.beacon_deadline,
        },
        "settings": settings,
        "merits": merits,
        "roster": roster(book, community),
        "statutes": book.council.statutes(&charter.id),
    });
    match details {
        Value::Object(details) => details,
        _ => Map::new(),
    }
}

/// The decided roster that this node heard of last.
fn roster(book: &Book, community: EventId) -> Option<Value> {
    let newest = book.council.rosters(community).max_by_key(|roster| book.place(&roster.id))?;
    Some(json!({"id": newest.id, "keys": newest.rows.keys().collect::<Vec<_>>()}))
}

/// Which currency's accounts are listed.
#[derive(Deserialize)]
pub struct Of {
    currency: Option<String>,
}

/// The accounts of a community's currency, with what people call them.
#[utoipa::path(get, path = "/api/v1/communities/{cid}/members",
    params(("cid" = String, Path), ("currency" = Option<String>, Query, description = "address; the first if none")),
    responses((status = 200, description = "account, name, code, type, status, balance, limit, flags"), (status = 404)))]
pub async fn members(
    State(shared): State<Shared>,
    Path(cid): Path<String>,
    Query(of): Query<Of>,
    request: HeaderMap,
) -> Result<Response, Problem> {
    let book = shared.reading();
    let community = charter(&book, &cid)?.community;
    let currency = of.currency.or_else(|| currencies(&book, community).into_iter().next());
    let views: Vec<Value> = book
        .ledger
        .members(community)
        .filter(|member| Some(&member.currency) == currency.as_ref())
        .map(|member| {
            let name = shared.profile_name(&member.account).unwrap_or_else(|| member.code.clone());
            let bounded = member.account_type != AccountType::Escrow;
            json!({
                "account": member.account,
                "name": name,
                "code": member.code,
                "type": member.account_type,
                "status": member.status,
                "balance": member.balance,
                "limit": bounded.then_some(&member.limit),
                "flags": member.flags,
                "merit": book.council.merit(community, member.account),
            })
        })
        .collect();
    Ok(answer::json(&request, &views))
}
