//! What a worker emits: rows by kind, the constants of the flows they belong to, and facts, each under its place in the input.

use std::any::Any;

use crate::{Addr, Column, Columns, Fact, Finding, Kind, LimitHits, Mac, Record, Ts, Uid};

/// The place of a row in the ordered stage: the frame that caused it, then the shard, then the order within the frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Key {
    /// Twice the place of the frame in the input, plus one for what the frame itself caused (even: the tick before it).
    pub step: u64,
    /// Which of the 32 shards.
    pub shard: u8,
    /// Order within step and shard.
    pub sub: u32,
}

/// What is constant for a flow; rows refer to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FlowConst {
    /// Identity of the conversation.
    pub uid: Uid,
    /// IP address of the originator; none without IP.
    pub src: Addr,
    /// IP address of the responder.
    pub dst: Addr,
    /// Port of the originator (for ICMP its type, without IP the EtherType).
    pub src_port: u16,
    /// Port of the responder (for ICMP the type of the answer or the code).
    pub dst_port: u16,
    /// MAC address of the originator, from the flow's first packet.
    pub src_mac: Mac,
    /// MAC address of the responder.
    pub dst_mac: Mac,
    /// Outer and inner VLAN, 0xffff for none.
    pub vlans: [u16; 2],
    /// IP protocol, 0 without IP.
    pub ip_proto: u8,
    /// Index of the interface.
    pub interface: u32,
    /// Index of the file.
    pub file: u32,
}

/// A row's reference to its flow: index into [`Out::flows`] times two, plus one when the responder sent it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FlowRef(pub u32);

impl FlowRef {
    /// Index into the flow constants.
    pub fn index(self) -> usize {
        (self.0 >> 1) as usize
    }
    /// Whether the responder sent it.
    pub fn reversed(self) -> bool {
        self.0 & 1 == 1
    }
}

/// Which of the exchanges that repeat themselves become rows: same flow, same request, answer of the same shape for the third time or later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// None.
    #[default]
    Summary,
    /// All, as any other.
    Full,
    /// All, and their stamps say so, for outputs of which some show them and some do not.
    Marked,
}

/// Where and when a row belongs: what every record carries beside its own fields.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// Place in the ordered stage.
    pub key: Key,
    /// Time of the record.
    pub ts: Ts,
    /// Number of the frame in its file, 0 for none.
    pub frame: u64,
    /// Its flow and direction.
    pub flow: FlowRef,
    /// Whether it is of a repeat that the summary leaves out; told only with [`Detail::Marked`].
    pub repeat: bool,
}

/// Rows of one kind with their stamps.
#[derive(Default)]
pub struct Rows<C> {
    stamps: Vec<Stamp>,
    columns: C,
}

/// Rows of a kind known only at run time.
pub trait AnyRows: Send {
    /// The kind.
    fn kind(&self) -> &'static Kind;
    /// The stamps, one a row.
    fn stamps(&self) -> &[Stamp];
    /// The columns in the order of the kind's fields.
    fn columns(&self) -> Vec<&dyn Column>;
    /// Appends a row of another of the same kind, its flow index moved by `flow_base`.
    fn append_from(&mut self, other: &dyn AnyRows, row: usize, flow_base: u32);
    /// The stamp of the last row, to change.
    fn last_stamp_mut(&mut self) -> Option<&mut Stamp>;
    /// An empty one of the same kind.
    fn fresh(&self) -> Box<dyn AnyRows>;
    /// Forgets all rows.
    fn clear(&mut self);
    /// For telling the type.
    fn as_any(&self) -> &dyn Any;
    /// For telling the type.
    fn as_any_mut(&mut self) -> &mut dyn Any;
    /// Bytes held.
    fn bytes(&self) -> usize {
        size_of_val(self.stamps()) + self.columns().iter().map(|c| c.bytes()).sum::<usize>()
    }
}

