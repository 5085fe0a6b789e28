//! The pcapng file format: sections, interfaces and packet blocks (draft-ietf-opsawg-pcapng); other blocks are kept or passed.

use std::net::IpAddr;

use gwcore::{Limit, Ts};

use crate::block::Block;
use crate::error::{DamageCause, Error};
use crate::frame::LinkType;
use crate::options::{COMMENT, Items, Order};
use crate::pcap::PLAUSIBLE;
use crate::reader::{Context, Head, Skip, Step};
use crate::report::FileReport;
use crate::statistics::{Losses, Statistics};

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const NAME_RESOLUTION: u32 = 4;
const INTERFACE_STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;
const DECRYPTION_SECRETS: u32 = 10;

/// Blocks without a frame that Wireshark counts in its numbering all the same: systemd journal, custom (to copy and not), sysdig
/// events. Seen with tshark 4.0.
const NUMBERED: [u32; 6] = [9, 0x0bad, 0x4000_0bad, 0x204, 0x216, 0x221];

/// Option of an enhanced packet block: frames lost since the one before.
const DROP_COUNT: u16 = 4;
/// Options of an interface statistics block: frames lost by the interface, by the system.
const INTERFACE_DROPS: u16 = 5;
const SYSTEM_DROPS: u16 = 7;

/// Bytes of a block that are looked at besides its frame: headers and options.
const ROOM: usize = 64 << 10;

/// Whether `head` begins a section: the block type reads the same both ways, and the byte-order magic is where it has to be.
pub(crate) fn begins(head: &[u8]) -> bool {
    head.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]) && (head.len() < 12 || order(head).is_some())
}

fn order(block: &[u8]) -> Option<Order> {
    match block.get(8..12)? {
        [0x1a, 0x2b, 0x3c, 0x4d] => Some(Order { big_endian: true }),
        [0x4d, 0x3c, 0x2b, 0x1a] => Some(Order { big_endian: false }),
        _ => None,
    }
}

/// Reads blocks.
pub(crate) struct Pcapng {
    order: Order,
    interfaces: Vec<Interface>,
    /// Time of the last frame, for those that have none.
    last: Ts,
}

#[derive(Clone, Copy)]
struct Interface {
    link: LinkType,
    snaplen: u32,
    clock: Clock,
    name: u32,
    losses: Losses,
}

/// What one block was.
enum Item {
    Frame(Head),
    Skipped(Skip),
    /// A block without a frame; whether it counts as one in Wireshark's numbering.
    Other {
        numbered: bool,
    },
    Damaged(DamageCause),
}

/// The fields that all packet blocks have in some form.
struct Packet {
    interface: usize,
    /// Units of the interface's clock; none in a simple packet block.
    time: Option<u64>,
    captured: u32,
    original: u32,
    /// Where the data begins in the block.
    at: usize,
    /// Frames lost since the packet before, where the header says so.
    dropped: u64,
}

impl Pcapng {
    /// Interfaces that the section described so far.
    #[inline]
    pub(crate) fn interfaces(&self) -> usize {
        self.interfaces.len()
    }

    /// Checks the section header at the front of `block`; the first [`Pcapng::step`] reads it.
    pub(crate) fn open(block: &mut Block) -> Result<Pcapng, Error> {
        if !block.fill(28) {
            return Err(Error::CutHeader);
        }
        let bytes = block.bytes();
        let order = order(bytes).ok_or(Error::NotCapture)?;
        match version(order, bytes) {
            Some((1, 0 | 2)) => Ok(Pcapng { order, interfaces: Vec::new(), last: Ts(0) }),
            Some((major, minor)) => Err(Error::PcapngVersion(major, minor)),
            None => Err(Error::CutHeader),
        }
    }

