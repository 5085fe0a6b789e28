//! Neighbour discovery (RFC 4861): who claims which IPv6 address, who is a router. The payload is that of ICMPv6.

use gwcore::{Addr, Mac};

use crate::cursor::{array, be16, be32};

/// What kind of message, with its fixed fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// Type 133.
    RouterSolicitation,
    /// Type 134.
    RouterAdvertisement {
        /// Hop limit to use; 0 unspecified.
        hop_limit: u8,
        /// Bit 7 managed addresses, bit 6 other configuration.
        flags: u8,
        /// Seconds this is a default router; 0 is none.
        lifetime: u16,
    },
    /// Type 135.
    NeighborSolicitation {
        /// The address asked for.
        target: Addr,
    },
    /// Type 136.
    NeighborAdvertisement {
        /// The address that is claimed.
        target: Addr,
        /// Bit 7 router, bit 6 solicited, bit 5 override.
        flags: u8,
    },
    /// Type 137.
    Redirect {
        /// The better first hop.
        target: Addr,
        /// The destination that is redirected.
        destination: Addr,
    },
}

/// A message with the options that matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nd {
    /// The message.
    pub message: Message,
    /// Option 1: the sender's link-layer address.
    pub source_link: Option<Mac>,
    /// Option 2: the target's link-layer address.
    pub target_link: Option<Mac>,
    /// Option 3: the first prefix and its length in bits.
    pub prefix: Option<(Addr, u8)>,
    /// Option 5: MTU in bytes.
    pub mtu: Option<u32>,
}

/// Reads an ICMPv6 message of type `kind` (133 to 137); options end at the first broken one.
pub fn parse(kind: u8, payload: &[u8]) -> Option<Nd> {
    let addr = |at| array(payload, at).map(Addr);
    let flags = *payload.first()?;
    let (message, len) = match kind {
        133 => (Message::RouterSolicitation, 4),
        134 => {
            let (hop_limit, flags, lifetime) = (flags, *payload.get(1)?, be16(payload, 2)?);
            (Message::RouterAdvertisement { hop_limit, flags, lifetime }, 12)
        }
        135 => (Message::NeighborSolicitation { target: addr(4)? }, 20),
        136 => (Message::NeighborAdvertisement { target: addr(4)?, flags }, 20),
        137 => (Message::Redirect { target: addr(4)?, destination: addr(20)? }, 36),
        _ => return None,
    };
    let mut nd = Nd { message, source_link: None, target_link: None, prefix: None, mtu: None };
    let mut rest = payload.get(len..)?;
    while let [kind, units, ..] = rest {
        let Some((option, next)) = rest.split_at_checked(usize::from(*units) * 8).filter(|_| *units > 0) else { break };
        match kind {
            1 => nd.source_link = array(option, 2).map(Mac),
            2 => nd.target_link = array(option, 2).map(Mac),
            3 if nd.prefix.is_none() => nd.prefix = array(option, 16).map(Addr).zip(option.get(2).copied()),
            5 => nd.mtu = be32(option, 4),
            _ => {}
        }
        rest = next;
    }
    Some(nd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbor_advertisement() {
        let target = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];
        let bytes = [&[0x60, 0, 0, 0][..], &target, &[2, 1, 1, 2, 3, 4, 5, 6]].concat();
        let nd = parse(136, &bytes).unwrap();
        assert_eq!(nd.message, Message::NeighborAdvertisement { target: Addr(target), flags: 0x60 });
        assert_eq!((nd.target_link, nd.source_link), (Some(Mac([1, 2, 3, 4, 5, 6])), None));
        assert!((0..20).all(|n| parse(136, &bytes[..n]).is_none()));
        assert_eq!(parse(136, &bytes[..27]).unwrap().target_link, None);
    }

    #[test]
    fn router_advertisement() {
        let prefix = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let head = [64, 0xc0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0];
        let options = [&[5, 1, 0, 0, 0, 0, 5, 0xdc, 3, 4, 64, 0xc0][..], &[0; 12], &prefix, &[0, 0]].concat();
        let nd = parse(134, &[&head[..], &options].concat()).unwrap();
        assert_eq!(nd.message, Message::RouterAdvertisement { hop_limit: 64, flags: 0xc0, lifetime: 1_800 });
        assert_eq!((nd.mtu, nd.prefix), (Some(1_500), Some((Addr(prefix), 64))));
        assert_eq!(parse(128, &head), None);
    }

    #[test]
    fn redirect_and_solicitation() {
        let bytes = [[0; 4].as_slice(), &[1; 16], &[2; 16]].concat();
        let want = Message::Redirect { target: Addr([1; 16]), destination: Addr([2; 16]) };
        assert_eq!(parse(137, &bytes).map(|nd| nd.message), Some(want));
        assert_eq!(
            parse(135, &bytes[..20]).map(|nd| nd.message),
            Some(Message::NeighborSolicitation { target: Addr([1; 16]) })
        );
    }
}
