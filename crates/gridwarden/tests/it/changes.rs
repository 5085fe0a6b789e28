//! Devices that were taken for one and are several, or the other way round, stand in `asset-changes.ndjson`.

use serde_json::Value;
use testkit::{Pcap, Stack};

use crate::program::analyze;

const START: i64 = 1_700_000_000_000_000_000;
const ROUTER: [u8; 6] = [0x00, 0x30, 0xa7, 0, 0, 200];
const RTU: [u8; 6] = [0x00, 0x30, 0xa7, 0, 0, 9];
const OWN: [u8; 6] = [0x00, 0x30, 0xa7, 0, 0, 7];

/// A gratuitous ARP reply (RFC 826, RFC 5227 §3): the MAC claims the address.
fn claim(mac: [u8; 6], addr: [u8; 4]) -> Vec<u8> {
    let mut frame = [&[0xff; 6][..], &mac, &[0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 2]].concat();
    frame.extend([&mac[..], &addr, &[0xff; 6], &addr].concat());
    frame
}

fn datagram(mac: [u8; 6], src: [u8; 4]) -> Vec<u8> {
    Stack::new().eth(mac, RTU).ipv4(src, [10, 0, 0, 9]).udp(5_000, 6_000).payload(b"hello").bytes()
}

#[test]
fn merges_and_splits_are_written_with_the_id_that_stays() {
    let mut pcap = Pcap::nanos(1);
    let second = |n: i64| START + n * 1_000_000_000;
    pcap.frame(second(0), &datagram(ROUTER, [10, 0, 1, 7])).frame(second(1), &datagram(ROUTER, [10, 0, 1, 8]));
    pcap.frame(second(2), &claim(OWN, [10, 0, 1, 7]));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.pcap");
    std::fs::write(&path, pcap.bytes()).unwrap();
    for (args, file) in [(&["-q"][..], Value::Null), (&["-q", "--separate"], Value::from(path.to_str().unwrap()))] {
        let run = analyze(std::slice::from_ref(&path), args);
        let (changes, assets) = (run.lines("asset-changes.ndjson"), run.lines("assets.ndjson"));
        let kinds: Vec<&str> = changes.iter().filter_map(|c| c["kind"].as_str()).collect();
        assert!(kinds.contains(&"merged") && kinds.contains(&"split"), "{changes:?}");
        assert!(changes.iter().all(|c| c["file"] == file && c["reason"].is_string()), "{changes:?}");
        let merged = changes.iter().find(|c| c["kind"] == "merged").unwrap();
        let kept = assets.iter().find(|a| a["id"] == merged["kept"]).expect("the id that stays is a device");
        assert_eq!((&kept["ips"][0], &kept["formerly"][0]), (&Value::from("10.0.1.7"), &merged["other"]));
        assert!(assets.iter().all(|a| a["id"] != merged["other"]), "the other id is gone");
    }
}
