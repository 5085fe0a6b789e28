//! Indicators and rules at work in a running sensor, and how another set takes their place without a pause.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, TryRecvError, channel};

use detect::Outside;
use gwcore::Out;
use serde_json::{Value, json};

use crate::known_bad::{Loaded, Matchers};
use crate::staged;

type Load = (u64, anyhow::Result<Loaded>);

/// What the records of a run are compared with.
#[derive(Default)]
pub struct Known {
    data: PathBuf,
    loaded: Loaded,
    matchers: Matchers,
    /// A set that another thread is reading.
    loading: Option<Receiver<Load>>,
    next: Option<u64>,
}

impl Known {
    /// Begins with a set that lies below `data`.
    pub fn open(data: PathBuf, set: Option<u64>) -> anyhow::Result<Known> {
        let loaded = set.map(|set| Loaded::staged(&staged::folder(&data, set))).transpose()?.unwrap_or_default();
        let matchers = loaded.matchers();
        Ok(Known { data, loaded, matchers, ..Known::default() })
    }

    /// Whether rules are loaded: they judge every message, also those that the summary leaves out.
    pub fn wants_every_message(&self) -> bool {
        self.loaded.wants_every_message()
    }

    /// What is at work, for the centre.
    pub fn told(&self, set: u64) -> Value {
        let mut told = self.loaded.counts();
        told["type"] = "known".into();
        told["set"] = set.into();
        told
    }

    /// What the records of a batch match.
    pub fn look<'a>(&mut self, out: &'a Out) -> Vec<Outside<'a>> {
        self.matchers.look(out)
    }

    /// The centre has another set. It is read on a thread of its own: a million indicators take seconds, frames do not wait for that.
    pub fn ask(&mut self, command: &Value) {
        self.next = command["set"].as_u64().or(self.next);
    }

    /// What came of a set that was read: it is at work from here on, or refused and the old one stays. Correlations of rules begin anew.
    pub fn settle(&mut self) -> Option<Value> {
        let done = match &self.loading {
            None => None,
            Some(from) => match from.try_recv() {
                Ok(done) => Some(done),
                Err(TryRecvError::Empty) => return None,
                Err(TryRecvError::Disconnected) => {
                    self.loading = None;
                    return Some(
                        json!({ "type": "problem", "what": "a new set of indicators and rules could not be read" }),
                    );
                }
            },
        };
        if done.is_some() {
            self.loading = None;
        }
        if self.loading.is_none()
            && let Some(set) = self.next.take()
            && let Err(e) = self.begin(set)
        {
            return Some(json!({ "type": "known", "set": set, "refused": e.to_string() }));
        }
        let (set, loaded) = done?;
        let refused = match &loaded {
            Err(e) => Some(format!("{e:#}")),
            Ok(loaded) => loaded.lost(&self.loaded),
        };
        if let Some(why) = refused {
            return Some(json!({ "type": "known", "set": set, "refused": why }));
        }
        let loaded = loaded.ok()?;
        self.matchers = loaded.matchers();
        let old = std::mem::replace(&mut self.loaded, loaded);
        // Giving back a large set takes as long as reading one.
        let freed = std::thread::Builder::new().name("forget".into()).spawn(move || drop(old));
        drop(freed);
        Some(self.told(set))
    }

    fn begin(&mut self, set: u64) -> std::io::Result<()> {
        let (to, from) = channel();
        let dir = staged::folder(&self.data, set);
        std::thread::Builder::new().name("known".into()).spawn(move || {
            // The run may have ended meanwhile.
            let _ = to.send((set, Loaded::staged(&dir)));
        })?;
        self.loading = Some(from);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = "title: a\nid: r1\nlogsource: {product: gridwarden, service: modbus}\ndetection:\n  s:\n    function_code: 6\n  condition: s\nlevel: low\n";

    fn settled(known: &mut Known) -> Value {
        (0..1_000)
            .find_map(|_| {
                std::thread::sleep(std::time::Duration::from_millis(5));
                known.settle()
            })
            .unwrap()
    }

    #[test]
    fn another_set_takes_over_and_a_damaged_one_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let write = |set: u64, part: &str, name: &str, text: &str| {
            let to = staged::folder(dir.path(), set).join(part).join("0");
            std::fs::create_dir_all(&to).unwrap();
            std::fs::write(to.join(name), text).unwrap();
        };
        let mut known = Known::open(dir.path().to_owned(), None).unwrap();
        assert!(!known.wants_every_message() && known.settle().is_none());
        write(1, "intel", "bad.csv", "192.0.2.1\n192.0.2.2\n");
        write(1, "rules", "a.yml", RULE);
        known.ask(&json!({ "type": "known", "set": 1 }));
        let told = settled(&mut known);
        assert_eq!((&told["set"], &told["indicators"], &told["rules"]), (&1.into(), &2.into(), &1.into()));
        // A file of rules that cannot be read any more, and an indicator file that is damaged: the old set stays.
        write(2, "rules", "a.yml", "title: a\n  id: [");
        known.ask(&json!({ "type": "known", "set": 2 }));
        let told = settled(&mut known);
        assert!(told["refused"].as_str().unwrap().starts_with("a.yml line"), "{told}");
        write(3, "intel", "bundle.json", "{\"type\":\"bundle\",\"objects\":[");
        known.ask(&json!({ "type": "known", "set": 3 }));
        assert!(settled(&mut known).get("refused").is_some());
        assert!(known.wants_every_message());
        assert_eq!(known.told(1)["indicators"], 2);
    }
}
