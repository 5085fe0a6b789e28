//! `gridwarden analyze`: captures in; records, devices, findings and a summary out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use capture::{FileReport, Inputs, Merge, Single, Status};
use detect::{AssetChange, Baseline, Device, Setup};
use engine::{Counts, Options, Stop};
use gwcore::time::length;
use gwcore::{Finding, Limits, Names, Severity, Sink};
use report::{FileSummary, Overview, Summary, Verdict, Watch};

use crate::cli::{Analyze, Checksums, Detail, Logs};
use crate::knowledge;
use crate::known_bad::Loaded;
use crate::platform::{Platform, Restarts, Tally};
use crate::progress::Progress;
use crate::say::{complaint, say};
use crate::{origin, write};

/// Runs it; the exit code says what was found (design §4).
pub fn run(args: &Analyze) -> anyhow::Result<u8> {
    let started = Instant::now();
    if let Some(seed) = args.hash_seed {
        gwcore::ids::fix_hash_seed(seed);
    }
    known_detectors(args)?;
    report_format(args.report.as_deref())?;
    let limits = Limits::scaled(args.limits_divisor);
    filter(args)?;
    let inputs = Inputs::find(&args.paths, &limits);
    let dir = output(args)?;
    let setup = knowledge::setup(args, &limits)?;
    let loaded = Loaded::load(&args.intel, &args.rules, args.quiet)?;
    let world = analyze(args, &setup, &loaded, &inputs, &dir)?;
    let mut summary = summarise(args, &inputs, &world, &setup);
    summary.seconds = started.elapsed().as_secs_f64();
    write::alerts(&dir, &world.findings)?;
    write::assets(&dir, &world.devices)?;
    write::changes(&dir, &world.changes)?;
    write::summary(&dir, &summary)?;
    if let Some(path) = &args.report {
        let ran = origin::detectors(args, &world.tally.heard);
        let origin = origin::of(args, &inputs, &world.reports, &world.interfaces, &dir, (&setup, &ran));
        write::report(path, &summary, (&world.devices, &world.findings), world.overview.as_ref(), &origin)?;
    }
    say(args, &dir, &summary, &world)?;
    Ok(exit_code(&summary, &world))
}

/// What all worlds of the run came to.
#[derive(Default)]
struct World {
    devices: Vec<(Option<String>, Device)>,
    changes: Vec<(Option<String>, AssetChange)>,
    findings: Vec<(Option<String>, Finding)>,
    counts: Vec<Counts>,
    reports: Vec<FileReport>,
    /// Names that the captures give their interfaces.
    interfaces: Vec<String>,
    tally: Tally,
    /// For the report, where the input is one world.
    overview: Option<Overview>,
}

