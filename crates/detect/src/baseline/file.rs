//! The baseline's file: JSON under zstd, with a format version; a newer one is refused with one line.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::IpAddr;

use gwcore::time::parse_rfc3339;
use gwcore::{Addr, Limit, Limits, Table, Ts};
use serde::{Deserialize, Serialize};

use super::{Activity, Baseline, Class, Conduct, Key, Rhythm, Seen, Source, Value, Words, conduct};

/// Version of the file written; older ones are read.
pub const FORMAT_VERSION: u32 = 2;
/// What the file says it is.
const FORMAT: &str = "gridwarden-baseline";
/// Hours and days of an entry that cannot be: so many are not in all of time.
const MOST_PERIODS: u32 = 1 << 30;
/// Bytes of the JSON text read at most.
const TEXT_BYTES: u64 = 1 << 30;

/// Why a baseline cannot be read.
#[derive(Debug)]
pub enum Error {
    /// Not a file of ours, or damaged.
    NotABaseline(String),
    /// Written by a newer version of the program.
    Newer(u32),
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::NotABaseline(why) => write!(f, "not a baseline or damaged: {why}"),
            Error::Newer(v) => {
                write!(
                    f,
                    "format version `{v}` is newer than `{FORMAT_VERSION}`, which this version reads: update gridwarden"
                )
            }
        }
    }
}

impl std::error::Error for Error {}

#[derive(Deserialize)]
struct Head {
    format: String,
    version: u32,
}

#[derive(Serialize, Deserialize)]
struct File {
    format: String,
    version: u32,
    first: Option<String>,
    last: Option<String>,
    hours: BTreeSet<i64>,
    /// Time watched in nanoseconds; absent from older files.
    #[serde(default)]
    measured: i64,
    full: Vec<String>,
    suspicions: Vec<(String, String)>,
    #[serde(default)]
    sources: Vec<Source>,
    words: Vec<String>,
    entries: Vec<Entry>,
    values: Vec<(FileKey, Value)>,
    rhythms: Vec<(FileKey, Rhythm)>,
    activity: Vec<(String, u64, u64, u32)>,
    /// Since version 2; what rests on it is mute without.
    #[serde(default)]
    conduct: conduct::File<FileKey>,
}

/// Class, source, device, protocol, word, numbers.
type FileKey = (u8, String, String, u16, u16, u32, u32);

#[derive(Serialize, Deserialize)]
struct Entry(FileKey, i64, i64, u64, u32, u32);

impl Baseline {
    /// Writes the file's bytes; the same baseline gives the same bytes.
    pub fn write(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let mut entries: Vec<_> = self.keys.iter().collect();
        entries.sort_by_key(|(k, _)| **k);
        let file = File {
            format: FORMAT.to_owned(),
            version: FORMAT_VERSION,
            first: self.span.map(|s| s.0.to_string()),
            last: self.span.map(|s| s.1.to_string()),
            hours: self.hours.clone(),
            measured: self.measured,
            full: self.full.iter().map(|c| c.name().to_owned()).collect(),
            suspicions: self.suspicions.clone(),
            sources: self.sources.clone(),
            words: self.words.list.clone(),
            entries: entries
                .into_iter()
                .map(|(k, s)| Entry(to_file(k), s.first.0, s.last.0, s.count, s.hours, s.days))
                .collect(),
            values: sorted(&self.values),
            rhythms: sorted(&self.rhythms),
            activity: {
                let mut all: Vec<_> = self.activity.iter().collect();
                all.sort_by_key(|(addr, _)| **addr);
                all.into_iter().map(|(addr, a)| (text(*addr), a.minutes, a.longest, a.hours)).collect()
            },
            conduct: conduct::File {
                sources: sorted(&self.conduct.sources),
                paces: sorted(&self.conduct.paces),
                selects: sorted(&self.conduct.selects),
                effects: sorted(&self.conduct.effects),
                motions: sorted(&self.conduct.motions),
                sessions: sorted(&self.conduct.sessions),
                rates: sorted(&self.conduct.rates),
                bindings: sorted(&self.conduct.bindings),
            },
        };
        let mut zstd = zstd::Encoder::new(out, 3)?;
        // Damage is then found where the text would still make sense.
        zstd.include_checksum(true)?;
        serde_json::to_writer(&mut zstd, &file)?;
        zstd.finish()?;
        Ok(())
    }

