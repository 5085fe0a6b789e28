//! The evidence of a case as a folder that opens without this program: findings and devices as JSON lines, the cited packets as pcapng, the
//! records of their conversations as Parquet and JSON lines, a page to read, hashes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use gwcore::{Limits, Ts};
use serde_json::json;

use crate::case::Case;
use crate::finding::{Device, Error, Finding, PacketRef};
use crate::manifest::{self, Manifest};
use crate::pcapng::Pcapng;

/// What an analysis left behind, as far as evidence needs it.
pub struct Source<'a> {
    /// The folder that `analyze` wrote (`records/`), or the data folder of a running platform (`lake/`).
    pub dir: &'a Path,
    /// Its findings.
    pub findings: &'a [Finding],
    /// Its devices.
    pub devices: &'a [Device],
    /// Where captures are looked for that are not found by the name in the finding.
    pub captures: &'a [PathBuf],
}

/// What a bundle came to hold.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Bundled {
    /// Folder.
    pub dir: PathBuf,
    /// Findings.
    pub findings: usize,
    /// Packets written.
    pub packets: u64,
    /// Packets cited.
    pub cited: u64,
    /// Rows of records.
    pub records: u64,
    /// What is missing, each a sentence.
    pub gaps: Vec<String>,
}

/// Writes the evidence of `case` into `to`, which must not exist yet. Captures are read once, and only up to the last cited frame.
pub fn write(case: &Case, source: &Source<'_>, to: &Path, by: &str, now: Ts) -> Result<Bundled, Error> {
    fs::create_dir_all(to.parent().unwrap_or(Path::new("."))).map_err(Error::file(to))?;
    fs::create_dir(to).map_err(Error::file(to))?;
    let ids: HashSet<&str> = case.findings.iter().map(|m| m.id.as_str()).collect();
    let findings: Vec<&Finding> = source.findings.iter().filter(|f| ids.contains(f.id.as_str())).collect();
    let mut out = Bundled { dir: to.to_owned(), findings: findings.len(), ..Bundled::default() };
    let mut rows = Vec::new();
    for id in ids.iter().filter(|id| !findings.iter().any(|f| f.id == **id)) {
        out.gaps.push(format!("finding {id} is part of the case but not of the analysis"));
    }

    json_file(&to.join("case.json"), &serde_json::to_value(case).unwrap_or_default())?;
    rows.push((
        "findings.ndjson".to_owned(),
        json_lines(&to.join("findings.ndjson"), findings.iter().map(|f| &f.raw))?,
    ));
    let devices = devices_of(case, source.devices);
    let lines: Vec<_> = devices.iter().map(|d| serde_json::to_value(d).unwrap_or_default()).collect();
    rows.push(("devices.ndjson".to_owned(), json_lines(&to.join("devices.ndjson"), lines.iter())?));
    let captures = packets(&findings, source, to, &mut out)?;
    records(&findings, source, to, &mut out, &mut rows)?;
    let page = readme(case, &findings, &out);
    fs::write(to.join("README.txt"), page).map_err(Error::file(to))?;

    let scope = json!({
        "case": case.id, "title": case.title, "severity": case.severity.name(), "state": case.state.name(),
        "from": case.occurred.to_string(), "to": case.ended.to_string(), "findings": out.findings,
        "packets_cited": out.cited, "packets_written": out.packets, "captures": captures,
        "filter": "the frames that the findings cite (the first 100 of each); all rows of the conversations they name",
    });
    let mut human = Vec::new();
    if case.determination.is_none() {
        human.push("no person has determined yet whether this is an incident".to_owned());
    }
    if case.disposition.is_none() {
        human.push("no person has evaluated this case yet".to_owned());
    }
    let head = Manifest {
        format: "gridwarden-case-1".to_owned(),
        generator: format!("gridwarden {}", env!("CARGO_PKG_VERSION")),
        generated: now.to_string(),
        by: by.to_owned(),
        time_zone: "UTC".to_owned(),
        scope,
        gaps: out.gaps.clone(),
        human,
        files: Vec::new(),
    };
    manifest::seal(to, head, &rows)?;
    Ok(out)
}

