//! The laws where several witnesses keep one book: each hears what it hears when it hears it, payers
//! sign twice, and one of the four witnesses signs anything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ayni_protocol::{Amount, EventId, Part as _, Prefix, PublicKey, VerifiedEvent, kind};
use ayni_witness::digest::closes_digest;
use ayni_witness::{Decision, Fact, Instance, Value};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::testing::{World, cases, charter, currency, key, keys, rules, scale};
use crate::*;

const SECOND: EventId = EventId([0xc1; 32]);
/// Four witnesses of whom three decide; the last one lies.
const SEATS: [&str; 4] = ["one", "two", "three", "liar"];
const QUORUM: usize = 3;
const PEOPLE: [&str; 3] = ["ana", "ben", "eve"];
const LIMIT: i128 = 1_000;

/// What happens next.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Somebody pays, over one witness. Who waits for a certificate sends the same order again.
    Pay { who: usize, by: usize, minor: i64, over: usize },
    /// Somebody pays without waiting, and may so sign two orders for one number.
    Rush { who: usize, by: usize, minor: i64, over: usize },
    /// A witness hears one event.
    Hear { back: usize, seat: usize },
    /// A witness hears everything.
    Listen { seat: usize },
    /// The liar attests an order, whatever it attested before.
    Lie { back: usize },
    /// A witness's machine is replaced by an old copy of it.
    Restore { seat: usize, back: usize },
    /// The community lowers a limit.
    Lower { who: usize, minor: i64 },
    /// The community publishes new rules.
    Change,
    /// It is decided that the closes hold which a witness knows, perhaps all but one.
    Decide { seat: usize, without: usize },
    /// The liar closes, whatever it signs after that.
    LiarCloses,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let people = || 0..PEOPLE.len();
    let pay = (people(), 1..PEOPLE.len(), 1_i64..800, 0_usize..3);
    let step = prop_oneof![
        6 => pay.clone().prop_map(|(who, by, minor, over)| Step::Pay { who, by, minor, over }),
        2 => pay.prop_map(|(who, by, minor, over)| Step::Rush { who, by, minor, over }),
        8 => (0_usize..12, 0_usize..3).prop_map(|(back, seat)| Step::Hear { back, seat }),
        3 => (0_usize..3).prop_map(|seat| Step::Listen { seat }),
        3 => (0_usize..6).prop_map(|back| Step::Lie { back }),
        1 => (0_usize..3, 1_usize..12).prop_map(|(seat, back)| Step::Restore { seat, back }),
        1 => (people(), 0_i64..900).prop_map(|(who, minor)| Step::Lower { who, minor }),
    ];
    vec(step, 4..26)
}

/// The same, and the rules change now and then.
fn steps_and_changes() -> impl Strategy<Value = Vec<Step>> {
    let change = prop_oneof![
        2 => Just(Step::Change),
        3 => (0_usize..3, 0_usize..8).prop_map(|(seat, without)| Step::Decide { seat, without }),
        1 => Just(Step::LiarCloses),
    ];
    (steps(), vec((any::<prop::sample::Index>(), change), 1..12)).prop_map(
        |(mut steps, changes)| {
            for (at, change) in changes {
                steps.insert(at.index(steps.len()), change);
            }
            steps
        },
    )
}

struct Net {
    /// Everything that was signed.
    all: World,
    /// What each witness heard.
    seats: Vec<World>,
    /// The latest order of each who waits.
    sent: BTreeMap<usize, VerifiedEvent>,
    rushed: BTreeSet<usize>,
    lowered: BTreeMap<usize, Lowered>,
}

/// Where every witness starts: nobody has paid yet.
fn start() -> &'static World {
    static START: std::sync::OnceLock<World> = std::sync::OnceLock::new();
    START.get_or_init(|| {
        let mut world = World::empty();
        world.learn(charter(SECOND, &SEATS, QUORUM, 0));
        world.add("sol", Rules { charter: SECOND, ..rules(key("sol")) });
        for person in PEOPLE {
            world.open(person, |_| {});
        }
        world
    })
}

/// A limit that was lowered, and how many events there were once it bound.
struct Lowered {
    policy: EventId,
    limit: i128,
    bound: Option<usize>,
}

