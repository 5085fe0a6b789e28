//! What the ordered stage is told.

use gwcore::{Body, OpClass};
use proto::testing::Bench;

use super::{Set, bench, pdu};

/// Class, name, action, table, address, points, value, answer, refusal of each operation.
fn ops(b: &Bench<Set>) -> Vec<String> {
    let text = |body: &Body| {
        let Body::Op(op) = body else { return None };
        let point = op.point.map_or(String::new(), |p| format!(" {}/{}/{}x{}", p.table, p.unit, p.address, op.points));
        let value = op.value.map_or(String::new(), |v| format!(" ={v}"));
        let refused = op.refused.map_or(String::new(), |r| format!(" refused {} {}", r.0, r.1));
        let side = if op.is_answer { '<' } else { '>' };
        Some(format!("{side} {:?} {} {}{point}{value}{refused}", op.class, op.name, op.action))
    };
    b.facts().iter().filter_map(|f| text(&f.body)).collect()
}

fn samples(b: &Bench<Set>) -> Vec<String> {
    let text = |body: &Body| {
        let Body::Sample(s) = body else { return None };
        let (kind, how) = (if s.discrete { "state" } else { "value" }, if s.write { "written" } else { "read" });
        Some(format!("{how} {kind} {}/{}/{}={}", s.point.table, s.point.unit, s.point.address, s.value))
    };
    b.facts().iter().filter_map(|f| text(&f.body)).collect()
}

fn asked(request: &str) -> Bench<Set> {
    let mut b = bench();
    b.client(&pdu(request));
    b
}

#[test]
fn every_command_is_an_operation_of_its_class() {
    let check = |request: &str, expect: &str| assert_eq!(ops(&asked(request)), [format!("> {expect}")], "{request}");
    check("05 00ac ff00", "Control write_single_coil on coil/17/172x1 =1");
    check("05 00ac 0000", "Control write_single_coil off coil/17/172x1 =0");
    check("0f 0013 000a 02 cd01", "Control write_multiple_coils  coil/17/19x10 =1");
    check("06 0001 0003", "SetPoint write_single_register  holding_register/17/1x1 =3");
    check("10 0001 0002 04 000a 0102", "SetPoint write_multiple_registers  holding_register/17/1x2 =10");
    check("16 0004 00f2 0025", "SetPoint mask_write_register  holding_register/17/4x1");
    check("17 0003 0006 000e 0001 02 00ff", "SetPoint read_write_multiple_registers  holding_register/17/14x1 =255");
    check("03 006b 0003", "Read read_holding_registers  holding_register/17/107x3");
    check("08 0001 ff00", "Restart restart_communications_option restart =65280");
    check("08 0004 0000", "Mode force_listen_only_mode listen only =0");
    check("08 000a 0000", "Clear clear_counters_and_diagnostic_register clear counters =0");
    check("08 000b 0000", "Identify return_bus_message_count  =0");
    check("2b 0e 01 00", "Identify read_device_identification ");
    check("07", "Identify read_exception_status ");
    check("11", "Identify report_server_id ");
    check("14 07 06 0004 0001 0002", "Upload read_file_record ");
    check("15 09 06 0004 0007 0001 06af", "Download write_file_record ");
    check("5a 00 41 ff 00", "Mode umas_stop_plc stop");
    check("5a 00 30 00 01", "Download umas_initialize_upload ");
    check("41 01", "Other user_defined ");
}

#[test]
fn refusals_and_outcomes_are_operations_too() {
    let mut b = asked("05 00ac ff00");
    b.server(&pdu("85 04"));
    assert_eq!(ops(&b)[1], "< Control write_single_coil on coil/17/172x1 =1 refused 4 server_device_failure");
    let mut b = asked("06 0001 0003");
    b.server(&pdu("06 0001 0003"));
    assert_eq!(ops(&b)[1], "< SetPoint write_single_register  holding_register/17/1x1 =3");
    let mut b = asked("03 0001 0001");
    b.server(&pdu("03 02 0001"));
    assert_eq!(ops(&b).len(), 1, "an answered read is no operation");
    let mut b = asked("5a 00 40 00 00");
    b.server(&pdu("5a 00 fd 01"));
    assert_eq!(ops(&b)[1], "< Mode umas_start_plc start refused 253 umas_error");
}

#[test]
fn every_value_is_a_sample() {
    let check = |request: &str, answer: &str, expect: &[&str]| {
        let mut b = asked(request);
        b.server(&pdu(answer));
        assert_eq!(samples(&b), expect, "{request}");
    };
    check(
        "01 0013 0003",
        "01 01 05",
        &["read state coil/17/19=1", "read state coil/17/20=0", "read state coil/17/21=1"],
    );
    check("02 0000 0001", "02 01 00", &["read state discrete_input/17/0=0"]);
    check(
        "03 006b 0002",
        "03 04 022b 0064",
        &["read value holding_register/17/107=555", "read value holding_register/17/108=100"],
    );
    check("04 0008 0001", "04 02 000a", &["read value input_register/17/8=10"]);
    check("05 00ac ff00", "05 00ac ff00", &["written state coil/17/172=1"]);
    check("0f 0013 0002 01 01", "0f 0013 0002", &["written state coil/17/19=1", "written state coil/17/20=0"]);
    check("06 0001 0003", "06 0001 0003", &["written value holding_register/17/1=3"]);
    check("10 0001 0001 02 000a", "10 0001 0001", &["written value holding_register/17/1=10"]);
    check(
        "17 0003 0001 000e 0001 02 00ff",
        "17 02 00fe",
        &["written value holding_register/17/14=255", "read value holding_register/17/3=254"],
    );
    check("16 0004 00f2 0025", "16 0004 00f2 0025", &[]);
    check("08 0000 a537", "08 0000 a537", &[]);
    check("05 00ac 1234", "85 03", &[]);
}

#[test]
fn an_answer_whose_request_is_unseen_has_no_samples() {
    let mut b = bench().ports(502, 40_000);
    b.client(&pdu("03 02 000a"));
    assert_eq!((b.rows("modbus").len(), samples(&b).len()), (1, 0));
}

#[test]
fn a_device_says_what_it_is() {
    let identity = |answer: &str| {
        let mut b = asked("2b 0e 01 00");
        b.server(&pdu(answer));
        let field = |body: &Body| match body {
            Body::Identity { field, value, source: "modbus" } => Some(format!("{field}={value}")),
            _ => None,
        };
        b.facts().iter().filter_map(|f| field(&f.body)).collect::<Vec<_>>()
    };
    let basic = "2b 0e 01 01 00 00 03 00 04 41636d65 01 02 5237 02 02 5632";
    assert_eq!(identity(basic), ["vendor=Acme", "model=R7", "version=V2"]);
    let regular = "2b 0e 02 02 00 00 03 00 04 41636d65 01 02 5237 05 02 4d31";
    assert_eq!(identity(regular), ["vendor=Acme", "product_code=R7", "model=M1"]);
}

#[test]
fn roles_are_told_once() {
    let mut b = asked("07");
    b.server(&pdu("07 00")).client(&pdu("07")).server(&pdu("07 00"));
    let roles: Vec<_> = b
        .facts()
        .iter()
        .filter_map(|f| if let Body::Role(r) = f.body { Some((r, f.flow.reversed())) } else { None })
        .collect();
    assert_eq!(roles, [("master", false), ("outstation", true)]);
    assert_eq!(super::super::table::operation(8, None).0, OpClass::Other);
}
