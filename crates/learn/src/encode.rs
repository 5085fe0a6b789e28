//! Columns to numbers: numbers as they are, categories by their rank among the training rows, steps and pauses within a group.

use crate::hash::HashMap;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::matrix::Matrix;
use crate::table::{Cell, Clock, Column, Fault, Table};

/// A category that is not kept apart below so many training rows, so that unknown ones meet what is known of rare ones.
const MIN_CATEGORY: usize = 5;
/// The most categories kept of a column.
const MAX_CATEGORIES: usize = 1024;
/// The most columns whose steps are features.
const MAX_STEPS: usize = 64;
/// From how many different whole numbers on a column without repeats is taken for row numbers.
const MIN_ROW_NUMBERS: usize = 1000;

/// One feature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Feature {
    /// The column's name; `step:NAME` and `pause` are made.
    pub name: String,
    pub kind: Kind,
}

/// How a feature's cell becomes a number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// As it stands; text is missing.
    Number,
    /// The place among these values; a value that is not among them is missing.
    Category(Vec<String>),
    /// The number of the column less that of the group's row before.
    Step(String),
    /// Seconds since the group's row before.
    Pause,
}

/// Which columns have a part of their own.
#[derive(Clone, Debug, Default)]
pub struct Roles<'a> {
    /// Never features.
    pub barred: Vec<usize>,
    /// Orders rows, and with `group` makes steps and pauses.
    pub time: Option<&'a str>,
    pub group: &'a [String],
    /// Columns that are the same in all rows stay features: detectors of what is unlike the rows must see them move.
    pub keeps_constant: bool,
}

/// Turns tables into matrices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Encoder {
    pub features: Vec<Feature>,
    /// With steps and pauses: the time column and its unit, and the group's columns.
    pub sequence: Option<(String, Clock, Vec<String>)>,
}

/// A table in numbers.
#[derive(Debug)]
pub struct Encoded {
    pub matrix: Matrix,
    /// Why a row cannot be scored.
    pub errors: Vec<Option<String>>,
}

impl Encoder {
    /// Learns the columns' kinds from these rows; `risk` (0 to 1, one a row) orders categories. Also tells what was left out and why.
    pub fn fit(table: &Table, rows: &[u32], risk: &[f32], roles: &Roles<'_>) -> Result<(Encoder, Vec<String>)> {
        let (mut features, mut notes) = (Vec::new(), Vec::new());
        for (at, column) in table.columns.iter().enumerate().filter(|(at, _)| !roles.barred.contains(at)) {
            match kind(column, rows, risk, roles.keeps_constant) {
                Ok(kind) => features.push(Feature { name: table.names[at].clone(), kind }),
                Err(why) => notes.push(format!("{}: {why}", table.names[at])),
            }
        }
        if features.is_empty() {
            return Err(Error::Data("no column is left to learn from".into()));
        }
        let mut sequence = None;
        if let (Some(time), false) = (roles.time, roles.group.is_empty()) {
            let clock = Clock::of(&table.columns[table.need(time)?]);
            sequence = Some((time.to_owned(), clock, roles.group.to_vec()));
            let numbers: Vec<String> =
                features.iter().filter(|f| f.kind == Kind::Number).map(|f| f.name.clone()).collect();
            if numbers.len() > MAX_STEPS {
                notes.push(format!("steps are made of the first {MAX_STEPS} of {} columns", numbers.len()));
            }
            features.push(Feature { name: "pause".into(), kind: Kind::Pause });
            let steps = numbers.into_iter().take(MAX_STEPS);
            features.extend(steps.map(|n| Feature { name: format!("step:{n}"), kind: Kind::Step(n) }));
        }
        Ok((Encoder { features, sequence }, notes))
    }

    /// How many columns the matrix has.
    pub fn width(&self) -> usize {
        self.features.len()
    }

