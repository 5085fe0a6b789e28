//! Which tables a place holds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use arrow::record_batch::RecordBatch;
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use serde_json::Value;

use crate::{Error, Result};

/// Where rows of a table lie.
pub(crate) struct Source {
    /// A file, or a folder.
    pub path: PathBuf,
    /// Whether it is a folder of the lake, cut by day and hour.
    pub is_lake: bool,
}

/// What was found.
#[derive(Default)]
pub(crate) struct Found {
    pub parquet: BTreeMap<String, Vec<Source>>,
    pub devices: Vec<Value>,
    pub findings: Vec<Value>,
}

/// Looks at the places; see `Engine::open`.
pub(crate) fn find(places: &[PathBuf]) -> Result<Found> {
    let mut found = Found::default();
    for place in places {
        // Symbolic names as the object store wants them: absolute.
        let place = std::path::absolute(place).map_err(|e| Error::Data(format!("`{}`: {e}", place.display())))?;
        let before = found.parquet.len();
        let lake = place.join("lake");
        if place.is_file() {
            add_file(&mut found, &place);
        } else if lake.is_dir() {
            for kind in entries(&lake)?.into_iter().filter(|p| p.is_dir() && holds_parquet(p)) {
                let source = Source { is_lake: true, path: kind.clone() };
                found.parquet.entry(name_of(&kind)).or_default().push(source);
            }
        } else if place.is_dir() {
            let records = place.join("records");
            for file in entries(if records.is_dir() { &records } else { &place })? {
                add_file(&mut found, &file);
            }
            found.devices.extend(lines(&place.join("assets.ndjson"))?);
            found.findings.extend(lines(&place.join("alerts.ndjson"))?);
        } else {
            return Err(Error::Data(format!("there is no `{}`", place.display())));
        }
        if found.parquet.len() == before && places.len() == 1 && found.devices.is_empty() && found.findings.is_empty() {
            let hint = "name a data folder, a folder that `analyze` wrote with Parquet, or a Parquet file";
            return Err(Error::Data(format!("`{}` holds no records: {hint}", place.display())));
        }
    }
    Ok(found)
}

fn add_file(found: &mut Found, file: &Path) {
    if file.extension().is_some_and(|e| e == "parquet") {
        let source = Source { path: file.to_owned(), is_lake: false };
        found.parquet.entry(name_of(file)).or_default().push(source);
    }
}

fn name_of(path: &Path) -> String {
    path.file_stem().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default()
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>> {
    let read = std::fs::read_dir(dir).map_err(|e| Error::Data(format!("cannot read `{}`: {e}", dir.display())))?;
    let mut all: Vec<PathBuf> = read.filter_map(|e| Some(e.ok()?.path())).collect();
    all.sort();
    Ok(all)
}

/// Whether a folder holds a finished file somewhere, at most two levels down.
fn holds_parquet(dir: &Path) -> bool {
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for path in entries(&dir).unwrap_or_default() {
            if path.extension().is_some_and(|e| e == "parquet") {
                return true;
            }
            if path.is_dir() {
                open.push(path);
            }
        }
    }
    false
}

fn lines(path: &Path) -> Result<Vec<Value>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text.lines().filter_map(|l| serde_json::from_str(l).ok()).collect()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(Error::Data(format!("cannot read `{}`: {e}", path.display()))),
    }
}

/// Where a column of a document table comes from.
enum From {
    Text(&'static [&'static str]),
    Time(&'static str),
    Count(&'static str),
    /// The elements of a list, or one member of each, joined.
    Joined(&'static str, &'static str),
    Whole,
}

const FINDING: &[(&str, From)] = &[
    ("id", From::Text(&["id"])),
    ("ts", From::Time("ts")),
    ("ts_end", From::Time("ts_end")),
    ("detector", From::Text(&["detector"])),
    ("severity", From::Text(&["severity"])),
    ("title", From::Text(&["title"])),
    ("why", From::Text(&["why"])),
    ("basis", From::Text(&["basis"])),
    ("proto", From::Text(&["proto"])),
    ("src", From::Text(&["src", "asset"])),
    ("src_name", From::Text(&["src", "name"])),
    ("src_ip", From::Text(&["src", "ip"])),
    ("src_mac", From::Text(&["src", "mac"])),
    ("dst", From::Text(&["dst", "asset"])),
    ("dst_name", From::Text(&["dst", "name"])),
    ("dst_ip", From::Text(&["dst", "ip"])),
    ("dst_mac", From::Text(&["dst", "mac"])),
    ("attack", From::Joined("attack", "")),
    ("uids", From::Joined("uids", "")),
    ("count", From::Count("count")),
    ("rev", From::Count("rev")),
    ("document", From::Whole),
];

const DEVICE: &[(&str, From)] = &[
    ("id", From::Text(&["id"])),
    ("names", From::Joined("names", "name")),
    ("ips", From::Joined("ips", "")),
    ("macs", From::Joined("macs", "")),
    ("roles", From::Joined("roles", "role")),
    ("vendor", From::Text(&["vendor"])),
    ("first_seen", From::Time("first_seen")),
    ("last_seen", From::Time("last_seen")),
    ("document", From::Whole),
];

/// A table of documents: the columns people ask for, and each document whole as JSON.
pub(crate) fn documents(table: &str, documents: &[Value]) -> Result<Arc<dyn TableProvider>> {
    let columns = if table == "device" { DEVICE } else { FINDING };
    let mut fields = Vec::new();
    let mut arrays: Vec<ArrayRef> = Vec::new();
    for (name, from) in columns {
        let array: ArrayRef = match from {
            From::Time(field) => {
                let micros =
                    |d: &Value| gwcore::time::parse_rfc3339(d[*field].as_str()?).map(|t| t.0.div_euclid(1_000));
                let times: TimestampMicrosecondArray = documents.iter().map(micros).collect();
                Arc::new(times.with_timezone("UTC"))
            }
            From::Count(field) => Arc::new(documents.iter().map(|d| d[*field].as_i64()).collect::<Int64Array>()),
            From::Text(path) => {
                let text = |d: &Value| path.iter().fold(d, |v, key| &v[*key]).as_str().map(str::to_owned);
                Arc::new(documents.iter().map(text).collect::<StringArray>())
            }
            From::Joined(field, member) => {
                let word = |v: &Value| v.as_str().or_else(|| v[*member].as_str()).map(str::to_owned);
                let text =
                    |d: &Value| Some(d[*field].as_array()?.iter().filter_map(word).collect::<Vec<_>>().join(" "));
                Arc::new(documents.iter().map(text).collect::<StringArray>())
            }
            From::Whole => Arc::new(documents.iter().map(|d| Some(d.to_string())).collect::<StringArray>()),
        };
        let ty = match from {
            From::Time(_) => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            From::Count(_) => DataType::Int64,
            _ => DataType::Utf8,
        };
        fields.push(Field::new(*name, ty, true));
        arrays.push(array);
    }
    let schema = Arc::new(Schema::new(fields));
    let bad = |e: &dyn std::fmt::Display| Error::Data(format!("table `{table}`: {e}"));
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).map_err(|e| bad(&e))?;
    Ok(Arc::new(MemTable::try_new(schema, vec![vec![batch]]).map_err(|e| bad(&e))?))
}
