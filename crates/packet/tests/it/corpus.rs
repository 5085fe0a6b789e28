//! Fragments in captures of others.

use capture::LinkType;
use gwcore::{Limits, Ts};
use packet::{Decoder, Options, Outcome, Transport};

use crate::frame_of;

/// The frames of a little-endian classic pcap file with microseconds.
fn frames(file: &[u8]) -> Vec<(Ts, &[u8])> {
    let field = |at: usize| file.get(at..at + 4).map(|b| u32::from_le_bytes(b.try_into().unwrap()));
    assert_eq!(field(0), Some(0xa1b2_c3d4));
    let (mut at, mut out) = (24, Vec::new());
    while let (Some(seconds), Some(micros), Some(len)) = (field(at), field(at + 4), field(at + 8)) {
        let ts = Ts::from_parts(i64::from(seconds), i64::from(micros) * 1_000);
        out.push((ts, &file[at + 16..at + 16 + len as usize]));
        at += 16 + len as usize;
    }
    out
}

/// Decodes a capture frame by frame: outcome, reassembled fragments, anomalies.
#[allow(clippy::print_stdout)]
fn check(name: &str, want: &[(Outcome, u16, &[&str])]) {
    let Some(file) = testkit::corpus().and_then(|c| std::fs::read(c.join("pcap/it/ip").join(name)).ok()) else {
        println!("not checked: `{name}` is not there");
        return;
    };
    let mut decoder = Decoder::new(&Limits::default(), Options::default(), 1);
    let frames = frames(&file);
    assert_eq!(frames.len(), want.len(), "{name}");
    for ((ts, bytes), (outcome, fragments, anomalies)) in frames.into_iter().zip(want) {
        let d = decoder.decode(&frame_of(LinkType::ETHERNET, ts.0, bytes));
        assert_eq!((d.outcome, d.packet.fragments), (*outcome, *fragments), "{name}");
        assert_eq!(d.anomalies.iter().collect::<Vec<_>>(), *anomalies, "{name}");
        if d.outcome == Outcome::Packet {
            assert_eq!(d.packet.transport, Transport::Udp { src_port: 123, dst_port: 137 }, "{name}");
        }
    }
}

#[test]
fn overlapping_fragments_are_reassembled_and_named() {
    let odd = (Outcome::Fragment, 0, &["fragment_bad_length"][..]);
    let last = (Outcome::Fragment, 0, &[][..]);
    let joined = (Outcome::Packet, 3, &["fragment_end_conflict", "fragment_overlap"][..]);
    check("zeek_fragmented-1.pcap", &[odd, last, joined]);
    // The third fragment is a mirrored twin of the first: it is left out, and the hole between 16 and 48 stays.
    check("zeek_fragmented-2.pcap", &[odd, last, last]);
}
