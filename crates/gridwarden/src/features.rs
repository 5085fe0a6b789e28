//! `gridwarden features`: captures in, a table of features for learning out.

use std::path::PathBuf;

use ::features::{Labels, Make, NORMAL, Row, TableWriter, Which};
use anyhow::Context;
use capture::{Inputs, Loss, Merge};
use clap::Args;
use engine::{Input, Source};
use gwcore::Limits;

use crate::analyze::engine_options;
use crate::cli::Checksums;
use crate::knowledge;
use crate::progress::Progress;
use crate::say::say;

/// What `features` takes.
#[derive(Args, Clone)]
pub struct Features {
    /// Capture files or folders, or - for standard input.
    #[arg(required_unless_present = "list")]
    pub paths: Vec<PathBuf>,
    /// The table to write (Parquet).
    #[arg(short = 'o', long = "output", required_unless_present = "list")]
    pub output: Option<PathBuf>,
    /// What a row describes: `host` (a device and a minute), `ot` (a client, a server and a minute), `flow`, `conn`.
    #[arg(long, default_value = "host")]
    pub family: String,
    /// Who attacked whom and when, as `simulate` writes it (CSV: start,end,attack,actor,target); NAME.frames.csv beside it is read too.
    #[arg(long, value_name = "L.csv")]
    pub labels: Option<PathBuf>,
    /// Prints the features of every family with unit, meaning and source, and reads nothing.
    #[arg(long)]
    pub list: bool,
    /// Worker threads; 0 takes the machine's.
    #[arg(short = 'j', long, default_value_t = 0)]
    pub threads: usize,
    /// Checksums, as for `analyze`.
    #[arg(short = 'k', long = "checksums", value_enum, default_value_t = Checksums::Auto)]
    pub checksums: Checksums,
    /// Says nothing but errors.
    #[arg(long, short = 'q')]
    pub quiet: bool,
}

/// Runs it.
pub fn run(args: &Features) -> anyhow::Result<u8> {
    if args.list {
        list();
        return Ok(0);
    }
    let which: Which = args.family.parse().map_err(anyhow::Error::msg)?;
    let Some(output) = &args.output else { anyhow::bail!("-o names the table to write") };
    let limits = Limits::default();
    let inputs = Inputs::find(&args.paths, &limits);
    let captures = inputs.list.iter().filter(|i| matches!(i.status, capture::Status::Capture)).count();
    anyhow::ensure!(captures > 0, "no capture among the inputs");
    let labels = labels(args, captures)?;
    let mut options = engine_options(args.threads, args.checksums, gwcore::Detail::Summary, &limits);
    options.flow.stats = true;
    let sizes = inputs.list.iter().filter_map(|i| std::fs::metadata(&i.path).ok()).map(|m| m.len());
    let progress = Progress::new(sizes.sum(), args.quiet);
    let mut rows: Vec<Row> = Vec::new();
    let mut merge = Merge::open(&inputs, &limits);
    let mut make = Make::new(which, &limits, |new: &[Row]| {
        rows.extend_from_slice(new);
        Ok(())
    });
    let mut seeing = Seeing { merge: &mut merge, labels, progress: &progress, bytes: 0 };
    engine::analyze(&mut seeing, &options, &mut make)?;
    let (labels, hits) = (seeing.labels, make.hits());
    drop(make);
    let mut failed = false;
    for report in merge.finish().iter().filter(|r| r.failed()) {
        failed = true;
        let (why, remedy) = (report.reason().unwrap_or_default(), report.remedy().unwrap_or_default());
        crate::say::complaint(format_args!("{}: {why}: {remedy}", report.path.display()));
    }
    let cannot = || format!("cannot write `{}`", output.display());
    let family = which.family();
    let mut table = TableWriter::create(output, &family, labels.is_some()).with_context(cannot)?;
    let mut attacks = 0u64;
    for row in rows {
        let (label, situation) = labels.as_ref().map_or(("", ""), |l| l.of(&row.identity));
        attacks += u64::from(labels.is_some() && label != NORMAL);
        table.push(row, label, situation).with_context(cannot)?;
    }
    let written = table.finish().with_context(cannot)?;
    for (limit, n) in hits.iter() {
        crate::say::complaint(format_args!("limit `{}` was reached {n} times: {}", limit.key(), limit.doc().trim()));
    }
    if !args.quiet {
        let of = if labels.is_some() { format!(", {attacks} of them attacks") } else { String::new() };
        let n = family.features.len();
        say!(
            "{}: {written} rows{of}, {n} features of family {} version {}",
            output.display(),
            family.name,
            family.version
        );
    }
    Ok(if failed { 2 } else { 0 })
}

fn labels(args: &Features, captures: usize) -> anyhow::Result<Option<Labels>> {
    let Some(path) = &args.labels else { return Ok(None) };
    let labels = Labels::parse(&knowledge::read(path)?).with_context(|| format!("`{}`", path.display()))?;
    let frames = path.with_extension("frames.csv");
    // Numbers of frames mean something for one capture only.
    if captures != 1 || !frames.exists() {
        return Ok(Some(labels));
    }
    let labels = labels.frames(&knowledge::read(&frames)?);
    Ok(Some(labels.with_context(|| format!("`{}`", frames.display()))?))
}

fn list() {
    for (which, name) in Which::ALL {
        let family = which.family();
        say!("{name} version {}: {} One row: {}.", family.version, family.doc, family.row);
        for f in &family.features {
            let unit = if f.unit.is_empty() { String::new() } else { format!(" [{}]", f.unit) };
            say!("  {}{unit}: {} ({})", f.name, f.doc, f.source);
        }
    }
}

/// Notes when labelled frames came, and how far reading has got.
struct Seeing<'a> {
    merge: &'a mut Merge,
    labels: Option<Labels>,
    progress: &'a Progress,
    bytes: u64,
}

impl Source for Seeing<'_> {
    fn next(&mut self) -> Option<Input<'_>> {
        let frame = Merge::next(self.merge)?;
        if let Some(labels) = &mut self.labels {
            labels.see(frame.number, frame.ts);
        }
        self.bytes += frame.data.len() as u64;
        if frame.number.is_multiple_of(4_096) {
            self.progress.at(self.bytes);
        }
        Some(Input::Frame(frame))
    }
    fn interfaces(&self) -> &[String] {
        Source::interfaces(self.merge)
    }
    fn losses(&mut self) -> Vec<Loss> {
        Source::losses(self.merge)
    }
}
