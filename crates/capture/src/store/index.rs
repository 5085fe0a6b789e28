//! The index beside a segment: its span, its frames, and which pairs of addresses have packets in it.
//!
//! `NNNNNNNN.idx`, little-endian: `GWIX0001`, first and last time (i64 ns), frames (u64), a byte that says whether all pairs are listed, their
//! number (u32), and each pair's hash (u64), rising.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use gwcore::{Addr, Ts};

use crate::frame::{Frame, LinkType};

const MAGIC: &[u8; 8] = b"GWIX0001";
/// Pairs listed of a segment; one with more is always looked through.
const MOST: usize = 65_536;

/// Two addresses, whichever sent: of IP where there is IP, else of the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pair(u64);

impl Pair {
    /// Of two IP addresses.
    pub fn of_addrs(a: Addr, b: Addr) -> Pair {
        Pair::of(&a.0, &b.0)
    }

    /// Of two MAC addresses.
    pub fn of_macs(a: [u8; 6], b: [u8; 6]) -> Pair {
        Pair::of(&a, &b)
    }

    fn of(a: &[u8], b: &[u8]) -> Pair {
        let (a, b) = if a <= b { (a, b) } else { (b, a) };
        Pair(fnv(fnv(0xcbf2_9ce4_8422_2325, a), b))
    }
}

/// FNV-1a, 64 bits: the index needs a hash that stays the same for ever, not one that nobody can collide.
fn fnv(mut hash: u64, bytes: &[u8]) -> u64 {
    for b in bytes {
        hash = (hash ^ u64::from(*b)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash
}

/// The pair that a frame lies under: of its outermost addresses.
pub fn pair_of(link: LinkType, data: &[u8]) -> Option<Pair> {
    let mut at = match link {
        LinkType::ETHERNET => 12,
        LinkType::RAW | LinkType::IPV4 | LinkType::IPV6 => return ip_pair(data),
        _ => return None,
    };
    for _ in 0..4 {
        match data.get(at..at + 2)? {
            [0x81, 0x00] | [0x88, 0xa8] | [0x91, 0x00] => at += 4,
            [0x08, 0x00] | [0x86, 0xdd] => return ip_pair(data.get(at + 2..)?),
            _ => break,
        }
    }
    let (dst, src) = (data.get(0..6)?, data.get(6..12)?);
    Some(Pair::of(dst, src))
}

fn ip_pair(data: &[u8]) -> Option<Pair> {
    match data.first()? >> 4 {
        4 => {
            let v4 = |at: usize| Some(Addr::v4(data.get(at..at + 4)?.try_into().ok()?));
            Some(Pair::of_addrs(v4(12)?, v4(16)?))
        }
        6 => Some(Pair::of(data.get(8..24)?, data.get(24..40)?)),
        _ => None,
    }
}

/// The pairs met in a segment.
#[derive(Default)]
pub(super) struct Pairs {
    met: HashSet<u64>,
    last: u64,
    /// Whether there were more than are listed, or frames without a pair.
    more: bool,
}

impl Pairs {
    pub(super) fn see(&mut self, frame: &Frame<'_>) {
        let Some(Pair(hash)) = pair_of(frame.link, frame.data) else {
            self.more = true;
            return;
        };
        if hash == self.last || self.more {
            return;
        }
        self.last = hash;
        if self.met.insert(hash) && self.met.len() > MOST {
            (self.more, self.met) = (true, HashSet::new());
        }
    }
}

/// A segment on disk.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Its number, which its name bears.
    pub number: u64,
    /// Where it lies.
    pub path: PathBuf,
    /// Its bytes.
    pub bytes: u64,
    /// First and last time; none for the one that is being written, or was when the power went.
    pub span: Option<(Ts, Ts)>,
    /// Frames, where the index tells.
    pub frames: Option<u64>,
    pairs: Option<Vec<u64>>,
}

impl Segment {
    /// Whether it may hold packets of a time.
    pub fn may_hold(&self, from: Ts, to: Ts) -> bool {
        self.span.is_none_or(|(first, last)| first <= to && last >= from)
    }

    /// Whether it may hold packets of a pair. Packets inside tunnels lie under the tunnel's own addresses.
    pub fn may_hold_pair(&self, pair: Pair) -> bool {
        self.pairs.as_ref().is_none_or(|p| p.binary_search(&pair.0).is_ok())
    }
}

/// The segments of a ring, oldest first.
pub fn segments(dir: &Path) -> io::Result<Vec<Segment>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(number) = name.to_str().filter(|n| n.ends_with(".pcapng")).and_then(number_of) else { continue };
        let index = read(&dir.join(format!("{number:08}.idx")));
        let (span, frames, pairs) = index.map_or((None, None, None), |(s, f, p)| (Some(s), Some(f), p));
        all.push(Segment { number, path: entry.path(), bytes: entry.metadata()?.len(), span, frames, pairs });
    }
    all.sort_by_key(|s| s.number);
    Ok(all)
}

pub(super) fn name(number: u64) -> String {
    format!("{number:08}.pcapng")
}

/// The number in a segment's name, with or without folders before it.
pub(super) fn number_of(name: &str) -> Option<u64> {
    name.rsplit('/').next()?.strip_suffix(".pcapng")?.parse().ok()
}

/// Span and frames of a segment, where its index tells them.
pub(super) fn told(dir: &Path, number: u64) -> (Option<(Ts, Ts)>, Option<u64>) {
    read(&dir.join(format!("{number:08}.idx"))).map_or((None, None), |(span, frames, _)| (Some(span), Some(frames)))
}

pub(super) fn remove(dir: &Path, number: u64) {
    // What is gone already is gone.
    let _ = fs::remove_file(dir.join(name(number)));
    let _ = fs::remove_file(dir.join(format!("{number:08}.idx")));
}

pub(super) fn write(dir: &Path, number: u64, span: (Ts, Ts), frames: u64, pairs: &Pairs) -> io::Result<()> {
    let mut hashes: Vec<u64> = pairs.met.iter().copied().collect();
    hashes.sort_unstable();
    let mut out = MAGIC.to_vec();
    out.extend(span.0.0.to_le_bytes());
    out.extend(span.1.0.to_le_bytes());
    out.extend(frames.to_le_bytes());
    out.push(u8::from(!pairs.more));
    out.extend((hashes.len() as u32).to_le_bytes());
    hashes.iter().for_each(|h| out.extend(h.to_le_bytes()));
    let temporary = dir.join(format!("{number:08}.tmp"));
    fs::write(&temporary, out)?;
    fs::rename(temporary, dir.join(format!("{number:08}.idx")))
}

/// Span, frames and pairs; none where there is no whole index.
fn read(path: &Path) -> Option<((Ts, Ts), u64, Option<Vec<u64>>)> {
    let bytes = fs::read(path).ok()?;
    let int = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    if !bytes.starts_with(MAGIC) {
        return None;
    }
    let span = (Ts(int(8)? as i64), Ts(int(16)? as i64));
    let count = u32::from_le_bytes(bytes.get(33..37)?.try_into().ok()?) as usize;
    let list = bytes.get(37..).filter(|l| l.len() == count * 8)?;
    let hashes = list.chunks_exact(8).filter_map(|c| c.try_into().ok()).map(u64::from_le_bytes).collect();
    let is_whole = *bytes.get(32)? == 1;
    Some((span, int(24)?, is_whole.then_some(hashes)))
}
