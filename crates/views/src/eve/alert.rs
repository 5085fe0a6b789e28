//! `alert` events, from findings: one for the last revision of each, as Suricata writes the alert of a signature.

use gwcore::{Ends, Finding, Names, Severity};

use super::head;
use crate::bind::CommunityId;
use crate::text::{self, Clock};

/// Generator id of our alerts: Suricata's own are 1 (rules), 2 and 3 (decoder and stream events).
pub const GID: u32 = 7_300;

/// Suricata's scale: 1 is the gravest, 3 the least; 4 stands for a fact.
fn severity(of: Severity) -> u64 {
    match of {
        Severity::Critical | Severity::High => 1,
        Severity::Medium => 2,
        Severity::Low => 3,
        Severity::Info => 4,
    }
}

/// Appends the event of one finding; `number` is the fixed number of its detector.
pub(super) fn write(
    to: &mut Vec<u8>,
    f: &Finding,
    number: u32,
    names: Names<'_>,
    community_id: CommunityId,
    clock: &mut Clock,
) {
    to.extend_from_slice(b"{\"timestamp\":");
    text::quoted(to, |to| clock.eve(to, f.ts));
    let mut members = Vec::new();
    let split = head::flow_members(&mut members, &ends(f), Some(&f.flow), names, community_id);
    let (first, second) = members.split_at(split);
    to.extend_from_slice(first);
    if let Some(packet) = f.packets.first() {
        to.extend_from_slice(b",\"pcap_cnt\":");
        text::uint(to, packet.frame);
    }
    to.extend_from_slice(b",\"event_type\":\"alert\"");
    to.extend_from_slice(second);
    to.extend_from_slice(b",\"alert\":{\"action\":\"allowed\",\"gid\":");
    text::uint(to, u64::from(GID));
    to.extend_from_slice(b",\"signature_id\":");
    text::uint(to, u64::from(number));
    to.extend_from_slice(b",\"rev\":");
    text::uint(to, u64::from(f.rev));
    string(to, ",\"signature\":", &f.title);
    string(to, ",\"category\":", f.detector);
    to.extend_from_slice(b",\"severity\":");
    text::uint(to, severity(f.severity));
    string(to, ",\"metadata\":{\"finding_id\":[", &f.id);
    string(to, "],\"detector\":[", f.detector);
    string(to, "],\"severity\":[", f.severity.name());
    to.push(b']');
    if !f.attack.is_empty() {
        list(to, ",\"mitre_technique_id\":", f.attack.iter(), |to, id| text::json_string(to, id));
    }
    to.extend_from_slice(b"}}");
    let is_layer = matches!(f.proto, "" | "tcp" | "udp" | "icmp" | "icmpv6" | "ip" | "arp" | "ethernet");
    if !is_layer {
        string(to, ",\"app_proto\":", if f.proto == "ssl" { "tls" } else { f.proto });
    }
    ours(to, f, clock);
    to.extend_from_slice(b"}\n");
}

/// What Suricata has no place for: the sentence, how often, until when, and every packet.
fn ours(to: &mut Vec<u8>, f: &Finding, clock: &mut Clock) {
    string(to, ",\"gridwarden\":{\"why\":", &f.why);
    to.extend_from_slice(b",\"count\":");
    text::uint(to, f.count);
    to.extend_from_slice(b",\"ts_end\":");
    text::quoted(to, |to| clock.eve(to, f.ts_end));
    for (key, party) in [(",\"src\":", &f.src), (",\"dst\":", &f.dst)] {
        if let Some(name) = party.name.as_ref().or(party.asset.as_ref()) {
            string(to, key, name);
        }
    }
    list(to, ",\"packets\":", f.packets.iter(), |to, p| {
        string(to, "{\"file\":", &p.file);
        to.extend_from_slice(b",\"frame\":");
        text::uint(to, p.frame);
        to.push(b'}');
    });
    to.push(b'}');
}

/// The ends of the first conversation, who did it before the other, whoever opened it.
pub(crate) fn ends(f: &Finding) -> Ends {
    let is = |party: &Option<String>, text: String| party.as_ref().is_some_and(|p| *p == text);
    let flow = &f.flow;
    let swap = if flow.src.is_none() && flow.dst.is_none() {
        is(&f.src.mac, flow.dst_mac.to_string())
    } else {
        is(&f.src.ip, flow.dst.to_string())
    };
    Ends::of(flow, swap)
}

fn string(to: &mut Vec<u8>, key: &str, value: &str) {
    to.extend_from_slice(key.as_bytes());
    text::json_string(to, value);
}

fn list<T>(to: &mut Vec<u8>, key: &str, items: impl Iterator<Item = T>, mut write: impl FnMut(&mut Vec<u8>, T)) {
    to.extend_from_slice(key.as_bytes());
    to.push(b'[');
    for (i, item) in items.enumerate() {
        if i > 0 {
            to.push(b',');
        }
        write(to, item);
    }
    to.push(b']');
}
