//! What counts and what does not: every reason by its name, and how the parts of the fold meet.

use ayni_protocol::{Amount, Draft, Premise, Scale};
use expect_test::expect;

use super::*;
use crate::testing::{
    COMMUNITY, NODE, World, charge, charter, currency, key, keys, rules, scale, sign,
};
use crate::*;

const VOID: fn(Reason) -> Ruling<Reason> = Ruling::Void;
const SECOND: EventId = EventId([0xc1; 32]);

/// A world with three witnesses of whom two decide, and accounts of ana and ben.
fn three() -> World {
    let mut world = World::empty();
    world.learn(charter(SECOND, &[NODE, "two", "three"], 2, 0));
    world.add("sol", Rules { charter: SECOND, ..rules(key("sol")) });
    for person in ["ana", "ben"] {
        world.open(person, |_| {});
    }
    world
}

fn one_decimal(minor: i64) -> Amount {
    Amount { minor, scale: Scale::new(1).unwrap() }
}

#[test]
fn amount_not_canonical() {
    let mut world = World::of(&["ana", "ben"]);
    let order = Order { scale: Scale::new(1).unwrap(), ..world.order("ana", "ben", 10) };
    let order = world.sign("ana", order);
    let attestation = world.attest(NODE, &order);
    let (order, attestation) = (world.put(order), world.put(attestation));
    assert_eq!(world.ruling(order), VOID(Reason::AmountNotCanonical));
    assert_eq!(world.ruling(attestation), VOID(Reason::AmountNotCanonical));
    let policy = world.open("eve", |policy| policy.limit = Some(one_decimal(5)));
    assert_eq!(world.ruling(policy), VOID(Reason::AmountNotCanonical));
    let booked = Charge { scale: Scale::new(0).unwrap(), ..charge("ana", "ben", 5) };
    let booked = world.add("sol", booked);
    assert_eq!(world.ruling(booked), VOID(Reason::AmountNotCanonical));
    assert_eq!(world.balance("ben"), 0);
}

#[test]
fn scale_changed() {
    let mut world = World::of(&[]);
    let first = Some(world.rules_id());
    let coarse = Rules { scale: Scale::new(0).unwrap(), limit: 10, ..rules(key("sol")) };
    let id = world.add("sol", Rules { epoch: 1, previous: first, ..coarse });
    assert_eq!(world.ruling(id), VOID(Reason::ScaleChanged));
    let shown = |decimals| Currency {
        slug: "hour".into(),
        name: "Hour".into(),
        code: String::new(),
        symbol: "h".into(),
        scale: Scale::new(decimals).unwrap(),
        rules: first,
        about: String::new(),
    };
    let wrong = world.add("sol", shown(3));
    let right = world.add("sol", shown(2));
    assert_eq!(world.ruling(wrong), VOID(Reason::ScaleChanged));
    assert_eq!(world.ruling(right), Ruling::Counted);
    assert_eq!(world.ledger.currency(&currency()).unwrap().symbol, "h");
}

#[test]
fn foreign() {
    let mut world = World::of(&["ana", "ben"]);
    let order = Body::from(world.order("ana", "ben", 10));
    let elsewhere = order.draft(&EventId([9; 32])).sign(&keys("ana"), 1, [0; 32]);
    let elsewhere = world.put(elsewhere);
    assert_eq!(world.ruling(elsewhere), VOID(Reason::Foreign));
    let other = world.add("sol", rules(key("eve")));
    assert_eq!(world.ruling(other), VOID(Reason::Foreign), "eve's key is not this community's");
    let minutes = Address { identifier: "minute".into(), ..currency() };
    world.add("sol", Rules { currency: minutes.clone(), ..rules(key("sol")) });
    let (id, policy) = world.ledger.latest_policy(&currency(), &key("ana")).unwrap();
    let next = Policy { currency: minutes, ..policy.next(id) };
    let next = world.add("sol", next);
    assert_eq!(world.ruling(next), VOID(Reason::Foreign));
}

