//! Restarts, mode changes, time sets, parameter, file and program transfers, reports switched off: facts worth an entry in the log.

use gwcore::{Body, Fact, FactKinds, FlowConst, OpClass, Severity};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::fold::{Sighting, ends, evidence};
use crate::say::thing;

pub(super) static META: Meta = Meta {
    id: "configuration-change",
    number: 2,
    finds: "A device was restarted, reconfigured, set to another mode or time, or exchanged a file or program.",
    innocent: "Maintenance, a front end that starts up, routine time synchronisation.",
    call: "the protection or automation engineer in charge of the device",
    attack: &["T0816", "T0858", "T0836", "T0843", "T0845", "T0878", "T0809", "T0872"],
    needs: "decoded utility protocol",
    severity: Severity::Info,
};

/// Stateless.
pub(super) struct ConfigurationChange;

impl ConfigurationChange {
    pub(super) fn new(_: &Setup) -> Self {
        ConfigurationChange
    }
}

/// What the class is called, and its ATT&CK technique (`attack-ics.md` §4).
fn words(class: OpClass) -> Option<(&'static str, &'static [&'static str])> {
    Some(match class {
        OpClass::Restart => ("restart", &["T0816"]),
        OpClass::Mode => ("change of operating mode", &["T0858"]),
        OpClass::TimeSet => ("time set", &[]),
        OpClass::Parameter => ("parameter change", &["T0836"]),
        OpClass::Clear => ("clearing of counters or events", &["T0872"]),
        OpClass::ReportsOff => ("switching off of reports", &["T0878"]),
        OpClass::Download => ("file or program transfer to the device", &["T0843"]),
        OpClass::Upload => ("file or program transfer from the device", &["T0845"]),
        OpClass::Delete => ("deletion of a file", &["T0809"]),
        _ => return None,
    })
}

impl Detector for ConfigurationChange {
    fn wants(&self) -> FactKinds {
        FactKinds::ASKS
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let Body::Op(op) = &fact.body else { return };
        let Some((what, attack)) = words(op.class).filter(|_| !op.is_answer) else { return };
        let (src, dst) = ends(fact, flow);
        look.see(&Sighting {
            dedup_key: format!("{}>{}:{}:{:?}:{}:{}", src.name(), dst.name(), op.proto, op.class, op.name, thing(op)),
            asks: true,
            severity: Severity::Info,
            attack,
            proto: op.proto,
            src,
            dst,
            words: &|site| {
                let name = crate::fold::words(op.name);
                let what = match op.action.strip_prefix("clear ") {
                    Some(cleared) if op.class == OpClass::Clear => format!("clearing of {cleared}"),
                    _ if op.action.is_empty() => what.to_owned(),
                    _ => format!("{what}, {}", op.action),
                };
                let title = format!("{what}: {name} from {} to {}", site.name(&src), site.name(&dst));
                let why = format!("{} asked {} for a {what} ({name}).", site.name(&src), site.name(&dst));
                // Some protocols name their functions instead of numbering them.
                let function = if op.function < 0x100 { format!(" (function {})", op.function) } else { String::new() };
                (title, why, evidence(format!("{} {name}{function}", op.proto), None, None))
            },
            ..Sighting::of(&META, fact, flow)
        });
    }
}
