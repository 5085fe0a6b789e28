//! Models on disk: one folder a name and version, hashed, signed, with a card for people; which version is active, and what was before.
//!
//! ```text
//! models/key                        Ed25519 key of this installation (0600), made when first needed
//! models/trusted/*.pub              public keys whose models load (32 bytes, hexadecimal): this installation's own, and others
//! models/NAME/active.json           which version is active, and every change of that
//! models/NAME/VERSION/manifest.json what it is; SHA-256 of each file beside it
//! models/NAME/VERSION/signature     Ed25519 over manifest.json, hexadecimal, and the public key
//! models/NAME/VERSION/model.*       the model; MODEL_CARD.md: for people; validation.json: what it is worth
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Format of manifest and state.
pub const FORMAT_VERSION: u32 = 1;
/// Former versions that a roll-back can go to are kept; older ones stay on disk and are listed.
const KEPT: usize = 3;

/// What went wrong, with the remedy where there is one.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// A file.
    #[error("`{0}`: {1}")]
    File(PathBuf, std::io::Error),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

type Result<T> = std::result::Result<T, RegistryError>;

fn other<T>(what: impl Into<String>) -> Result<T> {
    Err(RegistryError::Other(what.into()))
}

fn at<T>(path: &Path, r: std::io::Result<T>) -> Result<T> {
    r.map_err(|e| RegistryError::File(path.to_owned(), e))
}

/// Which program's format a model has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// Ours.
    Gridwarden,
    /// ONNX.
    Onnx,
    /// XGBoost's JSON.
    Xgboost,
    /// LightGBM's text.
    Lightgbm,
}

impl Form {
    fn file(self) -> &'static str {
        match self {
            Form::Gridwarden => "model.gwm",
            Form::Onnx => "model.onnx",
            Form::Xgboost => "model.json",
            Form::Lightgbm => "model.txt",
        }
    }
}

/// What a model reads.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Schema {
    /// Family of features (`host`, `ot`, `flow`, `conn`); empty for a table of others.
    #[serde(default)]
    pub family: String,
    /// Version of the family.
    #[serde(default)]
    pub version: u32,
    /// Columns in the order in which they go in.
    pub features: Vec<String>,
    /// Class names in the order in which they come out; none for a score.
    #[serde(default)]
    pub classes: Vec<String>,
    /// Which class is normal.
    #[serde(default)]
    pub normal: Option<String>,
    /// Above it a row is an attack.
    #[serde(default)]
    pub threshold: Option<f64>,
    /// How the threshold was found, in words.
    #[serde(default)]
    pub threshold_by: String,
    /// What is usual of each feature on clean days.
    #[serde(default)]
    pub usual: Vec<crate::live::Usual>,
    /// Rows and what must come out of them, to 1e-4.
    #[serde(default)]
    pub samples: Vec<Sample>,
}

/// A row and what must come out of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// In the order of the features; null for missing.
    pub input: Vec<Option<f32>>,
    /// As the model gives it.
    pub output: Vec<f32>,
}

/// What a version is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Format of this file.
    pub format_version: u32,
    /// Name.
    pub name: String,
    /// Version, from 1.
    pub version: u32,
    /// Format of the model.
    pub form: Form,
    /// What it was made by and for, in words.
    pub about: String,
    /// What it reads.
    pub schema: Schema,
    /// When it was registered (RFC 3339).
    pub created: String,
    /// Who registered it.
    pub by: String,
    /// Training data: hash and rows by class.
    pub training_data: serde_json::Value,
    /// SHA-256 of each file by name.
    pub files: BTreeMap<String, String>,
}

/// Which version is active.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Format of this file.
    pub format_version: u32,
    /// The active version; none where none was promoted.
    pub active: Option<u32>,
    /// Those active before, the latest first.
    pub before: Vec<u32>,
    /// Every change.
    pub changes: Vec<ChangeOfState>,
}

