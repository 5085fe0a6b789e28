//! One TCP session: handshakes, round-trip times, windows, and its two streams; a control segment that its receiver refuses moves nothing.

use gwcore::{Span, Ts};
use packet::{Tcp as Header, flag};

use crate::history::{History, Scale};
use crate::stamps::Stamps;
use crate::state::{State, States};
use crate::stream::{Budget, Sink, Stream};
use crate::{Flow, Handler, Options, Origin, OverlapPolicy, Side};

/// How far past the window a segment may lie before it is ignored, in bytes: losses of the capture look like that too.
const WINDOW_SLACK: i64 = 1 << 20;
/// Acknowledgements further ahead than any window reaches say nothing (RFC 7323 §2.3).
const FURTHEST_ACK: i64 = 1 << 30;

/// One end. What every segment looks at stands first.
#[derive(Default)]
#[repr(C)]
struct End {
    state: State,
    scale: Option<u8>,
    syns: u32,
    /// Largest window it announced, in bytes, the scale option applied where both ends sent one.
    window: i64,
    stream: Stream,
    /// End of the data whose ACK is timed, and when it was sent.
    timed: Option<(i64, Ts)>,
    zero_since: Option<Ts>,
    stamps: Stamps,
    /// Where a RST by this end would answer a segment that it refused.
    refusal: Option<u32>,
    gaps: Scale,
    repeats: Scale,
    zero_windows: Scale,
    marks: Marks,
    /// It sent a FIN, whatever came after it.
    fin: bool,
    /// Up to where it was told that bytes were acknowledged without having been seen.
    unseen_told: i64,
}

/// Sequence numbers of the last SYN, FIN (its end) and RST: a letter of the history comes again when they differ.
#[derive(Default)]
struct Marks {
    syn: u32,
    fin: u32,
    rst: u32,
}

/// A session.
#[derive(Default)]
pub(crate) struct Tcp {
    ends: [End; 2],
    syn_at: Option<Ts>,
    syn_ack_at: Option<Ts>,
    handshake_rtt: Option<Span>,
    rtt_min: Option<i64>,
    rtt_sum: i64,
    rtt_count: i64,
    zero_window: i64,
    /// Zeek's full close: a RST, the second FIN, or a FIN on a side that was alone.
    ending: bool,
    told: Told,
}

/// Anomalies that are told once a session.
#[derive(Default)]
struct Told {
    urgent: bool,
    split: bool,
    after_fin: bool,
    after_reset: bool,
    window: bool,
}

/// A segment as it reaches its session.
pub(crate) struct Segment<'a> {
    pub side: Side,
    pub at: Ts,
    pub tcp: Header,
    pub data: &'a [u8],
    pub len: u32,
}

/// Hands what a stream sends up to the handler.
struct Up<'a, H: Handler> {
    flow: &'a mut Flow<H::App>,
    h: &'a mut H,
    side: Side,
}

impl<H: Handler> Sink for Up<'_, H> {
    #[inline]
    fn stream(&mut self, data: &[u8]) {
        self.h.stream(self.flow, self.side, data);
    }
    fn gap(&mut self, missing: u64) {
        self.h.gap(self.flow, self.side, missing);
    }
    fn anomaly(&mut self, reason: &'static str, detail: &str) {
        self.h.anomaly(self.flow, self.side, reason, detail);
    }
    fn waited(&mut self, of: Option<Origin>) {
        self.h.waited(of);
    }
}

impl Tcp {
    /// A session; `policies` are those for the data of the originator and of the responder.
    pub(crate) fn new(policies: [OverlapPolicy; 2]) -> Tcp {
        let mut tcp = Tcp::default();
        for (end, policy) in tcp.ends.iter_mut().zip(policies) {
            end.stream.policy = policy;
        }
        tcp
    }

