//! What the fuzz targets do with the bytes they are given, apart from libFuzzer.
//!
//! Each target is one function over bytes that asserts what must hold whatever they are. So the
//! same function runs under the fuzzer, and over the committed corpora in an ordinary test
//! (`tests/tests/corpora.rs`), and a finding stays found.
//!
//! What judges is written apart from what is judged: over `serde_json` values, without a look at
//! the house's own parser.

pub mod filter;
pub mod negentropy;
pub mod recovery;
pub mod session;
pub mod verify;
pub mod wire;

mod disk;
mod plain;
mod seed;
