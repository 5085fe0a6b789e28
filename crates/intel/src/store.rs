//! The store: a million indicators in one arena and a table of 40 bytes each, found by value in one look-up.

use std::hash::{BuildHasher, Hash, Hasher};

use gwcore::{Addr, Table, Ts, ids::TableState};
use hashbrown::HashTable;

use crate::value::{Kind, Net, canonical, mask};

/// Traffic Light Protocol: who may be told. Unmarked is not the same as clear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tlp {
    /// Not marked.
    #[default]
    Unmarked,
    /// Anybody.
    Clear,
    /// The community.
    Green,
    /// The organisation and its clients.
    Amber,
    /// The organisation.
    AmberStrict,
    /// Named persons.
    Red,
}

impl Tlp {
    /// From any text that ends in the colour: `tlp:amber+strict`, `TLP:WHITE`, `red`.
    pub fn parse(text: &str) -> Option<Tlp> {
        let text = text.to_ascii_lowercase();
        match text.strip_prefix("tlp:").unwrap_or(&text) {
            "clear" | "white" => Some(Tlp::Clear),
            "green" => Some(Tlp::Green),
            "amber" => Some(Tlp::Amber),
            "amber+strict" => Some(Tlp::AmberStrict),
            "red" => Some(Tlp::Red),
            _ => None,
        }
    }

    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Tlp::Unmarked => "unmarked",
            Tlp::Clear => "clear",
            Tlp::Green => "green",
            Tlp::Amber => "amber",
            Tlp::AmberStrict => "amber+strict",
            Tlp::Red => "red",
        }
    }

    fn from_u8(n: u8) -> Tlp {
        [Tlp::Unmarked, Tlp::Clear, Tlp::Green, Tlp::Amber, Tlp::AmberStrict, Tlp::Red]
            .get(n as usize)
            .copied()
            .unwrap_or_default()
    }
}

const NO_CONFIDENCE: u8 = 255;
const WITH_SUBDOMAINS: u8 = 1;
const NONE: u32 = u32::MAX;

/// One indicator as it is stored; texts are places in the arena.
struct Entry {
    value: u32,
    value_len: u16,
    port: u16,
    kind: u8,
    tlp: u8,
    confidence: u8,
    flags: u8,
    source: u32,
    label: u32,
    id: u32,
    from: u32,
    until: u32,
    /// Another indicator with the same value.
    next: u32,
}

/// An indicator about to be stored.
#[derive(Clone, Copy, Debug, Default)]
pub struct New<'a> {
    /// Its id in its source, empty for none.
    pub id: &'a str,
    /// Who says so: a feed's or organisation's name.
    pub source: &'a str,
    /// What it is said to be.
    pub label: &'a str,
    /// 0–100, where stated.
    pub confidence: Option<u8>,
    /// Who may be told.
    pub tlp: Tlp,
    /// From when on it holds.
    pub from: Option<Ts>,
    /// Until when.
    pub until: Option<Ts>,
    /// Whether names below a domain are meant too.
    pub with_subdomains: bool,
    /// For an address: the port that belongs to it; 0 for any.
    pub port: u16,
}

/// One indicator as it is read.
#[derive(Clone, Copy, Debug)]
pub struct Indicator<'a> {
    /// What it names.
    pub kind: Kind,
    value: &'a [u8],
    /// Who says so.
    pub source: &'a str,
    /// What it is said to be.
    pub label: &'a str,
    /// 0–100, where stated.
    pub confidence: Option<u8>,
    /// Who may be told.
    pub tlp: Tlp,
    /// From when on it holds.
    pub from: Option<Ts>,
    /// Until when.
    pub until: Option<Ts>,
    /// Whether names below a domain are meant too.
    pub with_subdomains: bool,
    /// For an address: the port that belongs to it; 0 for any.
    pub port: u16,
}

impl Indicator<'_> {
    /// The value as text.
    pub fn text(&self) -> String {
        let address = |b: &[u8]| b.get(..16).and_then(|b| b.try_into().ok()).map(Addr).unwrap_or_default();
        match self.kind {
            Kind::Address => address(self.value).to_string(),
            Kind::Network => Net { base: address(self.value), bits: self.value.get(16).copied().unwrap_or(128) }.text(),
            _ => String::from_utf8_lossy(self.value).into_owned(),
        }
    }

    /// Whether it holds at a moment.
    pub fn holds_at(&self, ts: Ts) -> bool {
        self.from.is_none_or(|f| f <= ts) && self.until.is_none_or(|u| ts < u)
    }
}

