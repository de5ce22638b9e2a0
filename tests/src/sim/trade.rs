//! Trade between the two communities: members ask a clearing account for prices and sign holds on
//! its quotes, some late and some on an old one; rate, limit and clearing account change, and so do
//! the rules under them, and a payee closes its account or comes back.
//! The clearing agents are the desks of two nodes, as in production, and die with them.

use ayni_lets::account::Status;
use ayni_lets::{Ask, Body, Ledger, Order, Outcome, Policy, Quote, Target, Verdict};
use ayni_node::admission::Origin;
use ayni_node::book::Book;
use ayni_protocol::{Amount, EventId, Part as _, PublicKey, Scale, VerifiedEvent, kind};
use ayni_witness::Timings;
use ayni_witness::beacon::Chain;

use super::{
    Bug, CHEAT, DAY, GUESTS, HERE, HONEST, MEMBERS, NEIGHBOUR, NEIGHBOURS, NODES, RACER, START,
    THERE, World,
};
use crate::world::{Town, empty, hold, keys, order};

/// At which rates a community trades: so many units of its currency are so many of the other's.
const RATES: [[(i64, i64); 3]; 2] = [[(2, 3), (1, 2), (1, 1)], [(3, 2), (2, 1), (1, 1)]];
/// What the clearing account may owe by its policies, in minor units: more than is ever lent.
const CLEARING_LIMIT: i64 = 1_000_000;
/// What each community lends at first, in minor units.
const LENT: i64 = 1_500;

/// What a community agreed to.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Through whom it trades.
    pub clearing: PublicKey,
    /// What it lends, in minor units.
    pub limit: i64,
    /// So many units here are so many there.
    pub rate: (i64, i64),
}

impl Terms {
    /// What so much there costs here, both in minor units of the same size.
    pub fn price(&self, minor: i128) -> i128 {
        let (here, there) = (i128::from(self.rate.0), i128::from(self.rate.1));
        (minor * here + there - 1) / there
    }
}

fn amount(minor: i64) -> Amount {
    Amount { minor, scale: Scale::new(2).expect("two decimals") }
}

/// What a community agrees to at first.
pub fn first_terms(side: usize, clearing: PublicKey) -> Terms {
    Terms { clearing, limit: LENT, rate: RATES[side][0] }
}

/// Two communities with one witness each, and what they agreed.
pub fn found(agents: [usize; 2], victim: usize) -> [Town; 2] {
    let key = |at: usize| keys(100 + u64::try_from(at).expect("few nodes"));
    let (chain, _) = Chain::test([9; 32], START, 1);
    let timings = Timings { min_notice: 0, seal_window: 10, margin: 5, beacon_deadline: 1_000 };
    // Whoever decides alone must not lose its disk, nor lie.
    let other = if victim == NODES - 1 { NODES - 2 } else { NODES - 1 };
    let mut towns = [
        Town::found(&key(0), MEMBERS, chain.clone(), timings, START),
        Town::neighbour(&key(other), NEIGHBOURS, chain, timings, START),
    ];
    let agents = agents.map(|at| key(at).public());
    for town in &mut towns {
        for agent in agents {
            town.open_clearing(agent, amount(CLEARING_LIMIT), START);
        }
    }
    let agreements = [HERE, THERE].map(|side| {
        let Terms { clearing, limit, rate } = first_terms(side, agents[0]);
        let draft = towns[side].agreement(&towns[1 - side], clearing, amount(limit), rate);
        draft.sign(&towns[side].key, START, [7; 32])
    });
    for (town, agreement) in towns.iter_mut().zip(agreements) {
        town.founding.push(agreement);
    }
    towns
}

impl World {
    /// In some steps somebody trades, or what trade rests on changes.
    pub(super) fn deal(&mut self) {
        if !self.dice.chance(28) {
            return;
        }
        self.complete_early();
        let (member, at) = (self.trader(), self.dice.below(NODES));
        match self.dice.below(19) {
            0..=5 => {
                let minor = i64::try_from(self.dice.roll() % 600).expect("a small amount") + 1;
                self.ask(member, at, minor);
            }
            6..=12 if HONEST.contains(&member) => self.hold(member, at),
            6..=12 => self.hold_and_pay(member),
            13..=15 => self.bargain(),
            16 => {
                let side = self.dice.below(2);
                self.come_or_go(side);
            }
            17 => _ = self.follow(THERE, None),
            _ => self.change_hands(THERE),
        }
    }

