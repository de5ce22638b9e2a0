//! What the fuzz targets do with the bytes they are given, apart from libFuzzer.
//!
//! Each target is one function over bytes that asserts what must hold whatever they are.
//!
//! What judges is written apart from what is judged: over `serde_json` values, without a look at
//! the house's own parser.

pub mod filter;
pub mod negentropy;
pub mod nip98;
pub mod recovery;
pub mod session;
pub mod verify;
pub mod wire;

mod disk;
mod plain;
mod seed;
