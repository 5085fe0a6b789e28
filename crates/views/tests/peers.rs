//! Zeek logs and EVE as written: headers, pairs, children, order, hostile text.

mod support;

use serde_json::{Value, json};
use support::*;
use views::{CommunityId, EveSink, ZeekSink};

const ID: CommunityId = CommunityId { of: |_, seed| Some(format!("1:id{seed}=")), seed: 7 };

fn zeek(out: &gwcore::Out, json: bool) -> Written {
    written(out, |dir| Box::new(ZeekSink::new(dir.join("zeek"), json, ID)))
}

fn eve(out: &gwcore::Out) -> Vec<Value> {
    let all = written(out, |dir| Box::new(EveSink::new(dir, ID, views::eve::Own::Written, |_| 7)));
    all.read("eve.json").lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

/// The cells of a column, as `zeek-cut` finds them.
fn cut<'a>(log: &'a str, name: &str) -> Vec<&'a str> {
    let fields = log.lines().find_map(|l| l.strip_prefix("#fields\t")).unwrap();
    let at = fields.split('\t').position(|f| f == name).unwrap();
    log.lines().filter(|l| !l.starts_with('#')).map(|l| l.split('\t').nth(at).unwrap()).collect()
}

#[test]
fn tsv_header_and_cells() {
    let mut out = out();
    out.append(stamp(2, 0), modbus(true, 7, None));
    out.append(stamp(3, 1), modbus(false, 6, Some(2)));
    let all = zeek(&out, false);
    let log = all.read("zeek/modbus.log");
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(
        lines[..6],
        [
            "#separator \\x09",
            "#set_separator\t,",
            "#empty_field\t(empty)",
            "#unset_field\t-",
            "#path\tmodbus",
            "#open\t2017-07-14-02-40-00"
        ]
    );
    assert_eq!(
        lines[6],
        "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\ttid\tunit\tfunc\tpdu_type\texception"
    );
    assert_eq!(lines[7], "#types\ttime\tstring\taddr\tport\taddr\tport\tcount\tcount\tstring\tstring\tstring");
    let head = format!("{}\t10.0.0.1\t1024\t10.0.0.2\t502", gwcore::Uid(0x1234));
    assert_eq!(lines[8], format!("1500000000.830079\t{head}\t7\t9\tREAD_HOLDING_REGISTERS\tREQ\t-"));
    assert_eq!(
        lines[9],
        format!("1500000000.830079\t{head}\t6\t9\tREAD_HOLDING_REGISTERS_EXCEPTION\tRESP\tILLEGAL_DATA_ADDRESS")
    );
    assert_eq!(lines[10..], ["#close\t2017-07-14-02-40-00"]);
}

#[test]
fn a_request_and_its_answer_are_one_detailed_line_and_one_event() {
    let mut out = out();
    // A pair, a request alone, an answer alone, and two answers between which the frames do not fit.
    out.append(Stamp { frame: 10, ..stamp(1, 0) }, modbus(true, 1, Some(11)));
    out.append(Stamp { frame: 11, ..stamp(2, 1) }, modbus(false, 1, Some(10)));
    out.append(Stamp { frame: 12, ..stamp(3, 0) }, modbus(true, 2, None));
    out.append(Stamp { frame: 13, ..stamp(4, 1) }, modbus(false, 3, Some(5)));
    let all = zeek(&out, false);
    let log = all.read("zeek/modbus_detailed.log");
    assert_eq!(cut(log, "tid"), ["1", "2", "3"]);
    assert_eq!(cut(log, "matched"), ["T", "F", "F"]);
    assert_eq!(cut(log, "request_values"), ["1,2", "1,2", "-"]);
    assert_eq!(cut(log, "response_values"), ["3,200", "-", "3,200"]);
    assert_eq!(cut(log, "is_orig"), ["T", "T", "F"]);
    assert_eq!(cut(log, "source_p"), ["1024", "1024", "502"]);
    let events = eve(&out);
    assert_eq!(events.len(), 3);
    assert_eq!(
        events[0],
        json!({
            "timestamp": "2017-07-14T02:40:00.830079+0000", "flow_id": 0, "in_iface": "eth0", "pcap_cnt": 10, "event_type": "modbus",
            "vlan": [5], "src_ip": "10.0.0.1", "src_port": 1024, "dest_ip": "10.0.0.2", "dest_port": 502, "proto": "TCP", "ip_v": 4,
            "pcap_filename": "a.pcap", "community_id": "1:id7=",
            "modbus": {
                "request": {"transaction_id": 1, "protocol_id": 0, "unit_id": 9, "function_raw": 3, "function_code": "RdHoldRegs",
                    "read": {"address": 100, "quantity": 2}},
                "response": {"transaction_id": 1, "protocol_id": 0, "unit_id": 9, "function_raw": 131, "function_code": "RdHoldRegs",
                    "read": {"data": "\u{0}\u{3}\u{0}\\xc8"}, "exception": {"raw": 2, "code": "IllegalDataAddr"}},
            },
        })
    );
    assert!(events[1]["modbus"].get("response").is_none() && events[2]["modbus"].get("request").is_none());
}

