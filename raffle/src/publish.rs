//! Draws that follow from what is decided and that nobody has published yet.
//!
//! Anyone may publish a draw (kind 4733), and every copy says the same; one is enough.

use std::collections::BTreeSet;
use std::sync::Arc;

use ayni_protocol::{Draft, EventId};
use ayni_witness::Charter;

use crate::draft;
use crate::drum::Drum;
use crate::state::Note;

impl Drum {
    /// Raffles whose draw is known here while nobody has published it.
    #[must_use]
    pub fn unpublished(&self) -> Vec<EventId> {
        let result =
            |raffle: &EventId| self.raffles.get(raffle)?.draw.as_ref().map(|draw| draw.sha256);
        let published: BTreeSet<EventId> = self
            .notes
            .values()
            .filter_map(|note| match note {
                Note::Draw(note) => (result(&note.raffle)? == note.result).then_some(note.raffle),
                _ => None,
            })
            .collect();
        let drawn = self.raffles.iter().filter(|(_, raffle)| raffle.draw.is_some());
        drawn.map(|(id, _)| *id).filter(|id| !published.contains(id)).collect()
    }

    /// The canonical draw (kind 4733) of a raffle, ready to be signed by anyone.
    #[must_use]
    pub fn draw_of(&self, raffle: &EventId) -> Option<Draft> {
        let running = self.raffles.get(raffle)?;
        let draw = running.draw.as_ref()?;
        Some(draft::draw(running.entry.place.community, *raffle, &draw.json))
    }

    /// The charter under which a raffle is decided.
    #[must_use]
    pub fn charter_of(&self, raffle: &EventId) -> Option<Arc<Charter>> {
        let running = self.raffles.get(raffle)?;
        self.charters.get(&running.entry.place.charter).cloned()
    }
}
