//! Who may write ordinary events here: a list of rules, rates, and a program of the operator's.
//!
//! [`rules`] and [`rates`] are pure. This file asks them in order, on the async side, before the
//! writer's inbox: nothing that is refused costs the writer anything, and nothing here waits for
//! the disk. The community's books are asked only where who somebody is makes a difference.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use ayni_protocol::{Prefix, PublicKey, Rejection, VerifiedEvent};
use ayni_relay::Source;
use ayni_store::Retention;
use tokio::time::Instant;

use crate::book::Book;
use crate::clock;
use crate::config::Relay;
use crate::management::{Management, Rulebook};

pub mod plugin;
pub mod rates;
pub mod rules;
pub mod work;

use plugin::{Plugin, Verdict};
use rates::{Allowance, Rates, counted};
use rules::{Case, Standing};

/// What becomes of an event that nobody objects to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// It goes on to the writer.
    Granted,
    /// Its sender hears that it is stored, and it is not.
    Pretended,
}

/// Everything that decides who may write.
pub struct Policy {
    relay: Relay,
    retention: Retention,
    operators: Vec<PublicKey>,
    management: Arc<Management>,
    book: Arc<RwLock<Book>>,
    plugin: Option<Plugin>,
    began: Instant,
    members: Mutex<Rates<(PublicKey, Span)>>,
    addresses: Mutex<Rates<(IpAddr, Span)>>,
}

/// Over how long something is counted, and what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Span {
    Minute,
    Day,
    Management,
}

impl Policy {
    /// The policy of a configuration. `operators` are the keys that may manage the relay. Starts
    /// the plugin, if there is one, and so must be called inside a tokio runtime.
    #[must_use]
    pub fn new(
        relay: Relay,
        retention: Retention,
        operators: Vec<PublicKey>,
        management: Arc<Management>,
        book: Arc<RwLock<Book>>,
    ) -> Self {
        let timeout = Duration::from_millis(relay.plugin_timeout_ms);
        let command = relay.plugin.clone();
        let plugin =
            (!command.is_empty()).then(|| Plugin::start(command, timeout, relay.plugin_fallback));
        let (members, addresses) = (Mutex::default(), Mutex::default());
        let began = Instant::now();
        Self { relay, retention, operators, management, book, plugin, began, members, addresses }
    }

    /// Whether a verified event of a client may go on.
    ///
    /// # Errors
    /// The refusal, as the sender reads it.
    pub async fn admit(
        &self,
        event: &VerifiedEvent,
        source: &Source,
    ) -> Result<Passage, Rejection> {
        let rulebook = self.management.rulebook();
        let case = Case { event, source, relay: &self.relay, rulebook: &rulebook };
        match self.decides(&case) {
            Some(decided) => decided.map(|()| Passage::Granted),
            // Boxed, so that the many who pass at once do not carry the room for it.
            None => Box::pin(self.deliberate(event, case)).await,
        }
    }

    /// As [`Self::admit`], where that can be told without waiting.
    #[must_use]
    pub fn admit_at_once(
        &self,
        event: &VerifiedEvent,
        source: &Source,
    ) -> Option<Result<(), Rejection>> {
        let rulebook = self.management.rulebook();
        self.decides(&Case { event, source, relay: &self.relay, rulebook: &rulebook })
    }

    /// What needs neither the sender's standing nor the plugin.
    fn decides(&self, case: &Case<'_>) -> Option<Result<(), Rejection>> {
        if case.event.kind.is_economy() {
            return Some(rules::ECONOMY.iter().try_for_each(|rule| rule(case)));
        }
        let first = rules::FIRST.iter().try_for_each(|rule| rule(case));
        let first =
            first.and_then(|()| rules::is_still_kept(case.event, &self.retention, clock::now()));
        let passes = self.plugin.is_none() && rules::passes_anyone(case);
        (first.is_err() || passes).then_some(first)
    }

    /// What takes time: who the sender is, and what the plugin says.
    async fn deliberate(
        &self,
        event: &VerifiedEvent,
        case: Case<'_>,
    ) -> Result<Passage, Rejection> {
        let source = case.source;
        if !rules::passes_anyone(&case) {
            let (sender, standing) = self.best_standing(&case).await;
            rules::STANDING.iter().try_for_each(|rule| rule(&case, standing))?;
            if !rules::is_unhurried(&case) {
                self.not_too_often(source.address, sender, standing)?;
            }
        }
        let Some(plugin) = &self.plugin else { return Ok(Passage::Granted) };
        match plugin.ask(event, source, clock::now()).await? {
            Verdict::Accept => Ok(Passage::Granted),
            Verdict::ShadowReject => Ok(Passage::Pretended),
            Verdict::Reject(message) => Err(Rejection::quoted(&message, Prefix::Blocked)),
        }
    }

