//! What a part of the economy must be: the ledger, the assembly, the raffles, and whatever a
//! community adds.
//!
//! A part folds events into a state. Which state depends on the *set* of events alone, never on the
//! order in which they came, on duplicates, or on a clock; so a part keeps an entry whose premise
//! has not come yet, and counts it when it does. Bad input is data: an entry that breaks a rule is
//! void, with a reason everyone can see, and never stops the fold.
//!
//! Parts do not name each other. What one establishes and another builds on is a *fact*: facts are
//! only ever added, so handing them round in any order leads to the same place.

use std::fmt;

use crate::{EventId, Kind, VerifiedEvent};

/// A part of the economy, as a fold over entries and facts.
///
/// Laws, each with a property test in the part's crate: any permutation and duplication of the same
/// entries and facts gives the same rulings and the same digest lines; `apply` and `learn` are
/// total; nothing that was `Counted` is ever anything else again.
pub trait Part {
    /// An event of this part, parsed once.
    type Entry;
    /// Why an entry is void, as a closed list.
    type Reason: fmt::Display + Copy;
    /// What parts tell each other.
    type Fact;

    /// One word, lower case.
    const NAME: &'static str;
    /// The kinds this part reads. A kind may belong to several parts.
    const KINDS: &'static [Kind];

    /// The shape of an event, stateless, so that the relay can refuse nonsense before storing it.
    ///
    /// # Errors
    /// [`Malformed`], with a sentence for its author.
    fn read(event: &VerifiedEvent) -> Result<Self::Entry, Malformed>;

    /// Adds one entry. What it establishes, for itself and for entries that waited for it, goes to
    /// the end of `facts`.
    fn apply(&mut self, entry: Self::Entry, facts: &mut Vec<Self::Fact>);

    /// Hears what this or another part established.
    fn learn(&mut self, fact: &Self::Fact, facts: &mut Vec<Self::Fact>);

    /// What became of an entry that was applied; nothing for one that never was.
    fn ruling(&self, entry: &EventId) -> Option<Ruling<Self::Reason>>;

    /// This part's lines of the book digest (protocol section 7), in any order, without newline.
    fn digest_lines(&self) -> Vec<String>;
}

/// What a part says of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling<Reason> {
    /// It counts, for ever.
    Counted,
    /// It breaks a rule and changes nothing, for ever.
    Void(Reason),
    /// It changes nothing yet.
    Waiting(Premise),
}

/// What a waiting entry waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Premise {
    /// Another event, by id.
    Event(EventId),
    /// Attestations of enough witnesses.
    Attestations,
    /// Approval by enough stewards, or a certified proposal.
    Approval,
    /// A decision of the witnesses.
    Decision,
    /// The round of a beacon.
    Beacon,
    /// The event at an earlier place of its chain, whose id it does not name.
    Earlier,
}

impl fmt::Display for Premise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(id) => write!(f, "waits for event {id}"),
            Self::Attestations => f.write_str("waits for attestations"),
            Self::Approval => f.write_str("waits for approval"),
            Self::Decision => f.write_str("waits for a decision"),
            Self::Beacon => f.write_str("waits for the beacon"),
            Self::Earlier => f.write_str("waits for an earlier event"),
        }
    }
}

/// An event whose shape is wrong: void wherever it is read (protocol section 1).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A tag that must be there is not.
    #[error("the event needs a tag {0}")]
    MissingTag(&'static str),
    /// A tag that may stand once stands twice.
    #[error("the tag {0} may stand only once")]
    RepeatedTag(String),
    /// A tag's value has the wrong form.
    #[error("the tag {0} must be {1}")]
    BadTag(&'static str, &'static str),
    /// An amount that is not canonical.
    #[error("the amount {0:?} is not written as the currency writes amounts")]
    AmountNotCanonical(String),
    /// `expiration` or `-` on an economy event.
    #[error("an economy event may not carry the tag {0}")]
    ForbiddenTag(&'static str),
    /// The content has the wrong form.
    #[error("the content must be {0}")]
    BadContent(&'static str),
}

impl Malformed {
    /// A stable word for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::MissingTag(_) => "MissingTag",
            Self::RepeatedTag(_) => "RepeatedTag",
            Self::BadTag(..) => "BadTag",
            Self::AmountNotCanonical(_) => "AmountNotCanonical",
            Self::ForbiddenTag(_) => "ForbiddenTag",
            Self::BadContent(_) => "BadContent",
        }
    }
}
