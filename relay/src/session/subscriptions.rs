//! What a connection subscribed to: the stored events first, then EOSE, then what comes.
//!
//! Nothing is missed and nothing sent twice around the stored query, by comparing positions. The
//! subscription is in the live index before the query begins; the query notes the newest position
//! `p` first and leaves out what is stored above it; live events at or below `p` are dropped,
//! those above wait until EOSE is sent. So each event comes from exactly one side.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use ayni_protocol::wire::{self, Rest};
use ayni_protocol::{Filter, Limits, Prefix, Rejection};
use bytes::Bytes;

use super::frame::{Frame, Live};

/// What a query found, with the position it looked up to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Every event once, newest first filter by filter.
    pub events: Vec<Bytes>,
    /// Nothing above this position is among them.
    pub position: u64,
    /// What is known of those that were not found.
    pub rest: Rest,
}

#[derive(Debug)]
struct Subscription {
    name: String,
    head: Arc<str>,
    values: usize,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// The query is not answered; what came meanwhile.
    Asked { held: Vec<Arc<Live>> },
    /// The answer is being sent.
    Streaming { found: std::vec::IntoIter<Bytes>, position: u64, rest: Rest, held: Vec<Arc<Live>> },
    /// EOSE was sent.
    Live { position: u64 },
}

/// The subscriptions of one connection.
#[derive(Debug, Default)]
pub struct Subscriptions {
    names: BTreeMap<String, u64>,
    /// Boxed, because a node of the map has room for eleven.
    open: BTreeMap<u64, Box<Subscription>>,
    /// Which answers are being sent, in the order of their coming.
    streams: VecDeque<u64>,
    /// Bytes of live events that wait for an EOSE.
    held_bytes: usize,
    /// Values in all lists of all open filters.
    values: usize,
}

impl Subscriptions {
    /// How many are open.
    #[must_use]
    pub fn count(&self) -> usize {
        self.open.len()
    }

    /// Bytes of live events that wait for an EOSE.
    #[must_use]
    pub const fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Stored events that were found and not sent yet.
    #[must_use]
    pub fn backlog(&self) -> usize {
        let left = |key: &u64| match self.open.get(key).map(|open| &open.stage) {
            Some(Stage::Streaming { found, .. }) => found.len(),
            _ => 0,
        };
        self.streams.iter().map(left).sum()
    }

    /// Opens a subscription under a fresh key. One of the same name must be closed before.
    ///
    /// # Errors
    /// `rate-limited:` where the connection has too many, or they name too much together.
    pub fn open(
        &mut self,
        name: &str,
        key: u64,
        filters: &[Filter],
        limits: &Limits,
    ) -> Result<(), Rejection> {
        if self.open.len() >= limits.subscriptions {
            let most = limits.subscriptions;
            let sentence = format!("at most {most} subscriptions a connection; close one first");
            return Err(Rejection::new(Prefix::RateLimited, sentence));
        }
        let values: usize = filters.iter().map(Filter::values).sum();
        // All open filters together may name what one largest REQ may name.
        if self.values + values > limits.filter_values.saturating_mul(limits.filters) {
            let sentence = "the open subscriptions name too many values together; close one first";
            return Err(Rejection::new(Prefix::RateLimited, sentence));
        }
        self.values += values;
        let head = wire::event_head(name).into();
        let stage = Stage::Asked { held: Vec::new() };
        self.names.insert(name.to_owned(), key);
        let subscription = Subscription { name: name.to_owned(), head, values, stage };
        self.open.insert(key, Box::new(subscription));
        Ok(())
    }

    /// Closes the subscription of this name and gives its key.
    pub fn close(&mut self, name: &str) -> Option<u64> {
        let key = self.names.remove(name)?;
        self.forget(key);
        Some(key)
    }

    /// Closes the subscription of this key and gives its name.
    pub fn close_key(&mut self, key: u64) -> Option<String> {
        let name = self.forget(key)?;
        self.names.remove(&name);
        Some(name)
    }

    /// Closes all and gives keys and names.
    pub fn close_all(&mut self) -> Vec<(u64, String)> {
        let all = std::mem::take(self);
        all.open.into_iter().map(|(key, subscription)| (key, subscription.name)).collect()
    }

    fn forget(&mut self, key: u64) -> Option<String> {
        let subscription = self.open.remove(&key)?;
        self.values -= subscription.values;
        self.streams.retain(|other| *other != key);
        if let Stage::Asked { held } | Stage::Streaming { held, .. } = &subscription.stage {
            let weight = weight(&subscription.head, held);
            self.held_bytes = self.held_bytes.saturating_sub(weight);
        }
        Some(subscription.name)
    }

    /// The stored events have been found. Tells whether the subscription is still open.
    pub fn found(&mut self, key: u64, found: Found) -> bool {
        let Some(subscription) = self.open.get_mut(&key) else { return false };
        let Stage::Asked { held } = &mut subscription.stage else { return true };
        let held = std::mem::take(held);
        let Found { events, position, rest } = found;
        subscription.stage = Stage::Streaming { found: events.into_iter(), position, rest, held };
        self.streams.push_back(key);
        true
    }

    /// A live event for this subscription: the frame to send now, if any.
    pub fn live(&mut self, key: u64, live: &Arc<Live>) -> Option<Frame> {
        let subscription = self.open.get_mut(&key)?;
        match &mut subscription.stage {
            Stage::Asked { held } | Stage::Streaming { held, .. } => {
                self.held_bytes += subscription.head.len() + live.json.len() + 1;
                held.push(Arc::clone(live));
                None
            }
            Stage::Live { position } => {
                is_new(live, *position).then(|| event_frame(&subscription.head, live))
            }
        }
    }

    /// The next frame of the answers that are being sent. With an EOSE come the live events that
    /// waited for it.
    pub fn next_frame(&mut self) -> Option<(Frame, Vec<Frame>)> {
        let key = *self.streams.front()?;
        let subscription = self.open.get_mut(&key)?;
        let Stage::Streaming { found, position, rest, held } = &mut subscription.stage else {
            return None;
        };
        if let Some(json) = found.next() {
            return Some((Frame::Event { head: Arc::clone(&subscription.head), json }, Vec::new()));
        }
        let (position, rest) = (*position, *rest);
        let held = std::mem::take(held);
        self.held_bytes = self.held_bytes.saturating_sub(weight(&subscription.head, &held));
        subscription.stage = Stage::Live { position };
        self.streams.pop_front();
        let news = held.iter().filter(|live| is_new(live, position));
        let news = news.map(|live| event_frame(&subscription.head, live)).collect();
        Some((Frame::Text(wire::eose(&subscription.name, rest)), news))
    }
}

/// Whether the stored query that looked up to `position` has not sent this event.
fn is_new(live: &Live, position: u64) -> bool {
    live.position.is_none_or(|stored| stored > position)
}

fn event_frame(head: &Arc<str>, live: &Live) -> Frame {
    Frame::Event { head: Arc::clone(head), json: live.json.clone() }
}

fn weight(head: &str, held: &[Arc<Live>]) -> usize {
    held.iter().map(|live| head.len() + live.json.len() + 1).sum()
}
