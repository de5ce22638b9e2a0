//! What every kind of this part writes and reads alike: the amounts of one event, and its tags.

use ayni_protocol::event::EventError;
use ayni_protocol::json::Cursor;
use ayni_protocol::{Address, Draft, Event, EventId, Malformed, PublicKey, Scale, shape};

/// The amounts of one event, all written with the same decimals.
///
/// Which decimals the currency has is not known to a stateless reader; that they are the same
/// throughout an event is.
#[derive(Default)]
pub struct Amounts {
    scale: Option<Scale>,
}

impl Amounts {
    /// Reads one more amount, in minor units.
    pub fn take(&mut self, text: &str) -> Result<i64, Malformed> {
        let amount = shape::amount(text)?;
        if *self.scale.get_or_insert(amount.scale) == amount.scale {
            Ok(amount.minor)
        } else {
            Err(Malformed::AmountNotCanonical(text.to_owned()))
        }
    }

    /// Reads one more amount, which may not be zero.
    pub fn positive(&mut self, text: &str) -> Result<i64, Malformed> {
        match self.take(text)? {
            0 => Err(Malformed::AmountNotCanonical(text.to_owned())),
            minor => Ok(minor),
        }
    }

    /// The decimals; an event that writes no amount has none.
    pub fn scale(&self, tag: &'static str) -> Result<Scale, Malformed> {
        self.scale.ok_or(Malformed::MissingTag(tag))
    }
}

/// The first tags of nearly every event of this part.
pub fn in_currency(draft: Draft, currency: &Address) -> Draft {
    draft.tag(["a", &currency.to_string()])
}

/// An `e` tag with a marker.
pub fn marked(draft: Draft, id: &EventId, marker: &str) -> Draft {
    draft.tag(["e", &id.to_string(), "", marker])
}

/// An `e` tag with a marker, where there is something to name.
pub fn maybe_marked(draft: Draft, id: Option<&EventId>, marker: &str) -> Draft {
    match id {
        Some(id) => marked(draft, id, marker),
        None => draft,
    }
}

/// A tag with a key.
pub fn key(draft: Draft, name: &str, key: &PublicKey) -> Draft {
    draft.tag([name, &key.to_string()])
}

/// A tag with a key, where there is one.
pub fn maybe_key(draft: Draft, name: &str, value: Option<&PublicKey>) -> Draft {
    match value {
        Some(value) => key(draft, name, value),
        None => draft,
    }
}

/// A tag with anything that has a spelling, where there is one.
pub fn maybe<T: ToString>(draft: Draft, name: &str, value: Option<T>) -> Draft {
    match value {
        Some(value) => draft.tag([name, &value.to_string()]),
        None => draft,
    }
}

/// Text whose absence is written as no tag.
pub fn text(draft: Draft, name: &str, value: &str) -> Draft {
    if value.is_empty() { draft } else { draft.tag([name, value]) }
}

/// Minor units as the currency writes them.
pub fn minor(scale: Scale, minor: i64) -> String {
    scale.format(minor.into())
}

/// The events of a proof: a JSON list of them, not yet verified.
pub fn events(content: &str) -> Option<Vec<Event>> {
    let mut events = Vec::new();
    let mut cursor = Cursor::new(content);
    let read = cursor.list(|cursor| {
        events.push(Event::read(cursor)?);
        Ok::<_, EventError>(())
    });
    read.ok()?;
    cursor.end().ok()?;
    Some(events)
}
