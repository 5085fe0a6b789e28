//! `gridwarden audit evidence` and the verification of packages: what was recorded for CIP-015, checked alone.

use std::path::{Path, PathBuf};

use anyhow::Context;
use respond::cip::{self, Scope, sign::Key};
use respond::manifest;
use state::Db;

use crate::say::say;

/// Writes the package.
pub fn write(
    data: &Path,
    scope: &Path,
    (from, to): (&str, &str),
    output: &Path,
    by: &str,
    anchor: &str,
    key: Option<&Path>,
) -> anyhow::Result<u8> {
    let time = |text: &str| gwcore::time::parse_rfc3339(text).with_context(|| format!("`{text}` is no RFC 3339 time"));
    let text = std::fs::read_to_string(scope).with_context(|| format!("cannot read `{}`", scope.display()))?;
    let scope: Scope = toml::from_str(&text).with_context(|| format!("`{}`", scope.display()))?;
    let db = Db::open(&data.join("state.sqlite"))?;
    let ledger: PathBuf = data.join("ledger");
    let facts = cip::load(&db, &ledger, scope, time(from)?, time(to)?, anchor).map_err(anyhow::Error::msg)?;
    let key = match key {
        None => None,
        Some(path) if path.exists() => Some(Key::read(path).map_err(anyhow::Error::msg)?),
        Some(path) => Some(Key::make(path).map_err(anyhow::Error::msg)?),
    };
    let packed = cip::write(&facts, Some(&ledger), output, by, respond::clock::now(), key.as_ref())?;
    for part in &packed.parts {
        say!(
            "{:16} {:18} rehearsal {:18} {} rows  {}",
            part.id,
            part.status.name(),
            part.rehearsal.name(),
            part.rows.len(),
            part.title
        );
    }
    say!("{}: {} files. {}", packed.dir.display(), packed.files, cip::STATEMENT);
    if let Some(key) = &key {
        say!("public key: {}", key.public());
    }
    ledger::Ledger::open(&data.join("ledger"))?.append(
        "evidence.exported",
        by,
        &serde_json::json!({ "from": from, "to": to, "sums": manifest::hash_file(&output.join(manifest::SUMS))?.0 }),
    )?;
    Ok(0)
}

/// Verifies a package of ours (evidence for CIP-015, or of a case): 0 where nothing was altered, 1 where something is named.
pub fn verify(dir: &Path, json: bool) -> anyhow::Result<u8> {
    let (found, faults) = manifest::verify(dir)?;
    let signed = std::fs::read(dir.join(manifest::SUMS)).ok().and_then(|sums| {
        let signature = std::fs::read_to_string(dir.join(manifest::SIGNATURE)).ok()?;
        let public = std::fs::read_to_string(dir.join("signer.pub")).ok()?;
        Some((cip::sign::is_signed(&sums, &signature, &public), public.trim().to_owned()))
    });
    let chain = dir.join("ledger");
    let chain = if chain.is_dir() { Some(ledger::verify(&chain)?) } else { None };
    let broken = chain
        .as_ref()
        .and_then(|c| c.broken.as_ref())
        .map(|b| format!("ledger/{} line {}: {}", b.file, b.line, b.what));
    let bad = !faults.is_empty() || broken.is_some() || signed.as_ref().is_some_and(|(ok, _)| !ok);
    if json {
        say!(
            "{}",
            serde_json::json!({ "files": found.files.len(), "faults": faults, "ledger_broken": broken, "signed": signed })
        );
        return Ok(u8::from(bad));
    }
    for fault in &faults {
        say!("{fault}");
    }
    if let Some(broken) = &broken {
        say!("{broken}");
    }
    match &signed {
        None => say!("not signed"),
        Some((true, public)) => say!("signed with the key {public}: compare it with the one you were given"),
        Some((false, _)) => say!("the signature is not that of the key in the package"),
    }
    if !bad {
        say!("no alteration detected: {} files", found.files.len());
    }
    Ok(u8::from(bad))
}
