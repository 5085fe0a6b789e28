//! sFlow version 5: samples of packets, not flows; those of one message that belong to one conversation are added up.

use gwcore::{Addr, Mac, Ts};

use super::{Domain, Exported, Fault, be16, be32, v4};

/// Samples in a message and records in a sample that are looked at.
const MOST: u32 = 512;

/// The agent's sub-agent, mixed with nothing: the agent's address stands in the message but the exporter is who sent it.
pub(super) fn domain(b: &[u8]) -> Option<u32> {
    let at = match be32(b, 4)? {
        1 => 12,
        2 => 24,
        _ => return None,
    };
    be32(b, at)
}

pub(super) fn decode(b: &[u8], state: &mut Domain) -> Result<(Option<Ts>, Vec<Exported>), Fault> {
    let mut at = match be32(b, 4) {
        Some(1) => 12,
        Some(2) => 24,
        _ => return Err(Fault::Inconsistent("address type of the agent")),
    };
    let sequence = be32(b, at + 4).ok_or(Fault::Short)?;
    let samples = be32(b, at + 12).ok_or(Fault::Short)?;
    at += 16;
    state.sequence(sequence, 1);
    let mut flows: Vec<Exported> = Vec::new();
    for _ in 0..samples.min(MOST) {
        let (Some(format), Some(len)) = (be32(b, at), be32(b, at + 4)) else {
            state.counters.malformed += 1;
            break;
        };
        let body = usize::try_from(len).ok().and_then(|len| b.get(at + 8..at.checked_add(8)?.checked_add(len)?));
        let Some(body) = body else {
            state.counters.malformed += 1;
            break;
        };
        match format {
            1 => sample(body, false, state, &mut flows),
            3 => sample(body, true, state, &mut flows),
            2 | 4 => state.counters.counter_samples += 1,
            // Other formats, as of dropped packets (5), are no flows.
            _ => state.counters.not_ip += 1,
        }
        at += 8 + body.len();
    }
    Ok((None, flows))
}

fn sample(b: &[u8], expanded: bool, state: &mut Domain, flows: &mut Vec<Exported>) {
    // Sequence, source (one word or two), rate, pool, drops, interfaces (one word each or two), number of records.
    let (rate_at, in_at, out_at, count_at) = if expanded { (12, 28, 36, 40) } else { (8, 20, 24, 28) };
    let (Some(rate), Some(count)) = (be32(b, rate_at), be32(b, count_at)) else {
        state.counters.malformed += 1;
        return;
    };
    // The top bits of a short interface tell of its form; 0 is "an interface".
    let interface = |at: usize| be32(b, at).map_or(0, |i| if expanded { i } else { i & 0x3fff_ffff });
    let mut flow =
        Exported { sampling: rate.max(1), ingress: interface(in_at), egress: interface(out_at), ..Exported::default() };
    let mut at = count_at + 4;
    let mut found = false;
    for _ in 0..count.min(MOST) {
        let (Some(format), Some(len)) = (be32(b, at), be32(b, at + 4)) else { break };
        let body = usize::try_from(len).ok().and_then(|len| b.get(at + 8..at.checked_add(8)?.checked_add(len)?));
        let Some(body) = body else {
            state.counters.malformed += 1;
            break;
        };
        match format {
            1 => found |= header(body, &mut flow),
            3 if !found => found |= ip4(body, &mut flow),
            1_001 => flow.vlan = be32(body, 0).map_or(flow.vlan, |v| (v & 0xfff) as u16),
            _ => {}
        }
        at += 8 + body.len();
    }
    if !found {
        state.counters.not_ip += 1;
        return;
    }
    let rate = u64::from(flow.sampling);
    (flow.bytes, flow.packets) = (flow.raw.0.saturating_mul(rate), flow.raw.1.saturating_mul(rate));
    let same = |f: &&mut Exported| {
        (f.src, f.dst, f.src_port, f.dst_port, f.proto)
            == (flow.src, flow.dst, flow.src_port, flow.dst_port, flow.proto)
            && (f.ingress, f.sampling) == (flow.ingress, flow.sampling)
    };
    match flows.iter_mut().find(same) {
        Some(f) => {
            f.bytes = f.bytes.saturating_add(flow.bytes);
            f.packets = f.packets.saturating_add(flow.packets);
            f.raw = (f.raw.0.saturating_add(flow.raw.0), f.raw.1.saturating_add(flow.raw.1));
            f.tcp_flags |= flow.tcp_flags;
        }
        None => flows.push(flow),
    }
}

