//! A device's clock set to a wrong time: what is written against packet time, and against what was written before.

use gwcore::time::{HOUR, MINUTE, SECOND};
use gwcore::{Addr, AgedTable, Body, Fact, FactKinds, FlowConst, InPacket, Limit, LimitHits, Severity, Ts};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::fold::{Sighting, ends, evidence};

pub(super) static META: Meta = Meta {
    id: "clock-set",
    number: 60,
    finds: "A device's clock was set to another time than it was set to before, or than other devices' clocks are set to.",
    innocent: "Summer time that begins or ends, a front end that lost its own clock, a test of the time set.",
    call: "the owner of the station clock: events since then carry a wrong time",
    attack: &["T0836"],
    needs: "decoded DNP3 or IEC 60870-5-104, and an earlier time set or NTP to compare with",
    severity: Severity::Medium,
};

/// How far apart two times set may lie: a slow line, a retry, a master whose clock runs free for a day.
const TOLERANCE: i64 = 5 * SECOND;
/// Drift between two clocks, in parts: a cheap quartz, 100 ppm.
const DRIFT: i64 = 10_000;
/// Time zones differ by whole quarter hours.
const ZONE: i64 = 15 * MINUTE;
/// A time is believed to be meant when it was set so often in a row.
const MEANT: u32 = 3;
/// Others that must agree before a device that was never set before is compared with them.
const AGREED: u32 = 2;

/// Offset of the time written from packet time.
#[derive(Clone, Copy, serde::Serialize, serde::Deserialize)]
struct Offset {
    ns: i64,
    at: Ts,
    summer: bool,
}

