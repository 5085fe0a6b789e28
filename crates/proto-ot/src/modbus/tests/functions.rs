//! Functions that makers added, and contradictions.

use super::vectors::check;
use super::{bench, pdu, reasons, tail};

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
