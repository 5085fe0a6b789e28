//! `gridwarden baseline`: what a running platform proposes as normal, and a person's approval of it, after which the site is watched by it.
//!
//! Approved is `baseline/approved.baseline` below the data folder, with `approved.json` beside it (who, when, what was left out); the platform
//! takes over a new one while it runs. The one before stays as `baseline/before.baseline`.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, bail, ensure};
use clap::{Args, Subcommand};
use gwcore::Limits;
use respond::guard::Role;
use serde_json::{Value, json};

use crate::audit::DATA;
use crate::desk::Office;
use crate::say::say;
use crate::sensor::learning;

/// How often a running platform looks for another baseline.
const LOOK: Duration = Duration::from_secs(1);
/// The word that stands for every item.
const ALL: &str = "all";

/// What the running platform proposes as normal, and its approval.
#[derive(Args, Clone)]
pub struct BaselineArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Clone)]
enum What {
    /// Shows what is proposed, suspicious and odd entries first.
    Show {
        /// The data folder.
        #[arg(long, default_value = DATA)]
        data: PathBuf,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Approves the proposal: from then on what differs is a finding. What is under suspicion is left out unless it is accepted.
    Approve {
        /// The data folder.
        #[arg(long, default_value = DATA)]
        data: PathBuf,
        /// Who: an approver or admin.
        #[arg(long)]
        by: String,
        /// Takes an entry in although it stands in a finding, as `show` names it, or `all`; may be repeated.
        #[arg(long, value_name = "ITEM")]
        accept: Vec<String>,
        /// Leaves an entry out, as `show` names it: it is new again when it is seen; may be repeated.
        #[arg(long, value_name = "ITEM")]
        leave_out: Vec<String>,
        /// Hash of the proposal that was looked at; another one is refused.
        #[arg(long, value_name = "SHA256")]
        sha256: Option<String>,
    },
}

/// Runs it.
pub fn run(args: &BaselineArgs) -> anyhow::Result<u8> {
    match &args.what {
        What::Show { data, json } => {
            let proposal = proposal(data)?;
            if *json {
                say!("{proposal}");
                return Ok(0);
            }
            for item in proposal["items"].as_array().into_iter().flatten() {
                let word = |key: &str| report::plain(item[key].as_str().unwrap_or(""));
                let mark = match (item["suspicion"].is_string(), item["odd"] == true) {
                    (true, _) => "suspicious",
                    (_, true) => "odd",
                    _ => "",
                };
                let why =
                    if word("suspicion").is_empty() { String::new() } else { format!(" [{}]", word("suspicion")) };
                say!("{mark:10} {}: {}{why}", word("item"), word("text"));
            }
            say!("proposal {}", proposal["sha256"].as_str().unwrap_or(""));
            Ok(0)
        }
        What::Approve { data, by, accept, leave_out, sha256 } => {
            let office = Office::open(data, None)?;
            let role = office.role(by)?;
            let done = approve(&office, (by, role), sha256.as_deref(), accept, leave_out)?;
            say!("approved: {} entries, {} left out", done["entries"], done["left_out"].as_array().map_or(0, Vec::len));
            Ok(0)
        }
    }
}

/// The proposal of the running platform.
pub fn proposal(data: &Path) -> anyhow::Result<Value> {
    let path = data.join("sensor/proposed.json");
    let text = match std::fs::read_to_string(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            bail!("nothing is proposed: a site is watched for a time first (`gridwarden run --learn-hours`)")
        }
        text => text.with_context(|| format!("cannot read `{}`", path.display()))?,
    };
    serde_json::from_str(&text).with_context(|| format!("`{}`", path.display()))
}

