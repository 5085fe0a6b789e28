//! What a shard keeps of a live flow beside what its handler sees: counters, time-outs, worth, and the rows they become.

use gwcore::{Mac, Span, Ts};
use packet::{Packet, Transport};

use crate::history::{History, Scale};
use crate::stats::{About, Meter};
use crate::table::Worth;
use crate::tcp::Tcp;
use crate::{Conn, ConnPart, Flow, FlowMinute, FlowStats, Options, Side};

/// One-way flows of fewer packets are attempts that nobody answered.
const ATTEMPT_PACKETS: u64 = 4;
/// Flows without a session of fewer packets are short exchanges.
const SHORT_PACKETS: u64 = 100;

/// What the flow is.
pub(crate) enum Kind {
    Tcp(Box<Tcp>),
    Udp,
    Icmp,
    OtherIp,
    Link,
}

/// Counters of one side.
#[derive(Clone, Copy, Default)]
pub(crate) struct Count {
    pub packets: u64,
    pub ip_bytes: u64,
    /// Payload bytes; for TCP the streams know better.
    pub payload: u64,
}

/// A live flow. What every packet looks at stands together.
#[repr(C)]
pub(crate) struct Entry<A> {
    pub kind: Kind,
    /// Latest packet in the shard's time, which stray frames do not move.
    pub touched: Ts,
    /// Time of its live entry among the timers.
    pub scheduled: Ts,
    /// When it was last made the most recent of its worth.
    pub listed: Ts,
    pub worth: Worth,
    pub orig_is_a: bool,
    /// What was added to the hash of its identity.
    pub uid_counter: u32,
    pub counts: [Count; 2],
    pub flow: Flow<A>,
    pub history: History,
    /// End of the current interval of `conn_part`.
    pub part_at: Ts,
    /// Number of the flow in the order of creation.
    pub serial: u64,
    /// First packet in the shard's time.
    pub started: Ts,
    at_part: [Count; 2],
    pub dup_pkts: u64,
    wrong: [Scale; 2],
    /// Packets of each side that wait for a verdict on their checksum, and those that waited and were believed.
    pub waiting: [u32; 2],
    pub believed: [u32; 2],
    /// Between which MAC addresses each side's last data went, and those beyond somebody who alters it; 0 for none.
    pub links: [u32; 2],
    pub second_leg: u32,
    /// Who sent each side's last data.
    pub senders: [Mac; 2],
    /// VLANs of each side as far as it was seen.
    pub vlans: [[u16; 2]; 2],
    /// Segments that wait for what they acknowledge.
    pub late: u16,
    /// Its key names its VLANs: another conversation has the same addresses and ports.
    pub is_apart: bool,
    /// That the sides bear different VLANs was told.
    pub vlans_told: bool,
    /// Statistics for learning, where they are wanted.
    pub meter: Option<Box<Meter>>,
}

/// The VLANs of a side that was not seen yet.
pub(crate) const VLANS_UNSEEN: [u16; 2] = [0xfffe; 2];

impl<A> Entry<A> {
    pub(crate) fn new(flow: Flow<A>, kind: Kind, orig_is_a: bool, now: Ts, o: &Options) -> Entry<A> {
        Entry {
            flow,
            kind,
            serial: 0,
            orig_is_a,
            uid_counter: 0,
            started: now,
            touched: now,
            listed: now,
            worth: Worth::Unanswered,
            scheduled: Ts(i64::MAX),
            part_at: now.plus(o.part_interval),
            counts: Default::default(),
            at_part: Default::default(),
            dup_pkts: 0,
            history: History::default(),
            wrong: Default::default(),
            waiting: [0; 2],
            believed: [0; 2],
            links: [0; 2],
            second_leg: 0,
            senders: [Mac::NONE; 2],
            vlans: [VLANS_UNSEEN; 2],
            late: 0,
            is_apart: false,
            vlans_told: false,
            meter: o.stats.then(Box::default),
        }
    }

    fn about(&self) -> About {
        About { proto: self.proto(), service: self.service() }
    }

    /// Takes a packet into the statistics; true when it is the first one of its minute.
    #[inline]
    pub(crate) fn measure(&mut self, side: Side, p: &Packet, now: Ts) -> bool {
        let len = if matches!(self.kind, Kind::Link) { p.wire_len } else { p.ip_len };
        self.meter.as_mut().is_some_and(|m| m.packet(side, p, len, now))
    }

    /// Statistics of the part at hand, if any packet came in it.
    pub(crate) fn stats(&mut self, continued: bool) -> Option<(Ts, FlowStats<'static>)> {
        let about = self.about();
        self.meter.as_mut()?.part(&about, continued)
    }