    /// Takes a segment in.
    pub(crate) fn segment<H: Handler>(
        &mut self,
        s: &Segment<'_>,
        history: &mut History,
        b: &mut Budget,
        flow: &mut Flow<H::App>,
        h: &mut H,
    ) {
        let flags = s.tcp.flags;
        let mut up = Up { flow, h, side: s.side };
        if flags & (flag::SYN | flag::FIN | flag::RST) != 0 {
            if self.is_refused(s, &mut up) {
                return;
            }
            self.control(s, &mut up);
            up.flow.from_start = [self.ends[0].stream.is_from_start(), self.ends[1].stream.is_from_start()];
        } else {
            self.plain(s.side);
        }
        self.window(s, history);
        let ahead = self.accept_ack(s, history, b, &mut up);
        let offset = self.place(s);
        if let Some([value, _]) = s.tcp.timestamps {
            let end = &mut self.ends[s.side.index()];
            end.stamps.sent(value, flags & flag::SYN != 0, offset <= end.stream.acked());
        }
        if s.len > 0 && flags & flag::RST == 0 {
            if self.covers_unseen(s.side, &s.tcp) {
                let other = &mut self.ends[s.side.flip().index()];
                let upto = other.stream.acked();
                if other.unseen_told != upto {
                    other.unseen_told = upto;
                    up.h.unseen(up.flow, s.side.flip());
                }
            }
            self.data(s, offset, ahead, history, b, &mut up);
        }
        self.letters(s, history);
        if flags & (flag::FIN | flag::RST) == flag::FIN {
            self.ends[s.side.index()].stream.set_fin(offset + i64::from(s.len));
        }
    }

    /// A segment without SYN, FIN or RST: it was not opened as it should, if it is not open.
    #[inline]
    fn plain(&mut self, side: Side) {
        match (self.ends[side.index()].state, self.ends[side.flip().index()].state) {
            (State::Inactive, _) | (State::SynSent, State::Inactive) => self.ends[side.index()].state = State::Partial,
            _ => {}
        }
    }

    /// The first payload byte of a segment; a SYN takes up one number before it.
    fn place(&mut self, s: &Segment<'_>) -> i64 {
        let syn = u32::from(s.tcp.flags & flag::SYN != 0);
        match s.tcp.flags & flag::RST {
            0 => self.ends[s.side.index()].stream.offset(s.tcp.seq.wrapping_add(syn)),
            _ => 0,
        }
    }

    /// SYN, FIN and RST move the states.
    fn control<H: Handler>(&mut self, s: &Segment<'_>, up: &mut Up<'_, H>) {
        let flags = s.tcp.flags;
        let me = s.side.index();
        if flags & flag::SYN != 0 && flags & flag::RST == 0 {
            self.syn(s, up);
        }
        let peer = s.side.flip().index();
        if flags & (flag::FIN | flag::RST) == flag::FIN && self.ends[me].state != State::Reset {
            self.ends[me].state = State::Closed;
            self.ends[me].fin = true;
            // A RST after the own FIN, then the other's FIN: the session ended as it should.
            if self.ends[peer].state == State::Reset && self.ends[peer].fin {
                self.ends[peer].state = State::Closed;
            }
            self.ending |= matches!(self.ends[peer].state, State::Inactive | State::Closed);
        }
        if flags & flag::RST != 0 {
            if !self.reset_is_plausible(s) {
                up.anomaly("tcp_reset_out_of_window", &format!("sequence number {}", s.tcp.seq));
                return;
            }
            // After both FINs a RST changes nothing: the session had ended.
            if !(self.ends[0].state == State::Closed && self.ends[1].state == State::Closed) {
                self.ends[me].state = State::Reset;
            }
            self.ending = true;
        }
    }

    /// Whether the receiver of a FIN or RST leaves it alone because of its timestamps, or because it answers such a segment.
    ///
    /// In answer to a SYN, the echo of FIN and RST must be zero or a value that the SYNs carried (RFC 7323 §3.2 allows that of a RST; hosts do it).
    /// Later, the value of a FIN must not lie before that of data already acknowledged (§5.3); of a RST it says nothing. The sender
    /// of a SYN answers what it refuses with a RST of that acknowledgement number and goes on (RFC 9293 §3.10.7.3).
    fn is_refused<H: Handler>(&mut self, s: &Segment<'_>, up: &mut Up<'_, H>) -> bool {
        let flags = s.tcp.flags;
        if flags & flag::SYN != 0 || flags & (flag::FIN | flag::RST) == 0 {
            return false;
        }
        let [me, peer] = [s.side.index(), s.side.flip().index()];
        if flags & (flag::RST | flag::ACK) == flag::RST && self.ends[me].refusal == Some(s.tcp.seq) {
            return self.ends[me].state == State::SynSent;
        }
        let Some([value, echo]) = s.tcp.timestamps else { return false };
        let asked = self.ends[peer].state == State::SynSent && self.ends[me].state == State::Inactive;
        let wrong = if asked {
            !self.ends[peer].stamps.may_be_echoed(echo)
        } else {
            flags & flag::RST == 0 && self.ends[me].stamps.is_old(value)
        };
        if wrong {
            self.ends[peer].refusal = (flags & flag::ACK != 0 && asked).then_some(s.tcp.ack);
            let name = if flags & flag::RST != 0 { "RST" } else { "FIN" };
            up.anomaly("tcp_impossible_timestamp", &format!("{name} with value {value}, echo {echo}"));
        }
        wrong
    }

