//! Codes of S7comm: functions and what they ask for, memory areas, kinds of elements.

use gwcore::OpClass;

/// Element of one bit.
pub const BIT: u8 = 1;
/// Area of the outputs.
pub const OUTPUTS: u8 = 0x82;
/// Area of the counters.
pub const COUNTERS: u8 = 0x1c;
/// Area of the timers.
pub const TIMERS: u8 = 0x1d;

/// Name and class of a function.
pub fn function(code: u8) -> (&'static str, OpClass) {
    match code {
        0x00 => ("cpu_services", OpClass::Other),
        0x04 => ("read_var", OpClass::Read),
        0x05 => ("write_var", OpClass::SetPoint),
        0x1a => ("request_download", OpClass::Download),
        // The controller fetches what it was asked to download: these go from it to the engineering station.
        0x1b => ("download_block", OpClass::Other),
        0x1c => ("download_ended", OpClass::Other),
        0x1d => ("start_upload", OpClass::Upload),
        0x1e => ("upload", OpClass::Upload),
        0x1f => ("end_upload", OpClass::Upload),
        0x28 => ("pi_service", OpClass::Mode),
        0x29 => ("plc_stop", OpClass::Mode),
        0xf0 => ("setup_communication", OpClass::Other),
        _ => ("unknown", OpClass::Other),
    }
}

/// What a program invocation service does, and what the panel would say. The argument of a cold start is `C `.
pub fn service(name: &[u8], argument: Option<&[u8]>) -> (OpClass, &'static str) {
    match name {
        b"P_PROGRAM" if argument.is_some_and(|a| a.first() == Some(&b'C')) => (OpClass::Mode, "cold start"),
        b"P_PROGRAM" => (OpClass::Mode, "start"),
        b"_INSE" => (OpClass::Download, "activate block"),
        b"_DELE" => (OpClass::Delete, "delete block"),
        b"_GARB" => (OpClass::Parameter, "compress memory"),
        b"_MODU" => (OpClass::Parameter, "copy memory to ROM"),
        _ => (OpClass::Mode, ""),
    }
}

/// Name and class of a user-data function by its group and subfunction; none for those that only carry data.
pub fn user(group: u8, subfunction: u8) -> Option<(&'static str, OpClass)> {
    Some(match (group, subfunction) {
        (1, 0x10) => ("force", OpClass::Parameter),
        (1, 0x0c) => ("erase", OpClass::Delete),
        (3, 1 | 2) => ("list_blocks", OpClass::Identify),
        (3, 3) => ("block_info", OpClass::Identify),
        (4, 1) => ("read_szl", OpClass::Identify),
        (5, 1) => ("password", OpClass::Authenticate),
        (7, 1 | 3) => ("read_clock", OpClass::Read),
        (7, 2 | 4) => ("set_clock", OpClass::TimeSet),
        _ => return None,
    })
}

/// Kind of the elements of a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Its name, as STEP 7 has it.
    pub name: &'static str,
    /// Octets of an element; 0 of those that are not taken apart.
    pub octets: usize,
}

/// The kind of element with a code.
pub fn size(code: u8) -> Option<&'static Size> {
    const fn of(name: &'static str, octets: usize) -> Size {
        Size { name, octets }
    }
    const SIZES: &[(u8, Size)] = &[
        (BIT, of("bit", 1)),
        (2, of("byte", 1)),
        (3, of("char", 1)),
        (4, of("word", 2)),
        (5, of("int", 2)),
        (6, of("dword", 4)),
        (7, of("dint", 4)),
        (8, of("real", 4)),
        (9, of("date", 2)),
        (10, of("time_of_day", 4)),
        (11, of("time", 4)),
        (12, of("s5time", 2)),
        (15, of("date_and_time", 0)),
        (28, of("counter", 2)),
        (29, of("timer", 2)),
    ];
    SIZES.iter().find(|(c, _)| *c == code).map(|(_, s)| s)
}

/// Name of a memory area.
pub fn area(code: u8) -> Option<&'static str> {
    Some(match code {
        0x80 => "peripheral",
        0x81 => "input",
        OUTPUTS => "output",
        0x83 => "flag",
        0x84 => "data_block",
        0x85 => "instance_block",
        0x86 => "local",
        0x87 => "caller_local",
        COUNTERS => "counter",
        TIMERS => "timer",
        _ => return None,
    })
}

/// The table of points that an element belongs to: what is read by word and by bit are points of their own.
pub fn point_table(area: u8, size: u8) -> Option<&'static str> {
    macro_rules! of {
        ($($code:literal $area:literal,)*) => {
            match (area, size) {
                (COUNTERS, _) => "counter",
                (TIMERS, _) => "timer",
                $(
                    ($code, BIT) => concat!($area, "_bit"),
                    ($code, 2 | 3) => concat!($area, "_byte"),
                    ($code, 4) => concat!($area, "_word"),
                    ($code, 5) => concat!($area, "_int"),
                    ($code, 6) => concat!($area, "_dword"),
                    ($code, 7) => concat!($area, "_dint"),
                    ($code, 8) => concat!($area, "_real"),
                )*
                _ => return None,
            }
        };
    }
    Some(of! {
        0x80 "peripheral", 0x81 "input", 0x82 "output", 0x83 "flag", 0x84 "data_block", 0x85 "instance_block",
    })
}
