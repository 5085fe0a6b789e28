//! The Precision Time Protocol, over Ethernet (EtherType 0x88F7) and UDP (319, 320): who gives the time, from what source, and how far it lies
//! from the capture's own (IEEE 1588-2008 and 2019, version 2 on the wire).
//!
//! The offset of a sync holds the path delay and the capture's own error: it is good for steps and drifts, not as an absolute. Limits:
//! `Limit::Repeats`; one sync and one UTC offset are remembered per direction.

mod parse;
mod record;
#[cfg(test)]
mod tests;

use gwcore::time::SECOND;
use gwcore::{Body, PointId, Sample, Ts};
use proto::{Carrier, Cx, Dir, Hint, Parser, Probe, Repeats, Step};

pub use record::{PtpColumns, PtpMessage};

use parse::{Kind, Message, Port, clock, parse, time_source};

const NAME: &str = "ptp";
/// EtherType of PTP.
const ETHERTYPE: u16 = 0x88f7;
/// UDP ports of event and general messages.
const PORTS: [u16; 2] = [319, 320];

/// The parser of one flow.
#[derive(Default)]
pub struct Ptp {
    repeats: Repeats,
    sides: [Side; 2],
}

/// What is remembered of one direction.
#[derive(Default)]
struct Side {
    told: bool,
    /// The last two-step sync: its port, sequence id and time.
    sync: Option<(Port, u16, Ts)>,
    /// TAI less UTC in seconds, once told.
    utc_offset: Option<i16>,
}

impl Parser for Ptp {
    const NAME: &'static str = NAME;
    const CARRIERS: &'static [Carrier] = &[Carrier::Link, Carrier::Datagram];

    fn probe(head: &[u8], hint: &Hint) -> Probe {
        let own = match hint.carrier {
            Carrier::Link => hint.port(ETHERTYPE),
            _ => PORTS.iter().any(|p| hint.port(*p)) && parse(head).is_ok_and(|m| !m.cut),
        };
        if own { Probe::Certain } else { Probe::No }
    }

    fn feed(&mut self, dir: Dir, data: &[u8], cx: &mut Cx<'_>) -> Step {
        match parse(data) {
            Ok(message) => self.message(dir, &message, cx),
            Err(reason) => cx.anomaly(NAME, reason, &[]),
        }
        Step::Done
    }
}

impl Ptp {
    fn message(&mut self, dir: Dir, m: &Message, cx: &mut Cx<'_>) {
        if m.cut {
            cx.anomaly(NAME, "truncated", m.header.kind.name().as_bytes());
        }
        let side = &mut self.sides[dir.index()];
        if let Some(announce) = &m.announce {
            side.utc_offset = Some(if m.header.is_tai() { announce.utc_offset } else { 0 });
            if !std::mem::replace(&mut side.told, true) {
                cx.fact(Body::Role("time_source"));
            }
            let value = format!("{} domain {}", clock(&announce.grandmaster), m.header.domain).into();
            cx.fact(Body::Stated { proto: NAME, field: "grandmaster", value });
        }
        let offset_s = side.offset(m, cx.now());
        if let Some(value) = offset_s {
            // Before an announce told the UTC offset it is another point: the seconds between TAI and UTC are no step of the clock.
            let address = u32::from(side.utc_offset.is_some());
            let point = PointId { table: "offset", unit: u32::from(m.header.domain), address };
            cx.sample(Sample { proto: NAME, point, value, discrete: false, good: true, write: false });
        }
        let h = &m.header;
        let shape = (h.flags, h.domain, h.length, m.announce, m.cut);
        let is_repeat =
            cx.tells_repeats() && self.repeats.is_repeat((dir, h.kind, h.source), shape, cx.limits) && !m.cut;
        cx.exchange(is_repeat, |cx| emit(m, offset_s, cx));
    }
}

impl Side {
    /// How far the time of a sync lies from that of its packet, in seconds.
    fn offset(&mut self, m: &Message, now: Ts) -> Option<f64> {
        let h = &m.header;
        let sent = match h.kind {
            Kind::Sync if h.two_step() => {
                self.sync = Some((h.source, h.sequence, now));
                return None;
            }
            Kind::Sync => now,
            Kind::FollowUp => self.sync.take().filter(|s| (s.0, s.1) == (h.source, h.sequence))?.2,
            _ => return None,
        };
        let utc = i64::from(self.utc_offset.unwrap_or(0)) * SECOND;
        let apart = m.time?.since(sent).saturating_sub(utc);
        Some((apart as f64 + h.correction_ns()) / 1e9)
    }
}

fn emit(m: &Message, offset_s: Option<f64>, cx: &mut Cx<'_>) {
    let h = &m.header;
    let source = h.source.text();
    let target = m.target.map(|p| p.text());
    let grandmaster = m.announce.map(|a| clock(&a.grandmaster));
    cx.emit(PtpMessage {
        message_type: h.kind.name(),
        version: h.version,
        domain: h.domain,
        source_port_identity: source.as_bytes(),
        sequence_id: h.sequence,
        flags: h.flags,
        two_step: h.two_step(),
        correction_ns: h.correction_ns(),
        origin_time: m.time,
        offset_s,
        target_port_identity: target.as_deref().map(str::as_bytes),
        grandmaster: grandmaster.as_deref().map(str::as_bytes),
        priority1: m.announce.map(|a| a.priority1),
        priority2: m.announce.map(|a| a.priority2),
        clock_class: m.announce.map(|a| a.class),
        clock_accuracy: m.announce.map(|a| a.accuracy),
        steps_removed: m.announce.map(|a| a.steps),
        time_source: m.announce.map(|a| time_source(a.source)),
        utc_offset: m.announce.map(|a| i64::from(a.utc_offset)),
    });
}
