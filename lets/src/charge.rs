//! A charge (kind 4756): what the community books itself, such as opening balances and fees.
//!
//! Debits equal credits, and no limit holds it: limits bind what people do of their own will.

use std::collections::BTreeMap;

use ayni_protocol::shape::parsed;
use ayni_protocol::{Address, Draft, EventId, Malformed, PublicKey, Scale, Shape};

use crate::account::words;
use crate::tags::{self, Amounts};

/// Accounts one charge may move; longer lists are several charges.
pub const LINES_MAX: usize = 1_000;

words! {
    /// What a charge is for.
    Cause, "opening, fee, levy, demurrage, reversal, writeoff or correction":
    /// Balances brought along from elsewhere.
    Opening => "opening",
    /// A periodic fee.
    Fee => "fee",
    /// A levy taken afterwards.
    Levy => "levy",
    /// A share of what lies still.
    Demurrage => "demurrage",
    /// A payment taken back by decision.
    Reversal => "reversal",
    /// A debt nobody will pay, borne by the community.
    WriteOff => "writeoff",
    /// A mistake mended.
    Correction => "correction",
}

/// What a charge says. Sums are minor units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// The currency.
    pub currency: Address,
    /// Its number in the currency, from 0.
    pub cseq: u64,
    /// The charge numbered one less; none for 0.
    pub previous: Option<EventId>,
    /// What it is for.
    pub cause: Cause,
    /// Decimals its amounts are written with.
    pub scale: Scale,
    /// What is taken from whom.
    pub debits: Vec<(PublicKey, i64)>,
    /// What is given to whom.
    pub credits: Vec<(PublicKey, i64)>,
    /// The checkpoint that it is worked out from.
    pub basis: Option<EventId>,
    /// The reason in words.
    pub note: String,
}

impl Charge {
    /// What each account gains (or loses, below zero), every account once.
    #[must_use]
    pub fn effects(&self) -> BTreeMap<PublicKey, i128> {
        let mut effects = BTreeMap::<PublicKey, i128>::new();
        for (account, minor) in &self.debits {
            *effects.entry(*account).or_default() -= i128::from(*minor);
        }
        for (account, minor) in &self.credits {
            *effects.entry(*account).or_default() += i128::from(*minor);
        }
        effects
    }

    pub(crate) fn read(shape: Shape<'_>, content: &str) -> Result<Self, Malformed> {
        let cseq = shape.unsigned("cseq")?;
        let previous = shape.optional_marked("prev")?;
        if (cseq == 0) != previous.is_none() {
            return Err(Malformed::BadTag("prev", "the charge before, from cseq 1 on"));
        }
        let mut amounts = Amounts::default();
        let debits = lines(shape, "debit", &mut amounts)?;
        let credits = lines(shape, "credit", &mut amounts)?;
        if sum(&debits) != sum(&credits) {
            return Err(Malformed::BadTag("debit", "as much together as the credits"));
        }
        if debits.len().saturating_add(credits.len()) > LINES_MAX {
            return Err(Malformed::BadTag("debit", "there at most 1000 times, with the credits"));
        }
        Ok(Self {
            currency: shape.currency()?,
            cseq,
            previous,
            cause: parsed(shape.text("reason")?, "reason", "one of the protocol's reasons")?,
            scale: amounts.scale("debit")?,
            debits,
            credits,
            basis: shape.optional_marked("basis")?,
            note: content.to_owned(),
        })
    }

    pub(crate) fn write(&self, draft: Draft) -> Draft {
        let draft = tags::in_currency(draft, &self.currency).tag(["cseq", &self.cseq.to_string()]);
        let mut draft = tags::maybe_marked(draft, self.previous.as_ref(), "prev")
            .tag(["reason", self.cause.as_str()]);
        for (name, lines) in [("debit", &self.debits), ("credit", &self.credits)] {
            for (account, minor) in lines {
                draft = draft.tag([name, &account.to_string(), &tags::minor(self.scale, *minor)]);
            }
        }
        tags::maybe_marked(draft, self.basis.as_ref(), "basis").content(&self.note)
    }
}

fn lines(
    shape: Shape<'_>,
    name: &'static str,
    amounts: &mut Amounts,
) -> Result<Vec<(PublicKey, i64)>, Malformed> {
    let line = |tag: ayni_protocol::Tag<'_>| {
        let account = parsed(tag.value().unwrap_or_default(), name, "an account and an amount")?;
        Ok((account, amounts.positive(tag.get(2).unwrap_or_default())?))
    };
    shape.all(name).map(line).collect()
}

fn sum(lines: &[(PublicKey, i64)]) -> i128 {
    lines.iter().map(|(_, minor)| i128::from(*minor)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{charge, key, read};

    #[test]
    fn debits_equal_credits() {
        assert!(read(charge("ana", "ben", 5)).is_ok());
        let uneven = Charge { credits: vec![(key("ben"), 4)], ..charge("ana", "ben", 5) };
        assert!(matches!(read(uneven), Err(Malformed::BadTag("debit", _))));
        let empty = Charge { debits: vec![], credits: vec![], ..charge("ana", "ben", 5) };
        assert_eq!(read(empty), Err(Malformed::MissingTag("debit")));
    }
}
