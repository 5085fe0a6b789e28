//! What detectors are given before the first fact: limits, what was declared, and what was learned.

use std::sync::Arc;

use gwcore::Limits;

use crate::{Baseline, Maintenance, Site};

/// What every detector may rest on beside the facts.
#[derive(Clone, Default)]
pub struct Setup {
    /// Limits in force.
    pub limits: Limits,
    /// What was learned; without it nothing is a finding for being new.
    pub baseline: Option<Arc<Baseline>>,
    /// What the operator declared about the plant; empty if nothing.
    pub site: Arc<Site>,
    /// Declared work; empty if none.
    pub maintenance: Arc<Maintenance>,
    /// Seed of the Community IDs in findings.
    pub community_id_seed: u16,
}

impl Setup {
    /// Limits alone: nothing declared, nothing learned.
    pub fn new(limits: &Limits) -> Setup {
        Setup { limits: limits.clone(), ..Setup::default() }
    }
}
