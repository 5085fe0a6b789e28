//! Paths to inputs.

use std::path::PathBuf;

use capture::{Error, Inputs, Status};
use gwcore::Limits;

use crate::Folder;
use crate::writer::{PcapFile, gzip, zstd};

fn names(folder: &Folder, inputs: &Inputs) -> Vec<String> {
    let name = |path: &PathBuf| path.strip_prefix(folder.path()).unwrap_or(path).display().to_string();
    inputs.list.iter().map(|input| name(&input.path)).collect()
}

fn find(paths: &[PathBuf]) -> Inputs {
    Inputs::find(paths, &Limits::default())
}

#[test]
fn folders_are_walked_in_bytewise_order_and_judged_by_content() {
    let folder = Folder::new();
    let pcap = PcapFile::plain().bytes;
    folder.put("b/x", &pcap);
    folder.put("b.pcap", b"words");
    folder.put("a/deep/er/y.gz", &gzip(&pcap));
    folder.put("a/z.csv.gz", &gzip(b"1,2"));
    folder.put("a/w", &zstd(&pcap));
    folder.put("B", b"");
    folder.put("c", &pcap[..10]);
    folder.put("s", b"snoop\0\0\0\0\0\0\x02");
    folder.put("broken.gz", b"\x1f\x8b\x08nothing that unpacks");
    let inputs = find(&[folder.path()]);
    let expect = ["B", "a/deep/er/y.gz", "a/w", "a/z.csv.gz", "b.pcap", "b/x", "broken.gz", "c", "s"];
    assert_eq!(names(&folder, &inputs), expect);
    let no = Status::NotCapture;
    let yes = Status::Capture;
    let statuses: Vec<_> = inputs.list.into_iter().map(|i| i.status).collect();
    let snoop = Status::Unreadable(Error::Unsupported("snoop"));
    assert_eq!(statuses, [no.clone(), yes.clone(), yes.clone(), no.clone(), no.clone(), yes.clone(), no, yes, snoop]);
}

#[test]
fn named_files_keep_their_order_and_come_once() {
    let folder = Folder::new();
    let (b, a) = (folder.put("b", b""), folder.put("a", b"words"));
    let inputs = find(&[b.clone(), a.clone(), "-".into(), b, folder.path(), "-".into()]);
    assert_eq!(names(&folder, &inputs), ["b", "a", "-"]);
    assert!(inputs.list.iter().all(|i| i.status == Status::Capture), "named files are judged when they are read");
}

#[test]
fn patterns_match_where_no_such_file_is() {
    let folder = Folder::new();
    for name in ["d1/a.pcap", "d1/b.pcap", "d1/c.txt", "d2/a.pcap", ".d3/a.pcap"] {
        folder.put(name, &PcapFile::plain().bytes);
    }
    assert_eq!(names(&folder, &find(&[folder.path().join("*/*.pcap")])), ["d1/a.pcap", "d1/b.pcap", "d2/a.pcap"]);
    assert_eq!(names(&folder, &find(&[folder.path().join("d[2-9]")])), ["d2/a.pcap"], "folders that match are walked");
    let none = find(&[folder.path().join("*.none")]);
    assert_eq!(none.list[0].status, Status::Unreadable(Error::NoMatch));
    let odd = folder.put("odd[1].pcap", b"");
    assert_eq!(find(std::slice::from_ref(&odd)).list[0].path, odd, "a file of that very name is no pattern");
}

#[cfg(unix)]
#[test]
fn links_to_folders_inside_a_folder_are_not_followed() {
    let folder = Folder::new();
    folder.put("a", &PcapFile::plain().bytes);
    std::os::unix::fs::symlink(folder.path(), folder.path().join("loop")).unwrap();
    let inputs = find(&[folder.path()]);
    assert_eq!(names(&folder, &inputs), ["a", "loop"]);
    assert_eq!(inputs.list[1].status, Status::NotCapture);
}
