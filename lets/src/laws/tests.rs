//! The laws, each over at least a thousand random cases.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ayni_protocol::{Address, Amount, EventId, Part, PublicKey, Ruling, Scale, kind};
use ayni_witness::{Fact, Leg};
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;

use super::oracle::{Charter, Naive};
use super::pool::{PEOPLE, Piece, ids, pool};
use crate::testing::{
    COMMUNITY, LUZ, Market, NODE, World, cases, charge, charter, currency, key, moon, read, rules,
    scale, sign, told,
};
use crate::*;

/// Hands pieces to a ledger, and what it establishes back to it, as a node's book does.
fn deal(ledger: &mut Ledger, piece: &Piece) -> usize {
    let mut facts = vec![];
    match piece.clone() {
        Piece::Event(entry) => ledger.apply(*entry, &mut facts),
        Piece::Fact(fact) => ledger.learn(&fact, &mut facts),
    }
    let established = facts.len();
    let mut facts = VecDeque::from(facts);
    while let Some(fact) = facts.pop_front() {
        let mut more = vec![];
        ledger.learn(&fact, &mut more);
        facts.extend(more);
    }
    established
}

fn dealt<'a>(pieces: impl IntoIterator<Item = &'a Piece>) -> Ledger {
    let mut ledger = Ledger::default();
    pieces.into_iter().for_each(|piece| _ = deal(&mut ledger, piece));
    ledger
}

fn everything(ledger: &Ledger) -> String {
    told(ledger, &ids(), &PEOPLE.map(key))
}

/// Part of the pool in some order, with some of it twice.
fn hands() -> impl Strategy<Value = Vec<usize>> {
    let count = pool().len();
    let part = prop_oneof![Just(count), 0..=count];
    (Just((0..count).collect::<Vec<_>>()).prop_shuffle(), part, vec(0..count, 0..10)).prop_map(
        |(mut all, part, twice)| {
            all.truncate(part);
            let twice = twice.into_iter().filter(|at| all.contains(at)).collect::<Vec<_>>();
            all.extend(twice);
            all
        },
    )
}

#[test]
fn the_pool_has_some_of_everything() {
    let ledger = dealt(pool());
    let mut reasons = BTreeSet::new();
    let mut counted = BTreeMap::<_, usize>::new();
    for piece in pool() {
        let Piece::Event(entry) = piece else { continue };
        match ledger.ruling(&entry.id).unwrap() {
            Ruling::Counted => *counted.entry(entry.body.kind().0).or_default() += 1,
            Ruling::Void(reason) => _ = reasons.insert(reason),
            Ruling::Waiting(_) => {}
        }
    }
    let cases: BTreeSet<_> = ledger.forks().iter().map(|fork| fork.case).collect();
    let kinds: BTreeSet<_> = Body::KINDS.iter().map(|kind| kind.0).collect();
    let missing: Vec<_> = kinds.difference(&counted.keys().copied().collect()).copied().collect();
    assert!(missing.is_empty(), "{missing:?}");
    let names: Vec<_> = reasons.iter().map(|reason| format!("{reason:?}")).collect();
    assert_eq!(
        names.join(" "),
        "ScaleChanged BrokenChain NotAWitness DiffersFromOrder WrongTarget NotAParty"
    );
    let all = [Case::Order, Case::Attest, Case::Policy, Case::Rules, Case::Charge, Case::Log];
    assert_eq!(cases, all.into());
    assert_ne!(ledger.balances(&currency())[&key("ben")], 0);
    let outcomes: BTreeSet<_> = ids().iter().filter_map(|id| ledger.hold_outcome(id)).collect();
    assert_eq!(outcomes.len(), 3, "{outcomes:?}");
}

