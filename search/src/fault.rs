//! What can go wrong with the index. Nothing of it is lost for good.

use std::path::{Path, PathBuf};

/// The index cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// SQLite says no.
    #[error("the search index: {0}; it may be deleted, and is made again")]
    Sqlite(#[from] rusqlite::Error),
    /// The file cannot be removed to be made again.
    #[error("cannot remove {path}: {source}")]
    Remove {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

impl Fault {
    /// For `map_err` where a file is removed.
    pub(crate) fn removing(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Remove { path, source }
    }
}
