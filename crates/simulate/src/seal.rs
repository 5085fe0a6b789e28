//! Puts right what a change within an Ethernet frame leaves wrong: the IPv4, TCP and UDP checksums.

use std::net::{IpAddr, Ipv4Addr};

use testkit::{checksum, transport_checksum};

/// Recomputes the checksums of an untagged IPv4 frame without options; others are left as they are.
pub(crate) fn seal(frame: &mut [u8]) {
    if frame.len() < 34 || frame[12..15] != [8, 0, 0x45] {
        return;
    }
    let total = usize::from(u16::from_be_bytes([frame[16], frame[17]]));
    let Some(packet) = frame.get_mut(14..14 + total) else { return };
    packet[10..12].fill(0);
    let sum = checksum(&packet[..20]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    let address = |at: usize| IpAddr::V4(Ipv4Addr::from([packet[at], packet[at + 1], packet[at + 2], packet[at + 3]]));
    let (src, dst, protocol) = (address(12), address(16), packet[9]);
    let at = match protocol {
        6 => 16,
        17 => 6,
        _ => return,
    };
    let segment = &mut packet[20..];
    if segment.len() < at + 2 {
        return;
    }
    segment[at..at + 2].fill(0);
    let sum = transport_checksum(src, dst, protocol, segment);
    let sum = if protocol == 17 && sum == 0 { 0xffff } else { sum };
    segment[at..at + 2].copy_from_slice(&sum.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::Stack;

    #[test]
    fn a_changed_frame_is_as_if_it_had_been_built_so() {
        let build = |text: &[u8]| {
            Stack::new().eth([1; 6], [2; 6]).ipv4([1, 2, 3, 4], [5, 6, 7, 8]).udp(1, 2).payload(text).bytes()
        };
        let (mut frame, expect) = (build(b"abcd"), build(b"abXd"));
        frame[44] = b'X';
        assert_ne!(frame, expect);
        seal(&mut frame);
        assert_eq!(frame, expect);
    }
}
