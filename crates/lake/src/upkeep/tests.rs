//! Tests of upkeep: no row lost or doubled, order, held rows, damage, searches in the way.

use std::path::PathBuf;

use arrow::array::{DictionaryArray, Int64Array, TimestampMicrosecondArray, UInt16Array};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};

use super::*;
use crate::{hours, reading};

const FOLDER: &str = "conn/day=2026-11-30/hour=23";
/// 2026-11-30T23:00:00Z in µs.
const START: i64 = 1_796_079_600_000_000;

/// A file with rows `n` at `START + n` µs, of conversation C(n % 3).
fn file(root: &Path, name: &str, rows: &[i64]) {
    let folder = root.join(FOLDER);
    fs::create_dir_all(&folder).unwrap();
    let ts: TimestampMicrosecondArray = rows.iter().map(|n| START + n).collect::<Vec<_>>().into();
    let uids: Vec<String> = rows.iter().map(|n| format!("C{}", n % 3)).collect();
    let uid: DictionaryArray<Int32Type> = uids.iter().map(String::as_str).collect();
    let ns: UInt16Array = rows.iter().map(|_| 0).collect::<Vec<u16>>().into();
    let batch = RecordBatch::try_from_iter([
        ("ts", Arc::new(ts.with_timezone("UTC")) as Arc<dyn Array>),
        ("ts_ns", Arc::new(ns)),
        ("uid", Arc::new(uid)),
        ("n", Arc::new(Int64Array::from(rows.to_vec()))),
    ])
    .unwrap();
    let mut writer = ArrowWriter::try_new(File::create(folder.join(name)).unwrap(), batch.schema(), None).unwrap();
    writer.append_key_value_metadata(KeyValue::new("gridwarden.kind".to_owned(), "conn".to_owned()));
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// The rows of all files as (file, n), in the order they lie there.
fn rows(root: &Path) -> Vec<(String, i64)> {
    let mut all = Vec::new();
    for hour in hours(root).unwrap() {
        for (name, _) in &hour.files {
            let (reader, ..) = reader(&root.join(&hour.folder).join(name)).unwrap();
            for batch in reader {
                let batch = batch.unwrap();
                let n = batch.column_by_name("n").unwrap().as_primitive::<Int64Type>().clone();
                all.extend(n.values().iter().map(|n| (name.clone(), *n)));
            }
        }
    }
    all
}

fn delete(root: &Path, hour: &Hour, held: &HashSet<String>, force: bool) -> Deleted {
    let mut told = Vec::new();
    let done = super::delete(root, hour, held, (Duration::ZERO, force), &mut |d| told.push(d.clone())).unwrap();
    assert_eq!(told, if done.files > 0 { vec![done.clone()] } else { Vec::new() });
    done
}

fn lake() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().to_owned();
    file(&root, "00000001-00000001.parquet", &[5, 1, 3]);
    file(&root, "00000001-00000002.parquet", &[2, 9, 2]);
    file(&root, "00000002-00000001.parquet", &[0, 12]);
    (dir, root)
}

