//! Names of codes and the layout of objects by group and variation (IEEE 1815 annex A).

/// One field of an object of fixed size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum F {
    /// Flags with the state in bit 7.
    State,
    /// Flags with a double-bit state in bits 6 and 7.
    Double,
    /// Flags alone.
    Flags,
    /// Command status in bits 0 to 6, commanded state in bit 7.
    StateStatus,
    /// Command status.
    Status,
    /// Signed 16-bit value.
    I16,
    /// Signed 32-bit value.
    I32,
    /// Unsigned 8-bit value.
    U8,
    /// Unsigned 16-bit value.
    U16,
    /// Unsigned 32-bit value.
    U32,
    /// Single-precision value.
    F32,
    /// Double-precision value.
    F64,
    /// Binary-coded decimal of so many octets.
    Bcd(usize),
    /// Absolute time: 48 bits of milliseconds since 1970 UTC.
    Time,
    /// Common time of occurrence: as `Time`, and relative times that follow count from it.
    Occurrence,
    /// Milliseconds after the common time of occurrence.
    Relative,
    /// A delay; the number is how many milliseconds one unit has.
    Delay(u32),
    /// Octets that have no column of their own.
    Skip(usize),
}

impl F {
    /// Octets it takes.
    pub fn size(self) -> usize {
        match self {
            F::State | F::Double | F::Flags | F::StateStatus | F::Status | F::U8 => 1,
            F::I16 | F::U16 | F::Relative | F::Delay(_) => 2,
            F::I32 | F::U32 | F::F32 => 4,
            F::F64 => 8,
            F::Time | F::Occurrence => 6,
            F::Bcd(n) | F::Skip(n) => n,
        }
    }
}

/// How the objects of one group and variation are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Packed, so many bits a point.
    Bits(u32),
    /// Fields of fixed size, one after the other.
    Fields(&'static [F]),
    /// Control relay output block, or pattern control block: the same octets.
    Relay,
    /// Device attribute: type, length, value.
    Attribute,
    /// File object; the variation tells which.
    File,
    /// Authentication; the variation tells which.
    Auth,
    /// As many octets as the variation says.
    Octets,
    /// Only a size prefix tells how many octets.
    Sized,
    /// Never has objects.
    None,
    /// Not in the standard.
    Unknown,
}

/// The layout of a group and variation.
pub fn layout(group: u8, variation: u8) -> Layout {
    use F::*;
    use Layout::Fields;
    match (group, variation) {
        (0, _) => Layout::Attribute,
        (1 | 10, 1) | (12, 3) | (80, 1) => Layout::Bits(1),
        (3, 1) => Layout::Bits(2),
        (1 | 10, 2) | (2 | 11, 1) => Fields(&[State]),
        (2 | 11, 2) => Fields(&[State, Time]),
        (2, 3) => Fields(&[State, Relative]),
        (3, 2) | (4, 1) => Fields(&[Double]),
        (4, 2) => Fields(&[Double, Time]),
        (4, 3) => Fields(&[Double, Relative]),
        (12, 1 | 2) => Layout::Relay,
        (13, 1) => Fields(&[StateStatus]),
        (13, 2) => Fields(&[StateStatus, Time]),
        (20..=23, _) => counter(group, variation),
        (30..=33 | 40 | 42, _) => analog(group, variation),
        (34, 1) => Fields(&[U16]),
        (34, 2) => Fields(&[U32]),
        (34, 3) => Fields(&[F32]),
        (41, 1) => Fields(&[I32, Status]),
        (41, 2) => Fields(&[I16, Status]),
        (41, 3) => Fields(&[F32, Status]),
        (41, 4) => Fields(&[F64, Status]),
        (43, 1) => Fields(&[Status, I32]),
        (43, 2) => Fields(&[Status, I16]),
        (43, 3) => Fields(&[Status, I32, Time]),
        (43, 4) => Fields(&[Status, I16, Time]),
        (43, 5) => Fields(&[Status, F32]),
        (43, 6) => Fields(&[Status, F64]),
        (43, 7) => Fields(&[Status, F32, Time]),
        (43, 8) => Fields(&[Status, F64, Time]),
        (50, 1 | 3) => Fields(&[Time]),
        (50, 2) => Fields(&[Time, U32]),
        (50, 4) => Fields(&[Time, U32, Skip(1)]),
        (51, 1 | 2) => Fields(&[Occurrence]),
        (52, 1) => Fields(&[Delay(1_000)]),
        (52, 2) => Fields(&[Delay(1)]),
        (60, 1..=4) => Layout::None,
        (70, 2..=8) => Layout::File,
        (81, 1) => Fields(&[U8, Skip(2)]),
        (86, 2) => Fields(&[Flags]),
        (101, 1) => Fields(&[Bcd(2)]),
        (101, 2) => Fields(&[Bcd(4)]),
        (101, 3) => Fields(&[Bcd(8)]),
        (102, 1) => Fields(&[U8]),
        (110..=113, _) => Layout::Octets,
        (120, 1..=15) => Layout::Auth,
        (121 | 122, 1) => Fields(&[Flags, Skip(2), U32]),
        (122, 2) => Fields(&[Flags, Skip(2), U32, Time]),
        _ if LEFT_RAW.iter().any(|(g, v, _)| *g == group && (v.is_empty() || v.contains(&variation))) => Layout::Sized,
        _ => Layout::Unknown,
    }
}

