//! What follows a command: the states of the same device that changed each time after it, how soon, and to what.

use gwcore::time::SECOND;
use gwcore::{Addr, AgedTable, Limit, LimitHits, Limits, Ts};
use serde::{Deserialize, Serialize};

use super::{Key, Merge};
use crate::observation::Observation;

/// How long after a command a state may change for its sake: motors of disconnectors take up to about half a minute.
pub(crate) const REACH: i64 = 30 * SECOND;
/// Commands from which a state that followed each of them follows by the plant's doing.
const ENOUGH: u32 = 5;
/// Followers kept of a command, and states of a follower.
const FOLLOWERS: usize = 8;
const STATES: usize = 4;
/// Commands of a device under watch.
const WAITING: usize = 16;

/// A point by the number of its table's word, its unit and its address.
pub(crate) type At = (u16, (u32, u32));

/// A state that followed a command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Follower {
    pub(crate) at: At,
    hits: u32,
    /// Longest time until it changed, in nanoseconds.
    pub(crate) slowest: i64,
    /// Commanded value and the state it led to.
    states: Vec<(f64, f64)>,
}

impl Follower {
    /// The state that a commanded value always led to.
    pub(crate) fn state(&self, command: f64) -> Option<f64> {
        let mut of = self.states.iter().filter(|(c, _)| *c == command);
        let (first, second) = (of.next(), of.next());
        first.filter(|_| second.is_none()).map(|(_, s)| *s)
    }

    fn led(&mut self, command: f64, state: f64) {
        if !self.states.contains(&(command, state)) && self.states.len() < STATES {
            self.states.push((command, state));
            self.states.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        }
    }
}

/// What followed the commands on one point.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Effect {
    /// Accepted commands whose time was watched to its end.
    pub(crate) commands: u32,
    followers: Vec<Follower>,
}

impl Effect {
    fn settle(&mut self, command: f64, changes: &[Change]) {
        self.commands = self.commands.saturating_add(1);
        for c in changes {
            let known = self.followers.iter().position(|f| f.at == c.at);
            if known.is_none() && self.followers.len() < FOLLOWERS {
                self.followers.push(Follower { at: c.at, hits: 0, slowest: 0, states: Vec::new() });
                self.followers.sort_by_key(|f| f.at);
            }
            if let Some(f) = self.followers.iter_mut().find(|f| f.at == c.at) {
                f.hits = f.hits.saturating_add(1);
                f.slowest = f.slowest.max(c.after);
                f.led(command, c.state);
            }
        }
    }

    /// The states that followed every one of enough commands.
    pub(crate) fn reliable(&self) -> impl Iterator<Item = &Follower> {
        self.followers.iter().filter(|f| self.commands >= ENOUGH && f.hits == self.commands)
    }

    /// With the words of another baseline's numbers.
    pub(crate) fn moved(&self, word: &dyn Fn(u16) -> u16) -> Effect {
        let mut out = self.clone();
        out.followers.iter_mut().for_each(|f| f.at.0 = word(f.at.0));
        out.followers.sort_by_key(|f| f.at);
        out
    }
}

impl Merge for Effect {
    fn merge(&mut self, o: &Effect) {
        self.commands = self.commands.saturating_add(o.commands);
        for theirs in &o.followers {
            if let Some(mine) = self.followers.iter_mut().find(|f| f.at == theirs.at) {
                mine.hits = mine.hits.saturating_add(theirs.hits);
                mine.slowest = mine.slowest.max(theirs.slowest);
                theirs.states.iter().for_each(|(c, s)| mine.led(*c, *s));
            } else if self.followers.len() < FOLLOWERS {
                self.followers.push(theirs.clone());
            }
        }
        self.followers.sort_by_key(|f| f.at);
    }
}

/// A state that changed while a command was under watch.
#[derive(Clone, Copy, Debug)]
struct Change {
    at: At,
    after: i64,
    state: f64,
}

struct Waiting {
    key: Key,
    source: Addr,
    value: f64,
    ts: Ts,
    accepted: bool,
    changes: Vec<Change>,
}

