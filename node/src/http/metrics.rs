//! Figures for Prometheus, in its text format; for this machine's own eyes only.
//!
//! A reverse proxy on the same machine also comes from loopback, but it says for whom it asks; so
//! whoever is forwarded gets nothing.

use std::fmt::Write as _;
use std::net::SocketAddr;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ayni_store::Store as _;

use super::Shared;
use crate::clock;

/// `/metrics`.
pub async fn metrics(
    State(shared): State<Shared>,
    Extension(peer): Extension<SocketAddr>,
    request: HeaderMap,
) -> Response {
    let forwarded = ["forwarded", "x-forwarded-for", "x-real-ip"];
    if !peer.ip().is_loopback() || forwarded.iter().any(|name| request.contains_key(*name)) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let statistics = shared.relay.statistics();
    let seen = shared.book.read().map_or(0, |book| book.len());
    let figures = [
        ("ayni_uptime_seconds", clock::now().saturating_sub(shared.started)),
        ("ayni_connections", statistics.connections),
        ("ayni_subscriptions", statistics.subscriptions),
        ("ayni_stored_events", wide(shared.backend.store().len())),
        ("ayni_economy_events", wide(seen)),
        (
            "ayni_writer_queue",
            wide(
                shared.config.limits.writer_queue.saturating_sub(shared.backend.inbox().capacity()),
            ),
        ),
    ];
    let mut text = String::new();
    for (name, value) in figures {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "# TYPE {name} gauge\n{name} {value}");
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
