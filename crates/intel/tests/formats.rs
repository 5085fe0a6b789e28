//! Formats of indicators: what is taken, what is listed as not used, that broken files do no harm; and matching over records.

use std::path::PathBuf;
use std::sync::Arc;

use gwcore::{Addr, Body, Fact, FlowConst, FlowRef, Key, Out, Stamp, Text, Ts};
use intel::{Intel, Kind, Matcher, Tlp, What, load};

fn loaded(files: &[(&str, &str)]) -> Intel {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    load(&[dir.path().to_path_buf()]).unwrap()
}

fn values(intel: &Intel) -> Vec<String> {
    let one = |i| intel.store.get(i).map(|x| format!("{} {}", x.kind.name(), x.text()));
    (0..intel.store.len() as u32).filter_map(one).collect()
}

fn reasons(intel: &Intel) -> Vec<String> {
    intel.reports.iter().flat_map(|r| &r.refused).map(|r| r.reason.clone()).collect()
}

#[test]
fn stix_bundles() {
    let bundle = r#"{"type":"bundle","id":"bundle--1","objects":[
        {"type":"identity","id":"identity--1","name":"CERT"},
        {"type":"malware","id":"malware--1","name":"x"},
        {"type":"indicator","id":"indicator--33fe3b22-0201-47cf-85d0-97c02164528d","created_by_ref":"identity--1","name":"C2","confidence":80,
         "object_marking_refs":["marking-definition--f88d31f6-486f-44da-b317-01333bde0b82"],"pattern_type":"stix",
         "pattern":"[ipv4-addr:value = '192.0.2.7']","valid_from":"2020-01-01T00:00:00Z","valid_until":"2030-01-01T00:00:00Z"},
        {"type":"indicator","id":"indicator--2","pattern_type":"stix","pattern":"[domain-name:value = 'a.example' OR file:name = 'x']"},
        {"type":"indicator","id":"indicator--3","pattern_type":"sigma","pattern":"title: x"},
        {"type":"indicator","id":"indicator--4","pattern_type":"stix","pattern":"[url:value LIKE 'http://b.example/%']"},
        {"type":"indicator","id":"indicator--5","pattern_type":"stix","pattern":"[broken"},
        {"type":"indicator","id":"indicator--6","revoked":true,"pattern":"[domain-name:value = 'c.example']"}]}"#;
    let intel = loaded(&[("a.json", bundle)]);
    assert_eq!(values(&intel), ["address 192.0.2.7", "domain a.example"]);
    let x = intel.store.get(0).unwrap();
    assert_eq!((x.source, x.label, x.confidence, x.tlp), ("CERT", "C2", Some(80), Tlp::Amber));
    assert_eq!(intel.store.id(0), "indicator--33fe3b22-0201-47cf-85d0-97c02164528d");
    assert_eq!(intel.patterns.len(), 1);
    let reasons = reasons(&intel);
    assert_eq!(reasons.len(), 4, "{reasons:?}");
    assert!(intel.reports[0].refused[0].in_part && intel.reports[0].context["malware"] == 1);
}

