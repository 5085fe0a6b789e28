//! What a fact says in terms of the baseline: the same reading for whoever learns and whoever compares.

use gwcore::{Addr, Body, Fact, FlowConst, OpClass, PointId, Sample};

use super::Class;
use crate::fold::{End, ends};

/// Protocols that reach primary equipment.
pub(crate) const UTILITY: &[&str] = &["modbus", "dnp3", "iec104", "goose", "s7comm"];
/// Protocols that give the side that asks the role of a master.
pub(crate) const MASTERED: [&str; 2] = ["dnp3", "iec104"];
/// Stands for every address of the internet, where who exactly says little.
pub(crate) const INTERNET: Addr = Addr([0xfe; 16]);
/// Server ports from here on are given out at random (IANA, RFC 6335 §6).
pub(crate) const DYNAMIC: u16 = 49_152;
/// EtherTypes that say nothing about conversations: LLC, ARP, LLDP.
const CHATTER: &[u16] = &[0, 0x0806, 0x88cc];

/// One thing that can be known or new.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Thing {
    pub(crate) class: Class,
    /// Client or source, then server or commanded device.
    pub(crate) from: End,
    pub(crate) to: End,
    pub(crate) proto: &'static str,
    pub(crate) word: &'static str,
    pub(crate) n: (u32, u32),
}

/// An end as keys have it: its IP address, else its MAC.
pub(crate) fn who(end: &End) -> Addr {
    if end.addr.is_none() { end.mac.padded() } else { end.addr }
}

impl Thing {
    /// The two addresses of its key.
    pub(crate) fn pair(&self) -> (Addr, Addr) {
        match self.class {
            Class::Device => (who(&self.from), Addr::NONE),
            Class::Service | Class::Point => (Addr::NONE, place(&self.to, self.proto)),
            _ => (place(&self.from, self.proto), place(&self.to, self.proto)),
        }
    }
}

fn place(end: &End, proto: &str) -> Addr {
    if end.addr.is_internet() && !end.addr.is_none() && !UTILITY.contains(&proto) { INTERNET } else { who(end) }
}

/// Whether an operation changes the plant or a device, rather than reading or keeping house.
pub(crate) fn is_command(class: OpClass) -> bool {
    matches!(
        class,
        OpClass::Select
            | OpClass::Control
            | OpClass::SetPoint
            | OpClass::Parameter
            | OpClass::Restart
            | OpClass::Mode
            | OpClass::Download
            | OpClass::Delete
    )
}

/// Gives everything that a fact says.
pub(crate) fn things(fact: &Fact, flow: &FlowConst, give: &mut dyn FnMut(Thing)) {
    let (sender, receiver) = ends(fact, flow);
    match &fact.body {
        Body::Tick { .. } | Body::TimeBreak { .. } | Body::Gap { .. } | Body::Anomaly { .. } => {}
        Body::FlowStart => device(sender, give),
        Body::Claim { addr, mac, source } if *source != "lldp" => {
            device(End { mac: *mac, addr: *addr, port: None }, give)
        }
        Body::FlowEnd { state, packets, bytes, service, .. } => {
            if packets[1] > 0 {
                device(receiver, give);
            }
            if service.is_empty() && *state != "REJ" {
                unknown_protocol(flow, (sender, receiver), (state, *packets, *bytes), give);
            }
        }
        // Who serves is told by the ports of a usual connection; of another its end tells.
        Body::Unread if flow.src_port > flow.dst_port => {
            unknown_protocol(flow, (sender, receiver), ("", [1, 1], [1, 1]), give);
        }
        Body::Service { proto, server_is_responder } => {
            let (orig, resp) = if fact.flow.reversed() { (receiver, sender) } else { (sender, receiver) };
            let (from, to) = if *server_is_responder { (orig, resp) } else { (resp, orig) };
            conversation((from, to), proto, give);
            let port = to.port.filter(|p| *p < DYNAMIC);
            if let (Some(port), false) = (port, to.addr.is_multicast()) {
                give(Thing { class: Class::Service, from, to, proto, word: "", n: (u32::from(port), 0) });
            }
        }
        Body::Op(op) if !op.is_answer => {
            let thing = |class, word, n| Thing { class, from: sender, to: receiver, proto: op.proto, word, n };
            conversation((sender, receiver), op.proto, give);
            give(thing(Class::Function, op.name, (u32::from(op.function), 0)));
            if has_masters(op.proto) {
                give(thing(Class::Master, "", (0, 0)));
            }
            if is_command(op.class) {
                give(thing(Class::Command, "", (0, 0)));
                if let Some(p) = op.point {
                    give(thing(Class::Control, p.table, (p.unit, p.address)));
                }
            }
        }
        Body::Sample(s) if UTILITY.contains(&s.proto) => sample(s, (sender, receiver), give),
        _ => {}
    }
}

