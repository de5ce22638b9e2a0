//! The file: made, filled and forgotten.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Release},
};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ayni_protocol::search::{Text, words};
use ayni_protocol::{Event, EventId};
use rusqlite::{Connection, OpenFlags, params};

use crate::Fault;

/// Changes whenever files of older releases cannot be used, among them changes of normalisation.
const FORMAT: i64 = 1;
/// Bytes of pages that SQLite keeps in memory for the writer and for each reader, of which there may be
/// many at a time; as it counts them: kibibytes, negative.
const WRITER_CACHE_KIB: i64 = -4_096;
const READER_CACHE_KIB: i64 = -1_024;
/// Readers that are kept open when nobody reads.
const READERS_KEPT: usize = 4;

/// The words are normalised before they come here, so the tokenizer has nothing to do but to part
/// them at blanks.
const SCHEMA: &str = "
CREATE TABLE events (
    position INTEGER PRIMARY KEY,
    id BLOB NOT NULL,
    author BLOB NOT NULL,
    kind INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE VIRTUAL TABLE words USING fts5 (
    names, body,
    content = '', contentless_delete = 1, detail = full,
    tokenize = \"unicode61 remove_diacritics 2\"
);
CREATE TABLE progress (indexed INTEGER NOT NULL) STRICT;
INSERT INTO progress VALUES (0);
";

/// An event and where it stands in the journal.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    /// Its place, 1 or more.
    pub position: u64,
    /// The event.
    pub event: &'a Event,
}

/// The index. One writes at a time, any number read.
#[derive(Debug)]
pub struct Search {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
    /// What the file says of it, for those who only want to know.
    indexed: AtomicU64,
}

impl Search {
    /// Opens the index of a journal whose last place is `last`, or makes a new one.
    ///
    /// # Errors
    /// Where no file can be made.
    pub fn open(path: &Path, last: u64) -> Result<Self, Fault> {
        let usable = match open_file(path) {
            Ok(writer) => (indexed(&writer)? <= last).then_some(writer),
            // A first start has none, which is nothing to tell.
            Err(_) if !path.exists() => None,
            Err(fault) => {
                tracing::info!(%fault, "the search index is made anew");
                None
            }
        };
        let writer = match usable {
            Some(writer) => writer,
            None => make_file(path)?,
        };
        let (path, indexed) = (path.to_owned(), AtomicU64::new(indexed(&writer)?));
        Ok(Self { path, writer: Mutex::new(writer), readers: Mutex::default(), indexed })
    }

    /// The place up to which every event was offered to [`Search::add`].
    #[must_use]
    pub fn indexed(&self) -> u64 {
        self.indexed.load(Acquire)
    }

