//! A world in one thread: nodes without sockets, a network that loses, repeats and reorders, and
//! power cuts between any two writes. Everything follows from one seed.
//!
//! The nodes are the real desk and the real book; only the disk, the network and the clock are
//! made here. A node's disk is the list of events it wrote: what a cut leaves of a batch is a
//! prefix of it, as the journal promises.

use std::collections::BTreeSet;

use ayni_lets::{AccountType, Agreement, Body, Order, Policy, Quote};
use ayni_node::admission::Origin;
use ayni_node::book::Book;
use ayni_node::config::Config;
use ayni_node::desk::{Batch, Desk, Moment};
use ayni_node::fence::Fence;
use ayni_node::founding::{Plan, Seats};
use ayni_protocol::{
    Address, Amount, Draft, EventId, Keys, PublicKey, Rejection, Timestamp, VerifiedEvent,
};
use ayni_witness::Timings;
use ayni_witness::beacon::{Chain, Known};

/// Numbers from a seed: SplitMix64.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Dice that fall the same way for the same seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    ///
    /// # Panics
    /// Where the bound does not fit.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound.max(1)).expect("a small bound");
        usize::try_from(self.roll() % bound).expect("a small number")
    }

    /// True in `percent` of all cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.roll() % 100 < percent
    }
}

/// Keys that are the same in every run.
///
/// # Panics
/// Never for the numbers tests use.
#[must_use]
pub fn keys(number: u64) -> Keys {
    let mut secret = [0x11; 32];
    secret[24..].copy_from_slice(&number.to_be_bytes());
    Keys::from_secret(secret).expect("a small number is a secret key")
}

/// A community, and the events that founded it.
pub struct Town {
    /// Its id.
    pub id: EventId,
    /// Its own key.
    pub key: Keys,
    /// Its currency.
    pub currency: Address,
    /// Its members.
    pub members: Vec<Keys>,
    /// Charter, rules, currency and the opening of every account.
    pub founding: Vec<VerifiedEvent>,
}

impl Town {
    /// Founds a town with one witness.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn found(
        witness: &Keys,
        members: u64,
        chain: Chain,
        timings: Timings,
        at: Timestamp,
    ) -> Self {
        let members = (1..=members).map(keys).collect();
        Self::of("Vale do Sol", keys(1_000), members, witness, (chain, timings, at))
    }

    /// Founds another town with one witness, with which the first may trade.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn neighbour(
        witness: &Keys,
        members: u64,
        chain: Chain,
        timings: Timings,
        at: Timestamp,
    ) -> Self {
        let members = (21..).map(keys).take(usize::try_from(members).expect("few")).collect();
        Self::of("Vale da Lua", keys(2_000), members, witness, (chain, timings, at))
    }

    fn of(
        name: &str,
        key: Keys,
        members: Vec<Keys>,
        witness: &Keys,
        (chain, timings, at): (Chain, Timings, Timestamp),
    ) -> Self {
        let mut sign = |draft: Draft| draft.sign(&key, at, [7; 32]);
        let plan = Plan {
            name: name.into(),
            languages: vec!["pt".into()],
            country: Some("PT".into()),
            ..Plan::default()
        };
        let limit = Amount::parse(&plan.limit).expect("an amount");
        let seats = Seats { witness: witness.public(), community: key.public() };
        let founded = plan.events(limit, seats, chain, timings, &mut sign);
        let mut founding = founded.all;
        for member in &members {
            let policy = Policy::open(founded.address.clone(), member.public());
            founding.push(sign(Body::from(policy).draft(&founded.charter)));
        }
        Self { id: founded.charter, key, currency: founded.address, members, founding }
    }

    /// Opens an account that clears trade, as far below zero as its agreement lets it go.
    pub fn open_clearing(&mut self, account: PublicKey, limit: Amount, at: Timestamp) {
        let policy = Policy::open(self.currency.clone(), account);
        let account_type = AccountType::Clearing;
        let policy = Policy { account_type, limit: Some(limit), ..policy };
        self.founding.push(Body::from(policy).draft(&self.id).sign(&self.key, at, [7; 32]));
    }

    /// What this town agrees with another: `rate` units here for units there.
    #[must_use]
    pub fn agreement(
        &self,
        with: &Self,
        clearing: PublicKey,
        limit: Amount,
        rate: (i64, i64),
    ) -> Draft {
        let (currency, with, (here, there)) = (self.currency.clone(), with.currency.clone(), rate);
        let agreement =
            Agreement { currency, with, clearing, limit, here, there, about: String::new() };
        Body::from(agreement).draft(&self.id)
    }
}

/// A node without a socket.
pub struct SimNode {
    /// What it does.
    pub desk: Desk,
    /// What it knows.
    pub book: Book,
    /// What a power cut leaves it.
    pub disk: Vec<VerifiedEvent>,
    on_disk: BTreeSet<EventId>,
}

/// How a batch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// All of it is durable, and its sender was told so.
    Acknowledged,
    /// The power went out on the way.
    Cut,
}

impl SimNode {
    /// A node with an empty disk.
    #[must_use]
    pub fn new(keys: Keys) -> Self {
        let desk =
            Desk { config: Config::default(), keys, local_beacon: None, fence: Fence::default() };
        Self { desk, book: empty(), disk: Vec::new(), on_disk: BTreeSet::new() }
    }

    /// Takes an event; `cut_after` says after how many writes the power goes out.
    ///
    /// # Errors
    /// The refusal; nothing was written then.
    pub fn take(
        &mut self,
        event: &VerifiedEvent,
        origin: Origin,
        now: Timestamp,
        cut_after: Option<usize>,
    ) -> Result<Written, Rejection> {
        let (mut said, written) = self.take_all(&[event], origin, now, cut_after);
        said.pop().unwrap_or(Ok(()))?;
        Ok(written)
    }

