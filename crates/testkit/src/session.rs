//! A whole TCP conversation as frames with times.

use std::net::{IpAddr, Ipv4Addr};

use crate::flag::{ACK, FIN, PSH, RST, SYN};
use crate::{Ipv4, Ipv6, Layer, Pcap, Stack, Tcp, Vlan};

/// One end of a conversation.
#[derive(Clone, Debug)]
pub struct Side {
    /// Hardware address.
    pub mac: [u8; 6],
    /// IP address; both sides of one family.
    pub ip: IpAddr,
    /// Port.
    pub port: u16,
    /// Time to live or hop limit.
    pub ttl: u8,
    /// Window as it stands in the header.
    pub window: u16,
    /// Next sequence number.
    pub seq: u32,
    /// Next IPv4 identification; counts up by one per frame.
    pub ip_id: u16,
    /// TCP options of the SYN or SYN-ACK.
    pub syn_options: Vec<u8>,
    /// TCP options of its other segments.
    pub options: Vec<u8>,
}

/// A TCP conversation. Every call appends frames; all fields may be changed between calls.
#[derive(Clone, Debug)]
pub struct Session {
    /// Who opens.
    pub client: Side,
    /// Who answers.
    pub server: Side,
    /// VLAN ids, outermost first.
    pub vlans: Vec<u16>,
    /// Time of the next frame in nanoseconds since 1970.
    pub at: i64,
    /// Time between frames in nanoseconds.
    pub step: i64,
    /// Largest payload of one segment.
    pub mss: usize,
    /// Whether each piece of data is acknowledged by a segment of its own.
    pub acks: bool,
    /// The frames so far: time and bytes.
    pub frames: Vec<(i64, Vec<u8>)>,
}

impl Session {
    /// 10.0.0.1:49152 to 10.0.0.2:`port`, beginning at `at` nanoseconds, a millisecond between frames.
    pub fn new(at: i64, port: u16) -> Session {
        let side = |n: u8, port: u16| Side {
            mac: [2, 0, 0, 0, 0, n],
            ip: Ipv4Addr::new(10, 0, 0, n).into(),
            port,
            ttl: 64,
            window: 8_192,
            seq: u32::from(n) * 1_000,
            ip_id: u16::from(n) * 256,
            syn_options: vec![2, 4, 5, 0xb4],
            options: Vec::new(),
        };
        Session {
            client: side(1, 49_152),
            server: side(2, port),
            vlans: Vec::new(),
            at,
            step: 1_000_000,
            mss: 1_460,
            acks: true,
            frames: Vec::new(),
        }
    }

    /// SYN, SYN-ACK, ACK.
    pub fn open(&mut self) -> &mut Session {
        self.segment(true, SYN, &[]);
        self.segment(false, SYN | ACK, &[]);
        self.segment(true, ACK, &[])
    }

    /// Data from the client, split into segments.
    pub fn client(&mut self, data: &[u8]) -> &mut Session {
        self.send(true, data)
    }

    /// Data from the server, split into segments.
    pub fn server(&mut self, data: &[u8]) -> &mut Session {
        self.send(false, data)
    }

    /// FIN by the client, FIN by the server, last ACK.
    pub fn close(&mut self) -> &mut Session {
        self.segment(true, FIN | ACK, &[]);
        self.segment(false, FIN | ACK, &[]);
        self.segment(true, ACK, &[])
    }

    /// RST by the client or by the server.
    pub fn reset(&mut self, by_client: bool) -> &mut Session {
        self.segment(by_client, RST | ACK, &[])
    }

    /// Lets `nanos` pass.
    pub fn wait(&mut self, nanos: i64) -> &mut Session {
        self.at += nanos;
        self
    }

    /// One segment with these flags; sequence and acknowledgement numbers as the conversation stands.
    pub fn segment(&mut self, from_client: bool, flags: u8, data: &[u8]) -> &mut Session {
        let (from, to) = if from_client { (&self.client, &self.server) } else { (&self.server, &self.client) };
        let tcp = Tcp {
            src: from.port,
            dst: to.port,
            seq: from.seq,
            ack: if flags & ACK != 0 { to.seq } else { 0 },
            flags,
            window: from.window,
            options: if flags & SYN != 0 { &from.syn_options } else { &from.options }.clone(),
            ..Tcp::default()
        };
        let ip: Layer = match (from.ip, to.ip) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                Ipv4 { src, dst, id: from.ip_id, ttl: from.ttl, df: true, ..Ipv4::default() }.into()
            }
            (IpAddr::V6(src), IpAddr::V6(dst)) => Ipv6 { src, dst, hops: from.ttl, ..Ipv6::default() }.into(),
            (src, dst) => panic!("`{src}` and `{dst}` are of two families"),
        };
        let mut stack = Stack::new().eth(from.mac, to.mac);
        for vid in &self.vlans {
            stack = stack.add(Vlan { vid: *vid, ..Vlan::default() });
        }
        self.frames.push((self.at, stack.add(ip).add(tcp).payload(data).bytes()));
        self.at += self.step;
        let from = if from_client { &mut self.client } else { &mut self.server };
        let length = data.len() as u32 + u32::from(flags & SYN != 0) + u32::from(flags & FIN != 0);
        from.seq = from.seq.wrapping_add(length);
        from.ip_id = from.ip_id.wrapping_add(1);
        self
    }

    fn send(&mut self, from_client: bool, data: &[u8]) -> &mut Session {
        for piece in data.chunks(self.mss.max(1)) {
            self.segment(from_client, PSH | ACK, piece);
            if self.acks {
                self.segment(!from_client, ACK, &[]);
            }
        }
        self
    }

    /// The frames as a capture file with nanoseconds.
    pub fn pcap(&self) -> Vec<u8> {
        let mut file = Pcap::nanos(1);
        for (at, frame) in &self.frames {
            file.frame(*at, frame);
        }
        file.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_counts_its_numbers() {
        let mut s = Session::new(5_000_000_000, 502);
        s.mss = 4;
        s.open().client(b"abcdef").server(b"xy").close();
        assert_eq!(s.frames.len(), 3 + 4 + 2 + 3);
        assert_eq!((s.client.seq, s.server.seq), (1_000 + 1 + 6 + 1, 2_000 + 1 + 2 + 1));
        assert_eq!(s.frames[3].0, 5_003_000_000);
        let (_, first) = &s.frames[3];
        assert_eq!(&first[54..], b"abcd");
        assert_eq!(&first[38..46], &[0, 0, 3, 0xe9, 0, 0, 7, 0xd1]);
    }
}
