//! The fields that every record carries before its own: stated once, derived from the stamp and the constants of the flow.

use crate::{Addr, DataType, Field, FlowConst, Grain, Mac, Names, Out, Stamp, Ts, Uid};

const fn field(name: &'static str, ty: DataType, nullable: bool, doc: &'static str) -> Field {
    Field { name, ty, nullable, unit: "", doc }
}

/// The common fields in their order. Absent ones are null. For the grains `pdu` and `event`, and for children and points, `src` is
/// the sender of the record's frame; for `transaction` and `flow` it is the originator of the conversation.
pub static COMMON: [Field; 14] = [
    field("ts", DataType::Ts, false, "Packet time of the record, UTC."),
    field("uid", DataType::Text, true, "Conversation: C and 17 base-62 characters of a fixed hash."),
    field("src_ip", DataType::Addr, true, "IP address of the source; null without IP."),
    field("src_port", DataType::U16, true, "Port of the source; null without TCP, UDP, UDP-Lite, DCCP or SCTP."),
    field("dst_ip", DataType::Addr, true, "IP address of the destination; null without IP."),
    field("dst_port", DataType::U16, true, "Port of the destination; null without TCP, UDP, UDP-Lite, DCCP or SCTP."),
    field("src_mac", DataType::Mac, true, "MAC address of the source in the flow's first packet (IEEE 802)."),
    field("dst_mac", DataType::Mac, true, "MAC address of the destination in the flow's first packet (IEEE 802)."),
    field("vlan", DataType::U16, true, "Outer VLAN id (IEEE 802.1Q clause 9.6)."),
    field("inner_vlan", DataType::U16, true, "Inner VLAN id of a stacked tag (IEEE 802.1Q clause 9.6)."),
    field("ip_proto", DataType::U8, true, "IP protocol number (IANA protocol-numbers); null without IP."),
    field("file", DataType::Text, true, "Capture file as found under the path given."),
    field("frame", DataType::U64, true, "Number of the frame in its file, from 1, as Wireshark counts."),
    field("interface", DataType::Text, true, "Interface that the frame was seen on."),
];

/// The constants of a flow as one of its rows shows them: source and destination in the order of the row, absent values as none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ends {
    /// Conversation.
    pub uid: Option<Uid>,
    /// Source address.
    pub src_ip: Option<Addr>,
    /// Source port.
    pub src_port: Option<u16>,
    /// Destination address.
    pub dst_ip: Option<Addr>,
    /// Destination port.
    pub dst_port: Option<u16>,
    /// Source MAC.
    pub src_mac: Option<Mac>,
    /// Destination MAC.
    pub dst_mac: Option<Mac>,
    /// Outer VLAN id.
    pub vlan: Option<u16>,
    /// Inner VLAN id.
    pub inner_vlan: Option<u16>,
    /// IP protocol.
    pub ip_proto: Option<u8>,
    /// Index of the file in [`Names::files`].
    pub file: u32,
    /// Index of the interface in [`Names::interfaces`].
    pub interface: u32,
}

impl Ends {
    /// Of a flow; `swap` puts the responder first.
    pub fn of(flow: &FlowConst, swap: bool) -> Ends {
        let has_ip = !flow.src.is_none() || !flow.dst.is_none();
        let addr = |a: Addr| has_ip.then_some(a);
        let port = |p: u16| has_ports(flow.ip_proto).then_some(p);
        let mac = |m: Mac| (!m.is_none()).then_some(m);
        let vlan = |v: u16| (v != 0xffff).then_some(v);
        let (outer, inner) = (flow.vlans[0], flow.vlans[1]);
        let mut ends = Ends {
            uid: (flow.uid != Uid::default()).then_some(flow.uid),
            src_ip: addr(flow.src),
            src_port: port(flow.src_port),
            dst_ip: addr(flow.dst),
            dst_port: port(flow.dst_port),
            src_mac: mac(flow.src_mac),
            dst_mac: mac(flow.dst_mac),
            vlan: vlan(outer),
            inner_vlan: vlan(inner),
            ip_proto: (has_ip || flow.ip_proto != 0).then_some(flow.ip_proto),
            file: flow.file,
            interface: flow.interface,
        };
        if swap {
            std::mem::swap(&mut ends.src_ip, &mut ends.dst_ip);
            std::mem::swap(&mut ends.src_port, &mut ends.dst_port);
            std::mem::swap(&mut ends.src_mac, &mut ends.dst_mac);
        }
        ends
    }