fn analyze(args: &Analyze, setup: &Setup, loaded: &Loaded, inputs: &Inputs, dir: &Path) -> anyhow::Result<World> {
    let limits = &setup.limits;
    let mut options = options(args, limits);
    if loaded.wants_every_message() && options.detail == gwcore::Detail::Summary {
        options.detail = gwcore::Detail::Marked;
    }
    let files: Vec<String> = inputs.list.iter().map(|i| i.path.display().to_string()).collect();
    let shared: Vec<Arc<str>> = files.iter().map(|f| Arc::from(f.as_str())).collect();
    let mut sinks = sinks(args, dir, limits)?;
    let sizes = inputs.list.iter().filter_map(|i| std::fs::metadata(&i.path).ok()).map(|m| m.len());
    let progress = Progress::new(sizes.sum(), args.quiet);
    let mut world = World::default();
    let chosen = (&args.only[..], &args.without[..]);
    if args.separate {
        for (index, input) in inputs.list.iter().enumerate().filter(|(_, i)| matches!(i.status, Status::Capture)) {
            let Some(mut source) = Single::open(inputs, index, limits) else { continue };
            source.filter(filter(args)?);
            let names = (&files[..], &shared[..]);
            let mut stage = Platform::new(setup, chosen, &mut sinks, names, &mut world.tally, &progress);
            stage.matchers = loaded.matchers();
            stage.models = crate::models::live(args, &setup.limits)?;
            let counts = engine::analyze(&mut source, &options, &mut stage)
                .with_context(|| format!("cannot write to `{}`", dir.display()))?;
            let (inventory, findings, _) = stage.result(counts.span);
            let file = Some(input.path.display().to_string());
            world.devices.extend(inventory.devices.into_iter().map(|d| (file.clone(), d)));
            world.changes.extend(inventory.changes.into_iter().map(|c| (file.clone(), c)));
            world.findings.extend(findings.into_iter().map(|f| (file.clone(), f)));
            world.tally.bytes_done += counts.bytes;
            world.counts.push(counts);
            world.interfaces = source.interfaces().to_vec();
            world.reports.extend(source.finish());
        }
        world.findings.sort_by(|a, b| (a.1.ts, &a.1.id, &a.0).cmp(&(b.1.ts, &b.1.id, &b.0)));
    } else {
        let mut source = Merge::open(inputs, limits);
        source.filter(filter(args)?);
        let names = (&files[..], &shared[..]);
        let mut stage = Platform::new(setup, chosen, &mut sinks, names, &mut world.tally, &progress);
        stage.matchers = loaded.matchers();
        stage.restarts = args.restart_every.map(|seconds| Restarts {
            every: i64::from(seconds) * gwcore::time::SECOND,
            next: None,
            path: dir.join("state"),
            setup: setup.clone(),
            only: args.only.clone(),
            without: args.without.clone(),
        });
        stage.models = crate::models::live(args, &setup.limits)?;
        stage.watch = args.report.is_some().then(|| Watch::new(limits));
        let counts = engine::analyze(&mut source, &options, &mut stage)
            .with_context(|| format!("cannot write to `{}`", dir.display()))?;
        let (inventory, findings, overview) = stage.result(counts.span);
        world.overview = overview;
        world.devices.extend(inventory.devices.into_iter().map(|d| (None, d)));
        world.changes.extend(inventory.changes.into_iter().map(|c| (None, c)));
        world.findings.extend(findings.into_iter().map(|f| (None, f)));
        world.counts.push(counts);
        world.interfaces = source.interfaces().to_vec();
        world.tally.hits.add(source.hits());
        world.reports = source.finish();
    }
    let names = Names { files: &files, interfaces: &world.interfaces };
    let findings: Vec<&Finding> = world.findings.iter().map(|(_, f)| f).collect();
    for sink in &mut sinks {
        sink.findings(&findings, names)
            .and_then(|()| sink.finish(names))
            .with_context(|| format!("cannot write to `{}`", dir.display()))?;
    }
    Ok(world)
}

/// Runs what comes from no capture through the same stages, and writes the same files; gives the number of findings and the exit code.
pub fn ingested(args: &Analyze, feed: &mut crate::ingest::Feed, dir: &Path) -> anyhow::Result<(usize, u8)> {
    let started = Instant::now();
    known_detectors(args)?;
    let limits = Limits::default();
    let setup = knowledge::setup(args, &limits)?;
    let loaded = Loaded::load(&args.intel, &args.rules, args.quiet)?;
    let options = options(args, &limits);
    let files = feed.names.clone();
    let shared: Vec<Arc<str>> = files.iter().map(|f| Arc::from(f.as_str())).collect();
    let mut sinks = sinks(args, dir, &limits)?;
    let progress = Progress::new(0, true);
    let mut world = World::default();
    let chosen = (&args.only[..], &args.without[..]);
    let mut stage = Platform::new(&setup, chosen, &mut sinks, (&files[..], &shared[..]), &mut world.tally, &progress);
    stage.matchers = loaded.matchers();
    stage.models = crate::models::live(args, &setup.limits)?;
    let counts = engine::analyze(feed, &Options { threads: 1, ..options }, &mut stage)
        .with_context(|| format!("cannot write to `{}`", dir.display()))?;
    let (inventory, findings, _) = stage.result(counts.span);
    world.devices.extend(inventory.devices.into_iter().map(|d| (None, d)));
    world.changes.extend(inventory.changes.into_iter().map(|c| (None, c)));
    world.findings.extend(findings.into_iter().map(|f| (None, f)));
    world.counts.push(counts);
    let findings: Vec<&Finding> = world.findings.iter().map(|(_, f)| f).collect();
    for sink in &mut sinks {
        let names = Names { files: &files, interfaces: &[] };
        sink.findings(&findings, names)
            .and_then(|()| sink.finish(names))
            .with_context(|| format!("cannot write to `{}`", dir.display()))?;
    }
    let nothing = Inputs::find(&[], &limits);
    let mut summary = summarise(args, &nothing, &world, &setup);
    summary.seconds = started.elapsed().as_secs_f64();
    write::alerts(dir, &world.findings)?;
    write::assets(dir, &world.devices)?;
    write::changes(dir, &world.changes)?;
    write::summary(dir, &summary)?;
    let alarmed = world.findings.iter().any(|(_, f)| f.severity > Severity::Info);
    Ok((world.findings.len(), u8::from(alarmed)))
}

