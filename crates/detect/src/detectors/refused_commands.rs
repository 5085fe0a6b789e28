//! Refused requests: someone asks a device for functions or points that it does not have, or a device refuses what it always answered.

use gwcore::time::MINUTE;
use gwcore::{AgedTable, Body, Fact, FactKinds, FlowConst, Limit, LimitHits, Op, Severity, Ts};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::fold::{End, Sighting, ends, evidence, words};
use crate::room::Room;

pub(super) static META: Meta = Meta {
    id: "refused-commands",
    number: 3,
    finds: "A device refused many requests of one source within a minute, or for minutes every request of a kind that it had always answered.",
    innocent: "A master configured for points that the device no longer has; a device that lost its inputs or what is behind it, or starts up.",
    call: "the automation engineer; compare the point list of the master with that of the device",
    attack: &["T0861", "T0846", "T0814"],
    needs: "decoded answers of the device",
    severity: Severity::Medium,
};

/// Refusals of one pair within a minute that make a finding.
const SERIES: u32 = 10;
/// Different requests among them from which it is a search rather than one request repeated.
const DIFFERENT: usize = 4;

#[derive(serde::Serialize, serde::Deserialize)]
struct Window {
    since: Ts,
    count: u32,
    kinds: Vec<(u16, u32)>,
}

/// Requests of one kind without a refusal after which, and for how long, it is one that the device always answers.
const ANSWERED: u32 = 30;
const ANSWERED_FOR: i64 = 5 * MINUTE;
/// Refusals in a row, and for how long, from which it stopped to.
const REFUSED: u32 = 10;
const REFUSED_FOR: i64 = 2 * MINUTE;

/// What came of requests of one kind: first a row without a refusal, then one of refusals. Answers are not facts of their own where their values are;
/// a request is answered that is followed by another one and was not refused.
#[derive(serde::Serialize, serde::Deserialize)]
struct Row {
    since: Ts,
    last: Ts,
    answered: u32,
    refused: u32,
    refused_since: Ts,
    /// Requests since the last refusal.
    open: u32,
}