    /// The next frame, passing blocks that carry none. The block of the frame before must be consumed.
    #[inline]
    pub(crate) fn step(&mut self, block: &mut Block, report: &mut FileReport, cx: &mut Context) -> Step {
        if !block.fill(12) {
            return if block.bytes().is_empty() { Step::End } else { Step::Cut };
        }
        let at = block.offset();
        let damaged = |cause| Step::Damaged { at, cause };
        let Some((kind, len)) = self.block_header(block.bytes()) else {
            let magic = Order { big_endian: true }.u32(block.bytes(), 8).unwrap_or(0);
            return damaged(DamageCause::ByteOrder(magic));
        };
        if len < 12 || len % 4 != 0 || len > PLAUSIBLE {
            return damaged(DamageCause::BlockLength(len));
        }
        let total = len as usize;
        let held = total.min(cx.frame_bytes.saturating_add(ROOM));
        if !block.fill(held) {
            return Step::Cut;
        }
        let whole = held == total;
        if whole && let Some(end) = self.order.u32(block.bytes(), total - 4).filter(|end| *end != len) {
            return damaged(DamageCause::BlockEnd(len, end));
        }
        let body = block.bytes().get(..if whole { total - 4 } else { held }).unwrap_or_default();
        let item = self.item(kind, body, total, whole, report, cx);
        if let Item::Frame(head) = item {
            return Step::Frame(head);
        }
        if whole {
            block.consume(total);
        } else if let Some(cause) = self.pass_long(block, len) {
            return damaged(cause);
        }
        match item {
            Item::Skipped(skip) => Step::Skipped(skip),
            Item::Damaged(cause) => damaged(cause),
            Item::Frame(_) | Item::Other { .. } => {
                Step::Passed { numbered: matches!(item, Item::Other { numbered: true }) }
            }
        }
    }

