//! `gridwarden ctl`: asks a running platform over the Unix socket `ctl.sock` in its data folder, which only its own user may open.
//!
//! One JSON object a line each way: `{"do":"stats"}` and what came of it.

mod board;
mod notify;
mod serve;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::say::say;
pub use board::Board;
pub use serve::{Control, Files, start};

/// The socket, below the data folder.
const SOCKET: &str = "ctl.sock";
/// A reload takes no longer than this.
const PATIENCE: Duration = Duration::from_secs(60);

/// Control a running platform.
#[derive(Args, Clone)]
pub struct Ctl {
    #[command(subcommand)]
    pub what: What,
    /// Data folder of `run`.
    #[arg(long, value_name = "DIR", default_value = crate::audit::DATA, global = true)]
    pub data: PathBuf,
    /// Print JSON.
    #[arg(long, global = true)]
    pub json: bool,
}

/// What is asked.
#[derive(Subcommand, Clone)]
pub enum What {
    /// Show traffic, losses and what is stored.
    Stats,
    /// Reload site model, point lists, maintenance windows and baseline; if anything is wrong, nothing changes.
    Reload,
    /// Close the current file of the packet store, so that other tools can read it completely.
    Rotate,
}

/// Asks and prints: 0 where it was done, 1 where a reload was refused.
pub fn run(args: &Ctl) -> anyhow::Result<u8> {
    let word = match args.what {
        What::Stats => "stats",
        What::Reload => "reload",
        What::Rotate => "rotate",
    };
    let answer = ask(&args.data.join(SOCKET), word)?;
    if args.json {
        say!("{}", serde_json::to_string_pretty(&answer)?);
    } else {
        match args.what {
            What::Stats => stats(&answer),
            What::Reload | What::Rotate => {
                for line in answer["said"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                    say!("{}", report::plain(line));
                }
            }
        }
    }
    Ok(u8::from(answer["ok"] != json!(true)))
}

fn ask(path: &std::path::Path, word: &str) -> anyhow::Result<Value> {
    let mut stream = match UnixStream::connect(path) {
        Ok(stream) => stream,
        Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => {
            bail!("`{}` may only be opened by the service user: sudo -u gridwarden gridwarden ctl …", path.display())
        }
        Err(_) => bail!("no platform is running on `{}`: name its data folder with --data", path.display()),
    };
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(format!("{}\n", json!({ "do": word })).as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).context("the platform does not answer")?;
    serde_json::from_str(&line).context("the platform answered no JSON")
}

fn stats(s: &Value) {
    let n = |v: &Value| v.as_u64().map_or("-".to_owned(), |n| n.to_string());
    let text = |v: &Value| report::plain(v.as_str().unwrap_or("-"));
    let mb = |v: &Value| v.as_u64().map_or("-".to_owned(), |b| format!("{:.1} MB", b as f64 / 1e6));
    say!("version {}, up {} s, {} sensor starts", text(&s["version"]), n(&s["up_seconds"]), n(&s["sensor_starts"]));
    let state = &s["sensor"];
    say!("packet time {}, last message {} s ago", text(&state["ts"]), n(&s["silent_seconds"]));
    for i in state["interfaces"].as_array().into_iter().flatten() {
        say!(
            "  {}: {} packets and {} bytes in the last second, {} dropped{}",
            text(&i["name"]),
            n(&i["packets"]),
            n(&i["bytes"]),
            n(&i["dropped"]),
            if i["up"] == json!(false) { ", NO LINK" } else { "" }
        );
    }
    let f = &state["frames"];
    say!(
        "packets: {} received, {} read, {} dropped by the kernel, {} own, {} filtered",
        n(&f["received"]),
        n(&f["given"]),
        n(&f["dropped"]),
        n(&f["own"]),
        n(&f["filtered"])
    );
    let stored = &state["stored"];
    say!(
        "packet store: {} stored, {} not stored, {} files deleted",
        n(&stored["frames"]),
        n(&stored["not_stored"]),
        n(&stored["deleted"])
    );
    let keep = &s["upkeep"];
    say!(
        "records: {} of {} in {} files, since {}",
        mb(&keep["lake"]["bytes"]),
        mb(&keep["lake"]["room"]),
        n(&keep["lake"]["files"]),
        text(&keep["lake"]["oldest"])
    );
    say!(
        "disk: {} of {} free, {} reserved",
        mb(&keep["disk"]["free"]),
        mb(&keep["disk"]["total"]),
        mb(&keep["disk"]["reserve"])
    );
    say!("findings: {} since start; records are held for {}", n(&s["findings"]), n(&keep["held_findings"]));
    say!("problems: {}; messages lost: {}", n(&s["problems"]), n(&state["messages_lost"]));
    if let Some(last) = s["last_problem"].as_str() {
        say!("  last: {}", report::plain(last));
    }
}