    /// Of a row of a kind of this grain; all absent when the row has no flow.
    pub fn of_row(out: &Out, stamp: &Stamp, grain: Grain) -> Ends {
        Ends::of_index(out, stamp.flow.index(), stamp.flow.reversed() && grain.shows_sender())
    }

    /// Of a flow by its index; all absent when there is none.
    pub fn of_index(out: &Out, index: usize, swap: bool) -> Ends {
        match out.flows.get(index) {
            Some(flow) => Ends::of(flow, swap),
            None => Ends { file: u32::MAX, interface: u32::MAX, ..Ends::default() },
        }
    }

    /// Name of the file.
    pub fn file_name<'a>(&self, names: Names<'a>) -> Option<&'a str> {
        names.files.get(self.file as usize).map(String::as_str)
    }

    /// Name of the interface.
    pub fn interface_name<'a>(&self, names: Names<'a>) -> Option<&'a str> {
        names.interfaces.get(self.interface as usize).map(String::as_str)
    }
}

impl Grain {
    /// Whether the source of such a row is who sent its frame, rather than the originator of the conversation.
    pub fn shows_sender(self) -> bool {
        !matches!(self, Grain::Transaction | Grain::Flow)
    }
}

/// Whether the IP protocol has ports: TCP, UDP, DCCP, SCTP, UDP-Lite (IANA protocol-numbers).
pub fn has_ports(ip_proto: u8) -> bool {
    matches!(ip_proto, 6 | 17 | 33 | 132 | 136)
}

/// The frame of a stamp; none for 0.
pub fn frame_of(stamp: &Stamp) -> Option<u64> {
    (stamp.frame != 0).then_some(stamp.frame)
}

/// Whole microseconds of a moment and the nanoseconds beyond them, 0–999.
pub fn split_micros(ts: Ts) -> (i64, u16) {
    (ts.0.div_euclid(1_000), ts.0.rem_euclid(1_000) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow() -> FlowConst {
        FlowConst {
            uid: Uid(1),
            src: Addr::v4([10, 0, 0, 1]),
            dst: Addr::v4([10, 0, 0, 2]),
            src_port: 1024,
            dst_port: 502,
            src_mac: Mac([2, 0, 0, 0, 0, 1]),
            vlans: [7, 0xffff],
            ip_proto: 6,
            ..FlowConst::default()
        }
    }

    #[test]
    fn the_sender_comes_first_when_asked() {
        let (a, b) = (Ends::of(&flow(), false), Ends::of(&flow(), true));
        assert_eq!((a.src_ip, a.src_port, a.dst_port), (Some(flow().src), Some(1024), Some(502)));
        assert_eq!((b.src_ip, b.src_port, b.dst_port), (Some(flow().dst), Some(502), Some(1024)));
        assert_eq!((a.src_mac, b.dst_mac, a.dst_mac), (Some(flow().src_mac), Some(flow().src_mac), None));
        assert_eq!((a.vlan, a.inner_vlan), (Some(7), None));
        assert!(Grain::Pdu.shows_sender() && !Grain::Transaction.shows_sender() && !Grain::Flow.shows_sender());
    }

    #[test]
    fn what_is_absent_is_none() {
        let icmp = Ends::of(&FlowConst { ip_proto: 1, ..flow() }, false);
        assert_eq!((icmp.src_port, icmp.src_ip, icmp.ip_proto), (None, Some(flow().src), Some(1)));
        let goose = FlowConst { src: Addr::NONE, dst: Addr::NONE, ip_proto: 0, ..flow() };
        let goose = Ends::of(&goose, false);
        assert_eq!((goose.src_ip, goose.src_port, goose.ip_proto), (None, None, None));
        let unspecified = Ends::of(&FlowConst { src: Addr::NONE, ip_proto: 58, ..flow() }, false);
        assert_eq!(unspecified.src_ip, Some(Addr::NONE), "`::` is an address when the other side has one");
        assert_eq!(split_micros(Ts(-1)), (-1, 999));
    }
}
