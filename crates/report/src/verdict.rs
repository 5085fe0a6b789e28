//! Whether a run may say that all is well, and what it could not judge.

use serde::Serialize;

use crate::Summary;
use crate::terminal::number;
use crate::unread::{UnreadRow, packets};

/// Kinds of records of protocols that reach primary equipment: the detectors that need nothing learned judge these.
const UTILITY: &[&str] = &["modbus", "dnp3", "iec104", "s7comm", "goose"];
/// What office traffic is judged by, one detector for each: rules, intelligence, a baseline.
const GIVEN: &[&str] = &["rule-match", "intel-match", "new-conversation"];
/// Protocols and ports named in one line.
const NAMED: usize = 4;

/// The verdict of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Verdict {
    /// Nothing of medium or above was found, and everything that such a statement rests on was read.
    pub all_clear: bool,
    /// The verdict where nothing of medium or above was found; empty where something was.
    pub sentence: String,
    /// What could not be judged: sentences, gravest first.
    pub cannot_judge: Vec<String>,
}

impl Verdict {
    /// Judges by what was read; `alarms` is the number of findings of medium or above.
    pub fn of(s: &Summary, alarms: u64) -> Verdict {
        let (blocking, other) = limits(s);
        let utility: Vec<&UnreadRow> = s.unread.iter().filter(|r| r.utility).collect();
        let read = &s.read_to_content;
        let sentence = match () {
            () if alarms > 0 => String::new(),
            () if s.frames == 0 => "Nothing could be read".to_owned(),
            () if s.decoded == 0 || read.packets == 0 => {
                "Nothing could be judged: no payload was read to its content".to_owned()
            }
            () if !utility.is_empty() => {
                let n = utility.iter().map(|r| r.packets).sum();
                format!("No all-clear: {} of utility traffic could not be read", packets(n))
            }
            () if !is_judged(s) && blocking.len() == 1 => "No all-clear: no utility traffic was read".to_owned(),
            () if !blocking.is_empty() => "No all-clear: not everything could be read".to_owned(),
            () => "Nothing here asks for action".to_owned(),
        };
        let all_clear = alarms == 0 && blocking.is_empty();
        Verdict { all_clear, sentence, cannot_judge: blocking.into_iter().chain(other).collect() }
    }
}

/// What stands in the way of an all-clear, and what else was not read.
fn limits(s: &Summary) -> (Vec<String>, Vec<String>) {
    let (mut blocking, mut other) = (Vec::new(), Vec::new());
    let damaged = s.files.iter().filter(|f| matches!(f.status, "damaged" | "unreadable")).count() as u64;
    if s.frames == 0 {
        blocking.push(
            "No packet was read, so nothing is known: neither that something happened nor that nothing did.".to_owned(),
        );
    }
    if s.filtered > 0 {
        let all = packets(s.frames.saturating_add(s.filtered));
        blocking.push(format!("{} of {all} were left out by the filter and not read.", number(s.filtered)));
    }
    let utility: Vec<&UnreadRow> = s.unread.iter().filter(|r| r.utility).collect();
    let rest: Vec<&UnreadRow> = s.unread.iter().filter(|r| !r.utility).collect();
    if !utility.is_empty() {
        blocking.push(format!("Utility traffic was not read and not judged: {}.", listed(&utility)));
    }
    if s.frames > 0 && s.decoded == 0 {
        blocking.push(format!("None of the {} was decoded, so nothing was judged.", packets(s.frames)));
    } else if s.decoded < s.frames {
        let not = s.frames - s.decoded;
        blocking.push(format!("{} of {} were not decoded and not judged.", number(not), packets(s.frames)));
    }
    let read = &s.read_to_content;
    if read.payload_packets > 0 && read.packets == 0 {
        blocking.push(format!("Of {} with payload none was read to its content.", packets(read.payload_packets)));
    }
    if s.decoded > 0 && read.payload_packets == 0 {
        blocking.push("No packet with payload was seen: there was nothing to judge.".to_owned());
    }
    let cut = s.files.iter().filter(|f| f.truncated).count() as u64;
    if cut > 0 {
        let files = if cut == 1 { "file ends" } else { "files end" };
        other.push(format!("{} {files} within a packet; what came after it was not seen.", number(cut)));
    }
    if damaged > 0 {
        let (files, they) = if damaged == 1 { ("file", "it lacks") } else { ("files", "they lack") };
        blocking.push(format!("{} {files} could not be read completely; what {they} was not judged.", number(damaged)));
    }
    if s.cut_by_snaplen > 0 {
        let all = packets(s.frames);
        blocking.push(format!(
            "{} of {all} were cut by the snap length; what they lack was not judged.",
            number(s.cut_by_snaplen)
        ));
    }
    if s.decoded > 0 && read.packets > 0 && !is_judged(s) {
        blocking.push(
            "No utility traffic was read. Other traffic is judged by rules, intelligence and a baseline, and none of them was given.".to_owned(),
        );
    }
    if !rest.is_empty() {
        other.push(format!("Other traffic was not read: {}.", listed(&rest)));
    }
    (blocking, other)
}