#[test]
fn events_of_all_kinds_come_in_the_order_of_the_stream() {
    let mut out = out();
    for step in [1, 4, 6] {
        out.append(stamp(step, 0), anomaly(b"x"));
        out.append(stamp(step + 1, 0), goose(&[step as f64]));
    }
    let events = eve(&out);
    let seen: Vec<_> =
        events.iter().map(|e| (e["event_type"].as_str().unwrap(), e["pcap_cnt"].as_u64().unwrap())).collect();
    assert_eq!(seen, [("anomaly", 1), ("goose", 2), ("anomaly", 4), ("goose", 5), ("anomaly", 6), ("goose", 7)]);
    assert_eq!(events[1]["goose"], json!({"values": [1.0]}));
    assert_eq!(
        events[0]["anomaly"],
        json!({"app_proto": "modbus", "type": "applayer", "event": "bad_length",
        "layer": "proto_parser", "detail": "x", "count": 1})
    );
}

#[test]
fn dnp3_objects_are_grouped_by_header() {
    let mut out = out();
    out.append(stamp(1, 0), dnp3(1, true));
    out.append(stamp(1, 0), object(0, 60, None, None));
    out.append(stamp(2, 1), dnp3(129, false));
    for (header, index, value) in [(0, 7, 1.0), (0, 8, 0.0), (1, 1, 2.5)] {
        out.append(stamp(2, 1), object(header, 30, Some(index), Some(value)));
    }
    let events = eve(&out);
    assert_eq!(
        events[0]["dnp3"]["application"]["objects"],
        json!([{"group": 60, "variation": 1, "qualifier": 40,
        "prefix_code": 2, "range_code": 8, "count": 0}])
    );
    assert_eq!(
        events[1]["dnp3"]["application"]["objects"][0]["points"],
        json!([{"prefix": 7, "index": 7, "online": 1, "restart": 0, "comm_lost": 0, "remote_forced": 0, "local_forced": 0,
            "over_range": 0, "reference_err": 0, "reserved0": 1, "value": 1},
            {"prefix": 8, "index": 8, "online": 1, "restart": 0, "comm_lost": 0, "remote_forced": 0, "local_forced": 0,
            "over_range": 0, "reference_err": 0, "reserved0": 1, "value": 0}])
    );
    assert_eq!(events[1]["dnp3"]["application"]["objects"][1]["count"], 1);
    assert_eq!(events[1]["dnp3"]["iin"]["indicators"], json!(["device_restart", "class_1_events"]));
    assert_eq!(events[1]["src_ip"], "10.0.0.1");
    let all = zeek(&out, false);
    let log = all.read("zeek/dnp3_objects.log");
    assert_eq!(cut(log, "function_code"), ["READ", "RESPONSE", "RESPONSE", "RESPONSE"]);
    assert_eq!(cut(log, "index"), ["-", "7", "8", "1"]);
    assert_eq!(cut(all.read("zeek/dnp3.log"), "iin"), ["33280"]);
}

#[test]
fn a_dns_transaction_is_a_request_and_a_response() {
    let mut out = out();
    out.append(stamp(1, 0), dns(true));
    out.append(stamp(7, 0), dns(false));
    let events = eve(&out);
    assert_eq!(events.len(), 3);
    assert_eq!(
        events[0]["dns"],
        json!({"version": 3, "type": "request", "id": 77, "flags": "100", "rd": true,
            "queries": [{"rrname": "relay.example", "rrtype": "A"}]})
    );
    assert_eq!((&events[0]["src_ip"], &events[0]["pcap_cnt"]), (&json!("10.0.0.1"), &json!(1)));
    assert_eq!(
        events[1]["dns"],
        json!({"version": 3, "type": "response", "id": 77, "flags": "8180", "qr": true, "rd": true, "ra": true, "rcode": "NOERROR",
            "queries": [{"rrname": "relay.example", "rrtype": "A"}],
            "answers": [{"rrname": "relay.example", "rrtype": "A", "ttl": 300, "rdata": "10.0.0.9"},
                {"rrname": "relay.example", "rrtype": "65280", "ttl": 0, "rdata": "x"}]})
    );
    assert_eq!((&events[1]["src_ip"], &events[1]["src_port"]), (&json!("10.0.0.2"), &json!(502)));
    assert_eq!(
        (&events[1]["timestamp"], &events[1]["pcap_cnt"]),
        (&json!("2017-07-14T02:40:00.832079+0000"), &json!(6))
    );
    assert_eq!(events[2]["dns"]["type"], "request");
    let all = zeek(&out, false);
    assert_eq!(cut(all.read("zeek/dns.log"), "TTLs"), ["300.0,0.0", "(empty)"]);
    assert_eq!(cut(all.read("zeek/dns.log"), "rtt"), ["0.002000", "-"]);
}

