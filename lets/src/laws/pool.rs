//! A pool of events with a bit of everything: payments, forks, lies, charges, requests, approvals,
//! versions that contradict each other. Signed once; the laws deal it out in any order.

use std::sync::OnceLock;

use ayni_protocol::{Amount, EventId, Scale, VerifiedEvent};
use ayni_witness::Fact;

use crate::testing::{
    COMMUNITY, LUZ, MOONS, Market, NODE, charge, charter, currency, key, moon_charter, repeat,
    rules, scale, sign,
};
use crate::*;

/// Something to hand to a ledger.
#[derive(Clone)]
pub enum Piece {
    Event(Box<Entry>),
    Fact(Fact),
}

pub const SECOND: EventId = EventId([0xc1; 32]);
pub const PEOPLE: [&str; 4] = ["ana", "ben", "eve", "commons"];

/// The pool. The community's acts need one steward's approval, which is dealt out apart from them.
pub fn pool() -> &'static [Piece] {
    static POOL: OnceLock<Vec<Piece>> = OnceLock::new();
    POOL.get_or_init(|| {
        let mut pool = Pool::default();
        pool.facts();
        let epoch = pool.rules();
        pool.policies();
        pool.orders(epoch);
        pool.charges(epoch);
        pool.requests(epoch);
        pool.nonsense(epoch);
        pool.market();
        pool.pieces
    })
}

/// The events' ids.
pub fn ids() -> Vec<EventId> {
    let id = |piece: &Piece| match piece {
        Piece::Event(entry) => Some(entry.id),
        Piece::Fact(_) => None,
    };
    pool().iter().filter_map(id).collect()
}

#[derive(Default)]
struct Pool {
    pieces: Vec<Piece>,
    now: u64,
    logs: u64,
}

impl Pool {
    fn add(&mut self, author: &str, body: impl Into<Body>) -> VerifiedEvent {
        self.now += 1;
        let event = sign(author, body, self.now);
        self.pieces.push(Piece::Event(Box::new(Entry::read(&event).unwrap())));
        event
    }

    /// An act of the community, and a steward's approval of it.
    fn act(&mut self, body: impl Into<Body>) -> EventId {
        let id = self.add("sol", body).id;
        self.add("sole", Attestation::Approve { act: id });
        id
    }

    fn facts(&mut self) {
        self.pieces.push(Piece::Fact(charter(COMMUNITY, &[NODE], 1, 1)));
        self.pieces.push(Piece::Fact(charter(SECOND, &[NODE, "two", "three"], 2, 1)));
        let mandate = Fact::Mandated { act: EventId([5; 32]), community: COMMUNITY };
        self.pieces.push(Piece::Fact(mandate));
    }

    fn rules(&mut self) -> EventId {
        let first = self.act(rules(key("sol")));
        let next = Rules { epoch: 1, previous: Some(first), charter: SECOND, ..rules(key("sol")) };
        let second = self.act(next.clone());
        self.act(Rules { limit: 10, ..next.clone() });
        let coarse = Scale::new(1).unwrap();
        self.act(Rules { scale: coarse, ..next });
        self.act(Rules { scale: coarse, ..rules(key("sol")) });
        for (decimals, name) in [(2, "Hour"), (2, "New Hour"), (3, "Long Hour")] {
            let currency = Currency {
                slug: "hour".into(),
                name: name.into(),
                code: String::new(),
                symbol: String::new(),
                scale: Scale::new(decimals).unwrap(),
                rules: Some(first),
                about: String::new(),
            };
            self.add("sol", currency);
        }
        second
    }

