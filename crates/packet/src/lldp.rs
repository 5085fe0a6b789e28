//! LLDP (IEEE 802.1AB §8): what a device says of itself to its neighbour. The payload is that of EtherType 0x88cc.

use gwcore::{Addr, Mac};

use crate::cursor::{array, be16};

/// An identifier of a chassis or port with its subtype.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id<'a> {
    /// Chassis: 4 MAC, 5 network address, 7 local; port: 3 MAC, 4 network address, 5 interface name, 7 local (§8.5.2, §8.5.3).
    pub subtype: u8,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// An LLDP frame. Texts are bytes as they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lldp<'a> {
    /// Chassis.
    pub chassis: Id<'a>,
    /// Port.
    pub port: Id<'a>,
    /// Time to live in seconds; 0 says goodbye.
    pub ttl: u16,
    /// Port description.
    pub port_description: Option<&'a [u8]>,
    /// System name.
    pub system_name: Option<&'a [u8]>,
    /// System description.
    pub system_description: Option<&'a [u8]>,
    /// Capabilities and those enabled: bit 2 bridge, bit 3 access point, bit 4 router, bit 7 station (§8.5.8).
    pub capabilities: Option<(u16, u16)>,
    /// First management address that is IPv4 or IPv6.
    pub management: Option<Addr>,
}

impl Lldp<'_> {
    /// The MAC address that identifies the chassis, if one does.
    pub fn chassis_mac(&self) -> Option<Mac> {
        let bytes = self.chassis.bytes.try_into().ok()?;
        (self.chassis.subtype == 4).then_some(Mac(bytes))
    }
}

/// Reads a frame: the three mandatory TLVs in their order, then what comes until the end or the first broken TLV.
pub fn parse(payload: &[u8]) -> Option<Lldp<'_>> {
    let (chassis, rest) = tlv(payload).and_then(|t| id(t, 1))?;
    let (port, rest) = tlv(rest).and_then(|t| id(t, 2))?;
    let (3, ttl, mut rest) = tlv(rest)? else { return None };
    let mut lldp = Lldp {
        chassis,
        port,
        ttl: be16(ttl, 0)?,
        port_description: None,
        system_name: None,
        system_description: None,
        capabilities: None,
        management: None,
    };
    while let Some((kind, value, next)) = tlv(rest) {
        match kind {
            0 => break,
            4 => lldp.port_description = Some(value),
            5 => lldp.system_name = Some(value),
            6 => lldp.system_description = Some(value),
            7 => lldp.capabilities = be16(value, 0).zip(be16(value, 2)),
            8 => lldp.management = lldp.management.or(management(value)),
            _ => {}
        }
        rest = next;
    }
    Some(lldp)
}

/// Type (7 bits), value and what follows; the length has 9 bits.
fn tlv(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let head = be16(bytes, 0)?;
    let (value, rest) = bytes.get(2..)?.split_at_checked(usize::from(head & 0x1ff))?;
    Some(((head >> 9) as u8, value, rest))
}

fn id<'a>((kind, value, rest): (u8, &'a [u8], &'a [u8]), want: u8) -> Option<(Id<'a>, &'a [u8])> {
    let (subtype, bytes) = value.split_first().filter(|_| kind == want)?;
    Some((Id { subtype: *subtype, bytes }, rest))
}

/// Length of subtype and address, subtype (IANA address family: 1 IPv4, 2 IPv6), address.
fn management(value: &[u8]) -> Option<Addr> {
    match (value.first()?, value.get(1)?) {
        (5, 1) => array(value, 2).map(Addr::v4),
        (17, 2) => array(value, 2).map(Addr),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Vec<u8> {
        let tlv = |kind: u8, value: &[u8]| [&[kind << 1, value.len() as u8][..], value].concat();
        [
            tlv(1, &[4, 0, 0x30, 0xa7, 1, 2, 3]),
            tlv(2, b"\x05Gi0/1"),
            tlv(3, &[0, 120]),
            tlv(4, b"uplink"),
            tlv(5, b"SW-1"),
            tlv(6, b"RSG2100"),
            tlv(7, &[0, 0x14, 0, 4]),
            tlv(8, &[5, 1, 10, 0, 0, 9, 2, 0, 0, 0, 1, 0]),
            tlv(127, &[0, 0x12, 0x0f, 1]),
            tlv(0, &[]),
            vec![0xff; 9],
        ]
        .concat()
    }

    #[test]
    fn a_switch() {
        let bytes = frame();
        let lldp = parse(&bytes).unwrap();
        assert_eq!(lldp.chassis_mac(), Some(Mac([0, 0x30, 0xa7, 1, 2, 3])));
        assert_eq!((lldp.port, lldp.ttl), (Id { subtype: 5, bytes: b"Gi0/1" }, 120));
        let texts = (lldp.port_description, lldp.system_name, lldp.system_description);
        assert_eq!(texts, (Some(&b"uplink"[..]), Some(&b"SW-1"[..]), Some(&b"RSG2100"[..])));
        assert_eq!((lldp.capabilities, lldp.management), (Some((0x14, 4)), Some(Addr::v4([10, 0, 0, 9]))));
    }

    #[test]
    fn what_is_broken_later_does_not_hide_what_came_before() {
        let bytes = frame();
        let mandatory = 9 + 8 + 4;
        assert!((0..mandatory).all(|n| parse(&bytes[..n]).is_none()));
        assert!((mandatory..bytes.len()).all(|n| parse(&bytes[..n]).is_some()));
        assert_eq!(parse(&bytes[..mandatory + 7]).unwrap().port_description, None);
        assert_eq!(parse(&bytes[9..]), None);
    }
}
