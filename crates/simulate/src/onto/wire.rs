//! Connections that an attack opens itself, between hosts with the habits of the capture.

use testkit::flag::{ACK, FIN, PSH, RST, SYN};
use testkit::{Arp, Ipv4, Stack, Tcp};

use super::site::{Host, Nanos, own_options, segment_size};
use crate::rng::Rng;
use crate::tcp::{Port, Side};

const MICRO: u64 = 1_000;
/// How long data waits for something to travel with its acknowledgement, in nanoseconds (RFC 9293 §3.8.6.3 allows 500 ms).
const ACK_DELAY: Nanos = 40_000_000;

/// Frames with their times.
pub(super) type Frames = Vec<(Nanos, Vec<u8>)>;

/// Who asks for a hardware address, and the answer; as `new` devices must.
pub(super) fn arp(out: &mut Frames, at: Nanos, from: &Host, to: &Host, rng: &mut Rng) {
    let ask =
        Arp { op: 1, sender_mac: from.mac, sender_ip: from.ip.octets(), target_mac: [0; 6], target_ip: to.ip.octets() };
    let tell =
        Arp { op: 2, sender_mac: to.mac, sender_ip: to.ip.octets(), target_mac: from.mac, target_ip: from.ip.octets() };
    out.push((at, tagged(Stack::new().eth(from.mac, [0xff; 6]).add(ask), &from.tags)));
    let answered = at + rng.between(90 * MICRO, 900 * MICRO) as Nanos;
    out.push((answered, tagged(Stack::new().eth(to.mac, from.mac).add(tell), &to.tags)));
}

fn tagged(stack: Stack, tags: &[u8]) -> Vec<u8> {
    let mut bytes = stack.bytes();
    bytes.splice(12..12, tags.iter().copied());
    bytes.resize(bytes.len().max(60), 0);
    bytes
}

#[derive(Debug)]
struct End {
    host: Host,
    port: u16,
    seq: u32,
    counts_ids: bool,
    /// Whether data of the peer is not yet acknowledged, and since when.
    owed: Option<Nanos>,
}

/// A connection seen at the capture's tap. Calls must be in order of time; a call too early is put right after the one before.
#[derive(Debug)]
pub(super) struct Conn {
    ends: [End; 2],
    last: Nanos,
    rng: Rng,
    pub(super) frames: Frames,
}

impl Conn {
    /// The three-way handshake, begun at `at`.
    pub(super) fn open(at: Nanos, client: (&Host, u16), server: (&Host, u16), rng: &mut Rng) -> Conn {
        let mut end = |(host, port): (&Host, u16)| {
            let (host, seq) = (host.clone(), rng.word() as u32);
            End { counts_ids: host.id != 0, host, port, seq, owed: None }
        };
        let ends = [end(client), end(server)];
        let mut conn = Conn { ends, last: at - 1, rng: Rng::new(rng.word(), "wire"), frames: Vec::new() };
        conn.segment(at, 0, SYN, &[]);
        let answered = conn.after(150, 900);
        conn.segment(answered, 1, SYN | ACK, &[]);
        let opened = conn.after(40, 250);
        conn.segment(opened, 0, ACK, &[]);
        conn
    }

    /// When the last frame so far passed the tap.
    pub(super) fn last(&self) -> Nanos {
        self.last
    }

    /// Sends data in segments; returns when the last one passed.
    pub(super) fn send(&mut self, at: Nanos, from: Side, data: &[u8]) -> Nanos {
        self.acknowledge(at);
        let (own, peer) = (from as usize, 1 - from as usize);
        let size = self.ends.iter().filter_map(|end| end.host.syn.as_ref()).map(|syn| segment_size(&syn.1)).min();
        let size = size.unwrap_or(1_460);
        let (count, mut at) = (data.len().div_ceil(size), at);
        for (i, piece) in data.chunks(size).enumerate() {
            let push = if i + 1 == count { PSH } else { 0 };
            self.ends[own].owed = None;
            self.segment(at, own, push | ACK, piece);
            // Every second segment is acknowledged at once.
            let due = if self.ends[peer].owed.is_some() { 0 } else { ACK_DELAY };
            self.ends[peer].owed = Some(due + self.after(30, 900));
            if due == 0 {
                self.acknowledge(Nanos::MAX);
            }
            at = self.after(12, 60);
        }
        self.last
    }

