//! Anomalies of packets that belong to no flow: fragments of datagrams that are not whole. Rows are folded by the fragments' addresses.

use std::collections::BTreeMap;

use gwcore::{Addr, Detail, FlowConst, Limit, Limits, Out};
use packet::{Incomplete, Packet};
use proto::{At, Carrier, Cx, Effects, Folds};

/// Shard in the keys of these rows: after all the shards, since fragments are put together before a shard is chosen.
pub(crate) const BEYOND: u8 = crate::worker::SHARDS;

type Pair = (Addr, Addr);

/// Counts by sender and receiver; at most `pair_states` of them, then the oldest is settled and forgotten.
#[derive(Default)]
pub(crate) struct Strays {
    pairs: BTreeMap<Pair, Counts>,
    births: BTreeMap<u64, Pair>,
    born: u64,
    /// Place of the latest row.
    step: u64,
    sub: u32,
}

struct Counts {
    folds: Folds,
    constant: FlowConst,
    last: At,
}

impl Strays {
    /// A row, or one more in a count, at `step` of the input.
    pub(crate) fn tell(
        &mut self,
        (step, p): (u64, &Packet),
        (reason, words): (&'static str, &str),
        (limits, detail): (&Limits, Detail),
        out: &mut Out,
    ) {
        if step != self.step {
            (self.step, self.sub) = (step, 0);
        }
        let pair = (p.src, p.dst);
        if !self.pairs.contains_key(&pair) {
            while self.pairs.len() >= limits.get(Limit::PairStates) {
                out.hits.hit(Limit::PairStates);
                self.forget_oldest(limits, detail, out);
            }
            self.born += 1;
            self.births.insert(self.born, pair);
        }
        let fresh = || Counts { folds: Folds::default(), constant: flow::constant_of(p), last: At::default() };
        let counts = self.pairs.entry(pair).or_insert_with(fresh);
        counts.last = At { ts: p.ts, frame: p.number, file: p.file, step, shard: BEYOND };
        counts.with(&mut self.sub, (limits, detail), out, |cx| cx.anomaly("packet", reason, words.as_bytes()));
    }

    /// Writes all counts, at `step`.
    pub(crate) fn finish(&mut self, step: u64, limits: &Limits, detail: Detail, out: &mut Out) {
        (self.step, self.sub) = (step, 0);
        while !self.births.is_empty() {
            self.forget_oldest(limits, detail, out);
        }
    }

    fn forget_oldest(&mut self, limits: &Limits, detail: Detail, out: &mut Out) {
        let Some((_, pair)) = self.births.pop_first() else { return };
        let Some(mut counts) = self.pairs.remove(&pair) else { return };
        counts.last.step = self.step;
        counts.with(&mut self.sub, (limits, detail), out, |cx| cx.flush_folds());
    }
}

impl Counts {
    fn with(&mut self, sub: &mut u32, (limits, detail): (&Limits, Detail), out: &mut Out, f: impl FnOnce(&mut Cx<'_>)) {
        self.constant.file = self.last.file;
        let index = u32::try_from(out.flows.len()).unwrap_or(u32::MAX);
        out.flows.push(self.constant);
        let mut effects = Effects::default();
        let flow = (&self.constant, index);
        f(&mut Cx::new(
            self.last,
            Carrier::Datagram,
            flow,
            (limits, detail),
            (out, sub),
            (&mut self.folds, &mut effects),
        ));
    }
}

/// What is known of a datagram that did not become whole, in words.
pub(crate) fn particulars(i: &Incomplete) -> String {
    let of = match i.whole {
        Some(whole) => format!("{} of {whole} bytes", i.bytes),
        None => format!("{} bytes without the last fragment", i.bytes),
    };
    let fragments = if i.fragments == 1 { "fragment" } else { "fragments" };
    format!("{} {fragments}, {of}: {}", i.fragments, i.reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gwcore::LimitHits;

    /// The packet of a fragment from 10.0.0.`n`.
    fn fragment(n: u8) -> Packet {
        let mut decoder = packet::Decoder::new(&Limits::default(), packet::Options::default(), 1);
        let mut ip = [0u8; 48];
        ip[..24].copy_from_slice(&[0x45, 0, 0, 28, 0, n, 0x20, 0, 64, 17, 0, 0, 10, 0, 0, n, 10, 0, 0, 99, 1, 2, 3, 4]);
        let frame = capture::Frame {
            seq: n.into(),
            ts: gwcore::Ts(0),
            file: 0,
            number: n.into(),
            interface: 0,
            link: capture::LinkType::RAW,
            wire_len: 28,
            data: &ip[..28],
        };
        let decoded = decoder.decode(&frame);
        assert_eq!(decoded.outcome, packet::Outcome::Fragment);
        decoded.packet
    }

    /// Rows and facts after fragments of these senders, under a limit of pairs.
    fn run(senders: &[u8], pairs: usize) -> (usize, usize, LimitHits) {
        let (mut strays, mut out, mut limits) = (Strays::default(), Out::default(), Limits::default());
        limits.set(Limit::PairStates, pairs);
        for (i, n) in senders.iter().enumerate() {
            strays.tell(
                (i as u64 * 2 + 1, &fragment(*n)),
                ("fragment_incomplete", ""),
                (&limits, Detail::Summary),
                &mut out,
            );
        }
        strays.finish(1_000, &limits, Detail::Summary, &mut out);
        assert!(strays.pairs.is_empty() && strays.births.is_empty());
        let rows: Vec<_> = out.kinds().iter().flat_map(|k| k.stamps().to_vec()).collect();
        assert!(rows.is_sorted_by_key(|s| s.key) && rows.iter().all(|s| s.key.shard == BEYOND));
        (rows.len(), out.facts.len(), out.hits)
    }

    #[test]
    fn rows_of_one_pair_are_folded_after_eight() {
        assert_eq!(run(&[1; 8], 10).0, 8);
        let (rows, facts, _) = run(&[1; 20], 10);
        assert_eq!((rows, facts), (9, 20));
        assert_eq!(run(&[[1; 8], [2; 8]].concat(), 10).0, 16);
    }

    #[test]
    fn the_oldest_pair_is_forgotten_at_the_limit() {
        let many: Vec<u8> = [[1; 9], [2; 9], [3; 9]].concat();
        let (rows, _, hits) = run(&many, 3);
        assert_eq!((rows, hits.count(Limit::PairStates)), (27, 0));
        let (rows, _, hits) = run(&[many, vec![1; 9]].concat(), 2);
        assert_eq!((rows, hits.count(Limit::PairStates)), (36, 2));
    }
}
