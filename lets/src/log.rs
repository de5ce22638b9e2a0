//! One witness's log, as far as its statements came here (protocol section 3, "Attestation").
//!
//! Every statement names the one before it, so a statement fixes everything its author said up to
//! there. An honest log is one chain. A liar's may branch, and what a liar shows late must not change
//! what follows from a statement that others went by ([`WitnessLog::is_before`]).
//!
//! An honest log costs one id a statement: only what differs from a plain chain is kept beside it.

use std::collections::{BTreeMap, BTreeSet};

/// The statements of one witness, by their place. An id is whatever stands for one.
#[derive(Debug, Clone)]
pub(crate) struct WitnessLog<Id> {
    /// The statement that came first for each place, from place 0 on without a gap.
    main: Vec<Id>,
    /// The same after the first gap.
    ahead: BTreeMap<u64, Id>,
    /// What a statement of these names as the one before it, where that is not the one we have.
    odd: BTreeMap<u64, Option<Id>>,
    /// Further statements at a place that was taken, and what they name.
    branches: BTreeMap<(u64, Id), Option<Id>>,
    /// Places whose statement is about something that did not come.
    lacking: BTreeSet<u64>,
}

impl<Id> Default for WitnessLog<Id> {
    fn default() -> Self {
        Self {
            main: Vec::new(),
            ahead: BTreeMap::new(),
            odd: BTreeMap::new(),
            branches: BTreeMap::new(),
            lacking: BTreeSet::new(),
        }
    }
}

impl<Id: Copy + Ord> WitnessLog<Id> {
    /// Files a statement and what it names as the one before it; gives another one at its place,
    /// which only a liar signs.
    pub fn insert(&mut self, index: u64, id: Id, previous: Option<Id>) -> Option<Id> {
        match self.at(index) {
            Some(other) if other == id => return None,
            Some(other) => {
                self.branches.insert((index, id), previous);
                return Some(other);
            }
            None => {}
        }
        if previous != index.checked_sub(1).and_then(|before| self.at(before)) {
            self.odd.insert(index, previous);
        }
        let next = index.saturating_add(1);
        if self.odd.get(&next) == Some(&Some(id)) {
            self.odd.remove(&next);
        }
        if index == self.whole() {
            self.main.push(id);
        } else {
            self.ahead.insert(index, id);
        }
        while let Some(id) = self.ahead.remove(&self.whole()) {
            self.main.push(id);
        }
        None
    }

    /// The statement that came first for a place.
    fn at(&self, index: u64) -> Option<Id> {
        let main = usize::try_from(index).ok().and_then(|index| self.main.get(index));
        main.or_else(|| self.ahead.get(&index)).copied()
    }

    /// The first place without a statement.
    fn whole(&self) -> u64 {
        u64::try_from(self.main.len()).unwrap_or(u64::MAX)
    }

    /// The last statement and its place.
    pub fn last(&self) -> Option<(u64, Id)> {
        let last = self.ahead.last_key_value().map(|(index, id)| (*index, *id));
        last.or_else(|| Some((self.whole().checked_sub(1)?, *self.main.last()?)))
    }

    /// Notes whether what the statement at a place is about is here.
    pub fn lacks(&mut self, index: u64, lacks: bool) {
        if lacks {
            self.lacking.insert(index);
        } else {
            self.lacking.remove(&index);
        }
    }

    /// Whether everything that a statement fixes is here, with all it is about.
    pub fn is_whole(&self, index: u64, id: Id) -> bool {
        let lacks = self.lacking.first().is_some_and(|lacks| *lacks < index);
        !lacks && self.first_of_main(index, id).is_some()
    }

    /// Whether a statement names another one, directly or by those between.
    pub fn is_before(&self, (index, id): (u64, Id), (last_index, last): (u64, Id)) -> bool {
        if index >= last_index {
            return false;
        }
        match self.first_of_main(last_index, last) {
            Some(first) if index < first => self.at(index) == Some(id),
            Some(_) => self.walk(last_index, last).any(|before| before == (index, id)),
            None => false,
        }
    }

