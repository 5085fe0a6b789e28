//! A foreign frame, read as far as an attack has to know it: Ethernet, VLAN tags, ARP, IPv4, TCP, UDP and GOOSE.

use std::net::Ipv4Addr;

/// What a frame carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Body<'a> {
    Tcp(Segment<'a>),
    /// IPv4 with anything else.
    Ip,
    /// ARP of this sender.
    Arp(Ipv4Addr),
    /// From the application identifier on.
    Goose(&'a [u8]),
    Other,
}

/// A frame and where its parts stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen<'a> {
    pub(super) dst_mac: [u8; 6],
    pub(super) src_mac: [u8; 6],
    /// VLAN tags between the addresses and the EtherType.
    pub(super) tags: &'a [u8],
    pub(super) ip: Option<Ip>,
    pub(super) body: Body<'a>,
}

/// The IPv4 header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ip {
    /// Where it begins in the frame.
    pub(super) at: usize,
    pub(super) src: Ipv4Addr,
    pub(super) dst: Ipv4Addr,
    pub(super) ttl: u8,
    pub(super) id: u16,
}

/// A TCP segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment<'a> {
    /// Where the TCP header begins in the frame.
    pub(super) at: usize,
    pub(super) src: u16,
    pub(super) dst: u16,
    pub(super) seq: u32,
    pub(super) ack: u32,
    pub(super) flags: u8,
    pub(super) window: u16,
    pub(super) options: &'a [u8],
    /// Where its data begins in the frame.
    pub(super) data_at: usize,
    /// Octets of data on the wire.
    pub(super) len: u32,
    /// Those of them that were captured.
    pub(super) data: &'a [u8],
}

/// Reads a frame; none without a whole Ethernet header. What is cut or damaged is `Other` or `Ip`.
pub(super) fn read(frame: &[u8]) -> Option<Seen<'_>> {
    let (dst_mac, src_mac) = (array(frame, 0)?, array(frame, 6)?);
    let mut at = 12;
    // Two tags at most: more are no network's habit.
    while at < 20 && matches!(be16(frame, at)?, 0x8100 | 0x88a8) {
        at += 4;
    }
    let tags = frame.get(12..at)?;
    let rest = frame.get(at + 2..)?;
    let mut seen = Seen { dst_mac, src_mac, tags, ip: None, body: Body::Other };
    match be16(frame, at)? {
        0x0800 => ip(frame, at + 2, &mut seen).unwrap_or(()),
        0x0806 => {
            if let Some(sender) = array::<4>(rest, 14) {
                seen.body = Body::Arp(Ipv4Addr::from(sender));
            }
        }
        0x88b8 => seen.body = Body::Goose(rest),
        _ => {}
    }
    Some(seen)
}

fn ip<'a>(frame: &'a [u8], at: usize, seen: &mut Seen<'a>) -> Option<()> {
    let packet = frame.get(at..)?;
    let header = usize::from(packet.first()? & 15) * 4;
    if packet.first()? >> 4 != 4 || header < 20 {
        return None;
    }
    let (src, dst) = (Ipv4Addr::from(array::<4>(packet, 12)?), Ipv4Addr::from(array::<4>(packet, 16)?));
    seen.ip = Some(Ip { at, src, dst, ttl: *packet.get(8)?, id: be16(packet, 4)? });
    seen.body = Body::Ip;
    // A total length of 0 is one that the sender's network card filled in later.
    let total = match usize::from(be16(packet, 2)?) {
        0 => packet.len(),
        total => total,
    };
    let is_fragment = be16(packet, 6)? & 0x3fff != 0;
    if *packet.get(9)? != 6 || is_fragment {
        return None;
    }
    let tcp = packet.get(header..total.min(packet.len()))?;
    let offset = usize::from(tcp.get(12)? >> 4) * 4;
    let wire = total.checked_sub(header)?.checked_sub(offset)?;
    let options = tcp.get(20..offset)?;
    seen.body = Body::Tcp(Segment {
        at: at + header,
        src: be16(tcp, 0)?,
        dst: be16(tcp, 2)?,
        seq: be32(tcp, 4)?,
        ack: be32(tcp, 8)?,
        flags: *tcp.get(13)?,
        window: be16(tcp, 14)?,
        options,
        data_at: at + header + offset,
        len: u32::try_from(wire).ok()?,
        data: tcp.get(offset..)?,
    });
    Some(())
}

