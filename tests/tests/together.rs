//! Orders that come together are answered as if they had come one by one (protocol section 3): the
//! same are taken, the same refused with the same words, and the books are the same in the end.

use std::collections::BTreeSet;

use ayni_lets::{Attestation, Body, Enforce, Ledger, Policy, Rules};
use ayni_node::admission::Origin;
use ayni_node::book::Verdict;
use ayni_node::proof::{Shelf, gather};
use ayni_protocol::{
    Amount, Event, EventId, Filter, Keys, Part as _, Rejection, Timestamp, VerifiedEvent, kind,
};
use ayni_tests::world::{Dice, SimNode, Town, Written, empty, keys, order};
use ayni_witness::Timings;
use ayni_witness::beacon::Chain;

const NOW: Timestamp = 1_790_000_000;
const MEMBERS: usize = 5;

/// A town in which one member may hold little.
fn town(witness: &Keys) -> (Town, Vec<Keys>) {
    let mut town = Town::found(witness, 4, Chain::quicknet(), Timings::default(), NOW);
    let frugal = keys(77);
    let max = Some(Amount::parse("30.00").unwrap());
    let policy = Policy { max, ..Policy::open(town.currency.clone(), frugal.public()) };
    town.founding.push(Body::from(policy).draft(&town.id).sign(&town.key, NOW, [7; 32]));
    let members = town.members.iter().cloned().chain([frugal]).collect();
    (town, members)
}

fn node(witness: &Keys, town: &Town) -> SimNode {
    let mut node = SimNode::new(witness.clone());
    for event in &town.founding {
        node.take(event, Origin::Import, NOW, None).unwrap();
    }
    node
}

/// Payments as devices sign them, some of them twice for one number, and what is said to each that
/// comes alone.
fn one_by_one(
    seed: u64,
    node: &mut SimNode,
    (town, members): &(Town, Vec<Keys>),
) -> Vec<(VerifiedEvent, Result<(), Rejection>)> {
    let mut dice = Dice::new(seed);
    let mut all = Vec::new();
    for _ in 0..40 {
        let payer = &members[dice.below(MEMBERS)];
        let devices = 1 + usize::from(dice.chance(15));
        let signed = (0..devices).filter_map(|_| {
            let payee = &members[dice.below(MEMBERS)];
            let minor = 1 + i64::try_from(dice.below(4_000)).unwrap();
            order(town, &node.book, payer, payee, minor, NOW)
        });
        for event in signed.collect::<Vec<_>>() {
            let said = node.take(&event, Origin::Client, NOW, None);
            all.push((event, said.map(|written| assert_eq!(written, Written::Acknowledged))));
        }
    }
    all
}

/// What every attestation says of each order: by how much it passes the limit.
fn passed(node: &SimNode) -> BTreeSet<(EventId, Option<i64>)> {
    let statements = node.disk.iter().filter_map(|event| match Ledger::read(event).ok()?.body {
        Body::Attestation(Attestation::State(statement)) => Some(statement),
        _ => None,
    });
    let orders = statements.flat_map(|statement| statement.orders().to_vec());
    orders.map(|it| (it.order, it.over.map(|over| over.minor))).collect()
}

fn attestations(node: &SimNode) -> usize {
    node.disk.iter().filter(|event| event.kind == kind::ATTESTATION).count()
}

/// A node's disk, as whoever makes proofs asks it.
struct Disk<'a>(&'a [VerifiedEvent]);

impl Shelf for Disk<'_> {
    fn event(&self, id: &EventId) -> Option<Event> {
        let found = self.0.iter().find(|event| event.id == *id)?;
        Some(Event::clone(found))
    }

    fn matching(&self, filter: &Filter, limit: usize) -> Vec<Event> {
        let matching = self.0.iter().filter(|event| filter.matches(event)).take(limit);
        matching.map(|event| Event::clone(event)).collect()
    }
}

