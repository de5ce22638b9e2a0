//! A part of a whole, in millionths, rounded down: exact enough to read, equal on every machine.

use std::fmt;

const MILLION: i128 = 1_000_000;

/// From nothing (0) to all (1 000 000).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(i32);

impl Share {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// All.
    pub const ALL: Self = Self(1_000_000);

    /// What `part` is of `whole`, between nothing and all; none of nothing.
    #[must_use]
    pub fn of(part: i128, whole: i128) -> Option<Self> {
        let ratio = Ratio::of(part, whole)?;
        Some(Self(i32::try_from(ratio.0.min(Self::ALL.0.into())).unwrap_or(Self::ALL.0)))
    }

    /// In millionths.
    #[must_use]
    pub const fn millionths(self) -> i32 {
        self.0
    }

    /// In whole hundredths, rounded to the nearest.
    #[must_use]
    pub const fn percent(self) -> i32 {
        (self.0 + 5_000) / 10_000
    }

    /// What is missing to all.
    #[must_use]
    pub const fn rest(self) -> Self {
        Self(1_000_000 - self.0)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

impl serde::Serialize for Share {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// How many times something goes into something else, in millionths, rounded down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ratio(i64);

impl Ratio {
    /// How many times `whole` goes into `part`, never below nothing; none for a whole of nothing.
    #[must_use]
    pub fn of(part: i128, whole: i128) -> Option<Self> {
        if whole <= 0 {
            return None;
        }
        // Large numbers are halved alike, so that no product overflows.
        let (mut part, mut whole) = (part.max(0), whole);
        while part > i128::MAX / MILLION {
            (part, whole) = (part / 2, whole / 2);
        }
        let millionths = part * MILLION / whole.max(1);
        Some(Self(i64::try_from(millionths).unwrap_or(i64::MAX)))
    }

    /// In millionths.
    #[must_use]
    pub const fn millionths(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

impl serde::Serialize for Ratio {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_lies_between_nothing_and_all() {
        assert_eq!(Share::of(1, 3).unwrap().to_string(), "0.333333");
        assert_eq!(Share::of(7, 3), Some(Share::ALL));
        assert_eq!(Share::of(-7, 3), Some(Share::NONE));
        assert_eq!(Share::of(1, 0), None);
        assert_eq!(Share::of(i128::MAX / 4, i128::MAX / 2).unwrap().percent(), 50);
        assert_eq!(Ratio::of(7, 2).unwrap().to_string(), "3.500000");
        assert_eq!(Ratio::of(i128::MAX, 1), Some(Ratio(i64::MAX)));
    }

    #[test]
    fn hundredths_are_rounded_to_the_nearest() {
        let percent = |part| Share::of(part, 1_000).unwrap().percent();
        assert_eq!([percent(4), percent(5), percent(994), percent(995)], [0, 1, 99, 100]);
        assert_eq!(Share::of(1, 4).unwrap().rest().to_string(), "0.750000");
    }
}