/// Approves what is proposed; what was taken and left out. In the ledger before it is in force.
pub fn approve(
    office: &Office,
    (by, role): (&str, Role),
    sha256: Option<&str>,
    accept: &[String],
    leave_out: &[String],
) -> anyhow::Result<Value> {
    ensure!(role >= Role::Approver, "`{by}` may not approve: the role is missing");
    let data = office.folder();
    let proposal = proposal(data)?;
    let (mut baseline, proposed) = learning::read(&data.join("sensor/proposed.baseline"), &Limits::default())?;
    ensure!(
        proposal["sha256"] == proposed.as_str() && sha256.is_none_or(|s| s == proposed),
        "the proposal is another one than was looked at: look at it again"
    );
    let items = proposal["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let names: BTreeSet<&str> = items.iter().filter_map(|i| i["item"].as_str()).collect();
    for item in accept.iter().chain(leave_out).filter(|i| *i != ALL) {
        ensure!(names.contains(item.as_str()), "the proposal has no entry `{item}`");
    }
    let named = |list: &[String], item: &str| list.iter().any(|i| i == item || i == ALL);
    let mut left_out = Vec::new();
    for item in items {
        let Some(name) = item["item"].as_str() else { continue };
        let is_suspicious = item["suspicion"].is_string() && !named(accept, name);
        if is_suspicious || named(leave_out, name) {
            left_out.push(name);
            match name.split(' ').collect::<Vec<_>>()[..] {
                ["device", address] => baseline.leave_out_device(address),
                ["pair", client, server, proto] => {
                    baseline.leave_out_pair(&client.replace("the-internet", "the internet"), server, proto)
                }
                _ => 0,
            };
        }
    }
    let mut bytes = Vec::new();
    baseline.write(&mut bytes)?;
    let sha256 = crate::facts::hash(&bytes);
    let now = respond::clock::now().to_string();
    let about = json!({
        "sha256": sha256, "proposed_sha256": proposed, "by": by, "at": now, "left_out": left_out, "entries": items.len() - left_out.len(),
    });
    crate::facts::approved(office, by, &sha256, &about)?;
    office.approved(Some(&baseline))?;
    let dir = data.join("baseline");
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make the folder `{}`", dir.display()))?;
    let path = dir.join("approved.baseline");
    if path.exists() {
        std::fs::rename(&path, dir.join("before.baseline"))?;
    }
    write(&dir.join("approved.json"), about.to_string().as_bytes())?;
    write(&path, &bytes)?;
    Ok(about)
}

/// The approved baseline of a data folder.
pub fn current(data: &Path) -> Option<PathBuf> {
    Some(data.join("baseline/approved.baseline")).filter(|p| p.is_file())
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let temporary = path.with_extension("tmp");
    let write = || format!("cannot write `{}`", path.display());
    let mut file = std::fs::File::create(&temporary).with_context(write)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).with_context(write)?;
    std::fs::rename(&temporary, path).with_context(write)
}

type Mark = Option<(u64, SystemTime)>;

/// Follows what is approved while a platform runs.
pub struct Follow {
    data: PathBuf,
    mark: Mark,
    looked: Instant,
}

impl Follow {
    /// From what is approved now.
    pub fn new(data: &Path) -> Follow {
        Follow { data: data.to_owned(), mark: mark(data), looked: Instant::now() }
    }

    /// The command that tells the sensor of another baseline, which then lies where it may read.
    pub fn look(&mut self) -> anyhow::Result<Option<Value>> {
        if self.looked.elapsed() < LOOK {
            return Ok(None);
        }
        self.looked = Instant::now();
        let now = mark(&self.data);
        if now == self.mark || now.is_none() {
            return Ok(None);
        }
        let bytes = std::fs::read(self.data.join("baseline/approved.baseline")).context("the approved baseline")?;
        write(&self.data.join("sensor/approved.baseline"), &bytes)?;
        self.mark = now;
        Ok(Some(json!({ "type": "baseline" })))
    }
}

fn mark(data: &Path) -> Mark {
    let meta = std::fs::metadata(current(data)?).ok()?;
    Some((meta.len(), meta.modified().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_approver_approves_and_what_was_looked_at() {
        let dir = tempfile::tempdir().unwrap();
        let office = Office::open(dir.path(), None).unwrap();
        let at = |role| approve(&office, ("ada", role), None, &[], &[]);
        assert!(at(Role::Analyst).unwrap_err().to_string().contains("the role is missing"));
        assert!(at(Role::Approver).unwrap_err().to_string().contains("nothing is proposed"));
        let sensor = dir.path().join("sensor");
        std::fs::create_dir_all(&sensor).unwrap();
        let mut bytes = Vec::new();
        detect::Baseline::default().write(&mut bytes).unwrap();
        std::fs::write(sensor.join("proposed.baseline"), &bytes).unwrap();
        let items = json!([
            { "item": "pair 10.0.0.9 10.0.0.1 modbus", "odd": true, "suspicion": "a command" },
            { "item": "device 10.0.0.1", "odd": false, "suspicion": null },
        ]);
        let proposed = json!({ "sha256": crate::facts::hash(&bytes), "items": items });
        std::fs::write(sensor.join("proposed.json"), proposed.to_string()).unwrap();
        let refused = approve(&office, ("bob", Role::Approver), Some("another"), &[], &[]).unwrap_err();
        assert!(refused.to_string().contains("look at it again"), "{refused}");
        let unknown = approve(&office, ("bob", Role::Approver), None, &["device x".to_owned()], &[]).unwrap_err();
        assert!(unknown.to_string().contains("no entry"), "{unknown}");
        let mut follow = Follow::new(dir.path());
        let done = approve(&office, ("bob", Role::Approver), None, &[], &[]).unwrap();
        assert_eq!(done["left_out"], json!(["pair 10.0.0.9 10.0.0.1 modbus"]));
        follow.looked = Instant::now().checked_sub(LOOK).unwrap();
        assert_eq!(follow.look().unwrap(), Some(json!({ "type": "baseline" })));
        assert!(sensor.join("approved.baseline").is_file());
        let entry = ledger::entries(&dir.path().join("ledger"), "", "", 10).unwrap().pop().unwrap();
        assert_eq!((entry.kind.as_str(), entry.actor.as_str()), ("baseline.approved", "bob"));
        assert_eq!(entry.data["proposed_by"], "gridwarden");
    }
}
