//! What became of a frame.

use crate::Packet;

/// The one outcome of a frame; the counts of all outcomes add up to the frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A packet that goes on to its flow.
    Packet,
    /// An IP fragment that was kept or left out; its datagram is not whole. Counts as decoded.
    Fragment,
    /// Not decoded, for this reason.
    Undecoded(&'static str),
}

/// A decoded frame.
#[derive(Clone, Copy, Debug)]
pub struct Decoded<'a> {
    /// The headers; of an undecoded frame only what was read before the reason.
    pub packet: Packet,
    /// The payload as `packet.transport` describes it, as far as it was captured.
    pub payload: &'a [u8],
    /// What became of the frame.
    pub outcome: Outcome,
    /// What was wrong with it.
    pub anomalies: Anomalies,
}

/// Reasons found in one frame, each once, in the order of the layers; those beyond the sixth are left out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Anomalies {
    reasons: [&'static str; 6],
    len: u8,
}

impl Anomalies {
    /// Adds a reason.
    pub(crate) fn push(&mut self, reason: &'static str) {
        if self.iter().any(|r| r == reason) {
            return;
        }
        if let Some(free) = self.reasons.get_mut(usize::from(self.len)) {
            *free = reason;
            self.len += 1;
        }
    }

    /// The reasons.
    pub fn iter(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.reasons.iter().take(usize::from(self.len)).copied()
    }

    /// Whether nothing was wrong.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}