impl Net {
    fn new() -> Self {
        let start = start();
        Self {
            all: start.clone(),
            seats: vec![start.clone(); SEATS.len()],
            sent: BTreeMap::new(),
            rushed: BTreeSet::new(),
            lowered: BTreeMap::new(),
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Pay { who, by, minor, over } => self.pay(who, by, minor, over),
            Step::Rush { who, by, minor, over } => {
                if let Some(order) = self.order(who, by, minor) {
                    self.rushed.insert(who);
                    self.hand_in(&order, over);
                }
            }
            Step::Hear { back, seat } => {
                let event = self.all.events.iter().rev().nth(back).cloned();
                event.into_iter().for_each(|event| self.hear(seat, &event));
            }
            Step::Listen { seat } => {
                for event in self.all.events.clone() {
                    self.hear(seat, &event);
                }
            }
            Step::Lie { back } => {
                let orders = self.all.events.iter().filter(|event| event.kind == kind::ORDER);
                let Some(order) = orders.rev().nth(back).cloned() else { return };
                let lie = self.all.attest("liar", &order);
                self.all.put(lie);
            }
            Step::Restore { seat, back } => self.restore(seat, back, true),
            Step::Lower { who, minor } => self.lower(who, minor),
            Step::Change => self.change(),
            Step::Decide { seat, without } => self.decide(seat, without),
            Step::LiarCloses => {
                if let Some(ready) = self.all.ledger.next_close(&key("liar")) {
                    let draft = ready.draft(self.all.ledger.next_log(&key("liar")));
                    self.all.put(draft.sign(&keys("liar"), self.all.now, [0; 32]));
                }
            }
        }
    }

    fn change(&mut self) {
        let (previous, current) = self.all.ledger.rules(&currency()).unwrap();
        let next = Rules { epoch: current.epoch + 1, previous: Some(previous), ..current.clone() };
        let event = self.all.sign("sol", next);
        self.all.put(event);
    }

    /// What the witnesses decide here in a moment, they come to by the steps of the council.
    fn decide(&mut self, seat: usize, without: usize) {
        for owed in self.seats[seat].ledger.handovers(&key(SEATS[seat])) {
            let mut closes = owed.closes;
            if closes.len() < QUORUM || self.all.ledger.handovers.contains_key(&owed.rules) {
                continue;
            }
            if let Some(left_out) = closes.iter().nth(without).copied()
                && closes.len() > QUORUM
            {
                closes.remove(&left_out);
            }
            let digest = closes_digest(owed.rules, &closes);
            let (subject, value) = (owed.rules, Value::Closes(Arc::new(closes)));
            let decision = Decision { subject, instance: Instance::Handover, value, digest };
            let fact = Fact::Decided(Arc::new(decision));
            let worlds = self.seats.iter_mut().chain([&mut self.all]);
            worlds.for_each(|world| world.learn(fact.clone()));
        }
    }

    /// Whoever waits signs the payment anew where a witness says that its rules are gone.
    fn sign_anew(&mut self, who: usize, by: usize, over: usize) {
        let Some(order) = self.sent.get(&who).filter(|order| !self.is_certified(&order.id)) else {
            return;
        };
        let said = self.seats[over].ledger.judge(order, &key(SEATS[over]), self.all.now + 60);
        if matches!(&said, Verdict::Refuse(why) if why.prefix == Prefix::Epoch)
            && let Some(order) = self.order(who, by, 1)
        {
            self.sent.insert(who, order.clone());
            self.hand_in(&order, over);
        }
    }

    /// The next order of somebody, where they see that they can pay it.
    fn order(&mut self, who: usize, by: usize, minor: i64) -> Option<VerifiedEvent> {
        let (payer, payee) = (PEOPLE[who], PEOPLE[(who + by) % PEOPLE.len()]);
        let funded = self.all.view(payer).available.minor >= minor.into();
        let order = funded.then(|| self.all.order(payer, payee, minor))?;
        Some(self.all.sign(payer, order))
    }

    fn pay(&mut self, who: usize, by: usize, minor: i64, over: usize) {
        let waiting = self.sent.get(&who).filter(|order| !self.is_certified(&order.id)).cloned();
        match waiting {
            Some(order) => {
                self.hear(over, &order);
                self.sign_anew(who, by, over);
            }
            None if self.rushed.contains(&who) => {}
            None => {
                let Some(order) = self.order(who, by, minor) else { return };
                self.sent.insert(who, order.clone());
                self.hand_in(&order, over);
            }
        }
    }

    fn is_certified(&self, order: &EventId) -> bool {
        self.all.ledger.order_state(order).state == view::OrderState::Certified
    }

    fn hand_in(&mut self, order: &VerifiedEvent, over: usize) {
        self.all.put(order.clone());
        self.hear(over, order);
    }

