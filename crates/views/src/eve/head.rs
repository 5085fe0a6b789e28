//! What every EVE event begins with; all but time, frame and type is the same for a flow.

use gwcore::{Ends, FlowConst, Names};

use crate::bind::CommunityId;
use crate::text;

/// Appends the members before and behind `pcap_cnt` and `event_type`; returns where the second part begins.
pub(super) fn flow_members(
    to: &mut Vec<u8>,
    ends: &Ends,
    flow: Option<&FlowConst>,
    names: Names<'_>,
    community_id: CommunityId,
) -> usize {
    if let Some(uid) = ends.uid {
        to.extend_from_slice(b",\"flow_id\":");
        text::uint(to, uid.flow_id());
    }
    if let Some(name) = ends.interface_name(names) {
        to.extend_from_slice(b",\"in_iface\":");
        text::json_string(to, name);
    }
    let split = to.len();
    vlans(to, ends);
    address(to, "src_ip", ends.src_ip);
    port(to, "src_port", ends.src_port);
    address(to, "dest_ip", ends.dst_ip);
    port(to, "dest_port", ends.dst_port);
    if let Some(proto) = ends.ip_proto {
        to.extend_from_slice(b",\"proto\":");
        transport(to, proto);
        let v4 = ends.src_ip.or(ends.dst_ip).is_some_and(|a| a.is_v4());
        to.extend_from_slice(if v4 { b",\"ip_v\":4" } else { b",\"ip_v\":6" });
    }
    if let (Some(1 | 58), Some(flow)) = (ends.ip_proto, flow) {
        to.extend_from_slice(b",\"icmp_type\":");
        text::uint(to, u64::from(flow.src_port));
    }
    if ends.src_ip.is_none() {
        ether(to, ends);
    }
    if let Some(name) = ends.file_name(names) {
        to.extend_from_slice(b",\"pcap_filename\":");
        text::json_string(to, name);
    }
    if let Some(id) = flow.filter(|_| ends.src_ip.is_some()).and_then(|f| community_id.text(f)) {
        to.extend_from_slice(b",\"community_id\":");
        text::json_string(to, &id);
    }
    split
}

fn vlans(to: &mut Vec<u8>, ends: &Ends) {
    let Some(outer) = ends.vlan else { return };
    to.extend_from_slice(b",\"vlan\":[");
    text::uint(to, u64::from(outer));
    if let Some(inner) = ends.inner_vlan {
        to.push(b',');
        text::uint(to, u64::from(inner));
    }
    to.push(b']');
}

fn address(to: &mut Vec<u8>, name: &str, value: Option<gwcore::Addr>) {
    if let Some(a) = value {
        key(to, name);
        text::quoted(to, |to| text::long_addr(to, a));
    }
}

fn port(to: &mut Vec<u8>, name: &str, value: Option<u16>) {
    if let Some(p) = value {
        key(to, name);
        text::uint(to, u64::from(p));
    }
}

/// The hardware addresses, where there is nothing else to tell who spoke.
fn ether(to: &mut Vec<u8>, ends: &Ends) {
    let (Some(src), Some(dst)) = (ends.src_mac, ends.dst_mac) else { return };
    to.extend_from_slice(b",\"ether\":{\"src_mac\":");
    text::quoted(to, |to| text::mac(to, src));
    to.extend_from_slice(b",\"dest_mac\":");
    text::quoted(to, |to| text::mac(to, dst));
    to.push(b'}');
}

fn key(to: &mut Vec<u8>, name: &str) {
    to.extend_from_slice(b",\"");
    to.extend_from_slice(name.as_bytes());
    to.extend_from_slice(b"\":");
}

/// Suricata's word for an IP protocol; the number in three digits where it has none.
fn transport(to: &mut Vec<u8>, proto: u8) {
    let name = match proto {
        1 => "ICMP",
        2 => "IGMP",
        6 => "TCP",
        17 => "UDP",
        47 => "GRE",
        50 => "ESP",
        51 => "AH",
        58 => "IPv6-ICMP",
        132 => "SCTP",
        _ => {
            let digits = [proto / 100, proto / 10 % 10, proto % 10].map(|d| b'0' + d);
            return text::quoted(to, |to| to.extend_from_slice(&digits));
        }
    };
    text::json_string(to, name);
}
