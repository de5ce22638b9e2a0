//! Answering a filter: the narrowest lists, merged newest first, each hit compared with the filter.
//!
//! Lists are found by hash and may hold what does not match, so every candidate is checked: time,
//! kind and author in its slot, tags in its stored JSON. Canonical JSON spells a tag one way only,
//! `["t","value"`, and a quote inside a string is always escaped, so finding these bytes is finding
//! the tag; nothing is parsed.
//!
//! A scan goes in slices. Between two of them the index may change, so a slice holds no place in a
//! list but the time and id of the last candidate, and finds them again.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use ayni_protocol::search::Words;
use ayni_protocol::{Event, Filter, PublicKey, Timestamp, json};
use memchr::memmem::Finder;

use super::Index;
use super::slots::{Age, Slot, SlotId};
use super::sorted::Run;
use crate::frame::{Frame, wide};
use crate::query::{Reader, is_restricted};

/// Pairs of author and kind up to which their lists are merged, rather than those of the authors.
const PAIRS_MAX: usize = 4_096;
/// Lists from which on merging them costs more for each candidate than looking at those in between.
const LISTS_MANY: usize = if cfg!(test) { 4 } else { 512 };
/// Values of one tag up to which each is searched in the stored text, rather than the text parsed.
const SEARCHES_MAX: usize = 8;

/// Bytes of an event that are as much work to search as a candidate is to look at.
const BYTES_LIKE_ONE: usize = 1_024;
/// How many candidates can be looked at while an event is parsed, however short, and the bytes of one
/// that take as long as another.
const PARSED_LIKE: usize = 16;
const PARSED_BYTES_LIKE_ONE: usize = 64;

/// What is asked.
pub struct Question<'a> {
    filter: &'a Filter,
    now: Timestamp,
    reader: &'a dyn Reader,
    /// For every tag condition, the spellings of its values; nothing where they are too many.
    spellings: Option<Vec<Vec<Finder<'static>>>>,
}

/// Where a scan is.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Only what is older than this is still to come.
    before: Age,
}

/// Why a slice ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slice {
    /// Nothing older is there.
    End,
    /// The receiver wants no more.
    Enough,
    /// So many candidates were looked at; go on where [`Place`] says.
    Pause,
}

impl<'a> Question<'a> {
    /// A question.
    pub fn new(filter: &'a Filter, now: Timestamp, reader: &'a dyn Reader) -> Self {
        let few = filter.tags.iter().all(|(_, values)| values.len() <= SEARCHES_MAX);
        let spellings = |(letter, values): &(u8, std::collections::BTreeSet<String>)| {
            values.iter().map(|value| spelling(*letter, value)).collect()
        };
        let spellings = few.then(|| filter.tags.iter().map(spellings).collect());
        Self { filter, now, reader, spellings }
    }

    /// Where its scan begins.
    pub fn start(&self) -> Place {
        // Newer than every event in its bound: the lowest id is the newest of one time.
        let until = self.filter.until.unwrap_or(Timestamp::MAX);
        match until.checked_add(1) {
            Some(after) => Place { before: (after, Reverse([u64::MAX; 4])) },
            None => Place { before: (Timestamp::MAX, Reverse([0; 4])) },
        }
    }

    fn is_past(&self, slot: &Slot) -> bool {
        self.filter.since.is_some_and(|since| slot.created_at < since)
    }
}

/// How canonical JSON spells the beginning of a tag, as something to search for.
fn spelling(letter: u8, value: &str) -> Finder<'static> {
    let mut text = String::from("[\"");
    text.push(char::from(letter));
    text.push_str("\",");
    json::write_string(value, &mut text);
    Finder::new(&text).into_owned()
}

/// A candidate at the top of its list. The newest is the greatest.
struct Candidate<'a> {
    age: Age,
    slot: SlotId,
    rest: Run<'a>,
}

impl Ord for Candidate<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.age.cmp(&other.age)
    }
}

impl PartialOrd for Candidate<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.age == other.age
    }
}

impl Eq for Candidate<'_> {}

