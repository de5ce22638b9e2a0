//! A small notation for tests: what happens to raffles, one sentence after another.
//!
//! `raffle r cap 3; ana pays o 10.00; ana buys t 2 with o; box r t; round r; result r`
//!
//! Names are ids: `sha256(name)`. There is a charter, a currency of two decimals, the members ana,
//! ben, cyd and org, the cause `roof`, the escrow account `till`, and nobody else. A raffle costs
//! 5.00 a unit, opens at 100, closes at 200, has one prize, and gives what it takes to `roof`.
//! Every step is kept, so that it can be told again in any other order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ayni_protocol::{Address, Amount, EventId, Part, PublicKey, Ruling, Scale, kind};
use ayni_witness::beacon::Chain;
use ayni_witness::canonical::sha256;
use ayni_witness::{
    Account, Charter, Decision, Fact, Instance, Leg, Payment, Payout, Round, Timings, Value,
};

use crate::read::{ClaimEntry, DrawEntry, Entry, ListEntry, RaffleEntry, Says, TicketEntry};
use crate::spec::{Entropy, Place, Prize, RaffleSpec, Referral, Share};
use crate::{Drum, Reason};

/// One thing a drum is told.
#[derive(Debug, Clone)]
pub enum Step {
    Entry(Entry),
    Fact(Fact),
}

/// A drum, and what it was told and said.
#[derive(Default)]
pub struct Scene {
    pub drum: Drum,
    pub steps: Vec<Step>,
    pub facts: Vec<Fact>,
    /// Names of events in the order they came up.
    named: Vec<String>,
}

pub fn id(name: &str) -> EventId {
    EventId(sha256(name))
}

pub fn key(name: &str) -> PublicKey {
    PublicKey(sha256(name))
}

pub fn currency() -> Address {
    Address { kind: kind::CURRENCY, author: key("community"), identifier: "h".into() }
}

pub fn chain() -> Chain {
    Chain { hash: [7; 32], public_key: Vec::new(), genesis: 0, period: 10, scheme: "none".into() }
}

pub fn charter(beacon: Option<Chain>) -> Charter {
    let name = if beacon.is_some() { "charter" } else { "dark" };
    Charter {
        id: id(name),
        community: id("charter"),
        community_key: key("community"),
        previous: None,
        name: "Vale".into(),
        languages: vec!["en".into()],
        country: Some("GB".into()),
        region: None,
        witnesses: Vec::new(),
        quorum: 1,
        stewards: BTreeSet::new(),
        approvals: 0,
        beacon,
        timings: Timings { seal_window: 50, margin: 10, ..Timings::default() },
    }
}

/// The first version of an account; inviters are ana for ben, and ben for cyd.
pub fn account(name: &str, account_type: &str) -> Account {
    let inviter = match name {
        "ben" => Some(key("ana")),
        "cyd" => Some(key("ben")),
        _ => None,
    };
    Account {
        policy: id(&format!("policy-{name}")),
        community: id("charter"),
        currency: currency(),
        account: key(name),
        version: 1,
        account_type: account_type.into(),
        active: true,
        signers: [key(name)].into(),
        flags: BTreeSet::new(),
        inviter,
    }
}

/// The terms every raffle of a scene starts from.
pub fn priced() -> RaffleSpec {
    RaffleSpec {
        titles: Vec::new(),
        text: String::new(),
        prizes: vec![Prize { text: "Cake".into(), share_bp: None }],
        currency: Some(currency()),
        price: Amount::parse("5.00").unwrap(),
        max_per_person: None,
        min_units: 0,
        max_units: None,
        opens: 100,
        closes: 200,
        grace: 0,
        entropy: Entropy::Drand,
        scope: crate::spec::Scope::Person,
        reserves: 1,
        claim_days: None,
        escrow: Some(key("till")),
        to: vec![Share { account: key("roof"), bp: 0 }],
        referral: None,
        legal: None,
        min_age: None,
    }
}

/// The round that draws a raffle which closes at 200: `ceil((200 + 0 + 50) / 10) + 1`.
pub const ROUND: u64 = 26;

pub fn raffle(name: &str, spec: RaffleSpec) -> RaffleEntry {
    let round = chain().round_at_or_after(spec.last_receipt() + 50);
    let (community, charter) = (id("charter"), id("charter"));
    let place = Place { community, charter, round, seq: 0, previous: None };
    RaffleEntry { id: id(name), organiser: key("org"), created_at: 50, place, spec }
}