fn devices_of<'a>(case: &Case, all: &'a [Device]) -> Vec<&'a Device> {
    let keys: BTreeSet<&str> = case
        .findings
        .iter()
        .flat_map(|m| [&m.src, &m.dst])
        .flat_map(|p| [p.asset.as_deref(), p.ip.as_deref(), p.mac.as_deref()])
        .flatten()
        .collect();
    let is_part =
        |d: &&Device| keys.contains(d.id.as_str()) || d.ips.iter().chain(&d.macs).any(|a| keys.contains(a.as_str()));
    all.iter().filter(is_part).collect()
}

/// Cuts the cited frames out of the captures; tells which captures these were and what hash they have.
fn packets(
    findings: &[&Finding],
    source: &Source<'_>,
    to: &Path,
    out: &mut Bundled,
) -> Result<Vec<serde_json::Value>, Error> {
    let mut wanted: BTreeMap<&str, BTreeMap<u64, Vec<&Finding>>> = BTreeMap::new();
    for f in findings {
        for PacketRef { file, frame } in &f.packets {
            wanted.entry(file).or_default().entry(*frame).or_default().push(f);
        }
    }
    out.cited = wanted.values().map(|frames| frames.len() as u64).sum();
    let mut captures = Vec::new();
    let mut found: Vec<Cut> = Vec::new();
    for (file, frames) in &wanted {
        let Some(path) = locate(file, source) else {
            out.gaps.push(format!("capture `{file}` was not found: its {} cited frames are missing", frames.len()));
            continue;
        };
        let before = found.len();
        read(&path, file, frames, &mut found);
        if found.len() - before < frames.len() {
            let missing = frames.len() - (found.len() - before);
            out.gaps.push(format!("{missing} cited frames are not in `{file}` any more"));
        }
        let (sha256, bytes) = manifest::hash_file(&path)?;
        captures.push(json!({ "file": file, "sha256": sha256, "bytes": bytes, "frames_cut": found.len() - before }));
    }
    let at = to.join("packets.pcapng");
    let file = BufWriter::new(fs::File::create(&at).map_err(Error::file(&at))?);
    out.packets = found.len() as u64;
    pcapng(found, file).map_err(Error::file(&at))?;
    Ok(captures)
}

/// The packets that one finding cites, as pcapng, out of the captures that can be found; how many that were.
pub fn cited_packets(finding: &Finding, captures: &[PathBuf], out: impl Write) -> std::io::Result<usize> {
    let source = Source { dir: Path::new(""), findings: &[], devices: &[], captures };
    let mut wanted: BTreeMap<&str, BTreeMap<u64, Vec<&Finding>>> = BTreeMap::new();
    for PacketRef { file, frame } in &finding.packets {
        wanted.entry(file).or_default().entry(*frame).or_default().push(finding);
    }
    let mut found: Vec<Cut> = Vec::new();
    for (file, frames) in &wanted {
        if let Some(path) = locate(file, &source) {
            read(&path, file, frames, &mut found);
        }
    }
    let n = found.len();
    pcapng(found, out)?;
    Ok(n)
}

fn pcapng(mut found: Vec<Cut>, out: impl Write) -> std::io::Result<()> {
    found.sort_by(|a, b| (a.ts, &a.file, a.number).cmp(&(b.ts, &b.file, b.number)));
    let mut pcapng = Pcapng::new(out, concat!("gridwarden ", env!("CARGO_PKG_VERSION")))?;
    for p in &found {
        pcapng.packet(p.link, &p.file, p.ts, p.wire_len, &p.data, &p.comment)?;
    }
    pcapng.finish()?;
    Ok(())
}

struct Cut {
    ts: Ts,
    file: String,
    number: u64,
    link: u16,
    wire_len: u32,
    data: Vec<u8>,
    comment: String,
}

