//! Why a row was scored as it was: exact parts by feature, in a sentence with the value and what is usual.

use serde_json::{Value, json};

use crate::dense::{Dense, Part};
use crate::detector::Detector;
use crate::error::{Error, Result};
use crate::fit::Data;
use crate::gbdt::Explainer;
use crate::model::{Body, Model};
use crate::table::{Table, number_text};

/// Reasons named for a row at most.
const REASONS: usize = 5;
/// Features put back at most until the score falls below the threshold.
const PUT_BACK: usize = 5;

impl Model {
    /// Explains rows (from 1) of a table: parts that add up to the margin or distance, reasons in words, and whether the reasons suffice.
    pub fn explain(&self, table: &Table, rows: &[usize]) -> Result<Value> {
        let encoded = self.encoder.encode(table)?;
        let mut out = Vec::new();
        for &row in rows {
            if row == 0 || row > table.rows {
                return Err(Error::Option(format!("row {row}: there are rows 1 to {}", table.rows)));
            }
            if let Some(error) = &encoded.errors[row - 1] {
                out.push(json!({"row": row, "error": error}));
                continue;
            }
            out.push(self.explain_one(table, row, encoded.matrix.row(row - 1))?);
        }
        Ok(json!({"rows": out}))
    }

    fn explain_one(&self, table: &Table, row: usize, x: &[f32]) -> Result<Value> {
        let one = crate::matrix::Matrix { width: x.len(), cells: x.to_vec() };
        let scores = self.scores(&one);
        let label = scores.label[0] as usize;
        let (parts, total, expected, measure) = self.parts_of(x, label)?;
        let mut order: Vec<usize> = (0..parts.len()).collect();
        order.sort_by(|&a, &b| parts[b].abs().total_cmp(&parts[a].abs()).then(a.cmp(&b)));
        let attack = Some(label) != self.normal;
        let mut reasons = Vec::new();
        for &f in order.iter().filter(|&&f| parts[f].abs() > 1e-12).take(REASONS) {
            let feature = &self.encoder.features[f];
            let value = self.value_text(table, row - 1, f, x[f]);
            let usual = self.usual.get(f).map_or_else(|| "unknown".to_owned(), |u| self.usual_text(f, u));
            let toward = if parts[f] > 0.0 { "speaks for it" } else { "speaks against it" };
            let sentence = format!("{} is {value}, usually {usual}: {toward}", feature.name);
            reasons.push(json!({"feature": feature.name, "value": value, "usual": usual, "part": parts[f], "sentence": sentence}));
        }
        let suffices = attack.then(|| self.put_back(x, &order, &parts)).flatten();
        let verdict = match (attack, &suffices) {
            (false, _) => "not above the threshold".to_owned(),
            (true, Some(names)) => {
                format!("with the usual {} the score would fall below the threshold", names.join(", "))
            }
            (true, None) => {
                "no single cause: with the five strongest reasons put back the score stays above the threshold"
                    .to_owned()
            }
        };
        let parts: serde_json::Map<String, Value> =
            self.encoder.features.iter().zip(&parts).map(|(f, p)| (f.name.clone(), json!(p))).collect();
        Ok(json!({"row": row, "score": scores.score[0], "label": self.classes[label],
            "p_value": scores.p_value.first(), "explains": measure, "expected": expected, "total": total,
            "reasons": reasons, "suffices": suffices, "verdict": verdict, "parts": parts}))
    }

    /// Each feature's part, what they add up to together with what is expected, and what that is.
    fn parts_of(&self, x: &[f32], label: usize) -> Result<(Vec<f64>, f64, f64, String)> {
        match &self.body {
            Body::Trees { ensemble } => {
                let explainer = Explainer::new(ensemble);
                let (values, width) = (explainer.values(x), ensemble.width);
                let output = if ensemble.outputs() == 1 { 0 } else { label };
                let mut margins = vec![0.0; ensemble.outputs()];
                ensemble.margins(x, &mut margins);
                let what = if ensemble.outputs() == 1 { &self.classes[1] } else { &self.classes[label] };
                let parts = values[output * width..(output + 1) * width].to_vec();
                Ok((parts, margins[output], explainer.expected()[output], format!("margin (log-odds) of {what}")))
            }
            Body::Detectors { dense, members } => {
                // The member that speaks loudest is explained.
                let mut z = vec![0.0f32; dense.columns.len()];
                dense.row(x, &mut z);
                let one = crate::matrix::Matrix { width: z.len(), cells: z.clone() };
                let loudest = members
                    .iter()
                    .max_by(|a, b| {
                        let s = |m: &crate::model::Member| m.calibration.surprise(m.detector.scores(&one)[0]);
                        s(a).total_cmp(&s(b))
                    })
                    .ok_or_else(|| Error::Model("it has no detector".into()))?;
                let (parts, total) = detector_parts(&loudest.detector, dense, &z, self.encoder.width());
                let unit = match loudest.detector {
                    Detector::Mahalanobis(_) => "squared distance",
                    Detector::Autoencoder(_) => "mean squared error",
                    _ => "fall of the score when the feature is put back to its mean",
                };
                Ok((parts, total, 0.0, format!("{} of {}", unit, loudest.detector.name())))
            }
            Body::Net { dense, net } => {
                // Occlusion: what the margin loses when a feature is put back to its mean.
                let mut z = vec![0.0f32; dense.columns.len()];
                dense.row(x, &mut z);
                let mut work = [Vec::new(), Vec::new()];
                let mut margin = |z: &[f32]| f64::from(net.run(z, &mut work)[label]);
                let total = margin(&z);
                let parts = occlude(dense, &z, self.encoder.width(), &mut |z| margin(z));
                Ok((
                    parts,
                    total,
                    0.0,
                    format!("fall of the margin of {} when the feature is put back", self.classes[label]),
                ))
            }
        }
    }

