//! What an operator may order (NIP-86), read from a method and its parameters, and the one thing
//! that members may: to join and to leave (NIP-43).
//!
//! Orders are logged as they were sent and read again at every start, so the reading here is the
//! only one there is. Deliberately absent: questions, which change nothing (`rpc.rs`).

use std::net::IpAddr;

use ayni_protocol::{EventId, Kind, PublicKey};
use serde_json::Value;

/// Characters of a reason, a name or a description.
const TEXT_MAX: usize = 4_096;

/// One change of what this relay goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// What the key writes is refused from now on.
    BanKey(PublicKey, String),
    /// It is refused no longer.
    UnbanKey(PublicKey),
    /// The key may write, member or not.
    AllowKey(PublicKey, String),
    /// It may no longer, unless it is a member's.
    UnallowKey(PublicKey),
    /// There is a role, under this id.
    CreateRole(String, Role),
    /// The role is described otherwise.
    EditRole(String, Role),
    /// There is no such role.
    DeleteRole(String),
    /// The key holds the role.
    AssignRole(PublicKey, String),
    /// It holds it no longer.
    UnassignRole(PublicKey, String),
    /// The event is fine, whatever was said of it.
    AllowEvent(EventId, String),
    /// The event is not served and not taken.
    BanEvent(EventId, String),
    /// The relay's name.
    Name(String),
    /// Its description.
    Description(String),
    /// The URL of its icon.
    Icon(String),
    /// Events of this kind are taken.
    AllowKind(Kind),
    /// They are not.
    DisallowKind(Kind),
    /// Nothing is taken from this address.
    BlockAddress(IpAddr, String),
    /// It is again.
    UnblockAddress(IpAddr),
    /// The key joined with the invitation of this number.
    Join(PublicKey, String),
    /// The key left.
    Leave(PublicKey),
}

/// A role of NIP-43: a name that members may bear. It gives no rights here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Role {
    /// What it is called.
    pub label: String,
    /// What it is for.
    pub description: String,
    /// Hue, 0 to 360.
    pub color: Option<u16>,
    /// Its place among the roles.
    pub order: Option<i64>,
}

/// The methods of NIP-86 that change something.
pub const METHODS: &[&str] = &[
    "banpubkey",
    "unbanpubkey",
    "allowpubkey",
    "unallowpubkey",
    "createrole",
    "editrole",
    "deleterole",
    "assignrole",
    "unassignrole",
    "allowevent",
    "banevent",
    "changerelayname",
    "changerelaydescription",
    "changerelayicon",
    "allowkind",
    "disallowkind",
    "blockip",
    "unblockip",
];

impl Order {
    /// Reads an order.
    ///
    /// # Errors
    /// What is wrong with it, for whoever sent it.
    pub fn read(method: &str, params: &[Value]) -> Result<Self, String> {
        let params = Params(params);
        let reason = || params.text_or_empty(1);
        Ok(match method {
            "banpubkey" => Self::BanKey(params.key()?, reason()?),
            "unbanpubkey" => Self::UnbanKey(params.key()?),
            "allowpubkey" => Self::AllowKey(params.key()?, reason()?),
            "unallowpubkey" => Self::UnallowKey(params.key()?),
            "createrole" => Self::CreateRole(params.name(0)?, params.role()?),
            "editrole" => Self::EditRole(params.name(0)?, params.role()?),
            "deleterole" => Self::DeleteRole(params.name(0)?),
            "assignrole" => Self::AssignRole(params.key()?, params.name(1)?),
            "unassignrole" => Self::UnassignRole(params.key()?, params.name(1)?),
            "allowevent" => Self::AllowEvent(params.event()?, reason()?),
            "banevent" => Self::BanEvent(params.event()?, reason()?),
            "changerelayname" => Self::Name(params.text(0)?),
            "changerelaydescription" => Self::Description(params.text(0)?),
            "changerelayicon" => Self::Icon(params.text(0)?),
            "allowkind" => Self::AllowKind(params.kind()?),
            "disallowkind" => Self::DisallowKind(params.kind()?),
            "blockip" => Self::BlockAddress(params.address()?, reason()?),
            "unblockip" => Self::UnblockAddress(params.address()?),
            "join" => Self::Join(params.key()?, params.name(1)?),
            "leave" => Self::Leave(params.key()?),
            other => return Err(format!("there is no method {other}; see supportedmethods")),
        })
    }
}

/// Parameters, by place.
#[derive(Clone, Copy)]
struct Params<'a>(&'a [Value]);