    /// Mostly an honest member, of either community.
    fn trader(&mut self) -> usize {
        if self.dice.chance(85) {
            return HONEST[self.dice.below(HONEST.len())];
        }
        if self.dice.chance(50) { RACER } else { CHEAT }
    }

    /// A member asks what it costs that somebody in the other community gets so much.
    fn ask(&mut self, member: usize, at: usize, minor: i64) {
        let (town, payer) = self.member(member);
        let there = &self.towns[if member < NEIGHBOUR { THERE } else { HERE }];
        let payee = self.dice.below(there.members.len());
        let to = Target {
            currency: there.currency.clone(),
            account: there.members[payee].public(),
            amount: amount(minor),
        };
        let side = usize::from(member >= NEIGHBOUR);
        let (currency, clearing) = (town.currency.clone(), self.terms[side].clearing);
        let ask = Ask { currency, clearing, to, from: None };
        let ask = Body::from(ask).draft(&town.id).sign(&payer, self.now(), [6; 32]);
        let _ = self.submit(at, &ask, Origin::Client);
    }

    /// The quote that a member goes by: the latest that its node has, or now and then an older one.
    fn quote(&mut self, member: usize, at: usize) -> Option<(EventId, Quote)> {
        let (_, payer) = self.member(member);
        let quotes = self.record.deals.quotes_of(&payer.public());
        let known = quotes.iter().filter(|(id, _)| self.nodes[at].holds(id));
        let known: Vec<_> = known.rev().take(3).cloned().collect();
        let back = if self.dice.chance(25) { self.dice.below(known.len()) } else { 0 };
        known.get(back).cloned()
    }

    /// A careful member signs a hold within its means, and hands it in now or later.
    fn hold(&mut self, member: usize, at: usize) {
        if self.wallets[member].signed.is_some() {
            return self.insist(member, at);
        }
        let Some((id, quote)) = self.quote(member, at) else { return };
        let Some((seq, available)) = self.means(member, at) else { return };
        if quote.amount.minor > available {
            return;
        }
        let ((town, payer), now) = (self.member(member), self.now());
        let Some(order) = hold(&town, &self.nodes[at].book, &payer, (id, &quote), now) else {
            return;
        };
        if self.dice.chance(15) {
            self.wallets[member].signed = Some((seq, order));
        } else {
            self.hand_in(member, at, seq, order);
        }
    }

    /// Two devices of one member: one signs a hold, the other a payment of the same number.
    fn hold_and_pay(&mut self, member: usize) {
        let (one, other, now) = (self.dice.below(NODES), self.dice.below(NODES), self.now());
        let (town, payer) = self.member(member);
        let Some((id, quote)) = self.quote(member, one) else { return };
        let held = hold(&town, &self.nodes[one].book, &payer, (id, &quote), now);
        let payee = &town.members[0];
        let paid = order(&town, &self.nodes[other].book, &payer, payee, quote.amount.minor, now);
        for (at, order) in [(one, held), (other, paid)] {
            // Whether anybody takes it is their business.
            let _ = order.map(|order| self.submit(at, &order, Origin::Client));
        }
    }

    /// A community trades on these terms from now on.
    fn agree(&mut self, side: usize, terms: Terms) {
        let [town, with] = [side, 1 - side].map(|side| self.towns[side].clone());
        let draft = town.agreement(&with, terms.clearing, amount(terms.limit), terms.rate);
        self.record.deals.agree_to(side, terms);
        self.decree(side, draft);
        self.terms[side] = terms;
    }

    /// A community lends another amount, trades at another rate or through another account; the
    /// other one follows it to that account, mostly.
    fn bargain(&mut self) {
        let side = self.dice.below(2);
        let mut terms = self.terms[side];
        match self.dice.below(4) {
            0 | 1 => terms.limit = i64::try_from(self.dice.roll() % 3_000).expect("a small amount"),
            2 => terms.rate = RATES[side][self.dice.below(RATES[side].len())],
            _ => {
                let agent = self.agents[self.dice.below(self.agents.len())];
                terms.clearing = self.key(agent);
                if self.dice.chance(80) {
                    let other = Terms { clearing: terms.clearing, ..self.terms[1 - side] };
                    self.agree(1 - side, other);
                }
            }
        }
        self.agree(side, terms);
        self.seen.bargains += 1;
    }

