//! Kinds of facts as a set: what a reader of facts asks for, so that it is not called with the rest.

use std::ops::BitOr;

use crate::{Body, OpClass};

/// A set of kinds of facts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FactKinds(u32);

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $bit:literal,)+) => {
        impl FactKinds {
            $($(#[$doc])* pub const $name: FactKinds = FactKinds(1 << $bit);)+
            /// Number of kinds.
            pub const COUNT: usize = [$($bit),+].len();
            /// Every kind.
            pub const ALL: FactKinds = FactKinds((1 << FactKinds::COUNT) - 1);
        }
    };
}

kinds! {
    /// `Body::FlowStart`.
    FLOW_START = 0,
    /// `Body::FlowEnd`.
    FLOW_END = 1,
    /// `Body::Service`.
    SERVICE = 2,
    /// `Body::Name`.
    NAME = 3,
    /// `Body::Identity`.
    IDENTITY = 4,
    /// `Body::Claim`.
    CLAIM = 5,
    /// `Body::Asked`.
    ASKED = 6,
    /// `Body::Role`.
    ROLE = 7,
    /// `Body::Op` that asks for values.
    READ = 8,
    /// `Body::Op` that asks for anything else.
    REQUEST = 9,
    /// `Body::Op` that answers.
    ANSWER = 10,
    /// `Body::Sample` that a device reports.
    SAMPLE = 11,
    /// `Body::Sample` that is written to a device.
    WRITTEN = 12,
    /// `Body::ClockSet`.
    CLOCK_SET = 13,
    /// `Body::Reported`.
    REPORTED = 14,
    /// `Body::Alive`.
    ALIVE = 15,
    /// `Body::Broadcast`.
    BROADCAST = 16,
    /// `Body::Anomaly`.
    ANOMALY = 17,
    /// `Body::Tick`.
    TICK = 18,
    /// `Body::TimeBreak`.
    TIME_BREAK = 19,
    /// `Body::Loss`.
    LOSS = 20,
    /// `Body::Gap`.
    GAP = 21,
    /// `Body::Published`.
    PUBLISHED = 22,
    /// `Body::Stated`.
    STATED = 23,
    /// `Body::Fingerprint`.
    FINGERPRINT = 24,
    /// `Body::Login`.
    LOGIN = 25,
    /// `Body::Altered`.
    ALTERED = 26,
    /// `Body::Unread`.
    UNREAD = 27,
    /// `Body::Content`.
    CONTENT = 28,
}

impl FactKinds {
    /// No kind.
    pub const NONE: FactKinds = FactKinds(0);
    /// `Body::Op` that asks for something.
    pub const ASKS: FactKinds = FactKinds(Self::READ.0 | Self::REQUEST.0);

    /// The set, or none of it.
    pub const fn only_if(self, condition: bool) -> FactKinds {
        if condition { self } else { Self::NONE }
    }

    /// Numbers of its members, each below `COUNT`.
    pub fn members(self) -> impl Iterator<Item = usize> {
        (0..Self::COUNT).filter(move |n| self.0 >> n & 1 == 1)
    }

    /// Number of the first member, `COUNT` for the empty set.
    pub const fn index(self) -> usize {
        if self.0 == 0 { Self::COUNT } else { self.0.trailing_zeros() as usize }
    }
}

impl BitOr for FactKinds {
    type Output = FactKinds;

    fn bitor(self, other: FactKinds) -> FactKinds {
        FactKinds(self.0 | other.0)
    }
}

impl Body {
    /// The one kind it is of.
    pub fn kind(&self) -> FactKinds {
        match self {
            Body::FlowStart => FactKinds::FLOW_START,
            Body::FlowEnd { .. } => FactKinds::FLOW_END,
            Body::Service { .. } => FactKinds::SERVICE,
            Body::Name { .. } => FactKinds::NAME,
            Body::Identity { .. } => FactKinds::IDENTITY,
            Body::Claim { .. } => FactKinds::CLAIM,
            Body::Asked { .. } => FactKinds::ASKED,
            Body::Role(_) => FactKinds::ROLE,
            Body::Op(op) if op.is_answer => FactKinds::ANSWER,
            Body::Op(op) if op.class == OpClass::Read => FactKinds::READ,
            Body::Op(_) => FactKinds::REQUEST,
            Body::Sample(s) if s.write => FactKinds::WRITTEN,
            Body::Sample(_) => FactKinds::SAMPLE,
            Body::ClockSet { .. } => FactKinds::CLOCK_SET,
            Body::Reported { .. } => FactKinds::REPORTED,
            Body::Alive { .. } => FactKinds::ALIVE,
            Body::Broadcast { .. } => FactKinds::BROADCAST,
            Body::Anomaly { .. } => FactKinds::ANOMALY,
            Body::Tick { .. } => FactKinds::TICK,
            Body::TimeBreak { .. } => FactKinds::TIME_BREAK,
            Body::Loss { .. } => FactKinds::LOSS,
            Body::Gap { .. } => FactKinds::GAP,
            Body::Published(_) => FactKinds::PUBLISHED,
            Body::Stated { .. } => FactKinds::STATED,
            Body::Fingerprint { .. } => FactKinds::FINGERPRINT,
            Body::Login { .. } => FactKinds::LOGIN,
            Body::Altered { .. } => FactKinds::ALTERED,
            Body::Unread => FactKinds::UNREAD,
            Body::Content { .. } => FactKinds::CONTENT,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Ts;

    #[test]
    fn each_kind_has_its_own_number() {
        let kinds = [
            Body::FlowStart.kind(),
            Body::Asked { addr: crate::Addr::NONE }.kind(),
            Body::Tick { frames: 1 }.kind(),
            Body::TimeBreak { back: 1 }.kind(),
            Body::Reported { proto: "iec104", unit: 1 }.kind(),
            Body::ClockSet { proto: "dnp3", unit: 1, time: Ts(0), summer: false }.kind(),
        ];
        let mut numbers: Vec<usize> = kinds.iter().map(|k| k.index()).collect();
        assert!(kinds.iter().all(|k| k.members().eq([k.index()])));
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), kinds.len());
        assert_eq!(FactKinds::ALL.members().count(), FactKinds::COUNT);
    }

    #[test]
    fn a_set_holds_what_was_put_in_and_nothing_else() {
        let set = FactKinds::ASKS | FactKinds::TICK;
        let of = [FactKinds::READ, FactKinds::REQUEST, FactKinds::TICK].map(FactKinds::index);
        assert!(set.members().eq(of));
        assert_eq!(set.only_if(false), FactKinds::NONE);
        assert_eq!(FactKinds::NONE.index(), FactKinds::COUNT);
    }
}
