//! The baseline: what was seen of a network while it was learned, and what each kind of knowledge is worth.
//!
//! Learned from facts alone, mergeable (day by day, file by file), written as a versioned file. A key is anything that can be new: a device,
//! a conversation, a point. For each there is when it was first and last seen, how often, and in how many hours and days.

mod bound;
mod conduct;
mod effect;
mod file;
mod known;
mod learn;
mod live;
mod motion;
mod observe;
mod pace;
mod rate;
mod rhythm;
mod select;
mod session;
mod stroke;
mod value;

use gwcore::time::HOUR;
use gwcore::{Addr, Limit, Limits, PointId, Table, Ts};

pub(crate) use bound::{binding_key, bound};
pub(crate) use conduct::{Conduct, Merge, poll_place, source_key};
pub(crate) use effect::{At, Follower};
pub use file::{Error, FORMAT_VERSION};
pub use known::{Known, KnownClass, KnownDevice, KnownPoint, Pair, Period};
pub use learn::Learner;
pub(crate) use learn::{is_register, poll_number, speaker};
pub(crate) use motion::{Answer, Motion, MotionWatch, SERIES};
pub(crate) use observe::{DYNAMIC, INTERNET, MASTERED, Thing, UTILITY, has_masters, is_command, things, who};
pub(crate) use pace::{Hour, Pace, PointWatch, SourceWatch, hour_of_day, moves};
pub(crate) use rate::RateWatch;
pub(crate) use rhythm::{Rhythm, differs};
pub(crate) use select::SelectWatch;
pub(crate) use session::SessionWatch;
pub(crate) use stroke::{StrokeWatch, Strokes};
pub(crate) use value::{Kind, Series, Value, float};

/// Hours of packets under which a baseline is young: what rests on it speaks as low (design §6).
const YOUNG_HOURS: u32 = 6;
/// Hours in which a device was heard, under which what is known of it is young.
pub(crate) const YOUNG_PERIODS: u32 = 3;
/// Share of kinds seen in a single hour from which further new ones are usual.
const USUAL_SHARE: f64 = 0.3;
/// Share of days with something new from which new things are usual, given at least as many days.
const USUAL_DAYS: (f64, u32) = (0.5, 3);
const DAY: i64 = 24 * HOUR;

/// What can be new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[repr(u8)]
pub enum Class {
    /// A device by its MAC address or its IP address.
    Device,
    /// Client, server, protocol (and port where the protocol is not known).
    Conversation,
    /// Server, protocol, port.
    Service,
    /// Client, server, protocol, function.
    Function,
    /// Server, protocol, point.
    Point,
    /// Client, server, protocol: who asks an outstation.
    Master,
    /// Client, server, protocol: who commands a device.
    Command,
    /// Client, server, protocol, point: who commands which point.
    Control,
}

impl Class {
    /// All, in the order of reports.
    pub const ALL: [Class; 8] = [
        Class::Device,
        Class::Conversation,
        Class::Service,
        Class::Function,
        Class::Point,
        Class::Master,
        Class::Command,
        Class::Control,
    ];

    /// The word in files and reports.
    pub fn name(self) -> &'static str {
        match self {
            Class::Device => "device",
            Class::Conversation => "conversation",
            Class::Service => "service",
            Class::Function => "function",
            Class::Point => "point",
            Class::Master => "master",
            Class::Command => "commanding source",
            Class::Control => "commanded point",
        }
    }
}

/// One entry's identity. Words are numbers of [`Words`]; what a class does not need is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub(crate) struct Key {
    pub(crate) class: Class,
    /// Client, source; or the device itself.
    pub(crate) a: Addr,
    /// Server, commanded device.
    pub(crate) b: Addr,
    pub(crate) proto: u16,
    pub(crate) word: u16,
    pub(crate) n: (u32, u32),
}

/// Names of protocols and tables as small numbers, so that keys are plain values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Words {
    list: Vec<String>,
    index: Table<String, u16>,
}

impl Words {
    pub(crate) fn find(&self, word: &str) -> Option<u16> {
        self.index.get(word).copied()
    }

    /// The word of a number.
    pub(crate) fn word(&self, n: u16) -> &str {
        self.list.get(usize::from(n)).map_or("", String::as_str)
    }

