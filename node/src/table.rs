//! Tables that people keep in a spreadsheet: CSV as programs write it, whatever parts its cells.
//!
//! Columns are found by their headings, without case and marks, so that a file may have more of
//! them, in any order. Every row remembers its line, because that is what a person looks for.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

/// Rows of one file at most.
const ROWS_MAX: usize = 100_000;

/// A table with headings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Headings, as [`plain`] spells them.
    headings: Vec<String>,
    /// Its rows that are not empty.
    pub rows: Vec<Row>,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its line in the file, from 1.
    pub line: u64,
    cells: Vec<String>,
}

/// Which column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column(usize);

impl Row {
    /// A cell, without blanks around it; empty where the row ends before it.
    #[must_use]
    pub fn cell(&self, column: Column) -> &str {
        self.cells.get(column.0).map_or("", |cell| cell.trim())
    }

    /// A cell of a column that may not be there.
    #[must_use]
    pub fn maybe(&self, column: Option<Column>) -> &str {
        column.map_or("", |column| self.cell(column))
    }
}

/// The text of a file that a spreadsheet wrote.
///
/// # Errors
/// Where it cannot be read, or is in a script of one country, such as Windows-1252.
pub fn text_of(file: &Path) -> Result<String> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let text = String::from_utf8(bytes);
    text.ok().with_context(|| {
        format!(
            "{} is not UTF-8, so letters such as ñ cannot be read: save it as CSV UTF-8",
            file.display()
        )
    })
}

impl Table {
    /// Reads a table whose first row has the headings.
    ///
    /// # Errors
    /// Where it is no table, or too long.
    pub fn read(text: &str) -> Result<Self> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter(text))
            .flexible(true)
            .has_headers(false)
            .from_reader(text.as_bytes());
        let mut rows = Vec::new();
        let mut lines = Lines { text, at: 0, line: 1 };
        for record in reader.records() {
            let record = record.context("this is no table: a row cannot be read")?;
            let line = lines.of(record.position().map_or(0, csv::Position::byte));
            let cells: Vec<String> = record.iter().map(str::to_owned).collect();
            if cells.iter().any(|cell| !cell.trim().is_empty()) {
                rows.push(Row { line, cells });
            }
            if rows.len() > ROWS_MAX {
                bail!("the table has more than {ROWS_MAX} rows; split it");
            }
        }
        if rows.is_empty() {
            bail!("the table is empty; its first row names the columns");
        }
        let headings = rows.remove(0).cells.iter().map(|heading| plain(heading)).collect();
        Ok(Self { headings, rows })
    }

    /// The column that has one of these headings; the first heading that is there decides.
    #[must_use]
    pub fn column(&self, headings: &[&str]) -> Option<Column> {
        let at = |name: &&str| self.headings.iter().position(|heading| *heading == plain(name));
        headings.iter().find_map(at).map(Column)
    }

    /// The column that must be there.
    ///
    /// # Errors
    /// Naming what is missing, and what is there.
    pub fn required(&self, headings: &[&str]) -> Result<Column> {
        self.column(headings).with_context(|| {
            format!(
                "the table has no column {}; it has {}",
                headings.first().copied().unwrap_or_default(),
                self.headings.join(", ")
            )
        })
    }
}

/// Counts lines up to where a row begins. The reader's own count stands before empty lines.
struct Lines<'a> {
    text: &'a str,
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line of the row that begins at this byte, or after the line ends there.
    fn of(&mut self, byte: u64) -> u64 {
        let begun = usize::try_from(byte).unwrap_or(usize::MAX).max(self.at);
        let ends = |byte: &u8| matches!(byte, b'\n' | b'\r');
        let rest = self.text.as_bytes().get(begun..).unwrap_or_default();
        let to = begun.saturating_add(rest.iter().take_while(|byte| ends(byte)).count());
        let between = self.text.as_bytes().get(self.at..to).unwrap_or_default();
        let passed = between.iter().filter(|byte| **byte == b'\n').count();
        self.line = self.line.saturating_add(u64::try_from(passed).unwrap_or(0));
        self.at = to.max(self.at);
        self.line
    }
}

