//! Amounts: whole minor units inside, canonical decimal text outside (protocol section 1).
//!
//! `1.5` is not an amount of a currency with two decimals: one value has one spelling, so that an
//! order and the attestation that repeats it can be compared as text by anyone. Nothing here is a
//! float, and no sum of amounts is ever held in less than an `i128`.

use std::fmt;

/// Greatest amount a single leg or limit may hold, in minor units (protocol section 1).
pub const MINOR_MAX: i64 = 1_000_000_000_000_000;

/// Number of decimals of a currency, 0 to 6; it never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Scale(u8);

impl Scale {
    /// `decimals` from 0 to 6, else nothing.
    #[must_use]
    pub const fn new(decimals: u8) -> Option<Self> {
        if decimals <= 6 { Some(Self(decimals)) } else { None }
    }

    /// Number of decimals.
    #[must_use]
    pub const fn decimals(self) -> u8 {
        self.0
    }

    /// Minor units in one whole unit.
    #[must_use]
    pub fn unit(self) -> i64 {
        10_i64.pow(u32::from(self.0))
    }

    /// Writes minor units, negative ones too, with exactly this many decimals.
    #[must_use]
    pub fn format(self, minor: i128) -> String {
        let sign = if minor < 0 { "-" } else { "" };
        let unit = u128::from(self.unit().unsigned_abs());
        let (whole, part) = (minor.unsigned_abs() / unit, minor.unsigned_abs() % unit);
        match usize::from(self.0) {
            0 => format!("{sign}{whole}"),
            width => format!("{sign}{whole}.{part:0width$}"),
        }
    }
}

/// Why text is not an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Not `digits` or `digits.digits` without sign, leading zero or exponent.
    #[error("an amount is written with plain digits, such as 4.50")]
    NotCanonical,
    /// More than [`MINOR_MAX`] minor units.
    #[error("the amount is too large")]
    TooLarge,
}

/// A non-negative amount as it was written: minor units and the decimals they were written with.
///
/// Whether the decimals are those of the currency is for whoever knows the currency to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount {
    /// Whole minor units, 0 to [`MINOR_MAX`].
    pub minor: i64,
    /// Decimals it was written with.
    pub scale: Scale,
}

impl Amount {
    /// Reads canonical text: `(0|[1-9][0-9]{0,14})(\.[0-9]{1,6})?`.
    ///
    /// # Errors
    /// [`AmountError::NotCanonical`] for any other text, [`AmountError::TooLarge`] beyond
    /// [`MINOR_MAX`].
    pub fn parse(text: &str) -> Result<Self, AmountError> {
        let (whole, part) = match text.split_once('.') {
            Some((_, "")) => return Err(AmountError::NotCanonical),
            Some(halves) => halves,
            None => (text, ""),
        };
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        let leading_zero = whole.len() > 1 && whole.starts_with('0');
        if whole.is_empty() || whole.len() > 15 || leading_zero || !digits(whole) || !digits(part) {
            return Err(AmountError::NotCanonical);
        }
        let scale =
            u8::try_from(part.len()).ok().and_then(Scale::new).ok_or(AmountError::NotCanonical)?;
        // At most 15 and 6 digits, so that nothing saturates before it is too large.
        let minor = whole.bytes().chain(part.bytes()).fold(0_i64, |minor, digit| {
            minor.saturating_mul(10).saturating_add(i64::from(digit.wrapping_sub(b'0')))
        });
        if minor <= MINOR_MAX { Ok(Self { minor, scale }) } else { Err(AmountError::TooLarge) }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.scale.format(self.minor.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_has_one_spelling() {
        for text in ["0", "7", "0.05", "12.50", "999999999.999999"] {
            assert_eq!(Amount::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "01", "1.", ".5", "+1", "-1", "1e3", "1,5", " 1", "1.1234567", "٣"] {
            assert_eq!(Amount::parse(text), Err(AmountError::NotCanonical), "{text}");
        }
        assert_eq!(Amount::parse("999999999999999.99"), Err(AmountError::TooLarge));
        assert!(Amount::parse("1000000000000000").is_err());
        assert_eq!(Amount::parse("10000000000000.00").unwrap().minor, MINOR_MAX);
    }

    #[test]
    fn debts_are_written_with_their_sign() {
        let two = Scale::new(2).unwrap();
        assert_eq!(
            [two.format(-5), two.format(0), two.format(12_345)],
            ["-0.05", "0.00", "123.45"]
        );
        assert_eq!(Scale::new(0).unwrap().format(-7), "-7");
        assert_eq!(Scale::new(7), None);
    }
}
