//! Crowds, clocks, views, and payments that only look right.

use std::sync::Arc;

use ayni_protocol::{EventId, Part};
use ayni_witness::{Account, Fact, Payment};
use expect_test::expect;

use super::SOLD;
use crate::read::{Entry, TicketEntry};
use crate::scene::{ROUND, Scene, Step, account, id, key, priced, raffle, settlement};

/// A chain of raffles told backwards, and many tickets of one order: each link costs a step.
#[test]
fn a_crafted_crowd_is_counted_link_by_link() {
    let mut scene = Scene::new();
    for seq in (0..5_000_u64).rev() {
        let mut entry = raffle(&format!("r{seq}"), priced());
        entry.place.seq = seq;
        entry.place.previous = seq.checked_sub(1).map(|seq| id(&format!("r{seq}")));
        assert_eq!(entry.place.round, ROUND);
        scene.tell(Step::Entry(Entry::Raffle(Box::new(entry))));
    }
    scene.say("ana pays o 5.00");
    for n in 0..5_000 {
        scene.tell(Step::Entry(Entry::Ticket(TicketEntry {
            id: id(&format!("t{n}")),
            author: key("ana"),
            community: id("charter"),
            raffle: id(&format!("r{}", n % 50)),
            quantity: 1,
            order: Some(id("o")),
        })));
    }
    assert_eq!(scene.drum.raffles(0).len(), 5_000);
    scene.say("box r0");
    scene.say("void r1 no-seal");
    assert!(scene.prescribed().is_empty(), "other raffles may still keep the order");
}

/// The view has all that a stranger needs to draw again, in plain JSON.
#[test]
fn a_view_is_plain_json() {
    let mut scene = Scene::of(&format!("{SOLD}; box r t u; round r; result r; ana claims 1 r"));
    let view = serde_json::to_value(scene.drum.raffle(&id("r"), 300)).unwrap();
    let told = [
        &view["state"],
        &view["price"],
        &view["units"],
        &view["tickets"],
        &view["pot"],
        &view["beacon"]["round"],
        &view["beacon"]["time"],
        &view["prizes"][0]["text"],
        &view["draw"]["decided"],
        &view["payouts"][0]["amount"],
        &view["mismatch"],
    ];
    let told: Vec<_> = told.iter().map(ToString::to_string).collect();
    expect![[r#""drawn" "5.00" 3 2 "15.00" 26 250 "Cake" true "15.00" false"#]]
        .assert_eq(&told.join(" "));
    scene.say("settle");
    let lines = scene.drum.digest_lines();
    assert_eq!(lines.len(), 1);
    let outcome = view["outcome"].as_str().unwrap();
    let state = if view["prizes"][0]["claimed"] == true { "finished" } else { "paid" };
    assert_eq!(lines[0], format!("raffle|{}|{state}|{outcome}", id("r")));
}

#[test]
fn only_a_clock_tells_announced_from_open_from_closed() {
    let scene = Scene::of(SOLD);
    let states = [99, 100, 200, 201].map(|now| scene.drum.state(&id("r"), now).unwrap());
    assert_eq!(states.map(crate::State::as_str), ["announced", "open", "open", "closed"]);
    assert!(scene.drum.digest_lines().is_empty());
}

#[test]
fn only_an_order_out_of_the_escrow_account_pays() {
    let mut scene = Scene::of(&format!("{SOLD}; box r t u; round r; result r"));
    let right = settlement(&scene.prescribed()[0]);
    let wrong = [
        Payment { order: id("w1"), payer: key("ana"), ..right.clone() },
        Payment { order: id("w2"), legs: Vec::new(), ..right.clone() },
        Payment { order: id("w3"), pay: None, ..right.clone() },
    ];
    for payment in wrong {
        scene.fact(Fact::Certified(Arc::new(payment)));
        assert_eq!(scene.drum.state(&id("r"), 0), Some(crate::State::Drawn));
    }
    scene.fact(Fact::Certified(Arc::new(right)));
    assert_eq!(scene.drum.state(&id("r"), 0), Some(crate::State::Paid));
}

#[test]
fn the_remainder_waits_for_an_inviter_who_has_no_account_yet() {
    // Dan was invited by Eve, who has no account yet; the second level needs to know hers.
    let mut scene = Scene::new();
    let dan = Account { inviter: Some(key("eve")), ..account("dan", "member") };
    scene.fact(Fact::Account(Arc::new(dan)));
    let story = "raffle r referral 1000; dan pays o 10.00; dan buys t 2 r with o; box r t; \
                 round r; result r; settle; org delivers 1 r";
    story.split(';').for_each(|sentence| scene.say(sentence));
    let waiting = scene.drum.digest_lines();
    assert!(waiting[0].contains("|drawn|"), "{waiting:?}");
    scene.say("eve joins");
    scene.say("settle");
    assert!(scene.drum.digest_lines()[0].contains("|finished|"));
    let paid: i64 = scene.prescribed().iter().map(|payout| payout.minor).sum();
    assert_eq!((paid, scene.drum.ruling(&EventId([0; 32]))), (1_000, None));
    assert_eq!(scene.drum.raffles(0)[0].id, id("r"));
}