    /// Takes events that came together, as one batch; what was said to each, and how it ended.
    pub fn take_all(
        &mut self,
        events: &[&VerifiedEvent],
        origin: Origin,
        now: Timestamp,
        cut_after: Option<usize>,
    ) -> (Vec<Result<(), Rejection>>, Written) {
        let mut entropy = || [3; 32];
        let disk = &self.disk;
        let stored = |id: &EventId| disk.iter().find(|event| event.id == *id).cloned();
        let mut moment = Moment { now, entropy: &mut entropy, stored: &stored };
        let (book, mut batch) = (&mut self.book, Batch::of(events.len()));
        let take = |event: &&VerifiedEvent| {
            if self.on_disk.contains(&event.id) || book.has(&event.id) {
                return Ok(());
            }
            self.desk.take(book, &mut batch, event, origin, &mut moment)?;
            // Whoever sent it is told what becomes of the last event of the batch.
            assert_eq!(batch.stored.last().map(|last| last.id), Some(event.id));
            Ok(())
        };
        let said: Vec<_> = events.iter().map(take).collect();
        if batch.stored.is_empty() {
            return (said, Written::Acknowledged);
        }
        self.desk.duties(&mut self.book, &mut batch, &mut moment);
        (said, self.write(batch.stored, cut_after))
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Timestamp, cut_after: Option<usize>) -> Written {
        let mut entropy = || [3; 32];
        let disk = &self.disk;
        let stored = |id: &EventId| disk.iter().find(|event| event.id == *id).cloned();
        let mut moment = Moment { now, entropy: &mut entropy, stored: &stored };
        let mut batch = Batch::of(0);
        self.desk.duties(&mut self.book, &mut batch, &mut moment);
        self.write(batch.stored, cut_after)
    }

    fn write(&mut self, batch: Vec<VerifiedEvent>, cut_after: Option<usize>) -> Written {
        let kept = cut_after.map_or(batch.len(), |writes| writes.min(batch.len()));
        let cut = cut_after.is_some();
        for event in batch.into_iter().take(kept) {
            self.on_disk.insert(event.id);
            self.disk.push(event);
        }
        if cut {
            self.restart();
            return Written::Cut;
        }
        Written::Acknowledged
    }

    /// Stores a batch, whatever the desk would say.
    pub fn keep(&mut self, batch: Vec<VerifiedEvent>) -> Written {
        batch.iter().for_each(|event| self.book.apply(event));
        self.write(batch, None)
    }

    /// Loses everything after so many events, and starts again.
    pub fn cut_back(&mut self, length: usize) {
        for event in self.disk.drain(length.min(self.disk.len())..) {
            self.on_disk.remove(&event.id);
        }
        self.restart();
    }

    /// Starts again from what is on the disk.
    pub fn restart(&mut self) {
        self.book = empty();
        for event in &self.disk {
            self.book.apply(event);
        }
    }

    /// Whether an event is durable here.
    #[must_use]
    pub fn holds(&self, id: &EventId) -> bool {
        self.on_disk.contains(id)
    }
}

/// A book that believes test chains.
#[must_use]
pub fn empty() -> Book {
    Book::new(Known { insecure_test_chains: true })
}

/// An order as a member's device writes it, from what its node's book says.
#[must_use]
pub fn order(
    town: &Town,
    book: &Book,
    payer: &Keys,
    payee: &Keys,
    minor: i64,
    now: Timestamp,
) -> Option<VerifiedEvent> {
    let terms = book.ledger.terms(&town.currency, &payer.public(), &payee.public(), minor);
    let (terms, rules) = terms?;
    let order = Order::new(&terms, rules).ok()?;
    Some(Body::from(order).draft(&town.id).sign(payer, now, [5; 32]))
}

/// A hold on a quote as a member's device writes it, from what its node's book says.
#[must_use]
pub fn hold(
    town: &Town,
    book: &Book,
    payer: &Keys,
    (id, quote): (EventId, &Quote),
    now: Timestamp,
) -> Option<VerifiedEvent> {
    let (account, gross) = (quote.slot.account, quote.amount.minor);
    let (terms, rules) = book.ledger.terms(&town.currency, &payer.public(), &account, gross)?;
    let order = Order::new(&terms, rules).ok()?.with(|it| {
        it.hold = Some(quote.slot.clone());
        it.quote = Some(id);
    });
    Some(Body::from(order).draft(&town.id).sign(payer, now, [5; 32]))
}

/// ZeroSum, in whatever book, however little of the world it has seen.
///
/// # Errors
/// What the balances sum to instead.
pub fn zero_sum(town: &Town, book: &Book) -> Result<(), String> {
    let Some(currency) = book.ledger.currency(&town.currency) else { return Ok(()) };
    if currency.totals.sum.minor != 0 {
        return Err(format!("ZeroSum: the balances sum to {}", currency.totals.sum));
    }
    Ok(())
}

/// NoOneBeyondTheirLimit, in the book of a witness. A reader may hear of a payment before it hears
/// of the limit that allowed it, so nobody else's book can be held to this at every step.
///
/// # Errors
/// Who is beyond their limit.
pub fn within_limits(town: &Town, book: &Book) -> Result<(), String> {
    for account in book.ledger.accounts(&town.currency) {
        if account.balance.minor < -account.limit.minor {
            return Err(format!(
                "NoOneBeyondTheirLimit: {} stands at {} with a limit of {}",
                account.account, account.balance, account.limit
            ));
        }
    }
    Ok(())
}
