//! Asking a clearing account for a price in another currency, and its answer (kind 4754, `op` `ask`
//! and `quote`).
//!
//! A quote names the price, what arrives for it, and the slot that will decide. It binds nobody:
//! the hold that cites it reserves the price, and the order at the slot delivers.

use ayni_protocol::shape::parsed;
use ayni_protocol::{Address, Amount, Draft, EventId, Malformed, PublicKey, Shape, Timestamp};

use crate::hold::Slot;
use crate::tags;

/// What is to arrive, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The other currency.
    pub currency: Address,
    /// The account that is paid there.
    pub account: PublicKey,
    /// How much it gets.
    pub amount: Amount,
}

/// A payer asks for a price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The payer's currency.
    pub currency: Address,
    /// The clearing account.
    pub clearing: PublicKey,
    /// What is to arrive.
    pub to: Target,
    /// The account that asks, where the signer is not its id.
    pub from: Option<PublicKey>,
}

/// A clearing account names its price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// The payer's currency.
    pub currency: Address,
    /// Who may pay it.
    pub payer: PublicKey,
    /// The price.
    pub amount: Amount,
    /// What arrives for it.
    pub to: Target,
    /// The place that decides. Its account is the clearing account.
    pub slot: Slot,
    /// No witness attests a hold on it later than this.
    pub until: Timestamp,
    /// The ask that it answers.
    pub ask: Option<EventId>,
}

impl Target {
    fn read(shape: Shape<'_>) -> Result<Self, Malformed> {
        const FORM: &str = "a currency, an account and an amount";
        let tag = shape.required("to")?;
        let part = |at| tag.get(at).ok_or(Malformed::BadTag("to", FORM));
        let amount = ayni_protocol::shape::amount(part(3)?)?;
        if amount.minor == 0 {
            return Err(Malformed::AmountNotCanonical(amount.to_string()));
        }
        Ok(Self {
            currency: parsed(part(1)?, "to", FORM)?,
            account: parsed(part(2)?, "to", FORM)?,
            amount,
        })
    }

    fn write(&self, draft: Draft) -> Draft {
        let (currency, account) = (self.currency.to_string(), self.account.to_string());
        draft.tag(["to", &currency, &account, &self.amount.to_string()])
    }
}

impl Ask {
    pub(crate) fn read(shape: Shape<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            currency: shape.currency()?,
            clearing: shape.key("p")?,
            to: Target::read(shape)?,
            from: crate::rules::optional_key(shape, "from")?,
        })
    }

    pub(crate) fn write(&self, draft: Draft) -> Draft {
        let draft = tags::in_currency(draft, &self.currency).tag(["op", "ask"]);
        let draft = self.to.write(tags::key(draft, "p", &self.clearing));
        tags::maybe_key(draft, "from", self.from.as_ref())
    }
}

impl Quote {
    pub(crate) fn read(shape: Shape<'_>) -> Result<Self, Malformed> {
        let amount = shape.amount("amount")?;
        if amount.minor == 0 {
            return Err(Malformed::AmountNotCanonical(amount.to_string()));
        }
        Ok(Self {
            currency: shape.currency()?,
            payer: shape.key("p")?,
            amount,
            to: Target::read(shape)?,
            slot: quoted_slot(shape)?,
            until: shape.unsigned("until")?,
            ask: shape.optional_marked("ask")?,
        })
    }

    pub(crate) fn write(&self, draft: Draft) -> Draft {
        let draft = tags::in_currency(draft, &self.currency).tag(["op", "quote"]);
        let draft = tags::key(draft, "p", &self.payer).tag(["amount", &self.amount.to_string()]);
        let Slot { currency, account, seq } = &self.slot;
        let draft = self
            .to
            .write(draft)
            .tag(["slot", &currency.to_string(), &account.to_string(), &seq.to_string()])
            .tag(["until", &self.until.to_string()]);
        tags::maybe_marked(draft, self.ask.as_ref(), "ask")
    }
}

/// The `slot` tag of a quote: a currency, an account and a number.
fn quoted_slot(shape: Shape<'_>) -> Result<Slot, Malformed> {
    const FORM: &str = "a currency, an account and a number";
    let tag = shape.required("slot")?;
    let part = |at| tag.get(at).ok_or(Malformed::BadTag("slot", FORM));
    Ok(Slot {
        currency: parsed(part(1)?, "slot", FORM)?,
        account: parsed(part(2)?, "slot", FORM)?,
        seq: ayni_protocol::shape::unsigned(part(3)?, "slot")?,
    })
}
