//! TCP timestamps of one end (RFC 7323): which values it sent, so that what cannot come from it, or answer it, is told.

/// How far past the last value seen an echo may lie: a repeated SYN that the capture lost (17 minutes at a tick a millisecond).
const LOST: u32 = 1 << 20;

/// The values that one end sent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stamps {
    /// That of its first SYN.
    first: u32,
    /// That of its latest segment up to what its peer acknowledged (TS.Recent of the peer, RFC 7323 §4.3).
    recent: u32,
    /// Whether its SYN carried the option.
    known: bool,
}

impl Stamps {
    /// The end sent this value, in a SYN or not; `acked`: its peer had acknowledged everything before the segment.
    #[inline]
    pub(crate) fn sent(&mut self, value: u32, syn: bool, acked: bool) {
        if syn && !self.known {
            *self = Stamps { first: value, recent: value, known: true };
        } else if acked && !before(value, self.recent) {
            self.recent = value;
        }
    }

    /// Whether an answer to the SYN can echo this value. An echo of zero says nothing, and some ends send a SYN with zero.
    pub(crate) fn may_be_echoed(&self, echo: u32) -> bool {
        let sent = self.recent.wrapping_sub(self.first).saturating_add(LOST);
        echo == 0 || (self.known && (self.first == 0 || echo.wrapping_sub(self.first) <= sent))
    }

    /// Whether a receiver leaves a segment with this value alone: it is older than what it already took in (RFC 7323 §5.3, R1).
    pub(crate) fn is_old(&self, value: u32) -> bool {
        self.known && before(value, self.recent)
    }
}

/// Whether `a` lies before `b` (RFC 7323 §5.2).
fn before(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echo_is_one_of_the_values_sent() {
        let check = |syns: &[u32], echo, may| {
            let mut s = Stamps::default();
            syns.iter().for_each(|v| s.sent(*v, true, true));
            assert_eq!(s.may_be_echoed(echo), may, "{syns:?} {echo}");
        };
        check(&[1_000], 1_000, true);
        check(&[1_000], 999, false);
        check(&[1_000], 0, true);
        check(&[1_000], 1_000 + LOST, true);
        check(&[1_000], 1_001 + LOST, false);
        check(&[1_000, 4_000], 4_000 + LOST, true);
        check(&[u32::MAX], 0x10, true);
        check(&[u32::MAX], u32::MAX - 1, false);
        check(&[0], 5_000_000, true);
        check(&[], 7, false);
        check(&[], 0, true);
    }

    #[test]
    fn old_is_before_what_was_acknowledged() {
        let mut s = Stamps::default();
        assert!(!s.is_old(1));
        s.sent(u32::MAX - 1, true, true);
        assert!(s.is_old(u32::MAX - 2) && !s.is_old(u32::MAX - 1) && !s.is_old(3));
        s.sent(5, false, false);
        assert!(!s.is_old(u32::MAX - 1), "not yet acknowledged");
        s.sent(5, false, true);
        assert!(s.is_old(4) && s.is_old(u32::MAX) && !s.is_old(5));
        s.sent(2, false, true);
        assert!(s.is_old(4), "a segment that came late takes nothing back");
    }
}
