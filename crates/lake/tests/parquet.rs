//! Rows written as Parquet and read back: values, schema, and row groups that do not depend on batches.

use std::fs::{self, File};
use std::path::Path;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt64Type};
use gwcore::{
    Addr, FlowConst, FlowRef, Hex, Key, Limit, Limits, List, Mac, Names, Out, Sink, Span, Stamp, Sym, Text, Ts, Uid,
};
use lake::ParquetSink;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

gwcore::record! {
    /// One of every type.
    pub struct Every, EveryColumns = "every", Pdu {
        /// Flag.
        flag: bool,
        /// Small number.
        small: Option<u8>,
        /// Large number.
        large: u64,
        /// Signed.
        signed: Option<i64>,
        /// Double.
        real: f64,
        /// Text.
        name: Option<Text>,
        /// Word.
        word: Sym,
        /// Bytes.
        raw: Hex,
        /// Address.
        peer: Option<Addr>,
        /// Hardware address.
        hw: Mac,
        /// Device time.
        at: Option<Ts>,
        /// How long.
        rtt: Option<Span>,
        /// Numbers ["V"].
        list: Option<List<u16>>,
        /// Texts.
        texts: List<Text>,
    }
}

gwcore::record! {
    /// A narrow one.
    pub struct Narrow, NarrowColumns = "narrow", Transaction {
        /// Number.
        n: u16,
    }
}

const FLOWS: u64 = 3;

/// Rows `from..to` of an endless stream, as a batch of its own.
fn batch(from: u64, to: u64) -> Out {
    let mut out = Out::default();
    // The order of flows within a batch must not matter: start at another one each time.
    let order: Vec<u64> = (0..FLOWS).map(|i| (i + from) % FLOWS).collect();
    for id in &order {
        out.flows.push(FlowConst {
            uid: Uid(u128::from(*id) + 1),
            src: Addr::v4([10, 0, 0, *id as u8]),
            dst: Addr::v4([10, 0, 1, 1]),
            src_port: 1000,
            dst_port: 502,
            src_mac: Mac([2, 0, 0, 0, 0, *id as u8]),
            vlans: [5, 0xffff],
            ip_proto: 6,
            interface: 0,
            ..FlowConst::default()
        });
    }
    for n in from..to {
        let index = order.iter().position(|id| *id == n % FLOWS).unwrap_or_default() as u32;
        let reversed = u32::from(n % 2 == 1);
        let stamp = Stamp {
            key: Key { step: n, shard: 0, sub: 0 },
            ts: Ts(1_500_000_000_000_000_000 + n as i64 * 1_001),
            frame: n,
            flow: FlowRef(index * 2 + reversed),
            repeat: false,
        };
        if n % 4 == 3 {
            out.append(stamp, Narrow { n: n as u16 });
            continue;
        }
        let some = n.is_multiple_of(2);
        let text = format!("name {n}");
        out.append(
            stamp,
            Every {
                flag: some,
                small: some.then_some(n as u8),
                large: u64::MAX - n,
                signed: some.then_some(-(n as i64)),
                real: n as f64 / 2.0,
                name: some.then_some(text.as_bytes()),
                word: if some { "even" } else { "odd" },
                raw: &n.to_be_bytes()[6..],
                peer: some.then(|| Addr::v4([1, 2, 3, n as u8])),
                hw: Mac([0, 1, 2, 3, 4, n as u8]),
                at: some.then_some(Ts(-1)),
                rtt: some.then_some(Span(1_500_000)),
                list: some.then_some(&[1, 2, n as u16][..]),
                texts: &[b"a", text.as_bytes()][..n as usize % 3],
            },
        );
    }
    out
}

fn write(dir: &Path, rows: u64, step: u64, budget: usize) {
    let mut limits = Limits::default();
    limits.set(Limit::RowGroupBytes, budget);
    let (files, interfaces) = (["a.pcap".to_owned()], ["eth0".to_owned()]);
    let names = Names { files: &files, interfaces: &interfaces };
    let mut sink = ParquetSink::new(dir, &limits);
    let mut from = 0;
    while from < rows {
        let to = (from + step).min(rows);
        sink.rows(&batch(from, to), names).unwrap();
        from = to;
    }
    sink.finish(names).unwrap();
}

fn read(dir: &Path, kind: &str) -> (Vec<RecordBatch>, ParquetRecordBatchReaderBuilder<File>) {
    let path = dir.join("records").join(format!("{kind}.parquet"));
    let open = || ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap();
    (open().build().unwrap().map(|b| b.unwrap()).collect(), open())
}

