//! The relay information document (NIP-11), written from the very limits that are enforced.

use ayni_protocol::{Limits, PublicKey};
use serde_json::{Map, Value, json};

/// What a relay says of itself. Empty texts are left out of the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Information {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Key of the person who runs it.
    pub pubkey: Option<PublicKey>,
    /// Another way to reach that person, as a URL.
    pub contact: String,
    /// The relay's own key, with which it signs (NIP-11 `self`).
    pub self_key: Option<PublicKey>,
    /// Where its software comes from, as a URL.
    pub software: String,
    /// Version of that software.
    pub version: String,
    /// URL of an icon.
    pub icon: String,
    /// URL of a banner.
    pub banner: String,
    /// URL of its terms of service.
    pub terms_of_service: String,
    /// Only what works: the relay's own, and whatever backend and node add.
    pub supported_nips: Vec<u16>,
    /// Whether reading or writing anything needs AUTH.
    pub auth_required: bool,
    /// Whether only some may write.
    pub restricted_writes: bool,
    /// Zero bits that the id of an event must begin with (NIP-13).
    pub min_pow_difficulty: u32,
}

impl Information {
    /// What this crate does by itself; NIPs 09 and 62 are the store's.
    pub const OWN_NIPS: [u16; 11] = [1, 4, 11, 17, 40, 42, 45, 59, 67, 70, 77];

    /// The document, as JSON.
    #[must_use]
    pub fn document(&self, limits: &Limits) -> String {
        let mut members = Map::new();
        let mut say = |name: &str, text: &str| {
            if !text.is_empty() {
                members.insert(name.to_owned(), Value::from(text));
            }
        };
        say("name", &self.name);
        say("description", &self.description);
        say("icon", &self.icon);
        say("banner", &self.banner);
        say("pubkey", &self.pubkey.map(|key| key.to_string()).unwrap_or_default());
        say("self", &self.self_key.map(|key| key.to_string()).unwrap_or_default());
        say("contact", &self.contact);
        say("software", &self.software);
        say("version", &self.version);
        say("terms_of_service", &self.terms_of_service);
        let mut nips = self.supported_nips.clone();
        nips.sort_unstable();
        nips.dedup();
        members.insert("supported_nips".into(), Value::from(nips));
        members.insert("limitation".into(), self.limitation(limits));
        Value::Object(members).to_string()
    }

    fn limitation(&self, limits: &Limits) -> Value {
        json!({
            "max_message_length": limits.message_bytes,
            "max_subscriptions": limits.subscriptions,
            "max_filters": limits.filters,
            "max_limit": limits.max_limit,
            "default_limit": limits.default_limit,
            "max_subid_length": limits.subscription_id_chars,
            "max_event_tags": limits.event_tags,
            "min_pow_difficulty": self.min_pow_difficulty,
            "auth_required": self.auth_required,
            "payment_required": false,
            "restricted_writes": self.restricted_writes,
            "created_at_upper_limit": limits.future_secs,
        })
    }
}

impl Default for Information {
    fn default() -> Self {
        Self {
            name: String::new(),
            description: String::new(),
            pubkey: None,
            contact: String::new(),
            self_key: None,
            software: String::new(),
            version: env!("CARGO_PKG_VERSION").into(),
            icon: String::new(),
            banner: String::new(),
            terms_of_service: String::new(),
            supported_nips: Self::OWN_NIPS.to_vec(),
            auth_required: false,
            restricted_writes: false,
            min_pow_difficulty: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn the_document_prints_the_enforced_limits() {
        let information = Information {
            name: "Ayni \"test\"".into(),
            self_key: Some(PublicKey([0xab; 32])),
            version: "1.2.3".into(),
            supported_nips: vec![77, 1, 11, 1],
            ..Information::default()
        };
        let document = information.document(&Limits { max_limit: 7, ..Limits::default() });
        let parsed: Value = serde_json::from_str(&document).unwrap();
        expect![[r#"
            {
              "limitation": {
                "auth_required": false,
                "created_at_upper_limit": 900,
                "default_limit": 500,
                "max_event_tags": 2500,
                "max_filters": 20,
                "max_limit": 7,
                "max_message_length": 131072,
                "max_subid_length": 64,
                "max_subscriptions": 200,
                "min_pow_difficulty": 0,
                "payment_required": false,
                "restricted_writes": false
              },
              "name": "Ayni \"test\"",
              "self": "abababababababababababababababababababababababababababababababab",
              "supported_nips": [
                1,
                11,
                77
              ],
              "version": "1.2.3"
            }"#]]
        .assert_eq(&serde_json::to_string_pretty(&parsed).unwrap());
    }
}
