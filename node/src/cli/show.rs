//! Printing: to standard output, where a closed pipe is no failure.

use std::io::{ErrorKind, Write as _};

use anyhow::Result;

/// Prints one line.
///
/// # Errors
/// Where standard output cannot be written, except that a reader went away.
pub fn line(text: impl std::fmt::Display) -> Result<()> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => Ok(done?),
    }
}

/// Prints a value as indented JSON.
///
/// # Errors
/// As [`line`].
pub fn json(value: &serde_json::Value) -> Result<()> {
    line(serde_json::to_string_pretty(value)?)
}

/// Prints rows under headings, each column as wide as its widest cell; numbers to the right.
///
/// # Errors
/// As [`line`].
pub fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> Result<()> {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        let heading = headings.get(column).map_or(0, |heading| heading.len());
        cells.max().unwrap_or(0).max(heading)
    };
    let number =
        |cell: &str| cell.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+');
    let print = |cells: [&str; N]| {
        let padded = cells.iter().enumerate().map(|(column, cell)| {
            let pad = " ".repeat(width(column).saturating_sub(cell.chars().count()));
            if number(cell) { format!("{pad}{cell}") } else { format!("{cell}{pad}") }
        });
        line(padded.collect::<Vec<_>>().join("  ").trim_end())
    };
    print(headings)?;
    for row in rows {
        print(std::array::from_fn(|column| row.get(column).map_or("", String::as_str)))?;
    }
    Ok(())
}
