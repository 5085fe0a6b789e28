//! Findings that belong together: those around one device, the gravest group first.

use std::collections::BTreeMap;

use detect::Device;
use gwcore::{Finding, Party, Severity, Ts};

use crate::names::Names;

/// What is told of one device.
pub(crate) struct Group<'a> {
    /// Its id in the inventory, or its address.
    pub(crate) key: String,
    /// What people call it.
    pub(crate) label: String,
    /// The gravest first, then by time.
    pub(crate) findings: Vec<&'a Finding>,
}

impl Group<'_> {
    pub(crate) fn alarms(&self) -> usize {
        self.findings.iter().filter(|f| f.severity >= Severity::Medium).count()
    }

    /// Alarms, those of the same thing counted once.
    pub(crate) fn things(&self) -> usize {
        things(self.findings.iter().copied())
    }

    pub(crate) fn worst(&self) -> Severity {
        self.findings.first().map_or(Severity::Info, |f| f.severity)
    }

    /// First and last packet of all its findings.
    pub(crate) fn span(&self) -> (Ts, Ts) {
        let first = self.findings.iter().map(|f| f.ts).min().unwrap_or_default();
        (first, self.findings.iter().map(|f| f.ts_end).max().unwrap_or_default())
    }
}

/// Who a party is, as far as anything tells.
pub(crate) fn key(p: &Party) -> Option<&str> {
    p.asset.as_deref().or(p.ip.as_deref()).or(p.mac.as_deref())
}

/// Alarms that are told again and again of the same thing (each after an hour of silence) are one thing.
pub(crate) fn things<'a>(findings: impl Iterator<Item = &'a Finding>) -> usize {
    let alarms = findings.filter(|f| f.severity >= Severity::Medium);
    alarms.map(|f| (f.detector, f.dedup_key.as_str())).collect::<std::collections::BTreeSet<_>>().len()
}

/// Findings of the same thing together, in the order of their first.
pub(crate) fn same<'a>(findings: &[&'a Finding]) -> Vec<Vec<&'a Finding>> {
    let (mut places, mut all) = (BTreeMap::new(), Vec::<Vec<&Finding>>::new());
    for f in findings {
        let place = *places.entry((f.detector, f.dedup_key.as_str())).or_insert(all.len());
        match all.get_mut(place) {
            Some(told) => told.push(f),
            None => all.push(vec![f]),
        }
    }
    all
}

/// The gravest first, then by time.
pub(crate) fn by_gravity(findings: &mut [&Finding]) {
    findings.sort_by(|a, b| b.severity.cmp(&a.severity).then(a.ts.cmp(&b.ts)).then(a.id.cmp(&b.id)));
}

/// Findings above fact by the device they are about: of those that a finding names, the one from which most alarms come.
pub(crate) fn groups<'a>(findings: &'a [Finding], devices: &[Device]) -> Vec<Group<'a>> {
    let names = Names::new(devices);
    let macs: BTreeMap<&str, &str> =
        devices.iter().flat_map(|d| d.macs.iter().map(|m| (m.as_str(), d.id.as_str()))).collect();
    let mut score: BTreeMap<&str, u64> = BTreeMap::new();
    for f in findings.iter().filter(|f| f.severity >= Severity::Medium) {
        if let Some(source) = key(&f.src) {
            *score.entry(source).or_default() += 1;
        }
    }
    let mut groups: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for f in findings.iter().filter(|f| f.severity > Severity::Info) {
        let said = [Some(f.evidence.observed.as_str()), f.evidence.expected.as_deref()];
        let told =
            said.into_iter().flatten().flat_map(str::split_whitespace).filter_map(|word| macs.get(word).copied());
        let mut about = key(&f.src).unwrap_or_default();
        for other in key(&f.dst).into_iter().chain(told) {
            if score.get(other) > score.get(about) {
                about = other;
            }
        }
        groups.entry(about).or_default().push(f);
    }
    let mut groups: Vec<Group<'a>> = groups
        .into_iter()
        .map(|(key, mut findings)| {
            by_gravity(&mut findings);
            Group { label: label(&names, key, &findings), key: key.to_owned(), findings }
        })
        .collect();
    groups.sort_by(|a, b| {
        let order = b.worst().cmp(&a.worst()).then(b.alarms().cmp(&a.alarms()));
        order.then(a.span().0.cmp(&b.span().0)).then(a.key.cmp(&b.key))
    });
    groups
}

fn label(names: &Names<'_>, about: &str, findings: &[&Finding]) -> String {
    if names.device(about).is_some() {
        return names.of(about);
    }
    // No device of the inventory: a name that the finding bears is the site's.
    let party = findings.iter().flat_map(|f| [&f.src, &f.dst]).find(|p| key(p) == Some(about));
    match party.and_then(|p| p.name.as_deref()) {
        Some(name) => format!("{} ({about})", crate::html::cut(name, 40)),
        None if about.is_empty() => "no device named".to_owned(),
        None => about.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{device, finding};

    #[test]
    fn findings_stand_with_the_device_from_which_most_alarms_come() {
        let devices = [
            device("d1", &["10.0.0.77"], "00:00:00:00:00:77", None, "2026-01-01"),
            device("d2", &["10.0.0.9"], "00:00:00:00:00:09", None, "2026-01-01"),
            device("d3", &[], "00:00:00:00:00:03", None, "2026-01-01"),
        ];
        let mut doubled = finding("goose-state", Severity::High, 5, ("d3", "01:0c:cd:01:00:01"));
        doubled.evidence.observed = "stNum 9 from 00:00:00:00:00:77".into();
        let all = [
            finding("scan", Severity::Medium, 3, ("d1", "d2")),
            finding("new-master", Severity::Medium, 4, ("d1", "d2")),
            finding("contested-address", Severity::Medium, 2, ("d2", "d1")),
            doubled,
            finding("new-device", Severity::Low, 1, ("d2", "ff")),
            finding("control-operation", Severity::Info, 1, ("d2", "d1")),
        ];
        let got: Vec<_> = groups(&all, &devices)
            .iter()
            .map(|g| {
                (g.label.clone(), g.findings.iter().map(|f| f.detector).collect::<Vec<_>>(), g.alarms(), g.span().0.0)
            })
            .collect();
        let first = vec!["goose-state", "contested-address", "scan", "new-master"];
        assert_eq!(got, [("10.0.0.77".into(), first, 4, 2), ("10.0.0.9".into(), vec!["new-device"], 0, 1)]);
    }

    #[test]
    fn what_is_told_again_is_one_thing() {
        let mut all: Vec<Finding> = (0..4).map(|i| finding("scan", Severity::Medium, i, ("d1", "d2"))).collect();
        all[2].dedup_key = "another".into();
        all.push(finding("scan", Severity::Low, 9, ("d1", "d2")));
        assert_eq!(things(all.iter()), 2);
        let refs: Vec<&Finding> = all.iter().collect();
        let got: Vec<Vec<i64>> = same(&refs).iter().map(|told| told.iter().map(|f| f.ts.0).collect()).collect();
        assert_eq!(got, [vec![0, 1, 3, 9], vec![2]]);
    }
}
