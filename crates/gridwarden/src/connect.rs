//! `gridwarden connect`: what destinations a configuration names, whether they answer, a test event, what waits and what was refused.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use connect::{Config, Kind, New, Queue, Settings};
use serde_json::value::RawValue;

use crate::say::say;

/// Other people's systems: tried, sent to, and what was refused there.
#[derive(Args, Clone)]
pub struct ConnectArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Clone)]
enum What {
    /// Asks every destination whether it is there and accepts us; sends nothing.
    Check {
        /// Configuration with `[[destination]]` tables.
        config: PathBuf,
    },
    /// Sends one test event to a destination and says what became of it.
    Test {
        /// Configuration with `[[destination]]` tables.
        config: PathBuf,
        /// The destination.
        name: String,
    },
    /// Queues the findings (and cases, where they were built) of an analysis for every destination that wants them, and delivers.
    Send {
        /// Configuration with `[[destination]]` tables.
        config: PathBuf,
        /// Folder that `analyze` wrote.
        dir: PathBuf,
        /// Folder of the queues.
        #[arg(long, default_value = "/var/lib/gridwarden/queue")]
        queue: PathBuf,
        /// Seconds after which what is left stays queued.
        #[arg(long, default_value_t = 60)]
        within: u64,
    },
    /// Says how the destinations of the running platform do: sent, waiting, refused, and what fails.
    Health {
        /// Folder of the queues.
        #[arg(long, default_value = "/var/lib/gridwarden/queue")]
        queue: PathBuf,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Lists what destinations refused for good.
    Dead {
        /// Folder of the queues.
        #[arg(long, default_value = "/var/lib/gridwarden/queue")]
        queue: PathBuf,
        /// The destination.
        name: String,
    },
    /// Puts what was refused back into the queue.
    Resend {
        /// Folder of the queues.
        #[arg(long, default_value = "/var/lib/gridwarden/queue")]
        queue: PathBuf,
        /// The destination.
        name: String,
        /// Ids; without any all.
        ids: Vec<String>,
    },
}

/// Runs it.
pub fn run(args: &ConnectArgs) -> anyhow::Result<u8> {
    match &args.what {
        What::Check { config } => {
            let config = read(config)?;
            let mut failed = false;
            for settings in &config.destinations {
                let asked =
                    connect::build(settings, &config.sender).and_then(|mut d| d.probe().map_err(|f| f.to_string()));
                failed |= asked.is_err();
                let (word, text) = match &asked {
                    Ok(text) => ("fine", text),
                    Err(text) => ("FAILS", text),
                };
                say!("{:20} {:14} {word:6} {}", settings.name, settings.kind.name(), report::plain(text));
            }
            Ok(if failed { 2 } else { 0 })
        }
        What::Test { config, name } => test(&read(config)?, name),
        What::Send { config, dir, queue, within } => send(&read(config)?, dir, queue, Duration::from_secs(*within)),
        What::Dead { queue, name } => {
            for dead in Queue::dead_in(&there(queue, name)?, 100_000)? {
                say!("{}  {}  {}", report::plain(&dead.id), dead.kind, report::plain(&dead.reason));
            }
            Ok(0)
        }
        What::Resend { queue, name, ids } => {
            let at = there(queue, name)?;
            match Queue::open(&at, connect::queue::BYTES) {
                Ok(queue) => {
                    let n = queue.resend((!ids.is_empty()).then_some(ids.as_slice()))?;
                    say!("{n} events wait again");
                }
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {
                    Queue::ask_resend(&at, ids)?;
                    say!("the running platform has the queue: it sends them again");
                }
                Err(e) => return Err(e).with_context(|| format!("cannot open the queue `{}`", at.display())),
            }
            Ok(0)
        }
        What::Health { queue, json } => health(queue, *json),
    }
}

fn read(path: &Path) -> anyhow::Result<Config> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    Config::parse(&text).map_err(|problems| anyhow::anyhow!("`{}`: {}", path.display(), problems.join("; ")))
}

fn there(dir: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let at = dir.join(name);
    anyhow::ensure!(at.is_dir(), "there is no queue `{}`", at.display());
    Ok(at)
}

/// What the running platform wrote down last; 1 where a destination fails.
fn health(queue: &Path, json: bool) -> anyhow::Result<u8> {
    let path = queue.join("health.json");
    let text = std::fs::read_to_string(&path);
    let text = text.with_context(|| format!("cannot read `{}`: no platform ran with destinations", path.display()))?;
    if json {
        say!("{}", text.trim_end());
        return Ok(0);
    }
    let all: serde_json::Value = serde_json::from_str(&text).with_context(|| format!("`{}`", path.display()))?;
    let mut fails = false;
    say!("as of {}", report::plain(all["at"].as_str().unwrap_or("")));
    for item in all["items"].as_array().into_iter().flatten() {
        let word = |key: &str| report::plain(item[key].as_str().unwrap_or(""));
        let n = |key: &str| item[key].as_u64().unwrap_or(0);
        let fault = if word("stopped").is_empty() { word("fault") } else { word("stopped") };
        fails |= !fault.is_empty();
        let fault = if fault.is_empty() { String::new() } else { format!("; {fault}") };
        let (name, kind) = (word("name"), word("kind"));
        say!("{name:20} {kind:14} sent {}, waiting {}, refused {}{fault}", n("sent"), n("waiting"), n("dead"));
    }
    Ok(u8::from(fails))
}

