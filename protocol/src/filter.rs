//! What a subscriber asks for (NIP-01), and the one `matches` that everybody uses.
//!
//! A filter that cannot be honoured never widens: an unknown key or a tag name of several letters
//! is an error the relay answers with CLOSED, a kind no event can have is simply never matched, and
//! a list that is present but empty matches nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::hex::{EventId, PublicKey};
use crate::hyperloglog::Offset;
use crate::json::{self, Cursor, JsonError};
use crate::limits::Limits;
use crate::rejection::{Prefix, Rejection};
use crate::search::{Search, Words};
use crate::{Event, Kind, Timestamp};

/// One filter: all its conditions must hold; in each list, any value may.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Ids, exact.
    pub ids: Option<BTreeSet<EventId>>,
    /// Authors, exact.
    pub authors: Option<BTreeSet<PublicKey>>,
    /// Kinds.
    pub kinds: Option<BTreeSet<Kind>>,
    /// Values by tag letter.
    pub tags: Vec<(u8, BTreeSet<String>)>,
    /// Where the first value of the first tag attribute, in the order of the text, has HyperLogLog
    /// look (NIP-45). Nothing for a filter that names none.
    pub offset: Option<Offset>,
    /// Earliest `created_at`, inclusive.
    pub since: Option<Timestamp>,
    /// Latest `created_at`, inclusive.
    pub until: Option<Timestamp>,
    /// Events wanted at most from what is stored; ignored for live events.
    pub limit: Option<usize>,
    /// Words that the text must hold (NIP-50).
    pub search: Option<Search>,
    /// Set where the text named a bound that no event can meet, such as a negative `until`.
    pub impossible: bool,
}

impl From<JsonError> for Rejection {
    fn from(error: JsonError) -> Self {
        Self::invalid(error.to_string())
    }
}

impl Filter {
    /// Reads one filter.
    ///
    /// # Errors
    /// A [`Rejection`] for the CLOSED answer: `invalid:` or `unsupported:`.
    pub fn parse(text: &str) -> Result<Self, Rejection> {
        let mut cursor = Cursor::new(text);
        let filter = Self::read(&mut cursor)?;
        cursor.end()?;
        Ok(filter)
    }

    /// Reads one filter where `cursor` stands.
    ///
    /// # Errors
    /// As [`Filter::parse`].
    pub fn read(cursor: &mut Cursor<'_>) -> Result<Self, Rejection> {
        let mut filter = Self::default();
        let mut seen = BTreeSet::new();
        cursor.object(|cursor, key| {
            if !seen.insert(key.to_owned()) {
                return Err(JsonError::RepeatedKey.into());
            }
            filter.member(cursor, key)
        })?;
        Ok(filter)
    }

    fn member(&mut self, cursor: &mut Cursor<'_>, key: &str) -> Result<(), Rejection> {
        match key {
            "ids" => self.ids = Some(hex_list(cursor, "ids")?),
            "authors" => self.authors = Some(hex_list(cursor, "authors")?),
            "kinds" => self.kinds = Some(kinds(cursor)?),
            "since" => self.since = bound(cursor)?.or(Some(0)),
            "until" => match bound(cursor)? {
                Some(until) => self.until = Some(until),
                None => self.impossible = true,
            },
            "search" => self.search = Some(Search::parse(&cursor.string()?)?),
            "limit" => {
                let limit = cursor.unsigned().map_err(|_| wrong("limit must be a whole number"))?;
                self.limit = Some(usize::try_from(limit).unwrap_or(usize::MAX));
            }
            _ => match key.as_bytes() {
                [b'#', letter] if letter.is_ascii_alphabetic() => {
                    let (first, values) = text_list(cursor)?;
                    if self.tags.is_empty() {
                        self.offset = first;
                    }
                    self.tags.push((*letter, values));
                }
                _ => {
                    let sentence =
                        "filter contains unknown elements; this relay would have to ignore them";
                    return Err(Rejection::new(Prefix::Unsupported, sentence));
                }
            },
        }
        Ok(())
    }