    fn lower(&mut self, who: usize, minor: i64) {
        if self.lowered.contains_key(&who) {
            return;
        }
        let limit = Some(Amount { minor, scale: scale() });
        let (id, policy) = self.all.ledger.latest_policy(&currency(), &key(PEOPLE[who])).unwrap();
        let event = Policy { limit, ..policy.next(id) };
        let event = self.all.sign("sol", event);
        let policy = self.all.put(event);
        self.lowered.insert(who, Lowered { policy, limit: minor.into(), bound: None });
    }

    /// A witness starts from a copy of its machine that lacks the last events. What it signed had
    /// reached another honest witness, and behind the fence it first hears what all others hold.
    fn restore(&mut self, seat: usize, back: usize, fence: bool) {
        let (me, old) = (key(SEATS[seat]), self.seats[seat].clone());
        for event in old.events.iter().filter(|event| event.pubkey == me) {
            self.hear((seat + 1) % QUORUM, event);
        }
        let mut copy = start().clone();
        let decided = old.facts.iter().filter(|fact| matches!(fact, Fact::Decided(_)));
        decided.for_each(|fact| copy.learn(fact.clone()));
        let kept = old.events.len().saturating_sub(back);
        let others = self.seats.iter().enumerate().filter(|(other, _)| fence && *other != seat);
        let heard = others.flat_map(|(_, other)| &other.events);
        for event in old.events.iter().take(kept).chain(heard) {
            if copy.ledger.ruling(&event.id).is_none() {
                copy.put(event.clone());
            }
        }
        self.seats[seat] = copy;
        self.work(seat);
    }

    /// A witness hears an event and, unless it is the liar, does what it then owes.
    fn hear(&mut self, seat: usize, event: &VerifiedEvent) {
        let world = &mut self.seats[seat];
        if world.ledger.ruling(&event.id).is_some() {
            return;
        }
        world.put(event.clone());
        self.work(seat);
    }

    /// A witness signs what it owes by now.
    fn work(&mut self, seat: usize) {
        let me = key(SEATS[seat]);
        while let Some(duty) = self.seats[seat].ledger.next_duty(&me, self.all.now) {
            self.all.now += 1;
            let signed = duty.sign(&keys(SEATS[seat]), self.all.now, [0; 32]);
            self.seats[seat].put(signed.clone());
            self.all.put(signed);
        }
        for lowered in self.lowered.values_mut().filter(|lowered| lowered.bound.is_none()) {
            let certified = self.all.ledger.is_certified(&currency(), &lowered.policy);
            lowered.bound = certified.then_some(self.all.events.len());
        }
    }

    /// Everybody hears everything, until nothing new is said, though time passes: an order whose
    /// home witness is silent waits a while for it.
    fn heal(&mut self) {
        let mut before = 0;
        while before != self.all.events.len() {
            before = self.all.events.len();
            self.all.now += 60;
            for seat in 0..SEATS.len() - 1 {
                self.take(Step::Listen { seat });
                self.work(seat);
                self.decide(seat, usize::MAX);
            }
            for who in 0..PEOPLE.len() {
                if !self.rushed.contains(&who) {
                    self.sign_anew(who, 1, 0);
                }
            }
        }
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let book = &self.all.ledger.books[&currency()];
        let balances = self.all.ledger.balances(&currency());
        prop_assert_eq!(balances.values().sum::<i128>(), 0);
        for (who, name) in PEOPLE.iter().enumerate() {
            let account = book.accounts.get(&key(name)).unwrap();
            for seq in 0..account.orders.next_seq() {
                let count = account.orders.certified_at(seq).count();
                prop_assert_eq!(count, 1, "two orders at one number");
            }
            prop_assert!(account.balance() >= -LIMIT, "{name} stands at {}", account.balance());
            if let Some(Lowered { limit, bound: Some(bound), .. }) = self.lowered.get(&who) {
                let last = account.orders.certified().last();
                let later = self.all.events.iter().skip(*bound);
                let is_later = later.into_iter().any(|event| Some(event.id) == last);
                prop_assert!(!is_later || account.balance() >= -limit, "{name} was lowered");
            }
        }
        self.honest_signed_nothing_twice()
    }

    /// In the end: whoever paid honestly is paid for, and everybody keeps the same book.
    fn all_are_served(&self) -> Result<(), TestCaseError> {
        self.check()?;
        for (who, order) in &self.sent {
            let hindered = self.rushed.contains(who) || self.lowered.contains_key(who);
            prop_assert!(hindered || self.is_certified(&order.id), "{} waits", PEOPLE[*who]);
        }
        let digest = self.all.ledger.digest_lines();
        for seat in &self.seats[..3] {
            prop_assert_eq!(seat.ledger.digest_lines(), digest.clone());
        }
        Ok(())
    }

