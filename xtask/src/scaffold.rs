//! `cargo xtask scaffold NAME CRATE`: a new protocol folder that compiles and is tested at once.

use std::path::Path;

use anyhow::{Context, ensure};

use crate::sh;

const MOD: &str = include_str!("scaffold/mod.rs.txt");
const PARSE: &str = include_str!("scaffold/parse.rs.txt");
const RECORD: &str = include_str!("scaffold/record.rs.txt");

/// Writes the folder and says which two lines remain to be added by hand.
pub fn run(name: Option<&String>, krate: Option<&String>) -> anyhow::Result<()> {
    let (name, krate) = (name.context("which protocol?")?, krate.context("proto-it or proto-ot?")?);
    ensure!(
        name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()),
        "name: lower case and digits: `{name}`"
    );
    let dir = sh::root().join("crates").join(krate).join("src").join(name);
    ensure!(!dir.exists(), "`{}` exists", dir.display());
    write(&dir, name)?;
    println!(
        "written: {}\nadd `pub mod {name};` to the crate and a line to crates/engine/src/protocols.rs",
        dir.display()
    );
    Ok(())
}

fn write(dir: &Path, name: &str) -> anyhow::Result<()> {
    let mut title = name.to_owned();
    if let Some(first) = title.get_mut(0..1) {
        first.make_ascii_uppercase();
    }
    std::fs::create_dir_all(dir)?;
    for (file, text) in [("mod.rs", MOD), ("parse.rs", PARSE), ("record.rs", RECORD)] {
        std::fs::write(dir.join(file), text.replace("{name}", name).replace("{Name}", &title))?;
    }
    Ok(())
}

/// Writes a protocol into a crate of its own in the target folder and runs its tests, so that the template cannot rot.
pub fn check() -> anyhow::Result<()> {
    let root = sh::root();
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into);
    let dir = target.join("scaffold-check");
    let _ = std::fs::remove_dir_all(&dir);
    write(&dir.join("src/example"), "example")?;
    std::fs::write(dir.join("src/lib.rs"), "//! Checks the scaffold.\npub mod example;\n")?;
    let crates = root.join("crates").display().to_string();
    std::fs::write(
        dir.join("Cargo.toml"),
        format!(
            "[package]\nname = \"scaffold-check\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[dependencies]\n\
             gwcore = {{ path = \"{crates}/core\", package = \"gridwarden-core\" }}\n\
             proto = {{ path = \"{crates}/proto\", package = \"gridwarden-proto\" }}\n[workspace]\n"
        ),
    )?;
    std::fs::copy(root.join("Cargo.lock"), dir.join("Cargo.lock"))?;
    let manifest = dir.join("Cargo.toml").display().to_string();
    sh::run("scaffold", "cargo", &["test", "--offline", "--manifest-path", &manifest])
}
