//! One suite that every store passes. Each test is run on the store on disk and on the reference.

use ayni_protocol::{Timestamp, VerifiedEvent};
use expect_test::{Expect, expect};

use crate::testing::{
    NOW, addressed_to_one, event, filter, ids, journal, key, reference, texts, urls,
};
use crate::{DiskStore, Options, Outcome, Position, Store, everyone};

/// Runs a test on every kind of store.
fn on_every_store(test: impl Fn(&dyn Store)) {
    test(&reference());
    let folder = tempfile::tempdir().unwrap();
    let small = Options { segment_bytes: 2_000, snapshots: false, urls: urls() };
    let (store, recovery) = DiskStore::open_with(folder.path(), &small).unwrap();
    assert_eq!((recovery.events, recovery.dropped_bytes), (0, 0));
    test(&store);
}

/// What becomes of each event, one batch an event and then all in one batch.
fn check(events: &[VerifiedEvent], expected: &Expect) {
    on_every_store(|store| {
        let one_by_one =
            events.iter().flat_map(|event| store.append(std::slice::from_ref(event), NOW).unwrap());
        expected.assert_eq(&told(&one_by_one.collect::<Vec<_>>()));
    });
    on_every_store(|store| expected.assert_eq(&told(&store.append(events, NOW).unwrap())));
}

fn told(outcomes: &[Outcome]) -> String {
    let word = |outcome: &Outcome| match outcome {
        Outcome::Stored(Position(position)) => format!("stored {position}"),
        other => format!("{other:?}").to_lowercase(),
    };
    outcomes.iter().map(word).collect::<Vec<_>>().join(", ")
}

/// The contents of the answer, in their order.
fn answer(store: &dyn Store, asked: &str, limit: usize, now: Timestamp) -> String {
    let page = store.query(&filter(asked), limit, now, &everyone);
    let contents: Vec<_> = texts(&page)
        .iter()
        .map(|text| ayni_protocol::Event::parse(text).unwrap().content)
        .collect();
    let more = if page.exhausted { "" } else { " …" };
    format!("{}{more}", contents.join(" | "))
}

#[test]
fn events_are_placed_in_order_and_repetitions_are_told() {
    let (one, two) = (event(1, 1, 10, ""), event(1, 1, 11, ""));
    check(
        &[one.clone(), two.clone(), one.clone(), two],
        &expect!["stored 1, stored 2, duplicate, duplicate"],
    );
    on_every_store(|store| {
        assert!(store.is_empty());
        store.append(std::slice::from_ref(&one), NOW).unwrap();
        assert!(store.contains(&one.id));
        assert_eq!(store.get(&one.id, NOW).unwrap().json, one.json());
        assert_eq!((store.len(), store.last_position()), (1, Position(1)));
        assert_eq!(store.get(&event(2, 1, 10, "").id, NOW), None);
    });
}

#[test]
fn ephemeral_events_are_never_kept() {
    let (first, last) = (event(1, 20_000, 10, ""), event(1, 29_999, 10, "expiration=1"));
    check(&[first, last, event(1, 30_000, 10, "")], &expect!["ephemeral, ephemeral, stored 1"]);
}

#[test]
fn of_a_replaceable_event_the_newest_is_kept() {
    let version = |time| event(1, 0, time, "");
    check(
        &[version(10), version(12), version(11), version(10), version(12), event(2, 0, 5, "")],
        &expect!["stored 1, stored 2, superseded, superseded, duplicate, stored 3"],
    );
}

#[test]
fn of_one_time_the_lowest_id_is_kept() {
    let (one, two) = (event(1, 0, 10, "t=a"), event(1, 0, 10, "t=b"));
    let (low, high) = if one.id < two.id { (one, two) } else { (two, one) };
    check(&[high.clone(), low.clone()], &expect!["stored 1, stored 2"]);
    check(&[low, high], &expect!["stored 1, superseded"]);
}

#[test]
fn addressable_events_are_told_apart_by_their_d_tag() {
    let version = |time, tags| event(1, 30_402, time, tags);
    check(
        &[
            version(10, "d=x"),
            version(9, "d=y"),
            version(8, ""),
            version(11, "d=x,d=y"),
            version(10, "d=y"),
            version(7, "d="),
        ],
        &expect!["stored 1, stored 2, stored 3, stored 4, stored 5, superseded"],
    );
}