/// A promotion or roll-back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeOfState {
    /// When (RFC 3339).
    pub at: String,
    /// By whom.
    pub by: String,
    /// `promote` or `rollback`.
    pub what: String,
    /// The version active before.
    pub from: Option<u32>,
    /// The version active after.
    pub to: Option<u32>,
    /// Why.
    pub reason: String,
}

/// A model to register.
pub struct New<'a> {
    /// Name: letters, digits, `-`, `_`, `.`.
    pub name: &'a str,
    /// Format.
    pub form: Form,
    /// The file.
    pub model: &'a [u8],
    /// In words.
    pub about: String,
    /// What it reads.
    pub schema: Schema,
    /// Hash and rows.
    pub training_data: serde_json::Value,
    /// What `validate` wrote.
    pub validation: Option<&'a [u8]>,
    /// For people (Markdown).
    pub card: String,
    /// Now, RFC 3339.
    pub now: &'a str,
    /// Who does it.
    pub by: &'a str,
}

/// The models of an installation.
pub struct Registry {
    root: PathBuf,
}

/// A version that was read and checked.
#[derive(Debug)]
pub struct Loaded {
    /// What it is.
    pub manifest: Manifest,
    /// The model's bytes, whose hash was compared.
    pub model: Vec<u8>,
    /// Its SHA-256.
    pub hash: String,
    /// Where it lies.
    pub folder: PathBuf,
}

impl Registry {
    /// The registry below a data folder.
    pub fn new(data: &Path) -> Registry {
        Registry { root: data.join("models") }
    }

    fn folder(&self, name: &str) -> Result<PathBuf> {
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty()
            || name.len() > 64
            || !name.chars().all(good)
            || name.starts_with('.')
            || name == "trusted"
            || name == "key"
        {
            return other(format!("`{name}` is no name for a model: letters, digits, `-`, `_` and `.`, at most 64"));
        }
        Ok(self.root.join(name))
    }

