//! The order inside each layer: barycentre sweeps, then swaps of neighbours; the best one wins.

use super::layers::{Layered, Link};

/// Visits of a cell that all sweeps together may cost.
const BUDGET: usize = 400_000;

/// Orders every layer so that few lines cross.
pub(super) fn order(layered: &mut Layered) {
    let work =
        layered.cells.len() + layered.paths.iter().map(|path| path.cells.len()).sum::<usize>();
    let sweeps = (BUDGET / work.max(1)).clamp(2, 24);
    let mut place = vec![0; layered.cells.len()];
    for layer in &layered.layers {
        number(layer, &mut place);
    }
    let mut best = layered.layers.clone();
    let mut fewest = crossings(layered, &place);
    for sweep in 0..sweeps {
        if fewest == 0 {
            break;
        }
        sweep_once(layered, &mut place, sweep % 2 == 0);
        if work * sweeps < BUDGET {
            swap_neighbours(layered, &mut place);
        }
        let now = crossings(layered, &place);
        if now < fewest {
            fewest = now;
            best.clone_from(&layered.layers);
        }
    }
    layered.layers = best;
}

fn number(layer: &[usize], place: &mut [usize]) {
    for (at, &cell) in layer.iter().enumerate() {
        place[cell] = at;
    }
}

/// Sorts each layer by the mean place of its neighbours in the layer before.
fn sweep_once(layered: &mut Layered, place: &mut [usize], downwards: bool) {
    let depth = layered.layers.len();
    for step in 1..depth {
        let at = if downwards { step } else { depth - 1 - step };
        let neighbours = if downwards { &layered.up } else { &layered.down };
        let mut keyed: Vec<(f64, usize)> = layered.layers[at]
            .iter()
            .map(|&cell| (barycentre(&neighbours[cell], place).unwrap_or(count(place[cell])), cell))
            .collect();
        keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
        layered.layers[at] = keyed.into_iter().map(|(_, cell)| cell).collect();
        number(&layered.layers[at], place);
    }
}

#[expect(clippy::cast_precision_loss, reason = "places in a layer are small")]
fn count(number: usize) -> f64 {
    number as f64
}

/// The mean place; the offset of a line's start counts a little, so that rejects go to the right.
fn barycentre(links: &[Link], place: &[usize]) -> Option<f64> {
    let sum: f64 = links
        .iter()
        .map(|link| count(place[link.cell]) + if link.offset > 0.0 { 0.1 } else { 0.0 })
        .sum();
    (!links.is_empty()).then(|| sum / count(links.len()))
}

/// Swaps neighbours wherever that takes crossings away.
fn swap_neighbours(layered: &mut Layered, place: &mut [usize]) {
    for at in 0..layered.layers.len() {
        for left in 1..layered.layers[at].len() {
            let (a, b) = (layered.layers[at][left - 1], layered.layers[at][left]);
            let pairs = [(&layered.up[a], &layered.up[b]), (&layered.down[a], &layered.down[b])];
            let now: usize = pairs.iter().map(|(a, b)| inverted(a, b, place)).sum();
            let swapped: usize = pairs.iter().map(|(a, b)| inverted(b, a, place)).sum();
            if swapped < now {
                layered.layers[at].swap(left - 1, left);
                place.swap(a, b);
            }
        }
    }
}

/// Crossings between the lines of a left and a right cell.
fn inverted(left: &[Link], right: &[Link], place: &[usize]) -> usize {
    left.iter().map(|l| right.iter().filter(|r| place[r.cell] < place[l.cell]).count()).sum()
}

/// All crossings, counted with a Fenwick tree for each pair of layers.
fn crossings(layered: &Layered, place: &[usize]) -> usize {
    let mut total = 0;
    for pair in layered.layers.windows(2) {
        let mut tree = vec![0_usize; pair[1].len() + 1];
        let mut seen = 0;
        for &upper in &pair[0] {
            let mut ends: Vec<usize> =
                layered.down[upper].iter().map(|link| place[link.cell]).collect();
            ends.sort_unstable();
            for &end in &ends {
                total += seen - sum_to(&tree, end + 1);
            }
            for end in ends {
                add(&mut tree, end + 1);
                seen += 1;
            }
        }
    }
    total
}

fn add(tree: &mut [usize], mut at: usize) {
    while at < tree.len() {
        tree[at] += 1;
        at += at & at.wrapping_neg();
    }
}

fn sum_to(tree: &[usize], mut at: usize) -> usize {
    let mut sum = 0;
    while at > 0 {
        sum += tree[at];
        at &= at - 1;
    }
    sum
}