fn read(path: &Path, file: &str, frames: &BTreeMap<u64, Vec<&Finding>>, found: &mut Vec<Cut>) {
    let limits = Limits::default();
    let inputs = capture::Inputs::find(&[path.to_owned()], &limits);
    let Some(mut single) = capture::Single::open(&inputs, 0, &limits) else { return };
    let last = frames.keys().next_back().copied().unwrap_or(0);
    while let Some(frame) = single.next() {
        if let Some(cited) = frames.get(&frame.number) {
            let titles: Vec<String> = cited.iter().map(|f| format!("{} ({})", f.title, f.id)).collect();
            found.push(Cut {
                ts: frame.ts,
                file: file.to_owned(),
                number: frame.number,
                link: frame.link.0,
                wire_len: frame.wire_len,
                data: frame.data.to_vec(),
                comment: format!("{file} frame {}: {}", frame.number, titles.join("; ")),
            });
        }
        if frame.number >= last {
            break;
        }
    }
}

/// The capture by the name in the finding, or by its last part in the folders given and beside the analysis.
fn locate(file: &str, source: &Source<'_>) -> Option<PathBuf> {
    let path = Path::new(file);
    let name = path.file_name()?;
    let beside = source.dir.parent().map(Path::to_owned);
    std::iter::once(path.to_owned())
        .chain(source.captures.iter().flat_map(|c| [c.clone(), c.join(path), c.join(name)]))
        .chain(beside.into_iter().map(|b| b.join(name)))
        .find(|p| p.is_file() && p.file_name() == Some(name))
}

/// All rows of the conversations that the findings name, each kind as Parquet and as JSON lines.
fn records(
    findings: &[&Finding],
    source: &Source<'_>,
    to: &Path,
    out: &mut Bundled,
    rows: &mut Vec<(String, u64)>,
) -> Result<(), Error> {
    let uids: HashSet<String> = findings.iter().flat_map(|f| f.uids.iter().cloned()).collect();
    // Upkeep of a running platform leaves files where they are meanwhile.
    let _reading = lake::reading(&source.dir.join("lake")).map_err(Error::file(source.dir))?;
    let kinds = record_files(source.dir, findings).map_err(Error::file(source.dir))?;
    if kinds.is_empty() {
        out.gaps.push("no records are kept here (an analysis keeps them with `--logs parquet`)".to_owned());
        return Ok(());
    }
    let target = to.join("records");
    fs::create_dir(&target).map_err(Error::file(&target))?;
    let select = lake::Select { uids: Some(uids), ..lake::Select::default() };
    for (stem, kind) in kinds {
        for (format, ending) in [(lake::Format::Parquet, "parquet"), (lake::Format::Ndjson, "ndjson")] {
            let at = target.join(format!("{stem}.{ending}"));
            let file = BufWriter::new(fs::File::create(&at).map_err(Error::file(&at))?);
            let cut = lake::cut(&kind, &select, format, file).map_err(Error::file(&kind))?;
            if cut.written == 0 {
                fs::remove_file(&at).map_err(Error::file(&at))?;
                break;
            }
            if format == lake::Format::Parquet {
                out.records += cut.written;
            }
            rows.push((format!("records/{stem}.{ending}"), cut.written));
        }
    }
    Ok(())
}