    /// Up to which place what a statement fixes are just the statements that came first; nothing
    /// where some did not come.
    fn first_of_main(&self, index: u64, id: Id) -> Option<u64> {
        let plain = self.odd.range(..=index).next().is_none() && self.at(index) == Some(id);
        if plain {
            return (index < self.whole()).then_some(index);
        }
        let mut first = index;
        let mut reached = None;
        for (index, id) in std::iter::once((index, id)).chain(self.walk(index, id)) {
            if self.at(index) != Some(id) {
                first = index;
            }
            reached = Some(index);
        }
        (reached == Some(0)).then_some(first)
    }

    /// What a statement names, what that names, and so on, as far as it is here.
    fn walk(&self, index: u64, id: Id) -> impl Iterator<Item = (u64, Id)> {
        std::iter::successors(Some((index, id)), |(index, id)| {
            let before = index.checked_sub(1)?;
            let named = match self.branches.get(&(*index, *id)) {
                Some(named) => *named,
                None => match self.odd.get(index) {
                    Some(named) => *named,
                    None => self.at(before),
                },
            }?;
            let here =
                self.at(before) == Some(named) || self.branches.contains_key(&(before, named));
            here.then_some((before, named))
        })
        .skip(1)
    }
}

#[cfg(test)]
mod tests {
    use ayni_protocol::EventId;
    use proptest::prelude::*;

    use super::*;

    fn id(number: u8) -> EventId {
        EventId([number; 32])
    }

    proptest! {
        /// A log says of any two statements what a map of all links says, whatever came first.
        #[test]
        fn a_log_is_what_its_links_say(
            links in prop::collection::vec((0_u64..6, 0_u8..8), 1..14),
            order in prop::collection::vec(any::<prop::sample::Index>(), 14),
        ) {
            // Statement number n stands at a place and names some statement at the place before.
            let mut all: BTreeMap<EventId, (u64, Option<EventId>)> = BTreeMap::new();
            for (number, (index, named)) in links.iter().enumerate() {
                let previous = index.checked_sub(1).map(|before| {
                    let there: Vec<_> = all.iter().filter(|(_, it)| it.0 == before).map(|(id, _)| *id).collect();
                    *there.get(usize::from(*named) % there.len().max(1)).unwrap_or(&id(200 + named))
                });
                all.insert(id(u8::try_from(number).unwrap()), (*index, previous));
            }
            let mut coming: Vec<_> = all.iter().collect();
            let mut log = WitnessLog::default();
            for next in order.iter().take(all.len()) {
                let (id, (index, previous)) = coming.swap_remove(next.index(coming.len()));
                log.insert(*index, *id, *previous);
            }
            for (last, (last_index, _)) in &all {
                let mut before = BTreeSet::new();
                let mut at = all[last].1;
                while let Some((id, (_, previous))) = at.and_then(|id| all.get_key_value(&id)) {
                    before.insert(*id);
                    at = *previous;
                }
                let whole = u64::try_from(before.len()).unwrap() == *last_index;
                prop_assert_eq!(log.is_whole(*last_index, *last), whole);
                for (id, (index, _)) in &all {
                    let fixed = whole && before.contains(id);
                    prop_assert_eq!(log.is_before((*index, *id), (*last_index, *last)), fixed);
                }
            }
        }
    }

    #[test]
    fn the_last_statement_is_the_one_at_the_last_place() {
        let mut log = WitnessLog::default();
        assert_eq!(log.last(), None);
        assert_eq!(log.insert(1, id(2), Some(id(1))), None);
        assert_eq!(log.last(), Some((1, id(2))));
        assert!(!log.is_whole(1, id(2)), "the first did not come");
        assert_eq!(log.insert(0, id(1), None), None);
        assert!(log.is_whole(1, id(2)) && log.odd.is_empty(), "a plain chain costs its ids");
        log.lacks(1, true);
        assert!(log.is_whole(1, id(2)), "what comes after does not matter");
        log.lacks(0, true);
        assert!(!log.is_whole(1, id(2)));
        log.lacks(0, false);
        assert!(log.is_whole(1, id(2)));
        assert_eq!(log.insert(1, id(3), Some(id(1))), Some(id(2)));
        assert_eq!(log.last(), Some((1, id(2))));
    }
}
