//! How long things are kept: rules by kind, and which events they no longer cover.
//!
//! The first rule that names a kind holds for it, so a table of rules reads from top to bottom. Of
//! what a rule covers, events that are too old go, and of each author's events of a kind all but
//! the newest so many; where the whole is too long still, the oldest go, whatever their rule.
//!
//! Events of the economy, deletions and requests to vanish never go (see `rules.rs`). What went is
//! written as removed before it is believed gone, so no start brings it back; the disk shrinks when
//! it is compacted, which pays once enough is dead.

use std::collections::BTreeMap;

use ayni_protocol::{EventId, Kind, Timestamp};

use crate::index::slots::Age;
use crate::{DiskStore, Fault, Store as _, rules};

/// Events that a look through the index passes before it lets others in.
const SLICE: usize = if cfg!(test) { 3 } else { 4_096 };
/// Events that are removed at once.
const AT_ONCE: usize = 512;
/// Dead bytes below which a compaction is never worth it.
const DEAD_BYTES_MIN: u64 = 1 << 20;
/// One part in so many must be dead before a compaction is worth it.
const DEAD_PART: u64 = 5;

/// What is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retention {
    /// The first that names a kind holds for it.
    pub rules: Vec<Rule>,
    /// Bytes that all events may take together.
    pub bytes: Option<u64>,
}

/// How long events of some kinds are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rule {
    /// Which kinds; none for all.
    pub kinds: Vec<Kind>,
    /// For how long after their `created_at`.
    pub age_secs: Option<u64>,
    /// How many of an author and a kind.
    pub per_author: Option<u32>,
}

impl Retention {
    /// Whether everything is kept.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.bytes.is_none() && self.rules.iter().all(Rule::keeps_all)
    }

    /// Whether an event of this kind and time is past its age, so that there is no use in taking it
    /// in.
    #[must_use]
    pub fn outlived(&self, kind: Kind, created_at: Timestamp, now: Timestamp) -> bool {
        rules::is_deletable(kind) && self.rule(kind).is_some_and(|rule| rule.ends(created_at, now))
    }

    fn rule(&self, kind: Kind) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.kinds.is_empty() || rule.kinds.contains(&kind))
    }
}

impl Rule {
    const fn keeps_all(&self) -> bool {
        self.age_secs.is_none() && self.per_author.is_none()
    }

    fn ends(&self, created_at: Timestamp, now: Timestamp) -> bool {
        self.age_secs.is_some_and(|age_secs| created_at.saturating_add(age_secs) < now)
    }
}

impl DiskStore {
    /// Takes out what the rules no longer cover at `now`; gives how many events. Reading and
    /// writing go on meanwhile.
    ///
    /// # Errors
    /// As [`crate::Store::remove`]. What was taken out until then stays out.
    pub fn retain(&self, retention: &Retention, now: Timestamp) -> Result<usize, Fault> {
        let mut removed = 0;
        if !retention.rules.iter().all(Rule::keeps_all) {
            removed += self.remove_some(&self.not_covered(retention, now))?;
        }
        if let Some(bytes) = retention.bytes {
            removed += self.remove_some(&self.oldest(self.live_bytes().saturating_sub(bytes)))?;
        }
        Ok(removed)
    }

    /// Whether a compaction would give back enough to be worth rewriting segments for.
    #[must_use]
    pub fn is_wasteful(&self, retention: &Retention) -> bool {
        let (all, live) = (self.journal_bytes(), self.live_bytes());
        let dead = all.saturating_sub(live);
        let too_long = retention.bytes.is_some_and(|bytes| all > bytes);
        dead >= DEAD_BYTES_MIN && (too_long || dead >= all / DEAD_PART)
    }

    /// Removes many, and lets others write in between.
    fn remove_some(&self, ids: &[EventId]) -> Result<usize, Fault> {
        ids.chunks(AT_ONCE).map(|some| self.remove(some)).sum()
    }

