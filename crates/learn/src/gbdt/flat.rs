//! Scoring many rows at once without a branch a node: each decision that a row answers with "right" strikes the leaves on its left from a mask.

use super::tree::{Ensemble, Tree};
use crate::matrix::Matrix;

/// Rows abreast.
const LANES: usize = 8;

/// Decisions of all trees by feature and threshold, after Lucchese et al.'s QuickScorer; trees of more than 64 leaves are walked.
#[derive(Debug)]
pub struct Flat<'a> {
    ensemble: &'a Ensemble,
    /// By feature: where its decisions begin; one more than features.
    starts: Vec<u32>,
    thresholds: Vec<f32>,
    /// The tree of each decision, and the leaves that stay when the answer is "right".
    strikes: Vec<(u32, u64)>,
    /// By feature: decisions that send missing to the right.
    missing_right: Vec<Vec<(u32, u64)>>,
    /// By tree: its leaf values from left to right, padded to a power of two; empty where the tree is walked.
    leaves: Vec<f32>,
    /// Leaf values a tree has room for.
    room: usize,
    walked: bool,
}

impl<'a> Flat<'a> {
    /// Lays out an ensemble that was checked.
    pub fn new(ensemble: &'a Ensemble) -> Flat<'a> {
        let most = ensemble.trees.iter().map(|t| t.leaves.len()).max().unwrap_or(1);
        let mut flat = Flat {
            ensemble,
            starts: vec![0],
            thresholds: Vec::new(),
            strikes: Vec::new(),
            missing_right: vec![Vec::new(); ensemble.width],
            leaves: Vec::new(),
            room: most.next_power_of_two(),
            walked: most > 64,
        };
        if flat.walked {
            return flat;
        }
        let mut by_feature: Vec<Vec<(f32, u32, u64)>> = vec![Vec::new(); ensemble.width];
        for (at, tree) in ensemble.trees.iter().enumerate() {
            let order = lay(tree, at as u32, &mut by_feature, &mut flat.missing_right);
            flat.leaves.extend(order.iter().map(|&leaf| tree.leaves[leaf]));
            flat.leaves.resize((at + 1) * flat.room, 0.0);
        }
        for mut decisions in by_feature {
            decisions.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            flat.thresholds.extend(decisions.iter().map(|d| d.0));
            flat.strikes.extend(decisions.iter().map(|d| (d.1, d.2)));
            flat.starts.push(flat.thresholds.len() as u32);
        }
        flat
    }

    /// Margins of all rows, row after row.
    pub fn margins(&self, x: &Matrix) -> Vec<f64> {
        let k = self.ensemble.outputs();
        let mut out = vec![0.0; x.rows() * k];
        if self.walked {
            for (r, out) in out.chunks_exact_mut(k).enumerate() {
                self.ensemble.margins(x.row(r), out);
            }
            return out;
        }
        let trees = self.ensemble.trees.len();
        if self.room <= 32 {
            let mut masks = vec![[u32::MAX; LANES]; trees];
            for (block, out) in out.chunks_mut(k * LANES).enumerate() {
                self.block::<u32>(x, block * LANES, &mut masks, out);
            }
        } else {
            let mut masks = vec![[u64::MAX; LANES]; trees];
            for (block, out) in out.chunks_mut(k * LANES).enumerate() {
                self.block::<u64>(x, block * LANES, &mut masks, out);
            }
        }
        out
    }

    fn block<M: Mask>(&self, x: &Matrix, first: usize, masks: &mut [[M; LANES]], out: &mut [f64]) {
        let k = self.ensemble.outputs();
        let rows = out.len() / k;
        masks.fill([M::ALL; LANES]);
        let mut lanes = [0.0f32; LANES];
        for f in 0..x.width {
            let range = self.starts[f] as usize..self.starts[f + 1] as usize;
            if range.is_empty() {
                continue;
            }
            let mut missing = false;
            for (lane, value) in lanes.iter_mut().enumerate() {
                *value = x.cells[(first + lane.min(rows - 1)) * x.width + f];
                missing |= value.is_nan();
            }
            let most = lanes.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            for (threshold, (tree, stay)) in self.thresholds[range.clone()].iter().zip(&self.strikes[range]) {
                if *threshold >= most {
                    break;
                }
                let mask = &mut masks[*tree as usize];
                let stay = M::of(*stay);
                for (mask, value) in mask.iter_mut().zip(&lanes) {
                    *mask = mask.strike(*value > *threshold, stay);
                }
            }
            if missing {
                for (tree, stay) in &self.missing_right[f] {
                    for (mask, value) in masks[*tree as usize].iter_mut().zip(&lanes) {
                        *mask = mask.strike(value.is_nan(), M::of(*stay));
                    }
                }
            }
        }
        for row in out.chunks_exact_mut(k) {
            row.copy_from_slice(&self.ensemble.base);
        }
        for (at, (masks, leaves)) in masks.iter().zip(self.leaves.chunks_exact(self.room)).enumerate() {
            for (lane, mask) in masks[..rows].iter().enumerate() {
                out[lane * k + at % k] += f64::from(leaves[mask.first() & (self.room - 1)]);
            }
        }
    }
}

/// Leaves of one tree that a row may still fall into.
trait Mask: Copy {
    const ALL: Self;
    fn of(bits: u64) -> Self;
    /// Keeps only what stays, where the answer was right.
    fn strike(self, right: bool, stay: Self) -> Self;
    fn first(self) -> usize;
}

macro_rules! mask {
    ($t:ty) => {
        impl Mask for $t {
            const ALL: Self = <$t>::MAX;
            fn of(bits: u64) -> Self {
                bits as $t
            }
            fn strike(self, right: bool, stay: Self) -> Self {
                self & (stay | (<$t>::from(right).wrapping_sub(1)))
            }
            fn first(self) -> usize {
                self.trailing_zeros() as usize
            }
        }
    };
}
mask!(u32);
mask!(u64);

/// Writes a tree's decisions by feature; returns its leaves from left to right.
fn lay(
    tree: &Tree,
    at: u32,
    by_feature: &mut [Vec<(f32, u32, u64)>],
    missing_right: &mut [Vec<(u32, u64)>],
) -> Vec<usize> {
    let mut order = Vec::with_capacity(tree.leaves.len());
    // Depth first, left before right; a decision is written when its left side is done: then the leaves on the left are known.
    enum Step {
        Go(i32),
        Left(usize, usize),
    }
    let mut open = vec![Step::Go(if tree.nodes.is_empty() { !0 } else { 0 })];
    while let Some(step) = open.pop() {
        match step {
            Step::Go(child) if child < 0 => order.push(!child as usize),
            Step::Go(child) => {
                let node = &tree.nodes[child as usize];
                open.extend([Step::Go(node.right), Step::Left(child as usize, order.len()), Step::Go(node.left)]);
            }
            Step::Left(node, from) => {
                let count = order.len() - from;
                let struck = if count >= 64 { u64::MAX } else { ((1u64 << count) - 1) << from };
                let node = &tree.nodes[node];
                by_feature[node.feature as usize].push((node.threshold, at, !struck));
                if !node.missing_left {
                    missing_right[node.feature as usize].push((at, !struck));
                }
            }
        }
    }
    order
}