    /// Reads a file's bytes.
    pub fn read(bytes: &mut dyn Read, limits: &Limits) -> Result<Baseline, Error> {
        let bad = |e: &dyn std::fmt::Display| Error::NotABaseline(e.to_string());
        let mut json = Vec::new();
        let decoder = zstd::Decoder::new(bytes).map_err(|e| bad(&e))?;
        decoder.take(TEXT_BYTES).read_to_end(&mut json).map_err(|e| bad(&e))?;
        let head: Head = serde_json::from_slice(&json).map_err(|e| bad(&e))?;
        if head.format != FORMAT {
            return Err(bad(&format!("it says `{}`", head.format)));
        }
        if head.version > FORMAT_VERSION {
            return Err(Error::Newer(head.version));
        }
        let file: File = serde_json::from_slice(&json).map_err(|e| bad(&e))?;
        file.into_baseline(limits.get(Limit::BaselineKeys)).ok_or_else(|| bad(&"an entry makes no sense"))
    }
}

impl File {
    fn into_baseline(self, limit: usize) -> Option<Baseline> {
        let mut b = Baseline {
            hours: self.hours,
            measured: self.measured.max(0),
            suspicions: self.suspicions,
            ..Baseline::default()
        };
        b.sources = self.sources.into_iter().take(limit).collect();
        b.words = Words::default();
        self.words.iter().for_each(|w| {
            b.words.intern(w);
        });
        b.span = match (self.first, self.last) {
            (Some(a), Some(z)) => Some((parse_rfc3339(&a)?, parse_rfc3339(&z)?)),
            _ => None,
        };
        b.full = Class::ALL.into_iter().filter(|c| self.full.iter().any(|f| f == c.name())).collect();
        for Entry(key, first, last, count, hours, days) in self.entries {
            let key = from_file(&key)?;
            if hours > MOST_PERIODS || days > MOST_PERIODS {
                return None;
            }
            if b.keys.len() >= limit {
                b.full.insert(key.class);
            } else {
                b.keys.insert(key, Seen { first: Ts(first), last: Ts(last), count, hours, days });
            }
        }
        b.values = table(self.values, limit)?;
        b.rhythms = table(self.rhythms, limit)?;
        b.conduct = Conduct {
            sources: table(self.conduct.sources, limit)?,
            paces: table(self.conduct.paces, limit)?,
            selects: table(self.conduct.selects, limit)?,
            effects: table(self.conduct.effects, limit)?,
            motions: table(self.conduct.motions, limit)?,
            sessions: table(self.conduct.sessions, limit)?,
            rates: table(self.conduct.rates, limit)?,
            bindings: table(self.conduct.bindings, limit)?,
        };
        for (addr, minutes, longest, hours) in self.activity.into_iter().take(limit) {
            b.activity.insert(address(&addr)?, Activity { minutes, longest, hours });
        }
        Some(b)
    }
}

fn sorted<V: Clone>(table: &Table<Key, V>) -> Vec<(FileKey, V)> {
    let mut all: Vec<_> = table.iter().collect();
    all.sort_by_key(|(k, _)| **k);
    all.into_iter().map(|(k, v)| (to_file(k), v.clone())).collect()
}

fn table<V>(list: Vec<(FileKey, V)>, limit: usize) -> Option<Table<Key, V>> {
    list.into_iter().take(limit).map(|(key, v)| Some((from_file(&key)?, v))).collect()
}

fn to_file(k: &Key) -> FileKey {
    (k.class as u8, text(k.a), text(k.b), k.proto, k.word, k.n.0, k.n.1)
}

fn from_file(k: &FileKey) -> Option<Key> {
    let class = Class::ALL.into_iter().find(|c| *c as u8 == k.0)?;
    Some(Key { class, a: address(&k.1)?, b: address(&k.2)?, proto: k.3, word: k.4, n: (k.5, k.6) })
}

/// An address or a padded MAC; empty for none.
fn text(addr: Addr) -> String {
    if addr.is_none() { String::new() } else { addr.ip().to_string() }
}

fn address(text: &str) -> Option<Addr> {
    if text.is_empty() { Some(Addr::NONE) } else { text.parse::<IpAddr>().ok().map(Addr::from) }
}
