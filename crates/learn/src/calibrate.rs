//! Scores to p-values by their rank among later normal rows, a tail where there are enough peaks, and the threshold for a share of false alarms.

use serde::{Deserialize, Serialize};

use crate::rng::Rng;

/// The most scores kept; more are thinned by a seeded draw.
const KEEP: usize = 50_000;
/// Peaks that a tail needs at least.
const PEAKS: usize = 50;

/// Scores of normal rows that training did not see.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Descending.
    scores: Vec<f64>,
    /// The share of normal rows that may be called attack.
    pub fpr: f64,
    /// Called attack above this.
    pub threshold: f64,
    /// Where ranks end: a generalised Pareto tail, if there are peaks enough.
    pub tail: Option<Tail>,
}

/// P(excess > x) = (1 + shape x / scale)^(−1 / shape), beyond `from`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tail {
    pub from: f64,
    pub scale: f64,
    pub shape: f64,
    /// Share of normal rows beyond `from`.
    pub share: f64,
    pub peaks: usize,
}

impl Calibration {
    /// Of scores of normal rows; there must be one at least.
    pub fn new(mut scores: Vec<f64>, fpr: f64, seed: u64) -> Calibration {
        scores.retain(|s| !s.is_nan());
        if scores.len() > KEEP {
            let kept = Rng::new(seed, 0xca1).sample(scores.len(), KEEP);
            scores = kept.into_iter().map(|at| scores[at as usize]).collect();
        }
        scores.sort_unstable_by(|a, b| b.total_cmp(a));
        let allowed = ((fpr * (scores.len() as f64 + 1.0)).floor() as usize).saturating_sub(1);
        let threshold = scores.get(allowed).or(scores.last()).copied().unwrap_or(f64::INFINITY);
        let tail = tail(&scores);
        Calibration { scores, fpr, threshold, tail }
    }

    /// How many scores it rests on.
    pub fn count(&self) -> usize {
        self.scores.len()
    }

    /// Whether there are scores enough to hold the share asked for.
    pub fn is_enough(&self) -> bool {
        self.fpr * (self.scores.len() as f64 + 1.0) >= 1.0
    }

    /// (1 + scores not below) ÷ (1 + scores); a tail speaks only below what ranks can say.
    pub fn p_value(&self, score: f64) -> f64 {
        let n = self.scores.len() as f64;
        let above = self.scores.partition_point(|s| *s >= score);
        if above > 0 {
            return (1.0 + above as f64) / (n + 1.0);
        }
        let least = 1.0 / (n + 1.0);
        self.tail.map_or(least, |t| t.p_value(score).min(least))
    }

    /// Minus ln p with a straight line beyond the largest score, so that no two scores beyond it are alike: for order only.
    pub fn surprise(&self, score: f64) -> f64 {
        let n = self.scores.len();
        let above = self.scores.partition_point(|s| *s >= score);
        let rank = |above: usize| -((1.0 + above as f64) / (n as f64 + 1.0)).ln();
        if above > 0 {
            // Between two calibration scores the surprise rises evenly.
            let low = self.scores[above - 1];
            let high =
                if above >= 2 { self.scores[above - 2] } else { return rank(above) + self.beyond(score).min(0.69) };
            let part = if high > low { ((score - low) / (high - low)).clamp(0.0, 1.0) } else { 0.0 };
            return rank(above) + part * (rank(above - 1) - rank(above));
        }
        rank(0) + self.beyond(score)
    }

    /// Excess over the largest score in units of how fast the last ones rise.
    fn beyond(&self, score: f64) -> f64 {
        let Some(&most) = self.scores.first() else { return 0.0 };
        let usual = self.scores[self.scores.len() / 20];
        let unit = ((most - usual) / 3.0).max(most.abs() * 1e-6).max(1e-12);
        let excess = ((score - most) / unit).max(0.0);
        // Logarithmic far out: members of a fusion must stay comparable.
        excess.ln_1p()
    }

    /// Checks what is relied upon.
    pub fn check(&self) -> Result<(), String> {
        let ordered = self.scores.windows(2).all(|w| w[0] >= w[1]);
        if ordered && !self.scores.iter().any(|s| s.is_nan()) && !self.threshold.is_nan() {
            Ok(())
        } else {
            Err("calibration scores are out of order".into())
        }
    }
}

impl Tail {
    fn p_value(&self, score: f64) -> f64 {
        let x = (score - self.from).max(0.0);
        let p = if self.shape.abs() < 1e-9 {
            (-x / self.scale).exp()
        } else {
            let base = 1.0 + self.shape * x / self.scale;
            if base <= 0.0 { 0.0 } else { base.powf(-1.0 / self.shape) }
        };
        (self.share * p).max(1e-12)
    }
}

/// Fits a tail to the largest twentieth by probability-weighted moments (Hosking and Wallis), shapes below zero drawn to zero: never a hard end.
fn tail(scores: &[f64]) -> Option<Tail> {
    let peaks = scores.len() / 20;
    if peaks < PEAKS {
        return None;
    }
    let from = scores[peaks];
    let mut excess: Vec<f64> = scores[..peaks].iter().map(|s| s - from).filter(|e| *e > 0.0).collect();
    excess.reverse();
    let n = excess.len();
    if n < PEAKS {
        return None;
    }
    let a0 = excess.iter().sum::<f64>() / n as f64;
    let a1 = excess.iter().enumerate().map(|(i, x)| x * (n - 1 - i) as f64 / (n - 1) as f64).sum::<f64>() / n as f64;
    let denominator = a0 - 2.0 * a1;
    if !(denominator > 1e-12 * a0 && a0.is_finite()) {
        return None;
    }
    let shape = (2.0 - a0 / denominator).clamp(0.0, 0.9);
    let scale = if shape > 0.0 { 2.0 * a0 * a1 / denominator } else { a0 };
    (scale > 0.0).then_some(Tail { from, scale, shape, share: n as f64 / (scores.len() as f64 + 1.0), peaks: n })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_values_are_uniform_on_new_normal_rows_and_the_threshold_holds() {
        let mut rng = Rng::new(1, 1);
        let mut draw = |n: usize| (0..n).map(|_| -rng.unit().max(1e-12).ln()).collect::<Vec<f64>>();
        let c = Calibration::new(draw(4000), 0.01, 0);
        let fresh = draw(50_000);
        let share = |a: f64| fresh.iter().filter(|s| c.p_value(**s) <= a).count() as f64 / 50_000.0;
        assert!((share(0.1) - 0.1).abs() < 0.015 && (share(0.01) - 0.01).abs() < 0.005);
        let alarms = fresh.iter().filter(|s| **s > c.threshold).count() as f64 / 50_000.0;
        assert!((alarms - 0.01).abs() < 0.005, "{alarms}");
        // Of an exponential the true p of 12 is 6e-6: the tail is of that size.
        let p = c.p_value(12.0);
        assert!(p < 6e-5 && p > 1e-7, "{p}");
        let mut last = -1.0;
        for s in 0..400 {
            let now = c.surprise(f64::from(s) / 10.0);
            assert!(now >= last, "at {s}: {now} {last}");
            last = now;
        }
    }

    #[test]
    fn few_scores_say_no_more_than_they_can() {
        let c = Calibration::new(vec![3.0, 1.0, 2.0], 0.01, 0);
        assert!(!c.is_enough() && c.tail.is_none());
        assert_eq!((c.p_value(9.0), c.p_value(2.0), c.threshold), (0.25, 0.75, 3.0));
    }
}
