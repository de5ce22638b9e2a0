//! Whole communities in one thread, from one seed: several nodes, their members and stewards, and
//! everything that can happen to messages and machines. There are two communities, which trade with
//! each other through the keys of two nodes, and every node follows both.
//!
//! The nodes run the real desk over the real book; only the disk, the network and the clock are made
//! here. Messages are lost, repeated and reordered; the network splits; power fails between any two
//! writes; a node comes back from an old backup; a clock is days off; two devices race; a payer signs
//! twice; a witness lies, as far as the charter bears it; the charter changes meanwhile, and so does
//! what the communities agreed; a payee closes its account; and the nodes that clear trade die
//! between two steps.
//! [`laws`] are asked after every step. Then all is healed, and everyone must be served and agree.

mod acts;
mod deals;
mod guilt;
pub mod laws;
mod net;
mod seen;
mod trade;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use ayni_node::admission::Origin;
use ayni_node::book::Book;
use ayni_node::fence::Fence;
use ayni_protocol::{EventId, Timestamp, VerifiedEvent};

use crate::world::{Dice, SimNode, Town, Written, empty, keys};
use acts::Wallet;
use laws::Record;
pub use seen::Seen;
use trade::Terms;

/// Nodes of a world; the last one is never a witness.
const NODES: usize = 6;
/// Members: three that are honest and careful, one with two devices, one who cheats, and a guest.
const MEMBERS: u64 = 6;
const RACER: usize = 3;
const CHEAT: usize = 4;
/// The first member of the other community: two that are honest and careful, and a guest.
const NEIGHBOUR: usize = 6;
const NEIGHBOURS: u64 = 3;
/// Who is honest and careful, of both communities.
const HONEST: [usize; 5] = [0, 1, 2, 6, 7];
/// Who only is paid, and comes and goes, of each community.
const GUESTS: [usize; 2] = [5, 8];
/// The two communities. What is voted on and raised is the first one's.
const HERE: usize = 0;
const THERE: usize = 1;
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
    /// The node that clears shows the order that completes a hold, and its disk forgets it.
    ForgottenCommit,
    /// The clearing key completes holds that are not certified, and witnesses let it.
    EarlyCommit,
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
    towns: [Rc<Town>; 2],
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
    /// The charter under way in each community.
    reforming: [Option<EventId>; 2],
    step: usize,
    lossy: u64,
    calm: bool,
    liar: Option<usize>,
    /// The node whose disk is lost from time to time: neither the steward's nor the liar.
    victim: usize,
    /// The nodes that clear trade. None is the liar.
    agents: [usize; 2],
    /// What each community agreed to last.
    terms: [Terms; 2],
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
        world.deal();
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
        world.deal();
    }
    world.nodes.iter().map(|node| node.book.digest()).collect()
}

impl World {
    fn new(seed: u64, bug: Option<Bug>) -> Self {
        let mut dice = Dice::new(seed);
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
        let mut clears: Vec<usize> = (1..NODES).filter(|at| Some(*at) != liar).collect();
        let agents = [(); 2].map(|()| clears.swap_remove(dice.below(clears.len())));
        let towns = trade::found(agents, victim).map(Rc::new);
        let clearing = agents.map(|at| nodes[at].desk.keys.public());
        let terms = [HERE, THERE].map(|side| trade::first_terms(side, clearing[0]));
        let mut world = Self {
            lossy: dice.roll() % 40,
            dice,
            wallets: (0..MEMBERS + NEIGHBOURS).map(|_| Wallet::default()).collect(),
            record: Record::new(&clearing, &towns, terms),
            nodes,
            terms,
            towns,
            offsets,
            flights: Vec::new(),
            sides: vec![false; NODES],
            backups: vec![0; NODES],
            heard: BTreeMap::new(),
            roster: None,
            proposal: None,
            reforming: [None; 2],
            step: 0,
            calm: true,
            liar,
            victim,
            agents,
            bug,
            seen: Seen::default(),
            written: 0,
        };
        world.begin(alone);
        world
    }

    /// Both communities are founded, and perhaps have several witnesses from the start.
    fn begin(&mut self, alone: bool) {
        for event in self.towns.clone().iter().flat_map(|town| &town.founding) {
            let founded = self.submit(0, event, Origin::Import);
            assert!(founded.is_ok(), "the founding is in order");
        }
        if !alone {
            self.reform(HERE, &[0, 1, 2, 3]);
        }
        if self.dice.chance(25) {
            self.change_hands(THERE);
        }
        self.calm = false;
    }