/// Whether a protocol gives the side that asks the role of a master.
pub(crate) fn has_masters(proto: &str) -> bool {
    MASTERED.contains(&proto)
}

/// An end as a device: its MAC address, then its IP address where that is one of the site.
pub(super) fn device(end: End, give: &mut dyn FnMut(Thing)) {
    if end.mac.is_group() || end.addr.is_multicast() {
        return;
    }
    let thing = |from| Thing { class: Class::Device, from, to: from, proto: "", word: "", n: (0, 0) };
    if !end.mac.is_none() {
        give(thing(End { addr: Addr::NONE, ..end }));
    }
    if end.addr.is_v4() && end.addr.is_local() && end.addr != Addr::v4([0; 4]) {
        give(thing(End { mac: gwcore::Mac::NONE, ..end }));
    }
}

fn conversation((from, to): (End, End), proto: &'static str, give: &mut dyn FnMut(Thing)) {
    give(Thing { class: Class::Conversation, from, to, proto, word: "", n: (0, 0) });
}

/// A flow whose protocol was not recognised is known by its transport and the server's port.
fn unknown_protocol(
    flow: &FlowConst,
    (a, b): (End, End),
    (state, packets, bytes): (&str, [u64; 2], [u64; 2]),
    give: &mut dyn FnMut(Thing),
) {
    let (proto, ports) = match flow.ip_proto {
        6 => ("tcp", true),
        17 => ("udp", true),
        1 | 58 => ("icmp", false),
        0 if flow.src.is_none() && !CHATTER.contains(&flow.src_port) => ("ethernet", false),
        0 => return,
        _ => ("ip", false),
    };
    // A connection over which nothing was said is no conversation.
    let answered = packets[0] > 0 && packets[1] > 0 && (proto != "tcp" || bytes[0].saturating_add(bytes[1]) > 0);
    if ports && !answered && !b.addr.is_multicast() {
        return;
    }
    // Picked up in its middle, or without an order of its own: the lower port serves.
    let turned = ports && flow.src_port < flow.dst_port && (proto == "udp" || state == "OTH");
    let (from, to) = if turned { (b, a) } else { (a, b) };
    let number = match (ports, to.port) {
        (true, Some(p)) if p < DYNAMIC => u32::from(p),
        (true, _) => 0,
        (false, _) if proto == "ethernet" => u32::from(flow.src_port),
        (false, _) => u32::from(flow.ip_proto),
    };
    give(Thing { class: Class::Conversation, from, to, proto, word: "", n: (number, 0) });
    if ports && number != 0 && answered && !to.addr.is_multicast() {
        give(Thing { class: Class::Service, from, to, proto, word: "", n: (number, 0) });
    }
}

fn sample(s: &Sample, (sender, receiver): (End, End), give: &mut dyn FnMut(Thing)) {
    // Nobody asks a publisher: what it sends is all that says that the conversation goes on.
    if receiver.addr.is_multicast() || (receiver.addr.is_none() && receiver.mac.is_group()) {
        conversation((sender, receiver), s.proto, give);
    }
    let PointId { table, unit, address } = s.point;
    let (from, to) = if s.write { (sender, receiver) } else { (receiver, sender) };
    let thing = |class| Thing { class, from, to, proto: s.proto, word: table, n: (unit, address) };
    give(thing(Class::Point));
    if s.write {
        give(thing(Class::Control));
    }
}
