//! Columns of text, aligned.

use std::fmt::Write as _;

/// How a column is aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Rows under headings.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table; without any heading, no heading line is drawn.
    pub(crate) fn new(columns: &[(&'static str, Align)]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; a missing cell is empty.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The lines, each beginning with `indent`, without blanks at their ends.
    pub(crate) fn lines(&self, indent: &str) -> Vec<String> {
        let headings: Vec<String> =
            self.columns.iter().map(|(name, _)| (*name).to_owned()).collect();
        let headed = headings.iter().any(|name| !name.is_empty());
        let all: Vec<&Vec<String>> =
            headed.then_some(&headings).into_iter().chain(&self.rows).collect();
        let width = |column: usize| {
            all.iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        all.iter().map(|row| self.line(indent, row, &widths)).collect()
    }

    /// The lines as one text.
    pub(crate) fn text(&self, indent: &str) -> String {
        self.lines(indent).iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    }

    fn line(&self, indent: &str, row: &[String], widths: &[usize]) -> String {
        let mut line = indent.to_owned();
        for (at, ((_, align), width)) in self.columns.iter().zip(widths).enumerate() {
            let cell = row.get(at).map_or("", String::as_str);
            let gap = if at == 0 { "" } else { "  " };
            let _ = match align {
                Align::Left => write!(line, "{gap}{cell:<width$}"),
                Align::Right => write!(line, "{gap}{cell:>width$}"),
            };
        }
        line.truncate(line.trim_end().len());
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table =
            Table::new(&[("node", Align::Left), ("in", Align::Right), ("", Align::Left)]);
        table.row(["Käse".to_owned(), "1".to_owned(), "x".to_owned()]);
        table.row(["a".to_owned(), "1,000".to_owned()]);
        assert_eq!(table.text(" "), " node     in\n Käse      1  x\n a     1,000\n");
    }

    #[test]
    fn nothing_is_drawn_of_an_empty_table_without_headings() {
        assert_eq!(Table::new(&[("", Align::Left)]).text(""), "");
    }
}
