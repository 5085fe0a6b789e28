//! `gridwarden sensor`: the process that reads, stores, decodes and judges. `gridwarden run` starts it; nobody else need.
//!
//! It opens its interfaces and folders, gives up its rights, and talks to the centre over one socket, its standard input.

mod confine;
mod feed;
pub mod keep;
mod known;
pub mod learning;
mod link;
mod sockets;
mod stage;

use std::cell::RefCell;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use anyhow::Context;
use capture::live::{Live, LiveOptions, Replay};
use capture::store::{Store, StoreOptions};
use capture::{Filter, Inputs};
use clap::{Args, ValueEnum};
use detect::Setup;
use gwcore::{Limits, Ts};
use lake::LiveLake;
use serde_json::json;

use crate::cli::Checksums;
use crate::{analyze, knowledge};
use feed::{Feed, Origin, Shared};
use keep::Kept;
use known::Known;
use learning::Learning;
use link::Link;
use sockets::Sockets;
use stage::LiveStage;

/// Folder below `sensor/` in which the centre lays what a reload takes over: `site.toml` with its point lists, `maintenance.csv`, `baseline`.
pub const RELOAD: &str = "reload";

/// What the centre starts the sensor with; the options of `run` that concern it, and what only the two of them say.
#[derive(Args, Clone)]
pub struct Sensor {
    #[command(flatten)]
    pub watch: Watch,
    /// Number of this start, never used before over the same data.
    #[arg(long, default_value_t = 1)]
    pub start: u64,
    /// Nothing was watched since then (nanoseconds since 1970), because an earlier sensor ended.
    #[arg(long)]
    pub unwatched_since: Option<i64>,
    /// Number of the set of indicators and rules that it begins with.
    #[arg(long)]
    pub known: Option<u64>,
    /// Tries what it must not be able to do, says what came of it and ends.
    #[arg(long)]
    pub try_out: bool,
}

/// What is watched, and how; `run` passes all of it on.
#[derive(Args, Clone)]
pub struct Watch {
    /// Interfaces to watch.
    #[arg(short = 'i', long = "interface", value_name = "IFACE", num_args = 1.., required_unless_present = "replay")]
    pub interface: Vec<String>,
    /// Replays captures as if they came from live interfaces; needs no rights.
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with = "interface")]
    pub replay: Vec<PathBuf>,
    /// How many times faster than it was captured; 0 is as fast as it goes.
    #[arg(long, value_name = "N", default_value_t = 1.0, requires = "replay")]
    pub speed: f64,
    /// Moves the times of a replay so that it begins now.
    #[arg(long, requires = "replay")]
    pub as_now: bool,
    /// Folder for everything that is kept.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/gridwarden")]
    pub data: PathBuf,
    /// What `gridwarden learn` learned; without it nothing is a finding for being new.
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Hours that a site without a baseline is watched before one is proposed; while the last day brings something new, longer.
    #[arg(long, value_name = "HOURS", default_value_t = 168.0)]
    pub learn_hours: f64,
    /// What is declared of the site (TOML).
    #[arg(long, value_name = "FILE")]
    pub site: Option<PathBuf>,
    /// Declared work (CSV: start,end,asset,reason).
    #[arg(long, value_name = "FILE")]
    pub maintenance: Option<PathBuf>,
    /// What is known to be bad: STIX, MISP, Zeek intel, CSV and risk lists, files or folders; may be repeated. A change of the files is taken
    /// over while it runs; a damaged file leaves the old ones at work.
    #[arg(long, value_name = "FILE|DIR")]
    pub intel: Vec<PathBuf>,
    /// Rules of Sigma, files or folders; may be repeated, followed as --intel is. They judge every message, also those that the summary leaves out.
    #[arg(long, short = 'S', value_name = "FILE|DIR")]
    pub rules: Vec<PathBuf>,
    /// Listens for flow exports by UDP: NetFlow 5 and 9, IPFIX, sFlow 5; may be repeated.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub flows: Vec<SocketAddr>,
    /// Listens for syslog by UDP; may be repeated.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub syslog: Vec<SocketAddr>,
    /// Packet store in MB; 0: none [default: 10240, at most 40 % of the disk space that is free or already used by it].
    #[arg(long, value_name = "MB")]
    pub packets: Option<u64>,
    /// Megabytes of each interface's buffer in the kernel.
    #[arg(long, value_name = "MB", default_value_t = 32)]
    pub ring: usize,
    /// Bytes kept of each frame at most.
    #[arg(long, value_name = "BYTES", default_value_t = 262_144)]
    pub snaplen: u32,
    /// Leaves the interfaces out of promiscuous mode.
    #[arg(long)]
    pub no_promiscuous: bool,
    /// Begins anew and keeps no state: what is open closes with the run, as in `analyze`.
    #[arg(long)]
    pub no_keep: bool,
    /// Only frames that pass this filter, in tcpdump's syntax.
    #[arg(long, value_name = "EXPRESSION")]
    pub filter: Option<String>,
    /// `summary` leaves out repeated polls, `full` writes every message.
    #[arg(long, value_enum, default_value_t = crate::cli::Detail::Summary)]
    pub detail: crate::cli::Detail,
    /// Worker threads.
    #[arg(short = 'j', long, default_value_t = 1)]
    pub threads: usize,
    /// Checksums, as for `analyze`.
    #[arg(short = 'k', long = "checksums", value_enum, default_value_t = Checksums::Auto)]
    pub checksums: Checksums,
}

