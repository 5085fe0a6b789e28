//! Flow exports: the corpus' messages against their stored expectations, hand-made messages against the standards, broken ones against panics.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use gwcore::Addr;
use ingest::flows::{Decoder, Exported, Version};

fn corpus() -> PathBuf {
    let shared = std::env::var("GRIDWARDEN_SHARED").unwrap_or("../../../shared".into());
    let dir = PathBuf::from(shared).join("corpus/flow-export");
    assert!(dir.is_dir(), "no corpus at {}: set GRIDWARDEN_SHARED", dir.display());
    dir
}

fn messages(dir: &Path) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "bin" || e == "dat"))
        .collect();
    paths.sort();
    paths.iter().map(|p| std::fs::read(p).unwrap()).collect()
}

fn exporter() -> Addr {
    Addr::v4([127, 0, 0, 1])
}

/// Source, destination, ports, bytes, packets, and of the other direction.
type Row = (String, String, u64, u64, u64, u64, u64, u64);

fn row(f: &Exported) -> Row {
    let reverse = f.reverse.unwrap_or_default();
    let ports = matches!(f.proto, 6 | 17);
    let port = |p: u16| if ports { u64::from(p) } else { 0 };
    (f.src.to_string(), f.dst.to_string(), port(f.src_port), port(f.dst_port), f.raw.0, f.raw.1, reverse.0, reverse.1)
}

/// A line of Telegraf's expectation: `measurement,tags key=value,key="value" time`.
fn expected(line: &str) -> Option<Row> {
    let fields = line.strip_prefix("netflow,")?.split_once(' ')?.1;
    let get = |name: &str| {
        let start = fields.split(',').find_map(|f| f.strip_prefix(name)?.strip_prefix('='))?;
        let value = start.split(' ').next().unwrap_or_default().trim_matches('"');
        Some(value.to_owned())
    };
    let number = |names: &[&str]| {
        names.iter().find_map(|n| get(n)).map_or(0, |v| match v.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16).unwrap(),
            None => v.trim_end_matches('u').parse().unwrap(),
        })
    };
    let (src, dst) = (get("src")?, get("dst")?);
    let ports = matches!(get("protocol").as_deref(), Some("tcp" | "udp"));
    let port = |n: &str| if ports { number(&[n]) } else { 0 };
    Some((
        src,
        dst,
        port("src_port"),
        port("dst_port"),
        number(&["in_bytes", "in_total_bytes"]),
        number(&["in_packets", "in_total_packets"]),
        number(&["type_29305_85", "rev_in_total_bytes"]),
        number(&["type_29305_86", "rev_in_total_packets"]),
    ))
}

#[test]
fn telegrafs_expectations_are_met() {
    for (name, least) in [
        ("netflow_v5_example", 8),
        ("netflow_v9_example", 8),
        ("ipfix_example", 28),
        ("ipfix_pen_35632", 2),
        ("issue_13305", 1),
    ] {
        let dir = corpus().join("telegraf").join(name);
        let mut decoder = Decoder::default();
        let mut ours: Vec<Row> = Vec::new();
        for bytes in messages(&dir) {
            ours.extend(decoder.decode(exporter(), &bytes).unwrap().flows.iter().map(row));
        }
        let text = std::fs::read_to_string(dir.join("expected.out")).unwrap();
        let mut theirs: Vec<Row> = text.lines().filter_map(expected).collect();
        ours.sort();
        theirs.sort();
        assert!(theirs.len() >= least, "{name}: {}", theirs.len());
        assert_eq!(ours, theirs, "{name}");
    }
}

#[test]
fn sflow_messages_of_the_corpus_are_read() {
    for name in ["sflow_v5_example", "sflow_issue_15375", "sflow_issue_18876"] {
        let mut decoder = Decoder::default();
        for bytes in messages(&corpus().join("telegraf").join(name)) {
            let m = decoder.decode(exporter(), &bytes).unwrap();
            let c = decoder.counters(exporter(), Version::Sflow5, m.domain);
            assert!(m.version == Version::Sflow5 && c.malformed == 0, "{name}: {c:?}");
            assert!(!m.flows.is_empty() || c.counter_samples + c.not_ip > 0, "{name}: {c:?}");
        }
    }
}

