//! `gridwarden run`: the platform. This process is the centre: it starts the sensor, supervises it, and hands what it tells to the console.
//!
//! The sensor is this program once more with the hidden verb `sensor`, joined by a pair of Unix sockets over which each message is a JSON
//! object on a line. A sensor that ends is started again within two seconds, and the new one records the gap. The console plugs in through
//! [`Plug`]: it gets every message and may send commands.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use gwcore::Limits;
use serde_json::{Value, json};

use crate::approval::{self, Follow};
use crate::duty::{self, Duty};
use crate::facts::Facts;
use crate::knowledge;
use crate::origin::quoted;
use crate::say::{complaint, say};
use crate::sensor::Watch;
use crate::staged::Staged;

/// A sensor that ended is started again after this long; it has two seconds from its end.
const RESTART: Duration = Duration::from_millis(250);
/// A sensor that ends sooner than this after its start ended soon.
const SOON: Duration = Duration::from_secs(5);
/// After so many soon ends in a row each further start is waited for twice as long.
const PATIENT_STARTS: u32 = 10;
/// Longest wait between two starts of a sensor that keeps ending.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// A sensor that does not end by itself is ended after this long.
const PATIENCE: Duration = Duration::from_secs(10);
/// Messages that wait for the console.
pub const WAITING: usize = 65_536;

/// Runs the platform: watches interfaces, keeps what it saw, says what does not belong.
#[derive(Args, Clone)]
pub struct Run {
    #[command(flatten)]
    pub watch: Watch,
    #[command(flatten)]
    pub retain: crate::upkeep::Retain,
    /// What is done about findings and who hears of them: the tables `[respond]`, `[sender]` and `[[destination]]` (TOML).
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Appends every message of the sensor to a file, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    pub messages: Option<PathBuf>,
    /// Ends when the replay does; without `--listen` there is no console then.
    #[arg(long, requires = "replay")]
    pub once: bool,
    /// Where the console listens, loopback only; without it 127.0.0.1:8470.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// Without the console: findings are lines on the terminal only.
    #[arg(long, conflicts_with = "listen")]
    pub no_console: bool,
    /// Says nothing but errors.
    #[arg(long, short = 'q')]
    pub quiet: bool,
}

/// Where console and connectors plug in.
#[allow(dead_code, reason = "the console takes what the terminal does not need")]
pub struct Plug {
    /// Folder for everything that is kept.
    pub data: PathBuf,
    /// Everything that the sensor tells, in its order, and what happens to the sensor itself.
    pub messages: Receiver<Value>,
    /// Commands for the sensor.
    pub commands: Commands,
    /// Set when the platform is to end.
    pub stop: Arc<AtomicBool>,
}

/// Sends commands to whatever sensor is running: `{"type":"release","segments":[…]}`, `hold`, `rotate`.
#[derive(Clone, Default)]
pub struct Commands(Arc<Mutex<Option<UnixStream>>>);

impl Commands {
    /// Sends one; false if no sensor is running.
    pub fn send(&self, command: &Value) -> bool {
        let Ok(mut to) = self.0.lock() else { return false };
        to.as_mut().is_some_and(|to| to.write_all(format!("{command}\n").as_bytes()).is_ok())
    }

    fn set(&self, to: Option<UnixStream>) {
        if let Ok(mut now) = self.0.lock() {
            *now = to;
        }
    }
}

