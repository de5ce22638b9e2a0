//! The trade agreement (kind 37471): with which currency one trades, through whom, at which rate
//! and how far.
//!
//! Addressable, so relays keep its newest version only. Therefore no reader rests on it: a witness
//! looks at it before it signs, and what was certified under an older version stays certified.

use ayni_protocol::shape::{parsed, unsigned};
use ayni_protocol::{Address, Amount, Draft, Malformed, PublicKey, Shape};

use crate::tags;

/// Greatest number in a rate.
const RATE_MAX: i64 = 1_000_000_000;

/// What an agreement says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// The currency whose community signed it.
    pub currency: Address,
    /// The other currency, its `d` tag.
    pub with: Address,
    /// The account that trades, with one account in each.
    pub clearing: PublicKey,
    /// The most that this currency lends the other: how far below zero trading may take the
    /// clearing account here.
    pub limit: Amount,
    /// So many units here are worth …
    pub here: i64,
    /// … so many there.
    pub there: i64,
    /// In words.
    pub about: String,
}

impl Agreement {
    /// What has to be paid here, in minor units, for `amount` to arrive there: rounded up, so that
    /// the clearing account never pays for the rounding. Nothing where it is out of bounds.
    #[must_use]
    pub fn price(&self, amount: Amount) -> Option<i64> {
        let wide = |number: i64| i128::from(number);
        let over = wide(amount.minor)
            .checked_mul(wide(self.here))?
            .checked_mul(wide(self.limit.scale.unit()))?;
        let under = wide(self.there).checked_mul(wide(amount.scale.unit()))?;
        let rounded_up = over.checked_add(under.checked_sub(1)?)?.checked_div(under)?;
        let price = i64::try_from(rounded_up).ok()?;
        (1..=ayni_protocol::amount::MINOR_MAX).contains(&price).then_some(price)
    }

    pub(crate) fn read(shape: Shape<'_>, content: &str) -> Result<Self, Malformed> {
        const FORM: &str = "two numbers from 1 to 1000000000: units here, and what they are there";
        let rate = shape.required("rate")?;
        let number = |at| {
            let number: i64 = unsigned(rate.get(at).unwrap_or_default(), "rate")?;
            let bounds = 1..=RATE_MAX;
            Some(number).filter(|n| bounds.contains(n)).ok_or(Malformed::BadTag("rate", FORM))
        };
        Ok(Self {
            currency: shape.currency()?,
            with: parsed(shape.text("d")?, "d", "the address of the other currency")?,
            clearing: parsed(shape.text("clearing")?, "clearing", "64 lowercase hex digits")?,
            limit: shape.amount("limit")?,
            here: number(1)?,
            there: number(2)?,
            about: content.to_owned(),
        })
    }

    pub(crate) fn write(&self, draft: Draft) -> Draft {
        tags::in_currency(draft.tag(["d", &self.with.to_string()]), &self.currency)
            .tag(["clearing", &self.clearing.to_string()])
            .tag(["limit", &self.limit.to_string()])
            .tag(["rate", &self.here.to_string(), &self.there.to_string()])
            .content(&self.about)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{currency, key};

    fn amount(text: &str) -> Amount {
        Amount::parse(text).unwrap()
    }

    #[test]
    fn prices_are_rounded_up_to_minor_units() {
        let agreement = |limit: &str, here, there| Agreement {
            currency: currency(),
            with: currency(),
            clearing: key("kai"),
            limit: amount(limit),
            here,
            there,
            about: String::new(),
        };
        let cases = [
            ("10.00", 2, 3, "4.50", Some(300)),
            ("10.00", 2, 3, "0.01", Some(1)),
            ("10.00", 2, 3, "0.02", Some(2)),
            ("10.00", 3, 2, "0.01", Some(2)),
            ("10", 1, 60, "60", Some(1)),
            ("10", 1, 60, "61", Some(2)),
            ("10.00", 1, 60, "90", Some(150)),
            ("10", 1, 1, "1.000001", Some(2)),
            ("10.000000", 1_000_000_000, 1, "999999999", None),
        ];
        for (limit, here, there, arrives, price) in cases {
            assert_eq!(agreement(limit, here, there).price(amount(arrives)), price, "{arrives}");
        }
    }
}
