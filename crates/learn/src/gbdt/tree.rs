//! Trees as they are kept, and the sum of their leaves.

use serde::{Deserialize, Serialize};

use crate::matrix::Matrix;

/// A decision: x ≤ threshold goes left.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Column of the matrix.
    pub feature: u32,
    pub threshold: f32,
    /// The next node, or a leaf as `!index`.
    pub left: i32,
    pub right: i32,
    /// Where a missing number goes.
    pub missing_left: bool,
    /// Training rows (by weight) that came here.
    pub cover: f32,
    /// What the decision gained in training.
    pub gain: f32,
}

/// A tree; node 0 is its root, without nodes leaf 0 is all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tree {
    pub nodes: Vec<Node>,
    /// What each leaf adds to the margin.
    pub leaves: Vec<f32>,
    /// Training rows (by weight) of each leaf.
    pub covers: Vec<f32>,
}

impl Tree {
    /// The leaf that a row falls into.
    pub fn leaf(&self, row: &[f32]) -> usize {
        let mut at = if self.nodes.is_empty() { !0 } else { 0 };
        while at >= 0 {
            let node = &self.nodes[at as usize];
            let x = row[node.feature as usize];
            let left = if x.is_nan() { node.missing_left } else { x <= node.threshold };
            at = if left { node.left } else { node.right };
        }
        !at as usize
    }

    /// Checks what scoring relies on: every index in range, each node and leaf reached once from the root, no NaN.
    pub fn check(&self, width: usize) -> Result<(), String> {
        if self.leaves.len() != self.nodes.len() + 1 || self.covers.len() != self.leaves.len() {
            return Err("a tree's lists do not fit each other".into());
        }
        let (mut seen_nodes, mut seen_leaves) = (vec![false; self.nodes.len()], vec![false; self.leaves.len()]);
        let mut open = vec![if self.nodes.is_empty() { !0 } else { 0 }];
        while let Some(at) = open.pop() {
            let seen = if at >= 0 { seen_nodes.get_mut(at as usize) } else { seen_leaves.get_mut(!at as usize) };
            match seen {
                Some(seen) if !*seen => *seen = true,
                _ => return Err("a tree's child is out of range or has two parents".into()),
            }
            if at >= 0 {
                let node = &self.nodes[at as usize];
                if node.feature as usize >= width || node.threshold.is_nan() {
                    return Err("a tree's decision is on no column or no number".into());
                }
                open.extend([node.left, node.right]);
            }
        }
        let finite = self.leaves.iter().all(|v| v.is_finite());
        if finite && seen_nodes.iter().chain(&seen_leaves).all(|s| *s) {
            Ok(())
        } else {
            Err("a tree has parts that nothing leads to, or a leaf that is no number".into())
        }
    }
}

/// Trees whose leaves are summed: one output for two classes, one a class for more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ensemble {
    /// Columns of the matrix.
    pub width: usize,
    /// What each output begins with.
    pub base: Vec<f64>,
    /// Tree i belongs to output `i % base.len()`.
    pub trees: Vec<Tree>,
}

impl Ensemble {
    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.base.len()
    }

    /// Adds up a row's leaves: the margins, into `out` (one an output).
    pub fn margins(&self, row: &[f32], out: &mut [f64]) {
        out.copy_from_slice(&self.base);
        let k = self.base.len();
        for (at, tree) in self.trees.iter().enumerate() {
            out[at % k] += f64::from(tree.leaves[tree.leaf(row)]);
        }
    }

    /// Margins of all rows, row after row.
    pub fn margins_of(&self, x: &Matrix) -> Vec<f64> {
        super::Flat::new(self).margins(x)
    }

    /// Gain of each column over all trees.
    pub fn gains(&self) -> Vec<f64> {
        let mut gains = vec![0.0; self.width];
        for node in self.trees.iter().flat_map(|t| &t.nodes) {
            gains[node.feature as usize] += f64::from(node.gain);
        }
        gains
    }

    /// Checks all trees and numbers.
    pub fn check(&self) -> Result<(), String> {
        if self.base.is_empty() || !self.trees.len().is_multiple_of(self.base.len()) {
            return Err("trees and outputs do not fit each other".into());
        }
        if self.base.iter().any(|b| !b.is_finite()) {
            return Err("an output begins with no number".into());
        }
        self.trees.iter().try_for_each(|t| t.check(self.width))
    }
}

/// The logistic function.
pub fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Margins to probabilities, in place.
pub fn softmax(margins: &mut [f64]) {
    let most = margins.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for m in margins.iter_mut() {
        *m = (*m - most).exp();
        sum += *m;
    }
    margins.iter_mut().for_each(|m| *m /= sum);
}
