//! Why an event of this part is void, as a closed list.

use std::fmt;

/// Why an entry is void. Which one does not depend on the order in which things came: rules are
/// asked in a fixed order, each only when the one before it is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The proposal takes sealed ballots, which this version does not count yet.
    SealedNotYet,
    /// The charter, roster or proposal it names is of another community.
    OtherCommunity,
    /// The proposal opens sooner after its `created_at` than the charter's notice allows.
    NoticeTooShort,
    /// The proposal needs a round and its charter names no beacon.
    NoBeacon,
    /// The proposal's round is not the one that the formula gives.
    WrongRound,
    /// The proposal it names is void, or was voided by the witnesses before it was counted.
    ProposalVoid,
    /// Its author is not on the proposal's roster.
    NotOnRoster,
    /// The delegate is not on the proposal's roster.
    DelegateNotOnRoster,
    /// The proposal does not copy ballots.
    NoDelegation,
    /// Its `created_at` is before the vote opens.
    BeforeOpening,
    /// Its `created_at` is after the vote closes.
    AfterClose,
    /// The published tally differs from the one everybody can compute.
    ResultDiffers,
}

impl Reason {
    /// Every reason, in the order of this file.
    pub const ALL: &'static [Self] = &[
        Self::SealedNotYet,
        Self::OtherCommunity,
        Self::NoticeTooShort,
        Self::NoBeacon,
        Self::WrongRound,
        Self::ProposalVoid,
        Self::NotOnRoster,
        Self::DelegateNotOnRoster,
        Self::NoDelegation,
        Self::BeforeOpening,
        Self::AfterClose,
        Self::ResultDiffers,
    ];

    /// A stable word for programs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::SealedNotYet => "SealedNotYet",
            Self::OtherCommunity => "OtherCommunity",
            Self::NoticeTooShort => "NoticeTooShort",
            Self::NoBeacon => "NoBeacon",
            Self::WrongRound => "WrongRound",
            Self::ProposalVoid => "ProposalVoid",
            Self::NotOnRoster => "NotOnRoster",
            Self::DelegateNotOnRoster => "DelegateNotOnRoster",
            Self::NoDelegation => "NoDelegation",
            Self::BeforeOpening => "BeforeOpening",
            Self::AfterClose => "AfterClose",
            Self::ResultDiffers => "ResultDiffers",
        }
    }

    /// What people read.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::SealedNotYet => "sealed ballots are not counted by this version yet",
            Self::OtherCommunity => "what it names belongs to another community",
            Self::NoticeTooShort => "the vote opens sooner than the charter's notice allows",
            Self::NoBeacon => "a lot needs a beacon, and the charter names none",
            Self::WrongRound => "the unlock round is not the one that the close prescribes",
            Self::ProposalVoid => "the proposal is void",
            Self::NotOnRoster => "its author is not on the roster of this vote",
            Self::DelegateNotOnRoster => "the delegate is not on the roster of this vote",
            Self::NoDelegation => "this vote does not take delegations",
            Self::BeforeOpening => "it is dated before the vote opened",
            Self::AfterClose => "it is dated after the vote closed",
            Self::ResultDiffers => "the tally differs from the one computed from the box",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}