proptest! {
    #![proptest_config(cases(1_000))]

    /// SameSetSameBook.
    #[test]
    fn same_set_same_book(hand in hands()) {
        let shuffled = dealt(hand.iter().map(|at| &pool()[*at]));
        let sorted: BTreeSet<_> = hand.iter().copied().collect();
        let sorted = dealt(sorted.iter().map(|at| &pool()[*at]));
        prop_assert_eq!(everything(&shuffled), everything(&sorted));
    }

    /// CountedStaysCounted, and ZeroSum under lies and forks.
    #[test]
    fn counted_stays_counted(hand in hands()) {
        let mut ledger = Ledger::default();
        let mut counted = BTreeSet::new();
        let all = ids();
        for at in hand {
            deal(&mut ledger, &pool()[at]);
            let is_counted = |id: &&EventId| ledger.ruling(id) == Some(Ruling::Counted);
            let now: BTreeSet<_> = all.iter().filter(is_counted).copied().collect();
            prop_assert!(now.is_superset(&counted));
            counted = now;
            for currency in [currency(), moon()] {
                prop_assert_eq!(ledger.balances(&currency).values().sum::<i128>(), 0);
            }
        }
    }

    /// RepeatIsNothing, for the fold.
    #[test]
    fn repeat_is_nothing(hand in hands()) {
        let mut ledger = dealt(hand.iter().map(|at| &pool()[*at]));
        let before = everything(&ledger);
        for at in &hand {
            let established = deal(&mut ledger, &pool()[*at]);
            prop_assert_eq!(established, 0);
        }
        prop_assert_eq!(everything(&ledger), before);
    }
}

/// What members and their community do, right and wrong.
#[derive(Debug, Clone)]
enum Move {
    Pay { from: usize, to: usize, minor: i64, slip: Slip },
    Limit { whom: usize, minor: i64 },
    Status { whom: usize, status: Status },
    Charge { from: usize, to: usize, minor: i64 },
    Rules { limit: i64 },
    Again { back: usize },
    Ask { from: usize, of: Option<usize>, minor: i64 },
    Answer { back: usize, who: usize, declined: bool },
    Settle { back: usize, who: usize, more: i64 },
    Refund { back: usize, minor: i64 },
}

/// What may be wrong with a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slip {
    None,
    Earlier,
    Later,
    Stolen,
    Astray,
    OldRules,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let slip = prop_oneof![
        6 => Just(Slip::None),
        1 => Just(Slip::Earlier),
        1 => Just(Slip::Later),
        1 => Just(Slip::Stolen),
        1 => Just(Slip::Astray),
        1 => Just(Slip::OldRules),
    ];
    let (one, two) = (0..PEOPLE.len(), 1..PEOPLE.len());
    let pair = (one.clone(), two).prop_map(|(one, by)| (one, (one + by) % PEOPLE.len()));
    let status = prop_oneof![2 => Just(Status::Active), 1 => Just(Status::Suspended)];
    let pay = (pair.clone(), 1_i64..900, slip).prop_map(|((from, to), minor, slip)| Move::Pay {
        from,
        to,
        minor,
        slip,
    });
    let charge =
        (pair, 1_i64..500).prop_map(|((from, to), minor)| Move::Charge { from, to, minor });
    vec(
        prop_oneof![
            10 => pay,
            1 => (one.clone(), 0_i64..2_000).prop_map(|(whom, minor)| Move::Limit { whom, minor }),
            1 => (one, status).prop_map(|(whom, status)| Move::Status { whom, status }),
            1 => charge,
            1 => (0_i64..2_000).prop_map(|limit| Move::Rules { limit }),
            2 => (0_usize..4).prop_map(|back| Move::Again { back }),
            3 => (0..PEOPLE.len(), option::of(0..PEOPLE.len()), 1_i64..500)
                .prop_map(|(from, of, minor)| Move::Ask { from, of, minor }),
            2 => (0_usize..3, 0..PEOPLE.len(), any::<bool>())
                .prop_map(|(back, who, declined)| Move::Answer { back, who, declined }),
            3 => (0_usize..3, 0..PEOPLE.len(), prop_oneof![4 => Just(0_i64), 1 => 1_i64..9])
                .prop_map(|(back, who, more)| Move::Settle { back, who, more }),
            3 => (0_usize..3, 1_i64..600).prop_map(|(back, minor)| Move::Refund { back, minor }),
        ],
        1..16,
    )
}

