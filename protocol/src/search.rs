//! Words in events, and a search for them (NIP-50): what is asked, and the one normalisation.
//!
//! Letters are compared without case and without marks, so that `pinon` finds `Piñón` and `nukanchik`
//! finds `ñukanchik`. The same words decide what the index holds and which live events match, so a
//! subscription goes on where its stored answers ended.
//!
//! Deliberately absent: order by relevance, which is the index's; stems and synonyms, which differ
//! from language to language; extensions (`key:value`), which are passed over as the NIP allows.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use crate::rejection::Rejection;
use crate::{Event, Kind, Tag, kind};

/// Bytes of a search.
const TEXT_BYTES_MAX: usize = 512;
/// Words of a search; each costs a look at the index.
const WORDS_MAX: usize = 16;
/// Bytes of an event's text that are searched, so that one event cannot hold up a live one.
const EVENT_BYTES_MAX: usize = 32_768;

/// Kinds whose text is meant to be read by anyone: profiles, notes, threads and comments,
/// highlights, articles and wikis, channels, files, calendars, communities, listings and causes,
/// and what a community here puts to the vote or raffles. No other kind is ever searched, least of
/// all what is private.
pub const KINDS: &[Kind] = &[
    kind::PROFILE,
    kind::NOTE,
    Kind(11),
    Kind(40),
    Kind(41),
    Kind(42),
    Kind(1063),
    Kind(1068),
    Kind(1111),
    kind::CHARTER,
    kind::PROPOSAL,
    kind::RAFFLE,
    Kind(9802),
    Kind(30_023),
    kind::LISTING,
    Kind(30_403),
    Kind(30_818),
    Kind(31_922),
    Kind(31_923),
    kind::CAUSE,
    Kind(34_550),
    kind::CURRENCY,
];

/// Kinds whose content is a JSON object with names and descriptions in it.
const JSON_KINDS: &[Kind] = &[kind::PROFILE, Kind(40), Kind(41)];
/// Members of such an object that name something.
const NAME_MEMBERS: &[&str] = &["name", "display_name", "displayName", "nip05"];
/// Tags that name or place something.
const NAME_TAGS: &[&str] =
    &["title", "subject", "name", "summary", "description", "location", "alt", "t", "d"];

/// A search, read: every word must be in the event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    text: String,
    words: BTreeSet<String>,
}

/// The words of one event, looked for when they are first asked about and at most once, however
/// many filters ask.
#[derive(Debug)]
pub struct Words<'a> {
    event: &'a Event,
    all: OnceCell<BTreeSet<String>>,
}

/// What of an event is searched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text {
    /// Names, titles, places: what weighs more.
    pub names: String,
    /// All else.
    pub body: String,
}

impl Search {
    /// Reads the value of a filter's `search`.
    ///
    /// # Errors
    /// `invalid:` where it is too long.
    pub fn parse(text: &str) -> Result<Self, Rejection> {
        let plain = text.split_whitespace().filter(|token| !is_extension(token));
        let mut found = BTreeSet::new();
        plain.for_each(|token| found.extend(words(token)));
        if text.len() > TEXT_BYTES_MAX || found.len() > WORDS_MAX {
            let sentence =
                format!("a search has at most {WORDS_MAX} words and {TEXT_BYTES_MAX} bytes");
            return Err(Rejection::invalid(sentence));
        }
        Ok(Self { text: text.to_owned(), words: found })
    }

    /// The search as it was asked.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its words, normalised; none where it says nothing, and then it matches nothing.
    #[must_use]
    pub const fn words(&self) -> &BTreeSet<String> {
        &self.words
    }

    /// Whether an event has all the words.
    #[must_use]
    pub fn matches(&self, words: &Words<'_>) -> bool {
        !self.words.is_empty() && self.words.is_subset(words.all())
    }
}

impl<'a> Words<'a> {
    /// The words of this event.
    #[must_use]
    pub const fn of(event: &'a Event) -> Self {
        Self { event, all: OnceCell::new() }
    }

    fn all(&self) -> &BTreeSet<String> {
        self.all.get_or_init(|| {
            let text = Text::of(self.event).unwrap_or_default();
            words(&text.names).chain(words(&text.body)).collect()
        })
    }
}

/// `language:en`, but not `https://…` and not a smiley.
fn is_extension(token: &str) -> bool {
    token.split_once(':').is_some_and(|(key, value)| {
        let is_key = !key.is_empty() && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        is_key && !value.is_empty() && !value.starts_with("//")
    })
}

/// The words of a text: runs of letters and digits, in lower case and without marks.
pub fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric() && !is_combining_mark(c))
        .map(plain)
        .filter(|word| !word.is_empty())
}

fn plain(word: &str) -> String {
    if word.is_ascii() {
        return word.to_ascii_lowercase();
    }
    let bare = word.nfkd().filter(|c| !is_combining_mark(*c));
    // What folding adds, such as the dot of a Turkish I, is a mark too.
    let lower = bare.flat_map(char::to_lowercase).nfkd().filter(|c| !is_combining_mark(*c));
    lower.filter(|c| c.is_alphanumeric()).collect()
}

