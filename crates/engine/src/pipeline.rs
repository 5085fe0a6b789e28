//! The line that data travels, from frame to ordered stage, on one thread or several.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use capture::{Frame, Loss};
use gwcore::time::MINUTE;
use gwcore::{FlowConst, FlowRef, Key, LimitHits, Limits, Out, Span, Stamp, Ts};
use packet::{Anomalies, Decoder, Outcome};

use crate::batch::{Batch, Item};
use crate::clock::{Clock, Moved, TimeBreak};
use crate::merge::merge;
use crate::strays::particulars;
use crate::worker::Worker;

/// Where frames come from, in order.
pub trait Source {
    /// The next frame; none at the end.
    fn next(&mut self) -> Option<Frame<'_>>;
    /// Names of the interfaces met so far.
    fn interfaces(&self) -> &[String];
    /// Losses that the input told of since the last call.
    fn losses(&mut self) -> Vec<Loss> {
        Vec::new()
    }
}

impl Source for capture::Merge {
    fn next(&mut self) -> Option<Frame<'_>> {
        capture::Merge::next(self)
    }
    fn interfaces(&self) -> &[String] {
        capture::Merge::interfaces(self)
    }
    fn losses(&mut self) -> Vec<Loss> {
        capture::Merge::losses(self)
    }
}

impl Source for capture::Single {
    fn next(&mut self) -> Option<Frame<'_>> {
        capture::Single::next(self)
    }
    fn interfaces(&self) -> &[String] {
        capture::Single::interfaces(self)
    }
    fn losses(&mut self) -> Vec<Loss> {
        capture::Single::losses(self)
    }
}

/// What is known of the input so far.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Names of the interfaces met.
    pub interfaces: &'a [String],
    /// Bytes of frames read.
    pub bytes: u64,
}

