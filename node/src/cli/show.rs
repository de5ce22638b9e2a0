//! Printing: to standard output, where a closed pipe is no failure.
//!
//! Much of what is shown was written by others. A memo that moves the cursor, or ends a line, could
//! paint one that the program never said; so what is shown on a line stays on it, and as it is.

use std::io::{ErrorKind, Write as _};

use anyhow::Result;

use crate::name::is_unseen;

/// What stands for a character that is not shown.
const REPLACEMENT: char = '\u{fffd}';

/// Prints one line.
///
/// # Errors
/// Where standard output cannot be written, except that a reader went away.
pub fn line(text: impl std::fmt::Display) -> Result<()> {
    raw(seen(&text.to_string()))
}

/// Prints a text of several lines.
///
/// # Errors
/// As [`line`].
pub fn lines(text: impl std::fmt::Display) -> Result<()> {
    text.to_string().lines().try_for_each(line)
}

/// Prints what a program reads: a table for a spreadsheet, byte for byte.
///
/// # Errors
/// As [`line`].
pub fn raw(text: impl std::fmt::Display) -> Result<()> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => Ok(done?),
    }
}

/// A text on one line: what is not seen, and what ends a line, is replaced.
#[must_use]
pub fn seen(text: &str) -> String {
    text.chars().map(|c| if is_unseen(c) { REPLACEMENT } else { c }).collect()
}

/// Prints a value as indented JSON.
///
/// # Errors
/// As [`line`].
pub fn json(value: &serde_json::Value) -> Result<()> {
    raw(escaped(&serde_json::to_string_pretty(value)?))
}

/// JSON that says the same without a character that is not seen.
fn escaped(json: &str) -> String {
    let escape = |c: char| match c {
        '\n' => "\n".to_owned(),
        // All of these are below 2^16, so one escape says each.
        c if is_unseen(c) => format!("\\u{:04x}", u32::from(c)),
        c => c.to_string(),
    };
    json.chars().map(escape).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_paints_no_line() {
        assert_eq!(seen("two jars of honey, ñandú 🍯"), "two jars of honey, ñandú 🍯");
        assert_eq!(
            seen("a\r\nben  999.00\u{1b}[2K\u{9b}2K"),
            "a\u{fffd}\u{fffd}ben  999.00\u{fffd}[2K\u{fffd}2K"
        );
        assert_eq!(seen("\u{202e}00.1\u{2066}"), "\u{fffd}00.1\u{fffd}");
    }

    #[test]
    fn json_says_the_same_in_letters_that_are_seen() {
        let value = serde_json::json!({"memo": "a\n\u{9b}2K\u{202e}b"});
        let shown = escaped(&serde_json::to_string_pretty(&value).unwrap());
        assert!(!shown.replace('\n', "").contains(is_unseen), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }
}
