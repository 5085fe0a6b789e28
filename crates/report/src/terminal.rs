//! The terminal page: at most 30 lines that say what was read, what was not and why, who is there, and what matters most.

use detect::Device;
use gwcore::{Finding, Severity};

use crate::groups::groups;
use crate::html::cut;
use crate::{Summary, UnreadRow};

/// Lines a page has at most.
const LINES: usize = 30;
/// Findings shown.
const FINDINGS: usize = 5;
/// Files with a problem shown.
const PROBLEMS: usize = 3;
/// Characters of a sentence or path; `alerts.ndjson` and `summary.json` have it whole.
const WIDTH: usize = 160;

/// The page as lines without colour or control characters.
pub fn page(s: &Summary, devices: &[Device], findings: &[Finding], report: &str, next: &str) -> Vec<String> {
    let mut lines = vec![headline(s), span(s)];
    let problems: Vec<_> = s.files.iter().filter(|f| f.problem.is_some() || f.note.is_some()).collect();
    lines.extend(problems.iter().take(PROBLEMS).map(|f| {
        let problem = f.problem.as_deref().or(f.note.as_deref()).unwrap_or_default();
        format!("  {}: {}", plain(&cut(&f.path, WIDTH)), plain(&cut(problem, WIDTH)))
    }));
    if problems.len() > PROBLEMS {
        lines.push(format!("  … {} more files with a problem", number((problems.len() - PROBLEMS) as u64)));
    }
    lines.push(not_decoded(s));
    let (utility, other): (Vec<&UnreadRow>, Vec<&UnreadRow>) = s.unread.iter().partition(|r| r.utility);
    for (kind, rows) in [("utility", utility), ("other", other)] {
        if !rows.is_empty() {
            lines.push(format!("Not read, {kind} traffic: {}", plain(&crate::verdict::listed(&rows))));
        }
    }
    if s.cut_by_snaplen > 0 {
        lines.push(format!(
            "Cut by the snap length: {} of {} packets; what they lack was not seen.",
            number(s.cut_by_snaplen),
            number(s.frames)
        ));
    }
    lines.extend(s.remarks.iter().map(|r| plain(r)));
    if !s.lost.is_empty() {
        let told = listed(s.lost.iter().map(|(who, n)| (*who, *n)), 3);
        lines.push(format!("Lost before they were captured, as the files say: {told}"));
    }
    lines.push(String::new());
    lines.push(format!("Devices: {}", by_role(devices)));
    lines.push(format!("Protocols (conversations): {}", protocols(s)));
    lines.push(format!("Records ({}): {}", s.detail, listed(s.records.iter().map(|(k, n)| (k.as_str(), *n)), 7)));
    if !s.anomalies.is_empty() {
        lines.push(format!("Odd traffic: {}", listed(s.anomalies.iter().map(|(k, n)| (k.as_str(), *n)), 5)));
    }
    if s.panics > 0 {
        lines.push(format!(
            "Parsers failed {} times; those conversations were left undecoded. Please report this.",
            s.panics
        ));
    }
    if !s.drops.is_empty() {
        lines.push(format!("Limits reached: {}", listed(s.drops.iter().map(|(k, n)| (k.as_str(), *n)), 5)));
    }
    lines.push(String::new());
    let verdict = crate::Verdict::of(s, findings.iter().filter(|f| f.severity >= Severity::Medium).count() as u64);
    if !verdict.sentence.is_empty() {
        lines.push(format!("Verdict: {}.", verdict.sentence));
    }
    lines.push(format!("Findings: {}{}", severities(s), around(findings, devices)));
    let mut worst: Vec<&Finding> = findings.iter().collect();
    worst.sort_by(|a, b| b.severity.cmp(&a.severity).then(a.ts.cmp(&b.ts)).then(a.id.cmp(&b.id)));
    for f in worst.iter().take(FINDINGS) {
        lines.push(format!("  {:<8} {} ({})", f.severity.name(), plain(&cut(&f.why, WIDTH)), times(f.count)));
    }
    if worst.len() > FINDINGS {
        lines.push(format!("  … {} more", number((worst.len() - FINDINGS) as u64)));
    }
    lines.push(String::new());
    if !report.is_empty() {
        lines.push(format!("Report: {report}"));
    }
    if !next.is_empty() {
        lines.push(format!("Next: {next}"));
    }
    lines.truncate(LINES);
    lines
}

