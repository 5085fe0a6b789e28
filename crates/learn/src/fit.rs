//! Training: which rows to learn from and which to keep for calibration, then the algorithm.

use rayon::prelude::*;
use serde_json::json;

use crate::calibrate::Calibration;
use crate::dense::Dense;
use crate::detector::{Detector, Forest, HalfSpace, Mahalanobis};
use crate::encode::{Encoder, Kind, Roles};
use crate::error::{Error, Result};
use crate::gbdt::{Ensemble, Params, Target, train};
use crate::labels::Labels;
use crate::matrix::Matrix;
use crate::model::{Body, Card, Member, Model, Usual};
use crate::net::{CUT, Layer, Net};
use crate::rng::mix;
use crate::setup::{Algorithm, Setup, Task};
use crate::table::{Clock, Table, hex};

/// Told what is going on, and how much of it is done (0 to 1).
pub type Progress<'a> = &'a (dyn Fn(&str, f64) + Sync);

/// Trees at most before early stopping.
const ROUNDS: usize = 300;
/// Rounds without gain before it stops.
const PATIENCE: usize = 25;
/// Share of the features that a tree sees. Fewer make more features count, and unseen kinds of attack are found more often: of probes left out of
/// NSL-KDD's training rows 79 % instead of 63 % at one false alarm in a hundred, of UNSW-NB15's fuzzers 28 % instead of 40 % (LightGBM, 0.3 and 0.7).
const FEATURE_SHARE: f64 = 0.4;
/// Normal rows below which none are set apart.
const MIN_NORMAL: usize = 20;

/// A table with its labels and times, ready to learn from.
#[derive(Debug)]
pub struct Data {
    pub table: Table,
    pub labels: Labels,
    /// Seconds, one an entry of `labels`; empty without `--time`.
    pub seconds: Vec<f64>,
    /// Of each entry, over the columns that may be features.
    pub hashes: Vec<u64>,
    /// Columns that are never features.
    pub barred: Vec<usize>,
}

impl Data {
    /// Reads labels and times. Columns that the options name must be there.
    pub fn new(table: Table, setup: &Setup) -> Result<Data> {
        let labels = Labels::read(&table, setup)?;
        let mut barred = Vec::new();
        let named = setup.label.iter().chain(&setup.time).chain(&setup.family);
        for name in named.chain(&setup.group).chain(&setup.drop) {
            barred.push(table.need(name)?);
        }
        // What only names a row is never a feature.
        barred.extend(table.identity.iter().filter_map(|name| table.find(name)));
        let seconds = match &setup.time {
            Some(time) => {
                let column = &table.columns[table.need(time)?];
                let clock = Clock::of(column);
                labels.rows.iter().map(|&r| clock.seconds(column.cell(r as usize))).collect()
            }
            None => Vec::new(),
        };
        if !seconds.is_empty() && seconds.iter().all(|s: &f64| s.is_nan()) {
            let time = setup.time.as_deref().unwrap_or_default();
            return Err(Error::Data(format!("no value of --time {time} can be read as a time")));
        }
        let free: Vec<usize> = (0..table.columns.len()).filter(|c| !barred.contains(c)).collect();
        let hashes = labels.rows.iter().map(|&r| table.row_hash(r as usize, &free)).collect();
        Ok(Data { table, labels, seconds, hashes, barred })
    }

    /// Of data to judge on: only the label, and with times or groups those, must be there.
    pub fn of_test(table: Table, setup: &Setup) -> Result<Data> {
        let there = |name: &&String| table.find(name).is_some();
        let mut setup = setup.clone();
        setup.drop = setup.drop.iter().filter(there).cloned().collect();
        setup.family = setup.family.filter(|f| table.find(f).is_some());
        setup.time = setup.time.filter(|t| table.find(t).is_some());
        setup.group = setup.group.iter().filter(there).cloned().collect();
        // Steps and pauses need both; the encoder says so by name.
        Data::new(table, &setup)
    }

    /// Hash over what the files held.
    pub fn hash(&self) -> String {
        use sha2::Digest;
        let mut sha = sha2::Sha256::new();
        self.table.sources.iter().for_each(|s| sha.update(s.sha256.as_bytes()));
        hex(&sha.finalize())
    }
}

/// Learns from all entries.
pub fn fit(data: &Data, setup: &Setup, progress: Progress<'_>) -> Result<Model> {
    let all: Vec<u32> = (0..data.labels.rows.len() as u32).collect();
    fit_entries(data, &all, setup, progress)
}

