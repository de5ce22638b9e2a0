//! What the tests of this crate share: signed events, random filters, a disk that breaks.

pub mod ram;

use std::sync::LazyLock;

use ayni_protocol::search::Search;
use ayni_protocol::{
    Draft, Event, EventId, Filter, Keys, Kind, PublicKey, Timestamp, VerifiedEvent, kind,
};
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

use crate::{MemoryStore, Page, Store};

/// The time at which the tests take place.
pub const NOW: Timestamp = 1_000;

/// The addresses of the relay whose store is tested.
pub fn urls() -> Vec<String> {
    vec!["wss://ours.example".to_owned()]
}

/// An empty judge.
pub fn reference() -> MemoryStore {
    MemoryStore::with_urls(&urls())
}

/// The keys of a tiny cast: 1 is ana, 2 is ben, …
pub fn keys(person: u8) -> Keys {
    Keys::from_secret([person; 32]).unwrap()
}

pub fn key(person: u8) -> PublicKey {
    keys(person).public()
}

/// An event by person, kind and time, with tags written `t=ayni,expiration=5`.
pub fn event(person: u8, kind: u16, time: Timestamp, tags: &str) -> VerifiedEvent {
    let draft = Draft::new(Kind(kind)).content(format!("{person} {kind} {time} {tags}"));
    let tags = tags.split(',').filter_map(|tag| tag.split_once('='));
    tags.fold(draft, |draft, (name, value)| draft.tag([name, value])).sign(
        &keys(person),
        time,
        [0; 32],
    )
}

/// A filter as a client would write it, with `'` for `"`.
pub fn filter(text: &str) -> Filter {
    Filter::parse(&text.replace('\'', "\"")).unwrap()
}

/// Only what is addressed to person 1.
pub fn addressed_to_one(event: &Event) -> bool {
    let one = key(1).to_string();
    event.tags.named("p").any(|tag| tag.value() == Some(&one))
}

/// Some 700 events of few people, kinds, times and tags, so that everything meets everything:
/// versions of one address, ties in time, deletions of what is there, not there, and not theirs.
pub static POOL: LazyLock<Vec<VerifiedEvent>> = LazyLock::new(pool);

const KINDS: [u16; 14] =
    [0, 1, 1, 1, 3, 7, 1_059, 4_752, 10_002, 20_001, 30_402, 30_402, 37_470, 30_023];

fn pool() -> Vec<VerifiedEvent> {
    let mut pool = Vec::new();
    for number in 0..400_u64 {
        let person = u8::try_from(number % 3 + 1).unwrap();
        let kind = KINDS[usize::try_from(number * 7 % 14).unwrap()];
        let mut tags = vec![format!("n={number}")];
        if kind >= 30_000 && number % 4 > 0 {
            tags.push(format!("d={}", ["x", "y"][usize::try_from(number % 2).unwrap()]));
        }
        if number % 3 == 0 {
            tags.push(format!(
                "t={}",
                ["a", "b", "c\"\\"][usize::try_from(number / 3 % 3).unwrap()]
            ));
        }
        if number % 6 == 0 {
            tags.push("t=a".to_owned());
        }
        if number % 5 == 0 || kind == 1_059 {
            tags.push(format!("p={}", key(u8::try_from(number / 5 % 3 + 1).unwrap())));
        }
        if number % 11 == 0 {
            tags.push(format!("expiration={}", NOW - 5 + number % 10));
        }
        pool.push(event(person, kind, 10 + number * 13 % 17, &tags.join(",")));
    }
    for number in 0..250_usize {
        let person = u8::try_from(number % 3 + 1).unwrap();
        let target = &pool[number * 3 % pool.len()];
        let identifier = kind::identifier(target);
        let tag = if number % 3 == 0 {
            format!("a={}:{}:{identifier}", target.kind, target.pubkey)
        } else {
            format!("e={}", target.id)
        };
        let time = 10 + u64::try_from(number).unwrap() * 5 % 17;
        pool.push(event(person, 5, time, &tag));
    }
    pool
}