impl Params<'_> {
    fn text(self, at: usize) -> Result<String, String> {
        let text = match self.0.get(at) {
            Some(Value::String(text)) => Some(text.clone()),
            // Somebody may well call a role 7.
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        match text {
            Some(text) if text.len() <= TEXT_MAX => Ok(text),
            Some(_) => Err(format!("parameter {} is longer than {TEXT_MAX} bytes", at + 1)),
            None => Err(format!("parameter {} must be text", at + 1)),
        }
    }

    fn text_or_empty(self, at: usize) -> Result<String, String> {
        if self.0.get(at).is_none_or(Value::is_null) { Ok(String::new()) } else { self.text(at) }
    }

    fn name(self, at: usize) -> Result<String, String> {
        let name = self.text(at)?;
        if name.is_empty() {
            return Err(format!("parameter {} must not be empty", at + 1));
        }
        Ok(name)
    }

    fn key(self) -> Result<PublicKey, String> {
        let said = "parameter 1 must be a public key in 64 lower-case hex digits";
        self.text(0)?.parse().map_err(|_| said.to_owned())
    }

    fn event(self) -> Result<EventId, String> {
        let said = "parameter 1 must be an event's id in 64 lower-case hex digits";
        self.text(0)?.parse().map_err(|_| said.to_owned())
    }

    fn address(self) -> Result<IpAddr, String> {
        let read: Result<IpAddr, _> = self.text(0)?.parse();
        let said = "parameter 1 must be an IP address, such as 203.0.113.7 or 2001:db8::7";
        read.map(|address| address.to_canonical()).map_err(|_| said.to_owned())
    }

    fn kind(self) -> Result<Kind, String> {
        let number: Option<u16> = self.number(0)?;
        let kind = Kind(number.ok_or("parameter 1 must be a kind, 0 to 65535")?);
        if kind.is_economy() {
            return Err(format!("kind {kind} belongs to the economy, which has its own rules"));
        }
        Ok(kind)
    }

    fn role(self) -> Result<Role, String> {
        Ok(Role {
            label: self.text_or_empty(1)?,
            description: self.text_or_empty(2)?,
            color: self.number(3)?,
            order: self.number(4)?,
        })
    }

    /// A number, also as text, as some clients send it; nothing for an empty or missing one.
    fn number<T: TryFrom<i64>>(self, at: usize) -> Result<Option<T>, String> {
        let number = match self.0.get(at) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) if text.is_empty() => return Ok(None),
            Some(Value::String(text)) => text.parse().ok(),
            Some(other) => other.as_i64(),
        };
        let number = number.and_then(|number| T::try_from(number).ok());
        number.map(Some).ok_or_else(|| format!("parameter {} must be a number in range", at + 1))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(method: &str, params: &Value) -> Result<Order, String> {
        Order::read(method, params.as_array().unwrap())
    }

    #[test]
    fn every_method_has_its_order() {
        let (key, id) = ("ab".repeat(32), "cd".repeat(32));
        for method in METHODS {
            let params = match *method {
                "assignrole" | "unassignrole" => json!([key, "cook"]),
                "banevent" | "allowevent" => json!([id]),
                "allowkind" | "disallowkind" => json!([1]),
                "blockip" | "unblockip" => json!(["::ffff:203.0.113.7"]),
                _ => json!([key]),
            };
            assert!(read(method, &params).is_ok(), "{method}");
            assert!(read(method, &json!([])).is_err(), "{method} without parameters");
            assert!(read(method, &json!([{}])).is_err(), "{method} with an object");
        }
        assert!(read("burnitdown", &json!([])).unwrap_err().contains("supportedmethods"));
    }

    #[test]
    fn parameters_are_read_as_clients_write_them() {
        let address = "203.0.113.7".parse().unwrap();
        assert_eq!(
            read("blockip", &json!(["::ffff:203.0.113.7", null])),
            Ok(Order::BlockAddress(address, String::new()))
        );
        let role =
            Role { label: "king".into(), color: Some(37), order: Some(1), ..Role::default() };
        for (color, order) in [(json!("37"), json!("1")), (json!(37), json!(1))] {
            let order = read("createrole", &json!(["28b7e50f", "king", "", color, order]));
            assert_eq!(order, Ok(Order::CreateRole("28b7e50f".into(), role.clone())));
        }
        assert_eq!(read("allowkind", &json!(["30023"])), Ok(Order::AllowKind(Kind(30_023))));
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_was_expected() {
        let says = |method, params| read(method, &params).unwrap_err();
        assert!(says("banpubkey", json!(["AB".repeat(32)])).contains("lower-case hex"));
        assert!(says("allowkind", json!([65_536])).contains("in range"));
        assert!(says("disallowkind", json!([4752])).contains("economy"));
        assert!(says("blockip", json!(["example.org"])).contains("IP address"));
        assert!(says("deleterole", json!([""])).contains("empty"));
        assert!(says("changerelayname", json!(["x".repeat(5_000)])).contains("longer"));
    }
}
