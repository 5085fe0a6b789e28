//! Statistics of a flow for learning: sizes, pauses and flags by direction, named as nfstream names them, and what it did in each minute.
//!
//! They are kept only where [`crate::Options::stats`] asks for them. What cannot be measured is absent, never zero or infinite: the mean
//! pause of one packet, a rate over no time. Lengths are those of IP packets (nfstream's accounting mode 1).

use gwcore::{Span, Sym, Ts};
use packet::{Packet, Transport};

use crate::Side;

/// A pause longer than this begins another subflow, in ns.
const SUBFLOW: i64 = 1_000_000_000;
/// A pause longer than this is idleness, in ns.
const IDLE: i64 = 5_000_000_000;

gwcore::record! {
    /// Statistics of a conversation, or of five minutes of one that is older than five minutes. Its time is that of the first packet.
    pub struct FlowStats, FlowStatsColumns = "flow_stats", Flow {
        /// Transport, as in `conn`.
        proto: Sym,
        /// Protocol recognised by content so far.
        service: Option<Sym>,
        /// Which part of the conversation this is, from 0.
        part: u32,
        /// Whether the conversation goes on after it.
        continued: bool,
        /// Packets of both directions.
        bidirectional_packets: u64,
        /// Bytes of the IP packets of both directions (of the frames where there is no IP).
        bidirectional_bytes: u64 ["B"],
        /// From the first packet of both directions to the last.
        bidirectional_duration_ms: f64 ["ms"],
        /// Packets of the originator.
        src2dst_packets: u64,
        /// Bytes of the IP packets of the originator (of the frames where there is no IP).
        src2dst_bytes: u64 ["B"],
        /// From the first packet of the originator to the last.
        src2dst_duration_ms: f64 ["ms"],
        /// Packets of the responder.
        dst2src_packets: u64,
        /// Bytes of the IP packets of the responder (of the frames where there is no IP).
        dst2src_bytes: u64 ["B"],
        /// From the first packet of the responder to the last.
        dst2src_duration_ms: f64 ["ms"],
        /// Smallest of the IP packets' lengths of both directions.
        bidirectional_min_ps: Option<f64> ["B"],
        /// Mean of the IP packets' lengths of both directions.
        bidirectional_mean_ps: Option<f64> ["B"],
        /// Sample standard deviation of the IP packets' lengths of both directions. Absent for fewer than two.
        bidirectional_stddev_ps: Option<f64> ["B"],
        /// Largest of the IP packets' lengths of both directions.
        bidirectional_max_ps: Option<f64> ["B"],
        /// Smallest of the IP packets' lengths of the originator.
        src2dst_min_ps: Option<f64> ["B"],
        /// Mean of the IP packets' lengths of the originator.
        src2dst_mean_ps: Option<f64> ["B"],
        /// Sample standard deviation of the IP packets' lengths of the originator. Absent for fewer than two.
        src2dst_stddev_ps: Option<f64> ["B"],
        /// Largest of the IP packets' lengths of the originator.
        src2dst_max_ps: Option<f64> ["B"],
        /// Smallest of the IP packets' lengths of the responder.
        dst2src_min_ps: Option<f64> ["B"],
        /// Mean of the IP packets' lengths of the responder.
        dst2src_mean_ps: Option<f64> ["B"],
        /// Sample standard deviation of the IP packets' lengths of the responder. Absent for fewer than two.
        dst2src_stddev_ps: Option<f64> ["B"],
        /// Largest of the IP packets' lengths of the responder.
        dst2src_max_ps: Option<f64> ["B"],
        /// Smallest of the times between packets of both directions. Absent for fewer than two.
        bidirectional_min_piat_ms: Option<f64> ["ms"],
        /// Mean of the times between packets of both directions. Absent for fewer than two.
        bidirectional_mean_piat_ms: Option<f64> ["ms"],
        /// Sample standard deviation of the times between packets of both directions. Absent for fewer than two of them.
        bidirectional_stddev_piat_ms: Option<f64> ["ms"],
        /// Largest of the times between packets of both directions. Absent for fewer than two.
        bidirectional_max_piat_ms: Option<f64> ["ms"],
        /// Smallest of the times between packets of the originator. Absent for fewer than two.
        src2dst_min_piat_ms: Option<f64> ["ms"],
        /// Mean of the times between packets of the originator. Absent for fewer than two.
        src2dst_mean_piat_ms: Option<f64> ["ms"],
        /// Sample standard deviation of the times between packets of the originator. Absent for fewer than two of them.
        src2dst_stddev_piat_ms: Option<f64> ["ms"],
        /// Largest of the times between packets of the originator. Absent for fewer than two.
        src2dst_max_piat_ms: Option<f64> ["ms"],
        /// Smallest of the times between packets of the responder. Absent for fewer than two.
        dst2src_min_piat_ms: Option<f64> ["ms"],
        /// Mean of the times between packets of the responder. Absent for fewer than two.
        dst2src_mean_piat_ms: Option<f64> ["ms"],
        /// Sample standard deviation of the times between packets of the responder. Absent for fewer than two of them.
        dst2src_stddev_piat_ms: Option<f64> ["ms"],
        /// Largest of the times between packets of the responder. Absent for fewer than two.
        dst2src_max_piat_ms: Option<f64> ["ms"],
        /// Packets of both directions with SYN.
        bidirectional_syn_packets: u64,
        /// Packets of both directions with CWR.
        bidirectional_cwr_packets: u64,
        /// Packets of both directions with ECE.
        bidirectional_ece_packets: u64,
        /// Packets of both directions with URG.
        bidirectional_urg_packets: u64,
        /// Packets of both directions with ACK.
        bidirectional_ack_packets: u64,
        /// Packets of both directions with PSH.
        bidirectional_psh_packets: u64,
        /// Packets of both directions with RST.
        bidirectional_rst_packets: u64,
        /// Packets of both directions with FIN.
        bidirectional_fin_packets: u64,
        /// Packets of the originator with SYN.
        src2dst_syn_packets: u64,
        /// Packets of the originator with CWR.
        src2dst_cwr_packets: u64,
        /// Packets of the originator with ECE.
        src2dst_ece_packets: u64,
        /// Packets of the originator with URG.
        src2dst_urg_packets: u64,
        /// Packets of the originator with ACK.
        src2dst_ack_packets: u64,
        /// Packets of the originator with PSH.
        src2dst_psh_packets: u64,
        /// Packets of the originator with RST.
        src2dst_rst_packets: u64,
        /// Packets of the originator with FIN.
        src2dst_fin_packets: u64,
        /// Packets of the responder with SYN.
        dst2src_syn_packets: u64,
        /// Packets of the responder with CWR.
        dst2src_cwr_packets: u64,
        /// Packets of the responder with ECE.
        dst2src_ece_packets: u64,
        /// Packets of the responder with URG.
        dst2src_urg_packets: u64,
        /// Packets of the responder with ACK.
        dst2src_ack_packets: u64,
        /// Packets of the responder with PSH.
        dst2src_psh_packets: u64,
        /// Packets of the responder with RST.
        dst2src_rst_packets: u64,
        /// Packets of the responder with FIN.
        dst2src_fin_packets: u64,
        /// Payload bytes in the packets of the originator, sent again or not.
        src2dst_payload_bytes: u64 ["B"],
        /// Packets of the originator with payload.
        src2dst_data_packets: u64,
        /// Bytes of IP and transport headers of the originator.
        src2dst_header_bytes: u64 ["B"],
        /// Unscaled receive window in the first TCP packet of the originator.
        src2dst_init_window: Option<u16> ["B"],
        /// Payload bytes in the packets of the responder, sent again or not.
        dst2src_payload_bytes: u64 ["B"],
        /// Packets of the responder with payload.
        dst2src_data_packets: u64,
        /// Bytes of IP and transport headers of the responder.
        dst2src_header_bytes: u64 ["B"],
        /// Unscaled receive window in the first TCP packet of the responder.
        dst2src_init_window: Option<u16> ["B"],
        /// Packets per second; absent for a duration of zero.
        bidirectional_packets_per_s: Option<f64> ["1/s"],
        /// Bytes per second; absent for a duration of zero.
        bidirectional_bytes_per_s: Option<f64> ["B/s"],
        /// Packets of the responder for each of the originator; absent where that sent none.
        down_up_ratio: Option<f64>,
        /// Stretches of packets with pauses of a second at most between them.
        subflows: u64,
        /// Shortest of the stretches with pauses of five seconds at most.
        min_active_ms: Option<f64> ["ms"],
        /// Mean length of the stretches with pauses of five seconds at most.
        mean_active_ms: Option<f64> ["ms"],
        /// Longest of the stretches with pauses of five seconds at most.
        max_active_ms: Option<f64> ["ms"],
        /// Shortest of the pauses of more than five seconds.
        min_idle_ms: Option<f64> ["ms"],
        /// Mean length of the pauses of more than five seconds.
        mean_idle_ms: Option<f64> ["ms"],
        /// Longest of the pauses of more than five seconds.
        max_idle_ms: Option<f64> ["ms"],
    }
}

