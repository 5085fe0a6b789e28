//! Filters in tcpdump's syntax (pcap-filter(7)), decided on the bytes of a frame.
//!
//! What libpcap's language says holds here, with one difference that is meant: VLAN and MPLS-free priority tags are passed over, so that
//! `port 502` finds a tagged packet too; `vlan` asks whether there is a tag, `vlan N` whether one of them is N. Names of hosts, `gateway` and
//! links other than Ethernet, raw IP, Linux cooked and loopback are refused or match nothing but `less`, `greater` and `len`.

mod parse;
mod view;

use crate::frame::Frame;
use view::View;

/// A compiled filter.
#[derive(Clone, Debug)]
pub struct Filter(Option<Test>);

/// Why an expression is no filter: what is wrong, and at which byte.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at character {}", at + 1)]
pub struct FilterError {
    /// What is wrong.
    pub what: String,
    /// Where in the expression, in bytes from 0.
    pub at: usize,
}

impl Filter {
    /// Compiles an expression; an empty one lets everything through.
    pub fn parse(text: &str) -> Result<Filter, FilterError> {
        parse::parse(text).map(Filter)
    }

    /// Whether a frame passes.
    pub fn passes(&self, frame: &Frame<'_>) -> bool {
        self.0.as_ref().is_none_or(|test| test.holds(&View::of(frame)))
    }
}

/// A condition.
#[derive(Clone, Debug)]
pub(crate) enum Test {
    And(Box<Test>, Box<Test>),
    Or(Box<Test>, Box<Test>),
    Not(Box<Test>),
    /// The EtherType inside all tags, or one of the addresses' families for IP without a link.
    EtherType(u16),
    /// Any tag, or one of this id.
    Vlan(Option<u16>),
    /// IP protocol, of either version where none is named.
    Proto(Option<u8>, u8),
    Mac(Side, [u8; 6]),
    /// Addresses of IP or ARP under a mask; the families that are asked for.
    Net(Side, Family, [u8; 16], [u8; 16]),
    /// Ports from, to; of these protocols.
    Port(Side, &'static [u8], u16, u16),
    /// To all, by link or IP.
    Broadcast,
    Multicast(Family),
    Compare(Value, Order, Value),
}

/// Whose address or port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Source,
    Target,
    Either,
    Both,
}

/// Which addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Any,
    V4,
    V6,
    Arp,
    Link,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Less,
    AtMost,
    Equal,
    Unequal,
    AtLeast,
    Greater,
}

/// A number, 32 bits without sign as in libpcap.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Number(u32),
    Length,
    /// Bytes of a header: which, from where, how many (1, 2, 4).
    Bytes(Layer, Box<Value>, u8),
    Calc(Box<Value>, char, Box<Value>),
    Negative(Box<Value>),
}

/// The header that bytes are counted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layer {
    Link,
    V4,
    V6,
    Arp,
    /// The transport header of an IP protocol.
    Transport(u8),
}

impl Side {
    fn of(self, mut source: impl FnMut() -> bool, mut target: impl FnMut() -> bool) -> bool {
        match self {
            Side::Source => source(),
            Side::Target => target(),
            Side::Either => source() || target(),
            Side::Both => source() && target(),
        }
    }
}

impl Test {
    fn holds(&self, v: &View<'_>) -> bool {
        match self {
            Test::And(a, b) => a.holds(v) && b.holds(v),
            Test::Or(a, b) => a.holds(v) || b.holds(v),
            Test::Not(a) => !a.holds(v),
            Test::EtherType(n) => v.ether_type == Some(*n),
            Test::Vlan(None) => !v.vlans.is_empty(),
            Test::Vlan(Some(n)) => v.vlans.contains(n),
            Test::Proto(version, n) => {
                (v.proto == Some(*n) || v.fragment == Some(*n)) && version.is_none_or(|w| v.version == Some(w))
            }
            Test::Mac(side, mac) => {
                side.of(|| v.macs.is_some_and(|m| m.0 == *mac), || v.macs.is_some_and(|m| m.1 == *mac))
            }
            Test::Net(side, family, net, mask) => {
                let fits = |a: Option<[u8; 16]>| a.is_some_and(|a| (0..16).all(|i| a[i] & mask[i] == net[i]));
                v.is_of(*family) && side.of(|| fits(v.source), || fits(v.target))
            }
            Test::Port(side, protos, from, to) => {
                let fits = |p: u16| (*from..=*to).contains(&p);
                v.proto.is_some_and(|p| protos.contains(&p))
                    && v.ports.is_some_and(|(a, b)| side.of(|| fits(a), || fits(b)))
            }
            Test::Broadcast => v.macs.is_some_and(|m| m.1 == [0xff; 6]),
            Test::Multicast(Family::V4) => v.version == Some(4) && v.target.is_some_and(|t| t[12] & 0xf0 == 0xe0),
            Test::Multicast(Family::V6) => v.version == Some(6) && v.target.is_some_and(|t| t[0] == 0xff),
            Test::Multicast(_) => v.macs.is_some_and(|m| m.1[0] & 1 == 1),
            Test::Compare(a, order, b) => a.of(v).zip(b.of(v)).is_some_and(|(a, b)| match order {
                Order::Less => a < b,
                Order::AtMost => a <= b,
                Order::Equal => a == b,
                Order::Unequal => a != b,
                Order::AtLeast => a >= b,
                Order::Greater => a > b,
            }),
        }
    }
}

impl Value {
    /// The number; none where the header or its bytes are not there, which makes the whole comparison false.
    fn of(&self, v: &View<'_>) -> Option<u32> {
        match self {
            Value::Number(n) => Some(*n),
            Value::Length => Some(v.length),
            Value::Bytes(layer, at, size) => {
                let header = v.header(*layer)?;
                let at = at.of(v)? as usize;
                let bytes = header.get(at..at.checked_add(usize::from(*size))?)?;
                Some(bytes.iter().fold(0, |sum, b| sum << 8 | u32::from(*b)))
            }
            Value::Calc(a, op, b) => {
                let (a, b) = (a.of(v)?, b.of(v)?);
                match op {
                    '+' => Some(a.wrapping_add(b)),
                    '-' => Some(a.wrapping_sub(b)),
                    '*' => Some(a.wrapping_mul(b)),
                    '/' => a.checked_div(b),
                    '%' => a.checked_rem(b),
                    '&' => Some(a & b),
                    '|' => Some(a | b),
                    '^' => Some(a ^ b),
                    // libpcap: a shift by 32 or more gives 0.
                    '<' => Some(a.checked_shl(b).unwrap_or(0)),
                    _ => Some(a.checked_shr(b).unwrap_or(0)),
                }
            }
            Value::Negative(a) => Some(a.of(v)?.wrapping_neg()),
        }
    }
}

#[cfg(test)]
mod tests;
