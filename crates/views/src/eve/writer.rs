//! The EVE sink: all kinds of a batch merged in the order of the stream.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use gwcore::{Finding, Kind, Names, Out, Sink, Stamp, Value, common};

use super::{EVENTS, End, Event, alert, head};
use crate::bind::{self, Bound, BoundWhen, CommunityId, RowCx, Table};
use crate::cache::FlowTexts;
use crate::cell::{Cell, Style};
use crate::file::TextFile;
use crate::object::{Children, Keys};
use crate::text::{self, Clock};

/// Whether kinds that EVE does not know are written under their own names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own {
    /// They are (`--logs eve+own`).
    Written,
    /// Only what Suricata would write too.
    LeftOut,
}

/// Writes `eve.json`, created with its first event.
pub struct EveSink {
    folder: PathBuf,
    own: Own,
    /// The fixed number of a detector by its name.
    number: fn(&str) -> u32,
    file: Option<TextFile>,
    community_id: CommunityId,
    /// By the kind's slot, once the kind was seen.
    kinds: Vec<Option<KindEvents>>,
    flows: FlowTexts,
    clock: Clock,
}

/// How a kind is shown.
enum KindEvents {
    Known(Vec<BoundEvent>),
    /// Under its own name, with its own fields.
    Own {
        label: Vec<u8>,
        open: Vec<u8>,
        keys: Keys,
    },
}

/// An event type bound to its kind.
struct BoundEvent {
    event: &'static Event,
    /// `,"event_type":"TYPE"`.
    label: Vec<u8>,
    when: BoundWhen,
    wants_pair: bool,
    delay: Option<usize>,
    frame: Option<usize>,
    /// Members in order, between marks where an object opens and closes.
    steps: Vec<Step>,
}

enum Step {
    Open(Vec<u8>),
    Close,
    Member(Vec<u8>, Bound),
}

/// The rows of a kind in this batch.
struct Batch<'a> {
    table: Table<'a>,
    children: Vec<(Table<'a>, Range<usize>)>,
    nested: Children<'a>,
}

impl EveSink {
    /// Writes below `dir`; `number` gives the fixed number of a detector by its name.
    pub fn new(dir: &Path, community_id: CommunityId, own: Own, number: fn(&str) -> u32) -> EveSink {
        let (folder, kinds, flows) = (dir.to_owned(), Vec::new(), FlowTexts::default());
        EveSink { folder, own, number, file: None, community_id, kinds, flows, clock: Clock::default() }
    }

    fn bind(&mut self, kind: &'static Kind) {
        let slot = kind.slot();
        if self.kinds.len() <= slot {
            self.kinds.resize_with(slot + 1, || None);
        }
        if let Some(place @ None) = self.kinds.get_mut(slot) {
            *place = Some(KindEvents::of(kind));
        }
    }
}

impl Sink for EveSink {
    fn rows(&mut self, out: &Out, names: Names<'_>) -> io::Result<()> {
        let kinds = out.kinds();
        let mut batches: Vec<Batch<'_>> = Vec::new();
        let mut order = Vec::new();
        for rows in kinds.iter().filter(|r| r.kind().parent.is_none()) {
            self.bind(rows.kind());
            order.extend(rows.stamps().iter().enumerate().map(|(row, s)| (s.key, batches.len(), row)));
            let is_child =
                |k: &&&dyn gwcore::AnyRows| k.kind().parent.is_some_and(|(name, _)| name == rows.kind().name);
            let children = kinds.iter().filter(is_child).map(|k| (Table::new(*k), 0..0)).collect();
            batches.push(Batch { table: Table::new(*rows), children, nested: Children::of(rows.kind(), &kinds) });
        }
        if order.is_empty() {
            return Ok(());
        }
        order.sort_by_key(|(key, ..)| *key);
        self.flows.start(out);
        let file = match &mut self.file {
            Some(file) => file,
            empty => empty.insert(TextFile::create(&self.folder, "eve.json")?),
        };
        let mut pen =
            Pen { out, names, community_id: self.community_id, flows: &mut self.flows, clock: &mut self.clock };
        for (_, at, row) in order {
            let Some(batch) = batches.get_mut(at) else { continue };
            let slot = batch.table.rows.kind().slot();
            match self.kinds.get(slot).and_then(Option::as_ref) {
                Some(KindEvents::Known(events)) => pen.known(&mut file.buffer, events, batch, row),
                Some(KindEvents::Own { label, open, keys }) if self.own == Own::Written => {
                    pen.own(&mut file.buffer, (label, open), keys, batch, row)
                }
                _ => {}
            }
            file.spill()?;
        }
        Ok(())
    }