impl Index {
    /// Looks at the next `budget` candidates at most and hands on what matches, newest first.
    pub fn slice(
        &self,
        question: &Question<'_>,
        place: &mut Place,
        budget: usize,
        each: &mut dyn FnMut(&Self, &Slot) -> bool,
    ) -> Slice {
        if question.filter.matches_nothing() {
            return Slice::End;
        }
        let mut left = budget;
        if let Some(ids) = &question.filter.ids {
            let mut slots: Vec<_> = ids.iter().filter_map(|id| self.find(id)).collect();
            slots.sort_unstable_by_key(|slot| Reverse(self.slots.age(*slot)));
            slots.retain(|slot| self.slots.age(*slot) < place.before);
            let mut ordered = slots.into_iter();
            return self.walk(question, place, &mut left, each, &mut || ordered.next());
        }
        let runs = self.plan(question.filter, place.before);
        // Finding places in many lists is itself work, and is worth a longer slice.
        left = left.max(runs.len().saturating_mul(4));
        if let [run] = runs.as_slice() {
            let mut run = run.clone();
            return self.walk(question, place, &mut left, each, &mut || run.next());
        }
        let mut heap: BinaryHeap<_> =
            runs.into_iter().filter_map(|run| self.candidate(run)).collect();
        let mut last = None;
        let mut next = || {
            loop {
                let slot = self.pop(&mut heap)?;
                // An event with two of the tags asked for is in two lists, at one place of the scan.
                if last.replace(slot) != Some(slot) {
                    return Some(slot);
                }
            }
        };
        self.walk(question, place, &mut left, each, &mut next)
    }

    fn walk(
        &self,
        question: &Question<'_>,
        place: &mut Place,
        left: &mut usize,
        each: &mut dyn FnMut(&Self, &Slot) -> bool,
        next: &mut dyn FnMut() -> Option<SlotId>,
    ) -> Slice {
        while let Some(slot) = next().and_then(|id| self.slots.get(id)) {
            if question.is_past(slot) {
                return Slice::End;
            }
            place.before = slot.age();
            if self.admits(question, slot, left) == Some(true) && !each(self, slot) {
                return Slice::Enough;
            }
            *left = left.saturating_sub(1);
            if *left == 0 {
                return Slice::Pause;
            }
        }
        Slice::End
    }

