//! The detectors: one file each under `detectors/`, named here and in the table below.

use std::sync::Arc;

use gwcore::time::MINUTE;
use gwcore::{Body, Fact, FactKinds, Finding, FlowConst, KeptError, LimitHits, Restore, Severity, State, Ts};

use crate::fold::{Folder, Sighting};
use crate::observation::Observation;
use crate::outside::{INTEL_MATCH, METAS, Outside, RULE_MATCH};
use crate::{Baseline, Change, Inventory, Setup};

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

/// A detector sees every fact that it wants once, in the order of the input. Ticks are facts too: nothing depends on batches.
pub(crate) trait Detector: Send {
    /// The kinds of facts that may tell it anything, asked at the start and after `learned`: none where what it needs, as a baseline, is not
    /// there. Who does not want ticks has neither `tick` nor `minute` called.
    fn wants(&self) -> FactKinds;
    /// `setup` holds another baseline than before; who rests on one takes it over and keeps what does not follow from the old one.
    fn learned(&mut self, _setup: &Setup) {}
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
    /// Appends what it knows beside the baseline ([`keeps`]).
    fn keep(&self, _to: &mut Vec<u8>) {}
    /// Takes over what a detector of another process kept; none where it is damaged.
    fn restore(&mut self, _from: &mut Restore) -> Option<()> {
        Some(())
    }
    /// Whether what it keeps means something only beside the baseline that it was seen with.
    fn keeps_learned_words(&self) -> bool {
        false
    }
}

/// The fields of a detector that outlive the process, `learned words` before those whose keys are numbered by the baseline.
macro_rules! keeps {
    (learned words; $($field:ident),+) => {
        fn keeps_learned_words(&self) -> bool {
            true
        }
        super::keeps!($($field),+);
    };
    ($($field:ident),+) => {
        fn keep(&self, to: &mut Vec<u8>) {
            $(gwcore::Kept::keep(&self.$field, to);)+
        }
        fn restore(&mut self, from: &mut gwcore::Restore) -> Option<()> {
            $(gwcore::Kept::restore(&mut self.$field, from)?;)+
            Some(())
        }
    };
}
use keeps;

// Named outside of the table so that `cargo fmt` finds them.
mod altered_in_transit;
mod answer_contradiction;
mod beacon;
mod borrowed_name;
mod cleartext_password;
mod clock_set;
mod command_effect;
mod command_pace;
mod commands_unanswered;
mod configuration_change;
mod contested_address;
mod control_from_unusual_source;
mod control_operation;
mod exposure;
mod failed_logins;
mod fingerprint;
mod first_configuration;
mod flood;
mod frozen_values;
mod function_scan;
mod goose_state;
mod interrogation;
mod malformed_ot;
mod many_devices;
mod missing_device;
mod moved_address;
mod network_takeover;
mod new_conversation;
mod new_device;
mod new_function;
mod new_master;
mod new_point;
mod new_service;
mod no_select;
mod period;
mod refused_commands;
mod repeated_commands;
mod report_again;
mod reports_stay_off;
mod reports_stop;
mod role_contradiction;
mod scan;
mod second_session;
mod second_start;
mod time_source;
mod unacknowledged_command;
mod unexpected_port;
mod unusual_hour;
mod unusual_window;
mod value_range;

