//! Findings and devices while a run goes on: opened, grown, closed, and a baseline taken over in the middle.

use std::collections::BTreeMap;
use std::sync::Arc;

use detect::{Baseline, Change, Detectors, DeviceChange, Devices, Learner, Maintenance, Setup, Site};
use gwcore::time::{HOUR, MINUTE, SECOND};
use gwcore::{Finding, Limit, Limits, OpClass};

/// Nanoseconds.
const DAY: i64 = 24 * HOUR;

use super::baseline::{MASTER, PLC, op};
use super::{START, Story};

/// A detect stage that is asked after every batch of `size` facts.
struct Run {
    detectors: Detectors,
    devices: Devices,
    site: Site,
    changes: Vec<(i64, Change)>,
    seen: Vec<DeviceChange>,
}

impl Run {
    fn new(setup: &Setup) -> Run {
        let (detectors, devices) = (Detectors::new(setup, &[], &[]), Devices::new(&setup.limits));
        Run { detectors, devices, site: Site::default(), changes: Vec::new(), seen: Vec::new() }
    }

    fn take(&mut self, story: &Story, size: usize) {
        for facts in story.facts.chunks(size) {
            self.devices.batch(facts, &story.flows);
            self.detectors.batch(facts, &story.flows, &|_| Arc::from("a.pcap"));
            self.seen.extend(self.devices.changes(&self.site));
            let at = facts.last().map_or(0, |f| f.ts.since(START));
            let changes = self.detectors.changes(&self.devices.inventory(&self.site));
            self.changes.extend(changes.into_iter().map(|c| (at, c)));
        }
    }

    fn end(&mut self) {
        let inventory = self.devices.inventory(&self.site);
        let changes = self.detectors.end(&inventory, &|_| Arc::from("a.pcap"));
        self.changes.extend(changes.into_iter().map(|c| (i64::MAX, c)));
    }

    /// What happened to the findings of a detector, by id.
    fn of(&self, detector: &str) -> BTreeMap<&str, Vec<(i64, &'static str)>> {
        let mut all: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for (at, c) in self.changes.iter().filter(|(_, c)| c.finding().detector == detector) {
            all.entry(&c.finding().id).or_default().push((*at, c.name()));
        }
        all
    }
}

/// A command each second for `n` seconds from `from` on; ticks all the time, until `until`.
fn commands(n: i64, from: i64, until: i64) -> Story {
    let mut s = Story::default();
    for second in 0..until / SECOND {
        s.tick(second * SECOND);
        if second >= from / SECOND && second < from / SECOND + n {
            s.tell(second * SECOND, (MASTER, PLC), 502, op("modbus", OpClass::Mode, 8, 4));
        }
    }
    s
}

#[test]
fn a_finding_opens_at_once_grows_every_ten_seconds_and_closes_after_an_hour() {
    let mut run = Run::new(&Setup::default());
    run.take(&commands(60, 10 * SECOND, 2 * HOUR), 1);
    let all = run.of("configuration-change");
    assert_eq!(all.len(), 1);
    let steps = all.values().next().expect("one");
    assert_eq!(steps.first(), Some(&(10 * SECOND, "opened")));
    assert_eq!(steps.iter().filter(|(_, name)| *name == "grew").count(), 6, "{steps:?}");
    let (closed, name) = steps.last().expect("a last one");
    assert_eq!(*name, "closed");
    assert!((HOUR..HOUR + 10 * MINUTE).contains(&(closed - 70 * SECOND)), "{closed}");
    let revs: Vec<u32> = run.changes.iter().map(|(_, c)| c.finding().rev).collect();
    assert!(revs.is_sorted() && revs.iter().zip(revs.iter().skip(1)).all(|(a, b)| a < b), "{revs:?}");
    let last = run.changes.last().map(|(_, c)| c.finding());
    assert_eq!(last.map(|f| (f.count, f.src.asset.is_some())), Some((60, true)));
}

