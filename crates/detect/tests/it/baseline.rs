//! Detectors with a baseline, on facts made by hand: what is learned is quiet, what is new speaks as grave as it should.

use std::collections::BTreeSet;
use std::sync::Arc;

use detect::{Baseline, Class, Detectors, Devices, Learner, Maintenance, Setup, Site, Source};
use gwcore::time::{HOUR, MINUTE, SECOND};
use gwcore::{Basis, Body, Finding, Limit, Limits, Op, OpClass, PointId, Sample, Severity};

use super::{START, Story};

pub(super) const MASTER: u8 = 1;
pub(super) const RTU: u8 = 2;
pub(super) const PLC: u8 = 3;
const HMI: u8 = 4;

pub(super) fn op(proto: &'static str, class: OpClass, function: u16, address: u32) -> Body {
    let point = (class != OpClass::Other).then_some(PointId { table: "binary_output", unit: 1, address });
    Body::Op(Op {
        proto,
        class,
        function,
        name: "function",
        point,
        points: 1,
        value: Some(1.0),
        action: "",
        is_answer: false,
        refused: None,
    })
}

pub(super) fn sample(proto: &'static str, address: u32, value: f64, write: bool) -> Body {
    let point = PointId { table: "holding_register", unit: 1, address };
    Body::Sample(Sample { proto, point, value, discrete: false, good: true, write })
}

impl Story {
    pub(super) fn service(&mut self, at: i64, pair: (u8, u8), port: u16, proto: &'static str) -> &mut Self {
        self.tell(at, pair, port, Body::FlowStart);
        self.tell(at, pair, port, Body::Service { proto, server_is_responder: true })
    }

    /// An ordinary minute: the master polls the RTU over DNP3 every second, and the PLC over Modbus; the HMI reads the PLC.
    pub(super) fn minute(&mut self, at: i64) -> &mut Self {
        for s in 0..60 {
            let at = at + s * SECOND;
            self.tick(at);
            self.tell(at, (MASTER, RTU), 20_000, op("dnp3", OpClass::Read, 1, 0));
            self.tell(at, (RTU, MASTER), 20_000, Body::Role("outstation"));
            self.tell(at, (MASTER, PLC), 502, op("modbus", OpClass::Read, 3, 0));
            let swing = 500.0 + 100.0 * ((at / SECOND) as f64 / 50.0).sin();
            self.tell(at, (PLC, MASTER), 502, sample("modbus", 7, swing.round(), false));
        }
        self.tell(at, (HMI, PLC), 502, op("modbus", OpClass::Read, 4, 0))
    }

    /// `hours` ordinary hours, of which ten minutes each are told; the master commands the PLC in each.
    fn hours(&mut self, hours: i64) -> &mut Self {
        self.service(0, (MASTER, RTU), 20_000, "dnp3");
        self.service(0, (MASTER, PLC), 502, "modbus");
        self.service(0, (HMI, PLC), 502, "modbus");
        for h in 0..hours {
            (0..10).for_each(|m| {
                self.minute(h * HOUR + m * 6 * MINUTE);
            });
            let at = h * HOUR + 55 * MINUTE;
            self.tell(at, (MASTER, PLC), 502, op("modbus", OpClass::SetPoint, 6, 40));
            self.tell(at, (MASTER, PLC), 502, sample("modbus", 40, 100.0 + (h % 8) as f64, true));
        }
        self
    }

    fn learned(&self) -> Baseline {
        self.learned_without(&Limits::default(), Maintenance::default(), BTreeSet::new())
    }

    fn learned_without(&self, limits: &Limits, windows: Maintenance, frames: BTreeSet<u64>) -> Baseline {
        let mut learner = Learner::new(limits, windows, frames);
        learner.batch(&self.facts, &self.flows);
        learner.finish().0
    }
}

pub(super) fn usual() -> Baseline {
    Story::default().hours(8).learned()
}

