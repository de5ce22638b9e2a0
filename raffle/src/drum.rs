//! The drum: raffles and tickets as a fold over entries and facts.
//!
//! An entry is judged when it comes; what it still needs is written down, and when that comes it
//! is judged again, from a list and never by calling itself, so that a chain of any length that
//! someone built costs one step a link.
//!
//! A ticket that is fit waits for the decision of the witnesses. Only a ticket in the decided box
//! that also fits the list counts, so nothing that was counted is taken back by a later event.
//!
//! Where one order is named twice: of the fit tickets in one box, the lowest id holds it. Of two
//! boxes under the same charter, the one drawn first holds it, then the lower raffle; the later
//! box lists that ticket as [`Reason::OrderUsed`]. An order that names its raffle
//! ([`crate::draft::purpose`]) can be used in no other.

use std::collections::btree_map::Entry as MapEntry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ayni_protocol::{
    EventId, Kind, Malformed, Part, Premise, PublicKey, Ruling, VerifiedEvent, kind,
};
use ayni_witness::{Account, Charter, Fact, Payment, Round, Subject, Value};

use crate::causes::Causes;
use crate::people::People;
use crate::read::{Entry, RaffleEntry, Says, TicketEntry};
use crate::reason::Reason;
use crate::state::{Deposit, Need, Note, Running, Standing, Ticket, Verdict};

/// A place in an organiser's chain of raffles: community, organiser, and the raffle before.
type Link = (EventId, PublicKey, Option<EventId>);

/// All raffles of all communities this node holds, and the causes.
#[derive(Debug, Default)]
pub struct Drum {
    pub(crate) charters: BTreeMap<EventId, Arc<Charter>>,
    pub(crate) people: People,
    pub(crate) payments: BTreeMap<EventId, Arc<Payment>>,
    /// Certified orders by the payout they carry.
    pub(crate) by_pay: BTreeMap<[u8; 32], BTreeSet<EventId>>,
    pub(crate) rounds: BTreeMap<([u8; 32], u64), [u8; 32]>,
    pub(crate) verdicts: BTreeMap<EventId, Verdict>,
    pub(crate) raffles: BTreeMap<EventId, Running>,
    pub(crate) links: BTreeMap<Link, BTreeSet<EventId>>,
    pub(crate) tickets: BTreeMap<EventId, Ticket>,
    pub(crate) notes: BTreeMap<EventId, Note>,
    /// By deposit, the raffles in which a ticket lays claim to it.
    pub(crate) deposits: BTreeMap<Deposit, BTreeSet<EventId>>,
    /// Payouts and refunds that the ledger was told of.
    pub(crate) prescribed: BTreeSet<[u8; 32]>,
    pub(crate) causes: Causes,
    /// By boxed ticket, the raffles whose boxes wait for it.
    pub(crate) awaited: BTreeMap<EventId, BTreeSet<EventId>>,
    waiting: BTreeMap<Need, BTreeSet<EventId>>,
    /// Entries to judge again.
    woken: Vec<EventId>,
}

impl Part for Drum {
    type Entry = Entry;
    type Reason = Reason;
    type Fact = Fact;

    const NAME: &'static str = "raffle";
    const KINDS: &'static [Kind] =
        &[kind::RAFFLE, kind::TICKET, kind::TICKET_LIST, kind::DRAW, kind::CLAIM, kind::CAUSE];

    fn read(event: &VerifiedEvent) -> Result<Entry, Malformed> {
        crate::read::read(event)
    }

    fn apply(&mut self, entry: Entry, facts: &mut Vec<Fact>) {
        match entry {
            Entry::Raffle(raffle) => self.add_raffle(*raffle),
            Entry::Ticket(ticket) => self.add_ticket(ticket),
            Entry::List(list) => self.add_note(Note::List(list)),
            Entry::Draw(draw) => self.add_note(Note::Draw(draw)),
            Entry::Claim(claim) => self.add_note(Note::Claim(claim)),
            Entry::Cause(cause) => self.causes.add(*cause),
        }
        self.judge_woken(facts);
    }

