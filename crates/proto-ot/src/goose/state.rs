//! What is remembered of each GOOSE control block, and how a message relates to the one before.

use std::hash::{DefaultHasher, Hash, Hasher};

use gwcore::Ts;
use gwcore::time::MILLI;

use super::parse::Message;
use super::value::Entries;

/// Messages remembered to recognise copies that come late.
const RECENT: usize = 4;
/// How late the copy of a message may come once a later one was seen, in nanoseconds: the difference of two paths, not a replay.
const PATH_SKEW: i64 = 20 * MILLI;
/// The same message later than this is no copy by another path but one sent again.
const COPY: i64 = 100 * MILLI;
/// Structures within structures that are looked into.
const NESTED: usize = 8;
/// Tags of MMS data (IEC 61850-8-1 Annex A): groups and times.
const ARRAY: u8 = 0xa1;
const STRUCTURE: u8 = 0xa2;
const GENERALIZED_TIME: u8 = 0x8b;
const BINARY_TIME: u8 = 0x8c;
const UTC_TIME: u8 = 0x91;
/// The standard's INT32U counters return to 1.
const COUNTER_MAX: u64 = u32::MAX as u64;

/// How a message relates to the one before of the same control block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// None before.
    First,
    /// Same state, next number.
    Retransmission,
    /// Next state.
    Change,
    /// The same message again.
    Copy,
    /// Same state, earlier number.
    SqBackwards,
    /// Numbers left out within a state or at its beginning.
    SqGap,
    /// Same numbers and content, after its time to live.
    SqRepeated,
    /// Earlier state.
    StBackwards,
    /// States left out.
    StJump,
    /// Same numbers, other content.
    ContentChanged,
    /// Numbers are missing.
    Unknown,
}

impl State {
    /// The word in the record.
    pub fn name(self) -> &'static str {
        match self {
            State::First => "first",
            State::Retransmission => "retransmission",
            State::Change => "change",
            State::Copy => "copy",
            State::SqBackwards => "sqnum_backwards",
            State::SqGap => "sqnum_gap",
            State::SqRepeated => "sqnum_repeated",
            State::StBackwards => "stnum_backwards",
            State::StJump => "stnum_jump",
            State::ContentChanged => "content_changed",
            State::Unknown => "unknown",
        }
    }

    /// Whether it is what a sound publisher does.
    pub fn is_regular(self) -> bool {
        matches!(self, State::First | State::Retransmission | State::Change | State::Copy)
    }
}

/// The numbers and the content of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    ts: Ts,
    st: u64,
    sq: u64,
    content: u64,
    copies: u32,
}

/// Things besides the numbers that changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Other configuration revision.
    pub conf_rev: bool,
    /// Other data set, or another number of entries.
    pub data_set: bool,
    /// Simulation bit set where it was not.
    pub simulation: bool,
    /// Other values under the same state number.
    pub values: bool,
}

/// One control block.
pub struct Block {
    gocb_ref: Box<[u8]>,
    recent: Vec<Seen>,
    conf_rev: Option<u64>,
    data_set: u64,
    simulation: bool,
    values: u64,
    ttl: i64,
    expired: bool,
}

