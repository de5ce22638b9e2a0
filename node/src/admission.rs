//! What may be stored, here and now, and above all: which events of the economy.
//!
//! Shape and signature were checked before. These rules are this node's own, so they may look at
//! its clock and its configuration; what an event *means* is the book's business alone. Who may
//! write ordinary events was decided before, on the way to the writer (`policy/`).

use ayni_lets::Ready;
use ayni_lets::judge::Verdict as Judgement;
use ayni_protocol::{Limits, Prefix, PublicKey, Rejection, Timestamp, VerifiedEvent, hex, kind};

use crate::book::{Book, Page};
use crate::config::Config;

/// Where an event comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A client, now: it must be fresh, and the witness judges it before it is stored.
    Client,
    /// Another node: it may be of any age, and is stored for what it is.
    Peer,
    /// A file: as from another node, and nothing is witnessed on its account.
    Import,
}

/// What an event may bring along into the same durable write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admitted {
    /// The event alone.
    Alone,
    /// The event, and this attestation of it, to be signed by the witness.
    With(Box<Ready>),
}

/// The rules, with what they look at.
pub struct Admission<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The book before the event.
    pub book: &'a Book,
    /// The key this node witnesses with.
    pub node: PublicKey,
    /// This node's clock.
    pub now: Timestamp,
}

impl Admission<'_> {
    /// Whether the event, which was read as this page, may be stored.
    ///
    /// # Errors
    /// The refusal, as the sender reads it.
    pub fn admit(
        &self,
        event: &VerifiedEvent,
        page: &Page,
        origin: Origin,
    ) -> Result<Admitted, Rejection> {
        // What the node itself publishes, such as the list of members, is as long as it must be.
        if event.pubkey != self.node {
            sizes(event, &self.config.limits)?;
        }
        let economy = event.kind.is_economy();
        if origin == Origin::Client {
            self.time(event, economy)?;
        }
        if !economy {
            return Ok(Admitted::Alone);
        }
        if !Book::reads(event.kind) {
            let sentence = format!("events of kind {} are not understood here yet", event.kind);
            return Err(Rejection::invalid(sentence));
        }
        shape(page)?;
        match origin {
            Origin::Client => {
                let judged = self.judged(event, page);
                // What the witness attests was signed by somebody it knows.
                if !matches!(judged, Ok(Admitted::With(_))) {
                    self.standing(event)?;
                    founding(event)?;
                }
                judged
            }
            Origin::Peer => Ok(self.judged(event, page).unwrap_or(Admitted::Alone)),
            Origin::Import => Ok(Admitted::Alone),
        }
    }

    fn time(&self, event: &VerifiedEvent, economy: bool) -> Result<(), Rejection> {
        let limits = &self.config.limits;
        let late = event.created_at > self.now.saturating_add(limits.future_secs);
        let stale = economy && event.created_at.abs_diff(self.now) > limits.economy_window_secs;
        if late {
            let sentence = "created_at is too far in the future; check the clock of your device";
            Err(Rejection::invalid(sentence))
        } else if stale {
            let sentence = "created_at is not within 15 minutes of now; check the clock of your device and sign again";
            Err(Rejection::invalid(sentence))
        } else {
            Ok(())
        }
    }

    /// An economy event from a client must come from somebody the community knows; a round of a
    /// beacon may come from anyone, but only one that is waited for: each costs a pairing.
    fn standing(&self, event: &VerifiedEvent) -> Result<(), Rejection> {
        if self.is_known(&event.pubkey) {
            return Ok(());
        }
        if event.kind == kind::BEACON {
            return self.awaited(event);
        }
        let sentence = if self.book.ledger.accounts_of(&event.pubkey).next().is_some() {
            "your account is closed; ask a steward to open it again"
        } else {
            "this key has no account in a community of this node; ask a steward to open one"
        };
        Err(Rejection::new(Prefix::Restricted, sentence))
    }

    fn awaited(&self, event: &VerifiedEvent) -> Result<(), Rejection> {
        let value = |name| event.tags.named(name).next().and_then(ayni_protocol::Tag::value);
        let named = (value("chain"), value("round"));
        let waits = self.book.awaited_rounds(self.now).into_iter().any(|(chain, round)| {
            named == (Some(&hex::encode(&chain.hash)), Some(&round.to_string()))
        });
        if waits {
            return Ok(());
        }
        Err(Rejection::new(Prefix::Restricted, "no vote and no raffle here waits for this round"))
    }

    /// Whether a key is a member's, a steward's, a witness's or a community's.
    fn is_known(&self, key: &PublicKey) -> bool {
        self.book.ledger.is_signer(key) || self.book.council.is_office(key)
    }

    /// What the witness, the polling station and the box office say.
    fn judged(&self, event: &VerifiedEvent, page: &Page) -> Result<Admitted, Rejection> {
        match event.kind {
            kind::ORDER => {
                let Some(Ok(order)) = &page.ledger else { return Ok(Admitted::Alone) };
                match self.book.ledger.judge_entry(order, &self.node, self.now) {
                    Judgement::Attest(ready) => Ok(Admitted::With(ready)),
                    Judgement::Already(_) | Judgement::NotMine | Judgement::Later(_) => {
                        Ok(Admitted::Alone)
                    }
                    Judgement::Refuse(rejection) => Err(rejection),
                }
            }
            kind::PROPOSAL => {
                self.book.assembly.may_propose(event, self.now).map(|()| Admitted::Alone)
            }
            kind::BALLOT | kind::DELEGATION => {
                self.book.assembly.may_vote(event, self.now).map(|()| Admitted::Alone)
            }
            kind::RAFFLE => {
                let gates = &self.config.raffle.gates;
                self.book.drum.may_announce(event, self.now, gates).map(|()| Admitted::Alone)
            }
            kind::TICKET => self.book.drum.may_sell(event, self.now).map(|()| Admitted::Alone),
            _ => Ok(Admitted::Alone),
        }
    }
}

/// A community is founded by whoever runs a node, in its folder. If members could found them here,
/// anyone could make this node witness what they like.
fn founding(event: &VerifiedEvent) -> Result<(), Rejection> {
    if event.kind != kind::CHARTER || event.tags.named("h").next().is_some() {
        return Ok(());
    }
    let sentence = "communities are founded with `ayni init` on a node of their own";
    Err(Rejection::new(Prefix::Restricted, sentence))
}

/// What holds for an event of any age from anywhere: sizes, and the shape its kind needs.
///
/// # Errors
/// The refusal.
pub fn lasting(event: &VerifiedEvent, limits: &Limits) -> Result<(), Rejection> {
    sizes(event, limits)?;
    shape(&Book::read(event))
}

fn shape(page: &Page) -> Result<(), Rejection> {
    page.check().map_err(|malformed| Rejection::invalid(malformed.to_string()))
}

/// Sizes that the wire could not check.
fn sizes(event: &VerifiedEvent, limits: &Limits) -> Result<(), Rejection> {
    let value = event.tags.indexed().map(|(_, value)| value.len()).max().unwrap_or(0);
    let checks = [
        (event.json().len(), limits.event_bytes, "bytes"),
        (event.tags.len(), limits.event_tags, "tags"),
        (value, limits.tag_value_bytes, "bytes in one tag"),
    ];
    for (found, allowed, what) in checks {
        if found > allowed {
            let sentence = format!("the event has {found} {what}; this relay takes {allowed}");
            return Err(Rejection::invalid(sentence));
        }
    }
    Ok(())
}
