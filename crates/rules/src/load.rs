//! Files of rules in: each document compiled, or refused with its line.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use gwcore::{Kind, Severity};

use crate::compile::{Fault, detection};
use crate::correlate::Correlation;
use crate::predicate::Predicate;
use crate::source::{LogSource, Source};
use crate::yaml::{self, Node};

/// Something that is not used, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// File.
    pub path: PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// Title or id of the rule, as far as known.
    pub rule: String,
    /// Why.
    pub reason: String,
}

/// A compiled rule.
pub struct Rule {
    /// Id, else name, else title.
    pub id: String,
    /// Name that correlations may use; empty for none.
    pub name: String,
    /// Title.
    pub title: String,
    /// Description, its first sentence or line.
    pub description: String,
    /// How grave its author thinks it is.
    pub severity: Severity,
    /// ATT&CK techniques among its tags.
    pub attack: &'static [&'static str],
    /// What its author knows to look the same.
    pub innocent: String,
    /// File and line.
    pub place: (PathBuf, usize),
    /// Kind of record it speaks of; `correlation` for several.
    pub kind: &'static str,
    /// Whether it speaks by itself, not only within correlations.
    pub speaks: bool,
    pub(crate) predicate: Predicate,
    pub(crate) source: Source,
}

/// What all files came to.
#[derive(Default)]
pub struct Rules {
    /// Single-event rules.
    pub rules: Vec<Rule>,
    /// Correlations over them.
    pub(crate) correlations: Vec<Correlation>,
    /// Not used.
    pub problems: Vec<Problem>,
    /// Files read.
    pub files: usize,
}

impl Rules {
    /// Number of correlations.
    pub fn correlated(&self) -> usize {
        self.correlations.len()
    }
}

/// Why nothing could be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file or folder cannot be read.
    #[error("cannot read `{path}`: {error}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// There is nothing to load.
    #[error("no rule file (*.yml, *.yaml) under `{0}`")]
    Empty(PathBuf),
}

/// Largest file read, in bytes.
const LARGEST: u64 = 16 << 20;

/// Loads files and, in folders, every `*.yml` and `*.yaml`. `kinds` are the kinds of records there are.
pub fn load(paths: &[PathBuf], kinds: &[&'static Kind]) -> Result<Rules, LoadError> {
    let mut files = Vec::new();
    for path in paths {
        let before = files.len();
        collect(path, true, 0, &mut files)?;
        if files.len() == before {
            return Err(LoadError::Empty(path.clone()));
        }
    }
    let mut rules = Rules { files: files.len(), ..Rules::default() };
    let mut later = Vec::new();
    for path in &files {
        let read = |error| LoadError::Read { path: path.clone(), error };
        if std::fs::metadata(path).map_err(read)?.len() > LARGEST {
            rules.refuse(path, "", (1, "a file of more than 16 MiB".into()));
            continue;
        }
        let bytes = std::fs::read(path).map_err(read)?;
        match yaml::documents(&String::from_utf8_lossy(&bytes)) {
            Err(fault) => rules.refuse(path, "", fault),
            Ok(documents) => {
                for node in documents {
                    let is_later = node.get("correlation").is_some() || node.get("filter").is_some();
                    match is_later {
                        true => later.push((path.clone(), node)),
                        false => rules.single(path, &node, kinds),
                    }
                }
            }
        }
    }
    rules.newest_of_each();
    for (path, node) in later.iter().filter(|(_, n)| n.get("filter").is_some()) {
        rules.filter(path, node);
    }
    for (path, node) in later.iter().filter(|(_, n)| n.get("correlation").is_some()) {
        rules.correlation(path, node);
    }
    Ok(rules)
}

fn collect(path: &Path, named: bool, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), LoadError> {
    let read = |error| LoadError::Read { path: path.to_path_buf(), error };
    if std::fs::metadata(path).map_err(read)?.is_dir() {
        let mut inside: Vec<PathBuf> = std::fs::read_dir(path)
            .map_err(read)?
            .map(|e| e.map(|e| e.path()))
            .collect::<Result<_, _>>()
            .map_err(read)?;
        inside.sort();
        if depth < 16 {
            inside.iter().try_for_each(|p| collect(p, false, depth + 1, files))?;
        }
    } else if named || path.extension().is_some_and(|e| e == "yml" || e == "yaml") {
        files.push(path.to_path_buf());
    }
    Ok(())
}

/// Words of a rule file live as long as the program; rules are loaded once.
fn forever(ids: Vec<String>) -> &'static [&'static str] {
    let ids: Vec<&'static str> = ids.into_iter().map(|id| &*String::leak(id)).collect();
    Vec::leak(ids)
}

/// Techniques of ATT&CK for ICS that v19 revoked, and what took their place.
const REVOKED: &[(&str, &str)] = &[
    ("T0803", "T1691.001"),
    ("T0804", "T1691.002"),
    ("T0805", "T1695.001"),
    ("T0812", "T1694.001"),
    ("T0839", "T1693.002"),
    ("T0855", "T1692.001"),
    ("T0856", "T1692.002"),
    ("T0857", "T1693.001"),
    ("T0891", "T1694.002"),
];

/// Techniques of ATT&CK for ICS among tags: `attack.t0836`, `attack.t1692.001`; revoked ids by what took their place. Those of other
/// matrices stay tags of the rule.
pub(crate) fn techniques(node: &Node) -> &'static [&'static str] {
    let ours = |t: &String| {
        let is_old = t.len() == 5 && t.starts_with("T0") && t.bytes().skip(1).all(|b| b.is_ascii_digit());
        is_old || REVOKED.iter().any(|(_, new)| new == t)
    };
    let tags = node.texts("tags").into_iter().take(64).map(str::to_ascii_uppercase);
    let ids = tags.filter_map(|t| t.strip_prefix("ATTACK.").map(str::to_owned));
    let now = |t: String| REVOKED.iter().find(|r| r.0 == t).map_or(t, |r| r.1.to_owned());
    forever(ids.map(now).filter(ours).collect())
}