/// A heading as it is compared: its words without case and marks.
fn plain(heading: &str) -> String {
    // «creditLimit» and «Credit limit» are one heading.
    let mut spaced = String::new();
    let mut before_small = false;
    for letter in heading.chars() {
        if letter.is_uppercase() && before_small {
            spaced.push(' ');
        }
        before_small = letter.is_lowercase();
        spaced.push(letter);
    }
    ayni_protocol::search::words(&spaced).collect::<Vec<_>>().join(" ")
}

/// What parts the cells: of comma, semicolon and tabulator what the first row has most of.
fn delimiter(text: &str) -> u8 {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let count = |delimiter: &u8| first.bytes().filter(|byte| byte == delimiter).count();
    // Of equals the last would win, so the comma stands last.
    [b'\t', b';', b','].into_iter().max_by_key(count).unwrap_or(b',')
}

/// What is wrong with a table, row by row.
#[derive(Debug, Default)]
pub struct Complaints(Vec<String>);

impl Complaints {
    /// One more.
    pub fn add(&mut self, line: u64, what: impl std::fmt::Display) {
        self.0.push(format!("line {line}: {what}"));
    }

    /// Prints all of them, and fails where there is one; `so` says what was not done.
    ///
    /// # Errors
    /// Where there is a complaint.
    pub fn settle(self, so: &str) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        self.0.iter().for_each(|complaint| eprintln!("{complaint}"));
        let rows = if self.0.len() == 1 { "row is" } else { "rows are" };
        bail!("{} {rows} wrong, so {so}; mend the file and run this again", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_delimiter_and_any_spelling_of_headings() {
        for text in [
            "Name,creditLimit,Balance\nana,20,1.5\n",
            "\u{feff}NAME;Credit limit;balance\r\n\r\nana;20;1.5\r\n",
            "name\tcredit_limit\tBALANCE\nana\t20\t1.5",
        ] {
            let table = Table::read(text).unwrap();
            let of = |name: &str| table.rows[0].cell(table.required(&[name]).unwrap()).to_owned();
            assert_eq!([of("name"), of("credit limit"), of("balance")], ["ana", "20", "1.5"]);
        }
    }

    #[test]
    fn a_row_knows_its_line_and_may_be_short() {
        let table = Table::read("to,amount,memo\n\n\"Ben\nB.\",1,\"a, b\"\nana,2\n").unwrap();
        let memo = table.column(&["note", "memo"]).unwrap();
        let found: Vec<_> = table.rows.iter().map(|row| (row.line, row.cell(memo))).collect();
        assert_eq!(found, [(3, "a, b"), (5, "")]);
        assert_eq!(table.rows[0].maybe(None), "");
    }

    #[test]
    fn a_file_in_another_script_says_how_to_save_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("wages.csv");
        std::fs::write(&file, b"to,amount\nMu\xf1oz,1.00\n").unwrap();
        let said = text_of(&file).unwrap_err().to_string();
        assert!(said.ends_with("save it as CSV UTF-8"), "{said}");
        std::fs::write(&file, "to,amount\nMuñoz,1.00\n").unwrap();
        assert_eq!(Table::read(&text_of(&file).unwrap()).unwrap().rows.len(), 1);
        assert!(text_of(&folder.path().join("none")).unwrap_err().to_string().contains("read"));
    }

    #[test]
    fn what_is_no_table_is_refused() {
        assert!(Table::read(" \n\n").unwrap_err().to_string().contains("is empty"));
        let said = Table::read("a,b\n").unwrap().required(&["amount"]).unwrap_err().to_string();
        assert_eq!(said, "the table has no column amount; it has a, b");
    }

    #[test]
    fn complaints_are_counted() {
        assert!(Complaints::default().settle("nothing was done").is_ok());
        let mut complaints = Complaints::default();
        complaints.add(3, "no");
        let said = complaints.settle("nothing was paid").unwrap_err().to_string();
        assert_eq!(said, "1 row is wrong, so nothing was paid; mend the file and run this again");
    }
}