/// Requests to vanish, of the same few people: from here, from everywhere, and from elsewhere.
pub static VANISHING: LazyLock<Vec<VerifiedEvent>> = LazyLock::new(|| {
    let all = ["ALL_RELAYS", "wss://Ours.example/", "wss://other.example"];
    let requests = all.iter().enumerate().flat_map(|(number, url)| {
        let person = u8::try_from(number + 1).unwrap();
        [11, 16, 21].map(|time| event(person % 3 + 1, 62, time, &format!("relay={url}")))
    });
    requests.collect()
});

/// A crowd: every version, deletion and repetition of three addresses and two notes.
pub static CROWD: LazyLock<Vec<VerifiedEvent>> = LazyLock::new(crowd);

fn crowd() -> Vec<VerifiedEvent> {
    let mut crowd = Vec::new();
    for time in 10..13 {
        for tags in ["n=1", "n=2,expiration=999"] {
            crowd.push(event(1, 0, time, tags));
            crowd.push(event(1, 30_402, time, &format!("d=x,{tags}")));
            crowd.push(event(1, 37_470, time, &format!("d=x,{tags}")));
        }
    }
    crowd.push(event(1, 1, 10, "t=a"));
    crowd.push(event(2, 1_059, 10, &format!("p={}", key(1))));
    let mut deletions = Vec::new();
    for (number, target) in (0..).zip(&crowd) {
        let person = if number % 7 == 6 { 2 } else { 1 };
        deletions.push(event(person, 5, 12, &format!("e={}", target.id)));
    }
    for time in 10..12 {
        for address in ["0:KEY:", "30402:KEY:x", "37470:KEY:x"] {
            let address = address.replace("KEY", &key(1).to_string());
            deletions.push(event(1, 5, time, &format!("a={address}")));
        }
    }
    deletions.push(event(1, 5, 13, &format!("e={}", deletions[0].id)));
    crowd.extend(deletions);
    crowd.push(event(2, 62, 11, "relay=ALL_RELAYS"));
    crowd.push(event(1, 62, 11, "relay=wss://ours.example"));
    crowd
}

/// Batches of events of the pool or the crowd, repetitions included.
pub fn batches() -> impl Strategy<Value = Vec<Vec<VerifiedEvent>>> {
    // Some near each other, so that deletions meet their targets.
    let near = (any::<Index>(), 1_usize..30).prop_map(|(from, length)| {
        let from = from.index(400);
        let deletions =
            (0..250).filter(move |number| (from..from + length).contains(&(number * 3 % 400)));
        (from..(from + length).min(400))
            .chain(deletions.map(|number| 400 + number))
            .collect::<Vec<_>>()
    });
    let apart = prop::collection::vec(any::<Index>(), 0..12)
        .prop_map(|all| all.into_iter().map(|at| at.index(POOL.len())).collect::<Vec<_>>());
    let batch = prop_oneof![near, apart].prop_shuffle();
    let vanishing = prop::option::weighted(0.1, select(&**VANISHING));
    let batch = (batch, vanishing, any::<Index>()).prop_map(|(batch, vanishing, at)| {
        let mut batch: Vec<_> = batch.into_iter().map(|at| POOL[at].clone()).collect();
        let at = at.index(batch.len() + 1);
        batch.splice(at..at, vanishing);
        batch
    });
    let crowded = prop::collection::vec(any::<Index>(), 0..14)
        .prop_map(|all| all.into_iter().map(|at| CROWD[at.index(CROWD.len())].clone()).collect());
    prop_oneof![
        prop::collection::vec(batch.boxed(), 1..6),
        prop::collection::vec(crowded.boxed(), 1..6)
    ]
}