fn judged(story: &Story, setup: &Setup) -> Vec<(&'static str, Severity)> {
    let all = story.findings_under(setup);
    all.iter().filter(|f| f.severity > Severity::Info).map(|f| (f.detector, f.severity)).collect()
}

/// What an hour says after a story was told in its twentieth minute, against the usual baseline.
fn after(tell: impl FnOnce(&mut Story, i64)) -> Vec<(&'static str, Severity)> {
    let mut s = Story::default();
    s.service(0, (MASTER, RTU), 20_000, "dnp3").minute(0);
    tell(&mut s, 20 * MINUTE);
    judged(&s, &Setup { baseline: Some(Arc::new(usual())), ..Setup::default() })
}

#[test]
fn what_was_learned_is_quiet() {
    let mut s = Story::default();
    s.hours(2);
    assert_eq!(judged(&s, &Setup { baseline: Some(Arc::new(usual())), ..Setup::default() }), []);
}

#[test]
fn without_a_baseline_nothing_is_a_finding_for_being_new() {
    let mut s = Story::default();
    s.hours(1).service(HOUR, (99, RTU), 20_000, "dnp3").tell(
        HOUR,
        (99, RTU),
        20_000,
        op("dnp3", OpClass::Control, 5, 1),
    );
    assert_eq!(judged(&s, &Setup::default()), []);
}

#[test]
fn a_strange_master_is_one_alarm_and_a_strange_device() {
    let got = after(|s, at| {
        s.service(at, (99, RTU), 20_000, "dnp3");
        s.tell(at, (99, RTU), 20_000, op("dnp3", OpClass::Control, 5, 1));
    });
    assert_eq!(got, [("new-device", Severity::Low), ("new-master", Severity::High)]);
}

#[test]
fn a_strange_master_in_several_protocols_is_one_alarm_and_its_second_start_low() {
    let mut learned = Story::default();
    learned.hours(8);
    let start = |s: &mut Story, at, master| {
        s.service(at, (master, PLC), 2_404, "iec104");
        s.tell(at, (master, PLC), 2_404, op("iec104", OpClass::ReportsOn, 7, 0));
    };
    let value = || sample("iec104", 1, 1.0, false);
    for h in 0..8 {
        start(&mut learned, h * HOUR, MASTER);
        learned.tell(h * HOUR, (PLC, MASTER), 2_404, value());
    }
    let mut s = Story::default();
    start(&mut s, 0, MASTER);
    start(&mut s, 20 * SECOND, 99);
    s.service(20 * SECOND, (99, RTU), 20_000, "dnp3");
    s.tell(20 * SECOND, (99, RTU), 20_000, op("dnp3", OpClass::Read, 1, 0));
    s.tell(55 * SECOND, (PLC, MASTER), 2_404, value());
    let setup = Setup { baseline: Some(Arc::new(learned.learned())), ..Setup::default() };
    let mut got = judged(&s, &setup);
    got.sort();
    let expect = [("new-device", Severity::Low), ("new-master", Severity::High), ("second-start", Severity::Low)];
    assert_eq!(got, expect);
}

#[test]
fn megabytes_to_the_internet_are_medium_what_is_fetched_or_little_is_not() {
    let told = |source: u8, bytes: [u64; 2], service: &'static str| {
        let all = after(move |s, at| {
            let end =
                Body::FlowEnd { state: "SF", packets: [900, 900], bytes, start: START.plus(at - MINUTE), service };
            s.tell(at, (source, 77), 443, end);
            if let Some(flow) = s.flows.last_mut() {
                flow.dst = gwcore::Addr::v4([198, 51, 100, 7]);
            }
        });
        all.into_iter().filter(|(_, s)| *s > Severity::Low).collect::<Vec<_>>()
    };
    let medium = [("new-conversation", Severity::Medium)];
    assert_eq!(told(HMI, [1 << 20, 1 << 18], "tls"), medium);
    assert_eq!(told(99, [9 << 20, 0], ""), medium, "a strange device too");
    assert_eq!(told(HMI, [(1 << 20) - 1, 0], "tls"), []);
    assert_eq!(told(HMI, [1 << 20, (1 << 18) + 1], "tls"), [], "fetched");
}

