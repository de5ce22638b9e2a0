//! A transfer order (kind 4752): one payment, signed by the payer, numbered on the payer's account.
//!
//! A refund is an order too, the other way round; so is a hold, which reserves instead of paying (see
//! [`crate::hold`]), and a void order, which pays nobody and uses up a number.

use ayni_protocol::shape::parsed;
use ayni_protocol::{Address, Draft, EventId, Malformed, PublicKey, Scale, Shape, Timestamp, hex};
use ayni_witness::Leg;

use crate::hold::Slot;
use crate::levy::{self, LevyError};
use crate::rules::{Rules, optional_key};
use crate::tags::{self, Amounts};

/// Legs an order may have.
pub const LEGS_MAX: usize = 16;

/// What an order says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The currency.
    pub currency: Address,
    /// The rules it was signed under.
    pub epoch: EventId,
    /// Its number on the paying account, from 0.
    pub seq: u64,
    /// The order numbered one less; for 0 the epoch-0 rules.
    pub previous: EventId,
    /// Decimals its amounts are written with; none of a void order.
    pub scale: Scale,
    /// What goes where, the payee first. A void order has none.
    pub legs: Vec<Leg>,
    /// To the payee: NIP-44, or plain where the rules say so. Never needed for validation.
    pub memo: String,
    /// Behind a pointer, and only where there is any.
    pub(crate) extra: Option<Box<Extra>>,
}

/// What few orders say, of all the millions that are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extra {
    /// The paying account, where the signer is not its id.
    pub from: Option<PublicKey>,
    /// No witness attests it later than this.
    pub until: Option<Timestamp>,
    /// The payment request it answers.
    pub request: Option<EventId>,
    /// The order it gives back, wholly or in part.
    pub refund: Option<EventId>,
    /// The listing or cause it is for.
    pub purpose: Option<Address>,
    /// Which prescribed payout it is, out of an escrow account.
    pub pay: Option<[u8; 32]>,
    /// The place in another currency that decides whether it pays; until then it reserves.
    pub hold: Option<Slot>,
    /// The quote that a hold or its commit follows.
    pub quote: Option<EventId>,
    /// The hold in another currency that it posts.
    pub commit: Option<EventId>,
}

impl Extra {
    const NOTHING: Self = Self {
        from: None,
        until: None,
        request: None,
        refund: None,
        purpose: None,
        pay: None,
        hold: None,
        quote: None,
        commit: None,
    };

    fn read(shape: Shape<'_>) -> Result<Self, Malformed> {
        let pay = shape.optional_text("pay")?.map(hex::decode).transpose();
        Ok(Self {
            from: optional_key(shape, "from")?,
            until: shape.optional_unsigned("until")?,
            request: shape.optional_marked("request")?,
            refund: shape.optional_marked("refund")?,
            purpose: shape.marked_address("for")?,
            pay: pay.map_err(|_| Malformed::BadTag("pay", "64 lowercase hex digits"))?,
            hold: Slot::read(shape, "hold")?,
            quote: shape.optional_marked("quote")?,
            commit: shape.optional_marked("commit")?,
        })
    }
}

/// What somebody needs to know to write an order: where the account stands, who gets how much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Id of the rules in force.
    pub epoch: EventId,
    /// The account's next number.
    pub seq: u64,
    /// What `prev` must name: the account's last certified order, or the epoch-0 rules.
    pub previous: EventId,
    /// Who is paid.
    pub payee: PublicKey,
    /// The price in minor units, before levies of either side.
    pub gross: i64,
    /// Whether levies apply: both accounts are members' or organisations'.
    pub levied: bool,
}

impl Order {
    /// The order that pays `terms` under `rules`, its levies worked out.
    ///
    /// # Errors
    /// [`LevyError`] where the amount is out of bounds or the levies leave nothing for the payee.
    pub fn new(terms: &Terms, rules: &Rules) -> Result<Self, LevyError> {
        let legs = levy::legs(rules, terms.payee, terms.gross, terms.levied)?;
        let void = Self::void(rules.currency.clone(), terms.epoch, terms.seq, terms.previous);
        Ok(Self { scale: rules.scale, legs, ..void })
    }

    /// An order that pays nobody and uses up a number, so that what waits for it is void.
    #[must_use]
    pub fn void(currency: Address, epoch: EventId, seq: u64, previous: EventId) -> Self {
        Self {
            currency,
            epoch,
            seq,
            previous,
            scale: Scale::default(),
            legs: Vec::new(),
            memo: String::new(),
            extra: None,
        }
    }

