//! The records that others' messages become: flows beside `conn`, log lines, and what does not fit.

use gwcore::{Addr, Body, Columns, FlowConst, Hex, Kind, Span, Sym, Text, Ts, Uid};

use engine::Ingested;
use flow::Conn;

use crate::flows::{Exported, Version};

gwcore::record! {
    /// One exported flow as its exporter told it; the `conn` row with the same uid holds what follows from it.
    pub struct FlowExport, FlowExportColumns = "flow_export", Flow {
        /// Format: netflow5, netflow9, ipfix or sflow5.
        version: Sym,
        /// Who exported it.
        exporter: Addr,
        /// Observation domain, source or engine id of the exporter.
        domain: u32,
        /// Bytes from source to destination as exported, before scaling.
        raw_bytes: u64 ["B"],
        /// Packets from source to destination as exported.
        raw_packets: u64,
        /// Packets of which one was looked at; 1 for all. The counters of the `conn` row are multiplied by it.
        sampling: u32,
        /// Whether packets were sampled: what is not told of then may still have been there.
        sampled: bool,
        /// Whether source and destination were exchanged for the `conn` row, because the source's port is that of a service.
        turned: bool,
        /// SNMP index of the interface it came in by.
        ingress: u32,
        /// SNMP index of the interface it went out by.
        egress: u32,
        /// TCP flags of all its packets together.
        tcp_flags: u16,
        /// Type of service.
        tos: u8,
        /// Why it ended (IANA ipfix 136): 1 idle, 2 active time-out, 3 end seen, 4 forced, 5 lack of resources; absent where not stated.
        end_reason: Option<u8>,
        /// Autonomous system of the source.
        src_as: u32,
        /// Autonomous system of the destination.
        dst_as: u32,
        /// Router it was sent to next.
        next_hop: Option<Addr>,
        /// Application, as the exporter names it.
        application: Option<Text>,
        /// When the exporter sent the message, by its own clock.
        exported: Option<Ts>,
        /// By how much the exporter's clock was put right; absent where it was not.
        skew: Option<Span> ["s"],
    }
}

gwcore::record! {
    /// One line of a log (RFC 3164, RFC 5424), with what CEF, LEEF or structured data says in it.
    pub struct LogLine, LogLineColumns = "log", Event {
        /// How it was read: rfc3164, rfc5424, cef, leef or text.
        format: Sym,
        /// Facility (RFC 5424 §6.2.1).
        facility: Option<u8>,
        /// Severity: 0 emergency to 7 debug.
        severity: Option<u8>,
        /// Host that the line names.
        host: Option<Text>,
        /// Program.
        app: Option<Text>,
        /// Process.
        process: Option<Text>,
        /// Kind of message.
        message_id: Option<Text>,
        /// The message.
        message: Text,
        /// What it tells of: login, login_failed, logout, setting_change, link_up, link_down, restart; absent where no parser knows.
        event: Option<Sym>,
        /// User it names.
        user: Option<Text>,
        /// Address it names beside its sender.
        address: Option<Addr>,
        /// Names of its fields, where it has any.
        field_names: gwcore::List<Text>,
        /// Their values.
        field_values: gwcore::List<Text>,
        /// By how much its time lay off that of its receipt; absent where it was taken over as it is.
        skew: Option<Span> ["s"],
    }
}

gwcore::record! {
    /// What came from another source and does not fit.
    pub struct Quarantine, QuarantineColumns = "quarantine", Event {
        /// Kind of source.
        source: Sym,
        /// Why: a fixed word.
        reason: Sym,
        /// Its first bytes.
        data: Hex,
    }
}

/// The kinds that this crate writes.
pub fn kinds() -> Vec<&'static Kind> {
    vec![FlowExportColumns::kind(), LogLineColumns::kind(), QuarantineColumns::kind()]
}

/// Ports of utility protocols and of services whose server is never the one with the high port.
fn is_service(port: u16) -> bool {
    port < 1_024
        || matches!(
            port,
            2_404 | 4_840 | 20_000 | 19_998 | 44_818 | 47_808 | 1_883 | 3_389 | 5_432 | 1_433 | 8_080 | 8_443 | 3_306
        )
}

/// What is said of a flow beside itself.
pub(crate) struct About {
    pub(crate) version: Version,
    pub(crate) exporter: Addr,
    pub(crate) domain: u32,
    pub(crate) exported: Option<Ts>,
    pub(crate) skew: Option<i64>,
    /// Index of the source among the files.
    pub(crate) file: u32,
    pub(crate) number: u64,
}

