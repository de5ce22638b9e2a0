//! A cursor over JSON text: one pass, no tree of values, nothing recursive in what a stranger sent.
//!
//! Clients write JSON freely (white space, any escape), so the reader is liberal in spelling and
//! strict in shape: a repeated key is an error, because two parsers that keep different ones would
//! read different events, and depth is bounded before anything is built.

use std::borrow::Cow;

use crate::limits::JSON_DEPTH;

/// What is wrong with the text, as a sentence for whoever sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// The text ended early.
    #[error("the JSON text ends too early")]
    Ended,
    /// Something else was expected here.
    #[error("the JSON text is malformed: expected {0}")]
    Expected(&'static str),
    /// A string holds an escape that means nothing.
    #[error("a JSON string holds an unknown or unpaired escape")]
    Escape,
    /// A value that is to be ignored nests too deep.
    #[error("the JSON text nests deeper than 8 levels")]
    TooDeep,
    /// A key stands twice in one object.
    #[error("a JSON key is repeated")]
    RepeatedKey,
    /// Text follows where the value should have ended.
    #[error("text follows the JSON value")]
    Trailing,
}

/// A place in JSON text.
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// A cursor at the start of `text`.
    #[must_use]
    pub const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The next byte that is not white space, without taking it.
    pub fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.byte() {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Takes `byte` if it comes next.
    pub fn take(&mut self, byte: u8) -> bool {
        let next = self.peek() == Some(byte);
        self.at += usize::from(next);
        next
    }

    /// Takes `byte`.
    ///
    /// # Errors
    /// [`JsonError::Expected`] naming `what` where something else comes.
    pub fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), JsonError> {
        if self.take(byte) { Ok(()) } else { Err(JsonError::Expected(what)) }
    }

    /// Checks that nothing but white space is left.
    ///
    /// # Errors
    /// [`JsonError::Trailing`].
    pub fn end(&mut self) -> Result<(), JsonError> {
        if self.peek().is_none() { Ok(()) } else { Err(JsonError::Trailing) }
    }

    /// Takes a string and gives its value, borrowed where it held no escape.
    ///
    /// Control characters may stand in it literally: some clients send them so.
    ///
    /// # Errors
    /// Where no string comes, it does not end, or an escape is wrong.
    pub fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        self.expect(b'"', "a string")?;
        let start = self.at;
        let rest = self.text.as_bytes().get(start..).unwrap_or_default();
        let length = memchr::memchr2(b'"', b'\\', rest).ok_or(JsonError::Ended)?;
        self.at = start + length;
        let plain = self.text.get(start..self.at).ok_or(JsonError::Ended)?;
        if self.byte() == Some(b'"') {
            self.at += 1;
            return Ok(Cow::Borrowed(plain));
        }
        let mut value = plain.to_owned();
        self.escaped(&mut value)?;
        Ok(Cow::Owned(value))
    }

    /// Takes the rest of a string from its first escape on.
    fn escaped(&mut self, value: &mut String) -> Result<(), JsonError> {
        loop {
            let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
            let length = memchr::memchr2(b'"', b'\\', rest).ok_or(JsonError::Ended)?;
            let end = self.at + length;
            value.push_str(self.text.get(self.at..end).ok_or(JsonError::Ended)?);
            self.at = end + 1;
            if self.text.as_bytes().get(end) == Some(&b'"') {
                return Ok(());
            }
            value.push(self.escape()?);
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let letter = self.byte().ok_or(JsonError::Ended)?;
        self.at += 1;
        Ok(match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'u' => return self.unicode(),
            _ => return Err(JsonError::Escape),
        })
    }

    /// `\uXXXX`, with its second half where it is a surrogate.
    fn unicode(&mut self) -> Result<char, JsonError> {
        let first = self.four_digits()?;
        if !(0xD800..0xE000).contains(&first) {
            return char::from_u32(first).ok_or(JsonError::Escape);
        }
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        if first >= 0xDC00 || !rest.starts_with(b"\\u") {
            return Err(JsonError::Escape);
        }
        self.at += 2;
        let second = self.four_digits()?;
        if !(0xDC00..0xE000).contains(&second) {
            return Err(JsonError::Escape);
        }
        let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
        char::from_u32(code).ok_or(JsonError::Escape)
    }

    fn four_digits(&mut self) -> Result<u32, JsonError> {
        let digits = self.text.get(self.at..self.at + 4).ok_or(JsonError::Escape)?;
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(JsonError::Escape);
        }
        self.at += 4;
        u32::from_str_radix(digits, 16).map_err(|_| JsonError::Escape)
    }

    /// Takes a number and gives its text, unread.
    ///
    /// # Errors
    /// Where no number comes.
    pub fn number(&mut self) -> Result<&'a str, JsonError> {
        self.peek();
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let part = |b: &u8| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let length = rest.iter().position(|b| !part(b)).unwrap_or(rest.len());
        let text = self.text.get(self.at..self.at + length).unwrap_or_default();
        if !text.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
            return Err(JsonError::Expected("a number"));
        }
        self.at += length;
        Ok(text)
    }

    /// Takes a whole number without sign, fraction or exponent.
    ///
    /// # Errors
    /// Where anything else comes, or it passes `u64`.
    pub fn unsigned(&mut self) -> Result<u64, JsonError> {
        let text = self.number()?;
        let leading_zero = text.len() > 1 && text.starts_with('0');
        if leading_zero || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(JsonError::Expected("a whole number"));
        }
        text.parse().map_err(|_| JsonError::Expected("a whole number"))
    }

    /// Takes a list, calling `item` at the start of each element.
    ///
    /// # Errors
    /// Those of `item`, or a malformed list.
    pub fn list<E: From<JsonError>>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.expect(b'[', "a list")?;
        if self.take(b']') {
            return Ok(());
        }
        loop {
            item(self)?;
            if self.take(b']') {
                return Ok(());
            }
            self.expect(b',', "a comma or the end of a list")?;
        }
    }

    /// Takes an object, calling `field` with each key, at the start of its value.
    ///
    /// # Errors
    /// Those of `field`, or a malformed object.
    pub fn object<E: From<JsonError>>(
        &mut self,
        mut field: impl FnMut(&mut Self, &str) -> Result<(), E>,
    ) -> Result<(), E> {
        self.expect(b'{', "an object")?;
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            let key = self.string()?;
            self.expect(b':', "a colon")?;
            field(self, &key)?;
            if self.take(b'}') {
                return Ok(());
            }
            self.expect(b',', "a comma or the end of an object")?;
        }
    }

    /// Passes over one value and gives its text.
    ///
    /// # Errors
    /// Where it is malformed or nests deeper than 8.
    pub fn skip(&mut self) -> Result<&'a str, JsonError> {
        self.peek();
        let start = self.at;
        self.skip_within(JSON_DEPTH)?;
        Ok(self.text.get(start..self.at).unwrap_or_default())
    }

    fn skip_within(&mut self, depth: usize) -> Result<(), JsonError> {
        let deeper = || depth.checked_sub(1).ok_or(JsonError::TooDeep);
        match self.peek().ok_or(JsonError::Ended)? {
            b'"' => self.string().map(|_| ()),
            b'[' => {
                let depth = deeper()?;
                self.list(|cursor| cursor.skip_within(depth))
            }
            b'{' => {
                let depth = deeper()?;
                self.object(|cursor, _| cursor.skip_within(depth))
            }
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            _ => self.number().map(|_| ()),
        }
    }

    /// Passes over one value, however deep and whatever is wrong inside it, to look at what stands
    /// behind it. Nothing that must be right may be read this way.
    ///
    /// # Errors
    /// Where the text ends before the value does.
    pub fn pass(&mut self) -> Result<&'a str, JsonError> {
        if !matches!(self.peek(), Some(b'[' | b'{')) {
            return self.skip();
        }
        let start = self.at;
        let mut depth = 0_usize;
        loop {
            match self.byte().ok_or(JsonError::Ended)? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'[' | b'{' => depth += 1,
                b']' | b'}' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Ok(self.text.get(start..self.at).unwrap_or_default());
            }
        }
    }

    fn word(&mut self, word: &'static str) -> Result<(), JsonError> {
        let found = self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word));
        self.at += if found { word.len() } else { 0 };
        if found { Ok(()) } else { Err(JsonError::Expected("a value")) }
    }
}

