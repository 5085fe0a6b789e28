//! Information elements (IANA registry "ipfix"; NetFlow 9 has the first 128 in common): from a field's bytes into a flow.

use gwcore::time::{MILLI, SECOND};
use gwcore::{Addr, Mac, Ts};

use super::Exported;

/// Enterprise number of RFC 5103: the other direction of the element.
pub(super) const REVERSE: u32 = 29_305;

/// What of a record is put together after all its fields are read.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) flow: Exported,
    pub(super) has_src: bool,
    pub(super) has_dst: bool,
    pub(super) start_uptime: Option<u32>,
    pub(super) end_uptime: Option<u32>,
    pub(super) system_init: Option<Ts>,
    pub(super) duration_ms: Option<u64>,
    pub(super) start_delta_us: Option<u64>,
    pub(super) end_delta_us: Option<u64>,
    pub(super) sampler: Option<u64>,
    pub(super) interval: Option<u64>,
    pub(super) space: Option<u64>,
    pub(super) application_id: Option<u64>,
    pub(super) application_name: Option<String>,
    pub(super) icmp_type: Option<u8>,
    pub(super) icmp_code: Option<u8>,
    pub(super) total: (Option<u64>, Option<u64>),
    pub(super) reverse: (Option<u64>, Option<u64>),
    pub(super) responder: (Option<u64>, Option<u64>),
    pub(super) initiator: (Option<u64>, Option<u64>),
}

/// An unsigned integer of one to eight bytes (reduced-size encoding, RFC 7011 §6.2).
pub(super) fn uint(b: &[u8]) -> Option<u64> {
    (1..=8).contains(&b.len()).then(|| b.iter().fold(0, |n, x| (n << 8) | u64::from(*x)))
}

fn addr4(b: &[u8]) -> Option<Addr> {
    Some(Addr::v4(b.try_into().ok()?))
}

fn addr6(b: &[u8]) -> Option<Addr> {
    Some(Addr(b.try_into().ok()?))
}

fn mac(b: &[u8]) -> Option<Mac> {
    Some(Mac(b.try_into().ok()?))
}

/// Seconds since 1900 and a fraction of 2^-32 s (RFC 7011 §6.1.9).
fn ntp(b: &[u8]) -> Option<Ts> {
    let n = uint(b).filter(|_| b.len() == 8)?;
    let seconds = i64::from((n >> 32) as u32) - 2_208_988_800;
    let nanos = ((n & 0xffff_ffff) * 1_000_000_000) >> 32;
    Some(Ts::from_parts(seconds, nanos as i64))
}

fn text(b: &[u8]) -> Option<String> {
    let end = b.iter().position(|c| *c == 0).unwrap_or(b.len());
    let text = String::from_utf8_lossy(b.get(..end)?);
    let text: String = text.chars().take(128).collect();
    (!text.trim().is_empty()).then_some(text)
}

impl Draft {
    /// Takes one field; those that say nothing of a flow are passed over.
    pub(super) fn field(&mut self, enterprise: u32, id: u16, b: &[u8]) {
        if enterprise == REVERSE {
            match id {
                1 | 85 => self.reverse.0 = uint(b),
                2 | 86 => self.reverse.1 = uint(b),
                _ => {}
            }
            return;
        }
        if enterprise != 0 {
            return;
        }
        let n = uint(b);
        let f = &mut self.flow;
        let some16 = |n: Option<u64>| n.map(|n| n as u16);
        let at = |unit: i64| n.map(|n| Ts(i64::try_from(n).unwrap_or(i64::MAX).saturating_mul(unit)));
        match id {
            1 => f.raw.0 = n.unwrap_or(0),
            2 => f.raw.1 = n.unwrap_or(0),
            85 => self.total.0 = n,
            86 => self.total.1 = n,
            4 => f.proto = n.unwrap_or(0) as u8,
            5 => f.tos = n.unwrap_or(0) as u8,
            6 => f.tcp_flags = n.unwrap_or(0) as u16,
            7 | 180 | 182 => f.src_port = some16(n).unwrap_or(f.src_port),
            11 | 181 | 183 => f.dst_port = some16(n).unwrap_or(f.dst_port),
            8 => (f.src, self.has_src) = addr4(b).map_or((f.src, self.has_src), |a| (a, true)),
            12 => (f.dst, self.has_dst) = addr4(b).map_or((f.dst, self.has_dst), |a| (a, true)),
            // An exporter that has one template for both families leaves the other one zero.
            27 => {
                if let Some(a) = addr6(b).filter(|a| !a.is_none() || !self.has_src) {
                    (f.src, self.has_src) = (a, true);
                }
            }
            28 => {
                if let Some(a) = addr6(b).filter(|a| !a.is_none() || !self.has_dst) {
                    (f.dst, self.has_dst) = (a, true);
                }
            }
            10 => f.ingress = n.unwrap_or(0) as u32,
            14 => f.egress = n.unwrap_or(0) as u32,
            15 => f.next_hop = addr4(b).unwrap_or(f.next_hop),
            62 => f.next_hop = addr6(b).filter(|a| !a.is_none()).unwrap_or(f.next_hop),
            16 => f.asn.0 = n.unwrap_or(0) as u32,
            17 => f.asn.1 = n.unwrap_or(0) as u32,
            21 => self.end_uptime = n.map(|n| n as u32),
            22 => self.start_uptime = n.map(|n| n as u32),
            32 | 139 => {
                self.icmp_type = n.map(|n| (n >> 8) as u8);
                self.icmp_code = n.map(|n| n as u8);
            }
            176 | 178 => self.icmp_type = n.map(|n| n as u8),
            177 | 179 => self.icmp_code = n.map(|n| n as u8),
            34 | 50 => self.interval = n.filter(|n| *n > 0),
            305 => self.interval = n,
            306 => self.space = n,
            48 | 302 => self.sampler = n,
            56 => f.src_mac = mac(b).unwrap_or(f.src_mac),
            80 => f.dst_mac = mac(b).unwrap_or(f.dst_mac),
            57 if f.dst_mac.is_none() => f.dst_mac = mac(b).unwrap_or(f.dst_mac),
            58 | 243 => f.vlan = some16(n).map_or(f.vlan, |v| v & 0xfff),
            61 => f.direction = n.map(|n| n as u8),
            95 => self.application_id = n,
            96 => self.application_name = text(b),
            136 => f.end_reason = n.unwrap_or(0) as u8,
            150 => f.start = at(SECOND),
            151 => f.end = at(SECOND),
            152 => f.start = at(MILLI),
            153 => f.end = at(MILLI),
            154 | 156 => f.start = ntp(b),
            155 | 157 => f.end = ntp(b),
            158 => self.start_delta_us = n,
            159 => self.end_delta_us = n,
            160 => self.system_init = at(MILLI),
            161 => self.duration_ms = n,
            231 => self.initiator.0 = n,
            298 => self.initiator.1 = n,
            232 => self.responder.0 = n,
            299 => self.responder.1 = n,
            _ => {}
        }
    }
}
