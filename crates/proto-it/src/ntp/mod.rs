//! NTP (RFC 5905) with its control (RFC 9327) and private messages: one row per message.
//!
//! A message is complete in itself, so nothing waits and no state grows; `org_time` ties an answer to its request where that is wanted.

mod parse;
mod record;
pub mod table;
#[cfg(test)]
mod tests;

pub use record::{NtpColumns, NtpRow};

use gwcore::{Body, PointId, Sample};
use parse::{CONTROL_BYTES, Control, PRIVATE_BYTES, Private, TIME_BYTES, Time, first_byte, moment};
use proto::{Carrier, Cx, Dir, Hint, Parser, Probe, Step};

const PORT: u16 = 123;
/// Mode of a client's request.
const CLIENT: u8 = 3;
/// Mode of a server's answer.
const SERVER: u8 = 4;
/// Mode of a server's broadcast.
const BROADCAST: u8 = 5;

/// The parser of one flow.
#[derive(Default)]
pub struct Ntp {
    started: bool,
    role_said: bool,
}

impl Parser for Ntp {
    const NAME: &'static str = "ntp";
    const CARRIERS: &'static [Carrier] = &[Carrier::Datagram];

    fn probe(head: &[u8], hint: &Hint) -> Probe {
        let Some((_, version, mode)) = head.first().map(|b| first_byte(*b)) else { return Probe::No };
        let least = match mode {
            6 => CONTROL_BYTES,
            7 => PRIVATE_BYTES,
            _ => TIME_BYTES,
        };
        // Mode 0 is what version 1 sends (RFC 1059 §3.2).
        let plausible = (1..=4).contains(&version) && (mode > 0 || version == 1) && head.len() >= least;
        match plausible {
            true if hint.port(PORT) => Probe::Certain,
            true if is_likely(head, mode) => Probe::Maybe,
            _ => Probe::No,
        }
    }

    fn feed(&mut self, dir: Dir, data: &[u8], cx: &mut Cx<'_>) -> Step {
        let Some((leap, version, mode)) = data.first().map(|b| first_byte(*b)) else { return Step::Done };
        let head = Head { leap, version, mode };
        let serves = match mode {
            6 => Control::parse(data).map(|m| control(&head, &m, cx)),
            7 => Private::parse(data).map(|m| private(&head, &m, cx)),
            _ => Time::parse(data).map(|m| {
                time(&head, &m, cx);
                matches!(mode, SERVER | BROADCAST)
            }),
        };
        let Some(serves) = serves else {
            cx.anomaly(Self::NAME, "short_message", data);
            return Step::Done;
        };
        let is_first = !std::mem::replace(&mut self.started, true);
        let asks = mode == CLIENT || (mode > BROADCAST && !serves);
        if is_first && ((serves && dir == Dir::Orig) || (asks && dir == Dir::Resp)) {
            cx.server_is_originator();
        }
        if matches!(mode, SERVER | BROADCAST) && !std::mem::replace(&mut self.role_said, true) {
            cx.fact(Body::Role("ntp_server"));
        }
        Step::Done
    }
}

/// The first byte.
struct Head {
    leap: u8,
    version: u8,
    mode: u8,
}

/// Off the port: a request or answer without anything behind the header, with a stratum, precision and poll interval that occur, sent now.
fn is_likely(head: &[u8], mode: u8) -> bool {
    let Some(time) = Time::parse(head).filter(|_| head.len() == TIME_BYTES) else { return false };
    let [poll, precision] = time.exponents;
    let [.., transmit] = time.times;
    matches!(mode, CLIENT | SERVER)
        && time.stratum <= 16
        && (0..=17).contains(&poll)
        && (-32..=0).contains(&precision)
        && transmit != 0
}

