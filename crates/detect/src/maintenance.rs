//! Declared work: windows of time, for a device or for all, in which what would be an alarm speaks one step lower.

use gwcore::{Severity, Ts, time};

/// One declared window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// First moment.
    pub start: Ts,
    /// Last moment.
    pub end: Ts,
    /// The device it is for, by address, MAC or declared name; none for all.
    pub asset: Option<String>,
    /// Why.
    pub reason: String,
}

/// All declared windows.
#[derive(Clone, Debug, Default)]
pub struct Maintenance {
    windows: Vec<Window>,
}

/// Windows accepted of one file; more are an error of whoever made it.
const WINDOWS: usize = 100_000;

impl Maintenance {
    /// From the text of `WINDOWS.csv`: `start,end[,asset][,reason]`, times in RFC 3339 or in seconds since 1970 with any fraction. A first line
    /// that begins with `start` is a heading; one that names an `asset` column says where it is, and one without says that there is none.
    pub fn parse(text: &str) -> Result<Maintenance, String> {
        let mut windows = Vec::new();
        let mut columns = (Some(2), Some(3));
        for (i, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let line = line.trim();
            let fields = crate::csv::fields(line);
            let field = |n: usize| fields.get(n).map(|f| f.trim()).filter(|f| !f.is_empty());
            if i == 0 && field(0).is_some_and(|f| f.starts_with("start")) {
                columns = headed(&fields);
                continue;
            }
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let at = |n: usize| field(n).and_then(moment);
            let (Some(start), Some(end)) = (at(0), at(1)) else {
                let what = "does not begin with two times, in RFC 3339 or in seconds since 1970";
                return Err(format!("line {}: `{}` {what}", i + 1, shown(line)));
            };
            if end < start {
                return Err(format!("line {}: `{}` ends before it begins", i + 1, shown(line)));
            }
            if windows.len() >= WINDOWS {
                return Err(format!("more than {WINDOWS} windows"));
            }
            let asset = columns.0.and_then(field).map(str::to_owned);
            let reason = columns.1.and_then(field).unwrap_or_default().to_owned();
            windows.push(Window { start, end, asset, reason });
        }
        Ok(Maintenance::new(windows))
    }

    /// From windows in any order.
    pub fn new(mut windows: Vec<Window>) -> Maintenance {
        windows.sort_by_key(|w| (w.start, w.end));
        Maintenance { windows }
    }

    /// Every window, by its start.
    pub fn windows(&self) -> &[Window] {
        &self.windows
    }

    /// The window that covers a moment and one of these names of devices.
    pub fn covers(&self, ts: Ts, is_named: impl Fn(&str) -> bool) -> Option<&Window> {
        let begun = self.windows.partition_point(|w| w.start <= ts);
        let begun = self.windows.get(..begun).unwrap_or_default();
        begun.iter().rev().find(|w| ts <= w.end && w.asset.as_deref().is_none_or(&is_named))
    }
}

/// Where asset and reason stand by a heading: under their names; without those the third column is the reason.
fn headed(heading: &[String]) -> (Option<usize>, Option<usize>) {
    let named = |name: &str| heading.iter().position(|f| f.trim() == name);
    let (asset, reason) = (named("asset"), named("reason"));
    let other = (2..heading.len()).find(|n| Some(*n) != asset);
    (asset, reason.or(other))
}

/// RFC 3339, or seconds since 1970 as capture tools print them.
fn moment(text: &str) -> Option<Ts> {
    time::parse_rfc3339(text).or_else(|| epoch(text))
}

fn epoch(text: &str) -> Option<Ts> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || (text.contains('.') && !is_number(fraction)) {
        return None;
    }
    let shown = fraction.get(..fraction.len().min(9)).unwrap_or_default();
    let nanos: i64 = format!("{shown:0<9}").parse().ok()?;
    let ns = whole.parse::<i64>().ok()?.checked_mul(time::SECOND)?.checked_add(nanos)?;
    Some(Ts(ns))
}

/// A line as an error shows it.
fn shown(line: &str) -> String {
    line.chars().take(80).collect()
}

/// One step down, never below low; facts stay facts.
pub(crate) fn lowered(severity: Severity) -> Severity {
    match severity {
        Severity::Critical => Severity::High,
        Severity::High => Severity::Medium,
        Severity::Medium | Severity::Low => Severity::Low,
        Severity::Info => Severity::Info,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gwcore::time::HOUR;

    #[test]
    fn windows_are_read_and_cover_their_ends() {
        let text = "start,end,asset,reason\n2026-03-01T10:00:00Z,2026-03-01T12:00:00Z,10.0.0.7,\"relay test, bay 3\"\n";
        let m = Maintenance::parse(text).unwrap();
        let w = m.windows()[0].clone();
        assert_eq!(
            (w.asset.as_deref(), w.reason.as_str(), w.end.since(w.start)),
            (Some("10.0.0.7"), "relay test, bay 3", 2 * HOUR)
        );
        let at = |ts, name: &'static str| m.covers(ts, |n| n == name).is_some();
        assert!(at(w.start, "10.0.0.7") && at(w.end, "10.0.0.7"));
        assert!(!at(w.end.plus(1), "10.0.0.7") && !at(w.start.plus(-1), "10.0.0.7") && !at(w.start, "10.0.0.8"));
        assert!(Maintenance::parse("2026-03-01T10:00:00Z,soon").is_err());
        assert!(Maintenance::parse("2026-03-01T10:00:00Z,2026-03-01T09:00:00Z").is_err());
        assert!(
            Maintenance::parse("2026-03-01T10:00:00Z,2026-03-01T11:00:00Z")
                .unwrap()
                .covers(w.start, |_| false)
                .is_some()
        );
    }

    #[test]
    fn seconds_since_1970_are_times_too() {
        let check = |text: &str, expect: Option<i64>| assert_eq!(moment(text).map(|t| t.0), expect, "{text}");
        check("1475568034.321650", Some(1_475_568_034_321_650_000));
        check("1475568034", Some(1_475_568_034_000_000_000));
        check("1475568034.1234567891", Some(1_475_568_034_123_456_789));
        check("2016-10-04T08:00:34.321650Z", Some(1_475_568_034_321_650_000));
        for bad in ["", ".5", "5.", "1e9", "-5", "+5", "9223372037", "99999999999999999999", "5.5.5", "\u{0665}"] {
            check(bad, None);
        }
    }

    #[test]
    fn headings_say_what_the_third_column_is() {
        let windows = |text: &str| Maintenance::parse(text).unwrap().windows().to_vec();
        let of = |text: &str| windows(text).first().map(|w| (w.asset.clone(), w.reason.clone())).unwrap();
        assert_eq!(of("1,2,10.0.0.7,test"), (Some("10.0.0.7".into()), "test".into()));
        let labels = "start_epoch_utc,end_epoch_utc,attack,arguments\n1.5,2.5,nmap,192.168.10.222\n";
        assert_eq!(of(labels), (None, "nmap".into()), "it names no asset: the window is for all");
        assert_eq!(of("start,end,reason,asset\n1,2,test,10.0.0.7"), (Some("10.0.0.7".into()), "test".into()));
        let wrong = Maintenance::parse("start,end\n1,2\n\n3,soon").unwrap_err();
        assert!(wrong.starts_with("line 4: `3,soon`"), "{wrong}");
    }

    #[test]
    fn one_step_down_and_never_below_low() {
        use Severity::{Critical, High, Info, Low, Medium};
        assert_eq!([Critical, High, Medium, Low, Info].map(lowered), [High, Medium, Low, Low, Info]);
    }
}
