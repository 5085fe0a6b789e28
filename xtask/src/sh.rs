//! Running other programs: one line on what runs, an error that says what failed.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, ensure};

/// Runs a command from the workspace root, its output passed through; prints how long it took.
pub fn run(title: &str, program: &str, args: &[&str]) -> anyhow::Result<()> {
    println!("== {title}: {program} {}", args.join(" "));
    let start = Instant::now();
    let status = command(program).args(args).status().with_context(|| format!("cannot start `{program}`"))?;
    println!("== {title}: {:.0} s", start.elapsed().as_secs_f64());
    ensure!(status.success(), "{title} failed");
    Ok(())
}

/// A command from the workspace root.
pub fn command(program: &str) -> Command {
    let mut c = Command::new(program);
    c.current_dir(root());
    c
}

/// The workspace root.
pub fn root() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(std::path::Path::to_path_buf).unwrap_or_default()
}

/// Whether a program is on the path.
pub fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|d| d.join(program).is_file())
}