impl Watch {
    /// What a reload reads anew.
    pub fn files(&self) -> crate::ctl::Files {
        let (site, maintenance, baseline) = (self.site.clone(), self.maintenance.clone(), self.baseline.clone());
        crate::ctl::Files { site, maintenance, baseline }
    }

    /// These options as a command line; indicators and rules are not among them, the sensor gets those as a set that the centre copied.
    pub fn line(&self) -> Vec<OsString> {
        let mut line: Vec<OsString> = Vec::new();
        let mut many = |name: &str, values: &[OsString]| {
            if !values.is_empty() {
                line.push(name.into());
                line.extend(values.iter().cloned());
            }
        };
        let paths = |list: &[PathBuf]| list.iter().map(|p| p.clone().into_os_string()).collect::<Vec<_>>();
        let path = |p: &Option<PathBuf>| p.iter().map(|p| p.clone().into_os_string()).collect::<Vec<_>>();
        let word =
            |value: Option<clap::builder::PossibleValue>| value.map(|v| v.get_name().to_owned()).unwrap_or_default();
        many("--interface", &self.interface.iter().map(OsString::from).collect::<Vec<_>>());
        many("--replay", &paths(&self.replay));
        if !self.replay.is_empty() {
            many("--speed", &[self.speed.to_string().into()]);
        }
        many("--data", &[self.data.clone().into()]);
        many("--baseline", &path(&self.baseline));
        many("--learn-hours", &[self.learn_hours.to_string().into()]);
        many("--site", &path(&self.site));
        many("--maintenance", &path(&self.maintenance));
        many("--filter", &self.filter.iter().map(OsString::from).collect::<Vec<_>>());
        many("--packets", &self.packets.iter().map(|mb| OsString::from(mb.to_string())).collect::<Vec<_>>());
        many("--ring", &[self.ring.to_string().into()]);
        many("--snaplen", &[self.snaplen.to_string().into()]);
        many("--detail", &[word(self.detail.to_possible_value()).into()]);
        many("--threads", &[self.threads.to_string().into()]);
        many("--checksums", &[word(self.checksums.to_possible_value()).into()]);
        for (name, list) in [("--flows", &self.flows), ("--syslog", &self.syslog)] {
            line.extend(list.iter().flat_map(|a| [OsString::from(name), a.to_string().into()]));
        }
        for (is_set, name) in
            [(self.as_now, "--as-now"), (self.no_promiscuous, "--no-promiscuous"), (self.no_keep, "--no-keep")]
        {
            line.extend(is_set.then(|| OsString::from(name)));
        }
        line
    }
}

