//! The network between the nodes: it loses, repeats and reorders, and what arrives at one time is
//! taken event by event or together.

use std::collections::BTreeMap;

use ayni_node::admission::Origin;
use ayni_protocol::VerifiedEvent;

use super::{Flight, NODES, World};
use crate::world::Written;

impl World {
    /// Everything written since goes out to everyone: perhaps lost, perhaps twice, in any order.
    /// Where the power went out it is written, and nobody was sent it.
    pub(super) fn spread(&mut self, from: usize, before: usize, sent: bool) {
        let fresh: Vec<_> = self.nodes[from].disk.iter().skip(before).cloned().collect();
        for event in fresh {
            self.record.observe(&event);
            if !sent {
                continue;
            }
            for to in (0..NODES).filter(|to| *to != from) {
                for _ in 0..=usize::from(self.dice.chance(15)) {
                    if !self.dice.chance(self.lossy) {
                        let due = self.step + self.dice.below(20);
                        self.flights.push(Flight { from, to, event: event.clone(), due });
                    }
                }
            }
        }
    }

    pub(super) fn reaches(&self, from: usize, to: usize) -> bool {
        self.sides[from] == self.sides[to]
    }

    pub(super) fn deliver(&mut self) {
        let step = self.step;
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.flights).into_iter().partition(|flight| flight.due <= step);
        self.flights = later;
        let mut arrived: BTreeMap<usize, Vec<VerifiedEvent>> = BTreeMap::new();
        for flight in due {
            if self.reaches(flight.from, flight.to) {
                arrived.entry(flight.to).or_default().push(flight.event);
            }
        }
        for (at, events) in arrived {
            // A peer's event is stored, or refused for what it is. A planted bug is one of single events.
            if self.bug.is_none() && self.dice.chance(50) {
                self.submit_together(at, &events);
                continue;
            }
            for event in events {
                let _ = self.submit(at, &event, Origin::Peer);
            }
        }
    }

    /// Hands a node what came from peers, as one batch.
    fn submit_together(&mut self, at: usize, events: &[VerifiedEvent]) {
        let (now, cut_after) = (self.clock(at), self.power(at));
        let before = self.nodes[at].disk.len();
        let all: Vec<_> = events.iter().collect();
        let (_, written) = self.nodes[at].take_all(&all, Origin::Peer, now, cut_after);
        self.spread(at, before, written != Written::Cut);
        self.forget_commit(at, before);
    }
}
