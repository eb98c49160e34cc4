//! A table redrawn in place, a row for each node.

use flow_engine::run::{NodeProgress, Progress};

use super::rates::{self, Rates};
use crate::number::{self, count};
use crate::screen::Screen;
use crate::table::{Align, Table};

/// Rows that fit on any terminal, with heading and foot.
const MOST: usize = 20;

/// The table.
#[derive(Debug)]
pub(crate) struct Bar {
    screen: Screen,
    rates: Rates,
}

impl Bar {
    /// A table on stderr.
    pub(super) fn new(screen: &Screen) -> Self {
        Self { screen: screen.clone(), rates: Rates::default() }
    }

    /// Draws where the nodes are.
    pub(super) fn update(&mut self, progress: &Progress) {
        self.rates.see(progress);
        self.screen.show(rows(progress, &self.rates));
    }

    /// Takes the table away.
    pub(super) fn clear(&self) {
        self.screen.clear();
    }
}

/// The places of the nodes that are shown: all, or of very many those that are still at work.
fn shown(progress: &Progress) -> Vec<usize> {
    let all = 0..progress.nodes.len();
    if all.len() <= MOST {
        return all.collect();
    }
    all.filter(|&at| !progress.nodes[at].done).take(MOST).collect()
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
    let shown = shown(progress);
    let hidden = progress.nodes.len() - shown.len();
    for at in shown {
        let node = &progress.nodes[at];
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
    let more = if hidden > 0 { format!(", {hidden} more nodes") } else { String::new() };
    lines.push(format!("  {} so far{more}", number::duration(progress.elapsed)));
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

    #[test]
    fn of_very_many_nodes_those_at_work_are_shown() {
        let mut progress = at(1, 5);
        for _ in 0..5 {
            progress.nodes.extend(progress.nodes.clone());
        }
        assert_eq!(shown(&progress).len(), MOST);
        assert!(shown(&progress).iter().all(|at| !progress.nodes[*at].done));
        let rows = rows(&progress, &Rates::default());
        assert_eq!(rows.last().map(String::as_str), Some("  1s so far, 44 more nodes"));
    }
}
