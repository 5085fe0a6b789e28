//! Cleaning: every row and cell that is removed or changed has a counted reason.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::error::Result;
use crate::fit::{Data, Progress, fit_entries};
use crate::hash::HashMap;
use crate::setup::{Algorithm, Setup, Task};
use crate::table::{Cell, Column, Table, number_text};
use crate::validate::{Split, folds, judge_entries};

/// A column whose name says so and that is negative in fewer than this share of its cells counts things: negative cells are errors.
const NEGATIVE: f64 = 0.05;
/// Parts of names of columns that count, last or measure a size.
const COUNTS: [&str; 12] =
    ["bytes", "packets", "pkts", "count", "duration", "length", "size", "iat", "num_", "total", "_len", "rate"];
/// A row is doubted when the model that did not see it gives its label less than this.
const DOUBT: f64 = 0.01;
/// Doubted rows that are listed.
const LISTED: usize = 200;

/// Cleans a table; with a label in the setup also by what labels say. Returns the clean table and the account.
pub fn clean(table: &Table, setup: &Setup, progress: Progress<'_>) -> Result<(Table, Value)> {
    let mut reasons: BTreeMap<&'static str, usize> = BTreeMap::new();
    let label = setup.label.as_deref().map(|l| table.need(l)).transpose()?;
    let mut keep: Vec<u32> = Vec::with_capacity(table.rows);
    for row in 0..table.rows as u32 {
        if table.faults.contains_key(&row) {
            *reasons.entry("row is not whole").or_default() += 1;
        } else if label.is_some_and(|l| table.columns[l].cell(row as usize) == Cell::Missing) {
            *reasons.entry("no label").or_default() += 1;
        } else {
            keep.push(row);
        }
    }
    let mut out = table.take(&keep);
    progress("cleaning", 0.2);
    let cells = cells(&mut out, label);
    progress("cleaning", 0.4);
    let all: Vec<usize> = (0..out.columns.len()).collect();
    let mut seen = crate::hash::HashSet::default();
    let mut first: Vec<u32> = Vec::new();
    for row in 0..out.rows {
        if seen.insert(out.row_hash(row, &all)) {
            first.push(row as u32);
        } else {
            *reasons.entry("equal to an earlier row").or_default() += 1;
        }
    }
    keep = first.iter().map(|&r| keep[r as usize]).collect();
    out = out.take(&first);
    if let Some(label) = label {
        let agreed = agreed(&out, label, setup);
        *reasons.entry("label contradicts more equal rows, or as many").or_default() += out.rows - agreed.len();
        keep = agreed.iter().map(|&r| keep[r as usize]).collect();
        out = out.take(&agreed);
    }
    reasons.retain(|_, n| *n > 0);
    progress("cleaning", 0.6);
    let columns = columns(&mut out, label.map(|l| table.names[l].clone()));
    let mut account = Map::new();
    account.insert("version".into(), json!(1));
    account.insert("rows_in".into(), json!(table.rows));
    account.insert("rows_out".into(), json!(out.rows));
    account.insert("removed_rows".into(), json!(reasons));
    account.insert("changed_cells".into(), cells);
    account.insert("removed_columns".into(), columns);
    account.insert("columns_out".into(), json!(out.names));
    account.insert("ranges".into(), ranges(&out));
    if setup.label.is_some() {
        let data = Data::of_test(out.clone(), setup)?;
        account.insert("shortcuts".into(), crate::validate::shortcuts(&data, &[]));
        account.insert("doubted_labels".into(), doubted(&data, setup, &keep)?);
    }
    progress("", 1.0);
    Ok((out, account.into()))
}

/// Infinities and impossible negatives become missing; counted by column and reason.
fn cells(table: &mut Table, label: Option<usize>) -> Value {
    let mut out = Map::new();
    for at in (0..table.columns.len()).filter(|at| Some(*at) != label) {
        let column = &table.columns[at];
        let (mut numbers, mut negative, mut infinite, mut missing) = (0usize, 0usize, 0usize, 0usize);
        for row in 0..table.rows {
            match column.cell(row) {
                Cell::Number(x) => {
                    numbers += 1;
                    negative += usize::from(x < 0.0);
                    infinite += usize::from(x.is_infinite());
                }
                Cell::Missing => missing += 1,
                Cell::Text(_) => {}
            }
        }
        let name = table.names[at].to_ascii_lowercase();
        let counts = COUNTS.iter().any(|c| name.contains(c));
        let fix_negative = counts && negative > 0 && (negative as f64) < NEGATIVE * numbers as f64;
        let mut reasons = Map::new();
        if missing > 0 {
            reasons.insert("missing, left so".into(), json!(missing));
        }
        if infinite > 0 {
            reasons.insert("infinite, now missing".into(), json!(infinite));
        }
        if fix_negative {
            reasons.insert("negative though it counts, now missing".into(), json!(negative));
        }
        if infinite > 0 || fix_negative {
            let mut new = Column::default();
            for row in 0..table.rows {
                match column.cell(row) {
                    Cell::Number(x) if x.is_infinite() || fix_negative && x < 0.0 => new.push_missing(),
                    Cell::Number(x) => new.push_number(x),
                    Cell::Text(t) => new.push_text(t),
                    Cell::Missing => new.push_missing(),
                }
            }
            table.columns[at] = new;
        }
        if !reasons.is_empty() {
            out.insert(table.names[at].clone(), reasons.into());
        }
    }
    out.into()
}

