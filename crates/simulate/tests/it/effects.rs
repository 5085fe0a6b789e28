//! What attacks do to the traffic of others, read from the capture.

use simulate::{Attack, Options, Role, substation};

use crate::reader::{Frame, frames};
use crate::{labelled, written};

const FRONT_END: u8 = 10;

/// A TCP payload with its ends' last address octets.
struct Data {
    at: u64,
    from: u8,
    to: u8,
    is_hostile: bool,
    bytes: Vec<u8>,
}

fn data(attack: Attack, actor: Role, seed: u64) -> Vec<Data> {
    let options = Options { seed, minutes: 30, attacks: vec![attack], actor, ..Options::default() };
    let (pcap, _, frame_labels, _) = written(&options);
    let hostile: Vec<u64> = labelled(&frame_labels).iter().map(|(n, _)| *n).collect();
    let of = |(n, frame): (u64, &Frame)| {
        let b = &frame.bytes;
        let start = 34 + usize::from(b[46] >> 4) * 4;
        let bytes = b.get(start..14 + usize::from(u16::from_be_bytes([b[16], b[17]]))).unwrap_or_default().to_vec();
        let is_data = b[12..14] == [8, 0] && b[23] == 6 && !bytes.is_empty();
        let is_hostile = hostile.binary_search(&n).is_ok();
        is_data.then(|| Data { at: frame.at, from: b[29], to: b[33], is_hostile, bytes })
    };
    (1..).zip(&frames(&pcap)).filter_map(of).collect()
}

/// The times between the first and the last of these.
fn span<'a>(found: impl Iterator<Item = &'a Data>) -> std::ops::Range<u64> {
    let times: Vec<u64> = found.map(|d| d.at).collect();
    times[0]..times[times.len() - 1]
}

#[test]
fn a_meter_in_listen_only_mode_answers_nobody() {
    for actor in Role::ALL {
        let all = data(Attack::Mode, actor, 6);
        let is_diagnosis = |d: &&Data| d.to == 61 && d.bytes.get(7) == Some(&8);
        assert_eq!(all.iter().filter(is_diagnosis).count(), 2);
        let silent = span(all.iter().filter(is_diagnosis));
        let within = |d: &&Data| silent.contains(&d.at);
        assert!(all.iter().filter(within).filter(|d| d.from == FRONT_END && d.to == 61).count() > 50);
        assert_eq!(all.iter().filter(within).filter(|d| d.from == 61).count(), 0, "{actor}");
        assert!(all.iter().any(|d| d.from == 61 && d.at > silent.end));
    }
}

#[test]
fn swallowed_commands_have_no_answers_and_polls_do() {
    let all = data(Attack::BlockCommand, Role::Known, 6);
    let is_select = |d: &&Data| d.is_hostile && d.from == FRONT_END && d.to == 52 && d.bytes.get(12) == Some(&3);
    let is_double = |d: &&Data| d.is_hostile && d.from == FRONT_END && d.to == 71 && d.bytes.get(6) == Some(&46);
    assert_eq!((all.iter().filter(is_select).count(), all.iter().filter(is_double).count()), (3, 3));
    for select in all.iter().filter(is_select) {
        let next = all.iter().find(|d| d.at > select.at && (d.from == 52 || d.to == 52)).unwrap();
        assert_eq!((next.from, next.bytes[12]), (FRONT_END, 1), "the next poll comes before any answer");
    }
    let confirms = |d: &&Data| d.is_hostile && d.from == 71 && d.bytes.get(6) == Some(&46);
    assert_eq!(all.iter().filter(confirms).count(), 0);
}

#[test]
fn withheld_reports_leave_the_link_up() {
    let all = data(Attack::BlockReporting, Role::New, 6);
    let through = |d: &&Data| d.is_hostile && d.from == 71;
    let held = span(all.iter().filter(through));
    let tests = all.iter().filter(through).filter(|d| d.bytes[2] == 0x83).count();
    assert!(tests >= 3, "{tests} link tests");
    let spontaneous = |d: &&Data| d.from == 71 && held.contains(&d.at) && d.bytes.get(8) == Some(&3);
    assert_eq!(all.iter().filter(spontaneous).count(), 0);
}

#[test]
fn after_a_takeover_the_front_end_hears_no_more_until_it_starts_again() {
    let all = data(Attack::Takeover, Role::Known, 6);
    let start = |d: &&Data| d.is_hostile && d.to == 71 && d.bytes[..3] == [0x68, 4, 7];
    assert_eq!(all.iter().filter(start).map(|d| d.from).collect::<Vec<_>>(), [40, FRONT_END]);
    let stopped = span(all.iter().filter(start));
    let reports = |to| {
        let is_report = |d: &&Data| d.from == 71 && d.to == to && d.bytes.get(8) == Some(&3);
        all.iter().filter(|d| stopped.contains(&(d.at - 500_000))).filter(is_report).count()
    };
    assert!(reports(40) > 5);
    assert_eq!(reports(FRONT_END), 0);
}

#[test]
fn replayed_answers_are_earlier_ones() {
    let all = data(Attack::Frozen, Role::Known, 6);
    let is_answer = |d: &&Data| d.from == 61 && d.to == FRONT_END && d.bytes.get(7) == Some(&4);
    let replayed: Vec<_> = all.iter().filter(is_answer).filter(|d| d.is_hostile).collect();
    assert!(replayed.len() > 50);
    for answer in &replayed {
        let same = |d: &&Data| !d.is_hostile && d.at < answer.at && d.bytes[7..] == answer.bytes[7..];
        assert!(all.iter().filter(is_answer).any(|d| same(&d)));
    }
    // Its relay says meanwhile that nothing flows.
    let open = |d: &&Data| d.from == 81 && d.bytes.windows(14).any(|text| text == b"\"closed\":false");
    assert!(all.iter().filter(open).any(|d| d.at > replayed[0].at));
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_written() {
    let options = Options { attacks: vec![Attack::MassTrip], actor: Role::Known, ..Options::default() };
    let mut pcap = Vec::new();
    let error = substation(&options).write(&mut pcap, std::io::sink(), std::io::sink()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    assert!(error.to_string().contains("`mass-trip` makes no sense by `known`, only by `master`"), "{error}");
    assert!(pcap.is_empty());
}
