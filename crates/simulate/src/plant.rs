//! The electric process behind the protocols: loads, voltages, breakers, and what the operators do to them.
//!
//! All of it is a function of the seed and of time, planned before the first frame, so actors need not agree with each other.

use std::cell::Cell;

use crate::Trap;
use crate::label::Label;
use crate::rng::{Rng, mix};
use crate::time::{HOUR, MINUTE, MS, Micros, SECOND};

/// Breakers, one a feeder: the first two hang on the RTUs, then the IEC 104 outstation, then the PLC.
pub(crate) const BREAKERS: usize = 4;

/// Something measured at a feeder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Kilovolts, around 20.
    Voltage,
    /// Amperes; none where the breaker is open.
    Current,
    /// Megawatts.
    Power,
    /// Hertz.
    Frequency,
    /// Oil temperature of the transformer, degrees Celsius.
    Temperature,
}

/// Where an operator acts from, thus by which protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Desk {
    /// DNP3, RTU by index.
    Rtu(usize),
    /// IEC 60870-5-104.
    Outstation,
    /// Modbus.
    Plc,
}

/// What an operator does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Moves a breaker.
    Breaker { breaker: usize, close: bool },
    /// Raises or lowers the tap changer by one step.
    Tap { raise: bool },
    /// Writes the voltage set point, tenths of a per cent.
    SetPoint { value: u16 },
}

/// A planned action; the order goes out at `at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Operation {
    pub(crate) at: Micros,
    pub(crate) desk: Desk,
    pub(crate) action: Action,
    pub(crate) label: Option<Label>,
}

/// A breaker that has moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) at: Micros,
    pub(crate) breaker: usize,
    pub(crate) closed: bool,
    pub(crate) label: Option<Label>,
    /// Whether protection moved it, not an order.
    pub(crate) is_trip: bool,
}

/// The process over the whole run.
#[derive(Debug)]
pub(crate) struct Plant {
    seed: u64,
    pub(crate) start: Micros,
    pub(crate) end: Micros,
    operations: Vec<Operation>,
    changes: Vec<Change>,
    /// Voltage set point in the PLC, tenths of a per cent.
    pub(crate) set_point: Cell<u16>,
}

impl Plant {
    /// Plans the run: one action in its first third, then one every hour and a half on average; what is opened is closed again.
    pub(crate) fn new(seed: u64, start: Micros, end: Micros, traps: &[Trap]) -> Plant {
        let mut rng = Rng::new(seed, "operators");
        let span = end.saturating_sub(start);
        let mut at = start + span.min(MINUTE) / 2 + rng.between(0, (span / 3).min(20 * MINUTE));
        let (operations, changes) = (Vec::new(), Vec::new());
        let mut plant = Plant { seed, start, end, operations, changes, set_point: Cell::new(1_000) };
        while at < end {
            let next = plant.operate(&mut rng, at);
            at = next + 2 * MINUTE + rng.exponential(90 * MINUTE);
        }
        if traps.contains(&Trap::Switching) {
            plant.switching(span);
        }
        if traps.contains(&Trap::Fault) {
            plant.fault(span);
        }
        plant.operations.sort_by_key(|operation| operation.at);
        plant.changes.sort_by_key(|change| change.at);
        plant
    }

    /// A dispatcher's programme: each feeder opened, tap and set point moved, each feeder closed, a minute or so between.
    fn switching(&mut self, span: Micros) {
        let label = Some(Label::Trap(Trap::Switching));
        let mut rng = Rng::new(self.seed, "trap switching");
        let mut at = self.start + rng.between(span / 10, span * 5 / 10);
        let pace = (span / 60).clamp(8 * SECOND, MINUTE);
        for close in [false, true] {
            for breaker in 0..BREAKERS {
                at += pace + rng.between(0, pace / 2);
                self.breaker(&mut rng, at, breaker, close, label);
            }
            at += pace;
            self.operations.push(Operation {
                at,
                desk: Desk::Outstation,
                action: Action::Tap { raise: !close },
                label,
            });
            at += pace;
            let value = if close { 1_000 } else { 990 };
            self.operations.push(Operation { at, desk: Desk::Plc, action: Action::SetPoint { value }, label });
        }
    }