gwcore::record! {
    /// A minute of a conversation in which packets came. Its time is the beginning of the minute.
    pub struct FlowMinute, FlowMinuteColumns = "flow_minute", Flow {
        /// Transport, as in `conn`.
        proto: Sym,
        /// Protocol recognised by content so far.
        service: Option<Sym>,
        /// Time since the conversation began, at the end of the minute.
        age: Span ["s"],
        /// Packets of the originator.
        orig_pkts: u64,
        /// Packets of the responder.
        resp_pkts: u64,
        /// Bytes of the originator's IP packets (of the frames where there is no IP).
        orig_ip_bytes: u64 ["B"],
        /// The same of the responder.
        resp_ip_bytes: u64 ["B"],
        /// Payload bytes in the packets of the originator.
        orig_payload_bytes: u64 ["B"],
        /// Payload bytes in the packets of the responder.
        resp_payload_bytes: u64 ["B"],
        /// SYN of the originator.
        orig_syn_packets: u64,
        /// RST of the responder.
        resp_rst_packets: u64,
    }
}

/// Count, mean and spread of values as they come (Welford).
#[derive(Clone, Copy, Default)]
struct Moments {
    n: u64,
    mean: f64,
    squares: f64,
    min: f64,
    max: f64,
}

impl Moments {
    fn add(&mut self, x: f64) {
        self.n += 1;
        (self.min, self.max) = if self.n == 1 { (x, x) } else { (self.min.min(x), self.max.max(x)) };
        let off = x - self.mean;
        self.mean += off / self.n as f64;
        self.squares += off * (x - self.mean);
    }
    fn least(&self) -> Option<f64> {
        (self.n > 0).then_some(self.min)
    }
    fn most(&self) -> Option<f64> {
        (self.n > 0).then_some(self.max)
    }
    fn mean(&self) -> Option<f64> {
        (self.n > 0).then_some(self.mean)
    }
    fn deviation(&self) -> Option<f64> {
        (self.n > 1).then(|| (self.squares / (self.n - 1) as f64).max(0.0).sqrt())
    }
}

