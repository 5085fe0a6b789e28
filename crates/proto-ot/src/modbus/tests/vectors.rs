//! Vectors computed by hand: three requests with answer and refusal of every public function (specification V1.1b3 §6, whose examples
//! they begin with).

use std::collections::BTreeMap;

use super::{bench, pdu, reasons, tail};
use crate::modbus::parse::is_public;
use crate::modbus::table::{LEFT_RAW, function_name};

/// Request and its row, answer and its row, what a refusal repeats of the request.
type Vector = (&'static str, &'static str, &'static str, &'static str, &'static str);

const VECTORS: &[(&str, &[Vector])] = &[
    (
        "read_coils",
        &[
            (
                "01 0013 0013",
                "address=19 quantity=19",
                "01 03 cd 6b 05",
                "address=19 quantity=19 values=[1,0,1,1,0,0,1,1,1,1,0,1,0,1,1,0,1,0,1]",
                "address=19 quantity=19",
            ),
            (
                "01 0000 0001",
                "address=0 quantity=1",
                "01 01 00",
                "address=0 quantity=1 values=[0]",
                "address=0 quantity=1",
            ),
            (
                "01 fff8 0008",
                "address=65528 quantity=8",
                "01 01 ff",
                "address=65528 quantity=8 values=[1,1,1,1,1,1,1,1]",
                "address=65528 quantity=8",
            ),
        ],
    ),
    (
        "read_discrete_inputs",
        &[
            (
                "02 00c4 0016",
                "address=196 quantity=22",
                "02 03 ac db 35",
                "address=196 quantity=22 values=[0,0,1,1,0,1,0,1,1,1,0,1,1,0,1,1,1,0,1,0,1,1]",
                "address=196 quantity=22",
            ),
            (
                "02 0000 0002",
                "address=0 quantity=2",
                "02 01 02",
                "address=0 quantity=2 values=[0,1]",
                "address=0 quantity=2",
            ),
            (
                "02 ffff 0001",
                "address=65535 quantity=1",
                "02 01 01",
                "address=65535 quantity=1 values=[1]",
                "address=65535 quantity=1",
            ),
        ],
    ),
    (
        "read_holding_registers",
        &[
            (
                "03 006b 0003",
                "address=107 quantity=3",
                "03 06 022b 0000 0064",
                "address=107 quantity=3 values=[555,0,100]",
                "address=107 quantity=3",
            ),
            (
                "03 0000 0001",
                "address=0 quantity=1",
                "03 02 8000",
                "address=0 quantity=1 values=[32768]",
                "address=0 quantity=1",
            ),
            (
                "03 fffe 0002",
                "address=65534 quantity=2",
                "03 04 ffff 0000",
                "address=65534 quantity=2 values=[65535,0]",
                "address=65534 quantity=2",
            ),
        ],
    ),
    (
        "read_input_registers",
        &[
            (
                "04 0008 0001",
                "address=8 quantity=1",
                "04 02 000a",
                "address=8 quantity=1 values=[10]",
                "address=8 quantity=1",
            ),
            (
                "04 0000 0002",
                "address=0 quantity=2",
                "04 04 0000 7fff",
                "address=0 quantity=2 values=[0,32767]",
                "address=0 quantity=2",
            ),
            (
                "04 ffff 0001",
                "address=65535 quantity=1",
                "04 02 ffff",
                "address=65535 quantity=1 values=[65535]",
                "address=65535 quantity=1",
            ),
        ],
    ),
    (
        "write_single_coil",
        &[
            ("05 00ac ff00", "address=172 values=[1]", "05 00ac ff00", "address=172 values=[1]", "address=172"),
            ("05 00ac 0000", "address=172 values=[0]", "05 00ac 0000", "address=172 values=[0]", "address=172"),
            ("05 ffff ff00", "address=65535 values=[1]", "05 ffff ff00", "address=65535 values=[1]", "address=65535"),
        ],
    ),
    (
        "write_single_register",
        &[
            ("06 0001 ffff", "address=1 values=[65535]", "06 0001 ffff", "address=1 values=[65535]", "address=1"),
            ("06 0000 0000", "address=0 values=[0]", "06 0000 0000", "address=0 values=[0]", "address=0"),
            (
                "06 ffff 8000",
                "address=65535 values=[32768]",
                "06 ffff 8000",
                "address=65535 values=[32768]",
                "address=65535",
            ),
        ],
    ),
    (
        "read_exception_status",
        &[
            ("07", "", "07 6d", "status=109", ""),
            ("07", "", "07 00", "status=0", ""),
            ("07", "", "07 ff", "status=255", ""),
        ],
    ),
    (
        "diagnostics",
        &[
            ("08 0000 a537", "values=[42295] sub_function=0", "08 0000 a537", "values=[42295] sub_function=0", ""),
            ("08 0004 0000", "values=[0] sub_function=4", "08 0004 0000", "values=[0] sub_function=4", ""),
            ("08 000b 0000", "values=[0] sub_function=11", "08 000b 0007", "values=[7] sub_function=11", ""),
            ("08 0012 0000", "values=[0] sub_function=18", "08 0012 ffff", "values=[65535] sub_function=18", ""),
        ],
    ),
    (
        "get_comm_event_counter",
        &[
            ("0b", "", "0b ffff 0108", "status=65535 event_count=264", ""),
            ("0b", "", "0b 0000 0000", "status=0 event_count=0", ""),
            ("0b", "", "0b 0000 ffff", "status=0 event_count=65535", ""),
        ],
    ),
    (
        "get_comm_event_log",
        &[
            ("0c", "", "0c 08 0000 0108 0121 2000", "status=0 event_count=264 message_count=289 data=2000", ""),
            ("0c", "", "0c 06 ffff 0000 0000", "status=65535 event_count=0 message_count=0", ""),
            ("0c", "", "0c 09 0000 ffff ffff 040080", "status=0 event_count=65535 message_count=65535 data=040080", ""),
        ],
    ),
    (
        "write_multiple_coils",
        &[
            (
                "0f 0013 000a 02 cd01",
                "address=19 quantity=10 values=[1,0,1,1,0,0,1,1,1,0]",
                "0f 0013 000a",
                "address=19 quantity=10",
                "address=19 quantity=10",
            ),
            (
                "0f 0000 0001 01 01",
                "address=0 quantity=1 values=[1]",
                "0f 0000 0001",
                "address=0 quantity=1",
                "address=0 quantity=1",
            ),
            (
                "0f fff8 0008 01 80",
                "address=65528 quantity=8 values=[0,0,0,0,0,0,0,1]",
                "0f fff8 0008",
                "address=65528 quantity=8",
                "address=65528 quantity=8",
            ),
        ],
    ),
    (
        "write_multiple_registers",
        &[
            (
                "10 0001 0002 04 000a 0102",
                "address=1 quantity=2 values=[10,258]",
                "10 0001 0002",
                "address=1 quantity=2",
                "address=1 quantity=2",
            ),
            (
                "10 0000 0001 02 8000",
                "address=0 quantity=1 values=[32768]",
                "10 0000 0001",
                "address=0 quantity=1",
                "address=0 quantity=1",
            ),
            (
                "10 fffe 0002 04 ffff 0000",
                "address=65534 quantity=2 values=[65535,0]",
                "10 fffe 0002",
                "address=65534 quantity=2",
                "address=65534 quantity=2",
            ),
        ],
    ),
    (
        "report_server_id",
        &[
            ("11", "", "11 03 09ff41", "data=09ff41", ""),
            ("11", "", "11 01 00", "data=00", ""),
            ("11", "", "11 05 4100313233", "data=4100313233", ""),
        ],
    ),
    (
        "read_file_record",
        &[
            (
                "14 0e 06 0004 0001 0002 06 0003 0009 0002",
                "file_numbers=[4,3] record_numbers=[1,9] record_lengths=[2,2]",
                "14 0c 05 06 0dfe 0020 05 06 33cd 0040",
                "values=[3582,32,13261,64] file_numbers=[4,3] record_numbers=[1,9] record_lengths=[2,2]",
                "",
            ),
            (
                "14 07 06 ffff 270f 0001",
                "file_numbers=[65535] record_numbers=[9999] record_lengths=[1]",
                "14 04 03 06 0000",
                "values=[0] file_numbers=[65535] record_numbers=[9999] record_lengths=[1]",
                "",
            ),
            (
                "14 07 06 0001 0000 0002",
                "file_numbers=[1] record_numbers=[0] record_lengths=[2]",
                "14 06 05 06 ffff 8000",
                "values=[65535,32768] file_numbers=[1] record_numbers=[0] record_lengths=[2]",
                "",
            ),
        ],
    ),
    (
        "write_file_record",
        &[
            (
                "15 0d 06 0004 0007 0003 06af 04be 100d",
                "values=[1711,1214,4109] file_numbers=[4] record_numbers=[7] record_lengths=[3]",
                "15 0d 06 0004 0007 0003 06af 04be 100d",
                "values=[1711,1214,4109] file_numbers=[4] record_numbers=[7] record_lengths=[3]",
                "",
            ),
            (
                "15 09 06 ffff 270f 0001 8000",
                "values=[32768] file_numbers=[65535] record_numbers=[9999] record_lengths=[1]",
                "15 09 06 ffff 270f 0001 8000",
                "values=[32768] file_numbers=[65535] record_numbers=[9999] record_lengths=[1]",
                "",
            ),
            (
                "15 12 06 0001 0000 0001 0000 06 0002 0001 0001 ffff",
                "values=[0,65535] file_numbers=[1,2] record_numbers=[0,1] record_lengths=[1,1]",
                "15 12 06 0001 0000 0001 0000 06 0002 0001 0001 ffff",
                "values=[0,65535] file_numbers=[1,2] record_numbers=[0,1] record_lengths=[1,1]",
                "",
            ),
        ],
    ),
    (
        "mask_write_register",
        &[
            (
                "16 0004 00f2 0025",
                "address=4 and_mask=242 or_mask=37",
                "16 0004 00f2 0025",
                "address=4 and_mask=242 or_mask=37",
                "address=4",
            ),
            (
                "16 0000 0000 ffff",
                "address=0 and_mask=0 or_mask=65535",
                "16 0000 0000 ffff",
                "address=0 and_mask=0 or_mask=65535",
                "address=0",
            ),
            (
                "16 ffff ffff 0000",
                "address=65535 and_mask=65535 or_mask=0",
                "16 ffff ffff 0000",
                "address=65535 and_mask=65535 or_mask=0",
                "address=65535",
            ),
        ],
    ),
    (
        "read_write_multiple_registers",
        &[
            (
                "17 0003 0006 000e 0003 06 00ff 0100 0101",
                "address=3 quantity=6 write_address=14 write_quantity=3 write_values=[255,256,257]",
                "17 0c 00fe 0acd 0001 0003 000d 00ff",
                "address=3 quantity=6 values=[254,2765,1,3,13,255]",
                "address=3 quantity=6",
            ),
            (
                "17 0000 0001 0000 0001 02 8000",
                "address=0 quantity=1 write_address=0 write_quantity=1 write_values=[32768]",
                "17 02 7fff",
                "address=0 quantity=1 values=[32767]",
                "address=0 quantity=1",
            ),
            (
                "17 ffff 0001 fffe 0002 04 0000 ffff",
                "address=65535 quantity=1 write_address=65534 write_quantity=2 write_values=[0,65535]",
                "17 02 ffff",
                "address=65535 quantity=1 values=[65535]",
                "address=65535 quantity=1",
            ),
        ],
    ),
    (
        "read_fifo_queue",
        &[
            (
                "18 04de",
                "address=1246",
                "18 0006 0002 01b8 1284",
                "address=1246 quantity=2 values=[440,4740]",
                "address=1246",
            ),
            ("18 0000", "address=0", "18 0002 0000", "address=0 quantity=0 values=[]", "address=0"),
            (
                "18 ffff",
                "address=65535",
                "18 0004 0001 ffff",
                "address=65535 quantity=1 values=[65535]",
                "address=65535",
            ),
        ],
    ),
    (
        "encapsulated_interface_transport",
        &[
            (
                "2b 0e 01 00",
                "mei_type=14 device_id_code=1 object_id=0",
                "2b 0e 01 01 00 00 03 00 04 41636d65 01 02 5237 02 02 5632",
                "mei_type=14 device_id_code=1 conformity_level=1 more_follows=0 next_object_id=0 object_ids=[0,1,2] object_values=[Acme,R7,V2]",
                "",
            ),
            (
                "2b 0e 04 02",
                "mei_type=14 device_id_code=4 object_id=2",
                "2b 0e 04 81 00 00 01 02 02 5633",
                "mei_type=14 device_id_code=4 conformity_level=129 more_follows=0 next_object_id=0 object_ids=[2] object_values=[V3]",
                "",
            ),
            (
                "2b 0e 03 00",
                "mei_type=14 device_id_code=3 object_id=0",
                "2b 0e 03 83 ff 81 01 80 00",
                "mei_type=14 device_id_code=3 conformity_level=131 more_follows=255 next_object_id=129 object_ids=[128] object_values=[]",
                "",
            ),
        ],
    ),
];

/// Request and answer give these rows, and a refusal with code 2 repeats what of the request `refused` says.
pub fn check(
    name: &str,
    (request, expect_request): (&str, &str),
    (answer, expect_answer): (&str, &str),
    refused: &str,
) {
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
fn every_public_function() {
    for (name, vectors) in VECTORS {
        for (request, asked, answer, told, refused) in *vectors {
            check(name, (request, asked), (answer, told), refused);
        }
    }
}

/// Three vectors at least for every function that is taken apart; of the others, those with a name are listed as left raw.
#[test]
fn everything_claimed_is_shown() {
    let code = |v: &Vector| u8::from_str_radix(&v.0[..2], 16).unwrap();
    let mut shown: BTreeMap<u8, usize> = BTreeMap::new();
    VECTORS.iter().flat_map(|(_, vectors)| *vectors).for_each(|v| *shown.entry(code(v)).or_default() += 1);
    let claimed: Vec<u8> = (0..128).filter(|f| is_public(*f)).collect();
    assert_eq!(shown.keys().copied().collect::<Vec<_>>(), claimed);
    let few: Vec<_> = shown.iter().filter(|(_, n)| **n < 3).collect();
    assert!(few.is_empty(), "under three vectors: {few:?}");
    let named: Vec<u8> = (0..128).filter(|f| !is_public(*f) && function_name(*f) != "unknown").collect();
    let listed: Vec<u8> = LEFT_RAW.iter().flat_map(|(codes, _)| codes.clone()).collect();
    assert_eq!(listed, named);
    let body = "data=0102";
    for function in listed {
        let pdu = format!("{function:02x} 01 02");
        check(function_name(function), (&pdu, body), (&pdu, body), "");
    }
}