#[test]
fn not_allowed() {
    let mut world = World::of(&["ana"]);
    let rules = world.add("eve", rules(key("sol")));
    assert_eq!(world.ruling(rules), VOID(Reason::NotAllowed));
    let (id, policy) = world.ledger.latest_policy(&currency(), &key("ana")).unwrap();
    let suspended = Policy { status: Status::Suspended, ..policy.next(id) };
    let by_steward = world.add("sole", suspended);
    assert_eq!(world.ruling(by_steward), VOID(Reason::NotAllowed), "no everyday act");
    let booked = world.add("sole", charge("ana", "ben", 5));
    assert_eq!(world.ruling(booked), VOID(Reason::NotAllowed));
}

#[test]
fn broken_chain() {
    let mut world = World::of(&["ana"]);
    let (id, policy) = world.ledger.latest_policy(&currency(), &key("ana")).unwrap();
    let leap = Policy { version: 3, ..policy.next(id) };
    let leap = world.add("sol", leap);
    assert_eq!(world.ruling(leap), VOID(Reason::BrokenChain));
    let leap = Rules { epoch: 2, previous: Some(world.rules_id()), ..rules(key("sol")) };
    let leap = world.add("sol", leap);
    assert_eq!(world.ruling(leap), VOID(Reason::BrokenChain));
}

#[test]
fn not_a_witness() {
    let mut world = World::of(&["ana", "ben"]);
    let order = world.order("ana", "ben", 10);
    let order = world.sign("ana", order);
    let attestation = world.attest("eve", &order);
    let (order, attestation) = (world.put(order), world.put(attestation));
    assert_eq!(world.ruling(attestation), VOID(Reason::NotAWitness));
    assert_eq!(world.ruling(order), Ruling::Waiting(Premise::Attestations));
}

#[test]
fn differs_from_order() {
    let mut world = World::of(&["ana", "ben"]);
    let order = world.order("ana", "ben", 10);
    let more = Order { legs: world.order("ana", "ben", 11).legs, ..order.clone() };
    let (more, order) = (sign("ana", more, 7), world.sign("ana", order));
    let mut lie = Entry::read(&world.attest(NODE, &more)).unwrap();
    let Body::Attestation(Attestation::State(statement)) = &mut lie.body else { panic!() };
    let About::Orders(all) = &mut statement.about else { panic!() };
    let repeat = &mut all[0];
    repeat.order = order.id;
    let (order, lie) = (world.put(order), world.sign(NODE, lie.body));
    let lie = world.put(lie);
    assert_eq!(world.ruling(lie), VOID(Reason::DiffersFromOrder));
    assert_eq!(world.ruling(order), Ruling::Waiting(Premise::Attestations));
}

/// Of a statement about several orders each counts by itself.
#[test]
fn nobodys_payment_rests_on_anothers() {
    let mut world = World::of(&["ana", "ben", "eve", "ivo"]);
    let orders = ["ana", "ben", "eve"].map(|payer| {
        let order = world.order(payer, "ivo", 10);
        world.sign(payer, order)
    });
    let [ana, ben, eve] = &orders;
    let mut said = Entry::read(&world.attest_all(NODE, &[ana, ben, eve])).unwrap();
    let Body::Attestation(Attestation::State(statement)) = &mut said.body else { panic!() };
    let About::Orders(all) = &mut statement.about else { panic!() };
    all[1].legs[0].minor += 1;
    let said = world.sign(NODE, said.body);
    world.put(ana.clone());
    world.put(ben.clone());
    let said = world.put(said);
    assert_eq!(world.ruling(ana.id), Ruling::Counted);
    assert_eq!(
        world.ruling(ben.id),
        Ruling::Waiting(Premise::Attestations),
        "it is not what ben said"
    );
    assert_eq!(world.ruling(said), Ruling::Counted, "for ana");
    world.put(eve.clone());
    assert_eq!((world.ruling(eve.id), world.ruling(said)), (Ruling::Counted, Ruling::Counted));
    assert_eq!(world.balance("ivo"), 20);
    assert_eq!(world.ledger.order_state(&ana.id).attestations, [said].into());
}

