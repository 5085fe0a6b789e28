//! Zeek's `history`: one letter per kind of event and direction, repeated on a logarithmic scale for the four that tell of trouble.

use crate::Side;

/// Longest history kept, in letters; what would follow is left out. Only floods of SYN, FIN or RST with ever new numbers come near.
const ROOM: usize = 48;

/// The letters so far.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct History {
    seen: [u32; 2],
    len: u8,
    text: [u8; ROOM],
}

/// How often a repeated letter was due, and when it is written next.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scale {
    count: u32,
    next: u32,
}

impl Default for History {
    fn default() -> Self {
        History { text: [0; ROOM], len: 0, seen: [0; 2] }
    }
}

impl History {
    /// The text.
    pub(crate) fn text(&self) -> &[u8] {
        self.text.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// The sign of a flipped direction.
    pub(crate) fn flipped(&mut self) {
        self.push(b'^');
    }

    /// Writes `letter` (lower case) the first time that `side` gives cause.
    #[inline]
    pub(crate) fn once(&mut self, side: Side, letter: u8) {
        let bit = 1u32 << (letter & 31);
        let seen = &mut self.seen[side.index()];
        if *seen & bit == 0 {
            *seen |= bit;
            self.push(side.letter(letter));
        }
    }

    /// Writes `letter` the first time, and again whenever `seq` is not the one of the time before.
    pub(crate) fn differing(&mut self, side: Side, letter: u8, before: &mut u32, seq: u32) {
        let bit = 1u32 << (letter & 31);
        let again = self.seen[side.index()] & bit != 0 && *before != seq;
        *before = seq;
        if again {
            self.push(side.letter(letter));
        }
        self.once(side, letter);
    }

    /// Writes `letter` at the first, tenth, hundredth … cause.
    pub(crate) fn scaled(&mut self, side: Side, letter: u8, scale: &mut Scale) {
        scale.count = scale.count.saturating_add(1);
        if scale.count >= scale.next.max(1) {
            scale.next = scale.next.max(1).saturating_mul(10);
            self.push(side.letter(letter));
        }
    }

    fn push(&mut self, c: u8) {
        if let Some(slot) = self.text.get_mut(usize::from(self.len)) {
            *slot = c;
            self.len += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_written_at_powers_of_ten() {
        let (mut h, mut s) = (History::default(), Scale::default());
        let mut written = Vec::new();
        for n in 1..=1_000 {
            let before = h.text().len();
            h.scaled(Side::Resp, b't', &mut s);
            if h.text().len() > before {
                written.push(n);
            }
        }
        assert_eq!(written, [1, 10, 100, 1_000]);
        assert_eq!(h.text(), b"tttt");
    }

    #[test]
    fn other_letters_come_once_per_side() {
        let mut h = History::default();
        for side in [Side::Orig, Side::Orig, Side::Resp, Side::Resp] {
            h.once(side, b'd');
            h.once(side, b'a');
        }
        assert_eq!(h.text(), b"DAda");
    }
}