/// Runs until SIGINT or SIGTERM, or with `--once` until the replay is over.
pub fn run(args: &Run) -> anyhow::Result<u8> {
    // What a person approved holds where no file is named.
    let follows = args.watch.baseline.is_none();
    let mut args = args.clone();
    if follows {
        args.watch.baseline = approval::current(&args.watch.data);
    }
    let args = &args;
    let data = &args.watch.data;
    for folder in ["lake", "ring", "sensor"] {
        let path = data.join(folder);
        std::fs::create_dir_all(&path).with_context(|| format!("cannot make the folder `{}`", path.display()))?;
    }
    let _lock = lock(data)?;
    let policy = args.retain.policy()?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    let (to, messages) = sync_channel(WAITING);
    let commands = Commands::default();
    let plug = Plug { data: data.clone(), messages, commands: commands.clone(), stop: Arc::clone(&stop) };
    let (file, quiet) = (args.messages.clone(), args.quiet);
    let web = match args.listen {
        _ if args.no_console => None,
        None if args.once => None,
        listen => Some(crate::console::beside(args, listen.unwrap_or(crate::console::LISTEN), &stop)?),
    };
    let (forward, web) = web.map_or((None, None), |(to, thread)| (Some(to), Some(thread)));
    let desk = duty::Settings {
        data: data.clone(),
        config: args.config.clone(),
        no_console: forward.is_none(),
        once: args.once,
        quiet,
    };
    let baseline = args.watch.baseline.as_deref().map(|p| knowledge::baseline(p, &Limits::default())).transpose()?;
    let facts = Facts::new(&args.watch, args.config.as_deref());
    let desk = Duty::start(desk, facts, baseline.as_ref())?;
    drop(baseline);
    // Findings are lines on the terminal too.
    let board = crate::ctl::Board::default();
    let seen = board.clone();
    let told = std::thread::Builder::new()
        .name("tell".into())
        .spawn(move || tell(plug, forward.as_ref(), desk, file.as_deref(), &seen, quiet))?;
    let status = crate::upkeep::Status::default();
    let upkeep = crate::upkeep::start(data, policy, commands.clone(), status.clone())?;
    let ctl = crate::ctl::start(crate::ctl::Control {
        data: data.clone(),
        board: board.clone(),
        commands: commands.clone(),
        status,
        files: args.watch.files(),
    })?;
    let code = supervise(args, follows, &stop, &to, &commands);
    drop((ctl, upkeep));
    drop(to);
    let told = told.join().map_err(|_| anyhow::anyhow!("the terminal's thread ended early"))?;
    stop.store(true, Ordering::Relaxed);
    if let Some(web) = web {
        web.join().map_err(|_| anyhow::anyhow!("the console ended early"))??;
    }
    told.and(code)
}

/// One platform a data folder.
fn lock(data: &Path) -> anyhow::Result<File> {
    let path = data.join("sensor/lock");
    let file = File::create(&path).with_context(|| format!("cannot write `{}`", path.display()))?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(_) => anyhow::bail!(
            "`{}` is in use by another `gridwarden run`: end that first, or name another folder with --data",
            data.display()
        ),
    }
}

/// What a sensor has told of itself so far.
#[derive(Default)]
struct Told {
    started: AtomicBool,
    /// Its last word came: it ended in order.
    ended: AtomicBool,
    /// Packet time that it had reached (nanoseconds since 1970), 0 for none.
    reached: AtomicI64,
}

/// What a run hands to its sensors: indicators and rules, if there are any.
type Known = Arc<Mutex<Option<Staged>>>;

fn with<T>(known: &Known, f: impl FnOnce(&mut Staged) -> T) -> Option<T> {
    known.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(f)
}

