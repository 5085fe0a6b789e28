//! NetFlow 9 (RFC 3954) and IPFIX (RFC 7011): messages of sets, whose records only a template describes.

use std::collections::{HashMap, VecDeque};

use gwcore::Ts;
use gwcore::time::MILLI;

use super::elements::Draft;
use super::{Domain, Exported, Fault, be16, be32};

/// Templates kept of a domain; a further one takes the place of the one that was told longest ago.
const TEMPLATES: usize = 1_024;
/// Fields of a template at most; RFC 7011 sets no limit, exporters stay below a hundred.
const FIELDS: usize = 512;
/// Data sets that wait for their template, and bytes of all of them.
const WAITING: usize = 64;
const WAITING_BYTES: usize = 256 << 10;
/// Samplers and applications kept of a domain.
const NAMED: usize = 4_096;
const VARIABLE: u16 = 0xffff;

/// A data set that waits for its template.
#[derive(Debug)]
struct Unread {
    id: u16,
    body: Vec<u8>,
    header: Header,
}

#[derive(Clone, Copy, Debug, Default)]
struct Header {
    exported: Ts,
    /// The exporter's uptime in milliseconds (NetFlow 9 only).
    uptime: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Field {
    id: u16,
    len: u16,
    enterprise: u32,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Template {
    fields: Vec<Field>,
    /// Fields at its front that say what options are about; none in a template of flows.
    scopes: Option<usize>,
    /// Bytes of the shortest record.
    shortest: usize,
    told: u64,
}

/// What a domain told of its records.
#[derive(Default)]
pub(super) struct Templates {
    by_id: HashMap<u16, Template>,
    told: u64,
    waiting: VecDeque<Unread>,
    samplers: HashMap<u64, u32>,
    /// Rate told for the whole domain.
    rate: Option<u32>,
    applications: HashMap<u64, String>,
    system_init: Option<Ts>,
}

impl Templates {
    fn put(&mut self, id: u16, template: Template) {
        if self.by_id.len() >= TEMPLATES && !self.by_id.contains_key(&id) {
            let oldest = self.by_id.iter().min_by_key(|(id, t)| (t.told, **id)).map(|(id, _)| *id);
            if let Some(oldest) = oldest {
                self.by_id.remove(&oldest);
            }
        }
        self.told += 1;
        self.by_id.insert(id, Template { told: self.told, ..template });
    }

    fn wait(&mut self, unread: Unread) -> bool {
        let bytes: usize = self.waiting.iter().map(|u| u.body.len()).sum();
        if self.waiting.len() >= WAITING || bytes + unread.body.len() > WAITING_BYTES {
            return false;
        }
        self.waiting.push_back(unread);
        true
    }
}

/// Flows of a message.
type Decoded = Result<(Option<Ts>, Vec<Exported>), Fault>;

pub(super) fn netflow9(b: &[u8], state: &mut Domain) -> Decoded {
    let short = || Fault::Short;
    let uptime = be32(b, 4).ok_or_else(short)?;
    let exported = Ts::from_parts(i64::from(be32(b, 8).ok_or_else(short)?), 0);
    let sequence = be32(b, 12).ok_or_else(short)?;
    let sets = b.get(20..).ok_or_else(short)?;
    state.sequence(sequence, 1);
    let header = Header { exported, uptime: Some(uptime) };
    let mut flows = Vec::new();
    each_set(sets, state, &mut |id, body, state| match id {
        0 => templates(body, false, false, state),
        1 => templates(body, true, false, state),
        _ => data(id, body, header, state, &mut flows),
    });
    late(state, &mut flows);
    Ok((Some(exported), flows))
}

pub(super) fn ipfix(b: &[u8], state: &mut Domain) -> Decoded {
    let short = || Fault::Short;
    let length = usize::from(be16(b, 2).ok_or_else(short)?);
    let exported = Ts::from_parts(i64::from(be32(b, 4).ok_or_else(short)?), 0);
    let sequence = be32(b, 8).ok_or_else(short)?;
    let sets = b.get(16..length).ok_or(Fault::Inconsistent("length of the message"))?;
    let header = Header { exported, uptime: None };
    let before = state.counters.flows_and_options();
    let mut flows = Vec::new();
    each_set(sets, state, &mut |id, body, state| match id {
        2 => templates(body, false, true, state),
        3 => templates(body, true, true, state),
        _ => data(id, body, header, state, &mut flows),
    });
    // The number counts data records, those of this message not yet among them. Sets that wait cannot be counted, so nothing is said then.
    let waits = !state.templates.waiting.is_empty();
    let here = state.counters.flows_and_options() - before + flows.len() as u64;
    match waits {
        false => state.sequence(sequence, here as u32),
        true => state.next = None,
    }
    late(state, &mut flows);
    Ok((Some(exported), flows))
}

impl super::Counters {
    fn flows_and_options(&self) -> u64 {
        self.options + self.not_ip
    }
}

fn each_set(mut sets: &[u8], state: &mut Domain, give: &mut dyn FnMut(u16, &[u8], &mut Domain)) {
    while sets.len() >= 4 {
        let (Some(id), Some(len)) = (be16(sets, 0), be16(sets, 2)) else { return };
        let len = usize::from(len);
        let Some(body) = sets.get(4..len) else {
            state.counters.malformed += 1;
            return;
        };
        give(id, body, state);
        sets = sets.get(len..).unwrap_or_default();
    }
}

fn templates(mut b: &[u8], options: bool, is_ipfix: bool, state: &mut Domain) {
    // What is left is padding.
    while b.len() >= 4 {
        let (Some(id), Some(second)) = (be16(b, 0), be16(b, 2)) else { return };
        if id < 256 {
            state.counters.malformed += u64::from(id != 0 || second != 0);
            return;
        }
        if is_ipfix && second == 0 {
            state.templates.by_id.remove(&id);
            b = b.get(4..).unwrap_or_default();
            continue;
        }
        let (count, scopes, mut at) = match (options, is_ipfix) {
            (false, _) => (usize::from(second), None, 4),
            // NetFlow 9 counts bytes, IPFIX fields.
            (true, false) => {
                let options = usize::from(be16(b, 4).unwrap_or(0));
                (usize::from(second) / 4 + options / 4, Some(usize::from(second) / 4), 6)
            }
            (true, true) => (usize::from(second), Some(usize::from(be16(b, 4).unwrap_or(0))), 6),
        };
        let mut template = Template { scopes, ..Template::default() };
        let mut whole = count <= FIELDS && count > 0;
        for _ in 0..count.min(FIELDS) {
            let (Some(first), Some(len)) = (be16(b, at), be16(b, at + 2)) else {
                whole = false;
                break;
            };
            at += 4;
            let mut field = Field { id: first, len, enterprise: 0 };
            if is_ipfix && first & 0x8000 != 0 {
                let Some(enterprise) = be32(b, at) else {
                    whole = false;
                    break;
                };
                at += 4;
                field = Field { id: first & 0x7fff, len, enterprise };
            }
            template.shortest += if len == VARIABLE && is_ipfix { 1 } else { usize::from(len) };
            template.fields.push(field);
        }
        if !whole || template.shortest == 0 {
            state.counters.malformed += 1;
            return;
        }
        state.counters.templates += 1;
        state.templates.put(id, template);
        b = b.get(at..).unwrap_or_default();
    }
}

fn data(id: u16, body: &[u8], header: Header, state: &mut Domain, flows: &mut Vec<Exported>) {
    if id < 256 {
        state.counters.malformed += 1;
        return;
    }
    let Some(template) = state.templates.by_id.get(&id).cloned() else {
        match state.templates.wait(Unread { id, body: body.to_vec(), header }) {
            true => state.counters.waited += 1,
            false => state.counters.no_template += 1,
        }
        return;
    };
    let mut rest = body;
    while rest.len() >= template.shortest {
        let mut draft = Draft::default();
        let is_ipfix = header.uptime.is_none();
        match record(rest, &template, is_ipfix, &mut draft) {
            Some(after) => rest = after,
            None => {
                state.counters.malformed += 1;
                return;
            }
        }
        match template.scopes {
            Some(_) => options(draft, state),
            None => match whole(draft, header, &state.templates) {
                Some(flow) => flows.push(flow),
                None => state.counters.not_ip += 1,
            },
        }
    }
}

/// Data sets whose template has come since.
fn late(state: &mut Domain, flows: &mut Vec<Exported>) {
    let waiting = std::mem::take(&mut state.templates.waiting);
    for unread in waiting {
        match state.templates.by_id.contains_key(&unread.id) {
            true => data(unread.id, &unread.body, unread.header, state, flows),
            false => state.templates.waiting.push_back(unread),
        }
    }
}

/// Reads one record; gives what follows it.
fn record<'a>(b: &'a [u8], template: &Template, is_ipfix: bool, draft: &mut Draft) -> Option<&'a [u8]> {
    let mut at = 0_usize;
    for (i, field) in template.fields.iter().enumerate() {
        let mut len = usize::from(field.len);
        if field.len == VARIABLE && is_ipfix {
            len = usize::from(*b.get(at)?);
            at += 1;
            if len == 255 {
                len = usize::from(be16(b, at)?);
                at += 2;
            }
        }
        let value = b.get(at..at.checked_add(len)?)?;
        at += len;
        // In NetFlow 9 the scope of options has numbers of its own.
        let is_scope = template.scopes.is_some_and(|s| i < s);
        if !is_scope || is_ipfix {
            draft.field(field.enterprise, field.id, value);
        }
    }
    b.get(at..)
}

