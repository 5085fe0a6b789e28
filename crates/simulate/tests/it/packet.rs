//! What a tree may look at in a frame, and the kind of message by which frames are compared; for tests only.

use std::collections::HashMap;

use crate::reader::Frame;

/// TTL, IP-ID step, window, options, lengths of frame and data, range of the client's port, time since the frame before in the conversation, and since
/// the one before in the same direction.
pub const FEATURES: usize = 9;

/// Protocol by the server's port or EtherType, whether the server sends, and the message kind in the words of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    pub protocol: u16,
    pub from_server: bool,
    pub message: u32,
    /// For an acknowledgement without data: the kind of the message that came before it; for a DNP3 response: of the request.
    pub answers: u32,
    /// Which server sends, as its habits are its own and not those of who attacks it; 0 for a client.
    pub server: u8,
}

#[derive(Clone, Debug)]
pub struct Sample {
    pub kind: Kind,
    pub features: [f64; FEATURES],
}

/// What came before in a conversation: time of any frame, time and IP-ID by direction.
#[derive(Default)]
struct Before {
    at: Option<u64>,
    by_side: [Option<(u64, u16)>; 2],
    message: u32,
    asked: u32,
}

const PORTS: [u16; 8] = [502, 2_404, 20_000, 80, 443, 53, 123, 67];

pub fn samples(frames: &[Frame]) -> Vec<Sample> {
    let mut before: HashMap<Vec<u8>, Before> = HashMap::new();
    frames.iter().map(|frame| sample(frame, &mut before)).collect()
}

fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn sample(frame: &Frame, before: &mut HashMap<Vec<u8>, Before>) -> Sample {
    let b = &frame.bytes;
    let is_ip = word(b, 12) == 0x0800;
    let (src, dst) = if is_ip { (word(b, 34), word(b, 36)) } else { (0, 0) };
    let from_server = is_ip && PORTS.contains(&src);
    let (server, client) = if from_server { (src, dst) } else { (dst, src) };
    let mut ends = if is_ip {
        [[&b[26..30], &b[34..36]].concat(), [&b[30..34], &b[36..38]].concat()]
    } else {
        // What has no connection goes by its sender.
        [Vec::new(), b[6..12].to_vec()]
    };
    ends.sort();
    let last = before.entry(ends.concat()).or_default();
    let id = if is_ip { word(b, 18) } else { 0 };
    let since = |then: Option<u64>| then.map_or(-1.0, |then| (frame.at - then) as f64);
    let (any, own) = (since(last.at), since(last.by_side[usize::from(from_server)].map(|then| then.0)));
    let step = last.by_side[usize::from(from_server)].map_or(-1.0, |then| f64::from(id.wrapping_sub(then.1)));
    last.at = Some(frame.at);
    last.by_side[usize::from(from_server)] = Some((frame.at, id));
    let is_tcp = is_ip && b[23] == 6;
    let header = if is_tcp { usize::from(b[46] >> 4) * 4 } else { 8 };
    let data = if is_ip { b.get(34 + header..14 + usize::from(word(b, 16))).unwrap_or_default() } else { &b[14..] };
    let window = if is_tcp { word(b, 48) } else { 0 };
    let features = [
        if is_ip { f64::from(b[22]) } else { 0.0 },
        step,
        f64::from(window),
        if is_tcp { header as f64 } else { 0.0 },
        b.len() as f64,
        data.len() as f64,
        // A session has one port for all its frames, so single numbers would tell sessions, not kinds.
        f64::from(u8::from(client >= 1_024) + u8::from(client >= 49_152)),
        any,
        own,
    ];
    let protocol = if is_ip { server } else { word(b, 12) };
    let flags = if is_tcp { u32::from(b[47]) } else { 0 };
    let message = message(protocol, data, flags);
    let answers = match () {
        () if is_tcp && data.is_empty() => last.message,
        // All responses have one function, whatever was asked.
        () if protocol == 20_000 && message >> 8 == 129 => last.asked,
        () => 0,
    };
    last.message = message;
    last.asked = if from_server || data.is_empty() { last.asked } else { message };
    let server = match protocol {
        _ if from_server => b[29],
        0x0806 if b[21] == 2 => b[31],
        _ => 0,
    };
    Sample { kind: Kind { protocol, from_server, message, answers, server }, features }
}

/// Function, type with cause, or flags where there is no data.
fn message(protocol: u16, data: &[u8], flags: u32) -> u32 {
    let octet = |at: usize| u32::from(data.get(at).copied().unwrap_or(0));
    match protocol {
        _ if data.is_empty() => 0x0100_0000 | flags,
        20_000 => octet(12) << 8 | first_group(data),
        502 => octet(7) << 8 | octet(9) & 0xff,
        2_404 if octet(2) & 1 == 1 => 0x0200_0000 | octet(2),
        // Type, cause, and whether it selects.
        2_404 => octet(6) << 16 | octet(8) << 8 | octet(15) & 0x80,
        0x0806 => octet(7),
        // A tagged GOOSE message by its time to live, thus by its place in a burst.
        0x8100 => time_to_live(data),
        _ => octet(0),
    }
}

/// The group of the first object of a DNP3 fragment, after the internal indications of a response; 0 where it has no object: a checksum stands
/// there then.
fn first_group(data: &[u8]) -> u32 {
    let Some([length, function]) = data.get(2).zip(data.get(12)).map(|(l, f)| [*l, *f]) else { return 0 };
    let at = if function >= 129 { 15 } else { 13 };
    // The length counts from the control octet, thus from the fourth, and without checksums; the tenth and eleventh are one.
    if usize::from(length) + 5 > at { u32::from(data.get(at).copied().unwrap_or(0)) } else { 0 }
}

/// The time to live (tag 0x81, after the control block's name) of a GOOSE frame from its VLAN tag on.
fn time_to_live(data: &[u8]) -> u32 {
    // Tag control, EtherType, application header, tag of the PDU; then its length of one or two octets.
    let at = if data[13] == 0x81 { 15 } else { 14 };
    let at = at + 2 + usize::from(data[at + 1]);
    let len = usize::from(data[at + 1]);
    data[at + 2..at + 2 + len].iter().fold(0, |value, octet| value << 8 | u32::from(*octet))
}
