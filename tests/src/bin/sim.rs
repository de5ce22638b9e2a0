//! `cargo sim --seeds N [--from SEED]`: runs worlds of the simulator one after another, on all
//! processors, and prints one line that replays the first that breaks a law.

use std::process::ExitCode;
use std::time::Instant;

use ayni_tests::sim;

fn main() -> ExitCode {
    let (from, seeds) = match asked(std::env::args().skip(1)) {
        Ok(asked) => asked,
        Err(why) => {
            eprintln!("{why}\nUsage: cargo sim --seeds N [--from SEED]");
            return ExitCode::from(2);
        }
    };
    let began = Instant::now();
    let seen = match sim::run_all(from, seeds) {
        Ok(seen) => seen,
        Err((seed, law)) => {
            println!("{law}; replay: cargo sim --seeds 1 --from {seed}");
            return ExitCode::FAILURE;
        }
    };
    println!("{seeds} worlds in {} s, every law held: {seen}", began.elapsed().as_secs());
    ExitCode::SUCCESS
}

/// From which seed, and how many.
fn asked(mut words: impl Iterator<Item = String>) -> Result<(u64, u64), String> {
    let (mut from, mut seeds) = (0, 300);
    while let Some(word) = words.next() {
        let number = words.next().and_then(|number| number.parse().ok());
        let number = number.ok_or_else(|| format!("{word} needs a number"))?;
        match word.as_str() {
            "--seeds" => seeds = number,
            "--from" => from = number,
            other => return Err(format!("{other} is not understood")),
        }
    }
    Ok((from, seeds))
}
