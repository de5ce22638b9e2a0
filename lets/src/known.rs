//! What is known of events, by id, in one place.
//!
//! A payment asks for its own id a dozen times: whether it came, what it says, what became of it,
//! who signed it. All of that stands together, and costs one look into memory. Whatever has to name
//! millions of events names their [`Number`] here, which is four bytes where an id is thirty-two.

use std::sync::Arc;

use ayni_protocol::{EventId, Number, PublicKey, Register, Rows};

use crate::attestation::Statement;
use crate::entry::Entry;
use crate::reason::Reason;

/// Every id that the ledger heard of, and what is known of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    events: Register<EventId, About>,
    /// The counted statements about all of them, as they came.
    statements: Rows<Brief>,
    /// Witnesses that signed something, a few of them.
    witnesses: Vec<PublicKey>,
    /// How many events came whose last word is not spoken.
    waiting: usize,
}

/// What is known of one event.
#[derive(Debug, Clone, Default)]
struct About {
    entry: Option<Arc<Entry>>,
    standing: Standing,
    /// Where in [`Known::statements`] the first about it stands.
    signed: Option<u32>,
}

/// How far an event has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Standing {
    /// It did not come; others name it.
    #[default]
    Absent,
    /// It came, and waits for something.
    Open,
    /// It lacks nothing but witnesses.
    Sound,
    /// It counts.
    Counted,
    /// It never will, for this reason.
    Void(Reason),
}

/// A witness's counted statement about something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Signature {
    pub witness: PublicKey,
    pub epoch: EventId,
    pub attestation: EventId,
    /// Its place in the witness's log.
    pub index: u64,
}

/// The same in short.
#[derive(Debug, Clone, Copy)]
struct Brief {
    /// Where in [`Known::witnesses`] its author stands.
    witness: u32,
    epoch: Number,
    attestation: Number,
    /// Where in [`Known::statements`] the next about the same event stands.
    next: Option<u32>,
    index: u64,
}

impl Signature {
    /// The signature that a statement is.
    pub fn of(entry: &Entry, statement: &Statement) -> Self {
        Self {
            witness: entry.author,
            epoch: statement.epoch,
            attestation: entry.id,
            index: statement.log.index,
        }
    }
}

impl Standing {
    /// Whether the last word is spoken.
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Counted | Self::Void(_))
    }
}

impl Known {
    /// Makes room for so many events.
    pub fn expect(&mut self, more: usize) {
        self.events.reserve(more);
    }

    /// The number of an event that comes for the first time; none where it came before.
    pub fn enter(&mut self, id: EventId) -> Option<Number> {
        let number = self.events.enter(id);
        let about = self.events.at_mut(number)?;
        if about.standing != Standing::Absent {
            return None;
        }
        about.standing = Standing::Open;
        self.waiting = self.waiting.saturating_add(1);
        Some(number)
    }

    /// Keeps what an event says.
    pub fn keep(&mut self, number: Number, entry: Arc<Entry>) {
        if let Some(about) = self.events.at_mut(number) {
            about.entry = Some(entry);
        }
    }

    /// Lets go of what an event says; what became of it stays.
    pub fn forget(&mut self, number: Number) {
        if let Some(about) = self.events.at_mut(number) {
            about.entry = None;
        }
    }

    pub fn entry(&self, id: &EventId) -> Option<&Arc<Entry>> {
        self.events.get(id)?.entry.as_ref()
    }

    /// What the event of a number says.
    pub fn entry_at(&self, number: Number) -> Option<&Arc<Entry>> {
        self.events.at(number)?.1.entry.as_ref()
    }

    /// An event that came and is not settled, and whether it is sound.
    pub fn unsettled(&self, number: Number) -> Option<(Arc<Entry>, bool)> {
        let (_, about) = self.events.at(number)?;
        let entry = about.entry.as_ref().filter(|_| !about.standing.is_settled())?;
        Some((Arc::clone(entry), about.standing == Standing::Sound))
    }

    pub fn standing(&self, id: &EventId) -> Standing {
        self.events.get(id).map_or(Standing::Absent, |about| about.standing)
    }

    /// Whether the last word on an event is spoken.
    pub fn is_settled(&self, number: Number) -> bool {
        self.events.at(number).is_some_and(|(_, about)| about.standing.is_settled())
    }

    /// Brings an id's place into the processor's cache; says something about it, so that it has to
    /// be looked at.
    pub fn touch(&self, id: &EventId) -> u8 {
        self.events.number(id).is_some().into()
    }

    /// How many events came whose last word is not spoken.
    pub const fn waiting(&self) -> usize {
        self.waiting
    }

    /// Says how far an event has come that is not settled.
    pub fn stand(&mut self, number: Number, standing: Standing) {
        if let Some(about) = self.events.at_mut(number) {
            about.standing = standing;
            self.waiting = self.waiting.saturating_sub(usize::from(standing.is_settled()));
        }
    }

    /// The number of an id, which is heard of now if it was not before.
    pub fn number_of(&mut self, id: EventId) -> Number {
        self.events.enter(id)
    }

    /// The id of a number.
    pub fn id(&self, number: Number) -> Option<EventId> {
        self.events.at(number).map(|(id, _)| *id)
    }