    fn syn<H: Handler>(&mut self, s: &Segment<'_>, up: &mut Up<'_, H>) {
        let (me, peer) = (s.side.index(), s.side.flip().index());
        let answers = s.tcp.flags & flag::ACK != 0;
        let first = s.tcp.seq.wrapping_add(1);
        // Once established, another SYN is nothing that the receiver would begin anew for.
        if self.ends[me].stream.is_fresh() && self.ends[me].state != State::Established {
            self.ends[me].stream.start(first);
        } else if self.ends[me].stream.base() != Some(first) {
            up.anomaly("tcp_syn_in_session", &format!("sequence number {}", s.tcp.seq));
        }
        let end = &mut self.ends[me];
        end.syns = end.syns.saturating_add(1);
        end.scale = s.tcp.window_scale.map(|n| n.min(14)).or(end.scale);
        let repeated = end.syns > 1;
        let split = (answers && s.side == Side::Orig) || (!answers && s.side == Side::Resp);
        if split && !repeated && !self.told.split {
            self.told.split = true;
            up.anomaly(
                "tcp_split_handshake",
                if answers { "SYN-ACK by the originator" } else { "SYN by the responder" },
            );
        }
        match (answers, repeated) {
            (false, false) if s.side == Side::Orig => self.syn_at = Some(s.at),
            (true, false) if self.syn_at.is_some() => self.syn_ack_at = Some(s.at),
            _ => (self.syn_at, self.syn_ack_at) = (None, None),
        }
        if answers && self.ends[peer].syns == 0 && self.ends[peer].stream.is_fresh() {
            self.ends[peer].stream.start(s.tcp.ack);
        }
        // A reset of an attempt is over when the attempt is made again: a refused SYN is repeated with the same number (RFC 9293 §3.5.1).
        if self.ends[me].state == State::Reset && self.ends.iter().all(|e| e.stream.is_fresh() && !e.fin) {
            self.ends[me].state = if answers { State::SynSent } else { State::Inactive };
            self.ending = false;
        }
        let (mine, others) = (self.ends[me].state, self.ends[peer].state);
        if matches!(mine, State::Closed | State::Reset) {
            return;
        }
        if !answers {
            if matches!(mine, State::Inactive | State::Partial) {
                self.ends[me].state = State::SynSent;
            }
            return;
        }
        self.ends[me].state = State::Established;
        if matches!(others, State::Inactive | State::SynSent) {
            self.ends[peer].state = State::Established;
        }
    }

    /// A reset is believed when its number lies in the window, or answers an attempt (RFC 9293 §3.5.2, RFC 5961 §3.2).
    fn reset_is_plausible(&mut self, s: &Segment<'_>) -> bool {
        let (me, peer) = (s.side.index(), s.side.flip().index());
        let window = self.ends[peer].window.max(65_536).saturating_add(WINDOW_SLACK);
        let end = &mut self.ends[me];
        let known = end.stream.is_from_start() || !end.stream.is_fresh();
        if !end.stream.is_started() || end.state != State::Established || !known {
            return true;
        }
        let ahead = end.stream.offset(s.tcp.seq) - end.stream.next().max(end.stream.acked());
        (-window..=window).contains(&ahead)
    }

