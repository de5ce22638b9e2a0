//! Figures, as they come: a name, a number with its unit, and what it is to be read against.

use std::time::Duration;

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

    /// Adds how long something took, as sorted: the median, and within how long nearly all and all came.
    pub fn delays(&mut self, name: &str, sorted: &[Duration]) {
        let [half, most, last] = [50, 99, 100].map(|percent| percentile_ms(sorted, percent));
        let remark = format!("99 % within {most:.2} ms, all within {last:.2} ms");
        self.row(&format!("{name}: median"), half, "ms", remark);
    }
}

fn percentile_ms(sorted: &[Duration], percent: usize) -> f64 {
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(at).copied().unwrap_or_default().as_secs_f64() * 1e3
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
