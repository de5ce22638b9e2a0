//! What must hold in every world, at every step, over everything that anybody ever said.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use ayni_lets::view::OrderState;
use ayni_lets::{Attestation, Body, Ledger};
use ayni_node::book::{Book, Verdict};
use ayni_protocol::{EventId, Part as _, PublicKey, VerifiedEvent, kind};

use super::deals::Deals;
use super::trade::Terms;
use super::{CHEAT, HERE, HONEST, NODES, RACER, World};
use crate::world::{SimNode, Town, empty, within_limits, zero_sum};

/// What a witness signed for: account, number, rules.
type Place = (PublicKey, PublicKey, u64, EventId);

/// Everything that anybody said, and the book it makes.
pub struct Record {
    /// What nodes promised their clients to keep.
    pub acknowledged: Vec<(usize, EventId)>,
    book: Book,
    said: BTreeSet<EventId>,
    /// Order, payer, currency and number.
    orders: Vec<(EventId, PublicKey, String, String)>,
    /// By witness and place: the orders it attested.
    attested: BTreeMap<Place, BTreeSet<EventId>>,
    /// By witness and place of its log: the statements.
    logs: BTreeMap<(PublicKey, u64), BTreeSet<EventId>>,
    certified: BTreeSet<EventId>,
    /// Orders that were attested together with others.
    pub(super) together: u64,
    /// What was said of trade.
    pub(super) deals: Deals,
}

impl Record {
    /// Nothing was said yet.
    pub(super) fn new(agents: &[PublicKey], towns: &[Rc<Town>; 2], terms: [Terms; 2]) -> Self {
        let [here, there] = towns;
        let mut deals = Deals::new(agents.to_vec(), &[here, there]);
        for (side, terms) in terms.into_iter().enumerate() {
            deals.agree_to(side, terms);
        }
        Self::with(deals)
    }

    fn with(deals: Deals) -> Self {
        Self {
            deals,
            together: 0,
            acknowledged: Vec::new(),
            book: empty(),
            said: BTreeSet::new(),
            orders: Vec::new(),
            attested: BTreeMap::new(),
            logs: BTreeMap::new(),
            certified: BTreeSet::new(),
        }
    }

    /// How many different events were said.
    #[must_use]
    pub fn count(&self) -> usize {
        self.said.len()
    }

    /// Notes an event that some node stored.
    pub fn observe(&mut self, event: &VerifiedEvent) {
        if !self.said.insert(event.id) {
            return;
        }
        self.book.apply(event);
        if event.kind == kind::ORDER {
            let value = |name: &str| {
                let value = event.tags.named(name).next().and_then(ayni_protocol::Tag::value);
                value.unwrap_or_default().to_owned()
            };
            self.orders.push((event.id, event.pubkey, value("a"), value("seq")));
        }
        self.deals.observe(event);
        if event.kind != kind::ATTESTATION {
            return;
        }
        let Ok(entry) = Ledger::read(event) else { return };
        let Body::Attestation(Attestation::State(statement)) = entry.body else { return };
        let log = (event.pubkey, statement.log.index);
        self.logs.entry(log).or_default().insert(event.id);
        if statement.orders().len() > 1 {
            self.together += u64::try_from(statement.orders().len()).unwrap_or_default();
        }
        for repeat in statement.orders() {
            let place = (event.pubkey, repeat.payer, repeat.seq, statement.epoch);
            self.attested.entry(place).or_default().insert(repeat.order);
        }
    }

    /// A disk was lost: only what somebody still has, or is on its way, was ever said.
    pub fn again<'a>(
        &mut self,
        nodes: &[SimNode],
        under_way: impl Iterator<Item = &'a VerifiedEvent>,
    ) {
        let acknowledged = std::mem::take(&mut self.acknowledged);
        let deals = std::mem::take(&mut self.deals).again();
        *self = Self { acknowledged, ..Self::with(deals) };
        nodes.iter().flat_map(|node| &node.disk).for_each(|event| self.observe(event));
        under_way.for_each(|event| self.observe(event));
    }

    /// ZeroSum, NoOneBeyondTheirLimit, OneOrderPerSeat, CountedStaysCounted, and that no honest
    /// witness signs twice for one place.
    ///
    /// # Errors
    /// The law that does not hold.
    pub fn check(&mut self, towns: &[Rc<Town>], liar: Option<PublicKey>) -> Result<(), String> {
        for town in towns {
            zero_sum(town, &self.book)?;
            within_limits(town, &self.book)?;
        }
        let mut seats = BTreeMap::new();
        for (id, payer, currency, seq) in &self.orders {
            let counted = self.book.verdict(id) == Some(Verdict::Counted);
            if !counted && self.certified.contains(id) {
                return Err(format!("CountedStaysCounted: {id} counted, and does no more"));
            }
            if counted {
                self.certified.insert(*id);
                if seats.insert((payer, currency, seq), id).is_some() {
                    return Err(format!("OneOrderPerSeat: {payer} paid twice as number {seq}"));
                }
            }
        }
        let honest = |witness: &PublicKey| Some(*witness) != liar;
        let twice = self.attested.iter().find(|((by, ..), all)| honest(by) && all.len() > 1);
        if let Some(((witness, _, seq, _), _)) = twice {
            return Err(format!(
                "SignedOnce: witness {witness} attested two orders numbered {seq}"
            ));
        }
        let twice = self.logs.iter().find(|((by, _), all)| honest(by) && all.len() > 1);
        if let Some(((witness, index), _)) = twice {
            return Err(format!("SignedOnce: witness {witness} has two statements at {index}"));
        }
        Ok(())
    }

    /// The laws of trade.
    ///
    /// # Errors
    /// The law that does not hold.
    pub fn check_trade(&mut self) -> Result<(), String> {
        self.deals.agree(&self.book)?;
        self.deals.check(&self.book)
    }

    /// How many payments across the currencies went through, and how many were undone.
    #[must_use]
    pub fn trades(&self) -> (u64, u64) {
        self.deals.count()
    }
}

