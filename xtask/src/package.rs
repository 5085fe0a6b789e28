//! `cargo xtask package`: what a user installs. A .tar.zst and a .deb with the program, unit, man pages, completions and a configuration, and
//! beside them hashes and a bill of materials (CycloneDX). The files are laid out once and packed twice; times in them are those of the commit.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::sh;

/// A file of the package: where it lies, what it holds, its mode.
struct Entry {
    path: String,
    bytes: Vec<u8>,
    mode: u32,
}

/// Builds and packs.
pub fn run(args: &[String]) -> anyhow::Result<()> {
    let host = host()?;
    let asked = args.iter().position(|a| a == "--target").and_then(|at| args.get(at + 1)).cloned();
    let built = args.iter().any(|a| a == "--built");
    let targets = match asked {
        Some(target) => vec![target],
        None => {
            // A static program where it can be built, the machine's own otherwise.
            let musl = host.replace("-gnu", "-musl");
            match installed(&musl)? {
                true => vec![musl],
                false => {
                    println!("not made: {musl} is not installed (rustup target add {musl})");
                    vec![host.clone()]
                }
            }
        }
    };
    for target in targets {
        let program = program(&target, &host, built)?;
        pack(&target, &program)?;
    }
    Ok(())
}

fn host() -> anyhow::Result<String> {
    let text = output("rustc", &["-vV"])?;
    let line = text.lines().find_map(|l| l.strip_prefix("host: "));
    Ok(line.context("rustc does not say its host")?.to_owned())
}

fn installed(target: &str) -> anyhow::Result<bool> {
    let lib = output("rustc", &["--print", "target-libdir", "--target", target])?;
    Ok(Path::new(lib.trim()).is_dir())
}

fn output(program: &str, args: &[&str]) -> anyhow::Result<String> {
    let done = sh::command(program).args(args).output().with_context(|| format!("cannot start `{program}`"))?;
    ensure!(done.status.success(), "{program} {}: {}", args.join(" "), String::from_utf8_lossy(&done.stderr).trim());
    Ok(String::from_utf8(done.stdout)?)
}

fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| sh::root().join("target"), PathBuf::from)
}

/// The program; one that is built already is taken as it is.
fn program(target: &str, host: &str, built: bool) -> anyhow::Result<PathBuf> {
    let own = target_dir().join("release/gridwarden");
    if built {
        ensure!(own.is_file(), "there is no `{}`", own.display());
        return Ok(own);
    }
    let mut args = vec!["build", "--release", "--locked", "-p", "gridwarden"];
    if target != host {
        args.extend(["--target", target]);
    }
    sh::run("build", "cargo", &args)?;
    Ok(if target == host { own } else { target_dir().join(target).join("release/gridwarden") })
}

fn pack(target: &str, program: &Path) -> anyhow::Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    let out = target_dir().join("package");
    fs::create_dir_all(&out)?;
    let time = output("git", &["log", "-1", "--format=%ct"]).ok().and_then(|t| t.trim().parse().ok()).unwrap_or(0);
    let entries = entries(program)?;
    let name = format!("gridwarden-{version}-{target}");
    let tar = out.join(format!("{name}.tar.zst"));
    let mut packed = zstd::Encoder::new(File::create(&tar)?, 12)?;
    packed.write_all(&tarball(&entries, &format!("{name}/"), time)?)?;
    packed.finish()?.sync_all()?;
    let arch = match target.split('-').next() {
        Some("x86_64") => "amd64",
        Some("aarch64") => "arm64",
        other => anyhow::bail!("no Debian architecture for `{}`", other.unwrap_or_default()),
    };
    let deb = out.join(format!("gridwarden_{version}_{arch}.deb"));
    fs::write(&deb, debian(&entries, version, arch, target, time)?)?;
    let sbom = out.join(format!("{name}.cdx.json"));
    fs::write(&sbom, serde_json::to_string_pretty(&bill(version)?)? + "\n")?;
    let mut sums = String::new();
    for path in [&tar, &deb, &sbom] {
        let bytes = fs::read(path)?;
        let file = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        sums.push_str(&format!("{}  {file}\n", hex(&Sha256::digest(&bytes))));
        println!("{} ({} bytes)", path.display(), bytes.len());
    }
    fs::write(out.join("SHA256SUMS"), sums)?;
    println!("not made: .rpm, OCI image, signature");
    Ok(())
}

