//! A shard with a handler that writes down all it is told.

use capture::{Frame, LinkType};
use flow::{Conn, ConnPart, Flow, Handler, Options, Shard, Side};
use gwcore::{Limits, Mac, Ts};
use packet::{Decoder, Outcome, Packet};
use testkit::Session;

/// What was told, as text, and the streams of all flows by number of their start.
#[derive(Default)]
pub struct Told {
    pub events: Vec<String>,
    pub streams: Vec<[Vec<u8>; 2]>,
    pub conns: Vec<Row>,
    pub wake_every: Option<i64>,
    pub ot: bool,
    pub now: Ts,
}

/// The fields of a `conn` row that tests look at.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub uid: String,
    pub orig: String,
    pub state: &'static str,
    pub history: String,
    pub duration: Option<i64>,
    pub bytes: Option<(u64, u64)>,
    pub pkts: (u64, u64),
    pub ip_bytes: (u64, u64),
    pub missed: u64,
    pub dup: u64,
    pub handshake: Option<i64>,
    pub rtt: (Option<i64>, Option<i64>),
    pub retransmitted: (u64, u64),
    pub zero_window: i64,
    pub out_of_order: u64,
    pub overlaps: u64,
    pub end: &'static str,
    pub whole: [bool; 2],
}

#[derive(Default)]
pub struct App(usize);

impl Handler for Told {
    type App = App;
    fn start(&mut self, f: &mut Flow<App>, p: &Packet) {
        f.app.0 = self.streams.len();
        f.is_ot = self.ot;
        f.wake = self.wake_every.map(|ns| p.ts.plus(ns));
        self.streams.push(Default::default());
    }
    fn stream(&mut self, f: &mut Flow<App>, side: Side, data: &[u8]) {
        self.streams[f.app.0][side.index()].extend_from_slice(data);
        self.events.push(format!("{side:?} {}", String::from_utf8_lossy(data)));
    }
    fn gap(&mut self, f: &mut Flow<App>, side: Side, missing: u64) {
        assert!(missing > 0);
        self.streams[f.app.0][side.index()].push(b'#');
        self.events.push(format!("{side:?} gap {missing}"));
    }
    fn datagram(&mut self, f: &mut Flow<App>, side: Side, data: &[u8], _: &Packet) {
        self.streams[f.app.0][side.index()].extend_from_slice(data);
        self.events.push(format!("{side:?} datagram {}", data.len()));
    }
    fn wake(&mut self, f: &mut Flow<App>) {
        assert_eq!(f.wake, None);
        f.wake = self.wake_every.map(|ns| self.now.plus(ns));
        self.events.push(format!("wake {}", f.app.0));
    }
    fn anomaly(&mut self, _: &mut Flow<App>, side: Side, reason: &'static str, detail: &str) {
        self.events.push(format!("{side:?} {reason}: {detail}"));
    }
    fn altered(&mut self, _: &mut Flow<App>, side: Side, senders: [Mac; 2], detail: &str) {
        self.events.push(format!("{side:?} altered by {}: {detail}", senders[1]));
    }
    fn part(&mut self, f: &mut Flow<App>, r: ConnPart<'_>) {
        self.events.push(format!(
            "part {} age {} pkts {}/{} of {}/{} bytes {}/{}",
            f.app.0,
            r.age.0 / 1_000_000_000,
            r.orig_pkts,
            r.resp_pkts,
            r.orig_pkts_total,
            r.resp_pkts_total,
            r.orig_bytes,
            r.resp_bytes
        ));
    }
    fn end(&mut self, f: &mut Flow<App>, r: Conn<'_>) {
        let c = &f.constant;
        self.events.push(format!("end {} {}", f.app.0, r.end_reason));
        self.conns.push(Row {
            uid: c.uid.to_string(),
            orig: format!("{}:{}", c.src, c.src_port),
            state: r.conn_state,
            history: String::from_utf8_lossy(r.history.unwrap_or_default()).into_owned(),
            duration: r.duration.map(|s| s.0),
            bytes: r.orig_bytes.zip(r.resp_bytes),
            pkts: (r.orig_pkts, r.resp_pkts),
            ip_bytes: (r.orig_ip_bytes, r.resp_ip_bytes),
            missed: r.missed_bytes,
            dup: r.dup_pkts,
            handshake: r.handshake_rtt.map(|s| s.0),
            rtt: (r.data_rtt_min.map(|s| s.0), r.data_rtt_mean.map(|s| s.0)),
            retransmitted: (r.orig_retransmitted_bytes, r.resp_retransmitted_bytes),
            zero_window: r.zero_window.0,
            out_of_order: r.out_of_order,
            overlaps: r.overlaps,
            end: r.end_reason,
            whole: f.whole,
        });
    }
}

pub struct Rig {
    pub told: Told,
    pub shard: Shard<App>,
    decoder: Decoder,
    seq: u64,
}

impl Rig {
    pub fn new() -> Rig {
        Rig::with(&Limits::default(), Options::default())
    }

    pub fn with(limits: &Limits, options: Options) -> Rig {
        let decoder = Decoder::new(limits, packet::Options::default(), 1);
        Rig { told: Told::default(), shard: Shard::new(limits, options), decoder, seq: 0 }
    }

    /// One frame; `cut` bytes at its end were not captured.
    pub fn frame_cut(&mut self, at: i64, bytes: &[u8], cut: usize) {
        self.seq += 1;
        let frame = Frame {
            seq: self.seq,
            ts: Ts(at),
            file: 0,
            number: self.seq,
            interface: 0,
            link: LinkType::ETHERNET,
            wire_len: bytes.len() as u32,
            data: &bytes[..bytes.len() - cut],
        };
        let decoded = self.decoder.decode(&frame);
        if decoded.outcome == Outcome::Packet {
            self.told.now = Ts(at);
            self.shard.packet(&decoded.packet, decoded.payload, &mut self.told);
        }
    }

    /// The shard that a frame belongs to.
    pub fn shard_of(&mut self, bytes: &[u8]) -> u8 {
        let wire_len = bytes.len() as u32;
        let link = LinkType::ETHERNET;
        let frame = Frame { seq: 0, ts: Ts(0), file: 0, number: 1, interface: 0, link, wire_len, data: bytes };
        let decoded = self.decoder.decode(&frame);
        flow::shard_of(&decoded.packet, decoded.payload)
    }

    pub fn frame(&mut self, at: i64, bytes: &[u8]) {
        self.frame_cut(at, bytes, 0);
    }

    pub fn frames(&mut self, frames: &[(i64, Vec<u8>)]) -> &mut Rig {
        for (at, bytes) in frames {
            self.frame(*at, bytes);
        }
        self
    }

    pub fn tick(&mut self, at: i64) {
        self.told.now = Ts(at);
        self.shard.tick(Ts(at), &mut self.told);
    }

    pub fn finish(&mut self) -> &mut Told {
        let now = self.told.now;
        self.shard.finish(now, &mut self.told);
        assert_eq!(self.shard.live(), 0);
        &mut self.told
    }
}

/// What a conversation becomes.
pub fn run(s: &Session) -> Told {
    let mut rig = Rig::new();
    rig.frames(&s.frames).finish();
    rig.told
}

/// The only `conn` row.
pub fn only(told: &Told) -> &Row {
    assert_eq!(told.conns.len(), 1, "{:#?}", told.conns);
    &told.conns[0]
}

pub const SECOND: i64 = 1_000_000_000;
pub const START: i64 = 1_700_000_000 * SECOND;
