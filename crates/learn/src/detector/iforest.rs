//! Isolation forest (Liu, Ting and Zhou): what random cuts set apart early is unlike the rest.

use serde::{Deserialize, Serialize};

use crate::matrix::Matrix;
use crate::rng::Rng;

const TREES: usize = 100;
const SAMPLE: usize = 256;

/// A node: `feature` and `threshold`, or a leaf with the path length it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Node {
    /// `u32::MAX` for a leaf.
    feature: u32,
    /// Of a leaf: its path length.
    threshold: f32,
    /// The left child; the right one follows it.
    left: u32,
}

/// A fitted forest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Forest {
    nodes: Vec<Node>,
    roots: Vec<u32>,
    /// Mean path length of so many rows.
    usual: f64,
}

impl Forest {
    /// Fits to random samples of the rows.
    pub fn fit(x: &Matrix, seed: u64) -> Forest {
        let sample = SAMPLE.min(x.rows());
        let limit = (sample as f64).log2().ceil().max(1.0) as usize;
        let mut forest = Forest { nodes: Vec::new(), roots: Vec::new(), usual: mean_path(sample).max(1e-9) };
        for tree in 0..TREES {
            let mut rng = Rng::new(seed, 0x1f0 + tree as u64);
            let mut rows = rng.sample(x.rows(), sample);
            let root = forest.nodes.len() as u32;
            forest.roots.push(root);
            forest.nodes.push(Node { feature: u32::MAX, threshold: 0.0, left: 0 });
            forest.grow(x, &mut rows, root, 0, limit, &mut rng);
        }
        forest
    }

    fn grow(&mut self, x: &Matrix, rows: &mut [u32], at: u32, depth: usize, limit: usize, rng: &mut Rng) {
        let value = |r: u32, f: usize| x.cells[r as usize * x.width + f];
        let range = |f: usize| {
            rows.iter().map(|&r| value(r, f)).fold((f32::INFINITY, f32::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)))
        };
        // Only columns that differ within these rows can part them.
        let cut = if depth >= limit || rows.len() < 2 {
            None
        } else {
            let mut tried = rng.order(x.width).into_iter().map(|f| (f as usize, range(f as usize)));
            tried.find(|(_, (low, high))| low < high)
        };
        let Some((feature, (low, high))) = cut else {
            self.nodes[at as usize].threshold = (depth as f64 + mean_path(rows.len())) as f32;
            return;
        };
        let threshold = (f64::from(low) + rng.unit() * (f64::from(high) - f64::from(low))) as f32;
        let threshold = if threshold < high { threshold } else { low };
        let mut kept = 0;
        for i in 0..rows.len() {
            if value(rows[i], feature) <= threshold {
                rows.swap(i, kept);
                kept += 1;
            }
        }
        let left = self.nodes.len() as u32;
        let leaf = Node { feature: u32::MAX, threshold: 0.0, left: 0 };
        self.nodes.extend([leaf, leaf]);
        self.nodes[at as usize] = Node { feature: feature as u32, threshold, left };
        let (a, b) = rows.split_at_mut(kept);
        self.grow(x, a, left, depth + 1, limit, rng);
        self.grow(x, b, left + 1, depth + 1, limit, rng);
    }

    /// 2^(−path ÷ usual path) of all rows: near 1 is unlike, 0.5 is usual.
    pub fn scores(&self, x: &Matrix) -> Vec<f64> {
        let scale = -1.0 / (self.usual * self.roots.len() as f64);
        x.cells
            .chunks_exact(x.width)
            .map(|row| {
                let sum: f64 = self.roots.iter().map(|&root| f64::from(self.path(row, root))).sum();
                (sum * scale).exp2()
            })
            .collect()
    }

    fn path(&self, row: &[f32], root: u32) -> f32 {
        let mut node = self.nodes[root as usize];
        while node.feature != u32::MAX {
            let right = u32::from(row[node.feature as usize] > node.threshold);
            node = self.nodes[(node.left + right) as usize];
        }
        node.threshold
    }

    /// Checks that every child lies behind its parent, so that each walk ends.
    pub fn check(&self, width: usize) -> Result<(), String> {
        let good = |(at, node): (usize, &Node)| {
            node.feature == u32::MAX
                || ((node.feature as usize) < width
                    && node.left as usize > at
                    && (node.left as usize) + 1 < self.nodes.len())
        };
        let roots = !self.roots.is_empty() && self.roots.iter().all(|&r| (r as usize) < self.nodes.len());
        let numbers = self.usual > 0.0 && self.nodes.iter().all(|n| !n.threshold.is_nan());
        if roots && numbers && self.nodes.iter().enumerate().all(good) {
            Ok(())
        } else {
            Err("a forest's nodes do not fit each other".into())
        }
    }
}

/// Mean path of an unsuccessful search among n.
fn mean_path(n: usize) -> f64 {
    match n {
        0 | 1 => 0.0,
        2 => 1.0,
        n => {
            let m = n as f64 - 1.0;
            2.0 * (m.ln() + 0.577_215_664_901_532_9) - 2.0 * m / n as f64
        }
    }
}