    /// The minute at hand, if any packet came in it.
    pub(crate) fn minute(&mut self) -> Option<(Ts, FlowMinute<'static>)> {
        let (about, started) = (self.about(), self.started);
        self.meter.as_mut()?.minute(&about, started)
    }

    /// Counts a packet.
    #[inline]
    pub(crate) fn count(&mut self, side: Side, p: &Packet, now: Ts) {
        let count = &mut self.counts[side.index()];
        count.packets += 1;
        count.ip_bytes += u64::from(if matches!(self.kind, Kind::Link) { p.wire_len } else { p.ip_len });
        // Zeek counts ICMP payload after the second word of the header, which our payload still begins with.
        let header = if matches!(p.transport, Transport::Icmp { .. }) { 4 } else { 0 };
        count.payload += u64::from(p.payload_len.saturating_sub(header));
        // Zeek's duration leaves out what follows the end of both sides: the last ACK, and what is sent again.
        if !matches!(&self.kind, Kind::Tcp(tcp) if tcp.states().have_both_ended()) {
            self.touched = self.touched.max(now);
        }
        self.flow.last_ts = self.flow.last_ts.max(p.ts);
    }

    /// Packets after a pause of the whole capture move no time until enough of them agree; once they do, the flow was alive at them.
    pub(crate) fn catch_up(&mut self, now: Ts, pause: i64) {
        if self.flow.last_ts.since(self.touched) > pause && self.flow.last_ts <= now {
            self.touched = self.flow.last_ts;
        }
    }

    /// Whether nothing that a side sent so far had a right checksum.
    pub(crate) fn is_all_wrong(&self, side: Side) -> bool {
        let i = side.index();
        self.counts[i].packets == u64::from(self.waiting[i]) + u64::from(self.believed[i])
    }

    /// A checksum was wrong and not believed.
    pub(crate) fn wrong_checksum(&mut self, side: Side) {
        if matches!(self.kind, Kind::Tcp(_) | Kind::Udp) {
            self.history.scaled(side, b'c', &mut self.wrong[side.index()]);
        }
    }

    /// Last moment of the flow if no packet follows, and how its end is then called.
    #[inline]
    pub(crate) fn deadline(&self, o: &Options) -> (Ts, &'static str) {
        let (ns, reason) = match &self.kind {
            Kind::Tcp(tcp) => tcp.timeout(o, self.flow.is_ot),
            Kind::Udp | Kind::OtherIp => (o.udp_inactivity_timeout, "inactive"),
            Kind::Icmp => (o.icmp_inactivity_timeout, "inactive"),
            Kind::Link => (o.link_inactivity_timeout, "inactive"),
        };
        (self.touched.plus(ns), reason)
    }

    /// When a timer has something to do for the flow.
    #[inline]
    pub(crate) fn soonest(&self, o: &Options) -> Ts {
        let end = self.deadline(o).0.plus(1);
        let wake = self.flow.wake.unwrap_or(end);
        let part = if self.is_part_empty() { end } else { self.part_at };
        end.min(wake).min(part)
    }

    pub(crate) fn current_worth(&self) -> Worth {
        let [orig, resp] = [self.counts[0].packets, self.counts[1].packets];
        let worthless = match &self.kind {
            Kind::Tcp(tcp) => tcp.states().are_over() || tcp.states().are_attempt(),
            _ => false,
        };
        let total = orig + resp;
        if worthless {
            Worth::Unanswered
        } else if self.flow.is_ot {
            Worth::Ot
        } else if (orig == 0 || resp == 0) && total < ATTEMPT_PACKETS {
            Worth::Unanswered
        } else if !matches!(self.kind, Kind::Tcp(_)) && total < SHORT_PACKETS {
            Worth::Short
        } else {
            Worth::Session
        }
    }

    fn payload(&self, side: Side) -> u64 {
        match &self.kind {
            Kind::Tcp(tcp) => tcp.size(side),
            _ => self.counts[side.index()].payload,
        }
    }

