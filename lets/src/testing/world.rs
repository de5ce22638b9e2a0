//! A community on a table: `ana pays ben 8` is signed, judged by the witness and booked.

use std::collections::{BTreeSet, VecDeque};

use ayni_protocol::{
    Amount, EventId, Part, PublicKey, Rejection, Ruling, Timestamp, VerifiedEvent,
};
use ayni_witness::Fact;

use super::{COMMUNITY, charter, currency, key, keys, rules, scale, sign};
use crate::*;

/// The witness of a community that has one.
pub const NODE: &str = "node";

/// A ledger, everything that was put into it, and a clock that ticks once for every event.
#[derive(Clone)]
pub struct World {
    pub ledger: Ledger,
    pub events: Vec<VerifiedEvent>,
    pub facts: Vec<Fact>,
    pub now: Timestamp,
}

impl World {
    /// A community with one witness and no rules yet.
    pub fn empty() -> Self {
        let mut world =
            Self { ledger: Ledger::default(), events: vec![], facts: vec![], now: 1_000 };
        world.learn(charter(COMMUNITY, &[NODE], 1, 0));
        world
    }

    /// A community with one witness, these rules, and accounts for these people.
    pub fn with(rules: Rules, people: &[&str]) -> Self {
        let mut world = Self::empty();
        world.add("sol", rules);
        for person in people {
            world.open(person, |_| {});
        }
        world
    }

    /// The usual rules, and accounts for these people.
    pub fn of(people: &[&str]) -> Self {
        Self::with(rules(key("sol")), people)
    }

    pub fn learn(&mut self, fact: Fact) {
        let mut facts = VecDeque::from([fact]);
        while let Some(fact) = facts.pop_front() {
            let mut more = vec![];
            self.ledger.learn(&fact, &mut more);
            self.facts.push(fact);
            facts.extend(more);
        }
    }

    pub fn put(&mut self, event: VerifiedEvent) -> EventId {
        let mut facts = vec![];
        let id = event.id;
        self.ledger.apply(Entry::read(&event).unwrap(), &mut facts);
        self.events.push(event);
        facts.into_iter().for_each(|fact| self.learn(fact));
        id
    }

    pub fn sign(&mut self, author: &str, body: impl Into<Body>) -> VerifiedEvent {
        self.now += 1;
        sign(author, body, self.now)
    }

    /// Signs, books, and lets the witness do what it then owes.
    pub fn add(&mut self, author: &str, body: impl Into<Body>) -> EventId {
        let event = self.sign(author, body);
        let id = self.put(event);
        self.duties(NODE);
        id
    }

    pub fn duties(&mut self, witness: &str) {
        while let Some(duty) = self.ledger.next_duty(&key(witness), 0) {
            self.now += 1;
            let event = duty.sign(&keys(witness), self.now, [0; 32]);
            self.put(event);
        }
    }

    pub fn open(&mut self, person: &str, change: impl FnOnce(&mut Policy)) -> EventId {
        let mut policy = Policy::open(currency(), key(person));
        change(&mut policy);
        self.add("sol", policy)
    }

    /// A further version of somebody's policy, signed by the community.
    pub fn change(&mut self, person: &str, change: impl FnOnce(&mut Policy)) -> EventId {
        let (id, policy) = self.ledger.latest_policy(&currency(), &key(person)).unwrap();
        let mut next = policy.next(id);
        change(&mut next);
        self.add("sol", next)
    }

    /// The next order of `payer`, written from what the ledger says.
    pub fn order(&self, payer: &str, payee: &str, minor: i64) -> Order {
        let (payer, payee) = (key(payer), key(payee));
        let (terms, rules) = self.ledger.terms(&currency(), &payer, &payee, minor).unwrap();
        Order::new(&terms, rules).unwrap()
    }

    /// What the witness says to an order, and what is booked of it.
    pub fn send(&mut self, signer: &str, order: Order) -> Verdict {
        let event = self.sign(signer, order);
        self.send_event(event)
    }

    pub fn send_event(&mut self, event: VerifiedEvent) -> Verdict {
        let verdict = self.ledger.judge(&event, &key(NODE), self.now);
        if let Verdict::Attest(ready) = &verdict {
            let draft = ready.clone().draft(self.ledger.next_log(&key(NODE)));
            let attestation = draft.sign(&keys(NODE), self.now, [0; 32]);
            self.put(event);
            self.put(attestation);
        }
        verdict
    }

