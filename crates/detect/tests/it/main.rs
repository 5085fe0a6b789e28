//! Detectors and devices on facts made by hand: what fires, what nearly does, and what limits do.
#![allow(clippy::print_stdout)]

mod baseline;
mod changes;
mod conduct;
mod decoded;
mod folding;
mod full_tables;
mod in_packet;
mod inventory;
mod silence;
mod time;

use std::sync::Arc;

use detect::{Detectors, Devices, Maintenance, Setup, Site};
use gwcore::time::{HOUR, MINUTE, SECOND};
use gwcore::{
    Addr, Body, Fact, Finding, FlowConst, FlowRef, Key, Limit, Limits, Mac, Op, OpClass, PointId, Severity, State, Ts,
};

/// Facts with their flows, in order.
#[derive(Default)]
struct Story {
    facts: Vec<Fact>,
    flows: Vec<FlowConst>,
}

const START: Ts = Ts(1_700_000_000 * SECOND);

fn ip(n: u8) -> Addr {
    Addr::v4([10, 0, 0, n])
}

fn mac(n: u8) -> Mac {
    Mac([0, 0x30, 0xa7, 0, 0, n])
}

impl Story {
    fn tell(&mut self, at: i64, (src, dst): (u8, u8), dst_port: u16, body: Body) -> &mut Self {
        let flow = FlowConst {
            src: ip(src),
            dst: ip(dst),
            src_mac: mac(src),
            dst_mac: mac(dst),
            src_port: 40_000,
            dst_port,
            ip_proto: 6,
            vlans: [0xffff; 2],
            ..FlowConst::default()
        };
        let n = self.facts.len() as u32;
        let key = Key { step: u64::from(n) * 2 + 1, ..Key::default() };
        let ts = START.plus(at);
        self.facts.push(Fact { key, ts, frame: u64::from(n) + 1, flow: FlowRef(n * 2), body });
        self.flows.push(flow);
        self
    }

    /// The same over another protocol of IP than TCP.
    fn tell_over(&mut self, ip_proto: u8, at: i64, ends: (u8, u8), dst_port: u16, body: Body) -> &mut Self {
        self.tell(at, ends, dst_port, body);
        if let Some(flow) = self.flows.last_mut() {
            flow.ip_proto = ip_proto;
        }
        self
    }

    /// A second of packet time begins.
    fn tick(&mut self, at: i64) -> &mut Self {
        self.tell(at, (0, 0), 0, Body::Tick { frames: 1 });
        if let (Some(flow), Some(fact)) = (self.flows.last_mut(), self.facts.last_mut()) {
            *flow = FlowConst { vlans: [0xffff; 2], ..FlowConst::default() };
            fact.frame = 0;
        }
        self
    }

    fn findings_with(&self, limits: &Limits) -> Vec<Finding> {
        self.findings_under(&Setup::new(limits))
    }

    fn findings_under(&self, setup: &Setup) -> Vec<Finding> {
        let mut detectors = Detectors::new(setup, &[], &[]);
        let mut devices = Devices::new(&setup.limits);
        let file: Arc<str> = Arc::from("a.pcap");
        detectors.batch(&self.facts, &self.flows, &|_| file.clone());
        devices.batch(&self.facts, &self.flows);
        let inventory = devices.finish();
        let findings = detectors.finish(&inventory, &|_| file.clone());
        for part in 1..=3 {
            let cut = self.cut(self.facts.len() * part / 4, setup);
            let same = format!("{findings:?} {:?}", inventory.devices);
            assert!(cut == same, "cut at {part} of 4:\n{cut}\nnot cut:\n{same}");
        }
        findings
    }

