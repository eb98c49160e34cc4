//! A graph as a picture: SVG without any outside help, readable on light and dark pages.

use std::fmt::Write as _;

use flow_dsl::catalog::Shape;

use super::layout::{self, Layout, Rect, Route};
use super::{Drawing, Node, shape};
use crate::number;

const MARGIN: f64 = 32.0;
const HEADING: f64 = 64.0;
const LEGEND: f64 = 44.0;
const PADDING: f64 = 16.0;
/// Longest name, in characters.
const LONGEST: usize = 120;
/// Longest line of small print in a box, in characters; what is longer takes several.
const LINE: usize = 42;
/// Lines that one thing takes at most.
const LINES: usize = 4;

const STYLE: &str = "
  svg { color-scheme: light dark; }
  text { font-family: Inter, ui-sans-serif, system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif; }
  .page { fill: #ffffff; }
  .title { font-size: 19px; font-weight: 650; fill: #1c2430; }
  .sub { font-size: 12px; fill: #6b7685; }
  .box { stroke-width: 1.4; }
  .name { font-size: 14px; font-weight: 600; fill: #1c2430; }
  .stage { font-size: 11.5px; font-weight: 500; }
  .hint { font-size: 10.5px; fill: #6b7685; }
  .source { fill: #e9f7ef; stroke: #2f9e5b; } .stage-source { fill: #23804a; }
  .map { fill: #ecf2fe; stroke: #4273d8; } .stage-map { fill: #345fb8; }
  .gather { fill: #fdf2e4; stroke: #d9822b; } .stage-gather { fill: #a95f17; }
  .sink { fill: #f4eefd; stroke: #8457c9; } .stage-sink { fill: #6b42ab; }
  .edge { fill: none; stroke: #8a95a5; stroke-width: 1.6; stroke-linecap: round; }
  .failed { fill: none; stroke: #d64545; stroke-width: 1.4; stroke-dasharray: 5 4; }
  .tip { fill: #8a95a5; } .tip-failed { fill: #d64545; }
  .reject { font-size: 10px; fill: #d64545; }
  @media (prefers-color-scheme: dark) {
    .page { fill: #12161c; } .title, .name { fill: #e8edf4; } .sub, .hint { fill: #93a0b1; }
    .source { fill: #14291d; } .map { fill: #16223c; } .gather { fill: #33230f; } .sink { fill: #251a3a; }
    .stage-source { fill: #63c48b; } .stage-map { fill: #8fb0f5; } .stage-gather { fill: #eaa960; } .stage-sink { fill: #b899ea; }
    .edge { stroke: #6a7686; } .tip { fill: #6a7686; }
  }
";

/// What is written in a box.
struct Card<'a> {
    node: &'a Node,
    small: Vec<String>,
    width: f64,
    height: f64,
}

/// The picture.
pub(super) fn svg(drawing: &Drawing) -> String {
    let cards: Vec<Card<'_>> = drawing.nodes.iter().map(card).collect();
    let sizes: Vec<layout::Size> =
        cards.iter().map(|card| layout::Size { width: card.width, height: card.height }).collect();
    let edges: Vec<layout::Edge> = drawing
        .edges
        .iter()
        .map(|edge| layout::Edge { from: edge.from, to: edge.to, failed: edge.failed })
        .collect();
    let layout = layout::layout(&sizes, &edges);
    let mut text = String::new();
    heading(&mut text, drawing, &layout);
    for route in &layout.routes {
        line(&mut text, route, drawing.edges[route.edge].failed);
    }
    for (card, place) in cards.iter().zip(&layout.boxes) {
        boxed(&mut text, card, place);
    }
    text.push_str("</g>\n</svg>\n");
    text
}

fn card(node: &Node) -> Card<'_> {
    let hints = node.hints.chunks(2).map(|pair| pair.join(" · "));
    let small = node.world().into_iter().chain(hints);
    let small: Vec<String> = small.flat_map(|line| broken(&line)).collect();
    let width =
        [text_width(&number::cut(&node.name, LONGEST), 14.0), text_width(&node.stage, 11.5)]
            .into_iter()
            .chain(small.iter().map(|line| text_width(line, 10.5)))
            .fold(96.0, f64::max);
    #[expect(clippy::cast_precision_loss, reason = "a handful of lines")]
    let lines = small.len() as f64;
    Card { node, small, width: (width + 2.0 * PADDING).round(), height: 52.0 + lines * 15.0 }
}

/// A text in lines that a box can hold, broken behind a blank, a comma or a slash where it has one.
fn broken(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut letters: Vec<char> = number::cut(text, LINE * LINES).chars().collect();
    while letters.len() > LINE && lines.len() + 1 < LINES {
        let fit = letters[..LINE].iter().rposition(|c| matches!(c, ' ' | ',' | '/'));
        let rest = letters.split_off(fit.map_or(LINE, |at| at + 1));
        lines.push(letters.into_iter().collect());
        letters = rest;
    }
    lines.push(number::cut(&letters.into_iter().collect::<String>(), LINE));
    lines
}

/// About as wide as common sans-serif fonts draw it; wide scripts count double.
fn text_width(text: &str, size: f64) -> f64 {
    let units: f64 = text
        .chars()
        .map(|c| match c {
            'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' => 0.33,
            'm' | 'w' | 'M' | 'W' => 0.9,
            'A'..='Z' => 0.7,
            '\0'..='\u{2e7f}' => 0.57,
            _ => 1.05,
        })
        .sum();
    units * size
}

fn heading(text: &mut String, drawing: &Drawing, layout: &Layout) {
    let title = drawing.title.as_deref().unwrap_or(&drawing.name);
    let sub = format!("{} · {}", drawing.name, number::counted(drawing.nodes.len() as u64, "node"));
    let heading = text_width(title, 22.0).max(text_width(&sub, 12.5));
    let width = layout.width.max(heading).max(360.0) + 2.0 * MARGIN;
    let height = HEADING + MARGIN + layout.height + LEGEND + MARGIN * 0.5;
    let (width, height) = (width.ceil(), height.ceil());
    let _ = write!(
        text,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"{}\">\n<style>{STYLE}</style>\n\
         <rect class=\"page\" width=\"{width}\" height=\"{height}\" rx=\"12\"/>\n\
         <text class=\"title\" x=\"{MARGIN}\" y=\"40\">{}</text>\n\
         <text class=\"sub\" x=\"{MARGIN}\" y=\"60\">{}</text>\n",
        escape(title),
        escape(title),
        escape(&sub)
    );
    legend(text, height - MARGIN * 0.75);
    let left = (width - layout.width) / 2.0;
    let _ =
        writeln!(text, "<g transform=\"translate({} {})\">", point(left), HEADING + MARGIN * 0.75);
}

fn legend(text: &mut String, y: f64) {
    let mut x = MARGIN;
    for kind in [Shape::Source, Shape::Map, Shape::Gather, Shape::Sink] {
        let word = shape(kind);
        let _ = writeln!(
            text,
            "<rect class=\"box {word}\" x=\"{x}\" y=\"{}\" width=\"14\" height=\"10\" rx=\"3\"/>\
             <text class=\"hint\" x=\"{}\" y=\"{y}\">{word}</text>",
            point(y - 9.0),
            point(x + 20.0)
        );
        x += 34.0 + text_width(word, 10.5) + 8.0;
    }
    let _ = writeln!(
        text,
        "<path class=\"failed\" d=\"M{} {}h26\"/><text class=\"hint\" x=\"{}\" y=\"{y}\">rejects</text>",
        point(x),
        point(y - 4.0),
        point(x + 32.0)
    );
}

fn line(text: &mut String, route: &Route, failed: bool) {
    let class = if failed { "failed" } else { "edge" };
    let mut path = String::new();
    let Some((start, rest)) = route.points.split_first() else { return };
    let _ = write!(path, "M{} {}", point(start.0), point(start.1));
    let mut before = *start;
    let end = rest.len().saturating_sub(1);
    for (at, &(x, y)) in rest.iter().enumerate() {
        // The tip takes the last pixels of a line that arrives.
        let y = if at == end && route.arrives { y - 6.0 } else { y };
        if (x - before.0).abs() < 0.05 {
            let _ = write!(path, "V{}", point(y));
        } else {
            let middle = point(f64::midpoint(before.1, y));
            let (from, to) = (point(before.0), point(x));
            let _ = write!(path, "C{from} {middle} {to} {middle} {to} {}", point(y));
        }
        before = (x, y);
    }
    let _ = writeln!(text, "<path class=\"{class}\" d=\"{path}\"/>");
    if route.arrives {
        let tip = if failed { "tip-failed" } else { "tip" };
        let (x, y) = (before.0, before.1 + 6.0);
        let _ =
            writeln!(text, "<path class=\"{tip}\" d=\"M{} {}l-4.5 -8h9z\"/>", point(x), point(y));
    }
}

fn boxed(text: &mut String, card: &Card<'_>, place: &Rect) {
    let kind = shape(card.node.shape);
    let (x, y) = (point(place.x), place.y);
    let middle = point(place.x + place.width / 2.0);
    let _ = write!(
        text,
        "<g><title>{}: {}</title><rect class=\"box {kind}\" x=\"{x}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"10\"/>\
         <text class=\"name\" text-anchor=\"middle\" x=\"{middle}\" y=\"{}\">{}</text>\
         <text class=\"stage stage-{kind}\" text-anchor=\"middle\" x=\"{middle}\" y=\"{}\">{}</text>",
        escape(&card.node.name),
        escape(&card.node.stage),
        point(y),
        point(place.width),
        point(place.height),
        point(y + 22.0),
        escape(&number::cut(&card.node.name, LONGEST)),
        point(y + 39.0),
        escape(&card.node.stage)
    );
    let mut baseline = y + 56.0;
    for small in &card.small {
        let _ = write!(
            text,
            "<text class=\"hint\" text-anchor=\"middle\" x=\"{middle}\" y=\"{}\">{}</text>",
            point(baseline),
            escape(small)
        );
        baseline += 15.0;
    }
    text.push_str("</g>\n");
}

/// A coordinate with one decimal, and none where it is zero.
fn point(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// Text inside XML; characters that XML cannot hold become blanks.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::graph::{Edge, samples};

    #[test]
    fn text_is_escaped() {
        let picture = svg(&samples::interviews());
        assert!(picture.contains("from &lt;interviews&gt; &amp; &quot;calls&quot;</text>"));
        assert_eq!(escape("\u{0}\u{1b}[1m\u{ffff}"), "  [1m ");
    }

    #[test]
    fn every_node_and_every_edge_is_in_the_picture() {
        let picture = svg(&samples::interviews());
        assert_eq!(picture.matches("class=\"name\"").count(), 8);
        assert_eq!(picture.matches("class=\"edge\" d=").count(), 6);
        // Two lines of rejects and the one in the legend.
        assert_eq!(picture.matches("class=\"failed\" d=").count(), 3);
    }

    #[test]
    fn an_empty_graph_is_still_a_picture() {
        let empty = Drawing { name: "x".to_owned(), title: None, nodes: vec![], edges: vec![] };
        assert!(svg(&empty).ends_with("</svg>\n"));
    }

    #[test]
    fn a_thousand_nodes_are_drawn_quickly() {
        let mut drawing = samples::interviews();
        let template = drawing.nodes.len();
        for nth in 0..992_usize {
            let from = nth + template - 1 - nth * 7 % 20.min(nth + template);
            drawing.nodes.push(Node {
                name: format!("node{nth}"),
                stage: "set".to_owned(),
                shape: Shape::Map,
                hints: vec![],
                reads: None,
                writes: None,
            });
            let to = drawing.nodes.len() - 1;
            drawing.edges.push(Edge { from, to, failed: nth % 9 == 0, port: 0 });
            drawing.edges.push(Edge { from: to - 1, to, failed: false, port: 0 });
        }
        let start = Instant::now();
        assert!(svg(&drawing).len() > 100_000);
        // Unoptimised and on a busy machine; a release build takes a tenth of it.
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    }

    #[test]
    fn long_texts_are_broken_and_not_lost() {
        for (text, lines) in [
            ("short", vec!["short"]),
            (
                "data/a/very/long/way/down/to/the/files/that/are/read/*.json",
                vec!["data/a/very/long/way/down/to/the/files/", "that/are/read/*.json"],
            ),
            (&"x".repeat(50), vec![&"x".repeat(42), "xxxxxxxx"]),
        ] {
            assert_eq!(broken(text), lines);
        }
        let endless = broken(&"ab ".repeat(200));
        assert_eq!(endless.len(), LINES);
        assert!(endless.iter().all(|line| line.chars().count() <= LINE), "{endless:?}");
        assert!(endless[LINES - 1].ends_with('…'));
    }
}