/// Takes indicators in, then becomes a [`Store`].
pub struct Builder {
    arena: Vec<u8>,
    entries: Vec<Entry>,
    index: HashTable<u32>,
    texts: HashTable<u32>,
    hasher: TableState,
    /// Lengths of prefixes met, each once.
    prefixes: Vec<u8>,
    counts: [u64; Kind::ALL.len()],
    last_text: (u32, u32),
}

impl Default for Builder {
    fn default() -> Self {
        Builder {
            arena: Vec::new(),
            entries: Vec::new(),
            index: HashTable::new(),
            texts: HashTable::new(),
            hasher: TableState::default(),
            prefixes: Vec::new(),
            counts: [0; Kind::ALL.len()],
            last_text: (NONE, NONE),
        }
    }
}

/// Longest label, source or id kept; longer ones are cut.
const LONGEST_TEXT: usize = 256;

impl Builder {
    /// Takes one in, or says why not.
    pub fn add(&mut self, kind: Kind, value: &str, new: &New<'_>) -> Result<(), &'static str> {
        let value = canonical(kind, value)?;
        let len = u16::try_from(value.len()).map_err(|_| "longer than 65,535 bytes")?;
        if self.arena.len() > u32::MAX as usize - (1 << 20) || self.entries.len() >= NONE as usize {
            return Err("the store is full");
        }
        let with_subdomains = new.with_subdomains && kind == Kind::Domain;
        let seconds = |ts: Option<Ts>| {
            ts.map_or(0, |t| u32::try_from(t.0.div_euclid(gwcore::time::SECOND).max(1)).unwrap_or(u32::MAX))
        };
        let (source, label) = (self.text(new.source), self.text(new.label));
        let id = self.unique_text(new.id);
        let hash = hash(&self.hasher, kind, &value);
        let at = self.entries.len() as u32;
        let (arena, entries) = (&self.arena, &self.entries);
        let head = self.index.find_mut(hash, |i| is(arena, entries, *i, kind, &value)).copied();
        let value_at = match head.and_then(|h| entries.get(h as usize)) {
            Some(e) => e.value,
            None => self.push(&value),
        };
        self.entries.push(Entry {
            value: value_at,
            value_len: len,
            port: new.port,
            kind: kind as u8,
            tlp: new.tlp as u8,
            confidence: new.confidence.map_or(NO_CONFIDENCE, |c| c.min(100)),
            flags: if with_subdomains { WITH_SUBDOMAINS } else { 0 },
            source,
            label,
            id,
            from: seconds(new.from),
            until: seconds(new.until),
            next: NONE,
        });
        match head {
            Some(head) => {
                // Behind the first: the chain keeps the order of the files as far as that matters, and costs one step.
                let next = self.entries.get(head as usize).map_or(NONE, |e| e.next);
                if let Some(e) = self.entries.get_mut(at as usize) {
                    e.next = next;
                }
                if let Some(e) = self.entries.get_mut(head as usize) {
                    e.next = at;
                }
            }
            None => {
                let (arena, entries, hasher) = (&self.arena, &self.entries, &self.hasher);
                self.index.insert_unique(hash, at, |i| hash_of(hasher, arena, entries, *i));
            }
        }
        if let (Kind::Network, Some(bits)) = (kind, value.get(16).filter(|b| !self.prefixes.contains(b))) {
            self.prefixes.push(*bits);
        }
        if let Some(n) = self.counts.get_mut(kind as usize) {
            *n += 1;
        }
        Ok(())
    }

    /// Indicators so far.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// No more will come.
    pub fn finish(mut self) -> Store {
        self.arena.shrink_to_fit();
        self.entries.shrink_to_fit();
        self.prefixes.sort_unstable();
        let (arena, entries, hasher) = (&self.arena, &self.entries, &self.hasher);
        self.index.shrink_to_fit(|i| hash_of(hasher, arena, entries, *i));
        Store {
            arena: self.arena,
            entries: self.entries,
            index: self.index,
            hasher: self.hasher,
            prefixes: self.prefixes,
            counts: self.counts,
        }
    }

    fn push(&mut self, bytes: &[u8]) -> u32 {
        let at = self.arena.len() as u32;
        self.arena.extend_from_slice(bytes);
        at
    }

    fn unique_text(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return NONE;
        }
        // Most ids of STIX begin alike and end in a UUID: 17 bytes for 47.
        let at = self.arena.len() as u32;
        match text.strip_prefix("indicator--").and_then(uuid_bytes) {
            Some(raw) => {
                self.arena.push(0);
                self.arena.extend_from_slice(&raw);
            }
            None => {
                let text = cut(text);
                self.arena.extend_from_slice(&[(text.len().min(255)) as u8]);
                self.arena.extend_from_slice(text.as_bytes().get(..text.len().min(255)).unwrap_or_default());
            }
        }
        at
    }