    /// The account of a community's guest is closed, or opened again.
    fn come_or_go(&mut self, side: usize) {
        let (town, guest) = self.member(GUESTS[side]);
        let latest = self.nodes[0].book.ledger.latest_policy(&town.currency, &guest.public());
        let Some((id, policy)) = latest else { return };
        let status = if policy.status == Status::Closed { Status::Active } else { Status::Closed };
        let next = Policy { status, ..policy.next(id) };
        self.decree(side, Body::from(next).draft(&town.id));
        self.seen.closings += 1;
    }

    /// What stands in the way goes: closed accounts are opened, and an order that a clearing account
    /// signed and no witness yet, and that takes it further than is lent by now or is of an account
    /// that trades no more, is certified once more is lent through that account.
    pub(super) fn clear_the_way(&mut self) {
        for side in [HERE, THERE] {
            let (town, guest) = self.member(GUESTS[side]);
            let latest = self.nodes[0].book.ledger.latest_policy(&town.currency, &guest.public());
            if latest.is_some_and(|(_, policy)| policy.status == Status::Closed) {
                self.come_or_go(side);
            }
        }
        for agent in self.agents {
            self.step += 1;
            for side in [HERE, THERE] {
                let (clearing, limit) = (self.key(agent), CLEARING_LIMIT);
                self.agree(side, Terms { clearing, limit, ..self.terms[side] });
            }
            self.settle(|_| true);
        }
        // A hold at a price that nobody agrees to any more is past only once its quote is, by every
        // clock.
        if self.is_anybody_waiting() {
            self.step += usize::try_from(6 * DAY).expect("a few days");
        }
    }

    /// Whether an order is a hold that nobody attested in time, and nobody will: its quote is good
    /// no more by the clock of any witness. Then a careful device may sign another in its place.
    pub(super) fn is_past(&self, order: &VerifiedEvent) -> bool {
        let Some(until) = self.quote_of(order).map(|(_, quote)| quote.until) else { return false };
        self.nodes.iter().enumerate().all(|(at, node)| {
            let (ledger, now) = (&node.book.ledger, self.clock(at));
            let decides = ledger.judge(order, &self.key(at), now) != Verdict::NotMine;
            let attested = !ledger.order_state(&order.id).attestations.is_empty();
            !attested && (until < now || !decides)
        })
    }

    /// The quote that a hold follows.
    fn quote_of(&self, order: &VerifiedEvent) -> Option<&(EventId, Quote)> {
        order.tags.named("hold").next()?;
        let Body::Order(body) = Ledger::read(order).ok()?.body else { return None };
        let quotes = self.record.deals.quotes_of(&order.pubkey);
        quotes.iter().find(|(id, _)| Some(*id) == body.extra().quote)
    }

    /// The laws of trade, in every node's book and in everything that was said.
    pub(super) fn check_trade(&mut self) -> Result<(), String> {
        for (at, node) in self.nodes.iter().enumerate() {
            let same = self.record.deals.agree(&node.book);
            same.map_err(|law| format!("{law} at node {at}"))?;
        }
        self.record.check_trade()
    }

    /// HonestStillServed: once all is healed, somebody of each community is paid in the other.
    pub(super) fn serve_trade(&mut self) -> Result<(), String> {
        // Where a clock is days off, questions and quotes are too old for each other.
        if self.offsets.iter().any(|offset| *offset != 0) {
            return Ok(());
        }
        let traders = [0, NEIGHBOUR].map(|member| {
            let means = self.means(member, 0).filter(|(_, available)| *available > 3);
            means.map(|_| member)
        });
        let traders: Vec<_> = traders.into_iter().flatten().collect();
        self.step += 1;
        for member in &traders {
            self.ask(*member, 0, 2);
        }
        self.round();
        for member in &traders {
            self.trade(*member)?;
        }
        Ok(())
    }

    fn trade(&mut self, member: usize) -> Result<(), String> {
        let (town, payer) = self.member(member);
        let latest = self.record.deals.quotes_of(&payer.public()).last().cloned();
        let fresh = latest.filter(|(_, quote)| quote.until > self.now() + 500);
        let Some((id, quote)) = fresh else {
            return Err(format!("HonestStillServed: member {member} is quoted no price"));
        };
        let means = self.means(member, 0);
        let order = hold(&town, &self.nodes[0].book, &payer, (id, &quote), self.now());
        let Some(((seq, _), order)) = means.zip(order) else { return Ok(()) };
        self.hand_in(member, 0, seq, order.clone());
        if self.wallets[member].under_way().is_none() {
            let why = &self.wallets[member].refused;
            return Err(format!("HonestStillServed: member {member} may not trade: {why}"));
        }
        for _ in 0..8 {
            self.round();
            match self.nodes[0].book.ledger.hold_outcome(&order.id) {
                Some(Outcome::Posted) => return Ok(()),
                Some(Outcome::Void) => break,
                _ => {}
            }
        }
        let state = self.nodes[0].book.ledger.order_state(&order.id);
        Err(format!("HonestStillServed: member {member} cannot trade: {state:?}"))
    }

