//! Half-space trees (Tan, Ting and Liu): random halvings of the space, and how much of the normal rows each cell holds.

use serde::{Deserialize, Serialize};

use crate::matrix::Matrix;
use crate::rng::Rng;

const TREES: usize = 50;
const DEPTH: usize = 12;
/// A cell with less than this share of the rows is not looked into.
const LEAST: f64 = 0.0005;

/// A halving, or a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Node {
    /// `u32::MAX` for a leaf.
    feature: u32,
    threshold: f32,
    left: u32,
    /// ln(1 + rows here) + depth ln 2, the mass that a row falling here is given.
    mass: f32,
}

/// Fitted trees.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HalfSpace {
    nodes: Vec<Node>,
    roots: Vec<u32>,
    rows: f64,
}

impl HalfSpace {
    /// Halves a space somewhat larger than the rows' own, then counts the rows in each cell.
    pub fn fit(x: &Matrix, seed: u64) -> HalfSpace {
        let mut trees = HalfSpace { nodes: Vec::new(), roots: Vec::new(), rows: x.rows() as f64 };
        let mut ranges = vec![(f32::INFINITY, f32::NEG_INFINITY); x.width];
        for row in x.cells.chunks_exact(x.width) {
            ranges.iter_mut().zip(row).for_each(|(r, v)| *r = (r.0.min(*v), r.1.max(*v)));
        }
        let all: Vec<u32> = (0..x.rows() as u32).collect();
        // A column that never moved has nothing to halve and would use up the depth.
        let mut moving: Vec<usize> = (0..x.width).filter(|f| ranges[*f].0 < ranges[*f].1).collect();
        if moving.is_empty() {
            moving = (0..x.width).collect();
        }
        for tree in 0..TREES {
            let mut rng = Rng::new(seed, 0x45_0000 + tree as u64);
            let space: Vec<(f32, f32)> = ranges
                .iter()
                .map(|(low, high)| {
                    let at = low + (high - low) * rng.unit() as f32;
                    let reach = 2.0 * (at - low).max(high - at).max(1e-3);
                    (at - reach, at + reach)
                })
                .collect();
            let root = trees.nodes.len() as u32;
            trees.roots.push(root);
            trees.nodes.push(Node { feature: u32::MAX, threshold: 0.0, left: 0, mass: 0.0 });
            trees.grow((x, &moving), all.clone(), root, 0, space, &mut rng);
        }
        trees
    }

    fn grow(
        &mut self,
        (x, moving): (&Matrix, &[usize]),
        rows: Vec<u32>,
        at: u32,
        depth: usize,
        mut space: Vec<(f32, f32)>,
        rng: &mut Rng,
    ) {
        let mass = (rows.len() as f64 + 1.0).ln() + depth as f64 * std::f64::consts::LN_2;
        self.nodes[at as usize].mass = mass as f32;
        if depth >= DEPTH || (rows.len() as f64) < LEAST * self.rows + 1.0 {
            return;
        }
        let feature = moving[rng.below(moving.len())];
        let (low, high) = space[feature];
        let threshold = low + (high - low) / 2.0;
        let (a, b): (Vec<u32>, Vec<u32>) =
            rows.into_iter().partition(|&r| x.cells[r as usize * x.width + feature] <= threshold);
        let left = self.nodes.len() as u32;
        let leaf = Node { feature: u32::MAX, threshold: 0.0, left: 0, mass: 0.0 };
        self.nodes.extend([leaf, leaf]);
        let node = &mut self.nodes[at as usize];
        (node.feature, node.threshold, node.left) = (feature as u32, threshold, left);
        let mut upper = space.clone();
        upper[feature] = (threshold, high);
        space[feature] = (low, threshold);
        self.grow((x, moving), a, left, depth + 1, space, rng);
        self.grow((x, moving), b, left + 1, depth + 1, upper, rng);
    }

    /// How little mass the cells have that a row falls into: mean over the trees of what is missing to the most.
    pub fn scores(&self, x: &Matrix) -> Vec<f64> {
        let most = (self.rows + 1.0).ln() + DEPTH as f64 * std::f64::consts::LN_2;
        x.cells
            .chunks_exact(x.width)
            .map(|row| {
                let sum: f64 = self.roots.iter().map(|&root| f64::from(self.mass(row, root))).sum();
                most - sum / self.roots.len() as f64
            })
            .collect()
    }

    fn mass(&self, row: &[f32], root: u32) -> f32 {
        let mut node = self.nodes[root as usize];
        while node.feature != u32::MAX {
            let right = u32::from(row[node.feature as usize] > node.threshold);
            node = self.nodes[(node.left + right) as usize];
        }
        node.mass
    }

    /// Checks that every child lies behind its parent.
    pub fn check(&self, width: usize) -> Result<(), String> {
        let good = |(at, node): (usize, &Node)| {
            node.feature == u32::MAX
                || ((node.feature as usize) < width
                    && node.left as usize > at
                    && (node.left as usize) + 1 < self.nodes.len())
        };
        let roots = !self.roots.is_empty() && self.roots.iter().all(|&r| (r as usize) < self.nodes.len());
        if roots && self.nodes.iter().enumerate().all(good) && self.nodes.iter().all(|n| n.mass.is_finite()) {
            Ok(())
        } else {
            Err("half-space trees do not fit each other".into())
        }
    }
}
