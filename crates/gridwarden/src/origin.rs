//! What the report says of its own origin: hashes of what was read and written, what it was judged by, which detectors ran, the command.

use std::io::Read;
use std::path::{Path, PathBuf};

use capture::{FileReport, Inputs, LinkType, Status};
use detect::{Heard, Meta, Setup};
use gwcore::time::length;
use report::{DetectorSummary, Ground, Hashed, Input, Origin, Ran};
use sha2::{Digest, Sha256};

use crate::cli::Analyze;

/// Bytes hashed at once.
const CHUNK: usize = 1 << 20;
/// Files written that are hashed one by one.
const OUTPUTS: usize = 200;
/// Captures of the baseline that are named.
const SOURCES: usize = 5;

/// Everything the report says of where it comes from.
pub fn of(
    args: &Analyze,
    inputs: &Inputs,
    reports: &[FileReport],
    interfaces: &[String],
    dir: &Path,
    (setup, ran): (&Setup, &[(&'static str, Ran)]),
) -> Origin {
    let line: Vec<String> = std::env::args_os().map(|a| quoted(&a.to_string_lossy())).collect();
    Origin {
        program: format!("gridwarden {}", env!("CARGO_PKG_VERSION")),
        command: line.join(" "),
        folder: std::env::current_dir().map(|d| d.display().to_string()).unwrap_or_default(),
        inputs: inputs
            .list
            .iter()
            .filter(|i| i.status != Status::NotCapture)
            .map(|i| input(&i.path, reports.iter().find(|r| r.path == i.path)))
            .collect(),
        interfaces: interfaces.to_vec(),
        grounds: grounds(args, setup),
        detectors: ran.to_vec(),
        outputs: outputs(dir),
    }
}

fn input(path: &Path, report: Option<&FileReport>) -> Input {
    let Some(r) = report else { return Input { file: hashed(path), ..Input::default() } };
    Input {
        file: hashed(path),
        links: r.link_types.iter().map(|(link, n)| (link_name(*link), *n)).collect(),
        span: r.first.zip(r.last).map(|(a, b)| (a.to_string(), b.to_string())),
        skipped: r.skipped_long.saturating_add(r.skipped_invalid),
        untimed: r.untimed.saturating_add(r.bad_times),
    }
}

/// The name that tcpdump.org's list of link types gives, for the usual ones.
pub fn link_name(link: LinkType) -> String {
    match link.0 {
        0 => "BSD loopback".into(),
        1 => "Ethernet".into(),
        101 | 228 | 229 => "raw IP".into(),
        105 => "IEEE 802.11".into(),
        113 => "Linux cooked".into(),
        276 => "Linux cooked v2".into(),
        n => format!("link type {n}"),
    }
}

/// A file's length and SHA-256; standard input and what cannot be read say why there is none.
pub fn hashed(path: &Path) -> Hashed {
    let file = |bytes, sha256| Hashed { path: path.display().to_string(), bytes, sha256 };
    if path.as_os_str() == "-" {
        return file(0, "none: it came by standard input".into());
    }
    match digest(path) {
        Ok((bytes, hex)) => file(bytes, hex),
        Err(e) => file(0, format!("none: {e}")),
    }
}

fn digest(path: &Path) -> std::io::Result<(u64, String)> {
    let (mut file, mut hash, mut bytes) = (std::fs::File::open(path)?, Sha256::new(), 0u64);
    let mut chunk = vec![0; CHUNK];
    loop {
        let n = file.read(&mut chunk)?;
        if n == 0 {
            break;
        }
        bytes += n as u64;
        hash.update(chunk.get(..n).unwrap_or_default());
    }
    Ok((bytes, hash.finalize().iter().map(|b| format!("{b:02x}")).collect()))
}

fn grounds(args: &Analyze, setup: &Setup) -> Vec<Ground> {
    let ground = |what, path: &Option<PathBuf>, given: Vec<String>, absent: &str| Ground {
        what,
        file: path.as_deref().map(hashed),
        says: if path.is_some() { given } else { vec![absent.to_owned()] },
    };
    let windows = setup.maintenance.windows().len();
    vec![
        ground("Baseline", &args.baseline, baseline(setup), "Nothing was judged for being new."),
        ground(
            "Site",
            &args.site,
            vec!["Names, roles, masters and point lists are those it declares.".into()],
            "Devices and points bear the names and addresses seen on the wire.",
        ),
        ground(
            "Declared work",
            &args.maintenance,
            vec![format!("{windows} windows.")],
            "No finding was lowered for declared work.",
        ),
    ]
}

fn baseline(setup: &Setup) -> Vec<String> {
    let Some(b) = &setup.baseline else { return Vec::new() };
    let mut says = vec![format!("Format version {}.", detect::FORMAT_VERSION)];
    if let Some((first, last)) = b.first_last() {
        let [first, last] = [first, last].map(|ts| ts.to_string().get(..19).unwrap_or_default().replace('T', " "));
        says.push(format!("Learned from packets of {first} to {last} UTC."));
    }
    says.push(format!(
        "{} of traffic on {} {}; {} between them without a packet.",
        length(b.measured()),
        b.days(),
        if b.days() == 1 { "day" } else { "days" },
        length(b.paused())
    ));
    let known: Vec<String> = detect::Class::ALL.iter().map(|c| format!("{} {}", c.name(), b.worth(*c).kinds)).collect();
    says.push(format!("Entries known by kind: {}.", known.join(", ")));
    if b.is_young() {
        says.push("Short baseline (under 6 h of traffic): findings based on it are reported as low.".into());
    }
    let left_out = b.suspicions().len();
    if left_out > 0 {
        says.push(format!("{left_out} things that looked suspicious while it was learned were left out."));
    }
    says.extend(b.sources().iter().take(SOURCES).map(|s| format!("Learned from {}: SHA-256 {}.", s.name, s.sha256)));
    match b.sources().len() {
        0 => says.push("From which captures, the file does not say.".into()),
        n if n > SOURCES => says.push(format!("{} more captures stand in the file.", n - SOURCES)),
        _ => {}
    }
    says.push("Who approved it, the file does not say.".into());
    says
}

/// Which detectors were at work.
pub fn detectors(args: &Analyze, heard: &Heard) -> Vec<(&'static str, Ran)> {
    detect::META.iter().map(|m| (m.id, ran(m, args, heard))).collect()
}

/// Whether a detector had what it rests on, by what its page says it needs, and its input was in the capture.
fn ran(m: &Meta, args: &Analyze, heard: &Heard) -> Ran {
    let named = |list: &[String]| list.iter().any(|n| n == m.id);
    if (!args.only.is_empty() && !named(&args.only)) || named(&args.without) {
        return Ran::LeftOut;
    }
    let is_given = match m.id {
        "intel-match" => !args.intel.is_empty(),
        "rule-match" => !args.rules.is_empty(),
        _ => true,
    };
    if !is_given {
        return Ran::Mute;
    }
    let declared = m.needs.starts_with("a baseline or declared");
    match m.needs.starts_with("a baseline") && args.baseline.is_none() && !(declared && args.site.is_some()) {
        true => Ran::Mute,
        false if !heard.has_input_of(m.id) => Ran::Unheard,
        false => Ran::Yes,
    }
}

/// The states as `summary.json` has them.
pub fn summaries(ran: &[(&'static str, Ran)]) -> Vec<DetectorSummary> {
    let one = |(detector, ran): &(&'static str, Ran)| DetectorSummary {
        detector,
        at_work: *ran == Ran::Yes,
        state: match ran {
            Ran::Yes => "at_work",
            Ran::Unheard => "input_not_seen",
            Ran::Mute => "not_given",
            Ran::LeftOut => "left_out",
        },
        needs: detect::META.iter().find(|m| m.id == *detector).map_or("", |m| m.needs),
    };
    ran.iter().map(one).collect()
}

/// Every file that the run wrote but `summary.json`, which bears the seconds that the run took.
fn outputs(dir: &Path) -> Vec<Hashed> {
    let mut files = vec![dir.join("alerts.ndjson"), dir.join("assets.ndjson"), dir.join("eve.json")];
    for folder in ["records", "ndjson", "zeek"] {
        let mut below: Vec<PathBuf> =
            dir.join(folder).read_dir().into_iter().flatten().filter_map(|f| Some(f.ok()?.path())).collect();
        below.sort();
        files.extend(below);
    }
    files.into_iter().filter(|f| f.is_file()).take(OUTPUTS).map(|f| hashed(&f)).collect()
}

/// An argument as a POSIX shell takes it.
pub fn quoted(arg: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./=:,@%+".contains(&b);
    if !arg.is_empty() && arg.bytes().all(plain) { arg.to_owned() } else { format!("'{}'", arg.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_quoted_for_a_shell() {
        let check = |arg: &str, expect: &str| assert_eq!(quoted(arg), expect);
        check("a-b/c.pcap", "a-b/c.pcap");
        check("", "''");
        check("$(reboot)", "'$(reboot)'");
        check("my day.pcap", "'my day.pcap'");
        check("it's; $(x)", r"'it'\''s; $(x)'");
    }

    #[test]
    fn files_have_the_digest_of_fips_180_4() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!((hashed(&path).bytes, hashed(&path).sha256.as_str()), (3, abc));
        assert!(hashed(Path::new("-")).sha256.contains("standard input"));
        assert!(hashed(&dir.path().join("absent")).sha256.starts_with("none: "));
    }
}
