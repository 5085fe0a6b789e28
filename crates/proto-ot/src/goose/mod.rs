//! IEC 61850 GOOSE: every message with its header, typed values and state, and what a subscriber would notice: numbers that go back or are left
//! out, a time to live that ran out, another configuration, a simulation bit (IEC 61850-8-1 §18, annexes A and C; EtherType 0x88B8).
//!
//! Limits: `Limit::ControlBlocks` control blocks of a flow are followed; values nest `Limit::Nesting` deep; `Limit::Repeats`. A copy of a message
//! (PRP, two paths) is no error; a copy of the last message counts as such within its time to live, of an earlier one within 20 ms.

mod ber;
mod parse;
mod record;
mod state;
#[cfg(test)]
mod tests;
mod value;

use std::ops::Range;

use gwcore::{Body, Limit, PointId, Published, Sample};
use proto::{Carrier, Cx, Dir, Hint, Parser, Probe, Repeats, Step};

pub use record::{GooseColumns, GooseMessage};

use parse::Message;
use state::{Blocks, Changes, State};
use value::Entries;

const NAME: &str = "goose";
/// EtherType of GOOSE.
const ETHERTYPE: u16 = 0x88b8;

/// The parser of one flow.
#[derive(Default)]
pub struct Goose {
    blocks: Blocks,
    repeats: Repeats,
    told: [bool; 2],
    texts: Texts,
}

impl Parser for Goose {
    const NAME: &'static str = NAME;
    const CARRIERS: &'static [Carrier] = &[Carrier::Link];
    const IS_OT: bool = true;

    /// The EtherType is this protocol's own, so that broken messages are its too.
    fn probe(_head: &[u8], hint: &Hint) -> Probe {
        if hint.port(ETHERTYPE) { Probe::Certain } else { Probe::No }
    }

    fn feed(&mut self, dir: Dir, data: &[u8], cx: &mut Cx<'_>) -> Step {
        self.expire(cx);
        match parse::parse(data) {
            Ok(message) => self.message(dir, &message, cx),
            Err(reason) => cx.anomaly(NAME, reason, &[]),
        }
        if let Some(at) = self.blocks.deadline() {
            cx.wake(at);
        }
        Step::Done
    }

    fn wake(&mut self, cx: &mut Cx<'_>) {
        self.expire(cx);
        if let Some(at) = self.blocks.deadline() {
            cx.wake(at);
        }
    }
}

impl Goose {
    fn expire(&mut self, cx: &mut Cx<'_>) {
        for block in self.blocks.iter_mut() {
            if block.expires(cx.now()) {
                cx.anomaly(NAME, "ttl_expired", block.gocb_ref());
            }
        }
    }

    fn message(&mut self, dir: Dir, m: &Message<'_>, cx: &mut Cx<'_>) {
        if !std::mem::replace(&mut self.told[dir.index()], true) {
            cx.fact(Body::Role("publisher"));
        }
        let (block, full) = self.blocks.of(m, cx.limits.get(Limit::ControlBlocks));
        if full {
            cx.hit(Limit::ControlBlocks);
        }
        let Some(block) = block else { return };
        let before = block.numbers();
        let (state, copies, changes) = block.take(m, cx.now());
        let depth = cx.limits.get(Limit::Nesting);
        let sound = self.texts.fill(m.all_data.unwrap_or_default(), depth);
        let fault = m.fault.or_else(|| entries_fault(m)).or((!sound).then_some("bad_value"));
        tell(m, state, before, changes, fault, cx);
        if state != State::Copy {
            published(m, cx);
            samples(m, cx);
        }
        let plain = fault.is_none() && changes == Changes::default() && state.is_regular();
        let values = (m.st_num, state::values_of(m));
        let is_repeat = cx.tells_repeats() && plain && self.repeats.is_repeat(m.gocb_ref, values, cx.limits);
        cx.exchange(is_repeat, |cx| emit(m, &self.texts, state, copies, cx));
    }
}

