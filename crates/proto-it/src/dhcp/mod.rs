//! DHCP for IPv4 and BOOTP (RFC 2131, 2132, 951): one row per message, and who got which address.
//!
//! A message is complete in itself: nothing waits, no state grows. Exchanges go through several flows (broadcast, relays), so messages
//! are tied by their transaction id where they are looked at, not here.

mod parse;
mod record;
pub mod table;
#[cfg(test)]
mod tests;

pub use record::{DhcpColumns, DhcpRow};

use gwcore::{Addr, Body, Mac, Span};
use parse::{FIXED, Message, fqdn, until_trailing_zeros};
use proto::{Carrier, Cx, Dir, Hint, Parser, Probe, Step};

/// Port of servers and relays.
const SERVER: u16 = 67;
/// Port of clients.
const CLIENT: u16 = 68;

/// The parser of one flow.
#[derive(Default)]
pub struct Dhcp {
    started: bool,
    role_said: bool,
}

impl Parser for Dhcp {
    const NAME: &'static str = "dhcp";
    const CARRIERS: &'static [Carrier] = &[Carrier::Datagram];

    /// A defined operation, a hardware address that fits its field, and the port; elsewhere (PXE on 4011) all options must be right.
    fn probe(head: &[u8], hint: &Hint) -> Probe {
        let [1..=2, htype @ 1..=255, hlen @ 0..=16, 0..=16, ..] = *head else { return Probe::No };
        if head.len() < FIXED || (htype == 1 && hlen != 6) {
            return Probe::No;
        }
        if hint.port(SERVER) || hint.port(CLIENT) {
            return Probe::Certain;
        }
        let whole = Message::parse(head).is_some_and(|m| m.fault.is_none() && m.byte(53).is_some());
        if whole { Probe::Certain } else { Probe::No }
    }

    fn feed(&mut self, dir: Dir, data: &[u8], cx: &mut Cx<'_>) -> Step {
        let Some(message) = Message::parse(data) else {
            cx.anomaly(Self::NAME, "short_message", data);
            return Step::Done;
        };
        if !std::mem::replace(&mut self.started, true) && message.is_reply == (dir == Dir::Orig) {
            cx.server_is_originator();
        }
        if let Some(reason) = message.fault {
            cx.anomaly(Self::NAME, reason, b"");
        }
        self.facts(&message, cx);
        emit(&message, cx);
        Step::Done
    }
}

impl Dhcp {
    /// Leases, names and kinds of devices. What is said of the sender counts only when no relay agent has sent the message on.
    fn facts(&mut self, message: &Message<'_>, cx: &mut Cx<'_>) {
        let [ciaddr, yiaddr, _, giaddr] = message.addrs.map(some);
        let (mac, source) = (mac(message), "dhcp");
        let addr = yiaddr.filter(|_| message.is_reply).or(ciaddr);
        let is_ack = message.byte(53) == Some(table::ACK);
        if let (true, Some(addr), Some(mac)) = (is_ack, addr, mac) {
            cx.fact(Body::Claim { addr, mac, source });
        }
        if (is_ack || !message.is_reply)
            && (mac.is_some() || addr.is_some())
            && let Some(name) = message.text(12)
        {
            let (addr, mac) = (addr.unwrap_or(Addr::NONE), mac.unwrap_or(Mac::NONE));
            cx.fact(Body::Name { addr, mac, name: String::from_utf8_lossy(name).into(), source });
        }
        if giaddr.is_none()
            && !message.is_reply
            && let Some(class) = message.text(60)
        {
            cx.fact(Body::Identity { field: "vendor_class", value: String::from_utf8_lossy(class).into(), source });
        }
        let from_server = message.is_reply && (giaddr.is_none() || cx.dst_port() != CLIENT);
        if from_server && !std::mem::replace(&mut self.role_said, true) {
            cx.fact(Body::Role("dhcp_server"));
        }
    }
}

/// The client's MAC address, where its hardware address is one.
fn mac(message: &Message<'_>) -> Option<Mac> {
    let (1, address) = message.hardware else { return None };
    address.try_into().ok().map(Mac)
}

/// 0.0.0.0 stands for no address.
fn some(addr: Addr) -> Option<Addr> {
    (addr.as_v4() != Some([0; 4])).then_some(addr)
}

/// Text of a fixed field ends at its first zero byte.
fn fixed_text(field: &[u8]) -> Option<&[u8]> {
    field.split(|b| *b == 0).next().filter(|t| !t.is_empty())
}

fn emit(m: &Message<'_>, cx: &mut Cx<'_>) {
    let [client_addr, assigned_addr, next_server, relay_addr] = m.addrs.map(some);
    let fqdn = m.option(81).and_then(fqdn);
    cx.emit(DhcpRow {
        is_reply: m.is_reply,
        msg_type: m.byte(53).and_then(table::message_name),
        msg_type_code: m.byte(53),
        trans_id: m.xid,
        mac: mac(m),
        client_chaddr: Some(m.hardware.1).filter(|a| !a.is_empty()),
        client_addr,
        assigned_addr,
        server_addr: m.address(54),
        next_server,
        relay_addr,
        requested_addr: m.address(50),
        host_name: m.text(12),
        client_fqdn: fqdn.as_deref(),
        domain: m.text(15),
        lease_time: m.number(51).map(|s| Span(i64::from(s).saturating_mul(gwcore::time::SECOND))),
        subnet_mask: m.address(1),
        router: &m.addresses(3),
        dns_servers: &m.addresses(6),
        ntp_servers: &m.addresses(42),
        vendor_class: m.text(60),
        client_id: m.option(61),
        param_list: m.option(55).unwrap_or_default(),
        message: m.text(56),
        boot_server: m.text(66).or(fixed_text(m.sname)),
        boot_file: m.text(67).or(fixed_text(m.file)),
        circuit_id: m.relay_option(1).map(until_trailing_zeros),
        agent_remote_id: m.relay_option(2).map(until_trailing_zeros),
        subscriber_id: m.relay_option(6).map(until_trailing_zeros),
        secs: m.secs,
        broadcast: m.flags & 0x8000 != 0,
    });
}
