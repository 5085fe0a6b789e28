//! Facts: the small, owned observations that the ordered stage (devices, windows, detectors) lives on. They are not packets and not records.

use crate::{Addr, FlowRef, Key, Mac, Ts};

/// One observation with its place in the input.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
pub struct Fact {
    /// Place in the ordered stage.
    pub key: Key,
    /// Time.
    pub ts: Ts,
    /// Number of the frame in its file.
    pub frame: u64,
    /// Flow and direction: the sender is the flow's originator unless reversed.
    pub flow: FlowRef,
    /// What was observed.
    pub body: Body,
}

/// What kind of thing an OT message asks for; how IEC 60870-5-101 §7.2, DNP3 (IEEE 1815) and Modbus group their functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum OpClass {
    /// Reads values, events, classes, general interrogation.
    Read,
    /// Reads identity or diagnostics.
    Identify,
    /// Selects before operating.
    Select,
    /// Operates an output: trip/close, raise/lower, coil.
    Control,
    /// Takes a selection back.
    Cancel,
    /// Writes an analogue output, register or set point.
    SetPoint,
    /// Writes parameters, deadbands, classes, configuration.
    Parameter,
    /// Sets the time.
    TimeSet,
    /// Restarts the device or resets a process.
    Restart,
    /// Changes the operating mode: stop, start, listen-only.
    Mode,
    /// Clears counters, events or logs.
    Clear,
    /// Stops unsolicited reports or data transfer.
    ReportsOff,
    /// Starts unsolicited reports or data transfer.
    ReportsOn,
    /// Transfers a file or a program to the device.
    Download,
    /// Transfers a file or a program from the device.
    Upload,
    /// Deletes a file.
    Delete,
    /// Freezes counters.
    Freeze,
    /// Authenticates.
    Authenticate,
    /// Anything else.
    Other,
}

/// The address of one point within a device: IEC 104 (type group, common address, IOA), DNP3 (group, outstation, index), Modbus (table,
/// unit, address).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct PointId {
    /// Kind of point: Modbus `coil`, `discrete_input`, `holding_register`, `input_register`; DNP3 `binary_input` …; IEC 104 `single` …;
    /// S7comm `flag_bit`, `data_block_word` ….
    pub table: &'static str,
    /// Device address inside the protocol: Modbus unit, DNP3 link address, IEC 104 common address; S7comm data block.
    pub unit: u32,
    /// Index, register or information object address; S7comm bit address.
    pub address: u32,
}

impl PointId {
    /// The device behind the address that the point belongs to, where the protocol has such: S7comm's numbers are data blocks, GOOSE's are
    /// applications, both of one device.
    pub fn device(self, proto: &str) -> Option<u32> {
        (!matches!(proto, "s7comm" | "goose")).then_some(self.unit)
    }

    /// In words of its protocol: `binary output 7 of unit 1`, `DB5.DBW12`.
    pub fn say(self, proto: &str) -> String {
        say_point(proto, self.table, self.unit, self.address)
    }
}

/// A point in words of its protocol; an address of S7comm as STEP 7 writes it.
pub fn say_point(proto: &str, table: &str, unit: u32, address: u32) -> String {
    if proto == "goose" {
        return format!("data set entry {address} of APPID {unit:#06x}");
    }
    let s7 = (proto == "s7comm").then(|| step7(table, unit, address)).flatten();
    s7.unwrap_or_else(|| format!("{} {address} of unit {unit}", table.replace('_', " ")))
}

