//! An event of this part, read once: what all kinds share, and the body of its kind.

use std::sync::Arc;

use ayni_protocol::{
    Address, Draft, EventId, Kind, Malformed, PublicKey, Shape, Timestamp, VerifiedEvent, kind,
};

use crate::{
    Agreement, Ask, Attestation, Charge, Checkpoint, Currency, Decline, Fraud, Order, Policy,
    Quote, Rating, Request, Resolution, Rules,
};

/// An event of this part. There are millions of them, most of them payments, so what is rare lies
/// behind a pointer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The event.
    pub id: EventId,
    /// Its author.
    pub author: PublicKey,
    /// When its author says it was signed. Statements are sorted by it; nothing is decided by it.
    pub created_at: Timestamp,
    /// Its community.
    pub community: EventId,
    /// What it says.
    pub body: Body,
}

macro_rules! bodies {
    ($($(#[$doc:meta])* $name:ident($held:ty) = $kind:ident;)*) => {
        /// What an event says, by kind.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Body { $($(#[$doc])* $name($held),)* }

        impl Body {
            /// Every kind that is read here, once for each body.
            pub const KINDS: &'static [Kind] = &[$(kind::$kind,)*];

            /// The kind it is written as.
            #[must_use]
            pub const fn kind(&self) -> Kind {
                match self { $(Self::$name(_) => kind::$kind,)* }
            }

            /// The event that says this in `community`, to be signed. Reading it gives this again.
            #[must_use]
            pub fn draft(&self, community: &EventId) -> Draft {
                let draft = Draft::new(self.kind()).tag(["h", &community.to_string()]);
                match self { $(Self::$name(body) => body.write(draft),)* }
            }
        }

        $(impl From<$name> for Body {
            fn from(body: $name) -> Self {
                Self::$name(body.into())
            }
        })*
    };
}

bodies! {
    /// The currency itself.
    Currency(Arc<Currency>) = CURRENCY;
    /// Its rules.
    Rules(Arc<Rules>) = RULES;
    /// An account's policy.
    Policy(Arc<Policy>) = POLICY;
    /// A payment.
    Order(Arc<Order>) = ORDER;
    /// A witness's statement or a steward's approval.
    Attestation(Attestation) = ATTESTATION;
    /// A payment request.
    Request(Arc<Request>) = REQUEST;
    /// A question for a price in another currency.
    Ask(Arc<Ask>) = REQUEST;
    /// Its answer.
    Quote(Arc<Quote>) = REQUEST;
    /// Its decline or cancellation.
    Decline(Arc<Decline>) = DECLINE;
    /// What the community books.
    Charge(Arc<Charge>) = CHARGE;
    /// A fingerprint of the book.
    Checkpoint(Arc<Checkpoint>) = CHECKPOINT;
    /// What became of a hold.
    Resolution(Arc<Resolution>) = RESOLUTION;
    /// How one trades with another currency.
    Agreement(Arc<Agreement>) = AGREEMENT;
    /// Two events that should not both exist.
    Fraud(Arc<Fraud>) = FRAUD;
    /// What a party thinks of a trade.
    Rating(Arc<Rating>) = RATING;
}

impl Entry {
    /// Reads an event.
    ///
    /// # Errors
    /// [`Malformed`], with a sentence for its author.
    pub fn read(event: &VerifiedEvent) -> Result<Self, Malformed> {
        let shape = Shape::of(event)?;
        let (author, content) = (event.pubkey, event.content.as_str());
        let body = match event.kind {
            kind::CURRENCY => Currency::read(shape, content)?.into(),
            kind::RULES => Rules::read(shape, content)?.into(),
            kind::POLICY => Policy::read(shape, content)?.into(),
            kind::ORDER => Order::read(shape, author, content)?.into(),
            kind::ATTESTATION => Attestation::read(shape)?.into(),
            kind::REQUEST => match shape.text("op")? {
                "ask" => Ask::read(shape)?.into(),
                "quote" => Quote::read(shape)?.into(),
                _ => Request::read(shape, content)?.into(),
            },
            kind::DECLINE => Decline::read(shape, content)?.into(),
            kind::CHARGE => Charge::read(shape, content)?.into(),
            kind::CHECKPOINT => Checkpoint::read(shape)?.into(),
            kind::RESOLUTION => Resolution::read(shape, content)?.into(),
            kind::AGREEMENT => Agreement::read(shape, content)?.into(),
            kind::FRAUD => Fraud::read(shape, content)?.into(),
            kind::RATING => Rating::read(shape, content)?.into(),
            _ => return Err(Malformed::BadContent("of a kind that the ledger reads")),
        };
        let created_at = event.created_at;
        Ok(Self { id: event.id, author, created_at, community: shape.community()?, body })
    }

    /// The account that speaks in it: the `from` tag's, else the author's own.
    #[must_use]
    pub fn speaker(&self) -> PublicKey {
        let from = match &self.body {
            Body::Order(order) => order.extra().from,
            Body::Request(request) => request.from,
            Body::Ask(ask) => ask.from,
            Body::Quote(quote) => Some(quote.slot.account),
            Body::Decline(decline) => decline.from,
            Body::Rating(rating) => rating.from,
            _ => None,
        };
        from.unwrap_or(self.author)
    }

    /// The currency it names, if its kind names one.
    #[must_use]
    pub fn currency(&self) -> Option<Address> {
        Some(match &self.body {
            Body::Currency(currency) => currency.address(&self.author),
            Body::Rules(rules) => rules.currency.clone(),
            Body::Policy(policy) => policy.currency.clone(),
            Body::Order(order) => order.currency.clone(),
            Body::Attestation(Attestation::State(statement)) => statement.currency.clone(),
            Body::Attestation(Attestation::Approve { .. }) | Body::Rating(_) => return None,
            Body::Request(request) => request.currency.clone(),
            Body::Ask(ask) => ask.currency.clone(),
            Body::Quote(quote) => quote.currency.clone(),
            Body::Resolution(resolution) => resolution.currency.clone(),
            Body::Agreement(agreement) => agreement.currency.clone(),
            Body::Decline(decline) => decline.currency.clone(),
            Body::Charge(charge) => charge.currency.clone(),
            Body::Checkpoint(checkpoint) => checkpoint.currency.clone(),
            Body::Fraud(fraud) => fraud.currency.clone(),
        })
    }
}
