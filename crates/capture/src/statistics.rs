//! What an interface lost: counters that capture programs write beside the frames, turned into stretches of time.

use gwcore::Ts;

use crate::report::Loss;

/// Counters of an interface since capturing began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Statistics {
    /// When they were read.
    pub(crate) at: Ts,
    /// Frames lost by the interface.
    pub(crate) interface: u64,
    /// Frames lost by the operating system.
    pub(crate) system: u64,
}

impl Statistics {
    fn sum(&self) -> u64 {
        self.interface.saturating_add(self.system)
    }
}

/// The account of one interface.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Losses {
    /// The counters before.
    before: Statistics,
    /// The last frame.
    last: Option<Ts>,
    /// The last moment at which counters were read, else the first frame.
    since: Option<Ts>,
    /// Frames since then.
    seen: u64,
    /// Losses that packet blocks told of since then.
    told: u64,
}

impl Losses {
    /// The next frame, before which the capture says that `dropped` were lost.
    #[inline]
    pub(crate) fn frame(&mut self, ts: Ts, dropped: u64) -> Option<Loss> {
        self.seen += 1;
        self.since = self.since.or(Some(ts));
        let from = self.last.replace(ts).unwrap_or(ts).min(ts);
        if dropped == 0 {
            return None;
        }
        self.told = self.told.saturating_add(dropped);
        Some(Loss { from, to: ts, lost: dropped, seen: 1 })
    }

    /// Counters read now: what they grew by, and the stretch in which frames were lost that no packet block told of.
    pub(crate) fn statistics(&mut self, now: Statistics) -> (Statistics, Option<Loss>) {
        // Counters that fell began anew.
        let grown = |now: u64, before: u64| now.checked_sub(before).unwrap_or(now);
        let interface = grown(now.interface, self.before.interface);
        let new = Statistics { at: now.at, interface, system: grown(now.system, self.before.system) };
        let lost = new.sum().saturating_sub(self.told);
        let from = self.since.unwrap_or(now.at).min(now.at);
        let loss = (lost > 0).then_some(Loss { from, to: now.at, lost, seen: self.seen });
        *self = Losses { before: now, last: self.last, since: Some(now.at), seen: 0, told: 0 };
        (new, loss)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(losses: &mut Losses, at: i64, interface: u64, system: u64) -> (u64, Option<Loss>) {
        let (new, loss) = losses.statistics(Statistics { at: Ts(at), interface, system });
        (new.sum(), loss)
    }

    #[test]
    fn counters_tell_of_the_stretch_since_they_were_read_before() {
        let mut l = Losses::default();
        assert_eq!((l.frame(Ts(10), 0), l.frame(Ts(20), 0)), (None, None));
        let loss = |from, to, lost, seen| Some(Loss { from: Ts(from), to: Ts(to), lost, seen });
        assert_eq!(read(&mut l, 30, 2, 3), (5, loss(10, 30, 5, 2)));
        assert_eq!(read(&mut l, 40, 2, 3), (0, None), "they did not grow");
        l.frame(Ts(50), 0);
        assert_eq!(read(&mut l, 60, 1, 0), (1, loss(40, 60, 1, 1)), "they began anew");
    }

    #[test]
    fn what_packet_blocks_told_is_not_told_again() {
        let mut l = Losses::default();
        l.frame(Ts(10), 0);
        assert_eq!(l.frame(Ts(20), 4), Some(Loss { from: Ts(10), to: Ts(20), lost: 4, seen: 1 }));
        assert_eq!(read(&mut l, 30, 4, 0), (4, None));
        assert_eq!(l.frame(Ts(5), 1), Some(Loss { from: Ts(5), to: Ts(5), lost: 1, seen: 1 }), "times may go back");
        assert_eq!(read(&mut l, 40, 7, 0).1, Some(Loss { from: Ts(30), to: Ts(40), lost: 2, seen: 1 }));
    }
}
