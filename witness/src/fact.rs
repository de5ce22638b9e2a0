//! Facts: what one part of the economy established and others build on.
//!
//! Facts are only ever added, never taken back, and each depends on the set of events alone. So the
//! parts of the economy can hand them to each other in any order and always end in the same state,
//! without naming each other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ayni_protocol::{Address, EventId, PublicKey, Scale, Timestamp};

use crate::beacon::Chain;

/// Something that is so from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// A charter version counts.
    Charter(Arc<Charter>),
    /// This key approved this act (4753 `op approve`). Whether it is a steward's is for
    /// [`crate::acts::Acts`] to say.
    Approved {
        /// The act approved.
        act: EventId,
        /// Who approved it.
        steward: PublicKey,
    },
    /// A certified proposal names this act in its `exec` tag, so it counts in that community.
    Mandated {
        /// The act.
        act: EventId,
        /// The community whose proposal it was; it mandates nothing in any other.
        community: EventId,
    },
    /// Rules of a currency (kind 4750) count: the witnesses of this charter hand them over when
    /// others follow.
    Rules {
        /// The rules.
        rules: EventId,
        /// Their community.
        community: EventId,
        /// The charter they name.
        charter: EventId,
    },
    /// A roster was decided and may be used.
    Roster(Arc<Roster>),
    /// A version of an account's policy counts. Facts are never taken back: a later version of the
    /// same account adds to this one.
    Account(Arc<Account>),
    /// A proposal or raffle whose box the witnesses will have to decide.
    Subject(Arc<Subject>),
    /// A well-formed, permitted entry of a subject: a ballot, a delegation, a ticket. Whether it
    /// came in time is for the witnesses to say.
    Entry {
        /// What it is an entry of.
        subject: EventId,
        /// The entry.
        entry: EventId,
        /// What it adds to the subject's units: tickets of the entry, 1 for a ballot.
        units: u64,
    },
    /// The subject has to be voided instead of being boxed, e.g. `cancelled` by its author.
    Failed {
        /// The subject.
        subject: EventId,
        /// The reason, one word, as it stands in the digest.
        reason: String,
    },
    /// The witnesses decided an instance: one value, for ever.
    Decided(Arc<Decision>),
    /// Two values of one instance were both decided: enough witnesses cheated. Nothing executes.
    Disputed {
        /// The subject.
        subject: EventId,
    },
    /// The canonical result of a subject, recomputed by this node from the decided box.
    Result {
        /// The subject.
        subject: EventId,
        /// SHA-256 of the canonical JSON.
        result: [u8; 32],
    },
    /// A round of a beacon, its signature verified.
    Beacon(Round),
    /// A transfer order is certified: the payment happened.
    Certified(Arc<Payment>),
    /// The decided state of a raffle prescribes this order out of its escrow account.
    Prescribed(Arc<Payout>),
}

/// A version of a community's charter (kind 4710).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charter {
    /// This version's event.
    pub id: EventId,
    /// The community: the id of the first version.
    pub community: EventId,
    /// Author of the first version; its signature makes an act of the community.
    pub community_key: PublicKey,
    /// The version before, none for the first.
    pub previous: Option<EventId>,
    /// Name of the community.
    pub name: String,
    /// Languages, by code, the preferred first.
    pub languages: Vec<String>,
    /// ISO 3166-1 code.
    pub country: Option<String>,
    /// Slug of the region.
    pub region: Option<String>,
    /// The witnesses in order, 1 to 31.
    pub witnesses: Vec<WitnessSeat>,
    /// How many of them decide; twice this is more than there are.
    pub quorum: usize,
    /// Keys that may do everyday acts and approve others.
    pub stewards: BTreeSet<PublicKey>,
    /// Approvals of stewards that an act needs; 0 where the community key is enough.
    pub approvals: usize,
    /// The randomness beacon, where draws and sealed ballots are wanted.
    pub beacon: Option<Chain>,
    /// How long things take.
    pub timings: Timings,
}

impl Charter {
    /// Whether this key holds a seat.
    #[must_use]
    pub fn is_witness(&self, key: &PublicKey) -> bool {
        self.witnesses.iter().any(|seat| seat.key == *key)
    }

    /// The witness that attests first for an account whose policy names none:
    /// `u32be(account[0..4]) mod n`, so that accounts spread over the witnesses.
    #[must_use]
    pub fn home_of(&self, account: &PublicKey) -> Option<PublicKey> {
        let [a, b, c, d, ..] = account.0;
        let seats = u64::try_from(self.witnesses.len()).ok()?;
        let turn = u64::from(u32::from_be_bytes([a, b, c, d])).checked_rem(seats)?;
        self.witnesses.get(usize::try_from(turn).ok()?).map(|seat| seat.key)
    }

    /// How many attestations must list an entry for it to be in the box: `ceil(q / 2)`.
    #[must_use]
    pub const fn inclusion(&self) -> usize {
        self.quorum.div_ceil(2)
    }
}

/// A witness's seat in a charter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessSeat {
    /// The witness's node key.
    pub key: PublicKey,
    /// Where its relay is; may be empty.
    pub url: String,
}

