//! Figures of merit over judged rows, each with an interval from blocks drawn again and again.

use serde_json::{Map, Value, json};

use crate::rng::Rng;

/// Times that blocks are drawn.
const DRAWS: usize = 200;
/// Rows beyond which fewer draws are made.
const MANY_ROWS: usize = 400_000;
/// Bins of calibration.
const BINS: usize = 15;

/// Rows with their truth and what was said of them.
#[derive(Clone, Debug, Default)]
pub struct Judged {
    pub classes: Vec<String>,
    pub normal: Option<usize>,
    /// Class of each row.
    pub truth: Vec<u32>,
    /// Class that the model named.
    pub label: Vec<u32>,
    /// Larger is more suspicious.
    pub score: Vec<f64>,
    /// Whether the score is a probability of attack.
    pub is_probability: bool,
    /// Rows of one block are drawn together: a conversation, an hour, or rows that are alike.
    pub block: Vec<u64>,
    /// The threshold of each model that spoke (one a fold).
    pub thresholds: Vec<f64>,
}

/// Names of the first figures; per class precision, recall and F1 follow.
pub const NAMES: [&str; 14] = [
    "prevalence",
    "accuracy",
    "precision",
    "recall",
    "f1",
    "macro_f1",
    "mcc",
    "roc_auc",
    "pr_auc",
    "fpr",
    "tpr_at_0.0001",
    "tpr_at_0.001",
    "tpr_at_0.01",
    "brier",
];
/// After the names above.
const ECE: usize = NAMES.len();
const FIXED: usize = NAMES.len() + 1;

impl Judged {
    /// Adds another fold's rows.
    pub fn append(&mut self, other: Judged) {
        if self.classes.is_empty() {
            *self = other;
            return;
        }
        self.truth.extend(other.truth);
        self.label.extend(other.label);
        self.score.extend(other.score);
        self.block.extend(other.block);
        self.thresholds.extend(other.thresholds);
    }

    /// Only these rows.
    pub fn only(&self, keep: impl Fn(usize) -> bool) -> Judged {
        let at: Vec<usize> = (0..self.truth.len()).filter(|&i| keep(i)).collect();
        Judged {
            classes: self.classes.clone(),
            normal: self.normal,
            truth: at.iter().map(|&i| self.truth[i]).collect(),
            label: at.iter().map(|&i| self.label[i]).collect(),
            score: at.iter().map(|&i| self.score[i]).collect(),
            is_probability: self.is_probability,
            block: at.iter().map(|&i| self.block[i]).collect(),
            thresholds: self.thresholds.clone(),
        }
    }

    /// Whether a row is an attack.
    pub fn is_attack(&self, at: usize) -> bool {
        self.normal.is_some_and(|n| self.truth[at] as usize != n)
    }

    /// Rows from the most to the least suspicious.
    pub fn order(&self) -> Vec<u32> {
        let mut order: Vec<u32> = (0..self.score.len() as u32).collect();
        order.sort_by(|&a, &b| self.score[b as usize].total_cmp(&self.score[a as usize]).then(a.cmp(&b)));
        order
    }

