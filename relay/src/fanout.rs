//! Who wants this event? One look at the event's own values, not a question to every subscription.
//!
//! Each filter is filed under the values of its rarest list: its ids, or its authors (with kinds
//! where that stays small), or its shortest tag list, or its kinds, or, naming nothing, under
//! "everything". An event is looked up under its own id, author, author and kind, tags and kind;
//! what is found there is then asked by the filter's own `matches`, so the index need only never
//! miss. Keys are 64-bit hashes under a secret seed: filters of thousands of values stay small, and
//! nobody can choose values that collide.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;

use ayni_protocol::search::Words;
use ayni_protocol::{Event, EventId, Filter, Kind, PublicKey};

/// Author and kind are filed together while that takes no more entries than this.
const PAIRS_MAX: usize = 512;

/// What entries are filed under.
#[derive(Hash)]
enum Key<'a> {
    Id(&'a EventId),
    AuthorKind(&'a PublicKey, Kind),
    Author(&'a PublicKey),
    Tag(u8, &'a str),
    Kind(Kind),
    Everything,
}

/// The entries under one key. Most keys have one.
#[derive(Debug)]
enum Posting {
    One(u32),
    Many(BTreeSet<u32>),
}

#[derive(Debug)]
struct Entry<T> {
    target: T,
    filters: Arc<[Filter]>,
}

/// An inverted index of live filters. `T` is whom to tell.
#[derive(Debug)]
pub struct Index<T> {
    entries: Vec<Option<Entry<T>>>,
    free: Vec<u32>,
    postings: HashMap<u64, Posting>,
    seed: RandomState,
}

impl<T> Default for Index<T> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            free: Vec::new(),
            postings: HashMap::new(),
            seed: RandomState::new(),
        }
    }
}

impl<T> Index<T> {
    /// Files a subscription and gives the number to take it out by.
    pub fn insert(&mut self, target: T, filters: Arc<[Filter]>) -> u32 {
        let number = self.free.pop().unwrap_or_else(|| {
            self.entries.push(None);
            u32::try_from(self.entries.len() - 1).unwrap_or(u32::MAX)
        });
        for key in keys(&self.seed, &filters) {
            match self.postings.get_mut(&key) {
                None => {
                    self.postings.insert(key, Posting::One(number));
                }
                Some(posting) => posting.add(number),
            }
        }
        if let Some(entry) = place(number).and_then(|at| self.entries.get_mut(at)) {
            *entry = Some(Entry { target, filters });
        }
        number
    }

    /// Takes a subscription out. Unknown numbers are no error.
    pub fn remove(&mut self, number: u32) -> Option<T> {
        let entry = place(number).and_then(|at| self.entries.get_mut(at))?.take()?;
        for key in keys(&self.seed, &entry.filters) {
            if self.postings.get_mut(&key).is_some_and(|posting| posting.remove(number)) {
                self.postings.remove(&key);
            }
        }
        self.free.push(number);
        self.tidy();
        Some(entry.target)
    }

    /// Gives memory back after a flood of filters has gone.
    fn tidy(&mut self) {
        if self.postings.capacity() > 1_024 && self.postings.len() < self.postings.capacity() / 8 {
            self.postings.shrink_to(self.postings.len() * 2);
        }
    }

    /// Everyone with a filter that matches, each subscription once.
    pub fn matches(&self, event: &Event) -> Vec<&T> {
        let mut candidates = Vec::new();
        let mut look = |key: Key<'_>| match self.postings.get(&self.seed.hash_one(key)) {
            None => {}
            Some(Posting::One(number)) => candidates.push(*number),
            Some(Posting::Many(numbers)) => candidates.extend(numbers),
        };
        look(Key::Id(&event.id));
        look(Key::AuthorKind(&event.pubkey, event.kind));
        look(Key::Author(&event.pubkey));
        look(Key::Kind(event.kind));
        look(Key::Everything);
        for (letter, value) in event.tags.indexed() {
            look(Key::Tag(letter, value));
        }
        if candidates.is_empty() {
            return Vec::new();
        }
        candidates.sort_unstable();
        candidates.dedup();
        let entry = |number| self.entries.get(place(number)?)?.as_ref();
        let words = Words::of(event);
        let wanted = |entry: &&Entry<T>| {
            entry.filters.iter().any(|filter| filter.matches_with(event, &words))
        };
        candidates.into_iter().filter_map(entry).filter(wanted).map(|entry| &entry.target).collect()
    }

    /// How many subscriptions are filed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many keys are filed under. Nothing filed, nothing kept.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.postings.len()
    }
}

