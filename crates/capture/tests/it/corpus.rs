//! Every capture of the corpus that has a packet count reads that many frames.
#![expect(clippy::print_stdout, reason = "what was not checked is said")]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use capture::{DamageCause, Inputs, Single};
use gwcore::Limits;

fn corpus() -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let folder = env::var_os("GRIDWARDEN_SHARED").map_or(default, PathBuf::from).join("corpus");
    let found = folder.join("INDEX.csv").is_file();
    if !found {
        println!("not checked: frame counts of the corpus, no `{}`", folder.display());
    }
    found.then_some(folder)
}

fn report_of(path: &Path) -> capture::FileReport {
    let limits = Limits::default();
    let inputs = Inputs::find(&[path.to_owned()], &limits);
    let mut single = Single::open(&inputs, 0, &limits).unwrap();
    while single.next().is_some() {}
    single.finish().unwrap()
}

#[test]
fn packet_counts() {
    let Some(corpus) = corpus() else { return };
    let index = fs::read_to_string(corpus.join("INDEX.csv")).unwrap();
    let (mut checked, mut wrong) = (0, Vec::new());
    for line in index.lines().skip(1) {
        // The first four columns are never quoted: path, bytes, sha256, packets.
        let mut columns = line.split(',');
        let (Some(path), Some(packets)) = (columns.next(), columns.nth(2)) else { continue };
        let Ok(packets) = packets.parse::<u64>() else { continue };
        let report = report_of(&corpus.join(path));
        checked += 1;
        if report.frames != packets || report.failed() || report.skipped_long + report.skipped_invalid > 0 {
            wrong.push(format!("{path}: {packets} expected, {} read, {:?}", report.frames, report.reason()));
        }
    }
    println!("{checked} captures checked");
    assert!(wrong.is_empty(), "{} of {checked} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(checked >= 1_400, "only {checked} captures have a count");
}

#[test]
fn the_damaged_capture_is_read_up_to_its_damage() {
    let Some(corpus) = corpus() else { return };
    let folder = corpus.join("rules/suricata-verify/tests/smtp-to-comma");
    let report = report_of(&folder.join("10.7.29.101_49898-178.63.41.150_25.pcap"));
    let damage = report.damage.expect("a damaged record");
    assert!(report.frames > 0 && damage.frame == report.frames, "{damage}");
    assert!(matches!(damage.cause, DamageCause::RecordLength(_)), "{damage}");
}