    /// All figures over rows that count `weight` times; NaN where a figure has no meaning.
    pub fn figures(&self, order: &[u32], weight: &[f64]) -> Vec<f64> {
        let k = self.classes.len();
        let mut out = vec![f64::NAN; FIXED + 3 * k];
        let mut confusion = vec![0.0f64; k * k];
        for i in 0..self.truth.len() {
            confusion[self.truth[i] as usize * k + self.label[i] as usize] += weight[i];
        }
        let all: f64 = confusion.iter().sum();
        let of = |t: usize, l: usize| confusion[t * k + l];
        let row = |t: usize| (0..k).map(|l| of(t, l)).sum::<f64>();
        let column = |l: usize| (0..k).map(|t| of(t, l)).sum::<f64>();
        let right: f64 = (0..k).map(|c| of(c, c)).sum();
        out[1] = right / all;
        let mut f1s = Vec::new();
        for c in 0..k {
            let (tp, said, is) = (of(c, c), column(c), row(c));
            let precision = if said > 0.0 { tp / said } else { 0.0 };
            let recall = if is > 0.0 { tp / is } else { f64::NAN };
            let f1 = if said + is > 0.0 { 2.0 * tp / (said + is) } else { f64::NAN };
            out[FIXED + 3 * c..FIXED + 3 * c + 3].copy_from_slice(&[precision, recall, f1]);
            if !f1.is_nan() {
                f1s.push(f1);
            }
        }
        out[5] = f1s.iter().sum::<f64>() / f1s.len().max(1) as f64;
        // Gorodkin's correlation of classes; with two classes Matthews's.
        let cross: f64 = (0..k).map(|c| row(c) * column(c)).sum();
        let (tt, ll) = ((0..k).map(|c| row(c).powi(2)).sum::<f64>(), (0..k).map(|c| column(c).powi(2)).sum::<f64>());
        let spread = ((all * all - ll) * (all * all - tt)).sqrt();
        out[6] = if spread > 0.0 { (right * all - cross) / spread } else { 0.0 };
        let Some(n) = self.normal else { return out };
        let (normal, said_normal) = (row(n), column(n));
        let (attacks, alarms) = (all - normal, all - said_normal);
        let found = alarms - (normal - of(n, n));
        out[0] = attacks / all;
        out[2] = if alarms > 0.0 { found / alarms } else { 0.0 };
        out[3] = found / attacks;
        out[4] = if alarms + attacks > 0.0 { 2.0 * found / (alarms + attacks) } else { f64::NAN };
        out[9] = (normal - of(n, n)) / normal;
        self.ranked(order, weight, (attacks, normal), &mut out);
        if self.is_probability {
            (out[13], out[ECE]) = self.calibration(weight, all);
        }
        out
    }

    /// Areas under the curves and what is found at few false alarms.
    fn ranked(&self, order: &[u32], weight: &[f64], (attacks, normal): (f64, f64), out: &mut [f64]) {
        let (mut tp, mut fp, mut auc, mut ap) = (0.0f64, 0.0f64, 0.0f64, 0.0f64);
        let mut at = [0.0f64; 3];
        let mut i = 0;
        while i < order.len() {
            let score = self.score[order[i] as usize];
            let (tp0, fp0) = (tp, fp);
            while i < order.len() && self.score[order[i] as usize] == score {
                let row = order[i] as usize;
                if self.is_attack(row) {
                    tp += weight[row]
                } else {
                    fp += weight[row]
                }
                i += 1;
            }
            auc += (fp - fp0) * (tp + tp0) / 2.0;
            if tp > tp0 {
                ap += (tp - tp0) * tp / (tp + fp);
            }
            for (best, most) in at.iter_mut().zip([0.0001, 0.001, 0.01]) {
                if fp <= most * normal {
                    *best = tp;
                }
            }
        }
        out[7] = auc / (attacks * normal);
        out[8] = ap / attacks;
        if attacks > 0.0 && normal > 0.0 {
            at.iter().enumerate().for_each(|(j, tp)| out[10 + j] = tp / attacks);
        }
    }

    /// Brier's score and the expected calibration error.
    fn calibration(&self, weight: &[f64], all: f64) -> (f64, f64) {
        let (mut brier, mut bins) = (0.0, [[0.0f64; 3]; BINS]);
        for (i, &w) in weight.iter().enumerate() {
            let (p, y) = (self.score[i], f64::from(u8::from(self.is_attack(i))));
            brier += w * (p - y).powi(2);
            let bin = &mut bins[((p * BINS as f64) as usize).min(BINS - 1)];
            *bin = [bin[0] + w, bin[1] + w * p, bin[2] + w * y];
        }
        (brier / all, bins.iter().map(|b| (b[1] - b[2]).abs()).sum::<f64>() / all)
    }

