//! The claims of this crate, by name. Each has a property test that cites it.

use ayni_protocol::laws::Law;

/// One set of events, one council.
pub const SAME_SET_SAME_BOOK: Law = Law {
    name: "SameSetSameBook",
    sentence: "The same events and facts, in any order and however often, give the same rulings, \
               the same facts, the same decisions and the same duties",
    why: "or two honest nodes would announce two winners",
};

/// Nothing is taken back.
pub const DECIDED_STAYS_DECIDED: Law = Law {
    name: "DecidedStaysDecided",
    sentence: "No further event changes what was counted, voided or decided",
    why: "or a result could be turned after it was known",
};

/// Late entries do not count.
pub const LATE_IS_LATE: Law = Law {
    name: "LateIsLate",
    sentence: "Exactly the entries that a witness met between opening and the end of the grace \
               are in the box that it decides alone",
    why: "or whoever sees the first results could still vote",
};

/// A draw is a function.
pub const ANYONE_CAN_REDRAW: Law = Law {
    name: "AnyoneCanRedraw",
    sentence: "A draw depends on the set of lots and the seed alone; its winners are distinct by \
               its scope, and there are as many as the pool has",
    why: "or the drum would have to be trusted",
};

/// Every unit has the same chance.
pub const NO_NUMBER_FAVOURED: Law = Law {
    name: "NoNumberFavoured",
    sentence: "Of the numbers that a draw accepts, equally many lead to every unit",
    why: "or early lots would win a little more often",
};

/// What is written is read.
pub const ROUND_TRIP: Law = Law {
    name: "RoundTrip",
    sentence: "Every value that has a draft is read from its signed event as it was",
    why: "or a community would sign something else than it meant",
};

