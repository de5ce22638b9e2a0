//! The events a stranger needs to check one thing alone, as JSON lines.

use std::fmt::Write as _;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use ayni_protocol::{Event, EventId, Filter};

use super::event_id;
use crate::backend::Backend;
use crate::http::Shared;
use crate::http::answer::{self, Problem};
use crate::proof::{EVENTS_MAX, PROVABLE, Shelf, gather};

impl Shelf for Backend {
    fn event(&self, id: &EventId) -> Option<Event> {
        Backend::event(self, id)
    }

    fn matching(&self, filter: &Filter, limit: usize) -> Vec<Event> {
        self.stored(filter, limit)
    }
}

/// An order, a charge, a ballot, a ticket, a vote, a raffle or an award of merit, with everything it
/// rests on: `ayni verify` on these lines says of it what this node says.
#[utoipa::path(get, path = "/api/v1/proof/{id}", params(("id" = String, Path, description = "hex or nevent")),
    responses((status = 200, content_type = "application/jsonl", body = String), (status = 400), (status = 404)))]
pub async fn proof(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    request: HeaderMap,
) -> Result<Response, Problem> {
    let id = event_id(&id)?;
    let made = tokio::task::spawn_blocking(move || lines(&shared.backend, &id)).await;
    let text = made.map_err(Problem::failed)??;
    let mut answer = answer::tagged(&request, "application/jsonl", text);
    let name = HeaderValue::from_static("attachment; filename=\"proof.jsonl\"");
    answer.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    Ok(answer)
}

fn lines(backend: &Backend, id: &EventId) -> Result<String, Problem> {
    // That a private message is here is for its parties alone to know.
    let event = Backend::event(backend, id)
        .filter(|event| !event.kind.is_private())
        .ok_or_else(|| Problem::not_found(format!("this node does not hold event {id}")))?;
    if !PROVABLE.contains(&event.kind) {
        return Err(Problem::bad_request(format!(
            "an event of kind {} proves itself, or nothing; a proof is of an order, a charge, a \
             ballot, a ticket, a vote, a raffle or an award of merit",
            event.kind
        )));
    }
    let events = gather(backend, id).ok_or_else(|| {
        Problem::bad_request(format!(
            "what this rests on is more than {EVENTS_MAX} events; `ayni export` gives them all"
        ))
    })?;
    let mut text = String::new();
    for event in events {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", event.to_json());
    }
    Ok(text)
}