    /// The number of a word, made if new; words are names in the code, so their number is bounded by it and by the file's limit.
    pub(crate) fn intern(&mut self, word: &str) -> u16 {
        if let Some(n) = self.find(word) {
            return n;
        }
        let n = u16::try_from(self.list.len()).unwrap_or(u16::MAX);
        if n < u16::MAX {
            self.list.push(word.to_owned());
            self.index.insert(word.to_owned(), n);
        }
        n
    }
}

/// How often something was seen, and when.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) first: Ts,
    pub(crate) last: Ts,
    pub(crate) count: u64,
    pub(crate) hours: u32,
    pub(crate) days: u32,
}

impl Seen {
    pub(crate) fn at(ts: Ts) -> Seen {
        Seen { first: ts, last: ts, count: 1, hours: 1, days: 1 }
    }

    fn again(&mut self, ts: Ts) {
        self.count += 1;
        self.hours += u32::from(period(ts, HOUR) > period(self.last, HOUR));
        self.days += u32::from(period(ts, DAY) > period(self.last, DAY));
        self.first = self.first.min(ts);
        self.last = self.last.max(ts);
    }

    fn merge(&mut self, o: &Seen) {
        let (early, late) = if self.first <= o.first { (*self, *o) } else { (*o, *self) };
        let shared = |unit| u32::from(period(early.last, unit) == period(late.first, unit));
        self.count = self.count.saturating_add(o.count);
        self.hours = (early.hours + late.hours).saturating_sub(shared(HOUR));
        self.days = (early.days + late.days).saturating_sub(shared(DAY));
        self.first = early.first;
        self.last = self.last.max(o.last);
    }
}

/// Leaves out the last by key beyond so many.
fn trim<K: Copy + Ord + std::hash::Hash, V>(table: &mut Table<K, V>, limit: usize) {
    if table.len() <= limit {
        return;
    }
    let mut all: Vec<K> = table.keys().copied().collect();
    all.sort_unstable();
    for key in all.get(limit..).unwrap_or_default() {
        table.remove(key);
    }
}

fn period(ts: Ts, unit: i64) -> i64 {
    ts.0.div_euclid(unit)
}

/// What the knowledge of one class is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Worth {
    /// Entries known.
    pub kinds: u64,
    /// Entries seen in a single hour.
    pub seen_once: u64,
    /// Days with something new of this kind.
    pub days_with_new: u32,
    /// Days learned.
    pub days: u32,
}

impl Worth {
    /// Share of kinds seen in a single hour: about the chance that the next thing seen is a new one (Good and Turing).
    pub fn share_once(&self) -> f64 {
        if self.kinds == 0 { 1.0 } else { self.seen_once as f64 / self.kinds as f64 }
    }

    /// Whether new things of this kind are usual here, so that one more is no reason for alarm.
    pub fn new_is_usual(&self) -> bool {
        let (share, days) = USUAL_DAYS;
        let by_day = self.days >= days && f64::from(self.days_with_new) > share * f64::from(self.days);
        by_day || (self.kinds >= 10 && self.share_once() > USUAL_SHARE)
    }
}

/// How a device uses to speak.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Activity {
    pub(crate) minutes: u64,
    /// Longest time between two of its packets while the feed was whole, in minutes.
    pub(crate) longest: u64,
    pub(crate) hours: u32,
}

/// Everything learned.
#[derive(Clone, Debug, Default)]
pub struct Baseline {
    pub(crate) words: Words,
    pub(crate) keys: Table<Key, Seen>,
    /// Values by point (class `Point`: read or reported; class `Control` with no source: written).
    pub(crate) values: Table<Key, Value>,
    pub(crate) rhythms: Table<Key, Rhythm>,
    pub(crate) activity: Table<Addr, Activity>,
    /// How known sources use what they may do.
    pub(crate) conduct: Conduct,
    /// Hours with packets, by number since 1970.
    pub(crate) hours: std::collections::BTreeSet<i64>,
    /// Time watched, in nanoseconds: that between packets, pauses of ten minutes and longer left out.
    pub(crate) measured: i64,
    /// First and last packet.
    pub(crate) span: Option<(Ts, Ts)>,
    /// Classes whose table was full: what is new there cannot be told.
    pub(crate) full: std::collections::BTreeSet<Class>,
    /// Left out until someone accepts it: item and sentence.
    pub(crate) suspicions: Vec<(String, String)>,
    /// The captures it was learned from.
    pub(crate) sources: Vec<Source>,
    /// Time watched by the whole that it stands for in a replay, in nanoseconds.
    stands_for: i64,
}

