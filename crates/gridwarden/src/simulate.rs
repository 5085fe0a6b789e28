//! `gridwarden simulate`: a substation that never was, or an attack put into a real capture, with labels.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use ::simulate::{Attack, Failure, Onto, Options, Role, Summary, Trap};
use anyhow::Context;
use gwcore::Limits;

use crate::cli::Simulate;
use crate::say::say;

/// Runs it.
pub fn run(args: &Simulate) -> anyhow::Result<u8> {
    let attacks = args.attack.iter().map(|a| a.parse::<Attack>()).collect::<Result<Vec<_>, _>>()?;
    let actor: Role = args.actor.parse()?;
    let summary = match (&args.onto, args.scenario.as_deref()) {
        (Some(capture), _) => {
            let [attack] = attacks[..] else { anyhow::bail!("--onto takes exactly one --attack") };
            onto(capture, (attack, actor, args.seed), &args.output, &args.labels)
                .with_context(|| format!("attack `{attack}` by `{actor}`"))?
        }
        (None, Some("substation")) => {
            let traps = args.trap.iter().map(|t| t.parse::<Trap>()).collect::<Result<Vec<_>, _>>()?;
            for attack in &attacks {
                attack.check(actor)?;
            }
            let options = Options { seed: args.seed, minutes: args.minutes, traps, attacks, actor };
            write(&options, &args.output, &args.labels)?
        }
        (None, other) => anyhow::bail!("no scenario `{}`: there is `substation`", other.unwrap_or_default()),
    };
    if !args.quiet {
        say!("{}: {} frames, {} to {}", args.output.display(), summary.frames, summary.start, summary.end);
        say!("{}: {} frames of attacks and traps", args.labels.display(), summary.labelled_frames);
    }
    Ok(0)
}

/// Puts an attack by an actor into a copy of a capture; nothing is written when it cannot be tried.
pub fn onto(
    capture: &Path,
    (attack, actor, seed): (Attack, Role, u64),
    pcap: &Path,
    labels: &Path,
) -> Result<Summary, Failure> {
    let limits = Limits::default();
    let planned = Onto::plan(capture, attack, actor, seed, &limits)?;
    let same = |path: &Path| path.canonicalize().ok().zip(capture.canonicalize().ok()).is_some_and(|(a, b)| a == b);
    if same(pcap) || same(labels) {
        let why = "the output would overwrite the capture".to_owned();
        return Err(Failure::Unreadable(capture.display().to_string(), why));
    }
    let open = |path: &Path| Ok::<_, Failure>(BufWriter::new(File::create(path)?));
    planned.write(open(pcap)?, open(labels)?, open(&labels.with_extension("frames.csv"))?)
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