#[test]
fn the_last_of_all_changes_is_what_a_run_that_does_not_ask_has_at_its_end() {
    let mut s = Story::default();
    for hour in 0..6 {
        s.minute(hour * HOUR).minute(hour * HOUR + MINUTE);
        for n in 0..3 {
            s.tell(hour * HOUR + 3 * MINUTE, (99, 100 + n), 502, op("modbus", OpClass::Mode, 8, 4));
        }
        (0..20).for_each(|m| {
            s.tick(hour * HOUR + (4 + m) * MINUTE);
        });
    }
    let whole = s.findings();
    let setup = Setup::default();
    for size in [1, 17, 1_000_000] {
        let mut run = Run::new(&setup);
        run.take(&s, size);
        run.end();
        let mut last: BTreeMap<&str, &Finding> = BTreeMap::new();
        for (_, c) in &run.changes {
            let before = last.insert(&c.finding().id, c.finding());
            assert!(before.is_none_or(|b| b.rev < c.finding().rev));
        }
        let mut last: Vec<Finding> = last.into_values().cloned().collect();
        last.sort_by(|a, b| (a.ts, &a.id).cmp(&(b.ts, &b.id)));
        let text = |f: &Finding, less: u32| {
            let plain = Finding { rev: f.rev - less, src: Default::default(), dst: Default::default(), ..f.clone() };
            format!("{plain:?}")
        };
        let last: Vec<String> = last.iter().map(|f| text(f, 1)).collect();
        assert_eq!(last, whole.iter().map(|f| text(f, 0)).collect::<Vec<_>>(), "batches of {size}");
    }
}

/// Findings by default; `show/18-many-findings` sets more.
const FINDINGS: u64 = 3_000;

#[test]
fn so_many_findings_come_and_go_and_leave_nothing_behind() {
    let wanted = std::env::var("GRIDWARDEN_FINDINGS").ok().and_then(|n| n.parse().ok()).unwrap_or(FINDINGS);
    let mut limits = Limits::default();
    limits.set(Limit::Findings, 64);
    limits.set(Limit::FindingsKept, 64);
    let mut run = Run::new(&Setup::new(&limits));
    let (mut opened, mut closed, mut grew, mut sizes) = (0u64, 0u64, 0u64, Vec::new());
    for round in 0.. {
        let mut s = Story::default();
        (0..10).for_each(|n| {
            s.tell(round * DAY + i64::from(n), (10 + n, 100 + n), 502, op("modbus", OpClass::Mode, 8, 4));
        });
        (0..70).for_each(|m| {
            s.tick(round * DAY + m * MINUTE);
        });
        run.take(&s, 40);
        run.seen.clear();
        for (_, change) in run.changes.drain(..) {
            match change {
                Change::Opened(_) => opened += 1,
                Change::Grew(_) => grew += 1,
                Change::Closed(_) => closed += 1,
            }
        }
        if opened >= wanted * (sizes.len() as u64 + 1) / 4 {
            sizes.push(resident());
            println!("{opened} opened, {closed} closed: {} KB resident", resident() / 1_024);
        }
        if opened >= wanted {
            break;
        }
    }
    assert_eq!((opened, closed, grew), (wanted, wanted, 0));
    let hits = run.detectors.hits();
    assert_eq!((hits.count(Limit::Findings), hits.count(Limit::FindingsKept)), (0, 0));
    let (first, last) = (sizes.first().copied().unwrap_or(0), sizes.last().copied().unwrap_or(0));
    assert!(last <= first + first / 5, "{sizes:?}");
}

/// Resident memory of this process in bytes; 0 where the system does not tell.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4_096
}

