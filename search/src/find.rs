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
/// Rows that hold the words, looked at between two pauses.
const SLICE: usize = 256;
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
    /// matches were left out, because there are more than are ranked, or because `go_on`, which is
    /// asked now and then, said no.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn find(
        &self,
        filter: &Filter,
        go_on: &dyn Fn() -> bool,
        each: &mut dyn FnMut(Found) -> bool,
    ) -> Result<bool, Fault> {
        let Some(phrases) = filter.search.as_ref().and_then(phrases) else { return Ok(false) };
        if filter.matches_nothing() {
            return Ok(false);
        }
        let (mut ranked, left_out) =
            self.read(|connection| newest(connection, filter, phrases, go_on))?;
        ranked.sort_unstable_by(|(one, a), (other, b)| {
            one.total_cmp(other).then(b.position.cmp(&a.position))
        });
        for (_, found) in ranked {
            if !each(found) {
                break;
            }
        }
        Ok(left_out)
    }
}

/// The newest that match, each with its rank, the lowest the best; and whether there are more.
///
/// Every row that holds the words comes out, so that there is a pause wherever nothing fits. To rank
/// the first one takes a count of all events with each of the words; only that knows no pause.
fn newest(
    connection: &Connection,
    filter: &Filter,
    phrases: String,
    go_on: &dyn Fn() -> bool,
) -> Result<(Vec<(f64, Found)>, bool), rusqlite::Error> {
    let (conditions, mut values) = conditions(filter);
    values.push(Value::from(phrases));
    let query = format!(
        "SELECT position, id, CASE WHEN {conditions} THEN bm25(words, {NAMES_WEIGHT}, 1.0) END
         FROM words CROSS JOIN events ON position = words.rowid
         WHERE words MATCH ? ORDER BY words.rowid DESC"
    );
    let mut statement = connection.prepare_cached(&query)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let (mut ranked, mut seen) = (Vec::new(), 0_usize);
    while let Some(row) = rows.next()? {
        if let Some(rank) = row.get(2)? {
            if ranked.len() == RANKED_MAX {
                return Ok((ranked, true));
            }
            let position: i64 = row.get(0)?;
            let found = Found { id: EventId(row.get(1)?), position: position.cast_unsigned() };
            ranked.push((rank, found));
        }
        seen += 1;
        if seen.is_multiple_of(SLICE) && !go_on() {
            return Ok((ranked, true));
        }
    }
    Ok((ranked, false))
}

/// The words as FTS5 reads them: each a string of its own, all of which must be there. A word is
/// letters and digits only, so there is nothing in it to escape.
fn phrases(asked: &Asked) -> Option<String> {
    let quoted: Vec<_> = asked.words().iter().map(|word| format!("\"{word}\"")).collect();
    (!quoted.is_empty()).then(|| quoted.join(" AND "))
}

/// What else the filter says, as far as a row of `events` can answer it.
fn conditions(filter: &Filter) -> (String, Vec<Value>) {
    let mut sql = String::from("TRUE");
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
