//! The relay under load: our own in a process of its own, or any other by its address.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// How long our own relay may take to start.
const START: Duration = Duration::from_secs(120);

/// Limits that are about sharing a relay among strangers, lifted for the one client of this load.
const LIFTED: [(&str, &str); 5] = [
    ("AYNI_LIMITS__CONNECTIONS", "20000"),
    ("AYNI_LIMITS__CONNECTIONS_PER_ADDRESS", "20000"),
    ("AYNI_LIMITS__INBOUND_BYTES_PER_SEC", "10000000000"),
    ("AYNI_LIMITS__INBOUND_BURST_BYTES", "10000000000"),
    ("AYNI_NODE__LOG", "error"),
];

/// A temporary folder, removed in the end.
pub struct Folder(PathBuf);

impl Folder {
    /// An empty folder.
    ///
    /// # Errors
    /// What the disk says.
    pub fn new() -> Result<Self> {
        let unique = ayni_protocol::hex::encode(&crate::clock::entropy::<8>());
        let path = std::env::temp_dir().join(format!("ayni-bench-{unique}"));
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that cannot be removed lies in the system's temporary folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A relay that runs.
pub struct Subject {
    /// Its address.
    pub url: String,
    ours: Option<(Child, Folder)>,
}

impl Subject {
    /// Somebody else's relay.
    ///
    /// # Errors
    /// Where the address is none.
    pub fn at(url: &str) -> Result<Self> {
        super::wire::authority(url)?;
        Ok(Self { url: url.to_owned(), ours: None })
    }

    /// Our own relay on a folder.
    ///
    /// # Errors
    /// Where it does not start.
    pub fn start(program: &Path, folder: Folder) -> Result<Self> {
        let listen = folder.path().join("listen");
        // Where an earlier process of this folder listened.
        let _ = fs::remove_file(&listen);
        let child = Command::new(program)
            .args(["run", "--listen", "127.0.0.1:0", "--data"])
            .arg(folder.path())
            .envs(LIFTED)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start the relay")?;
        let mut subject = Self { url: String::new(), ours: Some((child, folder)) };
        let begun = Instant::now();
        while begun.elapsed() < START && subject.is_running() {
            if let Ok(url) = fs::read_to_string(&listen) {
                url.trim().clone_into(&mut subject.url);
                if super::wire::Talk::open(&subject.url).is_ok() {
                    return Ok(subject);
                }
            }
            sleep(Duration::from_millis(20));
        }
        bail!("the relay did not start; `ayni run` says why")
    }

    fn is_running(&mut self) -> bool {
        let Some((child, _)) = &mut self.ours else { return true };
        child.try_wait().is_ok_and(|ended| ended.is_none())
    }

    /// Resident bytes of our own relay, where the system tells.
    pub fn resident_bytes(&self) -> Option<usize> {
        let (child, _) = self.ours.as_ref()?;
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        line.split_whitespace().nth(1)?.parse::<usize>().ok().map(|kib| kib * 1_024)
    }

    /// Bytes of our own relay's journal.
    pub fn journal_bytes(&self) -> Option<usize> {
        let (_, folder) = self.ours.as_ref()?;
        let entries = fs::read_dir(folder.path().join("journal")).ok()?;
        let sizes = entries.filter_map(|entry| entry.ok()?.metadata().ok());
        usize::try_from(sizes.map(|metadata| metadata.len()).sum::<u64>()).ok()
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        if let Some((child, _)) = &mut self.ours {
            // It is a load's relay: nothing in it is worth a polite end.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