/// A community that plays; every payment that was sent is kept, to be sent again.
struct Play {
    world: World,
    sent: Vec<ayni_protocol::VerifiedEvent>,
    /// Requests: who asks, and for how much.
    asked: Vec<(EventId, usize, i64)>,
    first_rules: EventId,
}

impl Play {
    fn new() -> Self {
        let world = World::of(&PEOPLE);
        let first_rules = world.rules_id();
        Self { world, sent: vec![], asked: vec![], first_rules }
    }

    fn make(&mut self, step: &Move) -> Result<(), TestCaseError> {
        match *step {
            Move::Pay { from, to, minor, slip } => {
                self.pay(PEOPLE[from], PEOPLE[to], minor, slip)?;
            }
            Move::Limit { whom, minor } => {
                let limit = Some(Amount { minor, scale: scale() });
                self.world.change(PEOPLE[whom], |policy| policy.limit = limit);
            }
            Move::Status { whom, status } => {
                self.world.change(PEOPLE[whom], |policy| policy.status = status);
            }
            Move::Charge { from, to, minor } => {
                let (cseq, previous) = self.world.ledger.next_charge_place(&currency()).unwrap();
                let charge = charge(PEOPLE[from], PEOPLE[to], minor);
                self.world.add("sol", Charge { cseq, previous, ..charge });
            }
            Move::Rules { limit } => {
                let (id, now) = self.world.ledger.rules(&currency()).unwrap();
                let next = Rules { epoch: now.epoch + 1, previous: Some(id), limit, ..now.clone() };
                self.world.add("sol", next);
            }
            Move::Again { back } => self.again(back)?,
            Move::Ask { from, of, minor } => self.ask(from, of, minor),
            Move::Answer { back, who, declined } => self.answer(back, who, declined),
            Move::Settle { back, who, more } => self.settle(back, who, more),
            Move::Refund { back, minor } => self.refund(back, minor),
        }
        let sum: i128 = self.world.ledger.balances(&currency()).values().sum();
        prop_assert_eq!(sum, 0);
        Ok(())
    }

    fn pay(&mut self, from: &str, to: &str, minor: i64, slip: Slip) -> Result<(), TestCaseError> {
        let mut order = self.world.order(from, to, minor);
        let mut signer = from;
        match slip {
            Slip::None => {}
            Slip::Earlier => order.seq = order.seq.saturating_sub(1),
            Slip::Later => order.seq += 1,
            Slip::Stolen => {
                signer = to;
                order = order.with(|it| it.from = Some(key(from)));
            }
            Slip::Astray => order.previous = EventId([3; 32]),
            Slip::OldRules => order.epoch = self.first_rules,
        }
        if slip == Slip::Stolen && order.legs[0].account == key(from) {
            return Ok(());
        }
        let event = self.world.sign(signer, order);
        self.sent.push(event.clone());
        let before = told(&self.world.ledger, &[], &PEOPLE.map(key));
        let verdict = self.world.send_event(event);
        let attested = matches!(verdict, Verdict::Attest(_));
        let harmless = matches!(slip, Slip::None | Slip::Earlier | Slip::OldRules);
        prop_assert!(!attested || harmless, "{slip:?} went through");
        if attested {
            let view = self.world.view(from);
            prop_assert!(view.available.minor >= 0, "{from} went beyond the limit: {view:?}");
        } else {
            prop_assert_eq!(told(&self.world.ledger, &[], &PEOPLE.map(key)), before);
        }
        Ok(())
    }

    fn ask(&mut self, from: usize, of: Option<usize>, minor: i64) {
        let payer = of.filter(|of| *of != from).map(|of| key(PEOPLE[of]));
        let amount = (minor % 3 != 0).then_some(Amount { minor, scale: scale() });
        let (currency, memo) = (currency(), String::new());
        let request = Request { currency, payer, amount, expires_at: None, from: None, memo };
        let request = self.world.add(PEOPLE[from], request);
        self.asked.push((request, from, minor));
    }