    /// Adds events, in one step with the note that everything up to `last` was offered. Kinds that
    /// are not searched are passed over, and what is here already is not added twice.
    ///
    /// # Errors
    /// Where the file cannot be written; then nothing of it is.
    pub fn add(&self, entries: &[Entry<'_>], last: u64) -> Result<(), Fault> {
        let mut writer = self.writer();
        let step = writer.transaction()?;
        for Entry { position, event } in entries {
            let Some(text) = Text::of(event) else { continue };
            let (names, body) = (spaced(&text.names), spaced(&text.body));
            if names.is_empty() && body.is_empty() {
                continue;
            }
            let added = step
                .prepare_cached("INSERT OR IGNORE INTO events VALUES (?1, ?2, ?3, ?4, ?5)")?
                .execute(params![
                    signed(*position),
                    event.id.0,
                    event.pubkey.0,
                    event.kind.0,
                    signed(event.created_at)
                ])?;
            if added > 0 {
                step.prepare_cached("INSERT INTO words (rowid, names, body) VALUES (?1, ?2, ?3)")?
                    .execute(params![signed(*position), names, body])?;
            }
        }
        step.prepare_cached("UPDATE progress SET indexed = max(indexed, ?1)")?
            .execute([signed(last)])?;
        step.commit()?;
        self.indexed.fetch_max(last, Release);
        Ok(())
    }

    /// Looks at `some` events from the place `from` on, and forgets those that are gone. Gives the place
    /// to go on from; nothing at the end.
    ///
    /// # Errors
    /// Where the file cannot be read or written; then nothing is forgotten.
    pub fn sweep(
        &self,
        from: u64,
        some: u32,
        is_gone: &mut dyn FnMut(&EventId) -> bool,
    ) -> Result<Option<u64>, Fault> {
        let looked_at: Vec<(i64, [u8; 32])> = self.read(|reader| {
            let query =
                "SELECT position, id FROM events WHERE position >= ?1 ORDER BY position LIMIT ?2";
            let mut query = reader.prepare_cached(query)?;
            let rows = query
                .query_map(params![signed(from), some], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        })?;
        let next = looked_at.last().map(|(position, _)| position.cast_unsigned() + 1);
        let gone = looked_at.into_iter().filter(|(_, id)| is_gone(&EventId(*id)));
        let gone: Vec<i64> = gone.map(|(position, _)| position).collect();
        if !gone.is_empty() {
            let mut writer = self.writer();
            let step = writer.transaction()?;
            for position in gone {
                step.prepare_cached("DELETE FROM words WHERE rowid = ?1")?.execute([position])?;
                step.prepare_cached("DELETE FROM events WHERE position = ?1")?
                    .execute([position])?;
            }
            step.commit()?;
        }
        Ok(next)
    }

    fn writer(&self) -> MutexGuard<'_, Connection> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lends a connection that only reads, so that a search never waits for the writer.
    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, rusqlite::Error>,
    ) -> Result<T, Fault> {
        let readers = || self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = readers().pop();
        let reader = match kept {
            Some(reader) => reader,
            None => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
                tuned(Connection::open_with_flags(&self.path, flags)?, READER_CACHE_KIB)?
            }
        };
        let done = work(&reader);
        let mut readers = readers();
        if readers.len() < READERS_KEPT {
            readers.push(reader);
        }
        Ok(done?)
    }
}

/// Opens a file of this format.
fn open_file(path: &Path) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let connection = tuned(Connection::open_with_flags(path, flags)?, WRITER_CACHE_KIB)?;
    let format: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if format != FORMAT {
        return Err(rusqlite::Error::InvalidPath(path.to_owned()).into());
    }
    indexed(&connection)?;
    Ok(connection)
}

/// Makes an empty file in place of whatever is there.
fn make_file(path: &Path) -> Result<Connection, Fault> {
    for end in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(end);
        let file = PathBuf::from(file);
        match fs::remove_file(&file) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(Fault::removing(&file)(error));
            }
            _ => {}
        }
    }
    let connection = Connection::open(path)?;
    // Readers go on while a batch is written. What a power cut takes is indexed again.
    connection.pragma_update(None, "journal_mode", "wal")?;
    let connection = tuned(connection, WRITER_CACHE_KIB)?;
    connection
        .execute_batch(&format!("BEGIN; {SCHEMA} PRAGMA user_version = {FORMAT}; COMMIT;"))?;
    Ok(connection)
}

fn tuned(connection: Connection, cache_kib: i64) -> Result<Connection, rusqlite::Error> {
    connection.pragma_update(None, "synchronous", "normal")?;
    connection.pragma_update(None, "cache_size", cache_kib)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(connection)
}

fn indexed(connection: &Connection) -> Result<u64, Fault> {
    let indexed: i64 =
        connection.query_row("SELECT indexed FROM progress", [], |row| row.get(0))?;
    Ok(indexed.cast_unsigned())
}

/// Every word of a text once more, normalised and parted by blanks.
fn spaced(text: &str) -> String {
    words(text).collect::<Vec<_>>().join(" ")
}

/// SQLite's integers have a sign. Places and times are far below where it matters.
const fn signed(number: u64) -> i64 {
    number.cast_signed()
}