/// One direction, or both together.
#[derive(Clone, Copy, Default)]
struct Direction {
    packets: u64,
    bytes: u64,
    payload: u64,
    data_packets: u64,
    headers: u64,
    first: Ts,
    last: Ts,
    size: Moments,
    gap: Moments,
    /// By bit, FIN first.
    flags: [u64; 8],
}

impl Direction {
    fn add(&mut self, at: Ts, len: u32, payload: u32, flags: u8) {
        if self.packets == 0 {
            (self.first, self.last) = (at, at);
        } else {
            // A capture out of order has no pause below zero.
            self.gap.add(at.since(self.last).max(0) as f64 / 1e6);
            self.last = self.last.max(at);
        }
        self.packets += 1;
        self.bytes += u64::from(len);
        self.payload += u64::from(payload);
        self.data_packets += u64::from(payload > 0);
        self.headers += u64::from(len.saturating_sub(payload));
        self.size.add(f64::from(len));
        for (bit, n) in self.flags.iter_mut().enumerate() {
            *n += u64::from(flags >> bit & 1);
        }
    }
    fn duration_ms(&self) -> f64 {
        self.last.since(self.first) as f64 / 1e6
    }
    fn per_second(&self, n: u64) -> Option<f64> {
        let seconds = self.duration_ms() / 1e3;
        (seconds > 0.0).then(|| n as f64 / seconds)
    }
}