fn text(column: &ArrayRef, row: usize) -> Option<String> {
    let column = cast(column, &DataType::Utf8).unwrap();
    let column = column.as_string::<i32>();
    column.is_valid(row).then(|| column.value(row).to_owned())
}

#[test]
fn values_come_back() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 100, 7, usize::MAX);
    let (batches, reader) = read(dir.path(), "every");
    assert_eq!(batches.len(), 1);
    let all = &batches[0];
    let rows: Vec<u64> = (0..100).filter(|n| n % 4 != 3).collect();
    assert_eq!(all.num_rows(), rows.len());
    let column = |name: &str| all.column_by_name(name).unwrap();
    for (row, n) in rows.into_iter().enumerate() {
        let some = n.is_multiple_of(2);
        let ns = 1_500_000_000_000_000_000 + n as i64 * 1_001;
        assert_eq!(column("ts").as_primitive::<TimestampMicrosecondType>().value(row), ns / 1000);
        assert_eq!(column("ts_ns").as_primitive::<UInt16Type>().value(row), (ns % 1000) as u16);
        assert_eq!(column("frame").as_primitive::<UInt64Type>().is_valid(row), n != 0);
        assert!(n == 0 || column("frame").as_primitive::<UInt64Type>().value(row) == n);
        assert_eq!(text(column("uid"), row), Some(Uid(u128::from(n % FLOWS) + 1).to_string()));
        let (orig, resp) = (Some(format!("10.0.0.{}", n % FLOWS)), Some("10.0.1.1".to_owned()));
        let (src, dst) = if some { (orig, resp) } else { (resp, orig) };
        assert_eq!((text(column("src_ip"), row), text(column("dst_ip"), row)), (src, dst));
        assert_eq!(column("src_port").as_primitive::<UInt16Type>().value(row), if some { 1000 } else { 502 });
        assert_eq!(text(column("dst_mac"), row), (!some).then(|| format!("02:00:00:00:00:{:02x}", n % FLOWS)));
        assert_eq!(column("vlan").as_primitive::<UInt16Type>().value(row), 5);
        assert!(column("inner_vlan").is_null(row));
        assert_eq!(
            (text(column("file"), row), text(column("interface"), row)),
            (Some("a.pcap".into()), Some("eth0".into()))
        );
        assert_eq!(column("flag").as_boolean().value(row), some);
        assert_eq!(column("small").as_primitive::<UInt8Type>().is_valid(row), some);
        assert_eq!(column("large").as_primitive::<UInt64Type>().value(row), u64::MAX - n);
        assert_eq!(text(column("name"), row), some.then(|| format!("name {n}")));
        assert_eq!(text(column("word"), row).as_deref(), Some(if some { "even" } else { "odd" }));
        assert_eq!(text(column("raw"), row), Some(format!("{n:04x}")));
        assert_eq!(text(column("peer"), row), some.then(|| format!("1.2.3.{n}")));
        assert_eq!(text(column("hw"), row), Some(format!("00:01:02:03:04:{n:02x}")));
        assert_eq!(column("at").is_valid(row), some);
        if some {
            assert_eq!(column("at").as_primitive::<TimestampMicrosecondType>().value(row), -1);
            assert_eq!(column("at_ns").as_primitive::<UInt16Type>().value(row), 999);
            assert_eq!(column("rtt").as_primitive::<Float64Type>().value(row), 0.0015);
            let list = column("list").as_list::<i32>().value(row);
            assert_eq!(list.as_primitive::<UInt16Type>().values(), &[1, 2, n as u16]);
        }
        assert_eq!(column("list").is_valid(row), some);
        let texts = column("texts").as_list::<i32>().value(row);
        let texts: Vec<_> = texts.as_string::<i32>().iter().flatten().map(str::to_owned).collect();
        assert_eq!(texts, ["a".to_owned(), format!("name {n}")][..n as usize % 3]);
    }
    let metadata = reader.metadata().file_metadata().key_value_metadata().unwrap();
    let value = |key: &str| metadata.iter().find(|kv| kv.key == key).and_then(|kv| kv.value.as_deref());
    assert_eq!(value("gridwarden.format_version"), Some("1"));
    assert_eq!((value("gridwarden.kind"), value("gridwarden.unit.rtt")), (Some("every"), Some("s")));
    assert_eq!(value("gridwarden.doc.peer"), Some("Address."));
}

#[test]
fn a_transaction_shows_the_originator_first() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 8, 8, usize::MAX);
    let (batches, _) = read(dir.path(), "narrow");
    assert_eq!(text(batches[0].column_by_name("src_ip").unwrap(), 0).as_deref(), Some("10.0.0.0"));
}