fn options(d: Draft, state: &mut Domain) {
    state.counters.options += 1;
    let t = &mut state.templates;
    let rate = match (d.interval, d.space) {
        // So many packets taken, then so many left out (RFC 5477 §8.2).
        (Some(taken), Some(left)) if taken > 0 => {
            Some((taken.saturating_add(left) / taken).clamp(1, u64::from(u32::MAX)) as u32)
        }
        (Some(interval), None) => Some(interval.clamp(1, u64::from(u32::MAX)) as u32),
        _ => None,
    };
    match (d.sampler, rate) {
        (Some(sampler), Some(rate)) if t.samplers.len() < NAMED || t.samplers.contains_key(&sampler) => {
            t.samplers.insert(sampler, rate);
        }
        (None, Some(rate)) => t.rate = Some(rate),
        _ => {}
    }
    if let (Some(id), Some(name)) = (d.application_id, d.application_name)
        && (t.applications.len() < NAMED || t.applications.contains_key(&id))
    {
        t.applications.insert(id, name);
    }
    if d.system_init.is_some() {
        t.system_init = d.system_init;
    }
}

fn whole(d: Draft, header: Header, t: &Templates) -> Option<Exported> {
    if !d.has_src || !d.has_dst {
        return None;
    }
    let mut f = d.flow;
    // Some exporters give totals, some name both sides of a conversation; deltas win.
    let first = |a: u64, more: [Option<u64>; 2]| if a > 0 { a } else { more.into_iter().flatten().next().unwrap_or(0) };
    f.raw.0 = first(f.raw.0, [d.total.0, d.initiator.0]);
    f.raw.1 = first(f.raw.1, [d.total.1, d.initiator.1]);
    let rate = match (d.interval, d.sampler.and_then(|s| t.samplers.get(&s)), t.rate) {
        (Some(i), ..) => i.clamp(1, u64::from(u32::MAX)) as u32,
        (None, Some(rate), _) => *rate,
        (None, None, Some(rate)) => rate,
        _ => 1,
    };
    f.sampling = rate.max(1);
    let scaled = |n: u64| n.saturating_mul(u64::from(f.sampling));
    (f.bytes, f.packets) = (scaled(f.raw.0), scaled(f.raw.1));
    let reverse = (d.reverse.0.or(d.responder.0), d.reverse.1.or(d.responder.1));
    if reverse.0.is_some() || reverse.1.is_some() {
        f.reverse = Some((scaled(reverse.0.unwrap_or(0)), scaled(reverse.1.unwrap_or(0))));
    }
    let uptime = |ms: u32| match (header.uptime, d.system_init.or(t.system_init)) {
        (Some(now), _) => Some(header.exported.plus(-i64::from(now.wrapping_sub(ms) as i32) * MILLI)),
        (None, Some(init)) => Some(init.plus(i64::from(ms) * MILLI)),
        (None, None) => None,
    };
    f.start = f.start.or_else(|| uptime(d.start_uptime?));
    f.end = f.end.or_else(|| uptime(d.end_uptime?));
    let ago = |us: u64| header.exported.plus(-(i64::try_from(us).unwrap_or(i64::MAX).saturating_mul(1_000)));
    f.start = f.start.or_else(|| d.start_delta_us.map(ago));
    f.end = f.end.or_else(|| d.end_delta_us.map(ago));
    let lasted = d.duration_ms.map(|ms| i64::try_from(ms).unwrap_or(i64::MAX).saturating_mul(MILLI));
    match (f.start, f.end, lasted) {
        (Some(s), None, Some(l)) => f.end = Some(s.plus(l)),
        (None, Some(e), Some(l)) => f.start = Some(e.plus(-l)),
        _ => {}
    }
    if matches!(f.proto, 1 | 58) {
        let (ty, code) = (d.icmp_type, d.icmp_code);
        match ty {
            Some(ty) => (f.src_port, f.dst_port) = (ty.into(), code.unwrap_or(0).into()),
            // Type and code within the destination port, as in version 5.
            None => (f.src_port, f.dst_port) = (f.dst_port >> 8, f.dst_port & 0xff),
        }
    }
    f.application = d.application_id.and_then(|id| t.applications.get(&id).cloned()).or(d.application_name);
    Some(f)
}
