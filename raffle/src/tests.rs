//! The rules, one test each: every reason by its name, then whole raffles from sale to payment.

use crate::scene::check;
use expect_test::expect;

const SOLD: &str = "raffle r; ana pays o 10.00; ana buys t 2 r with o; ben pays p 5.00; \
                    ben buys u 1 r with p";

mod reasons {
    use super::*;

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
        let this = include_str!("tests.rs");
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
}

mod raffles {
    use super::*;

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
}
