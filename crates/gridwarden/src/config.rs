//! The configuration of `run`: its tables `[run]` and `[retention]` stand for flags of the same names; a flag on the command line wins.

use std::ffi::OsString;
use std::path::Path;

use clap::{Command, CommandFactory};

/// Flags that `[retention]` has other names for.
const RETENTION: [(&str, &str); 4] =
    [("days", "keep-days"), ("lake_mb", "lake"), ("held_percent", "held"), ("reserve_mb", "reserve")];
/// Flags of `run` that make no sense in a file.
const NOT_IN_FILE: [&str; 8] = ["config", "help", "replay", "speed", "as-now", "once", "messages", "quiet"];

/// The command `run` as clap knows it.
fn command() -> Command {
    let whole = crate::cli::Cli::command();
    whole.find_subcommand("run").cloned().unwrap_or_default()
}

/// Names that the table `[run]` may hold, with underscores as TOML writes them.
pub fn names() -> Vec<String> {
    let command = command();
    let flags = command.get_arguments().filter(|a| !a.is_hide_set()).filter_map(|a| a.get_long());
    let own = RETENTION.map(|(_, flag)| flag);
    flags
        .filter(|f| !NOT_IN_FILE.contains(f) && !own.contains(f) && !f.ends_with("-kind"))
        .map(|f| f.replace('-', "_"))
        .collect()
}

/// Puts what the file behind `--config` says among the arguments of `run`, before those that were typed.
pub fn expand(mut args: Vec<OsString>) -> Result<Vec<OsString>, clap::Error> {
    let Some(path) = args.get(1).filter(|a| *a == "run").and_then(|_| named(&args)) else { return Ok(args) };
    let fail = |what: String| command().error(clap::error::ErrorKind::Io, what);
    let shown = Path::new(&path).display();
    let text = std::fs::read_to_string(&path).map_err(|e| fail(format!("cannot read `{shown}`: {e}")))?;
    let problems = crate::check::config(&text);
    if let Some(first) = problems.first() {
        let more = if problems.len() > 1 { format!(" (and {} more)", problems.len() - 1) } else { String::new() };
        return Err(fail(format!("`{shown}`:{first}{more}; `gridwarden check` tells all")));
    }
    let table: toml::Table = toml::from_str(&text).map_err(|e| fail(e.to_string()))?;
    let typed = |flag: &str| {
        let (long, with) = (format!("--{flag}"), format!("--{flag}="));
        let short = command().get_arguments().find(|a| a.get_long() == Some(flag)).and_then(|a| a.get_short());
        args.iter().filter_map(|a| a.to_str()).any(|a| {
            a == long
                || a.starts_with(&with)
                || short.is_some_and(|s| a.starts_with(&format!("-{s}")) && !a.starts_with("--"))
        })
    };
    let mut flags: Vec<OsString> = Vec::new();
    for (key, value) in table.get("run").and_then(toml::Value::as_table).into_iter().flatten() {
        let flag = key.replace('_', "-");
        let is_replay = flag == "interface" && typed("replay");
        if !typed(&flag) && !is_replay {
            push(&mut flags, &flag, value);
        }
    }
    if let Some(retention) = table.get("retention").and_then(toml::Value::as_table) {
        for (key, flag) in RETENTION {
            if let Some(value) = retention.get(key).filter(|_| !typed(flag)) {
                push(&mut flags, flag, value);
            }
        }
        for (kind, of) in retention.get("kinds").and_then(toml::Value::as_table).into_iter().flatten() {
            for (key, flag) in [("days", "keep-kind"), ("mb", "lake-kind")] {
                if let Some(n) = of.get(key).and_then(toml::Value::as_integer) {
                    flags.extend([format!("--{flag}").into(), format!("{kind}={n}").into()]);
                }
            }
        }
    }
    args.splice(2..2, flags);
    Ok(args)
}

fn named(args: &[OsString]) -> Option<OsString> {
    let with = |a: &OsString| a.to_str()?.strip_prefix("--config=").map(OsString::from);
    let after = args.iter().position(|a| a == "--config").and_then(|at| args.get(at + 1).cloned());
    after.or_else(|| args.iter().find_map(with))
}

fn push(flags: &mut Vec<OsString>, flag: &str, value: &toml::Value) {
    let text = |v: &toml::Value| match v {
        toml::Value::String(s) => s.clone(),
        toml::Value::Integer(n) => n.to_string(),
        toml::Value::Float(n) => n.to_string(),
        toml::Value::Boolean(b) => b.to_string(),
        // clap says that it makes nothing of it.
        toml::Value::Datetime(_) | toml::Value::Array(_) | toml::Value::Table(_) => String::new(),
    };
    match value {
        toml::Value::Boolean(false) => {}
        toml::Value::Boolean(true) => flags.push(format!("--{flag}").into()),
        toml::Value::Array(list) => {
            // Joined to its flag, so that no value is taken for a flag.
            flags.extend(list.iter().map(|v| OsString::from(format!("--{flag}={}", text(v)))));
        }
        one => flags.push(format!("--{flag}={}", text(one)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str, typed: &[&str]) -> Result<Vec<String>, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let mut line: Vec<OsString> = ["gridwarden", "run", "--config"].map(OsString::from).to_vec();
        line.push(file.path().into());
        line.extend(typed.iter().map(OsString::from));
        let all = expand(line).map_err(|e| e.to_string())?;
        crate::cli::Cli::from_line(all.clone()).map_err(|e| e.to_string())?;
        let own = ["gridwarden", "run", "--config"];
        let path = file.path().to_string_lossy().into_owned();
        let all = all.into_iter().map(|a| a.into_string().unwrap());
        Ok(all.filter(|a| !own.contains(&a.as_str()) && *a != path).collect())
    }

    #[test]
    fn the_file_stands_for_flags_and_a_typed_flag_wins() {
        let text = "[run]\ninterface = [\"eth1\", \"eth2\"]\npackets = 100\nno_promiscuous = true\nno_keep = false\n\
            [retention]\ndays = 30\n[retention.kinds.modbus]\ndays = 7\n";
        let all = expanded(text, &[]).unwrap();
        assert_eq!(
            all,
            [
                "--interface=eth1",
                "--interface=eth2",
                "--no-promiscuous",
                "--packets=100",
                "--keep-days=30",
                "--keep-kind",
                "modbus=7"
            ]
        );
        let all = expanded(text, &["-i", "eth9", "--packets", "5"]).unwrap();
        assert!(!all.iter().any(|a| a.contains("eth1") || a == "--packets=100"), "{all:?}");
        assert!(expanded(text, &["--replay", "x.pcap"]).unwrap().iter().all(|a| !a.contains("eth1")));
    }

    #[test]
    fn a_wrong_file_is_refused_with_its_place() {
        let said = expanded("[run]\ninterfaces = [\"eth1\"]\n", &[]).unwrap_err();
        assert!(said.contains(":2:1: ") && said.contains("did you mean `interface`"), "{said}");
        assert!(names().contains(&"interface".to_owned()) && !names().contains(&"config".to_owned()));
    }
}