#[test]
fn a_take_over_that_polls_modbus_too_is_one_alarm_in_either_order() {
    let got = |modbus_first: bool, apart: i64| {
        after(move |s, at| {
            let dnp3 = at + if modbus_first { apart } else { 0 };
            let modbus = at + if modbus_first { 0 } else { apart };
            let tell_modbus = |s: &mut Story| {
                s.service(modbus, (HMI, RTU), 502, "modbus");
            };
            if modbus_first {
                tell_modbus(s);
            }
            s.service(dnp3, (HMI, RTU), 20_000, "dnp3");
            s.tell(dnp3, (HMI, RTU), 20_000, op("dnp3", OpClass::Read, 1, 0));
            if !modbus_first {
                tell_modbus(s);
            }
        })
    };
    let told = |severity| vec![("new-conversation", severity), ("new-master", Severity::High)];
    for modbus_first in [true, false] {
        let sorted = |mut all: Vec<(&'static str, Severity)>| {
            all.sort();
            all
        };
        assert_eq!(sorted(got(modbus_first, SECOND)), told(Severity::Low), "{modbus_first}");
        assert_eq!(sorted(got(modbus_first, 6 * MINUTE)), told(Severity::Medium), "{modbus_first}: another event");
    }
}

#[test]
fn a_command_from_a_known_reader_is_high_and_from_the_commander_low_or_nothing() {
    let from = |source: u8, target: u8, proto, address| {
        // Write register, and direct operate.
        let (port, function) = if proto == "modbus" { (502, 6) } else { (20_000, 5) };
        after(move |s, at| {
            s.tell(at, (source, target), port, op(proto, OpClass::SetPoint, function, address));
        })
    };
    assert_eq!(from(HMI, PLC, "modbus", 40), [("control-from-unusual-source", Severity::High)]);
    assert_eq!(from(MASTER, PLC, "modbus", 40), []);
    assert_eq!(from(MASTER, PLC, "modbus", 41), [("new-point", Severity::Low)], "first command on a point");
    // Its sole master never commanded anyone in DNP3: a first command, whatever the protocol.
    assert_eq!(from(MASTER, RTU, "dnp3", 1), [("control-from-unusual-source", Severity::Low)]);
}

#[test]
fn a_new_conversation_in_a_utility_protocol_is_medium_another_low() {
    let got = after(|s, at| {
        s.service(at, (HMI, RTU), 502, "modbus");
    });
    assert_eq!(got, [("new-conversation", Severity::Medium)]);
    let got = after(|s, at| {
        s.service(at, (HMI, RTU), 22, "ssh");
    });
    assert_eq!(got, [("new-service", Severity::Low)]);
}

#[test]
fn what_is_not_read_is_told_before_it_ends() {
    let end = |start| Body::FlowEnd { state: "SF", packets: [9, 9], bytes: [9_000, 9_000], start, service: "" };
    let got = after(|s, at| {
        s.tell(at, (HMI, RTU), 4_444, Body::FlowStart).tell(at + SECOND, (HMI, RTU), 4_444, Body::Unread);
    });
    assert_eq!(got, [("new-service", Severity::Low)]);
    // Its end adds nothing, and what learned the end is quiet.
    let got = after(|s, at| {
        s.tell(at, (HMI, RTU), 4_444, Body::Unread).tell(at + SECOND, (HMI, RTU), 4_444, end(START.plus(at)));
    });
    assert_eq!(got, [("new-service", Severity::Low)]);
    // Who serves is not plain from these ports.
    assert_eq!(after(|s, at| _ = s.tell(at, (HMI, RTU), 60_000, Body::Unread)), []);
}