fn options(args: &Analyze, limits: &Limits) -> Options {
    let checksums = if args.ignore_checksums { Checksums::None } else { args.checksums };
    let for_others = |l: &Logs| !matches!(l, Logs::Parquet | Logs::Ndjson);
    let detail = match args.detail {
        Detail::Full => gwcore::Detail::Full,
        Detail::Summary if args.logs.iter().any(for_others) => gwcore::Detail::Marked,
        Detail::Summary => gwcore::Detail::Summary,
    };
    let mut options = engine_options(args.threads, checksums, detail, limits);
    options.flow.vlan_in_key = args.vlan_in_key;
    options.flow.stats = !args.model.is_empty();
    options.flow.overlap = flow::Targets::new(args.reassembly_policy.clone());
    options
}

/// How the engine runs; no threads named takes the machine's.
pub fn engine_options(threads: usize, checksums: Checksums, detail: gwcore::Detail, limits: &Limits) -> Options {
    let threads = match threads {
        0 => std::thread::available_parallelism().map_or(1, |n| n.get()),
        n => n,
    };
    let flow = flow::Options {
        checksums: match checksums {
            Checksums::Auto => flow::Checksums::Auto,
            Checksums::None => flow::Checksums::None,
            Checksums::All => flow::Checksums::All,
        },
        ..flow::Options::default()
    };
    let packet = packet::Options {
        checksums: if checksums == Checksums::None { packet::Checksums::Ignore } else { packet::Checksums::Verify },
        ..packet::Options::default()
    };
    let (batch_time, stop) = (Options::FILES, Stop::default());
    Options { threads, limits: limits.clone(), detail, packet, flow, batch_time, stop }
}

fn sinks(args: &Analyze, dir: &Path, limits: &Limits) -> anyhow::Result<Vec<Box<dyn Sink>>> {
    use views::eve::Own;
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    let community_id = views::CommunityId { of: flow::community_id, seed: args.community_id_seed };
    for log in &args.logs {
        sinks.push(match log {
            Logs::Parquet => Box::new(lake::ParquetSink::new(dir, limits)),
            Logs::Ndjson => Box::new(views::NdjsonSink::new(dir)),
            Logs::Zeek => Box::new(views::ZeekSink::new(dir.join("zeek"), false, community_id)),
            Logs::ZeekJson if args.logs.contains(&Logs::Zeek) => {
                Box::new(views::ZeekSink::new(dir.join("zeek-json"), true, community_id))
            }
            Logs::ZeekJson => Box::new(views::ZeekSink::new(dir.join("zeek"), true, community_id)),
            // Both words together still are one file.
            Logs::Eve if args.logs.contains(&Logs::EveOwn) => continue,
            Logs::Eve => Box::new(views::EveSink::new(dir, community_id, Own::LeftOut, detect::number)),
            Logs::EveOwn => Box::new(views::EveSink::new(dir, community_id, Own::Written, detect::number)),
        });
    }
    Ok(sinks)
}

/// The output folder, made anew; an existing one is reused only if it is ours or empty.
pub fn output(args: &Analyze) -> anyhow::Result<PathBuf> {
    let dir = match (&args.output, args.paths.first()) {
        (Some(dir), _) => dir.clone(),
        (None, Some(first)) if first.as_os_str() == "-" => PathBuf::from("stdin.gridwarden"),
        (None, Some(first)) => {
            let name = first.file_name().unwrap_or(first.as_os_str()).to_string_lossy().into_owned();
            first.with_file_name(format!("{name}.gridwarden"))
        }
        (None, None) => anyhow::bail!("no input named"),
    };
    let ours = dir.join("summary.json").exists();
    let empty = dir.read_dir().is_ok_and(|mut d| d.next().is_none());
    if dir.exists() && !ours && !empty {
        anyhow::bail!("`{}` exists and was not written by gridwarden: name another folder with -o", dir.display());
    }
    for old in ["records", "ndjson", "zeek", "zeek-json"] {
        if ours && dir.join(old).exists() {
            std::fs::remove_dir_all(dir.join(old)).with_context(|| format!("cannot empty `{}`", dir.display()))?;
        }
    }
    if ours && dir.join("eve.json").exists() {
        std::fs::remove_file(dir.join("eve.json")).with_context(|| format!("cannot empty `{}`", dir.display()))?;
    }
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make the folder `{}`", dir.display()))?;
    Ok(dir)
}

