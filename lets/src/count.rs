//! What an entry changes once it counts, and the places it takes before that.
//!
//! Everything here adds to sums and sets, so the order in which entries come to count leaves no
//! trace.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use ayni_protocol::{Address, EventId, Number, PublicKey};
use ayni_witness::{Account, Fact, Payment};

use crate::account::Raise;
use crate::attestation::{About, Attestation, Log, Statement};
use crate::book::{Asked, Close, Epoch, Version};
use crate::entry::{Body, Entry};
use crate::fork::{Case, Fork};
use crate::known::Signature;
use crate::ledger::{Key, Ledger};
use crate::periodic::Kept;
use crate::{
    Charge, Checkpoint, Fraud, Order, Policy, Rating, Request, Resolution, Resolved, Rules, Status,
};

impl Ledger {
    /// Files what an entry claims, before anything is known of it.
    pub(crate) fn note_claim(&mut self, number: Number, entry: &Entry) {
        match &entry.body {
            Body::Attestation(Attestation::State(statement)) => {
                self.note_log(number, entry, statement);
            }
            Body::Fraud(fraud) => {
                let (whose, place) = fraud.place;
                self.accused.insert((entry.author, fraud.case, whose, place));
            }
            Body::Resolution(it) => _ = self.told.insert((entry.author, it.hold, it.resolved)),
            _ => {}
        }
    }

    /// Files a statement in its author's log.
    fn note_log(&mut self, number: Number, entry: &Entry, statement: &Statement) {
        let Log { index, previous } = statement.log;
        let previous = previous.map(|previous| self.known.number_of(previous));
        let log = self.logs.entry(entry.author).or_default();
        let other = log.insert(index, number, previous);
        let Some(other) = other.and_then(|other| self.known.id(other)) else { return };
        let fork = Fork { case: Case::Log, currency: None, whose: entry.author, number: index };
        self.forks.entry(fork).or_default().extend([entry.id, other]);
    }

    /// An order or charge that lacks nothing but witnesses takes its place, and shows a fork.
    pub(crate) fn note_sound(&mut self, entry: &Entry) {
        let id = entry.id;
        match &entry.body {
            Body::Order(order) => {
                let payer = entry.speaker();
                let Some(book) = self.books.get_mut(&order.currency) else { return };
                let account = book.accounts.or_default(payer);
                if !account.orders.note_sound(order.seq, id) {
                    return;
                }
                if order.seq >= account.orders.next_seq() {
                    self.unattested.or_default(id);
                }
                if !account.orders.is_contested(order.seq, id) {
                    return;
                }
                let rival = |other: &EventId| match self.known.entry(other).map(|it| &it.body) {
                    Some(Body::Order(rival)) => *other != id && rival.epoch == order.epoch,
                    _ => false,
                };
                let other = account.orders.sound_at(order.seq).find(rival);
                self.note_fork(Case::Order, &order.currency, payer, order.seq, id, other);
            }
            Body::Charge(charge) => {
                let Some(book) = self.books.get_mut(&charge.currency) else { return };
                book.charges.sound.insert((charge.cseq, id));
                let other = book.charges.sound_at(charge.cseq).find(|other| *other != id);
                self.note_fork(
                    Case::Charge,
                    &charge.currency,
                    entry.author,
                    charge.cseq,
                    id,
                    other,
                );
            }
            _ => {}
        }
    }

    /// Names two events at one place. Whoever comes third finds any of the others, so that all of
    /// them end up named at a cost that does not grow with their number.
    pub(crate) fn note_fork(
        &mut self,
        case: Case,
        currency: &Address,
        whose: PublicKey,
        number: u64,
        one: EventId,
        other: Option<EventId>,
    ) {
        if let Some(other) = other {
            let fork = Fork { case, currency: Some(currency.clone()), whose, number };
            self.forks.entry(fork).or_default().extend([one, other]);
        }
    }

