//! Where in its layer each cell stands: as near to its neighbours as order and gaps allow.

use super::GAP;
use super::layers::{Layered, Link};

/// Runs of equal shift, with their weighted mean: the pools of isotonic regression.
struct Pool {
    mean: f64,
    weight: f64,
    cells: usize,
}

/// The middle of each cell.
pub(super) fn place(layered: &Layered) -> Vec<f64> {
    let mut x = vec![0.0; layered.cells.len()];
    for layer in &layered.layers {
        let wished = vec![(0.0, 1.0); layer.len()];
        settle(layered, layer, &wished, &mut x);
    }
    let depth = layered.layers.len();
    // Odd, so that the last round goes down and ends stand right below what they hang on.
    let rounds = (200_000 / layered.cells.len().max(1)).clamp(4, 100) | 1;
    for round in 0..rounds {
        for step in 0..depth {
            let downwards = round % 2 == 0;
            let at = if downwards { step } else { depth - 1 - step };
            let wished: Vec<(f64, f64)> = layered.layers[at]
                .iter()
                .map(|&cell| wish(layered, cell, &x, downwards, round * 2 >= rounds))
                .collect();
            settle(layered, &layered.layers[at], &wished, &mut x);
        }
    }
    x
}

/// Where a cell would like to stand, and how much it matters. Lines that pass want to be straight
/// more than boxes want to be centred.
fn wish(layered: &Layered, cell: usize, x: &[f64], downwards: bool, both: bool) -> (f64, f64) {
    let (mut sum, mut weight) = (0.0, 0.0);
    // A line of rejects moves its target, but hardly the box that it leaves.
    let mut look = |links: &[Link], sign: f64, rejects: f64| {
        for link in links {
            let pull = if layered.cells[link.cell].dummy == layered.cells[cell].dummy {
                1.0 + f64::from(u8::from(layered.cells[cell].dummy)) * 3.0
            } else {
                0.05
            };
            let pull = if link.offset > 0.0 { pull * rejects } else { pull };
            sum += (x[link.cell] + sign * link.offset) * pull;
            weight += pull;
        }
    };
    let (before, after) = (&layered.up[cell], &layered.down[cell]);
    if downwards || both || after.is_empty() {
        look(before, 1.0, 0.02);
    }
    if !downwards || both || before.is_empty() {
        look(after, -1.0, 0.001);
    }
    if weight > 0.0 { (sum / weight, weight) } else { (x[cell], 0.01) }
}

/// The positions nearest to the wishes, by weighted least squares, that keep the order and the
/// gaps.
fn settle(layered: &Layered, layer: &[usize], wished: &[(f64, f64)], x: &mut [f64]) {
    let mut offset = 0.0;
    let mut offsets = Vec::with_capacity(layer.len());
    for (at, &cell) in layer.iter().enumerate() {
        if at > 0 {
            let before = &layered.cells[layer[at - 1]];
            let here = &layered.cells[cell];
            let gap = if before.dummy && here.dummy { GAP * 0.6 } else { GAP };
            offset += before.width / 2.0 + gap + here.width / 2.0;
        }
        offsets.push(offset);
    }
    let mut pools: Vec<Pool> = Vec::with_capacity(layer.len());
    for ((wish, weight), offset) in wished.iter().zip(&offsets) {
        pools.push(Pool { mean: wish - offset, weight: *weight, cells: 1 });
        while let [.., before, last] = pools.as_mut_slice() {
            if before.mean <= last.mean {
                break;
            }
            let weight = before.weight + last.weight;
            before.mean = (before.mean * before.weight + last.mean * last.weight) / weight;
            before.weight = weight;
            before.cells += last.cells;
            pools.pop();
        }
    }
    let shifts = pools.iter().flat_map(|pool| std::iter::repeat_n(pool.mean, pool.cells));
    for ((&cell, offset), shift) in layer.iter().zip(offsets).zip(shifts) {
        x[cell] = offset + shift;
    }
}
