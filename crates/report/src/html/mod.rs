//! The HTML report: one file, no script, nothing loaded from anywhere, readable on paper, on a phone and by a screen reader.

mod attack;
mod commands;
mod facts;
mod findings;
mod learned;
mod map;
mod packets;
mod record;
mod tables;
mod text;
mod timeline;
mod unseen;
mod verdict;

use std::fmt::Write as _;

use detect::Device;
use gwcore::{Finding, Ts};

use crate::groups::{Group, groups};
use crate::names::Names;
use crate::{Origin, Overview, Summary};
pub(crate) use map::is_utility;
pub(crate) use text::{cut, e, value};

pub use learned::{Learned, learned};

const STYLE: &str = include_str!("../report.css");

/// What a report is made of. Without an overview (each file a world of its own) there is no map, no timeline, no table of points and commands.
#[derive(Clone, Copy)]
pub struct Page<'a> {
    /// Counts of the run.
    pub summary: &'a Summary,
    /// Devices.
    pub devices: &'a [Device],
    /// Findings.
    pub findings: &'a [Finding],
    /// Conversations, points, commands.
    pub overview: Option<&'a Overview>,
    /// Where it comes from.
    pub origin: &'a Origin,
}

/// What every section may look at.
struct View<'a> {
    s: &'a Summary,
    devices: &'a [Device],
    findings: &'a [Finding],
    o: &'a Overview,
    origin: &'a Origin,
    names: Names<'a>,
    groups: Vec<Group<'a>>,
}

/// The page.
pub fn html(p: &Page<'_>) -> String {
    let nothing = Overview::default();
    let view = View {
        s: p.summary,
        devices: p.devices,
        findings: p.findings,
        o: p.overview.unwrap_or(&nothing),
        origin: p.origin,
        names: Names::new(p.devices),
        groups: groups(p.findings, p.devices),
    };
    let mut body = String::with_capacity(64 * 1024);
    verdict::sources(&mut body, &view);
    timeline::timeline(&mut body, view.o, p.findings);
    findings::finding_list(&mut body, &view);
    commands::commands(&mut body, &view);
    facts::facts(&mut body, &view);
    map::map(&mut body, view.o, p.devices, p.findings, &view.names);
    tables::devices(&mut body, &view);
    tables::protocols(&mut body, view.s);
    tables::conversations(&mut body, &view);
    tables::points(&mut body, &view);
    unseen::unseen(&mut body, &view);
    record::record(&mut body, &view);
    let mut page = String::with_capacity(body.len() + 16 * 1024);
    open(&mut page, "Gridwarden report");
    verdict::verdict(&mut page, &view);
    contents(&mut page, &body);
    page.push_str(&body);
    close(&mut page, &p.summary.version);
    page
}

/// Everything before a page's first section.
pub(super) fn open(page: &mut String, title: &str) {
    let _ = write!(
        page,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <title>{}</title><style>{STYLE}</style></head><body><a class=\"skip\" href=\"#main\">To the content</a><main id=\"main\">",
        e(title)
    );
}

/// Everything after a page's last section.
pub(super) fn close(page: &mut String, version: &str) {
    let _ = write!(
        page,
        "<footer>Gridwarden {}. Times are UTC. Figures are counted, none is estimated.</footer></main></body></html>",
        e(version)
    );
}

/// Links to the sections that the body has.
fn contents(page: &mut String, body: &str) {
    page.push_str("<nav aria-label=\"Sections\">");
    let sections = [
        ("sources", "Where to look first"),
        ("timeline", "Timeline"),
        ("findings", "Findings"),
        ("commands", "Commands and answers"),
        ("facts", "Other facts"),
        ("map", "Network map"),
        ("devices", "Devices"),
        ("protocols", "Protocols"),
        ("conversations", "Who talks to whom"),
        ("points", "Points"),
        ("unseen", "What was not seen"),
        ("record", "Record for an audit"),
    ];
    for (id, name) in sections {
        if body.contains(&format!("<h2 id=\"{id}\">")) {
            let _ = write!(page, "<a href=\"#{id}\">{name}</a>");
        }
    }
    page.push_str("</nav>");
}

/// Opens a table with its caption, in a frame that scrolls rather than widen the page; a head with `#` is one of numbers.
fn table(page: &mut String, caption: &str, heads: &[&str]) {
    let _ = write!(
        page,
        "<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"{caption}\"><table><caption>{caption}</caption><thead><tr>"
    );
    for head in heads {
        let (class, head) = head.strip_prefix('#').map_or(("", *head), |head| (" class=\"n\"", head));
        let _ = write!(page, "<th scope=\"col\"{class}>{head}</th>");
    }
    page.push_str("</tr></thead><tbody>");
}

fn end_table(page: &mut String) {
    page.push_str("</tbody></table></div>");
}

/// How a stretch of time ended as seen from the end of the capture: still going on, or over since when.
fn until(v: &View<'_>, end: Ts) -> String {
    let Some((first, last)) = v.o.span else { return String::new() };
    let left = last.since(end).max(0);
    // Five minutes of silence end an episode (design §5); a shorter capture cannot tell.
    if left > 5 * gwcore::time::MINUTE {
        return format!("last seen {} before the end of the capture", crate::terminal::duration(left as f64 / 1e9));
    }
    if last.since(first) <= 5 * gwcore::time::MINUTE {
        return "the capture is too short to tell whether it ended".to_owned();
    }
    "went on to the end of the capture: check whether it still does".to_owned()
}

#[cfg(test)]
mod tests;
