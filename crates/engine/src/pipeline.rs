//! The line that data travels, from frame to ordered stage, on one thread or several.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use capture::{Frame, Loss};
use gwcore::time::{MINUTE, SECOND};
use gwcore::{Detail, FlowConst, FlowRef, Key, LimitHits, Limits, Out, Span, Stamp, Ts};
use packet::{Anomalies, Decoder, Outcome};

use crate::batch::{Batch, Item};
use crate::clock::{Clock, Moved, TimeBreak};
use crate::input::{Ingested, Input, Source, Stop, Tick};
use crate::merge::{Part, merge};
use crate::strays::particulars;
use crate::worker::Worker;

/// What is known of the input so far.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Names of the interfaces met.
    pub interfaces: &'a [String],
    /// Bytes of frames read.
    pub bytes: u64,
    /// Packet time reached.
    pub now: Ts,
    /// What live interfaces told since the batch before.
    pub ticks: &'a [Tick],
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
    /// Which repeats become rows.
    pub detail: Detail,
    /// How packets are decoded.
    pub packet: packet::Options,
    /// How flows are kept.
    pub flow: flow::Options,
    /// Packet time in a batch at most, in nanoseconds: [`Options::FILES`] or [`Options::LIVE`].
    pub batch_time: i64,
    /// Ends the run early.
    pub stop: Stop,
}

