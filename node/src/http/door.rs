//! The HTTP half of the one address: what the relay's listener hands over when a request is no
//! WebSocket upgrade.

use std::net::SocketAddr;

use axum::Router;
use ayni_relay::{HttpDoor, Replayed};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tower::ServiceExt as _;

/// Serves a router on connections that the relay accepted.
#[derive(Clone)]
pub struct Door(pub Router);

impl HttpDoor for Door {
    async fn serve(&self, stream: Replayed, peer: SocketAddr) {
        let router = self.0.clone().map_request(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(peer);
            request
        });
        let service = TowerToHyperService::new(router);
        let served = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(std::time::Duration::from_secs(30))
            .serve_connection(TokioIo::new(stream), service)
            .await;
        if let Err(error) = served {
            tracing::debug!(%peer, %error, "an HTTP connection ended early");
        }
    }
}