    pub fn pay(&mut self, payer: &str, payee: &str, minor: i64) -> Verdict {
        let order = self.order(payer, payee, minor);
        self.send(payer, order)
    }

    /// A payment that goes through; its order.
    pub fn paid(&mut self, payer: &str, payee: &str, minor: i64) -> EventId {
        let order = self.order(payer, payee, minor);
        let event = self.sign(payer, order);
        let id = event.id;
        assert!(matches!(self.send_event(event), Verdict::Attest(_)));
        id
    }

    /// An attestation by any witness, of any order, as an honest one would write it.
    pub fn attest(&mut self, witness: &str, order: &VerifiedEvent) -> VerifiedEvent {
        self.attest_all(witness, &[order])
    }

    /// One attestation of several orders.
    pub fn attest_all(&mut self, witness: &str, orders: &[&VerifiedEvent]) -> VerifiedEvent {
        let all: Vec<_> = orders.iter().map(|order| repeat(order)).collect();
        let Some(Ok(Body::Order(first))) =
            orders.first().map(|order| Entry::read(order).map(|entry| entry.body))
        else {
            panic!("not an order")
        };
        self.state(witness, first.epoch, About::Orders(all))
    }

    /// A statement of any witness, at the next place of its log.
    pub fn state(&mut self, witness: &str, epoch: EventId, about: About) -> VerifiedEvent {
        let log = self.ledger.next_log(&key(witness));
        let statement = Statement { currency: currency(), epoch, log, about };
        self.sign(witness, Attestation::State(Box::new(statement)))
    }

    pub fn ruling(&self, id: EventId) -> Ruling<Reason> {
        self.ledger.ruling(&id).unwrap()
    }

    pub fn rules_id(&self) -> EventId {
        self.ledger.rules(&currency()).unwrap().0
    }

    pub fn balance(&self, person: &str) -> i128 {
        self.ledger.balances(&currency())[&key(person)]
    }

    pub fn view(&self, person: &str) -> view::AccountView {
        self.ledger.account(&currency(), &key(person)).unwrap()
    }
}

/// What an honest witness repeats of an order.
pub fn repeat(order: &VerifiedEvent) -> Repeat {
    let entry = Entry::read(order).unwrap();
    let Body::Order(body) = &entry.body else { panic!("not an order") };
    Repeat {
        order: order.id,
        payer: entry.speaker(),
        payee: body.payee().copied().unwrap_or_else(|| entry.speaker()),
        seq: body.seq,
        scale: body.scale,
        legs: body.legs.clone(),
        policy: EventId([2; 32]),
        over: None,
    }
}

/// The refusal in a verdict.
pub fn refusal(verdict: Verdict) -> Rejection {
    match verdict {
        Verdict::Refuse(rejection) | Verdict::Later(rejection) => rejection,
        other => panic!("not refused: {other:?}"),
    }
}

/// Plays sentences such as `limit 10; ana pays ben 8; ana pays ben 3` and tells what was refused
/// and what everybody holds in the end. Accounts open when first named.
pub fn play(sentences: &str) -> String {
    let mut table = Table {
        rules: rules(key("sol")),
        world: None,
        named: BTreeSet::new(),
        told: String::new(),
    };
    for sentence in sentences.split(';') {
        table.say(sentence.trim());
    }
    let world = table.world.unwrap();
    let mut told = table.told;
    for name in &table.named {
        told += &format!("{name} {}\n", Money::new(world.balance(name), scale()));
    }
    told
}

struct Table {
    rules: Rules,
    world: Option<World>,
    named: BTreeSet<String>,
    told: String,
}

