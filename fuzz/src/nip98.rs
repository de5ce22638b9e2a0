//! The header that proves who sends an HTTP request (NIP-98): reading never panics, nothing passes
//! that was not signed for this request, and nothing passes twice.

use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderValue, header};
use ayni_protocol::{Draft, VerifiedEvent, hex, kind};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::seed::{NOW, keys};

#[cfg_attr(not(test), expect(dead_code, reason = "the node and its tests use more of it"))]
#[path = "../../node/src/http/authorization.rs"]
mod authorization;

use authorization::{Asked, Authorization};

const URL: &str = "https://relay.example";
const BODY: &[u8] = b"{\"method\":\"supportedmethods\",\"params\":[]}";

/// What the operator signed for this request.
static TICKET: LazyLock<VerifiedEvent> = LazyLock::new(|| {
    let payload = hex::encode(&Sha256::digest(BODY));
    let draft = Draft::new(kind::HTTP_AUTH).tag(["u", URL]).tag(["method", "POST"]);
    draft.tag(["payload", &payload]).sign(&keys(1), NOW, [0; 32])
});

/// A header as it is, text to be encoded, or the signed event with some bytes replaced.
pub fn run(data: &[u8]) {
    let Some((&choice, rest)) = data.split_first() else { return };
    let value = match choice % 4 {
        0 => HeaderValue::from_bytes(rest),
        1 => encoded(rest),
        _ => encoded(&splice(rest)),
    };
    let Ok(value) = value else { return };
    let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value)]);
    let gate = Authorization::new(&[URL.to_owned()], []);
    let asked = Asked { method: "POST", query: "", body: BODY };
    let verify = || gate.verify(&headers, &asked, NOW, |key| *key == keys(1).public());
    if let Ok((key, id)) = verify() {
        assert_eq!((key, id), (TICKET.pubkey, TICKET.id), "nobody signed this");
        assert!(verify().is_err(), "it counts once");
        let other = Asked { body: b"{}", ..asked };
        let fresh = Authorization::new(&[URL.to_owned()], []);
        assert!(fresh.verify(&headers, &other, NOW, |_| true).is_err(), "for another body");
    }
}

fn encoded(text: &[u8]) -> Result<HeaderValue, axum::http::header::InvalidHeaderValue> {
    HeaderValue::from_str(&format!("Nostr {}", STANDARD.encode(text)))
}

/// Puts the rest, after its first three bytes, over a part of the signed event.
fn splice(rest: &[u8]) -> Vec<u8> {
    let mut text = TICKET.json().as_bytes().to_vec();
    let Some((place, bytes)) = rest.split_first_chunk::<3>() else { return text };
    let from = usize::from(u16::from_le_bytes([place[0], place[1]])) % text.len();
    let length = usize::from(place[2]).min(text.len() - from);
    text.splice(from..from + length, bytes.iter().copied());
    text
}
