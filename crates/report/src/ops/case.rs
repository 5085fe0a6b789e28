//! The report of a case: what happened in order, why its findings belong together, who did what, what is decided and what is not.

use respond::Case;

use crate::ops::{Cell, Document, Ground, Section};

/// Makes it.
pub fn case(case: &Case, ground: &Ground<'_>) -> Document {
    let mut findings = Section::new(
        "findings",
        "Findings",
        "In the order in which they began; the reason says why each was joined.",
        &["Time", "Severity", "Finding", "From", "To", "Why it was told", "Why it is here", "Times seen", "Id"],
    );
    for m in &case.findings {
        findings.row(vec![
            m.ts.to_string().into(),
            m.severity.name().into(),
            m.title.clone().into(),
            m.src.shown().into(),
            m.dst.shown().into(),
            m.why.clone().into(),
            m.join.reason.clone().into(),
            m.count.into(),
            m.id.clone().into(),
        ]);
    }
    let mut edges = Section::new(
        "who-to-whom",
        "Who did what to whom",
        "Pairs of devices with the findings between them.",
        &["From", "To", "Severity", "Findings", "Protocols"],
    );
    edges.bars = Some(3);
    for e in case.edges() {
        edges.row(vec![
            e.from.into(),
            e.to.into(),
            e.severity.name().into(),
            (e.findings.len() as u64).into(),
            e.protos.join(", ").into(),
        ]);
    }
    let mut techniques = Section::new(
        "techniques",
        "Techniques",
        "ATT&CK for ICS, in the order in which an intrusion usually goes. A technique is a description, not a conclusion.",
        &["Id", "Name", "Tactic"],
    );
    for (id, name, tactic) in case.techniques() {
        techniques.row(vec![id.into(), name.into(), tactic.named().1.into()]);
    }
    let mut timeline = Section::new(
        "timeline",
        "Timeline",
        "What was seen (packet time) and what people did (clock time).",
        &["Time", "Who", "Kind", "What"],
    );
    let mut entries: Vec<_> = case.timeline.iter().collect();
    entries.sort_by_key(|e| e.at);
    for e in entries {
        timeline.row(vec![
            e.at.to_string().into(),
            e.by.name.clone().into(),
            e.kind.clone().into(),
            e.text.clone().into(),
        ]);
    }
    let mut times = Section::new(
        "times",
        "Times and decisions",
        "The five times of an incident apart; what nobody did is said.",
        &["What", "When", "Who", "Remark"],
    );
    let mut put = |what: &str, at: Option<String>, who: &str, remark: &str| {
        times.row(vec![what.into(), at.map_or(Cell::Missing, Cell::Text), who.into(), remark.into()]);
    };
    put("first packet", Some(case.occurred.to_string()), "", "");
    put("raised", Some(case.detected.to_string()), "gridwarden", "");
    put(
        "taken up",
        case.taken_up.map(|t| t.to_string()),
        case.owner.as_deref().unwrap_or(""),
        if case.taken_up.is_none() { "nobody has taken it up" } else { "" },
    );
    match &case.determination {
        Some(d) => put("determined", Some(d.at.to_string()), &d.by, &format!("{}: {}", d.what.name(), d.reason)),
        None => put("determined", None, "", "no person has determined whether this is an incident"),
    }
    match &case.disposition {
        Some(d) => put(
            "closed",
            Some(d.at.to_string()),
            &d.by,
            &format!("{}; method {}; {}", d.conclusion, d.method, d.action),
        ),
        None => put("closed", None, "", "no person has evaluated it yet"),
    }
    let mut related = Section::new(
        "related",
        "Related cases",
        "They share a device with this one, and were not joined.",
        &["Case", "Why"],
    );
    for (id, reason) in &case.related {
        related.row(vec![id.clone().into(), reason.clone().into()]);
    }
    Document {
        kind: "case",
        title: case.title.clone(),
        covers: format!(
            "{}, {} to {} (UTC), state {}, owner {}",
            case.id,
            case.occurred,
            case.ended,
            case.state.name(),
            case.owner.as_deref().unwrap_or("nobody")
        ),
        marking: ground.marking.to_owned(),
        figures: vec![
            ("severity".to_owned(), case.severity.name().to_owned()),
            ("findings".to_owned(), case.findings.len().to_string()),
            ("an incident by determination".to_owned(), if case.is_incident() { "yes" } else { "no" }.to_owned()),
        ],
        sections: vec![findings, edges, techniques, times, timeline, related],
    }
}
