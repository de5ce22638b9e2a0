//! Two communities that trade: ana pays in hours, quin is paid in moons, kai clears. Each has a
//! witness of its own; both books are in one ledger, as in a node that follows both.

use std::ops::{Deref, DerefMut};

use ayni_protocol::{Address, Amount, EventId, VerifiedEvent, kind};
use ayni_witness::{Charter, Fact};

use super::{COMMUNITY, World, charter, currency, key, keys, rules, scale};
use crate::*;

/// The other community; its key is `lua`'s, its witness `luz`.
pub const MOONS: EventId = EventId([0xb0; 32]);
pub const LUZ: &str = "luz";

/// The other community's currency.
pub fn moon() -> Address {
    Address { kind: kind::CURRENCY, author: key("lua"), identifier: "moon".into() }
}

/// The other community's charter.
pub fn moon_charter() -> Fact {
    let Fact::Charter(first) = charter(MOONS, &[LUZ], 1, 0) else { panic!() };
    let moons = Charter {
        community: MOONS,
        community_key: key("lua"),
        previous: None,
        ..Charter::clone(&first)
    };
    Fact::Charter(moons.into())
}

/// The other community's rules.
pub fn moon_rules() -> Rules {
    Rules { currency: moon(), charter: MOONS, ..rules(key("sol")) }
}

/// A world with both.
#[derive(Clone)]
pub struct Market {
    pub world: World,
}

impl Deref for Market {
    type Target = World;
    fn deref(&self) -> &World {
        &self.world
    }
}

impl DerefMut for Market {
    fn deref_mut(&mut self) -> &mut World {
        &mut self.world
    }
}

impl Market {
    /// 2 hours are 3 moons; either side lends the other 5.00.
    pub fn new() -> Self {
        static MARKET: std::sync::OnceLock<Market> = std::sync::OnceLock::new();
        MARKET.get_or_init(Self::open_up).clone()
    }

    fn open_up() -> Self {
        let mut market = Self { world: World::of(&["ana", "ben"]) };
        market.learn(moon_charter());
        market.in_moons("lua", moon_rules());
        market.open("kai", |policy| policy.account_type = AccountType::Clearing);
        for person in ["quin", "kai"] {
            let clearing = person == "kai";
            let policy = Policy::open(moon(), key(person));
            let account_type = if clearing { AccountType::Clearing } else { policy.account_type };
            market.in_moons("lua", Policy { account_type, ..policy });
        }
        market.agree(500);
        market
    }

    /// Both sides agree to lend each other so much.
    pub fn agree(&mut self, limit: i64) {
        let here = Agreement {
            currency: currency(),
            with: moon(),
            clearing: key("kai"),
            limit: Amount { minor: limit, scale: scale() },
            here: 2,
            there: 3,
            about: String::new(),
        };
        let there =
            Agreement { currency: moon(), with: currency(), here: 3, there: 2, ..here.clone() };
        self.add("sol", here);
        self.in_moons("lua", there);
    }

    pub fn sign_in_moons(&mut self, author: &str, body: impl Into<Body>) -> VerifiedEvent {
        self.now += 1;
        body.into().draft(&MOONS).sign(&keys(author), self.now, [0; 32])
    }

    /// Signs, books, and lets the witness do what it then owes.
    pub fn in_moons(&mut self, author: &str, body: impl Into<Body>) -> EventId {
        let event = self.sign_in_moons(author, body);
        let id = self.put(event);
        self.duties(LUZ);
        id
    }

    /// ana asks what it costs that quin gets so much.
    pub fn ask(&mut self, moons: i64) -> EventId {
        let amount = Amount { minor: moons, scale: scale() };
        let to = Target { currency: moon(), account: key("quin"), amount };
        self.add("ana", Ask { currency: currency(), clearing: key("kai"), to, from: None })
    }

    /// kai's agent takes one step, if there is one to take.
    pub fn step(&mut self) -> Option<EventId> {
        let draft = self.ledger.next_clearing(&key("kai"), self.now)?;
        self.now += 1;
        let event = draft.sign(&keys("kai"), self.now, [0; 32]);
        Some(self.put(event))
    }

    /// The hold that a quote asks for, signed by ana and not handed in.
    pub fn hold_on(&self, quote: EventId) -> Order {
        let said = self.quote(quote);
        let order = self.order("ana", "kai", said.amount.minor);
        order.with(|it| {
            it.hold = Some(said.slot);
            it.quote = Some(quote);
        })
    }

    pub fn quote(&self, id: EventId) -> Quote {
        let Body::Quote(quote) = &self.ledger.known.entry(&id).unwrap().body else {
            panic!("no quote")
        };
        Quote::clone(quote)
    }

    /// A quote for so many moons.
    pub fn quoted(&mut self, moons: i64) -> EventId {
        self.ask(moons);
        self.step().unwrap()
    }

    /// A certified hold for so many moons.
    pub fn held(&mut self, moons: i64) -> EventId {
        let quote = self.quoted(moons);
        let order = self.hold_on(quote);
        let event = self.sign("ana", order);
        let id = event.id;
        assert!(matches!(self.send_event(event), Verdict::Attest(_)));
        id
    }

    pub fn moons_of(&self, person: &str) -> i128 {
        self.ledger.balances(&moon())[&key(person)]
    }

    /// The resolution that kai's order at a number proves, if it is certified.
    pub fn resolution(&self, hold: EventId, seq: u64) -> Option<Resolution> {
        let orders = self.events.iter().filter(|event| event.kind == kind::ORDER);
        let order = orders.into_iter().find(|event| {
            let Ok(entry) = Entry::read(event) else { return false };
            let Body::Order(order) = &entry.body else { return false };
            order.currency == moon() && entry.author == key("kai") && order.seq == seq
        })?;
        let signed = self.ledger.order_state(&order.id).attestations;
        let signed = self.events.iter().filter(|event| signed.contains(&event.id)).cloned();
        let signed: Vec<_> = signed.collect();
        Resolution::new(currency(), hold, order, &signed).ok()
    }

    /// kai's node publishes how the holds that it cleared ended, as far as nobody has told.
    pub fn tell(&mut self) -> Vec<VerifiedEvent> {
        let ended = self.ledger.untold(&key("kai"));
        let event = |id: &EventId| self.events.iter().find(|event| event.id == *id).cloned();
        let resolution = |it: &clearing::Ended| {
            let signed: Option<Vec<_>> = it.attestations.iter().map(event).collect();
            let resolution =
                Resolution::new(it.currency.clone(), it.hold, &event(&it.order)?, &signed?);
            resolution.ok()
        };
        let told: Vec<_> = ended.iter().map(|it| resolution(it).unwrap()).collect();
        let told: Vec<_> = told.into_iter().map(|it| self.sign("kai", it)).collect();
        told.iter().for_each(|event| _ = self.put(event.clone()));
        told
    }

    /// What a node knows that follows the hours only, and of the moons who their witnesses are.
    pub fn reader(&self) -> World {
        let mut reader = World::empty();
        reader.learn(moon_charter());
        for event in &self.events {
            let entry = Entry::read(event).unwrap();
            let ours = entry.community == COMMUNITY;
            if ours || matches!(entry.body, Body::Rules(_)) {
                reader.put(event.clone());
            }
        }
        reader
    }
}
