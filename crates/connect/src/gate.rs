//! Which revisions of a finding go out: the first, one where its severity rises, one at 10, 100, 1,000 … observations, and the last; and
//! which of a case: the first, one where its severity rises, one at 10, 100, … findings, and each change of state or owner.

use std::collections::HashMap;

use respond::outbox::Told;
use respond::{Case, Finding};

/// Findings remembered; the one longest silent is forgotten first and would go out once more.
const REMEMBERED: usize = 200_000;

/// Whether this revision goes out after what was told before; `closed` says that it is the last one. What is to be remembered either way.
pub fn finding(last: Option<&Told>, f: &Finding, closed: bool) -> (bool, Told) {
    let decade = f.count.max(1).ilog10();
    let Some(last) = last else {
        let state = String::new();
        return (true, Told { rev: f.rev, sent: f.rev, severity: f.severity, decade, state });
    };
    let passes = f.severity > last.severity || decade > last.decade || (closed && f.rev > last.sent);
    let mut told = Told { rev: f.rev.max(last.rev), ..last.clone() };
    if passes {
        told.sent = f.rev;
        told.severity = told.severity.max(f.severity);
        told.decade = told.decade.max(decade);
    }
    (passes, told)
}

/// The same for a case.
pub fn case(last: Option<&Told>, c: &Case) -> (bool, Told) {
    let decade = u32::try_from(c.findings.len()).unwrap_or(u32::MAX).max(1).ilog10();
    let state = format!("{} {}", c.state.name(), c.owner.as_deref().unwrap_or(""));
    let passes = last.is_none_or(|last| {
        c.severity > last.severity || decade > last.decade || (state != last.state && c.rev > last.sent)
    });
    let told = match last {
        Some(last) if !passes => Told { rev: c.rev, ..last.clone() },
        _ => Told { rev: c.rev, sent: c.rev, severity: c.severity, decade, state },
    };
    (passes, told)
}

/// What of a change a destination hears, remembered in memory.
#[derive(Debug, Default)]
pub struct Gate {
    seen: HashMap<String, Told>,
    order: std::collections::VecDeque<String>,
}

impl Gate {
    /// Whether this revision goes out; `closed` says that it is the last one.
    pub fn passes(&mut self, f: &Finding, closed: bool) -> bool {
        let (passes, told) = finding(self.seen.get(&f.id), f, closed);
        if self.seen.insert(f.id.clone(), told).is_none() {
            self.order.push_back(f.id.clone());
            if self.order.len() > REMEMBERED
                && let Some(oldest) = self.order.pop_front()
            {
                self.seen.remove(&oldest);
            }
        }
        passes
    }
}
