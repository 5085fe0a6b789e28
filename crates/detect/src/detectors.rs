//! The detectors: one file each under `detectors/`, one word each in this table.

use std::sync::Arc;

use gwcore::{Fact, Finding, FlowConst, LimitHits, Limits, Severity};

use crate::Inventory;
use crate::fold::{Folder, Sighting};

/// What is fixed about a detector; its file's opening comment is its manual page.
#[derive(Debug)]
pub struct Meta {
    /// Name, kebab-case, never reused.
    pub id: &'static str,
    /// Number in EVE and elsewhere, never reused.
    pub number: u32,
    /// What it finds, one sentence.
    pub finds: &'static str,
    /// What innocent things look like it.
    pub innocent: &'static str,
    /// Whom to call.
    pub call: &'static str,
    /// ATT&CK techniques it may tag.
    pub attack: &'static [&'static str],
    /// What it needs.
    pub needs: &'static str,
    /// Severity unless the detector says otherwise.
    pub severity: Severity,
}

/// What a detector may do while it looks at a fact.
pub(crate) struct Look<'a> {
    folder: &'a mut Folder,
    files: &'a dyn Fn(u32) -> Arc<str>,
}

impl Look<'_> {
    pub(crate) fn see(&mut self, sighting: &Sighting<'_>) {
        self.folder.see(sighting, self.files);
    }
}

/// A detector sees every fact once, in the order of the input.
pub(crate) trait Detector: Send {
    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>);
    fn hits(&self) -> LimitHits {
        LimitHits::default()
    }
}

macro_rules! detectors {
    ($($module:ident::$name:ident,)+) => {
        $(mod $module;)+
        /// The fixed list of detectors.
        pub static META: &[&Meta] = &[$(&$module::META),+];
        fn all(limits: &Limits) -> Vec<(&'static Meta, Box<dyn Detector>)> {
            vec![$((&$module::META, Box::new($module::$name::new(limits)) as Box<dyn Detector>)),+]
        }
    };
}

detectors! {
    control_operation::ControlOperation,
    configuration_change::ConfigurationChange,
    refused_commands::RefusedCommands,
    scan::Scan,
    malformed_ot::MalformedOt,
    goose_state::GooseState,
    unexpected_port::UnexpectedPort,
    contested_address::ContestedAddress,
    cleartext_password::CleartextPassword,
}

/// All detectors at work.
pub struct Detectors {
    active: Vec<(&'static Meta, Box<dyn Detector>)>,
    folder: Folder,
}

impl Detectors {
    /// All detectors but those named in `without`, or just those in `only` where it names any.
    pub fn new(limits: &Limits, only: &[String], without: &[String]) -> Detectors {
        let named = |list: &[String], m: &Meta| list.iter().any(|n| n == m.id);
        let mut active = all(limits);
        active.retain(|(m, _)| (only.is_empty() || named(only, m)) && !named(without, m));
        Detectors { active, folder: Folder::new(limits) }
    }

    /// With Community IDs under this seed.
    pub fn community_id_seed(mut self, seed: u16) -> Detectors {
        self.folder.community_id_seed = seed;
        self
    }

    /// Takes the facts of a batch; `files` names a file by its index.
    pub fn batch(&mut self, facts: &[Fact], flows: &[FlowConst], files: &dyn Fn(u32) -> Arc<str>) {
        for fact in facts {
            let Some(flow) = flows.get(fact.flow.index()) else { continue };
            let mut look = Look { folder: &mut self.folder, files };
            for (_, detector) in &mut self.active {
                detector.fact(fact, flow, &mut look);
            }
        }
    }

    /// The last revision of every finding, by (`ts`, `id`).
    pub fn finish(&mut self, inventory: &Inventory) -> Vec<Finding> {
        self.folder.finish(inventory)
    }

    /// Limits hit.
    pub fn hits(&self) -> LimitHits {
        let mut hits = self.folder.hits.clone();
        self.active.iter().for_each(|(_, d)| hits.add(&d.hits()));
        hits
    }
}
