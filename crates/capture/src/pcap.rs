//! The pcap file format: its variants, its file header and its records (draft-ietf-opsawg-pcap, and what Wireshark reads besides).

use gwcore::{Limit, Ts};

use crate::block::Block;
use crate::error::{DamageCause, Error};
use crate::frame::LinkType;
use crate::reader::{Context, Head, Skip, Step};

/// Length of the file header in bytes.
pub(crate) const FILE_HEADER: usize = 24;

/// No record is longer, even where the frame limit is passed: what claims more is damage. Wireshark's largest (D-Bus) is the same.
pub(crate) const PLAUSIBLE: u32 = 128 << 20;

/// What the magic number says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Variant {
    big_endian: bool,
    nanos: bool,
    /// Kuznetzov's patched libpcap: 8 bytes more in each record header.
    modified: bool,
}

impl Variant {
    pub(crate) fn of(head: &[u8]) -> Option<Variant> {
        let variant = |big_endian, nanos, modified| Some(Variant { big_endian, nanos, modified });
        match head.first_chunk::<4>()? {
            [0xa1, 0xb2, 0xc3, 0xd4] => variant(true, false, false),
            [0xd4, 0xc3, 0xb2, 0xa1] => variant(false, false, false),
            [0xa1, 0xb2, 0x3c, 0x4d] => variant(true, true, false),
            [0x4d, 0x3c, 0xb2, 0xa1] => variant(false, true, false),
            [0xa1, 0xb2, 0xcd, 0x34] => variant(true, false, true),
            [0x34, 0xcd, 0xb2, 0xa1] => variant(false, false, true),
            _ => None,
        }
    }

    fn u16(self, b: [u8; 2]) -> u16 {
        if self.big_endian { u16::from_be_bytes(b) } else { u16::from_le_bytes(b) }
    }

    #[inline]
    fn u32(self, b: [u8; 4]) -> u32 {
        if self.big_endian { u32::from_be_bytes(b) } else { u32::from_le_bytes(b) }
    }
}

/// The order of the two lengths in a record header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lengths {
    /// Captured, then original.
    Usual,
    /// Original, then captured: before version 2.3, and DG/UX.
    Swapped,
    /// Version 2.3 was written both ways: swapped where the captured length would be the larger.
    Either,
}

/// Reads records.
pub(crate) struct Pcap {
    variant: Variant,
    lengths: Lengths,
    link: LinkType,
    interface: u32,
}

impl Pcap {
    /// Reads the file header at the front of `block` and moves past it.
    pub(crate) fn open(block: &mut Block, cx: &mut Context) -> Result<Pcap, Error> {
        if !block.fill(FILE_HEADER) {
            return Err(Error::CutHeader);
        }
        let header = block.bytes().first_chunk::<FILE_HEADER>().ok_or(Error::CutHeader)?;
        let variant = Variant::of(header).ok_or(Error::NotCapture)?;
        let [_, _, _, _, a0, a1, i0, i1, .., n0, n1, n2, n3] = *header;
        let (major, minor) = (variant.u16([a0, a1]), variant.u16([i0, i1]));
        if major < 2 {
            return Err(Error::PcapVersion(major, minor));
        }
        let lengths = match (major, minor) {
            (2, 0..=2) | (543, _) => Lengths::Swapped,
            (2, 3) => Lengths::Either,
            _ => Lengths::Usual,
        };
        let link = link_type(variant.u32([n0, n1, n2, n3]));
        block.consume(FILE_HEADER);
        Ok(Pcap { variant, lengths, link, interface: cx.interfaces.intern("0") })
    }

    /// The next record. The one before must be consumed.
    #[inline]
    pub(crate) fn step(&self, block: &mut Block, cx: &mut Context) -> Step {
        let header_len = if self.variant.modified { 24 } else { 16 };
        if !block.fill(header_len) {
            return if block.bytes().is_empty() { Step::End } else { Step::Cut };
        }
        let Some(record) = self.record(block.bytes()) else { return Step::Cut };
        let captured = record.captured as usize;
        if captured > cx.frame_bytes {
            return self.skip_long(block, header_len, record.captured, cx);
        }
        let total = header_len.saturating_add(captured);
        if !block.fill(total) {
            return Step::Cut;
        }
        Step::Frame(Head {
            ts: record.ts,
            bad_time: record.bad_time,
            untimed: false,
            interface: self.interface,
            link: self.link,
            wire_len: record.original.max(record.captured),
            at: header_len,
            len: captured,
            record: total,
        })
    }

    /// Passes a record that is too long to hand out, provided that what follows it looks like a record or is the end.
    #[cold]
    fn skip_long(&self, block: &mut Block, header_len: usize, captured: u32, cx: &mut Context) -> Step {
        let damaged = Step::Damaged { at: block.offset(), cause: DamageCause::RecordLength(captured) };
        if captured > PLAUSIBLE || !block.skip(header_len as u64 + u64::from(captured)) {
            return damaged;
        }
        if block.fill(header_len) && self.record(block.bytes()).is_none_or(|next| next.captured > PLAUSIBLE) {
            return damaged;
        }
        cx.hits.hit(Limit::FrameBytes);
        Step::Skipped(Skip::Long)
    }

    #[inline]
    fn record(&self, bytes: &[u8]) -> Option<Record> {
        let [s0, s1, s2, s3, f0, f1, f2, f3, c0, c1, c2, c3, o0, o1, o2, o3] = *bytes.first_chunk::<16>()?;
        let int = |b| self.variant.u32(b);
        let (seconds, fraction) = (int([s0, s1, s2, s3]), int([f0, f1, f2, f3]));
        let (mut captured, mut original) = (int([c0, c1, c2, c3]), int([o0, o1, o2, o3]));
        if self.lengths == Lengths::Swapped || (self.lengths == Lengths::Either && captured > original) {
            std::mem::swap(&mut captured, &mut original);
        }
        // 32 bits of seconds and any 32-bit fraction stay below the year 2262: no overflow, only a fraction to be named.
        let (scale, top) = if self.variant.nanos { (1, 1_000_000_000) } else { (1_000, 1_000_000) };
        let ts = Ts::from_parts(i64::from(seconds), i64::from(fraction).saturating_mul(scale));
        Some(Record { ts, bad_time: fraction >= top, captured, original })
    }
}

struct Record {
    ts: Ts,
    bad_time: bool,
    captured: u32,
    original: u32,
}

/// The lower 26 bits name the link type, the upper ones the length of a frame check sequence.
fn link_type(field: u32) -> LinkType {
    LinkType(u16::try_from(field & 0x03ff_ffff).unwrap_or(u16::MAX))
}
