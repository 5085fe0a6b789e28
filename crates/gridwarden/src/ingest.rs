//! `gridwarden ingest`: flow exports and logs, from files, captures or sockets, through the same detectors as packets.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use anyhow::Context;
use capture::{Inputs, Merge, Status};
use clap::Args;
use engine::{Input, Source};
use gwcore::{Addr, Limits, Ts};
use ingest::{Collector, LineFormat};
use packet::{Decoder, Transport};

use crate::cli::Analyze;
use crate::say::say;

/// Ports that exporters send to (IANA, and what makers use).
const FLOW_PORTS: [u16; 6] = [2_055, 4_739, 6_343, 9_995, 9_996, 9_555];
/// Messages that may wait between a socket and the pipeline; further ones are lost and counted.
const WAITING: usize = 65_536;
/// Bytes that the kernel holds for a socket, as far as it allows.
const BUFFER: usize = 8 << 20;

/// Reads flow exports and logs and analyses what they tell.
#[derive(Args, Clone)]
pub struct Command {
    /// Captures that hold flow exports (UDP), raw messages (one a file), logs: syslog, Zeek's conn.log, Suricata's eve.json; folders of these.
    pub paths: Vec<PathBuf>,
    /// Listens for NetFlow 5 and 9, IPFIX and sFlow 5.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen_flow: Vec<SocketAddr>,
    /// Listens for syslog by UDP.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen_syslog: Vec<SocketAddr>,
    /// Ends listening after so many seconds.
    #[arg(long = "for", value_name = "SECONDS")]
    pub seconds: Option<u64>,
    /// Ends listening when nothing came for so many seconds after something came.
    #[arg(long, value_name = "SECONDS")]
    pub idle: Option<u64>,
    /// UDP ports that flow exports in captures go to, beside the usual ones.
    #[arg(long, value_name = "PORT", value_delimiter = ',')]
    pub flow_port: Vec<u16>,
    /// Folder for what is written; without it NAME.gridwarden beside the first input, or ingest.gridwarden.
    #[arg(short = 'o', long = "output")]
    pub output: Option<PathBuf>,
    /// Formats of records, as for `analyze`.
    #[arg(long, value_delimiter = ',', default_value = "parquet")]
    pub logs: Vec<String>,
    /// What is known to be bad, as for `analyze`.
    #[arg(long, value_name = "FILE|DIR")]
    pub intel: Vec<PathBuf>,
    /// Rules of Sigma, as for `analyze`.
    #[arg(long, short = 'S', value_name = "FILE|DIR")]
    pub rules: Vec<PathBuf>,
    /// What `gridwarden learn` learned.
    #[arg(long)]
    pub baseline: Option<PathBuf>,
    /// What is declared of the site.
    #[arg(long)]
    pub site: Option<PathBuf>,
    /// Says nothing but errors.
    #[arg(long, short = 'q')]
    pub quiet: bool,
}

/// Runs it; exit codes as `analyze`.
pub fn run(args: &Command) -> anyhow::Result<u8> {
    let listens = !args.listen_flow.is_empty() || !args.listen_syslog.is_empty();
    anyhow::ensure!(listens || !args.paths.is_empty(), "nothing to read: name files, or a socket with --listen-flow");
    anyhow::ensure!(
        !listens || args.seconds.is_some() || args.idle.is_some(),
        "say when listening ends: --for SECONDS or --idle SECONDS"
    );
    let analyze = as_analyze(args)?;
    let dir = crate::analyze::output(&analyze)?;
    let limits = Limits::default();
    let mut feed = Feed::open(args, &limits)?;
    let (world, code) = crate::analyze::ingested(&analyze, &mut feed, &dir)?;
    let report = feed.report();
    let path = dir.join("ingest.json");
    std::fs::write(&path, serde_json::to_string_pretty(&report)? + "\n")
        .with_context(|| format!("cannot write `{}`", path.display()))?;
    if !args.quiet {
        for (name, source) in feed.collector.reports() {
            let fates: Vec<String> =
                source.fates.0.iter().map(|(k, n)| format!("{n} {}", k.replace('_', " "))).collect();
            let lost: u64 = source.counters.values().map(|c| c.lost).sum();
            let lost = if lost > 0 { format!("; sequence numbers tell of {lost} lost") } else { String::new() };
            say!("{}: {} messages: {}{lost}", report::plain(name), source.messages, fates.join(", "));
        }
        say!("{} findings; {}", world, dir.join("alerts.ndjson").display());
    }
    Ok(if feed.failed { 2 } else { code })
}