impl World {
    /// AttestedIsCertified: once all is healed, what an honest witness attested is certified or has
    /// lapsed, whatever changed since; unless its payer signed two payments of one number.
    pub(super) fn attested_is_certified(&self) -> Result<(), String> {
        let liar = self.liar.map(|at| self.key(at));
        let attested = self.record.attested.iter().filter(|((by, ..), _)| Some(*by) != liar);
        let attested: BTreeSet<EventId> = attested.flat_map(|(_, all)| all).copied().collect();
        let careless = [RACER, CHEAT].map(|member| self.member(member).1.public());
        let mut seats: BTreeMap<_, Vec<EventId>> = BTreeMap::new();
        let careful = self.record.orders.iter().filter(|(_, payer, ..)| !careless.contains(payer));
        for (id, payer, currency, seq) in careful {
            seats.entry((payer, currency, seq)).or_default().push(*id);
        }
        for ((payer, _, seq), orders) in seats {
            let [only] = orders.as_slice() else { continue };
            let state = self.nodes[0].book.ledger.order_state(only).state;
            let waits = !matches!(state, OrderState::Certified | OrderState::Lapsed);
            if waits && attested.contains(only) {
                let event = self.nodes[0].disk.iter().find(|event| event.id == *only);
                let why = event.map(|order| self.judged(order)).unwrap_or_default();
                return Err(format!("AttestedIsCertified: {payer} waits at {seq}: {why}"));
            }
        }
        Ok(())
    }

    /// HonestStillServed: what careful members signed is certified, and so is what they sign now.
    pub(super) fn serve_everyone(&mut self) -> Result<(), String> {
        for member in HONEST {
            if self.wallets[member].under_way().is_some() {
                let why = self.why_not(member);
                return Err(format!("HonestStillServed: member {member} waits for ever: {why}"));
            }
            let has_means = self.means(member, 0).is_some();
            self.pay(member, 0);
            if has_means && self.wallets[member].under_way().is_none() {
                let why = &self.wallets[member].refused;
                return Err(format!("HonestStillServed: member {member} is refused: {why}"));
            }
            for _ in 0..8 {
                if self.wallets[member].under_way().is_some() {
                    self.round();
                }
            }
            if self.wallets[member].under_way().is_some() {
                let why = self.why_not(member);
                return Err(format!("HonestStillServed: member {member} cannot pay: {why}"));
            }
        }
        if self.reforming != [None; 2] {
            return Err("HonestStillServed: a charter is never decided".into());
        }
        Ok(())
    }

    /// What each node says to the order that a member waits for.
    fn why_not(&self, member: usize) -> String {
        let Some((_, order)) = &self.wallets[member].signed else { return String::new() };
        let says = self.judged(order);
        format!("{says}; it was told last: {}", self.wallets[member].refused)
    }

    /// What each node says to an order.
    fn judged(&self, order: &VerifiedEvent) -> String {
        let says = self.nodes.iter().enumerate().map(|(at, node)| {
            let (me, now) = (node.desk.keys.public(), self.clock(at));
            let verdict = match node.book.ledger.judge(order, &me, now) {
                ayni_lets::Verdict::Refuse(why) | ayni_lets::Verdict::Later(why) => why.to_string(),
                ayni_lets::Verdict::Attest(_) => "would attest".into(),
                ayni_lets::Verdict::Already(_) => "attested".into(),
                ayni_lets::Verdict::NotMine => "no witness".into(),
            };
            format!("{at}: {verdict}")
        });
        says.collect::<Vec<_>>().join("; ")
    }

    /// LiarsAreNamed: whoever signed twice where it matters is proven to have, and nobody else is.
    pub(super) fn liars_are_named(&self) -> Result<(), String> {
        let guilty: BTreeSet<PublicKey> = [RACER, CHEAT]
            .into_iter()
            .map(|member| self.towns[HERE].members[member].public())
            .chain(self.liar.map(|at| self.nodes[at].desk.keys.public()))
            .collect();
        for at in (0..NODES).filter(|at| Some(*at) != self.liar) {
            let (me, ledger) = (self.nodes[at].desk.keys.public(), &self.nodes[at].book.ledger);
            if let Some(conflict) = ledger.unproven(&me, 0).first() {
                return Err(format!("LiarsAreNamed: node {at} proves no {:?}", conflict.case));
            }
        }
        let proofs = self.nodes[0].disk.iter().filter(|event| event.kind == kind::FRAUD);
        for proof in proofs {
            let accused = proof.tags.named("p").next().and_then(ayni_protocol::Tag::value);
            if !guilty.iter().any(|key| Some(key.to_string().as_str()) == accused) {
                return Err(format!("LiarsAreNamed: {} accuses an honest one", proof.json()));
            }
        }
        Ok(())
    }
}