    /// Every figure with [low, high], the 2.5th and 97.5th hundredth over draws of whole blocks.
    pub fn summary(&self, seed: u64) -> Map<String, Value> {
        let order = self.order();
        let point = self.figures(&order, &vec![1.0; self.truth.len()]);
        let intervals = self.intervals(&order, seed, point.len());
        let mut out = Map::new();
        let mut ranges = Map::new();
        out.insert("n".into(), json!(self.truth.len()));
        let mut put = |out: &mut Map<String, Value>, name: &str, at: usize| {
            out.insert(name.into(), number(point[at]));
            let range = intervals[at].filter(|_| !point[at].is_nan());
            ranges.insert(name.into(), range.map_or(Value::Null, |(l, h)| json!([round(l), round(h)])));
        };
        for (at, name) in NAMES.iter().enumerate().filter(|(_, n)| !n.starts_with("tpr_at")) {
            put(&mut out, name, at);
        }
        put(&mut out, "ece", ECE);
        let mut tpr = Map::new();
        let mut tpr_ranges = Map::new();
        for (at, name) in NAMES.iter().enumerate().filter(|(_, n)| n.starts_with("tpr_at")) {
            let key = name.trim_start_matches("tpr_at_");
            tpr.insert(key.into(), number(point[at]));
            tpr_ranges.insert(key.into(), intervals[at].map_or(Value::Null, |(l, h)| json!([round(l), round(h)])));
        }
        ranges.insert("tpr_at_fpr".into(), tpr_ranges.into());
        out.insert("tpr_at_fpr".into(), tpr.into());
        let thresholds: Vec<f64> = self.thresholds.iter().copied().filter(|t| t.is_finite()).collect();
        let mean = thresholds.iter().sum::<f64>() / thresholds.len() as f64;
        out.insert("threshold".into(), number(mean));
        let (low, high) =
            thresholds.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), t| (l.min(*t), h.max(*t)));
        ranges.insert("threshold".into(), if thresholds.is_empty() { Value::Null } else { json!([low, high]) });
        let mut classes = Map::new();
        for (c, name) in self.classes.iter().enumerate() {
            let at = FIXED + 3 * c;
            let support = self.truth.iter().filter(|t| **t as usize == c).count();
            let range = |j: usize| intervals[at + j].map_or(Value::Null, |(l, h)| json!([round(l), round(h)]));
            let (p, r, f) = (number(point[at]), number(point[at + 1]), number(point[at + 2]));
            let intervals = json!({"precision": range(0), "recall": range(1), "f1": range(2)});
            let class = json!({"support": support, "precision": p, "recall": r, "f1": f, "intervals": intervals});
            classes.insert(name.clone(), class);
        }
        out.insert("per_class".into(), classes.into());
        out.insert("intervals".into(), ranges.into());
        out.insert("blocks".into(), json!(self.block_count()));
        out
    }

    /// How many blocks there are.
    fn block_count(&self) -> usize {
        self.block.iter().collect::<crate::hash::HashSet<_>>().len()
    }

    fn intervals(&self, order: &[u32], seed: u64, figures: usize) -> Vec<Option<(f64, f64)>> {
        let mut number: crate::hash::HashMap<u64, u32> = crate::hash::HashMap::default();
        let of: Vec<u32> = self
            .block
            .iter()
            .map(|b| {
                let next = number.len() as u32;
                *number.entry(*b).or_insert(next)
            })
            .collect();
        let blocks = number.len();
        if blocks < 2 {
            return vec![None; figures];
        }
        let draws = if self.truth.len() > MANY_ROWS { DRAWS / 4 } else { DRAWS };
        let mut drawn: Vec<Vec<f64>> = vec![Vec::with_capacity(draws); figures];
        let (mut times, mut weight) = (vec![0.0f64; blocks], vec![0.0f64; of.len()]);
        for draw in 0..draws {
            let mut rng = Rng::new(seed, 0xb007 + draw as u64);
            times.fill(0.0);
            (0..blocks).for_each(|_| times[rng.below(blocks)] += 1.0);
            weight.iter_mut().zip(&of).for_each(|(w, b)| *w = times[*b as usize]);
            let values = self.figures(order, &weight);
            drawn.iter_mut().zip(values).for_each(|(d, v)| {
                if !v.is_nan() {
                    d.push(v);
                }
            });
        }
        drawn
            .into_iter()
            .map(|mut d| {
                d.sort_unstable_by(f64::total_cmp);
                let at = |q: f64| d[((d.len() - 1) as f64 * q).round() as usize];
                (d.len() >= draws / 2).then(|| (at(0.025), at(0.975)))
            })
            .collect()
    }

    /// Counts of truth by label, row after row.
    pub fn confusion(&self) -> Vec<Vec<usize>> {
        let k = self.classes.len();
        let mut out = vec![vec![0; k]; k];
        self.truth.iter().zip(&self.label).for_each(|(t, l)| out[*t as usize][*l as usize] += 1);
        out
    }
}

