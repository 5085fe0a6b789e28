//! How the measurements of one poll move: whether they ever stand still, and whether an exact series of them ever came again.

use std::collections::VecDeque;

use gwcore::{Addr, AgedTable, Fact, FlowConst, Limit, LimitHits, Limits, PointId, Sample, Ts};
use serde::{Deserialize, Serialize};

use super::{Merge, UTILITY, who};
use crate::fold::ends;

/// Measurements in one answer from which it is watched.
const WIDTH: u32 = 3;
/// Different answers in a row that must be those of an earlier row, for a repetition.
pub(crate) const SERIES: u32 = 10;
/// Answers remembered of a poll.
const KEPT: usize = 2_048;
/// Multiplier that spreads the bits of a value: the golden ratio of 64 bits.
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

/// What was seen of one poll's answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Motion {
    pub(crate) polls: u64,
    /// Answers that differed from the one before.
    pub(crate) moves: u64,
    /// Longest time without a difference, in nanoseconds.
    pub(crate) longest: i64,
    /// Answers that continued the repetition of an earlier series.
    pub(crate) repeats: u64,
}

impl Motion {
    pub(crate) fn note(&mut self, a: &Answer) {
        self.polls = self.polls.saturating_add(1);
        self.moves = self.moves.saturating_add(u64::from(a.still == 0));
        self.longest = self.longest.max(a.ts.since(a.since));
        self.repeats = self.repeats.saturating_add(u64::from(a.repeated.is_some()));
    }
}

impl Merge for Motion {
    fn merge(&mut self, o: &Motion) {
        self.polls = self.polls.saturating_add(o.polls);
        self.moves = self.moves.saturating_add(o.moves);
        self.longest = self.longest.max(o.longest);
        self.repeats = self.repeats.saturating_add(o.repeats);
    }
}

/// The poll that an answer belongs to: client, server, protocol, first point, number of points.
pub(crate) type Poll = (Addr, Addr, &'static str, PointId, u32);

/// One answer's measurements in the light of those before.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) poll: Poll,
    pub(crate) ts: Ts,
    /// Its first value.
    pub(crate) fact: Fact,
    pub(crate) flow: FlowConst,
    /// Answers in a row equal to an earlier one; 0 if this one differs from the one before.
    pub(crate) still: u32,
    /// Since when nothing differed.
    pub(crate) since: Ts,
    /// How many answers in a row were those of an earlier series, once they are enough.
    pub(crate) repeated: Option<u32>,
}

/// The answer that is being put together from its facts.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
struct Open {
    fact: Fact,
    flow: FlowConst,
    poll: Poll,
    hash: u64,
}

impl Open {
    fn add(&mut self, s: &Sample) {
        self.poll.4 = self.poll.4.saturating_add(1);
        for word in [u64::from(s.point.unit) << 32 | u64::from(s.point.address), s.value.to_bits()] {
            self.hash = (self.hash.rotate_left(5) ^ word).wrapping_mul(MIX);
        }
    }
}

/// Answers of one poll, consecutive equal ones counted once.
#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Track {
    kept: VecDeque<u64>,
    still: u32,
    since: Option<Ts>,
    /// How far back the series lies that is being repeated, and how long it is.
    distance: usize,
    run: u32,
}

impl Track {
    /// Takes the next answer; gives how long a repetition is.
    fn next(&mut self, hash: u64, ts: Ts) -> Option<u32> {
        if self.kept.back() == Some(&hash) {
            self.still = self.still.saturating_add(1);
            return None;
        }
        (self.still, self.since) = (0, Some(ts));
        let back = |distance: usize| self.kept.len().checked_sub(distance).and_then(|at| self.kept.get(at));
        if self.run > 0 && back(self.distance) == Some(&hash) {
            self.run = self.run.saturating_add(1);
        } else {
            // The most recent equal answer that lies far enough back for a series between.
            let found = self.kept.iter().rev().skip(SERIES as usize - 1).position(|h| *h == hash);
            self.distance = found.map_or(0, |p| p + SERIES as usize);
            self.run = u32::from(found.is_some());
        }
        if self.kept.len() >= KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(hash);
        (self.run >= SERIES && self.is_various()).then_some(self.run)
    }

