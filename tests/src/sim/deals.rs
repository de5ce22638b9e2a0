//! What anybody said of trade, and the laws of it: one outcome for every hold, both sides or
//! neither, and nothing lent beyond what was agreed.

use std::collections::{BTreeMap, BTreeSet};

use ayni_lets::{Body, Ledger, Order, Outcome, Quote};
use ayni_node::book::{Book, Verdict};
use ayni_protocol::{Address, EventId, Part as _, PublicKey, VerifiedEvent, kind};

use super::trade::Terms;
use super::{HERE, THERE};
use crate::world::Town;

/// A hold that somebody signed.
struct Held {
    side: usize,
    payer: PublicKey,
    /// Through whom it pays.
    clearing: PublicKey,
    minor: i128,
}

/// A place that a clearing account signs for: who, in which currency, at which number, by which rules.
pub type Place = (PublicKey, Address, u64, EventId);

/// What came in through a clearing account, and what went out.
#[derive(Default)]
struct Flow {
    paid: i128,
    arrived: i128,
}

/// Everything that was said of trade.
#[derive(Default)]
pub struct Deals {
    agents: Vec<PublicKey>,
    currencies: Vec<Address>,
    /// What each community ever agreed to.
    agreed: [Vec<Terms>; 2],
    /// What members were quoted. Their devices remember it.
    quotes: BTreeMap<PublicKey, Vec<(EventId, Quote)>>,
    holds: BTreeMap<EventId, Held>,
    /// By hold: the orders that commit it, and how much arrives by them.
    commits: BTreeMap<EventId, BTreeMap<EventId, i128>>,
    /// The orders that clearing accounts signed.
    cleared: BTreeMap<Place, BTreeSet<EventId>>,
    /// How holds ended, for whoever heard of it first.
    ended: BTreeMap<EventId, Outcome>,
}

impl Deals {
    /// Nothing was said yet.
    pub fn new(agents: Vec<PublicKey>, towns: &[&Town]) -> Self {
        let currencies = towns.iter().map(|town| town.currency.clone()).collect();
        Self { agents, currencies, ..Self::default() }
    }

    /// Notes what a community agreed to.
    pub fn agree_to(&mut self, side: usize, terms: Terms) {
        self.agreed[side].push(terms);
    }

    /// A disk was lost: what devices remember, and what was once decided, stays.
    pub fn again(self) -> Self {
        let Self { agents, currencies, agreed, quotes, ended, .. } = self;
        Self { agents, currencies, agreed, quotes, ended, ..Self::default() }
    }

    /// Notes an order or a quote.
    pub fn observe(&mut self, event: &VerifiedEvent) {
        if !matches!(event.kind, kind::ORDER | kind::REQUEST) {
            return;
        }
        match Ledger::read(event).map(|entry| entry.body) {
            Ok(Body::Quote(quote)) => {
                let quotes = self.quotes.entry(quote.payer).or_default();
                if quotes.iter().all(|(id, _)| *id != event.id) {
                    quotes.push((event.id, Quote::clone(&quote)));
                }
            }
            Ok(Body::Order(order)) => self.observe_order(event, &order),
            _ => {}
        }
    }

    fn observe_order(&mut self, event: &VerifiedEvent, order: &Order) {
        if let Some(slot) = &order.extra().hold {
            let side = usize::from(self.currencies.get(THERE) == Some(&order.currency));
            let (payer, clearing, minor) = (event.pubkey, slot.account, order.total());
            self.holds.insert(event.id, Held { side, payer, clearing, minor });
        }
        if let Some(hold) = order.extra().commit {
            self.commits.entry(hold).or_default().insert(event.id, order.total());
        }
        if self.agents.contains(&event.pubkey) {
            let place = (event.pubkey, order.currency.clone(), order.seq, order.epoch);
            self.cleared.entry(place).or_default().insert(event.id);
        }
    }

    /// What somebody was quoted, the oldest first.
    pub fn quotes_of(&self, payer: &PublicKey) -> &[(EventId, Quote)] {
        self.quotes.get(payer).map_or(&[], Vec::as_slice)
    }

    /// Whether a clearing account signed an order for a place.
    pub fn has_cleared(&self, place: &Place) -> bool {
        self.cleared.contains_key(place)
    }

    /// How many holds were paid, and how many were undone.
    pub fn count(&self) -> (u64, u64) {
        let of = |end| self.ended.values().filter(|outcome| **outcome == end).count();
        let count = |end| u64::try_from(of(end)).expect("few holds");
        (count(Outcome::Posted), count(Outcome::Void))
    }

    /// OneOutcomePerHold: whoever knows how a hold ended knows the same.
    ///
    /// # Errors
    /// Where one is paid here and void there.
    pub fn agree(&mut self, book: &Book) -> Result<(), String> {
        for id in self.holds.keys() {
            let outcome = book.ledger.hold_outcome(id).filter(|it| *it != Outcome::Pending);
            let Some(outcome) = outcome else { continue };
            let before = *self.ended.entry(*id).or_insert(outcome);
            if before != outcome {
                return Err(format!("OneOutcomePerHold: {id} is {before:?} and {outcome:?}"));
            }
        }
        Ok(())
    }

