//! The log of management: every act of an operator, one JSON object a line, synced before it is
//! answered.
//!
//! It is the only home of bans, roles and invitations that were used. So a line that cannot be
//! read stops the start: a ban that is silently forgotten protects nobody. Only a last line without
//! its end is cut off, because that is what a power cut leaves of an act nobody was told of.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use ayni_protocol::{EventId, PublicKey, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::order::Order;

/// One act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// When, by this node's clock.
    pub time: Timestamp,
    /// Who.
    pub admin: PublicKey,
    /// The signed event that asked for it.
    pub request: EventId,
    /// What, by the name of NIP-86; `join` and `leave` for NIP-43.
    pub method: String,
    /// With what.
    pub params: Vec<Value>,
}

impl Act {
    /// The order it is.
    ///
    /// # Errors
    /// Where it is none.
    pub fn order(&self) -> Result<Order, String> {
        Order::read(&self.method, &self.params)
    }
}

/// The file, open at its end.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
    length: u64,
}

impl Log {
    /// Where a data folder's log is.
    #[must_use]
    pub fn path(data: &Path) -> PathBuf {
        data.join("management.jsonl")
    }

    /// Opens `management.jsonl` in a data folder, or begins it, and gives all acts in it.
    ///
    /// # Errors
    /// What the disk says, or which line is no act.
    pub fn open(data: &Path) -> Result<(Self, Vec<Act>)> {
        let path = Self::path(data);
        let named = || path.display().to_string();
        let is_new = !path.exists();
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).with_context(named)?;
        if is_new {
            File::open(data).and_then(|folder| folder.sync_all()).with_context(named)?;
        }
        let mut text = String::new();
        file.read_to_string(&mut text).with_context(named)?;
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let (lines, torn) = text.split_at(whole);
        if !torn.is_empty() {
            tracing::warn!(file = named(), "an act that was not finished was cut off");
        }
        let mut acts = Vec::new();
        for (number, line) in (1..).zip(lines.lines()) {
            acts.push(read(line).with_context(|| format!("line {number} of {}", named()))?);
        }
        let length = u64::try_from(whole)?;
        Ok((Self { path, file, length }, acts))
    }

    /// The acts in a folder's log, for those who change nothing; none where there is no log.
    ///
    /// # Errors
    /// As [`Log::open`].
    pub fn read(data: &Path) -> Result<Vec<Act>> {
        if !Self::path(data).exists() {
            return Ok(Vec::new());
        }
        Self::open(data).map(|(_, acts)| acts)
    }

    /// Adds an act; it is durable on return.
    ///
    /// # Errors
    /// What the disk says; the act is then not in the log.
    pub fn append(&mut self, act: &Act) -> Result<()> {
        let mut line = serde_json::to_vec(act)?;
        line.push(b'\n');
        let written = self.write(&line);
        written.with_context(|| format!("cannot write {}", self.path.display()))?;
        self.length += u64::try_from(line.len())?;
        Ok(())
    }

    /// Writes over whatever a write that failed may have left.
    fn write(&mut self, line: &[u8]) -> std::io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.seek(SeekFrom::Start(self.length))?;
        self.file.write_all(line)?;
        self.file.sync_data()
    }
}

fn read(line: &str) -> Result<Act> {
    let act: Act = serde_json::from_str(line).context("this is no act of management")?;
    act.order().map_err(anyhow::Error::msg)?;
    Ok(act)
}

#[cfg(test)]
impl Log {
    /// Leaves what a power cut leaves.
    pub fn tear(mut self, rest: &str) {
        self.file.seek(SeekFrom::End(0)).unwrap();
        self.file.write_all(rest.as_bytes()).unwrap();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_no_act_stops_the_start_and_says_where() {
        let folder = tempfile::tempdir().unwrap();
        let path = Log::path(folder.path());
        let key = PublicKey([7; 32]);
        let act = Act {
            time: 1,
            admin: key,
            request: EventId([1; 32]),
            method: "banpubkey".into(),
            params: vec![Value::from(key.to_string())],
        };
        let (mut log, acts) = Log::open(folder.path()).unwrap();
        assert!(acts.is_empty());
        log.append(&act).unwrap();
        drop(log);
        assert_eq!(Log::open(folder.path()).unwrap().1, std::slice::from_ref(&act));
        let unknown = serde_json::to_string(&Act { method: "sing".into(), ..act }).unwrap();
        for damage in ["{}", "x", &unknown] {
            let text = std::fs::read_to_string(&path).unwrap();
            std::fs::write(&path, format!("{text}{damage}\n")).unwrap();
            let error = format!("{:#}", Log::open(folder.path()).unwrap_err());
            assert!(error.contains("line 2 of "), "{error}");
            std::fs::write(&path, text).unwrap();
        }
    }
}
