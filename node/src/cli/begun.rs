//! Ids as people type them: whole, or as much of the beginning as tells one from the others.

use anyhow::{Context as _, Result, bail};
use ayni_protocol::EventId;
use serde_json::Value;

use crate::keys;

/// Letters of an id that lists show.
const SHOWN: usize = 12;
/// Letters below which a beginning is none.
const LEAST: usize = 4;

/// What can be named by the beginning of its id.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// What they are called, such as `raffle`.
    pub what: &'a str,
    /// The command that lists them.
    pub list: &'a str,
}

impl Named<'_> {
    /// The id that somebody typed; what `known` gives is asked only for a beginning.
    ///
    /// # Errors
    /// Where it begins none of them, or several.
    pub fn id(self, typed: &str, known: impl FnOnce() -> Result<Vec<Value>>) -> Result<EventId> {
        if let Some(id) = keys::event_id(typed) {
            return Ok(id);
        }
        let Self { what, list } = self;
        let beginning = typed.trim_end_matches('…').to_ascii_lowercase();
        let is_long_enough = beginning.len() >= LEAST;
        let known = if is_long_enough { known()? } else { Vec::new() };
        let ids = known.iter().filter_map(|one| one.get("id")?.as_str());
        let mut begun = ids.filter(|id| id.starts_with(&beginning));
        match (begun.next(), begun.next()) {
            (Some(id), None) => Ok(id.parse()?),
            (Some(_), Some(_)) => {
                bail!("more than one {what} begins with {typed}; write more of the id")
            }
            _ if !is_long_enough => {
                bail!("{typed} is no id: write at least its first {LEAST} letters; see `{list}`")
            }
            _ => bail!("no {what} begins with {typed}; see `{list}`"),
        }
    }
}

/// An id of anything, which no list tells from others.
///
/// # Errors
/// Where it is none.
pub fn whole(typed: &str) -> Result<EventId> {
    keys::event_id(typed)
        .with_context(|| format!("{typed} is no id: it has 64 hex digits, or starts with nevent1"))
}

/// The beginning of an id, as lists show it.
#[must_use]
pub fn beginning(id: &str) -> String {
    id.chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const RAFFLE: Named<'_> = Named { what: "raffle", list: "ayni raffle list" };

    fn typed(text: &str) -> Result<EventId> {
        let ids = ["ab".repeat(32), format!("abcd{}", "0".repeat(60)), "5f2c".repeat(16)];
        RAFFLE.id(text, || Ok(ids.iter().map(|id| json!({"id": id})).collect()))
    }

    #[test]
    fn the_beginning_of_an_id_is_enough_where_it_tells_them_apart() {
        for text in ["5f2c", "5F2C5f", "5f2c…", &"5f2c".repeat(16)] {
            assert_eq!(typed(text).unwrap().to_string(), "5f2c".repeat(16), "{text}");
        }
        assert_eq!(typed("abab").unwrap().to_string(), "ab".repeat(32));
        for (text, says) in [
            ("ab", "at least its first 4 letters"),
            ("", "at least its first 4 letters"),
            ("beef", "no raffle begins with beef; see `ayni raffle list`"),
        ] {
            assert!(typed(text).unwrap_err().to_string().contains(says), "{text}");
        }
        let both = RAFFLE.id("abcd", || Ok(vec![json!({"id": "abcd1"}), json!({"id": "abcd2"})]));
        assert!(both.unwrap_err().to_string().contains("more than one raffle begins with abcd"));
    }

    #[test]
    fn a_whole_id_is_asked_of_nobody() {
        let id = "cd".repeat(32);
        let asked = RAFFLE.id(&id, || bail!("the node was asked"));
        assert_eq!(asked.unwrap().to_string(), id);
    }
}