    fn window(&mut self, s: &Segment<'_>, history: &mut History) {
        let both = self.ends[0].scale.is_some() && self.ends[1].scale.is_some();
        let unknown = self.ends.iter().any(|e| e.syns == 0);
        let end = &mut self.ends[s.side.index()];
        if s.tcp.flags & flag::RST != 0 {
            return;
        }
        if s.tcp.window == 0 {
            history.scaled(s.side, b'w', &mut end.zero_windows);
            end.zero_since.get_or_insert(s.at);
            return;
        }
        if let Some(since) = end.zero_since.take() {
            self.zero_window = self.zero_window.saturating_add(s.at.since(since).max(0));
        }
        // The window of a SYN is never scaled (RFC 7323 §2.2); without both SYNs the scale is not known, so the largest is assumed.
        let shift = match s.tcp.flags & flag::SYN {
            0 if both => end.scale.unwrap_or(0),
            0 if unknown => 14,
            _ => 0,
        };
        end.window = end.window.max(i64::from(s.tcp.window) << shift);
    }

    /// Takes in what the segment acknowledges. Gives back how far the sender's own data may lie ahead.
    fn accept_ack<H: Handler>(
        &mut self,
        s: &Segment<'_>,
        history: &mut History,
        b: &mut Budget,
        up: &mut Up<'_, H>,
    ) -> i64 {
        let other = s.side.flip();
        let peer = &mut self.ends[other.index()];
        let reach = if peer.syns > 0 && peer.window > 0 { peer.window.saturating_add(WINDOW_SLACK) } else { i64::MAX };
        if s.tcp.flags & (flag::ACK | flag::RST) != flag::ACK {
            return reach;
        }
        let acked = peer.stream.offset(s.tcp.ack);
        // Nothing but the SYN (and data with it) can have been lost before a SYN-ACK.
        let furthest = if s.tcp.flags & flag::SYN != 0 { 0 } else { FURTHEST_ACK };
        if acked - peer.stream.top() > furthest {
            return reach;
        }
        if acked > peer.stream.acked() {
            let gaps = peer.stream.gaps;
            up.side = other;
            peer.stream.ack(acked, b, up);
            up.side = s.side;
            for _ in gaps..peer.stream.gaps {
                history.scaled(other, b'g', &mut peer.gaps);
            }
        }
        if let Some((end, sent)) = peer.timed
            && acked >= end
        {
            peer.timed = None;
            self.round_trip(s.at.since(sent));
        }
        if s.tcp.flags & flag::SYN == 0
            && s.side == Side::Orig
            && let Some(syn) = self.syn_at
            && self.syn_ack_at.take().is_some()
        {
            self.handshake_rtt = Some(Span(s.at.since(syn).max(0)));
        }
        reach
    }

    fn round_trip(&mut self, ns: i64) {
        let ns = ns.max(0);
        self.rtt_min = Some(self.rtt_min.map_or(ns, |m| m.min(ns)));
        self.rtt_sum = self.rtt_sum.saturating_add(ns);
        self.rtt_count += 1;
    }

    fn data<H: Handler>(
        &mut self,
        s: &Segment<'_>,
        offset: i64,
        reach: i64,
        history: &mut History,
        b: &mut Budget,
        up: &mut Up<'_, H>,
    ) {
        let end = &mut self.ends[s.side.index()];
        if s.tcp.flags & flag::URG != 0 && s.tcp.urgent > 0 && !self.told.urgent {
            self.told.urgent = true;
            up.anomaly("tcp_urgent", &format!("pointer {}", s.tcp.urgent));
        }
        if end.state == State::Reset {
            if offset < end.stream.next() {
                return;
            }
            // Who goes on where it stood never sent that RST: another did, and the receiver did not believe it either.
            (end.state, self.ending) = (State::Established, false);
            if !std::mem::replace(&mut self.told.after_reset, true) {
                up.anomaly("tcp_data_after_reset", &format!("{} bytes at offset {offset}", s.len));
            }
        }
        if end.stream.is_finished_before(offset) {
            if !std::mem::replace(&mut self.told.after_fin, true) {
                up.anomaly("tcp_data_after_fin", &format!("{} bytes at offset {offset}", s.len));
            }
            return;
        }
        let edge = end.stream.next().max(end.stream.acked());
        if end.syns > 0 && offset.saturating_sub(edge) > reach {
            if !std::mem::replace(&mut self.told.window, true) {
                up.anomaly("tcp_out_of_window", &format!("{} bytes at offset {offset}, expected {edge}", s.len));
            }
            return;
        }
        let gaps = end.stream.gaps;
        let again = end.stream.segment(offset, s.data, i64::from(s.len), b, up);
        for _ in gaps..end.stream.gaps {
            history.scaled(s.side, b'g', &mut end.gaps);
        }
        if again {
            history.scaled(s.side, b't', &mut end.repeats);
            end.timed = None;
        } else if end.timed.is_none() {
            end.timed = Some((offset + i64::from(s.len), s.at));
        }
    }