/// What takes the ordered rows and facts of each batch.
pub trait Stage {
    /// The rows and facts of one batch, in the order of the input; the stage may append rows of its own.
    fn batch(&mut self, out: &mut Out, seen: Seen<'_>) -> std::io::Result<()>;
    /// The input is over; `at` lies after everything, `now` is the packet time reached.
    fn finish(&mut self, at: Key, now: Ts, interfaces: &[String]) -> std::io::Result<()>;
}

/// How to run.
#[derive(Clone)]
pub struct Options {
    /// Worker threads; 1 means no queues.
    pub threads: usize,
    /// Limits in force.
    pub limits: Limits,
    /// Whether repeats are written too.
    pub full: bool,
    /// How packets are decoded.
    pub packet: packet::Options,
    /// How flows are kept.
    pub flow: flow::Options,
}

/// Frames by what became of them: for each file `frames` = `decoded` + the sum of `reasons`.
#[derive(Clone, Debug, Default)]
pub struct FileCounts {
    /// Frames read.
    pub frames: u64,
    /// Frames decoded, fragments and twins among them.
    pub decoded: u64,
    /// Frames not decoded, by reason.
    pub reasons: Vec<(&'static str, u64)>,
    /// Frames of which not all was captured.
    pub cut_by_snaplen: u64,
}

/// What the run counted.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// By file index.
    pub files: Vec<FileCounts>,
    /// First and last frame time.
    pub span: Option<(Ts, Ts)>,
    /// Bytes on the wire.
    pub bytes: u64,
    /// Mirrored copies left out.
    pub twins: u64,
    /// Panics contained in parsers.
    pub panics: u64,
    /// Times packet time went back.
    pub time_breaks: u64,
    /// Limits hit.
    pub hits: LimitHits,
}

impl Counts {
    fn frame(&mut self, f: &Frame<'_>, outcome: &Outcome) {
        let index = f.file as usize;
        if self.files.len() <= index {
            self.files.resize_with(index + 1, FileCounts::default);
        }
        let Some(file) = self.files.get_mut(index) else { return };
        file.frames += 1;
        file.cut_by_snaplen += u64::from((f.data.len() as u64) < u64::from(f.wire_len));
        self.bytes += u64::from(f.wire_len);
        let (first, last) = self.span.unwrap_or((f.ts, f.ts));
        self.span = Some((first.min(f.ts), last.max(f.ts)));
        match outcome {
            Outcome::Undecoded(reason) => match file.reasons.iter_mut().find(|(r, _)| r == reason) {
                Some((_, n)) => *n += 1,
                None => file.reasons.push((reason, 1)),
            },
            _ => file.decoded += 1,
        }
    }
}

/// Frames in a batch at most.
const BATCH_FRAMES: usize = 4_096;
/// Facts in a batch, with as many rows, after which it is full: bounds what waits for the ordered stage. A frame may cause 2,048 of them, so
/// one worker looks after each frame; for several the next batches have fewer frames.
const BATCH_FACTS: usize = 1 << 18;
/// Packet time in a batch at most. What a batch costs whatever it holds (a call a kind and column) is then little beside its rows.
const BATCH_TIME: i64 = MINUTE;
/// Bytes of payload in a batch at most: bounds what is copied for other threads.
const BATCH_BYTES: usize = 8 << 20;

/// Runs the whole input through the pipeline.
pub fn analyze(source: &mut dyn Source, options: &Options, stage: &mut dyn Stage) -> std::io::Result<Counts> {
    let threads = options.threads.clamp(1, 32);
    let new_worker = |i| Worker::new(i, threads, &options.limits, &options.flow, options.full);
    if threads == 1 {
        let mut lane = Inline { worker: new_worker(0), out: Out::default() };
        return run(source, options, stage, &mut lane);
    }
    std::thread::scope(|scope| {
        let mut lanes =
            Lanes { jobs: Vec::new(), results: Vec::new(), filling: Vec::new(), spare: Vec::new(), in_flight: 0 };
        for i in 0..threads {
            let (job_tx, job_rx) = sync_channel::<Job>(2);
            let (result_tx, result_rx) = sync_channel::<Job>(2);
            let mut worker = new_worker(i);
            scope.spawn(move || serve(&mut worker, &job_rx, &result_tx));
            lanes.jobs.push(job_tx);
            lanes.results.push(result_rx);
            lanes.filling.push(Batch::default());
        }
        run(source, options, stage, &mut lanes)
    })
}

/// A batch and what came of it, travelling to a worker and back so that memory is used again.
#[derive(Default)]
struct Job {
    batch: Batch,
    out: Out,
    panics: u64,
}

fn serve(worker: &mut Worker, jobs: &Receiver<Job>, results: &SyncSender<Job>) {
    while let Ok(mut job) = jobs.recv() {
        job.out.clear();
        worker.batch(&job.batch, &mut job.out);
        job.panics = worker.panics;
        if results.send(job).is_err() {
            return;
        }
    }
}

/// Where packets go: straight into the one worker, or into batches for several.
trait Lane {
    fn packet(&mut self, p: &packet::Packet, payload: &[u8], shard: u8, anomalies: &Anomalies);
    /// Something wrong with a packet that belongs to no flow.
    fn stray(&mut self, step: u64, p: &packet::Packet, what: (&'static str, &str));
    fn every(&mut self, make: &dyn Fn() -> Item);
    /// Hands what is complete to `sink`: everything when `last`.
    fn flush(&mut self, last: bool, sink: &mut dyn FnMut(&mut Out) -> std::io::Result<()>) -> std::io::Result<()>;
    fn panics(&self) -> u64;
    fn bytes(&self) -> usize;
    /// Facts of the batch so far, as far as they are known here.
    fn facts(&self) -> usize;
}

struct Inline {
    worker: Worker,
    out: Out,
}

impl Lane for Inline {
    fn packet(&mut self, p: &packet::Packet, payload: &[u8], shard: u8, anomalies: &Anomalies) {
        self.worker.packet(p, payload, shard, anomalies, &mut self.out);
    }
    fn stray(&mut self, step: u64, p: &packet::Packet, what: (&'static str, &str)) {
        self.worker.stray(step, p, what, &mut self.out);
    }
    fn every(&mut self, make: &dyn Fn() -> Item) {
        match make() {
            Item::Tick { step, now, frames } => self.worker.tick(step, now, frames, &mut self.out),
            Item::Back { step, now, back } => self.worker.back(step, now, back, &mut self.out),
            Item::Loss { step, loss } => self.worker.lost(step, &loss, &mut self.out),
            Item::Finish { step, now } => self.worker.finish(step, now, &mut self.out),
            Item::Packet { .. } | Item::Stray { .. } => {}
        }
    }
    fn flush(&mut self, _last: bool, sink: &mut dyn FnMut(&mut Out) -> std::io::Result<()>) -> std::io::Result<()> {
        sink(&mut self.out)?;
        self.out.clear();
        self.worker.begin();
        Ok(())
    }
    fn panics(&self) -> u64 {
        self.worker.panics
    }
    fn bytes(&self) -> usize {
        0
    }
    fn facts(&self) -> usize {
        self.out.facts.len()
    }
}

struct Lanes {
    jobs: Vec<SyncSender<Job>>,
    results: Vec<Receiver<Job>>,
    filling: Vec<Batch>,
    spare: Vec<Job>,
    in_flight: usize,
}

/// Batches under way at most: one being worked on, one waiting.
const IN_FLIGHT: usize = 2;

impl Lanes {
    fn send(&mut self) {
        for (tx, filling) in self.jobs.iter().zip(&mut self.filling) {
            let mut job = self.spare.pop().unwrap_or_default();
            job.batch.clear();
            std::mem::swap(&mut job.batch, filling);
            // A worker that is gone has panicked outside a parser; the scope reports it when it joins.
            let _ = tx.send(job);
        }
        self.in_flight += 1;
    }

    fn receive(&mut self, sink: &mut dyn FnMut(&mut Out) -> std::io::Result<()>) -> std::io::Result<()> {
        let mut jobs: Vec<Job> = self.results.iter().filter_map(|rx| rx.recv().ok()).collect();
        self.in_flight -= 1;
        if jobs.len() < self.results.len() {
            return Err(std::io::Error::other("a worker thread ended early"));
        }
        let outs: Vec<Out> = jobs.iter_mut().map(|j| std::mem::take(&mut j.out)).collect();
        let mut merged = Out::default();
        merge(&outs, &mut merged);
        for (job, out) in jobs.iter_mut().zip(outs) {
            job.out = out;
        }
        self.spare.append(&mut jobs);
        sink(&mut merged)
    }
}

impl Lane for Lanes {
    fn packet(&mut self, p: &packet::Packet, payload: &[u8], shard: u8, anomalies: &Anomalies) {
        let lane = usize::from(shard) % self.filling.len();
        if let Some(batch) = self.filling.get_mut(lane) {
            batch.packet(*p, payload, shard, *anomalies);
        }
    }
    fn stray(&mut self, step: u64, p: &packet::Packet, (reason, detail): (&'static str, &str)) {
        if let Some(batch) = self.filling.first_mut() {
            batch.items.push(Item::Stray { step, packet: *p, reason, detail: detail.to_owned() });
        }
    }
    fn every(&mut self, make: &dyn Fn() -> Item) {
        self.filling.iter_mut().for_each(|b| b.items.push(make()));
    }
    fn flush(&mut self, last: bool, sink: &mut dyn FnMut(&mut Out) -> std::io::Result<()>) -> std::io::Result<()> {
        self.send();
        while self.in_flight >= if last { 1 } else { IN_FLIGHT } {
            self.receive(sink)?;
        }
        Ok(())
    }
    fn panics(&self) -> u64 {
        self.spare.iter().map(|j| j.panics).sum()
    }
    fn bytes(&self) -> usize {
        self.filling.iter().map(|b| b.arena.len()).sum()
    }
    fn facts(&self) -> usize {
        0
    }
}

fn run(
    source: &mut dyn Source,
    options: &Options,
    stage: &mut dyn Stage,
    lane: &mut dyn Lane,
) -> std::io::Result<Counts> {
    let mut decoder = Decoder::new(&options.limits, options.packet, gwcore::ids::hash_seed());
    let mut clock = Clock::default();
    let mut counts = Counts::default();
    let mut hits = LimitHits::default();
    let mut breaks: VecDeque<Vec<Break>> = VecDeque::from([Vec::new()]);
    let (mut in_batch, mut batch_start, mut last_seq) = (0usize, Ts::default(), 0u64);
    let mut frames = BATCH_FRAMES;
    let mut since_tick = 0u64;
    while let Some(frame) = source.next() {
        last_seq = frame.seq;
        let step = frame.seq.saturating_mul(2);
        match clock.frame(frame.ts) {
            Moved::No => {}
            Moved::Tick(now) => {
                let frames = std::mem::take(&mut since_tick);
                lane.every(&|| Item::Tick { step, now, frames });
            }
            Moved::Back { before, after } => {
                counts.time_breaks += 1;
                if let Some(batch) = breaks.back_mut() {
                    batch.push(Break { step, before, after, file: frame.file });
                }
                lane.every(&|| Item::Back { step, now: after, back: before.since(after) });
            }
        }
        since_tick += 1;
        let decoded = decoder.decode(&frame);
        counts.frame(&frame, &decoded.outcome);
        if matches!(decoded.outcome, Outcome::Packet) {
            counts.twins += u64::from(decoded.packet.twin);
            let shard = flow::shard_of(&decoded.packet, decoded.payload);
            lane.packet(&decoded.packet, decoded.payload, shard, &decoded.anomalies);
        } else if matches!(decoded.outcome, Outcome::Fragment) {
            decoded.anomalies.iter().for_each(|reason| lane.stray(step + 1, &decoded.packet, (reason, "")));
        }
        incomplete(decoder.incomplete(), step + 1, lane);
        // What is known to be missing is told at the place of the next frame, before anything is concluded there.
        source.losses().into_iter().for_each(|loss| lane.every(&|| Item::Loss { step: step + 2, loss }));
        in_batch += 1;
        let full = in_batch >= frames || lane.bytes() >= BATCH_BYTES || lane.facts() >= BATCH_FACTS;
        if full || clock.now().since(batch_start) >= BATCH_TIME {
            in_batch = 0;
            batch_start = clock.now();
            breaks.push_back(Vec::new());
            lane.flush(false, &mut |out| {
                time_breaks(&mut breaks, out);
                hits.add(&out.hits);
                frames = next_frames(frames, out.facts.len());
                stage.batch(out, Seen { interfaces: source.interfaces(), bytes: counts.bytes })
            })?;
        }
    }
    let (step, now) = (last_seq.saturating_mul(2).saturating_add(2), clock.end());
    source.losses().into_iter().for_each(|loss| lane.every(&|| Item::Loss { step, loss }));
    lane.every(&|| Item::Tick { step, now, frames: since_tick });
    incomplete(decoder.finish(), step + 1, lane);
    lane.every(&|| Item::Finish { step: step + 2, now });
    lane.flush(true, &mut |out| {
        time_breaks(&mut breaks, out);
        hits.add(&out.hits);
        stage.batch(out, Seen { interfaces: source.interfaces(), bytes: counts.bytes })
    })?;
    stage.finish(Key { step: step + 4, ..Key::default() }, now, source.interfaces())?;
    counts.hits.add(&hits);
    counts.hits.add(decoder.limit_hits());
    counts.panics = lane.panics();
    Ok(counts)
}

/// Frames of the next batches, when batches of `frames` give `facts`.
fn next_frames(frames: usize, facts: usize) -> usize {
    match facts {
        BATCH_FACTS.. => (frames.saturating_mul(BATCH_FACTS) / facts).max(BATCH_FRAMES / 64),
        _ if facts < BATCH_FACTS / 4 => (frames * 2).min(BATCH_FRAMES),
        _ => frames,
    }
}

/// Tells of datagrams that did not become whole, after all else that the frame led to.
fn incomplete(list: &[packet::Incomplete], step: u64, lane: &mut dyn Lane) {
    for i in list {
        lane.stray(step, &i.packet, ("fragment_incomplete", &particulars(i)));
    }
}

/// Packet time went back at a frame.
struct Break {
    step: u64,
    before: Ts,
    after: Ts,
    file: u32,
}

/// Writes the `time_break` rows of the oldest batch under way.
fn time_breaks(breaks: &mut VecDeque<Vec<Break>>, out: &mut Out) {
    for Break { step, before, after, file } in breaks.pop_front().unwrap_or_default() {
        let flow = FlowRef((out.flows.len() as u32).saturating_mul(2));
        out.flows.push(FlowConst { file, vlans: [0xffff; 2], ..FlowConst::default() });
        let stamp = Stamp { key: Key { step, ..Key::default() }, ts: after, frame: 0, flow };
        out.append(stamp, TimeBreak { before, after, step: Span(before.since(after)) });
    }
}

#[cfg(test)]
mod tests {
    use capture::LinkType;
    use gwcore::{Body, Fact};

    use super::*;

    /// Frames of one length, a millisecond apart.
    struct Same(u64, u64);

    impl Source for Same {
        fn next(&mut self) -> Option<Frame<'_>> {
            self.0 += 1;
            let (seq, data) = (self.0 - 1, &[0x99; 60]);
            let frame = Frame {
                seq,
                ts: Ts(seq as i64 * 1_000_000),
                file: 0,
                number: self.0,
                interface: 0,
                link: LinkType::ETHERNET,
                wire_len: 60,
                data,
            };
            (self.0 <= self.1).then_some(frame)
        }
        fn interfaces(&self) -> &[String] {
            &[]
        }
    }

    /// Gives so many facts a packet; knows how many only if it `looks`.
    struct Facts {
        a_packet: usize,
        looks: bool,
        out: Out,
    }

    impl Lane for Facts {
        fn packet(&mut self, p: &packet::Packet, _: &[u8], _: u8, _: &Anomalies) {
            let (key, flow) = (Key::default(), FlowRef::default());
            let fact = || Fact { key, ts: p.ts, frame: 0, flow, body: Body::FlowStart };
            self.out.facts.extend(std::iter::repeat_with(fact).take(self.a_packet));
        }
        fn stray(&mut self, _: u64, _: &packet::Packet, _: (&'static str, &str)) {}
        fn every(&mut self, _: &dyn Fn() -> Item) {}
        fn flush(&mut self, _: bool, sink: &mut dyn FnMut(&mut Out) -> std::io::Result<()>) -> std::io::Result<()> {
            sink(&mut self.out)?;
            self.out.clear();
            Ok(())
        }
        fn panics(&self) -> u64 {
            0
        }
        fn bytes(&self) -> usize {
            0
        }
        fn facts(&self) -> usize {
            if self.looks { self.out.facts.len() } else { 0 }
        }
    }

    /// Facts of each batch.
    #[derive(Default)]
    struct Batches(Vec<usize>);

    impl Stage for Batches {
        fn batch(&mut self, out: &mut Out, _: Seen<'_>) -> std::io::Result<()> {
            self.0.push(out.facts.len());
            Ok(())
        }
        fn finish(&mut self, _: Key, _: Ts, _: &[String]) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn batches(frames: u64, a_packet: usize, looks: bool) -> Vec<usize> {
        let options = Options {
            threads: 1,
            limits: Limits::default(),
            full: false,
            packet: packet::Options::default(),
            flow: flow::Options::default(),
        };
        let mut seen = Batches::default();
        let mut lane = Facts { a_packet, looks, out: Out::default() };
        run(&mut Same(0, frames), &options, &mut seen, &mut lane).unwrap();
        assert_eq!(seen.0.iter().sum::<usize>(), frames as usize * a_packet);
        seen.0
    }

    #[test]
    fn a_batch_holds_few_facts_however_many_a_frame_causes() {
        assert_eq!(batches(10_000, 1, true), [4_096, 4_096, 1_808]);
        assert!(batches(4_000, 2_048, true).iter().all(|n| *n <= BATCH_FACTS));
        // Where nobody can look, only the first batches are large.
        let blind = batches(12_000, 2_048, false);
        assert_eq!(blind.first(), Some(&(4_096 * 2_048)));
        assert!(blind.iter().skip(1).all(|n| *n <= BATCH_FACTS), "{blind:?}");
    }

    #[test]
    fn batches_grow_again() {
        assert_eq!((next_frames(4_096, BATCH_FACTS * 4), next_frames(64, BATCH_FACTS * 4)), (1_024, 64));
        assert_eq!(
            (next_frames(1_024, BATCH_FACTS - 1), next_frames(1_024, 0), next_frames(4_096, 0)),
            (1_024, 2_048, 4_096)
        );
    }
}