    /// Encodes every row. Columns that are not there are an error that names them.
    pub fn encode(&self, table: &Table) -> Result<Encoded> {
        let mut sources = Vec::with_capacity(self.features.len());
        let mut absent = Vec::new();
        for feature in &self.features {
            let name = match &feature.kind {
                Kind::Step(of) => of,
                Kind::Pause => &self.sequence.as_ref().expect("a pause has a sequence").0,
                _ => &feature.name,
            };
            let found = table.find(name);
            if found.is_none() && !absent.contains(&name.as_str()) {
                absent.push(name.as_str());
            }
            sources.push(found.unwrap_or(0));
        }
        if !absent.is_empty() {
            let shown = absent.iter().take(20).copied().collect::<Vec<_>>().join(", ");
            return Err(Error::Data(format!(
                "the data lack {} of {} columns that the model needs: {shown} (a table without a header needs --columns)",
                absent.len(),
                self.features.len()
            )));
        }
        let before = match &self.sequence {
            Some((time, clock, group)) => Some(previous(table, time, *clock, group, &sources)?),
            None => None,
        };
        let width = self.features.len();
        let mut cells = vec![f32::NAN; table.rows * width];
        for (f, (feature, &source)) in self.features.iter().zip(&sources).enumerate() {
            let column = &table.columns[source];
            let out = cells[f..].iter_mut().step_by(width);
            match &feature.kind {
                Kind::Number => {
                    out.enumerate().for_each(|(row, out)| *out = narrow(column.number(row)));
                }
                Kind::Category(values) => {
                    let mut codes = Codes::new(values);
                    out.enumerate().for_each(|(row, out)| *out = codes.of(column, row));
                }
                Kind::Step(_) => {
                    let before = before.as_ref().expect("a step has a sequence");
                    out.enumerate().for_each(|(row, out)| {
                        if let Some((earlier, _)) = before[row] {
                            *out = narrow(column.number(row) - column.number(earlier as usize));
                        }
                    });
                }
                Kind::Pause => {
                    let before = before.as_ref().expect("a pause has a sequence");
                    out.enumerate().for_each(|(row, out)| {
                        if let Some((_, pause)) = before[row] {
                            *out = narrow(pause);
                        }
                    });
                }
            }
        }
        let errors = (0..table.rows).map(|row| self.fault(table, row, &sources, &cells)).collect();
        Ok(Encoded { matrix: Matrix { width, cells }, errors })
    }

    /// Why a row cannot be scored: too broken, or nothing in it that the model knows.
    fn fault(&self, table: &Table, row: usize, sources: &[usize], cells: &[f32]) -> Option<String> {
        let fault = table.faults.get(&(row as u32));
        match fault {
            Some(Fault::Short(have, _)) => {
                let cut = sources.iter().filter(|s| *s >= have).count();
                // A row may lack columns that are no features, and a few that are; with less than half there is nothing to say.
                if cut * 2 >= sources.len() {
                    return fault.map(Fault::to_string);
                }
            }
            Some(_) => return fault.map(Fault::to_string),
            None => {}
        }
        let row = &cells[row * sources.len()..(row + 1) * sources.len()];
        row.iter().all(|x| x.is_nan()).then(|| "no value in any column that the model knows".to_owned())
    }
}

/// To 32 bits; infinities and what is beyond become the largest number there is.
fn narrow(x: f64) -> f32 {
    (x as f32).clamp(f32::MIN, f32::MAX)
}

/// Category codes of a column, each different cell looked up once.
struct Codes<'a> {
    values: HashMap<&'a str, f32>,
    seen: HashMap<u64, f32>,
}

