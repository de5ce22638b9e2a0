//! How views are made: each when it is asked for, from what counts.

use std::collections::{BTreeMap, BTreeSet};

use ayni_protocol::{Address, EventId, Part as _, PublicKey, Ruling};

use crate::account::Status;
use crate::book::{Account, Asked, Book, Version};
use crate::checkpoint::{self, Line};
use crate::entry::Body;
use crate::fork::{Case, Fork};
use crate::ledger::Ledger;
use crate::request::Answer;
use crate::rules::{Enforce, Side};
use crate::view::{
    AccountView, CurrencyView, ForkView, OrderState, OrderView, RequestView, RulesView, Totals,
    WaitingView,
};
use crate::{Checkpoint, Money, Policy, Rating, Refusal, Rules};

impl Ledger {
    /// Every currency with counted rules.
    pub fn currencies(&self) -> impl Iterator<Item = &Address> {
        self.books.iter().filter(|(_, book)| !book.epochs.is_empty()).map(|(address, _)| address)
    }

    /// The rules in force of a currency, and their id.
    #[must_use]
    pub fn rules(&self, currency: &Address) -> Option<(EventId, &Rules)> {
        let epoch = self.books.get(currency)?.current()?;
        Some((epoch.id, &epoch.rules))
    }

    /// The number, `prev` and so on of the next charge: its `cseq` and the charge before.
    #[must_use]
    pub fn next_charge_place(&self, currency: &Address) -> Option<(u64, Option<EventId>)> {
        let charges = &self.books.get(currency)?.charges;
        Some((charges.next_cseq, charges.last()))
    }

    /// A currency, its rules and totals.
    #[must_use]
    pub fn currency(&self, currency: &Address) -> Option<CurrencyView> {
        let book = self.books.get(currency)?;
        let epoch = book.current()?;
        let shown = book.definitions.values().next_back();
        Some(CurrencyView {
            currency: currency.to_string(),
            community: epoch.community,
            name: shown.map_or_else(|| currency.identifier.to_string(), |shown| shown.name.clone()),
            code: shown.map(|shown| shown.code.clone()).unwrap_or_default(),
            symbol: shown.map(|shown| shown.symbol.clone()).unwrap_or_default(),
            scale: epoch.rules.scale.decimals(),
            about: shown.map(|shown| shown.about.clone()).unwrap_or_default(),
            rules: rules_view(book, self.is_opened(book))?,
            totals: self.totals(book)?,
        })
    }

    fn totals(&self, book: &Book) -> Option<Totals> {
        let scale = book.scale()?;
        let rules = &book.current()?.rules;
        let mut totals = Totals {
            accounts: 0,
            orders: book.orders,
            volume: Money::new(book.volume, scale),
            sum: Money::new(0, scale),
            max_credit: Money::new(0, scale),
            credit_out: Money::new(0, scale),
        };
        for (_, account) in book.open_accounts() {
            let balance = account.balance();
            totals.accounts = totals.accounts.saturating_add(1);
            totals.sum.minor = totals.sum.minor.saturating_add(balance);
            totals.credit_out.minor = totals.credit_out.minor.saturating_add(balance.max(0));
            let version = self.in_force(book, account, None)?;
            if version.policy.status == Status::Active {
                let limit = self.limit_of(rules, account, &version.policy);
                totals.max_credit.minor = totals.max_credit.minor.saturating_add(limit);
            }
        }
        Some(totals)
    }

    /// How far below zero an account may go: what its policy says, else what the rules make of it.
    pub(crate) fn limit_of(&self, rules: &Rules, account: &Account, policy: &Policy) -> i128 {
        policy.limit.map_or_else(|| rules.earned_limit(account.credits), |limit| limit.minor.into())
    }

    /// Where an account stands.
    #[must_use]
    pub fn account(&self, currency: &Address, key: &PublicKey) -> Option<AccountView> {
        let book = self.books.get(currency)?;
        let account = book.account(key)?;
        self.account_view(currency, book, key, account)
    }