    fn answer(&mut self, back: usize, who: usize, declined: bool) {
        let Some((request, ..)) = self.asked.iter().rev().nth(back).copied() else { return };
        let answer = if declined { Answer::Declined } else { Answer::Cancelled };
        let (currency, note) = (currency(), String::new());
        self.world.add(PEOPLE[who], Decline { currency, request, answer, from: None, note });
    }

    fn settle(&mut self, back: usize, who: usize, more: i64) {
        let Some((request, to, minor)) = self.asked.iter().rev().nth(back).copied() else { return };
        if who != to {
            let order = self.world.order(PEOPLE[who], PEOPLE[to], minor + more);
            self.world.send(PEOPLE[who], order.with(|it| it.request = Some(request)));
        }
    }

    fn refund(&mut self, back: usize, minor: i64) {
        let Some(given) = self.sent.iter().rev().nth(back).cloned() else { return };
        let Body::Order(order) = Entry::read(&given).unwrap().body else { return };
        let name = |key_of: &PublicKey| PEOPLE.into_iter().find(|name| key(name) == *key_of);
        let (Some(back_to), Some(from)) = (name(&given.pubkey), order.payee().and_then(name))
        else {
            return;
        };
        if back_to != from {
            let refund =
                self.world.order(from, back_to, minor).with(|it| it.refund = Some(given.id));
            self.world.send(from, refund);
        }
    }

    /// A payment that was sent is sent again: the same answer, and nothing changes.
    fn again(&mut self, back: usize) -> Result<(), TestCaseError> {
        let Some(event) = self.sent.iter().rev().nth(back).cloned() else { return Ok(()) };
        let state = self.world.ledger.order_state(&event.id);
        if state.state != view::OrderState::Certified {
            return Ok(());
        }
        let verdict = self.world.send_event(event);
        prop_assert_eq!(verdict, Verdict::Already(*state.attestations.first().unwrap()));
        Ok(())
    }

    fn naive(&self) -> Naive {
        naive(&self.world, vec![oracle_charter(COMMUNITY, &[NODE], 1)])
    }
}

pub fn oracle_charter(id: EventId, witnesses: &[&str], quorum: usize) -> Charter {
    Charter {
        id: id.to_string(),
        community: COMMUNITY.to_string(),
        key: key("sol").to_string(),
        witnesses: witnesses.iter().map(|name| key(name).to_string()).collect(),
        quorum,
    }
}

pub fn naive(world: &World, charters: Vec<Charter>) -> Naive {
    let events = world.events.iter().map(|event| serde_json::from_str(event.json()).unwrap());
    Naive { charters, events: events.collect() }
}

pub fn agrees(world: &World, naive: &Naive, of: &Address) -> Result<(), TestCaseError> {
    let address = of.to_string();
    let theirs = naive.book(&address).into_iter().map(|(key, line)| (key, line.balance()));
    let ours = world.ledger.balances(of).into_iter();
    let ours: Vec<_> = ours.map(|(key, balance)| (key.to_string(), balance)).collect();
    prop_assert_eq!(ours, theirs.collect::<Vec<_>>());
    prop_assert_eq!(world.ledger.currency_root(of), Some(naive.root(&address)));
    let epoch = world.ledger.rules(of).map(|(id, _)| id.to_string());
    prop_assert_eq!(epoch, naive.epoch(&address));
    let book = &world.ledger.books[of];
    let refunded = book.refunded.iter().map(|(order, sum)| (order.to_string(), *sum));
    prop_assert_eq!(refunded.collect::<BTreeMap<_, _>>(), naive.refunded(&address));
    let mut requests = BTreeMap::new();
    for person in world.ledger.balances(of).keys() {
        let views = world.ledger.requests_of(of, person).into_iter();
        requests.extend(views.map(|view| (view.id.to_string(), view.state)));
    }
    prop_assert_eq!(requests, naive.requests(&address));
    Ok(())
}