/// Reports are HTML: any other suffix is refused before anything is read.
fn report_format(path: Option<&Path>) -> anyhow::Result<()> {
    let Some(path) = path else { return Ok(()) };
    let suffix = path.extension().map(|s| s.to_string_lossy().to_lowercase()).unwrap_or_default();
    match &suffix[..] {
        "html" | "htm" => Ok(()),
        "pdf" => anyhow::bail!("`{}`: PDF reports are not available yet; use --report FILE.html", path.display()),
        _ => anyhow::bail!("`{}`: a report is written as HTML; use --report FILE.html", path.display()),
    }
}

fn filter(args: &Analyze) -> anyhow::Result<Option<capture::Filter>> {
    args.filter.as_deref().map(capture::Filter::parse).transpose().context("the filter is not understood")
}

fn known_detectors(args: &Analyze) -> anyhow::Result<()> {
    for name in args.only.iter().chain(&args.without) {
        if !detect::META.iter().any(|m| m.id == name) {
            anyhow::bail!("no detector `{name}`: `gridwarden detectors` lists them");
        }
    }
    Ok(())
}

fn summarise(args: &Analyze, inputs: &Inputs, world: &World, setup: &Setup) -> Summary {
    let mut s = Summary {
        format_version: 1,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        detail: if args.detail == Detail::Full { "full" } else { "summary" },
        shards: 32,
        records: world.tally.records.clone(),
        anomalies: world.tally.anomalies.clone(),
        services: world.tally.services.clone(),
        assets: world.devices.len() as u64,
        ..Summary::default()
    };
    let mut hits = world.tally.hits.clone();
    let mut span: Option<(gwcore::Ts, gwcore::Ts)> = None;
    for counts in &world.counts {
        hits.add(&counts.hits);
        s.bytes += counts.bytes;
        s.twins += counts.twins;
        s.panics += counts.panics;
        s.time_breaks += counts.time_breaks;
        if let Some((a, b)) = counts.span {
            span = Some(span.map_or((a, b), |(x, y)| (x.min(a), y.max(b))));
        }
    }
    if let Some((first, last)) = span {
        s.first = Some(first.to_string());
        s.last = Some(last.to_string());
        s.span_seconds = last.since(first) as f64 / 1e9;
    }
    s.drops = hits.iter().map(|(l, n)| (l.key().to_owned(), n)).collect();
    for severity in [Severity::Info, Severity::Low, Severity::Medium, Severity::High, Severity::Critical] {
        let n = world.findings.iter().filter(|(_, f)| f.severity == severity).count();
        s.findings.insert(severity.name(), n as u64);
    }
    for (index, input) in inputs.list.iter().enumerate() {
        let report = world.reports.iter().find(|r| r.path == input.path);
        s.files.push(file(index, &input.path, &input.status, report, &world.counts));
    }
    s.frames = s.files.iter().map(|f| f.frames).sum();
    s.filter = args.filter.clone();
    s.filtered = s.files.iter().map(|f| f.filtered).sum();
    s.decoded = s.files.iter().map(|f| f.decoded).sum();
    s.cut_by_snaplen = s.files.iter().map(|f| f.cut_by_snaplen).sum();
    for f in &s.files {
        for (reason, n) in &f.reasons {
            *s.reasons.entry(reason.clone()).or_default() += n;
        }
        for (who, n) in &f.lost {
            let sum = s.lost.entry(who).or_default();
            *sum = sum.saturating_add(*n);
        }
    }
    (s.unread, s.read_to_content) = world.tally.unread.finish();
    s.detectors = origin::summaries(&origin::detectors(args, &world.tally.heard));
    let alarms = world.findings.iter().filter(|(_, f)| f.severity >= Severity::Medium).count() as u64;
    s.verdict = Verdict::of(&s, alarms);
    s.remarks = setup.baseline.as_deref().map(|b| remarks(b, span)).unwrap_or_default();
    s
}

