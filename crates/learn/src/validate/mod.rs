//! Honest validation: splits side by side, every figure with its interval, simple rules to beat, shortcuts told first.

mod audit;
mod baselines;
mod episodes;
mod metrics;
mod page;
mod splits;

use rayon::prelude::*;
use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::fit::{Data, Progress, fit_entries};
use crate::matrix::Matrix;
use crate::model::Model;
use crate::score::Scores;
use crate::setup::{Setup, Task};

pub use audit::shortcuts;
pub use metrics::{Judged, number};
pub use page::page;
pub use splits::{Fold, Split, folds};

/// What to validate.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Empty: all that the data allow.
    pub splits: Vec<Split>,
    /// `None`: five, fewer for a split that would have to learn from more than [`ROWS`] rows in all.
    pub seeds: Option<u64>,
}

/// Rows learned from, over all folds and seeds of a split, that are taken without being asked for.
const ROWS: u64 = 4_000_000;

/// What came out: for programs, and what the page draws.
#[derive(Debug)]
pub struct Outcome {
    pub json: Value,
    /// Split, seed and rows of each first seed.
    pub judged: Vec<(String, Judged)>,
}

/// Trains and judges anew for every split and seed. `test` is judged in the official split.
pub fn run(
    data: &Data,
    test: Option<&Data>,
    setup: &Setup,
    options: &Options,
    progress: Progress<'_>,
) -> Result<Outcome> {
    let chosen: Vec<Split> = if options.splits.is_empty() {
        Split::ALL.iter().map(|(s, _)| *s).filter(|s| *s != Split::Official || test.is_some()).collect()
    } else {
        options.splits.clone()
    };
    if chosen.contains(&Split::Official) && test.is_none() {
        return Err(Error::Option("--split official needs --test DATA".into()));
    }
    let (mut jobs, mut notes) = (Vec::new(), Vec::new());
    for split in &chosen {
        let folds = match split {
            Split::Official | Split::Temporal => 1,
            Split::Grouped | Split::Random => 5,
            Split::Family => folds(data, *split, &setup.group, setup.family.as_deref(), setup.seed)?.len() as u64,
        };
        let most = ROWS / (folds * data.labels.rows.len() as u64).max(1);
        let seeds = options.seeds.unwrap_or(most.min(5)).max(1);
        if seeds < 5 && options.seeds.is_none() {
            notes.push(format!(
                "{}: {seeds} of 5 seeds, for there are {folds} models to train for each (--seeds N asks for more)",
                split.name()
            ));
        }
        jobs.extend((0..seeds).map(|s| (*split, setup.seed + s)));
    }
    let done = std::sync::atomic::AtomicUsize::new(0);
    let results: Vec<Result<Option<Part>>> = jobs
        .par_iter()
        .map(|&(split, seed)| {
            let part = one(data, test, setup, split, seed);
            let n = done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
            progress("validating", n as f64 / (jobs.len() + 1) as f64);
            part
        })
        .collect();
    let mut parts = Vec::new();
    for (result, (split, seed)) in results.into_iter().zip(&jobs) {
        match result {
            Ok(Some(part)) => parts.push(part),
            Ok(None) if *seed == setup.seed => {
                notes.push(format!("{}: the data do not allow this split", split.name()))
            }
            Ok(None) => {}
            // A split that cannot be learned from is told; the others are judged still.
            Err(Error::Data(why)) if chosen.len() > 1 => {
                if *seed == setup.seed {
                    notes.push(format!("{}: {why}", split.name()));
                }
            }
            Err(other) => return Err(other),
        }
    }
    if parts.is_empty() {
        return Err(Error::Data(format!("no split could be judged: {}", notes.join("; "))));
    }
    let mut json = head(data, test, setup, &notes);
    json.insert("splits".into(), parts.iter().map(|p| Value::from(p.json.clone())).collect());
    json.insert("over_seeds".into(), over_seeds(&parts));
    json.insert("optimism_gap".into(), optimism(&parts));
    json.insert("baselines".into(), baselines(&parts, setup));
    json.insert("shortcuts".into(), audit::shortcuts(data, &[]));
    let judged =
        parts.into_iter().filter(|p| p.seed == setup.seed).map(|p| (p.split.name().to_owned(), p.judged)).collect();
    progress("", 1.0);
    Ok(Outcome { json: json.into(), judged })
}

/// Judges a model as it is on data it has not seen.
pub fn judge(model: &Model, data: &Data, progress: Progress<'_>) -> Result<Outcome> {
    let all: Vec<u32> = (0..data.labels.rows.len() as u32).collect();
    let judged = judge_entries(model, data, &all)?;
    let mut part = judged.summary(model.setup.seed);
    part.insert("split".into(), "official".into());
    part.insert("seed".into(), json!(model.setup.seed));
    part.insert("train_rows".into(), json!(model.card.rows.iter().map(|r| r.1).sum::<usize>()));
    if !data.seconds.is_empty() {
        part.insert("episodes".into(), episodes::count(data, &all, &judged, &model.setup.group)?);
    }
    let mut json = head(data, Some(data), &model.setup, &[]);
    json.insert("model".into(), json!(model.card));
    json.insert("splits".into(), json!([part]));
    json.insert("optimism_gap".into(), Value::Null);
    json.insert("baselines".into(), baselines::of_test(&judged));
    json.insert("shortcuts".into(), audit::shortcuts(data, &[]));
    progress("", 1.0);
    Ok(Outcome { json: json.into(), judged: vec![("official".into(), judged)] })
}

