//! Packet time of the whole input: `now` never goes back by itself, and one wild timestamp moves nothing.
//!
//! A frame more than 60 s from `now` keeps its own time but moves nothing until eight frames in a row agree, each within 60 s of, or later
//! than, the one before. Then time moves forward (timers run) or back (a `time_break` record; timers are shifted by the step).

use gwcore::Ts;
use gwcore::time::SECOND;

gwcore::record! {
    /// Packet time went back and stayed there.
    pub struct TimeBreak, TimeBreakColumns = "time_break", Event {
        /// Packet time before the break.
        before: Ts,
        /// Packet time after it.
        after: Ts,
        /// How far it went back.
        step: Span ["s"],
    }
}
use gwcore::Span;

/// Frames further than this from `now` must be confirmed, in nanoseconds.
const STRAY: i64 = 60 * SECOND;
/// Frames in a row that confirm a jump.
const CONFIRM: usize = 8;

/// What a frame did to packet time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// Nothing that timers need to know: less than a second since the last tick, or a stray frame.
    No,
    /// A tick is due: timers run up to this time before the frame is looked at.
    Tick(Ts),
    /// Time went back by this many nanoseconds.
    Back {
        /// `now` before.
        before: Ts,
        /// `now` after.
        after: Ts,
    },
}

/// Packet time. One tick a second of packet time, whether or not any timer is due.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    now: Option<Ts>,
    ticked: i64,
    strays: usize,
    last_stray: Ts,
}

impl Clock {
    /// The time reached.
    pub fn now(&self) -> Ts {
        self.now.unwrap_or_default()
    }

    /// Takes note of the next frame's time.
    pub fn frame(&mut self, ts: Ts) -> Moved {
        let Some(now) = self.now else {
            self.now = Some(ts);
            self.ticked = ts.0.div_euclid(SECOND);
            return Moved::Tick(ts);
        };
        let ahead = ts.since(now);
        if ahead.saturating_abs() <= STRAY {
            self.strays = 0;
            return if ahead > 0 { self.forward(ts) } else { Moved::No };
        }
        let agrees = self.strays > 0
            && (ts >= self.last_stray || self.last_stray.since(ts) <= STRAY)
            && (ahead > 0) == (self.last_stray > now);
        self.strays = if agrees { self.strays + 1 } else { 1 };
        self.last_stray = ts;
        if self.strays < CONFIRM {
            return Moved::No;
        }
        self.strays = 0;
        if ahead > 0 {
            return self.forward(ts);
        }
        self.now = Some(ts);
        self.ticked = ts.0.div_euclid(SECOND);
        Moved::Back { before: now, after: ts }
    }

    /// Takes note of the time that a live interface tells. It needs no confirmation to go on; back it goes as frames do.
    pub fn tick(&mut self, ts: Ts) -> Moved {
        match self.now {
            Some(now) if ts > now => {
                self.strays = 0;
                self.forward(ts)
            }
            _ => self.frame(ts),
        }
    }

    fn forward(&mut self, ts: Ts) -> Moved {
        self.now = Some(ts);
        let second = ts.0.div_euclid(SECOND);
        if second == self.ticked {
            return Moved::No;
        }
        self.ticked = second;
        Moved::Tick(ts)
    }

    /// The end of the input: a stray run that was not yet confirmed counts when it leads forward.
    pub fn end(&mut self) -> Ts {
        if self.strays > 0 && self.last_stray > self.now() && self.strays > 1 {
            self.now = Some(self.last_stray);
        }
        self.now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(seconds: &[i64]) -> Vec<Moved> {
        let mut clock = Clock::default();
        seconds.iter().map(|s| clock.frame(Ts(s * SECOND))).collect()
    }

    #[test]
    fn one_wild_frame_moves_nothing_and_eight_do() {
        let t = |s: i64| Moved::Tick(Ts(s * SECOND));
        assert_eq!(run(&[100, 9_999, 101]), [t(100), Moved::No, t(101)]);
        let mut jump = vec![100];
        jump.extend([5_000; 8]);
        let moved = run(&jump);
        assert!(moved[1..8].iter().all(|m| *m == Moved::No));
        assert_eq!(moved[8], t(5_000));
    }

    #[test]
    fn going_back_needs_eight_that_agree() {
        let mut back = vec![1_000];
        back.extend(100..107);
        back.push(1_001);
        back.extend(100..108);
        let moved = run(&back);
        assert!(moved[1..8].iter().all(|m| *m == Moved::No));
        assert_eq!(moved[8], Moved::Tick(Ts(1_001 * SECOND)));
        assert_eq!(moved.last(), Some(&Moved::Back { before: Ts(1_001 * SECOND), after: Ts(107 * SECOND) }));
    }

    #[test]
    fn a_late_frame_within_a_minute_moves_nothing() {
        assert_eq!(run(&[100, 70, 100]), [Moved::Tick(Ts(100 * SECOND)), Moved::No, Moved::No]);
    }
}
