//! Searches over files as the lake and `analyze` lay them: functions, formats, limits, refusals.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, DictionaryArray, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray, UInt8Array,
    UInt16Array,
};
use arrow::datatypes::Int32Type;
use arrow::record_batch::RecordBatch;
use query::{Error, Format, Options};
use serde_json::json;

/// Conversations: `n` rows from 10.0.0.(row % 200), a minute apart.
fn conn(path: &Path, n: i64) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let ips: Vec<String> = (0..n).map(|i| format!("10.0.0.{}", i % 200)).collect();
    let src: DictionaryArray<Int32Type> = ips.iter().map(String::as_str).collect();
    let ts: TimestampMicrosecondArray =
        (0..n).map(|i| 1_700_000_000_000_000 + i * 60_000_000).collect::<Vec<_>>().into();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("ts", Arc::new(ts.with_timezone("UTC"))),
        ("src_ip", Arc::new(src)),
        ("src_port", Arc::new(UInt16Array::from_iter_values((0..n).map(|_| 34855)))),
        ("dst_ip", Arc::new(StringArray::from_iter_values((0..n).map(|_| "10.9.9.9")))),
        ("dst_port", Arc::new(UInt16Array::from_iter_values((0..n).map(|_| 80)))),
        ("ip_proto", Arc::new(UInt8Array::from_iter_values((0..n).map(|_| 6)))),
        ("bytes", Arc::new(Int64Array::from_iter_values(0..n))),
        ("name", Arc::new(StringArray::from_iter_values((0..n).map(|i| format!("=cmd|'/c calc'!A{i}\u{1b}[31m"))))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let file = std::fs::File::create(path).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn ask(places: &[PathBuf], sql: &str, format: Format, memory: usize) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    let device = json!({ "id": "d1", "names": [{ "name": "relay-7" }], "ips": ["10.0.0.7"], "macs": [] });
    query::run(places, &[("device", vec![device])], sql, Options { memory, threads: 2 }, (format, 0), &mut out)?;
    Ok(out)
}

fn text(places: &[PathBuf], sql: &str) -> String {
    String::from_utf8(ask(places, sql, Format::Csv, 64 << 20).unwrap_or_else(|e| panic!("{sql}: {e}"))).unwrap()
}

#[test]
fn functions_answer_over_a_folder_of_analyze() {
    let dir = tempfile::tempdir().unwrap();
    conn(&dir.path().join("records/conn.parquet"), 400);
    let places = [dir.path().to_owned()];
    let check = |sql: &str, expect: &str| assert_eq!(text(&places, sql), format!("a\r\n{expect}\r\n"), "{sql}");
    check("SELECT count(*) AS a FROM conn WHERE in_subnet(src_ip, '10.0.0.0/25')", "256");
    check(
        "SELECT count(*) AS a FROM conn WHERE in_subnet(dst_ip, '10.0.0.0/8') AND NOT in_subnet(src_ip, '10.0.0.5')",
        "398",
    );
    check("SELECT count(DISTINCT time_bucket('1 hour', ts)) AS a FROM conn", "7");
    check("SELECT min(time_bucket('1 hour', ts)) AS a FROM conn", "2023-11-14T22:00:00.000000Z");
    check("SELECT asset(src_ip) AS a FROM conn WHERE src_ip = '10.0.0.7' LIMIT 1", "relay-7");
    check("SELECT count(*) AS a FROM conn WHERE asset(src_ip) IS NULL", "398");
    check(
        "SELECT community_id('128.232.110.120', '66.35.250.204', 34855, 80, 6) AS a",
        "1:LQU9qZlK+B5F3KDmev6m5PMibrg=",
    );
    check("SELECT count(DISTINCT community_id(src_ip, dst_ip, src_port, dst_port, ip_proto)) AS a FROM conn", "200");
    check("SELECT round(entropy('aabb'), 3) AS a", "1.0");
    check("SELECT sum(bytes) AS a FROM conn WHERE ts >= '2023-11-15T00:00:00Z'", "74129");
    check("SELECT names AS a FROM device", "relay-7");
}

