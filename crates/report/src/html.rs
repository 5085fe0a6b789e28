//! The HTML report: one file, no script, nothing loaded from anywhere, readable on paper and on a phone.

use std::fmt::Write as _;

use detect::Device;
use gwcore::{Finding, Severity};

use crate::Summary;
use crate::terminal::{bytes, duration, number};

/// Findings of one severity shown whole; further ones are counted.
const SHOWN: usize = 100;
/// Devices shown.
const DEVICES: usize = 500;

const STYLE: &str = include_str!("report.css");

/// The page.
pub fn html(s: &Summary, devices: &[Device], findings: &[Finding]) -> String {
    let mut page = String::with_capacity(64 * 1024);
    let _ = write!(
        page,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <title>Gridwarden report</title><style>{STYLE}</style></head><body><main>"
    );
    verdict(&mut page, s, findings);
    contents(&mut page);
    finding_list(&mut page, findings);
    operations(&mut page, findings);
    device_table(&mut page, devices);
    protocols(&mut page, s);
    unseen(&mut page, s);
    let _ = write!(
        page,
        "<footer>Gridwarden {}. Times are UTC. Figures are counted, none is estimated.</footer></main></body></html>",
        e(&s.version)
    );
    page
}

fn verdict(page: &mut String, s: &Summary, findings: &[Finding]) {
    let alarms = findings.iter().filter(|f| f.severity >= Severity::Medium).count();
    let worst = findings.iter().map(|f| f.severity).max().unwrap_or(Severity::Info);
    let (class, words) = match (alarms, s.frames) {
        (_, 0) => ("none", "Nothing could be read".to_owned()),
        (0, _) => ("calm", "Nothing here asks for action".to_owned()),
        (1, _) => ("alarm", "One thing asks for attention".to_owned()),
        (n, _) => ("alarm", format!("{n} things ask for attention")),
    };
    let files = if s.files.len() == 1 { s.files[0].path.clone() } else { format!("{} files", s.files.len()) };
    let _ = write!(
        page,
        "<header class=\"{class}\"><p class=\"brand\">Gridwarden</p><h1>{words}</h1><p>{} · {} to {} · {}</p></header>",
        e(&files),
        e(&time(s.first.as_deref())),
        e(&time(s.last.as_deref())),
        duration(s.span_seconds)
    );
    let not = s.frames - s.decoded;
    let cards = [
        ("Packets", number(s.frames), format!("{} on the wire", bytes(s.bytes))),
        (
            "Not decoded",
            number(not),
            if not == 0 { "every packet has its conversation".into() } else { "reasons below".into() },
        ),
        ("Devices", number(s.assets), format!("{} conversations", number(s.records.get("conn").copied().unwrap_or(0)))),
        (
            "Findings",
            number(findings.len() as u64),
            format!("gravest: {}", if findings.is_empty() { "none" } else { worst.name() }),
        ),
    ];
    page.push_str("<section class=\"cards\">");
    for (name, value, note) in cards {
        let _ = write!(page, "<div><b>{value}</b><span>{name}</span><small>{note}</small></div>");
    }
    page.push_str("</section>");
}

fn contents(page: &mut String) {
    page.push_str(
        "<nav><a href=\"#findings\">Findings</a><a href=\"#operations\">Operations</a><a href=\"#devices\">Devices</a>\
         <a href=\"#protocols\">Protocols</a><a href=\"#unseen\">What was not seen</a></nav>",
    );
}