#[test]
fn dnp3_between_strangers_to_each_other_is_told_once_a_request_or_a_minute_says_who_asks() {
    let got = after(|s, at| {
        s.service(at, (MASTER, PLC), 20_000, "dnp3");
        s.tell(at, (MASTER, PLC), 20_000, op("dnp3", OpClass::Read, 1, 0));
    });
    assert_eq!(got, [("new-conversation", Severity::Medium)], "nobody was the master of it");
    let got = after(|s, at| {
        s.service(at, (RTU, MASTER), 20_000, "dnp3");
    });
    assert_eq!(got, [], "the known conversation, seen from its middle");
}

#[test]
fn a_new_function_of_a_known_pair_is_low() {
    let got = after(|s, at| {
        s.tell(at, (MASTER, RTU), 20_000, op("dnp3", OpClass::ReportsOff, 21, 0));
    });
    assert_eq!(got, [("new-function", Severity::Low)]);
}

#[test]
fn set_points_outside_their_range_are_medium_and_measurements_facts() {
    let write = |value: f64| {
        after(move |s, at| {
            s.tell(at, (MASTER, PLC), 502, sample("modbus", 40, value, true));
        })
    };
    assert_eq!(write(107.0), []);
    assert_eq!(write(300.0), [("value-range", Severity::Medium)]);
    let read = after(|s, at| {
        s.tell(at, (PLC, MASTER), 502, sample("modbus", 7, 900.0, false));
    });
    assert_eq!(read, []);
}

#[test]
fn declared_limits_need_no_baseline() {
    let list =
        "proto,table,unit_id,address,name,unit,scale,low,high\nmodbus,holding_register,1,40,Set point,kV,0.1,9,11\n";
    let text = "[[device]]\nname = \"PLC\"\naddresses = [\"10.0.0.3\"]\npoints = \"p.csv\"";
    let site = Arc::new(Site::parse(text, &|_| Ok(list.into())).unwrap());
    let found = |value: f64| {
        let mut s = Story::default();
        s.tick(0).tell(0, (MASTER, PLC), 502, sample("modbus", 40, value, true));
        s.findings_under(&Setup { site: site.clone(), ..Setup::default() })
    };
    assert!(found(110.0).is_empty());
    let f = &found(111.0)[0];
    assert_eq!((f.detector, f.severity, f.basis), ("value-range", Severity::Medium, Basis::Declared));
    assert_eq!((f.evidence.observed.as_str(), f.evidence.expected.as_deref()), ("11.1 kV", Some("9 to 11 kV")));
}

#[test]
fn declared_masters_are_quiet_and_others_high_without_a_baseline() {
    let text = "[[device]]\nname = \"FE\"\naddresses = [\"10.0.0.1\"]\n[[device]]\nname = \"FE2\"\naddresses = [\"10.0.0.5\"]\n\
        [[device]]\nname = \"RTU\"\naddresses = [\"10.0.0.2\"]\nmasters = [\"FE\"]\nbackup_masters = [\"FE2\"]\ncritical = true";
    let site = Arc::new(Site::parse(text, &|_| Err(String::new())).unwrap());
    let from = |source: u8, class| {
        let mut s = Story::default();
        s.tick(0).tell(0, (source, RTU), 20_000, op("dnp3", class, 5, 1));
        let mut got = judged(&s, &Setup { site: site.clone(), ..Setup::default() });
        let baseline = Some(Arc::new(usual()));
        let with = judged(&s, &Setup { site: site.clone(), baseline, ..Setup::default() });
        got.extend(with.into_iter().filter(|g| !matches!(g.0, "new-function" | "new-point")));
        got
    };
    assert_eq!(from(5, OpClass::Control), [], "the declared backup");
    let new = ("new-master", Severity::High);
    assert_eq!(from(9, OpClass::Read).into_iter().filter(|g| g.0 != "new-device").collect::<Vec<_>>(), [new, new]);
    assert!(from(9, OpClass::Control).contains(&("new-master", Severity::Critical)));
}

