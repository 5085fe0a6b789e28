//! Vectors computed by hand: request, answer and refusal of every public function (specification V1.1b3 §6, whose examples they follow).

use super::{bench, pdu, reasons, tail};

/// Request and answer give these rows, and a refusal with code 2 repeats what of the request `refused` says.
fn check(name: &str, (request, expect_request): (&str, &str), (answer, expect_answer): (&str, &str), refused: &str) {
    let mut whole = bench();
    whole.client(&pdu(request)).server(&pdu(answer)).close();
    let rows = whole.rows("modbus");
    assert_eq!(rows.len(), 2, "{name}: {rows:?}");
    assert!(rows.iter().all(|r| r.contains(&format!(" function_name={name} "))), "{name}: {rows:?}");
    assert!(rows[0].starts_with("1 > is_request=true variant=tcp transaction_id=1 "), "{name}: {rows:?}");
    assert!(rows[1].starts_with("2 < is_request=false variant=tcp transaction_id=1 "), "{name}: {rows:?}");
    assert_eq!((tail(&rows[0]), tail(&rows[1])), (expect_request, expect_answer), "{name}");
    assert!(rows[0].ends_with(" pair=2") && rows[1].ends_with(" pair=1 response_time=1000000ns"), "{name}: {rows:?}");
    assert_eq!(reasons(&whole), [""; 0], "{name}");

    let code = u8::from_str_radix(&request[..2], 16).unwrap() | 0x80;
    let mut refusal = bench();
    refusal.client(&pdu(request)).server(&pdu(&format!("{code:02x} 02"))).close();
    let rows = refusal.rows("modbus");
    let expect = format!("{refused} exception_code=2 exception_name=illegal_data_address");
    assert_eq!(tail(&rows[1]), expect.trim_start(), "{name}");
    assert!(rows[1].contains(&format!(" function_code={} ", code & 0x7f)), "{name}");
    assert_eq!(reasons(&refusal), [""; 0], "{name}");
}

#[test]
fn reads_of_bits() {
    let at = "address=19 quantity=19";
    let bits = "address=19 quantity=19 values=[1,0,1,1,0,0,1,1,1,1,0,1,0,1,1,0,1,0,1]";
    check("read_coils", ("01 0013 0013", at), ("01 03 cd 6b 05", bits), at);
    let at = "address=196 quantity=22";
    let bits = "address=196 quantity=22 values=[0,0,1,1,0,1,0,1,1,1,0,1,1,0,1,1,1,0,1,0,1,1]";
    check("read_discrete_inputs", ("02 00c4 0016", at), ("02 03 ac db 35", bits), at);
}

#[test]
fn reads_of_registers() {
    let at = "address=107 quantity=3";
    check(
        "read_holding_registers",
        ("03 006b 0003", at),
        ("03 06 022b 0000 0064", "address=107 quantity=3 values=[555,0,100]"),
        at,
    );
    let at = "address=8 quantity=1";
    check("read_input_registers", ("04 0008 0001", at), ("04 02 000a", "address=8 quantity=1 values=[10]"), at);
}

#[test]
fn single_writes() {
    let on = "address=172 values=[1]";
    check("write_single_coil", ("05 00ac ff00", on), ("05 00ac ff00", on), "address=172");
    let off = "address=172 values=[0]";
    check("write_single_coil", ("05 00ac 0000", off), ("05 00ac 0000", off), "address=172");
    let value = "address=1 values=[65535]";
    check("write_single_register", ("06 0001 ffff", value), ("06 0001 ffff", value), "address=1");
}

#[test]
fn multiple_writes() {
    let (asked, done) = ("address=19 quantity=10 values=[1,0,1,1,0,0,1,1,1,0]", "address=19 quantity=10");
    check("write_multiple_coils", ("0f 0013 000a 02 cd01", asked), ("0f 0013 000a", done), done);
    let (asked, done) = ("address=1 quantity=2 values=[10,258]", "address=1 quantity=2");
    check("write_multiple_registers", ("10 0001 0002 04 000a 0102", asked), ("10 0001 0002", done), done);
    let masks = "address=4 and_mask=242 or_mask=37";
    check("mask_write_register", ("16 0004 00f2 0025", masks), ("16 0004 00f2 0025", masks), "address=4");
    let asked = "address=3 quantity=6 write_address=14 write_quantity=3 write_values=[255,256,257]";
    let read = "address=3 quantity=6 values=[254,2765,1,3,13,255]";
    let (request, answer) = ("17 0003 0006 000e 0003 06 00ff 0100 0101", "17 0c 00fe 0acd 0001 0003 000d 00ff");
    check("read_write_multiple_registers", (request, asked), (answer, read), "address=3 quantity=6");
}

