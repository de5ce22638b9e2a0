//! How much one connection may ask for, and when it counts as gone.
//!
//! Time is milliseconds since the connection began, handed in; nothing here reads a clock.

use ayni_protocol::Limits;

/// Bytes that may be sent, as a bucket that starts full and fills again evenly.
///
/// Nothing is refused for its sake. Where more was taken than was there the socket is not read
/// until it has filled again, so an honest sender waits in TCP and loses nothing.
#[derive(Debug)]
pub struct Allowance {
    per_sec: i64,
    /// Thousandths of a byte, so that filling needs no fractions; below 0 it is overdrawn.
    level: i64,
    full: i64,
    filled_at_ms: u64,
}

impl Allowance {
    /// A full bucket.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let full = signed(limits.inbound_burst_bytes).saturating_mul(1_000);
        let per_sec = signed(limits.inbound_bytes_per_sec).max(1);
        Self { per_sec, level: full, full, filled_at_ms: 0 }
    }

    /// Takes bytes out, even where they are not there.
    pub fn take(&mut self, bytes: u64) {
        self.level = self.level.saturating_sub(signed(bytes).saturating_mul(1_000));
    }

    /// Fills what time has given.
    pub fn fill(&mut self, clock_ms: u64) {
        let passed_ms = signed(clock_ms.saturating_sub(self.filled_at_ms));
        self.filled_at_ms = self.filled_at_ms.max(clock_ms);
        let given = passed_ms.saturating_mul(self.per_sec);
        self.level = self.level.saturating_add(given).min(self.full);
    }

    /// When it will no longer be overdrawn; nothing if it is not.
    #[must_use]
    pub fn overdrawn_until_ms(&self) -> Option<u64> {
        let missing = self.level.saturating_neg();
        let ms = missing.saturating_add(self.per_sec - 1) / self.per_sec;
        (missing > 0).then(|| self.filled_at_ms.saturating_add(ms.unsigned_abs()))
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Events that were taken in and have no OK yet, by their bytes.
///
/// When this is full the socket is not read further: the sender waits in TCP, nothing is refused.
#[derive(Debug, Default)]
pub struct InFlight {
    bytes: usize,
    /// Whether whoever checks signatures has time for more.
    spare: bool,
}

impl InFlight {
    /// Whether another event may be taken in. Two largest messages fit, so a peer that sends
    /// ordinary notes has hundreds under way and the writer can commit them together; eight fit
    /// while there is time to spare, so that a single loader keeps all cores busy while the disk
    /// syncs what it sent before.
    #[must_use]
    pub const fn has_room(&self, limits: &Limits) -> bool {
        self.bytes < limits.message_bytes.saturating_mul(if self.spare { 8 } else { 2 })
    }

    /// Says whether there is time to spare.
    pub const fn set_spare(&mut self, spare: bool) {
        self.spare = spare;
    }

    /// Whether nothing waits for its OK.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Whether nothing waits but an event of this weight.
    #[must_use]
    pub const fn is_only(&self, weight: usize) -> bool {
        self.bytes == weight
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
        let limits =
            Limits { inbound_bytes_per_sec: 10, inbound_burst_bytes: 100, ..Limits::default() };
        let mut allowance = Allowance::new(&limits);
        allowance.take(100);
        assert_eq!(allowance.overdrawn_until_ms(), None, "what was saved up");
        allowance.take(1);
        assert_eq!(allowance.overdrawn_until_ms(), Some(100));
        allowance.fill(99);
        assert_eq!(allowance.overdrawn_until_ms(), Some(100));
        allowance.fill(100);
        assert_eq!(allowance.overdrawn_until_ms(), None);
        allowance.fill(3_600_000);
        allowance.fill(1);
        allowance.take(101);
        assert_eq!(allowance.overdrawn_until_ms(), Some(3_600_100), "no more than that is saved");
    }

    #[test]
    fn a_bucket_that_gives_nothing_is_not_waited_for_in_vain() {
        let limits =
            Limits { inbound_bytes_per_sec: 0, inbound_burst_bytes: 0, ..Limits::default() };
        let mut allowance = Allowance::new(&limits);
        allowance.take(u64::MAX);
        allowance.take(u64::MAX);
        assert!(allowance.overdrawn_until_ms().is_some());
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