    /// The key of this installation.
    fn key(&self) -> Result<Ed25519KeyPair> {
        let path = self.root.join("key");
        let damaged = |_| RegistryError::Other(format!("`{}` is no key", path.display()));
        if path.exists() {
            return Ed25519KeyPair::from_pkcs8(&at(&path, fs::read(&path))?).map_err(damaged);
        }
        at(&self.root, fs::create_dir_all(&self.root))?;
        let random = ring::rand::SystemRandom::new();
        let made = Ed25519KeyPair::generate_pkcs8(&random)
            .map_err(|_| RegistryError::Other("the system gives no random numbers".into()))?;
        let mut file = at(&path, fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path))?;
        at(&path, file.write_all(made.as_ref()).and_then(|()| file.sync_all()))?;
        let key = Ed25519KeyPair::from_pkcs8(made.as_ref()).map_err(damaged)?;
        // Who loads models need not read the key itself.
        let folder = self.root.join("trusted");
        at(&folder, fs::create_dir_all(&folder))?;
        let public = folder.join("this-installation.pub");
        at(&public, fs::write(&public, format!("{}\n", hex(key.public_key().as_ref()))))?;
        Ok(key)
    }

    /// Public keys whose models load.
    fn trusted(&self) -> Result<Vec<Vec<u8>>> {
        let mut keys = Vec::new();
        let folder = self.root.join("trusted");
        if folder.is_dir() {
            for entry in at(&folder, fs::read_dir(&folder))?
                .flatten()
                .filter(|e| e.path().extension().is_some_and(|x| x == "pub"))
            {
                let text = at(&entry.path(), fs::read_to_string(entry.path()))?;
                keys.extend(unhex(text.trim()));
            }
        }
        Ok(keys)
    }

    /// Registers a model as the next version of its name and signs it. It is not active yet.
    pub fn register(&self, new: &New<'_>) -> Result<Manifest> {
        let folder = self.folder(new.name)?;
        let version = self.versions(new.name)?.last().copied().unwrap_or(0) + 1;
        let key = self.key()?;
        let mut files: Vec<(&str, Vec<u8>)> = vec![(new.form.file(), new.model.to_vec())];
        if let Some(v) = new.validation {
            files.push(("validation.json", v.to_vec()));
        }
        files.push(("MODEL_CARD.md", new.card.clone().into_bytes()));
        let manifest = Manifest {
            format_version: FORMAT_VERSION,
            name: new.name.to_owned(),
            version,
            form: new.form,
            about: new.about.clone(),
            schema: new.schema.clone(),
            created: new.now.to_owned(),
            by: new.by.to_owned(),
            training_data: new.training_data.clone(),
            files: files.iter().map(|(name, bytes)| ((*name).to_owned(), sha256(bytes))).collect(),
        };
        let text = pretty(&manifest)?;
        let signature = format!("{}\n{}\n", hex(key.sign(&text).as_ref()), hex(key.public_key().as_ref()));
        files.push(("manifest.json", text));
        files.push(("signature", signature.into_bytes()));
        // Whole or not at all: a folder beside, then one rename.
        let part = folder.join(format!(".new-{version}-{}", std::process::id()));
        at(&part, fs::create_dir_all(&part))?;
        for (name, bytes) in &files {
            let path = part.join(name);
            let written = fs::File::create(&path).and_then(|mut f| f.write_all(bytes).and_then(|()| f.sync_all()));
            at(&path, written)?;
        }
        let to = folder.join(version.to_string());
        at(&to, fs::rename(&part, &to))?;
        Ok(manifest)
    }

    /// Names of all models.
    pub fn names(&self) -> Result<Vec<String>> {
        if !self.root.is_dir() {
            return Ok(Vec::new());
        }
        let entries = at(&self.root, fs::read_dir(&self.root))?;
        let mut names: Vec<String> =
            entries.flatten().filter(|e| e.path().is_dir()).filter_map(|e| e.file_name().into_string().ok()).collect();
        names.retain(|n| self.folder(n).is_ok());
        names.sort();
        Ok(names)
    }

    /// Versions of a name, rising.
    pub fn versions(&self, name: &str) -> Result<Vec<u32>> {
        let folder = self.folder(name)?;
        if !folder.is_dir() {
            return Ok(Vec::new());
        }
        let entries = at(&folder, fs::read_dir(&folder))?;
        let mut all: Vec<u32> = entries.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).collect();
        all.sort_unstable();
        Ok(all)
    }

    /// Which version is active.
    pub fn state(&self, name: &str) -> Result<State> {
        let path = self.folder(name)?.join("active.json");
        if !path.exists() {
            return Ok(State { format_version: FORMAT_VERSION, ..State::default() });
        }
        let state: State = parse(&path, &at(&path, fs::read(&path))?)?;
        newer(&path, state.format_version)?;
        Ok(state)
    }

    /// Reads a version: its signature must be of a trusted key, and every file what the manifest says.
    pub fn load(&self, name: &str, version: u32) -> Result<Loaded> {
        let folder = self.folder(name)?.join(version.to_string());
        if !folder.is_dir() {
            return other(format!(
                "there is no version {version} of `{name}`: `gridwarden models list` names what there is"
            ));
        }
        let path = folder.join("manifest.json");
        let text = at(&path, fs::read(&path))?;
        let signature = folder.join("signature");
        let lines = at(&signature, fs::read_to_string(&signature))?;
        let signed = lines.lines().next().and_then(unhex).unwrap_or_default();
        let right = |key: &Vec<u8>| UnparsedPublicKey::new(&ED25519, key).verify(&text, &signed).is_ok();
        if !self.trusted()?.iter().any(right) {
            return other(format!(
                "`{name}` version {version} is not signed by a key that is trusted here: register it again, or put its maker's key into `{}`",
                self.root.join("trusted").display()
            ));
        }
        let manifest: Manifest = parse(&path, &text)?;
        newer(&path, manifest.format_version)?;
        if (manifest.name.as_str(), manifest.version) != (name, version) {
            return other(format!("`{}` is of another model", folder.display()));
        }
        let mut model = Vec::new();
        for (file, hash) in &manifest.files {
            if file.contains(['/', '\\']) || file.starts_with('.') {
                return other(format!("`{}` names a file outside its folder", path.display()));
            }
            let path = folder.join(file);
            let bytes = at(&path, fs::read(&path))?;
            if sha256(&bytes) != *hash {
                return other(format!("`{}` is not what was signed: its hash differs", path.display()));
            }
            if file == manifest.form.file() {
                model = bytes;
            }
        }
        let Some(hash) = manifest.files.get(manifest.form.file()).cloned() else {
            return other(format!("`{}` names no model", path.display()));
        };
        Ok(Loaded { manifest, model, hash, folder })
    }

    /// The active version of a name, checked.
    pub fn active(&self, name: &str) -> Result<Option<Loaded>> {
        match self.state(name)?.active {
            Some(version) => self.load(name, version).map(Some),
            None => Ok(None),
        }
    }

    /// What `validate` wrote for a version, if it came with it.
    pub fn validation(&self, loaded: &Loaded) -> Result<Option<serde_json::Value>> {
        if !loaded.manifest.files.contains_key("validation.json") {
            return Ok(None);
        }
        let path = loaded.folder.join("validation.json");
        parse(&path, &at(&path, fs::read(&path))?).map(Some)
    }

    /// Makes a version the active one.
    pub fn promote(&self, name: &str, version: u32, (now, by, reason): (&str, &str, &str)) -> Result<State> {
        self.load(name, version)?;
        let mut state = self.state(name)?;
        let from = state.active;
        if from == Some(version) {
            return other(format!("version {version} of `{name}` is active already"));
        }
        if let Some(from) = from {
            state.before.retain(|v| *v != from);
            state.before.insert(0, from);
            state.before.truncate(KEPT);
        }
        state.active = Some(version);
        self.change(name, state, ("promote", now, by, reason), from)
    }

    /// Goes back to the version that was active before.
    pub fn rollback(&self, name: &str, (now, by, reason): (&str, &str, &str)) -> Result<State> {
        let mut state = self.state(name)?;
        if state.before.is_empty() {
            return other(format!("no version of `{name}` was active before: there is nothing to go back to"));
        }
        let to = state.before.remove(0);
        self.load(name, to)?;
        let from = state.active.replace(to);
        self.change(name, state, ("rollback", now, by, reason), from)
    }

    fn change(
        &self,
        name: &str,
        mut state: State,
        (what, now, by, reason): (&str, &str, &str, &str),
        from: Option<u32>,
    ) -> Result<State> {
        state.changes.push(ChangeOfState {
            at: now.to_owned(),
            by: by.to_owned(),
            what: what.to_owned(),
            from,
            to: state.active,
            reason: reason.to_owned(),
        });
        state.format_version = FORMAT_VERSION;
        let path = self.folder(name)?.join("active.json");
        let part = path.with_extension("part");
        let written = fs::File::create(&part).and_then(|mut f| {
            f.write_all(&pretty(&state).map_err(std::io::Error::other)?)?;
            f.sync_all()
        });
        at(&part, written)?;
        at(&path, fs::rename(&part, &path))?;
        Ok(state)
    }
}