    fn shows_repeats(&self) -> bool {
        true
    }

    fn findings(&mut self, findings: &[&Finding], names: Names<'_>) -> io::Result<()> {
        if findings.is_empty() {
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            empty => empty.insert(TextFile::create(&self.folder, "eve.json")?),
        };
        for f in findings {
            let number = (self.number)(f.detector);
            alert::write(&mut file.buffer, f, number, names, self.community_id, &mut self.clock);
            file.spill()?;
        }
        Ok(())
    }

    fn finish(&mut self, _: Names<'_>) -> io::Result<()> {
        self.file.take().map_or(Ok(()), |mut f| f.finish())
    }
}

/// Everything needed to write the events of a batch.
struct Pen<'a, 's> {
    out: &'a Out,
    names: Names<'a>,
    community_id: CommunityId,
    flows: &'s mut FlowTexts,
    clock: &'s mut Clock,
}

impl Pen<'_, '_> {
    fn known(&mut self, to: &mut Vec<u8>, events: &[BoundEvent], batch: &mut Batch<'_>, row: usize) {
        let Some(stamp) = batch.table.rows.stamps().get(row) else { return };
        for (table, range) in &mut batch.children {
            let mut from = range.end;
            *range = table.rows_of(stamp.key, &mut from);
        }
        let table = &batch.table;
        for event in events {
            let pair = bind::partner(table, row, event.wants_pair);
            if !event.when.holds(table, row, pair) {
                continue;
            }
            let own =
                |column: Option<usize>| column.and_then(|c| table.columns.get(c)).map_or(Value::Null, |c| c.value(row));
            let ts = bind::later(stamp.ts, own(event.delay));
            let frame = match own(event.frame) {
                Value::U64(frame) => frame,
                _ => stamp.frame,
            };
            let swap = match event.event.source {
                End::Originator => false,
                End::Responder => true,
                End::Sender => stamp.flow.reversed(),
            };
            self.head(to, &Stamp { ts, frame, ..*stamp }, swap, &event.label);
            let cx = RowCx {
                out: self.out,
                table,
                stamp,
                row,
                pair,
                parent: None,
                children: &batch.children,
                community_id: self.community_id,
            };
            event.write(to, &cx, self.clock);
            to.extend_from_slice(b"}\n");
        }
    }

    fn own(&mut self, to: &mut Vec<u8>, (label, open): (&[u8], &[u8]), keys: &Keys, batch: &mut Batch<'_>, row: usize) {
        let rows = batch.table.rows;
        let Some(stamp) = rows.stamps().get(row) else { return };
        let swap = stamp.flow.reversed() && rows.kind().grain.shows_sender();
        self.head(to, stamp, swap, label);
        to.extend_from_slice(open);
        let start = to.len();
        keys.write(to, &batch.table.columns, row, self.clock);
        batch.nested.write(to, stamp.key, self.clock);
        // The first member's comma becomes the brace.
        match to.get_mut(start) {
            Some(comma) => *comma = b'{',
            None => to.push(b'{'),
        }
        to.extend_from_slice(b"}}\n");
    }

