//! A cursor over bytes from the wire: every read is checked, every length-prefixed field opens a cursor of its own.

/// Reads forward; a read past the end gives `None` and moves nothing.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    rest: &'a [u8],
}

macro_rules! integers {
    ($($name:ident, $le:ident, $t:ty, $n:literal;)+) => {$(
        #[doc = concat!("An unsigned integer of ", $n, " bytes, big-endian.")]
        #[inline]
        pub fn $name(&mut self) -> Option<$t> { self.array().map(<$t>::from_be_bytes) }
        #[doc = concat!("An unsigned integer of ", $n, " bytes, little-endian.")]
        #[inline]
        pub fn $le(&mut self) -> Option<$t> { self.array().map(<$t>::from_le_bytes) }
    )+};
}

impl<'a> Cursor<'a> {
    /// At the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { rest: bytes }
    }

    /// Bytes left.
    #[inline]
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// Whether none are left.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What is left, without moving.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `n` bytes.
    #[inline]
    pub fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.rest.split_at_checked(n)?;
        self.rest = tail;
        Some(head)
    }

    /// A cursor over the next `n` bytes.
    pub fn sub(&mut self, n: usize) -> Option<Cursor<'a>> {
        self.take(n).map(Cursor::new)
    }

    /// The next `N` bytes as an array.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.rest.split_first_chunk::<N>()?;
        self.rest = tail;
        Some(*head)
    }

    /// One byte.
    #[inline]
    pub fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[b]| b)
    }

    integers! { u16, u16_le, u16, 2; u32, u32_le, u32, 4; u64, u64_le, u64, 8; }

    /// Three bytes, big-endian.
    pub fn u24(&mut self) -> Option<u32> {
        self.array::<3>().map(|[a, b, c]| u32::from_be_bytes([0, a, b, c]))
    }

    /// Three bytes, little-endian.
    pub fn u24_le(&mut self) -> Option<u32> {
        self.array::<3>().map(|[a, b, c]| u32::from_le_bytes([a, b, c, 0]))
    }

    /// Six bytes, little-endian.
    pub fn u48_le(&mut self) -> Option<u64> {
        self.array::<6>().map(|[a, b, c, d, e, f]| u64::from_le_bytes([a, b, c, d, e, f, 0, 0]))
    }
}
