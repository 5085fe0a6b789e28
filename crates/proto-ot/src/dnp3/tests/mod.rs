//! Tests of the DNP3 parser. Frames come from a builder that shares no code with it.

mod exchange;
mod objects;
mod stream;
mod vectors;

use proto::{Carrier, testing::Bench};

proto::protocols! {
    /// The parser under test.
    pub enum Set { Dnp3: super::Dnp3, }
}

/// Bytes from hexadecimal; blanks do not count.
pub fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let digit = |b: u8| (b as char).to_digit(16).expect("a digit") as u8;
    digits.chunks(2).map(|d| digit(d[0]) << 4 | digit(d[1])).collect()
}

/// CRC by long division, bit by bit.
pub fn sum(bytes: &[u8]) -> [u8; 2] {
    let mut crc = 0u16;
    for bit in bytes.iter().flat_map(|b| (0..8).map(move |i| u16::from(b >> i & 1))) {
        crc = crc >> 1 ^ if (crc ^ bit) & 1 == 1 { 0xa6bc } else { 0 };
    }
    (!crc).to_le_bytes()
}

/// A link frame.
pub fn frame(control: u8, dst: u16, src: u16, data: &[u8]) -> Vec<u8> {
    let mut out = vec![0x05, 0x64, 5 + data.len() as u8, control];
    out.extend(dst.to_le_bytes());
    out.extend(src.to_le_bytes());
    out.extend(sum(&out));
    for block in data.chunks(16) {
        out.extend(block);
        out.extend(sum(block));
    }
    out
}

/// Master 3 to outstation 4: one fragment in one frame.
pub fn ask(seq: u8, fragment: &str) -> Vec<u8> {
    ask_of(4, seq, fragment)
}

/// Master 3 to some outstation.
pub fn ask_of(outstation: u16, seq: u8, fragment: &str) -> Vec<u8> {
    let mut data = vec![0xc0 | seq];
    data.extend(hex(fragment));
    frame(0xc4, outstation, 3, &data)
}

/// Outstation 4 to master 3: one fragment in one frame.
pub fn tell(seq: u8, fragment: &str) -> Vec<u8> {
    tell_from(4, seq, fragment)
}

/// Some outstation to master 3.
pub fn tell_from(outstation: u16, seq: u8, fragment: &str) -> Vec<u8> {
    let mut data = vec![0xc0 | seq];
    data.extend(hex(fragment));
    frame(0x44, 3, outstation, &data)
}

/// A fragment cut into frames of at most `size` octets each.
pub fn segments(control: u8, dst: u16, src: u16, first: u8, fragment: &[u8], size: usize) -> Vec<Vec<u8>> {
    let parts: Vec<&[u8]> = fragment.chunks(size).collect();
    let last = parts.len() - 1;
    let one = |(i, part): (usize, &&[u8])| {
        let bits = if i == 0 { 0x40 } else { 0 } | if i == last { 0x80 } else { 0 };
        let mut data = vec![bits | (first + i as u8) & 0x3f];
        data.extend(*part);
        frame(control, dst, src, &data)
    };
    parts.iter().enumerate().map(one).collect()
}

/// A flow on the registered port.
pub fn bench() -> Bench<Set> {
    Bench::new(Carrier::Stream, 20_000)
}

/// What rows say under some names, one line a row; names without a value are left out.
pub fn only(rows: &[String], names: &[&str]) -> Vec<String> {
    let pick = |row: &String| {
        let mut words = row.split(' ');
        let head = format!("{} {}", words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let kept = words.filter(|w| w.split_once('=').is_some_and(|(n, _)| names.contains(&n)));
        kept.fold(head, |line, w| format!("{line} {}", w.split_once('=').map_or(w, |(_, v)| v)))
    };
    rows.iter().map(pick).collect()
}
