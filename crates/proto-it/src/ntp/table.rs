//! Names of NTP modes and control operations (RFC 5905 figure 10, RFC 9327 §2).

/// Name of a mode; mode 0 is reserved.
pub fn mode_name(mode: u8) -> Option<&'static str> {
    let name = match mode {
        1 => "symmetric_active",
        2 => "symmetric_passive",
        3 => "client",
        4 => "server",
        5 => "broadcast",
        6 => "control",
        7 => "private",
        _ => return None,
    };
    Some(name)
}

/// Name of a control operation; none when it is not known.
pub fn opcode_name(opcode: u8) -> Option<&'static str> {
    let name = match opcode {
        1 => "read_status",
        2 => "read_variables",
        3 => "write_variables",
        4 => "read_clock_variables",
        5 => "write_clock_variables",
        6 => "set_trap",
        7 => "asynchronous_message",
        8 => "configure",
        9 => "save_configuration",
        10 => "read_mru",
        11 => "read_ordered_list",
        12 => "request_nonce",
        31 => "unset_trap",
        _ => return None,
    };
    Some(name)
}