    fn proto(&self) -> &'static str {
        match self.kind {
            Kind::Tcp(_) => "tcp",
            Kind::Udp => "udp",
            Kind::Icmp => "icmp",
            Kind::OtherIp => "unknown_transport",
            Kind::Link => "link",
        }
    }

    fn service(&self) -> Option<&'static str> {
        (!self.flow.service.is_empty()).then_some(self.flow.service)
    }

    fn conn_state(&self) -> &'static str {
        match (&self.kind, self.counts[0].packets > 0, self.counts[1].packets > 0) {
            (Kind::Tcp(tcp), ..) => tcp.conn_state(),
            (Kind::Udp, true, true) => "SF",
            (Kind::Udp, true, false) => "S0",
            (Kind::Udp, false, true) => "SHR",
            _ => "OTH",
        }
    }

    /// Whether no packet came in the current interval.
    #[inline]
    pub(crate) fn is_part_empty(&self) -> bool {
        self.counts.iter().zip(&self.at_part).all(|(now, then)| now.packets == then.packets)
    }

    /// Goes to the interval of a moment without a row: an idle utility session lives a day, and its silence is the absence of rows.
    pub(crate) fn skip_parts(&mut self, to: Ts, o: &Options) {
        let interval = o.part_interval.max(1);
        let whole = to.since(self.part_at).div_euclid(interval).saturating_add(1);
        self.part_at = self.part_at.plus(interval.saturating_mul(whole));
    }

    /// The row of the interval that ends at `part_at`; the next one begins.
    pub(crate) fn part(&mut self, o: &Options) -> ConnPart<'static> {
        let mut totals = self.counts;
        totals[0].payload = self.payload(Side::Orig);
        totals[1].payload = self.payload(Side::Resp);
        let before = std::mem::replace(&mut self.at_part, totals);
        let age = self.part_at.since(self.started);
        self.part_at = self.part_at.plus(o.part_interval.max(1));
        let [orig, resp] = totals;
        ConnPart {
            proto: self.proto(),
            service: self.service(),
            age: Span(age),
            orig_bytes: orig.payload.saturating_sub(before[0].payload),
            resp_bytes: resp.payload.saturating_sub(before[1].payload),
            orig_pkts: orig.packets.saturating_sub(before[0].packets),
            resp_pkts: resp.packets.saturating_sub(before[1].packets),
            orig_ip_bytes: orig.ip_bytes.saturating_sub(before[0].ip_bytes),
            resp_ip_bytes: resp.ip_bytes.saturating_sub(before[1].ip_bytes),
            orig_bytes_total: orig.payload,
            resp_bytes_total: resp.payload,
            orig_pkts_total: orig.packets,
            resp_pkts_total: resp.packets,
        }
    }

    /// The row of the whole flow; `history` lives apart since the flow is lent to the handler with the row.
    pub(crate) fn conn<'a>(&self, history: &'a History, end_reason: &'static str) -> Conn<'a> {
        let [orig, resp] = self.counts;
        let tcp = match &self.kind {
            Kind::Tcp(tcp) => Some(tcp),
            _ => None,
        };
        let duration = Some(self.touched.since(self.started)).filter(|d| *d > 0).map(Span);
        let text = history.text();
        let c = &self.flow.constant;
        let (rtt_min, rtt_mean) = tcp.map_or((None, None), |t| t.data_rtt());
        Conn {
            proto: self.proto(),
            service: self.service(),
            duration,
            orig_bytes: duration.map(|_| self.payload(Side::Orig)),
            resp_bytes: duration.map(|_| self.payload(Side::Resp)),
            conn_state: self.conn_state(),
            local_orig: !c.src.is_none() && c.src.is_local(),
            local_resp: !c.dst.is_none() && c.dst.is_local(),
            missed_bytes: tcp.map_or(0, |t| t.missed()),
            history: (!text.is_empty()).then_some(text),
            orig_pkts: orig.packets,
            orig_ip_bytes: orig.ip_bytes,
            resp_pkts: resp.packets,
            resp_ip_bytes: resp.ip_bytes,
            tunnel: (!self.flow.tunnel.is_empty()).then_some(self.flow.tunnel),
            dup_pkts: self.dup_pkts,
            handshake_rtt: tcp.and_then(|t| t.handshake_rtt()),
            data_rtt_min: rtt_min,
            data_rtt_mean: rtt_mean,
            orig_retransmitted_bytes: tcp.map_or(0, |t| t.retransmitted(Side::Orig)),
            resp_retransmitted_bytes: tcp.map_or(0, |t| t.retransmitted(Side::Resp)),
            zero_window: tcp.map_or(Span(0), |t| t.zero_window()),
            out_of_order: tcp.map_or(0, |t| t.out_of_order()),
            overlaps: tcp.map_or(0, |t| t.overlaps()),
            end_reason,
        }
    }

    /// Moves all times but those of the flow's identity by `step_ns`.
    pub(crate) fn shift(&mut self, step_ns: i64) {
        for t in [&mut self.started, &mut self.touched, &mut self.listed, &mut self.part_at, &mut self.scheduled] {
            *t = t.plus(step_ns);
        }
        self.flow.wake = self.flow.wake.map(|t| t.plus(step_ns));
        if let Kind::Tcp(tcp) = &mut self.kind {
            tcp.shift(step_ns);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flows_stay_small() {
        assert!(size_of::<Entry<()>>() <= 512, "{}", size_of::<Entry<()>>());
        assert!(size_of::<Tcp>() <= 768, "{}", size_of::<Tcp>());
    }
}