    /// An orderly close by the client.
    pub(super) fn close(&mut self, at: Nanos) {
        self.acknowledge(Nanos::MAX);
        self.segment(at, 0, FIN | ACK, &[]);
        let answered = self.after(200, 1_500);
        self.segment(answered, 1, FIN | ACK, &[]);
        let done = self.after(40, 250);
        self.segment(done, 0, ACK, &[]);
    }

    /// So many microseconds after the last frame.
    fn after(&mut self, low: u64, high: u64) -> Nanos {
        self.last + self.rng.between(low * MICRO, high * MICRO) as Nanos
    }

    fn acknowledge(&mut self, until: Nanos) {
        for own in 0..2 {
            if let Some(due) = self.ends[own].owed.filter(|due| *due <= until) {
                self.ends[own].owed = None;
                self.segment(due, own, ACK, &[]);
            }
        }
    }

    fn segment(&mut self, at: Nanos, own: usize, flags: u8, data: &[u8]) {
        self.last = at.max(self.last.saturating_add(1_000));
        let at = self.last;
        let ack = if flags & ACK != 0 { self.ends[1 - own].seq } else { 0 };
        let to = (self.ends[1 - own].host.mac, self.ends[1 - own].host.ip, self.ends[1 - own].port);
        let end = &mut self.ends[own];
        if end.counts_ids {
            end.host.id = end.host.id.wrapping_add(1);
        }
        let (window, options) = match (&end.host.syn, flags & SYN != 0) {
            (Some((window, options)), true) => (*window, own_options(options)),
            (None, true) => (end.host.window, vec![2, 4, 5, 0xb4]),
            (_, false) => (end.host.window, Vec::new()),
        };
        let tcp = Tcp { src: end.port, dst: to.2, seq: end.seq, ack, flags, window, options, ..Tcp::default() };
        self.frames.push((at, frame(&end.host, (to.0, to.1), tcp, data)));
        end.seq = end.seq.wrapping_add(data.len() as u32 + u32::from(flags & (SYN | FIN) != 0));
    }
}

fn frame(from: &Host, to: ([u8; 6], std::net::Ipv4Addr), tcp: Tcp, data: &[u8]) -> Vec<u8> {
    let ip = Ipv4 { src: from.ip, dst: to.1, id: from.id, df: true, ttl: from.ttl, ..Ipv4::default() };
    tagged(Stack::new().eth(from.mac, to.0).add(ip).add(tcp).payload(data), &from.tags)
}

/// A half-open probe: SYN; then SYN-ACK and the client's RST, or the server's RST, or nothing.
pub(super) fn probe(
    out: &mut Frames,
    at: Nanos,
    client: (&Host, u16),
    server: (&Host, u16),
    port: Port,
    rng: &mut Rng,
) {
    let (seq, isn) = (rng.word() as u32, rng.word() as u32);
    let mut from = client.0.clone();
    from.id = if from.id == 0 { 0 } else { rng.word() as u16 };
    let options = vec![2, 4, 5, 0xb4];
    let ask = Tcp { src: client.1, dst: server.1, seq, window: 1_024, ..Tcp::default() };
    let tell = Tcp { src: server.1, dst: client.1, ack: seq.wrapping_add(1), window: 0, ..Tcp::default() };
    let (here, there) = ((client.0.mac, client.0.ip), (server.0.mac, server.0.ip));
    out.push((at, frame(&from, there, Tcp { flags: SYN, options: options.clone(), ..ask.clone() }, &[])));
    let answered = at + rng.between(120 * MICRO, 700 * MICRO) as Nanos;
    match port {
        Port::Filtered => {}
        Port::Closed => out.push((answered, frame(server.0, here, Tcp { flags: RST | ACK, ..tell }, &[]))),
        Port::Open => {
            let window = server.0.syn.as_ref().map_or(server.0.window, |syn| syn.0);
            let tcp = Tcp { seq: isn, flags: SYN | ACK, window, options, ..tell };
            out.push((answered, frame(server.0, here, tcp, &[])));
            let reset = Tcp { seq: seq.wrapping_add(1), flags: RST, window: 0, ..ask };
            out.push((answered + rng.between(40 * MICRO, 200 * MICRO) as Nanos, frame(&from, there, reset, &[])));
        }
    }
}
