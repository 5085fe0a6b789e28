//! A TCP connection seen at one tap: sequence numbers, delayed and piggy-backed acknowledgements.

use testkit::flag::{ACK, FIN, PSH, RST, SYN};
use testkit::{Ipv4, Stack, Tcp};

use crate::cx::Cx;
use crate::network::Host;
use crate::rng::Rng;
use crate::time::{Micros, SECOND};

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}
use Side::{Client, Server};

const MSS: usize = 1_460;

struct End {
    host: &'static Host,
    port: u16,
    seq: u32,
    ip_id: u16,
    /// Segments of the peer not yet acknowledged, and when that will be done at the latest.
    owed: u32,
    due: Micros,
}

/// A connection between two hosts. Calls must be in order of time; a call too early is put right after the one before.
pub(crate) struct Conn {
    ends: [End; 2],
    last: Micros,
    rng: Rng,
}

impl Conn {
    /// The three-way handshake, begun at `at`; returns when the client may send.
    pub(crate) fn open(
        cx: &mut Cx<'_>,
        at: Micros,
        client: (&'static Host, u16),
        server: (&'static Host, u16),
        rng: &mut Rng,
    ) -> Conn {
        let mut end = |(host, port): (&'static Host, u16)| {
            let (seq, ip_id) = (rng.word() as u32, rng.word() as u16);
            End { host, port, seq, ip_id, owed: 0, due: 0 }
        };
        let ends = [end(client), end(server)];
        let mut conn = Conn { ends, last: at.saturating_sub(1), rng: Rng::new(rng.word(), "tcp") };
        conn.segment(cx, at, Client, SYN, &[]);
        let answered = at + conn.rng.between(150, 900);
        conn.segment(cx, answered, Server, SYN | ACK, &[]);
        let opened = answered + conn.rng.between(40, 250);
        conn.segment(cx, opened, Client, ACK, &[]);
        conn
    }

    /// When the last frame so far passed the tap.
    pub(crate) fn last(&self) -> Micros {
        self.last
    }

    /// Sends data in segments; returns when the last one passed.
    pub(crate) fn send(&mut self, cx: &mut Cx<'_>, at: Micros, from: Side, data: &[u8]) -> Micros {
        self.acknowledge(cx, at);
        let mut at = at;
        let (own, peer) = (from as usize, 1 - from as usize);
        let count = data.len().div_ceil(MSS);
        for (i, piece) in data.chunks(MSS).enumerate() {
            let push = if i + 1 == count { PSH } else { 0 };
            self.segment(cx, at, from, push | ACK, piece);
            self.ends[own].owed = 0;
            self.ends[peer].owed += 1;
            if self.ends[peer].owed == 1 {
                let delay = self.ends[peer].host.ack_delay;
                self.ends[peer].due = self.last + delay + self.rng.between(0, 800);
            } else {
                self.ends[peer].due = self.last + self.rng.between(30, 200);
                self.acknowledge(cx, self.last + 200);
            }
            at = self.last + self.rng.between(12, 60);
        }
        self.last
    }

    /// Lets the acknowledgements pass that are due before the conversation goes on at `until`.
    pub(crate) fn settle(&mut self, cx: &mut Cx<'_>, until: Micros) {
        self.acknowledge(cx, until.saturating_sub(1));
    }

    /// Exchanges the connection's random stream, so that an inserted exchange takes nothing from it.
    pub(crate) fn swap(&mut self, rng: &mut Rng) {
        std::mem::swap(&mut self.rng, rng);
    }

    /// The client sends into the void: data, its retransmissions with doubling waits (RFC 6298), and a reset when it gives up.
    pub(crate) fn forsake(&mut self, cx: &mut Cx<'_>, at: Micros, data: &[u8], until: Micros) {
        self.acknowledge(cx, at);
        let (mut at, mut wait) = (at, 210_000);
        let seq = self.ends[Client as usize].seq;
        for _ in 0..6 {
            self.ends[Client as usize].seq = seq;
            self.segment(cx, at, Client, PSH | ACK, data);
            at += wait + self.rng.between(0, 4_000);
            wait *= 2;
            if at >= until {
                break;
            }
        }
        self.segment(cx, at, Client, RST | ACK, &[]);
    }

    /// An orderly close begun by `first`.
    pub(crate) fn close(&mut self, cx: &mut Cx<'_>, at: Micros, first: Side) {
        self.acknowledge(cx, Micros::MAX);
        let second = if first == Client { Server } else { Client };
        self.segment(cx, at, first, FIN | ACK, &[]);
        let answered = self.last + self.rng.between(200, 1_500);
        self.segment(cx, answered, second, FIN | ACK, &[]);
        let done = self.last + self.rng.between(40, 250);
        self.segment(cx, done, first, ACK, &[]);
    }

    fn acknowledge(&mut self, cx: &mut Cx<'_>, until: Micros) {
        for side in [Client, Server] {
            let end = &mut self.ends[side as usize];
            if end.owed > 0 && end.due <= until {
                end.owed = 0;
                let due = end.due;
                self.segment(cx, due, side, ACK, &[]);
            }
        }
    }

    fn segment(&mut self, cx: &mut Cx<'_>, at: Micros, from: Side, flags: u8, data: &[u8]) {
        let at = at.max(self.last + 1);
        self.last = at;
        let own = from as usize;
        let (from, to) = (&self.ends[own], &self.ends[1 - own]);
        let scaled = self.ends.iter().all(|end| end.host.syn_options.len() > 4);
        let window = if flags & SYN != 0 || !scaled { unscaled(from.host) } else { from.host.window };
        let tcp = Tcp {
            src: from.port,
            dst: to.port,
            seq: from.seq,
            ack: if flags & ACK != 0 { to.seq } else { 0 },
            flags,
            window,
            options: if flags & SYN == 0 {
                Vec::new()
            } else if flags & ACK != 0 && !scaled {
                from.host.syn_options[..4].to_vec()
            } else {
                from.host.syn_options.to_vec()
            },
            ..Tcp::default()
        };
        cx.send(at, packet(from.host, to.host, from.ip_id, tcp).payload(data));
        let end = &mut self.ends[own];
        end.seq = end.seq.wrapping_add(data.len() as u32 + u32::from(flags & (SYN | FIN) != 0));
        end.ip_id = end.ip_id.wrapping_add(1);
    }
}

/// A client that finds nobody: the same SYN after one, three and seven seconds.
pub(crate) fn knock(cx: &mut Cx<'_>, at: Micros, client: (&Host, u16), server: (&Host, u16), rng: &mut Rng) {
    let (seq, id) = (rng.word() as u32, rng.word() as u16);
    for (i, second) in (0..).zip([0, 1, 3, 7]) {
        let (flags, window) = (SYN, unscaled(client.0));
        let options = client.0.syn_options.to_vec();
        let tcp = Tcp { src: client.1, dst: server.1, seq, flags, window, options, ..Tcp::default() };
        cx.send(at + second * SECOND + rng.between(0, 900), packet(client.0, server.0, id.wrapping_add(i), tcp));
    }
}

/// How a port answers a lone SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Port {
    Open,
    Closed,
    Filtered,
}

/// A half-open probe: SYN; then SYN-ACK and the client's RST, or the server's RST, or nothing.
pub(crate) fn probe(
    cx: &mut Cx<'_>,
    at: Micros,
    client: (&Host, u16),
    server: (&Host, u16),
    port: Port,
    rng: &mut Rng,
) {
    let (seq, isn, id) = (rng.word() as u32, rng.word() as u32, rng.word() as u16);
    let ack = seq.wrapping_add(1);
    let options = vec![2, 4, 5, 0xb4];
    let out = |seq, flags, window, options| Tcp {
        src: client.1,
        dst: server.1,
        seq,
        flags,
        window,
        options,
        ..Tcp::default()
    };
    cx.send(at, packet(client.0, server.0, id, out(seq, SYN, 1_024, options.clone())));
    let answered = at + rng.between(120, 700);
    let back = Tcp { src: server.1, dst: client.1, ack, window: 0, ..Tcp::default() };
    match port {
        Port::Filtered => {}
        Port::Closed => {
            cx.send(answered, packet(server.0, client.0, 0, Tcp { flags: RST | ACK, ..back }));
        }
        Port::Open => {
            let tcp = Tcp { seq: isn, flags: SYN | ACK, window: unscaled(server.0), options, ..back };
            cx.send(answered, packet(server.0, client.0, 0, tcp));
            let reset = packet(client.0, server.0, 0, out(ack, RST, 0, Vec::new()));
            cx.send(answered + rng.between(40, 200), reset);
        }
    }
}

fn packet(from: &Host, to: &Host, id: u16, tcp: Tcp) -> Stack {
    let ip = Ipv4 { src: from.ip(), dst: to.ip(), id, df: true, ttl: from.ttl, ..Ipv4::default() };
    Stack::new().eth(from.mac, to.mac).add(ip).add(tcp)
}

fn unscaled(host: &Host) -> u16 {
    if host.syn_options.len() > 4 { 64_240 } else { host.window }
}
