//! The index against the search of the filter: FoundIsMatched, NoSearchIsAProgram, and the file
//! through all that may happen to it.

use std::collections::BTreeSet;
use std::fs;

use ayni_protocol::{Draft, EventId, Filter, Keys, Kind, VerifiedEvent};
use proptest::prelude::*;

use crate::{Entry, Search};

fn event(person: u8, kind: u16, time: u64, title: &str, text: &str) -> VerifiedEvent {
    let draft = Draft::new(Kind(kind)).tag(["title", title]).content(text);
    draft.sign(&Keys::from_secret([person; 32]).unwrap(), time, [0; 32])
}

fn filled(events: &[VerifiedEvent]) -> (tempfile::TempDir, Search) {
    let folder = tempfile::tempdir().unwrap();
    let search = Search::open(&folder.path().join("search.sqlite"), 0).unwrap();
    fill(&search, events);
    (folder, search)
}

fn fill(search: &Search, events: &[VerifiedEvent]) {
    let entries: Vec<_> =
        (1..).zip(events).map(|(position, event)| Entry { position, event }).collect();
    search.add(&entries, u64::try_from(events.len()).unwrap()).unwrap();
}

fn find(search: &Search, filter: &Filter) -> Vec<EventId> {
    let mut all = Vec::new();
    let mut each = |found: crate::Found| {
        all.push(found.id);
        true
    };
    search.find(filter, &|| true, &mut each).unwrap();
    all
}

fn asked(text: &str) -> Filter {
    Filter::parse(&serde_json::json!({ "search": text }).to_string()).unwrap()
}

fn market() -> Vec<VerifiedEvent> {
    vec![
        event(1, 30_402, 10, "Pan de maíz", "recién horneado"),
        event(1, 1, 11, "", "Compré pan, leche y un poco de maíz en la feria"),
        event(2, 1, 12, "", "Ñukanchik llaktapi achka sara tiyan"),
        event(2, 30_023, 13, "El maíz", "una historia larga, sin pan"),
        event(3, 1059, 14, "pan", "pan"),
        event(3, 7, 15, "pan", "pan"),
    ]
}

#[test]
fn the_best_come_first_and_titles_weigh_more() {
    let events = market();
    let (_folder, search) = filled(&events);
    let found = find(&search, &asked("PAN maiz"));
    assert_eq!(found, [events[0].id, events[3].id, events[1].id]);
    assert_eq!(find(&search, &asked("nukanchik")), [events[2].id]);
    assert_eq!(find(&search, &asked("trigo")), []);
    assert_eq!(find(&search, &Filter::default()), [], "nothing is asked");
}

#[test]
fn the_other_conditions_apply_too() {
    let events = market();
    let (_folder, search) = filled(&events);
    let narrowed = |rest: &str| {
        let filter = Filter::parse(&format!("{{\"search\":\"maiz\",{rest}}}")).unwrap();
        find(&search, &filter).len()
    };
    assert_eq!(narrowed("\"kinds\":[1,30023]"), 2);
    assert_eq!(narrowed(&format!("\"authors\":[\"{}\"]", events[0].pubkey)), 2);
    assert_eq!(narrowed(&format!("\"ids\":[\"{}\"]", events[3].id)), 1);
    assert_eq!(narrowed("\"since\":11,\"until\":12"), 1);
    assert_eq!(narrowed("\"until\":18446744073709551615"), 3);
    assert_eq!(narrowed("\"kinds\":[]"), 0);
}

#[test]
fn what_was_forgotten_is_not_found_and_nothing_is_added_twice() {
    let events = market();
    let (_folder, search) = filled(&events);
    fill(&search, &events);
    let (mut from, mut seen) = (0, Vec::new());
    while let Some(next) = search
        .sweep(from, 2, &mut |id| {
            seen.push(*id);
            *id == events[0].id
        })
        .unwrap()
    {
        from = next;
    }
    assert_eq!(seen.iter().filter(|id| **id == events[3].id).count(), 1, "each once");
    assert!(search.sweep(0, 9, &mut |id| *id == events[0].id).unwrap().is_some(), "and again");
    assert_eq!(find(&search, &asked("pan")), [events[3].id, events[1].id]);
    assert_eq!(search.indexed(), 6);
}

#[test]
fn a_file_is_used_again_and_one_that_cannot_be_is_made_again() {
    let events = market();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("search.sqlite");
    let indexed = |last| Search::open(&path, last).unwrap().indexed();
    fill(&Search::open(&path, 0).unwrap(), &events);
    assert_eq!(indexed(6), 6, "used again");
    assert_eq!(indexed(5), 0, "ahead of the journal");
    fill(&Search::open(&path, 0).unwrap(), &events);
    fs::write(&path, "no database").unwrap();
    assert_eq!(indexed(6), 0, "damaged");
    fill(&Search::open(&path, 0).unwrap(), &events);
    fs::remove_file(&path).unwrap();
    assert_eq!(indexed(6), 0, "missing");
}

#[test]
fn a_search_that_finds_nothing_pauses_and_can_be_given_up() {
    let events: Vec<_> = (0..600).map(|time| event(1, 1, time, "", "pan de maíz")).collect();
    let (_folder, search) = filled(&events);
    let nobody = Filter { authors: Some([event(2, 1, 1, "", "").pubkey].into()), ..asked("pan") };
    let pauses = std::cell::Cell::new(0);
    let counted = || {
        pauses.set(pauses.get() + 1);
        true
    };
    assert!(!search.find(&nobody, &counted, &mut |_| panic!("nothing fits")).unwrap());
    assert!(pauses.get() >= 2, "{}", pauses.get());
    assert!(search.find(&nobody, &|| false, &mut |_| panic!("nothing fits")).unwrap(), "a part");
}

const WORDS: [&str; 8] = ["pan", "Pán", "maíz", "sara", "ñan", "nan", "AND", "x*"];

fn text() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        6 => prop::sample::select(WORDS.to_vec()).prop_map(str::to_owned),
        1 => "\\PC{1,6}",
    ];
    prop::collection::vec(word, 0..5).prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// FoundIsMatched.
    #[test]
    fn found_is_matched(
        texts in prop::collection::vec((text(), text()), 1..12),
        searches in prop::collection::vec(text(), 1..12),
    ) {
        let kinds = [1, 0, 30_402, 30_023, 4, 1111];
        let events: Vec<_> = texts.iter().zip(0..).map(|((title, text), number)| {
            event(1, kinds[number % kinds.len()], 1, title, text)
        }).collect();
        let (_folder, search) = filled(&events);
        for text in searches {
            let filter = asked(&text);
            let found: BTreeSet<_> = find(&search, &filter).into_iter().collect();
            let matched = events.iter().filter(|event| {
                filter.matches(event)
            });
            prop_assert_eq!(found, matched.map(|event| event.id).collect(), "{}", text);
        }
    }

    /// NoSearchIsAProgram: what means something to FTS5 or SQL is words like any other.
    #[test]
    fn no_search_is_a_program(
        text in "(\"|'|\\*|\\^|\\(|\\)|\\{|\\}|:|-|\\+|NEAR|OR|NOT|names|body|;|\u{0}|pan| ){0,24}"
    ) {
        let events = market();
        let (_folder, search) = filled(&events);
        let filter = asked(&text);
        let found = find(&search, &filter).len();
        let matched = events.iter().filter(|event| filter.matches(event)).count();
        prop_assert_eq!(found, matched);
    }
}