/// A capture that was learned.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Source {
    /// As the user called it.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
}

impl Baseline {
    /// Tells its numbering of words from any other.
    pub(crate) fn words_hash(&self) -> u64 {
        let words: Vec<&[u8]> = self.words.list.iter().map(|w| w.as_bytes()).collect();
        u64::from_str_radix(&gwcore::ids::hash_hex(&words), 16).unwrap_or_default()
    }

    /// Time from the first to the last packet, in nanoseconds.
    pub fn span(&self) -> i64 {
        self.span.map_or(0, |(a, b)| b.since(a))
    }

    /// The captures it was learned from, in the order of learning; none are known of a file that an older version wrote.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// Takes note of captures that were learned.
    pub fn learned_from(&mut self, sources: impl IntoIterator<Item = Source>) {
        self.sources.extend(sources);
    }

    /// First and last packet that was learned.
    pub fn first_last(&self) -> Option<(Ts, Ts)> {
        self.span
    }

    /// Time watched, in nanoseconds: that between packets, pauses of ten minutes and longer left out. Of a file that does not say, the hours
    /// in which there was a packet.
    pub fn measured(&self) -> i64 {
        let span = self.span();
        if self.measured > 0 || span == 0 { self.measured } else { (i64::from(self.hours()) * HOUR).min(span) }
    }

    /// Time of the span that was not watched, in nanoseconds.
    pub fn paused(&self) -> i64 {
        (self.span() - self.measured()).max(0)
    }

    /// Clock hours with packets.
    pub fn hours(&self) -> u32 {
        self.hours.len() as u32
    }

    /// Hours of the span without a packet.
    pub fn hours_without(&self) -> u64 {
        let (Some(a), Some(b)) = (self.hours.first(), self.hours.last()) else { return 0 };
        b.abs_diff(*a).saturating_add(1).saturating_sub(self.hours.len() as u64)
    }

    /// Days with packets.
    pub fn days(&self) -> u32 {
        let days: std::collections::BTreeSet<i64> = self.hours.iter().map(|h| h.div_euclid(24)).collect();
        days.len() as u32
    }

    /// Too few hours of packets for more than low.
    pub fn is_young(&self) -> bool {
        self.measured().max(self.stands_for) < i64::from(YOUNG_HOURS) * HOUR
    }

    /// Speaks as a baseline of which it is a part would: without the rest it may be young where the whole is not.
    pub fn stand_for(&mut self, whole: &Baseline) {
        self.stands_for = whole.measured();
    }

    /// Leaves out what is beyond `Limit::BaselineKeys`, the least seen first; what is new of those classes can then not be told.
    pub fn keep_within(&mut self, limits: &Limits) {
        let limit = limits.get(Limit::BaselineKeys);
        if self.keys.len() > limit {
            let mut all: Vec<(Key, u64)> = self.keys.iter().map(|(k, s)| (*k, s.count)).collect();
            all.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
            for (key, _) in all.get(limit..).unwrap_or_default() {
                self.keys.remove(key);
                self.full.insert(key.class);
            }
        }
        trim(&mut self.values, limit);
        trim(&mut self.rhythms, limit);
        trim(&mut self.activity, limit);
    }

    /// What was left out as learned under suspicion: item to accept and sentence.
    pub fn suspicions(&self) -> &[(String, String)] {
        &self.suspicions
    }

    /// What the knowledge of a class is worth.
    pub fn worth(&self, class: Class) -> Worth {
        let mut worth = Worth { days: self.days(), ..Worth::default() };
        let mut days = std::collections::BTreeSet::new();
        for seen in self.keys.iter().filter(|(k, _)| k.class == class).map(|(_, s)| s) {
            worth.kinds += 1;
            worth.seen_once += u64::from(seen.hours == 1);
            days.insert(period(seen.first, DAY));
        }
        worth.days_with_new = days.len() as u32;
        worth
    }