    fn now(&self) -> Timestamp {
        START + u64::try_from(self.step).expect("few steps")
    }

    /// What a node's clock says.
    fn clock(&self, at: usize) -> Timestamp {
        self.now().saturating_add_signed(self.offsets[at])
    }

    /// After how many writes the power of a node goes out, if it does.
    fn power(&mut self, at: usize) -> Option<usize> {
        let percent = if self.agents.contains(&at) { 5 } else { 2 };
        (!self.calm && self.dice.chance(percent)).then(|| self.dice.below(4))
    }

    /// Hands an event to a node; whether it was acknowledged, or why not.
    fn submit(
        &mut self,
        at: usize,
        event: &VerifiedEvent,
        origin: Origin,
    ) -> Result<bool, ayni_protocol::Rejection> {
        let (now, cut_after) = (self.clock(at), self.power(at));
        let before = self.nodes[at].disk.len();
        let forced = self.bug.and_then(|bug| guilt::forced(bug, &self.nodes[at], event, now));
        let written = match forced {
            Some(attestation) => Ok(self.nodes[at].keep(vec![event.clone(), attestation])),
            None => self.nodes[at].take(event, origin, now, cut_after),
        };
        self.forget(at, before);
        self.spread(at, before, written != Ok(Written::Cut));
        self.forget_commit(at, before);
        let acknowledged = written? == Written::Acknowledged;
        if acknowledged && origin == Origin::Client {
            self.record.acknowledged.push((at, event.id));
        }
        Ok(acknowledged)
    }

    fn tick(&mut self, at: usize) {
        let (now, power) = (self.clock(at), self.power(at));
        let before = self.nodes[at].disk.len();
        let written = self.nodes[at].tick(now, power);
        self.spread(at, before, written != Written::Cut);
        self.forget_commit(at, before);
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
        let liar = self.liar.map(|at| self.nodes[at].desk.keys.public());
        self.record.check(&self.towns, liar)?;
        self.check_trade()?;
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
        self.settle(|world| world.attested_is_certified().is_ok());
        self.attested_is_certified()?;
        self.clear_the_way();
        self.settle(|world| !world.is_anybody_waiting());
        self.serve_everyone()?;
        self.serve_trade()?;
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
        self.nothing_is_reserved()?;
        self.check()
    }

    /// Time passes until nobody says anything more and this is done. Witnesses that wait for a
    /// proposal are quiet as well.
    fn settle(&mut self, done: impl Fn(&Self) -> bool) {
        let mut quiet = 0;
        for _ in 0..80 {
            let before = self.record.count();
            self.round();
            quiet = if self.record.count() == before { quiet + 1 } else { 0 };
            if quiet >= 3 && self.reforming == [None; 2] && done(self) {
                break;
            }
        }
    }

    /// Whether somebody careful signed what is not certified.
    fn is_anybody_waiting(&self) -> bool {
        self.wallets.iter().any(|wallet| wallet.under_way().is_some())
    }

    /// Everyone asks everyone once.
    fn exchange(&mut self) {
        for to in 0..NODES {
            for from in 0..to {
                self.reconcile(to, from);
            }
        }
    }

    /// What somebody said only just now reaches everybody, and what follows from it as well. How a
    /// hold ended is told once what proves it is on the disk.
    fn fall_silent(&mut self) {
        let mut before = 0;
        while before != self.record.count() {
            before = self.record.count();
            self.exchange();
            self.agents.into_iter().for_each(|at| self.tick(at));
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
        for member in HONEST {
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
        if book.digest() != self.nodes[0].book.digest() {
            return Err("SameSetSameBook: another order of arrival gave another book".into());
        }
        self.follow_one(&events)
    }

    fn summary(mut self) -> Seen {
        let book = &self.nodes[0].book;
        let view = book.ledger.currency(&self.towns[HERE].currency);
        self.seen.together = self.record.together;
        self.seen.payments = view.as_ref().map_or(0, |view| view.totals.orders);
        self.seen.epochs = view.map_or(0, |view| view.rules.epoch);
        let ended = |line: &String| line.starts_with("proposal|") && !line.ends_with("|-");
        self.seen.votes = u64::from(book.digest_lines().iter().any(ended));
        let proofs = book.ledger.fraud_proofs(&self.towns[HERE].currency);
        (self.seen.trades, self.seen.undone) = self.record.trades();
        self.seen.proofs = u64::try_from(proofs.len()).expect("few proofs");
        self.seen
    }
}
