//! What the relay says of itself (NIP-11), from the configuration, the operator's orders and the
//! community's charter, in this order where they disagree on a name: orders, configuration, charter.

use ayni_protocol::PublicKey;
use ayni_relay::Information;

use crate::book::Book;
use crate::config::{Config, Write};
use crate::http::SUPPORTED_NIPS;
use crate::management::Rulebook;
use crate::search;

/// The information document's contents, the limits aside.
#[must_use]
pub fn information(
    config: &Config,
    rulebook: &Rulebook,
    book: &Book,
    node: PublicKey,
) -> Information {
    let relay = &config.relay;
    let ordered = |order: &Option<String>, otherwise: &str| {
        order.clone().unwrap_or_else(|| otherwise.to_owned())
    };
    let name = ordered(&rulebook.name, &relay.name);
    let name = if name.is_empty() { community_name(book) } else { Some(name) };
    Information {
        name: name.unwrap_or_else(|| "Ayni".into()),
        description: ordered(&rulebook.description, &relay.description),
        icon: ordered(&rulebook.icon, &relay.icon),
        contact: relay.contact.clone(),
        pubkey: Some(node),
        self_key: Some(node),
        // NIP-11 wants a URL here, and the project names no home page; it is left out.
        software: String::new(),
        version: env!("CARGO_PKG_VERSION").into(),
        supported_nips: supported(config),
        restricted_writes: relay.write != Write::Open,
        min_pow_difficulty: relay.min_pow_difficulty,
        ..Information::default()
    }
}

/// What always works here, and what can be switched off.
fn supported(config: &Config) -> Vec<u16> {
    let search = search::is_offered(config).then_some(50);
    SUPPORTED_NIPS.iter().copied().chain(search).collect()
}

fn community_name(book: &Book) -> Option<String> {
    let community = book.communities().first().copied()?;
    Some(book.council.charter_in_force(community)?.name.clone())
}