    /// Once all is healed every hold came to an end, and the clearing node told of it.
    pub(super) fn nothing_is_reserved(&self) -> Result<(), String> {
        for (at, node) in self.nodes.iter().enumerate() {
            if let Some(what) = self.record.deals.reserved(&node.book) {
                return Err(format!("EveryHoldEnds: node {at} still reserves {what}"));
            }
        }
        let agents = self.agents.iter().map(|at| &self.nodes[*at]);
        let mut untold =
            agents.flat_map(|agent| agent.book.ledger.untold(&agent.desk.keys.public()));
        match untold.next() {
            Some(ended) => Err(format!("EveryHoldEnds: nobody tells how {} ended", ended.hold)),
            None => Ok(()),
        }
    }

    /// BothSidesOrNeither, for nodes that follow one community, and of the other only who its
    /// witnesses are: by what the clearing node told, their books say the same.
    pub(super) fn follow_one(&self, events: &[VerifiedEvent]) -> Result<(), String> {
        for side in [HERE, THERE] {
            let [town, other] = [side, 1 - side].map(|side| &self.towns[side]);
            let mut book: Book = empty();
            let told = events.iter().filter(|event| !is_of_the_books(event, other));
            told.for_each(|event| book.apply(event));
            let whole = self.nodes[0].book.ledger.currency_root(&town.currency);
            if book.ledger.currency_root(&town.currency) != whole {
                let name = &town.currency;
                return Err(format!(
                    "BothSidesOrNeither: who follows {name} alone counts otherwise"
                ));
            }
        }
        Ok(())
    }

    /// The planted fault of a clearing key that does not wait until a hold is certified.
    fn complete_early(&mut self) {
        if self.bug != Some(Bug::EarlyCommit) {
            return;
        }
        for at in self.agents {
            let recent = self.nodes[at].disk.iter().rev().take(40);
            let order = recent.into_iter().find_map(|event| self.early(at, event));
            let _ = order.map(|order| self.submit(at, &order, Origin::Client));
        }
    }

    /// The order by which an agent completes a hold that does not count yet.
    fn early(&self, at: usize, event: &VerifiedEvent) -> Option<VerifiedEvent> {
        let (quote, agent) = (self.quote_of(event)?, &self.nodes[at]);
        let (ledger, to) = (&agent.book.ledger, &quote.1.to);
        let me = Some(&quote.1.slot.account).filter(|clearing| **clearing == self.key(at))?;
        let (terms, rules) = ledger.terms(&to.currency, me, &to.account, to.amount.minor)?;
        let place = (*me, to.currency.clone(), terms.seq, terms.epoch);
        let waits = terms.seq == quote.1.slot.seq && !self.record.deals.has_cleared(&place);
        if !waits || ledger.hold_outcome(&event.id).is_some() {
            return None;
        }
        let order = Order::new(&terms, rules).ok()?.with(|it| {
            it.quote = Some(quote.0);
            it.commit = Some(event.id);
        });
        let side = usize::from(self.towns[THERE].currency == to.currency);
        Some(Body::from(order).draft(&self.towns[side].id).sign(
            &agent.desk.keys,
            self.now(),
            [8; 32],
        ))
    }

    /// The planted fault of a clearing node's disk: it forgets the order that completes a hold,
    /// which everybody was shown.
    pub(super) fn forget_commit(&mut self, at: usize, before: usize) {
        if self.bug != Some(Bug::ForgottenCommit) || !self.agents.contains(&at) {
            return;
        }
        let me = self.key(at);
        let fresh = self.nodes[at].disk.iter().enumerate().skip(before);
        let mut commits =
            fresh.filter(|(_, event)| event.kind == kind::ORDER && event.pubkey == me);
        if let Some((first, _)) = commits.next() {
            self.nodes[at].cut_back(first);
        }
    }
}

/// Whether an event is what a community books, and not who keeps its books.
fn is_of_the_books(event: &VerifiedEvent, town: &Town) -> bool {
    let community = event.tags.named("h").next().and_then(ayni_protocol::Tag::value);
    community == Some(town.id.to_string().as_str())
        && Ledger::KINDS.contains(&event.kind)
        && event.kind != kind::RULES
}