    /// How many values all its lists hold together.
    #[must_use]
    pub fn values(&self) -> usize {
        let tags: usize = self.tags.iter().map(|(_, values)| values.len()).sum();
        let ids = self.ids.as_ref().map_or(0, BTreeSet::len);
        let authors = self.authors.as_ref().map_or(0, BTreeSet::len);
        ids + authors + self.kinds.as_ref().map_or(0, BTreeSet::len) + tags
    }

    /// Events wanted at most, by its own word and the relay's.
    #[must_use]
    pub fn limit_within(&self, limits: &Limits) -> usize {
        self.limit.unwrap_or(limits.default_limit).min(limits.max_limit)
    }

    /// Whether it can match nothing but what is shown to some people only: private events, and
    /// invitations, which are made for whoever may invite.
    #[must_use]
    pub fn asks_privately(&self) -> bool {
        let only_private = |kinds: &BTreeSet<Kind>| {
            kinds.iter().all(|kind| kind.is_private() || *kind == crate::kind::INVITATION)
        };
        self.kinds.as_ref().is_some_and(|kinds| !kinds.is_empty() && only_private(kinds))
    }

    /// Whether it names kinds that only some people are shown, beside others or not.
    #[must_use]
    pub fn names_private(&self) -> bool {
        self.kinds.as_ref().is_some_and(|kinds| kinds.iter().any(|kind| kind.is_private()))
    }

    /// Whether no event at all can match.
    #[must_use]
    pub fn matches_nothing(&self) -> bool {
        let empty_window =
            matches!((self.since, self.until), (Some(since), Some(until)) if since > until);
        self.impossible
            || empty_window
            || self.ids.as_ref().is_some_and(BTreeSet::is_empty)
            || self.authors.as_ref().is_some_and(BTreeSet::is_empty)
            || self.kinds.as_ref().is_some_and(BTreeSet::is_empty)
            || self.tags.iter().any(|(_, values)| values.is_empty())
            || self.search.as_ref().is_some_and(|search| search.words().is_empty())
    }

    /// Whether `event` matches, expiry and visibility aside.
    #[must_use]
    pub fn matches(&self, event: &Event) -> bool {
        self.matches_with(event, &Words::of(event))
    }

    /// As [`Filter::matches`], for whoever asks many filters about one event: its words are read
    /// once.
    #[must_use]
    pub fn matches_with(&self, event: &Event, words: &Words<'_>) -> bool {
        !self.impossible
            && self.since.is_none_or(|since| event.created_at >= since)
            && self.until.is_none_or(|until| event.created_at <= until)
            && self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&event.kind))
            && self.ids.as_ref().is_none_or(|ids| ids.contains(&event.id))
            && self.authors.as_ref().is_none_or(|authors| authors.contains(&event.pubkey))
            && self.tags_match(event)
            && self.search.as_ref().is_none_or(|search| search.matches(words))
    }

    /// Whether for every letter asked for, the event has a tag with one of the values.
    #[must_use]
    pub fn tags_match(&self, event: &Event) -> bool {
        self.tags.iter().all(|(letter, values)| {
            event.tags.indexed().any(|(name, value)| name == *letter && values.contains(value))
        })
    }

    /// The filter as JSON, as a client would send it.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut members = BTreeMap::new();
        let quoted = |value: &str| {
            let mut out = String::new();
            json::write_string(value, &mut out);
            out
        };
        let list = |values: Vec<String>| format!("[{}]", values.join(","));
        if let Some(ids) = &self.ids {
            members.insert(
                "ids".to_owned(),
                list(ids.iter().map(|id| quoted(&id.to_string())).collect()),
            );
        }
        if let Some(authors) = &self.authors {
            members.insert(
                "authors".into(),
                list(authors.iter().map(|key| quoted(&key.to_string())).collect()),
            );
        }
        if let Some(kinds) = &self.kinds {
            members.insert(
                "kinds".into(),
                list(kinds.iter().map(|kind| kind.0.to_string()).collect()),
            );
        }
        for (letter, values) in &self.tags {
            members.insert(
                format!("#{}", char::from(*letter)),
                list(values.iter().map(|v| quoted(v)).collect()),
            );
        }
        let number = |name: &str, value: Option<u64>| {
            value.map(|value| (name.to_owned(), value.to_string()))
        };
        let limit = self.limit.and_then(|limit| u64::try_from(limit).ok());
        members.extend(number("since", self.since));
        members.extend(number("until", self.until));
        members.extend(number("limit", limit));
        members.extend(
            self.search.as_ref().map(|search| ("search".to_owned(), quoted(search.text()))),
        );
        let fields: Vec<_> =
            members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", fields.join(","))
    }
}

