//! What can go wrong between a batch and the disk, and what to do about it.
//!
//! A fault is never about the content of an event: that was settled before it came here.

use std::io;
use std::path::{Path, PathBuf};

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The disk or the operating system refused.
    #[error("could not {doing} {}: {source}; check the disk and who owns the folder", path.display())]
    Io {
        /// What it was done to.
        path: PathBuf,
        /// What was tried, as a verb.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// No room is left. Nothing of the batch was kept; reading goes on; writing works again as
    /// soon as there is room.
    #[error("the disk that holds {} is full; free some space, reading goes on meanwhile", path.display())]
    Full {
        /// What could not be written.
        path: PathBuf,
    },
    /// A sync failed, so nobody knows what is on the disk. Nothing more is accepted until the
    /// journal was opened again; the sync is never retried, because a second one may succeed
    /// without having written anything.
    #[error("an earlier write could not be made durable; check the disk and start again")]
    Poisoned,
    /// Another process works in this folder.
    #[error("{} is in use by another process; stop that one first", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// A segment was written by a later release.
    #[error("{} has format {version}, which this release does not know; use a newer one", path.display())]
    Newer {
        /// The segment.
        path: PathBuf,
        /// Its format.
        version: u32,
    },
    /// A batch that no segment can hold.
    #[error("a batch of {bytes} bytes is more than a segment can hold; send smaller ones")]
    TooLarge {
        /// How long it would have been.
        bytes: usize,
    },
    /// The small state in sled could not be read or written. Everything in it can be rebuilt.
    #[error("the state folder failed: {0}; it may be deleted while the program is stopped")]
    State(#[from] sled::Error),
}

impl Fault {
    /// The fault for what the system said, told apart by whether the disk is full.
    pub(crate) fn of(path: &Path, doing: &'static str, source: io::Error) -> Self {
        let path = path.to_owned();
        if Self::is_full(&source) { Self::Full { path } } else { Self::Io { path, doing, source } }
    }

    /// Whether the system said that there is no room.
    pub(crate) fn is_full(error: &io::Error) -> bool {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        // A file as large as it may become is no different for whoever waits for room.
        matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
    }

    /// For `map_err` where the journal is poisoned by it: even a full disk is no [`Fault::Full`]
    /// then, because that promises that the store goes on.
    pub(crate) fn fatal<'a>(
        path: &'a Path,
        doing: &'static str,
    ) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::Io { path: path.to_owned(), doing, source }
    }

    /// For `map_err`.
    pub(crate) fn at<'a>(
        path: &'a Path,
        doing: &'static str,
    ) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::of(path, doing, source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_apart() {
        let path = Path::new("/data/journal/00000001.seg");
        let full = Fault::of(path, "append to", io::ErrorKind::StorageFull.into());
        assert!(matches!(full, Fault::Full { .. }), "{full}");
        let quota = Fault::of(path, "append to", io::ErrorKind::QuotaExceeded.into());
        assert!(quota.to_string().contains("free some space"), "{quota}");
        let other = Fault::of(path, "append to", io::ErrorKind::PermissionDenied.into());
        assert!(other.to_string().starts_with("could not append to /data/"), "{other}");
    }
}
