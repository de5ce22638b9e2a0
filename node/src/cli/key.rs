//! `ayni key`: a member's key is a file that they keep.

use std::path::PathBuf;

use anyhow::{Result, bail};
use ayni_protocol::hex;
use clap::{Subcommand, ValueEnum};

use super::Common;
use super::show;
use crate::keys;

#[derive(Subcommand)]
pub enum Key {
    /// Make a key and write it to a new file
    #[command(
        after_help = "With the variable AYNI_PASSWORD set, the file is encrypted (NIP-49).\n\
                            Example: ayni key new ana.key"
    )]
    New {
        /// The file to write
        file: PathBuf,
    },
    /// Show the public key of a key, or of a node or community
    #[command(after_help = "Example: ayni key show node --data data")]
    Show {
        /// A key file, nsec1…, ncryptsec1… or hex; or own, node or community, as `key export` has
        /// them [default: own]
        #[arg(value_name = "KEY")]
        secret: Option<String>,
    },
    /// Write a key that you have, as nsec1… or hex, to a new file
    Import {
        /// The key
        #[arg(value_name = "KEY")]
        secret: String,
        /// The file to write
        file: PathBuf,
    },
    /// Print a secret key: yours, or a node's own
    #[command(after_help = "Example: ayni key export node --hex --data data")]
    Export {
        /// Whose: your own (--key), or the folder's node or community key
        #[arg(value_enum, default_value = "own")]
        whose: Whose,
        /// As 64 hex digits instead of nsec1…
        #[arg(long)]
        hex: bool,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Whose {
    /// The key named with --key
    Own,
    /// The node's
    Node,
    /// The community's
    Community,
}

impl Whose {
    fn keys(self, common: &Common) -> Result<ayni_protocol::Keys> {
        match self {
            Self::Own => common.keys(),
            Self::Node => keys::of_node(&common.data, "node"),
            Self::Community => keys::of_node(&common.data, "community"),
        }
    }
}

impl Key {
    pub fn run(self, common: &Common) -> Result<()> {
        match self {
            Self::New { file } => write(common, &keys::generate(), &file),
            Self::Import { secret, file } => write(common, &keys::secret(&secret)?, &file),
            Self::Show { secret } => {
                let secret = secret.unwrap_or_else(|| "own".into());
                let keys = match Whose::from_str(&secret, true) {
                    Ok(whose) => whose.keys(common)?,
                    Err(_) => keys::secret(&secret)?,
                };
                print_public(common, &keys)
            }
            Self::Export { whose, hex: as_hex } => {
                let keys = whose.keys(common)?;
                eprintln!("Whoever reads the next line can sign in this key's name for ever.");
                let secret = if as_hex { hex::encode(&keys.secret()) } else { keys::nsec(&keys)? };
                show::line(secret)
            }
        }
    }
}

fn write(common: &Common, keys: &ayni_protocol::Keys, file: &std::path::Path) -> Result<()> {
    let sealed = std::env::var_os("AYNI_PASSWORD").is_some();
    let line = if sealed { keys::ncryptsec(keys)? } else { keys::nsec(keys)? };
    if file.exists() {
        bail!("{} exists; a key file is never overwritten", file.display());
    }
    keys::write_new(file, &line)?;
    if !sealed {
        eprintln!("{} is not encrypted; keep it to yourself, and keep a copy.", file.display());
    }
    print_public(common, keys)
}

fn print_public(common: &Common, keys: &ayni_protocol::Keys) -> Result<()> {
    let public = keys.public();
    if common.json {
        return show::json(&serde_json::json!({"npub": keys::npub(&public), "hex": public}));
    }
    show::line(keys::npub(&public))
}
