//! What a relay on this machine takes and gives: `cargo bench -p ayni-node`, or `ayni bench` where
//! the program is installed, which knows options.

use std::collections::BTreeSet;

use ayni_node::bench::Bench;

fn main() -> anyhow::Result<()> {
    let bench = Bench {
        events: 100_000,
        stored: 100_000,
        subscribers: 1_000,
        parts: BTreeSet::new(),
        program: env!("CARGO_BIN_EXE_ayni").into(),
        url: None,
        loaded: false,
    };
    bench.run(&mut |row| println!("{row}")).map(|_| ())
}
