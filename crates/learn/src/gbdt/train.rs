//! Boosting: gradients, trees, leaf values from exact sums, early stopping.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::bins::Binned;
use super::grow::{Gradients, Grown, Pool, allow, grow};
use super::tree::{Ensemble, Tree, sigmoid, softmax};
use crate::matrix::Matrix;
use crate::rng::Rng;

/// How trees are grown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Params {
    /// Trees an output, at most.
    pub rounds: usize,
    /// Leaves a tree, at most.
    pub leaves: usize,
    /// What part of each leaf's best value is taken.
    pub rate: f64,
    /// Pulls leaf values to zero.
    pub l2: f64,
    /// Rows a leaf, at least (told from its curvature).
    pub min_rows: usize,
    /// Curvature of a leaf, at least.
    pub min_hessian: f64,
    /// Gain of a split, at least.
    pub min_gain: f64,
    /// Bins of a feature, at most 254.
    pub max_bins: usize,
    /// Share of rows and of features that each tree sees.
    pub row_share: f64,
    pub feature_share: f64,
    /// By feature: 1 the margin may only rise with it, -1 only fall, 0 either. Shorter means 0.
    pub monotone: Vec<i8>,
    /// Rounds without a better loss on the rows set apart before it stops; 0 never stops early.
    pub patience: usize,
    pub seed: u64,
}

impl Default for Params {
    fn default() -> Params {
        Params {
            rounds: 100,
            leaves: 31,
            rate: 0.1,
            l2: 1.0,
            min_rows: 20,
            min_hessian: 1e-3,
            min_gain: 1e-9,
            max_bins: 254,
            row_share: 1.0,
            feature_share: 1.0,
            monotone: Vec::new(),
            patience: 0,
            seed: 0,
        }
    }
}

/// What is to be told from the rows.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Class of each row: 0 or 1 with two classes, else 0 to `classes` - 1.
    pub class: &'a [u32],
    pub classes: usize,
    /// What each row counts.
    pub weight: &'a [f32],
}

/// A trained ensemble, and its loss on the rows set apart after each round.
#[derive(Clone, Debug)]
pub struct Trained {
    pub ensemble: Ensemble,
    pub losses: Vec<f64>,
}

/// Trains on the rows of `x` that are not in `apart`; `apart` decides when to stop. `each` is told the number of rounds done.
pub fn train(x: &Matrix, target: Target<'_>, apart: &[u32], params: &Params, each: &(dyn Fn(usize) + Sync)) -> Trained {
    let mut is_apart = vec![false; x.rows()];
    apart.iter().for_each(|&r| is_apart[r as usize] = true);
    let rows: Vec<u32> = (0..x.rows() as u32).filter(|&r| !is_apart[r as usize]).collect();
    let binned = Binned::new(x, params.max_bins);
    let outputs = if target.classes <= 2 { 1 } else { target.classes };
    let base = base(target, &rows, outputs);
    let mut ensemble = Ensemble { width: x.width, base: base.clone(), trees: Vec::new() };
    // Margins by output, then by row.
    let mut margins: Vec<Vec<f32>> = base.iter().map(|&b| vec![b as f32; x.rows()]).collect();
    let mut pools: Vec<Pool> = (0..outputs).map(|_| Pool::default()).collect();
    let (mut losses, mut best) = (Vec::new(), (f64::INFINITY, 0));
    for round in 0..params.rounds {
        let pairs = pairs(target, &margins);
        let mut rng = Rng::new(params.seed, round as u64);
        let sample = if params.row_share < 1.0 {
            let keep = (rows.len() as f64 * params.row_share).ceil() as usize;
            rng.sample(rows.len(), keep).into_iter().map(|at| rows[at as usize]).collect()
        } else {
            rows.clone()
        };
        let allowed: Vec<Vec<bool>> = (0..outputs).map(|_| allow(x.width, params.feature_share, &mut rng)).collect();
        let one = |k: usize, pool: &mut Pool, margin: &mut Vec<f32>| {
            let gradients = Gradients::new(&pairs[k], &sample);
            let grown = grow(&binned, &gradients, sample.clone(), params, &allowed[k], pool);
            finish(grown, &pairs[k], params, x, &binned, margin, sample.len() < x.rows())
        };
        let trees: Vec<Tree> = pools
            .par_iter_mut()
            .zip(margins.par_iter_mut())
            .enumerate()
            .map(|(k, (pool, margin))| one(k, pool, margin))
            .collect();
        let barren = trees.iter().all(|t| t.nodes.is_empty());
        ensemble.trees.extend(trees);
        each(round + 1);
        if !apart.is_empty() {
            losses.push(loss(target, &margins, apart));
            if losses[round] < best.0 - 1e-9 {
                best = (losses[round], round + 1);
            }
            if params.patience > 0 && round + 1 >= best.1 + params.patience {
                break;
            }
        }
        if barren && params.row_share >= 1.0 && params.feature_share >= 1.0 {
            break;
        }
    }
    if params.patience > 0 && !apart.is_empty() {
        ensemble.trees.truncate(best.1.max(1) * outputs);
    }
    Trained { ensemble, losses }
}

