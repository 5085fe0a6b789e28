//! The link layer (IEEE 1815 §9): frames, their CRCs, and the way back to a frame after bytes that are none.

use proto::Cursor;

/// Header with its CRC: start, length, control, destination, source.
pub const HEADER: usize = 10;
/// User data in one block, each followed by a CRC.
const BLOCK: usize = 16;

/// CRC-16/DNP, reflected polynomial 0xA6BC (IEEE 1815 §9.2.4.8).
const TABLE: [u16; 256] = {
    let mut table = [0u16; 256];
    let mut i = 0;
    while i < 256 {
        let mut crc = i as u16;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xa6bc } else { crc >> 1 };
            bit += 1;
        }
        table[i] = crc;
        i += 1;
    }
    table
};

/// CRC of a block as it stands on the wire, low byte first.
pub fn crc(bytes: &[u8]) -> u16 {
    let step = |crc: u16, b: &u8| {
        let entry = TABLE.get(usize::from(crc as u8 ^ b)).copied().unwrap_or_default();
        crc >> 8 ^ entry
    };
    !bytes.iter().fold(0, step)
}

/// A frame's header; its CRC was right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Octets after the length octet, CRCs aside: 5 for a frame without user data.
    pub length: u8,
    /// Control octet.
    pub control: u8,
    /// Address of the receiver.
    pub dst: u16,
    /// Address of the sender.
    pub src: u16,
}

impl Header {
    /// Sent by a master (DIR).
    pub fn by_master(self) -> bool {
        self.control & 0x80 != 0
    }
    /// Master and outstation, of a frame that the outstation sends.
    pub fn answer_pair(self) -> (u16, u16) {
        (self.dst, self.src)
    }
    /// From the primary station (PRM), which starts a link transaction.
    pub fn prm(self) -> bool {
        self.control & 0x40 != 0
    }
    /// Frame count bit.
    pub fn fcb(self) -> bool {
        self.control & 0x20 != 0
    }
    /// Frame count valid; from a secondary station, data flow control.
    pub fn fcv(self) -> bool {
        self.control & 0x10 != 0
    }
    /// Function code.
    pub fn function(self) -> u8 {
        self.control & 0x0f
    }
    /// Whether the function carries user data (§9.2.4.4): confirmed and unconfirmed user data do; the reserved primary functions are
    /// read as if they did, since some receivers do so.
    pub fn may_carry(self) -> bool {
        self.prm() && !matches!(self.function(), 0 | 1 | 2 | 9)
    }
    /// Whether the standard has the function.
    pub fn is_known(self) -> bool {
        if self.prm() { matches!(self.function(), 0..=4 | 9) } else { matches!(self.function(), 0 | 1 | 11 | 15) }
    }
    /// Octets of user data.
    pub fn user_data(self) -> usize {
        usize::from(self.length.saturating_sub(5))
    }
    /// Bytes of the whole frame.
    pub fn frame_len(self) -> usize {
        HEADER + self.user_data() + 2 * self.user_data().div_ceil(BLOCK)
    }
}

/// What stands at the beginning of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub enum Scan {
    /// A whole frame.
    Frame(Header),
    /// So many bytes that belong to no frame.
    Skip(usize, &'static str),
    /// So many bytes must be there to tell.
    Need(usize),
}

/// Looks for a frame; what it answers does not depend on how many bytes follow.
pub fn scan(bytes: &[u8]) -> Scan {
    if bytes.first().is_some_and(|b| *b != 0x05) {
        let n = bytes.iter().position(|b| *b == 0x05).unwrap_or(bytes.len());
        return Scan::Skip(n, "not_a_frame");
    }
    if bytes.get(1).is_some_and(|b| *b != 0x64) {
        return Scan::Skip(1, "not_a_frame");
    }
    let Some(head) = bytes.get(..HEADER) else { return Scan::Need(HEADER) };
    match header(head) {
        None => Scan::Skip(1, "header_crc_error"),
        Some(h) if h.length < 5 => Scan::Skip(1, "bad_length"),
        Some(h) if bytes.len() < h.frame_len() => Scan::Need(h.frame_len()),
        Some(h) => Scan::Frame(h),
    }
}

/// The header at the beginning of `bytes`, if its CRC is right.
pub fn header(bytes: &[u8]) -> Option<Header> {
    let protected = bytes.get(..HEADER - 2)?;
    let mut c = Cursor::new(bytes);
    if c.u16()? != 0x0564 {
        return None;
    }
    let head = Header { length: c.u8()?, control: c.u8()?, dst: c.u16_le()?, src: c.u16_le()? };
    (c.u16_le()? == crc(protected)).then_some(head)
}

/// Where the first header with a right CRC stands in `bytes`.
pub fn find(bytes: &[u8]) -> Option<usize> {
    let at = |(i, w): (usize, &[u8])| {
        (w.starts_with(&[0x05, 0x64]) && header(w).is_some_and(|h| h.length >= 5)).then_some(i)
    };
    bytes.windows(HEADER).enumerate().find_map(at)
}

/// Where the first header with a right CRC stands or, failing that, the beginning of one that goes on past the end.
pub fn find_begin(bytes: &[u8]) -> Option<usize> {
    let tail = bytes.len().saturating_sub(HEADER - 1);
    let begins = |b: &[u8]| b.starts_with(&[0x05, 0x64]) || b == [0x05];
    find(bytes).or_else(|| (tail..bytes.len()).find(|i| bytes.get(*i..).is_some_and(begins)))
}

/// User data of a frame, copied without CRCs up to the first block whose CRC is wrong; false when there was one.
pub fn user_data(header: Header, frame: &[u8], out: &mut Vec<u8>) -> bool {
    let mut c = Cursor::new(frame.get(HEADER..).unwrap_or_default());
    let mut left = header.user_data();
    while left > 0 {
        let n = left.min(BLOCK);
        let (Some(block), Some(sum)) = (c.take(n), c.u16_le()) else { return false };
        if crc(block) != sum {
            return false;
        }
        out.extend_from_slice(block);
        left -= n;
    }
    true
}
