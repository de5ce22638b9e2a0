//! An event as it was sent: parsed, not yet believed.
//!
//! The reader goes over the bytes once and keeps the tags in one flat text with offsets, because a
//! `Vec<Vec<String>>` costs an allocation for every value of every tag of every event.
//! Unknown members of the object are passed over; the canonical JSON that is stored and sent on has
//! exactly NIP-01's seven members.

use std::ops::Range;

use crate::hex::{self, EventId, PublicKey};
use crate::json::{self, Cursor, JsonError};
use crate::{Kind, Timestamp};

/// An event of NIP-01, unverified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What the sender says the id is.
    pub id: EventId,
    /// The author's key.
    pub pubkey: PublicKey,
    /// Unix seconds, as the author says.
    pub created_at: Timestamp,
    /// What the event is.
    pub kind: Kind,
    /// Its tags.
    pub tags: Tags,
    /// Its text.
    pub content: String,
    /// Schnorr signature over the id (BIP-340).
    pub sig: [u8; 64],
}

/// Why text is not an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Not JSON of the right shape.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A member is missing.
    #[error("the event has no {0}")]
    Missing(&'static str),
    /// A member has the wrong form.
    #[error("the event's {0} must be {1} lowercase hex digits")]
    NotHex(&'static str, usize),
    /// A kind beyond 65535.
    #[error("the event's kind must be a whole number from 0 to 65535")]
    KindRange,
    /// A time that is not whole unix seconds.
    #[error("the event's created_at must be whole unix seconds, 0 or later")]
    TimeRange,
}

impl Event {
    /// Reads one event.
    ///
    /// # Errors
    /// [`EventError`], a sentence for whoever sent it.
    pub fn parse(text: &str) -> Result<Self, EventError> {
        let mut cursor = Cursor::new(text);
        let event = Self::read(&mut cursor)?;
        cursor.end()?;
        Ok(event)
    }

    /// Reads one event where `cursor` stands.
    ///
    /// # Errors
    /// As [`Event::parse`].
    pub fn read(cursor: &mut Cursor<'_>) -> Result<Self, EventError> {
        let mut members = Members::default();
        cursor.object(|cursor, key| members.take(cursor, key))?;
        members.finish()
    }

    /// The canonical JSON: NIP-01's members, no white space, valid for any JSON reader.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = String::with_capacity(self.written_len() + 400);
        out.push_str("{\"id\":\"");
        hex::encode_into(&self.id.0, &mut out);
        out.push_str("\",\"pubkey\":\"");
        hex::encode_into(&self.pubkey.0, &mut out);
        out.push_str("\",\"created_at\":");
        out.push_str(&self.created_at.to_string());
        out.push_str(",\"kind\":");
        out.push_str(&self.kind.0.to_string());
        out.push_str(",\"tags\":");
        self.tags.write(&mut out, json::write_string);
        out.push_str(",\"content\":");
        json::write_string(&self.content, &mut out);
        out.push_str(",\"sig\":\"");
        hex::encode_into(&self.sig, &mut out);
        out.push_str("\"}");
        out
    }

    /// Bytes that tags and content take as JSON where nothing in them needs an escape.
    const fn written_len(&self) -> usize {
        let Tags { text, value_ends, heads } = &self.tags;
        text.len() + 3 * value_ends.len() + 3 * heads.len() + self.content.len()
    }

    /// The text whose SHA-256 is the id: `[0,pubkey,created_at,kind,tags,content]` (NIP-01).
    #[must_use]
    pub fn serialised_for_id(&self) -> String {
        let mut out = String::with_capacity(self.written_len() + 200);
        out.push_str("[0,\"");
        hex::encode_into(&self.pubkey.0, &mut out);
        out.push_str("\",");
        out.push_str(&self.created_at.to_string());
        out.push(',');
        out.push_str(&self.kind.0.to_string());
        out.push(',');
        self.tags.write(&mut out, json::write_for_id);
        out.push(',');
        json::write_for_id(&self.content, &mut out);
        out.push(']');
        out
    }

    /// When the event expires (NIP-40): the first `expiration` tag that is a whole number.
    #[must_use]
    pub fn expiration(&self) -> Option<Timestamp> {
        // Digits alone: Rust would take a plus as well.
        let digits = |text: &&str| text.bytes().all(|byte| byte.is_ascii_digit());
        self.tags.named("expiration").find_map(|tag| tag.value().filter(digits)?.parse().ok())
    }

    /// Whether only its author may publish it (NIP-70: a tag `-`).
    #[must_use]
    pub fn is_protected(&self) -> bool {
        self.tags.named("-").next().is_some()
    }
}

