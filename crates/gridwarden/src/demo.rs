//! `gridwarden demo`: the main job on traffic of our own, without root, network or a capture at hand.

use std::ffi::OsString;
use std::path::PathBuf;

use ::simulate::{Attack, Options};
use anyhow::Context;

use crate::cli::{Cli, Command};
use crate::say::say;
use crate::{analyze, learn, simulate as sim};

/// Seeds of the two quiet days that are learned, and their minutes. A seed gives its day a date: these and the judged one follow each other.
const LEARNED: [u64; 2] = [5, 8];
const LEARNED_MINUTES: u32 = 480;
/// Seed and minutes of the day that is judged.
const JUDGED: u64 = 16;
const JUDGED_MINUTES: u32 = 120;
/// How many times faster they arrive in the console.
const SPEED: u32 = 20;

/// Simulates two quiet days and one with two attacks, learns the first, judges the last, and writes a report, all in a cache folder. Then, unless
/// `once`, the same two hours arrive again as live traffic, twenty times as fast, with the console beside them.
pub fn run(once: bool) -> anyhow::Result<u8> {
    let dir = cache()?.join("gridwarden/demo");
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make the folder `{}`", dir.display()))?;
    let path = |name: &str| dir.join(name);
    say!(
        "1. simulate: two quiet days of a substation, then two hours with a scan and commands from a stranger in them"
    );
    for seed in LEARNED {
        let options = Options { seed, minutes: LEARNED_MINUTES, ..Options::default() };
        sim::write(&options, &path(&format!("quiet-{seed}.pcap")), &path(&format!("quiet-{seed}.csv")))?;
    }
    let attacks = ["scan", "unauthorized-control"].iter().map(|a| a.parse::<Attack>()).collect::<Result<_, _>>()?;
    let options = Options { seed: JUDGED, minutes: JUDGED_MINUTES, attacks, ..Options::default() };
    let made = sim::write(&options, &path("substation.pcap"), &path("substation.csv"))?;
    say!(
        "   {} frames, {} of them of the attacks: {}",
        made.frames,
        made.labelled_frames,
        path("substation.pcap").display()
    );
    say!("2. learn what is normal from the quiet days\n");
    let quiet = LEARNED.map(|seed| path(&format!("quiet-{seed}.pcap")).into_os_string());
    let line = [OsString::from("gridwarden"), "learn".into()].into_iter().chain(quiet);
    let line = line.chain(["--baseline".into(), path("site.baseline").into_os_string()]);
    let Command::Learn(args) = Cli::from_line(line)?.command else { anyhow::bail!("no learn command") };
    anyhow::ensure!(learn::run(&args)? == 0, "learning failed");
    say!("\n3. analyze the two hours against it\n");
    let report = path("report.html");
    let line = [
        "gridwarden".into(),
        "analyze".into(),
        path("substation.pcap").into_os_string(),
        "-o".into(),
        path("out").into_os_string(),
        "--baseline".into(),
        path("site.baseline").into_os_string(),
        "--report".into(),
        report.clone().into_os_string(),
    ];
    let Command::Analyze(args) = Cli::from_line(line)?.command else { anyhow::bail!("no analyze command") };
    anyhow::ensure!(analyze::run(&args)? <= 1, "the analysis failed");
    say!("\n4. report: open file://{}", report.display());
    if once {
        return Ok(0);
    }
    say!("\n5. console: the same two hours as live traffic, {SPEED} times as fast; Ctrl-C ends");
    let data = path("data");
    // Each demo begins with an empty centre.
    match std::fs::remove_dir_all(&data) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            return Err(e).with_context(|| format!("cannot empty the folder `{}`", data.display()));
        }
        _ => {}
    }
    let line = [OsString::from("gridwarden"), "run".into(), "--replay".into(), path("substation.pcap").into()];
    let line = line.into_iter().chain(["--speed".into(), SPEED.to_string().into(), "--data".into(), data.into()]);
    let line = line.chain(["--packets".into(), "64".into(), "--baseline".into(), path("site.baseline").into()]);
    let Command::Run(args) = Cli::from_line(line)?.command else { anyhow::bail!("no run command") };
    crate::run::run(&args)
}

/// The user's cache folder (XDG base directories).
fn cache() -> anyhow::Result<PathBuf> {
    let named = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    named("XDG_CACHE_HOME")
        .or_else(|| named("HOME").map(|h| h.join(".cache")))
        .context("neither XDG_CACHE_HOME nor HOME is set: name a cache folder in one of them")
}
