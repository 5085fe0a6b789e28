//! What enters the pipeline: frames, and what is no frame: ticks of a live interface, losses, records of other sources, and silence.

use std::sync::Arc;

use capture::{Frame, Loss};
use gwcore::{Body, Fact, FlowConst, FlowRef, Key, LimitHits, Out, Record, Stamp, Ts};

/// Shard in the keys of rows and facts that come from no packet: after the 32 shards and what belongs to none of them.
pub(crate) const INGESTED: u8 = crate::strays::BEYOND + 1;

/// One thing that a source gives.
#[allow(clippy::large_enum_variant)]
pub enum Input<'a> {
    /// A frame.
    Frame(Frame<'a>),
    /// Time went on, with or without traffic.
    Tick(Tick),
    /// Frames that an interface or a capture lost.
    Loss(Loss),
    /// Rows and facts that come from no packet: flow exports, log lines.
    Record(Box<Ingested>),
    /// There is nothing at the moment, and there may be later: what has been read so far goes on to the ordered stage now.
    Idle,
}

impl<'a> From<Frame<'a>> for Input<'a> {
    fn from(frame: Frame<'a>) -> Self {
        Input::Frame(frame)
    }
}

/// What a live interface tells once a second, by the clock that its frames are stamped with. It drives packet time when there is no traffic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tick {
    /// When.
    pub now: Ts,
    /// When the interface told last; the same as `now` the first time.
    pub since: Ts,
    /// Index in [`Source::interfaces`].
    pub interface: u32,
    /// Frames given since then.
    pub frames: u64,
    /// Their bytes on the wire.
    pub bytes: u64,
    /// Frames that were lost since then, between interface and source; each stretch of losses becomes a fact.
    pub drops: u64,
}

/// Where the input comes from, in order.
pub trait Source {
    /// The next of it; none at the end. A source of files never is idle; a live one blocks for at most 100 ms, then it is.
    fn next(&mut self) -> Option<Input<'_>>;
    /// Names of the interfaces met so far.
    fn interfaces(&self) -> &[String];
    /// Losses that the input told of since the last call; they are told at the place of the frame that comes next.
    fn losses(&mut self) -> Vec<Loss> {
        Vec::new()
    }
}

impl Source for capture::Merge {
    fn next(&mut self) -> Option<Input<'_>> {
        capture::Merge::next(self).map(Input::Frame)
    }
    fn interfaces(&self) -> &[String] {
        capture::Merge::interfaces(self)
    }
    fn losses(&mut self) -> Vec<Loss> {
        capture::Merge::losses(self)
    }
}

impl Source for capture::Single {
    fn next(&mut self) -> Option<Input<'_>> {
        capture::Single::next(self).map(Input::Frame)
    }
    fn interfaces(&self) -> &[String] {
        capture::Single::interfaces(self)
    }
    fn losses(&mut self) -> Vec<Loss> {
        capture::Single::losses(self)
    }
}

/// Rows and facts that come from no packet, in the order in which they are added. They stand in the ordered stage at the place where the
/// source gave them, and everything after that (devices, detectors, sinks) takes them like those of packets.
///
/// One of them may hold as much as came in one message: the flows of a NetFlow datagram, a line of a log. Its time moves packet time as a
/// frame's does.
#[derive(Default)]
pub struct Ingested {
    pub(crate) ts: Ts,
    pub(crate) out: Out,
    sub: u32,
    len: usize,
}

impl Ingested {
    /// Nothing yet; `ts` is when the message came, by the clock of the source.
    pub fn new(ts: Ts) -> Ingested {
        Ingested { ts, ..Ingested::default() }
    }

    /// Something that rows and facts belong to: a conversation, or a host that says something of itself (its address is `src` then). `file`
    /// is the index of the source. Returns the reference for what its originator did; [`Ingested::reversed`] gives the other one.
    pub fn flow(&mut self, constant: FlowConst) -> FlowRef {
        let index = u32::try_from(self.out.flows.len()).unwrap_or(u32::MAX >> 1);
        self.out.flows.push(constant);
        FlowRef(index.saturating_mul(2))
    }

    /// The same flow, for what its responder did.
    pub fn reversed(flow: FlowRef) -> FlowRef {
        FlowRef(flow.0 ^ 1)
    }

    /// A row of any kind; `number` is that of the message or line in its source, from 1, where packets have that of their frame.
    pub fn row<R: Record>(&mut self, ts: Ts, number: u64, flow: FlowRef, record: R) {
        let key = self.key();
        self.out.append(Stamp { key, ts, frame: number, flow, repeat: false }, record);
    }

    /// A fact.
    pub fn fact(&mut self, ts: Ts, number: u64, flow: FlowRef, body: Body) {
        let key = self.key();
        self.out.facts.push(Fact { key, ts, frame: number, flow, body });
    }

    /// Counts limits that the source hit.
    pub fn hits(&mut self, hits: &LimitHits) {
        self.out.hits.add(hits);
    }

    /// Rows and facts held.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn key(&mut self) -> Key {
        (self.sub, self.len) = (self.sub.saturating_add(1), self.len + 1);
        Key { step: 0, shard: INGESTED, sub: self.sub }
    }

    /// Appends all of it to what a worker emits, at its place in the input.
    pub(crate) fn append_to(&self, step: u64, out: &mut Out) {
        let base = u32::try_from(out.flows.len()).unwrap_or(u32::MAX);
        out.flows.extend_from_slice(&self.out.flows);
        out.hits.add(&self.out.hits);
        for kind in self.out.kinds() {
            for row in 0..kind.stamps().len() {
                out.append_row_at(kind, row, base, step);
            }
        }
        let placed = |f: &Fact| Fact {
            key: Key { step, ..f.key },
            flow: FlowRef(f.flow.0.saturating_add(base.saturating_mul(2))),
            ..f.clone()
        };
        out.facts.extend(self.out.facts.iter().map(placed));
    }
}

/// Asks a run to end: what has been read is finished as at the end of files. Copies share it.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<std::sync::atomic::AtomicBool>);

impl Stop {
    /// Asks for it.
    pub fn stop(&self) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }

    /// Whether it was asked for.
    pub fn is_asked(&self) -> bool {
        self.0.load(std::sync::atomic::Ordering::Relaxed)
    }
}