pub(crate) fn severity(node: &Node) -> Severity {
    match node.get("level").and_then(Node::text).unwrap_or_default() {
        "medium" => Severity::Medium,
        "high" => Severity::High,
        "critical" => Severity::Critical,
        "informational" => Severity::Info,
        _ => Severity::Low,
    }
}

pub(crate) fn text<'a>(node: &'a Node, key: &str) -> &'a str {
    node.get(key).and_then(Node::text).unwrap_or_default()
}

fn cut(text: &str, most: usize) -> String {
    text.trim().chars().take(most).collect()
}

impl Rules {
    pub(crate) fn refuse(&mut self, path: &Path, rule: &str, fault: Fault) {
        let (line, reason) = fault;
        self.problems.push(Problem { path: path.to_path_buf(), line, rule: cut(rule, 200), reason });
    }

    fn single(&mut self, path: &Path, node: &Node, kinds: &[&'static Kind]) {
        let title = text(node, "title").to_owned();
        match one(path, node, kinds) {
            Ok(rule) => self.rules.push(rule),
            Err(fault) => self.refuse(path, &title, fault),
        }
    }

    /// Of several rules with one id, the one modified last stays.
    fn newest_of_each(&mut self) {
        let mut last: HashMap<String, usize> = HashMap::new();
        let mut gone = Vec::new();
        for (i, rule) in self.rules.iter().enumerate() {
            if let Some(before) = last.insert(rule.id.clone(), i) {
                gone.push(before);
            }
        }
        for i in gone {
            if let Some(rule) = self.rules.get(i) {
                let reason = format!("another rule with the id `{}` was read after it", rule.id);
                self.problems.push(Problem {
                    path: rule.place.0.clone(),
                    line: rule.place.1,
                    rule: rule.title.clone(),
                    reason,
                });
            }
        }
        let mut i = 0;
        self.rules.retain(|r| {
            i += 1;
            last.get(&r.id) == Some(&(i - 1))
        });
    }

    /// A filter takes away from the rules that it names (specification, filters).
    fn filter(&mut self, path: &Path, node: &Node) {
        let title = text(node, "title").to_owned();
        let Some(filter) = node.get("filter") else { return };
        let wanted = filter.texts("rules");
        let body = match &filter.body {
            yaml::Body::Map(pairs) => pairs.iter().filter(|(k, ..)| k != "rules").cloned().collect(),
            _ => return self.refuse(path, &title, (filter.line, "`filter` is no mapping".into())),
        };
        let body = Node { line: filter.line, body: yaml::Body::Map(body) };
        let mut used = false;
        let mut faults = Vec::new();
        for rule in &mut self.rules {
            let is_wanted = wanted.iter().any(|w| *w == "any" || *w == rule.id || *w == rule.name);
            if !is_wanted {
                continue;
            }
            match detection(&body, &rule.source) {
                Ok(more) => {
                    used = true;
                    let before = std::mem::replace(&mut rule.predicate, Predicate::Or(Vec::new()));
                    rule.predicate = Predicate::And(vec![before, more]);
                }
                Err(fault) if wanted.contains(&"any") => drop(fault),
                Err(fault) => faults.push(fault),
            }
        }
        faults.into_iter().for_each(|f| self.refuse(path, &title, f));
        if !used {
            self.refuse(path, &title, (filter.line, "it filters no rule that is loaded".into()));
        }
    }

    fn correlation(&mut self, path: &Path, node: &Node) {
        let title = text(node, "title").to_owned();
        match Correlation::of(path, node, &self.rules) {
            Ok(correlation) => {
                if !correlation.generate {
                    for i in correlation.parts.iter() {
                        if let Some(rule) = self.rules.get_mut(*i) {
                            rule.speaks = false;
                        }
                    }
                }
                self.correlations.push(correlation);
            }
            Err(fault) => self.refuse(path, &title, fault),
        }
    }
}

fn one(path: &Path, node: &Node, kinds: &[&'static Kind]) -> Result<Rule, Fault> {
    let title = text(node, "title");
    if title.is_empty() {
        return Err((node.line, "no title: not a rule of Sigma".into()));
    }
    let detect = node.get("detection").ok_or((node.line, "no detection".to_owned()))?;
    let log = node.get("logsource").ok_or((node.line, "no logsource".to_owned()))?;
    if text(node, "status") == "unsupported" || text(node, "status") == "deprecated" {
        return Err((node.line, format!("its author calls it {}", text(node, "status"))));
    }
    let said = LogSource {
        category: log.get("category").and_then(Node::text),
        product: log.get("product").and_then(Node::text),
        service: log.get("service").and_then(Node::text),
    };
    let source = Source::of(said, kinds).map_err(|e| (log.line, e))?;
    let predicate = detection(detect, &source)?;
    let (id, name) = (text(node, "id"), text(node, "name"));
    let id = [id, name, title].into_iter().find(|t| !t.is_empty()).unwrap_or_default();
    let innocent = node.texts("falsepositives").join("; ");
    Ok(Rule {
        id: cut(id, 200),
        name: cut(name, 200),
        title: cut(title, 256),
        description: cut(text(node, "description").split("\n\n").next().unwrap_or_default(), 400),
        severity: severity(node),
        attack: techniques(node),
        innocent: cut(&innocent, 300),
        place: (path.to_path_buf(), node.line),
        kind: source.kind.name,
        speaks: true,
        predicate,
        source,
    })
}
