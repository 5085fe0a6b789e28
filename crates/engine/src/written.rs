//! Written values wait for the answer of the device: what it refuses is no value of the point.

use std::collections::VecDeque;

use gwcore::time::SECOND;
use gwcore::{Fact, FlowConst, Op, PointId, Sample, Ts, Uid};

/// How long values wait for an answer; then they are taken as written.
const WAIT: i64 = 30 * SECOND;
/// Commands that wait, and values that wait with them.
const COMMANDS: usize = 4_096;
const VALUES: usize = 65_536;

/// A value that was written.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
pub(crate) struct Written {
    pub fact: Fact,
    pub sample: Sample,
    pub flow: FlowConst,
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
struct Command {
    uid: Uid,
    reversed: bool,
    function: u16,
    point: Option<PointId>,
    frame: u64,
    ts: Ts,
    values: Vec<Written>,
}

/// Commands that wait for their answers, in the order of the input.
#[derive(Default, serde::Serialize, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
pub(crate) struct Waiting {
    commands: VecDeque<Command>,
    values: usize,
    /// Values of a frame whose command is told after them.
    loose: Vec<Written>,
}

impl Waiting {
    /// Takes an operation in: a request begins to wait, an answer gives back what it accepts. Reads write nothing.
    pub(crate) fn operation(&mut self, op: &Op, fact: &Fact, flow: &FlowConst) -> Vec<Written> {
        if op.is_answer {
            return self.answered(op, fact, flow);
        }
        if matches!(op.class, gwcore::OpClass::Read | gwcore::OpClass::Identify | gwcore::OpClass::Other) {
            return Vec::new();
        }
        let (uid, reversed) = (flow.uid, fact.flow.reversed());
        let loose = std::mem::take(&mut self.loose);
        let (values, mut due): (Vec<Written>, Vec<Written>) =
            loose.into_iter().partition(|w| w.flow.uid == uid && w.fact.frame == fact.frame);
        self.values += values.len();
        let command =
            Command { uid, reversed, function: op.function, point: op.point, frame: fact.frame, ts: fact.ts, values };
        self.commands.push_back(command);
        if self.commands.len() > COMMANDS || self.values > VALUES {
            due.extend(self.first());
        }
        due
    }

    /// Takes a written value in; gives back those before it that no command was told of.
    pub(crate) fn value(&mut self, written: Written) -> Vec<Written> {
        let same = |c: &&mut Command| {
            c.uid == written.flow.uid && c.frame == written.fact.frame && c.reversed == written.fact.flow.reversed()
        };
        let Some(command) = self.commands.iter_mut().rev().take(NEAR).find(same) else {
            let new = self.loose.last().is_some_and(|w| w.fact.frame != written.fact.frame);
            let due = if new || self.loose.len() >= VALUES { std::mem::take(&mut self.loose) } else { Vec::new() };
            self.loose.push(written);
            return due;
        };
        command.values.push(written);
        self.values += 1;
        if self.values > VALUES { self.first() } else { Vec::new() }
    }

    /// What waited long enough at `now`.
    pub(crate) fn over(&mut self, now: Ts) -> Vec<Written> {
        let mut all = std::mem::take(&mut self.loose);
        while self.commands.front().is_some_and(|c| now.since(c.ts) >= WAIT) {
            all.extend(self.first());
        }
        all
    }

    /// Everything: nothing more will come.
    pub(crate) fn finish(&mut self) -> Vec<Written> {
        let mut all = std::mem::take(&mut self.loose);
        while !self.commands.is_empty() {
            all.extend(self.first());
        }
        all
    }

    fn first(&mut self) -> Vec<Written> {
        self.take(0)
    }

    fn take(&mut self, at: usize) -> Vec<Written> {
        let values = self.commands.remove(at).map(|c| c.values).unwrap_or_default();
        self.values = self.values.saturating_sub(values.len());
        values
    }

    fn answered(&mut self, op: &Op, fact: &Fact, flow: &FlowConst) -> Vec<Written> {
        let fits = |c: &Command| {
            c.uid == flow.uid
                && c.reversed != fact.flow.reversed()
                && c.function == op.function
                && (op.point.is_none() || c.point == op.point)
        };
        let Some(at) = self.commands.iter().position(fits) else { return Vec::new() };
        let values = self.take(at);
        if op.refused.is_some() { Vec::new() } else { values }
    }
}

/// Commands looked at for the one that a value belongs to: it stands right before it.
const NEAR: usize = 8;
