//! Who sends an HTTP request, proved by a signed event in its header (NIP-98).
//!
//! The event must name one of this node's configured URLs, never what the `Host` header says,
//! which whoever sends the request chooses. It must name the body by its hash, because everything
//! asked for here is in the body. And it counts once: what was used is remembered for as long as it
//! could be used again.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderMap, header};
use ayni_protocol::{Event, EventId, Prefix, PublicKey, Rejection, Tag, Timestamp, hex, kind};
use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, general_purpose};
use sha2::{Digest as _, Sha256};

/// Seconds by which `created_at` may differ from this node's clock.
pub const WINDOW_SECS: u64 = 60;
/// Characters of the header at most.
const HEADER_MAX: usize = 8_192;
/// Base64 with or without the padding that some clients leave out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What is asked for, as the one who signs must have known it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The HTTP method.
    pub method: &'a str,
    /// The query with its question mark; empty for none.
    pub query: &'a str,
    /// The body.
    pub body: &'a [u8],
}

/// The URLs of this node, and the events that were used.
#[derive(Debug)]
pub struct Authorization {
    /// As [`canonical`] spells them.
    urls: Vec<String>,
    used: Mutex<BTreeMap<EventId, Timestamp>>,
}

impl Authorization {
    /// For a node of these URLs, of which these events were used before it started.
    #[must_use]
    pub fn new(urls: &[String], used: impl IntoIterator<Item = (EventId, Timestamp)>) -> Self {
        let urls = urls.iter().filter_map(|url| canonical(url)).collect();
        Self { urls, used: Mutex::new(used.into_iter().collect()) }
    }

    /// The key that signed a request, and the event it signed, which is used up by this. `may` says
    /// who may ask at all; a stranger's event is not remembered.
    ///
    /// # Errors
    /// What is wrong with the header.
    pub fn verify(
        &self,
        headers: &HeaderMap,
        asked: &Asked<'_>,
        now: Timestamp,
        may: impl Fn(&PublicKey) -> bool,
    ) -> Result<(PublicKey, EventId), Rejection> {
        let event = read(headers)?;
        self.check(&event, asked, now)?;
        let event = event.verify().map_err(|error| Rejection::invalid(error.to_string()))?;
        if !may(&event.pubkey) {
            let sentence = "this key does not manage this relay; see relay.admins in ayni.toml";
            return Err(Rejection::new(Prefix::Restricted, sentence));
        }
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.retain(|_, created_at| created_at.saturating_add(WINDOW_SECS) >= now);
        if used.insert(event.id, event.created_at).is_some() {
            return Err(Rejection::invalid("this event was used before; sign another"));
        }
        Ok((event.pubkey, event.id))
    }

    fn check(&self, event: &Event, asked: &Asked<'_>, now: Timestamp) -> Result<(), Rejection> {
        let fault = if event.kind != kind::HTTP_AUTH {
            "the event in the Authorization header must be of kind 27235"
        } else if event.created_at.abs_diff(now) > WINDOW_SECS {
            "created_at is more than a minute from this node's clock"
        } else if !only(event, "u").is_some_and(|url| self.is_ours(url, asked.query)) {
            "the u tag must be this relay's public URL, as configured in node.public_urls"
        } else if only(event, "method") != Some(asked.method) {
            "the method tag must be the request's method"
        } else if only(event, "payload") != Some(&hex::encode(&Sha256::digest(asked.body))) {
            "the payload tag must be the SHA-256 of the request's body, in hex"
        } else {
            return Ok(());
        };
        Err(Rejection::invalid(fault))
    }

    fn is_ours(&self, url: &str, query: &str) -> bool {
        canonical(url)
            .is_some_and(|url| self.urls.iter().any(|ours| format!("{ours}{query}") == url))
    }
}

/// The event in the header.
fn read(headers: &HeaderMap) -> Result<Event, Rejection> {
    let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(header) = header.filter(|header| header.len() <= HEADER_MAX) else {
        let sentence = "this needs an Authorization header with a signed event (NIP-98)";
        return Err(Rejection::new(Prefix::AuthRequired, sentence));
    };
    let told = || Rejection::invalid("the Authorization header must be: Nostr BASE64-OF-AN-EVENT");
    let (scheme, encoded) = header.trim().split_once(' ').ok_or_else(told)?;
    if !scheme.eq_ignore_ascii_case("nostr") {
        return Err(told());
    }
    let bytes = BASE64.decode(encoded.trim()).map_err(|_| told())?;
    let text = str::from_utf8(&bytes).map_err(|_| told())?;
    Event::parse(text).map_err(|error| Rejection::invalid(error.to_string()))
}

/// The header that proves a request to be the signer's.
#[must_use]
pub fn header(event: &ayni_protocol::VerifiedEvent) -> String {
    format!("Nostr {}", general_purpose::STANDARD.encode(event.json()))
}

/// The value of a tag that must stand there once.
fn only<'a>(event: &'a Event, name: &'a str) -> Option<&'a str> {
    let mut tags = event.tags.named(name);
    let value = tags.next().and_then(Tag::value)?;
    tags.next().is_none().then_some(value)
}

