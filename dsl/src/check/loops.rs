//! Loops among the nodes, shown whole. Without recursion: a chain may be long.

use super::Checker;
use super::nodes::Draft;
use crate::code::Code;
use crate::source::Span;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    New,
    /// On the path that is being followed.
    Open,
    Done,
}

impl Checker<'_> {
    /// Reports every loop that a walk along the edges comes upon.
    pub(super) fn loops(&mut self, drafts: &[Draft<'_, '_>]) {
        let mut marks = vec![Mark::New; drafts.len()];
        for start in 0..drafts.len() {
            if marks[start] != Mark::New {
                continue;
            }
            // Each step: a node, and which of its edges is next.
            let mut path = vec![(start, 0)];
            marks[start] = Mark::Open;
            while let Some(step) = path.last_mut() {
                let (node, next) = *step;
                step.1 += 1;
                match drafts[node].wires.get(next).map(|wire| wire.from) {
                    None => {
                        marks[node] = Mark::Done;
                        path.pop();
                    }
                    Some(above) => match marks[above] {
                        Mark::New => {
                            marks[above] = Mark::Open;
                            path.push((above, 0));
                        }
                        Mark::Open => {
                            let from = path.iter().position(|(node, _)| *node == above);
                            self.one_loop(drafts, &path[from.unwrap_or(0)..]);
                        }
                        Mark::Done => {}
                    },
                }
            }
        }
    }

    /// `path` goes against the stream, from a node to what it reads.
    fn one_loop(&mut self, drafts: &[Draft<'_, '_>], path: &[(usize, usize)]) {
        // An edge each: who reads, whom, where it is written.
        let mut edges: Vec<(&str, &str, Span)> = path
            .iter()
            .filter_map(|&(node, next)| {
                let wire = drafts[node].wires.get(next - 1)?;
                Some((drafts[wire.from].name(), drafts[node].name(), wire.span))
            })
            .collect();
        edges.reverse();
        // Begin with the node that stands first in the file.
        let first = (0..edges.len()).min_by_key(|&at| {
            drafts.iter().position(|draft| draft.name() == edges[at].0).unwrap_or(usize::MAX)
        });
        edges.rotate_left(first.unwrap_or(0));
        let Some(&(_, _, span)) = edges.last() else { return };
        let mut names: Vec<&str> = edges.iter().map(|(from, ..)| *from).collect();
        names.extend(names.first().copied());
        let message = format!("the nodes form a loop: {}", names.join(" -> "));
        let label = |(from, to, _): &(&str, &str, Span)| format!("`{to}` reads `{from}`");
        let mut found = crate::Diagnostic::new(Code::F0303, self.file, span, message)
            .label(edges.last().map(label).unwrap_or_default())
            .help("take one of these edges away: records must come to an end");
        for edge in &edges[..edges.len() - 1] {
            found = found.other(edge.2, label(edge));
        }
        self.push(found);
    }
}