    /// Books an entry. Entries to look at again go to `work`, what it establishes to `facts`.
    pub(crate) fn count(
        &mut self,
        number: Number,
        entry: &Entry,
        work: &mut Vec<Number>,
        facts: &mut Vec<Fact>,
    ) {
        match &entry.body {
            Body::Currency(currency) => {
                let book = self.books.entry(currency.address(&entry.author)).or_default();
                book.definitions
                    .insert((entry.created_at, Reverse(entry.id)), Arc::clone(currency));
            }
            Body::Rules(rules) => facts.extend(self.count_rules(entry, rules, work)),
            Body::Policy(policy) => facts.extend(self.count_policy(entry, policy, work)),
            Body::Order(order) => self.count_order(number, entry, order, facts),
            Body::Attestation(Attestation::Approve { act }) => {
                let fact = Fact::Approved { act: *act, steward: entry.author };
                self.hear_act(&fact, work);
                facts.push(fact);
            }
            Body::Attestation(Attestation::State(statement)) => {
                self.count_statement(number, entry, statement, work);
            }
            Body::Request(request) => self.count_request(entry, request),
            Body::Ask(_) => {
                if !self.quoted.contains(&entry.id) {
                    self.asks.insert(entry.id);
                }
            }
            Body::Quote(quote) => {
                let book = self.books.entry(quote.currency.clone()).or_default();
                book.quotes.insert(entry.id, Arc::clone(quote));
                if let Some(ask) = quote.ask {
                    self.asks.remove(&ask);
                    self.quoted.insert(ask);
                }
            }
            Body::Agreement(agreement) => {
                let book = self.books.entry(agreement.currency.clone()).or_default();
                let versions = book.agreements.entry(agreement.with.clone()).or_default();
                versions.insert((entry.created_at, Reverse(entry.id)), Arc::clone(agreement));
            }
            Body::Resolution(resolution) => facts.extend(self.count_resolution(resolution)),
            Body::Decline(decline) => {
                let book = self.books.entry(decline.currency.clone()).or_default();
                if let Some(asked) = book.requests.get_mut(&decline.request) {
                    asked.answers.insert(entry.id, decline.answer);
                }
            }
            Body::Charge(charge) => self.count_charge(number, entry, charge),
            Body::Checkpoint(checkpoint) => self.count_checkpoint(entry, checkpoint),
            Body::Fraud(fraud) => self.count_fraud(entry, fraud),
            Body::Rating(rating) => self.count_rating(entry, rating),
        }
    }

    fn count_request(&mut self, entry: &Entry, request: &Arc<Request>) {
        let book = self.books.entry(request.currency.clone()).or_default();
        let asked = Asked {
            payee: entry.speaker(),
            community: entry.community,
            created_at: entry.created_at,
            request: Arc::clone(request),
            answers: BTreeMap::new(),
        };
        book.requests.insert(entry.id, asked);
    }

    fn count_rules(
        &mut self,
        entry: &Entry,
        rules: &Arc<Rules>,
        work: &mut Vec<Number>,
    ) -> Option<Fact> {
        let charter = self.charters.get(&rules.charter)?;
        let epoch = Epoch {
            id: entry.id,
            community: entry.community,
            rules: Arc::clone(rules),
            charter: Arc::clone(charter),
        };
        let book = self.books.entry(rules.currency.clone()).or_default();
        book.add_rules(epoch);
        let mut same = book.epochs.values().filter(|epoch| epoch.rules.epoch == rules.epoch);
        let other = same.find(|epoch| epoch.id != entry.id).map(|epoch| epoch.id);
        let (currency, number) = (&rules.currency, rules.epoch);
        self.note_fork(Case::Rules, currency, entry.author, number, entry.id, other);
        self.fire(&Key::Rules(rules.currency.clone()), work);
        let (rules, charter) = (entry.id, rules.charter);
        Some(Fact::Rules { rules, community: entry.community, charter })
    }

