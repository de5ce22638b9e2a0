//! The HTTP half of the one address: what the relay's listener hands over when a request is no
//! WebSocket upgrade.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::http::HeaderMap;
use ayni_relay::{HttpDoor, Replayed};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tower::ServiceExt as _;

/// Serves a router on connections that the relay accepted.
#[derive(Clone)]
pub struct Door {
    /// What is served.
    pub router: Router,
    /// Reverse proxies that are believed when they say whom they ask for.
    pub trusted_proxies: Arc<[IpAddr]>,
}

/// Who asks: the address of the connection, or what a trusted proxy vouches for. Requests of
/// several people come over one connection of a proxy, so it is found anew for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller(pub IpAddr);

impl Caller {
    fn of(peer: IpAddr, request: &HeaderMap, trusted_proxies: &[IpAddr]) -> Self {
        let peer = peer.to_canonical();
        let vouched_for = || {
            let chain = request.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
            chain.rsplit(',').next()?.trim().parse::<IpAddr>().ok()
        };
        let found = if trusted_proxies.contains(&peer) { vouched_for() } else { None };
        Self(found.map_or(peer, |address| address.to_canonical()))
    }
}

impl HttpDoor for Door {
    async fn serve(&self, stream: Replayed, peer: SocketAddr) {
        let trusted_proxies = Arc::clone(&self.trusted_proxies);
        let router = self.router.clone().map_request(move |request: hyper::Request<Incoming>| {
            let mut request = request;
            let caller = Caller::of(peer.ip(), request.headers(), &trusted_proxies);
            request.extensions_mut().insert(peer);
            request.extensions_mut().insert(caller);
            request
        });
        let service = TowerToHyperService::new(router);
        let served = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(std::time::Duration::from_secs(30))
            // Whether a connection becomes a WebSocket is seen at its first request only. A proxy
            // that kept it open and sent an upgrade over it later would be given the page.
            .keep_alive(false)
            .serve_connection(TokioIo::new(stream), service)
            .await;
        if let Err(error) = served {
            tracing::debug!(%peer, %error, "an HTTP connection ended early");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_believed_only_if_it_is_trusted() {
        let [proxy, other]: [IpAddr; 2] =
            ["10.0.0.1", "10.0.0.2"].map(|text| text.parse().unwrap());
        let mut request = HeaderMap::new();
        let caller = |peer, request: &HeaderMap| Caller::of(peer, request, &[proxy]).0.to_string();
        assert_eq!(caller(proxy, &request), "10.0.0.1");
        request.append("x-forwarded-for", "1.1.1.1".parse().unwrap());
        // What the client claims stands first; what the proxy adds stands last.
        request.append("x-forwarded-for", "6.6.6.6, 203.0.113.7".parse().unwrap());
        assert_eq!(caller(proxy, &request), "203.0.113.7");
        assert_eq!(caller(other, &request), "10.0.0.2");
    }
}