impl Text {
    /// What of this event is searched; nothing for a kind that is not.
    #[must_use]
    pub fn of(event: &Event) -> Option<Self> {
        if !KINDS.contains(&event.kind) {
            return None;
        }
        let mut text = Self::default();
        for tag in event.tags.iter().filter(|tag| NAME_TAGS.contains(&tag.name())) {
            push(&mut text.names, tag.value().unwrap_or_default());
        }
        if JSON_KINDS.contains(&event.kind) {
            text.members(&event.content);
        } else {
            push(&mut text.body, &event.content);
        }
        let comment = event.tags.named("comment").filter_map(Tag::value);
        comment.for_each(|comment| push(&mut text.body, comment));
        Some(text)
    }

    /// The texts of a JSON object. Where it is none, nobody wrote it to be read.
    fn members(&mut self, content: &str) {
        let mut cursor = crate::json::Cursor::new(content);
        let _: Result<(), crate::json::JsonError> = cursor.object(|cursor, key| {
            let value = cursor.skip()?;
            if let Ok(value) = crate::json::Cursor::new(value).string() {
                let is_name = NAME_MEMBERS.contains(&key);
                if is_name {
                    push(&mut self.names, &value);
                } else if key == "about" {
                    push(&mut self.body, &value);
                }
            }
            Ok(())
        });
    }
}

/// Adds as much of a text as there is room for.
fn push(to: &mut String, text: &str) {
    let room = EVENT_BYTES_MAX.saturating_sub(to.len());
    to.push(' ');
    to.push_str(text.get(..text.floor_char_boundary(room)).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Draft, Keys, VerifiedEvent};

    fn event(kind: u16, content: &str, tags: &[[&str; 2]]) -> VerifiedEvent {
        let draft = tags.iter().fold(Draft::new(Kind(kind)), |draft, tag| draft.tag(*tag));
        draft.content(content).sign(&Keys::from_secret([1; 32]).unwrap(), 1, [0; 32])
    }

    fn finds(search: &str, event: &Event) -> bool {
        Search::parse(search).unwrap().matches(&Words::of(event))
    }

    #[test]
    fn letters_are_compared_without_case_and_marks() {
        let all = |text: &str| words(text).collect::<Vec<_>>();
        assert_eq!(all("¡Piñón, AÑO-2024!"), ["pinon", "ano", "2024"]);
        assert_eq!(all("Ñukanchik Wasi’pi"), ["nukanchik", "wasi", "pi"]);
        assert_eq!(all("e\u{301}te \u{301} ß Ⅷ"), ["ete", "ß", "viii"]);
        assert_eq!(all("İstanbul ΣΊΣΥΦΟΣ 日本"), ["istanbul", "σισυφοσ", "日本"]);
        assert_eq!(all("\" ' -- ; *"), [""; 0]);
    }

    #[test]
    fn every_word_must_be_there() {
        let note = event(1, "Vendo pan casero en Otavalo", &[["t", "trueque"]]);
        for found in ["pan", "PÁN otavalo", "trueque", "pan language:es", "pan \"casero\""] {
            assert!(finds(found, &note), "{found}");
        }
        for not in ["pan leche", "pa", "", "language:es", "\"", "OR pan", "pan*x"] {
            assert!(!finds(not, &note), "{not}");
        }
    }

    #[test]
    fn extensions_are_passed_over_and_addresses_are_not() {
        let read = |text: &str| Search::parse(text).unwrap().words().len();
        assert_eq!(read("pan include:spam domain:x.org"), 1);
        assert_eq!(read("https://x.org"), 3);
        assert_eq!(read("Nota: pan"), 2);
    }

    #[test]
    fn what_is_private_or_not_text_is_never_searched() {
        for kind in [3, 4, 5, 7, 13, 14, 1059, 10_002, 21_059, 30_078] {
            assert!(Text::of(&event(kind, "pan", &[])).is_none(), "{kind}");
        }
        assert!(KINDS.is_sorted(), "so that a reader finds a kind");
    }

    #[test]
    fn names_of_profiles_and_titles_of_listings_are_found() {
        let profile =
            r#"{"name":"María","about":"tejedora","picture":"https://x/pan","n":{"a":1}}"#;
        let profile = event(0, profile, &[]);
        assert!(finds("maria", &profile) && finds("tejedora", &profile));
        assert!(!finds("pan", &profile));
        let listing = event(30_402, "de maíz", &[["title", "Humitas"], ["location", "Cayambe"]]);
        assert!(finds("humitas maiz cayambe", &listing));
        assert!(!finds("x", &event(0, "no json x", &[])));
    }

    #[test]
    fn a_search_is_bounded() {
        assert!(Search::parse(&"a ".repeat(300)).is_err());
        let many: Vec<_> = (0..17).map(|n| n.to_string()).collect();
        assert!(Search::parse(&many.join(" ")).is_err());
        assert!(!finds("end", &event(1, &format!("{} end", "x ".repeat(20_000)), &[])));
    }
}
