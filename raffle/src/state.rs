//! Where a raffle stands, and what the drum remembers of each.
//!
//! Up to `closed` only a clock can tell, so the book does not say. From the decided list on, the
//! state follows from what was decided and certified, and is part of the book digest.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use ayni_protocol::{EventId, Premise, PublicKey, Ruling};
use ayni_witness::{Decision, Value};

use crate::list::TicketList;
use crate::payout::Due;
use crate::read::{ListEntry, RaffleEntry, TicketEntry};
use crate::reason::Reason;
use crate::result::Draw;

/// Where a raffle stands (protocol section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Sales have not opened. By the reader's clock.
    Announced,
    /// Tickets are sold. By the reader's clock.
    Open,
    /// Sales have closed, the list is not decided. By the reader's clock.
    Closed,
    /// The list is decided.
    Sealed,
    /// The result is decided, and equal to what this node drew.
    Drawn,
    /// Every prescribed payout is certified.
    Paid,
    /// Nothing is left to hand over either: each prize that was won and is not just money was
    /// claimed by its winner, or noted as delivered by the organiser. At once where there is none.
    Finished,
    /// Called off; refunds are due.
    Void,
    /// Called off, and every refund is certified. At once where nobody paid.
    Refunded,
    /// The witnesses decided two different things. Nothing executes.
    Disputed,
}

impl State {
    /// One lower-case word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Announced => "announced",
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Sealed => "sealed",
            Self::Drawn => "drawn",
            Self::Paid => "paid",
            Self::Finished => "finished",
            Self::Void => "void",
            Self::Refunded => "refunded",
            Self::Disputed => "disputed",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What an entry needs before it can be judged, as a key to find it by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Need {
    /// A charter, a raffle or a certified order.
    Event(EventId),
    /// A policy of an account this key is, or signs for.
    Key(PublicKey),
    /// A round of the chain of this hash.
    Round([u8; 32], u64),
}

impl Need {
    pub(crate) const fn premise(self) -> Premise {
        match self {
            Self::Event(id) => Premise::Event(id),
            Self::Key(_) => Premise::Approval,
            Self::Round(..) => Premise::Beacon,
        }
    }
}

/// What the rules say of an entry on its own, before anything is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Waits(Need),
    Void(Reason),
    Fit,
}

impl Standing {
    pub(crate) const fn ruling(self) -> Ruling<Reason> {
        match self {
            Self::Waits(need) => Ruling::Waiting(need.premise()),
            Self::Void(reason) => Ruling::Void(reason),
            Self::Fit => Ruling::Counted,
        }
    }
}

/// What the witnesses decided of one subject.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    close: Option<Arc<Decision>>,
    outcome: Option<Arc<Decision>>,
    disputed: bool,
}

impl Verdict {
    /// Takes note of a decision about the box or the outcome. A second, different one of the same
    /// instance is a dispute, whichever came first.
    pub(crate) fn note(&mut self, decision: &Arc<Decision>) {
        let decided = match decision.instance {
            ayni_witness::Instance::Close => &mut self.close,
            ayni_witness::Instance::Outcome => &mut self.outcome,
            _ => return,
        };
        match decided {
            Some(earlier) => self.disputed |= earlier.value != decision.value,
            None => *decided = Some(Arc::clone(decision)),
        }
    }

    pub(crate) const fn dispute(&mut self) {
        self.disputed = true;
    }

    pub(crate) const fn is_disputed(&self) -> bool {
        self.disputed
    }

    /// What was decided of the box; nothing while it is open or disputed.
    pub(crate) fn close(&self) -> Option<&Value> {
        let close = self.close.as_ref().filter(|_| !self.disputed)?;
        Some(&close.value)
    }

    /// What was decided of the outcome of a decided box.
    pub(crate) fn outcome(&self) -> Option<&Decision> {
        match self.close() {
            Some(Value::Box(_)) => self.outcome.as_deref(),
            _ => None,
        }
    }

    /// Why the raffle was called off, if it was.
    pub(crate) fn called_off(&self) -> Option<&str> {
        match (self.close()?, self.outcome().map(|outcome| &outcome.value)) {
            (Value::Void(reason), _) | (_, Some(Value::Void(reason))) => Some(reason),
            _ => None,
        }
    }
}