#[test]
fn an_author_deletes_by_id_what_is_there_and_what_will_come() {
    let (note, later) = (event(1, 1, 10, ""), event(1, 1, 50, ""));
    let deletion = event(1, 5, 20, &format!("e={},e={}", note.id, later.id));
    check(
        &[note.clone(), deletion.clone(), note, later, deletion],
        &expect!["stored 1, stored 2, deleted, deleted, duplicate"],
    );
}

#[test]
fn a_stranger_deletes_nothing() {
    let note = event(1, 1, 10, "");
    let listing = event(1, 30_402, 10, "d=x");
    let by_id = event(2, 5, 20, &format!("e={}", note.id));
    let by_address = event(2, 5, 20, &format!("a=30402:{}:x", key(1)));
    check(&[by_id, by_address, note, listing], &expect!["stored 1, stored 2, stored 3, stored 4"]);
}

#[test]
fn an_address_is_deleted_up_to_the_time_of_the_deletion() {
    let version = |time| event(1, 30_402, time, "d=x");
    let deletion = event(1, 5, 20, &format!("a=30402:{}:x", key(1)));
    check(
        &[version(10), deletion, version(20), version(21), version(19)],
        &expect!["stored 1, stored 2, deleted, stored 3, deleted"],
    );
    let profile = |time| event(1, 0, time, "");
    let deletion = event(1, 5, 20, &format!("a=0:{}:", key(1)));
    check(&[profile(10), deletion, profile(15)], &expect!["stored 1, stored 2, deleted"]);
}

#[test]
fn a_newer_version_outlives_an_older_deletion() {
    on_every_store(|store| {
        let version = event(1, 30_402, 30, "d=x");
        let deletion = event(1, 5, 20, &format!("a=30402:{}:x", key(1)));
        store.append(&[version.clone(), deletion], NOW).unwrap();
        assert!(store.contains(&version.id));
    });
}

#[test]
fn an_older_version_may_come_back_when_the_newer_is_deleted() {
    let version = |time| event(1, 0, time, "");
    let deletion = event(1, 5, 20, &format!("e={}", version(12).id));
    let events = [version(10), version(12), deletion, version(10), version(12)];
    check(&events, &expect!["stored 1, stored 2, stored 3, stored 4, deleted"]);
    on_every_store(|store| {
        store.append(&events, NOW).unwrap();
        assert_eq!(ids(store), [events[2].id, events[0].id], "and is found once, at its new place");
    });
}

#[test]
fn a_deletion_cannot_be_deleted() {
    let note = event(1, 1, 10, "");
    let deletion = event(1, 5, 20, &format!("e={}", note.id));
    let undoing = event(1, 5, 30, &format!("e={}", deletion.id));
    check(
        &[deletion.clone(), undoing, note, deletion],
        &expect!["stored 1, stored 2, deleted, duplicate"],
    );
}

#[test]
fn the_economy_is_never_deleted_and_never_expires() {
    let (order, currency) = (event(1, 4_752, 10, "expiration=5"), event(1, 37_470, 10, "d=x"));
    let deletion =
        event(1, 5, 20, &format!("e={},e={},a=37470:{}:x", order.id, currency.id, key(1)));
    on_every_store(|store| {
        let all = [order.clone(), currency.clone(), deletion.clone()];
        store.append(&all, NOW).unwrap();
        assert_eq!(store.len(), 3);
        assert!(store.get(&order.id, Timestamp::MAX).is_some());
    });
    check(&[deletion, order, currency], &expect!["stored 1, stored 2, stored 3"]);
}

#[test]
fn a_recipient_deletes_a_gift_wrap_and_a_stranger_does_not() {
    let wrap = event(9, 1_059, 10, &format!("p={}", key(1)));
    let delete = |person| event(person, 5, 20, &format!("e={}", wrap.id));
    on_every_store(|store| {
        store.append(&[wrap.clone(), delete(2)], NOW).unwrap();
        assert!(store.contains(&wrap.id));
        store.append(&[delete(1)], NOW).unwrap();
        assert!(!store.contains(&wrap.id));
        assert_eq!(store.append(std::slice::from_ref(&wrap), NOW).unwrap(), [Outcome::Deleted]);
    });
}

