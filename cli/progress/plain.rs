//! Progress as plain lines, every few seconds and only when something has changed.

use std::fmt::Write as _;
use std::time::Duration;

use flow_engine::run::{NodeProgress, Progress};

use super::rates::handled;
use crate::number::{self, count};

/// Before the first line; short runs need none.
const FIRST: Duration = Duration::from_secs(2);
/// Between two lines.
const BETWEEN: Duration = Duration::from_secs(5);

/// What was last said, and when.
#[derive(Debug, Default)]
pub(crate) struct Plain {
    last: Option<(Duration, String)>,
}

impl Plain {
    /// A line, when it is time for one and it says something new.
    pub(super) fn line(&mut self, progress: &Progress) -> Option<String> {
        let due = self.last.as_ref().map_or(FIRST, |(at, _)| *at + BETWEEN);
        if progress.elapsed < due {
            return None;
        }
        let nodes: Vec<String> = progress.nodes.iter().map(words).collect();
        let nodes = nodes.join(" | ");
        if self.last.as_ref().is_some_and(|(_, last)| *last == nodes) {
            return None;
        }
        let line = format!("{:>6}  {nodes}\n", number::duration(progress.elapsed));
        self.last = Some((progress.elapsed, nodes));
        Some(line)
    }
}

fn words(node: &NodeProgress) -> String {
    let account = &node.account;
    let mut words =
        format!("{} {}/{}", account.node, count(handled(node)), count(account.received));
    let mut more = Vec::new();
    if account.rejected > 0 {
        more.push(format!("{} rejected", count(account.rejected)));
    }
    if node.queued > 0 {
        more.push(format!("{} queued", count(node.queued)));
    }
    if !more.is_empty() {
        let _ = write!(words, " ({})", more.join(", "));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::super::samples::at;
    use super::*;

    #[test]
    fn lines_come_seldom_and_only_with_news() {
        let mut plain = Plain::default();
        let mut said = Vec::new();
        for (second, handled) in [(0, 0), (1, 3), (2, 5), (4, 9), (7, 9), (8, 9), (30, 9), (31, 12)]
        {
            said.extend(plain.line(&at(second, handled)));
        }
        assert_eq!(
            said,
            [
                "    2s  files 100/100 | entities 5/9 (7 queued)\n",
                "    7s  files 100/100 | entities 9/13 (7 queued)\n",
                "   31s  files 100/100 | entities 13/16 (1 rejected, 7 queued)\n",
            ]
        );
    }
}
