//! Every refusal by its prefix, and the rules of play in sentences.

use std::sync::Arc;

use ayni_protocol::{Amount, Prefix};
use ayni_witness::{Fact, Payout};
use expect_test::{Expect, expect};

use super::*;
use crate::testing::{
    COMMUNITY, NODE, World, charter, currency, key, keys, play, refusal, rules, scale,
};
use crate::*;

fn check(sentences: &str, expected: &Expect) {
    expected.assert_eq(&play(sentences));
}

/// The witness refuses with this prefix and says this.
fn refuses(verdict: Verdict, prefix: Prefix, says: &str) {
    let rejection = refusal(verdict);
    assert!(rejection.prefix == prefix && rejection.sentence.contains(says), "{rejection}");
}

#[test]
fn a_payment_within_the_limit_is_certified() {
    check(
        "limit 10; ana pays ben 8; ana pays ben 3; ana pays ben 2; ben pays ana 20",
        &expect![[r#"
            ana pays ben 3 -> limit: you have 2.00 left to spend; this payment of 3.00 would pass your limit
            ana 10.00
            ben -10.00
        "#]],
    );
}

#[test]
fn soft_limits_let_through_and_say_so() {
    check(
        "soft; limit 10; ana pays ben 12.50",
        &expect![[r#"
            ana -12.50
            ben 12.50
        "#]],
    );
    let mut world =
        World::with(Rules { enforce: Enforce::Soft, ..rules(key("sol")) }, &["ana", "ben"]);
    let Verdict::Attest(draft) = world.pay("ana", "ben", 1_250) else { panic!() };
    assert_eq!(draft.tags.named("over").next().unwrap().value(), Some("2.50"));
}

#[test]
fn what_was_earned_raises_the_limit() {
    check(
        "limit 10; earn 500000 15; ben pays ana 8; ana pays ben 23; ben pays ana 0.01; \
         ana pays ben 22.02; ana pays ben 22.01",
        &expect![[r#"
            ana pays ben 23 -> limit: you have 22.00 left to spend; this payment of 23.00 would pass your limit
            ana pays ben 22.02 -> limit: you have 22.01 left to spend; this payment of 22.02 would pass your limit
            ana -14.00
            ben 14.00
        "#]],
    );
}

#[test]
fn levies_go_to_the_commons() {
    check(
        "levy payee 20000 commons; levy payer 10000 commons; sol verifies commons; \
         ana pays ben 3; ana pays commons 1; ana pays ben 0.10",
        &expect![[r#"
            ana -4.13
            ben 3.04
            commons 1.09
        "#]],
    );
}

#[test]
fn charges_pass_every_limit() {
    check(
        "limit 10; sol charges ana ben 25; ana pays ben 1; ben pays ana 14.99; ana pays ben 0.01",
        &expect![[r#"
            ana pays ben 1 -> limit: you have 0.00 left to spend; this payment of 1.00 would pass your limit
            ana pays ben 0.01 -> limit: you have 0.00 left to spend; this payment of 0.01 would pass your limit
            ana -10.01
            ben 10.01
        "#]],
    );
}

#[test]
fn suspended_accounts_receive_and_closed_ones_do_not() {
    check(
        "sol suspends ana; ana pays ben 1; ben pays ana 1; sol resumes ana; ana pays ben 1; \
         sol closes ana; ben pays ana 1",
        &expect![[r#"
            ana pays ben 1 -> policy: your account is suspended and can only receive; ask a steward why
            ben pays ana 1 -> policy: the account you pay to is closed or may not receive
            ana 0.00
            ben 0.00
        "#]],
    );
}

#[test]
fn no_verification_no_money() {
    check(
        "require id 5; ana pays ben 5; ana pays ben 5.01; sol verifies ana; ana pays ben 6; \
         sol verifies ben; ben pays ana 6",
        &expect![[r#"
            ana pays ben 5.01 -> policy: payments above 5.00 need your account to be verified (id)
            ana pays ben 6 -> policy: payments above 5.00 need the other account to be verified (id)
            ana 1.00
            ben -1.00
        "#]],
    );
}

#[test]
fn refunds_never_exceed() {
    check(
        "ana pays ben 8; ben refunds ana 5; ben refunds ana 3.01; ben refunds ana 3; ben refunds ana 0.01",
        &expect![[r#"
            ben refunds ana 3.01 -> request: of that payment 3.00 are left to give back
            ben refunds ana 0.01 -> request: of that payment 0.00 are left to give back
            ana 0.00
            ben 0.00
        "#]],
    );
}

#[test]
fn nobody_rises_above_the_maximum() {
    check(
        "limit 10; max 6; ana pays ben 5; ana pays ben 1.01; ana pays ben 1",
        &expect![[r#"
            ana pays ben 1.01 -> limit: with this payment the other account would hold 6.01, more than the 6.00 it may
            ana -6.00
            ben 6.00
        "#]],
    );
}

#[test]
fn locked() {
    let mut world = World::of(&["ana", "ben"]);
    world.learn(charter(EventId([0xc1; 32]), &[NODE, "two"], 2, 0));
    let first = world.rules_id();
    let both = Rules {
        epoch: 1,
        charter: EventId([0xc1; 32]),
        previous: Some(first),
        ..rules(key("sol"))
    };
    world.add("sol", both);
    let (one, two) = (world.order("ana", "ben", 100), world.order("ana", "ben", 200));
    assert!(matches!(world.send("ana", one), Verdict::Attest(_)));
    refuses(world.send("ana", two), Prefix::Locked, "already pending");
}

#[test]
fn locked_by_an_attestation_whose_order_has_not_come() {
    let mut world = World::of(&["ana", "ben"]);
    let order = world.order("ana", "ben", 100);
    let lost = world.sign("ana", order.clone());
    let attestation = world.attest(NODE, &lost);
    world.put(attestation);
    refuses(world.send("ana", order), Prefix::Locked, "already pending");
    assert!(matches!(world.send_event(lost.clone()), Verdict::Attest(_) | Verdict::Already(_)));
}

#[test]
fn missing() {
    let mut world = World::of(&["ana", "ben"]);
    let order = world.order("ana", "ben", 100);
    refuses(world.send("ana", Order { seq: 2, ..order.clone() }), Prefix::Missing, "number 0");
    let mut empty = World::empty();
    refuses(empty.send("ana", order), Prefix::Missing, "rules of this currency");
}

#[test]
fn missing_the_home_witness() {
    let mut world = World::empty();
    world.learn(charter(EventId([0xc1; 32]), &[NODE, "two", "three"], 2, 0));
    world.add("sol", Rules { charter: EventId([0xc1; 32]), ..rules(key("sol")) });
    world.open("ana", |policy| policy.home = Some(key("two")));
    world.open("ben", |_| {});
    let order = world.order("ana", "ben", 100);
    let event = world.sign("ana", order);
    refuses(world.send_event(event.clone()), Prefix::Missing, "home witness");
    let home = world.attest("two", &event);
    world.put(home);
    assert!(matches!(world.send_event(event), Verdict::Attest(_)));
    assert_eq!(world.balance("ben"), 100);
}

#[test]
fn limit() {
    let mut world = World::of(&["ana", "ben"]);
    refuses(world.pay("ana", "ben", 1_001), Prefix::Limit, "you have 10.00 left to spend");
    world.change("ben", |policy| policy.max = Some(Amount { minor: 50, scale: scale() }));
    refuses(world.pay("ana", "ben", 51), Prefix::Limit, "more than the 0.50 it may");
}

#[test]
fn policy() {
    let mut world = World::of(&["ana", "ben"]);
    let order = world.order("ana", "ben", 100);
    refuses(world.send("eve", order.clone()), Prefix::Policy, "no account");
    let mut stray = order;
    stray.legs[0].account = key("eve");
    refuses(world.send("ana", stray), Prefix::Policy, "no account");
    world.change("ana", |policy| _ = policy.can.remove(&Ability::Pay));
    refuses(world.pay("ana", "ben", 100), Prefix::Policy, "may not pay");
    world.change("ben", |policy| _ = policy.can.remove(&Ability::Receive));
    world.change("ana", |policy| _ = policy.can.insert(Ability::Pay));
    refuses(world.pay("ana", "ben", 100), Prefix::Policy, "may not receive");
}

#[test]
fn policy_of_an_account_that_signed_twice() {
    let mut world = World::of(&["ana", "ben"]);
    let (one, two) = (world.order("ana", "ben", 100), world.order("ana", "ben", 200));
    let (one, two) = (world.sign("ana", one), world.sign("ana", two));
    let fraud = Fraud::new(currency(), Case::Order, &one, &two).unwrap();
    let proof = world.add("eve", fraud);
    refuses(world.pay("ana", "ben", 100), Prefix::Policy, "two different payments");
    assert_eq!(world.view("ana").status, Status::Suspended);
    world.change("ana", |policy| _ = policy.causes.insert(proof));
    assert!(matches!(world.pay("ana", "ben", 100), Verdict::Attest(_)));
}

#[test]
fn policy_of_an_escrow_account() {
    let mut world = World::of(&["ana"]);
    world.open("pot", |policy| policy.account_type = AccountType::Escrow);
    world.paid("ana", "pot", 500);
    refuses(world.pay("pot", "ana", 500), Prefix::Policy, "escrow account pays only");
    let payout = Payout {
        raffle: EventId([7; 32]),
        pay: [9; 32],
        currency: currency(),
        escrow: key("pot"),
        to: key("ana"),
        minor: 300,
        refund_of: None,
    };
    let order = world.order("pot", "ana", 300);
    let order = Order { pay: Some([9; 32]), ..order };
    refuses(world.send("pot", order), Prefix::Policy, "escrow account pays only");
    world.learn(Fact::Prescribed(Arc::new(payout.clone())));
    let draft = world.ledger.draft_payout(&payout, &key("pot")).unwrap();
    let event = draft.sign(&keys("pot"), 5_000, [0; 32]);
    assert!(matches!(world.send_event(event), Verdict::Attest(_)));
    assert_eq!(world.balance("pot"), 200);
    assert_eq!(world.ledger.draft_payout(&payout, &key("pot")), None);
    let again = Order {
        pay: Some([9; 32]),
        legs: world.order("pot", "ana", 300).legs,
        ..world.order("pot", "ana", 300)
    };
    refuses(world.send("pot", again), Prefix::Policy, "made already");
    let more = world.order("pot", "ana", 200);
    refuses(world.send("pot", Order { pay: Some([9; 32]), ..more }), Prefix::Policy, "escrow");
}

#[test]
fn epoch() {
    let mut world = World::of(&["ana", "ben"]);
    let old = world.order("ana", "ben", 100);
    let certified = world.paid("ana", "ben", 200);
    let next =
        Rules { epoch: 1, previous: Some(world.rules_id()), limit: 2_000, ..rules(key("sol")) };
    world.add("sol", next);
    refuses(world.send("ana", old), Prefix::Epoch, "sign the payment again");
    let again = world.events.iter().find(|event| event.id == certified).unwrap().clone();
    assert!(matches!(world.send_event(again), Verdict::Already(_)));
    assert!(matches!(world.pay("ana", "ben", 1_700), Verdict::Attest(_)));
}

#[test]
fn amount() {
    let mut world = World::of(&["ana", "ben"]);
    let order = world.order("ana", "ben", 10);
    let one = Order { scale: ayni_protocol::Scale::new(1).unwrap(), ..order.clone() };
    refuses(world.send("ana", one), Prefix::Amount, "exactly 2 decimals");
    let draft = Body::from(order).draft(&COMMUNITY).tag(["leg", &key("ben").to_string(), "1,5"]);
    let event = draft.sign(&keys("ana"), 1, [0; 32]);
    refuses(world.send_event(event), Prefix::Amount, "1,5");
}

#[test]
fn levy() {
    let commons = Levy { side: Side::Payee, ppm: 20_000, account: key("commons") };
    let mut world =
        World::with(Rules { levies: vec![commons], ..rules(key("sol")) }, &["ana", "ben"]);
    world.open("commons", |policy| policy.account_type = AccountType::Community);
    let mut order = world.order("ana", "ben", 300);
    order.legs[1].minor += 1;
    refuses(world.send("ana", order.clone()), Prefix::Levy, "levies");
    order.legs.truncate(1);
    refuses(world.send("ana", order), Prefix::Levy, "levies");
    assert!(matches!(world.pay("ana", "ben", 300), Verdict::Attest(_)));
}

fn ask(payer: Option<&str>, minor: i64) -> Request {
    Request {
        currency: currency(),
        payer: payer.map(key),
        amount: Some(Amount { minor, scale: scale() }),
        expires_at: Some(5_000),
        from: None,
        memo: "bread".into(),
    }
}

fn decline(request: EventId, answer: Answer) -> Decline {
    Decline { currency: currency(), request, answer, from: None, note: String::new() }
}

#[test]
fn request() {
    let mut world = World::of(&["ana", "ben", "eve"]);
    let asked = world.add("ben", ask(Some("ana"), 300));
    let settle = |world: &mut World, payer: &str, payee: &str, minor, request| {
        let order = world.order(payer, payee, minor);
        world.send(payer, Order { request: Some(request), ..order })
    };
    let refused = [
        ("eve", "ben", 300, asked, "addressed to somebody else"),
        ("ana", "eve", 300, asked, "made by somebody else"),
        ("ana", "ben", 200, asked, "is over 3.00, not 2.00"),
        ("ana", "ben", 300, EventId([9; 32]), "not arrived"),
    ];
    for (payer, payee, minor, id, says) in refused {
        refuses(settle(&mut world, payer, payee, minor, id), Prefix::Request, says);
    }
    world.now = 5_001;
    refuses(settle(&mut world, "ana", "ben", 300, asked), Prefix::Request, "expired");
    world.now = 2_000;
    assert!(matches!(settle(&mut world, "ana", "ben", 300, asked), Verdict::Attest(_)));
    refuses(settle(&mut world, "ana", "ben", 300, asked), Prefix::Request, "paid already");
    let declined = world.add("ben", ask(Some("ana"), 300));
    world.add("ana", decline(declined, Answer::Declined));
    refuses(settle(&mut world, "ana", "ben", 300, declined), Prefix::Request, "you declined");
    let cancelled = world.add("ben", ask(None, 300));
    world.add("ben", decline(cancelled, Answer::Cancelled));
    refuses(settle(&mut world, "ana", "ben", 300, cancelled), Prefix::Request, "cancelled");
}

#[test]
fn an_open_code_is_paid_by_anybody_and_often() {
    let mut world = World::of(&["ana", "ben", "eve"]);
    let code = world.add("ben", ask(None, 300));
    for payer in ["ana", "eve", "ana"] {
        let order = Order { request: Some(code), ..world.order(payer, "ben", 300) };
        assert!(matches!(world.send(payer, order), Verdict::Attest(_)));
    }
    let open = world.ledger.open_requests(&currency());
    assert_eq!((open[0].id, open[0].orders.len(), open[0].state), (code, 3, "open"));
}

#[test]
fn request_of_a_refund_that_does_not_fit() {
    let mut world = World::of(&["ana", "ben", "eve"]);
    let given = world.paid("ana", "ben", 300);
    for (payer, payee, refund) in
        [("eve", "ana", given), ("ben", "eve", given), ("ben", "ana", EventId([9; 32]))]
    {
        let order = Order { refund: Some(refund), ..world.order(payer, payee, 100) };
        refuses(world.send(payer, order), Prefix::Request, "no such payment");
    }
}

#[test]
fn seq() {
    let mut world = World::of(&["ana", "ben"]);
    let first = world.order("ana", "ben", 100);
    world.paid("ana", "ben", 200);
    refuses(world.send("ana", first), Prefix::Seq, "number 0 was made already; the next is 1");
    let next = world.order("ana", "ben", 100);
    let astray = Order { previous: world.rules_id(), ..next };
    refuses(world.send("ana", astray), Prefix::Seq, "does not name your last one");
}

#[test]
fn restricted() {
    let mut world = World::of(&["ana", "ben", "eve"]);
    let order = Order { from: Some(key("ana")), ..world.order("ana", "ben", 100) };
    refuses(world.send("eve", order.clone()), Prefix::Restricted, "may not sign");
    world.change("ana", |policy| policy.signers = [key("phone")].into());
    refuses(world.pay("ana", "ben", 100), Prefix::Restricted, "may not sign");
    assert!(matches!(world.send("phone", order), Verdict::Attest(_)));
    assert!(world.ledger.is_signer(&key("phone")) && !world.ledger.is_signer(&key("ana")));
}

#[test]
fn invalid() {
    let mut world = World::of(&["ana", "ben"]);
    let late = Order { until: Some(world.now), ..world.order("ana", "ben", 100) };
    refuses(world.send("ana", late), Prefix::Invalid, "earlier time");
    let order = world.order("ana", "ben", 100);
    let elsewhere = Body::from(order).draft(&EventId([3; 32])).sign(&keys("ana"), 1, [0; 32]);
    refuses(world.send_event(elsewhere), Prefix::Invalid, "another community");
    let request = world.sign("ana", ask(None, 1));
    refuses(world.send_event(request), Prefix::Invalid, "not a transfer order");
}

#[test]
fn an_attested_order_gets_the_same_attestation_again() {
    let mut world = World::of(&["ana", "ben"]);
    let id = world.paid("ana", "ben", 100);
    let event = world.events.iter().find(|event| event.id == id).unwrap().clone();
    world.change("ana", |policy| policy.status = Status::Suspended);
    let attestations = world.ledger.order_state(&id).attestations;
    assert_eq!(world.send_event(event), Verdict::Already(*attestations.first().unwrap()));
}

#[test]
fn a_node_that_is_no_witness_leaves_it_to_others() {
    let mut world = World::of(&["ana", "ben"]);
    let order = world.order("ana", "ben", 100);
    let event = world.sign("ana", order);
    assert_eq!(world.ledger.judge(&event, &key("eve"), 1), Verdict::NotMine);
}

#[test]
fn an_attestation_continues_the_witness_log() {
    let mut world = World::of(&["ana", "ben"]);
    let mut previous = None;
    for index in 0..3 {
        assert_eq!(world.ledger.next_log(&key(NODE)), Log { index, previous });
        let id = world.paid("ana", "ben", 100);
        previous = world.ledger.order_state(&id).attestations.first().copied();
    }
}