    /// Findings and devices where the state is written and read after so many facts.
    fn cut(&self, at: usize, setup: &Setup) -> String {
        let file: Arc<str> = Arc::from("a.pcap");
        let (before, after) = self.facts.split_at(at);
        let new = || (Detectors::new(setup, &[], &[]), Devices::new(&setup.limits));
        let (mut detectors, mut devices) = new();
        detectors.batch(before, &self.flows, &|_| file.clone());
        devices.batch(before, &self.flows);
        let mut state = State::default();
        detectors.keep(&mut state);
        devices.keep(&mut state);
        let state = State::from_bytes(state.to_bytes()).expect("a sound state");
        let (mut detectors, mut devices) = new();
        detectors.restore(&state).expect("detectors");
        devices.restore(&state).expect("devices");
        detectors.batch(after, &self.flows, &|_| file.clone());
        devices.batch(after, &self.flows);
        let inventory = devices.finish();
        format!("{:?} {:?}", detectors.finish(&inventory, &|_| file.clone()), inventory.devices)
    }

    fn findings(&self) -> Vec<Finding> {
        self.findings_with(&Limits::default())
    }
}

fn refused_attempt(start: Ts) -> Body {
    Body::FlowEnd { state: "REJ", packets: [1, 1], bytes: [0, 0], start, service: "" }
}

fn scan(targets: u16, step: i64) -> Story {
    let mut s = Story::default();
    for port in 0..targets {
        let at = i64::from(port) * step;
        s.tell(at, (1, 2), 1_000 + port, refused_attempt(START.plus(at)));
    }
    s
}

#[test]
fn twenty_refused_ports_are_a_scan_and_nineteen_are_not() {
    assert!(scan(19, SECOND).findings().is_empty());
    let found = scan(20, SECOND).findings();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].detector, found[0].severity), ("scan", Severity::Medium));
    assert_eq!((found[0].ts, found[0].raised), (START, START.plus(19 * SECOND)));
    assert!(found[0].src.asset.is_some() && found[0].packets[0].frame == 20);
}

#[test]
fn evidence_that_comes_late_is_raised_late() {
    let mut s = scan(19, SECOND);
    s.tick(60 * SECOND).tell(19 * SECOND, (1, 2), 1_019, refused_attempt(START.plus(19 * SECOND)));
    let found = s.findings();
    assert_eq!((found[0].ts_end, found[0].raised), (START.plus(19 * SECOND), START.plus(60 * SECOND)));
}

#[test]
fn declared_work_speaks_one_step_lower_for_its_device_only() {
    let severity = |asset: &str| {
        let csv = format!("{START},{},{asset},relay test", START.plus(MINUTE));
        let maintenance = Arc::new(Maintenance::parse(&csv).unwrap());
        let found = scan(20, SECOND).findings_under(&Setup { maintenance, ..Setup::default() });
        (found[0].severity, found[0].evidence.more.get("maintenance").cloned())
    };
    assert_eq!(severity("10.0.0.2"), (Severity::Low, Some("relay test".into())));
    assert_eq!(severity("10.0.0.3"), (Severity::Medium, None));
    assert_eq!(severity("").0, Severity::Low);
}

#[test]
fn findings_speak_the_site_s_names() {
    let text = "[[device]]\nname = \"RTU North\"\naddresses = [\"10.0.0.2\"]";
    let site = Arc::new(Site::parse(text, &|_| Err(String::new())).unwrap());
    let found = scan(20, SECOND).findings_under(&Setup { site, ..Setup::default() });
    assert_eq!(found[0].dst.name.as_deref(), Some("RTU North"));
    assert_eq!(found[0].dedup_key, "10.0.0.1:ports");
}

