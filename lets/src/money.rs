//! A sum as people read it: whole minor units with the currency's decimals, below zero too.
//!
//! Amounts that are written in events never carry a sign; balances and totals do.

use std::fmt;

use ayni_protocol::Scale;

/// A signed sum of a currency. Serialises as the protocol's decimal string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Money {
    /// Whole minor units.
    pub minor: i128,
    /// The currency's decimals.
    pub scale: Scale,
}

impl Money {
    /// A sum of minor units.
    pub fn new(minor: impl Into<i128>, scale: Scale) -> Self {
        Self { minor: minor.into(), scale }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.scale.format(self.minor))
    }
}

impl serde::Serialize for Money {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_written_as_the_currency_writes_amounts() {
        let scale = Scale::new(2).unwrap();
        let json = serde_json::to_string(&Money::new(-805_i64, scale)).unwrap();
        assert_eq!(json, "\"-8.05\"");
    }
}