/// A witness's two statements at one place of a payer are a fork, whatever else they say.
#[test]
fn a_fork_among_many_orders_is_proven() {
    let mut world = World::of(&["ana", "ben", "eve"]);
    let of = |world: &mut World, payer: &str, minor| {
        let order = world.order(payer, "eve", minor);
        world.sign(payer, order)
    };
    let (ben, ana) = (of(&mut world, "ben", 5), of(&mut world, "ana", 6));
    let other = of(&mut world, "ana", 7);
    let one = world.attest_all(NODE, &[&ben, &ana]);
    let two = world.attest_all(NODE, &[&other]);
    let proof = Fraud::new(currency(), Case::Attest, &one, &two).unwrap();
    assert_eq!(proof.place, (key(NODE), 0));
    let same = world.attest_all(NODE, &[&ana]);
    assert!(Fraud::new(currency(), Case::Attest, &one, &same).is_err(), "they say the same");
}

/// One statement names an order once, and no more than readers take.
#[test]
fn statements_are_bounded() {
    let mut world = World::of(&["ana", "ben"]);
    let order = world.order("ana", "ben", 5);
    let order = world.sign("ana", order);
    assert!(Entry::read(&world.attest_all(NODE, &[&order, &order])).is_err());
    let orders: Vec<_> = (0..17)
        .map(|minor| {
            let order = world.order("ana", "ben", minor + 1);
            world.sign("ana", order)
        })
        .collect();
    let all: Vec<_> = orders.iter().collect();
    assert!(Entry::read(&world.attest_all(NODE, &all[..16])).is_ok());
    assert!(Entry::read(&world.attest_all(NODE, &all)).is_err());
}

#[test]
fn wrong_target() {
    let mut world = World::of(&["ana", "ben"]);
    let rules = world.rules_id();
    for about in [About::Policy(rules), About::Charge(rules)] {
        let statement = world.state(NODE, rules, about);
        let id = world.put(statement);
        assert_eq!(world.ruling(id), VOID(Reason::WrongTarget));
    }
    let order = world.order("ana", "ben", 10);
    let (policy, _) = world.ledger.latest_policy(&currency(), &key("ana")).unwrap();
    let astray = world.add("ana", Order { epoch: policy, ..order });
    assert_eq!(world.ruling(astray), VOID(Reason::WrongTarget));
    let paid = world.paid("ana", "ben", 10);
    let attestation = *world.ledger.order_state(&paid).attestations.first().unwrap();
    let rating = world.add("ana", rating(attestation, "ben"));
    assert_eq!(world.ruling(rating), VOID(Reason::WrongTarget));
}

fn rating(order: EventId, about: &str) -> Rating {
    let marks = vec![(900_000, String::new())];
    Rating { order, about: key(about), marks, from: None, note: "on time".into() }
}

#[test]
fn not_a_party() {
    let mut world = World::of(&["ana", "ben", "eve"]);
    let paid = world.paid("ana", "ben", 10);
    for (author, about) in [("eve", "ben"), ("ana", "eve"), ("ana", "ana")] {
        let id = world.add(author, rating(paid, about));
        assert_eq!(world.ruling(id), VOID(Reason::NotAParty));
    }
    let right = world.add("ben", rating(paid, "ana"));
    assert_eq!(world.ruling(right), Ruling::Counted);
    assert_eq!(world.ledger.ratings_of(&currency(), &key("ana")).len(), 1);
    let request = Request {
        currency: currency(),
        payer: Some(key("ana")),
        amount: None,
        expires_at: None,
        from: None,
        memo: String::new(),
    };
    let request = world.add("ben", request);
    let answer = Answer::Declined;
    let decline =
        Decline { currency: currency(), request, answer, from: None, note: String::new() };
    let meddler = world.add("eve", decline);
    assert_eq!(world.ruling(meddler), VOID(Reason::NotAParty));
}

#[test]
fn every_reason_has_its_sentence() {
    let sentences: BTreeSet<_> = Reason::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(sentences.len(), Reason::ALL.len());
}

