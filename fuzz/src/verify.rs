//! Events: reading is total, canonical text is read back alike, two readings give one id, and
//! nothing but what was signed is believed.

use ayni_protocol::{Event, hex};
use serde_json::{Value, json};

use crate::plain;
use crate::seed::EVENTS;

/// One event: written out in full, or one of the signed ones with some bytes replaced.
pub fn run(data: &[u8]) {
    let Some((&choice, rest)) = data.split_first() else { return };
    let spliced;
    let text = match choice {
        0..16 => {
            spliced = splice(usize::from(choice), rest);
            std::str::from_utf8(&spliced)
        }
        _ => std::str::from_utf8(data),
    };
    let Ok(text) = text else { return };
    let Ok(event) = Event::parse(text) else { return };
    if let Ok(plain) = serde_json::from_str::<Value>(text) {
        plain::same_event(&event, &plain);
    }
    round_trip(&event);
    same_id(&event);
    if let Ok(verified) = event.clone().verify() {
        assert_eq!(verified.json(), event.to_json());
        let known = EVENTS.iter().any(|signed| {
            signed.id == event.id && signed.pubkey == event.pubkey && signed.tags == event.tags
        });
        assert!(known, "nobody signed this");
    }
}

/// Puts the rest, after its first four bytes, over a part of a signed event.
fn splice(choice: usize, rest: &[u8]) -> Vec<u8> {
    let mut text = EVENTS[choice].json().as_bytes().to_vec();
    let Some((place, bytes)) = rest.split_at_checked(4) else { return text };
    let from = usize::from(u16::from_le_bytes([place[0], place[1]])) % text.len();
    let length = usize::from(place[2]).min(text.len() - from);
    text.splice(from..from + length, bytes.iter().copied());
    text
}

fn round_trip(event: &Event) {
    let text = event.to_json();
    assert_eq!(&Event::parse(&text).unwrap(), event);
    plain::same_event(event, &serde_json::from_str(&text).unwrap());
}

/// The text that is hashed, as another writer of JSON writes it. NIP-01 wants most control
/// characters verbatim, which no writer of JSON does, so events with such are left out.
fn same_id(event: &Event) {
    let ours = event.serialised_for_id();
    let odd = |c: char| c.is_control() && !"\n\r\t\u{8}\u{c}\u{7f}".contains(c);
    if ours.contains(odd) {
        return;
    }
    let tags: Vec<Vec<&str>> = event.tags.iter().map(|tag| tag.values().collect()).collect();
    let (key, kind) = (hex::encode(&event.pubkey.0), event.kind.0);
    let theirs = json!([0, key, event.created_at, kind, tags, event.content]);
    assert_eq!(ours, theirs.to_string());
}
