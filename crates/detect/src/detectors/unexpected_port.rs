//! A utility protocol on a port that is not its own.

use gwcore::{Body, Fact, FactKinds, FlowConst, Severity};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::fold::{Sighting, ends, evidence};

pub(super) static META: Meta = Meta {
    id: "unexpected-port",
    number: 7,
    finds: "A utility protocol was spoken on a port other than its registered one.",
    innocent: "A gateway that serves several outstations on consecutive ports.",
    call: "the automation engineer",
    attack: &["T0885"],
    needs: "decoded utility protocol",
    severity: Severity::Low,
};

/// Stateless.
pub(super) struct UnexpectedPort;

impl UnexpectedPort {
    pub(super) fn new(_: &Setup) -> Self {
        UnexpectedPort
    }
}

/// Registered ports (IANA), the usual one first.
const PORTS: &[(&str, &[u16])] = &[
    ("modbus", &[502, 802]),
    ("dnp3", &[20_000, 19_999]),
    ("iec104", &[2_404, 19_998]),
    ("s7comm", &[102]),
    ("cotp", &[102]),
];

fn expected(proto: &str) -> Option<&'static [u16]> {
    PORTS.iter().find(|(known, _)| *known == proto).map(|(_, ports)| *ports)
}

/// The utility protocol whose usual port it is.
pub(super) fn usual_on(port: u16) -> Option<&'static str> {
    PORTS.iter().find(|(_, ports)| ports.first() == Some(&port)).map(|(proto, _)| *proto)
}

impl Detector for UnexpectedPort {
    fn wants(&self) -> FactKinds {
        FactKinds::SERVICE
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let Body::Service { proto, server_is_responder } = fact.body else { return };
        let Some(ports) = expected(proto) else { return };
        if ports.iter().any(|p| *p == flow.src_port || *p == flow.dst_port) {
            return;
        }
        let (a, b) = ends(fact, flow);
        let (orig, resp) = if fact.flow.reversed() { (b, a) } else { (a, b) };
        let (src, dst) = if server_is_responder { (orig, resp) } else { (resp, orig) };
        let port = dst.port.unwrap_or(0);
        look.see(&Sighting {
            dedup_key: format!("{}:{proto}:{port}", dst.name()),
            severity: META.severity,
            attack: &["T0885"],
            proto,
            src,
            dst,
            words: &|site| {
                let title = format!("{proto} on port {port} of {}", site.name(&dst));
                let why = format!("{} serves {proto} on port {port}, where {} is usual.", site.name(&dst), ports[0]);
                (title, why, evidence(format!("port {port}"), Some(&ports[0].to_string()), None))
            },
            ..Sighting::of(&META, fact, flow)
        });
    }
}
