//! What people and machines do in a world: pay, race, cheat, vote, govern, fail.

use std::rc::Rc;

use ayni_governance::mark::Choice;
use ayni_lets::view::OrderState;
use ayni_lets::{Body, Rules, Verdict};
use ayni_node::admission::Origin;
use ayni_protocol::{Amount, Draft, EventId, Keys, Prefix, PublicKey, VerifiedEvent};
use ayni_witness::entry::{CharterText, Previous};
use ayni_witness::{Council, RosterRow, WitnessSeat};

use super::{CHEAT, HERE, NEIGHBOUR, NODES, RACER, THERE, World};
use crate::world::{Town, order};

/// What a careful member's device remembers.
#[derive(Debug, Default)]
pub struct Wallet {
    next_seq: u64,
    /// The order it signed last, until that is certified.
    pub signed: Option<(u64, VerifiedEvent)>,
    /// What it was told when it was refused last.
    pub refused: String,
}

impl Wallet {
    /// The order that is not certified yet.
    pub fn under_way(&self) -> Option<EventId> {
        self.signed.as_ref().map(|(_, order)| order.id)
    }
}

impl World {
    pub(super) fn act(&mut self) {
        match self.dice.below(20) {
            0..=5 => {
                let (member, at) = (self.dice.below(RACER), self.dice.below(NODES));
                self.pay(member, at);
            }
            6 => self.twice(RACER, 0),
            7 => self.twice(CHEAT, 60),
            8 => self.overreach(),
            9 | 10 => self.vote(),
            11 => self.raise(),
            12 => self.change_hands(HERE),
            13 | 14 => {
                let (to, from) = (self.dice.below(NODES), self.dice.below(NODES));
                if to != from && self.reaches(from, to) {
                    self.reconcile(to, from);
                }
            }
            15 => self.part(),
            16 => self.fail(),
            17 => self.lie(),
            _ => {
                let at = self.dice.below(NODES);
                self.tick(at);
            }
        }
        self.adopt();
    }

    /// The network splits in two, or is whole again.
    fn part(&mut self) {
        let whole = self.sides.iter().all(|side| !side);
        for at in 0..NODES {
            self.sides[at] = whole && self.dice.chance(35);
        }
    }

    /// A node starts again, perhaps from a backup that is old.
    fn fail(&mut self) {
        let at = self.dice.below(NODES);
        match self.dice.below(4) {
            0 => self.backups[at] = self.nodes[at].disk.len(),
            // One node loses its disk, as often as that is. What it said and nobody kept leaves a
            // hole in its log, so it counts as away when witnesses change: the charter bears one.
            1 if at == self.victim => self.restore(at),
            _ => self.nodes[at].restart(),
        }
    }

    /// A member, and the community that it belongs to.
    pub(super) fn member(&self, member: usize) -> (Rc<Town>, Keys) {
        let (side, at) = match member.checked_sub(NEIGHBOUR) {
            Some(at) => (THERE, at),
            None => (HERE, member),
        };
        let town = Rc::clone(&self.towns[side]);
        let keys = town.members[at].clone();
        (town, keys)
    }

    /// A careful member pays within its means, or insists on what it signed before.
    pub(super) fn pay(&mut self, member: usize, at: usize) {
        if self.wallets[member].signed.is_some() {
            return self.insist(member, at);
        }
        let (town, payer) = self.member(member);
        let Some((seq, available)) = self.means(member, at) else { return };
        let some = i64::try_from(self.dice.roll() % 900).expect("a small amount") + 1;
        let payee = self.other_than(member);
        let (book, now) = (&self.nodes[at].book, self.now());
        if let Some(order) = order(&town, book, &payer, &payee, some.min(available), now) {
            self.hand_in(member, at, seq, order);
        }
    }

    /// The number that a careful member's next order has, and what it can pay; nothing where its
    /// node lags behind what it knows itself.
    pub(super) fn means(&self, member: usize, at: usize) -> Option<(u64, i64)> {
        let (town, payer) = self.member(member);
        let view = self.nodes[at].book.ledger.account(&town.currency, &payer.public())?;
        let available = i64::try_from(view.available.minor).unwrap_or(0);
        let lags = view.next_seq < self.wallets[member].next_seq;
        (!lags && available > 0).then_some((view.next_seq, available))
    }

    /// Hands an order in, and remembers it if it was taken.
    pub(super) fn hand_in(&mut self, member: usize, at: usize, seq: u64, order: VerifiedEvent) {
        match self.submit(at, &order, Origin::Client) {
            Ok(_) => self.wallets[member].signed = Some((seq, order)),
            Err(why) => self.wallets[member].refused = why.to_string(),
        }
    }

