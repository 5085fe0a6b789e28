//! What a frame is labelled with, and the rows of the label file.

use std::fmt;
use std::io::{self, Write};

use crate::time::{Micros, rfc3339};
use crate::{Attack, Trap};

/// Why a frame is not of the plain day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Label {
    /// Benign but unusual.
    Trap(Trap),
    Attack(Attack),
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Label::Trap(trap) => trap.name(),
            Label::Attack(attack) => attack.name(),
        })
    }
}

/// A row of the label file: what one trap or attack did.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) label: Label,
    /// Address of who did it; empty for a trap.
    pub(crate) actor: String,
    /// Addresses of whom it was done to, with spaces between.
    pub(crate) target: String,
    start: Micros,
    end: Micros,
    first_frame: u64,
    last_frame: u64,
    pub(crate) frames: u64,
}

impl Row {
    pub(crate) fn new(label: Label, actor: String, target: String) -> Row {
        Row { label, actor, target, start: 0, end: 0, first_frame: 0, last_frame: 0, frames: 0 }
    }

    /// Counts a frame.
    pub(crate) fn see(&mut self, at: Micros, frame: u64) {
        if self.frames == 0 {
            (self.start, self.first_frame) = (at, frame);
        }
        (self.end, self.last_frame) = (at, frame);
        self.frames += 1;
    }
}

/// Writes the label file; what sent nothing within the run has no row.
pub(crate) fn write(mut out: impl Write, rows: &[Row]) -> io::Result<()> {
    writeln!(out, "start,end,attack,actor,target,first_frame,last_frame,frames")?;
    for row in rows.iter().filter(|row| row.frames > 0) {
        let (start, end) = (rfc3339(row.start), rfc3339(row.end));
        let Row { label, actor, target, first_frame, last_frame, frames, .. } = row;
        writeln!(out, "{start},{end},{label},{actor},{target},{first_frame},{last_frame},{frames}")?;
    }
    out.flush()
}
