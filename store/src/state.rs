//! Small things that are handy to keep and easy to lose: cursors, bans, replay windows, snapshots.
//!
//! They lie in sled, under `sled/` in the data folder. Stable sled has open reports of files that
//! it cannot read after an abrupt stop, so nothing may lie here that cannot be had again: where it
//! cannot be opened it is moved aside and begun anew.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::Fault;

/// Memory that sled may keep pages in.
const CACHE_BYTES: u64 = 16 << 20;

/// How often the lock is asked for: sled's own threads hold it for a moment after it was dropped.
const LOCK_ATTEMPTS: u32 = 50;
/// How long to wait in between.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Trees of keys and values. Cheap to clone; every clone is the same state.
#[derive(Debug, Clone)]
pub struct State {
    db: sled::Db,
}

impl State {
    /// Opens the state of a data folder, that is `sled/` in it, or begins one.
    ///
    /// # Errors
    /// [`Fault::Locked`] where another process has it open, [`Fault::Full`] where there is no room
    /// to open it, which changes nothing; otherwise only if it can be neither opened nor moved
    /// aside.
    pub fn open(data_dir: &Path) -> Result<Self, Fault> {
        let folder = data_dir.join("sled");
        if let Some(db) = open(&folder)? {
            return Ok(Self { db });
        }
        let aside = move_aside(&folder)?;
        tracing::warn!(aside = %aside.display(), "the state could not be read; it begins anew");
        match open(&folder)? {
            Some(db) => Ok(Self { db }),
            None => Err(Fault::of(&folder, "open", std::io::ErrorKind::InvalidData.into())),
        }
    }

    /// A state of no folder, for tests.
    #[cfg(test)]
    pub(crate) fn in_memory() -> Result<Self, Fault> {
        Ok(Self { db: sled::Config::new().temporary(true).open()? })
    }

    /// A value.
    ///
    /// # Errors
    /// What sled says.
    pub fn get(&self, tree: &str, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        let value = self.on(tree, |tree| tree.get(key))?;
        Ok(value.map(|value| value.to_vec()))
    }

    /// Sets a value. Durable within half a second, or after [`State::flush`].
    ///
    /// # Errors
    /// What sled says.
    pub fn put(&self, tree: &str, key: &[u8], value: &[u8]) -> Result<(), Fault> {
        self.on(tree, |tree| tree.insert(key, value)).map(drop)
    }

    /// Sets a value only if there is none; whether it did. Of several callers, one does.
    ///
    /// # Errors
    /// What sled says.
    pub fn put_new(&self, tree: &str, key: &[u8], value: &[u8]) -> Result<bool, Fault> {
        let swap = |tree: sled::Tree| tree.compare_and_swap(key, None::<&[u8]>, Some(value));
        Ok(self.on(tree, swap)?.is_ok())
    }

    /// Takes a value away.
    ///
    /// # Errors
    /// What sled says.
    pub fn remove(&self, tree: &str, key: &[u8]) -> Result<(), Fault> {
        self.on(tree, |tree| tree.remove(key)).map(drop)
    }

    /// Every key and value of a tree, by the order of keys, until `each` returns false.
    ///
    /// # Errors
    /// What sled says.
    pub fn each(
        &self,
        tree: &str,
        each: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), Fault> {
        self.on(tree, |tree| {
            for entry in &tree {
                let (key, value) = entry?;
                if !each(&key, &value) {
                    break;
                }
            }
            Ok(())
        })
    }

    /// Takes a whole tree away.
    ///
    /// # Errors
    /// What sled says.
    pub fn clear(&self, tree: &str) -> Result<(), Fault> {
        self.said(self.db.drop_tree(tree)).map(drop)
    }

    /// Makes all that was set durable.
    ///
    /// # Errors
    /// What sled says.
    pub fn flush(&self) -> Result<(), Fault> {
        self.said(self.db.flush()).map(drop)
    }

    fn on<T>(
        &self,
        tree: &str,
        act: impl FnOnce(sled::Tree) -> sled::Result<T>,
    ) -> Result<T, Fault> {
        self.said(self.db.open_tree(tree).and_then(act))
    }

    /// What sled said. After an error it is never closed: closing waits for everything to be on the
    /// disk, and for what could not be written it waits for ever.
    fn said<T>(&self, outcome: sled::Result<T>) -> Result<T, Fault> {
        if outcome.is_err() {
            std::mem::forget(self.db.clone());
        }
        Ok(outcome?)
    }
}

/// The state beside a journal, where there is one. Sled needs room to open at all; where the disk is
/// full it is tried again whenever it is asked for, and the journal is served without it.
#[derive(Debug, Default)]
pub struct Beside {
    /// The data folder that it is to be opened in.
    data_dir: Option<PathBuf>,
    opened: OnceLock<State>,
    /// Whether it holds no snapshot of the index for sure, so that a compaction, which may come on a
    /// disk that is full, need not ask sled to write that.
    pub forgotten: AtomicBool,
}