    /// BothSidesOrNeither, that what is reserved and paid is what holds say, that nobody lends more
    /// than was agreed at some time, and that the clearing account signs once for a number.
    ///
    /// # Errors
    /// The law that does not hold.
    pub fn check(&self, book: &Book) -> Result<(), String> {
        let mut reserved: BTreeMap<(usize, PublicKey), i128> = BTreeMap::new();
        let mut flows: [BTreeMap<PublicKey, Flow>; 2] = Default::default();
        for (id, held) in &self.holds {
            let Some(outcome) = book.ledger.hold_outcome(id) else { continue };
            let commit = self.committed(book, id);
            if commit.is_some() != (outcome == Outcome::Posted) {
                return Err(format!(
                    "BothSidesOrNeither: {id} is {outcome:?}, and {commit:?} came"
                ));
            }
            match commit {
                Some(minor) => {
                    let mut agreed = self.agreed[held.side].iter();
                    if !agreed.any(|terms| terms.price(minor) == held.minor) {
                        return Err(format!("BothSidesOrNeither: {} for {minor}", held.minor));
                    }
                    flows[held.side].entry(held.clearing).or_default().paid += held.minor;
                    flows[1 - held.side].entry(held.clearing).or_default().arrived += minor;
                }
                None if outcome == Outcome::Pending => {
                    *reserved.entry((held.side, held.payer)).or_default() += held.minor;
                }
                None => {}
            }
        }
        for (side, currency) in self.currencies.iter().enumerate() {
            self.check_accounts(book, (side, currency), &reserved)?;
            for agent in &self.agents {
                let flow = flows[side].remove(agent).unwrap_or_default();
                self.check_clearing(book, (side, currency), *agent, &flow)?;
            }
        }
        let twice = self.cleared.iter().find(|(_, orders)| orders.len() > 1);
        twice.map_or(Ok(()), |((_, _, seq, _), _)| {
            Err(format!("SignedOnce: the clearing account signed two orders numbered {seq}"))
        })
    }

    /// How much arrived by the certified order that commits a hold.
    fn committed(&self, book: &Book, hold: &EventId) -> Option<i128> {
        let counted = |id: &EventId| book.verdict(id) == Some(Verdict::Counted);
        let mut commits = self.commits.get(hold).into_iter().flatten();
        commits.find(|(id, _)| counted(id)).map(|(_, minor)| *minor)
    }

    fn check_accounts(
        &self,
        book: &Book,
        (side, currency): (usize, &Address),
        reserved: &BTreeMap<(usize, PublicKey), i128>,
    ) -> Result<(), String> {
        for view in book.ledger.accounts(currency) {
            let held = reserved.get(&(side, view.account)).copied().unwrap_or_default();
            if view.pending.minor != held {
                let (account, pending) = (view.account, view.pending);
                return Err(format!(
                    "OneOutcomePerHold: {account} has {pending} reserved for {held}"
                ));
            }
            if view.available.minor < 0 {
                let account = view.account;
                return Err(format!("NoOneBeyondTheirLimit: {account} reserved more than it has"));
            }
        }
        Ok(())
    }

    /// A clearing account got what the holds paid, and gave what their commits delivered.
    fn check_clearing(
        &self,
        book: &Book,
        (side, currency): (usize, &Address),
        agent: PublicKey,
        Flow { paid, arrived }: &Flow,
    ) -> Result<(), String> {
        let Some(view) = book.ledger.account(currency, &agent) else { return Ok(()) };
        if (view.credits_posted.minor, view.debits_posted.minor) != (*paid, *arrived) {
            let (got, gave) = (view.credits_posted, view.debits_posted);
            return Err(format!(
                "BothSidesOrNeither: the clearing account got {got} and gave {gave}, for {paid} \
                 and {arrived}"
            ));
        }
        let through = self.agreed[side].iter().filter(|terms| terms.clearing == agent);
        let lent = through.map(|terms| terms.limit).max().unwrap_or_default();
        if view.balance.minor < -i128::from(lent) {
            let balance = view.balance;
            return Err(format!("NoFurtherThanLent: the clearing account stands at {balance}"));
        }
        Ok(())
    }

    /// What is still reserved, by anybody.
    pub fn reserved(&self, book: &Book) -> Option<String> {
        [HERE, THERE].iter().filter_map(|side| self.currencies.get(*side)).find_map(|currency| {
            let mut accounts = book.ledger.accounts(currency);
            let found = accounts.find(|view| view.pending.minor != 0)?;
            let holds = book.ledger.open_holds_of(currency, &found.account);
            Some(format!("{} of {}, for {holds:?}", found.pending, found.account))
        })
    }
}