/// Everything that lies in the package.
fn entries(program: &Path) -> anyhow::Result<Vec<Entry>> {
    let mut all = Vec::new();
    let mut add = |path: &str, bytes: Vec<u8>, mode: u32| all.push(Entry { path: path.to_owned(), bytes, mode });
    let root = sh::root();
    let text = |name: &str| fs::read(root.join(name)).with_context(|| format!("cannot read `{name}`"));
    add("usr/bin/gridwarden", stripped(program)?, 0o755);
    add("usr/lib/systemd/system/gridwarden.service", text("packaging/gridwarden.service")?, 0o644);
    add("usr/lib/sysusers.d/gridwarden.conf", text("packaging/sysusers.conf")?, 0o644);
    add("etc/gridwarden/gridwarden.toml", text("packaging/gridwarden.toml")?, 0o644);
    add("usr/share/doc/gridwarden/copyright", text("LICENSE-MIT")?, 0o644);
    add("usr/share/doc/gridwarden/changelog.gz", gzip(&text("CHANGELOG.md")?)?, 0o644);
    let mut pages: Vec<PathBuf> = fs::read_dir(root.join("docs"))?.filter_map(|e| Some(e.ok()?.path())).collect();
    pages.sort();
    for page in pages.iter().filter(|p| p.extension().is_some_and(|e| e == "md")) {
        let name = page.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        add(&format!("usr/share/doc/gridwarden/{name}.gz"), gzip(&fs::read(page)?)?, 0o644);
    }
    let man = target_dir().join("package/man");
    let _ = fs::remove_dir_all(&man);
    ask(program, &["reference", "man", "-o", &man.to_string_lossy()])?;
    let mut pages: Vec<PathBuf> = fs::read_dir(&man)?.filter_map(|e| Some(e.ok()?.path())).collect();
    pages.sort();
    for page in pages {
        let name = page.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        add(&format!("usr/share/man/man1/{name}.gz"), gzip(&fs::read(&page)?)?, 0o644);
    }
    for (shell, path) in [
        ("bash", "usr/share/bash-completion/completions/gridwarden"),
        ("zsh", "usr/share/zsh/vendor-completions/_gridwarden"),
        ("fish", "usr/share/fish/vendor_completions.d/gridwarden.fish"),
    ] {
        add(path, ask(program, &["reference", "completions", shell])?, 0o644);
    }
    Ok(all)
}

fn ask(program: &Path, args: &[&str]) -> anyhow::Result<Vec<u8>> {
    let done =
        Command::new(program).args(args).output().with_context(|| format!("cannot start `{}`", program.display()))?;
    ensure!(done.status.success(), "gridwarden {}: {}", args.join(" "), String::from_utf8_lossy(&done.stderr).trim());
    Ok(done.stdout)
}

/// The program without what only a debugger needs, where `strip` is there.
fn stripped(program: &Path) -> anyhow::Result<Vec<u8>> {
    let copy = target_dir().join("package/gridwarden.stripped");
    let done = sh::command("strip").arg("-o").arg(&copy).arg(program).status();
    let from = if done.is_ok_and(|s| s.success()) { &copy } else { program };
    let bytes = fs::read(from).with_context(|| format!("cannot read `{}`", from.display()))?;
    let _ = fs::remove_file(&copy);
    Ok(bytes)
}

fn gzip(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut to = flate2::GzBuilder::new().write(Vec::new(), flate2::Compression::best());
    to.write_all(bytes)?;
    Ok(to.finish()?)
}

/// A tar with its folders, owned by root.
fn tarball(entries: &[Entry], prefix: &str, time: u64) -> anyhow::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut folders = BTreeSet::new();
    let header = |mode: u32, size: u64, kind: tar::EntryType| {
        let mut h = tar::Header::new_gnu();
        h.set_mode(mode);
        h.set_size(size);
        h.set_mtime(time);
        h.set_uid(0);
        h.set_gid(0);
        // Too long a name is the only error.
        let _ = h.set_username("root").and_then(|()| h.set_groupname("root"));
        h.set_entry_type(kind);
        h
    };
    for e in entries {
        let path = format!("{prefix}{}", e.path);
        let above: Vec<&Path> = Path::new(&path).ancestors().skip(1).filter(|p| !p.as_os_str().is_empty()).collect();
        for folder in above.into_iter().rev() {
            let name = format!("{}/", folder.display());
            if name != "./" && folders.insert(name.clone()) {
                tar.append_data(&mut header(0o755, 0, tar::EntryType::Directory), &name, std::io::empty())?;
            }
        }
        tar.append_data(&mut header(e.mode, e.bytes.len() as u64, tar::EntryType::Regular), &path, &e.bytes[..])?;
    }
    Ok(tar.into_inner()?)
}

