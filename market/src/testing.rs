//! What the tests of this crate share: people by name, payments, listings.

use ayni_protocol::{Address, EventId, PublicKey};

use crate::listing::{Listing, Price, Side};
use crate::{Account, Trade};

/// The key of whoever has this name.
pub fn key(name: &str) -> PublicKey {
    let mut bytes = [0; 32];
    bytes.iter_mut().zip(name.bytes()).for_each(|(byte, letter)| *byte = letter);
    PublicKey(bytes)
}

/// A payment on the tenth second.
pub fn paid(from: &str, to: &str, minor: i64) -> Trade {
    Trade { at: 10, from: key(from), to: key(to), minor, refund: false }
}

/// An account in use that holds nothing and may owe 1000.
pub fn account(name: &str) -> Account {
    Account {
        key: key(name),
        balance: 0,
        limit: 1_000,
        merit: 0,
        active: true,
        changes: Vec::new(),
    }
}

/// The currency of every test.
pub fn currency() -> Address {
    format!("37470:{}:hours", "ab".repeat(32)).parse().unwrap()
}

/// Something offered or wanted, in one category.
pub fn listing(side: Side, by: &str, title: &str, category: &str, price: &str) -> Listing {
    let mut id = [0; 32];
    let name = format!("{by}{title}{}", side.as_str());
    id.iter_mut().zip(name.bytes().rev()).for_each(|(byte, letter)| *byte = letter);
    let price = (!price.is_empty()).then(|| Price {
        amount: price.into(),
        unit: "HOUR".into(),
        per: String::new(),
    });
    Listing {
        id: EventId(id),
        at: 10,
        price,
        currency: Some(currency()),
        categories: [category.to_owned()].into_iter().filter(|c| !c.is_empty()).collect(),
        ..Listing::new(key(by), side, &title.to_lowercase(), title)
    }
}
