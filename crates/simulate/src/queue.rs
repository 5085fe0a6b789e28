//! Frames on their way to the file: put in order of time, then streamed out.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use testkit::{Ipv4, Stack, Udp};

use crate::Attack;
use crate::network::Host;
use crate::plant::Plant;
use crate::rng::Rng;
use crate::time::Micros;

/// What an actor may do when it wakes: look at the plant and send frames, now or a little later.
pub(crate) struct Cx<'a> {
    pub(crate) plant: &'a Plant,
    pub(crate) queue: &'a mut Queue,
    /// The attack whose frames are being sent.
    pub(crate) attack: Option<Attack>,
}

impl Cx<'_> {
    pub(crate) fn send(&mut self, at: Micros, stack: Stack) {
        let mut bytes = stack.bytes();
        bytes.resize(bytes.len().max(60), 0);
        self.queue.push(at, self.attack, bytes);
    }

    /// A UDP datagram between two hosts of the network.
    pub(crate) fn udp(&mut self, at: Micros, from: (&Host, u16), to: (&Host, u16), data: &[u8], rng: &mut Rng) {
        let ip = Ipv4 { src: from.0.ip(), dst: to.0.ip(), ttl: from.0.ttl, id: rng.word() as u16, ..Ipv4::default() };
        let udp = Udp { src: from.1, dst: to.1, ..Udp::default() };
        self.send(at, Stack::new().eth(from.0.mac, to.0.mac).add(ip).add(udp).payload(data));
    }
}

/// A frame ready to be written. Field order is sorting order: benign frames keep theirs whatever attacks are beside them.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Queued {
    pub(crate) at: Micros,
    pub(crate) attack: Option<Attack>,
    number: u64,
    pub(crate) bytes: Vec<u8>,
}

/// The frames not yet written; holds what actors sent ahead, which is at most a few seconds of traffic.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Reverse<Queued>>,
    benign: u64,
    hostile: u64,
}

impl Queue {
    fn push(&mut self, at: Micros, attack: Option<Attack>, bytes: Vec<u8>) {
        let number = if attack.is_some() { &mut self.hostile } else { &mut self.benign };
        *number += 1;
        self.heap.push(Reverse(Queued { at, attack, number: *number, bytes }));
    }

    /// The next frame before `until`.
    pub(crate) fn pop(&mut self, until: Micros) -> Option<Queued> {
        if self.heap.peek().is_none_or(|next| next.0.at >= until) {
            return None;
        }
        self.heap.pop().map(|next| next.0)
    }
}
