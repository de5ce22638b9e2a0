//! The claims of this crate, by name. Each has a property test that cites it.

use ayni_protocol::laws::Law;

/// The book is a function of the set of events.
pub const SAME_SET_SAME_BOOK: Law = Law {
    name: "SameSetSameBook",
    sentence: "Any order and any repetition of the same entries and facts gives the same rulings, \
               digest lines and views",
    why: "or two nodes that hold the same events would show different winners",
};

/// Money only moves forward.
pub const COUNTED_STAYS_COUNTED: Law = Law {
    name: "CountedStaysCounted",
    sentence: "While no enough witnesses cheat and no order is used in two raffles at once, what \
               was counted stays counted, and what is void stays void",
    why: "or a ticket that was in the drum could be taken out of it",
};

/// The draw needs no trust.
pub const ANYONE_CAN_REDRAW: Law = Law {
    name: "AnyoneCanRedraw",
    sentence: "From the boxed tickets and the numbers of the result alone, a plain reading of the \
               rules finds the same list, seed, winners and reserves",
    why: "or people would have to believe the organiser",
};

/// One outcome, one direction.
pub const PAID_OR_REFUNDED_NEVER_BOTH: Law = Law {
    name: "PaidOrRefundedNeverBoth",
    sentence: "No order pays for units in a pot that is paid out and is given back as well, none \
               is given back twice, and no payout is prescribed twice",
    why: "or the escrow account would owe more than it was given",
};

/// Nothing is created or lost.
pub const THE_WHOLE_POT: Law = Law {
    name: "TheWholePot",
    sentence: "Once everything is decided, payouts and refunds add up to what was paid, and the \
               payouts of each raffle to its pot",
    why: "or money would stay behind in an escrow account, or be missing there",
};

/// What came after the list was fixed is not on it.
pub const LATE_IS_LATE: Law = Law {
    name: "LateIsLate",
    sentence: "Once a list is fixed, no ticket, payment, account or cancellation changes it or \
               what is drawn from it",
    why: "or whoever knows the round could choose the winner",
};

/// What is shown is what is signed.
pub const READ_AS_DRAFTED: Law = Law {
    name: "ReadAsDrafted",
    sentence: "An entry read from a signed draft is what the draft was made from",
    why: "or people would announce something else than they wrote",
};

