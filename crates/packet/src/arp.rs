//! ARP for Ethernet and IPv4 (RFC 826): who claims which address.

use gwcore::{Addr, Mac};

use crate::cursor::array;

/// An ARP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// 1 request, 2 reply; others are kept as numbers.
    pub op: u16,
    /// Sender's hardware address.
    pub sender_mac: Mac,
    /// Sender's address; 0.0.0.0 in a probe (RFC 5227).
    pub sender_ip: Addr,
    /// Target's hardware address.
    pub target_mac: Mac,
    /// Target's address.
    pub target_ip: Addr,
}

impl Arp {
    /// Whether the sender announces itself: both addresses are its own (RFC 5227 §3).
    pub fn is_gratuitous(&self) -> bool {
        self.sender_ip == self.target_ip
    }
}

/// Reads the payload of EtherType 0x0806; none for other hardware and protocols.
pub fn parse(payload: &[u8]) -> Option<Arp> {
    let [0, 1, 8, 0, 6, 4, o0, o1] = array::<8>(payload, 0)? else { return None };
    Some(Arp {
        op: u16::from_be_bytes([o0, o1]),
        sender_mac: Mac(array(payload, 8)?),
        sender_ip: Addr::v4(array(payload, 14)?),
        target_mac: Mac(array(payload, 18)?),
        target_ip: Addr::v4(array(payload, 24)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply() {
        let built = testkit::Arp {
            op: 2,
            sender_mac: [1; 6],
            sender_ip: [10, 0, 0, 1],
            target_mac: [2; 6],
            target_ip: [10, 0, 0, 2],
        };
        let bytes = testkit::Stack::new().add(built).bytes();
        let arp = parse(&bytes).unwrap();
        assert_eq!((arp.op, arp.sender_mac, arp.target_mac), (2, Mac([1; 6]), Mac([2; 6])));
        assert_eq!((arp.sender_ip, arp.target_ip), (Addr::v4([10, 0, 0, 1]), Addr::v4([10, 0, 0, 2])));
        assert!(!arp.is_gratuitous());
        assert!((0..28).all(|n| parse(&bytes[..n]).is_none()));
        let mut other = bytes;
        other[1] = 6;
        assert_eq!(parse(&other), None);
    }
}
