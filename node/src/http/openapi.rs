//! The description of the API, for programs and for those who write them.

use axum::http::HeaderMap;
use axum::response::Response;
use utoipa::OpenApi;

use super::answer;
use super::events;
use super::views::{community, currency, governance, market, node, proof, raffle};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Ayni",
        description = "Read views of a community's books, votes and raffles. Amounts are decimal \
            strings, times unix seconds, ids and keys hex (npub and nevent are accepted). Writing \
            is a signed event; there is no other way to write, and no password.",
        license(name = "MIT OR Apache-2.0")
    ),
    paths(
        node::node,
        node::digest,
        node::void,
        node::waiting,
        community::list,
        community::one,
        community::members,
        currency::one,
        currency::account,
        currency::statement,
        currency::agreements,
        currency::checkpoint,
        currency::next_charge,
        currency::requests,
        currency::request,
        currency::ratings,
        currency::order,
        proof::proof,
        market::listings,
        market::metrics,
        market::matches,
        governance::list,
        governance::one,
        raffle::list,
        raffle::one,
        raffle::gates,
        events::publish,
        events::export,
    )
)]
struct Api;

/// `/api/openapi.json`.
pub async fn document(request: HeaderMap) -> Response {
    answer::json(&request, &Api::openapi())
}