fn file(index: usize, path: &Path, status: &Status, report: Option<&FileReport>, counts: &[Counts]) -> FileSummary {
    let mut f = FileSummary { path: path.display().to_string(), status: "read", ..FileSummary::default() };
    match status {
        Status::NotCapture => f.status = "not_capture",
        Status::Unreadable(e) => {
            f.status = "unreadable";
            f.problem = Some(e.to_string());
        }
        Status::Capture => {}
    }
    for c in counts.iter().filter_map(|c| c.files.get(index)) {
        f.frames += c.frames;
        f.decoded += c.decoded;
        f.cut_by_snaplen += c.cut_by_snaplen;
        for (reason, n) in &c.reasons {
            *f.reasons.entry((*reason).to_owned()).or_default() += n;
        }
    }
    if let Some(r) = report {
        f.format = r.format.map(|x| format!("{x:?}").to_lowercase());
        f.bytes = r.bytes;
        f.filtered = r.filtered;
        f.truncated = r.truncated.is_some();
        f.lost = lost(&r.lost);
        if r.failed() {
            f.status = if r.frames > 0 { "damaged" } else { "unreadable" };
            let (reason, remedy) = (r.reason().unwrap_or_default(), r.remedy().unwrap_or_default());
            f.problem = Some(format!("{reason}: {remedy}"));
        } else {
            f.note = note(&f, r);
        }
    }
    f
}

/// What is to be known of a baseline beside what it judges.
fn remarks(b: &Baseline, judged: Option<(gwcore::Ts, gwcore::Ts)>) -> Vec<String> {
    let (Some((first, last)), Some((_, learned))) = (judged, b.first_last()) else { return Vec::new() };
    let (measured, span) = (b.measured(), last.since(first));
    let mut said = Vec::new();
    if measured < span {
        let (measured, span) = (length(measured), length(span));
        said.push(format!("The baseline rests on {measured} of traffic, less than the {span} that it judges."));
    }
    if learned > first {
        let until = learned.to_string().get(..19).unwrap_or_default().replace('T', " ");
        said.push(format!(
            "The baseline was learned up to {until} UTC, after what it judges began: it may know it already."
        ));
    }
    said
}

/// What is to be said of a file that could be read, in one line.
fn note(f: &FileSummary, r: &FileReport) -> Option<String> {
    if f.frames == 0 && f.filtered > 0 {
        return Some(format!("none of its {} packets passes the filter", f.filtered));
    }
    if f.frames == 0 {
        return Some("holds a file header and no packet: record again, or check the capture filter".to_owned());
    }
    if let Some(n) = f.reasons.get("unsupported_link_type") {
        let links: Vec<String> = r.link_types.keys().map(|link| origin::link_name(*link)).collect();
        return Some(format!("{n} of {} packets have a link type that is not read ({})", f.frames, links.join(", ")));
    }
    r.truncated.is_some().then(|| format!("ends within a packet; the {} packets before it were read", f.frames))
}

/// Frames lost before they were captured, by who counted them.
fn lost(lost: &capture::Lost) -> BTreeMap<&'static str, u64> {
    let all = [("interface", lost.interface), ("system", lost.system), ("between_packets", lost.between)];
    all.into_iter().filter(|(_, n)| *n > 0).collect()
}

fn say(args: &Analyze, dir: &Path, summary: &Summary, world: &World) -> anyhow::Result<()> {
    for f in summary.files.iter().filter(|f| matches!(f.status, "unreadable" | "damaged")) {
        let (path, problem) = (report::plain(&f.path), report::plain(f.problem.as_deref().unwrap_or_default()));
        complaint(format_args!("{path}: {problem}"));
    }
    if args.json {
        say!("{}", serde_json::to_string_pretty(summary)?);
    } else if !args.quiet {
        let devices: Vec<Device> = world.devices.iter().map(|d| d.1.clone()).collect();
        let findings: Vec<Finding> = world.findings.iter().map(|f| f.1.clone()).collect();
        let report = args.report.as_deref().map(|p| p.display().to_string()).unwrap_or_default();
        let next = match &args.report {
            Some(_) => format!("less {}", dir.join("alerts.ndjson").display()),
            None => format!("the same with --report report.html, or less {}", dir.join("alerts.ndjson").display()),
        };
        for line in report::page(summary, &devices, &findings, &report, &next) {
            say!("{line}");
        }
    }
    Ok(())
}

/// 2 when the command failed in whole or part, 1 for findings above `info`, else 0.
fn exit_code(summary: &Summary, world: &World) -> u8 {
    let failed = summary.files.iter().any(|f| matches!(f.status, "unreadable" | "damaged"))
        || !summary.files.iter().any(|f| f.status != "not_capture");
    match (failed, world.findings.iter().any(|(_, f)| f.severity > Severity::Info)) {
        (true, _) => 2,
        (false, true) => 1,
        (false, false) => 0,
    }
}
