//! Who talks in the substation: each actor sleeps, wakes, sends the frames of one exchange, and says when it wakes next.

mod clock;
mod dnp3;
mod goose;
mod iec104;
mod modbus;
pub(crate) mod services;
mod web;

use crate::plant::{Action, Operation, Plant};
use crate::queue::Cx;
use crate::rng::Rng;
use crate::time::{MS, Micros};

/// A part of the network with a state and a random stream of its own.
pub(crate) trait Actor {
    /// When the actor wakes first.
    fn begin(&self, start: Micros) -> Micros;

    /// Sends the frames of what happens at `now`, none of them earlier; returns the time of the next call, none when all is done.
    fn wake(&mut self, now: Micros, cx: &mut Cx<'_>) -> Option<Micros>;
}

/// All benign actors. Their order breaks ties of time, so it is fixed.
pub(crate) fn substation(seed: u64, plant: &Plant) -> Vec<Box<dyn Actor>> {
    let mut actors: Vec<Box<dyn Actor>> = Vec::new();
    for rtu in 0..2 {
        actors.push(Box::new(dnp3::Association::new(seed, rtu, plant)));
    }
    actors.push(Box::new(modbus::Poller::meter(seed)));
    actors.push(Box::new(modbus::Poller::plc(seed, plant)));
    actors.push(Box::new(modbus::identification(seed)));
    actors.push(Box::new(iec104::Link::new(seed, plant)));
    for relay in 0..3 {
        actors.push(Box::new(goose::Publisher::new(seed, relay, plant)));
    }
    actors.extend(clock::actors(seed));
    actors.extend(services::actors(seed));
    actors.extend(web::actors(seed));
    actors
}

/// An actor that does the same thing again and again.
pub(crate) struct Periodic<F> {
    rng: Rng,
    first: Micros,
    period: Micros,
    /// Largest addition to the period.
    jitter: Micros,
    act: F,
}

impl<F: FnMut(Micros, &mut Cx<'_>, &mut Rng)> Periodic<F> {
    /// Begins somewhere in the first period.
    pub(crate) fn new(seed: u64, name: &str, period: Micros, jitter: Micros, act: F) -> Periodic<F> {
        let mut rng = Rng::new(seed, name);
        let first = rng.between(0, period);
        Periodic { rng, first, period, jitter, act }
    }
}

impl<F: FnMut(Micros, &mut Cx<'_>, &mut Rng)> Actor for Periodic<F> {
    fn begin(&self, start: Micros) -> Micros {
        start + self.first
    }

    fn wake(&mut self, now: Micros, cx: &mut Cx<'_>) -> Option<Micros> {
        (self.act)(now, cx, &mut self.rng);
        Some(now + self.period + self.rng.between(0, self.jitter))
    }
}

/// A step of an operator's action at a protocol that selects before it operates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Select(Action),
    Execute(Action),
    Terminate(Action),
}

/// The steps of these operations in order of time; the operator thinks for some seconds between selection and execution.
pub(crate) fn steps(operations: &[Operation], rng: &mut Rng) -> Vec<(Micros, Step)> {
    let mut out = Vec::new();
    for op in operations {
        out.push((op.at - rng.between(900 * MS, 4_500 * MS), Step::Select(op.action)));
        out.push((op.at, Step::Execute(op.action)));
        out.push((op.at + rng.between(140 * MS, 420 * MS), Step::Terminate(op.action)));
    }
    out
}

/// A plan worked off from its front.
#[derive(Debug)]
pub(crate) struct Plan<T> {
    items: std::collections::VecDeque<(Micros, T)>,
}

impl<T> Plan<T> {
    pub(crate) fn new(items: Vec<(Micros, T)>) -> Plan<T> {
        Plan { items: items.into() }
    }

    /// When the next item is due; never, when none is left.
    pub(crate) fn due(&self) -> Micros {
        self.items.front().map_or(Micros::MAX, |next| next.0)
    }

    /// The next item, if it is due.
    pub(crate) fn take(&mut self, now: Micros) -> Option<(Micros, T)> {
        if self.due() <= now { self.items.pop_front() } else { None }
    }
}
