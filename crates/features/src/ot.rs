//! What a client and a server said to each other in a minute in a utility protocol: functions, points, pace, answers, values, counters.

use std::collections::{BTreeMap, BTreeSet};

use gwcore::time::MINUTE;
use gwcore::{Addr, AgedTable, Body, Fact, FlowConst, Limit, LimitHits, Limits, Op, OpClass, Published, Sample, Ts};

use crate::family::{Family, Identity, Row, family};
use crate::host::{follows, is_change};
use crate::minutes::{FlowMinutes, Traffic, ends};

family! {
    /// What a client and a server said to each other in a minute in a utility protocol.
    pub struct Ot = "ot", version 1, "a client and a server (of GOOSE: a publisher and its group) and a minute with such a message" {
        /// Requests.
        requests [""] "fact Op",
        /// Share of reads among the requests. Absent without requests, as all shares of them.
        read_share [""] "fact Op: Read",
        /// Share of commands to outputs: select, operate, cancel.
        control_share [""] "fact Op: Select, Control, Cancel",
        /// Share of set points.
        setpoint_share [""] "fact Op: SetPoint",
        /// Share of parameters, modes, restarts, times, clearing, programs and files.
        engineering_share [""] "fact Op: Parameter, Mode, Restart, TimeSet, Clear, Download, Upload, Delete",
        /// Share of identity and diagnostics.
        identify_share [""] "fact Op: Identify",
        /// Commands, set points and engineering requests.
        changes [""] "fact Op",
        /// Changes for each read: ln((changes + 1) / (reads + 1)).
        change_read_ratio [""] "fact Op",
        /// Jensen and Shannon's distance (base 2) between the functions of this minute and those of the pair before; absent before 50 of these.
        function_distance [""] "fact Op; Lin 1991",
        /// Different functions.
        functions [""] "fact Op",
        /// Functions the pair never used before. Absent in the first ten minutes of the input, as all that is new.
        new_functions [""] "fact Op",
        /// Different first points of requests.
        points [""] "fact Op",
        /// First points the pair never asked for before, with their function.
        new_points [""] "fact Op",
        /// Share of requests whose first point follows that of the request before.
        sequential_share [""] "fact Op",
        /// 1 where the pair exchanged its first request less than ten minutes before, else 0.
        is_new_pair [""] "fact Op",
        /// 1 where the client itself has served requests of others, else 0.
        client_serves [""] "fact Op",
        /// Clients that sent the server requests in this minute.
        clients [""] "fact Op",
        /// Refused requests.
        refused [""] "fact Op: answers that refuse",
        /// Share of refusals among the answers. Absent without answers.
        refused_share [""] "fact Op: answers that refuse",
        /// Answers for each request. Absent without requests.
        answered_share [""] "fact Op",
        /// Mean departure of the pauses between equal requests from their usual length, as a share of that. Absent where none came again.
        poll_jitter [""] "fact Op",
        /// Shortest pause between equal requests as a share of the usual one. Absent where none came again.
        poll_shortest [""] "fact Op",
        /// Mean time from a command, or a request that is refused, to its answer. Absent without such answers.
        response_ms ["ms"] "fact Op",
        /// Longest of these times.
        response_max_ms ["ms"] "fact Op",
        /// The mean time for the pair's usual one. Absent before 50 such answers.
        response_ratio [""] "fact Op",
        /// Messages sent unasked.
        reported [""] "fact Reported",
        /// Values reported or read.
        samples [""] "fact Sample",
        /// Share of measured values that differ from the one before of their point. Absent without a second value.
        moved_share [""] "fact Sample",
        /// Usual share of the same, over the pair's last hundreds of values, less that of this minute. Absent before 100 values.
        moved_less [""] "fact Sample",
        /// Values outside all seen before, of points with 30 or more.
        outside [""] "fact Sample",
        /// Largest step of a value for the mean step of its point. Absent before 30 steps of one.
        step [""] "fact Sample",
        /// Commanded or set values outside all those commanded or set before, of points with 3 or more.
        commanded_outside [""] "fact Sample: written",
        /// Bad quality among the values.
        bad_quality [""] "fact Sample",
        /// Numbered messages published.
        published [""] "fact Published (GOOSE)",
        /// Their state changes.
        published_changes [""] "fact Published",
        /// State or sequence numbers that did not follow from those before.
        published_jumps [""] "fact Published; IEC 61850-8-1 §18",
        /// State numbers lower than before.
        published_backwards [""] "fact Published",
        /// Other values under an unchanged state number.
        published_contradictions [""] "fact Published",
        /// Longest pause between two messages for the time that the first allowed. Absent without two.
        published_late [""] "fact Published: timeAllowedtoLive",
        /// Shortest pause between two messages for the usual one. Absent without two.
        published_early [""] "fact Published",
        /// Messages marked as simulated or for test, of another configuration revision, or of another data set than before.
        published_odd [""] "fact Published",
        /// Senders of the stream that has the most of them.
        publishers [""] "fact Published",
        /// Packets of the client.
        packets_client [""] "flow_minute",
        /// Packets of the server.
        packets_server [""] "flow_minute",
        /// Bytes of the client.
        bytes_client ["B"] "flow_minute",
        /// Bytes of the server.
        bytes_server ["B"] "flow_minute",
        /// Connections begun.
        begun [""] "fact FlowStart",
        /// Things wrong with the traffic.
        anomalies [""] "fact Anomaly",
    }
}