    fn learn(&mut self, fact: &Fact, facts: &mut Vec<Fact>) {
        match fact {
            Fact::Charter(charter) => self.learn_charter(charter),
            Fact::Account(account) => self.learn_account(account),
            Fact::Certified(payment) => self.learn_payment(payment),
            Fact::Beacon(round) => self.learn_round(round),
            Fact::Decided(decision) => {
                self.verdicts.entry(decision.subject).or_default().note(decision);
                self.follow_verdict(decision.subject, facts);
            }
            Fact::Disputed { subject } => {
                self.verdicts.entry(*subject).or_default().dispute();
                self.follow_verdict(*subject, facts);
            }
            _ => {}
        }
        self.judge_woken(facts);
    }

    fn ruling(&self, entry: &EventId) -> Option<Ruling<Reason>> {
        if let Some(raffle) = self.raffles.get(entry) {
            return Some(raffle.standing.ruling());
        }
        if let Some(ticket) = self.tickets.get(entry) {
            return Some(self.ticket_ruling(ticket));
        }
        if let Some(note) = self.notes.get(entry) {
            return Some(self.note_ruling(note));
        }
        self.causes.knows(entry).then_some(Ruling::Counted)
    }

    fn digest_lines(&self) -> Vec<String> {
        let line = |(id, raffle): (&EventId, &Running)| {
            let state = self.decided_state(raffle)?;
            let outcome = self.verdict(id).and_then(Verdict::outcome);
            let outcome = outcome.map_or_else(
                || "-".into(),
                |decision| ayni_protocol::hex::encode(&decision.digest),
            );
            Some(format!("raffle|{id}|{state}|{outcome}"))
        };
        self.raffles.iter().filter_map(line).collect()
    }
}

impl Drum {
    /// An empty drum.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The causes people raise money for.
    #[must_use]
    pub const fn causes(&self) -> &Causes {
        &self.causes
    }

    /// What an order put into a raffle's escrow account.
    pub(crate) fn deposit(&self, raffle: &EventId, order: Option<EventId>) -> Option<Deposit> {
        Some((order?, self.raffles.get(raffle)?.entry.spec.escrow?))
    }

    pub(crate) fn verdict(&self, raffle: &EventId) -> Option<&Verdict> {
        self.verdicts.get(raffle)
    }

    /// What was decided of a raffle's box.
    pub(crate) fn close(&self, raffle: &EventId) -> Option<&Value> {
        self.verdict(raffle)?.close()
    }

    /// Remembers that an entry needs something.
    pub(crate) fn wait(&mut self, entry: EventId, need: Need) {
        self.waiting.entry(need).or_default().insert(entry);
    }

    fn wake(&mut self, need: Need) {
        self.woken.extend(self.waiting.remove(&need).into_iter().flatten());
    }

    fn judge_woken(&mut self, facts: &mut Vec<Fact>) {
        while let Some(id) = self.woken.pop() {
            if self.raffles.contains_key(&id) {
                self.advance_raffle(id, facts);
            } else if self.tickets.contains_key(&id) {
                self.advance_ticket(id, facts);
            } else {
                self.advance_note(id, facts);
            }
        }
    }

    fn add_raffle(&mut self, entry: RaffleEntry) {
        let id = entry.id;
        if let MapEntry::Vacant(place) = self.raffles.entry(id) {
            place.insert(Running::new(entry));
            self.woken.push(id);
        }
    }

    fn add_ticket(&mut self, entry: TicketEntry) {
        let (id, raffle) = (entry.id, entry.raffle);
        if let MapEntry::Vacant(place) = self.tickets.entry(id) {
            let standing = Standing::Waits(Need::Event(raffle));
            place.insert(Ticket { entry, standing, claim: None });
            self.woken.push(id);
        }
    }

    fn add_note(&mut self, note: Note) {
        let (id, ..) = note.head();
        if let MapEntry::Vacant(place) = self.notes.entry(id) {
            place.insert(note);
            self.woken.push(id);
        }
    }

    fn learn_charter(&mut self, charter: &Arc<Charter>) {
        self.charters.entry(charter.id).or_insert_with(|| Arc::clone(charter));
        self.wake(Need::Event(charter.id));
    }

    fn learn_account(&mut self, account: &Account) {
        for key in self.people.learn(account) {
            self.wake(Need::Key(key));
        }
    }

    fn learn_payment(&mut self, payment: &Arc<Payment>) {
        if self.payments.contains_key(&payment.order) {
            return;
        }
        self.payments.insert(payment.order, Arc::clone(payment));
        self.causes.give(payment);
        if let Some(pay) = payment.pay {
            self.by_pay.entry(pay).or_default().insert(payment.order);
        }
        self.wake(Need::Event(payment.order));
    }

