//! The centre's side: answers on the socket, carries out reloads, and gives systemd its signs of life.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use ledger::Ledger;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::notify::Notify;
use super::{Board, SOCKET};
use crate::run::Commands;
use crate::say::complaint;
use crate::sensor::RELOAD;
use crate::upkeep::Status;

/// Bytes of a request.
const REQUEST: u64 = 4_096;
/// A sensor that said nothing for so long is no longer alive for systemd.
const SILENT: Duration = Duration::from_secs(90);
/// The sensor takes over a reload within this.
const TAKES_OVER: Duration = Duration::from_secs(30);

/// Files that a reload reads anew.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// What is declared of the site.
    pub site: Option<PathBuf>,
    /// Windows of work.
    pub maintenance: Option<PathBuf>,
    /// What is normal.
    pub baseline: Option<PathBuf>,
}

/// What answers need.
#[derive(Clone)]
pub struct Control {
    /// The data folder.
    pub data: PathBuf,
    /// What the sensor told.
    pub board: Board,
    /// To the sensor.
    pub commands: Commands,
    /// How the lake is kept.
    pub status: Status,
    /// What a reload reads.
    pub files: Files,
}

/// The thread; dropping it ends it and takes the socket away.
pub struct Serving {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    path: PathBuf,
}

/// Listens.
pub fn start(control: Control) -> anyhow::Result<Serving> {
    let path = control.data.join(SOCKET);
    let new = control.data.join("ctl.new");
    let _ = fs::remove_file(&new);
    let listener = UnixListener::bind(&new).with_context(|| format!("cannot make the socket `{}`", path.display()))?;
    // Under its name only once nobody else may open it.
    fs::set_permissions(&new, fs::Permissions::from_mode(0o600))?;
    fs::rename(&new, &path)?;
    listener.set_nonblocking(true)?;
    let stop = Arc::new(AtomicBool::new(false));
    let theirs = Arc::clone(&stop);
    let thread = std::thread::Builder::new().name("ctl".into()).spawn(move || serve(&listener, control, &theirs))?;
    Ok(Serving { stop, thread: Some(thread), path })
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let _ = fs::remove_file(&self.path);
    }
}

fn serve(listener: &UnixListener, control: Control, stop: &AtomicBool) {
    let notify = Notify::from_environment();
    let (mut ready, mut alive, mut number) = (false, Instant::now(), 0);
    let mut known = fingerprints(&control.files);
    while !stop.load(Ordering::Relaxed) {
        if !ready && control.board.is_watching() {
            ready = true;
            notify.say("READY=1\nSTATUS=watching");
        }
        if notify.every.is_some_and(|every| alive.elapsed() >= every) && control.board.is_alive(SILENT) {
            alive = Instant::now();
            notify.say("WATCHDOG=1");
        }
        match listener.accept() {
            Ok((stream, _)) => {
                if let Err(e) = answer(stream, &control, &mut known, &mut number) {
                    complaint(format_args!("ctl: {e:#}"));
                }
            }
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => std::thread::sleep(Duration::from_millis(100)),
            Err(e) => {
                complaint(format_args!("ctl: {e}"));
                std::thread::sleep(Duration::from_secs(1));
            }
        }
    }
    notify.say("STOPPING=1");
}

fn answer(
    stream: UnixStream,
    control: &Control,
    known: &mut BTreeMap<PathBuf, String>,
    number: &mut u64,
) -> anyhow::Result<()> {
    stream.set_nonblocking(false)?;
    // One who asks and says nothing keeps nobody waiting.
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.set_write_timeout(Some(Duration::from_secs(2)))?;
    let mut line = String::new();
    if BufReader::new((&stream).take(REQUEST)).read_line(&mut line).is_err() {
        return Ok(());
    }
    let asked: Value = serde_json::from_str(&line).unwrap_or_default();
    let answer = match asked["do"].as_str() {
        Some("stats") => {
            let mut stats = control.board.stats();
            stats["ok"] = json!(true);
            stats["upkeep"] = control.status.get();
            stats
        }
        Some("rotate") => {
            let sent = control.commands.send(&json!({ "type": "rotate" }));
            let said = if sent { "the current file will be closed within a second" } else { "no sensor is running" };
            json!({ "ok": sent, "said": [said] })
        }
        Some("reload") => {
            *number += 1;
            let (ok, said) = reload(control, known, *number);
            json!({ "ok": ok, "said": said })
        }
        _ => json!({ "ok": false, "said": ["unknown command: use stats, reload or rotate"] }),
    };
    (&stream).write_all(format!("{answer}\n").as_bytes()).context("the answer could not be given")
}