/// A file with the column `v`, as any other program would write it.
fn numbers(path: &Path, values: &[f64]) {
    let column: ArrayRef = Arc::new(Float64Array::from(values.to_vec()));
    let batch = RecordBatch::try_from_iter([("v", column)]).unwrap();
    let file = std::fs::File::create(path).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

#[test]
fn what_is_no_number_is_found_and_stays_what_it_is() {
    let dir = tempfile::tempdir().unwrap();
    numbers(&dir.path().join("one.parquet"), &[1.0, f64::NAN, 1.0]);
    numbers(&dir.path().join("two.parquet"), &[1.0, 2.0, f64::NAN]);
    let places = [dir.path().to_owned()];
    let check = |sql: &str, expect: &str| assert_eq!(text(&places, sql), format!("a\r\n{expect}\r\n"), "{sql}");
    check("SELECT count(*) AS a FROM one WHERE CAST(v AS TEXT) = 'NaN'", "1");
    // SQL orders NaN behind every number.
    check("SELECT count(*) AS a FROM two WHERE v > 100", "1");
    check("SELECT count(*) AS a FROM two", "3");
}

#[test]
fn the_lake_is_one_table_a_kind() {
    let dir = tempfile::tempdir().unwrap();
    for (day, hour) in [("2026-11-30", "23"), ("2026-12-01", "00")] {
        conn(&dir.path().join(format!("lake/conn/day={day}/hour={hour}/a.parquet")), 10);
    }
    std::fs::write(dir.path().join("lake/conn/day=2026-12-01/hour=00/b.parquet.tmp"), "half a file").unwrap();
    std::fs::create_dir_all(dir.path().join("lake/dns")).unwrap();
    let places = [dir.path().to_owned()];
    assert_eq!(
        text(&places, "SELECT day, count(*) AS n FROM conn GROUP BY 1 ORDER BY 1"),
        "day,n\r\n2026-11-30,10\r\n2026-12-01,10\r\n"
    );
    assert_eq!(text(&places, "SELECT count(*) AS n FROM conn WHERE day = '2026-12-01' AND hour = '00'"), "n\r\n10\r\n");
}

#[test]
fn nothing_can_be_changed_and_mistakes_are_one_line() {
    let dir = tempfile::tempdir().unwrap();
    conn(&dir.path().join("records/conn.parquet"), 10);
    let places = [dir.path().to_owned()];
    let target = dir.path().join("stolen.csv");
    for sql in [
        format!("COPY (SELECT * FROM conn) TO '{}'", target.display()),
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'".to_owned(),
        "CREATE TABLE t AS SELECT 1".to_owned(),
        "DROP TABLE conn".to_owned(),
        "INSERT INTO conn SELECT * FROM conn".to_owned(),
        "SET datafusion.execution.batch_size = 1".to_owned(),
        "SELECT * FROM '/etc/passwd'".to_owned(),
        "SELECT nothing FROM conn".to_owned(),
        "SELEC 1".to_owned(),
        "SELECT 1; SELECT 2".to_owned(),
        "SELECT in_subnet(src_ip, 'rubbish') FROM conn".to_owned(),
        "SELECT in_subnet(src_ip) FROM conn".to_owned(),
        "SELECT time_bucket('5 parsecs', ts) FROM conn".to_owned(),
        String::new(),
    ] {
        let e = ask(&places, &sql, Format::Csv, 64 << 20).expect_err(&sql).to_string();
        assert!(!e.is_empty() && !e.contains('\n'), "{sql}: {e}");
    }
    assert!(!target.exists());
    assert!(ask(&[dir.path().join("nothing")], "SELECT 1", Format::Csv, 64 << 20).is_err());
    std::fs::write(dir.path().join("records/dns.parquet"), "rubbish").unwrap();
    let e = ask(&places, "SELECT 1", Format::Csv, 64 << 20).unwrap_err().to_string();
    assert!(e.contains("dns"), "an unreadable file is named: {e}");
}

#[test]
fn a_search_that_eats_its_limit_is_told_so() {
    let dir = tempfile::tempdir().unwrap();
    conn(&dir.path().join("records/conn.parquet"), 200_000);
    let places = [dir.path().to_owned()];
    let sql = "SELECT name, bytes, count(*) FROM conn GROUP BY 1, 2 ORDER BY 1";
    let e = ask(&places, sql, Format::Csv, 1 << 20).unwrap_err();
    assert!(matches!(e, Error::Memory { limit_mb: 1, .. }), "{e}");
    assert!(ask(&places, "SELECT count(*) FROM conn", Format::Csv, 1 << 20).is_ok(), "the next has its own");
}

#[test]
fn every_format_holds_the_same_and_hostile_text_stays_text() {
    let dir = tempfile::tempdir().unwrap();
    conn(&dir.path().join("records/conn.parquet"), 3);
    let places = [dir.path().to_owned()];
    let sql = "SELECT name, bytes, src_ip, ts FROM conn ORDER BY bytes";
    let get = |format| ask(&places, sql, format, 64 << 20).unwrap();
    let csv = String::from_utf8(get(Format::Csv)).unwrap();
    assert!(csv.lines().skip(1).all(|l| l.starts_with("'=cmd")), "{csv}");
    let table = String::from_utf8(get(Format::Table)).unwrap();
    assert!(!table.contains('\u{1b}') && table.lines().count() == 4, "{table}");
    let rows: serde_json::Value = serde_json::from_slice(&get(Format::Json)).unwrap();
    assert_eq!((rows[2]["bytes"].as_i64(), rows[0]["src_ip"].as_str()), (Some(2), Some("10.0.0.0")));
    let empty = ask(&places, "SELECT * FROM conn WHERE bytes > 100", Format::Json, 64 << 20).unwrap();
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&empty).unwrap(), json!([]));
    let again = dir.path().join("again.parquet");
    std::fs::write(&again, get(Format::Parquet)).unwrap();
    assert_eq!(text(&[again], "SELECT sum(bytes) AS a FROM again"), "a\r\n3\r\n");
    let arrow = arrow::ipc::reader::FileReader::try_new(std::io::Cursor::new(get(Format::Arrow)), None).unwrap();
    assert_eq!(arrow.map(|b| b.unwrap().num_rows()).sum::<usize>(), 3);
}

