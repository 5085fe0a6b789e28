//! What the user hands in about the site: baseline, declaration, declared work.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use detect::{Baseline, Maintenance, Setup, Site};
use gwcore::Limits;

use crate::cli::Analyze;

/// Everything that detectors may rest on.
pub fn setup(args: &Analyze, limits: &Limits) -> anyhow::Result<Setup> {
    let mut setup = Setup { community_id_seed: args.community_id_seed, ..Setup::new(limits) };
    if let Some(path) = &args.baseline {
        setup.baseline = Some(Arc::new(baseline(path, limits)?));
    }
    if let Some(path) = &args.maintenance {
        setup.maintenance = Arc::new(maintenance(path)?);
    }
    if let Some(path) = &args.site {
        setup.site = Arc::new(site(path)?);
    }
    Ok(setup)
}

/// Reads what is declared of a site; its point lists lie beside it.
pub fn site(path: &Path) -> anyhow::Result<Site> {
    let beside = |name: &str| {
        let list = path.with_file_name(name);
        std::fs::read_to_string(&list).map_err(|e| format!("cannot read `{}`: {e}", list.display()))
    };
    let site = Site::parse(&read(path)?, &beside).map_err(anyhow::Error::msg);
    site.with_context(|| format!("`{}`", path.display()))
}

/// Reads a baseline.
pub fn baseline(path: &Path, limits: &Limits) -> anyhow::Result<Baseline> {
    let file = File::open(path).with_context(|| format!("cannot read the baseline `{}`", path.display()))?;
    Baseline::read(&mut BufReader::new(file), limits).with_context(|| format!("`{}`", path.display()))
}

/// Reads windows of time.
pub fn maintenance(path: &Path) -> anyhow::Result<Maintenance> {
    let windows = Maintenance::parse(&read(path)?).map_err(anyhow::Error::msg);
    windows.with_context(|| format!("`{}`", path.display()))
}

/// Reads a text file.
pub fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))
}
