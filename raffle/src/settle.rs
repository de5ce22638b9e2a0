//! From a decided box to the last payment.
//!
//! A box is *complete* once each of its tickets is judged; then the list is fixed, a round draws,
//! and when the witnesses decided the same result, the payouts are prescribed. Where they called
//! the raffle off, at either step, everyone is refunded. A payment whose ticket did not make it
//! onto the list is refunded in any case.
//!
//! One order is given back by one raffle at most, and only when no raffle that might keep it is
//! still undecided. So it either pays for units in a drum or goes back: never both.

use std::collections::BTreeSet;
use std::sync::Arc;

use ayni_protocol::EventId;
use ayni_witness::{Fact, Payout, Value};

use crate::drum::Drum;
use crate::list::{Boxed, TicketList};
use crate::payout::{Distribution, Due, Purpose, distribute};
use crate::result::{Draw, Entropy};
use crate::state::{Deposit, Need, Running, Standing, State, Verdict};

impl Drum {
    /// Does what a decision about a raffle asks for, once the raffle counts.
    pub(crate) fn follow_verdict(&mut self, id: EventId, facts: &mut Vec<Fact>) {
        let Some(raffle) = self.raffles.get(&id).filter(|it| it.standing == Standing::Fit) else {
            return;
        };
        let first = raffle.unsettled.is_none();
        if let (true, Some(Value::Box(boxed))) = (first, self.close(&id)) {
            let boxed = Arc::clone(boxed);
            self.open_box(id, &boxed, facts);
            return;
        }
        if self.verdict(&id).is_some_and(Verdict::is_disputed) {
            self.shut_box(id, facts);
        }
        self.draw_and_pay(id, facts);
        self.consider_refunds(id, facts);
    }

    /// Forgets the box of a disputed raffle: which of two was heard of first must not matter.
    fn shut_box(&mut self, id: EventId, facts: &mut Vec<Fact>) {
        let later = self.later_boxes(&id);
        if let Some(raffle) = self.raffles.get_mut(&id) {
            raffle.unsettled = None;
            raffle.boxed_orders.clear();
            (raffle.list, raffle.draw) = (None, None);
            raffle.payouts.clear();
            raffle.payouts_wait = None;
        }
        for id in later {
            self.fix(id, facts);
        }
    }

    /// Raffles whose boxes may hold an order that this one's box keeps from them.
    fn later_boxes(&self, id: &EventId) -> BTreeSet<EventId> {
        let orders = self.raffles.get(id).into_iter().flat_map(|raffle| &raffle.boxed_orders);
        let deposits = orders.filter_map(|order| self.deposit(id, Some(*order)));
        let others = deposits.filter_map(|deposit| self.deposits.get(&deposit)).flatten();
        others.filter(|other| self.precedes(id, other)).copied().collect()
    }

    fn open_box(&mut self, id: EventId, boxed: &BTreeSet<EventId>, facts: &mut Vec<Fact>) {
        let unsettled: BTreeSet<_> =
            boxed.iter().filter(|entry| !self.is_settled(entry, &id)).copied().collect();
        for entry in &unsettled {
            self.awaited.entry(*entry).or_default().insert(id);
        }
        let complete = unsettled.is_empty();
        if let Some(raffle) = self.raffles.get_mut(&id) {
            raffle.unsettled = Some(unsettled);
        }
        if complete {
            self.complete(id, facts);
        }
    }

    /// Whether it is known what a boxed entry is worth to a raffle. What is no ticket of it is
    /// worth nothing, and known to be as soon as it came.
    fn is_settled(&self, entry: &EventId, raffle: &EventId) -> bool {
        match self.tickets.get(entry) {
            Some(ticket) if ticket.entry.raffle == *raffle => {
                !matches!(ticket.standing, Standing::Waits(_))
            }
            Some(_) => true,
            None => self.notes.contains_key(entry),
        }
    }