/// Sampled IPv4 data: length, protocol, addresses, ports, flags, type of service.
fn ip4(b: &[u8], f: &mut Exported) -> bool {
    let words = |at: usize| be32(b, at);
    let (Some(len), Some(proto), Some(src), Some(dst)) = (words(0), words(4), v4(b, 8), v4(b, 12)) else {
        return false;
    };
    (f.src, f.dst, f.proto) = (src, dst, proto as u8);
    (f.src_port, f.dst_port) = (words(16).unwrap_or(0) as u16, words(20).unwrap_or(0) as u16);
    f.tcp_flags = words(24).unwrap_or(0) as u16;
    f.tos = words(28).unwrap_or(0) as u8;
    f.raw = (len.into(), 1);
    true
}

/// The first bytes of a packet.
fn header(b: &[u8], f: &mut Exported) -> bool {
    let (Some(protocol), Some(frame), Some(len)) = (be32(b, 0), be32(b, 4), be32(b, 12)) else { return false };
    let Some(p) = usize::try_from(len).ok().and_then(|len| b.get(16..16_usize.checked_add(len)?)) else { return false };
    let (mut at, link) = match protocol {
        1 => {
            let mac = |at: usize| p.get(at..at + 6).and_then(|m| m.try_into().ok()).map(Mac).unwrap_or_default();
            (f.dst_mac, f.src_mac) = (mac(0), mac(6));
            let mut at = 12;
            while let Some(0x8100 | 0x88a8) = be16(p, at) {
                f.vlan = be16(p, at + 2).unwrap_or(0) & 0xfff;
                at += 4;
                if at > 24 {
                    return false;
                }
            }
            (at + 2, at + 2)
        }
        11 | 12 => (0, 0),
        _ => return false,
    };
    // Lengths are those of the IP packet, as other exporters count them.
    let ip_bytes = u64::from(frame).saturating_sub(link as u64);
    match p.get(at).map(|b| b >> 4) {
        Some(4) => {
            let (Some(src), Some(dst), Some(proto)) = (v4(p, at + 12), v4(p, at + 16), p.get(at + 9)) else {
                return false;
            };
            (f.src, f.dst, f.proto) = (src, dst, *proto);
            f.tos = p.get(at + 1).copied().unwrap_or(0);
            let is_first = be16(p, at + 6).is_some_and(|o| o & 0x1fff == 0);
            let total = be16(p, at + 2).map_or(ip_bytes, u64::from);
            f.raw = (if total > 0 { total } else { ip_bytes }, 1);
            let ihl = usize::from(p.get(at).copied().unwrap_or(0) & 0xf) * 4;
            if !is_first || ihl < 20 {
                return true;
            }
            at += ihl;
        }
        Some(6) => {
            let addr = |at: usize| p.get(at..at + 16).and_then(|a| a.try_into().ok()).map(Addr);
            let (Some(src), Some(dst), Some(proto)) = (addr(at + 8), addr(at + 24), p.get(at + 6)) else {
                return false;
            };
            (f.src, f.dst, f.proto) = (src, dst, *proto);
            f.raw = (be16(p, at + 4).map_or(ip_bytes, |n| u64::from(n) + 40), 1);
            at += 40;
        }
        _ => return false,
    }
    match f.proto {
        6 | 17 | 132 => {
            (f.src_port, f.dst_port) = (be16(p, at).unwrap_or(0), be16(p, at + 2).unwrap_or(0));
            if f.proto == 6 {
                f.tcp_flags = p.get(at + 13).copied().unwrap_or(0).into();
            }
        }
        1 | 58 => {
            (f.src_port, f.dst_port) =
                (p.get(at).copied().unwrap_or(0).into(), p.get(at + 1).copied().unwrap_or(0).into());
        }
        _ => {}
    }
    true
}