/// Where margins begin: the log-odds of the classes among the rows.
fn base(target: Target<'_>, rows: &[u32], outputs: usize) -> Vec<f64> {
    let mut sums = vec![0.0f64; target.classes.max(2)];
    for &r in rows {
        sums[target.class[r as usize] as usize] += f64::from(target.weight[r as usize]);
    }
    let all: f64 = sums.iter().sum();
    let share = |k: usize| (sums[k] / all.max(1e-12)).clamp(1e-6, 1.0 - 1e-6);
    if outputs == 1 {
        let p = share(1);
        vec![(p / (1.0 - p)).ln()]
    } else {
        (0..outputs).map(|k| share(k).ln()).collect()
    }
}

/// Gradient and curvature of the log loss, by output and row.
fn pairs(target: Target<'_>, margins: &[Vec<f32>]) -> Vec<Vec<(f32, f32)>> {
    if let [margin] = margins {
        let pairs = margin.iter().zip(target.class).zip(target.weight).map(|((&m, &c), &w)| {
            let p = sigmoid32(m);
            (w * (p - c as f32), w * (p * (1.0 - p)).max(1e-16))
        });
        return vec![pairs.collect()];
    }
    let (k, n) = (margins.len(), target.class.len());
    let factor = k as f32 / (k as f32 - 1.0);
    let mut out: Vec<Vec<(f32, f32)>> = (0..k).map(|_| Vec::with_capacity(n)).collect();
    let mut p = vec![0.0f64; k];
    for r in 0..n {
        p.iter_mut().zip(margins).for_each(|(p, m)| *p = f64::from(m[r]));
        softmax(&mut p);
        let w = target.weight[r];
        for (c, out) in out.iter_mut().enumerate() {
            let pc = p[c] as f32;
            let hit = if target.class[r] as usize == c { 1.0 } else { 0.0 };
            out.push((w * (pc - hit), w * (factor * pc * (1.0 - pc)).max(1e-16)));
        }
    }
    out
}

/// The logistic function where seven digits are enough.
fn sigmoid32(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// Leaf values from the exact gradients of their rows, added to the margins of all rows.
fn finish(
    grown: Grown,
    pairs: &[(f32, f32)],
    params: &Params,
    x: &Matrix,
    binned: &Binned,
    margin: &mut [f32],
    others: bool,
) -> Tree {
    let Grown { mut tree, rows, leaves, bounds } = grown;
    for (leaf, range) in leaves.iter().enumerate() {
        let rows = &rows[range.clone()];
        let (mut g, mut h) = (0.0f64, 0.0f64);
        for &r in rows {
            g += f64::from(pairs[r as usize].0);
            h += f64::from(pairs[r as usize].1);
        }
        let (low, high) = bounds[leaf];
        let value = (params.rate * (-g / (h + params.l2)).clamp(low, high)) as f32;
        tree.leaves[leaf] = value;
        if !others {
            rows.iter().for_each(|&r| margin[r as usize] += value);
        }
    }
    if others {
        // Rows that the tree did not see fall through it by their numbers.
        debug_assert_eq!(x.rows(), binned.rows());
        margin.iter_mut().enumerate().for_each(|(r, m)| *m += tree.leaves[tree.leaf(x.row(r))]);
    }
    tree
}

/// Mean log loss of some rows.
fn loss(target: Target<'_>, margins: &[Vec<f32>], rows: &[u32]) -> f64 {
    let (mut sum, mut weights) = (0.0, 0.0);
    let mut p = vec![0.0; margins.len()];
    for &r in rows {
        let r = r as usize;
        let w = f64::from(target.weight[r]);
        p.iter_mut().zip(margins).for_each(|(p, m)| *p = f64::from(m[r]));
        let right = if margins.len() == 1 {
            let p = sigmoid(p[0]);
            if target.class[r] == 1 { p } else { 1.0 - p }
        } else {
            softmax(&mut p);
            p[target.class[r] as usize]
        };
        sum -= w * right.max(1e-15).ln();
        weights += w;
    }
    sum / f64::max(weights, 1e-12)
}