/// Starts the sensor, and again when it ends, until the end is asked for.
fn supervise(
    args: &Run,
    follows: bool,
    stop: &AtomicBool,
    to: &SyncSender<Value>,
    commands: &Commands,
) -> anyhow::Result<u8> {
    let mut args = args.clone();
    let mut approved = follows.then(|| Follow::new(&args.watch.data));
    let known: Known = Arc::new(Mutex::new(Staged::open(&args.watch)?));
    let (mut unwatched, mut soon) = (None, 0u32);
    loop {
        let began = Instant::now();
        if follows {
            args.watch.baseline = approval::current(&args.watch.data);
        }
        let (mut child, ours) = start(&args, unwatched, with(&known, |k| k.used()))?;
        commands.set(Some(ours.try_clone()?));
        let told = Arc::new(Told::default());
        let reader = {
            let (to, told, known) = (to.clone(), Arc::clone(&told), Arc::clone(&known));
            std::thread::Builder::new().name("sensor".into()).spawn(move || read(ours, &to, &told, &known))?
        };
        let status = watch(&mut child, stop, commands, &known, approved.as_mut())?;
        commands.set(None);
        with(&known, Staged::sensor_ended);
        // Its end of the pair is closed with it: the reader comes to its end.
        reader.join().map_err(|_| anyhow::anyhow!("the reader of messages ended early"))?;
        let ended = told.ended.load(Ordering::Relaxed);
        if stop.load(Ordering::Relaxed) {
            if !ended {
                complaint(format_args!("the sensor did not end by itself ({status})"));
            }
            return Ok(if ended { 0 } else { 2 });
        }
        if status.success() && ended {
            // Its source is over: a replay.
            if !args.once {
                say_unless(args.quiet, "the replay is over; Ctrl-C ends");
                pause(Duration::MAX, stop);
            }
            return Ok(0);
        }
        if unwatched.is_none() && !told.started.load(Ordering::Relaxed) {
            // What cannot start the first time is told, not tried again: an interface that is not there, a missing right.
            anyhow::bail!("the sensor could not start");
        }
        let now = capture::live::now();
        let reached = told.reached.load(Ordering::Relaxed);
        unwatched = Some(if reached != 0 { reached } else { unwatched.unwrap_or(now.0) });
        let status = status.to_string();
        // Nobody to tell is no reason to stop watching.
        let _ = to.try_send(json!({ "type": "sensor", "event": "ended", "ts": now.to_string(), "status": status }));
        complaint(format_args!("the sensor ended ({status}); it is started again"));
        soon = if began.elapsed() < SOON { soon + 1 } else { 0 };
        let doubled = RESTART.saturating_mul(1 << soon.saturating_sub(PATIENT_STARTS).min(16));
        if !pause(doubled.min(LONGEST_WAIT), stop) {
            return Ok(0);
        }
    }
}

/// Waits; false if the end was asked for meanwhile.
fn pause(how_long: Duration, stop: &AtomicBool) -> bool {
    let began = Instant::now();
    while began.elapsed() < how_long && !stop.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(50));
    }
    !stop.load(Ordering::Relaxed)
}

/// Starts a sensor with the options of this run; our end of its socket.
fn start(args: &Run, unwatched: Option<i64>, known: Option<u64>) -> anyhow::Result<(Child, UnixStream)> {
    let (ours, theirs) = UnixStream::pair()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("sensor").args(args.watch.line()).args(["--start", &next_start(&args.watch.data)?.to_string()]);
    if let Some(since) = unwatched {
        command.args(["--unwatched-since", &since.to_string()]);
    }
    if let Some(set) = known {
        command.args(["--known", &set.to_string()]);
    }
    // A group of its own: Ctrl-C is for this process, which then ends the sensor in order.
    let child = command.stdin(Stdio::from(OwnedFd::from(theirs))).process_group(0).spawn();
    Ok((child.context("cannot start the sensor")?, ours))
}

/// The number of this start of a sensor over the same data: never one that was used before.
fn next_start(data: &Path) -> anyhow::Result<u64> {
    let path = data.join("sensor/starts");
    let last: u64 = std::fs::read_to_string(&path).ok().and_then(|t| t.trim().parse().ok()).unwrap_or(0);
    let temporary = data.join("sensor/starts.tmp");
    let mut file = File::create(&temporary).with_context(|| format!("cannot write `{}`", temporary.display()))?;
    write!(file, "{}", last + 1)?;
    file.sync_all()?;
    std::fs::rename(&temporary, &path)?;
    Ok(last + 1)
}

