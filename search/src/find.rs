//! Questions: words and a filter in, ids out, the best first.
//!
//! Of all events that hold the words, the newest that may match are ranked by bm25, so a search for
//! a word that everybody uses costs no more than another, and brings what is recent.

use ayni_protocol::search::Search as Asked;
use ayni_protocol::{EventId, Filter};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use crate::{Fault, Search};

/// Newest matches that are ranked.
const RANKED_MAX: usize = 10_000;
/// What a name, title or place weighs beside the rest.
const NAMES_WEIGHT: &str = "4.0";

/// What a search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The event. Whether it still lives, the store knows.
    pub id: EventId,
    /// Its place in the journal.
    pub position: u64,
}

impl Search {
    /// Hands out what holds all words of the filter's search, and meets its lists of ids, authors
    /// and kinds and its times, the best first, until `each` wants no more. The filter's tags are
    /// the caller's to ask. Without a search, or words in it, nothing is found. Tells whether older
    /// matches were left out, because there are more than are ranked.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn find(
        &self,
        filter: &Filter,
        each: &mut dyn FnMut(Found) -> bool,
    ) -> Result<bool, Fault> {
        let Some(phrases) = filter.search.as_ref().and_then(phrases) else { return Ok(false) };
        if filter.matches_nothing() {
            return Ok(false);
        }
        self.read(|connection| ranked(connection, filter, &phrases, each))
    }
}

fn ranked(
    connection: &Connection,
    filter: &Filter,
    phrases: &str,
    each: &mut dyn FnMut(Found) -> bool,
) -> Result<bool, rusqlite::Error> {
    let (conditions, values) = conditions(filter);
    let values = || std::iter::once(Value::from(phrases.to_owned())).chain(values.iter().cloned());
    let oldest = format!(
        "SELECT position FROM words CROSS JOIN events ON position = words.rowid
         WHERE words MATCH ?{conditions}
         ORDER BY words.rowid DESC LIMIT 2 OFFSET {}",
        RANKED_MAX - 1
    );
    let mut statement = connection.prepare_cached(&oldest)?;
    let oldest = statement.query_map(params_from_iter(values()), |row| row.get::<_, i64>(0))?;
    let oldest: Vec<_> = oldest.collect::<Result<_, _>>()?;
    let cut = oldest.len() > 1;
    let oldest = oldest.first().copied().unwrap_or(0);
    let best = format!(
        "SELECT id, position FROM words CROSS JOIN events ON position = words.rowid
         WHERE words MATCH ?{conditions} AND words.rowid >= {oldest}
         ORDER BY bm25(words, {NAMES_WEIGHT}, 1.0), words.rowid DESC"
    );
    let mut statement = connection.prepare_cached(&best)?;
    let mut rows = statement.query(params_from_iter(values()))?;
    while let Some(row) = rows.next()? {
        let position: i64 = row.get(1)?;
        let found = Found { id: EventId(row.get(0)?), position: position.cast_unsigned() };
        if !each(found) {
            break;
        }
    }
    Ok(cut)
}

/// The words as FTS5 reads them: each a string of its own, all of which must be there. A word is
/// letters and digits only, so there is nothing in it to escape.
fn phrases(asked: &Asked) -> Option<String> {
    let quoted: Vec<_> = asked.words().iter().map(|word| format!("\"{word}\"")).collect();
    (!quoted.is_empty()).then(|| quoted.join(" AND "))
}

/// What else the filter says, as far as a row of `events` can answer it.
fn conditions(filter: &Filter) -> (String, Vec<Value>) {
    let mut sql = String::new();
    let mut values = Vec::new();
    let mut list = |column: &str, all: Vec<Value>| {
        let marks = vec!["?"; all.len()].join(",");
        sql.push_str(&format!(" AND {column} IN ({marks})"));
        values.extend(all);
    };
    if let Some(ids) = &filter.ids {
        list("id", ids.iter().map(|id| Value::from(id.0.to_vec())).collect());
    }
    if let Some(authors) = &filter.authors {
        list("author", authors.iter().map(|key| Value::from(key.0.to_vec())).collect());
    }
    if let Some(kinds) = &filter.kinds {
        list("kind", kinds.iter().map(|kind| Value::from(i64::from(kind.0))).collect());
    }
    let time = |time: u64| Value::from(i64::try_from(time).unwrap_or(i64::MAX));
    if let Some(since) = filter.since {
        sql.push_str(" AND created_at >= ?");
        values.push(time(since));
    }
    if let Some(until) = filter.until {
        sql.push_str(" AND created_at <= ?");
        values.push(time(until));
    }
    (sql, values)
}