#[test]
fn searches_see_every_row_while_upkeep_exchanges_files() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("lake");
    for hour in 0..12 {
        for n in 0..6 {
            conn(&root.join(format!("conn/day=2023-11-14/hour={hour:02}/{n:08}.parquet")), 50);
        }
    }
    let upkeep = std::thread::spawn(move || {
        let mut left: Vec<lake::Hour> = lake::hours(&root).unwrap();
        let mut exchanged = 0;
        while let Some(hour) = left.pop() {
            let done = lake::compact(&root, &hour, std::time::Duration::from_millis(200)).unwrap();
            exchanged += done.files;
            if done.put_off {
                left.push(hour);
            }
        }
        exchanged
    });
    let places = [dir.path().to_owned()];
    let mut searches = 0;
    while !upkeep.is_finished() || searches < 3 {
        assert_eq!(text(&places, "SELECT count(*) AS a FROM conn"), "a\r\n3600\r\n");
        assert_eq!(text(&places, "SELECT sum(bytes) AS a FROM conn WHERE src_ip = '10.0.0.7'"), "a\r\n504\r\n");
        searches += 1;
    }
    assert_eq!(upkeep.join().unwrap(), 72);
    assert_eq!(lake::hours(&dir.path().join("lake")).unwrap().iter().map(|h| h.files.len()).sum::<usize>(), 12);
}
