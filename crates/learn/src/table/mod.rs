//! A table of foreign data: named columns of numbers and texts, with what is wrong with single rows.

mod csv;
#[cfg(feature = "parquet")]
mod parquet;
mod time;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::hash::HashMap;
use sha2::Digest;

use crate::error::{Error, Result};

#[cfg(feature = "parquet")]
pub use self::parquet::write as write_parquet;
pub use self::time::{Clock, parse_time};

/// What one cell holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// Empty, NaN, NA, null, or cut off.
    Missing,
    /// A number, infinities too.
    Number(f64),
    /// Anything else.
    Text(&'a str),
}

/// A missing cell; a text cell is this with its code, plus one, in the low bits. No number that is parsed has such bits.
const MISSING: u64 = 0x7ff8_0000_0000_0000;
const CODE: u64 = 0x0007_ffff_ffff_ffff;

/// A column: eight bytes a cell, each different text kept once.
#[derive(Clone, Debug, Default)]
pub struct Column {
    cells: Vec<u64>,
    texts: Vec<Box<str>>,
    codes: HashMap<Box<str>, u32>,
}

impl Column {
    /// How many cells there are.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether there is no cell.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// The cell of a row.
    pub fn cell(&self, row: usize) -> Cell<'_> {
        let bits = self.cells[row];
        if bits == MISSING {
            Cell::Missing
        } else if bits & MISSING == MISSING && bits >> 63 == 0 && bits & CODE != 0 {
            Cell::Text(&self.texts[(bits & CODE) as usize - 1])
        } else {
            Cell::Number(f64::from_bits(bits))
        }
    }

    /// The number of a row, NaN where there is none.
    pub fn number(&self, row: usize) -> f64 {
        match self.cell(row) {
            Cell::Number(x) => x,
            _ => f64::NAN,
        }
    }

    /// The cell as text, numbers in one canonical form; `None` where it is missing.
    pub fn text(&self, row: usize) -> Option<String> {
        match self.cell(row) {
            Cell::Missing => None,
            Cell::Number(x) => Some(number_text(x)),
            Cell::Text(t) => Some(t.to_owned()),
        }
    }

    /// The bits of a cell: equal for equal cells of one column.
    pub fn bits(&self, row: usize) -> u64 {
        self.cells[row]
    }

    /// Appends a number; NaN is missing, a negative zero is zero.
    pub fn push_number(&mut self, x: f64) {
        self.cells.push(if x.is_nan() { MISSING } else { (x + 0.0).to_bits() });
    }

    /// Appends nothing.
    pub fn push_missing(&mut self) {
        self.cells.push(MISSING);
    }

    /// Appends a text as it is, without looking for numbers in it.
    pub fn push_text(&mut self, text: &str) {
        let code = match self.codes.get(text) {
            Some(code) => *code,
            None => {
                let next = self.texts.len() as u32;
                self.codes.insert(text.into(), next);
                self.texts.push(text.into());
                next
            }
        };
        self.cells.push(MISSING | (u64::from(code) + 1));
    }

    /// Appends what a field of a text file says.
    pub fn push_field(&mut self, field: &str, decimal_comma: bool) {
        let field = field.trim();
        match field.as_bytes().first() {
            None => self.push_missing(),
            Some(b'0'..=b'9' | b'+' | b'-' | b'.') => match field.parse::<f64>() {
                Ok(x) => self.push_number(x),
                Err(_) => match decimal_comma.then(|| field.replacen(',', ".", 1).parse::<f64>()) {
                    Some(Ok(x)) => self.push_number(x),
                    _ => self.push_text(field),
                },
            },
            Some(_) => match word(field) {
                Some(x) => self.push_number(x),
                None => self.push_text(field),
            },
        }
    }

    /// Fills with missing cells up to `rows`.
    fn fill(&mut self, rows: usize) {
        self.cells.resize(rows, MISSING);
    }

    /// How many different texts there are.
    pub fn text_count(&self) -> usize {
        self.texts.len()
    }

    /// Of these rows only, in this order.
    pub fn take(&self, rows: &[u32]) -> Column {
        let cells = rows.iter().map(|&r| self.cells[r as usize]).collect();
        Column { cells, texts: self.texts.clone(), codes: self.codes.clone() }
    }
}

/// Words that stand for a number or for nothing, in any case.
fn word(field: &str) -> Option<f64> {
    if field.len() > 9 {
        return None;
    }
    let is = |w: &str| field.eq_ignore_ascii_case(w);
    if is("nan") || is("na") || is("n/a") || is("null") || is("none") || is("#n/a") || is("<na>") || is("?") {
        Some(f64::NAN)
    } else if is("true") {
        Some(1.0)
    } else if is("false") {
        Some(0.0)
    } else if is("inf") || is("infinity") {
        Some(f64::INFINITY)
    } else {
        None
    }
}

/// A number as text in one form: `80`, not `80.0`.
pub fn number_text(x: f64) -> String {
    if x == x.trunc() && x.abs() < 1e15 { format!("{}", x as i64) } else { format!("{x}") }
}

/// Columns of equal length, with names that differ.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Trimmed; a repeated one gets `.1`, `.2` appended.
    pub names: Vec<String>,
    /// As many as names.
    pub columns: Vec<Column>,
    /// Rows that are not whole, and why.
    pub faults: BTreeMap<u32, Fault>,
    /// How many rows there are.
    pub rows: usize,
    /// Where they came from.
    pub sources: Vec<Source>,
    /// Columns that name a row and are never features, as the files say.
    pub identity: Vec<String>,
}