    /// Protection trips a feeder, recloses onto the fault, trips again and then recloses for good.
    fn fault(&mut self, span: Micros) {
        let label = Some(Label::Trap(Trap::Fault));
        let mut rng = Rng::new(self.seed, "trap fault");
        let breaker = rng.between(0, 3) as usize;
        let mut at = self.start + rng.between(span / 10, span * 9 / 10);
        for closed in [false, true, false, true] {
            self.changes.push(Change { at, breaker, closed, label, is_trip: true });
            at += if closed { rng.between(60 * MS, 180 * MS) } else { rng.between(600 * MS, 1_500 * MS) };
        }
    }

    /// A breaker that moves beyond the plan.
    pub(crate) fn add(&mut self, change: Change) {
        let place = self.changes.partition_point(|other| other.at <= change.at);
        self.changes.insert(place, change);
    }

    /// A moment between these shares of the run (per cent) with no planned operation within `length` of it, if there is one.
    pub(crate) fn quiet(&self, rng: &mut Rng, shares: (u64, u64), length: Micros) -> Micros {
        let span = self.end.saturating_sub(self.start);
        let mut draw = || self.start + rng.between(span * shares.0 / 100, span * shares.1 / 100);
        let busy = |at: Micros| {
            let near = |moment: Micros| moment + length > at && moment < at + length + MINUTE;
            self.operations.iter().any(|o| near(o.at)) || self.changes.iter().any(|c| near(c.at))
        };
        let first = draw();
        std::iter::once(first).chain((0..60).map(|_| draw())).find(|at| !busy(*at)).unwrap_or(first)
    }

    /// Adds one action, and for a breaker the way back; returns the time of the last order.
    fn operate(&mut self, rng: &mut Rng, at: Micros) -> Micros {
        let breaker = match rng.between(0, 10) {
            0 => {
                let action = Action::Tap { raise: rng.between(0, 2) == 0 };
                self.operations.push(Operation { at, desk: Desk::Outstation, action, label: None });
                return at;
            }
            1 | 2 => {
                let action = Action::SetPoint { value: rng.between(980, 1_021) as u16 };
                self.operations.push(Operation { at, desk: Desk::Plc, action, label: None });
                return at;
            }
            pick => pick as usize % BREAKERS,
        };
        let back = at + 4 * MINUTE + rng.exponential(12 * MINUTE);
        for (at, close) in [(at, false), (back, true)] {
            self.breaker(rng, at, breaker, close, None);
        }
        back
    }

    fn breaker(&mut self, rng: &mut Rng, at: Micros, breaker: usize, close: bool, label: Option<Label>) {
        let desk = match breaker {
            0 | 1 => Desk::Rtu(breaker),
            2 => Desk::Outstation,
            _ => Desk::Plc,
        };
        self.operations.push(Operation { at, desk, action: Action::Breaker { breaker, close }, label });
        let at = at + 20 * MS + rng.between(38 * MS, 75 * MS);
        self.changes.push(Change { at, breaker, closed: close, label, is_trip: false });
    }

    /// The actions from a desk, in order of time.
    pub(crate) fn operations(&self, desk: Desk) -> Vec<Operation> {
        self.operations.iter().filter(|op| op.desk == desk).copied().collect()
    }

    /// The moves of a breaker, in order of time.
    pub(crate) fn changes(&self, breaker: usize) -> Vec<Change> {
        self.changes.iter().filter(|change| change.breaker == breaker).copied().collect()
    }

    /// Whether a breaker is closed; all are at first.
    pub(crate) fn closed(&self, breaker: usize, at: Micros) -> bool {
        let mut before = self.changes.iter().rev().filter(|c| c.breaker == breaker && c.at <= at);
        before.next().is_none_or(|change| change.closed)
    }

