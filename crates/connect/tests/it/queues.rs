//! The queue on disk: nothing lost over restarts, torn writes, damage, full disks by limit; order kept.

use std::fs;
use std::io::Write;
use std::time::Duration;

use connect::{Kind, New, Queue};

use crate::{finding, raw};

fn push(queue: &Queue, from: u64, n: u64) {
    let bodies: Vec<_> = (from..from + n).map(|i| (format!("i{i}"), raw(&finding(i, 1)))).collect();
    let items: Vec<New<'_>> = bodies.iter().map(|(id, body)| New { kind: Kind::Finding, id, key: id, body }).collect();
    queue.push(&items).unwrap();
}

fn ids(queue: &Queue, most: usize) -> Vec<String> {
    queue.take(most, Duration::ZERO).unwrap().into_iter().map(|i| i.id).collect()
}

#[test]
fn what_was_not_done_comes_again_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let q = Queue::open(dir.path(), 1 << 30).unwrap();
    assert!(Queue::open(dir.path(), 1 << 30).is_err(), "opened twice");
    push(&q, 0, 10);
    let taken = q.take(4, Duration::ZERO).unwrap();
    q.done_before(taken[1].seq + 1).unwrap();
    drop(q);
    let q = Queue::open(dir.path(), 1 << 30).unwrap();
    assert_eq!(q.counts().0, 8);
    assert_eq!(ids(&q, 100), (2..10).map(|i| format!("i{i}")).collect::<Vec<_>>());
    push(&q, 10, 1);
    assert_eq!(ids(&q, 100), ["i10"]);
}

#[test]
fn segments_go_when_they_are_done() {
    let dir = tempfile::tempdir().unwrap();
    let q = Queue::open(dir.path(), 1 << 30).unwrap();
    // About 40 MB: three segments.
    for n in 0..50 {
        push(&q, n * 1_000, 1_000);
    }
    let files = || {
        fs::read_dir(dir.path())
            .unwrap()
            .filter(|e| e.as_ref().unwrap().path().extension().is_some_and(|e| e == "q"))
            .count()
    };
    assert!(files() >= 3, "{}", files());
    let mut seen = 0;
    loop {
        let items = q.take(777, Duration::ZERO).unwrap();
        let Some(last) = items.last() else { break };
        assert_eq!(items[0].id, format!("i{seen}"));
        seen += items.len();
        q.done_before(last.seq + 1).unwrap();
    }
    assert_eq!((seen, files(), q.counts().0), (50_000, 1, 0));
}

#[test]
fn a_torn_line_is_cut_off_and_a_damaged_one_is_a_dead_letter() {
    let dir = tempfile::tempdir().unwrap();
    let q = Queue::open(dir.path(), 1 << 30).unwrap();
    push(&q, 0, 3);
    drop(q);
    let path = dir.path().join(format!("{:020}.q", 1));
    fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"0123\t4\tfinding\thalf").unwrap();
    let q = Queue::open(dir.path(), 1 << 30).unwrap();
    push(&q, 3, 1);
    drop(q);
    let mut bytes = fs::read(&path).unwrap();
    let second = bytes.iter().position(|b| *b == b'\n').unwrap() + 60;
    bytes[second] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let q = Queue::open(dir.path(), 1 << 30).unwrap();
    assert_eq!(ids(&q, 10), ["i0", "i2", "i3"]);
    assert_eq!(q.dead(10).unwrap()[0].reason, "the line in the queue is damaged");
}

#[test]
fn a_full_queue_says_so_and_keeps_what_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let q = Queue::open(dir.path(), 3_000).unwrap();
    push(&q, 0, 2);
    let body = raw(&finding(9, 1));
    let error = q.push(&[New { kind: Kind::Finding, id: "x", key: "x", body: &body }; 10]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    assert_eq!(ids(&q, 10), ["i0", "i1"]);
}

#[test]
fn any_bytes_in_the_folder_open_without_a_panic() {
    let dir = tempfile::tempdir().unwrap();
    let q = Queue::open(dir.path(), 1 << 30).unwrap();
    push(&q, 0, 5);
    drop(q);
    let path = dir.path().join(format!("{:020}.q", 1));
    let whole = fs::read(&path).unwrap();
    let mut seed = 1_u64;
    for n in 0..400 {
        let mut bytes = whole.clone();
        for _ in 0..1 + n % 9 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let at = (seed >> 33) as usize % bytes.len();
            bytes[at] = (seed >> 20) as u8;
        }
        bytes.truncate(bytes.len() - (seed >> 40) as usize % 200);
        fs::write(&path, &bytes).unwrap();
        let _ = fs::remove_file(dir.path().join("dead.ndjson"));
        if let Ok(q) = Queue::open(dir.path(), 1 << 30) {
            let items = q.take(100, Duration::ZERO).map_or(0, |i| i.len());
            assert!(items <= 5 + 9);
        }
    }
}