fn time(head: &Head, m: &Time<'_>, cx: &mut Cx<'_>) {
    if let Some(reason) = m.fault {
        cx.anomaly(Ntp::NAME, reason, b"");
    }
    let [ref_time, org_time, rec_time, xmt_time] = m.times.map(|t| moment(t, cx.now()));
    let [poll, precision] = m.exponents.map(|e| 2f64.powi(i32::from(e)));
    let sent = xmt_time.filter(|_| matches!(head.mode, SERVER | BROADCAST));
    if let Some(sent) = sent.filter(|_| (1..=15).contains(&m.stratum)) {
        let point = PointId { table: "offset", unit: 0, address: 0 };
        let value = sent.since(cx.now()) as f64 / 1e9;
        cx.sample(Sample { proto: Ntp::NAME, point, value, discrete: false, good: head.leap != 3, write: false });
    }
    let ref_id = reference(m.stratum, m.ref_id);
    cx.emit(NtpRow {
        leap: Some(head.leap),
        stratum: Some(m.stratum),
        poll: Some(poll),
        precision: Some(precision),
        root_delay: Some(f64::from(m.root_delay) / 65536.0),
        root_disp: Some(f64::from(m.root_disp) / 65536.0),
        ref_id: Some(&ref_id[..]).filter(|r| !r.is_empty()),
        ref_time,
        org_time,
        rec_time,
        xmt_time,
        offset_s: sent.map(|t| t.since(cx.now()) as f64 / 1e9),
        num_exts: m.extensions,
        key_id: m.authenticator.map(|a| a.0),
        digest: m.authenticator.map(|a| a.1).filter(|d| !d.is_empty()),
        ..empty(head)
    });
}

/// Letters for stratum 0 and 1, else the four bytes of an address (RFC 5905 §7.3).
fn reference(stratum: u8, id: [u8; 4]) -> Vec<u8> {
    match stratum {
        0 | 1 => id.into_iter().take_while(|b| *b != 0).collect(),
        _ => id.map(|b| b.to_string()).join(".").into_bytes(),
    }
}

/// Writes a control message; tells whether its sender serves.
fn control(head: &Head, m: &Control, cx: &mut Cx<'_>) -> bool {
    if !m.is_whole {
        cx.anomaly(Ntp::NAME, "truncated_data", b"");
    }
    let (is_response, opcode) = (m.bits & 0x80 != 0, m.bits & 0x1f);
    let [sequence, status, association_id] = m.words.map(Some);
    cx.emit(NtpRow {
        opcode: Some(opcode),
        opcode_name: table::opcode_name(opcode),
        is_response: Some(is_response),
        is_error: Some(m.bits & 0x40 != 0),
        has_more: Some(m.bits & 0x20 != 0),
        sequence,
        status,
        association_id,
        ..empty(head)
    });
    is_response
}

/// Writes a private message; tells whether its sender serves.
fn private(head: &Head, m: &Private, cx: &mut Cx<'_>) -> bool {
    // In mode 7 the first two bits are not the leap indicator: response and more.
    cx.emit(NtpRow {
        request_code: Some(m.request_code),
        implementation: Some(m.implementation),
        is_response: Some(m.is_response),
        has_more: Some(m.has_more),
        sequence: Some(m.sequence),
        ..empty(head)
    });
    m.is_response
}

/// A row of which only version and mode are known.
fn empty(head: &Head) -> NtpRow<'static> {
    NtpRow {
        version: head.version,
        mode: head.mode,
        mode_name: table::mode_name(head.mode),
        leap: None,
        stratum: None,
        poll: None,
        precision: None,
        root_delay: None,
        root_disp: None,
        ref_id: None,
        ref_time: None,
        org_time: None,
        rec_time: None,
        xmt_time: None,
        offset_s: None,
        num_exts: 0,
        key_id: None,
        digest: None,
        opcode: None,
        opcode_name: None,
        request_code: None,
        implementation: None,
        is_response: None,
        is_error: None,
        has_more: None,
        sequence: None,
        status: None,
        association_id: None,
    }
}
