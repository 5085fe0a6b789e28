//! Numbers to bins: at most 255 of a feature, cut at quantiles; rows keep only the bins that are not their feature's usual one.

use rayon::prelude::*;

use crate::matrix::Matrix;

/// Rows looked at to place the cuts.
const SAMPLE: usize = 200_000;
/// All bins of all features together.
pub const CELLS: usize = 1 << 16;

/// Where a feature's bins lie among all, and what they mean.
#[derive(Clone, Debug)]
pub struct Feature {
    /// Upper ends, ascending: a number x lies in the first bin with x ≤ cut, or in the one after the last cut.
    pub cuts: Vec<f32>,
    /// The number of its first bin.
    pub first: usize,
    /// How many bins of numbers: cuts + 1.
    pub bins: usize,
    /// Whether a bin for missing follows.
    pub has_missing: bool,
    /// The bin most rows are in, counted from the first; rows do not list it.
    pub usual: usize,
}

impl Feature {
    /// Bins with the one for missing.
    pub fn width(&self) -> usize {
        self.bins + usize::from(self.has_missing)
    }

    /// The bin of a number, counted from the feature's first.
    pub fn bin(&self, x: f32) -> usize {
        if x.is_nan() {
            return if self.has_missing { self.bins } else { self.usual };
        }
        self.cuts.partition_point(|&cut| cut < x)
    }
}

/// A matrix in bins, both by column and by row.
#[derive(Debug)]
pub struct Binned {
    /// One a column of the matrix.
    pub features: Vec<Feature>,
    /// By column: the bin of each row, counted from the feature's first.
    pub columns: Vec<Vec<u8>>,
    /// By row: numbers of the bins (among all) that are not the usual ones.
    pub cells: Vec<u16>,
    /// Where each row's cells begin; one more than rows.
    pub starts: Vec<u32>,
    /// All bins together.
    pub total: usize,
}

impl Binned {
    /// Places the cuts on these rows and bins them. At most `max_bins` (≤ 255) bins of numbers a feature.
    pub fn new(x: &Matrix, max_bins: usize) -> Binned {
        let rows = x.rows();
        let max_bins = max_bins.min(254).min(CELLS / x.width.max(1) - 1).max(2);
        let mut features: Vec<Feature> = (0..x.width).into_par_iter().map(|f| cut(x, f, max_bins)).collect();
        let mut total = 0;
        for feature in &mut features {
            feature.first = total;
            total += feature.width();
        }
        let columns: Vec<Vec<u8>> = features
            .par_iter_mut()
            .enumerate()
            .map(|(f, feature)| {
                let column: Vec<u8> = (0..rows).map(|r| feature.bin(x.cells[r * x.width + f]) as u8).collect();
                let mut counts = [0u32; 256];
                column.iter().for_each(|&b| counts[b as usize] += 1);
                let most = counts.iter().max().copied().unwrap_or(0);
                feature.usual = counts.iter().position(|&c| c == most).unwrap_or(0);
                column
            })
            .collect();
        let (mut cells, mut starts) = (Vec::new(), Vec::with_capacity(rows + 1));
        starts.push(0);
        for r in 0..rows {
            for (feature, column) in features.iter().zip(&columns) {
                let bin = column[r] as usize;
                if bin != feature.usual {
                    cells.push((feature.first + bin) as u16);
                }
            }
            starts.push(cells.len() as u32);
        }
        Binned { features, columns, cells, starts, total }
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.starts.len() - 1
    }
}

/// Cuts of a column: between all different values where they are few, else at quantiles.
fn cut(x: &Matrix, f: usize, max_bins: usize) -> Feature {
    let rows = x.rows();
    let step = rows.div_ceil(SAMPLE).max(1);
    let mut values: Vec<f32> = Vec::with_capacity(rows / step + 1);
    let mut has_missing = false;
    for r in 0..rows {
        let v = x.cells[r * x.width + f];
        has_missing |= v.is_nan();
        if r % step == 0 && !v.is_nan() {
            values.push(v);
        }
    }
    values.sort_unstable_by(f32::total_cmp);
    let mut different: Vec<(f32, usize)> = Vec::new();
    for &v in &values {
        match different.last_mut() {
            // Zero and negative zero are one value.
            Some((last, count)) if *last == v => *count += 1,
            _ => different.push((v, 1)),
        }
    }
    let mut cuts = Vec::new();
    if different.len() <= max_bins {
        cuts.extend(different.windows(2).map(|w| between(w[0].0, w[1].0)));
    } else {
        let (mut left, mut bins, mut inside) = (values.len(), max_bins, 0);
        for w in different.windows(2) {
            inside += w[0].1;
            // A value that alone fills a bin gets one of its own, so the bin before it ends here.
            if inside * bins >= left || (w[1].1 * max_bins >= values.len() && inside > 0) {
                cuts.push(between(w[0].0, w[1].0));
                left -= inside;
                inside = 0;
                bins -= 1;
                if bins <= 1 {
                    break;
                }
            }
        }
    }
    let bins = cuts.len() + 1;
    Feature { cuts, first: 0, bins, has_missing, usual: 0 }
}

/// A number c with low ≤ c < high, near the middle.
fn between(low: f32, high: f32) -> f32 {
    let middle = (f64::from(low) + (f64::from(high) - f64::from(low)) / 2.0) as f32;
    if middle >= low && middle < high { middle } else { low }
}
