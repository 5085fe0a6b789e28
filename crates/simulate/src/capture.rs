//! The files that come out: a classic pcap and the labels beside it.

use std::io::{self, Write};

use crate::time::{Micros, SECOND, rfc3339};

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

/// A row of the label file: what one attack did.
#[derive(Clone, Debug)]
pub(crate) struct Label {
    pub(crate) attack: &'static str,
    pub(crate) actor: String,
    pub(crate) target: String,
    pub(crate) start: Micros,
    pub(crate) end: Micros,
    pub(crate) first_frame: u64,
    pub(crate) last_frame: u64,
    pub(crate) frames: u64,
}

impl Label {
    /// Counts a frame of the attack.
    pub(crate) fn see(&mut self, at: Micros, frame: u64) {
        if self.frames == 0 {
            (self.start, self.first_frame) = (at, frame);
        }
        (self.end, self.last_frame) = (at, frame);
        self.frames += 1;
    }
}

/// Writes the label file; an attack that sent nothing within the run has no row.
pub(crate) fn write_labels(mut out: impl Write, labels: &[Label]) -> io::Result<()> {
    writeln!(out, "start,end,attack,actor,target,first_frame,last_frame,frames")?;
    for l in labels.iter().filter(|label| label.frames > 0) {
        let (start, end) = (rfc3339(l.start), rfc3339(l.end));
        let (first, last) = (l.first_frame, l.last_frame);
        writeln!(out, "{start},{end},{},{},{},{first},{last},{}", l.attack, l.actor, l.target, l.frames)?;
    }
    out.flush()
}