/// Source and device, protocol, function, first point.
type Kind = (End2, &'static str, u16, u32);

/// Refusals by pair of source and device.
pub(super) struct RefusedCommands {
    pairs: AgedTable<(End2, &'static str), Window>,
    rows: Room<Kind, Row>,
    hits: LimitHits,
}

type End2 = (gwcore::Addr, gwcore::Addr);

impl RefusedCommands {
    pub(super) fn new(setup: &Setup) -> Self {
        let pairs = AgedTable::new(Limit::DetectorSources, setup.limits.get(Limit::DetectorSources));
        let rows = Room::new(Limit::DetectorSources, setup.limits.get(Limit::DetectorSources));
        RefusedCommands { pairs, rows, hits: LimitHits::default() }
    }

    /// Notes a request.
    fn asked(&mut self, kind: Kind, ts: Ts) {
        let Some(row) = self.rows.entry(&kind, || Row::new(ts)) else { return };
        row.open = row.open.saturating_add(1);
        if row.refused > 0 {
            // The request before this one was not refused.
            if row.open > 1 {
                *row = Row::new(ts);
            }
            return;
        }
        let was_usual = row.is_usual();
        (row.last, row.answered) = (row.last.max(ts), row.open - 1);
        if row.is_usual() && !was_usual {
            self.rows.prove(&kind);
        }
    }

    /// Notes a refusal; when the row of them is long enough after a row without, since when and how many of each.
    fn refused(&mut self, kind: &Kind, ts: Ts) -> Option<(Ts, u32, u32)> {
        let row = self.rows.get_mut(kind)?;
        if row.refused == 0 {
            row.refused_since = ts;
        }
        (row.refused, row.open) = (row.refused.saturating_add(1), 0);
        let stopped = row.refused >= REFUSED && ts.since(row.refused_since) >= REFUSED_FOR;
        (stopped && row.is_usual()).then_some((row.refused_since, row.refused, row.answered))
    }

    /// Counts one refusal; true when the series is long enough and various enough.
    fn count(&mut self, key: (End2, &'static str), ts: Ts, what: (u16, u32)) -> Option<(Ts, u32, usize)> {
        let expired = self.pairs.get(&key).is_none_or(|w| ts.since(w.since) > MINUTE);
        if expired && self.pairs.insert(key, Window { since: ts, count: 0, kinds: Vec::new() }).is_some() {
            self.hits.hit(Limit::DetectorSources);
        }
        let w = self.pairs.get_mut(&key)?;
        w.count += 1;
        if w.kinds.len() < DIFFERENT * 4 && !w.kinds.contains(&what) {
            w.kinds.push(what);
        }
        (w.count >= SERIES && w.kinds.len() >= DIFFERENT).then_some((w.since, w.count, w.kinds.len()))
    }
}

impl Row {
    fn new(ts: Ts) -> Row {
        Row { since: ts, last: ts, answered: 0, refused: 0, refused_since: ts, open: 0 }
    }

    fn is_usual(&self) -> bool {
        self.answered >= ANSWERED && self.last.since(self.since) >= ANSWERED_FOR
    }
}

/// Whether a refusal says that the device is at work, or that what is behind it does not answer (Modbus §7: acknowledge, busy, gateway path and
/// target); then it is no device that denies.
fn is_passing(proto: &str, code: u16) -> bool {
    proto == "modbus" && matches!(code, 5 | 6 | 10 | 11)
}

impl Detector for RefusedCommands {
    super::keeps!(pairs, rows);

    fn wants(&self) -> FactKinds {
        FactKinds::ANSWER | FactKinds::ASKS
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let Body::Op(op) = &fact.body else { return };
        let what = (op.function, op.point.map_or(0, |p| p.address));
        let (sender, receiver): (End, End) = ends(fact, flow);
        if !op.is_answer {
            return self.asked(((sender.addr, receiver.addr), op.proto, what.0, what.1), fact.ts);
        }
        let (device, source) = (sender, receiver);
        let Some((code, name)) = op.refused else { return };
        let kind = ((source.addr, device.addr), op.proto, what.0, what.1);
        if let Some(row) = self.refused(&kind, fact.ts) {
            see_stopped(op, (code, name), row, fact, flow, look);
        }
        let Some((since, count, kinds)) = self.count(((source.addr, device.addr), op.proto), fact.ts, what) else {
            return;
        };
        look.see(&Sighting {
            dedup_key: format!("{}>{}:{}", source.name(), device.name(), op.proto),
            severity: Severity::Medium,
            attack: &["T0861"],
            proto: op.proto,
            src: source,
            dst: device,
            words: &|site| {
                let title = format!("{} refuses many requests of {}", site.name(&device), site.name(&source));
                let why = format!(
                    "{} refused {count} requests of {} within a minute, {kinds} of them different, the last with {} ({code}).",
                    site.name(&device),
                    site.name(&source),
                    words(name)
                );
                (title, why, evidence(format!("{count} refusals of {kinds} kinds in a minute"), None, Some(f64::from(SERIES))))
            },
            since: Some(since),
            ..Sighting::of(&META, fact, flow)
        });
    }
    fn hits(&self) -> LimitHits {
        let mut hits = self.hits.clone();
        hits.add(self.rows.hits());
        hits
    }
}

/// A device that answered a kind of request and now refuses it for minutes.
fn see_stopped(
    op: &Op,
    (code, name): (u16, &'static str),
    (since, refused, answered): (Ts, u32, u32),
    fact: &Fact,
    flow: &FlowConst,
    look: &mut Look<'_>,
) {
    let (device, source): (End, End) = ends(fact, flow);
    look.see(&Sighting {
        dedup_key: format!("{}>{}:{}:stopped", source.name(), device.name(), op.proto),
        severity: if is_passing(op.proto, code) { Severity::Low } else { Severity::Medium },
        attack: &["T0814"],
        proto: op.proto,
        src: device,
        dst: source,
        words: &|site| {
            let (a, b, what) = (site.name(&device), site.name(&source), words(op.name));
            let title = format!("{a} refuses what it always answered");
            let minutes = fact.ts.since(since) / MINUTE;
            let why = format!(
                "{a} refused {refused} requests of {b} in a row for {minutes} minutes ({what}, the last with {} ({code})), after it had answered the same {answered} times without a refusal.",
                words(name)
            );
            let mut e = evidence(format!("{refused} refusals in a row"), Some("answers"), Some(f64::from(REFUSED)));
            e.seen = Some(u64::from(answered));
            (title, why, e)
        },
        since: Some(since),
        ..Sighting::of(&META, fact, flow)
    });
}
