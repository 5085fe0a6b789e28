//! The HTML report: one file, no script, nothing loaded from anywhere, readable on paper and on a phone.

mod findings;
mod learned;
mod map;
mod text;
mod timeline;
mod unseen;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use detect::Device;
use gwcore::{Finding, Severity};

use crate::terminal::{bytes, duration, number};
use crate::{Overview, Summary};
use findings::{finding_list, operations};
use text::{cut, e, time, value};
use unseen::unseen;

/// Devices shown.
const DEVICES: usize = 500;

/// Points shown.
const POINTS: usize = 300;
/// Pairs of devices shown.
const TALKS: usize = 100;

pub use learned::{Learned, learned};

const STYLE: &str = include_str!("../report.css");

/// The page; without an overview (each file a world of its own) there is no map, no timeline and no table of points.
pub fn html(s: &Summary, devices: &[Device], findings: &[Finding], overview: Option<&Overview>) -> String {
    let nothing = Overview::default();
    let o = overview.unwrap_or(&nothing);
    let mut page = String::with_capacity(64 * 1024);
    let _ = write!(
        page,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <title>Gridwarden report</title><style>{STYLE}</style></head><body><main>"
    );
    verdict(&mut page, s, findings);
    contents(&mut page, o);
    timeline::timeline(&mut page, o, findings);
    finding_list(&mut page, findings);
    operations(&mut page, findings);
    map::map(&mut page, o, devices, findings);
    device_table(&mut page, devices);
    protocols(&mut page, s);
    conversations(&mut page, o, devices);
    points(&mut page, o, devices);
    unseen(&mut page, s, o);
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

fn contents(page: &mut String, o: &Overview) {
    page.push_str("<nav>");
    let drawn = !o.talks.is_empty();
    let sections = [
        ("timeline", "Timeline", o.span.is_some()),
        ("findings", "Findings", true),
        ("operations", "Operations", true),
        ("map", "Network map", drawn),
        ("devices", "Devices", true),
        ("protocols", "Protocols", true),
        ("conversations", "Who talks to whom", drawn),
        ("points", "Points", !o.points.is_empty()),
        ("unseen", "What was not seen", true),
    ];
    for (id, name, _) in sections.iter().filter(|s| s.2) {
        let _ = write!(page, "<a href=\"#{id}\">{name}</a>");
    }
    page.push_str("</nav>");
}

/// What people call a device: its name, else its first address.
fn called(devices: &BTreeMap<&str, &Device>, id: &str) -> String {
    let Some(d) = devices.get(id) else { return id.to_owned() };
    let address = d.ips.first().or(d.macs.first()).cloned().unwrap_or_default();
    match d.names.first() {
        Some(n) => format!("{} ({address})", cut(&n.name, 40)),
        None => address,
    }
}

fn by_id(devices: &[Device]) -> BTreeMap<&str, &Device> {
    devices.iter().map(|d| (d.id.as_str(), d)).collect()
}

fn conversations(page: &mut String, o: &Overview, devices: &[Device]) {
    if o.talks.is_empty() {
        return;
    }
    let devices = by_id(devices);
    page.push_str("<h2 id=\"conversations\">Who talks to whom</h2><div class=\"wide\"><table><thead><tr><th>Client</th><th>Server</th><th>Protocol</th><th>Conversations</th><th>Packets</th><th>Payload</th><th>Commands</th></tr></thead><tbody>");
    for t in o.talks.iter().take(TALKS) {
        let _ = write!(
            page,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            e(&called(&devices, &t.client)),
            e(&called(&devices, &t.server)),
            e(if t.proto.is_empty() { "not recognised" } else { t.proto }),
            number(t.conversations),
            number(t.packets),
            bytes(t.bytes),
            if t.commands > 0 { number(t.commands) } else { String::new() }
        );
    }
    page.push_str("</tbody></table></div>");
    more(page, o.talks.len(), TALKS, "conn");
}

fn points(page: &mut String, o: &Overview, devices: &[Device]) {
    if o.points.is_empty() {
        return;
    }
    let devices = by_id(devices);
    page.push_str("<h2 id=\"points\">Points</h2><div class=\"wide\"><table><thead><tr><th>Device</th><th>Point</th><th>Read or reported</th><th>Commanded</th><th>First</th><th>Last</th><th>Range</th><th>Bad quality</th></tr></thead><tbody>");
    // Commanded points first: they are what an operator is asked about.
    let mut rows: Vec<_> = o.points.iter().collect();
    rows.sort_by_key(|p| p.writes == 0);
    for p in rows.iter().take(POINTS) {
        let [first, last, min, max] = p.values.map(value);
        let _ = write!(
            page,
            "<tr><td>{}</td><td>{} {}, device address {}, point {}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{first}</td><td class=\"n\">{last}</td><td class=\"n\">{min} to {max}</td><td class=\"n\">{}</td></tr>",
            e(&called(&devices, &p.server)),
            e(p.proto),
            e(&p.point.table.replace('_', " ")),
            p.point.unit,
            p.point.address,
            number(p.reads),
            if p.writes > 0 { number(p.writes) } else { String::new() },
            if p.bad > 0 { number(p.bad) } else { String::new() }
        );
    }
    page.push_str("</tbody></table></div>");
    more(page, o.points.len(), POINTS, "point");
}

/// Says what a table left out and where it stands.
fn more(page: &mut String, all: usize, shown: usize, kind: &str) {
    if all > shown {
        let _ =
            write!(page, "<p>{} more; the records of kind {kind} have all of them.</p>", number((all - shown) as u64));
    }
}

fn device_table(page: &mut String, devices: &[Device]) {
    page.push_str("<h2 id=\"devices\">Devices</h2><div class=\"wide\"><table><thead><tr><th>Address</th><th>MAC, maker</th><th>Name</th><th>Roles</th><th>Speaks</th><th>Says it is</th><th>Seen</th></tr></thead><tbody>");
    let mut sorted: Vec<&Device> = devices.iter().collect();
    sorted.sort_by_key(|d| (d.roles.is_empty(), d.ips.first().cloned().unwrap_or_default(), d.id.clone()));
    for d in sorted.iter().take(DEVICES) {
        let names: Vec<&str> = d.names.iter().map(|n| n.name.as_str()).take(3).collect();
        let ips = if d.ips.is_empty() {
            "no IP".to_owned()
        } else {
            d.ips.iter().take(3).cloned().collect::<Vec<_>>().join("\n")
        };
        let _ = write!(
            page,
            "<tr><td class=\"a\">{}</td><td>{}<br><small>{}</small></td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"a\">{}<br><small>to {}</small></td></tr>",
            e(&ips),
            e(&d.macs.join(", ")),
            e(d.vendor.unwrap_or("maker unknown")),
            e(&names.join(", ")),
            e(&d.roles.join(", ").replace('_', " ")),
            e(&d.protocols.iter().take(8).cloned().collect::<Vec<_>>().join(", ")),
            e(&cut(&d.identity.values().cloned().collect::<Vec<_>>().join(", "), 80)),
            time(Some(&d.first_seen)),
            time(Some(&d.last_seen)),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_the_wire_stay_text() {
        let mut s = Summary { frames: 2, decoded: 1, ..Summary::default() };
        s.reasons.insert("<script>alert(1)</script>".into(), 1);
        s.services.insert("\"onload=x\u{1b}[0m".into(), 1);
        let page = html(&s, &[], &[], None);
        assert!(!page.contains("<script") && !page.contains("\"onload") && !page.contains('\u{1b}'));
        assert!(page.contains("&lt;script&gt;"));
    }
}