/// One raffle.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) entry: RaffleEntry,
    pub(crate) standing: Standing,
    /// Orders that pay its escrow account and are named by a ticket of someone who may.
    pub(crate) orders: BTreeSet<EventId>,
    pub(crate) sales: Sales,
    /// Boxed tickets that cannot be judged yet; `None` until a box is decided.
    pub(crate) unsettled: Option<BTreeSet<EventId>>,
    /// Orders of boxed tickets, once the box is complete.
    pub(crate) boxed_orders: BTreeSet<EventId>,
    pub(crate) list: Option<TicketList>,
    pub(crate) draw: Option<Draw>,
    /// What is prescribed, by pay id.
    pub(crate) payouts: BTreeMap<[u8; 32], Due>,
    /// Referrals, and the remainder with them, wait for this account.
    pub(crate) payouts_wait: Option<PublicKey>,
    /// What is given back, by order.
    pub(crate) refunds: BTreeMap<EventId, Due>,
    pub(crate) claimed: BTreeSet<(u32, PublicKey)>,
    pub(crate) delivered: BTreeSet<u32>,
    /// Whether the organiser called it off in time; the witnesses still have to say so.
    pub(crate) cancelled: bool,
}

/// What the fit tickets that came so far add up to, boxed or not.
#[derive(Debug, Default, Clone)]
pub(crate) struct Sales {
    pub(crate) tickets: u64,
    pub(crate) units: u64,
    pub(crate) held: BTreeMap<PublicKey, u64>,
}

impl Running {
    pub(crate) fn new(entry: RaffleEntry) -> Self {
        let standing = Standing::Waits(Need::Event(entry.place.charter));
        Self {
            entry,
            standing,
            orders: BTreeSet::new(),
            sales: Sales::default(),
            unsettled: None,
            boxed_orders: BTreeSet::new(),
            list: None,
            draw: None,
            payouts: BTreeMap::new(),
            payouts_wait: None,
            refunds: BTreeMap::new(),
            claimed: BTreeSet::new(),
            delivered: BTreeSet::new(),
            cancelled: false,
        }
    }

    /// Whether every boxed ticket is judged.
    pub(crate) fn is_complete(&self) -> bool {
        self.unsettled.as_ref().is_some_and(BTreeSet::is_empty)
    }

    /// Which of two boxes that hold one order keeps it: the one drawn first, then the lower id.
    pub(crate) const fn rank(&self) -> (u64, EventId) {
        (self.entry.place.round, self.entry.id)
    }

    /// Whether each won prize that is a thing was handed over.
    pub(crate) fn is_handed_over(&self) -> bool {
        let Some(draw) = &self.draw else { return false };
        let Some(list) = &self.list else { return false };
        (1..).zip(&self.entry.spec.prizes).zip(&draw.winners).all(|((number, prize), ticket)| {
            let holder = list.sold().get(ticket).map(|ticket| ticket.holder);
            prize.share_bp.is_some()
                || self.delivered.contains(&number)
                || holder.is_some_and(|holder| self.claimed.contains(&(number, holder)))
        })
    }
}

/// One ticket.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(crate) entry: TicketEntry,
    pub(crate) standing: Standing,
    pub(crate) claim: Option<Claim>,
}

/// What a ticket's order paid into the escrow account, on behalf of its author.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) payer: PublicKey,
    pub(crate) minor: i64,
}

/// What one order put into one escrow account.
pub(crate) type Deposit = (EventId, PublicKey);

/// Anything else that is said of a raffle.
#[derive(Debug)]
pub(crate) enum Note {
    List(ListEntry),
    Draw(crate::read::DrawEntry),
    Claim(crate::read::ClaimEntry),
}

impl Note {
    /// The event, its community and its raffle.
    pub(crate) const fn head(&self) -> (EventId, EventId, EventId) {
        match self {
            Self::List(list) => (list.id, list.community, list.raffle),
            Self::Draw(draw) => (draw.id, draw.community, draw.raffle),
            Self::Claim(claim) => (claim.id, claim.community, claim.raffle),
        }
    }
}
