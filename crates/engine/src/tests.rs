//! What a live source needs: silence hands on what there is, ticks drive time, records have their place, a run can be stopped.

use capture::Loss;
use gwcore::time::SECOND;
use gwcore::{Addr, Body, Detail, FlowConst, FlowRef, Key, Limits, Out, State, Ts, Value};
use testkit::Session;

use crate::script::{Line, Script};
use crate::{Counts, Ingested, Options, Points, Seen, Stage, Stop, Tick, analyze};

/// Every batch as the text of its facts and rows.
#[derive(Default)]
struct All {
    batches: Vec<Vec<String>>,
    ticks: Vec<Tick>,
    stop_after: Option<(usize, Stop)>,
}

impl All {
    fn texts(&self) -> Vec<String> {
        self.batches.iter().flatten().cloned().collect()
    }
}

impl Stage for All {
    fn batch(&mut self, out: &mut Out, seen: Seen<'_>) -> std::io::Result<()> {
        self.ticks.extend_from_slice(seen.ticks);
        let flow = |f: FlowRef| (out.flows[f.index()].src, out.flows[f.index()].dst, f.reversed());
        let facts =
            out.facts.iter().map(|f| (f.key, format!("{:?} {} {:?} {:?}", f.key, f.frame, flow(f.flow), f.body)));
        let rows = out.kinds().into_iter().flat_map(|k| {
            k.stamps()
                .iter()
                .map(move |s| (s.key, format!("{} {:?} {}", k.kind().name, s.key, s.frame)))
                .collect::<Vec<_>>()
        });
        let mut all: Vec<(Key, String)> = facts.chain(rows).collect();
        all.sort();
        self.batches.push(all.into_iter().map(|(_, text)| text).collect());
        if let Some((n, stop)) = &self.stop_after
            && self.batches.len() >= *n
        {
            stop.stop();
        }
        Ok(())
    }
    fn finish(&mut self, _: Key, _: Ts, _: &[String]) -> std::io::Result<()> {
        Ok(())
    }
}

fn options(threads: usize) -> Options {
    let (packet, flow, limits) = (packet::Options::default(), flow::Options::default(), Limits::default());
    Options { threads, limits, detail: Detail::Full, packet, flow, batch_time: Options::LIVE, stop: Stop::default() }
}

fn run_on(threads: usize, lines: Vec<Line>) -> (All, Counts) {
    let mut all = All::default();
    let counts = analyze(&mut Script::new(lines), &options(threads), &mut all).unwrap();
    (all, counts)
}

/// A master that writes a coil, and its answer.
fn command(second: i64) -> Vec<(i64, Vec<u8>)> {
    let mut s = Session::new(second * SECOND, 502);
    s.open();
    s.client(&[0, 1, 0, 0, 0, 6, 1, 5, 0, 7, 0xff, 0]);
    s.server(&[0, 1, 0, 0, 0, 6, 1, 5, 0, 7, 0xff, 0]);
    std::mem::take(&mut s.close().frames)
}

fn frames(second: i64) -> impl Iterator<Item = Line> {
    command(second).into_iter().map(|(ts, data)| Line::Frame(Ts(ts), data))
}

fn tick(second: i64, frames: u64, drops: u64) -> Line {
    let (now, since) = (Ts(second * SECOND), Ts((second - 1) * SECOND));
    Line::Tick(Tick { now, since, interface: 0, frames, bytes: frames * 60, drops })
}

/// A flow of an export: who spoke with whom, begun and ended.
fn export(second: i64) -> Line {
    let ts = Ts(second * SECOND);
    let mut record = Ingested::new(ts);
    let (src, dst) = (Addr::v4([10, 9, 0, 1]), Addr::v4([10, 9, 0, 2]));
    let flow = record.flow(FlowConst { src, dst, ip_proto: 6, vlans: [0xffff; 2], file: 1, ..FlowConst::default() });
    record.fact(ts, 7, flow, Body::FlowStart);
    record.row(ts, 7, flow, crate::clock::TimeBreak { before: ts, after: ts, step: gwcore::Span(0) });
    record.fact(ts, 7, Ingested::reversed(flow), Body::Role("outstation"));
    Line::Record(Box::new(record))
}

#[test]
fn what_was_read_goes_on_when_the_source_idles() {
    for threads in [1, 2, 7] {
        let (all, _) = run_on(threads, frames(100).chain([Line::Idle, Line::Idle]).collect());
        let with_command = all.batches.iter().position(|b| b.iter().any(|t| t.contains("Op(")));
        // The first frame is a batch of its own, the rest comes with the silence; the end is one more.
        assert!(with_command.is_some_and(|n| n + 1 < all.batches.len()), "{threads} threads: {with_command:?}");
    }
}

