//! `gridwarden sensor`: the process that reads, stores, decodes and judges. `gridwarden run` starts it; nobody else need.
//!
//! It opens its interfaces and folders, gives up its rights, and talks to the centre over one socket, its standard input.

mod confine;
mod feed;
pub mod keep;
mod link;
mod stage;

use std::cell::RefCell;
use std::ffi::OsString;
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
use link::Link;
use stage::LiveStage;

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
    /// What is declared of the site (TOML).
    #[arg(long, value_name = "FILE")]
    pub site: Option<PathBuf>,
    /// Declared work (CSV: start,end,asset,reason).
    #[arg(long, value_name = "FILE")]
    pub maintenance: Option<PathBuf>,
    /// Megabytes of packets kept on disk; 0 keeps none.
    #[arg(long, value_name = "MB", default_value_t = 10_240)]
    pub packets: u64,
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
    /// These options as a command line.
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
        many("--site", &path(&self.site));
        many("--maintenance", &path(&self.maintenance));
        many("--filter", &self.filter.iter().map(OsString::from).collect::<Vec<_>>());
        many("--packets", &[self.packets.to_string().into()]);
        many("--ring", &[self.ring.to_string().into()]);
        many("--snaplen", &[self.snaplen.to_string().into()]);
        many("--detail", &[word(self.detail.to_possible_value()).into()]);
        many("--threads", &[self.threads.to_string().into()]);
        many("--checksums", &[word(self.checksums.to_possible_value()).into()]);
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
    let setup = setup(watch, &limits)?;
    let (lake, removed) = LiveLake::open(&watch.data.join("lake"), &limits, args.start)
        .with_context(|| format!("cannot open the lake below `{}`", watch.data.display()))?;
    let store = match watch.packets {
        0 => None,
        mb => Some(
            Store::open(&watch.data.join("ring"), StoreOptions::within(mb << 20))
                .with_context(|| format!("cannot store packets below `{}`", watch.data.display()))?,
        ),
    };
    let origin = origin(watch, &limits)?;
    let kept = ["lake", "ring", "sensor"].map(|n| watch.data.join(n));
    let writable: Vec<_> = kept.iter().map(PathBuf::as_path).collect();
    let readable: Vec<_> = watch.replay.iter().map(PathBuf::as_path).collect();
    // Read while everything can still be read; what does not load is told and left out.
    let mut problems = Vec::new();
    let at_work = crate::models::all_active(&watch.data, &limits, &mut |p| problems.push(p));
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
    let mut source = Feed::new(origin, Rc::clone(&shared), Arc::clone(&asked));
    let detail = match watch.detail {
        crate::cli::Detail::Full => gwcore::Detail::Full,
        crate::cli::Detail::Summary => gwcore::Detail::Summary,
    };
    let mut options = analyze::engine_options(watch.threads, watch.checksums, detail, &limits);
    options.batch_time = engine::Options::LIVE;
    options.flow.stats = !at_work.is_empty();
    let mut stage = LiveStage::new(setup, lake, link, Rc::clone(&shared), asked);
    if !watch.no_keep {
        stage.keep_in(Kept::open(&watch.data).with_context(|| format!("cannot open `{}`", watch.data.display()))?);
    }
    stage.unwatched_since(args.unwatched_since.map(Ts));
    problems.iter().for_each(|p| stage.tell(&json!({ "type": "problem", "what": p })));
    stage.tell(&json!({ "type": "models", "active": at_work.iter().map(models::Live::name).collect::<Vec<_>>() }));
    stage.work_with(at_work);
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

fn setup(watch: &Watch, limits: &Limits) -> anyhow::Result<Setup> {
    let mut setup = Setup::new(limits);
    if let Some(path) = &watch.baseline {
        setup.baseline = Some(Arc::new(knowledge::baseline(path, limits)?));
    }
    if let Some(path) = &watch.maintenance {
        setup.maintenance = Arc::new(knowledge::maintenance(path)?);
    }
    if let Some(path) = &watch.site {
        setup.site = Arc::new(knowledge::site(path)?);
    }
    Ok(setup)
}

fn origin(watch: &Watch, limits: &Limits) -> anyhow::Result<Origin> {
    let filter = watch.filter.as_deref().map(Filter::parse).transpose().context("the filter is not understood")?;
    if watch.replay.is_empty() {
        let options = LiveOptions {
            ring_bytes: watch.ring << 20,
            snaplen: watch.snaplen.max(64),
            promiscuous: !watch.no_promiscuous,
        };
        let live =
            Live::open(&watch.interface, &options).context("run it with CAP_NET_RAW (as root, or as the service)")?;
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
