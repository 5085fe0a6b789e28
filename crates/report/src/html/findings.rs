//! Findings and facts: what, why, on what evidence, in which packets, which innocent causes, whom to ask.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use gwcore::{Finding, Severity};
use serde_json::Value;

use super::text::{cut, e, episodes, time, times};
use crate::terminal::number;

/// Findings of one severity shown whole; further ones are counted.
const SHOWN: usize = 100;

/// Findings above fact, the gravest first.
pub(super) fn finding_list(page: &mut String, findings: &[Finding]) {
    page.push_str("<h2 id=\"findings\">Findings</h2>");
    let mut shown: Vec<&Finding> = findings.iter().filter(|f| f.severity > Severity::Info).collect();
    shown.sort_by(|a, b| b.severity.cmp(&a.severity).then(a.ts.cmp(&b.ts)).then(a.id.cmp(&b.id)));
    if shown.is_empty() {
        page.push_str("<p>None above fact. No baseline was given, so nothing is judged for being new.</p>");
    }
    for f in shown.iter().take(SHOWN) {
        finding(page, f);
    }
    if shown.len() > SHOWN {
        let _ = write!(page, "<p>{} more stand in alerts.ndjson.</p>", shown.len() - SHOWN);
    }
}

fn finding(page: &mut String, f: &Finding) {
    let packets: Vec<String> = f.packets.iter().take(12).map(|p| p.frame.to_string()).collect();
    let file = f.packets.first().map(|p| p.file.to_string()).unwrap_or_default();
    let _ = write!(
        page,
        "<article id=\"f-{8}\" class=\"{0}\"><h3><span class=\"sev {0}\">{0}</span> {1}</h3><p>{2}</p><dl>\
         <dt>When</dt><dd>{3} to {4}, {5} in {6}</dd><dt>Observed</dt><dd>{7}</dd>",
        f.severity.name(),
        e(&f.title),
        e(&f.why),
        e(&time(Some(&f.ts.to_string()))),
        e(&time(Some(&f.ts_end.to_string()))),
        times(f.count),
        episodes(f.episodes.len() as u64 + f.episodes_more),
        e(&f.evidence.observed),
        e(&f.id),
    );
    if let Some(expected) = &f.evidence.expected {
        let _ = write!(page, "<dt>Expected</dt><dd>{}</dd>", e(expected));
    }
    if let Some(t) = f.evidence.threshold {
        let _ = write!(page, "<dt>Threshold</dt><dd>{t}</dd>");
    }
    if !packets.is_empty() {
        let more = if f.packets.len() > 12 { " …" } else { "" };
        let _ = write!(page, "<dt>Packets</dt><dd>{}{more} of {}</dd>", packets.join(", "), e(&file));
    }
    if let Some(uid) = f.uids.first() {
        let id = f.community_id.as_deref().map(|c| format!(", Community ID <code>{}</code>", e(c))).unwrap_or_default();
        let _ = write!(page, "<dt>Conversation</dt><dd><code>{}</code>{id}</dd>", e(uid));
    }
    if let Some(sentence) = worth(&f.evidence.more) {
        let _ = write!(page, "<dt>Baseline</dt><dd>{}</dd>", e(&sentence));
    }
    for (name, value) in f.evidence.more.iter().filter(|(name, _)| !WORTH.contains(&name.as_str())).take(12) {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let _ = write!(page, "<dt>{}</dt><dd>{}</dd>", e(&sentence(name)), e(&cut(&text, 300)));
    }
    if let Some(meta) = detect::META.iter().find(|m| m.id == f.detector) {
        let _ =
            write!(page, "<dt>Innocent causes</dt><dd>{}</dd><dt>Ask</dt><dd>{}</dd>", e(meta.innocent), e(meta.call));
    }
    if !f.attack.is_empty() {
        let _ = write!(page, "<dt>ATT&amp;CK for ICS</dt><dd>{}</dd>", e(&f.attack.join(", ")));
    }
    page.push_str("</dl></article>");
}

/// Facts, one row each.
pub(super) fn operations(page: &mut String, findings: &[Finding]) {
    page.push_str("<h2 id=\"operations\">Operations and other facts</h2>");
    let facts: Vec<&Finding> = findings.iter().filter(|f| f.severity == Severity::Info).collect();
    if facts.is_empty() {
        page.push_str("<p>No control command, configuration change or readable password was seen.</p>");
        return;
    }
    page.push_str("<div class=\"wide\"><table><thead><tr><th>First</th><th>What</th><th>First value</th><th>Times</th><th>Packet</th></tr></thead><tbody>");
    for f in facts.iter().take(SHOWN * 2) {
        let _ = write!(
            page,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            e(&time(Some(&f.ts.to_string()))),
            e(&f.title),
            e(&f.evidence.observed),
            number(f.count),
            f.packets.first().map_or(0, |p| p.frame)
        );
    }
    page.push_str("</tbody></table></div>");
    if facts.len() > SHOWN * 2 {
        let _ = write!(page, "<p>{} more stand in alerts.ndjson.</p>", facts.len() - SHOWN * 2);
    }
}

/// Evidence that says what the baseline is worth, told in one sentence.
const WORTH: [&str; 4] = ["learned", "days_with_new", "kinds_known", "share_seen_once"];

fn worth(more: &BTreeMap<String, Value>) -> Option<String> {
    let text = |name: &str| more.get(name).map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned));
    let [learned, days, known] = [text("learned")?, text("days_with_new")?, text("kinds_known")?];
    let once = more
        .get("share_seen_once")
        .and_then(Value::as_f64)
        .map(|share| format!(", {:.0} % of them seen once", share * 100.0));
    Some(format!(
        "{learned}; of this kind {known} known{}; something new of it on {days} days",
        once.unwrap_or_default()
    ))
}

/// A field name as a label.
fn sentence(name: &str) -> String {
    let mut text = name.replace('_', " ");
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}
