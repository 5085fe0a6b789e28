//! The grammar of PTP messages (IEEE 1588-2008 clause 13; 2019 keeps it and names the reserved half octets).

use gwcore::Ts;
use proto::Cursor;

/// Octets of the header (§13.3).
pub const HEADER: usize = 34;

/// A message type and the octets of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Sync.
    Sync,
    /// Delay_Req.
    DelayReq,
    /// Pdelay_Req.
    PdelayReq,
    /// Pdelay_Resp.
    PdelayResp,
    /// Follow_Up.
    FollowUp,
    /// Delay_Resp.
    DelayResp,
    /// Pdelay_Resp_Follow_Up.
    PdelayRespFollowUp,
    /// Announce.
    Announce,
    /// Signaling.
    Signaling,
    /// Management.
    Management,
}

impl Kind {
    /// By the number on the wire (§13.3.2.2).
    pub fn of(number: u8) -> Option<Kind> {
        Some(match number {
            0 => Kind::Sync,
            1 => Kind::DelayReq,
            2 => Kind::PdelayReq,
            3 => Kind::PdelayResp,
            8 => Kind::FollowUp,
            9 => Kind::DelayResp,
            10 => Kind::PdelayRespFollowUp,
            11 => Kind::Announce,
            12 => Kind::Signaling,
            13 => Kind::Management,
            _ => return None,
        })
    }

    /// The word in the record.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Sync => "sync",
            Kind::DelayReq => "delay_req",
            Kind::PdelayReq => "pdelay_req",
            Kind::PdelayResp => "pdelay_resp",
            Kind::FollowUp => "follow_up",
            Kind::DelayResp => "delay_resp",
            Kind::PdelayRespFollowUp => "pdelay_resp_follow_up",
            Kind::Announce => "announce",
            Kind::Signaling => "signaling",
            Kind::Management => "management",
        }
    }

    /// Least octets of its body.
    fn body(self) -> usize {
        match self {
            Kind::Sync | Kind::DelayReq | Kind::FollowUp | Kind::Signaling => 10,
            Kind::Management => 14,
            Kind::PdelayReq | Kind::PdelayResp | Kind::DelayResp | Kind::PdelayRespFollowUp => 20,
            Kind::Announce => 30,
        }
    }
}

/// A port: identity of its clock and its number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Port(pub [u8; 8], pub u16);

impl Port {
    fn read(c: &mut Cursor<'_>) -> Option<Port> {
        Some(Port(c.array()?, c.u16()?))
    }

    /// As `001d7ffffe800217-1`.
    pub fn text(&self) -> String {
        format!("{}-{}", clock(&self.0), self.1)
    }
}

/// A clock identity as text.
pub fn clock(identity: &[u8; 8]) -> String {
    identity.iter().map(|b| format!("{b:02x}")).collect()
}

/// The header.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Header {
    /// Message type.
    pub kind: Kind,
    /// versionPTP.
    pub version: u8,
    /// messageLength.
    pub length: u16,
    /// domainNumber.
    pub domain: u8,
    /// flagField.
    pub flags: u16,
    /// correctionField in 2⁻¹⁶ ns.
    pub correction: i64,
    /// sourcePortIdentity.
    pub source: Port,
    /// sequenceId.
    pub sequence: u16,
}

impl Header {
    /// twoStepFlag.
    pub fn two_step(&self) -> bool {
        self.flags & 0x0200 != 0
    }
    /// ptpTimescale: times are TAI.
    pub fn is_tai(&self) -> bool {
        self.flags & 0x0008 != 0
    }
    /// correctionField in nanoseconds.
    pub fn correction_ns(&self) -> f64 {
        self.correction as f64 / 65_536.0
    }
}

