//! `gridwarden backup` and `gridwarden restore`: what cannot be recorded again, as a folder with a manifest of hashes.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use clap::Args;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::audit::DATA;
use crate::say::say;

/// Parts of a data folder beside the state database; records and packets are not among them.
const PARTS: [&str; 5] = ["ledger", "models", "bundles", "queue", "sensor"];
/// Version of the manifest.
const FORMAT: u64 = 1;

/// Copies state, ledger, models and kept baselines into a folder of their own; the platform may be running.
#[derive(Args, Clone)]
pub struct Backup {
    /// Folder to make.
    #[arg(short = 'o', long = "output")]
    pub output: PathBuf,
    /// Data folder.
    #[arg(long, value_name = "DIR", default_value = DATA)]
    pub data: PathBuf,
    /// The recorded lake too.
    #[arg(long)]
    pub with_lake: bool,
}

/// Puts a backup into an empty data folder, after every hash was checked.
#[derive(Args, Clone)]
pub struct Restore {
    /// Folder that `gridwarden backup` made.
    pub backup: PathBuf,
    /// Data folder; it must not hold a state database.
    #[arg(long, value_name = "DIR", default_value = DATA)]
    pub data: PathBuf,
}

/// Makes a backup.
pub fn backup(args: &Backup) -> anyhow::Result<u8> {
    let state = args.data.join("state.sqlite");
    ensure!(state.is_file(), "there is no state database `{}`: name the data folder with --data", state.display());
    ensure!(!args.output.exists(), "`{}` is there already: name a new folder", args.output.display());
    let ledger = ledger::Ledger::open(&args.data.join("ledger"))?;
    ledger.append("backup.begun", "system", &json!({ "to": args.output.display().to_string() }))?;
    make(&args.output)?;
    state::Db::open(&state)?.backup(&args.output.join("state.sqlite"))?;
    // The ledger may grow meanwhile: its `head` is taken before its lines, so that it never names a line that is not there.
    let head = std::fs::read(args.data.join("ledger/head")).context("cannot read the ledger's head")?;
    for part in PARTS.into_iter().chain(args.with_lake.then_some("lake")) {
        copy(&args.data.join(part), &args.output.join(part))?;
    }
    std::fs::write(args.output.join("ledger/head"), head).context("cannot write the ledger's head")?;
    let mut files = Vec::new();
    list(&args.output, Path::new(""), &mut files)?;
    files.sort();
    let mut entries = Vec::new();
    for file in &files {
        let (bytes, hash) = hash(&args.output.join(file))?;
        entries.push(json!({ "path": file, "bytes": bytes, "sha256": hash }));
    }
    let at = ledger::now().to_string();
    let manifest = json!({ "format": FORMAT, "version": env!("CARGO_PKG_VERSION"), "made": at, "files": entries });
    let text = serde_json::to_string_pretty(&manifest)? + "\n";
    std::fs::write(args.output.join("manifest.json"), text).context("cannot write the manifest")?;
    ledger.append(
        "backup.made",
        "system",
        &json!({ "to": args.output.display().to_string(), "files": files.len() }),
    )?;
    say!("{} files in {}", files.len(), args.output.display());
    Ok(0)
}