    /// The value of a signal at a feeder.
    pub(crate) fn value(&self, signal: Signal, feeder: usize, at: Micros) -> f64 {
        let noise = |salt: u64, period: Micros| self.noise(salt * 16 + feeder as u64, at, period);
        let share = 1.0 - 0.17 * feeder as f64;
        let load = load_curve(at) * share * (1.0 + 0.05 * noise(1, 90 * SECOND) + 0.008 * noise(2, SECOND));
        let live = self.closed(feeder % BREAKERS, at);
        let voltage = 20.0 * (1.0 + 0.008 * noise(3, 5 * MINUTE) + 0.001 * noise(4, SECOND)) - 0.2 * load;
        match signal {
            Signal::Voltage => voltage,
            Signal::Current if !live => 0.0,
            Signal::Current => 240.0 * load,
            Signal::Power if !live => 0.0,
            Signal::Power => voltage * 240.0 * load * 1.732 * 0.96 / 1_000.0,
            // One grid has one frequency, so the feeder does not enter.
            Signal::Frequency => 50.0 + 0.02 * self.noise(5, at, 20 * SECOND) + 0.004 * self.noise(6, at, SECOND),
            Signal::Temperature => 42.0 + 14.0 * load_curve(at.saturating_sub(HOUR)) + noise(7, 10 * MINUTE),
        }
    }

    /// Smooth noise in −1.0..1.0: random values each `period`, with cosines between.
    fn noise(&self, salt: u64, at: Micros, period: Micros) -> f64 {
        let point = |step: u64| {
            let word = mix(self.seed ^ mix(salt.wrapping_mul(0x9e37_79b9) ^ mix(step)));
            (word >> 11) as f64 / (1u64 << 52) as f64 - 1.0
        };
        let (step, part) = (at / period, (at % period) as f64 / period as f64);
        let blend = (1.0 - (part * std::f64::consts::PI).cos()) / 2.0;
        point(step) * (1.0 - blend) + point(step + 1) * blend
    }
}

/// The load over the day as a share of its peak: a valley at night, shoulders in the morning and the evening.
fn load_curve(at: Micros) -> f64 {
    const HOURLY: [f64; 24] = [
        0.52, 0.48, 0.46, 0.45, 0.47, 0.54, 0.66, 0.79, 0.86, 0.88, 0.89, 0.91, 0.90, 0.87, 0.85, 0.84, 0.87, 0.94,
        1.00, 0.98, 0.91, 0.82, 0.70, 0.60,
    ];
    let (hour, part) = ((at / HOUR % 24) as usize, (at % HOUR) as f64 / HOUR as f64);
    HOURLY[hour] * (1.0 - part) + HOURLY[(hour + 1) % 24] * part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_breaker_carries_nothing_until_it_is_closed() {
        for seed in 0..20 {
            let plant = Plant::new(seed, 0, 24 * HOUR, &[]);
            assert!(plant.operations.len() >= 3, "seed {seed}");
            let Some(opened) = plant.changes.iter().find(|c| !c.closed) else { continue };
            assert!(plant.value(Signal::Current, opened.breaker, opened.at - 1) > 10.0);
            assert_eq!(plant.value(Signal::Current, opened.breaker, opened.at), 0.0);
        }
    }

    #[test]
    fn values_are_plausible_and_continuous() {
        let plant = Plant::new(3, 0, 0, &[]);
        for minute in 0..1_440 {
            let at = minute * MINUTE;
            assert!((18.5..21.5).contains(&plant.value(Signal::Voltage, 1, at)));
            assert!((49.9..50.1).contains(&plant.value(Signal::Frequency, 0, at)));
            let step = plant.value(Signal::Current, 0, at + MS) - plant.value(Signal::Current, 0, at);
            assert!(step.abs() < 1.0, "{step}");
        }
    }
}
