//! Findings of a running platform enter cases as they come, beside what people change in the same cases.

use std::collections::{BTreeSet, HashMap};

use gwcore::Ts;
use gwcore::time::HOUR;

use crate::case::Case;
use crate::correlate::{Correlator, Outcome, Rules};
use crate::finding::Finding;
use crate::store::Store;

/// The correlator is made anew from the store this often, so that it holds what may still take findings and nothing else.
const RENEW: i64 = 6 * HOUR;
/// Cases that ended longer ago take no finding: rules reach a day back, a finding may grow for a day.
const REACH: i64 = 48 * HOUR;

/// Cases that may take findings, in step with the store.
pub struct Intake {
    rules: Rules,
    correlator: Correlator,
    /// Revision of each case as it was kept last.
    kept: HashMap<String, u32>,
    renewed: Option<Ts>,
}

impl Intake {
    /// Begins with what the store holds.
    pub fn open(store: &Store<'_>, rules: Rules) -> state::Result<Intake> {
        let mut intake = Intake { rules, correlator: Correlator::default(), kept: HashMap::new(), renewed: None };
        intake.renew(store, None)?;
        Ok(intake)
    }

    /// Holds the cases that may still take findings; how old a case is, is told by the newest one and by `now`, the newest finding.
    fn renew(&mut self, store: &Store<'_>, now: Option<Ts>) -> state::Result<()> {
        let mut cases = store.open_cases()?;
        let now = cases.iter().map(|c| c.ended).chain(now).max().unwrap_or_default();
        cases.retain(|c| now.since(c.ended) < REACH);
        self.kept = cases.iter().map(|c| (c.id.clone(), c.rev)).collect();
        let waiting = self.correlator.take_waiting();
        self.correlator = Correlator::new(self.rules, cases);
        waiting.iter().filter(|w| now.since(w.ts_end) < REACH).for_each(|w| {
            self.correlator.take(w);
        });
        Ok(())
    }

    /// Takes over what others changed in the store; the cases that changed. `now` is the time of the newest finding.
    pub fn sync(&mut self, store: &Store<'_>, now: Ts) -> state::Result<Vec<Case>> {
        if now.since(*self.renewed.get_or_insert(now)) > RENEW {
            self.renewed = Some(now);
            self.renew(store, Some(now))?;
        }
        let mut changed = Vec::new();
        for (id, rev) in store.case_revs()? {
            if self.kept.get(&id).is_none_or(|ours| *ours >= rev) {
                continue;
            }
            let Some(mut case) = store.case(&id)? else { continue };
            self.kept.insert(id.clone(), case.rev);
            changed.push(case.clone());
            if let Some(ours) = self.correlator.case(&id) {
                case.complete_from(ours);
            }
            self.correlator.put(case);
        }
        Ok(changed)
    }

    /// Holds a case that is older than what is held, because a finding of it grew.
    pub fn hold(&mut self, store: &Store<'_>, id: &str) -> state::Result<()> {
        if self.correlator.case(id).is_none()
            && let Some(case) = store.case(id)?
        {
            self.kept.insert(case.id.clone(), case.rev);
            self.correlator.put(case);
        }
        Ok(())
    }

    /// Takes a finding, or a new revision of one.
    pub fn take(&mut self, store: &Store<'_>, f: &Finding) -> state::Result<Outcome> {
        let outcome = self.correlator.take(f);
        let Outcome::Opened(id) = &outcome else { return Ok(outcome) };
        if self.kept.contains_key(id) {
            return Ok(outcome);
        }
        // A case that this finding opened is there already, older than what is held here, or closed.
        let Some(mut case) = store.case(id)? else { return Ok(outcome) };
        self.kept.insert(id.clone(), case.rev);
        if let Some(ours) = self.correlator.case(id) {
            case.complete_from(ours);
        }
        self.correlator.put(case);
        Ok(Outcome::Updated(id.clone()))
    }

    /// A case as it stands.
    pub fn case(&self, id: &str) -> Option<&Case> {
        self.correlator.case(id)
    }

    /// The cases among these whose newest revision is not kept yet.
    pub fn unkept(&self, ids: &BTreeSet<String>) -> Vec<Case> {
        let newer = |c: &&Case| self.kept.get(&c.id).is_none_or(|rev| *rev < c.rev);
        ids.iter().filter_map(|id| self.correlator.case(id)).filter(newer).cloned().collect()
    }

    /// These are kept.
    pub fn kept(&mut self, cases: &[Case]) {
        self.kept.extend(cases.iter().map(|c| (c.id.clone(), c.rev)));
    }
}
