//! Devices and findings for this crate's tests.

use detect::{Device, Named};
use gwcore::{Basis, Evidence, Finding, Party, Severity, Ts};

/// A device that was first seen at `first`.
pub(crate) fn device(id: &str, ips: &[&str], mac: &str, name: Option<&str>, first: &str) -> Device {
    Device {
        id: id.into(),
        macs: vec![mac.into()],
        ips: ips.iter().map(|ip| (*ip).to_owned()).collect(),
        vendor: None,
        names: name.map(|n| Named { name: n.into(), source: "dns" }).into_iter().collect(),
        virtual_mac: None,
        contested: Vec::new(),
        roles: Vec::new(),
        services: Vec::new(),
        level: None,
        formerly: Vec::new(),
        protocols: Vec::new(),
        identity: Default::default(),
        first_seen: first.into(),
        last_seen: first.into(),
        vlans: Vec::new(),
    }
}

/// A finding at `ts` nanoseconds from one device id to another.
pub(crate) fn finding(detector: &'static str, severity: Severity, ts: i64, (src, dst): (&str, &str)) -> Finding {
    let party = |id: &str| Party { asset: Some(id.into()), ..Party::default() };
    Finding {
        id: Finding::id_of(detector, src, Ts(ts)),
        rev: 1,
        ts: Ts(ts),
        ts_end: Ts(ts),
        raised: Ts(ts),
        episodes: Vec::new(),
        episodes_more: 0,
        detector,
        title: format!("{detector} of {src}"),
        severity,
        basis: Basis::Decoded,
        attack: vec!["T0848"],
        src: party(src),
        dst: party(dst),
        proto: "dnp3",
        uids: Vec::new(),
        community_id: None,
        packets: Vec::new(),
        why: format!("{src} did something to {dst}."),
        evidence: Evidence::default(),
        dedup_key: src.to_owned(),
        count: 1,
        flow: gwcore::FlowConst::default(),
    }
}