#[test]
fn row_groups_are_cut_by_the_stream_alone() {
    let groups = |dir: &Path, kind: &str| read(dir, kind).1.metadata().num_row_groups();
    for (budget, rows) in [(1, 40), (5_000, 1000), (100_000, 1000)] {
        let mut first: Option<Vec<Vec<u8>>> = None;
        for step in [1, 13, rows] {
            let dir = tempfile::tempdir().unwrap();
            write(dir.path(), rows, step, budget);
            let counts = (groups(dir.path(), "every"), groups(dir.path(), "narrow"));
            match budget {
                1 => assert_eq!(counts, (30, 10), "a row beyond the budget is a group of its own"),
                5_000 => assert!(counts.0 > 20 && counts.1 < counts.0, "{counts:?}"),
                _ => assert!(counts.0 > 1 && counts.1 == 1, "the largest kind goes first: {counts:?}"),
            }
            let files = ["every", "narrow"].map(|k| fs::read(dir.path().join(format!("records/{k}.parquet"))).unwrap());
            assert!(first.get_or_insert(files.to_vec()).as_slice() == files, "budget {budget}, batches of {step}");
        }
    }
}

#[test]
fn the_size_of_rows_adds_up() {
    let out = batch(0, 50);
    for rows in out.kinds() {
        let n = rows.stamps().len();
        let each: usize = (0..n).map(|r| lake::size::rows(rows, r, r + 1)).sum();
        assert_eq!(each, lake::size::rows(rows, 0, n));
    }
}

#[test]
fn small_files_are_plain_and_large_ones_compressed() {
    for (rows, compressed) in [(100, false), (8_000, true)] {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), rows, 500, usize::MAX);
        let (batches, reader) = read(dir.path(), "every");
        assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>() as u64, rows / 4 * 3);
        let compression = reader.metadata().row_group(0).column(0).compression();
        assert_eq!(matches!(compression, parquet::basic::Compression::ZSTD(_)), compressed, "{rows} rows");
        let last = batches.last().unwrap();
        let n = last.num_rows() - 1;
        assert_eq!(text(last.column_by_name("raw").unwrap(), n), Some(format!("{:04x}", rows - 2)));
    }
}

#[test]
fn keys_of_many_pages_come_back() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 60_000, 5_000, usize::MAX);
    let (batches, reader) = read(dir.path(), "every");
    assert_eq!(reader.metadata().num_row_groups(), 1);
    let rows: Vec<u64> = (0..60_000).filter(|n| n % 4 != 3).collect();
    let mut at = 0;
    for batch in &batches {
        let strings = |name: &str| cast(batch.column_by_name(name).unwrap(), &DataType::Utf8).unwrap();
        let columns = ["uid", "dst_mac", "word", "peer", "file"].map(strings);
        let ports = batch.column_by_name("dst_port").unwrap().as_primitive::<UInt16Type>().clone();
        for row in 0..batch.num_rows() {
            let n = rows[at];
            let some = n.is_multiple_of(2);
            let expect = [
                Some(Uid(u128::from(n % FLOWS) + 1).to_string()),
                (!some).then(|| format!("02:00:00:00:00:{:02x}", n % FLOWS)),
                Some(if some { "even" } else { "odd" }.to_owned()),
                some.then(|| format!("1.2.3.{}", n as u8)),
                Some("a.pcap".to_owned()),
            ];
            for (column, expect) in columns.iter().zip(expect) {
                let column = column.as_string::<i32>();
                assert_eq!(column.is_valid(row).then(|| column.value(row)), expect.as_deref(), "row {n}");
            }
            assert_eq!(ports.value(row), if some { 502 } else { 1000 });
            at += 1;
        }
    }
    assert_eq!(at, rows.len());
}

#[test]
fn numbers_of_flows_have_statistics() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 100, 100, usize::MAX);
    let (_, reader) = read(dir.path(), "every");
    let group = reader.metadata().row_group(0);
    let statistics = |name: &str| {
        let column = group.columns().iter().find(|c| c.column_path().string() == name).unwrap();
        let s = column.statistics().unwrap();
        let number = |b: Option<&[u8]>| b.map(|b| i32::from_le_bytes(b.try_into().unwrap()));
        (number(s.min_bytes_opt()), number(s.max_bytes_opt()), s.null_count_opt())
    };
    assert_eq!(statistics("src_port"), (Some(502), Some(1000), Some(0)));
    assert_eq!(statistics("inner_vlan"), (None, None, Some(75)), "no row has one");
}
