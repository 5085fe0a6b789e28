//! Spanning tree BPDUs (IEEE 802.1D §9, 802.1Q §14): which bridge is root. The payload is that of LLC 42 42 03.

use gwcore::Mac;

use crate::cursor::{array, be16, be32};

/// A bridge identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bridge {
    /// Priority with the system id extension in its low 12 bits.
    pub priority: u16,
    /// The bridge's address.
    pub mac: Mac,
}

/// A configuration BPDU of STP, RSTP or MSTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Flags: bit 0 topology change, bit 7 its acknowledgement.
    pub flags: u8,
    /// The root.
    pub root: Bridge,
    /// Cost of the path to the root.
    pub cost: u32,
    /// The sender.
    pub bridge: Bridge,
    /// The sender's port.
    pub port: u16,
}

/// A BPDU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stp {
    /// 0 STP, 2 RSTP, 3 MSTP.
    pub version: u8,
    /// 0 configuration, 2 rapid, 0x80 topology change notification.
    pub kind: u8,
    /// What a configuration BPDU says; none for a notification.
    pub config: Option<Config>,
}

impl Stp {
    /// Whether the topology changes: a notification, or the flag.
    pub fn is_topology_change(&self) -> bool {
        self.kind == 0x80 || self.config.is_some_and(|c| c.flags & 1 == 1)
    }
}

/// Reads a BPDU.
pub fn parse(payload: &[u8]) -> Option<Stp> {
    let [0, 0, version, kind] = array::<4>(payload, 0)? else { return None };
    let bridge = |at| Some(Bridge { priority: be16(payload, at)?, mac: Mac(array(payload, at + 2)?) });
    let config = match kind {
        0x80 => None,
        _ => Some(Config {
            flags: *payload.get(4)?,
            root: bridge(5)?,
            cost: be32(payload, 13)?,
            bridge: bridge(17)?,
            port: be16(payload, 25)?,
        }),
    };
    Some(Stp { version, kind, config })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rapid_configuration() {
        let bytes = [
            0, 0, 2, 2, 0x7d, 0x80, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0x4e, 0x20, 0x90, 0, 2, 2, 2, 2, 2, 2, 0x80, 3, 0, 0, 20,
        ];
        let stp = parse(&bytes).unwrap();
        let config = stp.config.unwrap();
        assert_eq!(config.root, Bridge { priority: 0x8001, mac: Mac([1; 6]) });
        assert_eq!(config.bridge, Bridge { priority: 0x9000, mac: Mac([2; 6]) });
        assert_eq!((stp.version, config.cost, config.port), (2, 20_000, 0x8003));
        assert!(stp.is_topology_change());
        assert!((0..27).all(|n| parse(&bytes[..n]).is_none()));
    }

    #[test]
    fn notification() {
        let stp = parse(&[0, 0, 0, 0x80]).unwrap();
        assert!(stp.config.is_none() && stp.is_topology_change());
        assert_eq!(parse(&[0x42, 0, 0, 0x80]), None);
    }
}
