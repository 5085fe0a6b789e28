//! Bundles: what is refused and why, that a stop at any file operation leaves old or new, and the way back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bundle::{Bundle, Error, Manifest, Store};
use gwcore::Ts;
use minisign::KeyPair;

fn now() -> Ts {
    gwcore::time::parse_rfc3339("2026-12-01T12:00:00Z").unwrap()
}

fn manifest(serial: u64, expires: &str) -> Manifest {
    Manifest {
        format_version: 1,
        name: "intel".into(),
        serial,
        created: "2026-12-01T00:00:00Z".into(),
        expires: expires.into(),
        summary: String::new(),
        files: Vec::new(),
    }
}

fn files(text: &str) -> BTreeMap<String, Vec<u8>> {
    BTreeMap::from([
        ("intel/bad.txt".to_owned(), text.as_bytes().to_vec()),
        ("rules/a.yml".into(), b"title: x".to_vec()),
    ])
}

struct Maker {
    keys: KeyPair,
    dir: tempfile::TempDir,
}

impl Maker {
    fn new() -> Maker {
        Maker { keys: KeyPair::generate_unencrypted_keypair().unwrap(), dir: tempfile::tempdir().unwrap() }
    }

    fn key(&self) -> Vec<String> {
        vec![self.keys.pk.to_box().unwrap().to_string()]
    }

    fn make(&self, name: &str, m: Manifest, text: &str) -> PathBuf {
        let packed = Bundle::pack(m, &files(text)).unwrap();
        let path = self.dir.path().join(name);
        std::fs::write(&path, &packed).unwrap();
        let signed = minisign::sign(None, &self.keys.sk, &packed[..], None, None).unwrap();
        std::fs::write(self.dir.path().join(format!("{name}.minisig")), signed.to_string()).unwrap();
        path
    }
}

const LATER: &str = "2027-01-01T00:00:00Z";

fn content(root: &Path) -> String {
    std::fs::read_to_string(root.join("intel/current/intel/bad.txt")).unwrap()
}

#[test]
fn a_bundle_is_put_in_force_and_taken_back() {
    let (maker, root) = (Maker::new(), tempfile::tempdir().unwrap());
    let store = Store::new(root.path());
    let open = |path: &Path| Bundle::open(path, &maker.key(), now()).unwrap();
    let first = open(&maker.make("1", manifest(1, LATER), "one"));
    assert_eq!(store.install(&first).unwrap().manifest.serial, 1);
    assert!(matches!(store.revert("intel"), Err(Error::NothingBefore(_))));
    let second = open(&maker.make("2", manifest(2, LATER), "two"));
    assert_eq!(store.install(&second).unwrap().before, Some(1));
    assert_eq!(content(root.path()), "two");
    for older in [&first, &second] {
        assert!(matches!(store.install(older), Err(Error::Downgrade { installed: 2, .. })));
    }
    assert_eq!(store.revert("intel").unwrap().manifest.serial, 1);
    assert_eq!(content(root.path()), "one");
    // Gone back from by mistake: the same may come again, an older one may not.
    assert!(matches!(store.install(&first), Err(Error::Downgrade { .. })));
    assert_eq!(store.install(&second).unwrap().manifest.serial, 2);
    assert_eq!(store.names(), ["intel"]);
}

#[test]
fn what_is_altered_expired_or_signed_by_others_is_refused() {
    let maker = Maker::new();
    let path = maker.make("1", manifest(1, LATER), "one");
    let open = |keys: &[String]| Bundle::open(&path, keys, now());
    assert!(matches!(open(&Maker::new().key()), Err(Error::Untrusted)));
    assert!(matches!(open(&[]), Err(Error::Untrusted)));
    let old = maker.make("old", manifest(1, "2026-12-01T11:59:59Z"), "one");
    assert!(matches!(Bundle::open(&old, &maker.key(), now()), Err(Error::Expired(_))));
    let good = std::fs::read(&path).unwrap();
    for i in 0..good.len() {
        let mut bad = good.clone();
        bad[i] ^= 0x10;
        std::fs::write(&path, &bad).unwrap();
        assert!(matches!(open(&maker.key()), Err(Error::Untrusted)), "byte {i}");
    }
    std::fs::write(&path, &good).unwrap();
    assert!(open(&maker.key()).is_ok());
    std::fs::remove_file(maker.dir.path().join("1.minisig")).unwrap();
    assert!(matches!(open(&maker.key()), Err(Error::Io { .. })));
}

