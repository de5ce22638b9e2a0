//! The program `ayni`.

use std::process::ExitCode;

use ayni_node::cli::{Cli, run};
use clap::Parser as _;

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("ayni: {error:#}");
            ExitCode::from(1)
        }
    }
}