    /// Whether the last answers all differ: few values that alternate repeat by themselves.
    fn is_various(&self) -> bool {
        let mut last: Vec<u64> = self.kept.iter().rev().take(SERIES as usize).copied().collect();
        last.sort_unstable();
        last.dedup();
        last.len() == SERIES as usize
    }
}

/// Follows the answers of polls.
pub(crate) struct MotionWatch {
    tracks: AgedTable<Poll, Track>,
    open: Option<Open>,
    pub(crate) hits: LimitHits,
}
gwcore::kept!(MotionWatch { tracks, open });

impl MotionWatch {
    pub(crate) fn new(limits: &Limits) -> MotionWatch {
        let tracks = AgedTable::new(Limit::PollTracks, limits.get(Limit::PollTracks));
        MotionWatch { tracks, open: None, hits: LimitHits::default() }
    }

    /// Takes a value; gives the answer before it where this one begins another.
    pub(crate) fn sample(&mut self, s: &Sample, fact: &Fact, flow: &FlowConst) -> Option<Answer> {
        if s.discrete || s.write || !s.good || !UTILITY.contains(&s.proto) {
            return None;
        }
        if let Some(open) = self.open.as_mut().filter(|o| o.flow.uid == flow.uid && o.fact.frame == fact.frame) {
            open.add(s);
            return None;
        }
        let done = self.finish();
        let (server, client) = ends(fact, flow);
        if !client.addr.is_none() && !client.addr.is_multicast() {
            let poll = (who(&client), who(&server), s.proto, s.point, 0);
            let open = self.open.insert(Open { fact: fact.clone(), flow: *flow, poll, hash: 0 });
            open.add(s);
        }
        done
    }

    /// The answer under way is complete.
    pub(crate) fn finish(&mut self) -> Option<Answer> {
        let open = self.open.take().filter(|o| o.poll.4 >= WIDTH)?;
        if self.tracks.get(&open.poll).is_none() && self.tracks.insert(open.poll, Track::default()).is_some() {
            self.hits.hit(Limit::PollTracks);
        }
        let track = self.tracks.get_mut(&open.poll)?;
        let Open { fact, flow, poll, hash } = open;
        let ts = fact.ts;
        let repeated = track.next(hash, ts);
        Some(Answer { poll, ts, fact, flow, still: track.still, since: track.since.unwrap_or(ts), repeated })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [u32; 0] = [];

    fn runs(hashes: impl IntoIterator<Item = u64>) -> (Track, Vec<u32>) {
        let mut t = Track::default();
        let runs = hashes.into_iter().filter_map(|h| t.next(h, Ts(0))).collect();
        (t, runs)
    }

    #[test]
    fn ten_answers_of_an_earlier_series_repeat_it_nine_do_not() {
        assert_eq!(runs((0..50).chain(20..29)).1, NONE);
        assert_eq!(runs((0..50).chain(20..32)).1, [10, 11, 12]);
        assert_eq!(runs((0..50).chain(20..25).chain(60..65).chain(25..30)).1, NONE, "interrupted");
        assert_eq!(runs((0..30).map(|i| i % 5)).1, NONE, "five values in turn");
        assert_eq!(runs((0..30).map(|_| 7)).1, NONE, "standing still");
    }

    #[test]
    fn a_series_forgotten_is_not_recognised_and_memory_is_bounded() {
        let far = KEPT as u64;
        let (t, got) = runs((0..far + 20).chain(0..20));
        assert_eq!((t.kept.len(), got.len()), (KEPT, 0));
        assert_eq!(runs((0..far).chain(0..20)).1.len(), 11);
    }
}