/// Whether text, such as a repost's content, carries an event with a tag `-` (NIP-70), be it
/// unsigned or otherwise incomplete.
#[must_use]
pub fn embeds_protected(text: &str) -> bool {
    let mut protected = false;
    let mut tag = |cursor: &mut Cursor<'_>| {
        let mut at = 0;
        cursor.list(|cursor| {
            let item = cursor.skip()?;
            protected |= at == 0 && Cursor::new(item).string().is_ok_and(|name| name == "-");
            at += 1;
            Ok::<_, JsonError>(())
        })
    };
    // Text that ends in nonsense may be read as an event by someone up to there.
    let _: Result<(), JsonError> = Cursor::new(text).object(|cursor, key| match key {
        "tags" => cursor.list(&mut tag),
        _ => cursor.skip().map(drop),
    });
    protected
}

#[derive(Default)]
struct Members {
    id: Option<EventId>,
    pubkey: Option<PublicKey>,
    created_at: Option<Timestamp>,
    kind: Option<Kind>,
    tags: Option<Tags>,
    content: Option<String>,
    sig: Option<[u8; 64]>,
}

/// Fills a member once; a second time is an error.
fn once<T>(member: &mut Option<T>, value: T) -> Result<(), EventError> {
    if member.replace(value).is_some() { Err(JsonError::RepeatedKey.into()) } else { Ok(()) }
}

impl Members {
    fn take(&mut self, cursor: &mut Cursor<'_>, key: &str) -> Result<(), EventError> {
        match key {
            "id" => once(&mut self.id, EventId(hex_member(cursor, "id")?)),
            "pubkey" => once(&mut self.pubkey, PublicKey(hex_member(cursor, "pubkey")?)),
            "sig" => once(&mut self.sig, hex_member(cursor, "sig")?),
            "created_at" => {
                let time = cursor.unsigned().map_err(|_| EventError::TimeRange)?;
                let in_range = i64::try_from(time).is_ok();
                once(
                    &mut self.created_at,
                    if in_range { time } else { return Err(EventError::TimeRange) },
                )
            }
            "kind" => {
                let kind = cursor.unsigned().ok().and_then(|kind| u16::try_from(kind).ok());
                once(&mut self.kind, Kind(kind.ok_or(EventError::KindRange)?))
            }
            "tags" => once(&mut self.tags, Tags::read(cursor)?),
            "content" => once(&mut self.content, cursor.string()?.into_owned()),
            _ => cursor.skip().map(|_| ()).map_err(EventError::from),
        }
    }

    fn finish(self) -> Result<Event, EventError> {
        Ok(Event {
            id: self.id.ok_or(EventError::Missing("id"))?,
            pubkey: self.pubkey.ok_or(EventError::Missing("pubkey"))?,
            created_at: self.created_at.ok_or(EventError::Missing("created_at"))?,
            kind: self.kind.ok_or(EventError::Missing("kind"))?,
            tags: self.tags.ok_or(EventError::Missing("tags"))?,
            content: self.content.ok_or(EventError::Missing("content"))?,
            sig: self.sig.ok_or(EventError::Missing("sig"))?,
        })
    }
}

fn hex_member<const N: usize>(
    cursor: &mut Cursor<'_>,
    name: &'static str,
) -> Result<[u8; N], EventError> {
    hex::decode(&cursor.string()?).map_err(|_| EventError::NotHex(name, N * 2))
}

/// The tags of an event: all their values in one text, with where each value and each tag ends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags {
    text: String,
    /// Where in `text` each value ends.
    value_ends: Vec<u32>,
    heads: Vec<Head>,
}

/// Where a tag ends, and its name in brief: an event is asked for twenty names, and so a tag of
/// another name costs one comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head {
    /// Where in `value_ends` the tag ends.
    end: u32,
    name: u32,
}

/// Length and first letters of a name.
fn brief(name: &str) -> u32 {
    let mut letters = name.bytes();
    let mut letter = || letters.next().unwrap_or(0);
    let length = u8::try_from(name.len()).unwrap_or(u8::MAX);
    u32::from_le_bytes([length, letter(), letter(), letter()])
}

/// The tags of one name; see [`Tags::named`].
#[derive(Clone)]
pub struct Named<'a> {
    tags: &'a Tags,
    name: &'a str,
    brief: u32,
    at: usize,
    end: usize,
}

impl Named<'_> {
    /// None of them.
    pub(crate) const fn none(self) -> Self {
        Self { end: 0, ..self }
    }

    /// Those among some places only.
    pub(crate) const fn within(self, places: Range<usize>) -> Self {
        Self { at: places.start, end: places.end, ..self }
    }
}

impl<'a> Iterator for Named<'a> {
    type Item = Tag<'a>;

