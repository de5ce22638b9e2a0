//! A limit on everything, in this one file.
//!
//! NIP-11 advertises these numbers and the relay enforces them, from the same values. Each has the
//! reason beside it; what other relays use is in the design notes that these were taken from.

use serde::{Deserialize, Serialize};

/// How deep a value may nest that nobody reads. The events and filters that are read nest three
/// deep; this is checked while reading, before anything is built.
pub const JSON_DEPTH: usize = 8;

/// Frames of one WebSocket message, beyond which it is no honest one.
pub const MESSAGE_FRAMES: u32 = 1_024;

/// What protects a node from its clients and its peers. Every number can be configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of one WebSocket message. Twice an event, so that a frame around one always fits.
    pub message_bytes: usize,
    /// Bytes of one event's canonical JSON.
    pub event_bytes: usize,
    /// Tags of one event. Contact lists have thousands.
    pub event_tags: usize,
    /// Bytes of the first value of a single-letter tag, which is what the index holds.
    pub tag_value_bytes: usize,
    /// Bytes of a subscription id (NIP-01 says 64 characters).
    pub subscription_id_chars: usize,
    /// Open subscriptions of one connection. Some clients open one per filter, 100 at once.
    pub subscriptions: usize,
    /// Filters of one REQ or COUNT.
    pub filters: usize,
    /// Tag attributes of one filter, such as `#p`. More than three are nobody's query.
    pub filter_tags: usize,
    /// Values in all lists of one filter together. A feed names every followed author.
    pub filter_values: usize,
    /// Events a filter returns where it names no limit.
    pub default_limit: usize,
    /// Events a filter returns at most.
    pub max_limit: usize,
    /// Seconds an event's `created_at` may lie in the future.
    pub future_secs: u64,
    /// Seconds a fresh economy event's `created_at` may differ from this node's clock
    /// (protocol section 1).
    pub economy_window_secs: u64,
    /// Seconds a NIP-42 event's `created_at` may differ from this node's clock.
    pub auth_window_secs: u64,
    /// AUTH events of one connection, right or wrong; every further one is refused and counts as
    /// junk.
    pub auth_attempts: u32,
    /// Keys one connection may authenticate.
    pub auth_keys: usize,
    /// Connections in all.
    pub connections: usize,
    /// Connections of one address. Many people share one behind a carrier's NAT.
    pub connections_per_address: usize,
    /// Seconds from accepting a socket to its first byte.
    pub first_byte_secs: u64,
    /// Seconds from there to the end of its request head, however slowly it comes.
    pub handshake_secs: u64,
    /// Seconds that an HTTP request may take to come and to be looked at; its answer may be read
    /// as slowly as the connection allows.
    pub request_secs: u64,
    /// Seconds of silence after which a connection is pinged.
    pub ping_secs: u64,
    /// Seconds of silence after which it is closed.
    pub idle_secs: u64,
    /// Bytes waiting to be sent to one connection before it is closed as too slow.
    pub outbound_bytes: usize,
    /// Bytes one connection may send a second, of which it may save up `inbound_burst_bytes`.
    /// Beyond, its socket is not read for a while: nothing is refused, the sender waits. This much
    /// lets a loader on the same machine be as fast as its duplicates can be told; on an open
    /// address 131072 with a burst of 4194304 is ample.
    pub inbound_bytes_per_sec: u64,
    /// Bytes one connection may send at once.
    pub inbound_burst_bytes: u64,
    /// What every message costs of these beside its own bytes, since reading one is work.
    pub message_cost_bytes: u64,
    /// What a message costs that is no message, or an event that its author did not sign: about a
    /// thousand are had at once, and a thousand a second.
    pub junk_cost_bytes: u64,
    /// Seconds that the answer to one REQ, COUNT or NEG-OPEN may be worked on, with the pauses in
    /// which others are let in.
    pub query_secs: u64,
    /// Negentropy sessions of one connection (NIP-77).
    pub reconciliations: usize,
    /// Events one negentropy session may cover.
    pub reconciliation_events: usize,
    /// Bytes of one negentropy message before hex.
    pub reconciliation_bytes: u64,
    /// Events of all connections waiting for the check of their signature before more are refused.
    pub verify_queue: usize,
    /// Events waiting for the writer before their senders wait.
    pub writer_queue: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 131_072,
            event_bytes: 65_536,
            event_tags: 2_500,
            tag_value_bytes: 1_024,
            subscription_id_chars: 64,
            subscriptions: 200,
            filters: 20,
            filter_tags: 3,
            filter_values: 5_000,
            default_limit: 500,
            max_limit: 1_000,
            future_secs: 900,
            economy_window_secs: 900,
            auth_window_secs: 600,
            auth_attempts: 32,
            auth_keys: 8,
            connections: 4_096,
            connections_per_address: 256,
            first_byte_secs: 3,
            handshake_secs: 5,
            request_secs: 30,
            ping_secs: 50,
            idle_secs: 180,
            outbound_bytes: 4 << 20,
            inbound_bytes_per_sec: 256 << 20,
            inbound_burst_bytes: 256 << 20,
            message_cost_bytes: 256,
            junk_cost_bytes: 262_144,
            query_secs: 5,
            reconciliations: 4,
            reconciliation_events: 1_000_000,
            reconciliation_bytes: 60_000,
            verify_queue: 8_192,
            writer_queue: 8_192,
        }
    }
}
