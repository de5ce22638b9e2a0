//! Messages of clients: reading is total, complaints are answerable, and two readings agree.

use ayni_protocol::wire::{ClientMessage, Complaint, Rest, closed, eose, neg_err};
use ayni_protocol::{Filter, hex};
use serde_json::Value;

use crate::plain;

/// One message.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let read = ClientMessage::parse(text);
    let plain = serde_json::from_str::<Value>(text);
    match (read, plain) {
        (Ok(message), Ok(plain)) => agree(message, &plain),
        (Err(complaint), _) => answerable(&complaint),
        (Ok(_), Err(_)) => {}
    }
}

fn agree(message: ClientMessage, plain: &Value) {
    let text = |at: usize| plain[at].as_str().unwrap();
    let verb = match message {
        ClientMessage::Event(event) => {
            plain::same_event(&event, &plain[1]);
            "EVENT"
        }
        ClientMessage::Auth(event) => {
            plain::same_event(&event, &plain[1]);
            "AUTH"
        }
        ClientMessage::Req(name, filters) => {
            same_filters(&name, &filters, plain);
            "REQ"
        }
        ClientMessage::Count(name, filters) => {
            same_filters(&name, &filters, plain);
            "COUNT"
        }
        ClientMessage::Close(name) => {
            assert_eq!(name, text(1));
            "CLOSE"
        }
        ClientMessage::NegOpen(name, filter, message) => {
            assert_eq!(name, text(1));
            plain::same_filter(&filter, &plain[2]);
            assert_eq!(hex::encode(&message), text(3).to_ascii_lowercase());
            "NEG-OPEN"
        }
        ClientMessage::NegMessage(name, message) => {
            assert_eq!((name.as_str(), hex::encode(&message)), {
                (text(1), text(2).to_ascii_lowercase())
            });
            "NEG-MSG"
        }
        ClientMessage::NegClose(name) => {
            assert_eq!(name, text(1));
            "NEG-CLOSE"
        }
        ClientMessage::Unknown(verb) => {
            assert_eq!(verb, text(0));
            return;
        }
    };
    assert_eq!(verb, text(0));
}

fn same_filters(name: &str, filters: &[Filter], plain: &Value) {
    let plain = plain.as_array().unwrap();
    assert_eq!(Some(name), plain[1].as_str());
    assert_eq!(filters.len(), plain.len() - 2);
    filters.iter().zip(&plain[2..]).for_each(|(filter, plain)| plain::same_filter(filter, plain));
}

/// What is sent in answer is JSON, whatever name it is addressed by.
fn answerable(complaint: &Complaint) {
    let text = match complaint {
        Complaint::Notice(why) | Complaint::Event(_, why) => {
            assert!(!why.sentence.is_empty());
            return;
        }
        Complaint::Subscription(name, why) | Complaint::Count(name, why) => closed(name, why) + &eose(name, Rest::More),
        Complaint::Reconciliation(name, why) => neg_err(name, why),
    };
    let answers = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
    for answer in answers {
        assert!(answer.unwrap().is_array(), "{text}");
    }
}
