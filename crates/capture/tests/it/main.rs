//! The reader from outside: files built by code, and the corpus.

mod corpus;
mod damage;
mod find;
mod merge;
mod pcap;
mod pcapng;
mod writer;

use std::fs;
use std::path::PathBuf;

use capture::{FileReport, Inputs, LinkType, Merge, Single};
use gwcore::Limits;

/// A frame with its bytes, as the tests compare it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    seq: u64,
    ts: i64,
    file: u32,
    number: u64,
    interface: String,
    link: LinkType,
    wire_len: u32,
    data: Vec<u8>,
}

/// A folder that goes when the test ends.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }
}

fn drain(merge: &mut Merge) -> Vec<Seen> {
    let mut seen = Vec::new();
    while let Some(f) = merge.next() {
        let (seq, file, number, at) = (f.seq, f.file, f.number, f.interface as usize);
        let (ts, link, wire_len, data) = (f.ts.0, f.link, f.wire_len, f.data.to_vec());
        let interface = merge.interfaces()[at].clone();
        seen.push(Seen { seq, ts, file, number, interface, link, wire_len, data });
    }
    assert!(merge.next().is_none(), "the end stays the end");
    seen
}

fn read_all(paths: &[PathBuf], limits: &Limits) -> (Vec<Seen>, Vec<FileReport>) {
    let mut merge = Merge::open(&Inputs::find(paths, limits), limits);
    let seen = drain(&mut merge);
    (seen, merge.finish())
}

/// Reads one file made of `bytes`, alone, and checks that its report adds up.
fn read(bytes: &[u8]) -> (Vec<Seen>, FileReport) {
    read_with(bytes, &Limits::default())
}

fn read_with(bytes: &[u8], limits: &Limits) -> (Vec<Seen>, FileReport) {
    let folder = Folder::new();
    let path = folder.put("a.pcap", bytes);
    let (seen, mut reports) = read_all(std::slice::from_ref(&path), limits);
    let report = reports.remove(0);
    assert_eq!(report.frames, seen.len() as u64);
    assert_eq!(report.frames, report.link_types.values().sum::<u64>());
    assert_eq!(report.bytes, seen.iter().map(|f| f.data.len() as u64).sum::<u64>());
    assert_eq!(report.first.map(|t| t.0), seen.iter().map(|f| f.ts).min());
    assert_eq!(report.last.map(|t| t.0), seen.iter().map(|f| f.ts).max());
    assert_eq!(seen.iter().map(|f| f.seq).collect::<Vec<_>>(), (0..report.frames).collect::<Vec<_>>());

    let inputs = Inputs::find(&[path], limits);
    let mut single = Single::open(&inputs, 0, limits).unwrap();
    let mut n = 0;
    while single.next().is_some() {
        n += 1;
    }
    assert_eq!(n, report.frames, "alone as merged");
    assert_eq!(single.finish().unwrap().damage, report.damage);
    (seen, report)
}
