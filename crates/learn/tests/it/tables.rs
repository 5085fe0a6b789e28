//! A made table: flows of a small network, some of them attacks of three families.

use std::fmt::Write;
use std::path::PathBuf;

use learn::rng::Rng;
use learn::table::Table;

/// Lines of a CSV file with a header; `label` last. Attack families: scan, flood, brute.
pub fn flows(rows: usize, seed: u64) -> String {
    let mut rng = Rng::new(seed, 77);
    let mut out = "time,host,proto,bytes,packets,rate,flag,label\n".to_owned();
    for row in 0..rows {
        let family = if rng.unit() < 0.15 { 1 + rng.below(3) } else { 0 };
        let host = rng.below(12);
        let proto = ["tcp", "udp", "icmp"][rng.below(3)];
        let (bytes, packets) = match family {
            0 => (200.0 + rng.unit() * 3000.0, 3.0 + (rng.unit() * 20.0).floor()),
            1 => (40.0 + rng.unit() * 30.0, 1.0),
            2 => (20_000.0 + rng.unit() * 80_000.0, 200.0 + (rng.unit() * 900.0).floor()),
            _ => (300.0 + rng.unit() * 400.0, 30.0 + (rng.unit() * 20.0).floor()),
        };
        let rate = bytes / packets + rng.unit();
        let flag = if rng.unit() < 0.1 { String::new() } else { format!("{}", rng.below(4)) };
        let label = ["normal", "scan", "flood", "brute"][family];
        let proto = if family == 1 { "tcp" } else { proto };
        let time = 1_700_000_000.0 + row as f64 * 7.5;
        let _ = writeln!(out, "{time},h{host},{proto},{bytes:.2},{packets},{rate:.4},{flag},{label}");
    }
    out
}

/// Reads text as a table would be read from a file.
pub fn table(text: &str) -> Table {
    let dir = tempfile::tempdir().unwrap();
    let path: PathBuf = dir.path().join("t.csv");
    std::fs::write(&path, text).unwrap();
    Table::load(&[path], None).unwrap()
}
