//! A graph as a tree in text: every node once, later references to it marked.

use std::fmt::Write as _;

use super::Drawing;

/// What is still to be drawn.
struct Branch {
    node: usize,
    /// What stands before the name on this line.
    lead: String,
    /// What stands before the children's own lead.
    indent: String,
    failed: bool,
}

/// The graph from its sources down. A node with several inputs is drawn where it is first met.
pub(crate) fn tree(drawing: &Drawing) -> String {
    let count = drawing.nodes.len();
    let mut below = vec![Vec::new(); count];
    let mut above = vec![Vec::new(); count];
    for edge in &drawing.edges {
        below[edge.from].push((edge.failed, edge.to));
        above[edge.to].push((edge.failed, edge.from));
    }
    for children in &mut below {
        children.sort_by_key(|&(failed, _)| failed);
    }
    let mut drawn: Vec<Option<usize>> = vec![None; count];
    let mut text = String::new();
    let starts = (0..count).filter(|&node| above[node].is_empty());
    let mut stack: Vec<Branch> = starts.map(|node| root(node)).collect();
    stack.reverse();
    while let Some(branch) = stack.pop() {
        line(&mut text, drawing, &branch, &above, &drawn);
        if drawn[branch.node].is_some() {
            continue;
        }
        drawn[branch.node] = Some(branch.node);
        let last = below[branch.node].len();
        let children = below[branch.node].iter().enumerate().map(|(nth, &(failed, node))| {
            let is_last = nth + 1 == last;
            let (corner, bar) = if is_last { ("└", "   ") } else { ("├", "│  ") };
            let rail = if failed { "╌ " } else { "─ " };
            Branch {
                node,
                lead: format!("{}{corner}{rail}", branch.indent),
                indent: format!("{}{bar}", branch.indent),
                failed,
            }
        });
        let mut children: Vec<Branch> = children.collect();
        children.reverse();
        stack.append(&mut children);
    }
    text
}

fn root(node: usize) -> Branch {
    Branch { node, lead: String::new(), indent: String::new(), failed: false }
}

fn line(
    text: &mut String,
    drawing: &Drawing,
    branch: &Branch,
    above: &[Vec<(bool, usize)>],
    drawn: &[Option<usize>],
) {
    let node = &drawing.nodes[branch.node];
    let failed = if branch.failed { "failed: " } else { "" };
    let _ = write!(text, "{}{failed}{}", branch.lead, node.name);
    if drawn[branch.node].is_some() {
        text.push_str("  (drawn above)\n");
        return;
    }
    let _ = write!(text, "  {}", node.stage);
    for fact in node.world().iter().chain(&node.hints) {
        let _ = write!(text, " · {fact}");
    }
    if above[branch.node].len() > 1 {
        let all: Vec<String> = above[branch.node]
            .iter()
            .map(|&(failed, from)| {
                format!("{}{}", drawing.nodes[from].name, if failed { ".failed" } else { "" })
            })
            .collect();
        let _ = write!(text, "  <- {}", all.join(", "));
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::samples;

    #[test]
    fn a_node_with_two_inputs_is_drawn_once_and_marked_later() {
        insta::assert_snapshot!(tree(&samples::interviews()));
    }
}
