//! Who belongs to this relay, and how one comes to (NIP-43).
//!
//! Members are those who have an account in a community of this node, those whom an operator allows
//! by name, and those who joined with an invitation. Members invite: whoever asks, after AUTH, for
//! events of kind 28935 is given a code made at that moment. A request to join is answered and never
//! stored or handed on, since the code in it is nobody else's business.
//!
//! [`roll`] says what is published, [`invitations`] what a code is.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use anyhow::Result;
use ayni_protocol::{
    Draft, Filter, Keys, Prefix, PublicKey, Rejection, Timestamp, VerifiedEvent, kind,
};
use ayni_relay::{Accepted, Source, Viewer};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::admission::Origin;
use crate::backend::Backend;
use crate::clock;
use crate::config::Write;
use crate::management::{Act, Rulebook};
use crate::policy::Policy;
use crate::policy::rules::Standing;

pub mod invitations;
pub mod roll;

use invitations::Invitations;
use roll::{Published, Roll};

/// Seconds by which a request's `created_at` may differ from this node's clock.
const WINDOW_SECS: u64 = 600;
/// How long the roll waits for more changes before it is looked at.
const PAUSE: Duration = Duration::from_millis(500);
/// Roles that are read back.
const ROLES_MAX: usize = 1_000;

/// What answers requests to join and to leave, and makes invitations.
pub struct Membership {
    keys: Keys,
    invitations: Invitations,
    invitation_secs: u64,
    write: Write,
    policy: Arc<Policy>,
}

impl Membership {
    /// That of a node.
    #[must_use]
    pub fn new(keys: Keys, invitation_hours: u32, write: Write, policy: Arc<Policy>) -> Self {
        let invitations = Invitations::of(&keys);
        let invitation_secs = u64::from(invitation_hours) * 3_600;
        Self { keys, invitations, invitation_secs, write, policy }
    }

    /// Who may write.
    #[must_use]
    pub const fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// Answers a request to join or to leave.
    ///
    /// # Errors
    /// The refusal.
    pub async fn answer(
        &self,
        event: &VerifiedEvent,
        source: &Source,
    ) -> Result<Accepted, Rejection> {
        if event.kind == kind::JOIN {
            self.join(event, source).await
        } else {
            self.leave(event, source).await
        }
    }

    async fn join(&self, event: &VerifiedEvent, source: &Source) -> Result<Accepted, Rejection> {
        self.check(event, source)?;
        let rulebook = self.policy.management().rulebook();
        if self.policy.standing(event.pubkey, &rulebook).await > Standing::Stranger {
            return Ok(said(Prefix::Duplicate, "you are already a member of this relay."));
        }
        if self.write == Write::Members {
            let sentence = "members here are those with an account; ask a steward to open one.";
            return Err(Rejection::new(Prefix::Restricted, sentence));
        }
        let code = event.tags.named("claim").next().and_then(ayni_protocol::Tag::value);
        let number = self.invitations.read(code.unwrap_or(""), clock::now())?;
        let is_unspent = |rulebook: &Rulebook, number: &str| {
            let sentence = "that invite code was used already.";
            let used = || Rejection::new(Prefix::Restricted, sentence);
            if rulebook.spent.contains(number) { Err(used()) } else { Ok(()) }
        };
        let params = vec![event.pubkey.to_string().into(), number.clone().into()];
        let act = act_of(event, "join", params);
        self.log(act, move |rulebook| is_unspent(rulebook, &number)).await?;
        Ok(Accepted::info("welcome to this relay!"))
    }

    async fn leave(&self, event: &VerifiedEvent, source: &Source) -> Result<Accepted, Rejection> {
        self.check(event, source)?;
        let rulebook = self.policy.management().rulebook();
        let key = event.pubkey;
        if rulebook.joined.contains(&key) || rulebook.allowed_keys.contains_key(&key) {
            let act = act_of(event, "leave", vec![key.to_string().into()]);
            self.log(act, |_| Ok(())).await?;
        } else if self.policy.standing(key, &rulebook).await == Standing::Stranger {
            return Ok(said(Prefix::Duplicate, "you are no member of this relay."));
        }
        let rulebook = self.policy.management().rulebook();
        if self.policy.standing(key, &rulebook).await > Standing::Stranger {
            let sentence = "you have an account in the community's books, which a steward closes.";
            return Err(Rejection::new(Prefix::Restricted, sentence));
        }
        Ok(Accepted::info("you have left this relay."))
    }

    fn check(&self, event: &VerifiedEvent, source: &Source) -> Result<(), Rejection> {
        self.policy.check_first(event, source)?;
        if !event.is_protected() {
            let sentence = "this request must carry the tag [\"-\"] (NIP-43)";
            return Err(Rejection::invalid(sentence));
        }
        if event.created_at.abs_diff(clock::now()) > WINDOW_SECS {
            let sentence = "created_at must be now; check the clock of your device";
            return Err(Rejection::invalid(sentence));
        }
        Ok(())
    }