const WARM_UP: i64 = 10 * MINUTE;
/// Members of one set in a window; beyond it the count stays.
const MEMBERS: usize = 4_096;
const KNOWN_VALUES: u32 = 30;
const KNOWN_COMMANDS: u32 = 3;
/// Requests or answers before a pair's usual is known.
const USUAL: f64 = 50.0;
/// How fast the usual follows what is new.
const PACE: f64 = 0.05;

type Pair = (Addr, Addr);

#[derive(Default)]
struct Window {
    frame: (u32, u64),
    is_ot: bool,
    requests: u64,
    reads: u64,
    controls: u64,
    setpoints: u64,
    engineering: u64,
    identify: u64,
    changes: u64,
    functions: BTreeMap<(&'static str, u16), u64>,
    new_functions: u64,
    points: BTreeSet<(&'static str, u32, u32)>,
    new_points: u64,
    sequential: u64,
    last_point: Option<(&'static str, u32, u64)>,
    answers: u64,
    refused: u64,
    jitter: (f64, u64),
    shortest: Option<f64>,
    response: (f64, u64),
    response_max: f64,
    reported: u64,
    samples: u64,
    moved: (u64, u64),
    outside: u64,
    step: Option<f64>,
    commanded_outside: u64,
    bad_quality: u64,
    published: u64,
    published_changes: u64,
    published_jumps: u64,
    published_backwards: u64,
    published_contradictions: u64,
    published_late: Option<f64>,
    published_early: Option<f64>,
    published_odd: u64,
    publishers: u64,
    traffic: Traffic,
    begun: u64,
    anomalies: u64,
}

/// What is kept of a pair.
struct State {
    first: Ts,
    functions: BTreeMap<(&'static str, u16), f64>,
    total: f64,
    asked: Option<Ts>,
    response: f64,
    answers: f64,
    moved: f64,
    values: f64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Poll(Addr, Addr, &'static str, u16, Option<(&'static str, u32, u32)>);

#[derive(Clone, Copy)]
struct Seen {
    last: f64,
    min: f64,
    max: f64,
    n: u32,
    step: f64,
}

struct Stream {
    last: Published,
    at: Ts,
    usual: f64,
    n: u64,
    senders: BTreeSet<Addr>,
}

/// Gathers the minutes of all pairs; rows come out in order of time and addresses.
pub struct Pairs {
    minute: Option<Ts>,
    first: Option<Ts>,
    windows: BTreeMap<Pair, Window>,
    states: AgedTable<Pair, State>,
    polls: AgedTable<Poll, (Ts, f64, u32)>,
    points: AgedTable<(Pair, &'static str, &'static str, u32, u32, bool), Seen>,
    streams: AgedTable<Box<str>, Stream>,
    servers: AgedTable<Addr, ()>,
    limit: usize,
    /// Limits hit.
    pub hits: LimitHits,
}

impl Pairs {
    /// Nothing seen yet.
    pub fn new(limits: &Limits) -> Pairs {
        let of = |limit| limits.get(limit);
        Pairs {
            minute: None,
            first: None,
            windows: BTreeMap::new(),
            states: AgedTable::new(Limit::DetectorSources, of(Limit::DetectorSources)),
            polls: AgedTable::new(Limit::BaselineKeys, of(Limit::BaselineKeys)),
            points: AgedTable::new(Limit::Points, of(Limit::Points)),
            streams: AgedTable::new(Limit::Publishers, of(Limit::Publishers)),
            servers: AgedTable::new(Limit::Devices, of(Limit::Devices)),
            limit: of(Limit::DetectorSources),
            hits: LimitHits::default(),
        }
    }

    /// The family.
    pub fn family() -> Family {
        Ot::family()
    }

    fn window(&mut self, pair: Pair, fact: &Fact, flow: &FlowConst) -> Option<&mut Window> {
        if self.windows.len() >= self.limit && !self.windows.contains_key(&pair) {
            self.hits.hit(Limit::DetectorSources);
            return None;
        }
        let w = self.windows.entry(pair).or_default();
        if fact.frame != 0 {
            w.frame = (flow.file, fact.frame);
        }
        Some(w)
    }

    /// What is kept of a pair; there is always something.
    fn state(&mut self, pair: Pair, at: Ts) -> Option<&mut State> {
        if self.states.get(&pair).is_none() {
            let state = State {
                first: at,
                functions: BTreeMap::new(),
                total: 0.0,
                asked: None,
                response: 0.0,
                answers: 0.0,
                moved: 0.0,
                values: 0.0,
            };
            if self.states.insert(pair, state).is_some() {
                self.hits.hit(Limit::DetectorSources);
            }
        }
        self.states.get_mut(&pair)
    }

    /// Takes a fact in.
    pub fn fact(&mut self, fact: &Fact, flow: &FlowConst) {
        self.first.get_or_insert(fact.ts.minute());
        self.minute.get_or_insert(fact.ts.minute());
        let (from, to) = ends(flow, fact.flow);
        match &fact.body {
            Body::Op(op) if op.is_answer => self.answer(fact, flow, op, (to, from)),
            Body::Op(op) => self.request(fact, flow, op, (from, to)),
            Body::Sample(s) if s.write => self.command(fact, flow, s, (from, to)),
            Body::Sample(s) => self.sample(fact, flow, s, (to, from)),
            Body::Reported { .. } => {
                if let Some(w) = self.window((to, from), fact, flow) {
                    w.is_ot = true;
                    w.reported += 1;
                }
            }
            Body::Published(p) => self.publish(fact, flow, p, (from, to)),
            Body::FlowStart => {
                if let Some(w) = self.window((from, to), fact, flow) {
                    w.begun += 1;
                }
            }
            Body::Anomaly { .. } => {
                let pair = if self.windows.contains_key(&(to, from)) { (to, from) } else { (from, to) };
                if let Some(w) = self.window(pair, fact, flow) {
                    w.anomalies += 1;
                }
            }
            _ => {}
        }
    }

    fn request(&mut self, fact: &Fact, flow: &FlowConst, op: &Op, pair: Pair) {
        let point = op.point.map(|p| (p.table, p.unit, p.address));
        let function = (op.proto, op.function);
        let Some(state) = self.state(pair, fact.ts) else { return };
        state.asked = Some(fact.ts);
        let new_function = !state.functions.contains_key(&function);
        let key = Poll(pair.0, pair.1, op.proto, op.function, point);
        let mut pause = None;
        let new_point = match self.polls.get_mut(&key) {
            Some((last, usual, n)) => {
                let gap = fact.ts.since(*last).max(0) as f64;
                if *n >= 2 && *usual > 0.0 {
                    pause = Some(gap / *usual);
                }
                *usual = if *n < 2 { gap } else { *usual + PACE * (gap - *usual) };
                (*last, *n) = (fact.ts, n.saturating_add(1).max(2));
                false
            }
            None => {
                if self.polls.insert(key, (fact.ts, 0.0, 1)).is_some() {
                    self.hits.hit(Limit::BaselineKeys);
                }
                true
            }
        };
        if self.servers.get(&pair.1).is_none() {
            self.servers.insert(pair.1, ());
        }
        let Some(w) = self.window(pair, fact, flow) else { return };
        w.is_ot = true;
        w.requests += 1;
        match op.class {
            OpClass::Read => w.reads += 1,
            OpClass::Select | OpClass::Control | OpClass::Cancel => w.controls += 1,
            OpClass::SetPoint => w.setpoints += 1,
            OpClass::Identify => w.identify += 1,
            c if is_change(c) || c == OpClass::Upload => w.engineering += 1,
            _ => {}
        }
        w.changes += u64::from(is_change(op.class));
        if w.functions.len() < MEMBERS {
            let n = w.functions.entry(function).or_default();
            w.new_functions += u64::from(new_function && *n == 0);
            *n += 1;
        }
        w.new_points += u64::from(new_point && point.is_some());
        if let Some((table, unit, address)) = point {
            let next = u64::from(address) + u64::from(op.points.max(1));
            w.sequential += u64::from(w.last_point == Some((table, unit, u64::from(address))));
            w.last_point = Some((table, unit, next));
            if w.points.len() < MEMBERS {
                w.points.insert((table, unit, address));
            }
        }
        if let Some(p) = pause {
            w.jitter = (w.jitter.0 + (p - 1.0).abs().min(100.0), w.jitter.1 + 1);
            w.shortest = Some(w.shortest.map_or(p, |s| s.min(p)));
        }
    }

    fn answer(&mut self, fact: &Fact, flow: &FlowConst, op: &Op, pair: Pair) {
        let Some(state) = self.state(pair, fact.ts) else { return };
        let took = state.asked.take().map(|at| fact.ts.since(at).max(0) as f64 / 1e6);
        let Some(w) = self.window(pair, fact, flow) else { return };
        w.is_ot = true;
        w.answers += 1;
        w.refused += u64::from(op.refused.is_some());
        if let Some(ms) = took {
            w.response = (w.response.0 + ms, w.response.1 + 1);
            w.response_max = w.response_max.max(ms);
        }
    }

    fn sample(&mut self, fact: &Fact, flow: &FlowConst, s: &Sample, pair: Pair) {
        let key = (pair, s.proto, s.point.table, s.point.unit, s.point.address, false);
        let (mut moved, mut outside, mut step) = (None, false, None);
        match self.points.get_mut(&key) {
            Some(seen) => {
                let by = (s.value - seen.last).abs();
                if by.is_finite() && !s.discrete {
                    moved = Some(by > 0.0);
                    step = (seen.n >= KNOWN_VALUES && seen.step > 0.0).then(|| by / seen.step);
                    seen.step += (by - seen.step) * if seen.n < 20 { 1.0 / f64::from(seen.n) } else { PACE };
                }
                outside = seen.n >= KNOWN_VALUES && (s.value < seen.min || s.value > seen.max);
                (seen.min, seen.max) = (seen.min.min(s.value), seen.max.max(s.value));
                (seen.last, seen.n) = (s.value, seen.n.saturating_add(1));
            }
            None => {
                let seen = Seen { last: s.value, min: s.value, max: s.value, n: 1, step: 0.0 };
                if self.points.insert(key, seen).is_some() {
                    self.hits.hit(Limit::Points);
                }
            }
        }
        let Some(w) = self.window(pair, fact, flow) else { return };
        w.is_ot = true;
        w.samples += 1;
        if let Some(m) = moved {
            w.moved = (w.moved.0 + u64::from(m), w.moved.1 + 1);
        }
        w.outside += u64::from(outside);
        w.bad_quality += u64::from(!s.good);
        if let Some(step) = step {
            w.step = Some(w.step.map_or(step, |x| x.max(step)));
        }
    }

    fn command(&mut self, fact: &Fact, flow: &FlowConst, s: &Sample, pair: Pair) {
        let key = (pair, s.proto, s.point.table, s.point.unit, s.point.address, true);
        let mut outside = false;
        match self.points.get_mut(&key) {
            Some(seen) => {
                outside = seen.n >= KNOWN_COMMANDS && (s.value < seen.min || s.value > seen.max);
                (seen.min, seen.max, seen.n) = (seen.min.min(s.value), seen.max.max(s.value), seen.n.saturating_add(1));
            }
            None => {
                self.points.insert(key, Seen { last: s.value, min: s.value, max: s.value, n: 1, step: 0.0 });
            }
        }
        let Some(w) = self.window(pair, fact, flow) else { return };
        w.is_ot = true;
        w.commanded_outside += u64::from(outside);
    }

    fn publish(&mut self, fact: &Fact, flow: &FlowConst, p: &Published, pair: Pair) {
        let mut new = Window::default();
        match self.streams.get_mut(&p.stream) {
            Some(s) => {
                let pause = fact.ts.since(s.at).max(0) as f64;
                new.published_changes = u64::from(p.state != s.last.state);
                new.published_jumps = u64::from(!follows((s.last.state, s.last.sequence), (p.state, p.sequence)));
                new.published_backwards = u64::from(p.state < s.last.state);
                new.published_contradictions = u64::from(p.state == s.last.state && p.values != s.last.values);
                new.published_late = (s.last.ttl > 0).then(|| pause / s.last.ttl as f64);
                new.published_early = (s.n >= 10 && s.usual > 0.0).then(|| pause / s.usual);
                let other = p.revision != s.last.revision || p.data_set != s.last.data_set;
                new.published_odd = u64::from(p.simulated || other);
                s.usual += (pause - s.usual) * if s.n < 20 { 1.0 / (s.n as f64) } else { PACE };
                s.n += 1;
                (s.last, s.at) = (p.clone(), fact.ts);
                if s.senders.len() < 64 {
                    s.senders.insert(pair.0);
                }
                new.publishers = s.senders.len() as u64;
            }
            None => {
                let senders = BTreeSet::from([pair.0]);
                let stream = Stream { last: p.clone(), at: fact.ts, usual: 0.0, n: 1, senders };
                if self.streams.insert(p.stream.clone(), stream).is_some() {
                    self.hits.hit(Limit::Publishers);
                }
                new.publishers = 1;
                new.published_odd = u64::from(p.simulated);
            }
        }
        let Some(w) = self.window(pair, fact, flow) else { return };
        w.is_ot = true;
        w.published += 1;
        w.published_changes += new.published_changes;
        w.published_jumps += new.published_jumps;
        w.published_backwards += new.published_backwards;
        w.published_contradictions += new.published_contradictions;
        w.published_odd += new.published_odd;
        w.publishers = w.publishers.max(new.publishers);
        let most = |a: Option<f64>, b: Option<f64>| a.into_iter().chain(b).max_by(f64::total_cmp);
        let least = |a: Option<f64>, b: Option<f64>| a.into_iter().chain(b).min_by(f64::total_cmp);
        w.published_late = most(w.published_late, new.published_late);
        w.published_early = least(w.published_early, new.published_early);
    }

    /// Takes a minute of a flow in; the pair is the one that its facts named, whoever began.
    pub fn minutes(&mut self, m: &FlowMinutes<'_>) {
        let turned = !self.windows.contains_key(&(m.orig, m.resp));
        let (pair, traffic) =
            if turned { ((m.resp, m.orig), m.traffic.turned()) } else { ((m.orig, m.resp), m.traffic) };
        if let Some(w) = self.windows.get_mut(&pair) {
            w.traffic.add(&traffic);
        }
    }

    /// Writes the minute at hand; the next one is that of `ts`.
    pub fn flush(&mut self, ts: Ts, rows: &mut Vec<Row>) {
        let Some(minute) = self.minute.replace(ts.minute()) else { return };
        let warm = self.first.is_some_and(|f| minute.since(f) >= WARM_UP);
        let windows = std::mem::take(&mut self.windows);
        let mut clients: BTreeMap<Addr, u64> = BTreeMap::new();
        for ((_, server), w) in &windows {
            *clients.entry(*server).or_default() += u64::from(w.requests > 0);
        }
        for (pair, w) in windows.into_iter().filter(|(_, w)| w.is_ot) {
            let clients = clients.get(&pair.1).copied().unwrap_or(0);
            let client_serves = self.servers.get(&pair.0).is_some();
            let values = self.values(minute, pair, &w, warm, clients, client_serves);
            let identity =
                Identity { ts: minute, end: minute.plus(MINUTE), src: pair.0, dst: pair.1, uid: None, frame: w.frame };
            rows.push(Row { identity, values: values.values() });
        }
    }

    fn values(&mut self, minute: Ts, pair: Pair, w: &Window, warm: bool, clients: u64, serves: bool) -> Ot {
        let n = |x: u64| Some(x as f64);
        let known = |x: u64| warm.then_some(x as f64);
        let share = |x: u64, of: u64| (of > 0).then(|| x as f64 / of as f64);
        let Some(state) = self.state(pair, minute) else { return Ot::default() };
        let distance = (state.total >= USUAL && w.requests > 0).then(|| distance(&w.functions, &state.functions));
        let response = (w.response.1 > 0).then(|| w.response.0 / w.response.1 as f64);
        let ratio = response.filter(|_| state.answers >= USUAL && state.response > 0.0).map(|r| r / state.response);
        let moved = share(w.moved.0, w.moved.1);
        let less = moved.filter(|_| state.values >= 100.0).map(|m| state.moved - m);
        let is_new = minute.plus(MINUTE).since(state.first) < WARM_UP;
        // What the pair usually does follows slowly, a minute at a time.
        for (f, k) in &w.functions {
            if state.functions.len() < MEMBERS || state.functions.contains_key(f) {
                *state.functions.entry(*f).or_default() += *k as f64;
            }
        }
        state.total += w.requests as f64;
        if let Some(r) = response {
            state.response = usual(state.response, r, state.answers);
            state.answers += w.response.1 as f64;
        }
        if let Some(m) = moved {
            state.moved = usual(state.moved, m, state.values);
            state.values += w.moved.1 as f64;
        }
        Ot {
            requests: n(w.requests),
            read_share: share(w.reads, w.requests),
            control_share: share(w.controls, w.requests),
            setpoint_share: share(w.setpoints, w.requests),
            engineering_share: share(w.engineering, w.requests),
            identify_share: share(w.identify, w.requests),
            changes: n(w.changes),
            change_read_ratio: Some(((w.changes as f64 + 1.0) / (w.reads as f64 + 1.0)).ln()),
            function_distance: distance,
            functions: n(w.functions.len() as u64),
            new_functions: known(w.new_functions),
            points: n(w.points.len() as u64),
            new_points: known(w.new_points),
            sequential_share: share(w.sequential, w.requests),
            is_new_pair: known(u64::from(is_new)),
            client_serves: n(u64::from(serves)),
            clients: n(clients),
            refused: n(w.refused),
            refused_share: share(w.refused, w.answers),
            answered_share: share(w.answers, w.requests),
            poll_jitter: (w.jitter.1 > 0).then(|| w.jitter.0 / w.jitter.1 as f64),
            poll_shortest: w.shortest,
            response_ms: response,
            response_max_ms: response.map(|_| w.response_max),
            response_ratio: ratio,
            reported: n(w.reported),
            samples: n(w.samples),
            moved_share: moved,
            moved_less: less,
            outside: n(w.outside),
            step: w.step,
            commanded_outside: n(w.commanded_outside),
            bad_quality: n(w.bad_quality),
            published: n(w.published),
            published_changes: n(w.published_changes),
            published_jumps: n(w.published_jumps),
            published_backwards: n(w.published_backwards),
            published_contradictions: n(w.published_contradictions),
            published_late: w.published_late,
            published_early: w.published_early,
            published_odd: n(w.published_odd),
            publishers: n(w.publishers),
            packets_client: n(w.traffic.packets[0]),
            packets_server: n(w.traffic.packets[1]),
            bytes_client: n(w.traffic.bytes[0]),
            bytes_server: n(w.traffic.bytes[1]),
            begun: n(w.begun),
            anomalies: n(w.anomalies),
        }
    }
}

fn usual(before: f64, now: f64, n: f64) -> f64 {
    if n == 0.0 { now } else { before + PACE * (now - before) }
}

/// Jensen and Shannon's distance: the root of their divergence in bits, from 0 (the same mix) to 1 (nothing in common).
fn distance(now: &BTreeMap<(&'static str, u16), u64>, before: &BTreeMap<(&'static str, u16), f64>) -> f64 {
    let (a, b) = (now.values().sum::<u64>() as f64, before.values().sum::<f64>());
    if a == 0.0 || b == 0.0 {
        return 0.0;
    }
    let keys: BTreeSet<_> = now.keys().chain(before.keys()).collect();
    let term = |x: f64, m: f64| if x > 0.0 { x * (x / m).log2() } else { 0.0 };
    let sum: f64 = keys
        .into_iter()
        .map(|k| {
            let (p, q) = (now.get(k).copied().unwrap_or(0) as f64 / a, before.get(k).copied().unwrap_or(0.0) / b);
            let m = (p + q) / 2.0;
            (term(p, m) + term(q, m)) / 2.0
        })
        .sum();
    sum.max(0.0).sqrt()
}
