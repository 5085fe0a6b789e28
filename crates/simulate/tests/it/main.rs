//! What a simulation promises: sameness, twins, labels, and frames in which a second reader finds no fault.

mod reader;
mod tshark;

use reader::{Frame, frames};
use simulate::{Attack, Options, Summary, substation};

/// The capture, the labels, the labels of frames.
fn written(options: &Options) -> (Vec<u8>, String, String, Summary) {
    let (mut pcap, mut labels, mut frame_labels) = (Vec::new(), Vec::new(), Vec::new());
    let summary = substation(options).write(&mut pcap, &mut labels, &mut frame_labels).unwrap();
    (pcap, String::from_utf8(labels).unwrap(), String::from_utf8(frame_labels).unwrap(), summary)
}

fn options(seed: u64, minutes: u32, attacks: &[Attack]) -> Options {
    Options { seed, minutes, attacks: attacks.to_vec() }
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
    let one = written(&options(1, 3, &Attack::ALL));
    assert_eq!(one, written(&options(1, 3, &Attack::ALL)));
    let other = written(&options(2, 3, &Attack::ALL));
    assert_ne!(one.0[24..32], other.0[24..32], "the first frame's time");
    assert_ne!(one.3.start, other.3.start);
}

#[test]
fn frames_are_in_order_of_time_within_the_run() {
    let (pcap, _, _, summary) = written(&options(5, 4, &Attack::ALL));
    let frames = frames(&pcap);
    assert_eq!(frames.len() as u64, summary.frames);
    assert_eq!(pcap.len() as u64, summary.bytes);
    assert!(frames.is_sorted_by_key(|frame| frame.at));
    let span = frames[frames.len() - 1].at - frames[0].at;
    assert!((230_000_000..240_000_000).contains(&span), "{span}");
}

/// The promise of twins, for each attack alone, both, and none.
#[test]
fn attacks_leave_the_benign_frames_as_they_are() {
    for seed in [1, 8, 9] {
        let (pcap, labels, frame_labels, _) = written(&options(seed, 5, &[]));
        assert_eq!((labels.lines().count(), frame_labels.as_str()), (1, "frame,label\n"));
        let twin = frames(&pcap);
        for attacks in [&[Attack::Scan][..], &[Attack::UnauthorizedControl], &Attack::ALL] {
            let (pcap, _, frame_labels, _) = written(&options(seed, 5, attacks));
            let all = frames(&pcap);
            let hostile = labelled(&frame_labels);
            let mut numbers = hostile.iter().map(|(number, _)| *number).peekable();
            let benign: Vec<Frame> =
                (1..).zip(all).filter(|(n, _)| numbers.next_if_eq(n).is_none()).map(|(_, frame)| frame).collect();
            assert!(!hostile.is_empty());
            assert!(benign == twin, "seed {seed}, {attacks:?}");
        }
    }
}

#[test]
fn labels_point_to_the_frames_of_their_actor() {
    let (pcap, labels, frame_labels, summary) = written(&options(4, 6, &Attack::ALL));
    let frames = frames(&pcap);
    let hostile = labelled(&frame_labels);
    assert_eq!(hostile.len() as u64, summary.labelled_frames);
    let mut rows = labels.lines();
    assert_eq!(rows.next(), Some("start,end,attack,actor,target,first_frame,last_frame,frames"));
    for (row, (name, actor, mac)) in rows.zip([
        ("scan", "10.20.1.199", [0x00, 0xe0, 0x4c, 0x68, 0x0b, 0xc7]),
        ("unauthorized-control", "10.20.1.177", [0x00, 0xe0, 0x4c, 0x36, 0x1d, 0xb1]),
    ]) {
        let fields: Vec<&str> = row.split(',').collect();
        assert_eq!((fields[2], fields[3]), (name, actor));
        // Exactly the frames from or to the actor's hardware address carry its label.
        let its = |frame: &Frame| frame.bytes[..6] == mac || frame.bytes[6..12] == mac;
        let found: Vec<u64> = (1..).zip(&frames).filter(|(_, frame)| its(frame)).map(|(n, _)| n).collect();
        let named: Vec<u64> = hostile.iter().filter(|(_, label)| *label == name).map(|(n, _)| *n).collect();
        assert_eq!(found, named);
        let ends: Vec<u64> = fields[5..8].iter().map(|field| field.parse().unwrap()).collect();
        assert_eq!(ends, [found[0], found[found.len() - 1], found.len() as u64]);
        let micros = frames[found[0] as usize - 1].at % 1_000_000;
        assert!(fields[0].ends_with(&format!(".{micros:06}Z")), "{row}");
    }
}

#[test]
fn a_run_without_minutes_is_an_empty_capture() {
    let (pcap, labels, frame_labels, summary) = written(&options(1, 0, &Attack::ALL));
    assert_eq!((pcap.len(), summary.frames), (24, 0));
    assert_eq!((labels.lines().count(), frame_labels.lines().count()), (1, 1));
}
