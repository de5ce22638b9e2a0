//! The laws of trade, over markets in which everybody acts when they like and the clearing agent
//! stops between any two steps.

use std::collections::BTreeMap;

use ayni_protocol::{EventId, VerifiedEvent};
use proptest::collection::vec;
use proptest::prelude::*;

use super::oracle::Charter;
use super::tests::{agrees, naive, oracle_charter};
use crate::testing::{
    COMMUNITY, LUZ, MOONS, Market, NODE, World, cases, currency, key, keys, moon,
};
use crate::*;

/// What happens next.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// ana asks for a price.
    Ask(i64),
    /// The agent signs one thing. Between two of these it may have died and come back.
    Agent,
    /// ana signs a hold on a quote, the latest or an older one, and hands it to her witness or not.
    Hold { back: usize, lost: bool },
    /// A hold that was lost is handed in after all.
    Found,
    /// The moons' witness does what it owes.
    Luz,
    /// ana, or quin, pays something else.
    Pay { ana: bool, minor: i64 },
    /// kai uses up a number by hand.
    Void,
    /// quin's account closes or opens.
    Quin { open: bool },
    /// What is lent changes.
    Lend(i64),
    /// Somebody shows how a hold ended.
    Resolve { back: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1_i64..700).prop_map(Step::Ask),
        6 => Just(Step::Agent),
        5 => (0_usize..3, prop::bool::weighted(0.2)).prop_map(|(back, lost)| Step::Hold { back, lost }),
        1 => Just(Step::Found),
        4 => Just(Step::Luz),
        2 => (any::<bool>(), 1_i64..600).prop_map(|(ana, minor)| Step::Pay { ana, minor }),
        1 => Just(Step::Void),
        1 => any::<bool>().prop_map(|open| Step::Quin { open }),
        1 => (0_i64..900).prop_map(Step::Lend),
        2 => (0_usize..4).prop_map(|back| Step::Resolve { back }),
    ];
    vec(step, 4..20)
}

#[derive(Default)]
struct Seen {
    quotes: Vec<EventId>,
    holds: Vec<EventId>,
    lost: Vec<VerifiedEvent>,
    outcomes: BTreeMap<EventId, Outcome>,
}

fn take(market: &mut Market, seen: &mut Seen, step: Step) {
    match step {
        Step::Ask(moons) => _ = market.ask(moons),
        Step::Agent => {
            let signed = market.step();
            let is_quote = |id: &EventId| {
                matches!(market.ledger.known.entry(id).unwrap().body, Body::Quote(_))
            };
            seen.quotes.extend(signed.filter(is_quote));
        }
        Step::Hold { back, lost } => {
            let Some(quote) = seen.quotes.iter().rev().nth(back).copied() else { return };
            let order = market.hold_on(quote);
            let event = market.sign("ana", order);
            if lost {
                seen.lost.push(event);
            } else {
                seen.holds.push(event.id);
                market.send_event(event);
            }
        }
        Step::Found => {
            let Some(event) = seen.lost.pop() else { return };
            seen.holds.push(event.id);
            market.send_event(event);
        }
        Step::Luz => market.duties(LUZ),
        Step::Pay { ana: true, minor } => _ = market.pay("ana", "ben", minor),
        Step::Pay { ana: false, minor } => {
            let terms = market.ledger.terms(&moon(), &key("quin"), &key("kai"), minor);
            let order = terms.map(|(terms, rules)| Order::new(&terms, rules).unwrap());
            let event = market.sign_in_moons("quin", order.unwrap());
            let verdict = market.ledger.judge(&event, &key(LUZ), market.now);
            if matches!(verdict, Verdict::Attest(_)) {
                market.put(event);
                market.duties(LUZ);
            }
        }
        Step::Void => void(market),
        Step::Quin { open } => {
            let (id, policy) = market.ledger.latest_policy(&moon(), &key("quin")).unwrap();
            let status = if open { Status::Active } else { Status::Closed };
            let next = Policy { status, ..policy.next(id) };
            market.in_moons("lua", next);
        }
        Step::Lend(limit) => market.agree(limit),
        Step::Resolve { back } => {
            let Some(hold) = seen.holds.iter().rev().nth(back).copied() else { return };
            let Some(entry) = market.ledger.known.entry(&hold).cloned() else { return };
            let Body::Order(order) = &entry.body else { return };
            let seq = order.extra().hold.as_ref().unwrap().seq;
            let resolution = market.resolution(hold, seq);
            resolution.into_iter().for_each(|resolution| _ = market.add("ben", resolution));
        }
    }
}

/// kai signs a void order at the next number, unless something of its own stands there.
fn void(market: &mut Market) {
    let view = market.ledger.account(&moon(), &key("kai")).unwrap();
    let taken = market.ledger.known.entries().any(|entry| {
        matches!(&entry.body, Body::Order(order)
            if entry.author == key("kai") && order.currency == moon() && order.seq == view.next_seq)
    });
    if !taken {
        let (epoch, _) = market.ledger.rules(&moon()).unwrap();
        let order = Order::void(moon(), epoch, view.next_seq, view.head);
        let event = market.sign_in_moons("kai", order);
        market.put(event);
    }
}