/// Filters over what the pool holds, and a little that it does not.
pub fn filters() -> impl Strategy<Value = Filter> {
    let ids = prop::option::weighted(
        0.15,
        prop::collection::btree_set(
            any::<Index>().prop_map(|at| POOL[at.index(POOL.len())].id),
            0..40,
        ),
    );
    let authors =
        prop::option::weighted(0.4, subsequence((1..=4).map(key).collect::<Vec<_>>(), 0..=4));
    let kinds = prop::option::weighted(
        0.4,
        subsequence(
            [0, 1, 3, 5, 7, 62, 1_059, 4_752, 10_002, 20_001, 30_402, 37_470, 9].map(Kind).to_vec(),
            0..=6,
        ),
    );
    let values = prop_oneof![
        subsequence(vec!["a", "b", "c\"\\", "zz"], 0..=4)
            .prop_map(|all| (b't', all.into_iter().map(str::to_owned).collect())),
        subsequence(vec![1, 2, 3], 1..=3).prop_map(|all| (
            b'p',
            all.into_iter().map(|person| key(person).to_string()).collect()
        )),
        select(vec!["x", "y", ""]).prop_map(|value| (b'd', [value.to_owned()].into())),
        (0..300_u32, 1..20_u32).prop_map(|(from, length)| (
            b'n',
            (from..from + length).map(|n| n.to_string()).collect()
        )),
    ];
    let tags = prop::collection::vec(values, 0..3);
    let time = || prop::option::weighted(0.3, 8_u64..30);
    // Contents are numbers and tags, and titles there are none.
    let search = prop::option::weighted(
        0.1,
        select(vec!["1", "30402 x", ""]).prop_map(|text| Search::parse(text).unwrap()),
    );
    (ids, authors, kinds, tags, time(), time(), search).prop_map(
        |(ids, authors, kinds, tags, since, until, search)| Filter {
            search,
            ids,
            authors: authors.map(|all| all.into_iter().collect()),
            kinds: kinds.map(|all| all.into_iter().collect()),
            tags,
            since,
            until,
            ..Filter::default()
        },
    )
}

/// Everything that two stores can be asked, and they must answer alike.
pub fn assert_alike(one: &dyn Store, other: &dyn Store, filters: &[Filter], now: Timestamp) {
    assert_eq!(journal(one), journal(other), "order of acceptance");
    assert_eq!((one.len(), one.last_position()), (other.len(), other.last_position()));
    for filter in filters {
        for limit in [0, 1, 3, 1_000] {
            let (one, other) = (
                one.query(filter, limit, now, &addressed_to_one),
                other.query(filter, limit, now, &addressed_to_one),
            );
            assert_eq!(texts(&one), texts(&other), "{} limit {limit}", filter.to_json());
            assert_eq!(one, other, "{} limit {limit}", filter.to_json());
        }
        let authors = |store: &dyn Store| {
            let mut authors = Vec::new();
            store.authors(filter, now, &addressed_to_one, &mut |author| authors.push(*author));
            authors.sort_unstable();
            authors
        };
        assert_eq!(authors(one), authors(other), "{}", filter.to_json());
        assert_eq!(
            one.count(filter, now, &addressed_to_one),
            other.count(filter, now, &addressed_to_one)
        );
        for cap in [2, 1_000] {
            assert_eq!(
                one.items(filter, cap, now, &addressed_to_one),
                other.items(filter, cap, now, &addressed_to_one)
            );
        }
        for id in filter.ids.iter().flatten() {
            assert_eq!(one.contains(id), other.contains(id));
            assert_eq!(one.get(id, now), other.get(id, now));
        }
    }
}

pub fn texts(page: &Page) -> Vec<&str> {
    page.events.iter().map(|stored| std::str::from_utf8(&stored.json).unwrap()).collect()
}

/// All live events with their places.
pub fn journal(store: &dyn Store) -> Vec<(u64, String)> {
    let mut all = Vec::new();
    store.scan(crate::Position(0), &mut |position, json| {
        all.push((position.0, json.to_owned()));
        true
    });
    all
}

/// Some of what is there, to be removed.
pub fn picked(store: &dyn Store, picks: &[Index]) -> Vec<EventId> {
    let all = ids(store);
    picks.iter().filter(|_| !all.is_empty()).map(|pick| *pick.get(&all)).collect()
}

/// Which events to remove after each of some batches.
pub fn picks() -> impl Strategy<Value = Vec<Vec<Index>>> {
    let some = prop::collection::vec(any::<Index>(), 0..5);
    prop::collection::vec(prop_oneof![Just(Vec::new()), some], 6)
}

/// The ids of all live events in order of acceptance.
pub fn ids(store: &dyn Store) -> Vec<EventId> {
    journal(store).iter().map(|(_, json)| Event::parse(json).unwrap().id).collect()
}