impl Posting {
    fn add(&mut self, number: u32) {
        match self {
            Self::One(only) if *only == number => {}
            Self::One(only) => *self = Self::Many(BTreeSet::from([*only, number])),
            Self::Many(numbers) => {
                numbers.insert(number);
            }
        }
    }

    /// Takes a number out and tells whether nothing is left.
    fn remove(&mut self, number: u32) -> bool {
        match self {
            Self::One(only) => *only == number,
            Self::Many(numbers) => {
                numbers.remove(&number);
                numbers.is_empty()
            }
        }
    }
}

fn place(number: u32) -> Option<usize> {
    usize::try_from(number).ok()
}

/// What filters are filed under, in no order, possibly twice.
fn keys(seed: &RandomState, filters: &[Filter]) -> Vec<u64> {
    let mut keys = Vec::new();
    for filter in filters.iter().filter(|filter| !filter.matches_nothing()) {
        file(filter, |key| keys.push(seed.hash_one(key)));
    }
    keys
}

fn file(filter: &Filter, mut under: impl FnMut(Key<'_>)) {
    if let Some(ids) = &filter.ids {
        return ids.iter().for_each(|id| under(Key::Id(id)));
    }
    let shortest = filter.tags.iter().min_by_key(|(_, values)| values.len());
    match (&filter.authors, shortest) {
        (Some(authors), tags) if tags.is_none_or(|(_, values)| authors.len() <= values.len()) => {
            file_authors(authors, filter.kinds.as_ref(), under);
        }
        (_, Some((letter, values))) => {
            values.iter().for_each(|value| under(Key::Tag(*letter, value)));
        }
        (_, None) => match &filter.kinds {
            Some(kinds) => kinds.iter().for_each(|kind| under(Key::Kind(*kind))),
            None => under(Key::Everything),
        },
    }
}

fn file_authors(
    authors: &BTreeSet<PublicKey>,
    kinds: Option<&BTreeSet<Kind>>,
    mut under: impl FnMut(Key<'_>),
) {
    match kinds {
        Some(kinds) if authors.len() * kinds.len() <= PAIRS_MAX => {
            for author in authors {
                kinds.iter().for_each(|kind| under(Key::AuthorKind(author, *kind)));
            }
        }
        _ => authors.iter().for_each(|author| under(Key::Author(author))),
    }
}

#[cfg(test)]
mod tests {
    use ayni_protocol::{Draft, Keys};

    use super::*;

    #[test]
    fn each_subscription_is_found_once_however_often_it_matches() {
        let keys = Keys::from_secret([1; 32]).unwrap();
        let event = Draft::new(Kind(1)).tag(["t", "a"]).tag(["t", "b"]).sign(&keys, 5, [0; 32]);
        let filters = |texts: &[&str]| -> Arc<[Filter]> {
            texts.iter().map(|text| Filter::parse(text).unwrap()).collect()
        };
        let mut index = Index::default();
        let numbers = [
            index.insert("tags", filters(&[r##"{"#t":["a","b"]}"##])),
            index.insert("two", filters(&["{}", r#"{"kinds":[1]}"#])),
            index.insert("other kind", filters(&[r#"{"kinds":[2]}"#])),
            index.insert("too late", filters(&[r#"{"since":6}"#])),
            index.insert("nothing", filters(&[r#"{"ids":[]}"#])),
        ];
        assert_eq!(index.matches(&event), [&"tags", &"two"]);
        for number in numbers {
            assert!(index.remove(number).is_some());
            assert!(index.remove(number).is_none());
        }
        assert!(index.is_empty() && index.keys() == 0);
    }
}