/// The proof of a payment rests on none of those that were attested with it.
#[test]
fn a_payment_is_proven_without_the_others() {
    let witness = keys(100);
    let (town, members) = town(&witness);
    let mut node = node(&witness, &town);
    let sign = |payer: usize, payee: usize| {
        order(&town, &node.book, &members[payer], &members[payee], 500, NOW).unwrap()
    };
    let orders = [sign(0, 1), sign(2, 3), sign(3, 1)];
    let (said, _) = node.take_all(&orders.iter().collect::<Vec<_>>(), Origin::Client, NOW, None);
    assert!(said.iter().all(Result::is_ok) && attestations(&node) == 1, "{said:?}");
    for order in &orders {
        let proof = gather(&Disk(&node.disk), &order.id).unwrap();
        let mut book = empty();
        for event in proof {
            assert!(event.kind != kind::ORDER || event.id == order.id, "another's payment");
            book.apply(&event.verify().unwrap());
        }
        assert_eq!(book.verdict(&order.id), Some(Verdict::Counted));
        assert!(!book.lacks(&book.waiting().collect::<Vec<_>>()), "an audit of it is complete");
    }
}

/// More orders than one statement holds: each is the last of its batch when it was taken, so that its
/// sender is told of it and not of an attestation.
#[test]
fn a_full_statement_is_followed_by_another() {
    let witness = keys(100);
    let town = Town::found(&witness, 20, Chain::quicknet(), Timings::default(), NOW);
    let mut node = node(&witness, &town);
    let pays = |payer| order(&town, &node.book, payer, &keys(1), 500, NOW).unwrap();
    let orders: Vec<_> = town.members.iter().skip(1).map(pays).collect();
    let all: Vec<_> = orders.iter().collect();
    let (said, _) = node.take_all(&all, Origin::Client, NOW, None);
    assert!(said.iter().all(Result::is_ok) && attestations(&node) == 2, "{said:?}");
}

#[test]
fn together_is_as_one_by_one() {
    compare(|town| town);
}

/// The same where limits do not bind, and attestations say by how much a payment passes one.
#[test]
fn together_is_as_one_by_one_where_limits_do_not_bind() {
    compare(|(mut town, members)| {
        let last = town.founding.iter().find(|event| event.kind == kind::RULES).unwrap();
        let Body::Rules(rules) = Ledger::read(last).unwrap().body else { panic!("no rules") };
        let soft = Rules {
            epoch: rules.epoch + 1,
            previous: Some(last.id),
            enforce: Enforce::Soft,
            ..Rules::clone(&rules)
        };
        town.founding.push(Body::from(soft).draft(&town.id).sign(&town.key, NOW, [7; 32]));
        (town, members)
    });
}

fn compare(change: impl FnOnce((Town, Vec<Keys>)) -> (Town, Vec<Keys>)) {
    let witness = keys(100);
    let world = change(town(&witness));
    let (mut refused, mut fewer) = (BTreeSet::new(), 0);
    for seed in 0..150 {
        let (mut single, mut together) = (node(&witness, &world.0), node(&witness, &world.0));
        let all = one_by_one(seed, &mut single, &world);
        let mut dice = Dice::new(seed);
        let mut rest = all.as_slice();
        while !rest.is_empty() {
            let (batch, later) = rest.split_at((1 + dice.below(40)).min(rest.len()));
            rest = later;
            let events: Vec<_> = batch.iter().map(|(event, _)| event).collect();
            let (said, _) = together.take_all(&events, Origin::Client, NOW, None);
            for ((event, alone), said) in batch.iter().zip(said) {
                assert_eq!(*alone, said, "seed {seed}: {}", event.json());
                refused.extend(said.err().map(|why| why.prefix));
            }
        }
        assert_eq!(single.book.digest(), together.book.digest(), "seed {seed}");
        let orders = |node: &SimNode| {
            let orders = node.disk.iter().filter(|event| event.kind == kind::ORDER);
            orders.map(|event| event.id).collect::<Vec<EventId>>()
        };
        assert_eq!(orders(&single), orders(&together), "seed {seed}");
        assert_eq!(passed(&single), passed(&together), "seed {seed}");
        fewer += attestations(&single) - attestations(&together);
    }
    assert!(refused.len() > 1, "little was refused: {refused:?}");
    assert!(fewer > 300, "hardly anything was attested together: {fewer}");
}