/// Calls `act` with kind, place and octets of each TCP option that is whole.
pub(super) fn options(bytes: &[u8], mut act: impl FnMut(u8, usize, &[u8])) {
    let mut at = 0;
    while let Some(kind) = bytes.get(at) {
        let len = match kind {
            0 => return,
            1 => 1,
            _ => bytes.get(at + 1).map_or(0, |len| usize::from(*len)),
        };
        let Some(option) = bytes.get(at..at + len).filter(|option| !option.is_empty()) else { return };
        act(*kind, at, option);
        at += len;
    }
}

/// So many octets at a place.
pub(super) fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

/// A big-endian word.
pub(super) fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_be_bytes)
}

/// A little-endian word.
pub(super) fn le16(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_le_bytes)
}

/// A big-endian double word.
pub(super) fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::{Arp, Stack};

    fn tcp() -> Vec<u8> {
        Stack::new()
            .eth([1; 6], [2; 6])
            .vlan(7)
            .ipv4([10, 0, 0, 1], [10, 0, 0, 2])
            .tcp(1025, 502)
            .payload(b"hello")
            .bytes()
    }

    #[test]
    fn a_tagged_segment_is_read_and_its_padding_left_out() {
        let mut frame = tcp();
        frame.resize(frame.len() + 6, 0);
        let seen = read(&frame).unwrap();
        assert_eq!((seen.src_mac, seen.dst_mac, seen.tags.len()), ([1; 6], [2; 6], 4));
        let ip = seen.ip.unwrap();
        assert_eq!((ip.at, ip.src, ip.dst), (18, [10, 0, 0, 1].into(), [10, 0, 0, 2].into()));
        let Body::Tcp(segment) = seen.body else { panic!("no segment") };
        assert_eq!((segment.at, segment.src, segment.dst, segment.data), (38, 1025, 502, &b"hello"[..]));
    }

    #[test]
    fn a_cut_segment_keeps_its_length_on_the_wire() {
        let frame = tcp();
        let seen = read(&frame[..frame.len() - 2]).unwrap();
        let Body::Tcp(segment) = seen.body else { panic!("no segment") };
        assert_eq!((segment.len, segment.data), (5, &b"hel"[..]));
    }

    #[test]
    fn arp_and_goose_are_told_apart() {
        let arp = Arp { op: 1, sender_mac: [1; 6], sender_ip: [9, 8, 7, 6], ..Arp::default() };
        let frame = Stack::new().eth([1; 6], [255; 6]).add(arp).bytes();
        assert_eq!(read(&frame).unwrap().body, Body::Arp([9, 8, 7, 6].into()));
        let mut goose = vec![3; 12];
        goose.extend([0x88, 0xb8, 0, 1]);
        assert_eq!(read(&goose).unwrap().body, Body::Goose(&[0, 1]));
    }

    #[test]
    fn no_cut_and_no_flipped_octet_makes_it_fail() {
        let frame = tcp();
        for cut in 0..frame.len() {
            let _ = read(&frame[..cut]);
        }
        for place in 0..frame.len() {
            for value in [0, 1, 0x45, 0x4f, 0xff] {
                let mut bad = frame.clone();
                bad[place] = value;
                if let Some(Seen { body: Body::Tcp(segment), .. }) = read(&bad) {
                    options(segment.options, |_, _, _| ());
                }
            }
        }
    }

    #[test]
    fn options_end_where_they_are_damaged() {
        let mut kinds = Vec::new();
        options(&[1, 2, 4, 5, 0xb4, 8, 0], |kind, at, _| kinds.push((kind, at)));
        assert_eq!(kinds, [(1, 0), (2, 1)]);
    }
}
