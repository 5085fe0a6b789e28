//! Several inputs as one timeline.

use std::path::PathBuf;

use capture::{Inputs, Merge};
use gwcore::{Limit, Limits};

use crate::writer::{PcapFile, PcapngFile, gzip};
use crate::{Folder, drain, read_all};

/// Files of (name, seconds of their frames); the merged order as `name:number`.
fn check(files: &[(&str, &[u32])], limits: &Limits, expect: &str) {
    let folder = Folder::new();
    let mut paths = Vec::new();
    for (name, times) in files {
        let file = times.iter().fold(PcapFile::plain(), |file, t| file.with(*t, name.as_bytes()));
        paths.push(folder.put(name, &file.bytes));
    }
    let (seen, reports) = read_all(&paths, limits);
    let order: Vec<_> = seen.iter().map(|f| format!("{}:{}", String::from_utf8_lossy(&f.data), f.number)).collect();
    assert_eq!(order.join(" "), expect);
    assert_eq!(seen.iter().map(|f| f.seq).collect::<Vec<_>>(), (0..seen.len() as u64).collect::<Vec<_>>());
    for (at, (name, times)) in files.iter().enumerate() {
        assert_eq!(reports[at].frames, times.len() as u64, "{name}");
        assert!(seen.iter().filter(|f| f.data == name.as_bytes()).all(|f| f.file as usize == at));
    }
}

#[test]
fn files_follow_each_other_by_time() {
    check(&[("b", &[5, 6]), ("a", &[1, 2])], &Limits::default(), "a:1 a:2 b:1 b:2");
}

#[test]
fn overlapping_files_are_merged_frame_by_frame() {
    check(&[("a", &[1, 4, 7]), ("b", &[2, 3, 9]), ("c", &[8])], &Limits::default(), "a:1 b:1 b:2 a:2 a:3 c:1 b:3");
}

#[test]
fn ties_go_by_first_time_then_by_path() {
    check(&[("b", &[1, 2]), ("a", &[1, 2]), ("B", &[1])], &Limits::default(), "B:1 a:1 b:1 a:2 b:2");
    // A ring's next segment begins in the second in which the one before ends, whatever its name.
    check(&[("z", &[1, 5, 5]), ("a", &[5, 5])], &Limits::default(), "z:1 z:2 z:3 a:1 a:2");
}

#[test]
fn frames_of_one_file_keep_their_order() {
    check(&[("a", &[10, 3, 20]), ("b", &[5, 15])], &Limits::default(), "b:1 a:1 a:2 b:2 a:3");
}

#[test]
fn files_beyond_the_limit_wait_and_are_not_lost() {
    let mut limits = Limits::default();
    limits.set(Limit::OpenFiles, 2);
    check(&[("a", &[1, 4]), ("b", &[2, 5]), ("c", &[3, 6])], &limits, "a:1 b:1 a:2 c:1 b:2 c:2");
    limits.set(Limit::OpenFiles, 1);
    check(&[("a", &[1, 4]), ("b", &[2, 5])], &limits, "a:1 a:2 b:1 b:2");
}

#[test]
fn more_files_than_may_be_open() {
    for (files, hits) in [(64_u32, 0), (65, 1), (100, 36)] {
        let folder = Folder::new();
        let paths: Vec<_> = (0..files)
            .map(|n| folder.put(&format!("{n:03}"), &PcapFile::plain().with(n, b"").with(1_000 + n, b"").bytes))
            .collect();
        let limits = Limits::default();
        let mut merge = Merge::open(&Inputs::find(&paths, &limits), &limits);
        let seen = drain(&mut merge);
        assert_eq!(seen.len(), 2 * files as usize);
        let in_order = seen.windows(2).all(|w| w[0].ts <= w[1].ts);
        assert_eq!(in_order, files <= 64);
        assert_eq!(merge.hits().count(Limit::OpenFiles), hits, "{files} files");
        assert!(merge.finish().iter().all(|r| r.frames == 2));
    }
}

#[test]
fn files_that_do_not_overlap_are_never_open_together() {
    let folder = Folder::new();
    let paths: Vec<_> = (0..80)
        .map(|n| folder.put(&n.to_string(), &PcapFile::plain().with(2 * n, b"").with(2 * n + 1, b"").bytes))
        .collect();
    let mut limits = Limits::default();
    limits.set(Limit::OpenFiles, 1);
    let mut merge = Merge::open(&Inputs::find(&paths, &limits), &limits);
    let times: Vec<_> = drain(&mut merge).iter().map(|f| f.ts / 1_000_000_000).collect();
    assert_eq!(times, (0..160).collect::<Vec<_>>());
}

#[test]
fn formats_mix_and_bad_files_stop_nobody() {
    let folder = Folder::new();
    let mut ng = PcapngFile::new(true);
    ng.interface(1, 0, &[(2, b"eth7")]);
    ng.enhanced(0, 2_000_000, b"b", &[]);
    let mut broken = PcapFile::plain().with(1, b"a");
    broken.header(1, 0, u32::MAX, 0);
    let paths = [
        folder.put("0", &broken.bytes),
        folder.put("1", b"words"),
        folder.put("2", &ng.bytes),
        folder.put("3", &gzip(&PcapFile::plain().with(3, b"c").bytes)),
        PathBuf::from("/no/such/file"),
    ];
    let (seen, reports) = read_all(&paths, &Limits::default());
    let view: Vec<_> = seen.iter().map(|f| (f.file, f.interface.as_str())).collect();
    assert_eq!(view, [(0, "0"), (2, "eth7"), (3, "0")]);
    assert_eq!(reports.iter().map(|r| r.failed()).collect::<Vec<_>>(), [true, true, false, false, true]);
    assert_eq!(reports[4].reason().unwrap(), "cannot be opened: no such file");
    assert_eq!(reports.iter().map(|r| r.path.clone()).collect::<Vec<_>>(), paths);
}

#[test]
fn every_limit_at_its_least_reads_the_same_frames() {
    let folder = Folder::new();
    let mut file = PcapngFile::plain();
    file.interface(1, 0, &[(2, b"second")]);
    file.enhanced(0, 1, b"a", &[]);
    file.enhanced(1, 2, b"b", &[]);
    let path = folder.put("a", &file.bytes);
    let data = |limits: &Limits| -> Vec<_> {
        read_all(std::slice::from_ref(&path), limits).0.into_iter().map(|f| (f.ts, f.data)).collect()
    };
    assert_eq!(data(&Limits::scaled(usize::MAX)), data(&Limits::default()));
}