    /// Takes an entry off the lists of boxes that waited for it.
    pub(crate) fn settle_in_boxes(&mut self, entry: EventId, facts: &mut Vec<Fact>) {
        let Some(raffles) = self.awaited.get(&entry).cloned() else { return };
        for id in raffles {
            if !self.is_settled(&entry, &id) {
                continue;
            }
            if let Some(waiting) = self.awaited.get_mut(&entry) {
                waiting.remove(&id);
            }
            let Some(raffle) = self.raffles.get_mut(&id) else { continue };
            let taken = raffle.unsettled.as_mut().is_some_and(|left| left.remove(&entry));
            if taken && raffle.is_complete() {
                self.complete(id, facts);
            }
        }
        if self.awaited.get(&entry).is_some_and(BTreeSet::is_empty) {
            self.awaited.remove(&entry);
        }
    }

    /// Fixes the list of a complete box, and again the lists of later boxes that hold one of its
    /// orders, which are no longer theirs.
    fn complete(&mut self, id: EventId, facts: &mut Vec<Fact>) {
        let boxed_orders: BTreeSet<_> =
            self.boxed(&id).into_iter().filter_map(|ticket| ticket.order).collect();
        if let Some(raffle) = self.raffles.get_mut(&id) {
            raffle.boxed_orders = boxed_orders;
        }
        self.fix(id, facts);
        for id in self.later_boxes(&id) {
            self.fix(id, facts);
        }
    }

    /// The fit tickets in a raffle's box.
    fn boxed(&self, id: &EventId) -> Vec<Boxed> {
        let Some(Value::Box(boxed)) = self.close(id) else { return Vec::new() };
        let ticket = |entry| {
            let ticket = self.tickets.get(entry)?;
            let fit = ticket.standing == Standing::Fit && ticket.entry.raffle == *id;
            fit.then_some(Boxed {
                id: *entry,
                holder: ticket.entry.author,
                person: ticket.claim.map_or(ticket.entry.author, |claim| claim.payer),
                quantity: ticket.entry.quantity,
                order: ticket.entry.order,
                minor: ticket.claim.map_or(0, |claim| claim.minor),
            })
        };
        boxed.iter().filter_map(ticket).collect()
    }

    /// Whether `first` keeps an order that both boxes hold. Only boxes of one charter compare:
    /// others are decided by other witnesses, and no list may hang on what those decide later.
    fn precedes(&self, first: &EventId, second: &EventId) -> bool {
        let (Some(first), Some(second)) = (self.raffles.get(first), self.raffles.get(second))
        else {
            return false;
        };
        first.entry.place.charter == second.entry.place.charter && first.rank() < second.rank()
    }

    fn fix(&mut self, id: EventId, facts: &mut Vec<Fact>) {
        let Some(raffle) = self.raffles.get(&id).filter(|raffle| raffle.is_complete()) else {
            return;
        };
        let spent = raffle.boxed_orders.iter().filter(|order| {
            let deposit = self.deposit(&id, Some(**order));
            let others = deposit.and_then(|deposit| self.deposits.get(&deposit));
            others.into_iter().flatten().any(|other| {
                self.precedes(other, &id)
                    && self.raffles.get(other).is_some_and(|it| it.boxed_orders.contains(*order))
            })
        });
        let spent: BTreeSet<_> = spent.copied().collect();
        let list = TicketList::new(&raffle.entry.spec, &self.boxed(&id), &spent);
        if let Some(raffle) = self.raffles.get_mut(&id)
            && raffle.list.as_ref() != Some(&list)
        {
            (raffle.list, raffle.draw) = (Some(list), None);
        }
        self.draw_and_pay(id, facts);
        self.consider_refunds(id, facts);
    }

    /// Draws as soon as the round is there, and pays as soon as the result is decided.
    pub(crate) fn draw_and_pay(&mut self, id: EventId, facts: &mut Vec<Fact>) {
        let Some(raffle) = self.raffles.get(&id) else { return };
        let Some(list) = &raffle.list else { return };
        if raffle.draw.is_none() {
            let Some(chain) = self.chain_of(raffle) else { return };
            let round = raffle.entry.place.round;
            let Some(randomness) = self.rounds.get(&(chain, round)).copied() else {
                self.wait(id, Need::Round(chain, round));
                return;
            };
            let entropy = Entropy { chain, round, randomness };
            let draw = Draw::new(id, &raffle.entry.spec, list, entropy);
            let result = draw.as_ref().map(|draw| draw.sha256);
            facts.extend(result.map(|result| Fact::Result { subject: id, result }));
            if let Some(raffle) = self.raffles.get_mut(&id) {
                raffle.draw = draw;
            }
        }
        self.pay_out(id, facts);
    }

