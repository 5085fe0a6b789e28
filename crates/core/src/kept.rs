//! State that outlives a process: named sections of plain values in one file, with a format version and a check sum.
//!
//! What is written is what a later process of the same format reads; names that stand in the program (`&'static str`) are borrowed from the
//! file's bytes, which are therefore kept for the rest of the process.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::AgedTable;

/// Format of the file. It rises with every change of what is kept; there is no way to read another one.
pub const KEPT_VERSION: u32 = 2;
const MAGIC: &[u8; 8] = b"GWSTATE\n";
/// Magic, version, check sum of the rest.
const HEAD: usize = 8 + 4 + 8;

/// Why kept state cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeptError {
    /// It is something else.
    NotState,
    /// It was written by a newer version of the program.
    Newer(u32),
    /// It was written by an older version of the program.
    Older(u32),
    /// It is cut or altered.
    Damaged,
    /// A section does not hold what it should.
    Section(String),
}

impl std::fmt::Display for KeptError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            KeptError::NotState => f.write_str("not a file of kept state"),
            KeptError::Newer(v) => write!(
                f,
                "kept state has format {v}, this version reads {KEPT_VERSION}: use a newer version, or move the file away to start anew"
            ),
            KeptError::Older(v) => write!(
                f,
                "kept state has format {v}, this version reads {KEPT_VERSION}: move the file away to start anew"
            ),
            KeptError::Damaged => f.write_str("kept state is damaged: move the file away to start anew"),
            KeptError::Section(name) => {
                write!(f, "kept state is damaged in its section `{name}`: move the file away to start anew")
            }
        }
    }
}

impl std::error::Error for KeptError {}

/// A value whose state can be kept and restored in place: limits and settings stay those of the value that is restored.
pub trait Kept {
    /// Appends the state.
    fn keep(&self, to: &mut Vec<u8>);
    /// Takes over the state that stands next; none where it is damaged.
    fn restore(&mut self, from: &mut Restore) -> Option<()>;
}

/// What is left to restore of a section.
#[derive(Clone, Copy, Debug)]
pub struct Restore(&'static [u8]);

impl Restore {
    /// The next value.
    pub fn value<T: Deserialize<'static>>(&mut self) -> Option<T> {
        let (value, left) = postcard::take_from_bytes(self.0).ok()?;
        self.0 = left;
        Some(value)
    }

    /// Whether nothing is left.
    pub fn is_over(&self) -> bool {
        self.0.is_empty()
    }
}

/// Appends a value.
fn put<T: Serialize + ?Sized>(value: &T, to: &mut Vec<u8>) {
    let from = to.len();
    // Writing to memory fails only for what has no such form: sequences of unknown length. Nothing of the kind is kept.
    match postcard::to_extend(value, std::mem::take(to)) {
        Ok(all) => *to = all,
        Err(_) => to.truncate(from),
    }
}

impl<T: Serialize + Deserialize<'static>> Kept for T {
    fn keep(&self, to: &mut Vec<u8>) {
        put(self, to);
    }
    fn restore(&mut self, from: &mut Restore) -> Option<()> {
        *self = from.value()?;
        Some(())
    }
}

/// Its entries from the oldest to the newest; of more than the limit allows, the newest.
impl<K, V> Kept for AgedTable<K, V>
where
    K: Clone + Eq + std::hash::Hash + Serialize + Deserialize<'static>,
    V: Serialize + Deserialize<'static>,
{
    fn keep(&self, to: &mut Vec<u8>) {
        put(&(self.len() as u64), to);
        self.iter().for_each(|entry| put(&entry, to));
    }
    fn restore(&mut self, from: &mut Restore) -> Option<()> {
        self.clear();
        for _ in 0..from.value::<u64>()? {
            let (key, value) = from.value()?;
            self.insert(key, value);
        }
        Some(())
    }
}

/// Implements [`Kept`] for a struct by some of its fields; the others stay as they are.
#[macro_export]
macro_rules! kept {
    ($name:ident $(<$($g:ident),+>)? { $($field:ident),+ $(,)? } $($bounds:tt)*) => {
        impl $(<$($g),+>)? $crate::Kept for $name $(<$($g),+>)? $($bounds)* {
            fn keep(&self, to: &mut Vec<u8>) {
                $($crate::Kept::keep(&self.$field, to);)+
            }
            fn restore(&mut self, from: &mut $crate::Restore) -> Option<()> {
                $($crate::Kept::restore(&mut self.$field, from)?;)+
                Some(())
            }
        }
    };
}

/// Sections by name.
#[derive(Clone, Debug, Default)]
pub struct State {
    sections: BTreeMap<String, Bytes>,
}

#[derive(Clone, Debug)]
enum Bytes {
    Written(Vec<u8>),
    Read(&'static [u8]),
}

impl State {
    /// Adds a section.
    pub fn put(&mut self, name: &str, value: &(impl Kept + ?Sized)) {
        let mut bytes = Vec::new();
        value.keep(&mut bytes);
        self.put_bytes(name, bytes);
    }

    /// Adds a section of bytes that [`Kept::keep`] made.
    pub fn put_bytes(&mut self, name: &str, bytes: Vec<u8>) {
        self.sections.insert(name.to_owned(), Bytes::Written(bytes));
    }