impl Options {
    /// For files: what a batch costs whatever it holds (a call a kind and column) is then little beside its rows.
    pub const FILES: i64 = MINUTE;
    /// For live interfaces: a batch is handed on, and waited for, at least once a second of packet time.
    pub const LIVE: i64 = SECOND;
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
/// Facts, with as many rows, that the ordered stage gets at once: a frame may cause 2,048 of them, so frames alone bound nothing. Several
/// workers share them, and hand on a part of their batch when they have theirs.
const BATCH_FACTS: usize = 1 << 18;
/// Bytes of payload in a batch at most: bounds what is copied for other threads.
const BATCH_BYTES: usize = 8 << 20;

/// Runs the input through the pipeline, until it ends or is asked to stop.
pub fn analyze(source: &mut dyn Source, options: &Options, stage: &mut dyn Stage) -> std::io::Result<Counts> {
    let threads = options.threads.clamp(1, 32);
    let new_worker = |i| Worker::new(i, threads, &options.limits, &options.flow, options.detail);
    if threads == 1 {
        let mut lane = Inline { worker: new_worker(0), out: Out::default() };
        return run(source, options, stage, &mut lane);
    }
    std::thread::scope(|scope| {
        let mut lanes = Lanes {
            jobs: Vec::new(),
            results: Vec::new(),
            filling: Vec::new(),
            spare: Vec::new(),
            in_flight: 0,
            panics: vec![0; threads],
        };
        for i in 0..threads {
            let (job_tx, job_rx) = sync_channel::<Job>(2);
            // A part waits while another is merged.
            let (result_tx, result_rx) = sync_channel::<Done>(1);
            let mut worker = new_worker(i);
            scope.spawn(move || serve(&mut worker, BATCH_FACTS / threads, &job_rx, &result_tx));
            lanes.jobs.push(job_tx);
            lanes.results.push(result_rx);
            lanes.filling.push(Batch::default());
        }
        run(source, options, stage, &mut lanes)
    })
}

/// A batch on its way to a worker, with room for what comes of it, so that memory is used again.
#[derive(Default)]
struct Job {
    batch: Batch,
    out: Out,
    /// The last step of the batch.
    end: u64,
}

/// What came of a batch, or of a part of it: then without the batch.
struct Done {
    part: Part,
    batch: Option<Batch>,
    panics: u64,
}

/// Works until there is no more to do. Out of `facts` or more, a part is made.
fn serve(worker: &mut Worker, facts: usize, jobs: &Receiver<Job>, results: &SyncSender<Done>) {
    while let Ok(Job { batch, mut out, end }) = jobs.recv() {
        out.clear();
        worker.begin();
        let mut upto = 0;
        for item in &batch.items {
            let step = item.step();
            if step > upto && out.facts.len() >= facts {
                let part = Part::new(std::mem::take(&mut out), upto);
                if results.send(Done { part, batch: None, panics: worker.panics }).is_err() {
                    return;
                }
                worker.begin();
            }
            upto = step;
            worker.item(item, &batch.arena, &mut out);
        }
        let part = Part::new(out, end);
        if results.send(Done { part, batch: Some(batch), panics: worker.panics }).is_err() {
            return;
        }
    }
}

/// Takes what is complete, with the step up to which it is.
type Sinking<'a> = &'a mut dyn FnMut(&mut Out, u64) -> std::io::Result<()>;

/// Where packets go: straight into the one worker, or into batches for several.
trait Lane {
    fn packet(&mut self, p: &packet::Packet, payload: &[u8], shard: u8, anomalies: &Anomalies);
    /// Something wrong with a packet that belongs to no flow.
    fn stray(&mut self, step: u64, p: &packet::Packet, what: (&'static str, &str));
    fn every(&mut self, make: &dyn Fn() -> Item);
    /// The batch is over with step `end`. Hands what is complete to `sink`: everything when there is no end.
    fn flush(&mut self, end: Option<u64>, sink: Sinking<'_>) -> std::io::Result<()>;
    /// Waits for all that was flushed and hands it to `sink`.
    fn drain(&mut self, sink: Sinking<'_>) -> std::io::Result<()>;
    /// Rows and facts that come from no packet.
    fn record(&mut self, step: u64, record: Box<Ingested>);
    fn panics(&self) -> u64;
    /// Whether the batch holds as many bytes or facts as it may.
    fn is_full(&self) -> bool;
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
            Item::Packet { .. } | Item::Stray { .. } | Item::Record { .. } => {}
        }
    }
    fn record(&mut self, step: u64, record: Box<Ingested>) {
        record.append_to(step, &mut self.out);
    }
    fn drain(&mut self, _: Sinking<'_>) -> std::io::Result<()> {
        Ok(())
    }
    fn flush(&mut self, _end: Option<u64>, sink: Sinking<'_>) -> std::io::Result<()> {
        sink(&mut self.out, u64::MAX)?;
        self.out.clear();
        self.worker.begin();
        Ok(())
    }
    fn panics(&self) -> u64 {
        self.worker.panics
    }
    fn is_full(&self) -> bool {
        self.out.facts.len() >= BATCH_FACTS
    }
}

struct Lanes {
    jobs: Vec<SyncSender<Job>>,
    results: Vec<Receiver<Done>>,
    filling: Vec<Batch>,
    spare: Vec<Job>,
    in_flight: usize,
    panics: Vec<u64>,
}

/// Batches under way at most: one being worked on, one waiting.
const IN_FLIGHT: usize = 2;

impl Lanes {
    fn send(&mut self, end: u64) {
        for (tx, filling) in self.jobs.iter().zip(&mut self.filling) {
            let mut job = self.spare.pop().unwrap_or_default();
            job.batch.clear();
            std::mem::swap(&mut job.batch, filling);
            job.end = end;
            // A worker that is gone has panicked outside a parser; the scope reports it when it joins.
            let _ = tx.send(job);
        }
        self.in_flight += 1;
    }

    /// Takes what came of the oldest batch, part by part: what all workers have gone through is merged.
    fn receive(&mut self, sink: Sinking<'_>) -> std::io::Result<()> {
        let mut parts: Vec<Option<Done>> = self.results.iter().map(|_| None).collect();
        loop {
            for ((part, rx), panics) in parts.iter_mut().zip(&self.results).zip(&mut self.panics) {
                if part.is_none() {
                    let done = rx.recv().map_err(|_| std::io::Error::other("a worker thread ended early"))?;
                    *panics = done.panics;
                    *part = Some(done);
                }
            }
            let is_last = parts.iter().flatten().all(|d| d.batch.is_some());
            let mut merging: Vec<&mut Part> = parts.iter_mut().flatten().map(|d| &mut d.part).collect();
            let upto = merging.iter().map(|p| p.upto).min().unwrap_or(u64::MAX);
            let mut merged = Out::default();
            // What is left of the batch belongs to it, losses that stand at the place of the next frame too.
            merge(&mut merging, if is_last { u64::MAX } else { upto }, &mut merged);
            sink(&mut merged, upto)?;
            if is_last {
                break;
            }
            parts.iter_mut().filter(|d| d.as_ref().is_some_and(|d| d.part.upto <= upto)).for_each(|d| *d = None);
        }
        self.in_flight -= 1;
        let spare = |d: Done| Job { batch: d.batch.unwrap_or_default(), out: d.part.out, end: 0 };
        self.spare.extend(parts.into_iter().flatten().map(spare));
        Ok(())
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
    fn record(&mut self, step: u64, record: Box<Ingested>) {
        if let Some(batch) = self.filling.first_mut() {
            batch.items.push(Item::Record { step, record });
        }
    }
    fn drain(&mut self, sink: Sinking<'_>) -> std::io::Result<()> {
        while self.in_flight > 0 {
            self.receive(sink)?;
        }
        Ok(())
    }
    fn flush(&mut self, end: Option<u64>, sink: Sinking<'_>) -> std::io::Result<()> {
        self.send(end.unwrap_or(u64::MAX));
        while self.in_flight >= if end.is_none() { 1 } else { IN_FLIGHT } {
            self.receive(sink)?;
        }
        Ok(())
    }
    fn panics(&self) -> u64 {
        self.panics.iter().sum()
    }
    fn is_full(&self) -> bool {
        self.filling.iter().map(|b| b.arena.len()).sum::<usize>() >= BATCH_BYTES
    }
}

fn run(
    source: &mut dyn Source,
    options: &Options,
    stage: &mut dyn Stage,
    lane: &mut dyn Lane,
) -> std::io::Result<Counts> {
    let mut line = Line::new(options);
    while !options.stop.is_asked() {
        let Some(input) = source.next() else { break };
        let is_idle = matches!(input, Input::Idle);
        match input {
            Input::Frame(frame) => {
                let step = line.frame(frame, lane);
                // What is known to be missing is told at the place of the next frame, before anything is concluded there.
                source.losses().into_iter().for_each(|loss| lane.every(&|| Item::Loss { step: step + 2, loss }));
            }
            Input::Tick(tick) => line.tick(tick, lane),
            Input::Loss(loss) => line.loss(loss, lane),
            Input::Record(record) => line.record(record, lane),
            Input::Idle => {}
        }
        let is_time = line.clock.now().since(line.batch_start) >= options.batch_time;
        if line.in_batch >= BATCH_FRAMES || lane.is_full() || is_time || is_idle && line.in_batch > 0 {
            line.flush(source, stage, lane)?;
        }
        // Live, nobody waits for the next batch to see this one.
        if is_idle || is_time && options.batch_time <= Options::LIVE {
            lane.drain(&mut |out, upto| line.hand(out, upto, source, stage))?;
        }
    }
    line.finish(source, stage, lane)
}

/// State of the line between source and workers.
struct Line {
    decoder: Decoder,
    clock: Clock,
    counts: Counts,
    hits: LimitHits,
    breaks: VecDeque<Break>,
    /// Frames, ticks, and rows and facts of records in the batch.
    in_batch: usize,
    batch_start: Ts,
    /// Place in the input of what comes next.
    next: u64,
    /// Places taken by what is no frame.
    others: u64,
    since_tick: u64,
    ticks: Vec<Tick>,
}

impl Line {
    fn new(options: &Options) -> Line {
        Line {
            decoder: Decoder::new(&options.limits, options.packet, gwcore::ids::hash_seed()),
            clock: Clock::default(),
            counts: Counts::default(),
            hits: LimitHits::default(),
            breaks: VecDeque::new(),
            in_batch: 0,
            batch_start: Ts::default(),
            next: 0,
            others: 0,
            since_tick: 0,
            ticks: Vec::new(),
        }
    }

    /// One frame; returns its step.
    fn frame(&mut self, mut frame: Frame<'_>, lane: &mut dyn Lane) -> u64 {
        frame.seq = frame.seq.saturating_add(self.others);
        self.next = frame.seq.saturating_add(1);
        let step = frame.seq.saturating_mul(2);
        let moved = self.clock.frame(frame.ts);
        self.moved(moved, step, frame.file, lane);
        self.since_tick += 1;
        let decoded = self.decoder.decode(&frame);
        self.counts.frame(&frame, &decoded.outcome);
        if matches!(decoded.outcome, Outcome::Packet) {
            self.counts.twins += u64::from(decoded.packet.twin);
            let shard = flow::shard_of(&decoded.packet, decoded.payload);
            lane.packet(&decoded.packet, decoded.payload, shard, &decoded.anomalies);
        } else if matches!(decoded.outcome, Outcome::Fragment) {
            decoded.anomalies.iter().for_each(|reason| lane.stray(step + 1, &decoded.packet, (reason, "")));
        }
        incomplete(self.decoder.incomplete(), step + 1, lane);
        self.in_batch += 1;
        step
    }

    /// What the time of an input did to packet time.
    fn moved(&mut self, moved: Moved, step: u64, file: u32, lane: &mut dyn Lane) {
        match moved {
            Moved::No => {}
            Moved::Tick(now) => {
                let frames = std::mem::take(&mut self.since_tick);
                lane.every(&|| Item::Tick { step, now, frames });
            }
            Moved::Back { before, after } => {
                self.counts.time_breaks += 1;
                self.breaks.push_back(Break { step, before, after, file });
                lane.every(&|| Item::Back { step, now: after, back: before.since(after) });
            }
        }
    }

    /// A place in the input of its own for what is no frame; returns its step.
    fn place(&mut self) -> u64 {
        let step = self.next.saturating_mul(2);
        (self.next, self.others) = (self.next.saturating_add(1), self.others + 1);
        self.in_batch += 1;
        step
    }

    /// The step of what came last.
    fn last(&self) -> u64 {
        self.next.saturating_sub(1).saturating_mul(2)
    }

    fn tick(&mut self, tick: Tick, lane: &mut dyn Lane) {
        let step = self.place();
        if tick.drops > 0 {
            let loss = Loss { from: tick.since, to: tick.now, lost: tick.drops, seen: tick.frames };
            lane.every(&|| Item::Loss { step, loss });
        }
        let moved = self.clock.tick(tick.now);
        self.moved(moved, step, 0, lane);
        self.ticks.push(tick);
    }

    fn loss(&mut self, loss: Loss, lane: &mut dyn Lane) {
        let step = self.place();
        lane.every(&|| Item::Loss { step, loss });
    }

    fn record(&mut self, record: Box<Ingested>, lane: &mut dyn Lane) {
        let step = self.place();
        let moved = self.clock.frame(record.ts);
        let file = record.out.flows.first().map_or(0, |f| f.file);
        self.moved(moved, step, file, lane);
        self.in_batch += record.len();
        lane.record(step + 1, record);
    }

    fn flush(&mut self, source: &dyn Source, stage: &mut dyn Stage, lane: &mut dyn Lane) -> std::io::Result<()> {
        (self.in_batch, self.batch_start) = (0, self.clock.now());
        let end = self.last().saturating_add(1);
        lane.flush(Some(end), &mut |out, upto| self.hand(out, upto, source, stage))
    }

    /// Hands what is complete up to a step to the ordered stage.
    fn hand(&mut self, out: &mut Out, upto: u64, source: &dyn Source, stage: &mut dyn Stage) -> std::io::Result<()> {
        time_breaks(&mut self.breaks, upto, out);
        self.hits.add(&out.hits);
        let ticks = std::mem::take(&mut self.ticks);
        let (interfaces, bytes, now) = (source.interfaces(), self.counts.bytes, self.clock.now());
        stage.batch(out, Seen { interfaces, bytes, now, ticks: &ticks })
    }

    fn finish(
        mut self,
        source: &mut dyn Source,
        stage: &mut dyn Stage,
        lane: &mut dyn Lane,
    ) -> std::io::Result<Counts> {
        let (step, now) = (self.last().saturating_add(2), self.clock.end());
        source.losses().into_iter().for_each(|loss| lane.every(&|| Item::Loss { step, loss }));
        let frames = self.since_tick;
        lane.every(&|| Item::Tick { step, now, frames });
        incomplete(self.decoder.finish(), step + 1, lane);
        lane.every(&|| Item::Finish { step: step + 2, now });
        lane.flush(None, &mut |out, upto| self.hand(out, upto, source, stage))?;
        stage.finish(Key { step: step + 4, ..Key::default() }, now, source.interfaces())?;
        self.counts.hits.add(&self.hits);
        self.counts.hits.add(self.decoder.limit_hits());
        self.counts.panics = lane.panics();
        Ok(self.counts)
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

/// Writes the `time_break` rows up to a step.
fn time_breaks(breaks: &mut VecDeque<Break>, upto: u64, out: &mut Out) {
    while let Some(Break { step, before, after, file }) = breaks.pop_front_if(|b| b.step <= upto) {
        let flow = FlowRef((out.flows.len() as u32).saturating_mul(2));
        out.flows.push(FlowConst { file, vlans: [0xffff; 2], ..FlowConst::default() });
        let stamp = Stamp { key: Key { step, ..Key::default() }, ts: after, frame: 0, flow, repeat: false };
        out.append(stamp, TimeBreak { before, after, step: Span(before.since(after)) });
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use capture::LinkType;
    use gwcore::time::SECOND;
    use testkit::Session;

    use super::*;

    /// Frames with their times; tells of a loss after every thousandth.
    struct Given {
        frames: Vec<(i64, Vec<u8>)>,
        next: usize,
        lost: Vec<Loss>,
    }

    impl Source for Given {
        fn next(&mut self) -> Option<Input<'_>> {
            let (ts, data) = self.frames.get(self.next)?;
            self.next += 1;
            let n = self.next as u64;
            if n.is_multiple_of(100) {
                self.lost.push(Loss { from: Ts(ts - 1), to: Ts(*ts), lost: n, seen: 1 });
            }
            let wire_len = data.len() as u32;
            let (seq, link) = (n - 1, LinkType::ETHERNET);
            Some(Input::Frame(Frame { seq, ts: Ts(*ts), file: 0, number: n, interface: 0, link, wire_len, data }))
        }
        fn interfaces(&self) -> &[String] {
            &[]
        }
        fn losses(&mut self) -> Vec<Loss> {
            std::mem::take(&mut self.lost)
        }
    }

    /// All that comes, as text in its order by kind, and the most facts that came at once.
    #[derive(Default)]
    struct All {
        facts: Vec<String>,
        rows: std::collections::BTreeMap<&'static str, Vec<String>>,
        most: usize,
    }

    impl Stage for All {
        fn batch(&mut self, out: &mut Out, _: Seen<'_>) -> std::io::Result<()> {
            self.most = self.most.max(out.facts.len());
            let flow = |f: FlowRef| (out.flows[f.index()], f.reversed());
            self.facts.extend(out.facts.iter().map(|f| format!("{:?} {:?} {:?}", f.key, flow(f.flow), f.body)));
            for kind in out.kinds() {
                let rows = kind.stamps().iter().map(|s| format!("{:?} {} {:?}", s.key, s.frame, flow(s.flow)));
                self.rows.entry(kind.kind().name).or_default().extend(rows);
            }
            Ok(())
        }
        fn finish(&mut self, _: Key, _: Ts, _: &[String]) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// Masters that read two thousand coils each time, at once; the clock goes back in the middle.
    fn coils(masters: u8, times: u16) -> Vec<(i64, Vec<u8>)> {
        let mut frames: Vec<(i64, Vec<u8>)> = Vec::new();
        for master in 0..masters {
            let mut s = Session::new(1_000 * SECOND + i64::from(master), 502);
            (s.acks, s.client.ip) = (false, Ipv4Addr::new(10, 0, 1, master).into());
            s.open();
            for n in 0..times {
                let [a, b] = n.to_be_bytes();
                s.client(&[a, b, 0, 0, 0, 6, 1, 1, 0, 0, 0x07, 0xd0]);
                let values = (0..250u16).map(|i| (i * 7 + n * 13) as u8);
                s.server(&[a, b, 0, 0, 0, 253, 1, 1, 250].into_iter().chain(values).collect::<Vec<_>>());
            }
            frames.append(&mut s.close().frames);
        }
        frames.sort();
        let middle = frames.len() / 2;
        frames.iter_mut().skip(middle).for_each(|f| f.0 -= 500 * SECOND);
        frames
    }

    fn run_on(threads: usize, frames: Vec<(i64, Vec<u8>)>) -> (All, Counts) {
        let (packet, flow) = (packet::Options::default(), flow::Options::default());
        let limits = Limits::default();
        let (batch_time, stop) = (Options::FILES, Stop::default());
        let options = Options { threads, limits, detail: Detail::Full, packet, flow, batch_time, stop };
        let mut all = All::default();
        let counts = analyze(&mut Given { frames, next: 0, lost: Vec::new() }, &options, &mut all).unwrap();
        (all, counts)
    }

    #[test]
    fn few_facts_come_at_once_however_many_a_frame_causes_and_threads_change_nothing() {
        let (one, counts) = run_on(1, coils(3, 60));
        assert!(one.facts.len() > 3 * 60 * 2_000, "{}", one.facts.len());
        assert!(one.most < BATCH_FACTS + 4_096, "{}", one.most);
        assert_eq!((counts.time_breaks, one.rows["time_break"].len()), (1, 1));
        assert_eq!(one.facts.iter().filter(|f| f.contains("Loss {")).count(), 3);
        for threads in [2, 3] {
            let (all, _) = run_on(threads, coils(3, 60));
            assert!(all.most < BATCH_FACTS + threads * 4_096, "{threads} threads: {}", all.most);
            assert!(all.facts == one.facts && all.rows == one.rows, "{threads} threads");
        }
    }
}