#[test]
fn a_scan_and_a_flood_begin_with_their_first_attempt_and_not_with_a_failure_before() {
    let begins = |story: &Story, detector: &str| {
        let found = story.findings();
        let f = found.iter().find(|f| f.detector == detector).expect("a finding");
        f.episodes.first().map(|e| e.ts.since(START))
    };
    let refused = |pause: i64, step: i64| {
        let mut s = Story::default();
        s.tell(0, (1, 2), 443, refused_attempt(START));
        for port in 0..25 {
            let at = pause + i64::from(port) * step;
            s.tell(at, (1, 2), 1_000 + port, refused_attempt(START.plus(at)));
        }
        s
    };
    assert_eq!(begins(&refused(MINUTE, SECOND / 20), "scan"), Some(MINUTE));
    assert_eq!(begins(&refused(10 * SECOND, 10 * SECOND), "scan"), Some(0), "slow from the beginning");
    let mut flood = Story::default();
    (0..3).for_each(|i| _ = flood.tell(i * SECOND, (1, 2), 502, Body::FlowStart));
    (0..2_000).for_each(|i| _ = flood.tell(5 * SECOND + i * SECOND / 1_000, (1, 2), 502, Body::FlowStart));
    let begun = begins(&flood, "flood").unwrap();
    assert!((5 * SECOND..5 * SECOND + SECOND / 100).contains(&begun), "{begun}");
}

#[test]
fn lone_probes_and_their_resets_are_a_scan_and_cut_sessions_are_not() {
    let probes = |packets: [u64; 2]| {
        let mut s = Story::default();
        for port in 0..30 {
            let end = Body::FlowEnd { state: "RSTR", packets, bytes: [0, 0], start: START, service: "" };
            s.tell(0, (1, 2), 1_000 + port, end);
        }
        s.findings().iter().filter(|f| f.detector == "scan").count()
    };
    assert_eq!((probes([1, 1]), probes([3, 2])), (1, 0));
}

/// What thirty flows of one state are found to be, to thirty hosts or to thirty ports of one.
fn scans(hosts: bool, state: &'static str, packets: [u64; 2], bytes: [u64; 2]) -> usize {
    let mut s = Story::default();
    for n in 0..30 {
        let (peer, port) = if hosts { (2 + n as u8, 443) } else { (2, 1_000 + n) };
        s.tell(0, (1, peer), port, Body::FlowEnd { state, packets, bytes, start: START, service: "" });
    }
    s.findings().iter().filter(|f| f.detector == "scan").count()
}

#[test]
fn sessions_older_than_the_capture_are_no_scan() {
    // Both sides spoke, then one ended it or reset it.
    for state in ["SH", "RSTOS0", "RSTRH"] {
        assert_eq!(scans(true, state, [40, 38], [900, 4_000]), 0, "{state}");
        assert_eq!(scans(true, state, [2, 2], [0, 0]), 0, "{state}");
    }
    // A browser leaves: a FIN to every host whose session was idle; a keep-alive to each.
    assert_eq!((scans(true, "SH", [1, 0], [0, 0]), scans(true, "OTH", [1, 0], [0, 0])), (0, 0));
    // FIN probes of one host's ports, and resets that answer lone ACKs of many.
    assert_eq!((scans(false, "SH", [1, 0], [0, 0]), scans(true, "RSTRH", [1, 1], [0, 0])), (1, 1));
    assert_eq!((scans(true, "S0", [3, 0], [0, 0]), scans(true, "REJ", [3, 3], [0, 0])), (1, 1));
}

#[test]
fn many_ip_protocols_of_one_host_are_a_scan() {
    let probes = |protocols: std::ops::Range<u8>, answered: u64| {
        let mut s = Story::default();
        for n in protocols {
            let end = Body::FlowEnd { state: "OTH", packets: [1, answered], bytes: [0, 0], start: START, service: "" };
            s.tell_over(n, 0, (1, 2), 0, end);
        }
        s.findings().iter().filter(|f| f.detector == "scan").map(|f| f.title.clone()).collect::<Vec<_>>()
    };
    assert_eq!(probes(120..140, 0), ["10.0.0.1 tries many IP protocols"]);
    assert!(probes(120..139, 0).is_empty() && probes(120..140, 1).is_empty());
}

#[test]
fn a_capture_of_one_direction_shows_no_scan() {
    let questions = |sessions: u8| {
        let mut s = Story::default();
        for n in 0..30 {
            let body = |state, bytes| Body::FlowEnd { state, packets: [2, 0], bytes, start: START, service: "" };
            s.tell_over(17, 0, (1, 100 + n), 443, body("S0", [1_200, 0]));
            if n < sessions {
                s.tell_over(6, 0, (1, 50 + n), 443, body("OTH", [517, 0]));
            }
        }
        s.findings().iter().filter(|f| f.detector == "scan").count()
    };
    // Sessions that go on without an answer show that answers were not captured.
    assert_eq!((questions(30), questions(5), questions(0)), (0, 1, 1));
}

