//! Kinds of events: NIP-01's classes, and the numbers this protocol gives meaning to.

use std::ops::RangeInclusive;

use crate::Event;

/// The `kind` of an event, 0 to 65535 (NIP-01).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct Kind(pub u16);

/// How a relay keeps events of a kind (NIP-01). Kinds the NIP does not class are regular.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Every event is kept.
    Regular,
    /// The newest by author and kind is kept.
    Replaceable,
    /// Nothing is kept; live subscribers see it.
    Ephemeral,
    /// The newest by author, kind and `d` tag is kept.
    Addressable,
}

/// The kinds of the economy: acts, and what is replaced at its address.
const ECONOMY: [RangeInclusive<u16>; 2] = [4710..=4759, 37_470..=37_472];

impl Kind {
    /// The class that NIP-01 gives this kind.
    #[must_use]
    pub const fn class(self) -> Class {
        match self.0 {
            0 | 3 | 10_000..=19_999 => Class::Replaceable,
            20_000..=29_999 => Class::Ephemeral,
            30_000..=39_999 => Class::Addressable,
            _ => Class::Regular,
        }
    }

    /// Whether events of this kind are shown only to those whom they concern: direct messages to
    /// their author and the keys in their `p` tags (NIP-04), gift wraps to the keys in their `p`
    /// tags, since their author is a key used once (NIP-17, NIP-59).
    #[must_use]
    pub const fn is_private(self) -> bool {
        matches!(self, DIRECT_MESSAGE | GIFT_WRAP | EPHEMERAL_WRAP)
    }

    /// Whether this kind belongs to the economy (protocol section 1): such events are never
    /// deleted, never expire and must carry a community.
    #[must_use]
    pub fn is_economy(self) -> bool {
        ECONOMY.iter().any(|kinds| kinds.contains(&self.0))
    }

    /// Every kind that belongs to the economy, in order.
    pub fn economy() -> impl Iterator<Item = Self> {
        ECONOMY.into_iter().flatten().map(Self)
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The first value of the `d` tag, empty where there is none (NIP-01).
#[must_use]
pub fn identifier(event: &Event) -> &str {
    event.tags.named("d").next().and_then(crate::Tag::value).unwrap_or("")
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $number:literal;)*) => {
        $($(#[$doc])* pub const $name: Kind = Kind($number);)*
    };
}

kinds! {
    /// Profile (NIP-01).
    PROFILE = 0;
    /// Short text note (NIP-10).
    NOTE = 1;
    /// Whom an author follows (NIP-02).
    FOLLOWS = 3;
    /// Direct message between two keys (NIP-04).
    DIRECT_MESSAGE = 4;
    /// Deletion request (NIP-09).
    DELETION = 5;
    /// Repost (NIP-18).
    REPOST = 6;
    /// Generic repost (NIP-18).
    GENERIC_REPOST = 16;
    /// Request to vanish (NIP-62).
    VANISH = 62;
    /// Direct message kept by a recipient (NIP-17).
    GIFT_WRAP = 1059;
    /// Report of an event or a person (NIP-56).
    REPORT = 1984;
    /// A relay took a member in (NIP-43).
    MEMBER_ADDED = 8000;
    /// A relay has a member less (NIP-43).
    MEMBER_REMOVED = 8001;
    /// The relays an author reads and writes (NIP-65).
    RELAY_LIST = 10_002;
    /// The relays that take an author's direct messages (NIP-17).
    INBOX_RELAYS = 10_050;
    /// The relays that hold an author's key packages (NIP-EE).
    KEY_PACKAGE_RELAYS = 10_051;
    /// Members of a relay (NIP-43).
    MEMBERS = 13_534;
    /// Gift wrap that is handed on and never kept (NIP-59).
    EPHEMERAL_WRAP = 21_059;
    /// Client authentication (NIP-42).
    AUTH = 22_242;
    /// HTTP authentication (NIP-98).
    HTTP_AUTH = 27_235;
    /// Request to join a relay (NIP-43).
    JOIN = 28_934;
    /// An invitation, made when it is asked for (NIP-43).
    INVITATION = 28_935;
    /// Request to leave a relay (NIP-43).
    LEAVE = 28_936;
    /// What is to be known of a relay (NIP-66).
    RELAY_DISCOVERY = 30_166;
    /// Classified listing: an offer or a want (NIP-99).
    LISTING = 30_402;
    /// A role of a relay's members (NIP-43).
    ROLE = 33_534;
    /// Fundraiser: a cause.
    CAUSE = 33_863;

    /// Charter of a community, one event a version.
    CHARTER = 4710;
    /// Roster snapshot.
    ROSTER = 4711;
    /// Proposal.
    PROPOSAL = 4712;
    /// Ballot, open or sealed.
    BALLOT = 4713;
    /// Delegation, or its revocation.
    DELEGATION = 4714;
    /// Receipt of entries, by a witness.
    RECEIPT = 4715;
    /// Attestation of a box, by a witness.
    BOX_ATTESTATION = 4716;
    /// Decision step, by a witness.
    DECISION = 4717;
    /// Tally, the canonical result of a vote.
    TALLY = 4718;
    /// Beacon: a drand round, relayed.
    BEACON = 4719;
    /// Reveal of the offline fallback.
    REVEAL = 4720;
    /// Translation of a proposal or raffle, not binding.
    TRANSLATION = 4721;
    /// Commitment of the offline fallback.
    COMMITMENT = 4722;
    /// Raffle.
    RAFFLE = 4730;
    /// Ticket of a raffle.
    TICKET = 4731;
    /// Ticket list, for download.
    TICKET_LIST = 4732;
    /// Draw, the canonical result of a raffle.
    DRAW = 4733;
    /// Prize claim or delivery note.
    CLAIM = 4734;
    /// Consent to a legal text.
    CONSENT = 4740;
    /// Setting: one versioned change of community configuration.
    SETTING = 4741;
    /// Merit award.
    MERIT = 4742;
    /// Currency rules, one event an epoch.
    RULES = 4750;
    /// Account policy.
    POLICY = 4751;
    /// Transfer order.
    ORDER = 4752;
    /// Attestation by a witness, or approval by a steward.
    ATTESTATION = 4753;
    /// Payment request.
    REQUEST = 4754;
    /// Decline or cancellation of a request.
    DECLINE = 4755;
    /// Charge.
    CHARGE = 4756;
    /// Checkpoint.
    CHECKPOINT = 4757;
    /// Hold resolution.
    RESOLUTION = 4758;
    /// Fraud proof.
    FRAUD = 4759;
    /// Currency.
    CURRENCY = 37_470;
    /// Trade agreement with another currency.
    AGREEMENT = 37_471;
    /// Rating of a trade.
    RATING = 37_472;
}