/// Runs it until its source ends or the centre asks for the end.
pub fn run(args: &Sensor) -> anyhow::Result<u8> {
    let limits = Limits::default();
    let watch = &args.watch;
    let (setup, setup_baseline) = setup(watch, &limits)?;
    let (lake, removed) = LiveLake::open(&watch.data.join("lake"), &limits, args.start)
        .with_context(|| format!("cannot open the lake below `{}`", watch.data.display()))?;
    let store = match crate::upkeep::ring_bytes(watch.packets, &watch.data) {
        0 => None,
        bytes => Some(
            Store::open(&watch.data.join("ring"), StoreOptions::within(bytes))
                .with_context(|| format!("cannot store packets below `{}`", watch.data.display()))?,
        ),
    };
    let origin = origin(watch, &limits)?;
    let listens = !watch.flows.is_empty() || !watch.syslog.is_empty();
    anyhow::ensure!(
        !listens || watch.replay.is_empty() || watch.as_now,
        "--flows and --syslog hear what is said now: a replay beside them needs --as-now"
    );
    let mut sockets = Sockets::bind(&watch.flows, &watch.syslog)?;
    let kept = ["lake", "ring", "sensor"].map(|n| watch.data.join(n));
    let writable: Vec<_> = kept.iter().map(PathBuf::as_path).collect();
    let readable: Vec<_> = watch.replay.iter().map(PathBuf::as_path).collect();
    // Read while everything can still be read; what does not load is told and left out.
    let mut problems = Vec::new();
    let at_work = crate::models::all_active(&watch.data, &limits, &mut |p| problems.push(p));
    let known = Known::open(watch.data.clone(), args.known)?;
    let confined = confine::confine(&readable, &writable);
    if args.try_out {
        crate::say::say!("{}", serde_json::to_string(&confined)?);
        for (what, came) in confine::try_out() {
            crate::say::say!("{what}: {came}");
        }
        return Ok(0);
    }
    let (mut link, asked) = Link::open()?;
    link.tell(&json!({ "type": "started", "start": args.start, "confined": confined, "unfinished_files": removed }));
    let shared = Rc::new(RefCell::new(Shared { store, ..Shared::default() }));
    sockets.listen().context("cannot start a thread")?;
    let mut source = Feed::new(origin, sockets, Rc::clone(&shared), Arc::clone(&asked));
    let detail = match watch.detail {
        crate::cli::Detail::Full => gwcore::Detail::Full,
        crate::cli::Detail::Summary if known.wants_every_message() => gwcore::Detail::Marked,
        crate::cli::Detail::Summary => gwcore::Detail::Summary,
    };
    let mut options = analyze::engine_options(watch.threads, watch.checksums, detail, &limits);
    options.batch_time = engine::Options::LIVE;
    options.flow.stats = !at_work.is_empty();
    let mut stage = LiveStage::new(setup, lake, link, Rc::clone(&shared), asked);
    stage.reload_from(watch.data.join("sensor").join(RELOAD));
    if !watch.no_keep {
        stage.keep_in(Kept::open(&watch.data).with_context(|| format!("cannot open `{}`", watch.data.display()))?);
    }
    stage.unwatched_since(args.unwatched_since.map(Ts));
    let models = json!({ "type": "models", "active": at_work.iter().map(models::Live::name).collect::<Vec<_>>() });
    stage.work_with(at_work);
    if let Some(set) = args.known {
        stage.tell(&known.told(set));
    }
    stage.compare_with(known);
    let dir = watch.data.join("sensor");
    let (learning, told) = match &setup_baseline {
        Some((baseline, sha256)) => (None, Some(learning::watching(baseline, sha256))),
        None if watch.no_keep => (None, None),
        None => {
            let needed = (watch.learn_hours.max(0.0) * gwcore::time::HOUR as f64) as i64;
            let (learning, problem) = Learning::open(&dir, needed, &limits);
            problems.extend(problem);
            (Some(learning), None)
        }
    };
    told.iter().for_each(|message| stage.tell(message));
    // The last of what it begins with: from here on the centre knows what detects.
    stage.tell(&models);
    stage.learn(learning, dir.join("approved.baseline"));
    problems.iter().for_each(|p| stage.tell(&json!({ "type": "problem", "what": p })));
    let counts = engine::analyze(&mut source, &options, &mut stage).context("cannot write")?;
    let (files, totals) = (&counts.files, shared.borrow().totals);
    let frames: u64 = files.iter().map(|f| f.frames).sum();
    let decoded: u64 = files.iter().map(|f| f.decoded).sum();
    let mut reasons = std::collections::BTreeMap::<&str, u64>::new();
    files.iter().flat_map(|f| &f.reasons).for_each(|(reason, n)| *reasons.entry(reason).or_default() += n);
    let hits: std::collections::BTreeMap<&str, u64> = counts.hits.iter().map(|(l, n)| (l.key(), n)).collect();
    stage.tell(&json!({
        "type": "ended", "received": totals.received, "dropped": totals.dropped, "own": totals.own, "filtered": totals.filtered, "frames": frames,
        "decoded": decoded, "reasons": reasons, "reopened": totals.reopened, "panics": counts.panics, "limits": hits,
    }));
    stage.close();
    Ok(0)
}

/// What the sensor judges by; its baseline with the hash of the file.
fn setup(watch: &Watch, limits: &Limits) -> anyhow::Result<(Setup, Option<(Arc<detect::Baseline>, String)>)> {
    let mut setup = Setup::new(limits);
    let baseline = watch.baseline.as_deref().map(|path| learning::read(path, limits)).transpose()?;
    let baseline = baseline.map(|(baseline, sha256)| (Arc::new(baseline), sha256));
    setup.baseline = baseline.as_ref().map(|(baseline, _)| Arc::clone(baseline));
    if let Some(path) = &watch.maintenance {
        setup.maintenance = Arc::new(knowledge::maintenance(path)?);
    }
    if let Some(path) = &watch.site {
        setup.site = Arc::new(knowledge::site(path)?);
    }
    Ok((setup, baseline))
}

fn origin(watch: &Watch, limits: &Limits) -> anyhow::Result<Origin> {
    let filter = watch.filter.as_deref().map(Filter::parse).transpose().context("the filter is not understood")?;
    if watch.replay.is_empty() {
        let options = LiveOptions {
            ring_bytes: watch.ring << 20,
            snaplen: watch.snaplen.max(64),
            promiscuous: !watch.no_promiscuous,
        };
        let mut live =
            Live::open(&watch.interface, &options).context("run it with CAP_NET_RAW (as root, or as the service)")?;
        live.filter(filter);
        return Ok(Origin::Live(Box::new(live)));
    }
    let inputs = Inputs::find(&watch.replay, limits);
    for input in &inputs.list {
        if let capture::Status::Unreadable(e) = &input.status {
            anyhow::bail!("cannot replay `{}`: {e}", input.path.display());
        }
    }
    let mut replay = Replay::open(&inputs, limits, watch.speed, watch.as_now);
    replay.filter(filter);
    Ok(Origin::Replay(Box::new(replay)))
}
