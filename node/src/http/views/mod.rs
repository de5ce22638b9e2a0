//! The read views: what the book says, as JSON, one file a subject.
//!
//! A view is made while the book is locked for reading, and says nothing that is not durable.
//! Names are those of docs/INTERFACES.md; amounts are the protocol's decimal strings.

use std::sync::{PoisonError, RwLockReadGuard};

use axum::Router;
use axum::routing::get;
use ayni_protocol::{EventId, Filter, PublicKey, kind};
use ayni_store::{Store as _, everyone};

use super::Shared;
use super::answer::Problem;
use crate::book::Book;
use crate::{clock, keys};

pub mod community;
pub mod currency;
pub mod governance;
pub mod market;
pub mod node;
pub mod proof;
pub mod raffle;

pub use node::nostr_json;

/// Every view below `/api/v1`.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/node", get(node::node))
        .route("/digest", get(node::digest))
        .route("/void", get(node::void))
        .route("/waiting", get(node::waiting))
        .route("/communities", get(community::list))
        .route("/communities/{cid}", get(community::one))
        .route("/communities/{cid}/members", get(community::members))
        .route("/currencies/{address}", get(currency::one))
        .route("/currencies/{address}/accounts/{key}", get(currency::account))
        .route("/currencies/{address}/accounts/{key}/statement", get(currency::statement))
        .route("/currencies/{address}/checkpoint", get(currency::checkpoint))
        .route("/currencies/{address}/next-charge", get(currency::next_charge))
        .route("/currencies/{address}/agreements", get(currency::agreements))
        .route("/currencies/{address}/accounts/{key}/requests", get(currency::requests))
        .route("/currencies/{address}/accounts/{key}/ratings", get(currency::ratings))
        .route("/requests/{id}", get(currency::request))
        .route("/orders/{id}", get(currency::order))
        .route("/proof/{id}", get(proof::proof))
        .route("/proposals", get(governance::list))
        .route("/proposals/{id}", get(governance::one))
        .route("/listings", get(market::listings))
        .route("/matches", get(market::matches))
        .route("/metrics/{address}", get(market::metrics))
        .route("/raffles", get(raffle::list))
        .route("/raffles/gates", get(raffle::gates))
        .route("/raffles/{id}", get(raffle::one))
}

impl Shared {
    /// The book, for reading.
    pub(crate) fn reading(&self) -> RwLockReadGuard<'_, Book> {
        self.book.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The name in somebody's profile (kind 0), if they have one.
    pub(crate) fn profile_name(&self, key: &PublicKey) -> Option<String> {
        let filter = Filter {
            authors: Some([*key].into()),
            kinds: Some([kind::PROFILE].into()),
            ..Filter::default()
        };
        let page = self.backend.store().query(&filter, 1, clock::now(), &everyone);
        let event = page.events.into_iter().next()?;
        let event: serde_json::Value = serde_json::from_slice(&event.json).ok()?;
        let profile: serde_json::Value =
            serde_json::from_str(event.get("content")?.as_str()?).ok()?;
        let name = ["display_name", "name"].iter().find_map(|field| profile.get(field)?.as_str());
        name.filter(|name| !name.trim().is_empty()).map(str::to_owned)
    }
}

/// An event id as people write it.
fn event_id(text: &str) -> Result<EventId, Problem> {
    keys::event_id(text).ok_or_else(|| {
        Problem::bad_request(format!(
            "{text} is no id: it has 64 hex digits, or starts with nevent1"
        ))
    })
}

/// A key as people write it.
fn public_key(text: &str) -> Result<PublicKey, Problem> {
    keys::public(text).ok_or_else(|| {
        Problem::bad_request(format!(
            "{text} is no key: it has 64 hex digits, or starts with npub1"
        ))
    })
}