    /// Logs an act, unless `may` refuses it at that moment. The disk is waited for elsewhere.
    async fn log(
        &self,
        act: Act,
        may: impl FnOnce(&Rulebook) -> Result<(), Rejection> + Send + 'static,
    ) -> Result<(), Rejection> {
        let management = Arc::clone(self.policy.management());
        let logged = tokio::task::spawn_blocking(move || management.act_if(&act, may)).await;
        let trouble = || Rejection::new(Prefix::Error, "the relay could not note this; try again");
        match logged {
            Ok(Ok(refused)) => refused,
            Ok(Err(error)) => {
                tracing::error!(error = format!("{error:#}"), "a request is not logged");
                Err(trouble())
            }
            Err(_) => Err(trouble()),
        }
    }

    /// An invitation made for whoever looks, where they ask for one and may invite.
    #[must_use]
    pub fn invitation(&self, filter: &Filter, viewer: &Viewer) -> Option<VerifiedEvent> {
        let kinds = filter.kinds.as_ref()?;
        let asked = kinds.len() == 1 && kinds.contains(&kind::INVITATION);
        let from_us =
            |authors: &std::collections::BTreeSet<PublicKey>| authors.contains(&self.keys.public());
        if !asked || !filter.authors.as_ref().is_none_or(from_us) {
            return None;
        }
        let rulebook = self.policy.management().rulebook();
        let may = |key: &PublicKey| self.policy.standing_now(key, &rulebook) >= Standing::Member;
        if !viewer.keys.iter().any(may) {
            return None;
        }
        let now = clock::now();
        let until = now.saturating_add(self.invitation_secs);
        let code = self.invitations.make(clock::entropy(), until);
        let draft = Draft::new(kind::INVITATION).tag(["-"]).tag(["claim", &code]);
        let made = draft.sign(&self.keys, now, clock::entropy());
        // What is asked for besides may not fit it: other times, ids, tags, words.
        filter.matches(&made).then_some(made)
    }
}

fn said(prefix: Prefix, sentence: &'static str) -> Accepted {
    Accepted { message: Rejection::new(prefix, sentence).to_string() }
}

fn act_of(event: &VerifiedEvent, method: &str, params: Vec<serde_json::Value>) -> Act {
    let (time, admin, request) = (clock::now(), event.pubkey, event.id);
    Act { time, admin, request, method: method.into(), params }
}

/// Whether an event may open or close an account, or change who signs for one. Payments do not, and
/// there are many.
#[must_use]
pub fn may_change_accounts(event: &VerifiedEvent) -> bool {
    let attests = |event: &VerifiedEvent| {
        let op = event.tags.named("op").next().and_then(ayni_protocol::Tag::value);
        event.kind == kind::ATTESTATION && op == Some("attest")
    };
    event.kind.is_economy() && event.kind != kind::ORDER && !attests(event)
}

/// Publishes the roll whenever it changes, until the node stops. `accounts` tells of every event
/// that may open or close one.
pub async fn follow(backend: Backend, keys: Keys, accounts: Arc<Notify>, stop: CancellationToken) {
    let mut orders = backend.policy().management().changes();
    loop {
        if let Err(error) = publish(&backend, &keys).await {
            tracing::error!(error = format!("{error:#}"), "the list of members is not published");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            changed = orders.changed() => if changed.is_err() { return },
            () = accounts.notified() => {}
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn publish(backend: &Backend, keys: &Keys) -> Result<()> {
    let (of, node) = (backend.clone(), keys.public());
    let (drafts, at) = tokio::task::spawn_blocking(move || changes(&of, node)).await?;
    for draft in drafts {
        let event = draft.sign(keys, at, clock::entropy());
        backend.write(event, Origin::Client).await?;
    }
    Ok(())
}

/// What to publish, and with which time: later than all that was published before, or the newer
/// list would not replace the older one.
fn changes(backend: &Backend, node: PublicKey) -> (Vec<Draft>, Timestamp) {
    let now = clock::now();
    let filter = Filter {
        authors: Some([node].into()),
        kinds: Some([kind::MEMBERS, kind::ROLE, kind::DELETION].into()),
        ..Filter::default()
    };
    let events = backend.stored(&filter, ROLES_MAX);
    let published = Published::read(&events);
    let drafts = published.changes(&roll(backend.policy()), node);
    (drafts, now.max(published.latest.saturating_add(1)))
}

/// The roll as it should be now.
fn roll(policy: &Policy) -> Roll {
    let rulebook = policy.management().rulebook();
    let in_books: Vec<PublicKey> = {
        let book = policy.book().read().unwrap_or_else(PoisonError::into_inner);
        book.ledger.signers().collect()
    };
    let named = rulebook.allowed_keys.keys().chain(&rulebook.joined).copied();
    let all = in_books.into_iter().chain(named);
    let welcome = all.filter(|key| !rulebook.banned_keys.contains_key(key));
    let roles = |key: PublicKey| (key, rulebook.holders.get(&key).cloned().unwrap_or_default());
    Roll { members: welcome.map(roles).collect(), roles: rulebook.roles.clone() }
}