fn ratio(a: u64, b: u64) -> Option<f64> {
    (b > 0).then(|| a as f64 / b as f64)
}

/// What a part is called by.
pub(crate) struct About {
    pub proto: &'static str,
    pub service: Option<&'static str>,
}

/// Counters of one side in a minute.
#[derive(Clone, Copy, Default)]
struct InMinute {
    packets: u64,
    bytes: u64,
    payload: u64,
    syn: u64,
    rst: u64,
}

/// Statistics of the part and of the minute at hand.
#[derive(Clone, Default)]
pub(crate) struct Meter {
    part: u32,
    /// Both directions, originator, responder.
    d: [Direction; 3],
    /// Of the whole flow, not of the part.
    first_window: [Option<u16>; 2],
    seen: [bool; 2],
    subflows: u64,
    active: Moments,
    active_since: Ts,
    idle: Moments,
    minute: [InMinute; 2],
    /// Beginning of the minute at hand.
    pub(crate) in_minute: Option<Ts>,
}

impl Meter {
    /// Takes a packet in; true when it is the first one of its minute.
    pub(crate) fn packet(&mut self, side: Side, p: &Packet, len: u32, now: Ts) -> bool {
        let (flags, window) = match p.transport {
            Transport::Tcp(tcp) => (tcp.flags, Some(tcp.window)),
            _ => (0, None),
        };
        let i = side.index();
        if !std::mem::replace(&mut self.seen[i], true) {
            self.first_window[i] = window;
        }
        let pause = p.ts.since(self.d[0].last);
        if self.d[0].packets == 0 {
            (self.active_since, self.subflows) = (p.ts, 1);
        } else {
            self.subflows += u64::from(pause > SUBFLOW);
            if pause > IDLE {
                self.active.add(self.d[0].last.since(self.active_since).max(0) as f64 / 1e6);
                self.idle.add(pause as f64 / 1e6);
                self.active_since = p.ts;
            }
        }
        self.d[0].add(p.ts, len, p.payload_len, flags);
        self.d[1 + i].add(p.ts, len, p.payload_len, flags);
        let m = &mut self.minute[i];
        m.packets += 1;
        m.bytes += u64::from(len);
        m.payload += u64::from(p.payload_len);
        m.syn += u64::from(flags >> 1 & 1);
        m.rst += u64::from(flags >> 2 & 1);
        let is_first = self.in_minute.is_none();
        if is_first {
            self.in_minute = Some(now.minute());
        }
        is_first
    }

