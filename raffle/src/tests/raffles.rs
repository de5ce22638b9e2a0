//! Whole raffles, from sale to payment.

use expect_test::expect;

use super::SOLD;
use crate::scene::check;

#[test]
fn a_raffle_from_sale_to_finish() {
    check(
        SOLD,
        expect![[r#"
        r counts
        t waits for a decision
        u waits for a decision
        r: open
    "#]],
    );
    check(
        &format!("{SOLD}; box r t u"),
        expect![[r#"
        r counts
        t counts
        u counts
        r: sealed
    "#]],
    );
    check(
        &format!("{SOLD}; box r t u; round r; result r"),
        expect![[r#"
        r counts
        t counts
        u counts
        r: drawn; pays roof 15.00 due
    "#]],
    );
    check(
        &format!("{SOLD}; box r t u; round r; result r; settle"),
        expect![[r#"
        r counts
        t counts
        u counts
        r: paid; pays roof 15.00 paid
    "#]],
    );
    let claimed = "org delivers 1 r; org publishes draw r; org publishes list r";
    check(
        &format!("{SOLD}; box r t u; round r; result r; settle; {claimed}"),
        expect![[r#"
        r counts
        t counts
        u counts
        org delivers 1 r counts
        org publishes draw r counts
        org publishes list r counts
        r: finished; pays roof 15.00 paid
    "#]],
    );
}

#[test]
fn a_raffle_for_money_finishes_when_it_is_paid() {
    let money = format!("raffle r prizes 5000 referral 1000; {}", &SOLD[10..]);
    check(
        &format!("{money}; box r t u; round r; result r; settle"),
        expect![[r#"
        r counts
        t counts
        u counts
        r: finished; pays roof 7.00 paid, ben 7.50 paid, ana 0.50 paid
    "#]],
    );
}

#[test]
fn a_free_raffle_is_for_members() {
    check(
        "raffle r price 0 cap 1; ana buys t 1 r; zoe buys u 1 r; box r t; round r; result r",
        expect![[r#"
            r counts
            t counts
            u is void: NotInBox
            r: paid
        "#]],
    );
    check(
        "raffle r price 0 age 18; ana buys t 1 r; ana is age16; ben buys u 1 r; ben is age21",
        expect![[r#"
            r counts
            t waits for approval
            u waits for a decision
            r: open
        "#]],
    );
}

#[test]
fn what_is_called_off_is_given_back() {
    check(
        &format!("{SOLD}; void r min-units"),
        expect![[r#"
        r counts
        t is void: CalledOff
        u is void: CalledOff
        r: void; refunds ben 5.00 due, ana 10.00 due
    "#]],
    );
    check(
        &format!("{SOLD}; void r min-units; settle"),
        expect![[r#"
        r counts
        t is void: CalledOff
        u is void: CalledOff
        r: refunded; refunds ben 5.00 paid, ana 10.00 paid
    "#]],
    );
    check(
        &format!("{SOLD}; box r t u; result-void r no-beacon; round r"),
        expect![[r#"
        r counts
        t counts
        u counts
        r: void; refunds ben 5.00 due, ana 10.00 due
    "#]],
    );
}

#[test]
fn a_dispute_stops_everything() {
    check(
        &format!("{SOLD}; box r t u; round r; result r; disputed r"),
        expect![[r#"
        r counts
        t waits for a decision
        u waits for a decision
        r: disputed
    "#]],
    );
    check(
        &format!("{SOLD}; box r t u; box r t"),
        expect![[r#"
        r counts
        t waits for a decision
        u waits for a decision
        r: disputed
    "#]],
    );
}

#[test]
fn a_wrong_result_pays_nobody() {
    check(
        &format!("{SOLD}; box r t u; result r; round r"),
        expect![[r#"
        r counts
        t counts
        u counts
        r: sealed
    "#]],
    );
}

#[test]
fn naming_a_strangers_payment_takes_nothing_away() {
    check(
        "raffle r; ana pays o 5.00; zoe buys t 1 r with o; ana buys u 1 r with o; box r u",
        expect![[r#"
            r counts
            t is void: NotInBox
            u counts
            r: sealed
        "#]],
    );
}

#[test]
fn one_order_is_held_by_the_box_drawn_first() {
    let twice = "raffle r; raffle s seq 1 prev r closes 300; ana pays o 5.00; \
                 ana buys t 1 r with o; ana buys u 1 s with o";
    check(
        &format!("{twice}; box s u"),
        expect![[r#"
        r counts
        s counts
        t waits for a decision
        u counts
        r: open
        s: sealed
    "#]],
    );
    check(
        &format!("{twice}; box s u; box r t"),
        expect![[r#"
        r counts
        s counts
        t counts
        u is void: OrderUsed
        r: sealed
        s: sealed
    "#]],
    );
    check(
        &format!("{twice}; box s u; void r cancelled"),
        expect![[r#"
        r counts
        s counts
        t is void: CalledOff
        u counts
        r: refunded
        s: sealed
    "#]],
    );
    check(
        &format!("{twice}; void s cancelled; box r"),
        expect![[r#"
        r counts
        s counts
        t is void: NotInBox
        u is void: CalledOff
        r: sealed; refunds ana 5.00 due
        s: refunded
    "#]],
    );
}

#[test]
fn a_buyer_must_be_of_age_before_a_witness_hears_of_the_ticket() {
    let scene = "raffle r age 18; ana pays o 5.00; ana buys t 1 r with o";
    check(
        scene,
        expect![[r#"
        r counts
        t waits for approval
        r: open
    "#]],
    );
    check(
        &format!("{scene}; ana is age18"),
        expect![[r#"
        r counts
        t waits for a decision
        r: open
    "#]],
    );
    check(
        &format!("{scene}; box r"),
        expect![[r#"
        r counts
        t is void: NotInBox
        r: sealed; refunds ana 5.00 due
    "#]],
    );
}

#[test]
fn everything_waits_for_what_it_needs() {
    check(
        "ana buys t 1 r with o; org claims 1 r; raffle s seq 1 prev r; ana pays o 5.00; \
         raffle z by zoe; raffle y escrow safe",
        expect![[r#"
            t waits for event 454349e422f05297191ead13e21d3db520e5abef52055e4964b82fb213f593a1
            org claims 1 r waits for event 454349e422f05297191ead13e21d3db520e5abef52055e4964b82fb213f593a1
            s waits for event 454349e422f05297191ead13e21d3db520e5abef52055e4964b82fb213f593a1
            z waits for approval
            y waits for approval
        "#]],
    );
    check(
        "ana buys t 1 r with o; raffle s seq 1 prev r; ana pays o 5.00; raffle r; \
         raffle z by zoe; zoe joins; raffle y escrow safe; safe keeps escrow",
        expect![[r#"
            t waits for a decision
            s counts
            r counts
            z counts
            y counts
            s: open
            r: open
            z: open
            y: open
        "#]],
    );
}

#[test]
fn a_fork_counts_and_is_shown() {
    use crate::scene::{Scene, id};
    let scene = Scene::of("raffle r; raffle s; raffle u seq 1 prev r");
    let forked = |name| scene.drum.raffle(&id(name), 0).unwrap().forked;
    assert_eq!((forked("r"), forked("s"), forked("u")), (true, true, false));
}
