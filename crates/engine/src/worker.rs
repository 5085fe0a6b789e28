//! A worker owns whole shards and runs them over batches; with one thread it is called in place, without queues.

use capture::Loss;
use flow::Shard;
use gwcore::{Body, Detail, Fact, FlowConst, FlowRef, Key, LimitHits, Limits, Out, Ts};
use packet::{Anomalies, Packet};
use proto::At;

use crate::batch::Item;
use crate::bridge::{Bridge, FlowApp};
use crate::strays::Strays;

/// Shards, whatever the number of threads.
pub(crate) const SHARDS: u8 = 32;

/// Some of the shards.
pub(crate) struct Worker {
    shards: Vec<(u8, Shard<FlowApp>)>,
    place: [usize; SHARDS as usize],
    limits: Limits,
    detail: Detail,
    epoch: u64,
    strays: Strays,
    /// Panics contained in parsers.
    pub(crate) panics: u64,
}

impl Worker {
    /// Worker `index` of `threads`: it owns every `threads`-th shard.
    pub(crate) fn new(
        index: usize,
        threads: usize,
        limits: &Limits,
        options: &flow::Options,
        detail: Detail,
    ) -> Worker {
        let mut place = [0; SHARDS as usize];
        let mut shards = Vec::new();
        for shard in (0..SHARDS).filter(|s| usize::from(*s) % threads == index) {
            place[usize::from(shard)] = shards.len();
            shards.push((shard, Shard::new(limits, options.clone())));
        }
        Worker { shards, place, limits: limits.clone(), detail, epoch: 1, strays: Strays::default(), panics: 0 }
    }

    /// A new batch begins: flow constants are written anew.
    pub(crate) fn begin(&mut self) {
        self.epoch += 1;
    }

    /// Does what an item of a batch says, whose payloads lie in `arena`.
    pub(crate) fn item(&mut self, item: &Item, arena: &[u8], out: &mut Out) {
        match item {
            Item::Packet { packet, shard, from, to, anomalies } => {
                let payload = arena.get(*from as usize..*to as usize).unwrap_or_default();
                self.packet(packet, payload, *shard, anomalies, out);
            }
            Item::Stray { step, packet, reason, detail } => self.stray(*step, packet, (reason, detail), out),
            Item::Tick { step, now, frames } => self.tick(*step, *now, *frames, out),
            Item::Back { step, now, back } => self.back(*step, *now, *back, out),
            Item::Loss { step, loss } => self.lost(*step, loss, out),
            Item::Record { step, record } => record.append_to(*step, out),
            Item::Finish { step, now } => self.finish(*step, *now, out),
        }
    }

    /// One packet.
    pub(crate) fn packet(&mut self, p: &Packet, payload: &[u8], shard: u8, anomalies: &Anomalies, out: &mut Out) {
        let at = At { ts: p.ts, frame: p.number, file: p.file, step: p.seq * 2 + 1, shard };
        let (limits, detail, epoch, panics) = (&self.limits, self.detail, self.epoch, &mut self.panics);
        if let Some((_, s)) = self.shards.get_mut(self.place[usize::from(shard % SHARDS)]) {
            s.packet(
                p,
                payload,
                &mut Bridge { at, held: Vec::new(), out, sub: 0, limits, detail, epoch, panics, anomalies },
            );
        }
    }

    /// Something wrong with a packet that belongs to no flow.
    pub(crate) fn stray(&mut self, step: u64, p: &Packet, what: (&'static str, &str), out: &mut Out) {
        self.strays.tell((step, p), what, (&self.limits, self.detail), out);
    }

    /// Timers run up to `now`.
    pub(crate) fn tick(&mut self, step: u64, now: Ts, frames: u64, out: &mut Out) {
        self.tell(step, now, Body::Tick { frames }, out);
        self.each(step, now, out, |shard, bridge| shard.tick(now, bridge));
    }

    /// The input is over: every flow ends.
    pub(crate) fn finish(&mut self, step: u64, now: Ts, out: &mut Out) {
        self.each(step, now, out, |shard, bridge| shard.finish(now, bridge));
        self.strays.finish(step + 1, &self.limits, self.detail, out);
        let mut hits = LimitHits::default();
        self.shards.iter().for_each(|(_, s)| hits.add(s.hits()));
        out.hits.add(&hits);
    }

    /// Time went back to `now`.
    pub(crate) fn back(&mut self, step: u64, now: Ts, back: i64, out: &mut Out) {
        self.tell(step, now, Body::TimeBreak { back }, out);
        self.shards.iter_mut().for_each(|(_, s)| s.shift(back.saturating_neg()));
    }

    /// The capture lost frames.
    pub(crate) fn lost(&mut self, step: u64, loss: &Loss, out: &mut Out) {
        self.tell(step, loss.to, Body::Loss { from: loss.from, lost: loss.lost, seen: loss.seen }, out);
    }

    /// A fact about the whole input: the worker of the first shard tells it, before anything that shards say at this place.
    fn tell(&self, step: u64, ts: Ts, body: Body, out: &mut Out) {
        if self.shards.first().is_some_and(|(n, _)| *n == 0) {
            let flow = FlowRef((out.flows.len() as u32).saturating_mul(2));
            out.flows.push(FlowConst { vlans: [0xffff; 2], ..FlowConst::default() });
            out.facts.push(Fact { key: Key { step, shard: 0, sub: 0 }, ts, frame: 0, flow, body });
        }
    }

    fn each(&mut self, step: u64, now: Ts, out: &mut Out, mut f: impl FnMut(&mut Shard<FlowApp>, &mut Bridge<'_>)) {
        let (limits, detail, epoch, panics) = (&self.limits, self.detail, self.epoch, &mut self.panics);
        for (shard, s) in &mut self.shards {
            let at = At { ts: now, frame: 0, file: 0, step, shard: *shard };
            f(
                s,
                &mut Bridge {
                    at,
                    held: Vec::new(),
                    out,
                    sub: 1,
                    limits,
                    detail,
                    epoch,
                    panics,
                    anomalies: &Anomalies::default(),
                },
            );
        }
    }
}
