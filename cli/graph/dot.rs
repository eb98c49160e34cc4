//! A graph in the language of Graphviz.

use std::fmt::Write as _;

use flow_dsl::catalog::Shape;

use super::Drawing;

/// The digraph.
pub(super) fn dot(drawing: &Drawing) -> String {
    let mut text = format!("digraph {} {{\n", quote(&drawing.name));
    if let Some(title) = &drawing.title {
        let _ = writeln!(text, "  label={}; labelloc=t;", quote(title));
    }
    text.push_str("  node [shape=box, style=\"rounded,filled\", fontname=\"Helvetica\"];\n");
    for (at, node) in drawing.nodes.iter().enumerate() {
        let (fill, stroke) = match node.shape {
            Shape::Source => ("#e6f6ec", "#2f9e5b"),
            Shape::Map => ("#e8f0fe", "#4273d8"),
            Shape::Gather => ("#fdf0e0", "#d9822b"),
            Shape::Sink => ("#f1eafc", "#8457c9"),
        };
        let lines: Vec<&str> = [node.name.as_str(), node.stage.as_str()]
            .into_iter()
            .chain(node.hints.iter().map(String::as_str))
            .collect();
        let label = quote(&lines.join("\n"));
        let _ =
            writeln!(text, "  n{at} [label={label}, fillcolor=\"{fill}\", color=\"{stroke}\"];");
    }
    for edge in &drawing.edges {
        let style =
            if edge.failed { " [label=\"failed\", style=dashed, color=\"#d64545\"]" } else { "" };
        let _ = writeln!(text, "  n{} -> n{}{style};", edge.from, edge.to);
    }
    text.push_str("}\n");
    text
}

fn quote(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{}\"", escaped.replace(|c: char| c.is_control(), " "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::samples;

    #[test]
    fn a_digraph_shows_stages_and_rejects() {
        insta::assert_snapshot!(dot(&samples::interviews()));
    }

    #[test]
    fn quotes_and_backslashes_are_escaped() {
        assert_eq!(quote("a\"b\\c\nd\r"), "\"a\\\"b\\\\c\\nd \"");
    }
}