    /// Restores a value from its section; one that was not kept stays as it is.
    pub fn take(&self, name: &str, value: &mut (impl Kept + ?Sized)) -> Result<(), KeptError> {
        self.take_with(name, |from| value.restore(from))
    }

    /// The same with a function that restores.
    pub fn take_with(&self, name: &str, f: impl FnOnce(&mut Restore) -> Option<()>) -> Result<(), KeptError> {
        let Some(bytes) = self.sections.get(name) else { return Ok(()) };
        let mut from = match bytes {
            Bytes::Read(bytes) => Restore(bytes),
            Bytes::Written(bytes) => Restore(Vec::leak(bytes.clone())),
        };
        let is_whole = f(&mut from).is_some() && from.is_over();
        if is_whole { Ok(()) } else { Err(KeptError::Section(name.to_owned())) }
    }

    /// The whole as the bytes of a file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut body = Vec::new();
        for (name, bytes) in &self.sections {
            let bytes = match bytes {
                Bytes::Written(bytes) => bytes.as_slice(),
                Bytes::Read(bytes) => bytes,
            };
            put(&(name, bytes), &mut body);
        }
        let mut all = Vec::with_capacity(HEAD + body.len());
        all.extend_from_slice(MAGIC);
        all.extend_from_slice(&KEPT_VERSION.to_le_bytes());
        all.extend_from_slice(&xxh3_64(&body).to_le_bytes());
        all.extend_from_slice(&body);
        all
    }

    /// Reads what [`State::to_bytes`] made. The bytes are kept for the rest of the process.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<State, KeptError> {
        let number = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
        if bytes.get(..8) != Some(MAGIC) {
            return Err(KeptError::NotState);
        }
        match number(8).ok_or(KeptError::Damaged)? {
            KEPT_VERSION => {}
            v if v > KEPT_VERSION => return Err(KeptError::Newer(v)),
            v => return Err(KeptError::Older(v)),
        }
        let sum = bytes.get(12..HEAD).and_then(|b| b.try_into().ok()).map(u64::from_le_bytes);
        if sum.is_none() || sum != bytes.get(HEAD..).map(xxh3_64) {
            return Err(KeptError::Damaged);
        }
        let all: &'static [u8] = Vec::leak(bytes);
        let (mut from, mut state) = (Restore(all.get(HEAD..).unwrap_or_default()), State::default());
        while !from.is_over() {
            let (name, bytes): (String, &'static [u8]) = from.value().ok_or(KeptError::Damaged)?;
            state.sections.insert(name, Bytes::Read(bytes));
        }
        Ok(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limit;

    struct Some2 {
        table: AgedTable<(u8, &'static str), Vec<i64>>,
        name: &'static str,
    }
    kept!(Some2 { table, name });

    fn some(limit: usize) -> Some2 {
        Some2 { table: AgedTable::new(Limit::Pending, limit), name: "" }
    }

    fn full() -> State {
        let mut s = some(10);
        s.name = "a name";
        for n in 0..5 {
            s.table.insert((n, "x"), vec![i64::from(n); 3]);
        }
        s.table.insert((1, "x"), vec![]);
        let mut state = State::default();
        state.put("one", &s);
        state.put("two", &7u32);
        state
    }

    #[test]
    fn what_was_kept_comes_back_in_its_order_and_under_the_limit_now_in_force() {
        let state = State::from_bytes(full().to_bytes()).unwrap();
        for limit in [10, 2] {
            let mut s = some(limit);
            state.take("one", &mut s).unwrap();
            let keys: Vec<u8> = s.table.iter().map(|(k, _)| k.0).collect();
            let all = [0, 2, 3, 4, 1];
            assert_eq!((&keys[..], s.name), (&all[5 - limit.min(5)..], "a name"));
        }
        let mut n = 1u32;
        state.take("two", &mut n).unwrap();
        state.take("none of this name", &mut n).unwrap();
        assert_eq!(n, 7);
        assert_eq!(state.take("one", &mut n), Err(KeptError::Section("one".into())));
        assert_eq!(State::from_bytes(state.to_bytes()).unwrap().to_bytes(), full().to_bytes());
    }

    #[test]
    fn damage_and_other_versions_are_told() {
        let sound = full().to_bytes();
        assert_eq!(State::from_bytes(b"something else".to_vec()).err(), Some(KeptError::NotState));
        for at in 0..sound.len() {
            let mut bad = sound.clone();
            bad[at] ^= 1;
            assert!(State::from_bytes(bad).is_err(), "byte {at}");
            assert!(State::from_bytes(sound[..at].to_vec()).is_err(), "cut at {at}");
        }
        let mut newer = sound;
        newer[8] = 9;
        let told = State::from_bytes(newer).unwrap_err();
        assert!(told.to_string().contains("newer version") && !told.to_string().contains('\n'));
    }

    #[test]
    fn sections_with_any_bytes_never_panic() {
        let state = full();
        let Some(Bytes::Written(bytes)) = state.sections.get("one") else { panic!("no section") };
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut bad = bytes.clone();
                bad[at] ^= 1 << bit;
                let mut changed = State::default();
                changed.put_bytes("one", bad);
                let _ = changed.take("one", &mut some(10));
            }
        }
    }
}
