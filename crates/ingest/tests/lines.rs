//! Log lines: syslog of both kinds with CEF and LEEF, Zeek's and Suricata's conversations, cleaning, and that nothing panics.

use gwcore::{Addr, Ts};
use ingest::syslog::{Line, parse, tell};
use ingest::{Collector, LineFormat};

fn now() -> Ts {
    gwcore::time::parse_rfc3339("2026-12-01T12:00:00Z").unwrap()
}

fn line(text: &str) -> Line {
    parse(text.as_bytes(), now()).unwrap()
}

#[test]
fn rfc_3164_and_5424() {
    let l = line("<34>Oct 11 22:14:15 mymachine su[17]: 'su root' failed for lonvick on /dev/pts/8");
    assert_eq!((l.format, l.priority, l.host.as_deref()), ("rfc3164", Some((4, 2)), Some("mymachine")));
    assert_eq!((l.app.as_deref(), l.process.as_deref()), (Some("su"), Some("17")));
    assert_eq!(l.ts, gwcore::time::parse_rfc3339("2026-10-11T22:14:15Z"));
    // The year is the one that lies nearest: a line of December that comes in January.
    let late =
        parse(b"<34>Dec 31 23:59:59 h a: b", gwcore::time::parse_rfc3339("2027-01-01T00:00:01Z").unwrap()).unwrap();
    assert_eq!(late.ts, gwcore::time::parse_rfc3339("2026-12-31T23:59:59Z"));
    let l = line(
        r#"<165>1 2026-10-11T22:14:15.003Z host.example evntslog 42 ID47 [x@32473 iut="3" eventSource="App\"l]ication"][y@1 z="1"] An event"#,
    );
    assert_eq!((l.format, l.message_id.as_deref(), l.message.as_str()), ("rfc5424", Some("ID47"), "An event"));
    assert_eq!(
        l.fields,
        [("iut".into(), "3".into()), ("eventSource".into(), "App\"l]ication".into()), ("z".into(), "1".to_owned())]
    );
    assert_eq!(line("<34>1 - - - - - -").host, None);
    assert_eq!(line("no priority at all").format, "text");
    assert_eq!(line("<999>x").priority, None);
}

#[test]
fn cef_and_leef() {
    let l = line(
        r"<13>Dec  1 11:59:00 fw CEF:0|Fortinet|Fortigate|v6|0100032001|Admin login \| ok|3|suser=admin src=10.1.4.9 msg=a \= b c outcome=success",
    );
    assert_eq!((l.format, l.message_id.as_deref()), ("cef", Some("0100032001")));
    let get = |k: &str| l.fields.iter().find(|f| f.0 == k).map(|f| f.1.as_str());
    assert_eq!((get("name"), get("suser"), get("msg")), (Some("Admin login | ok"), Some("admin"), Some("a = b c")));
    let l = line("<13>Dec  1 11:59:00 fw LEEF:2.0|Maker|Gate|1|4711|^|src=10.0.0.1^usrName=bob");
    assert_eq!((l.format, l.fields.len(), l.fields[3].1.as_str()), ("leef", 4, "bob"));
    let l = line("<13>Dec  1 11:59:00 fw LEEF:1.0|Maker|Gate|1|4711|src=10.0.0.1\tusrName=bob smith");
    assert_eq!(l.fields[3].1, "bob smith");
}

#[test]
fn what_lines_tell() {
    for (text, event, user, address) in [
        (
            "<86>Dec  1 11:59:00 rtu sshd[9]: Failed password for invalid user admin from 10.1.4.9 port 4242 ssh2",
            "login_failed",
            "admin",
            "10.1.4.9",
        ),
        (
            "<86>Dec  1 11:59:00 rtu sshd[9]: Accepted password for root from 10.1.4.9 port 4242 ssh2",
            "login",
            "root",
            "10.1.4.9",
        ),
        (
            "<189>45: *Dec  1 11:59:00.1: %SYS-5-CONFIG_I: Configured from console by alice on vty0 (10.1.4.9)",
            "setting_change",
            "alice",
            "10.1.4.9",
        ),
        (
            "<187>Dec  1 11:59:00 sw1 46: %LINK-3-UPDOWN: Interface GigabitEthernet0/1, changed state to down",
            "link_down",
            "",
            "",
        ),
        (
            "<187>Dec  1 11:59:00 sw1 46: %LINK-3-UPDOWN: Interface GigabitEthernet0/1, changed state to up",
            "link_up",
            "",
            "",
        ),
        (
            r#"<190>date=2026-12-01 time=11:59:00 devname="fg" logdesc="Admin login failed" user="eve" srcip=10.1.4.9 action="login" status="failed""#,
            "login_failed",
            "eve",
            "10.1.4.9",
        ),
        ("<13>Dec  1 11:59:00 h app: nothing of note", "", "", ""),
    ] {
        let told = tell(&line(text));
        assert_eq!(told.event.unwrap_or_default(), event, "{text}");
        assert_eq!(told.user.unwrap_or_default(), user, "{text}");
        assert_eq!(told.address.map(|a| a.to_string()).unwrap_or_default(), address, "{text}");
    }
}

