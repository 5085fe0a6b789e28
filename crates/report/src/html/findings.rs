//! Findings by the device they are around: what, why, on what evidence, in which packets, which innocent causes, whom to ask.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use gwcore::{Basis, Finding, InPacket, Party, Severity};
use serde_json::Value;

use super::text::{cut, e, episodes, time, times};
use super::{View, attack, packets, until};
use crate::groups::{Group, same};
use crate::terminal::number;

/// Alarms shown whole, and as many low findings; further ones are counted.
const SHOWN: usize = 100;
/// Episodes and conversations named.
const NAMED: usize = 8;
/// Expected values named.
const EXPECTED: usize = 6;

/// Findings above fact, group by group.
pub(super) fn finding_list(page: &mut String, v: &View<'_>) {
    page.push_str("<h2 id=\"findings\">Findings</h2>");
    if v.groups.is_empty() {
        page.push_str(if v.origin.has("Baseline") {
            "<p>None above fact: nothing that was seen is out of what the baseline knows.</p>"
        } else {
            "<p>None above fact. No baseline was given, so nothing is judged for being new.</p>"
        });
        return;
    }
    page.push_str("<p>A finding states what was seen, never intent. Gravest first; what is told of one device stands together.</p>");
    let (mut alarms, mut lows) = (SHOWN, SHOWN);
    for (i, g) in v.groups.iter().enumerate() {
        group(page, v, i, g, (&mut alarms, &mut lows));
    }
    let left = |severe: bool| v.findings.iter().filter(|f| is(f, severe)).count().saturating_sub(SHOWN);
    if left(true) + left(false) > 0 {
        let _ = write!(
            page,
            "<p>{} more of medium or above and {} more low ones stand in alerts.ndjson.</p>",
            number(left(true) as u64),
            number(left(false) as u64)
        );
    }
}

/// Whether a finding is an alarm, or a low one.
fn is(f: &Finding, severe: bool) -> bool {
    if severe { f.severity >= Severity::Medium } else { f.severity == Severity::Low }
}

fn group(page: &mut String, v: &View<'_>, place: usize, g: &Group<'_>, (alarms, lows): (&mut usize, &mut usize)) {
    let severe: Vec<&Finding> = g.findings.iter().copied().filter(|f| is(f, true)).take(*alarms).collect();
    let low: Vec<_> = g.findings.iter().filter(|f| is(f, false)).take(*lows).collect();
    *alarms -= severe.len();
    *lows -= low.len();
    if severe.is_empty() && low.is_empty() {
        return;
    }
    let _ = write!(page, "<section class=\"group\" id=\"g-{place}\"><h3>Around {}</h3>", e(&g.label));
    for told in same(&severe) {
        let Some((first, again)) = told.split_first() else { continue };
        finding(page, v, first);
        if !again.is_empty() {
            let _ = write!(
                page,
                "<details><summary>The same {} more, the last time at {} UTC</summary>",
                times(again.len() as u64),
                time(again.iter().map(|f| f.ts).max().map(|ts| ts.to_string()).as_deref())
            );
            again.iter().for_each(|f| finding(page, v, f));
            page.push_str("</details>");
        }
    }
    if !low.is_empty() {
        let titles: Vec<String> = low.iter().take(3).map(|f| cut(&f.title, 80)).collect();
        let more = if low.len() > 3 { ", …" } else { "" };
        let _ = write!(
            page,
            "<details><summary>{} low: {}{more}</summary>",
            number(low.len() as u64),
            e(&titles.join(", "))
        );
        low.iter().for_each(|f| finding(page, v, f));
        page.push_str("</details>");
    }
    page.push_str("</section>");
}