#[test]
fn status_and_logs() {
    check("read_exception_status", ("07", ""), ("07 6d", "status=109"), "");
    check("get_comm_event_counter", ("0b", ""), ("0b ffff 0108", "status=65535 event_count=264"), "");
    let log = "status=0 event_count=264 message_count=289 data=2000";
    check("get_comm_event_log", ("0c", ""), ("0c 08 0000 0108 0121 2000", log), "");
    check("report_server_id", ("11", ""), ("11 03 09 ff 41", "data=09ff41"), "");
}

#[test]
fn diagnostics_name_their_sub_function() {
    let echo = "values=[42295] sub_function=0";
    check("diagnostics", ("08 0000 a537", echo), ("08 0000 a537", echo), "");
    let listen = "values=[0] sub_function=4";
    check("diagnostics", ("08 0004 0000", listen), ("08 0004 0000", listen), "");
    let count = "values=[7] sub_function=11";
    check("diagnostics", ("08 000b 0000", "values=[0] sub_function=11"), ("08 000b 0007", count), "");
}

#[test]
fn file_records() {
    let asked = "file_numbers=[4,3] record_numbers=[1,9] record_lengths=[2,2]";
    let read = "values=[3582,32,13261,64] file_numbers=[4,3] record_numbers=[1,9] record_lengths=[2,2]";
    let request = "14 0e 06 0004 0001 0002 06 0003 0009 0002";
    check("read_file_record", (request, asked), ("14 0c 05 06 0dfe 0020 05 06 33cd 0040", read), "");
    let write = "15 0d 06 0004 0007 0003 06af 04be 100d";
    let written = "values=[1711,1214,4109] file_numbers=[4] record_numbers=[7] record_lengths=[3]";
    check("write_file_record", (write, written), (write, written), "");
}

#[test]
fn fifo_queue() {
    let read = "address=1246 quantity=2 values=[440,4740]";
    check("read_fifo_queue", ("18 04de", "address=1246"), ("18 0006 0002 01b8 1284", read), "address=1246");
}

#[test]
fn encapsulated_interface() {
    let asked = "mei_type=14 device_id_code=1 object_id=0";
    let told = "mei_type=14 device_id_code=1 conformity_level=1 more_follows=0 next_object_id=0 object_ids=[0,1,2] object_values=[Acme,R7,V2]";
    let answer = "2b 0e 01 01 00 00 03 00 04 41636d65 01 02 5237 02 02 5632";
    check("encapsulated_interface_transport", ("2b 0e 01 00", asked), (answer, told), "");
    let (asked, told) = ("mei_type=13 data=0102", "mei_type=13 data=030405");
    check("encapsulated_interface_transport", ("2b 0d 0102", asked), ("2b 0d 030405", told), "");
}

#[test]
fn makers_functions_keep_their_data() {
    check("umas", ("5a 00 02", "data=0002"), ("5a 00 fe 06", "data=00fe06"), "");
    check("user_defined", ("41 aa", "data=aa"), ("41 bb cc", "data=bbcc"), "");
    check("unknown", ("60 aa", "data=aa"), ("60 bb", "data=bb"), "");
}

/// A request with this PDU gives this row and this anomaly.
fn check_fault(request: &str, expect: &str, reason: &str) {
    let mut bench = bench();
    bench.client(&pdu(request)).close();
    let rows = bench.rows("modbus");
    assert_eq!(rows.iter().map(|r| tail(r)).collect::<Vec<_>>(), [expect], "{request}");
    assert_eq!(reasons(&bench), [reason], "{request}");
}

#[test]
fn contradictions_are_named_and_the_rest_is_told() {
    check_fault("03 0000 007e", "address=0 quantity=126", "quantity_out_of_range");
    check_fault("03 0000 0000", "address=0 quantity=0", "quantity_out_of_range");
    check_fault("01 0000 07d1", "address=0 quantity=2001", "quantity_out_of_range");
    check_fault("03 ffff 0002", "address=65535 quantity=2", "address_out_of_range");
    check_fault("05 0001 1234", "address=1 values=[4660]", "coil_value_invalid");
    check_fault("03 0001 0002 ff", "address=1 quantity=2 data=ff", "trailing_bytes");
    check_fault("16 0001 0002", "address=1", "pdu_cut");
    check_fault("10 0001 0002 05 0001 0002", "address=1 quantity=2 data=00010002", "byte_count_mismatch");
    check_fault("2b 0e 09 00", "mei_type=14 device_id_code=9 object_id=0", "device_id_code_invalid");
    check_fault(
        "14 07 07 0001 0001 0001",
        "file_numbers=[] record_numbers=[] record_lengths=[] data=07000100010001",
        "file_group_broken",
    );
}

#[test]
fn the_largest_quantities_are_no_contradiction() {
    for request in ["03 0000 007d", "04 ff83 007d", "01 0000 07d0", "02 f830 07d0"] {
        let mut bench = bench();
        bench.client(&pdu(request)).close();
        assert_eq!((bench.rows("modbus").len(), reasons(&bench).len()), (1, 0), "{request}");
    }
}
