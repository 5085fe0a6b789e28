//! A bundle as a file: its signature, its list, its contents.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Component, Path};

use gwcore::Ts;
use gwcore::time::parse_rfc3339;
use minisign_verify::{PublicKey, Signature};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::Error;

/// Largest bundle read, packed and unpacked.
const LARGEST: u64 = 1 << 30;
/// Files in a bundle at most.
const MOST: usize = 65_536;
/// Version of the list that this program writes and reads.
const FORMAT: u32 = 1;

/// One file of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Path within the bundle, with `/`.
    pub path: String,
    /// Bytes.
    pub bytes: u64,
    /// SHA-256, hexadecimal.
    pub sha256: String,
}

/// `bundle.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this list.
    pub format_version: u32,
    /// Name: what it takes the place of. Lower case letters, digits and `-`.
    pub name: String,
    /// Rises with each bundle of the name.
    pub serial: u64,
    /// When it was made, RFC 3339.
    pub created: String,
    /// Until when it may be put in force, RFC 3339.
    pub expires: String,
    /// What is in it, one sentence.
    #[serde(default)]
    pub summary: String,
    /// All other files.
    pub files: Vec<Entry>,
}

/// A bundle whose signature and contents are verified.
#[derive(Debug)]
pub struct Bundle {
    /// Its list.
    pub manifest: Manifest,
    /// SHA-256 of the package.
    pub sha256: String,
    /// Contents by path.
    pub files: BTreeMap<String, Vec<u8>>,
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Error + '_ {
    move |error| Error::Io { path: path.to_path_buf(), error }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

impl Bundle {
    /// Reads and verifies a bundle; `keys` are public keys as minisign writes them, any of which may have signed it.
    pub fn open(path: &Path, keys: &[String], now: Ts) -> Result<Bundle, Error> {
        let size = std::fs::metadata(path).map_err(io(path))?.len();
        if size > LARGEST {
            return Err(Error::Unsound("it is larger than 1 GiB".into()));
        }
        let packed = std::fs::read(path).map_err(io(path))?;
        let mut beside = path.as_os_str().to_owned();
        beside.push(".minisig");
        let beside = Path::new(&beside);
        let text = std::fs::read_to_string(beside).map_err(io(beside))?;
        let signature = Signature::decode(&text).map_err(|e| Error::Signature(e.to_string()))?;
        let mut trusted =
            keys.iter().filter_map(|k| PublicKey::decode(k).or_else(|_| PublicKey::from_base64(k.trim())).ok());
        if !trusted.any(|k| k.verify(&packed, &signature, false).is_ok()) {
            return Err(Error::Untrusted);
        }
        let bundle = Bundle::unpack(&packed)?;
        let expires = parse_rfc3339(&bundle.manifest.expires);
        match expires {
            Some(t) if now < t => Ok(bundle),
            Some(_) => Err(Error::Expired(bundle.manifest.expires)),
            None => Err(Error::Unsound("`expires` is no time".into())),
        }
    }

    /// Takes a package apart and compares it with its list. The signature is not looked at.
    pub fn unpack(packed: &[u8]) -> Result<Bundle, Error> {
        let bad = |what: String| Error::Unsound(what);
        let raw = zstd::stream::read::Decoder::new(packed).map_err(|e| bad(e.to_string()))?;
        let mut archive = tar::Archive::new(raw.take(LARGEST));
        let mut files = BTreeMap::new();
        let mut manifest: Option<Manifest> = None;
        for entry in archive.entries().map_err(|e| bad(e.to_string()))? {
            let mut entry = entry.map_err(|e| bad(e.to_string()))?;
            let kind = entry.header().entry_type();
            if kind.is_dir() {
                continue;
            }
            let path = entry.path().map_err(|e| bad(e.to_string()))?.into_owned();
            let name = plain(&path).ok_or_else(|| bad(format!("`{}` leads out of the bundle", path.display())))?;
            if !kind.is_file() {
                return Err(bad(format!("`{name}` is no plain file")));
            }
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).map_err(|e| bad(e.to_string()))?;
            if name == "bundle.json" && manifest.is_none() {
                let m: Manifest = serde_json::from_slice(&bytes).map_err(|e| bad(format!("bundle.json: {e}")))?;
                manifest = Some(m);
                continue;
            }
            if files.len() >= MOST || files.insert(name.clone(), bytes).is_some() {
                return Err(bad(format!("`{name}` stands in it twice, or it has too many files")));
            }
        }
        let manifest = manifest.ok_or_else(|| bad("no bundle.json".into()))?;
        if manifest.format_version > FORMAT {
            return Err(bad(format!("format {} needs a newer program", manifest.format_version)));
        }
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if manifest.name.is_empty() || manifest.name.len() > 64 || !manifest.name.chars().all(is_name) {
            return Err(bad("its name may hold lower case letters, digits and `-` only".into()));
        }
        if manifest.files.len() != files.len() {
            return Err(bad("its list and its contents differ".into()));
        }
        for e in &manifest.files {
            let bytes = files.get(&e.path).ok_or_else(|| bad(format!("`{}` is listed and missing", e.path)))?;
            if bytes.len() as u64 != e.bytes || hex(&Sha256::digest(bytes)) != e.sha256.to_ascii_lowercase() {
                return Err(bad(format!("`{}` is not what the list says", e.path)));
            }
        }
        Ok(Bundle { manifest, sha256: hex(&Sha256::digest(packed)), files })
    }

    /// Packs files into what is to be signed. The same files give the same bytes.
    pub fn pack(mut manifest: Manifest, files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>, Error> {
        let bad = |e: std::io::Error| Error::Unsound(e.to_string());
        let of = |(path, bytes): (&String, &Vec<u8>)| Entry {
            path: path.clone(),
            bytes: bytes.len() as u64,
            sha256: hex(&Sha256::digest(bytes)),
        };
        manifest.files = files.iter().map(of).collect();
        manifest.format_version = FORMAT;
        let list = serde_json::to_vec_pretty(&manifest).map_err(|e| Error::Unsound(e.to_string()))?;
        let mut archive = tar::Builder::new(Vec::new());
        let listed = std::iter::once(("bundle.json", &list[..]));
        for (path, bytes) in listed.chain(files.iter().map(|(p, b)| (p.as_str(), &b[..]))) {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            header.set_mtime(0);
            archive.append_data(&mut header, path, bytes).map_err(bad)?;
        }
        let raw = archive.into_inner().map_err(bad)?;
        zstd::stream::encode_all(&raw[..], 9).map_err(bad)
    }
}

/// A path that stays within the bundle, with `/`.
fn plain(path: &Path) -> Option<String> {
    let mut parts = Vec::new();
    for c in path.components() {
        match c {
            Component::Normal(p) => parts.push(p.to_str()?),
            Component::CurDir => {}
            _ => return None,
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}
