//! Every reason why an entry is void, by its name.

use expect_test::expect;

use super::SOLD;
use crate::scene::check;

#[test]
fn other_community() {
    check(
        "raffle r h elsewhere; raffle s; ana buys t 1 s elsewhere",
        expect![[r#"
        r is void: OtherCommunity
        s counts
        t is void: OtherCommunity
        s: open
    "#]],
    );
}

#[test]
fn entropy_not_supported() {
    check(
        "raffle r entropy ceremony",
        expect![[r#"
        r is void: EntropyNotSupported
    "#]],
    );
}

#[test]
fn no_beacon() {
    check(
        "raffle r charter dark; dark",
        expect![[r#"
        r is void: NoBeacon
    "#]],
    );
}

#[test]
fn wrong_round() {
    use crate::read::Entry;
    use crate::scene::{ROUND, Scene, priced, raffle};
    let mut scene = Scene::new();
    for (name, round) in [("early", ROUND - 1), ("right", ROUND), ("late", ROUND + 1)] {
        let mut entry = raffle(name, priced());
        entry.place.round = round;
        scene.entry(name, Entry::Raffle(Box::new(entry)));
    }
    expect![[r#"
        early is void: WrongRound
        right counts
        late is void: WrongRound
        right: open
    "#]]
    .assert_eq(&scene.report());
}

#[test]
fn wrong_sequence() {
    check(
        "raffle r; raffle s seq 2 prev r; raffle u seq 2; raffle v seq 1 prev r by ana; \
         raffle w entropy ceremony; raffle x seq 1 prev w",
        expect![[r#"
            r counts
            s is void: WrongSequence
            u is void: WrongSequence
            v is void: WrongSequence
            w is void: EntropyNotSupported
            x is void: WrongSequence
            r: open
        "#]],
    );
}

#[test]
fn raffle_void() {
    check(
        "ana buys t 1 r; raffle r entropy ceremony; org publishes draw r",
        expect![[r#"
        t is void: RaffleVoid
        r is void: EntropyNotSupported
        org publishes draw r is void: RaffleVoid
    "#]],
    );
}

#[test]
fn order_missing() {
    check(
        "raffle r; ana buys t 1 r",
        expect![[r#"
        r counts
        t is void: OrderMissing
        r: open
    "#]],
    );
}

#[test]
fn order_not_expected() {
    check(
        "raffle r price 0; ana buys t 1 r with o",
        expect![[r#"
        r counts
        t is void: OrderNotExpected
        r: open
    "#]],
    );
}

#[test]
fn order_for_another() {
    check(
        "raffle r; raffle s seq 1 prev r; ana pays o 5.00 for s; ana buys t 1 r with o; \
         ana buys u 1 s with o",
        expect![[r#"
            r counts
            s counts
            t is void: OrderForAnother
            u waits for a decision
            r: open
            s: open
        "#]],
    );
}

#[test]
fn wrong_currency() {
    check(
        "raffle r; ana pays o 5.00 in hours; ana buys t 1 r with o",
        expect![[r#"
        r counts
        t is void: WrongCurrency
        r: open
    "#]],
    );
}

#[test]
fn wrong_escrow() {
    check(
        "raffle r; ana pays o 5.00 to roof; ana buys t 1 r with o",
        expect![[r#"
        r counts
        t is void: WrongEscrow
        r: open
    "#]],
    );
}

#[test]
fn wrong_amount() {
    check(
        "raffle r; ana pays o 9.99; ana buys t 2 r with o; box r t",
        expect![[r#"
        r counts
        t is void: WrongAmount
        r: sealed; refunds ana 9.99 due
    "#]],
    );
}

#[test]
fn order_used() {
    check(
        "raffle r; ana pays o 5.00; ana buys t 1 r with o; ana buys u 1 r with o; box r t u",
        expect![[r#"
            r counts
            t is void: OrderUsed
            u counts
            r: sealed
        "#]],
    );
}

#[test]
fn over_cap() {
    check(
        "raffle r cap 2; ana pays o 10.00; ana buys t 2 r with o; ana pays p 5.00; \
         ana buys u 1 r with p; ana pays q 15.00; ana buys v 3 r with q; box r t u",
        expect![[r#"
            r counts
            t is void: OverCap
            u counts
            v is void: OverCap
            r: sealed; refunds ana 10.00 due, ana 15.00 due
        "#]],
    );
}

#[test]
fn sold_out() {
    check(
        &format!("raffle r max 2; {}; box r t u", &SOLD[10..]),
        expect![[r#"
        r counts
        t is void: SoldOut
        u counts
        r: sealed; refunds ana 10.00 due
    "#]],
    );
}

#[test]
fn not_in_box() {
    check(
        &format!("{SOLD}; box r t"),
        expect![[r#"
        r counts
        t counts
        u is void: NotInBox
        r: sealed; refunds ben 5.00 due
    "#]],
    );
}

#[test]
fn called_off() {
    check(
        &format!("{SOLD}; void r cancelled; ana claims 1 r; org publishes list r"),
        expect![[r#"
            r counts
            t is void: CalledOff
            u is void: CalledOff
            ana claims 1 r is void: CalledOff
            org publishes list r is void: CalledOff
            r: void; refunds ben 5.00 due, ana 10.00 due
        "#]],
    );
}

#[test]
fn not_the_organiser() {
    check(
        "raffle r; ana cancels r; ana delivers 1 r",
        expect![[r#"
        r counts
        ana cancels r is void: NotTheOrganiser
        ana delivers 1 r is void: NotTheOrganiser
        r: open
    "#]],
    );
}

#[test]
fn not_the_winner() {
    check(
        "raffle r prizes 0,0; ana pays o 10.00; ana buys t 2 r with o; box r t; round r; \
         result r; ana claims 1 r; ben claims 1 r; ana claims 2 r",
        expect![[r#"
            r counts
            t counts
            ana claims 1 r counts
            ben claims 1 r is void: NotTheWinner
            ana claims 2 r is void: NotTheWinner
            r: drawn; pays roof 10.00 due
        "#]],
    );
}

#[test]
fn no_such_prize() {
    check(
        "raffle r; ana claims 2 r; org delivers 0 r",
        expect![[r#"
        r counts
        ana claims 2 r is void: NoSuchPrize
        org delivers 0 r is void: NoSuchPrize
        r: open
    "#]],
    );
}

#[test]
fn too_late() {
    check(
        "raffle r; org cancels r at 200; org cancels r at 201",
        expect![[r#"
        r counts
        org cancels r at 200 counts
        org cancels r at 201 is void: TooLate
        r: open
    "#]],
    );
}

#[test]
fn differs() {
    check(
        &format!(
            "{SOLD}; ana publishes list r; ana publishes draw r; box r t u; round r; \
             ben publishes list r; ben publishes draw r"
        ),
        expect![[r#"
            r counts
            t counts
            u counts
            ana publishes list r is void: Differs
            ana publishes draw r is void: Differs
            ben publishes list r counts
            ben publishes draw r counts
            r: sealed
        "#]],
    );
}

/// Each reason has a test of its name in this file.
#[test]
fn every_reason_has_its_test() {
    let this = include_str!("reasons.rs");
    for reason in crate::Reason::ALL {
        let snake: String = reason
            .code()
            .chars()
            .flat_map(|c| [c.is_uppercase().then_some('_'), Some(c.to_ascii_lowercase())])
            .flatten()
            .collect();
        let name = snake.trim_start_matches('_');
        assert!(this.contains(&format!("fn {name}()")), "no test is called {name}");
        assert!(!reason.to_string().is_empty());
    }
}
