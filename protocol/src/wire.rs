//! What clients say and what relays answer (NIP-01, 42, 45, 77).
//!
//! Reading gives a closed enum or a [`Complaint`] that says whom to answer and how; writing is one
//! function a verb, and an event that is sent goes out as the bytes it was stored as.

use std::borrow::Cow;

use crate::hyperloglog::Registers;
use crate::json::{self, Cursor, JsonError};
use crate::{Event, EventId, Filter, Rejection};

/// One message of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientMessage {
    /// Store this event.
    Event(Box<Event>),
    /// Subscribe: what is stored, then what comes.
    Req(String, Vec<Filter>),
    /// How many events match any of the filters (NIP-45).
    Count(String, Vec<Filter>),
    /// End a subscription.
    Close(String),
    /// Authenticate (NIP-42).
    Auth(Box<Event>),
    /// Open a reconciliation (NIP-77): subscription, filter, first message.
    NegOpen(String, Box<Filter>, Vec<u8>),
    /// Go on with it.
    NegMessage(String, Vec<u8>),
    /// End it.
    NegClose(String),
    /// A verb that is not for relays, such as the `PING` of some clients. Ignored.
    Unknown(String),
}

/// A message that could not be read, and to whom the answer goes. A verb that is owed an answer gets
/// its own, whatever is in the message; what cannot be read of a name is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Complaint {
    /// No verb, or one that is owed no answer: NOTICE.
    Notice(Rejection),
    /// An EVENT or AUTH, and the id as it was written, if that is no longer than an id: OK false.
    Event(String, Rejection),
    /// A REQ and its subscription: CLOSED.
    Subscription(String, Rejection),
    /// A COUNT and its name: CLOSED, which is not meant for a subscription of this name.
    Count(String, Rejection),
    /// A NEG-OPEN or NEG-MSG and its subscription: NEG-ERR.
    Reconciliation(String, Rejection),
}

/// Addresses a complaint to a name.
type Addressed = fn(String, Rejection) -> Complaint;

impl From<JsonError> for Complaint {
    fn from(error: JsonError) -> Self {
        Self::Notice(error.into())
    }
}

impl ClientMessage {
    /// Reads one message. Its length was checked by whoever received it.
    ///
    /// # Errors
    /// A [`Complaint`], to be answered and survived.
    pub fn parse(text: &str) -> Result<Self, Complaint> {
        let mut cursor = Cursor::new(text);
        cursor.expect(b'[', "a list, as in [\"REQ\",…]")?;
        let verb = cursor.string()?;
        match verb.as_ref() {
            "EVENT" => event(&mut cursor).map(|event| Self::Event(Box::new(event))),
            "AUTH" => event(&mut cursor).map(|event| Self::Auth(Box::new(event))),
            "REQ" => filters(&mut cursor, Complaint::Subscription)
                .map(|(id, filters)| Self::Req(id, filters)),
            "COUNT" => {
                filters(&mut cursor, Complaint::Count).map(|(id, filters)| Self::Count(id, filters))
            }
            "CLOSE" => Ok(Self::Close(subscription(&mut cursor)?)),
            "NEG-OPEN" => neg_open(&mut cursor),
            "NEG-MSG" => neg_message(&mut cursor),
            "NEG-CLOSE" => Ok(Self::NegClose(subscription(&mut cursor)?)),
            other => Ok(Self::Unknown(other.to_owned())),
        }
    }
}

fn comma(cursor: &mut Cursor<'_>) -> Result<(), JsonError> {
    cursor.expect(b',', "a comma")
}

fn close(cursor: &mut Cursor<'_>) -> Result<(), JsonError> {
    cursor.expect(b']', "the end of the message")?;
    cursor.end()
}

fn event(cursor: &mut Cursor<'_>) -> Result<Event, Complaint> {
    let nameless = |error: JsonError| Complaint::Event(String::new(), error.into());
    comma(cursor).map_err(nameless)?;
    let mut probe = cursor.clone();
    match Event::read(cursor) {
        Ok(event) => match close(cursor) {
            Ok(()) => Ok(event),
            Err(error) => Err(Complaint::Event(event.id.to_string(), error.into())),
        },
        Err(error) => {
            let rejection = Rejection::invalid(error.to_string());
            Err(Complaint::Event(claimed_id(&mut probe), rejection))
        }
    }
}

/// The id of an event that is otherwise unreadable, so that its OK can be addressed: whatever stands
/// there, where it is a text no longer than an id, and nothing otherwise.
fn claimed_id(cursor: &mut Cursor<'_>) -> String {
    let mut id = None;
    let _: Result<(), JsonError> = cursor.object(|cursor, key| {
        let value = cursor.pass()?;
        if key == "id" && id.is_none() {
            id = Cursor::new(value).string().ok().map(Cow::into_owned);
        }
        Ok(())
    });
    id.filter(|id| id.len() <= 64).unwrap_or_default()
}