#[test]
fn a_poll_at_another_period_is_low_and_not_when_packets_are_missing() {
    let polls = |step: i64, gap: bool| {
        after(move |s, at| {
            for i in 0..90 {
                let at = at + i * step;
                s.tick(at);
                s.tell(at, (MASTER, RTU), 20_000, op("dnp3", OpClass::Read, 1, 0));
                s.tell(
                    at,
                    (RTU, MASTER),
                    20_000,
                    if gap { Body::Gap { missing: 9 } } else { Body::Role("outstation") },
                );
            }
        })
    };
    assert_eq!(polls(SECOND, false), []);
    assert_eq!(polls(3 * SECOND, false), [("period", Severity::Low)]);
    assert_eq!(polls(3 * SECOND, true), []);
}

#[test]
fn a_device_that_falls_silent_is_missed_unless_the_feed_did() {
    // The PLC keeps speaking every minute; the RTU does not.
    let silent_for = |minutes: i64, feed: bool| {
        let baseline = {
            let mut s = Story::default();
            s.service(0, (MASTER, RTU), 20_000, "dnp3");
            (0..480).for_each(|m| {
                s.tick(m * MINUTE).tell(m * MINUTE, (RTU, MASTER), 20_000, Body::Role("outstation"));
                s.tell(m * MINUTE, (PLC, MASTER), 502, sample("modbus", 7, 1.0, false));
            });
            s.learned()
        };
        let mut s = Story::default();
        s.tick(0).tell(0, (RTU, MASTER), 20_000, Body::Role("outstation"));
        for m in (0..=minutes).filter(|m| feed || *m == minutes) {
            (0..12).for_each(|i| {
                s.tick(m * MINUTE + i * 5 * SECOND);
            });
            s.tell(m * MINUTE, (PLC, MASTER), 502, sample("modbus", 7, 1.0, false));
        }
        judged(&s, &Setup { baseline: Some(Arc::new(baseline)), ..Setup::default() })
            .into_iter()
            .filter(|g| g.0 == "missing-device")
            .count()
    };
    assert_eq!(silent_for(30, true), 1);
    assert_eq!(silent_for(7, true), 0, "three times a minute and five more");
    assert_eq!(silent_for(30, false), 0, "the whole feed was silent");
}

#[test]
fn a_young_baseline_speaks_as_low() {
    let young = Story::default().hours(4).learned();
    assert!(young.is_young() && !usual().is_young());
    let mut s = Story::default();
    s.minute(0).tell(MINUTE, (HMI, PLC), 502, op("modbus", OpClass::SetPoint, 6, 40));
    let got = judged(&s, &Setup { baseline: Some(Arc::new(young)), ..Setup::default() });
    assert_eq!(got, [("control-from-unusual-source", Severity::Low)]);
}

#[test]
fn what_is_excluded_is_not_learned() {
    let mut s = Story::default();
    s.hours(1);
    let command = s.facts.len() as u64 + 1;
    s.tell(HOUR, (HMI, PLC), 502, op("modbus", OpClass::SetPoint, 6, 40));
    let commanders = |b: Baseline| b.worth(Class::Command).kinds;
    let learned = |windows: &str, frames: &[u64]| {
        s.learned_without(&Limits::default(), Maintenance::parse(windows).unwrap(), frames.iter().copied().collect())
    };
    assert_eq!(commanders(learned("", &[])), 2);
    assert_eq!(commanders(learned("", &[command])), 1);
    let window = |asset: &str| format!("{},{},{asset}", START.plus(HOUR), START.plus(HOUR));
    assert_eq!(commanders(learned(&window("10.0.0.4"), &[])), 1);
    assert_eq!(commanders(learned(&window("10.0.0.9"), &[])), 2);
}

fn bytes(b: &Baseline) -> Vec<u8> {
    let mut out = Vec::new();
    b.write(&mut out).unwrap();
    out
}

