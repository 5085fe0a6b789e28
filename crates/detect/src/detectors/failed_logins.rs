//! Many refused log-ins, many short sessions with a service that does nothing without one, and log-ins with a maker's default password.

use gwcore::time::MINUTE;
use gwcore::{Addr, Body, Fact, FactKinds, FlowConst, LimitHits, Severity};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::fold::{Sighting, ends, evidence};
use crate::window::Windows;

pub(super) static META: Meta = Meta {
    id: "failed-logins",
    number: 31,
    finds: "A device refused many log-ins of one source, one source opened many short sessions with a log-in service, or a maker's default \
            password was used.",
    innocent: "A script with an old password or one that logs in again and again, a device still in commissioning.",
    call: "the owner of the source, then the owner of the device",
    attack: &["T0859", "T1694.001"],
    needs: "the log-in in clear text with its outcome; of SSH, Telnet, RDP, VNC and the r-commands, and of FTP that is not read, the sessions",
    severity: Severity::Medium,
};

/// Refusals within five minutes: a person gives up or is locked out after five, twice that leaves room for two people.
const REFUSED: u32 = 10;
const WINDOW: i64 = 5 * MINUTE;

/// Short sessions within five minutes with one service: a tool that guesses has several at a time, a job that runs every minute has five.
const SESSIONS: u32 = 20;
/// Longest of these, and most octets that a side sends in it: what follows a successful log-in has more of either.
const LONGEST: i64 = MINUTE;
const OCTETS: u64 = 16_384;

/// Refused log-ins by source and device, short sessions by source, device and port.
pub(super) struct FailedLogins {
    refused: Windows<(Addr, Addr), Box<str>>,
    short: Windows<(Addr, Addr, u16), ()>,
}

/// Services that begin with a log-in, by port (IANA).
fn login_service(port: u16) -> Option<&'static str> {
    Some(match port {
        21 => "FTP",
        22 => "SSH",
        23 => "Telnet",
        512..=514 => "r-command",
        3389 => "RDP",
        5900 => "VNC",
        _ => return None,
    })
}

impl FailedLogins {
    pub(super) fn new(setup: &Setup) -> Self {
        FailedLogins { refused: Windows::new(setup, WINDOW, 16), short: Windows::new(setup, WINDOW, 1) }
    }
}

impl Detector for FailedLogins {
    super::keeps!(refused, short);

    fn wants(&self) -> FactKinds {
        FactKinds::STATED | FactKinds::LOGIN | FactKinds::FLOW_END
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
                        let why = format!(
                            "{b} refused {count} log-ins of {a} within five minutes, with {users} user name{}.",
                            if users == 1 { "" } else { "s" }
                        );
                        let e = evidence(format!("{count} refusals"), None, Some(f64::from(REFUSED)));
                        (format!("{b} refuses many log-ins of {a}"), why, e)
                    },
                    since: Some(since),
                    ..Sighting::of(&META, fact, flow)
                });
            }
            Body::FlowEnd { state: "SF" | "S2" | "S3" | "RSTO" | "RSTR", bytes, start, service: "", .. } => {
                let Some(service) = login_service(flow.dst_port).filter(|_| flow.ip_proto == 6) else { return };
                let is_short = bytes.iter().all(|n| (1..OCTETS).contains(n)) && fact.ts.since(*start) <= LONGEST;
                if !is_short {
                    return;
                }
                let Some(w) = self.short.count((src.addr, dst.addr, flow.dst_port), *start, ()) else { return };
                let (since, count) = (w.since, w.count);
                if count < SESSIONS {
                    return;
                }
                look.see(&Sighting {
                    dedup_key: format!("{}>{}:{}", src.name(), dst.name(), flow.dst_port),
                    attack: &["T0859"],
                    proto: "tcp",
                    words: &|site| {
                        let (a, b) = (site.name(&src), site.name(&dst));
                        let why = format!("{a} opened {count} {service} sessions with {b} within five minutes, each too short to do anything but log in.");
                        let e = evidence(format!("{count} short sessions, port {}", flow.dst_port), None, Some(f64::from(SESSIONS)));
                        (format!("{a} tries to log in to {b} again and again"), why, e)
                    },
                    since: Some(since),
                    ..Sighting::of(&META, fact, flow)
                });
            }
            _ => {}
        }
    }
    fn hits(&self) -> LimitHits {
        let mut hits = self.refused.hits.clone();
        hits.add(&self.short.hits);
        hits
    }
}