fn subscription(cursor: &mut Cursor<'_>) -> Result<String, JsonError> {
    comma(cursor)?;
    Ok(cursor.string()?.into_owned())
}

/// The subscription of a message that is owed an answer, so also where there is none to be read.
fn addressee(cursor: &mut Cursor<'_>, complain: Addressed) -> Result<String, Complaint> {
    subscription(cursor).map_err(|error| complain(String::new(), error.into()))
}

fn filters(
    cursor: &mut Cursor<'_>,
    complain: Addressed,
) -> Result<(String, Vec<Filter>), Complaint> {
    let id = addressee(cursor, complain)?;
    let mut filters = Vec::new();
    let mut rest = || -> Result<(), Rejection> {
        while cursor.take(b',') {
            filters.push(Filter::read(cursor)?);
        }
        Ok(close(cursor)?)
    };
    match rest() {
        Ok(()) if filters.is_empty() => {
            Err(complain(id, Rejection::invalid("name at least one filter")))
        }
        Ok(()) => Ok((id, filters)),
        Err(rejection) => Err(complain(id, rejection)),
    }
}

fn neg_open(cursor: &mut Cursor<'_>) -> Result<ClientMessage, Complaint> {
    let id = addressee(cursor, Complaint::Reconciliation)?;
    let mut rest = || -> Result<(Filter, Vec<u8>), Rejection> {
        comma(cursor)?;
        let filter = Filter::read(cursor)?;
        Ok((filter, hex_bytes(cursor)?))
    };
    match rest() {
        Ok((filter, message)) => Ok(ClientMessage::NegOpen(id, Box::new(filter), message)),
        Err(rejection) => Err(Complaint::Reconciliation(id, rejection)),
    }
}

fn neg_message(cursor: &mut Cursor<'_>) -> Result<ClientMessage, Complaint> {
    let id = addressee(cursor, Complaint::Reconciliation)?;
    match hex_bytes(cursor) {
        Ok(message) => Ok(ClientMessage::NegMessage(id, message)),
        Err(rejection) => Err(Complaint::Reconciliation(id, rejection)),
    }
}

fn hex_bytes(cursor: &mut Cursor<'_>) -> Result<Vec<u8>, Rejection> {
    comma(cursor)?;
    let text = cursor.string()?;
    close(cursor)?;
    let not_hex = || Rejection::invalid("the message must be hex");
    if text.len() % 2 != 0 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(not_hex());
    }
    let byte = |at| text.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    (0..text.len()).step_by(2).map(|at| byte(at).ok_or_else(not_hex)).collect()
}

fn quoted(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    json::write_string(value, &mut out);
    out
}

/// What comes before an event's JSON in `["EVENT",sub,…]`; a `]` comes after it.
#[must_use]
pub fn event_head(subscription: &str) -> String {
    format!("[\"EVENT\",{},", quoted(subscription))
}

/// `["OK",id,accepted,message]`; the message is empty where nothing is to be said.
#[must_use]
pub fn ok(id: &EventId, accepted: bool, message: &str) -> String {
    format!("[\"OK\",\"{id}\",{accepted},{}]", quoted(message))
}

/// The refusal of an event that could not be read, by the id that stands in it.
#[must_use]
pub fn unreadable(claimed_id: &str, message: &str) -> String {
    format!("[\"OK\",{},false,{}]", quoted(claimed_id), quoted(message))
}

/// What an EOSE says of the stored events that were not sent (NIP-67).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// There are none: the client need not ask for more.
    Finish,
    /// There are some.
    More,
    /// Nobody looked, or it cannot be told cheaply. Then nothing is said.
    Unknown,
}

/// `["EOSE",sub]`, `["EOSE",sub,["finish"]]` or `["EOSE",sub,["more"]]`.
#[must_use]
pub fn eose(subscription: &str, rest: Rest) -> String {
    let hint = match rest {
        Rest::Finish => ",[\"finish\"]",
        Rest::More => ",[\"more\"]",
        Rest::Unknown => "",
    };
    format!("[\"EOSE\",{}{hint}]", quoted(subscription))
}

/// `["CLOSED",sub,"prefix: sentence"]`.
#[must_use]
pub fn closed(subscription: &str, why: &Rejection) -> String {
    format!("[\"CLOSED\",{},{}]", quoted(subscription), quoted(&why.to_string()))
}

/// `["NOTICE",text]`.
#[must_use]
pub fn notice(text: &str) -> String {
    format!("[\"NOTICE\",{}]", quoted(text))
}

/// `["AUTH",challenge]`.
#[must_use]
pub fn auth(challenge: &str) -> String {
    format!("[\"AUTH\",{}]", quoted(challenge))
}

/// `["COUNT",sub,{"count":n}]`, with `"hll"` where there are registers (NIP-45).
#[must_use]
pub fn count(subscription: &str, count: usize, registers: Option<&Registers>) -> String {
    let hll = registers.map(|registers| format!(",\"hll\":\"{}\"", registers.to_hex()));
    let hll = hll.unwrap_or_default();
    format!("[\"COUNT\",{},{{\"count\":{count}{hll}}}]", quoted(subscription))
}