#[test]
fn a_file_read_back_is_the_same_and_a_newer_one_is_refused() {
    let mut b = usual();
    let source = |name: &str| Source { name: name.into(), bytes: 24, sha256: "ab".repeat(32) };
    b.learned_from([source("monday.pcap"), source("tuesday.pcap")]);
    let back = Baseline::read(&mut &bytes(&b)[..], &Limits::default()).unwrap();
    assert_eq!(bytes(&b), bytes(&back));
    assert_eq!(back.worth(Class::Point), b.worth(Class::Point));
    assert_eq!(back.sources(), [source("monday.pcap"), source("tuesday.pcap")]);
    let newer = zstd::encode_all(&br#"{"format":"gridwarden-baseline","version":3,"shape":"unknown"}"#[..], 1).unwrap();
    let e = Baseline::read(&mut &newer[..], &Limits::default()).unwrap_err().to_string();
    assert!(e.contains("`3` is newer than `2`") && !e.contains('\n'), "{e}");
    for bad in [&b""[..], b"text", &zstd::encode_all(&b"{}"[..], 1).unwrap()] {
        assert!(Baseline::read(&mut &bad[..], &Limits::default()).is_err());
    }
}

/// A file of version 1 as it was written when that version came: one device, one point with its range.
const VERSION_1: &str = r#"{"format":"gridwarden-baseline","version":1,"first":"2026-03-01T00:00:00.000000Z",
"last":"2026-03-02T00:00:00.000000Z","hours":[492300,492301],"full":[],"suspicions":[["scan:10.0.0.9","a sentence"]],
"words":["","modbus","holding_register"],"entries":[[[0,"10.0.0.3","",0,0,0,0],1772323200000000000,1772409600000000000,7,2,2]],
"values":[[[4,"","10.0.0.3",1,2,1,7],{"own":{"count":3,"min":1.0,"max":9.5,"last":2.0,"changes":2,"falls":1,"moved":12.0,"absurd":0},
"states":[1.0,2.0,9.5],"many":false,"discrete":false}]],"rhythms":[[[3,"10.0.0.1","10.0.0.3",1,0,3,0],{"steps":{"40":20}}]],
"activity":[["10.0.0.3",100,2,2]]}"#;

#[test]
fn a_file_of_version_1_opens() {
    let file = zstd::encode_all(VERSION_1.as_bytes(), 1).unwrap();
    let b = Baseline::read(&mut &file[..], &Limits::default()).unwrap();
    assert_eq!((b.worth(Class::Device).kinds, b.hours(), b.days(), b.sources().len()), (1, 2, 1, 0));
    assert_eq!(b.suspicions(), [("scan:10.0.0.9".to_owned(), "a sentence".to_owned())]);
}

#[test]
fn what_it_knows_is_told_in_rows() {
    let known = usual().known();
    let pair = |client: &str, server: &str| known.pairs.iter().find(|p| p.client == client && p.server == server);
    let plc = pair("10.0.0.1", "10.0.0.3").expect("the master commands the PLC");
    assert_eq!((plc.commands, plc.commanded, plc.proto.as_str(), plc.publishes), (8, 2, "modbus", false));
    assert_eq!(pair("10.0.0.4", "10.0.0.3").map(|p| p.commands), Some(0), "the HMI only reads");
    let point = |commanded| known.points.iter().find(|p| p.commanded == commanded).expect("a point");
    assert_eq!((point(false).kind, point(false).range.map(|r| r.0 >= 400.0)), ("measurement", Some(true)));
    let poll = known.periods.iter().find(|p| p.proto == "dnp3").expect("a poll");
    assert_eq!((poll.periods.len(), poll.irregular), (1, 0));
    assert!((poll.periods[0] - SECOND).abs() < SECOND / 10, "{:?}", poll.periods);
    assert!(known.devices.iter().any(|d| d.address == "10.0.0.3" && !d.is_young));
    let devices = known.classes.iter().find(|c| c.class == Class::Device).expect("devices");
    assert_eq!((devices.worth.kinds, devices.full), (usual().worth(Class::Device).kinds, false));
}