/// Every exporter whose messages the corpus has: template files come before data files of the same name.
#[test]
fn messages_of_many_exporters_are_decoded() {
    let mut total = 0;
    for version in ["netflow5", "netflow9", "ipfix"] {
        let dir = corpus().join(version);
        let mut paths: Vec<PathBuf> = std::fs::read_dir(&dir).unwrap().map(|e| e.unwrap().path()).collect();
        let stem = |p: &PathBuf| p.file_stem().unwrap().to_string_lossy().into_owned();
        // Name without what comes after `_data`, `_tpl` or `_opttpl`; templates first.
        let key = |p: &PathBuf| {
            let s = stem(p);
            let cut = ["_data", "_tpl", "_opttpl", "_tpls"].iter().filter_map(|m| s.find(m)).min().unwrap_or(s.len());
            (s[..cut].to_owned(), !s.contains("tpl"), s)
        };
        paths.sort_by_key(key);
        let mut decoder = Decoder::default();
        let mut before = String::new();
        for path in paths {
            let (exporter_name, ..) = key(&path);
            if exporter_name != before {
                decoder = Decoder::default();
                before = exporter_name;
            }
            let bytes = std::fs::read(&path).unwrap();
            match decoder.decode(exporter(), &bytes) {
                Ok(m) => {
                    let counters = decoder.counters(exporter(), m.version, m.domain);
                    for f in &m.flows {
                        let (start, end) = (f.start, f.end);
                        assert!(
                            start.zip(end).is_none_or(|(s, e)| e.since(s) >= -1_000_000_000),
                            "{}: {f:?}",
                            path.display()
                        );
                        assert!(!f.src.is_none() || !f.dst.is_none() || f.raw.1 == 0, "{}: {f:?}", path.display());
                    }
                    assert!(counters.malformed <= 1, "{}: {counters:?}", path.display());
                    total += m.flows.len();
                }
                Err(fault) => assert!(
                    stem(&path).contains("invalid") || stem(&path).contains("nprobe"),
                    "{}: {fault:?}",
                    path.display()
                ),
            }
        }
    }
    assert!(total >= 354, "only {total} flows");
}

/// IPFIX with a template, options that tell the sampling rate, and data; all in one message.
fn sampled() -> Vec<u8> {
    let mut sets: Vec<u8> = Vec::new();
    let mut set = |id: u16, body: &[u8]| {
        sets.extend(id.to_be_bytes());
        sets.extend((body.len() as u16 + 4).to_be_bytes());
        sets.extend(body);
    };
    // Options: scope selectorId (302), sampling packet interval (305) and space (306).
    set(3, &[1, 1, 0, 3, 0, 1, 0x01, 0x2e, 0, 4, 0x01, 0x31, 0, 4, 0x01, 0x32, 0, 4]);
    set(257, &[0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 99]);
    // Flow: addresses, ports, protocol, bytes (reduced to 2), packets, start and end in ms, selector, application name of variable length.
    set(
        2,
        &[
            1, 0, 0, 10, 0, 8, 0, 4, 0, 12, 0, 4, 0, 7, 0, 2, 0, 11, 0, 2, 0, 4, 0, 1, 0, 1, 0, 2, 0, 2, 0, 4, 0, 152,
            0, 8, 0, 153, 0, 8, 0x01, 0x2e, 0, 4,
        ],
    );
    let mut data = vec![10, 0, 0, 1, 10, 0, 0, 2, 0xc0, 0, 1, 0xf6, 6, 3, 0xe8, 0, 0, 0, 10];
    data.extend(1_700_000_000_000_u64.to_be_bytes());
    data.extend(1_700_000_001_500_u64.to_be_bytes());
    data.extend([0, 0, 0, 7]);
    set(256, &data);
    let mut m = vec![0, 10];
    m.extend((sets.len() as u16 + 16).to_be_bytes());
    m.extend(1_700_000_002_u32.to_be_bytes());
    m.extend(5_u32.to_be_bytes());
    m.extend(42_u32.to_be_bytes());
    m.extend(sets);
    m
}