    /// Looks at every event that may go, newest first, a slice at a time.
    fn not_covered(&self, retention: &Retention, now: Timestamp) -> Vec<EventId> {
        let mut seen = BTreeMap::new();
        let mut doomed = Vec::new();
        let all = self.read().by_age();
        let mut before: Option<Age> = None;
        for slice in all.rchunks(SLICE) {
            let index = self.read();
            for id in slice.iter().rev() {
                // Since the list was made an event may have left, and its slot been given again.
                let slot = index.slot(*id).filter(|slot| index.find(&slot.id) == Some(*id));
                let in_order = |age: Age| before.is_none_or(|before| age < before);
                let Some(slot) = slot.filter(|slot| in_order(slot.age())) else { continue };
                before = Some(slot.age());
                let Some(rule) = retention.rule(slot.kind) else { continue };
                if !rules::is_deletable(slot.kind) {
                    continue;
                }
                let count: &mut u32 = seen.entry((slot.author, slot.kind)).or_default();
                *count = count.saturating_add(1);
                let too_many = rule.per_author.is_some_and(|most| *count > most);
                if too_many || rule.ends(slot.created_at, now) {
                    doomed.push(slot.id);
                }
            }
        }
        // The oldest first, as everywhere.
        doomed.reverse();
        doomed
    }

