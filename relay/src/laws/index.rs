//! IndexEqualsFilters.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use ayni_protocol::search::Search;
use ayni_protocol::{Draft, Filter, Keys, Kind, VerifiedEvent};
use proptest::prelude::*;

use crate::fanout::Index;

/// Three authors, three kinds, and tags of few values, so that filters and events often meet.
static EVENTS: LazyLock<Vec<VerifiedEvent>> = LazyLock::new(|| {
    let mut events = Vec::new();
    for number in 0..54_u8 {
        let keys = Keys::from_secret([1 + number % 3; 32]).unwrap();
        let text = if number % 2 == 0 { "Evén" } else { "odd" };
        let mut draft = Draft::new(Kind(u16::from(number / 3 % 3))).content(text);
        let tags = [("t", "a"), ("t", "b"), ("p", "a"), ("P", "a"), ("topic", "a"), ("t", "")];
        for (at, (name, value)) in tags.into_iter().enumerate() {
            if (usize::from(number) * 7 + at * 5) % 3 == 0 {
                draft = draft.tag([name, value]);
            }
        }
        events.push(draft.sign(&keys, u64::from(number % 5), [0; 32]));
    }
    events
});

fn some_of<T: Clone + std::fmt::Debug + Ord + 'static>(
    all: Vec<T>,
) -> impl Strategy<Value = Option<std::collections::BTreeSet<T>>> {
    let most = all.len();
    prop_oneof![
        3 => Just(None),
        2 => prop::sample::subsequence(all, 0..=most).prop_map(|few| Some(few.into_iter().collect())),
    ]
}

fn filters() -> impl Strategy<Value = Filter> {
    let ids = EVENTS.iter().map(|event| event.id).take(6).collect::<Vec<_>>();
    let authors = EVENTS.iter().map(|event| event.pubkey).take(3).collect::<Vec<_>>();
    let values = || {
        let all = ["a", "b", "", "z"].map(String::from).to_vec();
        prop::sample::subsequence(all, 0..=4)
    };
    let tags = prop::collection::vec((prop::sample::select(b"tpP".to_vec()), values()), 0..3);
    (
        some_of(ids),
        some_of(authors),
        some_of(vec![Kind(0), Kind(1), Kind(2), Kind(9)]),
        tags,
        prop::option::of(0..5_u64),
        prop::option::of(0..5_u64),
        any::<u8>(),
    )
        .prop_map(|(ids, authors, kinds, tags, since, until, odd)| Filter {
            ids: ids.filter(|_| odd % 4 == 0),
            authors,
            kinds,
            tags: tags.into_iter().map(|(l, values)| (l, values.into_iter().collect())).collect(),
            offset: None,
            since,
            until,
            limit: Some(usize::from(odd % 2)),
            search: (odd % 8 == 1).then(|| Search::parse("even").unwrap()),
            impossible: odd == 255,
        })
}

#[derive(Debug, Clone)]
enum Step {
    Insert(Vec<Filter>),
    Remove(prop::sample::Index),
    Look(prop::sample::Index),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => prop::collection::vec(filters(), 1..4).prop_map(Step::Insert),
        1 => any::<prop::sample::Index>().prop_map(Step::Remove),
        4 => any::<prop::sample::Index>().prop_map(Step::Look),
    ];
    prop::collection::vec(step, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn index_equals_filters(steps in steps()) {
        let mut index = Index::default();
        let mut filed: BTreeMap<u32, (usize, Arc<[Filter]>)> = BTreeMap::new();
        for (serial, step) in steps.into_iter().enumerate() {
            match step {
                Step::Insert(filters) => {
                    let filters: Arc<[Filter]> = filters.into();
                    filed.insert(index.insert(serial, filters.clone()), (serial, filters));
                }
                Step::Remove(which) if !filed.is_empty() => {
                    let number = *which.get(&filed.keys().copied().collect::<Vec<_>>());
                    let (serial, _) = filed.remove(&number).unwrap();
                    prop_assert_eq!(index.remove(number), Some(serial));
                }
                Step::Remove(_) => {}
                Step::Look(which) => {
                    let event = which.get(EVENTS.as_slice());
                    let mut found: Vec<_> = index.matches(event).into_iter().copied().collect();
                    found.sort_unstable();
                    let matching = filed.values().filter(|(_, f)| f.iter().any(|f| f.matches(event)));
                    let mut expected: Vec<_> = matching.map(|(serial, _)| *serial).collect();
                    expected.sort_unstable();
                    prop_assert_eq!(found, expected);
                }
            }
        }
        prop_assert_eq!(index.len(), filed.len());
        for number in filed.into_keys() {
            index.remove(number);
        }
        prop_assert_eq!(index.keys(), 0, "nothing filed, nothing kept");
    }
}