/// The certified order of kai's that commits a hold.
fn commit_of(market: &Market, hold: EventId) -> Option<EventId> {
    let commits = |entry: &&std::sync::Arc<Entry>| matches!(&entry.body, Body::Order(order) if order.extra().commit == Some(hold));
    let mut orders = market.ledger.known.entries().filter(commits).map(|entry| entry.id);
    orders.find(|id| market.ledger.order_state(id).state == view::OrderState::Certified)
}

fn check(market: &Market, seen: &mut Seen) -> Result<(), TestCaseError> {
    let (mut reserved, mut paid, mut arrived) = (0, 0, 0);
    for hold in &seen.holds {
        let Some(outcome) = market.ledger.hold_outcome(hold) else { continue };
        let before = seen.outcomes.insert(*hold, outcome).unwrap_or(Outcome::Pending);
        prop_assert!(before == Outcome::Pending || before == outcome, "{before:?} to {outcome:?}");
        let commit = commit_of(market, *hold);
        prop_assert_eq!(outcome == Outcome::Posted, commit.is_some());
        let Body::Order(order) = &market.ledger.known.entry(hold).unwrap().body else { panic!() };
        match outcome {
            Outcome::Pending => reserved += order.total(),
            Outcome::Void => {}
            Outcome::Posted => {
                paid += order.total();
                let Body::Order(commit) =
                    &market.ledger.known.entry(&commit.unwrap()).unwrap().body
                else {
                    panic!()
                };
                arrived += commit.total();
                let (here, there) = (order.total() * 3, commit.total() * 2);
                prop_assert!((0..3).contains(&(here - there)), "{here} for {there}");
            }
        }
    }
    let ana = market.view("ana");
    prop_assert_eq!(ana.pending.minor, reserved);
    prop_assert!(ana.available.minor >= 0, "{ana:?}");
    prop_assert_eq!(market.view("kai").credits_posted.minor, paid);
    let kai = market.ledger.account(&moon(), &key("kai")).unwrap();
    prop_assert_eq!(kai.debits_posted.minor, arrived);
    for currency in [currency(), moon()] {
        prop_assert_eq!(market.ledger.balances(&currency).values().sum::<i128>(), 0);
    }
    Ok(())
}

/// What stands in the way goes, and everybody does what they owe until nothing is left. An order that
/// the agent signed and the witness refused since is the one thing that holds a hold back: a second
/// order at its number would be a fork.
fn heal(market: &mut Market) {
    let mut seen = Seen::default();
    take(market, &mut seen, Step::Quin { open: true });
    take(market, &mut seen, Step::Lend(100_000));
    loop {
        market.duties(NODE);
        market.duties(LUZ);
        if market.step().is_none() {
            return;
        }
    }
}

/// A node that follows only the hours, once somebody showed it how every hold ended.
fn reader(market: &mut Market, seen: &Seen) -> World {
    for hold in seen.holds.clone() {
        let Some(entry) = market.ledger.known.entry(&hold).cloned() else { continue };
        let Body::Order(order) = &entry.body else { continue };
        if let Some(resolution) = market.resolution(hold, order.extra().hold.as_ref().unwrap().seq)
        {
            let event = resolution_event(market, resolution);
            market.put(event);
        }
    }
    market.reader()
}

fn resolution_event(market: &Market, resolution: Resolution) -> VerifiedEvent {
    let body = Body::from(resolution);
    body.draft(&COMMUNITY).sign(&keys("ben"), market.now, [0; 32])
}

proptest! {
    #![proptest_config(cases(1_000))]

    /// OneOutcomePerHold and BothSidesOrNeither, at every step and after the last, for the node that
    /// follows both currencies and for one that follows the payer's only. OracleAgrees on both.
    #[test]
    fn both_sides_or_neither(steps in steps()) {
        let mut market = Market::new();
        let mut seen = Seen::default();
        for step in steps {
            take(&mut market, &mut seen, step);
            check(&market, &mut seen)?;
        }
        heal(&mut market);
        check(&market, &mut seen)?;
        prop_assert_eq!(market.view("ana").pending.minor, 0, "what is over holds nothing back");
        prop_assert!(market.ledger.forks().is_empty());
        let moons = Charter {
            id: MOONS.to_string(),
            community: MOONS.to_string(),
            key: key("lua").to_string(),
            witnesses: [key(LUZ).to_string()].into(),
            quorum: 1,
        };
        let reader = reader(&mut market, &seen);
        let naive = naive(&market, vec![oracle_charter(COMMUNITY, &[NODE], 1), moons]);
        for currency in [currency(), moon()] {
            agrees(&market, &naive, &currency)?;
        }
        for hold in &seen.holds {
            prop_assert_eq!(reader.ledger.hold_outcome(hold), market.ledger.hold_outcome(hold));
        }
        prop_assert_eq!(reader.ledger.currency_root(&currency()), market.ledger.currency_root(&currency()));
    }
}
