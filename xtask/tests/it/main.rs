//! Properties of the workspace itself: dependency directions, and that every source file opens with what it is.

use std::collections::BTreeMap;

/// Crates from left to right along the line that data travels; a crate depends only on crates to its left.
const ORDER: &[&[&str]] = &[
    &["core", "testkit"],
    &["capture"],
    &["packet"],
    &["flow", "proto"],
    &["proto-it", "proto-ot"],
    &["engine", "detect", "lake", "views", "simulate", "ledger", "state", "intel", "rules", "bundle"],
    &["features", "ingest", "nets", "query"],
    &["learn"],
    &["models"],
    &["respond"],
    &["connect"],
    &["report"],
    &["console", "agent"],
    &["gridwarden"],
    &["xtask"],
];
/// Heavy libraries and the only crates that may name each.
const LEAVES: &[(&str, &[&str])] = &[
    ("arrow", &["lake", "query", "learn", "features"]),
    ("parquet", &["lake", "query", "learn", "features"]),
    ("datafusion", &["query"]),
    ("burn", &["nets"]),
    ("rusqlite", &["state"]),
    ("axum", &["console"]),
    ("ureq", &["connect"]),
    ("rustls", &["connect", "console"]),
    ("x509-parser", &["proto-it"]),
    ("clap", &["gridwarden"]),
];

fn cargo(arguments: &[&str]) -> String {
    let out = std::process::Command::new(env!("CARGO")).args(arguments).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

fn packages() -> Vec<(String, Vec<String>)> {
    let meta: serde_json::Value =
        serde_json::from_str(&cargo(&["metadata", "--no-deps", "--format-version", "1"])).unwrap();
    let short = |n: &serde_json::Value| n["name"].as_str().unwrap().replace("gridwarden-", "");
    let all = |v: &serde_json::Value, key: &str| v[key].as_array().unwrap().clone();
    all(&meta, "packages")
        .iter()
        .map(|p| (short(p), all(p, "dependencies").iter().filter(|d| d["kind"].is_null()).map(short).collect()))
        .collect()
}

#[test]
fn the_program_and_its_tests_share_one_build_of_every_library() {
    // A test's dependency that turns on one more feature of a library would have DataFusion compiled a second time.
    let features = |edges: &str| -> Vec<String> {
        let tree = cargo(&["tree", "--workspace", "--locked", "-e", edges, "--prefix", "none", "-f", "{p} {f}"]);
        let lines = tree.lines().map(|l| l.trim_end_matches(" (*)").to_owned());
        lines.filter(|l| !l.contains(" (/")).collect::<std::collections::BTreeSet<_>>().into_iter().collect()
    };
    let tests = features("normal,build,dev");
    let apart: Vec<String> = features("normal,build").into_iter().filter(|l| !tests.contains(l)).collect();
    assert!(apart.is_empty(), "built once more for the tests: {apart:?}");
}

#[test]
fn no_crate_looks_to_its_right() {
    let rank: BTreeMap<&str, usize> =
        ORDER.iter().enumerate().flat_map(|(i, names)| names.iter().map(move |n| (*n, i))).collect();
    let all = packages();
    assert!(all.len() >= 15, "too few packages: {}", all.len());
    for (name, deps) in all {
        let here = *rank.get(name.as_str()).unwrap_or_else(|| panic!("`{name}` has no place in the order"));
        for dep in deps.iter().filter(|d| rank.contains_key(d.as_str())) {
            let there = rank[dep.as_str()];
            assert!(there < here || (name == "detect" && dep == "flow"), "`{name}` must not depend on `{dep}`");
        }
    }
}

#[test]
fn heavy_libraries_sit_in_leaves() {
    for (name, deps) in packages() {
        for (library, leaves) in LEAVES {
            assert!(
                leaves.contains(&name.as_str()) || !deps.iter().any(|d| d == library),
                "`{name}` must not depend on `{library}`"
            );
        }
    }
}

#[test]
fn every_source_file_opens_with_what_it_is() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut open = vec![root.join("crates"), root.join("xtask")];
    let (mut seen, mut bad) = (0, Vec::new());
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                seen += 1;
                let text = std::fs::read_to_string(&path).unwrap();
                let lines = text.lines().count();
                let is_table = path.file_name().is_some_and(|n| n.to_string_lossy().contains("table"));
                if !text.starts_with("//! ") || (lines > 800 && !is_table) {
                    bad.push(format!("{} ({lines} lines)", path.display()));
                }
            }
        }
    }
    assert!(seen > 100, "only {seen} files seen");
    assert!(bad.is_empty(), "without an opening sentence, or past 800 lines: {bad:#?}");
}
