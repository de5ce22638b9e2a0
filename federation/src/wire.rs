//! The client's side of the wire: what we say to a peer's relay and what it answers
//! (NIP-01, 42, 77).
//!
//! Events are read by the one parser of the house, never as a tree of JSON values: two parsers that
//! differ in anything would read two different events. Elements after those we know are passed
//! over, since relays add some (NIP-67 to EOSE, a maximum to NEG-ERR).

use ayni_protocol::event::EventError;
use ayni_protocol::json::{Cursor, JsonError, write_string};
use ayni_protocol::{Event, EventId, Filter, Prefix, hex};

/// One message of a relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayMessage {
    /// An event, and the subscription it is for. Not verified.
    Event(String, Box<Event>),
    /// Whether an event was accepted, and what is said about it.
    Ok(EventId, bool, String),
    /// Everything stored has been sent for this subscription.
    Eose(String),
    /// A subscription was ended, and why.
    Closed(String, String),
    /// A sentence for people.
    Notice(String),
    /// A challenge to be signed (NIP-42).
    Auth(String),
    /// The next message of a reconciliation (NIP-77).
    NegMessage(String, Vec<u8>),
    /// A reconciliation was ended, and why.
    NegError(String, String),
    /// A verb that is not for us, such as COUNT. Ignored.
    Unknown(String),
}

/// Why text is not a message of a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The event in it, or the JSON around it, is malformed.
    #[error(transparent)]
    Event(#[from] EventError),
    /// An id or a negentropy message is not hex.
    #[error("expected lowercase hex digits")]
    NotHex,
}

impl From<JsonError> for WireError {
    fn from(error: JsonError) -> Self {
        Self::Event(error.into())
    }
}

impl RelayMessage {
    /// Reads one message. Its length was checked by whoever received it.
    ///
    /// # Errors
    /// [`WireError`]; nothing of the message is to be used then.
    pub fn parse(text: &str) -> Result<Self, WireError> {
        let cursor = &mut Cursor::new(text);
        cursor.expect(b'[', "a list, as in [\"EOSE\",…]")?;
        let verb = cursor.string()?;
        let message = match verb.as_ref() {
            "EVENT" => Self::Event(string(cursor)?, Box::new(event(cursor)?)),
            "OK" => Self::Ok(id(cursor)?, boolean(cursor)?, sentence(cursor)?),
            "EOSE" => Self::Eose(string(cursor)?),
            "CLOSED" => Self::Closed(string(cursor)?, sentence(cursor)?),
            "NOTICE" => Self::Notice(string(cursor)?),
            "AUTH" => Self::Auth(string(cursor)?),
            "NEG-MSG" => Self::NegMessage(string(cursor)?, bytes(&string(cursor)?)?),
            "NEG-ERR" => Self::NegError(string(cursor)?, sentence(cursor)?),
            other => Self::Unknown(other.to_owned()),
        };
        while cursor.take(b',') {
            cursor.skip()?;
        }
        cursor.expect(b']', "the end of the message")?;
        cursor.end()?;
        Ok(message)
    }
}

fn string(cursor: &mut Cursor<'_>) -> Result<String, WireError> {
    cursor.expect(b',', "a comma")?;
    Ok(cursor.string()?.into_owned())
}

/// A sentence at the end of a message; some relays leave it out.
fn sentence(cursor: &mut Cursor<'_>) -> Result<String, WireError> {
    if cursor.take(b',') { Ok(cursor.string()?.into_owned()) } else { Ok(String::new()) }
}

fn event(cursor: &mut Cursor<'_>) -> Result<Event, WireError> {
    cursor.expect(b',', "a comma")?;
    Ok(Event::read(cursor)?)
}

fn id(cursor: &mut Cursor<'_>) -> Result<EventId, WireError> {
    string(cursor)?.parse().map_err(|_| WireError::NotHex)
}

fn boolean(cursor: &mut Cursor<'_>) -> Result<bool, WireError> {
    cursor.expect(b',', "a comma")?;
    match cursor.skip()? {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(JsonError::Expected("true or false").into()),
    }
}

fn bytes(text: &str) -> Result<Vec<u8>, WireError> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return Err(WireError::NotHex);
    }
    let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|n| u8::try_from(n).ok());
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(nibble(*high)? << 4 | nibble(*low)?),
        _ => None,
    };
    digits.chunks_exact(2).map(|two| pair(two).ok_or(WireError::NotHex)).collect()
}

/// The machine-readable first word of a relay's sentence, where it is one we know.
#[must_use]
pub fn prefix(sentence: &str) -> Option<Prefix> {
    let (word, _) = sentence.split_once(':')?;
    Prefix::ALL.iter().copied().find(|prefix| prefix.as_str() == word)
}

fn quoted(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    write_string(value, &mut out);
    out
}

/// `["REQ",sub,filter]`.
#[must_use]
pub fn req(subscription: &str, filter: &Filter) -> String {
    format!("[\"REQ\",{},{}]", quoted(subscription), filter.to_json())
}

/// `["CLOSE",sub]`.
#[must_use]
pub fn close(subscription: &str) -> String {
    format!("[\"CLOSE\",{}]", quoted(subscription))
}

