//! Recently delivered stream bytes, kept to compare what is sent again.
//!
//! All streams of a shard share one ring; each remembers where its last bytes lie in it. So memory is bounded by
//! `overlap_shard_bytes`, whatever the number of flows, and what the ring has overwritten is simply not compared.

/// Bytes shown of each version of a conflict.
const SHOWN: usize = 32;

/// The ring. Positions count all bytes ever written and those skipped at its end.
pub(crate) struct Ring {
    bytes: Vec<u8>,
    size: usize,
    head: u64,
}

/// Where a stretch of one stream lies in the ring.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stretch {
    offset: i64,
    at: u64,
    len: u32,
}

/// The last stretches of one stream, oldest first.
pub(crate) type Recent = [Stretch; 4];

impl Ring {
    pub(crate) fn new(size: usize) -> Ring {
        Ring { bytes: Vec::new(), size: size.max(1), head: 0 }
    }

    /// Remembers the last `keep` bytes of `data`, which stand at `offset` of their stream.
    pub(crate) fn remember(&mut self, recent: &mut Recent, offset: i64, data: &[u8], keep: usize) {
        let n = data.len().min(keep).min(self.size);
        let Some(tail) = data.get(data.len() - n..).filter(|t| !t.is_empty()) else { return };
        let offset = offset.saturating_add((data.len() - n) as i64);
        let size = self.size as u64;
        let mut at = (self.head % size) as usize;
        if at + n > self.size {
            self.head += size - at as u64;
            at = 0;
        }
        if let Some(place) = self.bytes.get_mut(at..at + n) {
            place.copy_from_slice(tail);
        } else {
            self.bytes.truncate(at);
            self.make_room(at + n);
            self.bytes.resize(at, 0);
            self.bytes.extend_from_slice(tail);
        }
        let [.., last] = recent;
        let follows = last.at + u64::from(last.len) == self.head && last.offset + i64::from(last.len) == offset;
        if follows && last.len > 0 && last.len as usize + n <= keep && at > 0 {
            last.len += n as u32;
        } else {
            recent.rotate_left(1);
            recent[3] = Stretch { offset, at: self.head, len: n as u32 };
        }
        self.head += n as u64;
    }

    /// Doubles the storage up to `size`, never beyond.
    fn make_room(&mut self, wanted: usize) {
        if self.bytes.capacity() < wanted {
            let doubled = self.bytes.capacity().saturating_mul(2).clamp(wanted, self.size.max(wanted));
            self.bytes.reserve_exact(doubled - self.bytes.len());
        }
    }

    /// The first place where `data`, which stands at `offset`, differs from what was remembered, with both versions from there.
    pub(crate) fn conflict(&self, recent: &Recent, offset: i64, data: &[u8]) -> Option<String> {
        recent.iter().find_map(|s| {
            if s.len == 0 || self.head.saturating_sub(s.at) > self.size as u64 {
                return None;
            }
            let at = (s.at % self.size as u64) as usize;
            let old = self.bytes.get(at..at + s.len as usize)?;
            differ(s.offset, old, offset, data)
        })
    }
}

/// The first difference of two stretches of one stream where they overlap, described with both versions.
pub(crate) fn differ(old_offset: i64, old: &[u8], new_offset: i64, new: &[u8]) -> Option<String> {
    let from = old_offset.max(new_offset);
    let old = old.get(usize::try_from(from - old_offset).ok()?..)?;
    let new = new.get(usize::try_from(from - new_offset).ok()?..)?;
    let at = old.iter().zip(new).position(|(a, b)| a != b)?;
    let until = old.len().min(new.len());
    let show = |b: &[u8]| -> String {
        b.get(at..until).unwrap_or_default().iter().take(SHOWN).map(|b| format!("{b:02x}")).collect()
    };
    Some(format!("offset {}: was {}, then {}", from.saturating_add(at as i64), show(old), show(new)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_overwritten_is_not_compared() {
        let mut ring = Ring::new(10);
        let (mut a, mut b) = (Recent::default(), Recent::default());
        ring.remember(&mut a, 0, b"abcd", 8);
        ring.remember(&mut a, 4, b"ef", 8);
        assert_eq!(ring.conflict(&a, 2, b"cXe"), Some("offset 3: was 6465, then 5865".into()));
        assert_eq!(ring.conflict(&a, 2, b"cdef"), None);
        ring.remember(&mut b, 0, b"123", 8);
        assert!(
            ring.conflict(&a, 5, b"X").is_some(),
            "the ring skipped its last four bytes but overwrote only the first"
        );
        ring.remember(&mut b, 3, b"456789", 8);
        assert_eq!(ring.conflict(&a, 0, b"XXXXXX"), None);
        assert!(ring.conflict(&b, 3, b"4X").is_some());
    }

    #[test]
    fn only_the_last_bytes_are_kept() {
        let (mut ring, mut r) = (Ring::new(100), Recent::default());
        ring.remember(&mut r, 0, b"abcdef", 3);
        assert_eq!(ring.conflict(&r, 0, b"XXXdef"), None);
        assert!(ring.conflict(&r, 3, b"X").is_some());
    }
}