    #[inline]
    fn next(&mut self) -> Option<Tag<'a>> {
        loop {
            let at = self.at;
            if at >= self.end {
                return None;
            }
            let head = self.tags.heads.get(at)?;
            self.at = at.saturating_add(1);
            // A name of up to three letters is all in its brief.
            if head.name == self.brief
                && (self.name.len() <= 3 || self.tags.at(at).name() == self.name)
            {
                return Some(self.tags.at(at));
            }
        }
    }
}

/// The bit of a name, of which two names may share one.
const fn bit(name: u32) -> u64 {
    1 << (name.wrapping_mul(0x9e37_79b1) >> 26)
}

/// Names of which a tag may be there. Most names that an event is asked for are not, and most of
/// those cost no look at its tags.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names(u64);

impl Names {
    /// Whether a tag of this name may be there.
    pub(crate) fn may_have(self, name: &str) -> bool {
        self.0 & bit(brief(name)) != 0
    }
}

/// One tag: a name and values, all text.
#[derive(Clone, Copy)]
pub struct Tag<'a> {
    tags: &'a Tags,
    first: usize,
    end: usize,
}

impl Tags {
    /// Adds one tag at the end.
    pub fn push<T: AsRef<str>>(&mut self, values: impl IntoIterator<Item = T>) {
        for value in values {
            self.push_value(value.as_ref());
        }
        self.end_tag();
    }

    fn push_value(&mut self, value: &str) {
        self.text.push_str(value);
        self.value_ends.push(offset(self.text.len()));
    }

    fn end_tag(&mut self) {
        let first = self.end_of(self.heads.len());
        let end = offset(self.value_ends.len());
        let tag = Tag { tags: self, first, end: self.value_ends.len() };
        let name = brief(tag.name());
        self.heads.push(Head { end, name });
    }

    /// Where in `value_ends` the first so many tags end.
    fn end_of(&self, tags: usize) -> usize {
        let last = tags.checked_sub(1).and_then(|last| self.heads.get(last));
        last.and_then(|head| usize::try_from(head.end).ok()).unwrap_or(0)
    }

    fn at(&self, at: usize) -> Tag<'_> {
        Tag { tags: self, first: self.end_of(at), end: self.end_of(at.saturating_add(1)) }
    }

    fn read(cursor: &mut Cursor<'_>) -> Result<Self, JsonError> {
        let mut tags = Self::default();
        cursor.list(|cursor| {
            cursor.list(|cursor| {
                tags.push_value(&cursor.string()?);
                Ok::<_, JsonError>(())
            })?;
            tags.end_tag();
            Ok::<_, JsonError>(())
        })?;
        Ok(tags)
    }

    /// Number of tags.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.heads.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// Every tag, in order.
    pub fn iter(&self) -> impl Iterator<Item = Tag<'_>> {
        (0..self.len()).map(|at| self.at(at))
    }

    /// Every tag of this name, in order.
    pub fn named<'a>(&'a self, name: &'a str) -> Named<'a> {
        Named { tags: self, name, brief: brief(name), at: 0, end: self.len() }
    }

    /// Which names are worth asking for.
    pub(crate) fn names(&self) -> Names {
        Names(self.heads.iter().fold(0, |names, head| names | bit(head.name)))
    }

    /// What a relay indexes (NIP-01): the letter and first value of every single-letter tag.
    pub fn indexed(&self) -> impl Iterator<Item = (u8, &str)> {
        self.iter().filter_map(|tag| match tag.name().as_bytes() {
            [letter] if letter.is_ascii_alphabetic() => Some((*letter, tag.value()?)),
            _ => None,
        })
    }

    fn write(&self, out: &mut String, string: impl Fn(&str, &mut String)) {
        out.push('[');
        for (at, tag) in self.iter().enumerate() {
            out.push_str(if at == 0 { "[" } else { ",[" });
            for (at, value) in tag.values().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                string(value, out);
            }
            out.push(']');
        }
        out.push(']');
    }
}

impl<T: AsRef<str>, V: IntoIterator<Item = T>> FromIterator<V> for Tags {
    fn from_iter<I: IntoIterator<Item = V>>(all: I) -> Self {
        let mut tags = Self::default();
        all.into_iter().for_each(|values| tags.push(values));
        tags
    }
}

