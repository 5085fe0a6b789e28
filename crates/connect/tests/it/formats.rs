//! Formats: what is written is read again the same by their grammar, whatever stands in the texts.

use connect::Sender;
use connect::format::{cef, cim, ecs, leef, ocsf, syslog};
use respond::Finding;

use crate::finding;

fn sender() -> Sender {
    Sender { host: "sensor7".into(), version: "1.0".into(), link: "https://gw/{id}".into() }
}

#[test]
fn cef_escapes_what_its_grammar_needs() {
    let f = Finding::from_json(finding(42, 3)).unwrap();
    let line = cef::line(&f, &sender());
    assert!(
        line.starts_with(
            "CEF:0|Gridwarden|Gridwarden|1.0|new-master|new master|8|rt=1772359201000 start=1772359200123 "
        ),
        "{line}"
    );
    assert!(!line.contains('\n'));
    let (head, pairs) = cef::parse(&line).unwrap();
    assert_eq!(head.len(), 7);
    let get = |k: &str| pairs.iter().find(|(key, _)| key == k).map(|(_, v)| v.as_str());
    assert_eq!(get("cs5"), Some("function=16 unit=1"));
    assert_eq!(get("msg"), Some(f.why.as_str()));
    assert_eq!(get("dhost"), Some("rtu-07=a^b"));
    assert_eq!(
        (get("src"), get("spt"), get("dst"), get("dpt"), get("proto")),
        (Some("10.20.0.9"), Some("49822"), Some("10.20.0.5"), Some("502"), Some("TCP"))
    );
    assert_eq!((get("externalId"), get("cs6")), (Some("000000000000002a"), Some("https://gw/000000000000002a")));
}

#[test]
fn leef_has_each_key_once_and_no_delimiter_in_a_value() {
    let f = Finding::from_json(finding(42, 3)).unwrap();
    let line = leef::line(&f, &sender());
    let (head, pairs) = leef::parse(&line).unwrap();
    assert_eq!(head, ["2.0", "Gridwarden", "Gridwarden", "1.0", "new-master", "^"]);
    let get = |k: &str| pairs.iter().find(|(key, _)| key == k).map(|(_, v)| v.as_str());
    assert_eq!(
        (get("sev"), get("devTime"), get("resource")),
        (Some("8"), Some("Mar 01 2026 10:00:00.123 UTC"), Some("rtu-07=a_b"))
    );
    assert_eq!(pairs.len(), line.split_once("|^|").unwrap().1.split('^').count());
    assert!(leef::parse("LEEF:1.0|V|P|1|E|a=1\tb=2=3").unwrap().1.contains(&("b".into(), "2=3".into())));
    assert_eq!(leef::parse("LEEF:2.0|V|P|1|E|x09|a=1\tb=2").unwrap().1.len(), 2);
}

#[test]
fn syslog_keeps_its_head_and_its_limit() {
    let data = [("id", "a\"b]c\\d"), ("key", "k")];
    let header = syslog::Header {
        facility: syslog::LOCAL0,
        severity: gwcore::Severity::High,
        ts: gwcore::Ts(1_772_359_200_123_456_789),
        host: "sensor 7\n",
        msgid: "ALERT",
        data: &data,
    };
    let text = String::from_utf8(syslog::message(&header, "one\ntwo", 8_000)).unwrap();
    assert_eq!(
        text,
        "<131>1 2026-03-01T10:00:00.123456Z sensor7 gridwarden - ALERT [alert@32473 id=\"a\\\"b\\]c\\\\d\" key=\"k\"] one two"
    );
    let long = syslog::message(&header, &"ü".repeat(9_000), 8_000);
    assert!(long.len() <= 8_000 && long.len() > 7_990 && String::from_utf8(long).unwrap().ends_with(" [shortened]"));
    let mut out = Vec::new();
    syslog::framed(b"abc", &mut out);
    assert_eq!(out, b"3 abc");
}

/// Texts that mean something to one format or another, put where findings carry text from the wire.
const HOSTILE: &[&str] = &[
    "",
    "=",
    "|",
    "^",
    "\\",
    "a\\",
    "\n",
    "\r\nCEF:0|",
    "\t",
    "\u{0}",
    "]",
    "\"",
    "'; DROP TABLE x",
    "<script>",
    "ü€😀",
    "a=b c=d",
    "\\n",
    "x|y\\|z=\\=",
    "%s%n",
    "=cmd|' /C calc'!A0",
    "\u{202e}",
];

