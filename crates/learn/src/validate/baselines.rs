//! Rules so simple that a model which does not beat them is worth nothing.

use serde_json::{Map, Value, json};

use super::metrics::{Judged, number};
use crate::dense::Dense;
use crate::detector::Mahalanobis;
use crate::encode::{Encoded, Kind};
use crate::error::Result;
use crate::fit::Data;
use crate::gbdt::{Params, Target, train};
use crate::matrix::Matrix;
use crate::model::Model;

/// Normal rows that the distance is fitted to at most.
const MAX_FITTED: usize = 50_000;

/// The rules on a fold's rows, beside the model's own figures: does it beat them all?
pub fn run(
    model: &Model,
    (data, learn): (&Data, &[u32]),
    (other, judge): (&Data, &[u32]),
    judged: &Judged,
) -> Result<Value> {
    let mut out = Map::new();
    out.insert("majority".into(), majority(judged));
    if model.normal.is_none() || judged.truth.is_empty() {
        return Ok(out.into());
    }
    let rows =
        |data: &Data, entries: &[u32]| entries.iter().map(|&e| data.labels.rows[e as usize]).collect::<Vec<u32>>();
    let encode = |data: &Data| model.encoder.encode(&data.table).map(|Encoded { matrix, .. }| matrix);
    let x = encode(data)?.take(&rows(data, learn));
    let y = encode(other)?.take(&rows(other, judge));
    let attack: Vec<u32> = learn.iter().map(|&e| u32::from(!data.labels.is_normal(e as usize))).collect();
    let normal: Vec<u32> = (0..attack.len() as u32).filter(|&r| attack[r as usize] == 0).collect();
    let has_both = normal.len() < attack.len() && !normal.is_empty();
    if let Some((feature, scores)) = has_both.then(|| best_column_tree(&x, &y, &attack)).flatten() {
        let name = &model.encoder.features[feature].name;
        out.insert("tree_on_best_feature".into(), short(judged, scores, Some(name)));
    }
    if let Some((feature, scores)) = boxplot(model, &x, &y, &normal, &attack) {
        let name = &model.encoder.features[feature].name;
        out.insert("boxplot".into(), short(judged, scores, Some(name)));
    }
    if let Some(scores) = allow_list(model, &x, &y, &normal) {
        out.insert("allow_list".into(), short(judged, scores, None));
    }
    if normal.len() >= 20 {
        let step = normal.len().div_ceil(MAX_FITTED);
        let some: Vec<u32> = normal.iter().copied().step_by(step).collect();
        let dense = Dense::fit(&model.encoder, &x, &some);
        let fitted = Mahalanobis::fit(&dense.all(&x.take(&some)));
        out.insert("mahalanobis".into(), short(judged, fitted.scores(&dense.all(&y)), None));
    }
    let own = judged.figures(&judged.order(), &vec![1.0; judged.truth.len()])[8];
    let beaten = out.values().all(|b| b["pr_auc"].as_f64().is_none_or(|p| p <= own));
    out.insert("model".into(), json!({"pr_auc": number(own), "beats_all": beaten}));
    Ok(out.into())
}

/// What can be said without training data.
pub fn of_test(judged: &Judged) -> Value {
    json!({"official": {"majority": majority(judged)}})
}

fn majority(judged: &Judged) -> Value {
    let mut counts = vec![0usize; judged.classes.len()];
    judged.truth.iter().for_each(|t| counts[*t as usize] += 1);
    let most = counts.iter().max().copied().unwrap_or(0);
    let n = judged.truth.len() as f64;
    let attacks = (0..judged.truth.len()).filter(|i| judged.is_attack(*i)).count();
    json!({"accuracy": number(most as f64 / n), "roc_auc": 0.5, "pr_auc": number(attacks as f64 / n)})
}

fn short(judged: &Judged, score: Vec<f64>, feature: Option<&str>) -> Value {
    let other = Judged { score, is_probability: false, ..judged.clone() };
    let f = other.figures(&other.order(), &vec![1.0; other.truth.len()]);
    let mut out = json!({"roc_auc": number(f[7]), "pr_auc": number(f[8]), "tpr_at_fpr_0.01": number(f[12])});
    if let Some(feature) = feature {
        out["feature"] = feature.into();
    }
    out
}