impl<C: Columns> AnyRows for Rows<C> {
    fn kind(&self) -> &'static Kind {
        C::kind()
    }
    fn stamps(&self) -> &[Stamp] {
        &self.stamps
    }
    fn columns(&self) -> Vec<&dyn Column> {
        self.columns.columns()
    }
    fn append_from(&mut self, other: &dyn AnyRows, row: usize, flow_base: u32) {
        let Some(other) = other.as_any().downcast_ref::<Self>() else { return };
        let Some(mut stamp) = other.stamps.get(row).copied() else { return };
        stamp.flow.0 = stamp.flow.0.saturating_add(flow_base.saturating_mul(2));
        self.stamps.push(stamp);
        self.columns.append_from(&other.columns, row);
    }
    fn last_stamp_mut(&mut self) -> Option<&mut Stamp> {
        self.stamps.last_mut()
    }
    fn fresh(&self) -> Box<dyn AnyRows> {
        Box::<Self>::default()
    }
    fn clear(&mut self) {
        self.stamps.clear();
        self.columns.clear();
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

/// What one worker emitted in one batch.
#[derive(Default)]
pub struct Out {
    kinds: Vec<Option<Box<dyn AnyRows>>>,
    /// Constants of the flows that rows and facts refer to.
    pub flows: Vec<FlowConst>,
    /// Facts for the ordered stage, in order of their keys.
    pub facts: Vec<Fact>,
    /// Limits hit.
    pub hits: LimitHits,
}

impl Out {
    /// Appends one record.
    #[inline]
    pub fn append<R: Record>(&mut self, stamp: Stamp, record: R) {
        let slot = R::Columns::kind().slot();
        if self.kinds.len() <= slot {
            self.kinds.resize_with(slot + 1, || None);
        }
        let rows = self.kinds[slot].get_or_insert_with(|| Box::<Rows<R::Columns>>::default());
        if let Some(rows) = rows.as_any_mut().downcast_mut::<Rows<R::Columns>>() {
            rows.stamps.push(stamp);
            record.append(&mut rows.columns);
        }
    }

    /// Appends a row that another worker emitted.
    pub fn append_row(&mut self, from: &dyn AnyRows, row: usize, flow_base: u32) {
        let slot = from.kind().slot();
        if self.kinds.len() <= slot {
            self.kinds.resize_with(slot + 1, || None);
        }
        self.kinds[slot].get_or_insert_with(|| from.fresh()).append_from(from, row, flow_base);
    }

    /// Appends a row that was made elsewhere, at another step.
    pub fn append_row_at(&mut self, from: &dyn AnyRows, row: usize, flow_base: u32, step: u64) {
        self.append_row(from, row, flow_base);
        let rows = self.kinds.get_mut(from.kind().slot()).and_then(Option::as_mut);
        if let Some(stamp) = rows.and_then(|r| r.last_stamp_mut()) {
            stamp.key.step = step;
        }
    }

    /// The rows by kind, in order of the kinds' names; kinds without rows are left out.
    pub fn kinds(&self) -> Vec<&dyn AnyRows> {
        let mut kinds: Vec<_> = self.kinds.iter().flatten().map(|k| &**k).filter(|k| !k.stamps().is_empty()).collect();
        kinds.sort_by_key(|k| k.kind().name);
        kinds
    }

    /// The rows of one kind by its slot.
    pub fn rows(&self, slot: usize) -> Option<&dyn AnyRows> {
        self.kinds.get(slot)?.as_deref()
    }

    /// The rows that are no repeats, with all flows and without facts; none where there are no repeats.
    pub fn without_repeats(&self) -> Option<Out> {
        let mut rows = self.kinds.iter().flatten().map(|k| k.stamps());
        if !rows.any(|stamps| stamps.iter().any(|s| s.repeat)) {
            return None;
        }
        let mut out = Out { flows: self.flows.clone(), ..Out::default() };
        for kind in self.kinds.iter().flatten() {
            for (row, _) in kind.stamps().iter().enumerate().filter(|(_, s)| !s.repeat) {
                out.append_row(&**kind, row, 0);
            }
        }
        Some(out)
    }

    /// Whether nothing was emitted.
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty() && self.kinds.iter().flatten().all(|k| k.stamps().is_empty())
    }

    /// Forgets everything, keeps the memory.
    pub fn clear(&mut self) {
        self.kinds.iter_mut().flatten().for_each(|k| k.clear());
        self.flows.clear();
        self.facts.clear();
        self.hits = LimitHits::default();
    }
}

/// Names that rows refer to by index.
#[derive(Clone, Copy, Debug, Default)]
pub struct Names<'a> {
    /// Files as found under PATH.
    pub files: &'a [String],
    /// Interfaces.
    pub interfaces: &'a [String],
}

/// Whatever takes the merged rows of a batch, in order: a Parquet writer, a text view.
pub trait Sink {
    /// Takes the rows of one batch; every row lies after those of the batch before.
    fn rows(&mut self, out: &Out, names: Names<'_>) -> std::io::Result<()>;
    /// Whether it shows repeats whatever the detail asked for, as formats do that other tools read.
    fn shows_repeats(&self) -> bool {
        false
    }
    /// The last revision of findings, by time; for formats that show findings beside records.
    fn findings(&mut self, _findings: &[&Finding], _names: Names<'_>) -> std::io::Result<()> {
        Ok(())
    }
    /// No more rows will come: close what is open.
    fn finish(&mut self, names: Names<'_>) -> std::io::Result<()>;
}