#[test]
fn a_certificate_needs_enough_distinct_witnesses() {
    let mut world = three();
    let order = world.order("ana", "ben", 300);
    let order = world.sign("ana", order);
    let id = world.put(order.clone());
    for witness in [NODE, NODE] {
        let attestation = world.attest(witness, &order);
        world.put(attestation);
        assert_eq!(world.ruling(id), Ruling::Waiting(Premise::Attestations));
    }
    assert_eq!(world.ledger.order_state(&id).state, view::OrderState::Attested);
    let attestation = world.attest("three", &order);
    world.put(attestation);
    assert_eq!(world.ruling(id), Ruling::Counted);
    assert_eq!((world.balance("ana"), world.balance("ben")), (-300, 300));
    let certified = |fact: &&Fact| matches!(fact, Fact::Certified(payment) if payment.order == id);
    assert_eq!(world.facts.iter().filter(certified).count(), 1);
}

#[test]
fn attestations_of_different_epochs_make_no_certificate() {
    let mut world = three();
    let order = world.order("ana", "ben", 300);
    let order = world.sign("ana", order);
    let first = world.rules_id();
    let id = world.put(order.clone());
    let next = Rules { epoch: 1, previous: Some(first), charter: SECOND, ..rules(key("sol")) };
    let next = world.add("sol", next);
    let attestation = world.attest(NODE, &order);
    world.put(attestation);
    let mut late = Entry::read(&world.attest("two", &order)).unwrap().body;
    let Body::Attestation(Attestation::State(statement)) = &mut late else { panic!() };
    statement.epoch = next;
    let late = world.add("two", late);
    assert_eq!(world.ruling(late), Ruling::Counted, "later witnesses may carry it over");
    assert_eq!(world.ruling(id), Ruling::Waiting(Premise::Attestations));
    let order = world.order("ben", "ana", 100);
    let order = world.sign("ben", order);
    world.put(order.clone());
    let mut early = Entry::read(&world.attest(NODE, &order)).unwrap().body;
    let Body::Attestation(Attestation::State(statement)) = &mut early else { panic!() };
    statement.epoch = first;
    let early = world.add(NODE, early);
    assert_eq!(world.ruling(early), VOID(Reason::DiffersFromOrder));
}

#[test]
fn acts_wait_for_their_approvals() {
    let mut world = World::empty();
    let strict = EventId([0xc2; 32]);
    let mut ledger = Ledger::default();
    ledger.learn(&charter(strict, &[NODE], 1, 2), &mut vec![]);
    let rules = world.sign("sol", Rules { charter: strict, ..rules(key("sol")) });
    ledger.apply(Entry::read(&rules).unwrap(), &mut vec![]);
    assert_eq!(ledger.ruling(&rules.id), Some(Ruling::Waiting(Premise::Approval)));
    let mut facts = vec![];
    for steward in ["sole", "eve", "zoe"] {
        let approval = sign(steward, Attestation::Approve { act: rules.id }, 1);
        ledger.apply(Entry::read(&approval).unwrap(), &mut facts);
    }
    assert_eq!(ledger.ruling(&rules.id), Some(Ruling::Counted));
    assert_eq!(facts.iter().filter(|f| matches!(f, Fact::Approved { .. })).count(), 3);
    let mandated = world.sign("sol", charge("ana", "ben", 5));
    ledger.apply(Entry::read(&mandated).unwrap(), &mut vec![]);
    assert_eq!(ledger.ruling(&mandated.id), Some(Ruling::Waiting(Premise::Approval)));
    let mandate = Fact::Mandated { act: mandated.id, community: COMMUNITY };
    ledger.learn(&mandate, &mut vec![]);
    assert_eq!(ledger.ruling(&mandated.id), Some(Ruling::Waiting(Premise::Earlier)));
}