/// What a witness's word is for, where it is honest: nothing is given back twice or paid twice.
fn kept(world: &World) -> Result<(), TestCaseError> {
    let book = &world.ledger.books[&currency()];
    for (order, sum) in &book.refunded {
        let Body::Order(order) = &world.ledger.known.entry(order).unwrap().body else { panic!() };
        prop_assert!(*sum <= order.total(), "more was given back than paid");
    }
    for (request, asked) in &book.requests {
        let paid = book.answered.get(request).map_or(0, BTreeSet::len);
        prop_assert!(asked.request.payer.is_none() || paid <= 1, "one request, two payments");
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(1_000))]

    /// ZeroSum, NoOneBeyondTheirLimit, OneOrderPerSeat, RepeatIsNothing at the witness, and
    /// OracleAgrees, over whatever members and their community do.
    #[test]
    fn no_one_beyond_their_limit(moves in moves()) {
        let mut play = Play::new();
        for step in &moves {
            play.make(step)?;
        }
        let mut seats = BTreeSet::new();
        for event in play.world.events.iter().filter(|event| event.kind == kind::ORDER) {
            let entry = Entry::read(event).unwrap();
            let Body::Order(order) = &entry.body else { continue };
            prop_assert_eq!(play.world.ruling(event.id), Ruling::Counted);
            prop_assert!(seats.insert((entry.speaker(), order.seq)), "one seat, two orders");
        }
        prop_assert!(play.world.ledger.forks().is_empty());
        kept(&play.world)?;
        agrees(&play.world, &play.naive(), &currency())?;
    }

    /// OracleAgrees, and ZeroSum, where witnesses sign whatever they like.
    #[test]
    fn oracle_agrees(signings in vec((0_usize..4, 0_u64..3, 1_i64..500, any::<[bool; 4]>(), 0_i64..6), 1..8)) {
        const SECOND: EventId = EventId([0xc1; 32]);
        let witnesses = [NODE, "two", "three"];
        let mut world = World::empty();
        world.learn(charter(SECOND, &witnesses, 2, 0));
        world.add("sol", Rules { charter: SECOND, ..rules(key("sol")) });
        for person in &PEOPLE[..3] {
            world.open(person, |_| {});
        }
        for (from, seq, minor, signs, lie) in signings {
            let (payer, payee) = (PEOPLE[from], PEOPLE[(from + 1) % 4]);
            let about = if from == 3 {
                let event = world.sign("sol", Charge { cseq: 0, ..charge("ana", "ben", minor) });
                About::Charge(world.put(event))
            } else {
                let mut order = world.order(payer, "ana", minor);
                order.seq = seq;
                order.legs[0].account = key(payee);
                if seq == 2 {
                    order.scale = Scale::new(1).unwrap();
                }
                let event = world.sign(payer, order);
                world.put(event.clone());
                let entry = Entry::read(&world.attest(NODE, &event)).unwrap();
                let Body::Attestation(Attestation::State(state)) = entry.body else { panic!() };
                state.about
            };
            let epoch = world.rules_id();
            for (witness, _) in witnesses.iter().chain(&["eve"]).zip(signs).filter(|(_, signs)| *signs) {
                let mut about = about.clone();
                if let About::Orders(all) = &mut about {
                    all[0].legs[0].minor += i64::from(lie == 0 && *witness == "two");
                }
                let statement = world.state(witness, epoch, about);
                world.put(statement);
            }
        }
        agrees(&world, &naive(&world, vec![oracle_charter(SECOND, &witnesses, 2)]), &currency())?;
        prop_assert_eq!(world.ledger.balances(&currency()).values().sum::<i128>(), 0);
    }
}

fn people() -> impl Strategy<Value = PublicKey> {
    (0_usize..6).prop_map(|n| key(["ana", "ben", "eve", "ivo", "zoe", "commons"][n]))
}

fn payees() -> impl Strategy<Value = PublicKey> {
    (0_usize..3).prop_map(|n| key(["ben", "eve", "ivo"][n]))
}

fn events() -> impl Strategy<Value = EventId> {
    any::<[u8; 32]>().prop_map(EventId)
}

fn scales() -> impl Strategy<Value = Scale> {
    (0_u8..=6).prop_map(|decimals| Scale::new(decimals).unwrap())
}

fn minors() -> impl Strategy<Value = i64> {
    1..=1_000_000_000_i64
}

