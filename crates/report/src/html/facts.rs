//! Facts: what was seen and is no alarm, folded by kind with its count.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use gwcore::{Finding, Severity};

use super::text::{cut, e, moment};
use super::{View, end_table, table};
use crate::terminal::number;

/// Rows shown of one kind.
const SHOWN: usize = 40;

/// The section.
pub(super) fn facts(page: &mut String, v: &View<'_>) {
    page.push_str("<h2 id=\"facts\">Other facts</h2>");
    let mut kinds: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for f in v.findings.iter().filter(|f| f.severity == Severity::Info) {
        // The table of commands tells these with their answers.
        if v.o.commands.is_empty() || f.detector != "control-operation" {
            kinds.entry(f.detector).or_default().push(f);
        }
    }
    if kinds.is_empty() {
        page.push_str("<p>No configuration change, readable password or other fact was seen.</p>");
        return;
    }
    for (detector, facts) in kinds {
        let finds = detect::META.iter().find(|m| m.id == detector).map_or("", |m| m.finds);
        let _ = write!(page, "<details><summary>{}: {}</summary>", number(facts.len() as u64), e(finds));
        table(page, &e(finds), &["First", "What", "First value", "Usual", "#Times", "#Packet"]);
        for f in facts.iter().take(SHOWN) {
            let _ = write!(
                page,
                "<tr><td class=\"t\">{}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
                moment(&f.ts.to_string()),
                e(&cut(&f.title, 200)),
                e(&cut(&f.evidence.observed, 120)),
                e(&cut(f.evidence.expected.as_deref().unwrap_or_default(), 120)),
                number(f.count),
                f.packets.first().map_or(0, |p| p.frame)
            );
        }
        end_table(page);
        if facts.len() > SHOWN {
            let _ = write!(page, "<p>{} more stand in alerts.ndjson.</p>", number((facts.len() - SHOWN) as u64));
        }
        page.push_str("</details>");
    }
}