fn hash(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// A hash of the values of a message, without its times: a TimeStamp has no trigger option (IEC 61850-7-2 §9.2), so that it may move without
/// a new state.
pub fn values_of(m: &Message<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    match m.all_data {
        Some(data) => untimed(data, NESTED, &mut hasher),
        None => 0.hash(&mut hasher),
    }
    hasher.finish()
}

/// Members of a data set, those of structures and arrays too; of times the tag alone.
fn untimed(data: &[u8], depth: usize, hasher: &mut DefaultHasher) {
    let mut entries = Entries::new(data);
    for (tag, content) in entries.by_ref() {
        tag.hash(hasher);
        match (tag, depth.checked_sub(1)) {
            (GENERALIZED_TIME | BINARY_TIME | UTC_TIME, _) => {}
            (ARRAY | STRUCTURE, Some(inner)) => untimed(content, inner, hasher),
            _ => content.hash(hasher),
        }
    }
    entries.left().hash(hasher);
}

/// Time allowed to live in nanoseconds, 0 for none.
pub fn ttl_of(m: &Message<'_>) -> i64 {
    m.ttl_ms.and_then(|ms| i64::try_from(ms).ok()).unwrap_or(0).saturating_mul(MILLI)
}

/// A hash of the data set's reference and its number of entries.
pub fn data_set_of(m: &Message<'_>) -> u64 {
    hash((m.data_set, m.num_entries))
}

/// Whether one of the two simulation bits is set.
pub fn is_simulated(m: &Message<'_>) -> bool {
    m.simulation == Some(true) || m.header_simulation
}

impl Block {
    fn new(m: &Message<'_>) -> Block {
        Block {
            gocb_ref: m.gocb_ref.unwrap_or_default().into(),
            recent: Vec::with_capacity(RECENT),
            conf_rev: m.conf_rev,
            data_set: data_set_of(m),
            simulation: false,
            values: values_of(m),
            ttl: 0,
            expired: false,
        }
    }

    fn last_ts(&self) -> Ts {
        self.recent.last().map_or(Ts(i64::MIN), |s| s.ts)
    }

    /// When the time to live of its last message runs out; none when it did or none was stated.
    pub fn deadline(&self) -> Option<Ts> {
        let last = self.recent.last()?;
        (!self.expired && self.ttl > 0).then(|| last.ts.plus(self.ttl).plus(1))
    }

    /// Whether its time to live has run out now, told once.
    pub fn expires(&mut self, now: Ts) -> bool {
        let late = self.deadline().is_some_and(|d| now >= d);
        self.expired |= late;
        late
    }

    /// The reference of the control block.
    pub fn gocb_ref(&self) -> &[u8] {
        &self.gocb_ref
    }

    /// State and sequence number of its last message.
    pub fn numbers(&self) -> Option<(u64, u64)> {
        self.recent.last().map(|s| (s.st, s.sq))
    }

    /// Takes a message in; gives back how it relates to those before, how many copies of it there were, and what else changed.
    pub fn take(&mut self, m: &Message<'_>, now: Ts) -> (State, u32, Changes) {
        let (Some(st), Some(sq)) = (m.st_num, m.sq_num) else { return (State::Unknown, 0, Changes::default()) };
        let content = hash((m.t, m.data_set, m.conf_rev, m.simulation, m.header_simulation, m.all_data));
        let seen = Seen { ts: now, st, sq, content, copies: 0 };
        if let Some(copies) = self.copy(&seen) {
            return (State::Copy, copies, Changes::default());
        }
        let state = self.relate(&seen);
        let changes = self.changes(m, state);
        if self.recent.len() >= RECENT {
            self.recent.remove(0);
        }
        self.recent.push(seen);
        (self.ttl, self.expired) = (ttl_of(m), false);
        (state, 0, changes)
    }

    /// Counts a copy of the last message within a tenth of a second, or of an earlier one within the difference of two paths.
    fn copy(&mut self, new: &Seen) -> Option<u32> {
        let last = self.recent.len().checked_sub(1)?;
        let ttl = self.ttl;
        let same = |(i, old): &(usize, &mut Seen)| {
            let room = if *i == last { ttl.min(COPY) } else { PATH_SKEW };
            (old.st, old.sq, old.content) == (new.st, new.sq, new.content) && (0..=room).contains(&new.ts.since(old.ts))
        };
        let (_, old) = self.recent.iter_mut().enumerate().find(same)?;
        old.copies = old.copies.saturating_add(1);
        Some(old.copies)
    }

    fn relate(&self, new: &Seen) -> State {
        let Some(old) = self.recent.last() else { return State::First };
        let next = |n: u64| if n >= COUNTER_MAX { 1 } else { n + 1 };
        if new.st == old.st {
            return match new.sq {
                sq if sq == next(old.sq) => State::Retransmission,
                sq if sq == old.sq && new.content == old.content => State::SqRepeated,
                sq if sq == old.sq => State::ContentChanged,
                sq if sq < old.sq => State::SqBackwards,
                _ => State::SqGap,
            };
        }
        match new.st {
            // A change begins with 0; some publishers begin with 1.
            st if st == next(old.st) => {
                if new.sq <= 1 {
                    State::Change
                } else {
                    State::SqGap
                }
            }
            st if st < old.st => State::StBackwards,
            _ => State::StJump,
        }
    }

    fn changes(&mut self, m: &Message<'_>, state: State) -> Changes {
        let known = state != State::First;
        let data_set = std::mem::replace(&mut self.data_set, data_set_of(m));
        let values = std::mem::replace(&mut self.values, values_of(m));
        let conf_rev = std::mem::replace(&mut self.conf_rev, m.conf_rev);
        let simulation = is_simulated(m);
        let before = std::mem::replace(&mut self.simulation, simulation);
        Changes {
            conf_rev: known && conf_rev != self.conf_rev,
            data_set: known && data_set != self.data_set,
            simulation: simulation && !before,
            values: known && values != self.values && matches!(state, State::Retransmission | State::SqGap),
        }
    }
}

/// The control blocks of a flow, the one silent longest first to go.
#[derive(Default)]
pub struct Blocks(Vec<Block>);

impl Blocks {
    /// The block of a message, new when it is not known; with true when another had to go for it.
    pub fn of(&mut self, m: &Message<'_>, limit: usize) -> (Option<&mut Block>, bool) {
        let reference = m.gocb_ref.unwrap_or_default();
        let found = self.0.iter().position(|b| *b.gocb_ref == *reference);
        let full = found.is_none() && self.0.len() >= limit;
        if full && let Some((i, _)) = self.0.iter().enumerate().min_by_key(|(_, b)| b.last_ts()) {
            self.0.remove(i);
        }
        let at = found.unwrap_or(self.0.len());
        if found.is_none() {
            self.0.push(Block::new(m));
        }
        (self.0.get_mut(at), full)
    }

    /// All of them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Block> {
        self.0.iter_mut()
    }

    /// When the first of them runs out.
    pub fn deadline(&self) -> Option<Ts> {
        self.0.iter().filter_map(Block::deadline).min()
    }
}