/// Waits for the sensor's end; asks for it when the platform is to end, and enforces it when that is of no use.
fn watch(
    child: &mut Child,
    stop: &AtomicBool,
    commands: &Commands,
    known: &Known,
    mut approved: Option<&mut Follow>,
) -> anyhow::Result<std::process::ExitStatus> {
    let mut asked: Option<Instant> = None;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if stop.load(Ordering::Relaxed) {
            let since = *asked.get_or_insert_with(|| {
                commands.send(&json!({ "type": "stop" }));
                Instant::now()
            });
            if since.elapsed() > PATIENCE {
                child.kill()?;
            }
        } else if let Some(command) = with(known, Staged::look).flatten()
            && !commands.send(&command)
        {
            with(known, Staged::sensor_ended);
        }
        match approved.as_mut().map(|a| a.look()) {
            Some(Ok(Some(command))) => {
                commands.send(&command);
            }
            Some(Err(e)) => complaint(format_args!("the approved baseline is not taken over: {e:#}")),
            _ => {}
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Reads what the sensor tells until it closes.
fn read(from: UnixStream, to: &SyncSender<Value>, told: &Told, known: &Known) {
    for line in BufReader::new(from).lines().map_while(Result::ok) {
        let Ok(mut message) = serde_json::from_str::<Value>(&line) else { continue };
        match message.get("type").and_then(Value::as_str) {
            Some("started") => told.started.store(true, Ordering::Relaxed),
            Some("ended") => told.ended.store(true, Ordering::Relaxed),
            Some("known") => {
                // The sensor knows the set by its number, the centre what it holds.
                let hashes = with(known, |k| {
                    k.answered(&message);
                    k.hashes().clone()
                });
                let hashes = hashes.unwrap_or_default();
                message["sha256"] = json!({ "intel": hashes.intel, "rules": hashes.rules });
            }
            Some("state") => {
                let ts = message.get("ts").and_then(Value::as_str).and_then(gwcore::time::parse_rfc3339);
                told.reached.store(ts.map_or(0, |t| t.0), Ordering::Relaxed);
            }
            _ => {}
        }
        if to.send(message).is_err() {
            break;
        }
    }
}

/// Hands messages on to console and desk; findings become lines, everything goes to the file if one is named.
fn tell(
    plug: Plug,
    console: Option<&SyncSender<Value>>,
    desk: Duty,
    file: Option<&Path>,
    board: &crate::ctl::Board,
    quiet: bool,
) -> anyhow::Result<()> {
    let open = |path: &Path| {
        let file = File::options().create(true).append(true).open(path);
        file.with_context(|| format!("cannot write `{}`", path.display()))
    };
    let mut file = file.map(open).transpose()?;
    for message in plug.messages {
        board.see(&message);
        if let Some(file) = &mut file {
            writeln!(file, "{message}")?;
        }
        if let Some(console) = console {
            // A console that ended says so itself; the sensor goes on.
            let _ = console.send(message.clone());
        }
        desk.tell(&message);
        let text =
            |value: &Value, name: &str| report::plain(value.get(name).and_then(Value::as_str).unwrap_or_default());
        match text(&message, "type").as_str() {
            "finding" if text(&message, "change") == "opened" => {
                let finding = message.get("finding").unwrap_or(&Value::Null);
                let (ts, severity, title) = (text(finding, "ts"), text(finding, "severity"), text(finding, "title"));
                say_unless(quiet, &format!("{ts}  {severity:8}  {title}"));
            }
            "started" => say_unless(quiet, &format!("watching; data in {}", quoted(&plug.data.to_string_lossy()))),
            "problem" => complaint(format_args!("{}", text(&message, "what"))),
            "known" => match message.get("refused") {
                Some(_) => complaint(format_args!(
                    "new indicators and rules are refused, the old ones stay at work: {}",
                    text(&message, "refused")
                )),
                None => say_unless(quiet, &known(&message)),
            },
            "ended" if !quiet => say!("{message}"),
            _ => {}
        }
    }
    desk.end();
    Ok(())
}

/// What is compared with, as a sentence.
fn known(message: &Value) -> String {
    let n = |name: &str| message[name].as_u64().unwrap_or(0);
    let not_used = n("indicators_not_used") + n("rules_not_used");
    let rest = if not_used > 0 { format!("; {not_used} entries of the files are not used") } else { String::new() };
    let (indicators, rules) = (n("indicators") + n("patterns"), n("rules") + n("correlations"));
    format!("compared with {indicators} indicators and {rules} rules{rest}")
}

fn say_unless(quiet: bool, line: &str) {
    if !quiet {
        say!("{line}");
    }
}
