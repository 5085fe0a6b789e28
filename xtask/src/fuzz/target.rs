//! Targets: the parsers over each carrier, the decoder with all that follows it, and the reader of captures.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use capture::{Frame, Inputs, LinkType, Single};
use engine::{AnyParser, Counts, Seen, Source, Stage, Stop};
use gwcore::{Key, Limits, Out, Ts};
use proto::testing::{Bench, text};
use proto::{Carrier, Dir};

use super::input::{Act, Input};

/// What an input is given to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// All parsers, a byte stream.
    Stream,
    /// All parsers, datagrams.
    Datagram,
    /// All parsers, link frames.
    Link,
    /// The packet decoder and the whole pipeline, frames.
    Frames,
    /// The reader of captures and the whole pipeline, a file.
    Capture,
}

impl Kind {
    /// All of them.
    pub const ALL: &[Kind] = &[Kind::Stream, Kind::Datagram, Kind::Link, Kind::Frames, Kind::Capture];

    /// As it is called on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Stream => "stream",
            Kind::Datagram => "datagram",
            Kind::Link => "link",
            Kind::Frames => "frames",
            Kind::Capture => "capture",
        }
    }
}

/// Runs inputs and tells of panics, contained ones included.
pub struct Runner {
    /// Where findings go, and the capture under test.
    pub folder: PathBuf,
    last_panic: Arc<Mutex<String>>,
}

impl Runner {
    /// A runner; from now on the process keeps silent about panics.
    pub fn new(folder: PathBuf) -> Runner {
        let last_panic = Arc::new(Mutex::new(String::new()));
        let told = Arc::clone(&last_panic);
        std::panic::set_hook(Box::new(move |info| {
            let place = info.location().map_or(String::new(), |l| format!("{}:{}", l.file(), l.line()));
            let what = info.payload_as_str().unwrap_or("panic").lines().next().unwrap_or_default();
            *told.lock().unwrap_or_else(PoisonError::into_inner) = format!("panic: {place}: {what}");
        }));
        Runner { folder, last_panic }
    }

    /// Runs one input with limits divided by `divisor`: what it led to, or the panic.
    pub fn run(&mut self, input: &Input, divisor: usize) -> Result<Vec<String>, String> {
        let limits = Limits::scaled(divisor);
        let (seen, panics) = catch_unwind(AssertUnwindSafe(|| match input.kind {
            Kind::Stream => talk(Carrier::Stream, input, limits),
            Kind::Datagram => talk(Carrier::Datagram, input, limits),
            Kind::Link => talk(Carrier::Link, input, limits),
            Kind::Frames => pipeline(&mut Frames { input, at: 0 }, limits, input.size().is_multiple_of(2)),
            Kind::Capture => self.file(input, limits),
        }))
        .map_err(|_| self.told())?;
        if panics > 0 { Err(self.told()) } else { Ok(seen) }
    }

