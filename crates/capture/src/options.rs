//! Options of pcapng blocks (draft-ietf-opsawg-pcapng section 3.5) and the numbers around them.

/// Byte order of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) big_endian: bool,
}

impl Order {
    #[inline]
    pub(crate) fn u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        let b = *bytes.get(at..)?.first_chunk::<2>()?;
        Some(if self.big_endian { u16::from_be_bytes(b) } else { u16::from_le_bytes(b) })
    }

    #[inline]
    pub(crate) fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let b = *bytes.get(at..)?.first_chunk::<4>()?;
        Some(if self.big_endian { u32::from_be_bytes(b) } else { u32::from_le_bytes(b) })
    }

    pub(crate) fn u64(self, bytes: &[u8]) -> Option<u64> {
        let b = *bytes.first_chunk::<8>()?;
        Some(if self.big_endian { u64::from_be_bytes(b) } else { u64::from_le_bytes(b) })
    }

    pub(crate) fn i64(self, bytes: &[u8]) -> Option<i64> {
        let b = *bytes.first_chunk::<8>()?;
        Some(if self.big_endian { i64::from_be_bytes(b) } else { i64::from_le_bytes(b) })
    }
}

/// Code of a comment, in every block.
pub(crate) const COMMENT: u16 = 1;

/// Walks a list of type, length, value, padded to four bytes; ends at type 0, or where a value passes the end of the list.
pub(crate) struct Items<'a> {
    order: Order,
    rest: &'a [u8],
}

impl<'a> Items<'a> {
    pub(crate) fn new(order: Order, bytes: &'a [u8]) -> Items<'a> {
        Items { order, rest: bytes }
    }

    /// Bytes after the last item that was handed out.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let code = self.order.u16(self.rest, 0)?;
        let len = usize::from(self.order.u16(self.rest, 2)?);
        if code == 0 {
            self.rest = self.rest.get(4..).unwrap_or_default();
            return None;
        }
        let value = self.rest.get(4..)?.get(..len)?;
        self.rest = self.rest.get(4 + len.next_multiple_of(4)..).unwrap_or_default();
        Some((code, value))
    }
}
