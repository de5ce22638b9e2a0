//! `ayni backup` and `ayni restore`: a node's journal and keys, copied while it runs or not.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use ayni_store::{DiskStore, Store as _};
use clap::Args;

use super::operate::{lost, tell_dropped};
use super::{Common, show};
use crate::management::Log;
use crate::{fence, keys};

#[derive(Args)]
pub struct Backup {
    /// An empty or new folder
    to: PathBuf,
}

#[derive(Args)]
pub struct Restore {
    /// The folder of a backup
    from: PathBuf,
    /// No newer copy of this node ever ran: its witness may attest at once
    #[arg(long)]
    newest_copy: bool,
}

impl Backup {
    pub fn run(self, common: &Common) -> Result<()> {
        copy_node(&common.data, &self.to, true)
    }
}

impl Restore {
    pub fn run(self, common: &Common) -> Result<()> {
        if !self.from.join("journal").is_dir() {
            bail!("{} is no backup: there is no journal in it", self.from.display());
        }
        copy_node(&self.from, &common.data, !self.newest_copy)?;
        if self.newest_copy {
            return Ok(());
        }
        show::line(
            "If this node is a witness, it attests once its peers have given back what it signed \
             since the backup. If no newer copy ever ran, start it once with `ayni run \
             --newest-copy`.",
        )
    }
}

/// Copies the journal and the keys of a node into an empty folder, and opens the copy to see that
/// it is whole. That it `may_be_old` is noted before a key is there to sign with.
fn copy_node(from: &Path, to: &Path, may_be_old: bool) -> Result<()> {
    if fs::read_dir(to).is_ok_and(|mut entries| entries.next().is_some()) {
        bail!(
            "{} is not empty; nothing is ever written over, so name another folder",
            to.display()
        );
    }
    if may_be_old {
        fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
        fence::note_restored(to)?;
    }
    copy_journal(&from.join("journal"), &to.join("journal"))?;
    copy_keys(&keys::folder(from), &keys::folder(to))?;
    copy_management(from, to)?;
    let (store, recovery) = DiskStore::open(to).context("the copy cannot be opened")?;
    tell_dropped(&recovery);
    show::line(format!("{} events, and the keys, are in {}.", store.len(), to.display()))?;
    if lost(&recovery).next().is_some() {
        bail!(
            "the copy lacks what stands behind that place. Copy again into another folder; if that \
             says the same, the journal in {} is damaged: keep your older copies, and what is \
             missing comes back from peers",
            from.display()
        );
    }
    Ok(())
}

/// Copies the segments, the one that is written last. The journal only grows at its end, so what is
/// copied while a node writes is a prefix of the truth; opening the copy drops a torn last frame.
fn copy_journal(from: &Path, to: &Path) -> Result<()> {
    let segments = open_segments(from)
        .with_context(|| format!("cannot read the journal in {}", from.display()))?;
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for (path, mut segment) in segments {
        let path = to.join(path.file_name().unwrap_or_default());
        let copied = fs::File::create_new(&path).and_then(|mut copy| {
            std::io::copy(&mut segment, &mut copy)?;
            copy.sync_all()
        });
        copied.with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Copies the operator's orders. A last one that is half written is cut off when it is read.
fn copy_management(from: &Path, to: &Path) -> Result<()> {
    let (from, to) = (Log::path(from), Log::path(to));
    if from.exists() {
        fs::copy(&from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
        fs::File::open(&to)?.sync_all()?;
    }
    Ok(())
}

/// All segments as they were at one moment. A compaction puts others in their place one after
/// another, and a mixture could bring back what was removed; so they are opened again until none
/// was replaced meanwhile.
fn open_segments(folder: &Path) -> std::io::Result<Vec<(PathBuf, fs::File)>> {
    loop {
        let mut opened = Vec::new();
        for path in segments(folder)? {
            let file = fs::File::open(&path)?;
            opened.push((path, file));
        }
        let mut still_there = true;
        for (path, file) in &opened {
            still_there &= fs::metadata(path)?.ino() == file.metadata()?.ino();
        }
        if still_there {
            return Ok(opened);
        }
    }
}

/// The segments of a journal, in their order.
fn segments(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "seg"));
    paths.sort();
    Ok(paths)
}

fn copy_keys(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let mut line = String::new();
        fs::File::open(entry.path())?.read_to_string(&mut line)?;
        keys::write_new(&to.join(entry.file_name()), line.trim_end())?;
    }
    Ok(())
}