    fn text(&mut self, text: &str) -> u32 {
        let text = cut(text.trim());
        if text.is_empty() {
            return NONE;
        }
        let text = text.as_bytes().get(..text.len().min(255)).unwrap_or_default();
        for last in [self.last_text.0, self.last_text.1] {
            if last != NONE && text_at(&self.arena, last).as_bytes() == text {
                return last;
            }
        }
        let hash = self.hasher.hash_one(text);
        let arena = &self.arena;
        let at = match self.texts.find(hash, |at| text_at(arena, *at).as_bytes() == text) {
            Some(at) => *at,
            None => {
                let at = self.arena.len() as u32;
                self.arena.push(text.len() as u8);
                self.arena.extend_from_slice(text);
                let (arena, hasher) = (&self.arena, &self.hasher);
                self.texts.insert_unique(hash, at, |at| hasher.hash_one(text_at(arena, *at).as_bytes()));
                at
            }
        };
        self.last_text = (at, self.last_text.0);
        at
    }
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(LONGEST_TEXT - 1);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

fn uuid_bytes(text: &str) -> Option<[u8; 16]> {
    let mut out = [0_u8; 16];
    let bytes = text.as_bytes();
    if bytes.len() != 36 || [8, 13, 18, 23].iter().any(|i| bytes.get(*i) != Some(&b'-')) {
        return None;
    }
    let digits: Vec<u8> = bytes.iter().filter(|b| **b != b'-').copied().collect();
    // Upper case would not come out as it went in.
    if digits.len() != 32 || !digits.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    for (byte, pair) in out.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(out)
}

fn text_at(arena: &[u8], at: u32) -> &str {
    let at = at as usize;
    let len = arena.get(at).copied().unwrap_or(0) as usize;
    arena.get(at + 1..at + 1 + len).and_then(|b| std::str::from_utf8(b).ok()).unwrap_or_default()
}

fn value_of<'a>(arena: &'a [u8], e: &Entry) -> &'a [u8] {
    arena.get(e.value as usize..e.value as usize + e.value_len as usize).unwrap_or_default()
}

fn hash(hasher: &TableState, kind: Kind, value: &[u8]) -> u64 {
    let mut h = hasher.build_hasher();
    (kind as u8).hash(&mut h);
    h.write(value);
    h.finish()
}

fn hash_of(hasher: &TableState, arena: &[u8], entries: &[Entry], i: u32) -> u64 {
    entries.get(i as usize).map_or(0, |e| hash(hasher, Kind::from_u8(e.kind), value_of(arena, e)))
}

fn is(arena: &[u8], entries: &[Entry], i: u32, kind: Kind, value: &[u8]) -> bool {
    entries.get(i as usize).is_some_and(|e| e.kind == kind as u8 && value_of(arena, e) == value)
}

/// Indicators, found by value.
pub struct Store {
    arena: Vec<u8>,
    entries: Vec<Entry>,
    index: HashTable<u32>,
    hasher: TableState,
    prefixes: Vec<u8>,
    counts: [u64; Kind::ALL.len()],
}

impl Store {
    /// How many.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many of a kind.
    pub fn count(&self, kind: Kind) -> u64 {
        self.counts.get(kind as usize).copied().unwrap_or(0)
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.arena.capacity() + self.entries.capacity() * size_of::<Entry>() + self.index.capacity() * 5
    }

