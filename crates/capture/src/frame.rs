//! A frame as it was captured: bytes of one link-layer frame with its time and its place in the input.

use gwcore::Ts;

/// Link types that can be read (values of the pcap LINKTYPE registry, <https://www.tcpdump.org/linktypes.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkType(pub u16);

impl LinkType {
    /// BSD loopback: a four-byte address family in the byte order of the writing host.
    pub const NULL: LinkType = LinkType(0);
    /// Ethernet.
    pub const ETHERNET: LinkType = LinkType(1);
    /// PPP, with or without the HDLC address and control bytes.
    pub const PPP: LinkType = LinkType(9);
    /// Raw IP as some BSDs number it.
    pub const RAW_BSD: LinkType = LinkType(12);
    /// Raw IP as OpenBSD numbers it.
    pub const RAW_OPENBSD: LinkType = LinkType(14);
    /// PPP in HDLC-like framing.
    pub const PPP_HDLC: LinkType = LinkType(50);
    /// Raw IP, version from the first nibble.
    pub const RAW: LinkType = LinkType(101);
    /// Cisco HDLC: its four-byte header, or PPP where the line changed to that.
    pub const CISCO_HDLC: LinkType = LinkType(104);
    /// Frame relay.
    pub const FRAME_RELAY: LinkType = LinkType(107);
    /// IEEE 802.11 (wireless LAN).
    pub const IEEE802_11: LinkType = LinkType(105);
    /// Radiotap, a header of the receiver before IEEE 802.11.
    pub const RADIOTAP: LinkType = LinkType(127);
    /// OpenBSD loopback: address family in network byte order.
    pub const LOOP: LinkType = LinkType(108);
    /// Linux cooked capture v1.
    pub const LINUX_SLL: LinkType = LinkType(113);
    /// IPv4 without a link header.
    pub const IPV4: LinkType = LinkType(228);
    /// IPv6 without a link header.
    pub const IPV6: LinkType = LinkType(229);
    /// Linux netfilter log: a packet inside named values.
    pub const NFLOG: LinkType = LinkType(239);
    /// RTAC serial: a 12-byte header before the bytes of a serial line.
    pub const RTAC_SERIAL: LinkType = LinkType(250);
    /// Linux cooked capture v2.
    pub const LINUX_SLL2: LinkType = LinkType(276);
}

/// One captured frame, borrowed from the reader's block.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Place in the merged input, from 0. Orders everything that follows.
    pub seq: u64,
    /// When it was captured.
    pub ts: Ts,
    /// Index of its file in the list of inputs.
    pub file: u32,
    /// Number in its file as Wireshark counts, from 1, across pcapng sections.
    pub number: u64,
    /// Index in the list of interfaces of the input.
    pub interface: u32,
    /// How `data` begins.
    pub link: LinkType,
    /// Length on the wire in bytes; at least `data.len()`.
    pub wire_len: u32,
    /// The captured bytes.
    pub data: &'a [u8],
}
