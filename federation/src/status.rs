//! What an operator is told about a peer.

/// How it stands between us and a peer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PeerState {
    /// Not connected; the next attempt is waited for.
    #[default]
    Disconnected,
    /// An attempt is under way.
    Connecting,
    /// Connected, and the sets are being made equal.
    Syncing,
    /// Connected, and nothing that either side takes is known to be missing.
    InStep,
}

impl PeerState {
    /// The word for it in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disconnected => "disconnected",
            Self::Connecting => "connecting",
            Self::Syncing => "syncing",
            Self::InStep => "in step",
        }
    }
}

/// A peer as its operator sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeerStatus {
    /// How it stands.
    pub state: PeerState,
    /// Seconds since we were in step: 0 while we are, nothing if we never were.
    pub lag_secs: Option<u64>,
    /// Events the peer has and we are still to get.
    pub missing: usize,
    /// Events we have and the peer is still to get.
    pub missing_there: usize,
    /// Events of the peer that our own door refused for good.
    pub refused: usize,
    /// Events of ours that the peer refused in this connection.
    pub refused_there: usize,
    /// Events the peer promised and did not give since the last reconciliation.
    pub withheld: usize,
    /// Events stored here that came from this peer, since this node started.
    pub received: u64,
    /// Events that the peer took from us, since this node started.
    pub sent: u64,
    /// Attempts that failed since the last reconciliation.
    pub failures: u32,
    /// What went wrong last, as a sentence.
    pub last_error: Option<String>,
    /// When that was, in unix seconds; filled in by the driver, which knows the time of day.
    pub last_error_at: Option<u64>,
}
