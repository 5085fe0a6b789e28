//! The lake of a running sensor: files by kind, day and hour, whole or absent; nothing waits longer than a minute.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use gwcore::time::{HOUR, SECOND};
use gwcore::{Addr, FlowConst, FlowRef, Key, Limit, Limits, Names, Out, Sink, Stamp, Ts, Uid};
use lake::LiveLake;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

gwcore::record! {
    /// A number.
    pub struct Number, NumberColumns = "number", Transaction {
        /// Number.
        n: u64,
    }
}

/// 2017-07-14T02:00:00Z.
const TWO: i64 = 1_499_997_600 * SECOND;

fn batch(times: &[i64]) -> Out {
    let mut out = Out::default();
    let ends = (Addr::v4([10, 0, 0, 1]), Addr::v4([10, 0, 0, 2]));
    out.flows.push(FlowConst { uid: Uid(7), src: ends.0, dst: ends.1, ip_proto: 6, ..FlowConst::default() });
    for (n, ts) in times.iter().enumerate() {
        let key = Key { step: n as u64, ..Key::default() };
        out.append(Stamp { key, ts: Ts(*ts), frame: 1, flow: FlowRef(0), repeat: false }, Number { n: n as u64 });
    }
    out
}

fn rows(path: &Path) -> usize {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap().build().unwrap();
    reader.map(|b| b.unwrap().num_rows()).sum()
}

fn files(root: &Path) -> Vec<PathBuf> {
    let (mut open, mut all) = (vec![root.to_owned()], Vec::new());
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { open.push(path) } else { all.push(path) }
        }
    }
    all.sort();
    all
}

#[test]
fn rows_lie_by_hour_and_are_told_when_they_are_on_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let (mut lake, removed) = LiveLake::open(dir.path(), &Limits::default(), 3).unwrap();
    assert_eq!(removed, 0);
    let names = Names::default();
    assert!(lake.roll(Ts(TWO + HOUR), names).0.is_empty());
    // An hour's end in the middle, and back again.
    lake.rows(&batch(&[TWO + HOUR - 1, TWO + HOUR, TWO + HOUR - 2, TWO + HOUR + 1]), names).unwrap();
    assert!(lake.roll(Ts(TWO + HOUR + 59 * SECOND), names).0.is_empty(), "it waits");
    assert!(files(dir.path()).is_empty());
    let (written, result) = lake.roll(Ts(TWO + HOUR + 60 * SECOND), names);
    result.unwrap();
    let told: Vec<_> = written.iter().map(|w| (w.kind, w.rows, w.path.parent().unwrap().to_str().unwrap())).collect();
    let (two, three) = ("number/day=2017-07-14/hour=02", "number/day=2017-07-14/hour=03");
    assert_eq!(told, [("number", 2, two), ("number", 2, three)]);
    for w in &written {
        let path = dir.path().join(&w.path);
        assert_eq!((rows(&path), path.metadata().unwrap().len()), (2, w.bytes));
    }
    assert_eq!(files(dir.path()).len(), 2);
    assert_eq!(lake.held(), 0);
}

#[test]
fn a_crash_leaves_whole_files_alone_and_the_next_start_removes_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let names = Names::default();
    let (mut lake, _) = LiveLake::open(dir.path(), &Limits::default(), 1).unwrap();
    lake.rows(&batch(&[TWO]), names).unwrap();
    let (written, _) = lake.close(names);
    // A second file, of which half was written when the power went.
    let cut = dir.path().join(&written[0].path).with_file_name("00000001-00000002.tmp");
    fs::write(&cut, "PAR1").unwrap();
    let (_, removed) = LiveLake::open(dir.path(), &Limits::default(), 2).unwrap();
    assert_eq!(removed, 1);
    assert_eq!(files(dir.path()), [dir.path().join(&written[0].path)]);
}

#[test]
fn what_waits_is_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let mut limits = Limits::default();
    limits.set(Limit::RowGroupBytes, 1);
    let (mut lake, _) = LiveLake::open(dir.path(), &limits, 1).unwrap();
    let names = Names::default();
    let times: Vec<i64> = (0..40_000).map(|n| TWO + n).collect();
    lake.rows(&batch(&times), names).unwrap();
    assert!(lake.held() <= 1 << 20, "{} bytes wait", lake.held());
    let (written, _) = lake.roll(Ts(TWO), names);
    assert_eq!(written.iter().map(|w| w.rows).sum::<u64>(), 40_000);
}