/// Writes an exported flow as `conn` and `flow_export` rows and the facts of its beginning and end.
pub(crate) fn flow(to: &mut Ingested, f: &Exported, about: &About, start: Ts, end: Ts) {
    let ports = matches!(f.proto, 6 | 17 | 132 | 33 | 136);
    // One-way flows: who serves is told by the port, where only one side's is that of a service.
    let turned = ports && f.reverse.is_none() && is_service(f.src_port) && !is_service(f.dst_port);
    let (a, b) = ((f.src, f.src_port, f.src_mac), (f.dst, f.dst_port, f.dst_mac));
    let (orig, resp) = if turned { (b, a) } else { (a, b) };
    let constant = FlowConst {
        uid: uid(a, b, f.proto, about.exporter, start),
        src: orig.0,
        dst: resp.0,
        src_port: orig.1,
        dst_port: resp.1,
        // The MAC addresses of an exporter are those of its neighbours, not of the hosts: they must not make devices.
        vlans: [if f.vlan == 0 { 0xffff } else { f.vlan }, 0xffff],
        ip_proto: f.proto,
        interface: u32::MAX,
        file: about.file,
        ..FlowConst::default()
    };
    let reference = to.flow(constant);
    let forward = (f.bytes, f.packets);
    let back = f.reverse.unwrap_or_default();
    let (orig_n, resp_n) = if turned { (back, forward) } else { (forward, back) };
    let proto = match f.proto {
        6 => "tcp",
        17 => "udp",
        1 | 58 => "icmp",
        _ => "unknown_transport",
    };
    to.fact(start, about.number, reference, Body::FlowStart);
    to.row(
        start,
        about.number,
        reference,
        Conn {
            proto,
            service: None,
            duration: (end > start).then(|| Span(end.since(start))),
            orig_bytes: None,
            resp_bytes: None,
            conn_state: "OTH",
            local_orig: orig.0.is_local(),
            local_resp: resp.0.is_local(),
            missed_bytes: 0,
            history: None,
            orig_pkts: orig_n.1,
            orig_ip_bytes: orig_n.0,
            resp_pkts: resp_n.1,
            resp_ip_bytes: resp_n.0,
            tunnel: None,
            dup_pkts: 0,
            handshake_rtt: None,
            data_rtt_min: None,
            data_rtt_mean: None,
            orig_retransmitted_bytes: 0,
            resp_retransmitted_bytes: 0,
            zero_window: Span(0),
            out_of_order: 0,
            overlaps: 0,
            end_reason: "exported",
        },
    );
    to.row(
        start,
        about.number,
        reference,
        FlowExport {
            version: about.version.name(),
            exporter: about.exporter,
            domain: about.domain,
            raw_bytes: f.raw.0,
            raw_packets: f.raw.1,
            sampling: f.sampling.max(1),
            sampled: f.sampling > 1,
            turned,
            ingress: f.ingress,
            egress: f.egress,
            tcp_flags: f.tcp_flags,
            tos: f.tos,
            end_reason: (f.end_reason != 0).then_some(f.end_reason),
            src_as: f.asn.0,
            dst_as: f.asn.1,
            next_hop: (!f.next_hop.is_none() && f.next_hop != Addr::v4([0; 4])).then_some(f.next_hop),
            application: f.application.as_deref().map(str::as_bytes),
            exported: about.exported,
            skew: about.skew.map(Span),
        },
    );
    to.fact(
        end,
        about.number,
        reference,
        Body::FlowEnd { state: "OTH", packets: [orig_n.1, resp_n.1], bytes: [orig_n.0, resp_n.0], start, service: "" },
    );
}

/// Of one exported flow, as its exporter directs it: the two directions of a conversation are two rows with two uids, else joining `conn` with
/// `flow_export` would count both twice. What joins the two is the community id.
fn uid(a: (Addr, u16, gwcore::Mac), b: (Addr, u16, gwcore::Mac), proto: u8, exporter: Addr, start: Ts) -> Uid {
    let mut bytes = Vec::with_capacity(64);
    for end in [a, b] {
        bytes.extend_from_slice(&end.0.0);
        bytes.extend_from_slice(&end.1.to_be_bytes());
    }
    bytes.push(proto);
    bytes.extend_from_slice(&exporter.0);
    bytes.extend_from_slice(&start.0.to_be_bytes());
    Uid::new(&bytes, 0)
}