#[test]
fn sampling_told_by_options_scales_the_counters() {
    let mut decoder = Decoder::default();
    let m = decoder.decode(exporter(), &sampled()).unwrap();
    let f = &m.flows[0];
    assert_eq!((m.domain, m.flows.len(), f.sampling), (42, 1, 100));
    assert_eq!((f.raw, f.bytes, f.packets), ((1_000, 10), 100_000, 1_000));
    assert_eq!((f.src_port, f.dst_port, f.proto), (0xc000, 502, 6));
    assert_eq!(f.end.unwrap().since(f.start.unwrap()), 1_500_000_000);
    assert_eq!(f.start.unwrap().0, 1_700_000_000_000_000_000);
}

#[test]
fn data_before_its_template_waits_and_domains_are_apart() {
    let whole = sampled();
    // The data set stands last: a message of it alone, then one without it.
    let (head, data) = whole.split_at(whole.len() - 43);
    let message = |body: &[u8], sequence: u32, domain: u32| {
        let mut m = vec![0, 10];
        m.extend((body.len() as u16 + 16).to_be_bytes());
        m.extend(1_700_000_002_u32.to_be_bytes());
        m.extend(sequence.to_be_bytes());
        m.extend(domain.to_be_bytes());
        m.extend(body);
        m
    };
    let mut decoder = Decoder::default();
    assert_eq!(decoder.decode(exporter(), &message(data, 0, 1)).unwrap().flows.len(), 0);
    assert_eq!(decoder.counters(exporter(), Version::Ipfix, 1).waited, 1);
    assert_eq!(decoder.decode(exporter(), &message(&head[16..], 0, 2)).unwrap().flows.len(), 0);
    assert_eq!(decoder.decode(exporter(), &message(&head[16..], 1, 1)).unwrap().flows.len(), 1);
}

#[test]
fn gaps_in_the_sequence_are_counted() {
    let bytes = std::fs::read(corpus().join("telegraf/netflow_v5_example/netflow_v5.bin")).unwrap();
    let mut decoder = Decoder::default();
    let mut send = |sequence: u32| {
        let mut m = bytes.clone();
        m[16..20].copy_from_slice(&sequence.to_be_bytes());
        let m = decoder.decode(exporter(), &m).unwrap();
        decoder.counters(exporter(), Version::Netflow5, m.domain)
    };
    assert_eq!(send(100_000).lost, 0);
    assert_eq!(send(100_008).lost, 0);
    assert_eq!(send(100_020).lost, 4);
    let late = send(100_016);
    assert_eq!((late.lost, late.out_of_order), (4, 1));
}

#[test]
fn broken_messages_never_panic() {
    let mut all = vec![sampled()];
    for dir in [
        "telegraf/netflow_v5_example",
        "telegraf/netflow_v9_example",
        "telegraf/ipfix_example",
        "telegraf/sflow_v5_example",
    ] {
        all.extend(messages(&corpus().join(dir)));
    }
    let mut state = 1_u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize
    };
    for good in &all {
        let mut decoder = Decoder::default();
        for end in 0..good.len().min(600) {
            let _ = decoder.decode(exporter(), &good[..end]);
        }
        for _ in 0..3_000 {
            let mut bad = good.clone();
            for _ in 0..1 + random() % 6 {
                let at = random() % bad.len();
                bad[at] = [0, 1, 0xff, random() as u8][random() % 4];
            }
            if let Ok(m) = decoder.decode(exporter(), &bad) {
                // A message cannot hold more flows than bytes.
                assert!(m.flows.len() <= 65_536);
            }
        }
    }
    let _ = IpAddr::from([0, 0, 0, 0]);
}