    /// The number of an id that was heard of.
    pub fn number(&self, id: &EventId) -> Option<Number> {
        self.events.number(id)
    }

    /// Every event whose body is kept.
    #[cfg(test)]
    pub fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.events.iter().filter_map(|(_, about)| about.entry.as_ref())
    }

    /// Books a statement about an event, at its place among the others; `attestation` is its own
    /// number. False if it is booked already.
    pub fn sign(&mut self, target: Number, attestation: Number, signature: &Signature) -> bool {
        if self.briefs(target).any(|(_, brief)| brief.attestation == attestation) {
            return false;
        }
        let earlier = self
            .briefs(target)
            .take_while(|(_, other)| self.signature(other).is_some_and(|other| other < *signature));
        let before = earlier.last().map(|(place, brief)| (place, brief.next));
        let next = match before {
            Some((_, next)) => next,
            None => self.events.at(target).and_then(|(_, about)| about.signed),
        };
        let brief = Brief {
            witness: self.witness(signature.witness),
            epoch: self.number_of(signature.epoch),
            attestation,
            next,
            index: signature.index,
        };
        let place = u32::try_from(self.statements.len()).ok();
        self.statements.push(brief);
        if let Some((before, _)) = before {
            if let Some(before) = self.statements.get_mut(before) {
                before.next = place;
            }
        } else if let Some(about) = self.events.at_mut(target) {
            about.signed = place;
        }
        true
    }

    /// Where a witness stands among those that signed something.
    fn witness(&mut self, key: PublicKey) -> u32 {
        let known = self.witnesses.iter().position(|witness| *witness == key);
        let place = known.unwrap_or_else(|| {
            self.witnesses.push(key);
            self.witnesses.len().saturating_sub(1)
        });
        u32::try_from(place).unwrap_or(u32::MAX)
    }

    /// The counted statements about an event, sorted, those of one witness side by side.
    pub fn signatures(&self, target: &EventId) -> impl Iterator<Item = Signature> + use<'_> {
        let briefs = self.number(target).into_iter().flat_map(|target| self.briefs(target));
        briefs.filter_map(|(_, brief)| self.signature(brief))
    }

    /// Whether any statement about an event counts.
    pub fn is_signed(&self, target: &EventId) -> bool {
        self.events.get(target).is_some_and(|about| about.signed.is_some())
    }

    /// The same of the event of a number.
    pub fn is_signed_at(&self, target: Number) -> bool {
        self.events.at(target).is_some_and(|(_, about)| about.signed.is_some())
    }

    /// How many witnesses signed for an event under some rules.
    pub fn signers_under(&self, target: Number, epoch: &EventId) -> usize {
        let (mut signers, mut last) = (0_usize, None);
        for (_, brief) in self.briefs(target) {
            if self.id(brief.epoch) == Some(*epoch) && last != Some(brief.witness) {
                signers = signers.saturating_add(1);
                last = Some(brief.witness);
            }
        }
        signers
    }

    /// The statements about an event, sorted, and where each stands.
    fn briefs(&self, target: Number) -> impl Iterator<Item = (usize, &Brief)> {
        let at = |place: Option<u32>| {
            let place = usize::try_from(place?).ok()?;
            Some((place, self.statements.get(place)?))
        };
        let first = at(self.events.at(target).and_then(|(_, about)| about.signed));
        std::iter::successors(first, move |(_, brief)| at(brief.next))
    }

    fn signature(&self, brief: &Brief) -> Option<Signature> {
        Some(Signature {
            witness: *self.witnesses.get(usize::try_from(brief.witness).ok()?)?,
            epoch: self.id(brief.epoch)?,
            attestation: self.id(brief.attestation)?,
            index: brief.index,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// What came first leaves no trace in the list of those who signed.
        #[test]
        fn statements_about_an_event_are_sorted(said in prop::collection::vec((0_u8..3, 0_u8..3), 0..8)) {
            let (mut known, target) = (Known::default(), EventId([9; 32]));
            let mut plain = Vec::new();
            for (number, (witness, epoch)) in (0_u8..).zip(&said) {
                let signature = Signature {
                    witness: PublicKey([*witness; 32]),
                    epoch: EventId([*epoch; 32]),
                    attestation: EventId([100 - number; 32]),
                    index: number.into(),
                };
                let numbers = (known.number_of(target), known.number_of(signature.attestation));
                prop_assert!(known.sign(numbers.0, numbers.1, &signature));
                prop_assert!(!known.sign(numbers.0, numbers.1, &signature), "once");
                plain.push(signature);
            }
            plain.sort_unstable();
            prop_assert!(known.signatures(&target).eq(plain.iter().copied()));
            prop_assert_eq!(known.is_signed(&target), !plain.is_empty());
            let number = known.number_of(target);
            for epoch in (0..3).map(|epoch| EventId([epoch; 32])) {
                let under = plain.iter().filter(|it| it.epoch == epoch).map(|it| it.witness);
                let signers = under.collect::<BTreeSet<_>>().len();
                prop_assert_eq!(known.signers_under(number, &epoch), signers);
            }
        }
    }
}
