//! The list of peers: `DATA/peers.toml`, so that a person can read and mend it; and, in sled, when
//! each was last in step, so that an operator knows it across restarts.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use ayni_protocol::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::backend::Backend;
use crate::clock;
use crate::federate::{PeerState, PeerStatus};

/// The tree of sled that holds it.
const TREE: &str = "peers";
/// Seconds between two notes of the same peer; it is for people, and a write costs.
const NOTE_SECS: u64 = 60;

/// Notes when a peer is in step, until its task ends.
pub async fn remember(backend: Backend, url: String, mut status: watch::Receiver<PeerStatus>) {
    let mut noted: Option<Timestamp> = None;
    while status.changed().await.is_ok() {
        let in_step = status.borrow_and_update().state == PeerState::InStep;
        let now = clock::now();
        if !in_step || noted.is_some_and(|at| now < at.saturating_add(NOTE_SECS)) {
            continue;
        }
        noted = Some(now);
        if let Some(state) = backend.store().state()
            && let Err(fault) = state.put(TREE, url.as_bytes(), &now.to_be_bytes())
        {
            tracing::warn!(url, %fault, "when this peer was in step could not be noted");
        }
    }
}

/// When a peer was last noted in step, in unix seconds.
#[must_use]
pub fn last_in_step(backend: &Backend, url: &str) -> Option<Timestamp> {
    let noted = backend.store().state()?.get(TREE, url.as_bytes()).ok()??;
    Some(Timestamp::from_be_bytes(noted.try_into().ok()?))
}

/// The nodes this one keeps in step with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peers {
    /// Their addresses, `ws://…` or `wss://…`, each once.
    #[serde(default)]
    pub urls: Vec<String>,
}

fn path(data: &Path) -> PathBuf {
    data.join("peers.toml")
}

impl Peers {
    /// Reads the list; an absent file is an empty list.
    ///
    /// # Errors
    /// Where the file cannot be read or understood.
    pub fn load(data: &Path) -> Result<Self> {
        let path = path(data);
        match fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text).with_context(|| format!("in {}", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Writes the list: a new file beside the old one, then in its place.
    ///
    /// # Errors
    /// Where it cannot be written; the old list is then untouched.
    pub fn save(&self, data: &Path) -> Result<()> {
        fs::create_dir_all(data).with_context(|| format!("cannot make {}", data.display()))?;
        let fresh = data.join("peers.toml.new");
        fs::write(&fresh, toml::to_string_pretty(self)?)?;
        fs::rename(&fresh, path(data)).context("cannot replace peers.toml")
    }

    /// Adds an address; false if it stands there already.
    ///
    /// # Errors
    /// Where it is no WebSocket address.
    pub fn add(&mut self, url: &str) -> Result<bool> {
        let url = normal(url)?;
        let new = !self.urls.contains(&url);
        if new {
            self.urls.push(url);
        }
        Ok(new)
    }

    /// Takes an address off the list; false if it did not stand there.
    ///
    /// # Errors
    /// Where it is no WebSocket address.
    pub fn remove(&mut self, url: &str) -> Result<bool> {
        let url = normal(url)?;
        let before = self.urls.len();
        self.urls.retain(|known| *known != url);
        Ok(self.urls.len() < before)
    }
}

/// One spelling for one peer: lower-case scheme and host, no slash at the end.
///
/// # Errors
/// Where it is no WebSocket address.
pub fn normal(url: &str) -> Result<String> {
    let trimmed = url.trim().trim_end_matches('/');
    let Some((scheme, rest)) = trimmed.split_once("://") else {
        bail!("a peer's address starts with ws:// or wss://, as in ws://127.0.0.1:7777");
    };
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "ws" | "http" => "ws",
        "wss" | "https" => "wss",
        other => bail!("{other}:// is not a peer's address; use ws:// or wss://"),
    };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if host.is_empty() {
        bail!("the address {url} names no host");
    }
    Ok(format!("{scheme}://{}{path}", host.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_peer_has_one_spelling() {
        let mut peers = Peers::default();
        assert!(peers.add("ws://Example.org/").unwrap());
        assert!(!peers.add("http://example.org").unwrap());
        assert!(peers.add("ws://example.org/Path").unwrap());
        assert!(peers.remove("WS://EXAMPLE.ORG").unwrap());
        assert_eq!(peers.urls, ["ws://example.org/Path"]);
        for wrong in ["example.org", "ftp://x", "ws://"] {
            assert!(peers.add(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_list_survives() {
        let folder = tempfile::tempdir().unwrap();
        let mut peers = Peers::load(folder.path()).unwrap();
        peers.add("ws://a").unwrap();
        peers.save(folder.path()).unwrap();
        assert_eq!(Peers::load(folder.path()).unwrap(), peers);
    }
}