/// A Debian package (deb(5)): an `ar` of a version, the control files and the data.
fn debian(entries: &[Entry], version: &str, arch: &str, target: &str, time: u64) -> anyhow::Result<Vec<u8>> {
    let size: usize = entries.iter().map(|e| e.bytes.len().div_ceil(1024)).sum();
    let depends = if target.contains("musl") { String::new() } else { "Depends: libc6\n".to_owned() };
    let control = format!(
        "Package: gridwarden\nVersion: {version}\nSection: net\nPriority: optional\nArchitecture: {arch}\n{depends}\
         Installed-Size: {size}\nMaintainer: Gridwarden <root@localhost>\n\
         Description: network detection and response for electric, gas and water utilities\n \
         Watches IT and control networks, knows what every device normally says, finds what\n does not belong and proves it down to the packet. It never sends into the network.\n"
    );
    let mut sums = String::new();
    for e in entries {
        sums.push_str(&format!("{}  {}\n", hex(&md5(&e.bytes)?), e.path));
    }
    let file = |path: &str, bytes: Vec<u8>, mode| Entry { path: path.to_owned(), bytes, mode };
    let mut controls = vec![
        file("control", control.into_bytes(), 0o644),
        file("conffiles", b"/etc/gridwarden/gridwarden.toml\n".to_vec(), 0o644),
        file("md5sums", sums.into_bytes(), 0o644),
    ];
    for script in ["postinst", "prerm", "postrm"] {
        controls.push(file(script, fs::read(sh::root().join("packaging").join(script))?, 0o755));
    }
    let mut ar = b"!<arch>\n".to_vec();
    member(&mut ar, "debian-binary", b"2.0\n", time);
    member(&mut ar, "control.tar.gz", &gzip(&tarball(&controls, "./", time)?)?, time);
    member(&mut ar, "data.tar.gz", &gzip(&tarball(entries, "./", time)?)?, time);
    Ok(ar)
}

