//! Growing and changing hands, without losing a payment or making one.

use std::collections::BTreeSet;
use std::sync::Arc;

use ayni_protocol::{Part as _, PublicKey, Rejection, VerifiedEvent, kind};
use ayni_witness::{Decision, Fact, Instance, Value};

use crate::testing::{NODE, World, charter, currency, key, keys, refusal, rules};
use crate::*;

use super::*;

const FIRST: EventId = EventId([0xc1; 32]);
const SECOND: EventId = EventId([0xc2; 32]);
const FOUR: [&str; 4] = ["one", "two", "three", "four"];

/// A community of these witnesses, `quorum` of whom certify, with accounts of ana, ben and eve.
fn council(witnesses: &[&str], quorum: usize) -> World {
    let mut world = World::empty();
    world.learn(charter(FIRST, witnesses, quorum, 0));
    world.add("sol", Rules { charter: FIRST, ..rules(key("sol")) });
    for person in ["ana", "ben", "eve"] {
        world.open(person, |_| {});
    }
    world.now += 1_000; // home witnesses had their time
    world
}

/// New rules under a charter of these witnesses; nobody has closed the old ones yet.
fn succeed(world: &mut World, witnesses: &[&str], quorum: usize) {
    world.learn(charter(SECOND, witnesses, quorum, 0));
    let previous = Some(world.rules_id());
    let epoch = world.ledger.rules(&currency()).unwrap().1.epoch + 1;
    let next = Rules { epoch, previous, charter: SECOND, ..rules(key("sol")) };
    let event = world.sign("sol", next);
    world.put(event);
}

/// These witnesses close, and decide that their closes hold.
fn close(world: &mut World, witnesses: &[&str]) {
    say_close(world, witnesses);
    for owed in world.ledger.handovers(&key(witnesses[0])) {
        decide(world, owed.rules, owed.closes);
    }
}

fn decide(world: &mut World, subject: EventId, closes: BTreeSet<EventId>) {
    let digest = ayni_witness::digest::closes_digest(subject, &closes);
    let value = Value::Closes(Arc::new(closes));
    let decision = Decision { subject, instance: Instance::Handover, value, digest };
    world.learn(Fact::Decided(Arc::new(decision)));
}

fn say_close(world: &mut World, witnesses: &[&str]) {
    for witness in witnesses {
        let ready = world.ledger.next_close(&key(witness)).unwrap();
        let draft = ready.draft(world.ledger.next_log(&key(witness)));
        world.put(draft.sign(&keys(witness), world.now, [0; 32]));
        assert!(world.ledger.next_close(&key(witness)).is_none(), "closed is closed");
    }
}

fn signs(world: &mut World, payer: &str, payee: &str, minor: i64) -> VerifiedEvent {
    let order = world.order(payer, payee, minor);
    world.sign(payer, order)
}

/// What a witness that has this much patience says, an hour after the order was signed.
fn asks(world: &World, witness: &str, order: &VerifiedEvent) -> Verdict {
    world.ledger.judge(order, &key(witness), world.now + 3_600)
}

/// Has a witness attest an order, which it must.
fn attests(world: &mut World, witness: &str, order: &VerifiedEvent) {
    let Verdict::Attest(ready) = asks(world, witness, order) else {
        panic!("{witness}: {:?}", asks(world, witness, order));
    };
    if world.ledger.ruling(&order.id).is_none() {
        world.put(order.clone());
    }
    let draft = ready.draft(world.ledger.next_log(&key(witness)));
    let event = draft.sign(&keys(witness), world.now, [0; 32]);
    world.put(event);
}

fn refuses(world: &World, witness: &str, order: &VerifiedEvent, why: &Refusal) {
    assert_eq!(refusal(asks(world, witness, order)), Rejection::from(why.clone()), "{witness}");
}

fn state(world: &World, order: &VerifiedEvent) -> view::OrderState {
    world.ledger.order_state(&order.id).state
}

fn counts(world: &World, order: &VerifiedEvent) -> bool {
    state(world, order) == view::OrderState::Certified
}

