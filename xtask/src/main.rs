//! Repository chores: `cargo xtask setup | test | fuzz | scaffold | docs | package | bench | oui`.
// A chore talks to the person who runs it.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod bench;
mod docs;
mod fuzz;
mod oui;
mod package;
mod scaffold;
mod setup;
mod sh;
mod test;

const USAGE: &str = "usage: cargo xtask COMMAND
  setup [--yes]        system packages that checks need (Chromium, tshark): lists them, then installs them
  test [--ci]          everything a change must pass; --ci fails for what could not be checked
  fuzz [--target stream|datagram|link|frames|capture] [--seconds N | --runs N] [--seed N] | --replay FILE
                       broken traffic at every parser; findings are saved under fuzz/ of the target folder
  scaffold NAME CRATE  a new protocol folder in proto-it or proto-ot
  docs [--check]       reference pages made from the code
  package [--target TRIPLE] [--built]
                       .tar.zst and .deb with unit, man pages, completions, hashes and SBOM, below target/package
  bench                parser and pipeline speed on a capture of our own
  oui                  packs the table of vendors from Debian's ieee-data";

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let flag = |name: &str| args.iter().any(|a| a == name);
    match args.first().map(String::as_str) {
        Some("setup") => setup::run(flag("--yes")),
        Some("test") => test::run(flag("--ci")),
        Some("fuzz") => fuzz::command(&args),
        Some("scaffold") => scaffold::run(args.get(1), args.get(2)),
        Some("docs") => docs::run(flag("--check")),
        Some("package") => package::run(&args),
        Some("bench") => bench::run(),
        Some("oui") => oui::pack(),
        _ => anyhow::bail!("{USAGE}"),
    }
}
