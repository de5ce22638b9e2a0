//! How often somebody may do something: one number for each who did anything lately.
//!
//! The number is the time at which all that was taken will have been earned again (the generic
//! cell rate algorithm). An allowance of 60 a minute lets 60 go at once and then one a second.
//! Pure: the clock is an argument.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};

/// Most that are remembered at a time. Beyond, nobody new is served until somebody is forgotten.
const REMEMBERED_MAX: usize = 65_536;

/// So many within so much time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// How many; 0 for any number.
    pub count: u32,
    /// Within how many milliseconds.
    pub window_ms: u64,
}

impl Allowance {
    /// So many a minute.
    #[must_use]
    pub const fn per_minute(count: u32) -> Self {
        Self { count, window_ms: 60_000 }
    }

    /// So many a day.
    #[must_use]
    pub const fn per_day(count: u32) -> Self {
        Self { count, window_ms: 86_400_000 }
    }
}

/// Who took how much lately.
#[derive(Debug, Clone)]
pub struct Rates<S> {
    earned_at_ms: HashMap<S, u64>,
}

impl<S> Default for Rates<S> {
    fn default() -> Self {
        Self { earned_at_ms: HashMap::new() }
    }
}

impl<S: Eq + Hash + Copy> Rates<S> {
    /// Takes one of each allowance, if all of them have one left.
    pub fn take<const N: usize>(&mut self, wanted: [(S, Allowance); N], now_ms: u64) -> bool {
        if !self.has_room(now_ms) {
            return false;
        }
        let due = |subject: &S| self.earned_at_ms.get(subject).copied().unwrap_or(0).max(now_ms);
        let next = wanted.map(|(subject, allowance)| {
            let Some(step) = allowance.window_ms.checked_div(u64::from(allowance.count)) else {
                return Some((subject, 0));
            };
            let after = due(&subject).saturating_add(step.max(1));
            (after.saturating_sub(now_ms) <= allowance.window_ms).then_some((subject, after))
        });
        if next.iter().any(Option::is_none) {
            return false;
        }
        let taken = next.into_iter().flatten().filter(|(_, after)| *after > now_ms);
        self.earned_at_ms.extend(taken);
        true
    }

    fn has_room(&mut self, now_ms: u64) -> bool {
        if self.earned_at_ms.len() >= REMEMBERED_MAX {
            self.earned_at_ms.retain(|_, earned_at_ms| *earned_at_ms > now_ms);
        }
        self.earned_at_ms.len() < REMEMBERED_MAX
    }
}

/// An address as it is counted: whoever has one of IPv6 has the whole /64 it is in.
#[must_use]
pub fn counted(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        four @ IpAddr::V4(_) => four,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_goes_at_once_and_then_one_at_a_time() {
        let (mut rates, three) = (Rates::default(), Allowance::per_minute(3));
        let mut take = |now_ms| rates.take([("ana", three)], now_ms);
        assert!(take(0) && take(0) && take(0) && !take(0));
        assert!(!take(19_999) && take(20_000) && !take(20_000));
        assert!(take(200_000) && take(200_000) && take(200_000) && !take(200_000));
    }

    #[test]
    fn nothing_is_taken_unless_all_is_granted() {
        let mut rates = Rates::default();
        let (minute, day) = (Allowance::per_minute(1), Allowance::per_day(2));
        let mut both = |now_ms| rates.take([(("ana", 'm'), minute), (("ana", 'd'), day)], now_ms);
        assert!(both(0) && !both(0));
        assert!(both(60_000), "the refusal before took nothing of the day");
        assert!(!both(120_000), "the day is used up");
        let free = Allowance::per_minute(0);
        assert!((0..1_000).all(|_| rates.take([(("ben", 'm'), free)], 0)));
        assert!(rates.take([(("ben", 'm'), minute)], 0));
    }

    #[test]
    fn who_is_remembered_is_bounded() {
        let (mut rates, one) = (Rates::default(), Allowance::per_minute(1));
        for stranger in 0..REMEMBERED_MAX {
            assert!(rates.take([(stranger, one)], 0));
        }
        assert!(!rates.take([(usize::MAX, one)], 59_999));
        assert!(rates.take([(usize::MAX, one)], 60_000), "the others are forgotten by now");
        assert_eq!(rates.earned_at_ms.len(), 1);
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one() {
        let same = ["2001:db8:1:2::1", "2001:db8:1:2:ffff::9"].map(|text| text.parse().unwrap());
        assert_eq!(counted(same[0]), counted(same[1]));
        assert_eq!(counted("::ffff:10.0.0.1".parse().unwrap()).to_string(), "10.0.0.1");
    }
}