/// Watches what follows commands, by device.
pub(super) struct EffectWatch {
    devices: AgedTable<Addr, Vec<Waiting>>,
    pub(super) hits: LimitHits,
}

impl EffectWatch {
    pub(super) fn new(limits: &Limits) -> EffectWatch {
        let devices = AgedTable::new(Limit::DetectorSources, limits.get(Limit::DetectorSources));
        EffectWatch { devices, hits: LimitHits::default() }
    }

    /// A command goes out; one on the same point that was still under watch says nothing any more.
    pub(super) fn command(&mut self, key: Key, source: Addr, value: f64, ts: Ts) {
        if self.devices.get(&key.b).is_none() && self.devices.insert(key.b, Vec::new()).is_some() {
            self.hits.hit(Limit::DetectorSources);
        }
        let Some(waiting) = self.devices.get_mut(&key.b) else { return };
        waiting.retain(|w| w.key != key);
        if waiting.len() < WAITING {
            waiting.push(Waiting { key, source, value, ts, accepted: false, changes: Vec::new() });
        }
    }

    /// The device accepted or refused a command.
    pub(super) fn answer(&mut self, key: Key, accepted: bool) {
        let Some(waiting) = self.devices.get_mut(&key.b) else { return };
        waiting.retain(|w| accepted || w.key != key);
        waiting.iter_mut().filter(|w| w.key == key).for_each(|w| w.accepted = true);
    }

    /// A state of a device changed.
    pub(super) fn changed(&mut self, device: Addr, at: At, state: f64, ts: Ts) {
        for w in self.devices.get_mut(&device).into_iter().flatten() {
            let after = ts.since(w.ts);
            let first = w.changes.len() < FOLLOWERS && w.changes.iter().all(|c| c.at != at);
            if first && (0..=REACH).contains(&after) {
                w.changes.push(Change { at, after, state });
            }
        }
    }

    /// Gives the commands of a device whose time is over.
    pub(super) fn over(
        &mut self,
        device: Addr,
        now: Ts,
        seen: &Observation,
        learn: &mut dyn FnMut(Key, &dyn Fn(&mut Effect)),
    ) {
        let Some(waiting) = self.devices.get_mut(&device).filter(|w| !w.is_empty()) else { return };
        waiting.retain(|w| {
            let is_over = now.since(w.ts) > REACH;
            if is_over && w.accepted && seen.quality(w.source, device, w.ts, w.ts.plus(REACH)).is_whole() {
                learn(w.key, &|effect| effect.settle(w.value, &w.changes));
            }
            !is_over
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: At = (1, (1, 0));
    const B: At = (1, (1, 1));

    fn effect(times: u32, changes: &[Change]) -> Effect {
        let mut e = Effect::default();
        (0..times).for_each(|i| e.settle(f64::from(i % 2), changes));
        e
    }

    #[test]
    fn what_followed_five_times_of_five_is_reliable_and_what_missed_once_is_not() {
        let change = |at, state| Change { at, after: 2, state };
        assert_eq!(effect(4, &[change(A, 1.0)]).reliable().count(), 0);
        let mut e = effect(5, &[change(A, 1.0)]);
        assert_eq!(e.reliable().map(|f| (f.at, f.slowest)).collect::<Vec<_>>(), [(A, 2)]);
        assert_eq!(e.reliable().next().and_then(|f| f.state(1.0)), Some(1.0));
        e.merge(&effect(1, &[change(B, 1.0)]));
        assert_eq!(e.reliable().count(), 0, "the sixth command had no effect on it");
    }

    #[test]
    fn a_command_that_led_to_two_states_leads_to_none() {
        let mut e = effect(5, &[Change { at: A, after: 1, state: 0.0 }]);
        e.settle(1.0, &[Change { at: A, after: 1, state: 3.0 }]);
        let f = e.reliable().next().unwrap();
        assert_eq!((f.state(0.0), f.state(1.0), f.state(7.0)), (Some(0.0), None, None));
    }
}