/// Learns from these entries of the labels.
pub fn fit_entries(data: &Data, entries: &[u32], setup: &Setup, progress: Progress<'_>) -> Result<Model> {
    setup.check()?;
    let (learned, kept) = set_apart(data, entries, setup);
    let learned: Vec<u32> = match setup.task {
        Task::BenignOnly => learned.into_iter().filter(|&e| data.labels.is_normal(e as usize)).collect(),
        _ => learned,
    };
    let mut counts = vec![0usize; data.labels.classes.len()];
    learned.iter().for_each(|&e| counts[data.labels.class[e as usize] as usize] += 1);
    if setup.task != Task::BenignOnly && counts.iter().filter(|c| **c > 0).count() < 2 {
        let only = counts.iter().position(|c| *c > 0).map_or("nothing", |c| &data.labels.classes[c]);
        return Err(Error::Data(format!(
            "all rows are {only}: two classes are needed (--normal says which labels are normal; --task benign-only learns from normal rows alone)"
        )));
    }
    if learned.is_empty() {
        return Err(Error::Data("no normal row to learn from (--normal says which labels are normal)".into()));
    }
    let rows = |entries: &[u32]| entries.iter().map(|&e| data.labels.rows[e as usize]).collect::<Vec<u32>>();
    let risk: Vec<f32> = learned.iter().map(|&e| f32::from(u8::from(!data.labels.is_normal(e as usize)))).collect();
    let roles = Roles {
        barred: data.barred.clone(),
        time: setup.time.as_deref(),
        group: &setup.group,
        keeps_constant: setup.task == Task::BenignOnly,
    };
    let (encoder, notes) = Encoder::fit(&data.table, &rows(&learned), &risk, &roles)?;
    let encoded = encoder.encode(&data.table)?.matrix;
    let x = encoded.take(&rows(&learned));
    let calibration_x = encoded.take(&rows(&kept));
    drop(encoded);
    let class: Vec<u32> = learned.iter().map(|&e| data.labels.class[e as usize]).collect();
    let usual = usual(&encoder, &x, &risk);
    let (body, parameters) = match setup.algorithm {
        Algorithm::Gbdt => gbdt(data, &learned, &x, &class, setup, progress)?,
        Algorithm::Mlp => perceptron(&encoder, &x, (&class, data.labels.classes.len()), setup, progress)?,
        _ => detectors(&encoder, &x, &calibration_x, setup, progress)?,
    };
    let mut model = Model {
        setup: setup.clone(),
        encoder,
        classes: data.labels.classes.clone(),
        normal: data.labels.normal,
        body,
        usual,
        calibration: None,
        card: Card {
            program: env!("CARGO_PKG_VERSION").to_owned(),
            data: data.hash(),
            rows: data.labels.classes.iter().cloned().zip(counts).collect(),
            calibration_rows: kept.len(),
            calibration_by: match &setup.time {
                Some(time) => format!("latest by {time}"),
                None => "by row hash".to_owned(),
            },
            left_out: data.labels.left_out.clone().into_iter().collect(),
            notes,
            parameters,
        },
    };
    if !kept.is_empty() && model.normal.is_some() {
        let scores = model.raw_scores(&calibration_x);
        let calibration = Calibration::new(scores, setup.fpr, setup.seed);
        if !calibration.is_enough() {
            let (n, fpr) = (calibration.count(), setup.fpr);
            model.card.notes.push(format!("{n} normal rows for calibration are too few to hold --fpr {fpr}"));
        }
        model.calibration = Some(calibration);
    }
    Ok(model)
}

/// What rows without risk hold, by feature.
fn usual(encoder: &Encoder, x: &Matrix, risk: &[f32]) -> Vec<Usual> {
    let step = (x.rows() / 50_000).max(1);
    (0..x.width)
        .map(|f| {
            let rows = (0..x.rows()).step_by(step).filter(|r| risk[*r] == 0.0);
            let mut values: Vec<f32> = rows.map(|r| x.cells[r * x.width + f]).filter(|v| v.is_finite()).collect();
            values.sort_unstable_by(f32::total_cmp);
            let at =
                |q: f64| values.get((values.len().saturating_sub(1) as f64 * q) as usize).copied().unwrap_or(f32::NAN);
            let middle = match encoder.features[f].kind {
                Kind::Category(_) => {
                    let run = |a: f32| values.partition_point(|v| *v <= a) - values.partition_point(|v| *v < a);
                    values.iter().copied().max_by_key(|v| run(*v)).unwrap_or(f32::NAN)
                }
                _ => at(0.5),
            };
            Usual { middle, low: at(0.05), high: at(0.95) }
        })
        .collect()
}

