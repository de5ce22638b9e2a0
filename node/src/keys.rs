//! Keys as people hand them over and as files keep them.
//!
//! A key file holds one line: `nsec1…`, 64 hex digits, or `ncryptsec1…` (NIP-49), readable by its
//! owner only. A node has two: `node.key`, which witnesses and signs NIP-43 lists, and
//! `community.key`, whose signature makes an act of the community. Neither is ever logged.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use ayni_protocol::{EventId, Keys, PublicKey, hex};
use nostr_sdk::nips::nip19::{FromBech32 as _, Nip19, ToBech32 as _};
use nostr_sdk::nips::nip49::{EncryptedSecretKey, KeySecurity};

use crate::clock;

/// The folder of a node's own keys.
#[must_use]
pub fn folder(data: &Path) -> PathBuf {
    data.join("keys")
}

/// Fresh keys.
#[must_use]
pub fn generate() -> Keys {
    loop {
        // One try in 2^128 is no key.
        if let Ok(keys) = Keys::from_secret(clock::entropy()) {
            return keys;
        }
    }
}

/// Writes a secret to a new file that only its owner may read.
///
/// # Errors
/// Where the file exists or cannot be written.
pub fn write_new(path: &Path, line: &str) -> Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).with_context(|| {
        format!("cannot make the key file {} (is there one already?)", path.display())
    })?;
    let written = writeln!(file, "{line}").and_then(|()| file.sync_all());
    if written.is_err() {
        // A file without its key would only be in the way.
        drop(fs::remove_file(path));
    }
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// The keys in `DATA/keys/NAME.key`.
///
/// # Errors
/// Where there is no such file or it holds no key.
pub fn of_node(data: &Path, name: &str) -> Result<Keys> {
    let path = folder(data).join(format!("{name}.key"));
    let line = fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}: is --data the node's folder?", path.display()))?;
    secret(line.trim()).with_context(|| format!("{} holds no key", path.display()))
}

/// Keys from what a person names: a file, `nsec1…`, `ncryptsec1…` or 64 hex digits.
///
/// # Errors
/// With what was expected.
pub fn secret(text: &str) -> Result<Keys> {
    if Path::new(text).is_file() {
        let line = fs::read_to_string(text).with_context(|| format!("cannot read {text}"))?;
        return secret_line(line.trim());
    }
    secret_line(text)
}

fn secret_line(text: &str) -> Result<Keys> {
    let bytes: [u8; 32] = if text.starts_with("nsec1") {
        nostr_sdk::SecretKey::from_bech32(text).context("this nsec1… is damaged")?.to_secret_bytes()
    } else if text.starts_with("ncryptsec1") {
        let sealed =
            EncryptedSecretKey::from_bech32(text).context("this ncryptsec1… is damaged")?;
        let opened = sealed.decrypt(&password()?).context("the password does not open this key")?;
        opened.to_secret_bytes()
    } else {
        match hex::decode(text) {
            Ok(bytes) => bytes,
            Err(_) if looks_like_a_file(text) => {
                bail!("there is no key file {text}; `ayni key new {text}` makes one")
            }
            Err(_) => bail!("expected a key file, nsec1…, ncryptsec1… or 64 hex digits"),
        }
    };
    Ok(Keys::from_secret(bytes)?)
}

/// Whether somebody meant a file: no key that is written out has a dot or a slash in it.
fn looks_like_a_file(text: &str) -> bool {
    text.contains(['.', '/', '\\'])
}

/// The password of a NIP-49 key: from `AYNI_PASSWORD`, so that it stands in no command line.
fn password() -> Result<String> {
    std::env::var("AYNI_PASSWORD").context(
        "this key is encrypted: put its password into the environment variable AYNI_PASSWORD",
    )
}

/// The secret as `nsec1…`.
///
/// # Errors
/// Never for a valid key.
pub fn nsec(keys: &Keys) -> Result<String> {
    Ok(nostr_sdk::SecretKey::from_slice(&keys.secret())?.to_bech32()?)
}

/// The secret sealed with a password (NIP-49).
///
/// # Errors
/// Where the password cannot be used.
pub fn ncryptsec(keys: &Keys) -> Result<String> {
    let secret = nostr_sdk::SecretKey::from_slice(&keys.secret())?;
    let sealed = EncryptedSecretKey::new(&secret, &password()?, 16, KeySecurity::Medium)?;
    Ok(sealed.to_bech32()?)
}

/// The key as `npub1…`.
#[must_use]
pub fn npub(key: &PublicKey) -> String {
    let parsed = nostr_sdk::PublicKey::from_slice(&key.0).ok();
    parsed.and_then(|key| key.to_bech32().ok()).unwrap_or_else(|| key.to_string())
}

/// A public key from `npub1…`, `nprofile1…` or hex; nothing for other text.
#[must_use]
pub fn public(text: &str) -> Option<PublicKey> {
    if let Ok(key) = text.parse() {
        return Some(key);
    }
    match Nip19::from_bech32(text.strip_prefix("nostr:").unwrap_or(text)).ok()? {
        Nip19::Pubkey(key) => Some(PublicKey(key.to_bytes())),
        Nip19::Profile(profile) => Some(PublicKey(profile.public_key.to_bytes())),
        _ => None,
    }
}

/// An event id from `note1…`, `nevent1…` or hex; nothing for other text.
#[must_use]
pub fn event_id(text: &str) -> Option<EventId> {
    if let Ok(id) = text.parse() {
        return Some(id);
    }
    match Nip19::from_bech32(text.strip_prefix("nostr:").unwrap_or(text)).ok()? {
        Nip19::EventId(id) => Some(EventId(id.to_bytes())),
        Nip19::Event(event) => Some(EventId(event.event_id.to_bytes())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_in_every_spelling() {
        let keys = Keys::from_secret([7; 32]).unwrap();
        for text in [nsec(&keys).unwrap(), hex::encode(&[7; 32])] {
            assert_eq!(secret(&text).unwrap().public(), keys.public());
        }
        assert_eq!(public(&npub(&keys.public())), Some(keys.public()));
        assert_eq!(public("nobody"), None);
        assert!(secret("hello").unwrap_err().to_string().contains("nsec1"));
        let missing = secret("no/such/ana.key").unwrap_err().to_string();
        assert!(missing.starts_with("there is no key file no/such/ana.key"), "{missing}");
    }

    #[test]
    fn a_key_file_is_the_owners_alone_and_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys/ana.key");
        write_new(&path, "x").unwrap();
        assert!(write_new(&path, "y").unwrap_err().to_string().contains("already"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