#[test]
fn zeek_and_suricata_conversations() {
    let mut c = Collector::default();
    let tsv = [
        "#separator \\x09",
        "#path\tconn",
        "#unset_field\t-",
        "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tduration\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\tconn_state",
        "1700000000.123456\tC1\t10.0.0.1\t1025\t10.0.0.2\t502\ttcp\t1.5\t5\t300\t4\t200\tSF",
        "1700000000.1\tC2\t10.0.0.1",
    ];
    let given: Vec<_> = tsv.iter().filter_map(|l| c.tool_line("conn.log", LineFormat::ZeekTsv, l, 0)).collect();
    assert_eq!(given.iter().map(|g| g.len()).collect::<Vec<_>>(), [3, 1]);
    let json = r#"{"ts":1700000000.5,"uid":"C3","id.orig_h":"10.0.0.1","id.orig_p":1,"id.resp_h":"10.0.0.2","id.resp_p":502,"proto":"tcp","conn_state":"S0"}"#;
    assert_eq!(LineFormat::of(json), Some(LineFormat::ZeekJson));
    assert_eq!(c.tool_line("x", LineFormat::ZeekJson, json, 0).unwrap().len(), 3);
    let eve = r#"{"timestamp":"2026-12-01T12:00:00.000001+0000","event_type":"flow","flow_id":7,"src_ip":"10.0.0.1","src_port":1,"dest_ip":"10.0.0.2","dest_port":502,"proto":"TCP","flow":{"pkts_toserver":1,"pkts_toclient":2,"bytes_toserver":3,"bytes_toclient":4,"start":"2026-12-01T11:59:00.0+0000","end":"2026-12-01T12:00:00.0+0000"}}"#;
    assert_eq!(LineFormat::of(eve), Some(LineFormat::Eve));
    assert_eq!(c.tool_line("y", LineFormat::Eve, eve, 0).unwrap().len(), 3);
    let reports = c.reports();
    assert_eq!((reports["conn.log"].fates.0["kept"], reports["conn.log"].fates.0["unreadable"]), (1, 1));
}

#[test]
fn cleaning_counts_every_flow_under_one_fate() {
    let shared = std::env::var("GRIDWARDEN_SHARED").unwrap_or("../../../shared".into());
    let path = std::path::PathBuf::from(shared).join("corpus/flow-export/telegraf/netflow_v5_example/netflow_v5.bin");
    let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}: set GRIDWARDEN_SHARED", path.display()));
    let sent = Ts::from_parts(i64::from(u32::from_be_bytes(bytes[8..12].try_into().unwrap())), 0);
    let mut c = Collector::default();
    let (a, b) = (Addr::v4([10, 0, 0, 1]), Addr::v4([10, 0, 0, 2]));
    let first = c.flow_message(a, &bytes, sent, 0);
    // Two facts and two rows a flow.
    assert_eq!(first.len(), 8 * 4);
    assert!(c.flow_message(b, &bytes, sent, 0).is_empty());
    // Half an hour late: the clock of the third is off.
    let c3 = Addr::v4([10, 0, 0, 3]);
    assert_eq!(c.flow_message(c3, &bytes, sent.plus(1_800_000_000_000), 0).len(), 8 * 4);
    assert_eq!(c.flow_message(c3, b"junk", sent, 0).len(), 1);
    let fates = |who: &str| c.reports()[&format!("flow export of {who}")].fates.0.clone();
    assert_eq!(fates("10.0.0.1").get("kept"), Some(&8));
    assert_eq!(fates("10.0.0.2").get("duplicate"), Some(&8));
    assert_eq!((fates("10.0.0.3").get("skew_corrected"), fates("10.0.0.3").get("unreadable")), (Some(&8), Some(&1)));
}

#[test]
fn broken_lines_never_panic() {
    let good = [
        r#"<165>1 2026-10-11T22:14:15.003Z host evntslog 42 ID47 [x@1 a="b\"c"] CEF:0|a|b|c|d|e\||1|k=v w x=y"#,
        "<13>Dec  1 11:59:00.123 fw LEEF:2.0|Maker|Gate|1|4711|x5e|src=10.0.0.1^usrName=bob é",
        r#"{"timestamp":"2026-12-01T12:00:00.000001+0000","event_type":"flow","src_ip":"::1","dest_ip":"10.0.0.2","flow":{"start":"x"}}"#,
    ];
    let mut c = Collector::default();
    for text in good {
        for i in 0..text.len() {
            for change in 0..3 {
                let mut bytes = text.as_bytes().to_vec();
                match change {
                    0 => bytes.truncate(i),
                    1 => bytes[i] = bytes[i].wrapping_mul(13).wrapping_add(200),
                    _ => bytes.insert(i, b'"'),
                }
                c.log_line(Addr::v4([10, 0, 0, 1]), &bytes, now(), 0);
                let text = String::from_utf8_lossy(&bytes);
                for format in [LineFormat::ZeekTsv, LineFormat::ZeekJson, LineFormat::Eve] {
                    c.tool_line("x", format, &text, 0);
                }
            }
        }
    }
}
