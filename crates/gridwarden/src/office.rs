//! The program as the console sees it: decisions about playbooks and actions, destinations with their queues, packets and evidence to take along.

use std::collections::{BTreeSet, VecDeque};
use std::fmt::{self, Display};
use std::fs;
use std::path::{Path, PathBuf};

use console::{Destination, Person, Playbook, Refusal, Wish};
use respond::action::Action;
use respond::bundle::{self, Source};
use respond::playbook::{Run, StepKind, shipped};
use respond::{Actor, Case, Device, Finding};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use state::Store;

use crate::desk::Office;
use crate::pcap::{self, Wanted};
use crate::{approval, connect as verbs, playbook, queues};

/// Largest archive of evidence that is handed out in one piece, bytes.
const ARCHIVE: u64 = 1 << 30;

/// What stands behind the console.
pub struct Behind(Office);

impl Behind {
    /// Over a data folder, with the configuration of destinations and actions.
    pub fn open(data: &Path, config: Option<&Path>) -> anyhow::Result<Behind> {
        Ok(Behind(Office::open(data, config)?))
    }

    fn settings(&self, name: &str) -> Result<&connect::Settings, Refusal> {
        let found = self.0.destinations().destinations.iter().find(|d| d.name == name);
        found.ok_or_else(|| Refusal::Missing(format!("destination `{name}`")))
    }

    fn queue(&self, name: &str) -> PathBuf {
        self.0.folder().join("queue").join(name)
    }

    /// Where captures lie: the ring's segments by their names in findings, and what was imported.
    fn captures(&self) -> Vec<PathBuf> {
        let mut all = vec![self.0.folder().to_owned()];
        let imports = fs::read_dir(self.0.folder().join("imports"));
        all.extend(imports.into_iter().flatten().filter_map(|e| Some(e.ok()?.path())));
        all.sort();
        all
    }
}

impl fmt::Debug for Behind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the program over `{}`", self.0.folder().display())
    }
}

fn failed(e: impl Display) -> Refusal {
    // A chain of causes is told whole.
    Refusal::Failed(format!("{e:#}"))
}

fn about(name: &str) -> Option<Playbook> {
    let p = playbook::load(name).ok()?;
    let plain = |name: &str| name.trim_matches('_').to_owned();
    let variables = p.playbook_variables.iter().map(|(n, v)| (plain(n), v.description.clone(), v.value.clone()));
    Some(Playbook {
        name: name.to_owned(),
        title: p.name.clone(),
        description: p.description.clone(),
        steps: steps(&p),
        variables: variables.collect(),
        id: p.id.clone(),
    })
}

/// Steps that do something, in the order in which a run meets them where everything works; ways of failure come last.
fn steps(p: &respond::playbook::Playbook) -> Vec<(String, String)> {
    let (mut open, mut seen, mut out) = (VecDeque::from([p.workflow_start.clone()]), BTreeSet::new(), Vec::new());
    open.extend(p.workflow_exception.clone());
    while let Some(id) = open.pop_front() {
        let Some(step) = p.workflow.get(&id).filter(|_| seen.insert(id.clone())) else { continue };
        if step.kind == StepKind::Action {
            let what: Vec<&str> = step.commands.iter().map(|c| c.command.as_str()).collect();
            out.push((step.name.clone(), what.join("; ")));
        }
        let ahead = [&step.on_completion, &step.on_success, &step.on_true].into_iter().flatten().cloned();
        let ahead: Vec<String> =
            ahead.chain(step.next_steps.iter().cloned()).chain(step.cases.values().cloned()).collect();
        ahead.into_iter().rev().for_each(|id| open.push_front(id));
        open.extend([&step.on_false, &step.on_failure].into_iter().flatten().cloned());
    }
    out
}

impl console::Office for Behind {
    fn playbooks(&self) -> Vec<Playbook> {
        shipped::ALL.iter().filter_map(|(name, _)| about(name)).collect()
    }

    fn propose(&self, who: &Person, wish: &Wish) -> Result<Run, Refusal> {
        self.0.propose(&Actor::person(&who.name), wish)
    }

    fn approve(&self, who: &Person, run: &str) -> Result<Run, Refusal> {
        self.0.approve(&who.name, who.role, run)
    }

    fn answer(&self, who: &Person, run: &str, yes: bool) -> Result<Run, Refusal> {
        self.0.answer(&who.name, who.role, run, yes)
    }

    fn stop(&self, who: &Person, run: &str, reason: &str) -> Result<Run, Refusal> {
        self.0.stop(&who.name, who.role, run, reason)
    }

    fn undo(&self, who: &Person, action: &str) -> Result<Action, Refusal> {
        self.0.undo(&who.name, who.role, action)
    }

    fn killed_by(&self) -> Option<String> {
        self.0.killed_by()
    }

    fn kill(&self, who: &Person, on: bool, reason: &str) -> Result<Vec<String>, Refusal> {
        let failures = self.0.kill(&who.name, who.role, on)?;
        let data = json!({ "on": on, "reason": reason });
        self.0.record("kill-switch-reason", &who.name, &data).map_err(failed)?;
        Ok(failures.iter().map(ToString::to_string).collect())
    }

    fn destinations(&self) -> Vec<Destination> {
        let all = self.0.destinations().destinations.iter().map(|d| {
            let dir = self.queue(&d.name);
            let counts = queues::open(&dir).map(|q| q.counts()).ok();
            Destination {
                name: d.name.clone(),
                kind: d.kind.name().to_owned(),
                severity: d.severity.name().to_owned(),
                events: d.events.iter().map(|k| k.name().to_owned()).collect(),
                waiting: counts.map(|c| c.0),
                dead: counts.map(|c| c.1),
                bytes: counts.map(|c| c.2),
                health: queues::health(&dir).and_then(|h| serde_json::to_value(h).ok()),
            }
        });
        all.collect()
    }