/// A clock: device, unit in it, protocol.
type Key = (Addr, u32, &'static str);

/// What a device's clock was set to: what holds and by whom, and what came since and how often in a row.
#[derive(serde::Serialize, serde::Deserialize)]
struct Clock {
    holds: Offset,
    by: Addr,
    other: Option<(Offset, u32)>,
}

/// Clocks, what each source set them to last, and what all of them agree on but for the time zone.
pub(super) struct ClockSet {
    clocks: AgedTable<Key, Clock>,
    own: AgedTable<(Addr, Key), Offset>,
    common: Option<(Offset, u32)>,
    hits: LimitHits,
}

impl ClockSet {
    pub(super) fn new(setup: &Setup) -> Self {
        let limit = setup.limits.get(Limit::DetectorSources);
        let (clocks, own) =
            (AgedTable::new(Limit::DetectorSources, limit), AgedTable::new(Limit::DetectorSources, limit));
        ClockSet { clocks, own, common: None, hits: LimitHits::default() }
    }

    /// Takes note of a clock that says nothing of its zone, or of which the zone does not matter.
    fn common(&mut self, now: Offset) {
        match &mut self.common {
            Some((offset, n)) if within(zone_free(now.ns.saturating_sub(offset.ns)), now, *offset) => {
                (*offset, *n) = (now, n.saturating_add(1));
            }
            Some((_, n)) if *n > 1 => *n -= 1,
            common => *common = Some((now, 1)),
        }
    }

    /// Whether a source sets a clock as it did the last time: that was told then, where it had to be.
    fn is_as_last_time(&mut self, by: Addr, key: Key, now: Offset) -> bool {
        let Some(last) = self.own.get_mut(&(by, key)) else {
            if self.own.insert((by, key), now).is_some() {
                self.hits.hit(Limit::DetectorSources);
            }
            return false;
        };
        let last = std::mem::replace(last, now);
        within(now.ns.saturating_sub(last.ns), now, last)
    }

    /// How far a time lies from what is expected, by whom that was set, and how grave it is; none when it is as expected or nothing is known.
    fn judge(&mut self, by: Addr, key: Key, now: Offset) -> Option<(i64, Option<Addr>, Severity)> {
        let is_as_last_time = self.is_as_last_time(by, key, now);
        let Some(clock) = self.clocks.get_mut(&key) else {
            if self.clocks.insert(key, Clock { holds: now, by, other: None }).is_some() {
                self.hits.hit(Limit::DetectorSources);
            }
            let (common, n) = self.common?;
            let off = zone_free(now.ns.saturating_sub(common.ns));
            return (n >= AGREED && !within(off, now, common)).then_some((off, None, Severity::Low));
        };
        let off = now.ns.saturating_sub(clock.holds.ns);
        if within(off, now, clock.holds) {
            (clock.holds, clock.other) = (now, None);
            return None;
        }
        let again = clock.other.filter(|(o, _)| within(now.ns.saturating_sub(o.ns), now, *o)).map_or(1, |o| o.1 + 1);
        clock.other = Some((now, again));
        let before = clock.by;
        let is_summer_time =
            clock.holds.summer != now.summer && within(off.saturating_abs().saturating_sub(HOUR), now, now);
        if is_summer_time || again >= MEANT {
            *clock = Clock { holds: now, by, other: None };
        }
        (!is_summer_time && !is_as_last_time).then_some((off, Some(before), Severity::Medium))
    }
}

/// What is left of a difference without whole quarter hours.
fn zone_free(ns: i64) -> i64 {
    let rest = ns.rem_euclid(ZONE);
    if rest > ZONE / 2 { rest - ZONE } else { rest }
}

/// Whether a difference is one that two good clocks may have by then.
fn within(ns: i64, now: Offset, before: Offset) -> bool {
    ns.saturating_abs() <= TOLERANCE.saturating_add(now.at.since(before.at).saturating_abs() / DRIFT)
}

/// An offset for people: whole days where there are many.
fn say(ns: i64) -> String {
    let seconds = ns as f64 / SECOND as f64;
    match seconds.abs() {
        s if s >= 172_800.0 => format!("{:+.1} days", seconds / 86_400.0),
        s if s >= 7_200.0 => format!("{:+.2} hours", seconds / 3_600.0),
        _ => format!("{seconds:+.1} s"),
    }
}

impl Detector for ClockSet {
    super::keeps!(clocks, own, common);

    fn wants(&self) -> FactKinds {
        FactKinds::CLOCK_SET | FactKinds::SAMPLE | FactKinds::TIME_BREAK
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let (proto, unit, ns, summer) = match &fact.body {
            Body::ClockSet { proto, unit, time, summer } => (*proto, *unit, time.0.saturating_sub(fact.ts.0), *summer),
            Body::Sample(s) if s.proto == "ntp" && s.point.table == "offset" && s.good && s.value.abs() < 1e9 => {
                return self.common(Offset { ns: (s.value * 1e9) as i64, at: fact.ts, summer: false });
            }
            // Packet time itself went back: nothing said before can be compared.
            Body::TimeBreak { .. } => {
                self.clocks.clear();
                self.own.clear();
                self.common = None;
                return;
            }
            _ => return,
        };
        let (src, dst) = ends(fact, flow);
        let now = Offset { ns, at: fact.ts, summer };
        let judged = self.judge(src.addr, (dst.addr, unit, proto), now);
        let Some((off, before, severity)) = judged else { return self.common(now) };
        look.see(&Sighting {
            dedup_key: format!("{}>{}:{unit}", src.name(), dst.name()),
            severity,
            attack: &["T0836"],
            proto,
            words: &|site| {
                let (a, b) = (site.name(&src), site.name(&dst));
                let than = match before {
                    None => "as other clocks here".to_owned(),
                    Some(by) if by == src.addr => "as it set it before".to_owned(),
                    Some(by) => format!("as {by} set it before"),
                };
                let why = format!("{a} set the clock of {b} (unit {unit}) to a time {} off: not {than}.", say(off));
                let expected = format!("{} from packet time, as before", say(ns.saturating_sub(off)));
                let e = evidence(format!("{} from packet time", say(ns)), Some(&expected), Some(5.0));
                let time = |ns: i64| fact.ts.plus(ns).to_string();
                let field = if proto == "dnp3" { "dnp3.objects.time" } else { "iec104.objects.time" };
                let value = InPacket::new(field, time(ns), [time(ns.saturating_sub(off))]);
                (format!("Clock of {b} set {} off", say(off)), why, e.naming(value))
            },
            ..Sighting::of(&META, fact, flow)
        });
    }
    fn hits(&self) -> LimitHits {
        self.hits.clone()
    }
}
