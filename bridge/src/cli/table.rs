//! Tables for people: as wide as they must be, and no wider than the terminal.

use std::fmt;
use std::io::IsTerminal as _;
use std::process::{Command, Stdio};

/// Between two columns.
const GAP: usize = 2;
/// No column is made narrower than this.
const NARROWEST: usize = 8;
/// Where nobody knows how wide the terminal is.
const USUAL: usize = 100;

/// Rows under headings.
pub(super) struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    width: Option<usize>,
}

impl Table {
    /// An empty one for standard output.
    pub(super) fn new(headings: &[&'static str]) -> Self {
        Self { headings: headings.to_vec(), rows: Vec::new(), width: terminal() }
    }

    /// Adds a row. An empty cell shows as a dash.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows
            .push(cells.into_iter().map(|cell| if cell.is_empty() { "-".into() } else { printable(&cell) }).collect());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    #[cfg(test)]
    pub(super) fn within(mut self, width: usize) -> Self {
        self.width = Some(width);
        self
    }

    /// The widths of the columns: those that are wide give, the widest first.
    fn widths(&self) -> Vec<usize> {
        let column = |index: usize| self.rows.iter().filter_map(move |row| row.get(index)).map(|cell| length(cell));
        let mut widths: Vec<_> = self
            .headings
            .iter()
            .enumerate()
            .map(|(i, heading)| column(i).max().unwrap_or(0).max(length(heading)))
            .collect();
        let Some(limit) = self.width else { return widths };
        while widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1) > limit {
            let Some(widest) = widths.iter_mut().max().filter(|width| **width > NARROWEST) else { break };
            *widest -= 1;
        }
        widths
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        let headings: Vec<_> = self.headings.iter().map(|heading| (*heading).to_owned()).collect();
        for row in std::iter::once(&headings).chain(&self.rows) {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                let cell = clipped(cell, *width);
                let padding = width + GAP - length(&cell);
                line.push_str(&cell);
                line.extend(std::iter::repeat_n(' ', padding));
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Names and values, one a line; what is not set is left out.
pub(super) fn facts(facts: &[(&str, String)]) -> String {
    let width = facts.iter().map(|(name, _)| length(name)).max().unwrap_or(0) + GAP;
    let set = facts.iter().filter(|(_, value)| !value.is_empty());
    set.map(|(name, value)| format!("{name:width$}{}\n", printable(value))).collect()
}

fn length(text: &str) -> usize {
    text.chars().count()
}

fn clipped(text: &str, width: usize) -> String {
    if length(text) <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// What others have written must not move the cursor of a terminal.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// The width of the terminal; `None` where the output goes elsewhere, to `grep` for example.
fn terminal() -> Option<usize> {
    if !std::io::stdout().is_terminal() {
        return None;
    }
    let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    said.or_else(ask).filter(|width| *width > 0).or(Some(USUAL))
}

/// `stty` is everywhere, and prints rows and columns.
fn ask() -> Option<usize> {
    let output = Command::new("stty").arg("size").stdin(Stdio::inherit()).stderr(Stdio::null()).output().ok()?;
    std::str::from_utf8(&output.stdout).ok()?.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_fit() {
        let mut table = Table::new(&["ID", "NAME", "NUMBERS"]);
        table.row(["ST_1".into(), "Twilio".into(), "+15105550100, +15105550101, +15105550102".into()]);
        table.row(["ST_22".into(), String::new(), "\u{1b}[2J".into()]);
        let expected = "ID     NAME    NUMBERS\nST_1   Twilio  +15105550100, +1…\nST_22  -       \u{fffd}[2J\n";
        assert_eq!(table.within(32).to_string(), expected);
    }

    #[test]
    fn a_table_that_cannot_fit_is_still_whole() {
        let mut table = Table::new(&["A", "B"]);
        table.row(["12345678".into(), "12345678".into()]);
        assert_eq!(table.within(3).to_string(), "A         B\n12345678  12345678\n");
    }

    #[test]
    fn facts_stand_below_each_other() {
        assert_eq!(
            facts(&[("id", "a".into()), ("name", String::new()), ("numbers", "b".into())]),
            "id       a\nnumbers  b\n"
        );
    }
}
