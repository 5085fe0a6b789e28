//! The block of a file that frames are borrowed from: filled by large reads, never mapped.

use std::io::{self, Read};

/// Bytes of a block, when few files are open.
pub(crate) const BLOCK: usize = 1 << 20;

/// A window on a stream of bytes that only moves forward.
pub(crate) struct Block {
    source: Box<dyn Read + Send>,
    buf: Vec<u8>,
    start: usize,
    end: usize,
    /// Offset of `start` in the stream.
    offset: u64,
    ended: bool,
    cut: bool,
    failure: Option<io::Error>,
}

impl Block {
    pub(crate) fn new(source: Box<dyn Read + Send>, size: usize) -> Block {
        // Zeroed pages come from the system untouched: a small file does not cost the whole block.
        let buf = vec![0; size];
        Block { source, buf, start: 0, end: 0, offset: 0, ended: false, cut: false, failure: None }
    }

    /// Reads until at least `need` bytes are there; false when the stream ends before. The block grows to `need`, which the
    /// caller bounds. On a slow stream it returns as soon as it has enough.
    #[inline]
    pub(crate) fn fill(&mut self, need: usize) -> bool {
        self.end - self.start >= need || self.read_more(need)
    }

    /// The bytes that are there.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        self.buf.get(self.start..self.end).unwrap_or_default()
    }

    /// Moves on by `n` bytes, at most by what is there.
    #[inline]
    pub(crate) fn consume(&mut self, n: usize) {
        let n = n.min(self.end - self.start);
        self.start += n;
        self.offset = self.offset.saturating_add(n as u64);
    }

    /// Moves on by `n` bytes, reading as needed; false when the stream ends before.
    pub(crate) fn skip(&mut self, mut n: u64) -> bool {
        loop {
            let have = self.end - self.start;
            let step = usize::try_from(n).unwrap_or(usize::MAX).min(have);
            self.consume(step);
            n -= step as u64;
            if n == 0 {
                return true;
            }
            if !self.fill(1) {
                return false;
            }
        }
    }

    /// Offset of the next byte in the stream, unpacked.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether the packed stream ended too early.
    pub(crate) fn is_cut(&self) -> bool {
        self.cut
    }

    /// Why no more can be read, if that is not the end of the stream.
    pub(crate) fn failure(&self) -> Option<&io::Error> {
        self.failure.as_ref()
    }

    #[cold]
    fn read_more(&mut self, need: usize) -> bool {
        self.buf.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.buf.len() < need {
            self.buf.resize(need, 0);
        }
        while self.end < need && !self.ended {
            let Some(room) = self.buf.get_mut(self.end..) else { break };
            match self.source.read(room) {
                Ok(0) => self.ended = true,
                Ok(n) => self.end = self.end.saturating_add(n).min(self.buf.len()),
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                Err(err) => {
                    self.ended = true;
                    // Both decompressors say this when the packed bytes stop too early: a cut file, not a broken one.
                    self.cut = err.kind() == io::ErrorKind::UnexpectedEof;
                    self.failure = (!self.cut).then_some(err);
                }
            }
        }
        self.end >= need
    }
}