fn finding(page: &mut String, v: &View<'_>, f: &Finding) {
    let _ = write!(
        page,
        "<article id=\"f-{0}\" class=\"{1}\"><h4><span class=\"sev {1}\">{1}</span> {2}</h4><p>{3}</p><dl>",
        e(&f.id),
        f.severity.name(),
        e(&cut(&f.title, 200)),
        e(&cut(&f.why, 600)),
    );
    row(page, "When", &when(v, f));
    row(page, "From", &party(v, &f.src));
    row(page, "To", &party(v, &f.dst));
    row(page, "Observed", &cut(&f.evidence.observed, 300));
    if let Some(expected) = &f.evidence.expected {
        row(page, "Expected", &cut(expected, 300));
    }
    if let (Some(value), Some(first)) = (&f.evidence.in_packet, f.packets.first()) {
        row(page, "In the bytes", &cut(&in_bytes(value, first.frame), 300));
    }
    if let Some(t) = f.evidence.threshold {
        row(page, "Threshold", &t.to_string());
    }
    for (name, value) in f.evidence.more.iter().filter(|(name, _)| !WORTH.contains(&name.as_str())).take(12) {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        row(page, &sentence(name), &cut(&text, 300));
    }
    row(page, "Rests on", &rests_on(f));
    if let Some(meta) = detect::META.iter().find(|m| m.id == f.detector) {
        row(page, "Innocent causes", meta.innocent);
        row(page, "Ask", meta.call);
    }
    row(page, "ATT&CK for ICS", &attack::named(&f.attack));
    page.push_str("</dl>");
    proof(page, f);
    page.push_str("</article>");
}

fn row(page: &mut String, name: &str, text: &str) {
    if !text.is_empty() {
        let _ = write!(page, "<dt>{}</dt><dd>{}</dd>", e(name), e(text));
    }
}

fn when(v: &View<'_>, f: &Finding) -> String {
    let state = until(v, f.ts_end);
    let state = if state.is_empty() { state } else { format!("; {state}") };
    format!(
        "{} to {} UTC, {} in {}{state}",
        time(Some(&f.ts.to_string())),
        time(Some(&f.ts_end.to_string())),
        times(f.count),
        episodes(f.episodes.len() as u64 + f.episodes_more),
    )
}

/// One end with all that is known of it: name, address, port, MAC, maker.
fn party(v: &View<'_>, p: &Party) -> String {
    let device = p.asset.as_deref().and_then(|id| v.names.device(id));
    // The name is the device's own: whoever took over an address does not bear its name here.
    let name = match device {
        Some(d) => v.names.name(d),
        None => p.name.as_deref(),
    };
    let port = p.port.map(|port| format!(" port {port}")).unwrap_or_default();
    let address = match (&p.ip, &p.mac) {
        (Some(ip), Some(mac)) => format!("{ip}{port}, MAC {mac}"),
        (Some(ip), None) => format!("{ip}{port}"),
        (None, Some(mac)) => format!("MAC {mac}"),
        (None, None) => String::new(),
    };
    let maker = device.and_then(|d| d.vendor).map(|m| format!(", {m}")).unwrap_or_default();
    match name {
        Some(name) => format!("{} ({address}{maker})", cut(name, 60)),
        None => format!("{address}{maker}"),
    }
}

fn rests_on(f: &Finding) -> String {
    let basis = match f.basis {
        Basis::Decoded => "what the packets say",
        Basis::Declared => "what the site declared",
        Basis::Learned => "what the baseline learned",
        Basis::Statistical => "a statistic",
        Basis::Signature => "a signature",
        Basis::Intelligence => "threat intelligence",
    };
    match worth(&f.evidence.more) {
        Some(sentence) => format!("{basis}: {sentence}"),
        None => basis.to_owned(),
    }
}

