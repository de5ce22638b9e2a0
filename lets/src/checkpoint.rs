//! The checkpoint (kind 4757): a fingerprint of a currency's book, and the lines under it.
//!
//! Two nodes that hold the same events have the same lines, byte for byte (protocol sections 3, 8).

use ayni_protocol::shape::parsed;
use ayni_protocol::{Address, Draft, EventId, Malformed, PublicKey, Shape, hex};
use sha2::{Digest as _, Sha256};

use crate::tags;

/// What a checkpoint says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The currency.
    pub currency: Address,
    /// SHA-256 of the lines.
    pub root: [u8; 32],
    /// Accounts that ever had a counted policy.
    pub accounts: u64,
    /// Certified orders.
    pub orders: u64,
    /// The sum of all legs of certified orders, as the currency writes amounts.
    pub volume: String,
}

impl Checkpoint {
    pub(crate) fn read(shape: Shape<'_>) -> Result<Self, Malformed> {
        if shape.text("sum")? != "0" {
            return Err(Malformed::BadTag("sum", "0: balances of mutual credit sum to zero"));
        }
        let root: EventId = parsed(shape.text("root")?, "root", "64 lowercase hex digits")?;
        let volume = shape.text("volume")?;
        if !is_decimal(volume) {
            return Err(Malformed::AmountNotCanonical(volume.to_owned()));
        }
        Ok(Self {
            currency: shape.currency()?,
            root: root.0,
            accounts: shape.unsigned("accounts")?,
            orders: shape.unsigned("orders")?,
            volume: volume.to_owned(),
        })
    }

    pub(crate) fn write(&self, draft: Draft) -> Draft {
        tags::in_currency(draft, &self.currency)
            .tag(["root", &hex::encode(&self.root)])
            .tag(["accounts", &self.accounts.to_string()])
            .tag(["orders", &self.orders.to_string()])
            .tag(["volume", &self.volume])
            .tag(["sum", "0"])
    }
}

/// Digits with at most one dot between them. A volume may pass what a single amount can hold, so
/// it is not read as one.
fn is_decimal(text: &str) -> bool {
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let leading_zero = whole.len() > 1 && whole.starts_with('0');
    digits(whole) && digits(part) && !leading_zero && whole.len() <= 40 && part.len() <= 6
}

/// One line of a checkpoint: where an account stands. Sums are minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// The account.
    pub account: PublicKey,
    /// Number of its next order.
    pub next_seq: u64,
    /// Its last certified order.
    pub last_order: Option<EventId>,
    /// All it paid.
    pub debits_posted: i128,
    /// What open holds reserve.
    pub debits_pending: i128,
    /// All it was paid.
    pub credits_posted: i128,
    /// What charges gave it, less what they took.
    pub charges: i128,
    /// Highest counted version of its policy.
    pub policy_version: u64,
}

impl Line {
    /// What the account holds; below zero what it owes.
    #[must_use]
    pub const fn balance(&self) -> i128 {
        self.credits_posted.saturating_sub(self.debits_posted).saturating_add(self.charges)
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}|{}|", self.account, self.next_seq)?;
        match &self.last_order {
            None => f.write_str("-")?,
            Some(order) => order.fmt(f)?,
        }
        write!(
            f,
            "|{}|{}|{}|{}|{}",
            self.debits_posted,
            self.debits_pending,
            self.credits_posted,
            self.charges,
            self.policy_version
        )
    }
}

/// SHA-256 of the lines, which come sorted by account, each ended by a newline.
#[must_use]
pub fn root(lines: impl IntoIterator<Item = Line>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for line in lines {
        hash.update(line.to_string());
        hash.update("\n");
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_written_as_the_protocol_says() {
        let line = Line {
            account: PublicKey([0xab; 32]),
            next_seq: 1,
            last_order: Some(EventId([0xcd; 32])),
            debits_posted: 800,
            debits_pending: 0,
            credits_posted: 300,
            charges: -20,
            policy_version: 2,
        };
        let text = format!("{}|1|{}|800|0|300|-20|2", "ab".repeat(32), "cd".repeat(32));
        assert_eq!(line.to_string(), text);
        assert!(Line { last_order: None, ..line }.to_string().contains("|1|-|800|"));
        let expected: [u8; 32] = Sha256::digest(format!("{text}\n")).into();
        assert_eq!(root([line]), expected);
    }

    #[test]
    fn volumes_are_decimals() {
        for good in ["0", "0.00", "634.50", "123456789012345678901234567890.12"] {
            assert!(is_decimal(good), "{good}");
        }
        for wrong in ["", ".", "1.", ".5", "01", "-1", "1e3", "1.1234567", "1.2.3"] {
            assert!(!is_decimal(wrong), "{wrong}");
        }
    }
}