#[test]
fn rules_not_opened() {
    let mut world = World::of(&["ana", "ben"]);
    world.paid("ana", "ben", 300);
    succeed(&mut world, &FOUR, 3);
    let order = signs(&mut world, "ben", "ana", 100);
    let waits = |world: &World| refuses(world, "one", &order, &Refusal::RulesNotOpened);
    waits(&world);
    assert!(matches!(asks(&world, "one", &order), Verdict::Later(_)), "it passes by itself");
    close(&mut world, &[NODE]);
    for witness in &FOUR[..2] {
        attests(&mut world, witness, &order);
    }
    assert!(!counts(&world, &order), "two of four are no quorum");
    attests(&mut world, "four", &order);
    assert_eq!((world.balance("ana"), world.balance("ben")), (-200, 200));
}

#[test]
fn a_witness_that_lacks_what_the_old_ones_signed_waits() {
    let mut world = World::of(&["ana", "ben"]);
    world.paid("ana", "ben", 300);
    let paid = world.events.len() - 2;
    succeed(&mut world, &FOUR, 3);
    close(&mut world, &[NODE]);
    for missing in [paid, paid + 1] {
        // Another node, which the order or its attestation has not reached.
        let mut other = World::empty();
        other.learn(charter(SECOND, &FOUR, 3, 0));
        for (at, event) in world.events.iter().enumerate() {
            if at != missing {
                other.put(event.clone());
            }
        }
        other.now = world.now;
        let order = signs(&mut other, "ben", "ana", 1);
        refuses(&other, "one", &order, &Refusal::RulesNotOpened);
        other.put(world.events[missing].clone());
        attests(&mut other, "one", &order);
    }
}

#[test]
fn earlier_first() {
    let mut world = council(&FOUR, 3);
    let first = signs(&mut world, "ana", "ben", 300);
    for witness in ["one", "two"] {
        attests(&mut world, witness, &first);
    }
    succeed(&mut world, &["one", "two", "three", "four", "five"], 4);
    close(&mut world, &FOUR[..3]);
    let again = signs(&mut world, "ana", "eve", 300);
    for witness in ["three", "five"] {
        refuses(&world, witness, &again, &Refusal::EarlierFirst);
    }
    assert_eq!(state(&world, &first), view::OrderState::Attested, "it is carried over");
    for witness in ["one", "three", "five"] {
        attests(&mut world, witness, &first);
        assert!(!counts(&world, &first), "signatures of two epochs do not add up");
    }
    attests(&mut world, "two", &first);
    assert!(counts(&world, &first));
    assert_eq!((world.balance("ben"), world.balance("eve")), (300, 0));
    assert!(world.ledger.forks().is_empty(), "to carry over is no fork");
}

#[test]
fn place_frozen() {
    let mut world = council(&FOUR, 3);
    let [one, two] = [("ben", 300), ("eve", 400)].map(|to| signs(&mut world, "ana", to.0, to.1));
    for (witnesses, order) in [(["one", "two"], &one), (["three", "four"], &two)] {
        witnesses.iter().for_each(|witness| attests(&mut world, witness, order));
    }
    succeed(&mut world, &FOUR, 3);
    close(&mut world, &FOUR);
    let again = signs(&mut world, "ana", "ben", 1);
    refuses(&world, "one", &again, &Refusal::PlaceFrozen);
}

#[test]
fn what_can_no_more_be_certified_frees_its_place() {
    let mut world = council(&FOUR[..3], 2);
    let [one, two] = [("ben", 300), ("eve", 400)].map(|to| signs(&mut world, "ana", to.0, to.1));
    attests(&mut world, "one", &one);
    attests(&mut world, "two", &two);
    refuses(&world, "one", &two, &Refusal::PlaceTaken);
    succeed(&mut world, &FOUR[..3], 2);
    let mut without_three = world.clone();
    close(&mut without_three, &FOUR[..2]);
    let again = signs(&mut without_three, "ana", "ben", 1);
    refuses(&without_three, "three", &again, &Refusal::PlaceFrozen);
    // Where everyone's close holds, what one of three signed is certified by nobody.
    close(&mut world, &FOUR[..3]);
    for witness in ["one", "two"] {
        attests(&mut world, witness, &again);
    }
    assert!(counts(&world, &again));
    assert_eq!(world.balance("ana"), -1);
}