/// Objects whose octets stay whole in `value_bytes`: group, variations (none named: all), name in annex A.
pub const LEFT_RAW: &[(u8, &[u8], &str)] = &[
    (70, &[1], "file identifier (obsolete)"),
    (82, &[1], "device profile"),
    (83, &[1, 2], "private registration object and its descriptor"),
    (85, &[0, 1], "data set prototype"),
    (86, &[0, 1, 3], "data set descriptor: contents, point index attributes"),
    (87, &[0, 1], "data set, present value"),
    (88, &[0, 1], "data set, snapshot"),
    (90, &[1], "application identifier"),
    (91, &[1], "status of requested operation"),
    (114, &[], "extended octet string"),
    (115, &[], "extended octet string event"),
];

/// Counters, frozen counters and their events; the delta variations (3, 4, 7, 8, 11, 12) are obsolete but laid out alike.
fn counter(group: u8, variation: u8) -> Layout {
    use F::*;
    use Layout::Fields;
    match (group, variation) {
        (_, 1 | 3) => Fields(&[Flags, U32]),
        (_, 2 | 4) => Fields(&[Flags, U16]),
        (20, 5 | 7) | (21, 9 | 11) => Fields(&[U32]),
        (20, 6 | 8) | (21, 10 | 12) => Fields(&[U16]),
        (21..=23, 5 | 7) => Fields(&[Flags, U32, Time]),
        (21..=23, 6 | 8) => Fields(&[Flags, U16, Time]),
        _ => Layout::Unknown,
    }
}

/// Analogue inputs and outputs, frozen ones and events.
fn analog(group: u8, variation: u8) -> Layout {
    use F::*;
    use Layout::Fields;
    match (group, variation) {
        (_, 1) => Fields(&[Flags, I32]),
        (_, 2) => Fields(&[Flags, I16]),
        (30, 3) | (31, 5) => Fields(&[I32]),
        (30, 4) | (31, 6) => Fields(&[I16]),
        (40, 3) | (30, 5) | (31, 7) | (32 | 33 | 42, 5) => Fields(&[Flags, F32]),
        (40, 4) | (30, 6) | (31, 8) | (32 | 33 | 42, 6) => Fields(&[Flags, F64]),
        (31..=33 | 42, 3) => Fields(&[Flags, I32, Time]),
        (31..=33 | 42, 4) => Fields(&[Flags, I16, Time]),
        (32 | 33 | 42, 7) => Fields(&[Flags, F32, Time]),
        (32 | 33 | 42, 8) => Fields(&[Flags, F64, Time]),
        _ => Layout::Unknown,
    }
}

/// What kind of point a group holds; events are named as the point that changed.
pub fn group_name(group: u8) -> &'static str {
    match group {
        0 => "device_attribute",
        1 | 2 => "binary_input",
        3 | 4 => "double_bit_input",
        10 | 11 => "binary_output",
        12 => "binary_command",
        13 => "binary_command_event",
        20 | 22 => "counter",
        21 | 23 => "frozen_counter",
        30 | 32 => "analog_input",
        31 | 33 => "frozen_analog_input",
        34 => "analog_deadband",
        40 | 42 => "analog_output",
        41 => "analog_command",
        43 => "analog_command_event",
        50 => "time",
        51 => "time_of_occurrence",
        52 => "time_delay",
        60 => "class",
        70 => "file",
        80 => "internal_indications",
        81 => "storage",
        82 => "device_profile",
        83 => "private_registration",
        85 => "data_set_prototype",
        86 => "data_set_descriptor",
        87 | 88 => "data_set",
        90 => "application",
        91 => "operation_status",
        101 => "bcd",
        102 => "unsigned_integer",
        110 | 111 => "octet_string",
        112 | 113 => "virtual_terminal",
        114 | 115 => "extended_octet_string",
        120 => "authentication",
        121 | 122 => "security_statistic",
        _ => "unknown",
    }
}