impl Table {
    fn say(&mut self, sentence: &str) {
        let words: Vec<_> = sentence.split_whitespace().collect();
        match words.as_slice() {
            ["limit", amount] => self.rules.limit = minor(amount),
            ["max", amount] => self.rules.max = Some(minor(amount)),
            ["soft"] => self.rules.enforce = Enforce::Soft,
            ["earn", ppm, cap] => {
                self.rules.formula =
                    Some(Formula { share_ppm: ppm.parse().unwrap(), cap: minor(cap) });
            }
            ["levy", side, ppm, account] => {
                self.treasury(account);
                let side = if *side == "payer" { Side::Payer } else { Side::Payee };
                let (ppm, account) = (ppm.parse().unwrap(), key(account));
                self.rules.levies.push(Levy { side, ppm, account });
            }
            ["require", flag, amount] => self.rules.require.push(((*flag).into(), minor(amount))),
            [payer, "pays", payee, amount] => {
                self.name(payer);
                self.name(payee);
                let verdict = self.world().pay(payer, payee, minor(amount));
                self.tell(sentence, &verdict);
            }
            [payer, "refunds", payee, amount] => self.refund(sentence, payer, payee, minor(amount)),
            ["sol", "charges", from, to, amount] => {
                self.name(from);
                self.name(to);
                let place = self.world().ledger.next_charge_place(&currency()).unwrap();
                let charge = super::charge(from, to, minor(amount));
                self.world().add("sol", Charge { cseq: place.0, previous: place.1, ..charge });
            }
            ["sol", act, person] => {
                self.name(person);
                self.world().change(person, |policy| match *act {
                    "suspends" => policy.status = Status::Suspended,
                    "closes" => policy.status = Status::Closed,
                    "resumes" => policy.status = Status::Active,
                    "verifies" => _ = policy.flags.insert("id".into()),
                    other => panic!("{other}?"),
                });
            }
            ["sol", "limits", person, amount] => {
                self.name(person);
                let limit = Amount { minor: minor(amount), scale: scale() };
                self.world().change(person, |policy| policy.limit = Some(limit));
            }
            other => panic!("{other:?}?"),
        }
    }

    fn refund(&mut self, sentence: &str, payer: &str, payee: &str, minor: i64) {
        let order = self.world().order(payer, payee, minor);
        let original =
            self.world().events.iter().rev().find(|event| {
                event.kind == ayni_protocol::kind::ORDER && event.pubkey == key(payee)
            });
        let refund = Some(original.unwrap().id);
        let verdict = self.world().send(payer, order.with(|it| it.refund = refund));
        self.tell(sentence, &verdict);
    }

    fn world(&mut self) -> &mut World {
        let rules = &self.rules;
        self.world.get_or_insert_with(|| World::with(rules.clone(), &[]))
    }

    fn name(&mut self, person: &str) {
        if self.named.insert(person.into()) {
            let commons = person == "commons";
            self.world().open(person, |policy| {
                if commons {
                    policy.account_type = AccountType::Community;
                }
            });
        }
    }

    /// Levies are written before the rules are, so their account opens after them.
    fn treasury(&mut self, account: &str) {
        assert_eq!(account, "commons", "the table knows one treasury");
        assert!(self.world.is_none(), "rules come first");
    }

    fn tell(&mut self, sentence: &str, verdict: &Verdict) {
        if let Verdict::Refuse(rejection) | Verdict::Later(rejection) = verdict {
            self.told += &format!("{sentence} -> {rejection}\n");
        }
    }
}

/// `8` or `8.50` in minor units.
fn minor(text: &str) -> i64 {
    let (whole, part) = text.split_once('.').unwrap_or((text, "00"));
    format!("{whole}{part}").parse().unwrap()
}

/// Everything a ledger says, as text: equal exactly where two ledgers say the same.
pub fn told(ledger: &Ledger, ids: &[EventId], people: &[PublicKey]) -> String {
    let mut text = String::new();
    for id in ids {
        text += &format!("{id} {:?} {:?}\n", ledger.ruling(id), ledger.order_state(id));
    }
    for address in ledger.currencies() {
        text += &format!("{:?}\n", ledger.currency(address));
        text += &format!("{:?}\n", ledger.accounts(address).collect::<Vec<_>>());
        text += &format!("{:?}\n", ledger.requests_of(address, &people[0]));
        text += &format!("{:?}\n", ledger.certified_roots(address));
        text += &format!("{:?}\n", ledger.fraud_proofs(address));
        for person in people {
            text += &format!("{:?}\n", ledger.statement_of(address, person, 0, u64::MAX));
            text += &format!("{:?}\n", ledger.ratings_of(address, person));
        }
    }
    text += &format!("{:?}\n{:?}\n", ledger.forks(), ledger.digest_lines());
    text
}
