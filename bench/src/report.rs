//! Outcomes as a table for people or as JSON for machines. Decides nothing.

use std::fmt::Write as _;
use std::io::{IsTerminal, stdout};

use crate::adapters::LIFTED;
use crate::interval::Better;
use crate::outcome::{Figure, Outcome, Verdict};

/// Colour on a terminal, plain text elsewhere.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint {
    on: bool,
}

impl Paint {
    pub(crate) fn new() -> Self {
        Self { on: stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() }
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    pub(crate) fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    pub(crate) fn bad(self, text: &str) -> String {
        self.with("31", text)
    }
}

/// Three significant digits and no more than a reader wants.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 1000.0 => format!("{value:.0}"),
        size if size >= 100.0 => format!("{value:.1}"),
        size if size >= 10.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// A row of cells per outcome, all of one scenario; figures that are not the server's stay out.
pub(crate) fn table(outcomes: &[Outcome], paint: Paint) -> String {
    let Some(widest) = outcomes.iter().max_by_key(|outcome| outcome.figures.len()) else {
        return String::new();
    };
    let mut rows = vec![header(&widest.figures)];
    for outcome in outcomes {
        let value = |figure: &Figure| outcome.value(figure.key).map_or("-".to_owned(), number);
        let mut row = vec![outcome.server.to_owned()];
        row.extend(widest.figures.iter().map(value));
        row.push(format!("{:.2}", outcome.generator.busy));
        row.push(outcome.verdict_words());
        rows.push(row);
    }
    let mut text = aligned(&rows, paint);
    for outcome in outcomes {
        for note in &outcome.notes {
            let _ = writeln!(text, "  {}: {note}", outcome.server);
        }
    }
    text
}

fn header(figures: &[Figure]) -> Vec<String> {
    let mut header = vec!["server".to_owned()];
    header.extend(figures.iter().map(|figure| match figure.unit {
        "" => figure.key.to_owned(),
        unit => format!("{} {unit}", figure.key),
    }));
    header.extend(["generator".to_owned(), "verdict".to_owned()]);
    header
}

/// The first and the last column to the left, numbers to the right.
pub(crate) fn aligned(rows: &[Vec<String>], paint: Paint) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| Some(row.get(column)?.len())).max().unwrap_or(0);
    let widths: Vec<_> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = widths[column];
            if column == 0 {
                let _ = write!(line, "{cell:<width$}");
            } else if column + 1 == columns {
                let _ = write!(line, "  {cell}");
            } else {
                let _ = write!(line, "  {cell:>width$}");
            }
        }
        let line = line.trim_end();
        let painted = if index == 0 { paint.dim(line) } else { line.to_owned() };
        let _ = writeln!(text, "  {painted}");
    }
    text
}

/// What the limits profile lifts, for a reader who wonders.
pub(crate) fn lifted() -> String {
    let mut text = String::from("limits profile `bench` lifts:\n");
    for row in LIFTED {
        let _ = writeln!(text, "  {}: {} -> {} or more ({})", row.limit, row.default, row.needed, row.reason);
    }
    text
}

pub(crate) fn direction(better: Better) -> &'static str {
    match better {
        Better::Lower => "lower is better",
        Better::Higher => "higher is better",
    }
}

pub(crate) fn verdict_line(outcome: &Outcome, paint: Paint) -> String {
    let headline = outcome.figures.first().and_then(|figure| Some((figure, outcome.value(figure.key)?)));
    let figure =
        headline.map(|(figure, value)| format!("{} {} {}, ", figure.key, number(value), figure.unit));
    let words = outcome.verdict_words();
    let verdict = if outcome.verdict == Verdict::Valid { paint.good(&words) } else { paint.bad(&words) };
    format!("{}: {}{verdict}", outcome.server, figure.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let rows = [
            (0.2436, "0.244"),
            (3.5, "3.500"),
            (14.123, "14.12"),
            (139.94, "139.9"),
            (3_558_123.4, "3558123"),
        ];
        for (value, text) in rows {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn columns_align() {
        let rows = [
            vec!["server", "cpu", "verdict"],
            vec!["epoll", "3.67", "valid"],
            vec!["a", "10.1", "not valid"],
        ]
        .map(|row| row.into_iter().map(str::to_owned).collect::<Vec<_>>());
        let text = aligned(&rows, Paint { on: false });
        assert_eq!(text, "  server   cpu  verdict\n  epoll   3.67  valid\n  a       10.1  not valid\n");
    }
}