/// The options that `analyze` knows too, by its own parser.
fn as_analyze(args: &Command) -> anyhow::Result<Analyze> {
    let mut line: Vec<std::ffi::OsString> = vec!["gridwarden".into(), "analyze".into()];
    match args.paths.first() {
        Some(path) => line.push(path.into()),
        None => line.push("ingest".into()),
    }
    let mut option = |name: &str, value: &std::ffi::OsStr| line.extend([name.into(), value.to_owned()]);
    for path in &args.intel {
        option("--intel", path.as_os_str());
    }
    for path in &args.rules {
        option("--rules", path.as_os_str());
    }
    option("--logs", args.logs.join(",").as_ref());
    for (name, path) in [("-o", &args.output), ("--baseline", &args.baseline), ("--site", &args.site)] {
        if let Some(path) = path {
            option(name, path.as_os_str());
        }
    }
    line.extend(args.quiet.then(|| "--quiet".into()));
    match crate::cli::Cli::from_line(line)?.command {
        crate::cli::Command::Analyze(analyze) => Ok(analyze),
        _ => anyhow::bail!("not reached"),
    }
}

/// A datagram that came, from whom and when.
struct Came {
    from: SocketAddr,
    bytes: Vec<u8>,
    at: Ts,
    is_flow: bool,
    socket: u32,
}

/// Where the messages come from, one after the other.
pub struct Feed {
    collector: Collector,
    /// Names of files and sockets; the index of a message's source.
    pub names: Vec<String>,
    files: VecDeque<(u32, PathBuf)>,
    captures: Option<(Merge, Box<Decoder>)>,
    lines: Option<(u32, Lines)>,
    sockets: Option<Receiver<Came>>,
    until: Option<Instant>,
    /// Set by SIGINT and SIGTERM: what came until then is written.
    stop: std::sync::Arc<std::sync::atomic::AtomicBool>,
    idle: Option<Duration>,
    last: Option<Instant>,
    ports: Vec<u16>,
    interfaces: Vec<String>,
    lost: std::sync::Arc<std::sync::atomic::AtomicU64>,
    failed: bool,
    other_datagrams: u64,
}

struct Lines {
    reader: BufReader<File>,
    /// None for syslog.
    format: Option<LineFormat>,
    name: String,
    /// When the file was last written: what a line without a year lies nearest to.
    written: Ts,
}