#[test]
fn a_crowd_of_sources_is_told_as_one() {
    let bad = |s: &mut Story, source: u8, at: i64| {
        _ = s.tell(at, (source, 250), 20_000, Body::Anomaly { proto: "dnp3", reason: "crc_error" });
    };
    let mut s = Story::default();
    (1..=100).for_each(|n| bad(&mut s, n, i64::from(n) * SECOND));
    (1..=100).for_each(|n| bad(&mut s, n, i64::from(100 + n) * SECOND));
    let found = s.findings();
    assert_eq!((found.len(), found.iter().map(|f| f.count).sum::<u64>()), (33, 200), "nothing is lost");
    let many = found.iter().find(|f| f.dedup_key.starts_with("many>")).unwrap();
    assert_eq!((many.count, many.src.ip.as_deref(), many.dst.ip.as_deref()), (136, None, Some("10.0.0.250")));
    assert!(many.title.starts_with("Many sources: ") && many.why.contains("More than 32 sources"), "{}", many.why);
    // What concerns the segment is told so whoever the packets were for.
    let mut s = Story::default();
    (1..=100).for_each(|n| _ = s.tell(i64::from(n) * SECOND, (n, 101 + n), 68, Body::Role("dhcp_server")));
    let found = s.findings();
    let many = found.iter().find(|f| f.dedup_key == "many>the segment").unwrap();
    assert_eq!((found.len(), many.count, many.dst.ip.as_deref()), (33, 67, None));
    // One source that does many things is no crowd, and a day later sources are told by themselves again.
    let mut s = Story::default();
    (0..100).for_each(|port| _ = s.tell(0, (1, 2), port, Body::Service { proto: "dnp3", server_is_responder: true }));
    assert_eq!(s.findings().iter().filter(|f| f.detector == "unexpected-port").count(), 100);
    let mut s = Story::default();
    (1..=40).for_each(|n| bad(&mut s, n, 0));
    bad(&mut s, 40, 25 * 3_600 * SECOND);
    assert_eq!(s.findings().len(), 34);
}

#[test]
fn a_slow_client_of_a_dead_server_is_no_scan() {
    assert!(scan(60, MINUTE).findings().is_empty());
}

fn op(class: OpClass, address: u32, refused: Option<(u16, &'static str)>) -> Body {
    let point = Some(PointId { table: "coil", unit: 1, address });
    Body::Op(Op {
        proto: "modbus",
        class,
        function: 5,
        name: "write_single_coil",
        point,
        points: 1,
        value: Some(1.0),
        action: "on",
        is_answer: refused.is_some(),
        refused,
    })
}

#[test]
fn refusals_make_a_finding_when_many_and_different() {
    let series = |n: u32, different: u32| {
        let mut s = Story::default();
        for i in 0..n {
            s.tell(
                i64::from(i) * SECOND,
                (2, 1),
                40_000,
                op(OpClass::Control, i % different, Some((2, "illegal_data_address"))),
            );
        }
        s.findings().iter().filter(|f| f.detector == "refused-commands").count()
    };
    assert_eq!(series(9, 9), 0);
    assert_eq!(series(10, 3), 0, "one request repeated is a wrong point list");
    assert_eq!(series(10, 4), 1);
}

#[test]
fn repeats_fold_into_episodes_and_an_hour_of_silence_opens_a_new_finding() {
    let mut s = Story::default();
    for at in [0, SECOND, 10 * MINUTE, 20 * MINUTE + 2 * HOUR] {
        s.tell(at, (1, 2), 502, op(OpClass::Control, 7, None));
    }
    let found = s.findings();
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].count, found[0].episodes.len(), found[0].rev), (3, 2, 3));
    assert_eq!((found[0].episodes[0].count, found[0].episodes[1].count), (2, 1));
    assert_ne!(found[0].id, found[1].id);
    assert_eq!(found[0].severity, Severity::Info);
}

