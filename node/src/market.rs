//! What the market is asked with: listings out of the store, trades and standings out of the book.
//!
//! The market itself is pure (`ayni-market`). Here its facts are gathered, and its answers are kept
//! for as long as nothing was stored since, so that who asks often does not cost often.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use ayni_lets::{AccountType, Status};
use ayni_market::board::{Board, easing};
use ayni_market::listing::INACTIVE;
use ayni_market::ring::Standing;
use ayni_market::{Account, Fit, Listing, Report, Ring, Trade, Window, tell};
use ayni_protocol::{Address, EventId, Filter, PublicKey, Scale, Timestamp, kind};
use serde_json::{Value, json};

use crate::backend::Backend;
use crate::book::Book;

/// Listings read from the store at most, the newest first.
const READ_MAX: usize = 5_000;
/// Suggestions given at most to whoever asks for nobody's in particular.
const FITS_SHOWN: usize = 100;

/// Types of account whose trade with each other is people's own.
const TRADERS: [AccountType; 3] =
    [AccountType::Member, AccountType::Organisation, AccountType::Community];

/// One answer, for as long as its key is asked with.
pub struct Kept<K, V>(Mutex<Option<(K, Arc<V>)>>);

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<K: PartialEq, V> Kept<K, V> {
    /// The kept answer, or a new one. Whoever comes meanwhile waits for it.
    pub fn get(&self, key: K, make: impl FnOnce() -> V) -> Arc<V> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, value)) = kept.as_ref()
            && *at == key
        {
            return Arc::clone(value);
        }
        let made = Arc::new(make());
        *kept = Some((key, Arc::clone(&made)));
        made
    }
}

/// What an answer rests on: the currency, the last event stored, and the minute.
pub type Moment = (Address, u64, u64);

/// The answers that are kept.
#[derive(Default)]
pub struct Market {
    /// Every listing of the members.
    pub shelf: Kept<Moment, Vec<Listing>>,
    /// Suggestions.
    pub board: Kept<Moment, Suggestions>,
    /// Figures, by the length of their window too.
    pub report: Kept<(Moment, u64), Report>,
}

/// What could be traded next, told.
#[derive(Default)]
pub struct Suggestions {
    /// Wants with an offer that suits, and whom it concerns.
    fits: Vec<(BTreeSet<PublicKey>, Value)>,
    /// Rings of trades, and whom they concern.
    rings: Vec<(BTreeSet<PublicKey>, Value)>,
}

impl Suggestions {
    /// Those that concern somebody, or the best of all.
    #[must_use]
    pub fn of(&self, member: Option<&PublicKey>) -> (Vec<&Value>, Vec<&Value>) {
        let concerns = |who: &BTreeSet<PublicKey>| member.is_none_or(|member| who.contains(member));
        let pick = |all: &'_ [(BTreeSet<PublicKey>, Value)]| -> Vec<usize> {
            let found = all.iter().enumerate().filter(|(_, (who, _))| concerns(who));
            found.map(|(at, _)| at).take(FITS_SHOWN).collect()
        };
        let (fits, rings) = (pick(&self.fits), pick(&self.rings));
        let fits = fits.into_iter().filter_map(|at| self.fits.get(at));
        let rings = rings.into_iter().filter_map(|at| self.rings.get(at));
        (fits.map(|(_, told)| told).collect(), rings.map(|(_, told)| told).collect())
    }
}

/// Every listing of the store whose signer signs for an account of the currency, as that account's.
/// What the store holds beyond [`READ_MAX`] is older.
#[must_use]
pub fn listings(backend: &Backend, book: &Book, currency: &Address) -> Vec<Listing> {
    let kinds = Some([kind::LISTING, INACTIVE].into());
    let events = backend.stored(&Filter { kinds, ..Filter::default() }, READ_MAX);
    let listings = events.iter().filter_map(Listing::read);
    let of_member = |mut listing: Listing| {
        let signer = listing.signer;
        let mut accounts = book.ledger.accounts_of(&signer);
        let (_, view) = accounts
            .find(|(address, view)| *address == currency && view.status != Status::Closed)?;
        listing.by = view.account;
        Some(listing)
    };
    listings.filter_map(of_member).collect()
}