    /// Every account of a currency, by key.
    pub fn accounts(&self, currency: &Address) -> impl Iterator<Item = AccountView> {
        let found = self.books.get_key_value(currency).into_iter();
        found.flat_map(move |(address, book)| {
            let open = book.open_accounts().into_iter();
            open.filter_map(move |(key, account)| self.account_view(address, book, key, account))
        })
    }

    /// Every account in the currencies that a community keeps.
    pub fn members(&self, community: EventId) -> impl Iterator<Item = AccountView> {
        let of = self.books.iter().filter(move |(_, book)| book.is_of(community));
        of.flat_map(|(address, _)| self.accounts(address))
    }

    fn account_view(
        &self,
        currency: &Address,
        book: &Book,
        key: &PublicKey,
        account: &Account,
    ) -> Option<AccountView> {
        let epoch = book.current()?;
        let money = |minor: i128| Money::new(minor, epoch.rules.scale);
        let Version { id, policy, .. } = self.in_force(book, account, None)?;
        let limit = self.limit_of(&epoch.rules, account, policy);
        let forked = policy.status == Status::Active && self.is_forked(book, key, account);
        Some(AccountView {
            account: *key,
            currency: currency.to_string(),
            status: if forked { Status::Suspended } else { policy.status },
            balance: money(account.balance()),
            available: money(account.free().saturating_add(limit)),
            pending: money(account.held),
            limit: money(limit),
            max: policy.max.map(|max| max.minor).or(epoch.rules.max).map(|max| money(max.into())),
            next_seq: account.orders.next_seq(),
            head: account.orders.last().or_else(|| book.first_rules())?,
            waiting: self.next_waiting(account),
            policy_v: policy.version,
            policy: *id,
            latest_policy: account.policies.last()?.id,
            credits_posted: money(account.credits),
            debits_posted: money(account.debits),
            charges: money(account.charges),
            account_type: policy.account_type,
            can: policy.can.clone(),
            flags: policy.flags.clone(),
            code: policy.code.clone(),
            signers: policy.signers.clone(),
            inviter: policy.inviter,
            home: policy.home,
        })
    }

    /// The order at an account's next number that may yet count: of several one that a witness
    /// attested, which the others then keep to.
    fn next_waiting(&self, account: &Account) -> Option<WaitingView> {
        let next = account.orders.next_seq();
        let known = account.orders.pending_at(next).chain(account.orders.sound_at(next));
        let mut live = known.filter(|id| !self.has_lapsed(id));
        live.find_map(|id| match &self.known.entry(&id)?.body {
            Body::Order(order) => Some(WaitingView {
                id,
                payee: order.payee().copied(),
                amount: Money::new(order.total(), order.scale),
            }),
            _ => None,
        })
    }

    /// The highest counted version of an account's policy and its id: what a new version follows.
    #[must_use]
    pub fn latest_policy(&self, currency: &Address, key: &PublicKey) -> Option<(EventId, &Policy)> {
        let account = self.books.get(currency)?.account(key)?;
        account.policies.last().map(|version| (version.id, &*version.policy))
    }

    /// Whether the key signs for any account that is not closed, by the policies in force.
    #[must_use]
    pub fn is_signer(&self, key: &PublicKey) -> bool {
        let signs_now = |(currency, account): &(Address, PublicKey)| {
            let book = self.books.get(currency)?;
            let version = self.in_force(book, book.account(account)?, None)?;
            let policy = &version.policy;
            (policy.status != Status::Closed && policy.signers.contains(key)).then_some(())
        };
        self.signers.get(key).into_iter().flatten().any(|of| signs_now(of).is_some())
    }

    /// Every key that signs for an account that is not closed, by the policies in force.
    pub fn signers(&self) -> impl Iterator<Item = PublicKey> {
        let ever = self.signers.sorted().into_iter().map(|(key, _)| *key);
        ever.filter(|key| self.is_signer(key))
    }