#[test]
fn two_macs_in_turn_contest_an_address_and_a_replacement_does_not() {
    let claims = |macs: &[u8], step: i64| {
        let mut s = Story::default();
        for (i, m) in macs.iter().enumerate() {
            s.tell(i as i64 * step, (1, 2), 0, Body::Claim { addr: ip(9), mac: mac(*m), source: "arp" });
        }
        s.findings().iter().filter(|f| f.detector == "contested-address").count()
    };
    assert_eq!(claims(&[1, 1, 2, 2], SECOND), 0, "replaced");
    assert_eq!(claims(&[1, 2, 1], SECOND), 1);
    assert_eq!(claims(&[1, 2, 1], HOUR), 0, "an hour apart");
}

#[test]
fn beyond_the_limit_of_open_findings_the_silent_ones_close_and_none_is_lost() {
    let (mut limits, mut fewer) = (Limits::default(), Limits::default());
    limits.set(Limit::Findings, 2);
    fewer.set(Limit::FindingsKept, 2);
    let mut s = Story::default();
    for target in 10..15 {
        s.tell(i64::from(target) * MINUTE, (1, target), 502, op(OpClass::Control, 1, None));
    }
    let ids = |limits: &Limits| s.findings_with(limits).into_iter().map(|f| f.id).collect::<Vec<_>>();
    assert_eq!((ids(&Limits::default()).len(), ids(&limits)), (5, ids(&Limits::default())));
    let hits = |limits: &Limits, which| {
        let mut detectors = Detectors::new(&Setup::new(limits), &[], &[]);
        detectors.batch(&s.facts, &s.flows, &|_| Arc::from("a"));
        // A command is told with its answer: without one and without a tick it waits for the end.
        detectors.finish(&Devices::new(limits).finish(), &|_| Arc::from("a"));
        detectors.hits().count(which)
    };
    assert!(hits(&limits, Limit::Findings) > 0);
    fewer.set(Limit::Findings, 1);
    assert!(s.findings_with(&fewer).len() < 5 && hits(&fewer, Limit::FindingsKept) > 0);
}

#[test]
fn a_mac_in_front_of_many_addresses_is_a_router_and_they_are_devices() {
    let mut s = Story::default();
    for n in 1..=6 {
        s.tell(0, (n, 100), 502, Body::FlowStart);
    }
    s.flows.iter_mut().for_each(|f| f.src_mac = mac(200));
    s.tell(0, (201, 202), 0, Body::Claim { addr: ip(254), mac: mac(200), source: "arp" });
    let mut devices = Devices::new(&Limits::default());
    devices.batch(&s.facts, &s.flows);
    let inventory = devices.finish();
    let router = inventory.devices.iter().find(|d| d.roles.contains(&"router")).expect("a router");
    assert_eq!((&router.ips[..], router.vendor), (&["10.0.0.254".to_owned()][..], Some("SCHWEITZER ENGINEERING")));
    assert_eq!(inventory.devices.iter().filter(|d| d.macs.is_empty()).count(), 6);
    assert!(inventory.id(mac(200), ip(3)).is_some_and(|id| id != router.id));
}

#[test]
fn every_detector_is_documented_and_numbered_once() {
    let mut numbers: Vec<u32> = detect::META.iter().map(|m| m.number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), detect::META.len());
    for m in detect::META {
        assert!(m.finds.ends_with('.') && !m.innocent.is_empty() && !m.call.is_empty(), "{}", m.id);
        let page = [m.finds, m.innocent, m.call].join(" ").to_lowercase();
        for word in ["attack", "malicious", "compliant", "certified", "guaranteed", "violation"] {
            assert!(!page.contains(word), "`{}` says `{word}`", m.id);
        }
    }
}