#[test]
fn who_vanishes_takes_everything_up_to_then_along() {
    let wrap = |time| event(9, 1_059, time, &format!("p={}", key(1)));
    let deletion = event(1, 5, 20, &format!("e={}", event(1, 1, 21, "").id));
    let gone = [event(1, 1, 20, ""), event(1, 0, 5, ""), wrap(20), deletion];
    let kept = [event(1, 1, 22, ""), wrap(21), event(2, 1, 20, ""), event(1, 4_752, 10, "")];
    let vanish = event(1, 62, 20, "relay=wss://other.example,relay=wss://ours.example/");
    on_every_store(|store| {
        store.append(&gone, NOW).unwrap();
        store.append(&kept, NOW).unwrap();
        store.append(std::slice::from_ref(&vanish), NOW).unwrap();
        let left: Vec<_> = kept.iter().chain([&vanish]).map(|event| event.id).collect();
        assert_eq!(ids(store), left);
        assert_eq!(store.count(&filter("{}"), NOW, &everyone), left.len());
        assert_eq!(store.append(&gone, NOW).unwrap(), [Outcome::Vanished; 4]);
        // Their deletion went with them, so what it named and is later may come.
        store.append(&[event(1, 1, 21, "")], NOW).unwrap();
        assert_eq!(store.len(), left.len() + 1);
    });
    let unseen = [&[vanish][..], &gone, &kept[..2]].concat();
    check(
        &unseen,
        &expect!["stored 1, vanished, vanished, vanished, vanished, stored 2, stored 3"],
    );
}

#[test]
fn a_deletion_that_is_lifted_brings_nothing_back() {
    // Both are newer than the request, which takes only their deletions along.
    let (note, profile) = (event(1, 1, 50, ""), event(1, 0, 50, ""));
    let deletion = event(1, 5, 20, &format!("e={},e={}", note.id, profile.id));
    let vanish = event(1, 62, 30, "relay=ALL_RELAYS");
    let older = event(1, 0, 40, "");
    let again =
        [older.clone(), note.clone(), note.clone(), profile.clone(), profile.clone(), older];
    let before = [note, profile, deletion, vanish];
    check(
        &[&before[..], &again].concat(),
        &expect![
            "stored 1, stored 2, stored 3, stored 4, stored 5, stored 6, duplicate, stored 7, duplicate, superseded"
        ],
    );
    on_every_store(|store| {
        store.append(&before[..2], NOW).unwrap();
        let rest = [&before[2..], &again].concat();
        expect![
            "stored 3, stored 4, stored 5, stored 6, duplicate, stored 7, duplicate, superseded"
        ]
        .assert_eq(&told(&store.append(&rest, NOW).unwrap()));
    });
}

#[test]
fn a_request_to_vanish_is_for_ever_and_for_whom_it_names() {
    let everywhere = event(1, 62, 20, "relay=ALL_RELAYS");
    let elsewhere = event(2, 62, 20, "relay=wss://other.example");
    let undoing = |vanish: &VerifiedEvent| {
        event(1, 5, 30, &format!("e={},a=62:{}:", vanish.id, vanish.pubkey))
    };
    check(
        &[
            everywhere.clone(),
            elsewhere,
            undoing(&everywhere),
            event(1, 1, 20, ""),
            event(2, 1, 20, ""),
            event(1, 62, 30, "relay=ALL_RELAYS"),
            event(1, 1, 25, ""),
            everywhere,
        ],
        &expect!["stored 1, stored 2, stored 3, vanished, stored 4, stored 5, vanished, duplicate"],
    );
}

#[test]
fn what_is_removed_is_gone_until_it_is_sent_again() {
    on_every_store(|store| {
        let all = [
            event(1, 1, 1, ""),
            event(1, 0, 2, ""),
            event(1, 4_752, 3, ""),
            event(1, 5, 4, "e=x"),
            event(1, 62, 0, "relay=ALL_RELAYS"),
            event(2, 1, 5, ""),
        ];
        store.append(&all, NOW).unwrap();
        let named: Vec<_> = all[..5].iter().chain([&all[0]]).map(|event| event.id).collect();
        assert_eq!(store.remove(&named).unwrap(), 2);
        assert_eq!(store.remove(&named).unwrap(), 0);
        assert_eq!(ids(store), all[2..].iter().map(|event| event.id).collect::<Vec<_>>());
        assert_eq!(answer(store, "{'kinds':[1]}", 9, NOW), "2 1 5 ");
        let again = store.append(&all[..1], NOW).unwrap();
        assert_eq!(again, [Outcome::Stored(store.last_position())]);
        assert_eq!(store.last_position(), Position(8), "a removal has a place of its own");
    });
}

