//! What a filter asks of a frame: its outermost headers, found once.

use crate::frame::{Frame, LinkType};

use super::{Family, Layer};

/// Tags that are passed over at most.
const TAGS: usize = 4;

/// The headers of a frame.
#[derive(Default)]
pub(super) struct View<'a> {
    pub(super) length: u32,
    /// Source and target on the link.
    pub(super) macs: Option<([u8; 6], [u8; 6])>,
    pub(super) vlans: Vec<u16>,
    pub(super) ether_type: Option<u16>,
    /// 4 or 6.
    pub(super) version: Option<u8>,
    pub(super) proto: Option<u8>,
    /// IP or ARP addresses, those of IPv4 in the last four bytes.
    pub(super) source: Option<[u8; 16]>,
    pub(super) target: Option<[u8; 16]>,
    pub(super) ports: Option<(u16, u16)>,
    link: &'a [u8],
    network: &'a [u8],
    transport: Option<&'a [u8]>,
    /// Protocol in the fragment header of IPv6, where that is the first.
    pub(super) fragment: Option<u8>,
}

/// Protocol number of ICMPv6 (RFC 4443).
const ICMPV6: u8 = 58;
/// Protocol number of the fragment header of IPv6 (RFC 8200 section 4.5).
const FRAGMENT: u8 = 44;

impl<'a> View<'a> {
    pub(super) fn of(frame: &Frame<'a>) -> View<'a> {
        let data = frame.data;
        let mut view = View { length: frame.wire_len, link: data, ..View::default() };
        match frame.link {
            LinkType::ETHERNET => {
                let mac = |at: usize| data.get(at..at + 6).and_then(|m| m.try_into().ok());
                view.macs = mac(6).zip(mac(0));
                view.tagged(data, 12);
            }
            LinkType::LINUX_SLL => view.tagged(data, 14),
            LinkType::LINUX_SLL2 => {
                view.ether_type = u16_at(data, 0);
                view.network(data.get(20..).unwrap_or_default());
            }
            LinkType::RAW | LinkType::RAW_BSD | LinkType::RAW_OPENBSD | LinkType::IPV4 | LinkType::IPV6 => {
                view.unlinked(data)
            }
            LinkType::NULL | LinkType::LOOP => view.unlinked(data.get(4..).unwrap_or_default()),
            _ => {}
        }
        view
    }

    /// From an EtherType on, passing over tags.
    fn tagged(&mut self, data: &'a [u8], mut at: usize) {
        for _ in 0..TAGS {
            match u16_at(data, at) {
                Some(0x8100 | 0x88a8 | 0x9100) => {
                    let Some(tci) = u16_at(data, at + 2) else { return };
                    self.vlans.push(tci & 0x0fff);
                    at += 4;
                }
                kind => {
                    // Below 1536 it is a length.
                    self.ether_type = kind.filter(|n| *n >= 0x0600);
                    break;
                }
            }
        }
        self.network(data.get(at + 2..).unwrap_or_default());
    }

    fn network(&mut self, data: &'a [u8]) {
        match self.ether_type {
            // As libpcap, which goes by the EtherType whatever version the header says.
            Some(0x0800) => self.ip(data, 4),
            Some(0x86dd) => self.ip(data, 6),
            // ARP and RARP for IPv4 over Ethernet (RFC 826).
            Some(0x0806 | 0x8035) => {
                self.network = data;
                if data.get(2..6) == Some(&[8, 0, 6, 4]) {
                    (self.source, self.target) = (v4(data, 14), v4(data, 24));
                }
            }
            _ => {}
        }
    }

    /// IP without a link before it: its version stands in itself.
    fn unlinked(&mut self, data: &'a [u8]) {
        if let Some(first) = data.first() {
            self.ip(data, first >> 4);
        }
    }

    fn ip(&mut self, data: &'a [u8], version: u8) {
        let Some(first) = data.first() else { return };
        self.network = data;
        match version {
            4 => {
                (self.version, self.ether_type) = (Some(4), Some(0x0800));
                self.proto = data.get(9).copied();
                (self.source, self.target) = (v4(data, 12), v4(data, 16));
                let is_first = u16_at(data, 6).is_some_and(|f| f & 0x1fff == 0);
                let header = usize::from(first & 15) * 4;
                self.transport = data.get(header..).filter(|_| is_first);
            }
            6 => {
                (self.version, self.ether_type) = (Some(6), Some(0x86dd));
                self.proto = data.get(6).copied();
                let addr = |at: usize| data.get(at..at + 16).and_then(|a| a.try_into().ok());
                (self.source, self.target) = (addr(8), addr(24));
                self.fragment = data.get(40).copied().filter(|_| self.proto == Some(FRAGMENT));
                // As libpcap, which looks for ports behind no extension header.
                self.transport = data.get(40..);
            }
            _ => return,
        }
        if matches!(self.proto, Some(6 | 17 | 132)) {
            self.ports = self.transport.and_then(|t| u16_at(t, 0).zip(u16_at(t, 2)));
        }
    }

    pub(super) fn is_of(&self, family: Family) -> bool {
        match family {
            Family::Any => true,
            Family::V4 => self.version == Some(4),
            Family::V6 => self.version == Some(6),
            Family::Arp => matches!(self.ether_type, Some(0x0806 | 0x8035)),
            Family::Link => false,
        }
    }

    pub(super) fn header(&self, layer: Layer) -> Option<&'a [u8]> {
        match layer {
            Layer::Link => Some(self.link),
            Layer::V4 => Some(self.network).filter(|_| self.version == Some(4)),
            Layer::V6 => Some(self.network).filter(|_| self.version == Some(6)),
            Layer::Arp => Some(self.network).filter(|_| self.is_of(Family::Arp)),
            // As libpcap: `tcp[13]` and the like ask IPv4 only, `icmp6[0]` IPv6.
            Layer::Transport(proto) => {
                let version = if proto == ICMPV6 { 6 } else { 4 };
                self.transport.filter(|_| self.proto == Some(proto) && self.version == Some(version))
            }
        }
    }
}

fn u16_at(data: &[u8], at: usize) -> Option<u16> {
    data.get(at..at + 2).and_then(|b| b.try_into().ok()).map(u16::from_be_bytes)
}

/// An IPv4 address in the last four of sixteen bytes, after those that stand before it in an IPv6 address that maps it.
fn v4(data: &[u8], at: usize) -> Option<[u8; 16]> {
    let mut addr = [0; 16];
    addr[10..12].copy_from_slice(&[0xff, 0xff]);
    addr[12..].copy_from_slice(data.get(at..at + 4)?);
    Some(addr)
}
