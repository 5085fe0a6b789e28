//! The ordered stage's first step: what several workers emitted in one batch becomes one stream in the order of the input.

use gwcore::{Fact, FlowRef, Out};

/// Merges the outs of one batch; each is in order of its keys, and keys are unique across workers but for parent and child rows of different
/// kinds.
pub(crate) fn merge(outs: &[Out], into: &mut Out) {
    let mut bases = Vec::with_capacity(outs.len());
    for out in outs {
        bases.push(into.flows.len() as u32);
        into.flows.extend_from_slice(&out.flows);
        into.hits.add(&out.hits);
    }
    let mut slots: Vec<usize> = outs.iter().flat_map(|o| o.kinds()).map(|k| k.kind().slot()).collect();
    slots.sort_unstable();
    slots.dedup();
    for slot in slots {
        merge_kind(outs, slot, &bases, into);
    }
    merge_facts(outs, &bases, into);
}

fn merge_kind(outs: &[Out], slot: usize, bases: &[u32], into: &mut Out) {
    let rows: Vec<_> = outs.iter().zip(bases).filter_map(|(o, b)| o.rows(slot).map(|r| (r, *b))).collect();
    let mut at = vec![0; rows.len()];
    loop {
        let next = rows
            .iter()
            .zip(&at)
            .enumerate()
            .filter_map(|(i, ((r, _), n))| r.stamps().get(*n).map(|s| (s.key, i)))
            .min();
        let Some((_, i)) = next else { return };
        let (from, base) = rows[i];
        into.append_row(from, at[i], base);
        at[i] += 1;
    }
}

fn merge_facts(outs: &[Out], bases: &[u32], into: &mut Out) {
    let from = into.facts.len();
    for (out, base) in outs.iter().zip(bases) {
        let moved = out.facts.iter().map(|f| Fact { flow: FlowRef(f.flow.0 + base * 2), ..f.clone() });
        into.facts.extend(moved);
    }
    into.facts[from..].sort_by_key(|f| f.key);
}
