//! Which columns matter: mutual information, mRMR, permutation, Shapley values, and whether that holds in every part of the data.

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::explain::importance;
use crate::fit::{Data, Progress, fit_entries};
use crate::gbdt::Binned;
use crate::matrix::Matrix;
use crate::rng::Rng;
use crate::setup::{Setup, Task};
use crate::validate::{Split, folds, judge_entries, number, shortcuts};

/// Bins a column for mutual information.
const BINS: usize = 24;
/// Rows for permutation and Shapley values at most.
const ROWS: usize = 4000;
/// Parts of the data that must agree.
const PARTS: usize = 4;

/// Ranks all features on the temporal split; the model's own rank by Shapley values comes first.
pub fn select(data: &Data, setup: &Setup, progress: Progress<'_>) -> Result<Value> {
    if setup.task == Task::BenignOnly {
        return Err(Error::Option("select needs a label with normal and attack rows".into()));
    }
    let fold = folds(data, Split::Temporal, &setup.group, None, setup.seed)?.remove(0);
    let model = fit_entries(data, &fold.train, setup, &|what, share| progress(what, share * 0.4))?;
    let encoded = model.encoder.encode(&data.table)?.matrix;
    let rows: Vec<u32> = fold.train.iter().map(|&e| data.labels.rows[e as usize]).collect();
    let x = encoded.take(&rows);
    let class: Vec<u32> = fold.train.iter().map(|&e| data.labels.class[e as usize]).collect();
    let classes = data.labels.classes.len();
    let binned = Binned::new(&x, BINS);
    let width = x.width;
    let all: Vec<usize> = (0..x.rows()).collect();
    let information: Vec<f64> =
        (0..width).map(|f| mutual(&binned.columns[f], |r| class[r] as usize, classes, &all)).collect();
    progress("selecting", 0.5);
    let order = mrmr(&binned, &information, &all);
    progress("selecting", 0.6);
    let mut some = fold.test.clone();
    Rng::new(setup.seed, 0x5e1).shuffle(&mut some);
    some.truncate(ROWS);
    some.sort_unstable();
    let shap = importance(&model, data, &some)?.unwrap_or_else(|| vec![0.0; width]);
    let permuted = permutation(&model, data, &encoded, &some)?;
    progress("selecting", 0.8);
    // The ranks of each part of the training rows, in their order: what is used in all of them is stable.
    let mut stable = vec![0usize; width];
    let top = width.min(10);
    for part in 0..PARTS {
        let rows: Vec<usize> = all.iter().copied().filter(|r| r * PARTS / x.rows().max(1) == part).collect();
        let mi: Vec<f64> =
            (0..width).map(|f| mutual(&binned.columns[f], |r| class[r] as usize, classes, &rows)).collect();
        ranks(&mi).iter().enumerate().filter(|(_, r)| **r < top).for_each(|(f, _)| stable[f] += 1);
    }
    let by_shap = ranks(&shap);
    let audit = shortcuts(data, &[]);
    let suspicious: Vec<&str> =
        audit["suspicious"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut features: Vec<(usize, Value)> = (0..width)
        .map(|f| {
            let name = &model.encoder.features[f].name;
            let place = order.iter().position(|o| *o == f).map_or(width, |p| p + 1);
            let value = json!({"feature": name, "rank": by_shap[f] + 1, "shap": number(shap[f]),
                "permutation": number(permuted[f]), "mutual_information": number(information[f]), "mrmr_rank": place,
                "stability": stable[f] as f64 / PARTS as f64, "shortcut": suspicious.contains(&name.as_str())});
            (by_shap[f], value)
        })
        .collect();
    features.sort_by_key(|f| f.0);
    let total: f64 = shap.iter().sum();
    let mut share = 0.0;
    let mut selected = Vec::new();
    let mut by_size: Vec<usize> = (0..width).collect();
    by_size.sort_by_key(|f| by_shap[*f]);
    for f in by_size {
        if share < 0.99 && shap[f] > 0.0 {
            selected.push(model.encoder.features[f].name.clone());
            share += shap[f] / total.max(1e-12);
        }
    }
    progress("", 1.0);
    Ok(json!({"version": 1, "rows": x.rows(), "features": features.into_iter().map(|f| f.1).collect::<Vec<_>>(),
        "selected": selected, "selected_share": number(share), "left_out": model.card.notes, "shortcuts": audit}))
}

/// Places by size, 0 the largest.
fn ranks(values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]).then(a.cmp(&b)));
    let mut out = vec![0; values.len()];
    order.iter().enumerate().for_each(|(place, f)| out[*f] = place);
    out
}

/// Mutual information of a binned column and another, in bits.
fn mutual(column: &[u8], other: impl Fn(usize) -> usize, others: usize, rows: &[usize]) -> f64 {
    let mut joint = vec![0.0f64; 256 * others];
    rows.iter().for_each(|&r| joint[column[r] as usize * others + other(r)] += 1.0);
    let n = rows.len().max(1) as f64;
    let a: Vec<f64> = joint.chunks_exact(others).map(|c| c.iter().sum()).collect();
    let b: Vec<f64> = (0..others).map(|o| joint.iter().skip(o).step_by(others).sum()).collect();
    let mut sum = 0.0;
    for (i, row) in joint.chunks_exact(others).enumerate() {
        for (j, &c) in row.iter().enumerate().filter(|(_, c)| **c > 0.0) {
            sum += c / n * (c * n / (a[i] * b[j])).log2();
        }
    }
    sum.max(0.0)
}

/// Peng's order: most relevant, least redundant with those before.
fn mrmr(binned: &Binned, relevance: &[f64], all: &[usize]) -> Vec<usize> {
    let width = relevance.len();
    let step = all.len().div_ceil(20_000).max(1);
    let rows: Vec<usize> = all.iter().copied().step_by(step).collect();
    let (mut order, mut left): (Vec<usize>, Vec<usize>) = (Vec::new(), (0..width).collect());
    let mut redundancy = vec![0.0f64; width];
    while !left.is_empty() && order.len() < 40 {
        let worth = |f: usize| relevance[f] - redundancy[f] / order.len().max(1) as f64;
        let best = left.iter().copied().max_by(|&a, &b| worth(a).total_cmp(&worth(b)).then(b.cmp(&a))).unwrap_or(0);
        left.retain(|f| *f != best);
        order.push(best);
        for &f in &left {
            redundancy[f] += mutual(&binned.columns[f], |r| binned.columns[best][r] as usize, 256, &rows);
        }
    }
    order
}

/// What the area under the precision-recall curve loses when a column's values change rows.
fn permutation(model: &crate::Model, data: &Data, encoded: &Matrix, entries: &[u32]) -> Result<Vec<f64>> {
    let mut judged = judge_entries(model, data, entries)?;
    let ones = vec![1.0; entries.len()];
    let figure = if model.normal.is_some() { 8 } else { 5 };
    let before = judged.figures(&judged.order(), &ones)[figure];
    let rows: Vec<u32> = entries.iter().map(|&e| data.labels.rows[e as usize]).collect();
    let x = encoded.take(&rows);
    let mut out = Vec::with_capacity(x.width);
    for f in 0..x.width {
        let order = Rng::new(model.setup.seed, 0x9e0 + f as u64).order(rows.len());
        let mut changed = x.clone();
        order.iter().enumerate().for_each(|(r, &from)| {
            changed.cells[r * x.width + f] = x.cells[from as usize * x.width + f];
        });
        let scores = model.scores(&changed);
        judged.score = scores.score;
        judged.label = scores.label;
        out.push(before - judged.figures(&judged.order(), &ones)[figure]);
    }
    Ok(out)
}
