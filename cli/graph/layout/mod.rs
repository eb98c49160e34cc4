//! Places for boxes and lines, in layers from top to bottom: what Graphviz does, in small.
//!
//! Longest-path layers, dummy cells where a line passes a layer (shared by all lines to the same
//! target, so that a hundred `.failed` edges become one line), barycentre sweeps against crossings,
//! and positions by isotonic regression: the best ones in the sense of least squares that keep the
//! order and the gaps.

mod layers;
mod order;
mod place;

use layers::Layered;

/// Room between two boxes beside each other.
const GAP: f64 = 28.0;
/// Room between two layers.
const LAYER_GAP: f64 = 46.0;

/// What is to be placed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) width: f64,
    pub(super) height: f64,
}

/// An edge between places in the list of sizes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edge {
    pub(super) from: usize,
    pub(super) to: usize,
    /// Leaves the box on the right instead of in the middle.
    pub(super) failed: bool,
}

/// A placed box.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rect {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// A line: straight down inside a layer, a curve between two layers.
#[derive(Debug, Clone)]
pub(super) struct Route {
    /// Place of the edge in the list of edges.
    pub(super) edge: usize,
    /// Points in turn: `(x, y)` where a layer is left, `(x, y)` where the next one is entered.
    pub(super) points: Vec<(f64, f64)>,
    /// Whether it ends at its target; otherwise it joins another line to the same target.
    pub(super) arrives: bool,
}

/// Everything placed.
#[derive(Debug, Default)]
pub(super) struct Layout {
    pub(super) boxes: Vec<Rect>,
    pub(super) routes: Vec<Route>,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// Places boxes and lines. Edges that would close a circle are left out.
pub(super) fn layout(sizes: &[Size], edges: &[Edge]) -> Layout {
    if sizes.is_empty() {
        return Layout::default();
    }
    let mut layered = Layered::new(sizes, edges);
    order::order(&mut layered);
    let x = place::place(&layered);
    assemble(&layered, sizes, &x)
}

/// Where a `.failed` line leaves a box, right of its middle.
fn failed_offset(width: f64) -> f64 {
    (width * 0.32).round()
}

fn assemble(layered: &Layered, sizes: &[Size], x: &[f64]) -> Layout {
    let bands = bands(layered, sizes);
    let left = layered
        .cells
        .iter()
        .zip(x)
        .map(|(cell, x)| x - cell.width / 2.0)
        .fold(f64::INFINITY, f64::min);
    let right = layered
        .cells
        .iter()
        .zip(x)
        .map(|(cell, x)| x + cell.width / 2.0)
        .fold(f64::NEG_INFINITY, f64::max);
    let boxes: Vec<Rect> = sizes
        .iter()
        .enumerate()
        .map(|(node, size)| Rect {
            x: x[node] - size.width / 2.0 - left,
            y: bands[layered.cells[node].layer].0,
            width: size.width,
            height: size.height,
        })
        .collect();
    let routes = layered
        .paths
        .iter()
        .map(|path| {
            let mut points = Vec::with_capacity(path.cells.len() * 2);
            for (place, &cell) in path.cells.iter().enumerate() {
                let (top, bottom) = bands[layered.cells[cell].layer];
                let middle = x[cell] - left;
                if place == 0 {
                    let start = middle + path.offset;
                    points.push((start, boxes[cell].y + boxes[cell].height));
                    points.push((start, bottom));
                } else if place + 1 == path.cells.len() {
                    points.push((middle, top));
                } else {
                    points.push((middle, top));
                    points.push((middle, bottom));
                }
            }
            Route { edge: path.edge, points, arrives: path.arrives }
        })
        .collect();
    let height = bands.last().map_or(0.0, |band| band.1);
    Layout { boxes, routes, width: right - left, height }
}

/// Top and bottom of each layer.
fn bands(layered: &Layered, sizes: &[Size]) -> Vec<(f64, f64)> {
    let mut top = 0.0;
    layered
        .layers
        .iter()
        .map(|cells| {
            let height = cells
                .iter()
                .filter_map(|&cell| sizes.get(cell))
                .map(|size| size.height)
                .fold(0.0, f64::max);
            let band = (top, top + height);
            top = band.1 + LAYER_GAP;
            band
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(nodes: usize, edges: &[(usize, usize)]) -> Layout {
        let sizes = vec![Size { width: 100.0, height: 50.0 }; nodes];
        let edges: Vec<Edge> =
            edges.iter().map(|&(from, to)| Edge { from, to, failed: false }).collect();
        layout(&sizes, &edges)
    }

    fn overlap(a: &Rect, b: &Rect) -> bool {
        a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height
    }

    fn random_edges(nodes: usize, each: usize) -> Vec<(usize, usize)> {
        let mut state = 7_u64;
        let mut next = move |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888);
            usize::try_from(state >> 33).unwrap_or(0) % below
        };
        (1..nodes).flat_map(|to| (0..each).map(move |_| to)).map(|to| (next(to), to)).collect()
    }

    #[test]
    fn a_chain_is_a_straight_line() {
        let layout = drawn(4, &[(0, 1), (1, 2), (2, 3)]);
        assert!(layout.boxes.windows(2).all(|pair| pair[0].x == pair[1].x), "{:?}", layout.boxes);
        assert!(layout.boxes.windows(2).all(|pair| pair[0].y + pair[0].height < pair[1].y));
    }

    #[test]
    fn a_diamond_is_symmetric() {
        let boxes = drawn(4, &[(0, 1), (0, 2), (1, 3), (2, 3)]).boxes;
        assert!((boxes[0].x - boxes[3].x).abs() < 0.5, "{boxes:?}");
        assert!(((boxes[1].x + boxes[2].x) / 2.0 - boxes[0].x).abs() < 0.5, "{boxes:?}");
    }

    #[test]
    fn no_two_boxes_overlap_and_no_line_runs_through_a_box() {
        for (nodes, each) in [(12, 1), (12, 3), (60, 2), (200, 1)] {
            let edges = random_edges(nodes, each);
            let layout = drawn(nodes, &edges);
            for (at, a) in layout.boxes.iter().enumerate() {
                assert!(layout.boxes[at + 1..].iter().all(|b| !overlap(a, b)), "{nodes} x {each}");
            }
            for route in &layout.routes {
                let (from, to) = edges[route.edge];
                for pair in route.points.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
                    for (node, place) in layout.boxes.iter().enumerate() {
                        let inside = pair[0].0 > place.x
                            && pair[0].0 < place.x + place.width
                            && pair[0].1 < place.y + place.height
                            && pair[1].1 > place.y;
                        assert!(!inside || node == from || node == to, "{nodes} x {each}: {node}");
                    }
                }
            }
        }
    }

    #[test]
    fn lines_to_the_same_target_are_joined() {
        // Every node of a chain also leads to the last: one long line collects them.
        let nodes = 40;
        let mut edges: Vec<(usize, usize)> = (1..nodes - 1).map(|to| (to - 1, to)).collect();
        edges.extend((0..nodes - 1).map(|from| (from, nodes - 1)));
        let layout = drawn(nodes, &edges);
        let points: usize = layout.routes.iter().map(|route| route.points.len()).sum();
        assert!(points < nodes * 8, "{points} points");
        assert_eq!(layout.routes.iter().filter(|route| !route.arrives).count(), nodes - 3);
    }

    #[test]
    fn a_circle_or_nothing_at_all_does_not_hang() {
        assert_eq!(drawn(0, &[]).boxes.len(), 0);
        assert_eq!(drawn(3, &[(0, 1), (1, 0), (1, 2), (2, 2)]).boxes.len(), 3);
    }
}