/// Sends the destination of that name a test event.
fn test(config: &Config, name: &str) -> anyhow::Result<u8> {
    let settings = config.destinations.iter().find(|d| d.name == name);
    let settings = settings.with_context(|| format!("there is no destination `{name}`"))?;
    say!("{name}: {}", report::plain(&send_test(settings, &config.sender)?));
    Ok(0)
}

/// Sends a destination one test event; what became of it.
pub fn send_test(settings: &Settings, sender: &connect::Sender) -> anyhow::Result<String> {
    let now = respond::clock::now().to_string();
    let id = format!("test-{}", now.replace([':', '.'], "-"));
    let finding = serde_json::json!({
        "id": id, "rev": 1, "ts": now, "ts_end": now, "raised": now, "detector": "test", "severity": "info", "basis": "declared",
        "title": "Test event from Gridwarden", "why": "A person sent this event to see that it arrives; nothing was found.",
        "attack": [], "src": {}, "dst": {}, "proto": "", "uids": [], "packets": [], "evidence": { "observed": "nothing" }, "count": 1,
    });
    let case = settings.events.contains(&Kind::Case);
    let body = if case {
        serde_json::to_string(&respond::Case::open(&respond::Finding::from_json(finding)?))?
    } else {
        finding.to_string()
    };
    let item =
        connect::Item { seq: 1, kind: Kind::Test, id: id.clone(), key: id.clone(), body: RawValue::from_string(body)? };
    let mut destination = connect::build(settings, sender).map_err(anyhow::Error::msg)?;
    match destination.send(&[&item]).into_iter().next() {
        Some(connect::Verdict::Done) => Ok(format!("the test event {id} arrived")),
        Some(connect::Verdict::Again(fault)) => bail!("{}: not delivered: {fault}", settings.name),
        Some(connect::Verdict::Dead(reason)) => bail!("{}: refused: {reason}", settings.name),
        None => bail!("{}: no verdict", settings.name),
    }
}

fn send(config: &Config, dir: &Path, queues: &Path, within: Duration) -> anyhow::Result<u8> {
    let findings = respond::Finding::read_all(&dir.join("alerts.ndjson"))?;
    let cases = dir.join("cases.ndjson");
    let cases = if cases.exists() { std::fs::read_to_string(&cases)? } else { String::new() };
    let mut left = false;
    for settings in &config.destinations {
        let queue = Queue::open(&queues.join(&settings.name), connect::queue::BYTES)?;
        let queued = fill(settings, &queue, &findings, &cases)?;
        let mut destination = connect::build(settings, &config.sender).map_err(anyhow::Error::msg)?;
        let health = connect::drain(&queue, destination.as_mut(), within, Duration::from_secs(1))?;
        let (waiting, dead, _) = health.queued;
        left |= waiting + dead > 0;
        let why = health.fault.map(|(kind, text)| format!("; {kind}: {}", report::plain(&text))).unwrap_or_default();
        say!("{:20} queued {queued}, sent {}, waiting {waiting}, refused {dead}{why}", settings.name, health.sent);
    }
    Ok(if left { 2 } else { 0 })
}

/// Queues what a destination wants to hear; tells how much.
fn fill(settings: &Settings, queue: &Queue, findings: &[respond::Finding], cases: &str) -> anyhow::Result<usize> {
    let mut bodies: Vec<(Kind, String, String, Box<RawValue>)> = Vec::new();
    if settings.events.contains(&Kind::Finding) {
        for f in findings.iter().filter(|f| f.severity >= settings.severity) {
            let body = serde_json::value::to_raw_value(&f.raw)?;
            bodies.push((Kind::Finding, connect::event::revision_id(f), f.id.clone(), body));
        }
    }
    if settings.events.contains(&Kind::Case) {
        for line in cases.lines().filter(|l| !l.trim().is_empty()) {
            let case: respond::Case = serde_json::from_str(line)?;
            if case.severity >= settings.severity {
                let body = RawValue::from_string(line.to_owned())?;
                bodies.push((Kind::Case, format!("{}-{}", case.id, case.rev), case.id, body));
            }
        }
    }
    let items: Vec<New<'_>> = bodies.iter().map(|(kind, id, key, body)| New { kind: *kind, id, key, body }).collect();
    for chunk in items.chunks(1_000) {
        queue.push(chunk)?;
    }
    Ok(items.len())
}