fn amounts() -> impl Strategy<Value = Amount> {
    (minors(), scales()).prop_map(|(minor, scale)| Amount { minor, scale })
}

fn words() -> impl Strategy<Value = String> {
    "[a-z0-9 é\"\\\\\n]{0,12}"
}

fn flags() -> impl Strategy<Value = String> {
    "[a-z0-9]{1,8}"
}

fn legs() -> impl Strategy<Value = Vec<Leg>> {
    let leg = (payees(), minors(), prop_oneof![Just(String::new()), Just("levy".into())]);
    vec(leg.prop_map(|(account, minor, purpose)| Leg { account, minor, purpose }), 1..5)
}

fn rules_bodies() -> impl Strategy<Value = Body> {
    let levy = (any::<bool>(), 0_i64..=1_000_000, people()).prop_map(|(payer, ppm, account)| {
        Levy { side: if payer { Side::Payer } else { Side::Payee }, ppm, account }
    });
    let formula =
        (0_i64..3_000_000, minors()).prop_map(|(share_ppm, cap)| Formula { share_ppm, cap });
    let one = (0_u64..3, events(), scales(), any::<bool>(), 0_i64..1_000, option::of(formula));
    let taken =
        (0_i64..=1_000_000, 0_i64..1_000).prop_map(|(ppm, exempt)| Demurrage { ppm, exempt });
    let taken = (option::of(taken), option::of(minors()));
    let two = (option::of(minors()), vec(levy, 0..4), option::of(people()), any::<bool>(), taken);
    (one, two, vec((flags(), minors()), 0..3), words()).prop_map(|(one, two, require, about)| {
        let (epoch, id, scale, hard, limit, formula) = one;
        let (max, levies, treasury, public, (demurrage, fee)) = two;
        let previous = (epoch > 0).then_some(id);
        let enforce = if hard { Enforce::Hard } else { Enforce::Soft };
        let memo = if public { Memo::Public } else { Memo::Private };
        let plain = rules(key("sol"));
        Rules {
            epoch,
            charter: id,
            previous,
            scale,
            enforce,
            limit,
            formula,
            max,
            levies,
            treasury,
            memo,
            require,
            demurrage,
            fee,
            about,
            ..plain
        }
        .into()
    })
}

fn policy_bodies() -> impl Strategy<Value = Body> {
    let word = (0_usize..6, 0_usize..3, btree_set(0_usize..4, 0..4));
    let who = (people(), 1_u64..4, events(), btree_set(people(), 1..4), option::of(people()));
    let rest = (option::of(amounts()), option::of(amounts()), btree_set(flags(), 0..3));
    let last = (option::of(people()), words(), btree_set(events(), 0..3), words());
    (word, who, rest, last).prop_map(|((kind, status, can), who, (limit, max, flags), last)| {
        let (account, version, id, signers, home) = who;
        let (inviter, code, causes, note) = last;
        Policy {
            currency: currency(),
            account,
            version,
            previous: (version > 1).then_some(id),
            account_type: AccountType::ALL[kind],
            status: Status::ALL[status],
            can: can.into_iter().map(|at| Ability::ALL[at]).collect(),
            signers,
            home,
            limit,
            max,
            flags,
            inviter,
            code,
            causes,
            note,
        }
        .into()
    })
}

fn order_bodies() -> impl Strategy<Value = Body> {
    let one = (events(), any::<u64>(), events(), scales(), legs());
    let from = option::of(Just(key("zoe")));
    let two = (from, option::of(any::<u64>()), option::of(events()), option::of(events()));
    let purpose = option::of(words().prop_map(|identifier| Address {
        kind: kind::CAUSE,
        author: key("ben"),
        identifier: identifier.into(),
    }));
    (one, two, purpose, option::of(any::<[u8; 32]>()), words()).prop_map(
        |(
            (epoch, seq, previous, scale, legs),
            (from, until, request, refund),
            purpose,
            pay,
            memo,
        )| {
            let currency = currency();
            Order { currency, epoch, seq, previous, scale, legs, memo, extra: None }
                .with(|it| {
                    *it = Extra { from, until, request, refund, purpose, pay, ..Extra::default() }
                })
                .into()
        },
    )
}