#[test]
fn a_steward_opens_and_raises_and_does_nothing_else() {
    let mut world = World::of(&[]);
    let open = world.add("sole", Policy::open(currency(), key("ana")));
    assert_eq!(world.ruling(open), Ruling::Counted);
    let policy = Policy::open(currency(), key("ana")).next(open);
    let limit = |minor| Some(Amount { minor, scale: scale() });
    let raised = Policy { limit: limit(2_000), ..policy.clone() };
    let raised = world.add("sole", raised);
    assert_eq!(world.ruling(raised), Ruling::Counted);
    assert_eq!(world.view("ana").limit.to_string(), "20.00");
    let below_the_default = Policy { limit: limit(500), ..policy };
    let below = world.add("zoe", below_the_default);
    assert_eq!(world.ruling(below), Ruling::Waiting(Premise::Approval));
    let easier =
        Rules { epoch: 1, previous: Some(world.rules_id()), limit: 500, ..rules(key("sol")) };
    world.add("sol", easier);
    assert_eq!(world.ruling(below), Ruling::Counted, "some rules have so low a default");
}

#[test]
fn lowering_binds_once_witnesses_acknowledged_it() {
    let mut world = three();
    let lower = |policy: &mut Policy| policy.limit = Some(Amount { minor: 100, scale: scale() });
    let (id, policy) = world.ledger.latest_policy(&currency(), &key("ana")).unwrap();
    let mut lowered = policy.next(id);
    lower(&mut lowered);
    let event = world.sign("sol", lowered);
    let lowered = world.put(event);
    assert_eq!(world.ruling(lowered), Ruling::Counted);
    assert_eq!(world.view("ana").limit.to_string(), "10.00");
    world.duties(NODE);
    assert_eq!(world.view("ana").limit.to_string(), "10.00", "others may not have heard");
    assert!(matches!(world.pay("ana", "ben", 101), Verdict::Refuse(_)), "but this one has");
    world.duties("three");
    assert_eq!(world.view("ana").limit.to_string(), "1.00");
    assert_eq!(world.ledger.next_duty(&key("two"), 0), None, "enough have acknowledged it");
}

#[test]
fn charges_count_in_their_order_and_once_a_witness_signed() {
    let mut world = World::of(&["ana", "ben"]);
    let later = Charge { cseq: 1, previous: Some(EventId([7; 32])), ..charge("ana", "ben", 9) };
    let later = world.add("sol", later);
    assert_eq!(world.ruling(later), Ruling::Waiting(Premise::Attestations));
    assert!(matches!(world.ledger.judge_charge(&later, &key(NODE)), Verdict::Refuse(_)));
    let first = world.add("sol", charge("ana", "ben", 5));
    assert_eq!(world.ruling(first), Ruling::Counted);
    assert_eq!(world.ruling(later), Ruling::Waiting(Premise::Attestations), "another chain");
    let rival = world.add("sol", charge("ben", "ana", 5));
    assert_eq!(world.ruling(rival), Ruling::Waiting(Premise::Attestations));
    assert!(matches!(world.ledger.judge_charge(&rival, &key(NODE)), Verdict::Refuse(_)));
    let second = Charge { cseq: 1, previous: Some(first), ..charge("ben", "ana", 2) };
    let second = world.add("sol", second);
    assert_eq!(world.ruling(second), Ruling::Counted);
    assert_eq!((world.balance("ana"), world.balance("ben")), (-3, 3));
    assert_eq!(world.ledger.next_charge_place(&currency()), Some((2, Some(second))));
}

#[test]
fn an_order_waits_for_accounts_that_are_not_open() {
    let mut world = World::of(&["ana", "ben"]);
    let order =
        Order { legs: world.order("ana", "ben", 300).legs, ..world.order("ana", "ben", 300) };
    let mut to_eve = order;
    to_eve.legs[0].account = key("eve");
    let order = world.sign("ana", to_eve);
    let attestation = world.attest(NODE, &order);
    world.put(attestation);
    let id = world.put(order);
    assert_eq!(world.ruling(id), Ruling::Waiting(Premise::Earlier));
    world.open("eve", |_| {});
    assert_eq!(world.ruling(id), Ruling::Counted);
    assert_eq!(world.balance("eve"), 300);
}