    fn told(&self) -> String {
        self.last_panic.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn file(&self, input: &Input, limits: Limits) -> (Vec<String>, u64) {
        let path = self.folder.join(format!("input-{}", std::process::id()));
        let bytes = input.parts.first().map(|p| &p.1[..]).unwrap_or_default();
        if std::fs::write(&path, bytes).is_err() {
            return (vec!["cannot write".to_owned()], 0);
        }
        let inputs = Inputs::find(&[path], &limits);
        let Some(mut source) = Single::open(&inputs, 0, &limits) else { return (Vec::new(), 0) };
        let (mut seen, panics) = pipeline(&mut source, limits, bytes.len().is_multiple_of(2));
        seen.extend(source.finish().iter().map(|r| format!("{:?}", r.status).split(' ').take(4).collect::<String>()));
        (seen, panics)
    }
}

/// A conversation over the parsers alone.
fn talk(carrier: Carrier, input: &Input, limits: Limits) -> (Vec<String>, u64) {
    let mut bench = Bench::<AnyParser>::new(carrier, input.port).limits(limits);
    for (act, bytes) in &input.parts {
        match act {
            Act::Client => bench.client(bytes),
            Act::Server => bench.server(bytes),
            Act::GapOfClient if carrier == Carrier::Stream => bench.gap(Dir::Orig, bytes.len() as u64),
            Act::GapOfServer if carrier == Carrier::Stream => bench.gap(Dir::Resp, bytes.len() as u64),
            _ => bench.wait(i64::from(bytes.first().copied().unwrap_or(0)) * gwcore::time::SECOND),
        };
    }
    bench.close();
    let seen =
        engine::kinds().iter().flat_map(|k| bench.rows(k.name).into_iter().map(|row| shape(k.name, &row))).collect();
    (seen, u64::from(bench.panics()))
}

/// What of a row is new when it was not seen before: of an anomaly its reason, of others which fields are there.
fn shape(kind: &str, row: &str) -> String {
    let words = row.split(' ').skip(2);
    let kept: Vec<&str> = match kind {
        "anomaly" => words.filter(|w| w.starts_with("proto=") || w.starts_with("reason=")).collect(),
        _ => words.filter_map(|w| w.split_once('=')).map(|(name, _)| name).collect(),
    };
    format!("{kind} {}", kept.join(" "))
}

/// Frames of an input, a millisecond apart; a wait is time that passes before the next.
struct Frames<'a> {
    input: &'a Input,
    at: usize,
}

impl Source for Frames<'_> {
    fn next(&mut self) -> Option<engine::Input<'_>> {
        let (_, data) = self.input.parts.get(self.at)?;
        self.at += 1;
        let seq = self.at as u64;
        let ts = Ts(1_700_000_000_000_000_000 + self.at as i64 * gwcore::time::MILLI);
        let (link, wire_len) = (LinkType(self.input.port), u32::try_from(data.len()).unwrap_or(u32::MAX));
        Some(engine::Input::Frame(Frame { seq, ts, file: 0, number: seq, interface: 0, link, wire_len, data }))
    }

    fn interfaces(&self) -> &[String] {
        &[]
    }
}

/// Takes rows, reads every cell of them, and keeps their shapes.
#[derive(Default)]
struct Sink {
    seen: Vec<String>,
}

impl Stage for Sink {
    fn batch(&mut self, out: &mut Out, _: Seen<'_>) -> std::io::Result<()> {
        for rows in out.kinds() {
            let columns = rows.columns();
            for i in 0..rows.stamps().len() {
                let mut names = Vec::new();
                for (field, column) in rows.kind().fields.iter().zip(&columns) {
                    let value = text(column.value(i));
                    if rows.kind().name == "anomaly" && matches!(field.name, "proto" | "reason") {
                        names.push(value);
                    } else if value != "-" {
                        names.push(field.name.to_owned());
                    }
                }
                self.seen.push(format!("{} {}", rows.kind().name, names.join(" ")));
            }
        }
        Ok(())
    }

    fn finish(&mut self, _: Key, _: Ts, _: &[String]) -> std::io::Result<()> {
        Ok(())
    }
}

/// The whole pipeline on one thread, with check sums looked at or not.
fn pipeline(source: &mut dyn Source, limits: Limits, checked: bool) -> (Vec<String>, u64) {
    let (sums, believed) = match checked {
        true => (packet::Checksums::Verify, flow::Checksums::Auto),
        false => (packet::Checksums::Ignore, flow::Checksums::None),
    };
    let options = engine::Options {
        threads: 1,
        limits,
        detail: gwcore::Detail::Full,
        packet: packet::Options { checksums: sums, ..packet::Options::default() },
        flow: flow::Options { checksums: believed, ..flow::Options::default() },
        batch_time: engine::Options::FILES,
        stop: Stop::default(),
    };
    let mut sink = Sink::default();
    let counts = engine::analyze(source, &options, &mut sink).unwrap_or_default();
    sink.seen.extend(reasons(&counts));
    (sink.seen, counts.panics)
}

fn reasons(counts: &Counts) -> impl Iterator<Item = String> + '_ {
    counts.files.iter().flat_map(|f| f.reasons.iter().map(|(reason, _)| (*reason).to_owned()))
}

/// Resident memory of this process in bytes; 0 where the system does not tell.
pub fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4_096
}
