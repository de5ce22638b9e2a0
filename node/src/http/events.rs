//! A way in and a way out for scripts behind HTTP only: events as JSON lines, by the same door.

use std::collections::BTreeSet;
use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ayni_protocol::{Event, Filter, Prefix, Rejection, VerifiedEvent};
use ayni_relay::session::admission;
use ayni_relay::{Accepted, Asker, Backend as _, Source, Viewer};
use ayni_store::Store as _;
use futures_util::stream::{self, StreamExt as _};
use serde::{Deserialize, Serialize};

use super::Shared;
use super::answer::{self, Problem};
use super::door::Caller;
use crate::clock;

/// Events of one request that are checked, and that wait for the writer, at the same time.
const AT_ONCE: usize = 256;

/// What became of one published event.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Receipt {
    /// The event's id; empty where none could be read.
    id: String,
    /// Whether it is stored.
    accepted: bool,
    /// The OK message, as the relay would send it.
    message: String,
}

/// Publishes one event, or several as JSON lines; answers with one receipt each, in order.
#[utoipa::path(post, path = "/api/v1/events", request_body(content = String, content_type = "application/jsonl"),
    responses((status = 200, body = [Receipt])))]
pub async fn publish(
    State(shared): State<Shared>,
    Extension(Caller(address)): Extension<Caller>,
    request: HeaderMap,
    body: Bytes,
) -> Response {
    let source = Source { address, keys: BTreeSet::new() };
    let Ok(text) = std::str::from_utf8(&body) else {
        return Problem::bad_request("the body must be UTF-8: one event, or one event a line")
            .into_response();
    };
    // Many are checked, and then many wait for the writer, at the same time and in their order.
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let lines: Vec<String> = lines.map(str::to_owned).collect();
    let checked = stream::iter(lines).map(|line| check(&shared, line)).buffered(AT_ONCE);
    let settled = checked.map(|checked| settle(&shared, checked, &source)).buffered(AT_ONCE);
    let receipts: Vec<Receipt> = settled.collect().await;
    if receipts.is_empty() {
        return Problem::bad_request("the body holds no event").into_response();
    }
    answer::json(&request, &receipts)
}

/// A line, its id if it has one, and whether it is believed.
type Checked = (String, Result<VerifiedEvent, Rejection>);

async fn check(shared: &Shared, line: String) -> Checked {
    let event = match Event::parse(&line) {
        Ok(event) => event,
        Err(error) => return (String::new(), Err(Rejection::invalid(error.to_string()))),
    };
    let id = event.id.to_string();
    let limits = &shared.config.limits;
    // Nobody has authenticated here, so what only its author may publish is refused (NIP-70).
    let stranger = Viewer::default();
    if let Err(rejection) = admission::check(&event, &stranger, limits, clock::now()) {
        return (id, Err(rejection));
    }
    let verified = tokio::task::spawn_blocking(move || event.verify()).await;
    let outcome = match verified {
        Ok(Ok(verified)) => Ok(verified),
        Ok(Err(error)) => Err(Rejection::invalid(error.to_string())),
        Err(error) => Err(Rejection::new(Prefix::Error, error.to_string())),
    };
    (id, outcome)
}

async fn settle(shared: &Shared, (id, checked): Checked, source: &Source) -> Receipt {
    let outcome = match checked {
        Ok(verified) => take(shared, verified, source).await,
        Err(rejection) => Err(rejection),
    };
    match outcome {
        Ok(accepted) => Receipt { id, accepted: true, message: accepted.message.to_string() },
        Err(rejection) => Receipt { id, accepted: false, message: rejection.to_string() },
    }
}

/// Hands an event to the writer, if it is not too long.
async fn take(
    shared: &Shared,
    event: VerifiedEvent,
    source: &Source,
) -> Result<Accepted, Rejection> {
    admission::check_length(&event, &shared.config.limits)?;
    shared.backend.receive(event, source).await
}

/// What to export.
#[derive(Deserialize)]
pub struct Selection {
    filter: Option<String>,
}

/// The stored events that anyone may see, one a line, oldest first; of a filter's `limit` the
/// newest.
#[utoipa::path(get, path = "/api/v1/export", params(("filter" = Option<String>, Query, description = "a NIP-01 filter")),
    responses((status = 200, content_type = "application/jsonl", body = String)))]
pub async fn export(State(shared): State<Shared>, Query(selection): Query<Selection>) -> Response {
    let filter = match selection.filter.as_deref().map(Filter::parse).transpose() {
        Ok(filter) => filter.unwrap_or_default(),
        Err(rejection) => return Problem::bad_request(rejection.to_string()).into_response(),
    };
    let limit = filter.limit.unwrap_or(usize::MAX);
    let cap = shared.config.limits.reconciliation_events;
    let backend = shared.backend.clone();
    let found = tokio::task::spawn_blocking(move || {
        let stranger = Viewer::default();
        backend.items(&filter, cap, &Asker::new(&stranger, &|| true))
    });
    let Ok(mut items) = found.await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    if items.len() > cap {
        let sentence =
            format!("more than {cap} events match; narrow the filter, for example by since");
        return Problem::bad_request(sentence).into_response();
    }
    items.drain(..items.len().saturating_sub(limit));
    // Ids are listed at once, events are read as the client takes them.
    let store = std::sync::Arc::clone(shared.backend.store());
    let lines = items.into_iter().filter_map(move |(_, id)| {
        let mut line = store.get(&id, clock::now())?.json.to_vec();
        line.push(b'\n');
        Some(Ok::<_, Infallible>(Bytes::from(line)))
    });
    let body = Body::from_stream(futures_util::stream::iter(lines));
    ([(header::CONTENT_TYPE, "application/jsonl")], body).into_response()
}