    fn learn_round(&mut self, round: &Round) {
        // A round has one signature; should two be handed in all the same, the least stays.
        self.rounds
            .entry((round.chain, round.round))
            .and_modify(|known| *known = (*known).min(round.randomness))
            .or_insert(round.randomness);
        self.wake(Need::Round(round.chain, round.round));
    }

    fn advance_raffle(&mut self, id: EventId, facts: &mut Vec<Fact>) {
        let Some(raffle) = self.raffles.get(&id) else { return };
        if raffle.standing == Standing::Fit {
            self.draw_and_pay(id, facts);
            return;
        }
        let standing = self.judge_raffle(&raffle.entry);
        if let Some(raffle) = self.raffles.get_mut(&id) {
            raffle.standing = standing;
        }
        match standing {
            Standing::Waits(need) => self.wait(id, need),
            Standing::Void(_) => self.wake(Need::Event(id)),
            Standing::Fit => {
                self.announce(id, facts);
                self.wake(Need::Event(id));
                self.follow_verdict(id, facts);
            }
        }
    }

    /// Takes the raffle's place in its organiser's chain and tells the witnesses of it.
    fn announce(&mut self, id: EventId, facts: &mut Vec<Fact>) {
        let Some(RaffleEntry { organiser, place, spec, .. }) =
            self.raffles.get(&id).map(|raffle| &raffle.entry)
        else {
            return;
        };
        let link = (place.community, *organiser, place.previous);
        self.links.entry(link).or_default().insert(id);
        facts.push(Fact::Subject(Arc::new(Subject {
            id,
            community: place.community,
            charter: place.charter,
            opens: spec.opens,
            closes: spec.closes,
            grace: spec.grace,
            round: Some(place.round),
            min_units: spec.min_units,
        })));
    }

    fn advance_ticket(&mut self, id: EventId, facts: &mut Vec<Fact>) {
        let Some(ticket) = self.tickets.get(&id) else { return };
        if !matches!(ticket.standing, Standing::Waits(_)) {
            return;
        }
        let (standing, claim) = self.judge_ticket(&ticket.entry);
        let Some(ticket) = self.tickets.get_mut(&id) else { return };
        (ticket.standing, ticket.claim) = (standing, claim);
        let entry = ticket.entry.clone();
        let order = claim.and(entry.order);
        let deposit = self.deposit(&entry.raffle, order);
        if let Some(deposit) = deposit {
            self.deposits.entry(deposit).or_default().insert(entry.raffle);
            if let Some(raffle) = self.raffles.get_mut(&entry.raffle) {
                raffle.orders.insert(deposit.0);
            }
        }
        match standing {
            Standing::Waits(need) => self.wait(id, need),
            Standing::Void(_) => {}
            Standing::Fit => self.offer(&entry, claim.map(|claim| claim.payer), facts),
        }
        self.settle_in_boxes(id, facts);
        if let Some(deposit) = deposit {
            self.consider_refund(deposit, facts);
        }
    }

    /// Hands a fit ticket to the witnesses, unless its order was already used up elsewhere.
    fn offer(&mut self, ticket: &TicketEntry, payer: Option<PublicKey>, facts: &mut Vec<Fact>) {
        let quantity = u64::from(ticket.quantity);
        let spent = self
            .deposit(&ticket.raffle, ticket.order)
            .is_some_and(|deposit| self.is_spent(&deposit, &ticket.raffle));
        if !spent {
            let (subject, entry) = (ticket.raffle, ticket.id);
            facts.push(Fact::Entry { subject, entry, units: quantity });
        }
        if let Some(raffle) = self.raffles.get_mut(&ticket.raffle) {
            let sales = &mut raffle.sales;
            sales.tickets = sales.tickets.saturating_add(1);
            sales.units = sales.units.saturating_add(quantity);
            let held = sales.held.entry(payer.unwrap_or(ticket.author)).or_default();
            *held = held.saturating_add(quantity);
        }
    }

