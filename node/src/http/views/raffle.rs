//! Raffles, with the numbers to recompute a draw.

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use ayni_protocol::EventId;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{event_id, public_key};
use crate::book::Book;
use crate::clock;
use crate::http::Shared;
use crate::http::answer::{self, Problem};

/// Every raffle that counts, the latest to close first.
#[utoipa::path(get, path = "/api/v1/raffles", responses((status = 200, description = "raffles with state, units, draw and payouts")))]
pub async fn list(State(shared): State<Shared>, request: HeaderMap) -> Response {
    let book = shared.reading();
    let lines = book.drum.raffles(clock::now());
    let views: Vec<Value> = lines.iter().filter_map(|line| view(&book, &line.id)).collect();
    answer::json(&request, &views)
}

/// What the law of each country lets a raffle be, as this node's configuration says.
#[utoipa::path(get, path = "/api/v1/raffles/gates", responses((status = 200, description = "gates by country or region; no other country has raffles")))]
pub async fn gates(State(shared): State<Shared>, request: HeaderMap) -> Response {
    answer::json(&request, &shared.config.raffle.gates)
}

/// Who means to buy.
#[derive(Deserialize)]
pub struct Buyer {
    by: Option<String>,
    units: Option<u32>,
}

/// One raffle; with `by` what that account holds, and why it may not buy so many units more.
#[utoipa::path(get, path = "/api/v1/raffles/{id}",
    params(("id" = String, Path), ("by" = Option<String>, Query, description = "hex or npub"), ("units" = Option<u32>, Query)),
    responses((status = 200, description = "the raffle, its ticket root, its draw with the numbers to recompute it, its payouts; with by: held, refused"), (status = 404)))]
pub async fn one(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Query(buyer): Query<Buyer>,
    request: HeaderMap,
) -> Result<Response, Problem> {
    let id = event_id(&id)?;
    let by = buyer.by.as_deref().map(public_key).transpose()?;
    let book = shared.reading();
    let mut view = view(&book, &id)
        .ok_or_else(|| Problem::not_found(format!("no raffle {id} counts here")))?;
    if let Some((by, members)) = by.zip(view.as_object_mut()) {
        let may = book.drum.may_buy(&id, &by, buyer.units.unwrap_or(1), clock::now());
        members.insert("held".into(), book.drum.held(&id, &by).into());
        members.insert("refused".into(), json!(may.err().map(|refusal| refusal.sentence)));
    }
    Ok(answer::json(&request, &view))
}

/// The drum's view, its draw spelt out with round, root and winners as in kind 4733.
fn view(book: &Book, id: &EventId) -> Option<Value> {
    let raffle = book.drum.raffle(id, clock::now())?;
    let mut view = json!(raffle);
    let members = view.as_object_mut()?;
    if let Some(draw) = &raffle.draw {
        let result: Map<String, Value> = serde_json::from_str(&draw.json).ok()?;
        let mut shown = json!(draw);
        shown.as_object_mut()?.extend(result);
        members.insert("draw".into(), shown);
    }
    for prize in
        members.get_mut("prizes")?.as_array_mut()?.iter_mut().filter_map(Value::as_object_mut)
    {
        let number = prize.get("number").cloned().unwrap_or(Value::Null);
        prize.insert("n".into(), number);
    }
    for list in ["payouts", "refunds"] {
        let payouts = members.get_mut(list)?.as_array_mut()?;
        for payout in payouts.iter_mut().filter_map(Value::as_object_mut) {
            let order = payout.get("paid_by").cloned().unwrap_or(Value::Null);
            payout.insert("paid".into(), (!order.is_null()).into());
            payout.insert("order".into(), order);
        }
    }
    Some(view)
}