    /// Type and length of the block; a section header also sets the byte order. None if that has no known magic.
    #[inline]
    fn block_header(&mut self, bytes: &[u8]) -> Option<(u32, u32)> {
        if bytes.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]) {
            self.order = order(bytes)?;
        }
        Some((self.order.u32(bytes, 0)?, self.order.u32(bytes, 4)?))
    }

    /// Moves past a block of which only the front was looked at; the cause if its end does not confirm its length.
    #[cold]
    fn pass_long(&self, block: &mut Block, len: u32) -> Option<DamageCause> {
        if !block.skip(u64::from(len - 4)) || !block.fill(4) {
            return Some(DamageCause::BlockLength(len));
        }
        let end = self.order.u32(block.bytes(), 0)?;
        block.consume(4);
        (end != len).then_some(DamageCause::BlockEnd(len, end))
    }

    /// Understands one block. `body` is the block from its type on, without the length at its end.
    #[inline]
    fn item(
        &mut self,
        kind: u32,
        body: &[u8],
        total: usize,
        whole: bool,
        report: &mut FileReport,
        cx: &mut Context,
    ) -> Item {
        let packet = match kind {
            ENHANCED_PACKET => self.enhanced(body),
            SIMPLE_PACKET => self.simple(body),
            OBSOLETE_PACKET => self.obsolete(body),
            _ => return self.other(kind, body, report, cx),
        };
        match packet {
            Some(packet) => self.frame(packet, body, total, whole, report, cx),
            None => Item::Skipped(Skip::Invalid),
        }
    }

    fn enhanced(&self, body: &[u8]) -> Option<Packet> {
        let int = |at| self.order.u32(body, at);
        Some(Packet {
            interface: int(8)? as usize,
            time: Some(u64::from(int(12)?) << 32 | u64::from(int(16)?)),
            captured: int(20)?,
            original: int(24)?,
            at: 28,
            dropped: 0,
        })
    }

    /// Appendix A: its header counts drops, all bits for unknown.
    fn obsolete(&self, body: &[u8]) -> Option<Packet> {
        let dropped = self.order.u16(body, 10).filter(|n| *n != u16::MAX).unwrap_or(0);
        let interface = usize::from(self.order.u16(body, 8)?);
        Some(Packet { interface, dropped: u64::from(dropped), ..self.enhanced(body)? })
    }

    /// Section 4.4: the captured length is the lesser of the original one, the snap length of interface 0 and the block.
    fn simple(&self, body: &[u8]) -> Option<Packet> {
        let original = self.order.u32(body, 8)?;
        let snaplen = self.interfaces.first().map(|i| i.snaplen).filter(|n| *n > 0).unwrap_or(u32::MAX);
        let room = u32::try_from(body.len().checked_sub(12)?).unwrap_or(u32::MAX);
        Some(Packet {
            interface: 0,
            time: None,
            captured: original.min(snaplen).min(room),
            original,
            at: 12,
            dropped: 0,
        })
    }

    #[inline]
    fn frame(
        &mut self,
        packet: Packet,
        body: &[u8],
        total: usize,
        whole: bool,
        report: &mut FileReport,
        cx: &mut Context,
    ) -> Item {
        let captured = packet.captured as usize;
        if !whole || captured > cx.frame_bytes {
            cx.hits.hit(Limit::FrameBytes);
            return Item::Skipped(Skip::Long);
        }
        let room = body.len().saturating_sub(packet.at);
        let Some(interface) = self.interfaces.get_mut(packet.interface).filter(|_| captured <= room) else {
            return Item::Skipped(Skip::Invalid);
        };
        let (ts, bad_time) = packet.time.map_or((self.last, false), |time| interface.clock.at(time));
        let head = Head {
            ts,
            bad_time,
            untimed: packet.time.is_none(),
            interface: interface.name,
            link: interface.link,
            wire_len: packet.original.max(packet.captured),
            at: packet.at,
            len: captured,
            record: total,
        };
        self.last = ts;
        let options = body.get(packet.at + captured.next_multiple_of(4)..).unwrap_or_default();
        let mut dropped = packet.dropped;
        if packet.time.is_some() && !options.is_empty() {
            dropped = dropped.max(self.packet_options(options, report));
        }
        if let Some(loss) = self.interfaces.get_mut(packet.interface).and_then(|i| i.losses.frame(ts, dropped)) {
            report.lost.between = report.lost.between.saturating_add(loss.lost);
            cx.lost(loss);
        }
        Item::Frame(head)
    }

    /// Counts comments; gives the frames lost since the packet before (`epb_dropcount`, section 4.3). Options of obsolete packet blocks have
    /// no code as high.
    fn packet_options(&self, options: &[u8], report: &mut FileReport) -> u64 {
        let mut dropped = 0;
        for (code, value) in Items::new(self.order, options) {
            match code {
                COMMENT => report.comments = report.comments.saturating_add(1),
                DROP_COUNT => dropped = self.order.u64(value).unwrap_or(0),
                _ => {}
            }
        }
        dropped
    }

    /// Section 4.6: frames that the interface and the system lost since capturing began.
    #[cold]
    fn statistics(&mut self, body: &[u8], report: &mut FileReport, cx: &mut Context) {
        self.comments(body.get(20..).unwrap_or_default(), report);
        let order = self.order;
        let (Some(high), Some(low)) = (order.u32(body, 12), order.u32(body, 16)) else { return };
        let interface = order.u32(body, 8).and_then(|n| self.interfaces.get_mut(n as usize));
        let Some(interface) = interface else { return };
        let at = interface.clock.at(u64::from(high) << 32 | u64::from(low));
        // Without a time that can be: what was lost was lost before the last frame.
        let at = if at.1 { self.last } else { at.0.max(self.last) };
        let mut told = Statistics { at, ..Statistics::default() };
        for (code, value) in Items::new(order, body.get(20..).unwrap_or_default()) {
            // All bits stand for unknown.
            let count = order.u64(value).filter(|n| *n != u64::MAX);
            match (code, count) {
                (INTERFACE_DROPS, Some(n)) => told.interface = n,
                (SYSTEM_DROPS, Some(n)) => told.system = n,
                _ => {}
            }
        }
        let (new, loss) = interface.losses.statistics(told);
        report.lost.interface = report.lost.interface.saturating_add(new.interface);
        report.lost.system = report.lost.system.saturating_add(new.system);
        if let Some(loss) = loss {
            cx.lost(loss);
        }
    }

    fn comments(&self, options: &[u8], report: &mut FileReport) {
        let n = Items::new(self.order, options).filter(|(code, _)| *code == COMMENT).count();
        report.comments = report.comments.saturating_add(n as u64);
    }

    fn other(&mut self, kind: u32, body: &[u8], report: &mut FileReport, cx: &mut Context) -> Item {
        match kind {
            SECTION_HEADER => return self.section(body, report),
            INTERFACE => self.interface(body, report, cx),
            NAME_RESOLUTION => self.name_resolution(body, report, cx),
            INTERFACE_STATISTICS => self.statistics(body, report, cx),
            DECRYPTION_SECRETS => report.secrets = report.secrets.saturating_add(1),
            _ => report.other_blocks = report.other_blocks.saturating_add(1),
        }
        Item::Other { numbered: NUMBERED.contains(&kind) }
    }

    fn section(&mut self, body: &[u8], report: &mut FileReport) -> Item {
        match version(self.order, body) {
            Some((1, 0 | 2)) => {}
            Some((major, minor)) => return Item::Damaged(DamageCause::SectionVersion(major, minor)),
            None => return Item::Damaged(DamageCause::BlockLength(body.len() as u32)),
        }
        self.interfaces.clear();
        report.sections = report.sections.saturating_add(1);
        self.comments(body.get(24..).unwrap_or_default(), report);
        Item::Other { numbered: false }
    }

    fn interface(&mut self, body: &[u8], report: &mut FileReport, cx: &mut Context) {
        let (Some(link), Some(snaplen)) = (self.order.u16(body, 8), self.order.u32(body, 12)) else { return };
        if self.interfaces.len() >= cx.limits.get(Limit::Interfaces) {
            cx.hits.hit(Limit::Interfaces);
            return;
        }
        let options = body.get(16..).unwrap_or_default();
        let (mut name, mut description) = (None, None);
        let (mut resolution, mut offset) = (6, 0);
        for (code, value) in Items::new(self.order, options) {
            match code {
                2 => name = Some(value),
                3 => description = Some(value),
                9 => resolution = value.first().copied().unwrap_or(resolution),
                14 => offset = self.order.i64(value).unwrap_or(offset),
                _ => {}
            }
        }
        let text = name.or(description).map(|text| text.split(|b| *b == 0).next().unwrap_or_default());
        let name = match text.filter(|text| !text.is_empty()) {
            Some(text) => cx.intern_bytes(text),
            None => cx.interfaces.intern(&self.interfaces.len().to_string()),
        };
        let clock = Clock::new(resolution, offset);
        self.interfaces.push(Interface { link: LinkType(link), snaplen, clock, name, losses: Losses::default() });
        self.comments(options, report);
    }

    /// Section 4.5: records of an address and the names it has, each closed by a zero byte.
    fn name_resolution(&self, body: &[u8], report: &mut FileReport, cx: &mut Context) {
        let mut records = Items::new(self.order, body.get(8..).unwrap_or_default());
        for (kind, value) in records.by_ref() {
            let (addr, names) = match (kind, value.split_first_chunk::<4>(), value.split_first_chunk::<16>()) {
                (1, Some((addr, names)), _) => (IpAddr::from(*addr), names),
                (2, _, Some((addr, names))) => (IpAddr::from(*addr), names),
                _ => continue,
            };
            for name in names.split(|b| *b == 0).filter(|name| !name.is_empty()) {
                if report.names.len() >= cx.limits.get(Limit::ResolvedNames) {
                    cx.hits.hit(Limit::ResolvedNames);
                    report.names_left_out = report.names_left_out.saturating_add(1);
                } else {
                    report.names.push((addr, cx.text(name)));
                }
            }
        }
        self.comments(records.rest(), report);
    }
}