    /// Zeek's letters: a packet with one of SYN, FIN and RST stands for that alone, its data and ACK are not looked at.
    fn letters(&mut self, s: &Segment<'_>, history: &mut History) {
        let flags = s.tcp.flags;
        let marks = &mut self.ends[s.side.index()].marks;
        match flags & (flag::SYN | flag::FIN | flag::RST) {
            0 if s.len > 0 => history.once(s.side, b'd'),
            0 if flags & flag::ACK != 0 => history.once(s.side, b'a'),
            0 => {}
            flag::SYN => {
                let letter = if flags & flag::ACK != 0 { b'h' } else { b's' };
                history.differing(s.side, letter, &mut marks.syn, s.tcp.seq);
            }
            flag::FIN => history.differing(s.side, b'f', &mut marks.fin, s.tcp.seq.wrapping_add(s.len)),
            flag::RST => history.differing(s.side, b'r', &mut marks.rst, s.tcp.seq),
            c if c & (flag::FIN | flag::RST) == flag::FIN | flag::RST => history.once(s.side, b'i'),
            _ => history.once(s.side, b'q'),
        }
    }

    /// Whether a SYN that finds this session opens another one: the ports are used again.
    pub(crate) fn is_reused(&mut self, s: &Segment<'_>, idle: i64, o: &Options) -> bool {
        if s.tcp.flags & (flag::SYN | flag::ACK | flag::RST | flag::FIN) != flag::SYN {
            return false;
        }
        let me = &mut self.ends[s.side.index()];
        // The SYN of this session again, or late: its number lies one below the first byte.
        if me.stream.base() == Some(s.tcp.seq.wrapping_add(1)) {
            return false;
        }
        if self.states().are_over() {
            return true;
        }
        let me = &mut self.ends[s.side.index()];
        match me.state {
            State::Inactive => false,
            State::SynSent => me.syns > 0 && self.ends[s.side.flip().index()].state == State::Inactive,
            _ => {
                let ahead = me.stream.offset(s.tcp.seq) - me.stream.next();
                let window = self.ends[s.side.flip().index()].window.max(65_536);
                !(-window..=window).contains(&ahead) && idle > o.tcp_connection_linger
            }
        }
    }

    /// Whether a segment acknowledges data of the other side that was not seen: it answers what comes late, or was lost.
    pub(crate) fn covers_unseen(&mut self, side: Side, header: &Header) -> bool {
        if header.flags & (flag::ACK | flag::RST | flag::SYN) != flag::ACK {
            return false;
        }
        let peer = &mut self.ends[side.flip().index()];
        if !peer.stream.is_started() {
            return false;
        }
        let ahead = peer.stream.offset(header.ack) - peer.stream.top() - i64::from(peer.fin);
        (1..=WINDOW_SLACK).contains(&ahead)
    }

    /// Whether a segment of the other side comes before one that waits, and belongs before it: its bytes are among those that this
    /// acknowledges, and its sender does not know of it yet.
    pub(crate) fn belongs_before(&mut self, side: Side, waiting: &Header, other: &Header) -> bool {
        let [me, peer] = [side.index(), side.flip().index()];
        let acknowledged = self.ends[peer].stream.offset(waiting.ack);
        let begins = self.ends[peer].stream.offset(other.seq);
        let sent = self.ends[me].stream.offset(waiting.seq);
        let known = if other.flags & flag::ACK == 0 { sent } else { self.ends[me].stream.offset(other.ack) };
        begins < acknowledged && known <= sent
    }

