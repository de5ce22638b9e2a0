//! The node itself: who it is, what its book comes to, what is void, who has a name here.

use std::collections::BTreeMap;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use ayni_protocol::{Premise, Timestamp, hex};
use ayni_store::Store as _;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::book::{Void, Waiting};
use crate::http::Shared;
use crate::http::answer;
use crate::peers;

/// How many void or waiting events are listed at most.
const VOID_MAX: usize = 1_000;

/// Who the node is and how it stands.
#[utoipa::path(get, path = "/api/v1/node", responses((status = 200, description = "version, pubkey, region, community, digest, events, peers, fenced")))]
pub async fn node(State(shared): State<Shared>, request: HeaderMap) -> Response {
    let book = shared.reading();
    let community = book.communities().first().copied();
    let charter = community.and_then(|community| book.council.charter_in_force(community));
    let peers: Vec<Value> = shared
        .peering
        .all()
        .iter()
        .map(|(url, status)| {
            let status = status.borrow();
            json!({
                "url": url,
                "state": status.state.as_str(),
                "lag_secs": status.lag_secs,
                "missing": status.missing,
                "last_in_step": peers::last_in_step(&shared.backend, url),
                "error": status.last_error,
            })
        })
        .collect();
    let view = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "pubkey": shared.node,
        "region": charter.and_then(|charter| charter.region.clone()),
        "community": community,
        "digest": hex::encode(&book.digest()),
        "events": shared.backend.store().len(),
        "peers": peers,
        "fenced": shared.fence.is_up(),
    });
    answer::json(&request, &view)
}

/// The digest of the book and what it is made of (protocol section 7).
#[utoipa::path(get, path = "/api/v1/digest", responses((status = 200, description = "digest, currencies, proposals, raffles")))]
pub async fn digest(State(shared): State<Shared>, request: HeaderMap) -> Response {
    let book = shared.reading();
    let mut groups: BTreeMap<&str, BTreeMap<String, String>> =
        ["currencies", "proposals", "raffles"].map(|name| (name, BTreeMap::new())).into();
    for line in book.digest_lines() {
        let mut fields = line.split('|');
        let (Some(what), Some(name)) = (fields.next(), fields.next()) else { continue };
        let group = match what {
            "currency" => "currencies",
            "proposal" => "proposals",
            _ => "raffles",
        };
        let value = fields.next_back().unwrap_or("-").to_owned();
        groups.entry(group).or_default().insert(name.to_owned(), value);
    }
    let mut view = json!(groups);
    if let Some(object) = view.as_object_mut() {
        object.insert("digest".into(), hex::encode(&book.digest()).into());
    }
    answer::json(&request, &view)
}

/// From when void events are listed.
#[derive(Deserialize)]
pub struct Since {
    since: Option<Timestamp>,
}

/// Events that change nothing, each with its reason, newest first.
#[utoipa::path(get, path = "/api/v1/void", params(("since" = Option<u64>, Query, description = "unix seconds")),
    responses((status = 200, description = "id, kind, author, created_at, reason, sentence")))]
pub async fn void(
    State(shared): State<Shared>,
    Query(since): Query<Since>,
    request: HeaderMap,
) -> Response {
    let book = shared.reading();
    let mut void: Vec<_> = book
        .void()
        .filter(|void| since.since.is_none_or(|since| void.seen.created_at >= since))
        .collect();
    void.sort_by_key(|void| (std::cmp::Reverse(void.seen.created_at), void.id));
    let view: Vec<Value> = void
        .into_iter()
        .take(VOID_MAX)
        .map(|Void { id, seen, word, sentence }| {
            json!({
                "id": id,
                "kind": seen.kind,
                "author": seen.author,
                "created_at": seen.created_at,
                "reason": word,
                "sentence": sentence,
            })
        })
        .collect();
    answer::json(&request, &view)
}

/// What is waited for.
#[derive(Deserialize)]
pub struct AwaitedBy {
    approval: Option<bool>,
}

/// Events that change nothing yet, newest first; with `approval=true` those that wait for it.
#[utoipa::path(get, path = "/api/v1/waiting", params(("approval" = Option<bool>, Query)),
    responses((status = 200, description = "id, kind, author, created_at, for")))]
pub async fn waiting(
    State(shared): State<Shared>,
    Query(by): Query<AwaitedBy>,
    request: HeaderMap,
) -> Response {
    let book = shared.reading();
    let approval = by.approval == Some(true);
    let wanted = |it: &Waiting| !approval || it.premise == Premise::Approval;
    let mut waiting: Vec<_> = book.waiting().filter(wanted).collect();
    waiting.sort_by_key(|it| (std::cmp::Reverse(it.seen.created_at), it.id));
    let view = waiting.into_iter().take(VOID_MAX).map(|Waiting { id, seen, premise }| {
        json!({
            "id": id,
            "kind": seen.kind,
            "author": seen.author,
            "created_at": seen.created_at,
            "for": premise.to_string(),
        })
    });
    answer::json(&request, &view.collect::<Vec<Value>>())
}

/// Which name is asked for.
#[derive(Deserialize)]
pub struct Named {
    name: Option<String>,
}

/// NIP-05: accounts by their short names.
pub async fn nostr_json(
    State(shared): State<Shared>,
    Query(named): Query<Named>,
    request: HeaderMap,
) -> Response {
    let book = shared.reading();
    let members =
        book.communities().into_iter().flat_map(|community| book.ledger.members(community));
    let names: BTreeMap<String, String> = members
        .filter(|member| !member.code.is_empty())
        .filter(|member| named.name.as_ref().is_none_or(|name| *name == member.code))
        .map(|member| (member.code.clone(), member.account.to_string()))
        .collect();
    let mut answer = answer::json(&request, &json!({"names": names}));
    answer.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    answer
}
