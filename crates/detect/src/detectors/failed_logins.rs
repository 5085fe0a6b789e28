//! Many refused log-ins, and log-ins with a maker's default password.

use gwcore::time::MINUTE;
use gwcore::{Addr, Body, Fact, FactKinds, FlowConst, LimitHits, Severity};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::fold::{Sighting, ends, evidence};
use crate::window::Windows;

pub(super) static META: Meta = Meta {
    id: "failed-logins",
    number: 31,
    finds: "A device refused many log-ins of one source, or a maker's default password was used.",
    innocent: "A script with an old password, a device still in commissioning.",
    call: "the owner of the source, then the owner of the device",
    attack: &["T0859", "T1694.001"],
    needs: "the log-in in clear text with its outcome",
    severity: Severity::Medium,
};

/// Refusals within five minutes: a person gives up or is locked out after five, twice that leaves room for two people.
const REFUSED: u32 = 10;
const WINDOW: i64 = 5 * MINUTE;

/// Refused log-ins by source and device.
pub(super) struct FailedLogins {
    refused: Windows<(Addr, Addr), Box<str>>,
}

impl FailedLogins {
    pub(super) fn new(setup: &Setup) -> Self {
        FailedLogins { refused: Windows::new(setup, WINDOW, 16) }
    }
}

impl Detector for FailedLogins {
    fn wants(&self) -> FactKinds {
        FactKinds::STATED | FactKinds::LOGIN
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let (src, dst) = ends(fact, flow);
        match &fact.body {
            Body::Stated { proto, field: "default_password", value } => look.see(&Sighting {
                dedup_key: format!("{}>{}:default", src.name(), dst.name()),
                attack: &["T1694.001"],
                proto,
                words: &|site| {
                    let (a, b) = (site.name(&src), site.name(&dst));
                    let why = format!("{a} logged in to {b} as {value} with a password that makers ship.");
                    (
                        format!("Default password used on {b}"),
                        why,
                        evidence(format!("user {value}"), Some("a password of one's own"), None),
                    )
                },
                ..Sighting::of(&META, fact, flow)
            }),
            Body::Login { proto, user, accepted: Some(false), .. } => {
                let Some(w) = self.refused.count((src.addr, dst.addr), fact.ts, user.clone()) else { return };
                let (since, count, users) = (w.since, w.count, w.kinds.len());
                if count < REFUSED {
                    return;
                }
                look.see(&Sighting {
                    dedup_key: format!("{}>{}:refused", src.name(), dst.name()),
                    attack: &["T0859"],
                    proto,
                    words: &|site| {
                        let (a, b) = (site.name(&src), site.name(&dst));
                        let why =
                            format!("{b} refused {count} log-ins of {a} within five minutes, with {users} user names.");
                        let e = evidence(format!("{count} refusals"), None, Some(f64::from(REFUSED)));
                        (format!("{b} refuses many log-ins of {a}"), why, e)
                    },
                    since: Some(since),
                    ..Sighting::of(&META, fact, flow)
                });
            }
            _ => {}
        }
    }
    fn hits(&self) -> LimitHits {
        self.refused.hits.clone()
    }
}