/// Of four witnesses one attested a payment, and three of them closed. Were each to go by the
/// closes that it knows, some would carry the payment over and others have it signed anew.
#[test]
fn everybody_goes_by_the_closes_that_were_decided() {
    let mut world = council(&FOUR, 3);
    let order = signs(&mut world, "ana", "ben", 300);
    attests(&mut world, "one", &order);
    succeed(&mut world, &FOUR, 3);
    say_close(&mut world, &FOUR);
    let owed = world.ledger.handovers(&key("two")).remove(0);
    assert_eq!((owed.closes.len(), owed.since), (4, world.now));
    refuses(&world, "two", &order, &Refusal::RulesNotOpened);
    for (closes, carries) in
        [(owed.closes.iter().take(3).copied().collect(), None), (owed.closes.clone(), Some(false))]
    {
        let mut world = world.clone();
        let by_one =
            |id: &EventId| world.events.iter().any(|it| it.id == *id && it.pubkey == key("one"));
        let carries = carries.unwrap_or_else(|| BTreeSet::iter(&closes).any(by_one));
        decide(&mut world, owed.rules, closes);
        for witness in FOUR {
            if carries {
                assert!(matches!(asks(&world, witness, &order), Verdict::Attest(_)), "{witness}");
            } else {
                refuses(&world, witness, &order, &Refusal::RulesChanged);
            }
        }
        assert!(world.ledger.handovers(&key("two")).is_empty());
    }
}

#[test]
fn a_certificate_that_comes_late_counts() {
    let mut world = council(&FOUR, 3);
    let order = signs(&mut world, "ana", "ben", 300);
    for witness in ["one", "two"] {
        attests(&mut world, witness, &order);
    }
    let late = world.attest("three", &order);
    succeed(&mut world, &["five"], 1);
    close(&mut world, &["one", "two", "four"]);
    assert!(!counts(&world, &order));
    world.put(late);
    assert!(counts(&world, &order));
    assert_eq!(world.ledger.currency(&currency()).unwrap().totals.sum.minor, 0);
}

#[test]
fn an_unsigned_order_of_old_rules_is_signed_again() {
    let mut world = council(&FOUR, 3);
    let order = signs(&mut world, "ana", "ben", 300);
    world.put(order.clone());
    assert_eq!(state(&world, &order), view::OrderState::Waiting);
    succeed(&mut world, &FOUR, 3);
    assert_eq!(state(&world, &order), view::OrderState::Waiting, "it may yet be carried over");
    close(&mut world, &FOUR);
    refuses(&world, "one", &order, &Refusal::RulesChanged);
    assert_eq!(state(&world, &order), view::OrderState::Lapsed);
    let again = signs(&mut world, "ana", "ben", 300);
    attests(&mut world, "one", &again);
    assert_eq!(state(&world, &again), view::OrderState::Attested);
    assert!(world.ledger.forks().is_empty(), "to sign again under new rules is no fork");
}

#[test]
fn acknowledgements_and_charges_go_on_under_new_rules() {
    let mut world = council(&FOUR, 3);
    let (id, policy) = world.ledger.latest_policy(&currency(), &key("ana")).unwrap();
    let lowered = Policy { status: Status::Suspended, ..policy.next(id) };
    let lowered = world.sign("sol", lowered);
    world.put(lowered);
    let charge = world.sign("sol", crate::testing::charge("ana", "ben", 50));
    let charge = world.put(charge);
    for witness in ["one", "two"] {
        world.duties(witness);
    }
    succeed(&mut world, &["one", "two", "five"], 2);
    close(&mut world, &["three", "one", "two"]);
    for witness in ["one", "two", "five"] {
        world.duties(witness);
    }
    assert_eq!(world.view("ana").status, Status::Suspended);
    assert!(world.ledger.is_counted(&charge));
}

