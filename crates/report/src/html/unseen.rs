//! What was not seen: packets not decoded, odd traffic, limits, damaged files, and conversations of which one side is missing.

use std::fmt::Write as _;

use super::text::{cut, e, time};
use super::{View, end_table, table};
use crate::Summary;
use crate::terminal::{bytes, duration, number};

/// Rows and files named; further ones are in `summary.json`.
const SHOWN: usize = 100;

/// The section.
pub(super) fn unseen(page: &mut String, v: &View<'_>) {
    let s = v.s;
    page.push_str("<h2 id=\"unseen\">What was not seen</h2>");
    if s.frames == 0 {
        page.push_str("<p>Everything: no packet was read.</p>");
    } else {
        list(
            page,
            "Packets that were not decoded, by reason",
            &s.reasons,
            "Every packet was decoded to its conversation.",
        );
        unread(page, s);
        feed(page, v);
        one_sided(page, v);
        list(
            page,
            "Traffic that breaks its standard or could not be followed, by reason",
            &s.anomalies,
            "No odd traffic.",
        );
        list(
            page,
            "Limits that were reached",
            &s.drops,
            "No limit was reached: nothing was left out for lack of room.",
        );
    }
    if s.twins > 0 {
        let _ =
            write!(page, "<p>{} packets came twice from the mirror port and were counted once.</p>", number(s.twins));
    }
    if s.time_breaks > 0 {
        let _ = write!(page, "<p>The clock of the capture went back {}.</p>", super::text::times(s.time_breaks));
    }
    if s.panics > 0 {
        let _ = write!(page, "<p>Parsers failed {} times; those conversations were left undecoded.</p>", s.panics);
    }
    let problems: Vec<_> = s.files.iter().filter(|f| f.problem.is_some()).collect();
    for f in problems.iter().take(SHOWN) {
        let _ = write!(
            page,
            "<p>{}: {}</p>",
            e(&cut(&f.path, 200)),
            e(&cut(f.problem.as_deref().unwrap_or_default(), 300))
        );
    }
    if problems.len() > SHOWN {
        let _ = write!(
            page,
            "<p>{} more files with a problem stand in summary.json.</p>",
            number((problems.len() - SHOWN) as u64)
        );
    }
}

/// Payload that no parser read, by protocol and port.
fn unread(page: &mut String, s: &Summary) {
    let _ = write!(page, "<p>{}</p>", e(&s.read_to_content.say()));
    if s.unread.is_empty() {
        return;
    }
    table(
        page,
        "Payload that was not read, utility protocols first",
        &["Protocol and port", "Utility", "#Conversations", "#Packets", "Payload"],
    );
    for r in s.unread.iter().take(SHOWN) {
        let _ = write!(
            page,
            "<tr><td>{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td></tr>",
            e(&r.place()),
            if r.utility { "yes" } else { "no" },
            number(r.conversations),
            number(r.packets),
            bytes(r.bytes)
        );
    }
    end_table(page);
    if s.unread.len() > SHOWN {
        let _ = write!(page, "<p>{} more stand in summary.json.</p>", number((s.unread.len() - SHOWN) as u64));
    }
}

/// Pauses of the feed, missing bytes, cut packets.
fn feed(page: &mut String, v: &View<'_>) {
    if v.o.span.is_some() {
        let feed = &v.o.feed;
        match feed.gaps {
            0 => page.push_str("<p>No byte of a followed stream is missing.</p>"),
            n => {
                let _ = write!(
                    page,
                    "<p>{} of followed streams were sent but are not in the captures, in {} gaps.</p>",
                    bytes(feed.missing),
                    number(n)
                );
            }
        }
        if feed.paused == 0 {
            page.push_str("<p>There was no minute without a packet.</p>");
        } else {
            pauses(page, v);
        }
    }
    if let Some(most) = v.s.lost.values().max() {
        let _ =
            write!(page, "<p>The captures say that {} frames were lost before they were written.</p>", number(*most));
    }
    if v.s.cut_by_snaplen > 0 {
        let _ = write!(
            page,
            "<p>{} of {} packets were cut by the snap length; what they lack was not seen.</p>",
            number(v.s.cut_by_snaplen),
            number(v.s.frames)
        );
    }
}

fn pauses(page: &mut String, v: &View<'_>) {
    let feed = &v.o.feed;
    let _ = write!(
        page,
        "<details><summary>{} pauses of a minute or longer in which no packet at all was seen, {} together</summary>",
        number(feed.paused),
        duration(feed.silent as f64 / 1e9)
    );
    table(page, "Pauses of the whole feed", &["From (UTC)", "To", "For"]);
    for (from, to) in &feed.pauses {
        let _ = write!(
            page,
            "<tr><td>{}</td><td>{}</td><td>{}</td></tr>",
            time(Some(&from.to_string())),
            time(Some(&to.to_string())),
            duration(to.since(*from) as f64 / 1e9)
        );
    }
    end_table(page);
    if feed.paused > feed.pauses.len() as u64 {
        let _ = write!(page, "<p>These are the first {}.</p>", feed.pauses.len());
    }
    page.push_str("</details>");
}

fn list(page: &mut String, title: &str, items: &std::collections::BTreeMap<String, u64>, none: &str) {
    if items.is_empty() {
        let _ = write!(page, "<p>{none}</p>");
        return;
    }
    let mut rows: Vec<_> = items.iter().collect();
    rows.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let _ = write!(page, "<details><summary>{title}: {}</summary>", number(items.values().sum()));
    table(page, title, &["Reason", "#Times"]);
    for (name, n) in rows.iter().take(SHOWN) {
        let _ = write!(page, "<tr><td>{}</td><td class=\"n\">{}</td></tr>", e(&name.replace('_', " ")), number(**n));
    }
    end_table(page);
    page.push_str("</details>");
}

/// A mirror port that shows one direction only makes half of the checks blind, so it is said.
fn one_sided(page: &mut String, v: &View<'_>) {
    let o = v.o;
    if o.span.is_none() {
        return;
    }
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
        .map(|t| format!("{} {} to {}", t.proto, v.names.of(&t.client), v.names.of(&t.server)))
        .collect();
    let named = if utility.is_empty() {
        String::new()
    } else {
        format!(" Utility protocols among them: {}.", e(&utility.join("; ")))
    };
    let _ = write!(page, "<p>Of {} conversations {} show one side only.{named}</p>", number(all), number(half));
}
