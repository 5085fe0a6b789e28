//! NetFlow version 5: fixed records of 48 bytes.

use gwcore::Ts;
use gwcore::time::MILLI;

use super::{Domain, Exported, Fault, be16, be32, v4};

const HEADER: usize = 24;
const RECORD: usize = 48;

/// Engine type and id together.
pub(super) fn domain(b: &[u8]) -> Option<u32> {
    be16(b, 20).map(u32::from)
}

pub(super) fn decode(b: &[u8], state: &mut Domain) -> Result<(Option<Ts>, Vec<Exported>), Fault> {
    let short = || Fault::Short;
    let count = usize::from(be16(b, 2).ok_or_else(short)?);
    let uptime = be32(b, 4).ok_or_else(short)?;
    let seconds = be32(b, 8).ok_or_else(short)?;
    let nanos = be32(b, 12).ok_or_else(short)?;
    let sequence = be32(b, 16).ok_or_else(short)?;
    let sampling = be16(b, 22).ok_or_else(short)?;
    if count == 0 || count > 30 || b.len() < HEADER + count * RECORD {
        return Err(Fault::Inconsistent("count and length of the message"));
    }
    state.sequence(sequence, count as u32);
    let exported = Ts::from_parts(i64::from(seconds), i64::from(nanos.min(999_999_999)));
    // The low 14 bits are the interval; 0 and 1 mean every packet.
    let rate = u32::from(sampling & 0x3fff).max(1);
    let mut flows = Vec::with_capacity(count);
    for r in b.get(HEADER..).unwrap_or_default().chunks_exact(RECORD).take(count) {
        let Some(flow) = record(r, exported, uptime, rate) else { return Err(Fault::Short) };
        flows.push(flow);
    }
    Ok((Some(exported), flows))
}

fn record(r: &[u8], exported: Ts, uptime: u32, rate: u32) -> Option<Exported> {
    // Both count milliseconds since the exporter's start and wrap after 49 days.
    let at = |ms: u32| exported.plus(-(i64::from(uptime.wrapping_sub(ms) as i32)).saturating_mul(MILLI));
    let (packets, bytes) = (u64::from(be32(r, 16)?), u64::from(be32(r, 20)?));
    let proto = *r.get(38)?;
    let (mut src_port, mut dst_port) = (be16(r, 32)?, be16(r, 34)?);
    if matches!(proto, 1 | 58) {
        (src_port, dst_port) = (dst_port >> 8, dst_port & 0xff);
    }
    Some(Exported {
        src: v4(r, 0)?,
        dst: v4(r, 4)?,
        next_hop: v4(r, 8)?,
        ingress: be16(r, 12)?.into(),
        egress: be16(r, 14)?.into(),
        packets: packets.saturating_mul(rate.into()),
        bytes: bytes.saturating_mul(rate.into()),
        raw: (bytes, packets),
        start: Some(at(be32(r, 24)?)),
        end: Some(at(be32(r, 28)?)),
        src_port,
        dst_port,
        tcp_flags: (*r.get(37)?).into(),
        proto,
        tos: *r.get(39)?,
        asn: (be16(r, 40)?.into(), be16(r, 42)?.into()),
        sampling: rate,
        ..Exported::default()
    })
}
