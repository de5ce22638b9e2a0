//! The program `ayni`.

use std::process::ExitCode;

use ayni_node::cli::{Cli, run};
use ayni_node::name::is_unseen;
use clap::Parser as _;

/// Events are made on one thread and forgotten on another, which this allocator is good at.
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