fn wrong(sentence: &'static str) -> Rejection {
    Rejection::invalid(sentence)
}

fn hex_list<T: std::str::FromStr + Ord>(
    cursor: &mut Cursor<'_>,
    name: &str,
) -> Result<BTreeSet<T>, Rejection> {
    let mut values = BTreeSet::new();
    cursor.list(|cursor| {
        let value = cursor.string()?.parse();
        values.insert(value.map_err(|_| {
            Rejection::invalid(format!("{name} must be a list of 64 lowercase hex digits each"))
        })?);
        Ok::<_, Rejection>(())
    })?;
    Ok(values)
}

/// The values, and the place that the first of them gives.
fn text_list(cursor: &mut Cursor<'_>) -> Result<(Option<Offset>, BTreeSet<String>), Rejection> {
    let mut first = None;
    let mut values = BTreeSet::new();
    cursor.list(|cursor| {
        let value = cursor.string()?.into_owned();
        first.get_or_insert_with(|| Offset::of(&value));
        values.insert(value);
        Ok::<_, Rejection>(())
    })?;
    Ok((first, values))
}

/// Kinds no event can have are left out; if only such are named, the list is empty.
fn kinds(cursor: &mut Cursor<'_>) -> Result<BTreeSet<Kind>, Rejection> {
    let mut kinds = BTreeSet::new();
    cursor.list(|cursor| {
        let kind = cursor.unsigned().map_err(|_| wrong("kinds must be a list of whole numbers"))?;
        kinds.extend(u16::try_from(kind).ok().map(Kind));
        Ok::<_, Rejection>(())
    })?;
    Ok(kinds)
}

