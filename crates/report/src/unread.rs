//! What no parser read, by protocol and port with its registered name, and how much of the payload was read to its content.

use std::collections::BTreeMap;

use gwcore::{Body, Fact, FlowConst, Numbered, registered};
use serde::Serialize;

use crate::terminal::{bytes, number};

/// Rows kept; further numbers are counted together.
const ROWS: usize = 4_096;

/// Payload of one protocol and port that no parser read.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct UnreadRow {
    /// `tcp`, `udp`, `ethertype`, `ip`; `other` for what stands together because there were too many.
    pub protocol: &'static str,
    /// Port of the side that serves, EtherType or IP protocol number.
    pub port: u16,
    /// The protocol that it is registered for; empty where none is known here.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub registered: &'static str,
    /// Registered for a utility protocol, or recognised as one.
    pub utility: bool,
    /// The innermost protocol that was recognised: `cotp` where ISO transport was read and what it carries was not.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub recognised: &'static str,
    /// Why: `no_parser`, `not_understood` (a parser took a part, or lost its position), `encrypted`.
    pub why: &'static str,
    /// Conversations with such payload.
    pub conversations: u64,
    /// Packets with payload that was not read.
    pub packets: u64,
    /// Bytes of payload that were not read.
    pub bytes: u64,
}

impl UnreadRow {
    /// `tcp/44818, registered for EtherNet/IP: 953 packets`.
    pub fn say(&self) -> String {
        format!("{}: {}", self.place(), packets(self.packets))
    }

    /// `tcp/44818, registered for EtherNet/IP`.
    pub fn place(&self) -> String {
        let number = match self.protocol {
            "tcp" => Numbered::Tcp.say(self.port),
            "udp" => Numbered::Udp.say(self.port),
            "ethertype" => Numbered::EtherType.say(self.port),
            "ip" => Numbered::Ip.say(self.port),
            _ => "other ports".to_owned(),
        };
        let name =
            if self.registered.is_empty() { String::new() } else { format!(", registered for {}", self.registered) };
        let note = match (self.why, self.recognised) {
            ("encrypted", _) => " (encrypted)".to_owned(),
            (_, "") => String::new(),
            ("not_understood", service) => format!(" ({service}, in part)"),
            (_, service) => format!(" (read as far as {})", service.to_uppercase()),
        };
        format!("{number}{name}{note}")
    }
}

/// `1 packet`, `953 packets`.
pub(crate) fn packets(n: u64) -> String {
    if n == 1 { "1 packet".to_owned() } else { format!("{} packets", number(n)) }
}

/// How much of the payload was read to its content.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ReadToContent {
    /// Packets with payload, a stream's segments counted once.
    pub payload_packets: u64,
    /// Bytes of payload.
    pub payload_bytes: u64,
    /// Of those packets: read to their content.
    pub packets: u64,
    /// Of those bytes: read to their content.
    pub bytes: u64,
}

impl ReadToContent {
    /// `Read to its content: 1,204 of 2,157 packets with payload (57.3 kB of 98.1 kB).`
    pub fn say(&self) -> String {
        let Self { payload_packets, payload_bytes, packets, bytes: read } = *self;
        if payload_packets == 0 {
            return "No packet with payload was seen.".to_owned();
        }
        if packets == payload_packets && read == payload_bytes {
            return format!("Read to its content: all of {} with payload ({}).", self::packets(packets), bytes(read));
        }
        format!(
            "Read to its content: {} of {} with payload ({} of {}).",
            number(packets),
            self::packets(payload_packets),
            bytes(read),
            bytes(payload_bytes)
        )
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    kind: Option<Numbered>,
    port: u16,
    recognised: &'static str,
    why: &'static str,
}

/// Counts while facts pass by.
#[derive(Default)]
pub struct Unread {
    rows: BTreeMap<Key, [u64; 3]>,
    read: ReadToContent,
}

impl Unread {
    /// Takes a fact in.
    pub fn fact(&mut self, fact: &Fact, flow: &FlowConst) {
        let Body::Content { came, unread, service } = fact.body else { return };
        let (why, unread) = match service {
            "tls" => ("encrypted", came),
            "" | "tpkt" | "cotp" => ("no_parser", unread),
            _ => ("not_understood", unread),
        };
        self.read.payload_packets += came[0];
        self.read.payload_bytes += came[1];
        // A parser that looks at a message twice may count it twice.
        let unread = [unread[0].min(came[0]), unread[1].min(came[1])];
        self.read.packets += came[0] - unread[0];
        self.read.bytes += came[1] - unread[1];
        if unread[1] == 0 {
            return;
        }
        let (kind, port) = place(flow);
        let mut key = Key { kind: Some(kind), port, recognised: service, why };
        if self.rows.len() >= ROWS && !self.rows.contains_key(&key) {
            key = Key { kind: None, port: 0, recognised: "", why: "no_parser" };
        }
        let row = self.rows.entry(key).or_default();
        row[0] += 1;
        row[1] += unread[0];
        row[2] += unread[1];
    }