    fn policies(&mut self) {
        let limit = |minor| Some(Amount { minor, scale: scale() });
        let epoch = self.rules_id();
        for person in PEOPLE {
            let open = Policy::open(currency(), key(person));
            let opened = self.add("zoe", open.clone()).id;
            let lowered = self.act(Policy { limit: limit(50), ..open.next(opened) });
            self.act(Policy { status: Status::Suspended, ..open.next(opened) });
            let raised = Policy { limit: limit(60), ..open.next(opened).next(lowered) };
            self.add("zoe", raised);
            for witness in ["two", "three"] {
                self.state(witness, epoch, About::Policy(lowered));
            }
        }
        let odd = Amount { minor: 5, scale: Scale::new(1).unwrap() };
        self.act(Policy { limit: Some(odd), ..Policy::open(currency(), key("ivo")) });
    }

    /// The id of the rules that orders are signed under: the second act of the pool.
    fn rules_id(&self) -> EventId {
        let second = |piece: &Piece| match piece {
            Piece::Event(entry) => match &entry.body {
                Body::Rules(rules) if rules.epoch == 1 => Some(entry.id),
                _ => None,
            },
            Piece::Fact(_) => None,
        };
        self.pieces.iter().find_map(second).unwrap()
    }

    fn state(&mut self, witness: &str, epoch: EventId, about: About) -> EventId {
        self.logs += 1;
        let log = Log { index: self.logs, previous: Some(EventId([6; 32])) };
        let statement = Statement { currency: currency(), epoch, log, about };
        self.add(witness, Attestation::State(Box::new(statement))).id
    }

    fn attest(&mut self, witness: &str, order: &VerifiedEvent, lie: i64) {
        self.attest_all(witness, &[(order, lie)]);
    }

    /// One statement about several orders, with what it adds to the first leg of each.
    fn attest_all(&mut self, witness: &str, orders: &[(&VerifiedEvent, i64)]) {
        let all = orders.iter().map(|(order, lie)| {
            let mut repeat = repeat(order);
            repeat.legs[0].minor += lie;
            repeat
        });
        let all: Vec<_> = all.collect();
        let Body::Order(body) = Entry::read(orders[0].0).unwrap().body else { panic!() };
        self.state(witness, body.epoch, About::Orders(all));
    }

    fn order(&self, epoch: EventId, payee: &str, seq: u64, minor: i64) -> Order {
        let previous = EventId([3; 32]);
        let terms = Terms { epoch, seq, previous, payee: key(payee), gross: minor, levied: false };
        Order::new(&terms, &rules(key("sol"))).unwrap()
    }

    fn orders(&mut self, epoch: EventId) {
        let mut last = None;
        for seq in [0, 1, 2, 4] {
            let order = self.order(epoch, "ben", seq, 100 + i64::try_from(seq).unwrap());
            let event = self.add("ana", order.with(|it| it.refund = last));
            for witness in [NODE, "two"] {
                self.attest(witness, &event, 0);
            }
            last = Some(event.id);
            self.rate(&event);
        }
        let fork = self.order(epoch, "eve", 1, 7);
        let fork = self.add("ana", fork.with(|it| it.pay = Some([8; 32])));
        for witness in ["two", "three", "eve"] {
            self.attest(witness, &fork, 0);
        }
        let lied = self.add("ben", self.order(epoch, "eve", 0, 9));
        self.attest(NODE, &lied, 0);
        self.attest("two", &lied, 1);
        let stolen = self.order(epoch, "eve", 3, 9).with(|it| it.from = Some(key("ana")));
        let stolen = self.add("eve", stolen);
        for witness in [NODE, "two"] {
            self.attest(witness, &stolen, 0);
        }
        // Several at once: right, wrong, and about one that never comes.
        let never = sign("eve", self.order(epoch, "ben", 9, 3), 1);
        let others = [("ivo", 11), ("zoe", 12), ("eve", 13)]
            .map(|(payer, minor)| self.add(payer, self.order(epoch, "ben", 0, minor)));
        let [ivo, zoe, eve] = &others;
        self.attest_all(NODE, &[(ivo, 0), (zoe, 0), (&never, 0)]);
        self.attest_all("two", &[(eve, 0), (zoe, 1), (ivo, 0)]);
        self.attest_all("three", &[(&never, 0), (zoe, 0)]);
        let [one, two] = [5, 6].map(|minor| sign("eve", self.order(epoch, "ben", 0, minor), 1));
        self.add("ivo", Fraud::new(currency(), Case::Order, &one, &two).unwrap());
    }