    fn probe(&self, destination: &str) -> Result<String, Refusal> {
        let settings = self.settings(destination)?;
        let mut built = connect::build(settings, &self.0.destinations().sender).map_err(Refusal::Failed)?;
        built.probe().map_err(failed)
    }

    fn test(&self, who: &Person, destination: &str) -> Result<String, Refusal> {
        let settings = self.settings(destination)?;
        let sent = verbs::send_test(settings, &self.0.destinations().sender);
        let text = sent.as_ref().map_or_else(|e| format!("{e:#}"), Clone::clone);
        let data = json!({ "destination": destination, "arrived": sent.is_ok(), "text": text });
        self.0.record("destination.tested", &who.name, &data).map_err(failed)?;
        sent.map_err(|e| Refusal::Failed(format!("{e:#}")))
    }

    fn dead(&self, destination: &str, skip: usize, limit: usize) -> Result<Vec<Value>, Refusal> {
        self.settings(destination)?;
        let queue = queues::open(&self.queue(destination)).map_err(failed)?;
        let all = queue.dead(skip.saturating_add(limit)).map_err(failed)?;
        let values = all.into_iter().skip(skip).map(|d| serde_json::to_value(d).unwrap_or_default());
        Ok(values.collect())
    }

    fn resend(&self, who: &Person, destination: &str, ids: &[String]) -> Result<usize, Refusal> {
        self.settings(destination)?;
        let queue = queues::open(&self.queue(destination)).map_err(failed)?;
        let n = queue.resend((!ids.is_empty()).then_some(ids)).map_err(failed)?;
        let data = json!({ "destination": destination, "events": n });
        self.0.record("destination.resent", &who.name, &data).map_err(failed)?;
        Ok(n)
    }

    fn approve_baseline(
        &self,
        who: &Person,
        sha256: &str,
        accept: &[String],
        leave_out: &[String],
    ) -> Result<Value, Refusal> {
        let by = (who.name.as_str(), who.role);
        approval::approve(&self.0, by, Some(sha256), accept, leave_out).map_err(|e| Refusal::Failed(format!("{e:#}")))
    }

    fn packets(&self, finding: &Value) -> Result<Vec<u8>, Refusal> {
        let mut out = Vec::new();
        let cited = finding["packets"].as_array().into_iter().flatten();
        let in_ring = cited.filter_map(|p| p["file"].as_str()).any(|f| f.starts_with("ring/"));
        let written = if in_ring {
            pcap::write(self.0.folder(), &Wanted::of_finding(finding), &mut out).map_err(failed)?
        } else {
            let finding = Finding::from_json(finding.clone()).map_err(failed)?;
            bundle::cited_packets(&finding, &self.captures(), &mut out).map_err(failed)? as u64
        };
        if written == 0 {
            return Err(Refusal::Missing("packet of it any more: neither the ring nor a capture holds one".to_owned()));
        }
        Ok(out)
    }

    fn evidence(&self, who: &Person, case: &Case) -> Result<(String, Vec<u8>), Refusal> {
        let db = &self.0.db;
        let mut findings = Vec::new();
        for member in &case.findings {
            if let Some(stored) = db.finding(&member.id).map_err(failed)? {
                findings.push(Finding::from_json(stored.finding).map_err(failed)?);
            }
        }
        let (mut devices, mut cursor): (Vec<Device>, _) = (Vec::new(), String::new());
        loop {
            let (page, next) = db.devices("", &cursor, 1_000).map_err(failed)?;
            devices.extend(page.into_iter().filter_map(|row| serde_json::from_value(row.device).ok()));
            match next {
                Some(next) => cursor = next,
                None => break,
            }
        }
        let captures = self.captures();
        let unique = state::random_hex(6).map_err(failed)?;
        let name = format!("{}-evidence", case.id);
        let beside = self.0.folder().join("taken").join(&unique);
        let bytes = archive(case, &findings, &devices, &captures, self.0.folder(), &beside, &name, &who.name);
        // Whatever came of it, the copy is not left behind.
        let cleared = fs::remove_dir_all(&beside);
        let bytes = bytes?;
        cleared.map_err(failed)?;
        let hash: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
        let data = json!({ "case": case.id, "rev": case.rev, "bytes": bytes.len(), "sha256": hash });
        self.0.record("evidence-taken", &who.name, &data).map_err(failed)?;
        Ok((format!("{name}.tar"), bytes))
    }
}

/// Writes the evidence below `beside` and packs it.
#[allow(clippy::too_many_arguments, reason = "one call, each a part of what is packed")]
fn archive(
    case: &Case,
    findings: &[Finding],
    devices: &[Device],
    captures: &[PathBuf],
    dir: &Path,
    beside: &Path,
    name: &str,
    by: &str,
) -> Result<Vec<u8>, Refusal> {
    let source = Source { dir, findings, devices, captures };
    let folder = beside.join(name);
    bundle::write(case, &source, &folder, by, respond::clock::now()).map_err(failed)?;
    let size: u64 = sizes(&folder).map_err(failed)?;
    if size > ARCHIVE {
        let text = "the evidence is larger than 1 GB: take it with `gridwarden case evidence`";
        return Err(Refusal::Failed(text.to_owned()));
    }
    let mut tar = tar::Builder::new(Vec::new());
    tar.mode(tar::HeaderMode::Deterministic);
    tar.append_dir_all(name, &folder).map_err(failed)?;
    tar.into_inner().map_err(failed)
}

fn sizes(dir: &Path) -> std::io::Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        sum += if meta.is_dir() { sizes(&entry.path())? } else { meta.len() };
    }
    Ok(sum)
}