/// Restores a backup.
pub fn restore(args: &Restore) -> anyhow::Result<u8> {
    let path = args.backup.join("manifest.json");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let manifest: Value =
        serde_json::from_str(&text).with_context(|| format!("`{}` is no manifest", path.display()))?;
    let format = manifest["format"].as_u64().unwrap_or(0);
    ensure!(
        format <= FORMAT,
        "the backup has format {format}, this version knows {FORMAT}: use the version that made it"
    );
    let state = args.data.join("state.sqlite");
    ensure!(!state.exists(), "`{}` is there already: name an empty data folder", state.display());
    let files = manifest["files"].as_array().context("the manifest names no files")?;
    let mut paths = Vec::new();
    for file in files {
        let name = file["path"].as_str().unwrap_or_default();
        let plain =
            !name.is_empty() && Path::new(name).components().all(|c| matches!(c, std::path::Component::Normal(_)));
        ensure!(plain, "the manifest names `{name}`, which lies outside the backup");
        let (_, found) = hash(&args.backup.join(name))?;
        if file["sha256"].as_str() != Some(found.as_str()) {
            bail!("`{name}` is not what was backed up: its hash differs; nothing was restored");
        }
        paths.push(name.to_owned());
    }
    let report = ledger::verify(&args.backup.join("ledger"))?;
    if let Some(b) = report.broken {
        bail!("the ledger in the backup breaks at {}, line {}: {}; nothing was restored", b.file, b.line, b.what);
    }
    make(&args.data)?;
    // The database comes last: with it the folder counts as used.
    paths.sort_by_key(|p| p == "state.sqlite");
    for name in &paths {
        copy(&args.backup.join(name), &args.data.join(name))?;
    }
    state::Db::open(&state)?;
    let ledger = ledger::Ledger::open(&args.data.join("ledger"))?;
    let data = json!({ "from": args.backup.display().to_string(), "made": manifest["made"], "files": paths.len() });
    ledger.append("backup.restored", "system", &data)?;
    say!("{} files restored to {}", paths.len(), args.data.display());
    Ok(0)
}

fn make(dir: &Path) -> anyhow::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).with_context(|| format!("cannot make the folder `{}`", dir.display()))
}

/// Copies a file, or a folder with what is in it; what is not there is not copied.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    if from.is_dir() {
        for entry in std::fs::read_dir(from).with_context(|| format!("cannot read `{}`", from.display()))? {
            let entry = entry?;
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
    } else if from.is_file() {
        if let Some(dir) = to.parent() {
            make(dir)?;
        }
        std::fs::copy(from, to).with_context(|| format!("cannot copy `{}`", from.display()))?;
        std::fs::File::open(to)
            .and_then(|f| f.sync_all())
            .with_context(|| format!("cannot sync `{}`", to.display()))?;
    }
    Ok(())
}

fn list(root: &Path, inner: &Path, files: &mut Vec<String>) -> anyhow::Result<()> {
    let dir = root.join(inner);
    for entry in std::fs::read_dir(&dir).with_context(|| format!("cannot read `{}`", dir.display()))? {
        let path = inner.join(entry?.file_name());
        if root.join(&path).is_dir() {
            list(root, &path, files)?;
        } else {
            files.push(path.to_str().context("a file name is not UTF-8")?.to_owned());
        }
    }
    Ok(())
}

fn hash(path: &Path) -> anyhow::Result<(u64, String)> {
    let mut file = std::fs::File::open(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let (mut hash, mut buffer, mut bytes) = (Sha256::new(), vec![0; 1 << 16], 0);
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            let hex = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
            return Ok((bytes, hex));
        }
        hash.update(buffer.get(..n).unwrap_or_default());
        bytes += n as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_backed_up_comes_back_and_what_was_altered_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(at("data/models")).unwrap();
        let db = state::Db::open(&at("data/state.sqlite")).unwrap();
        state::Store::set(&db, "site", &json!("North"), "anna", 0).unwrap();
        std::fs::write(at("data/models/a.bin"), [1, 2, 3]).unwrap();
        assert_eq!(backup(&Backup { output: at("copy"), data: at("data"), with_lake: false }).unwrap(), 0);
        assert!(
            backup(&Backup { output: at("copy"), data: at("data"), with_lake: false }).is_err(),
            "never over another"
        );
        restore(&Restore { backup: at("copy"), data: at("new") }).unwrap();
        let new = state::Db::open(&at("new/state.sqlite")).unwrap();
        assert_eq!(state::Store::setting(&new, "site").unwrap(), Some(json!("North")));
        assert_eq!(std::fs::read(at("new/models/a.bin")).unwrap(), [1, 2, 3]);
        assert_eq!(ledger::verify(&at("new/ledger")).unwrap().broken, None);
        assert!(restore(&Restore { backup: at("copy"), data: at("new") }).is_err(), "never over another");
        std::fs::write(at("copy/models/a.bin"), [1, 2, 4]).unwrap();
        let refusal = restore(&Restore { backup: at("copy"), data: at("third") }).unwrap_err().to_string();
        assert!(refusal.contains("models/a.bin") && !at("third/state.sqlite").exists(), "{refusal}");
    }
}