/// Where the accounts stand that may be suggested anything.
#[must_use]
pub fn standings(book: &Book, currency: &Address) -> BTreeMap<PublicKey, Standing> {
    let open = book.ledger.accounts(currency).filter(|view| view.status == Status::Active);
    let stand = |view: ayni_lets::view::AccountView| {
        let max = view.max.map(|max| max.minor);
        let standing = Standing { balance: view.balance.minor, limit: view.limit.minor, max };
        (view.account, standing)
    };
    open.map(stand).collect()
}

/// The figures of a currency in a window.
#[must_use]
pub fn report(book: &Book, currency: &Address, community: EventId, window: Window) -> Report {
    let traders = book
        .ledger
        .accounts(currency)
        .filter(|view| TRADERS.contains(&view.account_type) && view.status != Status::Closed);
    let accounts: Vec<Account> = traders
        .map(|view| Account {
            key: view.account,
            balance: view.balance.minor,
            limit: view.limit.minor,
            merit: book.council.merit(community, view.account),
            active: view.status == Status::Active,
            changes: book.ledger.changes(currency, &view.account).collect(),
        })
        .collect();
    let known: BTreeSet<PublicKey> = accounts.iter().map(|account| account.key).collect();
    let people =
        |payment: &ayni_lets::Payment| known.contains(&payment.from) && known.contains(&payment.to);
    let trade = |payment: ayni_lets::Payment| Trade {
        at: payment.at,
        from: payment.from,
        to: payment.to,
        minor: payment.minor,
        refund: payment.refund,
    };
    let trades: Vec<Trade> = book.ledger.payments(currency).filter(people).map(trade).collect();
    Report::of(&accounts, &trades, window)
}

/// The board of a currency, told.
pub fn suggestions(
    listings: &[Listing],
    standings: &BTreeMap<PublicKey, Standing>,
    (currency, scale): (&Address, Scale),
    now: Timestamp,
    name: &dyn Fn(&PublicKey) -> String,
) -> Suggestions {
    let board = Board::of(listings, standings, currency, scale, now);
    let words = tell::Words { scale, name };
    let fits = board.fits.iter().map(|fit| {
        let eased = easing(fit, standings);
        let told = json!({
            "offer": brief(fit.offer, name),
            "want": brief(fit.want, name),
            "price": fit.minor.map(|minor| scale.format(minor.into())),
            "easing": scale.format(eased),
            "sentence": words.fit(fit, eased),
        });
        (BTreeSet::from([fit.seller(), fit.buyer()]), told)
    });
    let rings = board.rings.iter().map(|ring| {
        let members = ring.steps.iter().map(|step| step.fit.seller()).collect();
        (members, told(ring, scale, name, &words))
    });
    Suggestions { fits: fits.collect(), rings: rings.collect() }
}

fn told(
    ring: &Ring<'_>,
    scale: Scale,
    name: &dyn Fn(&PublicKey) -> String,
    words: &tell::Words<'_>,
) -> Value {
    let step = |fit: &Fit<'_>, minor: Option<i64>| {
        json!({
            "offer": brief(fit.offer, name),
            "want": brief(fit.want, name),
            "price": minor.map(|minor| scale.format(minor.into())),
        })
    };
    let steps: Vec<Value> = ring.steps.iter().map(|at| step(&at.fit, at.minor)).collect();
    let changes: BTreeMap<String, String> = ring
        .changes()
        .into_iter()
        .map(|(key, change)| (key.to_string(), scale.format(change)))
        .collect();
    json!({
        "steps": steps,
        "easing": scale.format(ring.easing),
        "one_price": ring.even,
        "changes": changes,
        "sentence": words.ring(ring),
    })
}

fn brief(listing: &Listing, name: &dyn Fn(&PublicKey) -> String) -> Value {
    json!({
        "id": listing.id,
        "address": listing.address().to_string(),
        "title": listing.title,
        "by": listing.by,
        "name": name(&listing.by),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_kept_for_its_key_alone() {
        let kept = Kept::default();
        let mut made = 0;
        for key in [1, 1, 2, 2, 1] {
            let _ = kept.get(key, || made += 1);
        }
        assert_eq!(made, 3);
    }
}
