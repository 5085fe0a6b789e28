//! The grammar of NTP messages: bytes in, header, extensions and authenticator out.

use gwcore::{Ts, time::SECOND};
use proto::Cursor;

/// Bytes of a time message's header (RFC 5905 §7.3).
pub const TIME_BYTES: usize = 48;
/// Bytes of a control message's header (RFC 9327 §2).
pub const CONTROL_BYTES: usize = 12;
/// Bytes of a private message's header.
pub const PRIVATE_BYTES: usize = 8;
/// Seconds from 1900 to 1970.
const TO_1970: i64 = 2_208_988_800;

/// Leap indicator, version and mode of a first byte.
pub fn first_byte(b: u8) -> (u8, u8, u8) {
    (b >> 6, (b >> 3) & 7, b & 7)
}

/// A time message.
#[derive(Debug)]
pub struct Time<'a> {
    /// Stratum.
    pub stratum: u8,
    /// Logarithms to base 2 of poll interval and precision in seconds.
    pub exponents: [i8; 2],
    /// Root delay, signed, in units of 2⁻¹⁶ s.
    pub root_delay: i32,
    /// Root dispersion in the same units.
    pub root_disp: u32,
    /// Reference id.
    pub ref_id: [u8; 4],
    /// Reference, origin, receive, transmit timestamps.
    pub times: [u64; 4],
    /// Extension fields.
    pub extensions: u8,
    /// Key id and digest.
    pub authenticator: Option<(u32, &'a [u8])>,
    /// What is wrong with what follows the header, if anything.
    pub fault: Option<&'static str>,
}

impl<'a> Time<'a> {
    /// Reads a message; none when its header is not there.
    pub fn parse(bytes: &'a [u8]) -> Option<Time<'a>> {
        let mut c = Cursor::new(bytes);
        let [first, stratum, poll, precision] = c.array()?;
        let (root_delay, root_disp, ref_id) = (c.u32()?.cast_signed(), c.u32()?, c.array()?);
        let times = [c.u64()?, c.u64()?, c.u64()?, c.u64()?];
        let exponents = [poll.cast_signed(), precision.cast_signed()];
        let (extensions, authenticator, fault) = (0, None, None);
        let mut time =
            Time { stratum, exponents, root_delay, root_disp, ref_id, times, extensions, authenticator, fault };
        time.fault = time.rest(c, first_byte(first).1).err();
        Some(time)
    }

    /// Extension fields (version 4) and the authenticator: what is left is one when it is 4, 12, 20 or 24 bytes long, or more where a
    /// version knows no extensions (RFC 7822 §3, RFC 1305 appendix C). An extension takes 16 bytes at least, so this ends.
    fn rest(&mut self, mut c: Cursor<'a>, version: u8) -> Result<(), &'static str> {
        while version >= 4 && c.left() > 24 {
            let (Some(_kind), Some(length)) = (c.u16(), c.u16()) else { return Err("truncated_extension") };
            let length = usize::from(length);
            if length < 16 || length % 4 != 0 {
                return Err("bad_extension");
            }
            c.take(length - 4).ok_or("truncated_extension")?;
            self.extensions = self.extensions.saturating_add(1);
        }
        match c.left() {
            0 => Ok(()),
            4 | 12 | 20 | 24 => {
                self.authenticator = c.u32().map(|key| (key, c.rest()));
                Ok(())
            }
            16.. if version >= 4 => {
                let length = Cursor::new(c.rest().get(2..).unwrap_or_default()).u16();
                self.extensions = self.extensions.saturating_add(1);
                if length.map(usize::from) == Some(c.left()) { Ok(()) } else { Err("bad_extension") }
            }
            _ => Err("trailing_bytes"),
        }
    }
}

/// A timestamp as a moment: 32 bits of seconds wrap every 136 years, and the era nearest to the packet is meant (RFC 5905 §6). Zero is none.
pub fn moment(timestamp: u64, packet: Ts) -> Option<Ts> {
    if timestamp == 0 {
        return None;
    }
    let (seconds, fraction) = ((timestamp >> 32) as u32, timestamp & 0xffff_ffff);
    let now = packet.0.div_euclid(SECOND) + TO_1970;
    let ahead = seconds.wrapping_sub(now as u32).cast_signed();
    let nanos = (fraction * SECOND as u64) >> 32;
    Some(Ts::from_parts(now + i64::from(ahead) - TO_1970, nanos as i64))
}

/// A control message.
#[derive(Debug, PartialEq, Eq)]
pub struct Control {
    /// Response, error, more: bits 7 to 5; below them the operation.
    pub bits: u8,
    /// Sequence number, status, association id.
    pub words: [u16; 3],
    /// Whether the data it announces is there.
    pub is_whole: bool,
}

impl Control {
    /// Reads a message; none when its header is not there.
    pub fn parse(bytes: &[u8]) -> Option<Control> {
        let mut c = Cursor::new(bytes);
        let [_, bits] = c.array()?;
        let words = [c.u16()?, c.u16()?, c.u16()?];
        let (_offset, count) = (c.u16()?, c.u16()?);
        Some(Control { bits, words, is_whole: c.left() >= usize::from(count) })
    }
}

/// A private message.
#[derive(Debug, PartialEq, Eq)]
pub struct Private {
    /// A response.
    pub is_response: bool,
    /// More of it follows.
    pub has_more: bool,
    /// Sequence number.
    pub sequence: u16,
    /// Implementation.
    pub implementation: u8,
    /// Request code.
    pub request_code: u8,
}

impl Private {
    /// Reads a message; none when its header is not there.
    pub fn parse(bytes: &[u8]) -> Option<Private> {
        let [first, sequence, implementation, request_code, _, _, _, _] = *bytes.first_chunk()?;
        let (is_response, has_more) = (first & 0x80 != 0, first & 0x40 != 0);
        Some(Private { is_response, has_more, sequence: u16::from(sequence & 0x7f), implementation, request_code })
    }
}
