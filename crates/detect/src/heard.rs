//! Which detectors had their input in the capture: one that waits for GOOSE is not at work where no GOOSE was seen.

use gwcore::{Body, Fact, FlowConst, OpClass};

/// Protocols whose messages reach primary equipment.
const UTILITY: &[&str] = &["modbus", "dnp3", "iec104", "goose", "s7comm"];
/// Ports of log-ins whose sessions are judged without being read: SSH, Telnet, the r-commands, RDP, VNC.
const LOGIN_PORTS: &[u16] = &[22, 23, 512, 513, 514, 3389, 5900];

/// What was in the capture, as far as detectors ask for it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Heard {
    flows: bool,
    tcp: bool,
    tcp_start: bool,
    icmp: bool,
    login: bool,
    names: bool,
    claims: bool,
    utility: bool,
    utility_tcp: bool,
    asked: bool,
    answered: bool,
    commanded: bool,
    polled: bool,
    values: bool,
    reported: bool,
    dnp3: bool,
    iec104: bool,
    goose: bool,
    time: bool,
    takeover: bool,
}

impl Heard {
    /// Takes a fact in.
    pub fn fact(&mut self, fact: &Fact, flow: &FlowConst) {
        match &fact.body {
            Body::Op(op) => {
                self.utility = true;
                self.utility_tcp |= flow.ip_proto == 6;
                self.dnp3 |= op.proto == "dnp3";
                self.iec104 |= op.proto == "iec104";
                self.answered |= op.is_answer;
                self.asked |= !op.is_answer;
                self.polled |= !op.is_answer && op.class == OpClass::Read;
                self.commanded |= !op.is_answer
                    && matches!(op.class, OpClass::Select | OpClass::Control | OpClass::SetPoint | OpClass::Parameter);
            }
            Body::Sample(s) if UTILITY.contains(&s.proto) => self.values = true,
            Body::Reported { proto, .. } => {
                self.reported = true;
                self.dnp3 |= *proto == "dnp3";
                self.iec104 |= *proto == "iec104";
            }
            Body::Published(_) => (self.goose, self.utility) = (true, true),
            Body::Service { proto, .. } => {
                self.utility |= UTILITY.contains(proto);
                self.utility_tcp |= UTILITY.contains(proto) && flow.ip_proto == 6;
                self.login |= matches!(*proto, "http" | "ftp");
                self.time |= matches!(*proto, "ntp" | "ptp");
                self.takeover |= *proto == "dhcp";
            }
            Body::Login { .. } => self.login = true,
            Body::Name { .. } => self.names = true,
            Body::Claim { source, .. } => self.claims |= matches!(*source, "arp" | "nd"),
            Body::Asked { .. } => self.claims = true,
            Body::Stated { proto, .. } => {
                self.time |= matches!(*proto, "ntp" | "ptp");
                self.takeover |= matches!(*proto, "stp" | "dhcp");
            }
            Body::Role(role) => self.takeover |= matches!(*role, "router" | "dhcp_server" | "switch"),
            Body::Fingerprint { .. } => self.tcp_start = true,
            Body::FlowStart => self.flows = true,
            Body::FlowEnd { .. } => {
                self.flows = true;
                self.tcp |= flow.ip_proto == 6;
                self.icmp |= matches!(flow.ip_proto, 1 | 58);
                self.login |= flow.ip_proto == 6 && LOGIN_PORTS.contains(&flow.dst_port);
            }
            _ => {}
        }
    }

    /// Whether the capture held what a detector looks at; a detector that is not known here counts as heard.
    pub fn has_input_of(&self, detector: &str) -> bool {
        match detector {
            "control-operation"
            | "configuration-change"
            | "repeated-commands"
            | "reports-stay-off"
            | "function-scan"
            | "many-devices"
            | "control-from-unusual-source"
            | "new-function"
            | "command-pace"
            | "first-configuration"
            | "unusual-hour" => self.asked,
            "refused-commands" | "answer-contradiction" | "commands-unanswered" => self.asked && self.answered,
            "malformed-ot" | "unexpected-port" | "role-contradiction" | "exposure" => self.utility,
            "goose-state" => self.goose,
            "contested-address" => self.claims,
            "altered-in-transit" => self.tcp,
            "cleartext-password" | "failed-logins" => self.login,
            "second-start" => self.iec104,
            "unacknowledged-command" | "report-again" => self.dnp3,
            "clock-set" | "interrogation" | "new-master" | "no-select" => self.dnp3 || self.iec104,
            "reports-stop" => self.reported,
            "time-source" => self.time,
            "network-takeover" => self.takeover || self.icmp,
            "fingerprint" => self.tcp_start,
            "borrowed-name" => self.names,
            "new-point" | "value-range" => self.values || self.commanded,
            "frozen-values" => self.values,
            "period" => self.polled,
            "command-effect" => self.values && self.commanded,
            "second-session" => self.utility_tcp,
            "scan" => self.flows || self.claims,
            _ => self.flows,
        }
    }
}

#[cfg(test)]
mod tests {
    use gwcore::{FlowRef, Key, Op, Ts};

    use super::*;

    fn heard(bodies: Vec<Body>, ip_proto: u8) -> Heard {
        let flow = FlowConst { ip_proto, ..FlowConst::default() };
        let mut heard = Heard::default();
        for body in bodies {
            heard.fact(&Fact { key: Key::default(), ts: Ts(0), frame: 1, flow: FlowRef(0), body }, &flow);
        }
        heard
    }

    fn op(proto: &'static str, class: OpClass, is_answer: bool) -> Body {
        Body::Op(Op {
            proto,
            class,
            function: 1,
            name: "x",
            point: None,
            points: 0,
            value: None,
            action: "",
            is_answer,
            refused: None,
        })
    }

    #[test]
    fn without_any_packet_no_detector_is_at_work() {
        let at_work = crate::META.iter().filter(|m| Heard::default().has_input_of(m.id)).count();
        assert_eq!(at_work, 0);
    }

    #[test]
    fn what_waits_for_a_protocol_is_not_at_work_without_it() {
        let poll = heard(vec![Body::FlowStart, op("modbus", OpClass::Read, false)], 6);
        let has = |id| poll.has_input_of(id);
        assert!(has("control-operation") && has("period") && has("beacon") && has("second-session"));
        for id in ["refused-commands", "goose-state", "clock-set", "second-start", "contested-address", "frozen-values"]
        {
            assert!(!has(id), "{id}");
        }
        let iec = heard(vec![op("iec104", OpClass::Control, false), op("iec104", OpClass::Control, true)], 6);
        assert!(iec.has_input_of("second-start") && iec.has_input_of("refused-commands"));
        assert!(!iec.has_input_of("report-again"));
    }
}
