//! The claims of this crate, by name. Each has a property test that cites it.

use ayni_protocol::laws::Law;

/// What was promised is there.
pub const ACKNOWLEDGED_MEANS_DURABLE: Law = Law {
    name: "AcknowledgedMeansDurable",
    sentence: "An event that append returned is there after a crash at any later call to the disk",
    why: "or an OK would be a guess, and a payment could vanish after it was shown as made",
};

/// What was not promised is whole or absent.
pub const UNKNOWN_MAY_BE_EITHER: Law = Law {
    name: "UnknownMayBeEither",
    sentence: "An event whose append failed is afterwards wholly there or wholly absent",
    why: "or half an event could be read, or the events before it be lost with it",
};

/// Once is as good as often.
pub const REPEAT_IS_NOTHING: Law = Law {
    name: "RepeatIsNothing",
    sentence: "Appending what is there changes nothing, not even the order of acceptance",
    why: "or every reconnecting client and peer would grow the disk",
};

/// The journal is the truth.
pub const INDEX_IS_DISPOSABLE: Law = Law {
    name: "IndexIsDisposable",
    sentence: "A store answers alike whether its index was kept, snapshot or built from the journal",
    why: "or deleting a cache could change what a community sees",
};

/// Being quick changes no answer.
pub const AS_THE_REFERENCE: Law = Law {
    name: "AsTheReference",
    sentence: "The store on disk answers everything as the plain one in memory, in the same order",
    why: "or an index could hide events, show deleted ones, or order them wrongly",
};

/// Giving the disk back changes no answer.
pub const COMPACTION_CHANGES_NOTHING: Law = Law {
    name: "CompactionChangesNothing",
    sentence: "After a compaction the store answers as before, and after a restart too",
    why: "or keeping the disk small would cost events, or bring deleted ones back",
};

/// Who vanished stays gone.
pub const VANISHED_STAYS_GONE: Law = Law {
    name: "VanishedStaysGone",
    sentence: "Of what somebody made before they vanished nothing is found again, whatever is sent, \
               compacted or started anew; the economy's events stay",
    why: "or the right to be forgotten would end with the next peer that has a copy",
};

/// Removal is as durable as storing.
pub const REMOVED_MEANS_DURABLE: Law = Law {
    name: "RemovedMeansDurable",
    sentence: "What was removed is absent after a crash at any later call to the disk",
    why: "or what an operator took down would be up again after a power cut",
};

