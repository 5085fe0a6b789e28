//! Grows one tree, best leaf first, over sums of integer gradients: whatever the order of adding, the sums are the same.

use super::bins::{Binned, CELLS};
use super::train::Params;
use super::tree::{Node, Tree};
use crate::rng::Rng;

/// Rows from which on adding up is shared among threads.
const PARALLEL_ROWS: usize = 1 << 16;

/// Gradient (signed, high half) and curvature (low half) of each row, as integers, in one word.
pub struct Gradients {
    /// One a row of the binned matrix.
    pub words: Vec<u64>,
    /// What one unit of each is worth.
    pub units: (f64, f64),
}

impl Gradients {
    /// Of these rows: rounds to integers whose sums cannot overflow 31 and 32 bits: the unit adapts to the sum of all.
    pub fn new(pairs: &[(f32, f32)], rows: &[u32]) -> Gradients {
        let (mut g_sum, mut h_sum) = (0.0f64, 0.0f64);
        for &(g, h) in rows.iter().map(|&r| &pairs[r as usize]) {
            g_sum += f64::from(g.abs());
            h_sum += f64::from(h);
        }
        let room = |bits: f64| (bits - pairs.len() as f64 - 2.0).max(1.0);
        let per_g = room(2f64.powi(31)) / g_sum.max(1e-300);
        let per_h = room(2f64.powi(32)) / h_sum.max(1e-300);
        let (per_g, per_h) = (per_g.min(1e12), per_h.min(1e12));
        let mut words = vec![0; pairs.len()];
        for &r in rows {
            let (g, h) = pairs[r as usize];
            let g = (f64::from(g) * per_g).round() as i64;
            let h = (f64::from(h) * per_h).round() as u64;
            words[r as usize] = ((g as u64) << 32).wrapping_add(h);
        }
        Gradients { words, units: (1.0 / per_g, 1.0 / per_h) }
    }
}

type Sums = Box<[u64; CELLS]>;

fn gradient(word: u64) -> i64 {
    (word as i64) >> 32
}

fn curvature(word: u64) -> i64 {
    i64::from(word as u32)
}

/// A leaf that may be split.
struct Leaf {
    rows: std::ops::Range<usize>,
    sums: Sums,
    /// Gradient and curvature over its rows, in units.
    total: u64,
    best: Option<Split>,
    /// The node and side that lead here.
    parent: Option<(usize, bool)>,
    /// Between what its value must lie.
    bounds: (f64, f64),
}

#[derive(Clone, Copy)]
struct Split {
    gain: f64,
    feature: usize,
    bin: usize,
    missing_left: bool,
}

/// What a grown tree did with the rows.
pub struct Grown {
    pub tree: Tree,
    /// Rows in the order of leaves.
    pub rows: Vec<u32>,
    /// Each leaf's rows, as a range of `rows`, in the order of the tree's leaves.
    pub leaves: Vec<std::ops::Range<usize>>,
    /// Between what each leaf's value must lie.
    pub bounds: Vec<(f64, f64)>,
}

/// Memory that trees use one after the other.
#[derive(Default)]
pub struct Pool(Vec<Sums>);

impl Pool {
    fn get(&mut self, total: usize) -> Sums {
        match self.0.pop() {
            Some(mut sums) => {
                sums[..total].fill(0);
                sums
            }
            None => vec![0u64; CELLS].into_boxed_slice().try_into().expect("so many cells were asked for"),
        }
    }
}

/// Grows a tree over `rows`. Leaf values are left zero: the caller knows the exact gradients. `monotone` and `allowed` are by feature.
pub fn grow(
    binned: &Binned,
    gradients: &Gradients,
    rows: Vec<u32>,
    params: &Params,
    allowed: &[bool],
    pool: &mut Pool,
) -> Grown {
    let mut grower = Grower { binned, gradients, params, allowed, rows, side: Vec::new() };
    grower.run(pool)
}

struct Grower<'a> {
    binned: &'a Binned,
    gradients: &'a Gradients,
    params: &'a Params,
    allowed: &'a [bool],
    rows: Vec<u32>,
    side: Vec<u32>,
}

