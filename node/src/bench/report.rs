//! Figures, as they come: a name, a number with its unit, and what it is to be read against.

use serde::Serialize;

/// One figure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// What was measured.
    pub name: String,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
    /// The same in other words: a share of the machine's own limit, the bytes that it took.
    pub remark: String,
}

/// All figures of a run.
pub struct Report<'a> {
    /// In the order of measuring.
    pub rows: Vec<Row>,
    shown: &'a mut dyn FnMut(&Row),
}

impl<'a> Report<'a> {
    /// An empty report; `shown` sees each figure as it comes.
    #[must_use]
    pub fn new(shown: &'a mut dyn FnMut(&Row)) -> Self {
        Self { rows: Vec::new(), shown }
    }

    /// Adds a figure.
    pub fn row(&mut self, name: &str, value: f64, unit: &'static str, remark: String) {
        let row = Row { name: name.to_owned(), value, unit, remark };
        (self.shown)(&row);
        self.rows.push(row);
    }
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let figure = match self.value {
            value if value >= 100.0 => format!("{value:.0}"),
            value => format!("{value:.2}"),
        };
        write!(f, "{:<44} {figure:>10} {:<10} {}", self.name, self.unit, self.remark)
    }
}
