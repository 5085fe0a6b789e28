//! Code tables of the Modbus application protocol (specification V1.1b3 §5.1, §6, §7) and of the functions makers added.

use gwcore::OpClass;

/// Name of a function; every number has one, so that a scan over all of them stays readable.
pub fn function_name(function: u8) -> &'static str {
    match function {
        1 => "read_coils",
        2 => "read_discrete_inputs",
        3 => "read_holding_registers",
        4 => "read_input_registers",
        5 => "write_single_coil",
        6 => "write_single_register",
        7 => "read_exception_status",
        8 => "diagnostics",
        9 => "program_484",
        10 => "poll_484",
        11 => "get_comm_event_counter",
        12 => "get_comm_event_log",
        13 => "program_controller",
        14 => "poll_controller",
        15 => "write_multiple_coils",
        16 => "write_multiple_registers",
        17 => "report_server_id",
        18 => "program_884",
        19 => "reset_comm_link",
        20 => "read_file_record",
        21 => "write_file_record",
        22 => "mask_write_register",
        23 => "read_write_multiple_registers",
        24 => "read_fifo_queue",
        40 => "program_concept",
        43 => "encapsulated_interface_transport",
        65..=72 | 100..=110 => "user_defined",
        90 => "umas",
        125 => "firmware_replacement",
        126 => "program_584",
        127 => "report_local_address",
        _ => "unknown",
    }
}

/// Functions of makers whose octets stay whole in `data`; of UMAS the code is named as well.
pub const LEFT_RAW: &[(std::ops::RangeInclusive<u8>, &str)] = &[
    (9..=10, "program and poll 484"),
    (13..=14, "program and poll a controller"),
    (18..=18, "program 884"),
    (19..=19, "reset communication link"),
    (40..=40, "program Concept"),
    (65..=72, "user-defined"),
    (90..=90, "UMAS"),
    (100..=110, "user-defined"),
    (125..=125, "firmware replacement"),
    (126..=126, "program 584"),
    (127..=127, "report local address"),
];

/// Name of an exception code (§7).
pub fn exception_name(code: u8) -> &'static str {
    match code {
        1 => "illegal_function",
        2 => "illegal_data_address",
        3 => "illegal_data_value",
        4 => "server_device_failure",
        5 => "acknowledge",
        6 => "server_device_busy",
        7 => "negative_acknowledge",
        8 => "memory_parity_error",
        10 => "gateway_path_unavailable",
        11 => "gateway_target_failed_to_respond",
        _ => "unknown",
    }
}

/// Name of a sub-function of diagnostics (§6.8).
pub fn diagnostic_name(sub: u16) -> &'static str {
    match sub {
        0 => "return_query_data",
        1 => "restart_communications_option",
        2 => "return_diagnostic_register",
        3 => "change_ascii_input_delimiter",
        4 => "force_listen_only_mode",
        10 => "clear_counters_and_diagnostic_register",
        11 => "return_bus_message_count",
        12 => "return_bus_communication_error_count",
        13 => "return_bus_exception_error_count",
        14 => "return_server_message_count",
        15 => "return_server_no_response_count",
        16 => "return_server_nak_count",
        17 => "return_server_busy_count",
        18 => "return_bus_character_overrun_count",
        20 => "clear_overrun_counter_and_flag",
        21 => "get_clear_modbus_plus_statistics",
        _ => "diagnostics",
    }
}

/// Class and name of the operation a request asks for; `sub` is the sub-function of diagnostics, the MEI type or the UMAS code.
pub fn operation(function: u8, sub: Option<u16>) -> (OpClass, &'static str) {
    let name = function_name(function);
    let class = match function {
        1..=4 | 24 => OpClass::Read,
        5 | 15 => OpClass::Control,
        6 | 16 | 22 | 23 => OpClass::SetPoint,
        7 | 11 | 12 | 17 => OpClass::Identify,
        8 => return diagnostic(sub),
        19 => OpClass::Restart,
        20 => OpClass::Upload,
        21 | 125 => OpClass::Download,
        43 if sub == Some(14) => return (OpClass::Identify, "read_device_identification"),
        43 if sub == Some(13) => return (OpClass::Other, "canopen_general_reference"),
        90 => return umas(sub),
        _ => OpClass::Other,
    };
    (class, name)
}

fn diagnostic(sub: Option<u16>) -> (OpClass, &'static str) {
    let class = match sub {
        Some(1) => OpClass::Restart,
        Some(3) => OpClass::Parameter,
        Some(4) => OpClass::Mode,
        Some(10 | 20) => OpClass::Clear,
        Some(0 | 2 | 11..=18 | 21) => OpClass::Identify,
        _ => OpClass::Other,
    };
    (class, sub.map_or("diagnostics", diagnostic_name))
}

/// Schneider's UMAS, whose codes follow a session byte; its makers call a transfer *to* the controller an upload.
fn umas(code: Option<u16>) -> (OpClass, &'static str) {
    match code.unwrap_or(0) {
        0x01 => (OpClass::Other, "umas_init_comm"),
        0x02 => (OpClass::Identify, "umas_read_id"),
        0x03 => (OpClass::Identify, "umas_read_project_info"),
        0x04 => (OpClass::Identify, "umas_read_plc_info"),
        0x06 => (OpClass::Identify, "umas_read_card_info"),
        0x0a => (OpClass::Other, "umas_repeat"),
        0x10 => (OpClass::Other, "umas_take_plc_reservation"),
        0x11 => (OpClass::Other, "umas_release_plc_reservation"),
        0x12 => (OpClass::Other, "umas_keep_alive"),
        0x20 => (OpClass::Read, "umas_read_memory_block"),
        0x21 => (OpClass::SetPoint, "umas_write_memory_block"),
        0x22 => (OpClass::Read, "umas_read_variables"),
        0x23 => (OpClass::SetPoint, "umas_write_variables"),
        0x24 => (OpClass::Read, "umas_read_coils_registers"),
        0x25 => (OpClass::SetPoint, "umas_write_coils_registers"),
        0x30 => (OpClass::Download, "umas_initialize_upload"),
        0x31 => (OpClass::Download, "umas_upload_block"),
        0x32 => (OpClass::Download, "umas_end_strategy_upload"),
        0x33 => (OpClass::Upload, "umas_initialize_download"),
        0x34 => (OpClass::Upload, "umas_download_block"),
        0x35 => (OpClass::Upload, "umas_end_strategy_download"),
        0x39 => (OpClass::Read, "umas_read_eth_master_data"),
        0x40 => (OpClass::Mode, "umas_start_plc"),
        0x41 => (OpClass::Mode, "umas_stop_plc"),
        0x50 => (OpClass::Read, "umas_monitor_plc"),
        0x58 => (OpClass::Identify, "umas_check_plc"),
        0x70 => (OpClass::Read, "umas_read_io_object"),
        0x71 => (OpClass::SetPoint, "umas_write_io_object"),
        0x73 => (OpClass::Identify, "umas_get_status_module"),
        _ => (OpClass::Other, "umas"),
    }
}

/// The table of points that a function reads or writes.
pub fn point_table(function: u8) -> Option<&'static str> {
    Some(match function {
        1 | 5 | 15 => "coil",
        2 => "discrete_input",
        3 | 6 | 16 | 22 | 23 => "holding_register",
        4 => "input_register",
        _ => return None,
    })
}
