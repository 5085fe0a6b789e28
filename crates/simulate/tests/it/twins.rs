//! Twins: the same seed with and without an attack, and what labels say of the difference.

use std::collections::{BTreeSet, HashSet};

use simulate::{Attack, Options, Role, Trap};

use crate::reader::{Frame, frames};
use crate::{labelled, written};

fn options(seed: u64, minutes: u32, attacks: &[Attack], actor: Role) -> Options {
    Options { seed, minutes, attacks: attacks.to_vec(), actor, ..Options::default() }
}

/// The pair of endpoints of an IPv4 frame, the smaller one first; hardware addresses for others.
fn conversation(frame: &Frame) -> [Vec<u8>; 2] {
    let b = &frame.bytes;
    let mut ends = match (&b[12..14], b[23]) {
        ([8, 0], 6 | 17) => [[&b[26..30], &b[34..36]].concat(), [&b[30..34], &b[36..38]].concat()],
        _ => [b[..6].to_vec(), b[6..12].to_vec()],
    };
    ends.sort();
    ends
}

/// Frames that neither belong to an attack nor to what it touched: its conversations, those of its targets, GOOSE and PTP.
fn untouched(all: Vec<Frame>, hostile: &[u64], targets: &HashSet<[u8; 4]>) -> Vec<Frame> {
    let touched: HashSet<_> = hostile.iter().map(|n| conversation(&all[*n as usize - 1])).collect();
    let of_target = |f: &Frame| {
        let ip = |at: usize| <[u8; 4]>::try_from(&f.bytes[at..at + 4]).unwrap();
        match f.bytes[12..14] {
            [8, 0] => targets.contains(&ip(26)) || targets.contains(&ip(30)),
            [8, 6] => targets.contains(&ip(28)) || targets.contains(&ip(38)),
            _ => false,
        }
    };
    // GOOSE tells of moved breakers, and another clock may take over by PTP.
    let is_group = |f: &Frame| f.bytes[16..18] == [0x88, 0xb8] || f.bytes[12..14] == [0x88, 0xf7];
    let hostile: BTreeSet<u64> = hostile.iter().copied().collect();
    let keep = |n: &u64, f: &Frame| {
        !hostile.contains(n) && !touched.contains(&conversation(f)) && !of_target(f) && !is_group(f)
    };
    (1..).zip(all).filter(|(n, f)| keep(n, f)).map(|(_, f)| f).collect()
}

fn addresses(labels: &str) -> HashSet<[u8; 4]> {
    let row = labels.lines().nth(1).unwrap();
    let targets = row.split(',').nth(4).unwrap();
    // The meter and the relay measure the feeder of a breaker that may have been opened.
    let measuring = [[10, 20, 1, 61], [10, 20, 1, 81]];
    let targets = targets.split(' ').map(|ip| ip.parse::<std::net::Ipv4Addr>().unwrap().octets());
    targets.chain(measuring).collect()
}

#[test]
fn attacks_leave_what_they_do_not_touch_as_it_is() {
    for seed in [1, 8] {
        let twin = written(&options(seed, 20, &[], Role::New));
        assert_eq!((twin.1.lines().count(), twin.2.as_str()), (1, "frame,label\n"));
        for attack in Attack::ALL {
            for role in attack.roles().iter().copied() {
                let (pcap, labels, frame_labels, summary) = written(&options(seed, 20, &[attack], role));
                assert!(summary.labelled_frames > 0, "seed {seed}, {attack} by {role} did nothing");
                let hostile: Vec<u64> = labelled(&frame_labels).iter().map(|(n, _)| *n).collect();
                let (all, targets) = (frames(&pcap), addresses(&labels));
                let touched: HashSet<_> = hostile.iter().map(|n| conversation(&all[*n as usize - 1])).collect();
                let rest = untouched(all, &hostile, &targets);
                let mut expect = untouched(frames(&twin.0), &[], &targets);
                expect.retain(|f| !touched.contains(&conversation(f)));
                assert!(rest.len() > 1_000, "seed {seed}, {attack} by {role}: {} frames are untouched", rest.len());
                assert!(rest == expect, "seed {seed}, {attack} by {role}");
            }
        }
    }
}

/// What only a new device does leaves every benign frame as it is.
#[test]
fn a_scan_changes_nothing() {
    let twin = frames(&written(&options(3, 6, &[], Role::New)).0);
    for role in Role::ALL {
        let (pcap, _, frame_labels, _) = written(&options(3, 6, &[Attack::Scan], role));
        let hostile: BTreeSet<u64> = labelled(&frame_labels).iter().map(|(n, _)| *n).collect();
        let rest: Vec<Frame> = (1..).zip(frames(&pcap)).filter(|(n, _)| !hostile.contains(n)).map(|(_, f)| f).collect();
        assert!(rest == twin, "{role}");
    }
}

#[test]
fn labels_name_actor_target_and_frames() {
    for (role, actor) in [(Role::New, "10.20.1.177"), (Role::Known, "10.20.1.40"), (Role::Master, "10.20.1.10")] {
        let (pcap, labels, frame_labels, summary) = written(&options(4, 30, &[Attack::Setpoint], role));
        let (all, hostile) = (frames(&pcap), labelled(&frame_labels));
        assert_eq!(hostile.len() as u64, summary.labelled_frames);
        let fields: Vec<&str> = labels.lines().nth(1).unwrap().split(',').collect();
        assert_eq!(fields[2..5], ["setpoint", actor, "10.20.1.62"]);
        let ends: Vec<u64> = fields[5..8].iter().map(|field| field.parse().unwrap()).collect();
        assert_eq!(ends, [hostile[0].0, hostile[hostile.len() - 1].0, hostile.len() as u64]);
        let micros = all[ends[0] as usize - 1].at % 1_000_000;
        assert!(fields[0].ends_with(&format!(".{micros:06}Z")), "{labels}");
    }
}

#[test]
fn every_trap_has_a_row_without_an_actor() {
    for trap in Trap::ALL {
        let (_, labels, frame_labels, _) =
            written(&Options { seed: 5, minutes: 60, traps: vec![trap], ..Options::default() });
        let fields: Vec<&str> =
            labels.lines().nth(1).unwrap_or_else(|| panic!("{trap} did nothing")).split(',').collect();
        assert_eq!(fields[2..4], [trap.name(), ""]);
        assert!(labelled(&frame_labels).iter().all(|(_, label)| *label == trap.name()));
    }
}
