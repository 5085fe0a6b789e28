//! The ordered stage's first step: what several workers emitted becomes one stream in the order of the input.

use gwcore::{Fact, FlowRef, Out};

/// What a worker emitted in a batch or a part of one.
pub(crate) struct Part {
    pub(crate) out: Out,
    /// All that it emits up to this step is here or came before.
    pub(crate) upto: u64,
    /// Rows by the slot of their kind, and facts, that are merged already.
    rows: Vec<usize>,
    facts: usize,
}

impl Part {
    pub(crate) fn new(out: Out, upto: u64) -> Part {
        Part { out, upto, rows: Vec::new(), facts: 0 }
    }
}

/// Merges what parts, one of each worker, hold up to a step. Each is in order of its keys, and keys are unique across workers but for parent
/// and child rows of different kinds.
pub(crate) fn merge(parts: &mut [&mut Part], upto: u64, into: &mut Out) {
    let mut bases = Vec::with_capacity(parts.len());
    for part in parts.iter_mut() {
        bases.push(into.flows.len() as u32);
        into.flows.extend_from_slice(&part.out.flows);
        into.hits.add(&std::mem::take(&mut part.out.hits));
    }
    let mut slots: Vec<usize> = parts.iter().flat_map(|p| p.out.kinds()).map(|k| k.kind().slot()).collect();
    slots.sort_unstable();
    slots.dedup();
    for slot in slots {
        merge_kind(parts, slot, upto, &bases, into);
    }
    merge_facts(parts, upto, &bases, into);
}

fn merge_kind(parts: &mut [&mut Part], slot: usize, upto: u64, bases: &[u32], into: &mut Out) {
    let mut at: Vec<usize> = parts.iter().map(|p| p.rows.get(slot).copied().unwrap_or(0)).collect();
    let rows: Vec<_> = parts.iter().map(|p| p.out.rows(slot)).collect();
    loop {
        let next = rows
            .iter()
            .zip(&at)
            .enumerate()
            .filter_map(|(i, (r, n))| r.and_then(|r| r.stamps().get(*n)).map(|s| (s.key, i)))
            .filter(|(key, _)| key.step <= upto)
            .min();
        let Some((_, i)) = next else { break };
        if let Some(from) = rows[i] {
            into.append_row(from, at[i], bases[i]);
        }
        at[i] += 1;
    }
    for (part, at) in parts.iter_mut().zip(at).filter(|(_, at)| *at > 0) {
        if part.rows.len() <= slot {
            part.rows.resize(slot + 1, 0);
        }
        part.rows[slot] = at;
    }
}

fn merge_facts(parts: &mut [&mut Part], upto: u64, bases: &[u32], into: &mut Out) {
    let from = into.facts.len();
    for (part, base) in parts.iter_mut().zip(bases) {
        let left = part.out.facts.get(part.facts..).unwrap_or_default();
        let due = left.partition_point(|f| f.key.step <= upto);
        let moved = left.iter().take(due).map(|f| Fact { flow: FlowRef(f.flow.0 + base * 2), ..f.clone() });
        into.facts.extend(moved);
        part.facts += due;
    }
    into.facts[from..].sort_by_key(|f| f.key);
}
