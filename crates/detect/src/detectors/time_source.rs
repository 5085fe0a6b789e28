//! Another source of time: a PTP grandmaster beside the one at work, an NTP server beside another, a clock that jumps.

use gwcore::time::{MINUTE, SECOND};
use gwcore::{AgedTable, Body, Fact, FactKinds, FlowConst, InPacket, Limit, LimitHits, Severity, Ts};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::fold::{Sighting, ends, evidence};

pub(super) static META: Meta = Meta {
    id: "time-source",
    number: 26,
    finds: "The PTP grandmaster changed, two of them were at work at once, or the clock that is given out jumped.",
    innocent: "A grandmaster that lost its antenna or its network, a clock set by hand, a leap second handled badly.",
    call: "the owner of the station clock; relays and recorders stamp events by it",
    attack: &["T0830"],
    needs: "PTP or NTP on the captured segment",
    severity: Severity::Low,
};

/// A grandmaster named again within this time after another one was: two at once, not a succession (announce messages come each second).
const AT_ONCE: i64 = MINUTE;
/// Step of the time given out against that of the capture, in seconds: no network delay and no drift between two messages reaches it.
const JUMP: f64 = 1.0;
/// Messages further apart may have drifted.
const CLOSE: i64 = 10 * MINUTE;

/// The grandmaster named by each sender's domain, and the offset by sender.
pub(super) struct TimeSource {
    masters: AgedTable<(u16, &'static str), ((Box<str>, Ts), Option<(Box<str>, Ts)>)>,
    offsets: AgedTable<(gwcore::Mac, gwcore::Addr, u32, u32), (f64, Ts)>,
    hits: LimitHits,
}

impl TimeSource {
    pub(super) fn new(setup: &Setup) -> Self {
        let limit = setup.limits.get(Limit::DetectorSources);
        let masters = AgedTable::new(Limit::DetectorSources, limit);
        TimeSource { masters, offsets: AgedTable::new(Limit::DetectorSources, limit), hits: LimitHits::default() }
    }

    fn grandmaster(&mut self, fact: &Fact, flow: &FlowConst, value: &str, look: &mut Look<'_>) {
        let key = (flow.vlans[0], "ptp");
        let Some((last, before)) = self.masters.get_mut(&key) else {
            if self.masters.insert(key, ((value.into(), fact.ts), None)).is_some() {
                self.hits.hit(Limit::DetectorSources);
            }
            return;
        };
        if *last.0 == *value {
            last.1 = fact.ts;
            return;
        }
        let again = before.as_ref().is_some_and(|b| *b.0 == *value && fact.ts.since(b.1) <= AT_ONCE);
        let old = std::mem::replace(last, (value.into(), fact.ts));
        let expected = old.0.clone();
        *before = Some(old);
        let (kind, severity, said) = if again {
            ("two", Severity::Medium, "two PTP grandmasters are at work at once")
        } else {
            ("changed", Severity::Low, "the PTP grandmaster changed")
        };
        let (src, _) = ends(fact, flow);
        look.see(&Sighting {
            dedup_key: format!("{kind}:{}", src.name()),
            severity,
            attack: &["T0830"],
            proto: "ptp",
            words: &|site| {
                let why = format!(
                    "{} names {value} as the source of time, where {expected} was named before: {said}.",
                    site.name(&src)
                );
                let identity = |v: &str| v.split(' ').next().unwrap_or_default().to_owned();
                let named = InPacket::new("ptp.grandmaster", identity(value), [identity(&expected)]);
                (format!("{value}: {said}"), why, evidence(value.to_owned(), Some(&expected), None).naming(named))
            },
            ..Sighting::of(&META, fact, flow)
        });
    }

    fn offset(&mut self, fact: &Fact, flow: &FlowConst, s: &gwcore::Sample, look: &mut Look<'_>) {
        let (src, _) = ends(fact, flow);
        let key = (src.mac, src.addr, s.point.unit, s.point.address);
        let before = self.offsets.get_mut(&key).map(|o| std::mem::replace(o, (s.value, fact.ts)));
        let Some((was, at)) = before else {
            if self.offsets.insert(key, (s.value, fact.ts)).is_some() {
                self.hits.hit(Limit::DetectorSources);
            }
            return;
        };
        let step = s.value - was;
        if step.abs() < JUMP || fact.ts.since(at) > CLOSE || look.seen.was_silent(at, fact.ts) {
            return;
        }
        look.see(&Sighting {
            dedup_key: format!("jump:{}:{}", s.proto, src.name()),
            severity: Severity::Medium,
            attack: &["T0830"],
            proto: s.proto,
            words: &|site| {
                let a = site.name(&src);
                let seconds = fact.ts.since(at) / SECOND;
                let why = format!("The time that {a} gives out moved by {step:.3} s within {seconds} s.");
                (
                    format!("The clock of {a} jumped"),
                    why,
                    evidence(format!("{step:.3} s"), Some("less than a second"), Some(JUMP)),
                )
            },
            since: Some(at),
            ..Sighting::of(&META, fact, flow)
        });
    }
}

impl Detector for TimeSource {
    super::keeps!(masters, offsets);

    fn wants(&self) -> FactKinds {
        FactKinds::STATED | FactKinds::SAMPLE
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        match &fact.body {
            Body::Stated { proto: "ptp", field: "grandmaster", value } => self.grandmaster(fact, flow, value, look),
            Body::Sample(s) if s.point.table == "offset" && matches!(s.proto, "ptp" | "ntp") => {
                self.offset(fact, flow, s, look);
            }
            _ => {}
        }
    }
    fn hits(&self) -> LimitHits {
        self.hits.clone()
    }
}