    /// Puts the strongest reasons back to what is usual, one after the other; their names once the row is no longer above the threshold.
    fn put_back(&self, x: &[f32], order: &[usize], parts: &[f64]) -> Option<Vec<String>> {
        let mut changed = x.to_vec();
        let mut names = Vec::new();
        for &f in order.iter().filter(|&&f| parts[f] > 0.0).take(PUT_BACK) {
            changed[f] = self.usual.get(f)?.middle;
            names.push(self.encoder.features[f].name.clone());
            let one = crate::matrix::Matrix { width: x.len(), cells: changed.clone() };
            if Some(self.scores(&one).label[0] as usize) == self.normal {
                return Some(names);
            }
        }
        None
    }

    fn value_text(&self, table: &Table, row: usize, f: usize, x: f32) -> String {
        use crate::encode::Kind;
        let feature = &self.encoder.features[f];
        match &feature.kind {
            Kind::Number | Kind::Category(_) => {
                let column = table.find(&feature.name).map(|c| &table.columns[c]);
                column.and_then(|c| c.text(row)).unwrap_or_else(|| "missing".into())
            }
            _ if x.is_nan() => "missing".into(),
            _ => number_text(f64::from(x)),
        }
    }

    fn usual_text(&self, f: usize, usual: &crate::model::Usual) -> String {
        use crate::encode::Kind;
        match &self.encoder.features[f].kind {
            Kind::Category(values) => values.get(usual.middle as usize).map_or("missing".into(), Clone::clone),
            _ if usual.middle.is_nan() => "missing".into(),
            _ if usual.low == usual.high => number_text(f64::from(usual.low)),
            _ => format!("{} to {}", number_text(f64::from(usual.low)), number_text(f64::from(usual.high))),
        }
    }
}

fn detector_parts(detector: &Detector, dense: &Dense, z: &[f32], width: usize) -> (Vec<f64>, f64) {
    let mut parts = vec![0.0; width];
    let mut gather = |by_column: &[f64]| {
        dense.columns.iter().zip(by_column).for_each(|(c, p)| parts[c.source as usize] += p);
    };
    match detector {
        Detector::Mahalanobis(m) => {
            let by_column = m.parts(z);
            gather(&by_column);
            (parts, by_column.iter().sum())
        }
        Detector::Autoencoder(net) => {
            let out = net.run(z, &mut [Vec::new(), Vec::new()]);
            let by_column: Vec<f64> = out
                .iter()
                .zip(z)
                .map(|(o, x)| f64::from(o - x.clamp(-crate::net::CUT, crate::net::CUT)).powi(2) / z.len() as f64)
                .collect();
            gather(&by_column);
            (parts, by_column.iter().sum())
        }
        other => {
            let one = |z: &[f32]| other.scores(&crate::matrix::Matrix { width: z.len(), cells: z.to_vec() })[0];
            let total = one(z);
            (occlude(dense, z, width, &mut |z| one(z)), total)
        }
    }
}

/// What a score loses when the columns of one feature are put back to their mean, feature by feature.
fn occlude(dense: &Dense, z: &[f32], width: usize, score: &mut dyn FnMut(&[f32]) -> f64) -> Vec<f64> {
    let total = score(z);
    let mut parts = vec![0.0; width];
    for (f, part) in parts.iter_mut().enumerate() {
        let mut changed = z.to_vec();
        let mut touched = false;
        for (value, column) in changed.iter_mut().zip(&dense.columns) {
            if column.source as usize == f && *value != 0.0 {
                let mean = if matches!(column.part, Part::Is(_)) { -column.mean / column.spread } else { 0.0 };
                *value = mean;
                touched = true;
            }
        }
        if touched {
            *part = total - score(&changed);
        }
    }
    parts
}

/// Mean size of each feature's part over rows of a set: how much it matters to a model of trees.
pub fn importance(model: &Model, data: &Data, entries: &[u32]) -> Result<Option<Vec<f64>>> {
    let Body::Trees { ensemble } = &model.body else { return Ok(None) };
    let encoded = model.encoder.encode(&data.table)?;
    let explainer = Explainer::new(ensemble);
    let mut sums = vec![0.0; ensemble.width];
    for &e in entries {
        let values = explainer.values(encoded.matrix.row(data.labels.rows[e as usize] as usize));
        for output in values.chunks_exact(ensemble.width) {
            sums.iter_mut().zip(output).for_each(|(s, v)| *s += v.abs());
        }
    }
    sums.iter_mut().for_each(|s| *s /= entries.len().max(1) as f64);
    Ok(Some(sums))
}
