//! Mirrored twins: byte-identical IP frames that a mirror port delivers twice, and the same packet before and after a router: between
//! other MAC addresses, with another time to live and therefore another header checksum.
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
    /// The MAC addresses, mixed.
    macs: u32,
    ttl: u8,
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
        let (hash, ttl, is_numbered) = self.hash(ip);
        let macs = self.macs(src, dst);
        let slot = self.slot(ip);
        let Some(entry) = self.entries.get_mut(slot) else { return false };
        let len = ip.len() as u32;
        let age = ts.since(entry.first);
        if entry.hash == hash && entry.len == len && (0..=self.window_ns).contains(&age) {
            let same = (entry.macs, entry.ttl) == (macs, ttl);
            if same || (is_numbered && entry.macs != macs && entry.ttl != ttl) {
                entry.copies = entry.copies.saturating_add(1);
                return entry.copies <= MAX_TWINS;
            }
        }
        *entry = Entry { hash, first: ts, len, macs, ttl, copies: 0 };
        false
    }

    /// Hash of what a router leaves as it is; the time to live; and whether packets of this sender tell themselves apart: by the IPv4
    /// identification, or by the bytes of a packet with addresses of 16 bytes.
    fn hash(&self, ip: &[u8]) -> (u64, u8, bool) {
        let Some(mut head) = ip.first_chunk::<20>().copied() else {
            return (xxh3_64_with_seed(ip, self.seed), 0, false);
        };
        let rest = ip.get(20..).unwrap_or_default();
        let is_v4 = head[0] >> 4 == 4;
        let (ttl, is_numbered) = if is_v4 { (head[8], head[4..6] != [0, 0]) } else { (head[7], true) };
        if is_v4 {
            (head[8], head[10], head[11]) = (0, 0, 0);
        } else {
            head[7] = 0;
        }
        let hash = xxh3_64_with_seed(rest, self.seed) ^ xxh3_64_with_seed(&head, self.seed).rotate_left(29);
        (hash, ttl, is_numbered)
    }

    fn macs(&self, src: Mac, dst: Mac) -> u32 {
        let macs = (wide(src) ^ wide(dst).rotate_left(16)).wrapping_mul(self.seed | 1);
        (macs ^ macs >> 32) as u32
    }

    /// Place in the table from identification, checksums, ports and tail of the packet, whatever the seed.
    fn slot(&self, ip: &[u8]) -> usize {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let tail = ip.len().saturating_sub(8);
        // What a router changes is no part of it: of the second word the first three bytes are looked at.
        let second =
            ip.get(4..).and_then(|b| b.first_chunk()).map_or(0, |b| u64::from(u32::from_le_bytes(*b) & 0xff_ffff));
        let mixed = [40.min(tail), tail].iter().fold(ip.len() as u64 ^ second.wrapping_mul(ODD), |sum, at| {
            let at = if *at < 12 { 12 } else { *at };
            let word = ip.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u64::from_le_bytes(*b));
            (sum ^ word).wrapping_mul(ODD).rotate_left(27)
        });
        ((u128::from(mixed.wrapping_mul(ODD)) * self.entries.len() as u128) >> 64) as usize
    }
}

fn wide(mac: Mac) -> u64 {
    let [a, b, c, d, e, f] = mac.0;
    u64::from_be_bytes([0, 0, a, b, c, d, e, f])
}