impl Feed {
    fn open(args: &Command, limits: &Limits) -> anyhow::Result<Feed> {
        let inputs = Inputs::find(&args.paths, limits);
        let mut names: Vec<String> = inputs.list.iter().map(|i| i.path.display().to_string()).collect();
        let mut files = VecDeque::new();
        let mut failed = false;
        for (i, input) in inputs.list.iter().enumerate() {
            match &input.status {
                Status::Capture => {}
                Status::NotCapture => files.push_back((i as u32, input.path.clone())),
                Status::Unreadable(_) if std::fs::metadata(&input.path).is_ok_and(|m| m.is_file()) => {
                    files.push_back((i as u32, input.path.clone()));
                }
                Status::Unreadable(e) => {
                    crate::say::complaint(format_args!("{}: {e}", input.path.display()));
                    failed = true;
                }
            }
        }
        let has_captures = inputs.list.iter().any(|i| matches!(i.status, Status::Capture));
        let decoder = || Box::new(Decoder::new(limits, packet::Options::default(), gwcore::ids::hash_seed()));
        let captures = has_captures.then(|| (Merge::open(&inputs, limits), decoder()));
        let lost = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
        let (tx, rx) = sync_channel(WAITING);
        let mut listening = false;
        for (addr, is_flow) in
            args.listen_flow.iter().map(|a| (a, true)).chain(args.listen_syslog.iter().map(|a| (a, false)))
        {
            let socket = UdpSocket::bind(addr).with_context(|| format!("cannot listen on {addr}"))?;
            // The kernel gives less where it allows less; what is lost then is seen in the exporters' sequence numbers.
            let _ = rustix::net::sockopt::set_socket_recv_buffer_size(&socket, BUFFER);
            let number = names.len() as u32;
            names.push(format!("udp {addr}"));
            listen(socket, is_flow, number, tx.clone(), std::sync::Arc::clone(&lost));
            listening = true;
        }
        let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        if listening {
            for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
                signal_hook::flag::register(signal, std::sync::Arc::clone(&stop))?;
            }
        }
        Ok(Feed {
            collector: Collector::default(),
            names,
            files,
            captures,
            lines: None,
            sockets: listening.then_some(rx),
            until: args.seconds.map(|s| Instant::now() + Duration::from_secs(s)),
            stop,
            idle: args.idle.map(Duration::from_secs),
            last: None,
            ports: FLOW_PORTS.into_iter().chain(args.flow_port.iter().copied()).collect(),
            interfaces: Vec::new(),
            lost,
            failed,
            other_datagrams: 0,
        })
    }

    /// What came from whom and what became of it.
    fn report(&self) -> serde_json::Value {
        let mut sources = serde_json::Map::new();
        for (name, r) in self.collector.reports() {
            let counters: BTreeMap<&String, serde_json::Value> = r
                .counters
                .iter()
                .map(|(k, c)| {
                    let v = serde_json::json!({ "messages": c.messages, "flows": c.flows, "lost_by_sequence": c.lost, "out_of_order": c.out_of_order,
                        "templates": c.templates, "options": c.options, "sets_waited": c.waited, "sets_without_template": c.no_template,
                        "counter_samples": c.counter_samples, "not_ip": c.not_ip, "malformed": c.malformed });
                    (k, v)
                })
                .collect();
            sources.insert(
                name.clone(),
                serde_json::json!({ "messages": r.messages, "first": r.span.map(|s| s.0.to_string()), "last": r.span.map(|s| s.1.to_string()),
                    "fates": r.fates.0, "domains": counters }),
            );
        }
        let lost = self.lost.load(std::sync::atomic::Ordering::Relaxed);
        serde_json::json!({ "format_version": 1, "sources": sources, "not_flow_exports": self.collector.faults(),
            "lost_before_reading": lost, "other_datagrams": self.other_datagrams })
    }

    fn next_captured(&mut self) -> Option<Box<engine::Ingested>> {
        let (merge, decoder) = self.captures.as_mut()?;
        loop {
            let Some(frame) = merge.next() else {
                self.captures = None;
                return None;
            };
            let (ts, file) = (frame.ts, frame.file);
            let decoded = decoder.decode(&frame);
            let Transport::Udp { dst_port, .. } = decoded.packet.transport else { continue };
            if decoded.packet.twin || !self.ports.contains(&dst_port) || ingest::claims(decoded.payload).is_none() {
                self.other_datagrams += 1;
                continue;
            }
            return Some(self.collector.flow_message(decoded.packet.src, decoded.payload, ts, file));
        }
    }

    fn next_filed(&mut self) -> Option<Box<engine::Ingested>> {
        loop {
            if let Some((number, lines)) = &mut self.lines {
                let mut line = Vec::new();
                let read = std::io::Read::take(&mut lines.reader, 1 << 20).read_until(b'\n', &mut line);
                let (number, format, written) = (*number, lines.format, lines.written);
                if !matches!(read, Ok(n) if n > 0) {
                    self.lines = None;
                    continue;
                }
                let text = String::from_utf8_lossy(&line);
                let record = match format {
                    Some(format) => self.collector.tool_line(&lines.name, format, &text, number),
                    None if text.trim().is_empty() => None,
                    None => {
                        // A file of lines has no time of receipt: each is taken at its own.
                        let ts = ingest::syslog::parse(&line, written).and_then(|l| l.ts).unwrap_or(written);
                        Some(self.collector.log_line(Addr::v4([127, 0, 0, 1]), &line, ts, number))
                    }
                };
                match record {
                    Some(record) => return Some(record),
                    None => continue,
                }
            }
            let (number, path) = self.files.pop_front()?;
            let Ok(bytes) = head(&path) else {
                crate::say::complaint(format_args!("cannot read `{}`", path.display()));
                self.failed = true;
                continue;
            };
            let written = written(&path);
            if ingest::claims(&bytes).is_some() {
                let Ok(bytes) = std::fs::read(&path) else { continue };
                return Some(self.collector.flow_message(
                    Addr::v4([127, 0, 0, 1]),
                    &bytes,
                    sent(&bytes).unwrap_or(written),
                    number,
                ));
            }
            let text = String::from_utf8_lossy(&bytes);
            let format = text.lines().next().and_then(LineFormat::of);
            let Ok(file) = File::open(&path) else { continue };
            let name = path.display().to_string();
            self.lines = Some((number, Lines { reader: BufReader::new(file), format, name, written }));
        }
    }

    fn next_received(&mut self) -> Option<Input<'static>> {
        let rx = self.sockets.as_ref()?;
        let now = Instant::now();
        let is_over = self.stop.load(std::sync::atomic::Ordering::Relaxed)
            || self.until.is_some_and(|u| now >= u)
            || self.idle.zip(self.last).is_some_and(|(idle, last)| now.duration_since(last) >= idle);
        if is_over {
            self.sockets = None;
            return None;
        }
        match rx.recv_timeout(Duration::from_millis(100)) {
            Ok(came) => {
                self.last = Some(now);
                let from = Addr::from(came.from.ip());
                let record = match came.is_flow {
                    true => self.collector.flow_message(from, &came.bytes, came.at, came.socket),
                    false => self.collector.log_line(from, &came.bytes, came.at, came.socket),
                };
                Some(Input::Record(record))
            }
            Err(RecvTimeoutError::Timeout) => Some(Input::Idle),
            Err(RecvTimeoutError::Disconnected) => {
                self.sockets = None;
                None
            }
        }
    }
}

