//! A TCP segment of a foreign connection: patched with its checksums following, or built like the one before it.

use std::net::IpAddr;

use testkit::{checksum, transport_checksum};

use super::reader::array;
use super::site::Nanos;

/// The time stamps of one end (RFC 7323), and how fast they run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stamps {
    first: Option<(Nanos, u32)>,
    last: Option<(Nanos, u32)>,
}

impl Stamps {
    pub(super) fn see(&mut self, at: Nanos, value: u32) {
        self.first = self.first.or(Some((at, value)));
        self.last = Some((at, value));
    }

    pub(super) fn latest(&self) -> Option<u32> {
        self.last.map(|last| last.1)
    }

    /// What its clock shows at a later time, at the pace it had so far.
    pub(super) fn at(&self, at: Nanos) -> Option<u32> {
        let ((start, first), (end, last)) = self.first.zip(self.last)?;
        let (ticks, span) = (i128::from(last.wrapping_sub(first)), i128::from(end.saturating_sub(start)));
        let since = i128::from(at.saturating_sub(end).max(0));
        let more = if span > 0 { since * ticks / span } else { 0 };
        Some(last.wrapping_add(u32::try_from(more).unwrap_or(0)))
    }
}

/// Changes the IPv4 header and the TCP segment after it, and moves both checksums by the difference (RFC 1624).
pub(super) fn patch(
    frame: &mut [u8],
    ip_at: usize,
    tcp_at: usize,
    change: impl FnOnce(&mut [u8], &mut [u8]) -> Option<()>,
) -> Option<()> {
    let end = usize::from(u16::from_be_bytes(array(frame, ip_at + 2)?));
    let end = if end == 0 { frame.len() } else { (ip_at + end).min(frame.len()) };
    let packet = frame.get_mut(ip_at..end)?;
    let (ip, tcp) = packet.split_at_mut_checked(tcp_at.checked_sub(ip_at)?)?;
    let before = (!checksum(ip), !checksum(tcp));
    let done = change(ip, tcp);
    follow(ip, 10, before.0);
    follow(tcp, 16, before.1);
    done
}

/// Puts right the checksum at a place after the sum of the whole has changed.
fn follow(bytes: &mut [u8], at: usize, before: u16) -> Option<()> {
    let after = !checksum(bytes);
    if after == before {
        return Some(());
    }
    let place = bytes.get_mut(at..at + 2)?;
    let old = u16::from_be_bytes([*place.first()?, *place.get(1)?]);
    let sum = u32::from(!old) + u32::from(after) + u32::from(!before);
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    place.copy_from_slice(&(!(folded as u16)).to_be_bytes());
    Some(())
}

/// A frame with the addresses and habits of `head`, which ends where its data began; `ip_at` and `tcp_at` say where its headers are.
pub(super) fn build(
    (head, ip_at, tcp_at): (&[u8], usize, usize),
    (seq, ack, flags): (u32, u32, u8),
    id: u16,
    stamps: Option<(u32, u32)>,
    data: &[u8],
) -> Vec<u8> {
    let mut out = head.get(..tcp_at + 20).unwrap_or(head).to_vec();
    if let Some((own, echo)) = stamps {
        out.extend([1, 1, 8, 10]);
        out.extend(own.to_be_bytes());
        out.extend(echo.to_be_bytes());
    }
    let offset = out.len().saturating_sub(tcp_at) / 4;
    out.extend_from_slice(data);
    let total = out.len().saturating_sub(ip_at) as u16;
    let mut put = |at: usize, octets: &[u8]| {
        if let Some(place) = out.get_mut(at..at + octets.len()) {
            place.copy_from_slice(octets);
        }
    };
    put(ip_at + 2, &total.to_be_bytes());
    put(ip_at + 4, &id.to_be_bytes());
    put(ip_at + 10, &[0, 0]);
    put(tcp_at + 4, &seq.to_be_bytes());
    put(tcp_at + 8, &ack.to_be_bytes());
    put(tcp_at + 12, &[(offset as u8) << 4, flags]);
    put(tcp_at + 16, &[0, 0, 0, 0]);
    seal(&mut out, ip_at, tcp_at);
    out
}

fn seal(frame: &mut [u8], ip_at: usize, tcp_at: usize) -> Option<()> {
    let sum = checksum(frame.get(ip_at..tcp_at)?);
    frame.get_mut(ip_at + 10..ip_at + 12)?.copy_from_slice(&sum.to_be_bytes());
    let address = |at: usize| Some(IpAddr::from(array::<4>(frame, ip_at + at)?));
    let sum = transport_checksum(address(12)?, address(16)?, 6, frame.get(tcp_at..)?);
    frame.get_mut(tcp_at + 16..tcp_at + 18)?.copy_from_slice(&sum.to_be_bytes());
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::{Ipv4, Stack, Tcp};

    fn frame(seq: u32, checksum: Option<u16>) -> Vec<u8> {
        let ip = Ipv4 { src: [10, 0, 0, 1].into(), dst: [10, 0, 0, 2].into(), id: 7, ..Ipv4::default() };
        let tcp = Tcp { src: 1, dst: 2, seq, flags: 0x18, checksum, ..Tcp::default() };
        Stack::new().eth([1; 6], [2; 6]).add(ip).add(tcp).payload(b"abcde").bytes()
    }

    fn moved(mut frame: Vec<u8>, seq: u32) -> Vec<u8> {
        let write = |_: &mut [u8], tcp: &mut [u8]| {
            tcp.get_mut(4..8)?.copy_from_slice(&seq.to_be_bytes());
            Some(())
        };
        patch(&mut frame, 14, 34, write).unwrap();
        frame
    }

    #[test]
    fn a_right_checksum_stays_right_and_a_wrong_one_wrong() {
        for seq in [0, 1, 0xffff, 0x1_0000, 0xdead_beef, u32::MAX] {
            assert_eq!(moved(frame(1_000, None), seq), frame(seq, None));
        }
        let wrong = moved(frame(1_000, Some(0x1234)), 2_000);
        assert_ne!(wrong[50..52], frame(2_000, None)[50..52]);
        assert_eq!(moved(wrong, 1_000), frame(1_000, Some(0x1234)));
    }

    #[test]
    fn a_built_segment_is_like_the_one_before() {
        let head = frame(9, None);
        let built = build((&head[..54], 14, 34), (1_000, 0, 0x18), 7, None, b"abcde");
        assert_eq!(built, frame(1_000, None));
    }

    #[test]
    fn stamps_run_on_at_their_pace() {
        let mut stamps = Stamps::default();
        assert_eq!(stamps.at(5), None);
        stamps.see(1_000, 10);
        assert_eq!(stamps.at(9_000), Some(10));
        stamps.see(2_000, 20);
        assert_eq!((stamps.at(2_500), stamps.at(1_000), stamps.latest()), (Some(25), Some(20), Some(20)));
    }
}
