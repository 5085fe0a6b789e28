//! What was not seen: packets not decoded, odd traffic, limits, damaged files, and conversations of which one side is missing.

use std::fmt::Write as _;

use super::text::e;
use crate::terminal::number;
use crate::{Overview, Summary};

/// Rows and files named; further ones are in `summary.json`.
const SHOWN: usize = 100;

/// The section.
pub(super) fn unseen(page: &mut String, s: &Summary, o: &Overview) {
    page.push_str("<h2 id=\"unseen\">What was not seen</h2>");
    list(page, "Packets that were not decoded, by reason", &s.reasons, "Every packet was decoded to its conversation.");
    list(page, "Traffic that breaks its standard or could not be followed, by reason", &s.anomalies, "No odd traffic.");
    list(page, "Limits that were reached", &s.drops, "No limit was reached: nothing was left out for lack of room.");
    one_sided(page, o);
    if s.twins > 0 {
        let _ =
            write!(page, "<p>{} packets came twice from the mirror port and were counted once.</p>", number(s.twins));
    }
    if s.time_breaks > 0 {
        let _ = write!(page, "<p>The clock of the capture went back {} times.</p>", number(s.time_breaks));
    }
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

/// A mirror port that shows one direction only makes half of the checks blind, so it is said.
fn one_sided(page: &mut String, o: &Overview) {
    let (all, half) = o.talks.iter().fold((0, 0), |(a, h), t| (a + t.conversations, h + t.one_sided));
    if half == 0 {
        page.push_str("<p>Of every conversation both sides were seen.</p>");
        return;
    }
    let utility: Vec<String> = o
        .talks
        .iter()
        .filter(|t| t.one_sided > 0 && super::map::is_utility(t.proto))
        .take(5)
        .map(|t| format!("{} {} to {}", t.proto, t.client, t.server))
        .collect();
    let named = if utility.is_empty() {
        String::new()
    } else {
        format!(" Utility protocols among them: {}.", e(&utility.join("; ")))
    };
    let _ = write!(page, "<p>Of {} conversations {} show one side only.{named}</p>", number(all), number(half));
}
