//! Weekly operations: findings by day and by detector, devices concerned, cases and how long they took, what was not read.

use std::collections::BTreeMap;

use crate::ops::{Cell, Document, Ground, Section, by_severity, span, unread};

/// Makes it.
pub fn weekly(ground: &Ground<'_>) -> Document {
    let (from, to) = span(ground);
    let mut days: BTreeMap<String, [u64; 5]> = BTreeMap::new();
    let mut detectors: BTreeMap<&str, (u64, u64, gwcore::Severity)> = BTreeMap::new();
    let mut devices: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for f in ground.findings {
        let day = f.ts.to_string().get(..10).unwrap_or("").to_owned();
        days.entry(day).or_default()[f.severity as usize] += 1;
        let d = detectors.entry(&f.detector).or_insert((0, 0, f.severity));
        *d = (d.0 + 1, d.1 + f.count, d.2.max(f.severity));
        if f.severity >= gwcore::Severity::Low {
            devices.entry(f.src.shown()).or_default().0 += 1;
            devices.entry(f.dst.shown()).or_default().1 += 1;
        }
    }
    let mut by_day = Section::new(
        "days",
        "Findings by day",
        "By the day of the first packet (UTC).",
        &["Day", "Critical", "High", "Medium", "Low", "Info"],
    );
    for (day, n) in days {
        by_day.row(vec![day.into(), n[4].into(), n[3].into(), n[2].into(), n[1].into(), n[0].into()]);
    }
    let mut by_detector = Section::new(
        "detectors",
        "Findings by detector",
        "A finding folds repeats; `times seen` adds them up.",
        &["Detector", "Gravest", "Findings", "Times seen"],
    );
    by_detector.bars = Some(2);
    let mut list: Vec<_> = detectors.into_iter().collect();
    list.sort_by(|a, b| b.1.0.cmp(&a.1.0).then(a.0.cmp(b.0)));
    for (name, (n, seen, gravest)) in list {
        by_detector.row(vec![name.into(), gravest.name().into(), n.into(), seen.into()]);
    }
    let mut by_device = Section::new(
        "devices",
        "Devices concerned",
        "Findings of low or above in which a device acts, and in which it is the target.",
        &["Device", "Acts", "Is the target"],
    );
    let mut list: Vec<_> = devices.into_iter().collect();
    list.sort_by(|a, b| (b.1.0 + b.1.1).cmp(&(a.1.0 + a.1.1)).then(a.0.cmp(&b.0)));
    for (name, (acts, target)) in list {
        by_device.row(vec![name.into(), acts.into(), target.into()]);
    }
    let mut cases = Section::new(
        "cases",
        "Cases",
        "Hours from the first finding until somebody took it up, and until it was closed.",
        &[
            "Case",
            "Severity",
            "State",
            "Owner",
            "Findings",
            "Hours until taken up",
            "Hours until closed",
            "Conclusion",
            "Id",
        ],
    );
    for c in ground.cases {
        let hours = |t: Option<gwcore::Ts>| {
            t.map(|t| (t.since(c.detected) as f64 / gwcore::time::HOUR as f64 * 10.0).round() / 10.0)
        };
        cases.row(vec![
            c.title.clone().into(),
            c.severity.name().into(),
            c.state.name().into(),
            c.owner.as_deref().unwrap_or("nobody").into(),
            (c.findings.len() as u64).into(),
            hours(c.taken_up).into(),
            hours(c.closed).into(),
            c.disposition.as_ref().map_or(Cell::Missing, |d| d.conclusion.clone().into()),
            c.id.clone().into(),
        ]);
    }
    Document {
        kind: "weekly",
        title: "Weekly operations".to_owned(),
        covers: format!("{from} to {to} (UTC)"),
        marking: ground.marking.to_owned(),
        figures: by_severity(ground.findings)
            .into_iter()
            .map(|(s, n)| (format!("{s} findings"), n.to_string()))
            .chain([
                ("cases".to_owned(), ground.cases.len().to_string()),
                ("devices".to_owned(), ground.devices.len().to_string()),
            ])
            .collect(),
        sections: vec![by_day, by_detector, by_device, cases, unread(ground)],
    }
}
