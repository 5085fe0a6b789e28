//! Nothing but the meaning gives an attack away: a small decision tree on packet features must not tell it from benign frames.
//!
//! Attack frames are compared with benign frames of the same protocol, direction and message kind; the tree is trained on some seeds and
//! judged on others. An attack that rate, size or port define says so ([`Attack::told_by`]) and is exempt; it must then be told.

use std::collections::BTreeMap;

use simulate::{Attack, Options, Role, Trap};

use crate::packet::{FEATURES, Kind, Sample, samples};
use crate::tree::{Tree, auc};
use crate::{labelled, written};

const SEEDS: u64 = 20;
const MINUTES: u32 = 60;
/// Fewer frames than this of a kind, on either side, cannot be judged.
const ENOUGH: usize = 16;
/// Frames of a kind and a seed that are looked at, on either side.
const LOOKED_AT: usize = 60;
const ALLOWED: f64 = 0.7;

/// Samples of one kind by seed: benign ones, and those of the attack.
type BySeed = BTreeMap<u64, (Vec<[f64; FEATURES]>, Vec<[f64; FEATURES]>)>;

fn run(seed: u64, traps: &[Trap], attacks: &[Attack], actor: Role) -> Vec<(Sample, bool)> {
    let (traps, attacks) = (traps.to_vec(), attacks.to_vec());
    let options = Options { seed, minutes: MINUTES, traps, attacks, actor };
    let (pcap, _, frame_labels, _) = written(&options);
    let hostile: Vec<u64> = labelled(&frame_labels).iter().map(|(n, _)| *n).collect();
    let mut hostile = hostile.into_iter().peekable();
    let all = samples(&crate::reader::frames(&pcap));
    (1..).zip(all).map(|(n, sample)| (sample, hostile.next_if_eq(&n).is_some())).collect()
}

/// Every n-th, so that at most this many are left.
fn thin<T: Clone>(items: &[T], most: usize) -> Vec<T> {
    items.iter().step_by(items.len().div_ceil(most).max(1)).cloned().collect()
}

fn gather(attack: Attack, actor: Role, benign: &[Vec<Sample>]) -> BTreeMap<Kind, BySeed> {
    let mut kinds: BTreeMap<Kind, BySeed> = BTreeMap::new();
    for seed in 0..SEEDS {
        for (sample, _) in run(seed, &[], &[attack], actor).into_iter().filter(|(_, is_hostile)| *is_hostile) {
            kinds.entry(sample.kind).or_default().entry(seed).or_default().1.push(sample.features);
        }
    }
    for (seed, day) in (0..).zip(benign) {
        for sample in day {
            let Some(by_seed) = kinds.get_mut(&sample.kind) else { continue };
            by_seed.entry(seed).or_default().0.push(sample.features);
        }
    }
    for (benign, hostile) in kinds.values_mut().flat_map(|by_seed| by_seed.values_mut()) {
        (*benign, *hostile) = (thin(benign, LOOKED_AT), thin(hostile, LOOKED_AT));
    }
    kinds
}

/// Out-of-fold scores: each half of the seeds is judged by a tree that has seen the other half.
fn judge(by_seed: &BySeed) -> f64 {
    let mut scores = (Vec::new(), Vec::new());
    for fold in 0..2 {
        let (mut rows, mut marks) = (Vec::new(), Vec::new());
        for (benign, hostile) in by_seed.iter().filter(|(seed, _)| *seed % 2 == fold).map(|(_, both)| both) {
            rows.extend(benign.iter().chain(hostile));
            marks.extend(benign.iter().map(|_| false).chain(hostile.iter().map(|_| true)));
        }
        let tree = Tree::grow(&rows, &marks, 4);
        for (benign, hostile) in by_seed.iter().filter(|(seed, _)| *seed % 2 != fold).map(|(_, both)| both) {
            scores.0.extend(benign.iter().map(|row| tree.score(row)));
            scores.1.extend(hostile.iter().map(|row| tree.score(row)));
        }
    }
    auc(&scores.0, &scores.1)
}

#[test]
fn a_small_tree_does_not_tell_attacks_from_the_benign_day() {
    // A dispatcher's programme each day, so that there are commands to compare with.
    let day = |seed| run(seed, &[Trap::Switching], &[], Role::New).into_iter().map(|(sample, _)| sample).collect();
    let benign: Vec<Vec<Sample>> = (0..SEEDS).map(day).collect();
    let mut leaks = Vec::new();
    for attack in Attack::ALL {
        let mut told = 0.0_f64;
        for actor in attack.roles().iter().copied().filter(|actor| *actor != Role::New) {
            let (mut worst, mut judged) = (0.0_f64, 0);
            for (kind, by_seed) in gather(attack, actor, &benign) {
                let count = |side: fn(&(Vec<_>, Vec<_>)) -> usize| by_seed.values().map(side).sum::<usize>();
                let (of_benign, of_attack) = (count(|both| both.0.len()), count(|both| both.1.len()));
                if of_benign < ENOUGH || of_attack < ENOUGH {
                    continue;
                }
                let found = judge(&by_seed);
                worst = worst.max(found);
                judged += 1;
                if attack.told_by().is_none() && found - error(found, of_benign, of_attack) > ALLOWED {
                    leaks.push(format!("{attack} by {actor}: {kind:?} {found:.2} ({of_benign}, {of_attack})"));
                }
            }
            report(attack, actor, worst, judged);
            // What the master does within its sessions may be of kinds that no benign day shows.
            assert!(judged > 0 || actor == Role::Master, "{attack} by {actor} was compared with nothing");
            told = told.max(worst);
        }
        assert!(attack.told_by().is_none() || told > ALLOWED, "{attack} is exempt without need");
    }
    assert!(leaks.is_empty(), "{leaks:#?}");
}

/// The standard error of an area (Hanley and McNeil 1982): with few frames, chance alone passes the limit.
fn error(area: f64, benign: usize, hostile: usize) -> f64 {
    let (one, two) = (area / (2.0 - area), 2.0 * area * area / (1.0 + area));
    let [n, m] = [benign, hostile].map(|count| count as f64);
    let spread = area * (1.0 - area) + (m - 1.0) * (one - area * area) + (n - 1.0) * (two - area * area);
    (spread / (n * m)).sqrt()
}

/// The figures of the test, for who runs it with `--nocapture`.
#[allow(clippy::print_stdout)]
fn report(attack: Attack, actor: Role, worst: f64, judged: u32) {
    println!("{attack} by {actor}: at most {worst:.2} over {judged} kinds");
}
