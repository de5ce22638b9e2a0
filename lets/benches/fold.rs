//! What folding a book costs: `cargo bench -p ayni-lets`, or with `-- 100000` for fewer orders.
//!
//! A million orders between a hundred thousand accounts, each with the attestation that certifies it:
//! reading and folding are timed, making the events is not. They have true ids and no signatures,
//! because the ledger looks at none. Then one late event, and what the memory holds.

#![expect(
    clippy::as_conversions,
    clippy::expect_used,
    reason = "figures for people; a run that cannot go on should stop"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use ayni_lets::{
    About, Attestation, Body, Enforce, Entry, Ledger, Log, Memo, Order, Policy, Repeat, Rules,
    Statement, Terms,
};
use ayni_protocol::{Address, Event, EventId, Part as _, PublicKey, Scale, VerifiedEvent, kind};
use ayni_witness::{Charter, Fact, Timings, WitnessSeat};
use sha2::{Digest as _, Sha256};

/// The program's own allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const COMMUNITY: EventId = EventId([0xc0; 32]);
/// Orders are folded by so many at a time, so that events need not all be in memory.
const PART: u64 = 10_000;

fn main() {
    let count = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(1_000_000);
    let mut table = Table::set((count / 10).max(2));
    let before = resident();
    let (mut reading, mut folding) = (Duration::ZERO, Duration::ZERO);
    let mut made = 0;
    // A start knows how many events its store has: an order and its attestation each.
    let events = usize::try_from(2 * count).expect("they fit in memory");
    folding += timed(|| table.ledger.expect(events));
    while made < count {
        let events = table.events(PART.min(count - made));
        made += PART;
        let mut entries = Vec::with_capacity(events.len());
        reading += timed(|| entries.extend(events.iter().map(read)));
        let mut facts = Vec::new();
        folding += timed(|| {
            let mut entries = entries.into_iter();
            while !entries.as_slice().is_empty() {
                let some = entries.as_slice().iter().take(Ledger::AHEAD);
                table.ledger.look_ahead(some);
                for entry in entries.by_ref().take(Ledger::AHEAD) {
                    table.ledger.apply(entry, &mut facts);
                    facts.clear();
                }
            }
        });
    }
    let each = |took: Duration| took.as_secs_f64() * 1e6 / count as f64;
    println!("{count} orders, {} accounts, by order with its attestation:", table.accounts);
    println!("read {:.2} µs, which a start does on all cores", each(reading));
    println!("folded {:.2} µs, {:.2} s in all", each(folding), folding.as_secs_f64());
    println!("{} MiB, {} of them the accounts'", resident() >> 20, before >> 20);
    let totals = table.ledger.currency(&currency()).expect("the currency").totals;
    assert_eq!((totals.orders, totals.sum.minor), (count, 0), "every order counts");

    let late = table.late();
    let took = timed(|| late.iter().for_each(|event| fold(&mut table.ledger, event)));
    println!("a late policy and an order that waited for it: {took:.1?}");
    let took = timed(|| assert!(table.ledger.currency_root(&currency()).is_some()));
    println!("the root over {} accounts: {took:.1?}", table.accounts);
}