fn pretty(value: &impl Serialize) -> Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|e| RegistryError::Other(e.to_string()))?;
    text.push(b'\n');
    Ok(text)
}

fn parse<T: serde::de::DeserializeOwned>(path: &Path, text: &[u8]) -> Result<T> {
    serde_json::from_slice(text).map_err(|e| RegistryError::Other(format!("`{}`: {e}", path.display())))
}

fn newer(path: &Path, version: u32) -> Result<()> {
    if version > FORMAT_VERSION {
        return other(format!(
            "`{}` has format {version}, this program reads up to {FORMAT_VERSION}: a newer program wrote it",
            path.display()
        ));
    }
    Ok(())
}

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let text = text.as_bytes();
    let digit = |c: u8| char::from(c).to_digit(16);
    let pairs = text.chunks_exact(2).map(|p| Some((digit(p[0])? << 4 | digit(p[1])?) as u8));
    if text.len().is_multiple_of(2) { pairs.collect() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new<'a>(name: &'a str, model: &'a [u8]) -> New<'a> {
        New {
            name,
            form: Form::Lightgbm,
            model,
            about: "a test".into(),
            schema: Schema { features: vec!["a".into()], ..Schema::default() },
            training_data: serde_json::Value::Null,
            validation: None,
            card: "# Card\n".into(),
            now: "2026-12-01T12:00:00Z",
            by: "ada",
        }
    }

    #[test]
    fn versions_are_signed_promoted_and_rolled_back() {
        let dir = tempfile::tempdir().unwrap();
        let r = Registry::new(dir.path());
        assert!(r.names().unwrap().is_empty() && r.active("x").unwrap().is_none());
        for (version, model) in [(1, b"one"), (2, b"two")] {
            assert_eq!(r.register(&new("pump", model)).unwrap().version, version);
        }
        let why = ("2026-12-01T12:00:00Z", "ada", "test");
        assert_eq!(r.promote("pump", 1, why).unwrap().active, Some(1));
        assert_eq!(r.promote("pump", 2, why).unwrap().before, [1]);
        assert_eq!(r.active("pump").unwrap().unwrap().model, b"two");
        assert!(r.promote("pump", 2, why).unwrap_err().to_string().contains("already"));
        assert_eq!(r.rollback("pump", why).unwrap().active, Some(1));
        assert!(r.rollback("pump", why).unwrap_err().to_string().contains("nothing to go back to"));
        let whats: Vec<String> = r.state("pump").unwrap().changes.into_iter().map(|c| c.what).collect();
        assert_eq!(whats, ["promote", "promote", "rollback"]);
        assert_eq!((r.names().unwrap(), r.versions("pump").unwrap()), (vec!["pump".to_owned()], vec![1, 2]));
    }

    #[test]
    fn what_was_changed_or_is_not_ours_does_not_load() {
        let dir = tempfile::tempdir().unwrap();
        let r = Registry::new(dir.path());
        r.register(&new("pump", b"one")).unwrap();
        let folder = dir.path().join("models/pump/1");
        fs::write(folder.join("model.txt"), b"two").unwrap();
        assert!(r.load("pump", 1).unwrap_err().to_string().contains("its hash differs"));
        fs::write(folder.join("model.txt"), b"one").unwrap();
        assert!(r.load("pump", 1).is_ok());
        let manifest = fs::read_to_string(folder.join("manifest.json")).unwrap();
        fs::write(folder.join("manifest.json"), manifest.replace("a test", "another")).unwrap();
        assert!(r.load("pump", 1).unwrap_err().to_string().contains("not signed"));
        fs::write(folder.join("manifest.json"), manifest).unwrap();
        // Another installation trusts it only when it is told to.
        let there = tempfile::tempdir().unwrap();
        let copy = there.path().join("models/pump/1");
        fs::create_dir_all(&copy).unwrap();
        for e in fs::read_dir(&folder).unwrap().flatten() {
            fs::copy(e.path(), copy.join(e.file_name())).unwrap();
        }
        let other = Registry::new(there.path());
        assert!(other.load("pump", 1).unwrap_err().to_string().contains("trusted"));
        fs::create_dir_all(there.path().join("models/trusted")).unwrap();
        let public = fs::read_to_string(folder.join("signature")).unwrap().lines().nth(1).unwrap().to_owned();
        fs::write(there.path().join("models/trusted/maker.pub"), public).unwrap();
        assert_eq!(other.load("pump", 1).unwrap().model, b"one");
        for bad in ["", "..", "a/b", ".hidden", "trusted", "a b"] {
            assert!(other.load(bad, 1).unwrap_err().to_string().contains("no name"), "{bad}");
        }
    }
}