/// Rows whose label is that of most rows which are equal but for it.
fn agreed(table: &Table, label: usize, setup: &Setup) -> Vec<u32> {
    let mut features: Vec<usize> = (0..table.columns.len()).filter(|c| *c != label).collect();
    features.retain(|c| !setup.drop.iter().chain(&setup.time).any(|n| table.find(n) == Some(*c)));
    let hashes: Vec<u64> = (0..table.rows).map(|r| table.row_hash(r, &features)).collect();
    let mut votes: HashMap<u64, HashMap<u64, usize>> = HashMap::default();
    for (row, hash) in hashes.iter().enumerate() {
        *votes.entry(*hash).or_default().entry(table.columns[label].bits(row)).or_default() += 1;
    }
    let wins = |row: usize| {
        let of = &votes[&hashes[row]];
        let own = of[&table.columns[label].bits(row)];
        of.iter().all(|(l, n)| *l == table.columns[label].bits(row) || *n < own)
    };
    (0..table.rows as u32).filter(|&r| wins(r as usize)).collect()
}

/// Removes columns that say nothing or only number the rows.
fn columns(table: &mut Table, label: Option<String>) -> Value {
    let mut out = Map::new();
    let mut at = 0;
    let hash = |column: &Column| {
        let one = Table { columns: vec![column.clone()], ..Table::default() };
        (0..column.len()).fold(0u64, |h, r| h.rotate_left(7) ^ one.row_hash(r, &[0]))
    };
    let mut hashes: Vec<u64> = table.columns.iter().map(hash).collect();
    while at < table.columns.len() {
        let column = &table.columns[at];
        let mut different = crate::hash::HashSet::default();
        let mut whole = true;
        for row in 0..table.rows {
            different.insert(column.bits(row));
            whole &= matches!(column.cell(row), Cell::Number(x) if x == x.trunc());
        }
        let why = if Some(&table.names[at]) == label.as_ref() {
            None
        } else if different.len() <= 1 {
            Some("always the same")
        } else if whole && table.rows >= 1000 && different.len() == table.rows {
            Some("every row has another whole number: a row number")
        } else {
            hashes[..at].contains(&hashes[at]).then_some("copy of an earlier column")
        };
        match why {
            Some(why) => {
                out.insert(table.names.remove(at), json!(why));
                table.columns.remove(at);
                hashes.remove(at);
            }
            None => at += 1,
        }
    }
    out.into()
}

/// Smallest, middle and largest number of each column, for a look at units.
fn ranges(table: &Table) -> Value {
    let mut out = Map::new();
    for (name, column) in table.names.iter().zip(&table.columns) {
        let mut numbers: Vec<f64> = (0..table.rows).map(|r| column.number(r)).filter(|x| x.is_finite()).collect();
        if numbers.is_empty() {
            continue;
        }
        numbers.sort_unstable_by(f64::total_cmp);
        let at = |q: f64| numbers[((numbers.len() - 1) as f64 * q) as usize];
        out.insert(name.clone(), json!({"min": at(0.0), "median": at(0.5), "p99": at(0.99), "max": at(1.0)}));
    }
    out.into()
}

/// Rows whose label a model that did not see them all but rules out; told, never removed.
fn doubted(data: &Data, setup: &Setup, origin: &[u32]) -> Result<Value> {
    let setup = Setup { task: Task::Binary, algorithm: Algorithm::Gbdt, ..setup.clone() };
    if data.labels.counts().iter().filter(|c| **c >= 50).count() < 2 || setup.task != Task::Binary {
        return Ok(json!({"checked": false, "why": "two classes of fifty rows are needed"}));
    }
    let (mut rows, mut count) = (Vec::new(), 0usize);
    for fold in folds(data, Split::Random, &[], None, 0)? {
        let Ok(model) = fit_entries(data, &fold.train, &setup, &|_, _| ()) else { continue };
        let judged = judge_entries(&model, data, &fold.test)?;
        for (i, &e) in fold.test.iter().enumerate() {
            let given = if judged.is_attack(i) { judged.score[i] } else { 1.0 - judged.score[i] };
            if given < DOUBT {
                count += 1;
                let row = data.labels.rows[e as usize];
                let label = &data.labels.values[data.labels.said[e as usize] as usize];
                rows.push((
                    given,
                    json!({"row": origin[row as usize] + 1, "label": label, "probability": number_text(given)}),
                ));
            }
        }
    }
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    let listed: Vec<Value> = rows.into_iter().take(LISTED).map(|r| r.1).collect();
    Ok(json!({"checked": true, "below": DOUBT, "count": count, "rows": listed}))
}
