//! How often and how far the plant is operated: devices a source commands within a minute, its hours, commands on a point within an hour.

use std::collections::VecDeque;

use gwcore::time::{HOUR, MINUTE};
use gwcore::{Addr, AgedTable, Fact, FlowConst, Limit, LimitHits, Limits, Op, OpClass, PointId, Ts};
use serde::{Deserialize, Serialize};

use super::{Merge, Strokes, who};
use crate::fold::ends;

/// Commands kept of a source, and of a point.
const KEPT: usize = 64;
const HOURS: usize = 24;

/// How a source commands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Source {
    pub(crate) commands: u64,
    /// Most devices commanded within a minute.
    pub(crate) devices: u32,
    /// Most different points of one device commanded within a minute; 0 in files of older versions.
    #[serde(default)]
    pub(crate) points: u32,
    /// Days with commands.
    pub(crate) days: u32,
    /// Days on which it commanded in each hour of the day, UTC.
    pub(crate) hours: [u32; HOURS],
    /// Numbers of the first and the last hour with a command since 1970.
    span: Option<(i64, i64)>,
}

impl Source {
    pub(crate) fn note(&mut self, ts: Ts, devices: u32) {
        self.commands = self.commands.saturating_add(1);
        self.devices = self.devices.max(devices);
        let hour = ts.0.div_euclid(HOUR);
        let last = self.span.map(|s| s.1);
        if last.is_none_or(|last| last < hour) {
            self.days += u32::from(last.is_none_or(|last| last.div_euclid(24) < hour.div_euclid(24)));
            if let Some(n) = self.hours.get_mut(hour_of_day(ts)) {
                *n += 1;
            }
            self.span = Some((self.span.map_or(hour, |s| s.0), hour));
        }
    }
}

impl Merge for Source {
    fn merge(&mut self, o: &Source) {
        self.commands = self.commands.saturating_add(o.commands);
        self.devices = self.devices.max(o.devices);
        self.points = self.points.max(o.points);
        self.days = self.days.saturating_add(o.days);
        self.hours.iter_mut().zip(o.hours).for_each(|(a, b)| *a = a.saturating_add(b));
        let (Some(a), Some(b)) = (self.span, o.span) else {
            self.span = self.span.or(o.span);
            return;
        };
        // Where one half ends and the other begins, an hour or a day may be shared.
        let (end, begin) = if a.0 <= b.0 { (a.1, b.0) } else { (b.1, a.0) };
        self.days = self.days.saturating_sub(u32::from(end.div_euclid(24) == begin.div_euclid(24)));
        let shared = usize::try_from(begin.rem_euclid(24)).ok().filter(|_| end == begin);
        if let Some(n) = shared.and_then(|h| self.hours.get_mut(h)) {
            *n = n.saturating_sub(1);
        }
        self.span = Some((a.0.min(b.0), a.1.max(b.1)));
    }
}

/// Hour of the day, UTC.
pub(crate) fn hour_of_day(ts: Ts) -> usize {
    usize::try_from(ts.0.div_euclid(HOUR).rem_euclid(24)).unwrap_or(0)
}

/// How a source commands one point.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pace {
    pub(crate) commands: u64,
    /// Most commands within an hour.
    pub(crate) most: u32,
    /// Most in one direction within an hour: steps of a set point, or the same command again.
    pub(crate) run: u32,
    /// Farthest that a set point was moved in one direction within an hour.
    pub(crate) travel: f64,
    /// Most changes back, and most commands, within a minute; 0 in files of older versions.
    #[serde(default)]
    pub(crate) reversals: u32,
    #[serde(default)]
    pub(crate) writes: u32,
}

impl Pace {
    pub(crate) fn stroke(&mut self, strokes: &Strokes) {
        self.reversals = self.reversals.max(strokes.reversals);
        self.writes = self.writes.max(strokes.writes);
    }

    pub(crate) fn note(&mut self, hour: &Hour) {
        self.commands = self.commands.saturating_add(1);
        self.most = self.most.max(hour.count);
        self.run = self.run.max(hour.run);
        self.travel = self.travel.max(hour.travel);
    }
}

impl Merge for Pace {
    fn merge(&mut self, o: &Pace) {
        self.commands = self.commands.saturating_add(o.commands);
        self.most = self.most.max(o.most);
        self.run = self.run.max(o.run);
        self.travel = self.travel.max(o.travel);
        self.reversals = self.reversals.max(o.reversals);
        self.writes = self.writes.max(o.writes);
    }
}

/// Whether a request moves the plant or takes a device out of service at once.
pub(crate) fn moves(op: &Op) -> bool {
    !op.is_answer && matches!(op.class, OpClass::Control | OpClass::SetPoint | OpClass::Restart | OpClass::Mode)
}

/// What a source commanded in the minute before a command of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Minute {
    pub(crate) source: Addr,
    pub(crate) devices: u32,
    pub(crate) since: Ts,
}

/// Follows the devices that each source commands. Behind one address there may be several: units of a gateway.
pub(crate) struct SourceWatch {
    table: AgedTable<Addr, VecDeque<(Ts, (Addr, u32))>>,
    pub(crate) hits: LimitHits,
}
gwcore::kept!(SourceWatch { table });