pub fn payment(order: &str, payer: &str, minor: i64) -> Payment {
    Payment {
        order: id(order),
        community: id("charter"),
        currency: currency(),
        scale: Scale::new(2).unwrap(),
        payer: key(payer),
        legs: vec![Leg { account: key("till"), minor, purpose: String::new() }],
        refund_of: None,
        purpose: None,
        pay: None,
    }
}

/// The certified order that makes a prescribed payment.
pub fn settlement(payout: &Payout) -> Payment {
    Payment {
        order: EventId(sha256(payout.pay)),
        payer: payout.escrow,
        legs: vec![Leg { account: payout.to, minor: payout.minor, purpose: String::new() }],
        refund_of: payout.refund_of,
        pay: Some(payout.pay),
        ..payment("", "till", payout.minor)
    }
}

pub fn decided(subject: EventId, instance: Instance, value: Value) -> Fact {
    let digest = sha256(format!("{instance:?}{value:?}"));
    Fact::Decided(Arc::new(Decision { subject, instance, value, digest }))
}

pub fn round(number: u64, randomness: u8) -> Fact {
    let (chain, randomness) = ([7; 32], [randomness; 32]);
    Fact::Beacon(Round { chain, round: number, randomness, signature: Vec::new() })
}

impl Scene {
    /// With the charter and everyone's accounts.
    pub fn new() -> Self {
        let mut scene = Self::default();
        scene.tell(Step::Fact(Fact::Charter(Arc::new(charter(Some(chain()))))));
        for name in ["ana", "ben", "cyd", "org"] {
            scene.fact(Fact::Account(Arc::new(account(name, "member"))));
        }
        scene.fact(Fact::Account(Arc::new(account("till", "escrow"))));
        scene.fact(Fact::Account(Arc::new(account("roof", "cause"))));
        scene
    }

    /// A scene in which all this happened.
    pub fn of(sentences: &str) -> Self {
        let mut scene = Self::new();
        for sentence in sentences.split(';') {
            scene.say(sentence);
        }
        scene
    }

    pub fn tell(&mut self, step: Step) {
        self.steps.push(step.clone());
        tell(&mut self.drum, step, &mut self.facts);
    }

    pub fn fact(&mut self, fact: Fact) {
        self.tell(Step::Fact(fact));
    }

    pub fn entry(&mut self, name: &str, entry: Entry) {
        self.named.push(name.into());
        self.tell(Step::Entry(entry));
    }

    pub fn say(&mut self, sentence: &str) {
        let words: Vec<_> = sentence.split_whitespace().collect();
        match words.as_slice() {
            ["raffle", name, terms @ ..] => self.say_raffle(name, terms),
            ["dark"] => self.fact(Fact::Charter(Arc::new(charter(None)))),
            ["box", name, tickets @ ..] => {
                let boxed = tickets.iter().map(|ticket| id(ticket)).collect();
                self.fact(decided(id(name), Instance::Close, Value::Box(Arc::new(boxed))));
            }
            ["void", name, reason] => {
                let value = Value::Void((*reason).into());
                self.fact(decided(id(name), Instance::Close, value));
            }
            ["round", name] => {
                let place = self.drum.raffles[&id(name)].entry.place;
                self.fact(round(place.round, 9));
            }
            ["result", name] => self.say_result(name),
            ["result-void", name, reason] => {
                let value = Value::Void((*reason).into());
                self.fact(decided(id(name), Instance::Outcome, value));
            }
            ["disputed", name] => self.fact(Fact::Disputed { subject: id(name) }),
            ["settle"] => self.settle(),
            [who, verb, rest @ ..] => self.say_of(who, verb, rest),
            _ => panic!("what is {sentence:?}?"),
        }
    }

