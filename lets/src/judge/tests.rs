//! Every refusal by its prefix, and the rules of play in sentences.

use std::sync::Arc;

use ayni_protocol::{Amount, Prefix, Scale};
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

/// The witness refuses for this reason.
fn refuses(verdict: Verdict, why: &Refusal) {
    assert_eq!(refusal(verdict), Rejection::from(why.clone()));
}

fn money(minor: i128) -> Money {
    Money::new(minor, scale())
}

fn amount(minor: i64) -> Option<Amount> {
    Some(Amount { minor, scale: scale() })
}

fn certifies(verdict: &Verdict) {
    assert!(matches!(verdict, Verdict::Attest(_)), "{verdict:?}");
}

/// Accounts of ana, ben and eve, and the usual rules.
fn three() -> World {
    World::of(&["ana", "ben", "eve"])
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
    let Verdict::Attest(ready) = world.pay("ana", "ben", 1_250) else { panic!() };
    let draft = ready.draft(Log { index: 0, previous: None });
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
fn misshapen() {
    let mut world = three();
    let order = world.order("ana", "ben", 10);
    let draft = Body::from(order).draft(&COMMUNITY).tag(["leg", &key("ben").to_string(), "1,5"]);
    let event = draft.sign(&keys("ana"), 1, [0; 32]);
    let malformed = Entry::read(&event).unwrap_err();
    let rejection = refusal(world.send_event(event));
    assert_eq!(rejection, Refusal::Misshapen(malformed).into());
    assert_eq!(rejection.prefix, Prefix::Amount);
}

#[test]
fn not_an_order() {
    let mut world = three();
    let request = world.sign("ana", ask(None, 1));
    refuses(world.send_event(request), &Refusal::NotAnOrder);
}

#[test]
fn rules_unknown() {
    let order = three().order("ana", "ben", 100);
    refuses(World::empty().send("ana", order), &Refusal::RulesUnknown);
    let mut world = three();
    let newer = Order { epoch: EventId([9; 32]), ..world.order("ana", "ben", 100) };
    refuses(world.send("ana", newer), &Refusal::RulesUnknown);
}

#[test]
fn rules_changed() {
    let mut world = three();
    let old = world.order("ana", "ben", 100);
    let certified = world.paid("ana", "ben", 200);
    let next =
        Rules { epoch: 1, previous: Some(world.rules_id()), limit: 2_000, ..rules(key("sol")) };
    world.add("sol", next);
    refuses(world.send("ana", old), &Refusal::RulesChanged);
    let again = world.events.iter().find(|event| event.id == certified).unwrap().clone();
    assert!(matches!(world.send_event(again), Verdict::Already(_)));
    certifies(&world.pay("ana", "ben", 1_700));
}

#[test]
fn other_community() {
    let mut world = three();
    let order = world.order("ana", "ben", 100);
    let elsewhere = Body::from(order).draft(&EventId([3; 32])).sign(&keys("ana"), 1, [0; 32]);
    refuses(world.send_event(elsewhere), &Refusal::OtherCommunity);
}

#[test]
fn wrong_decimals() {
    let mut world = three();
    let one = Order { scale: Scale::new(1).unwrap(), ..world.order("ana", "ben", 10) };
    refuses(world.send("ana", one), &Refusal::WrongDecimals(2));
}

#[test]
fn no_account() {
    let mut world = World::of(&["ana", "ben"]);
    let order = world.order("ana", "ben", 100);
    refuses(world.send("eve", order), &Refusal::NoAccount);
}

#[test]
fn may_not_sign() {
    let mut world = three();
    let order = world.order("ana", "ben", 100).with(|it| it.from = Some(key("ana")));
    refuses(world.send("eve", order.clone()), &Refusal::MayNotSign);
    world.change("ana", |policy| policy.signers = [key("phone"), key("tablet")].into());
    refuses(world.pay("ana", "ben", 100), &Refusal::MayNotSign);
    certifies(&world.send("phone", order));
    let next = world.order("ana", "ben", 50).with(|it| it.from = Some(key("ana")));
    certifies(&world.send("tablet", next));
    assert!(world.ledger.is_signer(&key("phone")) && !world.ledger.is_signer(&key("ana")));
}

#[test]
fn account_closed() {
    let mut world = three();
    world.change("ana", |policy| policy.status = Status::Closed);
    refuses(world.pay("ana", "ben", 100), &Refusal::AccountClosed);
}

#[test]
fn account_suspended() {
    let mut world = three();
    world.change("ana", |policy| policy.status = Status::Suspended);
    refuses(world.pay("ana", "ben", 100), &Refusal::AccountSuspended);
    certifies(&world.pay("ben", "ana", 100));
}

#[test]
fn account_forked() {
    let mut world = three();
    let (one, two) = (world.order("ana", "ben", 100), world.order("ana", "ben", 200));
    let (one, two) = (world.sign("ana", one), world.sign("ana", two));
    let fraud = Fraud::new(currency(), Case::Order, &one, &two).unwrap();
    let proof = world.add("eve", fraud);
    refuses(world.pay("ana", "ben", 100), &Refusal::AccountForked);
    assert_eq!(world.view("ana").status, Status::Suspended);
    world.change("ana", |policy| _ = policy.causes.insert(proof));
    certifies(&world.pay("ana", "ben", 100));
}

#[test]
fn may_not_pay() {
    let mut world = three();
    world.change("ana", |policy| _ = policy.can.remove(&Ability::Pay));
    refuses(world.pay("ana", "ben", 100), &Refusal::MayNotPay);
    world.change("ana", |policy| _ = policy.can.insert(Ability::Pay));
    certifies(&world.pay("ana", "ben", 100));
}

/// A pot with 5.00 of ana's, of which a raffle prescribes 3.00 back.
fn pot() -> (World, Payout) {
    let mut world = three();
    world.open("pot", |policy| policy.account_type = AccountType::Escrow);
    world.paid("ana", "pot", 500);
    let payout = Payout {
        raffle: EventId([7; 32]),
        pay: [9; 32],
        currency: currency(),
        escrow: key("pot"),
        to: key("ana"),
        minor: 300,
        refund_of: None,
    };
    (world, payout)
}

#[test]
fn not_prescribed() {
    let (mut world, payout) = pot();
    refuses(world.pay("pot", "ana", 500), &Refusal::NotPrescribed);
    let order = world.order("pot", "ana", 300).with(|it| it.pay = Some([9; 32]));
    refuses(world.send("pot", order.clone()), &Refusal::NotPrescribed);
    world.learn(Fact::Prescribed(Arc::new(payout)));
    let less = world.order("pot", "ana", 200).with(|it| it.pay = Some([9; 32]));
    refuses(world.send("pot", less), &Refusal::NotPrescribed);
    certifies(&world.send("pot", order));
}

#[test]
fn paid_out() {
    let (mut world, payout) = pot();
    world.learn(Fact::Prescribed(Arc::new(payout.clone())));
    let draft = world.ledger.draft_payout(&payout, &key("pot")).unwrap();
    certifies(&world.send_event(draft.sign(&keys("pot"), 5_000, [0; 32])));
    assert_eq!(world.balance("pot"), 200);
    assert_eq!(world.ledger.draft_payout(&payout, &key("pot")), None);
    let again = world.order("pot", "ana", 300).with(|it| it.pay = Some([9; 32]));
    refuses(world.send("pot", again), &Refusal::PaidOut);
}

#[test]
fn place_taken() {
    let mut world = three();
    world.learn(charter(EventId([0xc1; 32]), &[NODE, "two"], 2, 0));
    let first = world.rules_id();
    let charter = EventId([0xc1; 32]);
    world.add("sol", Rules { epoch: 1, charter, previous: Some(first), ..rules(key("sol")) });
    let (one, two) = (world.order("ana", "ben", 100), world.order("ana", "ben", 200));
    certifies(&world.send("ana", one));
    refuses(world.send("ana", two), &Refusal::PlaceTaken);
}

#[test]
fn place_taken_by_an_attestation_whose_order_has_not_come() {
    let mut world = three();
    let order = world.order("ana", "ben", 100);
    let lost = world.sign("ana", order.clone());
    let attestation = world.attest(NODE, &lost);
    world.put(attestation);
    refuses(world.send("ana", order), &Refusal::PlaceTaken);
    assert!(matches!(world.send_event(lost), Verdict::Attest(_) | Verdict::Already(_)));
}

#[test]
fn order_gap() {
    let mut world = three();
    let order = Order { seq: 2, ..world.order("ana", "ben", 100) };
    refuses(world.send("ana", order), &Refusal::OrderGap { next: 0 });
}

#[test]
fn number_used() {
    let mut world = three();
    let first = world.order("ana", "ben", 100);
    world.paid("ana", "ben", 200);
    refuses(world.send("ana", first), &Refusal::NumberUsed { seq: 0, next: 1 });
}

#[test]
fn wrong_previous() {
    let mut world = three();
    world.paid("ana", "ben", 200);
    let astray = Order { previous: world.rules_id(), ..world.order("ana", "ben", 100) };
    refuses(world.send("ana", astray), &Refusal::WrongPrevious);
}

#[test]
fn no_payee() {
    let mut world = World::of(&["ana", "ben"]);
    let mut stray = world.order("ana", "ben", 100);
    stray.legs[0].account = key("eve");
    refuses(world.send("ana", stray), &Refusal::NoPayee);
}

#[test]
fn may_not_receive() {
    let mut world = three();
    world.change("ben", |policy| _ = policy.can.remove(&Ability::Receive));
    refuses(world.pay("ana", "ben", 100), &Refusal::MayNotReceive);
    world.change("eve", |policy| policy.status = Status::Closed);
    refuses(world.pay("ana", "eve", 100), &Refusal::MayNotReceive);
}

/// Two of three witnesses decide, and ana, whose home is another, pays ben 100.
fn paid_away_from_home() -> (World, VerifiedEvent) {
    let mut world = World::empty();
    world.learn(charter(EventId([0xc1; 32]), &[NODE, "two", "three"], 2, 0));
    world.add("sol", Rules { charter: EventId([0xc1; 32]), ..rules(key("sol")) });
    world.open("ana", |policy| policy.home = Some(key("two")));
    world.open("ben", |_| {});
    let order = world.order("ana", "ben", 100);
    let event = world.sign("ana", order);
    (world, event)
}

/// Once a witness attested it, a payment is not held up because its payee closed the account.
#[test]
fn what_was_attested_is_paid_to_an_account_that_closed_since() {
    let (mut world, event) = paid_away_from_home();
    world.change("ben", |policy| policy.status = Status::Closed);
    ["two", "three"].iter().for_each(|witness| world.duties(witness));
    refuses(world.send_event(event.clone()), &Refusal::MayNotReceive);
    let first = world.attest("two", &event);
    world.put(first);
    world.put(event.clone());
    certifies(&world.send_event(event));
    assert_eq!(world.balance("ben"), 100);
}

#[test]
fn wrong_levies() {
    for side in [Side::Payee, Side::Payer] {
        let commons = Levy { side, ppm: 20_000, account: key("commons") };
        let mut world =
            World::with(Rules { levies: vec![commons], ..rules(key("sol")) }, &["ana", "ben"]);
        world.open("commons", |policy| policy.account_type = AccountType::Community);
        let mut order = world.order("ana", "ben", 300);
        order.legs[1].minor += 1;
        refuses(world.send("ana", order.clone()), &Refusal::WrongLevies);
        order.legs[1].minor -= 1;
        certifies(&world.send("ana", order));
        let mut none = world.order("ana", "ben", 300);
        none.legs[1].account = key("ben");
        refuses(world.send("ana", none), &Refusal::WrongLevies);
        certifies(&world.pay("ben", "commons", 294));
    }
}

#[test]
fn above_maximum() {
    let mut world = three();
    world.change("ben", |policy| policy.max = amount(50));
    let (after, max) = (money(51), money(50));
    refuses(world.pay("ana", "ben", 51), &Refusal::AboveMaximum { after, max });
    certifies(&world.pay("ana", "ben", 50));
}

/// ana, ben and eve where more than 5.00 needs `id`.
fn verifying() -> World {
    let require = vec![("id".into(), 500)];
    World::with(Rules { require, ..rules(key("sol")) }, &["ana", "ben", "eve"])
}

#[test]
fn payer_unverified() {
    let mut world = verifying();
    let (most, flag) = (money(500), "id".to_owned());
    refuses(world.pay("ana", "ben", 501), &Refusal::PayerUnverified { most, flag });
    certifies(&world.pay("ana", "ben", 500));
}

#[test]
fn payee_unverified() {
    let mut world = verifying();
    let (most, flag) = (money(500), "id".to_owned());
    world.change("ana", |policy| _ = policy.flags.insert("id".into()));
    refuses(world.pay("ana", "ben", 501), &Refusal::PayeeUnverified { most, flag });
    world.change("ben", |policy| _ = policy.flags.insert("id".into()));
    certifies(&world.pay("ana", "ben", 501));
}

#[test]
fn beyond_limit() {
    let mut world = three();
    let (left, total) = (money(1_000), money(1_001));
    refuses(world.pay("ana", "ben", 1_001), &Refusal::BeyondLimit { left, total });
    certifies(&world.pay("ana", "ben", 1_000));
}

#[test]
fn order_expired() {
    let mut world = three();
    let late = world.order("ana", "ben", 100).with(|it| it.until = Some(world.now));
    refuses(world.send("ana", late), &Refusal::OrderExpired);
    let in_time = world.order("ana", "ben", 100).with(|it| it.until = Some(world.now + 1));
    certifies(&world.send("ana", in_time));
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

fn settle(world: &mut World, payer: &str, payee: &str, minor: i64, request: EventId) -> Verdict {
    let order = world.order(payer, payee, minor);
    world.send(payer, order.with(|it| it.request = Some(request)))
}

#[test]
fn request_unknown() {
    let mut world = three();
    let settled = settle(&mut world, "ana", "ben", 300, EventId([9; 32]));
    refuses(settled, &Refusal::RequestUnknown);
}

#[test]
fn request_for_another() {
    let mut world = three();
    let asked = world.add("ben", ask(Some("ana"), 300));
    refuses(settle(&mut world, "eve", "ben", 300, asked), &Refusal::RequestForAnother);
}

#[test]
fn request_by_another() {
    let mut world = three();
    let asked = world.add("ben", ask(Some("ana"), 300));
    refuses(settle(&mut world, "ana", "eve", 300, asked), &Refusal::RequestByAnother);
}

#[test]
fn request_price() {
    let mut world = three();
    let asked = world.add("ben", ask(Some("ana"), 300));
    let why = Refusal::RequestPrice { asked: amount(300).unwrap(), paid: money(200) };
    refuses(settle(&mut world, "ana", "ben", 200, asked), &why);
}

#[test]
fn request_expired() {
    let mut world = three();
    let asked = world.add("ben", ask(Some("ana"), 300));
    world.now = 5_001;
    refuses(settle(&mut world, "ana", "ben", 300, asked), &Refusal::RequestExpired);
}

#[test]
fn request_paid() {
    let mut world = three();
    let asked = world.add("ben", ask(Some("ana"), 300));
    certifies(&settle(&mut world, "ana", "ben", 300, asked));
    refuses(settle(&mut world, "ana", "ben", 300, asked), &Refusal::RequestPaid);
}

#[test]
fn request_declined() {
    let mut world = three();
    let asked = world.add("ben", ask(Some("ana"), 300));
    world.add("ana", decline(asked, Answer::Declined));
    refuses(settle(&mut world, "ana", "ben", 300, asked), &Refusal::RequestDeclined);
}

#[test]
fn request_cancelled() {
    let mut world = three();
    let asked = world.add("ben", ask(None, 300));
    world.add("ben", decline(asked, Answer::Cancelled));
    refuses(settle(&mut world, "ana", "ben", 300, asked), &Refusal::RequestCancelled);
}

#[test]
fn an_open_code_is_paid_by_anybody_and_often() {
    let mut world = three();
    let code = world.add("ben", ask(None, 300));
    for payer in ["ana", "eve", "ana"] {
        certifies(&settle(&mut world, payer, "ben", 300, code));
    }
    let open = world.ledger.open_requests(&currency());
    assert_eq!((open[0].id, open[0].orders.len(), open[0].state), (code, 3, "open"));
}

#[test]
fn nothing_to_refund() {
    let mut world = three();
    let given = world.paid("ana", "ben", 300);
    for (payer, payee, refund) in
        [("eve", "ana", given), ("ben", "eve", given), ("ben", "ana", EventId([9; 32]))]
    {
        let order = world.order(payer, payee, 100).with(|it| it.refund = Some(refund));
        refuses(world.send(payer, order), &Refusal::NothingToRefund);
    }
}

#[test]
fn refund_too_large() {
    let mut world = three();
    let given = world.paid("ana", "ben", 300);
    let back =
        |world: &World, minor| world.order("ben", "ana", minor).with(|it| it.refund = Some(given));
    let order = back(&world, 200);
    certifies(&world.send("ben", order));
    let order = back(&world, 101);
    refuses(world.send("ben", order), &Refusal::RefundTooLarge { left: money(100) });
}

#[test]
fn home_first() {
    let (mut world, event) = paid_away_from_home();
    refuses(world.send_event(event.clone()), &Refusal::HomeFirst);
    let home = world.attest("two", &event);
    world.put(home);
    certifies(&world.send_event(event));
    assert_eq!(world.balance("ben"), 100);
}

/// A charge between ana and ben that the community signed and no witness did.
fn charged(world: &mut World, cseq: u64, previous: Option<EventId>, minor: i64) -> EventId {
    let charge = Charge { cseq, previous, ..crate::testing::charge("ana", "ben", minor) };
    let event = world.sign("sol", charge);
    world.put(event)
}

fn judges(world: &World, charge: EventId, why: &Refusal) {
    refuses(world.ledger.judge_charge(&charge, &key(NODE)), why);
}

#[test]
fn charge_unknown() {
    judges(&three(), EventId([9; 32]), &Refusal::ChargeUnknown);
}

#[test]
fn charge_unsound() {
    let mut world = World::of(&["ana"]);
    let charge = charged(&mut world, 0, None, 5);
    judges(&world, charge, &Refusal::ChargeUnsound);
    world.open("ben", |_| {});
    assert_eq!(world.balance("ben"), 5, "it was a duty as soon as the account was open");
}

#[test]
fn charge_place_taken() {
    let mut world = three();
    charged(&mut world, 0, None, 5);
    world.duties(NODE);
    let rival = charged(&mut world, 0, None, 6);
    judges(&world, rival, &Refusal::ChargePlaceTaken);
}

#[test]
fn charge_gap() {
    let mut world = three();
    let later = charged(&mut world, 1, Some(EventId([7; 32])), 5);
    judges(&world, later, &Refusal::ChargeGap);
}

#[test]
fn charge_out_of_chain() {
    let mut world = three();
    charged(&mut world, 0, None, 5);
    world.duties(NODE);
    let astray = charged(&mut world, 1, Some(EventId([7; 32])), 5);
    judges(&world, astray, &Refusal::ChargeOutOfChain);
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