/// A URL as it is compared: a WebSocket's as the HTTP of the same address, the host in lower case,
/// without the scheme's own port and a last slash. Path and query are compared as they are.
fn canonical(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let (scheme, port) = match scheme.to_ascii_lowercase().as_str() {
        "ws" | "http" => ("http", ":80"),
        "wss" | "https" => ("https", ":443"),
        _ => return None,
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, rest) = rest.split_at_checked(end)?;
    let (path, query) = rest.split_at_checked(rest.find('?').unwrap_or(rest.len()))?;
    let host = host.to_ascii_lowercase();
    let host = host.strip_suffix(port).unwrap_or(&host);
    if host.is_empty() || host.contains('@') || rest.contains('#') {
        return None;
    }
    Some(format!("{scheme}://{host}{}{query}", path.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use ayni_protocol::{Draft, Keys, Kind, VerifiedEvent};

    use super::*;

    const BODY: &[u8] = br#"{"method":"supportedmethods","params":[]}"#;
    const NOW: Timestamp = 1_000_000;

    fn keys(byte: u8) -> Keys {
        Keys::from_secret([byte; 32]).unwrap()
    }

    fn gate() -> Authorization {
        let urls = ["wss://Relay.example", "ws://127.0.0.1:7777"].map(str::to_owned);
        Authorization::new(&urls, [])
    }

    fn draft(url: &str, method: &str, body: &[u8]) -> Draft {
        let payload = hex::encode(&Sha256::digest(body));
        Draft::new(kind::HTTP_AUTH)
            .tag(["u", url])
            .tag(["method", method])
            .tag(["payload", &payload])
    }

    fn good() -> VerifiedEvent {
        draft("https://relay.example/", "POST", BODY).sign(&keys(1), NOW, [0; 32])
    }

    fn says(gate: &Authorization, header: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_str(header).unwrap());
        let asked = Asked { method: "POST", query: "", body: BODY };
        let verdict = gate.verify(&headers, &asked, NOW, |key| *key == keys(1).public());
        verdict.err().map_or_else(String::new, |rejection| rejection.to_string())
    }

    #[test]
    fn every_way_to_be_wrong_is_refused_with_its_reason() {
        let sign = |draft: Draft, at| header(&draft.sign(&keys(1), at, [0; 32]));
        let url = "https://relay.example/";
        let other_kind = Draft { kind: Kind(1), ..draft(url, "POST", BODY) };
        let forged = good().json().replace("POST", "PoST");
        let forged = format!("Nostr {}", general_purpose::STANDARD.encode(forged));
        let unhashed = Draft::new(kind::HTTP_AUTH).tag(["u", url]).tag(["method", "POST"]);
        let table = [
            ("Basic eHg6eHg=".into(), "must be: Nostr"),
            ("Nostr".into(), "must be: Nostr"),
            ("Nostr ###".into(), "must be: Nostr"),
            ("Nostr e30=".into(), "has no id"),
            (format!("Nostr {}", "A".repeat(9_000)), "auth-required: "),
            (sign(other_kind, NOW), "kind 27235"),
            (sign(draft(url, "POST", BODY), NOW - 61), "created_at"),
            (sign(draft(url, "POST", BODY), NOW + 61), "created_at"),
            (sign(draft("https://evil.example/", "POST", BODY), NOW), "the u tag"),
            (sign(draft("http://relay.example/", "POST", BODY), NOW), "the u tag"),
            (sign(draft("https://relay.example/?x", "POST", BODY), NOW), "the u tag"),
            (sign(draft("https://relay.example.evil/", "POST", BODY), NOW), "the u tag"),
            (sign(draft("https://relay.example@evil/", "POST", BODY), NOW), "the u tag"),
            (sign(draft(url, "POST", BODY).tag(["u", "https://evil/"]), NOW), "the u tag"),
            (sign(draft(url, "GET", BODY), NOW), "the method tag"),
            (sign(draft(url, "POST", b"{}"), NOW), "the payload tag"),
            (sign(unhashed, NOW), "the payload tag"),
            (forged, "the method tag"),
            (header(&draft(url, "POST", BODY).sign(&keys(2), NOW, [0; 32])), "restricted: "),
        ];
        for (header, expected) in table {
            let said = says(&gate(), &header);
            assert!(said.contains(expected), "{expected}: {said}");
        }
        let changed = good().json().replace("\"sig\":\"", "\"sig\":\"0");
        let changed = changed.replacen("0\"}", "\"}", 1);
        let changed = format!("Nostr {}", general_purpose::STANDARD.encode(changed));
        assert!(says(&gate(), &changed).starts_with("invalid: "));
    }

    #[test]
    fn each_spelling_of_our_own_urls_is_right() {
        for url in [
            "https://relay.example",
            "wss://relay.example/",
            "https://RELAY.example:443/",
            "ws://127.0.0.1:7777",
        ] {
            let header = header(&draft(url, "POST", BODY).sign(&keys(1), NOW, [0; 32]));
            assert_eq!(says(&gate(), &header), "", "{url}");
            assert_eq!(says(&gate(), header.trim_end_matches('=')), "", "{url} without padding");
        }
    }

    #[test]
    fn an_event_counts_once_and_is_remembered_for_as_long_as_it_is_fresh() {
        let (gate, header) = (gate(), header(&good()));
        assert_eq!(says(&gate, &header), "");
        assert!(says(&gate, &header).contains("used before"));
        let restarted = Authorization::new(&["wss://relay.example".into()], [(good().id, NOW)]);
        assert!(says(&restarted, &header).contains("used before"));
        gate.used.lock().unwrap().insert(EventId([0; 32]), NOW - 61);
        assert!(says(&gate, &header).contains("used before"));
        assert_eq!(gate.used.lock().unwrap().len(), 1, "what can be used no more is forgotten");
    }
}