/// Whether the data set holds what is stated.
fn entries_fault(m: &Message<'_>) -> Option<&'static str> {
    let mut entries = Entries::new(m.all_data?);
    let n = entries.by_ref().count() as u64;
    if entries.left() > 0 {
        return Some("malformed");
    }
    m.num_entries.is_some_and(|stated| stated != n).then_some("entry_count")
}

/// Says what is wrong with a message, and what changed.
fn tell(
    m: &Message<'_>,
    state: State,
    before: Option<(u64, u64)>,
    changes: Changes,
    fault: Option<&'static str>,
    cx: &mut Cx<'_>,
) {
    let reference = m.gocb_ref.unwrap_or_default();
    if let Some(reason) = fault {
        cx.anomaly(NAME, reason, reference);
    }
    if !state.is_regular()
        && let (Some((st, sq)), Some(now_st), Some(now_sq)) = (before, m.st_num, m.sq_num)
    {
        cx.anomaly(NAME, state.name(), format!("stNum/sqNum {st}/{sq} then {now_st}/{now_sq}").as_bytes());
    }
    let told = [
        (changes.conf_rev, "confrev_changed"),
        (changes.data_set, "dataset_changed"),
        (changes.simulation, "simulation_set"),
        (changes.values, "values_without_stnum"),
    ];
    for (_, reason) in told.iter().filter(|(so, _)| *so) {
        cx.anomaly(NAME, reason, reference);
    }
}

/// Hands on what a subscriber judges a message by; none without its numbers.
fn published(m: &Message<'_>, cx: &mut Cx<'_>) {
    let (Some(state), Some(sequence)) = (m.st_num, m.sq_num) else { return };
    cx.fact(Body::Published(Box::new(Published {
        proto: NAME,
        stream: String::from_utf8_lossy(m.gocb_ref.unwrap_or_default()).into(),
        state,
        sequence,
        changed: m.t.map(value::utc_time).filter(|t| t.0 != 0),
        ttl: state::ttl_of(m),
        values: state::values_of(m),
        data_set: state::data_set_of(m),
        revision: m.conf_rev.unwrap_or(0),
        simulated: state::is_simulated(m),
    })));
}

/// Hands on the value of each entry; the quality that follows a value in the data set is its own.
fn samples(m: &Message<'_>, cx: &mut Cx<'_>) {
    let depth = cx.limits.get(Limit::Nesting);
    let sound = m.simulation != Some(true) && !m.header_simulation;
    let mut entries = Entries::new(m.all_data.unwrap_or_default()).zip(0u32..).peekable();
    while let Some(((tag, content), address)) = entries.next() {
        let Some((value, discrete)) = value::number(tag, content, depth) else { continue };
        let inner = Entries::new(content).filter(|_| tag == 0xa2).find_map(|(t, c)| value::quality(t, c));
        let next = entries.peek().and_then(|((t, c), _)| value::quality(*t, c));
        let good = sound && inner.or(next).unwrap_or(true);
        let point = PointId { table: NAME, unit: u32::from(m.appid), address };
        cx.sample(Sample { proto: NAME, point, value, discrete, good, write: false });
    }
}

/// The entries of a message as text, kept to be filled again.
#[derive(Default)]
struct Texts {
    text: Vec<u8>,
    ranges: Vec<Range<usize>>,
    types: Vec<&'static str>,
}

impl Texts {
    /// Takes in the entries; false when one was not understood.
    fn fill(&mut self, all_data: &[u8], depth: usize) -> bool {
        self.text.clear();
        self.ranges.clear();
        self.types.clear();
        let mut sound = true;
        for (tag, content) in Entries::new(all_data) {
            let start = self.text.len();
            sound &= value::write(tag, content, depth, &mut self.text);
            self.ranges.push(start..self.text.len());
            self.types.push(value::type_name(tag));
        }
        sound
    }
}

fn emit(m: &Message<'_>, texts: &Texts, state: State, copies: u32, cx: &mut Cx<'_>) {
    let values: Vec<&[u8]> = texts.ranges.iter().map(|r| texts.text.get(r.clone()).unwrap_or_default()).collect();
    let quality = m.t.map(|[.., q]| q);
    let t_quality = quality.map(time_quality);
    cx.emit(GooseMessage {
        appid: m.appid,
        length: m.length,
        gocb_ref: m.gocb_ref,
        data_set: m.data_set,
        go_id: m.go_id,
        t: m.t.map(value::utc_time),
        t_quality: t_quality.as_deref(),
        t_accuracy: quality.map(|q| q & 0x1f).filter(|bits| *bits != 31),
        st_num: m.st_num,
        sq_num: m.sq_num,
        ttl_ms: m.ttl_ms,
        conf_rev: m.conf_rev,
        simulation: m.simulation,
        header_simulation: m.header_simulation,
        nds_com: m.nds_com,
        num_entries: m.num_entries,
        values: &values,
        value_types: &texts.types,
        state: state.name(),
        copies: copies.saturating_add(1),
    });
}

/// TimeQuality (IEC 61850-7-2 §6.1.2.9).
fn time_quality(q: u8) -> Vec<&'static str> {
    let words = [
        (q & 0x60 == 0, "synchronized"),
        (q & 0x40 != 0, "clock_failure"),
        (q & 0x20 != 0, "clock_not_synchronized"),
        (q & 0x80 != 0, "leap_seconds_known"),
    ];
    words.into_iter().filter(|(so, _)| *so).map(|(_, word)| word).collect()
}
