//! The detectors: one file each under `detectors/`, one word each in this table.

use std::sync::Arc;

use gwcore::time::MINUTE;
use gwcore::{Body, Fact, Finding, FlowConst, LimitHits, Severity, Ts};

use crate::fold::{Folder, Sighting};
use crate::observation::Observation;
use crate::{Inventory, Setup};

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

/// What a detector may do and ask while it looks.
pub(crate) struct Look<'a> {
    /// Packet time: that of the last tick, at most a second old. It goes back only at a time break.
    pub(crate) now: Ts,
    /// What of the network is really seen: detectors of absence, periods and ratios ask it and are mute where it is not whole.
    pub(crate) seen: &'a Observation,
    folder: &'a mut Folder,
    files: &'a dyn Fn(u32) -> Arc<str>,
}

impl Look<'_> {
    /// Raises or repeats a finding.
    pub(crate) fn see(&mut self, sighting: &Sighting<'_>) {
        self.folder.see(sighting, self.now, self.files);
    }
}

/// A detector sees every fact once, in the order of the input. Ticks are facts too: nothing depends on batches.
pub(crate) trait Detector: Send {
    /// One fact and the flow it belongs to.
    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>);
    /// A second of packet time began; after a pause of the whole feed there is one call, not one a second.
    fn tick(&mut self, _look: &mut Look<'_>) {}
    /// A minute of packet time began; called after `tick`.
    fn minute(&mut self, _look: &mut Look<'_>) {}
    /// The input is over: what still waits for evidence is judged by what there is.
    fn finish(&mut self, _look: &mut Look<'_>) {}
    /// Limits hit.
    fn hits(&self) -> LimitHits {
        LimitHits::default()
    }
}

macro_rules! detectors {
    ($($module:ident::$name:ident,)+) => {
        $(mod $module;)+
        /// The fixed list of detectors.
        pub static META: &[&Meta] = &[$(&$module::META),+];
        fn all(setup: &Setup) -> Vec<(&'static Meta, Box<dyn Detector>)> {
            vec![$((&$module::META, Box::new($module::$name::new(setup)) as Box<dyn Detector>)),+]
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
    altered_in_transit::AlteredInTransit,
    cleartext_password::CleartextPassword,
    repeated_commands::RepeatedCommands,
    reports_stay_off::ReportsStayOff,
    commands_unanswered::CommandsUnanswered,
    role_contradiction::RoleContradiction,
    second_start::SecondStart,
    answer_contradiction::AnswerContradiction,
    time_source::TimeSource,
    unacknowledged_command::UnacknowledgedCommand,
    network_takeover::NetworkTakeover,
    fingerprint::Fingerprint,
    exposure::Exposure,
    failed_logins::FailedLogins,
    function_scan::FunctionScan,
    flood::Flood,
    beacon::Beacon,
    clock_set::ClockSet,
    reports_stop::ReportsStop,
    interrogation::Interrogation,
    new_device::NewDevice,
    new_conversation::NewConversation,
    new_service::NewService,
    new_function::NewFunction,
    new_point::NewPoint,
    new_master::NewMaster,
    control_from_unusual_source::ControlFromUnusualSource,
    value_range::ValueRange,
    period::Period,
    missing_device::MissingDevice,
    many_devices::ManyDevices,
    command_effect::CommandEffect,
    no_select::NoSelect,
    unusual_hour::UnusualHour,
    command_pace::CommandPace,
    first_configuration::FirstConfiguration,
    frozen_values::FrozenValues,
    second_session::SecondSession,
    report_again::ReportAgain,
}

/// All detectors at work.
pub struct Detectors {
    active: Vec<(&'static Meta, Box<dyn Detector>)>,
    folder: Folder,
    seen: Observation,
    now: Ts,
}

impl Detectors {
    /// All detectors but those named in `without`, or just those in `only` where it names any.
    pub fn new(setup: &Setup, only: &[String], without: &[String]) -> Detectors {
        let named = |list: &[String], m: &Meta| list.iter().any(|n| n == m.id);
        let mut active = all(setup);
        active.retain(|(m, _)| (only.is_empty() || named(only, m)) && !named(without, m));
        Detectors { active, folder: Folder::new(setup), seen: Observation::new(&setup.limits), now: Ts(i64::MIN) }
    }

    /// Takes the facts of a batch; `files` names a file by its index.
    pub fn batch(&mut self, facts: &[Fact], flows: &[FlowConst], files: &dyn Fn(u32) -> Arc<str>) {
        for fact in facts {
            let Some(flow) = flows.get(fact.flow.index()) else { continue };
            self.seen.fact(fact, flow);
            let before = self.now;
            match fact.body {
                Body::Tick { .. } => self.now = self.now.max(fact.ts),
                Body::TimeBreak { .. } => self.now = fact.ts,
                _ => {}
            }
            let is_minute = self.now.0.div_euclid(MINUTE) > before.0.div_euclid(MINUTE);
            let mut look = Look { now: self.now, seen: &self.seen, folder: &mut self.folder, files };
            for (_, detector) in &mut self.active {
                detector.fact(fact, flow, &mut look);
                if matches!(fact.body, Body::Tick { .. }) {
                    detector.tick(&mut look);
                    if is_minute {
                        detector.minute(&mut look);
                    }
                }
            }
        }
    }

    /// The last revision of every finding, by (`ts`, `id`).
    pub fn finish(&mut self, inventory: &Inventory, files: &dyn Fn(u32) -> Arc<str>) -> Vec<Finding> {
        let mut look = Look { now: self.now, seen: &self.seen, folder: &mut self.folder, files };
        self.active.iter_mut().for_each(|(_, d)| d.finish(&mut look));
        self.folder.finish(inventory)
    }

    /// Limits hit.
    pub fn hits(&self) -> LimitHits {
        let mut hits = self.folder.hits.clone();
        hits.add(&self.seen.hits);
        self.active.iter().for_each(|(_, d)| hits.add(&d.hits()));
        hits
    }
}