macro_rules! detectors {
    ($($module:ident::$name:ident,)+) => {
        /// The fixed list of detectors.
        pub static META: &[&Meta] = &[$(&$module::META,)+ &INTEL_MATCH, &RULE_MATCH];
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
    borrowed_name::BorrowedName,
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
    unusual_window::UnusualWindow,
    moved_address::MovedAddress,
}

/// The fixed number of a detector by its name; 0 for a name that none has.
pub fn number(id: &str) -> u32 {
    META.iter().find(|m| m.id == id).map_or(0, |m| m.number)
}

/// All detectors at work.
pub struct Detectors {
    active: Vec<(&'static Meta, Box<dyn Detector>)>,
    /// By number of a kind of fact: places in `active` of those that want it.
    wanted: [Vec<usize>; FactKinds::COUNT],
    folder: Folder,
    seen: Observation,
    now: Ts,
    setup: Setup,
    /// Detectors outside of the table that are not to speak.
    mute: Vec<&'static str>,
}

impl Detectors {
    /// All detectors but those named in `without`, or just those in `only` where it names any.
    pub fn new(setup: &Setup, only: &[String], without: &[String]) -> Detectors {
        let named = |list: &[String], m: &Meta| list.iter().any(|n| n == m.id);
        let mut active = all(setup);
        let chosen = |m: &Meta| (only.is_empty() || named(only, m)) && !named(without, m);
        active.retain(|(m, _)| chosen(m));
        let wanted = wanted(&active);
        let (folder, seen) = (Folder::new(setup), Observation::new(&setup.limits));
        let mute = METAS.iter().filter(|m| !chosen(m)).map(|m| m.id).collect();
        Detectors { active, wanted, folder, seen, now: Ts(i64::MIN), mute, setup: setup.clone() }
    }

    /// Takes over another baseline while the run goes on. What is open stays open; detectors keep what does not follow from the old one.
    pub fn learned(&mut self, baseline: &Arc<Baseline>) {
        self.setup.baseline = Some(Arc::clone(baseline));
        let setup = &self.setup;
        self.active.iter_mut().for_each(|(_, d)| d.learned(setup));
        self.wanted = wanted(&self.active);
    }

    /// Takes the facts of a batch; `files` names a file by its index.
    pub fn batch(&mut self, facts: &[Fact], flows: &[FlowConst], files: &dyn Fn(u32) -> Arc<str>) {
        self.batch_with(facts, flows, &[], files);
    }

    /// The same with what others saw in the records of the batch, in the order of the keys: each is folded in where its record stands
    /// among the facts.
    pub fn batch_with(
        &mut self,
        facts: &[Fact],
        flows: &[FlowConst],
        outside: &[Outside<'_>],
        files: &dyn Fn(u32) -> Arc<str>,
    ) {
        let mut waiting = outside.iter().peekable();
        for fact in facts {
            while let Some(o) = waiting.next_if(|o| o.key < fact.key) {
                self.outside(o, flows, files);
            }
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
            let is_tick = matches!(fact.body, Body::Tick { .. });
            if is_tick && is_minute {
                look.folder.sweep(look.now);
            }
            look.folder.answered(fact, flow);
            for place in self.wanted.get(fact.body.kind().index()).into_iter().flatten() {
                let Some((_, detector)) = self.active.get_mut(*place) else { continue };
                detector.fact(fact, flow, &mut look);
                if is_tick {
                    detector.tick(&mut look);
                    if is_minute {
                        detector.minute(&mut look);
                    }
                }
            }
        }
        waiting.for_each(|o| self.outside(o, flows, files));
    }

    fn outside(&mut self, o: &Outside<'_>, flows: &[FlowConst], files: &dyn Fn(u32) -> Arc<str>) {
        let Some(flow) = o.flow(flows).filter(|_| !self.mute.contains(&o.meta.id)) else { return };
        let fact = o.fact();
        let sighting = Sighting::of(o.meta, &fact, flow);
        let ends = (sighting.src, sighting.dst);
        let words = |site: &crate::Site| (o.words)(&site.name(&ends.0), &site.name(&ends.1));
        let sighting = Sighting {
            dedup_key: o.dedup_key.clone(),
            severity: o.severity,
            basis: o.basis,
            attack: o.attack,
            proto: o.proto,
            words: &words,
            ..sighting
        };
        self.folder.see(&sighting, self.now, files);
    }

    /// What became of findings since the last call; a run that never asks gets all of them from [`Detectors::finish`]. Parties are named
    /// by the inventory as it stands ([`crate::Devices::inventory`]). After each batch, or as often as findings are to leave.
    pub fn changes(&mut self, inventory: &Inventory) -> Vec<Change> {
        self.folder.changes(inventory, self.now)
    }

    /// The input of a run that asks for changes is over: what still waits for evidence is judged, and everything closes.
    pub fn end(&mut self, inventory: &Inventory, files: &dyn Fn(u32) -> Arc<str>) -> Vec<Change> {
        self.judge(files);
        self.folder.close_all();
        self.folder.changes(inventory, self.now)
    }

    /// The last revision of every finding that was not told as closed, by (`ts`, `id`).
    pub fn finish(&mut self, inventory: &Inventory, files: &dyn Fn(u32) -> Arc<str>) -> Vec<Finding> {
        self.judge(files);
        self.folder.finish(inventory)
    }

    fn judge(&mut self, files: &dyn Fn(u32) -> Arc<str>) {
        let mut look = Look { now: self.now, seen: &self.seen, folder: &mut self.folder, files };
        self.active.iter_mut().for_each(|(_, d)| d.finish(&mut look));
    }

    /// Adds to a state what detectors know: windows, open findings, quality of observation. What is learned is in the baseline.
    pub fn keep(&self, state: &mut State) {
        state.put("detect.now", &self.now);
        state.put("detect.words", &self.words());
        state.put("detect.observation", &self.seen);
        state.put("detect.findings", &self.folder);
        for (meta, detector) in &self.active {
            let mut bytes = Vec::new();
            detector.keep(&mut bytes);
            if !bytes.is_empty() {
                state.put_bytes(&format!("detector.{}", meta.id), bytes);
            }
        }
    }

    /// Goes on where the state stands. Detectors that were not at work then begin anew, and beside another baseline those do whose memory
    /// is ordered by it.
    pub fn restore(&mut self, state: &State) -> Result<(), KeptError> {
        let (words, mut theirs) = (self.words(), 0u64);
        state.take("detect.now", &mut self.now)?;
        state.take("detect.words", &mut theirs)?;
        state.take("detect.observation", &mut self.seen)?;
        state.take("detect.findings", &mut self.folder)?;
        for (meta, detector) in &mut self.active {
            if !detector.keeps_learned_words() || words == theirs {
                state.take_with(&format!("detector.{}", meta.id), |from| detector.restore(from))?;
            }
        }
        Ok(())
    }

    /// Tells the baseline's numbering of words from any other.
    fn words(&self) -> u64 {
        self.setup.baseline.as_deref().map_or(0, Baseline::words_hash)
    }

    /// Limits hit.
    pub fn hits(&self) -> LimitHits {
        let mut hits = self.folder.hits();
        hits.add(&self.seen.hits);
        self.active.iter().for_each(|(_, d)| hits.add(&d.hits()));
        hits
    }
}

/// By number of a kind of fact: places of those that want it.
fn wanted(active: &[(&Meta, Box<dyn Detector>)]) -> [Vec<usize>; FactKinds::COUNT] {
    let mut wanted: [Vec<usize>; FactKinds::COUNT] = Default::default();
    for (place, (_, detector)) in active.iter().enumerate() {
        for kind in detector.wants().members() {
            wanted[kind].push(place);
        }
    }
    wanted
}