/// What an analyst needs to go to the packets and to other tools.
fn proof(page: &mut String, f: &Finding) {
    page.push_str("<details class=\"proof\"><summary>Packets, Wireshark filters, identifiers</summary><dl>");
    for (file, filter) in packets::frames(f) {
        let _ = write!(page, "<dt>Packets</dt><dd><code class=\"copy\">{}</code> in {}</dd>", e(&filter), e(&file));
    }
    if f.count > f.packets.len() as u64 {
        row(page, "Of them", &format!("that of the sentence and the first ones; {} in all", number(f.count)));
    }
    if let Some(filter) = packets::around(f) {
        let _ = write!(page, "<dt>All between the two</dt><dd><code class=\"copy\">{}</code></dd>", e(&filter));
    }
    if f.episodes.len() > 1 {
        let all: Vec<String> = f.episodes.iter().take(NAMED).map(episode).collect();
        let more = f.episodes.len() as u64 + f.episodes_more;
        let more = if more > NAMED as u64 { format!("; {} more", number(more - NAMED as u64)) } else { String::new() };
        row(page, "Episodes", &format!("{}{more}", all.join("; ")));
    }
    if !f.uids.is_empty() {
        let uids: Vec<&str> = f.uids.iter().take(NAMED).map(String::as_str).collect();
        let more = if f.uids.len() > NAMED { format!(" and {} more", f.uids.len() - NAMED) } else { String::new() };
        let _ = write!(page, "<dt>Conversation (uid)</dt><dd><code>{}</code>{more}</dd>", e(&uids.join(" ")));
    }
    if let Some(id) = &f.community_id {
        let _ = write!(page, "<dt>Community ID</dt><dd><code class=\"copy\">{}</code></dd>", e(id));
    }
    row(page, "Evidence sufficed", &format!("{} UTC", time(Some(&f.raised.to_string()))));
    let _ = write!(
        page,
        "<dt>Finding</dt><dd><code class=\"copy\">{}</code>, detector <code>{}</code>, revision {}</dd></dl></details>",
        e(&f.id),
        f.detector,
        f.rev
    );
}

fn episode(p: &gwcore::Episode) -> String {
    let end = p.ts_end.to_string();
    format!(
        "{} to {}, {}, packets {} to {}",
        time(Some(&p.ts.to_string())),
        end.get(11..19).unwrap_or(&end),
        times(p.count),
        p.first_frame,
        p.last_frame
    )
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

/// Where the value stands, and what would be expected in its place.
fn in_bytes(value: &InPacket, frame: u64) -> String {
    let plain = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    let expected: Vec<String> = value.expected.iter().take(EXPECTED).map(plain).collect();
    let more = if value.expected.len() > EXPECTED { " and others" } else { "" };
    let limit = |v: Option<f64>| v.map_or("any".to_owned(), |v| v.to_string());
    let usual = match value.range {
        Some([low, high]) => format!("; expected {} to {}", limit(low), limit(high)),
        None if expected.is_empty() => String::new(),
        None => format!("; expected {}{more}", expected.join(", ")),
    };
    format!("frame {frame}: {} is {}{usual}", value.field, plain(&value.observed))
}

/// A field name as a label.
fn sentence(name: &str) -> String {
    let mut text = name.replace('_', " ");
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_named_with_what_is_expected_there() {
        let of = |expected: &[i64], range| {
            let value = InPacket { range, ..InPacket::new("dnp3.objects.index", 9, expected.to_vec()) };
            in_bytes(&value, 77)
        };
        assert_eq!(of(&[0, 1], None), "frame 77: dnp3.objects.index is 9; expected 0, 1");
        assert_eq!(of(&[], Some([Some(1.5), None])), "frame 77: dnp3.objects.index is 9; expected 1.5 to any");
        assert_eq!(of(&[], None), "frame 77: dnp3.objects.index is 9");
        assert!(of(&[1, 2, 3, 4, 5, 6, 7], None).ends_with("5, 6 and others"));
        assert_eq!(
            in_bytes(&InPacket::new("src_ip", "10.0.0.9", ["10.0.0.1"]), 3),
            "frame 3: src_ip is 10.0.0.9; expected 10.0.0.1"
        );
    }
}
