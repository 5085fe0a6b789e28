//! The part of a buffer that is still to be decoded, and how long the headers say it is.

/// A window on captured bytes. `said` may exceed what was captured, never the other way round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'d> {
    data: &'d [u8],
    at: usize,
    end: usize,
    said_end: usize,
}

impl<'d> Cursor<'d> {
    /// All of `data`, of which there were `wire_len` bytes before it was cut.
    pub fn new(data: &'d [u8], wire_len: usize) -> Cursor<'d> {
        Cursor { data, at: 0, end: data.len(), said_end: wire_len.max(data.len()) }
    }

    /// The captured bytes left.
    #[inline]
    pub fn rest(&self) -> &'d [u8] {
        self.data.get(self.at..self.end).unwrap_or_default()
    }

    /// Bytes left as the headers say.
    #[inline]
    pub fn said(&self) -> usize {
        self.said_end.saturating_sub(self.at)
    }

    /// Whether everything the headers say was captured.
    #[inline]
    pub fn is_whole(&self) -> bool {
        self.said_end <= self.end
    }

    /// Passes over `n` bytes, or to the end.
    #[inline]
    pub fn skip(&mut self, n: usize) {
        self.at = self.at.saturating_add(n).min(self.end);
        self.said_end = self.said_end.max(self.at);
    }

    /// Shortens what is left to `n` bytes; a longer `n` changes nothing.
    #[inline]
    pub fn cap(&mut self, n: usize) {
        let end = self.at.saturating_add(n);
        self.end = self.end.min(end);
        self.said_end = self.said_end.min(end);
    }

    /// Takes off the last `n` bytes of a whole buffer.
    pub fn drop_tail(&mut self, n: usize) {
        self.cap(self.rest().len().saturating_sub(n));
    }

    /// Where the window begins and ends in the buffer.
    pub fn range(&self) -> (usize, usize) {
        (self.at, self.end)
    }
}

/// Big-endian 16 bits at `at`.
#[inline]
pub(crate) fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|b| u16::from_be_bytes(*b))
}

/// Big-endian 32 bits at `at`.
#[inline]
pub(crate) fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|b| u32::from_be_bytes(*b))
}

/// `N` bytes at `at`.
#[inline]
pub(crate) fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}