/// A member of an `ar` archive: a header of 60 bytes, the bytes, and one more where their number is odd.
fn member(ar: &mut Vec<u8>, name: &str, bytes: &[u8], time: u64) {
    ar.extend(format!("{name:<16}{time:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 100_644, bytes.len()).into_bytes());
    ar.extend(bytes);
    if !bytes.len().is_multiple_of(2) {
        ar.push(b'\n');
    }
}

/// dpkg's list of files wants MD5; `md5sum` is part of every system that has dpkg.
fn md5(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut child =
        sh::command("md5sum").stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn()?;
    child.stdin.take().context("md5sum takes no input")?.write_all(bytes)?;
    let mut text = String::new();
    child.stdout.take().context("md5sum gives no output")?.read_to_string(&mut text)?;
    ensure!(child.wait()?.success(), "md5sum failed");
    let hex = text.get(..32).context("md5sum gave no sum")?;
    Ok((0..16).filter_map(|i| u8::from_str_radix(hex.get(i * 2..i * 2 + 2)?, 16).ok()).collect())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// What the program is made of, as CycloneDX 1.5: every crate that is linked into it, with version, licence and hash of its source.
fn bill(version: &str) -> anyhow::Result<Value> {
    let metadata: Value = serde_json::from_str(&output("cargo", &["metadata", "--format-version", "1", "--locked"])?)?;
    let list = |v: &Value| v.as_array().cloned().unwrap_or_default();
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let packages: BTreeMap<String, Value> =
        list(&metadata["packages"]).into_iter().map(|p| (text(&p["id"]), p)).collect();
    let nodes: BTreeMap<String, Value> =
        list(&metadata["resolve"]["nodes"]).into_iter().map(|n| (text(&n["id"]), n)).collect();
    // What is linked; what only builds or tests it is not part of it.
    let linked = |id: &str| -> Vec<String> {
        let deps = nodes.get(id).map(|n| list(&n["deps"])).unwrap_or_default();
        let is_normal = |d: &Value| list(&d["dep_kinds"]).iter().any(|k| k["kind"].is_null());
        deps.iter().filter(|d| is_normal(d)).map(|d| text(&d["pkg"])).collect()
    };
    let root = packages.iter().find(|(_, p)| p["name"] == "gridwarden").context("no package gridwarden")?.0;
    let (mut open, mut seen) = (vec![root.clone()], BTreeSet::new());
    while let Some(id) = open.pop() {
        if seen.insert(id.clone()) {
            open.extend(linked(&id));
        }
    }
    let sums = checksums()?;
    let purl = |id: &str| {
        let p = packages.get(id)?;
        Some(format!("pkg:cargo/{}@{}", p["name"].as_str()?, p["version"].as_str()?))
    };
    let component = |id: &String| {
        let p = packages.get(id).cloned().unwrap_or_default();
        let (name, version) = (text(&p["name"]), text(&p["version"]));
        let mut c =
            json!({ "type": "library", "bom-ref": purl(id), "name": name, "version": version, "purl": purl(id) });
        if let Some(license) = p["license"].as_str() {
            c["licenses"] = json!([{ "expression": license.replace('/', " OR ") }]);
        }
        if let Some(sum) = sums.get(&(name, version)) {
            c["hashes"] = json!([{ "alg": "SHA-256", "content": sum }]);
        }
        c
    };
    let mut others: Vec<&String> = seen.iter().filter(|id| *id != root).collect();
    others.sort_by_key(|id| purl(id));
    let dependencies: Vec<Value> = others
        .iter()
        .copied()
        .chain([root])
        .map(|id| {
            let on: BTreeSet<String> = linked(id).iter().filter_map(|d| purl(d)).collect();
            json!({ "ref": purl(id), "dependsOn": on })
        })
        .collect();
    let mut main = component(root);
    main["type"] = json!("application");
    Ok(json!({
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": { "component": main, "tools": { "components": [{ "type": "application", "name": "cargo xtask package", "version": version }] } },
        "components": others.iter().map(|id| component(id)).collect::<Vec<_>>(), "dependencies": dependencies,
    }))
}

/// Hashes of sources by name and version, as the lock file has them.
fn checksums() -> anyhow::Result<BTreeMap<(String, String), String>> {
    let text = fs::read_to_string(sh::root().join("Cargo.lock"))?;
    let (mut all, mut name, mut version) = (BTreeMap::new(), String::new(), String::new());
    for line in text.lines() {
        let value = |key: &str| Some(line.strip_prefix(key)?.trim_matches('"').to_owned());
        if let Some(v) = value("name = ") {
            name = v;
        } else if let Some(v) = value("version = ") {
            version = v;
        } else if let Some(sum) = value("checksum = ") {
            all.insert((name.clone(), version.clone()), sum);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_has_its_members_at_even_places() {
        let mut ar = b"!<arch>\n".to_vec();
        member(&mut ar, "a", b"odd", 1);
        member(&mut ar, "b", b"even", 2);
        assert_eq!(ar.len(), 8 + 60 + 4 + 60 + 4);
        assert_eq!(&ar[8 + 58..8 + 60], b"`\n");
        assert!(ar[72..].starts_with(b"b               2           0     0     100644  4         `\n"));
    }

    #[test]
    fn a_tar_names_each_folder_once_before_its_files() {
        let entry = |path: &str| Entry { path: path.to_owned(), bytes: b"x".to_vec(), mode: 0o644 };
        let bytes = tarball(&[entry("usr/bin/a"), entry("usr/b")], "./", 5).unwrap();
        let mut tar = tar::Archive::new(&bytes[..]);
        let names: Vec<String> =
            tar.entries().unwrap().map(|e| e.unwrap().path().unwrap().display().to_string()).collect();
        assert_eq!(names, ["usr/", "usr/bin/", "usr/bin/a", "usr/b"]);
    }

    #[test]
    fn the_configuration_is_short() {
        let text = fs::read_to_string(sh::root().join("packaging/gridwarden.toml")).unwrap();
        assert!(text.lines().count() <= 20);
    }
}
