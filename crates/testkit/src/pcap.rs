//! A capture file in memory: classic pcap, microseconds or nanoseconds, little-endian.

/// Writer of a classic pcap file.
#[derive(Clone, Debug)]
pub struct Pcap {
    bytes: Vec<u8>,
    nanos_per_tick: i64,
}

impl Pcap {
    /// With microseconds; `link_type` is 1 for Ethernet.
    pub fn micros(link_type: u32) -> Pcap {
        Pcap::with_magic(0xa1b2_c3d4, 1_000, link_type)
    }

    /// With nanoseconds.
    pub fn nanos(link_type: u32) -> Pcap {
        Pcap::with_magic(0xa1b2_3c4d, 1, link_type)
    }

    fn with_magic(magic: u32, nanos_per_tick: i64, link_type: u32) -> Pcap {
        let mut bytes = magic.to_le_bytes().to_vec();
        bytes.extend_from_slice(&[2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend_from_slice(&262_144u32.to_le_bytes());
        bytes.extend_from_slice(&link_type.to_le_bytes());
        Pcap { bytes, nanos_per_tick }
    }

    /// Appends a whole frame at `ts` nanoseconds since 1970.
    pub fn frame(&mut self, ts: i64, data: &[u8]) -> &mut Pcap {
        self.cut(ts, data, data.len() as u32)
    }

    /// Appends a frame of which only `data` was captured of `wire_len` bytes.
    pub fn cut(&mut self, ts: i64, data: &[u8], wire_len: u32) -> &mut Pcap {
        let (seconds, nanos) = (ts.div_euclid(1_000_000_000), ts.rem_euclid(1_000_000_000));
        for field in [seconds as u32, (nanos / self.nanos_per_tick) as u32, data.len() as u32, wire_len] {
            self.bytes.extend_from_slice(&field.to_le_bytes());
        }
        self.bytes.extend_from_slice(data);
        self
    }

    /// The file so far.
    pub fn bytes(&self) -> Vec<u8> {
        self.bytes.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_and_record() {
        let file = Pcap::micros(1).cut(1_500_000_001_000_002_000, b"ab", 60).bytes();
        assert_eq!(file.len(), 24 + 16 + 2);
        assert_eq!(&file[..4], &[0xd4, 0xc3, 0xb2, 0xa1]);
        assert_eq!(&file[20..24], &[1, 0, 0, 0]);
        assert_eq!(&file[28..36], &[2, 0, 0, 0, 2, 0, 0, 0]);
        assert_eq!(&file[36..], &[60, 0, 0, 0, b'a', b'b']);
        let nanos = Pcap::nanos(113).frame(1_000_000_007, b"").bytes();
        assert_eq!((&nanos[..4], nanos[20], nanos[28]), (&[0x4d, 0x3c, 0xb2, 0xa1][..], 113, 7));
    }
}
