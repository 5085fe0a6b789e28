//! NDJSON as written: members, nulls, nesting, hostile text.

use gwcore::{Addr, FlowConst, FlowRef, Hex, Key, List, Mac, Names, Out, Sink, Span, Stamp, Sym, Text, Ts, Uid};
use views::NdjsonSink;

gwcore::record! {
    /// A parent.
    pub struct Pdu, PduColumns = "pdu", Pdu {
        /// Name.
        name: Option<Text>,
        /// Word.
        word: Sym,
        /// Bytes.
        raw: Hex,
        /// Double.
        real: f64,
        /// How long.
        rtt: Option<Span>,
        /// Numbers.
        list: List<f64>,
        /// Device time.
        at: Option<Ts>,
    }
}

gwcore::record! {
    /// A child.
    pub struct Part, PartColumns = "part", Child of "pdu" as "parts" {
        /// Place.
        place: u16,
        /// Signed.
        value: Option<i64>,
    }
}

fn stamp(step: u64, flow: u32) -> Stamp {
    let key = Key { step, shard: 1, sub: 0 };
    Stamp { key, ts: Ts(1_500_000_000_830_079_000 + step as i64), frame: step, flow: FlowRef(flow), repeat: false }
}

fn pdu(name: Option<&[u8]>) -> Pdu<'_> {
    Pdu { name, word: "read", raw: &[0, 0xab], real: 0.5, rtt: None, list: &[], at: None }
}

fn written(out: &Out) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let (files, interfaces) = (["a\".pcap".to_owned()], ["eth0".to_owned()]);
    let names = Names { files: &files, interfaces: &interfaces };
    let mut sink = NdjsonSink::new(dir.path());
    sink.rows(out, names).unwrap();
    sink.finish(names).unwrap();
    assert!(!dir.path().join("ndjson/part.ndjson").exists(), "children have no file of their own");
    let text = std::fs::read_to_string(dir.path().join("ndjson/pdu.ndjson")).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn flow() -> FlowConst {
    FlowConst {
        uid: Uid(0x1234),
        src: Addr::v4([10, 0, 0, 1]),
        dst: Addr::v4([10, 0, 0, 2]),
        src_port: 1024,
        dst_port: 502,
        src_mac: Mac([2, 0, 0, 0, 0, 1]),
        dst_mac: Mac([2, 0, 0, 0, 0, 2]),
        vlans: [5, 0xffff],
        ip_proto: 6,
        ..FlowConst::default()
    }
}

#[test]
fn members_come_in_order_and_nulls_are_left_out() {
    let mut out = Out::default();
    out.flows.push(flow());
    out.append(stamp(0, 0), pdu(None));
    let full = Pdu {
        rtt: Some(Span(1_500_000)),
        list: &[1.0, f64::NAN],
        at: Some(Ts(0)),
        real: f64::INFINITY,
        ..pdu(Some(b"x"))
    };
    out.append(stamp(1, 1), full);
    out.append(Stamp { flow: FlowRef(u32::MAX), ..stamp(2, 0) }, pdu(None));
    assert_eq!(
        written(&out),
        [
            concat!(
                r#"{"ts":"2017-07-14T02:40:00.830079Z","uid":"CK500000000000000","src_ip":"10.0.0.1","src_port":1024,"#,
                r#""dst_ip":"10.0.0.2","dst_port":502,"src_mac":"02:00:00:00:00:01","dst_mac":"02:00:00:00:00:02","#,
                r#""vlan":5,"ip_proto":6,"file":"a\".pcap","interface":"eth0","word":"read","raw":"00ab","real":0.5,"list":[]}"#
            )
            .replace("CK500000000000000", &Uid(0x1234).to_string()),
            concat!(
                r#"{"ts":"2017-07-14T02:40:00.830079001Z","uid":"UID","src_ip":"10.0.0.2","src_port":502,"#,
                r#""dst_ip":"10.0.0.1","dst_port":1024,"src_mac":"02:00:00:00:00:02","dst_mac":"02:00:00:00:00:01","#,
                r#""vlan":5,"ip_proto":6,"file":"a\".pcap","frame":1,"interface":"eth0","name":"x","word":"read","raw":"00ab","#,
                r#""real":"Infinity","rtt":0.0015,"list":[1.0,"NaN"],"at":"1970-01-01T00:00:00.000000Z"}"#
            )
            .replace("UID", &Uid(0x1234).to_string()),
            r#"{"ts":"2017-07-14T02:40:00.830079002Z","frame":2,"word":"read","raw":"00ab","real":0.5,"list":[]}"#.to_owned(),
        ]
    );
}

#[test]
fn children_are_nested_under_their_parent() {
    let mut out = Out::default();
    out.flows.push(flow());
    for step in 0..3 {
        out.append(stamp(step, 0), pdu(None));
        for place in 0..step as u16 {
            out.append(stamp(step, 0), Part { place, value: (place > 0).then_some(-7) });
        }
    }
    let parts: Vec<serde_json::Value> =
        written(&out).iter().map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap()["parts"].clone()).collect();
    let expect = serde_json::json!([null, [{"place": 0}], [{"place": 0}, {"place": 1, "value": -7}]]);
    assert_eq!(serde_json::Value::from(parts), expect);
}

#[test]
fn hostile_names_stay_in_their_cell() {
    let names: [&[u8]; 5] =
        [b"a\"},\n{\"b", b"\x1b[2J\x07\x7f", "\u{2028}\u{202e}".as_bytes(), b"\xff\xfe\\x00", b"\\\"\r\t\0"];
    let mut out = Out::default();
    out.flows.push(flow());
    for (step, name) in names.iter().enumerate() {
        out.append(stamp(step as u64, 0), pdu(Some(name)));
    }
    let lines = written(&out);
    assert_eq!(lines.len(), names.len());
    for (line, name) in lines.iter().zip(names) {
        assert!(line.chars().all(|c| !c.is_control() && !('\u{2028}'..='\u{202e}').contains(&c)), "{line}");
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        let mut expect = Vec::new();
        gwcore::column::push_text(&mut expect, name);
        assert_eq!(value["name"].as_str().unwrap().as_bytes(), expect);
    }
}