/// Whether there was traffic of a kind that detectors judge, or anything was given to judge other traffic by.
fn is_judged(s: &Summary) -> bool {
    UTILITY.iter().any(|kind| s.records.get(*kind).is_some_and(|n| *n > 0))
        || s.detectors.iter().any(|d| GIVEN.contains(&d.detector) && d.at_work)
}

/// The first rows, and how many more there are.
pub(crate) fn listed(rows: &[&UnreadRow]) -> String {
    let mut said: Vec<String> = rows.iter().take(NAMED).map(|r| r.say()).collect();
    if let Some(more) = rows.len().checked_sub(NAMED).filter(|n| *n > 0) {
        let n = rows.iter().skip(NAMED).map(|r| r.packets).sum();
        said.push(format!("{} more protocols or ports: {}", number(more as u64), packets(n)));
    }
    said.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DetectorSummary, ReadToContent};

    fn row(port: u16, utility: bool) -> UnreadRow {
        UnreadRow {
            protocol: "tcp",
            port,
            utility,
            why: "no_parser",
            conversations: 1,
            packets: 9,
            bytes: 90,
            ..UnreadRow::default()
        }
    }

    fn summary(unread: Vec<UnreadRow>, read: u64) -> Summary {
        let read_to_content =
            ReadToContent { payload_packets: 50, payload_bytes: 500, packets: read, bytes: read * 10 };
        let records = [("modbus".to_owned(), 9)].into();
        Summary { frames: 100, decoded: 100, unread, read_to_content, records, ..Summary::default() }
    }

    #[test]
    fn there_is_no_all_clear_over_unread_utility_traffic() {
        let v = Verdict::of(&summary(vec![row(44_818, true), row(22, false)], 32), 0);
        assert!(!v.all_clear && v.sentence.starts_with("No all-clear: 9 packets of utility traffic"), "{v:?}");
        assert!(v.cannot_judge[0].contains("tcp/44818") && v.cannot_judge[1].contains("tcp/22"), "{v:?}");
    }

    #[test]
    fn what_the_filter_left_out_was_not_read() {
        let v = Verdict::of(&Summary { filtered: 900, ..summary(Vec::new(), 50) }, 0);
        assert!(!v.all_clear, "{v:?}");
        assert_eq!(v.cannot_judge, ["900 of 1,000 packets were left out by the filter and not read."]);
    }

    #[test]
    fn it_traffic_that_is_not_read_is_said_and_does_not_stand_in_the_way() {
        let v = Verdict::of(&summary(vec![row(22, false)], 41), 0);
        assert!(v.all_clear && v.sentence == "Nothing here asks for action", "{v:?}");
        assert_eq!(v.cannot_judge, ["Other traffic was not read: tcp/22: 9 packets."]);
    }

    #[test]
    fn office_traffic_alone_is_clear_only_by_what_was_given() {
        let office = Summary { records: [("http".to_owned(), 9)].into(), ..summary(Vec::new(), 50) };
        let v = Verdict::of(&office, 0);
        assert!(!v.all_clear && v.sentence == "No all-clear: no utility traffic was read", "{v:?}");
        let by = |detector, at_work| DetectorSummary { detector, at_work, ..DetectorSummary::default() };
        let clear = |detectors| Verdict::of(&Summary { detectors, ..office.clone() }, 0).all_clear;
        assert!(clear(vec![by("rule-match", true)]) && !clear(vec![by("rule-match", false), by("scan", true)]));
    }

    #[test]
    fn nothing_read_is_no_all_clear() {
        let none = Verdict::of(&Summary::default(), 0);
        assert!(!none.all_clear && none.sentence == "Nothing could be read", "{none:?}");
        let unread = Verdict::of(&summary(vec![row(1_883, false)], 0), 0);
        assert!(!unread.all_clear && unread.sentence.starts_with("Nothing could be judged"), "{unread:?}");
        let undecoded = Verdict::of(&Summary { frames: 3, ..Summary::default() }, 0);
        assert!(!undecoded.all_clear && undecoded.sentence.starts_with("Nothing could be judged"), "{undecoded:?}");
        let cut = Verdict::of(&Summary { cut_by_snaplen: 1, ..summary(Vec::new(), 50) }, 0);
        assert!(!cut.all_clear && cut.sentence == "No all-clear: not everything could be read", "{cut:?}");
        let alarm = Verdict::of(&summary(Vec::new(), 50), 1);
        assert!(!alarm.all_clear && alarm.sentence.is_empty());
        assert!(Verdict::of(&summary(Vec::new(), 50), 0).all_clear);
    }
}
