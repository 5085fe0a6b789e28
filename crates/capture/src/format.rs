//! Tells capture formats apart by their first bytes.

use crate::error::Error;
use crate::report::Format;

/// Bytes that [`detect`] looks at.
pub(crate) const HEAD: usize = 64;

/// First bytes of captures that are known and not read.
const UNSUPPORTED: &[(&[u8], &str)] = &[
    (b"snoop\0\0\0", "snoop"),
    (b"btsnoop\0", "btsnoop"),
    (b"RTSS", "netmon 1"),
    (b"GMBU", "netmon 2"),
    (b"TRSNIFF data    \x1a", "sniffer"),
    (b"XCP\0", "netxray"),
    (b"iptrace 1.0", "iptrace"),
    (b"iptrace 2.0", "iptrace"),
    (b"\xa1\xb2\x34\xcd", "navtel pcap"),
    (b"\xcd\x34\xb2\xa1", "navtel pcap"),
    (b"\x1c\x00\x01\xac", "ixia lcap"),
    (b"\xac\x01\x00\x1c", "ixia lcap"),
    (b"\x1c\x00\x01\xab", "ixia lcap"),
    (b"\xab\x01\x00\x1c", "ixia lcap"),
];

/// First bytes of packed files that are not unpacked here.
const PACKED: &[(&[u8], &str)] = &[
    (b"\xfd7zXZ\0", "xz"),
    (b"BZh", "bzip2"),
    (b"PK\x03\x04", "zip"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
];

/// The format that begins with `head`, or why it cannot be read.
pub(crate) fn detect(head: &[u8]) -> Result<Format, Error> {
    if head.is_empty() {
        return Err(Error::Empty);
    }
    if crate::pcap::Variant::of(head).is_some() {
        return Ok(Format::Pcap);
    }
    if crate::pcapng::begins(head) {
        return Ok(Format::Pcapng);
    }
    if let Some((_, name)) = UNSUPPORTED.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Err(Error::Unsupported(name));
    }
    if let Some((_, name)) = PACKED.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Err(Error::Packed(name));
    }
    if is_erf(head) {
        return Err(Error::Unsupported("erf"));
    }
    Err(Error::NotCapture)
}

/// Endace's format has no magic: a little-endian fixed-point time, a type, and a length that covers the 16-byte header.
///
/// Lines of text can read so by chance (every field of theirs is in range), but a header that is text throughout is none.
fn is_erf(head: &[u8]) -> bool {
    if head.iter().take(16).all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace()) {
        return false;
    }
    let [_, _, _, _, s0, s1, s2, s3, kind, flags, r0, r1, _, _, w0, w1, ..] = *head else { return false };
    let seconds = u32::from_le_bytes([s0, s1, s2, s3]);
    let (record, wire) = (u16::from_be_bytes([r0, r1]), u16::from_be_bytes([w0, w1]));
    // 2000-01-01 to 2070-01-01, types 1 (HDLC) to 27 (raw link), two reserved flag bits clear, a frame that fits its record.
    (946_684_800..3_155_760_000).contains(&seconds)
        && (1..=27).contains(&(kind & 0x7f))
        && flags & 0xc0 == 0
        && (16..=wire.saturating_add(64)).contains(&record)
        && wire > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(head: &[u8], expect: Result<Format, Error>) {
        assert_eq!(detect(head), expect, "{head:02x?}");
    }

    #[test]
    fn known_formats_have_names() {
        check(b"", Err(Error::Empty));
        check(b"\xd4\xc3\xb2\xa1", Ok(Format::Pcap));
        check(b"\xa1\xb2\x3c\x4d", Ok(Format::Pcap));
        check(b"\x34\xcd\xb2\xa1", Ok(Format::Pcap));
        check(b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a", Ok(Format::Pcapng));
        check(b"\x0a\x0d\x0d\x0a", Ok(Format::Pcapng));
        check(b"snoop\0\0\0\0\0\0\x02", Err(Error::Unsupported("snoop")));
        check(b"GMBU\0\x02", Err(Error::Unsupported("netmon 2")));
        check(b"BZh91AY", Err(Error::Packed("bzip2")));
        check(b"# readme\nsome words of text here", Err(Error::NotCapture));
        check(b"\x0a\x0d\x0d\x0a lines of text", Err(Error::NotCapture));
        check(b"\xd4\xc3\xb2", Err(Error::NotCapture));
    }

    #[test]
    fn erf_by_its_first_record() {
        let mut record = vec![0, 0, 0, 0x80, 0, 0, 0, 0x5f, 2, 4, 0, 80, 0, 0, 0, 64];
        check(&record, Err(Error::Unsupported("erf")));
        record[11] = 15; // shorter than its own header
        check(&record, Err(Error::NotCapture));
        // A settings file: bytes 4–7 are a second of the year 2001, `\n` the type, two spaces a length.
        check(b"\nchecks:\n    - filter:\n", Err(Error::NotCapture));
        check(b"\nchecks:\n \x00  - filter:\n", Err(Error::Unsupported("erf")));
    }
}
