//! Canonical JSON (RFC 8785), whole numbers only, and the hash that everything is named by.
//!
//! Deliberately absent: fractions. A result holds counts and minor units, and the one hard part of
//! RFC 8785 is how a float is written; so a float has no canonical text here.

use ayni_protocol::json;
use serde_json::{Number, Value};
use sha2::{Digest, Sha256};

/// Numbers from here on are not exact in every JSON reader: 2^53.
const NUMBER_END: u64 = 1 << 53;

/// SHA-256.
#[must_use]
pub fn sha256(bytes: impl AsRef<[u8]>) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The canonical text of `value`, or nothing where it holds a fraction, a number of 2^53 or beyond
/// (either side of zero).
#[must_use]
pub fn canonical_json(value: &Value) -> Option<String> {
    let mut out = String::new();
    write(value, &mut out)?;
    Some(out)
}

fn write(value: &Value, out: &mut String) -> Option<()> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => out.push_str(&whole(number)?),
        Value::String(text) => json::write_string(text, out),
        Value::Array(values) => {
            out.push('[');
            for (at, value) in values.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write(value, out)?;
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            // RFC 8785 sorts by UTF-16 code units, which differs from bytes beyond U+FFFF.
            members.sort_by(|(one, _), (other, _)| one.encode_utf16().cmp(other.encode_utf16()));
            out.push('{');
            for (at, (key, value)) in members.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                json::write_string(key, out);
                out.push(':');
                write(value, out)?;
            }
            out.push('}');
        }
    }
    Some(())
}

fn whole(number: &Number) -> Option<String> {
    let size = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs))?;
    (size < NUMBER_END).then(|| number.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_are_sorted_by_utf16_and_nothing_is_spaced() {
        // The order of RFC 8785, 3.2.3: U+1F600 sorts before U+FB33 by its surrogates.
        let value = json!({"\u{fb33}": 1, "\u{1f600}": 2, "b": [true, null, -7], "a": {}, "": "x"});
        assert_eq!(
            canonical_json(&value).unwrap(),
            "{\"\":\"x\",\"a\":{},\"b\":[true,null,-7],\"\u{1f600}\":2,\"\u{fb33}\":1}"
        );
    }

    #[test]
    fn strings_escape_only_what_they_must() {
        let text = "\u{8}\t\n\u{c}\r\"\\/\u{1}\u{7f}€";
        let expected = "\"\\b\\t\\n\\f\\r\\\"\\\\/\\u0001\u{7f}€\"";
        assert_eq!(canonical_json(&json!(text)).unwrap(), expected);
    }

    #[test]
    fn numbers_are_whole_and_exact_everywhere() {
        let largest = (1_i64 << 53) - 1;
        assert_eq!(canonical_json(&json!(largest)).unwrap(), largest.to_string());
        assert_eq!(canonical_json(&json!(-largest)).unwrap(), (-largest).to_string());
        for wrong in [json!(1_u64 << 53), json!(-(1_i64 << 53)), json!(1.5), json!([{"a": 1.0}])] {
            assert_eq!(canonical_json(&wrong), None, "{wrong}");
        }
    }
}
