//! What a relay is told when it is made: its limits, its names, when it asks for AUTH, and what it
//! says of itself.

use std::net::IpAddr;

use ayni_protocol::Limits;

use crate::information::Information;

/// When the NIP-42 challenge is sent.
///
/// Some clients judge a relay by whether a challenge comes at once, others hold back every EOSE
/// while one is unanswered; so it is a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuthMode {
    /// First thing on every connection: right for a members' relay.
    #[default]
    OnConnect,
    /// When something is refused with `auth-required:`, right before the refusal.
    OnDemand,
}

/// Everything a [`Relay`](crate::Relay) is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What it enforces and advertises.
    pub limits: Limits,
    /// Every URL it is reached by (clearnet, onion, LAN). AUTH events must name one of them; with
    /// none, nobody can authenticate.
    pub public_urls: Vec<String>,
    /// When it asks for AUTH.
    pub auth: AuthMode,
    /// What its NIP-11 document says besides the limits.
    pub info: Information,
    /// Whether the backend answers a filter's `search` (NIP-50).
    pub search: bool,
    /// The path of the WebSocket, beside `/`, which always works.
    pub path: String,
    /// Reverse proxies whose `X-Forwarded-For` is believed when connections are counted by
    /// address. Nobody else's is.
    pub trusted_proxies: Vec<IpAddr>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            public_urls: Vec::new(),
            auth: AuthMode::default(),
            info: Information::default(),
            search: false,
            path: "/".into(),
            trusted_proxies: Vec::new(),
        }
    }
}
