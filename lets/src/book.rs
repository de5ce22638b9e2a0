//! One currency's book: everything that counted in it, as sums and indices.
//!
//! Every field is a function of the set of what counted: sums, maxima, sets. Nothing remembers
//! which came first.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ayni_protocol::{Address, EventId, KeyMap, Number, PublicKey, Scale, Timestamp};
use ayni_witness::Charter;

use crate::account::Raise;
use crate::checkpoint::Line;
use crate::fork::Case;
use crate::orders::Orders;
use crate::periodic::Kept;
use crate::request::Answer;
use crate::{Agreement, Checkpoint, Currency, Policy, Quote, Rating, Request, Rules};

/// Which version of an addressable event is shown: the newest, then the lowest id (NIP-01).
pub type Newest = (Timestamp, Reverse<EventId>);

/// Rules that count, with the charter they name.
#[derive(Debug)]
pub struct Epoch {
    pub id: EventId,
    pub community: EventId,
    pub rules: Arc<Rules>,
    pub charter: Arc<Charter>,
}

/// A witness's last word under rules that others have followed.
#[derive(Debug, Clone, Copy)]
pub struct Close {
    pub witness: PublicKey,
    /// Its place in the witness's log.
    pub index: u64,
    pub created_at: Timestamp,
}

/// One currency's book.
#[derive(Debug, Clone, Default)]
pub struct Book {
    /// Counted rules by number; of two with one number the lowest id is in force.
    pub epochs: BTreeMap<(u64, Reverse<EventId>), Arc<Epoch>>,
    /// By rules: the statements of witnesses that they attest nothing more under them.
    pub closes: BTreeMap<EventId, BTreeMap<EventId, Close>>,
    /// Counted versions of the currency event: the newest, then the lowest id, is shown.
    pub definitions: BTreeMap<Newest, Arc<Currency>>,
    pub accounts: KeyMap<Account>,
    pub charges: Charges,
    pub requests: BTreeMap<EventId, Asked>,
    /// Counted orders by the request they answer, whether or not it came.
    pub answered: BTreeMap<EventId, BTreeSet<EventId>>,
    /// Quotes that count.
    pub quotes: BTreeMap<EventId, Arc<Quote>>,
    /// Counted versions of the agreement with a currency: the newest, then the lowest id, holds.
    pub agreements: BTreeMap<Address, BTreeMap<Newest, Arc<Agreement>>>,
    /// What was given back of an order, by the order's id.
    pub refunded: BTreeMap<EventId, i128>,
    /// By order and rating account: the newest, then the lowest id.
    pub ratings: BTreeMap<(EventId, PublicKey), BTreeMap<Newest, Rating>>,
    /// Who signed which root.
    pub checkpoints: BTreeMap<[u8; 32], BTreeSet<PublicKey>>,
    /// The newest checkpoint that each witness signed.
    pub said: BTreeMap<PublicKey, (Newest, Checkpoint)>,
    /// The lines under the newest checkpoint that said what this book said when it came. Which one
    /// that is depends on arrival, so nothing counts by it; a witness that lacks the lines signs
    /// nothing that rests on them.
    pub kept: Option<Kept>,
    /// Forks of orders that somebody proved: account and number, with the proofs.
    pub proofs: BTreeMap<(PublicKey, u64), BTreeSet<EventId>>,
    /// Places of which a proof counts, whatever its case.
    pub proven: BTreeSet<(Case, PublicKey, u64)>,
    /// Every proof that counts, whatever its case.
    pub frauds: BTreeSet<EventId>,
    pub orders: u64,
    pub volume: i128,
    /// Lowest and highest default limit, and default maximum, of any counted rules.
    pub defaults: Defaults,
}

/// Charges of a currency.
#[derive(Debug, Clone, Default)]
pub struct Charges {
    /// Those that count, by number.
    pub counted: BTreeSet<(u64, EventId)>,
    /// Those that need nothing but witnesses, by number, the counted ones included.
    pub sound: BTreeSet<(u64, EventId)>,
    /// First number without a counted charge.
    pub next_cseq: u64,
}

/// A request that counts, and what became of it.
#[derive(Debug, Clone)]
pub struct Asked {
    pub payee: PublicKey,
    pub community: EventId,
    pub created_at: Timestamp,
    pub request: Arc<Request>,
    pub answers: BTreeMap<EventId, Answer>,
}

/// One account.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// Counted policies by version; of two with one version the lowest id is in force, and last.
    pub policies: Vec<Arc<Version>>,
    /// Who any of them let sign: whether its own key, and which others. Every order asks this, and
    /// nearly all are signed by the account's own key.
    own_key_signs: bool,
    other_signers: BTreeSet<PublicKey>,
    pub orders: Orders,
    pub debits: i128,
    pub credits: i128,
    pub charges: i128,
    /// What open holds reserve.
    pub held: i128,
    /// Counted orders and charges that touch it, as they came; some twice.
    pub history: Vec<Number>,
}

/// A policy that counts.
#[derive(Debug)]
pub struct Version {
    pub id: EventId,
    pub community: EventId,
    pub policy: Arc<Policy>,
    /// The version before.
    pub previous: Option<Arc<Policy>>,
}

/// The lowest and highest default among all counted rules. A missing maximum is without bound.
#[derive(Debug, Clone, Copy)]
pub struct Defaults {
    pub limit: (i64, i64),
    pub max: (i64, i64),
}

impl Default for Defaults {
    fn default() -> Self {
        Self { limit: (i64::MAX, i64::MIN), max: (i64::MAX, i64::MIN) }
    }
}