    fn candidate<'a>(&self, mut run: Run<'a>) -> Option<Candidate<'a>> {
        let slot = run.next()?;
        Some(Candidate { age: self.slots.age(slot), slot, rest: run })
    }

    fn pop(&self, heap: &mut BinaryHeap<Candidate<'_>>) -> Option<SlotId> {
        let mut top = heap.peek_mut()?;
        let slot = top.slot;
        match top.rest.next() {
            Some(next) => {
                top.slot = next;
                top.age = self.slots.age(next);
            }
            None => {
                std::collections::binary_heap::PeekMut::pop(top);
            }
        }
        Some(slot)
    }

    /// The narrowest lists that together hold every match.
    fn plan<'a>(&'a self, filter: &Filter, before: Age) -> Vec<Run<'a>> {
        let mut best = (self.time.len(), None);
        let mut offer = |keys: Vec<u64>| {
            let slots = keys.iter().map(|key| self.postings.len(*key)).sum::<usize>();
            let cost = slots.saturating_mul(each_of(keys.len()));
            if cost < best.0 || cost == best.0 && best.1.is_none() {
                best = (cost, Some(keys));
            }
        };
        if let Some(keys) = self.keys_of_authors(filter) {
            let kinds = filter.kinds.iter().flatten().filter(|_| keys.len() >= LISTS_MANY);
            let kinds: Vec<_> = kinds.map(|kind| self.key.kind(*kind)).collect();
            offer(keys);
            if !kinds.is_empty() {
                offer(kinds);
            }
        }
        for (letter, values) in &filter.tags {
            offer(values.iter().map(|value| self.key.tag(*letter, value)).collect());
        }
        let within = |age: Age| age < before;
        match best.1 {
            None => vec![self.time.run(&self.slots, within)],
            Some(keys) => keys
                .into_iter()
                .filter(|key| self.postings.len(*key) > 0)
                .map(|key| self.postings.run(key, &self.slots, within))
                .collect(),
        }
    }

    /// The lists of the filter's authors and kinds, together where that is not too many.
    fn keys_of_authors(&self, filter: &Filter) -> Option<Vec<u64>> {
        let by_author = |authors: &std::collections::BTreeSet<PublicKey>| {
            authors.iter().map(|author| self.key.author(author)).collect()
        };
        match (&filter.authors, &filter.kinds) {
            (None, None) => None,
            (None, Some(kinds)) => Some(kinds.iter().map(|kind| self.key.kind(*kind)).collect()),
            (Some(authors), None) => Some(by_author(authors)),
            (Some(authors), Some(kinds)) => {
                if authors.len().saturating_mul(kinds.len()) > PAIRS_MAX {
                    return Some(by_author(authors));
                }
                let pair =
                    |author| kinds.iter().map(move |kind| self.key.author_kind(author, *kind));
                Some(authors.iter().flat_map(pair).collect())
            }
        }
    }

    /// Whether a candidate is an answer. Cheap questions first; the journal is read last, and long
    /// events take more of what is left of the slice.
    fn admits(&self, question: &Question<'_>, slot: &Slot, left: &mut usize) -> Option<bool> {
        let filter = question.filter;
        let cheap = filter.until.is_none_or(|until| slot.created_at <= until)
            && filter.since.is_none_or(|since| slot.created_at >= since)
            && filter.kinds.as_ref().is_none_or(|kinds| kinds.contains(&slot.kind))
            && match &filter.authors {
                None => true,
                Some(authors) => authors.contains(self.authors.get(wide(slot.author))?),
            };
        if !cheap || self.is_expired(slot, question.now) {
            return Some(false);
        }
        let restricted = is_restricted(slot.kind);
        let by_head = !restricted && filter.search.is_none();
        if filter.tags.is_empty() && by_head {
            return Some(true);
        }
        let frame = self.frame(slot)?;
        *left = left.saturating_sub(frame.json.len() / BYTES_LIKE_ONE);
        let spelled = match &question.spellings {
            Some(conditions) => has_tags(&frame, conditions),
            None => true,
        };
        if !spelled || question.spellings.is_some() && by_head {
            return Some(spelled);
        }
        *left = left.saturating_sub(PARSED_LIKE + frame.json.len() / PARSED_BYTES_LIKE_ONE);
        let event = Event::parse(frame.text()?).ok()?;
        let found = filter.search.as_ref().is_none_or(|words| words.matches(&Words::of(&event)));
        let seen = !restricted || question.reader.may_see(&event);
        Some(found && filter.tags_match(&event) && seen)
    }
}

/// What it costs to take each candidate out of so many lists, as against one: a heap of many is deep,
/// and does not fit the caches.
fn each_of(lists: usize) -> usize {
    let depth = lists.checked_ilog2().filter(|_| lists >= LISTS_MANY);
    1 + depth.and_then(|depth| usize::try_from(depth).ok()).unwrap_or(0)
}

/// Whether for every condition one of its spellings stands in the stored text.
fn has_tags(frame: &Frame<'_>, conditions: &[Vec<Finder<'static>>]) -> bool {
    conditions.iter().all(|values| values.iter().any(|value| value.find(frame.json).is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ayni_protocol::{Draft, Keys, Kind};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]
        /// The search in the text says what the parsed tags say, whatever is written where.
        #[test]
        fn a_spelling_is_found_where_the_tag_is_and_nowhere_else(
            tags in prop::collection::vec(prop::collection::vec("[at\"\\[\\],\\\\]{0,3}", 0..4), 0..4),
            content in "[at\"\\[\\],\\\\]{0,12}",
            value in "[at\"\\[\\],\\\\]{0,2}",
        ) {
            let keys = Keys::from_secret([1; 32]).unwrap();
            let draft = tags.iter().fold(Draft::new(Kind(1)).content(content), |draft, tag| {
                draft.tag(tag.iter().map(String::as_str))
            });
            let event = draft.sign(&keys, 1, [0; 32]);
            for letter in [b'a', b't'] {
                let found = spelling(letter, &value).find(event.json().as_bytes()).is_some();
                let parsed = event.tags.indexed().any(|tag| tag == (letter, value.as_str()));
                prop_assert_eq!(found, parsed, "{} in {}", value, event.json());
            }
        }
    }
}