/// Parts entries into those to learn from and the latest tenth of the normal ones: by time, else by row hash.
fn set_apart(data: &Data, entries: &[u32], setup: &Setup) -> (Vec<u32>, Vec<u32>) {
    let mut normal: Vec<u32> = entries.iter().copied().filter(|&e| data.labels.is_normal(e as usize)).collect();
    if normal.len() < MIN_NORMAL {
        return (entries.to_vec(), Vec::new());
    }
    let hash = |e: u32| mix(data.hashes[e as usize]);
    if setup.time.is_some() {
        normal.sort_by(|&a, &b| {
            let (ta, tb) = (data.seconds[a as usize], data.seconds[b as usize]);
            ta.total_cmp(&tb).then_with(|| hash(a).cmp(&hash(b)))
        });
    } else {
        normal.sort_by_key(|&e| (hash(e), e));
    }
    let cut = normal.len() - normal.len().div_ceil(10);
    let mut kept = normal.split_off(cut);
    if setup.time.is_none() {
        // Equal rows stay on one side, unless that would leave one side without rows.
        let edge = hash(kept[0]);
        let equal = normal.iter().rev().take_while(|&&e| hash(e) == edge).count();
        if equal * 2 < normal.len() {
            kept.extend(normal.drain(normal.len() - equal..));
        }
    }
    kept.sort_unstable();
    let learned = entries.iter().copied().filter(|e| kept.binary_search(e).is_err()).collect();
    (learned, kept)
}

/// Rows (of `x`) that decide when to stop: the latest tenth by time, else a tenth by row hash and seed.
fn stopping_rows(data: &Data, learned: &[u32], class: &[u32], setup: &Setup) -> Vec<u32> {
    let mut out: Vec<u32> = if setup.time.is_some() {
        let mut order: Vec<u32> = (0..learned.len() as u32).collect();
        order.sort_by(|&a, &b| {
            let at = |i: u32| data.seconds[learned[i as usize] as usize];
            at(a).total_cmp(&at(b)).then(a.cmp(&b))
        });
        order.split_off(order.len() - order.len() / 10)
    } else {
        (0..learned.len() as u32)
            .filter(|&i| {
                mix(data.hashes[learned[i as usize] as usize] ^ mix(setup.seed.wrapping_add(17))).is_multiple_of(10)
            })
            .collect()
    };
    // Without both sides in it, or with hardly a row left to learn from, it says nothing.
    let mut inside = vec![0usize; data.labels.classes.len()];
    out.iter().for_each(|&i| inside[class[i as usize] as usize] += 1);
    let sides = inside.iter().filter(|c| **c > 0).count();
    if sides < 2 || out.len() < 100 || out.len() * 2 > learned.len() {
        out.clear();
    }
    out
}

/// Settings that `--tune` tries, and what stands without it (the first).
fn candidates(tune: bool) -> Vec<Params> {
    let base = Params { rounds: ROUNDS, patience: PATIENCE, feature_share: FEATURE_SHARE, ..Params::default() };
    let mut out = vec![base.clone()];
    if tune {
        out.push(Params { leaves: 15, ..base.clone() });
        out.push(Params { leaves: 63, min_rows: 40, ..base.clone() });
        out.push(Params { rate: 0.05, rounds: 2 * ROUNDS, ..base.clone() });
        out.push(Params { l2: 10.0, ..base.clone() });
        out.push(Params { feature_share: 0.8, row_share: 0.7, ..base.clone() });
        out.push(Params { min_rows: 5, ..base });
    }
    out
}

