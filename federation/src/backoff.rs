//! How long to wait before the next attempt: longer each time, and never quite the same.
//!
//! The jitter keeps the peers of a node that restarted from coming back in one moment.

use crate::{Millis, Terms};

/// The attempts that failed since the last good one, and the lies.
#[derive(Debug)]
pub struct Backoff {
    failures: u32,
    lies: u32,
    entropy: u64,
}

impl Backoff {
    /// Nothing has failed yet. `entropy` decides the jitter.
    pub const fn new(entropy: u64) -> Self {
        Self { failures: 0, lies: 0, entropy }
    }

    /// One more attempt failed: how long to wait.
    pub fn failed(&mut self, terms: &Terms) -> Millis {
        let wait = grown(terms.backoff_first_ms, 2, self.failures).min(terms.backoff_max_ms);
        self.failures = self.failures.saturating_add(1);
        self.jittered(wait)
    }

    /// The peer lied: how long to wait.
    pub fn lied(&mut self, terms: &Terms) -> Millis {
        let wait = grown(terms.lie_first_ms, 4, self.lies).min(terms.lie_max_ms);
        self.lies = self.lies.saturating_add(1);
        self.jittered(wait)
    }

    /// A reconciliation went through: a failure to come is the first again.
    pub const fn reconciled(&mut self) {
        self.failures = 0;
    }

    /// The peer did well for long enough that old lies are forgotten.
    pub const fn behaved(&mut self) {
        self.lies = 0;
    }

    /// Attempts that failed since the last reconciliation.
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// Between half of `wait` and all of it.
    const fn jittered(&mut self, wait: Millis) -> Millis {
        // The step of SplitMix64: one seed gives as many independent numbers as are needed.
        self.entropy = self.entropy.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.entropy ^ (self.entropy >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let half = wait / 2;
        wait - half + (mixed ^ (mixed >> 31)) % (half + 1)
    }
}

/// `first * factor ^ times`, without overflow.
pub const fn grown(first: Millis, factor: u64, times: u32) -> Millis {
    first.saturating_mul(factor.saturating_pow(times))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_tries_are_quick_and_the_last_are_bounded() {
        for seed in 0..200 {
            let (mut backoff, terms) = (Backoff::new(seed), Terms::default());
            let waits: Vec<_> = (0..80).map(|_| backoff.failed(&terms)).collect();
            assert!(waits[..4].iter().all(|wait| *wait <= 2_000), "{waits:?}");
            assert!(waits.iter().all(|wait| *wait >= 125 && *wait <= terms.backoff_max_ms));
            assert!(waits[20..].iter().all(|wait| *wait >= terms.backoff_max_ms / 2));
            backoff.reconciled();
            assert!(backoff.failed(&terms) <= terms.backoff_first_ms);
        }
    }

    #[test]
    fn lies_cost_more_and_are_forgotten_only_for_good_conduct() {
        let (mut backoff, terms) = (Backoff::new(7), Terms::default());
        let first = backoff.lied(&terms);
        backoff.reconciled();
        let second = backoff.lied(&terms);
        assert!(first >= 30_000 && second >= 120_000);
        assert!((0..50).map(|_| backoff.lied(&terms)).all(|wait| wait <= terms.lie_max_ms));
        backoff.behaved();
        assert!(backoff.lied(&terms) <= terms.lie_first_ms);
    }

    #[test]
    fn two_peers_do_not_come_back_together() {
        let terms = Terms::default();
        let waits = [1, 2].map(|seed| {
            let mut backoff = Backoff::new(seed);
            [(); 8].map(|()| backoff.failed(&terms))
        });
        assert_ne!(waits[0], waits[1]);
    }
}