    fn count_policy(
        &mut self,
        entry: &Entry,
        policy: &Arc<Policy>,
        work: &mut Vec<Number>,
    ) -> Option<Fact> {
        let previous = policy.previous.and_then(|id| match &self.known.entry(&id)?.body {
            Body::Policy(previous) => Some(Arc::clone(previous)),
            _ => None,
        });
        let (currency, account) = (&policy.currency, policy.account);
        let version = Version {
            id: entry.id,
            community: entry.community,
            policy: Arc::clone(policy),
            previous,
        };
        let book = self.books.entry(currency.clone()).or_default();
        if version.raises(&book.defaults) != Raise::Yes {
            self.lowering.insert((currency.clone(), entry.id));
        }
        let known = book.accounts.or_default(account);
        let fresh = |key: &&PublicKey| !known.ever_let_sign(&account, key);
        let fresh: Vec<_> = policy.signers.iter().filter(fresh).copied().collect();
        known.add_policy(version);
        let mut same = known.policies.iter().filter(|v| v.policy.version == policy.version);
        let other = same.find(|version| version.id != entry.id).map(|version| version.id);
        self.note_fork(Case::Policy, currency, account, policy.version, entry.id, other);
        self.fire(&Key::Opened(currency.clone(), account), work);
        for signer in fresh {
            let accounts = self.signers.or_default(signer);
            let of = (currency.clone(), account);
            if let Err(place) = accounts.binary_search(&of) {
                accounts.reserve_exact(1);
                accounts.insert(place, of);
            }
            self.fire(&Key::Signer(currency.clone(), account, signer), work);
        }
        Some(Fact::Account(Arc::new(Account {
            policy: entry.id,
            community: entry.community,
            currency: currency.clone(),
            account,
            version: policy.version,
            account_type: policy.account_type.as_str().into(),
            active: policy.status == Status::Active,
            signers: policy.signers.clone(),
            flags: policy.flags.clone(),
            inviter: policy.inviter,
        })))
    }

    /// Takes the order's number, then pays or reserves, then ends what waited for the number.
    fn count_order(&mut self, number: Number, entry: &Entry, order: &Order, facts: &mut Vec<Fact>) {
        self.unattested.remove(&entry.id);
        let Some(book) = self.books.get_mut(&order.currency) else { return };
        let account = book.accounts.or_default(entry.speaker());
        account.orders.certify(order.seq, entry.id);
        if account.orders.is_contested(order.seq, entry.id) {
            for other in account.orders.sound_at(order.seq) {
                self.unattested.remove(&other);
            }
        }
        match &order.extra().hold {
            Some(slot) => facts.extend(self.count_hold(entry, order, slot)),
            None => facts.extend(self.post(number, entry, order)),
        }
        if !self.slots.is_empty() {
            facts.extend(self.use_slot(entry, order));
        }
    }

    /// Books the payment itself.
    pub(crate) fn post(&mut self, number: Number, entry: &Entry, order: &Order) -> Option<Fact> {
        let (payer, total) = (entry.speaker(), order.total());
        let book = self.books.get_mut(&order.currency)?;
        let account = book.accounts.or_default(payer);
        account.debits = account.debits.saturating_add(total);
        account.history.push(number);
        for leg in &order.legs {
            let account = book.accounts.or_default(leg.account);
            account.credits = account.credits.saturating_add(leg.minor.into());
            account.history.push(number);
        }
        book.orders = book.orders.saturating_add(1);
        book.volume = book.volume.saturating_add(total);
        if let Some(request) = order.extra().request {
            book.answered.entry(request).or_default().insert(entry.id);
        }
        if let Some(refunded) = order.extra().refund {
            let sum = book.refunded.entry(refunded).or_default();
            *sum = sum.saturating_add(total);
        }
        Some(Fact::Certified(Arc::new(Payment {
            order: entry.id,
            community: entry.community,
            currency: order.currency.clone(),
            scale: order.scale,
            payer,
            legs: order.legs.clone(),
            refund_of: order.extra().refund,
            purpose: order.extra().purpose.clone(),
            pay: order.extra().pay,
        })))
    }