    fn chain_of(&self, raffle: &Running) -> Option<[u8; 32]> {
        let charter = self.charters.get(&raffle.entry.place.charter)?;
        charter.beacon.as_ref().map(|chain| chain.hash)
    }

    /// Whether the decided result is the one that was drawn here.
    pub(crate) fn is_drawn(&self, raffle: &Running) -> bool {
        let outcome = self.verdict(&raffle.entry.id).and_then(Verdict::outcome);
        match (outcome.map(|outcome| &outcome.value), &raffle.draw) {
            (Some(Value::Result(result)), Some(draw)) => *result == draw.sha256,
            _ => false,
        }
    }

    fn pay_out(&mut self, id: EventId, facts: &mut Vec<Fact>) {
        let Some(raffle) = self.raffles.get(&id) else { return };
        let spec = &raffle.entry.spec;
        let distribution = match (&raffle.list, &raffle.draw, &spec.currency) {
            (Some(list), Some(draw), Some(currency)) if self.is_drawn(raffle) => {
                distribute(spec, list, &draw.winners, |who| self.people.inviter(currency, who))
            }
            _ => Distribution::default(),
        };
        let Some(raffle) = self.raffles.get_mut(&id) else { return };
        let by_pay = |due: Due| (due.purpose.pay_id(id), due);
        raffle.payouts = distribution.dues.into_iter().map(by_pay).collect();
        raffle.payouts_wait = distribution.waits_for;
        let dues: Vec<_> = raffle.payouts.values().copied().collect();
        for due in dues {
            self.prescribe(id, due, facts);
        }
        if let Some(account) = distribution.waits_for {
            self.wait(id, Need::Key(account));
        }
    }

    fn consider_refunds(&mut self, id: EventId, facts: &mut Vec<Fact>) {
        let orders = self.raffles.get(&id).map(|raffle| raffle.orders.clone()).unwrap_or_default();
        for order in orders {
            if let Some(deposit) = self.deposit(&id, Some(order)) {
                self.consider_refund(deposit, facts);
            }
        }
    }

    /// Prescribes that a deposit is given back, or finds that it is not, or not yet.
    pub(crate) fn consider_refund(&mut self, deposit: Deposit, facts: &mut Vec<Fact>) {
        let home = self.refunds_by(&deposit);
        let due = self.refund(&deposit);
        let raffles = self.deposits.get(&deposit).cloned().unwrap_or_default();
        for id in raffles {
            let due = due.filter(|_| home == Some(id));
            let Some(raffle) = self.raffles.get_mut(&id) else { continue };
            match due {
                Some(due) => {
                    raffle.refunds.insert(deposit.0, due);
                    self.prescribe(id, due, facts);
                }
                None => {
                    raffle.refunds.remove(&deposit.0);
                }
            }
        }
    }

    /// The raffle that gives a deposit back: none while one that might keep it is undecided, none
    /// if one keeps it; else the first whose box holds it, or the first of all.
    fn refunds_by(&self, deposit: &Deposit) -> Option<EventId> {
        let (order, _) = deposit;
        let raffles: Vec<&Running> =
            self.deposits.get(deposit)?.iter().filter_map(|id| self.raffles.get(id)).collect();
        if raffles.iter().any(|raffle| !self.is_closed(raffle) || self.keeps(raffle, order)) {
            return None;
        }
        let first = |boxed: bool| {
            let boxes = raffles.iter().filter(|it| !boxed || it.boxed_orders.contains(order));
            boxes.map(|raffle| raffle.rank()).min()
        };
        first(true).or_else(|| first(false)).map(|(_, id)| id)
    }