impl<'a> Codes<'a> {
    fn new(values: &'a [String]) -> Codes<'a> {
        let values = values.iter().enumerate().map(|(at, v)| (v.as_str(), at as f32)).collect();
        Codes { values, seen: HashMap::default() }
    }

    fn of(&mut self, column: &Column, row: usize) -> f32 {
        let values = &self.values;
        *self
            .seen
            .entry(column.bits(row))
            .or_insert_with(|| column.text(row).and_then(|t| values.get(t.as_str()).copied()).unwrap_or(f32::NAN))
    }
}

/// The kind of a column, or why it is no feature.
fn kind(column: &Column, rows: &[u32], risk: &[f32], keeps_constant: bool) -> Result<Kind, String> {
    let (mut numbers, mut texts) = (0usize, 0usize);
    let mut different: HashMap<u64, (usize, f64)> = HashMap::default();
    let mut whole = true;
    for (at, &row) in rows.iter().enumerate() {
        match column.cell(row as usize) {
            Cell::Missing => continue,
            Cell::Number(x) => {
                numbers += 1;
                whole &= x == x.trunc() && x.is_finite();
            }
            Cell::Text(_) => texts += 1,
        }
        let (count, sum) = different.entry(column.bits(row as usize)).or_default();
        *count += 1;
        *sum += f64::from(risk[at]);
    }
    if numbers + texts == 0 {
        return Err("no value".into());
    }
    if different.len() == 1 && numbers + texts == rows.len() && !keeps_constant {
        return Err("always the same".into());
    }
    if texts * 100 <= numbers {
        if whole && numbers >= MIN_ROW_NUMBERS && different.len() == numbers && texts == 0 {
            return Err("every row has another whole number: a row number".into());
        }
        return Ok(Kind::Number);
    }
    let mut at_row: HashMap<u64, u32> = HashMap::default();
    rows.iter().for_each(|&r| {
        at_row.entry(column.bits(r as usize)).or_insert(r);
    });
    let mean = risk.iter().map(|&r| f64::from(r)).sum::<f64>() / rows.len().max(1) as f64;
    let mut kept: Vec<(usize, f64, String)> = different
        .iter()
        .filter(|(_, (count, _))| *count >= MIN_CATEGORY)
        .map(|(bits, (count, sum))| {
            let smoothed = (sum + 20.0 * mean) / (*count as f64 + 20.0);
            (*count, smoothed, column.text(at_row[bits] as usize).unwrap_or_default())
        })
        .collect();
    if kept.is_empty() {
        return Err(format!("{} different texts, none of them in {MIN_CATEGORY} rows", different.len()));
    }
    kept.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.2.cmp(&b.2)));
    kept.truncate(MAX_CATEGORIES);
    kept.sort_by(|a, b| a.1.total_cmp(&b.1).then_with(|| a.2.cmp(&b.2)));
    Ok(Kind::Category(kept.into_iter().map(|k| k.2).collect()))
}

/// For each row the one before it in its group, and the seconds between; rows without a time have none.
fn previous(
    table: &Table,
    time: &str,
    clock: Clock,
    group: &[String],
    features: &[usize],
) -> Result<Vec<Option<(u32, f64)>>> {
    let time = &table.columns[table.need(time)?];
    let keys: Vec<usize> = group.iter().map(|g| table.need(g)).collect::<Result<_>>()?;
    let seconds: Vec<f64> = (0..table.rows).map(|r| clock.seconds(time.cell(r))).collect();
    let groups: Vec<u64> = (0..table.rows).map(|r| table.row_hash(r, &keys)).collect();
    let mut order: Vec<u32> =
        (0..table.rows as u32).filter(|&r| !seconds[r as usize].is_nan() && !table.faults.contains_key(&r)).collect();
    // Rows of one moment are ordered by what they hold, so that the order of the file changes nothing.
    order.sort_by(|&a, &b| {
        let (a, b) = (a as usize, b as usize);
        groups[a]
            .cmp(&groups[b])
            .then_with(|| seconds[a].total_cmp(&seconds[b]))
            .then_with(|| table.row_hash(a, features).cmp(&table.row_hash(b, features)))
    });
    let mut out = vec![None; table.rows];
    for pair in order.windows(2) {
        let (a, b) = (pair[0] as usize, pair[1] as usize);
        if groups[a] == groups[b] {
            out[b] = Some((pair[0], seconds[b] - seconds[a]));
        }
    }
    Ok(out)
}
