//! The HTTP side of the one address: the page, the read views, and a way in for scripts.
//!
//! Reading is public and never changes anything; writing is a signed event, by the same door as
//! through the relay. There are no cookies, no sessions and no passwords.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use ayni_protocol::{PublicKey, Timestamp};
use ayni_relay::{Information, Relay};
use tokio::sync::watch;

use crate::backend::Backend;
use crate::book::Book;
use crate::config::Config;
use crate::federate::PeerStatus;
use crate::information::information;
use crate::market::Market;

mod answer;
pub mod authorization;
mod door;
mod events;
pub mod management;
mod metrics;
mod openapi;
mod page;
pub mod views;

pub use authorization::Authorization;
pub use door::{Caller, Door};

/// The NIPs that work here.
pub const SUPPORTED_NIPS: &[u16] =
    &[1, 4, 9, 11, 13, 17, 40, 42, 43, 45, 59, 62, 65, 66, 67, 70, 77, 86, 98];

/// What every handler may look at.
#[derive(Clone)]
pub struct Shared {
    /// The state.
    pub book: Arc<RwLock<Book>>,
    /// The store and the writer's inbox.
    pub backend: Backend,
    /// The relay, for its information document and its figures.
    pub relay: Relay<Backend>,
    /// The configuration.
    pub config: Arc<Config>,
    /// Who may ask for what is not for all (NIP-98).
    pub authorization: Arc<Authorization>,
    /// The node's key.
    pub node: PublicKey,
    /// Each peer's address and how it stands.
    pub peers: Arc<Vec<(String, watch::Receiver<PeerStatus>)>>,
    /// What the market last answered.
    pub market: Arc<Market>,
    /// When the node started.
    pub started: Timestamp,
}

impl Shared {
    /// What holds of the relay now.
    #[must_use]
    pub fn information(&self) -> Information {
        let rulebook = self.backend.policy().management().rulebook();
        let book = self.book.read().unwrap_or_else(PoisonError::into_inner);
        information(&self.config, &rulebook, &book, self.node)
    }

    /// Says of the relay what holds now.
    pub fn inform(&self) {
        self.relay.inform(self.information());
    }
}

/// Everything that is answered, as a router.
pub fn router(shared: Shared) -> Router {
    let only = shared.config.relay.only;
    let views = if only { Router::new() } else { views::routes() };
    let views = views
        .route("/events", post(events::publish))
        .route("/export", get(events::export))
        .layer(middleware::map_response(allow_any_origin));
    Router::new()
        .route("/", get(front).post(management::call).options(preflight))
        .route("/{file}", get(|Path(file): Path<String>| async move { page::file(&file) }))
        .route("/health/live", get(|| async { "alive\n" }))
        .route("/health/ready", get(ready))
        .route("/metrics", get(metrics::metrics))
        .route("/.well-known/nostr.json", get(views::nostr_json))
        .route("/api/openapi.json", get(openapi::document))
        .nest("/api/v1", views)
        .layer(middleware::from_fn_with_state(shared.clone(), in_time))
        .with_state(shared)
}

/// Ends a request that does not come to its end by itself, such as a body of a byte a minute.
async fn in_time(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let most = Duration::from_secs(shared.config.limits.request_secs);
    let answer = tokio::time::timeout(most, next.run(request)).await;
    answer.unwrap_or_else(|_| StatusCode::REQUEST_TIMEOUT.into_response())
}

/// The front: NIP-11 for those who ask for it, else the page.
async fn front(State(shared): State<Shared>, request: HeaderMap) -> Response {
    if answer::wants(&request, "application/nostr+json") {
        let mut document =
            answer::tagged(&request, "application/nostr+json", shared.relay.information());
        relay_headers(document.headers_mut());
        return document;
    }
    if shared.config.relay.only {
        return page::of_relay(&shared.information());
    }
    page::file("index.html")
}

async fn preflight() -> Response {
    let mut answer = StatusCode::NO_CONTENT.into_response();
    relay_headers(answer.headers_mut());
    answer
}

/// What NIP-11 asks for, so that any page may read the document.
fn relay_headers(headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers
        .insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("*, Authorization"));
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST, OPTIONS"),
    );
    headers.insert(header::VARY, HeaderValue::from_static("Accept, Upgrade"));
}

async fn allow_any_origin(mut answer: Response) -> Response {
    let headers = answer.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(
        HeaderName::from_static("access-control-expose-headers"),
        HeaderValue::from_static("ETag"),
    );
    answer
}

/// Ready once the writer takes events.
async fn ready(State(shared): State<Shared>) -> Response {
    if shared.backend.inbox().is_closed() {
        let reason = "the writer has stopped; see the log\n";
        return (StatusCode::SERVICE_UNAVAILABLE, reason).into_response();
    }
    "ready\n".into_response()
}