fn slots() -> impl Strategy<Value = Slot> {
    (people(), any::<u64>()).prop_map(|(account, seq)| Slot { currency: moon(), account, seq })
}

fn targets() -> impl Strategy<Value = Target> {
    (people(), amounts()).prop_map(|(account, amount)| Target { currency: moon(), account, amount })
}

/// Holds, commits and void orders; asks, quotes and agreements.
fn trade_bodies() -> impl Strategy<Value = Body> {
    let plain = || crate::testing::order("ben", 100);
    let held = (slots(), option::of(events())).prop_map(move |(slot, quote)| {
        plain()
            .with(|it| {
                it.hold = Some(slot);
                it.quote = quote;
            })
            .into()
    });
    let committed = (events(), option::of(events())).prop_map(move |(hold, quote)| {
        plain()
            .with(|it| {
                it.commit = Some(hold);
                it.quote = quote;
            })
            .into()
    });
    let void = (events(), any::<u64>())
        .prop_map(|(epoch, seq)| Order::void(currency(), epoch, seq, epoch).into());
    let asked = (people(), targets(), option::of(people()))
        .prop_map(|(clearing, to, from)| Ask { currency: currency(), clearing, to, from }.into());
    let quoted = (people(), amounts(), targets(), slots(), any::<u64>(), option::of(events()));
    let quoted = quoted.prop_map(|(payer, amount, to, slot, until, ask)| {
        Quote { currency: currency(), payer, amount, to, slot, until, ask }.into()
    });
    let agreed = (people(), amounts(), 1..=1_000_000_000_i64, 1..=1_000_000_000_i64, words());
    let agreed = agreed.prop_map(|(clearing, limit, here, there, about)| {
        let (currency, with) = (currency(), moon());
        Agreement { currency, with, clearing, limit, here, there, about }.into()
    });
    prop_oneof![held, committed, void, asked, quoted, agreed]
}

/// A resolution, with the order and attestation it proves by.
fn resolution_bodies() -> impl Strategy<Value = Body> {
    (any::<bool>(), events()).prop_map(|(posts, hold)| {
        static MARKET: std::sync::OnceLock<(Market, EventId)> = std::sync::OnceLock::new();
        let (market, held) = MARKET.get_or_init(|| {
            let mut market = Market::new();
            let held = market.held(450);
            market.step();
            market.duties(LUZ);
            (market, held)
        });
        market.resolution(if posts { *held } else { hold }, 0).unwrap().into()
    })
}

fn attestation_bodies() -> impl Strategy<Value = Body> {
    let repeat = (
        events(),
        people(),
        people(),
        any::<u64>(),
        scales(),
        legs(),
        events(),
        option::of(amounts()),
    );
    let repeat = repeat.prop_map(|(order, payer, payee, seq, scale, legs, policy, over)| Repeat {
        order,
        payer,
        payee,
        seq,
        scale,
        legs,
        policy,
        over,
    });
    let all = vec(repeat, 1..4).prop_filter("each order once", |all| {
        all.iter().map(|it| it.order).collect::<BTreeSet<_>>().len() == all.len()
    });
    let about = prop_oneof![
        all.prop_map(About::Orders),
        events().prop_map(About::Policy),
        events().prop_map(About::Charge),
        Just(About::Close),
    ];
    let state = (about, events(), 0_u64..3, events()).prop_map(|(about, epoch, index, id)| {
        let log = Log { index, previous: (index > 0).then_some(id) };
        Attestation::State(Box::new(Statement { currency: currency(), epoch, log, about }))
    });
    prop_oneof![4 => state, 1 => events().prop_map(|act| Attestation::Approve { act })]
        .prop_map(Body::from)
}