/// A charter's timings, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timings {
    /// From a proposal's `created_at` to its opening, at least.
    pub min_notice: u64,
    /// From close and grace to the unlock or draw round.
    pub seal_window: u64,
    /// How long before that round a box must be sealed.
    pub margin: u64,
    /// How long after that round's time a missing signature voids the outcome.
    pub beacon_deadline: u64,
}

impl Default for Timings {
    fn default() -> Self {
        Self { min_notice: 0, seal_window: 21_600, margin: 3_600, beacon_deadline: 2_592_000 }
    }
}

/// A decided roster (kind 4711).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    /// Id of its first part.
    pub id: EventId,
    /// The community.
    pub community: EventId,
    /// Everyone on it.
    pub rows: BTreeMap<PublicKey, RosterRow>,
}

/// What a roster says of one key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RosterRow {
    /// Vote credits.
    pub credits: u32,
    /// Flags, such as `id` or `age18`.
    pub flags: BTreeSet<String>,
}

/// What a counted account policy (kind 4751) says to the other parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The policy event.
    pub policy: EventId,
    /// The community.
    pub community: EventId,
    /// The currency whose account it is.
    pub currency: Address,
    /// The account: its member's first key.
    pub account: PublicKey,
    /// Version of the policy.
    pub version: u64,
    /// `member`, `organisation`, `community`, `cause`, `escrow` or `clearing`.
    pub account_type: String,
    /// Whether this version says `active`.
    pub active: bool,
    /// Keys that may sign for the account; never empty.
    pub signers: BTreeSet<PublicKey>,
    /// Flags, such as `id` or `age18`.
    pub flags: BTreeSet<String>,
    /// Who invited them.
    pub inviter: Option<PublicKey>,
}

/// A proposal or raffle, as the witnesses see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The proposal or raffle.
    pub id: EventId,
    /// Its community.
    pub community: EventId,
    /// The charter whose witnesses decide.
    pub charter: EventId,
    /// From when entries are taken.
    pub opens: Timestamp,
    /// Until when entries are cast.
    pub closes: Timestamp,
    /// How much later a witness may still receive them, in seconds.
    pub grace: u64,
    /// The unlock or draw round; the box must be sealed `margin` before it.
    pub round: Option<u64>,
    /// Units below which the close is decided void, `min-units`.
    pub min_units: u64,
}

impl Subject {
    /// The last second at which a witness receives an entry.
    #[must_use]
    pub const fn last_receipt(&self) -> Timestamp {
        self.closes.saturating_add(self.grace)
    }
}

/// What is decided of a subject. One instance decides one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Instance {
    /// A later charter version is adopted.
    Charter,
    /// A roster is adopted.
    Roster,
    /// The box is fixed, or void.
    Close,
    /// The result is fixed, or void.
    Outcome,
    /// It is fixed whose logs say what was attested under rules that others have followed.
    Handover,
}

/// A decided value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// The set of entries that count.
    Box(Arc<BTreeSet<EventId>>),
    /// Nothing counts, for this reason.
    Void(String),
    /// Adopted.
    Adopt,
    /// SHA-256 of the canonical JSON of the result.
    Result([u8; 32]),
    /// The closes (4753 `op close`) that hold.
    Closes(Arc<BTreeSet<EventId>>),
}

/// A decision of the witnesses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What it is about.
    pub subject: EventId,
    /// Which question.
    pub instance: Instance,
    /// The answer.
    pub value: Value,
    /// The digest that was sealed (protocol section 4).
    pub digest: [u8; 32],
}

/// A round of a beacon.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Round {
    /// Hash of the chain.
    pub chain: [u8; 32],
    /// The round's number.
    pub round: u64,
    /// SHA-256 of the signature.
    pub randomness: [u8; 32],
    /// The signature itself: 48 bytes on quicknet.
    pub signature: Vec<u8>,
}

/// A certified transfer order (kind 4752).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// The order.
    pub order: EventId,
    /// The community.
    pub community: EventId,
    /// The currency.
    pub currency: Address,
    /// Its decimals.
    pub scale: Scale,
    /// The paying account.
    pub payer: PublicKey,
    /// What went where, the payee first.
    pub legs: Vec<Leg>,
    /// The order it gives back, wholly or in part.
    pub refund_of: Option<EventId>,
    /// The listing or cause it is for.
    pub purpose: Option<Address>,
    /// The `pay` tag of an order out of an escrow account.
    pub pay: Option<[u8; 32]>,
}

/// One leg of an order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leg {
    /// The account credited.
    pub account: PublicKey,
    /// Minor units, above 0.
    pub minor: i64,
    /// `levy`, or empty.
    pub purpose: String,
}

/// An order out of an escrow account that a raffle's decided state prescribes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payout {
    /// The raffle.
    pub raffle: EventId,
    /// What the order carries as `["pay", …]`; at most one order each.
    pub pay: [u8; 32],
    /// The currency.
    pub currency: Address,
    /// The escrow account that pays.
    pub escrow: PublicKey,
    /// Who is paid.
    pub to: PublicKey,
    /// How much, in minor units.
    pub minor: i64,
    /// For a refund, the buyer's order.
    pub refund_of: Option<EventId>,
}
