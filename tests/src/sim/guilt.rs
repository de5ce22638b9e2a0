//! Witnesses that do what they must not: one that lies, and the mistakes that are made on purpose.

use ayni_lets::{About, Attestation, Body, Ledger, Log, Order, Repeat, Statement, Verdict};
use ayni_protocol::{Draft, EventId, Part as _, Prefix, Timestamp, VerifiedEvent, kind};
use ayni_witness::Instance;
use ayni_witness::digest::void_digest;
use ayni_witness::entry::{Action, Choice, Named, Step};

use super::{Bug, HERE, World};
use crate::world::SimNode;

/// The attestation that a witness with this bug signs, where one without it refuses.
pub fn forced(
    bug: Bug,
    node: &SimNode,
    event: &VerifiedEvent,
    now: Timestamp,
) -> Option<VerifiedEvent> {
    if event.kind != kind::ORDER || node.holds(&event.id) {
        return None;
    }
    let me = node.desk.keys.public();
    let Verdict::Refuse(why) = node.book.ledger.judge(event, &me, now) else { return None };
    let is_planted = match bug {
        Bug::LimitOffByOne => why.prefix == Prefix::Limit && is_one_over(node, event),
        Bug::SkippedLock => why.prefix == Prefix::Locked,
        Bug::EarlyCommit => why.prefix == Prefix::Missing && completes(event),
        Bug::DroppedEvent | Bug::SkippedFence | Bug::ForgottenCommit => false,
    };
    is_planted.then(|| blind(node, event, now)).flatten()
}

fn order_of(event: &VerifiedEvent) -> Option<Order> {
    match Ledger::read(event).ok()?.body {
        Body::Order(order) => Some(Order::clone(&order)),
        _ => None,
    }
}

fn completes(event: &VerifiedEvent) -> bool {
    order_of(event).is_some_and(|order| order.extra().commit.is_some())
}

fn is_one_over(node: &SimNode, event: &VerifiedEvent) -> bool {
    order_of(event).is_some_and(|order| {
        let view = node.book.ledger.account(&order.currency, &event.pubkey);
        view.is_some_and(|view| order.total() == view.available.minor + 1)
    })
}

/// An attestation by a witness that looks at nothing, under the rules of the order.
pub fn blind(node: &SimNode, event: &VerifiedEvent, now: Timestamp) -> Option<VerifiedEvent> {
    let order = order_of(event)?;
    let (ledger, me) = (&node.book.ledger, node.desk.keys.public());
    let (policy, _) = ledger.latest_policy(&order.currency, &event.pubkey)?;
    let about = About::Orders(vec![Repeat {
        order: event.id,
        payer: event.pubkey,
        payee: *order.payee()?,
        seq: order.seq,
        scale: order.scale,
        legs: order.legs.clone(),
        policy,
        over: None,
    }]);
    let statement = Statement {
        currency: order.currency.clone(),
        epoch: order.epoch,
        log: ledger.next_log(&me),
        about,
    };
    let community = ledger.currency(&order.currency)?.community;
    let draft = Body::from(Attestation::State(Box::new(statement))).draft(&community);
    Some(draft.sign(&node.desk.keys, now, [4; 32]))
}

impl World {
    /// The liar signs whatever it can: every order that is not certified, at one place of its log
    /// where it pleases, and its own end of every vote.
    pub(super) fn lie(&mut self) {
        let Some(at) = self.liar else { return };
        let (before, now) = (self.nodes[at].disk.len(), self.clock(at));
        let open: Vec<_> = {
            let node = &self.nodes[at];
            let me = node.desk.keys.public();
            let unsigned = |event: &&VerifiedEvent| {
                event.kind == kind::ORDER
                    && !node
                        .book
                        .verdict(&event.id)
                        .is_some_and(|it| matches!(it, ayni_node::book::Verdict::Counted))
                    && node.book.ledger.signed_by(&event.id, &me).is_none()
            };
            node.disk.iter().rev().filter(unsigned).take(3).cloned().collect()
        };
        for order in open {
            let Some(lie) = blind(&self.nodes[at], &order, now) else { continue };
            self.nodes[at].keep(vec![lie]);
            self.seen.lies += 1;
        }
        if self.dice.chance(30) {
            self.lie_about_the_log(at, now);
        }
        if let Some(proposal) = self.proposal {
            for attempt in 1..3 {
                self.lie_about_the_vote(at, proposal, attempt, now);
            }
        }
        self.spread(at, before, true);
    }

    /// A second statement at the beginning of its log.
    fn lie_about_the_log(&mut self, at: usize, now: Timestamp) {
        let node = &self.nodes[at];
        let Some((epoch, _)) = node.book.ledger.rules(&self.towns[HERE].currency) else { return };
        let log = Log { index: 0, previous: None };
        let (currency, about) = (self.towns[HERE].currency.clone(), About::Policy(epoch));
        let statement = Statement { currency, epoch, log, about };
        let draft = Body::from(Attestation::State(Box::new(statement))).draft(&self.towns[HERE].id);
        let lie = draft.sign(&node.desk.keys, now, [4; 32]);
        self.nodes[at].keep(vec![lie]);
        self.seen.lies += 1;
    }

    /// A seal and a readiness for what nobody proposed.
    fn lie_about_the_vote(&mut self, at: usize, subject: EventId, attempt: u32, now: Timestamp) {
        let digest = void_digest(subject, "lie");
        let choice = Choice { named: Named::Void("lie".into()), digest };
        for action in [Action::Ready(Some(digest)), Action::Seal(choice)] {
            let instance = Instance::Close;
            let step = Step { community: self.towns[HERE].id, subject, instance, attempt, action };
            let draft: Draft = ayni_witness::draft::step(&step);
            let lie = draft.sign(&self.nodes[at].desk.keys, now, [4; 32]);
            self.nodes[at].keep(vec![lie]);
            self.seen.lies += 1;
        }
    }
}