/// Every law of this crate.
pub const ALL: &[Law] = &[
    SAME_SET_SAME_BOOK,
    DECIDED_STAYS_DECIDED,
    LATE_IS_LATE,
    ANYONE_CAN_REDRAW,
    NO_NUMBER_FAVOURED,
    ROUND_TRIP,
];

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use ayni_protocol::{EventId, Part, PublicKey, Ruling};
    use proptest::prelude::*;

    use crate::bodies::bodies;
    use crate::canonical::sha256;
    use crate::council::Council;
    use crate::draft;
    use crate::draw::{Lot, Scope, Seed, draw, list_root};
    use crate::pool::{Item, POOL};
    use crate::testing::{STRANGER, WITNESS, World, id, key, signed, vote_in};

    const CASES: u32 = 1_000;

    fn put(world: &mut World, item: &Item) {
        match item {
            Item::Event(event) => _ = world.put(event),
            Item::Fact(fact) => world.hear(fact),
        }
    }

    fn fold<'a>(items: impl IntoIterator<Item = &'a Item>) -> World {
        let mut world = World::new();
        items.into_iter().for_each(|item| put(&mut world, item));
        world
    }

    /// All that can be seen of a council, as text.
    fn picture(world: &World) -> BTreeSet<String> {
        let council = &world.council;
        let rulings = POOL.iter().filter_map(|item| match item {
            Item::Event(event) => Some(format!("{} {:?}", event.id, council.ruling(&event.id))),
            Item::Fact(_) => None,
        });
        let facts = world.facts.iter().map(|fact| format!("{fact:?}"));
        let duties = [11, 12, 14].into_iter().flat_map(|who| {
            [0, 150, 211, 9_999_999_999].map(|now| {
                let due = council.next_due(&key(who), now);
                format!("{who} {now} {due:?} {:?}", council.duties(&key(who), now))
            })
        });
        let communities = council.communities().map(|cid| {
            format!(
                "{:?} {:?} {} {:?}",
                council.charter_in_force(cid),
                council.settings(cid),
                council.merit(cid, key(21)),
                council.rosters(cid).collect::<Vec<_>>(),
            )
        });
        let subjects = council.subjects().map(|subject| {
            let foreign: Vec<_> = council.foreign_results(&subject.id).collect();
            format!("{:?} {foreign:?}", council.progress(&subject.id))
        });
        rulings.chain(facts).chain(duties).chain(communities).chain(subjects).collect()
    }

    /// Two orders of one random part of the pool, the second with repetitions.
    fn two_orders() -> impl Strategy<Value = (Vec<usize>, Vec<usize>)> {
        let all: Vec<usize> = (0..POOL.len()).collect();
        let least = POOL.len() * 2 / 3;
        prop::sample::subsequence(all, least..=POOL.len()).prop_flat_map(|chosen| {
            let mut twice = chosen.clone();
            twice.extend(chosen.iter().filter(|at| *at % 3 == 0));
            (Just(chosen).prop_shuffle(), Just(twice).prop_shuffle())
        })
    }

    fn items(order: &[usize]) -> impl Iterator<Item = &'static Item> {
        order.iter().map(|at| &POOL[*at])
    }

    /// The pool is worth shuffling: every kind of ruling and fact occurs in it.
    #[test]
    fn the_pool_has_everything() {
        let seen = picture(&fold(POOL.iter())).into_iter().collect::<Vec<_>>().join("\n");
        for expected in [
            "Counted",
            "Void(",
            "Waiting(Event",
            "Waiting(Approval",
            "Waiting(Decision",
            "Waiting(Earlier",
            "UnknownBeacon",
            "Decided(",
            "Disputed",
            "Roster(",
            "Charter(",
        ] {
            assert!(seen.contains(expected), "{expected} is missing");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(CASES))]

        /// SameSetSameBook.
        #[test]
        fn same_set_same_book((one, other) in two_orders()) {
            let one = fold(items(&one));
            let other = fold(items(&other));
            prop_assert_eq!(picture(&one), picture(&other));
            prop_assert_eq!(one.facts.len(), other.facts.len());
        }

        /// DecidedStaysDecided.
        #[test]
        fn decided_stays_decided((order, _) in two_orders()) {
            let mut world = World::new();
            let mut final_rulings = BTreeMap::new();
            for item in items(&order) {
                put(&mut world, item);
                for known in items(&order) {
                    let Item::Event(event) = known else { continue };
                    let Some(ruling) = world.council.ruling(&event.id) else { continue };
                    if !matches!(ruling, Ruling::Waiting(_)) {
                        let first = *final_rulings.entry(event.id).or_insert(ruling);
                        prop_assert_eq!(first, ruling);
                    }
                }
            }
            let told: BTreeSet<_> = world.facts.iter().map(|fact| format!("{fact:?}")).collect();
            prop_assert_eq!(told.len(), world.facts.len(), "a fact is told once");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(CASES))]

        /// LateIsLate. Entries come, and the witness looks, at random times.
        #[test]
        fn late_is_late(
            arrivals in prop::collection::vec(instants(), 0..8),
            looks in prop::collection::btree_set(instants(), 0..6),
        ) {
            let mut world = World::new();
            let cid = world.found(&[WITNESS]);
            let vote = world.vote(vote_in(cid, cid, 50));
            let entries: Vec<(u64, EventId)> = arrivals.into_iter().zip((60..).map(id)).collect();
            for now in 80..230 {
                for (_, entry) in entries.iter().filter(|(at, _)| *at == now) {
                    world.entry(vote, *entry);
                }
                if looks.contains(&now) {
                    world.serve(WITNESS, now);
                }
            }
            world.serve(WITNESS, 230);
            let met = |at: u64| looks.iter().any(|look| (at.max(100)..=210).contains(look));
            let expected: BTreeSet<_> =
                entries.iter().filter(|(at, _)| met(*at)).map(|(_, entry)| *entry).collect();
            prop_assert_eq!(world.council.box_of(&vote).unwrap().as_ref(), &expected);
            for (_, entry) in &entries {
                let receipted = world.council.receipts(entry).next().is_some();
                prop_assert_eq!(receipted, expected.contains(entry));
            }
        }
    }

    /// Instants around a vote, with an eye on the edges of its opening and of its grace.
    fn instants() -> impl Strategy<Value = u64> {
        prop_oneof![80_u64..230, 98_u64..103, 208_u64..213]
    }

    fn lots() -> impl Strategy<Value = Vec<Lot>> {
        prop::collection::vec((0_u8..6, 0_u32..9), 0..24).prop_map(|lots| {
            let lots = lots.into_iter().enumerate();
            lots.map(|(n, (owner, quantity))| Lot {
                id: EventId(sha256(n.to_be_bytes())),
                key: PublicKey([owner; 32]),
                quantity,
            })
            .collect()
        })
    }

    /// Section 4 as it is written: walk the sorted lots by their units, every time from the start.
    fn by_hand(seed: &Seed, lots: &[Lot], scope: Scope, picks: usize) -> Vec<EventId> {
        let mut pool = lots.to_vec();
        pool.sort_by_key(|lot| lot.id);
        let (mut counter, mut winners) = (0_u64, Vec::new());
        while winners.len() < picks {
            let left: u128 = pool.iter().map(|lot| u128::from(lot.quantity)).sum();
            if left == 0 {
                break;
            }
            let block = sha256([seed.0.as_slice(), &counter.to_be_bytes()].concat());
            counter += 1;
            let number = u128::from_be_bytes(block[..16].try_into().unwrap());
            let surplus = (u128::MAX % left + 1) % left;
            // 2^128 - surplus, which does not fit where there is no surplus.
            if number > u128::MAX - surplus {
                continue;
            }
            let mut unit = number % left;
            let holds = |lot: &&Lot| match unit.checked_sub(u128::from(lot.quantity)) {
                Some(rest) => {
                    unit = rest;
                    false
                }
                None => true,
            };
            let winner = pool.iter().find(holds).unwrap().clone();
            winners.push(winner.id);
            match scope {
                Scope::Person => pool.retain(|lot| lot.key != winner.key),
                Scope::Ticket => pool.retain(|lot| lot.id != winner.id),
                Scope::Unit => pool.iter_mut().for_each(|lot| {
                    lot.quantity -= u32::from(lot.id == winner.id);
                }),
            }
        }
        winners
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(CASES))]

        /// AnyoneCanRedraw.
        #[test]
        fn anyone_can_redraw(
            seed: [u8; 32],
            (lots, shuffled) in lots().prop_flat_map(|lots| (Just(lots.clone()), Just(lots).prop_shuffle())),
            scope in prop::sample::select(vec![Scope::Person, Scope::Ticket, Scope::Unit]),
            prizes in 0_usize..8,
            reserves in 0_usize..4,
        ) {
            let seed = Seed(seed);
            prop_assert_eq!(list_root(&lots), list_root(&shuffled));
            let drawn = draw(&seed, &lots, scope, prizes, reserves);
            prop_assert_eq!(&drawn, &draw(&seed, &shuffled, scope, prizes, reserves));
            let picked = [drawn.winners.as_slice(), &drawn.reserves].concat();
            prop_assert_eq!(&picked, &by_hand(&seed, &lots, scope, prizes + reserves));
            let lot = |id: &EventId| lots.iter().find(|lot| lot.id == *id).unwrap();
            let live = || lots.iter().filter(|lot| lot.quantity > 0);
            let (distinct, at_most) = match scope {
                Scope::Person => {
                    let people = |ids: &[EventId]| {
                        ids.iter().map(|id| lot(id).key).collect::<BTreeSet<_>>().len()
                    };
                    (people(&picked), live().map(|lot| lot.key).collect::<BTreeSet<_>>().len())
                }
                Scope::Ticket => (picked.iter().collect::<BTreeSet<_>>().len(), live().count()),
                Scope::Unit => {
                    let held = |id: &EventId| picked.iter().filter(|won| *won == id).count();
                    let size = |lot: &Lot| usize::try_from(lot.quantity).unwrap();
                    let kept = picked.iter().filter(|id| held(id) <= size(lot(id))).count();
                    (kept, lots.iter().map(size).sum())
                }
            };
            prop_assert_eq!(distinct, picked.len());
            prop_assert_eq!(picked.len(), at_most.min(prizes + reserves));
        }

        /// NoNumberFavoured: the accepted numbers are whole turns of the pool, from 0 on.
        #[test]
        fn no_number_favoured(number: u128, near_the_end in 0_u128..1 << 33, left in 1_u64..1 << 32) {
            let turns = u128::MAX / u128::from(left);
            let rest = u128::MAX % u128::from(left);
            let whole = if rest + 1 == u128::from(left) { turns } else { turns - 1 };
            for number in [number, u128::MAX - near_the_end] {
                let accepted = crate::draw::unbiased(number, left);
                prop_assert_eq!(accepted.is_some(), number / u128::from(left) <= whole);
                if let Some(unit) = accepted {
                    prop_assert_eq!(u128::from(unit), number % u128::from(left));
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(CASES))]

        /// RoundTrip.
        #[test]
        fn round_trip(body in bodies()) {
            let event = signed(STRANGER, draft::body(&body));
            prop_assert_eq!(Council::read(&event).map(|entry| entry.body), Ok(body));
        }
    }
}