/// A whole number of seconds; nothing for a negative one.
fn bound(cursor: &mut Cursor<'_>) -> Result<Option<Timestamp>, Rejection> {
    let text = cursor.number()?;
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong("since and until must be whole unix seconds"));
    }
    // A number beyond u64 is later than every event.
    let value = digits.parse().unwrap_or(u64::MAX);
    Ok((!text.starts_with('-') || value == 0).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Draft, Keys, VerifiedEvent, kind};

    fn event() -> VerifiedEvent {
        let keys = Keys::from_secret([1; 32]).unwrap();
        Draft::new(kind::NOTE).tag(["t", "ayni"]).tag(["t", "x"]).sign(&keys, 1_000, [0; 32])
    }

    fn matches(text: &str) -> bool {
        let key = event().pubkey.to_string();
        Filter::parse(&text.replace("KEY", &key)).unwrap().matches(&event())
    }

    #[test]
    fn all_conditions_must_hold_and_any_value_may() {
        assert!(matches("{}"));
        assert!(matches(
            r##"{"authors":["KEY"],"kinds":[0,1],"#t":["no","ayni"],"since":1000,"until":1000}"##
        ));
        assert!(matches(r#"{"since":-5}"#));
        for no in [
            r#"{"kinds":[2]}"#,
            r#"{"since":1001}"#,
            r#"{"until":999}"#,
            r##"{"#t":["AYNI"]}"##,
            r#"{"ids":[]}"#,
            r#"{"authors":[]}"#,
            r##"{"#e":[]}"##,
            r#"{"kinds":[99999]}"#,
            r#"{"until":-1}"#,
            r##"{"#t":["ayni"],"#p":["ayni"]}"##,
        ] {
            assert!(!matches(no), "{no}");
        }
    }

    #[test]
    fn what_cannot_be_honoured_is_refused_and_never_widened() {
        let says = |text: &str| Filter::parse(text).unwrap_err().to_string();
        assert!(says(r##"{"#emoji":["x"]}"##).starts_with("unsupported: "));
        assert!(says(r#"{"look":"x"}"#).starts_with("unsupported: "));
        assert!(says(r#"{"search":["x"]}"#).starts_with("invalid: "));
        assert!(says(r#"{"ids":["AB"]}"#).starts_with("invalid: ids"));
        assert!(says(r#"{"limit":-1}"#).starts_with("invalid: limit"));
        assert!(says(r#"{"since":1.5}"#).starts_with("invalid: since"));
        assert!(says(r#"{"kinds":["1"]}"#).starts_with("invalid: kinds"));
        assert!(says(r#"{"limit":1,"limit":2}"#).contains("repeated"));
    }

    #[test]
    fn only_what_can_match_nothing_else_asks_privately() {
        let asks = |text: &str| Filter::parse(text).unwrap().asks_privately();
        assert!(asks(r#"{"kinds":[28935]}"#));
        assert!(asks(r#"{"kinds":[4]}"#) && asks(r##"{"kinds":[4,1059,21059],"#p":["x"]}"##));
        for no in [r#"{"kinds":[1,4]}"#, r#"{"kinds":[]}"#, "{}", r#"{"ids":[]}"#] {
            assert!(!asks(no), "{no}");
        }
    }

    #[test]
    fn a_search_narrows_and_one_without_words_matches_nothing() {
        let event = crate::Draft::new(crate::kind::NOTE).content("Pan de maíz").sign(
            &crate::Keys::from_secret([1; 32]).unwrap(),
            1,
            [0; 32],
        );
        let matches = |text: &str| Filter::parse(text).unwrap().matches(&event);
        assert!(matches(r#"{"search":"MAIZ pan","kinds":[1]}"#));
        assert!(!matches(r#"{"search":"maiz","kinds":[7]}"#));
        assert!(!matches(r#"{"search":"trigo"}"#));
        for nothing in [r#"{"search":""}"#, r#"{"search":"language:es"}"#] {
            assert!(!matches(nothing) && Filter::parse(nothing).unwrap().matches_nothing());
        }
    }

    #[test]
    fn the_first_value_of_the_first_tag_counts_in_the_order_of_the_text() {
        let offset = |text: &str| Filter::parse(text).unwrap().offset;
        let of = |value| Some(Offset::of(value));
        let distinct: BTreeSet<_> = ["a", "b", "c"].map(|v| format!("{:?}", of(v))).into();
        assert_eq!(distinct.len(), 3, "values that can be told apart");
        assert_eq!(offset(r##"{"#t":["b","a"],"#e":["c"]}"##), of("b"));
        assert_eq!(offset(r##"{"#t":["a","b"],"#e":["c"]}"##), of("a"));
        assert_eq!(offset(r##"{"kinds":[7],"#e":["c"],"#t":["a"]}"##), of("c"));
        assert_eq!(offset(r##"{"#e":[],"#t":["a"]}"##), None);
        assert_eq!(offset(r#"{"kinds":[7]}"#), None);
    }

    #[test]
    fn a_filter_is_read_as_it_is_written() {
        let text = format!(
            r##"{{"#t":["a","b"],"ids":["{}"],"kinds":[1,7],"limit":5,"search":"a \"b\"","since":3}}"##,
            "ab".repeat(32)
        );
        assert_eq!(Filter::parse(&text).unwrap().to_json(), text);
    }
}