/// Every law of this crate.
pub const ALL: &[Law] = &[
    SAME_SET_SAME_BOOK,
    COUNTED_STAYS_COUNTED,
    ANYONE_CAN_REDRAW,
    PAID_OR_REFUNDED_NEVER_BOTH,
    THE_WHOLE_POT,
    LATE_IS_LATE,
    READ_AS_DRAFTED,
];

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use ayni_protocol::{
        Amount, Draft, EventId, Keys, Part, PublicKey, Ruling, VerifiedEvent, hex, kind,
    };
    use ayni_witness::Fact;
    use ayni_witness::canonical::sha256;
    use proptest::prelude::*;
    use proptest::sample::Index;

    use crate::payout::Purpose;
    use crate::read::{Entry, Says, read};
    use crate::scene::{Scene, Step, currency, id, priced, tell};
    use crate::spec::{
        Entropy, Legal, Place, Prize, RaffleSpec, Referral, Scope, Share, Title, WHOLE_BP,
    };
    use crate::state::Standing;
    use crate::{Drum, draft};

    /// The orders of every scene: who paid what, and for how many units. One is of no ticket's
    /// price.
    const ORDERS: [(&str, &str, &str, u32); 10] = [
        ("o0", "ana", "5.00", 1),
        ("o1", "ana", "10.00", 2),
        ("o2", "ben", "5.00", 1),
        ("o3", "ben", "15.00", 3),
        ("o4", "cyd", "5.00", 1),
        ("o5", "cyd", "7.00", 1),
        ("o6", "cyd", "10.00", 2),
        ("o7", "org", "5.00", 1),
        ("o8", "org", "10.00", 2),
        ("o9", "ana", "5.00", 1),
    ];

    /// The terms of the first raffle.
    const TERMS: [&str; 7] = [
        "cap 3",
        "prizes 5000,0 to nobody",
        "max 5 prizes 1111,2222",
        "age 18",
        "referral 333 prizes 1000",
        "price 0",
        "",
    ];
    /// Where in [`TERMS`] the free raffle is.
    const FREE: usize = 5;

    /// A ticket: the order that pays it, whether it is of the second raffle, and now and then
    /// another buyer and quantity than the order's.
    type Bought = (usize, bool, Option<(usize, u32)>);

    /// A story of one or two raffles that share an escrow account.
    #[derive(Debug, Clone)]
    struct Story {
        terms: usize,
        two: bool,
        tickets: Vec<Bought>,
        late: Vec<Bought>,
        flags: bool,
        /// Which tickets each box holds, a bit each.
        boxed: [u16; 2],
        /// 0 called off at the close, 1 at the outcome, else drawn.
        ends: [u8; 2],
    }

    fn bought() -> impl Strategy<Value = Bought> {
        let twist = prop_oneof![4 => Just(None), 1 => (0..4_usize, 1..4_u32).prop_map(Some)];
        (0..ORDERS.len() + 1, any::<bool>(), twist)
    }

    fn stories(two: impl Strategy<Value = bool>) -> impl Strategy<Value = Story> {
        (
            (0..TERMS.len(), two),
            prop::collection::vec(bought(), 0..14),
            prop::collection::vec(bought(), 0..3),
            any::<bool>(),
            (any::<[u16; 2]>(), any::<[u16; 2]>()),
            [0..6_u8, 0..6_u8],
        )
            .prop_map(|((terms, two), tickets, late, flags, some, ends)| Story {
                terms,
                two,
                tickets,
                late,
                flags,
                boxed: [some.0[0] | some.1[0], some.0[1] | some.1[1]],
                ends,
            })
    }

    impl Story {
        /// Everything up to the boxes.
        fn sale(&self) -> Scene {
            let mut scene = Scene::of(&format!("raffle r {}", TERMS[self.terms]));
            if self.two {
                scene.say("raffle s seq 1 prev r closes 300 prizes 0,3333");
            }
            for (order, who, amount, _) in ORDERS {
                scene.say(&format!("{who} pays {order} {amount}"));
            }
            if self.flags {
                scene.say("ana is age18");
                scene.say("ben is age21");
            }
            for (n, ticket) in self.tickets.iter().enumerate() {
                self.buy(&mut scene, &format!("t{n}"), *ticket);
            }
            scene
        }

        fn buy(&self, scene: &mut Scene, name: &str, (order, second, twist): Bought) {
            let raffle = if second && self.two { "s" } else { "r" };
            let (order, who, _, quantity) = ORDERS.get(order).unwrap_or(&ORDERS[0]);
            let (who, quantity) = match twist {
                Some((who, quantity)) => (["ana", "ben", "cyd", "zoe"][who], quantity),
                None => (*who, *quantity),
            };
            let is_free = self.terms == FREE && raffle == "r";
            let with = if is_free { String::new() } else { format!("with {order}") };
            scene.say(&format!("{who} buys {name} {quantity} {raffle} {with}"));
        }

        /// Raffles with how each ends.
        fn ends(&self) -> impl Iterator<Item = (&'static str, u16, u8)> {
            let raffles = if self.two { vec!["r", "s"] } else { vec!["r"] };
            raffles.into_iter().zip(self.boxed).zip(self.ends).map(|((n, b), e)| (n, b, e))
        }

        /// The witnesses list only tickets they were told of.
        fn close(&self, scene: &mut Scene) {
            for (raffle, bits, end) in self.ends() {
                if end == 0 {
                    scene.say(&format!("void {raffle} no-seal"));
                    continue;
                }
                let told: BTreeSet<_> = scene.facts.iter().filter_map(entry_of).collect();
                let names = (0..self.tickets.len()).map(|n| format!("t{n}"));
                let boxed = names.enumerate().filter(|(n, name)| {
                    bits & (1 << n) != 0 && told.contains(&(id(raffle), id(name)))
                });
                let names: Vec<_> = boxed.map(|(_, name)| name).collect();
                scene.say(&format!("box {raffle} {}", names.join(" ")));
            }
        }

        fn buy_late(&self, scene: &mut Scene) {
            for (n, ticket) in self.late.iter().enumerate() {
                self.buy(scene, &format!("l{n}"), *ticket);
            }
        }

        fn end(&self, scene: &mut Scene) {
            for (raffle, _, end) in self.ends() {
                scene.say(&format!("round {raffle}"));
                match end {
                    0 => {}
                    1 => scene.say(&format!("result-void {raffle} no-beacon")),
                    _ => scene.say(&format!("result {raffle}")),
                }
            }
        }

        /// All of it.
        fn told(&self) -> Scene {
            let mut scene = self.sale();
            self.close(&mut scene);
            self.buy_late(&mut scene);
            self.end(&mut scene);
            scene.settle();
            for sentence in ["ana claims 1 r", "org delivers 2 r", "org publishes draw r"] {
                scene.say(sentence);
            }
            scene
        }
    }

    fn entry_of(fact: &Fact) -> Option<(EventId, EventId)> {
        match fact {
            Fact::Entry { subject, entry, .. } => Some((*subject, *entry)),
            _ => None,
        }
    }

    fn entry_id(entry: &Entry) -> EventId {
        match entry {
            Entry::Raffle(it) => it.id,
            Entry::Ticket(it) => it.id,
            Entry::List(it) => it.id,
            Entry::Draw(it) => it.id,
            Entry::Claim(it) => it.id,
            Entry::Cause(it) => it.id,
        }
    }

    /// Rulings, digest lines and views.
    fn book(drum: &Drum, steps: &[Step]) -> String {
        let rulings = steps.iter().filter_map(|step| match step {
            Step::Entry(entry) => Some((entry_id(entry), drum.ruling(&entry_id(entry)))),
            Step::Fact(_) => None,
        });
        let rulings: BTreeMap<_, _> = rulings.collect();
        let views: Vec<_> =
            drum.raffles(150).iter().map(|line| drum.raffle(&line.id, 150)).collect();
        format!("{rulings:?}\n{:?}\n{views:?}", drum.digest_lines())
    }

    /// Every step once, in an order that the indices choose, and some of them twice.
    fn shuffled(steps: &[Step], order: &[Index]) -> Vec<Step> {
        let mut steps = steps.to_vec();
        let again: Vec<_> = order.iter().take(5).map(|at| at.get(&steps).clone()).collect();
        steps.extend(again);
        for (at, index) in order.iter().enumerate().take(steps.len()) {
            let other = index.index(steps.len());
            steps.swap(at, other);
        }
        steps
    }

    fn orders_of_steps() -> impl Strategy<Value = Vec<Index>> {
        prop::collection::vec(any::<Index>(), 80)
    }

    /// A plain reading of the draw: a list of units, one for each chance.
    fn redrawn(
        tickets: &[(EventId, PublicKey, u32)],
        scope: Scope,
        seed: [u8; 32],
        draws: usize,
    ) -> Vec<EventId> {
        let mut units: Vec<_> = tickets
            .iter()
            .flat_map(|(id, key, quantity)| (0..*quantity).map(|_| (*id, *key)))
            .collect();
        let mut counter = 0_u64;
        let mut winners = Vec::new();
        while winners.len() < draws && !units.is_empty() {
            let block = sha256([seed.as_slice(), &counter.to_be_bytes()].concat());
            counter += 1;
            let value = u128::from_be_bytes(block[..16].try_into().unwrap());
            let n = u128::try_from(units.len()).unwrap();
            // 2^128 mod n, without 2^128.
            let excess = (u128::MAX % n + 1) % n;
            if excess != 0 && value > u128::MAX - excess {
                continue;
            }
            let at = usize::try_from(value % n).unwrap();
            let (id, key) = units[at];
            winners.push(id);
            match scope {
                Scope::Person => units.retain(|unit| unit.1 != key),
                Scope::Ticket => units.retain(|unit| unit.0 != id),
                Scope::Unit => {
                    units.remove(at);
                }
            }
        }
        winners
    }

    fn texts() -> impl Strategy<Value = String> {
        "[a-zA-Z \u{e7}\"\\\\]{0,9}"
    }

    fn keys_of(n: u8) -> PublicKey {
        PublicKey([n; 32])
    }

    /// Terms that hold together, of every kind.
    fn specs() -> impl Strategy<Value = RaffleSpec> {
        let words = (
            prop::collection::vec((texts(), texts()), 0..3),
            texts(),
            prop::collection::vec((texts(), prop::option::of(0..500_u32)), 1..5),
            prop::option::of((texts(), texts())),
        );
        let counts = (
            prop::option::of(1..9_u32),
            0..9_u64,
            prop::option::of(9..99_u64),
            (0..9_u64, 1..9_u64, 0..9_u64),
            (0..3_usize, 0..3_usize, 0..9_u32),
        );
        let money = (
            any::<bool>(),
            prop::collection::btree_map(10..99_u8, 0..WHOLE_BP / 10, 0..4),
            prop::option::of((0..500_u32, 0..500_u32)),
            prop::option::of(0..99_u32),
            prop::option::of(0..99_u32),
        );
        (words, counts, money).prop_map(|(words, counts, money)| {
            let (titles, text, prizes, legal) = words;
            let (max_per_person, min_units, max_units, times, (entropy, scope, reserves)) = counts;
            let (is_priced, to, referral, claim_days, min_age) = money;
            let (opens, open_secs, grace) = times;
            RaffleSpec {
                titles: titles.into_iter().map(|(text, lang)| Title { text, lang }).collect(),
                text,
                prizes: prizes
                    .into_iter()
                    .map(|(text, share_bp)| Prize { text, share_bp })
                    .collect(),
                currency: is_priced.then(currency),
                price: Amount::parse(if is_priced { "2.50" } else { "0" }).unwrap(),
                max_per_person,
                min_units,
                max_units,
                opens,
                closes: opens + open_secs,
                grace,
                entropy: [Entropy::Drand, Entropy::CommitReveal, Entropy::Ceremony][entropy],
                scope: [Scope::Person, Scope::Ticket, Scope::Unit][scope],
                reserves,
                claim_days,
                escrow: is_priced.then(|| keys_of(5)),
                to: to.into_iter().map(|(n, bp)| Share { account: keys_of(n), bp }).collect(),
                referral: referral.map(|(first_bp, second_bp)| Referral { first_bp, second_bp }),
                legal: legal.map(|(country, permit)| Legal { country: country + "GB", permit }),
                min_age,
            }
        })
    }

    fn signed(draft: Draft) -> VerifiedEvent {
        draft.sign(&Keys::from_secret([3; 32]).unwrap(), 77, [0; 32])
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn same_set_same_book(story in stories(any::<bool>()), order in orders_of_steps()) {
            let scene = story.told();
            let mut drum = Drum::new();
            for step in shuffled(&scene.steps, &order) {
                tell(&mut drum, step, &mut Vec::new());
            }
            prop_assert_eq!(book(&drum, &scene.steps), book(&scene.drum, &scene.steps));
        }

        #[test]
        fn counted_stays_counted(story in stories(Just(false)), order in orders_of_steps()) {
            let scene = story.told();
            let mut drum = Drum::new();
            let mut final_rulings = BTreeMap::new();
            for step in shuffled(&scene.steps, &order) {
                tell(&mut drum, step, &mut Vec::new());
                for step in &scene.steps {
                    let Step::Entry(entry) = step else { continue };
                    let id = entry_id(entry);
                    let ruling = drum.ruling(&id);
                    let counts = match ruling {
                        Some(Ruling::Counted) => true,
                        Some(Ruling::Void(_)) => false,
                        _ => {
                            prop_assert!(!final_rulings.contains_key(&id), "{ruling:?}");
                            continue;
                        }
                    };
                    let before = final_rulings.insert(id, counts);
                    prop_assert!(before.is_none_or(|before| before == counts));
                }
            }
        }

        #[test]
        fn anyone_can_redraw(story in stories(any::<bool>()), scope in 0..3_usize) {
            let scope = [Scope::Person, Scope::Ticket, Scope::Unit][scope];
            let mut scene = Scene::new();
            for step in story.told().steps.into_iter().skip(scene.steps.len()) {
                scene.tell(match step {
                    Step::Entry(Entry::Raffle(mut raffle)) => {
                        raffle.spec.scope = scope;
                        Step::Entry(Entry::Raffle(raffle))
                    }
                    other => other,
                });
            }
            for (raffle, ..) in story.ends() {
                let Some(json) = scene.drum.result_json(&id(raffle)) else { continue };
                let result: serde_json::Value = serde_json::from_str(json).unwrap();
                let tickets: Vec<_> = scene
                    .drum
                    .tickets
                    .values()
                    .filter(|it| scene.drum.ruling(&it.entry.id) == Some(Ruling::Counted))
                    .filter(|it| it.entry.raffle == id(raffle))
                    .map(|it| (it.entry.id, it.entry.author, it.entry.quantity))
                    .collect();
                let units: u64 = tickets.iter().map(|(.., quantity)| u64::from(*quantity)).sum();
                prop_assert_eq!(&result["units"], units);
                let seed = hex::decode(result["seed"].as_str().unwrap()).unwrap();
                let prizes = scene.drum.raffles[&id(raffle)].entry.spec.prizes.len();
                let drawn = redrawn(&tickets, scope, seed, prizes + 1);
                let winners = result["winners"].as_array().unwrap().iter();
                let winners = winners.map(|winner| winner["ticket"].clone());
                let reserves = result["reserves"].as_array().unwrap().iter().cloned();
                let listed: Vec<_> = winners.chain(reserves).collect();
                let drawn: Vec<_> = drawn.iter().map(|id| serde_json::json!(id)).collect();
                prop_assert_eq!(listed, drawn);
            }
        }

        #[test]
        fn paid_or_refunded_never_both(story in stories(any::<bool>())) {
            let scene = story.told();
            let mut ids = BTreeSet::new();
            let mut refunded = BTreeSet::new();
            let mut pots = BTreeSet::new();
            for payout in scene.prescribed() {
                prop_assert!(ids.insert(payout.pay), "a payout twice");
                match payout.refund_of {
                    Some(order) => prop_assert!(refunded.insert(order), "a refund twice"),
                    None => {
                        pots.insert(payout.raffle);
                    }
                }
            }
            for raffle in pots {
                let list = scene.drum.list(&raffle).unwrap();
                let orders: BTreeSet<_> =
                    list.sold().values().filter_map(|ticket| ticket.order).collect();
                prop_assert!(orders.is_disjoint(&refunded), "paid and refunded");
            }
        }

        #[test]
        fn the_whole_pot(story in stories(any::<bool>())) {
            let scene = story.told();
            let claimed: i64 = scene.drum.deposits.keys().map(|(order, _)| {
                scene.drum.payments[order].legs[0].minor
            }).sum();
            let out: i64 = scene.prescribed().iter().map(|payout| payout.minor).sum();
            prop_assert_eq!(out, claimed);
            for raffle in scene.drum.raffles.values().filter(|it| it.standing == Standing::Fit) {
                let paid: i64 = raffle.payouts.values().map(|due| due.minor).sum();
                let pot = raffle.list.as_ref().map_or(0, crate::TicketList::pot);
                let due = if scene.drum.is_drawn(raffle) { pot } else { 0 };
                prop_assert_eq!(paid, due);
                let refunds = raffle.refunds.values();
                prop_assert!(refunds.clone().all(|due| matches!(due.purpose, Purpose::Refund(..))));
            }
        }

        #[test]
        fn late_is_late(story in stories(any::<bool>())) {
            let mut scene = story.sale();
            story.close(&mut scene);
            for raffle in story.ends() {
                scene.say(&format!("round {}", raffle.0));
            }
            let fixed = |scene: &Scene| -> Vec<_> {
                let raffles = scene.drum.raffles.keys();
                raffles.map(|raffle| {
                    let list = scene.drum.list(raffle).cloned();
                    (list, scene.drum.result_json(raffle).map(ToOwned::to_owned))
                }).collect()
            };
            let before = fixed(&scene);
            story.buy_late(&mut scene);
            for sentence in ["ana pays late 5.00", "ana buys later 1 r with late", "zoe joins",
                "cyd is age99", "org cancels r"]
            {
                scene.say(sentence);
            }
            prop_assert_eq!(fixed(&scene), before);
            for n in 0..story.late.len() {
                prop_assert_ne!(scene.ruling(&format!("l{n}")), Some(Ruling::Counted));
            }
            prop_assert_ne!(scene.ruling("later"), Some(Ruling::Counted));
        }

        #[test]
        fn read_as_drafted(
            spec in specs(),
            (round, seq, previous) in (0..9_u64, 0..9_u64, prop::option::of(any::<[u8; 32]>())),
            (quantity, says) in (1..9_u32, 0..3_usize),
        ) {
            let (community, charter) = (id("community"), id("charter"));
            let place = Place { community, charter, round, seq, previous: previous.map(EventId) };
            let event = signed(draft::raffle(&spec, &place));
            let Entry::Raffle(raffle) = read(&event).unwrap() else { panic!("no raffle") };
            prop_assert_eq!((&raffle.spec, raffle.place), (&spec, place));
            let json = serde_json::to_string(&spec).unwrap();
            prop_assert_eq!(serde_json::from_str::<RaffleSpec>(&json).unwrap(), spec);

            let order = place.previous;
            let event = signed(draft::ticket(community, raffle.id, quantity, order));
            let Entry::Ticket(ticket) = read(&event).unwrap() else { panic!("no ticket") };
            prop_assert_eq!((ticket.quantity, ticket.order), (quantity, order));
            prop_assert_eq!((ticket.community, ticket.raffle), (community, raffle.id));

            let (said, event) = [
                (Says::Claim(quantity), draft::claim(community, raffle.id, quantity, false)),
                (Says::Delivered(quantity), draft::claim(community, raffle.id, quantity, true)),
                (Says::Cancelled, draft::cancel(community, raffle.id)),
            ][says].clone();
            let Entry::Claim(claim) = read(&signed(event)).unwrap() else { panic!("no claim") };
            prop_assert_eq!((claim.says, claim.raffle), (said, raffle.id));
        }
    }

    #[test]
    fn a_published_list_and_draw_are_read_as_drafted() {
        let scene =
            Scene::of("raffle r; ana pays o 10.00; ana buys t 2 r with o; box r t; round r");
        let (list, json) = (scene.drum.list(&id("r")), scene.drum.result_json(&id("r")));
        let mut drum = scene.drum_again();
        for draft in [
            draft::list(id("charter"), id("r"), list.unwrap()),
            draft::draw(id("charter"), id("r"), json.unwrap()),
        ] {
            let event = signed(draft);
            drum.apply(Drum::read(&event).unwrap(), &mut Vec::new());
            assert_eq!(drum.ruling(&event.id), Some(Ruling::Counted), "{}", event.kind);
        }
        assert_eq!(priced().check(), Ok(()));
        assert!(Drum::read(&signed(Draft::new(kind::NOTE))).is_err());
    }
}