impl Source for Feed {
    fn next(&mut self) -> Option<Input<'_>> {
        if let Some(record) = self.next_captured().or_else(|| self.next_filed()) {
            return Some(Input::Record(record));
        }
        self.next_received()
    }

    fn interfaces(&self) -> &[String] {
        &self.interfaces
    }
}

/// The first bytes of a file.
fn head(path: &std::path::Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    File::open(path)?.take(65_536).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// When a file was last written, by its own mark; none of the data plane's time comes from the clock.
fn written(path: &std::path::Path) -> Ts {
    let modified = std::fs::metadata(path).and_then(|m| m.modified()).ok();
    let since = modified.and_then(|m| m.duration_since(std::time::UNIX_EPOCH).ok());
    since.map_or(Ts(0), |d| Ts::from_parts(d.as_secs() as i64, i64::from(d.subsec_nanos())))
}

/// When a raw message was sent, as it says.
fn sent(bytes: &[u8]) -> Option<Ts> {
    let at = match bytes.get(..2)? {
        [0, 5 | 9] => 8,
        [0, 10] => 4,
        _ => return None,
    };
    let seconds = u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?);
    Some(Ts::from_parts(i64::from(seconds), 0))
}

/// When a datagram came: the only place of this command that reads the clock.
#[allow(clippy::disallowed_methods, reason = "the time of receipt of a datagram is input, as the stamp of a frame is")]
fn now() -> Ts {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Ts::from_parts(since.as_secs() as i64, i64::from(since.subsec_nanos()))
}

/// Reads a socket on a thread of its own, so that a busy pipeline loses nothing that fits into the queue.
fn listen(
    socket: UdpSocket,
    is_flow: bool,
    number: u32,
    to: SyncSender<Came>,
    lost: std::sync::Arc<std::sync::atomic::AtomicU64>,
) {
    std::thread::spawn(move || {
        let mut buffer = vec![0_u8; 65_536];
        while let Ok((n, from)) = socket.recv_from(&mut buffer) {
            let bytes = buffer.get(..n).unwrap_or_default().to_vec();
            let came = Came { from, bytes, at: now(), is_flow, socket: number };
            match to.try_send(came) {
                Ok(()) => {}
                Err(std::sync::mpsc::TrySendError::Full(_)) => {
                    lost.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
                Err(std::sync::mpsc::TrySendError::Disconnected(_)) => return,
            }
        }
    });
}