/// A split judged with one seed.
struct Part {
    split: Split,
    seed: u64,
    json: Map<String, Value>,
    judged: Judged,
    baselines: Value,
}

fn one(data: &Data, test: Option<&Data>, setup: &Setup, split: Split, seed: u64) -> Result<Option<Part>> {
    let setup = Setup { seed, ..setup.clone() };
    let quiet: Progress<'_> = &|_, _| ();
    let mut whole = Judged::default();
    let (mut entries, mut families, mut baselines, mut learned) = (Vec::new(), Vec::new(), Value::Null, 0);
    if let (Split::Official, Some(test)) = (split, test) {
        let all: Vec<u32> = (0..data.labels.rows.len() as u32).collect();
        let model = fit_entries(data, &all, &setup, quiet)?;
        let mapped: Vec<u32> = (0..test.labels.rows.len() as u32).collect();
        whole = judge_entries(&model, test, &mapped)?;
        learned = all.len();
        if seed == 0 || seed == setup.seed {
            baselines = self::baselines::run(&model, (data, &all), (test, &mapped), &whole)?;
        }
        entries = mapped;
    } else {
        let folds = folds(data, split, &setup.group, setup.family.as_deref(), seed)?;
        let (of, names) = splits::families(data, setup.family.as_deref())?;
        for (at, fold) in folds.iter().enumerate() {
            if fold.test.is_empty() || fold.train.is_empty() {
                continue;
            }
            let model = fit_entries(data, &fold.train, &setup, quiet)?;
            let judged = judge_entries(&model, data, &fold.test)?;
            learned += fold.train.len();
            if at == 0 {
                baselines = self::baselines::run(&model, (data, &fold.train), (data, &fold.test), &judged)?;
            }
            match &fold.family {
                // Each family's rows are told by themselves; seen rows of the first fold stand for all.
                Some(name) => {
                    let is = |i: usize| names[of[fold.test[i] as usize] as usize] == *name && judged.is_attack(i);
                    families.push(family(name, &is, &judged, seed));
                    let keep = |i: usize| at == 0 || is(i);
                    entries.extend((0..fold.test.len()).filter(|i| keep(*i)).map(|i| fold.test[i]));
                    whole.append(judged.only(keep));
                }
                None => {
                    entries.extend(&fold.test);
                    whole.append(judged);
                }
            }
        }
        if !folds.is_empty() {
            learned /= folds.len();
        }
    }
    if whole.truth.is_empty() {
        return Ok(None);
    }
    let mut json = Map::new();
    json.insert("split".into(), split.name().into());
    json.insert("seed".into(), json!(seed));
    json.insert("train_rows".into(), json!(learned));
    json.extend(whole.summary(seed));
    if !families.is_empty() {
        json.insert("families".into(), families.into());
    }
    let judged_data = if split == Split::Official { test.unwrap_or(data) } else { data };
    if !judged_data.seconds.is_empty() {
        json.insert("episodes".into(), episodes::count(judged_data, &entries, &whole, &setup.group)?);
    }
    Ok(Some(Part { split, seed, json, judged: whole, baselines }))
}

/// What was found of a family that was not learned (`is` says which rows), beside the families that were.
fn family(name: &str, is: &dyn Fn(usize) -> bool, judged: &Judged, seed: u64) -> Value {
    let unseen = judged.only(|i| !judged.is_attack(i) || is(i));
    let seen = judged.only(|i| !is(i));
    let short = |j: &Judged| {
        let figures = j.figures(&j.order(), &vec![1.0; j.truth.len()]);
        let at_3 = found_at(j, 0.03);
        json!({"n": j.truth.len(), "roc_auc": number(figures[7]), "pr_auc": number(figures[8]), "recall": number(figures[3]),
            "fpr": number(figures[9]), "tpr_at_fpr": {"0.001": number(figures[11]), "0.01": number(figures[12]), "0.03": number(at_3)}})
    };
    let rows = (0..judged.truth.len()).filter(|i| is(*i)).count();
    json!({"family": name, "seed": seed, "rows": rows, "unseen": short(&unseen), "seen": short(&seen)})
}

/// Share of attacks found when at most this share of normal rows is called attack.
pub fn found_at(judged: &Judged, fpr: f64) -> f64 {
    let order = judged.order();
    let normal = (0..judged.truth.len()).filter(|i| !judged.is_attack(*i)).count() as f64;
    let attacks = judged.truth.len() as f64 - normal;
    let (mut tp, mut fp, mut best, mut i) = (0.0, 0.0, 0.0, 0);
    while i < order.len() {
        let score = judged.score[order[i] as usize];
        while i < order.len() && judged.score[order[i] as usize] == score {
            if judged.is_attack(order[i] as usize) {
                tp += 1.0
            } else {
                fp += 1.0
            }
            i += 1;
        }
        if fp <= fpr * normal {
            best = tp;
        }
    }
    best / attacks
}

