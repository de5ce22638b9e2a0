//! The management interface as JSON (NIP-86): a method with parameters in, a result or an error
//! out. What changes something is an [`Order`](super::Order); the questions are here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::order::METHODS;
use super::rulebook::Rulebook;

/// A question whose answer lies in the store and not in the rulebook.
pub const NEEDING_MODERATION: &str = "listeventsneedingmoderation";

/// The questions of NIP-86.
const QUESTIONS: &[&str] = &[
    "supportedmethods",
    "listbannedpubkeys",
    "listallowedpubkeys",
    NEEDING_MODERATION,
    "listbannedevents",
    "listallowedkinds",
    "listblockedips",
];

/// What is asked.
#[derive(Debug, Clone, Deserialize)]
pub struct Call {
    /// The method's name.
    pub method: String,
    /// Its parameters.
    #[serde(default)]
    pub params: Vec<Value>,
}

/// What is answered: a result, or else an error.
#[derive(Debug, Clone, Serialize)]
pub struct Answer {
    /// The result, nothing where there is an error.
    pub result: Value,
    /// The error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Answer {
    /// A result.
    #[must_use]
    pub const fn of(result: Value) -> Self {
        Self { result, error: None }
    }

    /// An error.
    #[must_use]
    pub const fn error(error: String) -> Self {
        Self { result: Value::Null, error: Some(error) }
    }
}

/// The answer to a question that the rulebook can answer; nothing for other methods.
#[must_use]
pub fn answer(method: &str, rulebook: &Rulebook, allowed_kinds: &[u16]) -> Option<Value> {
    Some(match method {
        "supportedmethods" => json!([QUESTIONS, METHODS].concat()),
        "listbannedpubkeys" => list(&rulebook.banned_keys, "pubkey"),
        "listallowedpubkeys" => list(&rulebook.allowed_keys, "pubkey"),
        "listbannedevents" => list(&rulebook.banned_events, "id"),
        "listallowedkinds" => json!(kinds(rulebook, allowed_kinds)),
        "listblockedips" => list(&rulebook.blocked_addresses, "ip"),
        _ => return None,
    })
}

/// The kinds that are named as allowed; none where the configuration names none, since then all
/// but the disallowed are taken, whatever the orders name besides.
fn kinds(rulebook: &Rulebook, allowed: &[u16]) -> Vec<u16> {
    if allowed.is_empty() {
        return Vec::new();
    }
    let mut kinds: BTreeMap<u16, bool> = allowed.iter().map(|kind| (*kind, true)).collect();
    kinds.extend(&rulebook.kinds);
    kinds.into_iter().filter_map(|(kind, taken)| taken.then_some(kind)).collect()
}

fn list<K: ToString>(entries: &BTreeMap<K, String>, name: &str) -> Value {
    let entry = |(key, reason): (&K, &String)| json!({name: key.to_string(), "reason": reason});
    entries.iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::management::Order;

    #[test]
    fn the_lists_are_as_the_nip_has_them() {
        let mut rulebook = Rulebook::default();
        let key = "ab".repeat(32);
        let orders = [
            ("banpubkey", json!([key, "spam"])),
            ("banevent", json!([key])),
            ("blockip", json!(["203.0.113.7", "flood"])),
            ("allowkind", json!([7])),
            ("disallowkind", json!([1])),
        ];
        for (method, params) in &orders {
            rulebook.apply(Order::read(method, params.as_array().unwrap()).unwrap());
        }
        let says = |method| answer(method, &rulebook, &[1, 30_023]).unwrap().to_string();
        assert_eq!(
            says("listbannedpubkeys"),
            json!([{"pubkey": key, "reason": "spam"}]).to_string()
        );
        assert_eq!(says("listbannedevents"), json!([{"id": key, "reason": ""}]).to_string());
        assert_eq!(says("listblockedips"), r#"[{"ip":"203.0.113.7","reason":"flood"}]"#);
        assert_eq!(says("listallowedkinds"), "[7,30023]");
        let of_all = answer("listallowedkinds", &rulebook, &[]).unwrap();
        assert_eq!(of_all, json!([]), "all kinds are taken, so none is named");
        assert_eq!(says("listallowedpubkeys"), "[]");
        let methods = says("supportedmethods");
        assert!(
            QUESTIONS.iter().chain(METHODS).all(|name| methods.contains(&format!("\"{name}\"")))
        );
        assert!(answer("banpubkey", &rulebook, &[]).is_none());
    }
}
