//! Which layer each box stands in, and the dummy cells that hold the place of passing lines.

use std::collections::HashMap;

use super::{Edge, Size, failed_offset};

/// A place in a layer: a box, or where a line passes.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) layer: usize,
    pub(super) width: f64,
    pub(super) dummy: bool,
}

/// A neighbour in the layer above or below, and where the line between the two touches the upper
/// one, right of its middle.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    pub(super) cell: usize,
    pub(super) offset: f64,
}

/// The cells that a line visits, from its upper box downwards.
#[derive(Debug)]
pub(super) struct Path {
    pub(super) edge: usize,
    pub(super) cells: Vec<usize>,
    pub(super) offset: f64,
    pub(super) arrives: bool,
}

/// A graph in layers. The first cells are the boxes, in their order.
#[derive(Debug)]
pub(super) struct Layered {
    pub(super) cells: Vec<Cell>,
    pub(super) layers: Vec<Vec<usize>>,
    pub(super) up: Vec<Vec<Link>>,
    pub(super) down: Vec<Vec<Link>>,
    pub(super) paths: Vec<Path>,
}

impl Layered {
    pub(super) fn new(sizes: &[Size], edges: &[Edge]) -> Self {
        let layer_of = longest_path(sizes.len(), edges);
        let cells: Vec<Cell> = sizes
            .iter()
            .zip(&layer_of)
            .map(|(size, &layer)| Cell { layer, width: size.width, dummy: false })
            .collect();
        let depth = layer_of.iter().max().map_or(0, |deepest| deepest + 1);
        let mut layered = Self {
            up: vec![Vec::new(); cells.len()],
            down: vec![Vec::new(); cells.len()],
            layers: vec![Vec::new(); depth],
            cells,
            paths: Vec::new(),
        };
        layered.thread(edges);
        layered.fill();
        layered
    }

    /// Leads every edge through the layers; the longest to a target first, the others join it.
    fn thread(&mut self, edges: &[Edge]) {
        let mut by_length: Vec<usize> = (0..edges.len()).collect();
        by_length.sort_by_key(|&edge| self.cells[edges[edge].from].layer);
        let mut chains: HashMap<(usize, bool, usize), usize> = HashMap::new();
        for edge in by_length {
            let Edge { from, to, failed } = edges[edge];
            let (top, bottom) = (self.cells[from].layer, self.cells[to].layer);
            if top >= bottom {
                continue;
            }
            let offset = if failed { failed_offset(self.cells[from].width) } else { 0.0 };
            let mut path = Path { edge, cells: vec![from], offset, arrives: true };
            for layer in top + 1..bottom {
                let joined = chains.get(&(to, failed, layer)).copied();
                let cell = joined.unwrap_or_else(|| self.dummy(layer));
                chains.insert((to, failed, layer), cell);
                self.link(&mut path, cell);
                if joined.is_some() {
                    path.arrives = false;
                    break;
                }
            }
            if path.arrives {
                self.link(&mut path, to);
            }
            self.paths.push(path);
        }
    }

    fn dummy(&mut self, layer: usize) -> usize {
        self.cells.push(Cell { layer, width: 2.0, dummy: true });
        self.up.push(Vec::new());
        self.down.push(Vec::new());
        self.cells.len() - 1
    }

    fn link(&mut self, path: &mut Path, cell: usize) {
        let Some(&above) = path.cells.last() else { return };
        let offset = if path.cells.len() == 1 { path.offset } else { 0.0 };
        self.down[above].push(Link { cell, offset });
        self.up[cell].push(Link { cell: above, offset });
        path.cells.push(cell);
    }

    /// A first order: depth first from the top, which keeps together what belongs together, and
    /// puts lines of rejects on the right.
    fn fill(&mut self) {
        let mut seen = vec![false; self.cells.len()];
        let mut roots: Vec<usize> = (0..self.cells.len()).collect();
        roots.sort_by_key(|&cell| (self.cells[cell].layer, cell));
        for root in roots {
            let mut stack = vec![root];
            while let Some(cell) = stack.pop() {
                if std::mem::replace(&mut seen[cell], true) {
                    continue;
                }
                self.layers[self.cells[cell].layer].push(cell);
                let mut below: Vec<Link> = self.down[cell].clone();
                below.sort_by(|a, b| a.offset.total_cmp(&b.offset));
                stack.extend(below.iter().rev().map(|link| link.cell));
            }
        }
    }
}

/// The longest way from a start to each node; starts move down to just above their first reader.
fn longest_path(nodes: usize, edges: &[Edge]) -> Vec<usize> {
    let mut below = vec![Vec::new(); nodes];
    let mut waiting = vec![0_usize; nodes];
    for edge in edges.iter().filter(|edge| edge.from != edge.to) {
        below[edge.from].push(edge.to);
        waiting[edge.to] += 1;
    }
    let is_start: Vec<bool> = waiting.iter().map(|&count| count == 0).collect();
    let mut layer = vec![0_usize; nodes];
    let mut ready: Vec<usize> = (0..nodes).filter(|&node| is_start[node]).collect();
    while let Some(node) = ready.pop() {
        for &next in &below[node] {
            layer[next] = layer[next].max(layer[node] + 1);
            waiting[next] -= 1;
            if waiting[next] == 0 {
                ready.push(next);
            }
        }
    }
    for node in (0..nodes).filter(|&node| is_start[node]) {
        let nearest = below[node].iter().map(|&next| layer[next]).min();
        layer[node] = nearest.map_or(0, |nearest| nearest.saturating_sub(1));
    }
    layer
}
