//! Quality of observation: what of the network was really seen, so that nobody concludes something from what was merely not captured.

use gwcore::time::{MINUTE, SECOND};
use gwcore::{Addr, AgedTable, Body, Fact, FlowConst, Limit, LimitHits, Limits, Ts};

/// A feed without a frame for this long is silent, unless such pauses are usual in it.
const SILENT: i64 = 5 * SECOND;
/// Pauses this many times longer than usual are silence.
const UNUSUAL: i64 = 10;
/// Silences remembered.
const SILENCES: usize = 64;
/// A moment so far ahead of packet time is not confirmed yet (design §1).
const AHEAD: i64 = MINUTE;
/// Stretches of lost frames remembered.
const LOSSES: usize = 256;
/// Lost frames per captured one up to which a stretch counts as whole: so few, spread over it, change no period and no absence.
const FEW: u64 = 100;
/// Stretches closer than this are one.
const NEAR: i64 = SECOND;
/// Time after a silence in which senders are still coming back.
const RECOVERY: i64 = MINUTE;

/// What was seen of two devices in a stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Quality {
    /// Bytes between them are missing from the capture.
    pub(crate) gaps: bool,
    /// Only one of them was heard.
    pub(crate) one_direction: bool,
    /// The whole feed fell silent, or the capture says that it lost frames.
    pub(crate) feed_silent: bool,
    /// The stretch reaches beyond the capture's beginning.
    pub(crate) before_first: bool,
}

impl Quality {
    /// Whether absence, periods and ratios may be judged.
    pub(crate) fn is_whole(self) -> bool {
        self == Quality::default()
    }
}

#[derive(Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
struct Pair {
    gap: Option<Ts>,
    /// Last time that the lower and the higher address was heard by the other.
    heard: [Option<Ts>; 2],
}

/// Keeps account of feed and pairs of devices.
pub(crate) struct Observation {
    first: Option<Ts>,
    /// The last tick, and the last one before which there were frames: a live interface ticks without traffic too.
    now: Option<Ts>,
    last_tick: Option<Ts>,
    /// Usual pause between ticks, nanoseconds: a slow mean.
    pause: i64,
    silences: std::collections::VecDeque<(Ts, Ts)>,
    losses: std::collections::VecDeque<(Ts, Ts)>,
    pairs: AgedTable<(Addr, Addr), Pair>,
    pub(crate) hits: LimitHits,
}
gwcore::kept!(Observation { first, now, last_tick, pause, silences, losses, pairs });

impl Observation {
    pub(crate) fn new(limits: &Limits) -> Observation {
        let pairs = AgedTable::new(Limit::DetectorSources, limits.get(Limit::DetectorSources));
        Observation {
            first: None,
            now: None,
            last_tick: None,
            pause: SECOND,
            silences: Default::default(),
            losses: Default::default(),
            pairs,
            hits: LimitHits::default(),
        }
    }

    /// Takes note of a fact, before any detector sees it.
    pub(crate) fn fact(&mut self, fact: &Fact, flow: &FlowConst) {
        match fact.body {
            Body::Tick { frames } => self.tick(fact.ts, frames),
            Body::TimeBreak { .. } => {
                self.silence(fact.ts, fact.ts);
                (self.now, self.last_tick) = (Some(fact.ts), Some(fact.ts));
            }
            Body::Loss { from, lost, seen } => {
                if lost.saturating_mul(FEW) > seen {
                    self.loss(from, fact.ts);
                }
            }
            Body::Unread => {}
            Body::Gap { .. } => self.pair(flow, |p, _| p.gap = Some(fact.ts)),
            Body::FlowEnd { packets, start, .. } => self.pair(flow, |p, low| {
                // A conversation that ends says who was heard while it lasted.
                let spoke = if low { packets } else { [packets[1], packets[0]] };
                for (heard, n) in p.heard.iter_mut().zip(spoke) {
                    if n > 0 {
                        *heard = (*heard).max(Some(start)).max(Some(fact.ts));
                    }
                }
            }),
            _ => {
                let reversed = fact.flow.reversed();
                self.pair(flow, |p, low| {
                    if let Some(heard) = p.heard.get_mut(usize::from(low == reversed)) {
                        *heard = Some(fact.ts);
                    }
                });
            }
        }
    }

