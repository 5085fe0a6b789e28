//! Frames on their way to the file: put in order of time, then streamed out.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::label::Label;
use crate::time::Micros;

/// A frame ready to be written. Field order is sorting order: benign frames keep theirs whatever attacks are beside them.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Queued {
    pub(crate) at: Micros,
    pub(crate) label: Option<Label>,
    number: u64,
    pub(crate) bytes: Vec<u8>,
}

/// The frames not yet written; holds what actors sent ahead, which is at most a few minutes of one session.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Reverse<Queued>>,
    benign: u64,
    labelled: u64,
}

impl Queue {
    pub(crate) fn push(&mut self, at: Micros, label: Option<Label>, bytes: Vec<u8>) {
        let number = if label.is_some() { &mut self.labelled } else { &mut self.benign };
        *number += 1;
        self.heap.push(Reverse(Queued { at, label, number: *number, bytes }));
    }

    /// The next frame before `until`.
    pub(crate) fn pop(&mut self, until: Micros) -> Option<Queued> {
        if self.heap.peek().is_none_or(|next| next.0.at >= until) {
            return None;
        }
        self.heap.pop().map(|next| next.0)
    }
}
