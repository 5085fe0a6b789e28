//! What in a table gives the label away, or says nothing: told before any figure.

use serde_json::{Value, json};

use super::metrics::number;
use crate::fit::Data;
use crate::hash::HashMap;
use crate::table::Cell;

/// A single column that ranks rows this well is a shortcut worth a look.
const SHORTCUT: f64 = 0.95;
/// Different values of a column that are counted as categories at most.
const MAX_VALUES: usize = 4096;

/// Single columns by how well they rank attacks, equal rows, rows that contradict each other, constants.
pub fn shortcuts(data: &Data, also: &[usize]) -> Value {
    let attack: Vec<bool> = (0..data.labels.rows.len()).map(|e| !data.labels.is_normal(e)).collect();
    let mut columns: Vec<(String, f64, &str)> = Vec::new();
    let mut constant = Vec::new();
    for at in (0..data.table.columns.len()).filter(|c| !data.barred.contains(c) && !also.contains(c)) {
        match column_auc(data, at, &attack) {
            Some((auc, how)) => columns.push((data.table.names[at].clone(), auc, how)),
            None => constant.push(data.table.names[at].clone()),
        }
    }
    columns.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let mut seen: HashMap<u64, (usize, u32, bool)> = HashMap::default();
    for (e, hash) in data.hashes.iter().enumerate() {
        let class = data.labels.class[e];
        let entry = seen.entry(*hash).or_insert((0, class, false));
        entry.0 += 1;
        entry.2 |= entry.1 != class;
    }
    let equal: usize = seen.values().filter(|s| s.0 > 1).map(|s| s.0).sum();
    let contradicting: usize = seen.values().filter(|s| s.2).map(|s| s.0).sum();
    let top: Vec<Value> = columns
        .iter()
        .take(20)
        .map(|(name, auc, how)| json!({"column": name, "auc": number(*auc), "by": how, "suspicious": *auc >= SHORTCUT}))
        .collect();
    json!({"single_columns": top, "suspicious": columns.iter().filter(|c| c.1 >= SHORTCUT).map(|c| &c.0).collect::<Vec<_>>(),
        "constant": constant, "rows": data.hashes.len(), "equal_rows": equal, "different_rows": seen.len(),
        "contradicting_rows": contradicting})
}

/// ROC-AUC of a column by itself, either way round; categories are ranked by the attack rate of the other half of the rows.
fn column_auc(data: &Data, at: usize, attack: &[bool]) -> Option<(f64, &'static str)> {
    let column = &data.table.columns[at];
    let (mut numbers, mut texts) = (0usize, 0usize);
    let mut different: HashMap<u64, [(f64, f64); 2]> = HashMap::default();
    for (e, &row) in data.labels.rows.iter().enumerate() {
        match column.cell(row as usize) {
            Cell::Missing => {}
            Cell::Number(_) => numbers += 1,
            Cell::Text(_) => texts += 1,
        }
        if different.len() < MAX_VALUES {
            let half = &mut different.entry(column.bits(row as usize)).or_default()[e % 2];
            *half = (half.0 + 1.0, half.1 + f64::from(u8::from(attack[e])));
        }
    }
    if different.len() < 2 {
        return None;
    }
    let mean = attack.iter().filter(|a| **a).count() as f64 / attack.len().max(1) as f64;
    let is_number = texts * 100 <= numbers;
    let mut scores: Vec<(f64, bool)> = data
        .labels
        .rows
        .iter()
        .enumerate()
        .map(|(e, &row)| {
            let score = if is_number {
                column.number(row as usize)
            } else {
                let (n, a) = different.get(&column.bits(row as usize)).map_or((0.0, 0.0), |halves| halves[(e + 1) % 2]);
                (a + mean) / (n + 1.0)
            };
            // Missing numbers stand at one end; an AUC of either way round finds them too.
            (if score.is_nan() { f64::NEG_INFINITY } else { score }, attack[e])
        })
        .collect();
    scores.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut sum, mut positives, mut i) = (0.0f64, 0.0f64, 0.0f64, 0);
    while i < scores.len() {
        let (score, mut p, mut n) = (scores[i].0, 0.0, 0.0);
        while i < scores.len() && scores[i].0 == score {
            if scores[i].1 {
                p += 1.0
            } else {
                n += 1.0
            }
            i += 1;
        }
        sum += p * (below + n / 2.0);
        below += n;
        positives += p;
    }
    if positives == 0.0 || below == 0.0 {
        return Some((0.5, "nothing: one class only"));
    }
    let auc = sum / (positives * below);
    Some(if is_number { (auc.max(1.0 - auc), "rank") } else { (auc, "attack rate of the value") })
}
