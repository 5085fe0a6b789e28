//! `gridwarden update`: a signed bundle from a stick is verified, put in force in one step, and taken back as easily.

use std::path::{Path, PathBuf};

use anyhow::Context;
use bundle::{Bundle, Store};
use clap::Args;
use gwcore::Ts;

use crate::say::say;

/// Puts a signed bundle of indicators, rules or other knowledge in force, or goes back to the one before.
#[derive(Args, Clone)]
pub struct Command {
    /// The bundle (NAME.tar.zst with NAME.tar.zst.minisig beside it); with --pack the folder to pack; with --revert the bundle's name.
    #[arg(required_unless_present = "list")]
    pub bundle: Option<PathBuf>,
    /// Where bundles are kept: DIR/bundles.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/gridwarden")]
    pub data: PathBuf,
    /// Public keys that are trusted (as minisign writes them); without it DIR/bundles/trusted/*.pub.
    #[arg(long, value_name = "FILE")]
    pub key: Vec<PathBuf>,
    /// Verifies and says what is in it; nothing changes.
    #[arg(long)]
    pub check: bool,
    /// Goes back to what was in force before under this name.
    #[arg(long, conflicts_with_all = ["check", "pack"])]
    pub revert: bool,
    /// Says what is in force.
    #[arg(long)]
    pub list: bool,
    /// Packs a folder that holds bundle.json (name, serial, created, expires, summary) into this file, to be signed with `minisign -S`.
    #[arg(long, value_name = "FILE")]
    pub pack: Option<PathBuf>,
}

/// Runs it.
pub fn run(args: &Command) -> anyhow::Result<u8> {
    let root = args.data.join("bundles");
    let store = Store::new(&root);
    if args.list {
        for name in store.names() {
            let Some(i) = store.installed(&name) else { continue };
            let before = i.before.map(|b| format!(", {b} before")).unwrap_or_default();
            say!(
                "{name}: serial {} of {}, expires {}{before}",
                i.manifest.serial,
                i.manifest.created,
                i.manifest.expires
            );
        }
        return Ok(0);
    }
    let Some(path) = &args.bundle else { anyhow::bail!("name a bundle") };
    if let Some(to) = &args.pack {
        return pack(path, to);
    }
    if args.revert {
        let i = store.revert(&path.to_string_lossy())?;
        say!("{}: back to serial {}", i.manifest.name, i.manifest.serial);
        return Ok(0);
    }
    let bundle = Bundle::open(path, &keys(args, &root)?, now())?;
    let m = &bundle.manifest;
    say!("{} {}: {} files, expires {}: {}", m.name, m.serial, m.files.len(), m.expires, report::plain(&m.summary));
    if args.check {
        return Ok(0);
    }
    let i = store.install(&bundle)?;
    say!("in force: {}", i.path.display());
    Ok(0)
}

/// The trusted keys.
fn keys(args: &Command, root: &Path) -> anyhow::Result<Vec<String>> {
    let mut files = args.key.clone();
    if files.is_empty() {
        let dir = root.join("trusted");
        let found = std::fs::read_dir(&dir).into_iter().flatten().flatten().map(|e| e.path());
        files.extend(found.filter(|p| p.extension().is_some_and(|e| e == "pub")));
        files.sort();
        anyhow::ensure!(!files.is_empty(), "no trusted key: name one with --key, or put it into `{}`", dir.display());
    }
    files.iter().map(|p| crate::knowledge::read(p)).collect()
}

fn pack(dir: &Path, to: &Path) -> anyhow::Result<u8> {
    let list = crate::knowledge::read(&dir.join("bundle.json"))?;
    let mut value: serde_json::Value = serde_json::from_str(&list).context("bundle.json")?;
    if let Some(o) = value.as_object_mut() {
        o.entry("format_version").or_insert(1.into());
        o.entry("files").or_insert_with(|| serde_json::json!([]));
    }
    let manifest = serde_json::from_value(value).context("bundle.json")?;
    let mut files = std::collections::BTreeMap::new();
    let mut open = vec![dir.to_path_buf()];
    while let Some(d) = open.pop() {
        for entry in std::fs::read_dir(&d).with_context(|| format!("cannot read `{}`", d.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else if path != dir.join("bundle.json") {
                let name = path.strip_prefix(dir)?.to_string_lossy().into_owned();
                files.insert(name, std::fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?);
            }
        }
    }
    let packed = Bundle::pack(manifest, &files)?;
    // What cannot be opened again is not handed out.
    Bundle::unpack(&packed)?;
    std::fs::write(to, &packed).with_context(|| format!("cannot write `{}`", to.display()))?;
    say!("{} files in `{}`; sign it with: minisign -S -m {}", files.len(), to.display(), to.display());
    Ok(0)
}

/// Whether a bundle has expired is judged by the clock: the only place of this command that reads it.
#[allow(
    clippy::disallowed_methods,
    reason = "the end of a bundle's validity is a moment of the world, not of the traffic"
)]
fn now() -> Ts {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Ts::from_parts(since.as_secs() as i64, i64::from(since.subsec_nanos()))
}