    fn count_resolution(&mut self, resolution: &Resolution) -> Option<Fact> {
        let by = (resolution.resolved == Resolved::Post).then_some(resolution.hold);
        let fact = self.resolve(resolution.hold, by);
        if self.hold_outcome(&resolution.hold) == Some(resolution.resolved.outcome()) {
            self.untold.remove(&resolution.hold);
        }
        fact
    }

    fn count_statement(
        &mut self,
        number: Number,
        entry: &Entry,
        statement: &Statement,
        work: &mut Vec<Number>,
    ) {
        let target = match &statement.about {
            // Each of them counts by itself.
            About::Orders(_) => return,
            About::Policy(id) | About::Charge(id) => *id,
            About::Close => {
                let book = self.books.entry(statement.currency.clone()).or_default();
                let (witness, index) = (entry.author, statement.log.index);
                let close = Close { witness, index, created_at: entry.created_at };
                book.closes.entry(statement.epoch).or_default().insert(entry.id, close);
                return;
            }
        };
        let number_of_target = self.known.number_of(target);
        self.known.sign(number_of_target, number, &Signature::of(entry, statement));
        if matches!(statement.about, About::Policy(_))
            && self.is_certified(&statement.currency, &target)
        {
            self.lowering.remove(&(statement.currency.clone(), target));
        }
        work.push(number_of_target);
    }

    fn count_charge(&mut self, number: Number, entry: &Entry, charge: &Charge) {
        let book = self.books.entry(charge.currency.clone()).or_default();
        for (account, minor) in charge.effects() {
            let account = book.accounts.or_default(account);
            account.charges = account.charges.saturating_add(minor);
            account.history.push(number);
        }
        book.charges.count(charge.cseq, entry.id);
    }

    fn count_checkpoint(&mut self, entry: &Entry, checkpoint: &Checkpoint) {
        let book = self.books.entry(checkpoint.currency.clone()).or_default();
        book.checkpoints.entry(checkpoint.root).or_default().insert(entry.author);
        let when = (entry.created_at, Reverse(entry.id));
        if book.said.get(&entry.author).is_none_or(|(newest, _)| *newest < when) {
            book.said.insert(entry.author, (when, checkpoint.clone()));
        }
        self.keep_lines(entry.id, checkpoint);
    }

    /// Keeps the lines under a checkpoint that says what the book says now.
    fn keep_lines(&mut self, id: EventId, checkpoint: &Checkpoint) {
        let Some(book) = self.books.get(&checkpoint.currency) else { return };
        let known = book.kept.as_ref().is_some_and(|kept| kept.root == checkpoint.root);
        let same = book.orders == checkpoint.orders
            && crate::checkpoint::root(book.lines()) == checkpoint.root;
        if known || !same {
            return;
        }
        let lines = Arc::new(self.dues(book));
        let kept = Kept { root: checkpoint.root, checkpoint: id, lines };
        if let Some(book) = self.books.get_mut(&checkpoint.currency) {
            book.kept = Some(kept);
        }
    }

    fn count_fraud(&mut self, entry: &Entry, fraud: &Fraud) {
        let book = self.books.entry(fraud.currency.clone()).or_default();
        book.frauds.insert(entry.id);
        let (whose, number) = fraud.place;
        book.proven.insert((fraud.case, whose, number));
        if fraud.case == Case::Order {
            book.proofs.entry(fraud.place).or_default().insert(entry.id);
        }
    }

    fn count_rating(&mut self, entry: &Entry, rating: &Rating) {
        let Some(Body::Order(order)) = self.known.entry(&rating.order).map(|entry| &entry.body)
        else {
            return;
        };
        let book = self.books.entry(order.currency.clone()).or_default();
        let all = book.ratings.entry((rating.order, entry.speaker())).or_default();
        all.insert((entry.created_at, Reverse(entry.id)), rating.clone());
    }
}
