//! A graph as a Mermaid flowchart, which Git hosts draw inside Markdown.

use std::fmt::Write as _;

use flow_dsl::catalog::Shape;

use super::{Drawing, shape};

const CLASSES: &str = "  classDef source fill:#e6f6ec,stroke:#2f9e5b,color:#12331f
  classDef map fill:#e8f0fe,stroke:#4273d8,color:#14264d
  classDef gather fill:#fdf0e0,stroke:#d9822b,color:#4a2a08
  classDef sink fill:#f1eafc,stroke:#8457c9,color:#2c1850
";

/// The flowchart.
pub(super) fn mermaid(drawing: &Drawing) -> String {
    let mut text = String::from("flowchart TD\n");
    for (at, node) in drawing.nodes.iter().enumerate() {
        let (open, close) = match node.shape {
            Shape::Source => ("([", "])"),
            Shape::Map => ("[", "]"),
            Shape::Gather => ("{{", "}}"),
            Shape::Sink => ("[(", ")]"),
        };
        let mut label = format!("<b>{}</b><br/>{}", escape(&node.name), escape(&node.stage));
        for hint in &node.hints {
            let _ = write!(label, "<br/><small>{}</small>", escape(hint));
        }
        let _ = writeln!(text, "  n{at}{open}\"{label}\"{close}:::{}", shape(node.shape));
    }
    for edge in &drawing.edges {
        let arrow = if edge.failed { "-. failed .->" } else { "-->" };
        let _ = writeln!(text, "  n{} {arrow} n{}", edge.from, edge.to);
    }
    text.push_str(CLASSES);
    text
}

/// Mermaid reads `#name;` as a character; nothing else can close a quoted label.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '#' => escaped.push_str("#35;"),
            '"' => escaped.push_str("#quot;"),
            '<' => escaped.push_str("#lt;"),
            '>' => escaped.push_str("#gt;"),
            '&' => escaped.push_str("#amp;"),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::samples;

    #[test]
    fn a_flowchart_shows_shapes_and_rejects() {
        insta::assert_snapshot!(mermaid(&samples::interviews()));
    }

    #[test]
    fn a_label_cannot_break_out() {
        assert_eq!(escape("a\"]-->#b<i>\n"), "a#quot;]--#gt;#35;b#lt;i#gt; ");
    }
}