fn timed(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

/// Bytes of this process in memory.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}

fn read(event: &VerifiedEvent) -> Entry {
    Entry::read(event).expect("an event of the ledger")
}

fn fold(ledger: &mut Ledger, event: &VerifiedEvent) {
    ledger.apply(read(event), &mut Vec::new());
}

fn key(number: u64) -> PublicKey {
    PublicKey(Sha256::digest(number.to_be_bytes()).into())
}

fn currency() -> Address {
    Address { kind: kind::CURRENCY, author: key(u64::MAX), identifier: "hour".into() }
}

/// The event that `author` would sign; its signature is zeros.
fn unsigned(author: PublicKey, body: &Body, at: u64) -> VerifiedEvent {
    let draft = body.draft(&COMMUNITY);
    let mut event = Event {
        id: EventId([0; 32]),
        pubkey: author,
        created_at: at,
        kind: draft.kind,
        tags: draft.tags,
        content: draft.content,
        sig: [0; 64],
    };
    event.id = event.hash();
    VerifiedEvent::from_own_journal(&event.to_json()).expect("a true id")
}

/// A community with one witness, and where every account of it stands.
struct Table {
    ledger: Ledger,
    accounts: u64,
    epoch: EventId,
    rules: Rules,
    /// By account: its next number and what that names as the one before.
    places: Vec<(u64, EventId)>,
    log: Log,
    made: u64,
}

impl Table {
    fn set(accounts: u64) -> Self {
        let mut ledger = Ledger::default();
        ledger.learn(&charter(), &mut Vec::new());
        let rules = rules();
        let event = unsigned(key(u64::MAX), &rules.clone().into(), 1);
        fold(&mut ledger, &event);
        let epoch = event.id;
        for number in 0..accounts {
            let policy = Policy::open(currency(), key(number));
            fold(&mut ledger, &unsigned(key(u64::MAX), &policy.into(), 2));
        }
        let places = (0..accounts).map(|_| (0, epoch)).collect();
        let log = Log { index: 0, previous: None };
        Self { ledger, accounts, epoch, rules, places, log, made: 0 }
    }

    /// The next orders and their attestations.
    fn events(&mut self, count: u64) -> Vec<VerifiedEvent> {
        (0..count).flat_map(|_| self.paid()).collect()
    }

    /// Somebody pays somebody, and the witness attests it.
    fn paid(&mut self) -> [VerifiedEvent; 2] {
        self.made += 1;
        // A step that visits every account before it comes back, and is no neighbour's.
        let payer = self.made.wrapping_mul(7_919) % self.accounts;
        let payee = (payer + 1 + self.made % (self.accounts - 1)) % self.accounts;
        self.pays(payer, key(payee))
    }

    fn pays(&mut self, payer: u64, payee: PublicKey) -> [VerifiedEvent; 2] {
        let at = usize::try_from(payer).expect("a small number");
        let place = self.places.get_mut(at).expect("an account");
        let terms = Terms {
            epoch: self.epoch,
            seq: place.0,
            previous: place.1,
            payee,
            gross: 1,
            levied: true,
        };
        let order = Order::new(&terms, &self.rules).expect("an order");
        let repeat = Repeat {
            order: EventId([0; 32]),
            payer: key(payer),
            payee,
            seq: order.seq,
            scale: order.scale,
            legs: order.legs.clone(),
            policy: self.epoch,
            over: None,
        };
        let order = unsigned(key(payer), &order.into(), 10 + self.made);
        *place = (place.0 + 1, order.id);
        let about = About::Orders(vec![Repeat { order: order.id, ..repeat }]);
        let statement = Statement { currency: currency(), epoch: self.epoch, log: self.log, about };
        let body = Attestation::State(Box::new(statement)).into();
        let attestation = unsigned(key(u64::MAX - 1), &body, 10 + self.made);
        self.log = Log { index: self.log.index + 1, previous: Some(attestation.id) };
        [order, attestation]
    }

    /// An order to somebody whose account comes after it.
    fn late(&mut self) -> Vec<VerifiedEvent> {
        let newcomer = key(u64::MAX - 7);
        let mut events = self.pays(0, newcomer).to_vec();
        let policy = Policy::open(currency(), newcomer);
        events.push(unsigned(key(u64::MAX), &policy.into(), 3));
        events
    }
}

fn charter() -> Fact {
    Fact::Charter(Arc::new(Charter {
        id: COMMUNITY,
        community: COMMUNITY,
        community_key: key(u64::MAX),
        previous: None,
        name: String::new(),
        languages: Vec::new(),
        country: None,
        region: None,
        witnesses: vec![WitnessSeat { key: key(u64::MAX - 1), url: String::new() }],
        quorum: 1,
        stewards: [].into(),
        approvals: 0,
        beacon: None,
        timings: Timings::default(),
    }))
}

fn rules() -> Rules {
    Rules {
        currency: currency(),
        epoch: 0,
        charter: COMMUNITY,
        previous: None,
        scale: Scale::default(),
        enforce: Enforce::Hard,
        limit: 1_000,
        formula: None,
        max: None,
        levies: Vec::new(),
        treasury: None,
        memo: Memo::Private,
        require: Vec::new(),
        demurrage: None,
        fee: None,
        about: String::new(),
    }
}