/// Text from outside made harmless for a terminal: control characters stand as escapes.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

fn headline(s: &Summary) -> String {
    let read = s.files.iter().filter(|f| matches!(f.status, "read" | "damaged")).count();
    let files = if read == 1 { "1 file".to_owned() } else { format!("{} files", number(read as u64)) };
    let filtered = match s.filtered {
        0 => String::new(),
        n => format!(" ({} not read: the filter left them out)", number(n)),
    };
    format!("{files}, {} packets{filtered}, {} on the wire, {} conversations", number(s.frames), bytes(s.bytes), {
        number(s.records.get("conn").copied().unwrap_or(0))
    })
}

fn span(s: &Summary) -> String {
    match (&s.first, &s.last) {
        (Some(a), Some(b)) => {
            let cut = |t: &str| t.get(..19).unwrap_or(t).replace('T', " ");
            format!("{} to {} UTC ({})", cut(a), cut(b), duration(s.span_seconds))
        }
        _ => "no time to tell".to_owned(),
    }
}

fn not_decoded(s: &Summary) -> String {
    if s.frames == 0 {
        return "No packet was read: nothing is known of this network.".to_owned();
    }
    let content = s.read_to_content.say();
    if s.decoded == s.frames {
        return format!("Every packet was decoded to its conversation. {content}");
    }
    let mut reasons: Vec<_> = s.reasons.iter().collect();
    reasons.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let reasons = reasons.iter().take(4).map(|(k, n)| format!("{}: {}", plain(k).replace('_', " "), number(**n)));
    let reasons = reasons.collect::<Vec<_>>().join(", ");
    let content = if s.decoded == 0 { String::new() } else { format!(". {content}") };
    format!("Not decoded: {} of {} packets ({reasons}){content}", number(s.frames - s.decoded), number(s.frames))
}

/// Utility protocols first, then by conversations.
fn protocols(s: &Summary) -> String {
    let (utility, other): (Vec<_>, Vec<_>) =
        s.services.iter().map(|(k, n)| (k.as_str(), *n)).partition(|(k, _)| crate::html::is_utility(k));
    let parts = [listed(utility.into_iter(), 6), listed(other.into_iter(), 6)];
    let named: Vec<&str> = parts.iter().map(String::as_str).filter(|p| !p.is_empty()).collect();
    if named.is_empty() { "none recognised".to_owned() } else { named.join(", ") }
}

fn by_role(devices: &[Device]) -> String {
    let mut roles: std::collections::BTreeMap<&str, u64> = Default::default();
    for d in devices {
        for r in &d.roles {
            *roles.entry(r).or_default() += 1;
        }
    }
    let roles = listed(roles.into_iter(), 6);
    if roles.is_empty() { number(devices.len() as u64) } else { format!("{} ({roles})", number(devices.len() as u64)) }
}

fn listed<'a>(items: impl Iterator<Item = (&'a str, u64)>, most: usize) -> String {
    let mut all: Vec<_> = items.collect();
    all.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let more = all.len().saturating_sub(most);
    let mut text: Vec<String> =
        all.iter().take(most).map(|(k, n)| format!("{} {}", plain(k).replace('_', " "), number(*n))).collect();
    if more > 0 {
        text.push(format!("{more} more kinds"));
    }
    text.join(", ")
}

