//! Utility devices that talk to the internet, to remote-access tools or by office protocols: facts of the network's borders.

use gwcore::{Addr, Body, Fact, FactKinds, FlowConst, Limit, LimitHits, Severity};

use super::unexpected_port::usual_on;
use super::{Detector, Look, Meta};
use crate::Setup;
use crate::fold::{Sighting, ends, evidence};
use crate::room::Room;

pub(super) static META: Meta = Meta {
    id: "exposure",
    number: 30,
    finds: "A device that speaks a utility protocol talked to an internet address, or was reached by a remote-access or office protocol; or the \
            internet was answered on a utility protocol's port, whatever was spoken there.",
    innocent: "A utility that uses public addresses inside, engineering access, updates, a jump host.",
    call: "the network engineer",
    attack: &["T0883", "T0886", "T0822"],
    needs: "connections in both directions, and the utility protocol seen before",
    severity: Severity::Info,
};

/// Ports of remote access and file sharing by IANA's registry and their makers' manuals.
fn remote(port: u16) -> Option<&'static str> {
    Some(match port {
        22 => "SSH",
        23 => "Telnet",
        445 | 139 => "SMB",
        3389 => "RDP",
        5900..=5906 => "VNC",
        5938 => "TeamViewer",
        7070 => "AnyDesk",
        5985 | 5986 => "WinRM",
        _ => return None,
    })
}

/// Utility protocols by the name of their service. What only uses the frames of TPKT is none: remote desktop, on any port.
pub(super) fn is_utility(service: &str) -> bool {
    matches!(service, "modbus" | "dnp3" | "iec104" | "s7comm" | "cotp" | "enip" | "mms" | "bacnet")
}

/// Whether a conversation is one of a utility protocol. RDP is carried by TPKT too.
fn speaks_utility(service: &str, port: u16) -> bool {
    is_utility(service) && !(service == "cotp" && remote(port).is_some())
}

/// Addresses that spoke a utility protocol; those of answered requests make room last.
pub(super) struct Exposure {
    utility: Room<Addr, ()>,
}

impl Exposure {
    pub(super) fn new(setup: &Setup) -> Self {
        let limit = setup.limits.get(Limit::DetectorSources);
        Exposure { utility: Room::new(Limit::DetectorSources, limit) }
    }
}

/// The utility protocol on whose port a local address took a TCP connection from the internet and sent data back. Which side opened it must
/// have been seen, since a client's own port may be any number.
fn answers_the_internet(state: &str, bytes: [u64; 2], flow: &FlowConst) -> Option<&'static str> {
    let opened = matches!(state, "S1" | "SF" | "S2" | "S3" | "RSTO" | "RSTR");
    let inwards = flow.ip_proto == 6 && flow.src.is_internet() && flow.dst.is_local();
    usual_on(flow.dst_port).filter(|_| opened && inwards && bytes[1] > 0)
}

fn see_open_port(usual: &'static str, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
    let (_, dst) = ends(fact, flow);
    let port = flow.dst_port;
    look.see(&Sighting {
        dedup_key: format!("{}:open:{port}", dst.name()),
        severity: Severity::Medium,
        attack: &["T0883"],
        proto: usual,
        words: &|site| {
            let a = site.name(&dst);
            let why =
                format!("{a} sent data to the internet address {} from port {port}, the port of {usual}.", flow.src);
            (format!("{a} answers the internet on port {port}"), why, evidence(format!("port {port}"), None, None))
        },
        ..Sighting::of(&META, fact, flow)
    });
}

impl Detector for Exposure {
    super::keeps!(utility);

    fn wants(&self) -> FactKinds {
        FactKinds::SERVICE | FactKinds::FLOW_END | FactKinds::ANSWER
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let ends_of_flow = [flow.src, flow.dst];
        match fact.body {
            Body::Service { proto, .. } if speaks_utility(proto, flow.dst_port) => {
                ends_of_flow.iter().filter(|a| !a.is_none()).for_each(|a| _ = self.utility.entry(a, || ()));
            }
            Body::Op(_) => ends_of_flow.iter().for_each(|a| self.utility.prove(a)),
            _ => {}
        }
        let Body::FlowEnd { state, packets, bytes, service, .. } = fact.body else { return };
        let utility = speaks_utility(service, flow.dst_port);
        if let Some(usual) = answers_the_internet(state, bytes, flow).filter(|_| !utility) {
            return see_open_port(usual, fact, flow, look);
        }
        let known = |a: &Addr| self.utility.get(a).is_some();
        // Whoever was refused has not reached anything.
        let established = matches!(state, "S1" | "SF" | "S2" | "S3" | "RSTO" | "RSTR") || !bytes.contains(&0);
        if packets.contains(&0)
            || (flow.ip_proto == 6 && !established)
            || flow.src.is_none()
            || !(known(&flow.src) || known(&flow.dst))
        {
            return;
        }
        let (public, tool) = ([flow.src, flow.dst].into_iter().find(Addr::is_internet), remote(flow.dst_port));
        let (kind, severity, attack, said): (_, _, &[&str], _) = match (public, tool) {
            (Some(a), _) if utility && [flow.src, flow.dst].iter().any(Addr::is_local) => (
                "utility protocol",
                Severity::Medium,
                &["T0883"],
                format!("speaks {service} with the internet address {a}"),
            ),
            (Some(_), _) if utility => return,
            (Some(a), _) => ("internet", Severity::Info, &["T0883"], format!("talks to the internet address {a}")),
            (None, Some(tool)) if known(&flow.dst) => {
                ("remote", Severity::Info, &["T0886"], format!("is reached by {tool}"))
            }
            _ => return,
        };
        let (src, dst) = ends(fact, flow);
        let device = if let Some(public) = public {
            if src.addr == public { dst } else { src }
        } else if known(&flow.dst) && (kind == "remote" || !known(&flow.src)) {
            dst
        } else {
            src
        };
        look.see(&Sighting {
            dedup_key: format!("{}>{}:{kind}:{}", src.name(), dst.name(), tool.unwrap_or_default()),
            severity,
            attack,
            proto: if service.is_empty() { "ip" } else { service },
            words: &|site| {
                let a = site.name(&device);
                let why = format!("{a}, which speaks a utility protocol, {said} (port {}).", flow.dst_port);
                (format!("{a} {said}"), why, evidence(format!("port {}", flow.dst_port), None, None))
            },
            ..Sighting::of(&META, fact, flow)
        });
    }
    fn hits(&self) -> LimitHits {
        self.utility.hits().clone()
    }
}