    fn say_raffle(&mut self, name: &str, terms: &[&str]) {
        let mut entry = raffle(name, priced());
        let number = |text: &str| text.parse::<u32>().unwrap();
        for term in terms.chunks(2) {
            let spec = &mut entry.spec;
            match term {
                ["price", price] => spec.price = Amount::parse(price).unwrap(),
                ["cap", cap] => spec.max_per_person = Some(number(cap)),
                ["max", max] => spec.max_units = Some(number(max).into()),
                ["age", age] => spec.min_age = Some(number(age)),
                ["closes", closes] => spec.closes = number(closes).into(),
                ["entropy", _] => spec.entropy = Entropy::Ceremony,
                ["prizes", list] => {
                    let prize = |bp: &str| Prize {
                        text: "Prize".into(),
                        share_bp: Some(number(bp)).filter(|bp| *bp > 0),
                    };
                    spec.prizes = list.split(',').map(prize).collect();
                }
                ["to", "nobody"] => spec.to.clear(),
                ["referral", bp] => {
                    spec.referral = Some(Referral { first_bp: number(bp), second_bp: number(bp) });
                }
                ["by", who] => entry.organiser = key(who),
                ["charter", charter] => entry.place.charter = id(charter),
                ["h", community] => entry.place.community = id(community),
                ["seq", seq] => entry.place.seq = number(seq).into(),
                ["prev", previous] => entry.place.previous = Some(id(previous)),
                ["escrow", escrow] => spec.escrow = Some(key(escrow)),
                _ => panic!("what is {term:?}?"),
            }
        }
        let draws_at = entry.spec.last_receipt() + 50;
        entry.place.round = chain().round_at_or_after(draws_at);
        self.entry(name, Entry::Raffle(Box::new(entry)));
    }

    fn say_result(&mut self, name: &str) {
        let result = self.drum.raffles[&id(name)].draw.as_ref().map(|draw| draw.sha256);
        let value = Value::Result(result.unwrap_or([0; 32]));
        self.fact(decided(id(name), Instance::Outcome, value));
    }

    fn say_of(&mut self, who: &str, verb: &str, rest: &[&str]) {
        let minor = |text: &str| Amount::parse(text).unwrap().minor;
        match (verb, rest) {
            ("pays", [order, amount]) => {
                self.fact(Fact::Certified(Arc::new(payment(order, who, minor(amount)))));
            }
            ("pays", [order, amount, "to", account]) => {
                let mut payment = payment(order, who, minor(amount));
                payment.legs[0].account = key(account);
                self.fact(Fact::Certified(Arc::new(payment)));
            }
            ("pays", [order, amount, "for", raffle]) => {
                let mut payment = payment(order, who, minor(amount));
                payment.purpose = Some(crate::draft::purpose(key("org"), id(raffle)));
                self.fact(Fact::Certified(Arc::new(payment)));
            }
            ("pays", [order, amount, "in", slug]) => {
                let mut payment = payment(order, who, minor(amount));
                payment.currency.identifier = (*slug).into();
                self.fact(Fact::Certified(Arc::new(payment)));
            }
            ("buys", [ticket, quantity, raffle, rest @ ..]) => {
                let order = match rest {
                    ["with", order] => Some(id(order)),
                    _ => None,
                };
                let entry = TicketEntry {
                    id: id(ticket),
                    author: key(who),
                    community: id(if rest == ["elsewhere"] { "other" } else { "charter" }),
                    raffle: id(raffle),
                    quantity: quantity.parse().unwrap(),
                    order,
                };
                self.entry(ticket, Entry::Ticket(entry));
            }
            ("is", flags) => {
                let flags = flags.iter().map(ToString::to_string).collect();
                let later = Account { version: 2, flags, ..account(who, "member") };
                self.fact(Fact::Account(Arc::new(later)));
            }
            ("joins", []) => self.fact(Fact::Account(Arc::new(account(who, "member")))),
            ("keeps", ["escrow"]) => self.fact(Fact::Account(Arc::new(account(who, "escrow")))),
            _ => self.say_note(who, verb, rest),
        }
    }

