//! Why an event of the council is void.

use std::fmt;

/// A rule that an event breaks, for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A charter pins a beacon that this software does not know.
    UnknownBeacon,
    /// Its `h` is not the community of what it builds on.
    OtherCommunity,
    /// An act that the community did not sign.
    NotTheCommunity,
    /// Its author holds no seat in the charter that decides.
    NotAWitness,
    /// It proposes, but it is another witness's turn in this attempt.
    NotTheProposer,
    /// What it builds on is void, or is nothing it can build on.
    PremiseVoid,
    /// A setting's version does not follow the one before.
    WrongVersion,
    /// A first charter, a later part of a roster, or something else that is not decided on.
    NothingToDecide,
    /// The digest is not the one that its value gives.
    WrongDigest,
    /// A named attestation is of another subject, lacks parts, or does not match its root.
    WrongAttestation,
    /// Fewer witnesses attested than the quorum.
    TooFewAttestations,
    /// The parts of the roster do not match its root.
    WrongParts,
    /// The signature is not the beacon's for this round.
    WrongSignature,
}

impl Reason {
    /// A stable word for programs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::UnknownBeacon => "UnknownBeacon",
            Self::OtherCommunity => "OtherCommunity",
            Self::NotTheCommunity => "NotTheCommunity",
            Self::NotAWitness => "NotAWitness",
            Self::NotTheProposer => "NotTheProposer",
            Self::PremiseVoid => "PremiseVoid",
            Self::WrongVersion => "WrongVersion",
            Self::NothingToDecide => "NothingToDecide",
            Self::WrongDigest => "WrongDigest",
            Self::WrongAttestation => "WrongAttestation",
            Self::TooFewAttestations => "TooFewAttestations",
            Self::WrongParts => "WrongParts",
            Self::WrongSignature => "WrongSignature",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownBeacon => "the charter pins a beacon that this software does not know",
            Self::OtherCommunity => "it belongs to another community than what it builds on",
            Self::NotTheCommunity => "only the community key may sign this",
            Self::NotAWitness => "its author is not a witness of the charter that decides",
            Self::NotTheProposer => "another witness proposes in this attempt",
            Self::PremiseVoid => "what it builds on is void",
            Self::WrongVersion => "its version does not follow the one before",
            Self::NothingToDecide => "its subject is nothing that is decided on",
            Self::WrongDigest => "the digest is not the one that its value gives",
            Self::WrongAttestation => "an attestation that it names does not fit",
            Self::TooFewAttestations => "fewer witnesses attested than the quorum",
            Self::WrongParts => "the parts of the roster do not match its root",
            Self::WrongSignature => "the signature is not the beacon's for this round",
        })
    }
}