/// Offsets fit in 32 bits because messages are limited long before (see [`crate::limits`]).
fn offset(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn end_of(ends: &[u32], at: usize) -> usize {
    ends.get(at).and_then(|end| usize::try_from(*end).ok()).unwrap_or(0)
}

impl<'a> Tag<'a> {
    /// The value at `at`; 0 is the name.
    #[must_use]
    pub fn get(self, at: usize) -> Option<&'a str> {
        let place = self.first.checked_add(at).filter(|place| *place < self.end)?;
        let start = place.checked_sub(1).map_or(0, |before| end_of(&self.tags.value_ends, before));
        self.tags.text.get(start..end_of(&self.tags.value_ends, place))
    }

    /// The name, empty for an empty tag.
    #[must_use]
    pub fn name(self) -> &'a str {
        self.get(0).unwrap_or("")
    }

    /// The first value after the name.
    #[must_use]
    pub fn value(self) -> Option<&'a str> {
        self.get(1)
    }

    /// All values, the name first.
    pub fn values(self) -> impl Iterator<Item = &'a str> {
        (0..self.end - self.first).filter_map(move |at| self.get(at))
    }
}

impl std::fmt::Debug for Tag<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.values()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(tags: &str, content: &str) -> String {
        let (id, key, sig) = ("ab".repeat(32), "cd".repeat(32), "ef".repeat(64));
        format!(
            r#"{{"id":"{id}","pubkey":"{key}","created_at":1700000000,"kind":1,"tags":{tags},"content":"{content}","sig":"{sig}"}}"#
        )
    }

    #[test]
    fn canonical_json_is_read_and_written_alike() {
        let text = sample(r#"[["e","x","","root"],[],["t","é\n"]]"#, r"a\\b\u0001");
        assert_eq!(Event::parse(&text).unwrap().to_json(), text);
    }

    #[test]
    fn any_spelling_gives_the_same_event() {
        let plain = Event::parse(&sample(r#"[["t","é"]]"#, "/")).unwrap();
        let odd = sample(r#" [ [ "t" , "\u00e9" ] ] "#, r"\/")
            .replace("\"kind\":1", "\"x\":[{}],\"kind\": 1");
        assert_eq!(Event::parse(&odd).unwrap(), plain);
    }

    #[test]
    fn tags_are_found_by_name_and_letter() {
        let event = Event::parse(&sample(
            r#"[["e","1","","prev"],["emoji","x"],["p"],["-"],["p","2"]]"#,
            "",
        ))
        .unwrap();
        assert_eq!(event.tags.named("e").next().unwrap().get(3), Some("prev"));
        assert_eq!(event.tags.named("e").next().unwrap().get(4), None);
        let odd = Event::parse(&sample(r#"[[],["","a"],["e"],[],["ee","e"],["e","2"]]"#, ""));
        let odd = odd.unwrap().tags;
        for name in ["", "e", "ee", "a", "ef"] {
            assert!(odd.names().may_have(name) || odd.named(name).next().is_none(), "{name}");
            let slowly = odd.iter().filter(|tag| tag.name() == name);
            let values = |tag: Tag<'_>| tag.values().map(str::to_owned).collect::<Vec<_>>();
            assert!(odd.named(name).map(values).eq(slowly.map(values)), "{name}");
        }
        assert_eq!(event.tags.indexed().collect::<Vec<_>>(), [(b'e', "1"), (b'p', "2")]);
        assert!(event.is_protected());
    }

    #[test]
    fn an_embedded_event_is_found_to_be_protected_however_it_is_written() {
        let whole = sample(r#"[["t","x"],["-"]]"#, "");
        for yes in [
            &*whole,
            &whole[..whole.len() - 10],
            r#" { "content" : {"a":[]}, "tags" : [ [ "\u002d", 1 ] ] } "#,
            r#"{"tags":[[],[["-"]],["-","x"]]}"#,
        ] {
            assert!(embeds_protected(yes), "{yes}");
        }
        let open = sample(r#"[["t","-"],["p","-"]]"#, "");
        for no in [&*open, "", "-", r#"{"tags":["-"]}"#, r#"{"tag":[["-"]]}"#, r#"["-"]"#] {
            assert!(!embeds_protected(no), "{no}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let good = sample("[]", "");
        let says = |text: &str| Event::parse(text).unwrap_err().to_string();
        let cases = [
            (good.replace("\"kind\":1", "\"kind\":65536"), "kind must be"),
            (good.replace("1700000000", "-1"), "created_at must be"),
            (good.replace("1700000000", "1.5"), "created_at must be"),
            (good.replace("abab", "ABAB"), "id must be 64"),
            (good.replace("\"kind\":1", "\"kind\":1,\"kind\":1"), "repeated"),
            (good.replace(",\"content\":\"\"", ""), "no content"),
            (format!("{good} x"), "text follows"),
            (good.replace("\"tags\":[]", "\"tags\":[[1]]"), "expected a string"),
        ];
        for (text, expected) in cases {
            assert!(says(&text).contains(expected), "{} should say {expected}", says(&text));
        }
    }
}
