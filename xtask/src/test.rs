//! `cargo xtask test`: everything a change must pass, in the order of what fails fastest.

use anyhow::ensure;

use crate::{docs, fuzz, scaffold, setup, sh};

/// Show scripts for every run, at their small size where they have one; the others are run by hand and say so.
const SHOWS: &[&str] = &[
    "show/02-corpus",
    "show/03-truth",
    "show/04-damage",
    "show/06-first-hour",
    "show/07-report",
    "show/08-simulator",
    "show/09-labelled",
    "show/11-goose",
    "show/12-devices",
    "show/13-put-back",
    "show/14-onto",
    "show/15-cases",
    "show/16-sentences",
    "show/17-spoofed",
    "show/18-many-findings",
    "show/19-cut-day",
    "show/20-live",
    "show/22-crashes",
    "show/23-confined",
    "show/24-wireshark",
    "show/28-ledger",
    "show/31-tables",
    "show/32-detection",
    "show/33-promise",
    "show/35-five-lines",
    "show/50-intel",
    "show/52-flows",
];

/// Shows that fetch pinned packages of others from PyPI or the npm registry. A registry that does not answer is no fault of the tree: they are then
/// named as not checked.
const SHOWS_WITH_REGISTRIES: &[&str] =
    &["show/26-hunt", "show/29-ui", "show/36-exchange", "show/40-connectors", "show/51-sigma"];

/// Runs all checks; under `ci` a check that could not be made is a failure.
pub fn run(ci: bool) -> anyhow::Result<()> {
    sh::run("format", "cargo", &["fmt", "--all", "--check"])?;
    let mut unchecked: Vec<String> = setup::PACKAGES
        .iter()
        .filter(|(program, _, _)| !sh::installed(program))
        .map(|(program, _, purpose)| format!("{program} is not installed: {purpose}"))
        .collect();
    if !corpus_is_there() {
        unchecked.push("no corpus (set GRIDWARDEN_SHARED): real captures, truth, damage".to_owned());
    }
    sh::run("build", "cargo", &["build", "--release", "--workspace", "--all-targets", "--locked"])?;
    sh::run("unit, golden, differential, end to end", "cargo", &["test", "--release", "--workspace", "--locked"])?;
    sh::run(
        "clippy",
        "cargo",
        &["clippy", "--release", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"],
    )?;
    fuzz::run(&fuzz::Options::short())?;
    scaffold::check()?;
    docs::run(true)?;
    let registries = registries_answer();
    for show in SHOWS.iter().chain(SHOWS_WITH_REGISTRIES.iter().filter(|_| registries)) {
        if corpus_is_there() {
            sh::run(show, "env", &["GRIDWARDEN_SMALL=1", "GRIDWARDEN_BUILT=1", "bash", show])?;
        }
    }
    if !registries {
        println!("not checked, PyPI or the npm registry does not answer: {}", SHOWS_WITH_REGISTRIES.join(", "));
    }
    for line in &unchecked {
        println!("not checked: {line}");
    }
    ensure!(!ci || unchecked.is_empty(), "under --ci every check must be made");
    println!("all checks passed");
    Ok(())
}

fn corpus_is_there() -> bool {
    let shared = std::env::var_os("GRIDWARDEN_SHARED").map_or_else(|| sh::root().join("../shared"), Into::into);
    shared.join("corpus").is_dir()
}

fn registries_answer() -> bool {
    let asks: [&[&str]; 2] = [
        &["python3", "-m", "pip", "download", "-q", "--no-deps", "--no-cache-dir", "-d"],
        &["npm", "ping", "--silent", "--prefix"],
    ];
    let folder = std::env::temp_dir().join(format!("gridwarden-registries-{}", std::process::id()));
    let answers = asks.iter().all(|ask| {
        let mut command = std::process::Command::new(ask[0]);
        command.args(&ask[1..]).arg(&folder);
        if ask[0] == "python3" {
            command.arg("six==1.16.0");
        }
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        command.status().is_ok_and(|status| status.success())
    });
    let _ = std::fs::remove_dir_all(&folder);
    answers
}