#[test]
fn no_hostile_text_breaks_a_line_or_a_field() {
    for a in HOSTILE {
        for b in HOSTILE {
            let mut raw = finding(1, 1);
            raw["why"] = (*a).into();
            raw["title"] = (*b).into();
            raw["dst"]["name"] = format!("{a}{b}").into();
            raw["src"]["user"] = (*b).into();
            raw["evidence"]["observed"] = format!("{b}{a}").into();
            let f = Finding::from_json(raw).unwrap();
            let line = cef::line(&f, &sender());
            assert!(!line.contains(['\n', '\r']), "{line:?}");
            let (head, pairs) = cef::parse(&line).unwrap();
            assert_eq!(head.len(), 7, "{line:?}");
            let last = pairs.last().unwrap();
            assert_eq!((last.0.as_str(), last.1.as_str()), ("dvchost", "sensor7"), "{line:?}");
            let line = leef::line(&f, &sender());
            assert!(!line.contains(['\n', '\r']), "{line:?}");
            let (head, pairs) = leef::parse(&line).unwrap();
            assert!(head.len() == 6 && pairs.iter().any(|(k, v)| k == "ndrSensor" && v == "sensor7"), "{line:?}");
            let message = syslog::message(
                &syslog::Header { facility: 16, severity: f.severity, ts: f.ts, host: b, msgid: a, data: &[("id", a)] },
                &f.why,
                480,
            );
            assert!(message.len() <= 480 + 200 && !message.contains(&b'\n'));
            assert!(
                message.starts_with(b"<131>1 2026-03-01T10:00:00.123456Z "),
                "{:?}",
                String::from_utf8_lossy(&message)
            );
        }
    }
}

/// The fields of the ECS reference table and their types, from the corpus.
fn ecs_fields() -> std::collections::HashMap<String, (String, String)> {
    let shared = std::env::var("GRIDWARDEN_SHARED")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared").into());
    let mut open = vec![std::path::PathBuf::from(shared).join("corpus/frameworks/ecs")];
    let mut text = None;
    while let Some(dir) = open.pop() {
        for e in std::fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display())) {
            let p = e.unwrap().path();
            if p.is_dir() {
                open.push(p);
            } else if p.file_name().is_some_and(|n| n == "fields.csv") {
                text = Some(std::fs::read_to_string(p).unwrap());
            }
        }
    }
    let text = text.expect("fields.csv is in the corpus");
    let rows = text.lines().skip(1).filter_map(|l| {
        let c: Vec<&str> = l.split(',').collect();
        Some((c.get(3)?.to_string(), (c.get(4)?.to_string(), c.get(6)?.to_string())))
    });
    rows.collect()
}

fn leaves(value: &serde_json::Value, at: &str, out: &mut Vec<(String, serde_json::Value)>) {
    match value {
        serde_json::Value::Object(map) => {
            for (k, v) in map {
                leaves(v, &if at.is_empty() { k.clone() } else { format!("{at}.{k}") }, out);
            }
        }
        v => out.push((at.to_owned(), v.clone())),
    }
}

#[test]
fn every_field_of_a_document_is_one_of_the_schema_with_its_type() {
    let fields = ecs_fields();
    assert!(fields.len() > 1_000, "{} fields", fields.len());
    let f = Finding::from_json(finding(1, 1)).unwrap();
    let mut all = Vec::new();
    leaves(&ecs::document(&f, &sender(), "gridwarden.finding", "default"), "", &mut all);
    assert!(all.len() > 40);
    for (name, value) in all.iter().filter(|(n, _)| !n.starts_with("gridwarden.")) {
        let (kind, normal) = fields.get(name).unwrap_or_else(|| panic!("`{name}` is no field of ECS"));
        let one = match (value, normal.as_str()) {
            (serde_json::Value::Array(list), _) => &list[0],
            (one, "array") => panic!("`{name}` must be a list, is {one}"),
            (one, _) => one,
        };
        let fits = match kind.as_str() {
            "long" => one.is_i64() || one.is_u64(),
            "float" => one.is_number(),
            "boolean" => one.is_boolean(),
            _ => one.is_string(),
        };
        assert!(fits, "`{name}` is {kind}, got {one}");
    }
}

#[test]
fn ocsf_and_cim_have_what_they_require() {
    let f = Finding::from_json(finding(1, 2)).unwrap();
    let o = ocsf::detection(&f, &sender());
    assert_eq!(o["type_uid"], o["class_uid"].as_u64().unwrap() * 100 + o["activity_id"].as_u64().unwrap());
    for required in ["category_uid", "time", "severity_id", "metadata", "finding_info"] {
        assert!(!o[required].is_null(), "{required}");
    }
    assert_eq!(o["finding_info"]["attacks"][0]["sub_technique"]["uid"], "T1692.001");
    assert_eq!((o["severity_id"].as_u64(), o["activity_id"].as_u64()), (Some(4), Some(2)));
    let e = cim::envelope(&f, &sender(), Some("ot"));
    assert_eq!((e["time"].as_str(), e["index"].as_str()), (Some("1772359200.123"), Some("ot")));
    assert_eq!(
        (e["event"]["src_ip"].as_str(), e["event"]["dest_port"].as_u64(), e["event"]["severity"].as_str()),
        (Some("10.20.0.9"), Some(502), Some("high"))
    );
    // Nothing that Splunk fills itself.
    assert!(
        e["event"]
            .as_object()
            .unwrap()
            .keys()
            .all(|k| !k.ends_with("_bunit") && !k.ends_with("_category") && !k.ends_with("_priority") && k != "tag")
    );
}