    fn honest_signed_nothing_twice(&self) -> Result<(), TestCaseError> {
        let rushed: BTreeSet<PublicKey> = self.rushed.iter().map(|who| key(PEOPLE[*who])).collect();
        for fork in self.all.ledger.forks() {
            let honest = match fork.case {
                Case::Order => !rushed.contains(&fork.whose),
                _ => fork.whose != key("liar"),
            };
            prop_assert!(!honest, "an honest key forked: {fork:?}");
        }
        Ok(())
    }

    /// The two events that a fork's proof shows.
    fn evidence(&self, fork: &view::ForkView) -> Vec<VerifiedEvent> {
        let shows = |event: &&VerifiedEvent| match fork.case {
            Case::Attest => {
                event.pubkey == fork.whose
                    && event.kind == kind::ATTESTATION
                    && fork.events.iter().any(|order| event.json().contains(&order.to_string()))
            }
            _ => fork.events.contains(&event.id),
        };
        self.all.events.iter().filter(shows).cloned().collect()
    }
}

proptest! {
    #![proptest_config(cases(1_000))]

    /// NoOneBeyondTheirLimit, OneOrderPerSeat, AcknowledgedBinds and ZeroSum at every step;
    /// RestoredSignNothingTwice at every step; HonestOrdersAreCertified, SameSetSameBook and
    /// ForksAreProvable after the last.
    #[test]
    fn honest_orders_are_certified(steps in steps()) {
        let mut net = Net::new();
        for step in steps {
            net.take(step);
            net.check()?;
        }
        net.heal();
        net.all_are_served()?;
        for fork in net.all.ledger.forks() {
            let shown = net.evidence(&fork);
            let proven = shown.iter().flat_map(|one| shown.iter().map(move |two| (one, two))).any(
                |(one, two)| Fraud::new(currency(), fork.case, one, two).is_ok(),
            );
            prop_assert!(proven, "{fork:?}");
        }
    }
}

proptest! {
    #![proptest_config(cases(1_000))]

    /// EpochsLoseNothing, with ZeroSum, OneOrderPerSeat and the limits at every step.
    #[test]
    fn epochs_lose_nothing(steps in steps_and_changes()) {
        let (mut net, mut certified) = (Net::new(), BTreeSet::new());
        for step in steps {
            net.take(step);
            net.check()?;
            let book = &net.all.ledger.books[&currency()];
            let accounts = PEOPLE.iter().filter_map(|name| book.accounts.get(&key(name)));
            let now: BTreeSet<_> = accounts.flat_map(|account| account.orders.certified()).collect();
            prop_assert!(now.is_superset(&certified), "a certificate is gone");
            certified = now;
        }
        net.heal();
        net.all_are_served()?;
    }
}

/// RestoredSignNothingTwice, and that the fence is why.
#[test]
fn restored_sign_nothing_twice() {
    for fence in [true, false] {
        let mut net = Net::new();
        for minor in [100, 200] {
            net.take(Step::Pay { who: 0, by: 1, minor, over: 0 });
            net.heal();
        }
        let signed = net.seats[0].ledger.next_log(&key(SEATS[0]));
        net.restore(0, net.seats[0].events.len(), fence);
        net.take(Step::Pay { who: 1, by: 1, minor: 50, over: 0 });
        net.heal();
        assert_eq!(net.honest_signed_nothing_twice().is_ok(), fence);
        let goes_on = net.seats[0].ledger.next_log(&key(SEATS[0])).index > signed.index;
        assert!(goes_on || !fence, "behind the fence its log goes on where it was");
    }
}

/// ForksAreProvable: a proof counts, names the fork, and suspends whoever signed two orders.
#[test]
fn forks_are_provable() {
    let mut net = Net::new();
    for minor in [100, 200] {
        net.take(Step::Rush { who: 0, by: 1, minor, over: 0 });
    }
    net.take(Step::Lie { back: 0 });
    net.take(Step::Lie { back: 1 });
    let forks = net.all.ledger.forks();
    let cases: Vec<_> = forks.iter().map(|fork| fork.case).collect();
    assert_eq!(cases, [Case::Order, Case::Attest]);
    for fork in forks {
        let [one, two] = net.evidence(&fork).try_into().unwrap();
        let fraud = Fraud::new(currency(), fork.case, &one, &two).unwrap();
        assert_eq!((fraud.case, fraud.place), (fork.case, (fork.whose, fork.number)));
        let proof = net.all.sign("ben", fraud);
        let proof = net.all.put(proof);
        assert!(net.all.ledger.fraud_proofs(&currency()).contains(&proof));
    }
    assert_eq!(net.all.view("ana").status, Status::Suspended);
}