/// `["EVENT",event]`, from an event's canonical JSON.
#[must_use]
pub fn event_json(json: &str) -> String {
    format!("[\"EVENT\",{json}]")
}

/// `["AUTH",event]`, from the canonical JSON of a signed challenge (NIP-42).
#[must_use]
pub fn auth(json: &str) -> String {
    format!("[\"AUTH\",{json}]")
}

/// `["NEG-OPEN",sub,filter,hex]`.
#[must_use]
pub fn neg_open(subscription: &str, filter: &Filter, message: &[u8]) -> String {
    let (subscription, filter) = (quoted(subscription), filter.to_json());
    format!("[\"NEG-OPEN\",{subscription},{filter},\"{}\"]", hex::encode(message))
}

/// `["NEG-CLOSE",sub]`.
#[must_use]
pub fn neg_close(subscription: &str) -> String {
    format!("[\"NEG-CLOSE\",{}]", quoted(subscription))
}

#[cfg(test)]
mod tests {
    use ayni_protocol::wire as relay;
    use ayni_protocol::wire::ClientMessage;
    use ayni_protocol::{Draft, Keys, Rejection, kind};

    use super::*;

    fn signed() -> ayni_protocol::VerifiedEvent {
        let keys = Keys::from_secret([1; 32]).unwrap();
        Draft::new(kind::CHARTER).tag(["h", "x"]).tag([""; 0]).sign(&keys, 5, [0; 32])
    }

    #[test]
    fn every_answer_of_our_relay_is_read() {
        let read = |text: &str| RelayMessage::parse(text).unwrap();
        let (event, why) = (signed(), Rejection::invalid("x"));
        let text = format!("{}{}]", relay::event_head("s\""), event.json());
        let boxed = Box::new(Event::clone(&event));
        assert_eq!(read(&text), RelayMessage::Event("s\"".into(), boxed));
        let ok = RelayMessage::Ok(event.id, false, "error: y".into());
        assert_eq!(read(&relay::ok(&event.id, false, "error: y")), ok);
        assert_eq!(read(&relay::eose("s", relay::Rest::Unknown)), RelayMessage::Eose("s".into()));
        let closed = RelayMessage::Closed("s".into(), "invalid: x".into());
        assert_eq!(read(&relay::closed("s", &why)), closed);
        assert_eq!(read(&relay::notice("n")), RelayMessage::Notice("n".into()));
        assert_eq!(read(&relay::auth("c")), RelayMessage::Auth("c".into()));
        let message = RelayMessage::NegMessage("s".into(), vec![0x61, 0xff]);
        assert_eq!(read(&relay::neg_msg("s", &[0x61, 0xff])), message);
        let error = RelayMessage::NegError("s".into(), "invalid: x".into());
        assert_eq!(read(&relay::neg_err("s", &why)), error);
        assert_eq!(read(&relay::count("s", 3, None)), RelayMessage::Unknown("COUNT".into()));
    }

    #[test]
    fn what_other_relays_add_or_leave_out_is_read_too() {
        let read = |text: &str| RelayMessage::parse(text).unwrap();
        assert_eq!(read(r#" ["EOSE" , "s" , ["finish"] ] "#), RelayMessage::Eose("s".into()));
        let many = r#"["NEG-ERR","s","blocked: too many",500000]"#;
        assert_eq!(read(many), RelayMessage::NegError("s".into(), "blocked: too many".into()));
        assert_eq!(read(r#"["CLOSED","s"]"#), RelayMessage::Closed("s".into(), String::new()));
    }

    #[test]
    fn junk_is_an_error() {
        for junk in [
            "",
            "[]",
            "{}",
            r#"["EVENT","s",{}]"#,
            r#"["EOSE"]"#,
            r#"["EOSE","s"] x"#,
            r#"["OK","ab",true,""]"#,
            r#"["NEG-MSG","s","6"]"#,
            r#"["NEG-MSG","s","6g"]"#,
            r#"["NEG-MSG","s","+6"]"#,
            r#"["NOTICE",1]"#,
        ] {
            assert!(RelayMessage::parse(junk).is_err(), "{junk}");
        }
    }

    #[test]
    fn our_relay_reads_what_we_say() {
        let read = |text: String| ClientMessage::parse(&text).unwrap();
        let (event, filter) = (signed(), crate::scope::economy());
        let boxed = Box::new(Event::clone(&event));
        assert_eq!(read(req("s", &filter)), ClientMessage::Req("s".into(), vec![filter.clone()]));
        assert_eq!(read(close("s\"")), ClientMessage::Close("s\"".into()));
        assert_eq!(read(event_json(event.json())), ClientMessage::Event(boxed.clone()));
        assert_eq!(read(auth(event.json())), ClientMessage::Auth(boxed));
        let open = ClientMessage::NegOpen("s".into(), Box::new(filter.clone()), vec![0x61]);
        assert_eq!(read(neg_open("s", &filter, &[0x61])), open);
        assert_eq!(read(neg_close("s")), ClientMessage::NegClose("s".into()));
    }

    #[test]
    fn prefixes_are_recognised() {
        assert_eq!(prefix("rate-limited: slow down"), Some(Prefix::RateLimited));
        assert_eq!(prefix("what: ever"), None);
        assert_eq!(prefix("error"), None);
    }
}
