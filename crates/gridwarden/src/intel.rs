//! `gridwarden intel`: what lists of known-bad values hold, and what of them cannot be used.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::say::say;

/// Looks into lists of known-bad values.
#[derive(Args, Clone)]
pub struct Command {
    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Subcommand, Clone)]
pub enum Verb {
    /// Prints every indicator, one a line: kind, value, source, confidence, end of validity, label, tab-separated.
    List {
        /// Files or folders.
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// As JSON, one object a line.
        #[arg(long)]
        json: bool,
    },
    /// Says what of each file is used, and what is not and why; exit code 1 where anything is not used.
    Check {
        /// Files or folders.
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Runs it.
pub fn run(args: &Command) -> anyhow::Result<u8> {
    match &args.verb {
        Verb::List { paths, json } => list(&intel::load(paths)?, *json),
        Verb::Check { paths, json } => check(&intel::load(paths)?, *json),
    }
}

fn list(intel: &intel::Intel, json: bool) -> anyhow::Result<u8> {
    for i in 0..intel.store.len() as u32 {
        let Some(x) = intel.store.get(i) else { continue };
        let until = x.until.map(|t| t.to_string());
        if json {
            let line = serde_json::json!({ "type": x.kind.name(), "value": x.text(), "id": intel.store.id(i), "source": x.source,
                "label": x.label, "confidence": x.confidence, "tlp": x.tlp.name(),
                "valid_from": x.from.map(|t| t.to_string()), "valid_until": until });
            say!("{line}");
            continue;
        }
        let sure = x.confidence.map(|c| c.to_string()).unwrap_or_default();
        let cells = [x.kind.name(), &x.text(), x.source, &sure, until.as_deref().unwrap_or_default(), x.label];
        say!("{}", cells.map(report::plain).join("\t"));
    }
    for p in &intel.patterns {
        if json {
            let line = serde_json::json!({ "type": "pattern", "value": p.text, "id": p.id, "source": p.source, "label": p.label,
                "confidence": p.confidence, "tlp": p.tlp.name() });
            say!("{line}");
        } else {
            say!("{}", ["pattern", &p.text, &p.source, "", "", &p.label].map(report::plain).join("\t"));
        }
    }
    Ok(0)
}

fn check(intel: &intel::Intel, json: bool) -> anyhow::Result<u8> {
    let refused: u64 = intel.reports.iter().flat_map(|r| r.reasons.values()).sum();
    if json {
        let files: Vec<_> = intel.reports.iter().map(of_file).collect();
        let whole = serde_json::json!({ "files": files, "indicators": intel.store.len(), "patterns": intel.patterns.len(),
            "not_used": refused, "bytes": intel.store.bytes() });
        say!("{}", serde_json::to_string_pretty(&whole)?);
        return Ok(u8::from(refused > 0));
    }
    for r in &intel.reports {
        let kinds: Vec<String> = r.indicators.iter().map(|(k, n)| format!("{n} {k}")).collect();
        let patterns = if r.patterns > 0 { format!(", {} patterns evaluated", r.patterns) } else { String::new() };
        say!("{}: {}: {}{patterns}", report::plain(&r.path.display().to_string()), r.format, kinds.join(", "));
        for (reason, n) in &r.reasons {
            say!("  not used: {n} × {}", report::plain(reason));
        }
        for x in r.refused.iter().take(10) {
            let line = x.line.map(|l| format!("line {l}: ")).unwrap_or_default();
            let part = if x.in_part { " (in part)" } else { "" };
            say!("    {line}{}: {}{part}", report::plain(&x.what), report::plain(&x.reason));
        }
    }
    let unseen = intel.store.unseen();
    if unseen > 0 {
        say!("{unseen} indicators are e-mail addresses or file names, which no record carries yet");
    }
    say!("{} indicators, {} patterns, {refused} not used", intel.store.len(), intel.patterns.len());
    Ok(u8::from(refused > 0))
}

fn of_file(r: &intel::FileReport) -> serde_json::Value {
    let refused: Vec<_> = r
        .refused
        .iter()
        .map(|x| serde_json::json!({ "line": x.line, "what": x.what, "reason": x.reason, "in_part": x.in_part }))
        .collect();
    serde_json::json!({ "path": r.path.display().to_string(), "format": r.format, "indicators": r.indicators,
        "patterns": r.patterns, "not_used": r.reasons, "refused": refused, "context": r.context })
}