/// A cut between an order and its attestation, or an order that came from a peer.
#[test]
fn an_order_without_its_attestation_is_attested_as_a_duty() {
    let mut world = World::of(&["ana", "ben"]);
    let fair = world.sign("ana", world.order("ana", "ben", 300));
    let beyond = world.sign("ben", world.order("ben", "ana", 999_999));
    let (fair, beyond) = (world.put(fair), world.put(beyond));
    assert_eq!(world.ruling(fair), Ruling::Waiting(Premise::Attestations));
    world.duties(NODE);
    assert_eq!(world.ruling(fair), Ruling::Counted);
    assert_eq!(world.ruling(beyond), Ruling::Waiting(Premise::Attestations));
    assert_eq!(world.balance("ben"), 300);
    assert_eq!(world.ledger.next_duty(&key(NODE), 0), None, "each order is attested once");
}

#[test]
fn a_witness_cannot_pay_from_an_account_that_did_not_sign() {
    let mut world = World::of(&["ana", "ben"]);
    let order = world.order("ana", "ben", 300).with(|it| it.from = Some(key("ana")));
    let theft = world.sign("eve", order);
    let attestation = world.attest(NODE, &theft);
    world.put(attestation);
    let id = world.put(theft);
    assert_eq!(world.ruling(id), Ruling::Waiting(Premise::Earlier));
    assert_eq!(world.balance("ana"), 0);
}

#[test]
fn a_fork_is_named_and_both_certified_orders_count() {
    let mut world = World::of(&["ana", "ben"]);
    let (one, two) = (world.order("ana", "ben", 100), world.order("ana", "ben", 200));
    for order in [one, two] {
        let order = world.sign("ana", order);
        let attestation = world.attest(NODE, &order);
        world.put(order);
        world.put(attestation);
    }
    assert_eq!(world.balance("ben"), 300, "recovery never deletes a certificate");
    assert_eq!(world.view("ana").next_seq, 1);
    let cases: Vec<_> = world.ledger.forks().iter().map(|fork| fork.case).collect();
    assert_eq!(cases, [Case::Order, Case::Attest]);
    let (id, _) = world.ledger.latest_policy(&currency(), &key("ana")).unwrap();
    for limit in [5, 6] {
        let limit = Some(Amount { minor: limit, scale: scale() });
        let next = Policy { limit, ..Policy::open(currency(), key("ana")).next(id) };
        world.add("sol", next);
    }
    let lowest =
        world.ledger.forks().iter().find(|f| f.case == Case::Policy).unwrap().events.clone();
    assert_eq!(Some(&world.view("ana").policy), lowest.first());
}

#[test]
fn two_statements_at_one_place_of_a_log_are_a_fork() {
    let mut world = World::of(&["ana"]);
    let (policy, _) = world.ledger.latest_policy(&currency(), &key("ana")).unwrap();
    let epoch = world.rules_id();
    let (one, two) =
        (world.state(NODE, epoch, About::Policy(policy)), world.state(NODE, epoch, About::Close));
    let ids = BTreeSet::from([world.put(one), world.put(two)]);
    let forks = world.ledger.forks();
    assert_eq!((forks[0].case, &forks[0].events), (Case::Log, &ids));
    let proof = {
        let [one, two] = [0, 1].map(|back| world.events[world.events.len() - 1 - back].clone());
        Fraud::new(currency(), Case::Log, &one, &two).unwrap()
    };
    let proof = world.add("eve", proof);
    assert_eq!(world.ledger.fraud_proofs(&currency()), [proof].into());
}

#[test]
fn a_proof_of_two_events_that_do_not_conflict_is_malformed() {
    let world = World::of(&["ana", "ben"]);
    let one = sign("ana", world.order("ana", "ben", 100), 1);
    let other = sign("ben", world.order("ana", "ben", 100), 1);
    for (left, right) in [(&one, &one), (&one, &other)] {
        assert!(Fraud::new(currency(), Case::Order, left, right).is_err());
    }
    let forged =
        format!("[{},{}]", one.json(), one.json().replace("\"seq\",\"0\"", "\"seq\",\"1\""));
    let draft = Draft::new(ayni_protocol::kind::FRAUD)
        .tag(["h", &COMMUNITY.to_string()])
        .tag(["a", &currency().to_string()])
        .tag(["case", "order-fork"])
        .content(forged);
    assert!(matches!(crate::testing::read_draft(draft), Err(Malformed::BadContent(_))));
}