#[test]
fn kinds_unknown_to_zeek_become_a_log_of_their_own() {
    let mut out = out();
    out.append(stamp(1, 0), goose(&[1.5, 2.0]));
    out.append(stamp(2, 0), goose(&[]));
    let all = zeek(&out, false);
    assert_eq!(cut(all.read("zeek/goose.log"), "values"), ["1.5,2.0", "(empty)"]);
    assert!(all.read("zeek/goose.log").contains("\tvector[double]\n"));
    let all = zeek(&out, true);
    let first: Value = serde_json::from_str(all.read("zeek/goose.log").lines().next().unwrap()).unwrap();
    assert_eq!((&first["ts"], &first["id.orig_h"]), (&json!(1500000000.830079), &json!("10.0.0.1")));
    assert_eq!(all.read("zeek/goose.log").lines().count(), 2, "JSON has no header");
}

#[test]
fn hostile_text_stays_in_its_cell() {
    let names: [&[u8]; 5] = [
        b"a\tb\n#close\n",
        b"\x1b[2J\x07\x7f",
        "\u{2028}\u{202e}\u{9b}".as_bytes(),
        b"\xff\xfe\\x00",
        b"\"},{\"x\":\"\r\0",
    ];
    let mut out = out();
    for (step, name) in names.iter().enumerate() {
        out.append(stamp(step as u64, 0), anomaly(name));
    }
    let calm =
        |line: &str| line.chars().all(|c| c == '\t' || !(c.is_control() || ('\u{2028}'..='\u{202e}').contains(&c)));
    let all = zeek(&out, false);
    let log = all.read("zeek/weird.log");
    assert!(log.lines().all(calm));
    assert_eq!(log.lines().filter(|l| !l.starts_with('#')).count(), names.len());
    assert_eq!(cut(log, "addl")[0], "a\\x09b\\x0a#close\\x0a");
    assert_eq!(cut(log, "peer"), ["gridwarden"; 5]);
    let events = eve(&out);
    for (event, name) in events.iter().zip(names) {
        let mut expect = Vec::new();
        gwcore::column::push_text(&mut expect, name);
        assert_eq!(event["anomaly"]["detail"].as_str().unwrap().as_bytes(), expect);
    }
    let all = zeek(&out, true);
    assert!(all.read("zeek/weird.log").lines().all(calm));
}

fn finding() -> gwcore::Finding {
    let party = |ip: &str| gwcore::Party { ip: Some(ip.into()), ..gwcore::Party::default() };
    gwcore::Finding {
        id: "00ff".into(),
        rev: 3,
        ts: stamp(2, 0).ts,
        ts_end: stamp(2, 0).ts,
        raised: stamp(2, 0).ts,
        episodes: Vec::new(),
        episodes_more: 0,
        detector: "new-master",
        title: "New master\tof 10.0.0.1".into(),
        severity: gwcore::Severity::High,
        basis: gwcore::Basis::Learned,
        attack: vec!["T0848"],
        src: party("10.0.0.2"),
        dst: party("10.0.0.1"),
        proto: "modbus",
        uids: vec![gwcore::Uid(0x1234).to_string()],
        community_id: None,
        packets: vec![gwcore::PacketRef { file: "a.pcap".into(), frame: 9 }],
        why: "10.0.0.2 was never seen to command.".into(),
        evidence: gwcore::Evidence::default(),
        dedup_key: "k".into(),
        count: 5,
        flow: out().flows[0],
    }
}

#[test]
fn a_finding_is_an_alert_of_eve_and_a_notice_of_zeek() {
    let finding = finding();
    let all = written_with(&out(), &[&finding], |dir| Box::new(EveSink::new(dir, ID, views::eve::Own::LeftOut, |_| 7)));
    let event: Value = serde_json::from_str(all.read("eve.json").lines().last().unwrap()).unwrap();
    assert_eq!((&event["event_type"], &event["pcap_cnt"]), (&json!("alert"), &json!(9)));
    assert_eq!(
        (&event["src_ip"], &event["src_port"], &event["dest_port"]),
        (&json!("10.0.0.2"), &json!(502), &json!(1024))
    );
    assert_eq!((&event["proto"], &event["app_proto"]), (&json!("TCP"), &json!("modbus")));
    let alert = json!({"action": "allowed", "gid": views::eve::GID, "signature_id": 7, "rev": 3, "signature": "New master\tof 10.0.0.1",
        "category": "new-master", "severity": 1, "metadata": {"finding_id": ["00ff"], "detector": ["new-master"], "severity": ["high"],
        "mitre_technique_id": ["T0848"]}});
    assert_eq!(event["alert"], alert);
    assert_eq!(event["gridwarden"]["packets"], json!([{"file": "a.pcap", "frame": 9}]));

    let all = written_with(&out(), &[&finding], |dir| Box::new(ZeekSink::new(dir.join("zeek"), false, ID)));
    let log = all.read("zeek/notice.log");
    for (field, value) in [
        ("id.orig_h", "10.0.0.1"),
        ("src", "10.0.0.2"),
        ("proto", "tcp"),
        ("note", "Gridwarden::New_Master"),
        ("msg", "New master\\x09of 10.0.0.1"),
        ("n", "5"),
        ("actions", "Notice::ACTION_LOG"),
        ("fuid", "-"),
    ] {
        assert_eq!(cut(log, field), [value], "{field}");
    }
    assert!(log.ends_with("#close\t2017-07-14-02-40-00\n"));
}