/// Name of an application function code (table 4-2); none for one that the standard does not have.
pub fn function_name(code: u8) -> Option<&'static str> {
    const REQUESTS: [&str; 34] = [
        "confirm",
        "read",
        "write",
        "select",
        "operate",
        "direct operate",
        "direct operate without acknowledgement",
        "immediate freeze",
        "immediate freeze without acknowledgement",
        "freeze and clear",
        "freeze and clear without acknowledgement",
        "freeze at time",
        "freeze at time without acknowledgement",
        "cold restart",
        "warm restart",
        "initialize data",
        "initialize application",
        "start application",
        "stop application",
        "save configuration",
        "enable unsolicited",
        "disable unsolicited",
        "assign class",
        "delay measurement",
        "record current time",
        "open file",
        "close file",
        "delete file",
        "get file information",
        "authenticate file",
        "abort file",
        "activate configuration",
        "authentication request",
        "authentication request without acknowledgement",
    ];
    match code {
        129 => Some("response"),
        130 => Some("unsolicited response"),
        131 => Some("authentication response"),
        _ => REQUESTS.get(usize::from(code)).copied(),
    }
}

/// Name of a link function code (tables 9-1 and 9-2).
pub fn link_function_name(prm: bool, code: u8) -> &'static str {
    match (prm, code) {
        (true, 0) => "reset link states",
        (true, 1) => "reset user process",
        (true, 2) => "test link states",
        (true, 3) => "confirmed user data",
        (true, 4) => "unconfirmed user data",
        (true, 9) => "request link status",
        (false, 0) => "ack",
        (false, 1) => "nack",
        (false, 11) => "link status",
        (false, 15) => "not supported",
        _ => "unknown",
    }
}

/// The internal indications, IIN1.0 first (§4.5).
const INDICATIONS: [&str; 16] = [
    "broadcast",
    "class_1_events",
    "class_2_events",
    "class_3_events",
    "need_time",
    "local_control",
    "device_trouble",
    "device_restart",
    "no_func_code_support",
    "object_unknown",
    "parameter_error",
    "event_buffer_overflow",
    "already_executing",
    "config_corrupt",
    "reserved_2",
    "reserved_1",
];

/// Names of the indications set, in order of their bits.
pub fn iin_names(iin: u16, out: &mut Vec<&'static str>) {
    let wire = iin.swap_bytes();
    out.extend(INDICATIONS.iter().enumerate().filter(|(i, _)| wire >> i & 1 == 1).map(|(_, name)| *name));
}

/// The indication that refuses a request, if one is set: code unsupported, object unknown, parameter error, already executing.
pub fn refusal(iin: u16) -> Option<(u16, &'static str)> {
    let named = |bit: u32, i: usize| (iin >> bit & 1 == 1).then(|| INDICATIONS.get(i)).flatten().map(|n| (iin, *n));
    named(0, 8).or_else(|| named(1, 9)).or_else(|| named(2, 10)).or_else(|| named(4, 12))
}

/// Name of the status of a command (§11.6, table of status codes).
pub fn command_status(code: u8) -> &'static str {
    const NAMES: [&str; 19] = [
        "success",
        "timeout",
        "no_select",
        "format_error",
        "not_supported",
        "already_active",
        "hardware_error",
        "local",
        "too_many_objects",
        "not_authorized",
        "automation_inhibit",
        "processing_limited",
        "out_of_range",
        "downstream_local",
        "already_complete",
        "blocked",
        "cancelled",
        "blocked_other_master",
        "downstream_fail",
    ];
    match code {
        126 => "non_participating",
        127 => "undefined",
        _ => NAMES.get(usize::from(code)).copied().unwrap_or("reserved"),
    }
}

/// Name of the status of a file operation (tables of g70v4 and g70v6).
pub fn file_status(code: u8) -> &'static str {
    match code {
        0 => "success",
        1 => "permission_denied",
        2 => "invalid_mode",
        3 => "not_found",
        4 => "file_locked",
        5 => "too_many_open",
        6 => "invalid_handle",
        7 => "write_block_size",
        8 => "comm_lost",
        9 => "cannot_abort",
        16 => "not_opened",
        17 => "handle_expired",
        18 => "buffer_overrun",
        19 => "fatal",
        20 => "block_sequence",
        255 => "undefined",
        _ => "reserved",
    }
}

/// Operation type of a relay output block.
pub fn operation(control: u8) -> &'static str {
    match control & 0x0f {
        0 => "nul",
        1 => "pulse_on",
        2 => "pulse_off",
        3 => "latch_on",
        4 => "latch_off",
        _ => "reserved",
    }
}

/// Trip-close code of a relay output block.
pub fn trip_close(control: u8) -> &'static str {
    match control >> 6 {
        0 => "none",
        1 => "close",
        2 => "trip",
        _ => "reserved",
    }
}

/// Whether a flag octet of a group says that the value is good: online, and nothing forced, lost or out of range.
pub fn is_good(group: u8, flags: u8) -> bool {
    let spoils = match group {
        1..=4 | 10 | 11 => 0x3e,
        20..=23 => 0x5e,
        30..=33 | 40 | 42 => 0x7e,
        _ => 0x1e,
    };
    flags & 1 == 1 && flags & spoils == 0
}