fn charge_bodies() -> impl Strategy<Value = Body> {
    let lines = vec((people(), minors()), 1..5);
    (lines, scales(), 0_u64..3, events(), 0_usize..7, words()).prop_map(
        |(debits, scale, cseq, id, cause, note)| {
            let total = debits.iter().map(|(_, minor)| minor).sum();
            let credits = vec![(key("commons"), total)];
            let previous = (cseq > 0).then_some(id);
            let cause = Cause::ALL[cause];
            let basis = (cseq == 2).then_some(id);
            Charge {
                currency: currency(),
                cseq,
                previous,
                cause,
                scale,
                debits,
                credits,
                basis,
                note,
            }
            .into()
        },
    )
}

fn small_bodies() -> impl Strategy<Value = Body> {
    let shown = ("[a-z]{1,8}", words(), words(), words(), scales(), option::of(events()), words());
    let shown = shown.prop_map(|(slug, name, code, symbol, scale, rules, about)| {
        Currency { slug, name, code, symbol, scale, rules, about }.into()
    });
    let asked = (
        option::of(people()),
        option::of(amounts()),
        option::of(any::<u64>()),
        option::of(people()),
        words(),
    );
    let asked = asked.prop_map(|(payer, amount, expires_at, from, memo)| {
        Request { currency: currency(), payer, amount, expires_at, from, memo }.into()
    });
    let declined = (events(), any::<bool>(), option::of(people()), words());
    let declined = declined.prop_map(|(request, declined, from, note)| {
        let answer = if declined { Answer::Declined } else { Answer::Cancelled };
        Decline { currency: currency(), request, answer, from, note }.into()
    });
    let checked = (any::<[u8; 32]>(), any::<u64>(), any::<u64>(), amounts());
    let checked = checked.prop_map(|(root, accounts, orders, volume)| {
        Checkpoint { currency: currency(), root, accounts, orders, volume: volume.to_string() }
            .into()
    });
    let marks = vec((0_i64..=1_000_000, words()), 1..4);
    let rated = (events(), people(), marks, option::of(people()), words());
    let rated = rated.prop_map(|(order, about, marks, from, note)| {
        Rating { order, about, marks, from, note }.into()
    });
    prop_oneof![shown, asked, declined, checked, rated]
}

/// Two orders for one number, or two statements at one place of a log.
fn fraud_bodies() -> impl Strategy<Value = Body> {
    (minors(), any::<bool>()).prop_map(|(minor, log)| {
        let order =
            |by| sign("ana", Order { seq: 1, ..crate::testing::order("ben", minor + by) }, 1);
        if !log {
            return Fraud::new(currency(), Case::Order, &order(0), &order(1)).unwrap().into();
        }
        let state = |about| {
            let log = Log { index: 0, previous: None };
            let statement = Statement { currency: currency(), epoch: EventId([1; 32]), log, about };
            sign(NODE, Attestation::State(Box::new(statement)), 1)
        };
        let (one, two) = (state(About::Close), state(About::Policy(EventId([1; 32]))));
        Fraud::new(currency(), Case::Log, &one, &two).unwrap().into()
    })
}

proptest! {
    #![proptest_config(cases(3_000))]

    /// WrittenAsRead, for every kind.
    #[test]
    fn written_as_read(body in prop_oneof![
        rules_bodies(),
        policy_bodies(),
        order_bodies(),
        attestation_bodies(),
        charge_bodies(),
        small_bodies(),
        fraud_bodies(),
        trade_bodies(),
        resolution_bodies(),
    ]) {
        prop_assert_eq!(read(body.clone()).map(|entry| entry.body), Ok(body));
    }
}

/// A fact that came before is not established again.
#[test]
fn certificates_are_told_once() {
    let mut told = 0;
    let mut ledger = Ledger::default();
    for piece in pool().iter().chain(pool().iter().rev()) {
        let mut facts = vec![];
        match piece.clone() {
            Piece::Event(entry) => ledger.apply(*entry, &mut facts),
            Piece::Fact(fact) => ledger.learn(&fact, &mut facts),
        }
        told += facts.iter().filter(|fact| matches!(fact, Fact::Certified(_))).count();
    }
    let orders = [currency(), moon()].map(|of| ledger.currency(&of).unwrap().totals.orders);
    assert_eq!(u64::try_from(told).unwrap(), orders.iter().sum::<u64>());
}
