//! A table redrawn in place, a row for each node.

use flow_engine::run::{NodeProgress, Progress};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::rates::{self, Rates};
use crate::log::Screen;
use crate::number::{self, count};
use crate::table::{Align, Table};

/// The table.
#[derive(Debug)]
pub(crate) struct Bar {
    screen: MultiProgress,
    lines: Vec<ProgressBar>,
    rates: Rates,
}

impl Bar {
    /// A table on stderr.
    pub(super) fn new(screen: &Screen) -> Self {
        let screen = screen.0.clone();
        screen.set_draw_target(ProgressDrawTarget::stderr_with_hz(8));
        Self { screen, lines: Vec::new(), rates: Rates::default() }
    }

    /// Draws where the nodes are.
    pub(super) fn update(&mut self, progress: &Progress) {
        self.rates.see(progress);
        let text = rows(progress, &self.rates);
        while self.lines.len() < text.len() {
            let line = self.screen.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("{wide_msg}") {
                line.set_style(style);
            }
            self.lines.push(line);
        }
        for (line, text) in self.lines.iter().zip(text) {
            line.set_message(text);
        }
    }

    /// Writes with the table taken away for a moment.
    pub(super) fn beside(&self, write: impl FnOnce()) {
        self.screen.suspend(write);
    }

    /// Takes the table away.
    pub(super) fn clear(&mut self) {
        for line in self.lines.drain(..) {
            line.finish_and_clear();
        }
        // A terminal that went away is not our trouble.
        let _ = self.screen.clear();
    }
}

fn rows(progress: &Progress, rates: &Rates) -> Vec<String> {
    let mut table = Table::new(&[
        ("node", Align::Left),
        ("in", Align::Right),
        ("out", Align::Right),
        ("rejected", Align::Right),
        ("queue", Align::Right),
        ("rate/s", Align::Right),
        ("ETA", Align::Right),
    ]);
    for (at, node) in progress.nodes.iter().enumerate() {
        let queue = if node.buffer == 0 {
            String::new()
        } else {
            format!("{}/{}", count(node.queued), count(node.buffer))
        };
        table.row([
            node.account.node.clone(),
            count(node.account.received),
            count(node.account.out),
            count(node.account.rejected),
            queue,
            rates.rate(at).filter(|_| !node.done).map(rate).unwrap_or_default(),
            ending(progress, node),
        ]);
    }
    let mut lines = table.lines("  ");
    lines.push(format!("  {} so far", number::duration(progress.elapsed)));
    lines
}

fn rate(rate: f64) -> String {
    if rate < 10.0 { format!("{rate:.1}") } else { format!("{rate:.0}") }
}

fn ending(progress: &Progress, node: &NodeProgress) -> String {
    if node.done {
        return "done".to_owned();
    }
    rates::left(progress.elapsed, node).map(number::duration).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::samples::at;
    use super::*;

    #[test]
    fn there_is_a_row_for_each_node() {
        let mut rates = Rates::default();
        rates.see(&at(0, 0));
        rates.see(&at(10, 1025));
        let expected = [
            "  node         in    out  rejected  queue  rate/s   ETA",
            "  files       100    100         0              0  done",
            "  entities  1,029  1,025         1   7/64     103   30s",
            "  10s so far",
        ];
        let rows: Vec<String> = rows(&at(10, 1025), &rates);
        assert_eq!(
            rows.join("\n"),
            expected.join("\n").replace("             0  done", "                done")
        );
    }
}