    /// Adds what another one learned.
    pub fn merge(&mut self, other: &Baseline) {
        let words: Vec<u16> = other.words.list.iter().map(|w| self.words.intern(w)).collect();
        let word = |n: u16| words.get(usize::from(n)).copied().unwrap_or(0);
        let moved = |k: &Key| Key { proto: word(k.proto), word: word(k.word), ..*k };
        for (k, seen) in &other.keys {
            self.keys.entry(moved(k)).and_modify(|s| s.merge(seen)).or_insert(*seen);
        }
        for (k, value) in &other.values {
            self.values.entry(moved(k)).and_modify(|v| v.merge(value)).or_insert_with(|| value.clone());
        }
        for (k, rhythm) in &other.rhythms {
            self.rhythms.entry(moved(k)).and_modify(|r| r.merge(rhythm)).or_insert_with(|| rhythm.clone());
        }
        self.conduct.merge(&other.conduct, &moved, &word);
        for (addr, a) in &other.activity {
            let mine = self.activity.entry(*addr).or_default();
            mine.minutes = mine.minutes.saturating_add(a.minutes);
            mine.longest = mine.longest.max(a.longest);
            mine.hours = mine.hours.saturating_add(a.hours);
        }
        let measured = self.measured().saturating_add(other.measured());
        self.hours.extend(&other.hours);
        self.full.extend(&other.full);
        self.span = match (self.span, other.span) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
        // What both learned was watched once.
        self.measured = measured.min(self.span());
        self.suspicions.extend(other.suspicions.iter().cloned());
        self.suspicions.sort();
        self.suspicions.dedup();
    }

    /// Clock hours in which an IP or MAC address, as it is written, was heard as that of a device.
    pub fn hours_heard(&self, name: &str) -> u32 {
        let is = |k: &Key| k.class == Class::Device && crate::novelty::end_of(k.a).name().eq_ignore_ascii_case(name);
        self.keys.iter().find(|(k, _)| is(k)).map_or(0, |(_, s)| s.hours)
    }

    /// Forgets that something was left out, once it was accepted and learned.
    pub fn accept(&mut self, item: &str) {
        self.suspicions.retain(|(i, _)| i != item);
    }

    /// Its hours with packets that one of the others knows too: what was learned twice.
    pub fn hours_shared(&self, others: &[Baseline]) -> u32 {
        self.hours.iter().filter(|h| others.iter().any(|o| o.hours.contains(h))).count() as u32
    }

    /// Notes what was left out as learned under suspicion: the item to accept, and a sentence.
    pub fn suspect(&mut self, item: String, sentence: String) {
        self.suspicions.push((item, sentence));
        self.suspicions.sort();
        self.suspicions.dedup();
    }

    pub(crate) fn seen(&self, key: &Key) -> Option<&Seen> {
        self.keys.get(key)
    }

    /// Whether a class can tell what is new.
    pub(crate) fn knows(&self, class: Class) -> bool {
        !self.full.contains(&class)
    }

    /// The key of something, if all its words are known; none is as good as new.
    pub(crate) fn key(
        &self,
        class: Class,
        (a, b): (Addr, Addr),
        proto: &str,
        word: &str,
        n: (u32, u32),
    ) -> Option<Key> {
        let word = if word.is_empty() { 0 } else { self.words.find(word)? };
        Some(Key { class, a, b, proto: self.words.find(proto)?, word, n })
    }

    /// The key of a point of a server, with its commanding source or none.
    pub(crate) fn point(&self, class: Class, (a, b): (Addr, Addr), proto: &str, p: PointId) -> Option<Key> {
        self.key(class, (a, b), proto, p.table, (p.unit, p.address))
    }
}

impl Baseline {
    /// What a point is and the range it had; none where the baseline does not know it.
    pub(crate) fn value(&self, key: &Key) -> Option<(Kind, &Value, Option<&Series>)> {
        let value = self.values.get(key)?;
        let beside = |by: i64| {
            let n = u32::try_from(i64::from(key.n.1) + by).ok()?;
            self.values.get(&Key { n: (key.n.0, n), ..*key })
        };
        let kind = value.kind(beside(-1), beside(1));
        let range = match kind {
            Kind::Pair(way) => value.wide(way),
            Kind::Measurement => Some(&value.own),
            _ => None,
        };
        Some((kind, value, range))
    }
}