fn finding_list(page: &mut String, findings: &[Finding]) {
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
        "<article class=\"{0}\"><h3><span class=\"sev {0}\">{0}</span> {1}</h3><p>{2}</p><dl>\
         <dt>When</dt><dd>{3} to {4}, {5} in {6}</dd><dt>Observed</dt><dd>{7}</dd>",
        f.severity.name(),
        e(&f.title),
        e(&f.why),
        e(&time(Some(&f.ts.to_string()))),
        e(&time(Some(&f.ts_end.to_string()))),
        times(f.count),
        episodes(f.episodes.len() as u64 + f.episodes_more),
        e(&f.evidence.observed),
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
        let _ = write!(page, "<dt>Conversation</dt><dd><code>{}</code></dd>", e(uid));
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

fn operations(page: &mut String, findings: &[Finding]) {
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

fn device_table(page: &mut String, devices: &[Device]) {
    page.push_str("<h2 id=\"devices\">Devices</h2><div class=\"wide\"><table><thead><tr><th>Address</th><th>MAC, maker</th><th>Name</th><th>Roles</th><th>Speaks</th></tr></thead><tbody>");
    let mut sorted: Vec<&Device> = devices.iter().collect();
    sorted.sort_by_key(|d| (d.roles.is_empty(), d.ips.first().cloned().unwrap_or_default(), d.id.clone()));
    for d in sorted.iter().take(DEVICES) {
        let names: Vec<&str> = d.names.iter().map(|n| n.name.as_str()).take(3).collect();
        let ips = if d.ips.is_empty() {
            "no IP".to_owned()
        } else {
            d.ips.iter().take(3).cloned().collect::<Vec<_>>().join(", ")
        };
        let _ = write!(
            page,
            "<tr><td>{}</td><td>{}<br><small>{}</small></td><td>{}</td><td>{}</td><td>{}</td></tr>",
            e(&ips),
            e(&d.macs.join(", ")),
            e(d.vendor.unwrap_or("maker unknown")),
            e(&names.join(", ")),
            e(&d.roles.join(", ").replace('_', " ")),
            e(&d.protocols.iter().take(8).cloned().collect::<Vec<_>>().join(", "))
        );
    }
    page.push_str("</tbody></table></div>");
    if devices.len() > DEVICES {
        let _ = write!(page, "<p>{} more stand in assets.ndjson.</p>", devices.len() - DEVICES);
    }
}

fn protocols(page: &mut String, s: &Summary) {
    page.push_str("<h2 id=\"protocols\">Protocols</h2><table><thead><tr><th>Protocol</th><th>Conversations</th><th>Records</th></tr></thead><tbody>");
    let mut rows: Vec<_> = s.services.iter().collect();
    rows.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    for (name, n) in rows {
        let records = s.records.get(name.as_str()).map_or_else(String::new, |r| number(*r));
        let _ = write!(
            page,
            "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{records}</td></tr>",
            e(name),
            number(*n)
        );
    }
    page.push_str("</tbody></table>");
}

fn unseen(page: &mut String, s: &Summary) {
    page.push_str("<h2 id=\"unseen\">What was not seen</h2>");
    list(page, "Packets that were not decoded, by reason", &s.reasons, "Every packet was decoded to its conversation.");
    list(page, "Traffic that breaks its standard or could not be followed, by reason", &s.anomalies, "No odd traffic.");
    list(page, "Limits that were reached", &s.drops, "No limit was reached: nothing was left out for lack of room.");
    if s.panics > 0 {
        let _ = write!(page, "<p>Parsers failed {} times; those conversations were left undecoded.</p>", s.panics);
    }
    for f in s.files.iter().filter(|f| f.problem.is_some()).take(SHOWN) {
        let _ = write!(page, "<p>{}: {}</p>", e(&f.path), e(f.problem.as_deref().unwrap_or_default()));
    }
}

fn list(page: &mut String, title: &str, items: &std::collections::BTreeMap<String, u64>, none: &str) {
    if items.is_empty() {
        let _ = write!(page, "<p>{none}</p>");
        return;
    }
    let _ = write!(page, "<h3>{title}</h3><table><tbody>");
    let mut rows: Vec<_> = items.iter().collect();
    rows.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    for (name, n) in rows.iter().take(SHOWN) {
        let _ = write!(page, "<tr><td>{}</td><td class=\"n\">{}</td></tr>", e(&name.replace('_', " ")), number(**n));
    }
    page.push_str("</tbody></table>");
}

fn time(text: Option<&str>) -> String {
    text.map_or_else(|| "–".to_owned(), |t| t.get(..19).unwrap_or(t).replace('T', " "))
}

fn times(n: u64) -> String {
    if n == 1 { "once".to_owned() } else { format!("{} times", number(n)) }
}

fn episodes(n: u64) -> String {
    if n == 1 { "one episode".to_owned() } else { format!("{} episodes", number(n)) }
}

/// Text made safe for HTML: markup is escaped, control and direction characters stand as escapes.
fn e(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in crate::plain(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_the_wire_stay_text() {
        let mut s = Summary { frames: 2, decoded: 1, ..Summary::default() };
        s.reasons.insert("<script>alert(1)</script>".into(), 1);
        s.services.insert("\"onload=x\u{1b}[0m".into(), 1);
        let page = html(&s, &[], &[]);
        assert!(!page.contains("<script") && !page.contains("\"onload") && !page.contains('\u{1b}'));
        assert!(page.contains("&lt;script&gt;"));
    }
}
