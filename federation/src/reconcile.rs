//! The difference of two sets by negentropy (NIP-77), from the asking side.
//!
//! The peer answers as long as it likes, so rounds are counted: an honest one halves what is open,
//! or fills its frames, and either way ends within a bound that grows with what was found.
//! The negentropy crate collects ids through a hash set; they are sorted here, because a pure crate
//! gives the same output for the same input.

use std::collections::BTreeSet;

use ayni_protocol::{EventId, Timestamp};
use negentropy::{Error, Id, Negentropy, NegentropyStorageVector};

use crate::Terms;

/// Rounds that any reconciliation may take: sixteen-fold splits, and frames cut short.
const ROUNDS_MIN: usize = 64;
/// Ids that a round brings at least once there are many. The smallest frame holds 128.
const IDS_PER_ROUND: usize = 64;

/// One reconciliation under way.
#[derive(Debug)]
pub struct Reconciliation {
    engine: Negentropy<'static, NegentropyStorageVector>,
    items: usize,
    rounds: usize,
    found: usize,
    ids_max: usize,
}

/// What one answer of the peer brought.
#[derive(Debug, PartialEq, Eq)]
pub struct Round {
    /// The peer has these and we do not.
    pub need: Vec<EventId>,
    /// We have these and the peer does not.
    pub have: Vec<EventId>,
    /// How it goes on.
    pub next: Next,
}

/// How a reconciliation goes on.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Send this.
    Say(Vec<u8>),
    /// Nothing is left.
    Done,
    /// Enough for one pass; the rest is left to the next.
    Enough,
}

/// Why a reconciliation cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// The peer speaks another version of negentropy.
    Version,
    /// Its message is no negentropy message.
    Garbage,
    /// It finds no end.
    Endless,
}

impl Reconciliation {
    /// Begins with what we hold; gives the first message as well. Nothing comes of a frame limit
    /// below 4,096 bytes, which negentropy does not allow.
    pub fn open(items: &[(Timestamp, EventId)], terms: &Terms) -> Option<(Self, Vec<u8>)> {
        let mut storage = NegentropyStorageVector::with_capacity(items.len());
        for (time, id) in items {
            storage.insert(*time, Id::from_byte_array(id.0)).ok()?;
        }
        storage.seal().ok()?;
        let mut engine = Negentropy::owned(storage, terms.frame_bytes).ok()?;
        let first = engine.initiate().ok()?;
        let (items, ids_max) = (items.len(), terms.pass_ids_max);
        Some((Self { engine, items, rounds: 0, found: 0, ids_max }, first))
    }

    /// Takes the peer's answer.
    ///
    /// # Errors
    /// [`Broken`], after which the reconciliation is over.
    pub fn answer(&mut self, message: &[u8]) -> Result<Round, Broken> {
        let (mut have, mut need) = (Vec::new(), Vec::new());
        let reply = self.engine.reconcile_with_ids(message, &mut have, &mut need);
        let reply = reply.map_err(|error| match error {
            Error::UnsupportedProtocolVersion => Broken::Version,
            _ => Broken::Garbage,
        })?;
        self.rounds += 1;
        self.found = self.found.saturating_add(have.len()).saturating_add(need.len());
        let next = match reply {
            None => Next::Done,
            Some(_) if self.found >= self.ids_max => Next::Enough,
            Some(_) if self.rounds >= self.rounds_max() => return Err(Broken::Endless),
            Some(reply) => Next::Say(reply),
        };
        Ok(Round { need: sorted(need), have: in_order(have), next })
    }

    fn rounds_max(&self) -> usize {
        ROUNDS_MIN + self.items.saturating_add(self.found) / IDS_PER_ROUND
    }
}

fn sorted(ids: Vec<Id>) -> Vec<EventId> {
    let unique: BTreeSet<_> = ids.into_iter().map(|id| EventId(*id)).collect();
    unique.into_iter().collect()
}

/// Ours come oldest first, which is the order in which the peer can use them best.
fn in_order(ids: Vec<Id>) -> Vec<EventId> {
    ids.into_iter().map(|id| EventId(*id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u64) -> EventId {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        EventId(bytes)
    }

    fn items(numbers: impl IntoIterator<Item = u64>) -> Vec<(Timestamp, EventId)> {
        numbers.into_iter().map(|n| (n, id(n))).collect()
    }

    fn server(items: &[(Timestamp, EventId)]) -> Negentropy<'static, NegentropyStorageVector> {
        let mut storage = NegentropyStorageVector::new();
        for (time, id) in items {
            storage.insert(*time, Id::from_byte_array(id.0)).unwrap();
        }
        storage.seal().unwrap();
        Negentropy::owned(storage, 4_096).unwrap()
    }

    fn run(ours: &[(u64, EventId)], theirs: &[(u64, EventId)], terms: &Terms) -> (Round, usize) {
        let (mut ours, mut message) = Reconciliation::open(ours, terms).unwrap();
        let mut theirs = server(theirs);
        let mut all = Round { need: vec![], have: vec![], next: Next::Done };
        for rounds in 1.. {
            let round = ours.answer(&theirs.reconcile(&message).unwrap()).unwrap();
            all.need.extend(round.need);
            all.have.extend(round.have);
            match round.next {
                Next::Say(next) => message = next,
                next => return (Round { next, ..all }, rounds),
            }
        }
        unreachable!("answer ends within its bound")
    }

    #[test]
    fn each_side_learns_what_it_lacks() {
        let (round, _) = run(&items(0..50), &items(25..80), &Terms::default());
        assert_eq!(round.have, (0..25).map(id).collect::<Vec<_>>());
        let mut need = round.need;
        need.sort();
        let mut expected: Vec<_> = (50..80).map(id).collect();
        expected.sort();
        assert_eq!(need, expected);
        assert_eq!(run(&items(0..9), &items(0..9), &Terms::default()).0.need, []);
    }

    #[test]
    fn small_frames_of_the_peer_stay_within_the_bound() {
        let (round, rounds) = run(&items(0..5_000), &items(4_000..12_000), &Terms::default());
        // A frame cut short is begun again, so some ids come twice.
        let need: BTreeSet<_> = round.need.into_iter().collect();
        assert_eq!((round.have.len(), need.len()), (4_000, 7_000));
        assert!(rounds < ROUNDS_MIN + 16_000 / IDS_PER_ROUND, "{rounds}");
    }

    #[test]
    fn a_pass_ends_at_its_share() {
        let terms = Terms { pass_ids_max: 500, ..Terms::default() };
        let (round, _) = run(&[], &items(0..5_000), &terms);
        assert_eq!(round.next, Next::Enough);
        assert!(round.need.len() >= 500 && round.need.len() < 1_000);
    }

    #[test]
    fn garbage_other_versions_and_endless_talk_are_told_apart() {
        let open = || Reconciliation::open(&items(0..100), &Terms::default()).unwrap().0;
        assert_eq!(open().answer(&[]), Err(Broken::Garbage));
        assert_eq!(open().answer(&[0x61, 0, 0, 9]), Err(Broken::Garbage));
        assert_eq!(open().answer(&[0x62]), Err(Broken::Version));
        // "From the start to the end my fingerprint differs", again and again.
        let differs = [[0x61, 0, 0, 1].as_slice(), &[0; 16]].concat();
        let mut endless = open();
        let rounds = (0..1_000).find(|_| endless.answer(&differs) == Err(Broken::Endless));
        assert_eq!(rounds, Some(ROUNDS_MIN));
    }
}