#[test]
fn an_event_is_seen_until_the_second_it_expires() {
    let note = event(1, 1, 10, &format!("expiration={}", NOW + 5));
    on_every_store(|store| {
        store.append(std::slice::from_ref(&note), NOW + 4).unwrap();
        assert_ne!(answer(store, "{}", 9, NOW + 4), "");
        assert!(store.get(&note.id, NOW + 4).is_some());
        assert_eq!(answer(store, "{}", 9, NOW + 5), "");
        assert_eq!(store.get(&note.id, NOW + 5), None);
        assert_eq!(store.count(&filter("{}"), NOW + 5, &everyone), 0);
        assert_eq!(store.items(&filter("{}"), 9, NOW + 5, &everyone), []);
        assert_eq!(store.append(std::slice::from_ref(&note), NOW + 5).unwrap(), [Outcome::Expired]);
    });
}

#[test]
fn answers_are_newest_first_and_ties_lowest_id_first() {
    on_every_store(|store| {
        let mut tied: Vec<_> =
            ["a", "b", "c", "d"].map(|tag| event(1, 1, 10, &format!("t={tag}"))).into();
        tied.push(event(1, 1, 9, ""));
        tied.push(event(1, 1, 11, ""));
        store.append(&tied, NOW).unwrap();
        tied.sort_by_key(|event| (std::cmp::Reverse(event.created_at), event.id));
        for asked in ["{}", "{'kinds':[1]}", "{'kinds':[1,2]}", "{'since':1}"] {
            let page = store.query(&filter(asked), 4, NOW, &everyone);
            assert!(texts(&page).into_iter().eq(tied.iter().take(4).map(VerifiedEvent::json)));
            assert!(!page.exhausted);
            assert!(store.query(&filter(asked), 6, NOW, &everyone).exhausted);
        }
    });
}

#[test]
fn late_arrivals_take_their_place() {
    on_every_store(|store| {
        for time in [50, 10, 30, 20, 40] {
            store.append(&[event(1, 1, time, "t=x")], NOW).unwrap();
        }
        let expected = "1 1 50 t=x | 1 1 40 t=x | 1 1 30 t=x | 1 1 20 t=x | 1 1 10 t=x";
        assert_eq!(answer(store, "{}", 9, NOW), expected);
        assert_eq!(answer(store, "{'#t':['x']}", 9, NOW), expected);
        assert_eq!(answer(store, "{'since':20,'until':40}", 2, NOW), "1 1 40 t=x | 1 1 30 t=x …");
    });
}

#[test]
fn every_condition_narrows() {
    on_every_store(|store| {
        let all = [
            event(1, 1, 1, "t=a,p=x"),
            event(1, 7, 2, "t=a"),
            event(2, 1, 3, "t=b,t=a"),
            event(2, 1, 4, "T=a"),
            event(3, 1, 5, "t=a b"),
        ];
        store.append(&all, NOW).unwrap();
        let (ana, ben) = (key(1), key(2));
        let asked = |text: &str| answer(store, text, 9, NOW);
        expect!["2 1 3 t=b,t=a | 1 7 2 t=a | 1 1 1 t=a,p=x"].assert_eq(&asked("{'#t':['a']}"));
        expect!["2 1 3 t=b,t=a | 1 7 2 t=a | 1 1 1 t=a,p=x"].assert_eq(&asked("{'#t':['a','b']}"));
        expect!["1 1 1 t=a,p=x"].assert_eq(&asked("{'#t':['a'],'#p':['x','y']}"));
        expect!["2 1 4 T=a"].assert_eq(&asked("{'#T':['a']}"));
        expect!["1 1 1 t=a,p=x"].assert_eq(&asked(&format!("{{'authors':['{ana}'],'kinds':[1]}}")));
        expect!["2 1 4 T=a | 2 1 3 t=b,t=a | 1 7 2 t=a | 1 1 1 t=a,p=x"]
            .assert_eq(&asked(&format!("{{'authors':['{ana}','{ben}']}}")));
        let first = all[0].id;
        expect!["1 1 1 t=a,p=x"].assert_eq(&asked(&format!("{{'ids':['{first}']}}")));
        expect![""].assert_eq(&asked(&format!("{{'ids':['{first}'],'kinds':[7]}}")));
        for nothing in ["{'ids':[]}", "{'kinds':[]}", "{'#t':[]}", "{'until':-1}", "{'#e':['a']}"] {
            expect![""].assert_eq(&asked(nothing));
        }
    });
}