    /// What few orders say.
    #[must_use]
    pub fn extra(&self) -> &Extra {
        const NOTHING: &Extra = &Extra::NOTHING;
        self.extra.as_deref().unwrap_or(NOTHING)
    }

    /// The order that says this besides.
    #[must_use]
    pub fn with(self, say: impl FnOnce(&mut Extra)) -> Self {
        let mut extra = self.extra.unwrap_or_default();
        say(&mut extra);
        let extra = (*extra != Extra::NOTHING).then_some(extra);
        Self { extra, ..self }
    }

    /// Whether it pays nobody.
    #[must_use]
    pub const fn is_void(&self) -> bool {
        self.legs.is_empty()
    }

    /// Everything the payer pays, in minor units.
    #[must_use]
    pub fn total(&self) -> i128 {
        self.legs.iter().map(|leg| i128::from(leg.minor)).sum()
    }

    /// Who is paid.
    #[must_use]
    pub fn payee(&self) -> Option<&PublicKey> {
        self.legs.first().map(|leg| &leg.account)
    }

    pub(crate) fn read(
        shape: Shape<'_>,
        author: PublicKey,
        content: &str,
    ) -> Result<Self, Malformed> {
        let extra = Extra::read(shape)?;
        let (scale, legs) = legs(shape)?;
        if legs.iter().any(|leg| leg.account == extra.from.unwrap_or(author)) {
            return Err(Malformed::BadTag("leg", "to another account than the payer's"));
        }
        let is_named = |leg: &Leg| {
            let mut named = shape.all("p").filter_map(|tag| tag.value()?.parse().ok());
            named.any(|key: PublicKey| key == leg.account)
        };
        if !legs.first().is_none_or(is_named) {
            return Err(Malformed::BadTag("p", "the payee, who is also the first leg"));
        }
        let order = Self {
            currency: shape.currency()?,
            epoch: parsed(shape.text("epoch")?, "epoch", "the id of the rules")?,
            seq: shape.unsigned("seq")?,
            previous: shape.marked("prev")?,
            scale,
            legs,
            memo: content.to_owned(),
            extra: (extra != Extra::NOTHING).then(|| Box::new(extra)),
        };
        order.is_one_thing()?;
        Ok(order)
    }

    /// A hold, a commit, a void order, an answer to a request, a refund and a payout exclude each other:
    /// which of two counted would depend on the other currency.
    fn is_one_thing(&self) -> Result<(), Malformed> {
        let extra = self.extra();
        let things = [
            extra.hold.is_some(),
            extra.commit.is_some(),
            self.is_void(),
            extra.request.is_some(),
            extra.refund.is_some(),
            extra.pay.is_some(),
        ];
        let alone = !(extra.hold.is_some() || extra.commit.is_some() || self.is_void());
        if alone || things.iter().filter(|thing| **thing).count() == 1 {
            return Ok(());
        }
        const FORM: &str = "without any other of them, request, refund or pay";
        Err(Malformed::BadTag("hold, commit or void", FORM))
    }

    pub(crate) fn write(&self, draft: Draft) -> Draft {
        let extra = self.extra();
        let draft = tags::in_currency(draft, &self.currency)
            .tag(["epoch", &self.epoch.to_string()])
            .tag(["seq", &self.seq.to_string()]);
        let draft = tags::marked(draft, &self.previous, "prev");
        let draft = tags::maybe_key(draft, "p", self.payee());
        let draft = write_legs(draft, self.scale, &self.legs);
        let draft = tags::maybe(draft, "until", extra.until);
        let draft = tags::maybe_marked(draft, extra.request.as_ref(), "request");
        let mut draft = tags::maybe_marked(draft, extra.refund.as_ref(), "refund");
        if let Some(purpose) = &extra.purpose {
            draft = draft.tag(["a", &purpose.to_string(), "", "for"]);
        }
        if let Some(slot) = &extra.hold {
            draft = slot.write(draft, "hold");
        }
        let draft = tags::maybe_marked(draft, extra.quote.as_ref(), "quote");
        let draft = tags::maybe_marked(draft, extra.commit.as_ref(), "commit");
        let draft = tags::maybe_key(draft, "from", extra.from.as_ref());
        tags::maybe(draft, "pay", extra.pay.map(|pay| hex::encode(&pay))).content(&self.memo)
    }
}

