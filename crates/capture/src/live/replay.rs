//! Captures at the pace of their times, as if their interfaces were live.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use gwcore::time::{MILLI, SECOND};
use gwcore::{Limits, Ts};

use super::{Event, Second, Totals, now};
use crate::filter::Filter;
use crate::find::Inputs;
use crate::frame::Frame;
use crate::merge::Merge;
use crate::report::Loss;

/// Longest that [`Replay::next`] blocks, in nanoseconds.
const BLOCKS: i64 = 50 * MILLI;
/// A pause in the captures is waited for tick by tick up to this long, in nanoseconds; a longer one is passed over at once.
const LONGEST_PAUSE: i64 = 600 * SECOND;

/// Frames of captures, each given when its time has come.
pub struct Replay {
    merge: Merge,
    /// Packet time that passes in a second of the machine's; 0 for as fast as it goes.
    speed: f64,
    /// Whether times are moved so that the first frame is of this moment.
    moved: bool,
    /// When the first frame was given, and its time.
    start: Option<(Instant, Ts)>,
    /// Added to every time.
    shift: i64,
    /// Whether the frame that the merge lends waits for its time.
    waits: bool,
    seconds: VecDeque<Second>,
    by_interface: Vec<Second>,
    told: Ts,
    ending: bool,
    ended: bool,
    totals: Totals,
    filter: Option<Filter>,
}

impl Replay {
    /// Replays `inputs` at `speed` times their pace, 0 for as fast as it goes; with `moved` their times become those of today.
    pub fn open(inputs: &Inputs, limits: &Limits, speed: f64, moved: bool) -> Replay {
        Replay {
            merge: Merge::open(inputs, limits),
            speed: if speed.is_finite() { speed.max(0.0) } else { 0.0 },
            moved,
            start: None,
            shift: 0,
            waits: false,
            seconds: VecDeque::new(),
            by_interface: Vec::new(),
            told: Ts(i64::MIN),
            ending: false,
            ended: false,
            totals: Totals::default(),
            filter: None,
        }
    }

    /// Gives only frames that pass.
    pub fn filter(&mut self, filter: Option<Filter>) {
        self.filter = filter;
    }

    /// The interfaces that the captures name.
    pub fn interfaces(&self) -> &[String] {
        self.merge.interfaces()
    }

    /// What was read so far.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// Losses that the captures tell of since the last call.
    pub fn losses(&mut self) -> Vec<Loss> {
        self.merge.losses()
    }

    /// Gives no further frame.
    pub fn end(&mut self) {
        self.ending = true;
    }

    /// The next event; none when everything was given.
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot lend")]
    pub fn next(&mut self) -> Option<Event<'_>> {
        if let Some(second) = self.seconds.pop_front() {
            return Some(Event::Second(second));
        }
        if self.ended {
            return None;
        }
        if self.ending || !self.advance() {
            self.ended = true;
            let at = self.told.plus(SECOND);
            if self.told.0 > i64::MIN {
                self.tick(at);
            }
            return self.seconds.pop_front().map(Event::Second);
        }
        let ts = self.merge.again()?.ts;
        let (began, first) = *self.start.get_or_insert_with(|| (Instant::now(), ts));
        if self.told.0 == i64::MIN {
            self.shift = if self.moved { now().since(ts) } else { 0 };
            self.told = Ts(ts.plus(self.shift).0.div_euclid(SECOND) * SECOND);
        }
        if self.speed > 0.0 {
            let due = (ts.since(first) as f64 / self.speed) as i64;
            let passed = i64::try_from(began.elapsed().as_nanos()).unwrap_or(i64::MAX);
            if due > passed {
                return Some(self.wait(due - passed, first, passed));
            }
        }
        let at = ts.plus(self.shift);
        if at.since(self.told) >= SECOND && at.since(self.told) < LONGEST_PAUSE {
            let at = self.told.plus(SECOND);
            self.tick(at);
            return self.seconds.pop_front().map(Event::Second).or(Some(Event::Idle));
        }
        if at.since(self.told) >= LONGEST_PAUSE {
            self.told = Ts(at.0.div_euclid(SECOND) * SECOND);
        }
        self.waits = false;
        self.give()
    }

    /// Moves to the next frame that passes, unless one waits; false at the end.
    fn advance(&mut self) -> bool {
        while !self.waits {
            let Some(frame) = self.merge.next() else { return false };
            self.waits = self.filter.as_ref().is_none_or(|f| f.passes(&frame));
            if !self.waits {
                self.totals.received += 1;
                self.totals.filtered += 1;
            }
        }
        true
    }

    /// Waits a little for a frame whose time is `left` nanoseconds away, and ticks by the time reached.
    fn wait(&mut self, left: i64, first: Ts, passed: i64) -> Event<'_> {
        let reached = first.plus((passed as f64 * self.speed) as i64).plus(self.shift);
        if reached.since(self.told) >= SECOND {
            let at = self.told.plus(SECOND);
            self.tick(at);
            if let Some(second) = self.seconds.pop_front() {
                return Event::Second(second);
            }
        }
        std::thread::sleep(Duration::from_nanos(left.clamp(1, BLOCKS) as u64));
        Event::Idle
    }

    fn give(&mut self) -> Option<Event<'_>> {
        let shift = self.shift;
        let frame = self.merge.again()?;
        let interface = frame.interface as usize;
        if self.by_interface.len() <= interface {
            self.by_interface.resize_with(interface + 1, Second::default);
        }
        if let Some(second) = self.by_interface.get_mut(interface) {
            second.frames += 1;
            second.bytes += u64::from(frame.wire_len);
        }
        self.totals.given += 1;
        self.totals.received += 1;
        let name = self.merge.interfaces().get(interface).map_or("", String::as_str);
        Some(Event::Frame(Frame { ts: frame.ts.plus(shift), file: 0, number: 0, ..frame }, name))
    }

    fn tick(&mut self, at: Ts) {
        for (n, second) in self.by_interface.iter_mut().enumerate() {
            let told = std::mem::take(second);
            let interface = n as u32;
            self.seconds.push_back(Second { now: at, since: self.told, interface, up: true, ..told });
        }
        self.told = at;
    }
}