#[test]
fn checkpoints_are_certified_by_equal_roots() {
    let mut world = three();
    let checkpoint = world.ledger.checkpoint(&currency()).unwrap();
    for witness in [NODE, "eve", NODE] {
        world.add(witness, checkpoint.clone());
        assert!(world.ledger.certified_roots(&currency()).is_empty());
    }
    world.add("two", checkpoint.clone());
    assert_eq!(world.ledger.certified_roots(&currency()), [checkpoint.root].into());
    assert_eq!(world.ledger.currency_root(&currency()), Some(checkpoint.root));
}

#[test]
fn the_digest_line_is_the_root_of_every_currency() {
    let world = World::of(&["ana"]);
    let root = ayni_protocol::hex::encode(&world.ledger.currency_root(&currency()).unwrap());
    assert_eq!(world.ledger.digest_lines(), [format!("currency|{}|{root}", currency())]);
}

#[test]
fn superseded_versions_of_the_currency_change_nothing() {
    let shown = |name: &str| Currency {
        slug: "hour".into(),
        name: name.into(),
        code: "HRS".into(),
        symbol: String::new(),
        scale: scale(),
        rules: None,
        about: String::new(),
    };
    let mut all = World::of(&["ana"]);
    let mut newest = World::of(&["ana"]);
    all.put(sign("sol", shown("Old Hour"), 2_000));
    for world in [&mut all, &mut newest] {
        world.put(sign("sol", shown("Hour"), 2_001));
    }
    assert_eq!(all.ledger.currency(&currency()), newest.ledger.currency(&currency()));
    assert_eq!(all.ledger.digest_lines(), newest.ledger.digest_lines());
    assert_eq!(all.ledger.currency(&currency()).unwrap().name, "Hour");
}

#[test]
fn a_statement_runs_to_the_balance() {
    let commons = Levy { side: Side::Payee, ppm: 20_000, account: key("commons") };
    let mut world =
        World::with(Rules { levies: vec![commons], ..rules(key("sol")) }, &["ana", "ben"]);
    world.open("commons", |policy| policy.account_type = AccountType::Community);
    world.add("sol", charge("commons", "ana", 150));
    world.paid("ana", "ben", 500);
    let order = world.order("ben", "ana", 50);
    world.send("ben", Order { memo: "eggs".into(), ..order });
    let told = |person: &str| {
        let lines = world.ledger.statement_of(&currency(), &key(person), 0, u64::MAX);
        let line = |line: statement::Line| {
            format!("{} {} {} {} {}\n", line.what, line.amount, line.levy, line.balance, line.memo)
        };
        lines.into_iter().map(line).collect::<String>()
    };
    expect![[r#"
        charge 1.50 0.00 1.50 
        payment -5.00 0.10 -3.50 
        payment 0.49 0.00 -3.01 eggs
    "#]]
    .assert_eq(&told("ana"));
    expect![[r#"
        charge -1.50 0.00 -1.50 
        payment 0.10 0.10 -1.40 
        payment 0.01 0.01 -1.39 eggs
    "#]]
    .assert_eq(&told("commons"));
    assert_eq!(world.view("ana").balance.to_string(), "-3.01");
}

#[test]
fn totals_and_members_add_up() {
    let mut world = World::of(&["ana", "ben"]);
    world.paid("ana", "ben", 500);
    let totals = world.ledger.currency(&currency()).unwrap().totals;
    expect![[r#"{"accounts":2,"orders":1,"volume":"5.00","sum":"0.00","max_credit":"20.00","credit_out":"5.00"}"#]]
        .assert_eq(&serde_json::to_string(&totals).unwrap());
    assert_eq!(world.ledger.members(COMMUNITY).count(), 2);
    assert_eq!(world.ledger.members(EventId([1; 32])).count(), 0);
    assert_eq!(world.ledger.accounts_of(&key("ana")).count(), 1);
    let ana = serde_json::to_value(world.view("ana")).unwrap();
    assert_eq!((&ana["balance"], &ana["type"]), (&"-5.00".into(), &"member".into()));
}