    fn advance_note(&mut self, id: EventId, facts: &mut Vec<Fact>) {
        self.settle_in_boxes(id, facts);
        let Some(Note::Claim(claim)) = self.notes.get(&id) else { return };
        match self.judge_claim(claim) {
            Standing::Waits(need) => self.wait(id, need),
            Standing::Void(_) => {}
            Standing::Fit => {
                let (author, says, subject) = (claim.author, claim.says, claim.raffle);
                let Some(raffle) = self.raffles.get_mut(&subject) else { return };
                match says {
                    Says::Claim(prize) => {
                        raffle.claimed.insert((prize, author));
                    }
                    Says::Delivered(prize) => {
                        raffle.delivered.insert(prize);
                    }
                    Says::Cancelled => {
                        raffle.cancelled = true;
                        facts.push(Fact::Failed { subject, reason: "cancelled".into() });
                    }
                }
            }
        }
    }

    fn ticket_ruling(&self, ticket: &Ticket) -> Ruling<Reason> {
        if let Standing::Void(reason) = ticket.standing {
            return Ruling::Void(reason);
        }
        let pending = match ticket.standing {
            Standing::Waits(need) => need.premise(),
            _ => Premise::Decision,
        };
        let fit = self.raffles.get(&ticket.entry.raffle).filter(|it| it.standing == Standing::Fit);
        let Some(raffle) = fit else { return Ruling::Waiting(pending) };
        let id = ticket.entry.id;
        match self.close(&ticket.entry.raffle) {
            Some(Value::Void(_)) => Ruling::Void(Reason::CalledOff),
            Some(Value::Box(boxed)) if !boxed.contains(&id) => Ruling::Void(Reason::NotInBox),
            Some(Value::Box(_)) => match &raffle.list {
                Some(list) if list.sold().contains_key(&id) => Ruling::Counted,
                Some(list) => list.refused(&id).map_or(Ruling::Waiting(pending), Ruling::Void),
                None => Ruling::Waiting(pending),
            },
            _ => Ruling::Waiting(pending),
        }
    }

    fn note_ruling(&self, note: &Note) -> Ruling<Reason> {
        let (id, community, raffle_id) = note.head();
        let raffle = match self.judge_raffle_of(raffle_id, community) {
            Ok(raffle) => raffle,
            Err(standing) => return standing.ruling(),
        };
        let equal = match note {
            Note::Claim(claim) => return self.claim_ruling(id, claim.says, raffle),
            Note::List(list) => raffle.list.as_ref().map(|own| {
                list.root == *own.root()
                    && list.units == own.units()
                    && usize::try_from(list.tickets) == Ok(own.lots().len())
                    && list.content.is_none_or(|sha256| {
                        sha256 == ayni_witness::canonical::sha256(own.leaves_base64())
                    })
            }),
            Note::Draw(draw) => raffle.draw.as_ref().map(|own| draw.result == own.sha256),
        };
        match equal {
            Some(true) => Ruling::Counted,
            Some(false) => Ruling::Void(Reason::Differs),
            None => self.pending_ruling(raffle),
        }
    }

    /// What an entry waits for that needs the list or the draw.
    fn pending_ruling(&self, raffle: &Running) -> Ruling<Reason> {
        match self.close(&raffle.entry.id) {
            Some(Value::Void(_)) => Ruling::Void(Reason::CalledOff),
            _ if raffle.list.is_some() => Ruling::Waiting(Premise::Beacon),
            _ => Ruling::Waiting(Premise::Decision),
        }
    }

    fn claim_ruling(&self, id: EventId, says: Says, raffle: &Running) -> Ruling<Reason> {
        let Some(Note::Claim(claim)) = self.notes.get(&id) else {
            return self.pending_ruling(raffle);
        };
        let (prize, needs_winner) = match (self.judge_claim(claim), says) {
            (Standing::Fit, Says::Claim(prize)) => (prize, Some(claim.author)),
            (Standing::Fit, Says::Delivered(prize)) => (prize, None),
            (standing, _) => return standing.ruling(),
        };
        if self.verdict(&raffle.entry.id).and_then(Verdict::called_off).is_some() {
            return Ruling::Void(Reason::CalledOff);
        }
        let (Some(draw), Some(list), true) = (&raffle.draw, &raffle.list, self.is_drawn(raffle))
        else {
            return Ruling::Waiting(Premise::Decision);
        };
        let winner = draw.winner(prize).and_then(|ticket| list.sold().get(&ticket));
        match winner {
            Some(winner) if needs_winner.is_none_or(|author| author == winner.holder) => {
                Ruling::Counted
            }
            _ => Ruling::Void(Reason::NotTheWinner),
        }
    }
}
