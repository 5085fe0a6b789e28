//! TPKT (RFC 1006 §6): the packet frames that carry ISO transport over TCP. It emits nothing itself; COTP stands above it.
//!
//! Remote desktop uses the same frames with a connection request of its own ([MS-RDPBCGR] §2.2.1.1) and then leaves them: such a flow is
//! recognised by that request and handed to nobody.

use proto::{Carrier, Cx, Dir, Hint, Parser, Probe, Step};

use crate::cotp::{DATA_BEFORE_LOST, connection_parameters};

/// Header: version, reserved byte, length of the whole packet.
const HEADER: usize = 4;
/// The shortest packet: header and a data TPDU without data.
const PACKET_MIN: usize = 7;
/// The registered port of ISO transport over TCP.
const PORT: u16 = 102;
/// The registered port of remote desktop.
const PORT_RDP: u16 = 3389;
/// Bytes searched for the next packet after a lost position.
const SEARCH_MAX: usize = 4_096;

/// The parser of one flow.
#[derive(Default)]
pub struct Tpkt {
    /// What is carried is not ISO transport as industrial protocols use it.
    foreign: bool,
}

impl Parser for Tpkt {
    const NAME: &'static str = "tpkt";
    const CARRIERS: &'static [Carrier] = &[Carrier::Stream];

    fn probe(head: &[u8], hint: &Hint) -> Probe {
        probe(head, hint.port(PORT))
    }

    fn feed(&mut self, _dir: Dir, data: &[u8], cx: &mut Cx<'_>) -> Step {
        let mut at = 0;
        while let Some(rest) = data.get(at..).filter(|r| !r.is_empty() && !self.foreign) {
            let Some(length) = length(rest) else {
                if rest.len() < HEADER && begins(rest) {
                    return Step::Need { consumed: at, more: HEADER };
                }
                cx.anomaly(Self::NAME, "tpkt_header", rest.get(..rest.len().min(16)).unwrap_or_default());
                cx.child(Self::NAME, 0, DATA_BEFORE_LOST);
                match rest.get(1..).and_then(find) {
                    Some(n) => at += 1 + n,
                    None => return Step::Lost,
                }
                continue;
            };
            let Some(payload) = rest.get(HEADER..length) else { return Step::Need { consumed: at, more: length } };
            self.foreign = is_foreign(payload) || cx.flow.dst_port == PORT_RDP || cx.flow.src_port == PORT_RDP;
            if !self.foreign {
                cx.child(Self::NAME, 0, payload);
            }
            at += length;
        }
        Step::Done
    }

    fn gap(&mut self, _dir: Dir, _missing: u64, cx: &mut Cx<'_>) -> Step {
        if self.foreign {
            return Step::Done;
        }
        cx.child(Self::NAME, 0, DATA_BEFORE_LOST);
        Step::Lost
    }

    fn resync(&self, _dir: Dir, data: &[u8], _hint: &Hint) -> Option<usize> {
        find(data)
    }
}

fn begins(bytes: &[u8]) -> bool {
    bytes.iter().zip([3, 0]).all(|(b, expected)| *b == expected)
}

/// Length of the packet at the head of `bytes`, none when its header is cut or wrong.
fn length(bytes: &[u8]) -> Option<usize> {
    let [3, 0, high, low] = *bytes.first_chunk::<HEADER>()? else { return None };
    let length = usize::from(u16::from_be_bytes([high, low]));
    (length >= PACKET_MIN).then_some(length)
}

/// A connection request or confirm whose variable part is not a list of ISO 8073 parameters.
fn is_foreign(payload: &[u8]) -> bool {
    matches!(payload.get(1).map(|c| c & 0xf0), Some(0xe0 | 0xd0)) && connection_parameters(payload).is_none()
}

fn probe(head: &[u8], port: bool) -> Probe {
    if head.len() < HEADER + 3 {
        return if begins(head) { Probe::Unsure } else { Probe::No };
    }
    let (Some(length), Some([indicator, code, third])) =
        (length(head), head.get(HEADER..).and_then(|p| p.first_chunk::<3>()))
    else {
        return Probe::No;
    };
    let indicator = usize::from(*indicator);
    if indicator + 1 > length - HEADER {
        return Probe::No;
    }
    match (code, indicator) {
        (0xf0, 2) if third & 0x7f == 0 => Probe::Certain,
        (0xd0..=0xef, 6..=254) if indicator + 1 == length - HEADER => Probe::Certain,
        (0x70 | 0x80 | 0xc0, 4..=254) if port && indicator + 1 == length - HEADER => Probe::Certain,
        _ => Probe::No,
    }
}

/// Where a packet with a TPDU seems to begin.
fn find(bytes: &[u8]) -> Option<usize> {
    let begins = |at: &usize| bytes.get(*at..).is_some_and(|r| probe(r, false) == Probe::Certain);
    (0..bytes.len().min(SEARCH_MAX)).find(begins)
}

#[cfg(test)]
mod tests;
