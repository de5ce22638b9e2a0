//! Managing the relay over HTTP (NIP-86): `POST /` with the media type `application/nostr+json+rpc`
//! and a signed event in the header (NIP-98).
//!
//! An act is in the log, on disk, before it is answered; a name, description or icon shows in the
//! relay information document from that moment on. An event that is banned leaves the store.

use std::collections::BTreeSet;
use std::net::IpAddr;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use ayni_protocol::{Event, EventId, Filter, Prefix, PublicKey, Rejection, Tag, kind};
use ayni_store::Store as _;
use serde_json::{Value, json};

use super::authorization::Asked;
use super::door::Caller;
use super::{Shared, relay_headers};
use crate::clock;
use crate::management::rpc::{Answer, Call, NEEDING_MODERATION, answer};
use crate::management::{Act, Order};

/// The media type of a call.
pub const MEDIA_TYPE: &str = "application/nostr+json+rpc";
/// Bytes of a call.
const BODY_MAX: usize = 65_536;
/// Reports that are looked at for events that need moderation.
const REPORTS_MAX: usize = 500;

/// One call.
pub async fn call(
    State(shared): State<Shared>,
    Extension(Caller(address)): Extension<Caller>,
    request: Request,
) -> Response {
    let answered = match answered(&shared, address, request).await {
        Ok(answer) => (StatusCode::OK, answer),
        Err((status, sentence)) => (status, Answer::error(sentence)),
    };
    let (status, answer) = answered;
    let body = serde_json::to_string(&answer).unwrap_or_default();
    let mut response = (status, [(header::CONTENT_TYPE, "application/json")], body).into_response();
    relay_headers(response.headers_mut());
    response
}

type Refusal = (StatusCode, String);

async fn answered(shared: &Shared, address: IpAddr, request: Request) -> Result<Answer, Refusal> {
    if !shared.backend.policy().may_manage_now(address) {
        let sentence = "too many requests to manage this relay; wait a minute";
        let refusal = Rejection::new(Prefix::RateLimited, sentence);
        return Err((StatusCode::TOO_MANY_REQUESTS, refusal.to_string()));
    }
    let (head, body) = request.into_parts();
    if !is_call(&head.headers) {
        let sentence = format!("only {MEDIA_TYPE} is answered to POST here (NIP-86)");
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, sentence));
    }
    let body = read(body).await?;
    let (admin, request) = authorized(shared, &head.headers, &head.uri, &body)
        .map_err(|rejection| (StatusCode::UNAUTHORIZED, rejection.to_string()))?;
    let call: Call = serde_json::from_slice(&body).map_err(|error| {
        (StatusCode::BAD_REQUEST, format!("the body must be a method with params: {error}"))
    })?;
    let shared = shared.clone();
    let done = tokio::task::spawn_blocking(move || obey(&shared, call, admin, request)).await;
    done.map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

fn is_call(headers: &HeaderMap) -> bool {
    let said = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = said.and_then(|said| said.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case(MEDIA_TYPE))
}

async fn read(body: Body) -> Result<Bytes, Refusal> {
    to_bytes(body, BODY_MAX).await.map_err(|_| {
        (StatusCode::PAYLOAD_TOO_LARGE, format!("a call has at most {BODY_MAX} bytes"))
    })
}

fn authorized(
    shared: &Shared,
    headers: &HeaderMap,
    uri: &Uri,
    body: &[u8],
) -> Result<(PublicKey, EventId), Rejection> {
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let asked = Asked { method: "POST", query: &query, body };
    let policy = shared.backend.policy();
    shared.authorization.verify(headers, &asked, clock::now(), |key| policy.is_operator(key))
}

/// Does what an operator asks. Waits for the disk.
fn obey(shared: &Shared, call: Call, admin: PublicKey, request: EventId) -> Answer {
    let management = shared.backend.policy().management();
    let rulebook = management.rulebook();
    if call.method == NEEDING_MODERATION {
        return Answer::of(needing_moderation(shared));
    }
    if let Some(result) = answer(&call.method, &rulebook, &shared.config.relay.allowed_kinds) {
        return Answer::of(result);
    }
    let Call { method, params } = call;
    let order = match Order::read(&method, &params).and_then(|order| possible(shared, order)) {
        Ok(order) => order,
        Err(sentence) => return Answer::error(sentence),
    };
    let act = Act { time: clock::now(), admin, request, method, params };
    if let Err(error) = management.act(&act) {
        tracing::error!(error = format!("{error:#}"), "an act of management is not logged");
        return Answer::error("the node cannot write its log of management; see its log".into());
    }
    tracing::info!(%admin, method = act.method, "the relay was managed");
    match order {
        Order::BanEvent(id, _) => {
            if let Err(fault) = shared.backend.store().remove(&[id]) {
                return Answer::error(format!("banned, and not yet out of the store: {fault}"));
            }
        }
        Order::Name(_) | Order::Description(_) | Order::Icon(_) => shared.inform(),
        _ => {}
    }
    Answer::of(Value::Bool(true))
}

/// Refuses what cannot be, before it is logged.
fn possible(shared: &Shared, order: Order) -> Result<Order, String> {
    let rulebook = shared.backend.policy().management().rulebook();
    match &order {
        Order::BanEvent(id, _) if is_economy(shared, id) => {
            Err("events of the economy are never removed: balances hang on them".into())
        }
        Order::BanKey(key, _) if shared.backend.policy().is_operator(key) => {
            Err("this key manages the relay and cannot be banned".into())
        }
        Order::CreateRole(id, _) if rulebook.roles.contains_key(id) => {
            Err(format!("there is a role {id} already; see editrole"))
        }
        Order::EditRole(id, _) | Order::DeleteRole(id) | Order::AssignRole(_, id)
            if !rulebook.roles.contains_key(id) =>
        {
            Err(format!("there is no role {id}; see createrole"))
        }
        _ => Ok(order),
    }
}

fn is_economy(shared: &Shared, id: &EventId) -> bool {
    shared.backend.event(id).is_some_and(|event| event.kind.is_economy())
}

/// Events that somebody reported (NIP-56) and no operator has looked at, the latest first.
fn needing_moderation(shared: &Shared) -> Value {
    let rulebook = shared.backend.policy().management().rulebook();
    let reports = Filter { kinds: Some([kind::REPORT].into()), ..Filter::default() };
    let store = shared.backend.store();
    let reports = shared.backend.stored(&reports, REPORTS_MAX).into_iter();
    let mut seen = BTreeSet::new();
    let mut waits = |id: &EventId| {
        let settled = rulebook.allowed_events.contains_key(id);
        !settled && store.contains(id) && !is_economy(shared, id) && seen.insert(*id)
    };
    let reported = reports.flat_map(|report| accusations(&report));
    reported
        .filter(|(id, _)| waits(id))
        .map(|(id, reason)| json!({"id": id, "reason": reason}))
        .collect()
}

/// The events that a report names, each with what is said of it.
fn accusations(report: &Event) -> Vec<(EventId, String)> {
    let accusation = |tag: Tag<'_>| {
        let reason = format!("{} {}", tag.get(2).unwrap_or("reported"), report.content);
        Some((tag.value()?.parse().ok()?, reason.trim().to_owned()))
    };
    report.tags.named("e").filter_map(accusation).collect()
}
