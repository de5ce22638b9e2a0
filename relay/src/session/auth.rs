//! Who is on this connection (NIP-42).
//!
//! One challenge a connection, any number of keys up to the limit, and the event must name one of
//! this relay's configured URLs: with the challenge alone a relay in the middle could pass on what
//! was signed for it. URLs are compared by host and path, because clients write ws for wss, add or
//! drop the last slash, and spell hosts in any case.

use ayni_protocol::relay_url::normalised;
use ayni_protocol::{Event, Limits, Rejection, Tag, Timestamp, kind};

/// The state of authentication on one connection.
#[derive(Debug)]
pub struct Auth {
    challenge: String,
    announced: bool,
    attempts: u32,
    checking: u32,
}

impl Auth {
    /// Nobody has authenticated. The challenge is fresh randomness.
    #[must_use]
    pub const fn new(challenge: String) -> Self {
        Self { challenge, announced: false, attempts: 0, checking: 0 }
    }

    /// The challenge, the first time only.
    pub fn announce(&mut self) -> Option<&str> {
        if std::mem::replace(&mut self.announced, true) { None } else { Some(&self.challenge) }
    }

    /// Whether an AUTH is still being checked; what follows it must wait to be judged by it.
    #[must_use]
    pub const fn is_checking(&self) -> bool {
        self.checking > 0
    }

    /// Takes an AUTH event in, before its signature is checked.
    ///
    /// # Errors
    /// What is wrong with it, for its OK.
    pub fn begin(
        &mut self,
        event: &Event,
        urls: &[String],
        limits: &Limits,
        now: Timestamp,
    ) -> Result<(), Rejection> {
        if self.attempts >= limits.auth_attempts {
            let sentence = "too many AUTH events on this connection; open another one";
            return Err(Rejection::new(ayni_protocol::Prefix::RateLimited, sentence));
        }
        self.attempts += 1;
        self.check(event, urls, limits, now)?;
        self.checking += 1;
        Ok(())
    }

    /// The signature of an AUTH that was taken in has been checked.
    pub const fn end(&mut self) {
        self.checking = self.checking.saturating_sub(1);
    }

    fn check(
        &self,
        event: &Event,
        urls: &[String],
        limits: &Limits,
        now: Timestamp,
    ) -> Result<(), Rejection> {
        if event.kind != kind::AUTH {
            return Err(Rejection::invalid("an AUTH event must be of kind 22242"));
        }
        if event.created_at.abs_diff(now) > limits.auth_window_secs {
            return Err(Rejection::invalid("created_at is too far from this relay's clock"));
        }
        let tagged = |name| event.tags.named(name).next().and_then(Tag::value);
        if tagged("challenge") != Some(self.challenge.as_str()) {
            return Err(Rejection::invalid("the challenge is not this connection's"));
        }
        let named = tagged("relay").and_then(normalised);
        if !named.is_some_and(|url| urls.contains(&url)) {
            return Err(Rejection::invalid("the relay tag names another relay's URL"));
        }
        Ok(())
    }
}
