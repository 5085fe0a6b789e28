//! Finds in the lake where a conversation lies: its ends and its span, from the common columns of any kind.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimestampMicrosecondType, UInt16Type};
use gwcore::Ts;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// Columns that are read.
const COLUMNS: [&str; 8] = ["ts", "uid", "src_ip", "src_port", "dst_ip", "dst_port", "src_mac", "dst_mac"];

/// A conversation as its records show it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conversation {
    /// IP addresses of the two ends, without order.
    pub ips: Option<(String, String)>,
    /// MAC addresses of the two ends, in the order of the addresses.
    pub macs: Option<(String, String)>,
    /// Ports of the two ends, in the order of the addresses.
    pub ports: Option<(u16, u16)>,
    /// Earliest record.
    pub first: Ts,
    /// Latest record; the conversation may have gone on after it.
    pub last: Ts,
    /// Records found.
    pub records: u64,
}

/// Looks through the lake below `root` for records of a conversation. Reads the common columns of every file: a lake of months takes a while.
/// Files that cannot be read are passed over.
pub fn conversation(root: &Path, uid: &str) -> io::Result<Option<Conversation>> {
    let _reading = crate::reading(root)?;
    let mut found: Option<Conversation> = None;
    for path in files(root)? {
        // One unreadable file does not hide the others.
        let _ = search(&path, uid, &mut found);
    }
    Ok(found)
}

fn files(root: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut open, mut all) = (vec![root.to_owned()], Vec::new());
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                open.push(entry.path());
            } else if entry.path().extension().is_some_and(|e| e == "parquet") {
                all.push(entry.path());
            }
        }
    }
    all.sort();
    Ok(all)
}

fn search(path: &Path, uid: &str, found: &mut Option<Conversation>) -> Result<(), Box<dyn std::error::Error>> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), COLUMNS);
    for batch in builder.with_projection(mask).build()? {
        look(&batch?, uid, found)?;
    }
    Ok(())
}

fn look(batch: &RecordBatch, uid: &str, found: &mut Option<Conversation>) -> Result<(), Box<dyn std::error::Error>> {
    let text = |name: &str| -> Result<_, Box<dyn std::error::Error>> {
        let column = batch.column_by_name(name).ok_or("a column is missing")?;
        Ok(cast(column, &DataType::Utf8)?)
    };
    let uids = text("uid")?;
    let uids = uids.as_string::<i32>();
    if !uids.iter().flatten().any(|u| u == uid) {
        return Ok(());
    }
    let (src, dst, from, to) = (text("src_ip")?, text("dst_ip")?, text("src_mac")?, text("dst_mac")?);
    let [src, dst, from, to] = [&src, &dst, &from, &to].map(|a| a.as_string::<i32>());
    let port = |name: &str| batch.column_by_name(name).and_then(|c| c.as_primitive_opt::<UInt16Type>());
    let (sport, dport) = (port("src_port"), port("dst_port"));
    let ts = batch.column_by_name("ts").and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>());
    let ts = ts.ok_or("no times")?;
    for row in (0..batch.num_rows()).filter(|row| uids.is_valid(*row) && uids.value(*row) == uid) {
        let pair = |a: &arrow::array::StringArray, b: &arrow::array::StringArray| {
            (a.is_valid(row) && b.is_valid(row)).then(|| (a.value(row).to_owned(), b.value(row).to_owned()))
        };
        let at = Ts(ts.value(row).saturating_mul(1_000));
        let c = found.get_or_insert_with(|| Conversation { first: at, last: at, ..Conversation::default() });
        (c.first, c.last, c.records) = (c.first.min(at), c.last.max(at), c.records + 1);
        if c.ips.is_none() && c.macs.is_none() {
            (c.ips, c.macs) = (pair(src, dst), pair(from, to));
            let ports = sport.zip(dport).filter(|(a, b)| a.is_valid(row) && b.is_valid(row));
            c.ports = ports.map(|(a, b)| (a.value(row), b.value(row)));
        }
    }
    Ok(())
}