/// What an Announce says of the grandmaster (§13.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Announce {
    /// currentUtcOffset, in seconds.
    pub utc_offset: i16,
    /// grandmasterPriority1.
    pub priority1: u8,
    /// clockClass.
    pub class: u8,
    /// clockAccuracy.
    pub accuracy: u8,
    /// grandmasterPriority2.
    pub priority2: u8,
    /// grandmasterIdentity.
    pub grandmaster: [u8; 8],
    /// stepsRemoved.
    pub steps: u16,
    /// timeSource.
    pub source: u8,
}

/// One message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Message {
    /// Header.
    pub header: Header,
    /// Timestamp; none when zero or none is carried.
    pub time: Option<Ts>,
    /// Port answered or addressed.
    pub target: Option<Port>,
    /// Of an Announce.
    pub announce: Option<Announce>,
    /// The body is cut: only the header was read.
    pub cut: bool,
}

/// Reads a message; if it is none, the reason.
pub fn parse(data: &[u8]) -> Result<Message, &'static str> {
    let &[kind, version, ..] = data else { return Err("truncated") };
    // Version 1 begins with two octets of version and is laid out otherwise.
    if version & 0x0f != 2 {
        return Err("unknown_version");
    }
    let kind = Kind::of(kind & 0x0f).ok_or("unknown_message_type")?;
    let header = header(kind, data).ok_or("truncated")?;
    let length = usize::from(header.length);
    if length < HEADER + kind.body() {
        return Err("bad_length");
    }
    let mut m = Message { header, time: None, target: None, announce: None, cut: length > data.len() };
    let body = data.get(HEADER..length.min(data.len())).unwrap_or_default();
    m.cut |= m.body(&mut Cursor::new(body)).is_none();
    Ok(m)
}

fn header(kind: Kind, data: &[u8]) -> Option<Header> {
    let mut c = Cursor::new(data);
    let [_, version] = c.array()?;
    let length = c.u16()?;
    let [domain, _] = c.array()?;
    let flags = c.u16()?;
    let correction = i64::from_be_bytes(c.array()?);
    c.take(4)?;
    let source = Port::read(&mut c)?;
    let sequence = c.u16()?;
    c.take(2)?;
    Some(Header { kind, version: version & 0x0f, length, domain, flags, correction, source, sequence })
}

impl Message {
    fn body(&mut self, c: &mut Cursor<'_>) -> Option<()> {
        match self.header.kind {
            Kind::Signaling | Kind::Management => self.target = Some(Port::read(c)?),
            _ => self.time = timestamp(c)?,
        }
        match self.header.kind {
            Kind::PdelayResp | Kind::DelayResp | Kind::PdelayRespFollowUp => self.target = Some(Port::read(c)?),
            Kind::Announce => self.announce = Some(announce(c)?),
            _ => {}
        }
        Some(())
    }
}

/// Timestamp (§5.3.3): 48 bits of seconds, 32 of nanoseconds.
fn timestamp(c: &mut Cursor<'_>) -> Option<Option<Ts>> {
    let (high, low, nanos) = (c.u16()?, c.u32()?, c.u32()?);
    let seconds = i64::from(high) << 32 | i64::from(low);
    Some((seconds != 0 || nanos != 0).then(|| Ts::from_parts(seconds, i64::from(nanos))))
}

fn announce(c: &mut Cursor<'_>) -> Option<Announce> {
    let utc_offset = i16::from_be_bytes(c.array()?);
    let [_, priority1, class, accuracy, _, _, priority2] = c.array()?;
    Some(Announce {
        utc_offset,
        priority1,
        class,
        accuracy,
        priority2,
        grandmaster: c.array()?,
        steps: c.u16()?,
        source: c.u8()?,
    })
}

/// Name of a time source (§7.6.2.6).
pub fn time_source(number: u8) -> &'static str {
    match number {
        0x10 => "atomic_clock",
        0x20 => "gnss",
        0x30 => "terrestrial_radio",
        0x39 => "serial_time_code",
        0x40 => "ptp",
        0x50 => "ntp",
        0x60 => "hand_set",
        0x90 => "other",
        0xa0 => "internal_oscillator",
        _ => "unknown",
    }
}