#[test]
fn misp_events_and_answers() {
    let event = r#"{"Event":{"info":"Campaign","threat_level_id":"1","Orgc":{"name":"CIRCL"},"Tag":[{"name":"tlp:green"}],
        "Attribute":[{"type":"ip-dst","value":"192.0.2.7","to_ids":true,"uuid":"u1","Tag":[{"name":"tlp:amber+strict"}]},
        {"type":"domain","value":"bad.example","to_ids":"1"},{"type":"md5","value":"x","to_ids":false},
        {"type":"ip-dst|port","value":"192.0.2.8|443","to_ids":true},{"type":"btc","value":"1abc","to_ids":true}],
        "Object":[{"Attribute":[{"type":"ja3-fingerprint-md5","value":"e7d705a3286e19ea42f587b344ee6865","to_ids":true}]}]}}"#;
    let answer = r#"{"response":{"Attribute":[{"type":"url","value":"http://x.example/a","to_ids":true,"Event":{"info":"E"},"decay_score":[{"score":41.5,"decayed":false}]}]}}"#;
    let intel = loaded(&[("1.json", event), ("2.json", answer), ("manifest.json", r#"{"u":{"info":"x"}}"#)]);
    let expect = [
        "address 192.0.2.7",
        "domain bad.example",
        "address 192.0.2.8",
        "ja3 e7d705a3286e19ea42f587b344ee6865",
        "url x.example/a",
    ];
    assert_eq!(values(&intel), expect);
    let at = |i| intel.store.get(i).unwrap();
    assert_eq!((at(0).tlp, at(0).confidence, at(0).source), (Tlp::AmberStrict, Some(75), "CIRCL"));
    assert!(at(1).with_subdomains && at(2).port == 443 && at(4).confidence == Some(41));
    assert_eq!(reasons(&intel).len(), 2);
}

#[test]
fn lists_and_csv() {
    let zeek = "#fields\tindicator\tindicator_type\tmeta.source\n#c\nbad.example\tIntel::DOMAIN\tAPT1\n192.0.2.0/24\tIntel::SUBNET\tAPT1\nx\tIntel::PUBKEY_HASH\tAPT1\n";
    let feodo = "# Feodo Tracker\n# \"first_seen_utc\",\"dst_ip\",\"dst_port\",\"c2_status\",\"last_online\",\"malware\"\n\"2022-06-04 21:24:53\",\"198.51.100.9\",\"8080\",\"offline\",\"2022-06-04\",\"Emotet\"\n# END\n";
    let rf = "\"Name\",\"Risk\",\"RiskString\",\"EvidenceDetails\"\n\"203.0.113.9\",\"92\",\"3/52\",\"{\"\"EvidenceDetails\"\": [{\"\"Rule\"\": \"\"Old\"\", \"\"Criticality\"\": 1}, {\"\"Rule\"\": \"\"Current C&C Server\"\", \"\"Criticality\"\": 4}]}\"\n";
    let slips = "# comment\n\"e7d705a3286e19ea42f587b344ee6865\",\"medium\",\"Standard tor client\"\n";
    let plain = "evil.example # comment\n\n*.worse.example\nhello world\n";
    let general = "indicator,type,source,confidence,valid_until,tlp\nfoo.example,domain,us,90,2030-01-01,red\n1.2.3.4:99,ip:port,us,,,\n";
    let intel = loaded(&[
        ("a.dat", zeek),
        ("b.csv", feodo),
        ("c.csv", rf),
        ("d_ja3.csv", slips),
        ("e.txt", plain),
        ("f.csv", general),
    ]);
    let all = values(&intel);
    for v in [
        "domain bad.example",
        "network 192.0.2.0/24",
        "address 198.51.100.9",
        "address 203.0.113.9",
        "ja3 e7d705a3286e19ea42f587b344ee6865",
        "domain worse.example",
        "domain foo.example",
        "address 1.2.3.4",
    ] {
        assert!(all.iter().any(|a| a == v), "{v} is not in {all:?}");
    }
    let formats: Vec<&str> = intel.reports.iter().map(|r| r.format).collect();
    assert_eq!(formats, ["zeek", "csv", "recorded_future", "list", "list", "csv"]);
    let by = |v: &str| (0..all.len() as u32).map(|i| intel.store.get(i).unwrap()).find(|x| x.text() == v).unwrap();
    assert_eq!((by("203.0.113.9").label, by("203.0.113.9").confidence), ("Current C&C Server, Old", Some(92)));
    assert_eq!((by("198.51.100.9").label, by("1.2.3.4").port, by("foo.example").tlp), ("Emotet", 99, Tlp::Red));
    assert_eq!(reasons(&intel).len(), 2, "{:?}", reasons(&intel));
    assert_eq!(intel.reports[4].refused[0].line, Some(4));
}

#[test]
fn corpus_files_are_read() {
    let shared = std::env::var("GRIDWARDEN_SHARED").unwrap_or("../../../shared".into());
    let dir = PathBuf::from(shared).join("corpus/intel");
    assert!(dir.is_dir(), "no corpus at {}: set GRIDWARDEN_SHARED", dir.display());
    let read = |name: &str| load(&[dir.join(name)]).unwrap();
    assert_eq!(read("zeek-intel/apt1-fqdn.dat").store.count(Kind::Domain), 2_046);
    assert_eq!(read("zeek-intel/apt1-certs.dat").store.count(Kind::CertSha1), 25);
    let stix = read("stix");
    assert!(stix.store.len() >= 40 && reasons(&stix).iter().any(|r| r.contains("file:name")));
}

/// A batch with one conversation to an address and, over it, one request for a name.
fn batch(dst: [u8; 4], query: &str, seconds: i64) -> Out {
    gwcore::record! {
        /// A look-up.
        pub struct Dns, DnsColumns = "dns", Transaction {
            /// Name.
            query: Option<Text>,
            /// Frame.
            query_frame: Option<u64>,
        }
    }
    let mut out = Out::default();
    let (src, dst) = (Addr::v4([10, 0, 0, 5]), Addr::v4(dst));
    out.flows.push(FlowConst { src, dst, dst_port: 53, ip_proto: 17, ..FlowConst::default() });
    let ts = Ts::from_parts(seconds, 0);
    let key = |step| Key { step, shard: 0, sub: 0 };
    out.facts.push(Fact { key: key(1), ts, frame: 1, flow: FlowRef(0), body: Body::FlowStart });
    let stamp = Stamp { key: key(3), ts, frame: 2, flow: FlowRef(0), repeat: false };
    out.append(stamp, Dns { query: Some(query.as_bytes()), query_frame: Some(1) });
    out
}

#[test]
fn records_are_matched_with_validity_allowance_and_own_ranges() {
    let list = "indicator,type,valid_from,valid_until\n192.0.2.0/24,network,,\nbad.example,domain,2020-01-01,2030-01-01\nwww.good.example,domain,,\n198.51.100.1,ip,,\n";
    let intel = Arc::new(loaded(&[("a.csv", list), ("allow.txt", "good.example\n"), ("own.txt", "198.51.100.0/24\n")]));
    let mut matcher = Matcher::new(Arc::clone(&intel));
    let now = 1_700_000_000;
    let hits = matcher.batch(&batch([192, 0, 2, 9], "BAD.example.", now));
    let seen: Vec<_> = hits.iter().map(|h| (h.field, h.observed.as_str(), h.frame)).collect();
    assert_eq!(seen, [("conn.dst_ip", "192.0.2.9", 1), ("dns.query", "BAD.example.", 1)]);
    assert!(matches!(hits[1].what, What::Indicator(1, _)));
    assert_eq!(matcher.batch(&batch([192, 0, 3, 9], "x.bad.example", now)).len(), 0);
    assert_eq!(matcher.batch(&batch([192, 0, 3, 9], "bad.example", 1_900_000_000)).len(), 0);
    assert_eq!(matcher.not_in_force, 1);
    assert_eq!(matcher.batch(&batch([198, 51, 100, 1], "www.good.example", now)).len(), 0);
    assert_eq!(matcher.allowed, 2);
}

#[test]
fn patterns_are_matched_over_several_records() {
    let bundle = r#"{"type":"bundle","id":"b","objects":[{"type":"indicator","id":"indicator--1","pattern_type":"stix",
        "pattern":"([domain-name:value MATCHES '^[a-z]{8}\\.example$'] FOLLOWEDBY [network-traffic:dst_ref.value = '192.0.2.9']) WITHIN 60 SECONDS"}]}"#;
    let mut matcher = Matcher::new(Arc::new(loaded(&[("a.json", bundle)])));
    assert_eq!(matcher.batch(&batch([192, 0, 2, 1], "abcdefgh.example", 0)).len(), 0);
    let hits = matcher.batch(&batch([192, 0, 2, 9], "x.example", 10));
    assert!(!hits.is_empty() && hits.iter().all(|h| h.what == What::Pattern(0)));
}

