//! Cut, damaged and over-long files: frames before the damage stand, the damage is named, nothing panics.

use capture::{Damage, DamageCause, FileReport, Place};
use gwcore::Limit;

use crate::writer::{PcapFile, PcapngFile, gzip, zstd};
use crate::{Seen, read};

/// A generator of test noise (Knuth's MMIX constants); the same bytes every run.
struct Noise(u64);

impl Noise {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

fn pcap() -> PcapFile {
    PcapFile::plain().with(1, b"one").with(2, b"").with(3, b"the third")
}

fn pcapng() -> PcapngFile {
    let mut file = PcapngFile::plain();
    file.enhanced(0, 1_000_000, b"one", &[(1, b"comment")]);
    file.simple(2, b"23");
    file.obsolete(0, 3_000_000, b"three");
    file.section(true, (1, 0), &[]);
    file.interface(101, 0, &[(2, b"tun0")]);
    file.enhanced(0, 4_000_000, b"four", &[]);
    file
}

/// Every cut of `bytes` gives a prefix of its frames, and is an anomaly, not damage.
fn check_cuts(bytes: &[u8], header: usize) {
    let (whole, report) = read(bytes);
    assert!(report.truncated.is_none() && whole.len() >= 3);
    let mut cut_seen = 0;
    for len in 0..bytes.len() {
        let (seen, report) = read(&bytes[..len]);
        assert_eq!(seen, whole[..seen.len()], "cut at {len}");
        assert_eq!(report.failed(), len < header, "cut at {len}: {report:?}");
        assert!(report.damage.is_none(), "cut at {len}");
        cut_seen += usize::from(report.truncated.is_some());
    }
    assert!(cut_seen > bytes.len() / 2, "{cut_seen} of {} cuts named", bytes.len());
}

#[test]
fn cuts_anywhere() {
    check_cuts(&pcap().bytes, 24);
    check_cuts(&pcapng().bytes, 28);
}

#[test]
fn a_cut_names_its_place() {
    let bytes = pcap().bytes;
    let (seen, report) = read(&bytes[..bytes.len() - 1]);
    assert_eq!((seen.len(), report.truncated), (2, Some(Place { offset: 24 + 19 + 16, frame: 2 })));
}

#[test]
fn cuts_of_packed_files_are_cuts() {
    let plain = PcapFile::plain().with(1, &[1; 300]).with(2, &[2; 300]).bytes;
    let whole = read(&plain).0;
    for packed in [gzip(&plain), zstd(&plain)] {
        for len in 1..packed.len() {
            let (seen, report) = read(&packed[..len]);
            assert_eq!(seen, whole[..seen.len()], "cut at {len}");
            assert!(report.damage.is_none(), "{report:?}");
            assert!(report.truncated.is_some() || report.failed(), "cut at {len}");
        }
    }
}

#[test]
fn a_broken_gzip_check_sum_is_damage() {
    let mut packed = gzip(&pcap().bytes);
    let at = packed.len() - 6;
    packed[at] ^= 1;
    let (seen, report) = read(&packed);
    assert_eq!(seen.len(), 3);
    assert!(matches!(report.damage, Some(Damage { frame: 3, cause: DamageCause::Read(_), .. })), "{report:?}");
}

/// Flips a bit of `bytes` many times over: no panic, and each file ends.
fn check_flips(bytes: &[u8]) -> (usize, usize) {
    let (whole, _) = read(bytes);
    let (mut noise, mut equal, mut named) = (Noise(7), 0, 0);
    for _ in 0..2_000 {
        let mut flipped = bytes.to_vec();
        for _ in 0..=noise.below(3) {
            let at = noise.below(flipped.len());
            flipped[at] ^= 1 << noise.below(8);
        }
        let (seen, report): (Vec<Seen>, FileReport) = read(&flipped);
        assert!(seen.len() <= bytes.len() / 16, "no more frames than there is room for");
        equal += usize::from(seen == whole);
        named += usize::from(report.failed() || report.truncated.is_some());
    }
    (equal, named)
}

#[test]
fn flipped_bits_anywhere() {
    for bytes in [pcap().bytes, pcapng().bytes] {
        let (equal, named) = check_flips(&bytes);
        assert!(equal < 1_900 && named > 100, "{equal} unchanged, {named} named");
    }
}

#[test]
fn a_wild_record_length_is_damage() {
    for len in [(128 << 20) + 1, u32::MAX, 262_145] {
        let mut file = PcapFile::plain().with(1, b"one");
        let at = file.bytes.len() as u64;
        file.header(2, 0, len, len);
        file.bytes.extend([0; 100]);
        let (seen, report) = read(&file.bytes);
        let damage = Damage { offset: at, frame: 1, cause: DamageCause::RecordLength(len) };
        assert_eq!((seen.len(), report.damage.clone()), (1, Some(damage)), "{len}");
        let text = report.reason().unwrap();
        assert_eq!(text, format!("damaged at byte `{at}` after frame `1`: a record of `{len}` bytes"));
    }
}

#[test]
fn the_longest_record_is_read_and_a_longer_one_passed() {
    let most = Limit::FrameBytes.default_value();
    let file = PcapFile::plain().with(1, &vec![1; most]).with(2, &vec![2; most + 1]).with(3, b"on");
    let (seen, report) = read(&file.bytes);
    let view: Vec<_> = seen.iter().map(|f| (f.number, f.data.len())).collect();
    assert_eq!((view, report.skipped_long, report.failed()), (vec![(1, most), (3, 2)], 1, false));

    let mut file = PcapngFile::plain();
    file.enhanced(0, 1, &vec![1; most], &[]);
    file.enhanced(0, 2, &vec![2; most + 1], &[]);
    file.enhanced(0, 3, &vec![3; 3 * most], &[]);
    file.block(77, &vec![0; 3 * most]);
    file.enhanced(0, 4, b"on", &[]);
    let (seen, report) = read(&file.bytes);
    let view: Vec<_> = seen.iter().map(|f| (f.number, f.data.len())).collect();
    assert_eq!((view, report.skipped_long, report.failed()), (vec![(1, most), (4, 2)], 2, false));
}

#[test]
fn a_longer_record_before_nonsense_is_damage() {
    let most = Limit::FrameBytes.default_value();
    let mut file = PcapFile::plain().with(1, b"one").with(2, &vec![2; most + 1]);
    file.bytes.extend([0xff; 40]);
    let cause = DamageCause::RecordLength(most as u32 + 1);
    assert_eq!(read(&file.bytes).1.damage, Some(Damage { offset: 24 + 19, frame: 1, cause }));
}

#[test]
fn block_lengths_that_cannot_be() {
    let good = pcapng().bytes;
    // The first packet block follows a section of 28 bytes and an interface of 20.
    let at = 48;
    for (len, cause) in [
        (8_u32, DamageCause::BlockLength(8)),
        (33, DamageCause::BlockLength(33)),
        ((128 << 20) + 4, DamageCause::BlockLength((128 << 20) + 4)),
        (32, DamageCause::BlockEnd(32, u32::from_le_bytes(*b"one\0"))),
    ] {
        let mut bytes = good.clone();
        bytes[at + 4..at + 8].copy_from_slice(&len.to_le_bytes());
        let (seen, report) = read(&bytes);
        assert_eq!(seen.len(), 0);
        assert_eq!(report.damage, Some(Damage { offset: at as u64, frame: 0, cause }), "{len}");
    }
}

#[test]
fn packet_blocks_that_contradict_themselves_are_passed() {
    let mut file = PcapngFile::plain();
    // A captured length past the end of the block, an interface that is not there, and no room for the fields.
    file.block(6, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 5, 0, 0, 0, 1, 2, 3, 4]);
    file.enhanced(1, 1, b"x", &[]);
    file.block(6, &[0; 8]);
    file.block(3, b"");
    file.enhanced(0, 1, b"good", &[]);
    let (seen, report) = read(&file.bytes);
    assert_eq!((seen.len(), seen[0].number, report.skipped_invalid, report.failed()), (1, 5, 4, false));
}