/// `["NEG-MSG",sub,hex]`.
#[must_use]
pub fn neg_msg(subscription: &str, message: &[u8]) -> String {
    format!("[\"NEG-MSG\",{},\"{}\"]", quoted(subscription), crate::hex::encode(message))
}

/// `["NEG-ERR",sub,"prefix: sentence"]`.
#[must_use]
pub fn neg_err(subscription: &str, why: &Rejection) -> String {
    format!("[\"NEG-ERR\",{},{}]", quoted(subscription), quoted(&why.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hyperloglog::Offset;

    #[test]
    fn every_verb_is_read() {
        let read = |text| ClientMessage::parse(text).unwrap();
        assert_eq!(read(r#" ["CLOSE" , "a\"b"] "#), ClientMessage::Close("a\"b".into()));
        assert_eq!(
            read(r#"["REQ","s",{},{"limit":0}]"#),
            ClientMessage::Req(
                "s".into(),
                vec![Filter::default(), Filter { limit: Some(0), ..Filter::default() },]
            )
        );
        assert!(matches!(read(r#"["COUNT","s",{}]"#), ClientMessage::Count(..)));
        assert_eq!(
            read(r#"["NEG-MSG","n","61ff"]"#),
            ClientMessage::NegMessage("n".into(), vec![0x61, 0xff])
        );
        assert!(matches!(
            read(r#"["NEG-OPEN","n",{"kinds":[1]},"61"]"#),
            ClientMessage::NegOpen(..)
        ));
        assert_eq!(read(r#"["PING"]"#), ClientMessage::Unknown("PING".into()));
    }

    #[test]
    fn every_complaint_finds_its_addressee() {
        let complain = |text: &str| ClientMessage::parse(text).unwrap_err();
        let id = "ab".repeat(32);
        let half = format!(r#"["EVENT",{{"id":"{id}","kind":-1}}]"#);
        assert!(matches!(complain(&half), Complaint::Event(found, _) if found == id));
        let deep = half.replacen(
            '{',
            &format!("{{\"x\":{}[\"]\"]{},", "[".repeat(5_000), "]".repeat(5_000)),
            1,
        );
        assert!(matches!(complain(&deep), Complaint::Event(found, _) if found == id));
        let upper = half.replace(&id, &id.to_uppercase());
        assert!(
            matches!(complain(&upper), Complaint::Event(found, _) if found == id.to_uppercase())
        );
        let long = half.replace(&id, &"a".repeat(65));
        let nameless =
            [r#"["EVENT",{"id":7}]"#, r#"["EVENT",{}]"#, r#"["EVENT",1]"#, r#"["EVENT""#];
        for text in nameless.into_iter().chain([r#"["AUTH"]"#, &long]) {
            assert!(
                matches!(complain(text), Complaint::Event(found, _) if found.is_empty()),
                "{text}"
            );
        }
        assert!(matches!(complain(r#"["REQ","s",{"x":1}]"#), Complaint::Subscription(..)));
        assert!(matches!(complain(r#"["REQ","s"]"#), Complaint::Subscription(..)));
        assert!(matches!(complain(r#"["COUNT","s",{}"#), Complaint::Count(..)));
        assert!(matches!(complain(r#"["NEG-OPEN","s",{},"6"]"#), Complaint::Reconciliation(..)));
        for text in [r#"["REQ""#, r#"["REQ"]"#, r#"["REQ",1,{}]"#] {
            assert!(matches!(complain(text), Complaint::Subscription(name, _) if name.is_empty()));
        }
        assert!(
            matches!(complain(r#"["COUNT",{}]"#), Complaint::Count(name, _) if name.is_empty())
        );
        for text in [r#"["NEG-OPEN",{},"61"]"#, r#"["NEG-MSG"]"#] {
            let complaint = complain(text);
            assert!(matches!(complaint, Complaint::Reconciliation(name, _) if name.is_empty()));
        }
        for junk in ["", "[", "{}", "[1]", r#"["CLOSE"]"#, r#"["NEG-CLOSE",1]"#, "null"] {
            assert!(matches!(complain(junk), Complaint::Notice(_)), "{junk}");
        }
    }

    #[test]
    fn answers_are_valid_json_whatever_the_subscription() {
        let odd = "\u{1}\"\\\u{7f}é";
        let texts = [
            eose(odd, Rest::Unknown),
            eose(odd, Rest::More),
            notice(odd),
            auth(odd),
            count(odd, 3, None),
            count(odd, 3, Some(&Registers::new(Offset::of("x")))),
            neg_msg(odd, &[1, 2]),
            closed(odd, &Rejection::invalid("x")),
            format!("{}{{}}]", event_head(odd)),
        ];
        for text in texts {
            assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{text}");
        }
        assert_eq!(
            ok(&EventId([0xab; 32]), true, ""),
            format!(r#"["OK","{}",true,""]"#, "ab".repeat(32))
        );
    }
}