/// A JSON number, null where there is none.
pub fn number(x: f64) -> Value {
    if x.is_finite() { json!(round(x)) } else { Value::Null }
}

/// Six digits behind the point are more than any figure here is worth.
fn round(x: f64) -> f64 {
    if x.abs() < 1e-3 { x } else { (x * 1e6).round() / 1e6 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(truth: &[u32], label: &[u32], score: &[f64]) -> Judged {
        Judged {
            classes: vec!["normal".into(), "attack".into()],
            normal: Some(0),
            truth: truth.to_vec(),
            label: label.to_vec(),
            score: score.to_vec(),
            is_probability: true,
            block: (0..truth.len() as u64).collect(),
            thresholds: vec![0.5],
        }
    }

    #[test]
    fn figures_as_scikit_learn_counts_them() {
        // roc_auc_score, average_precision_score, matthews_corrcoef, brier_score_loss of scikit-learn 1.9 on the same rows.
        let j = judged(&[0, 0, 1, 1, 0, 1], &[0, 1, 1, 1, 0, 0], &[0.1, 0.6, 0.8, 0.6, 0.2, 0.4]);
        let f = j.figures(&j.order(), &[1.0; 6]);
        let close = |at: usize, x: f64| assert!((f[at] - x).abs() < 1e-6, "{} is {}, not {x}", at, f[at]);
        close(1, 4.0 / 6.0);
        close(2, 2.0 / 3.0);
        close(6, 1.0 / 3.0);
        close(7, 0.833_333_3);
        close(8, 0.805_555_6);
        close(9, 1.0 / 3.0);
        close(12, 1.0 / 3.0);
        close(13, (0.01 + 0.36 + 0.04 + 0.16 + 0.04 + 0.36) / 6.0);
    }

    #[test]
    fn intervals_hold_the_figure_and_shrink_with_rows() {
        let mut rng = Rng::new(1, 1);
        let mut make = |n: usize| {
            let truth: Vec<u32> = (0..n).map(|_| u32::from(rng.unit() < 0.3)).collect();
            let score: Vec<f64> = truth.iter().map(|t| f64::from(*t) * 0.4 + rng.unit() * 0.6).collect();
            let label: Vec<u32> = score.iter().map(|s| u32::from(*s > 0.5)).collect();
            judged(&truth, &label, &score).summary(3)
        };
        let width = |s: &Map<String, Value>| {
            let r = s["intervals"]["roc_auc"].as_array().unwrap();
            let (l, h, p) = (r[0].as_f64().unwrap(), r[1].as_f64().unwrap(), s["roc_auc"].as_f64().unwrap());
            assert!(l <= p && p <= h);
            h - l
        };
        let (small, large) = (width(&make(300)), width(&make(6000)));
        assert!(large * 2.0 < small, "{small} {large}");
    }
}