impl SourceWatch {
    pub(crate) fn new(limits: &Limits) -> SourceWatch {
        let table = AgedTable::new(Limit::DetectorSources, limits.get(Limit::DetectorSources));
        SourceWatch { table, hits: LimitHits::default() }
    }

    /// Takes note of a command; none for anything else.
    pub(crate) fn note(&mut self, op: &Op, fact: &Fact, flow: &FlowConst) -> Option<Minute> {
        let (src, dst) = ends(fact, flow);
        if !moves(op) || dst.addr.is_multicast() {
            return None;
        }
        let source = who(&src);
        if self.table.get(&source).is_none() && self.table.insert(source, VecDeque::new()).is_some() {
            self.hits.hit(Limit::DetectorSources);
        }
        let recent = self.table.get_mut(&source)?;
        keep(recent, fact.ts, MINUTE, (who(&dst), op.point.and_then(|p| p.device(op.proto)).unwrap_or(0)));
        let mut devices: Vec<(Addr, u32)> = recent.iter().map(|(_, d)| *d).collect();
        devices.sort_unstable();
        devices.dedup();
        let since = recent.front().map_or(fact.ts, |(ts, _)| *ts);
        Some(Minute { source, devices: u32::try_from(devices.len()).unwrap_or(u32::MAX), since })
    }
}

/// Adds the newest and forgets what is older than `span`.
fn keep<T>(recent: &mut VecDeque<(Ts, T)>, now: Ts, span: i64, new: T) {
    while recent.len() >= KEPT || recent.front().is_some_and(|(ts, _)| now.since(*ts) > span) {
        recent.pop_front();
    }
    recent.push_back((now, new));
}

/// What a point was commanded in the hour before a command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hour {
    pub(crate) count: u32,
    pub(crate) run: u32,
    pub(crate) travel: f64,
    pub(crate) since: Ts,
}

type Point = (Addr, Addr, &'static str, PointId);

/// Follows the commands that each source gives each point.
pub(crate) struct PointWatch {
    table: AgedTable<Point, VecDeque<(Ts, Option<f64>)>>,
    pub(crate) hits: LimitHits,
}
gwcore::kept!(PointWatch { table });

impl PointWatch {
    pub(crate) fn new(limits: &Limits) -> PointWatch {
        let table = AgedTable::new(Limit::DetectorSources, limits.get(Limit::DetectorSources));
        PointWatch { table, hits: LimitHits::default() }
    }

    /// Takes note of a control command or set point; none for anything else.
    pub(crate) fn note(&mut self, op: &Op, fact: &Fact, flow: &FlowConst) -> Option<Hour> {
        if op.is_answer || !matches!(op.class, OpClass::Control | OpClass::SetPoint) {
            return None;
        }
        let (src, dst) = ends(fact, flow);
        let key = (who(&src), who(&dst), op.proto, op.point?);
        if self.table.get(&key).is_none() && self.table.insert(key, VecDeque::new()).is_some() {
            self.hits.hit(Limit::DetectorSources);
        }
        let recent = self.table.get_mut(&key)?;
        keep(recent, fact.ts, HOUR, op.value);
        let values: Vec<f64> = recent.iter().filter_map(|(_, v)| *v).collect();
        let (run, travel) = if op.class == OpClass::SetPoint { steps(&values) } else { (same(&values), 0.0) };
        let since = recent.front().map_or(fact.ts, |(ts, _)| *ts);
        Some(Hour { count: u32::try_from(recent.len()).unwrap_or(u32::MAX), run, travel, since })
    }
}

/// The last steps that all go in one direction, and how far they go together.
fn steps(values: &[f64]) -> (u32, f64) {
    let mut back = values.iter().rev().copied();
    let Some(last) = back.next() else { return (0, 0.0) };
    let (mut at, mut rises, mut run) = (last, None, 0);
    for v in back.filter(|v| v.is_finite()) {
        if v == at {
            continue;
        }
        if *rises.get_or_insert(at > v) != (at > v) {
            break;
        }
        (at, run) = (v, run + 1);
    }
    (run, if last.is_finite() { (last - at).abs() } else { 0.0 })
}

/// How often the last command was given in a row.
fn same(values: &[f64]) -> u32 {
    let last = values.last();
    u32::try_from(values.iter().rev().take_while(|v| Some(*v) == last).count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_end_where_the_direction_turns() {
        assert_eq!(steps(&[]), (0, 0.0));
        assert_eq!(steps(&[5.0]), (0, 0.0));
        assert_eq!(steps(&[9.0, 1.0, 2.0, 2.0, 4.0]), (2, 3.0));
        assert_eq!(steps(&[1.0, 4.0, 2.0, 0.0]), (2, 4.0));
        assert_eq!((same(&[1.0, 2.0, 2.0, 2.0]), same(&[1.0, 2.0]), same(&[])), (3, 1, 0));
    }

    #[test]
    fn halves_of_a_day_are_one_day() {
        let note = |hours: &[i64]| {
            let mut s = Source::default();
            hours.iter().for_each(|h| s.note(Ts(h * HOUR), 1));
            s
        };
        let (mut a, b, whole) = (note(&[1, 1, 8]), note(&[8, 9, 30]), note(&[1, 1, 8, 8, 9, 30]));
        a.merge(&b);
        assert_eq!(a, whole);
        assert_eq!((whole.days, whole.hours[6], whole.hours[1], whole.commands), (2, 1, 1, 6));
    }
}
