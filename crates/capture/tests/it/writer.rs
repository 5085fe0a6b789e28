//! Writes captures for the tests, every variant by hand.

use std::io::Write as _;

/// Lays integers out in one byte order.
#[derive(Clone, Copy)]
pub struct Bytes {
    pub big: bool,
}

impl Bytes {
    pub fn u16(self, out: &mut Vec<u8>, n: u16) {
        out.extend(if self.big { n.to_be_bytes() } else { n.to_le_bytes() });
    }

    pub fn u32(self, out: &mut Vec<u8>, n: u32) {
        out.extend(if self.big { n.to_be_bytes() } else { n.to_le_bytes() });
    }
}

/// A pcap under construction.
#[derive(Clone)]
pub struct PcapFile {
    pub bytes: Vec<u8>,
    order: Bytes,
    modified: bool,
}

impl PcapFile {
    pub fn new(magic: u32, big: bool, version: (u16, u16), link: u32) -> PcapFile {
        let order = Bytes { big };
        let mut bytes = Vec::new();
        order.u32(&mut bytes, magic);
        order.u16(&mut bytes, version.0);
        order.u16(&mut bytes, version.1);
        for n in [0, 0, 65_535, link] {
            order.u32(&mut bytes, n);
        }
        PcapFile { bytes, order, modified: magic == 0xa1b2_cd34 }
    }

    /// Microseconds, little endian, Ethernet.
    pub fn plain() -> PcapFile {
        PcapFile::new(0xa1b2_c3d4, false, (2, 4), 1)
    }

    /// A record header as given, without data.
    pub fn header(&mut self, seconds: u32, fraction: u32, first_len: u32, second_len: u32) {
        for n in [seconds, fraction, first_len, second_len] {
            self.order.u32(&mut self.bytes, n);
        }
        if self.modified {
            self.bytes.extend([0; 8]);
        }
    }

    pub fn record(&mut self, seconds: u32, fraction: u32, data: &[u8]) {
        self.header(seconds, fraction, data.len() as u32, data.len() as u32);
        self.bytes.extend(data);
    }

    pub fn with(mut self, seconds: u32, data: &[u8]) -> PcapFile {
        self.record(seconds, 0, data);
        self
    }
}

/// A pcapng under construction.
#[derive(Clone)]
pub struct PcapngFile {
    pub bytes: Vec<u8>,
    order: Bytes,
}

impl PcapngFile {
    pub fn new(big: bool) -> PcapngFile {
        let mut file = PcapngFile { bytes: Vec::new(), order: Bytes { big } };
        file.section(big, (1, 0), &[]);
        file
    }

    /// Little endian with one Ethernet interface.
    pub fn plain() -> PcapngFile {
        let mut file = PcapngFile::new(false);
        file.interface(1, 0, &[]);
        file
    }

    pub fn block(&mut self, kind: u32, body: &[u8]) {
        let len = 12 + body.len().next_multiple_of(4) as u32;
        self.order.u32(&mut self.bytes, kind);
        self.order.u32(&mut self.bytes, len);
        self.bytes.extend(body);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self.order.u32(&mut self.bytes, len);
    }

    fn body(&self, ints: &[u32], data: &[u8], options: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = Vec::new();
        for n in ints {
            self.order.u32(&mut body, *n);
        }
        body.extend(data);
        body.resize(body.len().next_multiple_of(4), 0);
        self.items(&mut body, options);
        body
    }

    /// Options or name resolution records, closed by type 0.
    pub fn items(&self, out: &mut Vec<u8>, items: &[(u16, &[u8])]) {
        for (code, value) in items {
            self.order.u16(out, *code);
            self.order.u16(out, value.len() as u16);
            out.extend(*value);
            out.resize(out.len().next_multiple_of(4), 0);
        }
        if !items.is_empty() {
            out.extend([0; 4]);
        }
    }

    pub fn section(&mut self, big: bool, version: (u16, u16), options: &[(u16, &[u8])]) {
        self.order = Bytes { big };
        let mut body = Vec::new();
        self.order.u32(&mut body, 0x1a2b_3c4d);
        self.order.u16(&mut body, version.0);
        self.order.u16(&mut body, version.1);
        body.extend([0xff; 8]);
        self.items(&mut body, options);
        self.block(0x0a0d_0d0a, &body);
    }

    pub fn interface(&mut self, link: u16, snaplen: u32, options: &[(u16, &[u8])]) {
        let mut body = Vec::new();
        self.order.u16(&mut body, link);
        self.order.u16(&mut body, 0);
        self.order.u32(&mut body, snaplen);
        self.items(&mut body, options);
        self.block(1, &body);
    }

    pub fn enhanced(&mut self, interface: u32, time: u64, data: &[u8], options: &[(u16, &[u8])]) {
        let len = data.len() as u32;
        let body = self.body(&[interface, (time >> 32) as u32, time as u32, len, len], data, options);
        self.block(6, &body);
    }

    /// Interface statistics: options are numbers of 64 bits in the file's byte order.
    pub fn statistics(&mut self, interface: u32, time: u64, counts: &[(u16, u64)]) {
        let big = self.order.big;
        let bytes = |n: u64| if big { n.to_be_bytes() } else { n.to_le_bytes() };
        let values: Vec<(u16, [u8; 8])> = counts.iter().map(|(code, n)| (*code, bytes(*n))).collect();
        let options: Vec<(u16, &[u8])> = values.iter().map(|(code, v)| (*code, &v[..])).collect();
        let body = self.body(&[interface, (time >> 32) as u32, time as u32], b"", &options);
        self.block(5, &body);
    }

    pub fn obsolete(&mut self, interface: u16, time: u64, data: &[u8]) {
        let len = data.len() as u32;
        let mut body = Vec::new();
        self.order.u16(&mut body, interface);
        self.order.u16(&mut body, 7);
        body.extend(self.body(&[(time >> 32) as u32, time as u32, len, len + 3], data, &[]));
        self.block(2, &body);
    }

    pub fn simple(&mut self, original: u32, data: &[u8]) {
        let body = self.body(&[original], data, &[]);
        self.block(3, &body);
    }
}

/// One gzip member.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// One zstd frame.
pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    ::zstd::encode_all(bytes, 1).unwrap()
}