    /// What holds whoever sends an event, rates included, for requests that are answered and not
    /// stored.
    ///
    /// # Errors
    /// The refusal.
    pub fn check_first(&self, event: &VerifiedEvent, source: &Source) -> Result<(), Rejection> {
        let rulebook = self.management.rulebook();
        let case = Case { event, source, relay: &self.relay, rulebook: &rulebook };
        rules::FIRST.iter().try_for_each(|rule| rule(&case))?;
        if rules::is_unhurried(&case) {
            return Ok(());
        }
        self.not_too_often(source.address, None, Standing::Stranger)
    }

    /// The highest standing of those who answer for an event, and whose it is.
    async fn best_standing(&self, case: &Case<'_>) -> (Option<PublicKey>, Standing) {
        let answerable = rules::answerable(case.event, case.source);
        let mut best = (None, Standing::Stranger);
        for key in answerable {
            let standing = self.standing(key, case.rulebook).await;
            if standing > best.1 {
                best = (Some(key), standing);
            }
        }
        best
    }

    /// Who a key is to this relay.
    pub async fn standing(&self, key: PublicKey, rulebook: &Rulebook) -> Standing {
        if let Some(standing) = self.appointed(&key, rulebook) {
            return standing;
        }
        // The writer has the book while it waits for the disk, so somebody else waits for it.
        let at_once = self.book.try_read().ok().map(|book| standing_in(&book, &key));
        let in_books = match at_once {
            Some(standing) => standing,
            None => {
                let book = Arc::clone(&self.book);
                let asked = tokio::task::spawn_blocking(move || {
                    standing_in(&book.read().unwrap_or_else(PoisonError::into_inner), &key)
                });
                asked.await.unwrap_or(Standing::Stranger)
            }
        };
        in_books.max(invited(&key, rulebook))
    }

    /// As [`Policy::standing`], where one may wait.
    #[must_use]
    pub fn standing_now(&self, key: &PublicKey, rulebook: &Rulebook) -> Standing {
        self.appointed(key, rulebook).unwrap_or_else(|| {
            let book = self.book.read().unwrap_or_else(PoisonError::into_inner);
            standing_in(&book, key).max(invited(key, rulebook))
        })
    }

    /// What the books need not be asked for.
    fn appointed(&self, key: &PublicKey, rulebook: &Rulebook) -> Option<Standing> {
        if self.operators.contains(key) {
            return Some(Standing::Office);
        }
        rulebook.allowed_keys.contains_key(key).then_some(Standing::Member)
    }

    /// Members are counted by key, strangers by address, whoever holds an office not at all.
    fn not_too_often(
        &self,
        address: IpAddr,
        sender: Option<PublicKey>,
        standing: Standing,
    ) -> Result<(), Rejection> {
        if standing == Standing::Office {
            return Ok(());
        }
        let relay = &self.relay;
        let granted = if let Some(key) = sender {
            let minute = Allowance::per_minute(relay.member_events_per_minute);
            let day = Allowance::per_day(relay.member_events_per_day);
            let wanted = [((key, Span::Minute), minute), ((key, Span::Day), day)];
            lock(&self.members).take(wanted, self.now_ms())
        } else {
            let minute = Allowance::per_minute(relay.stranger_events_per_minute);
            let wanted = [((counted(address), Span::Minute), minute)];
            lock(&self.addresses).take(wanted, self.now_ms())
        };
        if granted {
            return Ok(());
        }
        let sentence = "you write too often for this relay; wait a little and send this again";
        Err(Rejection::new(Prefix::RateLimited, sentence))
    }

    /// Whether one more request to manage the relay may come from an address now.
    #[must_use]
    pub fn may_manage_now(&self, address: IpAddr) -> bool {
        let minute = Allowance::per_minute(self.relay.management_per_minute);
        let wanted = [((counted(address), Span::Management), minute)];
        lock(&self.addresses).take(wanted, self.now_ms())
    }

    /// The community's books.
    #[must_use]
    pub const fn book(&self) -> &Arc<RwLock<Book>> {
        &self.book
    }

    /// The operator's orders.
    #[must_use]
    pub const fn management(&self) -> &Arc<Management> {
        &self.management
    }

    /// Whether a key may manage the relay.
    #[must_use]
    pub fn is_operator(&self, key: &PublicKey) -> bool {
        self.operators.contains(key)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

fn invited(key: &PublicKey, rulebook: &Rulebook) -> Standing {
    if rulebook.joined.contains(key) { Standing::Invited } else { Standing::Stranger }
}

fn standing_in(book: &Book, key: &PublicKey) -> Standing {
    if book.council.is_office(key) {
        Standing::Office
    } else if book.ledger.is_signer(key) {
        Standing::Member
    } else {
        Standing::Stranger
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
