//! `gridwarden demo`: the main job on traffic of our own, without root, network or a capture at hand.

use std::path::PathBuf;

use ::simulate::{Attack, Options};
use anyhow::Context;

use crate::cli::Cli;
use crate::{analyze, simulate as sim};

/// Minutes of the simulated substation.
const MINUTES: u32 = 120;

/// Simulates a substation with two attacks, analyses it, and writes a report, all in a cache folder.
pub fn run() -> anyhow::Result<u8> {
    let dir = cache()?.join("gridwarden/demo");
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make the folder `{}`", dir.display()))?;
    let (pcap, report) = (dir.join("substation.pcap"), dir.join("report.html"));
    let attacks = ["scan", "unauthorized-control"].iter().map(|a| a.parse::<Attack>()).collect::<Result<_, _>>()?;
    let options = Options { seed: 7, minutes: MINUTES, attacks, ..Options::default() };
    println!("1. simulate: {MINUTES} minutes of a substation, with a scan and control commands from a stranger in it");
    let made = sim::write(&options, &pcap, &dir.join("substation.csv"))?;
    println!("   {} frames, {} of them of the attacks: {}", made.frames, made.labelled_frames, pcap.display());
    println!("2. analyze\n");
    let line = [
        "gridwarden".into(),
        "analyze".into(),
        pcap.into_os_string(),
        "-o".into(),
        dir.join("out").into(),
        "--report".into(),
        report.clone().into_os_string(),
    ];
    let crate::cli::Command::Analyze(args) = Cli::from_line(line)?.command else { anyhow::bail!("no analyze command") };
    let code = analyze::run(&args)?;
    anyhow::ensure!(code <= 1, "the analysis failed");
    println!("\n3. report: open file://{}", report.display());
    Ok(0)
}

/// The user's cache folder (XDG base directories).
fn cache() -> anyhow::Result<PathBuf> {
    let named = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    named("XDG_CACHE_HOME")
        .or_else(|| named("HOME").map(|h| h.join(".cache")))
        .context("neither XDG_CACHE_HOME nor HOME is set: name a cache folder in one of them")
}
