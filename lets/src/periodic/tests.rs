//! What the rules take for a period, by hand and at random, and what a witness refuses to sign.

use ayni_protocol::Rejection;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::rules::Demurrage;
use crate::testing::{NODE, World, cases, currency, key, refusal, rules};
use crate::*;

/// A tenth of what is above 2.00, a fee of 0.50, to the commons.
fn taxing() -> Rules {
    let demurrage = Some(Demurrage { ppm: 100_000, exempt: 200 });
    Rules { demurrage, fee: Some(50), treasury: Some(key("commons")), ..rules(key("sol")) }
}

/// ana at -5.00, ben at 4.01, eve at 0.99, and the commons, with a checkpoint of it.
fn checked() -> (World, EventId) {
    let mut world = World::with(taxing(), &["ana", "ben", "eve"]);
    world.open("commons", |policy| policy.account_type = AccountType::Community);
    world.paid("ana", "ben", 401);
    world.paid("ana", "eve", 99);
    let checkpoint = world.ledger.checkpoint(&currency()).unwrap();
    let checkpoint = world.add(NODE, checkpoint);
    (world, checkpoint)
}

/// The charge for a part, signed by the community and not yet looked at by the witness.
fn charged(world: &mut World, cause: Cause, basis: Option<EventId>, part: &Part) -> EventId {
    let (cseq, previous) = world.ledger.next_charge_place(&currency()).unwrap();
    let (debits, credits) = (part.0.clone(), vec![part.1]);
    let charge = crate::testing::charge("ana", "ben", 1);
    let charge = Charge { cseq, previous, cause, debits, credits, basis, ..charge };
    let event = world.sign("sol", charge);
    world.put(event)
}

fn refuses(world: &World, charge: EventId, why: &Refusal) {
    let verdict = world.ledger.judge_charge(&charge, &key(NODE));
    assert_eq!(refusal(verdict), Rejection::from(why.clone()));
}

#[test]
fn demurrage_is_a_share_of_what_is_above_the_exempt() {
    let (mut world, checkpoint) = checked();
    let (basis, parts) = world.ledger.periodic(&currency(), Cause::Demurrage).unwrap();
    assert_eq!((basis, parts.len()), (checkpoint, 1));
    assert_eq!(parts[0], (vec![(key("ben"), 20)], (key("commons"), 20)));
    charged(&mut world, Cause::Demurrage, Some(basis), &parts[0]);
    world.duties(NODE);
    assert_eq!([world.balance("ben"), world.balance("commons")], [381, 20]);
    let (_, left) = world.ledger.periodic(&currency(), Cause::Demurrage).unwrap();
    assert!(left.is_empty(), "a checkpoint is charged for once");
}

#[test]
fn the_checkpoint_counts_and_not_what_came_after() {
    let (mut world, checkpoint) = checked();
    world.paid("ben", "eve", 400);
    let (basis, parts) = world.ledger.periodic(&currency(), Cause::Demurrage).unwrap();
    charged(&mut world, Cause::Demurrage, Some(basis), &parts[0]);
    world.duties(NODE);
    assert_eq!((basis, world.balance("ben")), (checkpoint, 1 - 20));
}

#[test]
fn a_fee_is_the_same_for_every_member() {
    let (mut world, checkpoint) = checked();
    let (_, parts) = world.ledger.periodic(&currency(), Cause::Fee).unwrap();
    let payers: Vec<_> = parts[0].0.iter().map(|(_, minor)| *minor).collect();
    assert_eq!((payers, parts[0].1), (vec![50, 50, 50], (key("commons"), 150)));
    charged(&mut world, Cause::Fee, Some(checkpoint), &parts[0]);
    world.duties(NODE);
    assert_eq!(world.balance("ana"), -550);
}

#[test]
fn charge_without_basis() {
    let (mut world, _) = checked();
    let part = (vec![(key("ben"), 20)], (key("commons"), 20));
    let charge = charged(&mut world, Cause::Demurrage, None, &part);
    refuses(&world, charge, &Refusal::ChargeWithoutBasis);
}

#[test]
fn charge_basis_unknown() {
    let (mut world, _) = checked();
    let part = (vec![(key("ben"), 20)], (key("commons"), 20));
    let charge = charged(&mut world, Cause::Demurrage, Some(EventId([9; 32])), &part);
    refuses(&world, charge, &Refusal::ChargeBasisUnknown);
}

#[test]
fn charge_basis_differs() {
    let (mut world, checkpoint) = checked();
    let part = (vec![(key("ben"), 21)], (key("commons"), 21));
    let charge = charged(&mut world, Cause::Demurrage, Some(checkpoint), &part);
    refuses(&world, charge, &Refusal::ChargeBasisDiffers);
}

#[test]
fn charged_twice() {
    let (mut world, checkpoint) = checked();
    let (_, parts) = world.ledger.periodic(&currency(), Cause::Demurrage).unwrap();
    charged(&mut world, Cause::Demurrage, Some(checkpoint), &parts[0]);
    world.duties(NODE);
    let again = charged(&mut world, Cause::Demurrage, Some(checkpoint), &parts[0]);
    refuses(&world, again, &Refusal::ChargedTwice);
}

proptest! {
    #![proptest_config(cases(1_000))]

    /// Each is charged the floor of its share and nobody below the exempt; what is taken arrives.
    #[test]
    fn what_is_taken_arrives(
        balances in vec((-1_000_000_000_i128..1_000_000_000, any::<bool>()), 0..900),
        ppm in 0_i64..=1_000_000,
        exempt in 0_i64..1_000_000,
    ) {
        let line = |at: usize, balance: i128| Line {
            account: PublicKey([u8::try_from(at % 251).unwrap(); 32]),
            next_seq: 0,
            last_order: None,
            debits_posted: 0,
            debits_pending: 0,
            credits_posted: balance,
            charges: 0,
            policy_version: 1,
        };
        let lines: Vec<_> = balances.iter().enumerate()
            .map(|(at, (balance, charged))| Due { line: line(at, *balance), charged: *charged })
            .collect();
        let rules = Rules { demurrage: Some(Demurrage { ppm, exempt }), ..taxing() };
        let parts = charges(Cause::Demurrage, &rules, &lines);
        let mut taken = parts.iter().flat_map(|(debits, _)| debits);
        for (balance, charged) in balances {
            let share = (balance - i128::from(exempt)).max(0) * i128::from(ppm) / 1_000_000;
            if charged && share > 0 {
                prop_assert_eq!(i128::from(taken.next().unwrap().1), share);
            }
        }
        prop_assert_eq!(taken.next(), None);
        for (debits, (to, minor)) in &parts {
            prop_assert!(debits.len() <= DEBITS_MAX && *to == key("commons"));
            prop_assert_eq!(debits.iter().map(|(_, minor)| minor).sum::<i64>(), *minor);
        }
    }
}
