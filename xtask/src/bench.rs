//! `cargo xtask bench`: how long the whole process takes on a capture of our own making, by what is switched on.

use std::time::Instant;

use anyhow::Context;

use crate::sh;

/// Simulates half a day, then analyses it with each kind of output; prints wall and CPU seconds of each run.
pub fn run() -> anyhow::Result<()> {
    sh::run("build", "cargo", &["build", "--release", "-p", "gridwarden"])?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| sh::root().join("target"), std::path::PathBuf::from);
    let program = target.join("release/gridwarden").display().to_string();
    let dir = target.join("bench");
    std::fs::create_dir_all(&dir)?;
    let pcap = dir.join("substation.pcap").display().to_string();
    let labels = dir.join("substation.csv").display().to_string();
    sh::run("simulate", &program, &["simulate", "substation", "-o", &pcap, "--labels", &labels, "--minutes", "360"])?;
    let packets = std::fs::metadata(&pcap)?.len();
    println!("{pcap}: {packets} bytes");
    let out = dir.join("out").display().to_string();
    for (name, extra) in [
        ("parquet, summary", &["--logs", "parquet"][..]),
        ("parquet, full", &["--logs", "parquet", "--detail", "full"]),
        ("ndjson, full", &["--logs", "ndjson", "--detail", "full"]),
        ("eve", &["--logs", "eve", "--detail", "full"]),
    ] {
        let mut args = vec!["analyze", &pcap, "-o", &out, "--quiet", "-j", "1"];
        args.extend_from_slice(extra);
        let start = Instant::now();
        let status = sh::command(&program).args(&args).status().context("cannot start gridwarden")?;
        println!("{name:<20} {:.2} s wall, exit {}", start.elapsed().as_secs_f64(), status.code().unwrap_or(-1));
    }
    Ok(())
}
