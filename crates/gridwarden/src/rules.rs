//! `gridwarden rules`: what rule files hold, and what of them cannot be used.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::say::say;

/// Looks into rules of Sigma.
#[derive(Args, Clone)]
pub struct Command {
    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Subcommand, Clone)]
pub enum Verb {
    /// Prints every rule that is used, one a line: id, severity, kind of record, title, tab-separated.
    List {
        /// Files or folders.
        #[arg(required = true)]
        paths: Vec<PathBuf>,
    },
    /// Says which rules are used, and of the others file, line and reason; exit code 1 where any is not used.
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
        Verb::List { paths } => {
            for r in rules::load(paths, &crate::known_bad::kinds())?.rules {
                say!("{}", [r.id.as_str(), r.severity.name(), r.kind, &r.title].map(report::plain).join("\t"));
            }
            Ok(0)
        }
        Verb::Check { paths, json } => check(&rules::load(paths, &crate::known_bad::kinds())?, *json),
    }
}

fn check(rules: &rules::Rules, json: bool) -> anyhow::Result<u8> {
    let failed = u8::from(!rules.problems.is_empty());
    if json {
        let used: Vec<_> = rules
            .rules
            .iter()
            .map(|r| {
                serde_json::json!({ "id": r.id, "title": r.title, "severity": r.severity.name(), "kind": r.kind,
                    "file": r.place.0.display().to_string(), "line": r.place.1, "attack": r.attack })
            })
            .collect();
        let refused: Vec<_> = rules
            .problems
            .iter()
            .map(|p| serde_json::json!({ "file": p.path.display().to_string(), "line": p.line, "rule": p.rule, "reason": p.reason }))
            .collect();
        let whole = serde_json::json!({ "files": rules.files, "rules": used, "correlations": rules.correlated(), "refused": refused });
        say!("{}", serde_json::to_string_pretty(&whole)?);
        return Ok(failed);
    }
    for p in &rules.problems {
        let path = report::plain(&p.path.display().to_string());
        say!("{path}:{}: {}: {}", p.line, report::plain(&p.rule), report::plain(&p.reason));
    }
    let (used, correlated) = (rules.rules.len(), rules.correlated());
    say!("{} files: {used} rules and {correlated} correlations used, {} not used", rules.files, rules.problems.len());
    Ok(failed)
}
