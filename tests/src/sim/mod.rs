//! Whole communities in one thread, from one seed: several nodes, their members and stewards, and
//! everything that can happen to messages and machines.
//!
//! The nodes run the real desk over the real book; only the disk, the network and the clock are made
//! here. Messages are lost, repeated and reordered; the network splits; power fails between any two
//! writes; a node comes back from an old backup; a clock is days off; two devices race; a payer signs
//! twice; a witness lies, as far as the charter bears it; and the charter changes meanwhile.
//! [`laws`] are asked after every step. Then all is healed, and everyone must be served and agree.

mod acts;
mod guilt;
pub mod laws;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use ayni_node::admission::Origin;
use ayni_node::book::Book;
use ayni_node::fence::Fence;
use ayni_protocol::{EventId, Timestamp, VerifiedEvent};
use ayni_witness::Timings;
use ayni_witness::beacon::Chain;

use crate::world::{Dice, SimNode, Town, Written, empty, keys};
use acts::Wallet;
use laws::Record;

/// Nodes of a world; the last one is never a witness.
const NODES: usize = 6;
/// Members: three that are honest and careful, one with two devices, one who cheats.
const MEMBERS: u64 = 5;
const RACER: usize = 3;
const CHEAT: usize = 4;
const STEPS: usize = 160;
const START: Timestamp = 1_790_000_000;
const DAY: u64 = 86_400;

/// A mistake that is made on purpose, to see that the laws find it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// The disk forgets every fortieth event that it promised to keep.
    DroppedEvent,
    /// Witnesses let payers pass their limit by one minor unit.
    LimitOffByOne,
    /// Witnesses attest another order at a place that is taken.
    SkippedLock,
    /// A witness that was restored from an old backup attests at once.
    SkippedFence,
}

/// What a run made happen, so that a world in which nothing happens is noticed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// Certified payments.
    pub payments: u64,
    /// Votes that came to an end.
    pub votes: u64,
    /// Rules that came into force after the first.
    pub epochs: u64,
    /// Proofs of fraud.
    pub proofs: u64,
    /// Starts from an old backup.
    pub restores: u64,
    /// Signatures of a lying witness.
    pub lies: u64,
}

impl Seen {
    /// Adds what another run made happen.
    pub const fn add(&mut self, more: Self) {
        self.payments += more.payments;
        self.votes += more.votes;
        self.epochs += more.epochs;
        self.proofs += more.proofs;
        self.restores += more.restores;
        self.lies += more.lies;
    }
}

impl std::fmt::Display for Seen {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { payments, votes, epochs, proofs, restores, lies } = self;
        write!(
            out,
            "{payments} payments, {votes} votes, {epochs} changes of rules, {restores} old \
             backups, {lies} lies, {proofs} proofs"
        )
    }
}

/// A message under way.
struct Flight {
    from: usize,
    to: usize,
    event: VerifiedEvent,
    due: usize,
}

struct World {
    dice: Dice,
    town: Town,
    nodes: Vec<SimNode>,
    /// By how many seconds a node's clock is off.
    offsets: Vec<i64>,
    flights: Vec<Flight>,
    /// On which side of a split a node is.
    sides: Vec<bool>,
    /// What each node's last backup holds: so many events.
    backups: Vec<usize>,
    /// Which others a node has heard since it was restored.
    heard: BTreeMap<usize, BTreeSet<usize>>,
    wallets: Vec<Wallet>,
    record: Record,
    roster: Option<EventId>,
    proposal: Option<EventId>,
    reforming: Option<EventId>,
    step: usize,
    lossy: u64,
    calm: bool,
    liar: Option<usize>,
    /// The node whose disk is lost from time to time: neither the steward's nor the liar.
    victim: usize,
    bug: Option<Bug>,
    seen: Seen,
    written: usize,
}

/// Runs the world of a seed.
///
/// # Errors
/// The law that was broken, and where.
pub fn run(seed: u64, bug: Option<Bug>) -> Result<Seen, String> {
    let mut world = World::new(seed, bug);
    while world.step < STEPS {
        world.step += 1;
        world.deliver();
        world.act();
        world.check().map_err(|law| format!("step {}: {law}", world.step))?;
    }
    world.heal()?;
    world.refold()?;
    Ok(world.summary())
}

/// Runs so many worlds from a seed on, on all processors; what they made happen.
///
/// # Errors
/// The seed of a world in which a law was broken, and the law.
///
/// # Panics
/// Where a world does.
pub fn run_all(from: u64, seeds: u64) -> Result<Seen, (u64, String)> {
    let (next, end) = (AtomicU64::new(from), from.saturating_add(seeds));
    let work = || {
        let mut seen = Seen::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end {
                return Ok(seen);
            }
            match run(seed, None) {
                Ok(more) => seen.add(more),
                Err(law) => {
                    // The others need not go on.
                    next.store(end, Ordering::Relaxed);
                    return Err((seed, law));
                }
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        running.into_iter().map(|thread| thread.join().expect("a world panicked")).collect()
    });
    let mut seen = Seen::default();
    for outcome in outcomes {
        seen.add(outcome?);
    }
    Ok(seen)
}