    fn tick(&mut self, now: Ts, frames: u64) {
        self.first.get_or_insert(now);
        self.now = Some(now);
        if frames == 0 && self.last_tick.is_some() {
            return;
        }
        if let Some(last) = self.last_tick {
            let pause = now.since(last);
            if pause > self.unusual() {
                self.silence(last, now);
            }
            // One long pause moves the mean by less than a fifth; a slow feed is known after a few dozen.
            let told = pause.min(self.pause.saturating_mul(4));
            self.pause = self.pause.saturating_add(told.saturating_sub(self.pause) / 16).max(1);
        }
        self.last_tick = Some(now);
    }

    /// A longer pause than this is silence.
    fn unusual(&self) -> i64 {
        SILENT.max(self.pause.saturating_mul(UNUSUAL))
    }

    /// Whether the feed is silent at the moment.
    fn is_silent(&self) -> bool {
        self.now.zip(self.last_tick).is_some_and(|(now, last)| now.since(last) > self.unusual())
    }

    fn silence(&mut self, from: Ts, to: Ts) {
        if self.silences.len() >= SILENCES {
            self.silences.pop_front();
        }
        self.silences.push_back((from, to));
    }

    fn loss(&mut self, from: Ts, to: Ts) {
        if let Some(last) = self.losses.back_mut().filter(|l| l.0 <= from && from <= l.1.plus(NEAR)) {
            last.1 = last.1.max(to);
            return;
        }
        if self.losses.len() >= LOSSES {
            self.losses.pop_front();
        }
        self.losses.push_back((from, to));
    }

    fn pair(&mut self, flow: &FlowConst, f: impl FnOnce(&mut Pair, bool)) {
        let (a, b) = ends(flow);
        if a.is_none() || b.is_none() {
            return;
        }
        let (key, low) = if a <= b { ((a, b), true) } else { ((b, a), false) };
        if let Some(pair) = self.pairs.get_mut(&key) {
            return f(pair, low);
        }
        let mut pair = Pair::default();
        f(&mut pair, low);
        if self.pairs.insert(key, pair).is_some() {
            self.hits.hit(Limit::DetectorSources);
        }
    }

    /// When the capture began, by the first tick.
    pub(crate) fn began(&self) -> Option<Ts> {
        self.first
    }

    /// Whether the feed fell silent in a stretch of time, or shortly before it, or lost frames in it; or packet time has not come to its end,
    /// since the first frames after a long pause come before the tick that tells of it.
    pub(crate) fn was_silent(&self, from: Ts, to: Ts) -> bool {
        self.last_tick.is_some_and(|t| to > t.plus(AHEAD) || to >= t && self.is_silent())
            || self.silences.iter().any(|(a, b)| *a <= to && b.plus(RECOVERY) >= from)
            || self.losses.iter().any(|(a, b)| *a <= to && *b >= from)
    }

    /// What was seen of two devices in a stretch of time. Without IP, MACs stand padded.
    pub(crate) fn quality(&self, a: Addr, b: Addr, from: Ts, to: Ts) -> Quality {
        let pair = self.pairs.get(&(a.min(b), a.max(b))).copied().unwrap_or_default();
        Quality {
            gaps: pair.gap.is_some_and(|g| g >= from && g <= to),
            one_direction: pair.heard.iter().filter(|h| h.is_some()).count() == 1,
            feed_silent: self.was_silent(from, to),
            before_first: self.first.is_none_or(|f| from < f),
        }
    }
}