    /// One by its number.
    pub fn get(&self, i: u32) -> Option<Indicator<'_>> {
        let e = self.entries.get(i as usize)?;
        let text = |at| if at == NONE { "" } else { text_at(&self.arena, at) };
        let time = |s: u32| (s != 0).then(|| Ts::from_parts(i64::from(s), 0));
        Some(Indicator {
            kind: Kind::from_u8(e.kind),
            value: value_of(&self.arena, e),
            source: text(e.source),
            label: text(e.label),
            confidence: (e.confidence != NO_CONFIDENCE).then_some(e.confidence),
            tlp: Tlp::from_u8(e.tlp),
            from: time(e.from),
            until: time(e.until),
            with_subdomains: e.flags & WITH_SUBDOMAINS != 0,
            port: e.port,
        })
    }

    /// The id of one as text; a UUID is written out.
    pub fn id(&self, i: u32) -> String {
        let Some(e) = self.entries.get(i as usize).filter(|e| e.id != NONE) else { return String::new() };
        let at = e.id as usize;
        match self.arena.get(at) {
            Some(0) => {
                let mut out = String::from("indicator--");
                for (i, b) in self.arena.get(at + 1..at + 17).unwrap_or_default().iter().enumerate() {
                    if matches!(i, 4 | 6 | 8 | 10) {
                        out.push('-');
                    }
                    out.push_str(&format!("{b:02x}"));
                }
                out
            }
            _ => text_at(&self.arena, e.id).to_owned(),
        }
    }

    /// The numbers of all with this kind and canonical value.
    pub fn find<'a>(&'a self, kind: Kind, value: &[u8]) -> impl Iterator<Item = u32> + 'a {
        let first = match self.count(kind) {
            0 => NONE,
            _ => {
                let hash = hash(&self.hasher, kind, value);
                self.index.find(hash, |i| is(&self.arena, &self.entries, *i, kind, value)).copied().unwrap_or(NONE)
            }
        };
        let next = |i: &u32| self.entries.get(*i as usize).map(|e| e.next).filter(|n| *n != NONE);
        std::iter::successors((first != NONE).then_some(first), next)
    }

    /// Whether an address stands in the store, alone or within a range: the number of the first indicator that says so.
    pub fn address(&self, addr: Addr, give: &mut dyn FnMut(u32)) {
        self.find(Kind::Address, &addr.0).for_each(&mut *give);
        for bits in &self.prefixes {
            let mut value = [0_u8; 17];
            let (base, len) = value.split_at_mut(16);
            base.copy_from_slice(&mask(addr, *bits).0);
            len.copy_from_slice(&[*bits]);
            self.find(Kind::Network, &value).for_each(&mut *give);
        }
    }

    /// A name in lower case without the final dot, and every name above it of which the names below are meant.
    pub fn domain(&self, name: &str, give: &mut dyn FnMut(u32, bool)) {
        if self.count(Kind::Domain) == 0 {
            return;
        }
        self.find(Kind::Domain, name.as_bytes()).for_each(|i| give(i, false));
        let mut rest = name;
        while let Some((_, above)) = rest.split_once('.') {
            for i in self.find(Kind::Domain, above.as_bytes()) {
                if self.entries.get(i as usize).is_some_and(|e| e.flags & WITH_SUBDOMAINS != 0) {
                    give(i, true);
                }
            }
            rest = above;
        }
    }
}

/// What is never bad: addresses, ranges, names with those below them, and any other value as it stands.
#[derive(Default)]
pub(crate) struct Allow {
    pub(crate) nets: Vec<Net>,
    pub(crate) values: Table<Vec<u8>, ()>,
}

impl Allow {
    pub(crate) fn address(&self, addr: Addr) -> bool {
        self.nets.iter().any(|n| n.has(addr))
    }

    pub(crate) fn domain(&self, name: &str) -> bool {
        let mut rest = Some(name);
        while let Some(n) = rest {
            if self.values.contains_key(n.as_bytes()) {
                return true;
            }
            rest = n.split_once('.').map(|(_, above)| above);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        let mut b = Builder::default();
        let id = "indicator--33fe3b22-0201-47cf-85d0-97c02164528d";
        let new = New {
            id,
            source: "feed",
            label: "C2",
            confidence: Some(80),
            tlp: Tlp::Amber,
            until: Some(Ts::from_parts(2_000_000_000, 0)),
            with_subdomains: true,
            ..New::default()
        };
        b.add(Kind::Domain, "Bad.Example", &new).unwrap();
        b.add(Kind::Domain, "bad.example", &New { source: "other", id: "7", ..new }).unwrap();
        b.add(Kind::Network, "192.0.2.0/24", &New::default()).unwrap();
        b.add(Kind::Address, "192.0.2.9", &New::default()).unwrap();
        let store = b.finish();
        let mut seen = Vec::new();
        store.domain("a.b.bad.example", &mut |i, below| seen.push((store.id(i), below)));
        assert_eq!(seen, [(id.to_owned(), true), ("7".to_owned(), true)]);
        let one = store.get(0).unwrap();
        assert_eq!((one.text().as_str(), one.source, one.label), ("bad.example", "feed", "C2"));
        assert_eq!((one.confidence, one.tlp, one.from), (Some(80), Tlp::Amber, None));
        assert!(one.holds_at(Ts(0)) && !one.holds_at(Ts::from_parts(2_000_000_000, 0)));
        let mut seen = Vec::new();
        store.address(Addr::v4([192, 0, 2, 9]), &mut |i| seen.push(store.get(i).unwrap().text()));
        assert_eq!(seen, ["192.0.2.9", "192.0.2.0/24"]);
        assert_eq!(store.find(Kind::Md5, b"x").count(), 0);
    }
}