fn gbdt(
    data: &Data,
    learned: &[u32],
    x: &Matrix,
    class: &[u32],
    setup: &Setup,
    progress: Progress<'_>,
) -> Result<(Body, serde_json::Value)> {
    let classes = data.labels.classes.len();
    let weight = class_weights(class, classes);
    let target = Target { class, classes, weight: &weight };
    let apart = stopping_rows(data, learned, class, setup);
    let candidates = candidates(setup.tune);
    let (mut best, mut tried) = (None::<(f64, usize, Params, Ensemble)>, Vec::new());
    if !apart.is_empty() {
        let share = 0.6 / candidates.len() as f64;
        for (at, params) in candidates.iter().enumerate() {
            let params = Params { seed: setup.seed, ..params.clone() };
            let each = |r: usize| progress("trees", share * (at as f64 + r as f64 / params.rounds as f64));
            let trained = train(x, target, &apart, &params, &each);
            let rounds = trained.ensemble.trees.len() / trained.ensemble.outputs();
            let loss = trained.losses.get(rounds.saturating_sub(1)).copied().unwrap_or(f64::INFINITY);
            tried.push(
                json!({"leaves": params.leaves, "rate": params.rate, "l2": params.l2, "min_rows": params.min_rows,
                "feature_share": params.feature_share, "row_share": params.row_share, "rounds": rounds, "loss": loss}),
            );
            if best.as_ref().is_none_or(|b| loss < b.0) {
                best = Some((loss, rounds, params, trained.ensemble));
            }
        }
    }
    let (params, scale) = match best {
        Some((_, rounds, params, ensemble)) => {
            let scale = if classes == 2 { platt(&ensemble, x, &apart, class) } else { (1.0, 0.0) };
            // With the rows set apart back, a little longer.
            (Params { rounds: (rounds * 11).div_ceil(10), patience: 0, ..params }, scale)
        }
        None => (Params { rounds: 100, patience: 0, seed: setup.seed, ..candidates[0].clone() }, (1.0, 0.0)),
    };
    let each = |r: usize| progress("trees", 0.6 + 0.4 * r as f64 / params.rounds as f64);
    let mut ensemble = train(x, target, &[], &params, &each).ensemble;
    if scale != (1.0, 0.0) {
        ensemble.base.iter_mut().for_each(|b| *b = *b * scale.0 + scale.1);
        for tree in &mut ensemble.trees {
            tree.leaves.iter_mut().for_each(|l| *l = (f64::from(*l) * scale.0) as f32);
        }
    }
    let parameters = json!({"rounds": params.rounds, "leaves": params.leaves, "rate": params.rate, "l2": params.l2,
        "min_rows": params.min_rows, "feature_share": params.feature_share, "row_share": params.row_share,
        "bins": params.max_bins, "platt": [scale.0, scale.1], "tried": tried});
    Ok((Body::Trees { ensemble }, parameters))
}

/// With many classes, rare ones count more than their number, by its square root, at most tenfold.
fn class_weights(class: &[u32], classes: usize) -> Vec<f32> {
    if classes <= 2 {
        return vec![1.0; class.len()];
    }
    let mut counts = vec![0usize; classes];
    class.iter().for_each(|&c| counts[c as usize] += 1);
    let most = counts.iter().max().copied().unwrap_or(1) as f64;
    let weight: Vec<f32> =
        counts.iter().map(|&c| (most / c.max(1) as f64).powf(RARE_CLASS_POWER).min(10.0) as f32).collect();
    class.iter().map(|&c| weight[c as usize]).collect()
}

/// How much rare classes gain in weight: 0 nothing, 1 all classes count the same.
const RARE_CLASS_POWER: f64 = 0.25;

/// Scale and shift of the margin that make its probabilities fit the rows set apart (Platt), by Newton's method.
fn platt(ensemble: &Ensemble, x: &Matrix, rows: &[u32], class: &[u32]) -> (f64, f64) {
    let margins = ensemble.margins_of(&x.take(rows));
    let truth: Vec<f64> = rows.iter().map(|&r| f64::from(class[r as usize])).collect();
    let positives: f64 = truth.iter().sum();
    let negatives = truth.len() as f64 - positives;
    if positives < 30.0 || negatives < 30.0 {
        return (1.0, 0.0);
    }
    // Platt's targets keep perfectly parted rows from an infinite slope.
    let (high, low) = ((positives + 1.0) / (positives + 2.0), 1.0 / (negatives + 2.0));
    let (mut a, mut b) = (1.0f64, 0.0f64);
    for _ in 0..50 {
        let (mut ga, mut gb, mut haa, mut hab, mut hbb) = (0.0, 0.0, 1e-9, 0.0, 1e-9);
        for (m, t) in margins.iter().zip(&truth) {
            let p = crate::gbdt::sigmoid(a * m + b);
            let e = p - if *t > 0.5 { high } else { low };
            let w = (p * (1.0 - p)).max(1e-12);
            ga += e * m;
            gb += e;
            haa += w * m * m;
            hab += w * m;
            hbb += w;
        }
        let det = haa * hbb - hab * hab;
        if det.abs() < 1e-12 {
            break;
        }
        let (da, db) = ((hbb * ga - hab * gb) / det, (haa * gb - hab * ga) / det);
        a -= da.clamp(-0.5, 0.5);
        b -= db.clamp(-1.0, 1.0);
        if da.abs() < 1e-9 && db.abs() < 1e-9 {
            break;
        }
    }
    if a.is_finite() && b.is_finite() && a > 0.2 && a < 3.0 { (a, b) } else { (1.0, 0.0) }
}