    /// The accounts that the key may sign for, by the policies in force.
    pub fn accounts_of(&self, key: &PublicKey) -> impl Iterator<Item = (&Address, AccountView)> {
        let key = *key;
        let ever = self.signers.get(&key).into_iter().flatten();
        ever.filter_map(move |(currency, account)| {
            let view = self.account(currency, account)?;
            view.signers.contains(&key).then_some((currency, view))
        })
    }

    /// How far an order has come.
    #[must_use]
    pub fn order_state(&self, id: &EventId) -> OrderView {
        let signed = self.known.signatures(id);
        let attestations: BTreeSet<_> = signed.map(|signed| signed.attestation).collect();
        let body = self.known.entry(id).map(|entry| &entry.body);
        let ruling = self.ruling(id).filter(|_| matches!(body, Some(Body::Order(_))));
        let (state, reason) = match ruling {
            None => (OrderState::Unknown, None),
            Some(Ruling::Counted) => (OrderState::Certified, None),
            Some(Ruling::Void(reason)) => (OrderState::Refused, Some(reason.to_string())),
            Some(Ruling::Waiting(_)) if self.has_lapsed(id) => {
                (OrderState::Lapsed, Some(Refusal::RulesChanged.to_string()))
            }
            Some(Ruling::Waiting(premise)) if attestations.is_empty() => {
                (OrderState::Waiting, Some(premise.to_string()))
            }
            Some(Ruling::Waiting(premise)) => (OrderState::Attested, Some(premise.to_string())),
        };
        OrderView { state, reason, attestations, hold: self.hold_outcome(id) }
    }

    /// The requests that nobody paid, declined or cancelled yet, and open codes; by time.
    #[must_use]
    pub fn open_requests(&self, currency: &Address) -> Vec<RequestView> {
        self.requests(currency, |view| view.state == "open")
    }

    /// The requests that an account made or that are addressed to it, by time.
    #[must_use]
    pub fn requests_of(&self, currency: &Address, account: &PublicKey) -> Vec<RequestView> {
        self.requests(currency, |view| view.payee == *account || view.payer == Some(*account))
    }

    fn requests(
        &self,
        currency: &Address,
        wanted: impl Fn(&RequestView) -> bool,
    ) -> Vec<RequestView> {
        let Some(book) = self.books.get(currency) else { return Vec::new() };
        let views = book.requests.iter().map(|(id, asked)| request_view(book, *id, asked));
        let mut views: Vec<_> = views.filter(wanted).collect();
        views.sort_by_key(|view| (view.created_at, view.id));
        views
    }

    /// A request, and what became of it.
    #[must_use]
    pub fn request(&self, id: &EventId) -> Option<RequestView> {
        let mut books = self.books.values();
        books.find_map(|book| Some(request_view(book, *id, book.requests.get(id)?)))
    }

    /// The ratings of an account: the order, who rates, and what they say.
    #[must_use]
    pub fn ratings_of(
        &self,
        currency: &Address,
        account: &PublicKey,
    ) -> Vec<(EventId, PublicKey, &Rating)> {
        let all = self.books.get(currency).into_iter().flat_map(|book| &book.ratings);
        all.filter_map(|((order, by), versions)| {
            let newest = versions.values().next_back()?;
            (newest.about == *account).then_some((*order, *by, newest))
        })
        .collect()
    }

    /// Every place that holds two events and should hold one. A log's fork is only shown where its
    /// keeper is a witness: anybody can sign nonsense about themselves.
    #[must_use]
    pub fn forks(&self) -> Vec<ForkView> {
        let witness = |key: &PublicKey| self.books.values().any(|book| book.is_witness(key));
        let shown = |(fork, _): &(&Fork, _)| fork.case != Case::Log || witness(&fork.whose);
        let view = |(fork, events): (&Fork, &BTreeSet<EventId>)| ForkView {
            case: fork.case,
            currency: fork.currency.as_ref().map(ToString::to_string),
            whose: fork.whose,
            number: fork.number,
            events: events.clone(),
        };
        self.forks.iter().filter(shown).map(view).collect()
    }

