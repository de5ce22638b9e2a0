//! The program `ayni`.

use std::process::ExitCode;

use ayni_node::cli::{Cli, run};
use clap::Parser as _;

/// Events are made on one thread and forgotten on another, which this allocator is good at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("ayni: {error:#}");
            ExitCode::from(1)
        }
    }
}