    fn rate(&mut self, order: &VerifiedEvent) {
        for (author, about) in [("ana", "ben"), ("ben", "ana"), ("ana", "ben"), ("eve", "ana")] {
            let marks = vec![(1_000, String::new())];
            let note = format!("{}", self.now);
            self.add(
                author,
                Rating { order: order.id, about: key(about), marks, from: None, note },
            );
        }
    }

    fn charges(&mut self, epoch: EventId) {
        let first = self.act(charge("eve", "commons", 30));
        let rival = self.act(charge("eve", "ana", 40));
        let next = Charge { cseq: 1, previous: Some(first), ..charge("ben", "commons", 20) };
        let next = self.act(next);
        for (witness, id) in
            [(NODE, first), ("two", first), (NODE, rival), (NODE, next), ("three", next)]
        {
            self.state(witness, epoch, About::Charge(id));
        }
        for witness in [NODE, "two", "eve"] {
            let volume = "1.00".into();
            let (accounts, orders) = (4, 1);
            let root = [4; 32];
            self.add(witness, Checkpoint { currency: currency(), root, accounts, orders, volume });
        }
    }

    fn requests(&mut self, epoch: EventId) {
        for (seq, answer) in [(1, Answer::Declined), (2, Answer::Cancelled)] {
            let request = Request {
                currency: currency(),
                payer: Some(key("ben")),
                amount: None,
                expires_at: None,
                from: None,
                memo: format!("{seq}"),
            };
            let request = self.add("ana", request).id;
            for author in ["ana", "ben"] {
                let note = String::new();
                self.add(
                    author,
                    Decline { currency: currency(), request, answer, from: None, note },
                );
            }
            let order = self.order(epoch, "ana", seq, 3).with(|it| it.request = Some(request));
            let order = self.add("ben", order);
            for witness in ["two", "three"] {
                self.attest(witness, &order, 0);
            }
        }
    }

    /// Things that name the wrong things.
    fn nonsense(&mut self, epoch: EventId) {
        let policy = self.add("eve", Policy::open(currency(), key("ivo"))).id;
        self.add("ana", self.order(policy, "ben", 0, 5));
        let about = self.state("two", epoch, About::Policy(epoch));
        self.state("two", epoch, About::Charge(about));
        self.add("ana", self.order(about, "ben", 0, 5));
        self.act(Rules { epoch: 2, previous: Some(policy), ..rules(key("sol")) });
        self.act(Rules { epoch: 5, previous: Some(epoch), ..rules(key("sol")) });
        self.logs -= 1;
        self.state("two", epoch, About::Close);
    }

    /// Two holds on one number of which one is paid, told twice: by the other currency's events and by a
    /// resolution; and a third that is open.
    fn market(&mut self) {
        let mut market = Market::new();
        let quotes = [market.quoted(150), market.quoted(300)];
        let holds = quotes.map(|quote| {
            let order = market.hold_on(quote);
            let event = market.sign("ana", order);
            let id = event.id;
            market.send_event(event);
            id
        });
        while market.step().is_some() {
            market.duties(LUZ);
        }
        for (hold, seq) in [(holds[0], 0), (holds[1], 0), (holds[0], 1)] {
            let resolution = market.resolution(hold, seq);
            resolution.into_iter().for_each(|resolution| _ = market.add("ben", resolution));
        }
        market.held(30);
        self.pieces.push(Piece::Fact(moon_charter()));
        for event in &market.events {
            let entry = Entry::read(event).unwrap();
            if matches!(entry.body, Body::Rules(_)) && entry.community != MOONS {
                self.add("sole", Attestation::Approve { act: event.id });
            }
            self.pieces.push(Piece::Event(Box::new(entry)));
        }
    }
}