#[test]
fn accounts_spread_over_the_witnesses_and_an_absent_home_is_not_waited_for_for_ever() {
    let mut world = council(&FOUR, 3);
    let Fact::Charter(seats) = charter(FIRST, &FOUR, 3, 0) else { panic!("a charter") };
    let home = seats.home_of(&key("ana")).unwrap();
    let other = FOUR.into_iter().find(|witness| key(witness) != home).unwrap();
    let order = signs(&mut world, "ana", "ben", 10);
    let at = |secs| world.ledger.judge(&order, &key(other), order.created_at + secs);
    assert!(matches!(at(29), Verdict::Later(_)));
    assert!(matches!(at(30), Verdict::Attest(_)));
    let homes: std::collections::BTreeSet<PublicKey> =
        (0..40_u8).filter_map(|n| seats.home_of(&key(&n.to_string()))).collect();
    assert_eq!(homes.len(), 4);
}

#[test]
fn a_fork_is_proven_once_both_sides_were_attested() {
    let mut world = council(&FOUR, 3);
    let [one, two] = [("ben", 300), ("eve", 400)].map(|to| signs(&mut world, "ana", to.0, to.1));
    world.put(one.clone());
    world.put(two.clone());
    attests(&mut world, "one", &one);
    assert_eq!(world.ledger.unproven(&key("one"), 0), [], "an accident that harmed nobody");
    attests(&mut world, "two", &two);
    let [conflict] = &world.ledger.unproven(&key("one"), 0)[..] else { panic!("one conflict") };
    assert_eq!((conflict.case, conflict.events.contains(&one.id)), (Case::Order, true));
    assert_eq!(world.ledger.unproven(&key("ben"), 0), [], "witnesses publish proofs");
    let proof = Fraud::new(conflict.currency.clone(), conflict.case, &one, &two).unwrap();
    let proof = world.sign("one", proof);
    world.put(proof);
    assert_eq!(world.ledger.unproven(&key("two"), 0), [], "once is enough");
    assert_eq!(world.view("ana").status, Status::Suspended);
}

#[test]
fn a_witness_that_attests_twice_is_proven() {
    let mut world = council(&FOUR, 3);
    let [one, two] = [("ben", 300), ("eve", 400)].map(|to| signs(&mut world, "ana", to.0, to.1));
    world.put(one.clone());
    world.put(two.clone());
    let said = [&one, &two].map(|order| world.attest("four", order));
    said.iter().for_each(|event| _ = world.put(event.clone()));
    let found = world.ledger.unproven(&key("one"), 0);
    let cases: Vec<_> = found.iter().map(|conflict| conflict.case).collect();
    // It wrote both at one place of its log as well, and by that the payer's fork was attested.
    assert_eq!(cases, [Case::Order, Case::Attest, Case::Log]);
    for conflict in found {
        let [a, b] = conflict
            .events
            .map(|id| world.events.iter().find(|event| event.id == id).unwrap().clone());
        let proof = Fraud::new(conflict.currency, conflict.case, &a, &b).unwrap();
        let proof = world.sign("one", proof);
        let proof = world.put(proof);
        assert!(world.ledger.is_counted(&proof), "{:?}", conflict.case);
    }
    assert_eq!(world.ledger.unproven(&key("two"), 0), []);
}

/// Attestations of two members' first payments are no fork, and do not hide one.
#[test]
fn every_account_has_its_own_places() {
    let mut world = council(&FOUR, 3);
    let ours = [("ben", 300), ("eve", 400)].map(|to| signs(&mut world, "ana", to.0, to.1));
    let theirs = [("ana", 1), ("eve", 2)].map(|to| signs(&mut world, "ben", to.0, to.1));
    for order in [&theirs[0], &ours[0], &ours[1]] {
        world.put(order.clone());
        let said = world.attest("four", order);
        world.put(said);
    }
    let found = world.ledger.unproven(&key("one"), 0);
    let said = found.iter().find(|conflict| conflict.case == Case::Attest).unwrap();
    let [a, b] = said.events.map(|id| world.events.iter().find(|it| it.id == id).unwrap().clone());
    assert!(Fraud::new(currency(), Case::Attest, &a, &b).is_ok(), "a proof of it can be written");
}