#[test]
fn ticks_drive_time_without_traffic_and_tell_of_drops() {
    for threads in [1, 2] {
        let lines = frames(100).chain([tick(101, 9, 0), tick(102, 0, 5), tick(103, 0, 0)]).chain(frames(103)).collect();
        let (all, counts) = run_on(threads, lines);
        let texts = all.texts();
        let of = |what: &str| texts.iter().filter(|t| t.contains(what)).count();
        assert_eq!((of("Tick { frames: 10 }"), of("Tick { frames: 0 }")), (2, 3), "{texts:#?}");
        assert_eq!(of("Loss { from: Ts(101000000000), lost: 5, seen: 0 }"), 1);
        assert_eq!((all.ticks.len(), counts.time_breaks), (3, 0));
    }
}

#[test]
fn records_have_their_place_on_any_number_of_threads() {
    let lines = || {
        let loss = Loss { from: Ts(0), to: Ts(104 * SECOND), lost: 1, seen: 1 };
        let first = [export(99)].into_iter().chain(frames(100)).chain([export(101), Line::Idle, export(102)]);
        first.chain(frames(103)).chain([Line::Loss(loss), export(104)]).chain(frames(105)).collect()
    };
    let (one, _) = run_on(1, lines());
    let one = one.texts();
    let exported: Vec<usize> =
        one.iter().enumerate().filter(|(_, t)| t.contains("shard: 33")).map(|(i, _)| i).collect();
    assert_eq!(exported.len(), 4 * 3);
    assert!(one.iter().filter(|t| t.contains("Role(\"outstation\")")).count() >= 4);
    let keys: Vec<&str> =
        one.iter().filter_map(|t| t.split("Key ").nth(1)).filter_map(|t| t.split(" }").next()).collect();
    assert!(keys.iter().all(|k| !k.is_empty()) && keys.len() == one.len());
    for threads in [2, 7] {
        assert!(run_on(threads, lines()).0.texts() == one, "{threads} threads");
    }
}

#[test]
fn a_run_that_is_stopped_ends_as_at_the_end_of_files() {
    let options = options(1);
    let mut all = All { stop_after: Some((2, options.stop.clone())), ..All::default() };
    // Without the stop it would go on.
    let lines = frames(100).chain([Line::Idle]).chain((0..10_000).map(|_| Line::Idle));
    let mut script = Script::new(lines.chain(frames(200)));
    analyze(&mut script, &options, &mut all).unwrap();
    let texts = all.texts();
    assert!(texts.iter().any(|t| t.contains("FlowEnd")));
    assert_eq!(texts.iter().filter(|t| t.contains("FlowStart")).count(), 1);
}

/// A value as text; points have no others.
fn cell(value: Value<'_>) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::U64(n) => n.to_string(),
        Value::I64(n) => n.to_string(),
        Value::F64(n) => n.to_string(),
        Value::Text(t) => t.to_owned(),
        Value::Span(s) => s.0.to_string(),
        Value::Ts(t) => t.to_string(),
        Value::Hex(b) => format!("{b:?}"),
        Value::Addr(a) => a.to_string(),
        Value::Mac(m) => m.to_string(),
        Value::List(..) => panic!("a list in a point"),
    }
}

/// The rows of points, with the state written and read after every batch or not.
struct Pointed {
    points: Points,
    restarts: bool,
    rows: Vec<String>,
}

impl Pointed {
    fn take(&mut self, out: &Out) {
        for kind in out.kinds().into_iter().filter(|k| k.kind().name == "point") {
            for (row, stamp) in kind.stamps().iter().enumerate() {
                let cells = kind.columns().iter().map(|c| cell(c.value(row))).collect::<Vec<_>>().join(" ");
                self.rows.push(format!("{:?} {} {cells}", stamp.key, stamp.ts));
            }
        }
    }
}

impl Stage for Pointed {
    fn batch(&mut self, out: &mut Out, _: Seen<'_>) -> std::io::Result<()> {
        self.points.batch(out);
        self.take(out);
        if self.restarts {
            let mut state = State::default();
            self.points.keep(&mut state);
            let state = State::from_bytes(state.to_bytes()).map_err(std::io::Error::other)?;
            self.points = Points::new(&Limits::default());
            self.points.restore(&state).map_err(std::io::Error::other)?;
        }
        Ok(())
    }
    fn finish(&mut self, at: Key, _: Ts, _: &[String]) -> std::io::Result<()> {
        let mut out = Out::default();
        self.points.finish(at, &mut out);
        self.take(&out);
        Ok(())
    }
}

#[test]
fn points_go_on_where_their_state_stands() {
    let run = |restarts| {
        // A batch ends after every frame: between command and answer too.
        let lines = (0..5).flat_map(|n| frames(100 + 30 * n)).flat_map(|line| [line, Line::Idle]);
        let mut stage = Pointed { points: Points::new(&Limits::default()), restarts, rows: Vec::new() };
        analyze(&mut Script::new(lines), &options(1), &mut stage).unwrap();
        stage.rows
    };
    let whole = run(false);
    assert!(whole.len() > 5, "{whole:#?}");
    assert_eq!(run(true), whole);
}
