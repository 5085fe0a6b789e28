//! Ways to part rows into those to learn from and those to judge.

use crate::hash::HashMap;

use crate::error::{Error, Result};
use crate::fit::Data;
use crate::rng::{Rng, mix};

/// Folds of the grouped and the random split.
const FOLDS: u64 = 5;
/// Rows of a family below which leaving it out says nothing.
const MIN_FAMILY: usize = 20;
/// The most families left out, the largest first.
const MAX_FAMILIES: usize = 25;

/// How rows are parted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Split {
    /// The test data are a file of their own.
    Official,
    /// The last fifth is judged.
    Temporal,
    /// Nothing of a group is on both sides.
    Grouped,
    /// One family of attacks is not learned.
    Family,
    /// By lot: how much the others lose against it is the optimism.
    Random,
}

impl Split {
    /// Every way with its name.
    pub const ALL: [(Split, &'static str); 5] = [
        (Split::Official, "official"),
        (Split::Temporal, "temporal"),
        (Split::Grouped, "grouped"),
        (Split::Family, "family"),
        (Split::Random, "random"),
    ];

    /// As on the command line.
    pub fn name(self) -> &'static str {
        Split::ALL.iter().find(|(s, _)| *s == self).map_or("", |(_, n)| n)
    }
}

impl std::str::FromStr for Split {
    type Err = Error;
    fn from_str(s: &str) -> Result<Split> {
        let found = Split::ALL.iter().find(|(_, n)| *n == s).map(|(v, _)| *v);
        found.ok_or_else(|| Error::Option(format!("`{s}` is none of official, temporal, grouped, family, random")))
    }
}

/// Entries of the labels on either side.
#[derive(Clone, Debug, Default)]
pub struct Fold {
    pub train: Vec<u32>,
    pub test: Vec<u32>,
    /// What is left out of training, in a family split.
    pub family: Option<String>,
}

/// The family of each entry: its value of the family column, else what its label says.
pub fn families(data: &Data, column: Option<&str>) -> Result<(Vec<u32>, Vec<String>)> {
    let Some(column) = column else { return Ok((data.labels.said.clone(), data.labels.values.clone())) };
    let column = &data.table.columns[data.table.need(column)?];
    let (mut names, mut known) = (Vec::new(), HashMap::default());
    let of = data.labels.rows.iter().map(|&r| {
        *known.entry(column.bits(r as usize)).or_insert_with(|| {
            names.push(column.text(r as usize).unwrap_or_else(|| "(none)".into()));
            names.len() as u32 - 1
        })
    });
    Ok((of.collect(), names))
}

/// The folds of a split; `seed` draws grouped and random ones.
pub fn folds(data: &Data, split: Split, group: &[String], family: Option<&str>, seed: u64) -> Result<Vec<Fold>> {
    let all = 0..data.labels.rows.len() as u32;
    match split {
        Split::Official => Ok(Vec::new()),
        Split::Temporal => Ok(vec![temporal(data)]),
        Split::Grouped => {
            let keys = blocks(data, group)?;
            Ok(by(all, |e| mix(keys[e as usize] ^ mix(seed)) % FOLDS))
        }
        Split::Random => {
            // Each class is dealt out evenly.
            let mut fold = vec![0u64; data.labels.rows.len()];
            for class in 0..data.labels.classes.len() as u32 {
                let mut entries: Vec<u32> = all.clone().filter(|&e| data.labels.class[e as usize] == class).collect();
                Rng::new(seed, 0x5a + u64::from(class)).shuffle(&mut entries);
                entries.iter().enumerate().for_each(|(i, &e)| fold[e as usize] = i as u64 % FOLDS);
            }
            Ok(by(all, |e| fold[e as usize]))
        }
        Split::Family => family_folds(data, family),
    }
}

fn by(all: std::ops::Range<u32>, fold: impl Fn(u32) -> u64) -> Vec<Fold> {
    let mut out = vec![Fold::default(); FOLDS as usize];
    for e in all {
        let of = fold(e) as usize;
        for (at, out) in out.iter_mut().enumerate() {
            if at == of { out.test.push(e) } else { out.train.push(e) }
        }
    }
    out
}

