//! Distance from the middle in units of the normal rows' own spread, correlations counted.

use serde::{Deserialize, Serialize};

use crate::matrix::Matrix;

/// Added to every variance, in units of the mean one: columns that never moved must not decide everything.
const RIDGE: f64 = 1e-3;

/// Mean and Cholesky factor of the covariance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mahalanobis {
    mean: Vec<f64>,
    /// Lower triangle of the inverse factor, row after row: the distance is the length of its product with the difference.
    inverse: Vec<f64>,
}

impl Mahalanobis {
    /// Fits to all rows.
    pub fn fit(x: &Matrix) -> Mahalanobis {
        let (n, d) = (x.rows().max(1) as f64, x.width);
        let mut mean = vec![0.0f64; d];
        for row in x.cells.chunks_exact(d) {
            mean.iter_mut().zip(row).for_each(|(m, v)| *m += f64::from(*v));
        }
        mean.iter_mut().for_each(|m| *m /= n);
        let mut cov = vec![0.0f64; d * d];
        let mut diff = vec![0.0f64; d];
        for row in x.cells.chunks_exact(d) {
            diff.iter_mut().zip(row).zip(&mean).for_each(|((o, v), m)| *o = f64::from(*v) - m);
            for i in 0..d {
                let a = diff[i];
                if a != 0.0 {
                    cov[i * d..i * d + i + 1].iter_mut().zip(&diff).for_each(|(c, b)| *c += a * b);
                }
            }
        }
        cov.iter_mut().for_each(|c| *c /= n);
        let trace: f64 = (0..d).map(|i| cov[i * d + i]).sum();
        let ridge = (RIDGE * trace / d as f64).max(1e-9);
        (0..d).for_each(|i| cov[i * d + i] += ridge);
        let factor = cholesky(cov, d);
        Mahalanobis { mean, inverse: invert(&factor, d) }
    }

    /// Distances of all rows.
    pub fn scores(&self, x: &Matrix) -> Vec<f64> {
        let d = self.mean.len();
        let mut diff = vec![0.0; d];
        x.cells.chunks_exact(d).map(|row| self.distance(row, &mut diff)).collect()
    }

    fn distance(&self, row: &[f32], diff: &mut [f64]) -> f64 {
        diff.iter_mut().zip(row).zip(&self.mean).for_each(|((o, v), m)| *o = f64::from(*v) - m);
        let (mut sum, mut from) = (0.0, 0);
        for i in 0..diff.len() {
            let y = dot(&self.inverse[from..from + i + 1], &diff[..i + 1]);
            sum += y * y;
            from += i + 1;
        }
        sum.sqrt()
    }

    /// Each column's part of the squared distance: with y = L⁻¹ d, the gradient-weighted share d_i (Σ⁻¹ d)_i; they add up to the square.
    pub fn parts(&self, row: &[f32]) -> Vec<f64> {
        let d = self.mean.len();
        let diff: Vec<f64> = row.iter().zip(&self.mean).map(|(v, m)| f64::from(*v) - m).collect();
        let mut whole = vec![0.0; d];
        let mut from = 0;
        for i in 0..d {
            let lower = &self.inverse[from..from + i + 1];
            let y = dot(lower, &diff[..i + 1]);
            whole.iter_mut().zip(lower).for_each(|(w, l)| *w += l * y);
            from += i + 1;
        }
        whole.iter().zip(&diff).map(|(w, d)| w * d).collect()
    }

    /// Checks sizes and numbers.
    pub fn check(&self, width: usize) -> Result<(), String> {
        let fits = self.mean.len() == width && self.inverse.len() == width * (width + 1) / 2;
        let finite = self.mean.iter().chain(&self.inverse).all(|v| v.is_finite());
        if fits && finite { Ok(()) } else { Err("the distance's matrix does not fit".into()) }
    }
}

/// Four sums side by side: faster, and the same everywhere.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 4];
    let (ca, cb) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest: f64 = ca.remainder().iter().zip(cb.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in ca.zip(cb) {
        for l in 0..4 {
            sums[l] += x[l] * y[l];
        }
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest
}

/// Lower factor of a positive matrix given by its lower half.
fn cholesky(mut a: Vec<f64>, d: usize) -> Vec<f64> {
    for j in 0..d {
        let s = dot(&a[j * d..j * d + j], &a[j * d..j * d + j]);
        let pivot = (a[j * d + j] - s).max(1e-12).sqrt();
        a[j * d + j] = pivot;
        for i in j + 1..d {
            let (head, tail) = a.split_at_mut(i * d);
            let s = dot(&tail[..j], &head[j * d..j * d + j]);
            tail[j] = (tail[j] - s) / pivot;
        }
    }
    a
}

/// Inverse of a lower triangle, packed.
fn invert(l: &[f64], d: usize) -> Vec<f64> {
    let mut out = vec![0.0; d * (d + 1) / 2];
    let start = |i: usize| i * (i + 1) / 2;
    for i in 0..d {
        out[start(i) + i] = 1.0 / l[i * d + i];
        for j in 0..i {
            let sum: f64 = (j..i).map(|k| l[i * d + k] * out[start(k) + j]).sum();
            out[start(i) + j] = -sum / l[i * d + i];
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn correlated_columns_count_once_and_parts_add_up() {
        let mut rng = Rng::new(5, 5);
        let mut cells = Vec::new();
        for _ in 0..4000 {
            let (a, b) = (rng.unit() as f32 * 6.0, rng.unit() as f32);
            cells.extend([a, a + b * 0.1, b]);
        }
        let m = Mahalanobis::fit(&Matrix { width: 3, cells });
        let score = |row: &[f32]| m.scores(&Matrix { width: 3, cells: row.to_vec() })[0];
        assert!(score(&[1.0, 4.0, 0.5]) > 5.0 * score(&[1.0, 1.05, 0.5]));
        let parts = m.parts(&[1.0, 4.0, 0.5]);
        assert!((parts.iter().sum::<f64>().sqrt() - score(&[1.0, 4.0, 0.5])).abs() < 1e-9);
    }
}