    fn head(&mut self, to: &mut Vec<u8>, stamp: &Stamp, swap: bool, label: &[u8]) {
        to.extend_from_slice(b"{\"timestamp\":");
        text::quoted(to, |to| self.clock.eve(to, stamp.ts));
        let (out, names, community_id) = (self.out, self.names, self.community_id);
        let (first, second) = self.flows.of(out, stamp, swap, |to, ends| {
            head::flow_members(to, ends, out.flows.get(stamp.flow.index()), names, community_id)
        });
        to.extend_from_slice(first);
        if let Some(frame) = common::frame_of(stamp) {
            to.extend_from_slice(b",\"pcap_cnt\":");
            text::uint(to, frame);
        }
        to.extend_from_slice(label);
        to.extend_from_slice(second);
    }
}

impl KindEvents {
    fn of(kind: &'static Kind) -> KindEvents {
        let events: Vec<_> = EVENTS.iter().filter(|e| e.kind == kind.name).map(|e| BoundEvent::of(e, kind)).collect();
        if !events.is_empty() {
            return KindEvents::Known(events);
        }
        KindEvents::Own { label: label(kind.name), open: key(kind.name), keys: Keys::new(kind) }
    }
}

fn label(event_type: &str) -> Vec<u8> {
    let mut label = Vec::new();
    bind::json_key(&mut label, "event_type");
    text::json_string(&mut label, event_type);
    label
}

impl BoundEvent {
    fn of(event: &'static Event, kind: &Kind) -> BoundEvent {
        let mut steps = Vec::new();
        let mut open: Vec<&str> = Vec::new();
        for field in event.fields {
            let bound = field.from.bind(kind, None);
            if matches!(bound, Bound::Nothing) {
                continue;
            }
            let mut path: Vec<&str> = field.name.split('.').collect();
            let name = path.pop().unwrap_or_default();
            let shared = open.iter().zip(&path).take_while(|(a, b)| a == b).count();
            steps.extend(open.drain(shared..).map(|_| Step::Close));
            for part in path.into_iter().skip(shared) {
                steps.push(Step::Open(key(part)));
                open.push(part);
            }
            steps.push(Step::Member(key(name), bound));
        }
        steps.extend(open.iter().map(|_| Step::Close));
        let when = event.when.bind(kind);
        let wants_pair = event.fields.iter().any(|f| bind::wants_pair(&[f.from.bind(kind, None)], &when));
        let column = |name: Option<&str>| name.and_then(|n| bind::column(kind, n));
        BoundEvent {
            event,
            label: label(event.event_type),
            when,
            wants_pair,
            delay: column(event.delay),
            frame: column(event.frame),
            steps,
        }
    }

    /// Appends the members; an object without members leaves no trace.
    fn write(&self, to: &mut Vec<u8>, cx: &RowCx<'_>, clock: &mut Clock) {
        let mut opened = [(0, 0); MOST_LEVELS];
        let mut level = 0;
        for step in &self.steps {
            match step {
                Step::Open(key) => {
                    let before = to.len();
                    append_key(to, key);
                    to.push(b'{');
                    if let Some(place) = opened.get_mut(level) {
                        *place = (before, to.len());
                    }
                    level += 1;
                }
                Step::Close => {
                    level = level.saturating_sub(1);
                    match opened.get(level) {
                        Some((before, inside)) if *inside == to.len() => to.truncate(*before),
                        _ => to.push(b'}'),
                    }
                }
                Step::Member(key, bound) => {
                    let before = to.len();
                    append_key(to, key);
                    let value = to.len();
                    cx.write(bound, &mut Cell { out: to, style: Style::Eve, clock });
                    if to.len() == value {
                        to.truncate(before);
                    }
                }
            }
        }
    }
}

/// Deepest nesting of a view's paths; a test holds the tables to it.
pub(crate) const MOST_LEVELS: usize = 4;

/// `,"name":`.
fn key(name: &str) -> Vec<u8> {
    let mut key = Vec::new();
    bind::json_key(&mut key, name);
    key
}

fn append_key(to: &mut Vec<u8>, key: &[u8]) {
    let first = usize::from(to.last() == Some(&b'{'));
    to.extend_from_slice(key.get(first..).unwrap_or_default());
}
