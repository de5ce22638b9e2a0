//! Votes: the assembly's own view, which has everything a page needs to draw one.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::event_id;
use crate::clock;
use crate::http::Shared;
use crate::http::answer::{self, Problem};

/// Every proposal that counts, newest first, without its text and its votes.
#[utoipa::path(get, path = "/api/v1/proposals", responses((status = 200, description = "proposals with state, scores, turnout, spoiled ballots")))]
pub async fn list(State(shared): State<Shared>, request: HeaderMap) -> Response {
    let book = shared.reading();
    let now = clock::now();
    let communities = book.communities().into_iter();
    let mut proposals: Vec<_> =
        communities.flat_map(|community| book.assembly.proposals(&community, now)).collect();
    proposals.sort_by_key(|proposal| (std::cmp::Reverse(proposal.created_at), proposal.id));
    answer::json(&request, &proposals)
}

/// One proposal.
#[utoipa::path(get, path = "/api/v1/proposals/{id}", params(("id" = String, Path, description = "hex or nevent")),
    responses((status = 200, description = "the proposal, its tally, its spoiled ballots"), (status = 404)))]
pub async fn one(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    request: HeaderMap,
) -> Result<Response, Problem> {
    let id = event_id(&id)?;
    let proposal = shared.reading().assembly.proposal(&id, clock::now());
    let proposal =
        proposal.ok_or_else(|| Problem::not_found(format!("no proposal {id} counts here")))?;
    Ok(answer::json(&request, &proposal))
}