    /// Sends the same order again, elsewhere; or signs another under rules that are in force by now.
    pub(super) fn insist(&mut self, member: usize, at: usize) {
        let Some((seq, order)) = self.wallets[member].signed.clone() else { return };
        let (town, payer) = self.member(member);
        let view = self.nodes[at].book.ledger.account(&town.currency, &payer.public());
        if view.is_some_and(|view| view.next_seq > seq) {
            self.wallets[member] = Wallet { next_seq: seq + 1, ..Wallet::default() };
            return;
        }
        // A device signs again with the time of now only if it must.
        let sent = self.submit(at, &order, Origin::Peer);
        let (me, now) = (self.nodes[at].desk.keys.public(), self.clock(at));
        let verdict = self.nodes[at].book.ledger.judge(&order, &me, now);
        let refused = matches!(&verdict, Verdict::Refuse(why) if why.prefix == Prefix::Epoch);
        let state = self.nodes[at].book.ledger.order_state(&order.id).state;
        let outdated = refused || state == OrderState::Lapsed;
        if sent.is_ok() && (outdated || self.is_past(&order)) {
            // Until another is taken, a careful device remembers what it signed.
            let before = self.wallets[member].signed.take();
            self.pay(member, at);
            let signed = &mut self.wallets[member].signed;
            *signed = signed.take().or(before);
        }
    }

    fn other_than(&mut self, member: usize) -> Keys {
        let (town, _) = self.member(member);
        let at = if member < NEIGHBOUR { member } else { member - NEIGHBOUR };
        let at = (at + 1 + self.dice.below(town.members.len() - 1)) % town.members.len();
        town.members[at].clone()
    }

    /// Two devices of one member each send a payment of the same number, to different nodes.
    fn twice(&mut self, member: usize, secs_ago: u64) {
        let (town, payer) = self.member(member);
        for _ in 0..2 {
            let at = self.dice.below(NODES);
            let minor = i64::try_from(self.dice.roll() % 300).expect("a small amount") + 1;
            let (payee, now) = (self.other_than(member), self.now() - secs_ago);
            let book = &self.nodes[at].book;
            if let Some(order) = order(&town, book, &payer, &payee, minor, now) {
                // Whether anybody takes it is their business.
                let _ = self.submit(at, &order, Origin::Client);
            }
        }
    }

    /// The cheat tries to pay a little more than it may.
    fn overreach(&mut self) {
        let (at, (town, payer)) = (self.dice.below(NODES), self.member(CHEAT));
        let ledger = &self.nodes[at].book.ledger;
        let Some(view) = ledger.account(&town.currency, &payer.public()) else { return };
        let all = i64::try_from(view.available.minor).unwrap_or(0);
        let (payee, now) = (self.other_than(CHEAT), self.now());
        let book = &self.nodes[at].book;
        if let Some(order) = order(&town, book, &payer, &payee, all.max(0) + 1, now) {
            let _ = self.submit(at, &order, Origin::Client);
        }
    }

    /// Signs for a community, at the stewards' own node.
    pub(super) fn decree(&mut self, side: usize, draft: Draft) -> Option<EventId> {
        let event = draft.sign(&self.towns[side].key, self.now(), [1; 32]);
        // Whether or not the power held, what is on the disk was decreed.
        let _ = self.submit(0, &event, Origin::Client);
        self.nodes[0].holds(&event.id).then_some(event.id)
    }

    fn raise(&mut self) {
        let town = Rc::clone(&self.towns[HERE]);
        let member = self.dice.below(town.members.len());
        let account = town.members[member].public();
        let latest = self.nodes[0].book.ledger.latest_policy(&town.currency, &account);
        let Some((id, policy)) = latest else { return };
        let mut next = policy.next(id);
        let more = 2_000 + 500 * i64::try_from(next.version).expect("few versions");
        next.limit = Amount::parse(&format!("{}.00", more / 100)).ok();
        self.decree(HERE, Body::from(next).draft(&town.id));
    }

    /// Other nodes shall be witnesses: so many that one may be away.
    pub(super) fn change_hands(&mut self, side: usize) {
        // The last node never witnesses for the first community.
        let mut all: Vec<usize> = (1..NODES - 1 + side).collect();
        for at in (1..all.len()).rev() {
            all.swap(at, self.dice.below(at + 1));
        }
        let seats = 4 + self.dice.below(2);
        let mut chosen = vec![0];
        chosen.extend(all.into_iter().take(seats - 1));
        let in_force = self.nodes[0].book.council.charter_in_force(self.towns[side].id);
        let several = in_force.is_some_and(|charter| charter.witnesses.len() > 1);
        if several || self.calm {
            self.reform(side, &chosen);
        }
    }