/// What is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It ends early: so many fields are there of so many.
    Short(usize, usize),
    /// It has too many fields: which is which cannot be known.
    Long(usize, usize),
    /// The header again.
    Header,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fault::Short(have, want) => write!(f, "too few fields: {have} of {want}"),
            Fault::Long(have, want) => write!(f, "too many fields: {have} for {want} columns"),
            Fault::Header => write!(f, "the header again"),
        }
    }
}

/// A file that was read.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Source {
    /// As given.
    pub path: PathBuf,
    /// Rows in it.
    pub rows: usize,
    /// Of the file as it lies on disk.
    pub sha256: String,
}

impl Table {
    /// Reads files one after the other as one table. `columns` names the columns of text files that have no header.
    pub fn load(paths: &[PathBuf], columns: Option<&Path>) -> Result<Table> {
        let names = columns.map(read_names).transpose()?;
        let mut all = Table::default();
        for path in paths {
            let bytes = std::fs::read(path).map_err(|e| Error::file(path, e))?;
            let sha256 = hex(&sha2::Sha256::digest(&bytes));
            let part = if bytes.starts_with(b"PAR1") {
                columnar(path, bytes)?
            } else {
                csv::read(path, bytes, names.as_deref())?
            };
            let rows = part.rows;
            all.append(part);
            all.sources.push(Source { path: path.clone(), rows, sha256 });
        }
        if all.names.is_empty() {
            return Err(Error::Data("no columns in the data".into()));
        }
        Ok(all)
    }

    fn append(&mut self, part: Table) {
        if self.names.is_empty() {
            *self = part;
            return;
        }
        for name in part.identity {
            if !self.identity.contains(&name) {
                self.identity.push(name);
            }
        }
        let rows = self.rows + part.rows;
        for (name, column) in part.names.iter().zip(&part.columns) {
            let at = self.find(name).unwrap_or_else(|| {
                self.names.push(name.clone());
                let mut new = Column::default();
                new.fill(self.rows);
                self.columns.push(new);
                self.columns.len() - 1
            });
            for row in 0..part.rows {
                match column.cell(row) {
                    Cell::Missing => self.columns[at].push_missing(),
                    Cell::Number(x) => self.columns[at].push_number(x),
                    Cell::Text(t) => self.columns[at].push_text(t),
                }
            }
        }
        for column in &mut self.columns {
            column.fill(rows);
        }
        self.faults.extend(part.faults.into_iter().map(|(row, fault)| (row + self.rows as u32, fault)));
        self.rows = rows;
    }

    /// The place of a column: exactly so named, or but for case and spaces around it.
    pub fn find(&self, name: &str) -> Option<usize> {
        let plain = name.trim();
        self.names
            .iter()
            .position(|n| n == plain)
            .or_else(|| self.names.iter().position(|n| n.eq_ignore_ascii_case(plain)))
    }

    /// The place of a column that must be there.
    pub fn need(&self, name: &str) -> Result<usize> {
        self.find(name).ok_or_else(|| Error::NoColumn { name: name.to_owned(), have: list(&self.names) })
    }

    /// These rows only, in this order; faults go with them.
    pub fn take(&self, rows: &[u32]) -> Table {
        let faults = rows
            .iter()
            .enumerate()
            .filter_map(|(at, row)| self.faults.get(row).map(|f| (at as u32, f.clone())))
            .collect();
        Table {
            names: self.names.clone(),
            columns: self.columns.iter().map(|c| c.take(rows)).collect(),
            faults,
            rows: rows.len(),
            sources: self.sources.clone(),
            identity: self.identity.clone(),
        }
    }

    /// A hash of a row's cells in these columns, by what they say and not by where they stand.
    pub fn row_hash(&self, row: usize, columns: &[usize]) -> u64 {
        let mut h = 0x5851_f42d_4c95_7f2d_u64;
        for &c in columns {
            let one = match self.columns[c].cell(row) {
                Cell::Missing => 1,
                Cell::Number(x) => crate::rng::mix(x.to_bits()),
                Cell::Text(t) => xxhash_rust::xxh3::xxh3_64(t.as_bytes()),
            };
            h = crate::rng::mix(h.rotate_left(5) ^ one);
        }
        h
    }
}

#[cfg(feature = "parquet")]
use self::parquet::read as columnar;

#[cfg(not(feature = "parquet"))]
fn columnar(path: &Path, _: Vec<u8>) -> Result<Table> {
    Err(Error::file(path, "this build reads no Parquet"))
}

/// Names, cut to what fits a line.
fn list(names: &[String]) -> String {
    let shown: Vec<_> = names.iter().take(60).map(String::as_str).collect();
    let more = names.len().saturating_sub(60);
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}

/// Column names, one a line or in one line with commas.
fn read_names(path: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::file(path, e))?;
    let lines: Vec<_> = text.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    let names: Vec<String> = match lines[..] {
        [one] => one.split([',', ';', '\t']).map(|n| n.trim().to_owned()).collect(),
        _ => lines.iter().map(|l| (*l).to_owned()).collect(),
    };
    if names.is_empty() {
        return Err(Error::file(path, "no column names in it"));
    }
    Ok(distinct(names))
}

/// Makes names differ.
fn distinct(names: Vec<String>) -> Vec<String> {
    let mut seen: HashMap<String, usize> = HashMap::default();
    let mut out = Vec::with_capacity(names.len());
    for name in names {
        let n = seen.entry(name.clone()).or_insert(0);
        *n += 1;
        out.push(if *n == 1 { name } else { format!("{name}.{}", *n - 1) });
    }
    out
}

/// Bytes as lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
