//! Addresses: 16 bytes for IP (IPv4 mapped into IPv6), 6 for MAC, and their texts.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IP address in 16 bytes; IPv4 stands as ::ffff:a.b.c.d (RFC 4291 §2.5.5.2). All zero means none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Addr(pub [u8; 16]);

impl Addr {
    /// No address.
    pub const NONE: Addr = Addr([0; 16]);

    /// From the four bytes of an IPv4 address.
    #[inline]
    pub fn v4(b: [u8; 4]) -> Addr {
        Addr([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, b[0], b[1], b[2], b[3]])
    }

    /// The four bytes when this is IPv4.
    #[inline]
    pub fn as_v4(&self) -> Option<[u8; 4]> {
        let [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d] = self.0 else { return None };
        Some([a, b, c, d])
    }

    /// Whether this is IPv4.
    #[inline]
    pub fn is_v4(&self) -> bool {
        self.as_v4().is_some()
    }

    /// Whether there is no address.
    #[inline]
    pub fn is_none(&self) -> bool {
        self.0 == [0; 16]
    }

    /// As the standard library's type.
    pub fn ip(&self) -> IpAddr {
        match self.as_v4() {
            Some(b) => IpAddr::V4(Ipv4Addr::from(b)),
            None => IpAddr::V6(Ipv6Addr::from(self.0)),
        }
    }

    /// Multicast, or the IPv4 limited broadcast.
    pub fn is_multicast(&self) -> bool {
        match self.as_v4() {
            Some(b) => (224..=239).contains(&b[0]) || b == [255; 4],
            None => self.0[0] == 0xff,
        }
    }

    /// Private, link-local, loopback or unspecified: RFC 1918, 3927, 4193, 4291, 6598.
    pub fn is_local(&self) -> bool {
        match self.as_v4() {
            Some([a, b, ..]) => {
                matches!(a, 0 | 10 | 127)
                    || (a, b) == (192, 168)
                    || (a, b) == (169, 254)
                    || (a == 172 && (16..32).contains(&b))
                    || (a == 100 && (64..128).contains(&b))
            }
            None => {
                self.0[..15] == [0; 15] || self.0[0] & 0xfe == 0xfc || (self.0[0] == 0xfe && self.0[1] & 0xc0 == 0x80)
            }
        }
    }

    /// Whether traffic of a utility should be surprised by it: neither local nor multicast.
    pub fn is_internet(&self) -> bool {
        !self.is_local() && !self.is_multicast()
    }
}

impl From<IpAddr> for Addr {
    fn from(ip: IpAddr) -> Addr {
        match ip {
            IpAddr::V4(a) => Addr::v4(a.octets()),
            IpAddr::V6(a) => Addr(a.octets()),
        }
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() { f.write_str("::") } else { self.ip().fmt(f) }
    }
}

/// An IEEE 802 MAC address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// No address.
    pub const NONE: Mac = Mac([0; 6]);

    /// Whether there is no address.
    #[inline]
    pub fn is_none(&self) -> bool {
        self.0 == [0; 6]
    }

    /// The group bit: multicast or broadcast (IEEE 802 §8.2).
    #[inline]
    pub fn is_group(&self) -> bool {
        self.0[0] & 1 == 1
    }

    /// The local bit: no maker gave it, but the device or its owner did (IEEE 802 §8.2).
    #[inline]
    pub fn is_locally_administered(&self) -> bool {
        self.0[0] & 2 == 2
    }

    /// In 16 bytes, so that conversations without IP share the key type of those with it.
    pub fn padded(&self) -> Addr {
        let [a, b, c, d, e, f] = self.0;
        Addr([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d, e, f])
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_scopes() {
        assert_eq!(Addr::v4([10, 1, 2, 3]).to_string(), "10.1.2.3");
        let v6: IpAddr = "2001:db8::1".parse().unwrap();
        assert_eq!(Addr::from(v6).to_string(), "2001:db8::1");
        assert_eq!(Mac([1, 2, 3, 0xa, 0xb, 0xc]).to_string(), "01:02:03:0a:0b:0c");
        assert!(Addr::v4([172, 31, 0, 1]).is_local() && !Addr::v4([172, 32, 0, 1]).is_local());
        assert!(Addr::v4([255; 4]).is_multicast() && Addr::v4([8, 8, 8, 8]).is_internet());
    }
}
