//! A payment request (kind 4754) and its decline or cancellation (4755).
//!
//! Nothing accepts a request but the certified order that cites it. A request without `p` is a
//! code to be scanned: anybody may pay it, as often as it is scanned, until its author cancels it.

use ayni_protocol::shape::parsed;
use ayni_protocol::{Address, Amount, Draft, EventId, Malformed, PublicKey, Shape, Timestamp};

use crate::account::words;
use crate::rules::optional_key;
use crate::tags;

/// What a request says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The currency.
    pub currency: Address,
    /// Who is asked to pay; nobody in particular where none.
    pub payer: Option<PublicKey>,
    /// How much; left to the payer where none.
    pub amount: Option<Amount>,
    /// No witness attests a payment of it later than this.
    pub expires_at: Option<Timestamp>,
    /// The account that asks, where the signer is not its id.
    pub from: Option<PublicKey>,
    /// What it is for: NIP-44 to the payer, or plain.
    pub memo: String,
}

words! {
    /// Why a request is not to be paid.
    Answer, "declined or cancelled":
    /// The payer will not pay it.
    Declined => "declined",
    /// The payee withdrew it.
    Cancelled => "cancelled",
}

/// What a decline or cancellation says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decline {
    /// The currency.
    pub currency: Address,
    /// The request.
    pub request: EventId,
    /// Which of the two.
    pub answer: Answer,
    /// The account that speaks, where the signer is not its id.
    pub from: Option<PublicKey>,
    /// Why.
    pub note: String,
}

impl Request {
    pub(crate) fn read(shape: Shape<'_>, content: &str) -> Result<Self, Malformed> {
        if shape.text("op")? != "invoice" {
            return Err(Malformed::BadTag("op", "invoice, ask or quote"));
        }
        let amount = shape.optional_amount("amount")?;
        if let Some(zero) = amount.filter(|amount| amount.minor == 0) {
            return Err(Malformed::AmountNotCanonical(zero.to_string()));
        }
        Ok(Self {
            currency: shape.currency()?,
            payer: optional_key(shape, "p")?,
            amount,
            expires_at: shape.optional_unsigned("expires_at")?,
            from: optional_key(shape, "from")?,
            memo: content.to_owned(),
        })
    }

    pub(crate) fn write(&self, draft: Draft) -> Draft {
        let draft = tags::in_currency(draft, &self.currency).tag(["op", "invoice"]);
        let draft = tags::maybe_key(draft, "p", self.payer.as_ref());
        let draft = tags::maybe(draft, "amount", self.amount);
        let draft = tags::maybe(draft, "expires_at", self.expires_at);
        tags::maybe_key(draft, "from", self.from.as_ref()).content(&self.memo)
    }
}

impl Decline {
    pub(crate) fn read(shape: Shape<'_>, content: &str) -> Result<Self, Malformed> {
        Ok(Self {
            currency: shape.currency()?,
            request: shape.only_unmarked()?,
            answer: parsed(shape.text("status")?, "status", "declined or cancelled")?,
            from: optional_key(shape, "from")?,
            note: content.to_owned(),
        })
    }

    pub(crate) fn write(&self, draft: Draft) -> Draft {
        let draft = tags::in_currency(draft, &self.currency)
            .tag(["e", &self.request.to_string()])
            .tag(["status", self.answer.as_str()]);
        tags::maybe_key(draft, "from", self.from.as_ref()).content(&self.note)
    }
}