    /// Whether a segment follows from what was seen of the session, by its sequence numbers.
    pub(crate) fn goes_on(&mut self, side: Side, header: &Header) -> bool {
        let near = |ahead: i64| (-WINDOW_SLACK..=WINDOW_SLACK).contains(&ahead);
        let peer = &mut self.ends[side.flip().index()];
        if header.flags & (flag::ACK | flag::RST) == flag::ACK && peer.stream.base().is_some() {
            return near(peer.stream.offset(header.ack) - peer.stream.top().max(peer.stream.acked()));
        }
        let me = &mut self.ends[side.index()];
        me.stream.base().is_some() && near(me.stream.offset(header.seq) - me.stream.next().max(me.stream.acked()))
    }

    pub(crate) fn states(&self) -> States {
        States { orig: self.ends[0].state, resp: self.ends[1].state }
    }

    /// How long it is kept after its last packet, and how its end is called then.
    #[inline]
    pub(crate) fn timeout(&self, o: &Options, is_ot: bool) -> (i64, &'static str) {
        self.states().timeout(o, is_ot, self.ending)
    }

    /// Zeek's `conn_state`.
    pub(crate) fn conn_state(&self) -> &'static str {
        self.states().conn_state(self.size(Side::Orig) == 0 && self.size(Side::Resp) == 0)
    }

    pub(crate) fn size(&self, side: Side) -> u64 {
        self.ends[side.index()].stream.size()
    }

    /// Sends up what still waits; nothing more will come.
    pub(crate) fn finish<H: Handler>(
        &mut self,
        last: Ts,
        history: &mut History,
        b: &mut Budget,
        flow: &mut Flow<H::App>,
        h: &mut H,
    ) {
        for side in [Side::Orig, Side::Resp] {
            let end = &mut self.ends[side.index()];
            let gaps = end.stream.gaps;
            end.stream.finish(b, &mut Up { flow, h, side });
            for _ in gaps..end.stream.gaps {
                history.scaled(side, b'g', &mut end.gaps);
            }
            if let Some(since) = end.zero_since.take() {
                self.zero_window = self.zero_window.saturating_add(last.since(since).max(0));
            }
        }
    }

    /// Whether each side was heard up to its FIN, without a gap, from wherever it was picked up.
    pub(crate) fn are_whole(&self) -> [bool; 2] {
        self.ends.each_ref().map(|e| e.fin && e.state == State::Closed && e.stream.is_whole())
    }

    pub(crate) fn missed(&self) -> u64 {
        self.ends[0].stream.missed.saturating_add(self.ends[1].stream.missed)
    }
    pub(crate) fn retransmitted(&self, side: Side) -> u64 {
        self.ends[side.index()].stream.retransmitted
    }
    pub(crate) fn out_of_order(&self) -> u64 {
        self.ends.iter().map(|e| e.stream.out_of_order).sum()
    }

    /// Where the bytes of a segment differ from those that went up in their place.
    pub(crate) fn contradiction(&self, s: &Segment<'_>, b: &Budget) -> Option<String> {
        self.ends[s.side.index()].stream.contradiction(s.tcp.seq, s.data, &b.ring)
    }

    pub(crate) fn overlaps(&self) -> u64 {
        self.ends.iter().map(|e| e.stream.overlaps).sum()
    }
    pub(crate) fn zero_window(&self) -> Span {
        Span(self.zero_window)
    }
    pub(crate) fn handshake_rtt(&self) -> Option<Span> {
        self.handshake_rtt
    }
    /// Shortest and mean time from data to its ACK.
    pub(crate) fn data_rtt(&self) -> (Option<Span>, Option<Span>) {
        let mean = self.rtt_sum.checked_div(self.rtt_count);
        (self.rtt_min.map(Span), mean.filter(|_| self.rtt_min.is_some()).map(Span))
    }

    /// Moves all times by `step_ns`.
    pub(crate) fn shift(&mut self, step_ns: i64) {
        let move_by = |t: &mut Option<Ts>| *t = t.map(|t| t.plus(step_ns));
        move_by(&mut self.syn_at);
        move_by(&mut self.syn_ack_at);
        for end in &mut self.ends {
            move_by(&mut end.zero_since);
            end.timed = end.timed.map(|(o, t)| (o, t.plus(step_ns)));
        }
    }
}
