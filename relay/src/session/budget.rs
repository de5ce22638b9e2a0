//! How much one connection may ask for, and when it counts as gone.
//!
//! Time is milliseconds since the connection began, handed in; nothing here reads a clock.

use ayni_protocol::Limits;

/// Messages a minute, as a bucket that starts full and fills again evenly.
#[derive(Debug)]
pub struct Allowance {
    per_minute: u64,
    /// Thousandths of 1/60 of a message, so that filling needs no fractions.
    level: u64,
    filled_at_ms: u64,
}

/// What one message costs, and what a bucket of one message a minute gains in a minute.
const MESSAGE: u64 = 60_000;

impl Allowance {
    /// A full bucket.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let per_minute = u64::from(limits.messages_per_minute);
        Self { per_minute, level: per_minute * MESSAGE, filled_at_ms: 0 }
    }

    /// Takes one message from the bucket, if there is one.
    pub fn take(&mut self, clock_ms: u64) -> bool {
        let passed_ms = clock_ms.saturating_sub(self.filled_at_ms).min(MESSAGE);
        self.filled_at_ms = self.filled_at_ms.max(clock_ms);
        let full = self.per_minute * MESSAGE;
        self.level = (self.level + passed_ms * self.per_minute).min(full);
        let enough = self.level >= MESSAGE;
        if enough {
            self.level -= MESSAGE;
        }
        enough
    }
}

/// Events that were taken in and have no OK yet, by their bytes.
///
/// When this is full the socket is not read further: the sender waits in TCP, nothing is refused.
#[derive(Debug, Default)]
pub struct InFlight {
    bytes: usize,
}

impl InFlight {
    /// Whether another event may be taken in. Two largest messages fit, so a peer that sends
    /// ordinary notes has hundreds under way and the writer can commit them together.
    #[must_use]
    pub const fn has_room(&self, limits: &Limits) -> bool {
        self.bytes < limits.message_bytes.saturating_mul(2)
    }

    /// Whether nothing waits for its OK.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// An event was taken in. Its weight is at least 1.
    pub const fn enter(&mut self, weight: usize) {
        self.bytes = self.bytes.saturating_add(weight);
    }

    /// An event got its OK.
    pub const fn leave(&mut self, weight: usize) {
        self.bytes = self.bytes.saturating_sub(weight);
    }
}

/// Whether the other side still lives.
#[derive(Debug, Default)]
pub struct Pulse {
    heard_at_ms: u64,
    pinged: bool,
}

/// What silence calls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// Nothing yet.
    Fine,
    /// Ask whether anyone is there.
    Ping,
    /// Nobody is.
    Gone,
}

impl Pulse {
    /// Something was heard, be it a pong.
    pub const fn heard(&mut self, clock_ms: u64) {
        self.heard_at_ms = clock_ms;
        self.pinged = false;
    }

    /// When to look again.
    #[must_use]
    pub fn deadline_ms(&self, limits: &Limits) -> u64 {
        let secs =
            if self.pinged { limits.idle_secs } else { limits.ping_secs.min(limits.idle_secs) };
        self.heard_at_ms.saturating_add(secs.saturating_mul(1_000))
    }

    /// What the silence so far calls for. A ping is asked for once a silence.
    pub fn look(&mut self, clock_ms: u64, limits: &Limits) -> Silence {
        let silent_ms = clock_ms.saturating_sub(self.heard_at_ms);
        if silent_ms >= limits.idle_secs.saturating_mul(1_000) {
            return Silence::Gone;
        }
        if !self.pinged && silent_ms >= limits.ping_secs.saturating_mul(1_000) {
            self.pinged = true;
            return Silence::Ping;
        }
        Silence::Fine
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bucket_fills_again_evenly() {
        let mut allowance = Allowance::new(&Limits { messages_per_minute: 3, ..Limits::default() });
        assert_eq!([0, 0, 0, 0].map(|ms| allowance.take(ms)), [true, true, true, false]);
        assert!(!allowance.take(19_999));
        assert!(allowance.take(20_000));
        assert!(!allowance.take(20_000));
        assert_eq!([900_000; 4].map(|ms| allowance.take(ms)), [true, true, true, false]);
        assert!(!allowance.take(1), "a clock that goes back gives nothing");
    }

    #[test]
    fn silence_is_pinged_once_and_then_closed() {
        let limits = Limits { ping_secs: 10, idle_secs: 30, ..Limits::default() };
        let mut pulse = Pulse::default();
        assert_eq!(pulse.deadline_ms(&limits), 10_000);
        let looks = [9_999, 10_000, 29_999, 30_000].map(|ms| pulse.look(ms, &limits));
        assert_eq!(looks, [Silence::Fine, Silence::Ping, Silence::Fine, Silence::Gone]);
        pulse.heard(31_000);
        assert_eq!(pulse.deadline_ms(&limits), 41_000);
        assert_eq!(pulse.look(41_000, &limits), Silence::Ping);
        assert_eq!(pulse.deadline_ms(&limits), 61_000);
    }
}