#[test]
fn devices_are_told_when_they_are_new_change_or_join() {
    let mut s = Story::default();
    s.tick(0);
    s.tell(1, (7, 1), 502, gwcore::Body::FlowStart).tell(2, (8, 1), 502, gwcore::Body::FlowStart);
    s.flows.iter_mut().for_each(|f| f.src_mac = super::mac(200));
    let mut run = Run::new(&Setup::default());
    run.take(&s, 1);
    assert!(run.seen.iter().any(|c| matches!(c, DeviceChange::Seen(d) if d.ips == [super::ip(7).to_string()])));
    let told = run.seen.len();
    // Nothing but ticks and the same again: nothing is told, until five minutes are over.
    let mut again = Story::default();
    for second in 1..=299 {
        again.tick(second * SECOND).tell(second * SECOND, (7, 1), 502, gwcore::Body::FlowStart);
    }
    again.flows.iter_mut().filter(|f| !f.src.is_none()).for_each(|f| f.src_mac = super::mac(200));
    run.take(&again, 10);
    assert_eq!(run.seen.len(), told, "{:?}", run.seen.get(told));
    let mut claim = Story::default();
    claim.tick(400 * SECOND);
    claim.tell(400 * SECOND, (7, 1), 0, gwcore::Body::Claim { addr: super::ip(7), mac: super::mac(7), source: "arp" });
    run.take(&claim, 10);
    let new = run.seen.get(told..).unwrap_or_default();
    assert!(new.iter().any(|c| matches!(c, DeviceChange::Seen(d) if !d.formerly.is_empty())), "{new:?}");
}

fn learned(hours: i64) -> Arc<Baseline> {
    let mut s = Story::default();
    s.service(0, (MASTER, PLC), 502, "modbus");
    for h in 0..hours {
        (0..10).for_each(|m| {
            s.minute(h * HOUR + m * 6 * MINUTE);
        });
    }
    let mut learner = Learner::new(&Limits::default(), Maintenance::default(), Default::default());
    learner.batch(&s.facts, &s.flows);
    Arc::new(learner.finish().0)
}

#[test]
fn a_baseline_is_taken_over_while_the_run_goes_on() {
    let stranger = |at: i64| {
        let mut s = Story::default();
        s.minute(at).service(at + MINUTE, (99, PLC), 502, "modbus");
        s.tell(at + MINUTE, (99, PLC), 502, op("modbus", OpClass::Mode, 8, 4));
        s
    };
    let mut run = Run::new(&Setup::default());
    run.take(&stranger(0), 10);
    assert!(run.of("new-device").is_empty() && run.of("new-master").is_empty());
    let open = run.of("configuration-change").len();
    assert!(open > 0);
    run.detectors.learned(&learned(8));
    run.take(&stranger(2 * MINUTE), 10);
    assert_eq!(run.of("new-device").len(), 1);
    assert_eq!(run.of("configuration-change").len(), open, "what was open goes on");
}

#[test]
fn a_command_is_told_with_its_answer_or_after_ten_seconds_or_where_time_goes_back() {
    use gwcore::Body;
    let told = |rest: &dyn Fn(&mut Story)| {
        let mut s = Story::default();
        s.tick(DAY).tell(DAY, (MASTER, PLC), 502, op("modbus", OpClass::Control, 5, 1));
        rest(&mut s);
        let mut run = Run::new(&Setup::default());
        run.take(&s, 1);
        run.of("control-operation").into_values().flatten().collect::<Vec<_>>()
    };
    let answer = || {
        let Body::Op(o) = op("modbus", OpClass::Control, 5, 1) else { unreachable!() };
        Body::Op(gwcore::Op { is_answer: true, ..o })
    };
    let after = |seconds: i64| told(&|s| _ = (1..=seconds).fold(s, |s, i| s.tick(DAY + i * SECOND)));
    assert_eq!((after(9), after(10)), (vec![], vec![(DAY + 10 * SECOND, "opened")]));
    let answered = told(&|s| {
        s.tick(DAY + SECOND).tell(DAY + SECOND, (PLC, MASTER), 502, answer());
        // The other direction of the command's flow.
        let flow = s.facts[1].flow.0;
        s.facts.last_mut().unwrap().flow = gwcore::FlowRef(flow + 1);
    });
    assert_eq!(answered, [(DAY + SECOND, "opened")]);
    assert_eq!(told(&|s| _ = s.tell(0, (0, 0), 0, Body::TimeBreak { back: DAY })), [(0, "opened")]);
}