/// A net with two hidden layers that tells classes.
fn perceptron(
    encoder: &Encoder,
    x: &Matrix,
    (class, classes): (&[u32], usize),
    setup: &Setup,
    progress: Progress<'_>,
) -> Result<(Body, serde_json::Value)> {
    let all: Vec<u32> = (0..x.rows() as u32).collect();
    let dense = Dense::fit(encoder, x, &all);
    let z = dense.all(x);
    let options = nets::Options { seed: setup.seed, ..nets::Options::default() };
    let mut losses = Vec::new();
    let each = &mut |pass: usize, loss: f32| {
        losses.push(loss);
        progress("net", pass as f64 / options.epochs as f64);
    };
    let weights = class_weights(class, classes);
    let cells = cut(&z);
    let layers = nets::classifier(&cells, z.width, (class, classes), &weights, &options, each);
    let net = kept(layers)?;
    let parameters = json!({"hidden": options.hidden, "rate": options.rate, "batch": options.batch, "losses": losses});
    Ok((Body::Net { dense, net }, parameters))
}

/// A net that gives its input back.
fn autoencoder(z: &Matrix, setup: &Setup, progress: Progress<'_>) -> Result<Net> {
    let options = nets::Options { seed: setup.seed, ..nets::Options::autoencoder(z.width) };
    let each = &mut |pass: usize, _: f32| progress("net", pass as f64 / options.epochs as f64);
    kept(nets::autoencoder(&cut(z), z.width, &options, each))
}

/// Rows as a net is given them.
fn cut(z: &Matrix) -> Vec<f32> {
    z.cells.iter().map(|x| x.clamp(-CUT, CUT)).collect()
}

fn kept(layers: std::result::Result<Vec<nets::Layer>, nets::NetError>) -> Result<Net> {
    let layers = layers.map_err(|e| Error::Data(e.to_string()))?;
    Ok(Net { layers: layers.into_iter().map(|l| Layer { weights: l.weights, bias: l.bias }).collect() })
}

fn detectors(
    encoder: &Encoder,
    x: &Matrix,
    calibration_x: &Matrix,
    setup: &Setup,
    progress: Progress<'_>,
) -> Result<(Body, serde_json::Value)> {
    if calibration_x.rows() == 0 {
        return Err(Error::Data(format!("fewer than {MIN_NORMAL} normal rows: too few to calibrate")));
    }
    let all: Vec<u32> = (0..x.rows() as u32).collect();
    let dense = Dense::fit(encoder, x, &all);
    let z = dense.all(x);
    let later = dense.all(calibration_x);
    progress("detectors", 0.2);
    let kinds: &[Algorithm] = match setup.algorithm {
        Algorithm::Fusion if nets::CAN_TRAIN => &[Algorithm::Mahalanobis, Algorithm::Iforest, Algorithm::Autoencoder],
        Algorithm::Fusion => &[Algorithm::Mahalanobis, Algorithm::Iforest],
        ref one => std::slice::from_ref(one),
    };
    let fitted: Vec<Result<Member>> = kinds
        .par_iter()
        .map(|kind| {
            let detector = match kind {
                Algorithm::Mahalanobis => Detector::Mahalanobis(Mahalanobis::fit(&z)),
                Algorithm::Iforest => Detector::Iforest(Forest::fit(&z, setup.seed)),
                Algorithm::Hst => Detector::Hst(HalfSpace::fit(&z, setup.seed)),
                Algorithm::Autoencoder => Detector::Autoencoder(autoencoder(&z, setup, progress)?),
                Algorithm::Gbdt | Algorithm::Mlp | Algorithm::Fusion => {
                    return Err(Error::Option(format!("--algorithm {} is no detector", kind.name())));
                }
            };
            let calibration = Calibration::new(detector.scores(&later), setup.fpr, setup.seed);
            Ok(Member { detector, calibration })
        })
        .collect();
    let members = fitted.into_iter().collect::<Result<Vec<_>>>()?;
    let names: Vec<_> = members.iter().map(|m| m.detector.name()).collect();
    let parameters = json!({"members": names, "columns": dense.columns.len()});
    Ok((Body::Detectors { dense, members }, parameters))
}