fn version(order: Order, section: &[u8]) -> Option<(u16, u16)> {
    Some((order.u16(section, 12)?, order.u16(section, 14)?))
}

/// The clock of an interface: what a unit is (`if_tsresol`) and where it begins (`if_tsoffset`).
#[derive(Clone, Copy, Debug)]
struct Clock {
    unit: Unit,
    offset: i64,
}

#[derive(Clone, Copy, Debug)]
enum Unit {
    /// So many nanoseconds.
    Nanos(u64),
    /// One so-many-th of a nanosecond; 0 when that passes 64 bits, and no time differs from the first then.
    PerNano(u64),
    /// 2 to the power of minus this, in seconds.
    Binary(u32),
}

impl Clock {
    fn new(resolution: u8, offset: i64) -> Clock {
        let power = u32::from(resolution & 0x7f);
        let unit = match power {
            _ if resolution & 0x80 != 0 => Unit::Binary(power),
            0..=9 => Unit::Nanos(10_u64.pow(9 - power)),
            _ => Unit::PerNano(10_u64.checked_pow(power - 9).unwrap_or(0)),
        };
        Clock { unit, offset }
    }

    /// The moment of `time` units, and whether it had to be clamped.
    #[inline]
    fn at(self, time: u64) -> (Ts, bool) {
        let nanos = match self.unit {
            Unit::Nanos(n) => time.checked_mul(n),
            Unit::PerNano(n) => Some(time.checked_div(n).unwrap_or(0)),
            Unit::Binary(power) => u64::try_from((u128::from(time) * 1_000_000_000) >> power).ok(),
        };
        let exact = nanos.and_then(|n| i64::try_from(n).ok());
        if self.offset == 0 {
            return exact.map_or((Ts(i64::MAX), true), |n| (Ts(n), false));
        }
        let offset = i128::from(self.offset) * 1_000_000_000;
        let sum = nanos.map_or(i128::MAX, |n| offset + i128::from(n));
        match i64::try_from(sum) {
            Ok(n) => (Ts(n), false),
            Err(_) => (Ts(if sum < 0 { i64::MIN } else { i64::MAX }), true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(resolution: u8, offset: i64, time: u64, expect: (i64, bool)) {
        let (ts, bad) = Clock::new(resolution, offset).at(time);
        assert_eq!((ts.0, bad), expect, "resolution {resolution:#x} offset {offset} time {time}");
    }

    #[test]
    fn clocks() {
        check(6, 0, 1_500_000, (1_500_000_000, false));
        check(9, 0, 1_500_000, (1_500_000, false));
        check(0, 0, 3, (3_000_000_000, false));
        check(12, 0, 1_999, (1, false));
        check(0x80 | 1, 0, 3, (1_500_000_000, false));
        check(0x80 | 20, 0, 1 << 19, (500_000_000, false));
        check(6, 10, 1, (10_000_001_000, false));
        check(6, -1, 0, (-1_000_000_000, false));
    }

    #[test]
    fn clocks_at_their_ends() {
        check(9, 0, i64::MAX as u64, (i64::MAX, false));
        check(9, 0, i64::MAX as u64 + 1, (i64::MAX, true));
        check(6, 0, u64::MAX, (i64::MAX, true));
        check(6, i64::MAX, 0, (i64::MAX, true));
        check(6, i64::MIN, 0, (i64::MIN, true));
        check(9, -9_223_372_037, 18_446_744_073_709_551_615, (9_223_372_036_709_551_615, false));
        check(127, 0, u64::MAX, (0, false));
        check(0xff, 0, u64::MAX, (0, false));
    }
}