#[test]
fn messages_are_shown_to_whom_they_concern_and_counted_for_nobody_else() {
    for kind in [4, 1_059] {
        on_every_store(|store| {
            let to = |person| event(9, kind, 10, &format!("p={}", key(person)));
            let (mine, theirs) = (to(1), to(2));
            store.append(&[mine.clone(), theirs.clone(), event(1, 1, 5, "")], NOW).unwrap();
            let by_id = format!("{{'ids':['{}','{}']}}", mine.id, theirs.id);
            let by_kind = format!("{{'kinds':[{kind}]}}");
            for (asked, seen) in [("{}", 2), (&by_kind, 1), (&by_id, 1)] {
                let asked = filter(asked);
                assert_eq!(store.query(&asked, 9, NOW, &addressed_to_one).events.len(), seen);
                assert_eq!(store.count(&asked, NOW, &addressed_to_one), seen);
                assert_eq!(store.items(&asked, 9, NOW, &addressed_to_one).len(), seen);
                let mut authors = 0;
                store.authors(&asked, NOW, &addressed_to_one, &mut |_| authors += 1);
                assert_eq!(authors, seen);
            }
        });
    }
}

#[test]
fn authors_are_told_once_for_each_event() {
    on_every_store(|store| {
        let all = [(1, 1), (2, 2), (1, 3), (3, 4)].map(|(person, time)| event(person, 7, time, ""));
        store.append(&all, NOW).unwrap();
        let mut authors = Vec::new();
        store.authors(&filter("{'kinds':[7],'until':3}"), NOW, &everyone, &mut |author| {
            authors.push(*author);
        });
        authors.sort_unstable();
        let mut expected = [key(1), key(1), key(2)];
        expected.sort_unstable();
        assert_eq!(authors, expected);
    });
}

#[test]
fn items_are_oldest_first_and_one_more_than_the_cap_says_there_are_more() {
    on_every_store(|store| {
        let all: Vec<_> = (1..=5).map(|time| event(1, 1, time, "")).collect();
        store.append(&all, NOW).unwrap();
        let expected = |from: usize| {
            all[from..].iter().map(|event| (event.created_at, event.id)).collect::<Vec<_>>()
        };
        assert_eq!(store.items(&filter("{}"), 5, NOW, &everyone), expected(0));
        assert_eq!(store.items(&filter("{}"), 2, NOW, &everyone), expected(2));
    });
}

#[test]
fn a_walk_begins_and_stops_where_it_is_told() {
    on_every_store(|store| {
        let all: Vec<_> = (1..=20).map(|time| event(1, 1, 100 - time, "")).collect();
        let deletion = event(1, 5, 1, &format!("e={}", all[3].id));
        store.append(&all, NOW).unwrap();
        store.append(&[deletion], NOW).unwrap();
        let places: Vec<_> = journal(store).into_iter().map(|(place, _)| place).collect();
        assert_eq!(places, [1, 2, 3].into_iter().chain(5..=21).collect::<Vec<_>>());
        let mut seen = Vec::new();
        store.scan(Position(4), &mut |Position(place), _| {
            seen.push(place);
            place < 7
        });
        assert_eq!(seen, [5, 6, 7]);
    });
}

#[test]
fn a_query_for_nothing_looks_at_nothing() {
    on_every_store(|store| {
        store.append(&[event(1, 1, 1, "")], NOW).unwrap();
        assert_eq!(answer(store, "{}", 0, NOW), " …");
        assert_eq!(answer(store, "{'ids':[]}", 0, NOW), "");
    });
}