/// `M101.0`, `QB4`, `DB5.DBX3.1`, `T7`; none for a table that is not S7comm's. Addresses count bits, those of timers and counters do not.
fn step7(table: &str, block: u32, address: u32) -> Option<String> {
    let (area, size) = match table {
        "counter" => return Some(format!("C{address}")),
        "timer" => return Some(format!("T{address}")),
        _ => table.rsplit_once('_')?,
    };
    let size = match size {
        "bit" => "",
        "byte" => "B",
        "word" | "int" => "W",
        "dword" | "dint" | "real" => "D",
        _ => return None,
    };
    // Bits of data blocks are marked by an X.
    let (area, x) = match area {
        "peripheral" => ("P".to_owned(), ""),
        "input" => ("I".to_owned(), ""),
        "output" => ("Q".to_owned(), ""),
        "flag" => ("M".to_owned(), ""),
        "data_block" => (format!("DB{block}.DB"), "X"),
        "instance_block" => (format!("DI{block}.DI"), "X"),
        _ => return None,
    };
    if size.is_empty() {
        return Some(format!("{area}{x}{}.{}", address / 8, address % 8));
    }
    Some(format!("{area}{size}{}", address / 8))
}

/// A value of a point as it was read, reported or commanded.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub struct Sample {
    /// Protocol.
    pub proto: &'static str,
    /// Which point; the device is the flow's side that serves it.
    pub point: PointId,
    /// Its value; states are their number.
    pub value: f64,
    /// A state rather than a measurement: every change makes a row.
    pub discrete: bool,
    /// Quality is good.
    pub good: bool,
    /// Written or commanded rather than read or reported.
    pub write: bool,
}

/// An OT operation with its outcome as far as known.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Op {
    /// Protocol.
    pub proto: &'static str,
    /// What it asks for.
    pub class: OpClass,
    /// The protocol's function number.
    pub function: u16,
    /// The protocol's name of the function.
    pub name: &'static str,
    /// First point it names.
    pub point: Option<PointId>,
    /// Number of points it names.
    pub points: u32,
    /// First value it carries.
    pub value: Option<f64>,
    /// What the panel would say: `trip`, `close`, `latch on` …; empty if nothing.
    pub action: &'static str,
    /// An answer rather than a request.
    pub is_answer: bool,
    /// The answer refuses: protocol's code and name.
    pub refused: Option<(u16, &'static str)>,
}

/// A message that a publisher repeats and numbers by itself, as GOOSE does (IEC 61850-8-1 §18).
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Published {
    /// Protocol.
    pub proto: &'static str,
    /// Reference of what is published: the GOOSE control block.
    pub stream: Box<str>,
    /// State number: raised with each change.
    pub state: u64,
    /// Sequence number: raised with each repetition of a state.
    pub sequence: u64,
    /// When the state changed, by the publisher's clock; none where it is absent or zero.
    pub changed: Option<Ts>,
    /// How long the next message may take, in nanoseconds; 0 where not stated.
    pub ttl: i64,
    /// Hash of the values.
    pub values: u64,
    /// Hash of the data set's reference and its number of entries.
    pub data_set: u64,
    /// Configuration revision.
    pub revision: u64,
    /// Marked as simulated or for test.
    pub simulated: bool,
}