#[test]
fn broken_files_never_panic() {
    let files: [(&str, String); 4] = [
        ("a.json", r#"{"type":"bundle","objects":[{"type":"indicator","id":"i","pattern":"[ipv4-addr:value = '1.2.3.4' OR domain-name:value LIKE '%x'] REPEATS 2 TIMES","valid_from":"2020-01-01T00:00:00Z"}]}"#.into()),
        ("b.json", r#"{"response":[{"Event":{"Attribute":[{"type":"ip-dst|port","value":"1.2.3.4|5","to_ids":true}]}}]}"#.into()),
        ("c.csv", "\"Name\",\"Risk\",\"EvidenceDetails\"\n\"1.2.3.4\",\"9\",\"{\"\"EvidenceDetails\"\":[]}\"\n".into()),
        ("d.dat", "#fields\tindicator\tindicator_type\nbad.example\tIntel::DOMAIN\n".into()),
    ];
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        for i in 0..text.len() {
            for change in 0..3 {
                let mut bytes = text.clone().into_bytes();
                match change {
                    0 => bytes.truncate(i),
                    1 => bytes[i] = bytes[i].wrapping_mul(17).wrapping_add(91),
                    _ => bytes.insert(i, b'"'),
                }
                std::fs::write(&path, &bytes).unwrap();
                let _ = load(std::slice::from_ref(&path));
            }
        }
    }
}
