//! The attestation (kind 4753): what a witness signs for, and a steward's approval of an act.
//!
//! A witness keeps one log over all currencies: every statement has an index and names the one
//! before, so that a witness that forgets, or signs twice, can be shown to have done so.

use ayni_protocol::shape::{parsed, unsigned};
use ayni_protocol::{Address, Amount, Draft, EventId, Malformed, PublicKey, Scale, Shape};
use ayni_witness::Leg;

use crate::entry::Entry;
use crate::order::{legs, write_legs};
use crate::{Order, tags};

/// Orders in one attestation, at most: few enough that whoever waits for one of them need not read
/// much, and many enough that signing costs little beside checking them.
pub const ORDERS_MAX: usize = 16;
/// Legs of all of them, at most, so that the event is no larger than relays take.
pub const LEGS_MAX: usize = 64;

/// What an attestation says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attestation {
    /// A steward approves an act of the community.
    Approve {
        /// The act.
        act: EventId,
    },
    /// A witness states something, in its log.
    State(Box<Statement>),
}

/// A witness's statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The currency.
    pub currency: Address,
    /// The rules whose charter makes its author a witness.
    pub epoch: EventId,
    /// Its place in the witness's log.
    pub log: Log,
    /// What it states.
    pub about: About,
}

/// A place in a witness's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// From 0.
    pub index: u64,
    /// The statement before; none for index 0.
    pub previous: Option<EventId>,
}

/// What a witness states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// Orders may be paid (`attest`). It says of each what a statement of its own would.
    Orders(Vec<Repeat>),
    /// A policy is applied from now on (`ack`).
    Policy(EventId),
    /// A charge is in order (`charge`).
    Charge(EventId),
    /// The witness attests nothing more in this epoch (`close`).
    Close,
}

/// What an attestation repeats of an order, so that the books survive the order's erasure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeat {
    /// The order.
    pub order: EventId,
    /// The paying account.
    pub payer: PublicKey,
    /// The account paid; of a void order, which pays nobody, the payer again.
    pub payee: PublicKey,
    /// The order's number.
    pub seq: u64,
    /// Decimals of the amounts.
    pub scale: Scale,
    /// The order's legs.
    pub legs: Vec<Leg>,
    /// The payer's policy that the witness applied.
    pub policy: EventId,
    /// By how much the payment passed the limit, where limits do not bind.
    pub over: Option<Amount>,
}

impl Attestation {
    pub(crate) fn read(shape: Shape<'_>) -> Result<Self, Malformed> {
        let about = match shape.text("op")? {
            "approve" => return Ok(Self::Approve { act: shape.only_unmarked()? }),
            "attest" => About::Orders(Repeat::read_all(shape)?),
            "ack" => About::Policy(shape.only_unmarked()?),
            "charge" => About::Charge(shape.only_unmarked()?),
            "close" => About::Close,
            _ => return Err(Malformed::BadTag("op", "attest, ack, charge, close or approve")),
        };
        Ok(Self::State(Box::new(Statement {
            currency: shape.currency()?,
            epoch: parsed(shape.text("epoch")?, "epoch", "the id of the rules")?,
            log: Log::read(shape)?,
            about,
        })))
    }

    pub(crate) fn write(&self, draft: Draft) -> Draft {
        match self {
            Self::Approve { act } => draft.tag(["op", "approve"]).tag(["e", &act.to_string()]),
            Self::State(statement) => statement.write(draft),
        }
    }
}

impl Statement {
    /// What it says of each order, where it is about orders.
    #[must_use]
    pub fn orders(&self) -> &[Repeat] {
        match &self.about {
            About::Orders(all) => all,
            _ => &[],
        }
    }

    fn write(&self, draft: Draft) -> Draft {
        let op = match &self.about {
            About::Orders(_) => "attest",
            About::Policy(_) => "ack",
            About::Charge(_) => "charge",
            About::Close => "close",
        };
        let draft = tags::in_currency(draft, &self.currency)
            .tag(["op", op])
            .tag(["epoch", &self.epoch.to_string()]);
        let draft = match &self.about {
            About::Orders(all) => all.iter().fold(draft, |draft, repeat| repeat.write(draft)),
            About::Policy(id) | About::Charge(id) => draft.tag(["e", &id.to_string()]),
            About::Close => draft,
        };
        self.log.write(draft)
    }
}

impl Repeat {
    /// Whether it says what the order says.
    pub(crate) fn is_of(&self, entry: &Entry, order: &Order) -> bool {
        order.seq == self.seq
            && entry.speaker() == self.payer
            && order.payee().copied().unwrap_or_else(|| entry.speaker()) == self.payee
            && order.scale == self.scale
            && order.legs == self.legs
    }

    fn read_all(shape: Shape<'_>) -> Result<Vec<Self>, Malformed> {
        let mut legs = LEGS_MAX;
        let mut all: Vec<Self> = Vec::with_capacity(1);
        for part in shape.parts() {
            let repeat = Self::read(part)?;
            if all.len() >= ORDERS_MAX || all.iter().any(|other| other.order == repeat.order) {
                return Err(Malformed::BadTag("e", "up to 16 orders, each once"));
            }
            legs = legs
                .checked_sub(repeat.legs.len())
                .ok_or(Malformed::BadTag("leg", "there at most 64 times"))?;
            all.push(repeat);
        }
        Ok(all)
    }

    fn read(shape: Shape<'_>) -> Result<Self, Malformed> {
        const PARTIES: Malformed = Malformed::BadTag("p", "there twice: the payer, the payee");
        let mut parties = shape.all("p").map(|tag| tag.value().unwrap_or_default());
        let mut party = || parsed(parties.next().ok_or(PARTIES)?, "p", "64 lowercase hex digits");
        let (payer, payee) = (party()?, party()?);
        let (scale, legs) = legs(shape)?;
        Ok(Self {
            order: shape.only_unmarked()?,
            payer,
            payee,
            seq: shape.unsigned("seq")?,
            scale,
            legs,
            policy: shape.marked("policy")?,
            over: shape.optional_amount("over")?,
        })
    }

    fn write(&self, draft: Draft) -> Draft {
        let draft = draft.tag(["e", &self.order.to_string()]);
        let draft = tags::key(tags::key(draft, "p", &self.payer), "p", &self.payee)
            .tag(["seq", &self.seq.to_string()]);
        let draft = write_legs(draft, self.scale, &self.legs);
        let draft = tags::marked(draft, &self.policy, "policy");
        tags::maybe(draft, "over", self.over)
    }
}

impl Log {
    fn read(shape: Shape<'_>) -> Result<Self, Malformed> {
        const FORM: &str = "an index from 0, and from 1 on the statement before";
        let tag = shape.required("log")?;
        let index = unsigned(tag.value().unwrap_or_default(), "log")?;
        let previous = tag.get(2).filter(|id| !id.is_empty());
        if (index == 0) != previous.is_none() {
            return Err(Malformed::BadTag("log", FORM));
        }
        let previous = previous.map(|id| parsed(id, "log", FORM)).transpose()?;
        Ok(Self { index, previous })
    }

    fn write(self, draft: Draft) -> Draft {
        let index = self.index.to_string();
        match self.previous {
            None => draft.tag(["log", &index]),
            Some(previous) => draft.tag(["log", &index, &previous.to_string()]),
        }
    }
}
