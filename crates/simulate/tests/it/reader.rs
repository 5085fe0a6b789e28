//! A reader of the capture files that the simulator writes, for tests only.

/// A frame and its time in microseconds since 1970.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    pub at: u64,
    pub bytes: Vec<u8>,
}

pub fn frames(mut pcap: &[u8]) -> Vec<Frame> {
    assert_eq!(pcap[..4], [0xd4, 0xc3, 0xb2, 0xa1]);
    pcap = &pcap[24..];
    let mut out = Vec::new();
    while !pcap.is_empty() {
        let word = |at: usize| u64::from(u32::from_le_bytes(pcap[at..at + 4].try_into().unwrap()));
        let len = word(8) as usize;
        assert_eq!(word(8), word(12));
        out.push(Frame { at: word(0) * 1_000_000 + word(4), bytes: pcap[16..16 + len].to_vec() });
        pcap = &pcap[16 + len..];
    }
    out
}