    /// Rows, utility protocols first, then by packets; and the figure of what was read.
    pub fn finish(&self) -> (Vec<UnreadRow>, ReadToContent) {
        let mut rows: Vec<UnreadRow> = self.rows.iter().map(|(key, counts)| row(*key, *counts)).collect();
        rows.sort_by(|a, b| {
            let order = |r: &UnreadRow| (!r.utility, std::cmp::Reverse(r.packets), r.protocol, r.port);
            order(a).cmp(&order(b))
        });
        (rows, self.read.clone())
    }
}

fn row(key: Key, [conversations, packets, bytes]: [u64; 3]) -> UnreadRow {
    let found = key.kind.and_then(|kind| registered(kind, key.port));
    UnreadRow {
        protocol: key.kind.map_or("other", Numbered::name),
        port: key.port,
        registered: found.map_or("", |r| r.name),
        utility: found.is_some_and(|r| r.utility) || crate::html::is_utility(key.recognised),
        recognised: key.recognised,
        why: key.why,
        conversations,
        packets,
        bytes,
    }
}

/// The number by which a conversation is to be named: the port of the side that answers, or, where that says nothing, a registered one of the
/// other side (the capture may have begun within the session).
fn place(flow: &FlowConst) -> (Numbered, u16) {
    let kind = match flow.ip_proto {
        _ if flow.src.is_none() => return (Numbered::EtherType, flow.src_port),
        6 => Numbered::Tcp,
        17 => Numbered::Udp,
        n => return (Numbered::Ip, u16::from(n)),
    };
    let turned = registered(kind, flow.dst_port).is_none() && registered(kind, flow.src_port).is_some();
    (kind, if turned { flow.src_port } else { flow.dst_port })
}

#[cfg(test)]
mod tests {
    use gwcore::{Addr, FlowRef, Key as Place, Ts};

    use super::*;

    fn told(ends: &[(u8, u16, u16, &'static str, [u64; 2], [u64; 2])]) -> (Vec<UnreadRow>, ReadToContent) {
        let mut all = Unread::default();
        for (ip_proto, src_port, dst_port, service, came, unread) in ends.iter().copied() {
            let [src, dst] =
                if ip_proto == 0 { [Addr::NONE; 2] } else { [Addr::v4([10, 0, 0, 1]), Addr::v4([10, 0, 0, 2])] };
            let flow = FlowConst { src, dst, ip_proto, src_port, dst_port, ..FlowConst::default() };
            let body = Body::Content { came, unread, service };
            all.fact(&Fact { key: Place::default(), ts: Ts(0), frame: 1, flow: FlowRef(0), body }, &flow);
        }
        all.finish()
    }

    #[test]
    fn what_no_parser_took_is_named_by_its_registered_port_utility_first() {
        let (rows, read) = told(&[
            (6, 40_000, 1_883, "", [20, 900], [20, 900]),
            (6, 40_001, 44_818, "", [9, 500], [9, 500]),
            // Seen from its middle: the PLC spoke first.
            (6, 44_818, 40_002, "", [4, 100], [4, 100]),
            (0, 0x88ba, 0, "", [30, 3_000], [30, 3_000]),
            (6, 40_003, 102, "cotp", [12, 700], [10, 600]),
            (6, 40_004, 502, "modbus", [50, 600], [0, 0]),
            (6, 40_005, 802, "tls", [8, 1_000], [0, 0]),
        ]);
        let said: Vec<String> = rows.iter().map(UnreadRow::say).collect();
        let want = [
            "ethertype 0x88ba, registered for sampled values (IEC 61850): 30 packets",
            "tcp/44818, registered for EtherNet/IP: 13 packets",
            "tcp/102, registered for ISO transport (MMS, ICCP/TASE.2, S7comm) (read as far as COTP): 10 packets",
            "tcp/802, registered for Modbus/TCP Security (encrypted): 8 packets",
            "tcp/1883, registered for MQTT: 20 packets",
        ];
        assert_eq!(said, want);
        assert_eq!((read.payload_packets, read.packets), (133, 133 - 20 - 13 - 30 - 10 - 8));
        assert_eq!((read.payload_bytes, read.bytes), (6_800, 700));
        assert!(rows.iter().take(4).all(|r| r.utility) && !rows[4].utility);
    }

    #[test]
    fn a_parser_that_lost_its_place_leaves_a_rest() {
        let (rows, read) = told(&[(6, 40_000, 502, "modbus", [10, 100], [2, 20])]);
        assert_eq!(rows[0].say(), "tcp/502, registered for Modbus (modbus, in part): 2 packets");
        assert_eq!(read.say(), "Read to its content: 8 of 10 packets with payload (80 bytes of 100 bytes).");
        assert_eq!(told(&[]).1.say(), "No packet with payload was seen.");
    }

    #[test]
    fn rows_are_bounded() {
        let ends: Vec<_> = (0..u16::MAX).map(|port| (6, 1, port, "", [1, 1], [1, 1])).collect();
        let (rows, read) = told(&ends);
        assert!(rows.len() <= ROWS + 1);
        assert_eq!(rows.iter().map(|r| r.packets).sum::<u64>(), u64::from(u16::MAX));
        assert_eq!(read.packets, 0);
    }
}
