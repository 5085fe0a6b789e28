//! Shift hand-over: what is open, what is new, what nobody has, what was not seen.

use respond::State;

use crate::ops::{Cell, Document, Ground, Section, by_severity, span, unread};

/// Makes it.
pub fn handover(ground: &Ground<'_>) -> Document {
    let (from, to) = span(ground);
    let mut open = Section::new(
        "open-cases",
        "Open cases",
        "The gravest first; `nobody` means that nobody has it.",
        &["Severity", "State", "Owner", "Case", "Since", "Last seen", "Id"],
    );
    let mut list: Vec<_> = ground.cases.iter().filter(|c| !matches!(c.state, State::Closed | State::Merged)).collect();
    list.sort_by(|a, b| b.severity.cmp(&a.severity).then(b.ended.cmp(&a.ended)));
    for c in &list {
        open.row(vec![
            c.severity.name().into(),
            c.state.name().into(),
            c.owner.as_deref().unwrap_or("nobody").into(),
            c.title.clone().into(),
            c.occurred.to_string().into(),
            c.ended.to_string().into(),
            c.id.clone().into(),
        ]);
    }
    let mut notes = Section::new(
        "notes",
        "What people did",
        "Entries of people in the timelines, the newest first.",
        &["Time", "Who", "Case", "What"],
    );
    let mut entries: Vec<_> =
        ground.cases.iter().flat_map(|c| c.timeline.iter().filter(|e| e.by.is_person).map(move |e| (e, c))).collect();
    entries.sort_by_key(|e| std::cmp::Reverse(e.0.at));
    for (e, c) in entries {
        notes.row(vec![e.at.to_string().into(), e.by.name.clone().into(), c.id.clone().into(), e.text.clone().into()]);
    }
    let mut alarms = Section::new(
        "alarms",
        "Alarms",
        "Findings of medium or above, the newest first.",
        &["Time", "Severity", "Finding", "From", "To", "Case"],
    );
    let mut found: Vec<_> = ground.findings.iter().filter(|f| f.severity >= gwcore::Severity::Medium).collect();
    found.sort_by_key(|f| std::cmp::Reverse(f.ts));
    for f in found {
        let case = ground.cases.iter().find(|c| c.findings.iter().any(|m| m.id == f.id)).map(|c| c.id.clone());
        alarms.row(vec![
            f.ts.to_string().into(),
            f.severity.name().into(),
            f.title.clone().into(),
            f.src.shown().into(),
            f.dst.shown().into(),
            case.map_or(Cell::Missing, Cell::Text),
        ]);
    }
    let unowned = list.iter().filter(|c| c.owner.is_none()).count();
    Document {
        kind: "handover",
        title: "Shift hand-over".to_owned(),
        covers: format!("{from} to {to} (UTC)"),
        marking: ground.marking.to_owned(),
        figures: [
            ("open cases".to_owned(), list.len().to_string()),
            ("without an owner".to_owned(), unowned.to_string()),
        ]
        .into_iter()
        .chain(
            by_severity(ground.findings)
                .into_iter()
                .filter(|(s, _)| matches!(*s, "critical" | "high" | "medium"))
                .map(|(s, n)| (format!("{s} findings"), n.to_string())),
        )
        .collect(),
        sections: vec![open, alarms, notes, unread(ground)],
    }
}
