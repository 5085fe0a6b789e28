//! How whole the capture is: pauses of the whole feed, and bytes of streams that were sent but are not in it.

use gwcore::Ts;
use gwcore::time::MINUTE;

/// A pause of the whole feed that is told.
const PAUSE: i64 = MINUTE;
/// Pauses kept, the first ones; further ones are counted.
const PAUSES: usize = 20;

/// What is missing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Feed {
    /// Times at which bytes of a stream were missing.
    pub gaps: u64,
    /// Bytes that were missing.
    pub missing: u64,
    /// The first pauses of a minute or longer, to the second.
    pub pauses: Vec<(Ts, Ts)>,
    /// All of them.
    pub paused: u64,
    /// Time without a packet in all of them, in nanoseconds.
    pub silent: i64,
    last: Option<Ts>,
}

impl Feed {
    /// A second with packets began.
    pub(crate) fn tick(&mut self, now: Ts) {
        if let Some(last) = self.last.filter(|last| now.since(*last) >= PAUSE) {
            self.paused += 1;
            self.silent = self.silent.saturating_add(now.since(last));
            if self.pauses.len() < PAUSES {
                self.pauses.push((last, now));
            }
        }
        self.last = Some(now);
    }

    /// Packet time went back.
    pub(crate) fn back(&mut self, now: Ts) {
        self.last = Some(now);
    }

    /// Bytes of a stream are not in the capture.
    pub(crate) fn gap(&mut self, missing: u64) {
        self.gaps += 1;
        self.missing = self.missing.saturating_add(missing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gwcore::time::SECOND;

    #[test]
    fn a_pause_of_a_minute_is_told_and_a_shorter_one_is_not() {
        let mut feed = Feed::default();
        [0, 59, 118, 178, 1_000].iter().for_each(|s| feed.tick(Ts(s * SECOND)));
        assert_eq!(feed.pauses, [(Ts(118 * SECOND), Ts(178 * SECOND)), (Ts(178 * SECOND), Ts(1_000 * SECOND))]);
        assert_eq!((feed.paused, feed.silent), (2, 882 * SECOND));
        feed.back(Ts(0));
        feed.tick(Ts(SECOND));
        assert_eq!(feed.paused, 2);
        (0..100).for_each(|i| feed.tick(Ts(i * 100 * SECOND)));
        assert_eq!((feed.pauses.len(), feed.paused), (PAUSES, 101));
    }
}