/// Scores entries of the labels and pairs them with the truth.
pub fn judge_entries(model: &Model, data: &Data, entries: &[u32]) -> Result<Judged> {
    let encoded = model.encoder.encode(&data.table)?;
    let rows: Vec<u32> = entries.iter().map(|&e| data.labels.rows[e as usize]).collect();
    let x: Matrix = encoded.matrix.take(&rows);
    let Scores { score, label, .. } = model.scores(&x);
    let blocks = splits::bootstrap_blocks(data, &model.setup.group)?;
    // Classes that training did not meet stand behind those it did.
    let mut classes = model.classes.clone();
    let place: Vec<u32> = data
        .labels
        .classes
        .iter()
        .enumerate()
        .map(|(at, name)| {
            let normal = data.labels.normal == Some(at);
            let found = if normal { model.normal } else { classes.iter().position(|c| c == name) };
            found.unwrap_or_else(|| {
                classes.push(name.clone());
                classes.len() - 1
            }) as u32
        })
        .collect();
    Ok(Judged {
        classes,
        normal: model.normal,
        truth: entries.iter().map(|&e| place[data.labels.class[e as usize] as usize]).collect(),
        label,
        score,
        is_probability: model.setup.task != Task::BenignOnly && model.normal.is_some(),
        block: entries.iter().map(|&e| blocks[e as usize]).collect(),
        thresholds: vec![model.calibration.as_ref().map_or(0.5, |c| c.threshold)],
    })
}

fn head(data: &Data, test: Option<&Data>, setup: &Setup, notes: &[String]) -> Map<String, Value> {
    let mut out = Map::new();
    out.insert("version".into(), json!(1));
    out.insert("program".into(), json!(env!("CARGO_PKG_VERSION")));
    out.insert("setup".into(), json!(setup));
    out.insert("task".into(), setup.task.name().into());
    out.insert("algorithm".into(), setup.algorithm.name().into());
    let counts: Map<String, Value> =
        data.labels.classes.iter().cloned().zip(data.labels.counts().into_iter().map(Value::from)).collect();
    out.insert(
        "data".into(),
        json!({"hash": data.hash(), "files": data.table.sources, "rows": data.table.rows, "classes": counts,
            "left_out": data.labels.left_out}),
    );
    if let Some(test) = test {
        out.insert("test".into(), json!({"hash": test.hash(), "files": test.table.sources, "rows": test.table.rows}));
    }
    out.insert(
        "intervals".into(),
        json!("[low, high]: 95 % of 200 draws of whole blocks (groups, hours, or equal rows)"),
    );
    out.insert("notes".into(), json!(notes));
    out
}

/// Figures that are averaged over seeds and compared between splits.
const COMPARED: [&str; 7] = ["accuracy", "macro_f1", "mcc", "roc_auc", "pr_auc", "recall", "fpr"];

fn values(parts: &[Part], split: Split, name: &str) -> Vec<f64> {
    parts.iter().filter(|p| p.split == split).filter_map(|p| p.json.get(name)?.as_f64()).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn over_seeds(parts: &[Part]) -> Value {
    let mut out = Map::new();
    for (split, name) in Split::ALL {
        let mut figures = Map::new();
        for figure in COMPARED {
            let v = values(parts, split, figure);
            if !v.is_empty() {
                let m = mean(&v);
                let sd = (v.iter().map(|x| (x - m).powi(2)).sum::<f64>() / (v.len().max(2) - 1) as f64).sqrt();
                figures.insert(figure.into(), json!({"mean": number(m), "sd": number(sd), "seeds": v.len()}));
            }
        }
        if !figures.is_empty() {
            out.insert(name.into(), figures.into());
        }
    }
    out.into()
}

/// What a random split promises more than each honest one holds.
fn optimism(parts: &[Part]) -> Value {
    let mut out = Map::new();
    for (split, name) in Split::ALL.into_iter().filter(|(s, _)| *s != Split::Random) {
        let mut figures = Map::new();
        for figure in COMPARED {
            let (random, honest) = (values(parts, Split::Random, figure), values(parts, split, figure));
            if !random.is_empty() && !honest.is_empty() {
                figures.insert(figure.into(), number(mean(&random) - mean(&honest)));
            }
        }
        if !figures.is_empty() {
            out.insert(name.into(), figures.into());
        }
    }
    if out.is_empty() { Value::Null } else { out.into() }
}

fn baselines(parts: &[Part], setup: &Setup) -> Value {
    let by_split: Map<String, Value> = parts
        .iter()
        .filter(|p| p.seed == setup.seed && !p.baselines.is_null())
        .map(|p| (p.split.name().to_owned(), p.baselines.clone()))
        .collect();
    by_split.into()
}
