//! What link and network chatter says about devices: ARP, neighbour discovery, LLDP, STP, ICMP and IGMP become facts, not records.

use gwcore::{Addr, Body};
use packet::{Packet, Transport, arp, icmp, lldp, nd, stp};
use proto::Cx;

/// EtherType of ARP.
const ARP: u16 = 0x0806;
/// ARP operation of a question.
const REQUEST: u16 = 1;
/// EtherType of LLDP.
const LLDP: u16 = 0x88cc;
/// LLC service access point of the spanning tree.
const STP_SAP: u8 = 0x42;

/// A frame without IP; whether it is of a kind that is read here.
pub(crate) fn link(p: &Packet, data: &[u8], cx: &mut Cx<'_>) -> bool {
    match p.link.ethertype {
        ARP => from_arp(p, data, cx),
        LLDP => from_lldp(p, data, cx),
        0 if p.link.llc == [STP_SAP; 2] => from_stp(data, cx),
        _ => return false,
    }
    true
}

fn from_arp(p: &Packet, data: &[u8], cx: &mut Cx<'_>) {
    let Some(arp) = arp::parse(data) else { return cx.anomaly("arp", "malformed", b"") };
    if arp.sender_mac != p.link.src && !p.link.src.is_none() {
        cx.anomaly("arp", "sender_differs_from_frame", b"");
    }
    if !arp.sender_ip.is_none() && arp.sender_ip != Addr::v4([0; 4]) {
        cx.fact(Body::Claim { addr: arp.sender_ip, mac: arp.sender_mac, source: "arp" });
    }
    if arp.op == REQUEST && arp.target_ip != arp.sender_ip {
        cx.fact(Body::Asked { addr: arp.target_ip });
    }
}

fn from_stp(data: &[u8], cx: &mut Cx<'_>) {
    let Some(bpdu) = stp::parse(data) else { return };
    cx.fact(Body::Role("switch"));
    if let Some(config) = bpdu.config {
        let value = format!("{}/{}", config.root.priority, config.root.mac).into();
        cx.fact(Body::Stated { proto: "stp", field: "root", value });
    }
}

fn from_lldp(p: &Packet, data: &[u8], cx: &mut Cx<'_>) {
    let Some(lldp) = lldp::parse(data) else { return cx.anomaly("lldp", "malformed", b"") };
    // Some switches send the zero byte that ends their text too.
    let text = |b: &[u8]| Box::from(String::from_utf8_lossy(b).trim_end_matches('\0'));
    if let Some(name) = lldp.system_name {
        cx.fact(Body::Name { addr: Addr::NONE, mac: p.link.src, name: text(name), source: "lldp" });
    }
    if let Some(description) = lldp.system_description {
        cx.fact(Body::Identity { field: "description", value: text(description), source: "lldp" });
    }
    if let Some(addr) = lldp.management {
        cx.fact(Body::Claim { addr, mac: p.link.src, source: "lldp" });
    }
}

/// An IP packet that is neither TCP nor UDP; whether it is of a kind that is read here.
pub(crate) fn network(p: &Packet, data: &[u8], cx: &mut Cx<'_>) -> bool {
    let Transport::Icmp { kind, .. } = p.transport else { return false };
    if p.src.is_v4() {
        if let Some(gateway) = icmp::redirect_gateway(kind, data) {
            cx.anomaly("icmp", "redirect", gateway.to_string().as_bytes());
        }
    } else if let Some(nd) = nd::parse(kind, data) {
        from_nd(p, nd, cx);
    }
    true
}

fn from_nd(p: &Packet, nd: nd::Nd, cx: &mut Cx<'_>) {
    match nd.message {
        nd::Message::RouterAdvertisement { .. } => cx.fact(Body::Role("router")),
        nd::Message::NeighborAdvertisement { target, .. } => {
            if let Some(mac) = nd.target_link {
                cx.fact(Body::Claim { addr: target, mac, source: "nd" });
            }
        }
        nd::Message::NeighborSolicitation { .. } => {
            if let (Some(mac), false) = (nd.source_link, p.src.is_none()) {
                cx.fact(Body::Claim { addr: p.src, mac, source: "nd" });
            }
        }
        nd::Message::Redirect { .. } => cx.anomaly("icmp6", "redirect", b""),
        nd::Message::RouterSolicitation => {}
    }
}
