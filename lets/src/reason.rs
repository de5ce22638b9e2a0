//! Why an entry of this part is void: a closed list, each with a sentence.

use std::fmt;

/// Why an entry changes nothing.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub enum Reason {
    /// An amount has other decimals than the currency.
    AmountNotCanonical,
    /// A version of the currency or of its rules writes amounts with other decimals than before.
    ScaleChanged,
    /// It names something of another currency or community.
    Foreign,
    /// Its author may not do this in the community.
    NotAllowed,
    /// Its number does not follow the version it names.
    BrokenChain,
    /// Its author is no witness of the charter that the epoch's rules name.
    NotAWitness,
    /// What it repeats of an order is not what the order says.
    DiffersFromOrder,
    /// What it names is another kind of event.
    WrongTarget,
    /// Its author has no part in what it names.
    NotAParty,
    /// The order it shows does not stand at the hold's slot.
    WrongSlot,
    /// The order it shows has too few attestations.
    NotCertified,
}

impl Reason {
    /// Every reason, in the order of this file.
    pub const ALL: &'static [Self] = &[
        Self::AmountNotCanonical,
        Self::ScaleChanged,
        Self::Foreign,
        Self::NotAllowed,
        Self::BrokenChain,
        Self::NotAWitness,
        Self::DiffersFromOrder,
        Self::WrongTarget,
        Self::NotAParty,
        Self::WrongSlot,
        Self::NotCertified,
    ];
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AmountNotCanonical => "an amount has other decimals than the currency",
            Self::ScaleChanged => "the decimals of a currency never change",
            Self::Foreign => "it names something of another currency or community",
            Self::NotAllowed => "its author may not do this in the community",
            Self::BrokenChain => "its number does not follow the version it names",
            Self::NotAWitness => "its author is no witness under these rules",
            Self::DiffersFromOrder => "what it repeats is not what the order says",
            Self::WrongTarget => "what it names is another kind of event",
            Self::NotAParty => "its author has no part in what it names",
            Self::WrongSlot => "the order it shows does not stand at the hold's slot",
            Self::NotCertified => "the order it shows has too few attestations",
        })
    }
}