/// The digests of all nodes after some steps.
#[must_use]
pub fn digests(seed: u64, steps: usize) -> Vec<[u8; 32]> {
    let mut world = World::new(seed, None);
    while world.step < steps {
        world.step += 1;
        world.deliver();
        world.act();
    }
    world.nodes.iter().map(|node| node.book.digest()).collect()
}

impl World {
    fn new(seed: u64, bug: Option<Bug>) -> Self {
        let mut dice = Dice::new(seed);
        let (chain, _) = Chain::test([9; 32], START, 1);
        let timings = Timings { min_notice: 0, seal_window: 10, margin: 5, beacon_deadline: 1_000 };
        let town = Town::found(&keys(100), MEMBERS, chain, timings, START);
        let nodes: Vec<_> = (100..).take(NODES).map(|number| SimNode::new(keys(number))).collect();
        let alone = dice.chance(30);
        let liar = (!alone && dice.chance(40)).then(|| 1 + dice.below(3));
        let victim = 1 + dice.below(NODES - 1);
        let victim = if Some(victim) == liar { NODES - 1 } else { victim };
        let mut offsets = vec![0; NODES];
        if liar.is_none() && dice.chance(30) {
            let days = i64::try_from(1 + dice.roll() % 5).expect("a few");
            let sign = if dice.chance(50) { 1 } else { -1 };
            offsets[1 + dice.below(NODES - 1)] = sign * days * i64::try_from(DAY).expect("a day");
        }
        let mut world = Self {
            lossy: dice.roll() % 40,
            dice,
            wallets: town.members.iter().map(|_| Wallet::default()).collect(),
            record: Record::new(),
            nodes,
            town,
            offsets,
            flights: Vec::new(),
            sides: vec![false; NODES],
            backups: vec![0; NODES],
            heard: BTreeMap::new(),
            roster: None,
            proposal: None,
            reforming: None,
            step: 0,
            calm: true,
            liar,
            victim,
            bug,
            seen: Seen::default(),
            written: 0,
        };
        for event in &world.town.founding.clone() {
            let founded = world.submit(0, event, Origin::Import);
            assert!(founded.is_ok(), "the founding is in order");
        }
        if !alone {
            world.reform(&[0, 1, 2, 3]);
        }
        world.calm = false;
        world
    }

    fn now(&self) -> Timestamp {
        START + u64::try_from(self.step).expect("few steps")
    }

    /// What a node's clock says.
    fn clock(&self, at: usize) -> Timestamp {
        self.now().saturating_add_signed(self.offsets[at])
    }

    fn power(&mut self) -> Option<usize> {
        (!self.calm && self.dice.chance(4)).then(|| self.dice.below(4))
    }

    /// Hands an event to a node; whether it was acknowledged, or why not.
    fn submit(
        &mut self,
        at: usize,
        event: &VerifiedEvent,
        origin: Origin,
    ) -> Result<bool, ayni_protocol::Rejection> {
        let (now, cut_after) = (self.clock(at), self.power());
        let before = self.nodes[at].disk.len();
        let forced = self.bug.and_then(|bug| guilt::forced(bug, &self.nodes[at], event, now));
        let written = match forced {
            Some(attestation) => Ok(self.nodes[at].keep(vec![event.clone(), attestation])),
            None => self.nodes[at].take(event, origin, now, cut_after),
        };
        self.forget(at, before);
        self.spread(at, before);
        let acknowledged = written? == Written::Acknowledged;
        if acknowledged && origin == Origin::Client {
            self.record.acknowledged.push((at, event.id));
        }
        Ok(acknowledged)
    }

    fn tick(&mut self, at: usize) {
        let (now, power) = (self.clock(at), self.power());
        let before = self.nodes[at].disk.len();
        self.nodes[at].tick(now, power);
        self.spread(at, before);
    }

    /// The planted fault of a disk.
    fn forget(&mut self, at: usize, before: usize) {
        if self.bug != Some(Bug::DroppedEvent) || self.nodes[at].disk.len() == before {
            return;
        }
        self.written += 1;
        if self.written.is_multiple_of(40) {
            self.nodes[at].cut_back(before);
        }
    }

    /// Everything written since goes out to everyone: perhaps lost, perhaps twice, in any order.
    fn spread(&mut self, from: usize, before: usize) {
        let fresh: Vec<_> = self.nodes[from].disk.iter().skip(before).cloned().collect();
        for event in fresh {
            self.record.observe(&event);
            for to in (0..NODES).filter(|to| *to != from) {
                for _ in 0..=usize::from(self.dice.chance(15)) {
                    if !self.dice.chance(self.lossy) {
                        let due = self.step + self.dice.below(20);
                        self.flights.push(Flight { from, to, event: event.clone(), due });
                    }
                }
            }
        }
    }

    fn reaches(&self, from: usize, to: usize) -> bool {
        self.sides[from] == self.sides[to]
    }

