//! What a simulation promises: sameness, twins, labels, and frames in which a second reader finds no fault.

mod effects;
mod leak;
mod packet;
mod reader;
mod tree;
mod tshark;
mod twins;

use std::collections::BTreeSet;

use reader::frames;
use simulate::{Attack, Options, Role, Summary, Trap, substation};

/// The capture, the labels, the labels of frames.
fn written(options: &Options) -> (Vec<u8>, String, String, Summary) {
    let (mut pcap, mut labels, mut frame_labels) = (Vec::new(), Vec::new(), Vec::new());
    let summary = substation(options).write(&mut pcap, &mut labels, &mut frame_labels).unwrap();
    (pcap, String::from_utf8(labels).unwrap(), String::from_utf8(frame_labels).unwrap(), summary)
}

fn options(seed: u64, minutes: u32, attacks: &[Attack]) -> Options {
    Options { seed, minutes, attacks: attacks.to_vec(), ..Options::default() }
}

/// Numbers and names of the labelled frames.
fn labelled(text: &str) -> Vec<(u64, &str)> {
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("frame,label"));
    lines
        .map(|line| {
            let (frame, label) = line.split_once(',').unwrap();
            (frame.parse().unwrap(), label)
        })
        .collect()
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_one_another_day() {
    let one = written(&options(1, 3, &Attack::by(Role::New)));
    assert_eq!(one, written(&options(1, 3, &Attack::by(Role::New))));
    let other = written(&options(2, 3, &Attack::by(Role::New)));
    assert_ne!(one.0[24..32], other.0[24..32], "the first frame's time");
    assert_ne!(one.3.start, other.3.start);
}

#[test]
fn frames_are_in_order_of_time_within_the_run() {
    let (pcap, _, _, summary) = written(&options(5, 4, &Attack::by(Role::New)));
    let frames = frames(&pcap);
    assert_eq!(frames.len() as u64, summary.frames);
    assert_eq!(pcap.len() as u64, summary.bytes);
    assert!(frames.is_sorted_by_key(|frame| frame.at));
    let span = frames[frames.len() - 1].at - frames[0].at;
    assert!((230_000_000..240_000_000).contains(&span), "{span}");
}

#[test]
fn a_run_without_minutes_is_an_empty_capture() {
    let (pcap, labels, frame_labels, summary) = written(&options(1, 0, &Attack::by(Role::New)));
    assert_eq!((pcap.len(), summary.frames), (24, 0));
    assert_eq!((labels.lines().count(), frame_labels.lines().count()), (1, 1));
}

#[test]
fn eight_hours_with_every_trap_have_all_rows() {
    let options = Options { seed: 12, minutes: 480, traps: Trap::ALL.to_vec(), ..Options::default() };
    let (pcap, labels, _, summary) = written(&options);
    assert_eq!(labels.lines().count(), 1 + Trap::ALL.len(), "{labels}");
    let frames = frames(&pcap);
    assert!(frames.is_sorted_by_key(|frame| frame.at));
    assert!((100_000..1_000_000).contains(&summary.frames), "{} frames", summary.frames);
}

/// Two days are days of one site: whoever speaks on one of them speaks on the other.
#[test]
fn the_site_does_not_depend_on_the_seed() {
    let speakers = |seed| {
        let frames = frames(&written(&options(seed, 60, &[])).0);
        frames.iter().map(|frame| frame.bytes[6..12].to_vec()).collect::<BTreeSet<_>>()
    };
    let (one, other) = (speakers(1), speakers(2));
    assert_eq!(one, other, "{:02x?}", one.symmetric_difference(&other).collect::<Vec<_>>());
    assert_eq!(one.len(), 19);
}