#[test]
fn merged_baselines_keep_within_the_limit_and_say_what_is_full() {
    let mut b = usual();
    let mut limits = Limits::default();
    let all: u64 = Class::ALL.iter().map(|c| b.worth(*c).kinds).sum();
    limits.set(Limit::BaselineKeys, all as usize);
    b.keep_within(&limits);
    assert!(b.known().classes.iter().all(|c| !c.full), "just enough");
    limits.set(Limit::BaselineKeys, all as usize - 1);
    b.keep_within(&limits);
    assert_eq!(Class::ALL.iter().map(|c| b.worth(*c).kinds).sum::<u64>(), all - 1);
    assert_eq!(b.known().classes.iter().filter(|c| c.full).count(), 1);
    limits.set(Limit::BaselineKeys, 1);
    b.keep_within(&limits);
    assert!(b.known().points.len() <= 1 && b.known().devices.len() <= 1);
}

#[test]
fn a_part_speaks_as_old_as_the_whole() {
    let mut story = Story::default();
    let (whole, mut part) = (usual(), story.hours(4).learned());
    assert!(!whole.is_young() && part.is_young());
    part.stand_for(&whole);
    assert!(!part.is_young());
    let hours = part.hours();
    assert_eq!((whole.hours_shared(&[part.clone(), part]), whole.hours_shared(&[])), (hours, 0));
}

#[test]
fn damage_is_found_even_where_the_text_makes_sense() {
    let sound = bytes(&usual());
    let mut opened = 0;
    for at in (0..sound.len()).step_by(sound.len() / 50) {
        let mut damaged = sound.clone();
        damaged[at] ^= 4;
        if let Ok(b) = Baseline::read(&mut &damaged[..], &Limits::default()) {
            assert_eq!(bytes(&b), sound, "what opens is what was written: {at}");
            opened += 1;
        }
    }
    assert!(opened <= 2, "{opened}");
    let cut = &sound[..sound.len() / 2];
    assert!(Baseline::read(&mut &cut[..], &Limits::default()).is_err());
}

#[test]
fn halves_merged_know_what_the_whole_knows() {
    let mut whole = Story::default();
    whole.hours(8);
    let half = whole.facts.len() / 2;
    let learn = |range: std::ops::Range<usize>| {
        let mut l = Learner::new(&Limits::default(), Maintenance::default(), BTreeSet::new());
        l.batch(&whole.facts[range], &whole.flows);
        l.finish().0
    };
    let mut merged = learn(0..half);
    merged.merge(&learn(half..whole.facts.len()));
    let all = whole.learned();
    for class in Class::ALL {
        assert_eq!(merged.worth(class), all.worth(class), "{}", class.name());
    }
    assert_eq!((merged.hours(), merged.span()), (all.hours(), all.span()));
}

#[test]
fn a_full_table_makes_its_classes_mute_never_wrong() {
    let mut limits = Limits::default();
    limits.set(Limit::BaselineKeys, 3);
    let mut story = Story::default();
    story.hours(7);
    let b = story.learned_without(&limits, Maintenance::default(), BTreeSet::new());
    let mut s = Story::default();
    s.hours(1);
    assert_eq!(judged(&s, &Setup { baseline: Some(Arc::new(b)), ..Setup::default() }), []);
}

#[test]
fn batches_change_nothing() {
    let mut s = Story::default();
    s.minute(0).service(MINUTE, (99, PLC), 502, "modbus");
    s.tell(MINUTE, (99, PLC), 502, op("modbus", OpClass::SetPoint, 6, 40));
    let setup = Setup { baseline: Some(Arc::new(usual())), ..Setup::default() };
    let by = |size: usize| -> Vec<Finding> {
        let mut detectors = Detectors::new(&setup, &[], &[]);
        s.facts.chunks(size).for_each(|facts| detectors.batch(facts, &s.flows, &|_| Arc::from("a")));
        detectors.finish(&Devices::new(&Limits::default()).finish(), &|_| Arc::from("a"))
    };
    let ids = |f: Vec<Finding>| f.into_iter().map(|f| (f.id, f.raised, f.count)).collect::<Vec<_>>();
    assert_eq!(ids(by(1)), ids(by(1_000)));
    assert!(!by(7).is_empty());
}
