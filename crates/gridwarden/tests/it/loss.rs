//! Losses that a capture tells of: the summary counts them, and nobody misses what was merely not captured.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::{analyze, substation};

/// Frames of a classic pcap in nanoseconds or microseconds, little endian: time in microseconds and bytes.
fn frames(pcap: &Path) -> Vec<(u64, Vec<u8>)> {
    let bytes = std::fs::read(pcap).unwrap();
    let int = |at: usize| u64::from(u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()));
    let unit = if int(0) == 0xa1b2_3c4d { 1_000 } else { 1 };
    let (mut at, mut all) = (24, Vec::new());
    while at + 16 <= bytes.len() {
        let len = int(at + 8) as usize;
        all.push((int(at) * 1_000_000 + int(at + 4) / unit, bytes[at + 16..at + 16 + len].to_vec()));
        at += 16 + len;
    }
    all
}

fn block(out: &mut Vec<u8>, kind: u32, body: &[u8]) {
    let len = (12 + body.len().next_multiple_of(4)) as u32;
    out.extend(kind.to_le_bytes());
    out.extend(len.to_le_bytes());
    out.extend(body);
    out.resize(out.len().next_multiple_of(4), 0);
    out.extend(len.to_le_bytes());
}

/// A pcapng of frames with the number lost before each; at the end the interface's own count.
fn pcapng(frames: &[(u64, Vec<u8>, u64)], counted: u64) -> Vec<u8> {
    let mut out = Vec::new();
    let ints = |list: &[u32]| list.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<u8>>();
    block(&mut out, 0x0a0d_0d0a, &ints(&[0x1a2b_3c4d, 1, u32::MAX, u32::MAX]));
    block(&mut out, 1, &ints(&[1, 0]));
    for (time, data, dropped) in frames {
        let len = data.len() as u32;
        let mut body = ints(&[0, (time >> 32) as u32, *time as u32, len, len]);
        body.extend(data);
        body.resize(body.len().next_multiple_of(4), 0);
        if *dropped > 0 {
            body.extend(ints(&[4 | 8 << 16, *dropped as u32, 0, 0]));
        }
        block(&mut out, 6, &body);
    }
    let end = frames.last().map_or(0, |f| f.0);
    block(&mut out, 5, &ints(&[0, (end >> 32) as u32, end as u32, 5 | 8 << 16, counted as u32, 0, 0]));
    out
}

/// A day on which an RTU is not heard for 40 minutes; with `told`, the capture says at every frame of them that others were lost.
fn without_an_rtu(dir: &Path, told: bool) -> PathBuf {
    let rtu = [0x00, 0x30, 0xa7, 0x12, 0x6e, 0x51];
    let all = frames(&substation(dir, "3", "240", &[]));
    let first = all[0].0;
    let in_gap = |at: u64| (100..140).contains(&((at - first) / 60_000_000));
    let is_rtu = |f: &[u8]| f[..6] == rtu || f[6..12] == rtu;
    let (mut kept, mut lost) = (Vec::new(), 0);
    for (at, data) in all {
        if in_gap(at) && is_rtu(&data) {
            lost += 1;
        } else {
            kept.push((at, data, u64::from(told && in_gap(at))));
        }
    }
    assert!(lost > 100, "the RTU speaks: {lost}");
    let path = dir.join(format!("gap-{told}.pcapng"));
    std::fs::write(&path, pcapng(&kept, if told { lost } else { 0 })).unwrap();
    path
}

#[test]
fn what_the_capture_lost_is_counted_and_not_missed() {
    let dir = tempfile::tempdir().unwrap();
    let baseline = dir.path().join("baseline");
    let days = ["1", "2"].map(|seed| substation(dir.path(), seed, "240", &[]));
    let learned = Command::new(env!("CARGO_BIN_EXE_gridwarden"))
        .arg("learn")
        .args(&days)
        .args(["-q", "--baseline"])
        .arg(&baseline)
        .status()
        .unwrap();
    assert!(learned.success());
    let absent = |path: PathBuf| {
        let run = analyze(&[path], &["-q", "--baseline", baseline.to_str().unwrap()]);
        let found = run.lines("alerts.ndjson");
        let missing = found.iter().filter(|f| matches!(f["detector"].as_str(), Some("missing-device" | "period")));
        (missing.count(), run.summary()["lost"].clone(), run)
    };
    let (missed, lost, _) = absent(without_an_rtu(dir.path(), false));
    assert!(missed > 0 && lost.is_null(), "{missed} {lost}");
    let (missed, lost, run) = absent(without_an_rtu(dir.path(), true));
    assert_eq!(missed, 0);
    assert!(lost["interface"].as_u64() > Some(100) && lost["between_packets"].as_u64() > Some(100), "{lost}");
    assert_eq!(run.summary()["files"][0]["lost"], lost);
}