    fn deliver(&mut self) {
        let step = self.step;
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.flights).into_iter().partition(|flight| flight.due <= step);
        self.flights = later;
        for flight in due {
            if self.reaches(flight.from, flight.to) {
                // A peer's event is stored, or refused for what it is.
                let _ = self.submit(flight.to, &flight.event, Origin::Peer);
            }
        }
    }

    /// One node asks another what it lacks, and gives what that one lacks.
    fn reconcile(&mut self, to: usize, from: usize) {
        for (to, from) in [(to, from), (from, to)] {
            let lacks = |event: &&VerifiedEvent| !self.nodes[to].holds(&event.id);
            let missing: Vec<_> = self.nodes[from].disk.iter().filter(lacks).cloned().collect();
            for event in missing {
                let _ = self.submit(to, &event, Origin::Peer);
            }
        }
        for (one, other) in [(to, from), (from, to)] {
            let Some(heard) = self.heard.get_mut(&one) else { continue };
            heard.insert(other);
            // It has heard everybody, whoever holds what it forgot.
            if heard.len() == NODES - 1 {
                self.nodes[one].desk.fence.lower();
                self.heard.remove(&one);
            }
        }
    }

    /// A node comes back from its last backup. What it had said and nobody has is lost.
    fn restore(&mut self, at: usize) {
        self.nodes[at].cut_back(self.backups[at]);
        self.flights.retain(|flight| flight.from != at);
        let node = &self.nodes[at];
        self.record.acknowledged.retain(|(by, id)| *by != at || node.holds(id));
        if self.bug != Some(Bug::SkippedFence) {
            self.nodes[at].desk.fence = Fence::up();
            self.heard.insert(at, BTreeSet::new());
        }
        self.record.again(&self.nodes, self.flights.iter().map(|flight| &flight.event));
        self.seen.restores += 1;
    }

    fn check(&mut self) -> Result<(), String> {
        self.record.check(&self.town, self.liar.map(|at| self.nodes[at].desk.keys.public()))?;
        for (at, id) in &self.record.acknowledged {
            if !self.nodes[*at].holds(id) {
                return Err(format!("AcknowledgedMeansDurable: node {at} lost {id}"));
            }
        }
        Ok(())
    }

    /// The faults stop. Time passes, everyone talks to everyone, and then all must be served.
    fn heal(&mut self) -> Result<(), String> {
        self.calm = true;
        self.lossy = 0;
        self.sides = vec![false; NODES];
        let mut quiet = 0;
        for _ in 0..80 {
            let before = self.record.count();
            self.round();
            quiet = if self.record.count() == before { quiet + 1 } else { 0 };
            // Witnesses that wait for a proposal are quiet as well.
            let waits = self.wallets.iter().any(|wallet| wallet.under_way().is_some());
            if quiet >= 3 && self.reforming.is_none() && !waits {
                break;
            }
        }
        self.serve_everyone()?;
        self.fall_silent();
        let digests: BTreeSet<_> = self.nodes.iter().map(|node| node.book.digest()).collect();
        if digests.len() > 1 {
            return Err("HealedMeansEqual: the nodes' digests differ".into());
        }
        let everywhere = |id: &EventId| self.nodes.iter().all(|node| node.holds(id));
        if self.record.acknowledged.iter().any(|(_, id)| !everywhere(id)) {
            return Err("HealedMeansEqual: an acknowledged event is not everywhere".into());
        }
        self.liars_are_named()?;
        self.check()
    }

    /// Everyone asks everyone once.
    fn exchange(&mut self) {
        for to in 0..NODES {
            for from in 0..to {
                self.reconcile(to, from);
            }
        }
    }

    /// What somebody said only just now reaches everybody, and what follows from it as well.
    fn fall_silent(&mut self) {
        let mut before = 0;
        while before != self.record.count() {
            before = self.record.count();
            self.exchange();
        }
    }

    /// A quarter of a minute in which all goes well.
    fn round(&mut self) {
        self.step += 15;
        for at in 0..NODES {
            self.tick(at);
        }
        self.exchange();
        self.adopt();
        for member in 0..RACER {
            self.insist(member, 0);
        }
    }

    /// SameSetSameBook: the same events in another order, some of them twice, give the same book.
    fn refold(&mut self) -> Result<(), String> {
        let mut events = self.nodes[0].disk.clone();
        for at in (1..events.len()).rev() {
            events.swap(at, self.dice.below(at + 1));
        }
        let mut book: Book = empty();
        for event in &events {
            book.apply(event);
            if self.dice.chance(20) {
                book.apply(event);
            }
        }
        if book.digest() == self.nodes[0].book.digest() {
            return Ok(());
        }
        Err("SameSetSameBook: another order of arrival gave another book".into())
    }

    fn summary(mut self) -> Seen {
        let book = &self.nodes[0].book;
        let view = book.ledger.currency(&self.town.currency);
        self.seen.payments = view.as_ref().map_or(0, |view| view.totals.orders);
        self.seen.epochs = view.map_or(0, |view| view.rules.epoch);
        let ended = |line: &String| line.starts_with("proposal|") && !line.ends_with("|-");
        self.seen.votes = u64::from(book.digest_lines().iter().any(ended));
        let proofs = book.ledger.fraud_proofs(&self.town.currency);
        self.seen.proofs = u64::try_from(proofs.len()).expect("few proofs");
        self.seen
    }
}
