//! Where time and randomness enter the house. Everything below takes them as arguments.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ayni_protocol::Timestamp;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// Unix seconds by this machine's clock; 0 if it stands before 1970.
#[must_use]
pub fn now() -> Timestamp {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Ticks now, and then as often as `period` says. A machine that slept or stood still is not made up
/// for: it ticks once, not as often as it has missed.
#[must_use]
pub fn every(period: Duration) -> Interval {
    let mut every = interval(period);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    every
}

/// Fresh bytes from the operating system.
///
/// # Panics
/// Where the operating system has none to give: no key made then would be safe.
#[must_use]
pub fn entropy<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[expect(clippy::expect_used, reason = "without randomness no key or signature is safe")]
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}