#[test]
fn a_package_that_leads_out_or_contradicts_its_list_is_refused() {
    let pack = |name: &str, list: &str| {
        let mut archive = tar_of(&[("bundle.json", list), (name, "x")]);
        archive = zstd::stream::encode_all(&archive[..], 1).unwrap();
        Bundle::unpack(&archive)
    };
    let list = |path: &str, sum: &str| {
        format!(
            r#"{{"format_version":1,"name":"a","serial":1,"created":"","expires":"","files":[{{"path":"{path}","bytes":1,"sha256":"{sum}"}}]}}"#
        )
    };
    let x = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
    assert!(pack("a/b", &list("a/b", x)).is_ok());
    for (name, text) in [
        ("../b", list("../b", x)),
        ("a", list("b", x)),
        ("a", list("a", &"0".repeat(64))),
        ("a", "{}".into()),
        ("a", list("a", x).replace("\"a\",\"serial", "\"../a\",\"serial")),
    ] {
        assert!(matches!(pack(name, &text), Err(Error::Unsound(_))), "{name} {text}");
    }
    let good = Bundle::pack(manifest(1, LATER), &files("one")).unwrap();
    for end in 0..good.len() {
        assert!(Bundle::unpack(&good[..end]).is_err());
    }
}

fn tar_of(files: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, text) in files {
        // By hand: the library refuses to write names that lead out.
        let mut h = [0_u8; 512];
        h[..name.len()].copy_from_slice(name.as_bytes());
        h[100..107].copy_from_slice(b"0000644");
        h[124..135].copy_from_slice(format!("{:011o}", text.len()).as_bytes());
        h[136..147].copy_from_slice(b"00000000000");
        h[156] = b'0';
        h[257..263].copy_from_slice(b"ustar\0");
        h[148..156].copy_from_slice(b"        ");
        let sum: u32 = h.iter().map(|b| u32::from(*b)).sum();
        h[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        out.extend_from_slice(&h);
        let mut body = text.as_bytes().to_vec();
        body.resize(text.len().div_ceil(512) * 512, 0);
        out.extend(body);
    }
    out.extend([0; 1_024]);
    out
}

#[test]
fn a_stop_at_any_file_operation_leaves_old_or_new() {
    let maker = Maker::new();
    let open = |path: PathBuf| Bundle::open(&path, &maker.key(), now()).unwrap();
    let first = open(maker.make("1", manifest(1, LATER), "one"));
    let second = open(maker.make("2", manifest(2, LATER), "two"));
    let mut stops = 0;
    let (mut old, mut new) = (0, 0);
    loop {
        let root = tempfile::tempdir().unwrap();
        Store::new(root.path()).install(&first).unwrap();
        let done = Store::stopping_after(root.path(), stops).install(&second).is_ok();
        let after = Store::new(root.path());
        let serial = after.installed("intel").unwrap().manifest.serial;
        match (content(root.path()).as_str(), serial) {
            ("one", 1) => old += 1,
            ("two", 2) => new += 1,
            other => panic!("after {stops} operations: {other:?}"),
        }
        // And from there it goes on: the new one can be put in force, unless it is already.
        match after.install(&second) {
            Ok(i) => assert_eq!(i.manifest.serial, 2),
            Err(Error::Downgrade { .. }) => assert_eq!(serial, 2),
            Err(e) => panic!("after {stops} operations: {e}"),
        }
        assert_eq!(content(root.path()), "two");
        if done {
            break;
        }
        stops += 1;
    }
    assert!(stops > 15 && old > 10 && new >= 1, "{stops} {old} {new}");
}
