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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// Every input that ever reached something new, and every finding, on each `make test`.
    fn replay(target: &str, run: fn(&[u8])) {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
        let files = fs::read_dir(&corpus).unwrap().map(|file| file.unwrap().path());
        let mut replayed = 0;
        for file in files {
            println!("{}", file.display());
            run(&fs::read(file).unwrap());
            replayed += 1;
        }
        assert!(replayed > 100, "{target} has a corpus");
    }

    #[test]
    fn wire() {
        replay("wire", crate::wire::run);
    }

    #[test]
    fn verify() {
        replay("verify", crate::verify::run);
    }

    #[test]
    fn filter() {
        replay("filter", crate::filter::run);
    }

    #[test]
    fn session() {
        replay("session", crate::session::run);
    }

    #[test]
    fn recovery() {
        replay("recovery", crate::recovery::run);
    }

    #[test]
    fn negentropy() {
        replay("negentropy", crate::negentropy::run);
    }

    #[test]
    fn nip98() {
        replay("nip98", crate::nip98::run);
    }
}