/// The `leg` tags of an order or of an attestation that repeats it; none where there is a `void` tag.
pub fn legs(shape: Shape<'_>) -> Result<(Scale, Vec<Leg>), Malformed> {
    let mut amounts = Amounts::default();
    let mut legs = Vec::with_capacity(shape.all("leg").count());
    if shape.optional("void")?.is_some() {
        return match shape.all("leg").next() {
            None => Ok((Scale::default(), legs)),
            Some(_) => Err(Malformed::BadTag("void", "there only without legs")),
        };
    }
    for tag in shape.all("leg") {
        let account = parsed(tag.value().unwrap_or_default(), "leg", "an account and an amount")?;
        let minor = amounts.positive(tag.get(2).unwrap_or_default())?;
        legs.push(Leg { account, minor, purpose: tag.get(3).unwrap_or_default().to_owned() });
    }
    if legs.len() > LEGS_MAX {
        return Err(Malformed::BadTag("leg", "there at most 16 times"));
    }
    Ok((amounts.scale("leg")?, legs))
}

/// Writes `leg` tags, or where there are none that it is void.
pub fn write_legs(draft: Draft, scale: Scale, legs: &[Leg]) -> Draft {
    if legs.is_empty() {
        return draft.tag(["void"]);
    }
    legs.iter().fold(draft, |draft, leg| {
        let (account, amount) = (leg.account.to_string(), tags::minor(scale, leg.minor));
        if leg.purpose.is_empty() {
            draft.tag(["leg", &account, &amount])
        } else {
            draft.tag(["leg", &account, &amount, &leg.purpose])
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{key, order, read};

    fn leg(account: &str, minor: i64) -> Leg {
        Leg { account: key(account), minor, purpose: String::new() }
    }

    #[test]
    fn nobody_pays_themselves() {
        let own = Order { legs: vec![leg("ana", 100)], ..order("ben", 100) };
        assert!(matches!(read(own), Err(Malformed::BadTag("leg", _))));
        let other = order("ben", 100).with(|it| it.from = Some(key("ben")));
        assert!(matches!(read(other), Err(Malformed::BadTag("leg", _))));
    }

    #[test]
    fn an_order_has_one_to_sixteen_legs_above_zero() {
        let many = |count| Order { legs: vec![leg("ben", 1); count], ..order("ben", 1) };
        assert!(read(many(16)).is_ok());
        assert!(read(many(17)).is_err());
        let one = crate::Body::from(many(1)).draft(&EventId([1; 32]));
        let kept = one.tags.iter().filter(|tag| tag.get(0) != Some("leg"));
        let none = kept.fold(Draft::new(one.kind), |draft, tag| draft.tag(tag.values()));
        assert_eq!(crate::testing::read_draft(none), Err(Malformed::MissingTag("leg")));
        let zero = Order { legs: vec![leg("ben", 0)], ..order("ben", 1) };
        assert!(matches!(read(zero), Err(Malformed::AmountNotCanonical(_))));
    }

    #[test]
    fn a_void_order_has_no_legs() {
        let void = Order { legs: vec![], scale: Scale::default(), ..order("ben", 1) };
        assert!(read(void.clone()).is_ok());
        let both = crate::Body::from(order("ben", 1)).draft(&EventId([1; 32])).tag(["void"]);
        assert!(matches!(crate::testing::read_draft(both), Err(Malformed::BadTag("void", _))));
        let refund = void.with(|it| it.refund = Some(EventId([1; 32])));
        assert!(matches!(read(refund), Err(Malformed::BadTag("hold, commit or void", _))));
    }

    #[test]
    fn a_hold_is_nothing_else() {
        let slot = Slot { currency: crate::testing::currency(), account: key("kai"), seq: 3 };
        let hold = order("ben", 1).with(|it| it.hold = Some(slot));
        assert!(read(hold.clone()).is_ok());
        for other in [
            hold.clone().with(|it| it.commit = Some(EventId([1; 32]))),
            hold.clone().with(|it| it.request = Some(EventId([1; 32]))),
            hold.clone().with(|it| it.pay = Some([1; 32])),
        ] {
            assert!(matches!(read(other), Err(Malformed::BadTag("hold, commit or void", _))));
        }
        for wrong in [&["hold", "slot"][..], &["hold", "lane", "x", "y", "1"]] {
            let draft = crate::Body::from(order("ben", 1)).draft(&EventId([1; 32]));
            let draft = draft.tag(wrong.iter().copied());
            assert!(matches!(crate::testing::read_draft(draft), Err(Malformed::BadTag("hold", _))));
        }
    }
}