    /// The oldest events that may go and together take so many bytes.
    fn oldest(&self, bytes: u64) -> Vec<EventId> {
        let mut left = bytes;
        let mut doomed = Vec::new();
        let all = if left > 0 { self.read().by_age() } else { Vec::new() };
        for slice in all.chunks(SLICE) {
            let index = self.read();
            for id in slice {
                if left == 0 {
                    return doomed;
                }
                let slot = index.slot(*id).filter(|slot| index.find(&slot.id) == Some(*id));
                let slot = slot.filter(|slot| rules::is_deletable(slot.kind));
                let Some((slot, frame)) = slot.and_then(|slot| Some((slot, index.frame(slot)?)))
                else {
                    continue;
                };
                left = left.saturating_sub(u64::try_from(frame.length).unwrap_or(u64::MAX));
                doomed.push(slot.id);
            }
        }
        doomed
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ayni_protocol::VerifiedEvent;
    use ayni_protocol::kind;
    use proptest::prelude::*;

    use super::*;
    use crate::testing::ram::RamDisk;
    use crate::testing::{NOW, batches, event, ids, journal};

    fn open(disk: &RamDisk) -> DiskStore {
        DiskStore::open_on(Arc::new(disk.clone()), 3_000, None).unwrap().0
    }

    fn rule(kinds: &[u16], age_secs: Option<u64>, per_author: Option<u32>) -> Rule {
        Rule { kinds: kinds.iter().copied().map(Kind).collect(), age_secs, per_author }
    }

    fn left(store: &DiskStore) -> Vec<(u64, Kind, Timestamp)> {
        let event = |json: &str| VerifiedEvent::from_own_journal(json).unwrap();
        let told = |(place, json): &(u64, String)| {
            let event = event(json);
            (*place, event.kind, event.created_at)
        };
        journal(store).iter().map(told).collect()
    }

    #[test]
    fn the_first_rule_that_names_a_kind_holds() {
        let rules =
            vec![rule(&[7], Some(10), None), rule(&[7, 3], None, None), rule(&[], Some(100), None)];
        let retention = Retention { rules, bytes: None };
        let outlived = |kind, created_at| retention.outlived(Kind(kind), created_at, 1_000);
        assert!(outlived(7, 989) && !outlived(7, 990));
        assert!(!outlived(3, 0), "kept for ever");
        assert!(outlived(1, 899) && !outlived(1, 900));
        for never in [kind::ORDER, kind::CURRENCY, kind::DELETION, kind::VANISH] {
            assert!(!retention.outlived(never, 0, 1_000), "{never}");
        }
        assert!(!retention.is_all() && Retention::default().is_all());
    }

    #[test]
    fn what_is_too_old_or_too_many_goes_and_no_start_brings_it_back() {
        let disk = RamDisk::default();
        let store = open(&disk);
        let mut all: Vec<_> = (1..=8).map(|time| event(1, 1, time * 100, "")).collect();
        all.extend((1..=3).map(|time| event(2, 1, time * 10, "")));
        all.extend((1..=3).map(|time| event(1, 7, 900 + time, "")));
        all.extend([event(1, 5, 1, "e=x"), event(1, 4_752, 1, ""), event(2, 62, 0, "")]);
        store.append(&all, NOW).unwrap();
        let rules = vec![rule(&[7], None, Some(2)), rule(&[], Some(600), Some(3))];
        let retention = Retention { rules, bytes: None };
        assert_eq!(store.retain(&retention, NOW).unwrap(), 5 + 3 + 1);
        let expected = [(6, 1, 600), (7, 1, 700), (8, 1, 800), (13, 7, 902), (14, 7, 903)];
        let never = [(15, 5, 1), (16, 4_752, 1), (17, 62, 0)];
        let expected: Vec<_> = expected
            .iter()
            .chain(&never)
            .map(|(place, kind, time)| (*place, Kind(*kind), *time))
            .collect();
        assert_eq!(left(&store), expected);
        assert_eq!(store.retain(&retention, NOW).unwrap(), 0);
        drop(store);
        let store = open(&disk);
        assert_eq!(left(&store), expected);
        let before = store.journal_bytes();
        store.compact(NOW).unwrap();
        assert!(store.journal_bytes() < before / 2);
        drop(store);
        assert_eq!(left(&open(&disk)), expected);
    }

    #[test]
    fn where_all_is_too_long_the_oldest_go() {
        let disk = RamDisk::default();
        let store = open(&disk);
        let all: Vec<_> = (1..=20).map(|time| event(1, 1, 100 - time, "")).collect();
        store.append(&all, NOW).unwrap();
        store.append(&[event(1, 4_752, 1, "")], NOW).unwrap();
        let half = store.live_bytes() / 2;
        let retention = Retention { rules: Vec::new(), bytes: Some(half) };
        let removed = store.retain(&retention, NOW).unwrap();
        assert!((10..=11).contains(&removed), "{removed}");
        assert!(store.live_bytes() <= half);
        let mut expected: Vec<_> = all[..20 - removed].iter().map(|event| event.id).collect();
        expected.push(event(1, 4_752, 1, "").id);
        assert_eq!(ids(&store), expected);
        // The economy is more than nothing, and stays.
        let nothing = Retention { rules: Vec::new(), bytes: Some(0) };
        assert_eq!(store.retain(&nothing, NOW).unwrap(), 20 - removed);
        assert_eq!(store.len(), 1);
    }

    #[test]
    fn a_compaction_waits_until_it_is_worth_it() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = DiskStore::open(folder.path()).unwrap();
        let long = "x".repeat(60_000);
        let all: Vec<_> = (0..120).map(|time| event(1, 1, time, &format!("t={long}"))).collect();
        store.append(&all, NOW).unwrap();
        let keep =
            |per_author| Retention { rules: vec![rule(&[], None, Some(per_author))], bytes: None };
        let retain = |per_author| {
            store.retain(&keep(per_author), NOW).unwrap();
            store.is_wasteful(&keep(per_author))
        };
        assert!(!retain(115), "too little");
        assert!(!retain(101), "too small a part");
        let tight = Retention { bytes: Some(store.live_bytes()), ..Retention::default() };
        assert!(store.is_wasteful(&tight), "but the disk is more than it may be");
        assert!(retain(90));
        let before = store.journal_bytes();
        store.compact(NOW).unwrap();
        assert!(store.journal_bytes() < before * 4 / 5 && !store.is_wasteful(&keep(90)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]
        /// Against a plain count over what is there.
        #[test]
        fn the_rules_are_kept_and_nothing_else_goes(
            batches in batches(),
            age_secs in prop::option::of(970_u64..1_000),
            per_author in prop::option::of(1_u32..4),
        ) {
            let disk = RamDisk::default();
            let store = open(&disk);
            for batch in &batches {
                store.append(batch, NOW).unwrap();
            }
            let rules = vec![rule(&[30_402], None, None), rule(&[], age_secs, per_author)];
            let retention = Retention { rules, bytes: None };
            let mut all: Vec<_> = journal(&store)
                .iter()
                .map(|(_, json)| VerifiedEvent::from_own_journal(json).unwrap())
                .collect();
            all.sort_by_key(|event| (std::cmp::Reverse(event.created_at), event.id));
            let mut counts = BTreeMap::<_, u32>::new();
            let mut expected = std::collections::BTreeSet::new();
            for event in &all {
                let count = counts.entry((event.pubkey, event.kind)).or_default();
                *count += 1;
                let ends = age_secs.is_some_and(|age| event.created_at + age < NOW)
                    || per_author.is_some_and(|most| *count > most);
                if !ends || event.kind == Kind(30_402) || !rules::is_deletable(event.kind) {
                    expected.insert(event.id);
                }
            }
            let removed = store.retain(&retention, NOW).unwrap();
            prop_assert_eq!(removed, all.len() - expected.len());
            prop_assert_eq!(ids(&store).into_iter().collect::<std::collections::BTreeSet<_>>(), expected);
        }
    }
}
