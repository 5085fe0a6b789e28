//! A bundle holds what it says, and a changed, missing or added file is named.

use std::fs;
use std::path::Path;

use testkit::{Pcap, Stack};

use super::finding;
use crate::bundle::{self, Source};
use crate::manifest::{Fault, verify};
use crate::{Case, Device};

fn frame(n: u8) -> Vec<u8> {
    Stack::new().eth([2; 6], [4; 6]).ipv4([10, 0, 0, 9], [10, 0, 0, 2]).tcp(40_000, 502).payload(&[n; 12]).bytes()
}

fn analysis(dir: &Path) -> (Vec<crate::Finding>, Vec<Device>) {
    let mut pcap = Pcap::micros(1);
    for n in 0..5 {
        pcap.frame(1_772_359_200_000_000_000 + i64::from(n) * 1_000_000_000, &frame(n));
    }
    fs::write(dir.join("a.pcap"), pcap.bytes()).unwrap();
    fs::create_dir_all(dir.join("out")).unwrap();
    let devices: Vec<Device> = ["10.0.0.9", "10.0.0.2", "10.0.0.77"]
        .iter()
        .map(|ip| {
            serde_json::from_value(serde_json::json!({ "id": format!("asset-{ip}"), "ips": [ip], "first_seen": "x" }))
                .unwrap()
        })
        .collect();
    (vec![finding("f1", 1, "high", "T0836", "10.0.0.9", "10.0.0.2", "Ca")], devices)
}

#[test]
fn a_bundle_holds_packets_devices_and_hashes() {
    let dir = tempfile::tempdir().unwrap();
    let (findings, devices) = analysis(dir.path());
    let case = Case::open(&findings[0]);
    let out = dir.path().join("out");
    let source = Source { dir: &out, findings: &findings, devices: &devices, captures: &[] };
    let to = dir.path().join("bundle");
    let made = bundle::write(&case, &source, &to, "ada", gwcore::Ts(0)).unwrap();
    assert_eq!((made.packets, made.cited, made.findings), (1, 1, 1));
    assert_eq!(made.gaps, ["no records are kept here (an analysis keeps them with `--logs parquet`)"]);
    assert_eq!(fs::read_to_string(to.join("devices.ndjson")).unwrap().lines().count(), 2);
    // Our own reader opens the packets again, at the same time and with the same bytes.
    let limits = gwcore::Limits::default();
    let inputs = capture::Inputs::find(&[to.join("packets.pcapng")], &limits);
    let mut single = capture::Single::open(&inputs, 0, &limits).unwrap();
    let got = single.next().unwrap();
    assert_eq!((got.ts.0, got.data), (1_772_359_201_000_000_000, frame(1).as_slice()));
    assert!(single.next().is_none());
    // Written twice into the same place: refused.
    assert!(bundle::write(&case, &source, &to, "ada", gwcore::Ts(0)).is_err());

    let (manifest, faults) = verify(&to).unwrap();
    assert!(faults.is_empty(), "{faults:?}");
    assert!(manifest.files.iter().any(|f| f.path == "findings.ndjson" && f.rows == Some(1)));
    let at = to.join("packets.pcapng");
    let mut bytes = fs::read(&at).unwrap();
    bytes[200] ^= 1;
    fs::write(&at, &bytes).unwrap();
    fs::remove_file(to.join("case.json")).unwrap();
    fs::write(to.join("new.txt"), "x").unwrap();
    let (_, faults) = verify(&to).unwrap();
    assert!(
        matches!(&faults[..], [Fault::Missing(a), Fault::Changed { path: b, .. }, Fault::Unlisted(c)]
        if a == "case.json" && b == "packets.pcapng" && c == "new.txt"),
        "{faults:?}"
    );
}

#[test]
fn a_capture_that_is_gone_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let (findings, devices) = analysis(dir.path());
    fs::remove_file(dir.path().join("a.pcap")).unwrap();
    let out = dir.path().join("out");
    let source = Source { dir: &out, findings: &findings, devices: &devices, captures: &[] };
    let made = bundle::write(&Case::open(&findings[0]), &source, &dir.path().join("b"), "ada", gwcore::Ts(0)).unwrap();
    assert_eq!(made.gaps[0], "capture `a.pcap` was not found: its 1 cited frames are missing");
}