impl Grower<'_> {
    fn run(&mut self, pool: &mut Pool) -> Grown {
        let all = 0..self.rows.len();
        let mut sums = pool.get(self.binned.total);
        let total = self.add_up(all.clone(), &mut sums);
        let mut leaves =
            vec![Leaf { rows: all, sums, total, best: None, parent: None, bounds: (f64::NEG_INFINITY, f64::INFINITY) }];
        leaves[0].best = self.best(&leaves[0]);
        let mut nodes: Vec<Node> = Vec::new();
        while leaves.len() < self.params.leaves {
            let mut chosen: Option<(usize, Split)> = None;
            for (at, leaf) in leaves.iter().enumerate() {
                if let Some(split) = leaf.best
                    && chosen.is_none_or(|(_, best)| split.gain > best.gain)
                {
                    chosen = Some((at, split));
                }
            }
            let Some((at, split)) = chosen else { break };
            self.split(&mut leaves, at, split, &mut nodes, pool);
        }
        let mut tree = Tree { nodes, ..Tree::default() };
        for (at, leaf) in leaves.iter().enumerate() {
            if let Some((node, left)) = leaf.parent {
                let child = if left { &mut tree.nodes[node].left } else { &mut tree.nodes[node].right };
                *child = !(at as i32);
            }
            tree.leaves.push(0.0);
            tree.covers.push(leaf.rows.len() as f32);
        }
        let ranges = leaves.iter().map(|l| l.rows.clone()).collect();
        let bounds = leaves.iter().map(|l| l.bounds).collect();
        pool.0.extend(leaves.into_iter().map(|l| l.sums));
        Grown { tree, rows: std::mem::take(&mut self.rows), leaves: ranges, bounds }
    }

    fn split(&mut self, leaves: &mut Vec<Leaf>, at: usize, split: Split, nodes: &mut Vec<Node>, pool: &mut Pool) {
        let middle = self.part(leaves[at].rows.clone(), split);
        let feature = &self.binned.features[split.feature];
        let mut leaf = leaves.remove(at);
        let node = nodes.len();
        if let Some((parent, left)) = leaf.parent {
            let child = if left { &mut nodes[parent].left } else { &mut nodes[parent].right };
            *child = node as i32;
        }
        let (left, right) = (leaf.rows.start..middle, middle..leaf.rows.end);
        let missing_left = if feature.has_missing { split.missing_left } else { left.len() >= right.len() };
        nodes.push(Node {
            feature: split.feature as u32,
            threshold: feature.cuts.get(split.bin).copied().unwrap_or(f32::MAX),
            left: 0,
            right: 0,
            missing_left,
            cover: leaf.rows.len() as f32,
            gain: split.gain as f32,
        });
        // The smaller side is added up, the larger is what is left of the parent; leaves that will not be split need neither.
        let last = leaves.len() + 2 == self.params.leaves && self.params.monotone.is_empty();
        let small_left = left.len() <= right.len();
        let mut sums = pool.get(if last { 0 } else { self.binned.total });
        let small =
            if last { 0 } else { self.add_up(if small_left { left.clone() } else { right.clone() }, &mut sums) };
        if !last {
            for (large, small) in leaf.sums[..self.binned.total].iter_mut().zip(&sums[..self.binned.total]) {
                *large = large.wrapping_sub(*small);
            }
        }
        let large = leaf.total.wrapping_sub(small);
        let ((l_sums, l_total), (r_sums, r_total)) =
            if small_left { ((sums, small), (leaf.sums, large)) } else { ((leaf.sums, large), (sums, small)) };
        let (l_bounds, r_bounds) = self.bounds(leaf.bounds, split.feature, (l_total, r_total));
        let mut l =
            Leaf { rows: left, sums: l_sums, total: l_total, best: None, parent: Some((node, true)), bounds: l_bounds };
        let mut r = Leaf {
            rows: right,
            sums: r_sums,
            total: r_total,
            best: None,
            parent: Some((node, false)),
            bounds: r_bounds,
        };
        if !last {
            l.best = self.best(&l);
            r.best = self.best(&r);
        }
        leaves.insert(at, l);
        leaves.push(r);
    }

    /// Bounds of the two sides' values: those of the leaf, and their middle where the feature may only rise or fall.
    fn bounds(&self, (low, high): (f64, f64), feature: usize, totals: (u64, u64)) -> ((f64, f64), (f64, f64)) {
        let value = |word: u64| {
            let (ug, uh) = self.gradients.units;
            -(gradient(word) as f64 * ug) / (curvature(word) as f64 * uh + self.params.l2)
        };
        let middle = ((value(totals.0) + value(totals.1)) / 2.0).clamp(low, high);
        match self.params.monotone.get(feature).copied().unwrap_or(0) {
            0 => ((low, high), (low, high)),
            1.. => ((low, middle), (middle, high)),
            _ => ((middle, high), (low, middle)),
        }
    }

    /// Adds up the gradients of rows by bin; returns their total.
    fn add_up(&self, rows: std::ops::Range<usize>, sums: &mut Sums) -> u64 {
        let rows = &self.rows[rows];
        let total = if rows.len() >= PARALLEL_ROWS && rayon::current_num_threads() > 1 {
            let (a, b) = rows.split_at(rows.len() / 2);
            let mut other: Sums = vec![0u64; CELLS].into_boxed_slice().try_into().expect("so many cells");
            let (x, y) = rayon::join(|| self.add_block(a, sums), || self.add_block(b, &mut other));
            for (s, o) in sums[..self.binned.total].iter_mut().zip(&other[..self.binned.total]) {
                *s = s.wrapping_add(*o);
            }
            x.wrapping_add(y)
        } else {
            self.add_block(rows, sums)
        };
        // What rows do not list is what is left of the total.
        for feature in &self.binned.features {
            let bins = &mut sums[feature.first..feature.first + feature.width()];
            let listed = bins.iter().fold(0u64, |s, w| s.wrapping_add(*w)).wrapping_sub(bins[feature.usual]);
            bins[feature.usual] = total.wrapping_sub(listed);
        }
        total
    }

    fn add_block(&self, rows: &[u32], sums: &mut [u64; CELLS]) -> u64 {
        let (starts, cells, words) = (&self.binned.starts, &self.binned.cells, &self.gradients.words);
        let mut total = 0u64;
        for &row in rows {
            let row = row as usize;
            let word = words[row];
            total = total.wrapping_add(word);
            for &cell in &cells[starts[row] as usize..starts[row + 1] as usize] {
                let sum = &mut sums[cell as usize];
                *sum = sum.wrapping_add(word);
            }
        }
        total
    }

    /// The split of a leaf that gains most, the first of equals.
    fn best(&self, leaf: &Leaf) -> Option<Split> {
        let (p, (ug, uh)) = (self.params, self.gradients.units);
        let rows = leaf.rows.len();
        if rows < 2 * p.min_rows {
            return None;
        }
        let (g_all, h_all) = (gradient(leaf.total) as f64 * ug, curvature(leaf.total) as f64 * uh);
        // Rows of a side are told from its share of the curvature, as LightGBM does: the sums hold no count.
        let per_h = rows as f64 / h_all.max(1e-12);
        let h_least = p.min_hessian.max((p.min_rows as f64 - 0.5) / per_h);
        if h_all < 2.0 * h_least {
            return None;
        }
        let base = g_all * g_all / (h_all + p.l2);
        let mut best: Option<Split> = None;
        let mut most = p.min_gain + base;
        for (f, feature) in self.binned.features.iter().enumerate().filter(|(f, _)| self.allowed[*f]) {
            let bins = &leaf.sums[feature.first..feature.first + feature.width()];
            let missing = if feature.has_missing { bins[feature.bins] } else { 0 };
            let direction = p.monotone.get(f).copied().unwrap_or(0);
            for missing_left in [false, true] {
                if missing_left && missing == 0 {
                    break;
                }
                let mut left = if missing_left { missing } else { 0 };
                // A split after the last number parts numbers from missing.
                let last = if feature.has_missing && !missing_left { feature.bins } else { feature.bins - 1 };
                for (bin, word) in bins[..last].iter().enumerate() {
                    left = left.wrapping_add(*word);
                    let hl = curvature(left) as f64 * uh;
                    if hl < h_least {
                        continue;
                    }
                    let hr = h_all - hl;
                    if hr < h_least {
                        break;
                    }
                    let gl = gradient(left) as f64 * ug;
                    let gr = g_all - gl;
                    let gain = gl * gl / (hl + p.l2) + gr * gr / (hr + p.l2);
                    if gain > most {
                        let rise = gl / (hl + p.l2) - gr / (hr + p.l2);
                        if direction == 0 || rise * f64::from(direction) >= 0.0 {
                            most = gain;
                            best = Some(Split { gain: gain - base, feature: f, bin, missing_left });
                        }
                    }
                }
            }
        }
        best
    }

    /// Parts a leaf's rows, left before right, each in their order; returns where the right ones begin.
    fn part(&mut self, range: std::ops::Range<usize>, split: Split) -> usize {
        let column = &self.binned.columns[split.feature];
        let feature = &self.binned.features[split.feature];
        let missing = if feature.has_missing { feature.bins } else { usize::MAX };
        let rows = &mut self.rows[range.clone()];
        self.side.clear();
        let mut kept = 0;
        for at in 0..rows.len() {
            let row = rows[at];
            let bin = column[row as usize] as usize;
            let left = if bin == missing { split.missing_left } else { bin <= split.bin };
            if left {
                rows[kept] = row;
                kept += 1;
            } else {
                self.side.push(row);
            }
        }
        rows[kept..].copy_from_slice(&self.side);
        range.start + kept
    }
}

/// Which features a tree may use, and at least one.
pub fn allow(width: usize, share: f64, rng: &mut Rng) -> Vec<bool> {
    if share >= 1.0 {
        return vec![true; width];
    }
    let count = ((width as f64 * share).round() as usize).clamp(1, width);
    let mut allowed = vec![false; width];
    rng.sample(width, count).iter().for_each(|&f| allowed[f as usize] = true);
    allowed
}
