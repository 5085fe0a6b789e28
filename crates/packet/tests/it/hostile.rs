//! Damaged frames: every prefix, seeded bit flips, seeded noise. Nothing may panic, and what is said must hold together.

use capture::LinkType;
use packet::{Decoder, Outcome};

use crate::fixtures::all;
use crate::{decoder, frame_of, small};

/// A small generator (xorshift64*), so that every run flips the same bits.
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % below.max(1)
    }
}

/// Decodes and checks what holds for every frame.
fn sound(decoder: &mut Decoder, link: LinkType, ts: i64, data: &[u8], wire_len: usize) -> Outcome {
    let mut frame = frame_of(link, ts, data);
    frame.wire_len = wire_len as u32;
    let d = decoder.decode(&frame);
    if d.outcome == Outcome::Packet {
        assert!(d.payload.len() <= d.packet.payload_len as usize, "{:?}", d.packet);
    } else {
        assert!(d.payload.is_empty());
    }
    assert!(d.packet.tunnels <= 16);
    assert!(d.packet.outer.is_none() || !d.packet.tunnel.is_empty());
    d.outcome
}

#[test]
fn every_prefix_of_every_encapsulation() {
    let mut decoder = decoder();
    for f in all() {
        for len in 0..f.bytes.len() {
            let cut = &f.bytes[..len];
            sound(&mut decoder, f.link, 0, cut, len);
            let outcome = sound(&mut decoder, f.link, 0, cut, f.bytes.len());
            if len >= 14 && f.link == LinkType::ETHERNET {
                assert!(!matches!(outcome, Outcome::Undecoded(_)), "{} {len}", f.name);
            }
        }
    }
}

#[test]
fn flipped_bits() {
    let mut random = Random(1);
    let (mut decoder, mut small) = (decoder(), small());
    let fixtures = all();
    for round in 0..400 {
        for f in &fixtures {
            let mut bytes = f.bytes.clone();
            for _ in 0..1 + round % 4 {
                let bit = random.next(bytes.len() * 8);
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
            sound(&mut decoder, f.link, round, &bytes, bytes.len());
            sound(&mut small, f.link, round, &bytes, bytes.len() + random.next(3));
        }
    }
}

#[test]
fn noise_behind_every_link_type() {
    let mut random = Random(2);
    let mut decoder = small();
    for round in 0..20_000 {
        let link = [0, 1, 9, 12, 14, 50, 101, 108, 113, 228, 229, 250, 276][random.next(13)];
        let mut bytes: Vec<u8> = (0..random.next(120)).map(|_| random.next(256) as u8).collect();
        // Half of them begin like IPv4 or IPv6 where the link type puts it.
        if let Some(first) = bytes.first_mut().filter(|_| round % 2 == 0) {
            *first = [0x45, 0x60, 0x46][random.next(3)];
        }
        sound(&mut decoder, LinkType(link), round, &bytes, bytes.len());
    }
}

#[test]
fn noise_in_the_views_of_evidence() {
    let mut random = Random(3);
    for _ in 0..50_000 {
        let mut bytes: Vec<u8> = (0..random.next(80)).map(|_| random.next(256) as u8).collect();
        let heads: [&[u8]; 5] = [&[0, 1, 8, 0, 6, 4], &[2, 2, 4, 1], &[0, 0, 2, 2], &[0x22], &[0; 4]];
        for (to, from) in bytes.iter_mut().zip(heads[random.next(5)]) {
            *to = *from;
        }
        let kind = random.next(256) as u8;
        packet::arp::parse(&bytes);
        packet::lldp::parse(&bytes);
        packet::stp::parse(&bytes);
        packet::nd::parse(133 + kind % 5, &bytes);
        if let Some(igmp) = packet::igmp::parse(&bytes) {
            assert!(igmp.records().count() <= bytes.len() / 8);
        }
        for v6 in [false, true] {
            packet::icmp::echo(v6, kind, &bytes);
            packet::icmp::quoted(v6, kind % 12, &bytes);
        }
    }
}
