//! Mutations: of bytes, of the order of parts, and the repair of check sums and lengths so that mutants reach further in.

use super::input::{Act, Input};
use super::target::Kind;

/// Bytes an input may grow to.
const LARGEST: usize = 128 << 10;

/// A generator of numbers (xorshift64*): same seed, same mutants.
pub struct Rng(u64);

impl Rng {
    /// From a seed.
    pub fn new(seed: u64) -> Rng {
        Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    /// Below `n`; 0 for 0.
    fn below(&mut self, n: usize) -> usize {
        if n == 0 { 0 } else { (self.next() % n as u64) as usize }
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        list.get(self.below(list.len()))
    }
}

/// A mutant of one of the pool, at times with a part of another.
pub fn mutant(pool: &[Input], rng: &mut Rng) -> Input {
    let Some(mut input) = rng.pick(pool).cloned() else {
        return Input { kind: Kind::Stream, port: 0, parts: Vec::new() };
    };
    let other = rng.pick(pool).cloned().unwrap_or_else(|| input.clone());
    for _ in 0..=rng.below(4) {
        if input.kind != Kind::Capture && rng.one_in(3) {
            order(&mut input, &other, rng);
        } else {
            let at = rng.below(input.parts.len());
            let foreign = rng.pick(&other.parts).map(|p| p.1.clone()).unwrap_or_default();
            if let Some((_, bytes)) = input.parts.get_mut(at) {
                bend(bytes, &foreign, rng);
                if input.kind != Kind::Capture && !rng.one_in(6) {
                    repair(bytes);
                }
            }
        }
    }
    let mut room = LARGEST;
    input.parts.retain_mut(|(_, bytes)| {
        bytes.truncate(room);
        room -= bytes.len();
        room > 0
    });
    input
}

/// Changes the order and number of parts.
fn order(input: &mut Input, other: &Input, rng: &mut Rng) {
    let parts = &mut input.parts;
    let at = rng.below(parts.len());
    match rng.below(9) {
        0 if parts.len() > 1 => drop(parts.remove(at)),
        1 => {
            if let Some(part) = parts.get(at).cloned() {
                let times = if rng.one_in(8) { 200 } else { 1 };
                parts.extend(std::iter::repeat_n(part, times));
            }
        }
        2 if parts.len() > 1 => {
            let to = rng.below(parts.len());
            parts.swap(at, to);
        }
        3 => {
            if let Some((act, bytes)) = parts.get_mut(at) {
                let cut = rng.below(bytes.len());
                let (act, rest) = (*act, bytes.split_off(cut));
                parts.insert(at + 1, (act, rest));
            }
        }
        4 if at + 1 < parts.len() => {
            let (_, mut next) = parts.remove(at + 1);
            if let Some((_, bytes)) = parts.get_mut(at) {
                bytes.append(&mut next);
            }
        }
        5 => {
            let length = 1 << rng.below(12);
            let act = Act::ALL.get(2 + rng.below(3)).copied().unwrap_or(Act::Wait);
            parts.insert(at, (act, vec![31; length]));
        }
        6 => {
            if let Some((act, _)) = parts.get_mut(at) {
                *act = if *act == Act::Client { Act::Server } else { Act::Client };
            }
        }
        7 => parts.extend(other.parts.iter().take(8).cloned()),
        _ => {
            if let Some(part) = rng.pick(&other.parts).cloned() {
                parts.insert(at, part);
            }
        }
    }
}

/// Changes bytes.
fn bend(bytes: &mut Vec<u8>, foreign: &[u8], rng: &mut Rng) {
    const WORDS: [u32; 12] =
        [0, 1, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
    let at = rng.below(bytes.len());
    // Lengths stand near the beginning more often than not.
    let at = if rng.one_in(2) { at.min(rng.below(24)) } else { at };
    let end = (at + 1 + rng.below(16)).min(bytes.len());
    match rng.below(11) {
        0 | 1 => {
            if let Some(b) = bytes.get_mut(at) {
                *b ^= 1 << rng.below(8);
            }
        }
        2 => {
            if let Some(b) = bytes.get_mut(at) {
                *b = rng.next() as u8;
            }
        }
        3 | 4 => {
            let word = rng.pick(&WORDS).copied().unwrap_or(0);
            let width = 1 << rng.below(3);
            let form = if rng.one_in(2) { word.to_le_bytes() } else { word.to_be_bytes() };
            let form = if form == word.to_le_bytes() { &form[..width] } else { &form[4 - width..] };
            for (to, from) in bytes.iter_mut().skip(at).zip(form) {
                *to = *from;
            }
        }
        5 => {
            if let Some(b) = bytes.get_mut(at) {
                *b = b.wrapping_add(rng.below(9) as u8).wrapping_sub(4);
            }
        }
        6 => drop(bytes.drain(at.min(end)..end)),
        7 => bytes.truncate(at),
        8 => {
            let from = rng.below(foreign.len());
            let piece = foreign.iter().skip(from).take(1 + rng.below(64)).copied().collect::<Vec<u8>>();
            bytes.splice(at..at, piece);
        }
        9 => {
            let piece = bytes.get(at.min(end)..end).unwrap_or_default().to_vec();
            let times = if rng.one_in(6) { 4_096 } else { 1 + rng.below(4) };
            bytes.splice(at..at, piece.repeat(times));
        }
        _ => {
            let fill = if rng.one_in(2) { 0xff } else { 0 };
            bytes.iter_mut().take(end).skip(at).for_each(|b| *b = fill);
        }
    }
}

/// Makes check sums and outer lengths right again.
fn repair(bytes: &mut [u8]) {
    let whole = bytes.len();
    match bytes {
        [0x05, 0x64, ..] => dnp3(bytes),
        [0x68, length, ..] if (6..=255).contains(&whole) => *length = (whole - 2) as u8,
        [3, 0, a, b, ..] if whole <= 65_535 => [*a, *b] = (whole as u16).to_be_bytes(),
        [_, _, 0, 0, a, b, ..] if (8..260).contains(&whole) => [*a, *b] = (whole as u16 - 6).to_be_bytes(),
        [22, 3, _, a, b, ..] if whole <= 16_384 => [*a, *b] = (whole as u16 - 5).to_be_bytes(),
        _ => {}
    }
}

/// A DNP3 frame: length of what is there, CRCs of header and blocks.
fn dnp3(bytes: &mut [u8]) {
    let Some((header, data)) = bytes.split_at_mut_checked(10) else { return };
    let blocks = data.chunks(18).map(|b| b.len().saturating_sub(2)).sum::<usize>();
    if let (Some(length), Ok(n)) = (header.get_mut(2), u8::try_from(blocks + 5)) {
        *length = n;
    }
    for block in std::iter::once(header).chain(data.chunks_mut(18)) {
        if let Some((body, crc)) = block.split_last_chunk_mut::<2>() {
            let sum = body
                .iter()
                .flat_map(|b| (0..8).map(move |i| u16::from(b >> i & 1)))
                .fold(0u16, |crc, bit| crc >> 1 ^ if (crc ^ bit) & 1 == 1 { 0xa6bc } else { 0 });
            *crc = (!sum).to_le_bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repaired_frame_has_right_sums() {
        // RESET_LINK_STATES from 10 to 1, and its CRC as it goes over the wire.
        let mut frame = [0x05, 0x64, 0xff, 0xc0, 0x01, 0x00, 0x0a, 0x00, 0, 0];
        repair(&mut frame);
        assert_eq!(frame, [0x05, 0x64, 0x05, 0xc0, 0x01, 0x00, 0x0a, 0x00, 0xe0, 0x8c]);
        let mut modbus = [0, 1, 0, 0, 0xff, 0xff, 1, 3, 0, 0, 0, 1];
        repair(&mut modbus);
        assert_eq!(modbus[4..6], [0, 6]);
    }

    #[test]
    fn the_same_seed_gives_the_same_mutants_within_bounds() {
        let pool = [Input {
            kind: Kind::Stream,
            port: 502,
            parts: vec![(Act::Client, vec![1; 40]), (Act::Server, vec![2; 9])],
        }];
        let run = |seed| {
            let mut rng = Rng::new(seed);
            (0..500).map(|_| mutant(&pool, &mut rng)).collect::<Vec<_>>()
        };
        let texts = |list: &[Input]| list.iter().map(Input::text).collect::<Vec<_>>();
        assert_eq!(texts(&run(7)), texts(&run(7)));
        assert_ne!(texts(&run(7)), texts(&run(8)));
        assert!(run(7).iter().all(|i| i.size() <= LARGEST));
    }
}