    /// The row of the part at hand and the time of its first packet; none when no packet came. The next part begins.
    pub(crate) fn part(&mut self, about: &About, continued: bool) -> Option<(Ts, FlowStats<'static>)> {
        if self.d[0].packets == 0 {
            return None;
        }
        let d = &self.d;
        let mut active = self.active;
        active.add(d[0].last.since(self.active_since).max(0) as f64 / 1e6);
        let row = FlowStats {
            proto: about.proto,
            service: about.service,
            part: self.part,
            continued,
            bidirectional_packets: d[0].packets,
            bidirectional_bytes: d[0].bytes,
            bidirectional_duration_ms: d[0].duration_ms(),
            src2dst_packets: d[1].packets,
            src2dst_bytes: d[1].bytes,
            src2dst_duration_ms: d[1].duration_ms(),
            dst2src_packets: d[2].packets,
            dst2src_bytes: d[2].bytes,
            dst2src_duration_ms: d[2].duration_ms(),
            bidirectional_min_ps: d[0].size.least(),
            bidirectional_mean_ps: d[0].size.mean(),
            bidirectional_stddev_ps: d[0].size.deviation(),
            bidirectional_max_ps: d[0].size.most(),
            src2dst_min_ps: d[1].size.least(),
            src2dst_mean_ps: d[1].size.mean(),
            src2dst_stddev_ps: d[1].size.deviation(),
            src2dst_max_ps: d[1].size.most(),
            dst2src_min_ps: d[2].size.least(),
            dst2src_mean_ps: d[2].size.mean(),
            dst2src_stddev_ps: d[2].size.deviation(),
            dst2src_max_ps: d[2].size.most(),
            bidirectional_min_piat_ms: d[0].gap.least(),
            bidirectional_mean_piat_ms: d[0].gap.mean(),
            bidirectional_stddev_piat_ms: d[0].gap.deviation(),
            bidirectional_max_piat_ms: d[0].gap.most(),
            src2dst_min_piat_ms: d[1].gap.least(),
            src2dst_mean_piat_ms: d[1].gap.mean(),
            src2dst_stddev_piat_ms: d[1].gap.deviation(),
            src2dst_max_piat_ms: d[1].gap.most(),
            dst2src_min_piat_ms: d[2].gap.least(),
            dst2src_mean_piat_ms: d[2].gap.mean(),
            dst2src_stddev_piat_ms: d[2].gap.deviation(),
            dst2src_max_piat_ms: d[2].gap.most(),
            bidirectional_syn_packets: d[0].flags[1],
            bidirectional_cwr_packets: d[0].flags[7],
            bidirectional_ece_packets: d[0].flags[6],
            bidirectional_urg_packets: d[0].flags[5],
            bidirectional_ack_packets: d[0].flags[4],
            bidirectional_psh_packets: d[0].flags[3],
            bidirectional_rst_packets: d[0].flags[2],
            bidirectional_fin_packets: d[0].flags[0],
            src2dst_syn_packets: d[1].flags[1],
            src2dst_cwr_packets: d[1].flags[7],
            src2dst_ece_packets: d[1].flags[6],
            src2dst_urg_packets: d[1].flags[5],
            src2dst_ack_packets: d[1].flags[4],
            src2dst_psh_packets: d[1].flags[3],
            src2dst_rst_packets: d[1].flags[2],
            src2dst_fin_packets: d[1].flags[0],
            dst2src_syn_packets: d[2].flags[1],
            dst2src_cwr_packets: d[2].flags[7],
            dst2src_ece_packets: d[2].flags[6],
            dst2src_urg_packets: d[2].flags[5],
            dst2src_ack_packets: d[2].flags[4],
            dst2src_psh_packets: d[2].flags[3],
            dst2src_rst_packets: d[2].flags[2],
            dst2src_fin_packets: d[2].flags[0],
            src2dst_payload_bytes: d[1].payload,
            src2dst_data_packets: d[1].data_packets,
            src2dst_header_bytes: d[1].headers,
            src2dst_init_window: self.first_window[0],
            dst2src_payload_bytes: d[2].payload,
            dst2src_data_packets: d[2].data_packets,
            dst2src_header_bytes: d[2].headers,
            dst2src_init_window: self.first_window[1],
            bidirectional_packets_per_s: d[0].per_second(d[0].packets),
            bidirectional_bytes_per_s: d[0].per_second(d[0].bytes),
            down_up_ratio: ratio(d[2].packets, d[1].packets),
            subflows: self.subflows,
            min_active_ms: active.least(),
            mean_active_ms: active.mean(),
            max_active_ms: active.most(),
            min_idle_ms: self.idle.least(),
            mean_idle_ms: self.idle.mean(),
            max_idle_ms: self.idle.most(),
        };
        let first = d[0].first;
        *self = Meter {
            part: self.part.saturating_add(1),
            first_window: self.first_window,
            seen: self.seen,
            minute: self.minute,
            in_minute: self.in_minute,
            ..Meter::default()
        };
        Some((first, row))
    }

    /// The row of the minute at hand and when that began; none when no packet came in it.
    pub(crate) fn minute(&mut self, about: &About, started: Ts) -> Option<(Ts, FlowMinute<'static>)> {
        let at = self.in_minute.take()?;
        let [orig, resp] = std::mem::take(&mut self.minute);
        let row = FlowMinute {
            proto: about.proto,
            service: about.service,
            age: Span(at.plus(gwcore::time::MINUTE).since(started).max(0)),
            orig_pkts: orig.packets,
            resp_pkts: resp.packets,
            orig_ip_bytes: orig.bytes,
            resp_ip_bytes: resp.bytes,
            orig_payload_bytes: orig.payload,
            resp_payload_bytes: resp.payload,
            orig_syn_packets: orig.syn,
            resp_rst_packets: resp.rst,
        };
        Some((at, row))
    }
}