#[test]
fn small_files_become_one_sorted_file_with_every_row() {
    let (_dir, root) = lake();
    let hour = hours(&root).unwrap().remove(0);
    assert_eq!((hour.kind.as_str(), hour.start().to_string().as_str()), ("conn", "2026-11-30T23:00:00.000000Z"));
    let done = compact(&root, &hour, Duration::ZERO).unwrap();
    assert_eq!((done.files, done.into, done.rows, done.put_off), (3, 1, 8, false));
    let n: Vec<i64> = rows(&root)
        .into_iter()
        .map(|(name, n)| {
            assert_eq!(name, "c00000001.parquet");
            n
        })
        .collect();
    assert_eq!(n, [0, 1, 2, 2, 3, 5, 9, 12]);
    let made = builder(&root.join(FOLDER).join("c00000001.parquet")).unwrap();
    let kept = made.metadata().file_metadata().key_value_metadata().unwrap();
    assert!(kept.iter().any(|kv| kv.key == "gridwarden.kind"), "metadata goes along");
    assert!(made.metadata().row_group(0).column(2).bloom_filter_offset().is_some(), "conversations are looked up");
    // Nothing is left to do; a late file is taken in.
    let hour = hours(&root).unwrap().remove(0);
    assert_eq!(compact(&root, &hour, Duration::ZERO).unwrap(), Compacted::default());
    file(&root, "00000003-00000001.parquet", &[4]);
    let hour = hours(&root).unwrap().remove(0);
    assert_eq!(compact(&root, &hour, Duration::ZERO).unwrap().rows, 9);
    let now = rows(&root);
    assert_eq!(now.iter().map(|(_, n)| *n).collect::<Vec<_>>(), [0, 1, 2, 2, 3, 4, 5, 9, 12]);
    assert_eq!(now[0].0, "c00000002.parquet");
}

#[test]
fn times_of_the_sorted_file_rise() {
    let (_dir, root) = lake();
    compact(&root, &hours(&root).unwrap()[0], Duration::ZERO).unwrap();
    let (mut reader, ..) = reader(&root.join(FOLDER).join("c00000001.parquet")).unwrap();
    let batch = reader.next().unwrap().unwrap();
    let ts = batch.column(0).as_primitive::<TimestampMicrosecondType>();
    assert!(ts.values().is_sorted() && ts.value(0) == START);
}

#[test]
fn damaged_files_and_other_layouts_stay() {
    let (_dir, root) = lake();
    fs::write(root.join(FOLDER).join("00000001-00000003.parquet"), "PAR1 no").unwrap();
    let done = compact(&root, &hours(&root).unwrap()[0], Duration::ZERO).unwrap();
    assert_eq!(done.unreadable, [format!("{FOLDER}/00000001-00000003.parquet")]);
    assert!(root.join(FOLDER).join("00000001-00000003.parquet").exists());
    assert_eq!(done.rows, 8);
}

#[test]
fn searches_put_an_exchange_off_and_nothing_is_left_lying() {
    let (_dir, root) = lake();
    drop(Exchange::lock(&root, Duration::ZERO).unwrap());
    let search = reading(&root).unwrap();
    let hour = hours(&root).unwrap().remove(0);
    assert!(compact(&root, &hour, Duration::ZERO).unwrap().put_off);
    assert!(delete(&root, &hour, &["C1".to_owned()].into(), false).put_off);
    assert_eq!(hours(&root).unwrap(), std::slice::from_ref(&hour));
    assert_eq!(crate::tidy(&root).unwrap(), 0);
    // One that cannot wait goes on.
    assert_eq!(delete(&root, &hour, &HashSet::new(), true).rows, 8);
    drop(search);
    assert!(hours(&root).unwrap().is_empty() && !root.join("conn/day=2026-11-30").exists());
}

#[test]
fn held_conversations_outlive_their_hour() {
    let (_dir, root) = lake();
    let held: HashSet<String> = ["C2".to_owned()].into();
    let done = delete(&root, &hours(&root).unwrap()[0], &held, false);
    assert_eq!((done.rows, done.held_rows, done.files), (5, 3, 3));
    assert_eq!(rows(&root).iter().map(|(_, n)| *n).collect::<Vec<_>>(), [5, 2, 2]);
    let hour = hours(&root).unwrap().remove(0);
    assert!(hour.is_held());
    // Again: nothing changes. Let go: nothing is left.
    let done = delete(&root, &hour, &held, false);
    assert_eq!((done.rows, done.held_rows, done.files), (0, 3, 0));
    assert_eq!(hours(&root).unwrap(), std::slice::from_ref(&hour));
    assert_eq!(delete(&root, &hour, &HashSet::new(), false).rows, 3);
    assert!(hours(&root).unwrap().is_empty());
}