    fn say_note(&mut self, who: &str, verb: &str, rest: &[&str]) {
        let name = format!("{who} {verb} {}", rest.join(" "));
        let number = |text: &str| text.parse::<u32>().unwrap();
        let (community, created_at) = (id("charter"), 150);
        let claim = |says, raffle: &str, created_at| {
            let (author, raffle) = (key(who), id(raffle));
            Entry::Claim(ClaimEntry { id: id(&name), author, created_at, community, raffle, says })
        };
        let entry = match (verb, rest) {
            ("claims", [prize, raffle]) => claim(Says::Claim(number(prize)), raffle, created_at),
            ("delivers", [prize, raffle]) => {
                claim(Says::Delivered(number(prize)), raffle, created_at)
            }
            ("cancels", [raffle]) => claim(Says::Cancelled, raffle, created_at),
            ("cancels", [raffle, "at", at]) => claim(Says::Cancelled, raffle, number(at).into()),
            ("publishes", ["draw", raffle]) => {
                let result = self.drum.result_json(&id(raffle)).map_or([0; 32], sha256);
                Entry::Draw(DrawEntry { id: id(&name), community, raffle: id(raffle), result })
            }
            ("publishes", ["list", raffle]) => {
                let list = self.drum.list(&id(raffle));
                Entry::List(ListEntry {
                    id: id(&name),
                    community,
                    raffle: id(raffle),
                    tickets: list.map_or(9, |list| list.lots().len().try_into().unwrap()),
                    units: list.map_or(9, crate::TicketList::units),
                    root: list.map_or([0; 32], |list| *list.root()),
                    content: list.map(|list| sha256(list.leaves_base64())),
                })
            }
            _ => panic!("what does it mean that {name}?"),
        };
        self.entry(&name, entry);
    }

    /// Another drum that was told the same.
    pub fn drum_again(&self) -> Drum {
        let mut drum = Drum::new();
        for step in &self.steps {
            tell(&mut drum, step.clone(), &mut Vec::new());
        }
        drum
    }

    /// Everything prescribed is certified.
    pub fn settle(&mut self) {
        for payout in self.prescribed() {
            self.fact(Fact::Certified(Arc::new(settlement(&payout))));
        }
    }

    /// Everything prescribed so far.
    pub fn prescribed(&self) -> Vec<Payout> {
        let payout = |fact: &Fact| match fact {
            Fact::Prescribed(payout) => Some(Payout::clone(payout)),
            _ => None,
        };
        self.facts.iter().filter_map(payout).collect()
    }

    /// What became of a named event.
    pub fn ruling(&self, name: &str) -> Option<Ruling<Reason>> {
        self.drum.ruling(&id(name))
    }

    /// Everyone's name for a key.
    pub fn who(&self, who: &PublicKey) -> &'static str {
        let names = ["ana", "ben", "cyd", "org", "till", "roof", "zoe"];
        names.into_iter().find(|name| key(name) == *who).unwrap_or("?")
    }

    /// What became of every event, then every raffle's state and payments, one a line.
    pub fn report(&self) -> String {
        let mut lines = Vec::new();
        for name in &self.named {
            let ruling = match self.ruling(name) {
                Some(Ruling::Counted) => "counts".into(),
                Some(Ruling::Void(reason)) => format!("is void: {}", reason.code()),
                Some(Ruling::Waiting(premise)) => self.premise(&premise.to_string()),
                None => "is unknown".into(),
            };
            lines.push(format!("{name} {ruling}"));
        }
        for name in &self.named {
            let Some(view) = self.drum.raffle(&id(name), 150) else { continue };
            let pays = |payout: &crate::view::PayoutView| {
                let paid = if payout.paid_by.is_some() { "paid" } else { "due" };
                format!("{} {} {paid}", self.who(&payout.to), payout.amount)
            };
            let payouts: Vec<_> = view.payouts.iter().map(pays).collect();
            let refunds: Vec<_> = view.refunds.iter().map(pays).collect();
            let list = |verb: &str, list: &[String]| match list {
                [] => String::new(),
                list => format!("; {verb} {}", list.join(", ")),
            };
            let state = view.line.state;
            lines.push(format!(
                "{name}: {state}{}{}",
                list("pays", &payouts),
                list("refunds", &refunds)
            ));
        }
        lines.join("\n") + "\n"
    }

    /// A premise, with names for ids.
    fn premise(&self, premise: &str) -> String {
        let names = self.named.iter().map(String::as_str).chain(["o", "p", "q", "dark"]);
        let names: BTreeMap<_, _> = names.map(|name| (id(name).to_string(), name)).collect();
        names.iter().fold(premise.into(), |text, (id, name)| text.replace(id, name))
    }
}

/// Tells a drum one thing.
pub fn tell(drum: &mut Drum, step: Step, facts: &mut Vec<Fact>) {
    match step {
        Step::Entry(entry) => drum.apply(entry, facts),
        Step::Fact(fact) => drum.learn(&fact, facts),
    }
}

/// Plays a scene and compares what became of everything.
#[expect(clippy::needless_pass_by_value, reason = "expect![..] is written at the call")]
pub fn check(sentences: &str, expected: expect_test::Expect) {
    expected.assert_eq(&Scene::of(sentences).report());
}
