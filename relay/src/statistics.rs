//! What the relay has done, in numbers, for whoever draws graphs of it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The verbs that are counted, in the order of [`Statistics::messages`]. `junk` is what could not
/// be read, `other` every verb that is not for relays.
pub const VERBS: [&str; 10] =
    ["EVENT", "AUTH", "REQ", "COUNT", "CLOSE", "NEG-OPEN", "NEG-MSG", "NEG-CLOSE", "other", "junk"];

/// One reading of the counters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Statistics {
    /// Connections open now, HTTP included.
    pub connections: u64,
    /// WebSocket conversations open now.
    pub conversations: u64,
    /// Connections accepted since the start.
    pub connections_total: u64,
    /// Connections turned away because of a cap.
    pub connections_refused: u64,
    /// Connections closed because they did not read.
    pub too_slow: u64,
    /// Subscriptions open now.
    pub subscriptions: u64,
    /// Messages received, by verb.
    pub messages: Vec<(&'static str, u64)>,
    /// EVENTs answered with OK true.
    pub accepted: u64,
    /// EVENTs answered with OK false.
    pub rejected: u64,
    /// Events verified.
    pub verified: u64,
    /// Live events handed to subscriptions.
    pub delivered: u64,
    /// Bytes received as messages.
    pub bytes_in: u64,
    /// Bytes sent as messages.
    pub bytes_out: u64,
}

/// The counters themselves, shared by every part of the relay.
#[derive(Debug, Default)]
pub struct Counters {
    pub conversations: AtomicU64,
    pub connections_total: AtomicU64,
    pub connections_refused: AtomicU64,
    pub too_slow: AtomicU64,
    pub messages: [AtomicU64; VERBS.len()],
    pub accepted: AtomicU64,
    pub rejected: AtomicU64,
    pub verified: AtomicU64,
    pub delivered: AtomicU64,
    pub bytes_in: AtomicU64,
    pub bytes_out: AtomicU64,
}

/// Adds to a counter.
pub fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Relaxed);
}

/// Takes from a counter of things that are open now.
pub fn sub(counter: &AtomicU64, count: usize) {
    counter.fetch_sub(u64::try_from(count).unwrap_or(0), Relaxed);
}

impl Counters {
    /// What they show now. Open connections and subscriptions are counted where they are kept.
    pub fn read(&self) -> Statistics {
        let value = |counter: &AtomicU64| counter.load(Relaxed);
        Statistics {
            connections: 0,
            conversations: value(&self.conversations),
            connections_total: value(&self.connections_total),
            connections_refused: value(&self.connections_refused),
            too_slow: value(&self.too_slow),
            subscriptions: 0,
            messages: VERBS.iter().copied().zip(self.messages.iter().map(value)).collect(),
            accepted: value(&self.accepted),
            rejected: value(&self.rejected),
            verified: value(&self.verified),
            delivered: value(&self.delivered),
            bytes_in: value(&self.bytes_in),
            bytes_out: value(&self.bytes_out),
        }
    }
}