    fn refund(&self, (order, escrow): &Deposit) -> Option<Due> {
        let payment = self.payments.get(order)?;
        let minor = crate::judge::paid_into(payment, escrow);
        Some(Due { purpose: Purpose::Refund(*order, *escrow), to: payment.payer, minor })
    }

    /// Tells the ledger of a payment, once.
    fn prescribe(&mut self, id: EventId, due: Due, facts: &mut Vec<Fact>) {
        let Some(spec) = self.raffles.get(&id).map(|raffle| &raffle.entry.spec) else { return };
        let (Some(currency), Some(escrow)) = (spec.currency.clone(), spec.escrow) else { return };
        let pay = due.purpose.pay_id(id);
        if self.prescribed.insert(pay) {
            let refund_of = match due.purpose {
                Purpose::Refund(order, _) => Some(order),
                _ => None,
            };
            let (to, minor) = (due.to, due.minor);
            let payout = Payout { raffle: id, pay, currency, escrow, to, minor, refund_of };
            facts.push(Fact::Prescribed(Arc::new(payout)));
        }
    }

    /// Whether a raffle was called off, or its list is fixed. A disputed one is neither.
    fn is_closed(&self, raffle: &Running) -> bool {
        match self.close(&raffle.entry.id) {
            Some(Value::Void(_)) => true,
            Some(Value::Box(_)) => raffle.list.is_some(),
            _ => false,
        }
    }

    /// Whether units in this raffle's drum were paid with the order, and it was not called off.
    fn keeps(&self, raffle: &Running, order: &EventId) -> bool {
        let called_off = self.verdict(&raffle.entry.id).and_then(Verdict::called_off).is_some();
        !called_off && raffle.list.as_ref().is_some_and(|list| list.holds(order))
    }

    /// Whether a deposit is in another raffle's box, or is being given back.
    pub(crate) fn is_spent(&self, deposit: &Deposit, raffle: &EventId) -> bool {
        let (order, _) = deposit;
        let raffles = self.deposits.get(deposit).into_iter().flatten();
        raffles.filter_map(|id| self.raffles.get(id)).any(|other| {
            let boxed = other.entry.id != *raffle && other.boxed_orders.contains(order);
            boxed || other.refunds.contains_key(order)
        })
    }

    /// Whether a certified order out of the escrow account paid exactly this.
    pub(crate) fn paid_by(&self, raffle: &Running, pay: &[u8; 32], due: &Due) -> Option<EventId> {
        let spec = &raffle.entry.spec;
        let orders = self.by_pay.get(pay).into_iter().flatten();
        let pays = |order: &&EventId| {
            self.payments.get(*order).is_some_and(|payment| {
                Some(payment.payer) == spec.escrow
                    && Some(&payment.currency) == spec.currency.as_ref()
                    && payment.community == raffle.entry.place.community
                    && payment
                        .legs
                        .iter()
                        .any(|leg| leg.account == due.to && leg.minor == due.minor)
            })
        };
        orders.clone().find(pays).copied()
    }

    /// The part of the state that no clock decides: nothing before the list is decided.
    pub(crate) fn decided_state(&self, raffle: &Running) -> Option<State> {
        if raffle.standing != Standing::Fit {
            return None;
        }
        let verdict = self.verdict(&raffle.entry.id)?;
        if verdict.is_disputed() {
            return Some(State::Disputed);
        }
        verdict.close()?;
        if verdict.called_off().is_some() {
            let id = raffle.entry.id;
            let refunded = raffle
                .refunds
                .values()
                .all(|due| self.paid_by(raffle, &due.purpose.pay_id(id), due).is_some());
            return Some(if refunded { State::Refunded } else { State::Void });
        }
        if !self.is_drawn(raffle) {
            return Some(State::Sealed);
        }
        let paid = raffle.payouts_wait.is_none()
            && raffle.payouts.iter().all(|(pay, due)| self.paid_by(raffle, pay, due).is_some());
        Some(match (paid, raffle.is_handed_over()) {
            (false, _) => State::Drawn,
            (true, false) => State::Paid,
            (true, true) => State::Finished,
        })
    }
}
