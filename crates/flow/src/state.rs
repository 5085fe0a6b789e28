//! The states of the two ends of a TCP session as Zeek keeps them, and what follows from them.

use crate::Options;

/// State of one end (Zeek's `TCP_INACTIVE` …).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum State {
    /// It has not sent anything.
    #[default]
    Inactive,
    /// It sent a SYN.
    SynSent,
    /// It was first seen in mid-stream.
    Partial,
    /// The handshake was seen.
    Established,
    /// It sent a FIN.
    Closed,
    /// It sent a RST.
    Reset,
}

/// Both ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct States {
    pub orig: State,
    pub resp: State,
}

impl States {
    /// Whether nothing more is to come.
    pub(crate) fn are_over(self) -> bool {
        match (self.orig, self.resp) {
            (State::Reset, _) | (_, State::Reset) => true,
            ends => ends == (State::Closed, State::Closed),
        }
    }

    /// Whether one asked and the other never answered.
    pub(crate) fn are_attempt(self) -> bool {
        matches!((self.orig, self.resp), (State::SynSent, State::Inactive) | (State::Inactive, State::SynSent))
    }

    /// Whether both sides have ended, each with a FIN or a RST: what follows belongs to the end, the last ACK too.
    #[inline]
    pub(crate) fn have_both_ended(self) -> bool {
        let ended = |s| matches!(s, State::Closed | State::Reset);
        ended(self.orig) && ended(self.resp)
    }

    /// How long the session is kept after its last packet, and how its end is called then; `ending` is Zeek's full close.
    #[inline]
    pub(crate) fn timeout(self, o: &Options, is_ot: bool, ending: bool) -> (i64, &'static str) {
        match (self.orig, self.resp) {
            (State::Reset, _) | (_, State::Reset) => (o.tcp_close_delay, "reset"),
            _ if ending => (o.tcp_close_delay, "closed"),
            (State::SynSent, State::Inactive) | (State::Inactive, State::SynSent) => (o.tcp_attempt_delay, "attempt"),
            _ if is_ot => (o.ot_inactivity_timeout, "inactive"),
            _ => (o.tcp_inactivity_timeout, "inactive"),
        }
    }

    /// Zeek's `conn_state` (base/protocols/conn/main.zeek); `empty` when neither side sent payload.
    pub(crate) fn conn_state(self, empty: bool) -> &'static str {
        use State::*;
        let quiet = |s| matches!(s, Inactive | Partial);
        let (o, r) = (self.orig, self.resp);
        match (o, r) {
            (SynSent, Reset) => "REJ",
            (Reset, Reset) if empty => "REJ",
            (_, Reset) if quiet(o) => "RSTRH",
            (_, Reset) => "RSTR",
            (Reset, _) if quiet(r) => "RSTOS0",
            (Reset, _) => "RSTO",
            (Closed, Closed) => "SF",
            (Closed, _) if quiet(r) => "SH",
            (Closed, _) => "S2",
            (_, Closed) if quiet(o) => "SHR",
            (_, Closed) => "S3",
            (SynSent, Inactive) => "S0",
            (Established, Established) => "S1",
            _ => "OTH",
        }
    }
}
