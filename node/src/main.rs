//! The program `ayni`.

use std::process::ExitCode;

use ayni_node::cli::{Cli, run};
use ayni_node::name::is_unseen;
use clap::Parser as _;

/// Events are made on one thread and forgotten on another, which this allocator is good at. It asks
/// for no huge pages (`no_thp`): the system clears all of one at its first use, which cost the writer a
/// fifth of its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            // It may hold what a node or a file said.
            let said = format!("{error:#}");
            let said = said.replace(|c| c != '\n' && is_unseen(c), "\u{fffd}");
            eprintln!("ayni: {said}");
            ExitCode::from(1)
        }
    }
}
