//! The second opinion: events and filters as `serde_json` values, read by the words of NIP-01.

use ayni_protocol::search::{Search, Words};
use ayni_protocol::{Event, Filter, hex};
use serde_json::Value;

/// Asserts that an event says what its JSON says.
pub fn same_event(event: &Event, value: &Value) {
    assert_eq!(hex::encode(&event.id.0), value["id"].as_str().unwrap());
    assert_eq!(hex::encode(&event.pubkey.0), value["pubkey"].as_str().unwrap());
    assert_eq!(hex::encode(&event.sig), value["sig"].as_str().unwrap());
    assert_eq!(Some(event.created_at), value["created_at"].as_u64());
    assert_eq!(Some(u64::from(event.kind.0)), value["kind"].as_u64());
    assert_eq!(event.content, value["content"].as_str().unwrap());
    let tags = value["tags"].as_array().unwrap();
    assert_eq!(event.tags.len(), tags.len());
    for (tag, plain) in event.tags.iter().zip(tags) {
        let plain: Vec<_> = plain.as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
        assert_eq!(tag.values().collect::<Vec<_>>(), plain);
    }
}

/// Asserts that a filter that was read says what its JSON says, as far as `to_json` shows.
pub fn same_filter(filter: &Filter, value: &Value) {
    for (key, plain) in value.as_object().unwrap() {
        match key.as_str() {
            "ids" => {
                let ids = filter.ids.as_ref().unwrap();
                same_texts(ids.iter().map(|id| hex::encode(&id.0)), plain);
            }
            "authors" => {
                let authors = filter.authors.as_ref().unwrap();
                same_texts(authors.iter().map(|key| hex::encode(&key.0)), plain);
            }
            "limit" => {
                let limit = filter.limit.and_then(|limit| u64::try_from(limit).ok());
                assert_eq!(limit, plain.as_u64());
            }
            "search" => {
                let search = filter.search.as_ref().unwrap();
                assert_eq!(Some(search.text()), plain.as_str());
            }
            key if key.starts_with('#') => {
                let letter = key.as_bytes()[1];
                let (_, values) = filter.tags.iter().find(|(name, _)| *name == letter).unwrap();
                same_texts(values.iter().cloned(), plain);
            }
            _ => {}
        }
    }
}

/// A set, and a list that may repeat.
fn same_texts(set: impl Iterator<Item = String>, list: &Value) {
    let mut list: Vec<_> =
        list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect();
    list.sort();
    list.dedup();
    assert_eq!(set.collect::<Vec<_>>(), list);
}

/// Whether an event matches a filter, both as they are written.
pub fn matches(filter: &Value, event: &Value) -> bool {
    filter.as_object().unwrap().iter().all(|(key, wanted)| match key.as_str() {
        "ids" => holds(wanted, &event["id"]),
        "authors" => holds(wanted, &event["pubkey"]),
        "kinds" => holds(wanted, &event["kind"]),
        "since" => number(&event["created_at"]) >= number(wanted),
        "until" => number(&event["created_at"]) <= number(wanted),
        "limit" => true,
        "search" => searched(wanted.as_str().unwrap(), event),
        letter => event["tags"].as_array().unwrap().iter().any(|tag| {
            tag.get(0).and_then(Value::as_str) == letter.strip_prefix('#')
                && tag.get(1).is_some_and(|value| holds(wanted, value))
        }),
    })
}

/// Words are judged by the tests of `protocol/src/search.rs`; here only how they meet the rest.
fn searched(search: &str, event: &Value) -> bool {
    let event = Event::parse(&event.to_string()).unwrap();
    Search::parse(search).unwrap().matches(&Words::of(&event))
}

fn holds(list: &Value, value: &Value) -> bool {
    list.as_array().unwrap().iter().any(|wanted| wanted == value)
}

/// Any whole number that either side may name, be it too great for an integer or `-0`.
fn number(value: &Value) -> i128 {
    let text = value.to_string();
    text.parse().unwrap_or_else(|_| match value.as_f64().unwrap() {
        zero if zero == 0.0 => 0,
        great if great > 0.0 => i128::MAX,
        _ => i128::MIN,
    })
}