/// The next duty of a witness, if it is to sign this checkpoint.
fn confirms(world: &World, witness: &str, said: &Checkpoint) -> bool {
    let Some(draft) = world.ledger.next_duty(&key(witness), 0) else { return false };
    let entry = Entry::read(&draft.sign(&keys(witness), 1, [0; 32])).unwrap();
    matches!(&entry.body, Body::Checkpoint(own) if **own == *said)
}

#[test]
fn witnesses_sign_a_checkpoint_of_another_that_says_what_their_book_says() {
    let mut world = council(&FOUR, 3);
    let order = signs(&mut world, "ana", "ben", 300);
    FOUR[..3].iter().for_each(|witness| attests(&mut world, witness, &order));
    assert!(counts(&world, &order));
    let said = world.ledger.checkpoint(&currency()).unwrap();
    assert!(!FOUR.iter().any(|witness| confirms(&world, witness, &said)), "somebody begins");
    // What the book does not say, and what no witness says, is confirmed by nobody.
    let lies = [
        Checkpoint { root: [9; 32], ..said.clone() },
        Checkpoint { accounts: 9, ..said.clone() },
        Checkpoint { orders: 9, ..said.clone() },
        Checkpoint { volume: "9.00".into(), ..said.clone() },
    ];
    for lie in lies {
        let mut world = world.clone();
        let lie = world.sign("two", lie);
        world.put(lie);
        assert_eq!(world.ledger.next_duty(&key("one"), 0), None);
    }
    let stranger = world.sign("ben", said.clone());
    world.put(stranger);
    assert_eq!(world.ledger.next_duty(&key("one"), 0), None);

    let first = world.sign("one", said.clone());
    world.put(first.clone());
    assert!(confirms(&world, "two", &said) && !confirms(&world, "one", &said));
    world.duties("two");
    assert_eq!(world.ledger.certified_roots(&currency()), [].into(), "two of four");
    world.duties("three");
    assert_eq!(world.ledger.certified_roots(&currency()), [said.root].into());
    FOUR.iter().for_each(|witness| world.duties(witness));
    let by: BTreeSet<_> = world.ledger.books[&currency()].checkpoints[&said.root].clone();
    assert_eq!(by, FOUR.map(key).into());
    let signed = world.events.iter().filter(|event| event.kind == kind::CHECKPOINT);
    assert_eq!(signed.count(), 5, "each once, and the stranger");
    // Once the book has moved on, an old checkpoint is confirmed no more.
    assert!(world.ledger.next_duty(&key("four"), 0).is_none());
}

#[test]
fn a_witness_that_lacks_something_confirms_a_checkpoint_once_it_has_come() {
    let mut world = council(&FOUR, 3);
    let order = signs(&mut world, "ana", "ben", 300);
    FOUR[..3].iter().for_each(|witness| attests(&mut world, witness, &order));
    let last = world.events.len() - 1;
    let said = world.ledger.checkpoint(&currency()).unwrap();
    let first = world.sign("one", said.clone());
    world.put(first);
    let mut late = World::empty();
    late.learn(charter(FIRST, &FOUR, 3, 0));
    let missing = world.events[last].clone();
    for event in world.events.iter().filter(|event| event.id != missing.id) {
        late.put(event.clone());
    }
    assert!(!confirms(&late, "four", &said));
    late.put(missing);
    assert!(confirms(&late, "four", &said));
    // One that has gone on does not look back.
    let more = signs(&mut world, "ben", "ana", 100);
    FOUR[..3].iter().for_each(|witness| attests(&mut world, witness, &more));
    assert!(counts(&world, &more) && !confirms(&world, "four", &said));
}
