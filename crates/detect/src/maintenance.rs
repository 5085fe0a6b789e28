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
    /// From the text of `WINDOWS.csv`: `start,end[,asset][,reason]`, times in RFC 3339, a heading is optional.
    pub fn parse(text: &str) -> Result<Maintenance, String> {
        let mut windows = Vec::new();
        for (i, line) in text.lines().enumerate() {
            let line = line.trim();
            let fields = crate::csv::fields(line);
            let field = |n: usize| fields.get(n).map(|f| f.trim()).filter(|f| !f.is_empty());
            if line.is_empty() || line.starts_with('#') || (i == 0 && field(0) == Some("start")) {
                continue;
            }
            let moment = |n: usize| field(n).and_then(time::parse_rfc3339);
            let (Some(start), Some(end)) = (moment(0), moment(1)) else {
                return Err(format!("line {}: `{line}` does not begin with two times in RFC 3339", i + 1));
            };
            if end < start {
                return Err(format!("line {}: `{line}` ends before it begins", i + 1));
            }
            if windows.len() >= WINDOWS {
                return Err(format!("more than {WINDOWS} windows"));
            }
            let (asset, reason) = (field(2).map(str::to_owned), field(3).unwrap_or_default().to_owned());
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
    fn one_step_down_and_never_below_low() {
        use Severity::{Critical, High, Info, Low, Medium};
        assert_eq!([Critical, High, Medium, Low, Info].map(lowered), [High, Medium, Low, Low, Info]);
    }
}
