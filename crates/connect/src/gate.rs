//! Which revisions of a finding go out: the first, one where its severity rises, one at 10, 100, 1,000 … observations, and the last.

use std::collections::HashMap;

use gwcore::Severity;
use respond::Finding;

/// Findings remembered; the one longest silent is forgotten first and would go out once more.
const REMEMBERED: usize = 200_000;

/// What of a change a destination hears.
#[derive(Debug, Default)]
pub struct Gate {
    seen: HashMap<String, Last>,
    order: std::collections::VecDeque<String>,
}

#[derive(Debug)]
struct Last {
    severity: Severity,
    decade: u32,
    rev: u32,
}

impl Gate {
    /// Whether this revision goes out; `closed` says that it is the last one.
    pub fn passes(&mut self, f: &Finding, closed: bool) -> bool {
        let decade = f.count.max(1).ilog10();
        match self.seen.get_mut(&f.id) {
            None => {
                self.seen.insert(f.id.clone(), Last { severity: f.severity, decade, rev: f.rev });
                self.order.push_back(f.id.clone());
                if self.order.len() > REMEMBERED
                    && let Some(oldest) = self.order.pop_front()
                {
                    self.seen.remove(&oldest);
                }
                true
            }
            Some(last) => {
                let passes = f.severity > last.severity || decade > last.decade || (closed && f.rev > last.rev);
                if passes {
                    *last =
                        Last { severity: f.severity.max(last.severity), decade: decade.max(last.decade), rev: f.rev };
                }
                passes
            }
        }
    }
}
