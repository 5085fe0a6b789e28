//! `gridwarden simulate`: a substation that never was, as a capture with labels.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use ::simulate::{Attack, Options, Role, Summary, Trap};
use anyhow::Context;

use crate::cli::Simulate;
use crate::say::say;

/// Runs it.
pub fn run(args: &Simulate) -> anyhow::Result<u8> {
    anyhow::ensure!(args.scenario == "substation", "no scenario `{}`: there is `substation`", args.scenario);
    let attacks = args.attack.iter().map(|a| a.parse::<Attack>()).collect::<Result<Vec<_>, _>>()?;
    let traps = args.trap.iter().map(|t| t.parse::<Trap>()).collect::<Result<Vec<_>, _>>()?;
    let actor: Role = args.actor.parse()?;
    for attack in &attacks {
        attack.check(actor)?;
    }
    let options = Options { seed: args.seed, minutes: args.minutes, traps, attacks, actor };
    let summary = write(&options, &args.output, &args.labels)?;
    if !args.quiet {
        say!("{}: {} frames, {} to {}", args.output.display(), summary.frames, summary.start, summary.end);
        say!("{}: {} frames of attacks and traps", args.labels.display(), summary.labelled_frames);
    }
    Ok(0)
}

/// Writes the capture, its labels, and the labels of single frames as `NAME.frames.csv` beside them.
pub fn write(options: &Options, pcap: &Path, labels: &Path) -> anyhow::Result<Summary> {
    let open = |path: &Path| -> anyhow::Result<BufWriter<File>> {
        Ok(BufWriter::new(File::create(path).with_context(|| format!("cannot write `{}`", path.display()))?))
    };
    let frames: PathBuf = labels.with_extension("frames.csv");
    ::simulate::substation(options)
        .write(open(pcap)?, open(labels)?, open(&frames)?)
        .with_context(|| format!("cannot write `{}`", pcap.display()))
}