    /// Publishes a charter with these witnesses, unless one is under way.
    pub(super) fn reform(&mut self, side: usize, witnesses: &[usize]) {
        let (book, town) = (&self.nodes[0].book, &self.towns[side]);
        let Some(charter) = book.council.charter_in_force(town.id) else { return };
        let adopted = book.ledger.rules(&town.currency);
        if self.reforming[side].is_some() || adopted.is_none_or(|it| it.1.charter != charter.id) {
            return;
        }
        let previous = Some(Previous { community: charter.community, charter: charter.id });
        let Some(event) = self.nodes[0].disk.iter().find(|event| event.id == charter.id) else {
            return;
        };
        let Ok(entry) = <Council as ayni_protocol::Part>::read(event) else { return };
        let ayni_witness::entry::Body::Charter(text) = entry.body else { return };
        let seat = |at: &usize| WitnessSeat { key: self.key(*at), url: String::new() };
        let witnesses: Vec<_> = witnesses.iter().map(seat).collect();
        let quorum = witnesses.len() * 2 / 3 + 1;
        let next = CharterText { previous, witnesses, quorum, ..*text };
        self.reforming[side] = self.decree(side, ayni_witness::draft::charter(&next));
    }

    pub(super) fn key(&self, at: usize) -> PublicKey {
        self.nodes[at].desk.keys.public()
    }

    /// Once a charter is decided, the steward names it in new rules.
    pub(super) fn adopt(&mut self) {
        for side in [HERE, THERE] {
            let Some(charter) = self.reforming[side] else { continue };
            let council = &self.nodes[0].book.council;
            let in_force = council.charter_in_force(self.towns[side].id).map(|it| it.id);
            if in_force == Some(charter) && self.follow(side, Some(charter)).is_some() {
                self.reforming[side] = None;
            }
        }
    }

    /// New rules, perhaps under another charter.
    pub(super) fn follow(&mut self, side: usize, charter: Option<EventId>) -> Option<EventId> {
        let town = Rc::clone(&self.towns[side]);
        let (id, rules) = self.nodes[0].book.ledger.rules(&town.currency)?;
        let (epoch, charter) = (rules.epoch + 1, charter.unwrap_or(rules.charter));
        let next = Rules { epoch, previous: Some(id), charter, ..rules.clone() };
        self.decree(side, Body::from(next).draft(&town.id))
    }

    /// First a roster, which the witnesses decide, then a question to those on it.
    fn propose(&mut self) {
        let now = self.now();
        let Some(roster) = self.roster else { return self.enrol() };
        if self.nodes[0].book.council.roster(&roster).is_none() {
            return;
        }
        let spec: ayni_governance::proposal::ProposalSpec = toml::from_str(&format!(
            "title = \"?\"\nmethod = \"quadratic\"\nopens = {now}\ncloses = {}\n\
             [[options]]\nid = \"a\"\nlabel = \"A\"\n[[options]]\nid = \"b\"\nlabel = \"B\"\n",
            now + 60
        ))
        .expect("a proposal");
        let in_force = self.nodes[0].book.council.charter_in_force(self.towns[HERE].id);
        let Some(charter) = in_force.map(|charter| charter.id) else { return };
        let draft = ayni_governance::draft::proposal(self.towns[HERE].id, charter, roster, &spec);
        self.proposal = self.decree(HERE, draft);
    }

    fn enrol(&mut self) {
        let row = RosterRow { credits: 100, flags: Default::default() };
        let town = &self.towns[HERE];
        let rows = town.members.iter().map(|member| (member.public(), row.clone())).collect();
        let part = ayni_witness::roster::parts(town.id, &rows).remove(0);
        self.roster = self.decree(HERE, ayni_witness::draft::roster(&part));
    }

    fn vote(&mut self) {
        let Some(proposal) = self.proposal else { return self.propose() };
        let town = Rc::clone(&self.towns[HERE]);
        let (at, voter) = (self.dice.below(NODES), self.dice.below(town.members.len()));
        let marks = ["a", "b"].map(|option| {
            (option.to_owned(), i32::try_from(self.dice.roll() % 17).expect("a mark") - 8)
        });
        let marks = Choice::Votes(marks.into());
        let draft = ayni_governance::draft::ballot(town.id, proposal, &marks, "");
        let ballot = draft.sign(&town.members[voter], self.now(), [2; 32]);
        let _ = self.submit(at, &ballot, Origin::Client);
    }
}