/// What was observed.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub enum Body {
    /// A flow began.
    FlowStart,
    /// A flow ended.
    FlowEnd {
        /// Zeek's connection state.
        state: &'static str,
        /// Packets from originator and responder.
        packets: [u64; 2],
        /// Payload bytes from originator and responder.
        bytes: [u64; 2],
        /// Time of the first packet.
        start: Ts,
        /// Protocol recognised, empty for none.
        service: &'static str,
    },
    /// What was read of a flow's payload, told at its end where it had any.
    Content {
        /// Messages or segments with payload, and their bytes.
        came: [u64; 2],
        /// Of them those that no parser took, and their bytes.
        unread: [u64; 2],
        /// Protocol recognised, empty for none.
        service: &'static str,
    },
    /// The protocol of a flow was recognised; `server_is_responder` tells who serves.
    Service {
        /// Protocol.
        proto: &'static str,
        /// Whether the flow's responder serves.
        server_is_responder: bool,
    },
    /// Both sides of a stream have said enough for its protocol to be none of those known; its end tells the rest.
    Unread,
    /// A device name seen for an address.
    Name {
        /// Address; none when only the MAC is known.
        addr: Addr,
        /// MAC; none when only the address is known.
        mac: Mac,
        /// The name.
        name: Box<str>,
        /// Where it stood: `dhcp`, `dns`, `tls`, `http`, `lldp` ….
        source: &'static str,
    },
    /// A device said what it is.
    Identity {
        /// `vendor`, `model`, `version`, `serial`, `os` ….
        field: &'static str,
        /// The text.
        value: Box<str>,
        /// Where it stood.
        source: &'static str,
    },
    /// A MAC claims an IP address (ARP, neighbour discovery, DHCP).
    Claim {
        /// Address.
        addr: Addr,
        /// Who claims it.
        mac: Mac,
        /// Where it stood.
        source: &'static str,
    },
    /// The sender asks on its segment who has an IP address (ARP request, RFC 826); what it says of itself is a claim beside it.
    Asked {
        /// Address.
        addr: Addr,
    },
    /// A role that the sender of this frame was seen in: `master`, `outstation`, `publisher`, `dhcp_server`, `ntp_server`, `router`,
    /// `switch`, `time_source` ….
    Role(&'static str),
    /// An OT operation.
    Op(Op),
    /// A value of a point.
    Sample(Sample),
    /// The sender sets the clock of another device.
    ClockSet {
        /// Protocol.
        proto: &'static str,
        /// Device address inside the protocol, as of points.
        unit: u32,
        /// The time given, read as UTC.
        time: Ts,
        /// Marked as summer time.
        summer: bool,
    },
    /// The sender reported by itself, unasked: IEC 104 cyclic, background or spontaneous data, a DNP3 unsolicited response.
    Reported {
        /// Protocol.
        proto: &'static str,
        /// Device address inside the protocol, as of points.
        unit: u32,
    },
    /// The sender showed that the conversation lives and said nothing else: an IEC 104 link test, a DNP3 link status.
    Alive {
        /// Protocol.
        proto: &'static str,
    },
    /// The request beside this fact went to every device of the line at once.
    Broadcast {
        /// Protocol.
        proto: &'static str,
        /// What it asks for.
        class: OpClass,
        /// The protocol's function number.
        function: u16,
        /// The protocol's name of the function.
        name: &'static str,
    },
    /// Something wrong with the traffic.
    Anomaly {
        /// Which protocol, or `link`, `ip`, `tcp` ….
        proto: &'static str,
        /// The reason.
        reason: &'static str,
    },
    /// What the sender sent over a TCP connection was seen in two versions: it was altered on its way.
    Altered {
        /// Who sent the frames that carry the earlier and the later version.
        senders: [Mac; 2],
    },
    /// A second of packet time began: what timers and absence are measured by. It belongs to no flow.
    Tick {
        /// Frames seen since the tick before, in all files and on all interfaces.
        frames: u64,
    },
    /// Packet time went back for good. It belongs to no flow.
    TimeBreak {
        /// How far, in nanoseconds.
        back: i64,
    },
    /// Frames that the capture itself says were lost, up to the time of the fact. It belongs to no flow.
    Loss {
        /// From when on.
        from: Ts,
        /// How many.
        lost: u64,
        /// Frames of the same interface captured in that time.
        seen: u64,
    },
    /// Bytes of a stream that were sent but are not in the capture.
    Gap {
        /// How many.
        missing: u64,
    },
    /// A message of a publisher; copies of the same message are left out.
    Published(Box<Published>),
    /// The sender states something about the network that does not change by itself: `stp` `root`, `ptp` `grandmaster`, `dhcp` `router` …;
    /// told when it is new in its flow, or with every message where there is no flow state.
    Stated {
        /// Protocol.
        proto: &'static str,
        /// What is stated.
        field: &'static str,
        /// The value as text.
        value: Box<str>,
    },
    /// What the opening packet of a TCP connection tells of its sender's IP stack.
    Fingerprint {
        /// Time to live, or hop limit, as it arrived.
        ttl: u8,
        /// Unscaled receive window.
        window: u16,
    },
    /// A log-in with a name; the password is never kept.
    Login {
        /// Protocol.
        proto: &'static str,
        /// User.
        user: Box<str>,
        /// Whether it went over the line readably.
        cleartext: bool,
        /// Whether it was accepted, where known.
        accepted: Option<bool>,
    },
}