/// Every law of this crate.
pub const ALL: &[Law] = &[
    ACKNOWLEDGED_MEANS_DURABLE,
    UNKNOWN_MAY_BE_EITHER,
    REPEAT_IS_NOTHING,
    INDEX_IS_DISPOSABLE,
    AS_THE_REFERENCE,
    COMPACTION_CHANGES_NOTHING,
    VANISHED_STAYS_GONE,
    REMOVED_MEANS_DURABLE,
];

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ayni_protocol::VerifiedEvent;
    use proptest::prelude::*;

    use super::ALL;
    use crate::testing::ram::{RamDisk, Trouble};
    use crate::testing::{
        self, NOW, VANISHING, assert_alike, batches, filters, ids, journal, picked, picks, urls,
    };
    use crate::{DiskStore, Fault, MemoryStore, Outcome, State, Store, rules};

    /// Small segments, so that batches meet their ends.
    const SEGMENT_BYTES: u64 = 4_000;

    fn open(disk: &RamDisk) -> DiskStore {
        let store = DiskStore::open_on(Arc::new(disk.clone()), SEGMENT_BYTES, None).unwrap().0;
        store.answering_to(&urls())
    }

    fn reference(batches: &[Vec<VerifiedEvent>]) -> MemoryStore {
        let reference = testing::reference();
        for batch in batches {
            reference.append(batch, NOW).unwrap();
        }
        reference
    }

    /// What the store may hold if the last batch was not acknowledged: its first events up to any.
    fn may_be(acknowledged: &[Vec<VerifiedEvent>], unknown: &[VerifiedEvent]) -> Vec<Journal> {
        (0..=unknown.len())
            .map(|some| {
                let all = reference(acknowledged);
                all.append(&unknown[..some], NOW).unwrap();
                journal(&all)
            })
            .collect()
    }

    type Journal = Vec<(u64, String)>;

    fn trouble() -> impl Strategy<Value = Trouble> {
        prop_oneof![Just(Trouble::Error), Just(Trouble::Full), Just(Trouble::Cut)]
    }

    #[test]
    fn laws_have_names_of_their_own() {
        let names: std::collections::BTreeSet<_> = ALL.iter().map(|law| law.name).collect();
        assert_eq!(names.len(), ALL.len());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_500))]

        /// AsTheReference, and IndexIsDisposable where the index is built from the journal.
        #[test]
        fn as_the_reference(
            batches in batches(),
            picks in picks(),
            filters in prop::collection::vec(filters(), 6),
        ) {
            let disk = RamDisk::default();
            let (store, reference) = (open(&disk), testing::reference());
            for (batch, picks) in batches.iter().zip(&picks) {
                let outcomes = store.append(batch, NOW).unwrap();
                prop_assert_eq!(outcomes, reference.append(batch, NOW).unwrap());
                let named = picked(&store, picks);
                prop_assert_eq!(store.remove(&named).unwrap(), reference.remove(&named).unwrap());
            }
            assert_alike(&store, &reference, &filters, NOW);
            assert_alike(&store, &reference, &filters, NOW + 3);
            drop(store);
            assert_alike(&open(&disk), &reference, &filters, NOW);
        }

        /// AcknowledgedMeansDurable and UnknownMayBeEither.
        #[test]
        fn acknowledged_means_durable(
            batches in batches(),
            call in 1_usize..30,
            trouble in trouble(),
            kept in any::<u8>(),
        ) {
            let disk = RamDisk::default();
            let store = open(&disk);
            disk.fail_at(call, trouble);
            let mut acknowledged = Vec::new();
            let mut unknown = Vec::new();
            for batch in batches {
                match store.append(&batch, NOW) {
                    Ok(_) => acknowledged.push(batch),
                    Err(Fault::Full { .. }) => {
                        // Nothing of it is seen, and the store goes on.
                        prop_assert!(!store.is_poisoned());
                        prop_assert_eq!(journal(&store), journal(&reference(&acknowledged)));
                    }
                    Err(_) => {
                        unknown = batch;
                        break;
                    }
                }
            }
            prop_assert_eq!(journal(&store), journal(&reference(&acknowledged)), "while it runs");
            let after = journal(&open(&disk.after_cut(kept)));
            prop_assert!(may_be(&acknowledged, &unknown).contains(&after), "after the next start");
        }

        /// RepeatIsNothing.
        #[test]
        fn repeat_is_nothing(batches in batches()) {
            let disk = RamDisk::default();
            let store = open(&disk);
            for batch in &batches {
                store.append(batch, NOW).unwrap();
            }
            let before = (journal(&store), store.last_position(), store.journal_bytes());
            let live: Vec<_> = before.0.iter()
                .map(|(_, json)| VerifiedEvent::from_own_journal(json).unwrap())
                .collect();
            let outcomes = store.append(&live, NOW).unwrap();
            prop_assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Duplicate));
            prop_assert_eq!((journal(&store), store.last_position(), store.journal_bytes()), before);
        }

        /// CompactionChangesNothing, and RemovedMeansDurable where it is no crash.
        #[test]
        fn compaction_changes_nothing(
            batches in batches(),
            picks in picks(),
            filters in prop::collection::vec(filters(), 4),
            at in 0_usize..5,
        ) {
            let disk = RamDisk::default();
            let (store, reference) = (open(&disk), testing::reference());
            for (number, batch) in batches.iter().enumerate() {
                // Nothing has expired yet, so nothing but the dead may go.
                if number == at {
                    store.compact(NOW).unwrap();
                }
                let now = NOW;
                prop_assert_eq!(store.append(batch, now).unwrap(), reference.append(batch, now).unwrap());
                let named = picked(&store, &picks[number]);
                prop_assert_eq!(store.remove(&named).unwrap(), reference.remove(&named).unwrap());
            }
            let before = store.journal_bytes();
            let done = store.compact(NOW).unwrap();
            prop_assert!(store.journal_bytes() <= before + 48);
            prop_assert_eq!(done.expired, 0);
            assert_alike(&store, &reference, &filters, NOW);
            prop_assert_eq!(store.compact(NOW).unwrap(), crate::Compaction::default());
            drop(store);
            let store = open(&disk);
            assert_alike(&store, &reference, &filters, NOW);
            // What was deleted or replaced is still known to be.
            for batch in &batches {
                prop_assert_eq!(store.append(batch, NOW).unwrap(), reference.append(batch, NOW).unwrap());
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        /// VanishedStaysGone.
        #[test]
        fn vanished_stays_gone(
            batches in batches(),
            number in 0..VANISHING.len(),
            after in 0_usize..6,
            compact in any::<bool>(),
        ) {
            let disk = RamDisk::default();
            let store = open(&disk);
            let vanish = &VANISHING[number];
            let own = store.own.clone();
            let goes = |event: &VerifiedEvent| {
                rules::vanishes(vanish, &own) && rules::takes_along(vanish, event)
            };
            let none_left = |store: &DiskStore| {
                let all = journal(store);
                all.iter().all(|(_, json)| !goes(&VerifiedEvent::from_own_journal(json).unwrap()))
            };
            for batch in batches.iter().take(after) {
                store.append(batch, NOW).unwrap();
            }
            let economy: Vec<_> = journal(&store).into_iter()
                .map(|(_, json)| VerifiedEvent::from_own_journal(&json).unwrap())
                .filter(|event| event.kind.is_economy() && event.kind.0 < 30_000)
                .map(|event| event.id)
                .collect();
            store.append(std::slice::from_ref(vanish), NOW).unwrap();
            prop_assert!(none_left(&store));
            if compact {
                store.compact(NOW).unwrap();
            }
            drop(store);
            let store = open(&disk);
            prop_assert!(none_left(&store));
            for batch in &batches {
                store.append(batch, NOW).unwrap();
                prop_assert!(none_left(&store));
            }
            let left = ids(&store);
            prop_assert!(economy.iter().all(|id| left.contains(id)));
            drop(store);
            prop_assert!(none_left(&open(&disk)));
        }
    }

    proptest! {
        // Sled and real files take their time.
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        /// IndexIsDisposable: kept, older than the journal, or gone.
        #[test]
        fn index_is_disposable(
            batches in batches(),
            picks in picks(),
            filters in prop::collection::vec(filters(), 3),
            snapshot_after in 0_usize..6,
            compact_after in 0_usize..9,
        ) {
            let disk = RamDisk::default();
            let state = State::in_memory().unwrap();
            let reference = testing::reference();
            let open = |state: Option<State>| {
                let disk = Arc::new(disk.clone());
                let (store, recovery) = DiskStore::open_on(disk, SEGMENT_BYTES, state).unwrap();
                (store.answering_to(&urls()), recovery)
            };
            let (store, _) = open(Some(state.clone()));
            for (number, batch) in batches.iter().enumerate() {
                store.append(batch, NOW).unwrap();
                reference.append(batch, NOW).unwrap();
                let named = picked(&store, &picks[number]);
                prop_assert_eq!(store.remove(&named).unwrap(), reference.remove(&named).unwrap());
                if number == snapshot_after {
                    store.snapshot().unwrap();
                }
                if number == compact_after {
                    store.compact(NOW).unwrap();
                }
            }
            // As a kill would: no snapshot on the way out.
            std::mem::forget(store);
            let (store, recovery) = open(Some(state.clone()));
            let compacted = (snapshot_after..batches.len()).contains(&compact_after);
            let kept = snapshot_after < batches.len() && !compacted;
            prop_assert!(recovery.from_snapshot || !kept, "{}", recovery);
            assert_alike(&store, &reference, &filters, NOW);
            drop(store);
            let (store, recovery) = open(Some(state));
            prop_assert!(recovery.from_snapshot, "a clean end leaves a snapshot");
            assert_alike(&store, &reference, &filters, NOW);
            drop(store);
            let (store, recovery) = open(None);
            prop_assert!(!recovery.from_snapshot);
            assert_alike(&store, &reference, &filters, NOW);
        }
    }
}