/// Writes `value` as a JSON string, valid for any reader: NIP-01's seven escapes, and `\u00XX`
/// for the other control characters.
pub fn write_string(value: &str, out: &mut String) {
    write_escaped(value, out, |control, out| {
        out.push_str("\\u00");
        crate::hex::encode_into(&[control], out);
    });
}

/// Writes `value` as NIP-01 serialises it for the id: seven escapes, all else verbatim.
pub fn write_for_id(value: &str, out: &mut String) {
    write_escaped(value, out, |control, out| out.push(char::from(control)));
}

fn write_escaped(value: &str, out: &mut String, control: impl Fn(u8, &mut String)) {
    out.push('"');
    let mut rest = value;
    while let Some((plain, byte, after)) = split_at_special(rest) {
        out.push_str(plain);
        rest = after;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x08 => out.push_str("\\b"),
            0x0c => out.push_str("\\f"),
            _ => control(byte, out),
        }
    }
    out.push_str(rest);
    out.push('"');
}

/// What stands before the first byte that may need an escape, that byte, and what follows it.
fn split_at_special(text: &str) -> Option<(&str, u8, &str)> {
    let special = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
    // Sixteen at a time without a branch, which compilers turn into a few vector instructions.
    let (chunks, _) = text.as_bytes().as_chunks::<16>();
    let plain =
        chunks.iter().take_while(|chunk| !chunk.iter().fold(false, |any, b| any | special(b)));
    let from = plain.count() * 16;
    let at = from + text.as_bytes().get(from..)?.iter().position(special)?;
    Some((text.get(..at)?, *text.as_bytes().get(at)?, text.get(at + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_read_in_any_spelling() {
        let read = |text: &str| Cursor::new(text).string().map(Cow::into_owned);
        assert_eq!(read(r#" "plain é" "#).unwrap(), "plain é");
        assert_eq!(read(r#""\u0041\/\n\ud83d\ude00""#).unwrap(), "A/\n😀");
        for wrong in [r#""\ud83d""#, r#""\ude00""#, r#""\x""#, r#""\u12""#, r#""\u+123""#] {
            assert_eq!(read(wrong), Err(JsonError::Escape), "{wrong}");
        }
        assert_eq!(read("\"open"), Err(JsonError::Ended));
    }

    #[test]
    fn whole_numbers_only() {
        let read = |text| Cursor::new(text).unsigned();
        assert_eq!(read("18446744073709551615"), Ok(u64::MAX));
        for wrong in ["1.0", "-1", "1e3", "01", "18446744073709551616", "x", ""] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        assert_eq!(Cursor::new(&"[".repeat(100_000)).skip(), Err(JsonError::TooDeep));
        assert_eq!(Cursor::new(r#" {"a":[1,{"b":null}]} x"#).skip(), Ok(r#"{"a":[1,{"b":null}]}"#));
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(1_000))]
        #[test]
        fn a_string_survives_writing_and_reading(value in ".*") {
            let mut text = String::new();
            write_string(&value, &mut text);
            proptest::prop_assert_eq!(Cursor::new(&text).string().unwrap(), value.as_str());
            proptest::prop_assert_eq!(&serde_json::from_str::<String>(&text).unwrap(), &value);
        }

        #[test]
        fn arbitrary_text_never_panics(text in ".*") {
            let _ = Cursor::new(&text).skip();
        }
    }
}
