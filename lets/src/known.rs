//! What is known of events, by id, in one place.
//!
//! A payment asks for its own id a dozen times: whether it came, what it says, what became of it,
//! who signed it. All of that stands together, and costs one look into memory. Whatever has to name
//! millions of events names their [`Number`] here, which is four bytes where an id is thirty-two.

use std::sync::Arc;

use ayni_protocol::{EventId, Number, PublicKey, Register};

use crate::entry::Entry;
use crate::reason::Reason;

/// Every id that the ledger heard of, and what is known of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    events: Register<EventId, About>,
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
    signatures: Box<[Brief]>,
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
    index: u64,
}

impl Standing {
    /// Whether the last word is spoken.
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Counted | Self::Void(_))
    }
}

impl Known {
    /// Takes in an event that comes for the first time.
    pub fn enter(&mut self, id: EventId, entry: Arc<Entry>) {
        let about = self.events.enter(id).1;
        about.entry = Some(entry);
        about.standing = Standing::Open;
        self.waiting = self.waiting.saturating_add(1);
    }

    pub fn entry(&self, id: &EventId) -> Option<&Arc<Entry>> {
        self.events.get(id)?.entry.as_ref()
    }

    /// An event that came and is not settled, and whether it is sound.
    pub fn unsettled(&self, id: &EventId) -> Option<(Arc<Entry>, bool)> {
        let about = self.events.get(id).filter(|about| !about.standing.is_settled())?;
        Some((Arc::clone(about.entry.as_ref()?), about.standing == Standing::Sound))
    }

    pub fn standing(&self, id: &EventId) -> Standing {
        self.events.get(id).map_or(Standing::Absent, |about| about.standing)
    }

    /// How many events came whose last word is not spoken.
    pub const fn waiting(&self) -> usize {
        self.waiting
    }

    /// Says how far an event has come that is not settled.
    pub fn stand(&mut self, id: &EventId, standing: Standing) {
        if let Some(about) = self.events.get_mut(id) {
            about.standing = standing;
            self.waiting = self.waiting.saturating_sub(usize::from(standing.is_settled()));
        }
    }

    /// Lets go of what an event says; what became of it stays.
    pub fn forget(&mut self, id: &EventId) {
        if let Some(about) = self.events.get_mut(id) {
            about.entry = None;
        }
    }

    /// The number of an id, which is heard of now if it was not before.
    pub fn number_of(&mut self, id: EventId) -> Number {
        self.events.enter(id).0
    }

    /// The id of a number.
    pub fn id(&self, number: Number) -> Option<EventId> {
        self.events.at(number).map(|(id, _)| *id)
    }

    /// The number of an id that was heard of.
    pub fn number(&self, id: &EventId) -> Option<Number> {
        self.events.number(id)
    }

    /// What the event of a number says.
    pub fn entry_at(&self, number: Number) -> Option<&Arc<Entry>> {
        self.events.at(number)?.1.entry.as_ref()
    }

    /// Every event whose body is kept.
    #[cfg(test)]
    pub fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.events.iter().filter_map(|(_, about)| about.entry.as_ref())
    }

    /// Books a statement about `target`, at its place among the others.
    pub fn sign(&mut self, target: EventId, signature: &Signature) {
        let before = self.signatures(&target).take_while(|other| other < signature).count();
        let known = self.witnesses.iter().position(|witness| *witness == signature.witness);
        let witness = known.unwrap_or_else(|| {
            self.witnesses.push(signature.witness);
            self.witnesses.len().saturating_sub(1)
        });
        let brief = Brief {
            witness: u32::try_from(witness).unwrap_or(u32::MAX),
            epoch: self.number_of(signature.epoch),
            attestation: self.number_of(signature.attestation),
            index: signature.index,
        };
        let all = &mut self.events.enter(target).1.signatures;
        let (first, last) = all.split_at_checked(before).unwrap_or((&**all, &[]));
        *all = [first, &[brief], last].concat().into();
    }

    /// The counted statements about an event, sorted, those of one witness side by side.
    pub fn signatures(&self, target: &EventId) -> impl Iterator<Item = Signature> + use<'_> {
        let all = self.events.get(target).map_or(&[][..], |about| &about.signatures);
        all.iter().filter_map(|brief| {
            Some(Signature {
                witness: *self.witnesses.get(usize::try_from(brief.witness).ok()?)?,
                epoch: self.id(brief.epoch)?,
                attestation: self.id(brief.attestation)?,
                index: brief.index,
            })
        })
    }

    /// Whether any statement about an event counts.
    pub fn is_signed(&self, target: &EventId) -> bool {
        self.events.get(target).is_some_and(|about| !about.signatures.is_empty())
    }
}

#[cfg(test)]
mod tests {
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
                known.sign(target, &signature);
                plain.push(signature);
            }
            plain.sort_unstable();
            prop_assert!(known.signatures(&target).eq(plain.iter().copied()));
            prop_assert_eq!(known.is_signed(&target), !plain.is_empty());
        }
    }
}