/// Originator and responder; MACs stand padded where there is no IP.
fn ends(flow: &FlowConst) -> (Addr, Addr) {
    if flow.src.is_none() { (flow.src_mac.padded(), flow.dst_mac.padded()) } else { (flow.src, flow.dst) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gwcore::{FlowRef, Key};

    const A: Addr = Addr([1; 16]);
    const B: Addr = Addr([2; 16]);

    fn tell(o: &mut Observation, second: i64, reversed: bool, body: Body) {
        let flow = FlowConst { src: A, dst: B, ..FlowConst::default() };
        let fact =
            Fact { key: Key::default(), ts: Ts(second * SECOND), frame: 1, flow: FlowRef(u32::from(reversed)), body };
        o.fact(&fact, &flow);
    }

    fn quality(o: &Observation, from: i64, to: i64) -> Quality {
        o.quality(B, A, Ts(from * SECOND), Ts(to * SECOND))
    }

    #[test]
    fn a_minute_without_frames_is_silence_in_a_busy_feed_only() {
        let silent = |step: i64| {
            let mut o = Observation::new(&Limits::default());
            (0..1_000).for_each(|i| tell(&mut o, i * step, false, Body::Tick { frames: 1 }));
            tell(&mut o, 999 * step + 60, false, Body::Tick { frames: 1 });
            o.was_silent(Ts(999 * step * SECOND), Ts((999 * step + 60) * SECOND))
        };
        assert!(silent(1));
        let mut o = Observation::new(&Limits::default());
        (0..100).for_each(|s| tell(&mut o, s, false, Body::Tick { frames: 1 }));
        let ahead = |to: i64| o.was_silent(Ts(99 * SECOND), Ts(to * SECOND));
        assert!(!ahead(159) && ahead(160), "the first frames after a pause come before its tick");
        assert!(!silent(30), "a feed that speaks twice a minute");
    }

    #[test]
    fn ticks_without_frames_are_silence_until_frames_are_counted_again() {
        let mut o = Observation::new(&Limits::default());
        (0..100).for_each(|s| tell(&mut o, s, false, Body::Tick { frames: 3 }));
        let silent = |o: &Observation, at: i64| o.was_silent(Ts(at * SECOND), Ts(at * SECOND));
        (100..110).for_each(|s| tell(&mut o, s, false, Body::Tick { frames: 0 }));
        assert!(!silent(&o, 109), "ten times the usual pause");
        tell(&mut o, 110, false, Body::Tick { frames: 0 });
        assert!(silent(&o, 110) && silent(&o, 99) && !silent(&o, 98));
        // A frame comes: the tick before it counts none yet.
        tell(&mut o, 160, false, Body::Tick { frames: 0 });
        assert!(silent(&o, 160));
        (161..=300).for_each(|s| tell(&mut o, s, false, Body::Tick { frames: 3 }));
        assert!(silent(&o, 162) && silent(&o, 221) && !silent(&o, 222) && !silent(&o, 300));
    }

    #[test]
    fn frames_that_the_capture_lost_are_not_missed() {
        let lossy = |lost, seen| {
            let mut o = Observation::new(&Limits::default());
            (0..100).for_each(|s| tell(&mut o, s, false, Body::Tick { frames: 10 }));
            tell(&mut o, 60, false, Body::Loss { from: Ts(50 * SECOND), lost, seen });
            [(40, 49), (45, 50), (55, 57), (60, 70), (61, 70)]
                .map(|(a, b)| o.was_silent(Ts(a * SECOND), Ts(b * SECOND)))
        };
        assert_eq!(lossy(2, 199), [false, true, true, true, false]);
        assert_eq!(lossy(2, 200), [false; 5], "one in a hundred");
        let mut o = Observation::new(&Limits::default());
        for s in 0..1_000 {
            tell(&mut o, s * 10 + 1, false, Body::Loss { from: Ts(s * 10 * SECOND), lost: 1, seen: 1 });
        }
        assert_eq!(o.losses.len(), LOSSES);
        for s in 0..1_000 {
            tell(&mut o, 20_000 + s, false, Body::Loss { from: Ts((19_999 + s) * SECOND), lost: 1, seen: 1 });
        }
        assert_eq!(o.losses.back(), Some(&(Ts(19_999 * SECOND), Ts(20_999 * SECOND))), "one stretch");
    }

    #[test]
    fn gaps_directions_and_edges_are_told() {
        let mut o = Observation::new(&Limits::default());
        tell(&mut o, 100, false, Body::Tick { frames: 0 });
        tell(&mut o, 101, false, Body::FlowStart);
        assert!(quality(&o, 100, 101).one_direction);
        tell(&mut o, 102, true, Body::Role("outstation"));
        assert!(quality(&o, 100, 102).is_whole());
        assert!(quality(&o, 99, 102).before_first);
        tell(&mut o, 103, true, Body::Gap { missing: 10 });
        assert!(quality(&o, 102, 104).gaps && !quality(&o, 104, 105).gaps);
        tell(&mut o, 50, false, Body::TimeBreak { back: 1 });
        (51..=112).for_each(|s| tell(&mut o, s, false, Body::Tick { frames: 1 }));
        assert!(quality(&o, 50, 60).feed_silent && !quality(&o, 111, 112).feed_silent);
    }
}