fn severities(s: &Summary) -> String {
    let order = [Severity::Critical, Severity::High, Severity::Medium, Severity::Low, Severity::Info];
    let said: Vec<String> = order
        .iter()
        .filter_map(|v| s.findings.get(v.name()).filter(|n| **n > 0).map(|n| format!("{n} {}", v.name())))
        .collect();
    if said.is_empty() { "none".to_owned() } else { said.join(", ") }
}

/// Around which device most alarms are, where it is more than one.
fn around(findings: &[Finding], devices: &[Device]) -> String {
    let groups = groups(findings, devices);
    let Some(first) = groups.first().filter(|g| g.alarms() > 1) else { return String::new() };
    let all: usize = groups.iter().map(|g| g.alarms()).sum();
    format!("; {} of {} alarms around {}", number(first.alarms() as u64), number(all as u64), plain(&first.label))
}

fn times(n: u64) -> String {
    if n == 1 { "once".to_owned() } else { format!("{} times", number(n)) }
}

pub(crate) fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

pub(crate) fn bytes(n: u64) -> String {
    match n {
        0..1_000 => format!("{n} bytes"),
        1_000..1_000_000 => format!("{:.1} kB", n as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", n as f64 / 1e6),
        _ => format!("{:.1} GB", n as f64 / 1e9),
    }
}

pub(crate) fn duration(seconds: f64) -> String {
    let s = seconds as u64;
    match s {
        0..60 => format!("{seconds:.1} seconds"),
        60..3_600 => format!("{} min {} s", s / 60, s % 60),
        3_600..172_800 => format!("{} h {} min", s / 3_600, s / 60 % 60),
        _ => format!("{} days {} h", s / 86_400, s / 3_600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_never_passes_thirty_lines_and_holds_no_control_characters() {
        let mut s = Summary { frames: 1_234_567, decoded: 1, ..Summary::default() };
        s.reasons.insert("evil\x1b[2J".into(), 3);
        for i in 0..50 {
            s.files.push(crate::FileSummary {
                path: format!("a\x07{i}"),
                problem: Some("bad\n".into()),
                ..Default::default()
            });
            for map in [&mut s.records, &mut s.anomalies, &mut s.services, &mut s.drops] {
                map.insert(format!("kind\r{i}"), i);
            }
        }
        (s.panics, s.cut_by_snaplen) = (1, 1);
        let findings: Vec<Finding> = (0..400)
            .map(|i| {
                let mut f = crate::testing::finding("scan", Severity::High, i, ("d\x1b1", "d2"));
                f.why = "y\x08".repeat(5_000);
                f
            })
            .collect();
        let lines = page(&s, &[], &findings, "r.html", "next");
        assert!(lines.len() <= LINES);
        assert_eq!(lines.last().map(String::as_str), Some("Next: next"));
        assert!(lines.iter().any(|l| l == "  … 47 more files with a problem"));
        assert!(lines.iter().any(|l| l.ends_with("; 400 of 400 alarms around d\\u{1b}1")), "{lines:?}");
        assert!(lines.iter().all(|l| l.len() < 1_000));
        assert!(lines.iter().all(|l| !l.chars().any(char::is_control)), "{lines:?}");
        assert!(lines[0].contains("1,234,567"));
    }

    #[test]
    fn nothing_read_is_no_praise() {
        let lines = page(&Summary::default(), &[], &[], "", "");
        assert!(
            lines.iter().any(|l| l.starts_with("No packet was read")) && !lines.iter().any(|l| l.starts_with("Every"))
        );
    }

    #[test]
    fn packets_that_were_cut_are_told() {
        let check = |cut: u64| {
            let s = Summary { frames: 86, decoded: 86, cut_by_snaplen: cut, ..Summary::default() };
            page(&s, &[], &[], "", "").into_iter().find(|l| l.starts_with("Cut by"))
        };
        assert_eq!(check(5).as_deref(), Some("Cut by the snap length: 5 of 86 packets; what they lack was not seen."));
        assert_eq!(check(0), None);
    }
}