/// Checks everything, hands it to the sensor, and says what changed.
fn reload(control: &Control, known: &mut BTreeMap<PathBuf, String>, number: u64) -> (bool, Vec<String>) {
    let now = fingerprints(&control.files);
    let all: std::collections::BTreeSet<&PathBuf> = known.keys().chain(now.keys()).collect();
    let changed: Vec<PathBuf> = all.into_iter().filter(|p| known.get(*p) != now.get(*p)).cloned().collect();
    if changed.is_empty() {
        return (true, vec!["no file has changed".to_owned()]);
    }
    let refused = |why: String| (false, vec![format!("nothing was changed: {why}")]);
    if let Err(e) = hand_over(control) {
        return refused(format!("{e:#}"));
    }
    if !control.commands.send(&json!({ "type": "reload", "number": number })) {
        return refused("no sensor is running".to_owned());
    }
    match control.board.reloaded(number, TAKES_OVER) {
        None => refused("the sensor did not respond in time".to_owned()),
        Some(told) if told["ok"] != json!(true) => refused(told["what"].as_str().unwrap_or_default().to_owned()),
        Some(_) => {
            let said: Vec<String> = changed.iter().map(|p| format!("{} was reloaded", p.display())).collect();
            let hashes: Vec<Value> =
                changed.iter().map(|p| json!({ "file": p.display().to_string(), "hash": now.get(p) })).collect();
            let hash = hashes.first().map(|h| h["hash"].clone()).unwrap_or_default();
            let entry = json!({ "what": "reload", "files": hashes, "hash": hash });
            let noted =
                Ledger::open(&control.data.join("ledger")).and_then(|l| l.append("config.changed", "local", &entry));
            if let Err(e) = noted {
                complaint(format_args!("the reload is not in the ledger: {e}"));
            }
            *known = now;
            (true, said)
        }
    }
}

/// Everything is read and checked, then copied to where the sensor may read it.
fn hand_over(control: &Control) -> anyhow::Result<()> {
    let to = control.data.join("sensor").join(RELOAD);
    let _ = fs::remove_dir_all(&to);
    fs::create_dir_all(&to).with_context(|| format!("cannot make `{}`", to.display()))?;
    let copy = |from: &Path, name: &str| {
        fs::copy(from, to.join(name)).map(drop).with_context(|| format!("cannot copy `{}`", from.display()))
    };
    if let Some(path) = &control.files.site {
        crate::knowledge::site(path)?;
        copy(path, "site.toml")?;
        for list in point_lists(path) {
            let name = list.strip_prefix(path.parent().unwrap_or(Path::new(""))).unwrap_or(&list);
            if let Some(folder) = to.join(name).parent() {
                fs::create_dir_all(folder)?;
            }
            copy(&list, &name.to_string_lossy())?;
        }
    }
    if let Some(path) = &control.files.maintenance {
        crate::knowledge::maintenance(path)?;
        copy(path, "maintenance.csv")?;
    }
    if let Some(path) = &control.files.baseline {
        crate::knowledge::baseline(path, &gwcore::Limits::default())?;
        copy(path, "baseline")?;
    }
    Ok(())
}

/// SHA-256 of every file that a reload reads.
fn fingerprints(files: &Files) -> BTreeMap<PathBuf, String> {
    let mut all: Vec<PathBuf> =
        [&files.site, &files.maintenance, &files.baseline].into_iter().flatten().cloned().collect();
    all.extend(files.site.iter().flat_map(|site| point_lists(site)));
    let hash = |path: &Path| -> std::io::Result<String> {
        let mut sum = Sha256::new();
        let mut file = fs::File::open(path)?;
        let mut block = vec![0; 64 << 10];
        loop {
            match file.read(&mut block)? {
                0 => return Ok(sum.finalize().iter().map(|b| format!("{b:02x}")).collect()),
                n => sum.update(&block[..n]),
            }
        }
    };
    all.into_iter()
        .map(|p| {
            let sum = hash(&p).unwrap_or_else(|e| e.to_string());
            (p, sum)
        })
        .collect()
}

/// Point lists that a site file names, as far as it can be read.
fn point_lists(site: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string(site).unwrap_or_default();
    let table: toml::Table = toml::from_str(&text).unwrap_or_default();
    let devices = table.get("device").and_then(toml::Value::as_array).into_iter().flatten();
    let mut lists: Vec<PathBuf> =
        devices.filter_map(|d| Some(site.with_file_name(d.get("points")?.as_str()?))).collect();
    lists.sort();
    lists.dedup();
    // A list that lies elsewhere is not copied to where the sensor reads.
    lists.retain(|l| l.components().all(|c| !matches!(c, std::path::Component::ParentDir)));
    lists
}
