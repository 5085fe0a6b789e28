//! Encoded rows to standardised numbers for detectors and nets: logarithms of what is heavy-tailed, one column a category, nothing missing.

use serde::{Deserialize, Serialize};

use crate::encode::{Encoder, Kind};
use crate::matrix::Matrix;

/// Categories of a feature that get a column of their own.
const MAX_ONE_HOT: usize = 100;
/// Standardised numbers are cut here: one wild cell must not drown a row.
const CUT: f32 = 1e3;

/// What one column of the result is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Column of the encoded matrix.
    pub source: u32,
    pub part: Part,
    /// Subtracted, then divided by.
    pub mean: f32,
    pub spread: f32,
}

/// How a column is made.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The number; missing becomes the mean.
    Number,
    /// sign(x) ln(1 + |x|).
    Log,
    /// 1 where the code is this, else 0.
    Is(u32),
    /// 1 where the value is missing or unknown, else 0.
    Missing,
}

/// A fitted transformation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dense {
    pub columns: Vec<Column>,
}

impl Dense {
    /// Fits to these rows of an encoded matrix.
    pub fn fit(encoder: &Encoder, x: &Matrix, rows: &[u32]) -> Dense {
        let mut columns = Vec::new();
        for (f, feature) in encoder.features.iter().enumerate() {
            let values = || rows.iter().map(move |&r| x.cells[r as usize * x.width + f]);
            let missing = values().filter(|v| v.is_nan()).count();
            let source = f as u32;
            match &feature.kind {
                Kind::Category(names) => {
                    let mut counts = vec![0usize; names.len()];
                    values().filter(|v| !v.is_nan()).for_each(|v| counts[v as usize] += 1);
                    let mut order: Vec<usize> = (0..names.len()).filter(|&c| counts[c] > 0).collect();
                    order.sort_by(|&a, &b| counts[b].cmp(&counts[a]).then(a.cmp(&b)));
                    order.truncate(MAX_ONE_HOT);
                    order.sort_unstable();
                    for code in order {
                        columns.push(share(source, Part::Is(code as u32), counts[code], rows.len()));
                    }
                    columns.push(share(source, Part::Missing, missing, rows.len()));
                }
                _ => {
                    let part = if heavy(values()) { Part::Log } else { Part::Number };
                    let mut column = Column { source, part, mean: 0.0, spread: 1.0 };
                    let (mut n, mut sum, mut square) = (0.0f64, 0.0f64, 0.0f64);
                    for v in values().map(|v| f64::from(column.raw(v))).filter(|v| !v.is_nan()) {
                        n += 1.0;
                        sum += v;
                        square += v * v;
                    }
                    let mean = if n > 0.0 { sum / n } else { 0.0 };
                    let variance = if n > 0.0 { (square / n - mean * mean).max(0.0) } else { 0.0 };
                    column.mean = mean as f32;
                    // A column that never moved: any move at all is one of a hundredth of its size, at least.
                    let least = (mean.abs() * 1e-2).max(1e-2);
                    column.spread = if variance.sqrt() > 1e-9 { variance.sqrt() } else { least } as f32;
                    columns.push(column);
                    if missing > 0 && missing < rows.len() {
                        columns.push(share(source, Part::Missing, missing, rows.len()));
                    }
                }
            }
        }
        Dense { columns }
    }

    /// Transforms a row into `out` (as many as columns).
    pub fn row(&self, row: &[f32], out: &mut [f32]) {
        for (column, out) in self.columns.iter().zip(out) {
            let raw = column.raw(row[column.source as usize]);
            let z = if raw.is_nan() { 0.0 } else { (raw - column.mean) / column.spread };
            *out = z.clamp(-CUT, CUT);
        }
    }

    /// Transforms all rows.
    pub fn all(&self, x: &Matrix) -> Matrix {
        let width = self.columns.len();
        let mut out = Matrix { width, cells: vec![0.0; width * x.rows()] };
        for (r, out) in out.cells.chunks_exact_mut(width).enumerate() {
            self.row(x.row(r), out);
        }
        out
    }
}

impl Column {
    fn raw(&self, x: f32) -> f32 {
        match self.part {
            Part::Number => x.clamp(-f32::MAX, f32::MAX),
            Part::Log => x.signum() * x.abs().min(f32::MAX).ln_1p(),
            Part::Is(code) => f32::from(u8::from(x == code as f32)),
            Part::Missing => f32::from(u8::from(x.is_nan())),
        }
    }
}

/// A column of zeros and ones, with its spread held above that of one in ten thousand rows.
fn share(source: u32, part: Part, count: usize, rows: usize) -> Column {
    let p = (count as f64 + 0.5) / (rows as f64 + 1.0);
    Column { source, part, mean: p as f32, spread: (p * (1.0 - p)).sqrt().max(1e-2) as f32 }
}

/// Whether the largest values lie far beyond the usual ones.
fn heavy(values: impl Iterator<Item = f32>) -> bool {
    let mut sizes: Vec<f32> = values.map(f32::abs).filter(|v| !v.is_nan()).collect();
    if sizes.is_empty() {
        return false;
    }
    sizes.sort_unstable_by(f32::total_cmp);
    let at = |q: f64| sizes[((sizes.len() - 1) as f64 * q) as usize];
    at(1.0) > 20.0 && at(1.0) > 10.0 * at(0.75).max(1.0)
}
