//! Who talks in the substation: each actor sleeps, wakes, sends the frames of one exchange, and says when it wakes next.

mod clock;
pub(crate) mod dnp3;
mod engineering;
mod goose;
mod iec104;
pub(crate) mod modbus;
pub(crate) mod order;
pub(crate) mod services;
mod session;
pub(crate) mod web;

use crate::cx::Cx;
use crate::label::Label;
use crate::plant::{Action, Operation, Plant};
use crate::rng::Rng;
use crate::time::{MS, Micros};
pub(crate) use order::News;

/// A part of the network with a state and a random stream of its own.
pub(crate) trait Actor {
    /// When the actor wakes first.
    fn begin(&self, start: Micros) -> Micros;

    /// Sends the frames of what happens at `now`, none of them earlier; returns the time of the next call, none when all is done.
    fn wake(&mut self, now: Micros, cx: &mut Cx<'_>) -> Option<Micros>;

    /// Takes news while asleep; when to be woken for it, if before the time it named itself.
    fn news(&mut self, _: News) -> Option<Micros> {
        None
    }
}

/// All benign actors. Their order breaks ties of time, so it is fixed.
pub(crate) fn substation(seed: u64, plant: &Plant) -> Vec<Box<dyn Actor>> {
    let mut actors: Vec<Box<dyn Actor>> = Vec::new();
    // The sessions stand first, as in `Session::ALL`: orders find them by their place.
    for rtu in 0..2 {
        actors.push(Box::new(dnp3::Association::new(seed, rtu, plant)));
    }
    actors.push(Box::new(modbus::Poller::meter(seed, plant)));
    actors.push(Box::new(modbus::Poller::plc(seed, plant)));
    actors.push(Box::new(iec104::Link::new(seed, plant)));
    actors.push(Box::new(modbus::identification(seed)));
    actors.push(Box::new(modbus::energy(seed)));
    for relay in 0..3 {
        actors.push(Box::new(goose::Publisher::new(seed, relay, plant)));
    }
    actors.extend(clock::actors(seed));
    actors.extend(services::actors(seed));
    actors.extend(web::actors(seed));
    actors.extend(engineering::actors(seed));
    actors
}

/// An actor that does the same thing again and again.
pub(crate) struct Periodic<F> {
    rng: Rng,
    first: Micros,
    period: Micros,
    /// Largest addition to the period, or the mean one where waiting is memoryless.
    jitter: Micros,
    memoryless: bool,
    act: F,
}

impl<F: FnMut(Micros, &mut Cx<'_>, &mut Rng)> Periodic<F> {
    /// Begins somewhere in the first period.
    pub(crate) fn new(seed: u64, name: &str, period: Micros, jitter: Micros, act: F) -> Periodic<F> {
        let mut rng = Rng::new(seed, name);
        let first = rng.between(0, period);
        Periodic { rng, first, period, jitter, memoryless: false, act }
    }
}

impl<F: FnMut(Micros, &mut Cx<'_>, &mut Rng)> Actor for Periodic<F> {
    fn begin(&self, start: Micros) -> Micros {
        start + self.first
    }

    fn wake(&mut self, now: Micros, cx: &mut Cx<'_>) -> Option<Micros> {
        (self.act)(now, cx, &mut self.rng);
        let more = if self.memoryless { self.rng.exponential(self.jitter) } else { self.rng.between(0, self.jitter) };
        Some(now + self.period + more)
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
pub(crate) fn steps(operations: &[Operation], rng: &mut Rng) -> Vec<(Micros, (Step, Option<Label>))> {
    let mut out = Vec::new();
    for op in operations {
        out.push((op.at - think(rng), (Step::Select(op.action), op.label)));
        out.push((op.at, (Step::Execute(op.action), op.label)));
        out.push((op.at + rng.between(140 * MS, 420 * MS), (Step::Terminate(op.action), op.label)));
    }
    out.sort_by_key(|step| step.0);
    out
}

/// How long an operator looks at the selection.
pub(crate) fn think(rng: &mut Rng) -> Micros {
    rng.between(900 * MS, 4_500 * MS)
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

    /// Puts an item where its time belongs.
    pub(crate) fn insert(&mut self, at: Micros, item: T) {
        let place = self.items.partition_point(|next| next.0 <= at);
        self.items.insert(place, (at, item));
    }

    /// Drops what was due before.
    pub(crate) fn skip(&mut self, before: Micros) {
        while self.due() < before {
            self.items.pop_front();
        }
    }

    /// The next item, if it is due.
    pub(crate) fn take(&mut self, now: Micros) -> Option<(Micros, T)> {
        if self.due() <= now { self.items.pop_front() } else { None }
    }
}
