//! The playbooks that come with the program; each validates against the official schema of CACAO 2.0.

use serde_json::Value;

use crate::case::{Case, Member};
use crate::playbook::Values;

/// Name and document of each.
pub const ALL: &[(&str, &str)] = &[
    ("engineering-access", include_str!("../../playbooks/engineering-access.json")),
    ("loss-of-view", include_str!("../../playbooks/loss-of-view.json")),
    ("malware-beacon", include_str!("../../playbooks/malware-beacon.json")),
    ("rogue-device", include_str!("../../playbooks/rogue-device.json")),
    ("scan", include_str!("../../playbooks/scan.json")),
    ("unusual-control-command", include_str!("../../playbooks/unusual-control-command.json")),
];

/// A shipped playbook by its name.
pub fn document(name: &str) -> Option<Value> {
    let text = ALL.iter().find(|(n, _)| *n == name)?.1;
    // They are checked by a test.
    serde_json::from_str(text).ok()
}

/// The playbook that fits the gravest findings of a case, by detector and technique of the first of them that one fits; none where only people
/// can know.
pub fn proposed_for(case: &Case) -> Option<&'static str> {
    gravest(case).into_iter().find_map(fits)
}

/// The gravest findings, the earliest first.
fn gravest(case: &Case) -> Vec<&Member> {
    let most = case.findings.iter().map(|m| m.severity).max();
    let mut all: Vec<&Member> = case.findings.iter().filter(|m| Some(m.severity) == most).collect();
    all.sort_by(|a, b| (a.ts, &a.id).cmp(&(b.ts, &b.id)));
    all
}

fn fits(finding: &Member) -> Option<&'static str> {
    let technique = finding.attack.first().map_or("", String::as_str);
    Some(match (finding.detector.as_str(), technique) {
        ("scan" | "sweep" | "function-enumeration", _) => "scan",
        ("beacon", _) => "malware-beacon",
        ("missing-device" | "frozen", _) => "loss-of-view",
        ("new-device", _) => "rogue-device",
        (_, "T0846" | "T0846.001" | "T0846.002") => "scan",
        (_, "T0843" | "T0889" | "T0858" | "T0845" | "T0816") => "engineering-access",
        (_, "T1692.001" | "T0836" | "T0806" | "T0848") => "unusual-control-command",
        (_, "T0869" | "T0885") => "malware-beacon",
        (_, "T0814" | "T1691.001" | "T1691.002") => "loss-of-view",
        (_, "T0864" | "T0883") => "rogue-device",
        _ => return None,
    })
}

/// Values for the variables of a shipped playbook, from the finding of a case that it was proposed for, else its gravest.
pub fn values_for(case: &Case) -> Values {
    let all = gravest(case);
    let gravest = all.iter().find(|m| fits(m).is_some()).or(all.first());
    let address = gravest.and_then(|m| m.src.ip.clone()).unwrap_or_default();
    let pair = |k: &str, v: String| (format!("__{k}__"), v);
    Values::from([
        pair("case", case.id.clone()),
        pair("title", case.title.clone()),
        pair("severity", case.severity.name().to_owned()),
        pair("source", gravest.map(|m| m.src.shown()).unwrap_or_default()),
        pair("target", gravest.map(|m| m.dst.shown()).unwrap_or_default()),
        pair("address", address),
    ])
}