impl Beside {
    /// The state of a data folder.
    ///
    /// # Errors
    /// As [`State::open`], but for a full disk.
    pub fn at(data_dir: &Path) -> Result<Self, Fault> {
        let beside = Self { data_dir: Some(data_dir.to_owned()), ..Self::default() };
        match State::open(data_dir) {
            Ok(state) => Ok(Self { opened: state.into(), ..beside }),
            Err(fault @ Fault::Full { .. }) => {
                tracing::warn!(%fault, "the state is not open; it will be when there is room");
                Ok(beside)
            }
            Err(fault) => Err(fault),
        }
    }

    /// The state, as soon as it can be opened.
    pub fn get(&self) -> Option<&State> {
        if let (None, Some(data_dir)) = (self.opened.get(), &self.data_dir)
            && let Ok(state) = State::open(data_dir)
        {
            return Some(self.opened.get_or_init(|| state));
        }
        self.opened.get()
    }

    /// The state before it is changed together with the journal; nothing where none is kept.
    ///
    /// # Errors
    /// [`Fault::Full`] where there is still no room to open it.
    pub fn needed(&self) -> Result<Option<&State>, Fault> {
        match (self.get(), &self.data_dir) {
            (None, Some(data_dir)) => Err(Fault::Full { path: data_dir.join("sled") }),
            (state, _) => Ok(state),
        }
    }
}

impl From<Option<State>> for Beside {
    fn from(state: Option<State>) -> Self {
        Self { opened: state.map(OnceLock::from).unwrap_or_default(), ..Self::default() }
    }
}

/// Opens sled; nothing where its files cannot be read.
fn open(folder: &Path) -> Result<Option<sled::Db>, Fault> {
    let (mut attempts, is_new) = (LOCK_ATTEMPTS, !folder.exists());
    loop {
        let config = sled::Config::new().path(folder).cache_capacity(CACHE_BYTES);
        // Sled may panic over files that it cannot read.
        match catch_unwind(AssertUnwindSafe(|| config.open())) {
            Ok(Ok(db)) => return Ok(Some(db)),
            Ok(Err(sled::Error::Io(error))) if error.to_string().contains("acquire lock") => {
                attempts -= 1;
                if attempts == 0 {
                    return Err(Fault::Locked { path: folder.to_owned() });
                }
                std::thread::sleep(LOCK_PAUSE);
            }
            Ok(Err(sled::Error::Io(error))) if Fault::is_full(&error) => {
                if is_new {
                    // Half of a beginning would not be readable.
                    drop(fs::remove_dir_all(folder));
                }
                return Err(Fault::of(folder, "open", error));
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "sled could not open the state");
                return Ok(None);
            }
            Err(_) => return Ok(None),
        }
    }
}

fn move_aside(folder: &Path) -> Result<PathBuf, Fault> {
    let free = (1_u32..)
        .map(|attempt| folder.with_extension(format!("unreadable-{attempt}")))
        .find(|path| !path.exists());
    let aside = free.ok_or(Fault::Poisoned)?;
    fs::rename(folder, &aside).map_err(Fault::at(folder, "move aside"))?;
    Ok(aside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_is_there_after_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path()).unwrap();
        state.put("cursors", b"peer", b"17").unwrap();
        assert!(state.put_new("seen", b"id", b"").unwrap());
        assert!(!state.put_new("seen", b"id", b"").unwrap());
        state.put("cursors", b"old", b"1").unwrap();
        state.remove("cursors", b"old").unwrap();
        state.flush().unwrap();
        drop(state);
        let state = State::open(folder.path()).unwrap();
        assert_eq!(state.get("cursors", b"peer").unwrap(), Some(b"17".to_vec()));
        let mut keys = Vec::new();
        let all = state.each("cursors", &mut |key, _| {
            keys.push(key.to_vec());
            true
        });
        all.unwrap();
        assert_eq!(keys, [b"peer".to_vec()]);
        state.clear("cursors").unwrap();
        assert_eq!(state.get("cursors", b"peer").unwrap(), None);
    }

    #[test]
    fn unreadable_files_are_moved_aside() {
        let folder = tempfile::tempdir().unwrap();
        drop(State::open(folder.path()).unwrap());
        fs::write(folder.path().join("sled/conf"), b"nonsense that is no configuration").unwrap();
        let state = State::open(folder.path()).unwrap();
        assert_eq!(state.get("cursors", b"peer").unwrap(), None);
        assert!(folder.path().join("sled.unreadable-1").is_dir());
    }

    #[test]
    fn a_state_in_use_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path()).unwrap();
        state.put("a", b"b", b"c").unwrap();
        assert!(matches!(State::open(folder.path()), Err(Fault::Locked { .. })));
        assert_eq!(state.get("a", b"b").unwrap(), Some(b"c".to_vec()));
    }
}