/// By time the last fifth; without times the last fifth of each label's rows as they stand.
fn temporal(data: &Data) -> Fold {
    let n = data.labels.rows.len() as u32;
    let mut fold = Fold::default();
    if data.seconds.is_empty() {
        let mut counts: HashMap<u32, u32> = HashMap::default();
        data.labels.said.iter().for_each(|s| *counts.entry(*s).or_default() += 1);
        let mut seen: HashMap<u32, u32> = HashMap::default();
        for e in 0..n {
            let said = data.labels.said[e as usize];
            let place = seen.entry(said).or_default();
            let late = u64::from(*place) * 5 >= u64::from(counts[&said]) * 4;
            *place += 1;
            if late { fold.test.push(e) } else { fold.train.push(e) }
        }
        return fold;
    }
    let at = |e: u32| data.seconds[e as usize];
    let mut order: Vec<u32> = (0..n).filter(|&e| !at(e).is_nan()).collect();
    order.sort_by(|&a, &b| at(a).total_cmp(&at(b)).then(a.cmp(&b)));
    let cut = order.len() - order.len() / 5;
    let edge = order.get(cut).map_or(f64::INFINITY, |&e| at(e));
    fold.train = order.iter().copied().filter(|&e| at(e) < edge).collect();
    fold.test = order.iter().copied().filter(|&e| at(e) >= edge).collect();
    fold
}

/// For each family of attacks: the rest learns, the last fifth of every label's rows and the whole family are judged.
fn family_folds(data: &Data, column: Option<&str>) -> Result<Vec<Fold>> {
    let (of, names) = families(data, column)?;
    let mut counts = vec![0usize; names.len()];
    for (e, family) in of.iter().enumerate() {
        counts[*family as usize] += usize::from(!data.labels.is_normal(e));
    }
    let mut chosen: Vec<u32> = (0..names.len() as u32).filter(|&f| counts[f as usize] >= MIN_FAMILY).collect();
    chosen
        .sort_by(|&a, &b| counts[b as usize].cmp(&counts[a as usize]).then(names[a as usize].cmp(&names[b as usize])));
    chosen.truncate(MAX_FAMILIES);
    if chosen.len() < 2 {
        return Ok(Vec::new());
    }
    let base = temporal(data);
    Ok(chosen
        .into_iter()
        .map(|family| {
            let is_family = |e: &u32| of[*e as usize] == family && !data.labels.is_normal(*e as usize);
            let train = base.train.iter().copied().filter(|e| !is_family(e)).collect();
            let mut test: Vec<u32> = base.test.iter().copied().filter(|e| !is_family(e)).collect();
            test.extend((0..data.labels.rows.len() as u32).filter(is_family));
            Fold { train, test, family: Some(names[family as usize].clone()) }
        })
        .collect())
}

/// What stays together in grouped folds and in bootstrap: groups where they are named, else equal rows.
pub fn blocks(data: &Data, group: &[String]) -> Result<Vec<u64>> {
    if group.is_empty() {
        return Ok(data.hashes.clone());
    }
    let columns = group.iter().map(|g| data.table.need(g)).collect::<Result<Vec<_>>>()?;
    Ok(data.labels.rows.iter().map(|&r| data.table.row_hash(r as usize, &columns)).collect())
}

/// Blocks of the bootstrap: groups and hours where they are known, else equal rows.
pub fn bootstrap_blocks(data: &Data, group: &[String]) -> Result<Vec<u64>> {
    let mut out = blocks(data, group)?;
    if !data.seconds.is_empty() {
        for (block, seconds) in out.iter_mut().zip(&data.seconds) {
            let hour = (seconds / 3600.0).floor().to_bits();
            *block = if group.is_empty() { mix(hour) } else { mix(*block ^ mix(hour)) };
        }
        // With hardly any hours, equal rows say more of chance than the hours do.
        let different = out.iter().collect::<crate::hash::HashSet<_>>().len();
        if different < 10 {
            return blocks(data, &[]);
        }
    }
    Ok(out)
}
