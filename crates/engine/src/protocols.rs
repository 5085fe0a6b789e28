//! The table of protocols in probe order: adding one is a folder and a line here.

use gwcore::{Columns, Kind};

proto::protocols! {
    /// Every protocol that can be decoded.
    pub enum AnyParser {
        Iec104: proto_ot::iec104::Iec104,
        Dnp3: proto_ot::dnp3::Dnp3,
        Modbus: proto_ot::modbus::Modbus,
        Tpkt: proto_ot::tpkt::Tpkt,
        Cotp: proto_ot::cotp::Cotp,
        S7: proto_ot::s7::S7,
        Goose: proto_ot::goose::Goose,
        Ptp: proto_ot::ptp::Ptp,
        Tls: proto_it::tls::Tls,
        Http: proto_it::http::Http,
        Ftp: proto_it::ftp::Ftp,
        Dhcp: proto_it::dhcp::Dhcp,
        Dns: proto_it::dns::Dns,
        Ntp: proto_it::ntp::Ntp,
    }
}

/// Every record kind, for the reference page and completeness tests.
pub fn kinds() -> Vec<&'static Kind> {
    let mut kinds = vec![
        proto::AnomalyColumns::kind(),
        flow::ConnColumns::kind(),
        flow::ConnPartColumns::kind(),
        flow::FlowStatsColumns::kind(),
        flow::FlowMinuteColumns::kind(),
        crate::points::PointColumns::kind(),
        crate::clock::TimeBreakColumns::kind(),
    ];
    kinds.extend(proto_ot::kinds());
    kinds.extend(proto_it::kinds());
    kinds.sort_by_key(|k| k.name);
    kinds
}