/// One small tree on the column that parts the classes best.
fn best_column_tree(x: &Matrix, y: &Matrix, attack: &[u32]) -> Option<(usize, Vec<f64>)> {
    let weight = vec![1.0; attack.len()];
    let mut best: Option<(f64, usize, crate::gbdt::Ensemble)> = None;
    let mut params = Params { rounds: 1, leaves: 16, rate: 1.0, max_bins: 64, ..Params::default() };
    for f in 0..x.width {
        let column = Matrix { width: 1, cells: x.cells.iter().skip(f).step_by(x.width).copied().collect() };
        params.seed = f as u64;
        let one = train(&column, Target { class: attack, classes: 2, weight: &weight }, &[], &params, &|_| ()).ensemble;
        let gain = one.gains()[0];
        if best.as_ref().is_none_or(|b| gain > b.0) {
            best = Some((gain, f, one));
        }
    }
    let (_, f, tree) = best?;
    let column = Matrix { width: 1, cells: y.cells.iter().skip(f).step_by(y.width).copied().collect() };
    Some((f, tree.margins_of(&column)))
}

/// How far the best single number lies outside the box of normal rows; the column is chosen on the training rows.
fn boxplot(model: &Model, x: &Matrix, y: &Matrix, normal: &[u32], attack: &[u32]) -> Option<(usize, Vec<f64>)> {
    let mut best: Option<(f64, usize, [f32; 3])> = None;
    for f in (0..x.width).filter(|f| !matches!(model.encoder.features[*f].kind, Kind::Category(_))) {
        let mut values: Vec<f32> =
            normal.iter().map(|&r| x.cells[r as usize * x.width + f]).filter(|v| v.is_finite()).collect();
        if values.len() < 20 {
            continue;
        }
        values.sort_unstable_by(f32::total_cmp);
        let at = |q: f64| values[((values.len() - 1) as f64 * q) as usize];
        let bounds = [at(0.25), at(0.5), at(0.75)];
        let outside = |v: f32| outside(v, bounds);
        let (mut hits, mut misses, mut attacks) = (0.0, 0.0, 0.0f64);
        for (r, a) in attack.iter().enumerate() {
            let out = f64::from(u8::from(outside(x.cells[r * x.width + f]) > 1.5));
            if *a == 1 { (hits, attacks) = (hits + out, attacks + 1.0) } else { misses += out }
        }
        let worth = hits / attacks.max(1.0) - misses / (attack.len() as f64 - attacks).max(1.0);
        if best.is_none_or(|b| worth > b.0) {
            best = Some((worth, f, bounds));
        }
    }
    let (_, f, bounds) = best?;
    Some((f, y.cells.iter().skip(f).step_by(y.width).map(|v| outside(*v, bounds)).collect()))
}

/// Distance outside the box in box heights.
fn outside(v: f32, [low, middle, high]: [f32; 3]) -> f64 {
    let height = f64::from(high - low).max(f64::from(middle.abs()) * 1e-3).max(1e-9);
    let v = f64::from(v);
    if v.is_nan() { 0.0 } else { ((f64::from(low) - v).max(v - f64::from(high)) / height).max(0.0) }
}

/// Combinations of categories that normal rows never had; `None` without categories.
fn allow_list(model: &Model, x: &Matrix, y: &Matrix, normal: &[u32]) -> Option<Vec<f64>> {
    let columns: Vec<usize> = (0..model.encoder.features.len())
        .filter(|f| matches!(model.encoder.features[*f].kind, Kind::Category(_)))
        .collect();
    if columns.is_empty() {
        return None;
    }
    let key = |m: &Matrix, r: usize| columns.iter().map(|f| m.row(r)[*f].to_bits()).collect::<Vec<u32>>();
    let known: crate::hash::HashSet<Vec<u32>> = normal.iter().map(|&r| key(x, r as usize)).collect();
    Some((0..y.rows()).map(|r| f64::from(u8::from(!known.contains(&key(y, r))))).collect())
}