    /// The fraud proofs that count in a currency.
    #[must_use]
    pub fn fraud_proofs(&self, currency: &Address) -> BTreeSet<EventId> {
        self.books.get(currency).map(|book| book.frauds.clone()).unwrap_or_default()
    }

    /// The root over a currency's checkpoint lines (protocol sections 3 and 8).
    #[must_use]
    pub fn currency_root(&self, currency: &Address) -> Option<[u8; 32]> {
        Some(checkpoint::root(self.books.get(currency)?.lines()))
    }

    /// A currency's checkpoint lines, sorted by account.
    pub fn checkpoint_lines(&self, currency: &Address) -> impl Iterator<Item = Line> {
        self.books.get(currency).into_iter().flat_map(Book::lines)
    }

    /// The checkpoint a witness may sign of a currency now.
    #[must_use]
    pub fn checkpoint(&self, currency: &Address) -> Option<Checkpoint> {
        let book = self.books.get(currency)?;
        Some(Checkpoint {
            currency: currency.clone(),
            root: checkpoint::root(book.lines()),
            accounts: u64::try_from(book.lines().count()).ok()?,
            orders: book.orders,
            volume: Money::new(book.volume, book.scale()?).to_string(),
        })
    }

    /// The roots that enough witnesses of one epoch signed.
    #[must_use]
    pub fn certified_roots(&self, currency: &Address) -> BTreeSet<[u8; 32]> {
        let Some(book) = self.books.get(currency) else { return BTreeSet::new() };
        let certified = |signed: &BTreeSet<PublicKey>| {
            book.epochs.values().any(|epoch| {
                let of = signed.iter().filter(|key| epoch.charter.is_witness(key)).count();
                of >= epoch.charter.quorum
            })
        };
        let all = book.checkpoints.iter().filter(|(_, signed)| certified(signed));
        all.map(|(root, _)| *root).collect()
    }

    /// What every account of a currency holds, by key, in minor units.
    #[must_use]
    pub fn balances(&self, currency: &Address) -> BTreeMap<PublicKey, i128> {
        let book = self.books.get(currency).into_iter();
        book.flat_map(Book::open_accounts).map(|(key, account)| (*key, account.balance())).collect()
    }
}

fn rules_view(book: &Book, opened: bool) -> Option<RulesView> {
    let epoch = book.current()?;
    let rules = &epoch.rules;
    let money = |minor: i64| Money::new(minor, rules.scale);
    let side = |side| if side == Side::Payer { "payer" } else { "payee" };
    Some(RulesView {
        id: epoch.id,
        first: book.first_rules()?,
        epoch: rules.epoch,
        opened,
        charter: rules.charter,
        witnesses: epoch.charter.witnesses.iter().map(|seat| seat.key).collect(),
        quorum: epoch.charter.quorum,
        enforce: if rules.enforce == Enforce::Hard { "hard" } else { "soft" },
        limit: money(rules.limit),
        earned: rules.formula.map(|formula| (formula.share_ppm, money(formula.cap))),
        max: rules.max.map(money),
        levies: rules.levies.iter().map(|l| (side(l.side), l.ppm, l.account)).collect(),
        treasury: rules.treasury,
        require: rules.require.iter().map(|(flag, most)| (flag.clone(), money(*most))).collect(),
    })
}

fn request_view(book: &Book, id: EventId, asked: &Asked) -> RequestView {
    let orders = book.answered.get(&id).cloned().unwrap_or_default();
    let answered = |answer| asked.answers.values().any(|given| *given == answer);
    let state = if !orders.is_empty() && asked.request.payer.is_some() {
        "paid"
    } else if answered(Answer::Cancelled) {
        "cancelled"
    } else if answered(Answer::Declined) {
        "declined"
    } else {
        "open"
    };
    RequestView {
        id,
        currency: asked.request.currency.to_string(),
        community: asked.community,
        created_at: asked.created_at,
        payee: asked.payee,
        payer: asked.request.payer,
        amount: asked.request.amount.map(|amount| amount.to_string()),
        expires_at: asked.request.expires_at,
        state,
        orders,
        memo: asked.request.memo.clone(),
    }
}