/// Files of records with the name that each gets in the bundle: `records/KIND.parquet` of an analysis, or those files of a running platform
/// (`lake/KIND/day=…/hour=…/…`) whose days the findings touch.
fn record_files(dir: &Path, findings: &[&Finding]) -> std::io::Result<Vec<(String, PathBuf)>> {
    let is_parquet = |p: &Path| p.extension().is_some_and(|e| e == "parquet");
    let list = |dir: &Path| -> std::io::Result<Vec<PathBuf>> {
        let mut all: Vec<PathBuf> = fs::read_dir(dir)?.map(|e| Ok(e?.path())).collect::<std::io::Result<_>>()?;
        all.sort();
        Ok(all)
    };
    let stem = |p: &Path| p.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let name = |p: &Path| p.file_name().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let mut files = Vec::new();
    if dir.join("records").is_dir() {
        let found = list(&dir.join("records"))?.into_iter().filter(|p| is_parquet(p));
        files.extend(found.map(|p| (stem(&p), p)));
    }
    // A conversation's record carries the moment it began, which may lie on the day before.
    let day = |ts: Ts| format!("day={}", ts.to_string().get(..10).unwrap_or_default());
    let first = findings.iter().map(|f| f.ts).min().map(|ts| day(ts.plus(-24 * gwcore::time::HOUR)));
    let last = findings.iter().map(|f| f.ts_end).max().map(day);
    let (Some(first), Some(last)) = (first, last) else { return Ok(files) };
    if dir.join("lake").is_dir() {
        for kind in list(&dir.join("lake"))?.into_iter().filter(|p| p.is_dir()) {
            for day in list(&kind)?.into_iter().filter(|d| d.is_dir() && (&first..=&last).contains(&&name(d))) {
                for hour in list(&day)?.into_iter().filter(|h| h.is_dir()) {
                    let found = list(&hour)?.into_iter().filter(|p| is_parquet(p));
                    let shown = |p: &Path| {
                        let (day, hour) = (name(&day), name(&hour));
                        format!("{}-{}-{}-{}", name(&kind), day.replace("day=", ""), hour.replace("hour=", ""), stem(p))
                    };
                    files.extend(found.map(|p| (shown(&p), p)));
                }
            }
        }
    }
    Ok(files)
}

fn readme(case: &Case, findings: &[&Finding], out: &Bundled) -> String {
    let mut page = format!("{}\n\n", case.title);
    let mut line = |text: String| {
        page.push_str(&text);
        page.push('\n');
    };
    line(format!("Case {}, severity {}, state {}", case.id, case.severity.name(), case.state.name()));
    line(format!("{} to {} (UTC)", case.occurred, case.ended));
    line(match &case.determination {
        Some(d) => format!("Determined as {} by {} at {}: {}", d.what.name(), d.by, d.at, d.reason),
        None => "No person has determined whether this is an incident.".to_owned(),
    });
    line("\nFindings".to_owned());
    let joins: HashMap<&str, &str> = case.findings.iter().map(|m| (m.id.as_str(), m.join.reason.as_str())).collect();
    for f in findings {
        line(format!("  {}  {:8}  {}", f.ts, f.severity.name(), f.title));
        line(format!("      {}", f.why));
        line(format!("      joined: {}; id {}", joins.get(f.id.as_str()).copied().unwrap_or(""), f.id));
    }
    line("\nFiles".to_owned());
    line("  case.json         the case with its timeline, and why each finding was joined".to_owned());
    line("  findings.ndjson   the findings, one JSON object a line".to_owned());
    line("  devices.ndjson    the devices concerned".to_owned());
    line("  packets.pcapng    the cited frames with a comment each (Wireshark, tshark, tcpdump)".to_owned());
    line("  records/          decoded records of the conversations, as Parquet and as JSON lines".to_owned());
    line("  SHA256SUMS        check with: sha256sum -c SHA256SUMS".to_owned());
    if !out.gaps.is_empty() {
        line("\nMissing".to_owned());
        for gap in &out.gaps {
            line(format!("  {gap}"));
        }
    }
    page
}

fn json_file(at: &Path, value: &serde_json::Value) -> Result<(), Error> {
    fs::write(at, serde_json::to_string_pretty(value).unwrap_or_default() + "\n").map_err(Error::file(at))
}

/// Writes one value a line; tells how many.
pub fn json_lines<'a>(at: &Path, values: impl Iterator<Item = &'a serde_json::Value>) -> Result<u64, Error> {
    let mut file = BufWriter::new(fs::File::create(at).map_err(Error::file(at))?);
    let mut n = 0;
    for value in values {
        writeln!(file, "{value}").map_err(Error::file(at))?;
        n += 1;
    }
    file.flush().map_err(Error::file(at))?;
    Ok(n)
}