impl Defaults {
    fn hear(&mut self, rules: &Rules) {
        let widen = |(low, high): (i64, i64), value: i64| (low.min(value), high.max(value));
        self.limit = widen(self.limit, rules.limit);
        self.max = widen(self.max, rules.max.unwrap_or(i64::MAX));
    }
}

impl Book {
    /// The rules in force: the highest epoch, then the lowest id.
    pub fn current(&self) -> Option<&Arc<Epoch>> {
        self.epochs.values().next_back()
    }

    /// The rules of epoch 0: what the first order of every account names as its `prev`.
    pub fn first_rules(&self) -> Option<EventId> {
        let first = |(number, Reverse(id)): &(u64, Reverse<EventId>)| (*number == 0).then_some(*id);
        self.epochs.keys().filter_map(first).min()
    }

    /// The agreement with a currency that holds now.
    pub fn agreement(&self, with: &Address) -> Option<&Arc<Agreement>> {
        self.agreements.get(with)?.values().next_back()
    }

    /// The decimals of the rules in force.
    pub fn scale(&self) -> Option<Scale> {
        self.current().map(|epoch| epoch.rules.scale)
    }

    /// Whether some counted rules write amounts so. They all do, unless the community key signed
    /// two first rules.
    pub fn has_scale(&self, scale: Scale) -> bool {
        self.epochs.values().any(|epoch| epoch.rules.scale == scale)
    }

    /// Whether the currency is kept by this community.
    pub fn is_of(&self, community: EventId) -> bool {
        self.epochs.values().any(|epoch| epoch.community == community)
    }

    /// Whether any counted rules name a charter that makes this key a witness.
    pub fn is_witness(&self, key: &PublicKey) -> bool {
        self.epochs.values().any(|epoch| epoch.charter.is_witness(key))
    }

    pub fn epoch(&self, id: EventId) -> Option<&Arc<Epoch>> {
        self.epochs.values().find(|epoch| epoch.id == id)
    }

    pub fn account(&self, key: &PublicKey) -> Option<&Account> {
        self.accounts.get(key).filter(|account| account.is_open())
    }

    /// Every account that ever had a counted policy, by key.
    pub fn open_accounts(&self) -> Vec<(&PublicKey, &Account)> {
        let mut all = self.accounts.sorted();
        all.retain(|(_, account)| account.is_open());
        all
    }

    pub fn add_rules(&mut self, epoch: Epoch) {
        self.defaults.hear(&epoch.rules);
        self.epochs.insert((epoch.rules.epoch, Reverse(epoch.id)), Arc::new(epoch));
    }

    /// The checkpoint's lines: every account that ever had a counted policy, sorted.
    pub fn lines(&self) -> impl Iterator<Item = Line> {
        self.open_accounts().into_iter().map(|(key, account)| Line {
            account: *key,
            next_seq: account.orders.next_seq(),
            last_order: account.orders.last(),
            debits_posted: account.debits,
            debits_pending: account.held,
            credits_posted: account.credits,
            charges: account.charges,
            policy_version: account.policies.last().map_or(0, |latest| latest.policy.version),
        })
    }
}

impl Account {
    /// Whether a policy of it ever counted.
    pub fn is_open(&self) -> bool {
        !self.policies.is_empty()
    }

    pub const fn balance(&self) -> i128 {
        self.credits.saturating_sub(self.debits).saturating_add(self.charges)
    }

    /// What it holds and has not reserved.
    pub const fn free(&self) -> i128 {
        self.balance().saturating_sub(self.held)
    }

    /// Whether any counted policy of it, whose own key is `own`, names this key as a signer.
    pub fn ever_let_sign(&self, own: &PublicKey, key: &PublicKey) -> bool {
        if key == own { self.own_key_signs } else { self.other_signers.contains(key) }
    }

    /// Brings the ends of its lists into the processor's cache; says something about them, so that
    /// they have to be looked at.
    pub fn touch(&self) -> u8 {
        self.orders.touch() ^ u8::from(self.history.last() == self.history.first())
    }

    /// Books that a policy counts.
    pub fn add_policy(&mut self, version: Version) {
        let Policy { account, signers, .. } = &*version.policy;
        self.own_key_signs |= signers.contains(account);
        self.other_signers.extend(signers.iter().filter(|key| *key != account));
        let place = |version: &Version| (version.policy.version, Reverse(version.id));
        let at = self.policies.partition_point(|other| place(other) < place(&version));
        self.policies.reserve_exact(1);
        self.policies.insert(at, Arc::new(version));
    }
}

impl Version {
    /// Whether it only gives more than the version before.
    pub fn raises(&self, defaults: &Defaults) -> Raise {
        self.policy.raises(self.previous.as_deref(), defaults)
    }
}

impl Charges {
    /// Books that a charge counts.
    pub fn count(&mut self, cseq: u64, id: EventId) {
        self.counted.insert((cseq, id));
        while at(&self.counted, self.next_cseq).next().is_some() {
            self.next_cseq = self.next_cseq.saturating_add(1);
        }
    }

    /// The charge that the next one must name: of two counted ones the lowest id.
    pub fn last(&self) -> Option<EventId> {
        at(&self.counted, self.next_cseq.checked_sub(1)?).next()
    }

    /// Sound charges at a number, by id.
    pub fn sound_at(&self, cseq: u64) -> impl Iterator<Item = EventId> {
        at(&self.sound, cseq)
    }
}

/// The events at a number, by id.
fn at(all: &BTreeSet<(u64, EventId)>, number: u64) -> impl Iterator<Item = EventId> {
    let range = (number, EventId([0; 32]))..=(number, EventId([0xff; 32]));
    all.range(range).map(|(_, id)| *id)
}
