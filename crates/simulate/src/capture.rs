//! The capture that comes out: a classic pcap.

use std::io::{self, Write};

use crate::time::{Micros, SECOND};

/// A classic pcap file with microseconds, link type Ethernet, written frame by frame.
pub(crate) struct Capture<W> {
    out: W,
    /// Frames so far, thus the number of the last one.
    pub(crate) frames: u64,
    pub(crate) bytes: u64,
}

impl<W: Write> Capture<W> {
    pub(crate) fn new(mut out: W) -> io::Result<Capture<W>> {
        let mut header = [0; 24];
        header[..8].copy_from_slice(&[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0]);
        header[16..20].copy_from_slice(&262_144u32.to_le_bytes());
        header[20] = 1;
        out.write_all(&header)?;
        Ok(Capture { out, frames: 0, bytes: 24 })
    }

    pub(crate) fn frame(&mut self, at: Micros, frame: &[u8]) -> io::Result<()> {
        let len = frame.len() as u32;
        for field in [(at / SECOND) as u32, (at % SECOND) as u32, len, len] {
            self.out.write_all(&field.to_le_bytes())?;
        }
        self.out.write_all(frame)?;
        self.frames += 1;
        self.bytes += 16 + u64::from(len);
        Ok(())
    }

    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.out.flush()
    }
}
