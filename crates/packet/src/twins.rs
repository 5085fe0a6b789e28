//! Mirrored twins: byte-identical IP frames that a mirror port delivers twice.
//!
//! A table of recent frames is direct-mapped by a fixed hash, so that what it forgets depends on the traffic alone; frames are
//! compared by their length and a seeded hash, so that nobody can make two frames look alike.

use gwcore::{Mac, Ts};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Copies of one frame that are twins; a third copy is traffic, so that floods and replays stay visible.
const MAX_TWINS: u8 = 2;

#[derive(Clone, Copy, Default)]
struct Entry {
    hash: u64,
    first: Ts,
    len: u32,
    copies: u8,
}

/// The recent frames, `Limit::TwinFrames` at most.
pub(crate) struct Twins {
    entries: Box<[Entry]>,
    seed: u64,
    window_ns: i64,
}

impl Twins {
    pub fn new(frames: usize, seed: u64, window_ns: i64) -> Twins {
        Twins { entries: vec![Entry::default(); frames.max(1)].into_boxed_slice(), seed, window_ns }
    }

    /// Whether this IP packet between these MACs is a twin of one seen before; remembers it.
    ///
    /// A copy beyond the second twin is traffic until the window of the first copy is over; then it is a first copy again.
    pub fn is_twin(&mut self, ts: Ts, src: Mac, dst: Mac, ip: &[u8]) -> bool {
        if self.window_ns < 0 {
            return false;
        }
        let hash = self.hash(src, dst, ip);
        let slot = self.slot(ip);
        let Some(entry) = self.entries.get_mut(slot) else { return false };
        let len = ip.len() as u32;
        let age = ts.since(entry.first);
        if entry.hash == hash && entry.len == len && (0..=self.window_ns).contains(&age) {
            entry.copies = entry.copies.saturating_add(1);
            return entry.copies <= MAX_TWINS;
        }
        *entry = Entry { hash, first: ts, len, copies: 0 };
        false
    }

    fn hash(&self, src: Mac, dst: Mac, ip: &[u8]) -> u64 {
        let macs = wide(src) ^ wide(dst).rotate_left(16);
        xxh3_64_with_seed(ip, self.seed) ^ macs.wrapping_mul(self.seed | 1).rotate_left(31)
    }

    /// Place in the table from identification, checksums, ports and tail of the packet, whatever the seed.
    fn slot(&self, ip: &[u8]) -> usize {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let tail = ip.len().saturating_sub(8);
        let mixed = [4, 40.min(tail), tail].iter().fold(ip.len() as u64, |sum, at| {
            let word = ip.get(*at..).and_then(|b| b.first_chunk()).map_or(0, |b| u64::from_le_bytes(*b));
            (sum ^ word).wrapping_mul(ODD).rotate_left(27)
        });
        ((u128::from(mixed.wrapping_mul(ODD)) * self.entries.len() as u128) >> 64) as usize
    }
}

fn wide(mac: Mac) -> u64 {
    let [a, b, c, d, e, f] = mac.0;
    u64::from_be_bytes([0, 0, a, b, c, d, e, f])
}
